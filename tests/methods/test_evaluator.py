"""The evaluator: what is counted, what the budgets allow, and the guard of symmetry."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from tests.methods.support import rosenbrock
from tralgos import Ending
from tralgos.errors import ArgumentError, AsymmetryError
from tralgos.methods.evaluator import Budget, Counts, Evaluator, RunEnded
from tralgos.operators import Operator
from tralgos.problems import FunctionProblem, Problem, Rosenbrock, StochasticProblem


class Means(StochasticProblem):
    """The mean of `size` copies of Rosenbrock's function."""

    has_hessian = True

    def __init__(self, size: int | None) -> None:
        super().__init__(2, name="means")
        self.size = size

    def _sample(self, size: int, rng: np.random.Generator) -> Problem:
        return rosenbrock()

    def _value(self, x: Any) -> Any:
        return rosenbrock().value(x)

    def _gradient(self, x: Any) -> Any:
        return rosenbrock().gradient(x)

    def _hessian(self, x: Any) -> Any:
        return rosenbrock().hessian(x)


X = np.array([-1.2, 1.0])


def figures(counts: Counts) -> tuple[float, ...]:
    return counts.nfev, counts.njev, counts.nhev, counts.nhvp, counts.backpropagations


def test_what_each_evaluation_counts() -> None:
    """A gradient is one backpropagation and a product two; a value is none."""
    evaluator = Evaluator(rosenbrock())
    evaluator.value(X)
    assert figures(evaluator.counts) == (1, 0, 0, 0, 0.0)
    evaluator.gradient(X)
    assert figures(evaluator.counts) == (1, 1, 0, 0, 1.0)
    evaluator.value_and_gradient(X)
    assert figures(evaluator.counts) == (2, 2, 0, 0, 2.0)
    H = evaluator.curvature(X)
    assert figures(evaluator.counts) == (2, 2, 1, 0, 2.0)
    product = H @ X
    assert product == pytest.approx(np.asarray(rosenbrock().hessian(X).array) @ X)
    assert figures(evaluator.counts) == (2, 2, 1, 1, 4.0)


def test_products_by_differences_count_gradients_too() -> None:
    """One each, and none for the point itself where its gradient is handed in."""
    evaluator = Evaluator(rosenbrock())
    gradient = evaluator.gradient(X)
    H = evaluator.curvature(X, "finite-difference", gradient=gradient)
    _ = H @ X
    assert figures(evaluator.counts) == (0, 2, 1, 1, 4.0)


def test_gauss_newton_is_not_the_hessian() -> None:
    """J'J of the residuals, here (10 (x_2 - x_1^2), 1 - x_1) times the root of two or of one."""
    problem = Rosenbrock(2)
    v = np.array([1.0, 2.0])
    product = Evaluator(problem).curvature(X, "gauss-newton") @ v
    assert product == pytest.approx(problem.gauss_newton(X) @ v)
    assert product != pytest.approx(problem.hessian(X) @ v)


@pytest.mark.parametrize(("size", "share"), [(8, 0.25), (None, 1.0)])
def test_a_sample_belongs_to_the_run(size: int | None, share: float) -> None:
    """Counts, budget and tolerance are the same; backpropagations are shares of the terms."""
    evaluator = Evaluator(Means(size), 1e-3, Budget(1, 1e300))
    part = evaluator.sample(2, np.random.default_rng(0))
    assert (part.gtol, part.budget, part.counts) == (1e-3, evaluator.budget, evaluator.counts)
    part.value_and_gradient(X)
    H = part.curvature(X)
    _ = H @ X
    assert figures(evaluator.counts) == (1, 1, 1, 1, 3.0 * share)
    with pytest.raises(RunEnded):
        _ = H @ X


