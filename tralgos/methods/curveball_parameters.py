"""z of the next step from the look at a place: parameters automatic, given, or partly so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.arrays import eps
from tralgos.methods.curveball_look import Look
from tralgos.methods.plane import Forms, Point

__all__ = ["Choice", "automatic", "given"]

#: A curvature counts as negative below minus this many roundings of its size.
_ROUNDINGS = 64.0


@dataclass(frozen=True)
class Choice:
    """The next z and what it is made of.

    Attributes
    ----------
    point : Point
        z as a point of the span.
    rho, beta : float
        z = rho z_old - beta Delta_z.
    negative : float or None
        A curvature that is negative where the theory needs a positive one.
    """

    point: Point
    rho: float
    beta: float
    negative: float | None = None


def automatic(look: Look, lam: float) -> Choice:
    """The minimiser over the span with H + lam (eq. 18)."""
    plane = look.plane
    assert plane is not None
    point = plane.damped(lam)
    beta = -point.on_v / look.scale
    rho = 0.0
    if look.q is not None:
        rho = (point.on_q - point.on_v * look.slant) / look.length + beta * point.lam
    return Choice(point, rho, beta, plane.curvatures[0] if point.indefinite else None)


def given(look: Look, rho: float | None, beta: float | None, lam: float) -> Choice:
    """The same where rho or beta, or both, are given: the minimiser on the line that is left."""
    plane = look.plane
    # z, and Delta_z = v + lam z, by their coefficients.
    old = (look.length if look.q is not None else 0.0, 0.0)
    delta = (look.slant * look.scale + lam * old[0], look.scale)
    if beta is None:
        assert rho is not None
        assert plane is not None
        start = (rho * old[0], rho * old[1])
        beta = plane.on_line(start, (-delta[0], -delta[1]), lam)
    elif rho is None:
        assert plane is not None
        start = (-beta * delta[0], -beta * delta[1])
        rho = plane.on_line(start, old, lam) if look.q is not None else 0.0
    on_q, on_v = rho * old[0] - beta * delta[0], rho * old[1] - beta * delta[1]
    f = look.forms
    negative = None
    if f.qHq + lam * f.qq < -_ROUNDINGS * eps(look.v.dtype) * abs(f.qHq):
        negative = f.qHq / f.qq
    if plane is None:
        point = Point(on_q, on_v, _length(f, on_q, on_v), math.nan, lam)
        return Choice(point, rho, beta, negative)
    point = plane.at(on_q, on_v, lam)
    if negative is None and point.indefinite:
        negative = plane.curvatures[0]
    return Choice(point, rho, beta, negative)


def _length(f: Forms, on_q: float, on_v: float) -> float:
    """Of on_q q + on_v v. Where they cancel that of one of them: any will do for a scale, but 0."""
    size = max(abs(on_q) * math.sqrt(f.qq), abs(on_v) * math.sqrt(f.vv))
    if size == 0.0:
        return 0.0
    a, b = on_q / size, on_v / size
    square = a * a * f.qq + 2.0 * a * b * f.qv + b * b * f.vv
    return size * math.sqrt(square) if square > 0.0 else size
