"""Lower bounds on the leftmost eigenvalue: never above it, and close where they can be."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from tests.oracle import exact_cubic, exact_trs, exact_value, rotated
from tests.subproblems.support import EPS, Product, laplacian
from tralgos import curvature_bound, solve_trs
from tralgos.errors import ArgumentError, ArrayTypeError, AsymmetryError
from tralgos.norms import DiagonalNorm, EuclideanNorm, LowRankNorm, MatrixNorm
from tralgos.operators import CountingOperator, DiagonalOperator, as_operator
from tralgos.subproblems.certificate import measure, radau_curvature
from tralgos.subproblems.certify import certified_gap
from tralgos.subproblems.direct import DenseReduction
from tralgos.subproblems.evidence import DenseCurvature
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget

SPECTRA = {
    "spread": np.linspace(-3.0, 5.0, 60),
    "definite": np.linspace(1.0, 5.0, 60),
    "negative": np.linspace(-5.0, -1.0, 60),
    "repeated": np.repeat([-2.0, 0.0, 1.0], 20),
    "zero-leftmost": np.repeat([0.0, 1.0, 2.0], 20),
    "zero": np.zeros(60),
    "identity": np.ones(60),
    "minus-identity": -np.ones(60),
    "clustered": np.repeat([-2.0, -2.0 + 1e-12, -2.0 + 1e-8, 3.0], 15),
    "condition-1e12": np.geomspace(1e-12, 1.0, 60),
    "small-negative": np.array([-1e-10, *np.geomspace(1e-8, 1.0, 59)]),
    "outlier": np.array([-1.0, *np.linspace(0, 1, 58), 1e6]),
    "huge": 1e150 * np.linspace(-3.0, 5.0, 60),
    "tiny": 1e-150 * np.linspace(-3.0, 5.0, 60),
}
WAYS = ["dense", "sparse", "operator-exact", "probabilistic"]


def bound_of(way: str, H: np.ndarray, norm: Any = None, **options: Any) -> Any:
    if way == "dense":
        return curvature_bound(H, norm=norm, **options)
    if way == "sparse":
        return curvature_bound(scipy.sparse.csr_array(H), norm=norm, **options)
    certify: Any = "exact" if way == "operator-exact" else "probabilistic"
    return curvature_bound(Product(H), norm=norm, certify=certify, **options)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("name", SPECTRA)
def test_bound_and_value_enclose_the_eigenvalue(name: str, way: str, diagonal: bool) -> None:
    e = SPECTRA[name]
    H = np.diag(e) if diagonal else rotated(e, e, np.random.default_rng(0))[0]
    bound = bound_of(way, H)
    size, bottom = float(np.abs(e).max()), float(e.min())
    slack = 0.0 if diagonal else 8 * EPS * size
    assert bound.lower <= bottom + slack
    assert bound.value >= bottom - 16 * EPS * size
    v = bound.vector
    assert np.linalg.norm(v) == pytest.approx(1.0, rel=1e-12)
    assert v @ H @ v == pytest.approx(bound.value, abs=64 * EPS * size)
    assert bound.evidence == ("probabilistic" if way == "probabilistic" else "exact")
    if way == "probabilistic":
        # Rounding hides components below 1e-6, whence the root of nothing: 3e-8 at best.
        assert bound.value - bound.lower <= 1e-3 * abs(bottom) + 1e-5 * size
    else:
        assert bound.failure_probability == 0.0
        assert bound.value - bound.lower <= 1e-11 * size
    assert bound.matvecs == {"dense": 0, "sparse": 0}.get(way, bound.matvecs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["spread", "repeated", "definite", "clustered"])
@pytest.mark.parametrize("spread", [1, 3, 6])
def test_in_a_diagonal_norm(name: str, way: str, spread: int) -> None:
    """Weights from 1e-6 to 1e6: nothing of H's own size is left in the bound."""
    e = SPECTRA[name]
    d = 4.0 ** np.round(np.linspace(-spread, spread, e.size) * math.log(10, 4))
    d = np.random.default_rng(1).permutation(d)
    bound = bound_of(way, np.diag(e * d), DiagonalNorm(d))
    size, bottom = float(np.abs(e).max()), float(e.min())
    assert bound.lower <= bottom
    assert bound.value >= bottom - 256 * EPS * size
    if way != "probabilistic":
        assert bound.value - bound.lower <= 1e-11 * size
    else:
        assert bound.value - bound.lower <= 0.1 * size
    v = bound.vector
    assert v @ (d * v) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("way", ["dense", "operator-exact", "probabilistic"])
