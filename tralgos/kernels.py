"""Vector kernels: inner products and the three-term update of Lanczos in few passes over memory.

NumPy has no fused arithmetic, so vectors are walked in pieces that stay in the
cache: an update is three reads and one write of memory, and the norm of its result comes
with it; a combination of stored vectors reads each of them once. The pieces also keep
BLAS from splitting an inner product between threads, whose order of summation, and so
the result, would depend on the machine's load. CuPy compiles one elementwise kernel.
All else computes the same through its namespace.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg.blas import daxpy, saxpy

from tralgos.arrays import Array, is_cupy, is_numpy

__all__ = ["combine", "inner", "three_term"]

#: Entries of one piece: five pieces fit the second-level cache, and OpenBLAS, which splits
#: vectors of more than 10000 entries between threads, works on them alone.
_PIECE = 9984
#: Columns of one piece of a linear combination: the sums stay in the cache from block to block.
_COLUMNS = 16384


def inner(x: Array, y: Array, xp: Any) -> Array:
    """x'y of two vectors as a 0-d array on their device; no transfer.

    NumPy vectors are summed in pieces and the pieces in float64.
    """
    if not is_numpy(x):
        return xp.vecdot(x, y)
    n = x.shape[0]
    if n <= _PIECE:
        return np.dot(x, y)
    # One call for all whole pieces: a call for each would take as long as a tenth of them.
    whole = n - n % _PIECE
    pieces = np.vecdot(x[:whole].reshape(-1, _PIECE), y[:whole].reshape(-1, _PIECE))
    total = float(np.sum(pieces, dtype=np.float64)) + float(np.dot(x[whole:], y[whole:]))
    return x.dtype.type(total)


def combine(weights: list[Array], blocks: list[Array], total: Array, xp: Any) -> Array:
    """`total` plus the sum of weights[i] @ blocks[i] over all i: one pass over the blocks.

    Parameters
    ----------
    weights : list of array, shape (k_i,)
        Coefficients of the rows.
    blocks : list of array, shape (k_i, n)
        Vectors as rows.
    total : array, shape (n,)
        What is added to; written over.
    xp : module
        The array namespace.
    """
    if not is_numpy(total):
        for weight, block in zip(weights, blocks, strict=True):
            total += xp.matmul(weight, block)
        return total
    for lo in range(0, total.shape[0], _COLUMNS):
        part = total[lo : lo + _COLUMNS]
        for weight, block in zip(weights, blocks, strict=True):
            part += weight @ block[:, lo : lo + _COLUMNS]
    return total


def three_term(
    p: Array,
    u: Array,
    v: Array | None,
    coefficients: tuple[Any, Any, Any],
    out: Array,
    xp: Any,
    *,
    square: bool,
) -> Array | None:
    """Write a p - b u - c v into `out`, and return the sum of its squares where `square` asks.

    Parameters
    ----------
    p, u : array, shape (n,)
        Vectors of one library, device and dtype.
    v : array, shape (n,), or None
        The third vector; None for none.
    coefficients : tuple of float or 0-d array
        a, b, c.
    out : array, shape (n,)
        Contiguous; written to; distinct from the others.
    xp : module
        The array namespace.
    square : bool
        Whether out'out is wanted, as a 0-d array.
    """
    if is_numpy(p):
        a, b, c = (float(t) for t in coefficients)
        total = _three_term_numpy(p, u, v, a, b, c, out)
        return p.dtype.type(total) if square else None
    if is_cupy(p):
        _three_term_cupy(p, u, v, coefficients, out, xp)
    else:
        a, b, c = coefficients
        w = a * p - b * u
        out[...] = w if v is None else w - c * v
    return xp.vecdot(out, out) if square else None


def _three_term_numpy(
    p: Array, u: Array, v: Array | None, a: float, b: float, c: float, out: Array
) -> float:
    # y += a x of BLAS reads x and updates y in the cache, without the scratch and the second
    # call of a NumPy product and difference. It writes in place to what it need not convert.
    axpy = {"d": daxpy, "f": saxpy}[out.dtype.char]
    total = 0.0
    for lo in range(0, out.shape[0], _PIECE):
        piece = slice(lo, lo + _PIECE)
        target = out[piece]
        np.multiply(p[piece], a, out=target)
        axpy(u[piece], target, a=-b)
        if v is not None:
            axpy(v[piece], target, a=-c)
        total += float(np.dot(target, target))
    return total


def _three_term_cupy(
    p: Array, u: Array, v: Array | None, coefficients: tuple[Any, Any, Any], out: Array, xp: Any
) -> None:
    import cupy

    # A number goes along with the call; an array made of it would be a copy to the device.
    a, b, c = (t if isinstance(t, float) else xp.asarray(t, dtype=p.dtype) for t in coefficients)
    if v is None:
        kernel = cupy.ElementwiseKernel(
            "T p, T u, T a, T b", "T w", "w = a * p - b * u", "tralgos_two_term"
        )
        kernel(p, u, a, b, out)
        return
    kernel = cupy.ElementwiseKernel(
        "T p, T u, T v, T a, T b, T c", "T w", "w = a * p - b * u - c * v", "tralgos_three_term"
    )
    kernel(p, u, v, a, b, c, out)
