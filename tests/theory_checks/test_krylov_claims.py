"""The claims on Krylov steps: their oracles, their bounds, and that each of them can fail."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from theory_checks.claim import Level
from theory_checks.claims.krylov import bounds, bulk, claims, common, measured, space, worst
from theory_checks.engine import Budget, hunt
from theory_checks.margins import worst_margin
from theory_checks.oracle import solve_in_eigenbasis
from theory_checks.precise import digits, norm, precise, real

RECORDED = {
    "linear-rate": "holds",
    "linear-constant": "holds",
    "interior-rate": "holds",
    "linear-sharp": "holds",
    "sublinear-rate": "holds",
    "sublinear-constant": "holds",
    "leftmost-ritz": "holds",
    "cubic-linear-rate": "holds",
    "cubic-sublinear-rate": "holds",
    "worst-linear": "holds",
    "worst-sublinear": "holds",
    "quasi-optimal": "holds",
    "multiplier": "holds",
    "hard-case-start": "holds",
    "random-start": "holds",
    "random-start-probability": "holds",
    "solver-rates": "measured",
}


def claim_of(name: str) -> Any:
    return {claim.id: claim for claim in claims()}[f"krylov/{name}"]


def each_claim() -> Any:
    return pytest.mark.parametrize("claim", claims(), ids=lambda claim: claim.id)


def test_every_claim_has_its_verdict_and_its_proof() -> None:
    assert {claim.id.split("/")[1]: claim.verdict.word for claim in claims()} == RECORDED
    assert all(claim.proof for claim in claims())


@each_claim()
def test_what_is_dropped_breaks_that_hypothesis_alone(claim: Any) -> None:
    form = claim.printed
    for condition in form.hypotheses:
        assert (condition.dropped is None) == bool(condition.kept)
        for instance in condition.dropped.instances if condition.dropped else ():
            assert form.broken_hypotheses(instance) == (condition.name,)
            failed = worst_margin(form.margins(instance))[1] < 0.0
            assert failed == condition.dropped.fails


@each_claim()
def test_edge_cases_hold_and_show_up_every_broken_algorithm(claim: Any) -> None:
    form = claim.printed
    admitted = [instance for instance in form.edges() if form.admits(instance)]
    assert admitted
    assert all(worst_margin(form.margins(i))[1] >= 0.0 for i in admitted)
    for broken in form.sabotage:
        assert any(worst_margin(broken.margins(i))[1] < 0.0 for i in admitted), broken.name


# ------------------------------------------------------------------ the instances


@given(common.small_instances())
@settings(max_examples=40)
def test_an_instance_is_solved_by_its_own_step(instance: Any) -> None:
    """The oracle, which shares nothing with the construction, finds the same minimum."""
    data = common.known(instance)
    r = data.problem.radius
    h = [float(r * r * x) for x in data.problem.spectrum]
    g = [float(r * x) for x in data.problem.gradient]
    found = solve_in_eigenbasis(h, g).value
    size = float(
        r * r * max(abs(x) for x in data.problem.spectrum) + r * norm(data.problem.gradient)
    )
    assert abs(float(found) + float(data.decrease)) <= 1e-14 * size + 1e-300


@given(common.small_instances())
@settings(max_examples=40)
def test_the_gap_is_the_difference_of_the_values(instance: Any) -> None:
    data = common.known(instance)
    if not any(data.problem.gradient):
        return
    g, h, r = data.problem.gradient, data.problem.spectrum, data.problem.radius

    def q(s: Any) -> Any:
        return sum(a * x + b * x * x / 2 for a, b, x in zip(g, h, s, strict=True))

    size = data.decrease + 1
    s = space.trust_region_minimiser(data.problem, instance["t"])
    assert abs(common.gap_of(data, s) - (q(s) + data.decrease)) <= 1e-30 * size
    if data.multiplier > 0:
        s = space.cubic_minimiser(data.problem, instance["t"])
        cube = data.problem.sigma / 3 * norm(s) ** 3
        difference = q(s) + cube + data.cubic_decrease
        assert abs(common.gap_of(data, s, cubic=True) - difference) <= 1e-30 * size
    assert abs(q(data.step) + data.decrease) <= 1e-30 * (size + r)


# ------------------------------------------------------------------ the minimisers


def dense(data: Any, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An orthonormal basis of the space by QR of the powers, and H and g in float64."""
    h = np.array([float(x) for x in data.problem.spectrum])
    g = np.array([float(x) for x in data.problem.gradient])
    powers = np.stack([h**k * g for k in range(t)], axis=1)
    return np.linalg.qr(powers)[0], h, g


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cubic", [False, True])
def test_the_minimisers_against_a_general_optimiser(seed: int, cubic: bool) -> None:
    """SLSQP and BFGS from several starts over a QR basis of the powers find nothing lower."""
    rng = np.random.default_rng(seed)
    n, t = 4, 1 + seed % 3
    instance = common.instance_of(
        np.sort(rng.uniform(0.1, 3.0, n)).tolist(), rng.standard_normal(n).tolist(), 1.5, t
    )
    data = common.known(instance)
    Q, h, g = dense(data, t)
    r, sigma = float(data.problem.radius), float(data.problem.sigma)

    def f(z: np.ndarray) -> float:
        s = Q @ z
        cube = sigma / 3 * float(np.linalg.norm(s)) ** 3 if cubic else 0.0
        return float(g @ s + s @ (h * s) / 2) + cube

    ball = [{"type": "ineq", "fun": lambda z: r * r - z @ z}]
    found = [
        scipy.optimize.minimize(
            f, rng.standard_normal(t), constraints=() if cubic else ball, method="SLSQP", tol=1e-12
        ).fun
        for _ in range(4)
    ]
    solve = space.cubic_minimiser if cubic else space.trust_region_minimiser
    s = np.array([float(x) for x in solve(data.problem, t)])
    assert np.linalg.norm(s - Q @ (Q.T @ s)) < 1e-12
    assert cubic or np.linalg.norm(s) <= r * (1 + 1e-14)
    assert f(Q.T @ s) == pytest.approx(min(found), rel=1e-7)


