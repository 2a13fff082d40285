"""The driver: endings, budgets, callbacks, traces, interruption."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tralgos
from tests.methods.support import Hidden, dense_quadratic, rosenbrock, saddle
from tralgos import Ending, TrustRegion, minimize
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    AsymmetryError,
    NonFiniteError,
    ShapeError,
)
from tralgos.problems import FunctionProblem, Rosenbrock


def test_result_has_what_it_promises() -> None:
    run = minimize(rosenbrock(), gtol=1e-8)
    assert run.success
    assert run.ending is Ending.SECOND_ORDER
    assert run.status == int(run.ending)
    assert run.message == run.ending.message
    assert run.x == pytest.approx([1.0, 1.0], abs=1e-8)
    assert run.gradient_norm == pytest.approx(np.linalg.norm(run.jac))
    assert run.fun == rosenbrock().value(run.x)
    assert run.leftmost == pytest.approx(np.linalg.eigvalsh(rosenbrock().hessian(run.x).array)[0])
    assert run.leftmost_evidence.evidence == "exact"
    assert run.leftmost_evidence.failure_probability == 0.0


def test_every_ending_has_a_sentence() -> None:
    messages = [ending.message for ending in Ending]
    assert len(set(messages)) == len(Ending)
    assert [e for e in Ending if e.success] == [Ending.SECOND_ORDER, Ending.FIRST_ORDER]


def test_counts_are_those_of_the_functions() -> None:
    """Counted from outside: values, gradients, products and Hessians."""
    counts = {"f": 0, "g": 0}
    inner = rosenbrock()

    def fun(x: np.ndarray) -> float:
        counts["f"] += 1
        return inner.value(x)

    def grad(x: np.ndarray) -> np.ndarray:
        counts["g"] += 1
        return inner.gradient(x)

    hidden = Hidden(FunctionProblem(fun, grad, hess=inner.hessian, n=2, start=inner.start))
    run = minimize(hidden, gtol=1e-8)
    assert (run.nfev, run.njev) == (counts["f"], counts["g"])
    assert run.nhvp == len(hidden.products)
    assert run.nhev == len(hidden.points)
    assert run.trace[-1].nhvp == run.nhvp - run.nhvp_evidence
    assert run.nhvp_evidence == 2
    assert run.backpropagations == run.njev + 2.0 * run.nhvp


def test_trace_adds_up() -> None:
    run = minimize(Hidden(rosenbrock()), gtol=1e-8)
    rows = run.trace
    assert rows[0].iteration == 0
    assert rows[0].value == rosenbrock().value(rosenbrock().start)
    assert sum(row.matvecs for row in rows) == run.nhvp - run.nhvp_evidence
    assert max(row.iteration for row in rows) == run.nit
    accepted = [row for row in rows if row.accepted]
    assert len(accepted) == run.nit + 1
    assert rows.column("value").shape == (len(rows),)
    assert np.isnan(rows.column("sigma")[1:]).all()
    with pytest.raises(AttributeError, match="no column 'speed'"):
        rows.column("speed")


def test_same_seed_same_trace() -> None:
    """Bit for bit, the random look for negative curvature included."""
    first, second = (minimize(Hidden(Rosenbrock(30)), gtol=1e-8, rng=3) for _ in range(2))
    assert first.trace == second.trace
    assert np.array_equal(first.x, second.x)
    assert first.leftmost == second.leftmost


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 20])
def test_product_budget_is_kept(limit: int) -> None:
    hidden = Hidden(Rosenbrock(30))
    run = minimize(hidden, max_matvec=limit, gtol=1e-12)
    assert len(hidden.products) <= limit
    assert run.nhvp == len(hidden.products)
    assert run.ending is Ending.MAX_MATVEC
    assert not run.success
    assert run.fun <= hidden.value(hidden.start)


def test_iteration_limit() -> None:
    run = minimize(rosenbrock(), maxiter=3)
    assert run.ending is Ending.MAX_ITERATIONS
    assert run.nit == 3


def test_time_limit_is_kept_inside_a_step() -> None:
    """A product that sleeps: the run ends within about one of them, not after the step."""
    H = np.diag(np.linspace(1.0, 1e4, 200))

    def slow(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        time.sleep(0.02)
        return H @ v

    problem = FunctionProblem(
        lambda x: 0.5 * x @ H @ x + x.sum(), lambda x: H @ x + 1.0, hessp=slow, n=200
    )
    start = time.monotonic()
    run = minimize(problem, np.ones(200), time_limit=0.2, gtol=1e-10)
    assert run.ending is Ending.TIME_LIMIT
    assert time.monotonic() - start < 1.0


def test_callback_sees_each_step_and_may_stop() -> None:
    seen = []

    def callback(result: object) -> None:
        seen.append(result)
        if len(seen) == 3:
            raise StopIteration

    run = minimize(rosenbrock(), callback=callback)
    assert run.ending is Ending.CALLBACK
    assert [r.nit for r in seen] == [1, 2, 3]
    assert run.nit == 3
    assert seen[-1].fun == run.fun
    assert seen[-1].record == run.trace[-1]


@pytest.mark.parametrize("error", [RuntimeError("mine"), NonFiniteError("mine")])
def test_callback_error_passes_unchanged(error: Exception) -> None:
    """Also one of the kind that ends a run when a method raises it."""

    def callback(result: object) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        minimize(rosenbrock(), callback=callback)
    assert caught.value is error


def test_callback_may_stop_where_a_saddle_is_left() -> None:
    def callback(result: object) -> None:
        raise StopIteration

    run = minimize(Hidden(saddle()), np.zeros(2), callback=callback)
    assert run.ending is Ending.CALLBACK


@pytest.mark.parametrize("after", [1, 2, 5, 12])
def test_interrupt_returns_the_best_point(after: int) -> None:
    """Ctrl-C inside a value: the last complete state comes back, and says so."""
    inner, calls = rosenbrock(), []

    def fun(x: np.ndarray) -> float:
        calls.append(inner.value(x))
        if len(calls) > after:
            raise KeyboardInterrupt
        return calls[-1]

    run = minimize(FunctionProblem(fun, inner.gradient, hess=inner.hessian, n=2, start=inner.start))
    assert run.ending is Ending.INTERRUPTED
    assert not run.success
    assert run.fun <= inner.value(inner.start)
    assert inner.value(run.x) == run.fun


def test_interrupt_before_anything_is_known_is_raised() -> None:
    def fun(x: np.ndarray) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimize(FunctionProblem(fun, lambda x: x), np.ones(2), tralgos.GradientDescent())


def test_cut_short_returns_the_lowest_point() -> None:
    """Heavy ball overshoots: the end of the run is not its best point."""
    H, g = np.diag([1.0, 50.0]), np.array([1.0, 1.0])
    method = tralgos.HeavyBall(rate=0.03, momentum=0.95)
    run = minimize(dense_quadratic(H, g), np.array([3.0, 2.0]), method, maxiter=8)
    values = run.trace.column("value")
    assert values[-1] > values.min()
    assert run.fun == values.min()


def test_saddle_is_left() -> None:
    """The gradient stays in the x direction: no method of first-order models sees y."""
    run = minimize(Hidden(saddle()), np.array([1.0, 0.0]), gtol=1e-9)
    assert run.ending is Ending.SECOND_ORDER
    assert run.fun == pytest.approx(-0.25)
    assert "along negative curvature" in list(run.trace.column("subproblem"))


@pytest.mark.parametrize("hide", [False, True])
def test_start_at_a_saddle(hide: bool) -> None:
    problem = Hidden(saddle()) if hide else saddle()
    run = minimize(problem, np.zeros(2), TrustRegion(second_order=True))
    assert run.ending is Ending.SECOND_ORDER
    assert run.fun == pytest.approx(-0.25)


def test_first_order_point_is_no_minimum_without_evidence() -> None:
    """second_order=True with a budget that does not suffice is not a success; False says so."""
    problem = Hidden(Rosenbrock(200))
    x = np.ones(200)
    run = minimize(problem, x, TrustRegion(second_order=True), max_matvec=5)
    assert run.ending is Ending.UNEXAMINED
    assert not run.success
    run = minimize(problem, x, TrustRegion(second_order=False))
    assert run.ending is Ending.FIRST_ORDER
    assert run.leftmost is None
    assert run.nhvp == 0


def test_maximum_along_a_flat_function_is_a_saddle() -> None:
    """f falls nowhere along the direction that the (wrong) Hessian names: not a minimum."""
    problem = FunctionProblem(
        lambda x: 0.0, lambda x: 0.0 * x, hess=lambda x: np.diag([1.0, -1.0]), n=2
    )
    run = minimize(problem, np.ones(2))
    assert run.ending is Ending.SADDLE
    assert not run.success


def test_unbounded_below() -> None:
    problem = FunctionProblem(
        lambda x: -float(x @ x), lambda x: -2.0 * x, hess=lambda x: -2.0 * np.eye(2), n=2
    )
    run = minimize(problem, np.ones(2))
    assert run.ending in (Ending.UNBOUNDED, Ending.NON_FINITE)
    assert not run.success


def test_non_finite_hessian_is_an_error_at_the_start_and_an_ending_later() -> None:
    inner = rosenbrock()

    def hessp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        H = np.asarray(inner.hessian(x).array)
        return v * np.nan if inner.value(x) < limit else H @ v

    problem = FunctionProblem(inner.value, inner.gradient, hessp=hessp, n=2, start=inner.start)
    limit = np.inf
    with pytest.raises(NonFiniteError, match="after product"):
        minimize(problem)
    limit = 4.0
    run = minimize(problem)
    assert run.ending is Ending.NON_FINITE
    assert not run.success
    assert run.fun < 4.0


def test_norm_that_degenerates_ends_the_run() -> None:
    """A full matrix in float32 whose epsilon drowns in later, larger gradients."""
    problem = FunctionProblem(
        lambda x: -1e4 * float(x @ x),
        lambda x: -2e4 * x,
        hess=lambda x: -2e4 * np.eye(2, dtype=x.dtype),
    )
    norm = tralgos.norms.AdagradNorm(epsilon=1e-3, kind="full")
    x = np.array([1e-7, 2e-7], dtype=np.float32)
    method = TrustRegion(norm=norm, norm_power=0.5, second_order=False)
    run = minimize(problem, x, method, gtol=1e-12)
    assert run.ending is Ending.NORM_LOST
    assert run.nit > 0


def test_x0_is_not_written_to() -> None:
    x = np.array([-1.2, 1.0])
    minimize(rosenbrock(), x)
    assert x.tolist() == [-1.2, 1.0]


# ---------------------------------------------------------------------- bad input


def test_bad_arguments_are_named() -> None:
    good = rosenbrock()
    cases = [
        (lambda: minimize(lambda x: 0.0, np.ones(2)), ArrayTypeError, "problem must be"),
        (lambda: minimize(good, np.ones(2), "newton"), ArrayTypeError, "method must be"),
        (lambda: minimize(good, [1.0, 2.0]), ArrayTypeError, "x0 must be an array"),
        (lambda: minimize(good, np.ones((2, 2))), ArrayTypeError, "x0 must be a vector"),
        (lambda: minimize(good, np.ones(3)), ShapeError, "2 variables, x has 3"),
        (lambda: minimize(good, np.array([])), ShapeError, "x0 is empty"),
        (lambda: minimize(good, np.array([1.0, np.nan])), NonFiniteError, "x0 has 1 entries"),
        (lambda: minimize(saddle()), ArgumentError, "x0 is needed"),
        (lambda: minimize(good, gtol=-1.0), ArgumentError, "gtol"),
        (lambda: minimize(good, gtol="tight"), ArgumentError, "gtol"),
        (lambda: minimize(good, maxiter=0), ArgumentError, "maxiter"),
        (lambda: minimize(good, maxiter=2.5), ArgumentError, "maxiter"),
        (lambda: minimize(good, max_matvec=0), ArgumentError, "max_matvec"),
        (lambda: minimize(good, time_limit=0.0), ArgumentError, "time_limit"),
        (lambda: minimize(good, callback=3), ArgumentError, "callback"),
        (lambda: minimize(good, rng=-1), ArgumentError, "rng"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_bad_functions_are_named_at_first_use() -> None:
    x = np.ones(2)

    def problem(fun: object = None, grad: object = None, **rest: object) -> FunctionProblem:
        return FunctionProblem(fun or (lambda x: 0.0), grad or (lambda x: x), **rest)

    hess = {"hess": lambda x: np.eye(2)}
    cases = [
        (problem(lambda x: x, **hess), ShapeError, "value of problem must be a number"),
        (problem(grad=lambda x: x[:1], **hess), ShapeError, "gradient of problem has shape"),
        (problem(grad=lambda x: [1.0, 2.0], **hess), ArrayTypeError, "gradient of problem"),
        (problem(lambda x: np.nan, **hess), NonFiniteError, "value of problem at x0 is nan"),
        (problem(grad=lambda x: x * np.inf, **hess), NonFiniteError, "gradient norm of problem"),
        (problem(hess=lambda x: np.eye(3)), ShapeError, "Hessian of problem"),
        (problem(), ArgumentError, "hessian='exact' is not there"),
    ]
    for bad, error, message in cases:
        with pytest.raises(error, match=message):
            minimize(bad, x)


def test_gradient_of_another_library_is_named() -> None:
    strict = pytest.importorskip("array_api_strict")
    problem = FunctionProblem(
        lambda x: 0.0, lambda x: strict.asarray([1.0, 2.0]), hess=lambda x: np.eye(2)
    )
    with pytest.raises(ArrayTypeError, match="gradient of problem is an array of"):
        minimize(problem, np.ones(2))


@pytest.mark.parametrize("dense", [True, False])
def test_asymmetric_hessian_is_named(dense: bool) -> None:
    """By its entries where they are there, else by two products that are made anyway."""
    H = np.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]])
    parts = {"hess": lambda x: H} if dense else {"hessp": lambda x, v: H @ v}
    problem = FunctionProblem(
        lambda x: float(x @ x), lambda x: np.array([1.0, 2.0, 3.0]) + 0.0 * x, n=3, **parts
    )
    with pytest.raises(AsymmetryError):
        minimize(problem, np.ones(3))
