"""Central differences with an estimate of their error: what :mod:`derivatives` judges by.

The reasons for the steps, the noise and the bends are in the notes of
:func:`tralgos.problems.derivatives.check_derivatives`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.arrays import (
    Array,
    device_of,
    eps,
    namespace,
    standard_normal,
    to_float,
    to_host,
)
from tralgos.errors import NonFiniteError, ShapeError

__all__ = ["SAFETY", "Probe"]

#: Errors are believed up to this factor.
SAFETY = 4.0

# Each step of the ladder is this much shorter than the one before.
_RATIO = 8.0


class Probe:
    """A problem at a point, its noise, and differences along vectors."""

    def __init__(self, problem: Any, x: Array, rng: np.random.Generator) -> None:
        self.problem, self.x = problem, x
        host = to_host(x).astype(np.float64)
        if host.shape[0] == 0:
            raise ShapeError("x must not be empty")
        if not np.all(np.isfinite(host)):
            raise NonFiniteError("x has entries that are NaN or infinite")
        self.n = host.shape[0]
        self.eps = eps(x.dtype)
        largest = float(np.max(np.abs(host), initial=0.0))
        rms = largest * float(np.sqrt(np.mean((host / (largest or 1.0)) ** 2)))
        self.scale = rms or 1.0
        self.scales = np.maximum(np.abs(host), self.scale)
        self.f = problem.value(x)
        if not math.isfinite(self.f):
            raise NonFiniteError(f"the value of {problem.name} at x is {self.f}")
        # A copy: a function may return the same buffer each time.
        self.gradient = namespace(x).asarray(problem.gradient(x), copy=True)
        self.g = to_host(self.gradient).astype(np.float64)
        self.size = float(np.max(np.abs(self.g), initial=0.0))
        self.shaken = self._shaken(rng)
        self.noise = SAFETY * max(self.eps * abs(self.f), self._value_noise(rng)) + _tiny(self.eps)

    def _shaken(self, rng: np.random.Generator) -> np.ndarray:
        """The change of each entry of the gradient when x changes in its last place."""
        change = np.zeros(self.n)
        for _ in range(3):
            signs = standard_normal(self.n, self.x, rng)
            y = self.x + self.eps * signs * self.x
            change = np.fmax(change, np.abs(self._gradient_at(y) - self.g))
        return change

    def _gradient_at(self, y: Array) -> np.ndarray:
        """The gradient on the host, in float64."""
        gradient: np.ndarray = to_host(self.problem.gradient(y)).astype(np.float64)
        return gradient

    def _value_noise(self, rng: np.random.Generator) -> float:
        """The noise of the value, from what no quartic explains on a short random line."""
        xp = namespace(self.x)
        own = xp.abs(self.x)
        sizes = xp.where(own > 0.0, own, xp.full_like(own, self.scale))
        line = sizes * standard_normal(self.n, self.x, rng)
        spacing = 4.0 * self.eps**0.75
        while True:
            changes = [self.problem.value(self.x + t * spacing * line) - self.f for t in _PLACES]
            values = np.array(changes)
            # A line on which the value seldom changes is below the resolution of its noise.
            if np.count_nonzero(np.diff(values)) > len(_PLACES) // 2:
                return _noise_of(values)
            if spacing > 2.0**-4:
                stair = float(np.max(np.abs(values)))
                return stair if stair > 0.0 else math.inf
            spacing *= 32.0

    def unit(self, i: int) -> Array:
        """The unit vector of entry i."""
        return self.part(i, i + 1)

    def part(self, low: int, high: int) -> Array:
        """One in the entries from `low` to `high`, zero elsewhere."""
        xp = namespace(self.x)
        index = xp.arange(self.n, device=device_of(self.x))
        return xp.astype((index >= low) & (index < high), self.x.dtype)

    def defect(self, u: Array, scale: float, floor: float, size: float) -> tuple[float, float]:
        """(defect, tolerance) of the derivative along u: the difference less g'u."""
        start = self.eps ** (1 / 3) * scale
        d, error, _ = self._settled_value(u, [_RATIO * start, start])
        tolerance = SAFETY * error + floor
        if abs(d) <= tolerance and error <= math.sqrt(self.eps) * size:
            return d, tolerance
        d, error, h = self._settled_value(u, _ladder(scale, self.eps))
        tolerance = SAFETY * error + floor
        if abs(d) > tolerance:
            tolerance = max(tolerance, SAFETY * self._bend(u, h))
        return d, tolerance

    def _settled_value(self, u: Array, steps: list[float]) -> tuple[float, float, float]:
        xp = namespace(self.x)
        defects = []
        for h in steps:
            up, down = self.x + h * u, self.x - h * u
            # The rounding of x + hu is in the displacement, and so in both sides.
            expected = to_float(xp.vecdot(self.gradient, up - down))
            change = self.problem.value(up) - self.problem.value(down)
            defects.append((change - expected) / (2.0 * h))
        rounding = [self.noise / h for h in steps]
        d, error, level = _settled(np.array(defects)[:, None], np.array(rounding)[:, None])
        return float(d[0]), float(error[0]), steps[int(level[0])]

    def _bend(self, u: Array, h: float) -> float:
        """The largest |(g(x + tu) + g(x - tu))/2 - g(x)|'u on a few t up to h."""
        along = to_host(u).astype(np.float64)
        slopes = []
        for t in _SAMPLES:
            up = self._gradient_at(self.x + t * h * u)
            down = self._gradient_at(self.x - t * h * u)
            slopes.append(float((0.5 * up + 0.5 * down - self.g) @ along))
        return _largest_finite(np.array(slopes))

    def product_defect(
        self, v: Array, product: np.ndarray, floor: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Entry by entry, the difference of gradients along v less the product; tolerances."""
        noise = SAFETY * max(float(np.max(self.shaken)), self.eps * self.size) + _tiny(self.eps)
        defects, rounding, steps = [], [], _ladder(self.scale, self.eps)
        for h in steps:
            up, down = self._gradient_at(self.x + h * v), self._gradient_at(self.x - h * v)
            defects.append((up - down) / (2.0 * h) - product)
            rounding.append(np.full(self.n, noise / h))
        d, error, level = _settled(np.array(defects), np.array(rounding))
        tolerance = SAFETY * error + floor
        wrong = np.abs(d) > tolerance
        for h in {steps[int(k)] for k in level[wrong]}:
            here = wrong & (np.array(steps)[level] == h)
            bend = np.array([self._product_bend(v, t * h, product) for t in _SAMPLES])
            most = [_largest_finite(bend[:, i]) for i in np.flatnonzero(here)]
            tolerance[here] = np.maximum(tolerance[here], SAFETY * np.array(most))
        return d, tolerance

    def _product_bend(self, v: Array, h: float, product: np.ndarray) -> np.ndarray:
        pair = [self.problem.hessian(self.x + s * h * v).matvec(v) for s in (1.0, -1.0)]
        up, down = (to_host(y).astype(np.float64) for y in pair)
        bend: np.ndarray = 0.5 * up + 0.5 * down - product
        return bend


# Without a common measure, so that no oscillation hides from all of them.
_SAMPLES = (1.0, 0.7937, 0.6180, 0.4142, 0.2361, 0.1459)


def _largest_finite(bend: np.ndarray) -> float:
    """The largest absolute value; infinite where one is no number."""
    return float(np.max(np.abs(bend))) if np.all(np.isfinite(bend)) else math.inf


#: Places on a line, in [-1, 1] and irregular: the steps of a staircase may be as even as
#: those of a straight line at equidistant ones.
_PLACES = (-1.0, -0.854, -0.618, -0.472, -0.236, -0.091, 0.145, 0.291, 0.528, 0.673, 0.909, 1.0)


def _noise_of(values: np.ndarray) -> float:
    """The standard deviation of errors in values of a smooth function at `_PLACES`."""
    size = float(np.max(np.abs(values)))
    if not 0.0 < size < math.inf:
        return 0.0
    Q = np.linalg.qr(np.vander(np.array(_PLACES), 5))[0]
    y = values / size
    rest = y - Q @ (Q.T @ y)
    return size * math.sqrt(float(rest @ rest) / (len(_PLACES) - 5))


def _tiny(unit: float) -> float:
    """The smallest positive number of the dtype with that eps."""
    return 2.0**-149 if unit > 2.0**-30 else 2.0**-1074


def _ladder(scale: float, unit: float) -> list[float]:
    """Steps from a quarter of the scale down to where a step is nearly rounded away."""
    levels = int(math.log(unit**0.9) / -math.log(_RATIO)) + 1
    return [0.25 * scale / _RATIO**j for j in range(levels)]


def _settled(q: np.ndarray, rounding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The difference of least error that no smaller step contradicts, column by column.

    Parameters
    ----------
    q : array, shape (levels, m)
        Differences, the steps falling.
    rounding : array, shape (levels, m)
        Their rounding errors.

    Returns
    -------
    tuple of array, shape (m,)
        Differences, their errors, and their levels; the error is infinite where there is
        no difference.
    """
    error = np.abs(np.diff(q, axis=0)) + rounding[1:]
    error[~np.isfinite(error)] = np.inf
    # What could not be taken contradicts nothing.
    r = np.where(np.isfinite(error), rounding[1:], np.inf)
    q = np.where(np.isfinite(error), q[1:], 0.0)
    best, bound = np.zeros(q.shape[1]), np.full(q.shape[1], np.inf)
    level = np.zeros(q.shape[1], dtype=np.int64)
    for column in range(q.shape[1]):
        first, e, d = 0, error[:, column], q[:, column]
        while first < len(e):
            k = first + int(np.argmin(e[first:]))
            later = slice(k + 1, len(e))
            # Their truncation is less than that of d[k], so only rounding can part them.
            if not np.any(np.abs(d[later] - d[k]) > SAFETY * (r[later, column] + e[k])):
                best[column], bound[column], level[column] = d[k], e[k], k + 1
                break
            first = k + 1
    return best, bound, level
