"""Figure 8 of the CurveBall paper: training with rho = 1 in place of an automatic one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments.curveball_figure_8_drawing import draw
from theory_checks.experiments.curveball_networks import (
    BATCH,
    FIRST_LAMBDA,
    NETWORKS,
    RAW,
    STANDARD,
    Network,
    Plan,
    Run,
    common_choices,
    network,
    train,
)
from theory_checks.experiments.curveball_verdicts import judged
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher

__all__ = ["AUTOMATIC", "FIXED", "SIZES", "Sizes", "run", "run_sizes"]

CONFIDENCE = 0.95

AUTOMATIC, FIXED = "rho and beta automatic", "rho = 1, beta automatic"
SETTINGS: dict[str, float | None] = {AUTOMATIC: None, FIXED: 1.0}

#: A loss higher by less than this in log10 is as good, and an error by less than so many points.
_ALIKE_LOSS, _ALIKE_ERROR = 0.1, 1.0

#: The other first lambda of each network.
_OTHER = {RAW: FIRST_LAMBDA[STANDARD], STANDARD: FIRST_LAMBDA[RAW]}

#: Settings are told apart by network, rho and first lambda.
Key = tuple[str, str, float]


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    epochs, runs : int
    terms : int, optional
        Digits that are used; all unless given.
    """

    epochs: int
    runs: int
    terms: int | None = None

    def steps(self, net: Network) -> int:
        """In all epochs."""
        return int(np.ceil(self.epochs * net.problem.size / BATCH))

    def places(self, net: Network) -> np.ndarray:
        """The steps with which the epochs end."""
        return np.arange(self.epochs + 1) * net.problem.size / BATCH


