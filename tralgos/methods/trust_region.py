"""The deterministic trust-region method, in any norm, adaptive ones included."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tralgos.arguments import positive_scalar
from tralgos.arrays import Array, eps, namespace, to_float
from tralgos.errors import ArgumentError
from tralgos.methods.acceptance import (
    decrease_ratio,
    gradient_decrease,
    rounding_level,
    unseen,
)
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import CurvatureKind, Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerSolver, InnerStep
from tralgos.methods.inner_choice import InnerChoice, checked_choice, inner_solver
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, StepRecord
from tralgos.methods.radius import RadiusRule, RuleName, radius_rule
from tralgos.methods.space import Space
from tralgos.norms import EuclideanNorm, Norm

__all__ = ["TrustRegion", "TrustRegionState"]

#: Steps below the rounding of f in a row that may pass without a smaller gradient.
_PATIENCE = 3


@dataclass(frozen=True)
class TrustRegionState(State):
    """State of :class:`TrustRegion`.

    Attributes
    ----------
    radius : float or None
        None before the first curvature is known.
    space : Space
        The norm, and what it has accumulated.
    forcing : Forcing
        How accurately the next model is to be solved.
    stalled : int
        Steps below the rounding of f since the gradient last fell.
    """

    radius: float | None = None
    space: Space = field(default_factory=Space)
    forcing: Forcing = field(default_factory=Forcing)
    stalled: int = 0
    least_gradient: float = math.inf


@dataclass(frozen=True)
class _Trial:
    """A step, where it leads, and what it was worth."""

    step: InnerStep
    radius: float
    x: Array
    value: float
    slope: float
    ratio: float
    gradient: Array | None = None


@dataclass(frozen=True, kw_only=True)
class TrustRegion(Method):
    """To be documented."""

    norm: Any = None
    subproblem: InnerChoice = "auto"
    hessian: CurvatureKind = "exact"
    rule: RuleName = "practice"
    radius: float | None = None
    max_radius: float = math.inf
    eta1: float | None = None
    eta2: float | None = None
    grow: float | None = None
    shrink: float | None = None
    norm_power: float = 1.0
    second_order: bool | None = None

    def __post_init__(self) -> None:
        checked_choice(self.subproblem)
        self._rule()
        if self.radius is not None:
            positive_scalar(self.radius, "radius")
        if not self.max_radius > 0.0:
            raise ArgumentError(f"max_radius must be positive, got {self.max_radius}")

    def _rule(self) -> RadiusRule:
        return radius_rule(self.rule, self.eta1, self.eta2, self.grow, self.shrink)

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the Hessian that is asked for."""
        problem.require(self.hessian)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> State:
        """One value and one gradient."""
        value, gradient = problem.value_and_gradient(x0)
        size = EuclideanNorm().norm(gradient)
        space = Space.begin(self.norm, self.norm_power, gradient)
        return TrustRegionState(
            x0, value, gradient, size, radius=self.radius, space=space, least_gradient=size
        )

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        """One Hessian; radii are tried until a step is taken."""
        assert isinstance(state, TrustRegionState)
        before = problem.counts.nhvp
        norm = state.space.norm(state.gradient)
        H = problem.curvature(state.x, self.hessian, gradient=state.gradient)
        inner = inner_solver(self.subproblem, problem, H, state.gradient, norm, state.forcing, rng)
        search = _Search(problem, state, inner, self._rule(), self.max_radius)
        taken = search.run(state.radius or _first_radius(inner, norm, state.x))
        records = search.records(problem.counts.nhvp - before)
        if taken is None:
            return replace(state, records=records, ending=search.ending)
        return self._follow(problem, state, taken, search.radius, records)

    def _follow(
        self,
        problem: Evaluator,
        state: TrustRegionState,
        taken: _Trial,
        radius: float,
        records: tuple[StepRecord, ...],
    ) -> State:
        gradient = taken.gradient if taken.gradient is not None else problem.gradient(taken.x)
        size = EuclideanNorm().norm(gradient)
        hidden = unseen(taken.step.decrease, rounding_level(state.value, eps(state.x.dtype)))
        fallen = size <= 0.5 * state.least_gradient
        stalled = 0 if fallen or not hidden else state.stalled + 1
        following = TrustRegionState(
            taken.x,
            taken.value,
            gradient,
            size,
            records,
            radius=radius,
            space=state.space.after(gradient),
            forcing=state.forcing.after(
                state.gradient_norm, taken.step.residual, size, taken.step.on_boundary
            ),
            stalled=stalled,
            least_gradient=min(state.least_gradient, size),
        )
        if stalled > _PATIENCE:
            return replace(following, ending=Ending.ROUNDING)
        return following


