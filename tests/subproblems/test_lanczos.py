"""The Lanczos process: its recurrence, its orthogonality, its breakdown and its second pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.oracle import rotated
from tests.subproblems.support import EPS, Product
from tralgos.norms import DiagonalNorm, EuclideanNorm, LowRankNorm, MatrixNorm, Norm
from tralgos.operators import DiagonalOperator, WrappedOperator
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model

STORE = 1 << 30


def model_of(H: Any, g: np.ndarray, norm: Norm | None = None) -> Model:
    return Model(WrappedOperator(Product(H), symmetric=True), g, norm or EuclideanNorm())


def diagonal_model(e: np.ndarray, g: np.ndarray, norm: Norm | None = None) -> Model:
    return Model(DiagonalOperator(e), g, norm or EuclideanNorm())


def basis(run: Lanczos) -> np.ndarray:
    """The normalised vectors q_1, ..., q_k, made by combining."""
    return np.array([run.combine(row) for row in np.eye(run.order)]).T


def norm_of(kind: str, n: int) -> Norm:
    rng = np.random.default_rng(n)
    if kind == "diagonal":
        return DiagonalNorm(rng.uniform(0.1, 10.0, n))
    if kind == "matrix":
        B = rng.standard_normal((n, n)) / math.sqrt(n)
        return MatrixNorm(B @ B.T + 0.2 * np.eye(n))
    if kind == "low-rank":
        return LowRankNorm(rng.standard_normal((n, 3)) / math.sqrt(n), 2.0, 0.5)
    return EuclideanNorm()


@pytest.mark.parametrize("memory", [1, STORE])
@pytest.mark.parametrize("kind", ["euclidean", "diagonal", "matrix", "low-rank"])
def test_recurrence(kind: str, memory: int) -> None:
    """H Q = M (Q T + beta q e'), Q'MQ = I, in every norm, stored or not."""
    n, k = 40, 12
    H, g, _ = rotated(np.linspace(-1, 3, n), np.ones(n), np.random.default_rng(0))
    norm = norm_of(kind, n)
    model = model_of(H, g, norm)
    run = Lanczos(model, g, memory=memory)
    for _ in range(k):
        run.extend()
    assert run.order == k
    assert model.matvecs == k
    Q = basis(run)
    M = norm.apply(np.eye(n))
    T = np.diag(run.T.diagonal) + np.diag(run.T.off_diagonal, 1) + np.diag(run.T.off_diagonal, -1)
    dual, length = run.next_vector
    assert length == run.beta
    np.testing.assert_allclose(np.linalg.norm(Q.T @ M @ Q - np.eye(k)), 0.0, atol=1e-10)
    right = M @ Q @ T
    right[:, -1] += run.beta * dual / length
    np.testing.assert_allclose(H @ Q, right, atol=1e-12 * np.linalg.norm(M, 2))
    np.testing.assert_allclose(Q.T @ g, run.start_norm * np.eye(k)[0], atol=1e-10)
    assert run.start_norm == pytest.approx(norm.dual_norm(g))
    assert norm.dual_norm(dual) == pytest.approx(length)
    assert run.size >= np.abs(np.linalg.eigvalsh(T)).max() / math.sqrt(3.0)
    assert run.not_stored == (0 if memory == STORE else k - 2)


@pytest.mark.parametrize("n", [300, 5000])
@pytest.mark.parametrize("kind", ["euclidean", "diagonal"])
def test_orthogonality_is_kept_while_ritz_values_converge(n: int, kind: str) -> None:
    """Outliers converge within a few iterations; unwatched, the basis loses all orthogonality."""
    e = np.concatenate([[-50.0, -20.0, 90.0], np.linspace(0.0, 1.0, n - 3)])
    g = np.random.default_rng(1).standard_normal(n)
    lost = []
    for watched in (True, False):
        norm = norm_of(kind, n)
        run = Lanczos(diagonal_model(e, g, norm), g, memory=STORE, watched=watched)
        for _ in range(60):
            run.extend()
        Q = basis(run)
        loss = np.abs(Q.T @ norm.apply(Q) - np.eye(run.order)).max()
        lost.append(loss)
    assert lost[0] <= (1e-12 if n <= 2048 else 1e-9)
    assert lost[1] >= 1e-4


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("coupling", [1e-2, 1e-4, 1e-6])
def test_start_close_to_an_eigenvector(coupling: float, single: bool) -> None:
    """The second vector is what cancellation leaves of a product; it is orthogonal to the first."""
    dtype = np.float32 if single else np.float64
    e = np.array([3.0, 0.0, 1.0, 0.5, -1.0])
    H, g, _ = rotated(e, np.array([1.0, *np.full(4, coupling)]), np.random.default_rng(2))
    H, g = H.astype(dtype), g.astype(dtype)
    run = Lanczos(model_of(H, g), g, memory=STORE)
    while not run.invariant:
        run.extend()
    Q = basis(run).astype(np.float64)
    eps = 2.0**-23 if single else EPS
    np.testing.assert_allclose(Q.T @ Q, np.eye(run.order), atol=50 * eps)


@pytest.mark.parametrize("kind", ["euclidean", "diagonal", "matrix"])
def test_stops_at_a_breakdown(kind: str) -> None:
    """The mutation of extending past an invariant space fills the basis with noise."""
    n = 30
    norm = norm_of(kind, n)
    M = norm.apply(np.eye(n))
    half = np.linalg.cholesky(M)
    H0, g0, _ = rotated(np.repeat([-1.0, 2.0, 5.0], 10), np.ones(n), np.random.default_rng(3))
    H, g = half @ H0 @ half.T, half @ g0
    run = Lanczos(model_of(0.5 * (H + H.T), g, norm), g, memory=STORE)
    for _ in range(3):
        assert not run.invariant
        run.extend()
    assert run.invariant
    np.testing.assert_allclose(
        np.linalg.eigvalsh(
            np.diag(run.T.diagonal)
            + np.diag(run.T.off_diagonal, 1)
            + np.diag(run.T.off_diagonal, -1)
        ),
        [-1.0, 2.0, 5.0],
        rtol=1e-12,
    )


def test_no_space_is_larger_than_the_whole() -> None:
    H, g, _ = rotated(np.array([-1.0, 0.0, 2.0]), np.ones(3), np.random.default_rng(3))
    run = Lanczos(model_of(H, g), g, memory=STORE)
    for _ in range(3):
        run.extend()
    assert run.invariant
    assert run.order == 3


def test_zero_matrix_breaks_down_at_once() -> None:
    run = Lanczos(model_of(np.zeros((4, 4)), np.ones(4)), np.ones(4), memory=STORE)
    run.extend()
    assert run.invariant
    assert run.alphas == [0.0]


@pytest.mark.parametrize("kind", ["euclidean", "diagonal"])
@pytest.mark.parametrize("stored", [2, 3, 9])
def test_second_pass_is_the_first_again(kind: str, stored: int) -> None:
    """Vectors that were not stored come out bitwise as they were."""
    n, k = 3000, 20
    e = np.linspace(-1.0, 3.0, n)
    g = np.random.default_rng(4).standard_normal(n)
    seen: list[list[np.ndarray]] = []
    for _ in range(2):
        vectors: list[np.ndarray] = []

        def product(x: np.ndarray, vectors: list[np.ndarray] = vectors) -> np.ndarray:
            vectors.append(x.copy())
            return e * x

        seen.append(vectors)
        operator = WrappedOperator(_Function(product, n), symmetric=True)
        model = Model(operator, g, norm_of(kind, n))
        run = Lanczos(model, g, memory=8 * n * stored)
        for _ in range(k):
            run.extend()
    first = list(seen[1])
    seen[1].clear()
    run.combine(np.ones(k))
    assert len(seen[1]) == k - stored == run.not_stored
    for again, before in zip(seen[1], first[stored - 1 :], strict=False):
        np.testing.assert_array_equal(again, before)


class _Function:
    def __init__(self, product: Any, n: int) -> None:
        self.matvec, self.shape = product, (n, n)


@pytest.mark.parametrize("kind", ["euclidean", "diagonal"])
def test_second_pass_of_a_long_run(kind: str) -> None:
    """Ritz values converge, where the recurrence enlarges the slightest difference."""
    n, k = 3000, 80
    e = np.concatenate([[-50.0, -20.0, 90.0], np.linspace(0.0, 1.0, n - 3)])
    g = np.random.default_rng(1).standard_normal(n)
    norm = norm_of(kind, n)
    runs = [
        Lanczos(diagonal_model(e, g, norm), g, memory=memory, watched=False)
        for memory in (STORE, 8 * n * 3)
    ]
    for run in runs:
        for _ in range(k):
            run.extend()
    h = np.random.default_rng(2).standard_normal(k)
    first, second = (run.combine(h) for run in runs)
    assert runs[0].alphas == runs[1].alphas
    np.testing.assert_allclose(second, first, rtol=0, atol=1e-12 * np.abs(first).max())


def test_combine_takes_fewer_coefficients() -> None:
    H, g, _ = rotated(np.linspace(-1, 3, 20), np.ones(20), np.random.default_rng(0))
    run = Lanczos(model_of(H, g), g, memory=STORE)
    for _ in range(5):
        run.extend()
    np.testing.assert_allclose(run.combine(np.array([2.0])), 2.0 * g / np.linalg.norm(g))
    short = Lanczos(model_of(H, g), g, memory=1)
    for _ in range(5):
        short.extend()
    h = np.array([1.0, -2.0, 0.5, 3.0])
    np.testing.assert_allclose(short.combine(h), run.combine(h), atol=1e-12)


def test_first_product_is_used_once() -> None:
    H, g, _ = rotated(np.linspace(-1, 3, 20), np.ones(20), np.random.default_rng(0))
    model = model_of(H, g)
    run = Lanczos(model, g, memory=STORE, first_product=H @ g)
    run.extend()
    assert model.matvecs == 0
    run.extend()
    assert model.matvecs == 1
    plain = Lanczos(model_of(H, g), g, memory=STORE)
    plain.extend()
    plain.extend()
    assert run.alphas == plain.alphas
    assert run.betas == plain.betas


def test_start_vector_is_not_written_to() -> None:
    for norm in (EuclideanNorm(), DiagonalNorm(np.linspace(1.0, 2.0, 20))):
        H, g, _ = rotated(np.linspace(-1, 3, 20), np.ones(20), np.random.default_rng(0))
        copy = g.copy()
        run = Lanczos(model_of(H, g, norm), g, memory=1)
        for _ in range(8):
            run.extend()
        np.testing.assert_array_equal(g, copy)


def test_failed_product_leaves_the_process_as_it_was() -> None:
    H, g, _ = rotated(np.linspace(-1, 3, 20), np.ones(20), np.random.default_rng(0))
    fail = False

    def product(x: np.ndarray) -> np.ndarray:
        if fail:
            raise RuntimeError("once")
        return H @ x

    model = Model(WrappedOperator(_Function(product, 20), symmetric=True), g, EuclideanNorm())
    run = Lanczos(model, g, memory=STORE)
    for _ in range(3):
        run.extend()
    fail = True
    with pytest.raises(RuntimeError, match="once"):
        run.extend()
    fail = False
    run.extend()
    plain = Lanczos(model_of(H, g), g, memory=STORE)
    for _ in range(4):
        plain.extend()
    assert run.alphas == plain.alphas
    assert run.betas == plain.betas
