"""What a Krylov iteration costs beside its product with H, in passes over memory.

A pass reads one vector of length n from memory, out of the cache. An iteration in the
Euclidean norm needs at least six: two for the diagonal entry of T, three and a write for
the recurrence. Everything else (the pieces' calls, first touch of new memory, the
recurrences on the host, the transfer) is what this benchmark looks for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sparse

import tralgos
from benchmarks import _report
from tralgos.kernels import inner, three_term
from tralgos.norms import DiagonalNorm, EuclideanNorm, Norm
from tralgos.operators import LowRankPlusDiagonal, Operator, as_operator
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model

__all__ = ["tables"]

N = 1_000_000
ITERATIONS = 40
REPEATS = 7
#: Vectors to walk through, more than any cache holds.
_POOL = 48
#: Bytes touched before anything is measured: more than the largest basis.
_TOUCHED = 3 << 30


class _Timed:
    """An operator that adds up the time of its products."""

    def __init__(self, A: Operator) -> None:
        self._A = A
        self.shape = A.shape
        self.seconds = 0.0
        self.products = 0

    def matvec(self, x: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        y: np.ndarray = self._A.matvec(x)
        self.seconds += time.perf_counter() - start
        self.products += 1
        return y


def _median(task: Callable[[int], object], repeats: int) -> float:
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        task(i)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


class Memory:
    """A pool of vectors out of the cache, and the time of a pass over one of them."""

    def __init__(self, n: int) -> None:
        # A virtual machine gets its pages from the host when it first touches them, at many
        # times what its own kernel takes to clear a page: that is not to be measured.
        np.ones(_TOUCHED // 8)
        self._pool = np.ones((_POOL, n))
        self.pass_seconds = 0.5 * _median(
            lambda i: np.dot(self.row(2 * i), self.row(2 * i + 1)), 60
        )

    def row(self, i: int) -> np.ndarray:
        """A vector that was not used lately, if `i` grows."""
        row: np.ndarray = self._pool[i % _POOL]
        return row

    def in_passes(self, task: Callable[[int], object]) -> float:
        """The median time of `task`, called with growing numbers."""
        return _median(task, 60) / self.pass_seconds


def operators(n: int) -> dict[str, Operator]:
    """Cheap products: a tridiagonal sparse array, and diagonal plus rank four."""
    rng = np.random.default_rng(0)
    ones = np.ones(n)
    second = sparse.diags_array([-ones[1:], 1.99 * ones, -ones[1:]], offsets=[-1, 0, 1])
    low_rank = LowRankPlusDiagonal(
        np.linspace(-1.0, 5.0, n), rng.standard_normal((n, 4)) / np.sqrt(n)
    )
    return {"tridiagonal": as_operator(sparse.csr_array(second)), "low rank": low_rank}


def _kernels(memory: Memory) -> Iterator[list[str]]:
    row = memory.row

    def update(i: int) -> object:
        vectors = (row(4 * i), row(4 * i + 1), row(4 * i + 2))
        return three_term(*vectors, (0.5, 0.25, 0.125), row(4 * i + 3), np, square=True)

    yield _row(
        "inner product",
        "2 reads",
        2,
        memory.in_passes(lambda i: inner(row(2 * i), row(2 * i + 1), np)),
    )
    yield _row("three-term update with its norm", "3 reads, 1 write", 4, memory.in_passes(update))
    yield _row(
        "the same write alone (copy)",
        "1 read, 1 write",
        2,
        memory.in_passes(lambda i: np.copyto(row(2 * i), row(2 * i + 1))),
    )
    blocks: list[np.ndarray] = []

    def touch(i: int) -> object:
        if i % 4 == 0:
            blocks.append(np.empty((4, row(0).shape[0])))
        return blocks[-1][i % 4].fill(0.0)

    yield _row("first write to a new row of the basis", "1 write", 1, memory.in_passes(touch))


def _row(name: str, counted: str, minimum: int, passes: float) -> list[str]:
    return [name, counted, f"{minimum}", f"{passes:.1f}", f"{passes / minimum:.2f}"]


def _beside(A: Operator, g: np.ndarray, norm: Norm, memory_bytes: int) -> float:
    """Seconds of an iteration of Lanczos beside its product with H, the median of a few runs."""
    times = []
    for _ in range(REPEATS):
        timed = _Timed(A)
        run = Lanczos(Model(as_operator(timed), g, norm), g, memory=memory_bytes)
        run.extend()
        timed.seconds = 0.0
        start = time.perf_counter()
        for _ in range(ITERATIONS):
            run.extend()
        times.append((time.perf_counter() - start - timed.seconds) / ITERATIONS)
    return statistics.median(times)


def _iterations(memory: Memory) -> Iterator[list[str]]:
    g = np.random.default_rng(1).standard_normal(N) / np.sqrt(N)
    diagonal = DiagonalNorm(np.linspace(1.0, 2.0, N))
    plain: list[tuple[str, Norm, int, str, int]] = [
        ("basis stored", EuclideanNorm(), 2 << 30, "5 reads, 1 write", 6),
        ("basis not stored", EuclideanNorm(), 0, "5 reads, 1 write", 6),
        ("diagonal norm, stored", diagonal, 2 << 30, "10 reads, 3 writes", 13),
    ]
    for name, A in operators(N).items():
        for label, norm, size, counted, minimum in plain:
            passes = _beside(A, g, norm, size) / memory.pass_seconds
            yield _row(f"iteration, {name}, {label}", counted, minimum, passes)


def _whole(memory: Memory) -> Iterator[list[str]]:
    """A whole solve with its checks, reduced problems, assembly and measurement."""
    g = np.random.default_rng(1).standard_normal(N) / np.sqrt(N)
    for name, A in operators(N).items():
        times: list[float] = []
        products = 0
        for _ in range(3):
            timed = _Timed(A)
            start = time.perf_counter()
            result = _solve(timed, g)
            seconds = time.perf_counter() - start - timed.seconds
            products = result.matvecs
            times.append(seconds / products)
        passes = min(times) / memory.pass_seconds
        # The assembly of the step reads each stored vector once more.
        yield _row(f"whole solve, {name}, {products} products", "6 reads, 1 write", 7, passes)


def _solve(A: Any, g: np.ndarray) -> tralgos.SubproblemResult:
    return tralgos.solve_trs(A, g, 10.0, certify="none")


def tables() -> Iterator[_report.Table]:
    """Kernels, iterations and whole solves in passes over memory."""
    memory = Memory(N)
    rows = [*_kernels(memory), *_iterations(memory), *_whole(memory)]
    rate = 8e-9 * N / memory.pass_seconds
    note = (
        f"n = {N}, float64. One pass reads {8e-6 * N:g} MB from memory, here at {rate:.0f} GB/s. "
        "A write costs two passes on most processors, since the line is read before. Iterations "
        "and solves are without their products with H."
    )
    columns = ["what", "has to move", "passes counted", "passes measured", "ratio"]
    yield _report.Table("Overhead beside the products with H", note, columns, rows)


if __name__ == "__main__":
    _report.main("python -m benchmarks.overhead", tables)
