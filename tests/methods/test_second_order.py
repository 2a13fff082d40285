"""Evidence on the leftmost eigenvalue at a point, and leaving a saddle."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from tests.methods.support import Hidden, saddle
from tralgos import Ending, TrustRegion, minimize
from tralgos.methods.evaluator import Budget, Counts, Evaluator
from tralgos.methods.second_order import CURVATURE_RTOL, LeftmostEstimate, examine, leave_saddle
from tralgos.problems import FunctionProblem, Problem


def quadratic(H: Any, n: int) -> FunctionProblem:
    return FunctionProblem(
        lambda x: 0.5 * float(x @ (H @ x)), lambda x: H @ x, hess=lambda x: H, n=n
    )


def look(problem: Problem, n: int, *, short: bool, limit: int | None = None) -> LeftmostEstimate:
    evaluator = Evaluator(problem, budget=Budget(limit))
    return examine(evaluator, np.zeros(n), np.zeros(n), np.random.default_rng(1), look=short)


@given(st.integers(1, 25), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_against_the_eigenvalues(n: int, seed: int, hide: bool, short: bool) -> None:
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((n, n))
    H = H + H.T + rng.choice([0.0, 3.0 * n]) * np.eye(n)
    problem: Problem = quadratic(H, n)
    found = look(Hidden(problem) if hide else problem, n, short=short)
    true = np.linalg.eigvalsh(H)[0]
    size = np.abs(np.linalg.eigvalsh(H)).max()
    assert found.lower <= true + 1e-12 * size
    assert found.value >= true - 1e-12 * size
    assert found.matvecs <= (n if not short else min(n, 20)) * hide
    if found.direction is not None:
        v = found.direction
        assert v @ v == pytest.approx(1.0)
        assert v @ H @ v == pytest.approx(found.value, abs=1e-10 * size)
        assert found.value < 0.0
    assert found.proved == (found.lower >= -CURVATURE_RTOL * found.size)


@pytest.mark.parametrize("n", [1, 2, 3, 400])
def test_sparse_matrices_cost_no_products(n: int) -> None:
    """By a factorisation: exact, also of a Laplacian whose leftmost eigenvalue is small."""
    ones = np.ones(n)
    H = scipy.sparse.diags_array([-ones[1:], 2.0 * ones, -ones[1:]], offsets=[-1, 0, 1]).tocsc()
    found = look(quadratic(H, n), n, short=True)
    assert found.matvecs == 0
    assert found.evidence == "exact"
    assert found.proved
    assert found.lower == pytest.approx(2.0 - 2.0 * np.cos(np.pi / (n + 1)), rel=1e-3)


def test_budget_without_products_proves_nothing() -> None:
    n = 200
    H = np.diag(np.linspace(1.0, 2.0, n))
    found = look(Hidden(quadratic(H, n)), n, short=False, limit=1)
    assert not found.proved
    assert found.matvecs <= 1


def test_probabilistic_evidence_for_large_operators() -> None:
    n = 3000
    d = np.linspace(0.0, 1.0, n)
    problem = FunctionProblem(
        lambda x: 0.5 * float(x @ (d * x)), lambda x: d * x, hessp=lambda x, v: d * v, n=n
    )
    found = look(problem, n, short=False)
    assert found.evidence == "probabilistic"
    assert found.failure_probability == 1e-6
    assert found.proved
    assert -CURVATURE_RTOL <= found.lower <= 0.0
    # The a-priori bound of Kuczynski and Wozniakowski asks for 290.
    assert found.matvecs < 290


def test_one_negative_eigenvalue_among_thousands_is_found() -> None:
    n = 2000
    d = np.linspace(0.5, 1.0, n)
    d[700] = -0.5
    problem = FunctionProblem(
        lambda x: 0.5 * float(x @ (d * x)) + 0.25 * float(np.sum(x**4)),
        lambda x: d * x + x**3,
        hessp=lambda x, v: (d + 3.0 * x**2) * v,
        n=n,
    )
    x = np.ones(n)
    x[700] = 0.0  # the gradient never points there
    run = minimize(problem, x, TrustRegion(second_order=True), gtol=1e-8)
    assert run.ending is Ending.SECOND_ORDER
    assert abs(run.x[700]) == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_downhill_side_first(sign: float) -> None:
    """f falls without bound on one side only: the slope says which."""
    problem = FunctionProblem(
        lambda x: float(sign * 0.01 * x[0] - 0.5 * x[0] ** 2 + 10.0 * max(sign * x[0], 0.0) ** 4),
        lambda x: x,
    )
    x = np.zeros(1)
    estimate = LeftmostEstimate(-1.0, -1.0, "exact", 0.0, 1.0, 0, np.ones(1), False)
    found = leave_saddle(Evaluator(problem), x, 0.0, np.array([sign * 0.01]), estimate)
    assert found is not None
    assert sign * found[0][0] < 0.0
    assert found[1] < 0.0


def test_nothing_to_leave_without_a_direction() -> None:
    estimate = LeftmostEstimate(1.0, 1.0, "exact", 0.0, 1.0, 0, None, True)
    assert leave_saddle(Evaluator(saddle()), np.zeros(2), 0.0, np.zeros(2), estimate) is None


def test_loose_gradient_tolerance_does_not_stop_at_saddles() -> None:
    """A point that meets the tolerance again and again on the way down is not looked at each
    time: the tolerance is tightened, and the run is short."""
    scale = np.array([1.0, 1e-3])
    problem = FunctionProblem(
        lambda x: float(scale @ (0.25 * x**4 - 0.5 * x**2)),
        lambda x: scale * (x**3 - x),
        hess=lambda x: np.diag(scale * (3.0 * x**2 - 1.0)),
        n=2,
    )
    run = minimize(Hidden(problem), np.array([0.9, 0.0]), gtol=1e-2)
    assert run.ending is Ending.SECOND_ORDER
    assert run.x == pytest.approx([1.0, 1.0], abs=0.2)
    assert run.nit < 20


# ---------------------------------------------------------------------- what it may cost


@pytest.mark.parametrize(
    ("before", "left", "products"),
    [(0, None, 20), (1000, None, 20), (100, None, 5), (10, None, 2), (1000, 3, 3), (0, 7, 7)],
)
def test_a_look_costs_a_twentieth_of_the_run(before: int, left: int | None, products: int) -> None:
    """2 to 20 products, 20 for a run that made none, and never more than the budget has left."""
    n = 400
    H = np.diag(np.linspace(1e-3, 1.0, n))
    limit = None if left is None else before + left
    evaluator = Evaluator(Hidden(quadratic(H, n)), 0.0, Budget(limit), Counts(nhvp=before))
    zero = np.zeros(n)
    found = examine(evaluator, zero, zero, np.random.default_rng(1), look=True)
    assert found.matvecs == products
    assert evaluator.counts.nhvp == before + products
    assert evaluator.counts.nhvp_evidence == products
    assert found.evidence == "probabilistic"
    # A Rayleigh quotient of the vectors that there are, at no product more.
    assert 1e-3 <= found.value < 1.0


def test_exact_evidence_has_to_fit_the_budget() -> None:
    """Multiplied out up to order 100, if that many products are left."""
    n = 60
    H = np.diag(np.linspace(1.0, 2.0, n))
    for limit, evidence in ((n, "exact"), (n - 1, "probabilistic")):
        found = look(Hidden(quadratic(H, n)), n, short=False, limit=limit)
        assert found.evidence == evidence
        assert found.matvecs <= limit


def test_a_look_reduces_dense_matrices_up_to_five_hundred() -> None:
    """A larger one is multiplied with, and that is counted."""
    for n, evidence in ((500, "exact"), (501, "probabilistic")):
        H = np.diag(np.linspace(1.0, 2.0, n))
        found = look(quadratic(H, n), n, short=True)
        assert found.evidence == evidence
        assert (found.matvecs == 0) == (evidence == "exact")
        assert found.matvecs <= 20


def test_a_negative_curvature_ends_the_examination() -> None:
    """Nothing is refined once the answer is known."""
    n = 1000
    d = np.linspace(1.0, 2.0, n)
    d[3] = -5.0
    H = np.diag(d)
    found = look(Hidden(quadratic(H, n)), n, short=False)
    assert found.direction is not None
    assert not found.proved
    assert found.matvecs <= 20
    v = found.direction
    assert v @ H @ v == pytest.approx(found.value)


def test_rounding_is_no_negative_curvature() -> None:
    """A singular matrix: its zero comes out with either sign, and is a minimum either way."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        B = rng.standard_normal((6, 3))
        for scale in (1.0, 1e-100, 1e100):
            problem = quadratic(scale * (B @ B.T), 6)
            for shown in (problem, Hidden(problem)):
                found = look(shown, 6, short=False)
                assert found.direction is None
                assert found.proved


