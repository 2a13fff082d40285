"""Exact solutions of subproblems whose spectrum is known, in extended precision.

Everything happens in the eigenbasis of H (of the pencil (H, M) where there is a
norm), where the problem is a sum of scalar ones joined by the constraint. The
arithmetic is mpmath's with 130 digits and an unbounded exponent, and shares no
code with the package, so that agreement means something.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

__all__ = ["DIGITS", "Solution", "exact_cubic", "exact_trs", "exact_value", "rotated"]

DIGITS = 130


class Solution(NamedTuple):
    """A global minimiser; unpacks as ``step, multiplier, value, hard_case``.

    ``step`` is a list of mpf in the eigenbasis (`floats` as an array). In the
    hard case it is one of the minimisers.
    """

    step: list[Any]
    multiplier: Any
    value: Any
    hard_case: bool

    @property
    def floats(self) -> np.ndarray:
        """The step in float64."""
        return np.array([float(x) for x in self.step])

    @property
    def norm(self) -> Any:
        """Its length, an mpf."""
        with mpmath.workdps(DIGITS):
            return _length(self.step)


def _mp(values: Sequence[float] | np.ndarray) -> list[Any]:
    return [mpf(float(v)) if not isinstance(v, mpf) else v for v in values]


def _length(x: Sequence[Any]) -> Any:
    return mpmath.sqrt(mpmath.fsum(v * v for v in x))


def _value(eigenvalues: Sequence[Any], g: Sequence[Any], step: Sequence[Any]) -> Any:
    terms = [c * s + e * s * s / 2 for e, c, s in zip(eigenvalues, g, step, strict=True)]
    return mpmath.fsum(terms)


def exact_value(eigenvalues: Any, g: Any, step: Any, sigma: float = 0.0) -> Any:
    """g's + s'Hs/2 + sigma/3 ||s||^3 of any `step` in the eigenbasis, as an mpf."""
    with mpmath.workdps(DIGITS):
        e, c, s = _mp(eigenvalues), _mp(g), _mp(step)
        return _value(e, c, s) + mpf(sigma) / 3 * _length(s) ** 3


def _shifted(gaps: Sequence[Any], g: Sequence[Any], mu: Any) -> list[Any]:
    """-(H - lambda_1 + mu)^+ g, the pseudo-inverse where gap + mu = 0."""
    return [-c / (d + mu) if d + mu != 0 else mpf(0) for d, c in zip(gaps, g, strict=True)]


def _root(
    gaps: Sequence[Any], g: Sequence[Any], lo: Any, hi: Any, goal: Callable[[Any], tuple[Any, Any]]
) -> Any:
    """The mu in [lo, hi] with 1/||s(mu)|| = goal(mu), by Newton kept in a shrinking bracket.

    ``goal`` returns the value and the derivative of a convex decreasing function
    or a constant; the difference of the two sides is concave and increasing.
    """
    mu = lo
    for _ in range(3000):
        step = _shifted(gaps, g, mu)
        size = _length(step)
        slope = mpmath.fsum(s * s / (d + mu) for d, s in zip(gaps, step, strict=True) if s != 0)
        value, derivative = goal(mu)
        excess = 1 / size - value
        if excess > 0:
            hi = mu
        else:
            lo = mu
        if hi - lo <= mpf(10) ** (5 - DIGITS) * hi:
            break
        new = mu - excess / (slope / size**3 - derivative)
        if abs(new - mu) <= mpf(10) ** (5 - DIGITS) * abs(new):
            mu = new
            break
        # Newton from the left stays left of the root, so this only guards its start.
        mu = new if lo < new < hi else (mpmath.sqrt(lo * hi) if lo > 0 else (lo + hi) / 2)
    else:
        raise AssertionError("the oracle did not converge")
    return mu


def _with_length(step: list[Any], leftmost: int, length: Any) -> list[Any]:
    """`step` with its component in the leftmost eigenspace set so that it has `length`."""
    rest = mpmath.fsum(s * s for s in step)
    step[leftmost] = mpmath.sqrt(length * length - rest)
    return step


def exact_trs(eigenvalues: Any, g_in_eigenbasis: Any, radius: float) -> Solution:
    """Global minimiser of g's + s' diag(eigenvalues) s / 2 over ||s|| <= radius.

    Covers interior and boundary solutions, the hard case (components of g that
    are exactly zero in the whole leftmost eigenspace), g = 0, H = 0 and n = 1.
    Eigenvalues may come in any order and repeat.
    """
    with mpmath.workdps(DIGITS):
        e, g, r = _mp(eigenvalues), _mp(g_in_eigenbasis), mpf(float(radius))
        leftmost = min(range(len(e)), key=lambda i: e[i])
        bottom = e[leftmost]
        gaps = [v - bottom for v in e]
        lo = max(mpf(0), bottom)
        visible = mpmath.sqrt(
            mpmath.fsum(c * c for d, c in zip(gaps, g, strict=True) if d + lo == 0)
        )
        hard = False
        if visible == 0 and _length(_shifted(gaps, g, lo)) <= r:
            step = _shifted(gaps, g, lo)
            multiplier = max(mpf(0), -bottom)
            hard = bottom < 0
            if hard:
                step = _with_length(step, leftmost, r)
        else:
            start = max(lo, visible / r) if visible > 0 else lo
            mu = _root(gaps, g, start, max(_length(g) / r, start), lambda _: (1 / r, mpf(0)))
            step, multiplier = _shifted(gaps, g, mu), mu - bottom
        return Solution(step, multiplier, _value(e, g, step), hard)


def exact_cubic(eigenvalues: Any, g_in_eigenbasis: Any, sigma: float) -> Solution:
    """Global minimiser of g's + s' diag(eigenvalues) s / 2 + sigma/3 ||s||^3."""
    with mpmath.workdps(DIGITS):
        e, g, weight = _mp(eigenvalues), _mp(g_in_eigenbasis), mpf(float(sigma))
        leftmost = min(range(len(e)), key=lambda i: e[i])
        bottom = e[leftmost]
        gaps = [v - bottom for v in e]
        lo = max(mpf(0), bottom)
        visible = any(c != 0 for d, c in zip(gaps, g, strict=True) if d + lo == 0)
        at_lo = _length(_shifted(gaps, g, lo))
        hard = False
        if not visible and at_lo * weight <= lo - bottom:
            # Here lambda = -lambda_1 (or 0 for g = 0 and a semidefinite H).
            step, multiplier = _shifted(gaps, g, lo), lo - bottom
            hard = bottom < 0
            if hard:
                step = _with_length(step, leftmost, multiplier / weight)
        else:
            hi = lo + mpmath.sqrt(weight * _length(g))
            if at_lo == 0 or visible or lo == bottom:
                # Nothing can be evaluated at the pole; step off it inside the bracket.
                lo_start = _left_of_root(gaps, g, lo, hi, weight, bottom)
            else:
                lo_start = lo

            def goal(mu: Any) -> tuple[Any, Any]:
                return weight / (mu - bottom), -weight / (mu - bottom) ** 2

            mu = _root(gaps, g, lo_start, hi, goal)
            step, multiplier = _shifted(gaps, g, mu), mu - bottom
        value = _value(e, g, step) + weight / 3 * _length(step) ** 3
        return Solution(step, multiplier, value, hard)


def _left_of_root(
    gaps: Sequence[Any], g: Sequence[Any], lo: Any, hi: Any, weight: Any, bottom: Any
) -> Any:
    """A point between the pole at `lo` and the root, found by halving the distance to `lo`."""
    mu = hi
    while weight * _length(_shifted(gaps, g, mu)) < mu - bottom:
        mu = lo + (mu - lo) / 2
    return mu


def rotated(
    eigenvalues: Any, g_in_eigenbasis: Any, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dense (H, g, Q) with H = Q diag(eigenvalues) Q' and g = Q g_in_eigenbasis.

    Q is Haar distributed. H is symmetric to the last bit.
    """
    e = np.asarray(eigenvalues, dtype=np.float64)
    q, upper = np.linalg.qr(rng.standard_normal((e.size, e.size)))
    q = q * np.sign(np.diag(upper))
    H = (q * e) @ q.T
    return (H + H.T) / 2, q @ np.asarray(g_in_eigenbasis, dtype=np.float64), q
