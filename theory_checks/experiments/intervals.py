"""Means with confidence intervals, from independent runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

__all__ = ["Interval", "mean_band", "mean_interval"]


@dataclass(frozen=True)
class Interval:
    """A mean and the ends of its confidence interval."""

    mean: float
    low: float
    high: float

    def shown(self, digits: int = 2) -> str:
        """As text: the mean, and the ends in brackets."""
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


def mean_interval(values: Sequence[float] | np.ndarray, confidence: float) -> Interval:
    """The mean of at least two independent values, by Student's t distribution."""
    mean, half = mean_band(np.asarray(values, dtype=float)[:, None], confidence)
    centre, width = float(mean[0]), float(half[0])
    return Interval(centre, centre - width, centre + width)


def mean_band(rows: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """The mean over the rows, and half the width of its interval, column by column."""
    count = len(rows)
    if count < 2:
        raise ValueError("an interval needs at least two runs")
    quantile = float(student.ppf(0.5 + 0.5 * confidence, count - 1))
    half = quantile * np.std(rows, axis=0, ddof=1) / math.sqrt(count)
    return np.mean(rows, axis=0), half
