"""Convex quadratics for the claims on Theorem A.1, and whether Algorithm 1 solves them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Instance, Margins, fact
from theory_checks.claims.curveball.common import (
    Step,
    component,
    inside,
    point_rows,
    quarters,
    radius_rows,
    roots,
)
from theory_checks.precise import exact, real
from theory_checks.strategies import fractions_of_one

__all__ = [
    "above",
    "below",
    "boundary_slack",
    "goes_to_a_minimiser",
    "in_range",
    "instance_of",
    "is_convex",
    "quadratic_rows",
    "quadratics",
    "scaled",
    "solved_margins",
    "steps_forward",
]


def scaled(instance: Instance) -> list[Fraction]:
    """s = beta h, exactly."""
    beta = Fraction(instance["beta"])
    return [beta * h for h in exact(instance["eigenvalues"])]


def in_range(instance: Instance) -> bool:
    """Whether b lies in the range of H: f is bounded below."""
    pairs = zip(instance["eigenvalues"], instance["b"], strict=True)
    return all(h != 0 or b == 0 for h, b in pairs)


def below(instance: Instance, s: list[Fraction]) -> bool:
    """Whether rho < 1 + s for each of the s."""
    return all(Fraction(instance["rho"]) < 1 + value for value in s)


def above(instance: Instance) -> bool:
    """Whether 3/2 beta h - 1 < rho for each eigenvalue."""
    return all(3 * s / 2 - 1 < Fraction(instance["rho"]) for s in scaled(instance))


def goes_to_a_minimiser(instance: Instance, step: Step = component) -> bool:
    """Whether the iterates do from every start with z_0 = 0, by the roots of the step.

    A component with h = 0 and b = 0 stays; one with b != 0 has no minimiser.
    """
    rho = real(instance["rho"])
    for h, b in zip(instance["eigenvalues"], instance["b"], strict=True):
        if h == 0 and b != 0:
            return False
        s = real(instance["beta"]) * real(h)
        if h != 0 and not all(inside(root) for root in roots(s, rho, step)):
            return False
    return True


def instance_of(
    h: list[float], beta: float, rho: float, b: list[float] | None = None, start: float = 1.0
) -> Instance:
    """The record of a quadratic, a start and a pair; b = 0 unless given."""
    return {
        "eigenvalues": h,
        "b": b or [0.0] * len(h),
        "start": [start] * len(h),
        "beta": beta,
        "rho": rho,
    }


def quadratics(**fixed: SearchStrategy[Any]) -> SearchStrategy[Instance]:
    """Draw convex quadratics in one to three dimensions, with beta and rho."""

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        def vectors(low: float, high: float) -> SearchStrategy[list[float]]:
            return st.lists(quarters(low, high), min_size=n, max_size=n)

        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(0.0, 4.0),
                "b": st.one_of(st.just([0.0] * n), vectors(-2.0, 2.0)),
                "start": vectors(-2.0, 2.0),
                "beta": st.one_of(quarters(0.25, 2.0), fractions_of_one()),
                "rho": st.one_of(quarters(-1.0, 2.0), fractions_of_one()),
                **fixed,
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def is_convex(instance: Instance) -> bool:
    """Whether no eigenvalue is negative."""
    return all(h >= 0 for h in instance["eigenvalues"])


def steps_forward(instance: Instance) -> bool:
    """Whether beta > 0."""
    return bool(instance["beta"] > 0)


def solved_margins(instance: Instance, step: Step = component) -> Margins:
    """That there is a minimiser, and that Algorithm 1 goes to one from every start."""
    return {
        "f has a minimum": fact(in_range(instance)),
        "the iterates go to a minimiser": fact(goes_to_a_minimiser(instance, step)),
    }


def quadratic_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Draw convex quadratics of one dimension, itself drawn, with pairs at the ends of (39)."""
    s, rho = point_rows(rng, size)
    beta = 2.0 ** rng.integers(-2, 2, size)
    n = int(rng.integers(1, 4))
    h = rng.integers(0, 17, (size, n)) / 4
    # s is the product of beta with one of them.
    h[:, 0] = s / beta
    return {
        "eigenvalues": h,
        "b": np.zeros((size, n)),
        "start": np.ones((size, n)),
        "beta": beta,
        "rho": rho,
    }


def boundary_slack(xp: Any, s: Any, rho: Any) -> Any:
    """How far the radius of a component is from 1, negative where (39) has it otherwise."""
    claimed = (1.5 * s - 1.0 < rho) & (rho < 1.0 + s)
    r = radius_rows(xp, s, rho)
    off = xp.abs(1.0 - r)
    agree = (claimed == (r < 1.0)) | (off < 1e-7)
    return xp.where(agree, off, -off)
