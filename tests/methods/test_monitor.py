"""The equivalence monitor: its constants, and breaks where they are, in every library."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.methods.monitor import EquivalenceMonitor
from tralgos.norms import AdagradNorm, AdamNorm, AdaptiveNorm, RMSPropNorm

KINDS: list[dict[str, Any]] = [
    {"kind": "diagonal"},
    {"kind": "full"},
    {"kind": "window", "window": 2},
    {"kind": "window", "window": 9},
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


def matrix(rule: AdaptiveNorm, gradients: list[np.ndarray]) -> np.ndarray:
    """A_t by equations (2) and (3), summed in NumPy from the parameters alone."""
    t, n = len(gradients), len(gradients[0])
    beta = getattr(rule, "beta", getattr(rule, "beta2", 1.0))
    gain = 1.0 if beta == 1.0 else 1.0 - beta
    kept = list(enumerate(gradients))[-(rule.window or t) :]
    weights = np.array([gain * beta ** (t - 1 - i) for i, _ in kept])
    if isinstance(rule, AdamNorm):
        weights = weights / weights.sum()
    G = np.stack([g for _, g in kept], axis=1)
    A = (G * weights) @ G.T
    A = np.diag(np.diag(A)) if rule.kind == "diagonal" else A
    return A + rule.epsilon * (beta**t if rule.epsilon_rule == "seeded" else 1.0) * np.eye(n)


@st.composite
def streams(draw: Any) -> tuple[AdaptiveNorm, list[np.ndarray]]:
    """A rule of any kind, and gradients for it."""
    kind = draw(st.sampled_from(KINDS))
    seed = draw(st.sampled_from(["added", "seeded"]))
    epsilon = draw(st.sampled_from([1e-6, 0.125, 2.0]))
    rule: AdaptiveNorm = draw(
        st.sampled_from(
            [
                AdagradNorm(epsilon=epsilon, epsilon_rule=seed, **kind),
                RMSPropNorm(epsilon=epsilon, epsilon_rule=seed, beta=0.75, **kind),
                AdamNorm(epsilon=epsilon, epsilon_rule=seed, beta2=0.9, **kind),
            ]
        )
    )
    n = draw(st.integers(1, 4))
    entries = st.lists(st.integers(-16, 16).map(lambda k: k / 4), min_size=n, max_size=n)
    return rule, [np.array(g) for g in draw(st.lists(entries, min_size=1, max_size=6))]


@given(stream=streams(), power=st.sampled_from([1.0, 0.5]))
def test_the_constants_are_the_extreme_eigenvalues_at_every_iterate(
    stream: Any, power: Any
) -> None:
    rule, gradients = stream
    monitor = EquivalenceMonitor(rule, 1e9, power=power)
    for t, g in enumerate(gradients):
        monitor.observe(g, t)
        values = np.linalg.eigvalsh(matrix(rule, gradients[: t + 1]))
        row = monitor.rows[-1]
        assert row.iteration == t
        assert row.upper ** (2 / power) == pytest.approx(values[-1], rel=1e-13)
        assert row.lower ** (2 / power) == pytest.approx(values[0], abs=1e-13 * values[-1])
    assert monitor.smallest_mu == max(row.mu for row in monitor.rows)


@given(
    stream=streams(),
    share=st.sampled_from([0.25, 0.5, 0.9, 1.1]),
    power=st.sampled_from([1.0, 0.5]),
)
def test_a_break_is_the_first_and_its_direction_shows_it(
    stream: Any, share: Any, power: Any
) -> None:
    """||v||_A, with A summed independently, is beyond the limit at the break, and never before."""
    rule, gradients = stream
    loose = EquivalenceMonitor(rule, 1e12, power=power)
    for t, g in enumerate(gradients):
        loose.observe(g, t)
    mu = max(1.0, share * loose.smallest_mu)
    monitor = EquivalenceMonitor(rule, mu, power=power)
    for t, g in enumerate(gradients):
        monitor.observe(g, t)
    out = [r.iteration for r in loose.rows if r.mu > mu * (1 + 1e-9)]
    broken = monitor.broken
    if not out:
        assert broken is None or broken.constant == pytest.approx(broken.limit, rel=1e-8)
        return
    assert broken is not None
    assert broken.iteration == out[0]
    values, vectors = np.linalg.eigh(matrix(rule, gradients[: out[0] + 1]))
    A = (vectors * values**power) @ vectors.T
    v = broken.direction
    assert v is not None
    assert np.linalg.norm(v) == pytest.approx(1.0)
    assert math.sqrt(v @ A @ v) == pytest.approx(broken.constant, rel=1e-6)
    assert broken.coordinate == int(np.argmax(np.abs(v)))
    if broken.side == "upper":
        assert broken.constant > broken.limit == mu
    else:
        assert broken.constant < broken.limit == 1.0 / mu


@every_kind
def test_it_names_the_coordinate_that_grows(kind: dict[str, Any]) -> None:
    monitor = EquivalenceMonitor(AdagradNorm(epsilon=1.0, **kind), 2.5)
    for t in range(1, 8):
        monitor.observe(np.array([0.0, 0.0, 2.0]), t)
    # 1 + 4t > 6.25 from t = 2 on; the window of two gradients has 9 then as well.
    assert monitor.broken is not None
    assert (monitor.broken.iteration, monitor.broken.side) == (2, "upper")
    assert monitor.broken.coordinate == 2
    assert "iteration 2" in monitor.report()
    assert "coordinate 2" in monitor.report()


@every_kind
def test_it_names_the_coordinate_that_decays(kind: dict[str, Any]) -> None:
    """A seed that decays while gradients keep coordinate 0 alive: Lemma 2 fails in the others."""
    rule = RMSPropNorm(epsilon=1.0, beta=0.5, epsilon_rule="seeded", **kind)
    monitor = EquivalenceMonitor(rule, 2.0)
    for t in range(1, 8):
        monitor.observe(np.array([1.0, 0.0]), t)
    # 2^-t < 1/4 from t = 3 on.
    assert monitor.broken is not None
    assert (monitor.broken.iteration, monitor.broken.side) == (3, "lower")
    assert monitor.broken.coordinate == 1
    assert monitor.broken.constant == pytest.approx(2.0**-1.5)


@pytest.mark.parametrize("power", [1.0, 0.5])
@every_kind
def test_nothing_breaks_at_the_rules_own_constant(kind: dict[str, Any], power: float) -> None:
    """mu at its sharp value, attained: beyond it by rounding is no break."""
    for bound in (0.3, 1.7, 3.0, 7.1):
        rule = AdamNorm(epsilon=0.1, beta2=0.7, **kind)
        mu = rule.uniform_mu(bound, power=power)
        for scale in (0.0, bound):
            monitor = EquivalenceMonitor(rule, mu, power=power)
            for t in range(12):
                monitor.observe(scale * np.array([0.0, 1.0]), t)
            assert monitor.broken is None
            assert "throughout" in monitor.report()


def test_small_eigenvalues_of_a_full_matrix_are_known_to_the_rounding_of_the_largest() -> None:
    """lambda_min is 2 and lost beside 2e16; a break would be one of rounding."""
    monitor = EquivalenceMonitor(AdagradNorm(epsilon=1e-20, kind="full"), 1.5e8)
    monitor.observe(np.array([1.0, -1.0]), 1)
    monitor.broken = None  # The first gradient alone does leave a direction out.
    monitor.observe(np.array([1e8, 1e8]), 2)
    assert monitor.broken is None


def test_rounding_below_zero_is_none_of_a_sum_of_squares() -> None:
    """Rank one, with eigenvalues that come out negative: the constant is epsilon's."""
    monitor = EquivalenceMonitor(AdagradNorm(epsilon=1e-6, kind="full"), 1e12)
    for t in range(8):
        monitor.observe(1e8 * np.array([0.3, 0.7, 0.1 * t]), t)
        assert monitor.rows[-1].lower >= 1e-3
    assert monitor.broken is None


