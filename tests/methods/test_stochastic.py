"""The stochastic trust-region method: its rules, its samples, its accounting."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from scipy.optimize import OptimizeResult

import tralgos
from tests.namespaces import Xp
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.methods import (
    BatchBounds,
    Ending,
    StochasticTrustRegion,
    TrustRegion,
    batch_sizes,
    minimize,
)
from tralgos.methods.evaluator import Evaluator
from tralgos.norms import DiagonalNorm, RMSPropNorm
from tralgos.problems import (
    FunctionProblem,
    LogisticRegression,
    Problem,
    Quadratic,
    Rosenbrock,
    StochasticProblem,
)

N, n = 120, 4


@pytest.fixture
def logistic(rng: np.random.Generator) -> LogisticRegression:
    """120 samples of four features."""
    X = rng.standard_normal((N, n)) * np.array([1.0, 2.0, 0.5, 1.0])
    labels = np.sign(X @ np.array([1.0, -0.5, 2.0, 0.0]) + rng.standard_normal(N))
    return LogisticRegression(X, labels, l2=0.02)


def dense_quadratic(rng: np.random.Generator) -> Quadratic:
    A = rng.standard_normal((5, 5))
    return Quadratic(A @ A.T + 0.1 * np.eye(5), rng.standard_normal(5))


class Spy(StochasticProblem):
    """A problem that writes down its samples, and what is asked of each."""

    has_hessian = True

    def __init__(self, whole: LogisticRegression) -> None:
        super().__init__(whole.n, name="spy")
        self.whole, self.size = whole, whole.size
        self.log: list[tuple[str, int]] = []
        self.sizes: list[int] = []
        self.rows: list[Problem] = []

    def _value(self, x: Any) -> Any:
        return self._asked("value", 0, self.whole._value(x))

    def _gradient(self, x: Any) -> Any:
        return self._asked("gradient", 0, self.whole._gradient(x))

    def _hessian(self, x: Any) -> Any:
        return self._asked("hessian", 0, self.whole._hessian(x))

    def _asked(self, what: str, sample: int, answer: Any) -> Any:
        self.log.append((what, sample))
        return answer

    def _sample(self, size: int, rng: np.random.Generator) -> Problem:
        part = self.whole.sample(size, rng)
        self.sizes.append(size)
        self.rows.append(part)
        k = len(self.sizes)
        return FunctionProblem(
            lambda x: self._asked("value", k, part.value(x)),
            lambda x: self._asked("gradient", k, part.gradient(x)),
            hess=lambda x: self._asked("hessian", k, part.hessian(x)),
            n=self.n,
        )


def trials(run: OptimizeResult) -> list[tuple[Any, ...]]:
    """The trials of a trace, without its numbering."""
    rows = [row for row in run.trace if row.iteration > 0]
    return [(row.accepted, row.radius, row.step_norm, row.ratio) for row in rows]


# ---------------------------------------------------------------- the deterministic algorithm


@pytest.mark.parametrize("norm", [None, RMSPropNorm(epsilon=0.1)], ids=["euclidean", "rmsprop"])
@pytest.mark.parametrize("radius", [None, 0.3, 50.0])
@pytest.mark.parametrize("name", ["quadratic", "rosenbrock"])
def test_whole_batches_are_algorithm_1(
    name: str, radius: float | None, norm: Any, rng: np.random.Generator
) -> None:
    """Trial for trial, with one Hessian a trial, since a rejection draws again."""
    problem = dense_quadratic(rng) if name == "quadratic" else Rosenbrock(2)
    x0 = np.linspace(-1.0, 2.0, 5 if name == "quadratic" else 2)
    shared = {"norm": norm, "radius": radius, "subproblem": "direct"}
    ours = minimize(problem, x0, StochasticTrustRegion(eta=0.2, **shared))
    theirs = minimize(problem, x0, TrustRegion(rule="algorithm-1", eta1=0.2, **shared))
    assert trials(ours) == trials(theirs)
    assert np.array_equal(ours.x, theirs.x)
    assert ours.ending is theirs.ending is Ending.SECOND_ORDER
    assert (ours.nfev, ours.njev) == (theirs.nfev, theirs.njev)
    assert ours.nit == len(trials(ours))


def secular_step(h: np.ndarray, g: np.ndarray, radius: float) -> np.ndarray:
    """The minimiser of g's + s'diag(h)s/2 over ||s|| <= radius, for h > 0, by bisection."""
    if np.linalg.norm(g / h) <= radius:
        return -g / h
    low, high = 0.0, np.linalg.norm(g) / radius
    for _ in range(200):
        middle = 0.5 * (low + high)
        if np.linalg.norm(g / (h + middle)) > radius:
            low = middle
        else:
            high = middle
    return -g / (h + high)


def curved(x: np.ndarray) -> float:
    """A convex function with a diagonal Hessian, of which Newton's method is soon beyond reach."""
    return float(np.sum(np.sqrt(1.0 + x * x)))


