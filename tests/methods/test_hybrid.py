"""One method after another: what is handed over, and what stays one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.methods import (
    CubicRegularization,
    Ending,
    GradientDescent,
    Hybrid,
    StochasticTrustRegion,
    TrustRegion,
    minimize,
)
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.protocol import MethodProtocol, State, StepRecord
from tralgos.problems import FunctionProblem, LogisticRegression, Problem, Rosenbrock


@dataclass(frozen=True)
class Shift(MethodProtocol):
    """Adds to x what it is told, and writes its letter into the trace."""

    by: float
    letter: str
    second_order: bool | None = False
    ends_at: float = np.inf
    noisy: bool = False

    @property
    def stochastic(self) -> bool:
        return self.noisy

    def init(self, problem: Evaluator, x0: Any, rng: np.random.Generator) -> State:
        return self._at(problem, x0)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        return self._at(problem, state.x + self.by, StepRecord(True, subproblem=self.letter))

    def _at(self, problem: Evaluator, x: Any, *records: StepRecord) -> State:
        value, gradient = problem.value_and_gradient(x)
        ending = Ending.NO_DECREASE if x[0] >= self.ends_at else None
        return State(x, value, gradient, float(np.linalg.norm(gradient)), records, ending)


def slope() -> Problem:
    """exp(-x): never flat, never done."""
    return FunctionProblem(lambda x: float(np.exp(-x[0])), lambda x: -np.exp(-x), name="slope")


def letters(method: MethodProtocol, steps: int) -> str:
    run = minimize(slope(), np.zeros(1), method, gtol=0.0, maxiter=steps)
    return "".join(row.subproblem for row in run.trace)


def test_the_number_of_steps_is_that_of_the_first() -> None:
    """And the second goes on where it stopped."""
    method = Hybrid(Shift(1.0, "a"), Shift(0.25, "b"), 3)
    assert letters(method, 7) == "aaabbbb"
    run = minimize(slope(), np.zeros(1), method, gtol=0.0, maxiter=7)
    assert run.x[0] == 4.0
    assert [row.iteration for row in run.trace] == list(range(8))


def test_tracks_of_three_stages() -> None:
    """Nested on either side: TR-SGD-TR and SGD-TR-SGD of the paper's fifth figure."""
    a, b = Shift(1.0, "a"), Shift(0.25, "b")
    assert letters(Hybrid(Hybrid(a, b, 4), a, 6), 9) == "aaaabbaaa"
    assert letters(Hybrid(a, Hybrid(b, a, 2), 4), 9) == "aaaabbaaa"


def test_a_function_decides() -> None:
    """It sees the state of the first method and the number of its steps, before each step."""
    seen = []

    def switch(state: State, steps: int) -> bool:
        seen.append((float(state.x[0]), steps, type(state)))
        return bool(state.x[0] >= 2.0)

    assert letters(Hybrid(Shift(1.0, "a"), Shift(0.25, "b"), switch), 5) == "aabbb"
    assert seen == [(0.0, 0, State), (1.0, 1, State), (2.0, 2, State)]
    assert letters(Hybrid(Shift(1.0, "a"), Shift(0.25, "b"), lambda state, k: True), 3) == "bbb"


def test_a_first_method_that_cannot_go_on_hands_over() -> None:
    """Its ending is not that of the run; the second one's is."""
    first, then = Shift(1.0, "a", ends_at=2.0), Shift(1.0, "b", ends_at=4.0)
    method = Hybrid(first, then, 100)
    run = minimize(slope(), np.zeros(1), method, gtol=0.0)
    assert "".join(row.subproblem for row in run.trace) == "aabb"
    assert run.ending is Ending.NO_DECREASE


def test_the_second_half_is_a_run_of_its_own() -> None:
    """The trace is that of the first method cut short, and then that of the second from there."""
    problem, x0 = Rosenbrock(6), np.full(6, -1.0)
    first, then = CubicRegularization(), TrustRegion()
    cut = minimize(problem, x0, first, maxiter=5)
    rest = minimize(problem, cut.x, then)
    run = minimize(problem, x0, Hybrid(first, then, 5))
    columns = ("value", "gradient_norm", "radius", "sigma", "ratio", "step_norm")
    for name in columns:
        joined = [*cut.trace.column(name), *rest.trace.column(name)[1:]]
        np.testing.assert_array_equal(run.trace.column(name), joined)
    assert np.array_equal(run.x, rest.x)
    assert run.nit == cut.nit + rest.nit
    for count in ("nfev", "njev", "nhev", "nhvp"):
        # One value and one gradient where the second begins are in `rest` too. The look for
        # negative curvature is in proportion to the whole run.
        looks = (run.nhvp_evidence - rest.nhvp_evidence) if count == "nhvp" else 0
        extra = rest[count] + cut[count] + looks - run[count]
        assert extra == 0
    assert run.ending is rest.ending


