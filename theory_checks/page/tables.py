"""Tables with headers that are read out, and that become cards on a narrow page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from theory_checks.page.markup import Child, Markup, element

__all__ = ["Column", "body", "table"]


@dataclass(frozen=True)
class Column:
    """A column: its heading, the longer words on what it is, and whether it has numbers."""

    heading: str
    meaning: str = ""
    numeric: bool = False


def _heading(column: Column) -> Markup:
    return element(
        "th",
        column.heading,
        scope="col",
        role="columnheader",
        title=column.meaning or None,
        class_="number" if column.numeric else None,
    )


def _row(columns: Sequence[Column], cells: Sequence[Child]) -> Markup:
    # Laid out as cards, a table loses its roles in some browsers: they are said outright.
    shown = [element("th", cells[0], scope="row", role="rowheader")]
    for column, cell in zip(columns[1:], cells[1:], strict=True):
        shown.append(
            element(
                "td",
                element("span", cell, class_="cell-value"),
                role="cell",
                data_label=column.heading,
                class_="number" if column.numeric else None,
            )
        )
    return element("tr", shown, role="row")


def body(columns: Sequence[Column], rows: Iterable[Sequence[Child]], group: Child = None) -> Markup:
    """Return rows that belong together, under a heading of their own where there is one."""
    heading = None
    if group is not None:
        cell = element("th", group, scope="rowgroup", colspan=len(columns), role="rowheader")
        heading = element("tr", cell, role="row", class_="group")
    return element("tbody", heading, [_row(columns, cells) for cells in rows], role="rowgroup")


def table(caption: Child, columns: Sequence[Column], *bodies: Markup, class_: str = "") -> Markup:
    """Return a table; the first cell of a row is its header."""
    head = element("tr", [_heading(column) for column in columns], role="row")
    return element(
        "table",
        element("caption", caption),
        element("thead", head, role="rowgroup"),
        bodies,
        role="table",
        class_=f"data {class_}".strip(),
    )
