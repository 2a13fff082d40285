"""Diagonal norms, M = diag(d)."""

from __future__ import annotations

from typing import Any

import scipy.sparse

from tralgos.arrays import Array, all_finite, is_numpy, namespace, real_vector, to_host
from tralgos.errors import NotPositiveDefiniteError, ShapeError
from tralgos.norms.base import Norm

__all__ = ["DiagonalNorm"]


class DiagonalNorm(Norm):
    """||s||_M = sqrt(sum_i d_i s_i^2).

    `apply`, `solve` and the roots cost one pass each; the root of d is taken once,
    when the norm is made.

    Parameters
    ----------
    d : array, shape (n,)
        The diagonal of M: positive and finite. Kept by reference; integers become float64.

    Raises
    ------
    ArrayTypeError
        If `d` is not a real vector.
    NonFiniteError
        If `d` has entries that are NaN or infinite.
    NotPositiveDefiniteError
        If `d` has entries that are zero or negative.
    """

    has_sqrt = True
    has_half = True
    entrywise = True

    def __init__(self, d: Array) -> None:
        d = real_vector(d, "d")
        if d.shape[0] == 0:
            raise ShapeError("d is empty")
        all_finite(d, "d")
        xp = namespace(d)
        low, high = to_host(xp.stack([xp.min(d), xp.max(d)])).tolist()
        if low <= 0.0:
            raise NotPositiveDefiniteError(
                f"the entries of d must be positive, the smallest is {low:.6g}"
            )
        super().__init__(home=d, n=int(d.shape[0]))
        self._range = (float(low), float(high))
        self._d = d
        self._root = xp.sqrt(d)

    def __repr__(self) -> str:
        return f"DiagonalNorm(<{self.n} entries in [{self._range[0]:.3g}, {self._range[1]:.3g}]>)"

    @property
    def diagonal(self) -> Array:
        """d, shape (n,)."""
        return self._d

    def _apply(self, s: Array) -> Array:
        return _shaped(self._d, s) * s

    def _solve(self, s: Array) -> Array:
        return s / _shaped(self._d, s)

    def _sqrt(self, s: Array) -> Array:
        return _shaped(self._root, s) * s

    def _inverse_sqrt(self, s: Array) -> Array:
        return s / _shaped(self._root, s)

    def _eigenvalue_range(self) -> tuple[float, float]:
        return self._range

    def upper_eigenvalue(self) -> float:
        """The largest d_i."""
        return self._range[1]

    def lower_eigenvalue(self) -> float:
        """The smallest d_i."""
        return self._range[0]

    def sparse_matrix(self, like: Array) -> Any | None:
        """diag(d) as a SciPy CSC array if it is a NumPy array, else None."""
        self.check(like)
        if not is_numpy(like):
            return None
        return scipy.sparse.diags_array(self._d, format="csc")


def _shaped(d: Array, s: Array) -> Array:
    """`d` as it has to be to scale the rows of `s`."""
    return d if s.ndim == 1 else d[:, None]
