"""Evidence by sparse factorisation in a norm with off-diagonal entries, against dense LAPACK."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from tralgos import Status, curvature_bound, solve_trs
from tralgos.norms import DiagonalNorm, MatrixNorm, Norm
from tralgos.operators import as_operator
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.model import Model
from tralgos.subproblems.selection import EvidenceOptions, choose_evidence
from tralgos.subproblems.sparse_curvature import _least_eigenvalue

N = 40


def band(off: float, diagonal: np.ndarray) -> scipy.sparse.csr_array:
    n = diagonal.shape[0]
    side = np.full(n - 1, off)
    return scipy.sparse.diags_array([side, diagonal, side], offsets=[-1, 0, 1]).tocsr()


def pencil(seed: int) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    """H indefinite, M definite with a varying diagonal; they do not commute."""
    rng = np.random.default_rng(seed)
    return band(0.7, rng.uniform(-3.0, 3.0, N)), band(0.6, rng.uniform(1.5, 6.0, N))


@pytest.mark.parametrize("seed", range(6))
def test_the_leftmost_pair_of_the_pencil(seed: int) -> None:
    """Exact evidence: the value is the eigenvalue to rounding, and the vector is its own."""
    H, M = pencil(seed)
    values = scipy.linalg.eigh(H.toarray(), M.toarray(), eigvals_only=True)
    found = curvature_bound(H, norm=MatrixNorm(M), certify="exact")
    assert found.evidence == "exact"
    assert found.value == pytest.approx(values[0], rel=1e-12)
    assert values[0] - 1e-9 <= found.lower <= values[0] + 1e-14
    v = found.vector
    assert v @ (M @ v) == pytest.approx(1.0, rel=1e-12)
    assert v @ (H @ v) == pytest.approx(values[0], rel=1e-12)
    assert np.linalg.norm(H @ v - found.value * (M @ v)) <= 1e-6
    assert found.matvecs == 0


def evidence(H: scipy.sparse.csr_array, norm: Norm, dtype: type = np.float64) -> Curvature:
    g = np.ones(H.shape[0], dtype=dtype)
    model = Model(as_operator(H, "H", g), g, norm)
    options = EvidenceOptions("exact", 1e-6, 1 << 30, np.random.default_rng(0))
    curvature = choose_evidence(model, options, None)
    assert curvature is not None
    return curvature


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("above", [1e-6, 1e-2, 1.0, 30.0])
def test_half_of_the_margin_is_proved_at_one_factorisation(seed: int, above: float) -> None:
    """At lam above -lambda_1 the bound comes as near as it was asked to, and is true."""
    H, M = pencil(seed)
    least = scipy.linalg.eigh(H.toarray(), M.toarray(), eigvals_only=True)[0]
    curvature = evidence(H, MatrixNorm(M))
    curvature.prove(-least + above, 0.0, above)
    assert curvature.lower <= least + 1e-13
    assert -least + above + curvature.lower >= 0.36 * above
    assert curvature.proved_at == pytest.approx(-least + 0.5 * above, rel=1e-12)
    assert curvature.ritz == np.inf


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("below", [1e-6, 1e-2, 1.0])
def test_a_direction_of_negative_curvature_is_found(seed: int, below: float) -> None:
    H, M = pencil(seed)
    least = scipy.linalg.eigh(H.toarray(), M.toarray(), eigvals_only=True)[0]
    curvature = evidence(H, MatrixNorm(M))
    curvature.prove(-least - below, 0.0, np.inf)
    assert curvature.ritz == pytest.approx(least, rel=1e-12)
    assert least - 1e-9 <= curvature.lower <= least + 1e-13
    v = curvature.vector()
    assert v @ (H @ v) == pytest.approx(least, rel=1e-12)
    assert v @ (M @ v) == pytest.approx(1.0, rel=1e-12)


def test_corrections_solve_with_the_factor_at_hand() -> None:
    """(H + lam M) c = -rho, and the error that is stated holds in the dual norm."""
    H, M = pencil(1)
    norm = MatrixNorm(M)
    curvature = evidence(H, norm)
    curvature.prove(20.0, 0.0, 10.0)
    lam = curvature.proved_at
    assert lam == pytest.approx(15.0)
    rho = np.random.default_rng(2).standard_normal(N)
    correction = curvature.correction(rho)
    A = H.toarray() + lam * M.toarray()
    np.testing.assert_allclose(correction.vector, -np.linalg.solve(A, rho), rtol=1e-11, atol=1e-12)
    delta = A @ correction.vector + rho
    assert norm.dual_norm(delta) <= correction.error * norm.norm(correction.vector)
    assert 0.0 < correction.error < 1e-11


@pytest.mark.parametrize("norm", [None, "diagonal"])
def test_single_precision_stays_so_in_the_hard_case(norm: str | None) -> None:
    e = np.concatenate([[-3.0], np.linspace(-1.0, 5.0, 29)])
    g = np.ones(30, dtype=np.float32)
    g[0] = 0.0
    weight = np.linspace(1.0, 2.0, 30).astype(np.float32)
    space = DiagonalNorm(weight) if norm else None
    H = scipy.sparse.diags_array(e).tocsr().astype(np.float32)
    result = solve_trs(H, g, 50.0, norm=space, method="krylov", certify="exact")
    assert result.step.dtype == np.float32
    assert result.hard_case
    assert result.multiplier == pytest.approx(3.0 / (weight[0] if norm else 1.0), rel=1e-5)
    found = curvature_bound(H, norm=space, certify="exact")
    assert found.vector.dtype == np.float32
    assert found.lower <= -3.0 * (1.0 - 1e-7) / (weight[0] if norm else 1.0)
    zero = curvature_bound(scipy.sparse.csr_array((30, 30), dtype=np.float32), norm=space)
    assert zero.vector.dtype == np.float32
    assert zero.value == zero.lower == 0.0
    length = float(np.sum(zero.vector**2 * (weight if norm else 1.0)))
    assert length == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("off", [0.0, 0.1, 0.3, 0.49, 0.4999, 0.499999])
def test_the_least_eigenvalue_of_a_scaled_norm_is_bounded_from_below(off: float) -> None:
    """1 + 2 off cos(pi k / (n + 1)), in closed form; the bound is within a factor of 150."""
    M = band(off, np.ones(N)).tocsc()
    if off == 0.0:
        M.eliminate_zeros()
    least = 1.0 - 2.0 * off * np.cos(np.pi / (N + 1))
    bound = _least_eigenvalue(M)
    assert bound <= least * (1.0 + 1e-12)
    assert bound >= least / 150.0
    if off == 0.0:
        assert bound == 1.0


def test_a_norm_that_is_not_safely_definite_proves_nothing() -> None:
    M = band(0.6, np.ones(N)).tocsc()
    assert _least_eigenvalue(M) == 1e-300


def test_the_seed_decides_and_no_global_generator() -> None:
    """ARPACK starts where it is told to, so that a run can be had again to the last bit."""
    H, M = pencil(3)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    found = [curvature_bound(H, norm=MatrixNorm(M), certify="exact", rng=7) for _ in range(3)]
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    for again in found[1:]:
        assert (again.lower, again.value) == (found[0].lower, found[0].value)
        np.testing.assert_array_equal(again.vector, found[0].vector)
    other = curvature_bound(H, norm=MatrixNorm(M), certify="exact", rng=8)
    assert not np.array_equal(other.vector, found[0].vector)


def test_a_shift_within_the_error_of_its_factorisation_proves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left of the shift is at least half of it, or there is no bound."""
    M = band(0.3, np.ones(N)).tocsc()
    for error, bound in ((0.05, 0.075), (0.0625, 1e-300), (0.1, 1e-300), (0.004, 0.121)):
        monkeypatch.setattr("tralgos.operators.inertia.SparseFactor.error_bound", error)
        assert _least_eigenvalue(M) == pytest.approx(bound, rel=1e-12)


@pytest.mark.parametrize("method", ["krylov", "direct"])
def test_rounding_is_measured_by_the_whole_matrix(method: str) -> None:
    """lambda_1 = -1e-3 beside 1e9: no factorisation tells more, and the result says so.

    With g = 0 there is no Krylov space, and the evidence alone knows the size of H.
    """
    e = np.array([-1e-3, 0.5, 1.0, 2.0, 3.0, 1e9])
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    H = (Q * e) @ Q.T
    H = scipy.sparse.csr_array(0.5 * H + 0.5 * H.T)
    result = solve_trs(H, np.zeros(6), 1.0, method=method, certify="exact")
    assert result.status is Status.ROUNDING
    assert np.isfinite(result.certificate.gap)
    assert result.hard_case
    assert result.message.count("of the decrease") == 2
    assert "None" not in result.message
