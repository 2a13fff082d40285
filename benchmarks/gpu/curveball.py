"""Steps of CurveBall, with a gradient and an operator and with a linearised model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

import tralgos
from benchmarks.gpu import oracle
from benchmarks.gpu.backend import Backend, NumpyBackend, Timing, copy_rate
from benchmarks.gpu.passes import CURVEBALL
from benchmarks.gpu.rows import Against, Line, Row, check, measured_if_it_fits
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.vectors import waves
from tralgos.operators import DiagonalOperator
from tralgos.problems import LeastSquares, Problem, Quadratic

__all__ = ["PROBLEMS", "checks", "ran", "rows"]

#: So many steps bring the curvatures from one to three near rounding.
_STEPS = 60
#: Steps before the first that is timed.
_WARM = 3
_VECTORS = 24
#: What the point may be off, relative to its largest entry: after the same steps elsewhere, and
#: from the minimiser, which the steps only come near to.
_ALLOWED = {"float64": 1e-10, "float32": 1e-4}
_NEAR = {"float64": 1e-7, "float32": 1e-4}
#: The host is timed up to this n, in a run of fewer steps.
_HOST_N, _HOST_STEPS = 20_000_000, 12


def _curvatures(xp: Any, n: int, dtype: Any) -> Any:
    return xp.linspace(1.0, 3.0, n, dtype=dtype)


def _quadratic(xp: Any, n: int, dtype: Any) -> Problem:
    return Quadratic(DiagonalOperator(_curvatures(xp, n, dtype)), -waves(xp, n, dtype))


def _least_squares(xp: Any, n: int, dtype: Any) -> Problem:
    # The mean over n samples of squares: with n times the curvatures it is the quadratic.
    roots = xp.sqrt(n * _curvatures(xp, n, dtype))
    return LeastSquares(DiagonalOperator(roots), waves(xp, n, dtype))


#: Makes a problem of order n in a library and dtype. The names are those of `CURVEBALL`.
PROBLEMS: dict[str, Callable[[Any, int, Any], Problem]] = {
    "gradient and operator": _quadratic,
    "linearised model": _least_squares,
}


def _minimiser(name: str, xp: Any, n: int, dtype: Any) -> Any:
    """By hand: both problems separate into single variables."""
    d = _curvatures(xp, n, dtype).astype(xp.float64)
    b = waves(xp, n, dtype).astype(xp.float64)
    return b / d if name == "gradient and operator" else b / xp.sqrt(n * d)


def ran(
    problem: Problem,
    xp: Any,
    dtype: Any,
    steps: int = _STEPS,
    seen: Callable[..., Any] | None = None,
) -> Any:
    """The point after so many steps from zero."""
    start = xp.zeros(problem.n, dtype=dtype)
    method = tralgos.CurveBall(second_order=False)
    run = tralgos.minimize(problem, start, method, gtol=0.0, maxiter=steps, callback=seen)
    return run.x


def checks(backend: Backend, dtype: Any, sizes: Sizes) -> float:
    """Against the minimiser by hand, and halfway against the host in float64."""
    kind, n, xp = np.dtype(dtype).name, sizes.checked_side**3, backend.xp
    worst = 0.0
    for name, make in PROBLEMS.items():
        label = f"curveball, {name}, {kind}, n = {n}"
        x = backend.host(ran(make(xp, n, dtype), xp, dtype))
        off = oracle.difference(x, _minimiser(name, np, n, np.float64))
        worst = max(worst, check(f"{label}: minimiser by hand", off, _NEAR[kind]))
        half = _STEPS // 10
        x = backend.host(ran(make(xp, n, dtype), xp, dtype, half))
        reference = ran(make(np, n, np.float64), np, np.float64, half)
        what = f"{label}: point after {half} steps against the host in float64"
        worst = max(worst, check(what, oracle.difference(x, reference), _ALLOWED[kind]))
    return worst


def _step(
    backend: Backend, problem: Problem, dtype: Any, repeats: int, steps: int = _STEPS
) -> Timing:
    """Seconds of a step, the median of each run, in several runs."""
    seconds = []
    for _ in range(repeats):
        marks = [backend.mark()]

        def seen(_: Any, marks: list[Any] = marks) -> None:
            marks.append(backend.mark())

        ran(problem, backend.xp, dtype, steps, seen)
        each = [backend.between(*pair) for pair in pairwise(marks[_WARM:])]
        seconds.append(Timing(tuple(each)).median)
    return Timing(tuple(seconds))


def rows(backend: Backend, dtype: Any, sizes: Sizes, agreement: float) -> Iterator[Line]:
    """A step at each n: the passes that are counted over its time."""
    kind = np.dtype(dtype)
    for name in PROBLEMS:
        for n in (side**3 for side in sizes.sides):
            labels = f"CurveBall step, {name}", kind.name, f"n = {n}"
            needed = _VECTORS * n * kind.itemsize
            row = partial(_row, backend, labels, name, kind, n, sizes.repeats, agreement)
            yield measured_if_it_fits(backend, labels, needed, row)


def _row(
    backend: Backend,
    labels: tuple[str, str, str],
    name: str,
    dtype: np.dtype[Any],
    n: int,
    repeats: int,
    agreement: float,
) -> Row:
    xp, make = backend.xp, PROBLEMS[name]
    problem = make(xp, n, dtype)
    x, peak = backend.peak(lambda: ran(problem, xp, dtype))
    exact = _minimiser(name, xp, n, dtype)
    off = float(xp.max(xp.abs(x - exact))) / float(xp.max(xp.abs(exact)))
    del x, exact
    what = f"curveball, {name}, {dtype.name}, n = {n}: minimiser by hand"
    worst = max(agreement, check(what, off, _NEAR[dtype.name]))
    time = _step(backend, problem, dtype, repeats)
    moved = CURVEBALL[name] * n * dtype.itemsize
    against = [Against("copy", copy_rate(backend, n, dtype, 5 * repeats))]
    if backend.name != "numpy" and n <= _HOST_N:
        seconds = _step(NumpyBackend(), make(np, n, dtype), dtype, 1, _HOST_STEPS)
        against.append(Against("host", moved / seconds.median))
    return Row(*labels, time, moved, "B/s", against, "", peak, worst)
