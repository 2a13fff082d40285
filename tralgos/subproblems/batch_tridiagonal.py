"""Symmetric tridiagonal matrices, many at once: factors, leftmost pairs, and h(delta) of each.

Row i of all matrices lies side by side, and each of the short recurrences is one call for
all of them. See :mod:`~tralgos.subproblems.tridiagonal` for one matrix, whose steps these are.
NumPy, float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tralgos.subproblems.batch_points import LEAST_LANES, Point, chosen_lanes

__all__ = ["TridiagonalSystem", "leftmost", "row_sums", "solved"]

Lanes = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EPS = 2.0**-52
#: Smallest shift that is tried, relative to the size: its inverse squared does not overflow.
_TINY = 1e-140
#: Laguerre's iteration takes about six steps, bisection 54 after it has failed.
_MAX_NARROWING = 150
#: Steps after which single eigenvalues have been found.
_PATIENCE = 8
#: Each multiplies what is not leftmost by eps over its distance.
_INVERSE_ITERATIONS = 3


def row_sums(diagonal: Lanes, off_diagonal: Lanes) -> Lanes:
    """The largest absolute row sum of each matrix, an upper bound on its norm."""
    rows = np.abs(diagonal)
    off = np.abs(off_diagonal)
    rows[1:] += off
    rows[:-1] += off
    largest: Lanes = np.max(rows, axis=0)
    return largest


def leftmost(diagonal: Lanes, off_diagonal: Lanes, size: Lanes) -> tuple[Lanes, Lanes]:
    """The smallest eigenvalue and a unit eigenvector of each matrix.

    Laguerre's iteration from the left, safeguarded by bisection, to an eps of `size`, a bound
    on the norm; then inverse iteration.
    """
    if diagonal.shape[0] == 1:
        return diagonal[0].copy(), np.ones_like(diagonal)
    width = np.where(size > 0.0, size, 1.0)
    bracket = _Bracket(-(1.0 + 8.0 * _EPS) * width, (1.0 + 8.0 * _EPS) * width)
    theta = _narrowed(diagonal, off_diagonal * off_diagonal, _EPS * width, bracket)
    # Left of the eigenvalue by what the factors are rounded by, so that they exist.
    shifted = diagonal - (theta - 4.0 * _EPS * width)
    vector = _inverse_iteration(_Factors(shifted, off_diagonal))
    return np.where(size > 0.0, theta, 0.0), vector


@dataclass(frozen=True, eq=False)
class _Bracket:
    """The smallest eigenvalue lies right of `low`, where all pivots are positive, up to `high`."""

    low: Lanes
    high: Lanes


def _narrowed(diagonal: Lanes, squares: Lanes, width: Lanes, bracket: _Bracket) -> Lanes:
    """The smallest eigenvalue of each matrix, by a bracket that is brought down to `width`."""
    n = diagonal.shape[0]
    low, high, back = bracket.low, bracket.high, width.copy()
    x, lanes, wide = low.copy(), np.arange(low.shape[0]), np.ones(low.shape[0], dtype=bool)
    bold = ~wide
    d, e = diagonal, squares
    for k in range(_MAX_NARROWING):
        definite, first, second = _resolvent_sums(d - x, e)
        unit = width[lanes]
        # A mean of the distances, no less than the least; sharp where they are a cluster's.
        most = np.maximum(first / second, 8.0 * unit)
        # What has arrived stays as it is, however long its neighbours take.
        left = np.where(wide & definite, x, low[lanes])
        nearer = np.where(definite, x + 1.0625 * most, x)
        right = np.where(wide, np.minimum(high[lanes], nearer), high[lanes])
        low[lanes], high[lanes] = left, right
        middle = 0.5 * (left + right)
        # Laguerre's step is no longer than the distance. Where that takes long, the eigenvalue
        # is one of many that nearly agree; then the mean of the distances is hardly too long.
        spread = np.sqrt(np.maximum((n - 1.0) * (n * second - first * first), 0.0))
        least = np.maximum(n / (first + spread), unit)
        many = (k >= _PATIENCE) & definite & (least < 0.5 * most) & (most > 64.0 * unit)
        ahead = x + np.where(many, 0.9375 * most, least)
        # What rounding lets a step go too far is made good by small steps back, soon longer.
        step_back = np.where(definite, unit, 4.0 * back[lanes])
        back[lanes] = step_back
        retreat = np.where(bold, middle, right - step_back)
        x = np.where(definite, ahead, retreat)
        x = np.where((x > left) & (x < right), x, middle)
        bold = many
        wide &= (right - left > unit) & (middle > left) & (middle < right)
        count = np.count_nonzero(wide)
        if count == 0:
            break
        if count < 0.75 * lanes.shape[0] and lanes.shape[0] > LEAST_LANES:
            chosen = chosen_lanes(wide)
            lanes, x, wide, bold = lanes[chosen], x[chosen], wide[chosen], bold[chosen]
            d, e = np.take(diagonal, lanes, axis=1), np.take(squares, lanes, axis=1)
    return low


def _resolvent_sums(diagonal: Lanes, squares: Lanes) -> tuple[Mask, Lanes, Lanes]:
    """Whether all pivots of A are positive, and the sums of 1/theta_i and of 1/theta_i^2.

    From the logarithmic derivatives of det(A - x) = q_1 ... q_n at x = 0, for the pivots
    q_(i+1) = a_(i+1) - x - b_i^2 / q_i.

    Parameters
    ----------
    diagonal, squares : ndarray, shape (n, lanes), (n - 1, lanes)
        a_i, and b_i^2.
    """
    pivot = diagonal[0]
    least = pivot.copy()
    inverse = 1.0 / pivot
    u, w = -inverse, np.zeros_like(inverse)  # q' / q and q'' / q
    first, second = inverse.copy(), inverse * inverse
    t, tmp = np.empty_like(inverse), np.empty_like(inverse)
    for i in range(squares.shape[0]):
        np.multiply(squares[i], inverse, out=t)
        np.subtract(diagonal[i + 1], t, out=tmp)
        np.minimum(least, tmp, out=least)
        np.divide(1.0, tmp, out=inverse)
        # w <- t (w - 2 u^2) / q, u <- (t u - 1) / q
        np.multiply(u, u, out=tmp)
        tmp += tmp
        w -= tmp
        t *= inverse
        w *= t
        u *= t
        u -= inverse
        first -= u
        np.multiply(u, u, out=tmp)
        tmp -= w
        second += tmp
    return least > 0.0, first, second


def _inverse_iteration(factors: _Factors) -> Lanes:
    n, lanes = factors.pivots.shape
    # Entries without a pattern that an eigenvector could be orthogonal to.
    start = 1.0 + (np.arange(1, n + 1) * 0.6180339887498949) % 1.0
    x = np.repeat(start.reshape(n, 1), lanes, axis=1)
    for _ in range(_INVERSE_ITERATIONS):
        x /= np.max(np.abs(x), axis=0)
        factors.forward(x)
        factors.backward(x)
    x /= np.max(np.abs(x), axis=0)
    x /= np.sqrt(np.add.reduce(x * x, axis=0))
    return x


class _Factors:
    """L D L' of each matrix; of use where `definite`."""

    def __init__(self, diagonal: Lanes, off_diagonal: Lanes) -> None:
        self.pivots = diagonal.copy()
        self.lower = np.empty_like(off_diagonal)
        product = np.empty_like(diagonal[0])
        for i in range(off_diagonal.shape[0]):
            np.divide(off_diagonal[i], self.pivots[i], out=self.lower[i])
            np.multiply(self.lower[i], off_diagonal[i], out=product)
            self.pivots[i + 1] -= product
        self.definite: Mask = np.min(self.pivots, axis=0) > 0.0

    def forward(self, x: Lanes) -> None:
        """L^-1 x in place."""
        product = np.empty_like(x[0])
        for i in range(self.lower.shape[0]):
            np.multiply(self.lower[i], x[i], out=product)
            x[i + 1] -= product

    def backward(self, x: Lanes) -> None:
        """L'^-1 D^-1 x in place."""
        x /= self.pivots
        product = np.empty_like(x[0])
        for i in reversed(range(self.lower.shape[0])):
            np.multiply(self.lower[i], x[i + 1], out=product)
            x[i] -= product


