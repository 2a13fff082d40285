"""First-order methods: their recursions, their implicit regions, and how they end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.arrays import namespace
from tralgos.errors import ArgumentError
from tralgos.methods import (
    Adagrad,
    Adam,
    Ending,
    GradientDescent,
    HeavyBall,
    ImplicitRegion,
    Nesterov,
    PowerDecay,
    RMSProp,
    minimize,
)
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.first_order import FirstOrder, FirstOrderState
from tralgos.problems import FunctionProblem, LeastSquares, Problem

RNG = np.random.default_rng(0)
SPECTRUM = np.array([0.5, 1.0, 3.0, 10.0])
START = np.array([1.0, -2.0, 0.5, 3.0])

#: One of each, and of each kind of norm, with no argument that is not needed.
METHODS: list[FirstOrder] = [
    GradientDescent(),
    GradientDescent(rate=0.05),
    HeavyBall(),
    Nesterov(),
    Adagrad(),
    RMSProp(),
    Adam(),
    Adagrad(kind="full"),
    RMSProp(kind="full"),
    Adam(kind="full"),
    Adagrad(kind="window", window=3),
    RMSProp(kind="window", window=3),
    Adam(kind="window", window=3, epsilon=1.0),
]
FIXED = [m for m in METHODS if m.rate != "backtracking"]


def label(method: FirstOrder) -> str:
    return f"{type(method).__name__}-{getattr(method, 'kind', method.rate)}"


every_method = pytest.mark.parametrize("method", METHODS, ids=label)
every_fixed = pytest.mark.parametrize("method", FIXED, ids=label)


def diagonal_quadratic(spectrum: Any, scale: float = 1.0) -> Problem:
    """scale (1 + sum_i spectrum_i x_i^2 / 2), for the library of `spectrum`."""

    def value(x: Any) -> Any:
        return scale * (1.0 + 0.5 * namespace(x).vecdot(x, spectrum * x))

    return FunctionProblem(value, lambda x: scale * (spectrum * x))


def wavy() -> Problem:
    """A function that is no quadratic, with a Hessian that is not diagonal."""

    def value(x: np.ndarray) -> float:
        return float(np.sum(np.sin(x)) + 0.5 * np.sum(x) ** 2 + 0.1 * np.sum(x**4))

    def gradient(x: np.ndarray) -> np.ndarray:
        return np.cos(x) + np.sum(x) + 0.4 * x**3

    return FunctionProblem(value, gradient)


def states(
    method: FirstOrder, problem: Problem, x0: Any, count: int, rng: np.random.Generator = RNG
) -> list[FirstOrderState]:
    """The start and `count` steps, without the driver."""
    evaluator = Evaluator(problem)
    found = [method.init(evaluator, x0, rng)]
    for _ in range(count):
        found.append(method.step(evaluator, found[-1], rng))
    return found


def points(method: FirstOrder, problem: Problem, x0: Any, count: int) -> np.ndarray:
    return np.stack([s.x for s in states(method, problem, x0, count)])


def close(x: Any, y: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(np.asarray(x, dtype=float), np.asarray(y, dtype=float), rtol=rtol)


# ------------------------------------------------------------------ closed forms


@given(rate=st.floats(1e-3, 0.3), k=st.integers(1, 40))
def test_gradient_descent_contracts_each_component(rate: float, k: int) -> None:
    """x_k = (1 - rate lambda)^k x_0 component by component, in 60 digits."""
    found = points(GradientDescent(rate=rate), diagonal_quadratic(SPECTRUM), START, k)[-1]
    with mpmath.workdps(60):
        factor = [1 - mpmath.mpf(rate) * mpmath.mpf(v) for v in SPECTRUM.tolist()]
        exact = [float(f**k * x) for f, x in zip(factor, START.tolist(), strict=True)]
    # An error of eps in 1 - rate lambda comes from terms of size 1 + rate lambda.
    for i, e in enumerate(exact):
        f = abs(float(factor[i]))
        bound = 8 * k * 2.0**-52 * (1 + rate * SPECTRUM[i]) * f ** (k - 1) * abs(START[i])
        assert abs(found[i] - e) <= bound + 1e-300


def _companion(rate: float, value: float, momentum: float, kind: str) -> Any:
    """One step of (x_k, x_{k-1}) on value x^2 / 2."""
    a, b, m = mpmath.mpf(rate), mpmath.mpf(value), mpmath.mpf(momentum)
    if kind == "heavy":
        return mpmath.matrix([[1 + m - a * b, -m], [1, 0]])
    # y_{k+1} = (1 + m) (1 - a b) y_k - m (1 - a b) y_{k-1}
    shrink = 1 - a * b
    return mpmath.matrix([[(1 + m) * shrink, -m * shrink], [1, 0]])


@pytest.mark.parametrize(("kind", "method"), [("heavy", HeavyBall), ("nesterov", Nesterov)])
@given(rate=st.floats(1e-3, 0.1), momentum=st.floats(0.0, 0.95), k=st.integers(1, 30))
def test_momentum_follows_its_two_term_recursion(
    kind: str, method: Any, rate: float, momentum: float, k: int
) -> None:
    """The power of the companion matrix, started at x_{-1} with the first step of theirs."""
    rule = method(rate=rate, momentum=momentum)
    found = points(rule, diagonal_quadratic(SPECTRUM), START, k)[-1]
    with mpmath.workdps(60):
        for i, value in enumerate(SPECTRUM.tolist()):
            a, b, m = mpmath.mpf(rate), mpmath.mpf(value), mpmath.mpf(momentum)
            # Heavy ball begins with a step of gradient descent, Nesterov with z_1 = y_1.
            first = 1 - a * b if kind == "heavy" else 1 - (1 + m) * a * b
            pair = mpmath.matrix([first, 1])
            power = _companion(rate, value, momentum, kind) ** (k - 1)
            exact = float((power * pair)[0] * mpmath.mpf(START[i]))
            assert abs(found[i] - exact) <= 1e-11 * abs(START[i])


def test_nesterov_is_the_usual_pair_of_sequences() -> None:
    """y_{k+1} = z_{k+1} + momentum (z_{k+1} - z_k) on a function that is no quadratic."""
    problem, rate, momentum = wavy(), 0.02, 0.8
    y = z = START
    for found in points(Nesterov(rate=rate, momentum=momentum), problem, START, 20)[1:]:
        fresh = y - rate * problem.gradient(y)
        y, z = fresh + momentum * (fresh - z), fresh
        close(found, y, 1e-11)


def test_without_momentum_all_is_gradient_descent() -> None:
    plain = points(GradientDescent(rate=0.01), wavy(), START, 5)
    for method in (HeavyBall(rate=0.01, momentum=0.0), Nesterov(rate=0.01, momentum=0)):
        close(points(method, wavy(), START, 5), plain)


# ------------------------------------------------------------------ adaptive methods


def _weights(method: FirstOrder, t: int) -> np.ndarray:
    """Those of g_1, ..., g_t in A_t, written from the formulas."""
    age = np.arange(t - 1, -1, -1.0)
    if isinstance(method, Adagrad):
        return np.ones(t)
    if isinstance(method, RMSProp):
        return (1 - method.beta) * method.beta**age
    assert isinstance(method, Adam)
    raw = (1 - method.beta2) * method.beta2**age
    return raw / raw.sum()


def _reference_path(method: Any, problem: Problem, x0: np.ndarray, count: int) -> np.ndarray:
    """x_{t+1} = x_t - rate A_t^{-1/2} d_t from all past gradients at every step."""
    x, gradients, path = x0, [], [x0]
    for t in range(1, count + 1):
        gradients.append(problem.gradient(x))
        G = np.stack(gradients, axis=1)
        weights = _weights(method, t)
        if method.kind == "window":
            G, weights = G[:, -method.window :], weights[-method.window :]
            if isinstance(method, Adam):
                weights = weights / weights.sum()
        d = gradients[-1]
        if isinstance(method, Adam):
            first = (1 - method.beta1) * method.beta1 ** np.arange(t - 1, -1, -1.0)
            d = np.stack(gradients, axis=1) @ first / (1 - method.beta1**t)
        if method.kind == "diagonal":
            x = x - method.rate * d / np.sqrt(G**2 @ weights + method.epsilon)
        else:
            values, vectors = np.linalg.eigh((G * weights) @ G.T + method.epsilon * np.eye(len(x)))
            x = x - method.rate * (vectors @ ((vectors.T @ d) / np.sqrt(values)))
        path.append(x)
    return np.stack(path)


@pytest.mark.parametrize("kind", ["diagonal", "full", "window"])
@pytest.mark.parametrize(
    "method",
    [
        Adagrad(rate=0.3),
        RMSProp(rate=0.05, beta=0.7),
        Adam(rate=0.05, beta1=0.6, beta2=0.8),
        Adam(rate=0.05, beta1=0.0, beta2=0.5),
    ],
    ids=["adagrad", "rmsprop", "adam", "adam-without-momentum"],
)
def test_adaptive_methods_follow_their_formulas(method: Any, kind: Any) -> None:
    """Equations (2) and (3) in plain NumPy, with every past gradient kept."""
    window = 3 if kind == "window" else None
    rule = replace(method, kind=kind, window=window, epsilon=1e-3)
    close(points(rule, wavy(), START, 15), _reference_path(rule, wavy(), START, 15), 1e-9)


def _torch_path(build: Callable[[Any, Any], Any], count: int, decay: bool) -> np.ndarray:
    torch = pytest.importorskip("torch")
    spectrum = torch.tensor(SPECTRUM)
    x = torch.tensor(START, requires_grad=True)
    optimiser = build(torch.optim, [x])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1.0 / math.sqrt(k + 1))
    path = [START]
    for _ in range(count):
        optimiser.zero_grad()
        (0.5 * (x * spectrum * x).sum()).backward()
        optimiser.step()
        if decay:
            schedule.step()
        path.append(x.detach().numpy().copy())
    return np.stack(path)


TINY = 1e-30
TORCH: list[tuple[FirstOrder, Callable[[Any, Any], Any]]] = [
    (GradientDescent(rate=0.03), lambda o, p: o.SGD(p, lr=0.03)),
    (HeavyBall(rate=0.03, momentum=0.8), lambda o, p: o.SGD(p, lr=0.03, momentum=0.8)),
    (Nesterov(rate=0.03), lambda o, p: o.SGD(p, lr=0.03, momentum=0.9, nesterov=True)),
    (Adagrad(epsilon=TINY**2), lambda o, p: o.Adagrad(p, lr=0.01, eps=TINY)),
    (RMSProp(epsilon=TINY**2), lambda o, p: o.RMSprop(p, lr=0.01, alpha=0.9, eps=TINY)),
    (Adam(epsilon=TINY**2), lambda o, p: o.Adam(p, lr=0.001, eps=TINY)),
]


@pytest.mark.parametrize("decay", [False, True])
@pytest.mark.parametrize(("method", "build"), TORCH, ids=[label(m) for m, _ in TORCH])
def test_torch_optim_takes_the_same_steps(method: Any, build: Any, decay: bool) -> None:
    """Where epsilon does not matter the definitions coincide, schedules included."""
    rule = replace(method, rate=PowerDecay(method.rate)) if decay else method
    found = points(rule, diagonal_quadratic(SPECTRUM), START, 25)
    np.testing.assert_allclose(found, _torch_path(build, 25, decay), rtol=0.0, atol=1e-12)


def test_epsilon_stands_under_the_root() -> None:
    """At v = epsilon the step is g / sqrt(2 v), where eps outside would make it g / (2 sqrt v)."""
    problem = FunctionProblem(lambda x: 3.0 * float(x[0]), lambda x: 0.0 * x + 3.0)
    x = points(Adagrad(rate=1.0, epsilon=9.0), problem, np.zeros(1), 1)[-1]
    assert x[0] == pytest.approx(-3.0 / math.sqrt(18.0), rel=1e-14)


def test_what_left_the_window_of_adam_is_divided_by_epsilon_alone() -> None:
    """Gradients e_1, e_2 with window 1: m has a share of e_1 that A knows nothing of."""

    def gradient(x: np.ndarray) -> np.ndarray:
        return np.array([1.0, 0.0] if x[0] == 0.0 else [0.0, 1.0])

    problem = FunctionProblem(lambda x: 1.0, gradient)
    method = Adam(rate=1.0, beta1=0.5, epsilon=1e-6, kind="window", window=1)
    step = np.diff(points(method, problem, np.zeros(2), 2), axis=0)[-1]
    # m_2 = (1/4, 1/2), over 1 - 1/4.
    close(step, [-(1 / 3) / 1e-3, -(2 / 3) / math.sqrt(1.0 + 1e-6)])


# ------------------------------------------------------------------ Lemma 1


@st.composite
def visited(draw: st.DrawFn) -> tuple[FirstOrder, FirstOrderState, Evaluator]:
    """A method in the middle of a run."""
    method = draw(st.sampled_from(METHODS))
    n, seed = draw(st.integers(1, 5)), draw(st.integers(0, 2**31))
    rng = np.random.default_rng(seed)
    x0 = rng.standard_normal(n)
    found = states(method, wavy(), x0, draw(st.integers(0, 6)))
    return method, found[-1], Evaluator(wavy())


@given(case=visited(), seed=st.integers(0, 2**31))
def test_the_next_step_minimises_a_linear_model_over_its_ellipsoid(
    case: tuple[FirstOrder, FirstOrderState, Evaluator], seed: int
) -> None:
    """Lemma 1: no point of ||s||_A <= radius has a lower d's, whose minimum is -radius ||d||."""
    method, state, _ = case
    region = method.implicit_region(state)
    assert isinstance(region, ImplicitRegion)
    s, d = region.minimiser(), region.direction
    least = -region.radius * region.norm.dual_norm(d)
    assert region.norm.norm(s) == pytest.approx(region.radius, rel=1e-7)
    assert float(d @ s) == pytest.approx(least, rel=1e-7)
    rng = np.random.default_rng(seed)
    for spread in (1e-6, 1e-2, 10.0):
        other = s + spread * float(np.max(np.abs(s))) * rng.standard_normal(len(s))
        # Back onto the boundary, where the minimum is.
        other = other * (region.radius / region.norm.norm(other))
        assert float(d @ other) >= least - 1e-7 * abs(least)


