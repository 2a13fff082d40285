"""A problem from plain functions, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tralgos.arrays import Array, owned
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.operators import Operator
from tralgos.problems.base import Problem

__all__ = ["FunctionProblem"]


class FunctionProblem(Problem):
    """A problem whose parts are functions of the user.

    Parameters
    ----------
    fun : callable
        x -> f(x), a number or a 0-d array.
    grad : callable
        x -> gradient, with the shape, library, device and dtype of x.
    hess : callable, optional
        x -> Hessian: a dense or sparse array, an operator, or anything else that
        :func:`tralgos.operators.as_operator` takes.
    hessp : callable, optional
        (x, v) -> the Hessian at x times v. Give this or `hess`, not both.
    gauss_newton : callable, optional
        x -> Gauss-Newton matrix, as for `hess`. Where `linearize` is given it is that of the
        linearization by default.
    linearize : callable, optional
        x -> (L(phi(x)), Jacobian of the outputs phi, gradient of the loss L there, u -> the
        Hessian of L times u): see :class:`Linearization`. The Jacobian is an array, or any
        operator with a transpose.
    n, name, start, minimisers, optimal_value
        As for :class:`Problem`.

    Raises
    ------
    ArrayTypeError
        If one of the functions is not callable.
    ArgumentError
        If both `hess` and `hessp` are given.

    Notes
    -----
    The functions must not write into their arguments. What they return may be written into by
    a later call: an array that is a view, or that anybody else holds, is copied.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.problems import FunctionProblem
    >>> p = FunctionProblem(lambda x: x @ x, lambda x: 2.0 * x, hessp=lambda x, v: 2.0 * v)
    >>> p.value(np.array([1.0, 2.0]))
    5.0
    """

    def __init__(
        self,
        fun: Callable[[Array], Any],
        grad: Callable[[Array], Array],
        *,
        hess: Callable[[Array], Any] | None = None,
        hessp: Callable[[Array, Array], Array] | None = None,
        gauss_newton: Callable[[Array], Any] | None = None,
        linearize: Callable[[Array], tuple[Any, Any, Array, Callable[[Array], Array]]]
        | None = None,
        n: int | None = None,
        name: str = "problem",
        start: Array | None = None,
        minimisers: Sequence[Array] = (),
        optimal_value: float | None = None,
    ) -> None:
        super().__init__(
            n, name=name, start=start, minimisers=minimisers, optimal_value=optimal_value
        )
        given: dict[str, Any] = {"fun": fun, "grad": grad, "hess": hess, "hessp": hessp}
        given |= {"gauss_newton": gauss_newton, "linearize": linearize}
        for argument, function in given.items():
            needed = argument in ("fun", "grad")
            if not callable(function) and (needed or function is not None):
                raise ArrayTypeError(f"{argument} must be callable, got {type(function).__name__}")
        if hess is not None and hessp is not None:
            raise ArgumentError("give hess or hessp, not both")
        self._fun, self._grad = fun, grad
        self._hess, self._hessp, self._gn = hess, hessp, gauss_newton
        self._parts = linearize
        self.has_hessian = hess is not None or hessp is not None
        self.has_linearization = linearize is not None
        self.has_gauss_newton = gauss_newton is not None or self.has_linearization

    def _value(self, x: Array) -> Any:
        return self._fun(x)

    def _gradient(self, x: Array) -> Array:
        return owned(self._grad(x))

    def _hessian(self, x: Array) -> Any:
        if self._hess is not None:
            return self._hess(x)
        assert self._hessp is not None
        return _Products(self._hessp, x, f"hessp of {self.name}")

    def _gauss_newton(self, x: Array) -> Any:
        if self._gn is not None:
            return self._gn(x)
        local = self.linearize(x)
        name = f"Gauss-Newton matrix of {self.name}"
        return _Products(lambda _, v: local.gauss_newton(v), x, name)

    def _linearize(self, x: Array) -> tuple[Any, Any, Array, Callable[[Array], Array]]:
        assert self._parts is not None
        parts = self._parts(x)
        if not isinstance(parts, tuple) or len(parts) != 4:
            raise ArrayTypeError(
                f"linearize of {self.name} must return a tuple of value, Jacobian, gradient of "
                "the loss and products with its Hessian"
            )
        value, jacobian, gradient, curvature = parts
        # A name of its own counts as another holder: what comes in a tuple is always copied.
        own = (lambda u: owned(curvature(u))) if callable(curvature) else curvature
        return value, jacobian, owned(gradient), own


class _Products(Operator):
    """v -> hessp(x, v)."""

    def __init__(self, hessp: Callable[[Array, Array], Array], x: Array, name: str) -> None:
        n = int(x.shape[0])
        super().__init__((n, n), name=name, home=x)
        self._hessp, self._x = hessp, x

    def _matvec(self, v: Array) -> Array:
        return owned(self._hessp(self._x, v))
