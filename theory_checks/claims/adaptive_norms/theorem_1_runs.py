"""Whole runs of Algorithm 1 with what their number of iterations is bounded by."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from theory_checks.claim import Instance, Margins, in_roundings
from theory_checks.claims.adaptive_norms.algorithm_1 import (
    Algorithm,
    Arithmetic,
    Objective,
    Run,
    fixed,
    floats,
    many_digits,
    rmsprop,
    run,
)
from theory_checks.claims.adaptive_norms.theorem_1_constants import Constants
from theory_checks.claims.adaptive_norms.theorem_1_functions import (
    Staircase,
    Valley,
    Waves,
    staircase_constants,
    valley_constants,
)
from theory_checks.precise import Real, precise, real, reals

__all__ = [
    "LONGEST",
    "bound_of",
    "constants_of",
    "global_run",
    "run_margins",
    "whole",
]

#: Iterations that a bound may allow.
LONGEST = 6000


@dataclass(frozen=True)
class Problem:
    """A function, where it is started, and what is known of it."""

    objective: Objective
    start: list[float]
    budget: float
    hessian: float
    lipschitz: float
    gradient: float


def whole(function: Any = "waves", **changed: Any) -> Instance:
    """Return an instance: exact derivatives, the Euclidean norm, unless said otherwise."""
    return {
        "function": function,
        "sizes": [1.0],
        "waves": [1.0],
        "start": [0.0],
        "angle": 0.0,
        "scale": 1.0,
        "cells": 4,
        "bend": 8.0,
        "rule": "uniform",
        "spread": 4.0,
        "beta": 0.5,
        "epsilon": 1.0,
        "gradient error": 0.0,
        "hessian error": 0.0,
        "claimed lipschitz": 1.0,
        "claimed budget": 1.0,
        "eps_g": 0.5,
        "eps_H": 0.5,
        "eta": 0.25,
        "nu": 0.9375,
        "gamma": 2.0,
        "radius": 1.0,
        "side": "lower",
        **changed,
    }


def _waves(i: Instance, context: Any) -> Problem:
    number = float if context is math else real
    sizes, waves = i["sizes"], i["waves"]
    objective = Waves(
        [number(c) for c in sizes], [number(k) for k in waves], number(i["angle"]), context
    )
    terms = list(zip(sizes, waves, strict=True))
    first = float(Waves(sizes, waves, i["angle"]).value(i["start"]))
    return Problem(
        objective,
        i["start"],
        # Both ends are of the order of the sizes: a rounding of it is granted.
        (1 + 1e-12) * sum(abs(c) for c in sizes) + first,
        max(abs(c) * k * k for c, k in terms),
        max(abs(c * k**3) for c, k in terms),
        math.hypot(*(c * k for c, k in terms)),
    )  # fmt: skip


def _problem(i: Instance, context: Any) -> Problem:
    eps, cells = i["scale"], int(i["cells"])
    if i["function"] == "waves":
        return _waves(i, context)
    if i["function"] == "staircase":
        stairs = Staircase(eps, cells, i["bend"], context)
        known = staircase_constants(eps, i["bend"])
        return Problem(stairs, [0.0], stairs.budget, *known, (2 + i["bend"]) * eps**2)
    valley = Valley(eps, cells, context)
    # h' is at most 3/2, and the drift's slope at most 2 eps^2.
    size = math.hypot(1.5, 4 * eps + 2 * eps**2)
    return Problem(valley, valley.start, valley.budget, *valley_constants(eps), size)


def _eigenvalues(i: Instance, largest_gradient: float) -> tuple[Real, Real]:
    """Bounds on those of all A_t, for gradients within a bound."""
    if i["rule"] == "uniform":
        return real(1.0), real(1.0)
    if i["rule"] == "alternating":
        spread = real(i["spread"]) if len(_problem(i, math).start) > 1 else real(1.0)
        return min(spread, 1), max(spread, 1)
    epsilon = real(i["epsilon"])
    return epsilon, epsilon + real(largest_gradient) ** 2


def _tolerances(i: Instance, problem: Problem) -> tuple[Real, Real, Real, Real]:
    """delta_g and delta_H as amended, and the bounds on the eigenvalues of all A_t."""
    gap = 1 - real(i["eta"])
    largest = problem.gradient + i["gradient error"] * i["eps_g"]
    low, high = _eigenvalues(i, largest)
    first = gap * real(i["eps_g"]) * precise().sqrt(low / high) / 4
    second = min(gap * real(i["nu"]) * real(i["eps_H"]) * low / (2 * high), real(1))
    return first, second, low, high


def constants_of(i: Instance) -> tuple[Constants, Problem]:
    """The constants of a run, and its function."""
    problem = _problem(i, math)
    _, second, low, high = _tolerances(i, problem)
    constants = Constants(
        low,
        high,
        max(real(problem.hessian) + second, real(i["eps_H"])),
        problem.lipschitz * i["claimed lipschitz"],
        i["eta"],
        # The eigenpoint is exact here, and nu what is granted to the Hessian.
        i["nu"],
        i["eps_g"],
        i["eps_H"],
        i["gamma"],
        exact_gradient=i["gradient error"] == 0.0,
    )
    return constants, problem


def bound_of(i: Instance) -> Real:
    """The bound on the number of iterations."""
    constants, problem = constants_of(i)
    return constants.count(i["radius"], problem.budget * i["claimed budget"])


def global_run(
    i: Instance,
    limit: int,
    *,
    exactly: bool = False,
    broken: dict[str, Any] | None = None,
    least: float = 0.0,
) -> Run:
    """Run the instance in float64, or at the digits of the oracles.

    A run whose radius falls below `least` is given up.
    """
    context = precise() if exactly else math
    arithmetic: Arithmetic = many_digits() if exactly else floats()
    problem = _problem(i, context)
    first, second, _, _ = (arithmetic.number(x) for x in _tolerances(i, _problem(i, math)))
    shift, bend = i["gradient error"] * first, i["hessian error"] * second

    def approximations(
        t: int, gradient: list[Real], hessian: list[list[Real]]
    ) -> tuple[list[Real], list[list[Real]]]:
        sign = 1 - 2 * (t % 2)
        moved = [g + (sign * shift if k == 0 else 0) for k, g in enumerate(gradient)]
        bent = [
            [h + (sign * bend if j == k else 0) for k, h in enumerate(row)]
            for j, row in enumerate(hessian)
        ]
        return moved, bent

    n = len(problem.start)
    spread = i["spread"] if n > 1 else 1.0
    rules = {
        "uniform": fixed([1.0] * n),
        "alternating": fixed([1.0] * (n - 1) + [spread], [spread] + [1.0] * (n - 1)),
        "rmsprop": rmsprop(i["beta"], i["epsilon"]),
    }
    algorithm = Algorithm(i["eps_g"], i["eps_H"], i["eta"], i["gamma"], i["radius"], i["side"])
    return run(
        replace(algorithm, **(broken or {})),
        problem.objective,
        problem.start,
        rules[i["rule"]],
        arithmetic,
        limit=limit,
        approximations=approximations,
        least=least,
    )


def run_margins(
    i: Instance, allowed: Real, *, exactly: bool = False, broken: dict[str, Any] | None = None
) -> Margins:
    """The number of iterations, what each step takes off, the radii, and the end."""
    constants, problem = constants_of(i)
    eta, least = real(i["eta"]), constants.least_radius(i["radius"])
    limit = int(allowed) + 1
    found = global_run(i, limit, exactly=exactly, broken=broken, least=float(least) / 2)
    scale = abs(problem.budget) + max(map(abs, i["sizes"]), default=0.0)
    margins = {"iterations": in_roundings(allowed - len(found.rows), 1)}
    steps = [
        row.actual - eta * constants.decrease(row.radius, curved=row.curved)
        for row in found.rows
        if row.taken
    ]
    if steps:
        margins["what each step is worth"] = in_roundings(min(steps), scale)
    if found.rows:
        shortest = min(row.radius for row in found.rows)
        margins["the radius"] = in_roundings(shortest - least, least)
    if found.ended:
        margins |= _at_the_end(i, problem, found)
    return margins


def _at_the_end(i: Instance, problem: Problem, found: Run) -> Margins:
    first, second, _, _ = _tolerances(i, problem)
    point = reals(found.point)
    there = _problem(i, precise()).objective
    size = precise().sqrt(sum(g * g for g in there.gradient(point)))
    lowest = many_digits().eigenpairs(there.hessian(point))[0][0]
    return {
        "gradient at the end": in_roundings(i["eps_g"] + first - size, 1 + size),
        "curvature at the end": in_roundings(lowest + i["eps_H"] + second, 1 + abs(lowest)),
    }
