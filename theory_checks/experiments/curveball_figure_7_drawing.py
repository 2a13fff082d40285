"""Figure 7 of the CurveBall paper as a picture: training error by passes and by seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments.curveball_networks import Run
from theory_checks.experiments.curveball_styles import STYLES, legend_below, log_ticks
from theory_checks.experiments.drawing import canvas, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

#: Errors below this many percent are off the panels.
_BOTTOM = 0.3

_LABELS = {
    "passes": "backpropagations (full-data gradients)",
    "seconds": "seconds",
}


def draw(methods: Mapping[str, Sequence[Run]], target: float) -> Canvas:
    """A panel for each axis; the median over the runs, and all of them as a band."""
    figure = canvas(11.0, 5.0)
    panels = figure.subplots(1, len(_LABELS), sharey=True)
    for axes, (axis, label) in zip(panels, _LABELS.items(), strict=True):
        places = _places(methods, axis)
        for name, runs in methods.items():
            _line(axes, name, runs, axis, places)
        axes.axhline(target, color="0.4", lw=0.8, zorder=0)
        axes.set(xscale="log", yscale="log", xlabel=label, xlim=(places[0], places[-1]))
        axes.set_ylim(_BOTTOM, 100.0)
        tidy(axes)
    log_ticks(panels[0])
    panels[0].set_ylabel("training error, %")
    count = len(next(iter(methods.values())))
    legend_below(figure, panels[0], 4, f"median of {count} runs, and the range of all of them")
    return figure


def _places(methods: Mapping[str, Sequence[Run]], axis: str) -> np.ndarray:
    """Points of the axis, from the first step of anybody to the last."""
    runs = [run for runs in methods.values() for run in runs]
    first = min(float(getattr(run, axis)[1]) for run in runs)
    last = max(float(getattr(run, axis)[-1]) for run in runs)
    return np.geomspace(first, last, 300)


def _line(axes: Axes, name: str, runs: Sequence[Run], axis: str, places: np.ndarray) -> None:
    colour, dashes = STYLES[name]
    end = min(float(getattr(run, axis)[-1]) for run in runs)
    own = places[places <= end]
    # None at all are off the panel too.
    rows = np.maximum(0.1 * _BOTTOM, [run.at("errors", axis, own) for run in runs])
    axes.plot(own, np.median(rows, axis=0), ls=dashes, color=colour, lw=1.8, label=name)
    axes.fill_between(own, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=0.15, lw=0)
