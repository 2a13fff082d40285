"""SGD with momentum and Adam on all runs of a column at once, and their grid search.

Iterates are those of :class:`tralgos.HeavyBall` and :class:`tralgos.Adam`, run by run, with the
same start and the same noise; a test holds them to that. A grid of 49 cells, four columns and a
hundred runs of thousands of steps needs the arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np

from theory_checks.experiments.table_1_protocol import (
    LINEAR,
    MOMENTUM,
    NOISES,
    case,
)
from theory_checks.experiments.table_1_protocol import Protocol as Setting
from tralgos.problems import TwoLayerLinear

__all__ = ["BETA1", "BETA2", "MOMENTA", "RATES", "Batch", "Cell", "Search", "batch", "grid", "walk"]

#: What the paper's appendix B.1 lists, each value once.
RATES = (0.1, 0.05, 0.01, 0.005, 0.001, 0.0005, 0.0001)
MOMENTA = (0.9, 0.95, 0.99)
BETA1, BETA2 = (0.9, 0.99), (0.99, 0.999)

#: Inside the root, as in tralgos.Adam; its default.
EPSILON = 1e-8

#: Iterates whose mean loss is the error of a trajectory.
LAST = 10

#: Draws of noise that are made at a time.
_DRAWN = 1000


@dataclass(frozen=True)
class Cell:
    """A configuration: rate and momentum, or rate, beta1 and beta2."""

    method: str
    rate: float
    first: float
    second: float | None = None

    @property
    def name(self) -> str:
        """The numbers, in the order of the paper."""
        second = "" if self.second is None else f", {self.second:g}"
        return f"{self.rate:g}, {self.first:g}{second}"


def grid(method: str, rates: tuple[float, ...] = RATES) -> tuple[Cell, ...]:
    """All configurations of a method."""
    if method == MOMENTUM:
        return tuple(Cell(method, *pair) for pair in product(rates, MOMENTA))
    return tuple(Cell(method, *triple) for triple in product(rates, BETA1, BETA2))


class Batch(Protocol):
    """All runs of a column; points are arrays of shape (runs, n)."""

    x0: np.ndarray

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """With the next noise of each run."""

    def loss(self, x: np.ndarray) -> np.ndarray:
        """The expected one, run by run."""

    def arrived(self, x: np.ndarray) -> np.ndarray:
        """Whether the solution is reached, run by run."""


class _Rosenbrocks:
    """Rosenbrock's function from many starts, each with noise of its own."""

    def __init__(self, column: str, setting: Setting, seed: int, runs: int) -> None:
        low, high = NOISES[column]
        self._ends = (low, high)
        self._weight = 100.0 * (0.5 * low + 0.5 * high)
        self._setting = setting
        starts = [np.random.default_rng([seed, 1, i]) for i in range(runs)]
        self.x0 = np.array([setting.first(rng) for rng in starts])
        self._sources = [np.random.default_rng([seed, 2, i]) for i in range(runs)]
        self._drawn = np.empty((0, runs))
        self._next = 0

    def _weights(self) -> np.ndarray | float:
        if self._ends[0] == self._ends[1]:
            return self._weight
        if self._next == len(self._drawn):
            self._drawn = np.array([rng.uniform(*self._ends, _DRAWN) for rng in self._sources]).T
            self._next = 0
        self._next += 1
        return np.asarray(100.0 * self._drawn[self._next - 1])

    def gradient(self, x: np.ndarray) -> np.ndarray:
        weight, u = self._weights(), x[:, 0]
        bend = x[:, 1] - u * u
        left = (-4.0 * weight) * bend * u - 2.0 * (1.0 - u)
        return np.stack([left, (2.0 * weight) * bend], axis=1)

    def loss(self, x: np.ndarray) -> np.ndarray:
        bend = x[:, 1] - x[:, 0] * x[:, 0]
        return np.asarray(self._weight * bend * bend + (1.0 - x[:, 0]) ** 2)

    def arrived(self, x: np.ndarray) -> np.ndarray:
        if self._setting.tested == "distance":
            return np.asarray(np.linalg.norm(x - 1.0, axis=1) < self._setting.tolerance)
        return self.loss(x) < self._setting.tolerance


