"""CurveBall: heavy-ball momentum with curvature, and its automatic parameters."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from tralgos.arguments import (
    check_choice,
    nonnegative_scalar,
    number,
    positive_integer,
    positive_scalar,
)
from tralgos.arrays import Array, eps
from tralgos.errors import ArgumentError, CurvatureWarning, NonFiniteError
from tralgos.methods.acceptance import decrease_ratio, doubtful, rounding_level, unseen
from tralgos.methods.curveball_kernels import move
from tralgos.methods.curveball_look import Look, Place, power_of_two, the_place
from tralgos.methods.damping import Observed, checks, following
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import HESSIANS, CurvatureKind, Evaluator
from tralgos.methods.method import Method
from tralgos.methods.plane import Forms, Point
from tralgos.methods.protocol import State, StepRecord, check_second_order
from tralgos.methods.samples import Sample, draw, evaluator_of, require_terms
from tralgos.methods.tracking import Window, deviation, proportionate, remembered, tracked

__all__ = ["CurveBall", "CurveBallState", "LamRule"]

LamRule = Literal["fixed", "printed", "authors", "gain", "tracking"]

#: Trials of one step before the method gives up.
_ATTEMPTS = 60
#: Factor of lambda after a rejected trial.
_RAISE = 4.0
#: It is not below this share of the curvature then.
_TANGIBLE = 1e-3
#: The tracking rule takes a step from this ratio of actual to predicted decrease on.
_TAKEN = 1e-4
#: Steps below the rounding of f that may pass without a smaller gradient: so many, or this share
#: of all, for where convergence is slow the gradient's norm rises for long before it falls again.
_PATIENCE, _PATIENCE_SHARE = 100, 0.1


@dataclass(frozen=True)
class CurveBallState(State):
    """State of :class:`CurveBall`.

    Attributes
    ----------
    look : Look
        z, Hz + J, and the model on their span, at x.
    lam : float
        Of the next step.
    window : tuple
        The curvatures of the last spans, for the rule "tracking".
    steps : int
        Taken so far.
    sample : object or None
        The terms that value and look are of; None for all.
    stalled : int
        Steps below the rounding of f since the gradient last fell.
    refuted : bool
        Whether before one of those f has not shown a decrease that it could have shown.
    least_gradient : float
        The smallest norm of a gradient so far.
    warned : bool
        Whether negative curvature has been warned of.
    """

    look: Look = field(kw_only=True, repr=False)
    lam: float = 0.0
    window: Window = ()
    steps: int = 0
    sample: Sample | None = field(default=None, repr=False)
    stalled: int = 0
    refuted: bool = False
    least_gradient: float = math.inf
    warned: bool = False


@dataclass(frozen=True, kw_only=True)
class CurveBall(Method):
    r"""CurveBall (Algorithm 1): one gradient step on the Newton system for each step of x.

    .. math:: \Delta_z = (\hat H + \lambda I) z + J, \qquad z \leftarrow \rho z - \beta \Delta_z,
        \qquad w \leftarrow w + z

    Parameters
    ----------
    beta : float, optional
        Positive. By default, with `rho` left open as well, the pair minimises the model
        z'J + z'(H + lam)z/2 in every step (eq. 18); of one that is given alone the other
        is the minimiser on the line that is left.
    rho : float, optional
        In [0, 1]; with a fixed `beta` in [0, 5): from 5 on no beta converges on any quadratic
        (Theorem A.1).
    lam : float
        lambda, or its first value; not negative. It has the unit of a curvature.
    lam_rule : {"tracking", "fixed", "printed", "authors", "gain"}, optional
        How lambda changes. "tracking", the default where beta and rho are both automatic and for
        these alone: by whether z follows the damped Newton step
        (:mod:`tralgos.methods.tracking`); a step that does not lower f is rejected. The others
        are in :mod:`tralgos.methods.damping`; "fixed" is the default otherwise.
    hessian : {"gauss-newton", "exact", "finite-difference"}, optional
        The default is the first that the problem has.
    batch : int, optional
        Terms of the sample that each step is made with; all unless given.
    second_order : bool or None
        See :class:`~tralgos.methods.protocol.MethodProtocol`.

    Raises
    ------
    ArgumentError
        If a parameter is out of its range or does not go with another; from a run, if the
        problem has no such curvature, or no terms to take samples of.

    Warns
    -----
    CurvatureWarning
        Once a run, if the curvature turns out negative where the theory (Theorems A.1 and A.2)
        needs it positive. Automatic parameters then take absolute values of the model's
        curvatures on the span, which keeps z a direction of descent; "tracking" raises lambda to
        twice the negative curvature instead, and has no need to warn.

    Notes
    -----
    **Cost** of a step. For a problem that is a loss of a model's outputs
    (`has_linearization`), with Gauss-Newton: one value, one forward and one reverse product; one
    more forward product for automatic parameters. The gradient is not evaluated: the norms in the
    trace are lower bounds, lengths of its projection on the span, until one is within `gtol`. For
    other curvatures: one value and gradient and one product, with automatic parameters two.
    A check of lambda costs nothing, on samples a value, with beta and rho both given a product. A
    rejected trial costs its value, with an operator the gradient there as well, and no product:
    the next trial is made from the same ones.

    Besides, 11 passes over vectors of length n and one transfer to the host (of inner products),
    with a linearised model 8.

    **lambda** has no say in the span of z and Delta_z, which is that of z and Hz + J. So with the
    plain H in the matrix of eq. (18), as it is printed, automatic parameters make lambda
    void; here the matrix has H + lambda, as in the authors' code.

    **z = 0 and collinear directions.** The pair is found in an orthonormal basis of the span.
    Where z is zero or a multiple of Delta_z the span is a line, and the trace has rank 1.

    A trial where f is not finite is a rejection: lambda is raised. That shortens no step with a
    fixed beta, with which the run ends.

    ``detail`` of the trace: `rho`, `beta`, `lam`, `rank`; `curvature`, the least one of H on the
    span; `gamma`, actual over predicted change without damping, where it was computed.

    References
    ----------
    Henriques, Ehrhardt, Albanie and Vedaldi, Small steps and giant leaps: minimal Newton
    solvers for deep learning, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> rosenbrock = tralgos.problems.Rosenbrock(2)
    >>> run = tralgos.minimize(rosenbrock, np.array([-1.0, -1.0]), tralgos.CurveBall())
    >>> run.success, run.x.round(4)
    (True, array([1., 1.]))
    """

    beta: float | None = None
    rho: float | None = None
    lam: float = 1.0
    lam_rule: LamRule | None = None
    hessian: CurvatureKind | None = None
    batch: int | None = None
    second_order: bool | None = None

    def __post_init__(self) -> None:
        if self.beta is not None:
            object.__setattr__(self, "beta", positive_scalar(self.beta, "beta"))
        if self.rho is not None:
            object.__setattr__(self, "rho", self._checked_rho(self.rho))
        object.__setattr__(self, "lam", nonnegative_scalar(self.lam, "lam"))
        automatic = self.beta is None and self.rho is None
        if self.lam_rule is None:
            object.__setattr__(self, "lam_rule", "tracking" if automatic else "fixed")
        check_choice(self.lam_rule, "lam_rule", get_args(LamRule))
        if self.lam_rule == "tracking" and not automatic:
            raise ArgumentError('lam_rule="tracking" needs automatic beta and rho: leave both out')
        if self.hessian is not None:
            check_choice(self.hessian, "hessian", HESSIANS)
        if self.batch is not None:
            object.__setattr__(self, "batch", positive_integer(self.batch, "batch"))
        check_second_order(self.second_order)

    def _checked_rho(self, rho: object) -> float:
        value = number(rho, "rho")
        if self.beta is None and not 0.0 <= value <= 1.0:
            raise ArgumentError(f"rho must lie in [0, 1] where beta is automatic, got {value}")
        if not 0.0 <= value < 5.0:
            raise ArgumentError(
                f"rho must lie in [0, 5), got {value}: beyond, no beta converges on any quadratic"
            )
        return value

    # ------------------------------------------------------------------ what the driver asks

    @property
    def stochastic(self) -> bool:
        """Whether there is a `batch`."""
        return self.batch is not None

    @property
    def fixed(self) -> bool:
        """Whether neither beta nor rho is automatic."""
        return self.beta is not None and self.rho is not None

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the curvature and the terms that are asked for."""
        require_terms(problem.problem, self.batch, "batch")
        of = problem.problem
        if self.hessian is None:
            if not (of.has_linearization or of.has_gauss_newton or of.has_hessian):
                raise ArgumentError(
                    f"{of.name} has neither a Gauss-Newton matrix nor a Hessian: make the method "
                    "with hessian='finite-difference'"
                )
        elif not (self.hessian == "gauss-newton" and of.has_linearization):
            problem.require(self.hessian)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> CurveBallState:
        """The place x0 with z = 0: one value and one gradient, and one product if automatic."""
        sample = draw(problem, self.batch, rng)
        place = self._place(problem, sample, x0)
        try:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                look = place.look(None, 0.0, None, full=self._full(1))
        except NonFiniteError:
            raise NonFiniteError(
                f"the gradient of {problem.problem.name} at x0, or the curvature along it, is NaN "
                "or infinite"
            ) from None
        return CurveBallState(
            x0,
            place.value,
            look.gradient,
            look.gradient_norm,
            look=look,
            lam=self.lam,
            sample=sample,
            least_gradient=look.gradient_norm,
        )

    def restart(
        self, problem: Evaluator, state: State, x: Array, rng: np.random.Generator
    ) -> CurveBallState:
        """As :meth:`init`; a warning that was given is not given again."""
        assert isinstance(state, CurveBallState)
        return replace(self.init(problem, x, rng), warned=state.warned)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> CurveBallState:
        """Trials, mostly one, until one is taken; see the class for the cost."""
        assert isinstance(state, CurveBallState)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return _Iteration(self, problem, state, rng).run()

    # ------------------------------------------------------------------ inside

    def _place(self, problem: Evaluator, sample: Sample | None, x: Array) -> Place:
        return the_place(evaluator_of(problem, sample), x, self._kind(problem))

    def _kind(self, problem: Evaluator) -> CurvatureKind | None:
        """The curvature, None for that of the linearised model."""
        of = problem.problem
        if self.hessian in (None, "gauss-newton") and of.has_linearization:
            return None
        if self.hessian is not None:
            return self.hessian
        return "gauss-newton" if of.has_gauss_newton else "exact"

    def _full(self, step: int) -> bool:
        """Whether the step of that number needs the whole model on the span."""
        return not self.fixed or self._checks(step)

    def _checks(self, step: int) -> bool:
        rule = self.lam_rule
        assert rule is not None
        return rule == "tracking" or checks(rule, step)


