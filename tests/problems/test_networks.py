"""The two-layer network against mpmath, which knows its definition alone, and torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import Xp
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.problems import TwoLayerNetwork, srelu
from tralgos.problems.networks import ACTIVATIONS

N, P, H, K, L2 = 4, 2, 3, 2, 0.1
RNG = np.random.default_rng(13)
X = RNG.standard_normal((N, P))
LABELS = np.array([0, 1, 1, 0])
TARGETS = RNG.standard_normal((N, K))
SIZE = (P + 1) * H + (H + 1) * K

#: The functions themselves, by their definitions.
PHI: dict[str, Callable[[Any], Any]] = {
    "tanh": mp.tanh,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "srelu": lambda x: (mp.sqrt(x * x + mp.mpf(0.01)) + x) / 2,
}

every_activation = pytest.mark.parametrize("activation", PHI)
every_loss = pytest.mark.parametrize("loss", ["softmax", "squared"])


def network(activation: str, loss: str, l2: float = L2) -> TwoLayerNetwork:
    targets = LABELS if loss == "softmax" else TARGETS
    return TwoLayerNetwork(X, targets, H, activation, loss, l2=l2)


def point(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SIZE)


def dense(A: Any) -> np.ndarray:
    return np.asarray(A @ np.eye(SIZE))


# -------------------------------------------------------------------- the oracle


def outputs(activation: str, w: list[Any]) -> list[list[Any]]:
    """phi(X W_1 + b_1) W_2 + b_2, a number at a time."""
    W1, b1 = w[: P * H], w[P * H : P * H + H]
    W2, b2 = w[P * H + H : P * H + H + H * K], w[P * H + H + H * K :]
    rows = []
    for x in X:
        u = [b1[j] + mp.fsum(mp.mpf(x[a]) * W1[a * H + j] for a in range(P)) for j in range(H)]
        f = [PHI[activation](t) for t in u]
        rows.append([b2[i] + mp.fsum(f[j] * W2[j * K + i] for j in range(H)) for i in range(K)])
    return rows


def objective(activation: str, loss: str, w: list[Any]) -> Any:
    terms = []
    for i, z in enumerate(outputs(activation, w)):
        if loss == "softmax":
            terms.append(mp.log(mp.fsum(mp.exp(t) for t in z)) - z[LABELS[i]])
        else:
            terms.append(mp.fsum((z[j] - mp.mpf(TARGETS[i, j])) ** 2 for j in range(K)) / 2)
    return mp.fsum(terms) / N + mp.mpf(L2) / 2 * mp.fsum(t * t for t in w)


def moved(w: list[Any], v: np.ndarray, h: Any) -> list[Any]:
    return [a + h * mp.mpf(b) for a, b in zip(w, v, strict=True)]


@every_activation
@every_loss
def test_derivatives_against_differences_in_sixty_digits(activation: str, loss: str) -> None:
    """Central differences of the definition: of every variable once, and along two directions."""
    problem, x = network(activation, loss), point()
    u, v = point(1), point(2)
    with mp.workdps(60):
        h, w = mp.mpf(10) ** -15, [mp.mpf(t) for t in x]

        def f(*steps: np.ndarray) -> Any:
            return objective(activation, loss, moved(w, sum(steps), 1))

        value = float(f(np.zeros(SIZE)))
        slopes = []
        for unit in np.eye(SIZE):
            ahead = objective(activation, loss, moved(w, unit, h))
            behind = objective(activation, loss, moved(w, unit, -h))
            slopes.append(float((ahead - behind) / (2 * h)))

        def second(a: np.ndarray, b: np.ndarray) -> float:
            corners = {
                (s, t): objective(activation, loss, moved(moved(w, a, s * h), b, t * h))
                for s in (-1, 1)
                for t in (-1, 1)
            }
            mixed = corners[1, 1] - corners[1, -1] - corners[-1, 1] + corners[-1, -1]
            return float(mixed / (4 * h * h))

        bends = [second(u, v), second(u, u), second(v, v)]
        columns = [second(unit, v) for unit in np.eye(SIZE)]
    assert problem.value(x) == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(problem.gradient(x), slopes, rtol=1e-12, atol=1e-14)
    B = problem.hessian(x)
    np.testing.assert_allclose([u @ (B @ v), u @ (B @ u), v @ (B @ v)], bends, rtol=1e-11)
    np.testing.assert_allclose(B @ v, columns, rtol=1e-11, atol=1e-13)


@every_activation
@every_loss
def test_gauss_newton_is_the_curvature_of_the_loss_between_two_jacobians(
    activation: str, loss: str
) -> None:
    """J H_L J' / N + l2 I, with J by differences of the outputs and H_L by its formula."""
    problem, x = network(activation, loss), point()
    with mp.workdps(60):
        h, w = mp.mpf(10) ** -20, [mp.mpf(t) for t in x]
        Z = np.array(outputs(activation, w), dtype=float)
        J = np.empty((SIZE, N, K))
        for a, unit in enumerate(np.eye(SIZE)):
            ahead = np.array(outputs(activation, moved(w, unit, h)))
            behind = np.array(outputs(activation, moved(w, unit, -h)))
            J[a] = ((ahead - behind) / (2 * h)).astype(float)
    want = L2 * np.eye(SIZE)
    for i in range(N):
        p = np.exp(Z[i]) / np.exp(Z[i]).sum()
        HL = np.diag(p) - np.outer(p, p) if loss == "softmax" else np.eye(K)
        want += J[:, i] @ HL @ J[:, i].T / N
    G = dense(problem.gauss_newton(x))
    np.testing.assert_allclose(G, want, rtol=1e-11, atol=1e-13)


