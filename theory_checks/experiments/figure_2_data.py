"""Inputs of figure 2's models: random numbers, and features of the digits, as many as wanted."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from tralgos.problems import load_digits

__all__ = [
    "CLASSES",
    "PIXELS",
    "QUADRATIC",
    "RANDOM",
    "REAL",
    "STANDARD",
    "check_features",
    "features",
    "inputs",
]

CLASSES = 10

RANDOM = "random inputs"
PIXELS = "pixels"
STANDARD = "standardised pixels"
QUADRATIC = "quadratic features"

#: Data sets made of the digits.
REAL = (PIXELS, STANDARD, QUADRATIC)

#: Quadratic features that are made at once.
_PANEL = 512

Numbers = NDArray[np.float64]
Labels = NDArray[np.int64]


@cache
def _digits() -> tuple[Numbers, Labels]:
    """The digits, which nobody may write to."""
    pixels, labels = load_digits()
    pixels.setflags(write=False)
    labels.setflags(write=False)
    return pixels, labels


def inputs(
    data: str, features_wanted: int, examples: int, rng: np.random.Generator
) -> tuple[Numbers, Labels]:
    """Examples and labels: so many random ones, or all digits.

    Parameters
    ----------
    data : str
        One of the names of this module.
    features_wanted : int
        Columns.
    examples : int
        Rows of random inputs; the digits are as many as they are.
    rng : numpy.random.Generator

    Returns
    -------
    X : ndarray, shape (N, features_wanted)
    labels : ndarray of int64, shape (N,)

    Raises
    ------
    ValueError
        For an unknown name, or more pixels than there are.
    """
    if data == RANDOM:
        X = rng.standard_normal((examples, features_wanted))
        return X, rng.integers(0, CLASSES, examples)
    return features(data, features_wanted, rng), _digits()[1]


def check_features(data: str, wanted: int, examples: int) -> None:
    """Refuse what :func:`inputs` and :func:`features` cannot give, without making any.

    Raises
    ------
    ValueError
        For an unknown name, no features, more pixels than there are, or more examples than digits.
    """
    if data not in (RANDOM, *REAL):
        raise ValueError(f"data {data!r}: not one of {', '.join((RANDOM, *REAL))}")
    if wanted < 1:
        raise ValueError(f"{wanted} features wanted: at least one is needed")
    if data == RANDOM:
        return
    pixels, _ = _digits()
    if examples > len(pixels):
        raise ValueError(f"{examples} digits wanted: there are {len(pixels)}")
    inked = np.count_nonzero(np.any(pixels > 0.0, axis=0))
    if data != QUADRATIC and inked < wanted != pixels.shape[1]:
        raise ValueError(
            f"{wanted} pixels wanted: take {pixels.shape[1]}, or at most the {inked} that are "
            "ever inked"
        )


def features(
    data: str,
    wanted: int,
    rng: np.random.Generator,
    rows: NDArray[np.int64] | None = None,
) -> Numbers:
    """Features of the digits.

    Parameters
    ----------
    data : {"pixels", "standardised pixels", "quadratic features"}
        Pixels in [0, 1], or with mean 0 and deviation 1 over all digits: all 64, or so many of the
        61 that are ever inked, at random. Or (u'z)(v'z) of the standardised pixels z with normal u
        and v, then standardised itself: as many as one likes.
    wanted : int
        Their number.
    rng : numpy.random.Generator
    rows : ndarray of int, optional
        The digits that are wanted; all of them unless given.

    Returns
    -------
    ndarray, shape (digits, wanted)

    Raises
    ------
    ValueError
        For another name, or more pixels than there are.
    """
    pixels, _ = _digits()
    chosen = np.arange(len(pixels)) if rows is None else rows
    if data not in REAL:
        raise ValueError(f"data {data!r}: not one of {', '.join((RANDOM, *REAL))}")
    check_features(data, wanted, len(chosen))
    if data == QUADRATIC:
        return _quadratic(_standardised(pixels), wanted, rng, chosen)
    everything = pixels if data == PIXELS else _standardised(pixels)
    return np.ascontiguousarray(everything[np.ix_(chosen, _places(pixels, wanted, rng))])


def _places(pixels: Numbers, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if wanted == pixels.shape[1]:
        return np.arange(wanted)
    inked = np.flatnonzero(np.any(pixels > 0.0, axis=0))
    return np.sort(rng.choice(inked, wanted, replace=False))


def _standardised(X: Numbers) -> Numbers:
    """Mean 0 and deviation 1, column by column; what is constant becomes 0."""
    spread = X.std(axis=0)
    return np.asarray((X - X.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))


def _quadratic(
    Z: Numbers, wanted: int, rng: np.random.Generator, rows: NDArray[np.int64]
) -> Numbers:
    panels = []
    for first in range(0, wanted, _PANEL):
        count = min(_PANEL, wanted - first)
        left, right = rng.standard_normal((2, Z.shape[1], count))
        panels.append(_standardised((Z @ left) * (Z @ right))[rows])
    return np.concatenate(panels, axis=1)
