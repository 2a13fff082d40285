"""Norms from past gradients: equations (2) and (3), Lemma 2 with its sharp constants, the roots."""

from __future__ import annotations

import dataclasses
import math
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms import (
    AdagradNorm,
    AdamNorm,
    AdaptiveNorm,
    AdaptiveState,
    DiagonalNorm,
    LowRankNorm,
    MatrixNorm,
    RMSPropNorm,
)

EPS = 2.0**-52
KINDS: list[dict[str, Any]] = [
    {"kind": "diagonal"},
    {"kind": "full"},
    {"kind": "window", "window": 3},
    {"kind": "window", "window": 40},
]


def rules(**shared: Any) -> list[AdaptiveNorm]:
    """Every rule in every kind."""
    found: list[AdaptiveNorm] = []
    for kind in KINDS:
        found += [
            AdagradNorm(**kind, **shared),
            RMSPropNorm(**kind, **shared, beta=0.75),
            AdamNorm(**kind, **shared, beta2=0.9),
        ]
    return found


def named(rule: AdaptiveNorm) -> str:
    return f"{type(rule).__name__}-{rule.kind}-{rule.window}-{rule.epsilon_rule}"


RULES = rules(epsilon=0.125)
SEEDED = rules(epsilon=0.125, epsilon_rule="seeded")
every_rule = pytest.mark.parametrize("rule", RULES + SEEDED, ids=named)
drawn_rule = st.sampled_from(RULES + SEEDED)


def run(rule: AdaptiveNorm, gradients: Any, like: Any = None) -> AdaptiveState:
    """The state after all of these gradients."""
    like = np.zeros(len(gradients[0])) if like is None else like
    state = rule.init(like=like)
    for g in gradients:
        state = rule.update(state, g)
    return state


def decay_of(rule: AdaptiveNorm) -> Fraction:
    return Fraction(getattr(rule, "beta", getattr(rule, "beta2", 1.0)))


def closed_form(rule: AdaptiveNorm, gradients: np.ndarray) -> list[list[Fraction]]:
    """A_t by equations (2) and (3) in exact arithmetic, from the parameters alone."""
    t, n = gradients.shape
    beta = decay_of(rule)
    kept = list(range(t))[-(rule.window or t + 1) :]
    weights = {i: Fraction(1) if beta == 1 else (1 - beta) * beta ** (t - 1 - i) for i in kept}
    if isinstance(rule, AdamNorm):
        whole = sum(weights.values())
        weights = {i: w / whole for i, w in weights.items()}
    shift = Fraction(rule.epsilon) * (beta**t if rule.epsilon_rule == "seeded" else 1)
    G = [[Fraction(float(x)) for x in g] for g in gradients]
    A = [[sum((weights[i] * G[i][j] * G[i][k] for i in kept), Fraction(0)) for k in range(n)]
         for j in range(n)]  # fmt: skip
    for j in range(n):
        for k in range(n):
            A[j][k] = A[j][k] + shift if j == k else A[j][k] * (rule.kind != "diagonal")
    return A


def floats(A: list[list[Fraction]]) -> np.ndarray:
    return np.array([[float(x) for x in row] for row in A])


def near(expected: Any, rel: float) -> Any:
    """Relative closeness alone: pytest's default takes every two tiny numbers for equal."""
    return pytest.approx(expected, rel=rel, abs=0.0)


def dense_power(A: np.ndarray, power: float) -> np.ndarray:
    w, V = np.linalg.eigh(A)
    return (V * w**power) @ V.T


# -------------------------------------------------------------------- the formulas


@pytest.mark.parametrize("kind", ["diagonal", "full"])
@pytest.mark.parametrize("epsilon_rule", ["added", "seeded"])
def test_dyadic_streams_equal_the_closed_form_to_the_last_bit(kind: Any, epsilon_rule: Any) -> None:
    gradients = np.array([[3.0, -2.0], [0.0, 5.0], [-7.0, 1.0], [4.0, 4.0]])
    for rule in (
        AdagradNorm(epsilon=0.5, kind=kind, epsilon_rule=epsilon_rule),
        RMSPropNorm(epsilon=0.5, beta=0.5, kind=kind, epsilon_rule=epsilon_rule),
        RMSPropNorm(epsilon=0.5, beta=0.25, kind=kind, epsilon_rule=epsilon_rule),
        RMSPropNorm(epsilon=0.5, beta=0.75, kind=kind, epsilon_rule=epsilon_rule),
    ):
        for t in range(1, 5):
            found = rule.norm(run(rule, gradients[:t])).matrix(np.zeros(2))
            exact = closed_form(rule, gradients[:t])
            assert [[Fraction(x) for x in row] for row in found.tolist()] == exact


