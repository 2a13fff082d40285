"""The vector part of a CurveBall iteration, in as few passes over memory as there can be.

NumPy vectors are walked in pieces that stay in the cache, so that a combination and all its
inner products cost one read of each vector and one write. Together an iteration with an operator
makes 11 passes besides its products: 4 in :func:`blend` (q, Hq and g are read, v is
written), 2 for v'Hv, 5 in :func:`move` (q, v and x are read, q and x are written).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg.blas import daxpy, saxpy

from tralgos.arrays import Array, device_of, is_numpy, namespace, to_host
from tralgos.kernels import three_term

__all__ = ["blend", "fetched", "move"]

#: Entries of one piece: many fit the second-level cache, and OpenBLAS, which splits
#: longer vectors between threads, works on them alone.
_PIECE = 9984
#: Pieces that one call walks through; those of four vectors then fill most of that cache.
_STRETCH = 3

Term = tuple[float, Array]
#: Two places among the vectors of a combination, its result last.
Pair = tuple[int, int]


def blend(
    terms: Sequence[Term],
    others: Sequence[Array],
    pairs: Sequence[Pair],
    out: Array | None = None,
) -> tuple[Array, list[Array]]:
    """A combination of one or two vectors, and inner products with it and among the others.

    Parameters
    ----------
    terms : sequence of (float, array)
        Coefficients and vectors, shape (n,).
    others : sequence of array, shape (n,)
        Vectors that only occur in inner products.
    pairs : sequence of (int, int)
        Which inner products: places in the list of the terms' vectors, the others, and the
        combination.
    out : array, shape (n,), optional
        Where to write the combination; a new array unless given.

    Returns
    -------
    array, shape (n,)
        The combination.
    list of 0-d array or float
        The inner products on the device; see :func:`fetched`. No transfer.
    """
    vectors = [*(vector for _, vector in terms), *others]
    first = vectors[0]
    xp = namespace(first)
    if out is None:
        out = xp.empty_like(first)
    if is_numpy(first):
        return out, _blend_numpy(terms, vectors, pairs, out)
    _combine(terms, out, xp)
    rows = [*vectors, out]
    return out, [xp.vecdot(rows[i], rows[j]) for i, j in pairs]


def _blend_numpy(
    terms: Sequence[Term], vectors: list[Array], pairs: Sequence[Pair], out: Array
) -> list[float]:
    axpy = {"d": daxpy, "f": saxpy}[out.dtype.char]
    coefficients = [float(c) for c, _ in terms]
    strides = list(_strides(out.shape[0]))
    sums = np.zeros((len(strides), len(pairs), _STRETCH), dtype=out.dtype)
    for own, (lo, hi, pieces) in zip(sums, strides, strict=True):
        rows = [vector[lo:hi].reshape(pieces, -1) for vector in vectors]
        target = out[lo:hi].reshape(pieces, -1)
        np.multiply(rows[0], coefficients[0], out=target)
        for c, row in zip(coefficients[1:], rows[1:], strict=False):
            for part, end in zip(row, target, strict=True):
                axpy(part, end, a=c)
        rows.append(target)
        for k, (i, j) in enumerate(pairs):
            np.vecdot(rows[i], rows[j], out=own[k, :pieces])
    # In float64 from piece to piece.
    return [float(np.sum(sums[:, k, :], dtype=np.float64)) for k in range(len(pairs))]


def _strides(n: int) -> Iterator[tuple[int, int, int]]:
    """Begin, end and number of pieces of each stretch of a vector; all its pieces are equal."""
    lo = 0
    while lo < n:
        pieces = min(_STRETCH, max((n - lo) // _PIECE, 1))
        hi = min(lo + pieces * _PIECE, n)
        yield lo, hi, pieces
        lo = hi


def _combine(terms: Sequence[Term], out: Array, xp: object) -> None:
    """The combination, written into `out`."""
    (a, p), *rest = terms
    if not rest:
        out[...] = a * p
        return
    ((b, u),) = rest
    three_term(p, u, None, (a, -b, 0.0), out, xp, square=False)


def fetched(forms: Sequence[Array | float]) -> list[float]:
    """Inner products as Python floats: one transfer for all, none for NumPy's."""
    if all(isinstance(form, float | np.floating) for form in forms):
        return [float(form) for form in forms]
    xp = namespace(*(form for form in forms if not isinstance(form, float)))
    return [float(value) for value in to_host(xp.stack(list(forms)))]


def move(x: Array, terms: Sequence[Term], length: float) -> tuple[Array, Array, Array]:
    """q = the combination of one or two vectors, x + length q, and room for another vector.

    Three new arrays of shape (n,), the last one not yet written to. It stands in one block with q:
    the system hands out and takes back the pages of two vectors at a time, which costs
    less than those of one do twice.
    """
    xp = namespace(x)
    block = xp.empty((2, x.shape[0]), dtype=x.dtype, device=device_of(x))
    q, room, following = block[0, :], block[1, :], xp.empty_like(x)
    if is_numpy(x):
        _move_numpy(x, terms, length, q, following)
        return q, following, room
    _combine(terms, q, xp)
    three_term(x, q, None, (1.0, -length, 0.0), following, xp, square=False)
    return q, following, room


def _move_numpy(x: Array, terms: Sequence[Term], length: float, q: Array, following: Array) -> None:
    axpy = {"d": daxpy, "f": saxpy}[q.dtype.char]
    (a, p), *rest = terms
    for lo in range(0, q.shape[0], _PIECE):
        piece = slice(lo, lo + _PIECE)
        target, end = q[piece], following[piece]
        np.multiply(p[piece], float(a), out=target)
        for b, u in rest:
            axpy(u[piece], target, a=float(b))
        end[...] = x[piece]
        axpy(target, end, a=float(length))
