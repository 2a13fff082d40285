"""Figure 8 of the CurveBall paper as a picture: error above, loss below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from theory_checks.experiments.curveball_networks import FIRST_LAMBDA, Run
from theory_checks.experiments.curveball_styles import (
    CURVEBALL,
    STYLES,
    legend_below,
    log_ticks,
)
from theory_checks.experiments.drawing import BLACK, canvas, tidy
from theory_checks.experiments.intervals import mean_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

#: Errors above this many percent, those of the first steps, are off the panel.
_TOP = 20.0

#: Both are CurveBall: the automatic one has its colour.
_LOOKS = (STYLES[CURVEBALL], (BLACK, "--"))


def draw(
    networks: Mapping[str, Mapping[str, Sequence[Run]]], places: np.ndarray, confidence: float
) -> Canvas:
    """A column for each network."""
    figure = canvas(9.5, 6.4)
    panels = figure.subplots(2, len(networks), sharex=True, sharey="row")
    for column, (name, settings) in zip(panels.T, networks.items(), strict=True):
        for (setting, runs), look in zip(settings.items(), _LOOKS, strict=True):
            for axes, quantity in zip(column, ("errors", "losses"), strict=True):
                rows = np.array([run.at(quantity, "steps", places) for run in runs])
                _line(axes, rows, confidence, look, setting)
        column[0].set_title(rf"{name}, $\lambda_0={FIRST_LAMBDA[name]:g}$", fontsize=11)
        column[1].set_xlabel("epoch")
    for axes in panels.ravel():
        tidy(axes)
    panels[0, 0].set_ylim(0.0, _TOP)
    panels[1, 0].set_yscale("log")
    log_ticks(panels[1, 0])
    panels[0, 0].set_ylabel("training error, %")
    panels[1, 0].set_ylabel("training loss")
    for axes in panels[1]:
        axes.xaxis.get_major_locator().set_params(integer=True)
    count = len(next(iter(next(iter(networks.values())).values())))
    title = f"mean of {count} runs, {confidence:.0%} interval"
    legend_below(figure, panels[0, 0], 2, title)
    return figure


def _line(
    axes: Axes,
    rows: np.ndarray,
    confidence: float,
    look: tuple[str, Any],
    label: str,
) -> None:
    colour, dashes = look
    mean, half = mean_band(rows, confidence)
    epochs = np.arange(rows.shape[1])
    axes.plot(epochs, mean, ls=dashes, color=colour, lw=1.8, label=label)
    axes.fill_between(epochs, mean - half, mean + half, color=colour, alpha=0.18, lw=0)
    axes.set_xlim(0, epochs[-1])
