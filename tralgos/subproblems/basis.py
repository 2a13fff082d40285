"""The stored part of a Lanczos basis, under a bound on its memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from tralgos.arrays import Array, device_of, from_host
from tralgos.kernels import combine
from tralgos.memory import allocating, bytes_of

__all__ = ["Basis"]

#: Rows are allocated in blocks of about this many bytes, so that one product serves many vectors
#: and little is allocated in vain; but in no fewer rows than these, nor more than those.
_BLOCK_BYTES = 1 << 25
_LEAST_ROWS, _MOST_ROWS = 8, 64
#: Vectors that are kept whatever the bound says.
_LEAST_KEPT = 2
#: Vectors that the recurrence and the operator need beside the basis.
_WORKING = 6


class Basis:
    """Vectors of length n in blocks of rows, up to `memory` bytes.

    Rows are stored as they come, with their norms apart, so that normalising
    costs no pass over memory.

    Parameters
    ----------
    like : array, shape (n,)
        Gives the length, namespace, device and dtype.
    xp : module
        The array namespace.
    memory : int
        Bytes that the rows may take; two rows are kept in any case.
    """

    def __init__(self, like: Array, xp: Any, memory: int) -> None:
        self._like = like
        self._xp = xp
        n = int(like.shape[0])
        self._row_bytes = row_bytes = bytes_of(n, like)
        # The recurrence is taken up again from the last two.
        self.capacity = max(_LEAST_KEPT, memory // row_bytes)
        self._rows = max(_LEAST_ROWS, min(_MOST_ROWS, _BLOCK_BYTES // row_bytes))
        self._blocks: list[Array] = []
        self._norms: list[float] = []

    def __len__(self) -> int:
        """Number of vectors stored."""
        return len(self._norms)

    @property
    def full(self) -> bool:
        """Whether another row would exceed the memory bound."""
        return len(self) >= self.capacity

    def room(self) -> Array:
        """The next row, to be written to and then kept by :meth:`keep`.

        Beyond the memory bound, an array of its own.

        Raises
        ------
        DeviceMemoryError
            If a block does not fit, naming the bound that would do.
        """
        n = int(self._like.shape[0])
        if self.full:
            with allocating("a Lanczos vector", 1, n, self._like, self._advice):
                return self._xp.empty_like(self._like)
        block, row = divmod(len(self), self._rows)
        if block == len(self._blocks):
            rows = min(self._rows, self.capacity - len(self))
            purpose = f"the Krylov basis, which holds {len(self):,} vectors,"
            with allocating(purpose, rows, n, self._like, self._advice):
                self._blocks.append(
                    self._xp.empty((rows, n), dtype=self._like.dtype, device=device_of(self._like))
                )
        return self._blocks[block][row, ...]

    def _advice(self, room: int | None) -> str:
        """The `memory` that would do where `room` more vectors fit; None: those there are."""
        fits = len(self) + max(0, (room or 0) - _WORKING)
        if fits < _LEAST_KEPT:
            return "A step needs two vectors of the basis and a few beside them: these do not fit."
        return (
            f"The option memory={fits * self._row_bytes} keeps {fits:,} vectors of the basis and "
            "makes the others again, at one product with H each."
        )

    def keep(self, norm: float) -> None:
        """Count the row last handed out by :meth:`room` in, with its norm."""
        if not self.full:
            self._norms.append(norm)

    def row(self, j: int) -> tuple[Array, float]:
        """The stored vector j and its norm."""
        block, row = divmod(j, self._rows)
        return self._blocks[block][row, ...], self._norms[j]

    def _parts(self, count: int) -> list[tuple[Array, slice]]:
        parts = []
        for i, block in enumerate(self._blocks):
            lo, hi = i * self._rows, min((i + 1) * self._rows, count)
            if hi > lo:
                parts.append((block[: hi - lo, ...], slice(lo, hi)))
        return parts

    def combine(self, coefficients: np.ndarray) -> Array:
        """Sum of coefficients[j] times the normalised vector j: one pass over the rows used."""
        weights = coefficients / np.asarray(self._norms[: coefficients.shape[0]])
        parts = self._parts(coefficients.shape[0])
        return combine(
            [from_host(weights[part], self._like) for _, part in parts],
            [rows for rows, _ in parts],
            self._xp.zeros_like(self._like),
            self._xp,
        )

    def project(self, w: Array) -> Array:
        """Q Q'w for the normalised vectors Q: two passes over the rows, no transfer to the host."""
        inverse = 1.0 / np.asarray(self._norms) ** 2
        parts = self._parts(len(self))
        inner = [
            self._xp.matmul(rows, w) * from_host(inverse[part], self._like) for rows, part in parts
        ]
        blocks = [rows for rows, _ in parts]
        return combine(inner, blocks, self._xp.zeros_like(self._like), self._xp)
