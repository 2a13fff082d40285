"""Figure 1 of the adaptive-norms paper: paths with their regions above, convergence below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments.drawing import BLUE, GREEN, ORANGE, canvas, tidy
from theory_checks.experiments.figure_1_bench import (
    DIAGONAL,
    FULL,
    GRADIENT,
    LANDSCAPES,
    METHODS,
    RULES,
    TILTED,
    Bench,
    Landscape,
    Path,
)
from theory_checks.experiments.figure_1_sentences import CONFIDENCE
from theory_checks.experiments.intervals import mean_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw"]

_COLOURS = {GRADIENT: BLUE, DIAGONAL: ORANGE, FULL: GREEN}
_DASHES = {GRADIENT: "-", DIAGONAL: "--", FULL: "-."}

#: Where the drawn paths begin, before the turn; and half the width of the panels.
_START, _WINDOW = (-6.0, 4.0), 8.5

#: Regions that are drawn: of every other step, as in the paper.
_REGIONS = range(0, 6, 2)


def _ellipse(path: Path, k: int) -> np.ndarray:
    """The boundary of the region of step k: points of ||x - x_k||_A = radius, shape (2, 181)."""
    values, vectors = np.linalg.eigh(path.matrices[k])
    angles = np.linspace(0.0, 2.0 * np.pi, 181)
    circle = np.array([np.cos(angles), np.sin(angles)])
    flat = (vectors / np.sqrt(values)) @ circle
    return np.asarray(path.points[k][:, None] + path.radii[k] * flat)


def _draw_paths(axes: Axes, bench: Bench, place: Landscape, rates: dict[str, float]) -> None:
    ticks = np.linspace(-_WINDOW, _WINDOW, 181)
    x, y = np.meshgrid(ticks, ticks)
    own = place.turn().T @ np.array([x.ravel(), y.ravel()])
    height = (0.5 * own[0] ** 2 + 0.5 * place.kappa * own[1] ** 2).reshape(x.shape)
    levels = 0.5 * place.kappa * np.array([0.4, 1.2, 2.5, 4.5, 7.0]) ** 2
    axes.contour(x, y, height, levels=levels, colors="0.8", linewidths=0.7, zorder=0)
    for method, colour in _COLOURS.items():
        if method == FULL and place.name != TILTED:
            continue
        path = bench.path(place.name, method, rates[method], np.array(_START))
        for k in _REGIONS:
            axes.plot(*_ellipse(path, k), _DASHES[method], color=colour, lw=0.9, alpha=0.8)
        label = f"{method}, rate {rates[method]:.3g}"
        axes.plot(*path.points[:16].T, "o-", color=colour, ms=3.2, lw=1.4, label=label)
    axes.plot(0, 0, "k*", ms=9, zorder=5)
    axes.set(xlim=(-_WINDOW, _WINDOW), ylim=(-_WINDOW, _WINDOW), aspect="equal")
    axes.set_xlabel("$x_1$")
    axes.set_title(_title(place), fontsize=11)
    axes.legend(fontsize=7.5, loc="lower right", framealpha=0.9)


def _title(place: Landscape) -> str:
    tilt = rf", turned by {np.degrees(place.angle):.0f}$\degree$" if place.angle else ""
    return rf"$\kappa={place.kappa:.0f}${tilt}"


def _draw_curves(axes: Axes, bench: Bench, place: Landscape, rates: dict[str, float]) -> None:
    steps = np.arange(bench.sizes.iterations + 1)
    for method, colour in _COLOURS.items():
        curves = bench.curves(place.name, method, rates[method])
        mean, half = mean_band(curves, CONFIDENCE)
        axes.plot(steps, mean, _DASHES[method], color=colour, lw=1.8, label=method)
        axes.fill_between(steps, mean - half, mean + half, color=colour, alpha=0.2, lw=0)
    axes.set(xlabel="iteration", xlim=(0, steps[-1]))


def draw(bench: Bench) -> Canvas:
    """The picture, with the rates of the first rule."""
    figure = canvas(12.0, 7.8)
    above, below = figure.subplots(2, 3, height_ratios=(1.45, 1.0))
    chosen = bench.rates(RULES[0])
    for i, place in enumerate(LANDSCAPES):
        rates = {method: chosen[place.name, method] for method in METHODS}
        _draw_paths(above[i], bench, place, rates)
        _draw_curves(below[i], bench, place, rates)
        below[i].sharey(below[0])
        tidy(above[i])
        tidy(below[i])
    above[0].set_ylabel("$x_2$")
    below[0].set_ylabel(r"mean $\log_{10}(f(x_t)-f^*)$")
    count = bench.sizes.starts
    below[0].legend(
        fontsize=8, frameon=False, title=f"mean of {count} starts, 90% interval", title_fontsize=8
    )
    return figure
