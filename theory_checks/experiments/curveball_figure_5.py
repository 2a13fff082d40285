"""Figures 5 and 6 of the CurveBall paper: rho, beta, lambda and the gradient during training."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments.curveball_figure_5_drawing import draw
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
from theory_checks.experiments.curveball_verdicts import alike, judged
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher

__all__ = ["RULES", "SHOWN", "SIZES", "Sizes", "Story", "run", "run_sizes"]

CONFIDENCE = 0.95

_Rule = Literal["authors", "tracking", "printed"]

#: Rules for lambda; the first two are drawn.
RULES: tuple[_Rule, ...] = ("authors", "tracking", "printed")
SHOWN = RULES[:2]

#: Columns that are averaged epoch by epoch.
COLUMNS = ("rho", "beta", "lam", "gradient")

#: Losses that differ by less than this in log10, a quarter, are alike.
_ALIKE = 0.1


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    epochs, runs : int
    lambdas : tuple of float
        First lambdas that are compared; the paper's two, 1 and 10, among them.
    lambda_runs : int
        Runs for each of them, and for the printed rule.
    terms : int, optional
        Digits that are used; all unless given.
    """

    epochs: int
    runs: int
    lambdas: tuple[float, ...] = (1.0, 10.0)
    lambda_runs: int = 5
    terms: int | None = None

    def steps(self, net: Network) -> int:
        """In all epochs."""
        return int(np.ceil(self.epochs * net.problem.size / BATCH))


SIZES = {
    Level.QUICK: Sizes(epochs=10, runs=4, lambda_runs=3),
    Level.FULL: Sizes(epochs=50, runs=10, lambdas=(0.1, 1.0, 10.0, 100.0), lambda_runs=5),
}


@dataclass(frozen=True)
class Story:
    """All runs of one network with one rule and one first lambda.

    `means` has a column's mean over the steps of each epoch, shape (runs, epochs).
    """

    network: str
    rule: str
    first: float
    runs: list[Run]
    means: dict[str, np.ndarray]

    def only(self, count: int) -> Story:
        """The first `count` runs."""
        means = {name: rows[:count] for name, rows in self.means.items()}
        return replace(self, runs=self.runs[:count], means=means)

    def ends(self) -> np.ndarray:
        """log10 of the full loss at the end of each run."""
        return np.log10([run.losses[-1] for run in self.runs])

    def moves(self) -> np.ndarray:
        """Shares of the steps with a new lambda that lower it and that raise it: (runs, 2)."""
        found = []
        for run in self.runs:
            change = np.diff(np.log(run.details["lam"]))
            checked = change[4::5] if self.rule in ("authors", "printed") else change
            found.append((np.mean(checked < 0.0), np.mean(checked > 0.0)))
        return np.array(found)


def _story(net: Network, rule: _Rule, first: float, sizes: Sizes, seed: int, count: int) -> Story:
    method = tralgos.CurveBall(batch=BATCH, lam=first, lam_rule=rule, second_order=False)
    # Three times an epoch: every fifth step with all the digits.
    every = max(1, round(net.problem.size / BATCH / 3.0))
    plan = Plan(steps=sizes.steps(net), every=every, gradient=True)
    runs = [train(net, method, plan, seed + i) for i in range(count)]
    means = {name: np.array([_means(one, name, sizes, net) for one in runs]) for name in COLUMNS}
    return Story(net.name, rule, first, runs, means)


