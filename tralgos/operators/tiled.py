"""Operators that can show any rectangle of their matrix, and so never need to store it."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from tralgos.arguments import positive_integer
from tralgos.arrays import Array, device_of, is_array, is_numpy, namespace, real_matrix, same_home
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.memory import allocating
from tralgos.operators.base import Operator

__all__ = ["StoredMatrix", "Tile", "TiledOperator"]

#: Rows and columns of a tile: on the host it stays in the cache, on a device there are few calls.
_HOST_TILE, _DEVICE_TILE = 512, 4096
#: Tiles that are there at a time, with the one that is being made.
_COPIES = 3


class Tile(NamedTuple):
    """A rectangle of a matrix.

    Attributes
    ----------
    rows, columns : range
        Where it stands.
    entries : array, shape (len(rows), len(columns))
    """

    rows: range
    columns: range
    entries: Array


class TiledOperator(Operator):
    """A matrix that is known by its rectangles; products are made tile by tile.

    A subclass sets `shape` and `home` through ``super().__init__`` and implements
    ``_tile(rows, columns)``.

    Parameters
    ----------
    shape : tuple of int
        (m, n).
    home : array
        Shows the library, the device and the dtype of the tiles.
    tile_size : int, optional
        Rows and columns of a tile of products and of :meth:`tiles`. Default: 512 on NumPy, 4096
        elsewhere.
    name, symmetric
        As for :class:`Operator`.

    Raises
    ------
    ArgumentError
        If `tile_size` is not a positive integer.
    ShapeError
        If a matrix that is not square is called symmetric.

    Notes
    -----
    A product makes every tile once, of a symmetric matrix those on and above the diagonal alone.
    Memory: two tiles, and what the subclass needs to make one. The order of summation, and with
    it the rounding, depends on `tile_size`.
    """

    home: Array

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        home: Array,
        tile_size: int | None = None,
        name: str = "tiled operator",
        symmetric: bool | None = None,
    ) -> None:
        usual = _usual_size(home)
        self.tile_size = usual if tile_size is None else positive_integer(tile_size, "tile_size")
        super().__init__(shape, name=name, home=home, symmetric=symmetric)
        if symmetric is True and self.shape[0] != self.shape[1]:
            raise ShapeError(f"{name} of shape {self.shape} cannot be symmetric")

    @property
    def has_transpose(self) -> bool:
        """Always: its products are made of the same tiles."""
        return True

    @abstractmethod
    def _tile(self, rows: range, columns: range) -> Array:
        """The entries of a rectangle whose bounds have been checked; nobody writes to them."""

    def _strip(self, rows: range) -> Callable[[range], Array]:
        """What makes the tiles of some rows from their columns, for subclasses that share work."""
        return partial(self._tile, rows)

    def tile(self, rows: range, columns: range) -> Array:
        """The entries of a rectangle.

        Parameters
        ----------
        rows, columns : range
            Contiguous and inside the matrix.

        Returns
        -------
        array, shape (len(rows), len(columns))

        Raises
        ------
        ArgumentError
            If a range has a step, or leaves the matrix.
        ShapeError, ArrayTypeError
            If the subclass makes something else.
        DeviceMemoryError
            If it does not fit, naming the `tile_size` that would.
        """
        _check_range(rows, self.shape[0], "rows")
        _check_range(columns, self.shape[1], "columns")
        return self._made(self._strip(rows), rows, columns)

    def _made(self, strip: Callable[[range], Array], rows: range, columns: range) -> Array:
        """A tile of a strip, if it is what it should be."""
        high, wide = len(rows), len(columns)

        def advice(room: int | None) -> str:
            usual = _usual_size(self.home)
            if self.tile_size <= usual and self.tile_size < max(high, wide):
                return f"Products, and tiles(), make tiles of {self.tile_size} rows and columns."
            # Of a tile, of what it is made from and of its transpose.
            side = usual if room is None else math.isqrt(room * wide // _COPIES)
            return f"The option tile_size={max(1, min(side, self.tile_size // 2))} needs less."

        with allocating(f"a tile of {self.name}", high, wide, self.home, advice):
            entries = strip(columns)
        if not is_array(entries):
            raise ArrayTypeError(
                f"{self.name} should have made an array as a tile, got {type(entries).__name__}"
            )
        if tuple(entries.shape) != (len(rows), len(columns)):
            raise ShapeError(
                f"{self.name} should have made a tile of shape {(len(rows), len(columns))}, "
                f"but made one of shape {tuple(entries.shape)}"
            )
        same_home(entries, self.home, f"a tile of {self.name}", self.name)
        return entries

    def tiles(self, *, upper: bool = False) -> Iterator[Tile]:
        """All tiles, row of tiles by row of tiles.

        Parameters
        ----------
        upper : bool
            Leave out those that lie wholly below the diagonal (of a square matrix).
        """
        for rows in _pieces(self.shape[0], self.tile_size):
            strip = self._strip(rows)
            for columns in _pieces(self.shape[1], self.tile_size):
                if not (upper and columns.stop <= rows.start):
                    yield Tile(rows, columns, self._made(strip, rows, columns))

    def dense(self) -> Array:
        """The whole matrix as an array: m n numbers."""
        return self.tile(range(self.shape[0]), range(self.shape[1]))

    def _matvec(self, x: Array) -> Array:
        return self._matmat(x[:, None])[:, 0]

    def _matmat(self, X: Array) -> Array:
        xp = namespace(X)
        total = xp.zeros((self.shape[0], X.shape[1]), dtype=X.dtype, device=device_of(X))
        mirrored = self.symmetric is True
        for rows, columns, entries in self.tiles(upper=mirrored):
            total[rows.start : rows.stop, :] += entries @ X[columns.start : columns.stop, :]
            if mirrored and columns.start > rows.start:
                part = X[rows.start : rows.stop, :]
                total[columns.start : columns.stop, :] += xp.matrix_transpose(entries) @ part
        return total

    def _rmatvec(self, x: Array) -> Array:
        return self._rmatmat(x[:, None])[:, 0]

    def _rmatmat(self, X: Array) -> Array:
        """The product of the transpose with a matrix that has been checked."""
        if self.symmetric is True:
            return self._matmat(X)
        xp = namespace(X)
        total = xp.zeros((self.shape[1], X.shape[1]), dtype=X.dtype, device=device_of(X))
        for rows, columns, entries in self.tiles():
            part = X[rows.start : rows.stop, :]
            total[columns.start : columns.stop, :] += xp.matrix_transpose(entries) @ part
        return total


class StoredMatrix(TiledOperator):
    """A dense matrix by its rectangles, which are views.

    Parameters
    ----------
    array : array, shape (m, n)
        Referred to, not copied; integers become float64.
    name : str
        What error messages call it.

    Raises
    ------
    ArrayTypeError
        If `array` is no real matrix.
    """

    def __init__(self, array: Array, *, name: str = "matrix") -> None:
        self.array = real_matrix(array, name)
        super().__init__(tuple(self.array.shape), home=self.array, name=name)

    def _tile(self, rows: range, columns: range) -> Array:
        return self.array[rows.start : rows.stop, columns.start : columns.stop]

    def _matmat(self, X: Array) -> Array:
        return self.array @ X

    def _rmatmat(self, X: Array) -> Array:
        return namespace(X).matrix_transpose(self.array) @ X


def _usual_size(home: Array) -> int:
    return _HOST_TILE if is_numpy(home) else _DEVICE_TILE


def _pieces(length: int, size: int) -> Iterator[range]:
    for start in range(0, length, size):
        yield range(start, min(start + size, length))


def _check_range(some: range, length: int, name: str) -> None:
    if not isinstance(some, range):
        raise ArgumentError(f"{name} must be a range, got {type(some).__name__}")
    if some.step != 1 or not 0 <= some.start <= some.stop <= length:
        raise ArgumentError(f"{name} must be a contiguous range within 0 to {length}, got {some}")
