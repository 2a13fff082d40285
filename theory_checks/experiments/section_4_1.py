"""Section 4.1 and figure 1 of the sphere-descent paper, run with tralgos' own solver.

Three panels: the decrease against iterations with the change of phase, the length
of phase I against lambda with the fit of equation 10, and SReLU against ReLU.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Verdict,
    in_roundings,
)
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
from theory_checks.rates import factor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

__all__ = ["Results", "Row", "Run", "claim", "draw", "picture", "run_all", "table"]

#: Iterations that a run may take; the printed form takes all of its second phase.
_LONGEST, _PRINTED_LONGEST = 100_000, 4000

#: A step is global here when its true gap is below this share of the decrease.
_GLOBAL = 1e-8

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


def _method(problem: Ensemble) -> tralgos.SphereDescent:
    return tralgos.SphereDescent(
        variant="safe", step=problem.eta(), alpha=ALPHA, maxiter=_LONGEST, N2=_PRINTED_LONGEST
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
    method = _method(problem) if method is None else method
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
            descend(shown, shift, replace(_method(shown), variant="printed")) for shift in LAMBDAS
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


# --- the claim ----------------------------------------------------------------------


def _drawn(instance: Instance) -> Ensemble:
    return sample(int(instance["n"]), np.random.default_rng(int(instance["sample"])))


def _margins(instance: Instance, solve: Callable[[Ensemble, float], Run] = descend) -> Margins:
    problem = _drawn(instance)
    run = solve(problem, instance["lambda"])
    rises = np.diff(run.values)
    size = float(np.abs(problem.spectrum).max() + instance["lambda"])
    size += float(np.linalg.norm(problem.gradient))
    return {
        "q falls in every iteration": in_roundings(-float(rises.max(initial=0.0)), size),
        "ends at the global minimum": in_roundings(_GLOBAL - run.gap, 1.0),
        "feasible": in_roundings(1.0 - run.norm, 1.0),
        "the certificate is no less than the gap": in_roundings(
            (run.certified - run.gap) * run.values[-1] * -1.0, size
        ),
    }


def _strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "n": st.integers(2, 24),
            "sample": st.integers(0, 10_000),
            "lambda": st.sampled_from(LAMBDAS),
        }
    )


def _of_wrong_sign(problem: Ensemble, shift: float) -> Run:
    return descend(problem, shift, hessian=lambda p, x: -p.hessian(x))


def _too_soon(problem: Ensemble, shift: float) -> Run:
    return descend(problem, shift, replace(_method(problem), maxiter=3))


def _one_step_a_phase(problem: Ensemble, shift: float) -> Run:
    return descend(problem, shift, replace(_method(problem), variant="printed", N1=0, N2=1))


def _sabotage() -> tuple[Sabotage, ...]:
    def broken(name: str, solve: Callable[[Ensemble, float], Run]) -> Sabotage:
        return Sabotage(name, lambda instance: _margins(instance, solve))

    return (
        broken("H of the wrong sign", _of_wrong_sign),
        broken("stopped after three iterations", _too_soon),
        broken("one step a phase, as printed for training", _one_step_a_phase),
    )


def _edges() -> tuple[Instance, ...]:
    return tuple({"n": n, "sample": 1, "lambda": 10.0} for n in (2, 4, 12))


def _isolated(instance: Instance) -> bool:
    """Whether linear convergence, at the rate (lambda + lambda_1)/beta, comes to an end in time."""
    problem = _drawn(instance)
    shift = instance["lambda"]
    optimum = solve_in_eigenbasis((problem.spectrum - shift).tolist(), problem.slope.tolist())
    rate = problem.eta() * (float(optimum.multiplier) - shift)
    return bool(rate > 40.0 / _LONGEST)


def _tail(run: Run, best: float) -> list[float]:
    """The relative gaps from a thousandth down to the solver's tolerance."""
    gaps = (run.values - best) / abs(best)
    below = int(np.argmax(gaps < 1e-3))
    return [float(gap) for gap in gaps[below:] if gap > 1e-11]


