"""Linearizations against dense Jacobians by complex steps, and against the problems themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import CountingOperator
from tralgos.problems import (
    FiniteSum,
    LeastSquares,
    Linearization,
    LogisticRegression,
    NonlinearLeastSquares,
    Problem,
    Quadratic,
    Rosenbrock,
    SoftmaxRegression,
    StochasticRosenbrock,
    TwoLayerNetwork,
)
from tralgos.problems.finite_sum import SampleMatrix
from tralgos.problems.linearization import OutputJacobian, add_square
from tralgos.problems.rahimi_recht import TwoLayerLinear

N, P, H, K, L2 = 5, 3, 2, 3, 0.3
RNG = np.random.default_rng(21)
X = RNG.standard_normal((N, P))
Y, YK = RNG.standard_normal(N), RNG.standard_normal((N, K))
A = RNG.standard_normal((K, P))
SIGNS = np.array([1, -1, -1, 1, 1])
LABELS = np.array([2, 0, 1, 1, 2])

seeds = st.integers(0, 2**32 - 1)
every_l2 = pytest.mark.parametrize("l2", [0.0, L2])


# -------------------------------------------------------------------- what the models are


def linear(x: np.ndarray, k: int) -> np.ndarray:
    return X @ x.reshape(P, k)


def network(x: np.ndarray, phi: Callable[[Any], Any]) -> np.ndarray:
    W1, b1, W2, b2 = np.split(x, np.cumsum([P * H, H, H * K]))
    return phi(X @ W1.reshape(P, H) + b1) @ W2.reshape(H, K) + b2


def two_linear(x: np.ndarray) -> np.ndarray:
    W1, W2 = np.split(x, [H * P])
    return X @ W1.reshape(H, P).T @ W2.reshape(K, H).T


def squared(Z: np.ndarray, targets: np.ndarray, weight: float = 1.0) -> tuple[Any, Any]:
    return weight * (Z - targets), [weight * np.eye(Z.shape[1])] * N


def logistic(Z: np.ndarray) -> tuple[Any, Any]:
    p = 1.0 / (1.0 + np.exp(-Z))
    return p - (SIGNS[:, None] > 0), [np.diag(q * (1.0 - q)) for q in p]


def softmax(Z: np.ndarray) -> tuple[Any, Any]:
    p = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    return p - np.eye(K)[LABELS], [np.diag(q) - np.outer(q, q) for q in p]


@dataclass(frozen=True)
class Model:
    """A problem of a data matrix, an array maker and l2; its outputs; gradients and Hessians."""

    make: Callable[[Any, Any, float], FiniteSum]
    outputs: Callable[[np.ndarray], np.ndarray]
    loss: Callable[[np.ndarray], tuple[Any, Any]]


MODELS = {
    "least-squares": Model(
        lambda X, a, l2: LeastSquares(X, a(Y), l2=l2),
        lambda x: linear(x, 1),
        lambda Z: squared(Z, Y[:, None]),
    ),
    "logistic": Model(
        lambda X, a, l2: LogisticRegression(X, SIGNS, l2=l2), lambda x: linear(x, 1), logistic
    ),
    "softmax": Model(
        lambda X, a, l2: SoftmaxRegression(X, LABELS, K, l2=l2), lambda x: linear(x, K), softmax
    ),
    "network-softmax": Model(
        lambda X, a, l2: TwoLayerNetwork(X, LABELS, H, l2=l2),
        lambda x: network(x, np.tanh),
        softmax,
    ),
    "network-squared": Model(
        lambda X, a, l2: TwoLayerNetwork(X, a(YK), H, "srelu", "squared", l2=l2),
        lambda x: network(x, lambda u: 0.5 * (np.sqrt(u * u + 0.01) + u)),
        lambda Z: squared(Z, YK),
    ),
    "linear-layers-sum": Model(
        lambda X, a, l2: TwoLayerLinear(X, a(A), H, l2=l2),
        two_linear,
        lambda Z: squared(Z, X @ A.T, 2.0 * N),
    ),
    "linear-layers-mean": Model(
        lambda X, a, l2: TwoLayerLinear(X, a(A), H, reduction="mean", l2=l2),
        two_linear,
        lambda Z: squared(Z, X @ A.T, 2.0),
    ),
}

every_model = pytest.mark.parametrize("kind", MODELS)


def make(kind: str, l2: float = 0.0, data: Any = X) -> FiniteSum:
    return MODELS[kind].make(data, np.asarray, l2)


def point(problem: Problem, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(problem.n)


def by_columns(product: Callable[[np.ndarray], np.ndarray], n: int) -> np.ndarray:
    return np.stack([product(e) for e in np.eye(n)], axis=1)


def by_complex_steps(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    h = 1e-30
    return by_columns(lambda e: np.imag(f(x + 1j * h * e)).ravel() / h, len(x))


# -------------------------------------------------------------------- the four parts


@every_model
@every_l2
def test_every_part_against_its_definition(kind: str, l2: float) -> None:
    """Outputs row by row, the loss a mean; with l2 the outputs go on with x itself."""
    model, problem = MODELS[kind], make(kind, l2)
    x = point(problem)
    J = by_complex_steps(model.outputs, x)
    G, hessians = model.loss(model.outputs(x))
    gradient, curvature = np.ravel(G) / N, sp.block_diag(hessians).toarray() / N
    if l2:
        J = np.vstack([J, np.eye(problem.n)])
        gradient = np.concatenate([gradient, l2 * x])
        curvature = sp.block_diag([curvature, l2 * np.eye(problem.n)]).toarray()
    local = problem.linearize(x)
    o, n = J.shape
    assert isinstance(local, Linearization)
    assert local.jacobian.shape == (o, n)
    assert local.value == problem.value(x)
    close = {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(by_columns(local.jacobian.matvec, n), J, **close)
    np.testing.assert_allclose(by_columns(local.jacobian.rmatvec, o), J.T, **close)
    np.testing.assert_allclose(local.loss_gradient, gradient, **close)
    np.testing.assert_allclose(by_columns(local.loss_curvature, o), curvature, **close)
    np.testing.assert_allclose(local.gradient(), J.T @ gradient, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(local.gradient(), problem.gradient(x), rtol=1e-11, atol=1e-12)
    G = by_columns(local.gauss_newton, n)
    np.testing.assert_allclose(G, J.T @ curvature @ J, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(
        G, by_columns(problem.gauss_newton(x).matvec, n), rtol=1e-10, atol=1e-11
    )


@pytest.mark.parametrize("n", [2, 5])
@given(seed=seeds)
def test_rosenbrock_and_its_noise(n: int, seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal(n)
    noisy = StochasticRosenbrock(n, noise=(0.0, 3.0))
    for problem in (Rosenbrock(n), noisy, noisy.sample(2, np.random.default_rng(seed))):
        local = problem.linearize(x)
        J = by_complex_steps(lambda y: np.concatenate([y[1:] - y[:-1] ** 2, 1 - y[:-1]]), x)
        np.testing.assert_allclose(by_columns(local.jacobian.matvec, n), J, atol=1e-14)
        np.testing.assert_allclose(by_columns(local.jacobian.rmatvec, 2 * n - 2), J.T, atol=1e-14)
        scale = np.abs(J).max() ** 2
        np.testing.assert_allclose(local.gradient(), problem.gradient(x), atol=1e-10 * scale)
        want = problem.gauss_newton(x) @ x
        np.testing.assert_allclose(local.gauss_newton(x), want, atol=1e-10 * np.abs(want).max())
        assert local.value == problem.value(x)


def test_residuals_whose_jacobian_is_known_by_products() -> None:
    M = RNG.standard_normal((4, 2))
    problem = NonlinearLeastSquares(
        lambda x: M @ (x * x) - 1.0,
        jvp=lambda x, v: 2.0 * M @ (x * v),
        vjp=lambda x, w: 2.0 * x * (M.T @ w),
    )
    x = np.array([0.5, -2.0])
    local = problem.linearize(x)
    np.testing.assert_allclose(by_columns(local.jacobian.matvec, 2), 2.0 * M * x)
    np.testing.assert_allclose(local.gradient(), problem.gradient(x))
    np.testing.assert_allclose(local.gauss_newton(x), problem.gauss_newton(x) @ x)


# -------------------------------------------------------------------- properties


def length(x: np.ndarray) -> float:
    """A bound on the norm whose squares do not underflow: certain classes have tiny curvatures."""
    return float(np.abs(x).max()) * len(x) ** 0.5


@every_model
@every_l2
@given(seed=seeds, exponent=st.sampled_from([-3, 0, 2]))
def test_forward_and_reverse_products_are_adjoint(
    kind: str, l2: float, seed: int, exponent: int
) -> None:
    problem = make(kind, l2)
    rng = np.random.default_rng(seed)
    local = problem.linearize(10.0**exponent * rng.standard_normal(problem.n))
    o, n = local.jacobian.shape
    u, v, w = rng.standard_normal(o), rng.standard_normal(n), rng.standard_normal(o)
    Jv, Ju = local.jacobian.matvec(v), local.jacobian.rmatvec(u)
    size = length(u) * length(Jv) + length(v) * length(Ju)
    assert abs(u @ Jv - v @ Ju) <= 1e-13 * size
    Hu, Hw = local.loss_curvature(u), local.loss_curvature(w)
    size = length(u) * length(Hw) + length(w) * length(Hu)
    assert abs(w @ Hu - u @ Hw) <= 1e-13 * size + 1e-300
    assert u @ Hu >= -1e-13 * size


@every_model
@pytest.mark.parametrize("size", [1, 2, 4])
def test_samples_linearise_and_their_mean_is_the_whole(kind: str, size: int) -> None:
    problem = make(kind, L2)
    x = point(problem)
    v = x[::-1].copy()
    parts = [problem.subset(rows).linearize(x) for rows in combinations(range(N), size)]
    whole = problem.linearize(x)
    for mean, want in [
        (np.mean([p.value for p in parts]), whole.value),
        (np.mean([p.gradient() for p in parts], axis=0), whole.gradient()),
        (np.mean([p.gauss_newton(v) for p in parts], axis=0), whole.gauss_newton(v)),
    ]:
        np.testing.assert_allclose(mean, want, rtol=1e-11, atol=1e-12)
    k = whole.jacobian.shape[0] - problem.n
    assert parts[0].jacobian.shape[0] - problem.n == k // N * size
    sample = problem.sample(2, np.random.default_rng(4))
    assert sample.linearize(x).value == pytest.approx(sample.value(x), rel=1e-14)


@every_model
def test_logits_of_ten_thousand(kind: str) -> None:
    """Nothing overflows, warns or turns into NaN."""
    problem = make(kind)
    local = problem.linearize(1e4 * point(problem))
    assert np.isfinite(local.value)
    for out in (local.gradient(), local.gauss_newton(point(problem, 1))):
        assert np.all(np.isfinite(out))


@pytest.mark.parametrize("power", [-150, 150])
def test_extreme_scales(power: int) -> None:
    """Targets and x by c: the loss's gradient by c, the value by c^2, curvatures as they are."""
    c = 10.0**power
    x = np.array([1.0, -2.0, 3.0])
    want, got = (LeastSquares(X, s * Y, l2=L2).linearize(s * x) for s in (1.0, c))
    assert got.value / c / c == pytest.approx(want.value, rel=1e-13)
    np.testing.assert_allclose(got.loss_gradient / c, want.loss_gradient, rtol=1e-12)
    np.testing.assert_allclose(got.gradient() / c, want.gradient(), rtol=1e-12)
    np.testing.assert_allclose(got.gauss_newton(c * x) / c, want.gauss_newton(x), rtol=1e-12)


