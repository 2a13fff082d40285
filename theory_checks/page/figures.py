"""Measured figures: value, interval, what is claimed of them, and the answer."""

from __future__ import annotations

from typing import Any

from theory_checks.page.instances import folded
from theory_checks.page.markup import Child, Markup, element, joined, words
from theory_checks.page.numbers import number, plain
from theory_checks.page.strips import interval_strips
from theory_checks.page.tables import Column, body, table

__all__ = ["figures_block"]

#: More figures than these are shown on demand.
_SHOWN = 12

#: Digits of a figure, and the most that its interval is given in: one that is smaller is not shown.
_DIGITS, _MOST = 4, 10

_ANSWERS = {"consistent": "holds", "not consistent": "refuted", "can't tell": "needs"}


def _range(ends: list[Any], digits: int = _DIGITS) -> Markup:
    return joined(number(ends[0], digits), " to ", number(ends[1], digits))


def _value(figure: dict[str, Any]) -> Markup:
    value = element("b", number(figure["value"], _DIGITS))
    if len({plain(figure[key], _MOST) for key in ("value", "low", "high")}) == 1:
        return value
    ends = [figure["low"], figure["high"]]
    # As many digits as it takes to tell the ends apart.
    digits = next(
        (d for d in range(_DIGITS, _MOST) if plain(ends[0], d) != plain(ends[1], d)), _MOST
    )
    interval = element("span", _range(ends, digits), class_="interval")
    return joined(value, " ", interval)


def _claimed(figure: dict[str, Any]) -> Child:
    if figure["claimed"] is None:
        return None
    answer = element(
        "span", figure["answer"], class_=f"badge {_ANSWERS.get(figure['answer'], 'unknown')}"
    )
    return words(_range(figure["claimed"]), answer)


def _name(figure: dict[str, Any]) -> Markup:
    if figure["as_recorded"]:
        return joined(figure["name"])
    recorded = None if figure["expected"] is None else _range(figure["expected"])
    flag = element("strong", "outside the recorded range: ", recorded, class_="flag")
    return words(figure["name"], flag)


def _table(figures: list[dict[str, Any]]) -> Markup:
    """Only the columns that at least one of the figures has something for."""
    strips = interval_strips(figures)
    claimed = any(figure["claimed"] is not None for figure in figures)
    columns: list[tuple[Column, list[Child]]] = [
        (Column("Figure"), [_name(figure) for figure in figures]),
        (Column("Value, 95% interval"), [_value(figure) for figure in figures]),
    ]
    if any(strips):
        columns.append((Column("Interval, claimed range" if claimed else "Interval"), list(strips)))
    if any(figure["paper"] for figure in figures):
        columns.append((Column("The paper says"), [figure["paper"] for figure in figures]))
    if claimed:
        columns.append((Column("Claimed"), [_claimed(figure) for figure in figures]))
    heads = [column for column, _ in columns]
    rows = list(zip(*(cells for _, cells in columns), strict=True))
    caption = element("h4", "Figures measured in this run")
    return table(caption, heads, body(heads, rows), class_="figures")


def figures_block(figures: list[dict[str, Any]]) -> Markup | None:
    """Return the figures of a claim in a table, folded where they are many."""
    if not figures:
        return None
    shown = _table(figures)
    if len(figures) > _SHOWN:
        shown = folded(f"All {len(figures)} figures", shown)
    return element("div", shown, class_="block")
