"""The picture of figure 2: the share against d, and d times the share, on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, canvas, tidy
from theory_checks.experiments.figure_2_cells import DIGITS, GAUSS_NEWTON, OLS, WIGNER
from theory_checks.experiments.figure_2_data import PIXELS, QUADRATIC, RANDOM, STANDARD
from theory_checks.experiments.figure_2_laws import printed
from theory_checks.experiments.figure_2_models import HALF, NINETY, START
from theory_checks.experiments.figure_2_plan import CONFIDENCE, GAUSSIAN, Found, Series, states
from theory_checks.experiments.intervals import mean_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["draw", "spread"]

_COLOURS = {RANDOM: PURPLE, PIXELS: ORANGE, STANDARD: GREEN, QUADRATIC: GREEN}

#: Marker, filled or not, and dashes of a state.
_STATES: dict[str, tuple[str, bool, str]] = {
    RANDOM: ("D", True, "-"),
    GAUSS_NEWTON: ("x", True, ":"),
    START: ("o", False, "-"),
    HALF: ("^", True, "--"),
    NINETY: ("s", True, "-"),
}

#: Least distance of two labels, as a part of the height of the axes.
_GAP = 0.052


@dataclass(frozen=True)
class _Curve:
    """A line of the picture; `text` stands at its end."""

    text: str
    colour: str
    sizes: Sequence[int]
    mean: np.ndarray
    half: np.ndarray
    marker: str
    filled: bool = True
    dashes: str = "-"
    width: float = 1.6


def _curve(text: str, colour: str, series: Series, marker: str, **style: object) -> _Curve:
    mean, half = mean_band(series.runs, CONFIDENCE)
    return _Curve(text, colour, series.sizes, mean, half, marker, **style)  # type: ignore[arg-type]


def draw(found: Found) -> Canvas:
    """Above the share, below d times the share: a line that falls like 1/d is level there."""
    kinds = list(dict.fromkeys(kind for kind, _, _ in found.plan.models))
    columns = [("random matrices and least squares", list(_matrices(found)))]
    columns += [(_titled(kind), list(_models(found, kind))) for kind in kinds]
    figure = canvas(4.7 * len(columns), 8.2)
    panels = figure.subplots(2, len(columns), sharex="col", sharey="row", squeeze=False)
    for axes in panels.flat:  # before anything is drawn: columns and rows share their axes
        axes.set(xscale="log", yscale="log")
    for column, (title, curves) in enumerate(columns):
        sizes = [d for curve in curves for d in curve.sizes]
        for row, power in enumerate((0, 1)):
            axes = panels[row, column]
            _benchmarks(axes, found, sizes, power)
            for curve in curves:
                _line(axes, curve, power)
            tidy(axes)
        panels[0, column].set_title(title, fontsize=11)
        panels[1, column].set_xlabel("number of parameters $d$")
    panels[0, 0].set_ylabel(r"diagonal share  $\sum_i|a_{ii}|\,/\,\sum_{i,j}|a_{ij}|$")
    panels[1, 0].set_ylabel(r"$d\ \times$ diagonal share  (1: Wigner's formula)")
    for column, (_, curves) in enumerate(columns):
        for row, power in enumerate((0, 1)):
            _label(panels[row, column], curves, power)
    _legend(figure, found)
    return figure


def _titled(kind: str) -> str:
    return {"softmax": "softmax regression", "two-layer": "two-layer networks 64-h-10"}.get(
        kind, kind
    )


def _matrices(found: Found) -> Iterator[_Curve]:
    plan = found.plan
    yield _curve("Wigner", BLACK, found.series(WIGNER, GAUSSIAN, plan.wigner, 0), "o")
    for n, sizes in plan.ols:
        thick = n == plan.batch
        series = found.series(OLS, GAUSSIAN, sizes, n)
        style = {"width": 1.8} if thick else {"width": 0.8, "dashes": "--"}
        yield _curve(f"least sq., n = {n}", BLUE, series, "o" if thick else ".", **style)
    for data, sizes in plan.digits:
        dashes = ":" if data == QUADRATIC else "-"
        marker = "v" if data == QUADRATIC else "^"
        series = found.series(DIGITS, data, sizes, plan.batch)
        yield _curve(f"digits, {_short(data)}", _COLOURS[data], series, marker, dashes=dashes)


def _short(data: str) -> str:
    return {STANDARD: "standardised", QUADRATIC: "quadratic"}.get(data, data)


def _models(found: Found, kind: str) -> Iterator[_Curve]:
    for data, sizes in ((data, sizes) for name, data, sizes in found.plan.models if name == kind):
        for state in states(data):
            series = found.series(kind, data, sizes, found.plan.batch, state)
            if series.sizes:
                marker, filled, dashes = _STATES[state]
                text = {RANDOM: _short(data), NINETY: _short(data), GAUSS_NEWTON: state}.get(
                    state, ""
                )
                if kind == "softmax" and state == GAUSS_NEWTON:
                    continue  # it is the Hessian
                yield _curve(
                    text, _COLOURS[data], series, marker, filled=filled, dashes=dashes, width=1.3
                )


def _benchmarks(axes: Axes, found: Found, sizes: Sequence[int], power: int) -> None:
    """The two formulas of the paper, as thin lines."""
    grid = np.unique(np.round(np.geomspace(min(sizes), max(sizes), 60)).astype(int))
    for kind, colour in ((WIGNER, BLACK), (OLS, BLUE)):
        formula = np.array([printed(kind, int(d), found.plan.batch) for d in grid])
        axes.plot(grid, formula * grid.astype(float) ** power, color=colour, lw=0.9, ls=":")


def _line(axes: Axes, curve: _Curve, power: int) -> None:
    scale = np.array(curve.sizes, dtype=float) ** power
    axes.errorbar(
        curve.sizes,
        curve.mean * scale,
        yerr=curve.half * scale,
        color=curve.colour,
        lw=curve.width,
        ls=curve.dashes,
        marker=curve.marker,
        ms=4.5,
        mfc=curve.colour if curve.filled else "white",
        capsize=2.0,
        elinewidth=0.8,
    )


def spread(places: Sequence[float], gap: float) -> list[float]:
    """The places moved apart, at least `gap` from each other, in their order and about as a whole
    where they were.
    """
    order = np.argsort(places, kind="stable")
    moved = np.asarray(places, dtype=float)[order]
    for _ in range(100):
        close = np.flatnonzero(np.diff(moved) < gap * (1.0 - 1e-9))
        if not len(close):
            break
        for k in close:
            middle = 0.5 * (moved[k] + moved[k + 1])
            moved[k], moved[k + 1] = (
                min(moved[k], middle - gap / 2),
                max(moved[k + 1], middle + gap / 2),
            )
    back = np.empty_like(moved)
    back[order] = moved
    return [float(place) for place in back]


def _label(axes: Axes, curves: Sequence[_Curve], power: int) -> None:
    """Names at the right ends of the lines, apart from each other."""
    named = [curve for curve in curves if curve.text]
    low, high = np.log10(axes.get_ylim())
    ends = [float(curve.mean[-1]) * curve.sizes[-1] ** power for curve in named]
    places = [(float(np.log10(end)) - low) / (high - low) for end in ends]
    left, right = min(c.sizes[0] for c in curves), 1.3 * max(c.sizes[-1] for c in curves)
    # Two powers of ten at least: on a shorter axis there are numbers between them, too close.
    power = math.ceil(math.log10(left))
    if 10 ** (power + 1) > right:
        axes.set_xlim(0.9 * 10.0 ** (power - 1), max(right, 1.1 * 10.0**power))
    else:
        axes.set_xlim(right=right)
    for curve, end, place in zip(named, ends, spread(places, _GAP), strict=True):
        axes.annotate(
            curve.text,
            (curve.sizes[-1], end),
            xytext=(1.015, place),
            textcoords="axes fraction",
            color=curve.colour,
            fontsize=8.5,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": curve.colour, "lw": 0.4, "alpha": 0.6},
        )


def _legend(figure: Canvas, found: Found) -> None:
    from matplotlib.lines import Line2D

    grey = "#555555"
    marks = [
        Line2D([], [], color=grey, marker=m, mfc=grey if f else "white", ls=d, ms=5, label=name)
        for name, (m, f, d) in _STATES.items()
    ]
    n = found.plan.batch
    marks += [
        Line2D([], [], color=BLACK, lw=0.9, ls=":", label="Wigner's formula 1/d"),
        Line2D([], [], color=BLUE, lw=0.9, ls=":", label=f"least-squares formula, n = {n}"),
    ]
    title = f"Batches of {n}; mean of {found.plan.runs} runs, {CONFIDENCE:.0%} interval"
    figure.legend(
        handles=marks,
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
        title=title,
        title_fontsize=9,
    )
