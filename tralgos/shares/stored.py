"""Sums of absolute values over the stored entries of a sparse matrix."""

from __future__ import annotations

from typing import Any

from tralgos.arrays import Array, device_of, namespace
from tralgos.operators import SparseOperator
from tralgos.shares.products import accumulator

__all__ = ["stored_sums"]

#: Entries that are summed at once: they stay in the cache.
_BLOCK = 2**18


def stored_sums(operator: SparseOperator) -> Array:
    """The sums of |a_ii| and of all |a_ij|, where the matrix lives.

    A block of 2^18 entries is summed by the library (NumPy sums pairs, CuPy in a tree: some 60
    additions stand between an entry and the sum), and the blocks one after the other: with N
    stored entries the relative error of the total is below (60 + N / 2^18) 2^-53.
    """
    wide = accumulator(operator.home)
    xp = namespace(operator.home)
    if operator.matrix.data.shape[0] == 0:
        # Nothing is stored: not all kernels of CuPy take empty arrays.
        return xp.zeros(2, dtype=wide, device=device_of(operator.home))
    matrix = _each_place_once(operator.matrix, wide)
    on = xp.sum(xp.abs(matrix.diagonal()), dtype=wide)
    total = xp.zeros_like(on)
    for start in range(0, int(matrix.data.shape[0]), _BLOCK):
        sizes = xp.abs(matrix.data[start : start + _BLOCK])
        total = total + xp.sum(sizes, dtype=wide)
    return xp.stack([on, total])


def _each_place_once(csr: Any, wide: Any) -> Any:
    """The matrix itself, or a copy of it in which every place is stored at most once.

    The copy is made where the columns of a row are stored more than once or out of order. Its
    entries are added up in the wide dtype.
    """
    # A new object around the same arrays: what the caller's one has noted about its order may no
    # longer hold, and it is not to be written to.
    view = type(csr)((csr.data, csr.indices, csr.indptr), shape=csr.shape)
    if view.has_canonical_format:
        return view
    data = view.data.astype(wide)
    copy = type(csr)((data, view.indices.copy(), view.indptr.copy()), shape=csr.shape)
    copy.sum_duplicates()
    return copy
