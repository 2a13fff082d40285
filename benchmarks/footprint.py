"""How many vectors of length n are alive at once, beside x and the problem's own data.

    python -m benchmarks.footprint

prints the table of the page on GPUs. It is counted on the second device of array-api-strict, whose
arrays are NumPy's underneath, so that tracemalloc sees each of them: every operation makes an array
of its own there, as it does with CuPy, but for the recurrences that CuPy fuses. A basis comes in
blocks of rows; the bound on its memory holds the two vectors that are always kept.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import array_api_strict as strict
import numpy as np

import tralgos
from tralgos.arrays import namespace
from tralgos.operators import DiagonalOperator, WrappedOperator
from tralgos.problems import FunctionProblem, Problem

__all__ = ["ROWS", "Row", "table", "vectors"]

#: Long enough that all else is small beside a vector.
_LENGTH = 50_000


@dataclass(frozen=True)
class Row:
    """A run, and the most vectors that it is stated to need.

    Attributes
    ----------
    name : str
        What runs.
    run : callable
        Prepares the data -> the run itself.
    stated : int
        Vectors, the problem's own data not among them.
    """

    name: str
    run: Callable[[], Callable[[], object]]
    stated: int


def _array(x: Any) -> Any:
    values = np.asarray(x, dtype=np.float64).tolist()
    return strict.asarray(values, dtype=strict.float64, device=strict.Device("device1"))


def _problem() -> Problem:
    """A convex function with a diagonal Hessian."""
    d = _array(np.linspace(1.0, 50.0, _LENGTH))

    def value(x: Any) -> Any:
        return namespace(x).vecdot(x, d * x)

    return FunctionProblem(value, lambda x: 2.0 * d * x, hessp=lambda x, v: 2.0 * d * v)


def _minimise(method: Any, maxiter: int = 6) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        problem, x = _problem(), _array(np.ones(_LENGTH))
        return lambda: tralgos.minimize(problem, x, method, maxiter=maxiter, gtol=1e-30, rng=0)

    return prepare


def _subproblem(method: Any, **options: Any) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        H = WrappedOperator(DiagonalOperator(_array(np.linspace(-1.0, 50.0, _LENGTH))))
        g = _array(np.ones(_LENGTH))
        return lambda: tralgos.solve_trs(
            H, g, 1.0, method=method, memory=16 * _LENGTH, max_matvec=12, rng=0, **options
        )

    return prepare


ROWS = (
    Row("solve_trs, Krylov, no evidence", _subproblem("krylov", certify="none"), 14),
    Row("solve_trs, Krylov, probabilistic evidence", _subproblem("krylov"), 20),
    Row("solve_trs, Steihaug", _subproblem("steihaug", certify="none"), 8),
    Row("solve_trs, sphere descent", _subproblem("sphere-descent", certify="none"), 11),
    Row("minimize, HessianFree", _minimise(tralgos.HessianFree(hessian="exact")), 14),
    Row("minimize, CurveBall", _minimise(tralgos.CurveBall(second_order=False)), 15),
    Row("minimize, gradient descent", _minimise(tralgos.GradientDescent(rate=1e-3)), 7),
    Row("minimize, Adam", _minimise(tralgos.Adam()), 16),
)


def vectors(row: Row) -> float:
    """The most vectors that were alive at once."""
    run = row.run()
    run()  # what is imported or cached once is not counted
    tracemalloc.start()
    try:
        run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak / (8 * _LENGTH)


def table() -> str:
    """The table in Markdown."""
    lines = ["| run | vectors | 10^7, float32 | 10^8, float32 |", "| --- | ---: | ---: | ---: |"]
    for row in ROWS:
        small, large = (row.stated * 4 * n / 1e9 for n in (10**7, 10**8))
        lines.append(f"| {row.name} | {row.stated} | {small:.2f} GB | {large:.1f} GB |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
