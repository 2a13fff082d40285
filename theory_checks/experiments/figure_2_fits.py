"""What is fitted to measured shares: slopes in the logarithm, and the share of a mean matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from theory_checks.experiments.intervals import Interval, mean_interval

__all__ = [
    "Ratio",
    "local_slope",
    "ratio_of_means",
    "run_slope",
    "standard_errors",
    "weighted_slope",
]

#: Numbers of independent runs.
Numbers = Sequence[float] | np.ndarray


def _slopes(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Least-squares slopes of the rows over x."""
    centred = x - np.mean(x)
    return np.asarray(rows @ centred / np.sum(centred**2))


def _logs(values: object, name: str) -> np.ndarray:
    found = np.asarray(values, dtype=float)
    if not (np.all(np.isfinite(found)) and np.all(found > 0.0)):
        raise ValueError(f"{name} must be positive and finite: a slope is one of logarithms")
    return np.asarray(np.log(found))


def local_slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The least-squares slope of log value over log size, of a law without errors.

    Raises
    ------
    ValueError
        For fewer than two different sizes, or what has no logarithm.
    """
    x = _logs(sizes, "sizes")
    if len(np.unique(x)) < 2:
        raise ValueError("a slope needs two sizes")
    return float(_slopes(x, _logs(values, "values")[None, :])[0])


def run_slope(
    sizes: Sequence[float], runs: Sequence[Sequence[float]] | np.ndarray, confidence: float
) -> Interval:
    """The slope of E log value over log size, with the interval of the runs.

    The estimand is the least-squares slope of the expected logarithm of the value. That is
    neither the slope of the logarithm of the expected value nor, for shares, that of the share of
    the expected absolute matrix: a mean of logarithms is below the logarithm of the mean.

    Parameters
    ----------
    sizes : sequence of float, length m
    runs : sequence of sequences of float
        The m values of each run. Each run has a slope of its own, by least squares; the mean of
        these is the slope of the mean logarithms.
    confidence : float

    Returns
    -------
    Interval
        Student's, of the slopes of the runs. It holds the slope of E log value on these sizes
        with that probability, whether or not it is a power, as far as the slopes of the runs are
        normal.

    Raises
    ------
    ValueError
        For fewer than two different sizes or runs, or what has no logarithm.
    """
    x = _logs(sizes, "sizes")
    if len(np.unique(x)) < 2:
        raise ValueError("a slope needs two sizes")
    return mean_interval(_slopes(x, _logs(runs, "values")), confidence)


def weighted_slope(
    sizes: Sequence[float],
    values: Sequence[float],
    errors: Sequence[float],
    confidence: float,
) -> Interval:
    """The slope of log |value| over log size, from values with standard errors.

    The weights are those of the standard errors of log |value|, which are errors / |value| where
    that is small. The interval is the normal one of these errors.

    Raises
    ------
    ValueError
        For fewer than two different sizes, or what has no logarithm.
    """
    sized = np.abs(np.asarray(values, dtype=float))
    x, y = _logs(sizes, "sizes"), _logs(sized, "values")
    if len(np.unique(x)) < 2:
        raise ValueError("a slope needs two sizes")
    weights = (sized / np.asarray(errors, dtype=float)) ** 2
    centred = x - np.sum(weights * x) / np.sum(weights)
    spread = float(np.sum(weights * centred**2))
    slope = float(np.sum(weights * centred * y)) / spread
    half = float(norm.ppf(0.5 + 0.5 * confidence)) / math.sqrt(spread)
    return Interval(slope, slope - half, slope + half)


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means, and its standard error."""

    value: float
    error: float


def ratio_of_means(
    parts: Sequence[float] | np.ndarray, wholes: Sequence[float] | np.ndarray
) -> Ratio:
    """The sum of the parts over that of the wholes: a share of the mean matrix.

    The standard error is the first-order one, of the residuals part - ratio * whole.

    Raises
    ------
    ValueError
        For fewer than two runs.
    """
    y, x = np.asarray(parts, dtype=float), np.asarray(wholes, dtype=float)
    if len(y) < 2:
        raise ValueError("a standard error needs at least two runs")
    ratio = float(np.sum(y)) / float(np.sum(x))
    residual = float(np.std(y - ratio * x, ddof=1))
    return Ratio(ratio, residual / math.sqrt(len(y)) / float(np.mean(x)))


def standard_errors(values: Numbers, expected: float) -> float:
    """How many standard errors the mean of some runs is above what is expected."""
    found = np.asarray(values, dtype=float)
    error = float(np.std(found, ddof=1)) / math.sqrt(len(found))
    gap = float(np.mean(found)) - expected
    if error <= 1e-13 * abs(expected):
        # Without spread, as for random signs: no difference but rounding, or one beyond doubt.
        return 0.0 if abs(gap) <= 1e-12 * abs(expected) else math.copysign(math.inf, gap)
    return gap / error