def _rate_figure(results: Results, seed: int) -> Figure:
    """The factor of the gap near the end, a geometric mean over lambda, and what is promised."""
    pairs = zip(results.runs, results.optima, strict=True)
    tails = [tail for tail in (_tail(run, best) for run, best in pairs) if len(tail) >= 3]
    tails = [tail for tail in tails if tail[0] >= 100 * tail[-1]]
    measured = factor(tails, np.random.default_rng([seed, 42]))
    promised = math.exp(float(np.mean(np.log(results.promised))))
    return Figure(
        "factor of the gap an iteration, near the end",
        measured.value,
        measured.low,
        measured.high,
        (0.0, promised),
        "asymptotically linear",
        (0.0, promised),
    )


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    results = run_all(level, seed)
    safe = [abs(run.gap) <= _GLOBAL for run in results.runs]
    falls = [bool(np.all(np.diff(run.values) <= 1e-12)) for run in results.runs]
    printed = [run.gap for run in results.printed]
    certified = max(run.certified for run in results.runs)
    means = results.lengths.mean(axis=0)
    first, last = (interval(results.lengths[:, i].tolist()) for i in (0, -1))
    share, fall = float(np.mean(safe)), float(np.mean(falls))
    gap = max(run.gap for run in results.runs)
    explained = results.fit.explained
    falling = float(np.mean(np.diff(means) <= 0))
    n, one = f"n = {results.dimension}", (1.0, 1.0)
    return (
        Figure(
            "share of lambdas solved to 1e-8 of the decrease", share, share, share, one, "", one
        ),
        Figure("share of lambdas with q falling throughout", fall, fall, fall, one, "", one),
        Figure("worst relative gap, true", gap, gap, gap, (-1e-12, _GLOBAL)),
        Figure("worst relative gap, certified", certified, certified, certified),
        Figure(
            f"worst relative gap of the printed form, {_PRINTED_LONGEST} iterations",
            max(printed),
            min(printed),
            max(printed),
        ),
        _rate_figure(results, seed),
        Figure(f"t* at lambda = 10, {n}", *first),
        Figure(f"t* at lambda = 110, {n}", *last),
        Figure(
            "t* falls with lambda, share of steps in lambda",
            falling,
            falling,
            falling,
            one,
            "falling",
            one,
        ),
        Figure(
            "R^2 of the fit of (10)",
            explained,
            explained,
            explained,
            (0.9, 1.0),
            "the fit is drawn",
            (0.9, 1.0),
        ),
    )


def claim() -> Claim:
    """Return the claim of Section 4.1."""
    printed = Form(
        "on H = BB' - lambda I the iterates stay inside for a few iterations, then on the "
        "sphere; q falls throughout and the end is the global minimum",
        r"H = BB^\top - \lambda I_n,\ B \in \mathbb{R}^{n\times(n-1)},\ B_{ij}, g_i \sim N(0,1)",
        (
            Condition(
                "ends in time",
                r"\eta(\lambda+\lambda_1) > 4\cdot 10^{-4}",
                _isolated,
                kept="It limits what is tried: each run is followed to its end.",
            ),
        ),
        _strategy,
        _margins,
        edges=_edges,
        sabotage=_sabotage(),
        effort=4,
    )
    return Claim(
        "efficient-tr/section-4-1",
        "sphere descent on random indefinite problems",
        "Better generalization by efficient trust region method",
        "Section 4.1, figure 1",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="Run with tralgos.solve_trs(method=SphereDescent(...)), judged by an oracle that "
        "knows the spectrum. The paper gives no n, eta or alpha; here eta = 0.9/beta for the "
        f"largest beta, alpha = {ALPHA}. Over one decade of lambda no exponent is measured.",
        proof="docs/sphere-descent.md, 'The mend', for the method that is run.",
    )
