"""The linear rate of the trust-region step: as published, and with constants that are proved."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Claim, Condition, Dropped, Form, Instance, Margins, Verdict
from theory_checks.claims.krylov import bulk
from theory_checks.claims.krylov.bounds import (
    chebyshev_share,
    published_linear,
    scaled_bound,
    sharp_bound,
)
from theory_checks.claims.krylov.common import (
    PAPER,
    PLACE,
    Known,
    at_most,
    edges,
    fewer_dimensions,
    gap_of,
    instance_of,
    known,
    meaningful,
    small_instances,
)
from theory_checks.claims.krylov.judged import BROKEN, bounded, broken, pair
from theory_checks.claims.krylov.space import Minimiser, reduced, trust_region_minimiser
from theory_checks.precise import Real

__all__ = ["claims"]


def _published(data: Known, t: int) -> Real:
    return published_linear(data, t, data.decrease)


def _scaled(data: Known, t: int) -> Real:
    return scaled_bound(data, t, data.decrease)


def _interior(data: Known, t: int) -> Real:
    return chebyshev_share(data, t) ** 2 * data.energy


def _scaled_margins(instance: Instance, minimiser: Minimiser | None = None) -> Margins:
    data, t = known(instance), int(instance["t"])
    return {
        **bounded(instance, minimiser, bound=_scaled),
        "never above the published bound": at_most(data, _scaled(data, t), _published(data, t)),
    }


def _linear_rate() -> Claim:
    margins = partial(bounded, bound=_published)
    printed = Form(
        "the trust-region step over the t-th Krylov space has a gap of at most 36 times the first "
        "one times exp(-4t sqrt((lambda_min + lambda*)/(lambda_max + lambda*)))",
        r"q(s_t) - q^* \le 36\,(q(0) - q^*)\, e^{-4t\sqrt{m/L}},\ m = \lambda_{\min} + \lambda^*,\ "
        r"L = \lambda_{\max} + \lambda^*",
        (meaningful(),),
        small_instances,
        margins,
        edges,
        screen=bulk.screen(bulk.published_linear),
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_published),
        sabotage=broken(margins, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/linear-rate",
        "the linear rate of the Krylov step of a trust-region problem",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Carmon and Duchi (2018). For large t it is nine times too large at least, see "
        "linear-sharp, and more where lambda* is. In the hard case m = 0, and it says nothing.",
        proof="docs/krylov-rates.md: a Chebyshev polynomial in A, scaled to the sphere; where "
        "T_t < 3 the bound is above q(0) - q*.",
    )


def _linear_constant() -> Claim:
    printed = Form(
        "the gap is at most 4/(T_t - 1)^2 s*'As*/2, and at most the first one; T_t is the "
        "Chebyshev polynomial at (kappa + 1)/(kappa - 1)",
        r"q(s_t) - q^* \le \frac{4}{(T_t - 1)^2}\, \tfrac12 s^{*\top} A s^*",
        (meaningful(),),
        small_instances,
        _scaled_margins,
        edges,
        screen=bulk.screen(bulk.scaled),
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_scaled),
        sabotage=broken(_scaled_margins, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/linear-constant",
        "the linear rate with a constant that is proved",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Never above the published bound, and without lambda* ||s*||^2/2, which can be most "
        "of the first gap.",
        proof="docs/krylov-rates.md, Theorem 1.",
        ours="The bound with T_t itself and with s*'As*/2 in the place of the first gap, which "
        "implies the published one.",
    )


# --- without a multiplier --------------------------------------------------------------


def _limit(data: Known, t: int) -> Real:
    """lambda_max ||s*||^2/(8 (t + 1/2)^2)."""
    return data.largest * data.problem.radius**2 / (2 * (2 * t + 1) ** 2)


def _smaller_interior(data: Known, t: int) -> Real:
    return min(_interior(data, t), _limit(data, t))


def _interior_edges() -> Iterable[Instance]:
    """The shared ones, and those that attain the first bound, two, and the second, one."""
    yield from edges()
    yield instance_of([1.0, 4.0], [4.0, 1.0], 0.0, 1)
    yield instance_of([1.0, 2.0, 3.0], [6.0, 3.0 * 2.0**0.5, 2.0], 0.0, 2)
    yield instance_of([1.0, 4.0], [8.0**0.5, 1.0], 0.0, 1)


def _interior_margins(instance: Instance, minimiser: Minimiser | None = None) -> Margins:
    data, t = known(instance), int(instance["t"])
    gap = gap_of(data, (minimiser or trust_region_minimiser)(data.problem, t))
    return {
        **bounded(instance, minimiser, bound=_interior),
        "at most lambda_max ||s*||^2/(8 (t + 1/2)^2)": at_most(data, gap, _limit(data, t)),
    }


def _interior_rate() -> Claim:
    margins = _interior_margins
    without = Condition(
        "no multiplier",
        r"\lambda^* = 0",
        lambda i: i["multiplier"] == 0,
        Dropped(
            (
                instance_of([1.0, 4.0], [3.0, 1.0], 2.0, 1),
                instance_of([0.0, 1.0], [3.0, 1.0], 1.0, 1),
            ),
            note="With a multiplier T_t^-2 holds for large t only, see linear-sharp.",
        ),
    )
    printed = Form(
        "where the ball does not matter the gap is at most T_t^-2 times the first one, and at most "
        "lambda_max ||s*||^2/(8 (t + 1/2)^2)",
        r"\lambda^* = 0 \implies q(s_t) - q^* \le \min\Bigl\{T_t^{-2} (q(0) - q^*),\ "
        r"\frac{\lambda_{\max} \|s^*\|^2}{8 (t + \frac12)^2}\Bigr\}",
        (meaningful(), without),
        lambda: small_instances(interior=True),
        margins,
        _interior_edges,
        screen=bulk.screen(bulk.interior, bulk.draw_interior),
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_smaller_interior),
        sabotage=broken(
            margins, BROKEN, "the space is never extended", "gradient descent in its place"
        ),
        effort=60,
    )
    return Claim(
        "krylov/interior-rate",
        "the linear rate without a multiplier",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Conjugate gradients: their iterates grow in norm, so they stay in a ball that holds "
        "the solution. Both are attained, by H = diag(1, 4), t = 1: the first with s* = (4, 1), "
        "the second with s* = (sqrt(8), 1); for other t see worst-linear and worst-sublinear. The "
        "second is false with lambda_max - lambda_min in the place of lambda_max: H = diag(1, 4), "
        "s* = (3, 1), t = 1.",
        proof="docs/krylov-rates.md, Theorem 2.",
    )


# --- for large t -----------------------------------------------------------------------


def _energy_error(data: Known, t: int) -> Real:
    """The least (s - s*)'A(s - s*)/2 over the Krylov space, which no feasible step falls below."""
    small = reduced(data.problem, t)
    shifted = [theta + data.multiplier for theta in small.ritz]
    met = sum(g * g / h for g, h in zip(small.gradient, shifted, strict=True)) / 2
    return data.energy - met


