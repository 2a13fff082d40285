"""The picture of figure D.2: shares against d, and the largest error of the formula against n."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, canvas, tidy
from theory_checks.experiments.figure_2_data import QUADRATIC, STANDARD
from theory_checks.experiments.figure_2_drawing import spread
from theory_checks.experiments.figure_d2_plan import RATIO, SHARE, Found, supremum
from theory_checks.experiments.figure_d2_tables import half
from tralgos.shares import asymptotic_ols_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

#: Colour, marker and dashes of each kind of data.
_STYLES = {
    "gaussian": (BLACK, "o", "-"),
    "rademacher": (BLUE, "s", "--"),
    "uniform": (GREEN, "^", "-"),
    "student-t(5)": (ORANGE, "D", "-"),
    STANDARD: (PURPLE, "v", "--"),
    QUADRATIC: (PURPLE, "P", ":"),
}

#: The n whose formulas are drawn in the first panel.
_DRAWN = (1, 4, 16, 64)


def draw(found: Found) -> Canvas:
    """Three panels; the names of the data stand at the ends of the lines and in the legend."""
    figure = canvas(14.0, 5.0)
    shares, expected, proved = figure.subplots(1, 3, width_ratios=(1.15, 1.0, 1.0))
    _shares(shares, found)
    _errors(expected, found, SHARE)
    _errors(proved, found, RATIO)
    proved.sharey(expected)
    expected.set_title("largest error over $d$: the expected share", fontsize=11)
    proved.set_title("largest error over $d$: the share of $E|H|$", fontsize=11)
    lines, names = expected.get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        loc="outside lower center",
        ncols=len(names),
        fontsize=9,
        frameon=False,
        title="data; 95% intervals over the runs",
        title_fontsize=9,
    )
    return figure


def _shares(axes: Axes, found: Found) -> None:
    every = [d for sizes in found.plan.sizes.values() for d in sizes]
    grid = np.unique(np.round(np.geomspace(min(every), max(every), 80)).astype(int))
    drawn = [n for n in _DRAWN if n in found.plan.examples]
    for n in drawn:
        axes.plot(grid, [asymptotic_ols_share(int(d), n) for d in grid], color="#777777", lw=0.9)
        for data, sizes in found.plan.sizes.items():
            colour, marker, _ = _STYLES[data]
            seen = [found.at(data, d, n) for d in sizes]
            axes.errorbar(
                sizes,
                [one["share"] for one in seen],
                yerr=[half(one["error"]) for one in seen],
                color=colour,
                ls="",
                marker=marker,
                ms=4.5,
                mfc="none",
                elinewidth=0.8,
            )
    axes.set(xscale="log", yscale="log", xlabel="number of parameters $d$")
    axes.set_ylabel(r"diagonal share  $\sum_i|h_{ii}|\,/\,\sum_{i,j}|h_{ij}|$")
    axes.set_title("mean share; lines: the formula", fontsize=11)
    for n in drawn:
        end = asymptotic_ols_share(int(grid[-1]), n)
        axes.annotate(
            f"n = {n}",
            (grid[-1], end),
            xytext=(7, 0),
            textcoords="offset points",
            fontsize=8.5,
            va="center",
            annotation_clip=False,
        )
    tidy(axes)


def _errors(axes: Axes, found: Found, average: str) -> None:
    n = np.array(found.plan.examples)
    ends = {}
    for data in found.plan.sizes:
        colour, marker, dashes = _STYLES[data]
        gaps = [found.largest(data, int(k), average) for k in n]
        sizes = np.array([abs(gap.value) for gap in gaps])
        bars = np.array([half(gap.error) for gap in gaps])
        # On a logarithmic axis an interval that reaches 0 goes down to the edge.
        low = np.minimum(bars, sizes * (1.0 - 1e-3))
        axes.errorbar(
            n,
            sizes,
            yerr=np.array([low, bars]),
            color=colour,
            ls=dashes,
            marker=marker,
            ms=4.5,
            lw=1.3,
            elinewidth=0.8,
            mfc="none",
            label=data,
        )
        ends[data] = float(sizes[-1])
    if average == RATIO:
        laws = [supremum("gaussian", int(k)) or 0.0 for k in n]
        axes.plot(n, laws, color=BLACK, lw=0.8, ls=":")
        axes.annotate(
            "Gaussian, exact\nover all $d$",
            (n[1], laws[1]),
            xytext=(-4, -26),
            textcoords="offset points",
            fontsize=8,
            ha="right",
        )
    axes.set(xscale="log", yscale="log", xlabel="number of examples $n$", ylim=(3e-4, 1.0))
    axes.set_xticks(n, [str(k) for k in n])
    axes.minorticks_off()
    axes.set_ylabel("largest |measured - formula|")
    tidy(axes)
    _names(axes, ends)


def _names(axes: Axes, ends: dict[str, float]) -> None:
    """The data, at the right ends."""
    low, high = np.log10(axes.get_ylim())
    places = [(float(np.log10(end)) - low) / (high - low) for end in ends.values()]
    for (data, _), place in zip(ends.items(), spread(places, 0.05), strict=True):
        axes.text(
            1.02,
            place,
            data.replace(" pixels", "").replace(" features", ""),
            transform=axes.transAxes,
            color=_STYLES[data][0],
            fontsize=8,
            va="center",
        )
