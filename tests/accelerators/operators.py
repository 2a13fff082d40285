"""Cases of tralgos.operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.accelerators.case import Case, Table, data, symmetric
from tests.namespaces import Xp
from tralgos.arrays import Array, namespace
from tralgos.norms import DiagonalNorm
from tralgos.operators import (
    Congruence,
    CountingOperator,
    DenseOperator,
    DiagonalOperator,
    FiniteDifferenceHessian,
    LowRankPlusDiagonal,
    Operator,
    ShiftedOperator,
    TiledOperator,
    WrappedOperator,
    as_operator,
    check_symmetric,
)

__all__ = ["OPERATORS", "Plain"]

N = 6
A, B = data(0, N, N), data(1, N, N)
H = symmetric(2, N)
X, V = data(3, N), data(4, N, 3)


class Plain:
    """A caller's object that knows its shape and its products."""

    def __init__(self, matrix: Array) -> None:
        self.matrix, self.shape = matrix, tuple(matrix.shape)

    def matvec(self, x: Array) -> Array:
        return self.matrix @ x

    def rmatvec(self, x: Array) -> Array:
        return namespace(x).matrix_transpose(self.matrix) @ x


class Reversal(Operator):
    """A subclass of a caller's: x in reverse order."""

    def _matvec(self, x: Array) -> Array:
        return namespace(x).flip(x)


class Tiled(TiledOperator):
    """A matrix that is shown by rectangles."""

    def __init__(self, matrix: Array, **options: Any) -> None:
        self.matrix = matrix
        super().__init__(tuple(matrix.shape), home=matrix, **options)

    def _tile(self, rows: range, columns: range) -> Array:
        return 1.0 * self.matrix[rows.start : rows.stop, columns.start : columns.stop]


def products(operator: Operator, where: Xp) -> list[Any]:
    """Everything that an operator does with arrays."""
    x, many = where.array(X), where.array(V)
    made = [operator.matvec(x), operator.matmat(many), operator @ x, operator.magnitude]
    return [*made, operator.rmatvec(x)] if operator.has_transpose else made


def dense(where: Xp) -> Any:
    operator = DenseOperator(where.array(A))
    return [products(operator, where), operator.array]


def algebra(where: Xp) -> Any:
    one, other = DenseOperator(where.array(A)), DiagonalOperator(where.array(X))
    return [products(op, where) for op in (one + other, one - other, 2.0 * one, one @ other, -one)]


def counting(where: Xp) -> Any:
    operator = CountingOperator(where.array(H))
    return [products(operator, where), operator.count]


def differences(where: Xp) -> Any:
    x, M = where.array(X), where.array(np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    made = []
    for options in ({}, {"scheme": "central"}, {"g": M @ x}, {"gradient_error": 1e-3}):
        operator = FiniteDifferenceHessian(lambda y: M @ y, x, **options)  # type: ignore[arg-type]
        made.append(operator.matvec(where.array(V[:, 0])))
    return made


def low_rank(where: Xp) -> Any:
    d, U, c = (where.array(a) for a in (X, V, data(5, 3)))
    made = (LowRankPlusDiagonal(d, U, c), LowRankPlusDiagonal(d, U), LowRankPlusDiagonal(0.5, U))
    return [products(op, where) for op in made]


def shifted(where: Xp) -> Any:
    norm = DiagonalNorm(where.array(1.5 + X))
    plain = ShiftedOperator(where.array(H), 0.25)
    return [products(op, where) for op in (plain, ShiftedOperator(plain, 2.0, norm.apply))]


def tiled(where: Xp) -> Any:
    square = Tiled(where.array(A), tile_size=4)
    mirrored = Tiled(where.array(H), tile_size=4, symmetric=True)
    shown = [t.entries for t in mirrored.tiles(upper=True)]
    part = square.tile(range(1, 3), range(2, 6))
    return [products(square, where), products(mirrored, where), shown, part, square.dense()]


def adapted(where: Xp) -> Any:
    x = where.array(X)
    kinds = (where.array(H), Plain(where.array(H)), Reversal((N, N), symmetric=True))
    return [products(as_operator(kind, like=x), where) for kind in kinds]


def symmetry(where: Xp) -> Any:
    """Defects of rounding are not the same in two libraries: only that there are none."""
    x = where.array(X)
    found = []
    for operator in (where.array(H), Plain(where.array(H)), Tiled(where.array(H), tile_size=4)):
        defect = check_symmetric(operator, x, rng=np.random.default_rng(0))
        assert type(defect) is float
        found.append(defect <= 8.0 * where.eps)
    return found


def wrapped(where: Xp) -> Any:
    return products(WrappedOperator(Plain(where.array(A))), where)


OPERATORS: Table = {
    "Congruence": Case(lambda w: products(Congruence(w.array(H), w.array(A)), w)),
    "CountingOperator": Case(counting),
    "DenseOperator": Case(dense),
    "DiagonalOperator": Case(lambda w: products(DiagonalOperator(w.array(X)), w)),
    # A difference in float64 keeps about half the digits, in float32 one of three.
    "FiniteDifferenceHessian": Case(differences, loose=1e3),
    "LowRankPlusDiagonal": Case(low_rank),
    "Operator": Case(lambda w: products(Reversal((N, N), symmetric=True), w)),
    "ProductOperator": Case(algebra),
    "ScaledOperator": Case(algebra),
    "ShiftedOperator": Case(shifted),
    "SparseOperator": "a sparse matrix of SciPy or CuPy; the tests of the gpu page hold CuPy's",
    "SumOperator": Case(algebra),
    "Tile": "a record: two ranges and the array that TiledOperator made",
    "TiledOperator": Case(tiled),
    "WrappedOperator": Case(wrapped),
    "as_operator": Case(adapted),
    "check_symmetric": Case(symmetry),
}
