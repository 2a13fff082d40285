"""Figure 1 of the CurveBall paper as a picture: paths above, losses below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments.curveball_paths import NOISES, TOLERANCE, Path
from theory_checks.experiments.curveball_styles import ADAM, BFGS, MOMENTUM, STYLES, legend_below
from theory_checks.experiments.drawing import canvas, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

_LEFT, _RIGHT, _LOW, _HIGH = -1.7, 1.5, -1.0, 2.4

#: A few flat greys, so that the palette of the file has room for the methods.
_LEVELS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_GREYS = ("1.0", "0.97", "0.94", "0.91", "0.88", "0.85", "0.82", "0.79")


def draw(paths: Mapping[str, Mapping[str, Path]]) -> Canvas:
    """A column for each noise."""
    figure = canvas(12.5, 8.0)
    above, below = figure.subplots(2, len(paths), height_ratios=(1.25, 1.0), sharey="row")
    for i, (noise, methods) in enumerate(paths.items()):
        _contours(above[i], noise)
        for method, path in methods.items():
            _draw_path(above[i], method, path)
            _draw_losses(below[i], method, path)
        above[i].plot(1.0, 1.0, "k*", ms=11, mec="white", mew=0.8, zorder=6)
        above[i].set(xlim=(_LEFT, _RIGHT), ylim=(_LOW, _HIGH), xlabel="$u$")
        above[i].set_title(noise, fontsize=11)
        above[i].tick_params(labelsize=9)
        below[i].axhline(TOLERANCE, color="0.4", lw=0.8, zorder=0)
        below[i].set(xscale="log", yscale="log", xlabel="iteration + 1", xlim=(1.0, None))
        below[i].set_ylim(1e-6, 1e4)
        tidy(below[i])
    above[0].set_ylabel("$v$")
    below[0].set_ylabel("expected loss")
    legend_below(figure, below[0], len(STYLES), "one run of each, from the same start")
    return figure


def _contours(axes: Axes, noise: str) -> None:
    """The expected loss in greys, darker where it is higher."""
    u, v = np.meshgrid(np.linspace(_LEFT, _RIGHT, 200), np.linspace(_LOW, _HIGH, 200))
    weight = 50.0 * sum(NOISES[noise])
    height = weight * (v - u * u) ** 2 + (1.0 - u) ** 2
    axes.contourf(u, v, height, levels=_LEVELS, colors=_GREYS, extend="both", zorder=0)


def _draw_path(axes: Axes, method: str, path: Path) -> None:
    colour, dashes = STYLES[method]
    # Marks would hide the thousand steps of a first-order method.
    mark = "" if method in (MOMENTUM, ADAM) else ("s" if method == BFGS else "o")
    axes.plot(*path.points.T, ls=dashes, color=colour, lw=1.4, marker=mark, ms=3.2, zorder=3)


def _draw_losses(axes: Axes, method: str, path: Path) -> None:
    colour, dashes = STYLES[method]
    steps = np.arange(1, len(path.losses) + 1)
    axes.plot(steps, path.losses, ls=dashes, color=colour, lw=1.7, label=method)
