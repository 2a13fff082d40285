"""The tridiagonal core: one secular equation for both problems and both reductions.

Every solver ends here, with a symmetric tridiagonal T of order k on the host in
float64, a vector c, and one of

    minimise  c'h + h'Th/2              subject to ||h|| <= r      (trust region)
    minimise  c'h + h'Th/2 + sigma/3 ||h||^3                       (cubic)

Either is solved by h(lambda) = -(T + lambda)^-1 c with T + lambda positive
semidefinite and ||h(lambda)|| = R(lambda), where R = r or R = lambda / sigma.
The function 1/||h(lambda)|| - 1/R(lambda) increases and is concave to the right
of -theta_1, so Newton's method from the left of its root converges
monotonically and quadratically and never leaves the domain (Conn, Gould and
Toint 2000, section 7.3.3; Gould, Robinson and Thorne 2010). Each step is two
tridiagonal solves, O(k).

The variable is the shift from the leftmost eigenvalue, delta = lambda -
max(0, -theta_1), since that is the number that decides whether the problem is
hard, and lambda itself may agree with -theta_1 to all its digits. All lengths
are taken relative to the size of the problem first, so no cut-off is absolute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal
from scipy.linalg.blas import dnrm2
from scipy.linalg.lapack import dpttrf, dpttrs

__all__ = [
    "CubicTarget",
    "RadiusTarget",
    "ReducedSolution",
    "Target",
    "Tridiagonal",
    "solve_reduced",
]

Vector = NDArray[np.float64]

_EPS = 2.0**-52
#: Smallest shift that is tried, relative to ||T||: its inverse squared does not overflow.
_TINY = 1e-140
#: The Newton iteration converges in about ten steps, where its steps are lost in rounding in
#: some more; this bound is never met.
_MAX_NEWTON = 200


@dataclass(frozen=True)
class Tridiagonal:
    """A symmetric tridiagonal matrix of order k >= 1.

    Attributes
    ----------
    diagonal : ndarray, shape (k,)
    off_diagonal : ndarray, shape (k - 1,)
    """

    diagonal: Vector
    off_diagonal: Vector

    @property
    def order(self) -> int:
        """k."""
        return int(self.diagonal.shape[0])

    def size(self) -> float:
        """The largest absolute row sum: an upper bound on the norm, sharp to a factor of sqrt 3."""
        rows = np.abs(self.diagonal)
        off = np.abs(self.off_diagonal)
        rows[1:] += off
        rows[:-1] += off
        return float(rows.max())

    def scaled(self, factor: float) -> Tridiagonal:
        """`factor` times the matrix."""
        return Tridiagonal(self.diagonal * factor, self.off_diagonal * factor)

    def leftmost(self) -> tuple[float, Vector]:
        """The smallest eigenvalue and a unit eigenvector: bisection and inverse iteration."""
        if self.order == 1:
            return float(self.diagonal[0]), np.ones(1)
        values, vectors = eigh_tridiagonal(
            self.diagonal, self.off_diagonal, select="i", select_range=(0, 0)
        )
        return float(values[0]), vectors[:, 0]

    def leftmost_value(self) -> float:
        """The smallest eigenvalue, by bisection."""
        if self.order == 1:
            return float(self.diagonal[0])
        values = eigh_tridiagonal(
            self.diagonal, self.off_diagonal, eigvals_only=True, select="i", select_range=(0, 0)
        )
        return float(values[0])

    def factor(self, shift: float = 0.0) -> Factor | None:
        """L D L' of T + `shift` if all pivots are positive, else None."""
        return Factor.of(self.diagonal + shift, self.off_diagonal)


@dataclass(frozen=True)
class Factor:
    """L D L' of a positive definite tridiagonal matrix."""

    d: Vector
    e: Vector

    @staticmethod
    def of(diagonal: Vector, off_diagonal: Vector) -> Factor | None:
        """The factors, or None where a pivot is not positive."""
        if diagonal.shape[0] == 1:
            return Factor(diagonal, off_diagonal) if diagonal[0] > 0 else None
        d, e, info = dpttrf(diagonal, off_diagonal)
        return Factor(d, e) if info == 0 else None

    def solve(self, b: Vector) -> Vector:
        """The solution x of (L D L') x = b."""
        if self.d.shape[0] == 1:
            x: Vector = b / self.d
            return x
        x, _ = dpttrs(self.d, self.e, b)
        return x


@dataclass(frozen=True)
class RadiusTarget:
    """R(lambda) = radius: the trust region."""

    radius: float

    def units(self, size: float, gamma: float) -> tuple[float, float]:
        """Units of lambda and of length in which both are at most about one."""
        return max(size, gamma / self.radius), self.radius

    def lower(self, p: float, spread: float) -> float:
        """A lower bound on lambda from ||h|| >= gamma / (theta_max + lambda); unit lengths."""
        return p - spread

    def value(self, lam: float) -> float:
        """R in units of length."""
        return 1.0

    def newton(self, n: float, slope: float, lam: float) -> float:
        """Newton's step for 1/n - 1/R; `slope` is h'(T + lambda)^-1 h / h'h."""
        return (n - 1.0) / slope


