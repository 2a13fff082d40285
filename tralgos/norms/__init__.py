"""Norms of the space of steps: Euclidean, diagonal, matrix and low-rank.

Each is ||s||_M = sqrt(s'Ms) with M symmetric positive definite, reached by a solver
through :class:`Norm` alone. Rules make norms from past gradients (:class:`AdagradNorm`,
:class:`RMSPropNorm`, :class:`AdamNorm`), functions from estimated diagonals.
"""

from __future__ import annotations

from typing import Any

from tralgos.arrays import Array
from tralgos.errors import ArrayTypeError
from tralgos.norms.adaptive import AdaptiveNorm, AdaptiveState
from tralgos.norms.adaptive_rules import AdagradNorm, AdamNorm, RMSPropNorm
from tralgos.norms.base import Norm
from tralgos.norms.diagonal import DiagonalNorm
from tralgos.norms.euclidean import EuclideanNorm
from tralgos.norms.low_rank import LowRankNorm
from tralgos.norms.matrix import MatrixNorm, densify
from tralgos.norms.preconditioners import (
    chapelle_erhan_norm,
    hessian_diagonal_norm,
    martens_norm,
)

__all__ = [
    "AdagradNorm",
    "AdamNorm",
    "AdaptiveNorm",
    "AdaptiveState",
    "DiagonalNorm",
    "EuclideanNorm",
    "LowRankNorm",
    "MatrixNorm",
    "Norm",
    "RMSPropNorm",
    "as_norm",
    "chapelle_erhan_norm",
    "densify",
    "hessian_diagonal_norm",
    "martens_norm",
]


def as_norm(norm: Any, like: Array) -> Norm:
    """The norm meant by an argument `norm`, checked to measure vectors like `like`.

    Parameters
    ----------
    norm : Norm or None
        None means the Euclidean norm.
    like : array, shape (n,)
        A vector of the space, such as the gradient.

    Raises
    ------
    ArrayTypeError
        If `norm` is something else, or its namespace, device or dtype is not that of `like`.
    ShapeError
        If the length differs.
    """
    if norm is None:
        norm = EuclideanNorm()
    if not isinstance(norm, Norm):
        raise ArrayTypeError(
            "norm must be None or one of tralgos.norms (a diagonal d goes in as DiagonalNorm(d), "
            f"a matrix M as MatrixNorm(M)), got {type(norm).__name__}"
        )
    norm.check(like)
    return norm
