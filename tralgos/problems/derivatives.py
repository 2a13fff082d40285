"""Derivatives compared with differences, and the worst entry named."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tralgos.arguments import check_rng
from tralgos.arrays import (
    Array,
    device_of,
    eps,
    namespace,
    real_vector,
    standard_normal,
    to_float,
    to_host,
)
from tralgos.errors import NonFiniteError

__all__ = ["CurvatureCheck", "DerivativeCheck", "check_derivatives"]


@dataclass(frozen=True)
class CurvatureCheck:
    """What random vectors say of a Hessian or a Gauss-Newton matrix.

    Attributes
    ----------
    ok : bool
        Whether everything below is within its tolerance.
    error, tolerance : float or None
        The worst |computed - expected| of an entry of a product, and what rounding and
        truncation allow there, both over the largest entry of that product. None for a
        Gauss-Newton matrix, which is not the derivative of the gradient.
    index : int or None
        The worst entry of a product.
    computed, expected : float or None
        That entry of the product, and of the difference of gradients.
    asymmetry : float
        The larger |u'Av - v'Au| / sqrt(||Au||^2 + ||Av||^2) of the random pairs.
    smallest_quotient : float
        The smallest v'Av / (||v|| ||Av||) of the random vectors. No part of `ok` for
        a Hessian.
    """

    ok: bool
    error: float | None
    tolerance: float | None
    index: int | None
    computed: float | None
    expected: float | None
    asymmetry: float
    smallest_quotient: float


@dataclass(frozen=True)
class DerivativeCheck:
    """The derivatives of a problem at a point, compared with differences.

    Attributes
    ----------
    ok : bool
        Whether nothing is wrong by more than rounding and truncation explain.
    message : str
        The findings in sentences; a wrong entry is named.
    gradient_error, gradient_tolerance : float
        |computed - expected| at the worst entry, and what rounding and truncation allow
        there, both over the largest entry of the gradient (1 if that is zero). An
        infinite tolerance says that no difference could be taken.
    gradient_index : int or None
        The worst entry; None where random directions were taken and none was wrong.
    gradient_computed, gradient_expected : float
        The gradient and the difference of values there (or along the worst direction).
    hessian, gauss_newton : CurvatureCheck or None
        None where the problem has none.
    """

    ok: bool
    message: str
    gradient_error: float
    gradient_tolerance: float
    gradient_index: int | None
    gradient_computed: float
    gradient_expected: float
    hessian: CurvatureCheck | None = None
    gauss_newton: CurvatureCheck | None = None


def check_derivatives(
    problem: Any, x: Array, rng: np.random.Generator | int | None
) -> DerivativeCheck:
    r"""Compare gradient and curvatures with central differences.

    Parameters
    ----------
    problem : Problem
        What is checked.
    x : array, shape (n,)
        The point, float32 or float64. A point with no vanishing entries is best: its
        entries set the steps.
    rng : numpy.random.Generator or int, optional
        Draws the directions; a fixed seed by default.

    Returns
    -------
    DerivativeCheck
        Four values an entry for n up to 2000, and up to forty more for each entry that
        they leave open. Beyond 2000 variables eight random directions take the place of the
        entries, and bisection finds one wrong entry. Some seventy gradients and two
        products for a Hessian. Each value and each gradient is one host transfer.

    Raises
    ------
    ArrayTypeError, ShapeError
        If `x` does not fit the problem.
    ArgumentError
        If `rng` is no generator, seed or None.
    NonFiniteError
        If `x` or the value there is NaN or infinite.

    Notes
    -----
    **The steps.** With X the larger of :math:`|x_i|` and the root mean square of x (1 for
    x = 0), the central difference :math:`D(h)` has a truncation error of
    :math:`f''' h^2/6` and a rounding error of :math:`\epsilon_f / h`, where
    :math:`\epsilon_f` is the noise of the value. The two balance near
    :math:`h = \epsilon^{1/3} X` if f changes over the length X. First D(8h) and D(h) are
    taken there; :math:`E(h) = |D(8h) - D(h)| + \epsilon_f/h` bounds both errors, since
    the truncation error of D(8h) is 64 times that of D(h). Where E leaves a difference
    open, or is not small beside the gradient, a ladder of steps from X/4 down to rounding
    is climbed, and the D(h) of least E is taken that no D at a smaller step contradicts
    by more than 4 times the sum of their E.

    **The noise.** The k-th differences of the value on a line of equidistant points lose
    its smooth part and keep its noise, enlarged by a known factor. The smallest of the
    estimates of orders 4 to 7, or eps times the largest value if that is larger, is
    :math:`\epsilon_f/4`. So a constant of 1e8 that drowns the function widens the
    tolerance, and the message says how much is left.

    **The verdict.** An entry is wrong if it is off by more than 4 E, plus 4 times the
    change of the gradient when x changes in its last place, plus 8 eps of its largest
    entry. Nothing else enters. The Hessian's products with two random vectors are judged
    in the same way by differences of gradients.
    """
    rng = check_rng(rng)
    with np.errstate(all="ignore"):
        probe = _Probe(problem, real_vector(x, "x"), rng)
        bad = np.flatnonzero(~np.isfinite(probe.g))
        if bad.size:
            return _not_finite(problem, int(bad[0]), float(probe.g[bad[0]]))
        result = _check_gradient(probe)
        if problem.has_hessian:
            A = problem.hessian(probe.x)
            check = _check_products(probe, A, rng)
            result = _with_curvature(result, "hessian", check)
        if problem.has_gauss_newton:
            A = problem.gauss_newton(probe.x)
            check = _check_shape(A, probe, rng, semidefinite=True)
            result = _with_curvature(result, "gauss_newton", check)
    if result.ok:
        words = f"The derivatives of {problem.name} agree with differences. {result.message}"
        return replace(result, message=words)
    return result


# ---------------------------------------------------------------- differences

# Errors are believed up to this factor.
_SAFETY = 4.0

# Each step of the ladder is this much shorter than the one before.
_RATIO = 8.0

# Up to this many variables every entry has differences of its own.
_MOST_ENTRIES = 2000

_DIRECTIONS = 8


class _Probe:
    """A problem at a point, its noise, and differences along vectors."""

    def __init__(self, problem: Any, x: Array, rng: np.random.Generator) -> None:
        self.problem, self.x = problem, x
        host = to_host(x).astype(np.float64)
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
        self.gradient = problem.gradient(x)
        self.g = to_host(self.gradient).astype(np.float64)
        self.size = float(np.max(np.abs(self.g), initial=0.0))
        self.shaken = self._shaken(rng)
        self.noise = _SAFETY * max(self.eps * abs(self.f), self._value_noise(rng)) + _tiny(self.eps)

    def _shaken(self, rng: np.random.Generator) -> np.ndarray:
        """The change of each entry of the gradient when x changes in its last place."""
        change = np.zeros(self.n)
        for _ in range(3):
            signs = standard_normal(self.n, self.x, rng)
            y = self.x + self.eps * signs * self.x
            moved = np.abs(to_host(self.problem.gradient(y)).astype(np.float64) - self.g)
            change = np.fmax(change, moved)
        return change

    def _value_noise(self, rng: np.random.Generator) -> float:
        """The noise of the value, from high differences along a random line."""
        line = self.scale * standard_normal(self.n, self.x, rng)
        spacing = self.eps**0.75
        # A step that changes nothing is below the resolution, and shows no noise.
        while np.count_nonzero(np.diff(self._along(line, spacing))) <= 4:
            if spacing > 2.0**-6:
                return 0.0
            spacing *= 32.0
        # Two spacings without a common measure: on one alone the steps of a staircase may
        # be as even as those of a straight line.
        return max(_noise_of(self._along(line, s * spacing)) for s in (1.0, math.e))

    def _along(self, line: Array, spacing: float) -> np.ndarray:
        return np.array([self.problem.value(self.x + k * spacing * line) for k in range(-4, 5)])

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
        quick = [_RATIO * start, start]
        d, error = self._settled_value(u, quick)
        tolerance = _SAFETY * error + floor
        if abs(d) <= tolerance and error <= math.sqrt(self.eps) * size:
            return d, tolerance
        d, error = self._settled_value(u, _ladder(scale, self.eps))
        return d, _SAFETY * error + floor

    def _settled_value(self, u: Array, steps: list[float]) -> tuple[float, float]:
        xp = namespace(self.x)
        defects = []
        for h in steps:
            up, down = self.x + h * u, self.x - h * u
            # The rounding of x + hu is in the displacement, and so in both sides.
            expected = to_float(xp.vecdot(self.gradient, up - down))
            change = self.problem.value(up) - self.problem.value(down)
            defects.append((change - expected) / (2.0 * h))
        rounding = [self.noise / h for h in steps]
        d, error = _settled(np.array(defects)[:, None], np.array(rounding)[:, None])
        return float(d[0]), float(error[0])

    def product_defect(self, v: Array, product: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Entry by entry, the difference of gradients along v less the product, and its error."""
        noise = _SAFETY * max(float(np.max(self.shaken)), self.eps * self.size) + _tiny(self.eps)
        defects, rounding = [], []
        for h in _ladder(self.scale, self.eps):
            pair = [self.problem.gradient(self.x + s * h * v) for s in (1.0, -1.0)]
            up, down = (to_host(g).astype(np.float64) for g in pair)
            defects.append((up - down) / (2.0 * h) - product)
            rounding.append(np.full(self.n, noise / h))
        return _settled(np.array(defects), np.array(rounding))


