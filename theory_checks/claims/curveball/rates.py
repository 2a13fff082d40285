"""The best fixed beta and rho, and the rivals at their best."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.optimize
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks import rates
from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.bulk import row_of
from theory_checks.claims.curveball.common import radius, radius_rows
from theory_checks.precise import Real, precise, real

__all__ = ["RIVALS", "claims", "searched"]


def _worst(m: float, L: float, beta: float, rho: float) -> Real:
    """The rate on [m, L]: the radius is quasiconvex in s, so that the ends decide."""
    return max(radius(real(beta) * real(h), real(rho)) for h in (m, L))


def searched(kappa: float) -> float:
    """1 - rate of the best pair that a search finds which knows no formula; spectrum [1/kappa, 1].

    A grid over (log(1 - rho), log(4/3 - beta)), then Nelder and Mead from its best points.
    """

    def modulus(s: float, rho: float) -> float:
        root = cmath.sqrt((rho - 2.0 * s) ** 2 - 2.0 * rho + 1.0)
        return max(abs(1.0 + rho - 2.0 * s + root), abs(1.0 + rho - 2.0 * s - root)) / 2.0

    def rate(x: np.ndarray) -> float:
        rho, beta = 1.0 - math.exp(x[0]), 4.0 / 3.0 - math.exp(x[1])
        return max(modulus(beta / kappa, rho), modulus(beta, rho)) if beta > 0.0 else math.inf

    gaps = np.linspace(-0.6 * math.log(kappa) - 3.0, 0.5, 40)
    points = sorted((rate(np.array([a, b])), a, b) for a in gaps for b in gaps)
    best = points[0][0]
    for _, a, b in points[:4]:
        x = np.array([a, b])
        for _ in range(4):
            options = {"xatol": 1e-14, "fatol": 1e-17, "maxiter": 2000}
            found = scipy.optimize.minimize(rate, x, method="Nelder-Mead", options=options)
            x, best = found.x, min(best, float(found.fun))
    return 1.0 - best


def _at_rho_one(kappa: float) -> float:
    """1 - rate of the best beta with rho = 1: s - 1 + sqrt(s^2 - s) = sqrt(1 - s/kappa)."""

    def excess(s: float) -> float:
        return s - 1.0 + math.sqrt(s * s - s) - math.sqrt(1.0 - s / kappa)

    s = scipy.optimize.brentq(excess, 1.0, min(4.0 / 3.0, kappa), xtol=1e-15)
    return float(-np.expm1(0.5 * np.log1p(-s / kappa)))


#: 1 - rate at condition number kappa, each method with its best fixed parameters.
RIVALS: dict[str, Callable[[float], float]] = {
    "CurveBall": lambda k: tralgos.curveball_optimal_parameters(1.0, k).rate_complement,
    "CurveBall, rho = 1": _at_rho_one,
    "gradient descent": lambda k: 2.0 / (k + 1.0),
    "Nesterov": lambda k: 2.0 / math.sqrt(3.0 * k + 1.0),
    "heavy ball, Chebyshev": lambda k: 2.0 / (math.sqrt(k) + 1.0),
}


#: The powers of kappa that the iterations grow with.
_POWERS = {
    "CurveBall": 0.5,
    "CurveBall, rho = 1": 1.0,
    "gradient descent": 1.0,
    "Nesterov": 0.5,
    "heavy ball, Chebyshev": 0.5,
}


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    figures = []
    for kappa in (1.1, 1.5, 2.5, 3.0, 10.0, 1e2, 1e4, 1e6):
        formula = RIVALS["CurveBall"](kappa)
        missed = (formula - searched(kappa)) / formula
        name = f"what a search falls short of the formula, share of 1 - rate, kappa = {kappa:g}"
        # Below 0 the search has found a better pair, and the formula is wrong.
        figures.append(Figure(name, missed, missed, missed, (-1e-8, 1e-3)))
    for kappa in (1.1, 2.0, 10.0, 1e2, 1e4, 1e6):
        for method, gap in RIVALS.items():
            steps = -math.log(10.0) / math.log1p(-gap(kappa))
            name = f"iterations a digit, {method}, kappa = {kappa:g}"
            figures.append(Figure(name, steps, steps, steps))
    # Over six decades; where the leading power has settled down.
    sizes = [10.0**k for k in range(4, 11)]
    for method, power in _POWERS.items():
        samples = [[-1.0 / math.log1p(-RIVALS[method](k))] for k in sizes]
        found = rates.power(sizes, samples, np.random.default_rng(seed))
        near = (power - 0.01, power + 0.01)
        name = f"exponent of kappa in the iterations a digit, {method}, 1e4 to 1e10"
        ends = found.value, found.low, found.high
        figures.append(Figure(name, *ends, near, claimed=near))
    late = RIVALS["CurveBall"](1e12) * math.sqrt(3e12) / 2.0
    figures.append(Figure("(1 - rate) sqrt(3 kappa)/2, kappa = 1e12", late, late, late, (0.999, 1)))
    return tuple(figures)


#: The best pair from m and L.
_Parameters = Callable[[float, float], Any]


def _best(m: float, L: float) -> Any:
    return tralgos.curveball_optimal_parameters(m, L)


def _with_rho_one(m: float, L: float) -> Any:
    return replace(_best(m, L), rho=1.0)


def _with_less_rho(m: float, L: float) -> Any:
    best = _best(m, L)
    return replace(best, rho=best.rho * (1.0 - 1e-6))


def _with_longer_steps(m: float, L: float) -> Any:
    best = _best(m, L)
    return replace(best, beta=best.beta * (1.0 + 1e-3))


def _boasting(m: float, L: float) -> Any:
    """The rate of heavy ball."""
    t = 2.0 / (math.sqrt(L / m) + 1.0)
    return replace(_best(m, L), rate=1.0 - t, rate_complement=t)


def _trial(instance: Instance, best: Any) -> tuple[float, float]:
    """A pair (beta, rho) near the best one or far from it."""
    size = 10.0 ** -instance["closeness"]
    beta = best.beta * (1.0 + size * instance["to beta"])
    return beta, best.rho + size * instance["to rho"] * (1.0 - best.rho + best.rate_complement)


def _sides(instance: Instance) -> tuple[float, float]:
    """The rate of the trial, and of the best pair."""
    best = _best(1.0, instance["kappa"])
    return float(_worst(1.0, instance["kappa"], *_trial(instance, best))), best.rate


def _margins(instance: Instance, parameters: _Parameters = _best) -> Margins:
    kappa = instance["kappa"]
    best = parameters(1.0, kappa)
    size = 1.0 + best.rate
    k = real(kappa)
    nesterov, descent = 2 / precise().sqrt(3 * k + 1), 2 / (k + 1)
    # The pair itself is rounded: about a rounding over the rate where that is small.
    own = _worst(1.0, kappa, best.beta, best.rho)
    share = max(1.0, min(1.0 / max(best.rate, 1e-8), 1e8))
    return {
        "no pair is better": in_roundings(
            _worst(1.0, kappa, *_trial(instance, best)) - best.rate, size * share, 8.0
        ),
        "the pair has the rate": in_roundings(-abs(own - best.rate), size * share, 8.0),
        "it converges": fact(own < 1.0),
        # At kappa = 1 + small they differ by less than a rounding of 1.
        "Nesterov's is better": in_roundings(
            nesterov - best.rate_complement, best.rate_complement, 8.0
        ),
        "gradient descent's is better below 3 alone": fact(
            abs(kappa - 3.0) < 1e-6
            or (kappa < 3.0) == (best.rate_complement < descent)
            or kappa < 1.0 + 1e-12
        ),
        "1 - r as the cubic has it": in_roundings(-_residual(kappa, best.rate_complement), 1, 64),
    }


def _residual(kappa: float, t: float) -> float:
    """By how much the t = 1 - r of the code changes in a Newton step on the equation for it."""
    k, t = real(kappa), real(t)
    if kappa <= 3:
        exact = 1 - precise().sqrt((k - 1) / (3 * k - 1))
    else:
        # 2(k - 1)t^3 - (3k - 7)t^2 - 8t + 4 = 0.
        value = 2 * (k - 1) * t**3 - (3 * k - 7) * t**2 - 8 * t + 4
        exact = t - value / (6 * (k - 1) * t**2 - 2 * (3 * k - 7) * t - 8)
    return float(abs(t - exact) / exact)


def _optimal_strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "kappa": st.one_of(
                st.sampled_from([1.0, 1.5, 2.0, 3.0, 10.0]),
                st.floats(0.0, 8.0).map(lambda x: 10.0**x),
            ),
            "closeness": st.floats(0.0, 10.0),
            "to beta": st.floats(-1.0, 1.0),
            "to rho": st.floats(-1.0, 1.0),
        }
    )


def _trial_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return {
        "kappa": 10.0 ** rng.uniform(0.0, 8.0, size),
        "closeness": rng.uniform(0.0, 8.0, size),
        "to beta": rng.uniform(-1.0, 1.0, size),
        "to rho": rng.uniform(-1.0, 1.0, size),
    }


def _trial_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The trial's rate less the closed form's, over 1 less that one."""
    k = arrays["kappa"]
    few = k <= 3.0
    cubic = xp.where(few, 4.0, k)
    angle = xp.arccos(-((4.0 / (9.0 * cubic - 5.0)) ** 1.5)) / 3.0
    late = 1.0 / (2.0 / 3.0 + xp.sqrt(cubic - 5.0 / 9.0) * xp.cos(angle))
    early = xp.sqrt((k - 1.0) / (3.0 * k - 1.0))
    t = xp.where(few, 1.0 - early, late)
    r = 1.0 - t
    rho = xp.where(few, 1.0 - 2.0 * r * r, 1.0 - 2.0 * r * t)
    beta = xp.where(few, (1.0 - r * r) / k, t * t)
    share = 10.0 ** -arrays["closeness"]
    tried = beta * (1.0 + share * arrays["to beta"])
    other = rho + share * arrays["to rho"] * (1.0 - rho + t)
    found = xp.maximum(radius_rows(xp, tried, other), radius_rows(xp, tried * k, other))
    return (found - r) / t + 1e-12