@given(case=visited())
def test_the_step_is_the_one_of_the_region(
    case: tuple[FirstOrder, FirstOrderState, Evaluator],
) -> None:
    """s = -radius A^{-1}d / ||d||_{A^{-1}} is what the next step does, and its record says so."""
    method, state, evaluator = case
    # A gradient that is rounding leads backtracking to no step.
    assume(state.gradient_norm > 1e-12)
    region = method.implicit_region(state)
    following = method.step(evaluator, state, RNG)
    first, last = following.records[0], following.records[-1]
    assert first.radius == pytest.approx(region.radius, rel=1e-7)
    assert last.accepted
    assert last.step_norm == pytest.approx(last.radius, rel=1e-7)
    taken = (last.radius / first.radius) * region.minimiser()
    size = float(np.max(np.abs(state.x)))
    np.testing.assert_allclose(
        following.x, state.x + taken, rtol=0, atol=1e-7 * np.max(np.abs(taken)) + 1e-15 * size
    )


@pytest.mark.parametrize("method", [Adam(kind="full"), RMSProp(), Nesterov()], ids=label)
def test_the_region_is_by_the_norm_of_the_formulas(method: Any) -> None:
    """The matrix of the region's norm is A^{1/2}, and its radius rate ||d||_{A^{-1/2}}."""
    found = states(method, wavy(), START, 4)
    gradients = [s.gradient for s in found]
    region = method.implicit_region(found[-1])
    M = region.norm.matrix(START)
    expected = np.eye(4)
    if not isinstance(method, Nesterov):
        weights = _weights(method, 5)
        A = sum(w * np.outer(g, g) for w, g in zip(weights, gradients, strict=True))
        A = A + method.epsilon * np.eye(4)
        expected = A if method.kind == "full" else np.diag(np.diag(A))
    np.testing.assert_allclose(M @ M, expected, rtol=1e-10, atol=1e-10 * np.max(expected))
    d = region.direction
    assert region.radius == pytest.approx(method.rate * math.sqrt(d @ np.linalg.solve(M, d)))


