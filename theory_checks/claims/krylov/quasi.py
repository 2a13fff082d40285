"""What the distance of the solution to the space says of gap, step and multiplier."""

from __future__ import annotations

from theory_checks.claim import Claim, Form, Instance, Margins, Verdict, in_roundings
from theory_checks.claims.krylov.bounds import chebyshev_share
from theory_checks.claims.krylov.common import (
    PAPER,
    PLACE,
    Known,
    at_most,
    edges,
    fewer_dimensions,
    gap_of,
    known,
    meaningful,
    nonzero_gradient,
    small_instances,
)
from theory_checks.claims.krylov.judged import BROKEN, broken
from theory_checks.claims.krylov.space import (
    Minimiser,
    distance,
    reduced,
    trust_region_minimiser,
)
from theory_checks.precise import Real, dot, precise

__all__ = ["claims"]


def _by_distance(data: Known, far: Real) -> Real:
    """L R (R - sqrt(R^2 - dist^2)), which is at most L dist^2."""
    radius = data.problem.radius
    # R^2 - dist^2 is the square of the projection's norm: rounding may put it below 0.
    kept = precise().sqrt(max(radius**2 - far**2, 0 * far))
    return data.largest * radius * far**2 / (radius + kept)


def _quasi_margins(instance: Instance, minimiser: Minimiser = trust_region_minimiser) -> Margins:
    data, t = known(instance), int(instance["t"])
    s = minimiser(data.problem, t)
    gap, far = gap_of(data, s), distance(data.problem, t, data.step)
    error = dot(*2 * ([x - y for x, y in zip(s, data.step, strict=True)],))
    radius = data.problem.radius
    return {
        "the gap is at least 0": at_most(data, 0 * gap, gap),
        "gap <= L R (R - sqrt(R^2 - dist^2))": at_most(data, gap, _by_distance(data, far)),
        "||s_t - s*||^2 <= 2 kappa dist^2": at_most(
            data, data.least * error / 2, data.largest * far**2
        ),
        "dist <= ||s*||/T_t": at_most(
            data, data.least * far**2, data.least * (radius * chebyshev_share(data, t)) ** 2
        ),
    }


def _quasi_pair(instance: Instance) -> tuple[float, float] | None:
    data, t = known(instance), int(instance["t"])
    bound = _by_distance(data, distance(data.problem, t, data.step))
    if not data.decrease * 1e-25 < bound < data.decrease:
        return None
    return float(gap_of(data, trust_region_minimiser(data.problem, t))), float(bound)


