"""Figure 1 of the CurveBall paper: paths on Rosenbrock's function, with and without noise."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from theory_checks.claim import Level
from theory_checks.experiments.curveball_figure_1_drawing import draw
from theory_checks.experiments.curveball_paths import (
    CENTRE,
    METHODS,
    NOISES,
    SECOND,
    SPREAD,
    TOLERANCE,
    Cell,
    Path,
    Sizes,
    crossings,
    descended,
    selected,
)
from theory_checks.experiments.curveball_styles import ADAM, BFGS, CURVEBALL, MOMENTUM
from theory_checks.experiments.curveball_verdicts import judged
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher

__all__ = ["SIZES", "run", "run_sizes"]

CONFIDENCE = 0.95

SIZES = {
    Level.QUICK: Sizes(runs=8, cap=3000, tuning=5, length=1000),
    Level.FULL: Sizes(runs=30, cap=10_000, tuning=20, length=1000),
}

#: How many times as many iterations are slow, beside few; and crossings that are oscillating.
_SLOW, _OSCILLATING = 10.0, 5.0

#: All runs by method and noise.
Found = dict[tuple[str, str], list[Path]]


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level."""
    return run_sizes(SIZES[level], seed, watcher)


def run_sizes(sizes: Sizes, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    watcher.of(len(NOISES) * len(METHODS))
    cells: dict[tuple[str, str], Cell] = {}
    found: Found = {}
    for noise in NOISES:
        for method in METHODS:
            watcher.at(f"{noise}: {method}")
            key = method, noise
            if method in (MOMENTUM, ADAM):
                cells[key] = selected(method, noise, sizes, seed)
            found[key] = [
                descended(method, cells.get(key), noise, sizes, [seed, i])
                for i in range(sizes.runs)
            ]
            watcher.done()
    drawn = {noise: {method: found[method, noise][0] for method in METHODS} for noise in NOISES}
    return Outcome(
        (_iterations(found, cells), _crossings(found)),
        _sentences(found),
        _choices(sizes),
        {
            "iterations": "steps to the first iterate whose expected loss is below "
            f"{TOLERANCE:g}; all of a run that does not get there",
            "crossings": "of the floor of the valley, v = u^2, on the way",
        },
        _numbers(found, cells, sizes),
        {"curveball-figure-1.png": draw(drawn)},
        _REMARKS,
    )


_REMARKS = (
    "Intervals are Student's t at 95%; run i has the same start for every method, and the same "
    "noise for all that draw it once a step; ratios are taken run by run.",
    "The picture shows run 0 of each. Curves of the loss begin at the start, iteration 0 being "
    "drawn at 1.",
    "In the plane z and Delta_z span everything, so that CurveBall's steps are those of Levenberg "
    "with lambda fixed: its path says little of what it does in many dimensions.",
    "The printed rule cannot move lambda in so few iterations: its factor is 0.999.",
)


def _choices(sizes: Sizes) -> tuple[Choice, ...]:
    return (
        Choice(
            "which noise the drawn paths have",
            "all three columns of table 1 are drawn; the loss is the expected one",
        ),
        Choice("start", f"normal about {CENTRE} with deviation {SPREAD:g}, the same for everybody"),
        Choice(
            "how often noise is drawn",
            "once a step for gradient, curvature and values of that step; for BFGS, SciPy's with "
            "its cubic line search, once for every value and every gradient",
        ),
        Choice("a line search that gives up in the noise", "BFGS is begun anew where it stands"),
        Choice(
            "SGD and Adam",
            "the grid of appendix B.1, by the mean loss of the last ten of "
            f"{sizes.length} iterates over {sizes.tuning} other runs, for each noise",
        ),
        Choice("CurveBall", "Gauss-Newton, automatic rho and beta, lambda_0 = 1, the printed rule"),
        Choice(
            "Levenberg-Marquardt and Newton",
            "Gauss-Newton with diag(H) and Nielsen's rule for lambda; absolute eigenvalues of the "
            "exact Hessian and a backtracking line search",
        ),
        Choice(
            "what slow and few are",
            f"{_SLOW:g} times as many iterations as CurveBall takes; a tenth of those of the "
            "faster one of SGD and Adam in the same noise",
        ),
        Choice(
            "what oscillating is",
            f"the path crosses the floor of the valley more than {_OSCILLATING:g} times",
        ),
        Choice("length of a run that never arrives", f"{sizes.cap} iterations"),
    )


def _counts(found: Found, method: str, noise: str) -> np.ndarray:
    return np.array([float(path.iterations) for path in found[method, noise]])


def _iterations(found: Found, cells: dict[tuple[str, str], Cell]) -> Table:
    lines = []
    for method in METHODS:
        shown = []
        for noise in NOISES:
            paths = found[method, noise]
            mean = mean_interval(_counts(found, method, noise), CONFIDENCE).shown(1)
            missing = sum(not path.arrived for path in paths)
            shown.append(mean + (f", {missing} of {len(paths)} never" if missing else ""))
        picked = "; ".join(
            ", ".join(f"{number:g}" for number in cells[method, noise])
            for noise in NOISES
            if (method, noise) in cells
        )
        lines.append((method, *shown, picked or "-"))
    title = f"iterations to an expected loss of {TOLERANCE:g}, mean and 95% interval"
    return Table(title, ("method", *NOISES, "rate, momentum or betas"), tuple(lines))


def _crossings(found: Found) -> Table:
    lines = []
    for method in METHODS:
        cells = []
        for noise in NOISES:
            counts = [float(crossings(path)) for path in found[method, noise]]
            cells.append(mean_interval(counts, CONFIDENCE).shown(1))
        lines.append((method, *cells))
    title = "crossings of the valley's floor on the way, mean and 95% interval"
    return Table(title, ("method", *NOISES), tuple(lines))


def _sentences(found: Found) -> tuple[Sentence, ...]:
    return (*_about_first_order(found), *_about_bfgs(found), *_about_few(found))


def _about_first_order(found: Found) -> tuple[Sentence, ...]:
    judgements = []
    for method in (MOMENTUM, ADAM):
        ratios = [
            np.log10(_counts(found, method, noise) / _counts(found, CURVEBALL, noise))
            for noise in NOISES
        ]
        judgements.append(
            judged(
                f"the slow behaviour of first-order methods is noticeable: {method}",
                "log10 of iterations over those of CurveBall, mean of the three noises, less 1",
                np.mean(ratios, axis=0) - np.log10(_SLOW),
                CONFIDENCE,
                above=True,
            )
        )
        turns = [[float(crossings(path)) for path in found[method, noise]] for noise in NOISES]
        judgements.append(
            judged(
                f"the oscillating behaviour of first-order methods is noticeable: {method}",
                "crossings of the valley's floor, least of the three noises run by run, less 5",
                np.min(turns, axis=0) - _OSCILLATING,
                CONFIDENCE,
                above=True,
                note="by noise: " + ", ".join(f"{np.mean(row):.0f}" for row in turns),
            )
        )
    return tuple(judgements)


def _about_bfgs(found: Found) -> tuple[Sentence, ...]:
    plain, *noisy = NOISES
    judgements = []
    for method in (BFGS, *SECOND):
        for noise in noisy:
            change = np.log10(_counts(found, method, noise) / _counts(found, method, plain))
            mine = method == BFGS
            says = "the impact of noise on the BFGS steps is noticeable"
            judgements.append(
                judged(
                    f"{says}: {noise}" if mine else f"(for comparison: {method}): {noise}",
                    "log10 of iterations over those without noise",
                    change,
                    CONFIDENCE,
                    above=True,
                    note=f"a factor of {10.0 ** float(np.mean(change)):.2g}",
                )
            )
    return tuple(judgements)


def _about_few(found: Found) -> tuple[Sentence, ...]:
    judgements = []
    for method in SECOND:
        ratios = []
        for noise in NOISES:
            first = np.minimum(_counts(found, MOMENTUM, noise), _counts(found, ADAM, noise))
            ratios.append(np.log10(_counts(found, method, noise) / first))
        means = [float(np.mean(_counts(found, method, noise))) for noise in NOISES]
        judgements.append(
            judged(
                f"{method} converges in few iterations",
                "log10 of iterations over those of the faster one of SGD and Adam, mean of the "
                "three noises, plus 1",
                np.mean(ratios, axis=0) + np.log10(_SLOW),
                CONFIDENCE,
                above=False,
                note="iterations by noise: " + ", ".join(f"{mean:.1f}" for mean in means),
            )
        )
    return tuple(judgements)


def _numbers(found: Found, cells: dict[tuple[str, str], Cell], sizes: Sizes) -> dict[str, Any]:
    return {
        "sizes": asdict(sizes),
        "selected": {f"{noise}: {method}": list(cell) for (method, noise), cell in cells.items()},
        "runs": {
            f"{noise}: {method}": {
                "iterations": [path.iterations for path in paths],
                "arrived": [path.arrived for path in paths],
                "crossings": [crossings(path) for path in paths],
            }
            for (method, noise), paths in found.items()
        },
        "drawn paths": {
            f"{noise}: {method}": np.round(paths[0].points[:200], 5).tolist()
            for (method, noise), paths in found.items()
        },
    }
