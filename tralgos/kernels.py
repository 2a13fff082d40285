"""Fused vector kernels: the three-term update of Lanczos in as few passes over memory as it takes.

NumPy has no fused arithmetic, so the vectors are walked in pieces that stay in
the cache; CuPy compiles one elementwise kernel. Everything else computes the
same expression through its namespace.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg.blas import get_blas_funcs

from tralgos.arrays import Array, is_cupy, is_numpy

__all__ = ["three_term"]

#: Bytes of one piece of a vector: four of them fit the second-level cache of common machines.
_PIECE_BYTES = 1 << 17


def three_term(
    p: Array, u: Array, v: Array | None, a: Any, b: Any, c: Any, out: Array, xp: Any
) -> None:
    """Write a p - b u - c v into `out`: three reads and one write of memory.

    Parameters
    ----------
    p, u : array, shape (n,)
        Vectors of one library, device and dtype.
    v : array, shape (n,), or None
        The third vector; None for none.
    a, b, c : float or 0-d array
        Coefficients.
    out : array, shape (n,)
        Written to; distinct from the others.
    xp : module
        The array namespace.
    """
    if is_numpy(p):
        _three_term_numpy(p, u, v, float(a), float(b), float(c), out)
    elif is_cupy(p):
        _three_term_cupy(p, u, v, a, b, c, out, xp)
    else:
        w = a * p - b * u
        out[...] = w if v is None else w - c * v


def _three_term_numpy(
    p: Array, u: Array, v: Array | None, a: float, b: float, c: float, out: Array
) -> None:
    # Without contiguity BLAS would work on copies, and `out` would stay as it is.
    if not all(x is None or x.flags.c_contiguous for x in (p, u, v, out)):
        np.multiply(p, a, out=out)
        out -= b * u
        if v is not None:
            out -= c * v
        return
    (axpy,) = get_blas_funcs(("axpy",), (out,))
    piece = max(1, _PIECE_BYTES // out.itemsize)
    for lo in range(0, out.shape[0], piece):
        part = slice(lo, lo + piece)
        target = out[part]
        np.multiply(p[part], a, out=target)
        axpy(u[part], target, a=-b)
        if v is not None:
            axpy(v[part], target, a=-c)


def _three_term_cupy(
    p: Array, u: Array, v: Array | None, a: Any, b: Any, c: Any, out: Array, xp: Any
) -> None:
    import cupy

    if v is None:
        kernel = cupy.ElementwiseKernel(
            "T p, T u, T a, T b", "T w", "w = a * p - b * u", "tralgos_two_term"
        )
        kernel(p, u, xp.asarray(a, dtype=p.dtype), xp.asarray(b, dtype=p.dtype), out)
        return
    kernel = cupy.ElementwiseKernel(
        "T p, T u, T v, T a, T b, T c", "T w", "w = a * p - b * u - c * v", "tralgos_three_term"
    )
    a, b, c = (xp.asarray(t, dtype=p.dtype) for t in (a, b, c))
    kernel(p, u, v, a, b, c, out)
