"""Two linear layers: rationals, complex steps, Eckart and Young, and what the generators draw."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator
from tralgos.problems.rahimi_recht import TwoLayerLinear, rahimi_recht

N, P, H, K = 7, 4, 2, 3
RNG = np.random.default_rng(17)
X = RNG.standard_normal((N, P))
A = RNG.standard_normal((K, P))
SIZE = H * (P + K)

seeds = st.integers(0, 2**32 - 1)
every_reduction = pytest.mark.parametrize("reduction", ["sum", "mean"])


def layers(reduction: str = "sum", l2: float = 0.0, hidden: int = H) -> TwoLayerLinear:
    return TwoLayerLinear(X, A, hidden, reduction=reduction, l2=l2)


def point(seed: int = 0, n: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def dense(operator: Any) -> np.ndarray:
    return np.asarray(operator @ np.eye(operator.shape[0]))


def gradient(x: np.ndarray, l2: float, scale: float) -> np.ndarray:
    """Of scale ||(W2 W1 - A) X'||^2 + (l2/2) ||x||^2, for complex points too."""
    W1, W2 = x[: H * P].reshape(H, P), x[H * P :].reshape(K, H)
    E = 2.0 * scale * (W2 @ W1 - A) @ X.T @ X
    return np.concatenate([(W2.T @ E).ravel(), (E @ W1.T).ravel()]) + l2 * x


# -------------------------------------------------------------------- the function


@every_reduction
def test_value_in_exact_rationals(reduction: str) -> None:
    """No factor of one half, the sum or the mean over samples, and half of l2."""
    rows, target, hidden = [[1, 2], [3, -1], [0, 4]], [[2, 1], [-1, 3]], 1
    W1, W2, l2 = [1, -2], [3, 2], Fraction(1, 4)
    total = Fraction(0)
    for r in rows:
        unit = sum(w * a for w, a in zip(W1, r, strict=True))
        for w, row in zip(W2, target, strict=True):
            total += (w * unit - sum(a * b for a, b in zip(row, r, strict=True))) ** 2
    scale = Fraction(1) if reduction == "sum" else Fraction(1, 3)
    value = scale * total + l2 * sum(w * w for w in W1 + W2) / 2
    problem = TwoLayerLinear(
        np.array(rows, dtype=float),
        np.array(target, dtype=float),
        hidden,
        reduction=reduction,
        l2=0.25,
    )
    assert problem.value(np.array(W1 + W2, dtype=float)) == pytest.approx(float(value), rel=1e-15)


@every_reduction
@pytest.mark.parametrize("l2", [0.0, 0.3])
@given(seed=seeds)
def test_derivatives_by_complex_steps(reduction: str, l2: float, seed: int) -> None:
    problem, x = layers(reduction, l2), point(seed)
    scale = 1.0 if reduction == "sum" else 1.0 / N
    want = gradient(x, l2, scale)
    np.testing.assert_allclose(problem.gradient(x), want, atol=1e-12 * np.abs(want).max())
    value, both = problem.value_and_gradient(x)
    assert value == problem.value(x)
    np.testing.assert_array_equal(both, problem.gradient(x))
    hessian = [np.imag(gradient(x + 1e-30j * e, l2, scale)) / 1e-30 for e in np.eye(SIZE)]
    got = dense(problem.hessian(x))
    np.testing.assert_allclose(got, hessian, atol=1e-12 * np.abs(got).max())
    W1, W2 = problem.weights(x)
    rows = [
        np.concatenate([np.outer(W2[j], r).ravel(), np.kron(np.eye(K)[j], W1 @ r)])
        for r in X
        for j in range(K)
    ]
    J = np.stack(rows)
    want = 2.0 * scale * J.T @ J + l2 * np.eye(SIZE)
    G = dense(problem.gauss_newton(x))
    np.testing.assert_allclose(G, want, atol=1e-12 * np.abs(G).max())


def test_the_sum_is_as_many_times_the_mean_as_there_are_samples() -> None:
    x = point()
    total, mean = layers("sum"), layers("mean")
    assert total.value(x) == pytest.approx(N * mean.value(x))
    np.testing.assert_allclose(total.gradient(x), N * mean.gradient(x))
    np.testing.assert_allclose(total.hessian(x) @ x, N * (mean.hessian(x) @ x))


@every_reduction
def test_derivatives_are_found_right(reduction: str) -> None:
    for l2 in (0.0, 0.3):
        check = layers(reduction, l2).check_derivatives(point(3))
        assert check.ok, check.message