@pytest.mark.parametrize(
    "method",
    [tralgos.TrustRegion(), tralgos.CubicRegularization(), None],
    ids=lambda m: type(m).__name__,
)
def test_it_is_a_callback_of_any_method(method: Any) -> None:
    """Every gradient of the callback is seen, the run is as without, and the state is theirs."""
    rule = RMSPropNorm(epsilon=1e-2, kind="full")
    monitor = EquivalenceMonitor(rule, 5.0)
    seen: list[np.ndarray] = []

    def both(result: Any) -> None:
        seen.append(result.jac.copy())
        monitor(result)

    problem = tralgos.problems.Rosenbrock(3)
    run = tralgos.minimize(problem, method=method, maxiter=12, callback=both)
    alone = tralgos.minimize(problem, method=method, maxiter=12)
    assert np.array_equal(run.x, alone.x)
    assert [row.iteration for row in monitor.rows] == list(range(1, run.nit + 1))
    values = np.linalg.eigvalsh(matrix(rule, seen))
    assert monitor.rows[-1].upper == pytest.approx(math.sqrt(values[-1]))
    assert monitor.state is not None
    assert rule.norm(monitor.state).equivalence()[1] == pytest.approx(math.sqrt(values[-1]))


@every_kind
def test_every_library(xp_case: Xp, kind: dict[str, Any], rng: Any) -> None:
    gradients = [xp_case.numpy(xp_case.array(g)) for g in rng.standard_normal((5, 4))]
    for mu, epsilon, side in ((1.01, 1.0, "upper"), (1.9, 0.25, "lower")):
        rule = RMSPropNorm(epsilon=epsilon, beta=0.5, **kind)
        monitor = EquivalenceMonitor(rule, mu)
        for t, g in enumerate(gradients):
            monitor.observe(xp_case.array(g if side == "upper" else 0.01 * g), t)
        scaled = [g if side == "upper" else 0.01 * g for g in gradients]
        A = matrix(rule, scaled)
        values = np.linalg.eigvalsh(A)
        assert monitor.rows[-1].upper == pytest.approx(math.sqrt(values[-1]), rel=50 * xp_case.eps)
        assert type(monitor.rows[-1].lower) is float
        assert monitor.broken is not None
        assert monitor.broken.side == side
        assert xp_case.owns(monitor.broken.direction)
        v = xp_case.numpy(monitor.broken.direction)
        first = matrix(rule, scaled[: monitor.broken.iteration + 1])
        assert math.sqrt(v @ first @ v) == pytest.approx(monitor.broken.constant, rel=1e-4)


