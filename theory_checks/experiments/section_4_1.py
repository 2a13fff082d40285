"""Section 4.1 and figure 1 of the sphere-descent paper, run with tralgos' own solver.

Three panels: the decrease against iterations with the change of phase, the length
of phase I against lambda with the fit of equation 10, and SReLU against ReLU.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments.drawing import canvas
from theory_checks.experiments.ensemble import (
    ALPHA,
    LAMBDAS,
    SIZES,
    Ensemble,
    Fit,
    fitted,
    interval,
    phase_one_lengths,
    sample,
    shape,
)
from theory_checks.oracle import solve_in_eigenbasis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = [
    "GLOBAL",
    "LONGEST",
    "PRINTED_LONGEST",
    "Results",
    "Row",
    "Run",
    "descend",
    "draw",
    "method_for",
    "picture",
    "run_all",
    "table",
]

#: Iterations that a run may take; the printed form takes all of its second phase.
LONGEST, PRINTED_LONGEST = 100_000, 4000

#: A step is global here when its true gap is below this share of the decrease.
GLOBAL = 1e-8

_COLOURS = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#d8b500")


@dataclass(frozen=True)
class Run:
    """One run of the sphere descent.

    Attributes
    ----------
    shift : float
        lambda.
    values : array
        q at each iterate.
    phase_one : int
        Iterates inside the ball, the start included: t* + 1.
    gap : float
        The true gap of the returned step over the optimal decrease, with the
        oracle's minimum; negative for a step outside the ball that goes below it.
    certified : float
        The relative gap that the certificate proves.
    norm : float
        ||s||.
    status : str
        The solver's own word.
    """

    shift: float
    values: np.ndarray
    phase_one: int
    gap: float
    certified: float
    norm: float
    status: str


@dataclass(frozen=True)
class Row:
    """A line of the table of figures."""

    shift: float
    phase_one: float
    low: float
    high: float
    bound: float
    fit: float
    iterations: int
    gap: float
    certified: float
    printed_gap: float


def _optimum(problem: Ensemble, shift: float) -> float:
    spectrum = (problem.spectrum - shift).tolist()
    return float(solve_in_eigenbasis(spectrum, problem.slope.tolist()).value)


def method_for(problem: Ensemble) -> tralgos.SphereDescent:
    """Return the mended sphere descent with the paper's parameters."""
    return tralgos.SphereDescent(
        variant="safe", step=problem.eta(), alpha=ALPHA, maxiter=LONGEST, N2=PRINTED_LONGEST
    )


def descend(
    problem: Ensemble,
    shift: float,
    method: tralgos.SphereDescent | None = None,
    *,
    hessian: Callable[[Ensemble, float], np.ndarray] = Ensemble.hessian,
) -> Run:
    """Solve one subproblem by sphere descent and compare with the oracle.

    `hessian` is what the solver is given; another one than the problem's breaks it.
    """
    seen: list[tralgos.InnerIterate] = []
    method = method_for(problem) if method is None else method
    result = tralgos.solve_trs(
        hessian(problem, shift),
        problem.gradient,
        1.0,
        method=method,
        certify="exact",
        rtol=1e-10,
        callback=seen.append,
    )
    best = _optimum(problem, shift)
    return Run(
        shift,
        np.array([iterate.value for iterate in seen]),
        sum(iterate.phase == "interior" for iterate in seen),
        (-result.model_decrease - best) / abs(best),
        result.certificate.relative_gap,
        float(np.linalg.norm(result.step)),
        result.status.name,
    )


@dataclass(frozen=True)
class Results:
    """Everything that the panels and the table show."""

    dimension: int
    runs: tuple[Run, ...]
    printed: tuple[Run, ...]
    lengths: np.ndarray
    bounds: np.ndarray
    fit: Fit
    optima: tuple[float, ...]
    promised: tuple[float, ...]


def run_all(level: Level, seed: int) -> Results:
    """Run the experiment: one sample is followed in full, all of them through phase I."""
    dimension, samples = SIZES[level]
    rng = np.random.default_rng([seed, 41])
    problems = [sample(dimension, rng) for _ in range(samples)]
    lengths = np.array([phase_one_lengths(p, LAMBDAS) for p in problems])
    lambdas = np.asarray(LAMBDAS)
    bounds = np.array([shape(lambdas, 1 / abs(p.slope[0]), p.eta()) for p in problems])
    guess = (1.0, problems[0].eta())
    shown = problems[0]
    return Results(
        dimension,
        tuple(descend(shown, shift) for shift in LAMBDAS),
        tuple(
            descend(shown, shift, replace(method_for(shown), variant="printed"))
            for shift in LAMBDAS
        ),
        lengths,
        bounds,
        fitted(LAMBDAS, lengths.mean(axis=0), guess),
        tuple(_optimum(shown, shift) for shift in LAMBDAS),
        tuple(_promised(shown, shift) for shift in LAMBDAS),
    )


