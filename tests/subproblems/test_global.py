"""Every case by every way: the true gap, and that the certificate tells the truth about it.

The data are exactly representable (diagonal H, norms with eigenvalues that are powers
of four), so the true gap is known to many digits and no tolerance hides an error in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.sparse
from mpmath import mpf

from tests import oracle
from tests.oracle import rotated
from tests.subproblems.cases import CASES, Case
from tests.subproblems.support import (
    BY_NAME,
    EPS,
    Product,
    drop_in_basis,
    exact,
    level,
    sigma_of,
    true_gap,
    value,
)
from tralgos import Status, SubproblemResult, solve_cubic, solve_trs
from tralgos.norms import DiagonalNorm, LowRankNorm, MatrixNorm, Norm

#: c of the gap c eps (||H||_M r^2 + ||g|| r) that a certificate may leave.
ROUNDING = 100
#: How many such levels the certificate, itself rounded, may lie below the true gap.
BELOW = 4


@dataclass(frozen=True)
class Way:
    """How H is given, in which norm, and by which method it is solved."""

    name: str
    matrix: Callable[[np.ndarray], Any] = np.diag
    norm: Callable[[np.ndarray], Norm] | None = None
    method: str = "auto"
    certify: str = "auto"
    #: Sparse factorisations are for n >= 3.
    least: int = 1
    #: Roots of the eigenvalues of M go from 2^-spread to 2^spread.
    spread: int = 3

    def __str__(self) -> str:
        return self.name


def _low_rank(d: np.ndarray) -> Norm:
    return LowRankNorm(np.eye(d.size), d - 2.0**-6, 2.0**-6)


def _matrix(d: np.ndarray) -> Norm:
    return MatrixNorm(np.diag(d))


def _sparse(d: np.ndarray) -> Any:
    return scipy.sparse.csr_array(np.diag(d))


def _sparse_matrix(d: np.ndarray) -> Norm:
    return MatrixNorm(_sparse(d))


def _operator(d: np.ndarray) -> Any:
    return Product(np.diag(d))


WAYS = [
    Way("direct", method="direct"),
    Way("krylov", method="krylov"),
    Way("operator", matrix=_operator),
    Way("operator-krylov", matrix=_operator, method="krylov", certify="exact"),
    Way("sparse", matrix=_sparse, method="krylov", least=3),
    Way("diagonal-norm", norm=DiagonalNorm),
    Way("diagonal-norm-krylov", norm=DiagonalNorm, method="krylov"),
    Way("diagonal-norm-sparse", matrix=_sparse, norm=DiagonalNorm, method="krylov", least=3),
    Way("matrix-norm", norm=_matrix, spread=1),
    Way("matrix-norm-krylov", norm=_matrix, method="krylov", spread=1),
    Way("sparse-norm", matrix=_sparse, norm=_sparse_matrix, method="krylov", least=3),
    Way("low-rank-norm", norm=_low_rank, spread=1),
    Way("low-rank-norm-krylov", norm=_low_rank, method="krylov", spread=1),
]
PROBABILISTIC = [
    Way("probabilistic", method="krylov", certify="probabilistic"),
    Way("probabilistic-operator", matrix=_operator, method="krylov", certify="probabilistic"),
    Way("probabilistic-norm", norm=DiagonalNorm, method="krylov", certify="probabilistic"),
]


@dataclass(frozen=True)
class Checked:
    """A result beside what is true of it."""

    result: SubproblemResult
    gap: Any
    decrease: Any
    level: Any
    excess: float


def _roots(case: Case, way: Way) -> np.ndarray | None:
    """Square roots of the eigenvalues of M: powers of two."""
    if way.norm is None:
        return None
    return 2.0 ** np.random.default_rng(5).integers(-way.spread, way.spread + 1, case.g.size)


def checked(case: Case, way: Way, cubic: bool, factor: float = 1.0) -> Checked:
    roots = _roots(case, way)
    e, g, norm = case.eigenvalues, case.g, None
    if roots is not None:
        assert way.norm is not None
        e, g, norm = e * roots * roots, g * roots, way.norm(roots * roots)
    H = way.matrix(e)
    best = exact(case.name, cubic, factor)
    options: Any = {"norm": norm, "method": way.method, "certify": way.certify}
    if cubic:
        sigma = sigma_of(case) * factor
        result = solve_cubic(H, g, sigma, **options)
    else:
        sigma = 0.0
        result = solve_trs(H, g, case.radius * factor, **options)
    step = drop_in_basis(result.step, roots)
    with mpmath.workdps(oracle.DIGITS):
        length = mpf(case.radius * factor)
        excess = float(mpmath.sqrt(mpmath.fsum(x * x for x in step)) / length - 1)
        if cubic:
            # Rounding the leftmost eigenvalue alone lets the step be that long.
            size = mpf(float(np.abs(case.eigenvalues).max()))
            length = max(best.norm, 1.5 * ROUNDING * EPS * size / sigma)
            excess = 0.0
    gap = true_gap(case.eigenvalues, case.g, step, best.value, sigma)
    if norm is not None and not cubic:
        assert norm.norm(result.step) <= case.radius * factor
    unit = level(case.eigenvalues, case.g, length)
    return Checked(result, gap, -best.value, unit, excess)


def assert_truthful(found: Checked) -> None:
    """The step is feasible, and the certificate is not below the true gap."""
    assert np.isfinite(found.result.step).all()
    assert found.excess <= 2 * EPS
    assert mpf(found.result.certificate.gap) >= found.gap - BELOW * found.level
    assert abs(mpf(found.result.model_decrease) - (found.decrease - found.gap)) <= (
        BELOW * found.level
    )
    assert found.result.multiplier >= 0


def tolerance(found: Checked) -> Any:
    return max(mpf("1e-8") * found.decrease, ROUNDING * found.level)


@pytest.mark.parametrize("cubic", [False, True], ids=["trust-region", "cubic"])
@pytest.mark.parametrize(
    ("case", "way"), [(c, w) for c in CASES for w in WAYS if c.g.size >= w.least], ids=str
)
def test_certified_to_the_tolerance(case: Case, way: Way, cubic: bool) -> None:
    found = checked(case, way, cubic)
    assert_truthful(found)
    assert found.gap <= tolerance(found)
    assert mpf(found.result.certificate.gap) <= tolerance(found)
    assert found.result.status in (Status.GLOBAL, Status.ROUNDING)
    assert found.result.certificate.evidence == "exact"
    assert found.result.certificate.failure_probability == 0.0
    relative = found.result.certificate.relative_gap
    assert (found.result.status is Status.GLOBAL) == (relative <= 1e-8)


@pytest.mark.parametrize("cubic", [False, True], ids=["trust-region", "cubic"])
@pytest.mark.parametrize("factor", [1e-3, 30.0])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_other_radii_and_sigmas(case: Case, factor: float, cubic: bool) -> None:
    found = checked(case, WAYS[0], cubic, factor)
    assert_truthful(found)
    assert mpf(found.result.certificate.gap) <= tolerance(found)
    assert found.result.status in (Status.GLOBAL, Status.ROUNDING)


@pytest.mark.parametrize("cubic", [False, True], ids=["trust-region", "cubic"])
@pytest.mark.parametrize("way", PROBABILISTIC, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_probabilistic_evidence_says_what_it_reached(case: Case, way: Way, cubic: bool) -> None:
    """The step is as good as with exact evidence; a proof that falls short is said to."""
    found = checked(case, way, cubic)
    assert_truthful(found)
    assert found.gap <= tolerance(found)
    gap = mpf(found.result.certificate.gap)
    assert (found.result.status in (Status.GLOBAL, Status.ROUNDING)) == (gap <= tolerance(found))
    if found.result.status not in (Status.GLOBAL, Status.ROUNDING):
        assert found.result.status is Status.UNCERTIFIED
    assert found.result.certificate.evidence == "probabilistic"
    assert found.result.certificate.failure_probability == 1e-6


@pytest.mark.parametrize("cubic", [False, True], ids=["trust-region", "cubic"])
@pytest.mark.parametrize("method", ["direct", "krylov"])
@pytest.mark.parametrize("case", [c for c in CASES if c.g.size > 1], ids=str)
def test_rotated(case: Case, method: str, cubic: bool) -> None:
    """Dense data, in which nothing is exactly zero: hard cases are hard up to rounding."""
    H, g, _ = rotated(case.eigenvalues, case.g, np.random.default_rng(3))
    best = exact(case.name, cubic)
    if cubic:
        sigma = sigma_of(case)
        result = solve_cubic(H, g, sigma, method=method)
        size = float(np.abs(case.eigenvalues).max())
        length = max(best.norm, mpf(1.5 * ROUNDING * EPS * size / sigma))
    else:
        sigma, length = 0.0, mpf(case.radius)
        result = solve_trs(H, g, case.radius, method=method)
        assert np.linalg.norm(result.step / case.radius) <= 1.0 + 4 * EPS
    unit = level(case.eigenvalues, case.g, length)
    gap = mpf(value(H, g, result.step, sigma)) - best.value
    # H and g themselves are rounded, entry by entry, by some eps times their size.
    rounded = 16 * unit
    tolerated = max(mpf("1e-8") * -best.value, ROUNDING * unit)
    assert mpf(result.certificate.gap) >= gap - rounded
    assert gap <= tolerated + rounded
    assert mpf(result.certificate.gap) <= tolerated + rounded
    assert result.status in (Status.GLOBAL, Status.ROUNDING)


def _fits_single(case: Case) -> bool:
    sizes = [case.radius, *np.abs(case.eigenvalues), *np.abs(case.g)]
    return all(x == 0 or 1e-20 < x < 1e20 for x in sizes)


@pytest.mark.parametrize("cubic", [False, True], ids=["trust-region", "cubic"])
@pytest.mark.parametrize("method", ["direct", "krylov"])
@pytest.mark.parametrize("case", [c for c in CASES if _fits_single(c)], ids=str)
def test_single_precision(case: Case, method: str, cubic: bool) -> None:
    """The tolerance and the level scale with the eps of float32; the step stays float32."""
    e, g = case.eigenvalues.astype(np.float32), case.g.astype(np.float32)
    H, eps = np.diag(e), 2.0**-23
    best = exact(case.name, cubic, single=True)
    if cubic:
        sigma = sigma_of(case)
        result = solve_cubic(H, g, sigma, method=method)
        size = float(np.abs(e).max())
        length = max(best.norm, mpf(1.5 * ROUNDING * eps * size / sigma))
    else:
        sigma, length = 0.0, mpf(case.radius)
        result = solve_trs(H, g, case.radius, method=method)
        norm = mpmath.sqrt(mpmath.fsum(mpf(float(x)) ** 2 for x in result.step))
        assert norm <= length * (1 + 2 * eps)
    assert result.step.dtype == np.float32
    unit = level(e, g, length, eps)
    gap = true_gap(e, g, drop_in_basis(result.step), best.value, sigma)
    assert gap <= max(1e3 * eps * -best.value, ROUNDING * unit)
    assert mpf(result.certificate.gap) >= gap - BELOW * unit
    assert mpf(result.certificate.gap) <= max(1e3 * eps * -best.value, ROUNDING * unit)
    assert result.status in (Status.GLOBAL, Status.ROUNDING)


def test_names_of_cases_are_unique() -> None:
    assert len(BY_NAME) == len(CASES)
