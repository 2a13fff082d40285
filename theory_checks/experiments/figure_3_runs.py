"""The runs of figure 3 in the small: the stochastic trust region on digits, in several norms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import tralgos
from tralgos import StochasticTrustRegion
from tralgos.norms import AdagradNorm, RMSPropNorm
from tralgos.problems import FiniteSum, TwoLayerNetwork, digits_problem, load_digits

__all__ = [
    "ADAGRAD",
    "BETA",
    "ETA",
    "GAMMA",
    "HIDDEN",
    "INNER",
    "NORMS",
    "RMSPROP",
    "TASKS",
    "UNIFORM",
    "Curve",
    "Setting",
    "Sizes",
    "Task",
    "chosen",
    "compared",
    "task",
    "train",
]

#: The ranges that the authors' own code is known to use hold each of these numbers.
GAMMA, ETA, BETA = 1.25, 1e-4, 0.8
INNER = 50
WINDOW = 20
HIDDEN = 16

#: Deviation of the random starts of the convex problems.
_NEAR_ZERO = 0.01

UNIFORM, ADAGRAD, RMSPROP = "uniform", "Adagrad", "RMSProp"
_WINDOW_NAME, _ROOT = f"RMSProp, window of {WINDOW}", "RMSProp, root of A"

#: Rule of the norm for an epsilon, and the power of A.
NORMS: dict[str, tuple[Callable[[float], Any], float]] = {
    UNIFORM: (lambda epsilon: None, 1.0),
    ADAGRAD: (lambda epsilon: AdagradNorm(epsilon=epsilon), 1.0),
    RMSPROP: (lambda epsilon: RMSPropNorm(epsilon=epsilon, beta=BETA), 1.0),
    _WINDOW_NAME: (
        lambda epsilon: RMSPropNorm(epsilon=epsilon, beta=BETA, kind="window", window=WINDOW),
        1.0,
    ),
    _ROOT: (lambda epsilon: RMSPropNorm(epsilon=epsilon, beta=BETA), 0.5),
}

TASKS = ("softmax", "least-squares", "two-layer")


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    batch : int
        Terms of a gradient, which are those of its Hessian and its values.
    budget : float
        Of a run, in full-data gradients.
    runs, tuning : int
        Runs that are judged, and runs with other seeds for each setting that is tried.
    uniform : tuple of float
        First radii that the uniform norm tries.
    radii, epsilons : tuple of float
        What every other norm tries, in all pairs.
    norms : tuple of str
    terms : int, optional
        Digits that are used; all of them unless given.
    """

    batch: int
    budget: float
    runs: int
    tuning: int
    uniform: tuple[float, ...]
    radii: tuple[float, ...]
    epsilons: tuple[float, ...]
    norms: tuple[str, ...] = tuple(NORMS)
    terms: int | None = None

    def settings(self, norm: str) -> tuple[Setting, ...]:
        """What is tried for a norm."""
        if norm == UNIFORM:
            return tuple(Setting(norm, radius) for radius in self.uniform)
        return tuple(Setting(norm, r, epsilon) for r in self.radii for epsilon in self.epsilons)

    def grid(self) -> np.ndarray:
        """The backpropagations at which curves are kept."""
        return np.linspace(0.0, self.budget, 81)[1:]


@dataclass(frozen=True)
class Setting:
    """A norm with its hyper-parameters."""

    norm: str
    radius: float
    epsilon: float = 1.0
    gamma: float = GAMMA

    def method(self, batch: int) -> StochasticTrustRegion:
        """Algorithm 1 with this norm."""
        rule, power = NORMS[self.norm]
        return StochasticTrustRegion(
            norm=rule(self.epsilon),
            norm_power=power,
            gradient_batch=batch,
            hessian_batch="same",
            value_batch="same",
            gamma=self.gamma,
            eta=ETA,
            radius=self.radius,
            subproblem=tralgos.Steihaug(rtol="forcing", maxiter=INNER),
            second_order=False,
        )


@dataclass(frozen=True)
class Task:
    """A training problem.

    Attributes
    ----------
    name : str
    problem : FiniteSum
    accuracy : callable
        The share of the digits that a point classifies rightly.
    """

    name: str
    problem: FiniteSum
    accuracy: Callable[[np.ndarray], float]

    def start(self, rng: np.random.Generator) -> np.ndarray:
        """A random start."""
        if isinstance(self.problem, TwoLayerNetwork):
            return np.asarray(self.problem.initial(rng))
        return _NEAR_ZERO * rng.standard_normal(self.problem.n)


