r"""A composite function f = L(phi(x)) at a point: the model's Jacobian and the loss there.

In the symbols of *CurveBall* (section 2.3) :math:`J_\phi^T` is the Jacobian here, the matrix of
the outputs' derivatives, one output a row. A product with it is a forward one (FMAD), one with its
transpose a reverse one (RMAD, back-propagation). The gradient is :math:`J = J_\phi J_L`, and the
Gauss-Newton matrix :math:`\hat H = J_\phi H_L J_\phi^T` (eq. 10).
"""

from __future__ import annotations

from collections.abc import Callable

from tralgos.arrays import Array, real_vector, same_home
from tralgos.errors import ShapeError
from tralgos.operators import Operator

__all__ = ["Linearization"]


class Linearization:
    """A composite function at one point.

    Parameters
    ----------
    value : float
        L(phi(x)), with all terms of f that belong to it.
    jacobian : Operator, shape (o, n), with a transpose
        The derivatives of the o outputs phi.
    loss_gradient : array, shape (o,)
        The gradient J_L of the loss at the outputs.
    loss_curvature : callable
        u -> H_L u, the Hessian of the loss at the outputs; arrays of shape (o,).

    Attributes
    ----------
    value, jacobian, loss_gradient
        As above.

    Raises
    ------
    ShapeError
        If loss gradient and Jacobian do not fit together.
    """

    def __init__(
        self,
        value: float,
        jacobian: Operator,
        loss_gradient: Array,
        loss_curvature: Callable[[Array], Array],
    ) -> None:
        self.value = value
        self.jacobian = jacobian
        self.loss_gradient = loss_gradient
        self._loss_curvature = loss_curvature
        if int(loss_gradient.shape[0]) != jacobian.shape[0]:
            raise ShapeError(
                f"the loss has a gradient of length {loss_gradient.shape[0]}, {jacobian.name} has "
                f"{jacobian.shape[0]} rows"
            )

    def loss_curvature(self, u: Array) -> Array:
        """H_L u, shape (o,): no product with the Jacobian.

        Raises
        ------
        ArrayTypeError, ShapeError
            If the loss returns something of another kind, length or home than `u`.
        """
        product = real_vector(self._loss_curvature(u), "the product with the loss's Hessian")
        same_home(product, u, "the product with the loss's Hessian", "its argument")
        if tuple(product.shape) != tuple(u.shape):
            raise ShapeError(
                f"the product with the loss's Hessian has shape {tuple(product.shape)}, its "
                f"argument {tuple(u.shape)}"
            )
        return product

    def gradient(self) -> Array:
        """J_phi J_L, shape (n,): one reverse product."""
        return self.jacobian.rmatvec(self.loss_gradient)

    def gauss_newton(self, v: Array) -> Array:
        """J_phi H_L J_phi' v, shape (n,) (eq. 12): one forward and one reverse product."""
        return self.jacobian.rmatvec(self.loss_curvature(self.jacobian.matvec(v)))