def _means(run: Run, name: str, sizes: Sizes, net: Network) -> np.ndarray:
    """The mean of a column over each epoch."""
    if name == "gradient":
        # The look at the start belongs to no epoch.
        steps, values = run.steps[1:], run.gradients[1:]
    else:
        values = run.details[name]
        steps = np.arange(1, len(values) + 1)
    epochs = ((steps - 1) * BATCH / net.problem.size).astype(int)
    return np.array([np.mean(values[epochs == epoch]) for epoch in range(sizes.epochs)])


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at the quick or the full level."""
    return run_sizes(SIZES[level], seed, watcher)


def run_sizes(sizes: Sizes, seed: int, watcher: Watcher) -> Outcome:
    """The experiment with sizes of one's own."""
    nets = {name: network(name, sizes.terms) for name in NETWORKS}
    watcher.of(len(NETWORKS) * (len(RULES) + len(sizes.lambdas) * len(SHOWN)))
    stories, others = [], []
    for name, net in nets.items():
        for rule in RULES:
            watcher.at(f"{name}, {rule}")
            runs = sizes.runs if rule in SHOWN else sizes.lambda_runs
            stories.append(_story(net, rule, FIRST_LAMBDA[name], sizes, seed, runs))
            watcher.done()
        for rule in SHOWN:
            for first in sizes.lambdas:
                watcher.at(f"{name}, {rule}, lambda_0 = {first:g}")
                known = [s for s in stories if (s.network, s.rule, s.first) == (name, rule, first)]
                own = known or [_story(net, rule, first, sizes, seed, sizes.lambda_runs)]
                others.append(own[0].only(sizes.lambda_runs))
                watcher.done()
    return Outcome(
        (_means_table(stories, sizes), _moves(stories), _lambdas(others, sizes)),
        _sentences(stories, others),
        (*common_choices(nets[RAW]), *_choices(sizes)),
        {
            "rho": "no unit",
            "beta": "1 / curvature of the mean loss",
            "lambda": "curvature of the mean loss",
            "gradient": "norm of the gradient of the mean loss over all digits",
            "log10 loss": "log10 of the mean training loss over all digits",
        },
        _numbers(stories, others, sizes),
        {"curveball-figure-5.png": draw([s for s in stories if s.rule in SHOWN])},
        _REMARKS,
    )


_REMARKS = (
    "Every interval is of Student's t at 95%; run i has the same start and the same batches with "
    "every rule and every first lambda, and differences are taken run by run.",
    "The authors' rule moves lambda by half a percent at most in five steps, the printed one by a "
    "fifth of that: lambda_0 is a hyper-parameter for as long as a run of a few hundred steps "
    "lasts, whatever the rule finds.",
    "With the printed rule a perfect model has gamma = 1, which neither raises nor lowers lambda.",
    "tracking is the default of tralgos, and no rule of the paper.",
    "Where the paper's text refers to figure 8 for the evolution of hyper-parameters, figure 5 "
    "must be meant.",
)


def _choices(sizes: Sizes) -> tuple[Choice, ...]:
    return (
        Choice("length of a run", f"{sizes.epochs} epochs"),
        Choice("first lambda", "10 for raw pixels, 1 for standardised ones, by section 3"),
        Choice(
            "rule for lambda",
            "that of the authors' code: the factor 0.999^5 at every fifth step, the damping part "
            "of the predicted change; the printed one is in the tables",
        ),
        Choice(
            "gradient norm",
            "of the gradient over all digits, at every fifth step, not of the batch",
        ),
    )


def _means_table(stories: list[Story], sizes: Sizes) -> Table:
    last = sizes.epochs - 1
    lines = []
    for story in stories:
        cells = []
        for name in COLUMNS:
            found = np.median(story.means[name], axis=0)
            cells += [f"{found[0]:.3g}", f"{found[last]:.3g}"]
        shown = mean_interval(story.ends(), CONFIDENCE).shown()
        count = str(len(story.runs))
        lines.append((story.network, story.rule, f"{story.first:g}", count, *cells, shown))
    pairs = [f"{name}, epoch {k}" for name in COLUMNS for k in (1, sizes.epochs)]
    title = (
        "means over the first and the last epoch, median of the runs; mean log10 loss at the end "
        "with its 95% interval"
    )
    return Table(title, ("network", "rule", "lambda_0", "runs", *pairs, "log10 loss"), tuple(lines))


