"""Logistic and softmax regression against mpmath, against each other and against torch."""

from __future__ import annotations

import sys
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import Xp
from tralgos.errors import ArgumentError, ArrayTypeError, MissingDataError, ShapeError
from tralgos.problems import (
    LogisticRegression,
    SoftmaxRegression,
    digits_problem,
    load_digits,
)

N, P, K, L2 = 6, 2, 3, 0.1
RNG = np.random.default_rng(11)
X = RNG.standard_normal((N, P))
LABELS = np.array([0, 2, 1, 1, 0, 2])
BINARY = np.array([1, 0, 0, 1, 1, 0])

scales = st.sampled_from([1e-3, 1.0, 30.0, 1e4])


def dense(H: Any, n: int) -> np.ndarray:
    return np.asarray(H @ np.eye(n))


# -------------------------------------------------------------------- the oracle


def softmax_oracle(X: np.ndarray, labels: np.ndarray, W: np.ndarray) -> tuple[Any, Any, Any]:
    """Mean cross-entropy, gradient and Hessian by their definitions, without any care.

    mpmath has exponents of any size; the working precision has to cover what cancels.
    """
    (m, p), k = X.shape, W.shape[1]
    value, gradient, hessian = mp.mpf(0), mp.zeros(p * k, 1), mp.zeros(p * k)
    for x, label in zip(X, labels, strict=True):
        z = [mp.fsum(mp.mpf(x[a]) * mp.mpf(W[a, j]) for a in range(p)) for j in range(k)]
        E = [mp.exp(t) for t in z]
        total = mp.fsum(E)
        q = [e / total for e in E]
        value += mp.log(total) - z[label]
        d = [q[j] - int(j == label) for j in range(k)]
        for a in range(p):
            for j in range(k):
                gradient[a * k + j] += mp.mpf(x[a]) * d[j]
                for b in range(p):
                    for i in range(k):
                        c = q[j] * (int(i == j) - q[i])
                        hessian[a * k + j, b * k + i] += mp.mpf(x[a]) * mp.mpf(x[b]) * c
    return value / m, gradient / m, hessian / m


def as_array(M: Any) -> np.ndarray:
    return np.array(M.tolist(), dtype=float)


