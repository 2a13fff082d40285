"""Adaptive norms, figure D.2: is the least-squares formula right for few examples?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from theory_checks.claim import Level
from theory_checks.experiments.figure_d2_cells import check, cost, label, measure
from theory_checks.experiments.figure_d2_drawing import draw
from theory_checks.experiments.figure_d2_plan import Found, Plan, full, quick
from theory_checks.experiments.figure_d2_tables import sentences, tables
from theory_checks.experiments.outcome import Choice, Outcome, Watcher
from theory_checks.sweeps import Runner

__all__ = ["measured", "run", "run_plan", "sweep"]


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level, on all processors."""
    return sweep(level, seed, Runner(executor="processes", watcher=watcher))


def sweep(level: Level, seed: int, runner: Runner) -> Outcome:
    """The same, with its cells done and kept as the runner says."""
    return run_plan(full() if level is Level.FULL else quick(), seed, runner)


def run_plan(plan: Plan, seed: int, runner: Runner) -> Outcome:
    """The experiment with sizes of one's own.

    Raises
    ------
    UnknownKindError
        For unknown data, before any work.
    ValueError
        For a size that there cannot be, before any work.
    """
    found = measured(plan, seed, runner)
    return Outcome(
        tables(found),
        sentences(found),
        _choices(plan),
        _UNITS,
        {"plan": asdict(plan), "cells": found.numbers()},
        {"adaptive-norms-figure-d2.png": draw(found)},
        _REMARKS,
    )


def measured(plan: Plan, seed: int, runner: Runner) -> Found:
    """Every cell of the plan, done as the runner says."""
    cells = plan.cells(seed)
    check(cells)
    outcome = runner.sweep(cells, measure, name="adaptive-norms/figure-d2", cost=cost, label=label)
    results: Mapping[Any, Any] = outcome.results
    return Found(plan, seed, results)


_UNITS = {
    "d": "parameters, the order of H = X X' / n",
    "n": "examples",
    "runs": "independent matrices",
    "share": "mean of sum |h_ii| / sum |h_ij| over the runs, without a unit",
    "ratio": "mean of sum |h_ii| over the mean of sum |h_ij|, without a unit",
    "error": "standard error of share",
    "ratio_error": "standard error of ratio",
    "formula": "sqrt(n) / (sqrt(n) + (d - 1) sqrt(2 / pi))",
}

_REMARKS = (
    "The formula is of the share of the mean matrix E|H|, which the ratio of the mean masses "
    "measures; the mean of the shares of single matrices is another number, and the one that is "
    "usually plotted.",
    "The largest error of the share of E|H| over d falls like 1/n, at a d that grows like sqrt(n); "
    "at a fixed d it falls like n^-1/2 as long as n is far below d^2, and like n^-3/2 beyond. The "
    "gap between the two averages is below (1 - 2/pi)/n at d = 2 for Gaussian data, and smaller "
    "for larger d.",
    "Random signs: an odd number of examples is no better than the even number below it, so that "
    "n = 1 has an error of the other sign.",
    "Features of digits are not independent: their shares are not those of Proposition 2 at any n, "
    "and their error does not go away with n.",
)


def _choices(plan: Plan) -> tuple[Choice, ...]:
    most = max(cell.runs for cell in plan.cells(0))
    least = min(cell.runs for cell in plan.cells(0))
    return (
        Choice(
            "sizes, laws and runs (the figure stands in an appendix that is not at hand)",
            f"n = {', '.join(map(str, plan.examples))}; {least} to {most} matrices of each size",
        ),
        Choice(
            "digits",
            "n different digits at random in each run; d of the standardised pixels that are ever "
            "inked, or (u'z)(v'z) of all of them with normal u and v, standardised",
        ),
        Choice(
            "what small n and holds mean",
            "n >= 4, and an error that cannot be seen in a plot with a linear axis: below 0.02",
        ),
        Choice("intervals", "normal, of the standard error over the runs"),
        Choice(
            "random numbers",
            'a size draws from the first 64-bit word of SeedSequence([seed, crc32("d2/data"), d, '
            "n]); run r is rows r d to (r + 1) d of one random matrix",
        ),
    )
