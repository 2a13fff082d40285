"""Matrices of independent random entries that are made where they are wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from tralgos.arguments import positive_integer
from tralgos.arrays import Array, from_host, is_cupy, is_numpy, real_vector
from tralgos.operators import TiledOperator
from tralgos.problems.ensembles.laws import Law, as_law
from tralgos.problems.ensembles.philox import BLOCK, CUDA_WORDS, Key, block_words, key_of

__all__ = ["RandomMatrix", "cuda_source", "independent_entries"]

#: Entries that the host makes at a time: with their words they stay in the cache.
_STRIP = 2**17


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
        shape = positive_integer(rows, "rows"), positive_integer(columns, "columns")
        self.law = as_law(law)
        self.key = key_of(rng, stream=0)
        home = np.empty(0) if like is None else real_vector(like, "like")
        super().__init__(shape, home=home, tile_size=tile_size, name="random matrix")

    def _tile(self, rows: range, columns: range) -> Array:
        return independent_entries(self.law, self.key, rows, columns, self.home)


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
    """Write a rectangle into `out`, strip by strip of whole blocks."""
    high, wide = BLOCK
    across = range(columns.start // wide, -(-columns.stop // wide))
    down = range(rows.start // high, -(-rows.stop // high))
    at_once = max(1, _STRIP // max(1, len(across) * high * wide))
    left = columns.start - across.start * wide
    for first in range(down.start, down.stop, at_once):
        blocks = range(first, min(first + at_once, down.stop))
        numbers = law.numbers(block_words(key, blocks, across, law.words))
        by_rows = numbers.reshape(len(blocks), len(across), high, wide).swapaxes(1, 2)
        strip = by_rows.reshape(len(blocks) * high, len(across) * wide)
        top = max(rows.start, blocks.start * high)
        bottom = min(rows.stop, blocks.stop * high)
        inside = strip[top - blocks.start * high : bottom - blocks.start * high]
        target = out[top - rows.start : bottom - rows.start]
        np.multiply(inside[:, left : left + len(columns)], scale, out=target)


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
