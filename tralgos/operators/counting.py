"""Counting products."""

from __future__ import annotations

from typing import Any

from tralgos.arrays import Array
from tralgos.operators.adapters import as_operator
from tralgos.operators.base import Operator

__all__ = ["CountingOperator"]


class CountingOperator(Operator):
    """An operator that counts the columns it has multiplied, and is otherwise what it wraps.

    Parameters
    ----------
    A : Operator or anything that :func:`as_operator` accepts
        The operator to count.
    name : str, optional
        What error messages call it: the name of A unless given.

    Attributes
    ----------
    operand : Operator
        A.
    count : int
        Columns multiplied so far, by A or by its transpose: a product with a
        matrix of k columns counts k. May be set, to start anew. A product that
        raises counts too.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.operators import CountingOperator
    >>> H = CountingOperator(np.eye(3))
    >>> _ = H @ np.ones(3), H @ np.ones((3, 4))
    >>> H.count
    5
    """

    def __init__(self, A: Any, *, name: str | None = None) -> None:
        self.operand = as_operator(A)
        self.count = 0
        super().__init__(
            self.operand.shape,
            name=name or self.operand.name,
            home=self.operand.home,
            symmetric=self.operand.symmetric,
            symmetry_tolerance=self.operand.symmetry_tolerance,
        )

    @property
    def magnitude(self) -> float | None:
        """That of A."""
        return self.operand.magnitude

    @property
    def has_transpose(self) -> bool:
        """Whether A has one."""
        return self.operand.has_transpose

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless A can multiply arrays that live where `x` does."""
        self.operand.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        self.count += 1
        return self.operand.matvec(x)

    def _matmat(self, X: Array) -> Array:
        self.count += int(X.shape[1])
        return self.operand.matmat(X)

    def _rmatvec(self, x: Array) -> Array:
        self.count += 1
        return self.operand.rmatvec(x)