@dataclass(frozen=True)
class _Trial:
    """A step z and what it was worth; NaN where f was not asked for."""

    point: Point
    rho: float
    beta: float
    lam: float
    value: float
    ratio: float
    hidden: bool
    taken: bool


class _Iteration:
    """Trials from one state until one is taken."""

    def __init__(
        self, method: CurveBall, problem: Evaluator, state: CurveBallState, rng: np.random.Generator
    ) -> None:
        self._method, self._problem, self._state, self._rng = method, problem, state, rng
        self._rule = method.lam_rule
        self._before = problem.counts.nhvp
        self._level = rounding_level(state.value, eps(state.x.dtype))
        self._trials: list[_Trial] = []
        self._negative: float | None = None

    def run(self) -> CurveBallState:
        """The next state; the same point with an ending where no step can be taken."""
        state, lam = self._state, self._state.lam
        while len(self._trials) < _ATTEMPTS:
            point, rho, beta = self._minimiser(lam)
            trial = _Trial(point, rho, beta, point.lam, math.nan, math.nan, False, True)
            if not point.norm > 0.0:
                return self._at_rest(trial)
            found = self._try(trial)
            if found is not None:
                return found
            if self._method.beta is not None:
                return self._ended(self._lost())
            assert state.look.plane is not None
            lam = _RAISE * max(point.lam, _TANGIBLE * state.look.plane.size)
        hidden = self._trials[-1].hidden and not self._refuted()
        return self._ended(Ending.ROUNDING if hidden else Ending.NO_DECREASE)

    # ------------------------------------------------------------------ the step

    def _minimiser(self, lam: float) -> tuple[Point, float, float]:
        """z as a point of the span, with its rho and its beta."""
        method, look = self._method, self._state.look
        if method.beta is not None or method.rho is not None:
            return self._given(lam)
        plane = look.plane
        assert plane is not None
        if method.lam_rule == "tracking" and plane.rank:
            lam = max(lam, -2.0 * plane.curvatures[0])
        point = plane.damped(lam)
        if point.indefinite:
            self._notice(plane.curvatures[0])
        beta = -point.on_v / look.scale
        rho = 0.0
        if look.q is not None:
            rho = (point.on_q - point.on_v * look.slant) / look.length + beta * point.lam
        return point, rho, beta

    def _given(self, lam: float) -> tuple[Point, float, float]:
        """The same where beta or rho, or both, are given."""
        method, look = self._method, self._state.look
        plane = look.plane
        # z, and Delta_z = v + lam z, by their coefficients.
        old = (look.length if look.q is not None else 0.0, 0.0)
        delta = (look.slant * look.scale + lam * old[0], look.scale)
        rho, beta = method.rho, method.beta
        if beta is None:
            assert rho is not None
            assert plane is not None
            start = (rho * old[0], rho * old[1])
            beta = plane.on_line(start, (-delta[0], -delta[1]), lam)
        elif rho is None:
            assert plane is not None
            start = (-beta * delta[0], -beta * delta[1])
            rho = plane.on_line(start, old, lam) if look.q is not None else 0.0
        on_q, on_v = rho * old[0] - beta * delta[0], rho * old[1] - beta * delta[1]
        f = look.forms
        if f.qHq + lam * f.qq < -_roundings(self._state) * abs(f.qHq):
            self._notice(f.qHq / f.qq)
        if plane is not None:
            point = plane.at(on_q, on_v, lam)
            if point.indefinite:
                self._notice(plane.curvatures[0])
            return point, rho, beta
        return Point(on_q, on_v, _length(f, on_q, on_v), math.nan, lam), rho, beta

    def _notice(self, curvature: float) -> None:
        """Warn of a negative curvature, once a run."""
        if self._state.warned or self._negative is not None:
            return
        self._negative = curvature
        safeguard = "no safeguard" if self._method.fixed else "its absolute value"
        warnings.warn(
            f"the curvature of {self._problem.problem.name} along a direction of CurveBall's is "
            f"{curvature:.3g} in step {self._state.steps + 1}, where its theory needs it positive: "
            f"{safeguard} is used; Gauss-Newton or lam_rule='tracking' avoid it",
            CurvatureWarning,
            stacklevel=2,
        )

    # ------------------------------------------------------------------ its worth

    def _try(self, trial: _Trial) -> CurveBallState | None:
        """The state after the step, or None where it is rejected; the trial is kept."""
        method, state, look = self._method, self._state, self._state.look
        point = trial.point
        terms = [
            (c / point.norm, u)
            for c, u in ((point.on_q, look.q), (point.on_v, look.v))
            if u is not None and c != 0.0
        ]
        q, x, room = move(state.x, terms, point.norm)
        asked = method._checks(state.steps + 1)
        place = None
        value = math.nan
        if state.sample is None:
            place = method._place(self._problem, None, x)
            value = place.value
        elif asked:
            value = evaluator_of(self._problem, state.sample).value(x)
        trial = self._judged(trial, value, asked=asked or state.sample is None)
        self._trials.append(trial)
        if not trial.taken:
            return None
        following_ = self._follow(trial, (q, room), x, place)
        if following_ is None:
            self._trials[-1] = replace(trial, taken=False, value=math.nan, ratio=math.nan)
        return following_

    def _judged(self, trial: _Trial, value: float, *, asked: bool) -> _Trial:
        """The trial with its ratio, and whether it is taken."""
        if not asked:
            return replace(trial, taken=True)
        state, predicted = self._state, trial.point.predicted
        finite = math.isfinite(value)
        if math.isnan(predicted):
            hidden = abs(value - state.value) <= self._level
            return replace(trial, value=value, hidden=hidden, taken=finite)
        hidden = unseen(abs(predicted), self._level)
        ratio = decrease_ratio(state.value, value, -predicted, self._level)
        taken = finite
        if self._rule == "tracking":
            taken = ratio >= _TAKEN
        return replace(trial, value=value, ratio=ratio, hidden=hidden, taken=taken)

    def _follow(
        self, trial: _Trial, block: tuple[Array, Array], x: Array, place: Place | None
    ) -> CurveBallState | None:
        """The state at x with z; None where a derivative is not finite there."""
        method, state = self._method, self._state
        sample = state.sample
        if place is None:
            sample = draw(self._problem, method.batch, self._rng)
            place = method._place(self._problem, sample, x)
        if not math.isfinite(place.value):
            return None
        try:
            scale = self._next_scale()
            full = method._full(state.steps + 2)
            look = place.look(block[0], trial.point.norm, scale, full=full, room=block[1])
        except NonFiniteError:
            return None
        lam, window = self._next_lam(trial, look)
        size = look.gradient_norm
        fallen = size < state.least_gradient
        stalled = 0 if fallen or not trial.hidden or method.stochastic else state.stalled + 1
        refuted = stalled > 0 and (self._refuted() or state.refuted)
        standstill = Ending.NO_DECREASE if refuted else Ending.ROUNDING
        patience = max(_PATIENCE, _PATIENCE_SHARE * state.steps)
        return CurveBallState(
            x,
            place.value,
            look.gradient,
            size,
            self._records(),
            standstill if stalled > patience else None,
            look=look,
            lam=lam,
            window=window,
            steps=state.steps + 1,
            sample=sample,
            stalled=stalled,
            refuted=refuted,
            least_gradient=min(state.least_gradient, size),
            warned=state.warned or self._negative is not None,
        )

    def _refuted(self) -> bool:
        """Whether a trial has not decreased f, by more than could be an error of f."""
        value, unit = self._state.value, eps(self._state.x.dtype)
        return any(
            not trial.taken
            and math.isfinite(trial.value)
            and not doubtful(abs(trial.point.predicted), value, unit)
            for trial in self._trials
        )

    def _next_scale(self) -> float:
        look = self._state.look
        size = math.sqrt(look.forms.vv)
        return look.scale * power_of_two(size) if size > 0.0 else look.scale

    def _next_lam(self, trial: _Trial, look: Look) -> tuple[float, Window]:
        """lambda of the next step, and the curvatures seen."""
        rule, state = self._rule, self._state
        assert rule is not None
        observed = self._observed(trial)
        if rule == "tracking":
            assert look.plane is not None
            window = remembered(state.window, look.plane)
            whole = look.plane.rank == state.x.shape[0]
            strays = 0.0 if whole else deviation(look.plane, trial.point.norm, trial.lam)
            gamma = 1.0 if trial.hidden else observed.gamma()
            lam = tracked(trial.lam, gamma, strays, window)
            # A lambda in units of another problem would be halved until patience ends.
            alien = trial.hidden and state.steps == 0
            return (proportionate(lam, window) if alien else lam), window
        if trial.hidden or not checks(rule, state.steps + 1):
            return trial.lam, ()
        return following(rule, trial.lam, observed), ()

    def _observed(self, trial: _Trial) -> Observed:
        penalty = 0.5 * trial.lam * trial.point.norm * trial.point.norm
        return Observed(trial.value - self._state.value, trial.point.predicted, penalty)

    # ------------------------------------------------------------------ no step

    def _at_rest(self, trial: _Trial) -> CurveBallState:
        """The span has no step to offer: z begins anew from zero, at a gradient of its own."""
        method, state = self._method, self._state
        self._trials.append(trial)
        if state.look.q is None and not method.stochastic:
            ending = Ending.NO_DECREASE if state.gradient_norm > 0.0 else None
            return replace(state, records=self._records(), ending=ending)
        sample = draw(self._problem, method.batch, self._rng)
        place = method._place(self._problem, sample, state.x)
        full = method._full(state.steps + 2)
        try:
            look = place.look(None, 0.0, None, full=full)
        except NonFiniteError:
            return self._ended(Ending.NON_FINITE)
        return replace(
            state,
            value=place.value,
            gradient=look.gradient,
            gradient_norm=look.gradient_norm,
            records=self._records(),
            look=look,
            steps=state.steps + 1,
            sample=sample,
        )

    def _lost(self) -> Ending:
        """How a run with a fixed beta ends where f has been left."""
        return Ending.UNBOUNDED if self._trials[-1].value == -math.inf else Ending.NON_FINITE

    def _ended(self, ending: Ending) -> CurveBallState:
        return replace(self._state, records=self._records(), ending=ending)

    def _records(self) -> tuple[StepRecord, ...]:
        """One a trial; the products stand with the last."""
        spent = self._problem.counts.nhvp - self._before
        plane = self._state.look.plane
        last = len(self._trials) - 1
        records = []
        for k, trial in enumerate(self._trials):
            detail = {"rho": trial.rho, "beta": trial.beta, "lam": trial.lam}
            if plane is not None:
                detail["rank"] = float(plane.rank)
                detail["curvature"] = plane.curvatures[0] if plane.rank else math.nan
            if not math.isnan(trial.ratio):
                detail["gamma"] = self._observed(trial).gamma()
            records.append(
                StepRecord(
                    accepted=trial.taken,
                    step_norm=trial.point.norm,
                    ratio=None if math.isnan(trial.ratio) else trial.ratio,
                    matvecs=spent if k == last else 0,
                    detail=detail,
                )
            )
        return tuple(records)


def _length(f: Forms, on_q: float, on_v: float) -> float:
    """Of on_q q + on_v v. Where they cancel that of one of them: any will do for a scale, but 0."""
    size = max(abs(on_q) * math.sqrt(f.qq), abs(on_v) * math.sqrt(f.vv))
    if size == 0.0:
        return 0.0
    a, b = on_q / size, on_v / size
    square = a * a * f.qq + 2.0 * a * b * f.qv + b * b * f.vv
    return size * math.sqrt(square) if square > 0.0 else size


def _roundings(state: CurveBallState) -> float:
    return 64.0 * eps(state.x.dtype)