@pytest.mark.parametrize(
    "method", [HeavyBall(rate=0.1), Nesterov(rate=0.3), Adam(rate=2.0)], ids=label
)
def test_with_momentum_the_model_is_not_that_of_the_gradient(method: FirstOrder) -> None:
    """On x^2/2 from 1 a step that has passed the minimum goes on: it is one of ascent."""
    problem = diagonal_quadratic(np.ones(1))
    for state in states(method, problem, np.ones(1), 30):
        region = method.implicit_region(state)
        if float(state.gradient @ region.minimiser()) > 0.0:
            assert float(region.direction @ region.minimiser()) < 0.0
            return
    raise AssertionError("no step of ascent was met")


def test_a_zero_gradient_has_a_region_of_one_point() -> None:
    for method in METHODS:
        found = states(method, diagonal_quadratic(SPECTRUM), np.zeros(4), 0)[0]
        region = method.implicit_region(found)
        assert region.radius == 0.0
        assert np.all(region.minimiser() == 0.0)
        # The driver would have ended here: a step must still do no harm.
        following = method.step(Evaluator(diagonal_quadratic(SPECTRUM)), found, RNG)
        assert np.all(following.x == 0.0)


# ------------------------------------------------------------------ states, samples, rates


@every_method
def test_steps_are_pure(method: FirstOrder) -> None:
    """The same state gives the same next state, and is itself as it was."""
    evaluator = Evaluator(wavy())
    state = states(method, wavy(), START, 3)[-1]
    kept = {k: np.array(v) for k, v in vars(state).items() if isinstance(v, np.ndarray)}
    one = method.step(evaluator, state, RNG)
    method.step(evaluator, one, RNG)
    method.implicit_region(one)
    two = method.step(evaluator, state, RNG)
    assert np.array_equal(one.x, two.x)
    assert one.records == two.records
    for name, value in kept.items():
        assert np.array_equal(getattr(state, name), value), name
    assert one.steps == state.steps + 1