@pytest.mark.parametrize("rule", ["adaptive-norms", "efficient-tr"])
@pytest.mark.parametrize(("eta", "gamma"), [(0.3, 1.5), (0.9, 2.0)])
def test_rules_by_hand(rule: str, eta: float, gamma: float) -> None:
    """The printed algorithms, written out with a solver of their own."""
    problem = FunctionProblem(
        curved,
        lambda x: x / np.sqrt(1.0 + x * x),
        hess=lambda x: np.diag((1.0 + x * x) ** -1.5),
    )
    x, radius = np.array([3.0, -4.0]), 12.0
    expected, most = [], 16.0
    for _ in range(25):
        g = problem.gradient(x)
        h = (1.0 + x * x) ** -1.5
        s = secular_step(h, g, radius)
        ratio = (curved(x) - curved(x + s)) / -(g @ s + 0.5 * h @ (s * s))
        taken = ratio >= eta
        if rule == "efficient-tr":
            taken = taken and np.linalg.norm(g) >= radius
        expected.append((taken, radius, *x))
        x = x + s if taken else x
        radius = min(gamma * radius, most) if taken else radius / gamma
        if np.linalg.norm(problem.gradient(x)) < 1e-5:
            break
    accepted = [row[0] for row in expected]
    assert True in accepted
    assert False in accepted

    seen = []
    method = StochasticTrustRegion(
        rule=rule, eta=eta, gamma=gamma, radius=12.0, max_radius=most, subproblem="exact"
    )
    before = [np.array([3.0, -4.0])]

    def callback(report: OptimizeResult) -> None:
        seen.append((report.record.accepted, report.record.radius, *before[-1]))
        before.append(report.x)

    minimize(problem, before[0], method, maxiter=len(expected), callback=callback, gtol=1e-5)
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-7)


def test_a_small_gradient_holds_efficient_tr_back() -> None:
    """The model of a quadratic is exact, yet a radius above the gradient is rejected."""
    problem = Quadratic(np.eye(2), np.zeros(2))
    method = StochasticTrustRegion(rule="efficient-tr", radius=8.0)
    run = minimize(problem, np.array([0.6, 0.8]), method)
    assert [row.accepted for row in run.trace][1:] == [False, False, False, True]
    assert run.trace.column("ratio")[1] == pytest.approx(1.0)


# ---------------------------------------------------------------- samples


def test_every_trial_draws_anew(logistic: LogisticRegression) -> None:
    """Gradient, Hessian and value each of a sample of their own; also after a rejection."""
    spy = Spy(logistic)
    method = StochasticTrustRegion(
        gradient_batch=20, hessian_batch=10, value_batch=30, radius=16.0, eta=0.5
    )
    run = minimize(spy, np.ones(n), method, maxiter=6, gtol=0.0)
    accepted = [row.accepted for row in run.trace][1:]
    assert False in accepted
    assert True in accepted
    # init: gradient and value. Each step: Hessian, values, then the next gradient.
    assert spy.sizes == [20, 30, *[10, 30, 20] * 6]
    rows = [tuple(np.asarray(part.sample_gradients(np.zeros(n))).ravel()) for part in spy.rows]
    assert len(set(rows)) == len(rows)


