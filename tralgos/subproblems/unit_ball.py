"""The model on the unit ball, with every quantity near one.

With s = r y and phi = ||g|| + r ||H|| the model is q(s) = r phi F(y),

    F(y) = push g'y + pull y'Hy / 2,   push = 1 / phi,   pull = r / phi,

so that push ||g|| + pull ||H|| = 1 whatever the radius, and neither squares nor
products leave the range of float32. Descent methods work on F; a multiplier of
F is `pull` times that of q.

An iterate carries y, M y and H y; the gradient c = push g + pull H y is a dual
vector, M^-1 c its primal form. M y follows by linearity, since M (M^-1 c) = c, and
costs no product with M.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.arrays import Array
from tralgos.subproblems.callbacks import InnerCallback, InnerIterate
from tralgos.subproblems.model import Model

__all__ = ["Gradient", "Point", "UnitBall"]


@dataclass(frozen=True)
class Point:
    """y, M y and H y."""

    y: Array
    dual: Array
    product: Array


@dataclass(frozen=True)
class Gradient:
    """The gradient at a point as arrays: dual and primal, and both with lambda y added.

    `residual` and `descent` are c + lambda M y and its primal form; on the
    boundary lambda = -y'c makes them tangent to the unit sphere, in the interior
    lambda is 0 and they are the gradient itself.
    """

    dual: Array
    residual: Array
    descent: Array


class UnitBall:
    """F, and the way between its units and those of the scaled model.

    Parameters
    ----------
    model : Model
        The model.
    radius : float
        r, in its units.
    gradient_norm : float
        ||g|| in the dual norm, positive.
    size : float
        Estimate of the norm of H in the norm M; 0 only if H = 0.
    """

    def __init__(self, model: Model, radius: float, gradient_norm: float, size: float) -> None:
        self.model = model
        self.radius = radius
        self.gradient_norm = gradient_norm
        self.pull = 1.0 / (size + gradient_norm / radius)
        self.push = self.pull / radius
        #: push ||g||, the share of the gradient in F.
        self.share = 1.0 / (1.0 + radius * (size / gradient_norm))
        self._slope = self.push * model.g
        self._iteration = 0

    def start(self, fraction: float) -> Point:
        """y = -fraction M^-1 g / ||g||; one product with H unless the checks have made it."""
        model = self.model
        direction = model.norm.solve(model.g)
        product = model.first_product
        if product is None:
            product = model.first_product = model.hess(direction)
        factor = -fraction / self.gradient_norm
        y = factor * direction
        dual = y if direction is model.g else factor * model.g
        return Point(y, dual, factor * product)

    def gradient(self, point: Point, boundary: bool) -> Gradient:
        """The gradient, without a transfer to the host."""
        dual = self._slope + self.pull * point.product
        primal = self.model.norm.solve(dual)
        if not boundary:
            return Gradient(dual, dual, primal)
        # A 0-d array: the multiplier is needed on the device before the host sees it.
        multiplier = -self.model.dot(point.y, dual)
        residual = dual + multiplier * point.dual
        same = primal is dual and point.y is point.dual
        return Gradient(dual, residual, residual if same else primal + multiplier * point.y)

    def slope(self, y: Array) -> Array:
        """push g'y as a 0-d array."""
        return self.model.dot(self._slope, y)

    def moved(self, point: Point, gradient: Gradient, keep: float, length: float) -> Point:
        """keep y - length (descent direction), with its product with H still to be made."""
        y = keep * point.y - length * gradient.descent
        euclidean = point.dual is point.y
        dual = y if euclidean else keep * point.dual - length * gradient.residual
        return Point(y, dual, point.product)

    def multiplied(self, point: Point) -> Point:
        """The point with its product: one product with H."""
        return Point(point.y, point.dual, self.model.hess(point.y))

    def step(self, point: Point, boundary: bool) -> Array:
        """s = r y, brought back to length r exactly as the norm computes it if on the boundary."""
        if not boundary:
            return self.radius * point.y
        return (self.radius / self.model.norm.norm(point.y)) * point.y

    def report(
        self,
        callback: InnerCallback | None,
        point: Point,
        *,
        boundary: bool,
        value: float,
        length: float,
        residual: float,
        multiplier: float,
    ) -> None:
        """Show an iterate to the callback, in the units of the model."""
        if callback is None:
            return
        callback(
            InnerIterate(
                iteration=self._iteration,
                phase="boundary" if boundary else "interior",
                value=value / self.pull * self.radius * self.radius,
                relative_norm=length,
                residual=residual / self.pull * self.radius,
                multiplier=max(multiplier, 0.0) / self.pull,
                matvecs=self.model.matvecs,
                step=self.radius * point.y,
            )
        )
        self._iteration += 1


def root(x: float) -> float:
    """sqrt(max(x, 0)): squares of norms may come out negative by rounding."""
    return math.sqrt(max(x, 0.0))