def test_the_weights_of_a_point() -> None:
    W1, W2 = layers().weights(np.arange(float(SIZE)))
    np.testing.assert_array_equal(W1, np.arange(8.0).reshape(H, P))
    np.testing.assert_array_equal(W2, np.arange(8.0, 14.0).reshape(K, H))
    with pytest.raises(ShapeError, match="variables"):
        layers().weights(np.ones(SIZE + 1))


# -------------------------------------------------------------------- terms


@every_reduction
@pytest.mark.parametrize("size", [1, 3])
def test_the_mean_over_all_subsets_of_a_size_is_the_whole(reduction: str, size: int) -> None:
    problem, x = layers(reduction, 0.3), point()
    v = point(1)
    parts = [problem.subset(rows) for rows in combinations(range(N), size)]
    assert np.mean([p.value(x) for p in parts]) == pytest.approx(problem.value(x))
    for of in (
        lambda p: p.gradient(x),
        lambda p: p.hessian(x) @ v,
        lambda p: p.gauss_newton(x) @ v,
    ):
        np.testing.assert_allclose(np.mean([of(p) for p in parts], axis=0), of(problem), rtol=1e-10)


@every_reduction
@given(rows=st.lists(st.integers(0, N - 1), min_size=1, max_size=9))
def test_gradients_of_the_terms(reduction: str, rows: list[int]) -> None:
    problem, x = layers(reduction, 0.3), point()
    G = problem.sample_gradients(x, rows)
    want = problem.subset(rows).gradient(x)
    np.testing.assert_allclose(G.mean(axis=0) + 0.3 * x, want, atol=1e-11)
    last = problem.subset([rows[-1]]).gradient(x) - 0.3 * x
    np.testing.assert_allclose(G[-1], last, atol=1e-11)


def test_passes_over_the_data() -> None:
    counter = CountingOperator(sp.csr_array(X))
    problem, x = TwoLayerLinear(counter, A, H), point()

    def passes(work: Any) -> float:
        counter.count = 0
        work()
        return counter.count / H

    assert passes(lambda: problem.value(x)) == 1
    assert passes(lambda: problem.gradient(x)) == 2
    assert passes(lambda: problem.value_and_gradient(x)) == 2
    for curvature in (problem.hessian, problem.gauss_newton):
        assert passes(lambda f=curvature: f(x)) == 1
        B = curvature(x)
        assert passes(lambda B=B: B @ x) == 2
        assert B.symmetric
    np.testing.assert_allclose(problem.gradient(x), layers().gradient(x))
    assert problem.optimal_value == pytest.approx(layers().optimal_value)


# -------------------------------------------------------------------- fewer samples


@every_reduction
@pytest.mark.parametrize("rows", [1, 3, 4, 7])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_fewer_samples_make_the_same_function(reduction: str, rows: int, l2: float) -> None:
    """Also of a subset, of fewer samples than features, and twice over."""
    whole = layers(reduction, l2).subset(range(rows))
    part = whole.condensed()
    assert part.size == min(rows, P)
    assert (whole.size, part.n) == (rows, whole.n)
    x, v = point(5), point(6)
    for small in (part, part.condensed()):
        assert small.value(x) == pytest.approx(whole.value(x), rel=1e-13)
        for of in (
            lambda p: p.gradient(x),
            lambda p: p.hessian(x) @ v,
            lambda p: p.gauss_newton(x) @ v,
            lambda p: p.linearize(x).gauss_newton(v),
        ):
            want = of(whole)
            np.testing.assert_allclose(of(small), want, atol=1e-13 * np.abs(want).max())
    whole_outputs = rows * K + (SIZE if l2 else 0)
    assert whole.linearize(x).jacobian.shape[0] == whole_outputs
    assert part.linearize(x).jacobian.shape[0] == whole_outputs - (rows - part.size) * K


def test_fewer_samples_keep_what_is_known_of_the_minimum() -> None:
    whole = rahimi_recht(rng=2)
    part = whole.condensed()
    assert (part.optimal_value, part.name) == (0.0, whole.name)
    assert part.value(part.minimisers[0]) < 1e-24
    assert part.size == 6


# -------------------------------------------------------------------- the minimum