def _quasi_optimal() -> Claim:
    printed = Form(
        "with d the distance of s* to the space and R = ||s*|| the gap is at most "
        "L R (R - sqrt(R^2 - d^2)) <= L d^2, ||s_t - s*|| at most sqrt(2 kappa) d, and d at most "
        "R/T_t",
        r"q(s_t) - q^* \le L R \bigl(R - \sqrt{R^2 - \mathrm{d}_t^2}\bigr) \le L\,\mathrm{d}_t^2,\ "
        r"\|s_t - s^*\| \le \sqrt{2\kappa}\,\mathrm{d}_t,\ "
        r"\mathrm{d}_t = \mathrm{dist}(s^*, K_t) \le \|s^*\|/T_t",
        (meaningful(), nonzero_gradient()),
        small_instances,
        _quasi_margins,
        edges,
        reduce=fewer_dimensions,
        bound=_quasi_pair,
        sabotage=broken(_quasi_margins, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/quasi-optimal",
        "the Krylov step is as good as the space, up to a factor",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Of the kind of Zhang, Shen and Li (2017). The multiplier enters through L alone.",
        proof="docs/krylov-rates.md, Theorem 8: the projection of s*, scaled to the sphere.",
        ours="The constants 1 and sqrt(2), and the first bound for a distance that is not small.",
    )


# --- the multiplier ----------------------------------------------------------------------


def _multiplier(data: Known, s: list[Real]) -> Real:
    """lambda_t = -s_t'(H s_t + g)/||s_t||^2, which is 0 in the interior."""
    problem = data.problem
    bent = [h * x + g for h, x, g in zip(problem.spectrum, s, problem.gradient, strict=True)]
    square = dot(s, s)
    return -dot(s, bent) / square if square else 0 * square


def _unshifted_error(data: Known, ritz: list[Real], gradient: list[Real], shift: Real) -> Real:
    """E_t: the energy error of conjugate gradients for H + shift, by its Ritz values."""
    whole = zip(data.problem.gradient, data.problem.spectrum, strict=True)
    parts = zip(gradient, ritz, strict=True)
    return (
        sum(g * g / (h + shift) for g, h in whole) - sum(g * g / (h + shift) for g, h in parts)
    ) / 2


def _at_most(smaller: Real, larger: Real, size: Real) -> float:
    """The margin of smaller <= larger, where terms of `size` were rounded at fifty digits.

    Conjugate gradients for an A of condition 1e18 lose that many of them.
    """
    return in_roundings(larger - smaller, abs(larger) + size * precise().mpf(10) ** -20)


def _multiplier_margins(
    instance: Instance, minimiser: Minimiser = trust_region_minimiser
) -> Margins:
    data, t = known(instance), int(instance["t"])
    fallen = data.multiplier - _multiplier(data, minimiser(data.problem, t))
    small = reduced(data.problem, t)
    shifted = [theta + data.multiplier for theta in small.ritz]
    inner = [g / a for g, a in zip(small.gradient, shifted, strict=True)]
    short = data.problem.radius**2 - dot(inner, inner)
    slope = dot(inner, [x / a for x, a in zip(inner, shifted, strict=True)])
    square, size = data.problem.radius**2, data.largest + data.multiplier
    margins = {
        "lambda_t is at most lambda*": _at_most(0 * fallen, fallen, size),
        "||c_t|| is at most ||s*||": _at_most(0 * short, short, square),
        "the bound": _at_most(2 * fallen * slope, short, square),
    }
    if data.least > 0:
        error = _unshifted_error(data, small.ritz, small.gradient, data.multiplier - data.least / 2)
        lacking = short * data.least
        margins["what ||c_t|| lacks"] = _at_most(lacking, 4 * error, square * data.least)
    return margins


def _multiplier_pair(instance: Instance) -> tuple[float, float] | None:
    data, t = known(instance), int(instance["t"])
    small = reduced(data.problem, t)
    shifted = [theta + data.multiplier for theta in small.ritz]
    inner = [g / a for g, a in zip(small.gradient, shifted, strict=True)]
    short = data.problem.radius**2 - dot(inner, inner)
    if short <= data.problem.radius**2 * 1e-25:
        return None
    fallen = data.multiplier - _multiplier(data, trust_region_minimiser(data.problem, t))
    slope = dot(inner, [x / a for x, a in zip(inner, shifted, strict=True)])
    return float(fallen), float(short / (2 * slope))


def _multiplier_claim() -> Claim:
    printed = Form(
        "with c_t the t-th iterate of conjugate gradients for A s = -g the multiplier of the "
        "Krylov step is at most lambda*, and below it by at most (||s*||^2 - ||c_t||^2) over "
        "2 c_t'(PAP)^-1 c_t; and ||s*||^2 - ||c_t||^2 is at most 4/m times the energy error of "
        "conjugate gradients for A - m/2",
        r"0 \le \lambda^* - \lambda_t \le \frac{\|s^*\|^2 - \|c_t\|^2}"
        r"{2\, c_t^\top (PAP)^{-1} c_t},\quad \|s^*\|^2 - \|c_t\|^2 \le "
        r"\tfrac4m E_t(\lambda^* - \tfrac m2)",
        (meaningful(), nonzero_gradient()),
        small_instances,
        _multiplier_margins,
        edges,
        reduce=fewer_dimensions,
        bound=_multiplier_pair,
        sabotage=broken(_multiplier_margins, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/multiplier",
        "how far the multiplier of the Krylov step is from the solution's",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="So the multiplier converges from below, and as the gap does: twice as fast as the "
        "step.",
        proof="docs/krylov-rates.md, Theorem 9: the error of the Gauss rule is log-convex in the "
        "shift.",
        ours="The bound, in which each term is of second order.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_quasi_optimal(), _multiplier_claim())