@pytest.mark.parametrize("size", [1e-250, 1.0, 1e250])
@pytest.mark.parametrize("leftmost", [-1.0, -1e-4, 0.5])
def test_figures_carry_the_units_of_the_matrix(size: float, leftmost: float) -> None:
    H = np.diag([leftmost, 1.0, 2.0]) * size
    found = look(quadratic(H, 3), 3, short=False)
    assert found.value / size == pytest.approx(leftmost, rel=1e-12)
    assert found.lower <= leftmost * size
    assert found.lower / size == pytest.approx(leftmost, abs=4e-3)
    assert found.size / size == pytest.approx(2.0)
    assert found.proved == (leftmost > -2e-3)
    assert (found.direction is not None) == (leftmost < 0.0)


@pytest.mark.parametrize("size", [1e-120, 1e120])
def test_a_look_at_products_carries_their_units(size: float) -> None:
    """A positive definite matrix has no negative Rayleigh quotient."""
    H = np.diag([1.0, 2.0, 3.0])
    plain = look(Hidden(quadratic(H, 3)), 3, short=True, limit=2)
    found = look(Hidden(quadratic(size * H, 3)), 3, short=True, limit=2)
    assert found.value / size == pytest.approx(plain.value)


def test_differences_stand_in_for_a_hessian_that_is_not_there() -> None:
    plain = FunctionProblem(lambda x: float(x @ x), lambda x: 2.0 * x, n=2)
    evaluator = Evaluator(plain)
    found = examine(evaluator, np.ones(2), np.full(2, 2.0), np.random.default_rng(0), look=False)
    assert found.value == pytest.approx(2.0)
    assert evaluator.counts.njev == evaluator.counts.nhvp == found.matvecs
    evaluator = Evaluator(saddle())
    examine(evaluator, np.ones(2), np.zeros(2), np.random.default_rng(0), look=False)
    assert evaluator.counts.njev == 0


