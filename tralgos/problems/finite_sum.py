"""Means over finitely many terms, one for each sample of a data set, and their subsets.

A subclass of :class:`FiniteSum` gives the mean over the terms and its derivatives; the
regulariser, the checks and the sampling stand here, and the data as a :class:`SampleMatrix`.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from tralgos.arguments import nonnegative_scalar, positive_integer
from tralgos.arrays import (
    Array,
    all_finite,
    device_of,
    from_host,
    is_array,
    namespace,
    same_home,
    to_host,
)
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import DenseOperator, Operator, ShiftedOperator, SparseOperator, as_operator
from tralgos.problems.base import StochasticProblem
from tralgos.problems.linearization import Curvature, add_square

__all__ = ["FiniteSum", "SampleMatrix", "mean", "take_rows"]

Indices = Sequence[int] | Array


class FiniteSum(StochasticProblem):
    """f(x) = (1/N) sum_i f_i(x) + (l2/2) ||x||^2 over the N samples of a data set.

    The terms f_i do not hold the regulariser: it belongs to every subset as a whole.
    Samples are drawn without replacement.

    Parameters
    ----------
    size : int
        N.
    n : int
        Number of variables.
    home : array
        An array that shows where the data live: points have to share its library,
        device and dtype.
    l2 : float
        Weight of the regulariser, not negative.
    name : str
        What tables and error messages call the problem.

    Attributes
    ----------
    size, l2
        As above.

    Raises
    ------
    ArgumentError
        If `size` or `n` is not a positive integer, or `l2` is negative or not finite.

    Notes
    -----
    A subclass implements `_mean_value`, `_mean_gradient`, `_term_gradients` and
    `_subset`, and what it has of `_mean_value_and_gradient`, `_mean_hessian`,
    `_mean_linearize` and `_mean_gauss_newton`. Costs are counted in passes over the data:
    one pass is one product of all the samples, or of their transpose, with as many columns
    as the model has outputs.
    """

    size: int

    def __init__(
        self, size: int, n: int, *, home: Array, l2: float = 0.0, name: str = "finite sum"
    ) -> None:
        self.l2 = nonnegative_scalar(l2, "l2")
        self.size = positive_integer(size, "size")
        self._home = home
        super().__init__(n, name=name)

    # ---------------------------------------------------------------- what a subclass gives

    @abstractmethod
    def _mean_value(self, x: Array) -> Any:
        """(1/N) sum_i f_i(x), a Python number or a 0-d array."""

    @abstractmethod
    def _mean_gradient(self, x: Array) -> Array:
        """The gradient of `_mean_value`."""

    @abstractmethod
    def _term_gradients(self, x: Array, rows: np.ndarray | None) -> Array:
        """Gradients of the chosen f_i, shape (b, n); None stands for all of them."""

    @abstractmethod
    def _subset(self, rows: np.ndarray) -> FiniteSum:
        """The problem of the chosen terms; `rows` are host integers that have been checked."""

    def _mean_value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        """Both at once, where that is cheaper."""
        return self._mean_value(x), self._mean_gradient(x)

    def _mean_hessian(self, x: Array) -> Any:
        """The Hessian of `_mean_value`; see has_hessian."""
        raise NotImplementedError

    def _mean_linearize(self, x: Array) -> Any:
        """As `_linearize`, of `_mean_value`; the Jacobian is an operator. See has_linearization."""
        raise NotImplementedError

    def _mean_gauss_newton(self, x: Array) -> Any:
        """The Gauss-Newton matrix of `_mean_value`: of the linearization, unless overridden."""
        _, J, _, loss_curvature = self._mean_linearize(x)

        def product(v: Array) -> Array:
            return J.rmatvec(loss_curvature(J.matvec(v)))

        return Curvature(product, x, f"Gauss-Newton matrix of {self.name}")

    # ---------------------------------------------------------------- what a solver asks

    def subset(self, indices: Indices) -> FiniteSum:
        """The mean over the chosen terms, with the same regulariser.

        Parameters
        ----------
        indices : sequence of int, or integer array, shape (b,)
            From 0 to N - 1, at least one. An index that comes more than once counts that
            often, as in sampling with replacement. An array of a library other than NumPy
            costs one host transfer.

        Returns
        -------
        FiniteSum
            Of the same class, over b terms. It refers to copies of the chosen rows; of
            an operator, to the operator, and each of its passes is then one over all rows.

        Raises
        ------
        ArrayTypeError
            If `indices` are not integers.
        ShapeError
            If they are not one-dimensional.
        ArgumentError
            If there are none, or one is out of range.
        """
        return self._subset(checked_indices(indices, self.size))

    def sample_gradients(self, x: Array, indices: Indices | None = None) -> Array:
        """The gradients of the terms f_i, one a row, without the regulariser.

        Their mean plus ``l2 * x`` is the gradient of the subset.

        Parameters
        ----------
        x : array, shape (n,)
            The point.
        indices : sequence of int, or integer array, shape (b,), optional
            As for :meth:`subset`; all terms unless given.

        Returns
        -------
        array, shape (b, n)
            With the library, device and dtype of `x`; b n numbers are stored. One pass
            over the chosen rows and O(b n); of rows that are known by their products
            alone, b products with the transpose besides.

        Raises
        ------
        ArrayTypeError, ShapeError, ArgumentError
            As for :meth:`value` and :meth:`subset`.
        """
        x = self._point(x)
        rows = None if indices is None else checked_indices(indices, self.size)
        return self._term_gradients(x, rows)

    # ---------------------------------------------------------------- with the regulariser

    def _point(self, x: Array) -> Array:
        x = super()._point(x)
        same_home(x, self._home, "x", f"the data of {self.name}")
        return x

    def _penalty(self, x: Array) -> Any:
        # In this order l2 ||x||^2 overflows only where it is itself out of range.
        return namespace(x).vecdot(0.5 * self.l2 * x, x)

    def _value(self, x: Array) -> Any:
        value = self._mean_value(x)
        return value if self.l2 == 0.0 else value + self._penalty(x)

    def _gradient(self, x: Array) -> Array:
        gradient = self._mean_gradient(x)
        return gradient if self.l2 == 0.0 else gradient + self.l2 * x

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        value, gradient = self._mean_value_and_gradient(x)
        if self.l2 == 0.0:
            return value, gradient
        return value + self._penalty(x), gradient + self.l2 * x

    def _hessian(self, x: Array) -> Any:
        return self._regularised(self._mean_hessian(x))

    def _gauss_newton(self, x: Array) -> Any:
        return self._regularised(self._mean_gauss_newton(x))

    def _linearize(self, x: Array) -> Any:
        value, J, loss_gradient, loss_curvature = self._mean_linearize(x)
        if self.l2 == 0.0:
            return value, J, loss_gradient, loss_curvature
        parts = add_square(J, loss_gradient, loss_curvature, x, self.l2)
        return value + self._penalty(x), *parts

    def _regularised(self, A: Any) -> Any:
        return A if self.l2 == 0.0 else ShiftedOperator(A, self.l2)

    def _sample(self, size: int, rng: np.random.Generator) -> FiniteSum:
        # Sorted, so that the rows are read in the order in which they are stored.
        return self._subset(np.sort(rng.choice(self.size, size, replace=False, shuffle=False)))

    def _copied(self, size: int) -> Any:
        """A copy over another number of terms, of whose minima nothing is known."""
        part = copy.copy(self)
        part.size, part.minimisers, part.optimal_value = size, (), None
        return part


class SampleMatrix:
    """N samples of p features, one a row, in any form that can be multiplied from both sides.

    Parameters
    ----------
    X : array, sparse matrix or operator with a transpose, shape (N, p)
        Anything that :func:`tralgos.operators.as_operator` takes; referred to, not copied.
    name : str
        What error messages call it.
    like : array, optional
        Shows where an operator lives that does not say so itself.

    Raises
    ------
    ArrayTypeError
        If `X` cannot be multiplied from both sides, or does not say where it lives.
    ShapeError
        If it is empty.
    NonFiniteError
        If its entries are known and one is NaN or infinite: one host transfer.
    """

    def __init__(self, X: Any, name: str, like: Array | None = None) -> None:
        self.operator = as_operator(X, name)
        if not self.operator.has_transpose:
            raise ArrayTypeError(f"{name} must know its transpose (an rmatvec)")
        self.size, self.features = self.operator.shape
        if 0 in self.operator.shape:
            raise ShapeError(f"{name} must not be empty, its shape is {self.operator.shape}")
        home = like if self.operator.home is None else self.operator.home
        if home is None:
            raise ArrayTypeError(
                f"{name} must say where it lives: give an array, a sparse matrix or an "
                "operator with a home"
            )
        self.home = home
        if isinstance(self.operator, DenseOperator | SparseOperator):
            all_finite(home, name)

    def forward(self, V: Array) -> Array:
        """X V, shape (N, k): one pass, k products of an operator."""
        return self.operator.matmat(V)

    def transposed(self, M: Array) -> Array:
        """X' M, shape (p, k): one pass, k products of an operator."""
        xp = namespace(M)
        if isinstance(self.operator, DenseOperator):
            return xp.matmul(xp.matrix_transpose(self.operator.array), M)
        if isinstance(self.operator, SparseOperator):
            return self.operator.matrix.T @ M
        columns = [self.operator.rmatvec(M[:, j]) for j in range(M.shape[1])]
        return xp.stack(columns, axis=1)

    def take(self, rows: np.ndarray) -> SampleMatrix:
        """The chosen rows: a copy of them, but of an operator a view of the whole."""
        A = self.operator
        part = copy.copy(self)
        part.size = len(rows)
        if isinstance(A, DenseOperator):
            part.operator = DenseOperator(take_rows(A.array, rows), name=A.name)
        elif isinstance(A, SparseOperator):
            part.operator = SparseOperator(A.matrix[rows], name=A.name)
        else:
            part.operator = _ChosenRows(A, rows, self.home)
        part.home = self.home if part.operator.home is None else part.operator.home
        return part

    def dense(self) -> Array:
        """The matrix as an array; of an operator by one product with the transpose a row."""
        if isinstance(self.operator, DenseOperator):
            return self.operator.array
        if isinstance(self.operator, SparseOperator):
            return self.operator.matrix.toarray()
        xp = namespace(self.home)
        places = xp.arange(self.size, device=device_of(self.home))
        units = (xp.astype(places == i, self.home.dtype) for i in range(self.size))
        return xp.stack([self.operator.rmatvec(unit) for unit in units], axis=0)


