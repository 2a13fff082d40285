"""The runs of figure 1: first-order methods on three quadratics in the plane, and their rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import tralgos
from tralgos import Adagrad, GradientDescent
from tralgos.errors import NotPositiveDefiniteError
from tralgos.norms import AdagradNorm, EuclideanNorm, Norm
from tralgos.problems import Quadratic, quadratic_with_spectrum

__all__ = [
    "DIAGONAL",
    "EPSILON",
    "FULL",
    "GRADIENT",
    "LANDSCAPES",
    "METHODS",
    "PLAIN",
    "RULES",
    "SPREAD",
    "STEEP",
    "TILTED",
    "Bench",
    "Landscape",
    "Path",
    "Rule",
    "Sizes",
]

GRADIENT, DIAGONAL, FULL = "gradient descent", "diagonal Adagrad", "full Adagrad"

#: Adagrad's multiple of the identity, in squared units of the gradient: next to nothing.
EPSILON = 1e-10

#: Standard deviation of each coordinate of a start.
SPREAD = 4.0

#: Suboptimalities below this are taken for it; no run comes near.
_FLOOR = 1e-300

METHODS: Mapping[str, Callable[[float], Any]] = {
    GRADIENT: lambda rate: GradientDescent(rate=rate),
    DIAGONAL: lambda rate: Adagrad(rate=rate, epsilon=EPSILON),
    FULL: lambda rate: Adagrad(rate=rate, epsilon=EPSILON, kind="full"),
}


@dataclass(frozen=True)
class Landscape:
    """x'Hx/2 with eigenvalues 1 (along the first axis, turned by `angle`) and kappa."""

    name: str
    kappa: float
    angle: float = 0.0

    def problem(self) -> Quadratic:
        """The function; its minimum is 0, at 0."""
        return quadratic_with_spectrum([1.0, self.kappa], rotation=self.angle)

    def turn(self) -> np.ndarray:
        """The eigenvectors as columns, that of 1 first."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]])


PLAIN, STEEP, TILTED = "kappa 2", "kappa 20", "tilted 20"
LANDSCAPES = (
    Landscape(PLAIN, 2.0),
    Landscape(STEEP, 20.0),
    Landscape(TILTED, 20.0, math.pi / 4.0),
)


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    iterations : int
    starts, tuning : int
        Starts that are judged, and others on which the rates are chosen.
    rates : int
        Rates in a decade, from 1e-2 to 1e2.
    """

    iterations: int
    starts: int
    tuning: int
    rates: int

    def grid(self) -> np.ndarray:
        """The rates that are tried."""
        return np.logspace(-2.0, 2.0, 4 * self.rates + 1)


@dataclass(frozen=True)
class Rule:
    """How the rates are chosen.

    Attributes
    ----------
    name : str
    bounded : bool
        Only rates with which the mean log suboptimality is never above that of the start.
    common : bool
        One rate of a method for all problems, best on their average.
    share : float
        The part of the iterations after which a rate is judged.
    factor : float
        What the chosen rate is multiplied with afterwards.
    """

    name: str
    bounded: bool = True
    common: bool = False
    share: float = 1.0
    factor: float = 1.0


#: The first is the one the figure is made with.
RULES = (
    Rule("best, never above the start"),
    Rule("half of those", factor=0.5),
    Rule("judged after half the iterations", share=0.5),
    Rule("one for all problems", common=True),
    Rule("leaps above the start allowed", bounded=False),
)


@dataclass(frozen=True)
class Path:
    """One run in full.

    Attributes
    ----------
    points : array, shape (T + 1, 2)
    matrices : array, shape (T, 2, 2)
        A of the implicit region ||s||_A <= radius of each step.
    radii : array, shape (T,)
    """

    points: np.ndarray
    matrices: np.ndarray
    radii: np.ndarray


def _first_region(made: Any, gradient: np.ndarray) -> tuple[Norm, float]:
    """Lemma 1's region at the start, of which callbacks do not hear: its norm and radius."""
    norm: Norm = EuclideanNorm()
    if isinstance(made, Adagrad):
        rule = AdagradNorm(epsilon=made.epsilon, kind=made.kind)
        norm = rule.norm(rule.update(rule.init(like=gradient), gradient), power=0.5)
    return norm, float(made.rate * norm.dual_norm(gradient))