def test_both_values_of_a_ratio_are_of_one_sample(logistic: LogisticRegression) -> None:
    """By default; each of its own where that is asked for."""
    for shared in (True, False):
        spy = Spy(logistic)
        method = StochasticTrustRegion(value_batch=30, shared_sample=shared)
        minimize(spy, np.ones(n), method, maxiter=3, gtol=0.0)
        values = [sample for what, sample in spy.log if what == "value"][1:-1]
        assert values == ([2, 2, 3, 3, 4, 4] if shared else [2, 3, 4, 5, 6, 7])


def test_same_is_the_sample_of_the_gradient(logistic: LogisticRegression) -> None:
    """Gradient, Hessian and both values of one trial: one draw."""
    spy = Spy(logistic)
    method = StochasticTrustRegion(gradient_batch=40, hessian_batch="same", value_batch="same")
    minimize(spy, np.ones(n), method, maxiter=3, gtol=0.0)
    assert spy.sizes == [40] * 4
    log = [entry for entry in spy.log if entry[1] in (1, 2, 3)]
    trial = ["value", "gradient", "hessian", "value"]
    assert log == [(what, k) for k in (1, 2, 3) for what in trial]


def test_the_ratio_is_that_of_the_value_sample(logistic: LogisticRegression) -> None:
    """Recomputed from the rows that were drawn."""
    spy = Spy(logistic)
    method = StochasticTrustRegion(gradient_batch=20, hessian_batch=60, value_batch=25, radius=0.5)
    run = minimize(spy, np.ones(n), method, maxiter=1, gtol=0.0)
    gradient, _, hessian, value = spy.rows[:4]
    x0 = np.ones(n)
    g, H = gradient.gradient(x0), hessian.hessian(x0)
    step = tralgos.solve_trs(H @ np.eye(n), g, 0.5).step
    decrease = value.value(x0) - value.value(x0 + step)
    row = run.trace[1]
    assert row.ratio == pytest.approx(decrease / -(g @ step + 0.5 * step @ (H @ step)), rel=0.2)
    if row.accepted:
        assert row.value == pytest.approx(value.value(run.x), rel=1e-14)


def test_values_of_the_states_are_those_of_their_samples(logistic: LogisticRegression) -> None:
    """With "same": of the sample of the next gradient, at the next iterate."""
    spy = Spy(logistic)
    points = [np.ones(n)]
    method = StochasticTrustRegion(gradient_batch=20, value_batch="same")
    run = minimize(
        spy, points[0], method, maxiter=5, gtol=0.0, callback=lambda r: points.append(r.x)
    )
    expected = [part.value(x) for part, x in zip(spy.rows, points, strict=True)]
    assert list(run.trace.column("value")) == expected


def test_differences_are_taken_of_one_sample(logistic: LogisticRegression) -> None:
    """The gradient of another sample would swamp the difference."""
    runs = [
        minimize(
            logistic,
            np.ones(n),
            StochasticTrustRegion(gradient_batch=20, hessian_batch=30, hessian=kind, radius=1.0),
            maxiter=4,
            gtol=0.0,
        )
        for kind in ("exact", "finite-difference")
    ]
    assert [row.accepted for row in runs[0].trace] == [row.accepted for row in runs[1].trace]
    np.testing.assert_allclose(runs[0].x, runs[1].x, rtol=1e-4)


def test_budgets_hold_for_samples(logistic: LogisticRegression) -> None:
    """Products of all samples together."""
    method = StochasticTrustRegion(gradient_batch=20, hessian_batch=30)
    run = minimize(logistic, np.ones(n), method, gtol=0.0, max_matvec=7)
    assert run.nhvp == 7
    assert run.ending is Ending.MAX_MATVEC


