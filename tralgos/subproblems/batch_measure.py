"""The certificates of a batch, from the steps that are returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tralgos.arrays import Array, eps, namespace
from tralgos.subproblems.batch_diagonal import EigenReduction
from tralgos.subproblems.batch_reduction import TridiagonalReduction
from tralgos.subproblems.batch_scales import Scales
from tralgos.subproblems.certificate import ROUNDING_MULTIPLE

__all__ = ["Candidates", "Figures", "Reduction", "measured"]

#: A step on the sphere is this many eps shorter than the radius, so that it is not longer by
#: the rounding of its norm.
_MARGIN = 4.0


Reduction = TridiagonalReduction | EigenReduction


@dataclass(frozen=True, eq=False)
class Candidates:
    """A step of each problem before it is measured, in the unit that `inside` tells.

    Attributes
    ----------
    h : array, shape (n, b)
        In the coordinates of T.
    multiplier : array, shape (b,)
    inside, hard : array of bool, shape (b,)
    """

    h: Array
    multiplier: Array
    inside: Array
    hard: Array


@dataclass(frozen=True, eq=False)
class Figures:
    """The figures of a batch as arrays of shape (b,), in the units of the caller.

    Attributes
    ----------
    step : array, shape (b, n)
    """

    step: Array
    multiplier: Array
    model_decrease: Array
    on_boundary: Array
    hard_case: Array
    gap: Array
    relative_gap: Array
    stationarity: Array
    feasibility: Array
    complementarity: Array
    curvature: Array
    status_code: Array


def _dots(x: Array, y: Array, xp: Any) -> Array:
    """x'y of each problem in float64."""
    return xp.sum(xp.astype(x, xp.float64) * xp.astype(y, xp.float64), axis=0)


def _fitted(y: Array, radius: Array, inside: Array, xp: Any) -> tuple[Array, Array]:
    """`y` at the length of the radius, or at most that, never longer; and its length."""
    unit = eps(y.dtype)
    length = xp.sqrt(_dots(y, y, xp))
    one = xp.ones_like(length)
    scaled = (~inside | (length > radius)) & (length > 0.0)
    for margin in (_MARGIN * unit, 4.0 * _MARGIN * unit):
        ratio = radius / xp.where(scaled, length, one)
        y = y * xp.astype(xp.where(scaled, ratio * (1.0 - margin), one), y.dtype)
        length = xp.sqrt(_dots(y, y, xp))
        # The second time round nothing changes, unless rounding has left a step too long.
        scaled = length > radius
    return y, length


def _largest_gap(residual: Array, mu: Array, reach: Array, xp: Any) -> Array:
    """The maximum of residual t - mu t^2 / 2 over 0 <= t <= reach."""
    curved = residual < mu * reach
    bowl = 0.5 * residual * (residual / xp.where(curved, mu, xp.ones_like(mu)))
    return xp.where(curved, bowl, reach * (residual - 0.5 * mu * reach))


def _ratio(a: Array, b: Array, xp: Any) -> Array:
    """a / b with 0 / 0 = 0."""
    positive = b > 0.0
    infinite = xp.zeros_like(a) + float("inf")
    quotient = xp.where(positive, a / xp.where(positive, b, xp.ones_like(b)), infinite)
    return xp.where(a == 0.0, xp.zeros_like(a), quotient)


def measured(reduction: Reduction, candidates: Candidates, scales: Scales, rtol: float) -> Figures:
    """Put the steps on or into their balls and certify them: one product with each H."""
    inside, multiplier = candidates.inside, candidates.multiplier
    xp = namespace(multiplier)
    unit = eps(reduction.g.dtype)
    one = xp.ones_like(multiplier)
    radius = xp.where(inside, scales.row("rho"), scales.row("radius"))
    weight_H = xp.where(inside, one, scales.row("weight_H"))
    weight_g = xp.where(inside, one, scales.row("weight_g"))
    y, length = _fitted(reduction.back(candidates.h), radius, inside, xp)
    excess = length / radius - 1.0
    length = xp.where(excess > 0.0, radius, length)
    wide = xp.astype(y, xp.float64)
    product = xp.astype(reduction.product(y), xp.float64) * weight_H
    g = xp.astype(reduction.g, xp.float64) * weight_g
    residual = xp.sqrt(_squares(product + multiplier * wide + g, xp))
    decrease = -xp.sum(wide * (g + 0.5 * product), axis=0)
    mu = multiplier + weight_H * (reduction.theta - reduction.error)
    slack = 0.5 * multiplier * (radius - length) * (radius + length)
    gap = _largest_gap(residual, mu, radius + length, xp) + slack
    gamma = reduction.gamma * weight_g
    size = weight_H * reduction.size
    size = xp.where(size > multiplier, size, multiplier)
    level = ROUNDING_MULTIPLE * unit * (size * radius * radius + gamma * radius)
    compared = xp.where(gamma > 0.0, gamma, xp.sqrt(_squares(product, xp)))
    none = xp.zeros_like(gap)
    shown = xp.where(decrease > 0.0, decrease, none)
    uncertified, rounding = none + 1.0, none + 3.0
    code = xp.where(gap <= rtol * decrease, none, xp.where(gap <= level, rounding, uncertified))
    touching = length >= radius * (1.0 - 64.0 * unit)
    restored = scales.restored
    return Figures(
        step=xp.matrix_transpose(restored(y, "step", inside, xp)),
        multiplier=restored(multiplier, "shift", inside, xp),
        model_decrease=restored(shown, "value", inside, xp),
        on_boundary=touching,
        hard_case=candidates.hard & ~inside,
        gap=restored(gap, "value", inside, xp),
        relative_gap=_ratio(gap, shown, xp),
        stationarity=_ratio(residual, compared, xp),
        feasibility=xp.where(excess > 0.0, excess, none),
        complementarity=_ratio(multiplier * (radius - length), compared, xp),
        curvature=restored(mu, "shift", inside, xp),
        status_code=xp.astype(code, xp.int32),
    )


def _squares(x: Array, xp: Any) -> Array:
    return xp.sum(x * x, axis=0)
