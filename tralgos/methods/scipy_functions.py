"""The functions that a user hands to SciPy, as a problem: copied in, copied out, counted.

SciPy's conventions end here: `args`, lists for arrays, values of shape (1,), derivatives
by differences. NumPy only, as SciPy's :func:`~scipy.optimize.minimize` is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from scipy.optimize import HessianUpdateStrategy

from tralgos.arrays import eps
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import FiniteDifferenceHessian, Operator, WrappedOperator
from tralgos.problems import FunctionProblem, Problem

__all__ = ["UserFunctions"]

#: What SciPy calls its schemes for derivatives by differences.
_SCHEMES = ("2-point", "3-point", "cs")


class UserFunctions:
    """Objective, gradient and Hessian in SciPy's conventions.

    Parameters
    ----------
    fun : callable
        (x, *args) -> a real number, or an array of size one.
    args : tuple
        Appended to the arguments of every function.
    jac : callable or None
        (x, *args) -> the gradient, array_like of shape (n,); None for central differences.
    hess : callable, {"2-point", "3-point", "cs"} or None
        (x, *args) -> the Hessian: array_like of shape (n, n), a sparse matrix, a
        ``LinearOperator``, or any other operator; or differences of `jac` along the vector,
        forward, central or by a complex step.
    hessp : callable or None
        (x, p, *args) -> the Hessian at x times p. A callable `hess` comes first.

    Attributes
    ----------
    nfev, njev, nhev : int
        Calls of the user's functions so far; differences call `fun` or `jac`.
    has_jac, calls_hess : bool
        Whether `jac` and `hess` are callable.

    Raises
    ------
    ArrayTypeError
        If `fun` or `hessp` is not callable.
    ArgumentError
        If `jac` or `hess` is of another kind, or differences of differences are asked for.
    """

    def __init__(
        self,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        jac: Callable[..., Any] | None,
        hess: Callable[..., Any] | str | None,
        hessp: Callable[..., Any] | None,
    ) -> None:
        for function, name in ((fun, "fun"), (hessp, "hessp")):
            if not callable(function) and (name == "fun" or function is not None):
                raise ArrayTypeError(f"{name} must be callable, got {type(function).__name__}")
        if jac is not None and not callable(jac):
            raise ArgumentError(
                f"jac must be callable, or None for central differences, got {jac!r}"
            )
        self._fun, self._jac, self._args = fun, jac, args
        self._hess = _checked_hess(hess, hessp, jac)
        self._hessp = None if callable(hess) else hessp
        self.has_jac, self.calls_hess = jac is not None, callable(hess)
        self.nfev = self.njev = self.nhev = 0
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def problem(self) -> Problem:
        """The problem; its evaluations are counted here too."""
        return FunctionProblem(
            self.value,
            self.gradient,
            hess=None if self._hess is None or self._hessp is not None else self.hessian,
            hessp=None if self._hessp is None else self.product,
            name="fun",
        )

    def value(self, x: np.ndarray) -> Any:
        """f(x), checked by the problem as far as it is a number."""
        self.nfev += 1
        value = self._fun(np.array(x), *self._args)
        if np.isscalar(value):
            return value
        array = np.asarray(value)
        if array.size != 1:
            raise ShapeError(f"fun must return a number, got an array of shape {array.shape}")
        return array.item()

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient, a new array."""
        if self._jac is None:
            return self._central_differences(x)
        gradient = self._called(self._jac, x)
        # Differences start from it, where they are taken at the same point.
        self._last = (np.array(x), gradient)
        return gradient

    def hessian(self, x: np.ndarray) -> Any:
        """The Hessian: a new matrix, or an operator."""
        if not callable(self._hess):
            return self._differences(x)
        self.nhev += 1
        H = self._hess(np.array(x), *self._args)
        if isinstance(H, Operator):
            return H
        if scipy.sparse.issparse(H):
            return H.copy()
        if hasattr(H, "shape") and (hasattr(H, "matvec") or not hasattr(H, "__array__")):
            return _CopyingOperator(H, name="the Hessian of fun")
        return np.atleast_2d(_new_array(H, x))

    def product(self, x: np.ndarray, p: np.ndarray) -> np.ndarray:
        """The Hessian at x times p, a new array."""
        assert self._hessp is not None
        self.nhev += 1
        return _new_vector(self._hessp(np.array(x), np.array(p), *self._args), x)

    def _called(self, jac: Callable[..., Any], x: np.ndarray) -> np.ndarray:
        self.njev += 1
        return _new_vector(jac(np.array(x), *self._args), x)

    def _central_differences(self, x: np.ndarray) -> np.ndarray:
        """The step balances the error of the formula, h^2, with rounding, eps/h."""
        self.njev += 1
        gradient = np.empty_like(x)
        for i in range(x.shape[0]):
            size = max(1.0, abs(float(x[i])))
            ahead, behind = np.array(x), np.array(x)
            ahead[i] += eps(x.dtype) ** (1 / 3) * size
            behind[i] -= eps(x.dtype) ** (1 / 3) * size
            # Divided by what the rounded points are apart.
            apart = float(ahead[i]) - float(behind[i])
            gradient[i] = (float(self.value(ahead)) - float(self.value(behind))) / apart
        return gradient

    def _differences(self, x: np.ndarray) -> Operator:
        """The Hessian of the scheme asked for, one or two gradients a product."""
        assert self._jac is not None
        if self._hess == "cs":
            return _ComplexStepHessian(partial(self._called, self._jac), x)
        known = self._last is not None and np.array_equal(self._last[0], x)
        return FiniteDifferenceHessian(
            self.gradient,
            x,
            g=self._last[1] if known and self._last is not None else None,
            scheme="forward" if self._hess == "2-point" else "central",
        )


