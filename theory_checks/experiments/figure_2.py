"""Adaptive norms, figure 2: how much of a Hessian stands on its diagonal, against its order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from theory_checks.claim import Level
from theory_checks.experiments.figure_2_cells import EXACT, SAMPLE, check, cost, label, measure
from theory_checks.experiments.figure_2_drawing import draw
from theory_checks.experiments.figure_2_models import RATE
from theory_checks.experiments.figure_2_plan import Found, Plan, full, quick
from theory_checks.experiments.figure_2_sentences import sentences
from theory_checks.experiments.figure_2_tables import tables
from theory_checks.experiments.outcome import Choice, Outcome, Watcher
from theory_checks.sweeps import Runner

__all__ = ["measured", "plan_of", "run", "run_plan", "sweep"]

#: Orders of random matrices that are looked at besides where there is a GPU.
_LARGE = (20_000, 50_000, 100_000)


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level, on all processors."""
    return sweep(level, seed, Runner(executor="processes", watcher=watcher))


def sweep(level: Level, seed: int, runner: Runner) -> Outcome:
    """The same, with its cells done and kept as the runner says."""
    return run_plan(plan_of(level, runner.backend), seed, runner)


def plan_of(level: Level, backend: str = "numpy") -> Plan:
    """What is looked at; on a GPU larger random matrices too."""
    plan = full() if level is Level.FULL else quick()
    return plan.enlarged(_LARGE) if level is Level.FULL and backend != "numpy" else plan


def run_plan(plan: Plan, seed: int, runner: Runner) -> Outcome:
    """The experiment with sizes of one's own.

    Raises
    ------
    PlanError
        For a plan without Wigner matrices, or a family without sizes; :func:`measured` takes them.
    UnknownKindError, UnknownModelError, ValueError
        For a kind of cell that there is not, or a size that it cannot have, before any work.
    """
    plan.check_whole()
    found = measured(plan, seed, runner)
    return Outcome(
        tables(found),
        sentences(found),
        _choices(plan),
        _UNITS,
        {"plan": asdict(plan), "cells": found.numbers()},
        {"adaptive-norms-figure-2.png": draw(found)},
        _REMARKS,
    )


def measured(plan: Plan, seed: int, runner: Runner) -> Found:
    """Every cell of the plan, done as the runner says."""
    cells = plan.cells(seed)
    check(cells)
    function = partial(measure, backend=runner.backend)
    outcome = runner.sweep(cells, function, name="adaptive-norms/figure-2", cost=cost, label=label)
    results: Mapping[Any, Any] = outcome.results
    return Found(plan, seed, results)


_UNITS = {
    "d": "parameters, the order of the matrix",
    "n": "examples",
    "shares": "by state: sum of |a_ii| over the sum of all |a_ij|, without a unit, in [0, 1]",
    "mass": "sum of |a_ii|, in the unit of the matrix",
    "sampled": f"by state: estimate of the share from {SAMPLE} columns, and the ends of its 95% "
    "interval",
    "live": "parameters whose row of the Hessian need not vanish on the batch",
    "accuracies": "by state: part of the training examples that are named rightly",
    "steps": "of RMSProp",
}

_REMARKS = (
    "Propositions 1 and 2 give the share of the expected absolute matrix; what is plotted of "
    "single Hessians is the expected share. The two differ by about 0.57/d^3 for Gaussian Wigner "
    "matrices and by at most 0.36/n for least squares with d = 2, less for larger d: compare the "
    "last two columns of the first table.",
    "The least-squares formula is no power of d: it bends at about sqrt(n pi/2), 7 for n = 32. "
    "A slope has to be compared with that of the formula over the same d.",
    "Softmax regression has d = 10 (p + 1) parameters for p inputs. Its Hessian is a mean of "
    "Kronecker products of x x' and a 10 x 10 block of the classes. Where all classes are equally "
    "likely the block's own share is 1/2, and the share is half that of least squares on the p + 1 "
    "inputs: about five times that of least squares on d inputs of the same kind.",
    "Rows of the Hessian that belong to a pixel with no ink on any digit of the batch vanish (3 of "
    "the 64 pixels never have any). They add nothing to either mass, so that the share is that of "
    "the live parameters, whereas the benchmark for all d is lower than one for the live ones by "
    "their part, given in the table. Standardised, a pixel without ink is not 0, unless it never "
    "has any.",
    "Pixels in [0, 1] do not have the mean zero of Proposition 2: no entry of x x' is negative, "
    "none cancel, and the share is far below the formula. The same digits standardised are close "
    "to it.",
    "Two-layer networks grow here by their hidden units alone, at 64 inputs. Within a unit the "
    "Hessian has second derivatives of the outputs, of the order 1/sqrt(h) with these weights; "
    "between two units it is its Gauss-Newton part alone, of the order 1/h. So the former, which "
    "lower the share where there are few units, raise it where there are many: with them d times "
    "the share grows much longer than without (Gauss-Newton).",
    "A slope over these widths says nothing of deeper networks, or of ones that grow in another "
    "way.",
)


def _choices(plan: Plan) -> tuple[Choice, ...]:
    return (
        Choice(
            "networks and data",
            "softmax regression (d grows with the inputs) and networks 64-h-10 with tanh (d grows "
            "with h), softmax loss, on 8 x 8 digits; the paper has CIFAR-10 and networks that an "
            "appendix describes which is not at hand",
        ),
        Choice(
            "inputs",
            "random: standard normal inputs and random labels. Real: pixels in [0, 1], the same "
            "standardised (mean 0, deviation 1), and for more than 64 of them (u'z)(v'z) of the "
            "standardised pixels z with normal u and v, standardised. Fewer than 64 pixels are a "
            "random choice of the 61 that are ever inked, another one for each run",
        ),
        Choice(
            "weights",
            "normal of variance 2 / (inputs + outputs), biases zero, at initialisation and for "
            "random inputs",
        ),
        Choice(
            "training",
            f"RMSProp with rate {RATE:g} on batches of {plan.batch} until 90% of all digits are "
            f"named rightly, at most {plan.steps} steps; half-way is after half of these steps. "
            "Runs that do not get there count at initialisation alone",
        ),
        Choice(
            "Hessian",
            f"of the mean loss over {plan.batch} examples, another draw for each run and the same "
            f"in all its states; no regulariser; all columns up to d = {EXACT}, for larger d an "
            f"estimate from {SAMPLE} of them",
        ),
        Choice("Wigner matrices", "equal scales on and off the diagonal"),
        Choice(
            "intervals",
            f"of Student's t from {plan.runs} independent runs, each with its own data, weights "
            "and batch",
        ),
        Choice(
            "random numbers",
            'a cell draws from the first 64-bit word of SeedSequence([seed, crc32("kind/data"), d, '
            "n, run])",
        ),
    )
