"""Second-order forward differentiation, vectorised over the elements of a sum.

A jet is the value of a formula at E places together with its first and, if wanted,
second derivatives with respect to the k inputs of the formula. Arithmetic on jets is
the chain rule and nothing else, so that a formula is written once, and its gradient and
its Hessian cannot disagree with it. The functions of this module take jets and plain
arrays alike: a formula applied to arrays gives its value alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["Jet", "angle", "cos", "exp", "log", "modulus", "product", "seed", "sin", "sqrt", "tan"]


class Jet:
    """Values, gradients and Hessians of one formula of k inputs at E places.

    Parameters
    ----------
    value : array, shape (E,)
        float64; complex128 where a formula is differentiated by a complex step.
    gradient : array, shape (k, E)
        First derivatives.
    hessian : array, shape (k, k, E), optional
        Second derivatives, symmetric to the last bit in the first two axes; None where
        they are not carried.

    Notes
    -----
    An operation costs O(k^2 E), or O(k E) without second derivatives. Numbers and arrays
    of shape (E,) take part as constants. Exponents are numbers. The value is that of the
    same formula applied to arrays, to the last bit.
    """

    # NumPy arrays then leave `array * jet` to this class.
    __array_ufunc__ = None

    def __init__(
        self, value: np.ndarray, gradient: np.ndarray, hessian: np.ndarray | None = None
    ) -> None:
        self.value, self.gradient, self.hessian = value, gradient, hessian

    def compose(self, value: Any, first: Any, second: Any) -> Jet:
        """phi(u), given phi(u), phi'(u) and phi''(u): the chain rule."""
        g = self.gradient
        hessian = None
        if self.hessian is not None:
            hessian = second * (g[:, None] * g[None, :]) + first * self.hessian
        return Jet(value, first * g, hessian)

    def __add__(self, other: Any) -> Jet:
        """The sum with a jet or a constant."""
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.gradient, self.hessian)
        hessian = None
        if self.hessian is not None and other.hessian is not None:
            hessian = self.hessian + other.hessian
        return Jet(self.value + other.value, self.gradient + other.gradient, hessian)

    __radd__ = __add__

    def __neg__(self) -> Jet:
        """The negative."""
        return self * -1.0

    def __sub__(self, other: Any) -> Jet:
        """The difference from a jet or a constant."""
        difference: Jet = self + (-1.0 * other)
        return difference

    def __rsub__(self, other: Any) -> Jet:
        """A constant less the jet."""
        difference: Jet = other + -self
        return difference

    def __mul__(self, other: Any) -> Jet:
        """The product with a jet (Leibniz) or a constant."""
        if not isinstance(other, Jet):
            hessian = None if self.hessian is None else self.hessian * other
            return Jet(self.value * other, self.gradient * other, hessian)
        u, v = self, other
        hessian = None
        if u.hessian is not None and v.hessian is not None:
            cross = u.gradient[:, None] * v.gradient[None, :]
            # The two halves are added first: the sum is then symmetric to the last bit.
            cross = cross + np.swapaxes(cross, 0, 1)
            hessian = u.value * v.hessian + v.value * u.hessian + cross
        return Jet(u.value * v.value, u.value * v.gradient + v.value * u.gradient, hessian)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Jet:
        """The quotient by a jet or a constant."""
        if not isinstance(other, Jet):
            hessian = None if self.hessian is None else self.hessian / other
            return Jet(self.value / other, self.gradient / other, hessian)
        # By differentiating q v = u: the value is then the rounded quotient, as for arrays.
        u, v = self, other
        q = u.value / v.value
        gradient = (u.gradient - q * v.gradient) / v.value
        hessian = None
        if u.hessian is not None and v.hessian is not None:
            cross = gradient[:, None] * v.gradient[None, :]
            cross = cross + np.swapaxes(cross, 0, 1)
            hessian = (u.hessian - q * v.hessian - cross) / v.value
        return Jet(q, gradient, hessian)

    def __rtruediv__(self, other: Any) -> Jet:
        """A constant divided by the jet."""
        q, u = other / self.value, self.value
        return self.compose(q, -q / u, 2.0 * q / (u * u))

    def __pow__(self, p: int | float) -> Jet:
        """u to the power of a number."""
        u = self.value
        # A derivative that vanishes identically is not left to 0 times infinity.
        first = p * u ** (p - 1) if p != 0 else 0.0 * u
        second = p * (p - 1) * u ** (p - 2) if p not in (0, 1) else 0.0 * u
        return self.compose(u**p, first, second)