@pytest.mark.parametrize("hidden", [1, 2, 3, 4, 6])
@every_reduction
@given(seed=seeds)
def test_the_minimiser_and_its_value(hidden: int, reduction: str, seed: int) -> None:
    """Stationary, of the value said, below every perturbation, with balanced layers."""
    problem = layers(reduction, hidden=hidden)
    assert problem.optimal_value is not None
    (x,) = problem.minimisers
    scale = 1.0 if reduction == "sum" else 1.0 / N
    size = scale * np.sum((X @ A.T) ** 2)
    assert problem.value(x) == pytest.approx(problem.optimal_value, rel=1e-12, abs=1e-28 * size)
    assert np.abs(problem.gradient(x)).max() <= 1e-13 * size
    assert (problem.optimal_value == 0.0) == (hidden >= K)
    rng = np.random.default_rng(seed)
    away = x + 10.0 ** rng.uniform(-3, 1) * rng.standard_normal(problem.n)
    assert problem.value(away) >= problem.optimal_value * (1 - 1e-12)
    W1, W2 = problem.weights(x)
    np.testing.assert_allclose(W1 @ W1.T, W2.T @ W2, atol=1e-13)


def test_alternating_least_squares_find_no_lower_value() -> None:
    """A search that knows nothing of singular values."""
    problem = layers(hidden=1)
    W2 = np.random.default_rng(0).standard_normal((K, 1))
    Y = X @ A.T
    for _ in range(500):
        W1 = np.linalg.lstsq(W2, A, rcond=None)[0]
        W2 = np.linalg.lstsq(X @ W1.T, Y, rcond=None)[0].T
    x = np.concatenate([W1.ravel(), W2.ravel()])
    assert problem.value(x) == pytest.approx(problem.optimal_value, rel=1e-9)


def test_samples_that_do_not_span_the_inputs() -> None:
    """Fewer samples than inputs: rank two is then enough for the two samples, not for A."""
    problem = TwoLayerLinear(X[:2], A, 2)
    assert problem.optimal_value == pytest.approx(0.0, abs=1e-28)
    assert problem.value(problem.minimisers[0]) == pytest.approx(0.0, abs=1e-28)
    assert TwoLayerLinear(X[:2], A, 1).optimal_value > 1e-3


def test_with_a_regulariser_the_minimum_is_not_known() -> None:
    problem = layers(l2=0.1)
    assert problem.optimal_value is None
    assert problem.minimisers == ()
    assert layers().subset([0, 1]).optimal_value is None


@pytest.mark.parametrize("power", [-70, 70])
def test_extreme_scales(power: int) -> None:
    """A by c^2 and both layers by c: the value by c^4."""
    c, x = 10.0**power, point()
    want, got = layers(), TwoLayerLinear(X, c * c * A, H)
    assert got.value(c * x) / c**4 == pytest.approx(want.value(x), rel=1e-12)
    np.testing.assert_allclose(got.gradient(c * x) / c**3, want.gradient(x), rtol=1e-10)
    assert got.optimal_value / c**4 == pytest.approx(want.optimal_value, rel=1e-12)
    assert got.value(got.minimisers[0]) == pytest.approx(got.optimal_value, rel=1e-12)


# -------------------------------------------------------------------- the generators


def condition_numbers(count: int, **options: Any) -> np.ndarray:
    matrices = (rahimi_recht(samples=1, rng=seed, **options).A for seed in range(count))
    return np.array([np.linalg.cond(A) for A in matrices])


def test_the_notebooks_matrix_has_a_small_condition_number() -> None:
    """Between 7.7 and 153 over these seeds, 5.8 and 333 over twenty times as many; not 1e5."""
    numbers = condition_numbers(1000)
    assert 5.0 < numbers.min() < 10.0
    assert 19.0 < np.median(numbers) < 23.0
    assert 100.0 < numbers.max() < 400.0


def test_ten_inputs_are_badly_conditioned_and_out_of_reach_of_width_six() -> None:
    """The later version of the notebook: its text says that the loss can reach zero."""
    numbers = condition_numbers(200, inputs=10)
    assert numbers.min() > 1e5
    lowest = [rahimi_recht(inputs=10, rng=seed).optimal_value for seed in range(20)]
    assert 6.0 < min(lowest) < max(lowest) < 110.0