@pytest.mark.parametrize("kind", ["matrix", "low-rank", "operator"])
def test_in_a_full_norm(kind: str, way: str) -> None:
    n, rng = 60, np.random.default_rng(2)
    norm: Any
    if kind == "low-rank":
        U = rng.standard_normal((n, 3)) / math.sqrt(n)
        norm, M = LowRankNorm(U, 5.0, 0.5), 5.0 * U @ U.T + 0.5 * np.eye(n)
    else:
        B = rng.standard_normal((n, n)) / math.sqrt(n)
        M = B @ B.T + 0.1 * np.eye(n)
        if kind == "matrix":
            norm = MatrixNorm(M)
        else:
            inverse = np.linalg.inv(M)
            norm = MatrixNorm(Product(M), solve=lambda b: inverse @ b)
    H = rotated(SPECTRA["spread"], np.ones(n), rng)[0]
    bottom = scipy.linalg.eigh(H, M, eigvals_only=True)[0]
    size = 5.0 / np.linalg.eigvalsh(M)[0]
    bound = bound_of(way, H, norm)
    assert bound.lower <= bottom + 8 * EPS * size
    assert bound.value >= bottom - 64 * EPS * size
    assert bound.value - bound.lower <= (1e-2 if way == "probabilistic" else 1e-11) * size
    assert bound.vector @ M @ bound.vector == pytest.approx(1.0)


def test_sparse_norm() -> None:
    H, M = laplacian(12) - 3.0 * scipy.sparse.eye_array(144), laplacian(12)
    H, M = scipy.sparse.csr_array(H), scipy.sparse.csr_array(M)
    bound = curvature_bound(H, norm=MatrixNorm(M))
    bottom = scipy.linalg.eigh(H.toarray(), M.toarray(), eigvals_only=True)[0]
    assert bound.evidence == "exact"
    assert bound.lower <= bottom * (1 - 1e-13)
    assert bound.value == pytest.approx(bottom, rel=1e-9)
    assert bound.value - bound.lower <= 1e-8 * abs(bottom)


@pytest.mark.parametrize("lam", [-0.5, 0.0, 0.04, 0.3])
def test_inertia_near_the_eigenvalue(lam: float) -> None:
    """A sparse matrix shifted to within a hair of singular, on both sides."""
    plain = laplacian(15)
    bottom = 8.0 * math.sin(math.pi / 32.0) ** 2
    for hair in (1e-12, 1e-9, 1e-3, 0.0, -1e-12, -1e-9, -1e-3):
        H = scipy.sparse.csr_array(plain - (bottom + lam + hair) * scipy.sparse.eye_array(225))
        bound = curvature_bound(H)
        assert bound.lower <= -(lam + hair) + 1e-14
        assert bound.value >= -(lam + hair) - 1e-13
        assert bound.value - bound.lower <= 1e-11


def test_failure_probability_is_kept() -> None:
    """At 5 per cent, over many seeds, early in the run, where the bound is put to the test."""
    e = np.concatenate([[-1.0], np.linspace(0.0, 1.0, 199)])
    operator = DiagonalOperator(e)
    failed, trials = 0, 600
    close = 0
    for seed in range(trials):
        bound = curvature_bound(
            operator, certify="probabilistic", failure_probability=0.05, rtol=0.2, rng=seed
        )
        failed += bound.lower > -1.0
        close += bound.lower > -1.3
        assert bound.failure_probability == 0.05
    # Three standard deviations above the mean.
    assert failed <= trials * 0.05 + 3 * math.sqrt(trials * 0.05 * 0.95)
    assert close > 0.9 * trials


def test_failure_probability_is_kept_in_a_norm() -> None:
    d = np.random.default_rng(0).permutation(np.geomspace(1e-2, 1e2, 200))
    e = np.concatenate([[-1.0], np.linspace(0.0, 1.0, 199)])
    operator, norm = DiagonalOperator(e * d), DiagonalNorm(d)
    failed, trials = 0, 300
    for seed in range(trials):
        bound = curvature_bound(
            operator,
            norm=norm,
            certify="probabilistic",
            failure_probability=0.05,
            rtol=0.2,
            rng=seed,
        )
        failed += bound.lower > -1.0
    assert failed <= trials * 0.05 + 3 * math.sqrt(trials * 0.05 * 0.95)