@given(common.small_instances())
@settings(max_examples=30)
def test_more_digits_give_the_same_step(instance: Any) -> None:
    """Nothing is kept from one precision for the other."""
    problem = common.known(instance).problem
    if not any(problem.gradient):
        return
    steps = [space.trust_region_minimiser(problem, 2)]
    with digits(100):
        problem = common.known(instance).problem
        steps.append(space.trust_region_minimiser(problem, 2))
        off = norm([x - y for x, y in zip(*steps, strict=True)])
        assert off <= real(1e-28) * problem.radius


def test_a_cluster_ends_the_recurrence() -> None:
    """With two eigenvalues the second space is the last, whatever the dimension."""
    instance = common.instance_of([1.0, 1.0, 3.0, 3.0], [1.0, 2.0, 1.0, -1.0], 2.0, 4)
    assert len(space.reduced(common.known(instance).problem, 4).ritz) == 2


# ------------------------------------------------------------------ the bounds


@given(st.floats(1.001, 1e4), st.integers(1, 30))
def test_the_share_is_the_chebyshev_polynomial(kappa: float, t: int) -> None:
    data = common.known(common.instance_of([1.0, kappa], [1.0, 1.0], 0.0, t))
    c = precise().mpf(kappa)
    value = precise().chebyt(t, (c + 1) / (c - 1))
    assert bounds.chebyshev_share(data, t) * value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("t", [1, 2, 5, 9])
def test_the_fejer_kernel_is_what_the_proof_says(t: int) -> None:
    """1/F(b) >= 1 + t(t + 2)b/3 on (0, 1), and F(-m) >= 1 + t(t + 2)m/3."""
    k = t + 1
    angle = np.linspace(1e-3, np.pi / 2 - 1e-3, 4001)
    b = np.sin(angle) ** 2
    inverse = k * k * b / np.maximum(np.sin(k * angle) ** 2, 1e-300)
    assert np.all(inverse >= (1 + t * (t + 2) * b / 3) * (1 - 1e-12))
    m = np.geomspace(1e-4, 10.0, 200)
    grown = (np.cosh(k * np.arccosh(1 + 2 * m)) - 1) / (2 * k * k * m)
    assert np.all(grown >= (1 + t * (t + 2) * m / 3) * (1 - 1e-9))