def task(name: str, terms: int | None = None) -> Task:
    """The problem of that name on the first `terms` digits."""
    problem = digits_problem(name, hidden=HIDDEN)
    pixels, labels = load_digits()
    count = len(labels) if terms is None else terms
    X, labels = pixels[:count], labels[:count]
    whole = np.column_stack([X, np.ones(count)])

    def linear(x: np.ndarray) -> float:
        return float(np.mean(np.argmax(whole @ x.reshape(whole.shape[1], -1), axis=1) == labels))

    def odd(x: np.ndarray) -> float:
        return float(np.mean((whole @ x > 0.0) == (labels % 2 == 1)))

    def network(x: np.ndarray) -> float:
        first = x[: whole.shape[1] * HIDDEN]
        second = x[len(first) :].reshape(HIDDEN + 1, -1)
        units = np.tanh(X @ first[:-HIDDEN].reshape(-1, HIDDEN) + first[-HIDDEN:])
        return float(np.mean(np.argmax(units @ second[:-1] + second[-1], axis=1) == labels))

    accuracies = {"softmax": linear, "least-squares": odd, "two-layer": network}
    return Task(name, problem.subset(range(count)), accuracies[name])


@dataclass(frozen=True)
class Curve:
    """What one run has to show.

    Attributes
    ----------
    losses : array
        log10 of the full training loss at each point of the grid.
    times, steps : array
        Backpropagations after each iteration, and log10 of the loss there.
    accurate : float
        Backpropagations until 99% of the digits are classified rightly; infinite if never.
    accuracy : float
        At the end.
    iterations : int
    products : float
        Products with the Hessian in an iteration, on average.
    accepted : float
        Share of the trials that were taken.
    """

    losses: np.ndarray
    times: np.ndarray
    steps: np.ndarray
    accurate: float
    accuracy: float
    iterations: int
    products: float
    accepted: float

    def until(self, target: float) -> float:
        """Backpropagations until log10 of the loss is at most `target`; infinite if never."""
        there = np.flatnonzero(self.steps <= target)
        return float(self.times[there[0]]) if len(there) else np.inf


def train(work: Task, setting: Setting, sizes: Sizes, seed: int) -> Curve:
    """One run. Start and batches depend on the seed alone, not on the setting."""
    rng = np.random.default_rng([seed, 3])
    x0 = work.start(rng)
    # The first gradient has been paid for before the first step.
    times = [sizes.batch / work.problem.size]
    losses, shares = [work.problem.value(x0)], [work.accuracy(x0)]

    def note(seen: OptimizeResult) -> None:
        if seen.record.backpropagations > sizes.budget:
            raise StopIteration
        times.append(seen.record.backpropagations)
        # A rejected trial leaves the iterate where it was.
        taken = seen.record.accepted
        losses.append(work.problem.value(seen.x) if taken else losses[-1])
        shares.append(work.accuracy(seen.x) if taken else shares[-1])

    run = tralgos.minimize(
        work.problem,
        x0,
        setting.method(sizes.batch),
        gtol=0.0,
        maxiter=1_000_000,
        callback=note,
        rng=rng,
    )
    logs = np.log10(losses)
    places = np.maximum(np.searchsorted(times, sizes.grid(), side="right") - 1, 0)
    reached = np.flatnonzero(np.array(shares) >= 0.99)
    count = len(times) - 1
    return Curve(
        logs[places],
        np.array(times),
        logs,
        float(times[reached[0]]) if len(reached) else np.inf,
        shares[-1],
        count,
        float(np.mean(run.trace.column("matvecs")[1:])),
        float(np.mean(run.trace.column("accepted")[1:])),
    )


def chosen(work: Task, norm: str, sizes: Sizes, seed: int) -> Setting:
    """The setting with the least mean log loss at the end, over runs with seeds of its own."""
    tried = sizes.settings(norm)
    scores = [
        float(np.mean([train(work, s, sizes, seed + 10_000 + i).losses[-1] for i in _upto(sizes)]))
        for s in tried
    ]
    return tried[int(np.argmin(scores))]


def _upto(sizes: Sizes) -> range:
    return range(sizes.tuning)


def compared(work: Task, setting: Setting, sizes: Sizes, seed: int) -> list[Curve]:
    """The runs that are judged."""
    return [train(work, setting, sizes, seed + i) for i in range(sizes.runs)]
