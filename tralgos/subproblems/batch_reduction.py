"""The reduction of a chunk of small dense problems to tridiagonal ones, on NumPy."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tralgos.arrays import eps
from tralgos.subproblems.batch_householder import Reflections, one_by_one, side_by_side
from tralgos.subproblems.batch_tridiagonal import TridiagonalSystem, leftmost, row_sums, solved
from tralgos.subproblems.direct import eigenvalue_multiple

__all__ = ["TridiagonalReduction"]

Lanes = NDArray[Any]

#: theta is off by less than this times eps ||H||, at orders where `eigenvalue_multiple` is not
#: larger. Measured on 139,000 matrices of order 2 to 30, half of them graded: below 8.7.
_LEAST_MULTIPLE = 16.0
#: Bytes of the matrices of a block: fewer matrices are more calls, more leave the cache.
_BLOCK_BYTES = 1 << 21
#: The largest order that is reduced side by side; LAPACK is the faster one above.
_SIDE_BY_SIDE = 16


class TridiagonalReduction:
    """T = Q'HQ tridiagonal and c = Q'g for each of b matrices.

    Parameters
    ----------
    H : ndarray, shape (m, n, n)
        Unscaled.
    g : ndarray, shape (n, b)
        Scaled; b >= m. The problems from m on are filled up with H = 0.
    shrink : ndarray, shape (m,)
        What each H is to be multiplied by, so that its entries are at most one.

    Attributes
    ----------
    c : ndarray, shape (n, b)
        Q'g; float64.
    theta, error, size, gamma : ndarray, shape (b,)
        The leftmost eigenvalue of T, a bound on its error, one on ||H||, and ||g||.
    """

    def __init__(self, H: Lanes, g: Lanes, shrink: Lanes) -> None:
        n, b = g.shape
        self._H, self.g, self._shrink = H, g, shrink
        count = max(1, min(math.ceil(b * n * n * H.itemsize / _BLOCK_BYTES), b // 16))
        ends = np.linspace(0, b, count + 1).astype(int).tolist()
        self._slices = [slice(lo, hi) for lo, hi in itertools.pairwise(ends)]
        self._scratch = np.empty(n * n * max(s.stop - s.start for s in self._slices), H.dtype)
        c = g.copy()
        self._blocks = [self._reduced(lanes) for lanes in self._slices]
        for lanes, block in zip(self._slices, self._blocks, strict=True):
            block.forward(c[:, lanes])
        self.c = c.astype(np.float64)
        self._diagonal = np.concatenate([block.diagonal for block in self._blocks], axis=1)
        self._off_diagonal = np.concatenate([block.off_diagonal for block in self._blocks], axis=1)
        self.size = row_sums(self._diagonal, self._off_diagonal)
        self.gamma = np.sqrt(np.add.reduce(self.c * self.c, axis=0))
        self.theta, self._vector = leftmost(self._diagonal, self._off_diagonal, self.size)
        self.error = eigenvalue_multiple(_LEAST_MULTIPLE, n) * eps(H.dtype) * self.size

    def _reduced(self, lanes: slice) -> Reflections:
        n, width = self.g.shape[0], lanes.stop - lanes.start
        if n <= _SIDE_BY_SIDE:
            matrices = self._matrices(lanes, np.empty((n, n, width), self._H.dtype))
            return side_by_side(matrices, self._scratch)
        scaled = self._H[lanes] * self._shrink[lanes].reshape(-1, 1, 1)
        return one_by_one(np.ascontiguousarray(scaled), width)

    def _matrices(self, lanes: slice, out: Lanes) -> Lanes:
        """The scaled matrices of a block, entry by entry side by side."""
        flat = self._H[lanes].reshape(-1, out.shape[0] ** 2)
        entries = out.reshape(flat.shape[1], -1)
        np.multiply(flat.T, self._shrink[lanes], out=entries[:, : flat.shape[0]])
        entries[:, flat.shape[0] :] = 0.0
        return out

    def back(self, h: Lanes) -> Lanes:
        """Q h in the dtype of H, shape (n, b)."""
        y = h.astype(self._H.dtype)
        for lanes, block in zip(self._slices, self._blocks, strict=True):
            block.backward(y[:, lanes])
        return y

    def product(self, y: Lanes) -> Lanes:
        """H y for y of shape (n, b), from the matrices as they were handed in."""
        n = y.shape[0]
        out = np.empty_like(y)
        for lanes in self._slices:
            scratch = self._scratch[: n * n * (lanes.stop - lanes.start)].reshape(n, n, -1)
            matrices = self._matrices(lanes, scratch)
            matrices *= y[:, lanes]
            np.add.reduce(matrices, axis=1, out=out[:, lanes])
        return out

    def inside(self) -> tuple[Lanes, Lanes]:
        """h = -T^-1 c, and whether T is positive definite."""
        return solved(self._diagonal, self._off_diagonal, self.c)

    def system(self, weight_H: Lanes, weight_g: Lanes) -> TridiagonalSystem:
        """The shifted problem with T and c weighted."""
        theta = self.theta * weight_H
        base = np.maximum(0.0, -theta)
        return TridiagonalSystem(
            diagonal=self._diagonal * weight_H + base,
            off_diagonal=self._off_diagonal * weight_H,
            direction=self.c / np.where(self.gamma > 0.0, self.gamma, 1.0),
            base=base,
            theta=theta,
            size=self.size * weight_H,
            gamma=self.gamma * weight_g,
            vector=self._vector,
        )