@given(rule=drawn_rule, n=st.integers(1, 4), t=st.integers(0, 7), seed=st.integers(0, 2**32 - 1))
def test_streams_equal_the_closed_form(rule: AdaptiveNorm, n: int, t: int, seed: int) -> None:
    gradients = np.random.default_rng(seed).standard_normal((t, n))
    state = run(rule, gradients, np.zeros(n))
    assert state.steps == t
    A = floats(closed_form(rule, gradients))
    found = rule.norm(state).matrix(np.zeros(n))
    np.testing.assert_allclose(found, A, rtol=0, atol=60 * EPS * np.max(A))


@every_rule
def test_the_first_norm_is_epsilon_times_the_identity(rule: AdaptiveNorm) -> None:
    state = rule.init(3)
    np.testing.assert_allclose(rule.norm(state).matrix(np.zeros(3)), 0.125 * np.eye(3), rtol=EPS)
    root = rule.norm(state, power=0.5)
    np.testing.assert_allclose(root.matrix(np.zeros(3)), math.sqrt(0.125) * np.eye(3), rtol=4 * EPS)


@pytest.mark.parametrize("t", [1, 3, 5, 9])
@pytest.mark.parametrize("name", [AdagradNorm, RMSPropNorm, AdamNorm])
def test_a_window_is_the_full_matrix_of_the_last_gradients(name: Any, t: int, rng: Any) -> None:
    """Up to t = m that is the full matrix; RMSProp's is not scaled up, Adam's is."""
    gradients = rng.standard_normal((t, 6))
    window = name(epsilon=0.1, kind="window", window=5)
    full = name(epsilon=0.1, kind="full")
    found = window.norm(run(window, gradients)).matrix(np.zeros(6))
    expected = full.norm(run(full, gradients[-5:])).matrix(np.zeros(6))
    np.testing.assert_allclose(found, expected, atol=60 * EPS * np.max(expected))


def test_what_a_window_of_rmsprop_drops_is_small(rng: Any) -> None:
    """The bound beta^m L^2 of the docstring."""
    gradients = rng.standard_normal((30, 4))
    gradients /= np.linalg.norm(gradients, axis=1)[:, None]
    full, window = (
        RMSPropNorm(epsilon=0.1, beta=0.8, **kind)
        for kind in ({"kind": "full"}, {"kind": "window", "window": 6})
    )
    difference = full.norm(run(full, gradients)).matrix(np.zeros(4))
    difference = difference - window.norm(run(window, gradients)).matrix(np.zeros(4))
    assert 0.01 * 0.8**6 < np.linalg.norm(difference, 2) <= 0.8**6


@every_rule
def test_every_operation_and_the_root_against_an_eigendecomposition(
    rule: AdaptiveNorm, rng: Any
) -> None:
    n = 7
    gradients = rng.standard_normal((5, n))
    state = run(rule, gradients)
    A = floats(closed_form(rule, gradients))
    s = rng.standard_normal((n, 2))
    for power in (1.0, 0.5):
        norm = rule.norm(state, power=power)
        kappa = np.linalg.cond(A)
        close = {"rtol": 0, "atol": 100 * EPS * kappa * max(1.0, np.max(A))}
        np.testing.assert_allclose(norm.apply(s), dense_power(A, power) @ s, **close)
        np.testing.assert_allclose(norm.solve(s), dense_power(A, -power) @ s, **close)
        np.testing.assert_allclose(norm.sqrt(s), dense_power(A, power / 2) @ s, **close)
        np.testing.assert_allclose(norm.inverse_sqrt(s), dense_power(A, -power / 2) @ s, **close)
        w = np.linalg.eigvalsh(A) ** power
        lower, upper = norm.equivalence()
        assert lower == near(math.sqrt(w[0]), rel=1e3 * EPS * kappa)
        assert upper == near(math.sqrt(w[-1]), rel=1e3 * EPS)


