"""The expected share of a Wigner matrix: its range, its gap to Proposition 1, and O(1/d)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

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
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import PAPER
from theory_checks.claims.adaptive_norms.shares_laws import (
    Weights,
    absolute,
    laws,
    moment,
    order_up_to,
    proper_laws,
    record,
    scales,
    shorter_laws,
    sum_of,
    weights_of,
)
from theory_checks.rates import power
from tralgos.shares import (
    expected_wigner_share_range,
    gaussian_expected_wigner_share,
)

__all__ = ["claims"]

#: The largest order of which all sums of finite laws are summed up.
_LARGEST = 8


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and math.isfinite(x)


def _finite(
    d: int,
    diagonal: Instance,
    off_diagonal: Instance | None = None,
    sigma1: float = 1.0,
    sigma2: float = 1.0,
    coupled: bool = False,
) -> Instance:
    return {
        "d": d,
        "sigma1": sigma1,
        "sigma2": sigma2,
        "diagonal": diagonal,
        "off_diagonal": diagonal if off_diagonal is None else off_diagonal,
        "coupled": coupled,
    }


def _sums(instance: Instance) -> tuple[Weights, Weights]:
    """The laws of the sums of |Z| on the diagonal and above it."""
    d = instance["d"]
    on, off = (absolute(weights_of(instance[name])) for name in ("diagonal", "off_diagonal"))
    pairs = d * (d - 1) // 2
    if instance["coupled"]:
        return {d * x: w for x, w in on.items()}, {pairs * x: w for x, w in off.items()}
    return sum_of(on, d), sum_of(off, pairs)


def _expected_share(instance: Instance) -> Fraction:
    """E[S / (S + T)], exactly."""
    first, second = Fraction(instance["sigma1"]), 2 * Fraction(instance["sigma2"])
    on, off = _sums(instance)
    total = Fraction(0)
    for s, v in on.items():
        for t, w in off.items():
            total += v * w * (first * s / (first * s + second * t))
    return total / (sum(on.values()) * sum(off.values()))


def _share_of_expectation(instance: Instance) -> Fraction:
    """sigma1 E|Z| / (sigma1 E|Z| + (d - 1) sigma2 E|Z'|), exactly."""
    on, off = (moment(weights_of(instance[n]), 1) for n in ("diagonal", "off_diagonal"))
    first = Fraction(instance["sigma1"]) * on
    return Fraction(first / (first + (int(instance["d"]) - 1) * Fraction(instance["sigma2"]) * off))


def _balanced(instance: Instance) -> Fraction:
    return Fraction(2, instance["d"] + 1)


def _equal_margins(instance: Instance) -> Margins:
    slack = _expected_share(instance) - _share_of_expectation(instance)
    return {"expected share = share of the expectation": in_roundings(-abs(slack), 1, 0.0)}


def _between_margins(instance: Instance) -> Margins:
    share, formula = _expected_share(instance), _share_of_expectation(instance)
    balanced = _balanced(instance)
    # sigma1 < 2 sigma2 is where the formula is the smaller of the two.
    sign = 1 if formula <= balanced else -1
    found = expected_wigner_share_range(
        instance["d"], diagonal=instance["sigma1"], off_diagonal=instance["sigma2"]
    )
    ends = min(formula, balanced), max(formula, balanced)
    return {
        "on its side of the formula": in_roundings(sign * (share - formula), 1, 0.0),
        "on its side of 2/(d+1)": in_roundings(sign * (balanced - share), 1, 0.0),
        "the range of tralgos": min(
            in_roundings(-abs(Fraction(a) - b), b) for a, b in zip(found, ends, strict=True)
        ),
    }


def _between_bound(instance: Instance) -> tuple[float, float] | None:
    """The formula and the expected share, the smaller one first."""
    share, formula = _expected_share(instance), _share_of_expectation(instance)
    if instance["d"] == 1:
        return None
    return float(min(share, formula)), float(max(share, formula))


def _finite_strategy() -> SearchStrategy[Instance]:
    return st.builds(
        _finite, st.integers(1, 4), laws(1, 8), st.none(), scales(), scales(), st.just(False)
    )


def _positive_scales() -> Condition:
    return Condition(
        "scales", r"\sigma_1, \sigma_2 > 0",
        lambda i: all(_is_number(i[k]) and 0 < i[k] < 1e300 for k in ("sigma1", "sigma2")),
        kept="with a scale of zero one of the two masses is missing and the share is 0 or 1",
    )  # fmt: skip


def _one_law(dropped: Dropped | None = None, kept: str = "") -> Condition:
    return Condition(
        "one law", "the entries have one law up to their scale",
        lambda i: absolute(weights_of(i["diagonal"])) == absolute(weights_of(i["off_diagonal"])),
        dropped, kept,
    )  # fmt: skip


def _independent(*instances: Instance, note: str) -> Condition:
    return Condition(
        "independent", "the entries on and above the diagonal are independent",
        lambda i: not i["coupled"],
        Dropped(instances, note=note),
    )  # fmt: skip


def _nonzero_laws() -> Condition:
    proper = proper_laws(1).holds
    return Condition(
        "no zeros", "finite laws of |Z| without zero", proper, kept="a matrix of zeros has no share"
    )


def _finite_conditions() -> tuple[Condition, ...]:
    wild, steady = record([1, 8], [1, 1]), record([4], [1])
    return (
        order_up_to(_LARGEST),
        _positive_scales(),
        _nonzero_laws(),
        _one_law(
            Dropped(
                (_finite(2, wild, steady), _finite(2, record([1, 3], [1, 1]), record([1], [1]))),
                note="With other laws on the diagonal the expected share may be on either side: "
                "to leading order the sign is that of 2 m1 v2 - m2 v1, for means m and variances "
                "v of the absolute values.",
            )
        ),
        _independent(
            _finite(5, record([1, 256], [1, 1]), coupled=True),
            note="One number for all of the diagonal and another for the rest: nothing averages "
            "out, and the expected share does not fall with 1/d.",
        ),
    )


def _screen() -> Screen:
    """d = 2, two values: all eight outcomes in float64."""

    def draw(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
        return {
            "values": rng.integers(1, 9, (size, 2)),
            "weights": rng.integers(1, 9, (size, 2)),
            "scales": rng.integers(1, 33, (size, 2)) / 8,
        }

    def slack(xp: Any, arrays: Any) -> Any:
        values, scales = arrays["values"], arrays["scales"]
        p = arrays["weights"] / xp.sum(arrays["weights"], axis=1, keepdims=True)
        share, first, second = 0.0, scales[:, 0], 2 * scales[:, 1]
        for i in (0, 1):
            for j in (0, 1):
                s = first * (values[:, i] + values[:, j])
                for k in (0, 1):
                    chance = p[:, i] * p[:, j] * p[:, k]
                    share = share + chance * s / (s + second * values[:, k])
        formula = first / (first + scales[:, 1])
        sign = xp.sign(2 / 3 - formula)
        return xp.minimum(sign * (share - formula), sign * (2 / 3 - share))

    def instance(arrays: Any, row: int) -> Instance:
        law = record(arrays["values"][row].tolist(), arrays["weights"][row].tolist())
        first, second = arrays["scales"][row].tolist()
        return _finite(2, law, None, first, second)

    return Screen(draw, slack, instance)


def _finite_edges() -> Iterable[Instance]:
    two, one = record([1, 2], [1, 1]), record([1], [1])
    rare = record([1, 10**6], [10**4, 1])
    yield _finite(2, two)
    yield _finite(1, two)
    yield _finite(3, one)
    for sigma1 in (0.5, 1.0, 2**0.5, 2.0, 4.0):
        yield _finite(3, two, sigma1=sigma1)
        yield _finite(2, rare, sigma1=sigma1)


def _expected() -> Claim:
    unbroken = (order_up_to(_LARGEST), _positive_scales(), _nonzero_laws(),
                _one_law(kept="the reading is false with it"),
                Condition("independent", "independent entries", lambda i: not i["coupled"],
                          kept="the reading is false with it"))  # fmt: skip
    printed = Form(
        "read as the expected share of W: it is 1 / (1 + (d-1) sigma2/sigma1)",
        r"E\,\delta_W = \frac{1}{1 + (d - 1)\sigma_2/\sigma_1}",
        unbroken,
        _finite_strategy,
        _equal_margins,
        edges=_finite_edges,
        reduce=shorter_laws("diagonal", "off_diagonal"),
        effort=40,
    )
    amended = Form(
        "the expected share lies between 1 / (1 + (d-1) sigma2/sigma1) and 2/(d+1), whatever the "
        "law of |Z|: above the share of the expectation for sigma1 < 2 sigma2, below it for "
        "sigma1 > 2 sigma2",
        r"\Bigl(\tfrac{2}{d+1} - \delta_{E|W|}\Bigr)\bigl(E\,\delta_W - \delta_{E|W|}\bigr) \ge 0,"
        r"\quad \Bigl(\tfrac{2}{d+1} - \delta_{E|W|}\Bigr)\Bigl(\tfrac{2}{d+1} - "
        r"E\,\delta_W\Bigr) \ge 0",
        _finite_conditions(),
        _finite_strategy,
        _between_margins,
        edges=_finite_edges,
        screen=_screen(),
        reduce=shorter_laws("diagonal", "off_diagonal"),
        bound=_between_bound,
        effort=40,
    )
    return Claim(
        "adaptive-norms/proposition-1-expected-share",
        "the expected share is not the share of the expectation",
        PAPER,
        "Proposition 1, and the sentence after it",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The two differ by a Jensen gap with a sign: equal where sigma1 = 2 sigma2, for "
        "constant |Z|, and for d = 1 alone. No moment of Z need exist: for Cauchy entries E|W| is "
        "infinite and the expected share is in the range all the same. Nor need Z be centred.",
        proof="All |Z| alike: R = sum_i |Z_ii| / (sum_i |Z_ii| + sum_{i<j} |Z_ij|) has the mean "
        "2/(d+1) by exchangeability, and the share is aR / (1 + (a-1) R), a = sigma1/(2 sigma2), "
        "convex in R for a < 1 and concave for a > 1; docs/diagonal-shares.md.",
        ours="The sign of the gap and both bounds.",
    )


# --- O(1/d) ------------------------------------------------------------------------------


def _order_margins(instance: Instance) -> Margins:
    limit = max(2, Fraction(instance["sigma1"]) / Fraction(instance["sigma2"]))
    slack = limit - instance["d"] * _expected_share(instance)
    return {"d times the expected share <= max(2, sigma1/sigma2)": in_roundings(slack, limit, 0.0)}


def _order_bound(instance: Instance) -> tuple[float, float]:
    limit = max(Fraction(2), Fraction(instance["sigma1"]) / Fraction(instance["sigma2"]))
    return float(instance["d"] * _expected_share(instance)), float(limit)


def _cauchy_shares(d: int, count: int, rng: np.random.Generator) -> np.ndarray:
    on = np.abs(rng.standard_cauchy((count, d))).sum(axis=1)
    off = np.array([np.abs(rng.standard_cauchy(d * (d - 1) // 2)).sum() for _ in range(count)])
    return np.asarray(on / (on + 2 * off))


def _gap_figures(rng: np.random.Generator) -> tuple[Figure, ...]:
    """How far apart the two are for Gaussian entries of one scale."""
    sizes = [10.0, 30.0, 100.0, 300.0, 1000.0]
    gaps = [[gaussian_expected_wigner_share(int(d)) - 1 / d] for d in sizes]
    gap = power(sizes, gaps, rng)
    at_two = gaussian_expected_wigner_share(2) - 0.5
    constant = gaps[-1][0] * sizes[-1] ** 3 / (math.pi / 2 - 1)
    return (
        Figure("gap at d = 2, Gaussian, sigma1 = sigma2", at_two, at_two, at_two,
               (0.0350, 0.0351), "equal"),
        Figure("exponent of the gap in d, Gaussian", gap.value, gap.low, gap.high,
               (-3.1, -2.9), claimed=(-3.1, -2.9)),
        Figure("gap times d^3 / (pi/2 - 1) at d = 1000", constant, constant, constant,
               (0.99, 1.01)),
    )  # fmt: skip


def _order_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    rng = np.random.default_rng(seed)
    sizes = [10.0, 100.0, 1000.0, 10.0**4, 10.0**5]
    gaussian = power(sizes, [[gaussian_expected_wigner_share(int(d))] for d in sizes], rng)
    few = [5.0, 20.0, 100.0, 500.0]
    count = 20 * min(level.value, 8)
    # The mean logarithm is that of the share of one matrix; it falls as its mean does.
    cauchy = power(few, [_cauchy_shares(int(d), count, rng).tolist() for d in few], rng)
    return (
        *_gap_figures(rng),
        Figure("exponent of the expected share in d, Gaussian", gaussian.value, gaussian.low,
               gaussian.high, (-1.01, -0.99), "O(1/d)", (-math.inf, -0.9)),
        Figure("exponent of the share in d, Cauchy", cauchy.value, cauchy.low, cauchy.high,
               (-1.25, -0.75), "O(1/d)", (-math.inf, -0.9)),
    )  # fmt: skip


def _falls() -> Claim:
    printed = Form(
        "if the Hessian at any given point were a random Wigner matrix we would expect the share "
        "to fall with O(1/d); checked: d times the expected share is at most max(2, sigma1/sigma2)",
        r"d\,E\,\delta_W \le \max(2, \sigma_1/\sigma_2)",
        (
            order_up_to(_LARGEST),
            _positive_scales(),
            _nonzero_laws(),
            _one_law(
                Dropped(
                    (_finite(4, record([16], [1]), record([1], [1])),),
                    note="A law of its own on the diagonal is a scale of its own in disguise.",
                )
            ),
            _independent(
                _finite(8, record([1, 256], [1, 1]), coupled=True),
                note="Nothing averages out.",
            ),
        ),
        _finite_strategy,
        _order_margins,
        edges=_finite_edges,
        reduce=shorter_laws("diagonal", "off_diagonal"),
        bound=_order_bound,
        effort=40,
    )
    return Claim(
        "adaptive-norms/proposition-1-order",
        "the expected share falls with O(1/d)",
        PAPER,
        "Section 3.3, after Proposition 1",
        Verdict.MEASURED,
        printed,
        measure=_order_figures,
        notes="True of the expected share as well, and of entries without any moment, where "
        "Proposition 1 says nothing. For Gaussian entries of one scale the expected share is above "
        "1/d by (pi/2 - 1)/d^3 to leading order.",
        proof="From the range of the expected share: 2/(d+1) <= 2/d, and "
        "sigma1/(sigma1 + (d-1) sigma2) <= max(1, sigma1/sigma2)/d.",
        ours="The constant, that no moment is needed, and the Gaussian value.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims on the expected share of Wigner matrices."""
    return (_expected(), _falls())
