"""The secular equation of many reduced problems together.

What :mod:`~tralgos.subproblems.tridiagonal` does for one matrix, with a point for each
problem: Newton's method for 1/||h(delta)|| = 1/R from the left of the root, where it is
monotone, in the shift delta from the leftmost eigenvalue; a leftmost eigenvector where the
root is at that eigenvalue to rounding. A problem that has arrived stays where it is, so that
none depends on its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tralgos.arrays import Array, is_numpy, namespace, to_float
from tralgos.subproblems.batch_diagonal import DiagonalSystem
from tralgos.subproblems.batch_points import LEAST_LANES, Point, chosen_lanes
from tralgos.subproblems.batch_tridiagonal import TridiagonalSystem

__all__ = ["Minimum", "System", "minimum_on_sphere"]

System = TridiagonalSystem | DiagonalSystem

_EPS = 2.0**-52
#: The Newton iteration converges in about ten steps; this bound is never met.
_MAX_NEWTON = 200
#: How much longer a step is than one that was lost in rounding.
_BOOST = 8.0
#: Steps between two looks at whether all problems have arrived; each look is a transfer.
_LOOK_EVERY = 4


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimiser of each reduced problem on the sphere, or what shows that it is inside.

    Attributes
    ----------
    h : array, shape (n, b)
    multiplier : array, shape (b,)
        base + delta; 0 where `flat`.
    hard : array of bool, shape (b,)
        Whether delta is at the rounding level of T.
    flat : array of bool, shape (b,)
        Whether the leftmost eigenvalue is zero to rounding and h is shorter than R without
        it: the constraint is idle.
    """

    h: Array
    multiplier: Array
    hard: Array
    flat: Array


def minimum_on_sphere(system: System, radius: Array) -> Minimum:
    """Minimise c'h + h'Th/2 over ||h|| = R for each problem whose minimiser is not inside.

    Parameters
    ----------
    system : System
        Sizes of T and of c / R of about one at most.
    radius : array, shape (b,)
        R, of about one.
    """
    xp = namespace(radius)
    start = system.start(radius)
    # Below this shift the leftmost component of c is at the rounding level of T.
    floor = 64.0 * _EPS * system.size
    short = (start.length < radius) & (start.delta <= floor)
    point = _newton(system, radius, replace(start, valid=start.valid & ~short))
    h = system.solution(point.delta)
    zero = xp.zeros_like(point.delta)
    # A shift that c has been seen to need is not for nothing, however small.
    idle = (system.theta >= -floor) & (point.delta <= 0.125 * floor)
    flat = short & (idle | (system.base + point.delta == zero))
    longer = _lengthened(h, system.vector, radius, xp)
    miss = xp.abs(point.length / radius - 1.0) * system.gamma
    # The factorisations round the shift by eps ||T||, which leaves the length undecided by
    # eps ||T|| / delta. A correction along the leftmost eigenvector costs a residual of delta
    # times it, a change of scale one of ||c|| times it.
    added = longer - h
    change = xp.sqrt(xp.sum(added * added, axis=0))
    exact = miss <= 4.0 * _EPS * system.size * point.length
    cheaper = (point.delta + _EPS * system.size) * change >= miss
    rescaled = ~short & (exact | cheaper)
    nonzero = xp.where(point.length > 0.0, point.length, xp.ones_like(zero))
    h = xp.where(flat, h, xp.where(rescaled, h * (radius / nonzero), longer))
    hard = ~flat & (system.base > floor) & (point.delta <= floor)
    multiplier = xp.where(flat, zero, system.base + point.delta)
    return Minimum(h, multiplier, hard, flat)


def _newton(system: System, radius: Array, point: Point, boost: Array | None = None) -> Point:
    """The root right of each `point` that is `valid`; the others stay."""
    boost = namespace(radius).ones_like(radius) if boost is None else boost
    for _ in range(_MAX_NEWTON // _LOOK_EVERY):
        if is_numpy(radius):
            count = np.count_nonzero(point.valid)
            if count < 0.75 * radius.shape[0] and radius.shape[0] > LEAST_LANES:
                if count > 0:
                    lanes = chosen_lanes(point.valid)
                    some = system.take(lanes), radius[lanes], point.take(lanes), boost[lanes]
                    point = point.put(lanes, _newton(*some))
                return point
            if count == 0:
                return point
            point, boost = _newton_step(system, radius, point, boost)
            continue
        for _ in range(_LOOK_EVERY):
            point, boost = _newton_step(system, radius, point, boost)
        xp = namespace(radius)
        if to_float(xp.sum(xp.astype(point.valid, xp.int64))) == 0.0:
            break
    return point


def _newton_step(system: System, radius: Array, point: Point, boost: Array) -> tuple[Point, Array]:
    """Newton's step for 1/length - 1/R where the point is valid; not valid afterwards: arrived.

    Where the shift is rounded, small steps are lost in it and the length does not fall. The
    steps that follow are `boost` times as long, until it does.
    """
    xp = namespace(radius)
    delta = point.delta + boost * ((point.length / radius - 1.0) / point.slope)
    moving = point.valid & (point.length > radius * (1.0 + 2.0 * _EPS)) & (delta > point.delta)
    following = system.at(xp.where(moving, delta, point.delta))
    moved = moving & following.valid
    boost = xp.where(following.length < point.length, xp.ones_like(boost), _BOOST * boost)
    return replace(following.where(moved, point), valid=moved), boost


def _lengthened(h: Array, vector: Array, length: Array, xp: Any) -> Array:
    """h + t v of the given length, with the smaller |t| for the unit vectors v."""
    along = xp.sum(h * vector, axis=0)
    missing = length * length - xp.sum(h * h, axis=0)
    square = missing + along * along
    zero = xp.zeros_like(square)
    root = xp.sqrt(xp.where(square > 0.0, square, zero)) + xp.abs(along)
    # The root of t^2 + 2 along t - missing nearer to zero, without cancellation.
    step = xp.where(root > 0.0, missing / xp.where(root > 0.0, root, 1.0 + zero), zero)
    return h + xp.where(along < 0.0, -step, step) * vector