@every_rule
def test_the_root_applied_twice_is_the_matrix(rule: AdaptiveNorm, rng: Any) -> None:
    state = run(rule, rng.standard_normal((4, 5)))
    s = rng.standard_normal(5)
    norm, root = rule.norm(state), rule.norm(state, power=0.5)
    close = {"rtol": 1e3 * EPS, "atol": 1e3 * EPS}
    np.testing.assert_allclose(root.apply(root.apply(s)), norm.apply(s), **close)
    assert root.norm(root.apply(s)) ** 2 == near(s @ root.apply(norm.apply(s)), rel=1e-12)


def test_the_kinds_of_norm() -> None:
    state_kinds = {"diagonal": DiagonalNorm, "full": MatrixNorm, "window": LowRankNorm}
    for rule in RULES:
        for power in (1, 0.5):
            assert type(rule.norm(rule.init(4), power)) is state_kinds[rule.kind]


@pytest.mark.parametrize("rule", [r for r in RULES if r.kind != "diagonal"], ids=named)
def test_corollary_1(rule: AdaptiveNorm, rng: Any) -> None:
    """-A^{-1/2} g minimises g's over the ball of radius ||g||_{A^{-1/2}} in the norm by A^{1/2}."""
    g = rng.standard_normal(4)
    norm = rule.norm(rule.update(run(rule, rng.standard_normal((2, 4))), g), power=0.5)
    step = -norm.solve(g)
    assert norm.norm(step) == near(norm.dual_norm(g), rel=1e-12)
    for other in rng.standard_normal((50, 4)):
        assert g @ step <= g @ other * norm.norm(step) / norm.norm(other) + 1e-12


def test_a_root_of_an_indefinite_low_rank_part(rng: Any) -> None:
    U = np.linalg.qr(rng.standard_normal((5, 2)))[0]
    norm = LowRankNorm(U, np.array([3.0, -0.96]), 1.0)
    M = norm.matrix(np.zeros(5))
    root = norm.root()
    np.testing.assert_allclose(root.matrix(np.zeros(5)), dense_power(M, 0.5), atol=1e-14)
    assert root.equivalence() == near((0.2**0.5, 2**0.5), rel=1e-12)
    assert norm.equivalence() == near((0.2, 2.0), rel=1e-12)


# -------------------------------------------------------------------- uniform equivalence


