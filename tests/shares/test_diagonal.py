"""The diagonal from products: exact where it can be, with the right spread where it cannot."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tests.shares.products import Hidden
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator
from tralgos.shares import DiagonalEstimate, estimate_diagonal

EPS = 2.0**-52


def banded(n: int, reach: int, seed: int = 0) -> np.ndarray:
    """Integers where |i - j| <= reach."""
    A = np.random.default_rng(seed).integers(-9, 10, (n, n)).astype(float)
    return np.triu(np.tril(A, reach), -reach)


@given(st.integers(1, 20), st.integers(0, 5), st.integers(1, 7))
def test_hadamard_vectors_alias_multiples_of_their_number(n: int, log: int, block: int) -> None:
    """Entry i is the sum of the a_ij with j - i a multiple of s."""
    s = 2**log
    if s > 1 << (n - 1).bit_length():
        return
    A = banded(n, n)
    i = np.arange(n)
    wanted = np.sum(A * ((i[:, None] - i[None, :]) % s == 0), axis=1)
    found = estimate_diagonal(Hidden(A), probes=s, kind="hadamard", block=block)
    assert found.diagonal.tolist() == wanted.tolist()
    assert found.standard_error is None
    assert (found.matvecs, found.kind) == (s, "hadamard")


@pytest.mark.parametrize("n", [1, 2, 3, 8, 21, 64])
def test_hadamard_is_exact_for_bands_narrower_than_its_number(n: int) -> None:
    for s in (2**k for k in range((n - 1).bit_length() + 1)):
        A = banded(n, s - 1)
        found = estimate_diagonal(Hidden(A), probes=s, kind="hadamard").diagonal
        assert found.tolist() == np.diag(A).tolist()
        if s < n:
            wider = estimate_diagonal(Hidden(np.ones((n, n))), probes=s, kind="hadamard").diagonal
            assert np.all(wider >= 1.0)
            assert np.any(wider > 1.0)


def test_hadamard_against_the_printed_estimator() -> None:
    """The sum of v * Av over the sum of v * v, with the matrix of SciPy."""
    A = np.random.default_rng(0).standard_normal((16, 16))
    for s in (1, 4, 16):
        V = scipy.linalg.hadamard(16)[:, :s]
        wanted = np.sum(V * (A @ V), axis=1) / np.sum(V * V, axis=1)
        found = estimate_diagonal(Hidden(A), probes=s, kind="hadamard").diagonal
        assert found == pytest.approx(wanted, abs=1e-13)


def test_the_error_of_hadamard_vectors_can_be_as_large_as_said() -> None:
    A = np.ones((8, 8))
    found = estimate_diagonal(Hidden(A), probes=1, kind="hadamard").diagonal
    assert found.tolist() == [8.0] * 8


class AllSigns(np.random.Generator):
    """A generator that gives out every vector of signs of length n, in turn."""

    def __new__(cls, *_: Any) -> Any:
        return super().__new__(cls)

    def __init__(self, n: int) -> None:
        super().__init__(np.random.PCG64(0))
        self.left = iter(list(itertools.product([-1.0, 1.0], repeat=n)))

    def choice(self, _: Any, shape: Any) -> Any:
        return np.array([next(self.left) for _ in range(shape[0])])


@pytest.mark.parametrize("n", [1, 2, 4])
def test_mean_and_variance_over_all_signs(n: int) -> None:
    """No bias, and the variance sum_{j != i} a_ij^2, exactly."""
    A = np.random.default_rng(n).integers(-4, 5, (n, n)).astype(float)
    k = 2**n
    found = estimate_diagonal(Hidden(A), probes=k, rng=AllSigns(n), block=3)
    assert found.diagonal == pytest.approx(np.diag(A), abs=1e-14)
    variance = np.sum(A**2, axis=1) - np.diag(A) ** 2
    # The sum of squares over k is the variance; an estimate from a sample divides by k - 1.
    assert found.standard_error**2 * (k - 1) == pytest.approx(variance, abs=1e-12)


def test_standard_errors_tell_the_spread() -> None:
    """Their squares have the mean sum a_ij^2 / k, and the errors are as large as they say."""
    A = np.random.default_rng(0).standard_normal((60, 60)) * np.linspace(0.1, 3, 60)[:, None]
    found = [estimate_diagonal(Hidden(A), probes=20, rng=seed) for seed in range(100)]
    variance = (np.sum(A**2, axis=1) - np.diag(A) ** 2) / 20
    squares = np.mean([e.standard_error**2 for e in found], axis=0)
    assert squares == pytest.approx(variance, rel=0.2)
    errors = np.array([(e.diagonal - np.diag(A)) / e.standard_error for e in found])
    # Student's law with 19 degrees of freedom has the variance 19 / 17.
    assert np.mean(errors**2) == pytest.approx(19 / 17, rel=0.1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.integers(1, 20))
def test_a_diagonal_matrix_needs_one_vector(d: list[float], probes: int) -> None:
    found = estimate_diagonal(Hidden(np.diag(np.array(d))), probes=probes, rng=1)
    assert found.diagonal.tolist() == d
    if probes == 1:
        assert found.standard_error is None
    else:
        assert found.standard_error.tolist() == [0.0] * len(d)


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(2, 20), st.integers(-1000, 1020)
)  # fmt: skip
def test_mean_and_standard_error_against_extended_precision(
    seed: int, n: int, probes: int, exponent: int
) -> None:
    """At any scale: squares of 2^900 overflow and those of 2^-900 vanish."""
    A = np.random.default_rng(seed).uniform(-0.5, 0.5, (n, n)) * 2.0**exponent
    found = estimate_diagonal(Hidden(A), probes=probes, rng=seed, block=6)
    V = np.random.default_rng(seed).choice([-1.0, 1.0], (probes, n))
    size = float(np.sum(abs(A)))
    with mpmath.workdps(50):
        for i in range(n):
            row = [mpmath.mpf(float(a)) for a in A[i]]
            values = [v[i] * mpmath.fsum(a * s for a, s in zip(row, v, strict=True))
                      for v in V.tolist()]  # fmt: skip
            mean = mpmath.fsum(values) / probes
            squares = mpmath.fsum((x - mean) ** 2 for x in values)
            error = mpmath.sqrt(squares / (probes * (probes - 1)))
            assert abs(found.diagonal[i] - mean) <= 20 * EPS * size
            assert abs(found.standard_error[i] - error) <= 20 * EPS * size


def test_many_large_terms_do_not_overflow() -> None:
    """The root of the sum of their squares would; two that differ too much are told."""
    A = np.array([[0.0, 1.0], [1.0, 0.0]])
    plain = estimate_diagonal(Hidden(A), probes=50)
    huge = estimate_diagonal(Hidden(2.0**1022 * A), probes=50)
    assert huge.diagonal == pytest.approx(2.0**1022 * plain.diagonal, rel=1e-12)
    assert huge.standard_error == pytest.approx(2.0**1022 * plain.standard_error, rel=1e-12)
    with pytest.raises(NonFiniteError, match="mean of the products"):
        estimate_diagonal(Hidden(1.5e308 * A), probes=50)
    single = np.float32(3e38) * A.astype(np.float32)
    found = estimate_diagonal(Hidden(single), probes=50)
    assert found.standard_error.dtype == np.float32
    assert found.standard_error == pytest.approx(3e38 * plain.standard_error, rel=1e-6)


def test_the_seed_decides() -> None:
    A = np.random.default_rng(0).standard_normal((4, 4))
    first = estimate_diagonal(A, probes=5, rng=3).diagonal
    assert estimate_diagonal(A, probes=5, rng=np.random.default_rng(3)).diagonal == pytest.approx(
        first
    )
    assert np.all(estimate_diagonal(A, probes=5, rng=5).diagonal != first)


def test_like_tells_the_kind_of_numbers() -> None:
    """Integers take its dtype, float64 without it; nothing else is converted."""
    integers = np.diag([1, 2, 3])
    for like, dtype in ((None, np.float64), (np.ones(3, dtype=np.float32), np.float32)):
        for kind in ("signs", "hadamard"):
            found = estimate_diagonal(integers, probes=2, like=like, kind=kind)
            assert found.diagonal.dtype == dtype
            assert found.diagonal.tolist() == [1.0, 2.0, 3.0]
    for dtype, other in ((np.float32, np.float64), (np.float64, np.float32)):
        with pytest.raises(ArrayTypeError, match=np.dtype(dtype).name):
            estimate_diagonal(np.eye(3, dtype=other), probes=2, like=np.ones(3, dtype=dtype))


def test_estimates_are_records() -> None:
    """Compared by identity: arrays have no single truth value."""
    one, other = (DiagonalEstimate(np.ones(2), None, 1, "signs") for _ in range(2))
    assert one == one
    assert one != other
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.matvecs = 2  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["signs", "hadamard"])
@pytest.mark.parametrize("size", [2.0**-520, 2.0**520])
def test_scale_changes_nothing(kind: str, size: float) -> None:
    A = np.random.default_rng(0).standard_normal((10, 10))
    plain = estimate_diagonal(Hidden(A), probes=8, kind=kind)
    scaled = estimate_diagonal(Hidden(size * A), probes=8, kind=kind)
    assert scaled.diagonal == pytest.approx(size * plain.diagonal, rel=1e-12)
    if kind == "signs":
        assert scaled.standard_error == pytest.approx(size * plain.standard_error, rel=1e-12)


@pytest.mark.parametrize("kind", ["signs", "hadamard"])
def test_every_library(xp_case: Xp, kind: str) -> None:
    A = np.random.default_rng(0).integers(-3, 4, (9, 9)).astype(float)
    found = estimate_diagonal(Hidden(xp_case.array(A)), probes=8, kind=kind, rng=1, block=3)
    host = estimate_diagonal(Hidden(A), probes=8, kind=kind, rng=1)
    assert xp_case.owns(found.diagonal)
    assert xp_case.numpy(found.diagonal) == pytest.approx(host.diagonal, rel=8 * xp_case.eps)
    if kind == "signs":
        assert xp_case.owns(found.standard_error)
        assert xp_case.numpy(found.standard_error) == pytest.approx(
            host.standard_error, rel=8 * xp_case.eps
        )


@pytest.mark.parametrize("kind", ["signs", "hadamard"])
def test_cost(strict_case: Xp, host_fetches: FetchCounter, kind: str) -> None:
    counted = CountingOperator(Hidden(strict_case.array(np.eye(9))))
    host_fetches.reset()
    found = estimate_diagonal(counted, probes=8, kind=kind, block=3)
    assert host_fetches.count == 1
    assert counted.count == found.matvecs == 8


def test_bad_input() -> None:
    A = Hidden(np.eye(5))
    for options, match in (
        ({"probes": 0}, "probes must"),
        ({"probes": 1.0}, "probes must"),
        ({"probes": 3, "kind": "hadamard"}, "power of two, at most 8"),
        ({"probes": 16, "kind": "hadamard"}, "power of two, at most 8"),
        ({"probes": 2, "kind": "gauss"}, "unknown kind"),
        ({"probes": 2, "block": 0}, "block must"),
        ({"probes": 2, "rng": -1}, "rng as a seed"),
        ({"probes": 2, "rng": "seed"}, "rng must be"),
    ):
        counted = CountingOperator(A)
        with pytest.raises(ArgumentError, match=match):
            estimate_diagonal(counted, **options)
        assert counted.count == 0
    with pytest.raises(ShapeError, match="square"):
        estimate_diagonal(np.ones((2, 3)), probes=1)
    with pytest.raises(ShapeError, match="order at least 1"):
        estimate_diagonal(np.zeros((0, 0)), probes=1)
    with pytest.raises(ShapeError, match="like has length 3, but A is of order 2"):
        estimate_diagonal(np.eye(2), probes=1, like=np.zeros(3))
    with pytest.raises(ArrayTypeError, match="like must be"):
        estimate_diagonal(A, probes=1, like=[1.0])
    for bad in (math.nan, math.inf):
        for kind in ("signs", "hadamard"):
            with pytest.raises(NonFiniteError, match="products with A has 1 entries that are NaN"):
                estimate_diagonal(np.diag([1.0, bad]), probes=2, kind=kind)
