"""Sparse matrices: every stored entry once, every place with the sum of its entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.shares.products import share_of
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import SparseOperator
from tralgos.shares import ShareStatus, diagonal_share
from tralgos.shares.streamed import absolute_sums

EPS = 2.0**-52
FORMATS = ("coo", "csr", "csc", "dia", "bsr", "lil", "dok")


def dense_sums(A: np.ndarray) -> tuple[float, float]:
    """Both sums of a dense matrix, rounded once."""
    return math.fsum(np.abs(np.diag(A))), math.fsum(np.abs(A).ravel())


@st.composite
def coordinates(draw: st.DrawFn) -> tuple[int, list[int], list[int], list[float]]:
    """Order, rows, columns and integer values: places occur again, values vanish and cancel."""
    n = draw(st.integers(1, 5))
    places = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1), st.integers(-3, 3))
    entries = draw(st.lists(places, max_size=30))
    rows, columns, values = ([e[k] for e in entries] for k in range(3))
    return n, rows, columns, [float(v) for v in values]


def built(n: int, rows: list[int], columns: list[int], values: list[float]) -> np.ndarray:
    """The dense matrix in which entries of one place are added up."""
    A = np.zeros((n, n))
    for i, j, value in zip(rows, columns, values, strict=True):
        A[i, j] += value
    return A


def as_stored(n: int, rows: list[int], columns: list[int], values: list[float]) -> sp.csr_array:
    """Rows with their entries in the order in which they were given, repeated places and all."""
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(np.sort(np.array(rows, dtype=int)), np.arange(n + 1))
    return sp.csr_array(
        (np.array(values)[order], np.array(columns, dtype=int)[order], starts), shape=(n, n)
    )


@given(coordinates())
def test_every_place_counts_once(entries: Any) -> None:
    """Repeated, out of order, explicit zeros: as in the dense matrix, in every format."""
    n, rows, columns, values = entries
    A = built(n, rows, columns, values)
    plain = as_stored(n, rows, columns, values)
    turned = as_stored(n, columns, rows, values).T
    listed = sp.coo_array((values, (rows, columns)), shape=(n, n))
    assert turned.format == "csc"
    assert plain.nnz == turned.nnz == listed.nnz == len(values)
    for matrix in (plain, turned, listed, *(listed.asformat(kind) for kind in FORMATS)):
        assert absolute_sums(SparseOperator(matrix)) == dense_sums(A)
        if not A.any():
            with pytest.raises(ArgumentError, match="A is zero: it has no share"):
                diagonal_share(matrix)
            continue
        found = diagonal_share(matrix)
        assert found.share == pytest.approx(share_of(A), rel=1e-15)
        assert found.status is ShareStatus.EXACT
        assert (found.matvecs, found.probes, found.columns) == (0, 0, n)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_every_format(kind: str, family: str) -> None:
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 40)) * (rng.random((40, 40)) < 0.2)
    found = diagonal_share(getattr(sp, f"{kind}_{family}")(A))
    assert found.share == pytest.approx(share_of(A), rel=8 * EPS)
    assert found.matvecs == 0


def test_blocks_and_diagonals_that_overlap() -> None:
    """A block format that stores a block twice, and diagonals that reach beyond the matrix."""
    blocks = np.arange(1.0, 13.0).reshape(3, 2, 2)
    twice = sp.bsr_array((blocks, np.array([0, 0, 1]), np.array([0, 2, 3])), shape=(4, 4))
    A = np.zeros((4, 4))
    A[:2, :2], A[2:, 2:] = blocks[0] + blocks[1], blocks[2]
    assert absolute_sums(SparseOperator(twice)) == dense_sums(A)
    bands = sp.dia_array((np.full((3, 5), 7.0), np.array([-1, 0, 2])), shape=(5, 5))
    assert absolute_sums(SparseOperator(bands)) == (35.0, 7.0 * (5 + 4 + 3))


def test_the_callers_matrix_is_left_alone() -> None:
    """Neither its entries nor their order, and what it says of its order is not believed."""
    for claim in (None, True):
        matrix = sp.csr_array(
            (np.array([1.0, 2.0, -5.0]), np.array([1, 0, 1]), np.array([0, 3, 3])), shape=(2, 2)
        )
        if claim:
            matrix.has_canonical_format = True
        data, indices, indptr = matrix.data, matrix.indices, matrix.indptr
        assert absolute_sums(SparseOperator(matrix)) == (2.0, 6.0)
        assert matrix.data is data
        assert matrix.indices is indices
        assert matrix.indptr is indptr
        assert data.tolist() == [1.0, 2.0, -5.0]
        assert indices.tolist() == [1, 0, 1]


def test_many_entries() -> None:
    """Of several blocks and a rest, and of very different sizes."""
    n, rng = 900, np.random.default_rng(0)
    A = rng.standard_normal((n, n)) * np.exp(8 * rng.standard_normal((n, n)))
    A[rng.random((n, n)) < 0.2] = 0.0
    stored = sp.csr_array(A)
    assert stored.nnz > 2 * 2**18
    bound = (60 + stored.nnz / 2**18) * 2.0**-53
    for some in (stored, stored.astype(np.float32)):
        exact = dense_sums(some.toarray().astype(np.float64))
        for found, wanted in zip(absolute_sums(SparseOperator(some)), exact, strict=True):
            assert abs(found - wanted) <= bound * wanted
    for size in (1, 2, 2**18 - 1, 2**18, 2**18 + 1):
        row = sp.csr_array(
            (np.ones(size), np.arange(size), np.append(0, np.full(size, size))), shape=(size, size)
        )
        assert absolute_sums(SparseOperator(row)) == (1.0, float(size))


def test_single_precision_is_summed_in_double() -> None:
    """So are entries of one place: in float32 the one would be lost."""
    few = np.float32(0.1)
    A = sp.csr_array(np.full((1000, 1000), few))
    exact = (1e3 * float(few), 1e6 * float(few))
    assert absolute_sums(SparseOperator(A)) == pytest.approx(exact, rel=1e-12)
    values = np.array([2.0**30, 1.0, -(2.0**30)], dtype=np.float32)
    place = sp.csr_array((values, np.zeros(3, dtype=int), np.array([0, 3])), shape=(1, 1))
    assert absolute_sums(SparseOperator(place)) == (1.0, 1.0)
    top = np.full((6, 6), np.finfo(np.float32).max)
    assert diagonal_share(sp.csr_array(top)).share == pytest.approx(1 / 6, rel=1e-15)


def test_integers() -> None:
    A = np.array([[3, -1], [0, 2]])
    for dtype in (np.int8, np.int64, np.uint8):
        some = abs(A) if dtype is np.uint8 else A
        assert diagonal_share(sp.csr_array(some.astype(dtype))).share == pytest.approx(5 / 6)


@pytest.mark.parametrize("size", [1e-150, 1e150])
@pytest.mark.parametrize("kind", FORMATS)
def test_scale_changes_nothing(size: float, kind: str) -> None:
    A = np.random.default_rng(0).standard_normal((20, 20))
    found = diagonal_share(sp.coo_array(size * A).asformat(kind)).share
    assert found == pytest.approx(share_of(A), rel=1e-14)


def test_shares_of_diagonal_matrices_are_one() -> None:
    """Though the diagonal and the stored entries are not summed in the same order."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        d = rng.standard_normal(1500) * (rng.random(1500) < 0.5)
        assert diagonal_share(sp.csr_array(np.diag(d))).share == pytest.approx(1.0, abs=2 * EPS)
        assert diagonal_share(sp.csr_array(np.diag(d))).share <= 1.0


