"""One iteration of CurveBall: trials from one state until one is taken."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tralgos.arrays import Array, eps
from tralgos.errors import CurvatureWarning, NonFiniteError
from tralgos.methods.acceptance import decrease_ratio, doubtful, rounding_level, unseen
from tralgos.methods.curveball_kernels import move
from tralgos.methods.curveball_look import Look, Place, power_of_two
from tralgos.methods.curveball_parameters import Choice, automatic, given
from tralgos.methods.damping import Observed, checks, following
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.plane import Point
from tralgos.methods.protocol import State, StepRecord
from tralgos.methods.samples import Sample, draw, evaluator_of
from tralgos.methods.tracking import Window, deviation, proportionate, remembered, tracked

if TYPE_CHECKING:
    from tralgos.methods.curveball import CurveBall

__all__ = ["CurveBallState", "Iteration"]

#: Trials of one step before the method gives up.
_ATTEMPTS = 60
#: Factor of lambda after a rejected trial.
_RAISE = 4.0
#: It is not below this share of the curvature then.
_TANGIBLE = 1e-3
#: The tracking rule takes a step from this ratio of actual to predicted decrease on.
_TAKEN = 1e-4
#: It takes so many steps up besides until f is lower than ever, by a ratio of no less.
_LEAPS, _LEAP = 3, -10.0
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
    leaps : int
        Steps up that the rule "tracking" has taken since f was last lower than ever.
    least_value : float
        The smallest f so far.
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
    leaps: int = 0
    least_value: float = math.inf
    stalled: int = 0
    refuted: bool = False
    least_gradient: float = math.inf
    warned: bool = False


@dataclass(frozen=True)
class Trial:
    """A step z and what it was worth; NaN where f was not asked for."""

    choice: Choice
    value: float = math.nan
    ratio: float = math.nan
    hidden: bool = False
    taken: bool = True
    leap: bool = False

    @property
    def point(self) -> Point:
        """z, as a point of the span."""
        return self.choice.point

    @property
    def lam(self) -> float:
        """That it was made with."""
        return self.choice.point.lam


class Iteration:
    """Trials from one state until one is taken."""

    def __init__(
        self, method: CurveBall, problem: Evaluator, state: CurveBallState, rng: np.random.Generator
    ) -> None:
        self._method, self._problem, self._state, self._rng = method, problem, state, rng
        self._rule = method.lam_rule
        self._before = problem.counts.nhvp
        self._level = rounding_level(state.value, eps(state.x.dtype))
        self._trials: list[Trial] = []
        self._warned = state.warned

    def run(self) -> CurveBallState:
        """The next state; the same point with an ending where no step can be taken."""
        state, lam = self._state, self._state.lam
        while len(self._trials) < _ATTEMPTS:
            trial = Trial(self._choice(lam))
            if not trial.point.norm > 0.0:
                return self._at_rest(trial)
            found = self._try(trial)
            if found is not None:
                return found
            if self._method.beta is not None:
                return self._ended(self._lost())
            assert state.look.plane is not None
            lam = _RAISE * max(trial.lam, _TANGIBLE * state.look.plane.size)
        last = self._trials[-1]
        hidden = last.hidden and math.isfinite(last.value) and not self._refuted()
        return self._ended(Ending.ROUNDING if hidden else Ending.NO_DECREASE)

    # ------------------------------------------------------------------ the step

    def _choice(self, lam: float) -> Choice:
        """The next z; a warning the first time that a curvature is negative."""
        method, look = self._method, self._state.look
        if method.beta is not None or method.rho is not None:
            choice = given(look, method.rho, method.beta, lam)
        else:
            assert look.plane is not None
            if self._rule == "tracking" and look.plane.rank:
                lam = max(lam, -2.0 * look.plane.curvatures[0])
            choice = automatic(look, lam)
        if choice.negative is not None and not self._warned:
            self._warned = True
            self._warn(choice.negative)
        return choice

    def _warn(self, curvature: float) -> None:
        safeguard = "no safeguard" if self._method.fixed else "its absolute value"
        warnings.warn(
            f"the curvature of {self._problem.problem.name} along a direction of CurveBall's is "
            f"{curvature:.3g} in step {self._state.steps + 1}, where its theory needs it positive: "
            f"{safeguard} is used; Gauss-Newton or lam_rule='tracking' avoid it",
            CurvatureWarning,
            stacklevel=2,
        )

    # ------------------------------------------------------------------ its worth

    def _try(self, trial: Trial) -> CurveBallState | None:
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
        found = self._follow(trial, (q, room), x, place)
        if found is None:
            self._trials[-1] = replace(trial, taken=False, value=math.nan, ratio=math.nan)
        return found

    def _judged(self, trial: Trial, value: float, *, asked: bool) -> Trial:
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
        if self._rule != "tracking" or ratio >= _TAKEN:
            return replace(trial, value=value, ratio=ratio, hidden=hidden, taken=finite)
        # A curved valley is crossed by a step up its side and one down from there.
        leap = finite and not hidden and ratio >= _LEAP and state.leaps < _LEAPS
        return replace(trial, value=value, ratio=ratio, hidden=hidden, taken=leap, leap=leap)

    def _follow(
        self, trial: Trial, block: tuple[Array, Array], x: Array, place: Place | None
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
            leaps=self._leaps(trial),
            least_value=min(state.least_value, place.value),
            stalled=stalled,
            refuted=refuted,
            least_gradient=min(state.least_gradient, size),
            warned=self._warned,
        )

    def _leaps(self, trial: Trial) -> int:
        """Steps up since f was last lower than ever; samples do not compare."""
        state = self._state
        if self._method.stochastic or trial.value < state.least_value:
            return 0
        return state.leaps + 1 if trial.leap else state.leaps

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

    def _next_lam(self, trial: Trial, look: Look) -> tuple[float, Window]:
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

    def _observed(self, trial: Trial) -> Observed:
        penalty = 0.5 * trial.lam * trial.point.norm * trial.point.norm
        return Observed(trial.value - self._state.value, trial.point.predicted, penalty)

    # ------------------------------------------------------------------ no step

    def _at_rest(self, trial: Trial) -> CurveBallState:
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
            warned=self._warned,
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
            choice = trial.choice
            detail = {"rho": choice.rho, "beta": choice.beta, "lam": trial.lam}
            if plane is not None:
                detail["rank"] = float(plane.rank)
                detail["curvature"] = plane.curvatures[0] if plane.rank else math.nan
            if not math.isnan(trial.ratio):
                detail["gamma"] = self._observed(trial).gamma()
                detail["predicted"] = trial.point.predicted
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
