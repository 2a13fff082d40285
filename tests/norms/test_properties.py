"""What makes a norm a norm, for any size of numbers; oracles in extended precision."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.namespaces import Xp
from tests.norms.support import HOST_CASES, NORM_CASES, NormCase
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms import DiagonalNorm, EuclideanNorm, LowRankNorm

PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=60)
HOST = Xp("numpy-float64", np, None, np.float64)
EPS = 2.0**-52

cases = st.sampled_from(NORM_CASES + HOST_CASES)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)
exponents = st.integers(-140, 140)


def exact_norm(d: np.ndarray, s: np.ndarray, power: int = 1) -> mpmath.mpf:
    """sqrt(sum d^power s^2) with 50 digits and an unbounded exponent."""
    with mpmath.workdps(50):
        terms = (
            mpmath.mpf(float(a)) ** power * mpmath.mpf(float(b)) ** 2
            for a, b in zip(d, s, strict=True)
        )
        return mpmath.sqrt(mpmath.fsum(terms))


def relative(actual: float, expected: mpmath.mpf) -> float:
    with mpmath.workdps(50):
        return float(abs(mpmath.mpf(actual) / expected - 1))


@PROPERTY
@given(case=cases, n=sizes, seed=seeds)
def test_solve_undoes_apply(case: NormCase, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm, M = case.build(HOST, n, rng)
    s = rng.standard_normal((n, 2))
    tolerance = 50 * EPS * np.linalg.cond(M) * n
    np.testing.assert_allclose(norm.solve(norm.apply(s)), s, atol=tolerance)
    np.testing.assert_allclose(norm.apply(norm.solve(s)), s, atol=tolerance)
    if norm.has_sqrt:
        np.testing.assert_allclose(norm.sqrt(norm.sqrt(s)), norm.apply(s), atol=tolerance)
        np.testing.assert_allclose(norm.inverse_sqrt(norm.sqrt(s)), s, atol=tolerance)
    if norm.has_half:
        inverse = norm.half_solve_t(norm.half_solve(s))
        np.testing.assert_allclose(inverse, norm.solve(s), atol=tolerance)


@PROPERTY
@given(case=cases, n=sizes, seed=seeds)
def test_norm_axioms_and_duality(case: NormCase, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm, _ = case.build(HOST, n, rng)
    s, t = rng.standard_normal(n), rng.standard_normal(n)
    room = 1 + 100 * n * EPS
    assert norm.norm(s + t) <= (norm.norm(s) + norm.norm(t)) * room
    assert abs(norm.inner(s, t)) <= norm.norm(s) * norm.norm(t) * room
    assert abs(s @ t) <= norm.norm(s) * norm.dual_norm(t) * room
    assert norm.norm(-3.0 * s) == pytest.approx(3.0 * norm.norm(s), rel=100 * n * EPS)
    # M s attains the dual norm.
    assert norm.dual_norm(norm.apply(s)) == pytest.approx(norm.norm(s), rel=1e4 * n * EPS)
    assert norm.inner(s, t) == pytest.approx(norm.inner(t, s), abs=100 * n * EPS * np.sqrt(n) * 50)


@PROPERTY
@given(case=cases, n=sizes, seed=seeds)
def test_equivalence_holds_and_is_attained(case: NormCase, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm, M = case.build(HOST, n, rng)
    if case.name == "operator":
        return
    lower, upper = norm.equivalence()
    room = 1 + 1e3 * n * EPS
    s = rng.standard_normal(n)
    assert lower * np.linalg.norm(s) <= norm.norm(s) * room
    assert norm.norm(s) <= upper * np.linalg.norm(s) * room
    _, V = np.linalg.eigh(M)
    assert norm.norm(V[:, 0]) == pytest.approx(lower, rel=1e4 * EPS)
    assert norm.norm(V[:, -1]) == pytest.approx(upper, rel=1e4 * EPS)


@PROPERTY
@given(case=cases, n=sizes, seed=seeds, exponent=exponents)
def test_powers_of_two_pass_through_exactly(
    case: NormCase, n: int, seed: int, exponent: int
) -> None:
    rng = np.random.default_rng(seed)
    norm, _ = case.build(HOST, n, rng)
    s, t = rng.standard_normal(n), rng.standard_normal(n)
    size = 2.0 ** (7 * exponent)
    assert norm.norm(s * size) == norm.norm(s) * size
    assert norm.dual_norm(s * size) == norm.dual_norm(s) * size
    # s'Mt scaled on one side only: representable although the other way round it may not be.
    assert norm.inner(s * size, t / size) == norm.inner(s, t)


@PROPERTY
@given(data=st.data(), n=st.integers(1, 5))
def test_diagonal_norms_of_extreme_ratio(data: st.DataObject, n: int) -> None:
    powers = st.lists(st.floats(-100, 100), min_size=n, max_size=n)
    d = 10.0 ** np.array(data.draw(powers))
    s = 10.0 ** np.array(data.draw(powers))
    norm = DiagonalNorm(d)
    assert relative(norm.norm(s), exact_norm(d, s)) <= 10 * EPS
    assert relative(norm.dual_norm(s), exact_norm(d, s, -1)) <= 10 * EPS
    assert norm.equivalence() == (np.sqrt(d.min()), np.sqrt(d.max()))


@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-200, 1e200, 1e307])
def test_euclidean_norms_at_the_ends_of_the_range(size: float) -> None:
    s = np.array([3.0, 4.0, 0.0]) * size
    assert relative(EuclideanNorm().norm(s), exact_norm(np.ones(3), s)) <= 4 * EPS


@pytest.mark.parametrize("size", [1e-45, 1e-40, 1e-20, 1e20, 1e37])
def test_float32_norms_at_the_ends_of_the_range(size: float) -> None:
    s = np.array([3.0, 4.0, 0.0], dtype=np.float32) * np.float32(size)
    assert relative(EuclideanNorm().norm(s), exact_norm(np.ones(3), s)) <= 4 * 2.0**-23


@pytest.mark.parametrize("entry", [1e-44, 1e-38, 1e-30, 1e30, 1e38])
def test_matrices_at_the_ends_of_the_range_of_float32(entry: float) -> None:
    d = np.full(40, entry, dtype=np.float32)
    s = np.linspace(-1.0, 1.0, 40, dtype=np.float32)
    norm = DiagonalNorm(d)
    assert relative(norm.norm(s), exact_norm(d, s)) <= 10 * 2.0**-23
    if entry > 1e-37:  # 1 / d overflows below
        assert relative(norm.dual_norm(s), exact_norm(d, s, -1)) <= 10 * 2.0**-23
    expected = float(exact_norm(d, s)) ** 2
    assert norm.inner(s, s) == pytest.approx(expected, rel=1e-5, abs=0)


def test_a_norm_beyond_the_range_is_infinite_and_not_an_error() -> None:
    assert DiagonalNorm(np.array([1e100])).norm(np.array([1e300])) == np.inf
    assert DiagonalNorm(np.array([1e100])).inner(np.array([1e300]), np.array([1e300])) == np.inf
    assert DiagonalNorm(np.array([1e100])).dual_norm(np.array([1e-300])) == 0.0


def test_orthogonal_vectors_have_an_inner_product_of_zero() -> None:
    assert DiagonalNorm(np.ones(2)).inner(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 0.0


def test_euclidean_norm_returns_its_argument() -> None:
    s, norm = np.array([1.0, 2.0]), EuclideanNorm()
    for call in (norm.apply, norm.solve, norm.sqrt, norm.inverse_sqrt):
        assert call(s) is s
    assert norm.half_solve(s) is s
    assert norm.half_solve_t(s) is s


def test_diagonal_keeps_its_data() -> None:
    d = np.array([1.0, 4.0])
    assert DiagonalNorm(d).diagonal is d
    assert DiagonalNorm(np.array([1, 4])).apply(np.ones(2)).tolist() == [1.0, 4.0]


@pytest.mark.parametrize(
    ("d", "error", "words"),
    [
        (np.array([1.0, 0.0]), NotPositiveDefiniteError, "smallest is 0"),
        (np.array([1.0, -2.0]), NotPositiveDefiniteError, "smallest is -2"),
        (np.array([1.0, np.nan]), NonFiniteError, "d has 1"),
        (np.array([np.inf, 1.0]), NonFiniteError, "d has 1"),
        (np.array([1.0 + 0j]), ArrayTypeError, "real"),
        (np.array([True]), ArrayTypeError, "bool"),
        (np.eye(2), ArrayTypeError, "vector"),
        (np.ones(0), ShapeError, "empty"),
        ([1.0, 2.0], ArrayTypeError, "list"),
    ],
)
def test_bad_diagonals(d: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        DiagonalNorm(d)


@PROPERTY
@given(n=sizes, m=st.integers(1, 8), seed=seeds, spread=st.integers(0, 6), shift=st.integers(-6, 6))
def test_low_rank_powers(n: int, m: int, seed: int, spread: int, shift: int) -> None:
    rng = np.random.default_rng(seed)
    U = rng.standard_normal((n, m)) * 10.0 ** rng.uniform(-spread, spread, m)
    sigma = 10.0**shift
    M = U @ U.T + sigma * np.eye(n)
    norm = LowRankNorm(U, 1.0, sigma)
    # In the range of U what is left beside it is rounding, which must not be blown up.
    s = U @ rng.standard_normal(m) if seed % 2 else rng.standard_normal(n)
    size = np.linalg.norm(M, 2) * np.linalg.norm(s)
    np.testing.assert_allclose(norm.apply(s), M @ s, atol=100 * EPS * size)
    # A normwise backward error: the residual against ||M|| ||x||.
    x = norm.solve(s)
    assert np.linalg.norm(M @ x - s) <= 300 * EPS * np.linalg.norm(M, 2) * np.linalg.norm(x)
    np.testing.assert_allclose(norm.sqrt(norm.sqrt(s)), M @ s, atol=300 * EPS * size)
    y = norm.inverse_sqrt(s)
    np.testing.assert_allclose(y @ y, s @ x, rtol=300 * EPS * size / np.linalg.norm(s) / sigma)


def test_low_rank_keeps_small_eigenvalues_beside_large_ones() -> None:
    # The Gram matrix of U would lose 1e-12 beside 1e12.
    U = np.array([[1e6, 0.0], [0.0, 1e-6], [0.0, 0.0]])
    norm = LowRankNorm(U, 1.0, 1e-20)
    small = np.sqrt(1e-12 + 1e-20)
    assert norm.norm(np.array([0.0, 1.0, 0.0])) == pytest.approx(small, rel=1e-12, abs=0)
    assert norm.norm(np.array([0.0, 0.0, 1.0])) == pytest.approx(1e-10, rel=1e-12, abs=0)
    assert norm.dual_norm(np.array([1.0, 0.0, 0.0])) == pytest.approx(1e-6, rel=1e-12, abs=0)
    assert norm.equivalence() == pytest.approx((1e-10, 1e6), rel=1e-12, abs=0)


def test_low_rank_takes_no_squares_of_a_mixed_basis() -> None:
    rng = np.random.default_rng(0)
    W, _ = np.linalg.qr(rng.standard_normal((8, 6)))
    V, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    norm = LowRankNorm((W * np.geomspace(1e4, 1e-4, 6)) @ V.T, 1.0, 1e-12)
    # In a Gram matrix 1e-8 drowns beside 1e8.
    assert norm.norm(W[:, 5]) == pytest.approx(np.sqrt(1e-8 + 1e-12), rel=1e-6, abs=0)


def test_low_rank_of_full_rank_has_no_eigenvalue_at_the_shift() -> None:
    assert LowRankNorm(np.eye(2), 3.0, 1.0).equivalence() == pytest.approx((2.0, 2.0))
    assert LowRankNorm(np.eye(3)[:, :2], 3.0, 1.0).equivalence() == pytest.approx((1.0, 2.0))


def test_low_rank_takes_numbers_of_every_kind() -> None:
    U = np.ones((2, 1))
    for scale, shift in ((2, 1), (np.float32(2.0), np.float64(1.0)), (np.asarray(2.0), 1.0)):
        assert LowRankNorm(U, scale, shift).norm(np.array([1.0, 0.0])) == pytest.approx(np.sqrt(3))
    integers = LowRankNorm(np.array([[1], [1]]), np.array([2]), 1)
    assert integers.norm(np.array([1.0, 0.0])) == pytest.approx(np.sqrt(3))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones((2, 1)), -1.0, 1.0), NotPositiveDefiniteError, "eigenvalue is -1"),
        ((np.ones((2, 1)), -0.5, 1.0), NotPositiveDefiniteError, "not positive definite"),
        ((np.ones((2, 1)), 1.0, 0.0), ArgumentError, "shift must be positive"),
        ((np.ones((2, 1)), 1.0, -1.0), ArgumentError, "shift must be positive"),
        ((np.ones((2, 1)), 1.0, np.inf), ArgumentError, "shift must be positive"),
        ((np.ones((2, 1), dtype=np.float32), 1.0, 1e-50), ArgumentError, "zero in the dtype"),
        ((np.ones((2, 1)), np.nan, 1.0), NonFiniteError, "scale is nan"),
        ((np.ones((2, 1)), np.array([np.inf]), 1.0), NonFiniteError, "scale has 1"),
        ((np.full((2, 1), np.nan), 1.0, 1.0), NonFiniteError, "U has 2"),
        ((np.ones((2, 1)), np.ones(2), 1.0), ShapeError, "1 columns"),
        ((np.ones((2, 1)), np.ones(1, dtype=np.float32), 1.0), ArrayTypeError, "scale has dtype"),
        ((np.ones((2, 1)), "1", 1.0), ArrayTypeError, "scale must be a real number"),
        ((np.ones((2, 1)), 1.0, True), ArrayTypeError, "shift must be a real number"),
        ((np.ones(2), 1.0, 1.0), ArrayTypeError, "U must be a matrix"),
        ((np.ones((0, 1)), 1.0, 1.0), ShapeError, "no rows"),
    ],
)
def test_bad_low_rank_norms(arguments: tuple, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LowRankNorm(*arguments)


def test_low_rank_overflow_is_named() -> None:
    with pytest.raises(NonFiniteError, match="overflows"), np.errstate(all="ignore"):
        LowRankNorm(np.full((2, 1), 1e200), 1.0, 1.0)
