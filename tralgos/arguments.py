"""Checks of the scalar arguments that solvers, problems and methods share.

Each returns the value as a plain Python number, or raises an error that names the
argument and what was wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real

import numpy as np

from tralgos.errors import ArgumentError

__all__ = [
    "DEFAULT_SEED",
    "check_callback",
    "check_choice",
    "check_max_matvec",
    "check_memory",
    "check_probability",
    "check_rng",
    "integer",
    "nonnegative_scalar",
    "number",
    "positive_integer",
    "positive_scalar",
]

#: Seed of the generator that is used where the caller gives none: two calls with
#: the same data return the same figures.
DEFAULT_SEED = 20180215


def number(x: object, name: str) -> float:
    """`x` as a Python float; a bool, a string or an array of the user is refused."""
    if isinstance(x, bool | np.bool_) or not isinstance(x, Real):
        raise ArgumentError(f"{name} must be a real number, got {type(x).__name__}")
    try:
        return float(x)
    except OverflowError:
        return math.inf


def positive_scalar(x: object, name: str) -> float:
    """`x` as a float.

    Raises
    ------
    ArgumentError
        If `x` is not a positive finite real number (Python or NumPy scalar).
    """
    value = number(x, name)
    if not 0.0 < value < math.inf:
        raise ArgumentError(f"{name} must be positive and finite, got {value}")
    return value


def check_probability(p: object, name: str = "failure_probability") -> float:
    """`p` as a float.

    Raises
    ------
    ArgumentError
        If `p` is not in (0, 1).
    """
    value = number(p, name)
    if not 0.0 < value < 1.0:
        raise ArgumentError(f"{name} must lie in (0, 1), got {value}")
    return value


def nonnegative_scalar(x: object, name: str) -> float:
    """`x` as a float.

    Raises
    ------
    ArgumentError
        If `x` is not a non-negative finite real number.
    """
    value = number(x, name)
    if not 0.0 <= value < math.inf:
        raise ArgumentError(f"{name} must be finite and not negative, got {value}")
    return value


def integer(x: object, name: str) -> int:
    """`x` as an int; a bool, a float or a string is refused."""
    if isinstance(x, bool) or not isinstance(x, Integral):
        raise ArgumentError(f"{name} must be an integer, got {type(x).__name__}")
    return int(x)


def positive_integer(x: object, name: str) -> int:
    """`x` as an int.

    Raises
    ------
    ArgumentError
        If `x` is not an integer of at least 1.
    """
    value = integer(x, name)
    if value < 1:
        raise ArgumentError(f"{name} must be at least 1, got {value}")
    return value


def check_max_matvec(max_matvec: object, name: str = "max_matvec") -> int | None:
    """`max_matvec` as an int, or None for no bound.

    Raises
    ------
    ArgumentError
        If it is neither None nor a positive integer.
    """
    if max_matvec is None:
        return None
    return positive_integer(max_matvec, name)


def check_memory(memory: object, default: int) -> int:
    """`memory` as an int, or `default` for None.

    Raises
    ------
    ArgumentError
        If it is neither None nor a positive integer.
    """
    if memory is None:
        return default
    value = integer(memory, "memory")
    if value < 1:
        raise ArgumentError(f"memory must be a positive number of bytes, got {value}")
    return value


def check_callback(callback: object) -> Callable[..., object] | None:
    """`callback` itself.

    Raises
    ------
    ArgumentError
        If it is neither None nor callable.
    """
    if callback is None or callable(callback):
        return callback
    raise ArgumentError(f"callback must be callable, got {type(callback).__name__}")


def check_rng(rng: object) -> np.random.Generator:
    """A generator: `rng` itself, one seeded with the int `rng`, or with :data:`DEFAULT_SEED`.

    Raises
    ------
    ArgumentError
        If `rng` is not None, a non-negative int or a :class:`numpy.random.Generator`.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng(DEFAULT_SEED)
    try:
        seed = integer(rng, "rng")
    except ArgumentError:
        raise ArgumentError(
            "rng must be a numpy.random.Generator, an integer seed or None, "
            f"got {type(rng).__name__}"
        ) from None
    if seed < 0:
        raise ArgumentError(f"rng as a seed must not be negative, got {seed}")
    return np.random.default_rng(seed)


def check_choice(value: object, name: str, known: Iterable[str]) -> str:
    """`value` itself.

    Raises
    ------
    ArgumentError
        If it is not one of `known`, which the message lists.
    """
    choices = list(known)
    if isinstance(value, str) and value in choices:
        return value
    listed = ", ".join(repr(choice) for choice in choices)
    raise ArgumentError(f"unknown {name} {value!r}; known are {listed}")
