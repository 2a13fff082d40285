"""The driver: one loop for all methods, with the stopping, the budgets and the trace."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import OptimizeResult

from tralgos.arguments import (
    check_callback,
    check_max_matvec,
    check_rng,
    nonnegative_scalar,
    positive_integer,
    positive_scalar,
)
from tralgos.arrays import Array, all_finite, eps, real_vector
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.methods.acceptance import rounding_level
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Budget, Counts, Evaluator, RunEnded
from tralgos.methods.protocol import MethodProtocol, State, StepRecord
from tralgos.methods.second_order import LeftmostEstimate, examine, leave_saddle
from tralgos.methods.trace import Trace
from tralgos.norms import EuclideanNorm
from tralgos.problems import Problem

__all__ = ["run"]

#: Iterations allowed unless the caller says otherwise.
_MAX_ITERATIONS = 10_000
#: A value below minus this times the size of the first values has no bottom.
_BOTTOMLESS = 1e50


def run(
    problem: Problem,
    x0: Array | None,
    method: MethodProtocol,
    *,
    gtol: float | None = None,
    maxiter: int | None = None,
    max_matvec: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[OptimizeResult], object] | None = None,
    rng: np.random.Generator | int | None = None,
) -> OptimizeResult:
    """Minimise; see :func:`tralgos.minimize`, which supplies the method."""
    if not isinstance(problem, Problem):
        raise ArrayTypeError(
            "problem must be a tralgos.problems.Problem (FunctionProblem makes one of plain "
            f"functions), got {type(problem).__name__}"
        )
    if not isinstance(method, MethodProtocol):
        raise ArrayTypeError(f"method must be a method of tralgos, got {type(method).__name__}")
    x = _start(problem, x0)
    tolerance = _gtol(gtol, x)
    limit = _MAX_ITERATIONS if maxiter is None else positive_integer(maxiter, "maxiter")
    seconds = math.inf if time_limit is None else positive_scalar(time_limit, "time_limit")
    budget = Budget(check_max_matvec(max_matvec), time.monotonic() + seconds)
    evaluator = Evaluator(problem, tolerance, budget, Counts())
    method.require(evaluator)
    return _Loop(evaluator, method, limit, check_callback(callback), check_rng(rng)).run(x)


def _start(problem: Problem, x0: Array | None) -> Array:
    if x0 is None:
        if problem.start is None:
            raise ArgumentError(f"x0 is needed: {problem.name} has no starting point of its own")
        x0 = problem.start
    x = real_vector(x0, "x0")
    if x.shape[0] == 0:
        raise ShapeError("x0 is empty: there is nothing to minimise over")
    all_finite(x, "x0")
    # The caller's array stays the caller's.
    return 1.0 * x


def _gtol(gtol: float | None, x: Array) -> float:
    if gtol is None:
        return 1e-5 if eps(x.dtype) < 1e-8 else 5e-3
    return nonnegative_scalar(gtol, "gtol")


class _Loop:
    """One run: its state, its best state, and what it has seen."""

    def __init__(
        self,
        evaluator: Evaluator,
        method: MethodProtocol,
        limit: int,
        callback: Callable[..., object] | None,
        rng: np.random.Generator,
    ) -> None:
        self._evaluator = evaluator
        self._gtol = evaluator.gtol
        self._method = method
        self._limit = limit
        self._callback = callback
        self._rng = rng
        self._begun = time.monotonic()
        self._trace = Trace()
        self._leftmost: LeftmostEstimate | None = None
        self._iteration = 0
        self._state: State | None = None
        self._best: State | None = None

    def run(self, x: Array) -> OptimizeResult:
        """From x to an ending."""
        try:
            ending = self._iterate(x)
        except RunEnded as ended:
            ending = ended.ending
        except KeyboardInterrupt:
            if self._state is None:
                raise
            ending = Ending.INTERRUPTED
        return self._result(ending)

    def _iterate(self, x: Array) -> Ending:
        self._note(self._first(x))
        while True:
            assert self._state is not None
            following = self._ending(self._state)
            if following is None:
                self._evaluator.budget.check_time()
                following = self._step(self._state)
            if isinstance(following, Ending):
                return following
            self._iteration += 1
            self._note(following)

    def _step(self, state: State) -> State | Ending:
        """The next state, or why there is none."""
        try:
            return self._method.step(self._evaluator, state, self._rng)
        except (NonFiniteError, NotPositiveDefiniteError) as error:
            # At the start it is the input that is wrong; later the run is not to be lost.
            if self._iteration == 0:
                raise
            lost = isinstance(error, NotPositiveDefiniteError)
            return Ending.NORM_LOST if lost else Ending.NON_FINITE

    def _first(self, x: Array) -> State:
        """The start, whose value and gradient are waited for whatever the time limit is."""
        budget, self._evaluator.budget = self._evaluator.budget, Budget()
        state = self._method.init(self._evaluator, x, self._rng)
        self._evaluator.budget = budget
        for value, name in ((state.value, "value"), (state.gradient_norm, "gradient norm")):
            if not math.isfinite(value):
                raise NonFiniteError(
                    f"the {name} of {self._evaluator.problem.name} at x0 is {value}"
                )
        return state

    def _note(self, state: State) -> None:
        """Keep the state, add it to the trace, and show it to the callback."""
        self._state = state
        best = self._best
        # Values of samples do not compare.
        if best is None or self._method.stochastic or not best.value < state.value:
            self._best = state
        counts = self._evaluator.counts
        self._trace.add(self._iteration, state, counts, time.monotonic() - self._begun)
        if self._callback is None or self._iteration == 0:
            return
        try:
            self._callback(self._intermediate(state))
        except StopIteration:
            raise RunEnded(Ending.CALLBACK) from None

    # ------------------------------------------------------------------ endings

    def _ending(self, state: State) -> Ending | State | None:
        """Why to end here; None to go on, or the state to go on from where this is a saddle."""
        tolerance = self._evaluator.gtol if state.ending is None else self._gtol
        if state.gradient_norm <= tolerance and not self._method.stochastic:
            state = self._state = self._known(state)
        if state.gradient_norm <= tolerance and self._confirmed(state):
            return self._at_tolerance(state)
        if state.value < -_BOTTOMLESS * self._first_values():
            return Ending.UNBOUNDED
        if state.ending is not None:
            return state.ending
        if self._iteration >= self._limit:
            return Ending.MAX_ITERATIONS
        left = self._evaluator.matvecs_left
        return Ending.MAX_MATVEC if left is not None and left < 1 else None

    def _known(self, state: State) -> State:
        """The state with its gradient, where the method had no need of it."""
        if state.gradient is not None:
            return state
        gradient = self._evaluator.gradient(state.x)
        return replace(state, gradient=gradient, gradient_norm=EuclideanNorm().norm(gradient))

    def _first_values(self) -> float:
        """The size of f at the start and after the first trial; infinite before there is one."""
        rows = self._trace[:2]
        size = max(abs(row.value) for row in rows)
        return size if len(rows) == 2 and size > 0.0 else math.inf

    def _confirmed(self, state: State) -> bool:
        """Whether the gradient of the whole function is small too, for a stochastic method."""
        if not self._method.stochastic:
            return True
        gradient = self._evaluator.gradient(state.x)
        return EuclideanNorm().norm(gradient) <= self._gtol

    def _at_tolerance(self, state: State) -> Ending | State:
        """What a point with a small gradient is; a state away from it where it is a saddle."""
        wanted, self._leftmost = self._method.second_order, None
        failure = Ending.UNEXAMINED if wanted else Ending.FIRST_ORDER
        if wanted is False or (wanted is None and not self._evaluator.problem.has_hessian):
            return failure
        try:
            state = self._whole(state)
            self._leftmost = leftmost = examine(
                self._evaluator, state.x, state.gradient, self._rng, look=wanted is None
            )
            if leftmost.direction is not None:
                away = self._away(state, leftmost)
                if away is not None:
                    return away
                if not leftmost.proved:
                    return Ending.SADDLE
        except NonFiniteError:
            return Ending.NON_FINITE
        except RunEnded:
            known = self._leftmost
            return Ending.SADDLE if known is not None and known.direction is not None else failure
        return Ending.SECOND_ORDER if leftmost.proved else failure

    def _whole(self, state: State) -> State:
        """The state with value and gradient of the whole function, for a stochastic method."""
        if not self._method.stochastic:
            return self._known(state)
        value, gradient = self._evaluator.value_and_gradient(state.x)
        size = EuclideanNorm().norm(gradient)
        return replace(state, value=value, gradient=gradient, gradient_norm=size)

    def _away(self, state: State, leftmost: LeftmostEstimate) -> State | None:
        """The method begun anew at a lower point along the direction of negative curvature."""
        if state.ending is not None or self._iteration >= self._limit:
            return None
        found = leave_saddle(self._evaluator, state.x, state.value, state.gradient, leftmost)
        if found is None:
            return None
        fresh = self._method.restart(self._evaluator, state, found[0], self._rng)
        if not math.isfinite(fresh.gradient_norm):
            return None
        if 0.0 < fresh.gradient_norm <= self._evaluator.gtol:
            # Where a gradient of this size says nothing, a smaller one has to be waited for.
            self._evaluator.gtol = 0.1 * fresh.gradient_norm
        record = StepRecord(
            accepted=True, matvecs=leftmost.matvecs, subproblem="along negative curvature"
        )
        return replace(fresh, records=(record,))

    # ------------------------------------------------------------------ results

    def _intermediate(self, state: State) -> OptimizeResult:
        return OptimizeResult(
            x=state.x,
            fun=state.value,
            jac=state.gradient,
            nit=self._iteration,
            state=state,
            record=self._trace[-1],
        )

    def _named(self, ending: Ending) -> Ending:
        """The ending; a point above the start is not one that rounding keeps from being better."""
        state = self._state
        if ending is not Ending.ROUNDING or self._method.stochastic:
            return ending
        assert state is not None
        first = self._trace[0].value
        risen = state.value > first + rounding_level(first, math.sqrt(eps(state.x.dtype)))
        return Ending.NO_DECREASE if risen else ending

    def _result(self, ending: Ending) -> OptimizeResult:
        ending = self._named(ending)
        settled = ending in (
            Ending.SECOND_ORDER,
            Ending.FIRST_ORDER,
            Ending.SADDLE,
            Ending.UNEXAMINED,
            Ending.ROUNDING,  # where gradients decide, and not values
        )
        state = self._state if settled else self._best
        assert state is not None
        # What the budget has left is not asked for the last figures.
        self._evaluator.budget = Budget()
        state = self._whole(state)
        counts = self._evaluator.counts
        leftmost = self._leftmost if settled else None
        return OptimizeResult(
            x=state.x,
            fun=state.value,
            jac=state.gradient,
            gradient_norm=state.gradient_norm,
            success=ending.success,
            status=int(ending),
            ending=ending,
            message=ending.message,
            nit=self._iteration,
            nfev=counts.nfev,
            njev=counts.njev,
            nhev=counts.nhev,
            nhvp=counts.nhvp,
            nhvp_evidence=counts.nhvp_evidence,
            njvp=counts.njvp,
            nvjp=counts.nvjp,
            backpropagations=counts.backpropagations,
            leftmost=None if leftmost is None else leftmost.value,
            leftmost_evidence=leftmost,
            trace=self._trace,
        )
