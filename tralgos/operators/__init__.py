"""Linear operators: what the solvers multiply with.

:func:`as_operator` accepts matrices and operators of other libraries; the
classes build structured ones, and sums, multiples and products of operators are
operators again.
"""

from tralgos.operators.adapters import (
    DenseOperator,
    SparseOperator,
    WrappedOperator,
    as_operator,
)
from tralgos.operators.base import (
    Operator,
    ProductOperator,
    ScaledOperator,
    SumOperator,
)
from tralgos.operators.checks import check_symmetric
from tralgos.operators.counting import CountingOperator
from tralgos.operators.finite_difference import FiniteDifferenceHessian
from tralgos.operators.structured import (
    Congruence,
    DiagonalOperator,
    LowRankPlusDiagonal,
    ShiftedOperator,
)
from tralgos.operators.tiled import Tile, TiledOperator

__all__ = [
    "Congruence",
    "CountingOperator",
    "DenseOperator",
    "DiagonalOperator",
    "FiniteDifferenceHessian",
    "LowRankPlusDiagonal",
    "Operator",
    "ProductOperator",
    "ScaledOperator",
    "ShiftedOperator",
    "SparseOperator",
    "SumOperator",
    "Tile",
    "TiledOperator",
    "WrappedOperator",
    "as_operator",
    "check_symmetric",
]
