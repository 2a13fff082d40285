"""Assumption 1: met by batch sizes, with what probability; and what line 4 of Algorithm 1 does."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import comb

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
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER, quarters
from theory_checks.precise import exact, precise, real, sum_of_squares
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

# --- batch sizes --------------------------------------------------------------------


def _terms(instance: Instance) -> tuple[Fraction, Fraction, Fraction]:
    """The two values of the terms, with mean zero and the larger of size one; and delta."""
    N, ones = int(instance["population"]), int(instance["ones"])
    up, down = Fraction(N - ones), Fraction(-ones)
    largest = max(up, -down)
    return up / largest, down / largest, Fraction(instance["tolerance"])


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
    """The exact probability that the mean of the sample is off by more than delta."""
    N, ones = int(instance["population"]), int(instance["ones"])
    up, down, delta = _terms(instance)
    # A sample that is one draw repeated is a sample of one.
    b = 1 if instance["repeated"] else size
    if instance["plane"]:
        return _plane_tail(b, delta)
    off = [abs(j * up + (b - j) * down) > delta * b for j in range(b + 1)]
    if instance["replacement"]:
        count = sum(comb(b, j) * ones**j * (N - ones) ** (b - j) for j in range(b + 1) if off[j])
        return Fraction(count, N**b)
    count = sum(comb(ones, j) * comb(N - ones, b - j) for j in range(b + 1) if off[j])
    return Fraction(count, comb(N, b))


def _plane_tail(b: int, delta: Fraction) -> Fraction:
    """The same for terms (+-1, +-1)/sqrt(2) with independent signs: two walks."""
    ways = [comb(b, j) for j in range(b + 1)]
    squares = [(2 * j - b) ** 2 for j in range(b + 1)]
    limit = 2 * (delta * b) ** 2
    count = sum(
        w * sum(v for v, y in zip(ways, squares, strict=True) if x + y > limit)
        for w, x in zip(ways, squares, strict=True)
    )
    return Fraction(count, 4**b)


def _failure(instance: Instance) -> Fraction:
    """Of the sampled mean; of any of `order` independent diagonal entries for a Hessian."""
    single = _tail(instance, _batch_size(instance))
    order = int(instance["order"])
    return 1 - (1 - single) ** order if order else single


def _batch_margins(instance: Instance) -> Margins:
    p = Fraction(instance["probability"])
    eta, nu, first, second = (instance[k] for k in ("eta", "nu", "eps_g", "eps_H"))
    found = tralgos.assumption_1_tolerances(eta, nu, first, second)
    gap = 1 - Fraction(eta)
    wanted = (
        gap * Fraction(first) / 4,
        min(gap * Fraction(nu) * Fraction(second) / 2, Fraction(1)),
    )
    return {
        "P(failure) <= p": in_roundings(p - _failure(instance), p, EXACT),
        "the tolerances": min(
            in_roundings(-abs(Fraction(a) - b), b) for a, b in zip(found, wanted, strict=True)
        ),
    }


def _batch_ratio(instance: Instance) -> float:
    return float(_failure(instance) / Fraction(instance["probability"]))


def _batch_strategy() -> SearchStrategy[Instance]:
    def of_population(drawn: tuple[int, int]) -> SearchStrategy[Instance]:
        population, plane = drawn
        return st.fixed_dictionaries(
            {
                "population": st.just(population),
                "ones": st.integers(1, population - 1),
                "tolerance": st.integers(4, 15).map(lambda k: k / 16),
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
    )  # fmt: skip
    printed = Form(
        "samples of the sizes that concentration bounds give meet Assumption 1 but for the "
        "stated probability, whose tolerances are (1 - eta) eps_g/4 and "
        "min{(1 - eta) nu eps_H/2, 1}",
        r"P(\|g_t - \nabla L\| > \delta_g) \le p,\quad P(\|B_t - \nabla^2 L\| > \delta_H) \le p",
        (proper, bounded, drawn),
        _batch_strategy,
        _batch_margins,
        edges=_batch_edges,
        ratio=_batch_ratio,
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
        proof="Hoeffding's inequality for vectors and matrices, and Jensen's for samples without "
        "replacement; see tralgos.methods.batches.",
    )


# --- line 4 of Algorithm 1 ----------------------------------------------------------


def _delta(instance: Instance) -> Fraction:
    return (1 - Fraction(instance["eta"])) * Fraction(instance["eps_g"]) / 4


def _is_zeroed(instance: Instance) -> bool:
    return sum_of_squares(exact(instance["gradient"])) <= Fraction(instance["eps_g"]) ** 2


def _used_error(instance: Instance) -> Fraction:
    """The square of ||g - grad L|| for the g that the model is made with."""
    error = exact(instance["error"])
    if _is_zeroed(instance):
        gradient = exact(instance["gradient"])
        error = [g + e for g, e in zip(gradient, error, strict=True)]
    return sum_of_squares(error)


def _line_4_printed(instance: Instance) -> Margins:
    square = _delta(instance) ** 2
    used = _used_error(instance)
    return {"Assumption 1 for the g in use": in_roundings(square - used, max(square, used), EXACT)}


def _line_4_amended(instance: Instance) -> Margins:
    delta, tolerance = _delta(instance), Fraction(instance["eps_g"])
    allowed = (tolerance + delta if _is_zeroed(instance) else delta) ** 2
    used = _used_error(instance)
    margins = {"error of the g in use": in_roundings(allowed - used, max(allowed, used), EXACT)}
    if _is_zeroed(instance):
        near = (Fraction(5, 4) * tolerance) ** 2
        margins["||grad L|| < 5 eps_g/4"] = in_roundings(near - used, max(near, used), EXACT)
    return margins


def _line_4_ratio(instance: Instance) -> float | None:
    if not _is_zeroed(instance):
        return None
    used = precise().sqrt(real(_used_error(instance)))
    return float(used / real(Fraction(instance["eps_g"]) + _delta(instance)))


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
        ratio=_line_4_ratio,
        effort=80,
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