def _data() -> LeastSquares:
    rng = np.random.default_rng(3)
    return LeastSquares(rng.standard_normal((40, 3)), rng.standard_normal(40))


@every_fixed
def test_samples_repeat_with_their_seed(method: FirstOrder) -> None:
    """The same seed gives the same trace to the last bit, another seed another."""
    rule, problem, x0 = replace(method, batch=5), _data(), np.ones(3)
    assert rule.stochastic
    assert not method.stochastic
    one, two, other = (minimize(problem, x0, rule, maxiter=12, rng=seed) for seed in (1, 1, 2))
    assert one.trace == two.trace
    assert np.array_equal(one.x, two.x)
    assert not np.array_equal(one.x, other.x)
    assert one.fun == problem.value(one.x)


@every_fixed
def test_a_batch_of_all_terms_is_the_whole_function(method: FirstOrder) -> None:
    whole = points(method, _data(), np.ones(3), 6)
    close(points(replace(method, batch=40), _data(), np.ones(3), 6), whole, 1e-7)


def test_each_state_has_a_sample_of_its_own() -> None:
    """The step from a state uses the sample of that state, not a new one."""
    method = GradientDescent(rate=0.1, batch=4)
    start = states(method, _data(), np.ones(3), 0)[0]
    close(start.x - 0.1 * start.gradient, method.step(Evaluator(_data()), start, RNG).x)
    again = method.step(Evaluator(_data()), start, RNG)
    assert again.value != method.step(Evaluator(_data()), start, RNG).value


