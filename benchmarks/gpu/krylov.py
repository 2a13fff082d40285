"""A trust-region subproblem by Krylov, on operators of three kinds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import tralgos
from benchmarks.gpu import oracle
from benchmarks.gpu.backend import Backend, NumpyBackend, Timing, copy_rate
from benchmarks.gpu.passes import KRYLOV, PRODUCTS
from benchmarks.gpu.rows import Against, Line, Row, Untold, check, measured_if_it_fits
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.vectors import OPERATORS, gradient

__all__ = ["checks", "rows", "solved"]

#: So small that the multiplier is at least one, and 40 products reach rounding at any n.
_RADIUS = 0.12
#: Products of the solve that is timed, and of the one that is subtracted: what is left is
#: iterations alone.
LONG, SHORT = 40, 8
#: Vectors of the basis, and all that a solve may hold at once.
_BASIS, _VECTORS = 48, 66
#: What a step may be off relative to its largest entry, and the residual relative to g.
_ALLOWED = {"float64": 1e-10, "float32": 1e-4}
#: The host is timed up to this n.
_HOST_N = 20_000_000

#: Quartiles of fewer differences say nothing; where the first ones are not told from noise,
#: there are so many times as many in addition.
_LEAST_REPEATS, _MORE = 3, 4

_ORACLE_SIDE = 6


def solved(H: Any, g: Any, budget: int = LONG) -> Any:
    """The step after so many products: the tolerance is out of reach."""
    return tralgos.solve_trs(
        H,
        g,
        _RADIUS,
        method="krylov",
        certify="none",
        max_matvec=budget,
        memory=_BASIS * g.nbytes,
        rtol=1e-300,
    )


def _step(name: str, backend: Backend, side: int, dtype: Any) -> np.ndarray:
    H, g = OPERATORS[name](backend.xp, side, dtype), gradient(backend.xp, side, dtype)
    return backend.host(solved(H, g).step)


def _residual(xp: Any, step: Any, H: Any, g: Any) -> float:
    """||(H + lambda) s + g|| / ||g|| for the best lambda, and how far ||s|| is off the radius.

    Nothing of the solver's own is believed but the step.
    """
    defect = H.matvec(step) + g
    shift = -float(xp.sum(defect * step)) / float(xp.sum(step * step))
    residual = float(xp.linalg.norm(defect + shift * step)) / float(xp.linalg.norm(g))
    # H + lambda is positive definite for lambda above 1, the least eigenvalue being above -1.1.
    wrong = 0.0 if shift > 1.1 else 1.0
    return max(residual, abs(float(xp.linalg.norm(step)) / _RADIUS - 1.0), wrong)


def checks(backend: Backend, dtype: Any, sizes: Sizes) -> float:
    """Small: against all eigenvalues. Moderate: against the host in float64."""
    kind = np.dtype(dtype).name
    host = NumpyBackend()
    worst = 0.0
    for name in OPERATORS:
        order = _ORACLE_SIDE**3
        H = OPERATORS[name](np, _ORACLE_SIDE, np.float64).matmat(np.eye(order))
        exact = oracle.trust_region_step(H, gradient(np, _ORACLE_SIDE, np.float64), _RADIUS)
        off = oracle.difference(_step(name, backend, _ORACLE_SIDE, dtype), exact)
        what = f"krylov, {name}, {kind}, n = {order}: step against dense eigenvalues"
        worst = max(worst, check(what, off, _ALLOWED[kind]))
        side = sizes.checked_side
        reference = _step(name, host, side, np.float64)
        off = oracle.difference(_step(name, backend, side, dtype), reference)
        what = f"krylov, {name}, {kind}, n = {side**3}: step against the host in float64"
        worst = max(worst, check(what, off, _ALLOWED[kind]))
    return worst


def _iteration(backend: Backend, H: Any, g: Any, repeats: int) -> Timing | None:
    """Seconds of an iteration: a long solve less a short one, over the products between.

    None where the differences are not told from noise, after more repeats either.
    """
    seconds: list[float] = []
    for more in (max(repeats, _LEAST_REPEATS), _MORE * repeats):
        for _ in range(more):
            short = backend.timed(lambda: solved(H, g, SHORT), 1).median
            whole = backend.timed(lambda: solved(H, g, LONG), 1).median
            seconds.append((whole - short) / (LONG - SHORT))
        time = Timing(tuple(seconds))
        if time.told:
            return time
    return None


def rows(backend: Backend, dtype: Any, sizes: Sizes, agreement: float) -> Iterator[Line]:
    """An iteration at each n: the passes that are counted over its time."""
    kind = np.dtype(dtype)
    for name in OPERATORS:
        for side in sizes.sides:
            labels = f"Krylov iteration, {name}", kind.name, f"n = {side**3}"
            needed = _VECTORS * side**3 * kind.itemsize
            row = partial(_row, backend, labels, name, kind, side, sizes.repeats, agreement)
            yield measured_if_it_fits(backend, labels, needed, row)


def _row(
    backend: Backend,
    labels: tuple[str, str, str],
    name: str,
    dtype: np.dtype[Any],
    side: int,
    repeats: int,
    agreement: float,
) -> Row | Untold:
    n = side**3
    H, g = OPERATORS[name](backend.xp, side, dtype), gradient(backend.xp, side, dtype)
    result, peak = backend.peak(lambda: solved(H, g))
    residual = _residual(backend.xp, result.step, H, g)
    del result
    what = f"krylov, {name}, {dtype.name}, n = {n}: residual of the step, and its length"
    worst = max(agreement, check(what, residual, _ALLOWED[dtype.name]))
    time = _iteration(backend, H, g, repeats)
    if time is None:
        return Untold(*labels, peak, worst)
    moved = (KRYLOV + PRODUCTS[name]) * n * dtype.itemsize
    against = [Against("copy", copy_rate(backend, n, dtype, 5 * repeats))]
    if backend.name != "numpy" and n <= _HOST_N:
        H, g = OPERATORS[name](np, side, dtype), gradient(np, side, dtype)
        seconds = _iteration(NumpyBackend(), H, g, 1)
        against.append(Against("host", moved / seconds.median if seconds else None))
    return Row(*labels, time, moved, "B/s", against, "", peak, worst)
