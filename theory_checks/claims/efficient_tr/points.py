"""Instances built backwards: a point, a multiplier and a spectrum are drawn, and g is
what makes the point stationary. All numbers are rational, so that margins are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Condition,
    Dropped,
    Instance,
)
from theory_checks.claims.efficient_tr.bulk import dual_minimum, norms, row_dots, unit_vectors
from theory_checks.claims.efficient_tr.common import unit_vector
from theory_checks.precise import exact
from theory_checks.strategies import vectors

__all__ = [
    "ON_SPHERE",
    "complementary",
    "drawn_points",
    "excess",
    "feasible",
    "gradient_of",
    "inner_product",
    "point",
    "point_row",
    "points_in_bulk",
    "size_of",
    "stationary",
    "stationary_instances",
    "step_of",
    "value_at",
]


def inner_product(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Return the inner product, exactly."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def step_of(instance: Instance) -> list[Fraction]:
    """Return s, of the length and direction of the instance."""
    length = Fraction(instance["length"])
    return [length * u for u in unit_vector(instance["tangents"])]


def gradient_of(instance: Instance) -> list[Fraction]:
    """Return the g that makes the step stationary with the multiplier, plus the residual."""
    shift = Fraction(instance["multiplier"])
    residual = exact(instance.get("residual", [0.0] * len(instance["eigenvalues"])))
    spectrum = exact(instance["eigenvalues"])
    return [
        r - (h + shift) * s for h, s, r in zip(spectrum, step_of(instance), residual, strict=True)
    ]


def value_at(instance: Instance, step: Sequence[Fraction]) -> Fraction:
    """Return q(step)."""
    spectrum = exact(instance["eigenvalues"])
    curved = sum((h * s * s for h, s in zip(spectrum, step, strict=True)), Fraction(0))
    return inner_product(gradient_of(instance), step) + curved / 2


def size_of(instance: Instance) -> float:
    """Return the size of the terms of q on the unit ball."""
    largest = max(abs(h) for h in instance["eigenvalues"])
    return float(largest) + float(sum(abs(g) for g in gradient_of(instance)))


def stationary_instances(
    multipliers: SearchStrategy[float], lengths: SearchStrategy[float], **extra: Any
) -> SearchStrategy[Instance]:
    """Draw instances of order 1 to 3, with the records that `extra` makes for each order."""

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        more = {key: make(n) for key, make in extra.items()}
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n).map(sorted),
                "tangents": vectors(n - 1, 4.0),
                "length": lengths,
                "multiplier": multipliers,
                **more,
            }
        )

    # Built once: a strategy that is built anew for each draw is validated anew.
    return st.one_of([of_dimension(n) for n in (1, 2, 3)])


def point(
    eigenvalues: list[float],
    multiplier: float,
    tangents: list[float],
    length: float = 1.0,
    **extra: Any,
) -> Instance:
    """Return the record of one point."""
    return {
        "eigenvalues": eigenvalues,
        "tangents": tangents,
        "length": length,
        "multiplier": multiplier,
        **extra,
    }


def drawn_points(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Draw points of the unit sphere with spectra and multipliers of either sign."""
    n = int(rng.integers(2, 4))
    spectra = rng.uniform(-4.0, 4.0, (size, n))
    spectra[::4] = np.round(spectra[::4])
    return {
        "eigenvalues": np.sort(spectra, axis=1),
        "tangents": rng.standard_normal((size, n - 1)) * 2.0,
        "multiplier": rng.uniform(-4.0, 8.0, size),
    }


def point_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    """Return one row as an instance on the unit sphere."""
    return {**{name: array[row].tolist() for name, array in arrays.items()}, "length": 1.0}


def points_in_bulk(xp: Any, arrays: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return steps, gradients, and the sizes of the terms of q, in float64."""
    step = unit_vectors(xp, arrays["tangents"])
    gradient = -(arrays["eigenvalues"] + arrays["multiplier"][:, None]) * step
    size = xp.max(xp.abs(arrays["eigenvalues"]), axis=1) + norms(xp, gradient) + 1e-3
    return step, gradient, size


def excess(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """Return (f(s) - min f) over the size of its terms, in float64."""
    step, gradient, size = points_in_bulk(xp, arrays)
    value = row_dots(xp, gradient + 0.5 * arrays["eigenvalues"] * step, step)
    return (value - dual_minimum(xp, arrays["eigenvalues"], gradient)) / size


ON_SPHERE = Condition(
    "on the sphere",
    r"\|s\| = 1",
    lambda i: i["length"] == 1,
    kept="Inside the ball a stationary point has no multiplier of its own: that is Lemma 1's case.",
)


def feasible(dropped: Dropped | None = None, *, kept: str = "") -> Condition:
    """||s|| <= 1."""
    return Condition("feasible", r"\|s\| \le 1", lambda i: 0 <= i["length"] <= 1, dropped, kept)


def complementary(dropped: Dropped | None = None) -> Condition:
    """lambda (1 - ||s||^2) = 0."""
    return Condition(
        "complementary slackness",
        r"\lambda (1 - \|s\|^2) = 0",
        lambda i: i["multiplier"] == 0 or i["length"] == 1,
        dropped,
    )


def stationary(dropped: Dropped | None = None) -> Condition:
    """(H + lambda I)s + g = 0."""
    return Condition(
        "gradient condition",
        r"(H + \lambda I)s + g = 0",
        lambda i: not any(i.get("residual", ())),
        dropped,
    )
