"""The diagonal share of the Hessian of least squares: the rate of its tiles' products."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.gpu import oracle
from benchmarks.gpu.backend import Backend
from benchmarks.gpu.rows import Against, Line, Row, check, measured_if_it_fits
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.vectors import waves
from tralgos.problems import GramMatrix, RandomMatrix, ols_hessian
from tralgos.shares import diagonal_share, gaussian_ols_share

__all__ = ["checks", "rows"]

#: Order of what is summed on the host as a whole.
_SMALL = 96
#: Rows that are compared at full size.
_SAMPLE = 8
#: Of shares, and of entries relative to the largest.
_ALLOWED = {"float64": 1e-12, "float32": 2e-6}
_GOAL = "0.7 of matmul"


def checks(backend: Backend, dtype: Any, sizes: Sizes) -> float:
    """The share of a small Hessian against the sums of a matrix product on the host."""
    kind = np.dtype(dtype).name
    worst = 0.0
    for n in sizes.examples:
        X = RandomMatrix(_SMALL, n, rng=0).dense()
        entries = np.abs(X @ X.T)
        exact = float(np.trace(entries)) / float(np.sum(entries))
        like = backend.xp.empty(0, dtype=dtype)
        # Tiles that do not divide the order.
        H = ols_hessian(_SMALL, n, rng=0, like=like, tile_size=40)
        what = f"ols, {kind}, d = {_SMALL}, n = {n}: share against the host's sums"
        off = abs(diagonal_share(H).share / exact - 1.0)
        worst = max(worst, check(what, off, _ALLOWED[kind]))
    return worst


def rows(backend: Backend, dtype: Any, sizes: Sizes, agreement: float) -> Iterator[Line]:
    """The share's rate beside that of large square matrices, and of its tiles' products alone."""
    kind, d = np.dtype(dtype), sizes.parameters
    square = _product_rate(backend, sizes.square, sizes.square, dtype, sizes.repeats)
    for n in sizes.examples:
        labels = "OLS share", kind.name, f"d = {d}, n = {n}"
        # X, rows of it, and a tile with what is made of it.
        needed = (2 * d * n + 5 * 4096**2) * kind.itemsize
        row = partial(_row, backend, labels, kind, n, sizes, square, agreement)
        yield measured_if_it_fits(backend, labels, needed, row)


def _product_rate(backend: Backend, side: int, inner: int, dtype: Any, repeats: int) -> float:
    """Operations a second of A B' with A and B of shape (side, inner)."""
    # Numbers without a pattern, since a device runs faster on constant ones; and two matrices,
    # since the host's library halves the work of A A'.
    A, B = (waves(backend.xp, side * inner, dtype, first=k).reshape((side, inner)) for k in (0, 1))
    # As many products as take about as long as one of large matrices.
    count = max(1, min(64, side // inner))

    def multiply() -> None:
        for _ in range(count):
            A @ B.T

    multiply()
    return 2.0 * count * side * side * inner / backend.timed(multiply, repeats).median


def _operations(H: GramMatrix, n: int) -> float:
    """Of the products of all tiles on and above the diagonal."""
    d, size = H.shape[0], H.tile_size
    edges = [min(size, d - start) for start in range(0, d, size)]
    return 2.0 * n * sum(a * b for i, a in enumerate(edges) for b in edges[i:])


def _row(
    backend: Backend,
    labels: tuple[str, str, str],
    dtype: np.dtype[Any],
    n: int,
    sizes: Sizes,
    square: float,
    agreement: float,
) -> Row:
    d = sizes.parameters
    H = ols_hessian(d, n, rng=0, like=backend.xp.empty(0, dtype=dtype))
    found, peak = backend.peak(lambda: diagonal_share(H))
    label = f"ols, {dtype.name}, d = {d}, n = {n}"
    # Lengths of rows cancel to first order: what is left falls like this.
    scatter = 1.0 / d + 1.0 / (n * math.sqrt(d))
    off = abs(found.share / gaussian_ols_share(d, n) - 1.0)
    check(f"{label}: share against the closed form", off, 6.0 * scatter)
    off = _rows_off(backend, H, n)
    worst = max(agreement, check(f"{label}: rows of H", off, _ALLOWED[dtype.name]))
    time = backend.timed(lambda: diagonal_share(H), sizes.repeats)
    alone = _product_rate(backend, min(H.tile_size, d), n, dtype, sizes.repeats)
    against = [Against("matmul", square), Against("tile products alone", alone)]
    return Row(*labels, time, _operations(H, n), "flop/s", against, _GOAL, peak, worst)


def _rows_off(backend: Backend, H: GramMatrix, n: int) -> float:
    """The worst of a few rows against the host's product of the same data in float64."""
    d = H.shape[0]
    rows = range(d // 3, d // 3 + _SAMPLE)
    X = backend.host(H.X.dense())
    exact = X[rows.start : rows.stop] @ X.T / n
    return oracle.difference(backend.host(H.tile(rows, range(d))), exact)
