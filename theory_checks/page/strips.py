"""Small pictures of numbers: an interval beside the range claimed, two sides of a bound."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from theory_checks.page.markup import Markup, element
from theory_checks.page.numbers import plain, value_of

__all__ = ["bound_bars", "interval_strip"]

#: The strip's width and height, and the free space at its ends.
_WIDTH, _HEIGHT, _EDGE = 220.0, 34.0, 8.0

#: Positive numbers further apart than this are drawn on a logarithmic scale.
_DECADES = 1e3


class _Scale:
    """From numbers to places: linear, or logarithmic where positive numbers lie far apart."""

    def __init__(self, numbers: Iterable[float]) -> None:
        finite = [x for x in numbers if math.isfinite(x)]
        low, high = min(finite), max(finite)
        self.logarithmic = low > 0 and high / low > _DECADES
        self._low, self._high = self._seen(low), self._seen(high)
        if self._low == self._high:
            width = abs(self._low) or 1.0
            self._low, self._high = self._low - width / 2, self._high + width / 2

    def _seen(self, x: float) -> float:
        return math.log10(x) if self.logarithmic else x

    def ends(self) -> tuple[float, float]:
        if self.logarithmic:
            return 10.0**self._low, 10.0**self._high
        return self._low, self._high

    def at(self, x: float) -> float:
        if math.isinf(x):
            return 0.0 if x < 0 else _WIDTH
        share = (self._seen(x) - self._low) / (self._high - self._low)
        return _EDGE + share * (_WIDTH - 2 * _EDGE)


def _range(range_: Any) -> tuple[float, float] | None:
    return None if range_ is None else (value_of(range_[0]), value_of(range_[1]))


def interval_strip(figure: dict[str, Any]) -> Markup | None:
    """Draw a figure's interval, its value, and the range claimed of it as a band.

    None where there is nothing to see: an exact figure of which nothing is claimed,
    or one that is not a number.
    """
    value, low, high = (value_of(figure[key]) for key in ("value", "low", "high"))
    claimed = _range(figure["claimed"])
    if not all(map(math.isfinite, (value, low, high))) or (claimed is None and low == high):
        return None
    scale = _Scale((value, low, high, *(claimed or ())))
    middle = 11.0
    parts = []
    if claimed is not None and claimed[0] <= claimed[1]:
        left, right = scale.at(claimed[0]), scale.at(claimed[1])
        # A range of one number is still to be seen.
        width = max(right - left, 2.0)
        parts.append(
            element("rect", x=f"{left:.1f}", y=1, width=f"{width:.1f}", height=20, class_="claimed")
        )
    parts += [
        element("line", x1=0, y1=21.5, x2=_WIDTH, y2=21.5, class_="axis"),
        element(
            "line",
            x1=f"{scale.at(low):.1f}",
            y1=middle,
            x2=f"{scale.at(high):.1f}",
            y2=middle,
            class_="interval",
        ),
        element("circle", cx=f"{scale.at(value):.1f}", cy=middle, r=4, class_="value"),
    ]
    first, last = scale.ends()
    labels = [
        element("text", plain(first), x=0, y=32),
        element("text", plain(last), x=_WIDTH, y=32, text_anchor="end"),
    ]
    if scale.logarithmic:
        labels.append(element("text", "log", x=_WIDTH / 2, y=32, text_anchor="middle"))
    name = f"{plain(value)}, interval {plain(low)} to {plain(high)}"
    if claimed is not None:
        name += f", claimed {plain(claimed[0])} to {plain(claimed[1])}"
    box = f"0 0 {_WIDTH:g} {_HEIGHT:g}"
    return element(
        "svg", element("title", name), parts, labels, viewBox=box, role="img", class_="strip"
    )


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