def test_backpropagations_are_shares_of_the_terms(logistic: LogisticRegression) -> None:
    """A gradient of b of N terms counts b/N, a product 2b/N."""
    method = StochasticTrustRegion(gradient_batch=30, hessian_batch=12, value_batch=60)
    run = minimize(logistic, np.ones(n), method, maxiter=9, gtol=0.0)
    last = run.trace[-1]
    assert last.njev == 10
    assert last.nhev == 9
    assert last.nhvp > 0
    assert last.nfev == 1 + 2 * 9
    assert last.nhvp == sum(row.matvecs for row in run.trace)
    assert last.backpropagations == pytest.approx(10 * 30 / N + 2 * last.nhvp * 12 / N, rel=1e-12)


def test_assumption_1_sets_the_batches(logistic: LogisticRegression) -> None:
    """The sizes that :func:`batch_sizes` has for the eta of the method."""
    bounds = BatchBounds(
        gradient_deviation=1.0, hessian_deviation=2.0, eps_g=1.0, eps_H=3.0, nu=0.9
    )
    gradient, hessian = batch_sizes(bounds, 0.2, n, population=N)
    assert 1 < hessian < N
    assert hessian != gradient
    spy = Spy(logistic)
    method = StochasticTrustRegion(
        gradient_batch="assumption-1", hessian_batch="assumption-1", bounds=bounds, eta=0.2
    )
    minimize(spy, np.ones(n), method, maxiter=2, gtol=0.0)
    assert spy.sizes == [gradient, *[hessian, gradient] * 2]


def test_a_sample_without_a_step_is_passed_over() -> None:
    """A term with no gradient and no curvature at all does not end the run."""
    X = np.array([[0.0, 0.0]] * 30 + [[1.0, 0.5]] * 10)
    problem = LogisticRegression(X, np.ones(40))
    method = StochasticTrustRegion(gradient_batch=1, hessian_batch="same", radius=0.1)
    run = minimize(problem, np.array([-1.0, 0.0]), method, maxiter=60, gtol=0.0)
    idle = [row for row in run.trace if row.subproblem == "no negative curvature"]
    assert idle
    assert not any(row.accepted for row in idle)
    assert run.ending is Ending.MAX_ITERATIONS
    assert run.fun < 0.9 * problem.value(np.array([-1.0, 0.0]))


# ---------------------------------------------------------------- runs


BATCHES = [
    {"hessian_batch": 40},
    {"gradient_batch": 60, "hessian_batch": "same", "value_batch": "same"},
    {
        "gradient_batch": 60,
        "hessian_batch": 60,
        "value_batch": 100,
        "norm": RMSPropNorm(epsilon=1e-2),
    },
    {"gradient_batch": 60, "hessian_batch": 30, "rule": "efficient-tr", "eta": 0.3},
    {"gradient_batch": 60, "hessian": "gauss-newton", "subproblem": "steihaug"},
]


@pytest.mark.parametrize("options", BATCHES, ids=range(len(BATCHES)))
def test_logistic_regression_is_minimised(
    options: dict[str, Any], logistic: LogisticRegression
) -> None:
    """To within the noise of the samples; to the tolerance with the whole gradient."""
    best = minimize(logistic, np.zeros(n), TrustRegion(), gtol=1e-9)
    start = logistic.value(np.full(n, 2.0))
    method = StochasticTrustRegion(**options)
    run = minimize(logistic, np.full(n, 2.0), method, maxiter=60, rng=3)
    assert run.fun - best.fun < 0.05 * (start - best.fun)
    assert run.fun == logistic.value(run.x)
    if "gradient_batch" not in options:
        assert run.success


