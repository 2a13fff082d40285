"""That no result like Lemma 2 can be had for Adagrad: exactly when.

The sequences are g_t = c t^-p u_t and g_t = c q^t u_t, of which all sums are known, with
u_t the same unit vector at all times or the coordinates in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
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
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER, rule_of, streamed
from theory_checks.precise import Real, precise, real
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

#: Updates that are followed one by one.
_FOLLOWED = 12


def _size(instance: Instance, t: int) -> Real:
    """||g_t||."""
    context = precise()
    rate = context.mpf(instance["rate"])
    shape = abs(rate) ** t if instance["law"] == "geometric" else context.mpf(t) ** -rate
    return abs(context.mpf(instance["size"])) * shape


def _is_summable(instance: Instance) -> bool:
    """Whether the sum of ||g_t||^2 is finite."""
    if instance["size"] == 0:
        return True
    rate = instance["rate"]
    return bool(abs(rate) < 1 if instance["law"] == "geometric" else rate > 0.5)


def _period(instance: Instance) -> int:
    return int(instance["n"]) if instance["turning"] else 1


def _largest(instance: Instance, t: int) -> Real:
    """lambda_max of A_t: the first coordinate's sum, which is the largest where they fall."""
    kept = range(1, t + 1)
    if instance["window"]:
        kept = kept[-int(instance["window"]) :]
    period = _period(instance)
    sums = [
        sum((_size(instance, k) ** 2 for k in kept if k % period == j), precise().mpf(0))
        for j in range(period)
    ]
    return max(sums) + real(instance["epsilon"])


def _supremum(instance: Instance) -> Real:
    """The limit of lambda_max(A_t), of square summable gradients that are all kept."""
    context = precise()
    period, rate = _period(instance), context.mpf(instance["rate"])
    size, epsilon = context.mpf(instance["size"]) ** 2, real(instance["epsilon"])
    if size == 0:
        return epsilon
    if instance["law"] == "geometric":
        return size * rate**2 / (1 - rate ** (2 * period)) + epsilon
    first = context.mpf(1) / period
    return size * period ** (-2 * rate) * context.zeta(2 * rate, first) + epsilon


def _growth(instance: Instance, t: Real) -> Real:
    """A lower bound on lambda_max(A_t) where the sum diverges: trace over n, by an integral."""
    context = precise()
    size, rate = context.mpf(instance["size"]) ** 2, context.mpf(instance["rate"])
    if instance["law"] == "geometric":
        # Not square summable, so that no term is below the first.
        return size * t / _period(instance) + real(instance["epsilon"])
    if rate == 0.5:
        total = context.log(t + 1)
    elif rate <= 0:
        total = t
    else:
        power = 1 - 2 * rate
        total = ((t + 1) ** power - 1) / power
    return size * total / _period(instance) + real(instance["epsilon"])


def _time_of(instance: Instance) -> Real:
    """A t at which that bound is above mu^2."""
    context = precise()
    size = context.mpf(instance["size"]) ** 2
    wanted = context.mpf(instance["mu"]) ** 2 * _period(instance) / size + 1
    rate = context.mpf(instance["rate"])
    if instance["law"] == "geometric" or rate <= 0:
        return context.ceil(wanted)
    if rate == 0.5:
        return context.ceil(context.exp(wanted))
    return context.ceil((1 + wanted * (1 - 2 * rate)) ** (1 / (1 - 2 * rate)))


def _unbounded_margins(instance: Instance) -> Margins:
    """No mu serves: at some t the largest eigenvalue is above the mu of the instance."""
    if _is_summable(instance):
        return {"mu is exceeded": fact(False)}
    square = real(instance["mu"]) ** 2
    if instance["window"]:
        # No gradient is longer than the first, so the first full window is the largest.
        reached = _largest(instance, int(instance["window"]))
        return {"mu is exceeded": fact(reached > square)}
    t = _time_of(instance)
    followed = [
        in_roundings(_largest(instance, k) - _growth(instance, precise().mpf(k)),
                     _largest(instance, k), EXACT)
        for k in (1, 2, 3, _FOLLOWED)
    ]  # fmt: skip
    return {
        "mu is exceeded": in_roundings(_growth(instance, t) - square, square, EXACT),
        "the bound on the sum": min(followed),
    }


def _bounded_margins(instance: Instance) -> Margins:
    """One mu serves, and no smaller one: max(sup lambda_max^{1/2}, epsilon^{-1/2})."""
    context = precise()
    supremum = _supremum(instance)
    seen = [_largest(instance, t) for t in range(1, _FOLLOWED + 1)]
    return {
        "mu serves": in_roundings(supremum - max(seen), supremum, EXACT),
        "it is approached": in_roundings(_tail(instance) - (supremum - seen[-1]), supremum, EXACT),
        "mu is finite": fact(context.isfinite(supremum)),
    }


def _tail(instance: Instance) -> Real:
    """An upper bound on all of the sum that is left after the followed updates."""
    context = precise()
    size, rate = context.mpf(instance["size"]) ** 2, context.mpf(instance["rate"])
    if size == 0:
        return size
    if instance["law"] == "geometric":
        return size * rate ** (2 * _FOLLOWED + 2) / (1 - rate**2)
    return size * context.mpf(_FOLLOWED) ** (1 - 2 * rate) / (2 * rate - 1)


