"""Pictures of instances in two dimensions, drawn from their own numbers alone.

Two rules, the first that applies:

1. ``eigenvalues`` and ``gradient``, both of two numbers: the quadratic
   ``q(z) = g'z + z'diag(eigenvalues)z/2`` by its contours in the ball, whose radius is
   ``radius`` where the instance has one and 1 otherwise; -g as an arrow, of the length
   of the radius at most; ``point`` and ``start``, where they are two numbers, as dots;
   where there is an ``alpha``, the dot -alpha g/||g||.
2. At least two vectors of two numbers that are not zero among ``gradient``,
   ``gradients`` (a list of vectors), ``direction``, ``point``, ``start``, ``b``, ``J``,
   ``z``, ``v``: all as arrows from the origin, in one scale.

Nothing is drawn of an instance that has neither, or where the lengths differ so much
that the shortest arrow would be a dot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from contourpy import LineType, contour_generator

from theory_checks.page.markup import Markup, element
from theory_checks.page.numbers import is_number, plain

__all__ = ["drawing"]

#: Half the side of the picture and the length that the ball's radius has in it.
_HALF, _UNIT = 120.0, 96.0

#: Contours, and the points of the polar grid that they are found on.
_LEVELS, _RADII, _ANGLES = 8, 25, 97

#: The shortest arrow that is drawn, as a share of the longest.
_SHORTEST = 0.02

_POINTS = ("point", "start")
_ARROWS = ("gradient", "direction", "point", "start", "b", "J", "z", "v")

Vector = tuple[float, float]


def _plane(value: Any) -> Vector | None:
    """The vector, if it is one of two finite numbers."""
    if isinstance(value, list) and len(value) == 2 and all(map(is_number, value)):
        first, second = map(float, value)
        return (first, second) if math.isfinite(first) and math.isfinite(second) else None
    return None


def _positive(value: Any) -> float | None:
    return float(value) if is_number(value) and 0.0 < value < math.inf else None


def _at(point: Vector, scale: float) -> Vector:
    """Place a point in the picture, where the second axis points down."""
    return scale * point[0], -scale * point[1]


def _label(point: Vector, text: str, below: float) -> Markup:
    # On the side away from the centre; dots have theirs lower than arrows, so that those
    # of a dot and an arrow in one direction do not meet.
    x, y = point
    anchor = "start" if x >= 0 else "end"
    shift = 6.0 if x >= 0 else -6.0
    return element("text", text, x=f"{x + shift:.1f}", y=f"{y + below:.1f}", text_anchor=anchor)


def _arrow(tip: Vector, text: str) -> Markup:
    x, y = tip
    length = math.hypot(x, y)
    along, across = (x / length, y / length), (-y / length, x / length)
    size = min(9.0, length)
    base = (x - size * along[0], y - size * along[1])
    corners = [
        tip,
        (base[0] + size / 3 * across[0], base[1] + size / 3 * across[1]),
        (base[0] - size / 3 * across[0], base[1] - size / 3 * across[1]),
    ]
    points = " ".join(f"{cx:.1f},{cy:.1f}" for cx, cy in corners)
    return element(
        "g",
        element("line", x1=0, y1=0, x2=f"{base[0]:.1f}", y2=f"{base[1]:.1f}"),
        element("polygon", points=points),
        _label(tip, text, -4.0),
        class_="arrow",
    )


def _dot(point: Vector, text: str) -> Markup:
    x, y = point
    circle = element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4)
    return element("g", circle, _label(point, text, 15.0), class_="dot")


def _picture(name: str, caption: str, *parts: Markup | list[Markup]) -> Markup:
    size = 2 * _HALF
    axes = [
        element("line", x1=-_HALF, y1=0, x2=_HALF, y2=0, class_="axis"),
        element("line", x1=0, y1=-_HALF, x2=0, y2=_HALF, class_="axis"),
    ]
    svg = element(
        "svg",
        element("title", name),
        axes,
        parts,
        viewBox=f"{-_HALF:g} {-_HALF:g} {size:g} {size:g}",
        role="img",
        class_="plane",
    )
    return element("figure", svg, element("figcaption", caption))


def _contours(spectrum: Vector, slope: Vector, radius: float) -> Iterator[Markup]:
    """The level lines in the ball, the low ones strong and the high ones faint."""
    # Units in which the ball has radius 1 and the largest coefficient is 1: no overflow.
    size = max(abs(h) * radius for h in spectrum)
    size = max(size, *map(abs, slope))
    if not 0.0 < size < math.inf:
        return
    h, g = (spectrum[0] * radius / size, spectrum[1] * radius / size), [x / size for x in slope]
    r, angle = np.meshgrid(np.linspace(0.0, 1.0, _RADII), np.linspace(0.0, 2 * np.pi, _ANGLES))
    x, y = r * np.cos(angle), r * np.sin(angle)
    q = g[0] * x + g[1] * y + (h[0] * x * x + h[1] * y * y) / 2
    levels = np.linspace(q.min(), q.max(), _LEVELS + 2)[1:-1]
    lines = contour_generator(x, y, q, line_type=LineType.Separate)
    for index, level in enumerate(levels):
        path = "".join(_path(np.asarray(line)) for line in lines.lines(float(level)))
        if path:
            yield element("path", d=path, class_="contour", stroke_opacity=f"{1 - 0.1 * index:.1f}")


def _path(line: np.ndarray) -> str:
    corners = (f"{_UNIT * x:.1f} {-_UNIT * y:.1f}" for x, y in line)
    return "M" + "L".join(corners)


def _dots(instance: dict[str, Any], slope: Vector, radius: float) -> Iterator[Markup]:
    scale = _UNIT / radius
    marked = [(key, _plane(instance.get(key))) for key in _POINTS]
    alpha, length = _positive(instance.get("alpha")), math.hypot(*slope)
    if alpha is not None and 0.0 < length < math.inf:
        start = (-alpha * slope[0] / length, -alpha * slope[1] / length)
        marked.append(("−αg/‖g‖", start))
    for text, point in marked:
        if point is not None and math.hypot(*point) <= 1.2 * radius:
            yield _dot(_at(point, scale), text)


def _model(instance: dict[str, Any]) -> Markup | None:
    spectrum, slope = _plane(instance.get("eigenvalues")), _plane(instance.get("gradient"))
    if spectrum is None or slope is None:
        return None
    radius = _positive(instance.get("radius")) or 1.0
    length = math.hypot(*slope)
    arrows = []
    if 0.0 < length < math.inf:
        shown = _UNIT * min(1.0, length / radius) / length
        if shown * length >= _SHORTEST * _UNIT:
            arrows.append(_arrow(_at((-slope[0], -slope[1]), shown), "−g"))
    ball = element("circle", cx=0, cy=0, r=_UNIT, class_="ball")
    caption = (
        f"q(z) = gᵀz + ½ zᵀHz in the ball of radius {plain(radius)}, in the eigenbasis of H; "
        "strong lines are low"
    )
    lines = list(_contours(spectrum, slope, radius))
    dots = list(_dots(instance, slope, radius))
    return _picture("Contours of the quadratic in the ball", caption, [ball], lines, arrows, dots)


def _vectors(instance: dict[str, Any]) -> Iterator[tuple[str, Vector]]:
    for key in _ARROWS:
        vector = _plane(instance.get(key))
        if vector is not None and any(vector):
            yield key, vector
    several = instance.get("gradients")
    for index, item in enumerate(several if isinstance(several, list) else [], start=1):
        vector = _plane(item)
        if vector is not None and any(vector):
            yield f"gradient {index}", vector


def _arrows(instance: dict[str, Any]) -> Markup | None:
    vectors = list(_vectors(instance))
    lengths = [math.hypot(*vector) for _, vector in vectors]
    if len(vectors) < 2 or not _SHORTEST * max(lengths) < min(lengths) <= max(lengths) < math.inf:
        return None
    scale = _UNIT / max(lengths)
    shown = [_arrow(_at(vector, scale), name) for name, vector in vectors]
    caption = f"The vectors of the instance; the longest has length {plain(max(lengths))}"
    return _picture("Vectors of the instance", caption, shown)


def drawing(instance: dict[str, Any]) -> Markup | None:
    """Draw an instance; None where the rules of this module give no picture."""
    return _model(instance) or _arrows(instance)
