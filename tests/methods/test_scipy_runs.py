"""SciPy's own methods with our counts, trace and judgement."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from tests.methods.support import rosenbrock, saddle
from tests.namespaces import Xp
from tralgos import Ending, TraceRow, minimize
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    ShapeError,
)
from tralgos.methods.scipy_runs import SCIPY_METHODS, minimize_with_scipy
from tralgos.problems import (
    FunctionProblem,
    Problem,
    Rosenbrock,
    StochasticProblem,
    StochasticRosenbrock,
    collection,
)

NAMES = ["rosenbrock", "beale", "helical-valley", "bard", "powell-singular", "kowalik-osborne"]


class _Watched(Problem):
    """Counts by itself what is asked of a problem."""

    has_hessian = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.n, name=problem.name, start=problem.start)
        self.problem = problem
        self.values: list[np.ndarray] = []
        self.gradients: list[np.ndarray] = []

    def _value(self, x: Any) -> Any:
        self.values.append(x)
        return self.problem.value(x)

    def _gradient(self, x: Any) -> Any:
        self.gradients.append(x)
        return self.problem.gradient(x)

    def _hessian(self, x: Any) -> Any:
        return self.problem.hessian(x)


@pytest.mark.parametrize("method", SCIPY_METHODS)
def test_every_method_reaches_our_tolerance(method: str) -> None:
    """And success is what our gradient says, with a row an iteration."""
    for name in NAMES:
        problem = collection.problem(name)
        run = minimize_with_scipy(problem, None, method, gtol=1e-5)
        size = np.linalg.norm(problem.gradient(run.x))
        assert run.success == (size <= 1e-5)
        assert run.gradient_norm == pytest.approx(size)
        assert run.success or method == "dogleg", (name, run.message)
        assert [row.iteration for row in run.trace] == list(range(run.nit + 1))
        assert run.trace[-1].value == run.fun == problem.value(run.x)


def test_the_run_is_that_of_scipy() -> None:
    """The same points and the same counts as without us, up to our own end."""
    problem = rosenbrock()
    for method in ("BFGS", "CG", "L-BFGS-B", "Nelder-Mead"):
        seen: list[np.ndarray] = []
        plain = _Watched(problem)
        scipy.optimize.minimize(
            plain.value,
            problem.start,
            jac=plain.gradient if method != "Nelder-Mead" else None,
            method=method,
            callback=lambda x, s=seen: s.append(x.copy()),
            options={"maxiter": 10},
        )
        points: list[np.ndarray] = []
        run = minimize_with_scipy(
            problem, None, method, maxiter=10, callback=lambda r, p=points: p.append(r.x)
        )
        assert run.ending is Ending.MAX_ITERATIONS
        assert np.array_equal(points, seen)
        assert run.nfev == len(plain.values)
        if method != "Nelder-Mead":
            assert run.njev == len(plain.gradients)
        assert run.nit == len(seen)


def test_counts_are_those_of_what_was_evaluated() -> None:
    watched = _Watched(Rosenbrock(3))
    run = minimize_with_scipy(watched)
    assert run.success
    assert (run.nfev, run.njev) == (len(watched.values), len(watched.gradients))
    assert run.trace[-1].nfev == run.nfev
    assert run.backpropagations == run.njev
    assert (run.nhev, run.nhvp) == (0, 0)
    hidden = minimize_with_scipy(Rosenbrock(3), method="trust-ncg")
    assert 0 < hidden.nhev <= hidden.nit + 1
    assert hidden.nhvp >= hidden.nhev


def test_the_result_has_the_shape_of_ours() -> None:
    ours = minimize(Rosenbrock(2))
    theirs = minimize_with_scipy(Rosenbrock(2))
    assert set(ours) | {"scipy"} == set(theirs)
    for f in fields(TraceRow):
        assert theirs.trace.column(f.name).shape[0] == len(theirs.trace)
    row = theirs.trace[1]
    assert row.step_norm is not None
    assert row.step_norm > 0.0
    assert theirs.ending is Ending.FIRST_ORDER
    assert theirs.status == int(theirs.ending)


def test_scipy_is_not_believed() -> None:
    """It calls a run good that has not reached our tolerance, and bad one that has."""
    options = {"ftol": 0.5}
    run = minimize_with_scipy(Rosenbrock(2), None, "L-BFGS-B", options=options)
    assert run.scipy.success
    assert not run.success
    assert run.ending is Ending.NO_DECREASE
    assert "SciPy" in run.message
    start = minimize_with_scipy(Rosenbrock(2), np.ones(2))
    assert start.success
    assert (start.nit, start.nfev, start.njev, start.scipy) == (0, 1, 1, None)


def test_rounding_is_called_by_its_name() -> None:
    run = minimize_with_scipy(rosenbrock(constant=1e6), gtol=1e-12)
    assert run.ending is Ending.ROUNDING
    assert run.gradient_norm > 1e-12


def test_functions_without_a_bottom_and_without_values() -> None:
    """They end by name, and raise no warning."""
    linear = FunctionProblem(lambda x: x.sum(), np.ones_like, n=2, name="linear")
    run = minimize_with_scipy(linear, np.zeros(2), maxiter=5)
    assert run.ending is Ending.MAX_ITERATIONS
    log = FunctionProblem(
        lambda x: float(x[0] - math.log(x[0])) if x[0] > 0.0 else math.nan,
        lambda x: 1.0 - 1.0 / x,
        n=1,
    )
    for method in ("BFGS", "CG", "L-BFGS-B", "Nelder-Mead"):
        run = minimize_with_scipy(log, np.array([30.0]), method)
        assert run.ending in (Ending.FIRST_ORDER, Ending.NON_FINITE, Ending.NO_DECREASE)
        assert run.success == (abs(float(run.jac[0])) <= 1e-5)
        assert math.isfinite(run.fun)


def test_a_saddle_is_a_first_order_point() -> None:
    run = minimize_with_scipy(saddle(), np.zeros(2))
    assert run.ending is Ending.FIRST_ORDER
    assert run.leftmost is None


# ---------------------------------------------------------------------- callbacks


def test_a_callback_sees_the_run_and_ends_it() -> None:
    rows = []

    def watch(seen: Any) -> None:
        rows.append((seen.nit, seen.fun, seen.record.value, float(seen.state.gradient_norm)))
        if seen.nit == 4:
            raise StopIteration

    run = minimize_with_scipy(Rosenbrock(2), callback=watch)
    assert run.ending is Ending.CALLBACK
    assert run.nit == 4
    assert [row[0] for row in rows] == [1, 2, 3, 4]
    assert all(row[1] == row[2] for row in rows)

    def fail(seen: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        minimize_with_scipy(Rosenbrock(2), callback=fail)

    def interrupt(seen: Any) -> None:
        raise KeyboardInterrupt

    assert minimize_with_scipy(Rosenbrock(2), callback=interrupt).ending is Ending.INTERRUPTED


# ---------------------------------------------------------------------- samples


def test_every_evaluation_has_a_sample_of_its_own() -> None:
    """The weight of the noise is in the value at a point where nothing else varies."""
    seen: list[float] = []

    class Noisy(StochasticRosenbrock):
        def _sample(self, size: int, rng: np.random.Generator) -> Rosenbrock:
            problem = super()._sample(size, rng)
            seen.append(problem.weight)
            return problem

    problem = Noisy(noise=(0.0, 3.0))
    run = minimize_with_scipy(problem, batch=1, rng=0, maxiter=5, restarts=10)
    # One evaluation of each kind, of all terms, judges the result.
    assert len(seen) == len(set(seen)) == run.nfev - 1 + run.njev - 1
    seen.clear()
    run = minimize_with_scipy(problem, method="Newton-CG", batch=1, rng=0, maxiter=5, restarts=10)
    assert run.nhvp == run.nhev > 0
    assert len(seen) == len(set(seen)) == run.nfev - 1 + run.njev - 1 + run.nhvp


class _TwoParabolas(StochasticProblem):
    """The mean of (x - 1)^2 and (x + 1)^2; each is at its minimum where the mean is not."""

    size = 2

    def _value(self, x: Any) -> Any:
        return float(x[0] * x[0] + 1.0)

    def _gradient(self, x: Any) -> Any:
        return 2.0 * x

    def _sample(self, size: int, rng: np.random.Generator) -> Problem:
        at = 1.0 if size == 2 or rng.uniform() < 0.5 else -1.0
        return FunctionProblem(lambda x: float((x[0] - at) ** 2), lambda x: 2.0 * (x - at), n=1)


def test_a_sample_with_a_small_gradient_is_no_success() -> None:
    """The whole is asked, at one gradient."""
    for seed in range(4):
        run = minimize_with_scipy(_TwoParabolas(1), np.array([1.0]), batch=1, rng=seed, maxiter=3)
        assert run.success == (abs(2.0 * float(run.x[0])) <= 1e-5)
        assert run.gradient_norm == pytest.approx(abs(2.0 * float(run.x[0])))


def test_the_noisy_rosenbrock() -> None:
    """A line search that compares values of different samples gives up; begun anew, it arrives."""
    problem = StochasticRosenbrock(noise=(0.0, 3.0))
    start = np.array([-1.2, 1.0])
    once = minimize_with_scipy(problem, start, batch=1, rng=0, gtol=1e-4)
    assert once.ending is Ending.NO_DECREASE
    runs = [
        minimize_with_scipy(problem, start, batch=1, rng=k, gtol=1e-4, restarts=1000)
        for k in (0, 0, 1)
    ]
    assert all(run.success for run in runs)
    assert runs[0].trace == runs[1].trace
    assert runs[0].trace != runs[2].trace
    for run in runs:
        assert np.linalg.norm(problem.expectation.gradient(run.x)) <= 1e-4
    # Without noise every sample is the function.
    still = StochasticRosenbrock(noise=(1.0, 1.0))
    one, two = minimize_with_scipy(still, batch=1), minimize_with_scipy(Rosenbrock(2))
    assert one.nit == two.nit
    assert np.array_equal(one.x, two.x)


# ---------------------------------------------------------------------- errors


def test_numpy_in_float64_alone(xp_case: Xp) -> None:
    x = xp_case.array([-1.2, 1.0])
    if xp_case.name == "numpy-float64":
        assert minimize_with_scipy(Rosenbrock(2), x).success
        return
    with pytest.raises(ArrayTypeError, match="float64"):
        minimize_with_scipy(Rosenbrock(2), x)


def test_bad_input_is_named() -> None:
    problem: Any = Rosenbrock(2)
    for options, match in [
        ({"method": "SGD"}, "method"),
        ({"method": "COBYLA"}, "method"),
        ({"gtol": -1.0}, "gtol"),
        ({"maxiter": 0}, "maxiter"),
        ({"batch": 0}, "batch"),
        ({"batch": 1}, "StochasticProblem"),
        ({"options": 3}, "options"),
        ({"restarts": -1}, "restarts"),
        ({"rng": "seed"}, "rng"),
        ({"callback": 1}, "callback"),
    ]:
        with pytest.raises(ArgumentError, match=match):
            minimize_with_scipy(problem, **options)
    with pytest.raises(ArrayTypeError, match="problem"):
        minimize_with_scipy(abs, np.ones(2))
    with pytest.raises(ShapeError, match="empty"):
        minimize_with_scipy(problem, np.ones(0))
    with pytest.raises(NonFiniteError, match="x0"):
        minimize_with_scipy(problem, np.array([1.0, math.nan]))
    bare = FunctionProblem(lambda x: x @ x, lambda x: 2.0 * x, n=2)
    with pytest.raises(ArgumentError, match="exact"):
        minimize_with_scipy(bare, np.ones(2), "trust-ncg")
    with pytest.raises(ArgumentError, match="x0"):
        minimize_with_scipy(bare)
    infinite = FunctionProblem(lambda x: math.inf, lambda x: 2.0 * x, n=2)
    with pytest.raises(NonFiniteError, match="value"):
        minimize_with_scipy(infinite, np.ones(2))


def test_the_start_is_not_written_into() -> None:
    x0 = np.array([-1.2, 1.0])
    for method in SCIPY_METHODS:
        minimize_with_scipy(Rosenbrock(2), x0, method, maxiter=5)
        assert x0.tolist() == [-1.2, 1.0]
