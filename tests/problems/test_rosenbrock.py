"""Rosenbrock's function: values, derivatives, the Gauss-Newton matrix, and the noise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ShapeError
from tralgos.problems import Rosenbrock, StochasticRosenbrock

seeds = st.integers(0, 2**32 - 1)
orders = st.integers(2, 9)


def residuals(x: np.ndarray, weight: float) -> np.ndarray:
    return np.concatenate([np.sqrt(weight) * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])


def jacobian(x: np.ndarray, weight: float) -> np.ndarray:
    n = len(x)
    J = np.zeros((2 * (n - 1), n))
    for i in range(n - 1):
        J[i, i], J[i, i + 1] = -2.0 * np.sqrt(weight) * x[i], np.sqrt(weight)
        J[n - 1 + i, i] = -1.0
    return J


def close(a, b, rtol: float = 1e-13) -> bool:
    return np.abs(a - b).max() <= rtol * np.abs(b).max()


@given(seeds, orders)
def test_the_same_as_scipys(seed: int, n: int) -> None:
    x = np.random.default_rng(seed).standard_normal(n)
    f = Rosenbrock(n)
    assert f.value(x) == pytest.approx(scipy.optimize.rosen(x), rel=1e-13)
    assert close(f.gradient(x), scipy.optimize.rosen_der(x))
    assert close(f.hessian(x).matmat(np.eye(n)), scipy.optimize.rosen_hess(x))
    v = np.random.default_rng(seed).standard_normal(n)
    assert close(f.hessian(x) @ v, scipy.optimize.rosen_hess(x) @ v)


@given(seeds, orders, st.sampled_from([0.0, 1.0, 37.5, 100.0]))
def test_gauss_newton_is_twice_JtJ(seed: int, n: int, weight: float) -> None:
    x = np.random.default_rng(seed).standard_normal(n)
    f = Rosenbrock(n, weight=weight)
    r, J = residuals(x, weight), jacobian(x, weight)
    assert f.value(x) == pytest.approx(r @ r, rel=1e-13)
    assert close(f.gradient(x), 2.0 * J.T @ r, 1e-12)
    G = f.gauss_newton(x).matmat(np.eye(n))
    assert close(G, 2.0 * J.T @ J)
    # What the Hessian has beyond it is diagonal, without the last entry.
    rest = f.hessian(x).matmat(np.eye(n)) - G
    expected = np.diag(np.append(-4.0 * weight * (x[1:] - x[:-1] ** 2), 0.0))
    assert np.abs(rest - expected).max() <= 1e-12 * max(np.abs(G).max(), 1.0)


@given(orders)
def test_the_minimiser(n: int) -> None:
    f = Rosenbrock(n)
    (x,) = f.minimisers
    assert f.value(x) == 0.0 == f.optimal_value
    assert not np.any(f.gradient(x))
    H, G = (A.matmat(np.eye(n)) for A in (f.hessian(x), f.gauss_newton(x)))
    assert np.array_equal(H, G)
    assert np.linalg.eigvalsh(H)[0] > 0.0


def test_the_usual_start() -> None:
    f = Rosenbrock()
    assert f.n == 2
    assert np.array_equal(f.start, [-1.2, 1.0])
    assert f.value(f.start) == pytest.approx(24.2)
    assert np.array_equal(Rosenbrock(5).start, [-1.2, 1.0, -1.2, 1.0, -1.2])


@pytest.mark.parametrize("n", [2, 3, 7])
def test_in_every_library(xp_case: Xp, n: int) -> None:
    host = np.random.default_rng(n).standard_normal(n)
    f, x = Rosenbrock(n), xp_case.array(host)
    value, gradient = f.value_and_gradient(x)
    assert value == pytest.approx(scipy.optimize.rosen(host), rel=100 * xp_case.eps)
    assert value == f.value(x)
    assert xp_case.owns(gradient)
    for A in (f.hessian(x), f.gauss_newton(x)):
        assert A.symmetric
        product = A @ gradient
        assert xp_case.owns(product)
        columns = A.matmat(xp_case.xp.stack([gradient, x], axis=1))
        assert close(xp_case.numpy(columns)[:, 0], xp_case.numpy(product), 10 * xp_case.eps)
    assert f.check_derivatives(x).ok


def test_no_transfer_but_the_value(strict_case: Xp, host_fetches: FetchCounter) -> None:
    f, x = Rosenbrock(3), strict_case.array([1.0, 2.0, 3.0])
    host_fetches.reset()
    f.gradient(x)
    f.hessian(x).matvec(x)
    f.gauss_newton(x).matvec(x)
    assert host_fetches.count == 0


def test_products_cost_no_matrix() -> None:
    n = 300_000
    f = Rosenbrock(n)
    x = np.full(n, 0.5)
    assert (f.hessian(x) @ x).shape == (n,)


@pytest.mark.parametrize("kind", [Rosenbrock, StochasticRosenbrock])
def test_too_few_variables_are_refused(kind: type) -> None:
    with pytest.raises(ArgumentError, match="n must be at least 2, got 1"):
        kind(1)
    with pytest.raises(ArgumentError, match="n must be an integer"):
        kind(2.0)
    with pytest.raises(ShapeError, match="2 variables"):
        kind(2).value(np.ones(3))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf, "1"])
def test_a_weight_that_is_none_is_refused(weight: object) -> None:
    with pytest.raises(ArgumentError, match="weight"):
        Rosenbrock(2, weight=weight)


@pytest.mark.parametrize("noise", [(1.0, 0.0), (0.0, 0.0), (-1.0, 1.0), (0.0, np.inf), 1.0, "ab"])
def test_noise_that_is_no_interval_is_refused(noise: object) -> None:
    with pytest.raises(ArgumentError, match="noise"):
        StochasticRosenbrock(noise=noise)


def equation_19(u: float, v: float, epsilon: float) -> float:
    return (1 - u) ** 2 + 100 * epsilon * (v - u**2) ** 2


@given(seeds, st.sampled_from([(0.0, 1.0), (0.0, 3.0), (1.0, 1.0), (0.5, 0.75)]))
def test_a_sample_is_the_mean_of_equation_19(seed: int, noise: tuple[float, float]) -> None:
    f = StochasticRosenbrock(noise=noise)
    x = np.random.default_rng(seed).standard_normal(2)
    epsilons = np.random.default_rng(seed).uniform(*noise, 5)
    sample = f.sample(5, np.random.default_rng(seed))
    assert sample.value(x) == pytest.approx(np.mean([equation_19(*x, e) for e in epsilons]))
    # Everything else of a sample is of that function.
    assert sample.check_derivatives(x).ok
    assert np.all(epsilons >= noise[0])


@given(seeds, st.sampled_from([(0.0, 1.0), (0.0, 3.0), (0.5, 0.75)]))
def test_the_problem_is_the_expectation(seed: int, noise: tuple[float, float]) -> None:
    # Equation (19) is linear in the noise: its mean is the mean of its values at the ends.
    f = StochasticRosenbrock(noise=noise)
    x = np.random.default_rng(seed).standard_normal(2)
    ends = [equation_19(*x, e) for e in noise]
    assert f.value(x) == pytest.approx(np.mean(ends))
    low, high = (Rosenbrock(2, weight=100 * e) for e in noise)
    assert np.allclose(f.gradient(x), 0.5 * (low.gradient(x) + high.gradient(x)))
    for name in ("hessian", "gauss_newton"):
        mean = 0.5 * sum(getattr(g, name)(x).matmat(np.eye(2)) for g in (low, high))
        assert np.allclose(getattr(f, name)(x).matmat(np.eye(2)), mean)


def test_many_samples_come_near_the_expectation() -> None:
    f, x = StochasticRosenbrock(noise=(0.0, 3.0)), np.array([0.2, -1.0])
    mean = f.sample(100_000, np.random.default_rng(0)).value(x)
    # The noise has standard deviation 3/sqrt 12; five of those of the mean.
    bound = 5 * 100 * (x[1] - x[0] ** 2) ** 2 * 3 / np.sqrt(12 * 100_000)
    assert abs(mean - f.value(x)) < bound


def test_no_noise_is_the_usual_function() -> None:
    f, x = StochasticRosenbrock(noise=(1.0, 1.0)), np.array([0.2, -1.0])
    assert f.value(x) == Rosenbrock().value(x)
    assert f.sample(3, np.random.default_rng(0)).value(x) == pytest.approx(f.value(x))
    assert f.size is None


def test_all_samples_share_the_minimiser() -> None:
    f = StochasticRosenbrock(4, noise=(0.0, 3.0))
    for seed in range(5):
        sample = f.sample(1, np.random.default_rng(seed))
        assert sample.value(f.minimisers[0]) == 0.0
        assert not np.any(sample.gradient(f.minimisers[0]))


def test_the_expectation_in_every_library(xp_case: Xp) -> None:
    f = StochasticRosenbrock()
    x = xp_case.array([0.5, 2.0])
    assert xp_case.owns(f.gradient(x))
    assert f.check_derivatives(x).ok
