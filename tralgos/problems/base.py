"""The problem protocol: a function to be minimised, its derivatives, and what is known of it.

A subclass implements :meth:`Problem._value` and :meth:`Problem._gradient`, and what it
has of :meth:`Problem._hessian`, :meth:`Problem._gauss_newton`, :meth:`Problem._linearize` and
:meth:`Problem._value_and_gradient`. The public methods check what goes in and what
comes out, so that no solver has to.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tralgos.arguments import positive_integer
from tralgos.arrays import Array, is_array, real_vector, same_home, to_float
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import Operator, as_operator
from tralgos.problems.derivatives import DerivativeCheck, check_derivatives
from tralgos.problems.linearization import Linearization

__all__ = ["Problem", "StochasticProblem"]


class Problem(ABC):
    """A real function of n variables with its gradient and, where it has them, its curvatures.

    Parameters
    ----------
    n : int, optional
        Number of variables; None if any will do.
    name : str
        What tables and error messages call the problem.
    start : array, shape (n,), optional
        The usual starting point.
    minimisers : sequence of array, shape (n,)
        Known global minimisers; not necessarily all.
    optimal_value : float, optional
        The global minimum, where it is known.

    Attributes
    ----------
    n, name, start, minimisers, optimal_value
        As above.
    has_hessian, has_gauss_newton, has_linearization : bool
        Whether :meth:`hessian`, :meth:`gauss_newton` and :meth:`linearize` exist.

    Notes
    -----
    Points are float32 or float64 vectors of any array library; gradients and products
    live where the point does.
    """

    has_hessian: bool = False
    has_gauss_newton: bool = False
    has_linearization: bool = False

    def __init__(
        self,
        n: int | None = None,
        *,
        name: str = "problem",
        start: Array | None = None,
        minimisers: Sequence[Array] = (),
        optimal_value: float | None = None,
    ) -> None:
        self.n = None if n is None else positive_integer(n, "n")
        self.name = name
        self.start = start
        self.minimisers = tuple(minimisers)
        self.optimal_value = optimal_value

    def __repr__(self) -> str:
        """Class, name and number of variables."""
        size = "" if self.n is None else f", n = {self.n}"
        return f"<{type(self).__name__} {self.name}{size}>"

    # ---------------------------------------------------------------- what a subclass gives

    @abstractmethod
    def _value(self, x: Array) -> Any:
        """f(x), a Python number or a 0-d array; x has been checked."""

    @abstractmethod
    def _gradient(self, x: Array) -> Array:
        """The gradient at x, which has been checked; a new array."""

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        """Both at once, where that is cheaper."""
        return self._value(x), self._gradient(x)

    def _hessian(self, x: Array) -> Any:
        """The Hessian: anything :func:`~tralgos.operators.as_operator` takes; see has_hessian."""
        raise NotImplementedError

    def _gauss_newton(self, x: Array) -> Any:
        """The Gauss-Newton matrix, as `_hessian`; see `has_gauss_newton`."""
        raise NotImplementedError

    def _linearize(self, x: Array) -> tuple[Any, Any, Array, Callable[[Array], Array]]:
        """Value, Jacobian of the outputs, gradient of the loss there, and its Hessian's product.

        See :class:`Linearization` and `has_linearization`; the Jacobian is anything
        :func:`~tralgos.operators.as_operator` takes that has a transpose.
        """
        raise NotImplementedError

    # ---------------------------------------------------------------- what a solver asks

    def value(self, x: Array) -> float:
        """f(x) as a Python float; NaN and infinity are passed on.

        Parameters
        ----------
        x : array, shape (n,)
            Real, float32 or float64; integers become float64.

        Returns
        -------
        float
            At most one host transfer.

        Raises
        ------
        ArrayTypeError
            If `x` is not a real vector, or the function does not return a real number.
        ShapeError
            If `x` has another length than `n`, or the function returns an array.
        """
        return self._scalar(self._value(self._point(x)))

    def gradient(self, x: Array) -> Array:
        """The gradient at `x`; no host transfer of its own. Errors as for :meth:`value`."""
        x = self._point(x)
        return self._vector(self._gradient(x), x)

    def value_and_gradient(self, x: Array) -> tuple[float, Array]:
        """:meth:`value` and :meth:`gradient` at once, where they share work."""
        x = self._point(x)
        value, gradient = self._value_and_gradient(x)
        return self._scalar(value), self._vector(gradient, x)

    def hessian(self, x: Array) -> Operator:
        """The Hessian at `x` as an operator of shape (n, n).

        Raises
        ------
        ArgumentError
            If the problem has none (`has_hessian` is false).
        ArrayTypeError, ShapeError
            If what the problem returns does not fit `x`.
        """
        if not self.has_hessian:
            raise ArgumentError(f"{self.name} has no Hessian (see has_hessian)")
        x = self._point(x)
        return as_operator(self._hessian(x), f"the Hessian of {self.name}", like=x)

    def gauss_newton(self, x: Array) -> Operator:
        """The Gauss-Newton matrix at `x`, positive semidefinite; errors as for :meth:`hessian`."""
        if not self.has_gauss_newton:
            raise ArgumentError(f"{self.name} has no Gauss-Newton matrix (see has_gauss_newton)")
        x = self._point(x)
        return as_operator(self._gauss_newton(x), f"the Gauss-Newton matrix of {self.name}", like=x)

    def linearize(self, x: Array) -> Linearization:
        """The function as a loss of a model's outputs, at `x`.

        Returns
        -------
        Linearization
            Its value costs what :meth:`value` does.

        Raises
        ------
        ArgumentError
            If the problem is not known as one (`has_linearization` is false).
        ArrayTypeError, ShapeError
            If what the problem returns does not fit `x`, or the Jacobian has no transpose.
        """
        if not self.has_linearization:
            raise ArgumentError(
                f"{self.name} is not known as a loss of a model's outputs (see has_linearization)"
            )
        x = self._point(x)
        value, jacobian, loss_gradient, loss_curvature = self._linearize(x)
        name = f"the Jacobian of {self.name}"
        J = as_operator(jacobian, name)
        if J.shape[1] != x.shape[0]:
            raise ShapeError(f"{name} has shape {J.shape}, x has length {x.shape[0]}")
        if not J.has_transpose:
            raise ArrayTypeError(f"{name} must know its transpose (an rmatvec)")
        J.check_home(x, "x")
        loss_gradient = real_vector(loss_gradient, f"the loss's gradient of {self.name}")
        same_home(loss_gradient, x, f"the loss's gradient of {self.name}", "x")
        return Linearization(self._scalar(value), J, loss_gradient, loss_curvature)

    def check_derivatives(
        self, x: Array, *, rng: np.random.Generator | int | None = None
    ) -> DerivativeCheck:
        """Compare the derivatives with differences; see :class:`DerivativeCheck`.

        Parameters
        ----------
        x : array, shape (n,)
            The point; take one that is not special.
        rng : numpy.random.Generator or int, optional
            Draws the directions for the curvatures; a fixed seed by default.
        """
        return check_derivatives(self, self._point(x), rng)

    # ---------------------------------------------------------------- checks

    def _point(self, x: Array) -> Array:
        x = real_vector(x, "x")
        if self.n is not None and x.shape[0] != self.n:
            raise ShapeError(f"{self.name} has {self.n} variables, x has {x.shape[0]}")
        return x

    def _scalar(self, value: Any) -> float:
        if is_array(value):
            if value.ndim != 0:
                raise ShapeError(
                    f"the value of {self.name} must be a number, got an array of shape "
                    f"{tuple(value.shape)}"
                )
            return to_float(value)
        if isinstance(value, complex | np.complexfloating | str) or not hasattr(value, "__float__"):
            raise ArrayTypeError(
                f"the value of {self.name} must be a real number, got {type(value).__name__}"
            )
        return float(value)

    def _vector(self, g: Array, x: Array) -> Array:
        g = real_vector(g, f"the gradient of {self.name}")
        if tuple(g.shape) != tuple(x.shape):
            raise ShapeError(
                f"the gradient of {self.name} has shape {tuple(g.shape)}, x has {tuple(x.shape)}"
            )
        same_home(g, x, f"the gradient of {self.name}", "x")
        return g


class StochasticProblem(Problem):
    """A mean over terms, finitely many or not, of which samples can be taken.

    The problem itself is the whole mean; :meth:`sample` is a problem of the same
    variables that takes the mean over some of its terms.

    Attributes
    ----------
    size : int or None
        The number of terms; None for infinitely many.
    """

    size: int | None = None

    @abstractmethod
    def _sample(self, size: int, rng: np.random.Generator) -> Problem:
        """The mean over `size` terms drawn with `rng`; `size` has been checked."""

    def sample(self, size: int, rng: np.random.Generator) -> Problem:
        """The problem of `size` terms: without replacement where their number is finite.

        Raises
        ------
        ArgumentError
            If `size` is not a positive integer, or more than there are terms.
        """
        size = positive_integer(size, "size")
        if self.size is not None and size > self.size:
            raise ArgumentError(f"size={size} is more than the {self.size} terms of {self.name}")
        return self._sample(size, rng)