def test_schedules_count_from_one() -> None:
    seen: list[int] = []

    def schedule(k: int) -> float:
        seen.append(k)
        return 0.1 / k

    found = points(GradientDescent(rate=schedule), diagonal_quadratic(SPECTRUM), START, 3)
    assert seen == [1, 2, 3]
    factors = np.prod([1 - 0.1 / k * SPECTRUM for k in (1, 2, 3)], axis=0)
    np.testing.assert_allclose(found[-1], factors * START, rtol=1e-12, atol=1e-15)


def test_power_decay() -> None:
    assert [PowerDecay(2.0, 1.0)(k) for k in (1, 2, 4)] == [2.0, 1.0, 0.5]
    assert PowerDecay(1.0)(9) == pytest.approx(1 / 3)
    for bad in (lambda: PowerDecay(0.0), lambda: PowerDecay(1.0, 0.0), lambda: PowerDecay(1.0, 2)):
        with pytest.raises(ArgumentError, match=r"rate|power"):
            bad()


# ------------------------------------------------------------------ endings


@every_method
def test_every_method_works_without_arguments(method: FirstOrder) -> None:
    run = minimize(wavy(), START, method, maxiter=200)
    assert run.fun < wavy().value(START)
    assert run.ending in (Ending.MAX_ITERATIONS, Ending.FIRST_ORDER)


@pytest.mark.parametrize(
    "method",
    [
        GradientDescent(),
        GradientDescent(rate=0.1),
        HeavyBall(rate=0.05),
        Nesterov(rate=0.05),
        Adagrad(rate=1.0),
        RMSProp(rate=PowerDecay(0.5, 1.0)),
        Adam(rate=0.1),
    ],
    ids=label,
)
def test_minima_are_found(method: FirstOrder) -> None:
    run = minimize(diagonal_quadratic(SPECTRUM), START, method, gtol=1e-6, maxiter=3000)
    assert run.ending is Ending.FIRST_ORDER
    assert run.gradient_norm <= 1e-6
    assert run.nfev == run.njev == run.nit + 1 or isinstance(method, GradientDescent)


def _cliff(edge: float) -> Problem:
    """1 + x, which is NaN below an edge."""

    def value(x: np.ndarray) -> float:
        return 1.0 + float(x[0]) if x[0] > edge else math.nan

    return FunctionProblem(value, lambda x: np.ones_like(x))


