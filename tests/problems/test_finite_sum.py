"""Means over samples: subsets, samples, gradients of the terms, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.arrays import namespace
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator, Operator, WrappedOperator
from tralgos.problems import (
    FiniteSum,
    LeastSquares,
    LogisticRegression,
    SoftmaxRegression,
    TwoLayerNetwork,
)

N, P, L2 = 6, 3, 0.3
RNG = np.random.default_rng(5)
X = RNG.standard_normal((N, P))
Y = RNG.standard_normal(N)
Y2 = RNG.standard_normal((N, 2))
SIGNS = np.array([1, -1, -1, 1, 1, -1])
LABELS = np.array([2, 0, 1, 1, 0, 2])

#: Each makes a problem from a data matrix and a function that makes arrays.
MAKERS: dict[str, Callable[[Any, Any], FiniteSum]] = {
    "least-squares": lambda X, a: LeastSquares(X, a(Y), l2=L2),
    "logistic": lambda X, a: LogisticRegression(X, SIGNS, l2=L2),
    "softmax": lambda X, a: SoftmaxRegression(X, LABELS, 3, l2=L2),
    "two-layer-softmax": lambda X, a: TwoLayerNetwork(X, LABELS, 2, l2=L2),
    "two-layer-squared": lambda X, a: TwoLayerNetwork(X, a(Y2), 2, "sigmoid", "squared", l2=L2),
}

every_problem = pytest.mark.parametrize("kind", MAKERS)


def make(kind: str, data: Any = X) -> FiniteSum:
    return MAKERS[kind](data, np.asarray)


def point(problem: FiniteSum) -> np.ndarray:
    return np.random.default_rng(problem.n).standard_normal(problem.n)


def figures(problem: FiniteSum, x: Any) -> np.ndarray:
    """Value, gradient, and products of both curvatures with a fixed direction, in one vector."""
    v = x[::-1].copy()
    parts = [
        [problem.value(x)],
        problem.gradient(x),
        problem.hessian(x) @ v,
        problem.gauss_newton(x) @ v,
    ]
    return np.concatenate(parts)


class Products(Operator):
    """A matrix known by its products with vectors alone, living nowhere in particular."""

    def __init__(self, matrix: np.ndarray, home: Any = None) -> None:
        super().__init__(matrix.shape, name="products", home=home)
        self.matrix = matrix

    @property
    def has_transpose(self) -> bool:
        return True

    def _matvec(self, x: Any) -> Any:
        return self.matrix @ x

    def _rmatvec(self, x: Any) -> Any:
        return self.matrix.T @ x


# -------------------------------------------------------------------- subsets


@every_problem
@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_mean_over_all_subsets_of_a_size_is_the_whole(kind: str, size: int) -> None:
    """Unbiasedness of value, gradient and curvature; fails if a subset is scaled wrongly."""
    problem = make(kind)
    x = point(problem)
    parts = [figures(problem.subset(rows), x) for rows in combinations(range(N), size)]
    np.testing.assert_allclose(np.mean(parts, axis=0), figures(problem, x), rtol=1e-12, atol=1e-14)


@every_problem
def test_the_subset_of_all_terms_is_the_problem(kind: str) -> None:
    problem = make(kind)
    x = point(problem)
    whole = problem.subset(range(N))
    assert type(whole) is type(problem)
    assert (whole.size, whole.n, whole.l2) == (problem.size, problem.n, problem.l2)
    np.testing.assert_array_equal(figures(whole, x), figures(problem, x))


@every_problem
def test_a_subset_of_a_subset_counts_from_its_own_rows(kind: str) -> None:
    problem = make(kind)
    x = point(problem)
    got = problem.subset([4, 0, 2]).subset([2, 1])
    np.testing.assert_allclose(figures(got, x), figures(problem.subset([2, 0]), x), rtol=1e-13)


@every_problem
@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=9))
def test_gradients_of_the_terms_have_the_gradient_as_mean(kind: str, rows: list[int]) -> None:
    """Without the regulariser, in the order of the indices, repetitions included."""
    problem = make(kind)
    x = point(problem)
    G = problem.sample_gradients(x, rows)
    assert G.shape == (len(rows), problem.n)
    want = problem.subset(rows).gradient(x)
    np.testing.assert_allclose(G.mean(axis=0) + L2 * x, want, atol=1e-13)
    last = problem.subset([rows[-1]]).gradient(x) - L2 * x
    np.testing.assert_allclose(G[-1], last, atol=1e-13)


@every_problem
def test_gradients_of_all_terms_by_default(kind: str) -> None:
    problem = make(kind)
    x = point(problem)
    np.testing.assert_array_equal(
        problem.sample_gradients(x), problem.sample_gradients(x, np.arange(N))
    )


def test_the_regulariser_belongs_to_the_subset_as_a_whole() -> None:
    x = np.ones(P)
    with_, without = LeastSquares(X, Y, l2=L2), LeastSquares(X, Y)
    np.testing.assert_array_equal(with_.sample_gradients(x), without.sample_gradients(x))
    for rows in ([0], [1, 2, 3]):
        added = with_.subset(rows).value(x) - without.subset(rows).value(x)
        assert added == pytest.approx(0.5 * L2 * P)


def test_what_is_known_of_the_minimum_is_not_handed_to_a_subset() -> None:
    problem = LeastSquares(X, Y)
    problem.optimal_value, problem.minimisers = 0.0, (np.zeros(P),)
    part = problem.subset([0, 1])
    assert part.optimal_value is None
    assert part.minimisers == ()
    assert problem.size == N


# -------------------------------------------------------------------- samples


def test_samples_are_drawn_without_replacement_and_evenly() -> None:
    """With A = I the gradient at 0 shows which rows were drawn."""
    size, b, draws = 8, 3, 600
    problem = LeastSquares(np.eye(size), np.ones(size))
    rng = np.random.default_rng(1)
    counts = np.zeros(size)
    for _ in range(draws):
        drawn = -b * problem.sample(b, rng).gradient(np.zeros(size))
        assert sorted(drawn.round(12)) == [0.0] * (size - b) + [1.0] * b
        counts += drawn
    # Standard deviation sqrt(600 * 3/8 * 5/8) = 12.
    assert np.all(np.abs(counts - draws * b / size) < 60)


@every_problem
def test_one_seed_gives_one_sample_and_a_full_sample_is_the_whole(kind: str) -> None:
    problem = make(kind)
    x = point(problem)
    a, b = (problem.sample(3, np.random.default_rng(9)).gradient(x) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    full = problem.sample(N, np.random.default_rng(9))
    np.testing.assert_array_equal(figures(full, x), figures(problem, x))


# -------------------------------------------------------------------- forms of the data


@every_problem
@pytest.mark.parametrize(
    "form",
    [
        sp.csr_array,
        lambda X: Products(X, home=X),
        lambda X: CountingOperator(sp.csr_array(X)),
    ],
    ids=["sparse", "operator", "counted"],
)
def test_sparse_data_and_operators_give_what_the_array_gives(kind: str, form: Any) -> None:
    dense, other = make(kind), make(kind, form(X))
    x = point(dense)
    rows = [3, 1, 3, 5, 3, 1]
    np.testing.assert_allclose(figures(other, x), figures(dense, x), atol=1e-13)
    np.testing.assert_allclose(
        figures(other.subset(rows), x), figures(dense.subset(rows), x), atol=1e-13
    )
    np.testing.assert_allclose(
        figures(other.subset(rows).subset([0, 1, 1]), x),
        figures(dense.subset([3, 1, 1]), x),
        atol=1e-13,
    )
    for chosen in (None, rows):
        np.testing.assert_allclose(
            other.sample_gradients(x, chosen), dense.sample_gradients(x, chosen), atol=1e-13
        )


def test_an_operator_without_a_home_lives_where_the_targets_do() -> None:
    x = np.array([1.0, -1.0, 0.5])
    problem = LeastSquares(Products(X), Y)
    np.testing.assert_allclose(figures(problem, x), figures(LeastSquares(X, Y), x), rtol=1e-13)
    np.testing.assert_allclose(
        figures(problem.subset([2, 2, 0]), x),
        figures(LeastSquares(X, Y).subset([2, 2, 0]), x),
        rtol=1e-12,
    )


@pytest.mark.parametrize(
    ("kind", "columns"),
    [("least-squares", 1), ("logistic", 1), ("softmax", 3), ("two-layer-softmax", 2)],
)
def test_passes_over_the_data(kind: str, columns: int) -> None:
    """A value costs one pass, a gradient two, a Hessian one and two for each product."""
    counter = CountingOperator(X)
    problem = make(kind, counter)
    x = point(problem)

    def passes(work: Callable[[], Any]) -> float:
        counter.count = 0
        work()
        return counter.count / columns

    assert passes(lambda: problem.value(x)) == 1
    assert passes(lambda: problem.gradient(x)) == 2
    assert passes(lambda: problem.value_and_gradient(x)) == 2
    for curvature in (problem.hessian, problem.gauss_newton):
        assert passes(lambda f=curvature: f(x)) == 1
        H = curvature(x)
        assert passes(lambda A=H: A @ x) == 2
        assert H.symmetric


# -------------------------------------------------------------------- libraries


@every_problem
def test_every_library_gives_what_numpy_gives(kind: str, xp_case: Xp) -> None:
    """Also that float32 stays float32, on every device."""
    want = make(kind)
    problem = MAKERS[kind](xp_case.array(X), xp_case.array)
    host = point(want)
    x, rows = xp_case.array(host), [5, 0, 0]
    rtol = 500 * xp_case.eps
    for ours, theirs in [(problem, want), (problem.subset(rows), want.subset(rows))]:
        assert type(ours.value(x)) is float
        np.testing.assert_allclose(ours.value(x), theirs.value(host), rtol=rtol)
        pairs = [
            (ours.gradient(x), theirs.gradient(host)),
            (ours.value_and_gradient(x)[1], theirs.gradient(host)),
            (ours.hessian(x) @ x, theirs.hessian(host) @ host),
            (ours.gauss_newton(x) @ x, theirs.gauss_newton(host) @ host),
            (ours.sample_gradients(x), theirs.sample_gradients(host)),
        ]
        for got, expected in pairs:
            assert xp_case.owns(got)
            scale = np.abs(expected).max()
            np.testing.assert_allclose(xp_case.numpy(got), expected, rtol=rtol, atol=rtol * scale)


@every_problem
def test_host_fetches(kind: str, strict_case: Xp, host_fetches: FetchCounter) -> None:
    """A value fetches one number; gradients, products and samples none."""
    problem = MAKERS[kind](strict_case.array(X), strict_case.array)
    x = strict_case.array(point(problem))
    host_fetches.reset()
    problem.gradient(x)
    problem.hessian(x).matvec(x)
    part = problem.sample(2, np.random.default_rng(0))
    part.gradient(x)
    problem.sample_gradients(x, [0, 1])
    assert host_fetches.count == 0
    problem.value(x)
    assert host_fetches.count == 1


def test_indices_may_be_an_array_of_any_library(xp_case: Xp) -> None:
    problem = LeastSquares(xp_case.array(X), xp_case.array(Y))
    x = xp_case.array(np.ones(P))
    rows = xp_case.array([4, 1])
    rows = namespace(rows).astype(rows, xp_case.xp.int64)
    np.testing.assert_array_equal(
        xp_case.numpy(problem.subset(rows).gradient(x)),
        xp_case.numpy(problem.subset([4, 1]).gradient(x)),
    )


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("indices", "error", "message"),
    [
        ([], ArgumentError, "at least one term"),
        ([0, N], ArgumentError, f"between 0 and {N - 1}, got {N}"),
        ([-1, 2], ArgumentError, "got -1"),
        ([0.0, 1.0], ArrayTypeError, "indices must be integers"),
        ([True, False], ArrayTypeError, "indices must be integers"),
        (["a"], ArrayTypeError, "indices must be integers"),
        (3, ArrayTypeError, "sequence of integers"),
        ([[0], [1, 2]], ArrayTypeError, "sequence of integers"),
        ([[0, 1]], ShapeError, "one-dimensional"),
        (np.zeros((2, 2), dtype=np.int64), ShapeError, "one-dimensional"),
    ],
)
def test_bad_indices(indices: Any, error: type[Exception], message: str) -> None:
    problem = LeastSquares(X, Y)
    with pytest.raises(error, match=message):
        problem.subset(indices)
    with pytest.raises(error, match=message):
        problem.sample_gradients(np.zeros(P), indices)


@every_problem
def test_bad_points(kind: str) -> None:
    problem = make(kind)
    with pytest.raises(ArrayTypeError, match=r"x has dtype float32 but the data of"):
        problem.value(point(problem).astype(np.float32))
    with pytest.raises(ShapeError, match="variables"):
        problem.sample_gradients(np.zeros(problem.n + 1))


@pytest.mark.parametrize("l2", [-1.0, np.nan, np.inf, "1", True])
def test_bad_l2(l2: Any) -> None:
    with pytest.raises(ArgumentError, match="l2"):
        LeastSquares(X, Y, l2=l2)


@every_problem
def test_bad_data(kind: str) -> None:
    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        make(kind, np.vstack([X[1:], [np.nan] * P]))
    with pytest.raises(ShapeError, match="must not be empty"):
        make(kind, np.zeros((N, 0)))
    with pytest.raises(ArrayTypeError, match="must know its transpose"):
        make(kind, WrappedOperator(_OnlyForward()))


def test_an_operator_has_to_say_where_it_lives() -> None:
    with pytest.raises(ArrayTypeError, match="X must say where it lives"):
        LogisticRegression(Products(X), SIGNS)


class _OnlyForward:
    shape = (N, P)

    def matvec(self, x: Any) -> Any:
        return X @ x
