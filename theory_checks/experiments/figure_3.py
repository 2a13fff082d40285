"""Figure 3 of the adaptive-norms paper in the small: ellipsoids against spheres.

The stochastic trust-region method, Algorithm 1, trains three models on handwritten digits in
the uniform norm and in those of Adagrad and RMSProp; the deterministic one minimises
ill-conditioned quadratics in the same norms (:mod:`theory_checks.experiments.ill_conditioned`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from theory_checks.claim import Level
from theory_checks.experiments import ill_conditioned
from theory_checks.experiments.figure_3_drawing import draw_quadratics, draw_training
from theory_checks.experiments.figure_3_runs import (
    ADAGRAD,
    BETA,
    ETA,
    GAMMA,
    HIDDEN,
    INNER,
    NORMS,
    RMSPROP,
    TASKS,
    UNIFORM,
    Curve,
    Setting,
    Sizes,
    chosen,
    compared,
    task,
)
from theory_checks.experiments.ill_conditioned import Case, Conditioning
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher, answer

__all__ = ["QUADRATICS", "SIZES", "run", "run_sizes"]

CONFIDENCE = 0.95

SIZES = {
    Level.QUICK: Sizes(
        batch=512,
        budget=80.0,
        runs=10,
        tuning=1,
        uniform=(0.01, 0.1, 1.0, 3.0, 10.0, 30.0),
        radii=(0.01, 0.1, 1.0),
        epsilons=(1e-8, 1e-4),
    ),
    Level.FULL: Sizes(
        batch=512,
        budget=400.0,
        runs=10,
        tuning=2,
        uniform=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        radii=(0.01, 0.1, 1.0),
        epsilons=(1e-8, 1e-6, 1e-4),
    ),
}
QUADRATICS = {
    Level.QUICK: Conditioning(n=60, runs=5, kappas=(1e2, 1e4, 1e6)),
    Level.FULL: Conditioning(n=100, runs=10, kappas=(1e2, 1e3, 1e4, 1e5, 1e6)),
}

#: What everybody gets in the run without tuning.
_UNTUNED = {"radius": 0.05, "epsilon": 1e-8}

#: Of the table of sensitivity, runs of its own being dear.
_SENSITIVE = (UNIFORM, ADAGRAD, RMSPROP)


@dataclass(frozen=True)
class Training:
    """All runs of one task: the setting of each norm, its curves, and those of the variants."""

    task: str
    settings: dict[str, Setting]
    curves: dict[str, list[Curve]]
    untuned: dict[str, list[Curve]]


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level."""
    return run_sizes(SIZES[level], QUADRATICS[level], seed, watcher)


