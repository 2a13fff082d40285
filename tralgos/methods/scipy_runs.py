"""SciPy's own minimisers on our problems, counted, traced and judged as our methods are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.optimize
from scipy.optimize import OptimizeResult

from tralgos.arguments import (
    check_callback,
    check_choice,
    check_rng,
    integer,
    nonnegative_scalar,
    positive_integer,
)
from tralgos.arrays import all_finite, is_numpy, real_vector
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.methods.acceptance import doubtful
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import CountedOperator, Evaluator, RunEnded
from tralgos.methods.inner_others import multiplied_out
from tralgos.methods.protocol import State, StepRecord
from tralgos.methods.samples import checked_batch, draw, evaluator_of, require_terms
from tralgos.methods.trace import Trace
from tralgos.norms import EuclideanNorm
from tralgos.operators import DenseOperator
from tralgos.problems import Problem

__all__ = ["SCIPY_METHODS", "minimize_with_scipy"]

#: What a method of SciPy is given beside values: a gradient, products with the Hessian, the
#: Hessian itself. These are the ones whose callback tells the value with the iterate.
_NEEDS = {
    "Nelder-Mead": "",
    "Powell": "",
    "CG": "gradient",
    "BFGS": "gradient",
    "L-BFGS-B": "gradient",
    "Newton-CG": "products",
    "trust-ncg": "products",
    "trust-krylov": "products",
    "trust-exact": "matrix",
    "dogleg": "matrix",
}
SCIPY_METHODS = tuple(_NEEDS)
#: What turns off SciPy's own tests of convergence, the tolerance being ours; else {"gtol": 0}.
_OFF = {
    "Nelder-Mead": {"xatol": 0.0, "fatol": 0.0},
    "Powell": {"xtol": 1e-12, "ftol": 0.0},
    "L-BFGS-B": {"gtol": 0.0, "ftol": 0.0},
    "Newton-CG": {"xtol": 0.0},
}
#: Iterations allowed unless the caller says otherwise.
_MAX_ITERATIONS = 10_000


#: SciPy's own limits, which would end a run under a name of ours that is not theirs.
_LIMITS = frozenset({"maxiter", "maxfev", "maxfun"})


def minimize_with_scipy(
    problem: Problem,
    x0: np.ndarray | None = None,
    method: str = "BFGS",
    *,
    gtol: float | None = None,
    maxiter: int | None = None,
    batch: int | None = None,
    rng: np.random.Generator | int | None = None,
    callback: Callable[[OptimizeResult], object] | None = None,
    options: Mapping[str, Any] | None = None,
    restarts: int = 0,
) -> OptimizeResult:
    """Minimise by one of SciPy's own methods, with the counts, the trace and the test of ours.

    Parameters
    ----------
    problem : Problem
        On NumPy arrays.
    x0 : ndarray, shape (n,), float64, optional
        By default the problem's own start.
    method : str
        One of :data:`SCIPY_METHODS`. "BFGS" searches with cubic interpolation for a step that
        meets the Wolfe conditions.
    gtol : float, optional
        The run ends at the first iterate where the Euclidean norm of the gradient is at most
        this, whatever the method's own test is. Default 1e-5.
    maxiter : int, optional
        Bound on the iterations; 10,000 by default.
    batch : int, optional
        Every value, every gradient and every product is taken of a fresh sample of so many
        terms, as in the noisy test of *CurveBall*, section 4: two values that a line search
        compares are then of different functions. The problem must be a
        :class:`~tralgos.problems.StochasticProblem`.
    rng : numpy.random.Generator or int, optional
        Draws the samples; a fixed seed by default.
    callback : callable, optional
        As for :func:`tralgos.minimize`, but `state` is a plain :class:`State`.
    options : mapping, optional
        Further options of the method, as SciPy has them, but for its limits. By default its own
        tests of convergence are turned off, so that `gtol` alone ends a run well.
    restarts : int
        How often a run that SciPy gives up is begun anew from its last iterate, knowing nothing
        of the past. A line search that compares values of different samples fails soon.

    Returns
    -------
    OptimizeResult
        As that of :func:`tralgos.minimize`, and `scipy`, SciPy's own result (None unless it has
        stopped by itself), whose message is added to ours. `success` is judged by our gradient norm
        at `x` (of the whole function, with a `batch`) and nothing that SciPy says.
        `trace` has one row an iteration, with value and gradient as SciPy has seen them. A run
        that stops short returns the last iterate.

    Raises
    ------
    ArrayTypeError
        If x0 is no NumPy array of float64 (SciPy would convert it).
    ArgumentError, ShapeError, NonFiniteError
        On bad input, naming the argument, before any step; if the problem has no Hessian and
        the method needs one.

    Notes
    -----
    Endings other than success: MAX_ITERATIONS; CALLBACK; UNBOUNDED and NON_FINITE for a value of
    minus infinity, and for others that are no numbers; if SciPy stops by itself, ROUNDING where
    the last decrease of f was within half of its digits, else NO_DECREASE. No second-order
    evidence is asked for.

    Counts are those of what SciPy evaluates. The gradient at an iterate, where SciPy has not
    asked for it, is taken for the trace alone and not counted.

    Examples
    --------
    >>> import tralgos
    >>> from tralgos.methods.scipy_runs import minimize_with_scipy
    >>> run = minimize_with_scipy(tralgos.problems.Rosenbrock(2), method="BFGS")
    >>> run.success, run.ending.name
    (True, 'FIRST_ORDER')
    """
    if not isinstance(problem, Problem):
        raise ArrayTypeError(
            f"problem must be a tralgos.problems.Problem, got {type(problem).__name__}"
        )
    check_choice(method, "method", SCIPY_METHODS)
    tolerance = 1e-5 if gtol is None else nonnegative_scalar(gtol, "gtol")
    limit = _MAX_ITERATIONS if maxiter is None else positive_integer(maxiter, "maxiter")
    size = checked_batch(batch, "batch", ())
    require_terms(problem, size, "batch")
    if options is not None and not isinstance(options, Mapping):
        raise ArgumentError(f"options must be a mapping, got {type(options).__name__}")
    for name in _LIMITS.intersection(options or ()):
        raise ArgumentError(f"options must not hold {name!r}: maxiter is the limit of a run")
    again = integer(restarts, "restarts")
    if again < 0:
        raise ArgumentError(f"restarts must not be negative, got {again}")
    x = _start(problem, x0)
    evaluator = Evaluator(problem, tolerance)
    if _NEEDS[method] in ("products", "matrix"):
        evaluator.require("exact")
    watch = check_callback(callback)
    run = _Run(evaluator, method, limit, (size, check_rng(rng)), watch, again)
    return run.run(x, {**_OFF.get(method, {"gtol": 0.0}), **(options or {})})


def _start(problem: Problem, x0: Any) -> np.ndarray:
    x = problem.start if x0 is None else x0
    if x is None:
        raise ArgumentError(f"x0 is needed: {problem.name} has no starting point of its own")
    x = real_vector(x, "x0")
    if not is_numpy(x) or x.dtype != np.float64:
        raise ArrayTypeError(
            f"x0 must be a NumPy array of float64, which SciPy computes in, got {x.dtype} of "
            f"{type(x).__module__.split('.')[0]}"
        )
    if x.shape[0] == 0:
        raise ShapeError("x0 is empty: there is nothing to minimise over")
    all_finite(x, "x0")
    start: np.ndarray = x.copy()
    return start


class _Run:
    """What SciPy asks for, counted, and what it tells, written down."""

    def __init__(
        self,
        evaluator: Evaluator,
        method: str,
        limit: int,
        draws: tuple[Any, np.random.Generator],
        callback: Callable[..., object] | None,
        restarts: int,
    ) -> None:
        self._evaluator, self._method, self._limit = evaluator, method, limit
        self._batch, self._rng = draws
        self._callback = callback
        self.restarts = restarts
        self._begun, self._iteration, self._trace = time.monotonic(), 0, Trace()
        self._states: list[State] = []
        #: The last values and gradients, by the bytes of their points.
        self._values: dict[bytes, float] = {}
        self._gradients: dict[bytes, np.ndarray] = {}
        #: What has been evaluated at a start, until SciPy asks for it.
        self._value_ready: tuple[bytes, float] | None = None
        self._gradient_ready: tuple[bytes, np.ndarray] | None = None
        self._hessian: tuple[bytes, CountedOperator] | None = None

    # ---------------------------------------------------------------- what SciPy asks for

    def value(self, x: np.ndarray) -> float:
        key, ready = x.tobytes(), self._value_ready
        self._value_ready = None
        if ready is not None and ready[0] == key:
            return ready[1]
        value = self._source().value(x.copy())
        self._values[key] = value
        return value

    def gradient(self, x: np.ndarray) -> np.ndarray:
        key, ready = x.tobytes(), self._gradient_ready
        self._gradient_ready = None
        if ready is not None and ready[0] == key:
            return ready[1].copy()
        gradient: np.ndarray = self._source().gradient(x.copy())
        self._gradients[key] = gradient
        return gradient.copy()

    def product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        y: np.ndarray = self._curvature(x) @ v
        return y

    def matrix(self, x: np.ndarray) -> np.ndarray:
        H = self._curvature(x)
        dense = H.operand if isinstance(H.operand, DenseOperator) else multiplied_out(H, x)
        return np.array(dense.array)

    def _curvature(self, x: np.ndarray) -> CountedOperator:
        """The Hessian at x, taken once a point; of a fresh sample with a batch."""
        key, known = x.tobytes(), self._hessian
        if self._batch is not None or known is None or known[0] != key:
            known = (key, self._source().curvature(x.copy()))
            self._hessian = known
        return known[1]

    def _source(self) -> Evaluator:
        """The function of one evaluation."""
        return evaluator_of(self._evaluator, draw(self._evaluator, self._batch, self._rng))

    # ---------------------------------------------------------------- the run

    def run(self, x: np.ndarray, options: dict[str, Any]) -> OptimizeResult:
        """From x to an ending; where SciPy gives up, from there again as often as is allowed."""
        result = None
        try:
            self._begin(x)
            while True:
                begun = self._iteration
                limited = {"maxiter": self._limit - begun, **options}
                result = self._minimize(self._states[-1].x.copy(), limited)
                ending = self._judged(result, begun)
                if self.restarts == 0 or ending not in (Ending.ROUNDING, Ending.NO_DECREASE):
                    break
                self.restarts -= 1
        except RunEnded as ended:
            ending = ended.ending
        except KeyboardInterrupt:
            if not self._states:
                raise
            ending = Ending.INTERRUPTED
        return self._result(ending, result)

    def _begin(self, x: np.ndarray) -> None:
        value, gradient = self.value(x), self.gradient(x)
        size = EuclideanNorm().norm(gradient)
        for number, name in ((value, "value"), (size, "gradient norm")):
            if not math.isfinite(number):
                problem = self._evaluator.problem.name
                raise NonFiniteError(f"the {name} of {problem} at x0 is {number}")
        self._value_ready = (x.tobytes(), value)
        if _NEEDS[self._method]:
            self._gradient_ready = (x.tobytes(), gradient)
        self._note(State(x.copy(), value, gradient, size))

    def _minimize(self, x: np.ndarray, options: dict[str, Any]) -> OptimizeResult:
        needs = _NEEDS[self._method]
        derivatives: dict[str, Any] = {"jac": self.gradient} if needs else {}
        if needs == "products":
            derivatives["hessp"] = self.product
        elif needs == "matrix":
            derivatives["hess"] = self.matrix
        # What overflows is seen in the values.
        with np.errstate(all="ignore"):
            return scipy.optimize.minimize(
                self.value,
                x,
                method=self._method,
                callback=self._seen,
                options=options,
                **derivatives,
            )

    def _seen(self, intermediate_result: OptimizeResult) -> None:
        """One iteration of SciPy's."""
        state = self._state(np.array(intermediate_result.x, dtype=np.float64))
        self._check_finite(state)
        self._iteration += 1
        self._note(state)

    def _check_finite(self, state: State) -> None:
        """End the run at the iterate before one where f is no number: SciPy would go on."""
        if math.isfinite(state.value) and math.isfinite(state.gradient_norm):
            return
        raise RunEnded(Ending.UNBOUNDED if state.value == -math.inf else Ending.NON_FINITE)

    def _state(self, x: np.ndarray) -> State:
        """The state at an iterate, from what SciPy has evaluated there."""
        key, problem = x.tobytes(), self._evaluator.problem
        value, gradient = self._values.get(key), self._gradients.get(key)
        # Not counted: SciPy has not asked for them.
        if value is None:
            value = problem.value(x)
        if gradient is None:
            gradient = problem.gradient(x)
        self._values, self._gradients = {key: value}, {key: gradient}
        norm = EuclideanNorm().norm
        record = StepRecord(accepted=True, step_norm=norm(x - self._states[-1].x))
        return State(x, value, gradient, norm(gradient), (record,))

    def _note(self, state: State) -> None:
        """Keep the state, show it to the callback, and end the run where it is good enough."""
        self._states = [*self._states[-1:], state]
        counts = self._evaluator.counts
        self._trace.add(self._iteration, state, counts, time.monotonic() - self._begun)
        if self._callback is not None and self._iteration > 0:
            seen = OptimizeResult(x=state.x.copy(), fun=state.value, jac=state.gradient.copy())
            seen.update(nit=self._iteration, state=state, record=self._trace[-1])
            try:
                self._callback(seen)
            except StopIteration:
                raise RunEnded(Ending.CALLBACK) from None
        if self._reached(state):
            raise RunEnded(Ending.FIRST_ORDER)

    def _reached(self, state: State) -> bool:
        """Whether the gradient is within the tolerance; of all terms too, with a batch."""
        if not state.gradient_norm <= self._evaluator.gtol:
            return False
        if self._batch is None:
            return True
        gradient = self._evaluator.gradient(state.x)
        return EuclideanNorm().norm(gradient) <= self._evaluator.gtol

    def _judged(self, result: OptimizeResult, begun: int) -> Ending:
        """Why SciPy has stopped by itself, in the run that was begun at that iteration."""
        last = self._states[-1]
        x = np.array(result.x, dtype=np.float64)
        if not np.isfinite(x).all():
            return Ending.NON_FINITE
        if not np.array_equal(x, last.x):
            # Some methods end with a point that they have told nobody of.
            latest = self._state(x)
            self._check_finite(latest)
            self._states = [last, latest]
            if self._reached(latest):
                return Ending.FIRST_ORDER
        if max(self._iteration, begun + int(result.nit)) >= self._limit:
            return Ending.MAX_ITERATIONS
        value = self._states[-1].value
        fallen = abs(self._states[0].value - value) if len(self._states) == 2 else math.inf
        return Ending.ROUNDING if doubtful(fallen, value, 2.0**-52) else Ending.NO_DECREASE

    # ---------------------------------------------------------------- results

    def _result(self, ending: Ending, result: OptimizeResult | None) -> OptimizeResult:
        state = self._states[-1]
        if self._batch is not None:
            value, gradient = self._evaluator.value_and_gradient(state.x)
            state = State(state.x, value, gradient, EuclideanNorm().norm(gradient))
        said = "" if result is None else f"; SciPy: {result.message}"
        return OptimizeResult(
            x=state.x,
            fun=state.value,
            jac=state.gradient,
            gradient_norm=state.gradient_norm,
            success=ending.success,
            status=int(ending),
            ending=ending,
            message=ending.message + said,
            nit=self._iteration,
            **asdict(self._evaluator.counts),
            leftmost=None,
            leftmost_evidence=None,
            trace=self._trace,
            scipy=result,
        )
