"""Many small trust-region subproblems at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tralgos
from benchmarks._peers import trust_exact
from benchmarks.gpu import oracle
from benchmarks.gpu.backend import Backend, NumpyBackend
from benchmarks.gpu.rows import Against, Line, Row, check, measured_if_it_fits
from benchmarks.gpu.sizes import Sizes

__all__ = ["checks", "rows"]

_RADIUS = 1.0
#: Problems that are solved by all eigenvalues too.
_SAMPLE = 50
#: Of the value, relative to that of the reference, and of the step, relative to its largest
#: entry: near the hard case a step is less well determined than its value.
_VALUE = {"float64": 1e-11, "float32": 1e-5}
_STEP = {"float64": 1e-7, "float32": 1e-2}
#: Of the residual, relative to g.
_RESIDUAL = {"float64": 1e-9, "float32": 1e-3}
#: Arrays of the size of H that there are at once, the solver's own bound on its work space aside.
_COPIES, _WORK = 4, 2 << 30


def _problems(b: int, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Symmetric matrices of eigenvalues between about -2 and 2, and vectors of about length one."""
    rng = np.random.default_rng(n)
    H = rng.standard_normal((b, n, n), dtype=np.float32)
    # Numbers of float32: both precisions get the same problems.
    H = (H + H.transpose(0, 2, 1)) / np.float32(2.0 * n) ** 0.5
    g = rng.standard_normal((b, n), dtype=np.float32) / np.float32(n) ** 0.5
    return H.astype(np.float32).astype(np.float64), g.astype(np.float32).astype(np.float64)


def _there(backend: Backend, problems: tuple[Any, Any], dtype: Any) -> tuple[Any, Any]:
    H, g = problems
    return backend.xp.asarray(H, dtype=dtype), backend.xp.asarray(g, dtype=dtype)


def _solved(H: Any, g: Any) -> Any:
    return tralgos.solve_trs_batch(H, g, _RADIUS)


def _sample_differences(steps: Any, H: Any, g: Any) -> tuple[float, float]:
    """The worst of some values and of some steps, against all eigenvalues."""
    found = []
    for s, A, c in zip(steps, H, g, strict=True):
        exact = oracle.trust_region_step(A, c, _RADIUS)
        best = oracle.model_value(A, c, exact)
        value = abs(oracle.model_value(A, c, s) - best) / abs(best)
        found.append((value, oracle.difference(s, exact)))
    # Unlike Python's, this maximum keeps a NaN.
    values, off = np.max(found, axis=0)
    return float(values), float(off)


def _residual(xp: Any, steps: Any, H: Any, g: Any) -> float:
    """The worst ||(H + lambda) s + g|| / ||g|| for the best lambda >= 0, and ||s|| above r."""
    s, A, c = (xp.asarray(x, dtype=xp.float64) for x in (steps, H, g))
    defect = (A @ s[:, :, None])[:, :, 0] + c
    squares = xp.sum(s * s, axis=1)
    shift = xp.maximum(-xp.sum(defect * s, axis=1) / squares, 0.0)
    rest = defect + shift[:, None] * s
    residual = xp.sqrt(xp.sum(rest * rest, axis=1) / xp.sum(c * c, axis=1))
    return max(float(xp.max(residual)), float(xp.max(xp.sqrt(squares))) / _RADIUS - 1.0)


def checks(backend: Backend, dtype: Any, sizes: Sizes) -> float:
    """Each order: against all eigenvalues, problem by problem."""
    kind = np.dtype(dtype).name
    worst = 0.0
    for n in sizes.orders:
        H, g = _problems(_SAMPLE, n)
        steps = backend.host(_solved(*_there(backend, (H, g), dtype)).step)
        values, off = _sample_differences(steps, H, g)
        label = f"batch, {kind}, n = {n}, {_SAMPLE} problems against dense eigenvalues"
        worst = max(worst, check(f"{label}: values", values, _VALUE[kind]))
        check(f"{label}: steps", off, _STEP[kind])
    return worst


def rows(backend: Backend, dtype: Any, sizes: Sizes, agreement: float) -> Iterator[Line]:
    """Problems a second, beside the host's and those of a loop over SciPy's solver."""
    kind = np.dtype(dtype)
    for n in sizes.orders:
        others = _others(backend, n, dtype, sizes)
        for b in sizes.batches:
            labels = "batch of subproblems", kind.name, f"n = {n}, b = {b}"
            needed = _COPIES * b * n * n * 8 + _WORK
            row = partial(_row, backend, labels, kind, b, n, others, sizes.repeats, agreement)
            yield measured_if_it_fits(backend, labels, needed, row)


def _others(backend: Backend, n: int, dtype: Any, sizes: Sizes) -> list[Against]:
    host = NumpyBackend()
    found = []
    if backend.name != "numpy":
        H, g = _there(host, _problems(sizes.host_batch, n), dtype)
        _solved(H[:100], g[:100])
        seconds = host.timed(lambda: _solved(H, g), 3).median
        found.append(Against("host", sizes.host_batch / seconds))
    H, g = _problems(sizes.loop, n)

    def loop() -> None:
        for A, c in zip(H, g, strict=True):
            trust_exact(A, c, _RADIUS, rtol=1e-10)

    return [*found, Against("trust-exact", sizes.loop / host.timed(loop, 3).median)]


def _row(
    backend: Backend,
    labels: tuple[str, str, str],
    dtype: np.dtype[Any],
    b: int,
    n: int,
    others: list[Against],
    repeats: int,
    agreement: float,
) -> Row:
    H, g = _there(backend, _problems(b, n), dtype)
    result, peak = backend.peak(lambda: _solved(H, g))
    residual = _residual(backend.xp, result.step, H, g)
    del result
    what = f"batch, {dtype.name}, n = {n}, b = {b}: residual of each step, and its length"
    worst = max(agreement, check(what, residual, _RESIDUAL[dtype.name]))
    time = backend.timed(lambda: _solved(H, g), repeats)
    return Row(*labels, time, b, "problems/s", others, "", peak, worst)
