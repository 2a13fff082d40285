"""Small dense matrices to tridiagonal form, many at once, on NumPy.

LAPACK is made for one large matrix: of order ten, most of its time goes into finding out what
to do. So entry (i, j) of all matrices is put side by side, and every operation of Householder's
reduction is one call for hundreds of matrices. It reads and writes a block of matrices a few
times an order, so a block is as many as stay in the cache. From an order of about a dozen on
LAPACK takes one matrix after the other, and its reflectors are put side by side.

The operations side by side are additions, multiplications, divisions and roots of single
entries, and sums in a fixed order: what comes out for a matrix does not depend on its
neighbours, to the last bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import get_lapack_funcs

from tralgos.errors import NonFiniteError

__all__ = ["Reflections", "one_by_one", "side_by_side"]

Lanes = NDArray[Any]

#: A sum of squares below this is taken for zero: entries are at most one, and it would have
#: lost digits to underflow.
_NOTHING = {"d": 1e-280, "f": 1e-30}


class Reflections:
    """T = Q'HQ for each matrix of a block, with Q as a product of reflections.

    Attributes
    ----------
    diagonal, off_diagonal : ndarray, shape (n, lanes) and (n - 1, lanes)
        T, float64.
    """

    def __init__(
        self, diagonal: Lanes, off_diagonal: Lanes, vectors: list[Lanes], weights: list[Lanes]
    ) -> None:
        self.diagonal = diagonal.astype(np.float64)
        self.off_diagonal = off_diagonal.astype(np.float64)
        self._vectors, self._weights = vectors, weights

    def forward(self, x: Lanes) -> None:
        """Q'x for x of shape (n, lanes), in place."""
        for v, weight in zip(self._vectors, self._weights, strict=True):
            _reflect(v, weight, x)

    def backward(self, x: Lanes) -> None:
        """Q x for x of shape (n, lanes), in place."""
        for v, weight in zip(reversed(self._vectors), reversed(self._weights), strict=True):
            _reflect(v, weight, x)


def side_by_side(H: Lanes, scratch: Lanes) -> Reflections:
    """Reduce all matrices of a block together.

    Parameters
    ----------
    H : ndarray, shape (n, n, lanes)
        Symmetric, entries at most one; written over: the reflectors stay in it.
    scratch : ndarray, shape (n * n * lanes,) at least
        Written over.
    """
    n, lanes = H.shape[0], H.shape[2]
    weights: list[Lanes] = []
    off = np.empty((n - 1, lanes), dtype=H.dtype)
    for k in range(n - 2):
        weight, off[k] = _reflector(H[k + 1 :, k])
        weights.append(weight)
        _apply_both_sides(H[k + 1 :, k + 1 :], H[k + 1 :, k], weight, scratch)
    if n > 1:
        off[n - 2] = H[n - 1, n - 2]
    diagonal = np.stack([H[i, i] for i in range(n)])
    return Reflections(diagonal, off, [H[k + 1 :, k] for k in range(n - 2)], weights)


def one_by_one(H: Lanes, lanes: int) -> Reflections:
    """Reduce the matrices of a block one after the other, by LAPACK.

    Parameters
    ----------
    H : ndarray, shape (m, n, n)
        Symmetric, entries at most one; written over.
    lanes : int
        At least m; what is beyond is filled up with zero matrices.
    """
    m, n = H.shape[0], H.shape[1]
    sytrd, query = get_lapack_funcs(("sytrd", "sytrd_lwork"), (H,))
    lwork = int(query(n, lower=1)[0])
    diagonal, off = np.zeros((n, lanes), H.dtype), np.zeros((n - 1, lanes), H.dtype)
    weights = np.zeros((n - 1, lanes), H.dtype)
    for i in range(m):
        # In place: the transpose of a contiguous matrix is what LAPACK calls contiguous.
        _, diagonal[:, i], off[:, i], weights[:, i], info = sytrd(
            H[i].T, lower=1, lwork=lwork, overwrite_a=1
        )
        if info != 0:
            raise NonFiniteError(f"LAPACK's sytrd refused argument {-info}")
    packed = np.zeros((n, n, lanes), H.dtype)
    packed[:, :, :m] = H.transpose(1, 2, 0)
    # The first entry of a reflector is one, and off_diagonal stands in its place.
    vectors = [packed[k, k + 1 :] for k in range(n - 2)]
    for v in vectors:
        v[0] = 1.0
    return Reflections(diagonal, off, vectors, list(weights[: n - 2]))


def _reflect(v: Lanes, weight: Lanes, x: Lanes) -> None:
    tail = x[x.shape[0] - v.shape[0] :]
    along = np.add.reduce(v * tail, axis=0)
    along *= weight
    tail -= v * along


def _reflector(x: Lanes) -> tuple[Lanes, Lanes]:
    """Write v over x, (k, lanes), and return w and alpha of (I - w v v') x = alpha e_1."""
    square = np.add.reduce(x * x, axis=0)
    some = square > _NOTHING[x.dtype.char]
    length = np.sqrt(square)
    alpha = -np.copysign(length, x[0])
    alpha *= some
    x[0] -= alpha
    # From v as it is rounded: a reflection is as orthogonal as w fits v'v.
    half = 0.5 * np.add.reduce(x * x, axis=0)
    weight = np.divide(1.0, half, where=some, out=np.zeros_like(half))
    return weight, alpha


def _apply_both_sides(A: Lanes, v: Lanes, weight: Lanes, scratch: Lanes) -> None:
    """(I - w v v') A (I - w v v') in place, as A - v u' - u v'."""
    k = A.shape[0]
    outer = scratch.reshape(-1)[: A.size].reshape(A.shape)
    np.multiply(A, v, out=outer)
    u = np.add.reduce(outer, axis=1)
    along = np.add.reduce(u * v, axis=0)
    along *= weight
    along *= 0.5
    u -= along * v
    u *= weight
    np.multiply(v.reshape(k, 1, -1), u, out=outer)
    A -= outer
    A -= outer.transpose(1, 0, 2)
