"""Figures 5 and 6 of the CurveBall paper as one picture: four quantities by the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from theory_checks.experiments.curveball_networks import RAW
from theory_checks.experiments.curveball_styles import CURVEBALL, STYLES, TRACKING, legend_below
from theory_checks.experiments.drawing import canvas, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

#: Column, label, and whether the axis is logarithmic.
_PANELS = (
    ("rho", r"momentum $\rho$", False),
    ("beta", r"learning rate $\beta$", True),
    ("lam", r"damping $\lambda\,/\,\lambda_0$", True),
    ("gradient", r"gradient norm $\|J\|$", True),
)


class _Story(Protocol):
    @property
    def network(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def first(self) -> float: ...
    @property
    def means(self) -> Mapping[str, np.ndarray]: ...


def draw(stories: Sequence[_Story]) -> Canvas:
    """A panel for each quantity; the median over the runs, and all of them as a band."""
    figure = canvas(10.0, 7.0)
    panels = figure.subplots(2, 2, sharex=True)
    for axes, (name, label, logarithmic) in zip(panels.ravel(), _PANELS, strict=True):
        for story in stories:
            _line(axes, story, name)
        axes.set_ylabel(label)
        if logarithmic:
            axes.set_yscale("log")
        tidy(axes)
    for axes in panels[-1]:
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    count = len(stories[0].means["rho"])
    title = f"mean over each epoch: median of {count} runs, and the range of all of them"
    legend_below(figure, panels[0, 0], 2, title)
    return figure


def _line(axes: Axes, story: _Story, name: str) -> None:
    colour = STYLES[CURVEBALL if story.rule == "authors" else TRACKING][0]
    rows = story.means[name] / (story.first if name == "lam" else 1.0)
    epochs = np.arange(1, rows.shape[1] + 1)
    rule = "authors' rule" if story.rule == "authors" else f"rule “{story.rule}”"
    label = rf"{story.network}, {rule}, $\lambda_0={story.first:g}$"
    dashes = "-" if story.network == RAW else "--"
    axes.plot(epochs, np.median(rows, axis=0), ls=dashes, color=colour, lw=1.8, label=label)
    low, high = rows.min(axis=0), rows.max(axis=0)
    axes.fill_between(epochs, low, high, color=colour, alpha=0.18, lw=0)
    axes.set_xlim(1, epochs[-1])
