"""The share of an operator from sampled columns: exact over all of them, and its coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from scipy.stats import beta as beta_law
from scipy.stats import t as t_law

from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import PAPER
from theory_checks.precise import precise, real
from tralgos.operators import Operator
from tralgos.shares import ShareEstimate, diagonal_share

__all__ = ["claims"]


class _Products(Operator):
    """A matrix of which only products are to be had, and which remembers the columns asked for."""

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__(matrix.shape, home=matrix)
        self.matrix = matrix
        self.seen: list[int] = []

    def _matvec(self, x: np.ndarray) -> np.ndarray:
        return self._matmat(x[:, None])[:, 0]

    def _matmat(self, X: np.ndarray) -> np.ndarray:
        self.seen += np.argmax(X, axis=0).tolist()
        return np.asarray(self.matrix @ X)


#: What a sabotage does to an estimate.
Change = Callable[[ShareEstimate], ShareEstimate]


def _instance(rows: list[list[float]], columns: int = 2, seed: int = 0) -> Instance:
    return {"rows": rows, "columns": columns, "seed": seed}


def _share(rows: list[list[float]]) -> Fraction:
    exact = [[abs(Fraction(x)) for x in row] for row in rows]
    on = sum((exact[i][i] for i in range(len(rows))), Fraction(0))
    return on / sum((sum(row, Fraction(0)) for row in exact), Fraction(0))


def _oracle(rows: list[list[float]], seen: list[int]) -> tuple[Fraction, Fraction]:
    """The corrected ratio of the columns seen, and its squared standard error, exactly."""
    n, k = len(rows), len(seen)
    y = [abs(Fraction(rows[j][j])) for j in seen]
    x = [sum((abs(Fraction(row[j])) for row in rows), Fraction(0)) for j in seen]
    unseen, zero = Fraction(1, k) - Fraction(1, n), Fraction(0)
    mean, centre = sum(x, zero) / k, sum(y, zero) / k
    ratio = centre / mean
    variance = sum(((b - mean) ** 2 for b in x), zero) / (k - 1)
    pairs = list(zip(y, x, strict=True))
    covariance = sum(((a - centre) * (b - mean) for a, b in pairs), zero) / (k - 1)
    bias = unseen * (ratio * variance - covariance) / mean**2
    squares = sum(((a - ratio * b) ** 2 for a, b in pairs), zero) / (k - 1)
    return ratio - bias, unseen * squares / mean**2


def _same(estimate: ShareEstimate) -> ShareEstimate:
    return estimate


def _margins(instance: Instance, change: Change = _same) -> Margins:
    rows, columns = instance["rows"], instance["columns"]
    matrix, wanted = np.array(rows, dtype=float), _share(rows)
    operator = _Products(matrix)
    found = change(diagonal_share(operator, columns=columns, rng=instance["seed"], block=3))
    share, squares = _oracle(rows, operator.seen)
    error = precise().sqrt(real(squares))
    share = min(max(share, Fraction(0)), Fraction(1))
    width = t_law.ppf(0.975, columns - 1) * error
    margins = {
        "the corrected ratio": in_roundings(-abs(Fraction(found.share) - share), 1),
        "the standard error": in_roundings(-abs(found.standard_error - error), 1),
        "low": in_roundings(-abs(found.low - max(0, real(share) - width)), 1 + width),
        "high": in_roundings(-abs(found.high - min(1, real(share) + width)), 1 + width),
        "different columns, a product each": fact(
            len(set(operator.seen)) == len(operator.seen) == found.matvecs == columns
        ),
    }
    for name, given in (("dense", matrix), ("all columns", _Products(matrix))):
        all_of_it = change(diagonal_share(given))
        margins[name] = in_roundings(-abs(Fraction(all_of_it.share) - wanted), wanted)
        margins[f"{name}: exact"] = fact(all_of_it.exact and all_of_it.standard_error == 0)
    return margins


def _strategy() -> SearchStrategy[Instance]:
    quarters = st.integers(-16, 16).map(lambda k: k / 4)

    def of_order(n: int) -> SearchStrategy[Instance]:
        row = st.lists(quarters, min_size=n, max_size=n)
        rows = st.lists(row, min_size=n, max_size=n)
        return st.builds(_instance, rows, st.integers(2, n), st.integers(0, 9))

    return st.integers(2, 4).flatmap(of_order)


def _edges() -> Iterable[Instance]:
    yield _instance([[1.0, 0.0], [0.0, -1.0]])
    yield _instance([[0.0, 1.0], [-1.0, 0.0]])
    yield _instance([[2.0, -1.0, 0.5], [-1.0, 0.0, 4.0], [0.5, 4.0, -3.0]])
    yield _instance([[1e-150, 2e-150], [2e-150, -1e-150]])
    yield _instance([[float(i == j) * (i + 1) + 1 for j in range(6)] for i in range(6)], 3)


def _is_matrix(instance: Instance) -> bool:
    rows, n = instance["rows"], len(instance["rows"])
    square = all(len(row) == n for row in rows)
    return n >= 2 and square and isinstance(instance["columns"], int)


def _conditions() -> tuple[Condition, ...]:
    return (
        Condition("square", "a square matrix, 2 to n columns",
                  lambda i: _is_matrix(i) and 2 <= i["columns"] <= len(i["rows"])
                  and isinstance(i["seed"], int) and i["seed"] >= 0
                  and all(x == 0 or 1e-160 < abs(x) < 1e160 for row in i["rows"] for x in row),
                  kept="anything else is refused"),
        Condition("no zero columns", "every column has mass",
                  lambda i: _is_matrix(i) and all(any(row[j] for row in i["rows"])
                                                  for j in range(len(i["rows"]))),
                  kept="a sample of zero columns has no share, and is refused"),
    )  # fmt: skip


def _infinite_population(estimate: ShareEstimate) -> ShareEstimate:
    if estimate.exact:
        return estimate
    factor = math.sqrt(1 - estimate.columns / estimate.order)
    return replace(estimate, standard_error=estimate.standard_error / factor)


def _normal_quantile(estimate: ShareEstimate) -> ShareEstimate:
    width = 1.959963984540054 * estimate.standard_error
    low, high = max(0.0, estimate.share - width), min(1.0, estimate.share + width)
    return replace(estimate, low=low, high=high)


def _sabotages() -> tuple[Sabotage, ...]:
    return (
        Sabotage("columns taken for an infinite population",
                 lambda i: _margins(i, _infinite_population)),
        Sabotage("the normal law in the place of Student's",
                 lambda i: _margins(i, _normal_quantile)),
        Sabotage("off by a millionth",
                 lambda i: _margins(i, lambda e: replace(e, share=e.share * (1 - 1e-6)))),
    )  # fmt: skip


# --- coverage ----------------------------------------------------------------------------


#: The matrices, each with the ranges in which its coverage lies with 10 and with 50 columns.
_RECORDED = {
    "Wigner": ((0.9, 0.98), (0.92, 0.98)),
    "least squares": ((0.9, 0.98), (0.92, 0.98)),
    "least squares, scales exp(N/2)": ((0.78, 0.92), (0.78, 0.92)),
    "least squares, scales exp(3N/2)": ((0.0, 0.5), (0.2, 0.8)),
}


def _matrices() -> list[np.ndarray]:
    """The same in every run: how the masses of the columns are spread decides the coverage."""
    rng = np.random.default_rng(0)
    n = 150
    G, X = rng.standard_normal((n, n)), rng.standard_normal((n, 32))
    logs = rng.standard_normal(n)
    scaled = [np.exp(width * logs)[:, None] * X for width in (0.0, 0.5, 1.5)]
    return [G + G.T, *(Y @ Y.T for Y in scaled)]


def _covered(matrix: np.ndarray, columns: int, runs: int, rng: np.random.Generator) -> int:
    wanted = diagonal_share(matrix).share
    operator = _Products(matrix)
    found = (diagonal_share(operator, columns=columns, rng=rng, block=64) for _ in range(runs))
    return sum(estimate.low <= wanted <= estimate.high for estimate in found)


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    rng = np.random.default_rng(seed)
    runs = 300 * min(level.value, 8)
    figures = []
    for (name, recorded), matrix in zip(_RECORDED.items(), _matrices(), strict=True):
        for columns, expected in zip((10, 50), recorded, strict=True):
            hits = _covered(matrix, columns, runs, rng)
            misses = runs - hits
            low, high = beta_law.ppf([0.025, 0.975], [hits, hits + 1], [misses + 1, misses])
            figures.append(
                Figure(f"coverage at 0.95, {name}, {columns} of 150 columns", hits / runs,
                       float(low), float(high), expected, claimed=(0.92, 0.98))
            )  # fmt: skip
    return tuple(figures)


def _estimator() -> Claim:
    printed = Form(
        "diagonal_share is right to rounding where it sees all columns; else it is the ratio of "
        "the columns that it multiplied, less its leading bias, with the standard error of its "
        "residuals; measured: how often its interval covers the share",
        r"\hat\delta = \frac{\sum_{j \in J} |h_{jj}|}{\sum_{j \in J} \sum_i |h_{ij}|} - "
        r"\widehat{\mathrm{bias}}",
        _conditions(),
        _strategy,
        _margins,
        edges=_edges,
        sabotage=_sabotages(),
        effort=40,
    )  # fmt: skip
    return Claim(
        "adaptive-norms/share-estimator",
        "the share of an operator from sampled columns",
        PAPER,
        "Section 3.3; the paper sums up whole Hessians",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="Coverage is nominal within three per cent from ten columns on where the columns are "
        "alike. Where their masses span orders of magnitude a small sample has missed the heavy "
        "ones: with scales exp(3N/2) ten of 150 columns cover in one run of seven.",
        proof="Cochran (1977), chapter 6; docs/diagonal-shares.md.",
        ours="The estimator is not in the paper.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim on the estimator."""
    return (_estimator(),)
