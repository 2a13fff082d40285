"""The driver: endings, budgets, callbacks, traces, interruption."""

from __future__ import annotations

import time
from typing import Any

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
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.protocol import MethodProtocol, State
from tralgos.problems import FunctionProblem, Rosenbrock


def test_result_has_what_it_promises() -> None:
    run = minimize(rosenbrock(), gtol=1e-8)
    assert run.success
    assert run.ending is Ending.SECOND_ORDER
    assert run.status == int(run.ending)
    assert run.message == run.ending.message
    assert run.x == pytest.approx([1.0, 1.0], abs=1e-7)
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


# ---------------------------------------------------------------------- the loop alone


class Scripted(MethodProtocol):
    """A method that walks through given states, whatever the problem is."""

    second_order: bool | None = None

    def __init__(self, *states: State, **options: Any) -> None:
        self._states = iter(states)
        self._restarts = iter(options.get("restarts", ()))
        self._products = options.get("products", 0)
        self._stochastic = options.get("stochastic", False)
        self.second_order = options.get("second_order", False)
        self.steps = 0
        self.restarted: list[np.ndarray] = []

    def init(self, problem: Evaluator, x0: Any, rng: np.random.Generator) -> State:
        return next(self._states)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        self.steps += 1
        if self._products:
            problem.curvature(state.x) @ state.x
        return next(self._states)

    def restart(
        self, problem: Evaluator, state: State, x: np.ndarray, rng: np.random.Generator
    ) -> State:
        self.restarted.append(x)
        return next(self._restarts)

    @property
    def stochastic(self) -> bool:
        return self._stochastic