def _promised(problem: Ensemble, shift: float) -> float:
    """The factor by which the gap shrinks near s at most: the square of that of the error."""
    spectrum = (problem.spectrum - shift).tolist()
    multiplier = float(solve_in_eigenbasis(spectrum, problem.slope.tolist()).multiplier)
    eta = problem.eta()
    return float(((1 - eta * min(spectrum)) / (1 + eta * multiplier)) ** 2)


def table(results: Results) -> list[Row]:
    """Return the figures, a line for each lambda."""
    rows = []
    for i, (run, printed) in enumerate(zip(results.runs, results.printed, strict=True)):
        mean, low, high = interval(results.lengths[:, i].tolist())
        fit = float(shape(np.array([run.shift]), results.fit.first, results.fit.second)[0])
        bound = float(np.median(results.bounds[:, i]))
        rows.append(
            Row(
                run.shift,
                mean,
                low,
                high,
                bound,
                fit,
                len(run.values),
                run.gap,
                run.certified,
                printed.gap,
            )
        )
    return rows


# --- the panels ---------------------------------------------------------------------


def _draw_decrease(axes: Axes, results: Results) -> None:
    for run, best, colour in zip(results.runs, results.optima, _COLOURS, strict=True):
        gaps = np.maximum((run.values - best) / abs(best), 1e-16)
        steps = np.arange(1, len(gaps) + 1)
        turn = run.phase_one
        label = rf"$\lambda={run.shift:.0f}$"
        axes.plot(steps[:turn], gaps[:turn], "-", color=colour, lw=2.2, label=label)
        axes.plot(steps[turn - 1 :], gaps[turn - 1 :], "--", color=colour, lw=1.2)
        axes.plot(steps[turn - 1], gaps[turn - 1], "o", color=colour, ms=5)
    last = max(len(run.values) for run in results.runs) / 2
    axes.set(xscale="log", yscale="log", xlim=(0.9, last), ylim=(1e-11, 4), xlabel="iteration")
    axes.set_ylabel(r"$(q(z_t)-q^*)\,/\,|q^*|$")
    axes.set_title(f"Decrease, n = {results.dimension}: solid inside, dashed on the sphere")
    axes.legend(fontsize=8, loc="lower left", ncol=2, frameon=False)


def _draw_lengths(axes: Axes, results: Results) -> None:
    lambdas = np.asarray(LAMBDAS)
    means, lows, highs = np.array([interval(column.tolist()) for column in results.lengths.T]).T
    smooth = np.linspace(lambdas[0], lambdas[-1], 200)
    fit = results.fit
    low, middle, high = np.percentile(results.bounds, (25, 50, 75), axis=0)
    axes.fill_between(lambdas, low, high, color="0.88", label="bound (10), middle half")
    axes.plot(lambdas, middle, ":", color="0.45", label="bound (10), median")
    curve = shape(smooth, fit.first, fit.second)
    label = rf"fit, $c_1={fit.first:.3g}$, $c_2={fit.second:.3g}$"
    axes.plot(smooth, curve, "-", color=_COLOURS[2], label=label)
    errors = np.array([means - lows, highs - means])
    name = f"measured, mean of {len(results.lengths)} and 95%"
    axes.errorbar(lambdas, means, errors, fmt="o", color=_COLOURS[0], capsize=3, label=name)
    axes.set(xlabel=r"$\lambda$", ylabel=r"phase I, $t^*$", xticks=lambdas, ylim=(0, None))
    axes.set_title("Length of phase I")
    axes.legend(fontsize=8, frameon=False)


def _draw_srelu(axes: Axes) -> None:
    x = np.linspace(-3, 3, 601)
    for alpha, colour in zip((4.0, 1.0, 0.25, 0.01), _COLOURS[1:], strict=False):
        y = (np.sqrt(x * x + alpha) + x) / 2
        axes.plot(x, y, color=colour, label=rf"SReLU, $\alpha={alpha:g}$")
    axes.plot(x, np.maximum(x, 0), "k--", lw=1.2, label="ReLU")
    axes.set(xlabel="x", ylabel="activation")
    axes.set_title(r"SReLU$(x)=\frac{1}{2}(\sqrt{x^2+\alpha}+x)$")
    axes.legend(fontsize=8, frameon=False)


def draw(results: Results, path: Path) -> None:
    """Draw the three panels to a PNG."""
    picture(results).savefig(path, dpi=140)


def picture(results: Results) -> Canvas:
    """The three panels."""
    figure = canvas(15.0, 4.6)
    left, middle, right = figure.subplots(1, 3)
    _draw_decrease(left, results)
    _draw_lengths(middle, results)
    _draw_srelu(right)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    return figure


def write_table(rows: Sequence[Row], path: Path) -> None:
    """Write the table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(astuple(row) for row in rows)
