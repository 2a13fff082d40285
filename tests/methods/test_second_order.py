"""Evidence on the leftmost eigenvalue at a point, and leaving a saddle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from tests.methods.support import Hidden, saddle
from tralgos import Ending, TrustRegion, minimize
from tralgos.methods.evaluator import Budget, Evaluator
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
