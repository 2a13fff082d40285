"""A ratio of two totals from a sample with known probabilities of inclusion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, stdtrit

__all__ = ["Ratio", "estimated_ratio"]


@dataclass(frozen=True)
class Ratio:
    """An estimate of sum y / sum x over a population.

    Attributes
    ----------
    value : float
        Less its bias to leading order, in [0, 1].
    standard_error : float
    bias_bound : float
        Of the bias that was subtracted.
    effective : float
        Summands of equal size that would say as much.
    """

    value: float
    standard_error: float
    bias_bound: float
    effective: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Student's interval for the logarithm of the odds, which cannot leave [0, 1].

        It is as long as that for the ratio itself to leading order, and lies further to the side
        where a skewed sample has its rare summands. (0, 1) where nothing tells the spread.
        """
        if self.standard_error == 0.0:
            return self.value, self.value
        half = self._quantile(0.5 + 0.5 * confidence) * self.standard_error
        if not 0.0 < self.value < 1.0:
            return max(0.0, self.value - half), min(1.0, self.value + half)
        middle, half = float(logit(self.value)), half / (self.value * (1.0 - self.value))
        return float(expit(middle - half)), float(expit(middle + half))

    def _quantile(self, probability: float) -> float:
        """Of Student's law with the degrees of freedom of the sample; infinite without any."""
        quantile = float(stdtrit(self.effective - 1.0, probability))
        return quantile if math.isfinite(quantile) else math.inf


def estimated_ratio(y: np.ndarray, x: np.ndarray, inclusion: np.ndarray) -> Ratio:
    """The ratio from a sample with 0 <= y <= x, of two at least, not all of x zero.

    Parameters
    ----------
    y, x : array, shape (m,)
    inclusion : array, shape (m,)
        The probabilities of inclusion, in (0, 1].
    """
    # Divided by the largest the numbers can be squared and summed, whatever their unit.
    mass, on = x / np.max(x) / inclusion, y / np.max(x) / inclusion
    total = float(np.sum(mass))
    ratio = float(np.sum(on)) / total
    missed = 1.0 - inclusion
    # A column's part in the estimated total, and in the error of the ratio.
    part, residual = mass / total, (on - ratio * mass) / total
    # A column draws the ratio to itself: its own residual is too small by the factor 1 - part.
    room = np.maximum(1.0 - part, np.finfo(np.float64).eps)
    with np.errstate(under="ignore"):
        # -Cov(sum of residuals, sum of x), which is at most the product of both deviations.
        fitted = len(x) / (len(x) - 1.0)
        correction = fitted * float(np.sum(missed * residual * part))
        error = math.sqrt(float(np.sum(missed * residual**2 / room)))
        sizes = missed * part**2
        spread = fitted * math.sqrt(float(np.sum(sizes)))
        relative = sizes / max(float(np.max(sizes)), np.finfo(np.float64).tiny)
        squares = float(np.sum(relative**2))
    effective = float(np.sum(relative)) ** 2 / squares if squares > 0.0 else 0.0
    value = min(1.0, max(0.0, ratio + correction))
    return Ratio(value, error, error * spread, effective)
