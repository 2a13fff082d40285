"""The protocol of CurveBall's table 1: problems, start points, and when a run has arrived.

The paper says "iterates taken to reach the solution, with a tolerance of 1e-4" and little more;
what is open has a field in :class:`Protocol`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.problems import Problem, StochasticRosenbrock, rahimi_recht

__all__ = [
    "ADAM",
    "BFGS",
    "COLUMNS",
    "CURVEBALL",
    "EXACT",
    "FITTED",
    "LINEAR",
    "MARQUARDT",
    "MOMENTUM",
    "NOISES",
    "PAPER",
    "PLAIN",
    "ROWS",
    "TEXTBOOK",
    "Case",
    "Protocol",
    "case",
]

PLAIN, LINEAR = "Rosenbrock", "Rahimi-Recht"
NOISES = {PLAIN: (1.0, 1.0), "U[0, 1]": (0.0, 1.0), "U[0, 3]": (0.0, 3.0)}
COLUMNS = (*NOISES, LINEAR)

MOMENTUM, ADAM, MARQUARDT = "SGD + momentum", "Adam", "Levenberg-Marquardt"
BFGS, EXACT, CURVEBALL = "BFGS", "exact Hessian", "CurveBall"
ROWS = (MOMENTUM, ADAM, MARQUARDT, BFGS, EXACT, CURVEBALL)

#: Means and standard deviations, as they are printed.
PAPER = {
    MOMENTUM: ((370.0, 40.0), (846.0, 217.0), (4069.0, 565.0), (95.0, 2.0)),
    ADAM: ((799.0, 160.5), (1290.0, 476.0), (2750.0, 257.0), (95.0, 5.0)),
    MARQUARDT: ((16.0, 4.0), (14.0, 3.0), (17.0, 4.0), (9.0, 4.0)),
    BFGS: ((19.0, 4.0), (44.0, 21.0), (63.0, 29.0), (43.0, 21.0)),
    EXACT: ((14.0, 1.0), (10.0, 3.0), (17.0, 4.0), (9.0, 0.5)),
    CURVEBALL: ((13.0, 0.5), (12.0, 1.0), (13.0, 1.0), (35.0, 11.0)),
}

#: The textbook's start of Rosenbrock's function, and one from which the paper's rows come out.
TEXTBOOK, FITTED = (-1.2, 1.0), (-0.5, 0.0)

#: Half the side of the square.
_SQUARE = 2.0


@dataclass(frozen=True)
class Protocol:
    """What the paper leaves open about the problems and the stopping.

    Attributes
    ----------
    start : pair of float, or None
        Centre of the normal start points on Rosenbrock's functions; None: uniform in a square.
    spread : float
        Their deviation.
    tested : {"loss", "sample", "distance"}
        What has to fall below the tolerance: the expected loss, that of the sample that the
        method sees, or the distance from the solution, for linear layers that of the products.
    tolerance : float
    matrix, reduction : str
        Of the Rahimi-Recht problem; see :func:`tralgos.problems.rahimi_recht`.
    relative : bool
        Whether its losses are tested as shares of the loss at the start.
    """

    start: tuple[float, float] | None = FITTED
    spread: float = 0.1
    tested: str = "loss"
    tolerance: float = 1e-4
    matrix: str = "conditioned"
    reduction: str = "mean"
    relative: bool = True

    def first(self, rng: np.random.Generator) -> np.ndarray:
        """A start point on Rosenbrock's functions."""
        if self.start is None:
            return rng.uniform(-_SQUARE, _SQUARE, 2)
        return np.array(self.start) + self.spread * rng.standard_normal(2)

    @property
    def starts(self) -> str:
        """The start points in words."""
        if self.start is None:
            return f"uniform in [{-_SQUARE:g}, {_SQUARE:g}]^2"
        u, v = self.start
        return f"({u:g}, {v:g}) ± {self.spread:g}"


@dataclass(frozen=True)
class Case:
    """One run of a column, the same for every method.

    Attributes
    ----------
    problem : Problem
    x0 : array, shape (n,)
    batch : int or None
        1 where the problem is noisy.
    noise : sequence of int
        Seed of the noise.
    arrived : callable
        From a point and the loss that the method saw there.
    """

    problem: Problem
    x0: np.ndarray
    batch: int | None
    noise: tuple[int, ...]
    arrived: Callable[[np.ndarray, float], bool]


def case(column: str, protocol: Protocol, seed: int, run: int) -> Case:
    """Run number `run` of a column: a function of the seed and the number."""
    rng = np.random.default_rng([seed, 1, run])
    noise = (seed, 2, run)
    if column == LINEAR:
        return _linear(protocol, rng, noise)
    ends = NOISES[column]
    problem = StochasticRosenbrock(noise=ends)
    arrived = _reached(protocol, problem, protocol.tolerance, lambda x: x - 1.0)
    batch = 1 if ends[0] < ends[1] else None
    return Case(problem, protocol.first(rng), batch, noise, arrived)


def _linear(protocol: Protocol, rng: np.random.Generator, noise: tuple[int, ...]) -> Case:
    # The same losses from six samples in place of a thousand.
    problem = rahimi_recht(protocol.matrix, reduction=protocol.reduction, rng=rng).condensed()
    x0 = np.asarray(problem.initial(rng))
    scale = problem.value(x0) if protocol.relative and protocol.tested != "distance" else 1.0

    def apart(x: np.ndarray) -> Any:
        first, second = problem.weights(x)
        return second @ first - problem.A

    arrived = _reached(protocol, problem, scale * protocol.tolerance, apart)
    return Case(problem, x0, None, noise, arrived)


def _reached(
    protocol: Protocol,
    problem: Problem,
    tolerance: float,
    apart: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, float], bool]:
    if protocol.tested == "distance":
        return lambda x, seen: bool(np.linalg.norm(apart(x)) < tolerance)
    if protocol.tested == "sample":
        return lambda x, seen: seen < tolerance
    return lambda x, seen: problem.value(x) < tolerance
