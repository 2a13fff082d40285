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
from tralgos.methods.inner import InnerSolver, InnerStep
from tralgos.methods.search import Trial

__all__ = ["RULES", "RadiusControl", "RuleName", "checked_ratios", "radius_control"]

RuleName = Literal["practice", "algorithm-1", "efficient-tr"]
RULES = ("practice", "algorithm-1", "efficient-tr")

#: eta1, eta2, grow, shrink of each rule unless the caller says otherwise.
_DEFAULTS = {
    "practice": (1e-4, 0.9, 4.0, 0.25),
    "algorithm-1": (0.1, 0.1, 2.0, 0.5),
    "efficient-tr": (0.1, 0.9, 2.0, 0.5),
}
#: The paper's rules do not grow a radius beyond this many lengths of the step.
_FARTHEST = 1e6
#: The first radius, in lengths of the Cauchy step.
_FIRST = 10.0


@dataclass(frozen=True)
class RadiusControl:
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
    max_radius : float
    """

    name: str
    eta1: float
    eta2: float
    grow: float
    shrink: float
    max_radius: float

    @property
    def looks_ahead(self) -> bool:
        """Whether a wider radius may be tried from the same point where the model is good."""
        return self.name == "practice"

    def first(self, inner: InnerSolver, size: float) -> float:
        """A multiple of the Cauchy step where the curvature along it is positive."""
        curvature = inner.curvature_along_gradient()
        if curvature > 0.0:
            radius = _FIRST * inner.gradient_norm / curvature
        else:
            radius = size if size > 0.0 else 1.0
        return min(radius, self.max_radius)

    def solve(self, inner: InnerSolver, parameter: float) -> InnerStep:
        """The step for a radius."""
        return inner.trust_region(parameter)

    def again(self, inner: InnerSolver, parameter: float) -> InnerStep | None:
        """The same at no product."""
        return inner.trust_region_again(parameter)

    def accepts(self, ratio: float) -> bool:
        """Whether a step of this ratio is taken; NaN is not."""
        return ratio >= self.eta1

    def bolder(self, trial: Trial) -> float | None:
        """A wider radius, where the boundary was met and the model good."""
        wide = min(self.grow * trial.parameter, self.max_radius)
        good = trial.step.on_boundary and trial.ratio >= self.eta2
        return wide if good and wide > trial.parameter else None

    def rejected(self, trial: Trial, rise: float) -> float:
        """A smaller radius."""
        if self.name != "practice":
            return self.shrink * trial.parameter
        factor = shrink_factor(trial.slope, rise, self.shrink, 0.5)
        return factor * min(trial.parameter, trial.step.norm)

    def accepted(self, trial: Trial, *, overreached: bool) -> float:
        """The radius of the next point."""
        radius, length = trial.parameter, trial.step.norm
        if self.name != "practice":
            grown = self.grow * radius if trial.ratio >= self.eta2 else radius
            # These rules grow radii that do not bind, without end.
            radius = min(grown, max(radius, _FARTHEST * length))
        elif trial.ratio >= self.eta2 and trial.step.on_boundary:
            # A step `grow` times as long has failed, but one in between may not.
            radius = max(radius, (math.sqrt(self.grow) if overreached else self.grow) * length)
        elif trial.ratio < 0.25:
            radius = 0.5 * min(radius, length)
        return min(radius, self.max_radius)

    def radius_and_sigma(self, trial: Trial) -> tuple[float | None, float | None]:
        """The radius."""
        return trial.parameter, None


def checked_ratios(
    given: tuple[float | None, float | None, float | None, float | None],
    own: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    """eta1, eta2, grow and shrink, those not given by a rule's own.

    Raises
    ------
    ArgumentError
        Unless 0 <= eta1 < 1, eta1 <= eta2 <= 1, 1 <= grow and 0 < shrink < 1.
    """
    low, high, wide, tight = (
        number(value, name) if value is not None else default
        for value, default, name in zip(given, own, ("eta1", "eta2", "grow", "shrink"), strict=True)
    )
    if not 0.0 <= low < 1.0:
        raise ArgumentError(f"eta1 must lie in [0, 1), got {low}")
    if not low <= high <= 1.0:
        raise ArgumentError(f"eta2 must lie in [eta1, 1] = [{low}, 1], got {high}")
    if not 1.0 <= wide < math.inf:
        raise ArgumentError(f"grow must be at least 1 and finite, got {wide}")
    if not 0.0 < tight < 1.0:
        raise ArgumentError(f"shrink must lie in (0, 1), got {tight}")
    return low, high, wide, tight


def radius_control(
    name: str,
    given: tuple[float | None, float | None, float | None, float | None],
    max_radius: float,
) -> RadiusControl:
    """The rule with its parameters checked; None takes the rule's own."""
    own = _DEFAULTS[check_choice(name, "rule", RULES)]
    eta1, eta2, grow, shrink = given
    if name == "algorithm-1" and eta2 is None:
        eta2 = eta1  # the algorithm has one threshold
    return RadiusControl(name, *checked_ratios((eta1, eta2, grow, shrink), own), max_radius)