@dataclass(frozen=True)
class CubicTarget:
    """R(lambda) = lambda / sigma: the cubic problem."""

    sigma: float

    def units(self, size: float, gamma: float) -> tuple[float, float]:
        """Units of lambda and of length in which both are at most about one."""
        lam = max(size, math.sqrt(self.sigma) * math.sqrt(gamma))
        return lam, lam / self.sigma

    def lower(self, p: float, spread: float) -> float:
        """A lower bound on lambda from lambda (theta_max + lambda) >= p; unit lengths."""
        return 2.0 * p / (spread + math.sqrt(spread * spread + 4.0 * p)) if p > 0 else 0.0

    def value(self, lam: float) -> float:
        """R in units of length."""
        return lam

    def newton(self, n: float, slope: float, lam: float) -> float:
        """Newton's step for 1/n - 1/R; `slope` is h'(T + lambda)^-1 h / h'h."""
        return lam * (n - lam) / (lam * lam * slope + n)


Target = RadiusTarget | CubicTarget


@dataclass(frozen=True)
class ReducedSolution:
    """A global minimiser of the reduced problem.

    Attributes
    ----------
    h : ndarray, shape (k,)
        The minimiser.
    multiplier : float
        lambda.
    interior : bool
        Whether the constraint is idle (trust region with lambda = 0).
    hard : bool
        Whether the shift lambda + theta_1 is at the rounding level of T, so that
        the leftmost eigenvector had to be found apart from c.
    """

    h: Vector
    multiplier: float
    interior: bool
    hard: bool


@dataclass(frozen=True)
class _Point:
    """h(base + delta) in units of length: direction, norm, and slope of the norm."""

    delta: float
    x: Vector
    norm: float
    slope: float


@dataclass(frozen=True)
class _Secular:
    """The secular equation of T + base, with T, c and lengths relative to their sizes."""

    T: Tridiagonal
    base: float
    c: Vector
    p: float
    target: Target

    def at(self, delta: float) -> _Point | None:
        """Evaluate at `delta`, or None where T + base + delta is not positive definite."""
        factor = self.T.factor(delta)
        if factor is None:
            return None
        y = factor.solve(-self.c)
        length = float(dnrm2(y))
        if not math.isfinite(length) or length == 0.0:
            return None
        unit = y / length
        slope = float(unit @ factor.solve(unit))
        return _Point(delta, y * self.p, length * self.p, slope)

    def newton(self, point: _Point) -> _Point:
        """The root to the right of `point`, which lies left of it."""
        stretch = 1.0
        for _ in range(_MAX_NEWTON):
            lam = self.base + point.delta
            if self._excess(point) <= 2.0 * _EPS:
                return point
            step = self.target.newton(point.norm, point.slope, lam)
            following = self.at(point.delta + stretch * step)
            if following is None or not following.delta > point.delta:
                return point
            if self._excess(following) < -self._excess(point):
                return point
            # A step that is lost in the rounding of T + delta says nothing of the root: the
            # next one is longer, until the norm falls. It may then fall below the target.
            stretch = 8.0 * stretch if following.norm >= point.norm else 1.0
            point = following
        return point

    def _excess(self, point: _Point) -> float:
        """By how much the norm is above the target, relative to the target."""
        wanted = self.target.value(self.base + point.delta)
        return math.inf if wanted == 0.0 else point.norm / wanted - 1.0


def solve_reduced(
    T: Tridiagonal, c: Vector, target: Target, *, start: float | None = None
) -> ReducedSolution:
    """Solve the reduced trust-region or cubic problem to rounding.

    Parameters
    ----------
    T : Tridiagonal
        The matrix, order k.
    c : ndarray, shape (k,)
        The gradient.
    target : RadiusTarget or CubicTarget
        Which problem.
    start : float, optional
        A lower bound on the multiplier, such as that of a smaller Krylov space;
        only a hint, checked before it is used.

    Returns
    -------
    ReducedSolution
        A global minimiser, the hard case included. Its residual (T + lambda) h + c
        is a small multiple of eps (||T|| + lambda) ||h||.
    """
    size, gamma = T.size(), float(dnrm2(c))
    if size == 0.0 and gamma == 0.0:
        return ReducedSolution(np.zeros(T.order), 0.0, interior=True, hard=False)
    unit, length = target.units(size, gamma)
    scaled = T.scaled(1.0 / unit)
    size /= unit
    direction = c / gamma if gamma > 0 else c
    # gamma / (unit * length), arranged so that neither product can overflow.
    p = gamma / unit / length
    solution = _solve_scaled(scaled, size, direction, p, target, start=start, unit=unit)
    return ReducedSolution(
        solution.h * length, solution.multiplier * unit, solution.interior, solution.hard
    )


