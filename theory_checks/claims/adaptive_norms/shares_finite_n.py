"""The diagonal share of E|H| at finite n: Gaussian data, Figure D.2, random signs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from scipy.special import sici

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER
from theory_checks.claims.adaptive_norms.shares_errors import (
    VISIBLE,
    exact_figure,
    limit_ratio,
    worst_error,
)
from theory_checks.claims.adaptive_norms.shares_laws import (
    moment,
    product_of,
    record,
    sum_of,
    weights_of,
)
from theory_checks.precise import Real, precise, real
from theory_checks.rates import power
from tralgos.shares import asymptotic_ols_share, gaussian_ols_share, rademacher_ols_share

__all__ = ["claims"]


# --- Gaussian data at finite n -----------------------------------------------------------


def _gaussian_ratio(n: int) -> Real:
    """E|H_ij| / E|H_ii|: sqrt(2/pi) times the mean of the chi distribution, over n."""
    context = precise()
    half = context.mpf(n) / 2
    chi = context.sqrt(2) * context.gamma(half + 0.5) / context.gamma(half)
    return context.sqrt(2 / context.pi) * chi / n


def _excess_bound(n: int) -> Real:
    """tanh(-log(1 - 1/(2n)) / 8)."""
    context = precise()
    return context.tanh(-context.log1p(-context.mpf(1) / (2 * n)) / 8)


def _gaussian_margins(
    instance: Instance, share: Callable[[int, int], float] = gaussian_ols_share
) -> Margins:
    d, n = instance["d"], instance["n"]
    wanted = 1 / (1 + (d - 1) * _gaussian_ratio(n))
    limit = 1 / (1 + (d - 1) * limit_ratio(n))
    return {
        "above the formula": in_roundings(wanted - limit, 1, 0.0),
        "by less than the bound": in_roundings(_excess_bound(n) - (wanted - limit), 1, 0.0),
        "tralgos, Gaussian": in_roundings(-abs(share(d, n) - wanted), wanted),
        "tralgos, formula": in_roundings(-abs(asymptotic_ols_share(d, n) - limit), limit),
    }


def _gaussian_bound(instance: Instance) -> tuple[float, float]:
    d, n = instance["d"], instance["n"]
    wanted, limit = (1 / (1 + (d - 1) * r) for r in (_gaussian_ratio(n), limit_ratio(n)))
    return float(wanted - limit), float(_excess_bound(n))


def _sizes(largest: int) -> SearchStrategy[Instance]:
    near = st.integers(2, 64)
    far = st.integers(2, largest)
    return st.builds(lambda d, n: {"d": d, "n": n}, st.one_of(near, far),
                     st.one_of(st.integers(1, 64), st.integers(1, largest)))  # fmt: skip


def _size(largest: int) -> Condition:
    return Condition(
        "size", rf"2 \le d,\ 1 \le n,\ d, n \le {largest}",
        lambda i: all(isinstance(i[k], int) and i[k] <= largest for k in ("d", "n"))
        and i["d"] >= 2 and i["n"] >= 1,
        kept="for d = 1 the share is 1; the rest limits what is tried",
    )  # fmt: skip


def _size_edges() -> Iterable[Instance]:
    for n in (1, 2, 3, 32, 127, 128, 129, 10**6):
        for d in (2, 1 + math.isqrt(2 * n), 1000):
            yield {"d": d, "n": n}


def _gaussian_sabotages() -> tuple[Sabotage, ...]:
    return (
        Sabotage(
            "n in the place of n + 1",
            lambda i: _gaussian_margins(i, lambda d, n: gaussian_ols_share(d, n + 1)),
        ),
        Sabotage("the formula for large n", lambda i: _gaussian_margins(i, asymptotic_ols_share)),
    )


def _gaussian() -> Claim:
    printed = Form(
        "finite n results can likely be derived for Gaussian data. They can: E|H_ij| / E|H_ii| = "
        "2 Gamma((n+1)/2) / (n sqrt(pi) Gamma(n/2)), and the share is above the formula for all n "
        "and d >= 2, by less than tanh(-log(1 - 1/(2n)) / 8) < 1/(16 n) + 1/(32 n^2)",
        r"0 < \delta_{E|H|} - \frac{\sqrt n}{\sqrt n + (d-1)\sqrt{2/\pi}} < "
        r"\tanh\bigl(-\tfrac18 \log(1 - \tfrac1{2n})\bigr)",
        (_size(10**9),),
        lambda: _sizes(10**9),
        _gaussian_margins,
        edges=_size_edges,
        bound=_gaussian_bound,
        sabotage=_gaussian_sabotages(),
        effort=60,
    )
    return Claim(
        "adaptive-norms/proposition-2-gaussian",
        "Gaussian data at any n",
        PAPER,
        "Section 3.3: 'finite n results can be likely derived'",
        Verdict.HOLDS,
        printed,
        notes="The bound is within a factor 0.65 of the largest excess at n = 1 and sharp for "
        "n to infinity, where d - 1 = sqrt(pi n / 2).",
        proof="Given one feature the product is normal; E||x|| is that of the chi distribution; "
        "docs/diagonal-shares.md.",
        ours="The exact share, its side and the bound.",
    )


# --- Figure D.2 --------------------------------------------------------------------------


def _uniform_ratio(n: int) -> float:
    """E|H_ij| / E|H_ii| for entries uniform in [-sqrt 3, sqrt 3].

    E|s| is the integral of (2 / pi) (1 - E cos ts) / t^2, and E cos txy = Si(3t) / (3t).
    """
    log_t = np.arange(-30.0, 40.0, 2.0**-8)
    t = np.exp(log_t)
    waves = sici(3 * t)[0] / (3 * t)
    # Near zero 1 - waves^n is a difference of equal numbers: its series takes over.
    start = n * (t**2 / 2)
    integrand = np.where(start < 1e-8, start, 1 - waves**n) / t
    return float(2 / math.pi * np.sum(integrand) * 2.0**-8) / n


def _other_figures() -> tuple[Figure, ...]:
    law = weights_of(record([-1, 0, 1], [1, 62, 1]))
    sparse = real(moment(sum_of(product_of(law), 32), 1) / (32 * moment(law, 2)))
    uniform = 256 * (_uniform_ratio(256) / float(limit_ratio(256)) - 1)
    paper, visible = "holds already in small n settings", (0.0, VISIBLE)
    signs = worst_error(precise().mpf(1), 1)
    rare = worst_error(sparse, 32)
    name = "n times the relative error of E|H_ij|, uniform entries, n = 256"
    return (
        exact_figure("largest error over d, signs, n = 1", signs, visible, paper),
        exact_figure("largest error over d, 1 in 32 not zero, n = 32", rare, visible, paper),
        Figure(name, uniform, uniform, uniform, (-0.0102, -0.0098)),
    )


def _figure_d2(level: Level, seed: int) -> tuple[Figure, ...]:
    rng, paper = np.random.default_rng(seed), "holds already in small n settings"
    errors = [
        exact_figure(f"largest error over d, Gaussian, n = {n}", worst_error(_gaussian_ratio(n), n),
               (0.0, VISIBLE), paper)
        for n in (1, 2, 4, 32)
    ]  # fmt: skip
    sizes = [1.0, 4.0, 16.0, 64.0, 256.0]
    worst = [[worst_error(_gaussian_ratio(int(n)), int(n))] for n in sizes]
    rate, constant = power(sizes, worst, rng), 16 * sizes[-1] * worst[-1][0]
    return (
        *errors,
        *_other_figures(),
        Figure("exponent of the largest error in n, Gaussian", rate.value, rate.low, rate.high,
               (-1.1, -0.98), claimed=(-1.1, -0.9)),
        Figure("16 n times the largest error at n = 256, Gaussian", constant, constant, constant,
               (0.99, 1.01)),
    )  # fmt: skip


def _small_n_margins(instance: Instance) -> Margins:
    d, n = instance["d"], instance["n"]
    error = 1 / (1 + (d - 1) * _gaussian_ratio(n)) - 1 / (1 + (d - 1) * limit_ratio(n))
    return {"within 0.02": in_roundings(real(VISIBLE) - abs(error), 1, EXACT)}


def _figure() -> Claim:
    small = Condition(
        "n >= 4", r"n \ge 4",
        lambda i: i["n"] >= 4,
        Dropped(({"d": 2, "n": 1}, {"d": 3, "n": 2}), note="The error is 0.055 and 0.030 there."),
    )  # fmt: skip
    printed = Form(
        "empirical simulations suggest that the formula holds already for small n; checked: for "
        "Gaussian data and all d it is within 0.02, what a plot shows, from n = 4 on",
        r"n \ge 4 \implies \Bigl|\delta_{E|H|} - "
        r"\frac{\sqrt n}{\sqrt n + (d-1)\sqrt{2/\pi}}\Bigr| \le 0.02",
        (_size(10**9), small),
        lambda: _sizes(10**9),
        _small_n_margins,
        edges=_size_edges,
        effort=60,
    )
    return Claim(
        "adaptive-norms/figure-d2",
        "the formula for small n",
        PAPER,
        "Figure D.2",
        Verdict.MEASURED,
        printed,
        measure=_figure_d2,
        notes="For Gaussian data the share is 0.0564 off at n = 1 at worst, 0.0020 at n = 32, and "
        "1/(16 n) from there on; relative to the share it is 1/(4 n) for large d. For other data "
        "see figure-d2-other-data. The figure itself is in an appendix that gives no numbers; the "
        "0.02 is ours.",
        proof="The bound of proposition-2-gaussian; docs/diagonal-shares.md.",
        ours="The exact errors.",
    )


# --- random signs ------------------------------------------------------------------------


def _sign_ratio(n: int) -> Fraction:
    """E|e_1 + ... + e_n| / n by binomials."""
    return Fraction(sum(abs(n - 2 * k) * math.comb(n, k) for k in range(n + 1)), n * 2**n)


def _sign_margins(
    instance: Instance, share: Callable[[int, int], float] = rademacher_ols_share
) -> Margins:
    d, n = instance["d"], instance["n"]
    ratio = real(_sign_ratio(n))
    before = _sign_ratio(n - 1 if n % 2 == 1 and n > 1 else n)
    even = n + n % 2
    wanted, limit = (1 / (1 + (d - 1) * r) for r in (ratio, limit_ratio(n)))
    side = wanted - limit if n % 2 == 0 else limit - wanted
    return {
        "Gaussian at the next even n": in_roundings(
            -abs(n * ratio - even * _gaussian_ratio(even)), 1, EXACT
        ),
        "an odd example changes nothing": in_roundings(-abs(ratio - real(before)), 1, EXACT),
        "above the formula for even n alone": in_roundings(side, 1, 0.0),
        "tralgos": in_roundings(-abs(share(d, n) - wanted), wanted),
    }


def _signs() -> Claim:
    printed = Form(
        "for entries that are random signs E|H_ij| is, times n, 2m binom(2m, m) / 4^m with m = "
        "n/2 rounded up: for even n it is that of Gaussian entries, above the formula; the share "
        "of n + 1 examples is then the same, and below the formula",
        r"E|e_1 + \dots + e_n| = \frac{2m}{4^m}\binom{2m}{m},\quad m = \lceil n/2 \rceil",
        (_size(256),),
        lambda: _sizes(256),
        _sign_margins,
        edges=lambda: [{"d": d, "n": n} for d in (2, 100) for n in (1, 2, 3, 4, 31, 32, 255)],
        sabotage=(
            Sabotage("Gaussian entries", lambda i: _sign_margins(i, gaussian_ols_share)),
            Sabotage("m rounded down",
                     lambda i: _sign_margins(
                         i, lambda d, n: rademacher_ols_share(d, max(n - 1, 1)))),
        ),
        effort=60,
    )  # fmt: skip
    return Claim(
        "adaptive-norms/proposition-2-signs",
        "random signs at any n",
        PAPER,
        "Proposition 2 at finite n",
        Verdict.HOLDS,
        printed,
        notes="So the formula is no bound: for data of one sign law it is passed at every n.",
        proof="E|S_n| grows by P(S_n = 0) from n to n + 1; docs/diagonal-shares.md.",
        ours="All of it.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims on the share of E|H| at finite n."""
    return (_gaussian(), _figure(), _signs())
