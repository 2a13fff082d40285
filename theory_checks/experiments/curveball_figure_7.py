"""Figure 7 of the CurveBall paper: against Hessian-free optimisation, in passes and in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments.curveball_figure_7_drawing import draw
from theory_checks.experiments.curveball_networks import (
    BATCH,
    FIRST_LAMBDA,
    RAW,
    Network,
    Plan,
    Run,
    common_choices,
    network,
    train,
)
from theory_checks.experiments.curveball_styles import (
    ADAM,
    CURVEBALL,
    HF_COLD,
    HF_WARM,
    HF_WHOLE,
    MOMENTUM,
    TRACKING,
)
from theory_checks.experiments.curveball_verdicts import judged
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher

__all__ = ["AXES", "DRAWN", "SIZES", "Sizes", "run", "run_sizes", "taken"]

CONFIDENCE = 0.95

#: The paper searches the powers of ten; momentum is not among what it says it searches here.
RATES = {MOMENTUM: (1.0, 0.1, 0.01, 0.001), ADAM: (0.1, 0.01, 0.001, 0.0001)}
MOMENTUM_FACTOR = 0.9

#: In the tables only.
_ONE, _DECAY, _SHORT = "CurveBall, lambda_0 = 1", f"{HF_WARM}, times 0.95", f"{HF_COLD}, R = 20"

_DEFAULTS: dict[str, Callable[[], Any]] = {
    CURVEBALL: lambda: _ball(FIRST_LAMBDA[RAW]),
    TRACKING: lambda: tralgos.CurveBall(batch=BATCH, second_order=False),
    HF_COLD: lambda: tralgos.HessianFree(batch=BATCH, second_order=False),
    HF_WARM: lambda: tralgos.HessianFree(batch=BATCH, warm=True, second_order=False),
    HF_WHOLE: lambda: tralgos.HessianFree(second_order=False),
    _ONE: lambda: _ball(1.0),
    _DECAY: lambda: tralgos.HessianFree(batch=BATCH, warm=True, decay=0.95, second_order=False),
    _SHORT: lambda: tralgos.HessianFree(batch=BATCH, inner=20, second_order=False),
}
FREE = (HF_COLD, HF_WARM, HF_WHOLE)
DRAWN = (MOMENTUM, ADAM, CURVEBALL, TRACKING, *FREE)
METHODS = (*RATES, *_DEFAULTS)

#: The quantities of the two panels.
AXES = ("passes", "seconds")

#: A run ends with so few errors, in percent.
_ALL_BUT_DONE = 0.1


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    passes : float
        Backpropagations over all data after which a run ends.
    runs, tuning : int
        Runs that are judged, and runs with other seeds for each rate that is tried.
    target : float
        Training error in percent at which methods are compared.
    terms : int, optional
        Digits that are used; all unless given.
    """

    passes: float
    runs: int
    tuning: int
    target: float
    terms: int | None = None


SIZES = {
    Level.QUICK: Sizes(passes=100.0, runs=3, tuning=1, target=5.0),
    Level.FULL: Sizes(passes=400.0, runs=8, tuning=3, target=1.0),
}


def _ball(first: float) -> Any:
    return tralgos.CurveBall(batch=BATCH, lam=first, lam_rule="authors", second_order=False)


