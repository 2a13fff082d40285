"""The rate t^-2, which needs no gap in the spectrum: as published, and a smaller constant."""

from __future__ import annotations

from functools import partial

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
from theory_checks.claims.krylov import bulk
from theory_checks.claims.krylov.bounds import fejer_bound, published_sublinear, ritz_bound, tangent
from theory_checks.claims.krylov.common import (
    PAPER,
    PLACE,
    Known,
    at_most,
    edges,
    fewer_dimensions,
    instance_of,
    known,
    meaningful,
    nonzero_gradient,
    small_instances,
)
from theory_checks.claims.krylov.judged import BROKEN, bounded, broken, pair
from theory_checks.claims.krylov.space import Minimiser, reduced
from theory_checks.precise import Real, precise

__all__ = ["NO_GRADIENT", "claims"]


def _published(data: Known, t: int) -> Real:
    return published_sublinear(data, t, data.problem.gradient)


def _fejer(data: Known, t: int) -> Real:
    return fejer_bound(data, t, data.problem.gradient)


def _improved(instance: Instance, minimiser: Minimiser | None = None) -> Margins:
    data, t = known(instance), int(instance["t"])
    return {
        **bounded(instance, minimiser, bound=_fejer),
        "never above the published bound": at_most(data, _fejer(data, t), _published(data, t)),
    }


#: With one eigenvalue lambda_max = lambda_min, and the bound is 0.
NO_GRADIENT = Dropped(
    (instance_of([0.0], [1.0], 1.0, 1), instance_of([0.0, 0.0], [1.0, 1.0], 1.0, 3)),
    note="H = -1 and g = 0: the space is {0}, and the gap is 1/2 for ever.",
)


def _sublinear_rate() -> Claim:
    margins = partial(bounded, bound=_published)
    printed = Form(
        "the gap is at most (lambda_max - lambda_min) ||s*||^2/(t - 1/2)^2 times 4 plus, if "
        "lambda_min < 0, an eighth of the squared logarithm of 4||g||^2/(v'g)^2, v the leftmost "
        "eigenvector",
        r"q(s_t) - q^* \le \frac{(\lambda_{\max} - \lambda_{\min}) \|s^*\|^2}{(t - \frac12)^2} "
        r"\Bigl(4 + \tfrac18 [\lambda_{\min} < 0] \log^2 \frac{4\|g\|^2}{(v^\top g)^2}\Bigr)",
        (meaningful(), nonzero_gradient(NO_GRADIENT)),
        small_instances,
        margins,
        edges,
        screen=bulk.screen(bulk.published_sublinear),
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_published),
        sabotage=broken(margins, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/sublinear-rate",
        "the rate t^-2 of the Krylov step of a trust-region problem",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="Carmon and Duchi (2018). In the hard case the logarithm is infinite.",
        proof="docs/krylov-rates.md: it follows from Theorem 4 of the page, term by term.",
    )


def _sublinear_constant() -> Claim:
    printed = Form(
        "the gap is at most (lambda_max - lambda_min) ||s*||^2 times 3/(4t(t + 2)) and, if "
        "lambda_min < 0, half of tanh^2(arsinh(tan angle(g, v))/(2t - 1)) besides",
        r"q(s_t) - q^* \le (\lambda_{\max} - \lambda_{\min}) \|s^*\|^2 \Bigl(\frac{3}{4t(t+2)} + "
        r"\tfrac12 [\lambda_{\min} < 0] \tanh^2 \frac{\operatorname{arsinh} \tan\angle(g, v)}{2t-1}"
        r"\Bigr)",
        (meaningful(), nonzero_gradient(NO_GRADIENT)),
        small_instances,
        _improved,
        edges,
        screen=bulk.screen(bulk.fejer),
        reduce=fewer_dimensions,
        bound=partial(pair, bound=_fejer),
        sabotage=broken(_improved, BROKEN),
        effort=40,
    )
    return Claim(
        "krylov/sublinear-constant",
        "the rate t^-2 with constants that are proved",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="3/4 in the place of 4, and a quarter of the published second term. No constant "
        "below 1/8 can stand in the place of 3/4, see worst-sublinear.",
        proof="docs/krylov-rates.md, Theorem 4: Fejer's kernel in the dual problem.",
        ours="The constants 3/4 and, of the squared logarithm, 1/32 in the place of 4 and 1/8.",
    )


# --- the leftmost Ritz value -----------------------------------------------------------


def _leftmost_excess(instance: Instance, *, order: int | None = None) -> tuple[Known, Real]:
    data = known(instance)
    ritz = reduced(data.problem, int(instance["t"]) if order is None else order).ritz
    return data, min(ritz) - min(data.problem.spectrum)


def _ritz_margins(instance: Instance, *, order: int | None = None) -> Margins:
    data, excess = _leftmost_excess(instance, order=order)
    limit = ritz_bound(data, int(instance["t"]), data.problem.gradient)
    # Ritz values are rounded by the size of H, which may be far above that of q.
    negligible = max(abs(h) for h in data.problem.spectrum) * precise().mpf(10) ** -30
    return {
        "not below the spectrum": in_roundings(excess, excess + 2 * negligible),
        "at most the bound": in_roundings(limit - excess, limit + negligible),
    }


def _ritz_pair(instance: Instance) -> tuple[float, float] | None:
    data, excess = _leftmost_excess(instance)
    limit = ritz_bound(data, int(instance["t"]), data.problem.gradient)
    return None if limit <= data.largest * 1e-25 else (float(excess), float(limit))


def _leftmost_ritz() -> Claim:
    seen = Condition(
        "g sees the leftmost eigenspace",
        r"v^\top g \ne 0",
        lambda i: not _blind(i),
        Dropped(
            (instance_of([0.0, 1.0], [1.0, 1.0], 1.0, 2),),
            fails=False,
            note="With an angle of 90 degrees the bound is lambda_max - lambda_min.",
        ),
    )
    printed = Form(
        "the leftmost Ritz value exceeds lambda_min by at most (lambda_max - lambda_min) "
        "tanh^2(arsinh(tan angle(g, v))/(2t - 1))",
        r"\theta_1 - \lambda_{\min} \le (\lambda_{\max} - \lambda_{\min}) \tanh^2 "
        r"\frac{\operatorname{arsinh} \tan\angle(g, v)}{2t - 1}",
        (meaningful(), nonzero_gradient(), seen),
        small_instances,
        _ritz_margins,
        edges,
        reduce=fewer_dimensions,
        bound=_ritz_pair,
        sabotage=(Sabotage("the space is never extended", partial(_ritz_margins, order=1)),),
        effort=60,
    )
    return Claim(
        "krylov/leftmost-ritz",
        "how well a Krylov space sees the leftmost eigenvalue",
        PAPER,
        PLACE,
        Verdict.HOLDS,
        printed,
        notes="The second term of the rate t^-2. Attained for n = t + 1: there are spectra and "
        "g for which it is an equality.",
        proof="docs/krylov-rates.md, Lemma 2: a Chebyshev polynomial of degree 2t - 1 in the root.",
        ours="Closed, attained, and a quarter of the published term (Kuczynski and Wozniakowski "
        "bound its average over a random g).",
    )


def _blind(instance: Instance) -> bool:
    data = known(instance)
    return bool(tangent(data, data.problem.gradient) == float("inf"))


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_sublinear_rate(), _sublinear_constant(), _leftmost_ritz())
