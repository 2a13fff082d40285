from __future__ import annotations

import math

import numpy as np
import pytest

from theory_checks.rates import factor, power

SIZES = np.geomspace(10.0, 1e4, 7)


def noisy(exponent, spread, rng, repetitions=20):
    return [3.0 * size**exponent * np.exp(rng.normal(0.0, spread, repetitions)) for size in SIZES]


@pytest.mark.parametrize("exponent", [-3.0, -0.5, 0.0, 1.0, 2.5])
def test_an_exact_power_is_recovered_with_no_width(exponent):
    interval = power(SIZES, [[size**exponent] for size in SIZES], np.random.default_rng(1))
    assert interval.value == pytest.approx(exponent, abs=1e-12)
    assert interval.high - interval.low < 1e-12


def test_the_interval_covers_the_exponent_as_often_as_it_says():
    """Of 200 experiments, 95% should: between 180 and 199 do at four standard deviations."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(200):
        interval = power(SIZES, noisy(0.5, 0.4, rng), rng)
        covered += interval.low <= 0.5 <= interval.high
    assert 177 <= covered <= 199


def test_how_often_the_interval_of_single_measurements_covers_is_what_it_says():
    """89 of 100 with seven sizes; 85 where the residuals are not corrected for the fit."""
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(400):
        interval = power(SIZES, [[s**0.5 * math.exp(rng.normal(0.0, 0.3))] for s in SIZES], rng)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.87 <= covered / 400 <= 0.91


def test_single_measurements_that_are_no_power_have_a_wide_interval():
    curved = [[math.exp(0.2 * math.log(size) ** 2)] for size in SIZES]
    interval = power(SIZES, curved, np.random.default_rng(3))
    assert interval.high - interval.low > 0.1
    assert interval.low <= interval.value <= interval.high


@pytest.mark.parametrize(
    ("sizes", "samples", "message"),
    [
        ([1.0, 5.0, 50.0], [[1.0, 2.0]] * 3, "two decades"),
        ([1.0, 1000.0], [[1.0, 2.0]] * 2, "three or more"),
        ([1.0, 10.0, 100.0], [[1.0]] * 3, "5 sizes"),
        ([1.0, 10.0, 100.0], [[1.0, 2.0]] * 2, "one entry a size"),
        ([1.0, 10.0, 100.0], [[1.0, 0.0]] * 3, "samples must be positive"),
        ([0.0, 10.0, 100.0], [[1.0, 2.0]] * 3, "sizes must be positive"),
        ([1.0, 10.0, 100.0], [[1.0, 2.0], [], [1.0, 2.0]], "empty"),
        ([1.0, 10.0, math.inf], [[1.0, 2.0]] * 3, "finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(sizes, samples, message):
    with pytest.raises(ValueError, match=message):
        power(sizes, samples, np.random.default_rng(0))


def test_a_factor_is_recovered():
    runs = [[2.0 * 0.7**t for t in range(20)], [5.0 * 0.7**t for t in range(30)]]
    interval = factor(runs, np.random.default_rng(1))
    assert interval.value == pytest.approx(0.7, rel=1e-12)
    assert interval.high - interval.low < 1e-12


def test_the_interval_of_a_factor_is_that_of_the_runs():
    runs = [[r**t for t in range(40)] for r in (0.5, 0.6, 0.7, 0.8)]
    interval = factor(runs, np.random.default_rng(1))
    assert 0.5 < interval.low < interval.value < interval.high < 0.8


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([[1.0, 0.1, 0.01]], "two runs"),
        ([[1.0, 0.5, 0.2], [1.0, 0.1, 0.01]], "two decades"),
        ([[1.0, 0.0, 0.01], [1.0, 0.1, 0.01]], "positive"),
    ],
)
def test_a_factor_over_too_little_is_refused(errors, message):
    with pytest.raises(ValueError, match=message):
        factor(errors, np.random.default_rng(0))
