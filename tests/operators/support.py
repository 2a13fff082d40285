"""What the operator tests share: Hypothesis settings, matrices, and duck-typed operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=40)

seeds = st.integers(min_value=0, max_value=2**32 - 1)
orders = st.integers(min_value=1, max_value=7)


def random_matrix(m: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((m, n))


def random_symmetric(n: int, seed: int) -> np.ndarray:
    A = random_matrix(n, n, seed)
    return A + A.T


class OnlyMatvec:
    """An object with `shape` and `matvec`, that counts."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape = matrix.shape
        self.calls = 0

    def matvec(self, x: Any) -> Any:
        self.calls += 1
        return self.matrix @ x


class OnlyMatmul:
    """An object with `shape` and ``@`` for vectors."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix
        self.shape = matrix.shape

    def __matmul__(self, x: Any) -> Any:
        assert x.ndim == 1
        return self.matrix @ x