# -------------------------------------------------------------------- softmax


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 30.0, 1e4])
def test_softmax_against_the_definition(scale: float) -> None:
    """Value, gradient and Hessian, for logits up to 1e4 times normal numbers.

    The bound allows for the rounding of the logits themselves, of size eps * |z|.
    """
    W = scale * RNG.standard_normal((P, K))
    problem = SoftmaxRegression(X, LABELS, K)
    x = W.ravel()
    # What cancels in q - 1 below 1e-60 is below the absolute tolerance too.
    with mp.workdps(60):
        value, gradient, hessian = softmax_oracle(X, LABELS, W)
        want, g, H = float(value), as_array(gradient).ravel(), as_array(hessian)
    rtol = 1e-14 * max(1.0, 10 * scale)
    assert problem.value(x) == pytest.approx(want, rel=rtol)
    np.testing.assert_allclose(problem.gradient(x), g, rtol=rtol, atol=1e-15)
    np.testing.assert_allclose(dense(problem.hessian(x), P * K), H, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("margin", [40.0, 300.0, 700.0])
def test_relative_accuracy_where_a_sample_is_all_but_certain(margin: float) -> None:
    """Differences such as p - 1 and p (1 - p) would leave nothing of what is 1e-17 and less."""
    z = np.array([margin, 1.0, 0.0])
    problem = SoftmaxRegression(np.ones((1, 1)), [0], 3)
    with mp.workdps(800):
        value, gradient, hessian = softmax_oracle(np.ones((1, 1)), np.array([0]), z[None, :])
        want, g, H = float(value), as_array(gradient).ravel(), as_array(hessian)
    assert 0.0 < want < 1e-16
    assert problem.value(z) == pytest.approx(want, rel=1e-12, abs=0.0)
    np.testing.assert_allclose(problem.gradient(z), g, rtol=1e-12)
    v = np.array([1.0, -2.0, 5.0])
    np.testing.assert_allclose(problem.hessian(z) @ v, H @ v, rtol=1e-12)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_logits_of_a_thousand_and_more_do_not_overflow(label: int) -> None:
    problem = SoftmaxRegression(np.ones((1, 1)), [label], 3)
    z = np.array([1e4, -1e4, 0.0])
    assert problem.value(z) == 1e4 - z[label]
    want = np.array([1.0, 0.0, 0.0])
    want[label] -= 1.0
    np.testing.assert_array_equal(problem.gradient(z), want)
    np.testing.assert_array_equal(problem.hessian(z) @ np.array([1.0, 2.0, 3.0]), np.zeros(3))


def test_ties_among_the_largest_logits() -> None:
    """Only one of them may be left out of the sum of the others."""
    problem = SoftmaxRegression(np.ones((1, 1)), [1], 3)
    assert problem.value(np.zeros(3)) == pytest.approx(np.log(3.0), rel=1e-15)
    np.testing.assert_allclose(problem.gradient(np.zeros(3)), [1 / 3, -2 / 3, 1 / 3], rtol=1e-15)


@given(seed=st.integers(0, 2**32 - 1), scale=scales)
def test_the_softmax_hessian_is_semidefinite_and_knows_its_null_space(
    seed: int, scale: float
) -> None:
    """A shift of all weights of a feature changes no probability."""
    rng = np.random.default_rng(seed)
    W = scale * rng.standard_normal((P, K))
    H = dense(SoftmaxRegression(X, LABELS, K).hessian(W.ravel()), P * K)
    assert np.linalg.eigvalsh(0.5 * (H + H.T))[0] >= -1e-14
    np.testing.assert_allclose(H, H.T, atol=1e-14)
    shift = np.repeat(rng.standard_normal(P), K)
    np.testing.assert_allclose(H @ shift, 0.0, atol=1e-13)


@given(seed=st.integers(0, 2**32 - 1), scale=scales)
def test_two_classes_are_logistic_regression(seed: int, scale: float) -> None:
    """With w the difference of the two columns; the gradients are d/dW_2 and its negative."""
    W = scale * np.random.default_rng(seed).standard_normal((P, 2))
    softmax, logistic = SoftmaxRegression(X, BINARY, 2), LogisticRegression(X, BINARY)
    w = W[:, 1] - W[:, 0]
    tol = {"rtol": 1e-12 * max(1.0, scale), "atol": 1e-13}
    np.testing.assert_allclose(softmax.value(W.ravel()), logistic.value(w), **tol)
    g = logistic.gradient(w)
    G = softmax.gradient(W.ravel()).reshape(P, 2)
    np.testing.assert_allclose(G, np.stack([-g, g], axis=1), **tol)
    H = dense(softmax.hessian(W.ravel()), 2 * P)[1::2, 1::2]
    np.testing.assert_allclose(H, dense(logistic.hessian(w), P), **tol)


# -------------------------------------------------------------------- logistic


@pytest.mark.parametrize("margin", [0.0, 1e-9, 2.0, -2.0, 40.0, -40.0, 700.0, -700.0, 1e4, -1e4])
def test_logistic_loss_to_relative_accuracy(margin: float) -> None:
    """log(1 + exp(-z)), its slope and its curvature on both sides, for the label 1."""
    problem = LogisticRegression(np.ones((1, 1)), [1])
    z = np.array([margin])
    with mp.workdps(400):
        e = mp.exp(-mp.mpf(margin))
        value, slope, bend = mp.log1p(e), -e / (1 + e), e / (1 + e) ** 2
        want = [float(t) for t in (value, slope, bend)]
    got = [problem.value(z), problem.gradient(z).item(), (problem.hessian(z) @ np.ones(1)).item()]
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_both_conventions_and_all_kinds_of_labels() -> None:
    w = np.array([0.3, -0.7])
    want = LogisticRegression(X, BINARY).value(w)
    for labels in (
        2 * BINARY - 1,
        BINARY.astype(bool),
        BINARY.astype(np.float32),
        BINARY.astype(np.uint8),
        BINARY.tolist(),
    ):
        assert LogisticRegression(X, labels).value(w) == want
    assert LogisticRegression(X, 1 - BINARY).value(w) == LogisticRegression(X, BINARY).value(-w)


def test_labels_may_be_an_array_of_any_library(xp_case: Xp) -> None:
    problem = SoftmaxRegression(xp_case.array(X), xp_case.array(LABELS), K)
    want = SoftmaxRegression(X, LABELS, K).value(np.ones(P * K))
    assert problem.value(xp_case.array(np.ones(P * K))) == pytest.approx(want, rel=1e-6)


# -------------------------------------------------------------------- torch


@pytest.mark.parametrize("kind", ["softmax", "logistic"])
def test_against_automatic_differentiation(kind: str) -> None:
    torch = pytest.importorskip("torch")
    n = P * K if kind == "softmax" else P
    x = np.random.default_rng(3).standard_normal(n)
    data = torch.tensor(X)
    if kind == "softmax":
        problem: Any = SoftmaxRegression(X, LABELS, K, l2=L2)

        def loss(w: Any) -> Any:
            return torch.nn.functional.cross_entropy(data @ w.reshape(P, K), torch.tensor(LABELS))
    else:
        problem = LogisticRegression(X, BINARY, l2=L2)

        def loss(w: Any) -> Any:
            return torch.nn.functional.binary_cross_entropy_with_logits(
                data @ w, torch.tensor(BINARY, dtype=data.dtype)
            )

    def function(w: Any) -> Any:
        return loss(w) + 0.5 * L2 * (w @ w)

    w = torch.tensor(x, requires_grad=True)
    value = function(w)
    (gradient,) = torch.autograd.grad(value, w)
    hessian = torch.autograd.functional.hessian(function, torch.tensor(x))
    assert problem.value(x) == pytest.approx(value.item(), rel=1e-13)
    np.testing.assert_allclose(problem.gradient(x), gradient.numpy(), atol=1e-14)
    np.testing.assert_allclose(dense(problem.hessian(x), n), hessian.numpy(), atol=1e-13)


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0, 1, 2, 0, 1, 0], ArgumentError, "0 and 1 or -1 and .1, got 2"),
        ([0, 1, -1, 0, 1, 0], ArgumentError, "got both 0 and -1"),
        ([0, 1, np.nan, 0, 1, 0], ArgumentError, "got nan"),
        ([0, 1, 0.5, 0, 1, 0], ArgumentError, "got 0.5"),
        ([0, 1], ShapeError, r"labels must have shape \(6,\)"),
        (np.zeros((N, 1)), ShapeError, "labels must have shape"),
        (["a"] * N, ArrayTypeError, "labels must be real numbers"),
        ([[1], [1, 2]], ArrayTypeError, "labels must be a vector"),
        (np.zeros(N, dtype=complex), ArrayTypeError, "labels must be real numbers"),
    ],
)
def test_bad_binary_labels(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        LogisticRegression(X, labels)


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0, 1, 2, 0, 1, 3], 3, ArgumentError, "from 0 to 2, got 3"),
        ([0, 1, -1, 0, 1, 0], 3, ArgumentError, "got -1"),
        ([0, 1, 1.5, 0, 1, 0], 3, ArgumentError, "got 1.5"),
        ([0, 1, np.inf, 0, 1, 0], 3, ArgumentError, "got inf"),
        (LABELS, 1, ArgumentError, "classes must be at least 2"),
        (LABELS, 3.0, ArgumentError, "classes must be an integer"),
        (LABELS, None, ArgumentError, "classes must be an integer"),
        (LABELS[:-1], 3, ShapeError, "labels must have shape"),
    ],
)
def test_bad_class_labels(labels: Any, classes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SoftmaxRegression(X, labels, classes)


# -------------------------------------------------------------------- digits


def test_the_digits() -> None:
    pytest.importorskip("sklearn")
    pixels, labels = load_digits()
    assert pixels.shape == (1797, 64)
    assert (pixels.min(), pixels.max()) == (0.0, 1.0)
    assert pixels.dtype == np.float64
    assert set(labels.tolist()) == set(range(10))


@pytest.mark.parametrize(
    ("kind", "n", "value"),
    [
        ("softmax", 650, np.log(10.0)),
        ("logistic", 65, np.log(2.0)),
        ("least-squares", 65, 0.5),
        ("two-layer", 75 * 5 + 10, np.log(10.0)),
    ],
)
def test_problems_on_the_digits(kind: str, n: int, value: float) -> None:
    """At zero no class is preferred: each value is known."""
    pytest.importorskip("sklearn")
    problem = digits_problem(kind, hidden=5)
    assert (problem.size, problem.n) == (1797, n)
    assert problem.value(np.zeros(n)) == pytest.approx(value, rel=1e-12)


def test_the_digits_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(MissingDataError, match=r"pip install tralgos\[data\]"):
        digits_problem()


def test_an_unknown_problem_on_the_digits() -> None:
    with pytest.raises(ArgumentError, match="unknown kind 'ridge'"):
        digits_problem("ridge")
