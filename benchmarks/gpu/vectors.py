"""Vectors and operators of any length, made where they are wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.gpu.passes import RANK
from tralgos.operators import DiagonalOperator, LowRankPlusDiagonal, Operator

__all__ = ["OPERATORS", "Laplacian3D", "gradient", "waves"]

#: An irrational angle: its multiples are spread evenly.
_ANGLE = 2.399963229728653
#: Of the Laplacian, whose spectrum lies between 0 and 12, and of the diagonal.
_SHIFT = 0.05
_LOW, _HIGH = -1.0, 5.0


class Laplacian3D(Operator):
    """The 7-point Laplacian of a cube minus a shift, by slices of the vector as a cube."""

    def __init__(self, side: int, shift: float, like: Any) -> None:
        self._side = side
        self._diagonal = 6.0 - shift
        super().__init__((side**3, side**3), name="Laplacian", home=like, symmetric=True)

    @property
    def magnitude(self) -> float:
        """The largest entry: known, it need not be looked for with a random vector."""
        return self._diagonal

    def _matvec(self, x: Any) -> Any:
        k = self._side
        cube = x.reshape((k, k, k))
        y = self._diagonal * cube
        y[1:, :, :] -= cube[:-1, :, :]
        y[:-1, :, :] -= cube[1:, :, :]
        y[:, 1:, :] -= cube[:, :-1, :]
        y[:, :-1, :] -= cube[:, 1:, :]
        y[:, :, 1:] -= cube[:, :, :-1]
        y[:, :, :-1] -= cube[:, :, 1:]
        return y.reshape((k**3,))


def waves(xp: Any, n: int, dtype: Any, first: int = 0) -> Any:
    """cos(k times an irrational angle): numbers without a pattern, the same everywhere."""
    return xp.cos(_ANGLE * xp.arange(first, first + n, dtype=xp.float64)).astype(dtype)


def gradient(xp: Any, side: int, dtype: Any) -> Any:
    """A vector of about length one."""
    n = side**3
    return waves(xp, n, dtype) * (2.0 / n) ** 0.5


def _laplacian(xp: Any, side: int, dtype: Any) -> Operator:
    return Laplacian3D(side, _SHIFT, xp.empty(0, dtype=dtype))


def _diagonal(xp: Any, side: int, dtype: Any) -> Operator:
    return DiagonalOperator(xp.linspace(_LOW, _HIGH, side**3, dtype=dtype))


def _low_rank(xp: Any, side: int, dtype: Any) -> Operator:
    n = side**3
    columns = [waves(xp, n, dtype, first=(j + 1) * n) for j in range(RANK)]
    # So small that no eigenvalue leaves the others: vectors of the basis are not projected then.
    U = xp.stack(columns, axis=1) * (0.3 * (2.0 / n) ** 0.5)
    return LowRankPlusDiagonal(xp.linspace(_LOW, _HIGH, n, dtype=dtype), U)


#: Each makes an operator on a cube of a side in a library and dtype. The names are those of
#: `PRODUCTS`.
OPERATORS: dict[str, Callable[[Any, int, Any], Operator]] = {
    "Laplacian": _laplacian,
    "diagonal": _diagonal,
    "diagonal + rank 4": _low_rank,
}
