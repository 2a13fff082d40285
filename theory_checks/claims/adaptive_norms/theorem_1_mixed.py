"""A run with inexact gradients that takes eps_g^-2 eps_H^-1 iterations: the mixed term is needed.

Every other g_t is just longer than eps_g, and the radius 4 eps_g: the step, as good as the
Cauchy point and the eigenpoint, strays along a direction in which the model is level and L
rises, so it fails and the radius is halved. Every other g_t is eps_g, and is set to zero: the
step is worth eps_H (2 eps_g)^2/2, it succeeds, and the radius is doubled. Before that, all
steps fail from the radius 1 on, where 8 eps_H^{7/4} <= eps_g <= eps_H/16: the longest since
the curvature does not last, the others as they stray.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from theory_checks.claims.adaptive_norms.algorithm_1 import (
    Algorithm,
    Model,
    Run,
    fixed,
    floats,
    run,
)

__all__ = ["ETA", "NU", "Track", "mixed_errors", "mixed_run", "per_unit"]

ETA, NU = 0.25, 0.75

#: The slope of the track and the excess of the longer g_t, in units of eps_g. With eta = 1/4
#: an error may be 3/16 of eps_g.
_SLOPE, _EXCESS = 0.15, 0.01

#: -lambda_min of the Hessian, in units of eps_H.
_BEND = 1.25


@dataclass(frozen=True)
class Track:
    """x^2/2 - b y + c (cos kz - 1)/k^2, k = 1/eps_H: down along y, by curvature alone along z.

    Its Hessian is at most 1, and Lipschitz with c k = 5/4.
    """

    eps_g: float
    eps_H: float

    @property
    def start(self) -> list[float]:
        """The first point; x does not change."""
        return [self.eps_g, 0.0, 0.0]

    def value(self, w: Sequence[float]) -> float:
        """Return L(w)."""
        # cos kz - 1 without cancellation.
        waves = -2 * _BEND * self.eps_H**3 * math.sin(w[2] / self.eps_H / 2) ** 2
        return w[0] * w[0] / 2 - _SLOPE * self.eps_g * w[1] + waves

    def gradient(self, w: Sequence[float]) -> list[float]:
        """Return the gradient."""
        return [w[0], -_SLOPE * self.eps_g, -_BEND * self.eps_H**2 * math.sin(w[2] / self.eps_H)]

    def hessian(self, w: Sequence[float]) -> list[list[float]]:
        """Return the Hessian."""
        along = -_BEND * self.eps_H * math.cos(w[2] / self.eps_H)
        return [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, along]]


def _level_direction(gradient: Sequence[float]) -> list[float]:
    """The direction of the (y, z) plane along which L is level to first order."""
    length = math.hypot(gradient[1], gradient[2])
    return [0.0, gradient[2] / length, -gradient[1] / length]


def _stray(model: Model) -> list[float]:
    """As far uphill, along y, as the Cauchy point and the eigenpoint let a step go."""
    reach, square = -model.gradient[0], model.radius**2
    # Up to this square of the radius the Cauchy point is the better of the two.
    plain = min(square, reach**2 / -model.hessian[2][2])
    return [reach, -math.sqrt(plain - reach**2), math.sqrt(square - plain)]


def mixed_errors(t: int, first: int, gradient: list[float], eps_g: float) -> list[float]:
    """Return g_t: along x alone, longer than eps_g up to the iteration `first`, then in turn."""
    longer = t <= first or (t - first) % 2 == 0
    return [(1 + _EXCESS) * eps_g if longer else eps_g, 0.0, 0.0]


def mixed_run(eps_g: float, eps_H: float, limit: int) -> Run:
    """Run Algorithm 1 on the track, from the radius 1, for powers of two.

    Needs eps_H at most 1/64, so that the level direction passes for an eigenvector within nu.
    """
    track = Track(eps_g, eps_H)
    # The radius is 4 eps_g after so many rejections.
    first = round(math.log2(1 / (4 * eps_g)))
    where: list[list[float]] = [track.start]

    def approximations(
        t: int, gradient: list[float], hessian: list[list[float]]
    ) -> tuple[list[float], list[list[float]]]:
        where[0] = gradient
        return mixed_errors(t, first, gradient, eps_g), hessian

    def step(model: Model) -> list[float]:
        if any(model.gradient):
            return _stray(model)
        return [model.radius * x for x in _level_direction(where[0])]

    algorithm = Algorithm(eps_g, eps_H, ETA, 2.0, 1.0, step=step)
    return run(
        algorithm,
        track,
        track.start,
        fixed([1.0] * 3),
        floats(),
        limit=limit,
        approximations=approximations,
    )


def per_unit(eps_g: float, eps_H: float, limit: int = 300) -> float:
    """Return the iterations for which L falls by one, from `limit` of them.

    L - L(w) depends on the differences of y alone, so that the run goes on like this for as
    long as the slope does.
    """
    rows = mixed_run(eps_g, eps_H, limit).rows
    track = Track(eps_g, eps_H)
    half = limit // 2
    fall = track.value(rows[half].point) - track.value(rows[-1].point)
    return (limit - 1 - half) / fall
