"""The inertia from SuperLU against dense eigenvalues, where its pivots leave the diagonal too."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tralgos.errors import ArrayTypeError, NonFiniteError, NotPositiveDefiniteError, ShapeError
from tralgos.operators.inertia import fill_estimate, sparse_factor

PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=200)

small_integers = st.integers(1, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.integers(-2, 2), min_size=n, max_size=n), min_size=n, max_size=n
    ).map(lambda rows: np.triu(rows) + np.triu(rows, 1).T)
)


def inertia(M: np.ndarray) -> tuple[int, int]:
    """Negative and zero eigenvalues of a small integer matrix."""
    w = np.linalg.eigvalsh(M.astype(float))
    return int(np.sum(w < -1e-9)), int(np.sum(abs(w) <= 1e-9))


def residual(M: np.ndarray, factor) -> float:
    """||P M P' - L D L'||_2 of the computed factors, in extended precision."""
    kept = np.arange(len(M)) if factor.kept is None else factor.kept
    order = kept[np.argsort(factor.lu.perm_c)]
    L = factor.lu.L.toarray().astype(np.longdouble)
    D = factor.lu.U.diagonal().astype(np.longdouble)
    difference = M[np.ix_(order, order)] - (L * D) @ L.T
    return float(np.linalg.norm(difference.astype(np.float64), 2))


@PROPERTY
@given(small_integers)
@example(np.array([[0, 1], [1, 0]]))
@example(np.zeros((3, 3), dtype=int))
@example(np.array([[0, 0, -1, 0], [0, 0, 1, 0], [-1, 1, 0, -1], [0, 0, -1, 0]]))
@example(np.array([[1, 1], [1, 1]]))
@example(np.diag([1, 0, -1]))
def test_conclusive_counts_are_right(M: np.ndarray) -> None:
    factor = sparse_factor(scipy.sparse.csr_array(M))
    negative, zero = inertia(M)
    if factor.symmetric:
        # Integers this small are eliminated with hardly any rounding, but a zero
        # eigenvalue may come out with either sign.
        assert factor.error_bound < 1e-9
        assert negative <= factor.n_negative <= negative + zero - factor.n_zero
    if negative == 0 and zero == 0:
        assert factor.definite, "a definite matrix never needs an exchange"
    if negative > 0:
        assert not factor.definite
    assert factor.n_zero == int(np.sum(~M.any(axis=1)))


def random_symmetric(n: int, rng: np.random.Generator, kind: str) -> np.ndarray:
    M = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.4)
    M = M + M.T
    if kind == "tiny pivots":
        M += np.diag(10.0 ** rng.uniform(-20, 0, n) * rng.choice([-1, 1], n) - np.diag(M))
    if kind == "semidefinite":
        M = M @ M.T
    if kind == "definite":
        M = M @ M.T + 0.1 * np.eye(n)
    return M


@PROPERTY
@given(
    n=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["indefinite", "tiny pivots", "semidefinite", "definite"]),
    dtype=st.sampled_from([np.float64, np.float32]),
)
def test_error_bound_covers_the_factors(n: int, seed: int, kind: str, dtype: type) -> None:
    M = random_symmetric(n, np.random.default_rng(seed), kind).astype(dtype)
    factor = sparse_factor(scipy.sparse.csc_array(M))
    if kind == "definite":
        assert factor.definite
    if not factor.symmetric:
        assert factor.error_bound == np.inf
        return
    bound = factor.error_bound
    M = M.astype(np.float64)
    w = np.linalg.eigvalsh(M)
    slack = bound + 1e-14 * abs(w).max()
    assert np.sum(w < -slack) <= factor.n_negative <= np.sum(w < slack)
    if factor.lu is not None:
        assert residual(M, factor) <= bound * (1 + 1e-12)
    if kind == "definite":
        assert bound <= 100 * n * np.finfo(dtype).eps * abs(M).sum(axis=1).max()


def test_a_tiny_pivot_shows_in_the_error_bound() -> None:
    # The rows of degree two come last, so the pivots 1e-18 come first; what they leave
    # drowns the 1 beside it.
    n = 6
    M = np.eye(n) + np.ones((n, n))
    for i in range(3):
        tail = len(M)
        M = np.pad(M, (0, 1))
        M[tail, tail], M[tail, i], M[i, tail] = 1e-18, 1.0, 1.0
    factor = sparse_factor(scipy.sparse.csr_array(M))
    assert factor.symmetric
    assert factor.error_bound > 1.0
    assert factor.n_negative == np.sum(np.linalg.eigvalsh(M) < 0)


def test_error_bound_by_hand() -> None:
    # L = [1 0; .1 1], U = [1 .1; 0 .99], |L| |U| 1 = (1.1, 1.1) with 1 and 2 terms; the
    # factors are symmetric, but for the rounding of D L', once more |L| |U| 1.
    bound = sparse_factor(scipy.sparse.csr_array([[1.0, 0.1], [0.1, 1.0]])).error_bound
    assert bound == pytest.approx((2 * 1.1 + 1.1) * 2.0**-53, rel=1e-5, abs=0)
    bound = sparse_factor(scipy.sparse.csr_array([[1.0, 0.1], [0.5, 1.0]])).error_bound
    assert bound == pytest.approx(0.4, rel=0.6)


def test_symmetric_mode_keeps_the_fill_of_the_ordering() -> None:
    m = 30
    T = scipy.sparse.diags_array(
        [-np.ones(m - 1), 2.0 * np.ones(m), -np.ones(m - 1)], offsets=[-1, 0, 1]
    )
    identity = scipy.sparse.eye_array(m)
    A = scipy.sparse.kron(T, identity) + scipy.sparse.kron(identity, T)
    factor = sparse_factor(A)
    assert factor.definite
    assert factor.lu.L.nnz == factor.lu.U.nnz
    assert factor.lu.L.nnz < 0.6 * fill_estimate(A)


def test_asymmetry_shows_in_the_error_bound() -> None:
    M = np.array([[2.0, 1.0], [1.1, 2.0]])
    assert sparse_factor(scipy.sparse.csr_array(M)).error_bound >= 0.05


def test_empty_rows_are_zero_eigenvalues() -> None:
    M = np.zeros((5, 5))
    M[np.ix_([1, 3], [1, 3])] = [[2.0, 1.0], [1.0, -3.0]]
    factor = sparse_factor(scipy.sparse.csr_array(M))
    assert (factor.symmetric, factor.n_negative, factor.n_zero) == (True, 1, 3)
    assert not factor.definite
    assert factor.kept.tolist() == [1, 3]
    with pytest.raises(NotPositiveDefiniteError, match="singular"):
        factor.solve(np.ones(5))
    empty = sparse_factor(scipy.sparse.csr_array((3, 3)))
    assert (empty.symmetric, empty.n_negative, empty.n_zero, empty.error_bound) == (True, 0, 3, 0.0)
    # Stored zeros are no entries.
    stored = scipy.sparse.csr_array(([0.0, 1.0], ([0, 1], [0, 1])), shape=(2, 2))
    for A in (stored, stored.tocsc()):
        factor = sparse_factor(A)
        assert (factor.symmetric, factor.n_negative, factor.n_zero) == (True, 0, 1)
        assert not factor.definite
        assert A.nnz == 2


def test_exchanged_rows_are_inconclusive() -> None:
    factor = sparse_factor(scipy.sparse.csr_array([[0.0, 1.0], [1.0, 0.0]]))
    assert not factor.symmetric
    assert not factor.definite
    np.testing.assert_allclose(factor.solve(np.array([1.0, 2.0])), [2.0, 1.0])


def test_singular_matrices_are_inconclusive() -> None:
    factor = sparse_factor(scipy.sparse.csr_array([[1.0, 1.0], [1.0, 1.0]]))
    assert not factor.symmetric
    assert factor.lu is None
    with pytest.raises(NotPositiveDefiniteError, match="singular"):
        factor.solve(np.ones(2))


def test_solve_keeps_dtype_and_takes_columns() -> None:
    M = scipy.sparse.diags_array([2.0, 4.0]).astype(np.float32)
    x = sparse_factor(M).solve(np.ones((2, 3), dtype=np.float32))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[0.5] * 3, [0.25] * 3])


def test_every_format_is_taken_and_none_is_written_to() -> None:
    M = scipy.sparse.coo_array(([1.0, 1.0, 2.0], ([0, 0, 1], [0, 0, 1])), shape=(2, 2))
    for A in (M, M.tocsc(), M.tocsr(), scipy.sparse.csc_matrix(M), scipy.sparse.dia_array(M)):
        before = A.copy()
        factor = sparse_factor(A)
        assert factor.definite
        np.testing.assert_allclose(factor.solve(np.ones(2)), [0.5, 0.5])
        assert A.nnz == before.nnz
    assert sparse_factor(scipy.sparse.csr_array([[1, 0], [0, 2]])).definite


@pytest.mark.parametrize(
    ("A", "error"),
    [
        (np.eye(2), ArrayTypeError),
        (scipy.sparse.eye_array(2, dtype=complex), ArrayTypeError),
        (scipy.sparse.csr_array(np.ones((2, 3))), ShapeError),
        (scipy.sparse.csr_array([[np.nan]]), NonFiniteError),
        (scipy.sparse.csr_array([[1.0, np.inf], [np.inf, 1.0]]), NonFiniteError),
    ],
)
def test_bad_matrices(A: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        sparse_factor(A)


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_scale_changes_nothing(size: float) -> None:
    rng = np.random.default_rng(0)
    M = random_symmetric(30, rng, "indefinite") + np.eye(30)
    plain = sparse_factor(scipy.sparse.csr_array(M))
    scaled = sparse_factor(scipy.sparse.csr_array(M * size))
    assert plain.symmetric
    assert scaled.symmetric
    assert plain.n_negative == scaled.n_negative == np.sum(np.linalg.eigvalsh(M) < 0)
    assert scaled.error_bound / size == pytest.approx(plain.error_bound, rel=0.5)


# ------------------------------------------------------------------------ the fill


def symbolic_fill(M: np.ndarray, order: np.ndarray) -> int:
    """Nonzeros of the Cholesky factor by elimination of the pattern, one vertex at a time."""
    pattern = (M[np.ix_(order, order)] != 0) | np.eye(len(M), dtype=bool)
    pattern |= pattern.T
    for k in range(len(M)):
        below = k + 1 + np.flatnonzero(pattern[k + 1 :, k])
        pattern[np.ix_(below, below)] = True
    return int(np.tril(pattern).sum())


def envelope(M: np.ndarray, order: np.ndarray) -> int:
    """Entries from the first nonzero of each row to the diagonal, counted one by one."""
    pattern = (M != 0) | (M.T != 0) | np.eye(len(M), dtype=bool)
    pattern = pattern[np.ix_(order, order)]
    return sum(i - int(np.argmax(pattern[i])) + 1 for i in range(len(M)))


@PROPERTY
@given(n=st.integers(1, 15), seed=st.integers(0, 2**32 - 1), density=st.floats(0.0, 0.6))
def test_fill_estimate_is_the_smaller_envelope(n: int, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    M = np.triu(rng.standard_normal((n, n)) * (rng.random((n, n)) < density))
    M = M + M.T
    A = scipy.sparse.csr_array(M)
    estimate = fill_estimate(A)
    degrees = ((M != 0) | np.eye(n, dtype=bool)).sum(axis=1)
    ascending = np.argsort(degrees, kind="stable")
    pattern = scipy.sparse.csr_array((M != 0) | np.eye(n, dtype=bool))
    banded = scipy.sparse.csgraph.reverse_cuthill_mckee(pattern, symmetric_mode=True)
    assert estimate == min(envelope(M, ascending), envelope(M, banded))
    assert estimate >= min(symbolic_fill(M, ascending), symbolic_fill(M, banded))


def test_fill_estimates_of_known_matrices() -> None:
    n = 50
    tridiagonal = scipy.sparse.diags_array([np.ones(n - 1)] * 2, offsets=[-1, 1])
    assert fill_estimate(tridiagonal) == 2 * n - 1
    assert fill_estimate(scipy.sparse.eye_array(n)) == n
    assert fill_estimate(scipy.sparse.csr_array((n, n))) == n
    assert fill_estimate(scipy.sparse.csr_array(np.ones((n, n)))) == n * (n + 1) // 2
    arrow = np.eye(n)
    arrow[0, :] = arrow[:, 0] = 1.0
    # Reverse Cuthill-McKee is no good here, ascending degree is perfect.
    assert fill_estimate(scipy.sparse.csr_array(arrow)) == 2 * n - 1
    upper = scipy.sparse.csr_array(np.triu(np.ones((4, 4))))
    assert fill_estimate(upper) == 10
    with pytest.raises(ShapeError):
        fill_estimate(scipy.sparse.csr_array(np.ones((2, 3))))
    with pytest.raises(ArrayTypeError):
        fill_estimate(np.eye(2))