def _optimal_edges() -> Iterable[Instance]:
    for kappa in (1.0, 1.5, 3.0, 4.0, 1e4):
        yield {"kappa": kappa, "closeness": 3.0, "to beta": 1.0, "to rho": -1.0}


def _optimal() -> Claim:
    printed = Form(
        "for a spectrum in [m, L] no fixed pair has a smaller worst rate than the closed form, "
        "which has it; it is above Nesterov's best, and above gradient descent's exactly for "
        "kappa < 3",
        r"\frac1{1-r} = \tfrac23 + \sqrt{\kappa - \tfrac59}\,\cos\bigl(\tfrac13 \arccos("
        r"-(\tfrac4{9\kappa-5})^{3/2})\bigr),\ \kappa \ge 3",
        (
            Condition(
                "1 <= kappa",
                r"\kappa \ge 1",
                lambda i: bool(i["kappa"] >= 1.0),
                kept="L is the larger end of the spectrum",
            ),
            Condition(
                "kappa <= 1e12",
                r"\kappa \le 10^{12}",
                lambda i: bool(i["kappa"] <= 1e12),
                kept="a limit of what is tried: beyond, a float64 rho next to 1 hardly differs",
            ),
        ),
        _optimal_strategy,
        _margins,
        edges=_optimal_edges,
        screen=Screen(_trial_rows, _trial_slack, row_of),
        bound=_sides,
        sabotage=(
            Sabotage("rho = 1", lambda i: _margins(i, _with_rho_one)),
            Sabotage("a millionth less of rho", lambda i: _margins(i, _with_less_rho)),
            Sabotage("beta longer by a thousandth", lambda i: _margins(i, _with_longer_steps)),
            Sabotage("the rate of heavy ball", lambda i: _margins(i, _boasting)),
        ),
        effort=80,
    )
    return Claim(
        "curveball/optimal-parameters",
        "the best fixed beta and rho for a spectrum in [m, L], and the rivals at their best",
        "beyond the papers",
        "docs/curveball-rates.md",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="1 - r is 2/sqrt(3 kappa) for large kappa, as Nesterov's is, and always a little "
        "less; heavy ball needs 1/sqrt(3) of the iterations. With rho = 1 the best rate is "
        "1 - 2/(3 kappa): three times the iterations of gradient descent.",
        proof="docs/curveball-rates.md, the best fixed pair: Jury's conditions for |mu| <= r are "
        "linear in s and rho.",
        ours="The closed form of the best pair and its rate, and the comparison.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_optimal(),)
