"""The picture of the rules for lambda: steps against the condition, and against a fixed lambda."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_checks.experiments.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, canvas, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

_STYLES = (
    (BLACK, ":", "v"),
    (BLACK, "-", "s"),
    (PURPLE, "--", "x"),
    (ORANGE, "-", "^"),
    (ORANGE, "--", "D"),
    (GREEN, "-.", "o"),
    (BLUE, "-", "o"),
)


def draw(
    found: Mapping[str, Mapping[str, list[int | None]]], scan: Mapping[str, Any], limit: int
) -> Canvas:
    """Two panels."""
    figure = canvas(11.0, 4.4)
    left, right = figure.subplots(1, 2)
    _conditions(left, found, limit)
    _fixed(right, scan, limit)
    lines, names = left.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=9)
    return figure


def _conditions(
    axes: Axes, found: Mapping[str, Mapping[str, list[int | None]]], limit: int
) -> None:
    """Steps against the condition number, for Hessians of size one."""
    chosen = {
        float(name.split("kappa ")[1].split(",")[0]): of
        for name, of in found.items()
        if name.startswith("kappa") and name.endswith("L = 1")
    }
    kappa = np.array(sorted(chosen))
    for rule, (colour, dashes, mark) in zip(next(iter(chosen.values())), _STYLES, strict=True):
        steps = [np.median([limit if s is None else s for s in chosen[k][rule]]) for k in kappa]
        axes.loglog(kappa, steps, ls=dashes, color=colour, marker=mark, ms=5, lw=1.6, label=rule)
    axes.axhline(limit, color="0.6", lw=0.8)
    axes.annotate("limit", (kappa[0], limit), fontsize=8, va="bottom", color="0.4")
    axes.set(xlabel="condition number", ylabel="steps (median)")
    axes.set_title("least squares, largest eigenvalue 1", fontsize=11)
    tidy(axes)


def _fixed(axes: Axes, scan: Mapping[str, Any], limit: int) -> None:
    factors = [factor for factor, _ in scan["steps"]]
    steps = [limit if s is None else s for _, s in scan["steps"]]
    axes.loglog(factors, steps, color=BLACK, marker="s", ms=5, lw=1.6)
    tracking = limit if scan["tracking"] is None else scan["tracking"]
    axes.axhline(tracking, color=BLUE, lw=1.6)
    axes.annotate("tracking", (factors[0], tracking), fontsize=9, va="top", color=BLUE)
    axes.axvline(1.0, color="0.6", lw=0.8)
    axes.set(xlabel=r"fixed $\lambda$ over $\sqrt{mL}$", ylabel="steps")
    axes.set_title("condition number $10^4$", fontsize=11)
    tidy(axes)
