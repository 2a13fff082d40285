"""The rates of tralgos' Krylov solver, measured in products with H, beside the bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Verdict,
    in_roundings,
)
from theory_checks.claims.krylov.common import (
    PAPER,
    PLACE,
    edges,
    fewer_dimensions,
    instance_of,
    known,
    meaningful,
    nonzero_gradient,
    small_instances,
)
from theory_checks.claims.krylov.space import trust_region_minimiser
from theory_checks.claims.krylov.worst import sublinear_arrays
from theory_checks.precise import dot, norm, reals
from theory_checks.rates import factor, power
from tralgos.operators import DiagonalOperator

__all__ = ["Problem64", "claims", "gaps", "spread_out", "until"]

#: Condition numbers of A: two decades.
_KAPPAS = (20.0, 60.0, 200.0, 600.0, 2000.0)

#: Orders for the rate t^-2: two decades.
_ORDERS = (4, 10, 20, 50, 100, 200, 500)

#: Gaps over s*'As*/2 between which products are counted. Above, the multiplier is still far
#: off, and what the bound says of the first product depends on kappa by more than the rate.
_FROM, _TO = 1e-4, 1e-12

#: Curvatures: many more than products, or the space is soon all there is.
_N = 3000

#: The multiplier of the solution; the largest curvature is 1, so H is indefinite.
_LAMBDA = 0.25


@dataclass(frozen=True)
class Problem64:
    """A trust-region problem in float64 with its solution; H is diagonal.

    Attributes
    ----------
    hessian, gradient : array, shape (n,)
    curvatures, step : array, shape (n,)
        a and s*.
    multiplier : float
    """

    hessian: np.ndarray
    gradient: np.ndarray
    curvatures: np.ndarray
    step: np.ndarray
    multiplier: float

    def gap(self, s: np.ndarray) -> float:
        """Return q(s) - q(s*), without cancellation."""
        error = s - self.step
        bent = float(error @ (self.curvatures * error))
        return (bent - self.multiplier * float(error @ (s + self.step))) / 2.0

    @property
    def energy(self) -> float:
        """s*'As*/2."""
        return float(self.step @ (self.curvatures * self.step)) / 2.0


def spread_out(kappa: float, rng: np.random.Generator, n: int = _N) -> Problem64:
    """Draw a problem whose curvatures have a Chebyshev polynomial's extremes as their places.

    Each has the same share of s*'As* on average, as in the slowest problem, so that no
    part of the spectrum is done with early.
    """
    least = 1.0 / kappa
    angle = np.pi * (np.arange(n) + 0.5) / n
    a = (1.0 + least) / 2.0 - (1.0 - least) / 2.0 * np.cos(angle)
    s = rng.standard_normal(n) / np.sqrt(a)
    s /= np.linalg.norm(s)
    return Problem64(a - _LAMBDA, -a * s, a, s, _LAMBDA)


class _ReachedError(Exception):
    """Ends a solver from its callback."""


@dataclass
class _Watch:
    """Keeps the gap after each product, until it is below a target."""

    problem: Problem64
    target: float
    gaps: list[float] = field(default_factory=list)
    matvecs: list[int] = field(default_factory=list)

    def __call__(self, iterate: tralgos.InnerIterate) -> None:
        self.gaps.append(self.problem.gap(np.asarray(iterate.step)))
        self.matvecs.append(iterate.matvecs)
        if self.gaps[-1] <= self.target:
            raise _ReachedError


def until(problem: Problem64, target: float) -> tuple[list[int], list[float]]:
    """Return products and gaps of the Krylov solver, iteration by iteration, down to `target`."""
    watch = _Watch(problem, target)
    with suppress(_ReachedError):
        tralgos.solve_trs(
            DiagonalOperator(problem.hessian),
            problem.gradient,
            float(np.linalg.norm(problem.step)),
            method="krylov",
            certify="none",
            rtol=1e-15,
            callback=watch,
        )
    return watch.matvecs, watch.gaps


def gaps(problem: Problem64, order: int, *, radius: float = 1.0, method: Any = "krylov") -> float:
    """Return the gap of the Krylov solver with `order` iterations, and a product to measure it."""
    result = tralgos.solve_trs(
        DiagonalOperator(problem.hessian),
        problem.gradient,
        radius * float(np.linalg.norm(problem.step)),
        method=method,
        certify="none",
        rtol=1e-15,
        max_matvec=order + 1,
    )
    return problem.gap(np.asarray(result.step))


# --- how the products grow with kappa, and the factor ---------------------------------------


def _linear_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    rng = np.random.default_rng([seed, 2018])
    runs = 2 + level.value
    counts: list[list[float]] = []
    errors: list[list[float]] = []
    for kappa in _KAPPAS:
        found = []
        for _ in range(runs):
            problem = spread_out(kappa, rng)
            matvecs, seen = until(problem, _TO * problem.energy)
            first = next(k for k, gap in enumerate(seen) if gap <= _FROM * problem.energy)
            found.append(float(matvecs[-1] - matvecs[first]))
            if kappa == _KAPPAS[-1]:
                errors.append(seen[first:])
        counts.append(found)
    exponent = power(_KAPPAS, counts, rng)
    rate = factor(errors, rng)
    root = math.sqrt(_KAPPAS[-1])
    value, low, high = (-root * math.log(x) for x in (rate.value, rate.high, rate.low))
    return (
        Figure(
            "exponent in kappa of the products for eight digits of the gap",
            exponent.value,
            exponent.low,
            exponent.high,
            (0.45, 0.55),
            "1/2",
            (0.45, 0.55),
        ),
        Figure(
            "c in gap ~ exp(-c t/sqrt(kappa)), kappa = 2000",
            value,
            low,
            high,
            (3.9, 4.3),
            "4",
            (3.9, math.inf),
        ),
    )


