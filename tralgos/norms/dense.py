"""What a matrix norm does with a dense matrix: Cholesky on NumPy, one eigh elsewhere."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.linalg

from tralgos.arrays import Array, all_finite, eps, is_numpy, namespace, real_matrix, to_host
from tralgos.errors import AsymmetryError, NotPositiveDefiniteError, ShapeError
from tralgos.memory import allocating, square

__all__ = ["CholeskyMatrix", "EigenMatrix", "dense_backend"]


def dense_backend(M: Array) -> CholeskyMatrix | EigenMatrix:
    """The dense matrix M, checked to be finite and symmetric, with its factorisation.

    M is kept by reference; where its two halves differ by rounding, their mean is.

    Raises
    ------
    DeviceMemoryError
        If its factorisation does not fit.
    """
    M = real_matrix(M, "M")
    if M.shape[0] != M.shape[1] or M.shape[0] == 0:
        raise ShapeError(f"M must be square and not empty, got shape {tuple(M.shape)}")
    if is_numpy(M):
        # numpy.matrix keeps two dimensions in a product; the view as an array does not.
        M = M.view(np.ndarray)
    n = int(M.shape[0])
    advice = square(M, "A diagonal or low-rank norm needs no factorisation")
    with allocating("the factorisation of M", 2 * n, n, M, advice):
        all_finite(M, "M")
        M = _symmetric(M)
        return CholeskyMatrix(M) if is_numpy(M) else EigenMatrix(M)


def _symmetric(M: Array) -> Array:
    """M, or the mean of its halves where they differ by no more than n eps max|M|."""
    xp = namespace(M)
    transposed = xp.matrix_transpose(M)
    defect, size = to_host(
        xp.stack([xp.max(abs(0.5 * M - 0.5 * transposed)), xp.max(abs(0.5 * M))])
    ).tolist()
    if defect > M.shape[0] * eps(M.dtype) * size:
        raise AsymmetryError(
            f"M must be symmetric, but max|M - M'| is {2 * defect:.3g} where max|M| is "
            f"{2 * size:.3g}"
        )
    return M if defect == 0.0 else 0.5 * M + 0.5 * transposed


def _gershgorin(M: Array) -> tuple[float | None, float]:
    """Bounds on the eigenvalues of M by the row sums; no lower one if it is not positive."""
    xp = namespace(M)
    diagonal = xp.linalg.diagonal(M)
    sums = xp.sum(abs(M), axis=1)
    low, high = to_host(xp.stack([xp.min(2.0 * diagonal - sums), xp.max(sums)])).tolist()
    slack = (M.shape[0] + 1) * eps(M.dtype) * high
    return (low - slack if low > slack else None), high + slack


class CholeskyMatrix:
    """M = L L' for a dense NumPy matrix: products with M, triangular solves with L.

    The symmetric roots need the eigenvectors, which are computed when first asked for.
    """

    has_sqrt = True
    has_half = True

    def __init__(self, M: Array) -> None:
        self.home, self.n = M, int(M.shape[0])
        self._M = M
        try:
            self._L = scipy.linalg.cholesky(M, lower=True, check_finite=False)
        except scipy.linalg.LinAlgError as error:
            raise NotPositiveDefiniteError(
                f"M is not positive definite in its precision: Cholesky stopped ({error})"
            ) from error
        # A pivot that is rounding beside the diagonal it started from has no sign of its own.
        if not np.all(np.diagonal(self._L) ** 2 > 8 * eps(M.dtype) * np.diagonal(M)):
            raise NotPositiveDefiniteError("M is not positive definite: singular in its precision")

    def apply(self, s: Array) -> Array:
        """M s."""
        return self._M @ s

    def solve(self, s: Array) -> Array:
        """M^-1 s."""
        return self.half_solve_t(self.half_solve(s))

    def half_solve(self, s: Array) -> Array:
        """L^-1 s."""
        return scipy.linalg.solve_triangular(self._L, s, lower=True, check_finite=False)

    def half_solve_t(self, s: Array) -> Array:
        """L^-T s."""
        return scipy.linalg.solve_triangular(self._L, s, lower=True, trans=1, check_finite=False)

    def sqrt(self, s: Array) -> Array:
        """M^{1/2} s."""
        return self._eigen.sqrt(s)

    def inverse_sqrt(self, s: Array) -> Array:
        """M^{-1/2} s."""
        return self._eigen.inverse_sqrt(s)

    def eigenvalue_range(self) -> tuple[float, float]:
        """The extreme eigenvalues."""
        return self._eigen.eigenvalue_range()

    def bounds(self) -> tuple[float | None, float]:
        """Cheap bounds on the eigenvalues."""
        return self._bounds

    @cached_property
    def _bounds(self) -> tuple[float | None, float]:
        return _gershgorin(self._M)

    @cached_property
    def _eigen(self) -> EigenMatrix:
        return EigenMatrix(self._M)


class EigenMatrix:
    """M = V diag(w) V' for a dense matrix of any namespace: everything is a product."""

    has_sqrt = True
    has_half = True

    def __init__(self, M: Array) -> None:
        self.home, self.n = M, int(M.shape[0])
        self._M = M
        xp = namespace(M)
        self._w, self._V = xp.linalg.eigh(M)
        self._Vt = xp.matrix_transpose(self._V)
        low, high = to_host(xp.stack([self._w[0], self._w[-1]])).tolist()
        # Eigenvalues are known to within a multiple of eps times the largest.
        if not low > 4 * eps(M.dtype) * high:
            raise NotPositiveDefiniteError(
                "M is not positive definite in its precision: its eigenvalues reach from "
                f"{low:.6g} to {high:.6g}"
            )
        self._range = (low, high)

    def apply(self, s: Array) -> Array:
        """M s."""
        return self._M @ s

    def solve(self, s: Array) -> Array:
        """M^-1 s."""
        return self._scaled(1.0 / self._w, s)

    def sqrt(self, s: Array) -> Array:
        """M^{1/2} s."""
        return self._scaled(self._w**0.5, s)

    def inverse_sqrt(self, s: Array) -> Array:
        """M^{-1/2} s."""
        return self._scaled(self._w**-0.5, s)

    def half_solve(self, s: Array) -> Array:
        """L^-1 s for the symmetric root L."""
        return self.inverse_sqrt(s)

    def half_solve_t(self, s: Array) -> Array:
        """L^-T s for the symmetric root L."""
        return self.inverse_sqrt(s)

    def eigenvalue_range(self) -> tuple[float, float]:
        """The extreme eigenvalues."""
        return self._range

    def bounds(self) -> tuple[float | None, float]:
        """The extreme eigenvalues, widened by their rounding."""
        low, high = self._range
        slack = self.n * eps(self._M.dtype) * high
        return (low - slack if low > slack else None), high + slack

    def _scaled(self, factors: Array, s: Array) -> Array:
        """V diag(factors) V's."""
        inside = self._Vt @ s
        return self._V @ (factors * inside if s.ndim == 1 else factors[:, None] * inside)