@pytest.mark.parametrize("options", BATCHES, ids=range(len(BATCHES)))
def test_equal_seeds_equal_traces(options: dict[str, Any], logistic: LogisticRegression) -> None:
    """Bit for bit; and other seeds, other samples."""
    method = StochasticTrustRegion(**options)
    runs = [
        minimize(logistic, np.full(n, 2.0), method, maxiter=10, gtol=0.0, rng=seed)
        for seed in (5, 5, 6)
    ]
    assert runs[0].trace == runs[1].trace
    assert np.array_equal(runs[0].x, runs[1].x)
    assert not np.array_equal(runs[0].x, runs[2].x)


@pytest.mark.parametrize("options", BATCHES, ids=range(len(BATCHES)))
def test_states_are_not_changed_by_a_step(
    options: dict[str, Any], logistic: LogisticRegression
) -> None:
    """Two steps from one state with one seed are one step, whatever came between."""
    method = StochasticTrustRegion(**options)
    evaluator = Evaluator(logistic)
    state = method.init(evaluator, np.ones(n), np.random.default_rng(1))
    for _ in range(3):
        x, gradient = state.x.copy(), state.gradient.copy()
        once = method.step(evaluator, state, np.random.default_rng(2))
        method.step(evaluator, once, np.random.default_rng(3))
        again = method.step(evaluator, state, np.random.default_rng(2))
        assert np.array_equal(state.x, x)
        assert np.array_equal(state.gradient, gradient)
        assert np.array_equal(once.x, again.x)
        assert np.array_equal(once.gradient, again.gradient)
        assert once.records == again.records
        state = once


@pytest.mark.parametrize("exponent", [-500, 500])
def test_units_of_the_function_do_not_matter(exponent: int, rng: np.random.Generator) -> None:
    """A power of two times f: the same iterates, for the rule that compares f with f alone."""
    H = np.diag([1.0, 3.0, -0.5])
    b = rng.standard_normal(3)
    unit = 2.0**exponent
    method = StochasticTrustRegion(radius=0.3, max_radius=1.0, second_order=False)
    runs = [
        minimize(Quadratic(c * H, c * b), np.ones(3), method, gtol=0.0, maxiter=8)
        for c in (1.0, unit)
    ]
    assert trials(runs[0]) == trials(runs[1])
    assert np.array_equal(runs[0].x, runs[1].x)


def test_every_namespace(xp_case: Xp, rng: np.random.Generator) -> None:
    """The iterate stays where it began, with its dtype, in fixed and in adaptive norms."""
    X = rng.standard_normal((40, 3))
    signs = np.sign(X @ np.ones(3) + rng.standard_normal(40))
    problem = LogisticRegression(xp_case.array(X), signs, l2=0.1)
    x0 = xp_case.array(np.full(3, 2.0))
    for norm in (None, RMSPropNorm(epsilon=1e-2)):
        method = StochasticTrustRegion(gradient_batch=20, hessian_batch=10, norm=norm)
        run = minimize(problem, x0, method, maxiter=15, gtol=0.0)
        assert run.x.dtype == x0.dtype
        assert type(run.x) is type(x0)
        assert run.fun < 0.7 * run.trace[0].value
        assert all(type(row.value) is float for row in run.trace)


# ---------------------------------------------------------------- line 4 and the eigenpoint


