"""Derivatives compared with differences, and the worst entry named."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tralgos.arguments import check_rng
from tralgos.arrays import Array, namespace, real_vector, standard_normal, to_float, to_host
from tralgos.problems.differences import SAFETY, Probe
from tralgos.problems.linearization import LinearizationCheck, check_linearization

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
    linearization : LinearizationCheck or None
        None where the problem is not known as a loss of a model's outputs.
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
    linearization: LinearizationCheck | None = None


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
        For n up to 2000: four values an entry, and some thirty more for each entry that they
        leave open. Beyond, eight random directions take the place of the entries, which the
        message says, and bisection finds one wrong entry. Some seventy gradients and four
        products for a Hessian, two products for a Gauss-Newton matrix. For a linearization some
        sixty evaluations of it, and up to two hundred more where those leave something open. Each
        value, gradient and product is one host transfer.

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
    is climbed. The D(h) of least E is taken that no D(h') at a smaller step contradicts, by
    more than 4 times :math:`E(h) + \epsilon_f/h'`.

    **The noise.** On a short line the value is a polynomial of degree 4 and noise. The
    standard deviation of what is left of twelve values on it, or eps times the value if that
    is larger, is :math:`\epsilon_f/4`. So a constant of 1e8 that drowns the function widens the
    tolerance, and the message says how much is left.

    **The verdict.** An entry may be wrong if it is off by more than 4 E, plus 4 times the
    change of the gradient when x changes in its last place, plus 8 eps of its largest
    entry. A function that oscillates within every step that its noise allows would be
    caught as well, but D(h) is the mean of :math:`(g(x + tu) + g(x - tu))'u/2` over
    :math:`t \le h`. So the entry is called wrong only if it is also off by more than 4 times
    what that changes over six such t: a right gradient could not be. The Hessian's products
    with two random vectors are judged in the same way, by differences of gradients.
    """
    rng = check_rng(rng)
    with np.errstate(all="ignore"):
        probe = Probe(problem, real_vector(x, "x"), rng)
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
        if problem.has_linearization:
            local = check_linearization(probe, rng)
            words = f"{result.message} {local.message}"
            ok = result.ok and local.ok
            result = replace(result, linearization=local, ok=ok, message=words)
    if result.ok:
        words = f"The derivatives of {problem.name} agree with differences. {result.message}"
        return replace(result, message=words)
    return result


# Up to this many variables every entry has differences of its own.
_MOST_ENTRIES = 2000

_DIRECTIONS = 8


def _check_gradient(probe: Probe) -> DerivativeCheck:
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


def _entry_floor(probe: Probe, i: int) -> float:
    """What the rounding of the gradient itself may do to entry i."""
    return SAFETY * float(probe.shaken[i]) + 8.0 * probe.eps * probe.size


def _entry_verdict(probe: Probe, i: int, d: float, tolerance: float) -> DerivativeCheck:
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


def _check_directions(probe: Probe) -> DerivativeCheck:
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


def _direction_floor(probe: Probe) -> float:
    size = math.sqrt(probe.n) * probe.size
    return SAFETY * float(np.sum(probe.shaken)) + 8.0 * probe.eps * math.sqrt(probe.n) * size


def _located(probe: Probe, u: Array, d: float, tolerance: float) -> DerivativeCheck:
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


def _check_products(probe: Probe, A: Any, rng: np.random.Generator) -> CurvatureCheck:
    """The Hessian: symmetry, and two products against differences of gradients."""
    shape = _check_shape(A, probe, rng, semidefinite=False)
    own = A.symmetry_tolerance or 0.0
    worst, ratio = shape, -1.0
    for _ in range(2):
        v = standard_normal(probe.n, probe.x, rng)
        product = to_host(A.matvec(v)).astype(np.float64)
        size = float(np.max(np.abs(product))) or 1.0
        floor = (own + 8.0 * probe.eps * math.sqrt(probe.n)) * size
        d, tolerance = probe.product_defect(v, product, floor)
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
    A: Any, probe: Probe, rng: np.random.Generator, *, semidefinite: bool
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