@pytest.mark.parametrize("t", [1, 3])
def test_a_smaller_constant_of_the_page_is_found_out(t: int) -> None:
    """1/9 in the place of the lower 1/8 fails at once, and the hunt finds half of 3/4 too small."""
    data = worst.slowest_sublinear(real(1.0), t)
    gap = common.gap_of(data, space.trust_region_minimiser(data.problem, t))
    assert gap * 9 * (t + 0.5) ** 2 > data.spread * data.problem.radius**2
    form = claim_of("sublinear-constant").printed

    def halved(instance: Any) -> Any:
        known, order = common.known(instance), instance["t"]
        found = common.gap_of(known, space.trust_region_minimiser(known.problem, order))
        limit = bounds.fejer_bound(known, order, known.problem.gradient)
        return {"half of the bound": common.at_most(known, found, limit / 2)}

    assert hunt(replace(form, margins=halved), Budget(40, 4096, 5.0), 0).violation is not None


@pytest.mark.parametrize("t", [1, 2, 4])
def test_the_ritz_bound_is_attained(t: int) -> None:
    """In t + 1 dimensions: the other eigenvalues where the polynomial of the proof is extreme."""
    context = precise()
    beta = context.mpf(1) / 10
    nodes = [(1 - beta) * context.cospi(context.mpf(j) / (2 * t - 1)) ** 2 for j in range(t)]
    slope = context.sinh((2 * t - 1) * context.asinh(context.sqrt(beta / (1 - beta))))
    squares = [context.mpf(1)]
    for j, own in enumerate(nodes):
        share = beta * slope / context.sqrt(beta) / context.sqrt(own)
        for i, other in enumerate(nodes):
            share *= 1 if i == j else (beta + other) / abs(own - other)
        squares.append(share)
    spectrum = [context.mpf(0), *(beta + c for c in nodes)]
    gradient = [context.sqrt(x) for x in squares]
    problem = space.Problem(spectrum, gradient, context.mpf(1), context.mpf(1))
    data = common.Known(problem, spectrum, gradient, context.mpf(0), context.mpf(1))
    excess = min(space.reduced(problem, t).ritz)
    assert excess == pytest.approx(bounds.ritz_bound(data, t, gradient), rel=1e-14)
    assert excess == pytest.approx(beta, rel=1e-14)


def test_with_the_spread_the_rate_without_a_multiplier_is_false() -> None:
    """H = diag(1, 4), s* = (3, 1), t = 1: lambda_max can not be lambda_max - lambda_min."""
    data = common.known(common.instance_of([1.0, 4.0], [3.0, 1.0], 0.0, 1))
    gap = common.gap_of(data, space.trust_region_minimiser(data.problem, 1))
    size = data.problem.radius**2 / (8 * 1.5**2)
    assert data.spread * size < gap <= data.largest * size


# ------------------------------------------------------------------ the screen


def test_the_bulk_gap_is_the_precise_one(rng: np.random.Generator) -> None:
    arrays = claim_of("linear-rate").printed.screen.draw(rng, 60)
    gaps = bulk.krylov_gap(np, arrays)
    screen = claim_of("linear-rate").printed.screen
    for row in range(60):
        instance = screen.instance(arrays, row)
        data = common.known(instance)
        gap = common.gap_of(data, space.trust_region_minimiser(data.problem, instance["t"]))
        assert abs(float(gap) - gaps[row]) <= 1e-10 * float(data.decrease)


def test_the_bulk_bounds_are_the_precise_ones(rng: np.random.Generator) -> None:
    screen = claim_of("linear-rate").printed.screen
    arrays = screen.draw(rng, 40)
    pairs = (
        (bulk.published_linear, lambda d, t: bounds.published_linear(d, t, d.decrease)),
        (bulk.scaled, lambda d, t: bounds.scaled_bound(d, t, d.decrease)),
        (
            bulk.published_sublinear,
            lambda d, t: bounds.published_sublinear(d, t, d.problem.gradient),
        ),
        (bulk.fejer, lambda d, t: bounds.fejer_bound(d, t, d.problem.gradient)),
    )
    for vectorised, exact in pairs:
        limits = vectorised(np, arrays)
        for row in range(40):
            instance = screen.instance(arrays, row)
            limit = min(float(exact(common.known(instance), instance["t"])), 1e100)
            assert min(limits[row], 1e100) == pytest.approx(limit, rel=1e-7) or limit > 1e3


