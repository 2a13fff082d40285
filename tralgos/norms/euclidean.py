"""The Euclidean norm, M = I."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from tralgos.arrays import Array, is_numpy
from tralgos.norms.base import Norm

__all__ = ["EuclideanNorm"]


class EuclideanNorm(Norm):
    """||s|| = sqrt(s's), for vectors of any length, namespace, device and dtype.

    All of `apply`, `solve`, `sqrt`, `inverse_sqrt`, `half_solve` and `half_solve_t`
    return their argument itself, at no cost.
    """

    has_sqrt = True
    has_half = True
    entrywise = True

    def __init__(self) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return "EuclideanNorm()"

    def _apply(self, s: Array) -> Array:
        return s

    def _solve(self, s: Array) -> Array:
        return s

    def _sqrt(self, s: Array) -> Array:
        return s

    def _inverse_sqrt(self, s: Array) -> Array:
        return s

    def _eigenvalue_range(self) -> tuple[float, float]:
        return 1.0, 1.0

    def upper_eigenvalue(self) -> float:
        """1."""
        return 1.0

    def lower_eigenvalue(self) -> float:
        """1."""
        return 1.0

    def sparse_matrix(self, like: Array) -> Any | None:
        """The identity as a SciPy CSC array if `like` is a NumPy array, else None."""
        if not is_numpy(like):
            return None
        return scipy.sparse.diags_array(np.ones(like.shape[0], dtype=like.dtype), format="csc")
