"""Problems by the thousand for the screens: drawn by NumPy, judged in any namespace.

A screen judges in float64 and only points at the suspicious; the margins decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from theory_checks.claim import Instance

__all__ = [
    "TINY",
    "drawn_problems",
    "dual_minimum",
    "norms",
    "plain_row",
    "row_dots",
    "unit_vectors",
]

#: Below the squares of all numbers drawn: keeps a quotient of zeros a number.
TINY = 1e-300


def _spectra(rng: np.random.Generator, size: int, n: int) -> np.ndarray:
    """Sorted rows: floats in [-4, 4], every fourth row of halves, so that some repeat."""
    spectra = rng.uniform(-4.0, 4.0, (size, n))
    spectra[::4] = np.round(2.0 * spectra[::4]) / 2.0
    spectra[np.max(np.abs(spectra), axis=1) == 0.0] = 1.0
    return np.sort(spectra, axis=1)


def drawn_problems(
    rng: np.random.Generator,
    size: int,
    *,
    smallest: int = 1,
    largest: int = 4,
    indefinite: bool = False,
) -> dict[str, np.ndarray]:
    """Draw spectra, gradients of scattered sizes, and alpha and fraction in (0, 1).

    Parameters
    ----------
    rng : numpy.random.Generator
        All rows of one call have the same order.
    size : int
        Rows.
    smallest, largest : int
        Between which the order is drawn.
    indefinite : bool
        Whether the leftmost eigenvalue is to be below -1/10.
    """
    n = int(rng.integers(smallest, largest + 1))
    spectra = _spectra(rng, size, n)
    if indefinite:
        spectra[:, 0] = -np.abs(spectra[:, 0]) - 0.1
        spectra.sort(axis=1)
    scales = 10.0 ** rng.uniform(-2.0, 1.0, (size, n))
    return {
        "eigenvalues": spectra,
        "gradient": rng.standard_normal((size, n)) * scales,
        "alpha": rng.uniform(0.02, 0.98, size),
        "fraction": rng.uniform(0.02, 0.98, size),
    }


def plain_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    """Return one row of every array as plain Python numbers."""
    return {name: array[row].tolist() for name, array in arrays.items()}


def row_dots(xp: Any, left: Any, right: Any) -> Any:
    """Return the inner products of the rows."""
    return xp.sum(left * right, axis=-1)


def norms(xp: Any, rows: Any) -> Any:
    """Return the Euclidean norms of the rows."""
    return xp.sqrt(xp.sum(rows * rows, axis=-1))


def unit_vectors(xp: Any, tangents: Any) -> Any:
    """Return the unit vectors of the rows' tangents (stereographic projection)."""
    square = xp.sum(tangents * tangents, axis=-1)[:, None]
    return xp.concatenate([1.0 - square, 2.0 * tangents], axis=1) / (1.0 + square)


def dual_minimum(xp: Any, eigenvalues: Any, gradient: Any, halvings: int = 48) -> Any:
    """Return a lower bound on the minimum over the unit ball, tight to about eight digits.

    The dual function ``-g'(H + lambda)^-1 g / 2 - lambda / 2`` at a lambda found by halving
    the interval ``[max(0, -lambda_1), max(0, -lambda_1) + ||g||]`` where its slope changes sign.
    """
    base = xp.maximum(0.0, -xp.min(eigenvalues, axis=1))
    low, high = xp.zeros_like(base), norms(xp, gradient)
    gaps = eigenvalues + base[:, None]
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        step = gradient / xp.maximum(gaps + middle[:, None], TINY)
        outside = row_dots(xp, step, step) > 1.0
        low, high = xp.where(outside, middle, low), xp.where(outside, high, middle)
    shifted = xp.maximum(gaps + high[:, None], TINY)
    return -0.5 * xp.sum(gradient * gradient / shifted, axis=1) - 0.5 * (base + high)
