"""The problem protocol: what goes in and out is checked, and FunctionProblem passes it on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import Operator
from tralgos.problems import DerivativeCheck, FunctionProblem, Problem, StochasticProblem


class Sphere(Problem):
    """x'x/2, with nothing but what is required."""

    def _value(self, x):
        return 0.5 * sum(float(t) ** 2 for t in x)

    def _gradient(self, x):
        return 1.0 * x


class Coins(StochasticProblem):
    """As `Sphere`, a mean of `size` equal terms; remembers what was asked of it."""

    def __init__(self, size):
        self.size = size
        super().__init__(2, name="coins")

    def _value(self, x):
        return 0.0

    def _gradient(self, x):
        return 0.0 * x

    def _sample(self, size, rng):
        return FunctionProblem(lambda x: size + rng.random(), lambda x: 0.0 * x)


def function_problem(**changes):
    parts = {"fun": lambda x: 1.0, "grad": lambda x: 2.0 * x, **changes}
    return FunctionProblem(parts.pop("fun"), parts.pop("grad"), **parts)


X = np.array([1.0, 2.0])


def test_a_problem_without_value_or_gradient_cannot_be_made() -> None:
    class Half(Problem):
        def _value(self, x):
            return 0.0

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_attributes_are_kept() -> None:
    p = Sphere(2, name="sphere", start=X, minimisers=[0.0 * X], optimal_value=0.0)
    assert (p.n, p.name, p.optimal_value) == (2, "sphere", 0.0)
    assert p.start is X
    assert isinstance(p.minimisers, tuple)
    assert not p.has_hessian
    assert not p.has_gauss_newton
    assert repr(p) == "<Sphere sphere, n = 2>"
    assert repr(Sphere()) == "<Sphere problem>"


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
def test_n_has_to_be_a_positive_integer(n: object) -> None:
    with pytest.raises(ArgumentError, match="n must be"):
        Sphere(n)


def test_value_and_gradient_stay_where_the_point_is(xp_case: Xp) -> None:
    p = FunctionProblem(lambda x: x[0] * x[1], lambda x: x + 0.0, n=2)
    x = xp_case.array([3.0, 0.5])
    value, gradient = p.value_and_gradient(x)
    assert type(value) is float
    assert value == p.value(x) == 1.5
    assert xp_case.owns(gradient)
    assert np.array_equal(xp_case.numpy(p.gradient(x)), [3.0, 0.5])


def test_a_value_is_one_transfer_and_a_gradient_none(
    strict_case: Xp, host_fetches: FetchCounter
) -> None:
    p = FunctionProblem(lambda x: x[0] * x[1], lambda x: x + 0.0)
    x = strict_case.array([3.0, 0.5])
    host_fetches.reset()
    p.gradient(x)
    assert host_fetches.count == 0
    p.value_and_gradient(x)
    # On the second device the copy is counted, on the first the look at it.
    assert host_fetches.count == 1


def test_integers_become_float64() -> None:
    g = function_problem().gradient(np.array([1, 2]))
    assert g.dtype == np.float64


@pytest.mark.parametrize("method", ["value", "gradient", "value_and_gradient"])
@pytest.mark.parametrize(
    "x", [[1.0, 2.0], 1.0, np.eye(2), np.array([1j, 0.0]), np.array([1.0], dtype=np.float16)]
)
def test_a_point_has_to_be_a_real_vector(method: str, x: object) -> None:
    with pytest.raises(ArrayTypeError, match="x must be"):
        getattr(function_problem(n=2), method)(x)


@pytest.mark.parametrize(
    "method", ["value", "gradient", "value_and_gradient", "hessian", "gauss_newton"]
)
def test_a_point_of_another_length_is_refused(method: str) -> None:
    p = function_problem(n=3, hess=lambda x: np.eye(3), gauss_newton=lambda x: np.eye(3), name="p")
    with pytest.raises(ShapeError, match="p has 3 variables, x has 2"):
        getattr(p, method)(X)


@pytest.mark.parametrize("value", [1.0, np.float64(1.0), np.float32(1.0), 1, np.array(1.0)])
def test_numbers_of_every_kind_are_values(value: object) -> None:
    result = function_problem(fun=lambda x: value).value(X)
    assert type(result) is float
    assert result == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_passed_on(value: float) -> None:
    result = function_problem(fun=lambda x: value).value(X)
    assert math.isnan(result) if math.isnan(value) else result == value


