"""Sphere descent made safe: projected gradient steps with the sign of every component kept.

The proof is in :mod:`tralgos.subproblems.sphere_descent`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.arrays import Array
from tralgos.subproblems.callbacks import InnerCallback
from tralgos.subproblems.model import BudgetExhausted, Candidate
from tralgos.subproblems.spectrum import Spectrum
from tralgos.subproblems.sphere_options import (
    BUDGET_MESSAGE,
    ROUNDING_SLACK,
    STEP_MARGIN,
    SphereDescent,
    zero_candidate,
)
from tralgos.subproblems.unit_ball import Gradient, Point, UnitBall, root

__all__ = ["SafeDescent"]


@dataclass(frozen=True)
class MeasuredPoint:
    """Host scalars of an iterate of F, from one transfer."""

    multiplier: float
    value: float
    residual: float
    length: float
    curvature: float
    cross: float
    descent: float
    inward: float


class SafeDescent:
    """Projected gradient descent; the module's docstring has the proof."""

    def __init__(
        self,
        ball: UnitBall,
        spectrum: Spectrum,
        options: SphereDescent,
        rtol: float,
        callback: InnerCallback | None,
    ) -> None:
        self._ball, self._options, self._callback = ball, options, callback
        self._eps = ball.model.eps
        self._goal = rtol * ball.share
        # The floor keeps eta finite where H is negative semidefinite; F has size one.
        self._bound = max(ball.pull * spectrum.upper_bound, 1e-3)
        self._lowest = ball.pull * spectrum.lower_ritz
        self._growth = 0.0
        self._iterations = 0

    def _first(self) -> Point:
        """-tau g/||g||, tau at most alpha; at most the minimiser along -g unless H is indefinite.

        A negative curvature puts the solution on the sphere, and any start keeps the signs.
        """
        ball = self._ball
        if self._lowest < -ROUNDING_SLACK * self._eps:
            return ball.start(self._options.alpha)
        unit = ball.start(1.0)
        (curvature,) = ball.model.fetch(ball.model.dot(unit.y, unit.product))
        curvature *= ball.pull
        tau = self._options.alpha
        if curvature > 0.0:
            tau = min(tau, ball.share / curvature)
        return ball.start(tau)

    def run(self) -> Candidate:
        """Descend from the start until the verdict."""
        ball = self._ball
        try:
            point = self._first()
        except BudgetExhausted:
            return zero_candidate(ball.model, 0.0, BUDGET_MESSAGE)
        boundary = False
        before: Move | None = None
        while True:
            gradient = ball.gradient(point, boundary)
            seen = self._measure(point, gradient, boundary, before)
            self._show(point, seen, boundary)
            if before is not None:
                self._raise_bound(seen, before)
            eta = STEP_MARGIN / self._bound
            message = self._verdict(seen, eta)
            if message is not None:
                return self._candidate(point, seen, boundary, message)
            move = Move.of(seen, gradient.dual, eta)
            try:
                following = ball.multiplied(ball.moved(point, gradient, move.keep, move.length))
            except BudgetExhausted:
                return self._candidate(point, seen, boundary, BUDGET_MESSAGE)
            point, boundary, before = following, move.boundary, move
            self._iterations += 1

    def _measure(
        self, point: Point, gradient: Gradient, boundary: bool, before: Move | None
    ) -> MeasuredPoint:
        dot = self._ball.model.dot
        inward, square, squared_length, slope, cross = self._ball.model.fetch(
            dot(point.y, gradient.dual),
            dot(gradient.residual, gradient.descent),
            dot(point.y, point.dual),
            self._ball.slope(point.y),
            dot(point.y, gradient.dual if before is None else before.dual),
        )
        multiplier = -inward if boundary else 0.0
        length = root(squared_length)
        if length > 0.0:
            self._lowest = min(self._lowest, (inward - slope) / squared_length)
        # On the sphere a negative multiplier is part of the residual.
        residual = math.hypot(root(square), min(multiplier, 0.0))
        return MeasuredPoint(
            multiplier=multiplier,
            value=0.5 * (inward + slope),
            residual=residual,
            length=length,
            curvature=inward - slope,
            cross=cross - slope,
            descent=root(square),
            inward=inward,
        )

    def _raise_bound(self, seen: MeasuredPoint, before: Move) -> None:
        """Double what the last step d shows, if d'Ad > bound ||d||^2 disproves the bound."""
        if before.square < math.sqrt(self._eps):
            return  # too short a step to tell curvature from rounding
        shown = seen.curvature - 2.0 * seen.cross + before.curvature
        if shown > self._bound * before.square + ROUNDING_SLACK * self._eps:
            self._bound = 2.0 * max(self._bound, shown / before.square)

    def _verdict(self, seen: MeasuredPoint, eta: float) -> str | None:
        """None to go on; a message, empty if all is well, to stop."""
        if self._iterations >= self._options.maxiter:
            return (
                f"stopped after {self._iterations} iterations with a relative residual of "
                f"{seen.residual / self._ball.share:.1e}"
            )
        # A step that moves y by less than its rounding.
        multiplier = max(seen.multiplier, 0.0)
        stiffness = 1.0 / eta + multiplier
        if seen.residual > max(self._goal, 16.0 * self._eps * stiffness * seen.length):
            self._growth = 0.0
            return None
        deficit = -(self._lowest + multiplier)
        if deficit <= ROUNDING_SLACK * self._eps:
            return ""
        self._growth += math.log1p(deficit / stiffness)
        if self._growth < -2.0 * math.log(self._eps):
            return None
        return (
            "stationary, but not a minimiser: the gradient has no component along the "
            "leftmost eigenvector (the hard case)"
        )

    def _candidate(
        self, point: Point, seen: MeasuredPoint, boundary: bool, message: str
    ) -> Candidate:
        return Candidate(
            self._ball.step(point, boundary),
            max(seen.multiplier, 0.0) / self._ball.pull,
            optimal=not message,
            message=message,
        )

    def _show(self, point: Point, seen: MeasuredPoint, boundary: bool) -> None:
        self._ball.report(
            self._callback,
            point,
            boundary=boundary,
            value=seen.value,
            length=seen.length,
            residual=seen.residual,
            multiplier=seen.multiplier,
        )


@dataclass(frozen=True)
class Move:
    """y+ = keep y - length (descent direction), and what the test of the bound needs of it."""

    keep: float
    length: float
    boundary: bool
    square: float
    curvature: float
    dual: Array

    @staticmethod
    def of(seen: MeasuredPoint, dual: Array, eta: float) -> Move:
        """The projected gradient step, from the scalars of the iterate alone."""
        shrink = 1.0 + eta * seen.multiplier
        # y'M(direction): zero on the sphere but for the rounding of ||y||, which would double
        # in every step if it were not put right here.
        tangency = seen.inward + seen.multiplier * seen.length**2
        squared = (
            (shrink * seen.length) ** 2 - 2.0 * shrink * eta * tangency + (eta * seen.descent) ** 2
        )
        outside = squared >= 1.0
        scale = 1.0 / math.sqrt(squared) if outside else 1.0
        keep, length = scale * shrink, scale * eta
        square = (
            ((keep - 1.0) * seen.length) ** 2
            - 2.0 * (keep - 1.0) * length * tangency
            + (length * seen.descent) ** 2
        )
        return Move(keep, length, outside, square, seen.curvature, dual)
