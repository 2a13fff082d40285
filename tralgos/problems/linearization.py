r"""A composite function f = L(phi(x)) at a point: the model's Jacobian and the loss there.

In the symbols of *CurveBall* (section 2.3) :math:`J_\phi^T` is the Jacobian here, the matrix of
the outputs' derivatives, one output a row. A product with it is a forward one (FMAD), one with its
transpose a reverse one (RMAD, back-propagation). The gradient is :math:`J = J_\phi J_L`, and the
Gauss-Newton matrix :math:`\hat H = J_\phi H_L J_\phi^T` (eq. 10).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arrays import (
    Array,
    namespace,
    real_vector,
    same_home,
    standard_normal,
    to_float,
    to_host,
)
from tralgos.errors import ArrayTypeError, ShapeError
from tralgos.operators import Operator
from tralgos.problems.differences import SAFETY, Probe

__all__ = [
    "Curvature",
    "Linearization",
    "LinearizationCheck",
    "OutputJacobian",
    "add_square",
    "check_linearization",
]


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
    ArrayTypeError
        If `loss_curvature` is not callable.
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
        if not callable(loss_curvature):
            raise ArrayTypeError(
                f"loss_curvature must be callable, got {type(loss_curvature).__name__}"
            )
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


class Curvature(Operator):
    """A symmetric operator from its product; vectors live where the point does."""

    def __init__(self, product: Callable[[Array], Array], x: Array, name: str) -> None:
        n = int(x.shape[0])
        super().__init__((n, n), name=name, home=x, symmetric=True)
        self._product = product

    def _matvec(self, x: Array) -> Array:
        return self._product(x)


class OutputJacobian(Operator):
    """The derivatives of a model's outputs at x, known by their products alone.

    Parameters
    ----------
    shape : tuple of int
        (o, n).
    forward : callable
        v -> J_phi' v, shape (o,), for v of shape (n,).
    reverse : callable
        u -> J_phi u, shape (n,), for u of shape (o,).
    x : array, shape (n,)
        Shows where vectors live.
    name : str
        What error messages call it.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        forward: Callable[[Array], Array],
        reverse: Callable[[Array], Array],
        x: Array,
        name: str,
    ) -> None:
        super().__init__(shape, name=name, home=x)
        self._forward, self._reverse = forward, reverse

    @property
    def has_transpose(self) -> bool:
        """True."""
        return True

    def _matvec(self, x: Array) -> Array:
        return self._forward(x)

    def _rmatvec(self, x: Array) -> Array:
        return self._reverse(x)


def add_square(
    J: Operator,
    loss_gradient: Array,
    loss_curvature: Callable[[Array], Array],
    x: Array,
    weight: float,
) -> tuple[Operator, Array, Callable[[Array], Array]]:
    """The parts of L(phi(x)) + (weight/2) ||x||^2, a loss of the outputs (phi(x), x).

    The Jacobian has an identity below that of phi, so that a product with it costs no more.
    """
    xp = namespace(x)
    o, n = J.shape

    def curvature(u: Array) -> Array:
        return xp.concat([loss_curvature(u[:o]), weight * u[o:]])

    stacked = OutputJacobian(
        (o + n, n),
        lambda v: xp.concat([J.matvec(v), v]),
        lambda u: J.rmatvec(u[:o]) + u[o:],
        x,
        J.name,
    )
    return stacked, xp.concat([loss_gradient, weight * x]), curvature