@pytest.mark.parametrize("value", [1j, np.complex128(1.0), "1.0", None, [1.0]])
def test_a_value_has_to_be_a_real_number(value: object) -> None:
    with pytest.raises(ArrayTypeError, match="the value of p must be a real number"):
        function_problem(fun=lambda x: value, name="p").value(X)


@pytest.mark.parametrize("value", [np.ones(1), np.ones((1, 1)), X])
def test_a_value_is_no_array(value: object) -> None:
    with pytest.raises(ShapeError, match="the value of p must be a number"):
        function_problem(fun=lambda x: value, name="p").value(X)


@pytest.mark.parametrize(
    ("gradient", "error", "words"),
    [
        (None, ArrayTypeError, "the gradient of p must be an array"),
        ([1.0, 2.0], ArrayTypeError, "the gradient of p must be an array"),
        (1j * X, ArrayTypeError, "the gradient of p must be real"),
        (np.eye(2), ArrayTypeError, "the gradient of p must be a vector"),
        (np.ones(3), ShapeError, r"the gradient of p has shape \(3,\), x has \(2,\)"),
        (X.astype(np.float32), ArrayTypeError, "the gradient of p has dtype float32"),
    ],
)
@pytest.mark.parametrize("method", ["gradient", "value_and_gradient"])
def test_a_gradient_has_to_fit_the_point(gradient, error, words: str, method: str) -> None:
    p = function_problem(grad=lambda x: gradient, name="p")
    with pytest.raises(error, match=words):
        getattr(p, method)(X)


def test_a_gradient_of_another_library_is_refused(strict_case: Xp) -> None:
    p = function_problem(grad=lambda x: X, name="p")
    with pytest.raises(ArrayTypeError, match="the gradient of p is an array of"):
        p.gradient(strict_case.array(X))


@pytest.mark.parametrize(
    ("method", "words"), [("hessian", "no Hessian"), ("gauss_newton", "no Gauss-Newton")]
)
def test_a_curvature_that_is_not_there_is_refused_by_name(method: str, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        getattr(Sphere(), method)(X)


@pytest.mark.parametrize("method", ["hessian", "gauss_newton"])
def test_a_curvature_has_to_fit_the_point(method: str) -> None:
    for matrix, error in [(np.eye(3), ShapeError), (np.ones((2, 3)), ShapeError), (1.0, None)]:
        p = function_problem(hess=lambda x, m=matrix: m, gauss_newton=lambda x, m=matrix: m)
        with pytest.raises(error or ArrayTypeError):
            getattr(p, method)(X)


@pytest.mark.parametrize("method", ["hessian", "gauss_newton"])
def test_a_curvature_of_another_dtype_is_refused(method: str) -> None:
    single = np.eye(2, dtype=np.float32)
    p = function_problem(hess=lambda x: single, gauss_newton=lambda x: single)
    with pytest.raises(ArrayTypeError, match="float32"):
        getattr(p, method)(X)


def test_curvatures_are_operators(xp_case: Xp) -> None:
    A = xp_case.array([[2.0, 1.0], [1.0, 3.0]])
    p = function_problem(hess=lambda x: A, gauss_newton=lambda x: 2.0 * A)
    x = xp_case.array(X)
    H, G = p.hessian(x), p.gauss_newton(x)
    assert isinstance(H, Operator)
    assert np.allclose(xp_case.numpy(H @ x), [4.0, 7.0])
    assert np.allclose(xp_case.numpy(G @ x), [8.0, 14.0])


def test_hessian_vector_products_are_made_at_the_point_asked(xp_case: Xp) -> None:
    p = function_problem(hessp=lambda x, v: x * v)
    assert p.has_hessian
    x, y = xp_case.array(X), xp_case.array([5.0, 7.0])
    H, other = p.hessian(x), p.hessian(y)
    assert np.array_equal(xp_case.numpy(H @ y), [5.0, 14.0])
    assert np.array_equal(xp_case.numpy(other @ y), [25.0, 49.0])
    assert xp_case.owns(H @ y)


def test_a_product_of_the_wrong_length_is_refused() -> None:
    p = function_problem(hessp=lambda x, v: np.ones(3), name="p")
    with pytest.raises(ShapeError, match="hessp of p"):
        p.hessian(X).matvec(X)


@pytest.mark.parametrize("argument", ["fun", "grad", "hess", "hessp", "gauss_newton", "linearize"])
def test_what_is_not_callable_is_refused_by_name(argument: str) -> None:
    with pytest.raises(ArrayTypeError, match=f"{argument} must be callable, got ndarray"):
        function_problem(**{argument: X})


@pytest.mark.parametrize("argument", ["fun", "grad"])
def test_function_and_gradient_are_needed(argument: str) -> None:
    with pytest.raises(ArrayTypeError, match=f"{argument} must be callable, got NoneType"):
        function_problem(**{argument: None})


def test_hess_and_hessp_together_are_refused() -> None:
    with pytest.raises(ArgumentError, match="hess or hessp, not both"):
        function_problem(hess=lambda x: np.eye(2), hessp=lambda x, v: v)


def linearized(J=None, gradient=None, curvature=None, **changes):
    """||Mx||^2 as a loss of the outputs Mx; parts may be replaced."""
    M = np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])

    def parts(x):
        z = M @ x
        g = 2.0 * z if gradient is None else gradient
        return z @ z, M if J is None else J, g, (lambda u: 2.0 * u) if curvature is None else 1.0

    return function_problem(linearize=parts, name="p", **changes), M