@every_fixed
def test_a_step_into_nan_ends_the_run_where_it_was(method: FirstOrder) -> None:
    """Nothing can be rejected: the state stays finite, and the records tell of the step."""
    rule = replace(method, rate=0.4)
    run = minimize(_cliff(-1.0), np.zeros(1), rule)
    assert run.ending is Ending.NON_FINITE
    assert not run.success
    assert -1.0 < run.x[0] <= 0.0
    assert math.isfinite(run.fun)
    assert np.all(np.isfinite(run.jac))
    assert [row.accepted for row in run.trace][-1] is False
    assert run.trace[-1].step_norm == pytest.approx(run.trace[-1].radius)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_ends_the_run(bad: float) -> None:
    problem = FunctionProblem(
        lambda x: 1.0 + float(x[0]), lambda x: np.ones_like(x) * (1.0 if x[0] > -0.5 else bad)
    )
    run = minimize(problem, np.zeros(1), GradientDescent(rate=0.2))
    assert run.ending is Ending.NON_FINITE
    assert run.nit == 3
    # Backtracking rejects such points, and ends before them.
    run = minimize(problem, np.zeros(1), GradientDescent())
    assert run.ending is Ending.NO_DECREASE
    assert run.x[0] == pytest.approx(-0.5, abs=1e-15)


def test_minus_infinity_is_no_bottom() -> None:
    problem = FunctionProblem(
        lambda x: 1.0 + float(x[0]) if x[0] > -0.5 else -math.inf, lambda x: np.ones_like(x)
    )
    run = minimize(problem, np.zeros(1), GradientDescent(rate=0.2))
    assert run.ending is Ending.UNBOUNDED
    assert math.isfinite(run.fun)


@pytest.mark.parametrize("method", [Adagrad(), RMSProp(), Adam(kind="full")], ids=label)
def test_squares_that_overflow_end_the_run(method: FirstOrder) -> None:
    """A finite gradient of size 1e200 has no finite A: the state says so, without a warning."""
    problem = diagonal_quadratic(SPECTRUM, 1e200)
    state = states(method, problem, START, 1)[-1]
    assert state.ending is Ending.NON_FINITE
    assert np.array_equal(state.x, START)


def test_a_rate_too_large_diverges_by_name() -> None:
    """Growth by 1 - rate lambda = -9 a step overflows: the best point is returned."""
    run = minimize(diagonal_quadratic(np.ones(2)), np.ones(2), GradientDescent(rate=10.0))
    assert run.ending is Ending.NON_FINITE
    assert np.array_equal(run.x, np.ones(2))


# ------------------------------------------------------------------ backtracking


def test_backtracking_decreases_f_by_a_share_of_what_the_gradient_promises() -> None:
    found = states(GradientDescent(), wavy(), START, 30)
    for before, after in itertools.pairwise(found):
        taken = after.records[-1]
        assert taken.accepted
        assert not any(r.accepted for r in after.records[:-1])
        level = 20 * 2.0**-52 * abs(before.value)
        assert before.value - after.value >= 0.1 * taken.radius * before.gradient_norm - level
        radii = [r.radius for r in after.records]
        assert all(0.1 * a <= b <= 0.5 * a for a, b in itertools.pairwise(radii))


def test_the_rate_grows_after_a_trial_that_was_taken_at_once() -> None:
    found = states(GradientDescent(), wavy(), START, 30)
    seen = set()
    for k in range(1, 30):
        last = found[k].records[-1]
        old = last.radius / found[k - 1].gradient_norm
        first = found[k + 1].records[0].radius / found[k].gradient_norm
        at_once = len(found[k].records) == 1
        expected = (10.0 if last.ratio >= 0.9 else 2.0) if at_once else 1.0
        assert first / old == pytest.approx(expected, rel=1e-12)
        seen.add(expected)
    assert {1.0, 2.0} <= seen


@pytest.mark.parametrize("power", [-332, -300, 300, 332])
def test_backtracking_does_not_see_the_scale_of_f(power: int) -> None:
    """f times 2^332 = 9e99 or its inverse: the same iterates to the last bit."""
    plain = points(GradientDescent(), diagonal_quadratic(SPECTRUM), START, 25)
    scaled = points(GradientDescent(), diagonal_quadratic(SPECTRUM, 2.0**power), START, 25)
    assert np.array_equal(plain, scaled)