@dataclass(frozen=True)
class LinearizationCheck:
    """What a linearization says of itself and of the function, and differences of it.

    Attributes
    ----------
    ok : bool
        Whether everything below is within rounding or its tolerance.
    message : str
        The findings in sentences; what is wrong is named.
    value_error : float
        |L(phi(x)) - f(x)|.
    asymmetry : float
        |u'(Jv) - v'(J'u)| / sqrt(||Jv||^2 + ||J'u||^2) for random vectors.
    gradient_error, gradient_tolerance : float
        The worst entry of the difference between J' J_L and the gradient, and what rounding
        explains, both over the largest entry of the gradient (1 if that is zero).
    gradient_index : int
        The worst entry.
    gauss_newton_error : float or None
        The same of J' H_L J v and the Gauss-Newton matrix times v, over the largest entry of the
        latter; None where the problem has no such matrix.
    slope_computed, slope_expected : float
        u' H_L J v, and the difference along v of u' J_L, at the worst pair of random vectors.
    slope_error, slope_tolerance : float
        |computed - expected|, and what rounding and truncation allow there; an infinite
        tolerance says that no difference could be taken.
    """

    ok: bool
    message: str
    value_error: float
    asymmetry: float
    gradient_error: float
    gradient_tolerance: float
    gradient_index: int
    gauss_newton_error: float | None
    slope_computed: float
    slope_expected: float
    slope_error: float
    slope_tolerance: float


def check_linearization(probe: Probe, rng: np.random.Generator) -> LinearizationCheck:
    """Compare a linearization with the function, with itself and with differences.

    The outputs are not known, only the gradient of the loss in them. So a forward product is
    judged by H_L J v, the derivative of that gradient along v, and a reverse one by the forward
    one; what H_L takes away is seen through J' J_L alone.

    Parameters
    ----------
    probe : Probe
        The problem at the point.
    rng : numpy.random.Generator
        Draws the vectors.
    """
    local = probe.problem.linearize(probe.x)
    value_error = abs(local.value - probe.f)
    asymmetry = _asymmetry(probe, local, rng)
    index, error, tolerance = _gradient_defect(probe, local, rng)
    product_error, product_tolerance = _product_defect(probe, local, rng)
    computed, d, slope_tolerance = _slope_defect(probe, local, rng)
    unit = probe.size or 1.0
    right = {
        "its value": value_error <= SAFETY * probe.noise,
        "the transpose of its Jacobian": asymmetry <= _rounding(probe, local),
        "its gradient": error <= tolerance,
        "its Gauss-Newton product": product_error is None or product_error <= product_tolerance,
        "the change of the loss's gradient": abs(d) <= slope_tolerance,
    }
    words = [
        f"Linearization: its value is off by {value_error:.2g}. Products with its Jacobian and "
        f"with the transpose differ by {asymmetry:.2g}. Its gradient differs most in entry "
        f"{index}, by {error / unit:.2g} of the largest entry; {tolerance / unit:.2g} is explained."
    ]
    if product_error is not None:
        words.append(
            f"Its Gauss-Newton product is off by {product_error:.2g} of the largest entry."
        )
    words.append(
        f"The gradient of the loss changes along a direction by {computed:.9g} where differences "
        f"give {computed + d:.9g}; {slope_tolerance:.2g} is explained."
    )
    wrong = " and ".join(part for part, holds in right.items() if not holds)
    if wrong:
        words.insert(0, f"The linearization is wrong: {wrong}.")
    return LinearizationCheck(
        not wrong,
        " ".join(words),
        value_error,
        asymmetry,
        error / unit,
        tolerance / unit,
        index,
        product_error,
        computed,
        computed + d,
        abs(d),
        slope_tolerance,
    )


def _rounding(probe: Probe, local: Linearization) -> float:
    """What rounding may do to a product, over its largest entry."""
    return max(1e4, 100.0 * math.sqrt(max(local.jacobian.shape))) * probe.eps


def _host(x: Array) -> np.ndarray:
    host: np.ndarray = to_host(x).astype(np.float64)
    return host