class _LinearNetworks:
    """Many two-layer linear networks, by the second moments of their samples."""

    def __init__(self, setting: Setting, seed: int, runs: int) -> None:
        cases = [case(LINEAR, setting, seed, i) for i in range(runs)]
        problems = [one.problem for one in cases]
        assert all(isinstance(p, TwoLayerLinear) for p in problems)
        nets: list[Any] = problems
        self.x0 = np.array([one.x0 for one in cases])
        self._maps = np.array([net.A for net in nets])
        self._moments = np.array([_moment(net) for net in nets])
        runs, outputs, inputs = self._maps.shape
        hidden = nets[0].hidden
        self._shapes = ((runs, hidden, inputs), (runs, outputs, hidden))
        scale = self.loss(self.x0) if setting.relative else np.ones(runs)
        self._limits = setting.tolerance * scale

    def _split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = self._shapes
        cut = first[1] * first[2]
        return x[:, :cut].reshape(first), x[:, cut:].reshape(second)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        first, second = self._split(x)
        pull = (second @ first - self._maps) @ self._moments
        parts = (second.transpose(0, 2, 1) @ pull, pull @ first.transpose(0, 2, 1))
        return np.concatenate([part.reshape(len(x), -1) for part in parts], axis=1)

    def loss(self, x: np.ndarray) -> np.ndarray:
        first, second = self._split(x)
        apart = second @ first - self._maps
        return 0.5 * np.asarray(np.sum((apart @ self._moments) * apart, axis=(1, 2)))

    def arrived(self, x: np.ndarray) -> np.ndarray:
        return self.loss(x) < self._limits


def _moment(net: TwoLayerLinear) -> np.ndarray:
    """M with loss tr(E M E')/2, E = W_2 W_1 - A: a block of the Gauss-Newton matrix at W_1 = I."""
    assert net.n is not None
    x = np.zeros(net.n)
    first, _ = net.weights(x)
    cut, width = first.size, first.shape[1]
    x[:cut] = np.eye(*first.shape).ravel()
    H = net.gauss_newton(x)
    columns = []
    for j in range(width):
        v = np.zeros_like(x)
        v[cut + j] = 1.0
        columns.append(np.asarray(H.matvec(v))[cut : cut + width])
    return np.array(columns).T


def batch(column: str, setting: Setting, seed: int, runs: int) -> Batch:
    """The first `runs` runs of a column."""
    if column == LINEAR:
        return _LinearNetworks(setting, seed, runs)
    return _Rosenbrocks(column, setting, seed, runs)


def walk(problem: Batch, cell: Cell) -> Iterator[np.ndarray]:
    """The iterates of all runs, x0 first; whatever overflows stays as it is."""
    x = problem.x0
    momentum, square = np.zeros_like(x), np.zeros_like(x)
    step = 0
    while True:
        yield x
        step += 1
        with np.errstate(all="ignore"):
            g = problem.gradient(x)
            if cell.second is None:
                momentum = cell.first * momentum + g
                x = x - cell.rate * momentum
                continue
            momentum = cell.first * momentum + (1.0 - cell.first) * g
            square = cell.second * square + (1.0 - cell.second) * g * g
            mean = momentum / (1.0 - cell.first**step)
            A = square / (1.0 - cell.second**step) + EPSILON
            x = x - cell.rate * mean / np.sqrt(A)


@dataclass(frozen=True)
class Search:
    """One cell of the grid on one column.

    Attributes
    ----------
    column : str
    cell : Cell
    setting : Protocol
    seed, runs : int
    cap : int
        Iterations after which a run counts as never arriving.
    horizons : tuple of int
        Lengths of the trajectories whose final errors are kept.
    """

    column: str
    cell: Cell
    setting: Setting
    seed: int
    runs: int
    cap: int
    horizons: tuple[int, ...]

    @property
    def name(self) -> str:
        """What is being worked on."""
        return f"{self.column}: {self.cell.method} {self.cell.name}"

    def run(self) -> dict[str, Any]:
        """Iterations until each run arrives (None: never), and the errors at the horizons.

        An error is the mean loss of the last ten iterates of a trajectory of that length and
        over the runs; None where that is not finite.
        """
        problem = batch(self.column, self.setting, self.seed, self.runs)
        hits = np.full(self.runs, -1)
        recent: list[np.ndarray] = []
        errors: dict[str, float | None] = {}
        last = max(self.horizons)
        for k, x in enumerate(walk(problem, self.cell)):
            with np.errstate(all="ignore"):
                if k <= self.cap:
                    hits[(hits < 0) & problem.arrived(x)] = k
                recent = [*recent[-(LAST - 1) :], problem.loss(x)]
                if k in self.horizons:
                    errors[str(k)] = _finite(np.mean(recent))
            settled = (hits >= 0) | ~np.isfinite(recent[-1])
            if k >= last and (k >= self.cap or np.all(settled)):
                break
        counts = [int(hit) if hit >= 0 else None for hit in hits]
        return {"iterations": counts, "errors": errors}


def _finite(x: Any) -> float | None:
    value = float(x)
    return value if math.isfinite(value) else None
