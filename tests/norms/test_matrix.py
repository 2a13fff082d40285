"""Norms by a matrix: what is accepted, what is refused, and by which words."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator

from tests.namespaces import Xp
from tests.norms.support import spd
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    AsymmetryError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms import MatrixNorm, as_norm, densify

PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=60)


def laplacian(m: int) -> scipy.sparse.csc_array:
    """The five-point Laplacian of an m x m grid."""
    T = scipy.sparse.diags_array(
        [-np.ones(m - 1), 2 * np.ones(m), -np.ones(m - 1)], offsets=[-1, 0, 1]
    )
    identity = scipy.sparse.eye_array(m)
    return (scipy.sparse.kron(T, identity) + scipy.sparse.kron(identity, T)).tocsc()


@pytest.mark.parametrize(
    ("M", "error", "words"),
    [
        (np.array([[1.0, 2.0], [2.0, 1.0]]), NotPositiveDefiniteError, "positive definite"),
        (np.zeros((2, 2)), NotPositiveDefiniteError, "positive definite"),
        (-np.eye(1), NotPositiveDefiniteError, "positive definite"),
        (np.array([[1.0, 0.1], [0.0, 1.0]]), AsymmetryError, "is 0.1 where"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), NonFiniteError, "M"),
        (np.ones((2, 3)), ShapeError, "square"),
        (np.ones((0, 0)), ShapeError, "empty"),
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_bad_matrices(M: np.ndarray, error: type[Exception], words: str, sparse: bool) -> None:
    if sparse and M.size == 0:
        pytest.skip("SciPy has no empty sparse matrices in every version")
    with pytest.raises(error, match=words):
        MatrixNorm(scipy.sparse.csr_array(M) if sparse else M)


@pytest.mark.parametrize(
    ("M", "error"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], NotPositiveDefiniteError),
        ([[0.0, 0.0], [0.0, 0.0]], NotPositiveDefiniteError),
        ([[1.0, 1.0], [1.0, 1.0]], NotPositiveDefiniteError),
        ([[1.0, 0.1], [0.0, 1.0]], AsymmetryError),
        ([[np.inf, 0.0], [0.0, 1.0]], NonFiniteError),
    ],
)
def test_bad_matrices_of_every_library(xp_case: Xp, M: list, error: type[Exception]) -> None:
    with pytest.raises(error):
        MatrixNorm(xp_case.array(M))


def test_words_for_a_sparse_matrix_that_is_not_definite() -> None:
    negative = scipy.sparse.diags_array([1.0, -1.0, -2.0])
    with pytest.raises(NotPositiveDefiniteError, match="2 negative pivots"):
        MatrixNorm(negative)
    with pytest.raises(NotPositiveDefiniteError, match="1 of its rows are zero"):
        MatrixNorm(scipy.sparse.diags_array([1.0, 0.0, 2.0]))
    with pytest.raises(NotPositiveDefiniteError, match="zero on the diagonal"):
        MatrixNorm(scipy.sparse.csr_array([[0.0, 1.0], [1.0, 0.0]]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_matrix_that_is_singular_but_for_rounding_is_refused(dtype: type) -> None:
    # All pivots of these come out positive.
    B = np.array([[1.0, 0.1], [0.1, 0.7], [0.3, 0.2]], dtype=dtype)
    refused = 0
    for k in range(1, 30):
        M = (B * np.sqrt(k)) @ (B * np.sqrt(k)).T
        for matrix in (M, scipy.sparse.csr_array(M)):
            with pytest.raises(NotPositiveDefiniteError) as caught:
                MatrixNorm(matrix)
            refused += "precision" in str(caught.value)
    assert refused


def test_complex_matrices_are_refused() -> None:
    for M in (np.eye(2, dtype=complex), scipy.sparse.eye_array(2, dtype=complex)):
        with pytest.raises(ArrayTypeError, match="real"):
            MatrixNorm(M)


def test_integers_become_float64() -> None:
    M = np.array([[2, 1], [1, 2]])
    for matrix in (M, scipy.sparse.csr_matrix(M)):
        assert MatrixNorm(matrix).norm(np.array([1.0, 0.0])) == pytest.approx(np.sqrt(2.0))


def test_the_users_matrix_is_not_written_to(rng: np.random.Generator) -> None:
    M = spd(5, rng)
    kept = M.copy()
    norm = MatrixNorm(M)
    norm.equivalence()
    norm.solve(norm.inverse_sqrt(np.ones(5)))
    np.testing.assert_array_equal(M, kept)
    A = scipy.sparse.csc_array(kept)
    A.data[0] = A.data[0]
    indices, data = A.indices.copy(), A.data.copy()
    MatrixNorm(A).equivalence()
    np.testing.assert_array_equal(A.indices, indices)
    np.testing.assert_array_equal(A.data, data)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_numpy_matrix_is_an_array(rng: np.random.Generator) -> None:
    M = spd(3, rng)
    assert MatrixNorm(np.asmatrix(M)).apply(np.ones(3)).shape == (3,)


def test_rounding_is_no_asymmetry(xp_case: Xp, rng: np.random.Generator) -> None:
    X = rng.standard_normal((20, 30))
    M = xp_case.numpy(xp_case.array(X)) @ np.diag(rng.random(30)) @ X.T
    M[np.triu_indices(20, 1)] *= 1 + 2 * xp_case.eps
    M = xp_case.numpy(xp_case.array(M))
    norm = MatrixNorm(xp_case.array(M))
    applied = xp_case.numpy(norm.matrix(xp_case.array(np.ones(20))))
    np.testing.assert_array_equal(applied, applied.T)
    np.testing.assert_allclose(applied, M, atol=100 * xp_case.eps)


@PROPERTY
@given(n=st.integers(1, 8), seed=st.integers(0, 2**32 - 1), spread=st.integers(0, 10))
def test_solves_are_backward_stable(n: int, seed: int, spread: int) -> None:
    rng = np.random.default_rng(seed)
    M = spd(n, rng, 10.0**-spread, 1.0)
    b = rng.standard_normal(n)
    for matrix in (M, scipy.sparse.csc_array(M)):
        x = MatrixNorm(matrix).solve(b)
        residual = np.linalg.norm(M @ x - b)
        assert residual <= 200 * 2.0**-52 * np.linalg.norm(M, 2) * np.linalg.norm(x)


@PROPERTY
@given(n=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_cheap_bounds_hold(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    M = spd(n, rng) + 10.0 ** rng.uniform(-3, 3) * np.eye(n)
    w = np.linalg.eigvalsh(M)
    for matrix in (M, scipy.sparse.csr_array(M)):
        norm = MatrixNorm(matrix)
        upper, lower = norm.upper_eigenvalue(), norm.lower_eigenvalue()
        assert upper >= w[-1]
        assert lower is None or 0 < lower <= w[0] * (1 + 1e-14)
    assert MatrixNorm(np.diag(w)).lower_eigenvalue() == pytest.approx(w[0], rel=1e-9)


def test_equivalence_of_a_large_sparse_matrix() -> None:
    m = 40
    smallest = 4 * (1 - np.cos(np.pi / (m + 1)))
    norm = MatrixNorm(laplacian(m))
    assert norm.equivalence() == pytest.approx(
        (np.sqrt(smallest), np.sqrt(8 - smallest)), rel=1e-12
    )
    assert norm.equivalence() == norm.equivalence()
    single = MatrixNorm(laplacian(m).astype(np.float32))
    assert single.equivalence() == pytest.approx(norm.equivalence(), rel=1e-12)


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_equivalence_of_large_sparse_matrices_of_any_size(size: float) -> None:
    d = np.geomspace(1e-3, 1e3, 400) * size
    found = MatrixNorm(scipy.sparse.diags_array(d)).equivalence()
    assert found == pytest.approx((np.sqrt(d[0]), np.sqrt(d[-1])), rel=1e-10, abs=0)
    equal = MatrixNorm(scipy.sparse.eye_array(400) * size).equivalence()
    assert equal == pytest.approx((np.sqrt(size), np.sqrt(size)), rel=1e-12, abs=0)


def test_sparse_norms_refuse_other_libraries() -> None:
    strict = pytest.importorskip("array_api_strict")
    norm = MatrixNorm(laplacian(2))
    with pytest.raises(ArrayTypeError):
        norm.check(strict.ones(4))
    with pytest.raises(ArrayTypeError):
        norm.apply(strict.ones(4))
    with pytest.raises(ArrayTypeError, match="float32"):
        norm.check(np.ones(4, dtype=np.float32))


class Diagonal:
    """An operator that is known by its products, on any library."""

    def __init__(self, d: object) -> None:
        self.d, self.shape, self.products = d, (d.shape[0], d.shape[0]), 0

    def matvec(self, x: object) -> object:
        self.products += 1
        return self.d * x


def test_operators_of_every_library(xp_case: Xp) -> None:
    d = xp_case.array([1.0, 2.0, 4.0])
    M = Diagonal(d)
    norm = MatrixNorm(M, solve=lambda b: b / d, bounds=(1.0, 4.0))
    like = xp_case.array([1.0, 1.0, 1.0])
    assert as_norm(norm, like).norm(like) == pytest.approx(np.sqrt(7.0), rel=1e-6)
    assert norm.equivalence() == (1.0, 2.0)
    assert (norm.lower_eigenvalue(), norm.upper_eigenvalue()) == (1.0, 4.0)
    tested = M.products
    as_norm(norm, like)
    assert M.products == tested, "the random test is made once"
    assert norm.check_solve(like, rng=np.random.default_rng(1)) <= 10 * xp_case.eps
    dense = densify(norm, like)
    assert dense.has_half
    np.testing.assert_allclose(xp_case.numpy(dense.matrix(like)), np.diag([1.0, 2.0, 4.0]))
    X = xp_case.array(np.zeros((3, 0)))
    assert norm.solve(X).shape == (3, 0)


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_operators_of_extreme_size_pass_their_test(size: float) -> None:
    d = np.array([1.0, 2.0, 4.0]) * size
    norm = MatrixNorm(Diagonal(d), solve=lambda b: b / d)
    assert norm.check_solve(np.ones(3), rng=np.random.default_rng(0)) <= 1e-15


@pytest.mark.parametrize(
    ("solve", "error", "words"),
    [
        (lambda b: b, ArgumentError, "not the inverse"),
        (lambda b: b * (1 + 1e-5), ArgumentError, "not the inverse"),
        (lambda b: -b, NotPositiveDefiniteError, "solve"),
        (lambda b: b * np.nan, NonFiniteError, "solve"),
        (lambda b: b[:2], ShapeError, "solve was given"),
        (lambda b: 0.5, ShapeError, "float"),
        (lambda b: b.astype(np.float32), ArrayTypeError, "what solve returned"),
    ],
)
def test_wrong_solves_are_found(solve, error: type[Exception], words: str) -> None:
    norm = MatrixNorm(Diagonal(np.array([1.0, 2.0, 4.0])), solve=solve)
    with pytest.raises(error, match=words):
        as_norm(norm, np.ones(3))


def test_an_inexact_solve_is_let_through() -> None:
    d = np.array([1.0, 2.0, 4.0])
    norm = as_norm(MatrixNorm(Diagonal(d), solve=lambda b: b / d * (1 + 1e-10)), np.ones(3))
    np.testing.assert_allclose(norm.solve(d), np.ones(3), rtol=1e-9)


@pytest.mark.parametrize(
    ("M", "error"),
    [
        (np.diag([1.0, -50.0]), NotPositiveDefiniteError),
        (np.array([[2.0, 1.0], [0.0, 2.0]]), AsymmetryError),
    ],
)
def test_wrong_operators_are_found(M: np.ndarray, error: type[Exception]) -> None:
    norm = MatrixNorm(LinearOperator((2, 2), matvec=lambda x: M @ x), solve=np.linalg.inv(M).dot)
    with pytest.raises(error):
        as_norm(norm, np.ones(2))


def test_errors_of_the_users_arrive_unchanged() -> None:
    def broken(b: np.ndarray) -> np.ndarray:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        as_norm(MatrixNorm(np.eye(2), solve=broken), np.ones(2))


@pytest.mark.parametrize(
    "bounds", [(0.0, 1.0), (2.0, 1.0), (1.0, np.inf), (np.nan, 1.0), (1.0,), 3.0, ("a", "b")]
)
def test_bad_bounds(bounds: object) -> None:
    with pytest.raises(ArgumentError, match="bounds must"):
        MatrixNorm(np.eye(2), bounds=bounds)


def test_bounds_that_do_not_hold_are_found() -> None:
    for bounds in ((2.0, 3.0), (0.1, 0.5)):
        norm = MatrixNorm(np.eye(2), solve=lambda b: b, bounds=bounds)
        with pytest.raises(ArgumentError, match="do not hold"):
            as_norm(norm, np.ones(2))
    as_norm(MatrixNorm(np.eye(2), solve=lambda b: b, bounds=(1.0, 1.0)), np.ones(2))


def test_operators_need_a_solve() -> None:
    with pytest.raises(ArgumentError, match="solve="):
        MatrixNorm(LinearOperator((2, 2), matvec=lambda x: x))
    with pytest.raises(ArrayTypeError, match="solve must be"):
        MatrixNorm(np.eye(2), solve=3)
    with pytest.raises(ShapeError, match="square"):
        MatrixNorm(np.ones((2, 3)), solve=lambda b: b)


def test_factorised_matrices_pass_check_solve() -> None:
    assert MatrixNorm(np.eye(2)).check_solve(np.ones(2), rng=np.random.default_rng(0)) == 0.0


def test_cholesky_is_the_factor_of_a_numpy_matrix(rng: np.random.Generator) -> None:
    M = spd(6, rng)
    lower = scipy.linalg.cholesky(M, lower=True)
    X = MatrixNorm(M).half_solve(np.eye(6))
    np.testing.assert_allclose(X, np.linalg.inv(lower), rtol=1e-12, atol=1e-13)