def test_samples_are_those_of_terms() -> None:
    with pytest.raises(ArgumentError, match="no terms to take samples of"):
        Evaluator(rosenbrock()).sample(1, np.random.default_rng(0))


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_product_budget_is_exact(limit: int) -> None:
    evaluator = Evaluator(rosenbrock(), budget=Budget(limit))
    H = evaluator.curvature(X)
    for k in range(limit):
        assert evaluator.matvecs_left == limit - k
        _ = H @ X
    assert evaluator.matvecs_left == 0
    with pytest.raises(RunEnded) as ended:
        _ = H @ X
    assert ended.value.ending is Ending.MAX_MATVEC
    assert evaluator.counts.nhvp == limit
    assert Evaluator(rosenbrock()).matvecs_left is None


def test_a_smaller_budget_than_was_spent_leaves_nothing() -> None:
    evaluator = Evaluator(rosenbrock(), counts=Counts(nhvp=7), budget=Budget(3))
    assert evaluator.matvecs_left == 0


def test_nothing_is_evaluated_past_the_deadline() -> None:
    """Neither values nor gradients nor products, nor counted."""
    evaluator = Evaluator(rosenbrock(), budget=Budget(deadline=-1.0))
    H = evaluator.curvature(X)
    for call in (evaluator.value, evaluator.gradient, evaluator.value_and_gradient, H.matvec):
        with pytest.raises(RunEnded) as ended:
            call(X)
        assert ended.value.ending is Ending.TIME_LIMIT
    assert figures(evaluator.counts) == (0, 0, 1, 0, 0.0)
    Evaluator(rosenbrock(), budget=Budget(deadline=1e300)).value(X)


def test_curvature_that_is_not_there_is_named_with_those_that_are() -> None:
    plain = FunctionProblem(lambda x: 0.0, lambda x: x, name="plain")
    with pytest.raises(ArgumentError, match="hessian='exact' is not there in plain; it has 'fin"):
        Evaluator(plain).curvature(X)
    product = Evaluator(plain).curvature(X, "finite-difference") @ X
    assert product == pytest.approx(X)
    with pytest.raises(ArgumentError, match=r"it has 'exact', 'finite-difference'$"):
        Evaluator(rosenbrock()).require("gauss-newton")


# ---------------------------------------------------------------------- symmetry


class Products(Operator):
    """A matrix that shows its products alone, in a vector that it uses again."""

    def __init__(self, H: np.ndarray, **options: Any) -> None:
        super().__init__(H.shape, name="H", **options)
        self._H = H
        self.count = 0

    def _matvec(self, x: Any) -> Any:
        self.count += 1
        return self._H @ x


class Given(Problem):
    """Has one operator for a Hessian."""

    has_hessian = True

    def __init__(self, operator: Operator) -> None:
        super().__init__(operator.shape[0], name="given")
        self._operator = operator

    def _value(self, x: Any) -> Any:
        return 0.0

    def _gradient(self, x: Any) -> Any:
        return x

    def _hessian(self, x: Any) -> Any:
        return self._operator


def multiply(evaluator: Evaluator, *vectors: Any) -> None:
    H = evaluator.curvature(np.zeros(2))
    for v in vectors:
        H.matvec(np.asarray(v, dtype=float))


E1, E2 = [1.0, 0.0], [0.0, 1.0]


@pytest.mark.parametrize("size", [1.0, 1e-60, 1e60])
def test_asymmetry_is_seen_in_the_second_product(size: float) -> None:
    """At no product of its own, in any unit; and the difference is told."""
    skew = Products(size * np.array([[0.0, 1.0], [0.5, 0.0]]))
    with pytest.raises(AsymmetryError, match=r"differ by 0\.5 of their size"):
        multiply(Evaluator(Given(skew)), E1, E2)
    assert skew.count == 2


@pytest.mark.parametrize(("asymmetry", "named"), [(0.009, False), (0.011, True)])
def test_how_much_asymmetry_is_too_much(asymmetry: float, named: bool) -> None:
    """A hundredth of the size |u| |Hv|, whatever the lengths of u and v are."""
    H = np.array([[0.0, 1.0], [1.0 - asymmetry, 0.0]])
    evaluator = Evaluator(Given(Products(H)))
    if named:
        with pytest.raises(AsymmetryError):
            multiply(evaluator, [10.0, 0.0], E2)
    else:
        multiply(evaluator, [10.0, 0.0], E2)


