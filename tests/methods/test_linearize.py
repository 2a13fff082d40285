"""Counted linearizations, and states whose gradient the driver has to ask for."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from tests.methods.support import dense_quadratic, saddle
from tests.namespaces import Xp
from tralgos import Ending, minimize
from tralgos.errors import ArgumentError
from tralgos.methods.evaluator import Budget, Counts, Evaluator, RunEnded
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, StepRecord
from tralgos.problems import FunctionProblem, Problem, Rosenbrock

X = np.array([-1.2, 1.0, 0.5])


def test_each_part_is_counted_once() -> None:
    evaluator = Evaluator(Rosenbrock(3))
    local = evaluator.linearize(X)
    assert evaluator.counts == Counts(nfev=1)
    u = local.forward(X)
    assert evaluator.counts == Counts(nfev=1, nhvp=1, njvp=1, backpropagations=1.0)
    local.loss_curvature(u)
    assert evaluator.counts == Counts(nfev=1, nhvp=1, njvp=1, backpropagations=1.0)
    local.reverse(u)
    assert evaluator.counts == Counts(nfev=1, nhvp=1, njvp=1, nvjp=1, backpropagations=2.0)


def test_a_sample_counts_its_share_in_the_run() -> None:
    whole = Evaluator(Rosenbrock(3))
    local = whole.part(Rosenbrock(3), 0.25).linearize(X)
    local.reverse(local.forward(X))
    assert whole.counts == Counts(nfev=1, nhvp=1, njvp=1, nvjp=1, backpropagations=0.5)


def test_the_parts_are_those_of_the_problem(xp_case: Xp) -> None:
    x = xp_case.array(X)
    got, want = Evaluator(Rosenbrock(3)).linearize(x), Rosenbrock(3).linearize(x)
    assert got.value == want.value == Rosenbrock(3).value(x)
    u = got.forward(x)
    for a, b in (
        (got.loss_gradient, want.loss_gradient),
        (u, want.jacobian.matvec(x)),
        (got.loss_curvature(u), want.loss_curvature(u)),
        (got.reverse(u), want.jacobian.rmatvec(u)),
        (got.reverse(got.loss_gradient), Rosenbrock(3).gradient(x)),
    ):
        assert xp_case.owns(a)
        np.testing.assert_allclose(xp_case.numpy(a), xp_case.numpy(b), rtol=1e3 * xp_case.eps)


def test_the_budget_of_products_stops_forward_ones_alone() -> None:
    """A reverse product is half of a product, of which the other half has been counted."""
    evaluator = Evaluator(Rosenbrock(3), budget=Budget(max_matvec=2))
    local = evaluator.linearize(X)
    local.forward(X)
    u = local.forward(X)
    with pytest.raises(RunEnded) as ended:
        local.forward(X)
    assert ended.value.ending is Ending.MAX_MATVEC
    assert evaluator.counts.njvp == evaluator.counts.nhvp == 2
    local.reverse(u)
    assert evaluator.counts.nvjp == 1


def test_the_deadline_stops_everything() -> None:
    evaluator = Evaluator(Rosenbrock(3))
    local = evaluator.linearize(X)
    u = local.forward(X)
    evaluator.budget = Budget(deadline=time.monotonic() - 1.0)
    for asked in (
        lambda: evaluator.linearize(X),
        lambda: local.forward(X),
        lambda: local.reverse(u),
    ):
        with pytest.raises(RunEnded) as ended:
            asked()
        assert ended.value.ending is Ending.TIME_LIMIT
    assert evaluator.counts == Counts(nfev=1, nhvp=1, njvp=1, backpropagations=1.0)


def test_overflow_is_silent() -> None:
    """A trial that overflows is a rejection, not a warning."""
    local = Evaluator(Rosenbrock(2)).linearize(np.array([1e200, 1.0]))
    assert local.value == np.inf
    local.reverse(local.loss_curvature(local.forward(np.array([1e200, 1e200]))))


def test_a_problem_that_is_no_such_loss_is_named() -> None:
    problem = dense_quadratic(np.eye(2), np.ones(2))
    with pytest.raises(ArgumentError, match="quadratic is not known as a loss"):
        Evaluator(problem).linearize(np.ones(2))


# -------------------------------------------------------------------- no gradient in a state


@dataclass(frozen=True, kw_only=True)
class Blind(Method):
    """Gradient descent that hides its gradients and claims `bound` times their norm."""

    bound: float = 0.0
    rate: float = 0.5
    end: Ending | None = None
    second_order: bool | None = False

    def init(self, problem: Evaluator, x0: Any, rng: np.random.Generator) -> State:
        return self._at(problem.problem, x0)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        x = state.x - self.rate * problem.problem.gradient(state.x)
        following = self._at(problem.problem, x)
        return replace(following, records=(StepRecord(accepted=True),), ending=self.end)

    def _at(self, problem: Problem, x: Any) -> State:
        size = float(np.linalg.norm(problem.gradient(x)))
        return State(x, problem.value(x), None, self.bound * size)


def bowl() -> FunctionProblem:
    return dense_quadratic(np.diag([1.0, 1.5]), np.array([1.0, -2.0]))


def test_a_lower_bound_is_no_success() -> None:
    """Where the bound says zero at every step, the gradient decides, and ends the run in time."""
    run = minimize(bowl(), np.zeros(2), Blind(bound=0.0), gtol=1e-6)
    assert run.success
    assert np.linalg.norm(bowl().gradient(run.x)) <= 1e-6
    assert run.gradient_norm == pytest.approx(np.linalg.norm(run.jac), rel=1e-14)
    assert run.njev == run.nit + 1
    run = minimize(bowl(), np.zeros(2), Blind(bound=0.0), gtol=1e-6, maxiter=3)
    assert run.ending is Ending.MAX_ITERATIONS
    assert run.gradient_norm > 1e-6
    assert run.nit == 3


def test_the_gradient_is_asked_for_only_where_the_bound_is_within_its_tolerance() -> None:
    run = minimize(bowl(), np.zeros(2), Blind(bound=1.0), gtol=1e-6)
    assert run.success
    assert run.njev == 1
    assert minimize(bowl(), np.zeros(2), Blind(bound=1.0), maxiter=2).njev == 1
    tighter = minimize(bowl(), np.zeros(2), Blind(bound=0.5), gtol=1e-6)
    assert tighter.success
    assert 1 < tighter.njev < tighter.nit


def test_the_result_has_a_gradient_and_the_trace_the_bounds() -> None:
    run = minimize(bowl(), np.zeros(2), Blind(bound=0.5), gtol=1e-6, maxiter=4)
    np.testing.assert_array_equal(run.jac, bowl().gradient(run.x))
    assert run.gradient_norm == pytest.approx(np.linalg.norm(run.jac), rel=1e-14)
    assert run.trace[0].gradient_norm == pytest.approx(0.5 * np.sqrt(5.0), rel=1e-14)


def test_a_callback_sees_that_there_is_none() -> None:
    seen: list[Any] = []
    minimize(bowl(), np.zeros(2), Blind(bound=0.5), callback=lambda r: seen.append(r.jac))
    assert seen
    assert all(gradient is None for gradient in seen)


def test_an_ending_with_a_small_bound_and_a_large_gradient_keeps_its_name() -> None:
    run = minimize(bowl(), np.zeros(2), Blind(bound=0.0, end=Ending.ROUNDING), gtol=1e-9)
    assert run.ending is Ending.ROUNDING
    assert not run.success
    run = minimize(bowl(), np.zeros(2), Blind(bound=0.0, end=Ending.ROUNDING), gtol=10.0)
    assert run.success


@pytest.mark.parametrize("second_order", [True, None])
def test_a_saddle_is_left_from_a_state_without_a_gradient(second_order: bool | None) -> None:
    method = Blind(bound=0.0, rate=0.1, second_order=second_order)
    run = minimize(saddle(), np.array([1.0, 0.0]), method)
    assert run.success
    assert run.fun == pytest.approx(-0.25, abs=1e-9)
