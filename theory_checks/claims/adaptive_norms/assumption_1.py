"""Assumption 1: met by batch sizes, with what probability."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import accumulate
from math import comb, isqrt, log
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
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
    in_roundings,
)
from theory_checks.claims.adaptive_norms import line_4
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

#: From an instance to the size of the sample.
Size = Callable[[Instance], int]


def _batch_size(instance: Instance) -> int:
    """The size that tralgos gives for a gradient (order 0) or for Hessians of an order."""
    # The bound on the deviations that is claimed: 1 is the true one.
    deviation, tolerance = instance["claimed deviation"], instance["tolerance"]
    p, n = instance["probability"], int(instance["order"])
    population = None if instance["replacement"] else int(instance["population"])
    if n == 0:
        return tralgos.gradient_batch_size(deviation, tolerance, p, population=population)
    return tralgos.hessian_batch_size(deviation, tolerance, p, n, population=population)


def _tail(instance: Instance, size: int) -> Fraction:
    """The exact probability that the mean of the sample is off by more than delta.

    The terms are 1 - ones/N and -ones/N, of mean zero, over the larger of the two: the mean
    is off for j ones where |j N - b ones| > delta b max(ones, N - ones).
    """
    N, ones = int(instance["population"]), int(instance["ones"])
    delta = Fraction(instance["tolerance"])
    # A sample that is one draw repeated is a sample of one.
    b = 1 if instance["repeated"] else size
    if instance["plane"]:
        return _plane_tail(b, delta)
    limit = delta.numerator * b * max(ones, N - ones)
    off = [j for j in range(b + 1) if delta.denominator * abs(j * N - b * ones) > limit]
    if instance["replacement"]:
        ways = _binomial_ways(b, ones, N - ones)
        return Fraction(sum(ways[j] for j in off), N**b)
    count = sum(comb(ones, j) * comb(N - ones, b - j) for j in off)
    return Fraction(count, comb(N, b))


def _binomial_ways(b: int, up: int, down: int) -> list[int]:
    """comb(b, j) up^j down^(b - j) for all j, each from the one before."""
    ways = [down**b]
    for j in range(b):
        ways.append(ways[-1] * (b - j) * up // ((j + 1) * down))
    return ways


def _plane_tail(b: int, delta: Fraction) -> Fraction:
    """The same for terms (+-1, +-1)/sqrt(2) with independent signs: two walks."""
    ways = _binomial_ways(b, 1, 1)
    ends = [abs(2 * j - b) for j in range(b + 1)]
    # How many ways lead to an end at least so far out.
    out = [0] * (b + 2)
    for way, end in zip(ways, ends, strict=True):
        out[end] += way
    out = list(accumulate(reversed(out)))[::-1]
    limit = int(2 * (delta * b) ** 2)
    count = 0
    for way, end in zip(ways, ends, strict=True):
        spare = limit - end * end
        count += way * out[min(isqrt(spare) + 1, b + 1) if spare >= 0 else 0]
    return Fraction(count, 4**b)


def _failure(instance: Instance, size: Size = _batch_size) -> Fraction:
    """Of the sampled mean; of any of `order` independent diagonal entries for a Hessian."""
    single = _tail(instance, size(instance))
    order = int(instance["order"])
    return 1 - (1 - single) ** order if order else single


def _batch_margins(instance: Instance, size: Size = _batch_size) -> Margins:
    p = Fraction(instance["probability"])
    eta, nu, first, second = (instance[k] for k in ("eta", "nu", "eps_g", "eps_H"))
    found = tralgos.assumption_1_tolerances(eta, nu, first, second)
    gap = 1 - Fraction(eta)
    wanted = (
        gap * Fraction(first) / 4,
        min(gap * Fraction(nu) * Fraction(second) / 2, Fraction(1)),
    )
    return {
        "P(failure) <= p": in_roundings(p - _failure(instance, size), p, EXACT),
        "the tolerances": min(
            in_roundings(-abs(Fraction(a) - b), b) for a, b in zip(found, wanted, strict=True)
        ),
    }


def _batch_bound(instance: Instance) -> tuple[float, float]:
    """The exact probability of failure, and the one stated."""
    return float(_failure(instance)), instance["probability"]


#: The largest sample of the screen: of tolerance 1/4, p = 0.01 and Hessians of order 3.
_LARGEST_SAMPLE = 208


def _batch_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    population = rng.integers(2, 61, size)
    return {
        "population": population,
        "ones": rng.integers(1, population),
        "tolerance": rng.integers(4, 16, size) / 16.0,
        "probability": rng.choice([0.5, 0.25, 0.1, 0.01], size),
        "order": rng.integers(0, 4, size),
    }


def _batch_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - P(failure)/p for samples with replacement, from logarithms of factorials."""
    population, ones = arrays["population"][:, None], arrays["ones"][:, None]
    p, order = arrays["probability"], arrays["order"]
    factor = xp.where(order == 0, 2, 2 * order)
    b = xp.ceil(2 / arrays["tolerance"] ** 2 * xp.log(factor / p))[:, None]
    j = xp.arange(_LARGEST_SAMPLE)
    logs = xp.concatenate([xp.zeros(1), xp.cumsum(xp.log(xp.arange(1, _LARGEST_SAMPLE)))])
    rest = xp.maximum(b - j, 0)
    chosen = logs[b.astype(int)] - logs[j] - logs[rest.astype(int)]
    share = ones / population
    ways = xp.exp(chosen + j * xp.log(share) + rest * xp.log(1 - share))
    larger = xp.maximum(ones, population - ones)
    far = xp.abs(j * population - b * ones) > arrays["tolerance"][:, None] * b * larger
    single = xp.sum(xp.where(far & (j <= b), ways, 0.0), axis=1)
    failure = xp.where(order == 0, single, 1 - (1 - single) ** order)
    return 1 - failure / p + 1e-9