def at(x: Any, value: float, gradient: Any, ending: Ending | None = None) -> State:
    x, gradient = np.asarray(x, dtype=float), np.asarray(gradient, dtype=float)
    return State(x, value, gradient, float(np.linalg.norm(gradient)), ending=ending)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the driver and its budgets."""
    made = Clock()
    monkeypatch.setattr("tralgos.methods.driver.time", made)
    monkeypatch.setattr("tralgos.methods.evaluator.time", made)
    return made


ORIGIN, BOTTOM = np.zeros(2), np.array([0.0, np.sqrt(0.5)])


def test_result_shares_no_memory_with_x0() -> None:
    """A run that ends where it starts gives an array of its own."""
    x = np.ones(2)
    run = minimize(rosenbrock(), x)
    assert run.nit == 0
    assert not np.shares_memory(run.x, x)


@pytest.mark.parametrize(("dtype", "reached"), [(np.float64, 1e-5), (np.float32, 5e-3)])
def test_default_tolerance_follows_the_dtype(dtype: type, reached: float) -> None:
    for factor, success in ((0.99, True), (1.01, False)):
        start = State(np.ones(2, dtype), 1.0, np.ones(2, dtype), factor * reached)
        method = Scripted(start, start)
        assert minimize(rosenbrock(), np.ones(2, dtype), method, maxiter=1).success == success


@pytest.mark.parametrize(("gtol", "gradient"), [(5.0, [3.0, 4.0]), (0.0, [0.0, 0.0])])
def test_a_gradient_of_the_size_of_the_tolerance_is_small(gtol: float, gradient: Any) -> None:
    run = minimize(rosenbrock(), None, Scripted(at(ORIGIN, 1.0, gradient)), gtol=gtol)
    assert (run.ending, run.nit) == (Ending.FIRST_ORDER, 0)


def test_best_of_equal_values_is_the_last() -> None:
    """Below the rounding of f it is the gradient that still falls."""
    states = [at([float(k), 0.0], v, [4.0 - k, 0.0]) for k, v in enumerate((3.0, 1.0, 1.0, 2.0))]
    run = minimize(rosenbrock(), None, Scripted(*states), maxiter=3)
    assert run.ending is Ending.MAX_ITERATIONS
    assert (run.x[0], run.fun, run.gradient_norm, run.jac[0]) == (2.0, 1.0, 2.0, 2.0)


def test_where_a_run_converged_is_its_result_though_f_was_lower() -> None:
    """Minimum, saddle and unexamined point alike, with what is known of the curvature there."""
    low, end = at([1.0, 0.0], -9.0, [1.0, 0.0]), at(ORIGIN, 0.0, ORIGIN)
    flat = FunctionProblem(
        lambda x: 0.0, lambda x: 0.0 * x, hess=lambda x: np.diag([1.0, -1.0]), n=2
    )
    run = minimize(flat, ORIGIN, Scripted(low, end))
    assert (run.ending, run.fun, run.leftmost) == (Ending.FIRST_ORDER, 0.0, None)
    run = minimize(flat, ORIGIN, Scripted(low, end, second_order=True))
    assert (run.ending, run.fun) == (Ending.SADDLE, 0.0)
    assert run.leftmost == pytest.approx(-1.0)
    large = Hidden(Rosenbrock(200))
    states = [at(np.full(200, v), v, np.full(200, g)) for v, g in ((1.0, 1.0), (2.0, 0.0))]
    run = minimize(large, None, Scripted(*states, second_order=True), max_matvec=1)
    assert (run.ending, run.fun) == (Ending.UNEXAMINED, 2.0)


def test_unbounded_is_fifty_orders_below_the_first_values() -> None:
    """Of the larger of the first two, in any unit."""
    for unit in (1e-150, 1.0, 1e150):
        values = [unit * v for v in (1e-3, -1.0, -1e7, -0.9e50, -1.1e50)]
        method = Scripted(*(at(ORIGIN, v, [1.0, 0.0]) for v in values))
        run = minimize(rosenbrock(), None, method)
        assert (run.ending, run.nit) == (Ending.UNBOUNDED, 4)


def test_every_product_of_the_budget_may_be_used() -> None:
    state = at([1.0, 2.0], 1.0, [1.0, 0.0])
    method = Scripted(*[state] * 5, products=1)
    run = minimize(rosenbrock(), None, method, max_matvec=3)
    assert (run.ending, run.nit, run.nhvp) == (Ending.MAX_MATVEC, 3, 3)


def test_slight_negative_curvature_is_a_minimum_to_tolerance() -> None:
    """-1e-4 ||H|| with no decrease along it: above the -1e-3 ||H|| that is asked for."""
    problem = FunctionProblem(
        lambda x: 0.0, lambda x: 0.0 * x, hess=lambda x: np.diag([1.0, -1e-4]), n=2
    )
    run = minimize(problem, ORIGIN)
    assert run.leftmost == pytest.approx(-1e-4)
    assert run.leftmost_evidence.direction is not None
    assert run.ending is Ending.SECOND_ORDER


def test_hessian_that_is_not_finite_where_the_run_converged() -> None:
    problem = FunctionProblem(
        lambda x: 0.5 * float(x @ x), lambda x: x, hessp=lambda x, v: np.nan * v, n=2
    )
    run = minimize(problem, ORIGIN)
    assert run.ending is Ending.NON_FINITE
    assert run.leftmost is None


def test_no_look_for_curvature_by_differences() -> None:
    """Unless it is asked for: products by differences of small gradients cost gradients."""
    inner = rosenbrock()
    problem = FunctionProblem(inner.value, inner.gradient, n=2, start=inner.start)
    run = minimize(problem, np.ones(2), TrustRegion(hessian="finite-difference"))
    assert (run.ending, run.nhvp, run.njev) == (Ending.FIRST_ORDER, 0, 1)
    assert run.leftmost is None


def test_a_saddle_is_not_left_by_a_run_that_is_over() -> None:
    """At the last iteration, or where the method can not go on."""
    start = at([1.0, 0.0], 1.0, [2.0, 0.0])
    method = Scripted(start, at(ORIGIN, 0.0, ORIGIN), second_order=None)
    run = minimize(saddle(), ORIGIN, method, maxiter=1)
    assert (run.ending, run.nit) == (Ending.SADDLE, 1)
    ended = at(ORIGIN, 0.0, ORIGIN, Ending.ROUNDING)
    method = Scripted(start, ended, second_order=None)
    run = minimize(saddle(), ORIGIN, method)
    assert (run.ending, run.nit) == (Ending.SADDLE, 1)
    assert method.restarted == []


def test_a_saddle_is_not_left_for_a_gradient_that_is_not_finite() -> None:
    method = Scripted(
        at(ORIGIN, 0.0, ORIGIN), restarts=[at(BOTTOM, -0.2, [np.nan, 0.0])], second_order=True
    )
    run = minimize(saddle(), ORIGIN, method)
    assert (run.ending, run.nit, len(method.restarted)) == (Ending.SADDLE, 0, 1)


def leaving(gradient: float, *after: State) -> Scripted:
    """From the saddle to a point with a gradient of that size, and on from there."""
    fresh = at([0.0, 0.5], -0.1875, [0.0, gradient])
    return Scripted(at(ORIGIN, 0.0, ORIGIN), *after, restarts=[fresh], second_order=True)


def test_a_gradient_that_says_nothing_tightens_the_tolerance() -> None:
    """To a tenth of it; what the caller asked for counts again where the method has ended."""
    near = 0.5e-5
    run = minimize(
        saddle(), ORIGIN, leaving(near, at(BOTTOM, -0.25, [0.11 * near, 0.0])), maxiter=2
    )
    assert run.ending is Ending.MAX_ITERATIONS
    run = minimize(saddle(), ORIGIN, leaving(near, at(BOTTOM, -0.25, [0.09 * near, 0.0])))
    assert (run.ending, run.nit) == (Ending.SECOND_ORDER, 2)
    ended = at(BOTTOM, -0.25, [0.11 * near, 0.0], Ending.ROUNDING)
    run = minimize(saddle(), ORIGIN, leaving(near, ended))
    assert (run.ending, run.nit) == (Ending.SECOND_ORDER, 2)


@pytest.mark.parametrize("gradients", [[1.0], [0.0, 1.0]])
def test_another_gradient_leaves_the_tolerance_alone(gradients: list[float]) -> None:
    """A large one would loosen it, and one of zero, at another saddle, would allow no other."""
    method = Scripted(
        at(ORIGIN, 0.0, ORIGIN),
        at(BOTTOM, -0.2, [1e-2, 0.0]),
        at(BOTTOM, -0.25, [0.9e-5, 0.0]),
        restarts=[at(ORIGIN, 0.0, [0.0, gradient]) for gradient in gradients],
        second_order=True,
    )
    run = minimize(saddle(), ORIGIN, method, maxiter=9)
    assert run.ending is Ending.SECOND_ORDER
    assert (run.gradient_norm, run.nit) == (0.9e-5, 2 + len(gradients))


def test_products_of_an_examination_stand_in_the_trace() -> None:
    """Of all but the last one, which leads to no row."""
    run = minimize(Hidden(saddle()), ORIGIN, TrustRegion(second_order=True))
    assert run.nhvp_evidence == 4
    assert sum(row.matvecs for row in run.trace) == run.nhvp - 2


def test_no_evidence_on_another_point_than_the_result() -> None:
    """The saddle was left, and the run cut short: nobody looked at the point it ended at."""
    far = at([0.0, 0.5], -0.1875, [0.0, -0.5])
    run = minimize(saddle(), ORIGIN, leaving(0.5, far), maxiter=2)
    assert run.ending is Ending.MAX_ITERATIONS
    assert run.leftmost is None
    assert run.leftmost_evidence is None


def test_an_examination_cut_short_leaves_no_evidence(clock: Clock) -> None:
    """Nor that on the saddle before: the time is up after the first product at the minimum."""

    def hessp(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        clock.now += 100.0 * float(x[1] == BOTTOM[1])
        return np.asarray(inner.hessian(x).array) @ v

    inner = saddle()
    problem = FunctionProblem(inner.value, inner.gradient, hessp=hessp, n=2)
    run = minimize(problem, ORIGIN, leaving(0.5, at(BOTTOM, -0.25, ORIGIN)), time_limit=10.0)
    assert (run.ending, run.nit) == (Ending.UNEXAMINED, 2)
    assert run.leftmost is None


# ---------------------------------------------------------------------- time


def test_start_is_waited_for_whatever_the_time_limit() -> None:
    """One value, one gradient, and then nothing: no Hessian is taken past the deadline."""
    run = minimize(rosenbrock(), None, time_limit=1e-300)
    assert run.ending is Ending.TIME_LIMIT
    assert (run.nfev, run.njev, run.nhev, run.nit) == (1, 1, 0, 0)
    assert run.fun == rosenbrock().value(rosenbrock().start)


def test_time_limit_is_in_seconds_from_the_call(clock: Clock) -> None:
    """A second an iteration: five of them fit in 4.5 seconds, the last one begun in time."""

    def callback(result: object) -> None:
        clock.now += 1.0

    clock.now = 1e6
    method = Scripted(*[at(ORIGIN, 1.0, [1.0, 0.0])] * 9)
    run = minimize(rosenbrock(), None, method, time_limit=4.5, callback=callback)
    assert (run.ending, run.nit) == (Ending.TIME_LIMIT, 5)
    assert run.trace.column("time").tolist() == [0.0, 0.0, 1.0, 2.0, 3.0, 4.0]


# ---------------------------------------------------------------------- samples


def whole(gradient: float) -> FunctionProblem:
    """5 + x_1^2/2 + gradient x_2."""
    return FunctionProblem(
        lambda x: 5.0 + 0.5 * float(x[0]) ** 2 + gradient * float(x[1]),
        lambda x: np.array([x[0], gradient]),
        hess=lambda x: np.diag([1.0, 0.0]),
        n=2,
    )


def test_a_small_gradient_of_a_sample_is_confirmed() -> None:
    """By that of the whole function, against the tolerance itself."""
    states = [at([float(k), 0.0], v, [1e-6, 0.0]) for k, v in enumerate((3.0, -2.0, 1.0))]
    run = minimize(whole(2e-5), ORIGIN, Scripted(*states, stochastic=True), maxiter=2)
    assert (run.ending, run.nit, run.njev) == (Ending.MAX_ITERATIONS, 2, 4)
    run = minimize(whole(0.9e-5), ORIGIN, Scripted(*states, stochastic=True))
    assert (run.ending, run.nit) == (Ending.FIRST_ORDER, 0)


def test_figures_of_a_stochastic_run_are_those_of_the_whole_function() -> None:
    """At its last point, since values of samples do not compare; no budget is in the way."""
    states = [at([float(k), 1.0], v, [1.0, 0.0]) for k, v in enumerate((3.0, -2.0, 1.0))]
    method = Scripted(*states, stochastic=True, products=1)
    run = minimize(whole(0.5), ORIGIN, method, max_matvec=2)
    assert run.ending is Ending.MAX_MATVEC
    assert run.x.tolist() == [2.0, 1.0]
    assert (run.fun, run.jac.tolist()) == (7.5, [2.0, 0.5])
    assert run.gradient_norm == np.hypot(2.0, 0.5)
    assert run.trace.column("value").tolist() == [3.0, -2.0, 1.0]


def test_figures_are_whole_past_the_deadline(clock: Clock) -> None:
    def callback(result: object) -> None:
        clock.now += 10.0

    method = Scripted(*[at([1.0, 0.0], 3.0, [1.0, 0.0])] * 2, stochastic=True)
    run = minimize(whole(0.5), ORIGIN, method, time_limit=1.0, callback=callback)
    assert (run.ending, run.fun) == (Ending.TIME_LIMIT, 5.5)


def test_a_saddle_is_left_by_values_of_the_whole_function() -> None:
    """Whatever the last sample has said of the value."""
    method = Scripted(
        at(ORIGIN, -100.0, ORIGIN),
        restarts=[at(BOTTOM, -100.0, ORIGIN)],
        stochastic=True,
        second_order=True,
    )
    run = minimize(saddle(), ORIGIN, method)
    assert (run.ending, run.nit, len(method.restarted)) == (Ending.SECOND_ORDER, 1, 1)
    assert run.fun == pytest.approx(-0.25)


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


def test_saddle_that_the_time_does_not_suffice_to_leave_is_none_the_less() -> None:
    """The evidence is there: what ends the search along it does not make it a minimum."""
    calls = []

    def fun(x: np.ndarray) -> float:
        calls.append(x)
        if len(calls) > 1:
            time.sleep(0.05)
        return saddle().value(x)

    slow = FunctionProblem(fun, saddle().gradient, hess=saddle().hessian, n=2)
    run = minimize(slow, np.zeros(2), time_limit=0.02)
    assert run.ending is Ending.SADDLE
    assert not run.success
    assert run.leftmost == pytest.approx(-2.0)
