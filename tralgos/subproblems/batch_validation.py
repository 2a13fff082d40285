"""Everything that is checked before a batch is worked on; the first bad problem is named."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tralgos.arguments import positive_scalar
from tralgos.arrays import (
    Array,
    eps,
    is_array,
    is_numpy,
    namespace,
    real_vector,
    same_home,
    to_host,
)
from tralgos.errors import ArgumentError, ArrayTypeError, AsymmetryError, NonFiniteError, ShapeError

__all__ = ["Batch", "validated_batch"]

Vector = NDArray[np.float64]

#: Bytes of the matrices that are looked at together on NumPy: they stay in the cache.
_PIECE = 1 << 19
#: Elsewhere: a few copies of it fit any device.
_DEVICE_PIECE = 1 << 26


@dataclass(frozen=True, eq=False)
class Batch:
    """A valid batch.

    Attributes
    ----------
    H : array, shape (b, n, n)
    g : array, shape (b, n)
    size_H, size_g, radius : ndarray, shape (b,)
        max|H_i|, max|g_i| and r_i on the host, float64.
    """

    H: Array
    g: Array
    size_H: Vector
    size_g: Vector
    radius: Vector


def validated_batch(H: Array, g: Array, radius: Any) -> Batch:
    """The batch, or a named error; one transfer to the host, of four numbers a problem.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError, ArgumentError
        On data of the wrong kind, shape or value, naming the argument and the first
        problem that is at fault.
    """
    H = _real_array(H, "H", 3, "a batch of matrices, (b, n, n)")
    g = _real_array(g, "g", 2, "a batch of vectors, (b, n)")
    b, n = int(H.shape[0]), int(H.shape[1])
    if H.shape[2] != n:
        raise ShapeError(f"the matrices of H must be square, got the shape {tuple(H.shape)}")
    if n == 0:
        raise ShapeError("H and g are empty: a subproblem needs at least one variable")
    if tuple(g.shape) != (b, n):
        raise ShapeError(f"g must have the shape {(b, n)} of H, got {tuple(g.shape)}")
    same_home(g, H, "g", "H")
    radii = _radii(radius, H)
    if b == 0:
        return Batch(H, g, np.empty(0), np.empty(0), np.empty(0))
    xp = namespace(H)
    parts = [*_facts(H, g), *([] if isinstance(radii, float) else [radii])]
    table = to_host(xp.stack([xp.astype(x, xp.float64) for x in parts]))
    size_H, size_g, asymmetry = table[0], table[1], table[2]
    host_radii = np.full(b, radii) if isinstance(radii, float) else table[3]
    _check_finite(size_H, "H")
    _check_finite(size_g, "g")
    _check_radii(host_radii, eps(H.dtype))
    _check_symmetric(size_H, asymmetry, n, eps(H.dtype))
    return Batch(H, g, size_H, size_g, host_radii)


def _real_array(x: Array, name: str, ndim: int, kind: str) -> Array:
    """`x` itself if it is a real floating array of `ndim` dimensions; integers are promoted."""
    if is_array(x) and x.ndim != ndim:
        raise ArrayTypeError(f"{name} must be {kind}, got an array of shape {tuple(x.shape)}")
    if not is_array(x):
        return real_vector(x, name)
    xp = namespace(x)
    # The rules of kind and dtype are those of a vector; no entry of x is looked at.
    like = real_vector(xp.reshape(x[:0, ...], (0,)), name)
    return x if like.dtype == x.dtype else xp.astype(x, like.dtype)


def _radii(radius: Any, H: Array) -> Array | float:
    if not is_array(radius):
        return positive_scalar(radius, "radius")
    radii = _real_array(radius, "radius", 1, "a number or a vector, (b,)")
    if tuple(radii.shape) != (H.shape[0],):
        raise ShapeError(
            f"radius must be a number or have the shape ({H.shape[0]},) of the batch, "
            f"got {tuple(radii.shape)}"
        )
    same_home(radii, H, "radius", "H")
    return radii


def _facts(H: Array, g: Array) -> list[Array]:
    """max|H_i|, max|g_i| and max|H_i - H_i'| of each problem."""
    xp = namespace(H)
    b, n = int(H.shape[0]), int(H.shape[1])
    count = max(1, (_PIECE if is_numpy(H) else _DEVICE_PIECE) // (8 * n * n))
    # Infinity less infinity is met before it is told that there is one.
    with np.errstate(invalid="ignore", over="ignore"):
        pieces = [_matrix_facts(H[lo : min(lo + count, b), :, :], xp) for lo in range(0, b, count)]
    sizes, differences = (xp.concat(list(x)) for x in zip(*pieces, strict=True))
    return [sizes, xp.max(xp.abs(g), axis=1), differences]


def _matrix_facts(H: Array, xp: Any) -> tuple[Array, Array]:
    size = xp.max(xp.reshape(xp.abs(H), (H.shape[0], -1)), axis=1)
    mirror = xp.matrix_transpose(H)
    if is_numpy(H) and np.array_equal(H, mirror):
        return size, np.zeros_like(size)
    difference = xp.abs(H - mirror)
    return size, xp.max(xp.reshape(difference, (H.shape[0], -1)), axis=1)


def _check_finite(sizes: Vector, name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(sizes))
    if bad.size > 0:
        others = f", and {bad.size - 1} other problems have" if bad.size > 1 else ""
        raise NonFiniteError(f"{name}[{bad[0]}] has entries that are NaN or infinite{others}")


def _check_radii(radii: Vector, unit: float) -> None:
    bad = np.flatnonzero(~((radii > 0.0) & (radii < math.inf)))
    if bad.size > 0:
        raise ArgumentError(
            f"radius must be positive and finite, got {float(radii[bad[0]])} for problem {bad[0]}"
        )
    # A step of that length has to be a vector of the dtype.
    kind = np.finfo(np.float32 if unit > 1e-10 else np.float64)
    bad = np.flatnonzero((radii < kind.tiny) | (radii > kind.max))
    if bad.size > 0:
        raise ArgumentError(
            f"radius must be a normal number of {kind.dtype}, {kind.tiny:.2g} to {kind.max:.2g}, "
            f"got {float(radii[bad[0]])} for problem {bad[0]}"
        )


def _check_symmetric(sizes: Vector, differences: Vector, n: int, unit: float) -> None:
    """The rule of :func:`tralgos.operators.check_symmetric` for a matrix, for each of them."""
    tolerance = max(1e4, 100.0 * math.sqrt(n)) * unit
    defect = differences / np.where(sizes > 0.0, sizes, 1.0)
    bad = np.flatnonzero(defect > tolerance)
    if bad.size > 0:
        raise AsymmetryError(
            f"H[{bad[0]}] must be symmetric: its relative asymmetry is {defect[bad[0]]:.3g}, "
            f"more than {tolerance:.3g}"
        )