def _checked_hess(hess: Any, hessp: Any, jac: Any) -> Any:
    """`hess` itself where it can be used; a callable `hessp` comes before differences."""
    if hess is None or callable(hess) or hessp is not None:
        return hess
    if isinstance(hess, HessianUpdateStrategy):
        raise ArgumentError(
            f"hess must not be an update strategy ({type(hess).__name__}): methods of tralgos "
            "use the Hessian itself; pass a callable, hessp, or '2-point'"
        )
    if not isinstance(hess, str) or hess not in _SCHEMES:
        raise ArgumentError(
            f"hess must be callable or one of {', '.join(map(repr, _SCHEMES))}, got {hess!r}"
        )
    if jac is None:
        raise ArgumentError(
            f"hess={hess!r} takes differences of the gradient, so a callable jac is needed: "
            "differences of differences are lost in rounding"
        )
    return hess


class _CopyingOperator(WrappedOperator):
    """An operator of the user, who may write into the vector or return one buffer each time."""

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return np.array(super()._matvec(np.array(x)))

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        return np.array(super()._matmat(np.array(X)))


class _ComplexStepHessian(Operator):
    """v -> Im g(x + ihu) ||v|| / h, u = v / ||v||; g is analytic.

    Nothing cancels, so h can be so small that the error of the formula, of the order of h^2,
    is nothing beside rounding.
    """

    def __init__(self, gradient: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> None:
        n = int(x.shape[0])
        super().__init__((n, n), name="complex-step Hessian of fun", home=x)
        self._gradient, self._x = gradient, x
        self._h = eps(x.dtype) * max(1.0, float(np.max(np.abs(x))))

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        size = float(np.max(np.abs(x)))
        if size == 0.0:
            return np.zeros_like(x)
        # In two factors, so that no square overflows.
        length = float(np.linalg.norm(x / size))
        displaced = self._x + (1j * self._h / length) * (x / size)
        g = self._gradient(displaced)
        if g.dtype.kind != "c":
            raise ArrayTypeError(
                f"hess='cs' needs a jac that accepts and returns complex arrays, got {g.dtype}"
            )
        return np.array(g.imag * (length / self._h) * size, dtype=x.dtype)


def _new_array(value: Any, like: np.ndarray) -> np.ndarray:
    """`value` as a new plain array; what has no dtype of its own gets that of `like`."""
    array = np.array(value)
    own = isinstance(value, np.ndarray | np.generic) or hasattr(value, "dtype")
    if array.dtype.kind in "iu" or (array.dtype.kind == "f" and not own):
        return array.astype(like.dtype)
    return array


def _new_vector(value: Any, like: np.ndarray) -> np.ndarray:
    """As `_new_array`, with at least one dimension."""
    return np.atleast_1d(_new_array(value, like))
