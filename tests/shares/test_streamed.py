"""Matrices whose entries can be read: every entry once, in float64, with one transfer."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.namespaces import FetchCounter, Xp
from tests.shares.products import share_of
from tralgos.errors import ArgumentError, NonFiniteError, ShapeError
from tralgos.operators import DenseOperator, TiledOperator
from tralgos.shares import ShareStatus, diagonal_share
from tralgos.shares.streamed import absolute_sums


class Shown(TiledOperator):
    """A matrix, shown by its tiles, which are remembered."""

    def __init__(self, A: Any, size: int, symmetric: bool | None = None) -> None:
        super().__init__(tuple(A.shape), home=A, tile_size=size, symmetric=symmetric)
        self.A = A
        self.seen: list[tuple[range, range]] = []

    def _tile(self, rows: range, columns: range) -> Any:
        self.seen.append((rows, columns))
        return self.A[rows.start : rows.stop, columns.start : columns.stop]


def sums_of(A: np.ndarray) -> tuple[float, float]:
    """Both sums, rounded once."""
    return math.fsum(np.abs(np.diag(A))), math.fsum(np.abs(A).ravel())


squares = st.integers(1, 9).flatmap(
    lambda n: hnp.arrays(np.float64, (n, n), elements=st.integers(-9, 9).map(float))
)


@given(squares, st.integers(1, 10), st.booleans())
def test_every_entry_counts_once(A: np.ndarray, size: int, mirrored: bool) -> None:
    if mirrored:
        A = A + A.T
    operator = Shown(A, size, True if mirrored else None)
    assert absolute_sums(operator) == sums_of(A)
    if not A.any():
        with pytest.raises(ArgumentError, match="A is zero"):
            diagonal_share(operator)
        return
    found = diagonal_share(operator)
    assert found.status is ShareStatus.EXACT
    assert (found.matvecs, found.probes, found.columns) == (0, 0, len(A))
    assert found.share == pytest.approx(share_of(A), rel=1e-15)


def test_symmetric_matrices_make_the_upper_tiles_alone() -> None:
    A = np.ones((10, 10))
    operator = Shown(A, 3, True)
    diagonal_share(operator)
    assert len(operator.seen) == 4 * 5 / 2
    assert all(columns.stop > rows.start for rows, columns in operator.seen)
    whole = Shown(A, 3)
    diagonal_share(whole)
    assert len(whole.seen) == 16


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_tile_size_changes_the_rounding_alone(mirrored: bool) -> None:
    """By less than (2 t + 2 n / t) 2^-53, with entries of very different sizes."""
    n, rng = 200, np.random.default_rng(0)
    A = rng.standard_normal((n, n)) * np.exp(8 * rng.standard_normal((n, n)))
    A = A + A.T
    wanted = sums_of(A)
    for size in (1, 2, 7, 64, 199, 200, 1000):
        found = absolute_sums(Shown(A, size, mirrored or None))
        bound = (2 * min(size, n) + 2 * math.ceil(n / size)) * 2.0**-53
        for sum_, exact in zip(found, wanted, strict=True):
            assert abs(sum_ - exact) <= bound * exact
    for sum_, exact in zip(absolute_sums(DenseOperator(A)), wanted, strict=True):
        assert abs(sum_ - exact) <= (n + 4) * 2.0**-53 * exact


def test_single_precision_is_summed_in_double() -> None:
    """A million equal numbers: in float32 their sum would be off in the fourth digit."""
    A = np.full((1000, 1000), np.float32(0.1))
    exact = float(np.float32(0.1))
    for operator in (DenseOperator(A), Shown(A, 96), Shown(A, 96, True)):
        assert absolute_sums(operator) == pytest.approx((1e3 * exact, 1e6 * exact), rel=1e-12)


def test_shares_of_diagonal_matrices_are_one() -> None:
    """Never more: the same numbers are summed twice, in different orders."""
    for seed in range(100):
        A = np.diag(np.random.default_rng(seed).standard_normal(600))
        for operator in (DenseOperator(A), Shown(A, 100)):
            on, total = absolute_sums(operator)
            assert total * (1 - 1e-13) < on <= total


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_scale_changes_nothing(size: float) -> None:
    A = np.random.default_rng(0).standard_normal((40, 40))
    assert diagonal_share(Shown(size * A, 16)).share == pytest.approx(share_of(A), rel=1e-14)


def test_every_library(xp_case: Xp) -> None:
    A = np.random.default_rng(0).integers(-3, 4, (12, 12)).astype(float)
    A = A + A.T
    for symmetric in (None, True):
        found = diagonal_share(Shown(xp_case.array(A), 5, symmetric))
        assert found.share == pytest.approx(share_of(A), rel=1e-15)
        assert isinstance(found.share, float)
    largest = float(np.finfo(np.float32).max)
    huge = diagonal_share(Shown(xp_case.array(np.full((6, 6), largest)), 4))
    assert huge.share == pytest.approx(1 / 6, rel=1e-15)


def test_one_transfer(strict_case: Xp, host_fetches: FetchCounter) -> None:
    array = strict_case.array(np.eye(12) + 0.5)
    for operator in (DenseOperator(array), Shown(array, 5), Shown(array, 5, True)):
        host_fetches.reset()
        diagonal_share(operator)
        assert host_fetches.count == 1


def test_memory_is_a_few_tiles() -> None:
    """At most six at a time, of a hundred; they are made when they are asked for."""
    tile = 8 * 300 * 300

    class Made(TiledOperator):
        def _tile(self, rows: range, columns: range) -> Any:
            return np.full((len(rows), len(columns)), 1.0)

    operator = Made((3000, 3000), home=np.zeros(1), tile_size=300, symmetric=True)
    tracemalloc.start()
    found = diagonal_share(operator)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.share == pytest.approx(1 / 3000, rel=1e-12)
    assert peak < 6 * tile


def test_bad_entries() -> None:
    for bad in (math.nan, math.inf):
        for place in ((0, 4), (3, 3)):
            A = np.eye(5)
            A[place] = bad
            with pytest.raises(NonFiniteError, match="NaN or infinity"):
                diagonal_share(Shown(A, 2))
    with pytest.raises(NonFiniteError, match="overflows"):
        diagonal_share(Shown(np.full((3, 3), 1e308), 2))
    with pytest.raises(ShapeError, match="square"):
        diagonal_share(Shown(np.ones((2, 3)), 2))
