"""Matrices of independent random entries that are made where they are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tralgos.arguments import positive_integer
from tralgos.arrays import Array, eps, from_host, is_cupy, is_numpy, real_vector
from tralgos.errors import ArgumentError
from tralgos.operators import TiledOperator
from tralgos.problems.ensembles.laws import Law, StudentT, as_law
from tralgos.problems.ensembles.philox import BLOCK, CUDA_WORDS, Key, block_words, key_of

__all__ = ["RandomMatrix", "cuda_source", "independent_entries"]

#: Entries that the host makes at a time: with their words they stay in the cache.
_PIECE = 2**17
#: More rows or columns than anybody can ask for, whose numbers still fit 64 bits.
_MOST = 2**62
#: Degrees of freedom with which the largest number of Student's law fits float32.
_FEWEST_SINGLE = 0.5


class RandomMatrix(TiledOperator):
    """A matrix of independent entries of one law, never stored.

    An entry depends on its place, on the law and on `rng` alone: not on the size of the matrix, on
    tiles, or on what was asked for before. A smaller matrix is the corner of a larger one.

    Parameters
    ----------
    rows, columns : int
        At least 1.
    law : Law or {"gaussian", "rademacher", "uniform"}
        The last two, like the first, with variance one; or ``StudentT(degrees)``.
    rng : int, numpy.random.Generator or None
        A seed below 2^64, the first half of the generator's key; or what draws such a seed.
    like : array, shape (k,), optional
        Shows the library, device and dtype of the entries. Default: NumPy in float64.
    tile_size : int, optional
        See :class:`~tralgos.operators.TiledOperator`.

    Attributes
    ----------
    law : Law
    key : tuple of int
        The generator's key.

    Raises
    ------
    ArgumentError
        If an argument is out of its range, or the law is unknown.
    ArrayTypeError
        If `like` is no real vector.

    Notes
    -----
    The bits are those of Philox4x64-10 everywhere. The entries are computed in float64 and rounded
    to the dtype; CUDA's logarithm and cosine may differ from the host's in the last place. CuPy
    makes the entries on the device; for all other libraries the host does, and a tile is one
    transfer. Every product makes all entries again.

    Examples
    --------
    >>> from tralgos.problems import RandomMatrix
    >>> small, large = RandomMatrix(2, 3, rng=0), RandomMatrix(10**6, 10**6, rng=0)
    >>> bool((small.dense() == large.tile(range(2), range(3))).all())
    True
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        *,
        law: Law | str = "gaussian",
        rng: np.random.Generator | int | None = None,
        like: Array | None = None,
        tile_size: int | None = None,
    ) -> None:
        shape = checked_order(rows, "rows"), checked_order(columns, "columns")
        self.key = key_of(rng, stream=0)
        home = np.empty(0) if like is None else real_vector(like, "like")
        self.law = checked_law(law, home)
        super().__init__(shape, home=home, tile_size=tile_size, name="random matrix")

    def _tile(self, rows: range, columns: range) -> Array:
        return independent_entries(self.law, self.key, rows, columns, self.home)


def checked_order(value: int, name: str) -> int:
    """A positive number of rows or columns, small enough to be counted in 64 bits."""
    order = positive_integer(value, name)
    if order >= _MOST:
        raise ArgumentError(f"{name} must be less than 2^62, got {order}")
    return order


def checked_law(law: Law | str, home: Array) -> Law:
    """The law, if its numbers do not overflow the dtype of `home`."""
    entries = as_law(law)
    single = eps(home.dtype) > 1e-8
    if single and isinstance(entries, StudentT) and entries.degrees < _FEWEST_SINGLE:
        raise ArgumentError(
            f"law: entries of {entries.name} overflow float32, which needs at least "
            f"{_FEWEST_SINGLE} degrees of freedom"
        )
    return entries


def independent_entries(
    law: Law, key: Key, rows: range, columns: range, like: Array, *, scale: float = 1.0
) -> Array:
    """`scale` times a rectangle of the matrix of that law and key, as an array like `like`."""
    if is_cupy(like):
        return _on_cuda(law, key, rows, columns, like, scale)
    host = np.empty((len(rows), len(columns)), dtype=np.float64)
    _fill(host, law, key, rows, columns, scale)
    if is_numpy(like):
        return np.asarray(host, dtype=like.dtype)
    return from_host(host, like)


def _fill(out: np.ndarray, law: Law, key: Key, rows: range, columns: range, scale: float) -> None:
    """Write a rectangle into `out`, by pieces of whole blocks."""
    high, wide = BLOCK
    for across in _groups(columns, wide, _PIECE // high):
        for down in _groups(rows, high, _PIECE // (len(across) * wide)):
            words = block_words(key, down, across, law.words)
            numbers = law.numbers(words).reshape(len(down), len(across), high, wide)
            piece = numbers.swapaxes(1, 2).reshape(len(down) * high, len(across) * wide)
            there = range(down.start * high, down.stop * high)
            beside = range(across.start * wide, across.stop * wide)
            (to_row, of_row), (to, of) = _overlap(rows, there), _overlap(columns, beside)
            np.multiply(piece[of_row, of], scale, out=out[to_row, to])


def _groups(entries: range, side: int, most: int) -> Iterator[range]:
    """The blocks of that side that meet `entries`, at most `most` entries of them at a time."""
    first, last = entries.start // side, -(-entries.stop // side)
    count = max(1, most // side)
    for start in range(first, last, count):
        yield range(start, min(start + count, last))


def _overlap(wanted: range, there: range) -> tuple[slice, slice]:
    """Where the common part of two ranges stands in each of them."""
    start, stop = max(wanted.start, there.start), min(wanted.stop, there.stop)
    return (
        slice(start - wanted.start, stop - wanted.start),
        slice(start - there.start, stop - there.start),
    )


def cuda_source(law: Law) -> str:
    """C code of ``tralgos_entry(row, column, k0, k1)``, the entry of one place in float64."""
    return f"""{CUDA_WORDS}
__device__ double tralgos_number(const unsigned long long *w, int first) {{{law.cuda}}}

__device__ double tralgos_entry(long long row, long long column, unsigned long long k0,
                                unsigned long long k1) {{
    unsigned long long w[4];
    int first = tralgos_words(row, column, {law.words}, k0, k1, w);
    return tralgos_number(w, first);
}}
"""


def _on_cuda(law: Law, key: Key, rows: range, columns: range, like: Array, scale: float) -> Any:
    import cupy

    kernel = cupy.ElementwiseKernel(
        "int64 row, int64 column, int64 width, uint64 k0, uint64 k1, float64 scale",
        "T y",
        "y = (T) (scale * tralgos_entry(row + i / width, column + i % width, k0, k1))",
        "tralgos_random_entries",
        preamble=cuda_source(law),
    )
    with like.device:
        out = cupy.empty((len(rows), len(columns)), dtype=like.dtype)
        seed, stream = (np.uint64(k) for k in key)
        kernel(rows.start, columns.start, max(1, len(columns)), seed, stream, scale, out)
    return out
