"""From an outcome in scaled units to the result that the caller sees."""

from __future__ import annotations

import math

from tralgos.arrays import Array
from tralgos.subproblems.certify import Outcome, gap_of_rounding
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.model import Model
from tralgos.subproblems.result import Certificate, Evidence, Status, SubproblemResult
from tralgos.subproblems.tridiagonal import CubicTarget, Target

__all__ = ["Reporter"]


class Reporter:
    """Turns outcomes of one model into results.

    Parameters
    ----------
    model : Model
    gamma : float
        ||g~|| in the dual norm.
    rtol : float
        The tolerance on the certified gap over the decrease.
    failure_probability : float
        Of probabilistic evidence.
    """

    def __init__(
        self, model: Model, *, gamma: float, rtol: float, failure_probability: float
    ) -> None:
        self._model = model
        self._gamma = gamma
        self._rtol = rtol
        self._failure_probability = failure_probability

    def result(
        self,
        outcome: Outcome,
        target: Target,
        curvature: Curvature | None,
        *,
        size: float,
        optimal: bool,
        budget: bool,
        matvecs: int,
        evidence_matvecs: int,
        note: str = "",
    ) -> SubproblemResult:
        """The public result."""
        model, measured = self._model, outcome.measured
        h, c = model.hessian_scale, model.gradient_scale
        level = gap_of_rounding(model, measured, target, curvature, size=size, gamma=self._gamma)
        status = self._status(outcome, level, optimal=optimal, budget=budget)
        unit = c / h * c
        return SubproblemResult(
            step=_scaled(measured.step, c / h),
            multiplier=measured.multiplier * h,
            model_decrease=max(measured.decrease, 0.0) * unit,
            on_boundary=self._on_boundary(outcome, target),
            hard_case=outcome.hard,
            matvecs=matvecs,
            status=status,
            message=self._message(status, outcome, level, note),
            certificate=self._certificate(outcome, target, curvature, unit, evidence_matvecs),
        )

    def _status(self, outcome: Outcome, level: float, *, optimal: bool, budget: bool) -> Status:
        if outcome.gap <= self._rtol * outcome.measured.decrease:
            return Status.GLOBAL
        if outcome.gap <= level:
            return Status.ROUNDING
        if budget:
            return Status.BUDGET
        return Status.UNCERTIFIED if optimal else Status.APPROXIMATE

    def _relative(self, outcome: Outcome) -> float:
        if outcome.gap == 0.0:
            return 0.0
        decrease = outcome.measured.decrease
        return outcome.gap / decrease if decrease > 0.0 else math.inf

    def _message(self, status: Status, outcome: Outcome, level: float, note: str) -> str:
        relative = self._relative(outcome)
        text = status.value
        if status is Status.ROUNDING:
            decrease = outcome.measured.decrease
            part = f", {level / decrease:.1e} of the decrease" if decrease > 0.0 else ""
            text += f" (certified gap {relative:.1e} of the decrease{part} is rounding)"
        elif math.isfinite(relative):
            text += f" (certified gap {relative:.1e} of the decrease, tolerance {self._rtol:.1e})"
        return f"{text}; {note}" if note else text

    def _on_boundary(self, outcome: Outcome, target: Target) -> bool:
        if isinstance(target, CubicTarget):
            return False
        # A step that was scaled to the radius lies on it, whatever its norm rounds to: in an
        # ill-conditioned norm that may be far below. No step is zero on a boundary.
        if outcome.boundary and outcome.measured.step_norm > 0.0:
            return True
        tolerance = 64.0 * self._model.eps
        return outcome.measured.step_norm >= target.radius * (1.0 - tolerance)

    def _certificate(
        self,
        outcome: Outcome,
        target: Target,
        curvature: Curvature | None,
        unit: float,
        evidence_matvecs: int,
    ) -> Certificate:
        measured, h = outcome.measured, self._model.hessian_scale
        proved = curvature is not None and not math.isinf(outcome.mu)
        kind: Evidence = curvature.kind if curvature is not None and proved else "none"
        chance = {"exact": 0.0, "probabilistic": self._failure_probability, "none": 1.0}
        compared = self._gamma if self._gamma > 0.0 else measured.curvature_norm
        return Certificate(
            gap=outcome.gap * unit,
            relative_gap=self._relative(outcome),
            stationarity=_ratio(measured.residual_norm, compared),
            feasibility=self._feasibility(outcome, target),
            complementarity=_ratio(self._complementarity(outcome, target), compared),
            curvature=outcome.mu * h,
            evidence=kind,
            failure_probability=chance[kind],
            matvecs=evidence_matvecs,
        )

    def _feasibility(self, outcome: Outcome, target: Target) -> float:
        if isinstance(target, CubicTarget):
            return 0.0
        return max(0.0, outcome.measured.step_norm / target.radius - 1.0)

    def _complementarity(self, outcome: Outcome, target: Target) -> float:
        measured = outcome.measured
        if isinstance(target, CubicTarget):
            miss = abs(measured.multiplier - target.sigma * measured.step_norm)
            return miss * measured.step_norm
        return measured.multiplier * (target.radius - measured.step_norm)


def _ratio(a: float, b: float) -> float:
    return 0.0 if a == 0.0 else (a / b if b > 0.0 else math.inf)


def _scaled(x: Array, factor: float) -> Array:
    return x if factor == 1.0 else x * factor
