"""References on the host: float64, NumPy, dense, and nothing of tralgos in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

__all__ = ["difference", "model_value", "trust_region_step"]

Vector = NDArray[np.float64]


def trust_region_step(H: Vector, g: Vector, radius: float) -> Vector:
    """The minimiser of g's + s'Hs/2 over ||s|| <= radius, by all eigenvalues; not the hard case."""
    values, vectors = np.linalg.eigh(H)
    c = vectors.T @ g
    size = max(1.0, float(np.abs(values).max()))

    def excess(shift: float) -> float:
        return float(1.0 / np.linalg.norm(c / (values + shift)) - 1.0 / radius)

    low = max(0.0, -float(values[0]))
    if values[0] > 0.0 and excess(0.0) >= 0.0:
        return np.asarray(-vectors @ (c / values))
    low += 0.0 if values[0] > 0.0 else 1e-14 * size
    high = low + size + float(np.linalg.norm(g)) / radius
    # A function of the shift that rises, is concave and nearly straight.
    shift = brentq(excess, low, high, xtol=1e-15 * size, rtol=8.9e-16, maxiter=500)
    return np.asarray(-vectors @ (c / (values + shift)))


def model_value(H: Vector, g: Vector, s: Vector) -> float:
    """g's + s'Hs/2."""
    return float(g @ s + 0.5 * s @ (H @ s))


def difference(found: Vector, reference: Vector) -> float:
    """The largest difference over the largest entry of the reference."""
    size = float(np.max(np.abs(reference)))
    return float(np.max(np.abs(np.asarray(found, dtype=np.float64) - reference))) / size