# -------------------------------------------------------------------- properties


@every_activation
@every_loss
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-2, 1.0, 1e2]))
def test_gauss_newton_is_semidefinite_and_both_are_symmetric(
    activation: str, loss: str, seed: int, scale: float
) -> None:
    problem, x = network(activation, loss, l2=0.0), scale * point(seed)
    G, B = dense(problem.gauss_newton(x)), dense(problem.hessian(x))
    size = max(np.abs(G).max(), np.abs(B).max())
    np.testing.assert_allclose(G, G.T, atol=1e-13 * size)
    np.testing.assert_allclose(B, B.T, atol=1e-13 * size)
    assert np.linalg.eigvalsh(0.5 * (G + G.T))[0] >= -1e-13 * size


def test_the_hessian_may_be_indefinite() -> None:
    """Otherwise the test above would not tell the two matrices apart."""
    B = dense(network("tanh", "squared", l2=0.0).hessian(point()))
    assert np.linalg.eigvalsh(0.5 * (B + B.T))[0] < -1e-3


def test_the_hessian_is_the_gauss_newton_matrix_where_the_targets_are_met() -> None:
    """The term between them is weighted by the gradients of the squared loss, all zero there."""
    x = point()
    W1, b1, W2, b2 = np.split(x, np.cumsum([P * H, H, H * K]))
    Z = np.tanh(X @ W1.reshape(P, H) + b1) @ W2.reshape(H, K) + b2
    problem = TwoLayerNetwork(X, Z, H, loss="squared")
    np.testing.assert_allclose(problem.value(x), 0.0, atol=1e-30)
    np.testing.assert_allclose(
        dense(problem.hessian(x)), dense(problem.gauss_newton(x)), atol=1e-14
    )


def test_logits_of_ten_thousand() -> None:
    """Nothing overflows, warns or turns into NaN."""
    for activation in PHI:
        problem, x = network(activation, "softmax"), 1e4 * point()
        assert np.isfinite(problem.value(x))
        for out in (problem.gradient(x), problem.hessian(x) @ x, problem.gauss_newton(x) @ x):
            assert np.all(np.isfinite(out))


def test_targets_that_are_a_vector_are_one_column() -> None:
    y = TARGETS[:, 0].copy()
    a, b = (TwoLayerNetwork(X, t, H, loss="squared") for t in (y, y[:, None]))
    x = np.ones(a.n)
    assert a.n == b.n == (P + 1) * H + H + 1
    assert a.value(x) == b.value(x)
    assert TwoLayerNetwork(X, np.arange(4), H, loss="squared").value(x) >= 0.0


def test_the_number_of_classes() -> None:
    assert network("tanh", "softmax").n == SIZE
    assert TwoLayerNetwork(X, LABELS, H, classes=5).n == (P + 1) * H + (H + 1) * 5
    # A subset keeps the outputs of the whole, also where it lacks the largest label.
    assert network("tanh", "softmax").subset([0, 3]).n == SIZE


# -------------------------------------------------------------------- activations


@every_activation
@pytest.mark.parametrize("x", [0.0, 1e-9, -1e-9, 0.3, -2.0, 5.0, -20.0, 36.0, -40.0, 300.0, -300.0])
def test_activations_to_relative_accuracy(activation: str, x: float) -> None:
    """The function and two derivatives, also in the tails, against mpmath."""
    with mp.workdps(700):
        want = [float(mp.diff(PHI[activation], mp.mpf(x), k)) for k in range(3)]
    got = [float(t[0]) for t in ACTIVATIONS[activation](np.array([x]))]
    np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("x", [1e160, -1e160, 1e300, -1e300])
def test_srelu_far_out(x: float) -> None:
    """The square of x would overflow: (sqrt(x^2 + a) + x) / 2 is x, or a / (4 |x|)."""
    value, slope, _ = (float(t[0]) for t in srelu(0.5)(np.array([x])))
    assert value == pytest.approx(x if x > 0 else 0.125 / -x, rel=1e-14, abs=0.0)
    assert slope == pytest.approx(1.0 if x > 0 else 0.0, abs=1e-300)


