"""Networks on the digits, trained in minibatches: the runs of CurveBall's figures 5 to 8.

A network with one hidden layer stands for the paper's convolutional one. In place of batch
normalisation, which improves the conditioning, its inputs are standardised once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import tralgos
from theory_checks.experiments.outcome import Choice
from tralgos.problems import TwoLayerNetwork, load_digits

__all__ = [
    "BATCH",
    "FIRST_LAMBDA",
    "HIDDEN",
    "NETWORKS",
    "RAW",
    "STANDARD",
    "Network",
    "Plan",
    "Run",
    "common_choices",
    "network",
    "train",
]

BATCH, HIDDEN, CLASSES = 128, 32, 10

RAW, STANDARD = "raw pixels", "standardised pixels"
NETWORKS = (RAW, STANDARD)

#: The paper's first lambda, without and with batch normalisation.
FIRST_LAMBDA = {RAW: 10.0, STANDARD: 1.0}


@dataclass(frozen=True)
class Network:
    """A training problem and what is needed to count its errors."""

    name: str
    problem: TwoLayerNetwork = field(repr=False)
    pixels: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)

    def start(self, seed: int) -> np.ndarray:
        """Random weights; the same for every method with that seed."""
        return np.asarray(self.problem.initial(np.random.default_rng([seed, 5])))

    def error(self, x: np.ndarray) -> float:
        """Training error, in percent of the digits."""
        hidden, inputs = self.problem.hidden, self.pixels.shape[1]
        cut = (inputs + 1) * hidden
        first, second = x[:cut].reshape(inputs + 1, hidden), x[cut:].reshape(hidden + 1, -1)
        units = np.tanh(self.pixels @ first[:-1] + first[-1])
        named = np.argmax(units @ second[:-1] + second[-1], axis=1)
        return 100.0 * float(np.mean(named != self.labels))


def network(name: str, terms: int | None = None) -> Network:
    """The network of that name, on the first `terms` digits."""
    pixels, labels = load_digits()
    pixels, labels = pixels[:terms], labels[:terms]
    if name == STANDARD:
        spread = pixels.std(axis=0)
        # Pixels that are never inked stay zero.
        pixels = (pixels - pixels.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    problem = TwoLayerNetwork(pixels, labels, HIDDEN, classes=CLASSES)
    return Network(name, problem, pixels, labels)


@dataclass(frozen=True)
class Plan:
    """How long a run is and how often it is looked at.

    Attributes
    ----------
    steps, passes : int or float, optional
        Where it ends: steps, or backpropagations over all data.
    every : int
        Steps from one look to the next, at least;
    growth : float
        and the share by which the passes have to grow until then.
    gradient : bool
        Whether the full gradient is taken at each look.
    goal : float
        Training error in percent with which it ends, too.
    """

    steps: int | None = None
    passes: float | None = None
    every: int = 1
    growth: float = 0.0
    gradient: bool = False
    goal: float = -1.0


@dataclass(frozen=True)
class Run:
    """What was seen of one run: arrays with an entry for each look, and one for each step.

    Attributes
    ----------
    steps, passes, seconds : array
        Of the looks: steps so far, backpropagations over all data, and time without the looks.
    losses, errors, gradients : array
        Over all data there: the mean loss, percent of the digits, and the gradient's norm.
    details : dict of array
        What the method tells of each step; NaN where it does not.
    products : float
        Backpropagations over a batch in a step, on average.
    ended : str
    """

    steps: np.ndarray
    passes: np.ndarray
    seconds: np.ndarray
    losses: np.ndarray
    errors: np.ndarray
    gradients: np.ndarray
    details: Mapping[str, np.ndarray]
    products: float
    ended: str

    def until(self, target: float, axis: str) -> float:
        """Passes or seconds until the training error is at most `target`; infinite if never."""
        there = np.flatnonzero(self.errors <= target)
        return float(getattr(self, axis)[there[0]]) if len(there) else np.inf

    def at(self, name: str, axis: str, places: np.ndarray) -> np.ndarray:
        """`losses`, `errors` or `gradients` as last seen at each place of an axis."""
        found = np.searchsorted(getattr(self, axis), places, side="right") - 1
        return np.asarray(getattr(self, name)[np.maximum(found, 0)])


class _Looks:
    """The callback: looks at the run, and takes the time that looking needs off its clock."""

    def __init__(self, net: Network, plan: Plan, x0: np.ndarray) -> None:
        self._net, self._plan = net, plan
        self._lost = 0.0
        self.rows: list[tuple[float, ...]] = []
        self.details: list[Mapping[str, float]] = []
        self._look(x0, 0, 0.0, 0.0)

    def __call__(self, seen: OptimizeResult) -> None:
        begun, plan, record = time.perf_counter(), self._plan, seen.record
        self.details.append(record.detail)
        spent = record.backpropagations
        over = plan.passes is not None and spent > plan.passes
        last = self.rows[-1]
        due = seen.nit - last[0] >= plan.every and spent >= (1.0 + plan.growth) * last[1]
        if due or over or seen.nit == plan.steps:
            self._look(seen.x, seen.nit, spent, record.time - self._lost)
        self._lost += time.perf_counter() - begun
        if over or self.rows[-1][4] <= plan.goal:
            raise StopIteration

    def _look(self, x: np.ndarray, step: int, passes: float, seconds: float) -> None:
        problem, size = self._net.problem, np.nan
        if self._plan.gradient:
            value, gradient = problem.value_and_gradient(x)
            size = float(np.linalg.norm(gradient))
        else:
            value = problem.value(x)
        row = (step, passes, seconds, float(value), self._net.error(x), size)
        self.rows.append(tuple(float(number) for number in row))


def train(net: Network, method: Any, plan: Plan, seed: int) -> Run:
    """One run. Start and batches depend on the seed alone, not on the method."""
    x0 = net.start(seed)
    with np.errstate(over="ignore", invalid="ignore"):
        looks = _Looks(net, plan, x0)
        run = tralgos.minimize(
            net.problem,
            x0,
            method,
            gtol=0.0,
            maxiter=plan.steps or 1_000_000,
            callback=looks,
            rng=np.random.default_rng([seed, 6]),
        )
    steps, passes, seconds, losses, errors, gradients = np.array(looks.rows).T
    names = sorted({name for detail in looks.details for name in detail})
    details = {
        name: np.array([detail.get(name, np.nan) for detail in looks.details]) for name in names
    }
    share = (method.batch or net.problem.size) / net.problem.size
    return Run(
        steps,
        passes,
        seconds,
        losses,
        errors,
        gradients,
        details,
        products=float(passes[-1]) / share / max(1.0, float(steps[-1])),
        ended=run.ending.name,
    )


def common_choices(net: Network) -> tuple[Choice, ...]:
    """What all four figures have in common."""
    count, width = net.pixels.shape
    return (
        Choice(
            "data and network",
            f"{count} digits of 8 x 8 pixels and a network {width}-{HIDDEN}-{CLASSES} with tanh "
            "and softmax loss, where the paper has CIFAR-10 and five convolutional layers",
        ),
        Choice(
            "batch normalisation",
            "in its place the inputs are standardised (mean 0, deviation 1) once; without it, the "
            "pixels are in [0, 1]",
        ),
        Choice(
            "batches",
            f"{BATCH} digits drawn anew in every step without regard to epochs; an epoch is as "
            "many steps as make the number of digits",
        ),
        Choice("start", "normal weights of variance 2 / (inputs + outputs), no biases"),
    )
