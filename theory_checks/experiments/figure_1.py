"""Figure 1 of the adaptive-norms paper: first-order methods and their implicit trust regions.

Gradient descent, diagonal and full Adagrad on quadratics in the plane with condition numbers
2, 20, and 20 turned by 45 degrees.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory_checks.claim import Level
from theory_checks.experiments.figure_1_bench import (
    DIAGONAL,
    EPSILON,
    FULL,
    LANDSCAPES,
    METHODS,
    PLAIN,
    RULES,
    SPREAD,
    STEEP,
    TILTED,
    Bench,
    Rule,
    Sizes,
)
from theory_checks.experiments.figure_1_drawing import draw
from theory_checks.experiments.figure_1_sentences import CONFIDENCE, advantage, sentences
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Choice, Outcome, Table, Watcher

__all__ = ["SIZES", "run", "run_sizes"]

SIZES = {
    Level.QUICK: Sizes(iterations=50, starts=30, tuning=10, rates=8),
    Level.FULL: Sizes(iterations=50, starts=30, tuning=30, rates=10),
}

#: The comparisons of the table of sensitivity.
_COMPARED = ((PLAIN, DIAGONAL), (STEEP, DIAGONAL), (TILTED, DIAGONAL), (TILTED, FULL))


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level."""
    return run_sizes(SIZES[level], seed, watcher)


def run_sizes(sizes: Sizes, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    bench = Bench(sizes, seed)
    watcher.of(len(RULES) + 2)
    rates = {}
    for rule in RULES:
        watcher.at(rule.name)
        rates[rule.name] = bench.rates(rule)
        watcher.done()
    watcher.at("sentences")
    judged = sentences(bench)
    watcher.done()
    watcher.at("picture")
    picture = draw(bench)
    watcher.done()
    return Outcome(
        (_figures(bench, rates[RULES[0].name]), _sensitivity(bench, rates)),
        judged,
        _choices(sizes),
        {
            "log10 suboptimality": "log10 of f(x_t) - f*; f has no unit",
            "rates": "of x for Adagrad; of 1 / curvature for gradient descent",
            "digits": "log10 of f - f* gained",
        },
        _numbers(bench, rates),
        {"adaptive-norms-figure-1.png": picture},
        (
            "Every interval is of Student's t at 90%, over starts; differences are taken start "
            "by start.",
            "On axis-aligned quadratics the iterates of diagonal Adagrad do not depend on the "
            "curvatures at all (epsilon aside): panels 1 and 2 show the same iterates.",
            "Gradient descent and full Adagrad are invariant under rotations, and the starts are "
            "turned with the problem: their curves in panels 2 and 3 differ by rounding.",
            "Without the bound of the first rule the best rates of Adagrad lie at the end of the "
            "grid: the first step leaps far away, and the sums that it leaves make the next ones "
            "nearly Newton steps. Lemma 1's region then has nothing to do with the landscape.",
        ),
    )


def _figures(bench: Bench, rates: dict[tuple[str, str], float]) -> Table:
    lines = []
    for place in LANDSCAPES:
        for method in METHODS:
            rate = rates[place.name, method]
            curves = bench.curves(place.name, method, rate)
            half = bench.sizes.iterations // 2
            shown = [mean_interval(curves[:, t], CONFIDENCE).shown() for t in (half, -1)]
            start = f"{float(np.mean(curves[:, 0])):.2f}"
            lines.append((place.name, method, f"{rate:.3g}", start, *shown))
    half, last = bench.sizes.iterations // 2, bench.sizes.iterations
    title = f"mean log10 of f - f* over {bench.sizes.starts} starts, 90% interval"
    headings = ("problem", "method", "rate", "start", f"iteration {half}", f"iteration {last}")
    return Table(title, headings, tuple(lines))


def _sensitivity(bench: Bench, rates: dict[str, dict[tuple[str, str], float]]) -> Table:
    lines = []
    for rule in RULES:
        ahead = [
            mean_interval(
                advantage(bench, rates[rule.name], place, method, rule), CONFIDENCE
            ).shown(1)
            for place, method in _COMPARED
        ]
        lines.append((rule.name, *ahead))
    headings = ("rates", *(f"{_short(method)}, {place}" for place, method in _COMPARED))
    title = "sensitivity: digits of f by which Adagrad is ahead of gradient descent, 90% interval"
    return Table(title, headings, tuple(lines))


def _short(method: str) -> str:
    return method.split()[0]


def _choices(sizes: Sizes) -> tuple[Choice, ...]:
    low, high = sizes.grid()[[0, -1]]
    return (
        Choice(
            "step sizes",
            f"for each method and problem the best of {len(sizes.grid())} rates from {low:g} to "
            f"{high:g} by the mean of log10(f - f*) at the end over {sizes.tuning} other starts, "
            "of those with which that mean is never above its start",
        ),
        Choice("number of iterations", str(sizes.iterations)),
        Choice(
            "distribution of the starts",
            f"normal, deviation {SPREAD:g} in every coordinate, turned with the problem",
        ),
        Choice("the quadratics", "x'Hx/2 with eigenvalues 1 and kappa; the third by 45 degrees"),
        Choice("epsilon of Adagrad", f"{EPSILON:g}, in squared units of the gradient"),
    )


def _numbers(bench: Bench, rates: dict[str, dict[tuple[str, str], float]]) -> dict[str, Any]:
    first = rates[RULES[0].name]
    return {
        "sizes": {
            "iterations": bench.sizes.iterations,
            "starts": bench.sizes.starts,
            "tuning starts": bench.sizes.tuning,
            "grid": [float(rate) for rate in bench.sizes.grid()],
        },
        "starts": bench.starts.tolist(),
        "rates": {
            rule: {f"{place}, {method}": rate for (place, method), rate in chosen.items()}
            for rule, chosen in rates.items()
        },
        "log10 suboptimality": {
            f"{place}, {method}": _finite(bench.curves(place, method, rate))
            for (place, method), rate in first.items()
        },
        "advantage": {rule.name: _ahead(bench, rates[rule.name], rule) for rule in RULES},
    }


def _ahead(
    bench: Bench, rates: dict[tuple[str, str], float], rule: Rule
) -> dict[str, list[float | None]]:
    return {
        f"{place}, {method}": _finite(advantage(bench, rates, place, method, rule))
        for place, method in _COMPARED
    }


def _finite(values: np.ndarray) -> list[Any]:
    """As lists, with None for what is not finite."""
    if values.ndim > 1:
        return [_finite(row) for row in values]
    return [round(float(x), 4) if np.isfinite(x) else None for x in values]