def _asymmetry(probe: Probe, local: Linearization, rng: np.random.Generator) -> float:
    o, n = local.jacobian.shape
    u, v = standard_normal(o, probe.x, rng), standard_normal(n, probe.x, rng)
    Jv, Ju = _host(local.jacobian.matvec(v)), _host(local.jacobian.rmatvec(u))
    size = max(float(np.max(np.abs(Jv))), float(np.max(np.abs(Ju)))) or 1.0
    Jv, Ju = Jv / size, Ju / size
    squares = math.sqrt(float(Jv @ Jv + Ju @ Ju)) or 1.0
    return abs(float(_host(u) @ Jv - _host(v) @ Ju)) / squares


def _gradient_defect(
    probe: Probe, local: Linearization, rng: np.random.Generator
) -> tuple[int, float, float]:
    """The entry where J' J_L is furthest from the gradient, by how much, and a tolerance."""
    defect = np.abs(_host(local.gradient()) - probe.g)
    i = int(np.argmax(np.where(np.isnan(defect), np.inf, defect)))
    # With random signs and sizes the terms do not cancel: what their rounding is measured by.
    signs = standard_normal(local.jacobian.shape[0], probe.x, rng)
    terms = np.max(np.abs(_host(local.jacobian.rmatvec(signs * local.loss_gradient))))
    rounding = 8.0 * probe.eps * math.sqrt(max(local.jacobian.shape))
    tolerance = SAFETY * float(np.max(probe.shaken)) + rounding * (float(terms) + probe.size)
    return i, float(defect[i]), tolerance


def _product_defect(
    probe: Probe, local: Linearization, rng: np.random.Generator
) -> tuple[float | None, float]:
    """How far J' H_L J v is from the Gauss-Newton matrix times v, and a tolerance."""
    if not probe.problem.has_gauss_newton:
        return None, 0.0
    A = probe.problem.gauss_newton(probe.x)
    v = standard_normal(probe.n, probe.x, rng)
    want = _host(A.matvec(v))
    size = float(np.max(np.abs(want))) or 1.0
    error = float(np.max(np.abs(_host(local.gauss_newton(v)) / size - want / size)))
    return error, A.symmetry_tolerance or _rounding(probe, local)


class _Slope:
    """y -> u' J_L(y) with the gradient J' H_L u: the Hessian of a loss is symmetric."""

    def __init__(self, problem: Any, u: Array) -> None:
        self.name = f"the loss's gradient of {problem.name}"
        self._problem, self._u = problem, u

    def value(self, y: Array) -> float:
        return to_float(namespace(y).vecdot(self._u, self._problem.linearize(y).loss_gradient))

    def gradient(self, y: Array) -> Array:
        local = self._problem.linearize(y)
        return local.jacobian.rmatvec(local.loss_curvature(self._u))


def _slope_defect(
    probe: Probe, local: Linearization, rng: np.random.Generator
) -> tuple[float, float, float]:
    """u' H_L J v, the difference less that, and a tolerance, at the worst of four pairs."""
    o, n = local.jacobian.shape
    xp = namespace(probe.x)
    if not np.all(np.isfinite(_host(local.loss_gradient))):
        return math.nan, math.nan, 0.0
    worst, ratio = (0.0, 0.0, math.inf), -1.0
    for _ in range(2):
        u = standard_normal(o, probe.x, rng)
        along = Probe(_Slope(probe.problem, u), probe.x, rng)
        for _ in range(2):
            v = standard_normal(n, probe.x, rng)
            product = local.loss_curvature(local.jacobian.matvec(v))
            slope = to_float(xp.vecdot(u, product))
            reverse = to_float(xp.vecdot(along.gradient, v))
            terms = math.sqrt(o) * float(np.max(np.abs(_host(product)))) + math.sqrt(n) * along.size
            floor = SAFETY * float(np.sum(along.shaken))
            floor += 8.0 * along.eps * math.sqrt(max(o, n)) * terms
            d, tolerance = along.defect(v, along.scale, floor, terms)
            d += reverse - slope
            badness = abs(d) / tolerance if tolerance > 0.0 else (math.inf if d else 0.0)
            if not badness <= ratio:
                worst, ratio = (slope, d, tolerance), badness
    return worst