@pytest.mark.parametrize("metric", [None, DiagonalNorm(np.array([1.0, 4.0]))])
def test_a_small_gradient_gives_the_eigenpoint(metric: Any) -> None:
    """Line 4: along the leftmost eigenvector of the pencil, of the length of the radius."""
    problem = FunctionProblem(
        lambda x: float(x[0] ** 2 - x[1] ** 2 + x[1] ** 4),
        lambda x: np.array([2.0 * x[0], -2.0 * x[1] + 4.0 * x[1] ** 3]),
        hess=lambda x: np.diag([2.0, -2.0 + 12.0 * x[1] ** 2]),
    )
    method = StochasticTrustRegion(
        zero_gradient_below=0.5, radius=0.25, norm=metric, second_order=False
    )
    x0 = np.array([0.05, 0.01])
    evaluator = Evaluator(problem)
    state = method.init(evaluator, x0, np.random.default_rng(0))
    assert 0.0 < state.gradient_norm < 0.5
    after = method.step(evaluator, state, np.random.default_rng(0))
    (record,) = after.records
    H = problem.hessian(x0) @ np.eye(2)
    M = np.eye(2) if metric is None else np.diag([1.0, 4.0])
    least = np.min(np.linalg.eigvals(np.linalg.solve(M, H)).real)
    assert least < 0.0
    step = after.x - x0
    assert record.subproblem == "eigenpoint"
    assert record.accepted
    assert np.sqrt(step @ M @ step) == pytest.approx(0.25, rel=1e-12)
    assert 0.5 * step @ H @ step == pytest.approx(0.5 * least * 0.25**2, rel=1e-6)
    assert record.ratio == pytest.approx(
        (problem.value(x0) - problem.value(after.x)) / (-0.5 * least * 0.25**2), rel=1e-6
    )


def test_the_sign_of_an_eigenpoint_is_drawn() -> None:
    """f = x/2 - x^2/2 falls one way only near 0: with one sign for ever, it would never be left."""
    problem = Quadratic(np.array([[-1.0]]), np.array([0.5]))
    for seed in range(8):
        method = StochasticTrustRegion(zero_gradient_below=0.5, radius=0.25, second_order=False)
        run = minimize(problem, np.zeros(1), method, gtol=0.0, maxiter=40, rng=seed)
        taken = [row.accepted for row in run.trace if row.subproblem == "eigenpoint"]
        assert taken[-1]
        assert run.fun < 0.0
    ratios = {
        minimize(problem, np.zeros(1), method, gtol=0.0, maxiter=1, rng=seed).trace[1].ratio
        for seed in range(8)
    }
    # 1 -+ 2 ||g|| / (|lambda| r)
    assert sorted(ratios) == pytest.approx([-3.0, 5.0])


def test_line_4_ends_where_the_curvature_is_not_negative(rng: np.random.Generator) -> None:
    """Algorithm 1 has converged there, though the gradient is above the driver's tolerance."""
    problem = dense_quadratic(rng)
    method = StochasticTrustRegion(zero_gradient_below=0.3, second_order=False)
    run = minimize(problem, np.full(5, 4.0), method, gtol=0.0)
    assert run.ending is Ending.TAKEN_FOR_ZERO
    assert 0.0 < run.gradient_norm <= 0.3
    assert not run.trace[-1].accepted


def test_a_semidefinite_hessian_is_not_taken_for_negative() -> None:
    """Rounding of a zero eigenvalue is no direction to go along."""
    v = np.array([1.0, 1.0 / 3.0, -0.7])
    problem = Quadratic(1e3 * np.outer(v, v), np.zeros(3))
    method = StochasticTrustRegion(zero_gradient_below=1.0, second_order=False)
    run = minimize(problem, 1e-5 * v, method, gtol=0.0)
    assert run.ending is Ending.TAKEN_FOR_ZERO
    assert run.nit == 1


def test_line_4_puts_a_zero_into_the_adaptive_norm() -> None:
    """A_t is made of the g_t that the algorithm has, after they were set to zero."""
    rule = RMSPropNorm(epsilon=0.5, beta=0.5)
    problem = Quadratic(np.diag([1.0, -1.0]), np.zeros(2))
    g = np.array([0.2, 0.1])
    x0 = np.array([0.2, -0.1])
    for below, expected in ((0.0, 0.5 * g**2 + 0.5), (1.0, np.full(2, 0.5))):
        method = StochasticTrustRegion(zero_gradient_below=below, norm=rule)
        state = method.init(Evaluator(problem), x0, np.random.default_rng(0))
        size = state.space.norm(x0).norm(np.array([1.0, 0.0]))  # type: ignore[attr-defined]
        assert size == pytest.approx(math.sqrt(expected[0]), rel=1e-14)


