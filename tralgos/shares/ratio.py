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
        Summands of equal size that would say as much, of the mass and of the variance.
    skewness : float
        Of the error of `value`, in [-1, 1]; positive where large columns are missed more often
        than drawn that raise the ratio.
    """

    value: float
    standard_error: float
    bias_bound: float
    effective: float
    skewness: float

    def interval(self, confidence: float, draws: float) -> tuple[float, float]:
        """An interval for the ratio, never without width.

        For the logarithm of the odds, which cannot leave [0, 1], Student's interval, longer on the
        side of a skewed sample's rare summands (Johnson 1978), and on either side at least as long
        as what the sample may have missed altogether.

        Parameters
        ----------
        confidence : float
        draws : float
            Columns that have the probability p together are missed with exp(-p `draws`).
        """
        # The rule of three: at 0.95 columns of the probability 3 / draws may be missing, and with
        # them that part of sum y, or of the sum of x - y.
        missing = -math.log1p(-confidence) / draws
        below, above = self._halves(confidence)
        if 0.0 < self.value < 1.0:
            middle, scale = float(logit(self.value)), self.value * (1.0 - self.value)
            low = float(expit(middle - max(below / scale, missing)))
            high = float(expit(middle + max(above / scale, missing)))
        else:
            low = max(0.0, self.value - max(below, missing))
            high = min(1.0, self.value + max(above, missing))
        # Next to 1 what is missing may be less than a rounding error.
        outer = np.nextafter(self.value, [0.0, 1.0])
        return min(low, float(outer[0])), max(high, float(outer[1]))

    def _halves(self, confidence: float) -> tuple[float, float]:
        """How far the interval reaches below and above the value."""
        if self.standard_error == 0.0:
            return 0.0, 0.0
        quantile = float(stdtrit(self.effective - 1.0, 0.5 + 0.5 * confidence))
        if not math.isfinite(quantile):
            return math.inf, math.inf
        half = quantile * self.standard_error
        # Johnson's term moves both ends. The other end is left where it is: a sample knows too
        # little of its skewness to be more certain for it.
        more = abs(self.skewness) / 6.0 * (1.0 + 2.0 * quantile**2) * self.standard_error
        return half + more * (self.skewness < 0.0), half + more * (self.skewness > 0.0)


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
        variances = missed * residual**2 / room
        error = math.sqrt(float(np.sum(variances)))
        sizes = missed * part**2
        spread = fitted * math.sqrt(float(np.sum(sizes)))
        effective = min(_equal_summands(sizes), _degrees(variances) + 1.0)
        skewness = 0.0 if error == 0.0 else float(np.sum(missed * (residual / error) ** 3))
    value = min(1.0, max(0.0, ratio + correction))
    return Ratio(value, error, error * spread, effective, min(1.0, max(-1.0, skewness)))


def _equal_summands(sizes: np.ndarray) -> float:
    """How many summands of equal size have the same spread; 0 of none."""
    top = float(np.max(sizes))
    if top == 0.0:
        return 0.0
    relative = sizes / top
    return float(np.sum(relative)) ** 2 / float(np.sum(relative**2))


def _degrees(variances: np.ndarray) -> float:
    """Degrees of freedom of a sum of squares, by its own spread (Satterthwaite 1946).

    2 V^2 / Var(V): about the number of summands where they are squares of normal numbers.
    """
    equal = _equal_summands(variances)
    room = 1.0 / equal - 1.0 / len(variances) if equal > 0.0 else 0.0
    return 2.0 / room if room > 0.0 else math.inf
