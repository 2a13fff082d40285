"""The global minimum of a trust-region subproblem whose spectrum is known.

The oracle that claims are checked against. It works in the eigenbasis of H,
decides between the cases by exact rational arithmetic, and solves the secular
equation at fifty digits. It shares no code with the solvers it judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from theory_checks.precise import Real, dot, exact, norm, precise, real, reals, sum_of_squares

__all__ = ["Optimum", "gradient_at", "model", "solve_in_eigenbasis"]


@dataclass(frozen=True)
class Optimum:
    """The set of global minimisers of q(s) = g's + s'Hs/2 over ||s|| <= 1.

    Attributes
    ----------
    multiplier : Real
        lambda >= 0 with (H + lambda I) s = -g and H + lambda I positive semidefinite.
    step : list of Real
        One minimiser, in the eigenbasis.
    value : Real
        The minimum.
    freedom : Real
        The norm that a part in the leftmost eigenspace may have beside what all
        minimisers share: 0 where the minimiser is unique.
    on_boundary : bool
        Whether every minimiser has norm 1.
    leftmost : tuple of int
        The indices of the leftmost eigenvalue.
    """

    multiplier: Real
    step: list[Real]
    value: Real
    freedom: Real
    on_boundary: bool
    leftmost: tuple[int, ...]

    @property
    def unique(self) -> bool:
        """Whether there is one minimiser."""
        return bool(self.freedom == 0)


def model(eigenvalues: Sequence[Real], gradient: Sequence[Real], step: Sequence[Real]) -> Real:
    """Return q(step) in the eigenbasis."""
    bent = [h * s for h, s in zip(eigenvalues, step, strict=True)]
    return dot(gradient, step) + dot(bent, step) / 2


def gradient_at(
    eigenvalues: Sequence[Real], gradient: Sequence[Real], step: Sequence[Real]
) -> list[Real]:
    """Return the gradient of q at step, in the eigenbasis."""
    return [h * s + g for h, g, s in zip(eigenvalues, gradient, step, strict=True)]


def _secular_root(eigenvalues: list[Real], gradient: list[Real], base: Real) -> Real:
    """Solve ||(H + (base + mu) I)^-1 g|| = 1 for mu > 0, which exists.

    Newton's method on 1/||s|| - 1, concave and increasing in mu: from the left of
    the root it overshoots nothing, so a lower bound is enough of a safeguard.
    """
    context = precise()
    gaps = [h + base for h in eigenvalues]
    upper = norm(gradient)
    lower = max(abs(g) - gap for g, gap in zip(gradient, gaps, strict=True))
    mu = max(lower, upper * context.mpf(2) ** -60)
    for _ in range(400):
        parts = [g / (gap + mu) for g, gap in zip(gradient, gaps, strict=True)]
        size = norm(parts)
        slope = dot(parts, [p / (gap + mu) for p, gap in zip(parts, gaps, strict=True)])
        change = (size - 1) * size * size / slope
        if mu + change <= 0:
            mu = mu / 1024
            continue
        mu += change
        if abs(change) <= mu * context.mpf(10) ** -47:
            break
    return mu


def _shared_part(gaps: list[Fraction], gradient: list[Fraction]) -> list[Fraction]:
    """The part of the minimisers outside the kernel of H + base I."""
    return [-g / gap if gap else Fraction(0) for g, gap in zip(gradient, gaps, strict=True)]


def solve_in_eigenbasis(
    eigenvalues: Sequence[float | Fraction], gradient: Sequence[float | Fraction]
) -> Optimum:
    """Return the global minimisers over the unit ball.

    Parameters
    ----------
    eigenvalues, gradient : sequences of float or Fraction, of equal length
        The spectrum in any order, and g in the eigenbasis. Taken as exact.

    Returns
    -------
    Optimum
        To about 45 digits; the case distinctions are exact.
    """
    context = precise()
    spectrum, slope = exact(eigenvalues), exact(gradient)
    lowest = min(spectrum)
    leftmost = tuple(i for i, h in enumerate(spectrum) if h == lowest)
    base = max(-lowest, Fraction(0))
    gaps = [h + base for h in spectrum]
    blocked = any(gap == 0 and g != 0 for gap, g in zip(gaps, slope, strict=True))
    shared = _shared_part(gaps, slope)
    length = sum_of_squares(shared)
    precise_spectrum, precise_slope = reals(eigenvalues), reals(gradient)
    base_real = real(base)
    if blocked or length > 1:
        mu = _secular_root(precise_spectrum, precise_slope, base_real)
        step = [
            -g / (h + base_real + mu) for h, g in zip(precise_spectrum, precise_slope, strict=True)
        ]
        value = model(precise_spectrum, precise_slope, step)
        return Optimum(base_real + mu, step, value, context.mpf(0), True, leftmost)
    left_over = 1 - length
    freedom = context.mpf(0)
    if min(gaps) == 0:
        freedom = context.sqrt(real(left_over))
    step = reals(shared)
    if lowest < 0:
        step[leftmost[0]] = freedom
    value = model(precise_spectrum, precise_slope, step)
    on_boundary = lowest < 0 or left_over == 0
    return Optimum(base_real, step, value, freedom, on_boundary, leftmost)
