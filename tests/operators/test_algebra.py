"""Lazy sums, multiples and products against those of dense matrices."""

import numpy as np
import pytest
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
    DiagonalOperator,
    Operator,
    ProductOperator,
    ScaledOperator,
    SumOperator,
    WrappedOperator,
    as_operator,
)

factors = st.floats(min_value=-1e3, max_value=1e3)


@PROPERTY
@given(m=orders, n=orders, seed=seeds, c=factors)
def test_sums_and_multiples(m: int, n: int, seed: int, c: float) -> None:
    A, B = random_matrix(m, n, seed), random_matrix(m, n, seed + 1)
    x, X = random_matrix(n, 1, seed + 2)[:, 0], random_matrix(n, 3, seed + 3)
    y = random_matrix(m, 1, seed + 4)[:, 0]
    H = c * as_operator(A) - as_operator(B) * 2.0 + (-as_operator(A))
    dense = c * A - 2.0 * B - A
    atol = (1 + abs(c)) * 1e-13
    np.testing.assert_allclose(H @ x, dense @ x, rtol=1e-12, atol=10 * atol)
    np.testing.assert_allclose(H @ X, dense @ X, rtol=1e-12, atol=10 * atol)
    np.testing.assert_allclose(H.rmatvec(y), dense.T @ y, rtol=1e-12, atol=10 * atol)


