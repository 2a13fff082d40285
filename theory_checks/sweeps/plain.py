"""Cells and results as JSON, such that what is read is what was written."""

from __future__ import annotations

import dataclasses
import json
from numbers import Integral, Real
from typing import Any

from theory_checks.codec import to_plain

__all__ = ["cell_text", "plain", "text_of"]

#: How floats that are not finite are written: see :mod:`theory_checks.codec`.
_WORDS = ("inf", "-inf", "nan")

_SHOWN = 80  # characters of a value in a message


def _check(value: Any) -> None:
    """Refuse what would come back as something else."""
    if isinstance(value, str) and value in _WORDS:
        raise ValueError(f"the text {value!r} cannot be told from the number")
    if isinstance(value, (bool, int, float)):
        return
    if isinstance(value, Real):
        _check_number(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for entry in dataclasses.fields(value):
            _check(getattr(value, entry.name))
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a key that is no text: {key!r}")
            _check(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check(item)


def _check_number(value: Real) -> None:
    """A number of a library: an integer, or one that is the same as a Python float."""
    if isinstance(value, Integral):
        return
    try:
        same = value != value or float(value) == value
    except OverflowError:
        same = False
    if not same:
        raise ValueError(f"{value!r} of type {type(value).__name__} is rounded as a float")


def plain(value: Any) -> Any:
    """The value as JSON holds it: tuples as lists, dataclasses as objects, NaN as a word.

    Raises
    ------
    ValueError
        For what JSON cannot hold, or would give back as something else.
    """
    try:
        _check(value)
        document = to_plain(value)
        text_of(document)
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
        if len(reason) > _SHOWN:
            reason = f"{reason[:_SHOWN]}..."
        raise ValueError(f"no plain data: {reason}") from None
    return document


def text_of(document: Any) -> str:
    """Plain data as text; equal texts, equal data."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def cell_text(cell: Any) -> str:
    """The text by which a cell is known.

    Raises
    ------
    ValueError
        For a cell that is no plain data, or holds a NaN, which is equal to nothing.
    """
    document = plain(cell)
    if _holds_nan(document):
        raise ValueError("it holds a NaN, which is equal to nothing")
    return text_of(document)


def _holds_nan(document: Any) -> bool:
    if isinstance(document, dict):
        return any(map(_holds_nan, document.values()))
    if isinstance(document, list):
        return any(map(_holds_nan, document))
    # No text is the word itself, so that it can stand for the number alone.
    return bool(document == "nan")