def _noise_of(values: np.ndarray) -> float:
    """The standard deviation of independent errors in equidistant values of a smooth function."""
    estimates = [
        float(np.max(np.abs(np.diff(values, order)))) / math.sqrt(math.comb(2 * order, order))
        for order in range(4, 8)
    ]
    return min((e for e in estimates if math.isfinite(e)), default=0.0)


def _tiny(unit: float) -> float:
    """The smallest positive number of the dtype with that eps."""
    return 2.0**-149 if unit > 2.0**-30 else 2.0**-1074


def _ladder(scale: float, unit: float) -> list[float]:
    """Steps from a quarter of the scale down to where a step is nearly rounded away."""
    levels = int(math.log(unit**0.9) / -math.log(_RATIO)) + 1
    return [0.25 * scale / _RATIO**j for j in range(levels)]


def _settled(q: np.ndarray, rounding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
        Differences and their errors; the error is infinite where there is none.
    """
    error = np.abs(np.diff(q, axis=0)) + rounding[1:]
    error[~np.isfinite(error)] = np.inf
    # What could not be taken contradicts nothing.
    r = np.where(np.isfinite(error), rounding[1:], np.inf)
    q = np.where(np.isfinite(error), q[1:], 0.0)
    best, bound = np.zeros(q.shape[1]), np.full(q.shape[1], np.inf)
    for column in range(q.shape[1]):
        first, e, d = 0, error[:, column], q[:, column]
        while first < len(e):
            k = first + int(np.argmin(e[first:]))
            later = slice(k + 1, len(e))
            # Their truncation is less than that of d[k], so only rounding can part them.
            if not np.any(np.abs(d[later] - d[k]) > _SAFETY * (r[later, column] + e[k])):
                best[column], bound[column] = d[k], e[k]
                break
            first = k + 1
    return best, bound


# ---------------------------------------------------------------- verdicts


def _check_gradient(probe: _Probe) -> DerivativeCheck:
    if probe.n > _MOST_ENTRIES:
        return _check_directions(probe)
    typical = float(np.sqrt(np.mean((probe.g / (probe.size or 1.0)) ** 2))) * probe.size
    worst, ratio = (0, 0.0, math.inf), -1.0
    for i in range(probe.n):
        floor = _entry_floor(probe, i)
        size = max(abs(float(probe.g[i])), typical)
        d, tolerance = probe.defect(probe.unit(i), float(probe.scales[i]), floor, size)
        badness = abs(d) / tolerance if tolerance > 0.0 else (math.inf if d else 0.0)
        if badness > ratio:
            worst, ratio = (i, d, tolerance), badness
    return _entry_verdict(probe, *worst)


def _entry_floor(probe: _Probe, i: int) -> float:
    """What the rounding of the gradient itself may do to entry i."""
    return _SAFETY * float(probe.shaken[i]) + 8.0 * probe.eps * probe.size


def _entry_verdict(probe: _Probe, i: int, d: float, tolerance: float) -> DerivativeCheck:
    unit = probe.size or 1.0
    computed = float(probe.g[i])
    ok = abs(d) <= tolerance
    figures = (
        f"entry {i} is {computed:.9g} where differences of the value give "
        f"{computed + d:.9g}, off by {abs(d) / unit:.2g} of the largest entry"
    )
    if ok:
        message = f"Gradient: the worst is {figures}, within {tolerance / unit:.2g}."
    else:
        message = (
            f"The gradient of {probe.problem.name} is wrong: {figures}; rounding and truncation "
            f"explain {tolerance / unit:.2g}."
        )
    return DerivativeCheck(ok, message, abs(d) / unit, tolerance / unit, i, computed, computed + d)


def _check_directions(probe: _Probe) -> DerivativeCheck:
    """Random directions in place of the entries, where those are too many."""
    rng = np.random.default_rng(probe.n)
    unit = probe.size or 1.0
    floor = _direction_floor(probe)
    worst, ratio = (0.0, math.inf, 0.0), -1.0
    for _ in range(_DIRECTIONS):
        u = standard_normal(probe.n, probe.x, rng)
        d, tolerance = probe.defect(u, probe.scale, floor, unit * math.sqrt(probe.n))
        if abs(d) > tolerance:
            return _located(probe, u, d, tolerance)
        slope = to_float(namespace(u).vecdot(probe.gradient, u))
        if tolerance == 0.0 or abs(d) / tolerance > ratio:
            worst, ratio = (d, tolerance, slope), abs(d) / (tolerance or 1.0)
    d, tolerance, slope = worst
    message = (
        f"Gradient: {_DIRECTIONS} random directions in place of the {probe.n} entries; along "
        f"the worst it is {slope:.9g} where differences of the value give {slope + d:.9g}, "
        f"off by {abs(d) / unit:.2g} of the largest entry, within {tolerance / unit:.2g}."
    )
    return DerivativeCheck(True, message, abs(d) / unit, tolerance / unit, None, slope, slope + d)


def _direction_floor(probe: _Probe) -> float:
    size = math.sqrt(probe.n) * probe.size
    return _SAFETY * float(np.sum(probe.shaken)) + 8.0 * probe.eps * math.sqrt(probe.n) * size


def _located(probe: _Probe, u: Array, d: float, tolerance: float) -> DerivativeCheck:
    """A wrong entry found by bisection; the direction alone where no single one is wrong."""
    low, high, floor = 0, probe.n, _direction_floor(probe)
    while high - low > 1:
        middle = (low + high) // 2
        half = u * probe.part(low, middle)
        defect, bound = probe.defect(half, probe.scale, floor, 0.0)
        low, high = (low, middle) if abs(defect) > bound else (middle, high)
    e, bound = probe.defect(
        probe.unit(low), float(probe.scales[low]), _entry_floor(probe, low), 0.0
    )
    if abs(e) > bound:
        found = _entry_verdict(probe, low, e, bound)
        words = f"{found.message} It was found along a random direction; others were not compared."
        return replace(found, message=words)
    unit = probe.size or 1.0
    slope = to_float(namespace(u).vecdot(probe.gradient, u))
    message = (
        f"The gradient of {probe.problem.name} is wrong: along a random direction it is "
        f"{slope:.9g} where differences of the value give {slope + d:.9g}; no single entry of "
        f"the {probe.n} could be found."
    )
    return DerivativeCheck(False, message, abs(d) / unit, tolerance / unit, None, slope, slope + d)


def _check_products(probe: _Probe, A: Any, rng: np.random.Generator) -> CurvatureCheck:
    """The Hessian: symmetry, and two products against differences of gradients."""
    shape = _check_shape(A, probe, rng, semidefinite=False)
    own = A.symmetry_tolerance or 0.0
    worst, ratio = shape, -1.0
    for _ in range(2):
        v = standard_normal(probe.n, probe.x, rng)
        product = to_host(A.matvec(v)).astype(np.float64)
        size = float(np.max(np.abs(product))) or 1.0
        d, error = probe.product_defect(v, product)
        floor = (own + 8.0 * probe.eps * math.sqrt(probe.n)) * size
        tolerance = _SAFETY * error + floor
        badness = np.where(np.isfinite(product), np.abs(d) / tolerance, np.inf)
        i = int(np.argmax(badness))
        if badness[i] > ratio:
            ratio = float(badness[i])
            worst = CurvatureCheck(
                shape.ok and bool(ratio <= 1.0),
                float(abs(d[i])) / size,
                float(tolerance[i]) / size,
                i,
                float(product[i]),
                float(product[i] + d[i]),
                shape.asymmetry,
                shape.smallest_quotient,
            )
    return worst


def _check_shape(
    A: Any, probe: _Probe, rng: np.random.Generator, *, semidefinite: bool
) -> CurvatureCheck:
    """Symmetry, and the sign of the quadratic form, on two random vectors."""
    u, v = (standard_normal(probe.n, probe.x, rng) for _ in range(2))
    Au, Av = (to_host(A.matvec(w)).astype(np.float64) for w in (u, v))
    u, v = (to_host(w).astype(np.float64) for w in (u, v))
    size = max(float(np.max(np.abs(Au))), float(np.max(np.abs(Av)))) or 1.0
    Au, Av = Au / size, Av / size
    squares = math.sqrt(float(Au @ Au + Av @ Av)) or 1.0
    asymmetry = abs(float(u @ Av - v @ Au)) / squares
    pairs = [(u, Au), (v, Av)]
    quotients = [float(w @ Aw) / (_norm(w) * _norm(Aw) or 1.0) for w, Aw in pairs]
    rounding = max(1e4, 100.0 * math.sqrt(probe.n)) * probe.eps
    allowed = A.symmetry_tolerance or rounding
    ok = asymmetry <= allowed and (not semidefinite or min(quotients) >= -rounding)
    return CurvatureCheck(ok, None, None, None, None, None, asymmetry, min(quotients))


def _norm(w: np.ndarray) -> float:
    return math.sqrt(float(w @ w))


_TITLES = {"hessian": "Hessian", "gauss_newton": "Gauss-Newton matrix"}


def _with_curvature(result: DerivativeCheck, which: str, check: CurvatureCheck) -> DerivativeCheck:
    """The result with one more curvature, and a sentence on it."""
    title = _TITLES[which]
    ok = result.ok and check.ok
    words = [f"{title}: its relative asymmetry is {check.asymmetry:.2g}."]
    if which == "gauss_newton":
        words.append(f"Its smallest v'Av / (|v| |Av|) is {check.smallest_quotient:.2g}.")
    if check.error is not None:
        words.append(
            f"The worst entry of its products, {check.index}, is {check.computed:.9g} where "
            f"differences of the gradient give {check.expected:.9g}, off by {check.error:.2g} of "
            f"the product's largest entry; {check.tolerance:.2g} is explained."
        )
    sentence = " ".join(words)
    if not check.ok:
        sentence = f"The {title} is wrong. {sentence}"
    changes: dict[str, Any] = {which: check, "ok": ok, "message": f"{result.message} {sentence}"}
    return replace(result, **changes)


def _not_finite(problem: Any, i: int, value: float) -> DerivativeCheck:
    message = f"The gradient of {problem.name} is wrong: entry {i} is {value}."
    return DerivativeCheck(False, message, math.inf, 0.0, i, value, math.nan)
