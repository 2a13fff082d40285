"""Cases of tralgos.shares."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from tests.accelerators.case import Case, Table, data
from tests.accelerators.operators import Plain
from tests.namespaces import Xp
from tralgos.operators import DiagonalOperator
from tralgos.shares import diagonal_share, estimate_diagonal

__all__ = ["SHARES"]

A = data(0, 12, 12)


def shares(where: Xp) -> Any:
    """A dense array, all columns of an operator, and some of them in blocks."""
    matrix, like = where.array(A), where.array(A[0])
    found = [
        diagonal_share(matrix),
        diagonal_share(Plain(matrix), like=like, block=5),
        diagonal_share(Plain(matrix), like=like, columns=7, block=3, rng=0),
        diagonal_share(DiagonalOperator(like)),
    ]
    return [astuple(estimate) for estimate in found]


def probed(where: Xp) -> Any:
    """The diagonal by random signs and by Hadamard vectors."""
    matrix, like = where.array(A), where.array(A[0])
    signs = estimate_diagonal(Plain(matrix), probes=6, like=like, block=4, rng=0)
    exact = estimate_diagonal(Plain(matrix), probes=16, like=like, kind="hadamard")
    return signs.diagonal, signs.standard_error, exact.diagonal


_LAW = "a law of random matrices: numbers in and out"

SHARES: Table = {
    "DiagonalEstimate": Case(probed),
    "ShareEstimate": Case(shares),
    "ShareStatus": "an enumeration",
    "asymptotic_ols_share": _LAW,
    "diagonal_share": Case(shares),
    "estimate_diagonal": Case(probed),
    "expected_wigner_share_range": _LAW,
    "gaussian_expected_wigner_share": _LAW,
    "gaussian_ols_share": _LAW,
    "mean_abs_gaussian_product": _LAW,
    "mean_abs_sign_sum": _LAW,
    "rademacher_ols_share": _LAW,
    "wigner_share": _LAW,
}