def test_an_activation_of_the_user() -> None:
    """A linear one makes the network linear."""

    def identity(x: Any) -> Any:
        return x, np.ones_like(x), np.zeros_like(x)

    problem = TwoLayerNetwork(X, TARGETS, H, identity, "squared")
    x = point()
    W1, b1, W2, b2 = np.split(x, np.cumsum([P * H, H, H * K]))
    Z = (X @ W1.reshape(P, H) + b1) @ W2.reshape(H, K) + b2
    assert problem.value(x) == pytest.approx(0.5 * np.sum((Z - TARGETS) ** 2) / N)


# -------------------------------------------------------------------- the initial point


def test_the_initial_point_is_glorots() -> None:
    """Variance 2 / (inputs + outputs) of each layer, no biases, one seed one point."""
    p, h, k = 40, 60, 10
    problem = TwoLayerNetwork(np.ones((3, p)), [0, 1, 2], h, classes=k)
    x = problem.initial(np.random.default_rng(0))
    W1, b1, W2, b2 = np.split(x, np.cumsum([p * h, h, h * k]))
    assert not b1.any()
    assert not b2.any()
    assert W1.var() == pytest.approx(2 / (p + h), rel=0.1)
    assert W2.var() == pytest.approx(2 / (h + k), rel=0.2)
    np.testing.assert_array_equal(x, problem.initial(0))
    assert not np.array_equal(x, problem.initial(1))
    with pytest.raises(ArgumentError, match="rng"):
        problem.initial("seed")  # type: ignore[arg-type]


def test_the_initial_point_lives_beside_the_data(xp_case: Xp) -> None:
    problem = TwoLayerNetwork(xp_case.array(X), LABELS, H)
    x = problem.initial(3)
    assert xp_case.owns(x)
    np.testing.assert_allclose(
        xp_case.numpy(x), TwoLayerNetwork(X, LABELS, H).initial(3), rtol=xp_case.eps
    )
    assert np.isfinite(problem.value(x))


# -------------------------------------------------------------------- torch


@every_activation
@every_loss
def test_against_automatic_differentiation(activation: str, loss: str) -> None:
    torch = pytest.importorskip("torch")
    phi = {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "srelu": lambda u: 0.5 * (torch.sqrt(u * u + 0.01) + u),
    }[activation]

    def function(w: Any) -> Any:
        W1, b1, W2, b2 = torch.split(w, [P * H, H, H * K, K])
        Z = phi(torch.tensor(X) @ W1.reshape(P, H) + b1) @ W2.reshape(H, K) + b2
        if loss == "softmax":
            mean = torch.nn.functional.cross_entropy(Z, torch.tensor(LABELS))
        else:
            mean = 0.5 * torch.sum((Z - torch.tensor(TARGETS)) ** 2) / N
        return mean + 0.5 * L2 * (w @ w)

    problem, x = network(activation, loss), point(5)
    w = torch.tensor(x, requires_grad=True)
    (gradient,) = torch.autograd.grad(function(w), w)
    hessian = torch.autograd.functional.hessian(function, torch.tensor(x)).numpy()
    np.testing.assert_allclose(problem.gradient(x), gradient.numpy(), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(dense(problem.hessian(x)), hessian, rtol=1e-10, atol=1e-12)


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"hidden": 0}, ArgumentError, "hidden must be at least 1"),
        ({"activation": "relu"}, ArgumentError, "unknown activation 'relu'"),
        ({"loss": "hinge"}, ArgumentError, "unknown loss 'hinge'"),
        ({"loss": "squared", "classes": 3}, ArgumentError, "classes belong to the softmax"),
        ({"classes": 1}, ArgumentError, "classes must be at least 2"),
        ({"targets": [0, 0, 0, 0]}, ArgumentError, "classes must be at least 2, got 1"),
        ({"targets": [0, -1, 0, 0]}, ArgumentError, "from 0 on, got -1"),
        ({"loss": "squared", "targets": [1.0] * N}, ArrayTypeError, "targets must be an array"),
        ({"loss": "squared", "targets": np.ones(3)}, ShapeError, "a row for each of the 4"),
        ({"loss": "squared", "targets": np.ones((N, 0))}, ShapeError, "targets must have"),
        ({"loss": "squared", "targets": np.full(N, np.nan)}, NonFiniteError, "targets has"),
        ({"loss": "squared", "targets": np.ones(N, np.float32)}, ArrayTypeError, "float32"),
        ({"l2": -1.0}, ArgumentError, "l2 must be finite and not negative"),
    ],
)
def test_bad_input(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TwoLayerNetwork(**{"X": X, "targets": LABELS, "hidden": H, **arguments})


@pytest.mark.parametrize("alpha", [0.0, -1.0, np.inf, "1"])
def test_bad_alpha(alpha: Any) -> None:
    with pytest.raises(ArgumentError, match="alpha"):
        srelu(alpha)