def test_the_notebooks_matrix_is_uniform_with_scaled_rows() -> None:
    A = np.stack([rahimi_recht(samples=1, rng=seed).A for seed in range(500)])
    U = A / np.linspace(1.0, 1e-5, 10)[:, None]
    assert U.shape == (500, 10, 6)
    assert np.all((U >= 0.0) & (U < 1.0 + 1e-9))
    # The mean of 3000 uniform numbers has a standard deviation of 0.0053.
    assert np.all(np.abs(U.mean(axis=(0, 2)) - 0.5) < 0.03)
    np.testing.assert_allclose(U.var(axis=(0, 2)), 1 / 12, rtol=0.15)
    last = rahimi_recht(condition=10.0, samples=1, rng=4).A[-1]
    np.testing.assert_allclose(last * 1e-4, A[4, -1])


@pytest.mark.parametrize("condition", [1.0, 10.0, 1e5, 1e8])
@pytest.mark.parametrize(("inputs", "outputs"), [(6, 10), (10, 6), (5, 5), (2, 2)])
def test_the_condition_number_is_the_one_asked_for(
    condition: float, inputs: int, outputs: int
) -> None:
    for seed in range(5):
        problem = rahimi_recht(
            "conditioned", condition=condition, inputs=inputs, outputs=outputs, samples=3, rng=seed
        )
        values = np.linalg.svd(problem.A, compute_uv=False)
        want = np.geomspace(1.0, 1.0 / condition, min(inputs, outputs))
        np.testing.assert_allclose(values, want, rtol=1e-14 * condition, atol=0.0)
        assert np.linalg.cond(problem.A) == pytest.approx(condition, rel=1e-14 * condition)


def test_the_orthogonal_factors_prefer_no_direction() -> None:
    """E[A] = 0, E[A A'] and E[A'A] are multiples of the identity."""
    A = np.stack([rahimi_recht("conditioned", samples=1, rng=seed).A for seed in range(400)])
    squares = np.sum(np.geomspace(1.0, 1e-5, 6) ** 2)
    left, right = (
        np.mean(A @ A.transpose(0, 2, 1), axis=0),
        np.mean(A.transpose(0, 2, 1) @ A, axis=0),
    )
    np.testing.assert_allclose(left, squares / 10 * np.eye(10), atol=0.03)
    np.testing.assert_allclose(right, squares / 6 * np.eye(6), atol=0.04)
    # Four standard deviations and a half of a mean of 400.
    assert np.all(np.abs(A.mean(axis=0)) < 4.5 * A.std(axis=0) / 20)


def test_defaults_are_the_notebooks() -> None:
    problem = rahimi_recht()
    assert (problem.size, problem.hidden, problem.reduction) == (1000, 6, "sum")
    assert problem.A.shape == (10, 6)
    assert problem.n == 6 * 6 + 10 * 6
    assert problem.name == "Rahimi-Recht (notebook)"
    assert problem.optimal_value == 0.0
    assert problem.l2 == 0.0


def test_samples_and_starts_are_standard_normal() -> None:
    problem = rahimi_recht()
    x = np.concatenate([problem.initial(seed) for seed in range(100)])
    assert abs(x.mean()) < 0.05
    assert x.var() == pytest.approx(1.0, rel=0.06)
    np.testing.assert_array_equal(problem.initial(3), problem.initial(3))
    assert not np.array_equal(problem.initial(3), problem.initial(4))
    sums = problem.condensed()._samples.dense()
    np.testing.assert_allclose(sums.T @ sums / 1000, np.eye(6), atol=0.2)


def test_one_seed_gives_one_problem() -> None:
    x = point(0, 96)
    a, b, c = (rahimi_recht(rng=seed).value(x) for seed in (5, np.random.default_rng(5), 6))
    assert a == b != c
    assert rahimi_recht().value(x) == rahimi_recht().value(x)


def test_damped_gauss_newton_steps_attain_the_known_minimum() -> None:
    problem = rahimi_recht(rng=1).condensed()
    x = problem.initial(1)
    for _ in range(60):
        G = dense(problem.gauss_newton(x))
        x = x - np.linalg.solve(G + 1e-3 * np.eye(96), problem.gradient(x))
    assert problem.value(x) < 1e-15


# -------------------------------------------------------------------- libraries