def _sublinear_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    rng = np.random.default_rng([seed, 1992])
    found, shares = [], []
    for t in _ORDERS:
        a, gradient, _ = sublinear_arrays(t)
        step = np.divide(-gradient, a, out=np.zeros_like(a), where=a > 0.0)
        gap = gaps(Problem64(a, gradient, a, step, 0.0), t)
        found.append([gap])
        shares.append(8.0 * (t + 0.5) ** 2 * gap)
    exponent = power([t + 0.5 for t in _ORDERS], found, rng)
    return (
        Figure(
            "exponent of the gap in t + 1/2 on the slowest convex problems",
            exponent.value,
            exponent.low,
            exponent.high,
            (-2.01, -1.99),
            "-2",
            (-2.01, -1.99),
        ),
        Figure(
            "8 (t + 1/2)^2 gap/(spread ||s*||^2) there, from the smallest to the largest",
            shares[-1],
            min(shares),
            max(shares),
            (0.999, 1.001),
            "at most 32 by the published constant 4, at most 6 by 3/4",
            (0.999, 1.001),
        ),
    )


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    return (*_linear_figures(level, seed), *_sublinear_figures(level, seed))


# --- that the solver's steps are the minimisers that the bounds speak of ---------------------


def _problem64(instance: Instance) -> Problem64:
    a, s = np.array(instance["curvatures"], dtype=float), np.array(instance["step"], dtype=float)
    multiplier = float(instance["multiplier"])
    return Problem64(a - multiplier, -a * s, a, s, multiplier)


def _solver_margins(
    instance: Instance, *, fewer: int = 0, radius: float = 1.0, method: Any = "krylov"
) -> Margins:
    """The solver's q(s) against the exact minimiser over the space of as many products.

    Without evidence on the curvature the solver may end before the budget does: so its
    own count decides on the space. H and g are rounded from the curvatures; what that
    does to q is among the roundings that are granted, by the sizes of the terms.
    """
    data, t = known(instance), int(instance["t"])
    problem = _problem64(instance)
    result = tralgos.solve_trs(
        DiagonalOperator(problem.hessian),
        problem.gradient,
        radius * float(np.linalg.norm(problem.step)),
        method=method,
        certify="none",
        rtol=1e-15,
        max_matvec=t - fewer + 1,
    )
    order = max(result.matvecs - 1, 0) + fewer
    exact = trust_region_minimiser(data.problem, order)
    s = reals(float(x) for x in result.step)
    h, g = data.problem.spectrum, data.problem.gradient
    found = dot(g, s) + dot([x * y for x, y in zip(h, s, strict=True)], s) / 2
    best = dot(g, exact) + dot([x * y for x, y in zip(h, exact, strict=True)], exact) / 2
    r = data.problem.radius
    size = max(abs(x) for x in h) * r * r + norm(g) * r
    return {
        "no worse than the minimiser over the space": in_roundings(best - found, size),
        "no better than it": in_roundings(found - best, size),
    }


def _solver_strategy() -> SearchStrategy[Instance]:
    return small_instances().flatmap(
        lambda i: st.integers(1, len(i["step"])).map(lambda t: {**i, "t": t})
    )


def _solver_edges() -> Iterable[Instance]:
    yield from (i for i in edges() if i["t"] <= len(i["step"]))
    # Where Steihaug's path leaves the ball, it is not done.
    yield instance_of([1.0, 3.0], [1.0, 1.0], 0.5, 2)
    # The second space is not reached: the estimate is below the tolerance before.
    yield instance_of([1e-4, 1.0], [1e-4, 1.0], 0.0, 2)


def _solver() -> Claim:
    printed = Form(
        "when t + 1 products are spent, one of them on the step itself, q(s) of tralgos' solver is "
        "that of the minimiser over the t-th Krylov space, to rounding; the products grow like the "
        "root of kappa, the gap falls like exp(-4t/sqrt(kappa)), and on the slowest problems like "
        "t^-2",
        r"q(s_t) = \min_{s \in K_t,\ \|s\| \le r} q(s),\quad t \sim \sqrt\kappa,\quad "
        r"q(s_t) - q^* \sim e^{-4t/\sqrt\kappa}",
        (
            meaningful(),
            nonzero_gradient(),
            Condition(
                "t <= n",
                r"t \le n",
                lambda i: i["t"] <= len(i["step"]),
                kept="the n-th space is the last",
            ),
        ),
        _solver_strategy,
        _solver_margins,
        _solver_edges,
        reduce=fewer_dimensions,
        sabotage=(
            Sabotage("one product less", lambda i: _solver_margins(i, fewer=1)),
            Sabotage("a radius a hundredth too large", lambda i: _solver_margins(i, radius=1.01)),
            Sabotage("Steihaug's step", lambda i: _solver_margins(i, method="steihaug")),
        ),
        effort=40,
    )
    return Claim(
        "krylov/solver-rates",
        "the rates of tralgos' Krylov solver, in products",
        PAPER,
        PLACE,
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="Diagonal problems of 3000 dimensions with the places of a Chebyshev polynomial's "
        "extremes as curvatures, lambda* = 1/4, so that H is indefinite.",
        proof="docs/krylov-rates.md for the rates.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_solver(),)