# ---------------------------------------------------------------- what cannot go on


def test_a_trial_that_is_not_finite_is_a_rejection() -> None:
    """The radius falls until the step stays inside the domain."""
    problem = FunctionProblem(
        lambda x: float(-np.log(x[0]) + 4.0 * x[0]) if x[0] > 0.0 else math.nan,
        lambda x: -1.0 / x + 4.0,
        hess=lambda x: np.diag(1.0 / x**2),
    )
    run = minimize(problem, np.array([1.0]), StochasticTrustRegion(radius=64.0))
    assert run.success
    assert run.x[0] == pytest.approx(0.25, rel=1e-4)
    assert math.isnan(run.trace[1].ratio)
    assert not run.trace[1].accepted
    assert run.trace[2].radius == 32.0


@pytest.mark.parametrize("start", [0.0, 1.0])
def test_rejections_without_end_do_end(start: float) -> None:
    """By the radius relative to the first one, at the origin; by rounding elsewhere."""
    x0 = np.array([start])
    problem = FunctionProblem(
        lambda x: 1.0 if x[0] == start else math.inf, np.ones_like, hess=lambda x: np.eye(1)
    )
    run = minimize(problem, x0, StochasticTrustRegion(), maxiter=400)
    assert run.ending is (Ending.NO_DECREASE if start == 0.0 else Ending.ROUNDING)
    assert np.array_equal(run.x, x0)
    assert run.nit < 150


def test_a_radius_below_the_rounding_of_x_ends_the_run(logistic: LogisticRegression) -> None:
    """No other sample would help."""
    method = StochasticTrustRegion(gradient_batch=20, radius=1e-20)
    run = minimize(logistic, np.ones(n), method, gtol=0.0)
    assert run.ending is Ending.ROUNDING
    assert run.nit == 1


def test_a_gradient_that_is_not_finite_ends_the_run() -> None:
    """It is an end with a reason, not an exception."""
    problem = FunctionProblem(
        lambda x: float(x[0] ** 2),
        lambda x: 2.0 * x if x[0] == 1.0 else math.nan * x,
        hess=lambda x: np.eye(1),
    )
    run = minimize(problem, np.ones(1), StochasticTrustRegion(radius=0.5))
    assert run.ending is Ending.NON_FINITE


def test_a_radius_that_always_grows_stays_in_range() -> None:
    """Thousands of accepted steps: at most a million first radii."""
    problem = FunctionProblem(
        lambda x: float(1.0 - x[0] * 1e-3),
        lambda x: np.array([-1e-3]),
        hess=lambda x: np.zeros((1, 1)),
    )
    method = StochasticTrustRegion(radius=1e-3, second_order=False)
    run = minimize(problem, np.zeros(1), method, gtol=0.0, maxiter=60)
    assert all(row.accepted for row in run.trace)
    assert max(row.radius for row in run.trace if row.radius is not None) == 1e3


def test_a_radius_of_the_user_is_never_exceeded(logistic: LogisticRegression) -> None:
    """Not by the first one either, which the method chooses."""
    for zeroed in (0.0, 1e9):
        method = StochasticTrustRegion(max_radius=0.01, zero_gradient_below=zeroed)
        run = minimize(logistic, np.full(n, 2.0), method, maxiter=5)
        assert all(row.radius <= 0.01 for row in run.trace if row.radius is not None)


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "practice"}, "rule"),
        ({"eta": 0.0}, "eta"),
        ({"eta": 1.0}, "eta"),
        ({"gamma": 1.0}, "gamma"),
        ({"gamma": math.inf}, "gamma"),
        ({"radius": 0.0}, "radius"),
        ({"max_radius": -1.0}, "max_radius"),
        ({"radius": 2.0, "max_radius": 1.0}, "more than max_radius"),
        ({"gradient_batch": 0}, "gradient_batch"),
        ({"gradient_batch": True}, "gradient_batch"),
        ({"gradient_batch": "same"}, "gradient_batch"),
        ({"hessian_batch": 1.5}, "hessian_batch"),
        ({"hessian_batch": "whole"}, "hessian_batch"),
        ({"value_batch": "assumption-1"}, "value_batch"),
        ({"shared_sample": False}, "shared_sample=False"),
        ({"shared_sample": False, "value_batch": "same"}, "shared_sample=False"),
        ({"shared_sample": 1}, "shared_sample"),
        ({"hessian_batch": "assumption-1"}, "bounds"),
        ({"zero_gradient_below": -1.0}, "zero_gradient_below"),
        ({"zero_gradient_below": 0.1, "rule": "efficient-tr"}, "zero_gradient_below"),
        ({"norm_power": 2.0}, "norm_power"),
        ({"subproblem": "guess"}, "subproblem"),
    ],
)
def test_parameters_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        StochasticTrustRegion(**options)