@every_kind
def test_host_transfers(strict_case: Xp, host_fetches: FetchCounter, kind: dict[str, Any]) -> None:
    """One for the extremes (two where A has to be looked at first), one more at the break."""
    monitor = EquivalenceMonitor(RMSPropNorm(epsilon=0.25, **kind), 3.0)
    g = strict_case.array([1.0, 2.0, 0.0])
    each = 1 if kind["kind"] == "diagonal" else 2
    host_fetches.reset()
    monitor.observe(g, 1)
    assert host_fetches.count == each
    host_fetches.reset()
    monitor.observe(100.0 * g, 2)
    assert host_fetches.count == each + 1
    assert monitor.broken is not None


@every_kind
@pytest.mark.parametrize("exponent", [-140, 140])
def test_extreme_scales(kind: dict[str, Any], exponent: int) -> None:
    """Scaling gradients by c and epsilon by c^2 scales the constants by c."""
    c = 2.0**exponent
    g = [np.array([1.0, 2.0, -1.0]), np.array([0.0, 3.0, 1.0])]
    one = EquivalenceMonitor(AdagradNorm(epsilon=0.5, **kind), 1e90)
    other = EquivalenceMonitor(AdagradNorm(epsilon=0.5 * c * c, **kind), 1e90)
    for t in range(2):
        one.observe(g[t], t)
        other.observe(c * g[t], t)
    assert other.rows[1].upper == pytest.approx(c * one.rows[1].upper, rel=1e-12)
    assert other.rows[1].lower == pytest.approx(c * one.rows[1].lower, rel=1e-12)


@every_kind
@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e200])
def test_a_gradient_that_is_not_finite_is_a_break_without_a_direction(
    kind: dict[str, Any], bad: float
) -> None:
    """The run goes on: what a monitor raised would end it."""
    monitor = EquivalenceMonitor(AdagradNorm(epsilon=1.0, **kind), 10.0)
    monitor.observe(np.array([1.0, 1.0]), 1)
    monitor.observe(np.array([1.0, bad]), 2)
    assert monitor.broken is not None
    assert monitor.broken.iteration == 2
    assert monitor.broken.direction is None
    assert monitor.smallest_mu == math.inf
    assert "not finite" in monitor.report()


def test_single_precision_does_not_lose_epsilon_in_a_full_matrix() -> None:
    """The norm itself is singular there in float32, but its lower constant is known."""
    rule = AdagradNorm(epsilon=1e-8, kind="full")
    monitor = EquivalenceMonitor(rule, 1e5)
    monitor.observe(np.array([100.0, 0.0], dtype=np.float32), 1)
    assert monitor.rows[0].lower == pytest.approx(1e-4)
    assert monitor.broken is None


def test_no_gradient_no_statement() -> None:
    monitor = EquivalenceMonitor(AdagradNorm(epsilon=1.0), 10.0)
    assert monitor.smallest_mu == 1.0
    assert "no gradient" in monitor.report()


@pytest.mark.parametrize("mu", [0.5, 0.0, -1.0, math.inf, math.nan, "2", True])
def test_mu_out_of_range_is_named(mu: Any) -> None:
    with pytest.raises(ArgumentError, match="mu"):
        EquivalenceMonitor(AdagradNorm(epsilon=1.0), mu)


def test_other_bad_input_is_named() -> None:
    with pytest.raises(ArrayTypeError, match="rule"):
        EquivalenceMonitor("adagrad", 2.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="power"):
        EquivalenceMonitor(AdagradNorm(epsilon=1.0), 2.0, power=0.25)
    monitor = EquivalenceMonitor(AdagradNorm(epsilon=1.0), 2.0)
    with pytest.raises(ArgumentError, match="jac"):
        monitor(object())
    with pytest.raises(ArgumentError, match="iteration"):
        monitor.observe(np.ones(2), 0.5)  # type: ignore[arg-type]
    monitor.observe(np.ones(2), 0)
    with pytest.raises(ShapeError, match="length"):
        monitor.observe(np.ones(3), 1)
    with pytest.raises(ArrayTypeError):
        monitor.observe([1.0, 2.0], 1)
    assert len(monitor.rows) == 1
