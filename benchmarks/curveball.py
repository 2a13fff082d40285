"""What a CurveBall step costs beside its products, in passes over memory.

The step needs 11 passes over vectors of length n with a gradient and products with an operator:
q, Hq and g are read and v is written, v and Hv are read, q, v and x are read and q and x are
written. With a linearised model they are 9. Everything else (the inner products in the cache, first
touch of new memory, the 2 x 2 problem, the driver) is what this benchmark looks for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

import tralgos
from benchmarks import _report
from benchmarks.overhead import Memory
from tralgos.operators import DiagonalOperator, LowRankPlusDiagonal
from tralgos.problems import LeastSquares, Problem, Quadratic

__all__ = ["tables"]

N = 1_000_000
STEPS = 20
REPEATS = 5
#: So that the products of a step cost 150 passes and more.
_RANK, _ROWS = 10, 36


class _Clock:
    """Adds up the time of what the problem does."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, on the clock."""

        def run(*arguments: Any) -> Any:
            self._depth += 1
            start = time.perf_counter()
            value = function(*arguments)
            self._depth -= 1
            if self._depth == 0:
                self.seconds += time.perf_counter() - start
            return value

        return run


def _problems() -> dict[str, tuple[Problem, int, str]]:
    """The problem, the passes that have to move, and which."""
    rng = np.random.default_rng(0)
    diagonal = np.linspace(1.0, 10.0, N)
    factor = rng.standard_normal((N, _RANK)) / np.sqrt(N)
    low_rank = LowRankPlusDiagonal(diagonal, factor)
    # Curvatures of about one to ten, as those of the others.
    sizes = np.sqrt(_ROWS * np.linspace(1.0, 10.0, _ROWS) / N)
    rows = sizes[:, None] * rng.standard_normal((_ROWS, N))
    plain = "8 reads, 3 writes"
    return {
        "gradient and operator, diagonal": (
            Quadratic(DiagonalOperator(diagonal), np.ones(N)),
            11,
            plain,
        ),
        f"gradient and operator, diagonal plus rank {_RANK}": (
            Quadratic(low_rank, np.ones(N)),
            11,
            plain,
        ),
        f"linearised model with {_ROWS} outputs": (
            LeastSquares(rows, rng.standard_normal(_ROWS)),
            8,
            "5 reads, 3 writes",
        ),
    }


def _watched(problem: Problem, clock: _Clock) -> Problem:
    """The problem with all that it does on the clock: values, gradients, products."""
    if isinstance(problem, Quadratic):
        problem.H._matvec = clock.timed(problem.H._matvec)  # type: ignore[method-assign]
        problem._value_and_gradient = clock.timed(  # type: ignore[method-assign]
            problem._value_and_gradient
        )
        return problem
    samples = problem._samples  # type: ignore[attr-defined]
    samples.forward = clock.timed(samples.forward)
    samples.transposed = clock.timed(samples.transposed)
    return problem


def _step(problem: Problem, clock: _Clock) -> tuple[float, float]:
    """Seconds of a step beside the products and of the products, medians over all steps."""
    method = tralgos.CurveBall(second_order=False, lam_rule="fixed")
    marks: list[tuple[float, float]] = []
    beside, inside = [], []

    def mark(intermediate_result: Any) -> None:
        marks.append((time.perf_counter(), clock.seconds))

    for _ in range(REPEATS):
        marks.clear()
        tralgos.minimize(problem, np.zeros(N), method, gtol=0.0, maxiter=STEPS, callback=mark)
        for (begun, before), (ended, after) in pairwise(marks):
            inside.append(after - before)
            beside.append(ended - begun - (after - before))
    return statistics.median(beside), statistics.median(inside)


def _rows() -> Iterator[list[str]]:
    memory = Memory(N)
    for name, (problem, minimum, counted) in _problems().items():
        clock = _Clock()
        beside, inside = _step(_watched(problem, clock), clock)
        yield [
            name,
            counted,
            str(minimum),
            f"{beside / memory.pass_seconds:.1f}",
            f"{inside / memory.pass_seconds:.1f}",
            f"{(beside + inside) / inside:.3f}",
        ]


def tables() -> Iterator[_report.Table]:
    """Steps in passes over memory, and over their products."""
    note = (
        f"n = {N}, float64; a pass reads one vector from memory, out of the cache. Products are "
        "all that the problem does: values, gradients, and products with its matrix."
    )
    columns = [
        "step of CurveBall",
        "has to move",
        "passes counted",
        "passes measured",
        "passes of its products",
        "step over products",
    ]
    yield _report.Table("CurveBall beside its products", note, columns, list(_rows()))


if __name__ == "__main__":
    _report.main(
        "python -m benchmarks.curveball --out docs/curveball-cost.md",
        tables,
        title="The cost of a CurveBall step",
    )