@given(
    rule=drawn_rule,
    bound=st.sampled_from([0.05, 0.3, 1.0, 7.0]),
    power=st.sampled_from([1.0, 0.5]),
    t=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_uniform_constants_hold(
    rule: AdaptiveNorm, bound: float, power: float, t: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((t, 3))
    sizes = bound * rng.choice([0.0, 0.5, 1.0], size=t)
    gradients = directions / np.linalg.norm(directions, axis=1)[:, None] * sizes[:, None]
    lower, upper = rule.uniform_constants(bound, t, power=power)
    always = rule.uniform_constants(bound, power=power)
    mu = rule.uniform_mu(bound, t, power=power)
    room = 1 + 1e3 * EPS
    state = rule.init(3)
    for g in gradients:
        state = rule.update(state, g)
        low, high = rule.norm(state, power=power).equivalence()
        assert lower <= low * room
        assert high <= upper * room
        assert high <= mu * room
        assert mu * low * room >= 1.0
    assert always[0] <= lower
    assert upper <= always[1]


@every_rule
@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize("bound", [0.05, 2.0])
@pytest.mark.parametrize("t", [1, 2, 6])
def test_uniform_constants_are_attained(
    rule: AdaptiveNorm, power: float, bound: float, t: int
) -> None:
    """By zero gradients and by constant ones: no constant can be better."""
    lower, upper = rule.uniform_constants(bound, t, power=power)
    lows, highs = [], []
    for size in (0.0, bound):
        state = rule.init(2)
        for k in range(t + 1):
            low, high = rule.norm(state, power=power).equivalence()
            lows.append(low)
            highs.append(high)
            if k < t:
                state = rule.update(state, np.array([0.0, size]))
    assert min(lows) == near(lower, rel=100 * EPS)
    assert max(highs) == near(upper, rel=100 * EPS)
    assert rule.uniform_mu(bound, t, power=power) == near(
        max(max(highs), 1 / min(lows)), rel=100 * EPS
    )


@pytest.mark.parametrize("kind", KINDS[:2], ids=str)
def test_the_limits_of_the_constants_over_all_time(kind: dict[str, Any]) -> None:
    L, e = 3.0, 0.25
    found = RMSPropNorm(epsilon=e, **kind).uniform_constants(L)
    assert found == near((0.5, math.sqrt(9.25)), rel=EPS)
    assert AdamNorm(epsilon=e, **kind).uniform_constants(L) == found
    assert AdagradNorm(epsilon=e, **kind).uniform_constants(L) == (0.5, math.inf)
    assert AdagradNorm(epsilon=e, **kind).uniform_mu(L) == math.inf
    # The supremum is approached by constant gradients.
    rule = RMSPropNorm(epsilon=e, beta=0.5, **kind)
    state = run(rule, np.tile([L, 0.0], (60, 1)))
    assert rule.norm(state).equivalence()[1] == near(found[1], rel=10 * EPS)


def test_even_adagrad_is_equivalent_over_a_window() -> None:
    rule = AdagradNorm(epsilon=0.25, kind="window", window=4)
    lower, upper = rule.uniform_constants(3.0)
    assert (lower, upper) == near((0.5, math.sqrt(4 * 9 + 0.25)), rel=EPS)
    state = run(rule, np.tile([3.0, 0.0], (20, 1)))
    assert rule.norm(state).equivalence()[1] == near(upper, rel=10 * EPS)


@pytest.mark.parametrize("bound", [1e-3, 0.5, 1.0, 2.0, 30.0])
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_lemma_2_holds_for_every_epsilon_and_one_is_best(bound: float, power: float) -> None:
    """mu is finite for every epsilon, and least where both of its terms meet."""
    best = (bound**2 + math.sqrt(bound**4 + 4)) / 2
    least = math.sqrt(best) ** power
    at = RMSPropNorm(epsilon=1 / best).uniform_mu(bound, power=power)
    assert at == near(least, rel=1e-13)
    for factor in (1e-200, 0.5, 0.999, 1.001, 2.0, 1e200):
        mu = RMSPropNorm(epsilon=factor / best).uniform_mu(bound, power=power)
        assert least < mu < math.inf


def test_adagrad_grows_without_bound_under_bounded_gradients() -> None:
    for kind in KINDS[:2]:
        rule = AdagradNorm(epsilon=0.25, **kind)
        state = rule.init(2)
        for t in range(1, 31):
            state = rule.update(state, np.array([0.6, 0.8]) if t % 2 else np.array([0.8, 0.6]))
            upper = rule.norm(state).equivalence()[1]
            assert upper**2 >= (0.25 + t / 2) * (1 - 10 * EPS)  # at least trace / n
            assert upper <= rule.uniform_constants(1.0, t)[1] * (1 + 10 * EPS)


def test_adagrad_is_equivalent_along_square_summable_gradients() -> None:
    rule = AdagradNorm(epsilon=0.25)
    state = run(rule, [np.array([1.0 / t, 0.0]) for t in range(1, 2000)])
    assert rule.norm(state).equivalence()[1] <= math.sqrt(math.pi**2 / 6 + 0.25)


@pytest.mark.parametrize("rule", [r for r in SEEDED if not isinstance(r, AdagradNorm)], ids=named)
def test_a_seed_decays_and_lemma_2_with_it(rule: AdaptiveNorm) -> None:
    """Zero gradients leave beta^t epsilon, until that is nothing: a named error then."""
    beta = float(decay_of(rule))
    lower, upper = rule.uniform_constants(1.0)
    assert lower == 0.0
    assert math.isfinite(upper)
    assert rule.uniform_mu(1.0) == math.inf
    state = run(rule, np.zeros((50, 2)))
    norm = rule.norm(state)
    np.testing.assert_allclose(norm.matrix(np.zeros(2)), 0.125 * beta**50 * np.eye(2), rtol=1e-13)
    assert rule.uniform_constants(1.0, 50)[0] == near(norm.equivalence()[0], rel=1e-13)
    state = dataclasses.replace(state, steps=10**5)
    for power in (1.0, 0.5):
        with pytest.raises(NotPositiveDefiniteError, match=r"epsilon = 0\.125 is down to"):
            rule.norm(state, power=power)


def test_a_seed_among_the_subnormal_numbers_is_refused() -> None:
    """2^-1060 has lost all but 14 of its digits."""
    for kind in KINDS:
        rule = RMSPropNorm(epsilon=1.0, beta=0.5, epsilon_rule="seeded", **kind)
        for power in (1.0, 0.5):
            state = dataclasses.replace(rule.init(2), steps=1020)
            assert rule.norm(state, power).equivalence()[0] == near(2.0 ** (-510 * power), 1e-14)
            state = dataclasses.replace(state, steps=1060)
            with pytest.raises(NotPositiveDefiniteError, match="is down to"):
                rule.norm(state, power)


def test_for_adagrad_a_seed_is_what_is_added() -> None:
    gradients = np.array([[1.0, 2.0], [3.0, -1.0]])
    for kind in KINDS:
        added, seeded = (
            AdagradNorm(epsilon=0.25, epsilon_rule=r, **kind) for r in ("added", "seeded")
        )
        np.testing.assert_array_equal(
            added.norm(run(added, gradients)).matrix(np.zeros(2)),
            seeded.norm(run(seeded, gradients)).matrix(np.zeros(2)),
        )
        assert added.uniform_constants(2.0, 5) == seeded.uniform_constants(2.0, 5)


# -------------------------------------------------------------------- state


@every_rule
def test_updates_leave_old_states_and_gradients_alone(rule: AdaptiveNorm, rng: Any) -> None:
    first = run(rule, rng.standard_normal((2, 3)))
    before = rule.norm(first).matrix(np.zeros(3)).copy()
    g = rng.standard_normal(3)
    kept = g.copy()
    second = rule.update(first, g)
    after = rule.norm(second).matrix(np.zeros(3)).copy()
    np.testing.assert_array_equal(g, kept)
    rule.update(second, 5.0 * g)
    g[:] = 100.0  # a gradient buffer that is used again
    assert (first.steps, second.steps) == (2, 3)
    np.testing.assert_array_equal(rule.norm(first).matrix(np.zeros(3)), before)
    np.testing.assert_array_equal(rule.norm(second).matrix(np.zeros(3)), after)
    # From the same state the same gradient gives the same norm again.
    again = rule.norm(rule.update(first, kept)).matrix(np.zeros(3))
    np.testing.assert_array_equal(again, after)


def test_rules_and_states_are_frozen() -> None:
    rule = RMSPropNorm(epsilon=np.float64(0.5), beta=np.float32(0.5))  # type: ignore[arg-type]
    assert type(rule.epsilon) is float
    assert type(rule.beta) is float
    assert rule == RMSPropNorm(epsilon=0.5, beta=0.5)
    state = rule.init(3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.epsilon = 1.0  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        state.steps = 1  # type: ignore[misc]
    assert repr(state) == "AdaptiveState(<RMSPropNorm, n = 3, 0 steps>)"


@every_rule
def test_every_library(xp_case: Xp, rule: AdaptiveNorm, rng: Any) -> None:
    n = 4
    gradients = [xp_case.numpy(xp_case.array(g)) for g in rng.standard_normal((5, n))]
    like = xp_case.array(np.zeros(n))
    state = run(rule, [xp_case.array(g) for g in gradients], like)
    A = floats(closed_form(rule, np.array(gradients)))
    close = {"rtol": 0, "atol": 100 * xp_case.eps * np.max(A)}
    s = rng.standard_normal(n)
    s = xp_case.numpy(xp_case.array(s))
    for power in (1.0, 0.5):
        norm = rule.norm(state, power=power)
        norm.check(like)
        image = norm.apply(xp_case.array(s))
        assert xp_case.owns(image)
        if power == 1.0:
            np.testing.assert_allclose(xp_case.numpy(image), A @ s, **close)
        else:
            twice = norm.apply(image)
            np.testing.assert_allclose(xp_case.numpy(twice), A @ s, **close)
        back = norm.solve(image)
        np.testing.assert_allclose(
            xp_case.numpy(back), s, atol=100 * xp_case.eps * np.linalg.cond(A)
        )


@every_rule
def test_no_update_leaves_the_device(
    strict_case: Xp, host_fetches: FetchCounter, rule: AdaptiveNorm, rng: Any
) -> None:
    gradients = [strict_case.array(g) for g in rng.standard_normal((5, 3))]
    like = strict_case.array(np.zeros(3))
    host_fetches.reset()
    state = run(rule, gradients, like)
    assert host_fetches.count == 0
    rule.norm(state)
    expected = {"diagonal": 2, "window": 3}.get(rule.kind)
    if expected is not None:
        assert host_fetches.count == expected
        host_fetches.reset()
        rule.norm(state, power=0.5)
        assert host_fetches.count == expected


def test_a_window_never_makes_a_square_matrix() -> None:
    n, m = 200_000, 5
    rule = RMSPropNorm(epsilon=1e-3, kind="window", window=m)
    g = np.random.default_rng(0).standard_normal(n)
    tracemalloc.start()
    try:
        state = rule.init(n)
        for k in range(7):
            state = rule.update(state, np.roll(g, k))
        for power in (1.0, 0.5):
            norm = rule.norm(state, power=power)
            for image in (norm.apply(g), norm.sqrt(g)):
                assert np.all(np.isfinite(image))
            back = norm.solve(norm.apply(g))
            norm.inverse_sqrt(g)
            np.testing.assert_allclose(back, g, atol=1e-8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * 8 * n * m  # n^2 numbers would be 3300 times that


# -------------------------------------------------------------------- size and precision


@every_rule
@pytest.mark.parametrize("exponent", [-500, -333, 333, 500])
def test_powers_of_two_pass_through(rule: AdaptiveNorm, exponent: int, rng: Any) -> None:
    """Gradients times 2^k and epsilon times 4^k: the norm times 2^k. 2^500 is 3e150."""
    gradients = rng.standard_normal((5, 3))
    scaled = dataclasses.replace(rule, epsilon=math.ldexp(rule.epsilon, 2 * exponent))
    s = rng.standard_normal(3)
    size = math.ldexp(1.0, exponent)
    for power in (1.0, 0.5):
        small = rule.norm(run(rule, gradients), power=power)
        large = scaled.norm(run(scaled, size * gradients), power=power)
        expected = small.norm(s) * size**power
        # Where one of them needs scaling the products are in another order.
        assert large.norm(s) == near(expected, rel=50 * EPS)
        assert large.equivalence()[1] == near(small.equivalence()[1] * size**power, rel=50 * EPS)
    constants = np.array(rule.uniform_constants(1.0, 5))
    np.testing.assert_allclose(scaled.uniform_constants(size, 5), constants * size, rtol=10 * EPS)


@every_rule
@pytest.mark.parametrize("exponent", [-55, 55])
def test_single_precision_stays_so_at_its_ends(rule: AdaptiveNorm, exponent: int, rng: Any) -> None:
    """Squares of 2^55 are 1e33; float32 ends at 3e38 and at 1e-38."""
    gradients = rng.standard_normal((5, 3)).astype(np.float32)
    s = rng.standard_normal(3).astype(np.float32)
    size = np.float32(2.0**exponent)
    scaled = dataclasses.replace(rule, epsilon=math.ldexp(rule.epsilon, 2 * exponent))
    for power in (1.0, 0.5):
        small = rule.norm(run(rule, gradients, gradients[0]), power=power)
        large = scaled.norm(run(scaled, size * gradients, gradients[0]), power=power)
        assert large.apply(s).dtype == np.float32
        expected = small.norm(s) * float(size) ** power
        assert large.norm(s) == near(expected, rel=50 * 2.0**-23)


def test_a_long_average_in_float32_does_not_drift(rng: Any) -> None:
    """With beta rounded to float32 the weights would sum to 1 + 1.3e-5 after a while."""
    rule = RMSPropNorm(epsilon=1e-30, beta=0.999)
    state = rule.init(like=np.zeros(20, dtype=np.float32))
    exact = np.zeros(20)
    for g in rng.random((6000, 20), dtype=np.float32):
        state = rule.update(state, g)
        exact = 0.999 * exact + (1 - 0.999) * (g * g)
    found = rule.norm(state).matrix(np.zeros(20, dtype=np.float32)).diagonal()
    np.testing.assert_allclose(found, exact, rtol=4e-6)


def test_an_average_in_float32_never_exceeds_its_terms() -> None:
    """Then Adam's upper constant holds to rounding; with beta rounded it is 2e-4 too small."""
    rule = AdamNorm(epsilon=1e-30, beta2=0.99999)
    like = np.ones(1, dtype=np.float32)
    state = rule.init(like=like)
    for _ in range(15000):
        state = rule.update(state, like)
    assert rule.norm(state).equivalence()[1] == near(1.0, 2e-6)


@given(
    beta=st.sampled_from([1e-300, 1e-9, 0.1, 0.49, 0.5, 0.9, 0.999, 1 - 1e-9]),
    t=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    adam=st.booleans(),
)
def test_each_entry_has_a_small_relative_error(beta: float, t: int, seed: int, adam: bool) -> None:
    """Also where new gradients are much smaller than old ones, and weights close to 0 and 1."""
    gradients = 10.0 ** np.random.default_rng(seed).uniform(-6, 6, (t, 2))
    kind = {"kind": "diagonal", "epsilon": 1e-200}
    rule = AdamNorm(beta2=beta, **kind) if adam else RMSPropNorm(beta=beta, **kind)
    found = rule.norm(run(rule, gradients)).diagonal
    expected = np.diag(floats(closed_form(rule, gradients)))
    np.testing.assert_allclose(found, expected, rtol=60 * EPS)


def test_old_gradients_of_a_window_count_where_their_weight_underflows() -> None:
    """beta^(m-1) = 1e-400, but times the square of the gradient it is 1e-110."""
    rule = RMSPropNorm(epsilon=1e-120, beta=0.01, kind="window", window=201)
    gradients = np.zeros((201, 2))
    gradients[0, 0] = 1e145
    found = rule.norm(run(rule, gradients)).equivalence()
    assert found == near((1e-60, math.sqrt(0.99) * 1e-55), rel=1e-9)


def test_an_epsilon_in_the_rounding_of_a_full_matrix_is_named(xp_case: Xp) -> None:
    tiny = 2.0**-10 * xp_case.eps
    g = xp_case.array([1.0, 3.0, 2.0])
    for power in (1.0, 0.5):
        rule = AdagradNorm(epsilon=tiny, kind="full")
        with pytest.raises(NotPositiveDefiniteError, match=r"epsilon = .* too small beside"):
            rule.norm(run(rule, [g], g), power=power)
    # The eigenvalue epsilon is positive as computed, but no more than rounding.
    rule, first = AdagradNorm(epsilon=tiny, kind="full"), xp_case.array([1.0, 0.0, 0.0])
    with pytest.raises(NotPositiveDefiniteError, match=r"epsilon = .* too small beside"):
        rule.norm(run(rule, [first], first), power=0.5)
    # A window keeps it: its low-rank part has no rounding beside epsilon.
    rule = AdagradNorm(epsilon=tiny, kind="window", window=2)
    lower, _ = rule.norm(run(rule, [g], g)).equivalence()
    assert lower == near(math.sqrt(tiny), rel=4 * xp_case.eps)


# -------------------------------------------------------------------- errors


@every_rule
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e200])
def test_gradients_that_are_not_finite_are_named_when_a_norm_is_made(
    rule: AdaptiveNorm, bad: float
) -> None:
    good = np.array([1.0, -1.0])
    state = run(rule, [good, np.array([bad, 1.0]), good])
    for power in (1.0, 0.5):
        with pytest.raises(NonFiniteError, match="after 3 updates: a gradient g had NaN"):
            rule.norm(state, power=power)
    later = run(rule, [np.array([bad, 1.0]), *[good] * 3])
    if rule.window == 3:
        rule.norm(later)
    else:
        with pytest.raises(NonFiniteError, match="a gradient g"):
            rule.norm(later)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilon": 0.0}, "epsilon must be positive"),
        ({"epsilon": -1.0}, "epsilon must be positive"),
        ({"epsilon": math.inf}, "epsilon must be positive and finite"),
        ({"epsilon": "1"}, "epsilon must be a real number"),
        ({"epsilon": 1.0, "beta": 0.0}, r"beta must lie in \(0, 1\)"),
        ({"epsilon": 1.0, "beta": 1.0}, r"beta must lie in \(0, 1\)"),
        ({"epsilon": 1.0, "beta": math.nan}, r"beta must lie in \(0, 1\)"),
        ({"epsilon": 1.0, "kind": "block"}, "unknown kind 'block'"),
        ({"epsilon": 1.0, "epsilon_rule": "none"}, "unknown epsilon_rule 'none'"),
        ({"epsilon": 1.0, "kind": "window"}, "needs window"),
        ({"epsilon": 1.0, "kind": "window", "window": 0}, "window must be at least 1"),
        ({"epsilon": 1.0, "kind": "window", "window": 2.0}, "window must be an integer"),
        ({"epsilon": 1.0, "kind": "full", "window": 2}, "window is for kind"),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        RMSPropNorm(**arguments)
    if "beta" in arguments:
        with pytest.raises(ArgumentError, match=message.replace("beta", "beta2")):
            AdamNorm(epsilon=1.0, beta2=arguments["beta"])


def test_init_wants_one_length_or_one_vector() -> None:
    rule = RMSPropNorm(epsilon=1e-50)
    state = rule.init(2)
    assert (state.n, state.steps, state.home.dtype) == (2, 0, np.float64)
    assert rule.init(like=np.array([1, 2])).home.dtype == np.float64
    with pytest.raises(ArgumentError, match="either n or like"):
        rule.init()
    with pytest.raises(ArgumentError, match="either n or like"):
        rule.init(2, like=np.zeros(2))
    with pytest.raises(ArgumentError, match="n must be at least 1"):
        rule.init(0)
    with pytest.raises(ShapeError, match="like is empty"):
        rule.init(like=np.zeros(0))
    with pytest.raises(ArrayTypeError, match="like must be a vector"):
        rule.init(like=np.zeros((2, 2)))
    with pytest.raises(ArgumentError, match="epsilon = 1e-50 is zero in the dtype float32"):
        rule.init(like=np.zeros(2, dtype=np.float32))


@every_rule
def test_gradients_that_do_not_fit_are_named(rule: AdaptiveNorm) -> None:
    strict = pytest.importorskip("array_api_strict")
    state = rule.init(3)
    with pytest.raises(ShapeError, match="g has length 2 but the state was made for 3"):
        rule.update(state, np.zeros(2))
    with pytest.raises(ArrayTypeError, match="g must be a vector"):
        rule.update(state, np.zeros((3, 1)))
    with pytest.raises(ArrayTypeError, match="g has dtype float32"):
        rule.update(state, np.zeros(3, dtype=np.float32))
    with pytest.raises(ArrayTypeError, match="g is an array of array_api_strict"):
        rule.update(state, strict.zeros(3))
    with pytest.raises(ArrayTypeError, match="g must be an array"):
        rule.update(state, [0.0, 0.0, 0.0])
    assert rule.update(state, np.array([1, 2, 3])).steps == 1


def test_states_of_other_rules_are_refused() -> None:
    rule, other = RMSPropNorm(epsilon=0.1), RMSPropNorm(epsilon=0.1, kind="full")
    with pytest.raises(ArgumentError, match="state belongs to another rule"):
        rule.update(other.init(2), np.zeros(2))
    with pytest.raises(ArgumentError, match="state belongs to another rule"):
        AdagradNorm(epsilon=0.1).norm(rule.init(2))
    with pytest.raises(ArrayTypeError, match="state must be what init or update returned"):
        rule.norm(np.zeros(2))  # type: ignore[arg-type]


def test_other_arguments_out_of_range_are_named() -> None:
    rule = RMSPropNorm(epsilon=0.1)
    for power in (0.0, 2, math.nan, -0.5):
        with pytest.raises(ArgumentError, match=r"power must be 1 or 0\.5"):
            rule.norm(rule.init(2), power)
        with pytest.raises(ArgumentError, match=r"power must be 1 or 0\.5"):
            rule.uniform_constants(1.0, power=power)
    with pytest.raises(ArgumentError, match="gradient_bound must be positive"):
        rule.uniform_constants(0.0)
    with pytest.raises(ArgumentError, match="steps must be at least 1"):
        rule.uniform_mu(1.0, 0)


def test_init_names_the_library(xp_case: Xp) -> None:
    """By its module, dtype and device: the state that a vector of that kind gives."""
    rule = RMSPropNorm()
    like = xp_case.array([1.0, 2.0, 3.0])
    device = None if xp_case.name.startswith("cupy") else xp_case.device
    named = rule.init(3, xp_case.xp, dtype=like.dtype, device=device)
    assert named.home.dtype == like.dtype
    assert named.home.device == like.device
    assert rule.norm(rule.update(named, like)).norm(like) == pytest.approx(
        rule.norm(rule.update(rule.init(like=like), like)).norm(like), rel=1e-6
    )


def test_init_takes_one_description() -> None:
    with pytest.raises(ArgumentError, match="give no xp"):
        RMSPropNorm().init(like=np.ones(2), dtype=np.float32)
    with pytest.raises(ArgumentError, match="either n or like"):
        RMSPropNorm().init()
    assert RMSPropNorm().init(2, dtype=np.float32).home.dtype == np.float32
