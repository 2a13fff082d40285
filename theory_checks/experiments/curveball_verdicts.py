"""How the sentences about CurveBall's figures are judged, by intervals of Student's t."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Sentence, answer

__all__ = ["alike", "judged"]


def judged(
    says: str,
    statistic: str,
    values: Sequence[float] | np.ndarray,
    confidence: float,
    *,
    above: bool,
    note: str = "",
) -> Sentence:
    """A sentence that is true if the mean is above (or below) zero; false if all values are 0."""
    found = mean_interval(values, confidence)
    side = answer(found.low, found.high, above=above) if np.any(values) else "no"
    statistic = f"{statistic}; yes if {'> 0' if above else '< 0'}"
    return Sentence(says, statistic, found.mean, found.low, found.high, side, note)


def alike(
    says: str,
    statistic: str,
    values: Sequence[float] | np.ndarray,
    confidence: float,
    limit: float,
    note: str = "",
) -> Sentence:
    """A sentence that is true if the mean is zero up to `limit`, and false if it is beyond."""
    found = mean_interval(values, confidence)
    if -limit < found.low and found.high < limit:
        side = "yes"
    else:
        side = "no" if found.low > limit or found.high < -limit else "can't tell"
    statistic = f"{statistic}; yes if within {limit:g} of 0"
    return Sentence(says, statistic, found.mean, found.low, found.high, side, note)
