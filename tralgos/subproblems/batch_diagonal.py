"""Many dense matrices to diagonal form by the library's own batched eigendecomposition.

For devices, and for orders at which LAPACK is the faster one. The secular equation has a
closed form, whose shifts from the leftmost eigenvalue are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arrays import Array, device_of, eps, namespace
from tralgos.subproblems.batch_points import Point
from tralgos.subproblems.direct import eigenvalue_multiple

__all__ = ["DiagonalSystem", "EigenReduction"]

_EPS = 2.0**-52
#: The leftmost eigenvalue is off by less than this times eps ||H||, at orders where
#: `eigenvalue_multiple` is not larger. Measured on 139,000 matrices of order 2 to 30 with
#: LAPACK's divide and conquer: below 12.5.
_LEAST_MULTIPLE = 20.0


class EigenReduction:
    """T = Q'HQ diagonal and c = Q'g for each of b matrices, on their device.

    Parameters
    ----------
    H : array, shape (b, n, n)
        Scaled: entries at most one.
    g : array, shape (n, b)
        Scaled.

    Attributes
    ----------
    values, c : array, shape (n, b)
        Ascending eigenvalues, and Q'g; float64.
    theta, error, size, gamma : array, shape (b,)
        The leftmost eigenvalue, a bound on its error, ||H||, ||g||.
    """

    def __init__(self, H: Array, g: Array) -> None:
        self._xp = xp = namespace(H)
        self._H = H
        self.g = g
        values, self._vectors = xp.linalg.eigh(H)
        self.values = xp.astype(xp.matrix_transpose(values), xp.float64)
        self.c = xp.astype(self._times(xp.matrix_transpose(self._vectors), g), xp.float64)
        self.theta = self.values[0, :]
        self.size = xp.max(xp.abs(self.values), axis=0)
        multiple = eigenvalue_multiple(_LEAST_MULTIPLE, int(H.shape[-1]))
        self.error = multiple * eps(H.dtype) * self.size
        self.gamma = xp.sqrt(xp.sum(self.c * self.c, axis=0))

    def _times(self, A: Array, x: Array) -> Array:
        xp = self._xp
        rows = xp.matmul(A, xp.expand_dims(xp.matrix_transpose(x), axis=-1))
        return xp.matrix_transpose(rows[:, :, 0])

    def back(self, h: Array) -> Array:
        """Q h in the dtype of H, shape (n, b)."""
        return self._times(self._vectors, self._xp.astype(h, self._H.dtype))

    def product(self, y: Array) -> Array:
        """H y for y of shape (n, b)."""
        return self._times(self._H, y)

    def inside(self) -> tuple[Array, Array]:
        """h = -T^-1 c, and whether T is positive definite."""
        return -self.c / self.values, self.theta > 0.0

    def system(self, weight_H: Array, weight_g: Array) -> DiagonalSystem:
        """The shifted problem with T and c weighted."""
        xp = self._xp
        theta = self.theta * weight_H
        zero = xp.zeros_like(theta)
        base = xp.where(theta < 0.0, -theta, zero)
        # Exact: no shift is rounded where the eigenvalues nearly agree.
        values = self.values * weight_H
        first = xp.arange(values.shape[0], dtype=xp.float64, device=device_of(values))
        vector = xp.astype(first == 0.0, xp.float64)
        return DiagonalSystem(
            values=xp.where(theta < 0.0, values - theta, values),
            c=self.c * weight_g,
            base=base,
            theta=theta,
            size=self.size * weight_H,
            gamma=self.gamma * weight_g,
            vector=xp.expand_dims(vector, axis=1) + xp.zeros_like(values),
        )


@dataclass(frozen=True, eq=False)
class DiagonalSystem:
    """(T + base + delta) h = -c of each problem for diagonal T; see `System`.

    Attributes
    ----------
    values : array, shape (n, b)
        T + base, none negative.
    c : array, shape (n, b)
    base, theta, size, gamma : array, shape (b,)
        max(0, -theta), the leftmost eigenvalue of T, ||T||, ||c||.
    vector : array, shape (n, b)
        Unit eigenvector of theta.
    """

    values: Array
    c: Array
    base: Array
    theta: Array
    size: Array
    gamma: Array
    vector: Array

    def take(self, lanes: Any) -> DiagonalSystem:
        """The problems of the given numbers; NumPy alone."""
        return DiagonalSystem(
            **{name: np.take(x, lanes, axis=-1) for name, x in vars(self).items()}
        )

    def _inverse(self, delta: Array) -> Array:
        """(T + base + delta)^+: a pole that no component of c can see counts for nothing."""
        xp = namespace(delta)
        shifted = self.values + delta
        positive = shifted > 0.0
        one = xp.ones_like(shifted)
        return xp.where(positive, one / xp.where(positive, shifted, one), xp.zeros_like(one))

    def at(self, delta: Array) -> Point:
        """Length and slope at `delta`; valid for every delta >= 0 right of the start."""
        xp = namespace(delta)
        inverse = self._inverse(delta)
        h = self.c * inverse
        square = h * h
        total = xp.sum(square, axis=0)
        slope = xp.sum(square * inverse, axis=0) / total
        return Point(delta, xp.sqrt(total), slope, total >= 0.0)

    def solution(self, delta: Array) -> Array:
        """h(delta), shape (n, b)."""
        return -self.c * self._inverse(delta)

    def start(self, radius: Array) -> Point:
        """Where the first of the components alone is as long as R: left of the root."""
        xp = namespace(radius)
        # By more than the rounding of the root, so that it cannot look missed.
        bound = xp.max(xp.abs(self.c) * ((1.0 - 16.0 * _EPS) / radius) - self.values, axis=0)
        return self.at(xp.where(bound > 0.0, bound, xp.zeros_like(bound)))
