"""How often the interval of `diagonal_share` covers the share: matrices, and ways to draw columns.

The matrices are the same in every run: how the masses of the columns are spread decides the
coverage.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.stats import beta as beta_law

from theory_checks.claim import Figure, Level
from tralgos.operators import Operator
from tralgos.shares import diagonal_share

__all__ = ["Products", "coverage_figures", "matrices"]

#: The order of the matrices, but for the smallest.
ORDER = 150

#: What is to be kept where the docs promise it.
NOMINAL = (0.92, 1.0)

#: How the columns are drawn: whether the operator has its transpose, and the options.
WAYS: dict[str, tuple[bool, dict[str, Any]]] = {
    "equal, 50 columns": (False, {"columns": 50}),
    "weighted, 10 columns": (True, {"columns": 10}),
    "weighted, 50 columns": (True, {"columns": 50}),
    "weighted, width 0.2": (True, {"width": 0.2}),
}

#: Where a coverage of 0.95 may lie, as an estimate from 100 samples on.
_KEPT, _ALL = (0.87, 1.0), (1.0, 1.0)

#: The ranges of the coverage in these ways.
_RECORDED = {
    "Wigner": (_KEPT, _KEPT, _KEPT, _KEPT),
    "least squares": (_KEPT, _KEPT, _KEPT, _KEPT),
    "least squares, scales exp(N/2)": ((0.75, 0.94), _KEPT, _KEPT, _KEPT),
    "least squares, scales exp(3N/2)": ((0.55, 0.85), _KEPT, _KEPT, _KEPT),
    "ten blocks": (_KEPT, _KEPT, _KEPT, _KEPT),
    "one dominating column": ((0.2, 0.5), (0.8, 1.0), _KEPT, _KEPT),
    "one dominating row and column": ((0.15, 0.5), _KEPT, _KEPT, _KEPT),
    "not symmetric, scales exp(3N/2)": (_KEPT, _KEPT, _KEPT, _KEPT),
    "dense columns among sparse ones": ((0.8, 1.0), (0.55, 0.9), _KEPT, _KEPT),
    "diagonal": (_ALL, _ALL, _ALL, _ALL),
    "zero diagonal": (_ALL, _ALL, _ALL, _ALL),
    "half the diagonal in 1% of the mass": ((0.8, 1.0), (0.45, 0.8), (0.82, 1.0), _KEPT),
}

#: Coverage of 2 of 3 columns, of a new matrix each time.
_SMALLEST = (0.8, 1.0)


class Products(Operator):
    """A matrix of which only products are to be had, and which remembers the columns asked for."""

    def __init__(self, matrix: np.ndarray, *, transpose: bool = False) -> None:
        super().__init__(matrix.shape, home=matrix)
        self.matrix = matrix
        self.transpose = transpose
        self.seen: list[int] = []

    @property
    def has_transpose(self) -> bool:
        """As it was said to be."""
        return self.transpose

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._matmat(x[:, None])[:, 0]

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        self.seen += np.argmax(X, axis=0).tolist()
        return np.asarray(self.matrix @ X)

    def _rmatvec(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix.T @ x)


def matrices() -> dict[str, np.ndarray]:
    """The matrices by name."""
    rng, n = np.random.default_rng(0), ORDER
    G, X = rng.standard_normal((n, n)), rng.standard_normal((n, 32))
    logs = rng.standard_normal(n)
    scaled = [np.exp(width * logs)[:, None] * X for width in (0.0, 0.5, 1.5)]
    wigner = G + G.T
    found = [wigner, *(Y @ Y.T for Y in scaled), _blocks(rng), *_dominated(G, wigner)]
    found.append(rng.standard_normal((n, n)) * np.exp(1.5 * logs))
    sparse = np.diag(rng.uniform(1, 2, n))
    sparse[:, :6] += rng.standard_normal((n, 6)) / math.sqrt(n)
    found += [sparse, np.diag(np.exp(3 * logs)), wigner - np.diag(np.diag(wigner)), _rare(G)]
    return dict(zip(_RECORDED, found, strict=True))


def _blocks(rng: np.random.Generator) -> np.ndarray:
    """Ten blocks on the diagonal, the last 1000 times as large as the first."""
    matrix, size = np.zeros((ORDER, ORDER)), ORDER // 10
    for k in range(10):
        block = rng.standard_normal((size, size))
        part = slice(k * size, (k + 1) * size)
        matrix[part, part] = block @ block.T * 10.0 ** (k / 3)
    return matrix


def _dominated(G: np.ndarray, wigner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Column 3 outweighs all others, without and with its row."""
    column, both = np.array(G), np.array(wigner)
    column[:, 3] *= 1e4
    both[3, :] *= 1e3
    both[:, 3] *= 1e3
    return column, both


def _rare(G: np.ndarray) -> np.ndarray:
    """Eight columns are diagonal, and have half of the diagonal in about 1% of the mass."""
    matrix = np.asarray(np.abs(G))
    matrix[:8, :] = matrix[:, :8] = 0.0
    some = np.arange(8)
    matrix[some, some] = np.trace(matrix) / 8
    return matrix


def _covers(
    matrix: np.ndarray, wanted: float, transpose: bool, options: dict[str, Any],
    rng: np.random.Generator,
) -> bool:  # fmt: skip
    """Whether an interval covers, up to rounding where it has no width."""
    operator = Products(matrix, transpose=transpose)
    found = diagonal_share(operator, rng=rng, block=64, **options)
    slack = 1e-13 * wanted
    return bool(found.low - slack <= wanted <= found.high + slack)


def _figure(name: str, covered: list[bool], expected: tuple[float, float]) -> Figure:
    runs, hits = len(covered), sum(covered)
    low, high = beta_law.ppf([0.025, 0.975], [hits, hits + 1], [runs - hits + 1, runs - hits])
    low, high = 0.0 if hits == 0 else float(low), 1.0 if hits == runs else float(high)
    return Figure(name, hits / runs, low, high, expected, claimed=NOMINAL)


def coverage_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    """The coverage at 0.95 of each matrix and each way to draw columns, with its interval."""
    rng = np.random.default_rng(seed)
    runs = 100 if level is Level.QUICK else 1000
    figures = []
    for name, matrix in matrices().items():
        wanted = diagonal_share(matrix).share
        for (way, (transpose, options)), expected in zip(
            WAYS.items(), _RECORDED[name], strict=True
        ):
            covered = [_covers(matrix, wanted, transpose, options, rng) for _ in range(runs)]
            figures.append(_figure(f"coverage at 0.95, {name}, {way}", covered, expected))
    covered = []
    for matrix in (rng.standard_normal((3, 3)) for _ in range(runs)):
        wanted = diagonal_share(matrix).share
        covered.append(_covers(matrix, wanted, True, {"columns": 2}, rng))
    figures.append(_figure("coverage at 0.95, order 3, weighted, 2 columns", covered, _SMALLEST))
    return tuple(figures)
