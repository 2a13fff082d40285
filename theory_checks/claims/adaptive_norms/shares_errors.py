"""How far the formula of Proposition 2 is from a share, at worst over all d."""

from __future__ import annotations

from theory_checks.claim import Figure
from theory_checks.precise import Real, precise

__all__ = ["VISIBLE", "exact_figure", "limit_ratio", "worst_error"]

#: An error of the share that is seen in a plot.
VISIBLE = 0.02


def limit_ratio(n: int) -> Real:
    """Return sqrt(2 / (pi n)), which E|H_ij| / E|H_ii| is for large n."""
    return precise().sqrt(2 / (precise().pi * n))


def worst_error(ratio: Real, n: int) -> float:
    """Return the largest |share - formula| over all real d, for E|H_ij| / E|H_ii| = ratio."""
    context = precise()
    return float(context.tanh(abs(context.log(ratio / limit_ratio(n))) / 4))


def exact_figure(
    name: str, value: float, claimed: tuple[float, float] | None = None, paper: str = ""
) -> Figure:
    """Return a figure that is computed and not measured."""
    recorded = (value * (1 - 1e-9), value * (1 + 1e-9))
    return Figure(name, value, value, value, recorded, paper, claimed)
