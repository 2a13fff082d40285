"""Proposition 1: the diagonal share of Wigner matrices, expected and of the expectation."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Sabotage,
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER
from theory_checks.claims.adaptive_norms.shares_laws import (
    Weights,
    expected,
    laws,
    moment,
    order_up_to,
    proper_laws,
    record,
    scales,
    shorter_laws,
    weights_of,
)
from theory_checks.precise import Real, precise, real
from tralgos.shares import (
    wigner_share,
)

__all__ = ["claims"]

# --- Proposition 1 as it stands ----------------------------------------------------------


def _folded_mean(mean: float, scale: float) -> Real:
    """E|x| of a normal number."""
    context, m, s = precise(), real(mean), real(scale)
    if s == 0:
        return abs(m)
    ratio = m / (s * context.sqrt(2))
    spread = s * context.sqrt(2 / context.pi) * context.exp(-(ratio**2))
    return spread + m * context.erf(ratio)


def _formula(d: int, sigma1: Any, sigma2: Any) -> Any:
    """1 / (1 + (d - 1) sigma2 / sigma1); None where it is not defined."""
    return None if sigma1 == 0 else 1 / (1 + (d - 1) * sigma2 / sigma1)


def _gaussian_margins(instance: Instance, share: Callable[..., float] = wigner_share) -> Margins:
    d = instance["d"]
    on = _folded_mean(instance["mean1"], instance["sigma1"])
    off = _folded_mean(instance["mean2"], instance["sigma2"])
    formula = _formula(d, real(instance["sigma1"]), real(instance["sigma2"]))
    if formula is None or on == off == 0:
        return {"the formula": -math.inf}
    wanted = d * on / (d * on + d * (d - 1) * off)
    found = share(d, diagonal=instance["sigma1"], off_diagonal=instance["sigma2"])
    return {
        "the formula": in_roundings(-abs(formula - wanted), wanted, EXACT),
        "tralgos": in_roundings(-abs(found - wanted), wanted),
    }


def _gaussian(
    d: int, sigma1: float, sigma2: float, mean1: float = 0.0, mean2: float = 0.0
) -> Instance:
    return {"d": d, "sigma1": sigma1, "sigma2": sigma2, "mean1": mean1, "mean2": mean2}


def _gaussian_conditions() -> tuple[Condition, ...]:
    positive = Condition(
        "sigma1 > 0", r"\sigma_1 > 0",
        lambda i: i["sigma1"] > 0,
        Dropped(
            (_gaussian(2, 0.0, 1.0),),
            note="The share is then 0; the formula as printed divides by zero, "
            "sigma1 / (sigma1 + (d-1) sigma2) does not.",
        ),
    )  # fmt: skip
    centred = Condition(
        "zero mean", r"E W_{ij} = 0",
        lambda i: i["mean1"] == i["mean2"] == 0,
        Dropped(
            (_gaussian(2, 1.0, 1.0, mean2=1.0), _gaussian(3, 1.0, 2.0, mean1=2.0)),
            note="E|W| is then that of a folded normal number, not a multiple of sigma.",
        ),
    )  # fmt: skip
    meaningful = Condition(
        "sigma2 >= 0", r"\sigma_2 \ge 0",
        lambda i: i["sigma1"] >= 0 and i["sigma2"] >= 0 and i["sigma1"] + i["sigma2"] < math.inf,
        kept="a standard deviation is a finite number and not negative",
    )  # fmt: skip
    return (order_up_to(10**6), meaningful, positive, centred)


def _proposition_1() -> Claim:
    printed = Form(
        "for a Gaussian Wigner matrix with standard deviations sigma1 on the diagonal and sigma2 "
        "off it, the diagonal share of E|W| is 1 / (1 + (d-1) sigma2/sigma1)",
        r"\delta_{E|W|} = \frac{1}{1 + (d - 1)\sigma_2/\sigma_1}",
        _gaussian_conditions(),
        lambda: st.builds(_gaussian, st.integers(1, 10**6), scales(), scales()),
        _gaussian_margins,
        edges=lambda: [
            _gaussian(1, 1.0, 1.0), _gaussian(2, 1.0, 1.0), _gaussian(10, 2**0.5, 1.0),
            _gaussian(10**6, 1.0, 1.0), _gaussian(3, 1.0, 0.0),
        ],
        sabotage=(
            Sabotage(
                "each pair of entries counted once",
                lambda i: _gaussian_margins(
                    i, lambda d, **s: wigner_share(d, **{**s, "diagonal": 2 * s["diagonal"]})
                ),
            ),
        ),
        effort=60,
    )  # fmt: skip
    return Claim(
        "adaptive-norms/proposition-1",
        "the diagonal share of E|W|",
        PAPER,
        "Proposition 1",
        Verdict.HOLDS,
        printed,
        notes="True, by linearity of the expectation alone: the entries need not be independent, "
        "and the ratio of standard deviations is that of the absolute means because all entries "
        "are Gaussian of mean zero. It speaks of the share of E|W| and not of the expected share.",
        proof="E|W_ii| = sigma1 sqrt(2/pi), E|W_ij| = sigma2 sqrt(2/pi); docs/diagonal-shares.md.",
    )


# --- the footnote ------------------------------------------------------------------------


def _deviation(law: Weights) -> Real:
    mean = Fraction(expected(law, lambda x: x))
    return precise().sqrt(real(moment(law, 2) - mean**2))


def _footnote_margins(instance: Instance, scale: Callable[[Weights], Any]) -> Margins:
    d = instance["d"]
    on, off = weights_of(instance["diagonal"]), weights_of(instance["off_diagonal"])
    first, second = moment(on, 1), moment(off, 1)
    formula = _formula(d, real(scale(on)), real(scale(off)))
    if formula is None or first == second == 0:
        return {"the formula": -math.inf}
    wanted = real(first / (first + (d - 1) * second))
    found = wigner_share(d, diagonal=float(first), off_diagonal=float(second))
    return {
        "the formula": in_roundings(-abs(formula - wanted), 1, EXACT),
        "tralgos": in_roundings(-abs(found - wanted), wanted),
    }


def _mirrored(law: Instance) -> Instance:
    """The law with a random sign."""
    return record([-x for x in law["values"]] + law["values"], 2 * law["weights"])


def _pairs_of_laws(law: SearchStrategy[Instance]) -> SearchStrategy[Instance]:
    return st.builds(_two_laws, st.integers(1, 20), law, law)


def _two_laws(d: int, on: Instance, off: Instance) -> Instance:
    return {"d": d, "diagonal": on, "off_diagonal": off}


def _centred_laws() -> Condition:
    return Condition(
        "zero mean", r"E W_{ij} = 0",
        lambda i: all(
            expected(weights_of(i[name]), lambda x: x) == 0 for name in ("diagonal", "off_diagonal")
        ),
        kept="a Wigner matrix is centred, and the footnote is about its distribution",
    )  # fmt: skip


def _positive_means(dropped: Dropped) -> Condition:
    return Condition(
        "positive expected absolute values", r"E|W_{ii}| > 0,\ E|W_{ij}| > 0",
        lambda i: all(any(i[name]["values"]) for name in ("diagonal", "off_diagonal")),
        dropped,
    )  # fmt: skip


def _footnote() -> Claim:
    signs, sparse = record([-1, 1], [1, 1]), record([-2, 0, 2], [1, 6, 1])
    zero = record([0], [1])
    edges = [
        _two_laws(2, signs, sparse), _two_laws(2, signs, signs), _two_laws(3, sparse, signs),
        _two_laws(2, record([1], [1]), record([1, 2], [1, 1])),
    ]  # fmt: skip
    printed = Form(
        "the argument naturally extends to any distribution with positive expected absolute "
        "values: the share of E|W| is the same function of the two standard deviations",
        r"\delta_{E|W|} = \frac{1}{1 + (d - 1)\sigma_2/\sigma_1},\quad \sigma^2 = \mathrm{Var}\,W",
        (order_up_to(10**6), proper_laws(-8), _centred_laws(), _positive_means(
            Dropped((_two_laws(2, zero, signs),), note="The formula divides by sigma1 = 0."))),
        lambda: _pairs_of_laws(laws(0, 4).map(_mirrored)),
        lambda i: _footnote_margins(i, _deviation),
        edges=lambda: edges,
        reduce=shorter_laws("diagonal", "off_diagonal"),
        effort=40,
    )  # fmt: skip
    amended = Form(
        "the same with sigma1 = E|W_ii| and sigma2 = E|W_ij|, for all laws, centred or not",
        r"\delta_{E|W|} = \frac{1}{1 + (d - 1)\,E|W_{ij}| / E|W_{ii}|}",
        (order_up_to(10**6), proper_laws(-8), _positive_means(
            Dropped((_two_laws(2, zero, signs),), note="The formula divides by E|W_ii| = 0."))),
        lambda: _pairs_of_laws(laws(-4, 4)),
        lambda i: _footnote_margins(i, lambda law: moment(law, 1)),
        edges=lambda: edges,
        reduce=shorter_laws("diagonal", "off_diagonal"),
        effort=40,
    )  # fmt: skip
    return Claim(
        "adaptive-norms/proposition-1-footnote",
        "other laws than the Gaussian",
        PAPER,
        "Proposition 1, footnote 4",
        Verdict.NEEDS,
        printed,
        amended,
        notes="With sigma for the standard deviation the formula needs one law up to scale on and "
        "off the diagonal. With the expected absolute values in its place it is true of all laws.",
        proof="The share of E|W| is a ratio of sums of E|W_ij|; docs/diagonal-shares.md.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims on the share of E|W|."""
    return (_proposition_1(), _footnote())