@every_reduction
def test_every_library_gives_what_numpy_gives(reduction: str, xp_case: Xp) -> None:
    options = {"samples": 20, "hidden": 3, "reduction": reduction, "rng": 8}
    want = rahimi_recht(**options)
    got = rahimi_recht(**options, like=xp_case.array([0.0]))
    host = want.initial(2)
    x = got.initial(2)
    rtol = 1000 * xp_case.eps
    assert got.optimal_value == pytest.approx(want.optimal_value, rel=rtol)
    assert got.value(x) == pytest.approx(want.value(host), rel=rtol)
    pairs = [
        (got.A, want.A),
        (x, host),
        (got.minimisers[0], want.minimisers[0]),
        (got.gradient(x), want.gradient(host)),
        (got.hessian(x) @ x, want.hessian(host) @ host),
        (got.gauss_newton(x) @ x, want.gauss_newton(host) @ host),
        (got.condensed().gradient(x), want.gradient(host)),
        (got.subset([3, 1]).gradient(x), want.subset([3, 1]).gradient(host)),
        (got.sample_gradients(x, [3, 1]), want.sample_gradients(host, [3, 1])),
        (got.weights(x)[1], want.weights(host)[1]),
    ]
    for ours, theirs in pairs:
        assert xp_case.owns(ours)
        np.testing.assert_allclose(
            xp_case.numpy(ours), theirs, rtol=rtol, atol=rtol * np.abs(theirs).max()
        )


def test_host_fetches(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """Three to make it, one more where the samples decide on the minimum, one to condense it."""
    data, target = strict_case.array(X), strict_case.array(A)
    for hidden, l2, want in [(K, 0.0, 3), (H, 0.0, 4), (H, 0.1, 2)]:
        host_fetches.reset()
        problem = TwoLayerLinear(data, target, hidden, l2=l2)
        assert host_fetches.count == want
    x = problem.initial(0)
    host_fetches.reset()
    problem.gradient(x)
    problem.hessian(x).matvec(x)
    problem.sample(2, np.random.default_rng(0)).gradient(x)
    assert host_fetches.count == 0
    problem.value(x)
    assert host_fetches.count == 1


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"hidden": 0}, ArgumentError, "hidden must be at least 1"),
        ({"reduction": "total"}, ArgumentError, "unknown reduction 'total'"),
        ({"l2": -1.0}, ArgumentError, "l2 must be finite and not negative"),
        ({"A": A[:, :2]}, ShapeError, "A must have a column for each of the 4 features"),
        ({"A": A[:0]}, ShapeError, "A must have a column"),
        ({"A": A.astype(np.float32)}, ArrayTypeError, "A has dtype float32 but X has float64"),
        ({"A": A.tolist()}, ArrayTypeError, "A must be an array"),
        ({"A": A[0]}, ArrayTypeError, "A must be a matrix"),
        ({"A": A * np.inf}, NonFiniteError, "A has 12 entries"),
        ({"X": X * np.nan}, NonFiniteError, "X has"),
        ({"X": X[:0]}, ShapeError, "X must not be empty"),
    ],
)
def test_bad_data(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TwoLayerLinear(**{"X": X, "A": A, "hidden": H, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"matrix": "original"}, "unknown matrix 'original'"),
        ({"condition": 0.5}, "condition must be at least 1 and finite, got 0.5"),
        ({"condition": np.inf}, "condition must be at least 1"),
        ({"condition": np.nan}, "condition must be at least 1"),
        ({"condition": "1"}, "condition must be a real number"),
        ({"inputs": 0}, "inputs must be at least 1"),
        ({"outputs": 1.5}, "outputs must be an integer"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"rng": "seed"}, "rng must be"),
        ({"matrix": "conditioned", "inputs": 1}, "has condition number 1, not 100000"),
        ({"matrix": "conditioned", "outputs": 1}, "has condition number 1, not 100000"),
    ],
)
def test_bad_generators(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        rahimi_recht(**arguments)


def test_the_smallest_problems() -> None:
    """One number each: (w2 w1 - a)^2 x^2."""
    problem = TwoLayerLinear(np.array([[2.0]]), np.array([[3.0]]), 1)
    x = np.array([2.0, -1.0])
    assert problem.value(x) == 100.0
    np.testing.assert_array_equal(problem.gradient(x), [40.0, -80.0])
    np.testing.assert_array_equal(dense(problem.hessian(x)), [[8.0, -56.0], [-56.0, 32.0]])
    np.testing.assert_allclose(problem.minimisers[0], [np.sqrt(3.0), np.sqrt(3.0)])
    one = rahimi_recht("conditioned", condition=1.0, inputs=1, outputs=1, hidden=1, samples=1)
    assert abs(one.A.item()) == pytest.approx(1.0)
    zero = TwoLayerLinear(X, 0.0 * A, 1)
    assert zero.optimal_value == 0.0 == zero.value(zero.minimisers[0])