@pytest.mark.parametrize("kind", FORMATS)
def test_bad_matrices(kind: str) -> None:
    for empty in (np.zeros((3, 3)), np.zeros((1, 1))):
        with pytest.raises(ArgumentError, match="A is zero: it has no share"):
            diagonal_share(sp.coo_array(empty).asformat(kind))
    with pytest.raises(ShapeError, match="square"):
        diagonal_share(sp.coo_array(np.ones((2, 3))).asformat(kind))
    for bad in (math.nan, math.inf, -math.inf):
        for place in ((0, 3), (2, 2)):
            A = np.eye(4)
            A[place] = bad
            with pytest.raises(NonFiniteError, match="NaN or infinity"):
                diagonal_share(sp.coo_array(A).asformat(kind))
    with pytest.raises(NonFiniteError, match="overflows"):
        diagonal_share(sp.coo_array(np.full((3, 3), 1e308)).asformat(kind))
    with pytest.raises(ArrayTypeError):
        diagonal_share(sp.coo_array(np.eye(2, dtype=complex)).asformat(kind))


def test_entries_that_vanish_or_overflow_together() -> None:
    """Infinite entries of one place do not cancel, nor do finite ones whose sum is too large."""
    places = (np.zeros(2, dtype=int), np.array([0, 2]))
    with pytest.raises(ArgumentError, match="A is zero"):
        diagonal_share(sp.csr_array((np.array([1.0, -1.0]), *places), shape=(1, 1)))
    for pair in ([math.inf, -math.inf], [1.5e308, 1.5e308]):
        with pytest.raises(NonFiniteError, match="NaN or infinity"):
            diagonal_share(sp.csr_array((np.array(pair), *places), shape=(1, 1)))


def test_order_zero() -> None:
    try:
        empty = sp.csr_array(np.zeros((0, 0)))
    except ValueError:
        pytest.skip("SciPy has no empty sparse matrices in every version")
    with pytest.raises(ShapeError, match="order at least 1"):
        diagonal_share(empty)
