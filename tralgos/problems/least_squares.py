"""Least squares, linear and nonlinear, and what linear models have in common.

A :class:`LinearModel` is the mean over the samples of a :class:`Loss` of linear outputs;
:class:`LeastSquares` takes the squared one.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tralgos.arrays import Array, all_finite, is_array, namespace, real_vector, same_home
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import Operator, as_operator
from tralgos.problems.base import Problem
from tralgos.problems.finite_sum import FiniteSum, SampleMatrix, mean, take_rows
from tralgos.problems.linearization import Curvature, OutputJacobian

__all__ = [
    "LeastSquares",
    "LinearModel",
    "Loss",
    "NonlinearLeastSquares",
    "SquaredLoss",
    "linearized",
]


class Loss(ABC):
    """Terms l_i(z) of k outputs each, for N samples with their targets.

    Everything takes and returns arrays of which row i belongs to sample i.

    Parameters
    ----------
    targets : array, shape (N, k)
        What the outputs are compared with.
    """

    def __init__(self, targets: Array) -> None:
        self.targets = targets
        self.outputs = int(targets.shape[1])

    def take(self, rows: np.ndarray | None) -> Loss:
        """The loss of the chosen samples; of all for None."""
        if rows is None:
            return self
        part = copy.copy(self)
        part.targets = take_rows(self.targets, rows)
        return part

    @abstractmethod
    def values(self, Z: Array) -> Array:
        """l_i(z_i), shape (N,), for outputs of shape (N, k)."""

    @abstractmethod
    def gradients(self, Z: Array) -> Array:
        """The gradients of l_i at z_i, shape (N, k)."""

    @abstractmethod
    def curvature(self, Z: Array) -> Callable[[Array], Array]:
        """D -> the Hessian of l_i at z_i times d_i, for D of shape (N, k)."""


def linearized(
    loss: Loss,
    Z: Array,
    tangent: Callable[[Array], Array],
    pull: Callable[[Array], Array],
    x: Array,
    name: str,
) -> tuple[Any, OutputJacobian, Array, Callable[[Array], Array]]:
    """The mean of a loss at outputs Z of shape (N, k), as `Problem._linearize` returns it.

    The outputs stand in one vector of length N k, row by row. `tangent` takes a direction to
    its effect on Z and `pull` gradients in Z to one in x; no product is made here.
    """
    xp = namespace(Z)
    size, k = int(Z.shape[0]), int(Z.shape[1])
    curvature = loss.curvature(Z)

    def flat(D: Array) -> Array:
        return xp.reshape(D, (-1,))

    def rows(u: Array) -> Array:
        return xp.reshape(u, (size, k))

    J = OutputJacobian(
        (size * k, int(x.shape[0])),
        lambda v: flat(tangent(v)),
        lambda u: pull(rows(u)),
        x,
        f"Jacobian of {name}",
    )
    loss_gradient = flat(loss.gradients(Z)) / float(size)
    return mean(loss.values(Z)), J, loss_gradient, lambda u: flat(curvature(rows(u)) / float(size))


class LinearModel(FiniteSum):
    """The mean of l_i(W' x_i), for weights W of shape (p, k) and a convex loss.

    Parameters
    ----------
    samples : SampleMatrix
        X, of shape (N, p).
    loss : Loss
        Of N samples with k outputs each.
    l2 : float
        Weight of the regulariser (l2/2) ||W||^2.
    name : str
        What tables and error messages call the problem.

    Notes
    -----
    The p k variables are the weights row by row. A value costs one pass over X; a gradient,
    alone or with the value, two; a Hessian one, and two for each product with it; a
    linearization one, and one for each product with its Jacobian or the transpose.

    The outputs are linear in the weights, so that the Gauss-Newton matrix is the Hessian.
    """

    has_hessian = True
    has_gauss_newton = True
    has_linearization = True

    def __init__(self, samples: SampleMatrix, loss: Loss, *, l2: float, name: str) -> None:
        n = samples.features * loss.outputs
        super().__init__(samples.size, n, home=samples.home, l2=l2, name=name)
        self._samples, self._loss = samples, loss

    def _outputs(self, x: Array) -> Array:
        shape = (self._samples.features, self._loss.outputs)
        return self._samples.forward(namespace(x).reshape(x, shape))

    def _pull(self, G: Array) -> Array:
        """The gradient of which `G` holds the gradients in the outputs, a sample a row."""
        return namespace(G).reshape(self._samples.transposed(G), (-1,))

    def _mean_value(self, x: Array) -> Any:
        return mean(self._loss.values(self._outputs(x)))

    def _mean_gradient(self, x: Array) -> Array:
        return self._pull(self._loss.gradients(self._outputs(x)) / float(self.size))

    def _mean_value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        Z = self._outputs(x)
        return mean(self._loss.values(Z)), self._pull(self._loss.gradients(Z) / float(self.size))

    def _mean_linearize(self, x: Array) -> Any:
        return linearized(self._loss, self._outputs(x), self._outputs, self._pull, x, self.name)

    def _mean_hessian(self, x: Array) -> Any:
        return self._mean_gauss_newton(x)

    def _term_gradients(self, x: Array, rows: np.ndarray | None) -> Array:
        samples = self._samples if rows is None else self._samples.take(rows)
        X = samples.dense()
        xp = namespace(x)
        W = xp.reshape(x, (samples.features, self._loss.outputs))
        G = self._loss.take(rows).gradients(xp.matmul(X, W))
        return xp.reshape(X[:, :, None] * G[:, None, :], (samples.size, -1))

    def _subset(self, rows: np.ndarray) -> FiniteSum:
        part = self._copied(len(rows))
        part._samples, part._loss = self._samples.take(rows), self._loss.take(rows)
        return part  # type: ignore[no-any-return]


class SquaredLoss(Loss):
    """The weight times half the squared distance of the outputs from the targets.

    Parameters
    ----------
    targets : array, shape (N, k)
        What the outputs are compared with.
    weight : float
        Positive, the same for all samples.
    """

    def __init__(self, targets: Array, weight: float = 1.0) -> None:
        super().__init__(targets)
        self.weight = weight

    def values(self, Z: Array) -> Array:
        """w ||z_i - y_i||^2 / 2."""
        R = Z - self.targets
        return namespace(Z).sum((0.5 * self.weight * R) * R, axis=1)

    def gradients(self, Z: Array) -> Array:
        """The residuals z_i - y_i, times w."""
        return self.weight * (Z - self.targets)

    def curvature(self, Z: Array) -> Callable[[Array], Array]:
        """w times the identity."""
        return lambda D: self.weight * D


class LeastSquares(LinearModel):
    """f(x) = (1/N) sum_i (a_i' x - y_i)^2 / 2 + (l2/2) ||x||^2: the mean of half squares.

    Parameters
    ----------
    A : array, sparse matrix or operator with a transpose, shape (N, n)
        The rows are the a_i; referred to, not copied.
    y : array, shape (N,)
        With the library, device and dtype of `A`; integers take that of `A`.
    l2 : float
        Weight of the regulariser, not negative.

    Raises
    ------
    ArrayTypeError
        If `A` cannot be multiplied from both sides, or `y` does not live where it does.
    ShapeError
        If `A` is empty, or `y` has another length than `A` has rows.
    NonFiniteError
        If `y` or a matrix `A` holds NaN or infinity: one host transfer each.
    ArgumentError
        If `l2` is negative or not finite.

    Notes
    -----
    A value costs one product with A; a gradient, alone or with the value, one with A and
    one with A'; the Hessian A'A / N + l2 I, which is also the Gauss-Newton matrix, both for
    each product with it.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.problems import LeastSquares
    >>> p = LeastSquares(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([1.0, 2.0]))
    >>> p.value(np.zeros(2)), p.gradient(np.zeros(2))
    (1.25, array([-0.5, -2. ]))
    """

    def __init__(self, A: Any, y: Array, *, l2: float = 0.0) -> None:
        targets = real_vector(y, "y")
        samples = SampleMatrix(A, "A", like=targets)
        if targets is not y:
            targets = namespace(y).astype(y, samples.home.dtype)
        same_home(targets, samples.home, "y", "A")
        if targets.shape[0] != samples.size:
            raise ShapeError(f"y has length {targets.shape[0]} but A has {samples.size} rows")
        all_finite(targets, "y")
        super().__init__(samples, SquaredLoss(targets[:, None]), l2=l2, name="least squares")


class NonlinearLeastSquares(Problem):
    """f(x) = ||r(x)||^2 / 2, the sum of half squares of m residuals.

    Parameters
    ----------
    residual : callable
        x -> r(x), an array of shape (m,) with the library, device and dtype of x.
    jacobian : callable, optional
        x -> J, of shape (m, n): an array, or any operator with a transpose. Give this, or
        both `jvp` and `vjp`.
    jvp, vjp : callable, optional
        (x, v) -> J v and (x, w) -> J' w.
    second_order : callable, optional
        (x, r) -> sum_i r_i times the Hessian of r_i, shape (n, n): what the Hessian has
        besides J'J. An array or an operator.
    n, name, start, minimisers, optimal_value
        As for :class:`Problem`.

    Raises
    ------
    ArrayTypeError
        If one of the functions is not callable.
    ArgumentError
        If the Jacobian is not given in exactly one way.

    Notes
    -----
    The gradient is J' r; the Gauss-Newton matrix J'J costs one product with J and one with
    J' each time that it is multiplied, and is not formed. Where the Jacobian is given by
    its products, making the operator costs one evaluation of the residuals, for their number.
    """

    has_gauss_newton = True
    has_linearization = True

    def __init__(
        self,
        residual: Callable[[Array], Array],
        jacobian: Callable[[Array], Any] | None = None,
        *,
        jvp: Callable[[Array, Array], Array] | None = None,
        vjp: Callable[[Array, Array], Array] | None = None,
        second_order: Callable[[Array, Array], Any] | None = None,
        n: int | None = None,
        name: str = "nonlinear least squares",
        start: Array | None = None,
        minimisers: Sequence[Array] = (),
        optimal_value: float | None = None,
    ) -> None:
        super().__init__(
            n, name=name, start=start, minimisers=minimisers, optimal_value=optimal_value
        )
        given = {"jacobian": jacobian, "jvp": jvp, "vjp": vjp, "second_order": second_order}
        for argument, function in {"residual": residual, **given}.items():
            if not callable(function) and (argument == "residual" or function is not None):
                raise ArrayTypeError(f"{argument} must be callable, got {type(function).__name__}")
        products = (jvp is not None, vjp is not None)
        if products not in ((False, False), (True, True)) or (jacobian is None) != all(products):
            raise ArgumentError("give either jacobian, or both jvp and vjp")
        self._residual, self._jacobian_of = residual, jacobian
        self._jvp, self._vjp, self._second_order = jvp, vjp, second_order
        self.has_hessian = second_order is not None

    def residual(self, x: Array) -> Array:
        """r(x), shape (m,).

        Raises
        ------
        ArrayTypeError
            If `x` or what the function returns is not a real vector, or the latter does not
            live where `x` does.
        ShapeError
            If `x` has another length than `n`.
        """
        return self._residuals(self._point(x))

    def jacobian(self, x: Array) -> Operator:
        """J at x as an operator of shape (m, n) with a transpose.

        Raises
        ------
        ArrayTypeError, ShapeError
            As for :meth:`residual`; if the Jacobian has no transpose, or does not fit.
        """
        return self._jacobian(self._point(x))

    def _residuals(self, x: Array) -> Array:
        r = self._residual(x)
        name = f"the residual of {self.name}"
        if not is_array(r):
            raise ArrayTypeError(f"{name} must be an array, got {type(r).__name__}")
        r = real_vector(r, name)
        same_home(r, x, name, "x")
        return r

    def _jacobian(self, x: Array, r: Array | None = None) -> Operator:
        """The Jacobian; `r`, where it is known, spares an evaluation for its length."""
        name, n = f"the Jacobian of {self.name}", int(x.shape[0])
        if self._jacobian_of is None:
            assert self._jvp is not None
            assert self._vjp is not None
            m = int((self._residuals(x) if r is None else r).shape[0])
            return OutputJacobian((m, n), partial(self._jvp, x), partial(self._vjp, x), x, name)
        J = as_operator(self._jacobian_of(x), name)
        wanted = (J.shape[0] if r is None else int(r.shape[0]), n)
        if J.shape != wanted:
            raise ShapeError(f"{name} must have shape {wanted}, got {J.shape}")
        if not J.has_transpose:
            raise ArrayTypeError(f"{name} must know its transpose (an rmatvec)")
        J.check_home(x, "x")
        return J

    def _value(self, x: Array) -> Any:
        return self._half_square(self._residuals(x))

    def _gradient(self, x: Array) -> Array:
        return self._value_and_gradient(x)[1]

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        r = self._residuals(x)
        return self._half_square(r), self._jacobian(x, r).rmatvec(r)

    @staticmethod
    def _half_square(r: Array) -> Any:
        return namespace(r).vecdot(0.5 * r, r)

    def _gram(self, J: Operator, x: Array) -> Operator:
        name = f"Gauss-Newton matrix of {self.name}"
        return Curvature(lambda v: J.rmatvec(J.matvec(v)), x, name)

    def _gauss_newton(self, x: Array) -> Any:
        return self._gram(self._jacobian(x), x)

    def _linearize(self, x: Array) -> Any:
        r = self._residuals(x)
        return self._half_square(r), self._jacobian(x, r), r, lambda u: u

    def _hessian(self, x: Array) -> Any:
        assert self._second_order is not None
        r = self._residuals(x)
        term = self._second_order(x, r)
        rest = as_operator(term, f"the second-order term of {self.name}", like=x)
        return self._gram(self._jacobian(x, r), x) + rest
