"""Matrices on which it is measured how often the interval of `diagonal_share` covers the share.

They are the same in every run, but for those of heavy tails: how the masses of the columns are
spread decides the coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from tralgos.problems import TwoLayerNetwork, digits_problem

__all__ = ["ORDER", "heavy_tailed", "matrices"]

#: The order of the first twelve matrices.
ORDER = 150

#: The order of those with heavy columns or tails, and the hidden units of the network.
_LARGER, _HIDDEN = 300, 3

#: Examples that the Hessian of the network is of.
_EXAMPLES = 64


def matrices() -> dict[str, np.ndarray]:
    """The matrices that stay the same, by name."""
    return dict([*_spread(), *_bordered(), *_of_a_network()])


def _spread() -> Iterator[tuple[str, np.ndarray]]:
    """Columns alike, and of different scales."""
    rng, n = np.random.default_rng(0), ORDER
    G, X = rng.standard_normal((n, n)), rng.standard_normal((n, 32))
    logs = rng.standard_normal(n)
    wigner = G + G.T
    yield "Wigner", wigner
    yield "least squares", X @ X.T
    for name, width in (("exp(N/2)", 0.5), ("exp(3N/2)", 1.5)):
        scaled = np.exp(width * logs)[:, None] * X
        yield f"least squares, scales {name}", scaled @ scaled.T
    yield "ten blocks", _blocks(rng)
    column, both = _dominated(G, wigner)
    yield "one dominating column", column
    yield "one dominating row and column", both
    yield "not symmetric, scales exp(3N/2)", rng.standard_normal((n, n)) * np.exp(1.5 * logs)
    sparse = np.diag(rng.uniform(1, 2, n))
    sparse[:, :6] += rng.standard_normal((n, 6)) / math.sqrt(n)
    yield "dense columns among sparse ones", sparse
    yield "diagonal", np.diag(np.exp(3 * logs))
    yield "zero diagonal", wigner - np.diag(np.diag(wigner))
    yield "half the diagonal in 1% of the mass", _rare(G)


def _bordered() -> Iterator[tuple[str, np.ndarray]]:
    """Much of the mass off the diagonal in few columns, and all others alike."""
    n = _LARGER
    for part in (0.1, 0.01):
        yield f"identity, border of {part:.0%}", _border(np.eye(n), part * n / (2 * (n - 1)))
    yield "arrow", _border(np.diag(np.arange(1.0, n + 1.0)), 10.0)
    rim = np.eye(n - 1, k=1) + np.eye(n - 1, k=2 - n)
    yield "wheel", _border(8.0 * np.eye(n) + np.pad(rim + rim.T, ((1, 0), (1, 0))), 1.0)
    rng, constraints = np.random.default_rng(1), 5
    B = rng.standard_normal((constraints, n - constraints))
    D = np.diag(rng.uniform(1, 2, n - constraints))
    yield "saddle point", np.block([[D, B.T], [B, np.zeros((constraints, constraints))]])
    yield "tridiagonal", 2.0 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)


def _border(matrix: np.ndarray, entry: float) -> np.ndarray:
    """The matrix with a first row and column of equal entries."""
    matrix[0, 1:] = matrix[1:, 0] = entry
    return matrix


def heavy_tailed() -> dict[str, Callable[[np.random.Generator], np.ndarray]]:
    """Few entries have most of the diagonal, and their columns do not stand out: a new one each."""
    return {"Wigner, Cauchy": _cauchy, "triangular, rows exp(2N)": _triangular}


def _cauchy(rng: np.random.Generator) -> np.ndarray:
    upper = np.triu(rng.standard_cauchy((_LARGER, _LARGER)))
    return np.asarray(upper + np.triu(upper, 1).T)


def _triangular(rng: np.random.Generator) -> np.ndarray:
    rows = np.exp(2.0 * rng.standard_normal(_LARGER))
    return np.asarray(np.triu(rng.standard_normal((_LARGER, _LARGER))) * rows[:, None])


def _of_a_network() -> Iterator[tuple[str, np.ndarray]]:
    """A network of tanh units on digits, with random weights."""
    rng = np.random.default_rng(3)
    whole = digits_problem("two-layer", hidden=_HIDDEN)
    assert isinstance(whole, TwoLayerNetwork)
    problem = whole.subset(rng.choice(whole.size, _EXAMPLES, replace=False))
    shapes = ((64, _HIDDEN), (1, _HIDDEN), (_HIDDEN, 10), (1, 10))
    parts = [math.sqrt(2.0 / sum(s)) * (s[0] > 1) * rng.standard_normal(s) for s in shapes]
    x = np.concatenate([part.ravel() for part in parts])
    units = np.eye(len(x))
    yield "network, Hessian", np.asarray(problem.hessian(x).matmat(units))
    yield "network, Gauss-Newton", np.asarray(problem.gauss_newton(x).matmat(units))


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
