"""What is refused before any work, and what the checks cost."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tests.oracle import rotated
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    AsymmetryError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms import DiagonalNorm, EuclideanNorm, MatrixNorm
from tralgos.operators import DiagonalOperator, Operator, WrappedOperator
from tralgos.subproblems import validation as v
from tralgos.subproblems.model import BudgetExhausted, Model


class Product:
    """An operator known by its products alone."""

    def __init__(self, A: np.ndarray) -> None:
        self.A, self.shape = A, A.shape

    def matvec(self, x: np.ndarray) -> np.ndarray:
        return self.A @ x


def model_of(H: object, g: object, norm: object = None, **options: object) -> Model:
    return v.validated_model(H, g, norm, rng=np.random.default_rng(0), **options)


def test_rtol() -> None:
    assert v.check_rtol(None, np.float64) == 1e-8
    assert v.check_rtol(None, np.dtype("float32")) == 1e3 * 2.0**-23
    assert v.check_rtol(0.5, np.float64) == 0.5
    for bad in (0.0, 1.0, -1e-3, np.nan, "1e-8"):
        with pytest.raises(ArgumentError, match="rtol"):
            v.check_rtol(bad, np.float64)


def test_bad_data_is_named() -> None:
    H, g = np.eye(2), np.ones(2)
    cases: list[tuple[type[Exception], str, object, object, object]] = [
        (ArrayTypeError, "g", H, [1.0, 2.0], None),
        (ArrayTypeError, "g", H, np.ones((2, 1)), None),
        (ArrayTypeError, "g", H, 1j * g, None),
        (ArrayTypeError, "g", H, np.ones(2, dtype=bool), None),
        (ShapeError, "g", np.zeros((0, 0)), np.ones(0), None),
        (NonFiniteError, "g", H, np.array([1.0, np.inf]), None),
        (ShapeError, "H", np.ones((2, 3)), g, None),
        (ShapeError, "H", np.eye(3), g, None),
        (ArrayTypeError, "H", 1j * H, g, None),
        (ArrayTypeError, "H", H.astype(np.float32), g, None),
        (ArrayTypeError, "H", "H", g, None),
        (NonFiniteError, "H", np.diag([np.nan, 1.0]), g, None),
        (NonFiniteError, "H", np.diag([np.inf, 1.0]), g, None),
        (NonFiniteError, "H", Product(np.diag([np.nan, 1.0])), g, None),
        (AsymmetryError, "H", np.array([[1.0, 2.0], [0.0, 1.0]]), g, None),
        (AsymmetryError, "H", scipy.sparse.csr_array([[1.0, 2.0], [0.0, 1.0]]), g, None),
        (ArrayTypeError, "norm", H, g, "euclidean"),
        (ShapeError, "3", H, g, DiagonalNorm(np.ones(3))),
        (ArrayTypeError, "float32", H, g, DiagonalNorm(np.ones(2, dtype=np.float32))),
    ]
    for error, name, matrix, gradient, norm in cases:
        with pytest.raises(error, match=name):
            model_of(matrix, gradient, norm)
    with pytest.raises(NotPositiveDefiniteError):
        model_of(H, g, MatrixNorm(np.diag([1.0, -1.0])))


def test_declared_asymmetry_is_believed() -> None:
    with pytest.raises(AsymmetryError, match="declared"):
        model_of(WrappedOperator(Product(np.eye(2)), symmetric=False), np.ones(2))


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(st.integers(2, 30), st.integers(0, 2**31), st.sampled_from([1e-8, 1e-4, 1.0]))
def test_asymmetry_of_an_operator_is_found(n: int, seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    H, g, _ = rotated(rng.standard_normal(n), rng.standard_normal(n), rng)
    d = np.exp(rng.standard_normal(n))
    skew = rng.standard_normal((n, n))
    for norm in (None, DiagonalNorm(d)):
        model_of(Product(H), g, norm)
        with pytest.raises(AsymmetryError, match="differ by"):
            model_of(Product(H + size * (skew - skew.T)), g, norm)


def test_asymmetry_is_found_for_a_zero_gradient() -> None:
    with pytest.raises(AsymmetryError):
        model_of(Product(np.array([[1.0, 2.0], [0.0, 1.0]])), np.zeros(2))
    model = model_of(Product(np.eye(2)), np.zeros(2))
    np.testing.assert_array_equal(model.first_product, np.zeros(2))


class Inexact(Operator):
    """Symmetric up to an error that it declares."""

    def __init__(self, tolerance: float | None) -> None:
        super().__init__((2, 2), symmetry_tolerance=tolerance)

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.array([[1.0, 1e-5], [0.0, 2.0]]) @ x


def test_symmetry_tolerance_of_the_operator_counts() -> None:
    model_of(Inexact(1e-3), np.ones(2))
    with pytest.raises(AsymmetryError):
        model_of(Inexact(None), np.ones(2))


def test_cost_of_the_checks() -> None:
    H, g = np.array([[1.0, 2.0], [2.0, -1.0]]), np.array([1.0, 3.0])
    for matrix in (H, scipy.sparse.csr_array(H), DiagonalOperator(g)):
        model = model_of(matrix, g)
        assert model.matvecs == 0
        assert model.first_product is None
    declared = model_of(WrappedOperator(Product(H), symmetric=True), g)
    assert declared.matvecs == 1
    assert declared.first_product is None
    norm = DiagonalNorm(np.array([2.0, 4.0]))
    unknown = model_of(Product(H), g, norm)
    assert unknown.matvecs == 2
    np.testing.assert_allclose(unknown.first_product, H @ (g / [2.0, 4.0]), rtol=1e-15)
    assert model_of(Product(H), g, probe=False).matvecs == 0
    assert model_of(Product(np.triu(H)), g, check=False).matvecs == 1
    with pytest.raises(BudgetExhausted):
        model_of(Product(H), g, max_matvec=1)


def test_integers_are_promoted() -> None:
    model = model_of(np.array([[2, 1], [1, 3]]), np.array([1, 2]))
    assert model.g.dtype == np.float64
    assert isinstance(model.norm, EuclideanNorm)


@pytest.mark.parametrize("h", [1e-300, 1e-150, 1e-50, 1.0, 1e50, 1e150, 1e300])
@pytest.mark.parametrize("c", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_scales_are_powers_of_two_and_one_where_moderate(h: float, c: float) -> None:
    H, g = np.array([[1.0, 2.0], [2.0, -1.0]]), np.array([1.0, 0.5])
    for matrix in (h * H, Product(h * H)):
        model = model_of(matrix, c * g)
        for scale, size in ((model.hessian_scale, h), (model.gradient_scale, c)):
            assert np.frexp(scale)[0] == 0.5
            if 1e-60 < size < 1e60:
                assert scale == 1.0
            else:
                assert 0.1 < scale / size < 10
        product = model.hess(model.g)
        np.testing.assert_allclose(product * model.hessian_scale / h, H @ model.g, rtol=1e-14)


def test_scales_in_single_precision() -> None:
    for size in (1e-30, 1e-15, 1.0, 1e5, 1e15, 1e30):
        H = (size * np.eye(2)).astype(np.float32)
        model = model_of(H, (size * np.ones(2)).astype(np.float32))
        moderate = 1e-6 < size < 1e6
        assert (model.hessian_scale == 1.0) == moderate
        assert model.g.dtype == np.float32
        assert 0.4 < float(model.g[0]) / (size if moderate else 1.0) < 2.5


def test_zero_sizes_have_the_scale_one() -> None:
    model = model_of(Product(np.zeros((2, 2))), np.zeros(2))
    assert model.hessian_scale == model.gradient_scale == 1.0


def test_power_of_two_scale_stays_normal() -> None:
    for size in (5e-324, 1.7e308):
        scale = v.power_of_two_scale(size, np.float64)
        assert np.isfinite(1.0 / scale)
        assert 1.0 / scale >= 2.0**-1022


def test_every_namespace(xp_case: Xp) -> None:
    H, g = np.array([[1.0, 2.0], [2.0, -1.0]]), np.array([1.0, 3.0])
    A = xp_case.array(H)

    class Mine:
        shape = (2, 2)

        def matvec(self, x: object) -> object:
            return A @ x

    for operator in (A, Mine()):
        model = model_of(operator, xp_case.array(g))
        assert xp_case.owns(model.g)
        if model.first_product is not None:
            assert xp_case.owns(model.first_product)
            np.testing.assert_allclose(xp_case.numpy(model.first_product), H @ g, rtol=1e-5)


def test_same_probe_on_every_device(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """The checks fetch a few scalars, no vectors: not more for a longer g."""
    counts = []
    for n in (2, 20):
        A = strict_case.array(np.eye(n))
        operator = WrappedOperator(Product(A))
        host_fetches.reset()
        model_of(operator, strict_case.array(np.ones(n)))
        counts.append(host_fetches.count)
    assert counts[0] == counts[1]
    assert counts[0] <= 6
