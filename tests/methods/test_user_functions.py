"""What functions of a user may do without a run going wrong silently."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod

import tralgos
from tests.namespaces import Xp
from tralgos import Ending, minimize
from tralgos.arrays import owned
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.problems import FunctionProblem, LogisticRegression, Rosenbrock

START = np.array([-1.0, -1.0])

METHODS = [
    tralgos.TrustRegion(),
    tralgos.CurveBall(),
    tralgos.HessianFree(),
    tralgos.LevenbergMarquardt(solver="operator"),
    tralgos.Newton(solver="operator"),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_buffers_that_are_written_into_again(method: Any) -> None:
    """The same run as with new arrays, step by step."""
    product, slope = np.zeros(2), np.zeros(2)

    def hessp(x: np.ndarray, p: np.ndarray) -> np.ndarray:
        product[:] = rosen_hess_prod(x, p)
        return product

    def grad(x: np.ndarray) -> np.ndarray:
        slope[:] = rosen_der(x)
        return slope[:]

    plain = minimize(FunctionProblem(rosen, rosen_der, hessp=rosen_hess_prod), START, method)
    run = minimize(FunctionProblem(rosen, grad, hessp=hessp), START, method)
    assert run.trace == plain.trace
    assert run.success


def test_a_buffer_of_the_loss() -> None:
    """The products with the loss's Hessian, and its gradient."""
    inner, loss, held = Rosenbrock(2), np.zeros(2), np.zeros(2)

    def linearize(x: np.ndarray) -> Any:
        local = inner.linearize(x)
        held[:] = local.loss_gradient

        def curvature(u: np.ndarray) -> np.ndarray:
            loss[:] = local.loss_curvature(u)
            return loss

        return local.value, local.jacobian, held, curvature

    problem = FunctionProblem(inner.value, inner.gradient, linearize=linearize)
    plain = minimize(inner, START, tralgos.CurveBall(second_order=False))
    run = minimize(problem, START, tralgos.CurveBall(second_order=False))
    assert run.trace == plain.trace


def test_an_array_that_nobody_else_holds_is_not_copied(xp_case: Xp) -> None:
    made: list[int] = []

    def fresh() -> Any:
        x = xp_case.array([1.0, 2.0])
        made.append(id(x))
        return x

    held = fresh()
    # Not inside of the assertion, which would hold it.
    taken = owned(fresh())
    assert id(taken) == made[-1]
    assert owned(held) is not held
    assert owned("text") == "text"


def test_a_model_of_another_function_is_no_evidence_of_a_minimum() -> None:
    """The model leaves out a variable: its gradient vanishes where that of f does not."""
    problem = FunctionProblem(
        lambda x: 0.5 * float(x @ x),
        lambda x: x,
        linearize=lambda x: (0.5 * x @ x, np.array([[1.0, 0.0], [0.0, 0.0]]), x, lambda u: u),
    )
    run = minimize(problem, np.array([1.0, 5.0]), tralgos.CurveBall())
    assert not run.success
    np.testing.assert_array_equal(run.jac, run.x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_run_that_has_gone_up_for_ever_is_not_at_the_rounding_of_f() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.random(40) > 0.5
    problem, x0 = LogisticRegression(X, y), rng.standard_normal(3)
    run = minimize(problem, x0, tralgos.Newton(search="none"))
    assert run.ending is Ending.NO_DECREASE
    assert run.fun <= problem.value(x0)


def test_values_that_become_no_numbers_are_not_rounding() -> None:
    calls = []

    def fun(x: np.ndarray) -> float:
        calls.append(x)
        return float(rosen(x)) if len(calls) < 5 else np.nan

    problem = FunctionProblem(fun, rosen_der, hess=rosen_hess)
    run = minimize(problem, START, tralgos.CurveBall(lam_rule="printed"))
    assert run.ending is Ending.NO_DECREASE
    assert run.fun == min(rosen(x) for x in calls[:4])


def test_a_gradient_that_is_no_number_ends_lissa_by_name() -> None:
    for wrong in (np.nan, np.inf):
        problem = FunctionProblem(
            lambda x: float((x[0] - 2.0) ** 2),
            lambda x, wrong=wrong: 2.0 * (x - 2.0) if x[0] < 1.0 else wrong + x,
            hess=lambda x: 2.0 * np.eye(1),
        )
        assert minimize(problem, np.zeros(1), tralgos.LiSSA()).ending is Ending.NON_FINITE


@pytest.mark.parametrize("name", ["maxiter", "maxfev", "maxfun"])
def test_limits_of_scipy_are_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=name):
        tralgos.minimize_with_scipy(Rosenbrock(10), -np.ones(10), options={name: 3})


def test_a_callback_cannot_write_into_a_run_of_scipy() -> None:
    def spoil(seen: Any) -> None:
        seen.jac[:] = 0.0
        seen.x[:] = 0.0

    for method in ("BFGS", "trust-ncg"):
        run = tralgos.minimize_with_scipy(Rosenbrock(4), -np.ones(4), method, callback=spoil)
        assert run.success
        assert np.linalg.norm(Rosenbrock(4).gradient(run.x)) <= 1e-5


def test_masked_arrays_are_refused_by_name() -> None:
    with pytest.raises(ArrayTypeError, match="x0 must be an array without a mask"):
        minimize(Rosenbrock(2), np.ma.array([3.0, 4.0], mask=[False, True]))


def test_views_of_what_nobody_holds_are_not_copied() -> None:
    """SciPy's LinearOperator hands out views of its products."""
    held = np.arange(4.0)
    taken = owned((2.0 * held)[1:])
    assert taken.base is not None
    for view in (held[1:], held.reshape(2, 2)):
        copied = owned(view[:1])
        assert not np.shares_memory(copied, held)