def _moves(stories: list[Story]) -> Table:
    lines = []
    for story in stories:
        down, up = np.mean(story.moves(), axis=0)
        ends = [run.details["lam"][-1] / story.first for run in story.runs]
        shares = (f"{100 * share:.0f}" for share in (down, 1.0 - down - up, up))
        lines.append((story.network, story.rule, *shares, f"{np.median(ends):.3g}"))
    headings = ("network", "rule", "falls, %", "stays, %", "rises, %", "last / first")
    return Table("lambda at the rule's checks, and at the end", headings, tuple(lines))


def _lambdas(others: list[Story], sizes: Sizes) -> Table:
    lines = []
    for name in NETWORKS:
        for rule in SHOWN:
            found = [o for o in others if (o.network, o.rule) == (name, rule)]
            cells = [mean_interval(o.ends(), CONFIDENCE).shown() for o in found]
            lines.append((name, rule, *cells))
    title = (
        f"sensitivity: log10 loss at the end by the first lambda, mean of {sizes.lambda_runs} runs "
        "and 95% interval"
    )
    headings = ("network", "rule", *(f"lambda_0 = {first:g}" for first in sizes.lambdas))
    return Table(title, headings, tuple(lines))


def _sentences(stories: list[Story], others: list[Story]) -> tuple[Sentence, ...]:
    found: list[Sentence] = []
    for story in stories:
        if story.rule != "authors":
            continue
        half = story.means["rho"].shape[1] // 2
        found.append(
            judged(
                f"(implied, section 3) rho is near 1, the usual momentum: {story.network}",
                "mean automatic rho in the second half of the run, less 0.9",
                np.mean(story.means["rho"][:, half:], axis=1) - 0.9,
                CONFIDENCE,
                above=True,
            )
        )
    for rule in SHOWN:
        for name in NETWORKS:
            found.append(_insensitive(others, name, rule))
    for story in stories:
        if story.rule == "authors":
            found += [_both_ways(story), _falling(story)]
    return tuple(found)


def _insensitive(others: list[Story], name: str, rule: str) -> Sentence:
    own = {o.first: o.ends() for o in others if (o.network, o.rule) == (name, rule)}
    mark = "" if rule == "authors" else "(of tracking) "
    return alike(
        f"{mark}the algorithm is not very sensitive to the initial lambda: {name}",
        "log10 loss at the end with lambda_0 = 10 less that with lambda_0 = 1, the paper's two",
        own[10.0] - own[1.0],
        CONFIDENCE,
        _ALIKE,
    )


def _both_ways(story: Story) -> Sentence:
    return judged(
        f"(implied) the rule raises lambda where the model fits badly: {story.network}",
        "share of the checks at which lambda rises, less 1%",
        story.moves()[:, 1] - 0.01,
        CONFIDENCE,
        above=True,
        note=f"it falls at {np.mean(story.moves()[:, 0]):.0%} of them",
    )


def _falling(story: Story) -> Sentence:
    means = story.means["gradient"]
    return judged(
        f"(figure 6) the gradient norm falls during training: {story.network}",
        "log10 of its mean over the last epoch, over that of the first",
        np.log10(means[:, -1] / means[:, 0]),
        CONFIDENCE,
        above=False,
    )


def _numbers(stories: list[Story], others: list[Story], sizes: Sizes) -> dict[str, Any]:
    return {
        "sizes": asdict(sizes),
        "epoch means": {
            f"{s.network}, {s.rule}": {
                name: [[float(f"{x:.5g}") for x in row] for row in s.means[name]]
                for name in COLUMNS
            }
            for s in stories
        },
        "log10 loss at the end": {
            f"{s.network}, {s.rule}, lambda_0 = {s.first:g}": np.round(s.ends(), 4).tolist()
            for s in (*stories, *others)
        },
        "training error at the end, percent": {
            f"{s.network}, {s.rule}": [round(run.errors[-1], 4) for run in s.runs] for s in stories
        },
        "networks": {RAW: FIRST_LAMBDA[RAW], STANDARD: FIRST_LAMBDA[STANDARD]},
    }
