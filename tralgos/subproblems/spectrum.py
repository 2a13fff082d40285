"""A quick upper bound on the largest eigenvalue of the pencil (H, M), with its evidence.

The orthonormal polynomial p_k of a Lanczos run satisfies |p_k(lambda) gamma| <= 1 for
every eigenvalue lambda, gamma being the component of the start along its
eigenvector (q_{k+1} = p_k(H) q_1 is a unit vector). Beyond the last Ritz value p_k
increases, so lambda_n lies below the point where p_k = 1/delta, unless |gamma| < delta
(van Dorsselaer, Hochstenbach and van der Vorst 2000). No convergence is needed:
after few steps the bound is loose, and a bound all the same.

In the space of a norm the start is M^-1 z with z normal, and the eigenvector v
of the pencil has ||v||_M = 1: the component is v'z / ||M^-1 z||_M, and
||v||_2 >= lambda_max(M)^{-1/2}.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tralgos.arrays import Array, standard_normal
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model

__all__ = ["Spectrum", "spectrum_bounds"]

#: Rounding of the Lanczos recurrence, in units of eps times the size of the pencil.
_ROUNDING = 64.0


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


def _beyond(diagonal: np.ndarray, off: np.ndarray, top: float, goal: float) -> float:
    """The t >= top with p_k(t) = goal, for the orthonormal Lanczos polynomials of T.

    ``off`` ends with beta_k > 0. Bisection on a polynomial that increases
    beyond the largest Ritz value `top`.
    """

    def reaches(t: float) -> bool:
        before, last, coupling = 0.0, 1.0, 0.0
        for a, b in zip(diagonal, off, strict=True):
            before, last = last, ((t - a) * last - coupling * before) / b
            coupling = b
            if last > 1e200:
                return True
        return last >= goal

    span = max(float(np.abs(diagonal).max()), float(off.max()))
    lo, width = top, span * 1e-3
    while not reaches(lo + width):
        lo, width = lo + width, 2.0 * width
    hi = lo + width
    for _ in range(30):
        middle = 0.5 * (lo + hi)
        lo, hi = (lo, middle) if reaches(middle) else (middle, hi)
    return hi


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
    diagonal, off = np.asarray(lanczos.alphas), np.asarray(lanczos.betas)
    T = np.diag(diagonal) + np.diag(off[:-1], 1) + np.diag(off[:-1], -1)
    ritz = np.linalg.eigvalsh(T)
    size = float(np.abs(ritz).max())
    top = float(ritz[-1])
    if not lanczos.invariant:
        component = _component(model, start, lanczos.start_norm, failure_probability)
        top = _beyond(diagonal, off, top, 1.0 / component)
    return Spectrum(float(ritz[0]), top + _ROUNDING * model.eps * size, size)


def _component(model: Model, start: Array, start_norm: float, failure_probability: float) -> float:
    """What the start's component along an eigenvector exceeds but for a `failure_probability`."""
    largest = model.norm.upper_eigenvalue()
    if largest is None:
        # z'Mz has the mean trace(M) >= lambda_max(M); ten times one sample of it is a
        # guess, not a bound, and enters through a logarithm.
        (square,) = model.fetch(model.dot(start, model.norm.apply(start)))
        largest = 10.0 * square
    # P(|v'z| < c) <= c sqrt(2/pi) / ||v||_2, and ||v||_2^2 >= 1/lambda_max(M).
    c = failure_probability * math.sqrt(math.pi / (2.0 * largest))
    return min(c / start_norm, 0.5)