SIZES = {Level.QUICK: Sizes(epochs=10, runs=5), Level.FULL: Sizes(epochs=50, runs=10)}


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level."""
    return run_sizes(SIZES[level], seed, watcher)


def run_sizes(sizes: Sizes, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    nets = {name: network(name, sizes.terms) for name in NETWORKS}
    watcher.of(2 * len(NETWORKS) * len(SETTINGS))
    found: dict[Key, list[Run]] = {}
    for name, net in nets.items():
        for first in (FIRST_LAMBDA[name], _OTHER[name]):
            for setting in SETTINGS:
                watcher.at(f"{name}, {setting}, lambda_0 = {first:g}")
                found[name, setting, first] = _runs(net, setting, first, sizes, seed)
                watcher.done()
    drawn = {
        name: {setting: found[name, setting, FIRST_LAMBDA[name]] for setting in SETTINGS}
        for name in NETWORKS
    }
    return Outcome(
        (_ends_table(found),),
        _sentences(found, sizes),
        (*common_choices(nets[RAW]), *_choices(sizes)),
        {
            "log10 loss": "log10 of the mean training loss over all digits",
            "training error": "percent of the digits",
            "rho": "no unit",
        },
        _numbers(found, nets, sizes),
        {"curveball-figure-8.png": draw(drawn, sizes.places(nets[RAW]), CONFIDENCE)},
        _REMARKS,
    )


_REMARKS = (
    "Every interval is of Student's t at 95%; run i has the same start and the same batches in "
    "every setting, and differences are taken run by run.",
    "The model's minimum over rho and beta is never above that over beta alone. That is a "
    "statement of one step on one batch: it does not say which of the two gets further.",
    "rho = 1 saves no product: an automatic beta needs the third one as well.",
)


def _runs(net: Network, setting: str, first: float, sizes: Sizes, seed: int) -> list[Run]:
    method = tralgos.CurveBall(
        batch=BATCH, rho=SETTINGS[setting], lam=first, lam_rule="authors", second_order=False
    )
    plan = Plan(steps=sizes.steps(net), every=7)
    return [train(net, method, plan, seed + i) for i in range(sizes.runs)]


def _choices(sizes: Sizes) -> tuple[Choice, ...]:
    return (
        Choice("length of a run", f"{sizes.epochs} epochs"),
        Choice(
            "how eq. (18) is adapted",
            "beta minimises the model, with H + lambda, along the line that rho = 1 leaves",
        ),
        Choice(
            "lambda",
            "from 10 for raw pixels and from 1 for standardised ones, by the rule of the authors' "
            "code; the table has the other first values too",
        ),
        Choice(
            "what the figure is to show (the paper draws it without a word)",
            "read as: rho = 1 trains as well, up to a quarter of the loss and a point of the error",
        ),
    )


def _losses(runs: list[Run]) -> np.ndarray:
    return np.log10([run.losses[-1] for run in runs])


def _errors(runs: list[Run]) -> np.ndarray:
    return np.array([run.errors[-1] for run in runs])


def _rhos(runs: list[Run]) -> np.ndarray:
    return np.array([np.mean(run.details["rho"]) for run in runs])


def _ends_table(found: dict[Key, list[Run]]) -> Table:
    lines = []
    for (name, setting, first), runs in found.items():
        loss = mean_interval(_losses(runs), CONFIDENCE).shown()
        error = mean_interval(_errors(runs), CONFIDENCE).shown()
        rho = f"{np.mean(_rhos(runs)):.3f}"
        drawn = "yes" if first == FIRST_LAMBDA[name] else "no"
        lines.append((name, setting, f"{first:g}", drawn, loss, error, rho))
    headings = ("network", "setting", "lambda_0", "drawn", "log10 loss", "error, %", "mean rho")
    return Table("at the end, mean and 95% interval", headings, tuple(lines))


def _sentences(found: dict[Key, list[Run]], sizes: Sizes) -> tuple[Sentence, ...]:
    judgements: list[Sentence] = []
    for name in NETWORKS:
        for first in (FIRST_LAMBDA[name], _OTHER[name]):
            fixed, free = (found[name, setting, first] for setting in (FIXED, AUTOMATIC))
            where = f"{name}, lambda_0 = {first:g}"
            judgements.append(
                judged(
                    f"(implied) rho = 1 trains as well, by the loss: {where}",
                    f"log10 loss after {sizes.epochs} epochs, rho = 1 less automatic, less "
                    f"{_ALIKE_LOSS:g}",
                    _losses(fixed) - _losses(free) - _ALIKE_LOSS,
                    CONFIDENCE,
                    above=False,
                    note=f"automatic rho is {np.mean(_rhos(free)):.2f} on average",
                )
            )
            judgements.append(
                judged(
                    f"(implied) rho = 1 trains as well, by the training error: {where}",
                    f"percentage points after {sizes.epochs} epochs, rho = 1 less automatic, less "
                    f"{_ALIKE_ERROR:g}",
                    _errors(fixed) - _errors(free) - _ALIKE_ERROR,
                    CONFIDENCE,
                    above=False,
                )
            )
        judgements.append(_better(found, name))
    return tuple(judgements)


def _better(found: dict[Key, list[Run]], name: str) -> Sentence:
    first = FIRST_LAMBDA[name]
    ahead = _losses(found[name, AUTOMATIC, first]) - _losses(found[name, FIXED, first])
    return judged(
        f"(implied by eq. 18) an automatic rho is better than a fixed one: {name}",
        "log10 loss at the end, automatic less rho = 1",
        ahead,
        CONFIDENCE,
        above=False,
    )


def _numbers(found: dict[Key, list[Run]], nets: dict[str, Network], sizes: Sizes) -> dict[str, Any]:
    told = {}
    for (name, setting, first), runs in found.items():
        places = sizes.places(nets[name])
        told[f"{name}, {setting}, lambda_0 = {first:g}"] = {
            "log10 loss": [
                np.round(np.log10(run.at("losses", "steps", places)), 4).tolist() for run in runs
            ],
            "training error, percent": [
                np.round(run.at("errors", "steps", places), 4).tolist() for run in runs
            ],
            "mean rho": np.round(_rhos(runs), 4).tolist(),
        }
    return {"sizes": asdict(sizes), "by epoch": told}