def _first_order(name: str, rate: float) -> Any:
    if name == ADAM:
        return tralgos.Adam(rate=rate, batch=BATCH, second_order=False)
    return tralgos.HeavyBall(rate=rate, momentum=MOMENTUM_FACTOR, batch=BATCH, second_order=False)


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level."""
    return run_sizes(SIZES[level], seed, watcher)


def run_sizes(sizes: Sizes, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    net = network(RAW, sizes.terms)
    watcher.of(len(METHODS))
    rates: dict[str, float] = {}
    found: dict[str, list[Run]] = {}
    for name in METHODS:
        watcher.at(name)
        if name in RATES:
            rates[name] = _chosen(net, name, sizes, seed)
            method = _first_order(name, rates[name])
        else:
            method = _DEFAULTS[name]()
        found[name] = [train(net, method, _plan(sizes), seed + i) for i in range(sizes.runs)]
        watcher.done()
    drawn = {name: found[name] for name in DRAWN}
    return Outcome(
        (_times(found, rates, sizes), _efforts(found)),
        _sentences(found, sizes),
        (*common_choices(net), *_choices(sizes, rates)),
        {
            "passes": "backpropagations over all data: a gradient of b of the N digits counts b/N, "
            "a product with the curvature 2b/N, one with the model's Jacobian b/N, values nothing",
            "seconds": "of this machine, without the time in which the run is looked at",
            "training error": "percent of the digits",
        },
        _numbers(found, rates, sizes),
        {"curveball-figure-7.png": draw(drawn, sizes.target)},
        _REMARKS,
    )


def _plan(sizes: Sizes) -> Plan:
    return Plan(passes=sizes.passes, growth=0.02, goal=_ALL_BUT_DONE)


def _chosen(net: Network, name: str, sizes: Sizes, seed: int) -> float:
    """The rate with the fewest passes until the target, over runs with seeds of its own."""

    def score(rate: float) -> tuple[float, float]:
        seeds = range(seed + 10_000, seed + 10_000 + sizes.tuning)
        plan = Plan(passes=0.2 * sizes.passes, growth=0.02, goal=sizes.target)
        runs = [train(net, _first_order(name, rate), plan, one) for one in seeds]
        worst = float(np.mean([np.log10(taken(one, sizes.target, "passes")[0]) for one in runs]))
        return worst, float(np.mean([one.errors[-1] for one in runs]))

    return min(RATES[name], key=score)


def taken(run: Run, target: float, axis: str) -> tuple[float, bool]:
    """What the run took to the target; all of it, and False, if it never came there."""
    found = run.until(target, axis)
    return (found, True) if np.isfinite(found) else (float(getattr(run, axis)[-1]), False)


def _logs(runs: list[Run], target: float, axis: str) -> np.ndarray:
    return np.log10([taken(one, target, axis)[0] for one in runs])


_REMARKS = (
    "Every interval is of Student's t at 95%; run i has the same start for every method, and the "
    "same batches for all that take batches; ratios are taken run by run.",
    "Seconds are measured and differ from run to run and from machine to machine; everything else "
    "is a function of the seed.",
    "The network is small: a product on a batch takes less time than the rest of a step. That is "
    "to the advantage of many products a step, and passes say what a large network would see.",
    "A Hessian-free step solves the system of its own batch, and the batch is not the whole. "
    "With the last step as its start it carries on what earlier batches have left in it.",
    "A run that never comes to the target counts with all it took: a lower bound.",
)


def _choices(sizes: Sizes, rates: dict[str, float]) -> tuple[Choice, ...]:
    return (
        Choice(
            "when a method has arrived",
            f"when {sizes.target:g}% of all digits are classified wrongly at most; runs end after "
            f"{sizes.passes:g} passes, or with {_ALL_BUT_DONE:g}% of errors",
        ),
        Choice(
            "learning rates",
            f"powers of ten by the fewest passes to the target over {sizes.tuning} other runs: "
            + ", ".join(f"{rate:g} for {name}" for name, rate in rates.items())
            + f"; momentum {MOMENTUM_FACTOR:g}",
        ),
        Choice(
            "CurveBall",
            "automatic rho and beta, lambda from 10 by the rule of the authors' code; and the "
            "default of tralgos, with the rule tracking",
        ),
        Choice(
            "Hessian-free",
            "conjugate gradients as Martens (2010) ends them, damping by his rule, steps shortened "
            "until the loss of the batch falls; from zero or from the last step, on the batches of "
            "the others or on all data",
        ),
        Choice(
            "which Hessian-free optimiser the sentences mean",
            "the form, of the three drawn, that is the fastest here on the axis in question",
        ),
    )


def _times(found: dict[str, list[Run]], rates: dict[str, float], sizes: Sizes) -> Table:
    lines = []
    for name, runs in found.items():
        count = sum(taken(one, sizes.target, "passes")[1] for one in runs)
        cells = []
        for axis in AXES:
            logs = mean_interval(_logs(runs, sizes.target, axis), CONFIDENCE)
            ends = (f"{10.0**end:.3g}" for end in (logs.low, logs.high))
            cells.append(f"{10.0**logs.mean:.3g} [{', '.join(ends)}]")
        rate = f"{rates[name]:g}" if name in rates else "-"
        lines.append((name, rate, f"{count}/{len(runs)}", *cells))
    title = f"to a training error of {sizes.target:g}%, geometric mean and 95% interval"
    return Table(title, ("method", "rate", "arrived", *AXES), tuple(lines))


def _efforts(found: dict[str, list[Run]]) -> Table:
    lines = []
    for name, runs in found.items():
        share = np.mean([1e3 * one.seconds[-1] / one.steps[-1] for one in runs])
        products = np.mean([one.products for one in runs])
        ends = mean_interval([one.errors[-1] for one in runs], CONFIDENCE).shown()
        steps = np.mean([one.steps[-1] for one in runs])
        lines.append((name, f"{products:.1f}", f"{share:.2f}", f"{steps:.0f}", ends))
    headings = ("method", "passes of its data a step", "ms a step", "steps", "error at the end, %")
    return Table("steps, and what one costs", headings, tuple(lines))


def _sentences(found: dict[str, list[Run]], sizes: Sizes) -> tuple[Sentence, ...]:
    judgements = []
    for axis in AXES:
        logs = {name: _logs(found[name], sizes.target, axis) for name in DRAWN}
        best = min(FREE, key=lambda name: float(np.mean(logs[name])))
        for rival in (MOMENTUM, ADAM, CURVEBALL, TRACKING):
            whose = "(of tracking) " if rival == TRACKING else ""
            judgements.append(
                judged(
                    f"{whose}Hessian-free is an order of magnitude slower than {rival}, in {axis}",
                    f"log10 of {axis} to {sizes.target:g}% of errors, {best} over {rival}, less 1",
                    logs[best] - logs[rival] - 1.0,
                    CONFIDENCE,
                    above=True,
                    note=f"a factor of {10.0 ** float(np.mean(logs[best] - logs[rival])):.2g}",
                )
            )
        first = min((MOMENTUM, ADAM), key=lambda name: float(np.mean(logs[name])))
        for own in (CURVEBALL, TRACKING):
            whose = "(of tracking) " if own == TRACKING else ""
            judgements.append(
                judged(
                    f"{whose}our method is competitive with first-order solvers, in {axis}",
                    f"log10 of {axis} to {sizes.target:g}% of errors, {own} over {first}, less "
                    "log10(2)",
                    logs[own] - logs[first] - np.log10(2.0),
                    CONFIDENCE,
                    above=False,
                    note=f"a factor of {10.0 ** float(np.mean(logs[own] - logs[first])):.2g}",
                )
            )
    judgements.append(
        judged(
            "the CG operation requires several passes through the network",
            f"passes of a batch in a step of {HF_COLD}, less those of CurveBall",
            np.array([one.products for one in found[HF_COLD]])
            - np.array([one.products for one in found[CURVEBALL]]),
            CONFIDENCE,
            above=True,
        )
    )
    return tuple(judgements)


def _numbers(found: dict[str, list[Run]], rates: dict[str, float], sizes: Sizes) -> dict[str, Any]:
    return {
        "sizes": asdict(sizes),
        "rates": rates,
        "runs": {
            name: [
                {
                    "passes to the target": _or_none(one.until(sizes.target, "passes")),
                    "steps": int(one.steps[-1]),
                    "passes": np.round(one.passes[::3], 3).tolist(),
                    "training error, percent": np.round(one.errors[::3], 3).tolist(),
                    "ended": one.ended,
                }
                for one in runs
            ]
            for name, runs in found.items()
        },
        # Apart, since no seed makes them again.
        "measured": {
            name: [
                {
                    "seconds to the target": _or_none(one.until(sizes.target, "seconds")),
                    "seconds": np.round(one.seconds[::3], 5).tolist(),
                }
                for one in runs
            ]
            for name, runs in found.items()
        },
    }


def _or_none(x: float) -> float | None:
    return round(x, 5) if np.isfinite(x) else None
