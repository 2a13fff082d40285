"""Structured operators against the dense matrices that they stand for."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tests.operators.support import (
    PROPERTY,
    OnlyMatvec,
    orders,
    random_matrix,
    random_symmetric,
    seeds,
)
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import (
    Congruence,
    DiagonalOperator,
    FiniteDifferenceHessian,
    LowRankPlusDiagonal,
    Operator,
    ShiftedOperator,
    WrappedOperator,
    as_operator,
)

N, M = 5, 2
D = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
U = random_matrix(N, M, 1)
C = np.array([2.0, -3.0])
A = random_symmetric(N, 2)
S = random_matrix(N, 3, 3)
R = random_matrix(N, N, 5)
B = np.diag([1.0, 2.0, 3.0, 4.0, 5.0])

#: name: (operator from a function that makes arrays, the dense matrix)
CASES = {
    "diagonal": (lambda a: DiagonalOperator(a(D)), np.diag(D)),
    "low-rank": (lambda a: LowRankPlusDiagonal(a(D), a(U), a(C)), np.diag(D) + U * C @ U.T),
    "low-rank-ones": (lambda a: LowRankPlusDiagonal(a(D), a(U)), np.diag(D) + U @ U.T),
    "low-rank-identity": (
        lambda a: LowRankPlusDiagonal(2, a(U), a(C)),
        2.0 * np.eye(N) + U * C @ U.T,
    ),
    "shifted": (lambda a: ShiftedOperator(a(A), 1.5), A + 1.5 * np.eye(N)),
    "shifted-asymmetric": (lambda a: ShiftedOperator(a(R), 1.5), R + 1.5 * np.eye(N)),
    "shifted-by-nothing": (lambda a: ShiftedOperator(a(A), 0), A),
    "shifted-in-a-norm": (
        lambda a: ShiftedOperator(a(A), -0.5, DiagonalOperator(a(np.diag(B))).__matmul__),
        A - 0.5 * B,
    ),
    "congruence": (lambda a: Congruence(a(A), a(S)), S.T @ A @ S),
    "congruence-asymmetric": (lambda a: Congruence(a(R), a(S)), S.T @ R @ S),
    "congruence-diagonal": (lambda a: Congruence(a(A), DiagonalOperator(a(D))), D[:, None] * A * D),
}


@pytest.mark.parametrize("case", CASES)
def test_products_in_every_library(xp_case: Xp, case: str) -> None:
    make, dense = CASES[case]
    H = make(xp_case.array)
    n = dense.shape[0]
    x = random_matrix(n, 3, 4)
    assert H.shape == dense.shape
    assert H.dtype == xp_case.dtype
    X = xp_case.array(x)
    for got, want in [
        (H @ X[:, 0], dense @ x[:, 0]),
        (H @ X, dense @ x),
        (H @ X[:, :0], dense @ x[:, :0]),
        (H.rmatvec(X[:, 0]), dense.T @ x[:, 0]),
    ]:
        assert xp_case.owns(got)
        np.testing.assert_allclose(xp_case.numpy(got), want, atol=1000 * xp_case.eps)
    if H.magnitude is not None:
        assert H.magnitude >= np.abs(dense).max() * (1 - 10 * xp_case.eps)


@pytest.mark.parametrize("case", CASES)
def test_products_never_reach_the_host(
    strict_case: Xp, host_fetches: FetchCounter, case: str
) -> None:
    make, dense = CASES[case]
    H = make(strict_case.array)
    X = strict_case.array(np.ones((dense.shape[0], 2)))
    H @ X[:, 0]
    H @ X
    H.rmatvec(X[:, 0])
    assert host_fetches.log == []


@pytest.mark.parametrize("case", CASES)
def test_what_a_product_was_given_stays_as_it_was(case: str) -> None:
    make, dense = CASES[case]
    x = random_matrix(dense.shape[0], 1, 4)[:, 0]
    before = x.copy()
    H = make(np.array)
    first = H @ x
    np.testing.assert_array_equal(H @ x, first)
    np.testing.assert_array_equal(x, before)


@PROPERTY
@given(n=orders, m=orders, seed=seeds, weighted=st.booleans())
def test_low_rank_of_any_shape(n: int, m: int, seed: int, weighted: bool) -> None:
    d, V = random_matrix(n, 1, seed)[:, 0], random_matrix(n, m, seed + 1)
    c = random_matrix(m, 1, seed + 2)[:, 0] if weighted else None
    H = LowRankPlusDiagonal(d, V, c)
    dense = np.diag(d) + (V if c is None else V * c) @ V.T
    np.testing.assert_allclose(H @ np.eye(n), dense, atol=1e-12)
    np.testing.assert_allclose(H @ V[:, 0], dense @ V[:, 0], atol=1e-12)
    assert H.symmetric is True
    assert H.magnitude >= np.abs(dense).max() * (1 - 1e-14)


@PROPERTY
@given(n=orders, k=orders, seed=seeds)
def test_congruence_keeps_the_quadratic_form(n: int, k: int, seed: int) -> None:
    H, T = random_symmetric(n, seed), random_matrix(n, k, seed + 1)
    t = random_matrix(k, 1, seed + 2)[:, 0]
    C_ = Congruence(H, sp.csr_array(T))
    s = T @ t
    assert t @ (C_ @ t) == pytest.approx(s @ H @ s, rel=1e-10, abs=1e-10)


def test_data_is_referred_to() -> None:
    assert DiagonalOperator(D).diagonal is D
    H = LowRankPlusDiagonal(D, U, C)
    assert H.U is U
    assert H.diagonal is D
    assert H.weights is C


def test_structure_knows_its_symmetry() -> None:
    assert DiagonalOperator(D).symmetric is True
    assert LowRankPlusDiagonal(D, U).symmetric is True
    assert ShiftedOperator(DiagonalOperator(D), 1.0).symmetric is True
    assert ShiftedOperator(A, 1.0).symmetric is None
    assert Congruence(DiagonalOperator(D), S).symmetric is True
    assert Congruence(A, S).symmetric is None
    loose = WrappedOperator(OnlyMatvec(A), symmetry_tolerance=1e-3)
    assert ShiftedOperator(loose, 1.0).symmetry_tolerance == 1e-3
    assert Congruence(loose, S).symmetry_tolerance == 1e-3
    assert not ShiftedOperator(loose, 1.0).has_transpose
    assert not Congruence(loose, S).has_transpose


def test_magnitudes() -> None:
    assert DiagonalOperator(D).magnitude == 3.0
    assert ShiftedOperator(DiagonalOperator(D), -2.0).magnitude == 5.0
    assert ShiftedOperator(DiagonalOperator(D), -2.0, lambda x: x).magnitude is None
    assert LowRankPlusDiagonal(D, np.ones((N, 1)), np.array([-4.0])).magnitude == 7.0
    assert LowRankPlusDiagonal(D, np.ones((N, 0))).magnitude == 3.0
    assert Congruence(A, S).magnitude is None


def test_integers_are_promoted() -> None:
    d = np.array([1, 2])
    assert (DiagonalOperator(d) @ np.ones(2)).dtype == np.float64
    V = np.ones((2, 1), dtype=np.float32)
    y = LowRankPlusDiagonal(d, V, np.array([3])) @ np.ones(2, dtype=np.float32)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [7.0, 8.0])


class NoTranspose(Operator):
    def _matvec(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DiagonalOperator([1.0]), ArrayTypeError, "d must"),
        (lambda: DiagonalOperator(np.eye(2)), ArrayTypeError, "d must"),
        (lambda: DiagonalOperator(D * 1j), ArrayTypeError, "d must be real"),
        (lambda: LowRankPlusDiagonal(D, D), ArrayTypeError, "U must"),
        (lambda: LowRankPlusDiagonal(D[:3], U), ShapeError, "d must have length 5"),
        (lambda: LowRankPlusDiagonal(D, U, C[:1]), ShapeError, "c must have length 2"),
        (lambda: LowRankPlusDiagonal(D, U.astype("f4")), ArrayTypeError, "float32"),
        (lambda: LowRankPlusDiagonal(D, U, C.astype("f4")), ArrayTypeError, "float32"),
        (lambda: LowRankPlusDiagonal(np.inf, U), ArgumentError, "d must be finite"),
        (lambda: LowRankPlusDiagonal("1", U), ArrayTypeError, "d must"),
        (lambda: ShiftedOperator(S, 1.0), ShapeError, "square"),
        (lambda: ShiftedOperator(A, np.nan), ArgumentError, "shift"),
        (lambda: ShiftedOperator(A, 1j), ArrayTypeError, "shift"),
        (lambda: ShiftedOperator(None, 1.0), ArrayTypeError, "A must"),
        (lambda: Congruence(S, A), ShapeError, "square"),
        (lambda: Congruence(A, S.T), ShapeError, r"S has shape \(3, 5\)"),
        (lambda: Congruence(A, "S"), ArrayTypeError, "S must"),
        (lambda: Congruence(A, NoTranspose((N, N))), ArrayTypeError, "transpose"),
        (lambda: Congruence(A, S.astype("f4")), ArrayTypeError, "float32"),
    ],
)
def test_bad_arguments_are_named(make, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_libraries_do_not_mix(strict_case: Xp) -> None:
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        LowRankPlusDiagonal(D, strict_case.array(U))
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        Congruence(A, strict_case.array(S))
    g = strict_case.array(D)
    scipy_only = as_operator(as_operator(OnlyMatvec(A)).to_scipy())
    anything = as_operator(OnlyMatvec(A))
    free = WrappedOperator(OnlyMatvec(A), symmetric=True)
    for H in (
        ShiftedOperator(scipy_only, 1.0),
        Congruence(scipy_only, free),
        Congruence(anything, scipy_only),
    ):
        with pytest.raises(ArrayTypeError, match="SciPy"):
            as_operator(H, like=g)


def test_a_shifted_finite_difference_hessian() -> None:
    H = FiniteDifferenceHessian(lambda x: 2.0 * x, D)
    np.testing.assert_allclose(ShiftedOperator(H, 1.0) @ D, 3.0 * D, rtol=1e-6)