@pytest.mark.parametrize(("tolerance", "named"), [(0.6, False), (0.4, True)])
def test_an_operator_may_know_its_own_tolerance(tolerance: float, named: bool) -> None:
    H = np.array([[0.0, 1.0], [0.5, 0.0]])
    evaluator = Evaluator(Given(Products(H, symmetry_tolerance=tolerance)))
    assert evaluator.curvature(np.zeros(2)).symmetry_tolerance == tolerance
    if named:
        with pytest.raises(AsymmetryError):
            multiply(evaluator, E1, E2)
    else:
        multiply(evaluator, E1, E2)


def test_vectors_are_copied_for_the_comparison() -> None:
    """A solver may write the next vector over the last one, and an operator its products."""
    kept = np.empty(2)

    class InPlace(Products):
        def _matvec(self, x: Any) -> Any:
            np.matmul(self._H, x, out=kept)
            return kept

    for H, named in (([[2.0, 1.0], [1.0, 3.0]], False), ([[2.0, 1.0], [0.0, 3.0]], True)):
        counted = Evaluator(Given(InPlace(np.array(H)))).curvature(np.zeros(2))
        v = np.array([1.0, 0.0])
        counted.matvec(v)
        v[:] = [0.25, 1.0]
        with pytest.raises(AsymmetryError) if named else nullcontext():
            counted.matvec(v)


def test_one_comparison_a_run() -> None:
    """Of one operator: products of different points are not compared with each other."""
    evaluator = Evaluator(Given(Products(np.array([[0.0, 1.0], [0.5, 0.0]]))))
    multiply(evaluator, E1)
    multiply(evaluator, E2)
    evaluator = Evaluator(Given(Products(np.eye(2))))
    multiply(evaluator, E1, E2)
    evaluator.problem = Given(Products(np.array([[0.0, 1.0], [0.5, 0.0]])))
    multiply(evaluator, E1, E2)


def test_a_stated_symmetry_is_believed() -> None:
    skew = Products(np.array([[0.0, 1.0], [0.5, 0.0]]), symmetric=True)
    multiply(Evaluator(Given(skew)), E1, E2)


@pytest.mark.parametrize("size", [1e-170, 1e170])
def test_symmetry_of_extreme_products(size: float) -> None:
    """No error and no warning for a symmetric matrix, whatever its rounding is."""
    H = size * np.array([[1.0, 1.0 + 2.0**-52], [1.0, 1.0]])
    multiply(Evaluator(Given(Products(H))), [1.0, 0.3], [0.7, -1.1])


def test_counted_operator_is_like_its_operand() -> None:
    H = Evaluator(rosenbrock()).curvature(X)
    operand = rosenbrock().hessian(X)
    assert H.magnitude == operand.magnitude
    assert H.magnitude is not None
    assert H.symmetric is True
    assert (H.shape, H.name) == (operand.shape, operand.name)
    asked = []

    class Homely(Products):
        def check_home(self, x: Any, x_name: str) -> None:
            asked.append(x_name)

    Evaluator(Given(Homely(np.eye(2)))).curvature(X).check_home(X, "start")
    assert asked[-1] == "start"


def test_trials_that_overflow_do_not_warn() -> None:
    """Values, gradients and products: a trial far out is a rejection."""
    problem = FunctionProblem(
        lambda x: x[0] ** 4 - x[0] ** 4,
        lambda x: x**4 - x**4,
        hessp=lambda x, v: v * x**4 - v * x**4,
        n=2,
    )
    far, evaluator = np.full(2, 1e200), Evaluator(problem)
    assert np.isnan(evaluator.value(far))
    assert np.isnan(evaluator.gradient(far)).all()
    assert np.isnan(evaluator.value_and_gradient(far)[0])