#: From the gradients of a run to those that the norm is made of.
Fed = Callable[[list[list[float]]], list[list[float]]]


def _all_of_them(gradients: list[list[float]]) -> list[list[float]]:
    return gradients


def _followed_margin(instance: Instance, fed: Fed) -> float:
    """The norms of tralgos against the sums, over the followed updates."""
    n, period = int(instance["n"]), _period(instance)
    rule = rule_of({**instance, "rule": "adagrad", "kind": "diagonal"})
    gradients = [
        [float(_size(instance, t)) if j == (t - 1) % period else 0.0 for j in range(n)]
        for t in range(1, _FOLLOWED + 1)
    ]
    upper = rule.norm(streamed(rule, fed(gradients))).equivalence()[1]
    wanted = precise().sqrt(_largest({**instance, "window": 0}, _FOLLOWED))
    return in_roundings(-abs(upper - wanted), wanted)


def _exactly_margins(instance: Instance, fed: Fed = _all_of_them) -> Margins:
    margins = (_bounded_margins if _is_summable(instance) else _unbounded_margins)(instance)
    return {**margins, "the norm of the rule": _followed_margin(instance, fed)}


def _bound(instance: Instance) -> tuple[float, float] | None:
    """mu^2 of the followed updates, and over all t; nothing where there is none."""
    if not _is_summable(instance):
        return None
    return float(_largest(instance, _FOLLOWED)), float(_supremum(instance))


def _sabotage() -> tuple[Sabotage, ...]:
    broken: dict[str, Fed] = {
        "the newest gradient is left out": lambda g: [*g[:-1], [0.0 * x for x in g[-1]]],
        "the first gradient counts twice": lambda g: [g[0], *g],
        "lengths for their squares": lambda g: [[abs(x) ** 0.5 for x in row] for row in g],
    }

    def judged(fed: Fed) -> Callable[[Instance], Margins]:
        return lambda instance: _exactly_margins(instance, fed)

    return tuple(Sabotage(name, judged(fed)) for name, fed in broken.items())


# --- the screen: square summable sequences ------------------------------------------


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    geometric = rng.random(size) < 0.5
    return {
        "geometric": geometric,
        "rate": np.where(geometric, rng.uniform(0.01, 0.99, size), rng.uniform(0.55, 3.0, size)),
        "size": rng.integers(0, 33, size) / 8.0,
        "epsilon": rng.choice([1.0, 0.25, 1e-3], size),
        "n": rng.integers(1, 4, size),
        "turning": rng.integers(0, 2, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """How far the first coordinate's sum stays below its limit, and how near it comes."""
    rate, geometric = arrays["rate"], arrays["geometric"]
    period = xp.where(arrays["turning"] == 1, arrays["n"], 1)[:, None]
    t = xp.arange(1, _FOLLOWED + 1)
    first = (t - 1) % period == 0
    terms = xp.where(geometric[:, None], rate[:, None] ** (2 * t), t ** (-2.0 * rate[:, None]))
    seen = xp.sum(xp.where(first, terms, 0.0), axis=1)
    p = period[:, 0]
    powers = p ** (-2.0 * rate) * _zeta(xp, 2 * xp.where(geometric, 1.0, rate), 1.0 / p)
    total = xp.where(geometric, rate**2 / (1 - xp.where(geometric, rate, 0.5) ** (2 * p)), powers)
    square, epsilon = arrays["size"] ** 2, arrays["epsilon"]
    return (square * (total - seen) + 1e-8 * square * total) / (square * total + epsilon)


def _zeta(xp: Any, s: Any, a: Any) -> Any:
    """The sum of (a + k)^-s by Euler and Maclaurin, to about nine digits."""
    head = sum((a + k) ** -s for k in range(10))
    b = a + 10
    tail = b ** (1 - s) / (s - 1) + b**-s / 2 + s * b ** (-s - 1) / 12
    return head + tail - s * (s + 1) * (s + 2) * b ** (-s - 3) / 720


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    law = "geometric" if arrays["geometric"][row] else "power"
    numbers = {name: float(arrays[name][row]) for name in ("rate", "size", "epsilon")}
    counts = {name: int(arrays[name][row]) for name in ("n", "turning")}
    return {"law": law, **numbers, **counts, "mu": 2.0, "window": 0}


def _strategy(**fixed: SearchStrategy[Any]) -> SearchStrategy[Instance]:
    powers = st.one_of(
        st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 2.0]),
        st.floats(0.0, 0.46),
        st.floats(0.55, 3.0),
    )
    # What grows is not admitted; it is there for the hunt without bounded gradients.
    growing = st.one_of(
        st.tuples(st.just("power"), st.sampled_from([-0.25, -1.0, -2.0])),
        st.tuples(st.just("geometric"), st.sampled_from([1.25, 2.0, -1.5])),
    )
    laws = st.one_of(
        st.tuples(st.just("power"), powers),
        st.tuples(st.just("geometric"), st.one_of(st.just(1.0), fractions_of_one())),
        growing,
    )
    options: dict[str, SearchStrategy[Any]] = {
        "law": laws,
        "size": st.one_of(st.just(0.0), st.integers(1, 32).map(lambda k: k / 8)),
        "epsilon": st.sampled_from([1.0, 0.25, 1e-3]),
        "mu": st.integers(1, 64).map(float),
        "n": st.integers(1, 3),
        "turning": st.sampled_from([0, 1]),
        "window": st.just(0),
        **fixed,
    }
    drawn = st.fixed_dictionaries(options)
    return drawn.map(lambda i: {**i, "law": i["law"][0], "rate": i["law"][1]})