def solved(diagonal: Lanes, off_diagonal: Lanes, c: Lanes) -> tuple[Lanes, Mask]:
    """-T^-1 c, and whether T is positive definite; zero where it is not."""
    factors = _Factors(diagonal, off_diagonal)
    x = -c
    factors.forward(x)
    factors.backward(x)
    return np.where(factors.definite, x, 0.0), factors.definite


@dataclass(frozen=True, eq=False)
class TridiagonalSystem:
    """(T + base + delta) h = -c of each problem, T + base positive semidefinite.

    Attributes
    ----------
    diagonal, off_diagonal : ndarray, shape (n, lanes), (n - 1, lanes)
        T + base.
    direction : ndarray, shape (n, lanes)
        c / ||c||, so that no square underflows where c is nothing beside T; zero for c = 0.
    base, theta, size, gamma : ndarray, shape (lanes,)
        max(0, -theta), the leftmost eigenvalue of T, a bound on ||T||, ||c||.
    vector : ndarray, shape (n, lanes)
        Unit eigenvector of theta.
    """

    diagonal: Lanes
    off_diagonal: Lanes
    direction: Lanes
    base: Lanes
    theta: Lanes
    size: Lanes
    gamma: Lanes
    vector: Lanes

    def take(self, lanes: NDArray[np.intp]) -> TridiagonalSystem:
        """The problems of the given numbers."""
        return TridiagonalSystem(
            **{name: np.take(x, lanes, axis=-1) for name, x in vars(self).items()}
        )

    def at(self, delta: Lanes) -> Point:
        """Length and slope at `delta`; `valid` where T + base + delta is positive definite."""
        factors = _Factors(self.diagonal + delta, self.off_diagonal)
        x = -self.direction
        factors.forward(x)
        factors.backward(x)
        length = np.sqrt(np.add.reduce(x * x, axis=0))
        x /= length
        factors.forward(x)
        x *= x
        x /= factors.pivots
        slope = np.add.reduce(x, axis=0)
        seen = self.gamma > 0.0
        valid = factors.definite & np.isfinite(length) & (length > 0.0)
        return Point(delta, np.where(seen, length * self.gamma, 0.0), slope, valid | ~seen)

    def solution(self, delta: Lanes) -> Lanes:
        """h(delta), shape (n, lanes)."""
        factors = _Factors(self.diagonal + delta, self.off_diagonal)
        x = -self.direction
        factors.forward(x)
        factors.backward(x)
        return np.where(self.gamma > 0.0, x * self.gamma, 0.0)

    def start(self, radius: Lanes) -> Point:
        """The leftmost point that can be evaluated, at or left of the root if there is one."""
        first = self._lower_bound(radius)
        point = self.at(first)
        for shift in (_TINY, *(2.0**k * _EPS for k in range(-4, 12, 2))):
            if point.valid.all():
                break
            pending = chosen_lanes(~point.valid)
            part = self.take(pending)
            point = point.put(pending, part.at(np.maximum(first[pending], shift * part.size)))
        return point

    def _lower_bound(self, radius: Lanes) -> Lanes:
        """A lower bound on the delta of the root, from ||(T + lambda) u|| ||h|| >= |c'u|.

        For u the leftmost vector, and with ||T + lambda|| for ||(T + lambda) u|| over all u.
        """
        product = self.diagonal * self.vector
        product[1:] += self.off_diagonal * self.vector[:-1]
        product[:-1] += self.off_diagonal * self.vector[1:]
        rest = np.sqrt(np.add.reduce(product * product, axis=0))
        along = np.abs(np.add.reduce(self.vector * self.direction, axis=0))
        # Left of the root by more than its own rounding, so that the root cannot look missed.
        keep = self.gamma * ((1.0 - 16.0 * _EPS) / radius)
        bound = np.maximum(along * keep - rest, keep - self.size - self.base)
        bound = np.where(self.gamma > 0.0, bound, 0.0)
        return np.maximum(bound, 0.0)
