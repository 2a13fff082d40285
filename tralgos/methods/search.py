"""The search at one point: one model, trial steps until one is taken.

The trust-region method and cubic regularisation differ in the parameter of their
subproblem alone (a radius, or a weight sigma). Both make the model once, and a
rejection changes the parameter and solves in the same Krylov space.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from tralgos.arrays import Array, eps, namespace, to_float, to_host
from tralgos.kernels import inner
from tralgos.methods.acceptance import (
    decrease_ratio,
    doubtful,
    gradient_decrease,
    rounding_level,
    unseen,
)
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.inner import InnerSolver, InnerStep
from tralgos.methods.protocol import State, StepRecord
from tralgos.norms import EuclideanNorm

__all__ = ["Control", "Search", "Trial"]

#: Longer steps that are tried from one point: a function without a bottom has no last one.
_BOLDER = 10


@dataclass(frozen=True)
class Trial:
    """A step, where it leads, and what it was worth.

    Attributes
    ----------
    step : InnerStep
    parameter : float
        The radius or sigma that gave it.
    x : array, shape (n,)
        The trial point.
    value : float
        f there.
    slope : float
        g's.
    ratio : float
        Actual over predicted decrease; NaN where the trial is not finite.
    gradient : array, shape (n,), or None
        At the trial point, where the ratio needed it.
    """

    step: InnerStep
    parameter: float
    x: Array
    value: float
    slope: float
    ratio: float
    gradient: Array | None = None


class Control(Protocol):
    """How the parameter of the subproblem follows the ratio."""

    @property
    def looks_ahead(self) -> bool:
        """Whether bolder parameters may be tried from the same point where the model is good."""

    def first(self, inner: InnerSolver, size: float) -> float:
        """The first parameter of a run; `size` is that of x."""

    def solve(self, inner: InnerSolver, parameter: float) -> InnerStep:
        """The step of the model for a parameter."""

    def again(self, inner: InnerSolver, parameter: float) -> InnerStep | None:
        """The same at no product; None if that can not be had."""

    def accepts(self, ratio: float) -> bool:
        """Whether a step of this ratio is taken; NaN is not."""

    def bolder(self, trial: Trial) -> float | None:
        """A parameter that allows a longer step, where this trial asks for one."""

    def rejected(self, trial: Trial, rise: float) -> float:
        """The parameter after a rejection; `rise` is f(x + s) - f(x)."""

    def accepted(self, trial: Trial, *, overreached: bool) -> float:
        """The parameter after a step was taken; `overreached` if a bolder one has failed."""

    def radius_and_sigma(self, trial: Trial) -> tuple[float | None, float | None]:
        """The parameter, in the place that it has in the trace."""


class Search:
    """Trial steps at one point.

    Parameters
    ----------
    problem : Evaluator
    state : State
        Where the model was made.
    solver : InnerSolver
        The model.
    control : Control

    Attributes
    ----------
    overreached : bool
        Whether a bolder parameter than the one that is taken has failed.
    """

    def __init__(
        self, problem: Evaluator, state: State, solver: InnerSolver, control: Control
    ) -> None:
        self._problem = problem
        self._state = state
        self._solver = solver
        self._control = control
        self._eps = eps(state.x.dtype)
        self._level = rounding_level(state.value, self._eps)
        self._trials: list[Trial] = []
        self._taken: Trial | None = None
        self.overreached = False

    def run(self, parameter: float) -> Trial | None:
        """The trial that is taken; None where rounding leaves no step."""
        control = self._control
        while True:
            step = control.solve(self._solver, parameter)
            moved, slope = self._along(step)
            if not moved > 0.0:
                return None
            # A model that rounding keeps from a decrease is as good as a trial that failed.
            if step.decrease > 0.0:
                trial = self._try(step, parameter, slope)
            else:
                trial = self._none(step, parameter)
            if control.accepts(trial.ratio):
                self._taken = self._bolder(trial)
                return self._taken
            parameter = control.rejected(trial, trial.value - self._state.value)

    @property
    def refuted(self) -> bool:
        """Whether a trial failed of which f could have shown the decrease."""
        value = self._state.value
        failed = [trial for trial in self._trials if not self._control.accepts(trial.ratio)]
        return any(not doubtful(trial.step.decrease, value, self._eps) for trial in failed)

    def _bolder(self, trial: Trial) -> Trial:
        """The best of longer steps of the same model, while they lower f as it says.

        They cost a value each and no product.
        """
        control = self._control
        for _ in range(_BOLDER if control.looks_ahead else 0):
            if trial.gradient is not None:
                break
            parameter = control.bolder(trial)
            step = None if parameter is None else control.again(self._solver, parameter)
            if parameter is None or step is None or step.norm <= 1.1 * trial.step.norm:
                break
            longer = self._try(step, parameter, self._along(step)[1])
            if not control.accepts(longer.ratio) or not longer.value < trial.value:
                self.overreached = True
                break
            trial = longer
        return trial

    def _along(self, step: InnerStep) -> tuple[float, float]:
        """The largest change of x by a step, and the slope along it: one host transfer."""
        state, xp = self._state, namespace(self._state.x)
        moved = xp.max(xp.abs(state.x + step.vector - state.x))
        slope = inner(state.gradient, step.vector, xp)
        largest, along = to_host(xp.stack([moved, slope])).tolist()
        return largest, along

    def _none(self, step: InnerStep, parameter: float) -> Trial:
        """The trial of a step that promises nothing: not evaluated, and rejected."""
        return Trial(step, parameter, self._state.x, math.nan, 0.0, math.nan)

    def _try(self, step: InnerStep, parameter: float, slope: float) -> Trial:
        """Evaluate a step."""
        state = self._state
        x = state.x + step.vector
        value = self._problem.value(x)
        ratio = decrease_ratio(state.value, value, step.decrease, self._level)
        gradient = None
        if math.isfinite(value) and self._needs_gradient(step.decrease, ratio):
            gradient = self._problem.gradient(x)
            ratio = self._ratio_of_gradients(step, slope, value, gradient)
        trial = Trial(step, parameter, x, value, slope, ratio, gradient)
        self._trials.append(trial)
        return trial

    def _needs_gradient(self, predicted: float, ratio: float) -> bool:
        """Whether f alone can not decide on a trial."""
        if unseen(predicted, self._level):
            return True
        value = self._state.value
        return not self._control.accepts(ratio) and doubtful(predicted, value, self._eps)

    def _ratio_of_gradients(
        self, step: InnerStep, slope: float, value: float, gradient: Array
    ) -> float:
        """Actual over predicted decrease by the gradients at both ends; -inf where f rises.

        It counts if f rises by no more than rounding, or by what may be rounding while the
        gradient falls.
        """
        state, xp = self._state, namespace(gradient)
        trial_slope = to_float(inner(gradient, step.vector, xp))
        ratio = gradient_decrease(slope, trial_slope) / step.decrease
        rise = value - state.value
        falls = EuclideanNorm().norm(gradient) < state.gradient_norm
        allowed = math.sqrt(self._eps) * abs(state.value) if falls else self._level
        return ratio if rise <= allowed else -math.inf

    def records(self, matvecs: int) -> tuple[StepRecord, ...]:
        """One a trial; the products of the whole search stand with the first."""
        records = []
        for k, trial in enumerate(self._trials):
            radius, sigma = self._control.radius_and_sigma(trial)
            records.append(
                StepRecord(
                    accepted=trial is self._taken,
                    step_norm=trial.step.norm,
                    ratio=trial.ratio,
                    radius=radius,
                    sigma=sigma,
                    matvecs=matvecs if k == 0 else 0,
                    subproblem=trial.step.status,
                    gap=trial.step.gap,
                )
            )
        return tuple(records)
