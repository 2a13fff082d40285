"""What a matrix norm does with a SciPy sparse matrix: one factorisation on the host."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from tralgos.arrays import Array, eps
from tralgos.errors import AsymmetryError, NonFiniteError, NotPositiveDefiniteError, ShapeError
from tralgos.operators.inertia import SparseFactor, sparse_factor

__all__ = ["SparseMatrix"]

#: Up to this size the eigenvalues are those of the dense matrix: no slower, and never stuck.
_DENSE_EIGENVALUES = 300


class SparseMatrix:
    """A SciPy sparse M with its factorisation M = P' L D L' P; NumPy vectors only."""

    has_sqrt = False
    has_half = False

    def __init__(self, M: Any) -> None:
        if M.ndim != 2 or M.shape[0] != M.shape[1] or M.shape[0] == 0:
            raise ShapeError(f"M must be square and not empty, got shape {tuple(M.shape)}")
        dtype = np.float32 if M.dtype == np.float32 else np.float64
        M = scipy.sparse.csr_array(M, dtype=dtype)
        if not np.isfinite(M.data).all():
            raise NonFiniteError("M has entries that are NaN or infinite")
        self._M = _symmetric(M)
        self._factor = sparse_factor(self._M)
        _check_definite(self._factor, self._M)
        self.home, self.n = np.zeros(0, dtype=dtype), int(M.shape[0])

    def apply(self, s: Array) -> Array:
        """M s."""
        return self._M @ s

    def solve(self, s: Array) -> Array:
        """M^-1 s."""
        return self._factor.solve(s)

    def sparse(self) -> Any:
        """M as CSC."""
        return self._M.tocsc()

    def eigenvalue_range(self) -> tuple[float, float]:
        """The extreme eigenvalues, computed when first asked for."""
        return self._range

    def bounds(self) -> tuple[float | None, float]:
        """Bounds on the eigenvalues by the row sums; no lower one if it is not positive."""
        return self._bounds

    @cached_property
    def _bounds(self) -> tuple[float | None, float]:
        sums = abs(self._M) @ np.ones(self.n)
        low = float(np.min(2.0 * self._M.diagonal() - sums))
        high = float(np.max(sums))
        slack = (self.n + 1) * eps(np.float64) * high
        return (low - slack if low > slack else None), high + slack

    @cached_property
    def _range(self) -> tuple[float, float]:
        M = self._M.astype(np.float64)
        if self.n <= _DENSE_EIGENVALUES:
            w = scipy.linalg.eigvalsh(M.toarray())
            return float(w[0]), float(w[-1])
        # ARPACK's tolerance is absolute for small numbers: bring the spectrum below one.
        scale = 2.0 ** math.frexp(self._bounds[1])[1]
        M = M / scale
        # A little beyond the row sums, so that the shifted matrix is definite.
        return _nearest(M, 0.0) * scale, _nearest(M, 1.0 + 2.0**-10) * scale


def _nearest(M: Any, shift: float) -> float:
    """The eigenvalue of M nearest to `shift`, which lies outside the spectrum."""
    n = M.shape[0]
    shifted = M if shift == 0.0 else shift * scipy.sparse.eye_array(n) - M
    factor = sparse_factor(shifted)
    sign = 1.0 if shift == 0.0 else -1.0
    inverse = LinearOperator((n, n), matvec=lambda x: sign * factor.solve(x), dtype=np.float64)
    # ARPACK would draw its start from a global generator.
    start = np.random.default_rng(0).standard_normal(n)
    found = eigsh(M, k=1, sigma=shift, OPinv=inverse, v0=start, return_eigenvectors=False)
    return float(found[0])


def _symmetric(M: Any) -> Any:
    """M, or the mean of its halves where they differ by no more than n eps max|M|."""
    skew = M - M.T.tocsr()
    defect = float(abs(skew).max()) if skew.nnz else 0.0
    size = float(abs(M).max()) if M.nnz else 0.0
    if defect > M.shape[0] * eps(M.dtype) * size:
        raise AsymmetryError(
            f"M must be symmetric, but max|M - M'| is {defect:.3g} where max|M| is {size:.3g}"
        )
    return M if defect == 0.0 else scipy.sparse.csr_array(0.5 * M + 0.5 * M.T.tocsr())


def _check_definite(factor: SparseFactor, M: Any) -> None:
    """Raise unless the factorisation of M shows it to be positive definite in its precision."""
    if factor.n_zero:
        reason = f"{factor.n_zero} of its rows are zero"
    elif factor.lu is None or not factor.symmetric:
        reason = "its factorisation met a zero on the diagonal"
    elif factor.n_negative:
        reason = f"its factorisation has {factor.n_negative} negative pivots"
    else:
        # A pivot that is rounding beside the diagonal it started from has no sign of its own.
        diagonal = np.empty(M.shape[0])
        diagonal[factor.lu.perm_c] = M.diagonal()
        if np.all(factor.pivots > 8 * eps(M.dtype) * diagonal):
            return
        reason = "it is singular in its precision"
    raise NotPositiveDefiniteError(f"M is not positive definite: {reason}")
