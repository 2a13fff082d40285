"""Gradient descent, with a search for the rate or with rates that are given."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from tralgos.arrays import Array, eps, namespace, to_float
from tralgos.errors import ArgumentError
from tralgos.methods.acceptance import (
    decrease_ratio,
    gradient_decrease,
    rounding_level,
    shrink_factor,
    unseen,
)
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.first_order import FirstOrder, FirstOrderState, ImplicitRegion
from tralgos.methods.protocol import State, StepRecord, check_second_order
from tralgos.methods.schedules import Rate
from tralgos.norms import EuclideanNorm

__all__ = ["GradientDescent", "GradientDescentState"]

#: The share of the decrease of the linear model that a step must attain (Armijo).
_ARMIJO = 0.1
#: Factors of the rate after a first trial that was taken; the second one where f was almost
#: linear along it: by that share of the decrease the minimum is at least five times as far.
_GROWTH, _LEAP, _LINEAR = 2.0, 10.0, 0.9
#: Bounds on the factor of one backtracking step.
_LEAST, _MOST = 0.1, 0.5
#: Steps below the rounding of f in a row that may pass without a smaller gradient.
_PATIENCE = 100


@dataclass(frozen=True)
class GradientDescentState(FirstOrderState):
    """State of :class:`GradientDescent` with backtracking.

    Attributes
    ----------
    radius : float
        Length of the first trial of the next step.
    stalled : int
        Steps below the rounding of f since the gradient last fell.
    least_gradient : float
        The smallest norm of a gradient so far.
    """

    radius: float = 1.0
    stalled: int = 0
    least_gradient: float = math.inf


@dataclass(frozen=True, kw_only=True)
class GradientDescent(FirstOrder):
    """Gradient descent: x_{k+1} = x_k - rate_k g_k.

    Parameters
    ----------
    rate : float, callable or "backtracking"
        The default searches for a rate at which f falls by a tenth of what the gradient
        promises. The first trial of all has the length of x_0 (or 1 where x_0 = 0), so
        that multiples of f have the same iterates; later ones begin with the rate of the
        step before, or twice or ten times that where it was taken at once.
        A number or a schedule as for :class:`FirstOrder`.
    batch : int, optional
        As for :class:`FirstOrder`; needs a rate of its own, for values of different samples
        do not compare.
    second_order : bool or None
        As for :class:`FirstOrder`.

    Raises
    ------
    ArgumentError
        As for :class:`FirstOrder`; for a `batch` with backtracking.

    Notes
    -----
    A search costs one value a trial and one gradient in all. Host transfers: 2 a trial, which
    makes 2 an iteration with a rate of its own; at decreases that rounding hides, where
    acceptance is judged by gradients, one gradient and three more transfers a trial. A trial that
    is not finite is a rejection. Where no trial is left that changes x, the run ends: with
    :attr:`Ending.ROUNDING` if f was level there, else with :attr:`Ending.NO_DECREASE`. It
    ends with the former too after 100 steps that rounding hides, without a smaller gradient.
    """

    rate: Rate | Literal["backtracking"] = "backtracking"

    def __post_init__(self) -> None:
        check_second_order(self.second_order)
        if isinstance(self.rate, str):
            if self.rate != "backtracking":
                raise ArgumentError(
                    'rate must be a positive number, a callable or "backtracking", '
                    f"got {self.rate!r}"
                )
            if self.batch is not None:
                raise ArgumentError(
                    "batch needs a rate that is a number or a callable: backtracking compares "
                    "values, and those of different samples do not compare"
                )
            return
        super().__post_init__()

    def _direction(self, state: FirstOrderState) -> Array:
        return state.gradient

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> FirstOrderState:
        """One value and one gradient; two host transfers, three with backtracking."""
        state = super().init(problem, x0, rng)
        if self.rate != "backtracking":
            return state
        given = {f.name: getattr(state, f.name) for f in fields(state)}
        return GradientDescentState(
            **given, radius=_first_radius(x0), least_gradient=state.gradient_norm
        )

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> FirstOrderState:
        """One gradient, and one value a trial."""
        if self.rate != "backtracking":
            return super().step(problem, state, rng)
        assert isinstance(state, GradientDescentState)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return _Backtracking(problem, state).run()

    def implicit_region(self, state: State) -> ImplicitRegion:
        """As for :class:`FirstOrder`; with backtracking, that of the first trial.

        The search moves the radius as a trust-region method does: each rejection makes it
        smaller, a trial that is taken at once widens the region of the next step.
        """
        if self.rate != "backtracking":
            return super().implicit_region(state)
        assert isinstance(state, GradientDescentState)
        radius = state.radius if state.gradient_norm > 0.0 else 0.0
        return ImplicitRegion(state.space.norm(state.gradient), radius, state.gradient)


@dataclass(frozen=True)
class _Trial:
    """A point on the ray, and what it was worth; the gradient where it was needed."""

    x: Array
    radius: float
    value: float
    ratio: float
    rise: float
    hidden: bool
    gradient: Array | None = None
    gradient_norm: float = math.nan


class _Backtracking:
    """Radii along -g until a step is taken."""

    def __init__(self, problem: Evaluator, state: GradientDescentState) -> None:
        self._problem = problem
        self._state = state
        self._unit = state.gradient / (state.gradient_norm or 1.0)
        self._level = rounding_level(state.value, eps(state.x.dtype))
        self._trials: list[_Trial] = []

    def run(self) -> GradientDescentState:
        """The next state; the same point with an ending where no step can be taken."""
        state, radius = self._state, self._state.radius
        fresh = False
        while True:
            trial = self._try(radius)
            if trial is None and not (self._trials or fresh):
                # The rate has collapsed on the way here; that need not hold any more.
                radius, fresh = _first_radius(state.x), True
                continue
            if trial is None:
                return replace(state, records=self._records(None), ending=self._ending())
            self._trials.append(trial)
            if trial.ratio >= _ARMIJO:
                return self._follow(trial)
            radius *= shrink_factor(-radius * state.gradient_norm, trial.rise, _LEAST, _MOST)

    def _try(self, radius: float) -> _Trial | None:
        """Evaluate a trial; None where it does not change x."""
        state, problem = self._state, self._problem
        predicted = radius * state.gradient_norm
        hidden = unseen(predicted, self._level)
        x = state.x - radius * self._unit
        # A first trial of a visible decrease is rejected by its value where x has not moved.
        if (hidden or self._trials) and not _moved(x, state.x):
            return None
        value = problem.value(x)
        ratio = decrease_ratio(state.value, value, predicted, self._level)
        rise = value - state.value
        if not (math.isfinite(value) and (hidden or ratio >= _ARMIJO)):
            return _Trial(x, radius, value, ratio, rise, hidden)
        gradient = problem.gradient(x)
        size = EuclideanNorm().norm(gradient)
        if not math.isfinite(size):
            return _Trial(x, radius, value, math.nan, math.nan, hidden)
        if hidden:
            slope = -radius * EuclideanNorm().inner(gradient, self._unit)
            decrease = gradient_decrease(-predicted, slope)
            above = value > state.value + self._level
            ratio = -math.inf if above or predicted == 0.0 else decrease / predicted
            rise = rise if above else -decrease
        return _Trial(x, radius, value, ratio, rise, hidden, gradient, size)

    def _follow(self, taken: _Trial) -> GradientDescentState:
        state, size = self._state, taken.gradient_norm
        growth = 1.0
        if len(self._trials) == 1:
            growth = _LEAP if taken.ratio >= _LINEAR else _GROWTH
        fallen = size < state.least_gradient
        stalled = 0 if fallen or not taken.hidden else state.stalled + 1
        return replace(
            state,
            x=taken.x,
            value=taken.value,
            gradient=taken.gradient,
            gradient_norm=size,
            records=self._records(taken),
            ending=Ending.ROUNDING if stalled > _PATIENCE else None,
            steps=state.steps + 1,
            # The rate is carried over, not the length.
            radius=growth * taken.radius * (size / state.gradient_norm),
            stalled=stalled,
            least_gradient=min(state.least_gradient, size),
        )

    def _ending(self) -> Ending:
        """Why no trial is left."""
        if not self._trials:
            return Ending.ROUNDING
        last = self._trials[-1]
        level = not math.isnan(last.ratio) and abs(last.value - self._state.value) <= self._level
        return Ending.ROUNDING if level else Ending.NO_DECREASE

    def _records(self, taken: _Trial | None) -> tuple[StepRecord, ...]:
        """One a trial."""
        return tuple(
            StepRecord(
                accepted=trial is taken,
                step_norm=trial.radius,
                ratio=trial.ratio,
                radius=trial.radius,
            )
            for trial in self._trials
        )


def _first_radius(x: Array) -> float:
    """The length of x, or 1 where it has none: one host transfer."""
    return EuclideanNorm().norm(x) or 1.0


def _moved(x: Array, other: Array) -> bool:
    """Whether two points differ: one host transfer."""
    return to_float(namespace(x).max(abs(x - other))) != 0.0
