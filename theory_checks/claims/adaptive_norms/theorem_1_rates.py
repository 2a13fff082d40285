"""Exponents of the number of iterations of Algorithm 1, measured on slow and ordinary functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

import tralgos
from theory_checks.claim import Figure, Level
from theory_checks.claims.adaptive_norms.algorithm_1 import (
    Algorithm,
    NormRule,
    Objective,
    adagrad,
    fixed,
    floats,
    rmsprop,
    run,
)
from theory_checks.claims.adaptive_norms.theorem_1_functions import (
    Quadratic,
    Ridge,
    Rosenbrock,
    Staircase,
    Valley,
    valley_cells,
)
from theory_checks.claims.adaptive_norms.theorem_1_mixed import per_unit
from theory_checks.rates import Interval, power

__all__ = ["exponents", "ridge_run", "staircase_run", "valley_run", "whole_count"]

#: 1/4, 1/8, ..., 1/512, over two decades: all points of a run are exact in float64.
_SCALES = tuple(2.0**-k for k in range(2, 10))
_INVERSE = tuple(1 / eps for eps in _SCALES)

#: An order is about the limit: what is granted to an exponent that is fitted.
_GRANTED = 0.02

#: Accuracies for ordinary functions: eight decades.
_DECADES = tuple(10.0**-k for k in range(9))

#: What is printed of the orders.
_PAPER = "O(max{eps_g^-2 eps_H^-1, eps_H^-3})"

#: Iterations that no run here comes to.
_LIMIT = 10**7


def _norms(n: int) -> dict[str, NormRule]:
    # The roots of 1/4 and 1 are exact, and gradients of zero leave nothing else in A.
    return {"uniform": fixed([1.0] * n), "RMSProp": rmsprop(0.9, 0.25), "Adagrad": adagrad(1.0)}


def _count(
    objective: Objective, start: Sequence[float], rule: NormRule, algorithm: Algorithm
) -> int:
    return len(run(algorithm, objective, start, rule, floats(), limit=_LIMIT).rows)


def valley_run(eps: float, rule: NormRule, eps_H: float = 0.5) -> Callable[[int], int]:
    """Return the iterations on a valley of slope `eps` as a function of its cells."""
    algorithm = Algorithm(eps, eps_H, radius=4.0)

    def count(cells: int) -> int:
        valley = Valley(eps, cells)
        return _count(valley, valley.start, rule, algorithm)

    return count


def _valley(eps: float, rule: NormRule, longest: int, eps_H: float = 0.5) -> int:
    """On the valley along which L falls by one in all."""
    return whole_count(valley_cells(eps), valley_run(eps, rule, eps_H), longest)


def staircase_run(eps: float, rule: NormRule) -> Callable[[int], int]:
    """Return the iterations on a staircase of steps `eps` as a function of its cells."""
    algorithm = Algorithm(eps, eps, eta=0.75, radius=1.0)
    return lambda cells: _count(Staircase(eps, cells), [0.0], rule, algorithm)


def ridge_run(spread: float) -> Callable[[int], int]:
    """Return the same in the norm of diag(spread, 1) beside a curvature of -1 that it hides."""
    algorithm = Algorithm(1.0, 0.5, eta=0.75, radius=1.0)

    def count(cells: int) -> int:
        ridge = Ridge(1.0, Staircase(1 / spread, cells))
        return _count(ridge, [0.0, 0.0], fixed([spread, 1.0]), algorithm)

    return count


def whole_count(cells: int, count: Callable[[int], int], longest: int) -> int:
    """Count the iterations on `cells` cells, those beyond `longest` by what each cell takes.

    At the points of the lattice the run is in the same state but for the number of the cell
    and, on the valley, a norm and a radius that do not bind: so each cell takes as many
    iterations as the one before.
    """
    if cells <= longest:
        return count(cells)
    half = longest // 2
    few, more = count(half), count(longest)
    each, rest = divmod(more - few, longest - half)
    if rest:
        raise ArithmeticError("the cells must take equally many iterations")
    return more + each * (cells - longest)


def _slow(longest: int) -> Iterable[tuple[str, list[int], float, tuple[float, float]]]:
    """Name, counts over 1/eps, the exponent that the order allows, what is recorded."""
    for name, rule in _norms(2).items():
        counts = [_valley(eps, rule, longest) for eps in _SCALES]
        yield f"valley, {name}: exponent of 1/eps_g", counts, 2.0, (1.95, 2.05)
    plain = fixed([1.0, 1.0])
    coupled = [_valley(eps, plain, longest, math.sqrt(eps)) for eps in _SCALES]
    name = "valley, eps_H = eps_g^1/2: exponent of 1/eps_g"
    yield name, coupled, 2.5, (1.95, 2.05)
    for name, rule in _norms(1).items():
        counts = [whole_count(round(e**-3), staircase_run(e, rule), longest) for e in _SCALES]
        yield f"staircase, {name}: exponent of 1/eps_H", counts, 3.0, (2.95, 3.05)
    counts = [whole_count(round(k**3), ridge_run(k), longest) for k in _INVERSE]
    yield "ridge: exponent of kappa", counts, math.inf, (2.95, 3.05)


def _mixed() -> Iterable[tuple[str, list[float], list[float], float, tuple[float, float]]]:
    """Name, 1/eps, iterations for which L falls by one, with errors as Assumption 1 allows."""
    fine = [2.0**k for k in range(28, 38)]
    falls = [per_unit(1 / x, 2.0**-24) for x in fine]
    yield "track, g_t inexact: exponent of 1/eps_g", fine, falls, 2.0, (1.95, 2.05)
    bent = [2.0**k for k in range(19, 27)]
    falls = [per_unit(2.0**-30, 1 / x) for x in bent]
    yield "track, g_t inexact: exponent of 1/eps_H", bent, falls, 1.0, (0.95, 1.05)
    both = [2.0 ** (7 * j - 3) for j in range(2, 7)]
    falls = [per_unit(1 / x, 2.0 ** (-4 * j)) for j, x in enumerate(both, 2)]
    name = "track, g_t inexact, eps_H ~ eps_g^4/7: exponent of 1/eps_g"
    yield name, both, falls, 2 + 4 / 7, (2.5, 2.62)


def _ordinary() -> Iterable[tuple[str, list[int]]]:
    functions: tuple[tuple[str, Objective, list[float]], ...] = (
        ("Rosenbrock", Rosenbrock(), [-1.2, 1.0]),
        ("quadratic, kappa 1000", Quadratic(1000.0), [1.0, 1.0]),
    )
    for name, objective, start in functions:
        for norm, rule in _norms(2).items():
            counts = [
                _count(objective, start, rule, Algorithm(eps, eps, radius=0.125))
                for eps in _DECADES
            ]
            yield f"{name}, {norm}: exponent of 1/eps", counts


def _library(eps: float) -> float:
    """Iterations of tralgos.TrustRegion over those of Algorithm 1 on the valley."""
    valley = Valley(eps, valley_cells(eps))
    problem = tralgos.problems.FunctionProblem(
        lambda x: valley.value(x.tolist()),
        lambda x: np.array(valley.gradient(x.tolist())),
        hess=lambda x: np.array(valley.hessian(x.tolist())),
        start=np.array(valley.start),
    )
    method = tralgos.TrustRegion(rule="algorithm-1", subproblem="direct", radius=4.0)
    found = tralgos.minimize(problem, None, method, gtol=eps, maxiter=10**6)
    return float(found.nit) / valley_run(eps, fixed([1.0, 1.0]))(valley.cells)


def exponents(level: Level, seed: int) -> tuple[Figure, ...]:
    """Measure the exponents; at higher levels more of each run is run and not inferred."""
    rng = np.random.default_rng(seed)
    longest = {Level.QUICK: 256, Level.STANDARD: 4096, Level.FULL: 65536}[level]
    figures = []

    def figure(
        name: str,
        sizes: Sequence[float],
        counts: Sequence[float],
        most: float,
        expected: tuple[float, float],
    ) -> Figure:
        found: Interval = power(sizes, [[float(c)] for c in counts], rng)
        paper = "" if math.isinf(most) else _PAPER
        claimed = None if math.isinf(most) else (-math.inf, most + _GRANTED)
        return Figure(name, found.value, found.low, found.high, expected, paper, claimed)

    for name, counts, most, expected in _slow(longest):
        figures.append(figure(name, _INVERSE, counts, most, expected))
    for name, sizes, falls, most, expected in _mixed():
        figures.append(figure(name, sizes, falls, most, expected))
    for name, counts in _ordinary():
        inverse = [1 / eps for eps in _DECADES]
        figures.append(figure(name, inverse, counts, 3.0, (0.0, 0.25)))
    share = _library(2.0**-5)
    name = "valley: iterations of tralgos.TrustRegion over those of Algorithm 1"
    figures.append(Figure(name, share, share, share, (0.9, 1.1)))
    return tuple(figures)
