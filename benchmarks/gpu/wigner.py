"""The diagonal share of a Wigner matrix whose entries are made where they are summed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.gpu import oracle
from benchmarks.gpu.backend import Backend, NumpyBackend
from benchmarks.gpu.rows import Against, Line, Row, check
from benchmarks.gpu.sizes import Sizes
from tralgos.problems import WignerMatrix
from tralgos.shares import diagonal_share

__all__ = ["checks", "rows"]

#: What an entry, or a sum of entries of one sign, may be off relative to the largest.
_ALLOWED = {"float64": 1e-12, "float32": 2e-7}
#: Standard deviations that a sum may be off.
_DEVIATIONS = 6.0
#: Rows of a tile on the diagonal.
_BLOCK = 64
_GOAL_ORDER, _GOAL = 100_000, "2 s"


def _matrix(xp: Any, d: int, dtype: Any) -> WignerMatrix:
    return WignerMatrix(d, rng=0, like=xp.empty(0, dtype=dtype))


def checks(backend: Backend, dtype: Any, sizes: Sizes) -> float:
    """Entries far off and across the diagonal, and the share of a corner, against the host's."""
    kind, d, corner = np.dtype(dtype).name, sizes.wigner, sizes.wigner_corner
    ours, host = _matrix(backend.xp, d, dtype), _matrix(np, d, np.float64)
    worst = 0.0
    for rows, columns in (
        (range(20, 90), range(d - 77, d - 10)),
        (range(d - 77, d - 10), range(20, 90)),
        (range(d - 100, d - 30), range(d - 90, d)),
    ):
        found, exact = backend.host(ours.tile(rows, columns)), host.tile(rows, columns)
        what = f"wigner, {kind}, entries from ({rows.start}, {columns.start}) against the host's"
        worst = max(worst, check(what, oracle.difference(found, exact), _ALLOWED[kind]))
    sums = np.abs(_matrix(np, corner, np.float64).dense())
    share = diagonal_share(_matrix(backend.xp, corner, dtype)).share
    off = abs(share / (float(np.trace(sums)) / float(np.sum(sums))) - 1.0)
    what = f"wigner, {kind}, share of the corner of order {corner} against the host's sums"
    return max(worst, check(what, off, _ALLOWED[kind]))


def _expected(d: int) -> float:
    """The share, from the host's sum of the diagonal and the mean of all other sizes."""
    W = _matrix(np, d, np.float64)
    on = 0.0
    for start in range(0, d, _BLOCK):
        rows = range(start, min(start + _BLOCK, d))
        on += float(np.sum(np.abs(np.diagonal(W.tile(rows, rows)))))
    return on / (on + d * (d - 1.0) * math.sqrt(2.0 / math.pi))


def rows(backend: Backend, dtype: Any, sizes: Sizes, agreement: float) -> Iterator[Line]:
    """Seconds, and entries a second that are made and summed."""
    kind, d = np.dtype(dtype).name, sizes.wigner
    W = _matrix(backend.xp, d, dtype)
    found, peak = backend.peak(lambda: diagonal_share(W))
    # The d (d - 1) / 2 sizes above the diagonal are independent: their sum is as near as this.
    scatter = math.sqrt((0.5 * math.pi - 1.0) * 2.0) / d
    what = f"wigner, {kind}, d = {d}, share against the host's diagonal and the mean of the rest"
    # Not part of the agreement: chance, and no rounding.
    check(what, abs(found.share / _expected(d) - 1.0), _DEVIATIONS * scatter)
    time = backend.timed(lambda: diagonal_share(W), sizes.repeats)
    goal = _GOAL if d == _GOAL_ORDER else ""
    against = [] if backend.name == "numpy" else [Against("host", _host_rate(dtype, sizes))]
    yield Row(
        "Wigner share",
        kind,
        f"d = {d}",
        time,
        _entries(d),
        "entries/s",
        against,
        goal,
        peak,
        agreement,
    )


def _entries(d: int) -> float:
    """On and above the diagonal."""
    return 0.5 * d * (d + 1.0)


def _host_rate(dtype: Any, sizes: Sizes) -> float:
    """Of a corner that takes the host a moment."""
    corner = _matrix(np, sizes.wigner_corner, dtype)
    seconds = NumpyBackend().timed(lambda: diagonal_share(corner), 3).median
    return _entries(sizes.wigner_corner) / seconds