def test_smaller_probability_costs_more() -> None:
    H = rotated(np.linspace(-1.0, 3.0, 300), np.ones(300), np.random.default_rng(0))[0]
    costs = []
    for chance in (0.1, 1e-3, 1e-6):
        counting = CountingOperator(Product(H))
        bound = curvature_bound(counting, certify="probabilistic", failure_probability=chance)
        assert counting.count == bound.matvecs
        costs.append(bound.matvecs)
    assert costs == sorted(costs)


def test_known_eigenvector_start_does_not_fool_it() -> None:
    """g orthogonal to the leftmost eigenvector is no evidence; the random start sees it."""
    e = np.concatenate([[-5.0], np.linspace(1.0, 2.0, 99)])
    g = np.concatenate([[0.0], np.ones(99)])
    result = solve_trs(Product(np.diag(e)), g, 100.0, method="krylov", certify="probabilistic")
    assert result.multiplier >= 5.0 - 1e-6
    assert result.on_boundary
    assert result.hard_case


def test_bad_input_of_the_bound() -> None:
    with pytest.raises(AsymmetryError):
        curvature_bound(np.array([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ArgumentError, match="certify"):
        curvature_bound(np.eye(2), certify="none")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="rtol"):
        curvature_bound(np.eye(2), rtol=0.0)
    with pytest.raises(ArgumentError, match="does not fit"):
        curvature_bound(Product(np.eye(50)), certify="exact", memory=100)
    with pytest.raises(ArrayTypeError):
        curvature_bound(np.eye(2), like=np.ones(2, dtype=np.float32))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("way", WAYS)
def test_smallest_orders(way: str, n: int) -> None:
    for bottom in (-1.0, 0.0, 2.0):
        bound = bound_of(way, np.diag(bottom + np.arange(float(n))))
        assert bound.lower <= bottom <= bound.value + 1e-14
        assert bound.value - bound.lower <= 1e-3


# ------------------------------------------------------------------ Gauss-Radau in finite precision

HARD = {
    "clusters": np.repeat([1.0, 1.0 + 1e-10, 2.0, 3.0], 75) + np.tile(np.arange(75), 4) * 1e-13,
    "condition-1e12": np.geomspace(1e-12, 1.0, 300),
    "outliers": np.concatenate([np.geomspace(1e-3, 1.0, 290), np.geomspace(1e4, 1e8, 10)]),
    "strakos": 0.1 + np.arange(300.0) / 299.0 * 99.9 * 0.9 ** (299.0 - np.arange(300.0)),
}


@pytest.mark.parametrize("watched", [True, False], ids=["projected", "unwatched"])
@pytest.mark.parametrize("name", HARD)
def test_radau_bound_of_the_residual_energy_in_finite_precision(name: str, watched: bool) -> None:
    """1/mu_eff is at least the energy of the next vector as computed, long after it is lost."""
    e = HARD[name]
    g = np.random.default_rng(7).standard_normal(e.size)
    model = Model(DiagonalOperator(e), g, EuclideanNorm())
    run = Lanczos(model, g, memory=1 << 30, watched=watched)
    bottom = float(e.min())
    lam = 1e-3 * bottom
    A = e + lam
    checked = 0
    for k in range(400):
        if run.invariant:
            break
        run.extend()
        if k % 7 or run.beta <= 1e-14 * e.max():
            continue
        dual, length = run.next_vector
        q = dual / length
        energy = float(np.sum(q * q / A))
        for part in (1.0 - 1e-3, 0.1):
            radau = radau_curvature(run.T, run.beta, lam, part * (lam + bottom))
            if radau is None:
                # A Ritz value below the eigenvalue, by rounding of ||H||.
                assert run.T.leftmost_value() <= bottom * (1 + 1e-2) + 4 * EPS * e.max()
                continue
            checked += 1
            # What rounding of T changes of the energy, relative to it.
            assert energy <= (1.0 / radau) * (1.0 + 1e-6 + 64 * EPS * e.max() / A.min())
    assert checked > 5


@pytest.mark.parametrize("memory", [1, 1 << 30])
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("radius", [0.1, 10.0, 1e3])
def test_certified_gap_in_hard_finite_precision(name: str, radius: float, memory: int) -> None:
    """Clusters, condition numbers of 1e12, runs without projections: the true gap is below."""
    e = HARD[name]
    g = np.random.default_rng(7).standard_normal(e.size)
    best = exact_trs(e, g, radius)
    H = scipy.sparse.diags_array(e).tocsr()
    for shifted in (0.0, 1.0):
        best = exact_trs(e - shifted, g, radius) if shifted else best
        result = solve_trs(
            scipy.sparse.csr_array(H - shifted * scipy.sparse.eye_array(e.size)),
            g,
            radius,
            method="krylov",
            memory=max(memory, 40 * 24 * e.size) if memory > 1 else 24 * 2 * e.size,
            max_matvec=3000,
        )
        with mpmath.workdps(60):
            gap = exact_value(e - shifted, g, [mpf(float(x)) for x in result.step]) - best.value
            size = float(np.abs(e - shifted).max())
            unit = EPS * (size * radius**2 + float(np.linalg.norm(g)) * radius)
            assert mpf(result.certificate.gap) >= gap - 4 * unit
            assert gap <= max(mpf("1e-8") * -best.value, 100 * unit)


# ------------------------------------------------------------------ the bound for any pair


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(
    st.integers(1, 6),
    st.integers(0, 2**20),
    st.floats(0.0, 3.0),
    st.floats(0.0, 1.2),
    st.floats(-1, 1),
    st.booleans(),
)
def test_bound_holds_for_any_step_and_multiplier(
    n: int, seed: int, multiplier: float, part: float, exponent: float, cubic: bool
) -> None:
    """Not for solutions alone: a step inside the region, a multiplier that does not go with it."""
    rng = np.random.default_rng(seed)
    e, g = rng.uniform(-2, 2, n), rng.standard_normal(n)
    parameter = 10.0**exponent
    target = CubicTarget(parameter) if cubic else RadiusTarget(parameter)
    best = exact_cubic(e, g, parameter) if cubic else exact_trs(e, g, parameter)
    # From the minimiser itself to anywhere; near it the bound is put to the test.
    other = rng.standard_normal(n)
    other *= part * float(best.norm) / np.linalg.norm(other)
    mix = rng.choice([0.0, 1e-3, 0.1, 1.0])
    step = (1.0 - mix) * best.floats + mix * other
    lam = multiplier if seed % 2 else float(best.multiplier) * (1.0 + 0.1 * (multiplier - 1.0))
    model = Model(as_operator(np.diag(e), "H", g), g, EuclideanNorm())
    curvature = DenseCurvature(model, DenseReduction(model, np.diag(e)))
    measured = measure(model, step, lam, target, boundary=False)
    gamma = float(np.linalg.norm(g))
    gap, mu = certified_gap(model, measured, target, curvature, gamma=gamma)
    sigma = parameter if cubic else 0.0
    s = [mpf(float(x)) for x in measured.step]
    true = float(exact_value(e, g, s, sigma) - best.value)
    assert gap >= true - 1e-13 * (1.0 + abs(float(best.value)))
    assert mu <= lam + e.min()


def test_rounding_of_the_recurrence_is_in_the_bound() -> None:
    """An invariant space after one product proves no more than rounding lets be seen."""
    bound = curvature_bound(Product(np.eye(50)), certify="probabilistic")
    assert bound.matvecs <= 5
    assert 1.0 - 1e-6 <= bound.lower <= 1.0 - 1e-9


def test_error_of_the_factorisation_is_in_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    H = scipy.sparse.csr_array(laplacian(5))
    plain = curvature_bound(H)
    monkeypatch.setattr("tralgos.operators.inertia.SparseFactor.error_bound", 0.125)
    coarse = curvature_bound(H)
    assert coarse.lower <= plain.value - 0.125 + 1e-9
    assert coarse.value == pytest.approx(plain.value)


def test_unit_of_the_norm_does_not_matter() -> None:
    """M = c I and c H have the eigenvalues of H, and the same chance of missing one."""
    e = np.concatenate([[-1.0], np.linspace(0.0, 1.0, 99)])
    plain = curvature_bound(Product(np.diag(e)), certify="probabilistic", rtol=0.1)
    for c in (2.0**-20, 2.0**20):
        norm = DiagonalNorm(np.full(100, c))
        bound = curvature_bound(
            Product(np.diag(c * e)), norm=norm, certify="probabilistic", rtol=0.1
        )
        assert bound.lower == pytest.approx(plain.lower, rel=1e-9)
        assert bound.matvecs == plain.matvecs