@PROPERTY
@given(m=orders, k=orders, n=orders, seed=seeds)
def test_products(m: int, k: int, n: int, seed: int) -> None:
    A, B = random_matrix(m, k, seed), random_matrix(k, n, seed + 1)
    X, y = random_matrix(n, 3, seed + 2), random_matrix(m, 1, seed + 3)[:, 0]
    H = as_operator(A) @ as_operator(B)
    assert H.shape == (m, n)
    np.testing.assert_allclose(H @ X[:, 0], A @ B @ X[:, 0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(H @ X, A @ B @ X, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(H.rmatvec(y), B.T @ A.T @ y, rtol=1e-12, atol=1e-12)


def test_algebra_keeps_library_device_and_dtype(xp_case: Xp) -> None:
    A, B = random_symmetric(4, 1), random_symmetric(4, 2)
    H = 0.5 * as_operator(xp_case.array(A)) @ as_operator(OnlyMatvec(xp_case.array(B)))
    H = np.float64(2.0) * H - as_operator(xp_case.array(A))
    x = random_matrix(4, 2, 3)
    dense = A @ B - A
    assert H.dtype == xp_case.dtype
    for got, want in [
        (H @ xp_case.array(x[:, 0]), dense @ x[:, 0]),
        (H @ xp_case.array(x), dense @ x),
    ]:
        assert xp_case.owns(got)
        np.testing.assert_allclose(xp_case.numpy(got), want, atol=500 * xp_case.eps)


def test_algebra_is_lazy_and_multiplies_once() -> None:
    A, B = OnlyMatvec(np.eye(3)), OnlyMatvec(2.0 * np.eye(3))
    H = 3.0 * (as_operator(A) + as_operator(B)) @ as_operator(A)
    assert (A.calls, B.calls) == (0, 0)
    np.testing.assert_array_equal(H @ np.ones(3), 9.0 * np.ones(3))
    assert (A.calls, B.calls) == (2, 1)


def test_algebra_never_reaches_the_host(strict_case: Xp, host_fetches: FetchCounter) -> None:
    A = as_operator(strict_case.array(np.eye(3)))
    x = strict_case.array(np.ones((3, 2)))
    H = 2.0 * (A + A) @ A - A
    H @ x[:, 0]
    H @ x
    H.rmatvec(x[:, 0])
    assert host_fetches.log == []


def test_symmetry_is_kept_where_it_must_hold() -> None:
    D = DiagonalOperator(np.ones(3))
    A = as_operator(np.eye(3))
    assert (D + D).symmetric is True
    assert (2.0 * D).symmetric is True
    assert (D - D).symmetric is True
    assert (D + A).symmetric is None
    assert (A + D).symmetric is None
    assert (D @ D).symmetric is None
    assert (-WrappedOperator(np.eye(3), symmetric=False)).symmetric is False


def test_symmetry_tolerances_are_handed_on() -> None:
    loose = WrappedOperator(OnlyMatvec(np.eye(3)), symmetry_tolerance=1e-3)
    looser = WrappedOperator(OnlyMatvec(np.eye(3)), symmetry_tolerance=1e-2)
    exact = as_operator(np.eye(3))
    assert (loose + looser).symmetry_tolerance == 1e-2
    assert (loose + exact).symmetry_tolerance == 1e-3
    assert (exact + loose).symmetry_tolerance == 1e-3
    assert (exact + exact).symmetry_tolerance is None
    assert (looser @ loose).symmetry_tolerance == 1e-2
    assert (3.0 * loose).symmetry_tolerance == 1e-3


def test_transposes_are_offered_where_they_are_known() -> None:
    A, nameless = as_operator(np.ones((3, 3))), as_operator(OnlyMatvec(np.eye(3)))
    assert (A + A).has_transpose
    assert (A @ A).has_transpose
    assert (2.0 * A).has_transpose
    for H in (A + nameless, nameless @ A, 2.0 * nameless):
        assert not H.has_transpose
        with pytest.raises(ArrayTypeError, match="transpose"):
            H.rmatvec(np.ones(3))


def test_magnitudes_bound_the_entries() -> None:
    A, B = np.array([[1.0, -4.0], [0.0, 2.0]]), np.array([[-3.0, 3.0], [0.5, 1.0]])
    a, b = as_operator(A), as_operator(B)
    assert (a + b).magnitude == 7.0
    assert (a - b).magnitude == 7.0
    assert (-2.0 * a).magnitude == 8.0
    assert (a @ b).magnitude is None
    assert (a + as_operator(OnlyMatvec(B))).magnitude is None
    assert (2.0 * as_operator(OnlyMatvec(B))).magnitude is None


@pytest.mark.parametrize("factor", [np.nan, np.inf, -np.inf])
def test_factors_are_finite(factor: float) -> None:
    with pytest.raises(ArgumentError, match="factor"):
        factor * as_operator(np.eye(2))


@pytest.mark.parametrize("factor", [1j, "2", None, np.ones(2), np.array(2.0), True])
def test_factors_are_numbers(factor: object) -> None:
    with pytest.raises(ArrayTypeError, match="factor"):
        as_operator(np.eye(2)) * factor
    with pytest.raises(ArrayTypeError, match="factor"):
        factor * as_operator(np.eye(2))


def test_a_numpy_factor_does_not_widen_float32() -> None:
    H = np.float64(2.0) * as_operator(np.eye(2, dtype=np.float32))
    assert isinstance(H, ScaledOperator)
    assert (H @ np.ones(2, dtype=np.float32)).dtype == np.float32


def test_terms_have_to_fit() -> None:
    A, B = as_operator(np.ones((2, 3)), "A"), as_operator(np.ones((3, 2)), "B")
    with pytest.raises(ShapeError, match=r"A of shape \(2, 3\) and B of shape \(3, 2\)"):
        A + B
    with pytest.raises(ShapeError, match="multiplied"):
        A @ as_operator(np.ones((2, 2)))
    with pytest.raises(ArrayTypeError, match="float32"):
        A + as_operator(np.ones((2, 3), dtype=np.float32))
    with pytest.raises(ArrayTypeError, match="float32"):
        A @ as_operator(np.ones((3, 2), dtype=np.float32))


def test_libraries_do_not_mix(strict_case: Xp) -> None:
    with pytest.raises(ArrayTypeError, match="array_api_strict"):
        as_operator(np.eye(2)) + as_operator(strict_case.array(np.eye(2)))


@pytest.mark.parametrize("other", [np.eye(2), 1.0, "A", None])
def test_only_operators_are_added(other: object) -> None:
    A = as_operator(np.eye(2))
    with pytest.raises(TypeError):
        A + other
    with pytest.raises(TypeError):
        A - other
    with pytest.raises(TypeError):
        other + A
    with pytest.raises(TypeError):
        other @ A


def test_constraints_of_every_term_are_checked() -> None:
    linear = as_operator(OnlyMatvec(np.eye(2)))
    scipy_only = as_operator(as_operator(np.eye(2)).to_scipy())
    strict = pytest.importorskip("array_api_strict")
    g = strict.ones(2)
    for H in (linear + scipy_only, scipy_only @ linear, 2.0 * scipy_only):
        with pytest.raises(ArrayTypeError, match="SciPy"):
            as_operator(H, like=g)


def test_a_subclass_needs_a_product_only() -> None:
    class Reversal(Operator):
        def _matvec(self, x):
            return np.flip(x)

    flip = Reversal((3, 3), symmetric=True)
    assert flip.dtype is None
    assert flip.magnitude is None
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(flip @ x, x[::-1])
    np.testing.assert_array_equal(flip.rmatvec(x[:, 0]), x[::-1, 0])
    assert "Reversal" in repr(flip)
    assert isinstance(flip + flip, SumOperator)
    assert isinstance(flip @ flip, ProductOperator)
