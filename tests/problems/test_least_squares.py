"""Least squares against closed forms, dense algebra and exact rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tests.namespaces import Xp
from tralgos.arrays import namespace
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator
from tralgos.problems import LeastSquares, NonlinearLeastSquares

RNG = np.random.default_rng(7)
A = RNG.standard_normal((7, 3))
Y = RNG.standard_normal(7)


def dense(H: Any, n: int) -> np.ndarray:
    return np.asarray(H @ np.eye(n))


# -------------------------------------------------------------------- linear


def test_value_and_gradient_in_exact_rationals() -> None:
    """The mean of half squares, not their sum, and half of l2: dyadic data leave no rounding."""
    rows, y, x, l2 = [[1, 2], [3, -1], [0, 4], [2, 2]], [1, 0, -2, 5], [3, -2], Fraction(1, 4)
    outputs = [sum(a * b for a, b in zip(r, x, strict=True)) for r in rows]
    residual = [z - t for z, t in zip(outputs, y, strict=True)]
    value = Fraction(sum(r * r for r in residual), 8) + l2 * sum(b * b for b in x) / 2
    gradient = [
        Fraction(sum(r[j] * q for r, q in zip(rows, residual, strict=True)), 4) + l2 * x[j]
        for j in range(2)
    ]
    problem = LeastSquares(np.array(rows, dtype=float), np.array(y, dtype=float), l2=0.25)
    point = np.array(x, dtype=float)
    assert problem.value(point) == value
    assert problem.gradient(point).tolist() == gradient


def test_the_gradient_vanishes_at_the_solution_of_the_normal_equations() -> None:
    problem = LeastSquares(A, Y)
    x = np.linalg.lstsq(A, Y, rcond=None)[0]
    np.testing.assert_allclose(problem.gradient(x), 0.0, atol=1e-14)
    assert problem.value(x) == pytest.approx(0.5 * np.mean((A @ x - Y) ** 2))


def test_the_hessian_is_the_gram_matrix_and_the_gauss_newton_matrix() -> None:
    problem = LeastSquares(A, Y, l2=0.2)
    x = np.ones(3)
    want = A.T @ A / 7 + 0.2 * np.eye(3)
    np.testing.assert_allclose(dense(problem.hessian(x), 3), want, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(dense(problem.gauss_newton(x), 3), want, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("power", [-150, 150])
def test_extreme_scales(power: int) -> None:
    """f has degree two in the targets: y and x by c, f and l2 ||x||^2 by c^2."""
    c = 10.0**power
    want, problem = LeastSquares(A, Y, l2=0.5), LeastSquares(A, c * Y, l2=0.5)
    x = np.array([1.0, -2.0, 3.0])
    assert problem.value(c * x) / c / c == pytest.approx(want.value(x), rel=1e-13)
    np.testing.assert_allclose(problem.gradient(c * x) / c, want.gradient(x), rtol=1e-12)
    H = LeastSquares(c * A, Y).hessian(x)
    np.testing.assert_allclose(H @ x / c / c, A.T @ (A @ x) / 7, rtol=1e-12)


def test_a_regulariser_of_moderate_size_is_found_where_the_squares_overflow() -> None:
    problem = LeastSquares(np.array([[0.0]]), np.array([0.0]), l2=1e-200)
    assert problem.value(np.array([1e170])) == pytest.approx(0.5e140)


def test_one_sample_of_one_feature() -> None:
    problem = LeastSquares(np.array([[2.0]]), np.array([3.0]))
    x = np.array([1.0])
    assert (problem.value(x), problem.gradient(x).item()) == (0.5, -2.0)
    assert (problem.hessian(x) @ x).item() == 4.0


def test_integers_take_the_dtype_of_the_matrix() -> None:
    problem = LeastSquares(A.astype(np.float32), np.arange(7))
    assert problem.gradient(np.zeros(3, dtype=np.float32)).dtype == np.float32
    assert LeastSquares(np.eye(2, dtype=int), np.arange(2)).value(np.zeros(2)) == 0.25


@pytest.mark.parametrize(
    ("A", "y", "error", "message"),
    [
        (A, Y[:-1], ShapeError, "y has length 6 but A has 7 rows"),
        (A, Y.astype(np.float32), ArrayTypeError, "y has dtype float32 but A has float64"),
        (A, list(Y), ArrayTypeError, "y must be an array"),
        (A, Y[:, None], ArrayTypeError, "y must be a vector"),
        (A, np.where(Y > 0, np.inf, Y), NonFiniteError, "y has"),
        (A.tolist(), Y, ArrayTypeError, "A must be a matrix or an operator"),
        (A + 0j, Y, ArrayTypeError, "A must be real"),
    ],
)
def test_bad_linear_input(A: Any, y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LeastSquares(A, y)


# -------------------------------------------------------------------- nonlinear

# Rosenbrock's function as residuals: r = (10 (x_2 - x_1^2), 1 - x_1), and a third one.
POINT = np.array([-1.2, 0.7])


def residual(x: Any) -> Any:
    return _stacked(x, [10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0], x[0] * x[1]])


def jvp(x: Any, v: Any) -> Any:
    return _stacked(x, [10.0 * (v[1] - 2.0 * x[0] * v[0]), -v[0], x[0] * v[1] + x[1] * v[0]])


def vjp(x: Any, w: Any) -> Any:
    return _stacked(x, [-20.0 * x[0] * w[0] - w[1] + x[1] * w[2], 10.0 * w[0] + x[0] * w[2]])


def jacobian(x: Any) -> Any:
    return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0], [x[1], x[0]]])


def second_order(x: Any, r: Any) -> Any:
    return np.array([[-20.0 * r[0], r[2]], [r[2], 0.0]])


def _stacked(x: Any, entries: list[Any]) -> Any:
    return namespace(x).stack(entries)


WAYS = {
    "array": {"jacobian": jacobian},
    "operator": {"jacobian": lambda x: CountingOperator(jacobian(x))},
    "products": {"jvp": jvp, "vjp": vjp},
}


@pytest.mark.parametrize("way", WAYS)
def test_derivatives_against_closed_forms(way: str) -> None:
    """f = 50 (x_2 - x_1^2)^2 + (1 - x_1)^2 / 2 + (x_1 x_2)^2 / 2, differentiated by hand."""
    problem = NonlinearLeastSquares(residual, **WAYS[way], second_order=second_order, n=2)
    a, b = POINT
    u = b - a * a
    value = 50 * u**2 + (1 - a) ** 2 / 2 + (a * b) ** 2 / 2
    gradient = [-200 * a * u - (1 - a) + a * b**2, 100 * u + a**2 * b]
    hessian = [
        [-200 * u + 400 * a**2 + 1 + b**2, -200 * a + 2 * a * b],
        [-200 * a + 2 * a * b, 100 + a**2],
    ]
    assert problem.value(POINT) == pytest.approx(value, rel=1e-14)
    together = problem.value_and_gradient(POINT)
    assert together[0] == problem.value(POINT)
    np.testing.assert_allclose(problem.gradient(POINT), gradient, rtol=1e-13)
    np.testing.assert_allclose(together[1], gradient, rtol=1e-13)
    np.testing.assert_allclose(dense(problem.hessian(POINT), 2), hessian, rtol=1e-13)
    J = jacobian(POINT)
    np.testing.assert_allclose(dense(problem.gauss_newton(POINT), 2), J.T @ J, rtol=1e-13)
    np.testing.assert_allclose(dense(problem.jacobian(POINT), 2), J, rtol=1e-14)
    np.testing.assert_allclose(problem.residual(POINT), residual(POINT))


def test_one_product_each_way_for_a_gauss_newton_product() -> None:
    J = CountingOperator(jacobian(POINT))
    calls = {"jvp": 0, "vjp": 0, "residual": 0}

    def counted(name: str, function: Any) -> Any:
        def call(*args: Any) -> Any:
            calls[name] += 1
            return function(*args)

        return call

    G = NonlinearLeastSquares(residual, lambda x: J).gauss_newton(POINT)
    assert J.count == 0
    _ = G @ POINT
    assert J.count == 2
    problem = NonlinearLeastSquares(
        counted("residual", residual), jvp=counted("jvp", jvp), vjp=counted("vjp", vjp)
    )
    problem.gradient(POINT)
    assert calls == {"jvp": 0, "vjp": 1, "residual": 1}
    _ = problem.gauss_newton(POINT) @ POINT
    assert calls == {"jvp": 1, "vjp": 2, "residual": 2}


def test_a_wide_jacobian_leaves_the_gauss_newton_matrix_semidefinite() -> None:
    """Rank one in three variables: eigenvalues 0, 0 and ||row||^2."""
    row = np.array([[1.0, 2.0, 2.0]])
    problem = NonlinearLeastSquares(lambda x: row @ x - 1.0, lambda x: row)
    G = dense(problem.gauss_newton(np.ones(3)), 3)
    np.testing.assert_allclose(np.linalg.eigvalsh(G), [0.0, 0.0, 9.0], atol=1e-14)


def test_no_hessian_without_the_second_order_term() -> None:
    problem = NonlinearLeastSquares(residual, jacobian)
    assert not problem.has_hessian
    with pytest.raises(ArgumentError, match="no Hessian"):
        problem.hessian(POINT)


def test_products_in_every_library(xp_case: Xp) -> None:
    problem = NonlinearLeastSquares(residual, jvp=jvp, vjp=vjp, n=2)
    x = xp_case.array(POINT)
    J = jacobian(POINT)
    g, Gx = problem.gradient(x), problem.gauss_newton(x) @ x
    assert xp_case.owns(g)
    assert xp_case.owns(Gx)
    np.testing.assert_allclose(xp_case.numpy(g), J.T @ residual(POINT), rtol=100 * xp_case.eps)
    np.testing.assert_allclose(xp_case.numpy(Gx), J.T @ J @ POINT, rtol=100 * xp_case.eps)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"jvp": jvp}, {"vjp": vjp}, {"jacobian": jacobian, "jvp": jvp, "vjp": vjp}],
    ids=["neither", "jvp", "vjp", "both"],
)
def test_the_jacobian_is_given_in_exactly_one_way(arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="either jacobian, or both jvp and vjp"):
        NonlinearLeastSquares(residual, **arguments)


@pytest.mark.parametrize("argument", ["residual", "jacobian", "jvp", "vjp", "second_order"])
def test_what_is_not_callable_is_named(argument: str) -> None:
    with pytest.raises(ArrayTypeError, match=f"{argument} must be callable"):
        NonlinearLeastSquares(**{"residual": residual, argument: 3})


@pytest.mark.parametrize(
    ("residual", "jacobian", "error", "message"),
    [
        (lambda x: [1.0, 2.0], jacobian, ArrayTypeError, "residual of .* must be an array"),
        (lambda x: residual(x)[:, None], jacobian, ArrayTypeError, "must be a vector"),
        (lambda x: residual(x).astype(np.float32), jacobian, ArrayTypeError, "float32"),
        (residual, lambda x: jacobian(x).T, ShapeError, r"Jacobian .* must have shape \(3, 2\)"),
        (residual, lambda x: jacobian(x).astype(np.float32), ArrayTypeError, "float32"),
        (residual, lambda x: _Forward(), ArrayTypeError, "must know its transpose"),
    ],
)
def test_what_the_functions_return_is_checked(
    residual: Any, jacobian: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        NonlinearLeastSquares(residual, jacobian).gradient(POINT)


class _Forward:
    shape = (3, 2)

    def matvec(self, v: Any) -> Any:
        return jacobian(POINT) @ v
