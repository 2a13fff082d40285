"""Six methods on Rosenbrock's function with and without noise: the runs of CurveBall's figure 1."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import tralgos
from theory_checks.experiments.curveball_styles import (
    ADAM,
    BFGS,
    CURVEBALL,
    MARQUARDT,
    MOMENTUM,
    NEWTON,
)
from tralgos.errors import CurvatureWarning
from tralgos.problems import StochasticRosenbrock

__all__ = [
    "CENTRE",
    "METHODS",
    "NOISES",
    "SECOND",
    "SPREAD",
    "TOLERANCE",
    "Cell",
    "Path",
    "Sizes",
    "crossings",
    "descended",
    "grid",
    "selected",
    "walk",
]

NOISES: dict[str, tuple[float, float]] = {
    "no noise": (1.0, 1.0),
    "noise U[0, 1]": (0.0, 1.0),
    "noise U[0, 3]": (0.0, 3.0),
}

SECOND = (CURVEBALL, NEWTON, MARQUARDT)
METHODS = (MOMENTUM, ADAM, BFGS, MARQUARDT, NEWTON, CURVEBALL)

#: The textbook's start, and the deviation of the starts about it.
CENTRE, SPREAD = (-1.2, 1.0), 0.05

#: Of the expected loss.
TOLERANCE = 1e-4

#: What the paper's appendix B.1 lists.
RATES = (0.1, 0.05, 0.01, 0.005, 0.001, 0.0005, 0.0001)
MOMENTA, BETA1, BETA2 = (0.9, 0.95, 0.99), (0.9, 0.99), (0.99, 0.999)

#: Iterates whose mean loss is the error of a trajectory.
_LAST = 10

#: Inside Adam's root, as tralgos.Adam has it.
_EPSILON = 1e-8

Cell = tuple[float, ...]


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    runs, cap : int
        Runs that are judged, and iterations after which they end.
    tuning, length : int
        Runs with other seeds for each cell of the grid, and their iterations.
    """

    runs: int
    cap: int
    tuning: int
    length: int


@dataclass(frozen=True)
class Path:
    """One run: iterates, shape (k + 1, 2), the expected loss there, and whether it arrived."""

    points: np.ndarray
    losses: np.ndarray
    arrived: bool

    @property
    def iterations(self) -> int:
        """Taken; all of them where it never arrived."""
        return len(self.points) - 1


def grid(method: str) -> tuple[Cell, ...]:
    """Rate and momentum, or rate, beta1 and beta2."""
    second = (MOMENTA,) if method == MOMENTUM else (BETA1, BETA2)
    return tuple(product(RATES, *second))