@every_model
@every_l2
def test_products_share_no_memory_with_what_they_were_given(kind: str, l2: float) -> None:
    """A method that updates its vectors in place must not change a linearization."""
    problem = make(kind, l2)
    x, local = point(problem), problem.linearize(point(problem))
    o, n = local.jacobian.shape
    u, v = np.ones(o), np.ones(n)
    for vector, out in [
        (v, local.jacobian.matvec(v)),
        (u, local.jacobian.rmatvec(u)),
        (u, local.loss_curvature(u)),
        (x, local.loss_gradient),
    ]:
        assert not np.shares_memory(vector, out)


def test_one_sample_of_one_feature() -> None:
    local = LeastSquares(np.array([[2.0]]), np.array([3.0]), l2=1.0).linearize(np.array([1.0]))
    assert local.value == 1.0
    np.testing.assert_array_equal(by_columns(local.jacobian.matvec, 1), [[2.0], [1.0]])
    np.testing.assert_array_equal(local.loss_gradient, [-1.0, 1.0])
    np.testing.assert_array_equal(local.gauss_newton(np.array([1.0])), [5.0])


def test_the_square_belongs_to_the_outputs() -> None:
    J = OutputJacobian((1, 2), lambda v: v[:1] + v[1:], lambda u: np.array([u[0], u[0]]), X[0], "J")
    x = np.array([3.0, -1.0])
    stacked, gradient, curvature = add_square(J, np.array([5.0]), lambda u: 7.0 * u, x, 0.5)
    np.testing.assert_array_equal(by_columns(stacked.matvec, 2), [[1, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(by_columns(stacked.rmatvec, 3), [[1, 1, 0], [1, 0, 1]])
    np.testing.assert_array_equal(gradient, [5.0, 1.5, -0.5])
    np.testing.assert_array_equal(curvature(np.array([1.0, 2.0, 4.0])), [7.0, 1.0, 2.0])


# -------------------------------------------------------------------- costs


@every_model
@every_l2
def test_passes_over_the_data(kind: str, l2: float) -> None:
    """One to linearise, one a product in either direction, none for the loss."""
    counter = CountingOperator(X)
    problem = make(kind, l2, counter)
    x = point(problem)
    columns = {"least-squares": 1, "logistic": 1, "softmax": K}.get(kind, H)

    def passes(work: Callable[[], Any]) -> float:
        counter.count = 0
        work()
        return counter.count / columns

    local = problem.linearize(x)
    u = np.ones(local.jacobian.shape[0])
    assert passes(lambda: problem.linearize(x)) == 1
    assert passes(lambda: local.jacobian.matvec(x)) == 1
    assert passes(lambda: local.jacobian.rmatvec(u)) == 1
    assert passes(lambda: local.loss_curvature(u)) == 0
    assert passes(lambda: local.gradient()) == 1
    assert passes(lambda: local.gauss_newton(x)) == 2
    assert passes(lambda: problem.gauss_newton(x)) == 1


@every_model
def test_sparse_data_and_operators_give_what_the_array_gives(kind: str) -> None:
    want, other = make(kind, L2), make(kind, L2, CountingOperator(sp.csr_array(X)))
    x = point(want)
    for a, b in [(want, other), (want.subset([3, 1, 3]), other.subset([3, 1, 3]))]:
        a, b = a.linearize(x), b.linearize(x)
        np.testing.assert_allclose(b.jacobian.matvec(x), a.jacobian.matvec(x), atol=1e-13)
        np.testing.assert_allclose(b.gradient(), a.gradient(), atol=1e-12)


# -------------------------------------------------------------------- libraries


@every_model
@every_l2
def test_every_library_gives_what_numpy_gives(kind: str, l2: float, xp_case: Xp) -> None:
    """Also that float32 stays float32, on every device."""
    problem = MODELS[kind].make(xp_case.array(X), xp_case.array, l2)
    host = point(problem)
    want, got = make(kind, l2).linearize(host), problem.linearize(xp_case.array(host))
    o, n = want.jacobian.shape
    u, v = np.linspace(-1.0, 2.0, o), np.linspace(1.0, -3.0, n)
    mine = xp_case.array
    assert type(got.value) is float
    assert got.value == pytest.approx(want.value, rel=500 * xp_case.eps)
    for ours, theirs in [
        (got.jacobian.matvec(mine(v)), want.jacobian.matvec(v)),
        (got.jacobian.rmatvec(mine(u)), want.jacobian.rmatvec(u)),
        (got.loss_gradient, want.loss_gradient),
        (got.loss_curvature(mine(u)), want.loss_curvature(u)),
        (got.gauss_newton(mine(v)), want.gauss_newton(v)),
    ]:
        assert xp_case.owns(ours)
        scale = 500 * xp_case.eps * np.abs(theirs).max()
        np.testing.assert_allclose(xp_case.numpy(ours), theirs, atol=scale)


@every_model
@every_l2
def test_a_linearization_fetches_its_value_alone(
    kind: str, l2: float, strict_case: Xp, host_fetches: FetchCounter
) -> None:
    problem = MODELS[kind].make(strict_case.array(X), strict_case.array, l2)
    x = strict_case.array(point(problem))
    host_fetches.reset()
    local = problem.linearize(x)
    assert host_fetches.count == 1
    local.gradient()
    local.gauss_newton(x)
    assert host_fetches.count == 1


# -------------------------------------------------------------------- derivatives checked


@every_model
@every_l2
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_check_of_derivatives_finds_nothing_wrong(kind: str, l2: float, dtype: type) -> None:
    problem = MODELS[kind].make(X.astype(dtype), lambda a: np.asarray(a, dtype), l2)
    for seed in range(3):
        check = problem.check_derivatives(point(problem, seed).astype(dtype), rng=seed)
        assert check.ok, check.message
        assert check.linearization is not None
        assert check.linearization.slope_tolerance < np.inf


# -------------------------------------------------------------------- bad input


def test_problems_without_one_say_so() -> None:
    assert not Quadratic(np.eye(2)).has_linearization
    with pytest.raises(ArgumentError, match="not known as a loss of a model's outputs"):
        Quadratic(np.eye(2)).linearize(np.ones(2))


def test_points_are_checked() -> None:
    problem = make("softmax")
    with pytest.raises(ShapeError, match="variables"):
        problem.linearize(np.ones(problem.n + 1))
    with pytest.raises(ArrayTypeError, match="float32"):
        problem.linearize(np.ones(problem.n, dtype=np.float32))


def test_parts_that_do_not_fit_are_refused() -> None:
    J = OutputJacobian((2, 3), lambda v: v[:2], lambda u: u, X[0], "J")
    with pytest.raises(ShapeError, match="length 3, J has 2 rows"):
        Linearization(0.0, J, np.ones(3), lambda u: u)
    with pytest.raises(ArrayTypeError, match="loss_curvature must be callable, got float"):
        Linearization(0.0, J, np.ones(2), 1.0)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="product with the loss's Hessian has shape"):
        Linearization(0.0, J, np.ones(2), lambda u: u[:1]).loss_curvature(np.ones(2))


class MeanOfLogs(FiniteSum):
    """log cosh of each output: a subclass that knows of no regulariser, and of no curvature."""

    has_gauss_newton = True
    has_linearization = True

    def __init__(self, l2: float) -> None:
        self._samples = SampleMatrix(X, "X")
        super().__init__(N, P, home=X, l2=l2)

    def _mean_value(self, x: Any) -> Any:
        return np.mean(np.log(np.cosh(X @ x)))

    def _mean_gradient(self, x: Any) -> Any:
        return X.T @ np.tanh(X @ x) / N

    def _mean_linearize(self, x: Any) -> Any:
        J = OutputJacobian((N, P), lambda v: X @ v, lambda u: X.T @ u, x, "J")
        t = np.tanh(X @ x)
        return self._mean_value(x), J, t / N, lambda u: (1.0 - t * t) * u / N

    def _term_gradients(self, x: Any, rows: Any) -> Any:
        raise NotImplementedError

    def _subset(self, rows: Any) -> FiniteSum:
        raise NotImplementedError


@every_l2
def test_a_subclass_gets_regulariser_and_gauss_newton_matrix_for_nothing(l2: float) -> None:
    problem, x = MeanOfLogs(l2), np.array([0.3, -0.5, 1.0])
    check = problem.check_derivatives(x)
    assert check.ok, check.message
    want = X.T @ np.diag(1.0 - np.tanh(X @ x) ** 2) @ X / N + l2 * np.eye(P)
    np.testing.assert_allclose(by_columns(problem.gauss_newton(x).matvec, P), want, rtol=1e-12)
    np.testing.assert_allclose(
        by_columns(problem.linearize(x).gauss_newton, P), want, rtol=1e-12, atol=1e-14
    )
