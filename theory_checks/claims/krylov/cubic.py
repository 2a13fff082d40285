"""The same rates for the cubic model, whose gap is never above the ball's."""

from __future__ import annotations

from functools import partial

from theory_checks.claim import Claim, Form, Instance, Margins, Verdict
from theory_checks.claims.krylov.bounds import (
    fejer_bound,
    published_linear,
    published_sublinear,
    scaled_bound,
)
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
    positive_multiplier,
    small_instances,
)
from theory_checks.claims.krylov.judged import BROKEN_CUBIC, bounded, broken, pair
from theory_checks.claims.krylov.space import (
    Minimiser,
    cubic_minimiser,
    trust_region_minimiser,
)
from theory_checks.claims.krylov.sublinear import NO_GRADIENT
from theory_checks.precise import Real

__all__ = ["claims"]


def _linear(data: Known, t: int) -> Real:
    """The smaller of the published bound and the one of Theorem 1, as both are claimed."""
    return min(
        published_linear(data, t, data.cubic_decrease),
        scaled_bound(data, t, data.cubic_decrease),
    )


def _sublinear(data: Known, t: int) -> Real:
    gradient = data.problem.gradient
    return min(published_sublinear(data, t, gradient), fejer_bound(data, t, gradient))


def _linear_margins(instance: Instance, minimiser: Minimiser = cubic_minimiser) -> Margins:
    data, t = known(instance), int(instance["t"])
    gap = gap_of(data, minimiser(data.problem, t), cubic=True)
    ball = gap_of(data, trust_region_minimiser(data.problem, t))
    return {
        **bounded(instance, minimiser, bound=_linear, cubic=True),
        "at most the gap of the ball of radius ||s*||": at_most(data, gap, ball),
    }


def _linear_rate() -> Claim:
    printed = Form(
        "over the t-th Krylov space the cubic model has a gap of at most 36 times the first one "
        "times exp(-4t sqrt(m/L)), of at most 4/(T_t - 1)^2 s*'As*/2, and of at most that of the "
        "ball of radius ||s*||; m, L are the ends of the spectrum of A = H + sigma ||s*|| I",
        r"f(s_t) - f^* \le \min\Bigl\{36\, (f(0) - f^*)\, e^{-4t\sqrt{m/L}},\ "
        r"\frac{4}{(T_t - 1)^2}\, \tfrac12 s^{*\top} A s^*\Bigr\},\ "
        r"f = q + \tfrac\sigma3 \|\cdot\|^3",
        (meaningful(), positive_multiplier()),
        small_instances,
        _linear_margins,
        edges,
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_linear, cubic=True),
        sabotage=broken(_linear_margins, BROKEN_CUBIC),
        effort=50,
    )
    return Claim(
        "krylov/cubic-linear-rate",
        "the linear rate of the Krylov step of a cubic model",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Carmon and Duchi (2018) for the first bound. s*'As*/2 is f(0) - f* less "
        "sigma ||s*||^3/6.",
        proof="docs/krylov-rates.md, Theorem 6: f(s_t) <= f of the ball's step, whose norm is at "
        "most ||s*||.",
        ours="The second bound, and with it the first.",
    )


def _sublinear_rate() -> Claim:
    margins = partial(bounded, bound=_sublinear, cubic=True)
    printed = Form(
        "the gap of the cubic model obeys both bounds of the ball that fall with t^-2",
        r"f(s_t) - f^* \le (\lambda_{\max} - \lambda_{\min}) \|s^*\|^2 \Bigl(\frac{3}{4t(t+2)} + "
        r"\tfrac12 [\lambda_{\min} < 0] \tanh^2 \frac{\operatorname{arsinh} \tan\angle(g, v)}{2t-1}"
        r"\Bigr)",
        (meaningful(), positive_multiplier(), nonzero_gradient(NO_GRADIENT)),
        small_instances,
        margins,
        edges,
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_sublinear, cubic=True),
        sabotage=broken(margins, BROKEN_CUBIC),
        effort=50,
    )
    return Claim(
        "krylov/cubic-sublinear-rate",
        "the rate t^-2 of the Krylov step of a cubic model",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Carmon and Duchi (2018), with the constants of sublinear-constant.",
        proof="docs/krylov-rates.md, Theorem 6.",
        ours="The constants, as in sublinear-constant.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_linear_rate(), _sublinear_rate())
