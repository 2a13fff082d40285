"""The Hessian of a function known by its gradient, by differences along the vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from tralgos.arrays import Array, eps, namespace, real_vector, same_home, to_host
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators.base import Operator, finite_number

__all__ = ["FiniteDifferenceHessian"]


class FiniteDifferenceHessian(Operator):
    r"""Hessian of a function at a point, from its gradient: one or two gradients a product.

    Parameters
    ----------
    grad : callable
        x -> gradient, an array with the shape, library, device and dtype of `x`.
    x : array, shape (n,)
        The point, float32 or float64; integers become float64. It is copied.
    g : array, shape (n,), optional
        The gradient at `x`, where it is known already. It is copied. Used by
        the forward scheme alone, which computes it otherwise.
    gradient_error : float, optional
        a, the rounding error of `grad` over the size of its terms; see Notes.
        Default, and lower bound: eps of the dtype, since the rounding of the
        argument costs that much.
    curvature_change : float, optional
        b, how fast the Hessian changes; see Notes. Default 1.
    scale : float, optional
        X, the length over which the Hessian changes. Default max(1, ||x||).
    scheme : {"forward", "central"}
        ``"forward"`` takes one gradient a product, ``"central"`` two, and is
        more accurate.
    name : str
        What error messages call the operator.

    Attributes
    ----------
    step : float
        h, the length of the displacement of `x`.
    relative_error : float
        The error that the derivation below promises for a product with a unit
        vector, over K.
    symmetry_tolerance : float
        min(0.1, 100 sqrt(n) `relative_error`).
    gradient_evaluations : int
        Calls of `grad` so far.

    Raises
    ------
    ArrayTypeError
        If `x` or `g` is not a real vector, `grad` is not callable, or what it
        returns does not share the library, the device and the dtype of `x`.
    ShapeError
        If `g`, or what `grad` returns, does not have the shape of `x`.
    NonFiniteError
        If `x` has NaN or infinity.
    ArgumentError
        If a parameter is not positive and finite, or the scheme is unknown.

    Notes
    -----
    **The best step.** Let u be a unit vector, h > 0, and let each computed
    gradient be wrong by at most :math:`\epsilon_g` in norm. If the Hessian is
    Lipschitz continuous with constant L, the forward difference

    .. math:: Hu \approx \frac{\nabla f(x + hu) - \nabla f(x)}{h}

    is wrong by at most :math:`E(h) = 2\epsilon_g/h + Lh/2`: two roundings, and
    the mean over the segment of :math:`(H(x + thu) - H(x))u`. Setting E'(h) to
    zero gives

    .. math:: h = 2\sqrt{\epsilon_g / L}, \qquad E = 2\sqrt{\epsilon_g L}.

    The central difference :math:`(\nabla f(x + hu) - \nabla f(x - hu))/2h` is
    wrong by at most :math:`\epsilon_g/h + Ch^2/6`, with C a bound on the second
    derivative of the Hessian along u, and

    .. math:: h = (3\epsilon_g / C)^{1/3}, \qquad
        E = \tfrac{3}{2}\,(C/3)^{1/3}\,\epsilon_g^{2/3}.

    **Its units.** Neither constant is known as a rule, but their ratio is
    nearly free of units. Let K be the size of the Hessian and X the length over
    which it changes. A gradient is a sum of terms of the size K X, and the
    rounding of x + hu perturbs it by up to K eps ||x|| / 2, so
    :math:`\epsilon_g = aKX`; and L = b K / X, C = b K / X^2. K drops out:

    .. math:: h = 2X\sqrt{a/b} \quad\text{or}\quad h = X(3a/b)^{1/3}, \qquad
        E/K = 2\sqrt{ab} \quad\text{or}\quad
        \tfrac{3}{2}\,(b/3)^{1/3} a^{2/3}.

    By default a = eps, b = 1 and X = max(1, ||x||): about 3e-8 (forward) and
    4e-11 (central) of K in float64, 7e-4 and 3e-5 in float32. A noisy gradient
    needs its own `gradient_error`. With ``scale=1`` the parameters are the
    absolute :math:`\epsilon_g` and L (or C), in units in which K = 1.

    **The length of the vector.** Hv is computed as ||v|| Hu with u = v/||v||, so
    it does not depend on the length of v: multiplying v by a power of two
    multiplies the product by it, exactly, and v = 0 gives 0. No product
    transfers anything to the host; the constructor makes one transfer, for
    ||x||.

    **What it is not.** The product is not exactly linear in v, nor the operator
    exactly symmetric: both fail by about `relative_error`. So `symmetric` is
    None, the transpose is not offered, and `symmetry_tolerance` tells
    :func:`check_symmetric` what to put up with: a random pair shows an error of
    up to 2 sqrt(n) E beside ||H||_F >= K, and the factor of 100 allows for a
    tail of the normal distribution and for a Hessian that changes faster than
    b = 1 says. A certificate built on such an operator is one for the operator,
    and for the Hessian within that error.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.operators import FiniteDifferenceHessian
    >>> H = FiniteDifferenceHessian(lambda x: x**3, np.array([1.0, 2.0]), scheme="central")
    >>> np.round(H @ np.array([1.0, 1.0]), 6)
    array([ 3., 12.])
    """

    def __init__(
        self,
        grad: Callable[[Array], Array],
        x: Array,
        *,
        g: Array | None = None,
        gradient_error: float | None = None,
        curvature_change: float | None = None,
        scale: float | None = None,
        scheme: Literal["forward", "central"] = "forward",
        name: str = "finite-difference Hessian",
    ) -> None:
        if not callable(grad):
            raise ArrayTypeError(f"grad must be callable, got {type(grad).__name__}")
        if scheme not in ("forward", "central"):
            raise ArgumentError(f"scheme must be 'forward' or 'central', got {scheme!r}")
        # Copies: a minimiser may well update its iterate in place, and a gradient
        # function return the same buffer each time.
        self._x = _copy(real_vector(x, "x"))
        self.scheme = scheme
        self.gradient_evaluations = 0
        self._grad = grad
        n = int(self._x.shape[0])
        a = max(eps(self._x.dtype), _positive(gradient_error, "gradient_error", 0.0))
        b = _positive(curvature_change, "curvature_change", 1.0)
        length = _norm(self._x)
        factor, self.relative_error = _best_step(a, b, scheme)
        self.step = _positive(scale, "scale", max(1.0, length)) * factor
        super().__init__(
            (n, n),
            name=name,
            home=self._x,
            symmetry_tolerance=min(0.1, 100.0 * math.sqrt(n) * self.relative_error),
        )
        self._g: Array | None = None
        if scheme == "forward":
            self._g = self._gradient(self._x) if g is None else self._checked(g, "g")

    def _gradient(self, x: Array) -> Array:
        """The user's gradient at `x`, checked and copied."""
        self.gradient_evaluations += 1
        return self._checked(self._grad(x), "the result of grad")

    def _checked(self, g: Array, name: str) -> Array:
        """A copy of `g`, which has to be like `x`."""
        vector = real_vector(g, name)
        same_home(vector, self._x, name, "x")
        if vector.shape != self._x.shape:
            raise ShapeError(
                f"{name} has shape {tuple(vector.shape)} but x has {tuple(self._x.shape)}"
            )
        return _copy(vector)

    def _matvec(self, x: Array) -> Array:
        xp = namespace(x)
        # In two factors, size * length = ||v||, so that no square overflows.
        size = xp.max(xp.abs(x))
        unscaled = x / _or_one(size)
        length = _or_one(xp.linalg.vector_norm(unscaled))
        displacement = (self.step / length) * unscaled
        if self._g is not None:
            difference = self._gradient(self._x + displacement) - self._g
            product = difference * (length / self.step)
        else:
            ahead = self._gradient(self._x + displacement)
            difference = ahead - self._gradient(self._x - displacement)
            product = difference * (length / (2.0 * self.step))
        return product * size