def walk(
    method: str, cells: tuple[Cell, ...], starts: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Iterates of all cells from all starts at once, shape (steps + 1, cells, starts, 2).

    Those of :class:`tralgos.HeavyBall` and :class:`tralgos.Adam`; `weights` are those of the
    noisy term, shape (steps, starts). What overflows stays as it is.
    """
    rate, first, *rest = (np.array(column)[:, None, None] for column in zip(*cells, strict=True))
    x = np.broadcast_to(starts, (len(cells), *starts.shape)).copy()
    momentum, square, found = np.zeros_like(x), np.zeros_like(x), [x]
    for step, weight in enumerate(weights, 1):
        with np.errstate(all="ignore"):
            u = x[..., 0]
            bend = x[..., 1] - u * u
            left = -4.0 * weight * bend * u - 2.0 * (1.0 - u)
            g = np.stack([left, 2.0 * weight * bend], axis=-1)
            if method == MOMENTUM:
                momentum = first * momentum + g
                x = x - rate * momentum
            else:
                second = rest[0]
                momentum = first * momentum + (1.0 - first) * g
                square = second * square + (1.0 - second) * g * g
                size = np.sqrt(square / (1.0 - second**step) + _EPSILON)
                x = x - rate * (momentum / (1.0 - first**step)) / size
        found.append(x)
    return np.array(found)


def selected(method: str, noise: str, sizes: Sizes, seed: int) -> Cell:
    """The cell with the least mean loss over the last ten iterates, on runs of their own."""
    rng = np.random.default_rng([seed, 10, list(NOISES).index(noise)])
    starts = np.array(CENTRE) + SPREAD * rng.standard_normal((sizes.tuning, 2))
    weights = 100.0 * rng.uniform(*NOISES[noise], (sizes.length, sizes.tuning))
    cells = grid(method)
    last = walk(method, cells, starts, weights)[-_LAST:]
    with np.errstate(all="ignore"):
        errors = np.mean(_expected(noise, last), axis=(0, 2))
    return cells[int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))]


def _expected(noise: str, x: np.ndarray) -> np.ndarray:
    """The expected loss at points along the last axis."""
    low, high = NOISES[noise]
    bend = x[..., 1] - x[..., 0] * x[..., 0]
    return np.asarray(50.0 * (low + high) * bend * bend + (1.0 - x[..., 0]) ** 2)


class _Notes:
    """A callback that keeps the iterates and ends the run where the loss is small enough."""

    def __init__(self, noise: str, points: list[np.ndarray], cap: int) -> None:
        self._noise, self._cap = noise, cap
        self.points = points
        self.arrived = False

    def __call__(self, seen: OptimizeResult) -> None:
        self.points.append(np.array(seen.x))
        self.arrived = bool(_expected(self._noise, seen.x) < TOLERANCE)
        if self.arrived or len(self.points) > self._cap:
            raise StopIteration


def descended(method: str, cell: Cell | None, noise: str, sizes: Sizes, run: list[int]) -> Path:
    """One run; start and noise are the same for every method that draws once a step.

    `run` is the seed and the number of the run; `cell` the rate and so on of SGD and Adam.
    """
    problem = StochasticRosenbrock(noise=NOISES[noise])
    x0 = np.array(CENTRE) + SPREAD * np.random.default_rng([*run, 1]).standard_normal(2)
    notes = _Notes(noise, [x0], sizes.cap)
    rng = np.random.default_rng([*run, 2])
    batch = 1 if NOISES[noise][0] < NOISES[noise][1] else None
    options: dict[str, Any] = {"gtol": 0.0, "maxiter": sizes.cap, "callback": notes, "rng": rng}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Negative curvature of the exact Hessian is a part of the experiment.
        warnings.simplefilter("ignore", CurvatureWarning)
        if method == BFGS:
            # Noise makes the line search give up: it begins anew where it stands.
            restarts = 0 if batch is None else sizes.cap
            tralgos.minimize_with_scipy(
                problem, x0, "BFGS", batch=batch, restarts=restarts, **options
            )
        else:
            tralgos.minimize(problem, x0, _made(method, cell, batch), **options)
    points = np.array(notes.points)
    with np.errstate(all="ignore"):
        return Path(points, _expected(noise, points), notes.arrived)


def _made(method: str, cell: Cell | None, batch: int | None) -> Any:
    common: dict[str, Any] = {"batch": batch, "second_order": False}
    if cell is not None and method == MOMENTUM:
        return tralgos.HeavyBall(rate=cell[0], momentum=cell[1], **common)
    if cell is not None:
        return tralgos.Adam(rate=cell[0], beta1=cell[1], beta2=cell[2], **common)
    if method == MARQUARDT:
        return tralgos.LevenbergMarquardt(scaling="marquardt", **common)
    if method == NEWTON:
        return tralgos.Newton(search="armijo", **common)
    return tralgos.CurveBall(lam=1.0, lam_rule="printed", **common)


def crossings(path: Path) -> int:
    """How often the path crosses the floor of the valley, v = u^2."""
    side = np.sign(path.points[:, 1] - path.points[:, 0] ** 2)
    side = side[side != 0.0]
    return int(np.sum(side[1:] != side[:-1]))
