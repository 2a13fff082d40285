"""Small pictures of numbers: an interval beside the range claimed, two sides of a bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from theory_checks.page.markup import Markup, element
from theory_checks.page.numbers import plain, value_of

__all__ = ["bound_bars", "interval_strips"]

#: The strip's width and height, and the free space at its ends.
_WIDTH, _HEIGHT, _EDGE = 220.0, 34.0, 8.0

#: How far down the interval is.
_MIDDLE = 11.0

#: Positive numbers further apart than this are drawn on a logarithmic scale.
_DECADES = 1e3


class _Scale:
    """From numbers to places: linear, or logarithmic where positive numbers lie far apart."""

    def __init__(self, numbers: Iterable[float]) -> None:
        finite = [x for x in numbers if math.isfinite(x)]
        low, high = min(finite), max(finite)
        self.logarithmic = low > 0 and high / low > _DECADES
        if low == high:
            width = abs(low) or 1.0
            low, high = low - width / 2, high + width / 2
        self.ends = (low, high)
        self._low, self._high = self._seen(low), self._seen(high)

    def _seen(self, x: float) -> float:
        return math.log10(x) if self.logarithmic else x

    def at(self, x: float) -> float:
        if math.isinf(x):
            return 0.0 if x < 0 else _WIDTH
        # By halves, so that the largest numbers do not overflow.
        width = self._high / 2 - self._low / 2
        # The smallest ones may have no width.
        share = (self._seen(x) / 2 - self._low / 2) / width if width > 0.0 else 0.5
        return _EDGE + share * (_WIDTH - 2 * _EDGE)


def _range(range_: Any) -> tuple[float, float] | None:
    return None if range_ is None else (value_of(range_[0]), value_of(range_[1]))


def _numbers(figure: dict[str, Any]) -> tuple[float, ...]:
    """What has a place on the scale of a figure; nothing where the figure is not a number."""
    own = tuple(value_of(figure[key]) for key in ("value", "low", "high"))
    return (*own, *(_range(figure["claimed"]) or ())) if all(map(math.isfinite, own)) else ()


def interval_strips(figures: list[dict[str, Any]]) -> list[Markup | None]:
    """Draw the intervals of figures, their values, and the ranges claimed of them as bands.

    Figures whose names agree up to the first comma are drawn in one scale.

    Returns
    -------
    list
        None where there is nothing to see: of a figure that is not a number, or of one
        of which nothing is claimed and that is exact, or alone in its scale.
    """
    together: dict[str, list[tuple[float, ...]]] = {}
    for figure in figures:
        if numbers := _numbers(figure):
            together.setdefault(figure["name"].split(",")[0], []).append(numbers)
    strips: list[Markup | None] = []
    for figure in figures:
        shared = together.get(figure["name"].split(",")[0], [])
        exact = figure["low"] == figure["high"]
        idle = figure["claimed"] is None and (exact or len(shared) < 2)
        seen = bool(_numbers(figure)) and not idle
        strips.append(_strip(figure, _Scale(x for n in shared for x in n)) if seen else None)
    return strips


def _band(claimed: tuple[float, float] | None, scale: _Scale) -> Markup | None:
    if claimed is None or not claimed[0] <= claimed[1]:
        return None
    left, right = scale.at(claimed[0]), scale.at(claimed[1])
    # A range of one number is still to be seen.
    width = f"{max(right - left, 2.0):.1f}"
    return element("rect", x=f"{left:.1f}", y=1, width=width, height=20, class_="claimed")


def _strip(figure: dict[str, Any], scale: _Scale) -> Markup:
    value, low, high = (value_of(figure[key]) for key in ("value", "low", "high"))
    claimed = _range(figure["claimed"])
    ends = {"x1": f"{scale.at(low):.1f}", "x2": f"{scale.at(high):.1f}"}
    parts = [
        _band(claimed, scale),
        element("line", x1=0, y1=21.5, x2=_WIDTH, y2=21.5, class_="axis"),
        element("line", y1=_MIDDLE, y2=_MIDDLE, class_="interval", **ends),
        element("circle", cx=f"{scale.at(value):.1f}", cy=_MIDDLE, r=4, class_="value"),
    ]
    first, last = scale.ends
    labels = [
        element("text", plain(first, 4), x=0, y=32),
        element("text", plain(last, 4), x=_WIDTH, y=32, text_anchor="end"),
    ]
    if scale.logarithmic:
        labels.append(element("text", "log", x=_WIDTH / 2, y=32, text_anchor="middle"))
    name = f"{plain(value)}, interval {plain(low)} to {plain(high)}"
    if claimed is not None:
        name += f", claimed {plain(claimed[0])} to {plain(claimed[1])}"
    box = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    title = element("title", name)
    return element("svg", title, parts, labels, viewBox=box, role="img", class_="strip")


def bound_bars(computed: float, theoretical: float) -> Markup | None:
    """Draw the two sides of a bound as bars from zero; None where their signs differ."""
    sides = (computed, theoretical)
    largest = max(map(abs, sides))
    if not 0.0 < largest < math.inf or computed * theoretical < 0.0:
        return None
    bars = [
        element(
            "rect", x=0, y=y, width=f"{_WIDTH * abs(side) / largest:.1f}", height=9, class_=name
        )
        for y, side, name in ((1, computed, "computed"), (12, theoretical, "theoretical"))
    ]
    name = f"computed {plain(computed)}, theoretical {plain(theoretical)}"
    box = f"0 0 {_WIDTH:g} 22"
    return element("svg", element("title", name), bars, viewBox=box, role="img", class_="bars")
