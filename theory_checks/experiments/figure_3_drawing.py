"""Pictures of figure 3: training losses, and backpropagations against the condition number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from theory_checks.experiments import ill_conditioned
from theory_checks.experiments.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, canvas, tidy
from theory_checks.experiments.figure_3_runs import Curve
from theory_checks.experiments.ill_conditioned import Case
from theory_checks.experiments.intervals import mean_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_Dashes = str | tuple[int, tuple[int, ...]]

__all__ = ["draw_quadratics", "draw_training"]

#: Colours and dashes of the norms: uniform, Adagrad, RMSProp, its full form, its root.
_STYLES: tuple[tuple[str, _Dashes], ...] = (
    (BLACK, "-"),
    (ORANGE, "--"),
    (BLUE, "-."),
    (GREEN, ":"),
    (PURPLE, (0, (5, 1, 1, 1))),
)
_MARKS = "os^Dv"


def draw_training(
    grid: np.ndarray, tasks: Mapping[str, Mapping[str, Sequence[Curve]]], confidence: float
) -> Canvas:
    """One panel a task: mean log10 loss over the runs, with its interval."""
    figure = canvas(12.0, 4.3)
    panels = figure.subplots(1, len(tasks))
    for axes, (name, norms) in zip(panels, tasks.items(), strict=True):
        for (norm, curves), (colour, dashes) in zip(norms.items(), _STYLES, strict=False):
            losses = np.array([curve.losses for curve in curves])
            mean, half = mean_band(losses, confidence)
            axes.plot(grid, mean, ls=dashes, color=colour, lw=1.8, label=norm)
            axes.fill_between(grid, mean - half, mean + half, color=colour, alpha=0.15, lw=0)
        axes.set(xlabel="backpropagations (full-data gradients)", xlim=(0, grid[-1]))
        axes.set_title(name, fontsize=11)
        tidy(axes)
    panels[0].set_ylabel(r"mean $\log_{10}$ training loss")
    count = len(next(iter(next(iter(tasks.values())).values())))
    title = f"norm: mean of {count} runs, {confidence:.0%} interval"
    lines, names = panels[0].get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        loc="outside lower center",
        ncols=len(names),
        fontsize=9,
        title=title,
        title_fontsize=9,
        frameon=False,
        handlelength=3.0,
    )
    return figure


def draw_quadratics(cases: Sequence[Case]) -> Canvas:
    """A row for each inner solver, a column for each orientation."""
    solvers, orientations = list(ill_conditioned.SOLVERS), list(ill_conditioned.ORIENTATIONS)
    figure = canvas(9.5, 7.2)
    panels = figure.subplots(len(solvers), len(orientations), sharex=True, sharey="row")
    for axes, (solver, orientation) in zip(
        panels.ravel(), [(s, o) for s in solvers for o in orientations], strict=True
    ):
        _draw_panel(axes, [c for c in cases if (c.solver, c.orientation) == (solver, orientation)])
        axes.set_title(f"{orientation}, {solver}", fontsize=11)
        tidy(axes)
    for axes in panels[-1]:
        axes.set_xlabel(r"condition number $\kappa$")
    for axes in panels[:, 0]:
        axes.set_ylabel("backpropagations")
    lines, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        lines,
        names,
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
        handlelength=3.5,
        title="norm of the trust region; geometric means, every run a faint mark",
        title_fontsize=9,
    )
    return figure


def _draw_panel(axes: Axes, cases: Sequence[Case]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for norm, (colour, dashes), mark in zip(ill_conditioned.NORMS, _STYLES, _MARKS, strict=True):
        own = [case for case in cases if case.norm == norm]
        kappas = [case.kappa for case in own]
        means = [10.0 ** float(np.mean(np.log10(case.backpropagations))) for case in own]
        axes.plot(kappas, means, ls=dashes, marker=mark, color=colour, lw=1.6, ms=5, label=norm)
        for case in own:
            at = np.full(len(case.backpropagations), case.kappa)
            axes.plot(at, case.backpropagations, mark, color=colour, ms=3, alpha=0.2)
    axes.set(xscale="log", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())