class _ChosenRows(Operator):
    """Chosen rows of an operator, some perhaps more than once: each product is a whole one."""

    def __init__(self, operand: Operator, rows: np.ndarray, like: Array) -> None:
        shape = (len(rows), operand.shape[1])
        super().__init__(shape, name=f"rows of {operand.name}", home=operand.home)
        self.operand = operand
        self._rows = _on_device(rows, like)
        self._places = [_on_device(p, like) for p in _places(rows, operand.shape[0])]

    @property
    def has_transpose(self) -> bool:
        """True."""
        return True

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless the operator can multiply arrays that live where `x` does."""
        self.operand.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        return namespace(x).take(self.operand.matvec(x), self._rows, axis=0)

    def _matmat(self, X: Array) -> Array:
        return namespace(X).take(self.operand.matmat(X), self._rows, axis=0)

    def _rmatvec(self, x: Array) -> Array:
        xp = namespace(x)
        padded = xp.concat([x, xp.zeros((1,), dtype=x.dtype, device=device_of(x))])
        spread = xp.take(padded, self._places[0], axis=0)
        for places in self._places[1:]:
            spread = spread + xp.take(padded, places, axis=0)
        return self.operand.rmatvec(spread)


def _places(rows: np.ndarray, size: int) -> np.ndarray:
    """For the c-th occurrence of each row of the whole, its place in `rows`; len(rows) if none.

    The standard has no scatter, so that the transpose is made of one gather for each time
    that the most frequent row occurs.
    """
    order = np.argsort(rows, kind="stable")
    ranked = rows[order]
    occurrence = np.arange(len(rows)) - np.searchsorted(ranked, ranked)
    places = np.full((int(occurrence.max()) + 1, size), len(rows))
    places[occurrence, ranked] = order
    return places


def _on_device(indices: np.ndarray, like: Array) -> Array:
    """Host integers beside `like`."""
    xp = namespace(like)
    return from_host(indices, xp.zeros((0,), dtype=xp.int64, device=device_of(like)))


def take_rows(A: Array, rows: np.ndarray) -> Array:
    """The chosen rows of an array, copied."""
    return namespace(A).take(A, _on_device(rows, A), axis=0)


def checked_indices(indices: Indices, size: int) -> np.ndarray:
    """`indices` as host integers from 0 to size - 1; errors as for :meth:`FiniteSum.subset`."""
    try:
        rows = to_host(indices) if is_array(indices) else np.asarray(list(indices))
    except (TypeError, ValueError):
        raise ArrayTypeError("indices must be a sequence of integers") from None
    if rows.ndim != 1:
        raise ShapeError(f"indices must be one-dimensional, got shape {rows.shape}")
    if rows.shape[0] == 0:
        raise ArgumentError("indices must name at least one term, got none")
    if rows.dtype.kind not in "iu":
        raise ArrayTypeError(f"indices must be integers, got dtype {rows.dtype}")
    low, high = int(rows.min()), int(rows.max())
    if low < 0 or high >= size:
        wrong = low if low < 0 else high
        raise ArgumentError(f"indices must lie between 0 and {size - 1}, got {wrong}")
    return rows.astype(np.int64)


def mean(terms: Array) -> Array:
    """The mean of a vector; the sum is not formed, which could be out of range."""
    return namespace(terms).sum(terms / float(terms.shape[0]))
