r"""How the damping lambda of a method with H + lambda I follows the agreement of f with its model.

All rules here compare the change of f over a step z with what the model promised, J'z + z'Hz/2,
which is negative for a step that is any good, so that gamma = actual / predicted is 1 where
they agree.

"fixed"
    lambda stays.
"printed"
    *CurveBall*, section 3, to the letter: after every fifth step, with the predicted change of
    eq. (13), lambda is multiplied with 0.999 where gamma > 3/2 and divided by it where
    gamma < 1/2. A good model has gamma near 1, so that a *better* model never lowers lambda.
"authors"
    What the authors' code does: the predicted change includes lambda ||z||^2 / 2, the actual one
    does not, and the factor is 0.999^5. On a quadratic gamma is then 1 + lambda ||z||^2 /
    z'(H + lambda)z at the optimal step: above 3/2 exactly while lambda outweighs the curvature.
"gain"
    Levenberg's and Marquardt's idea as it is in the textbooks, with the constants of Martens
    (2010, section 4.1): after every step lambda times 2/3 where gamma > 3/4, times 3/2 where
    gamma < 1/4.

CurveBall's own rule, "tracking", stands in :mod:`tralgos.methods.tracking`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["DAMPING_RULES", "DampingRule", "Observed", "checks", "following"]

DampingRule = Literal["fixed", "printed", "authors", "gain"]
DAMPING_RULES = ("fixed", "printed", "authors", "gain")

#: Steps from one check to the next of the paper's rule and of the authors'.
_PERIOD = 5
#: Their factor and their thresholds.
_PAPER_FACTOR, _PAPER_LOW, _PAPER_HIGH = 0.999, 0.5, 1.5
#: Martens' factor and thresholds.
_GAIN_FACTOR, _GAIN_LOW, _GAIN_HIGH = 2.0 / 3.0, 0.25, 0.75


@dataclass(frozen=True)
class Observed:
    """What a step has promised and what it was worth.

    Attributes
    ----------
    actual : float
        f(x + z) - f(x); NaN or infinite where the former is.
    predicted : float
        J'z + z'Hz/2, without damping.
    penalty : float
        lambda ||z||^2 / 2.
    """

    actual: float
    predicted: float
    penalty: float

    def gamma(self, *, damped: bool = False) -> float:
        """Actual over predicted change, the latter with the penalty where `damped`.

        -inf where f has become worse than any number, NaN where the model promised nothing.
        """
        if not math.isfinite(self.actual):
            return -math.inf
        predicted = self.predicted + (self.penalty if damped else 0.0)
        return self.actual / predicted if predicted != 0.0 else math.nan


def checks(rule: DampingRule, step: int) -> bool:
    """Whether the rule looks at step number `step` = 1, 2, ..."""
    return rule == "gain" or (rule in ("printed", "authors") and step % _PERIOD == 0)


def following(rule: DampingRule, lam: float, observed: Observed) -> float:
    """The next lambda, at a step at which the rule :func:`checks`."""
    if rule == "fixed":
        return lam
    low, high, factor = _PAPER_LOW, _PAPER_HIGH, _PAPER_FACTOR
    if rule == "authors":
        factor = _PAPER_FACTOR**_PERIOD
    elif rule == "gain":
        low, high, factor = _GAIN_LOW, _GAIN_HIGH, _GAIN_FACTOR
    gamma = observed.gamma(damped=rule == "authors")
    # NaN, a promise of nothing, leaves lambda as it is.
    if gamma > high:
        return lam * factor
    return lam / factor if gamma < low else lam
