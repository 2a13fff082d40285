"""Functions on which Algorithm 1 is as slow as Theorem 1 lets it be, and ordinary ones.

The staircase has gradient zero and a negative curvature of the order of eps at each of about
eps^-3 points, and the steps that lead from one to the next are the longest that are taken. The
valley has a gradient of length eps at each of about eps^-2 points, and Newton's step leads
from one to the next. With eps a power of two all points are multiples of eps or of one, which
float64 holds exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from theory_checks.precise import Real

__all__ = [
    "Quadratic",
    "Ridge",
    "Rosenbrock",
    "Staircase",
    "Valley",
    "Waves",
    "staircase_constants",
    "valley_cells",
    "valley_constants",
]

Vector = Sequence[Real]
Matrix = list[list[Real]]


def staircase_constants(eps: float, bend: float = 2.0) -> tuple[float, float]:
    """Return bounds on the Hessian of a staircase and on its Lipschitz constant."""
    size = math.hypot(2 * math.pi, bend)
    return eps * size, 2 * math.pi * size


def valley_constants(eps: float) -> tuple[float, float]:
    """Return bounds on the Hessian of a valley and on its Lipschitz constant.

    They are norms of Frobenius, with the largest values of the first three derivatives of phi.
    """
    one, two, three = 8 * eps / 3, 2 * math.sqrt(3) * math.pi * eps, 32 * math.pi**2 * eps / 3
    hessian = (1.0, one, one, one**2 + 1.5 * two + 2.5 * eps**2)
    last = one**3 + 3 * one * two + 1.5 * three + (6 + 2 * math.pi) * eps**2
    cubic = (1.0, *[one] * 3, *[one**2 + two] * 3, last)
    return math.hypot(*hessian), math.hypot(*cubic)


def _turns(u: Real, context: Any) -> Real:
    """2 pi u less whole turns, so that whole u give exactly zero."""
    return 2 * context.pi * (u - int(context.floor(u + 0.5)))


@dataclass(frozen=True)
class Staircase:
    """eps^3 F(z/eps), F(u) = sin(2 pi u)/(2 pi) - u + c cos(2 pi u)/(4 pi^2), for K cells.

    F falls by one from each whole u to the next, where F' = 0 and F'' = -c; before 0 and after K
    the first two terms are 0 and -K, which leaves two derivatives continuous and F bounded
    below. The ratio of the step from one whole u to the next is 2/c. `context` has cos and
    sin: the module math, or an mpmath context.
    """

    eps: float
    cells: int
    bend: float = 2.0
    context: Any = math

    @property
    def budget(self) -> float:
        """L(0) - inf L."""
        return self.eps**3 * (self.cells + self.bend / (2 * math.pi**2))

    def _angle(self, w: Vector) -> tuple[Real, Real]:
        u = w[0] / self.eps
        return u, _turns(u, self.context)

    def value(self, w: Vector) -> Real:
        """Return L(w)."""
        u, a = self._angle(w)
        pi = self.context.pi
        walk = self.bend * self.context.cos(a) / (4 * pi**2)
        inside = 0 < u < self.cells
        stairs = self.context.sin(a) / (2 * pi) - u if inside else -max(0, min(u, self.cells))
        return self.eps**3 * (stairs + walk)

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""
        u, a = self._angle(w)
        stairs = self.context.cos(a) - 1 if 0 < u < self.cells else 0
        walk = self.bend * self.context.sin(a) / (2 * self.context.pi)
        return [self.eps**2 * (stairs - walk)]

    def hessian(self, w: Vector) -> Matrix:
        """Return the Hessian."""
        u, a = self._angle(w)
        inside = 0 < u < self.cells
        stairs = -2 * self.context.pi * self.context.sin(a) if inside else 0
        return [[self.eps * (stairs - self.bend * self.context.cos(a))]]


@dataclass(frozen=True)
class Ridge:
    """A staircase in z_2 and height cos(z_1): steep downhill along z_1, for norms not to see."""

    height: float
    stairs: Staircase

    @property
    def budget(self) -> float:
        """L(0) - inf L."""
        return 2 * self.height + self.stairs.budget

    def value(self, w: Vector) -> Real:
        """Return L(w)."""
        return self.height * math.cos(w[0]) + self.stairs.value(w[1:])

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""
        return [-self.height * math.sin(w[0]), *self.stairs.gradient(w[1:])]

    def hessian(self, w: Vector) -> Matrix:
        """Return the Hessian."""
        along = self.stairs.hessian(w[1:])[0][0]
        return [[-self.height * math.cos(w[0]), 0.0], [0.0, along]]


def valley_cells(eps: float, budget: float = 1.0) -> int:
    """Return how many cells leave L(w_0) - inf L at most `budget`."""
    return max(1, int(budget / eps**2 - 1))


def _bowl(r: Real) -> tuple[Real, Real, Real]:
    """h: r^2/2 up to |r| = 1, straight from |r| = 2, its second derivative Lipschitz."""
    t, sign = abs(r), -1 if r < 0 else 1
    if t <= 1:
        return r * r / 2, r, 1 + 0 * t
    if t >= 2:
        return (9 * t - 7) / 6, 1.5 * sign + 0 * t, 0 * t
    return (6 * t * t - t**3 - 3 * t + 1) / 6, sign * (4 * t - t * t - 1) / 2, 2 - t


def _drift(y: Real, cells: int) -> tuple[Real, Real, Real]:
    """-y up to y = K, and level from K + 1."""
    t = y - cells
    if t <= 0:
        return -y, 0 * t - 1, 0 * t
    if t >= 1:
        return 0 * t - cells - 0.5, 0 * t, 0 * t
    return -cells - t + t**3 - t**4 / 2, -1 + 3 * t * t - 2 * t**3, 6 * t - 6 * t * t


@dataclass(frozen=True)
class Valley:
    """h(x - phi(y)) + eps^2 (-y + (1 - cos 2 pi y)/(4 pi^2)), phi' = 2 eps (1 - cos 2 pi y)^2/3.

    h is a parabola near zero, and phi rises by eps from one whole y to the next. At
    x = eps (k - 1), y = k the gradient is -(eps, eps^2) and the Hessian diag(1, eps^2), so that
    Newton's step is (eps, 1), and both decreases are eps^2. Three derivatives of phi vanish
    there, lest errors of rounding grow from step to step.
    """

    eps: float
    cells: int
    context: Any = math

    @property
    def start(self) -> list[float]:
        """The first point."""
        return [-self.eps, 0.0]

    @property
    def budget(self) -> float:
        """At least L(start) - inf L."""
        return self.eps**2 * (self.cells + 1)

    def _parts(self, w: Vector) -> tuple[Any, ...]:
        x, y = w
        a, pi = _turns(y, self.context), self.context.pi
        sin, versed = self.context.sin(a), 1 - self.context.cos(a)
        phi = self.eps * (y - sin * (3 + versed) / (6 * pi))
        slope, bend = 2 * self.eps * versed**2 / 3, 8 * pi * self.eps * versed * sin / 3
        return sin, versed, slope, bend, _bowl(x - phi), _drift(y, self.cells)

    def value(self, w: Vector) -> Real:
        """Return L(w)."""
        _, versed, _, _, bowl, drift = self._parts(w)
        return bowl[0] + self.eps**2 * (drift[0] + versed / (4 * self.context.pi**2))

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""
        sin, _, slope, _, bowl, drift = self._parts(w)
        along = drift[1] + sin / (2 * self.context.pi)
        return [bowl[1], -bowl[1] * slope + self.eps**2 * along]

    def hessian(self, w: Vector) -> Matrix:
        """Return the Hessian."""
        _, versed, slope, bend, bowl, drift = self._parts(w)
        along = self.eps**2 * (drift[2] + 1 - versed)
        both = -bowl[2] * slope
        return [[bowl[2], both], [both, bowl[2] * slope**2 - bowl[1] * bend + along]]


@dataclass(frozen=True)
class Waves:
    """sum_i c_i cos(k_i v_i) in coordinates v turned by an angle (in the plane) from w."""

    sizes: Sequence[Real]
    waves: Sequence[Real]
    angle: Real
    context: Any = math

    def _turn(self, w: Vector, sign: int) -> list[Real]:
        if len(self.sizes) != 2 or self.angle == 0:
            return list(w)
        c, s = self.context.cos(self.angle), sign * self.context.sin(self.angle)
        return [c * w[0] + s * w[1], c * w[1] - s * w[0]]

    def _terms(self, w: Vector) -> list[tuple[Real, Real, Real]]:
        return list(zip(self.sizes, self.waves, self._turn(w, 1), strict=True))

    def value(self, w: Vector) -> Real:
        """Return L(w)."""
        return sum(c * self.context.cos(k * v) for c, k, v in self._terms(w))

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""
        return self._turn([-c * k * self.context.sin(k * v) for c, k, v in self._terms(w)], -1)

    def hessian(self, w: Vector) -> Matrix:
        """Return the Hessian."""
        bends = [-c * k * k * self.context.cos(k * v) for c, k, v in self._terms(w)]
        n = len(bends)
        if n != 2 or self.angle == 0:
            return [[bends[i] if i == j else 0 * bends[i] for j in range(n)] for i in range(n)]
        c, s = self.context.cos(self.angle), self.context.sin(self.angle)
        first, second = bends
        mixed = (first - second) * c * s
        return [
            [first * c * c + second * s * s, mixed],
            [mixed, first * s * s + second * c * c],
        ]


@dataclass(frozen=True)
class Rosenbrock:
    """100 (y - x^2)^2 + (1 - x)^2."""

    def value(self, w: Vector) -> Real:
        """Return L(w)."""
        x, y = w
        return 100 * (y - x * x) ** 2 + (1 - x) ** 2

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""
        x, y = w
        return [-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)]

    def hessian(self, w: Vector) -> Matrix:
        """Return the Hessian."""
        x, y = w
        return [[1200 * x * x - 400 * y + 2, -400 * x], [-400 * x, 200.0]]


@dataclass(frozen=True)
class Quadratic:
    """(a x^2 + y^2)/2."""

    stiffness: float

    def value(self, w: Vector) -> Real:
        """Return L(w)."""
        return (self.stiffness * w[0] * w[0] + w[1] * w[1]) / 2

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""
        return [self.stiffness * w[0], w[1]]

    def hessian(self, w: Vector) -> Matrix:
        """Return the Hessian."""
        return [[self.stiffness, 0.0], [0.0, 1.0]]