def test_bounds_belong_to_assumption_1() -> None:
    """Neither without the other, nor with the rule of another paper, nor of another kind."""
    bounds = BatchBounds(gradient_deviation=1.0, hessian_deviation=1.0, eps_g=1.0, eps_H=1.0)
    with pytest.raises(ArgumentError, match="go together"):
        StochasticTrustRegion(bounds=bounds, gradient_batch=3)
    with pytest.raises(ArgumentError, match="adaptive-norms"):
        StochasticTrustRegion(bounds=bounds, gradient_batch="assumption-1", rule="efficient-tr")
    with pytest.raises(ArrayTypeError, match="BatchBounds"):
        StochasticTrustRegion(bounds=(1.0, 1.0), gradient_batch="assumption-1")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["gradient_batch", "hessian_batch", "value_batch"])
def test_batches_need_terms_and_enough_of_them(name: str, logistic: LogisticRegression) -> None:
    """Found before any evaluation, by name."""
    method = StochasticTrustRegion(**{name: 121})
    with pytest.raises(ArgumentError, match=f"{name}=121 is more than the 120 terms"):
        minimize(logistic, np.zeros(n), method)
    with pytest.raises(ArgumentError, match=f"{name}=121 needs a StochasticProblem"):
        minimize(Rosenbrock(2), None, method)
    assert minimize(Rosenbrock(2), None, StochasticTrustRegion()).success


def test_numbers_of_numpy_are_numbers(logistic: LogisticRegression) -> None:
    """A batch of np.int64 is an int ever after."""
    method = StochasticTrustRegion(value_batch=np.int64(7), shared_sample=False)  # type: ignore[arg-type]
    assert type(method.value_batch) is int
    assert method.stochastic
    assert not StochasticTrustRegion(hessian_batch="same", value_batch="same").stochastic
    assert dataclasses.replace(method, value_batch=8).value_batch == 8


class Undeclared(StochasticProblem):
    """x'x/2 in each of infinitely many terms, by products that do not say they are symmetric."""

    has_hessian = True

    def _value(self, x: Any) -> Any:
        return 0.5 * x @ x

    def _gradient(self, x: Any) -> Any:
        return 1.0 * x

    def _hessian(self, x: Any) -> Any:
        return FunctionProblem(self._value, self._gradient, hessp=lambda x, v: v).hessian(x)

    def _sample(self, size: int, rng: np.random.Generator) -> Undeclared:
        return Undeclared()


def test_samples_of_a_run_share_what_is_known_of_symmetry() -> None:
    """One comparison a run, not one a sample."""
    rng, x = np.random.default_rng(1), np.zeros(2)
    whole = Evaluator(Undeclared())
    first = whole.sample(10, rng).curvature(x)
    assert first._compared
    for v in np.eye(2):
        first.matvec(v)
    assert not whole.sample(10, rng).curvature(x)._compared
    assert not whole.sample(10, rng).sample(5, rng).curvature(x)._compared
    assert not whole.curvature(x)._compared
