"""How far the share of a random Wigner matrix strays from the share of the expectation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

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
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER
from theory_checks.claims.adaptive_norms.shares_laws import (
    Weights,
    is_law,
    laws,
    moment,
    record,
    shorter_laws,
    sum_of,
    weights_of,
)
from theory_checks.precise import Real, precise, real
from theory_checks.rates import power
from tralgos.shares import gaussian_expected_wigner_share, wigner_share

__all__ = ["claims"]

#: The largest order of which all sums are summed up.
_LARGEST = 8


def _instance(
    d: int, law: Instance, epsilon: float, ratio: float = 1.0, coupled: bool = False
) -> Instance:
    return {"d": d, "law": law, "ratio": ratio, "epsilon": epsilon, "coupled": coupled}


def _sums(instance: Instance) -> tuple[Weights, Weights]:
    d, law = instance["d"], weights_of(instance["law"])
    pairs = d * (d - 1) // 2
    if instance["coupled"]:
        return {d * x: w for x, w in law.items()}, {pairs * x: w for x, w in law.items()}
    return sum_of(law, d), sum_of(law, pairs)


def _share(instance: Instance) -> Fraction:
    """The share of the expectation."""
    ratio = Fraction(instance["ratio"])
    return Fraction(ratio / (ratio + int(instance["d"]) - 1))


def _tails(instance: Instance) -> tuple[Fraction, Fraction]:
    """The probabilities of a share at least epsilon above, and below, exactly."""
    on, off = _sums(instance)
    ratio, epsilon = Fraction(instance["ratio"]), Fraction(instance["epsilon"])
    middle = _share(instance)
    above = below = 0
    for s, v in on.items():
        for t, w in off.items():
            share = ratio * s / (ratio * s + 2 * t)
            above += v * w * (share >= middle + epsilon)
            below += v * w * (share <= middle - epsilon)
    total = sum(on.values()) * sum(off.values())
    return Fraction(above, total), Fraction(below, total)


def _bound(instance: Instance, level: Fraction) -> Real:
    """exp(-2 (epsilon (s + t))^2 / (width^2 sum of squared coefficients)) of (1-q) S - q T."""
    context, law, d = precise(), weights_of(instance["law"]), instance["d"]
    ratio, width = Fraction(instance["ratio"]), max(law) - min(law)
    mass = d * moment(law, 1) * (ratio + d - 1)
    squares = d * (ratio * (1 - level)) ** 2 + 2 * d * (d - 1) * level**2
    if width == 0 or squares == 0:
        return context.mpf(0)
    exponent = 2 * (Fraction(instance["epsilon"]) * mass / width) ** 2 / squares
    return context.exp(-real(exponent))


def _bounds(instance: Instance) -> tuple[Real, Real]:
    middle, epsilon = _share(instance), Fraction(instance["epsilon"])
    return _bound(instance, middle + epsilon), _bound(instance, middle - epsilon)


def _margins(instance: Instance) -> Margins:
    return {
        name: in_roundings(bound - real(tail), 1, EXACT)
        for name, tail, bound in zip(
            ("far above", "far below"), _tails(instance), _bounds(instance), strict=True
        )
    }


def _tightness(instance: Instance) -> tuple[float, float] | None:
    pairs = [(float(a), float(b)) for a, b in zip(_tails(instance), _bounds(instance), strict=True)]
    told = [pair for pair in pairs if pair[1] > 0]
    return max(told, key=lambda pair: pair[0] / pair[1], default=None)


def _strategy() -> SearchStrategy[Instance]:
    eighths = st.integers(1, 32).map(lambda k: k / 8)
    return st.builds(
        _instance, st.integers(1, 4), laws(1, 8), st.integers(1, 24).map(lambda k: k / 32), eighths
    )


def _edges() -> Iterable[Instance]:
    for law in (record([1], [1]), record([1, 8], [1, 1]), record([1, 8], [8, 1])):
        for d in (1, 2, 4):
            for epsilon in (2.0**-6, 0.125, 0.5):
                yield _instance(d, law, epsilon)


def _conditions() -> tuple[Condition, ...]:
    return (
        Condition("order", rf"1 \le d \le {_LARGEST}",
                  lambda i: isinstance(i["d"], int) and 1 <= i["d"] <= _LARGEST,
                  kept="it limits what is tried"),
        Condition("law", "a finite law of |Z| without zero",
                  lambda i: is_law(i["law"]) and min(i["law"]["values"]) >= 1,
                  kept="a matrix of zeros has no share"),
        Condition("positive", r"\epsilon > 0,\ \sigma_1/\sigma_2 > 0",
                  lambda i: 0 < i["epsilon"] < 1 and 0 < i["ratio"] < 1e300,
                  kept="a distance and a ratio of scales"),
        Condition("independent", "the entries on and above the diagonal are independent",
                  lambda i: not i["coupled"],
                  Dropped((_instance(8, record([1, 8], [1, 1]), 0.25, coupled=True),),
                          note="One number for the diagonal and one for the rest.")),
    )  # fmt: skip


def _shares(d: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Shares of Gaussian Wigner matrices of one scale, by their sums."""
    on = np.abs(rng.standard_normal((count, d))).sum(axis=1)
    off = np.array([np.abs(rng.standard_normal(d * (d - 1) // 2)).sum() for _ in range(count)])
    return np.asarray(on / (on + 2 * off))


def _gaussian_epsilon(d: int, chance: float) -> float:
    """The epsilon at which the Gaussian bound on the upper tail is `chance`: by bisection."""
    middle, mass = wigner_share(d), d * d * math.sqrt(2 / math.pi)
    low, high = 0.0, 1.0 - middle
    for _ in range(80):
        epsilon = 0.5 * (low + high)
        level = middle + epsilon
        squares = d * (1 - level) ** 2 + 2 * d * (d - 1) * level**2
        if math.exp(-0.5 * (epsilon * mass) ** 2 / squares) > chance:
            low = epsilon
        else:
            high = epsilon
    return high


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    rng = np.random.default_rng(seed)
    rounds = min(level.value, 8)
    sizes = [8.0, 40.0, 160.0, 800.0]
    strays = []
    for size in sizes:
        d = int(size)
        share = gaussian_expected_wigner_share(d)
        strays.append(np.abs(_shares(d, (400 if d < 100 else 100) * rounds, rng) - share).tolist())
    fall = power(sizes, strays, rng)
    d, count = 20, 4000 * rounds
    far = float(np.mean(_shares(d, count, rng) >= wigner_share(d) + _gaussian_epsilon(d, 0.5)))
    # Clopper and Pearson would hardly differ at so many; the three are the rule of three.
    spread = 1.96 * math.sqrt(max(far * (1 - far), 3.0 / count) / count)
    return (
        Figure("exponent of |share - expected share| in d, Gaussian", fall.value, fall.low,
               fall.high, (-1.7, -1.3), claimed=(-1.6, -1.4)),
        Figure("frequency beyond where the Gaussian bound is 1/2, d = 20", far,
               max(0.0, far - spread), far + spread, (0.01, 0.05), claimed=(0.0, 0.5)),
    )  # fmt: skip


def _concentration() -> Claim:
    printed = Form(
        "for independent |Z| of one law in an interval of length w the share is off the share of "
        "the expectation, p, by epsilon or more with at most the probability of Hoeffding's "
        "inequality for (1-q) S - q T, q = p + epsilon above and p - epsilon below",
        r"P(\pm(\delta_W - p) \ge \epsilon) \le \exp\Bigl(-\frac{2 \epsilon^2 (ES + ET)^2}"
        r"{w^2 (d \sigma_1^2 (1-q)^2 + 2 d(d-1) \sigma_2^2 q^2)}\Bigr)",
        _conditions(),
        _strategy,
        _margins,
        edges=_edges,
        reduce=shorter_laws("law"),
        bound=_tightness,
        effort=40,
    )
    return Claim(
        "adaptive-norms/share-concentration",
        "the share of one Wigner matrix",
        PAPER,
        "Section 3.3, of which it says nothing",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="One matrix shows its expected share up to a relative error of the order of "
        "d^{-1/2}: sqrt(pi/2 - 1) d^{-3/2} beside 1/d for Gaussian entries of one scale. For these "
        "w = 2 gives the bound, as |Z| is a 1-Lipschitz function of Z.",
        proof="delta >= q exactly where (1-q) S - q T >= 0, a sum of independent numbers of mean "
        "-epsilon (ES + ET); docs/diagonal-shares.md.",
        ours="The tail bounds, for bounded and for Gaussian entries, and the measured exponent.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim on the concentration of the share."""
    return (_concentration(),)
