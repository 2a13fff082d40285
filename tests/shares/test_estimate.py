"""The estimator: exact where it sees all, covering where it does not, at home in all libraries."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator, Operator
from tralgos.shares import ShareEstimate, diagonal_share
from tralgos.shares.estimate import _estimate


class Hidden(Operator):
    """A matrix of which only products are to be had."""

    def __init__(self, A: Any, home: Any = None) -> None:
        super().__init__(tuple(A.shape), home=A if home is None else home)
        self.A = A

    def _matvec(self, x: Any) -> Any:
        return self.A @ x


def share_of(A: np.ndarray) -> float:
    return float(np.abs(np.diag(A)).sum() / np.abs(A).sum())


matrices = st.integers(1, 6).flatmap(
    lambda n: hnp.arrays(np.float64, (n, n), elements=st.integers(-4, 4).map(float))
)


@given(matrices)
def test_exact_where_all_is_seen(A: np.ndarray) -> None:
    if not A.any():
        with pytest.raises(ArgumentError, match="has no share"):
            diagonal_share(A)
        return
    found = (
        diagonal_share(A),
        diagonal_share(A.astype(int)),
        diagonal_share(Hidden(A), block=4),
        diagonal_share(Hidden(A), columns=len(A)),
        diagonal_share(scipy.sparse.csr_array(A)),
    )
    for estimate in found:
        assert estimate.share == pytest.approx(share_of(A), rel=1e-15)
        assert estimate.exact
        assert estimate.low == estimate.high == estimate.share
        assert estimate.standard_error == 0.0
        assert estimate.columns == estimate.order == len(A)
    assert [e.matvecs for e in found] == [0, 0] + 3 * [len(A)]


@pytest.mark.parametrize("size", [1e-150, 1e150])
@pytest.mark.parametrize("columns", [None, 5])
def test_scale_changes_nothing(size: float, columns: int | None) -> None:
    A = np.random.default_rng(0).standard_normal((30, 30))
    plain = diagonal_share(Hidden(A), columns=columns, rng=1)
    scaled = diagonal_share(Hidden(size * A), columns=columns, rng=1)
    for name in ("share", "low", "high", "standard_error"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), rel=1e-13)
    assert diagonal_share(size * A).share == pytest.approx(share_of(A), rel=1e-13)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_products_are_counted_and_blocks_do_not_matter(block: int) -> None:
    A = np.random.default_rng(0).standard_normal((40, 40))
    counted = CountingOperator(Hidden(A))
    estimate = diagonal_share(counted, columns=11, rng=3, block=block)
    assert counted.count == estimate.matvecs == estimate.columns == 11
    other = diagonal_share(Hidden(A), columns=11, rng=3)
    assert list(vars(estimate).values()) == pytest.approx(list(vars(other).values()), rel=1e-13)
    assert not estimate.exact
    assert estimate.low < estimate.share < estimate.high


def test_large_dense_matrices_go_by_tiles() -> None:
    A = np.random.default_rng(0).standard_normal((700, 700))
    assert diagonal_share(A).share == pytest.approx(share_of(A), rel=1e-14)
    single = diagonal_share(A.astype(np.float32)).share
    assert single == pytest.approx(share_of(A.astype(np.float32).astype(np.float64)), rel=1e-13)


def test_every_library(xp_case: Xp) -> None:
    A = np.random.default_rng(0).integers(-3, 4, (12, 12)).astype(float)
    array = xp_case.array(A)
    assert diagonal_share(array).share == pytest.approx(share_of(A), rel=1e-15)
    assert diagonal_share(Hidden(array), block=5).share == pytest.approx(share_of(A), rel=1e-15)
    sampled = diagonal_share(Hidden(array), columns=6, rng=0)
    assert sampled == diagonal_share(Hidden(A), columns=6, rng=0)
    assert all(isinstance(v, float | int) for v in vars(sampled).values())


def test_transfers(strict_case: Xp, host_fetches: FetchCounter) -> None:
    array = strict_case.array(np.eye(12) + 0.5)
    host_fetches.reset()
    diagonal_share(array)
    assert host_fetches.count == 1
    host_fetches.reset()
    diagonal_share(Hidden(array), columns=9, block=4)
    assert host_fetches.count == 3


def test_where_the_products_are_made(xp_case: Xp) -> None:
    class Doubling(Operator):
        def _matvec(self, x: Any) -> Any:
            assert xp_case.owns(x)
            return 2.0 * x

    like = xp_case.array([0.0])
    assert diagonal_share(Doubling((7, 7)), columns=3, like=like).share == 1.0
    with pytest.raises(ArrayTypeError, match="like must be"):
        diagonal_share(Doubling((7, 7)), like=[0.0])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"columns": 0}, "columns must"),
        ({"columns": 1}, "between 2 and the order of A, 4"),
        ({"columns": 5}, "between 2 and the order of A, 4"),
        ({"columns": 2.0}, "columns must be an integer"),
        ({"confidence": 1.0}, "confidence must"),
        ({"confidence": 0}, "confidence must"),
        ({"block": 0}, "block must"),
        ({"rng": -1}, "rng as a seed"),
    ],
)
def test_bad_arguments_before_any_work(options: dict[str, Any], match: str) -> None:
    counted = CountingOperator(Hidden(np.eye(4)))
    with pytest.raises(ArgumentError, match=match):
        diagonal_share(counted, **options)
    assert counted.count == 0


def test_bad_matrices() -> None:
    with pytest.raises(ShapeError, match="square"):
        diagonal_share(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="order at least 1"):
        diagonal_share(np.ones((0, 0)))
    with pytest.raises(ArrayTypeError):
        diagonal_share(np.ones((2, 2), dtype=complex))
    for bad in (math.nan, math.inf):
        A = np.eye(3)
        A[0, 2] = bad
        with pytest.raises(NonFiniteError, match="NaN or infinity"):
            diagonal_share(A)
        with pytest.raises(NonFiniteError, match="NaN or infinity"):
            diagonal_share(Hidden(A))
    with pytest.raises(NonFiniteError, match="overflows"):
        diagonal_share(np.full((3, 3), 1e308))
    A = np.zeros((50, 50))
    A[0, 0] = 1.0
    with pytest.raises(ArgumentError, match="zero in all columns that were looked at"):
        diagonal_share(Hidden(A), columns=2, rng=0)


# -------------------------------------------------------------- the ratio estimator


def test_leading_bias_is_gone() -> None:
    """Over all samples of k out of n columns: the mean error falls, and its order changes."""
    rng = np.random.default_rng(5)
    x = rng.uniform(1, 3, 12)
    y = np.minimum(x, rng.uniform(0.5, 1.0, 12))
    wanted = y.sum() / x.sum()
    for k in (4, 6):
        samples = [np.array(c) for c in combinations(range(12), k)]
        plain = np.mean([y[c].sum() / x[c].sum() for c in samples]) - wanted
        corrected = np.mean([_estimate(y[c], x[c], 12, 0.95).share for c in samples]) - wanted
        assert abs(corrected) < 0.15 * abs(plain)


def test_standard_error_over_all_samples() -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(1, 2, 14)
    y = rng.uniform(0.2, 0.4, 14)
    samples = [np.array(c) for c in combinations(range(14), 7)]
    found = [_estimate(y[c], x[c], 14, 0.95) for c in samples]
    spread = np.std([e.share for e in found])
    assert np.sqrt(np.mean([e.standard_error**2 for e in found])) == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize(("k", "confidence"), [(2, 0.5), (3, 0.9), (20, 0.95)])
def test_width_is_that_of_student(k: int, confidence: float) -> None:
    rng = np.random.default_rng(k)
    x = rng.uniform(2.0, 2.1, k)
    found = _estimate(rng.uniform(0.99, 1.01, k), x, 1000, confidence)
    wanted = scipy.stats.t.interval(confidence, k - 1, found.share, found.standard_error)
    assert (found.low, found.high) == pytest.approx(wanted, rel=1e-12)


def test_no_spread_no_width() -> None:
    found = diagonal_share(Hidden(np.ones((9, 9))), columns=3)
    assert found.low == found.high == found.share == pytest.approx(1 / 9, rel=1e-15)


def coverage(A: np.ndarray, columns: int, confidence: float, runs: int) -> float:
    """The fraction of intervals that cover the share of A."""
    y, x, rng = np.abs(np.diag(A)), np.abs(A).sum(axis=0), np.random.default_rng(7)
    wanted = y.sum() / x.sum()
    covered = 0
    for _ in range(runs):
        chosen = rng.choice(len(A), columns, replace=False)
        estimate = _estimate(y[chosen], x[chosen], len(A), confidence)
        covered += estimate.low <= wanted <= estimate.high
    return covered / runs


def test_coverage_is_nominal() -> None:
    """On a random symmetric matrix and on one of least squares, for two confidences."""
    rng = np.random.default_rng(8)
    G = rng.standard_normal((300, 300))
    X = rng.standard_normal((300, 32))
    for A in (G + G.T, X @ X.T):
        assert 0.93 < coverage(A, 60, 0.95, 1500) < 0.97
        assert 0.77 < coverage(A, 60, 0.8, 1500) < 0.83
        # Few columns: the residuals of half-normal numbers are skewed.
        assert 0.91 < coverage(A, 8, 0.95, 1500) < 0.97


def test_interval_shrinks_with_the_columns_that_are_left() -> None:
    A = np.random.default_rng(9).standard_normal((64, 64))
    errors = [diagonal_share(Hidden(A), columns=k, rng=0).standard_error for k in (4, 16, 63, 64)]
    assert errors[0] > errors[1] > errors[2] > errors[3] == 0.0


def test_estimate_is_a_record() -> None:
    estimate = diagonal_share(np.eye(2), confidence=0.9)
    assert estimate == ShareEstimate(1.0, 1.0, 1.0, 0.0, 0.9, 2, 2, 0, 0.5)


def test_the_heaviest_column_shows() -> None:
    A = np.ones((6, 6))
    A[2, :] = A[:, 2] = 100.0
    wanted = (500.0 + 100.0) / np.abs(A).sum()
    for found in (diagonal_share(A), diagonal_share(Hidden(A))):
        assert found.heaviest == pytest.approx(wanted, rel=1e-14)
    assert diagonal_share(Hidden(np.ones((6, 6))), columns=4).heaviest == pytest.approx(0.25)


def test_coverage_is_lost_where_the_mass_is_in_few_columns() -> None:
    """What the docstring warns of; `heaviest` tells the two cases apart."""
    rng = np.random.default_rng(10)
    scales = np.exp(1.5 * rng.standard_normal(300))[:, None]
    X = scales * rng.standard_normal((300, 32))
    assert coverage(X @ X.T, 20, 0.95, 500) < 0.6
    heavy = [diagonal_share(Hidden(X @ X.T), columns=20, rng=s).heaviest for s in range(20)]
    even = [diagonal_share(Hidden(X / scales @ (X / scales).T), columns=20, rng=s).heaviest
            for s in range(20)]  # fmt: skip
    assert min(heavy) > 2 * max(even) * 0.8
