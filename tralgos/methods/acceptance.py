"""Whether a trial point is accepted, near rounding too.

The decrease of f can not be seen below the rounding of f. Where the predicted decrease
comes near that level the actual one is taken from the gradients at both ends,
f(x) - f(x + s) = -(g + g+)'s / 2 + O(||s||^3), which loses nothing to cancellation
against f; above it the differences of f are used, with the level added to both
(Conn, Gould and Toint 2000, section 17.4.2).

How large the rounding errors of f are nobody says: a sum whose terms cancel has larger ones
than eps |f|. So a trial that f rejects is judged by gradients as well, if no more than
half of the digits of f could show its decrease, and is taken if they agree that it is
better: the slope says so, and the gradient is smaller.
"""

from __future__ import annotations

import math

__all__ = [
    "decrease_ratio",
    "doubtful",
    "gradient_decrease",
    "rounding_level",
    "shrink_factor",
    "unseen",
]

#: Errors of f, in units of eps |f|, that are reckoned with.
_ROUNDINGS = 10.0
#: Predicted decreases below this many levels are judged by gradients.
_UNSEEN = 100.0


def rounding_level(value: float, eps: float) -> float:
    """The size of the rounding error of f."""
    return _ROUNDINGS * eps * abs(value)


def unseen(predicted: float, level: float) -> bool:
    """Whether a predicted decrease is too near the rounding level to be seen in f."""
    return predicted <= _UNSEEN * level


def doubtful(predicted: float, value: float, eps: float) -> bool:
    """Whether a predicted decrease shows in the last half of the digits of f at most."""
    return predicted <= math.sqrt(eps) * abs(value)


def decrease_ratio(value: float, trial: float, predicted: float, level: float) -> float:
    """Actual over predicted decrease, regularised; NaN where the trial is not finite."""
    if not math.isfinite(trial):
        return math.nan
    return (value - trial + level) / (predicted + level)


def gradient_decrease(slope: float, trial_slope: float) -> float:
    """f(x) - f(x + s) by the trapezoidal rule, from g's and g+'s."""
    return -0.5 * (slope + trial_slope)


def shrink_factor(slope: float, rise: float, least: float, most: float) -> float:
    """Where on the failed step the parabola through f(x), g's and f(x + s) has its minimum.

    Parameters
    ----------
    slope : float
        g's, negative.
    rise : float
        f(x + s) - f(x); NaN or infinite where the trial was not finite.
    least, most : float
        The factor is kept between these.
    """
    if not math.isfinite(rise):
        return least
    curvature = rise - slope
    if curvature <= 0.0:
        return most
    return min(max(-0.5 * slope / curvature, least), most)
