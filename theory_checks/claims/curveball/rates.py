"""Section A.2.1, the best fixed beta and rho, and the rivals at their best."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
import scipy.optimize
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.common import PAPER, exact_roots_inside, quarters, radius
from theory_checks.precise import precise, real
from theory_checks.strategies import fractions_of_one

__all__ = ["RIVALS", "claims", "searched"]


# --- Section A.2.1 --------------------------------------------------------------------


def _length(rho: Fraction) -> Fraction:
    """Of the range of beta h for which (39) holds; 0 where it is empty."""
    return max(2 * (1 + rho) / 3 - max(rho - 1, Fraction(0)), Fraction(0))


def _together(instance: Instance, rho: Fraction) -> bool:
    """Whether all components converge with this beta and that rho."""
    beta = Fraction(instance["beta"])
    return all(exact_roots_inside(beta * Fraction(h), rho) for h in instance["eigenvalues"])


def _range_of_beta(instance: Instance, rho: Fraction) -> Fraction:
    """The length of the interval of beta for which all components converge; 0 where empty."""
    low, high = (Fraction(f(instance["eigenvalues"])) for f in (min, max))
    return max(2 * (1 + rho) / (3 * high) - max(rho - 1, Fraction(0)) / low, Fraction(0))


def _length_margins(rho: Fraction) -> Margins:
    return {
        "the range is longest at rho = 1": fact(_length(rho) <= _length(Fraction(1))),
        "there it is (0, 4/3)": fact(_length(Fraction(1)) == Fraction(4, 3)),
    }


def _intersection_margins(instance: Instance) -> Margins:
    rho = Fraction(instance["rho"])
    kept = not _together(instance, rho) or _together(instance, Fraction(1))
    return {**_length_margins(rho), "what converges with rho does with 1": fact(kept)}


def _amended_margins(instance: Instance) -> Margins:
    rho, beta = Fraction(instance["rho"]), Fraction(instance["beta"])
    low, high = (Fraction(f(instance["eigenvalues"])) for f in (min, max))
    some = 3 * beta * high / 2 - 1 < 1 + beta * low
    return {
        **_intersection_margins(instance),
        "the interval of beta is longest at rho = 1": fact(
            _range_of_beta(instance, rho) <= _range_of_beta(instance, Fraction(1))
        ),
        "some rho serves exactly if": fact(some == (beta * (3 * high - 2 * low) < 4)),
    }


def _together_instance(h: list[float], beta: float, rho: float) -> Instance:
    return {"eigenvalues": h, "beta": beta, "rho": rho}


def _section_a2_1() -> Claim:
    def strategy() -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": st.lists(quarters(0.25, 4.0), min_size=1, max_size=3),
                "beta": st.one_of(quarters(0.25, 2.0), fractions_of_one()),
                "rho": st.one_of(quarters(-1.0, 3.0), st.floats(-1.0, 3.0)),
            }
        )

    positive = Condition(
        "positive definite",
        r"h_i > 0,\ \beta > 0",
        lambda i: min(i["eigenvalues"]) > 0 and i["beta"] > 0,
    )
    printed = Form(
        "the range of beta h is largest at rho = 1, where it is (0, 4/3); the intersection over "
        "several eigenvalues is largest with rho = 1, for any fixed beta",
        r"\bigcap_i \{ \rho : \text{(39)} \} \ni \rho \implies \ni 1",
        (positive,),
        strategy,
        _intersection_margins,
        edges=lambda: (
            _together_instance([1.0], 1.0, 1.0),
            _together_instance([1.0], 1.5, 1.5),
        ),
    )
    amended = Form(
        "the range of beta h, and the interval of beta that serves all eigenvalues, are longest at "
        "rho = 1; for a fixed beta whatever converges with some rho <= 1 does with rho = 1; some "
        "rho > 1 serves as long as beta (3 h_max - 2 h_min) < 4",
        r"\beta < \frac{4}{3 h_{\max} - 2 h_{\min}} \iff \exists \rho",
        (
            positive,
            Condition(
                "rho <= 1",
                r"\rho \le 1",
                lambda i: bool(i["rho"] <= 1),
                Dropped(
                    (_together_instance([1.0], 1.5, 1.5),),
                    note="Only the sentence for fixed beta fails.",
                ),
            ),
        ),
        strategy,
        _amended_margins,
        edges=lambda: (_together_instance([1.0, 0.5], 1.25, 1.0),),
    )  # fmt: skip
    return Claim(
        "curveball/section-a2-1",
        "that rho = 1 converges for the most",
        PAPER,
        "Section A.2.1, figure 4",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The regions for beta h are (max(0, rho - 1), 2(1 + rho)/3): nested up to rho = 1, "
        "not beyond. With h = 1 and beta = 3/2 no component converges at rho = 1 and it does at "
        "rho = 3/2. The largest beta of all is reached as rho -> 1 + beta h_min. Nor is rho = 1 "
        "good where it converges: its best rate is 1 - 2/(3 kappa), behind gradient descent's "
        "1 - 2/kappa (see optimal-parameters).",
        proof="The length is 2(1 + rho)/3 below rho = 1 and 5/3 - rho/3 above; the interval of "
        "beta has the slope 2/(3 h_max) - 1/h_min < 0 there.",
    )


# --- the best pair --------------------------------------------------------------------


def _worst(m: float, L: float, beta: float, rho: float) -> float:
    """The rate on [m, L]: the radius is quasiconvex in s, so that the ends decide."""
    return max(float(radius(real(beta) * real(h), real(rho))) for h in (m, L))


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
    late = RIVALS["CurveBall"](1e12) * math.sqrt(3e12) / 2.0
    figures.append(Figure("(1 - rate) sqrt(3 kappa)/2, kappa = 1e12", late, late, late, (0.999, 1)))
    return tuple(figures)


def _trial(instance: Instance) -> tuple[float, float]:
    """A pair (beta, rho) near the best one or far from it."""
    best = tralgos.curveball_optimal_parameters(1.0, instance["kappa"])
    size = 10.0 ** -instance["closeness"]
    beta = best.beta * (1.0 + size * instance["to beta"])
    return beta, best.rho + size * instance["to rho"] * (1.0 - best.rho + best.rate_complement)


def _margins(instance: Instance) -> Margins:
    kappa = instance["kappa"]
    best = tralgos.curveball_optimal_parameters(1.0, kappa)
    size = 1.0 + best.rate
    # The pair itself is rounded: about a rounding over the rate where that is small.
    own = _worst(1.0, kappa, best.beta, best.rho)
    share = max(1.0, min(1.0 / max(best.rate, 1e-8), 1e8))
    return {
        "no pair is better": in_roundings(
            _worst(1.0, kappa, *_trial(instance)) - best.rate, size * share, 8.0
        ),
        "the pair has the rate": in_roundings(-abs(own - best.rate), size * share, 8.0),
        "it converges": fact(own < 1.0),
        # At kappa = 1 + small they differ by less than a rounding of 1.
        "Nesterov's is better": in_roundings(
            RIVALS["Nesterov"](kappa) - best.rate_complement, best.rate_complement, 8.0
        ),
        "gradient descent's is better below 3 alone": fact(
            abs(kappa - 3.0) < 1e-6
            or (kappa < 3.0) == (best.rate_complement < RIVALS["gradient descent"](kappa))
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
        (Condition("1 <= kappa", r"\kappa \ge 1", lambda i: bool(1.0 <= i["kappa"] <= 1e12)),),
        _optimal_strategy,
        _margins,
        edges=_optimal_edges,
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
        proof="docs/curveball-rates.md: Jury's conditions for |mu| <= r are linear in s and rho.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_section_a2_1(), _optimal())