def _instance(
    law: str, rate: float, size: float = 1.0, mu: float = 2.0, window: int = 0, turning: int = 0
) -> Instance:
    return {
        "law": law,
        "rate": rate,
        "size": size,
        "epsilon": 1.0,
        "mu": mu,
        "n": 1 + turning,
        "turning": turning,
        "window": window,
    }


def _edges() -> Iterable[Instance]:
    yield _instance("geometric", 1.0, size=0.0)
    for turning in (0, 1):
        for law, rate in (("power", 0.0), ("power", 0.5), ("power", 0.75), ("geometric", 0.5)):
            yield _instance(law, rate, turning=turning)


def _is_in_reach(instance: Instance) -> bool:
    """Close to rates of 1/2 and 1 sums converge too slowly, far from them terms overflow."""
    rate = instance["rate"]
    if instance["law"] == "geometric":
        return bool(abs(rate) <= 0.999 or 1 <= abs(rate) <= 8)
    return bool(abs(rate) <= 8 and (rate == 0.5 or not 0.47 < rate < 0.53))


def _conditions() -> tuple[Condition, ...]:
    proper = Condition(
        "proper",
        r"\epsilon > 0,\ \mu \ge 1,\ n \ge 1",
        lambda i: i["epsilon"] > 0 and i["mu"] >= 1 and i["n"] >= 1,
        kept="Adagrad's epsilon, a dimension; a constant below 1 is never one",
    )
    reach = Condition(
        "in reach",
        "rates at which the sums can be followed",
        _is_in_reach,
        kept="a limit of what is tried: elsewhere sums take too many terms, or overflow",
    )
    bounded = Condition(
        "bounded gradients",
        r"\|g_t\| \le L",
        lambda i: abs(i["rate"]) <= 1 if i["law"] == "geometric" else i["rate"] >= 0,
        Dropped(
            (_instance("power", -1.0), _instance("geometric", 2.0)),
            fails=False,
            note="Not needed: what grows is not square summable.",
        ),
    )
    return proper, reach, bounded


def _nothing_forgotten() -> Condition:
    return Condition(
        "all gradients are kept",
        "there is no window",
        lambda i: not i["window"],
        Dropped(
            (_instance("power", 0.0, mu=8.0, window=4),),
            note="Over a window of m gradients the largest eigenvalue is at most m L^2 + epsilon.",
        ),
    )


def _adagrad() -> Claim:
    unjudged = tuple(replace(condition, dropped=None) for condition in _conditions())
    printed = Form(
        "for bounded gradients the norms by A_ada are not uniformly equivalent: for every mu "
        "there is a t at which (8) fails",
        r"\sup_t \lambda_{\max}(A_{\text{ada},t}) = \infty",
        unjudged,
        lambda: _strategy(),
        _unbounded_margins,
        edges=lambda: (_instance("geometric", 1.0, size=0.0),),
        effort=20,
    )
    amended = Form(
        "they are uniformly equivalent exactly if the gradients are square summable, and then "
        "with mu = max((lambda_max(sum g g') + epsilon)^{1/2}, epsilon^{-1/2}) and no less",
        r"\sup_t \lambda_{\max}(A_{\text{ada},t}) < \infty \iff \sum_t \|g_t\|^2 < \infty",
        (*_conditions(), _nothing_forgotten()),
        lambda: _strategy(),
        _exactly_margins,
        edges=_edges,
        screen=Screen(_draw, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=60,
    )
    return Claim(
        "adaptive-norms/adagrad-not-equivalent",
        "Adagrad's norms, along a sequence of gradients",
        PAPER,
        "after Lemma 2",
        Verdict.NEEDS,
        printed,
        amended,
        notes="Zero gradients are the smallest counterexample: A = epsilon I for ever. A method "
        "that converges fast has square summable gradients, so that Adagrad's norms stay "
        "equivalent along its run; what cannot be had is one mu for all sequences within a bound. "
        "The lower constant is never at risk. Sums that diverge are followed to a t that an "
        "integral gives, up to about e^1000.",
        ours="The exact condition: Adagrad's norms are uniformly equivalent along a sequence of "
        "gradients if and only if it is square summable.",
        proof="docs/theory-methods.md, Uniform equivalence: trace(A_t - epsilon I) is the sum of "
        "||g||^2 and lies between the largest eigenvalue and n times it; the matrices grow in the "
        "order of definite matrices.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_adagrad(),)
