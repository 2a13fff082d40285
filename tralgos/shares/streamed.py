"""Sums of absolute values over matrices whose entries can be read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tralgos.arrays import Array, device_of, namespace, to_host
from tralgos.errors import NonFiniteError
from tralgos.operators import DenseOperator, SparseOperator, Tile, TiledOperator
from tralgos.shares.products import accumulator
from tralgos.shares.stored import stored_sums

__all__ = ["Readable", "absolute_sums"]

#: The operators whose entries can be read.
Readable = DenseOperator | SparseOperator | TiledOperator

#: Entries of one tile of a dense matrix: it stays in the cache.
_TILE = 2**18


def absolute_sums(operator: Readable) -> tuple[float, float]:
    """The sums of |a_ii| and of all |a_ij|: one pass, one transfer.

    Of a sparse matrix the stored entries are read, see :func:`tralgos.shares.stored.stored_sums`.

    A symmetric tiled operator makes the tiles on and above the diagonal alone. A tile is summed
    along its columns, then the sums, then those of a row of tiles, then all rows: with tiles of t
    rows and n rows in all, at most 2 t + 2 n / t additions stand between an entry and the total, so
    that the relative error is below (2 t + 2 n / t) 2^-53, in whatever order a library sums.

    Raises
    ------
    NonFiniteError
        If an entry is NaN or infinite, or the sum overflows.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        found = stored_sums(operator) if isinstance(operator, SparseOperator) else _sums(operator)
        on, total = (float(value) for value in to_host(found))
    # The diagonal is a part of the total, and cannot be larger.
    if not np.isfinite(total):
        raise NonFiniteError("A holds NaN or infinity, or its sum overflows float64")
    # Except by rounding: the same numbers are summed in another order.
    return on, max(on, total)


def _sums(operator: DenseOperator | TiledOperator) -> Array:
    """Both sums, on the device."""
    xp, like = namespace(operator.home), operator.home
    wide = accumulator(like)
    mirrored = isinstance(operator, TiledOperator) and operator.symmetric is True
    totals = xp.zeros(2, dtype=wide, device=device_of(like))
    row, start = totals, 0
    for rows, columns, entries in _tiles(operator, mirrored):
        if rows.start != start:
            totals, row, start = totals + row, xp.zeros_like(row), rows.start
        sizes = xp.abs(entries)
        total = xp.sum(xp.sum(sizes, axis=0, dtype=wide))
        if mirrored and columns.start > rows.start:
            total = 2.0 * total
        on = xp.zeros_like(total)
        if columns.start <= rows.start < columns.stop:
            diagonal = xp.linalg.diagonal(sizes, offset=rows.start - columns.start)
            on = xp.sum(diagonal, dtype=wide)
        row = row + xp.stack([on, total])
    return totals + row


def _tiles(operator: DenseOperator | TiledOperator, mirrored: bool) -> Iterator[Tile]:
    """The tiles in rows from the top; of a dense matrix strips of rows."""
    if isinstance(operator, TiledOperator):
        yield from operator.tiles(upper=mirrored)
        return
    n = operator.shape[0]
    height = max(1, _TILE // n)
    for i in range(0, n, height):
        rows = range(i, min(i + height, n))
        yield Tile(rows, range(n), operator.array[i : rows.stop, :])
