"""CurveBall's table 1 as a picture: our means and deviations beside the paper's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments.drawing import BLACK, BLUE, canvas, tidy
from theory_checks.experiments.table_1_plan import Found
from theory_checks.experiments.table_1_protocol import COLUMNS, PAPER, ROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

#: How far a mark stands from the middle of its row.
_OFFSET = 0.14

#: An error bar that would reach zero ends at this part of the mean.
_LEAST = 0.2

_LABELS = ("SGD + momentum", "Adam", "Levenberg-\nMarquardt", "BFGS", "exact\nHessian", "CurveBall")


def draw(found: Found) -> Canvas:
    """One panel a column of the table, a method a line, iterations on a log scale."""
    figure = canvas(11.0, 4.2)
    panels = figure.subplots(1, len(COLUMNS), sharey=True)
    places = np.arange(len(ROWS))
    for i, (axes, column) in enumerate(zip(panels, COLUMNS, strict=True)):
        printed = [PAPER[row][i] for row in ROWS]
        _marks(axes, places - _OFFSET, printed, (BLACK, "s", "paper"))
        ours = [found.row("table", column, row) for row in ROWS]
        seen = [(one.mean or np.nan, one.deviation) for one in ours]
        _marks(axes, places + _OFFSET, seen, (BLUE, "o", "here"))
        for place, one in zip(places, ours, strict=True):
            if one.never:
                _missing(axes, float(place), f"{one.never} of {len(one.iterations)} never")
        axes.set(xscale="log", xlabel="iterations")
        axes.set_title(column, fontsize=11)
        axes.xaxis.set_major_formatter("{x:.0f}")
        tidy(axes)
    panels[0].set_yticks(places, _LABELS)
    panels[0].invert_yaxis()
    marks, names = panels[0].get_legend_handles_labels()
    figure.legend(
        marks,
        names,
        loc="outside lower center",
        ncols=2,
        fontsize=9,
        frameon=False,
        title="mean and standard deviation",
        title_fontsize=9,
    )
    return figure


def _marks(
    axes: Axes,
    places: np.ndarray,
    cells: list[tuple[float, float]],
    look: tuple[str, str, str],
) -> None:
    colour, mark, label = look
    means, deviations = np.array(cells).T
    down = np.minimum(deviations, (1.0 - _LEAST) * means)
    axes.errorbar(
        means,
        places,
        xerr=np.array([down, deviations]),
        fmt=mark,
        color=colour,
        ms=5,
        lw=1.2,
        capsize=2.5,
        label=label,
    )


def _missing(axes: Axes, place: float, text: str) -> None:
    """A word on runs that the mean leaves out."""
    axes.annotate(
        text,
        (0.98, place + 0.36),
        xycoords=("axes fraction", "data"),
        ha="right",
        va="center",
        fontsize=7,
        color=BLUE,
    )
