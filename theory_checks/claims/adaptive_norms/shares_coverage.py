"""How often the interval of `diagonal_share` covers: by matrices, and ways to draw columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import beta as beta_law

from theory_checks.claim import Figure, Level
from theory_checks.claims.adaptive_norms.shares_matrices import heavy_tailed, matrices
from tralgos.operators import Operator
from tralgos.shares import diagonal_share

__all__ = ["Products", "coverage_figures"]

#: What is to be kept where the docs promise it.
NOMINAL = (0.92, 1.0)

#: How the columns are drawn: whether the operator has its transpose, and the options.
WAYS: dict[str, tuple[bool, dict[str, Any]]] = {
    "equal, 50 columns": (False, {"columns": 50}),
    "weighted, 10 columns": (True, {"columns": 10}),
    "weighted, 50 columns": (True, {"columns": 50}),
    "weighted, width 0.2": (True, {"width": 0.2}),
    "weighted, width 0.05": (True, {"width": 0.05}),
}

#: Where a coverage of 0.95 may lie, as an estimate from 100 samples on.
_KEPT, _ALL = (0.87, 1.0), (1.0, 1.0)

_EQUAL, _FEW, _MORE = "equal, 50 columns", "weighted, 10 columns", "weighted, 50 columns"

#: The ranges of the coverage where it is not always kept.
_RECORDED: dict[str, dict[str, tuple[float, float]]] = {
    "least squares, scales exp(N/2)": {_EQUAL: (0.82, 1.0)},
    "least squares, scales exp(3N/2)": {_EQUAL: (0.6, 0.88)},
    "one dominating column": {_EQUAL: (0.2, 0.5)},
    "one dominating row and column": {_EQUAL: (0.15, 0.5)},
    "dense columns among sparse ones": {_EQUAL: (0.8, 1.0)},
    "diagonal": dict.fromkeys(WAYS, _ALL),
    "zero diagonal": dict.fromkeys(WAYS, _ALL),
    "half the diagonal in 1% of the mass": {_EQUAL: (0.8, 1.0), _FEW: (0.5, 0.8)},
    "identity, border of 10%": {_EQUAL: (0.05, 0.3), _FEW: (0.7, 0.95)},
    "identity, border of 1%": {_EQUAL: (0.05, 0.3), _FEW: (0.7, 0.95)},
    "arrow": {_EQUAL: (0.05, 0.3), _FEW: (0.8, 1.0)},
    "wheel": {_EQUAL: (0.05, 0.3), _FEW: (0.6, 0.9)},
    "saddle point": {_EQUAL: (0.45, 0.75), _FEW: (0.82, 1.0)},
    "Wigner, Cauchy": {_EQUAL: (0.85, 1.0), _FEW: (0.6, 0.85), _MORE: (0.78, 0.95)},
    "triangular, rows exp(2N)": {_EQUAL: (0.8, 1.0), _FEW: (0.65, 0.92), _MORE: (0.8, 0.97)},
    "network, Hessian": {_EQUAL: (0.8, 1.0)},
    "network, Gauss-Newton": {_EQUAL: (0.8, 1.0)},
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
    makers: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
        **{name: partial(_same, matrix) for name, matrix in matrices().items()},
        **heavy_tailed(),
    }
    figures = []
    for name, make in makers.items():
        for way, (transpose, options) in WAYS.items():
            covered = _covered(make, transpose, options, runs, rng)
            expected = _RECORDED.get(name, {}).get(way, _KEPT)
            figures.append(_figure(f"coverage at 0.95, {name}, {way}", covered, expected))
    covered = _covered(lambda some: some.standard_normal((3, 3)), True, {"columns": 2}, runs, rng)
    figures.append(_figure("coverage at 0.95, order 3, weighted, 2 columns", covered, _SMALLEST))
    return tuple(figures)


def _same(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return matrix


def _covered(
    make: Callable[[np.random.Generator], np.ndarray], transpose: bool, options: dict[str, Any],
    runs: int, rng: np.random.Generator,
) -> list[bool]:  # fmt: skip
    """Which intervals cover the share of their matrix."""
    covered = []
    for _ in range(runs):
        matrix = make(rng)
        wanted = float(np.sum(np.abs(np.diag(matrix))) / np.sum(np.abs(matrix)))
        covered.append(_covers(matrix, wanted, transpose, options, rng))
    return covered