# ---------------------------------------------------------------------- trials along it


def trials(
    x: np.ndarray, value: float, slope: float, curvature: float, f: Any
) -> tuple[list[float], Any]:
    """The signed lengths that are tried along the first axis, and what comes of it."""
    tried: list[float] = []

    def fun(y: np.ndarray) -> float:
        tried.append(float(y[0] - x[0]))
        assert (y[1:] == x[1:]).all()
        return float(f(tried[-1]))

    v = np.zeros(x.shape[0])
    v[0] = 1.0
    estimate = LeftmostEstimate(curvature, curvature, "exact", 0.0, 1.0, 0, v, False)
    problem = Evaluator(FunctionProblem(fun, lambda y: y, n=x.shape[0]))
    return tried, leave_saddle(problem, x, value, slope * v, estimate)


@pytest.mark.parametrize(("x", "first"), [([3.0, 4.0], 5.0), ([0.0, 0.0], 1.0), ([0.3, 0.4], 1.0)])
def test_first_trial_has_the_size_of_x(x: list[float], first: float) -> None:
    tried, found = trials(np.array(x), 1.0, 0.0, -1.0, lambda t: 1.0 - 0.5 * t * t)
    assert tried == [first]
    assert found[0][0] == x[0] + first
    assert found[1] == 1.0 - 0.5 * first**2