def _solve_scaled(
    T: Tridiagonal,
    size: float,
    c: Vector,
    p: float,
    target: Target,
    *,
    start: float | None,
    unit: float,
) -> ReducedSolution:
    convex = _Secular(T, 0.0, c, p, target)
    if isinstance(target, RadiusTarget):
        point = convex.at(0.0) if p > 0 else None
        if point is not None and point.norm <= 1.0:
            return ReducedSolution(point.x, 0.0, interior=True, hard=False)
    if start is not None and p > 0:
        point = convex.at(start / unit)
        if point is not None and point.norm >= target.value(start / unit):
            point = convex.newton(point)
            # Close to -theta_1 the multiplier itself does not resolve the shift well enough.
            if abs(point.norm / target.value(point.delta) - 1.0) <= 1e-13:
                return _finish(convex, point, hard=False)
    theta, vector = T.leftmost()
    base = max(0.0, -theta)
    shifted = Tridiagonal(T.diagonal + base, T.off_diagonal)
    secular = _Secular(shifted, base, c, p, target)
    # Below this shift the leftmost component of c is at the rounding level of T.
    floor = 64.0 * _EPS * size
    start_point = _leftmost_point(secular, size, target) if p > 0 else None
    if start_point is None:
        return _along_eigenvector(np.zeros(T.order), base, vector, theta, floor, target)
    lam = base + start_point.delta
    if start_point.norm < target.value(lam) and start_point.delta <= floor:
        return _along_eigenvector(start_point.x, lam, vector, theta, floor, target)
    point = secular.newton(start_point)
    hard = base > floor and point.delta <= floor
    lam = base + point.delta
    miss = abs(point.norm / target.value(lam) - 1.0)
    if miss * p <= 4.0 * _EPS * size * point.norm:
        return _finish(secular, point, hard=hard)
    # The factorisations round the shift by eps ||T||, which leaves the length undecided by
    # eps ||T|| / delta. A correction along the leftmost eigenvector costs a residual of delta
    # times it, a change of scale one of ||c|| times it.
    x = _lengthened(point.x, vector, target.value(lam))
    if (point.delta + _EPS * size) * float(dnrm2(x - point.x)) >= miss * p:
        return _finish(secular, point, hard=hard)
    return ReducedSolution(x, lam, interior=False, hard=hard)


def _leftmost_point(secular: _Secular, size: float, target: Target) -> _Point | None:
    """The leftmost point at which T + lambda factorises, at or left of the root if there is one."""
    # Left of the root by more than its own rounding, so that the root cannot look missed.
    bound = target.lower(secular.p, size) * (1.0 - 16.0 * _EPS) - secular.base
    for delta in _shifts(size):
        point = secular.at(max(delta, bound))
        if point is not None:
            return point
    return None


def _shifts(size: float) -> Iterator[float]:
    """Shifts from the leftmost eigenvalue, from none at all to a clear one."""
    yield 0.0
    yield _TINY
    for k in range(-4, 12, 2):
        yield 2.0**k * _EPS * size


def _finish(secular: _Secular, point: _Point, *, hard: bool) -> ReducedSolution:
    lam = secular.base + point.delta
    return ReducedSolution(
        point.x * (secular.target.value(lam) / point.norm), lam, interior=False, hard=hard
    )


def _along_eigenvector(
    x: Vector, lam: float, vector: Vector, theta: float, floor: float, target: Target
) -> ReducedSolution:
    """Join the leftmost eigenvector to `x` until the length is R: the hard case.

    Where the leftmost eigenvalue is zero to rounding the trust region has no need
    of it, and the step is an interior one with lambda = 0.
    """
    if isinstance(target, RadiusTarget) and theta >= -floor:
        return ReducedSolution(x, 0.0, interior=True, hard=False)
    if lam == 0.0:
        return ReducedSolution(x, 0.0, interior=isinstance(target, RadiusTarget), hard=False)
    return ReducedSolution(
        _lengthened(x, vector, target.value(lam)), lam, interior=False, hard=True
    )


def _lengthened(x: Vector, vector: Vector, length: float) -> Vector:
    """x + t v of the given length, with the smaller |t| for the unit vector v."""
    along = float(vector @ x)
    missing = length * length - float(x @ x)
    root = math.sqrt(max(missing + along * along, 0.0))
    # The root of t^2 + 2 along t - missing nearer to zero, without cancellation.
    step = missing / (root + abs(along)) if root + abs(along) > 0.0 else 0.0
    return x + math.copysign(1.0, along) * step * vector
