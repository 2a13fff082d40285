"""The sample and the ratio: probabilities of inclusion, bias, standard error, interval."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tralgos.shares.ratio import Ratio, estimated_ratio
from tralgos.shares.sampling import draw, mixed


def equal(k: int, n: int) -> np.ndarray:
    return np.full(k, k / n)


def cochran(y: list[Fraction], x: list[Fraction], n: int) -> tuple[Fraction, Fraction]:
    """The corrected ratio and its squared standard error, of columns of equal probabilities."""
    k = len(x)
    total = sum(x, Fraction(0))
    r = sum(y, Fraction(0)) / total
    missed = 1 - Fraction(k, n)
    e = [a - r * b for a, b in zip(y, x, strict=True)]
    products = sum((a * b for a, b in zip(e, x, strict=True)), Fraction(0))
    bias = -missed * Fraction(k, k - 1) * products / total**2
    room = [1 - b / total for b in x]
    squares = sum((a * a / c for a, c in zip(e, room, strict=True)), Fraction(0))
    return r - bias, missed * squares / total**2


pairs = st.tuples(st.integers(0, 20), st.integers(1, 40)).map(lambda p: (min(p), p[1]))


@given(st.lists(pairs, min_size=2, max_size=8), st.integers(1, 20))
def test_the_ratio_in_exact_arithmetic(sample: list[tuple[int, int]], more: int) -> None:
    y, x = ([Fraction(p[i]) for p in sample] for i in (0, 1))
    n = len(x) + more
    wanted, squares = cochran(y, x, n)
    found = estimated_ratio(np.array(y, dtype=float), np.array(x, dtype=float), equal(len(x), n))
    assert found.value == pytest.approx(
        float(min(max(wanted, Fraction(0)), Fraction(1))), abs=1e-14
    )
    assert found.standard_error**2 == pytest.approx(float(squares), abs=1e-15)
    plain = float(sum(y, Fraction(0)) / sum(x, Fraction(0)))
    assert abs(found.value - plain) <= found.bias_bound * (1 + 1e-12) + 1e-15


def test_leading_bias_is_gone() -> None:
    """Over all samples of k out of n columns: the mean error falls, and its order changes."""
    rng = np.random.default_rng(5)
    x = rng.uniform(1, 3, 12)
    y = np.minimum(x, rng.uniform(0.5, 1.0, 12))
    wanted = y.sum() / x.sum()
    for k in (4, 6):
        samples = [np.array(c) for c in combinations(range(12), k)]
        plain = np.array([y[c].sum() / x[c].sum() for c in samples])
        found = [estimated_ratio(y[c], x[c], equal(k, 12)).value for c in samples]
        bias = np.mean(plain) - wanted
        assert abs(np.mean(found) - wanted) < 0.2 * abs(bias)
        # Hartley and Ross: the bias is at most the standard deviation times the relative one of
        # the denominator.
        totals = np.array([x[c].sum() for c in samples])
        assert abs(bias) <= np.std(plain) * np.std(totals) / np.mean(totals)


def test_standard_error_over_all_samples() -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(1, 2, 14)
    y = rng.uniform(0.2, 0.4, 14)
    samples = [np.array(c) for c in combinations(range(14), 7)]
    found = [estimated_ratio(y[c], x[c], equal(7, 14)) for c in samples]
    spread = np.std([e.value for e in found])
    assert np.sqrt(np.mean([e.standard_error**2 for e in found])) == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize(("k", "confidence"), [(2, 0.5), (3, 0.9), (20, 0.95)])
def test_width_is_that_of_student(k: int, confidence: float) -> None:
    """In the log-odds; with equal masses, k - 1 degrees of freedom."""
    rng = np.random.default_rng(k)
    found = estimated_ratio(rng.uniform(0.49, 0.51, k), np.full(k, 2.0), equal(k, 1000))
    assert found.effective == pytest.approx(k)
    v, t = found.value, scipy.stats.t.ppf(0.5 + confidence / 2, k - 1)
    middle, scale = math.log(v / (1 - v)), found.standard_error / (v * (1 - v))
    # Johnson: the side of the rare summands is longer.
    more = found.skewness * (1 + 2 * t * t) / 6
    ends = middle - scale * (t + max(-more, 0)), middle + scale * (t + max(more, 0))
    wanted = [1 / (1 + math.exp(-end)) for end in ends]
    assert found.interval(confidence, 1e9) == pytest.approx(wanted, rel=1e-10)


def test_intervals_at_the_ends() -> None:
    assert Ratio(0.3, 0.1, 0.1, 1.0, 0.0).interval(0.95, 50.0) == (0.0, 1.0)
    assert Ratio(0.3, 0.1, 0.1, 1.0 + 1e-9, 0.5).interval(0.95, 50.0) == (0.0, 1.0)
    low, high = Ratio(0.0, 0.1, 0.1, 9.0, 0.0).interval(0.95, 50.0)
    assert low == 0.0
    assert high == pytest.approx(0.1 * scipy.stats.t.ppf(0.975, 8))
    assert Ratio(1.0, 0.1, 0.1, 9.0, 0.0).interval(0.95, 50.0)[1] == 1.0


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("error", [0.0, 1e-13])
def test_no_spread_is_no_certainty(confidence: float, error: float) -> None:
    """The rule of three: columns of that probability may be missing, with that part of a total."""
    missing = -math.log(1 - confidence) / 50.0
    low, high = Ratio(0.3, error, 0.0, 50.0, 0.0).interval(confidence, 50.0)
    assert low / (1 - low) == pytest.approx(3 / 7 * math.exp(-missing))
    assert high / (1 - high) == pytest.approx(3 / 7 * math.exp(missing))
    assert Ratio(0.0, 0.0, 0.0, 50.0, 0.0).interval(confidence, 50.0) == pytest.approx(
        (0.0, missing)
    )
    assert Ratio(1.0, 0.0, 0.0, 50.0, 0.0).interval(confidence, 50.0) == pytest.approx(
        (1 - missing, 1)
    )
    # Where that is less than a rounding error, too.
    near = Ratio(1.0 - 1e-12, 0.0, 0.0, 50.0, 0.0).interval(confidence, 1e20)
    assert near[0] < 1.0 - 1e-12 < near[1]
    few = Ratio(0.3, 0.05, 0.0, 50.0, 0.0)
    assert few.interval(confidence, 50.0) == few.interval(confidence, 1e9)


def test_skewness_has_its_side() -> None:
    """Rare large summands raise the ratio: what a sample has missed lies above, and longer."""
    x, pi = np.ones(20), np.full(20, 0.01)
    y = np.where(np.arange(20) < 2, 0.9, 0.1)
    up, down = estimated_ratio(y, x, pi), estimated_ratio(x - y, x, pi)
    assert up.skewness == pytest.approx(-down.skewness)
    # The weighted third moment, by hand: two residuals of 0.72 beside eighteen of -0.08.
    cubes, squares = 2 * 0.72**3 - 18 * 0.08**3, (2 * 0.72**2 + 18 * 0.08**2) * 20 / 19
    assert up.skewness == pytest.approx(0.99 * cubes / (0.99 * squares) ** 1.5)
    low, high = up.interval(0.95, 1e9)
    middle = math.log(up.value / (1 - up.value))
    below, above = middle - math.log(low / (1 - low)), math.log(high / (1 - high)) - middle
    t = scipy.stats.t.ppf(0.975, up.effective - 1)
    assert above / below == pytest.approx(1 + up.skewness * (1 + 2 * t * t) / (6 * t))
    assert down.interval(0.95, 1e9) == pytest.approx((1 - high, 1 - low))
    # Cut off: of a column that is nearly certain to be drawn it would be 3 here.
    y = np.where(np.arange(50) < 1, 1.0, 0.1)
    assert estimated_ratio(y, np.ones(50), np.full(50, 0.9)).skewness == 1.0


def test_degrees_of_freedom_are_those_of_the_variance() -> None:
    """Equal masses, but one residual with nearly all of the variance: as good as one column."""
    x, pi = np.ones(50), np.full(50, 0.01)
    y = np.full(50, 0.1)
    y[0] = 1.0
    found = estimated_ratio(y, x, pi)
    v = 0.99 * (y - y.mean()) ** 2
    assert found.effective == pytest.approx(1 + 2 / (np.sum(v**2) / np.sum(v) ** 2 - 1 / 50))
    assert 3.0 < found.effective < 3.2
    even = estimated_ratio(np.where(np.arange(50) < 25, 0.1, 0.2), x, pi)
    assert even.effective == pytest.approx(50.0)


def test_one_column_with_all_the_mass() -> None:
    """Certain to be drawn, it leaves no doubt; drawn by chance, it leaves all."""
    y, x = np.array([0.5, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
    sure = estimated_ratio(y, x, np.array([1.0, 0.1, 0.1]))
    assert sure.standard_error == 0.0
    assert sure.interval(0.95, 1e12) == pytest.approx((0.5, 0.5))
    close = estimated_ratio(np.array([0.5, 1e-9]), np.array([1.0, 1e-9]), np.array([0.5, 0.5]))
    assert close.effective == pytest.approx(1.0, abs=1e-12)


# ----------------------------------------------------------------------------- the sample


def test_columns_are_drawn_one_after_another_by_their_weights() -> None:
    p = np.array([0.5, 0.3, 0.2])
    rng = np.random.default_rng(0)
    counts: dict[tuple[int, ...], int] = {}
    runs = 6000
    for _ in range(runs):
        order = tuple(int(j) for j in draw(p, 3, rng).columns)
        counts[order] = counts.get(order, 0) + 1
    for (i, j, k), count in counts.items():
        wanted = p[i] * p[j] / (1 - p[i])
        assert abs(count / runs - wanted) < 4 * math.sqrt(wanted / runs), (i, j, k)
    assert len(counts) == 6


def test_totals_have_no_bias_and_no_covariance_and_the_bound_holds() -> None:
    """Sums over f / inclusion: their mean, and the variance against its bound for m - 1 draws."""
    rng = np.random.default_rng(1)
    f = np.array([5.0, 3.0, 1.0, 1.0, 0.5, 0.1])
    p = mixed(np.stack([f * rng.uniform(0.5, 2.0, 6)]))
    runs, m = 20000, 4
    terms = np.zeros((runs, 6))
    variances = np.zeros(runs)
    for i in range(runs):
        ordering = draw(p, 6, rng)
        some, pi = ordering.columns[:m], ordering.inclusion(m)
        terms[i, some] = f[some] / pi
        variances[i] = np.sum((1 - pi) * (f[some] / pi) ** 2)
    error = terms.std(axis=0) / math.sqrt(runs)
    assert np.all(np.abs(terms.mean(axis=0) - f) < 4 * error)
    covariance = np.cov(terms.T)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    off = ~np.eye(6, dtype=bool)
    assert np.all(np.abs(covariance / scale)[off] < 0.05)
    total = terms.sum(axis=1)
    assert np.mean(variances) == pytest.approx(np.var(total), rel=0.1)
    assert np.var(total) < np.sum(f**2 * (1 - p) / p) / (m - 1)


def test_inclusion_of_all_is_certain() -> None:
    ordering = draw(np.full(5, 0.2), 5, np.random.default_rng(0))
    assert ordering.inclusion(5).tolist() == [1.0] * 5
    assert np.all(ordering.inclusion(4) < 1.0)
    assert draw(None, 8, np.random.default_rng(0)).inclusion(2).tolist() == [0.25, 0.25]
    assert sorted(draw(None, 8, np.random.default_rng(0)).columns) == list(range(8))


def test_draws_are_those_with_replacement() -> None:
    """Columns of the probability p together are missed with exp(-p draws), by both ways to draw."""
    rng = np.random.default_rng(3)
    assert draw(None, 10**6, rng).draws(50) == pytest.approx(50.0, rel=1e-4)
    assert math.exp(-draw(None, 8, rng).draws(6) / 8) == pytest.approx(1 - 6 / 8)
    p = rng.dirichlet(np.ones(12))
    ordering = draw(p, 12, rng)
    missed = np.exp(-ordering.draws(5) * ordering.probabilities[:5])
    assert 1 - missed == pytest.approx(ordering.inclusion(5))


def test_samples_grow() -> None:
    """The columns of a smaller sample are the first of a larger one."""
    p = np.random.default_rng(0).dirichlet(np.ones(30))
    ordering = draw(p, 30, np.random.default_rng(1))
    assert sorted(ordering.columns) == list(range(30))
    assert np.all(np.diff(ordering.ranks) >= 0)
    assert ordering.probabilities == pytest.approx(p[ordering.columns])


@given(st.lists(st.integers(0, 5), min_size=3, max_size=8), st.integers(1, 3))
def test_no_column_is_missed_for_ever(masses: list[int], parts: int) -> None:
    norms = np.tile(np.array(masses, dtype=float), (parts, 1))
    p = mixed(norms)
    assert np.sum(p) == pytest.approx(1.0, rel=1e-14)
    assert np.all(p >= 0.1 / len(p) * (1 - 1e-12))
    if any(masses):
        followed = norms[0] / norms[0].sum()
        assert np.all(p >= 0.2 * parts * followed * (1 - 1e-12))
    else:
        assert p == pytest.approx(1 / len(p))
