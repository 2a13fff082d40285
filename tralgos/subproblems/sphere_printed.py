"""Sphere descent to the letter: Algorithm 2 of the paper, faults included.

What they are is in :mod:`tralgos.subproblems.sphere_descent`.
"""

from __future__ import annotations

import math

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

__all__ = ["PrintedDescent"]


class PrintedDescent:
    """Algorithm 2 to the letter.

    One product with H an iteration serves every trial step: with direction d,
    H(y - a d) = Hy - a Hd, and the value at any a follows from the eight inner
    products that are fetched.
    """

    def __init__(
        self,
        ball: UnitBall,
        spectrum: Spectrum,
        options: SphereDescent,
        rtol: float,
        callback: InnerCallback | None,
    ) -> None:
        self._ball, self._options, self._callback = ball, options, callback
        self._rtol = rtol
        # The paper asks for eta < 1/beta with beta the norm of H, both ends of the spectrum.
        beta = max(ball.pull * max(spectrum.upper_bound, spectrum.size), 1e-3)
        self._eta = STEP_MARGIN / beta
        if options.step is not None:
            self._eta = options.step * ball.model.hessian_scale / ball.pull
        trial = options.first_trial
        self._trial = (
            10.0 * self._eta if trial is None else (trial * ball.model.hessian_scale / ball.pull)
        )

    def run(self) -> Candidate:
        """Phase I, then phase II."""
        options = self._options
        try:
            point, length = self._ball.start(options.alpha), options.alpha
        except BudgetExhausted:
            return zero_candidate(self._ball.model, 0.0, BUDGET_MESSAGE)
        boundary = False
        t = 0
        try:
            while t <= options.N1 and not boundary:
                if length >= 1.0:
                    boundary = True
                else:
                    point, length = self._interior(point)
                    t += 1
            while boundary and t <= options.N2:
                point, length = self._on_sphere(point), 1.0
                t += 1
            return self._finished(point, boundary)
        except BudgetExhausted:
            return self._candidate(point, length, 0.0, BUDGET_MESSAGE)

    def _interior(self, point: Point) -> tuple[Point, float]:
        """Line 5: a gradient step, wherever it leads."""
        eta = self._eta
        gradient, product, seen = self._look(point, boundary=False)
        squared = seen["yy"] - 2.0 * eta * seen["y.d"] + eta**2 * seen["dd"]
        self._show(point, seen, boundary=False)
        moved = self._ball.moved(point, gradient, 1.0, eta)
        return (
            Point(moved.y, moved.dual, point.product - eta * product),
            root(squared),
        )

    def _on_sphere(self, point: Point) -> Point:
        """Lines 14 and 15: Armijo's rule along the normalised line."""
        gradient, product, seen = self._look(point, boundary=True)
        self._show(point, seen, boundary=True)
        length, scale = self._armijo(seen)
        moved = self._ball.moved(point, gradient, scale, scale * length)
        return Point(moved.y, moved.dual, scale * point.product - (scale * length) * product)

    def _look(self, point: Point, *, boundary: bool) -> tuple[Gradient, Array, dict[str, float]]:
        ball, dot = self._ball, self._ball.model.dot
        gradient = ball.gradient(point, boundary)
        direction = gradient.descent
        product = ball.model.hess(direction)
        names = ("yy", "yc", "y.d", "dd", "gy", "gd", "yHd", "dHd")
        values = ball.model.fetch(
            dot(point.y, point.dual),
            dot(point.y, gradient.dual),
            dot(point.y, gradient.residual),
            dot(gradient.residual, direction),
            ball.slope(point.y),
            ball.slope(direction),
            dot(point.y, product),
            dot(direction, product),
        )
        seen = dict(zip(names, values, strict=True))
        seen["yHy"] = seen["yc"] - seen["gy"]
        seen["yHd"] *= ball.pull
        seen["dHd"] *= ball.pull
        return gradient, product, seen

    def _armijo(self, seen: dict[str, float]) -> tuple[float, float]:
        """The step length a and 1/||y - a d||."""
        options = self._options
        value = 0.5 * seen["yHy"] + seen["gy"]
        a = self._trial
        for trial in range(options.max_backtracks + 1):
            squared = seen["yy"] - 2.0 * a * seen["y.d"] + a**2 * seen["dd"]
            scale = 1.0 / math.sqrt(squared)
            form = seen["yHy"] - 2.0 * a * seen["yHd"] + a**2 * seen["dHd"]
            new = 0.5 * scale**2 * form + scale * (seen["gy"] - a * seen["gd"])
            if value - new >= options.armijo * a * seen["dd"] or trial == options.max_backtracks:
                break
            a *= options.backtrack
        return a, scale

    def _finished(self, point: Point, boundary: bool) -> Candidate:
        """The last point, with what can be said of it from quantities at hand: no product."""
        ball = self._ball
        gradient = ball.gradient(point, boundary)
        yy, yc, square = ball.model.fetch(
            ball.model.dot(point.y, point.dual),
            ball.model.dot(point.y, gradient.dual),
            ball.model.dot(gradient.residual, gradient.descent),
        )
        multiplier = -yc if boundary else 0.0
        residual = math.hypot(root(square), min(multiplier, 0.0)) / ball.share
        message = ""
        if residual > self._rtol:
            message = f"the printed form ended with a relative residual of {residual:.1e}"
        return self._candidate(point, root(yy), multiplier, message)

    def _candidate(self, point: Point, length: float, multiplier: float, message: str) -> Candidate:
        # On the sphere y is of unit length but for rounding; only a point that phase I
        # left outside is infeasible.
        if length > 1.0 + ROUNDING_SLACK * self._ball.model.eps:
            message = f"the printed form returned a point of {length:.6g} times the radius"
        return Candidate(
            self._ball.radius * point.y,
            max(multiplier, 0.0) / self._ball.pull,
            optimal=not message,
            message=message,
        )

    def _show(self, point: Point, seen: dict[str, float], *, boundary: bool) -> None:
        multiplier = -seen["yc"] if boundary else 0.0
        self._ball.report(
            self._callback,
            point,
            boundary=boundary,
            value=0.5 * seen["yHy"] + seen["gy"],
            length=root(seen["yy"]),
            residual=math.hypot(root(seen["dd"]), min(multiplier, 0.0)),
            multiplier=multiplier,
        )