def _sharp_margins(instance: Instance, minimiser: Minimiser = trust_region_minimiser) -> Margins:
    data, t = known(instance), int(instance["t"])
    gap = gap_of(data, minimiser(data.problem, t))
    return {
        "no less than the error of conjugate gradients": at_most(data, _energy_error(data, t), gap),
        "the gap is at most the bound": at_most(data, gap, sharp_bound(data, t)),
        "at most twice T_t^-2": at_most(data, gap, 2 * _interior(data, t)),
    }


def _is_large(instance: Instance) -> bool:
    data, t = known(instance), int(instance["t"])
    if data.least == 0:
        return False
    if data.spread == 0:
        return True
    size = 7 * t * (data.largest / data.least) ** 0.5
    return bool(size * chebyshev_share(data, t) <= 1)


def _sharp_edges() -> Iterable[Instance]:
    yield from edges()
    for t in (5, 6, 8):
        yield instance_of([1.0, 1.3, 2.0, 2.7, 3.0], [1.0, 1.0, 1.0, 1.0, 1.0], 2.0, t)
        yield instance_of([1.0, 4.0, 9.0], [1.0, 0.5, 0.5], 2.0, t)
    for t in (1, 2, 3):
        yield instance_of([1.0, 1.01, 1.02, 1.03], [1.0, 1.0, -1.0, 1.0], 2.0, t)
        yield instance_of([1.0, 1.01, 1.02, 1.03], [3.0, 2.0, 1.0, 0.5], 0.0, t)


def _linear_sharp() -> Claim:
    large = Condition(
        "T_t >= 7 t sqrt(kappa)",
        r"T_t \ge 7 t \sqrt\kappa",
        _is_large,
        Dropped(
            (instance_of([0.001, 1.0], [1.0, 0.01], 1.0, 1),),
            note="The energy may be far below lambda* ||s*||^2/2, and it takes T_t to see it.",
        ),
    )
    printed = Form(
        "for large t the gap is T_t^-2 s*'As*/2 up to a factor that tends to 1, and no better "
        "bound than T_t^-2 is true of all problems",
        r"E_t \le q(s_t) - q^* \le T_t^{-2} \bigl(1 + T_t^{-2} (4 + 3\tau)^2\bigr)\, "
        r"\tfrac12 s^{*\top} A s^*,\ \tau = t\, s^{*\top} A s^* / (\|s^*\|^2 \sqrt{mL})",
        (meaningful(), large),
        _near_the_identity,
        _sharp_margins,
        _sharp_edges,
        reduce=fewer_dimensions,
        bound=partial(pair, bound=sharp_bound),
        sabotage=broken(_sharp_margins, BROKEN),
        effort=60,
    )
    return Claim(
        "krylov/linear-sharp",
        "the constant of the linear rate for large t",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="T_t^-2 is about 4 exp(-4t/sqrt(kappa)): of the published 36 a ninth is left. E_t, "
        "the error of conjugate gradients for A, bounds the gap from below for every t.",
        proof="docs/krylov-rates.md, Theorem 3.",
        ours="The constant 36 is 4 for large t, with the factor before the limit; the exponent and "
        "the constant are then the best ones.",
    )


def _near_the_identity() -> SearchStrategy[Instance]:
    """Instances of moderate condition: for others no small t is large enough."""

    def squeezed(instance: Instance) -> Instance:
        largest = max(instance["curvatures"])
        share = 1.0 + instance["t"] / 2.0
        return {**instance, "curvatures": [x + largest / share for x in instance["curvatures"]]}

    return small_instances().map(squeezed)


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_linear_rate(), _linear_constant(), _interior_rate(), _linear_sharp())