def _best_step(a: float, b: float, scheme: str) -> tuple[float, float]:
    """The step over X and the error over K; see the Notes of the class."""
    if scheme == "forward":
        return 2.0 * math.sqrt(a / b), 2.0 * math.sqrt(a * b)
    return (3.0 * a / b) ** (1 / 3), 1.5 * (b / 3.0) ** (1 / 3) * a ** (2 / 3)


def _or_one(x: Array) -> Array:
    """The 0-d array `x`, with one in place of zero."""
    xp = namespace(x)
    return xp.where(x == 0, xp.ones_like(x), x)


def _norm(x: Array) -> float:
    """The Euclidean norm of `x` without overflow, in one transfer."""
    if x.shape[0] == 0:
        return 0.0
    xp = namespace(x)
    size = xp.max(xp.abs(x))
    with np.errstate(invalid="ignore"):  # an error follows, a warning need not come first
        unscaled = x / _or_one(size)
    bounded, factor = to_host(xp.stack([xp.linalg.vector_norm(unscaled), size]))
    norm = float(bounded) * float(factor)
    if not math.isfinite(norm):
        raise NonFiniteError("x has entries that are NaN or infinite")
    return norm


def _copy(x: Array) -> Array:
    """A copy of `x` in its own library and on its own device."""
    return namespace(x).asarray(x, copy=True)


def _positive(value: float | None, name: str, default: float) -> float:
    """`value` as a positive finite float, `default` where it is None."""
    if value is None:
        return default
    number = finite_number(value, name)
    if number <= 0.0:
        raise ArgumentError(f"{name} must be positive, got {number}")
    return number