@pytest.mark.parametrize("scale", [1e-100, 1e100, 1e-150, 1e150])
def test_backtracking_finds_minima_at_any_scale_of_f(scale: float) -> None:
    problem = diagonal_quadratic(SPECTRUM, scale)
    run = minimize(problem, START, GradientDescent(), gtol=1e-6 * scale, maxiter=500)
    assert run.ending is Ending.FIRST_ORDER
    assert np.max(np.abs(run.x)) <= 2e-6


@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1e75, 1e150])
def test_backtracking_finds_minima_at_any_scale_of_x(scale: float) -> None:
    problem = diagonal_quadratic(SPECTRUM / scale / scale)
    run = minimize(problem, scale * START, GradientDescent(), gtol=1e-6 / scale, maxiter=500)
    assert run.ending is Ending.FIRST_ORDER
    assert np.max(np.abs(run.x)) <= 2e-6 * scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_backtracking_ends_at_rounding(dtype: Any) -> None:
    """With gtol = 0 the gradients are followed below the rounding of f, then the run ends."""
    spectrum, shift = SPECTRUM.astype(dtype), np.asarray([0.1, 0.7, -0.3, 1.1], dtype=dtype)

    def value(x: np.ndarray) -> Any:
        return 1.0 + 0.5 * np.vecdot(x - shift, spectrum * (x - shift))

    problem = FunctionProblem(value, lambda x: spectrum * (x - shift) + shift * dtype(0))
    run = minimize(problem, START.astype(dtype), GradientDescent(), gtol=0.0)
    assert run.ending in (Ending.ROUNDING, Ending.FIRST_ORDER)
    assert run.gradient_norm <= 1e3 * float(np.finfo(dtype).eps)
    assert run.x.dtype == dtype


def test_a_wall_all_around_is_no_decrease() -> None:
    """Every trial is NaN: they are rejections, and the start is returned."""
    start = np.array([1.0, 2.0])
    problem = FunctionProblem(
        lambda x: 5.0 if np.array_equal(x, start) else math.nan, lambda x: np.ones_like(x)
    )
    run = minimize(problem, start, GradientDescent())
    assert run.ending is Ending.NO_DECREASE
    assert np.array_equal(run.x, start)
    assert not any(row.accepted for row in run.trace[1:])
    assert all(math.isnan(row.ratio) for row in run.trace[1:])


def test_a_rise_that_is_seen_is_rejected_where_the_decrease_is_not() -> None:
    """Gradients promise 1e-13 across a step of f from 1 to 2: they are not believed."""
    problem = FunctionProblem(lambda x: 1.0 if x[0] > 0.5 else 2.0, lambda x: 1e-13 * x)
    run = minimize(problem, np.ones(1), GradientDescent(), gtol=0.0, maxiter=50)
    assert run.fun == 1.0
    assert run.trace.column("value").max() == 1.0


def test_a_rate_that_has_collapsed_recovers() -> None:
    """A first trial too short to change x is no reason to end."""
    start = states(GradientDescent(), wavy(), START, 0)[0]
    following = GradientDescent().step(Evaluator(wavy()), replace(start, radius=1e-30), RNG)
    assert following.ending is None
    assert following.value < start.value - 1.0


def test_a_gradient_of_the_wrong_sign_ends_the_run() -> None:
    problem = FunctionProblem(lambda x: 1.0 + float(x @ x), lambda x: -2.0 * x)
    run = minimize(problem, np.ones(2), GradientDescent(), maxiter=1000)
    assert run.ending in (Ending.NO_DECREASE, Ending.ROUNDING)
    assert run.fun <= 3.0 * (1 + 1e-12)


# ------------------------------------------------------------------ arrays


@every_method
def test_array_libraries(method: FirstOrder, xp_case: Xp) -> None:
    """Outputs live where the start does, in its dtype, and agree with NumPy's float64."""
    problem = diagonal_quadratic(xp_case.array(SPECTRUM))
    # In float32 the default epsilon is lost in a full matrix of gradients of this size.
    if getattr(method, "kind", "") == "full":
        method = replace(method, epsilon=0.1)
    found = states(method, problem, xp_case.array(START), 8)
    reference = states(method, diagonal_quadratic(SPECTRUM), START, 8)
    tolerance = 1e-9 if xp_case.eps < 1e-10 else 5e-3
    for state, exact in zip(found, reference, strict=True):
        for array in (state.x, state.gradient):
            assert xp_case.owns(array)
        assert state.momentum is None or xp_case.owns(state.momentum)
        assert type(state.value) is float
        assert type(state.gradient_norm) is float
        np.testing.assert_allclose(xp_case.numpy(state.x), exact.x, rtol=0, atol=tolerance)
    region = method.implicit_region(found[-1])
    assert xp_case.owns(region.minimiser())
    assert type(region.radius) is float


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (GradientDescent(rate=0.05), 2),
        (HeavyBall(), 2),
        (Nesterov(), 2),
        (Adagrad(), 4),
        (RMSProp(), 4),
        (Adam(), 4),
    ],
    ids=lambda x: label(x) if isinstance(x, FirstOrder) else str(x),
)
def test_host_transfers_of_a_step(
    method: FirstOrder, expected: int, strict_case: Xp, host_fetches: FetchCounter
) -> None:
    """One for the value, one for all norms, two for a diagonal norm."""
    problem = Evaluator(diagonal_quadratic(strict_case.array(SPECTRUM)))
    state = method.init(problem, strict_case.array(START), RNG)
    assert host_fetches.count == 2
    for _ in range(3):
        host_fetches.reset()
        state = method.step(problem, state, RNG)
        assert host_fetches.count == expected


