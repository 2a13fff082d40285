"""Frozen dataclasses of plain data to JSON and back, exactly.

Floats are written with Python's shortest exact representation, so that reading
gives back the bits that were written. JSON has no infinities: a float that is
not finite is written as ``"inf"``, ``"-inf"`` or ``"nan"``.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from numbers import Integral, Real
from typing import Any, TypeVar

__all__ = ["decode_float", "encode_float", "from_plain", "restored", "to_plain"]

_T = TypeVar("_T")


def encode_float(value: float) -> float | str:
    """Make a float fit for JSON."""
    return float(value) if math.isfinite(value) else str(float(value))


def decode_float(value: Any) -> float:
    """Undo :func:`encode_float`.

    Raises
    ------
    ValueError
        For anything but a number or one of the three words.
    """
    if isinstance(value, bool) or not (
        isinstance(value, (int, float)) or value in ("inf", "-inf", "nan")
    ):
        raise ValueError(f"not a number: {value!r}")
    return float(value)


def to_plain(value: Any) -> Any:
    """Return what JSON can hold: dataclasses become objects, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return encode_float(float(value))
    # NumPy's booleans are no Python ones, and no numbers either.
    if hasattr(value, "dtype") and value.dtype.kind == "b":
        return bool(value)
    raise TypeError(f"not plain data: {value!r}")


def restored(value: Any) -> Any:
    """Turn the three words for floats that are not finite back, in plain data of any shape."""
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return float(value) if value in ("inf", "-inf", "nan") else value


def _decoded(kind: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return _decoded(inner, value)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_decoded(arguments[0], item) for item in value)
        return tuple(_decoded(k, item) for k, item in zip(arguments, value, strict=True))
    if origin is dict:
        return {key: _decoded(arguments[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_plain(kind, value)
    if kind is float:
        return decode_float(value)
    if kind in (int, str, bool):
        if not isinstance(value, kind):
            raise ValueError(f"not of type {kind.__name__}: {value!r}")
        return value
    return restored(value) if kind is Any else value


def from_plain(kind: type[_T], document: Any) -> _T:
    """Build a dataclass from what :func:`to_plain` made of it.

    Raises
    ------
    ValueError
        When fields are missing or unknown, or of another type.
    """
    if not isinstance(document, dict):
        raise ValueError(f"not a {kind.__name__}: {document!r}")
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    if set(document) != set(names):
        raise ValueError(f"not the fields of {kind.__name__}: {sorted(document)}")
    return kind(**{name: _decoded(hints[name], document[name]) for name in names})
