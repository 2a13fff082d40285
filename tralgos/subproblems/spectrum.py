"""A quick upper bound on the largest eigenvalue of the pencil (H, M), with its evidence.

The bound of :mod:`tralgos.subproblems.polynomial_bound` on the mirrored pencil. No convergence
is needed: after few steps the bound is loose, and a bound all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tralgos.arrays import Array, standard_normal
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model
from tralgos.subproblems.polynomial_bound import (
    RECURRENCE_MULTIPLE,
    lanczos_lower_bound,
    random_component,
)
from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["Spectrum", "spectrum_bounds"]


@dataclass(frozen=True)
class Spectrum:
    """What a few Lanczos steps say of the pencil (H, M).

    Attributes
    ----------
    lower_ritz : float
        At least lambda_1: a Rayleigh quotient.
    upper_bound : float
        At least lambda_n, up to the failure probability.
    size : float
        Estimate of max |lambda_i|.
    """

    lower_ritz: float
    upper_bound: float
    size: float


def spectrum_bounds(
    model: Model, products: int, failure_probability: float, rng: np.random.Generator
) -> Spectrum:
    """Bounds on the pencil (H, M) from Lanczos steps with a random start.

    One product with H and one transfer a step, at most `products` of them. In
    float32 the failure probability can not be brought below about sqrt(n) eps,
    since rounding hides smaller components.
    """
    start = standard_normal(model.n, model.g, rng)
    lanczos = Lanczos(model, start, memory=16 * model.n)
    while lanczos.order < min(products, model.n) and not lanczos.invariant:
        lanczos.extend()
    T = lanczos.T
    mirrored = Tridiagonal(-T.diagonal, T.off_diagonal)
    low, high = T.leftmost_value(), mirrored.leftmost_value()
    component = random_component(
        failure_probability, _upper_eigenvalue(model, start), lanczos.start_norm
    )
    noise = RECURRENCE_MULTIPLE * model.eps * lanczos.size
    bound = lanczos_lower_bound(mirrored, lanczos.beta, high, component, noise)
    size = max(abs(low), abs(high))
    # In float32 rounding may hide a component this small: a bound all the same.
    top = -bound if math.isfinite(bound) else 2.0 * lanczos.size
    return Spectrum(low, top, size)


def _upper_eigenvalue(model: Model, start: Array) -> float:
    """A bound on lambda_max(M), or where none is known a guess that enters through a logarithm."""
    largest = model.norm.upper_eigenvalue()
    if largest is not None:
        return largest
    # z'Mz has the mean trace(M) >= lambda_max(M).
    (square,) = model.fetch(model.dot(start, model.norm.apply(start)))
    return 10.0 * square
