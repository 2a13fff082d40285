"""How the radius follows the ratio of actual to predicted decrease: three rules by name.

"practice" is what serves best today (Conn, Gould and Toint 2000, section 17.1): a step is
accepted on any real decrease, the radius shrinks from the length of the failed step to the
minimum of a parabola through it, and grows where the boundary was met and the model good.
"algorithm-1" is Algorithm 1 of the adaptive-norms paper, "efficient-tr" the
deterministic rule of Algorithm 1 of the efficient-trust-region paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tralgos.arguments import check_choice, number
from tralgos.errors import ArgumentError
from tralgos.methods.acceptance import shrink_factor
from tralgos.methods.inner import InnerStep

__all__ = ["RULES", "RadiusRule", "RuleName", "radius_rule"]

RuleName = Literal["practice", "algorithm-1", "efficient-tr"]
RULES = ("practice", "algorithm-1", "efficient-tr")

#: eta1, eta2, grow, shrink of each rule unless the caller says otherwise.
_DEFAULTS = {
    "practice": (1e-4, 0.9, 4.0, 0.25),
    "algorithm-1": (0.1, 0.1, 2.0, 0.5),
    "efficient-tr": (0.1, 0.9, 2.0, 0.5),
}


@dataclass(frozen=True)
class RadiusRule:
    """A rule with its parameters.

    Attributes
    ----------
    name : str
    eta1 : float
        A step is accepted from this ratio on.
    eta2 : float
        The radius grows from this ratio on.
    grow, shrink : float
        Factors; `shrink` is the least one of "practice".
    """

    name: str
    eta1: float
    eta2: float
    grow: float
    shrink: float

    def accepts(self, ratio: float) -> bool:
        """Whether a step of this ratio is taken; NaN is not."""
        return ratio >= self.eta1

    def rejected(self, radius: float, step: InnerStep, slope: float, rise: float) -> float:
        """The radius after a rejection, always smaller."""
        if self.name != "practice":
            return self.shrink * radius
        return shrink_factor(slope, rise, self.shrink, 0.5) * min(radius, step.norm)

    def accepted(self, radius: float, step: InnerStep, ratio: float) -> float:
        """The radius after a step was taken."""
        if self.name == "algorithm-1":
            return self.grow * radius
        if self.name == "efficient-tr":
            return self.grow * radius if ratio >= self.eta2 else radius
        if ratio >= self.eta2 and step.on_boundary:
            return max(radius, self.grow * step.norm)
        if ratio < 0.25:
            return 0.5 * min(radius, step.norm)
        return radius

    @property
    def looks_ahead(self) -> bool:
        """Whether a wider radius may be tried from the same point where the model is good."""
        return self.name == "practice"


def radius_rule(
    name: str,
    eta1: float | None,
    eta2: float | None,
    grow: float | None,
    shrink: float | None,
) -> RadiusRule:
    """The rule with its parameters checked; None takes the rule's own.

    Raises
    ------
    ArgumentError
        Unless 0 <= eta1 <= eta2 < 1 (eta1 < 1), grow >= 1 and 0 < shrink < 1, or if the
        name is unknown.
    """
    own = _DEFAULTS[check_choice(name, "rule", RULES)]
    if name == "algorithm-1" and eta1 is not None and eta2 is None:
        eta2 = eta1
    low, high, wide, tight = (
        number(given, label) if given is not None else default
        for given, default, label in zip(
            (eta1, eta2, grow, shrink), own, ("eta1", "eta2", "grow", "shrink"), strict=True
        )
    )
    if not 0.0 <= low < 1.0:
        raise ArgumentError(f"eta1 must lie in [0, 1), got {low}")
    if not low <= high <= 1.0:
        raise ArgumentError(f"eta2 must lie in [eta1, 1] = [{low}, 1], got {high}")
    if not 1.0 <= wide < math.inf:
        raise ArgumentError(f"grow must be at least 1 and finite, got {wide}")
    if not 0.0 < tight < 1.0:
        raise ArgumentError(f"shrink must lie in (0, 1), got {tight}")
    return RadiusRule(name, low, high, wide, tight)