def test_host_transfers_of_backtracking(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """Two a trial (the value, and whether x has moved) and one for the gradient, at most."""
    method = GradientDescent()
    problem = Evaluator(diagonal_quadratic(strict_case.array(SPECTRUM)))
    state = method.init(problem, strict_case.array(START), RNG)
    assert host_fetches.count == 3
    for _ in range(5):
        host_fetches.reset()
        state = method.step(problem, state, RNG)
        assert host_fetches.count == 2 * len(state.records)


# ------------------------------------------------------------------ arguments


BAD: list[tuple[str, Callable[[], Any]]] = [
    ("rate", lambda: GradientDescent(rate=0.0)),
    ("rate", lambda: GradientDescent(rate=math.nan)),
    ("rate", lambda: GradientDescent(rate="wolfe")),  # type: ignore[arg-type]
    ("rate", lambda: HeavyBall(rate="backtracking")),  # type: ignore[arg-type]
    ("rate", lambda: Adam(rate=-1.0)),
    ("rate", lambda: Adam(rate=True)),
    ("momentum", lambda: HeavyBall(momentum=1.0)),
    ("momentum", lambda: Nesterov(momentum=-0.1)),
    ("beta must", lambda: RMSProp(beta=1.0)),
    ("beta must", lambda: RMSProp(beta=0.0)),
    ("beta1", lambda: Adam(beta1=1.0)),
    ("beta1", lambda: Adam(beta1=-0.5)),
    ("beta2", lambda: Adam(beta2=0.0)),
    ("beta2", lambda: Adam(beta2=1.0)),
    ("epsilon", lambda: Adagrad(epsilon=0.0)),
    ("epsilon", lambda: RMSProp(epsilon=-1.0)),
    ("kind", lambda: Adam(kind="dense")),  # type: ignore[arg-type]
    ("window", lambda: Adam(kind="window")),
    ("window", lambda: Adam(window=3)),
    ("batch", lambda: Nesterov(batch=0)),
    ("batch", lambda: Adam(batch=2.5)),  # type: ignore[arg-type]
    ("batch", lambda: GradientDescent(batch=8)),
]


@pytest.mark.parametrize(("name", "build"), BAD)
def test_bad_arguments_are_named(name: str, build: Callable[[], Any]) -> None:
    with pytest.raises(ArgumentError, match=name):
        build()


def test_a_run_refuses_before_any_work() -> None:
    calls: list[int] = []

    def value(x: np.ndarray) -> float:
        calls.append(1)
        return float(x @ x)

    problem = FunctionProblem(value, lambda x: 2.0 * x)
    with pytest.raises(ArgumentError, match=r"rate\(1\)"):
        minimize(problem, np.ones(2), Adam(rate=lambda k: 0.0))
    with pytest.raises(ArgumentError, match="StochasticProblem"):
        minimize(problem, np.ones(2), Adam(batch=2))
    assert not calls
    with pytest.raises(ArgumentError, match=r"rate\(3\)"):
        minimize(problem, np.ones(2), Adam(rate=lambda k: 0.1 if k < 3 else -1.0))


def test_numpy_numbers_become_python_numbers() -> None:
    """A float64 scalar as a rate must not turn float32 iterates into float64."""
    method = Adam(rate=np.float64(0.1), beta1=np.float64(0.5), epsilon=np.float64(1e-4))
    x = states(method, diagonal_quadratic(SPECTRUM.astype(np.float32)), START.astype("f4"), 2)[-1].x
    assert x.dtype == np.float32
    assert type(method.rate) is float
    assert type(method.beta1) is float
