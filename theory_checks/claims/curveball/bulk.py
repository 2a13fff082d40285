"""Models by the thousand, for the screens: the same quantities in float64, a row an instance.

Only functions that NumPy and CuPy share; `xp` is the one of the two. The entries are short
multiples of powers of two, so that a row is cheap to judge in fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from theory_checks.claim import Instance

__all__ = [
    "apart",
    "applied_rows",
    "condition_rows",
    "cramer_rows",
    "gridded",
    "hessian_rows",
    "inner_rows",
    "model_rows",
    "row_of",
    "smallest",
    "span_rows",
]

#: A relative difference below this one is rounding.
_SAME = 1e-9

#: Below this share of its size a determinant counts as zero.
_SINGULAR = 1e-9

Draw = Callable[[np.random.Generator, int], np.ndarray]


def gridded(
    rng: np.random.Generator, shape: Any, low: float, high: float, parts: int = 16
) -> np.ndarray:
    """Draw multiples of 1/parts in [low, high]."""
    drawn = rng.integers(round(low * parts), round(high * parts), shape, endpoint=True)
    return np.asarray(drawn / parts)


def model_rows(
    rng: np.random.Generator,
    size: int,
    signs: tuple[float, ...] = (1.0,),
    *,
    definite: bool = True,
    least: int = 1,
    **more: Draw,
) -> dict[str, np.ndarray]:
    """Draw records of models of one dimension, itself drawn; a quarter of the entries are 0.

    But none on the diagonal of the factor, where H is to be definite.
    """
    n = int(rng.integers(least, 4))

    def many(count: int) -> np.ndarray:
        entries = gridded(rng, (size, count), -2.0, 2.0)
        return np.where(rng.random((size, count)) < 0.25, 0.0, entries)

    factor = many(n * (n + 1) // 2)
    if definite:
        on = [i * (i + 3) // 2 for i in range(n)]
        factor[:, on] = np.where(factor[:, on] == 0.0, 1.0, factor[:, on])
    drawn = {
        "factor": factor,
        "signs": rng.choice(np.array(signs), (size, n)),
        "J": many(n),
        "z": many(n),
        "lam": gridded(rng, size, 0.0, 8.0) * (rng.random(size) < 0.75),
    }
    return {**drawn, **{name: draw(rng, size) for name, draw in more.items()}}


def row_of(arrays: Mapping[str, np.ndarray], row: int, **fixed: Any) -> Instance:
    """One row as an instance, with what is the same in all."""
    return {**{name: array[row].tolist() for name, array in arrays.items()}, **fixed}


def hessian_rows(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """L D L' of each row, shape (size, n, n)."""
    size, n = arrays["J"].shape
    lower = xp.zeros((size, n, n))
    for i in range(n):
        for j in range(i + 1):
            lower[:, i, j] = arrays["factor"][:, i * (i + 1) // 2 + j]
    return (lower * arrays["signs"][:, None, :]) @ lower.transpose(0, 2, 1)


def applied_rows(H: Any, x: Any) -> Any:
    """Products with a vector, shape (size, n)."""
    return (H @ x[:, :, None])[:, :, 0]


def inner_rows(x: Any, y: Any) -> Any:
    """Inner products, shape (size,)."""
    return (x * y).sum(axis=1)


def apart(xp: Any, left: Any, right: Any, scale: Any) -> Any:
    """The slack of an equation: negative where the sides differ by more than rounding."""
    off = xp.abs(left - right)
    off = off if off.ndim == 1 else off.max(axis=1)
    return _SAME - xp.where(off == 0.0, 0.0, off / xp.where(scale > 0.0, scale, 1e-300))


def condition_rows(xp: Any, H: Any) -> Any:
    """Condition numbers of semidefinite matrices; at most 1e15."""
    values = xp.linalg.eigvalsh(H)
    return values[:, -1] / xp.maximum(values[:, 0], 1e-15 * values[:, -1] + 1e-300)


def smallest(xp: Any, *slacks: Any) -> Any:
    """The smallest slack of each row."""
    return xp.stack(slacks).min(axis=0)


def _over(xp: Any, top: Any, bottom: Any) -> Any:
    """Quotients; 0 where there is none."""
    return xp.where(bottom != 0.0, top / xp.where(bottom != 0.0, bottom, 1.0), 0.0)


def cramer_rows(xp: Any, H: Any, J: Any, z: Any, delta: Any) -> tuple[Any, Any, Any]:
    """beta, rho of (18) and how independent its columns are, from 0 to 1."""
    Hz, Hd = applied_rows(H, z), applied_rows(H, delta)
    zHz, zHd, dHd = inner_rows(z, Hz), inner_rows(z, Hd), inner_rows(delta, Hd)
    Jz, Jd = inner_rows(J, z), inner_rows(J, delta)
    determinant = zHz * dHd - zHd * zHd
    share = xp.abs(_over(xp, determinant, zHz * dHd))
    two = share > _SINGULAR
    determinant = xp.where(two, determinant, 1.0)
    one = xp.where(dHd != 0.0, _over(xp, Jd, dHd), 0.0)
    other = xp.where(dHd != 0.0, 0.0, -_over(xp, Jz, zHz))
    beta = xp.where(two, (Jd * zHz - Jz * zHd) / determinant, one)
    rho = xp.where(two, (zHd * Jd - dHd * Jz) / determinant, other)
    return beta, rho, xp.where(two, share, 1.0)


def span_rows(xp: Any, H: Any, J: Any, first: Any, second: Any) -> Any:
    """The minimiser on a span, by making the second direction conjugate to the first."""
    Hf = applied_rows(H, first)
    curved = inner_rows(first, Hf)
    other = second - _over(xp, inner_rows(second, Hf), curved)[:, None] * first
    left = inner_rows(other, applied_rows(H, other))
    whole = inner_rows(second, applied_rows(H, second))
    left = xp.where(left > _SINGULAR * whole, left, 0.0)
    along = -_over(xp, inner_rows(J, first), curved)[:, None] * first
    return along - _over(xp, inner_rows(J, other), left)[:, None] * other
