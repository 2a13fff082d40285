"""A problem from plain functions, in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tralgos.arrays import Array
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
        x -> Gauss-Newton matrix, as for `hess`.
    n, name, start, minimisers, optimal_value
        As for :class:`Problem`.

    Raises
    ------
    ArrayTypeError
        If one of the functions is not callable.
    ArgumentError
        If both `hess` and `hessp` are given.

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
        n: int | None = None,
        name: str = "problem",
        start: Array | None = None,
        minimisers: Sequence[Array] = (),
        optimal_value: float | None = None,
    ) -> None:
        super().__init__(
            n, name=name, start=start, minimisers=minimisers, optimal_value=optimal_value
        )
        given = {"fun": fun, "grad": grad, "hess": hess, "hessp": hessp}
        for argument, function in {**given, "gauss_newton": gauss_newton}.items():
            needed = argument in ("fun", "grad")
            if not callable(function) and (needed or function is not None):
                raise ArrayTypeError(f"{argument} must be callable, got {type(function).__name__}")
        if hess is not None and hessp is not None:
            raise ArgumentError("give hess or hessp, not both")
        self._fun, self._grad = fun, grad
        self._hess, self._hessp, self._gn = hess, hessp, gauss_newton
        self.has_hessian = hess is not None or hessp is not None
        self.has_gauss_newton = gauss_newton is not None

    def _value(self, x: Array) -> Any:
        return self._fun(x)

    def _gradient(self, x: Array) -> Array:
        return self._grad(x)

    def _hessian(self, x: Array) -> Any:
        if self._hess is not None:
            return self._hess(x)
        assert self._hessp is not None
        return _Products(self._hessp, x, self.name)

    def _gauss_newton(self, x: Array) -> Any:
        assert self._gn is not None
        return self._gn(x)


class _Products(Operator):
    """v -> hessp(x, v)."""

    def __init__(self, hessp: Callable[[Array, Array], Array], x: Array, name: str) -> None:
        n = int(x.shape[0])
        super().__init__((n, n), name=f"hessp of {name}", home=x)
        self._hessp, self._x = hessp, x

    def _matvec(self, v: Array) -> Array:
        return self._hessp(self._x, v)