class Bench:
    """All runs of an experiment, each made once.

    Parameters
    ----------
    sizes : Sizes
    seed : int
        Of the starts, which are normal with the same deviation in all directions. On the
        tilted problem they are turned with it, so that problems 2 and 3 differ in nothing
        but the axes.
    """

    def __init__(self, sizes: Sizes, seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.sizes = sizes
        self.starts = SPREAD * rng.standard_normal((sizes.starts, 2))
        self._tuning = SPREAD * rng.standard_normal((sizes.tuning, 2))
        self._curves: dict[tuple[str, str, float, bool], np.ndarray] = {}
        self._problems = {place.name: place.problem() for place in LANDSCAPES}
        self._turns = {place.name: place.turn() for place in LANDSCAPES}

    def curves(self, place: str, method: str, rate: float, *, tuning: bool = False) -> np.ndarray:
        """log10 of f - f* at each iteration; a start a row, infinite where a run broke off."""
        key = (place, method, rate, tuning)
        if key not in self._curves:
            starts = self._tuning if tuning else self.starts
            made = METHODS[method](rate)
            self._curves[key] = np.array([self._curve(place, made, x) for x in starts])
        return self._curves[key]

    def rates(self, rule: Rule) -> dict[tuple[str, str], float]:
        """The rate of each problem and method, chosen on the tuning starts."""
        places = list(self._problems)
        chosen = {}
        for method in METHODS:
            scores = {place: self._scores(place, method, rule) for place in places}
            overall = np.sum(list(scores.values()), axis=0)
            for place in places:
                best = int(np.argmin(overall if rule.common else scores[place]))
                chosen[place, method] = rule.factor * float(self.sizes.grid()[best])
        return chosen

    def path(self, place: str, method: str, rate: float, start: np.ndarray) -> Path:
        """The iterates and regions of the run from a start, which is turned with the problem."""
        problem, made = self._problems[place], METHODS[method](rate)
        x0 = self._turns[place] @ start
        states: list[Any] = []

        def keep(seen: OptimizeResult) -> None:
            states.append(seen.state)

        limit = self.sizes.iterations
        tralgos.minimize(problem, x0, made, gtol=0.0, maxiter=limit, callback=keep)
        later = [made.implicit_region(state) for state in states[:-1]]
        regions = [_first_region(made, problem.gradient(x0))]
        regions += [(region.norm, region.radius) for region in later]
        return Path(
            np.array([x0, *(state.x for state in states)]),
            np.array([[norm.apply(axis) for axis in np.eye(2)] for norm, _ in regions]),
            np.array([radius for _, radius in regions]),
        )

    def turn(self, place: str) -> np.ndarray:
        """The eigenvectors as columns, that of 1 first."""
        return self._turns[place]

    def _curve(self, place: str, made: Any, start: np.ndarray) -> np.ndarray:
        count = self.sizes.iterations
        curve = np.full(count + 1, math.inf)
        try:
            run = tralgos.minimize(
                self._problems[place], self._turns[place] @ start, made, gtol=0.0, maxiter=count
            )
        except NotPositiveDefiniteError:
            # Leaps so far that epsilon is lost beside the squared gradients.
            return curve
        values = np.log10(np.maximum(run.trace.column("value"), _FLOOR))
        curve[: len(values)] = values
        if run.success:  # A gradient of exactly zero.
            curve[len(values) :] = values[-1]
        return curve

    def _scores(self, place: str, method: str, rule: Rule) -> np.ndarray:
        """The mean log suboptimality that each rate ends with; infinite where it may not serve."""
        end = max(1, round(rule.share * self.sizes.iterations))
        scores = []
        for rate in self.sizes.grid():
            mean = self.curves(place, method, float(rate), tuning=True).mean(axis=0)
            falls = bool(np.all(mean[1 : end + 1] <= mean[0]))
            scores.append(float(mean[end]) if falls or not rule.bounded else math.inf)
        return np.array(scores)