def _batch_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    counts = {name: int(arrays[name][row]) for name in ("population", "ones", "order")}
    numbers = {name: float(arrays[name][row]) for name in ("tolerance", "probability")}
    return _batch_instance(**counts, **numbers)


def _batch_sabotage() -> tuple[Sabotage, ...]:
    def halved(instance: Instance) -> int:
        return max(1, _batch_size(instance) // 2)

    def without_logarithm(instance: Instance) -> int:
        return int(2 / instance["tolerance"] ** 2) + 1

    def not_squared(instance: Instance) -> int:
        factor = 2 * max(1, int(instance["order"]))
        return int(2 / instance["tolerance"] * log(factor / instance["probability"])) + 1

    broken: dict[str, Size] = {
        "half the sample": halved,
        "no logarithm": without_logarithm,
        "the tolerance is not squared": not_squared,
    }

    def judged(size: Size) -> Callable[[Instance], Margins]:
        def judge(instance: Instance) -> Margins:
            limit = None if instance["replacement"] else int(instance["population"])
            return _batch_margins(instance, lambda i: min(size(i), limit or size(i)))

        return judge

    return tuple(Sabotage(name, judged(size)) for name, size in broken.items())


def _batch_strategy() -> SearchStrategy[Instance]:
    def of_population(drawn: tuple[int, int]) -> SearchStrategy[Instance]:
        population, plane = drawn
        return st.fixed_dictionaries(
            {
                "population": st.just(population),
                "ones": st.integers(1, population - 1),
                "tolerance": st.integers(5, 15).map(lambda k: k / 16),
                "probability": st.sampled_from([0.5, 0.25, 0.1, 0.01, 1e-4]),
                "plane": st.just(plane),
                "order": st.just(0) if plane else st.integers(0, 3),
                "replacement": st.just(1) if plane else st.booleans().map(int),
                "claimed deviation": st.just(1.0),
                "repeated": st.just(0),
                "eta": fractions_of_one(),
                "nu": fractions_of_one(),
                "eps_g": st.integers(1, 16).map(lambda k: k / 16),
                "eps_H": st.integers(1, 64).map(lambda k: k / 16),
            }
        )

    sizes = st.tuples(st.integers(2, 60), st.sampled_from([0, 0, 0, 1]))
    return sizes.flatmap(of_population)


def _batch_instance(**changed: float) -> Instance:
    return {
        "population": 40,
        "ones": 20,
        "tolerance": 0.5,
        "probability": 0.1,
        "order": 0,
        "replacement": 1,
        "claimed deviation": 1.0,
        "repeated": 0,
        "plane": 0,
        "eta": 0.5,
        "nu": 0.5,
        "eps_g": 1.0,
        "eps_H": 1.0,
        **changed,
    }


def _batch_edges() -> Iterable[Instance]:
    for replacement in (0, 1):
        for order in (0, 1, 3):
            yield _batch_instance(replacement=replacement, order=order)
            yield _batch_instance(replacement=replacement, order=order, ones=1, tolerance=0.25)
    yield _batch_instance(plane=1)


def _conditions() -> tuple[Condition, ...]:
    bounded = Condition(
        "the deviation is bounded",
        r"\|\nabla f_i - \nabla L\| \le L_g,\ \|\nabla^2 f_i - \nabla^2 L\| \le L_H",
        lambda i: i["claimed deviation"] >= 1,
        Dropped(
            (
                _batch_instance(**{"claimed deviation": 0.5}),
                _batch_instance(**{"claimed deviation": 0.25, "tolerance": 0.125}),
                _batch_instance(
                    **{"claimed deviation": 0.25, "tolerance": 0.125, "replacement": 0}
                ),
            ),
            note="Terms that deviate two or four times as much as is claimed.",
        ),
    )
    drawn = Condition(
        "the terms are drawn anew",
        "independently, or without replacement",
        lambda i: not i["repeated"],
        Dropped((_batch_instance(repeated=1),), note="One term, repeated: no concentration."),
    )  # fmt: skip
    proper = Condition(
        "proper", "0 < ones < population; in the plane gradients, drawn with replacement",
        lambda i: 0 < i["ones"] < i["population"] and i["tolerance"] > 0
        and 0 < i["probability"] < 1
        and (not i["plane"] or (i["replacement"] and i["order"] == 0)),
        kept="it says what the terms are, and has no meaning otherwise",
    )  # fmt: skip
    reach = Condition(
        "in reach",
        "deviation over tolerance up to 8, p from 1e-6, up to 100 terms, Hessians of order up to 8",
        lambda i: i["claimed deviation"] <= 8 * i["tolerance"] and i["probability"] >= 1e-6
        and i["population"] <= 100 and i["order"] <= 8,
        kept="a limit of what is tried: the exact probability is a sum over all samples",
    )  # fmt: skip
    return proper, reach, bounded, drawn


def _batch_sizes() -> Claim:
    printed = Form(
        "samples of the sizes that concentration bounds give meet Assumption 1 but for the "
        "stated probability, whose tolerances are (1 - eta) eps_g/4 and "
        "min{(1 - eta) nu eps_H/2, 1}",
        r"P(\|g_t - \nabla L\| > \delta_g) \le p,\quad P(\|B_t - \nabla^2 L\| > \delta_H) \le p",
        _conditions(),
        _batch_strategy,
        _batch_margins,
        edges=_batch_edges,
        screen=Screen(_batch_draw, _batch_slack, _batch_row),
        bound=_batch_bound,
        sabotage=_batch_sabotage(),
        effort=80,
    )
    return Claim(
        "adaptive-norms/assumption-1",
        "batch sizes that meet Assumption 1",
        PAPER,
        "Assumption 1",
        Verdict.HOLDS,
        printed,
        notes="The probability is exact: populations of two values with mean zero, sampled with "
        "and without replacement, vectors in the plane with independent entries of equal size, and "
        "diagonal Hessians with independent entries. The tightness "
        "is the probability of failure over the one stated. The assumption is asked of every "
        "iteration: for T of them the probability has to be divided by T, which the paper does "
        "not say.",
        proof="docs/theory-methods.md, Batch sizes: Hoeffding's inequality for "
        "vectors and matrices, and Jensen's for samples without "
        "replacement; see tralgos.methods.batches.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_batch_sizes(), *line_4.claims())