class _Search:
    """Radii at one point until a step is taken: one model, one Krylov space."""

    def __init__(
        self,
        problem: Evaluator,
        state: TrustRegionState,
        inner: InnerSolver,
        rule: RadiusRule,
        max_radius: float,
    ) -> None:
        self._problem = problem
        self._state = state
        self._inner = inner
        self._rule = rule
        self._max_radius = max_radius
        self._level = rounding_level(state.value, eps(state.x.dtype))
        self._trials: list[_Trial] = []
        self._taken: _Trial | None = None
        self.radius = 0.0
        self.ending = Ending.NO_DECREASE

    def run(self, radius: float) -> _Trial | None:
        """The step taken; None where rounding or the function allows none."""
        radius = min(radius, self._max_radius)
        while True:
            trial = self._try(self._inner.trust_region(radius), radius)
            if trial is None:
                self.ending = Ending.ROUNDING
                return None
            if self._rule.accepts(trial.ratio):
                break
            radius = self._rule.rejected(
                radius, trial.step, trial.slope, trial.value - self._state.value
            )
        trial = self._wider(trial)
        self._taken = trial
        self.radius = min(
            self._rule.accepted(trial.radius, trial.step, trial.ratio), self._max_radius
        )
        return trial

    def _wider(self, trial: _Trial) -> _Trial:
        """The best of wider radii in the same space, while they lower f as the model says."""
        rule = self._rule
        while (
            rule.looks_ahead
            and trial.step.on_boundary
            and trial.ratio >= rule.eta2
            and trial.gradient is None
        ):
            radius = min(rule.grow * trial.radius, self._max_radius)
            step = self._inner.again(radius) if radius > trial.radius else None
            if step is None or step.decrease <= 1.1 * trial.step.decrease:
                break
            wider = self._try(step, radius)
            if wider is None or not rule.accepts(wider.ratio) or wider.value >= trial.value:
                break
            trial = wider
        return trial

    def _try(self, step: InnerStep, radius: float) -> _Trial | None:
        """Evaluate a step; None where it does not change x, or promises nothing."""
        state, xp = self._state, namespace(self._state.x)
        x = state.x + step.vector
        moved = to_float(xp.max(xp.abs(x - state.x)))
        if not step.decrease > 0.0 or moved == 0.0:
            return None
        value = self._problem.value(x)
        slope = EuclideanNorm().inner(state.gradient, step.vector)
        ratio = decrease_ratio(state.value, value, step.decrease, self._level)
        gradient = None
        if math.isfinite(value) and unseen(step.decrease, self._level):
            gradient = self._problem.gradient(x)
            trial_slope = EuclideanNorm().inner(gradient, step.vector)
            ratio = gradient_decrease(slope, trial_slope) / step.decrease
            if value > state.value + self._level:
                ratio = min(ratio, 0.0)
        trial = _Trial(step, radius, x, value, slope, ratio, gradient)
        self._trials.append(trial)
        return trial

    def records(self, matvecs: int) -> tuple[StepRecord, ...]:
        """One a trial; the products of the whole search stand with the first."""
        return tuple(
            StepRecord(
                accepted=trial is self._taken,
                step_norm=trial.step.norm,
                ratio=trial.ratio,
                radius=trial.radius,
                matvecs=matvecs if k == 0 else 0,
                subproblem=trial.step.status,
                gap=trial.step.gap,
            )
            for k, trial in enumerate(self._trials)
        )


def _first_radius(inner: InnerSolver, norm: Norm, x: Array) -> float:
    """A multiple of the Cauchy step where the curvature along it is positive."""
    curvature, slope = inner.curvature_along_gradient(), inner.gradient_norm
    if curvature > 0.0:
        return 10.0 * slope / curvature
    size = norm.norm(x)
    return size if size > 0.0 else 1.0
