"""Subproblems of order two by the thousand, in float64: the points of Assumption 2 for a screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from theory_checks.claim import Instance
from theory_checks.claims.adaptive_norms.common import assorted, plane_spectrum

__all__ = ["PlanePoints", "plane_draw", "plane_points", "plane_row", "plane_steihaug"]


class PlanePoints(NamedTuple):
    """Decreases of many models in the plane: those of :class:`Points`, and the best of all."""

    cauchy: Any
    eigen: Any
    cauchy_bound: Any
    eigen_bound: Any
    best: Any
    scale: Any


#: The solvers that suspicious instances of the screens are handed to: the quick ones.
_SCREENED = ("direct", "krylov")


def plane_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    """Draw subproblems of order two for a screen."""
    factor = assorted(rng, (size, 3), 2.0)
    factor[:, [0, 2]] = np.where(np.abs(factor[:, [0, 2]]) < 0.25, 1.0, factor[:, [0, 2]])
    identity = rng.random((size, 1)) < 0.5
    return {
        "hessian": assorted(rng, (size, 3)),
        "factor": np.where(identity, np.array([1.0, 0.0, 1.0]), factor),
        "gradient": assorted(rng, (size, 2)),
        "radius": rng.choice([1.0, 0.25, 4.0], size),
        "method": rng.integers(0, len(_SCREENED), size),
    }


def plane_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    """Return one of them as an instance."""
    vectors = {name: arrays[name][row].tolist() for name in ("hessian", "factor", "gradient")}
    method = _SCREENED[int(arrays["method"][row])]
    return {**vectors, "radius": float(arrays["radius"][row]), "method": method}


def _best(xp: Any, low: Any, high: Any, parts: tuple[Any, Any], radius: Any) -> Any:
    """The largest decrease over the ball: the minimum over the shift of the dual function."""
    size = xp.hypot(*parts)
    start = xp.maximum(0.0, -low)
    lower, upper = start, start + size / radius
    tiny = 1e-16 * (xp.abs(low) + xp.abs(high) + size / radius) + 1e-300
    for _ in range(48):
        shift = (lower + upper) / 2
        first, second = (
            part / xp.maximum(value + shift, tiny)
            for part, value in zip(parts, (low, high), strict=True)
        )
        outside = first**2 + second**2 > radius**2
        lower, upper = xp.where(outside, shift, lower), xp.where(outside, upper, shift)
    energies = (
        part**2 / xp.maximum(value + upper, tiny)
        for part, value in zip(parts, (low, high), strict=True)
    )
    return (sum(energies) + upper * radius**2) / 2


def _in_the_ball(arrays: Mapping[str, Any]) -> tuple[Any, ...]:
    """The entries a, b, c of L^-1 H L^-T, and those of L^-1 g."""
    h, lower, g = (arrays[name] for name in ("hessian", "factor", "gradient"))
    tilt = lower[:, 1] / lower[:, 0]
    a = h[:, 0] / lower[:, 0] ** 2
    b = (h[:, 1] - tilt * h[:, 0]) / (lower[:, 0] * lower[:, 2])
    c = (h[:, 2] - 2 * tilt * h[:, 1] + tilt**2 * h[:, 0]) / lower[:, 2] ** 2
    u = g[:, 0] / lower[:, 0]
    return a, b, c, u, (g[:, 1] - lower[:, 1] * u) / lower[:, 2]


def plane_steihaug(xp: Any, arrays: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the decreases of Steihaug's method after one iteration and after two."""
    a, b, c, u, v = _in_the_ball(arrays)
    r = arrays["radius"]
    s, t, p, q = 0.0 * u, 0.0 * u, -u, -v
    left, right, done = u, v, (u == 0.0) & (v == 0.0)
    decreases = []
    for _ in range(2):
        Hp, Hq = a * p + b * q, b * p + c * q
        size, curvature, square = left**2 + right**2, p * Hp + q * Hq, p * p + q * q
        safe, across = xp.where(square > 0.0, square, 1.0), s * p + t * q
        spare = xp.maximum(r * r - s * s - t * t, 0.0)
        furthest = (xp.sqrt(across**2 + safe * spare) - across) / safe
        bent = curvature > 0.0
        length = xp.where(bent, size / xp.where(bent, curvature, 1.0), xp.inf)
        leaves = length >= furthest
        length = xp.where(done, 0.0, xp.where(leaves, furthest, length))
        s, t, done = s + length * p, t + length * q, done | leaves
        left, right = left + length * Hp, right + length * Hq
        turn = (left**2 + right**2) / xp.where(size > 0.0, size, 1.0)
        p, q = -left + turn * p, -right + turn * q
        model = u * s + v * t + (a * s * s + 2 * b * s * t + c * t * t) / 2
        decreases.append(-model)
    return decreases[0], decreases[1]


def plane_points(xp: Any, arrays: Mapping[str, Any]) -> PlanePoints:
    """Return the decreases of all of them, in float64."""
    r = arrays["radius"]
    a, b, c, u, v = _in_the_ball(arrays)
    low, high = plane_spectrum(xp, a, b, c)
    size, largest = xp.hypot(u, v), xp.maximum(xp.abs(low), xp.abs(high))
    moving = xp.where(size > 0, size, 1.0)
    curvature = (a * u * u + 2 * b * u * v + c * v * v) / moving**2
    inside = curvature * r > size
    reach = xp.where(inside, size / xp.where(inside, curvature, 1.0), r)
    near = largest * r > size
    sure = xp.where(near, size / xp.where(near, largest, 1.0), r)
    angle = xp.arctan2(2 * b, a - c) / 2
    parts = (v * xp.cos(angle) - u * xp.sin(angle), u * xp.cos(angle) + v * xp.sin(angle))
    down = xp.maximum(0.0, -low)
    eigen = xp.where(low < 0, r * xp.abs(parts[0]) + down * r * r / 2, 0.0)
    return PlanePoints(
        reach * size - reach**2 * curvature / 2,
        eigen,
        size * sure / 2,
        down * r * r / 2,
        _best(xp, low, high, parts, r),
        largest * r * r + size * r + 1e-300,
    )
