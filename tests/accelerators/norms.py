"""Cases of tralgos.norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.accelerators.case import Case, Table, data, symmetric
from tests.accelerators.operators import Plain
from tests.namespaces import Xp
from tralgos.norms import (
    AdagradNorm,
    AdamNorm,
    AdaptiveNorm,
    DiagonalNorm,
    EuclideanNorm,
    LowRankNorm,
    MatrixNorm,
    Norm,
    RMSPropNorm,
    as_norm,
    chapelle_erhan_norm,
    densify,
    hessian_diagonal_norm,
    martens_norm,
)

__all__ = ["NORMS"]

N = 6
D = 1.5 + data(0, N)
M = symmetric(1, N, shift=4.0)
U = data(2, N, 2)
S, T = data(3, N), data(4, N)
GRADIENTS = data(5, 4, N)


def measured(norm: Norm, where: Xp) -> dict[str, Any]:
    """All that a norm can do with arrays; of a factor L, which may be rotated, L^-T L^-1."""
    s, t = where.array(S), where.array(T)
    found: dict[str, Any] = {
        "apply": norm.apply(s),
        "solve": norm.solve(where.array(GRADIENTS.T)),
        "norm": norm.norm(s),
        "dual": norm.dual_norm(s),
        "inner": norm.inner(s, t),
        "matrix": norm.matrix(s),
        "equivalence": norm.equivalence(),
    }
    if norm.has_sqrt:
        found |= {"sqrt": norm.sqrt(s), "inverse_sqrt": norm.inverse_sqrt(s)}
    if norm.has_half:
        found |= {"half": norm.half_solve_t(norm.half_solve(s))}
    return found


def user(where: Xp) -> MatrixNorm:
    """A norm of a caller's operator and solver."""
    inverse = where.array(np.linalg.inv(M))
    return MatrixNorm(Plain(where.array(M)), solve=lambda s: inverse @ s, bounds=(1.0, 8.0))


def matrix(where: Xp) -> Any:
    found = [measured(MatrixNorm(where.array(M)), where)]
    mine = user(where)
    s = where.array(S)
    as_norm(mine, s).check(s)
    return [*found, mine.apply(s), mine.solve(s), mine.norm(s), mine.equivalence()]


def low_rank(where: Xp) -> Any:
    u = where.array(U)
    found = (
        LowRankNorm(u),
        LowRankNorm(u, 2.0, 0.5),
        LowRankNorm(u, where.array([1.0, 3.0]), 0.5),
    )
    return [*(measured(norm, where) for norm in found), measured(found[1].root(), where)]


def rule(make: Any) -> Case:
    """Updates, both powers, and the three kinds of accumulators."""

    def run(where: Xp) -> Any:
        found = []
        for options in ({}, {"kind": "full"}, {"kind": "window", "window": 3}):
            norms: AdaptiveNorm = make(epsilon=0.25, **options)
            state = norms.init(like=where.array(S))
            for g in GRADIENTS:
                state = norms.update(state, where.array(g))
            for power in (1.0, 0.5):
                norm = norms.norm(state, power)
                found.append((norm.apply(where.array(S)), norm.solve(where.array(S))))
        return found

    return Case(run, loose=4.0)


def state(where: Xp) -> Any:
    norms = AdagradNorm(epsilon=0.25)
    fresh = norms.init(N, where.xp, dtype=where.dtype, device=_device(where))
    seen = norms.update(fresh, where.array(S))
    return fresh.home, seen.steps, seen.n, norms.norm(seen).apply(where.array(S))


def _device(where: Xp) -> Any:
    return None if where.xp is np else where.device


def chapelle(where: Xp) -> Any:
    J, s = where.array(data(7, 9, N)), where.array(S)
    norm = chapelle_erhan_norm(J, 5, like=s, rng=0, floor=1e-3)
    return measured(norm, where)


def hessian_diagonal(where: Xp) -> Any:
    H = Plain(where.array(symmetric(8, N, shift=3.0)))
    return measured(hessian_diagonal_norm(H, 5, like=where.array(S), rng=0, floor=1e-3), where)


def martens(where: Xp) -> Any:
    return measured(martens_norm(where.array(GRADIENTS), damping=0.1), where)


def dense_form(where: Xp) -> Any:
    kinds = (DiagonalNorm(where.array(D)), LowRankNorm(where.array(U)), user(where))
    found = [densify(norm, where.array(S)) for norm in kinds]
    return [(norm.solve(where.array(S)), norm.norm(where.array(S))) for norm in found]


NORMS: Table = {
    "AdagradNorm": rule(AdagradNorm),
    "AdamNorm": rule(AdamNorm),
    "AdaptiveNorm": rule(lambda **k: RMSPropNorm(epsilon_rule="seeded", **k)),
    "AdaptiveState": Case(state),
    "DiagonalNorm": Case(lambda w: measured(DiagonalNorm(w.array(D)), w)),
    "EuclideanNorm": Case(lambda w: measured(EuclideanNorm(), w)),
    "LowRankNorm": Case(low_rank),
    "MatrixNorm": Case(matrix),
    "Norm": Case(lambda w: DiagonalNorm(w.array(D)).matrix(w.array(S))),
    "RMSPropNorm": rule(RMSPropNorm),
    "as_norm": Case(lambda w: as_norm(None, w.array(S)).norm(w.array(S))),
    "chapelle_erhan_norm": Case(chapelle),
    "densify": Case(dense_form),
    "hessian_diagonal_norm": Case(hessian_diagonal),
    "martens_norm": Case(martens),
}