def seed(values: np.ndarray, second: bool) -> list[Jet]:
    """The k inputs of a formula, each with derivative one with respect to itself.

    Parameters
    ----------
    values : array, shape (k, E)
        The values of the inputs at E places.
    second : bool
        Whether second derivatives are to be carried.
    """
    k, count = values.shape
    jets = []
    for slot in range(k):
        gradient = np.zeros((k, count), dtype=values.dtype)
        gradient[slot] = 1.0
        hessian = np.zeros((k, k, count), dtype=values.dtype) if second else None
        jets.append(Jet(values[slot], gradient, hessian))
    return jets


def exp(u: Any) -> Any:
    """The exponential of a jet or an array."""
    if not isinstance(u, Jet):
        return np.exp(u)
    e = np.exp(u.value)
    return u.compose(e, e, e)


def log(u: Any) -> Any:
    """The natural logarithm of a jet or an array."""
    if not isinstance(u, Jet):
        return np.log(u)
    r = 1.0 / u.value
    return u.compose(np.log(u.value), r, -r * r)


def sin(u: Any) -> Any:
    """The sine of a jet or an array."""
    if not isinstance(u, Jet):
        return np.sin(u)
    s, c = np.sin(u.value), np.cos(u.value)
    return u.compose(s, c, -s)


def cos(u: Any) -> Any:
    """The cosine of a jet or an array."""
    if not isinstance(u, Jet):
        return np.cos(u)
    s, c = np.sin(u.value), np.cos(u.value)
    return u.compose(c, -s, -c)


def tan(u: Any) -> Any:
    """The tangent of a jet or an array."""
    if not isinstance(u, Jet):
        return np.tan(u)
    t = np.tan(u.value)
    return u.compose(t, 1.0 + t * t, 2.0 * t * (1.0 + t * t))


def sqrt(u: Any) -> Any:
    """The square root of a jet or an array."""
    if not isinstance(u, Jet):
        return np.sqrt(u)
    s = np.sqrt(u.value)
    return u.compose(s, 0.5 / s, -0.25 / (s * u.value))


def modulus(u: Any) -> Any:
    """The absolute value of a jet or an array, continued analytically off the real line."""
    value = u.value if isinstance(u, Jet) else u
    sign = np.where(value.real < 0.0, -1.0, 1.0)
    return u * sign


def angle(y: Any, x: Any) -> Any:
    """The polar angle of (x, y) in turns, in (-1/4, 3/4]; both jets or both arrays.

    The cut is the half-line x = 0, y < 0, where the value is -1/4.
    """
    if not isinstance(y, Jet):
        turns = np.arctan2(y, x) / (2.0 * math.pi)
        return np.where(turns < -0.25, turns + 1.0, turns)
    a, b = x.value, y.value
    square = a * a + b * b
    turn = 1.0 / (2.0 * math.pi * square)
    da, db = -b * turn, a * turn
    gx, gy = x.gradient, y.gradient
    hessian = None
    if x.hessian is not None and y.hessian is not None:
        # Second derivatives of arctan(b/a): 2ab, b^2 - a^2, -2ab over the square of a^2 + b^2.
        aa, ab = 2.0 * a * b * turn / square, (b * b - a * a) * turn / square
        cross = gx[:, None] * gy[None, :]
        pure = gx[:, None] * gx[None, :] - gy[:, None] * gy[None, :]
        hessian = aa * pure + ab * (cross + np.swapaxes(cross, 0, 1))
        hessian = hessian + da * x.hessian + db * y.hessian
    return Jet(angle(b, a), da * gx + db * gy, hessian)


def product(factors: list[Any]) -> Any:
    """The product of jets or arrays; also right where some of them vanish."""
    result = factors[0]
    for factor in factors[1:]:
        result = result * factor
    return result