def test_stochastic_gradients_after_a_trust_region() -> None:
    """The Hybrid of the paper on samples: equal seeds, equal traces, and a lower loss."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 3))
    problem = LogisticRegression(X, np.sign(X[:, 0] + rng.standard_normal(90)), l2=0.05)
    region = StochasticTrustRegion(gradient_batch=45, hessian_batch="same", value_batch="same")
    descent = GradientDescent(rate=0.3, batch=30)
    method = Hybrid(Hybrid(region, descent, 6), region, 12)
    runs = [minimize(problem, np.full(3, 3.0), method, maxiter=18, gtol=0.0) for _ in range(2)]
    assert runs[0].trace == runs[1].trace
    assert runs[0].fun < 0.5 * problem.value(np.full(3, 3.0))
    regions = [row.radius is not None and row.matvecs > 0 for row in runs[0].trace][1:]
    assert regions == [True] * 6 + [False] * 6 + [True] * 6
    assert method.stochastic


def test_states_are_not_changed_by_a_step() -> None:
    """Two steps from one state are one step, over the switch too."""
    problem = Evaluator(Rosenbrock(2))
    method = Hybrid(TrustRegion(radius=0.1), CubicRegularization(), 2)
    state = method.init(problem, np.array([-1.2, 1.0]), np.random.default_rng(0))
    for _ in range(4):
        once = method.step(problem, state, np.random.default_rng(0))
        method.step(problem, once, np.random.default_rng(0))
        again = method.step(problem, state, np.random.default_rng(0))
        assert np.array_equal(once.x, again.x)
        assert once.records == again.records
        state = once


def test_the_second_method_is_not_asked_to_step_from_its_goal() -> None:
    """Where the gradient is zero at the switch, no step is made from it."""
    problem = FunctionProblem(
        lambda x: float(x @ x), lambda x: 2.0 * x, hess=lambda x: 2 * np.eye(1)
    )
    state = Shift(1.0, "a").init(Evaluator(problem), np.zeros(1), np.random.default_rng(0))
    method = Hybrid(Shift(1.0, "a"), TrustRegion(), lambda state, k: True)
    begun = method.init(Evaluator(problem), np.zeros(1), np.random.default_rng(0))
    after = method.step(Evaluator(problem), begun, np.random.default_rng(0))
    assert np.array_equal(after.x, state.x)
    assert after.records == ()


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        (False, False, False),
        (False, None, None),
        (None, False, None),
        (None, True, True),
        (True, False, True),
    ],
)
def test_the_more_demanding_method_says_what_is_asked_at_a_stationary_point(
    first: bool | None, then: bool | None, expected: bool | None
) -> None:
    a, b = Shift(1.0, "a", second_order=first), Shift(1.0, "b", second_order=then)
    assert Hybrid(a, b, 1).second_order is expected


def test_it_is_stochastic_if_one_of_the_two_is() -> None:
    quiet, noisy = Shift(1.0, "a"), Shift(1.0, "b", noisy=True)
    pairs = [(quiet, quiet), (quiet, noisy), (noisy, quiet)]
    assert [Hybrid(a, b, 1).stochastic for a, b in pairs] == [False, True, True]


def test_both_methods_get_what_they_need() -> None:
    """A Hessian that only the second one needs is missed before any evaluation."""
    for method in (
        Hybrid(GradientDescent(), TrustRegion(), 3),
        Hybrid(TrustRegion(), GradientDescent(), 3),
    ):
        with pytest.raises(ArgumentError, match="hessian"):
            minimize(slope(), np.zeros(1), method)


@pytest.mark.parametrize("switch", [0, -1, 2.0, None, True, "soon"])
def test_a_switch_is_a_number_of_steps_or_a_function(switch: Any) -> None:
    with pytest.raises(ArgumentError, match="switch"):
        Hybrid(TrustRegion(), TrustRegion(), switch)


def test_both_have_to_be_methods() -> None:
    with pytest.raises(ArrayTypeError, match="first"):
        Hybrid("newton", TrustRegion(), 3)  # type: ignore[arg-type]
    with pytest.raises(ArrayTypeError, match="then"):
        Hybrid(TrustRegion(), TrustRegion, 3)  # type: ignore[arg-type]
