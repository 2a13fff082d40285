"""Batch sizes by Assumption 1: the bounds hold, by enumeration and by simulation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tralgos.errors import ArgumentError
from tralgos.methods import (
    BatchBounds,
    assumption_1_tolerances,
    batch_sizes,
    gradient_batch_size,
    hessian_batch_size,
)

# ---------------------------------------------------------------- populations


def centred(terms: np.ndarray) -> tuple[np.ndarray, float]:
    """Deviations from the mean, and the norm of the largest (spectral for matrices)."""
    deviations = terms - terms.mean(axis=0)
    return deviations, float(norms(deviations).max())


def norms(terms: np.ndarray) -> np.ndarray:
    """Euclidean norms of rows, spectral norms of matrices."""
    return np.linalg.norm(terms, axis=1) if terms.ndim == 2 else np.linalg.norm(terms, 2, (1, 2))


def exact_failure(deviations: np.ndarray, size: int, tolerance: float) -> Fraction:
    """The probability that the mean of `size` terms without replacement is off by more."""
    subsets = list(itertools.combinations(range(len(deviations)), size))
    means = np.stack([deviations[list(rows)].mean(axis=0) for rows in subsets])
    failed = int(np.sum(norms(means) > tolerance * (1.0 + 1e-12)))
    return Fraction(failed, len(subsets))


def replaced_failure(
    deviations: np.ndarray, size: int, tolerance: float, runs: int, rng: np.random.Generator
) -> float:
    """The frequency of the same with replacement."""
    rows = rng.integers(0, len(deviations), (runs, size))
    return float(np.mean(norms(deviations[rows].mean(axis=1)) > tolerance * (1.0 + 1e-12)))


signs = np.array([1.0] * 6 + [-1.0] * 6)[:, None]
#: Vectors: two points, corners of a simplex (mean zero in seven dimensions), one far from the rest.
VECTORS = {
    "signs": signs,
    "simplex": np.eye(7),
    "outlier": np.array([[1.0, 0.0]] * 9 + [[-9.0, 2.0]]),
    "circle": np.stack([np.cos(np.arange(11) * 2 * np.pi / 11), np.sin(np.arange(11))], axis=1),
}
MATRICES = {
    "signs": signs[:, :, None],
    "diagonal": np.stack([np.diag(s) for s in itertools.product((-1.0, 1.0), repeat=3)]),
    "projections": np.stack([np.outer(e, e) for e in np.eye(8)]),
}


@pytest.mark.parametrize("name", VECTORS)
@given(st.floats(0.05, 1.2), st.sampled_from([0.9, 0.7, 0.5, 0.3, 0.1, 0.01, 1e-4]))
@settings(max_examples=25)
def test_gradients_fail_no_more_often_than_stated(
    name: str, share: float, probability: float
) -> None:
    """Every subset of a small population is counted."""
    deviations, L = centred(VECTORS[name])
    size = gradient_batch_size(L, share * L, probability, population=len(deviations))
    assert exact_failure(deviations, size, share * L) <= probability


@pytest.mark.parametrize("name", MATRICES)
@given(st.floats(0.05, 1.2), st.sampled_from([0.9, 0.5, 0.1, 1e-3]))
@settings(max_examples=15)
def test_hessians_fail_no_more_often_than_stated(
    name: str, share: float, probability: float
) -> None:
    """Every subset of a small population is counted."""
    deviations, L = centred(MATRICES[name])
    n, N = deviations.shape[1], len(deviations)
    size = hessian_batch_size(L, share * L, probability, n, population=N)
    assert exact_failure(deviations, size, share * L) <= probability


@pytest.mark.parametrize("probability", [0.5, 0.2, 0.05])
@pytest.mark.parametrize("share", [0.3, 0.15])
def test_draws_with_replacement_fail_no_more_often_than_stated(
    share: float, probability: float, rng: np.random.Generator
) -> None:
    """4000 runs: the frequency of failures is within its standard error of less than is stated."""
    slack = 4.0 * math.sqrt(probability / 4000)
    for terms in VECTORS.values():
        deviations, L = centred(terms)
        size = gradient_batch_size(L, share * L, probability)
        assert replaced_failure(deviations, size, share * L, 4000, rng) <= probability + slack
    for terms in (MATRICES["signs"], MATRICES["diagonal"]):
        deviations, L = centred(terms)
        size = hessian_batch_size(L, share * L, probability, deviations.shape[1])
        assert replaced_failure(deviations, size, share * L, 1000, rng) <= probability + 2 * slack


def test_a_larger_population_by_simulation(rng: np.random.Generator) -> None:
    """Without replacement, where the correction for the finite population is at work."""
    terms = np.where(rng.random((400, 1)) < 0.5, 1.0, -1.0) * np.array([[0.6, 0.8]])
    deviations, L = centred(terms)
    free = gradient_batch_size(L, 0.07 * L, 0.2)
    size = gradient_batch_size(L, 0.07 * L, 0.2, population=400)
    assert 200 < size < 400 < free
    means = np.stack([rng.permutation(deviations)[:size].mean(axis=0) for _ in range(3000)])
    assert np.mean(norms(means) > 0.07 * L) <= 0.2


def test_the_constant_is_not_far_from_the_best() -> None:
    """Of independent signs the tail is known: a size four times less would fail too often."""
    share, probability = 0.1, 0.3
    size = gradient_batch_size(1.0, share, probability)

    def failure(b: int) -> float:
        inside = [k for k in range(b + 1) if abs(2 * k - b) <= share * b]
        return float(1 - Fraction(sum(math.comb(b, k) for k in inside), 2**b))

    assert failure(size) <= probability < failure(size // 4)


# ---------------------------------------------------------------- the formulas


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-9, 0.999), st.integers(1, 10_000))
def test_sizes_meet_the_inequalities_that_the_proof_asks_for(
    deviation: float, tolerance: float, probability: float, population: int
) -> None:
    """b >= K or b^2 >= K (N - b); and one less does neither."""
    size = gradient_batch_size(deviation, tolerance, probability, population=population)
    free = gradient_batch_size(deviation, tolerance, probability)
    assert 1 <= size <= min(free, population)
    if deviation <= tolerance:
        assert size == free == 1
        return
    K = 2.0 * (deviation / tolerance) ** 2 * math.log(2.0 / probability)
    enough = [b >= K or b * b >= K * (population - b) for b in (size * (1 + 1e-12), size - 1.0)]
    assert enough[0]
    assert not enough[1] or size * (1 - 1e-9) <= size - 1.0


@given(st.floats(0.01, 100.0), st.integers(-400, 400), st.floats(1e-6, 0.9))
def test_sizes_do_not_depend_on_the_unit(ratio: float, exponent: int, probability: float) -> None:
    """Deviation and tolerance times a power of two: the same size."""
    unit = 2.0**exponent
    expected = hessian_batch_size(ratio, 1.0, probability, 3, population=10**6)
    assert hessian_batch_size(ratio * unit, unit, probability, 3, population=10**6) == expected


def test_hessians_pay_for_their_order() -> None:
    """The logarithm of 2n stands for that of 2."""
    assert hessian_batch_size(5.0, 1.0, 0.1, 1) == gradient_batch_size(5.0, 1.0, 0.1)
    assert hessian_batch_size(5.0, 1.0, 0.1, 7) == math.ceil(50.0 * math.log(140.0))


def test_ends_of_the_ranges() -> None:
    """Terms that are all equal need one; what is out of reach needs all, or is refused."""
    assert gradient_batch_size(0.0, 1e-300, 0.5) == 1
    assert gradient_batch_size(1e300, 1e-300, 1e-300, population=17) == 17
    assert gradient_batch_size(1.0, 1e-3, 1e-12, population=1) == 1
    with pytest.raises(ArgumentError, match="no finite sample"):
        gradient_batch_size(1e300, 1e-300, 0.5)


def test_the_tolerances_of_assumption_1() -> None:
    """delta_g = (1 - eta) eps_g / 4, delta_H = min((1 - eta) nu eps_H / 2, 1)."""
    assert assumption_1_tolerances(0.5, 0.5, 0.8, 0.4) == pytest.approx((0.1, 0.05), rel=1e-15)
    assert assumption_1_tolerances(0.5, 0.5, 0.8, 1e6)[1] == 1.0


def test_batch_sizes_are_those_of_the_tolerances() -> None:
    """The gradient's by delta_g, the Hessian's by delta_H."""
    bounds = BatchBounds(
        gradient_deviation=3.0,
        hessian_deviation=2.0,
        eps_g=0.4,
        eps_H=0.6,
        nu=0.25,
        failure_probability=0.01,
    )
    delta_g, delta_H = assumption_1_tolerances(0.1, 0.25, 0.4, 0.6)
    assert batch_sizes(bounds, 0.1, 12, population=5000) == (
        gradient_batch_size(3.0, delta_g, 0.01, population=5000),
        hessian_batch_size(2.0, delta_H, 0.01, 12, population=5000),
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"gradient_deviation": -1.0}, "gradient_deviation"),
        ({"hessian_deviation": math.nan}, "hessian_deviation"),
        ({"eps_g": 0.0}, "eps_g"),
        ({"eps_H": math.inf}, "eps_H"),
        ({"nu": 1.0}, "nu"),
        ({"failure_probability": 0.0}, "failure_probability"),
    ],
)
def test_bounds_out_of_range_are_named(change: dict[str, float], name: str) -> None:
    good = {"gradient_deviation": 1.0, "hessian_deviation": 1.0, "eps_g": 1.0, "eps_H": 1.0}
    with pytest.raises(ArgumentError, match=name):
        BatchBounds(**(good | change))


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ((-1.0, 1.0, 0.5), {}, "deviation"),
        ((1.0, 0.0, 0.5), {}, "tolerance"),
        ((1.0, 1.0, 1.0), {}, "failure_probability"),
        ((1.0, 1.0, 0.5), {"population": 0}, "population"),
        ((1.0, 1.0, 0.5), {"population": 2.0}, "population"),
    ],
)
def test_arguments_out_of_range_are_named(
    arguments: tuple[float, ...], options: dict[str, float], name: str
) -> None:
    with pytest.raises(ArgumentError, match=name):
        gradient_batch_size(*arguments, **options)
    with pytest.raises(ArgumentError, match=name):
        hessian_batch_size(*arguments, 3, **options)
    with pytest.raises(ArgumentError, match="n must be"):
        hessian_batch_size(1.0, 1.0, 0.5, 0)
