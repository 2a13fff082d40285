"""Arithmetic at fifty digits, apart from mpmath's global precision.

A violation is evaluated again at a hundred digits: nothing here, and nothing that
works with it, may keep a number from one precision for the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath

__all__ = [
    "Real",
    "as_fraction",
    "digits",
    "dot",
    "exact",
    "norm",
    "precise",
    "real",
    "reals",
    "sum_of_squares",
]

#: A number of an mpmath context, which has no type of its own to name.
Real = Any


@cache
def precise() -> Any:
    """Return the context that the oracles work in: fifty digits, unless :func:`digits` rules."""
    context = mpmath.MPContext()
    context.dps = 50
    return context


@contextmanager
def digits(count: int) -> Iterator[None]:
    """Let :func:`precise` work with `count` digits for a while."""
    context = precise()
    former = context.dps
    context.dps = count
    try:
        yield
    finally:
        context.dps = former


def real(value: float | Fraction) -> Real:
    """Return a value at fifty digits; a float's is exact."""
    context = precise()
    if isinstance(value, Fraction):
        return context.mpf(value.numerator) / value.denominator
    return context.mpf(value)


def reals(values: Iterable[float | Fraction]) -> list[Real]:
    """Return the values at fifty digits."""
    return [real(value) for value in values]


def as_fraction(value: Real) -> Fraction:
    """Return a number of fifty digits as the fraction that it is."""
    numerator, denominator = mpmath.libmp.to_rational(value._mpf_)
    return Fraction(int(numerator), int(denominator))


def exact(values: Iterable[float | Fraction]) -> list[Fraction]:
    """Return the values as fractions, exactly."""
    return [Fraction(value) for value in values]


def dot(left: Iterable[Real], right: Iterable[Real]) -> Real:
    """Return the inner product."""
    return precise().fdot(zip(left, right, strict=True))


def sum_of_squares(values: Iterable[Fraction]) -> Fraction:
    """Return the sum of squares of fractions."""
    return sum((value * value for value in values), Fraction(0))


def norm(values: Iterable[Real]) -> Real:
    """Return the Euclidean norm."""
    listed = list(values)
    return precise().sqrt(dot(listed, listed))