def test_a_linearization_is_passed_on_and_gives_the_gauss_newton_matrix() -> None:
    p, M = linearized()
    assert p.has_linearization
    assert p.has_gauss_newton
    local = p.linearize(X)
    assert type(local.value) is float
    assert local.value == pytest.approx(np.sum((M @ X) ** 2))
    np.testing.assert_allclose(local.gradient(), 2.0 * M.T @ M @ X)
    np.testing.assert_allclose(p.gauss_newton(X) @ X, 2.0 * M.T @ M @ X)
    q, _ = linearized(gauss_newton=lambda x: 5.0 * np.eye(2))
    np.testing.assert_array_equal(q.gauss_newton(X) @ X, 5.0 * X)
    assert not function_problem().has_linearization


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (
            {"J": np.ones((3, 3))},
            ShapeError,
            r"the Jacobian of p has shape \(3, 3\), x has length 2",
        ),
        ({"J": np.ones((4, 2))}, ShapeError, "gradient of length 3, the Jacobian of p has 4 rows"),
        ({"J": 1.0}, ArrayTypeError, "the Jacobian of p must be"),
        ({"J": np.ones((3, 2), np.float32)}, ArrayTypeError, "float32"),
        (
            {"gradient": [1.0, 2.0, 3.0]},
            ArrayTypeError,
            "the loss's gradient of p must be an array",
        ),
        (
            {"gradient": np.ones(3, np.float32)},
            ArrayTypeError,
            "the loss's gradient of p has dtype",
        ),
        ({"curvature": 1.0}, ArrayTypeError, "loss_curvature must be callable, got float"),
    ],
)
def test_the_parts_of_a_linearization_have_to_fit(changes, error, words: str) -> None:
    p, _ = linearized(**changes)
    with pytest.raises(error, match=words):
        p.linearize(X)


def test_a_jacobian_without_a_transpose_is_refused() -> None:
    class OneWay(Operator):
        def _matvec(self, x):
            return x

    p, _ = linearized(J=OneWay((2, 2), name="one way"), gradient=X)
    with pytest.raises(ArrayTypeError, match="the Jacobian of p must know its transpose"):
        p.linearize(X)


@pytest.mark.parametrize("parts", [None, 1.0, (1.0, np.eye(2), X), [1.0, np.eye(2), X, abs]])
def test_a_linearization_has_four_parts(parts: object) -> None:
    p = function_problem(linearize=lambda x: parts, name="p")
    with pytest.raises(ArrayTypeError, match="linearize of p must return a tuple"):
        p.linearize(X)


def test_derivatives_are_checked_at_the_point() -> None:
    assert isinstance(Sphere(2).check_derivatives(X), DerivativeCheck)
    with pytest.raises(ShapeError, match="2 variables"):
        Sphere(2).check_derivatives(np.ones(3))
    with pytest.raises(NonFiniteError, match="x has entries"):
        Sphere(2).check_derivatives(np.array([1.0, math.nan]))
    with pytest.raises(ArgumentError, match="rng"):
        Sphere(2).check_derivatives(X, rng="seed")


@pytest.mark.parametrize("size", [0, -3, 1.0, "1", True])
def test_the_size_of_a_sample_is_a_positive_integer(size: object) -> None:
    with pytest.raises(ArgumentError, match="size must be"):
        Coins(None).sample(size, np.random.default_rng(0))


def test_a_sample_is_no_larger_than_the_sum() -> None:
    rng = np.random.default_rng(0)
    assert 5.0 <= Coins(5).sample(5, rng).value(X) < 6.0
    with pytest.raises(ArgumentError, match="size=6 is more than the 5 terms of coins"):
        Coins(5).sample(6, rng)
    assert Coins(None).sample(10**6, rng).value(X) >= 10**6
