"""Diagonal norms from per-sample gradients, Gauss-Newton matrices and Hessians."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms import (
    DiagonalNorm,
    chapelle_erhan_norm,
    hessian_diagonal_norm,
    martens_norm,
)
from tralgos.operators import CountingOperator, as_operator
from tralgos.shares import estimate_diagonal

EPS = 2.0**-52
seeds = st.integers(0, 2**32 - 1)


class Scripted(np.random.Generator):
    """A generator whose coins fall as they are told to."""

    def __init__(self, rows: list[tuple[int, ...]]) -> None:
        super().__init__(np.random.PCG64(0))
        self._rows = iter(rows)

    def integers(self, low: Any, high: Any = None, size: Any = None, **_: Any) -> Any:
        assert (low, high) == (0, 2)
        row = np.array(next(self._rows))
        assert row.shape == (size,)
        return row


def all_signs(n: int) -> Scripted:
    return Scripted(list(itertools.product((0, 1), repeat=n)))


# -------------------------------------------------------------------- the norms


def test_the_hessian_norm_is_the_absolute_diagonal_and_a_floor() -> None:
    norm = hessian_diagonal_norm(np.diag([-4.0, 0.0, 1.0]), 1, like=np.zeros(3), floor=0.25)
    np.testing.assert_array_equal(norm.diagonal, np.array([5.0, 1.0, 2.0]))
    norm = hessian_diagonal_norm(np.diag([-4.0, 0.0, 1.0]), 1, like=np.zeros(3))
    np.testing.assert_allclose(norm.diagonal, np.array([4.0, 0, 1]) + 4 * 2.0**-26, rtol=EPS)


def test_the_hessian_norm_is_of_the_estimate_and_costs_as_much(rng: Any) -> None:
    """|d| + floor max|d| with d of the same vectors, one product each; more than one block."""
    H, like = rng.standard_normal((5, 5)), np.zeros(5)
    counted = CountingOperator(as_operator(H))
    norm = hessian_diagonal_norm(counted, 21, like=like, rng=3, floor=0.25)
    assert counted.count == 21
    d = abs(estimate_diagonal(H, probes=21, like=like, rng=3).diagonal)
    np.testing.assert_allclose(norm.diagonal, d + 0.25 * max(d), rtol=4 * EPS)
    again = hessian_diagonal_norm(H, 21, like=like, rng=np.random.default_rng(3), floor=0.25)
    np.testing.assert_allclose(norm.diagonal, again.diagonal, rtol=4 * EPS)
    other = hessian_diagonal_norm(H, 21, like=like, rng=4, floor=0.25)
    assert np.any(other.diagonal != norm.diagonal)


def test_the_hessian_norm_takes_integers_for_numbers_of_its_own_kind() -> None:
    like = np.ones(3, dtype=np.float32)
    norm = hessian_diagonal_norm(np.diag([1, 2, 4]), 2, like=like, floor=0.25)
    assert norm.diagonal.dtype == np.float32
    np.testing.assert_array_equal(norm.diagonal, [2.0, 3.0, 5.0])


def test_the_absolute_value_of_an_estimate_is_biased() -> None:
    """For H = [[0, 1], [1, 0]] the diagonal is zero, but every estimate has the size one."""
    H = np.array([[0.0, 1.0], [1.0, 0.0]])
    for seed in range(5):
        norm = hessian_diagonal_norm(H, 1, like=np.zeros(2), rng=seed, floor=0.5)
        np.testing.assert_array_equal(norm.diagonal, np.array([1.5, 1.5]))


@pytest.mark.parametrize("rooted", [False, True])
def test_every_sign_vector_once_gives_the_gauss_newton_diagonal(rooted: bool, rng: Any) -> None:
    """With R = diag(sqrt p) - p sqrt(p)' as the factor of the logistic loss's Hessian."""
    m, n = 3, 4
    J = rng.standard_normal((m, n))
    p = np.array([0.2, 0.5, 0.3])
    H_L = np.diag(p) - np.outer(p, p) if rooted else np.eye(m)
    root = np.diag(np.sqrt(p)) - np.outer(p, np.sqrt(p)) if rooted else None
    norm = chapelle_erhan_norm(J, 8, like=np.zeros(n), root=root, rng=all_signs(m), floor=2.0**-60)
    np.testing.assert_allclose(norm.diagonal, np.diag(J.T @ H_L @ J), rtol=50 * EPS)


def test_the_gauss_newton_estimate_has_the_variance_that_is_stated(rng: Any) -> None:
    J = rng.standard_normal((4, 2))
    draws = []
    for row in itertools.product((0, 1), repeat=4):
        one = chapelle_erhan_norm(J, 1, like=np.zeros(2), rng=Scripted([row]), floor=2.0**-60)
        draws.append(one.diagonal)
    a = np.sum(J**2, axis=0)
    relative = np.var(np.array(draws), axis=0) / a**2
    np.testing.assert_allclose(relative, 2 * (1 - np.sum(J**4, axis=0) / a**2), rtol=1e-12)
    assert np.all(relative <= 2 * (1 - 1 / 4))


def test_a_root_need_not_be_square(rng: Any) -> None:
    J, R = rng.standard_normal((3, 4)), rng.standard_normal((3, 2))
    norm = chapelle_erhan_norm(J, 4, like=np.zeros(4), root=R, rng=all_signs(2), floor=2.0**-60)
    np.testing.assert_allclose(norm.diagonal, np.diag(J.T @ R @ R.T @ J), rtol=50 * EPS)


@given(seed=seeds, exponent=st.floats(0.01, 1.0), size=st.sampled_from([1e-150, 1.0, 1e150]))
def test_martens_norm(seed: int, exponent: float, size: float) -> None:
    G = np.random.default_rng(seed).standard_normal((5, 3)) * size
    damping = 0.01 * size * size
    expected = (np.sum(G**2, axis=0) + damping) ** exponent
    norm = martens_norm(G, damping=damping, exponent=exponent)
    np.testing.assert_allclose(norm.diagonal, expected, rtol=20 * EPS)
    streamed = martens_norm(iter(list(G)), damping=damping, exponent=exponent)
    np.testing.assert_allclose(streamed.diagonal, expected, rtol=20 * EPS)


def test_the_exponent_is_three_quarters() -> None:
    norm = martens_norm(np.array([[3.0, 0.0], [0.0, 8.0**0.5]]), damping=8.0)
    np.testing.assert_allclose(norm.diagonal, np.array([17.0, 16.0]) ** 0.75, rtol=4 * EPS)
    assert norm.diagonal[1] == pytest.approx(8.0, rel=4 * EPS)


def test_every_library(xp_case: Xp, rng: Any) -> None:
    n = 4
    like = xp_case.array(np.zeros(n))
    H = xp_case.numpy(xp_case.array(rng.standard_normal((n, n))))
    J = xp_case.numpy(xp_case.array(rng.standard_normal((3, n))))
    close = {"rtol": 0, "atol": 100 * xp_case.eps}
    G = [xp_case.array(row) for row in J]
    pairs: list[tuple[DiagonalNorm, DiagonalNorm]] = [
        (
            hessian_diagonal_norm(xp_case.array(H), 3, like=like, rng=0, floor=0.1),
            hessian_diagonal_norm(H, 3, like=np.zeros(n), rng=0, floor=0.1),
        ),
        (
            chapelle_erhan_norm(xp_case.array(J), 3, like=like, rng=0, floor=0.1),
            chapelle_erhan_norm(J, 3, like=np.zeros(n), rng=0, floor=0.1),
        ),
        (martens_norm(xp_case.array(J), damping=0.5), martens_norm(J, damping=0.5)),
        (martens_norm(G, damping=0.5), martens_norm(J, damping=0.5)),
    ]
    for norm, expected in pairs:
        assert xp_case.owns(norm.diagonal)
        np.testing.assert_allclose(xp_case.numpy(norm.diagonal), expected.diagonal, **close)


def test_the_fetches_are_as_stated(strict_case: Xp, host_fetches: FetchCounter, rng: Any) -> None:
    like = strict_case.array(np.zeros(3))
    A = strict_case.array(rng.standard_normal((3, 3)))
    calls = [
        (lambda: hessian_diagonal_norm(A, 6, like=like), 3),
        (lambda: chapelle_erhan_norm(A, 6, like=like), 2),
        (lambda: martens_norm(A, damping=1.0), 2),
    ]
    for call, expected in calls:
        host_fetches.reset()
        call()
        assert host_fetches.count == expected


@pytest.mark.parametrize("size", [1e-150, 1e-100, 1e100, 1e150])
def test_sizes_pass_through(size: float, rng: Any) -> None:
    J, H = rng.standard_normal((3, 4)), rng.standard_normal((4, 4))
    like = np.zeros(4)
    hessian = hessian_diagonal_norm(size * H, 5, like=like, rng=1).diagonal
    np.testing.assert_allclose(
        hessian / size, hessian_diagonal_norm(H, 5, like=like, rng=1).diagonal, rtol=100 * EPS
    )
    gauss = chapelle_erhan_norm(size * J, 5, like=like, rng=1).diagonal
    np.testing.assert_allclose(
        gauss / size / size, chapelle_erhan_norm(J, 5, like=like, rng=1).diagonal, rtol=100 * EPS
    )


# -------------------------------------------------------------------- errors


def test_estimates_that_make_no_norm_are_named() -> None:
    like = np.zeros(2)
    with pytest.raises(NotPositiveDefiniteError, match="estimated diagonal of H is zero"):
        hessian_diagonal_norm(np.zeros((2, 2)), 2, like=like)
    with pytest.raises(NotPositiveDefiniteError, match="of the Gauss-Newton matrix is zero"):
        chapelle_erhan_norm(np.zeros((3, 2)), 2, like=like)
    with pytest.raises(NotPositiveDefiniteError, match="underflows float64"):
        chapelle_erhan_norm(1e-155 * np.eye(2), 1, like=like)
    with pytest.raises(NonFiniteError, match="of the Gauss-Newton matrix is not finite"):
        chapelle_erhan_norm(1e155 * np.eye(2), 1, like=like)
    with pytest.raises(NonFiniteError, match="the products with H has 1 entries that are NaN"):
        hessian_diagonal_norm(np.diag([1e308, math.nan]), 1, like=like)
    with pytest.raises(NonFiniteError, match="sum of the squared gradients is not finite"):
        martens_norm(np.array([[1e200, 1.0]]), damping=1.0)
    with pytest.raises(NonFiniteError, match="sum of the squared gradients is not finite"):
        martens_norm([np.array([math.nan, 1.0])], damping=1.0)


def test_arguments_out_of_range_are_named() -> None:
    eye, like = np.eye(2), np.zeros(2)
    for function in (hessian_diagonal_norm, chapelle_erhan_norm):
        with pytest.raises(ArgumentError, match="samples must be at least 1"):
            function(eye, 0, like=like)
        with pytest.raises(ArgumentError, match="rng must be"):
            function(eye, 1, like=like, rng="seed")
        with pytest.raises(ShapeError, match="shape"):
            function(eye, 1, like=np.zeros(3))
        with pytest.raises(ShapeError, match="like is empty"):
            function(np.zeros((0, 0)), 1, like=np.zeros(0))
        with pytest.raises(ArrayTypeError, match="like must be an array"):
            function(eye, 1, like=[0.0, 0.0])
        with pytest.raises(ArrayTypeError, match="float32"):
            function(eye, 1, like=np.zeros(2, dtype=np.float32))
        with pytest.raises(ArgumentError, match="floor must be positive"):
            function(eye, 1, like=like, floor=0.0)


def test_jacobians_and_roots_that_do_not_fit_are_named() -> None:
    class OneWay:
        shape = (3, 2)

        def matvec(self, x: Any) -> Any:
            return np.ones((3, 2)) @ x

    like = np.zeros(2)
    with pytest.raises(ArrayTypeError, match="J needs a product with its transpose"):
        chapelle_erhan_norm(OneWay(), 1, like=like)
    with pytest.raises(ShapeError, match="root has shape"):
        chapelle_erhan_norm(np.ones((3, 2)), 1, like=like, root=np.eye(2))
    with pytest.raises(ArrayTypeError, match="float32"):
        chapelle_erhan_norm(np.ones((3, 2)), 1, like=like, root=np.eye(3, dtype=np.float32))


def test_gradients_that_do_not_fit_are_named() -> None:
    good = np.ones((2, 3))
    for damping in (0.0, -1.0, math.inf):
        with pytest.raises(ArgumentError, match="damping must be positive"):
            martens_norm(good, damping=damping)
    for exponent in (0.0, 1.5, math.nan):
        with pytest.raises(ArgumentError, match=r"exponent must lie in \(0, 1\]"):
            martens_norm(good, damping=1.0, exponent=exponent)
    with pytest.raises(ArgumentError, match="damping = 1e-50 is zero in the dtype float32"):
        martens_norm(good.astype(np.float32), damping=1e-50)
    with pytest.raises(ArrayTypeError, match="gradients must be a matrix, got an array of shape"):
        martens_norm(np.ones(3), damping=1.0)
    with pytest.raises(ArrayTypeError, match="a matrix or an iterable of vectors, got float"):
        martens_norm(3.0, damping=1.0)  # type: ignore[arg-type]
    for empty in ([], np.ones((0, 3)), np.ones((2, 0)), [np.ones(0)]):
        with pytest.raises(ShapeError, match="gradients is empty"):
            martens_norm(empty, damping=1.0)
    with pytest.raises(ShapeError, match="gradient 1 has length 2 but the first has 3"):
        martens_norm([np.ones(3), np.ones(2)], damping=1.0)
    with pytest.raises(ArrayTypeError, match="gradient 1 has dtype float32"):
        martens_norm([np.ones(3), np.ones(3, dtype=np.float32)], damping=1.0)