def test_the_bulk_bound_without_a_multiplier_is_the_precise_one(rng: np.random.Generator) -> None:
    """And some of the rows come close to it."""
    form = claim_of("interior-rate").printed
    arrays = form.screen.draw(rng, 200)
    limits, slack = bulk.interior(np, arrays), form.screen.slack(np, arrays)
    for row in range(200):
        sides = form.bound(form.screen.instance(arrays, row))
        if sides is None:
            continue
        gap, limit = sides
        assert limits[row] == pytest.approx(limit, rel=1e-7)
        size = limit + bulk._RESOLVED * float(bulk._decrease(np, arrays)[row])
        assert slack[row] == pytest.approx((limit - gap) / size, abs=1e-6)
    assert np.min(slack) < 0.05


def test_the_screen_points_at_a_bound_that_is_too_small(rng: np.random.Generator) -> None:
    screen = bulk.screen(lambda xp, arrays: bulk.fejer(xp, arrays) / 4.0)
    assert np.min(screen.slack(np, screen.draw(rng, 2048))) < 0.0
    true = claim_of("sublinear-constant").printed.screen
    assert np.min(true.slack(np, true.draw(rng, 2048))) >= 0.0


# ------------------------------------------------------------------ slow problems


@pytest.mark.parametrize("t", [1, 4, 20])
def test_the_slowest_convex_problem_in_both_precisions(t: int) -> None:
    a, gradient, radius = worst.sublinear_arrays(t)
    data = worst.slowest_sublinear(real(1.0), t)
    scale = data.problem.radius
    np.testing.assert_allclose(a, [float(x) for x in data.curvatures], rtol=1e-12, atol=1e-15)
    step = [float(g / scale) for g in data.problem.gradient]
    np.testing.assert_allclose(gradient, step, rtol=1e-12, atol=1e-15)
    assert radius == 1.0


def test_no_polynomial_does_better_on_the_slowest_problem() -> None:
    """Weighted least squares over all polynomials of degree t gives T_t^-2."""
    t, kappa = 5, 30.0
    data = worst.slowest_linear(real(1.0), real(kappa), real(0.0), t)
    a = np.array([float(x) for x in data.curvatures])
    weight = np.sqrt(a) * np.array([float(x) for x in data.step])
    powers = np.polynomial.chebyshev.chebvander((2 * a - kappa - 1) / (kappa - 1), t - 1)
    fit = np.linalg.lstsq((weight * a)[:, None] * powers, weight, rcond=None)[0]
    left = np.sum((weight - (weight * a)[:, None] * powers @ fit) ** 2) / np.sum(weight**2)
    c = (kappa + 1) / (kappa - 1)
    assert left == pytest.approx(math.cosh(t * math.acosh(c)) ** -2, rel=1e-9)


# ------------------------------------------------------------------ what is measured


def test_the_figures_are_as_recorded_and_as_claimed() -> None:
    figures = claim_of("solver-rates").measure(Level.QUICK, 0)
    assert len(figures) == 4
    for figure in figures:
        assert figure.as_recorded, figure
        assert figure.answer.value == "consistent", figure
        assert figure.low <= figure.value <= figure.high


def test_a_slower_method_has_another_exponent() -> None:
    """Steepest descent's products grow like kappa: the exponent tells them apart."""
    counts = []
    for kappa in (20.0, 200.0):
        problem = measured.spread_out(kappa, np.random.default_rng(0), 400)
        s, count = np.zeros(400), 0
        while problem.gap(s) > 1e-4 * problem.energy:
            s = s - (problem.hessian * s + problem.gradient)
            length = float(np.linalg.norm(s))
            s, count = (s / length if length > 1.0 else s), count + 1
        counts.append(count)
    assert math.log10(counts[1] / counts[0]) > 0.7


def test_the_probability_against_samples() -> None:
    """The incomplete beta function is that of a component on the sphere."""
    rng = np.random.default_rng(3)
    u = rng.standard_normal((200_000, 5))
    first = u[:, 0] / np.linalg.norm(u, axis=1)
    computed, _ = claim_of("random-start-probability").printed.bound(
        {"n": 5, "width": 0.3, "offset": 0.2}
    )
    assert computed == pytest.approx(np.mean(np.abs(first + 0.2) <= 0.3), abs=5e-3)
