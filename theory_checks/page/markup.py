"""HTML and SVG put together from elements: whatever is not markup already is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

__all__ = ["Child", "Markup", "element", "joined", "words"]


class Markup(str):
    """Text that is HTML and stays as it is; every other string is escaped."""

    __slots__ = ()


#: What an element may hold; None is nothing.
Child = str | Iterable["Child"] | None

_VOID = frozenset({"meta", "br"})


def joined(*children: Child) -> Markup:
    """Put pieces one after another."""
    return Markup("".join(_escaped(child) for child in children))


def _escaped(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return str(child)
    if isinstance(child, str):
        return html.escape(child)
    return joined(*child)


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    # Python has words of its own, and no hyphens: class_ is class, aria_label aria-label.
    spelt = name.rstrip("_").replace("_", "-")
    return f" {spelt}" if value is True else f' {spelt}="{html.escape(str(value))}"'


def element(tag: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """Make one element.

    Parameters
    ----------
    tag : str
        Its name.
    children : str, Markup, iterables of them, or None
        What it holds, in its order; None is nothing.
    attributes : str, number, bool or None
        ``class_`` stands for ``class``, an underscore for a hyphen; True makes
        an attribute without a value, None and False none at all.
    """
    opening = f"<{tag}{''.join(_attribute(k, v) for k, v in attributes.items())}>"
    return Markup(opening if tag in _VOID else f"{opening}{joined(*children)}</{tag}>")


def words(*pieces: Child) -> Markup:
    """Put pieces that are there side by side, with a space between them."""
    return Markup(" ".join(text for piece in pieces if (text := _escaped(piece))))
