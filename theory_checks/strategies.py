"""Hypothesis strategies for numbers and spectra that shrink to readable ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

__all__ = ["fractions_of_one", "numbers", "problems", "vectors"]


def numbers(size: float = 8.0) -> SearchStrategy[float]:
    """Draw numbers in [-size, size]: quarters first, then any float."""
    quarters = st.integers(-int(4 * size), int(4 * size)).map(lambda k: k / 4)
    small = st.sampled_from([1e-8, 1e-4, 1e-2, 0.1])
    anywhere = st.floats(-size, size, allow_nan=False, allow_subnormal=False)
    # Squares of what is smaller would leave the range of float64.
    normal = anywhere.map(lambda x: x if abs(x) > 1e-12 else 0.0)
    return st.one_of(quarters, normal, st.builds(lambda a, b: a * b, small, quarters))


def fractions_of_one() -> SearchStrategy[float]:
    """Draw numbers strictly between 0 and 1."""
    sixteenths = st.integers(1, 15).map(lambda k: k / 16)
    return st.one_of(sixteenths, st.floats(1e-3, 1 - 1e-3, allow_nan=False))


def vectors(dimension: int, size: float = 8.0) -> SearchStrategy[list[float]]:
    """Draw vectors of a given length."""
    return st.lists(numbers(size), min_size=dimension, max_size=dimension)


def problems(
    largest: int = 4, size: float = 8.0, **extra: SearchStrategy[Any]
) -> SearchStrategy[dict[str, Any]]:
    """Draw records with ``eigenvalues``, sorted, ``gradient``, and what is asked for besides."""

    def of_dimension(dimension: int) -> SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(dimension, size).map(sorted),
                "gradient": vectors(dimension, size),
                **extra,
            }
        )

    return st.integers(1, largest).flatmap(of_dimension)
