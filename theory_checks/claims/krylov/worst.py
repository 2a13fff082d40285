"""Problems on which no bound can be better: they attain the rates.

The eigenvalues are the points where a Chebyshev polynomial has its extremes, and the
components of s* are chosen so that no polynomial of degree t does better than that one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Claim, Condition, Form, Instance, Margins, Verdict, in_roundings
from theory_checks.claims.krylov.bounds import chebyshev_share
from theory_checks.claims.krylov.common import PAPER, PLACE, Known, at_most, gap_of
from theory_checks.claims.krylov.judged import BROKEN, broken
from theory_checks.claims.krylov.space import Minimiser, Problem, trust_region_minimiser
from theory_checks.precise import Real, dot, norm, precise, real

__all__ = ["claims", "slowest_linear", "slowest_sublinear", "sublinear_arrays"]


def _solved(a: list[Real], squares: list[Real], multiplier: Real) -> Known:
    """The problem with these curvatures and squared components of s*."""
    context = precise()
    s = [context.sqrt(w) for w in squares]
    radius = norm(s)
    problem = Problem(
        [x - multiplier for x in a],
        [-x * y for x, y in zip(a, s, strict=True)],
        radius,
        multiplier / radius,
    )
    return Known(problem, a, s, multiplier, dot(a, squares) / 2)


def _weights_at_zero(nodes: list[Real]) -> list[Real]:
    """|l_j(0)| for the Lagrange polynomials of the nodes."""
    weights = []
    for j, own in enumerate(nodes):
        product = precise().mpf(1)
        for i, other in enumerate(nodes):
            if i != j:
                product *= other / (other - own)
        weights.append(abs(product))
    return weights


def slowest_linear(least: Real, largest: Real, multiplier: Real, t: int) -> Known:
    """t + 1 curvatures in [m, L]: the error of conjugate gradients is T_t^-2 of the first."""
    context = precise()
    a = [
        (largest + least) / 2 - (largest - least) / 2 * context.cospi(context.mpf(j) / t)
        for j in range(t + 1)
    ]
    squares = [weight / x for weight, x in zip(_weights_at_zero(a), a, strict=True)]
    return _solved(a, squares, multiplier)


def slowest_sublinear(largest: Real, t: int) -> Known:
    """t + 1 curvatures in (0, L] and one at 0 that g does not see; no multiplier."""
    context = precise()
    a = [largest * context.cospi(context.mpf(j) / (2 * t + 1)) ** 2 for j in range(t + 1)]
    squares = [weight / context.sqrt(x) for weight, x in zip(_weights_at_zero(a), a, strict=True)]
    zero = context.mpf(0)
    return _solved([*a, zero], [*squares, zero], zero)


# --- the linear rate -------------------------------------------------------------------


def _linear_known(instance: Instance) -> Known:
    return slowest_linear(
        real(instance["least"]),
        real(instance["largest"]),
        real(instance["multiplier"]),
        int(instance["t"]),
    )


def _linear_margins(instance: Instance, minimiser: Minimiser = trust_region_minimiser) -> Margins:
    data, t = _linear_known(instance), int(instance["t"])
    gap = gap_of(data, minimiser(data.problem, t))
    attained = chebyshev_share(data, t) ** 2 * data.energy
    margins = {"the gap is at least T_t^-2": at_most(data, attained, gap)}
    if data.multiplier == 0:
        margins["without a multiplier it is T_t^-2"] = in_roundings(-abs(gap / attained - 1), 1.0)
    return margins


def _linear_pair(instance: Instance) -> tuple[float, float]:
    data, t = _linear_known(instance), int(instance["t"])
    gap = gap_of(data, trust_region_minimiser(data.problem, t))
    return float(gap), float(chebyshev_share(data, t) ** 2 * data.energy)


def _linear_strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "least": st.floats(-3.0, 0.0).map(lambda x: 10.0**x),
            "largest": st.floats(0.125, 2.0).map(lambda x: 10.0**x),
            "multiplier": st.one_of(st.just(0.0), st.floats(0.0, 8.0)),
            "t": st.integers(1, 6),
        }
    )


def _linear_edges() -> Iterable[Instance]:
    for multiplier in (0.0, 0.5, 4.0):
        for t in (1, 2, 5):
            yield {"least": 1.0, "largest": 4.0, "multiplier": multiplier, "t": t}


def _worst_linear() -> Claim:
    printed = Form(
        "for all 0 < m < L, lambda* >= 0 and t there is a problem of t + 1 dimensions whose gap is "
        "at least T_t^-2 s*'As*/2, and that without a multiplier",
        r"\forall m, L, \lambda^*, t\ \exists H, g:\ q(s_t) - q^* \ge "
        r"T_t^{-2}\, \tfrac12 s^{*\top} A s^*",
        (
            Condition(
                "a spectrum",
                r"0 < m < L,\ \lambda^* \ge 0",
                lambda i: bool(
                    1e-6 <= i["least"] < i["largest"] * (1 - 1e-6) <= 1e6
                    and 0 <= i["multiplier"] <= 1e6
                    and 1 <= i["t"] <= 12
                ),
                kept="it says what the problem is made of; sizes so that fifty digits do",
            ),
        ),
        _linear_strategy,
        _linear_margins,
        _linear_edges,
        bound=_linear_pair,
        sabotage=broken(_linear_margins, BROKEN, "a ball a tenth too wide"),
        effort=40,
    )
    return Claim(
        "krylov/worst-linear",
        "problems that attain the linear rate",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="The gap bounded from below as linear-sharp bounds it from above: exponent and "
        "constant are the right ones.",
        proof="docs/krylov-rates.md, Theorem 5.",
        ours="The matching lower bound with its constant, for each multiplier.",
    )


# --- the rate t^-2 ---------------------------------------------------------------------


def _sublinear_margins(
    instance: Instance, minimiser: Minimiser = trust_region_minimiser
) -> Margins:
    t = int(instance["t"])
    data = slowest_sublinear(real(instance["largest"]), t)
    gap = gap_of(data, minimiser(data.problem, t))
    attained = data.spread * data.problem.radius**2 / (2 * (2 * t + 1) ** 2)
    return {"the gap is as claimed": in_roundings(-abs(gap / attained - 1), 1.0)}


def _worst_sublinear() -> Claim:
    printed = Form(
        "for each t there is a convex problem of t + 2 dimensions, lambda* = 0, whose gap is "
        "(lambda_max - lambda_min) ||s*||^2/(8 (t + 1/2)^2), and lambda_min = 0",
        r"\forall t\ \exists H \succeq 0, g:\ q(s_t) - q^* = "
        r"\frac{(\lambda_{\max} - \lambda_{\min}) \|s^*\|^2}{8 (t + \frac12)^2}",
        (
            Condition(
                "a size",
                r"L > 0,\ t \ge 1",
                lambda i: bool(1e-6 <= i["largest"] <= 1e6 and 1 <= i["t"] <= 12),
                kept="it says what the problem is made of",
            ),
        ),
        lambda: st.fixed_dictionaries(
            {"largest": st.floats(-3.0, 3.0).map(lambda x: 10.0**x), "t": st.integers(1, 6)}
        ),
        _sublinear_margins,
        lambda: ({"largest": 1.0, "t": t} for t in (1, 2, 3, 8)),
        sabotage=broken(
            _sublinear_margins,
            BROKEN,
            "the space is never extended",
            "gradient descent in its place",
        ),
        effort=20,
    )
    return Claim(
        "krylov/worst-sublinear",
        "problems that attain the rate t^-2",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="So t^-2 can not be improved, and no constant below 1/8 holds.",
        proof="docs/krylov-rates.md, Theorem 5.",
        ours="The constant 1/8 from below, exact where there is no multiplier and lambda_min = 0.",
    )


def sublinear_arrays(t: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The slowest problem for t with lambda_max = 1 in float64: H's diagonal, g, the radius."""
    j = np.arange(t + 1)
    x = np.cos(np.pi * j / (2 * t + 1))
    # |l_j(0)|/x_j is 1/x_j^2 up to a factor, and half of that at the end.
    squares = np.where(j == 0, 0.5, 1.0) / x**2
    a = np.append(x * x, 0.0)
    s = np.append(np.sqrt(squares / np.sum(squares)), 0.0)
    return a, -a * s, 1.0


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_worst_linear(), _worst_sublinear())