def test_trials_end_where_the_models_decrease_is_rounding() -> None:
    """t^2 |lambda|/2 <= 64 eps |f| = 2^-46 |f|: both signs of 4^-k for k below 12."""
    for unit in (2.0**-60, 1.0, 2.0**60):
        tried, found = trials(np.zeros(2), 2.0 * unit, 0.0, -8.0 * unit, lambda t: 3.0 * unit)  # noqa: B023
        assert found is None
        assert tried == [sign * 4.0**-k for k in range(12) for sign in (1.0, -1.0)]


def test_downhill_comes_first_and_uphill_second() -> None:
    for slope in (1e-3, -1e-3):
        tried, _ = trials(np.zeros(1), 1.0, slope, -1.0, lambda t: 2.0)
        assert np.sign(tried[:4]).tolist() == [-np.sign(slope), np.sign(slope)] * 2


def test_other_side_is_taken_where_f_falls_there_alone() -> None:
    tried, found = trials(np.zeros(1), 0.0, -0.1, -1.0, lambda t: 1.0 if t > 0.0 else -0.5)
    assert tried == [1.0, -1.0]
    assert found[1] == -0.5


@pytest.mark.parametrize("slope", [0.0, -0.3])
@pytest.mark.parametrize(("share", "taken"), [(0.11, True), (0.09, False)])
def test_a_tenth_of_the_curvatures_decrease_has_to_be_there(
    slope: float, share: float, taken: bool
) -> None:
    """Beyond that of the slope: f = 1 + slope t - share t^2/2 where the curvature is -1."""
    tried, found = trials(
        np.zeros(1), 1.0, slope, -1.0, lambda t: 1.0 + slope * t - 0.5 * share * t * t
    )
    assert (tried == [1.0] and found is not None) == taken


def test_uphill_f_has_to_fall_below_the_saddle() -> None:
    """Not only below its slope."""
    _, found = trials(np.zeros(1), 0.0, -1.0, -1.0, lambda t: -0.5 * abs(t) if t > 0 else 0.5 * -t)
    assert found is None


def test_trials_that_are_not_finite_are_passed_over() -> None:
    """-inf is no decrease."""
    _, found = trials(
        np.zeros(1), 0.0, 0.0, -1.0, lambda t: -np.inf if abs(t) > 0.5 else -0.5 * t * t
    )
    assert found[0][0] == 0.25


@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_products_with_matrices_are_counted_too(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matrix that is too large to factorise is multiplied with, within the budget."""
    from tralgos.methods import second_order

    n = 600
    d = np.linspace(0.0, 1.0, n)
    monkeypatch.setattr(second_order, "factorises", lambda model, memory: False)
    H = np.diag(d) if kind == "dense" else scipy.sparse.diags_array(d).tocsc()
    run = minimize(quadratic(H, n), np.zeros(n), max_matvec=5)
    assert run.nhvp == run.nhvp_evidence == 5
    assert run.leftmost_evidence.evidence == "probabilistic"
    assert run.ending is Ending.FIRST_ORDER


def test_evidence_that_runs_out_of_time_is_counted() -> None:
    """n products for an operator of order 3; the second one is past the deadline."""
    made: list[int] = []

    def slow(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        made.append(1)
        time.sleep(0.05)
        return v

    problem = FunctionProblem(lambda x: 0.5 * float(x @ x), lambda x: x, hessp=slow, n=3)
    run = minimize(problem, np.zeros(3), time_limit=0.02)
    assert run.nhvp == run.nhvp_evidence == len(made) == 1
    assert run.ending is Ending.FIRST_ORDER
