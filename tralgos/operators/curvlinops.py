"""Operators of curvlinops: Hessians, Gauss-Newton and Fisher matrices of torch models.

They are recognised by the name of the module of their base class, so that neither curvlinops nor
torch is imported for their sake.
"""

from __future__ import annotations

import importlib
from typing import Any

from tralgos.arrays import Array, namespace
from tralgos.errors import ArrayTypeError
from tralgos.operators.base import Operator, checked_shape

__all__ = ["CurvlinopsOperator", "is_curvlinops"]

#: Columns of one product: automatic differentiation keeps what it needs for all of them.
_COLUMNS = 32


def is_curvlinops(A: Any) -> bool:
    """Whether `A` is an operator of curvlinops, or of a class derived from one."""
    return _base(A) is not None


def _base(A: Any) -> type | None:
    for kind in type(A).__mro__:
        if kind.__name__ == "PyTorchLinearOperator" and kind.__module__.startswith("curvlinops."):
            return kind
    return None


class CurvlinopsOperator(Operator):
    """An operator of curvlinops, by its products with vectors of its dtype on its device.

    Where it says that it is self-adjoint it is taken as symmetric: no product is spent on a
    check, which the rounding of automatic differentiation in float32 might not pass.

    Parameters
    ----------
    A : curvlinops operator
        Its products are those at the parameters that the model has when they are made.
    name : str
        What error messages call it.

    Attributes
    ----------
    wrapped : object
        `A`.

    Raises
    ------
    ArrayTypeError
        If its parameters are neither float32 nor float64.
    """

    def __init__(self, A: Any, *, name: str = "H") -> None:
        home = _home(A)
        if home is not None and str(home.dtype) not in ("torch.float32", "torch.float64"):
            raise ArrayTypeError(f"{name} must be float32 or float64, its dtype is {home.dtype}")
        super().__init__(
            checked_shape(tuple(A.shape), name),
            name=name,
            home=home,
            symmetric=True if A.SELF_ADJOINT else None,
        )
        self.wrapped = A

    @property
    def has_transpose(self) -> bool:
        """Whether it is self-adjoint or knows its adjoint."""
        own, of_base = (
            getattr(kind, "_adjoint", None) for kind in (type(self.wrapped), _base(self.wrapped))
        )
        return self.symmetric is True or own is not of_base

    def _matvec(self, x: Array) -> Array:
        return self.wrapped @ x

    def _matmat(self, X: Array) -> Array:
        if X.shape[1] == 0:
            return super()._matmat(X)
        some = [self.wrapped @ X[:, j : j + _COLUMNS] for j in range(0, X.shape[1], _COLUMNS)]
        return some[0] if len(some) == 1 else namespace(X).concat(some, axis=1)

    def _rmatvec(self, x: Array) -> Array:
        if not self.has_transpose:
            return super()._rmatvec(x)
        return self.wrapped.adjoint() @ x


def _home(A: Any) -> Array | None:
    """An empty tensor where the operator lives; None where it does not say."""
    try:
        dtype, device = A.dtype, A.device
    except (AttributeError, RuntimeError, NotImplementedError):
        return None
    return importlib.import_module("torch").empty(0, dtype=dtype, device=device)
