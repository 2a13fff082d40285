"""Assumption 1: met by batch sizes, with what probability; and what line 4 of Algorithm 1 does."""

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
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER, assorted, quarters
from theory_checks.precise import exact, precise, real, sum_of_squares
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

# --- batch sizes --------------------------------------------------------------------


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


def _batch_sizes() -> Claim:
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
    printed = Form(
        "samples of the sizes that concentration bounds give meet Assumption 1 but for the "
        "stated probability, whose tolerances are (1 - eta) eps_g/4 and "
        "min{(1 - eta) nu eps_H/2, 1}",
        r"P(\|g_t - \nabla L\| > \delta_g) \le p,\quad P(\|B_t - \nabla^2 L\| > \delta_H) \le p",
        (proper, reach, bounded, drawn),
        _batch_strategy,
        _batch_margins,
        edges=_batch_edges,
        screen=Screen(_batch_draw, _batch_slack, _batch_row),
        bound=_batch_bound,
        sabotage=_batch_sabotage(),
        effort=50,
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


# --- line 4 of Algorithm 1 ----------------------------------------------------------


def _delta(instance: Instance) -> Fraction:
    return (1 - Fraction(instance["eta"])) * Fraction(instance["eps_g"]) / 4


#: Whether line 4 sets the gradient of an instance to zero.
Rule = Callable[[Instance], bool]


def _is_zeroed(instance: Instance) -> bool:
    return sum_of_squares(exact(instance["gradient"])) <= Fraction(instance["eps_g"]) ** 2


def _used_error(instance: Instance, zeroes: Rule = _is_zeroed) -> Fraction:
    """The square of ||g - grad L|| for the g that the model is made with."""
    error = exact(instance["error"])
    if zeroes(instance):
        gradient = exact(instance["gradient"])
        error = [g + e for g, e in zip(gradient, error, strict=True)]
    return sum_of_squares(error)


def _line_4_printed(instance: Instance) -> Margins:
    square = _delta(instance) ** 2
    used = _used_error(instance)
    return {"Assumption 1 for the g in use": in_roundings(square - used, max(square, used), EXACT)}


def _line_4_amended(instance: Instance, zeroes: Rule = _is_zeroed) -> Margins:
    delta, tolerance = _delta(instance), Fraction(instance["eps_g"])
    allowed = (tolerance + delta if zeroes(instance) else delta) ** 2
    used = _used_error(instance, zeroes)
    margins = {"error of the g in use": in_roundings(allowed - used, max(allowed, used), EXACT)}
    if zeroes(instance):
        near = (Fraction(5, 4) * tolerance) ** 2
        margins["||grad L|| < 5 eps_g/4"] = in_roundings(near - used, max(near, used), EXACT)
    return margins


def _line_4_bound(instance: Instance) -> tuple[float, float] | None:
    """The error of the g in use, and what is allowed."""
    if not _is_zeroed(instance):
        return None
    used = precise().sqrt(real(_used_error(instance)))
    return float(used), float(Fraction(instance["eps_g"]) + _delta(instance))


def _line_4_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    gradient, tolerance = assorted(rng, (size, 2), 2.0), rng.integers(1, 17, size) / 4.0
    eta = rng.uniform(1e-3, 1 - 1e-3, size)
    delta = (1 - eta) * tolerance / 4
    # Errors along the gradient, as long as they may be, and shorter ones of any direction.
    length = np.maximum(np.linalg.norm(gradient, axis=1), 1e-30)
    along = gradient * ((1 - 1e-12) * delta / length)[:, None]
    anywhere = rng.uniform(-0.7, 0.7, (size, 2)) * delta[:, None]
    error = np.where(rng.random((size, 1)) < 0.5, along, anywhere)
    return {"gradient": gradient, "error": error, "eps_g": tolerance, "eta": eta}


def _line_4_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    g, error, tolerance = arrays["gradient"], arrays["error"], arrays["eps_g"]
    delta = (1 - arrays["eta"]) * tolerance / 4
    zeroed = xp.sqrt(xp.sum(g**2, axis=1)) <= tolerance
    used = xp.sqrt(xp.sum((xp.where(zeroed[:, None], g, 0.0) + error) ** 2, axis=1))
    allowed = xp.where(zeroed, tolerance + delta, delta)
    near = xp.where(zeroed, 1.25 * tolerance, allowed)
    return (xp.minimum(allowed, near) - used) / tolerance + 1e-14


def _line_4_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    vectors = {name: arrays[name][row].tolist() for name in ("gradient", "error")}
    return {**vectors, **{name: float(arrays[name][row]) for name in ("eps_g", "eta")}}


def _line_4_sabotage() -> tuple[Sabotage, ...]:
    def without_root(instance: Instance) -> bool:
        return sum_of_squares(exact(instance["gradient"])) <= Fraction(instance["eps_g"])

    def entrywise(instance: Instance) -> bool:
        return max(abs(g) for g in instance["gradient"]) <= instance["eps_g"]

    def always(instance: Instance) -> bool:
        return True

    broken: dict[str, Rule] = {
        "the square of the length is compared": without_root,
        "the largest entry is compared": entrywise,
        "the gradient is always set to zero": always,
    }

    def judged(zeroes: Rule) -> Callable[[Instance], Margins]:
        return lambda instance: _line_4_amended(instance, zeroes)

    return tuple(Sabotage(name, judged(zeroes)) for name, zeroes in broken.items())


def _line_4_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        vector = st.lists(quarters(2.0), min_size=n, max_size=n)
        small = st.lists(st.integers(-8, 8).map(lambda k: k / 64), min_size=n, max_size=n)
        return st.fixed_dictionaries(
            {
                "gradient": vector,
                "error": st.one_of(vector, small),
                "eps_g": st.integers(1, 16).map(lambda k: k / 4),
                "eta": fractions_of_one(),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _line_4_instance(gradient: float, error: float) -> Instance:
    return {"gradient": [gradient], "error": [error], "eps_g": 1.0, "eta": 0.5}


def _line_4() -> Claim:
    accurate = Condition(
        "Assumption 1 for g_t",
        r"\|g_t - \nabla L(w_t)\| \le \delta_g = (1-\eta)\epsilon_g/4",
        lambda i: sum_of_squares(exact(i["error"])) <= _delta(i) ** 2,
        Dropped(
            (_line_4_instance(1.0, 1.0), _line_4_instance(2.0, 1.0)),
            note="A larger error of g_t is one of the model.",
        ),
    )
    proper = Condition(
        "proper", r"\epsilon_g > 0,\ 0 < \eta < 1",
        lambda i: i["eps_g"] > 0 and 0 < i["eta"] < 1,
        kept="the parameters of Algorithm 1, which is printed for no others",
    )  # fmt: skip
    edges = (
        _line_4_instance(1.0, 0.125),
        _line_4_instance(1.0, 0.0),
        _line_4_instance(0.0, 0.0),
        _line_4_instance(2.0, 0.125),
    )
    printed = Form(
        "the gradient of the model meets Assumption 1, after line 4 has set it to zero where "
        "||g_t|| <= eps_g",
        r"\|g - \nabla L(w_t)\| \le (1-\eta)\epsilon_g/4,\quad "
        r"g = 0 \text{ if } \|g_t\| \le \epsilon_g,\ g_t \text{ else}",
        (proper, accurate),
        _line_4_strategy,
        _line_4_printed,
        edges=lambda: edges,
        effort=10,
    )
    amended = Form(
        "it is within eps_g + delta_g where it was set to zero, and there the point is "
        "first-order stationary within 5/4 eps_g",
        r"\|g - \nabla L(w_t)\| \le \epsilon_g + \delta_g < \tfrac54 \epsilon_g",
        (proper, accurate),
        _line_4_strategy,
        _line_4_amended,
        edges=lambda: edges,
        screen=Screen(_line_4_draw, _line_4_slack, _line_4_row),
        bound=_line_4_bound,
        sabotage=_line_4_sabotage(),
        effort=60,
    )
    return Claim(
        "adaptive-norms/assumption-1-line-4",
        "what line 4 of Algorithm 1 does to Assumption 1",
        PAPER,
        "Algorithm 1, line 4",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The smallest counterexample has an exact gradient: g_t = grad L = eps_g, and the "
        "zero in its place is off by eps_g, four times what the assumption allows for eta = 0. "
        "Where the line acts the point is first-order stationary within 5/4 eps_g and only the "
        "curvature is left to work on; but of the two signs of the eigenpoint the model no longer "
        "tells which one goes downhill.",
        proof="The triangle inequality; attained where the error is parallel to g_t.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_batch_sizes(), _line_4())
