"""Operators of which only products are to be had."""

from __future__ import annotations

from typing import Any

import numpy as np

from tralgos.operators import Operator


class Hidden(Operator):
    """A matrix without its transpose, unless it is said to be symmetric."""

    def __init__(self, A: Any, home: Any = None, symmetric: bool | None = None) -> None:
        super().__init__(tuple(A.shape), home=A if home is None else home, symmetric=symmetric)
        self.A = A

    def _matvec(self, x: Any) -> Any:
        return self.A @ x


class Transposable(Hidden):
    """A matrix and its transpose."""

    has_transpose = True

    def _rmatvec(self, x: Any) -> Any:
        return self.A.T @ x


def share_of(A: np.ndarray) -> float:
    """The share, summed up."""
    return float(np.abs(np.diag(A)).sum() / np.abs(A).sum())