def run_sizes(sizes: Sizes, quadratics: Conditioning, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    parts = len(ill_conditioned.SOLVERS) * len(ill_conditioned.ORIENTATIONS)
    watcher.of(len(TASKS) * len(sizes.norms) + parts * len(quadratics.kappas))
    trained = [_train(name, sizes, seed, watcher) for name in TASKS]
    cases = ill_conditioned.measure(quadratics, seed, watcher)
    pictures = {
        "adaptive-norms-figure-3.png": draw_training(
            sizes.grid(), {one.task: one.curves for one in trained}, CONFIDENCE
        ),
        "adaptive-norms-figure-3-quadratics.png": draw_quadratics(cases),
    }
    return Outcome(
        (
            _losses(trained, sizes),
            _effort(trained, sizes),
            _sensitivity(trained, sizes),
            *ill_conditioned.tables(cases, quadratics),
        ),
        (*_sentences(trained, sizes), *ill_conditioned.sentences(cases)),
        _choices(sizes),
        {
            "backpropagations": "full-data gradients: a gradient of b of the N terms counts b/N, a "
            "product with their Hessian 2b/N, values nothing",
            "log10 loss": "log10 of the mean training loss over all terms",
        },
        _numbers(trained, cases, sizes),
        pictures,
        _REMARKS,
    )


def _train(name: str, sizes: Sizes, seed: int, watcher: Watcher) -> Training:
    work = task(name, sizes.terms)
    settings, curves, untuned = {}, {}, {}
    few = replace(sizes, runs=max(2, sizes.runs // 2))
    for norm in sizes.norms:
        watcher.at(f"{name}, {norm}")
        settings[norm] = chosen(work, norm, sizes, seed)
        curves[norm] = compared(work, settings[norm], sizes, seed)
        if norm in _SENSITIVE:
            untuned[norm] = compared(work, Setting(norm, **_UNTUNED), few, seed)
        watcher.done()
    return Training(name, settings, curves, untuned)


# --- tables -------------------------------------------------------------------------


def _ends(curves: list[Curve]) -> np.ndarray:
    return np.array([curve.losses[-1] for curve in curves])


def _losses(trained: list[Training], sizes: Sizes) -> Table:
    lines = []
    grid = sizes.grid()
    places = [int(np.argmin(np.abs(grid - share * sizes.budget))) for share in (0.25, 0.5, 1.0)]
    for one in trained:
        for norm, curves in one.curves.items():
            losses = np.array([curve.losses for curve in curves])
            cells = [mean_interval(losses[:, i], CONFIDENCE).shown() for i in places]
            setting = one.settings[norm]
            epsilon = "-" if norm == UNIFORM else f"{setting.epsilon:.0e}"
            lines.append((one.task, norm, f"{setting.radius:g}", epsilon, *cells))
    at = (f"at {grid[i]:.0f}" for i in places)
    title = (
        f"mean log10 training loss over {sizes.runs} runs, 95% interval, after so many "
        "backpropagations (full-data gradients)"
    )
    return Table(title, ("task", "norm", "radius", "epsilon", *at), tuple(lines))


def _effort(trained: list[Training], sizes: Sizes) -> Table:
    lines = []
    for one in trained:
        for norm, curves in one.curves.items():
            reached = [c.accurate for c in curves if math.isfinite(c.accurate)]
            median = f"{float(np.median(reached)):.0f}" if reached else "-"
            lines.append(
                (
                    one.task,
                    norm,
                    f"{np.mean([c.accuracy for c in curves]):.3f}",
                    f"{len(reached)}/{len(curves)}",
                    median,
                    f"{np.mean([c.iterations for c in curves]):.0f}",
                    f"{np.mean([c.products for c in curves]):.1f}",
                    f"{np.mean([c.accepted for c in curves]):.2f}",
                )
            )
    headings = ("task", "norm", "accuracy", "at 99%", "after", "steps", "products", "taken")
    title = (
        "training accuracy at the end; runs that came to 99%, after how many backpropagations "
        "(median); steps, products a step, share of the trials taken (means)"
    )
    return Table(title, headings, tuple(lines))


def _sensitivity(trained: list[Training], sizes: Sizes) -> Table:
    lines = []
    for one in trained:
        for norm in one.untuned:
            if norm == UNIFORM:
                continue
            cells = []
            for curves in (one.curves, one.untuned):
                found = _ends(curves[norm]) - _ends(curves[UNIFORM])
                cells.append(mean_interval(found, CONFIDENCE).shown())
            lines.append((one.task, norm, *cells))
    untuned = f"all radius {_UNTUNED['radius']:g}, epsilon {_UNTUNED['epsilon']:.0e}"
    title = (
        "sensitivity: log10 loss at the end less that of the uniform norm, mean and 95% interval "
        f"({sizes.runs} and {max(2, sizes.runs // 2)} runs); negative is better"
    )
    return Table(title, ("task", "norm", "radius and epsilon chosen", untuned), tuple(lines))


# --- sentences ----------------------------------------------------------------------


def _sentences(trained: list[Training], sizes: Sizes) -> tuple[Sentence, ...]:
    found: list[Sentence] = []
    for norm in (n for n in sizes.norms if n != UNIFORM):
        sooner = [_sooner(one, norm, sizes) for one in trained]
        lower = [_lower(one, norm) for one in trained]
        found += [*sooner, *lower]
        if norm in (ADAGRAD, RMSPROP):
            found.append(_overall(norm, [*sooner, *lower]))
    return tuple(found)


def _sooner(one: Training, norm: str, sizes: Sizes) -> Sentence:
    ours, theirs = one.curves[norm], one.curves[UNIFORM]
    target = float(np.mean(_ends(theirs)))
    times = [[c.until(target) for c in curves] for curves in (ours, theirs)]
    never = int(np.sum(np.isinf(times[0])))
    logs = np.log10(np.minimum(times, sizes.budget))
    seen = mean_interval(logs[0] - logs[1], CONFIDENCE)
    there = f"; {never} of {len(ours)} never came there and count with the budget" if never else ""
    return Sentence(
        f"{norm} gets down substantially sooner than uniform: {one.task}",
        f"log10 of backpropagations to the log10 loss {target:.2f} that uniform ends with, over "
        f"those of uniform{there}; yes if < 0",
        seen.mean,
        seen.low,
        seen.high,
        answer(seen.low, seen.high, above=False),
        _why(one, norm),
    )


def _lower(one: Training, norm: str) -> Sentence:
    seen = mean_interval(_ends(one.curves[norm]) - _ends(one.curves[UNIFORM]), CONFIDENCE)
    return Sentence(
        f"{norm} has the lower limit: {one.task}",
        "log10 loss at the end of the budget less that of uniform; yes if < 0",
        seen.mean,
        seen.low,
        seen.high,
        answer(seen.low, seen.high, above=False),
    )


def _why(one: Training, norm: str) -> str:
    """What the two spend their budgets on."""

    def means(name: str, attribute: str) -> float:
        return float(np.mean([getattr(curve, attribute) for curve in one.curves[name]]))

    return (
        f"products a step: {means(norm, 'products'):.1f} against {means(UNIFORM, 'products'):.1f} "
        f"of uniform; trials taken: {means(norm, 'accepted'):.0%} against "
        f"{means(UNIFORM, 'accepted'):.0%}"
    )


def _overall(norm: str, parts: list[Sentence]) -> Sentence:
    answers = [part.answer for part in parts]
    verdict = "no" if "no" in answers else "can't tell" if "can't tell" in answers else "yes"
    return Sentence(
        f"{norm} consistently outperforms uniform, on every task and in both ways",
        f"yes to all {len(parts)} above; no if one of them is no: "
        f"{answers.count('yes')} yes, {answers.count('no')} no",
        None,
        None,
        None,
        verdict,
    )


# --- what stands beside -------------------------------------------------------------

_REMARKS = (
    "Every interval is of Student's t at 95%; run i has the same start and the same batches in "
    "every norm, and differences are taken run by run.",
    "The paper's own axis seems to count every gradient of a batch as one backpropagation; here "
    "it counts by the share of the data it sees, so that batches of any size compare.",
    "RMSProp's ellipsoid tends to the sphere as epsilon grows: with an epsilon large enough it "
    "could not lose by much. The search here ends at 1e-4.",
    "Softmax regression and least squares end where the noise of the batches keeps them, in every "
    "norm but that of the window: their limits say little of the norms.",
    "The full A of a window of 20 gradients has rank 20 at most: epsilon alone measures all other "
    "directions, in which a step within the region can be very long.",
    "The authors' inner tolerance min(0.1, sqrt||g||) depends on the unit of the norm too: the "
    "dual norm of g by A is about one, so that ellipsoids stop at 0.1 where the sphere goes on.",
    "Quadratics: with at most 50 conjugate gradients a step and kappa of 1e5 or more the steps of "
    "the uniform norm fall far short, and on the axes even A itself can overtake it.",
    "Radii in different norms have different units: no first radius serves all norms, hence the "
    "search, with as many settings tried for each norm.",
)


def _choices(sizes: Sizes) -> tuple[Choice, ...]:
    tried = len(sizes.settings(UNIFORM))
    return (
        Choice(
            "data and models",
            "8 x 8 digits (1797) in place of image sets: softmax regression, least squares for odd "
            f"digits, a network 64-{HIDDEN}-10 with tanh; no regulariser",
        ),
        Choice("batch size", f"{sizes.batch}, the same terms for gradient, Hessian and value"),
        Choice(
            "hyper-parameters (table 1 belongs to an appendix that is not at hand)",
            f"numbers within the ranges of the authors' code: gamma {GAMMA}, eta {ETA:g}, RMSProp "
            f"beta {BETA}, conjugate gradients of at most {INNER} steps to min(0.1, sqrt||g||), "
            "and the paper's A, not its root, unless a norm says root",
        ),
        Choice(
            "first radius and epsilon",
            f"for each norm and task the best of {tried} settings by the log10 loss at the end, "
            f"over {sizes.tuning} other runs",
        ),
        Choice("length of a run", f"{sizes.budget:g} full-data gradients"),
        Choice("starts", "the network's normal weights; normal of deviation 0.01 for the others"),
    )


def _numbers(trained: list[Training], cases: tuple[Case, ...], sizes: Sizes) -> dict[str, Any]:
    return {
        "sizes": asdict(sizes),
        "grid of backpropagations": sizes.grid().tolist(),
        "training": {
            one.task: {
                norm: {
                    "setting": asdict(one.settings[norm]),
                    "log10 loss": [np.round(c.losses, 4).tolist() for c in curves],
                    "backpropagations to 99%": [
                        c.accurate if math.isfinite(c.accurate) else None for c in curves
                    ],
                    "accuracy": [c.accuracy for c in curves],
                }
                for norm, curves in one.curves.items()
            }
            for one in trained
        },
        "quadratics": [
            {**asdict(c), "backpropagations": c.backpropagations.tolist()} for c in cases
        ],
        "norms": list(NORMS),
    }
