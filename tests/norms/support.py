"""The norms under test, each with its matrix in float64 on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from tests.namespaces import Xp
from tralgos.norms import DiagonalNorm, EuclideanNorm, LowRankNorm, MatrixNorm, Norm

__all__ = ["HOST_CASES", "NORM_CASES", "NormCase", "spd"]

Builder = Callable[[Xp, int, np.random.Generator], tuple[Norm, np.ndarray]]


@dataclass(frozen=True)
class NormCase:
    """A norm by name; ``build(xp, n, rng)`` returns it and its matrix."""

    name: str
    build: Builder

    def __str__(self) -> str:
        return self.name


def spd(n: int, rng: np.random.Generator, low: float = 0.25, high: float = 4.0) -> np.ndarray:
    """A symmetric matrix with eigenvalues between `low` and `high`, which it has."""
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    w = np.geomspace(low, high, n)
    M = (q * w) @ q.T
    return 0.5 * (M + M.T)


def stored(xp: Xp, M: np.ndarray) -> np.ndarray:
    """M as it is after rounding to the dtype of `xp`."""
    return xp.numpy(xp.array(M))


def _euclidean(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    return EuclideanNorm(), np.eye(n)


def _diagonal(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    d = stored(xp, rng.uniform(0.25, 4.0, n))
    return DiagonalNorm(xp.array(d)), np.diag(d)


def _dense(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    M = stored(xp, spd(n, rng))
    return MatrixNorm(xp.array(M)), M


def _low_rank(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    U = stored(xp, rng.standard_normal((n, 2)) / np.sqrt(n))
    return LowRankNorm(xp.array(U), 1.5, 0.5), 1.5 * U @ U.T + 0.5 * np.eye(n)


def _low_rank_indefinite(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    U = stored(xp, rng.standard_normal((n, 3)) / np.sqrt(n))
    scale = stored(xp, np.array([2.0, -0.125, 0.5]))
    norm = LowRankNorm(xp.array(U), xp.array(scale), 2.0)
    return norm, (U * scale) @ U.T + 2.0 * np.eye(n)


def _wide(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    U = stored(xp, rng.standard_normal((n, n + 3)) / np.sqrt(n))
    return LowRankNorm(xp.array(U), 1.0, 0.5), U @ U.T + 0.5 * np.eye(n)


def _no_columns(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    return LowRankNorm(xp.array(np.zeros((n, 0))), 1.0, 0.5), 0.5 * np.eye(n)


def _operator(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    M = stored(xp, spd(n, rng))
    inverse = xp.array(np.linalg.inv(M))
    return MatrixNorm(xp.array(M), solve=lambda b: inverse @ b), M


def _sparse(xp: Xp, n: int, rng: np.random.Generator) -> tuple[Norm, np.ndarray]:
    off = -0.25 * rng.random(n - 1)
    M = scipy.sparse.diags_array([off, 1.0 + rng.random(n), off], offsets=[-1, 0, 1])
    M = M.tocsc().astype(xp.dtype)
    return MatrixNorm(M), M.toarray().astype(np.float64)


NORM_CASES = [
    NormCase("euclidean", _euclidean),
    NormCase("diagonal", _diagonal),
    NormCase("dense", _dense),
    NormCase("low-rank", _low_rank),
    NormCase("low-rank-indefinite", _low_rank_indefinite),
    NormCase("low-rank-wide", _wide),
    NormCase("low-rank-no-columns", _no_columns),
    NormCase("operator", _operator),
]

#: Norms for NumPy vectors only.
HOST_CASES = [NormCase("sparse", _sparse)]
