"""Instances in readable numbers: vectors and matrices as such, and the file to replay."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from theory_checks.page.markup import Markup, element, joined
from theory_checks.page.numbers import is_number, number
from theory_checks.page.plane import drawing
from theory_checks.replay import file_name

__all__ = ["folded", "instance_block", "instance_file", "replay_line"]

#: A vector of up to so many entries stands upright; a matrix has at most so many columns.
_UPRIGHT, _COLUMNS = 6, 8

#: Entries shown of a long vector; the file has them all.
_SHOWN = 60

_DIGITS = 6


def instance_file(claim_id: str, form: str, kind: str) -> str:
    """Return the path, from the page, of the file that an instance was written to."""
    return f"instances/{file_name(claim_id, form, kind)}"


def _scalar(value: Any) -> Markup:
    if value is None or isinstance(value, bool):
        return element("span", {None: "none", True: "true", False: "false"}[value])
    if is_number(value) or value in ("inf", "-inf", "nan"):
        return number(value, _DIGITS)
    return element("q", str(value))


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, (list, dict))


def _matrix(rows: Iterable[Iterable[Any]]) -> Markup:
    lines = [
        element(
            "span",
            [element("span", _scalar(x), " ", class_="cell") for x in row],
            class_="row",
        )
        for row in rows
    ]
    return element("span", lines, class_="matrix")


def _is_matrix(value: list[Any]) -> bool:
    if not all(isinstance(row, list) and all(map(_is_scalar, row)) for row in value):
        return False
    widths = {len(row) for row in value}
    return len(widths) == 1 and 0 < max(widths) <= _COLUMNS


def _tuple(values: list[Any]) -> Markup:
    shown = [joined(", " if i else None, _value(x)) for i, x in enumerate(values[:_SHOWN])]
    more = f", … and {len(values) - _SHOWN} more in the file" if len(values) > _SHOWN else None
    return element("span", "(", shown, more, ")", class_="tuple")


def _value(value: Any) -> Markup:
    if isinstance(value, dict):
        return entries(value)
    if not isinstance(value, list):
        return _scalar(value)
    if not value:
        return element("span", "( ), empty")
    if all(map(_is_scalar, value)):
        return _matrix([x] for x in value) if 1 < len(value) <= _UPRIGHT else _tuple(value)
    return _matrix(value) if _is_matrix(value) and len(value) <= _SHOWN else _tuple(value)


def entries(instance: dict[str, Any]) -> Markup:
    """Return the named values of an instance, each as ``name = value``."""
    shown = [
        element("span", element("code", key), " = ", _value(value), class_="entry")
        for key, value in instance.items()
    ]
    return element("span", [joined(item, " ") for item in shown], class_="entries")


def replay_line(file: str, modules: Iterable[str] = ()) -> Markup:
    """Return the link to an instance's file and the command that evaluates it anew."""
    options = "".join(f" --module {shlex.quote(name)}" for name in modules)
    command = f"theory-checks replay{options} {shlex.quote(file)}"
    link = element("a", "Instance file", href=quote(file))
    return element(
        "p",
        link,
        "; to evaluate it anew, in this page's folder: ",
        element("code", command),
        class_="replay",
    )


def instance_block(instance: dict[str, Any], *below: Markup | None, drawn: bool = False) -> Markup:
    """Return an instance in numbers and, where it is to be drawn and can be, a picture of it.

    `below` is what stands under the numbers, beside the picture.
    """
    picture = drawing(instance) if drawn else None
    numbers = element("div", entries(instance), below, class_="numbers")
    return element("div", numbers, picture, class_="instance")


def folded(summary: str | Markup, *content: Markup | None) -> Markup:
    """Return what is shown on demand, and always on paper."""
    return element("details", element("summary", summary), element("div", content, class_="inner"))
