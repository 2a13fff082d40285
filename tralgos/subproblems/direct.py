"""The direct reduction: a dense H to tridiagonal form by orthogonal transformations.

Householder reflections (LAPACK) on NumPy; elsewhere, where the array standard has
no tridiagonalisation, an eigendecomposition on the device, so that T is diagonal.
In an M-norm the matrix is L^-1 H L^-T for a factor L of the norm. The user's
arrays are not written to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg.lapack import get_lapack_funcs

from tralgos.arrays import Array, from_host, is_numpy, to_host
from tralgos.errors import NonFiniteError
from tralgos.memory import Advice, allocating, square
from tralgos.norms import densify
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["DenseReduction", "eigenvalue_multiple", "no_matrix"]


def eigenvalue_multiple(least: float, n: int) -> float:
    """What the leftmost eigenvalue of a reduction may be off by, in units of eps ||H||_M.

    Sums of n numbers of one sign round to one side. On c times the matrix of ones the error of
    LAPACK's sytrd and of syevd was found to grow like n/35 up to n/23; three times that is granted,
    and no less than `least`, which small matrices need.
    """
    return max(least, n / 8.0)


def no_matrix(like: Array) -> Advice:
    """What to do where n x n numbers do not fit, with vectors like `like`."""
    return square(
        like,
        "Methods that need no matrix of this order: method='krylov' (subproblem='krylov' in a "
        "minimiser) with certify='probabilistic' or 'none'",
    )


class DenseReduction:
    """T = Q'(L^-1 H L^-T)Q and c = Q'L^-1 g for a dense H, in scaled units.

    Costs O(n^3) once and O(n^2) a step; no products with H.

    Parameters
    ----------
    model : Model
        Gives g, the norm and the scale of H.
    dense : array, shape (n, n)
        H, unscaled; not written to.

    Attributes
    ----------
    T : Tridiagonal
    c : ndarray, shape (n,)
    error : float
        A bound on the error of the eigenvalues of T.

    Raises
    ------
    DeviceMemoryError
        If its working copies of the matrix do not fit.
    """

    def __init__(self, model: Model, dense: Array) -> None:
        self._model = model
        advice = no_matrix(model.g)
        with allocating("a dense reduction", 3 * model.n, model.n, model.g, advice):
            self._reduce(model, dense)

    def _reduce(self, model: Model, dense: Array) -> None:
        self._half = densify(model.norm, model.g)
        scale = model.hessian_scale
        matrix = dense if scale == 1.0 else dense * (1.0 / scale)
        whitened = self._whitened(matrix)
        rotation = _HouseholderRotation if is_numpy(whitened) else _EigenRotation
        self._rotation: Any = rotation(whitened)
        self.T: Tridiagonal = self._rotation.T
        self.c: np.ndarray = self._rotation.forward(self._half.half_solve(model.g))
        if not (np.isfinite(self.T.size()) and np.isfinite(self.c).all()):
            raise NonFiniteError("H or the norm leads to NaN or infinity in the reduction")
        multiple = eigenvalue_multiple(rotation.least_multiple, model.n)
        self.error = multiple * model.eps * self._error_size(matrix)

    def _whitened(self, matrix: Array) -> Array:
        half, xp = self._half, self._model.xp
        inner = half.half_solve(matrix)
        if inner is matrix:
            return matrix
        both = half.half_solve(xp.matrix_transpose(inner))
        return 0.5 * (both + xp.matrix_transpose(both))

    def _error_size(self, matrix: Array) -> float:
        """The size that rounding is relative to: more than ||L^-1 H L^-T|| for a full L."""
        size = self.T.size()
        if self._half.entrywise:
            return size
        model, xp = self._model, self._model.xp
        inverse = xp.abs(
            self._half.half_solve(xp.eye(model.n, dtype=matrix.dtype, device=model.device))
        )
        # The largest row sum of |L^-1| |H| |L^-T|: what each rounding of the products scales with.
        ones = xp.ones_like(model.g)
        rows = inverse @ (xp.abs(matrix) @ (xp.matrix_transpose(inverse) @ ones))
        (largest,) = model.fetch(xp.max(rows))
        return max(size, largest)

    def step(self, h: np.ndarray) -> Array:
        """s = L^-T Q h."""
        return self._half.half_solve_t(self._rotation.backward(h, self._model.g))


class _HouseholderRotation:
    """Q of LAPACK's sytrd, kept as reflectors."""

    #: See `eigenvalue_multiple`. Measured on 60,000 matrices of order 2 to 24, half of them
    #: graded: below 4.
    least_multiple = 8.0

    def __init__(self, matrix: np.ndarray) -> None:
        n = matrix.shape[0]
        if n == 1:
            self._reflectors, self._tau = np.empty((0, 0)), np.empty(0)
            self.T = Tridiagonal(matrix[0].astype(np.float64), np.empty(0))
            return
        sytrd, query, self._ormqr = get_lapack_funcs(("sytrd", "sytrd_lwork", "ormqr"), (matrix,))
        # The transpose of a C-contiguous array needs no reordering; the matrix is symmetric.
        lwork = int(query(n, lower=1)[0])
        packed, d, e, self._tau, info = sytrd(matrix.T, lower=1, lwork=lwork)
        if info != 0:
            raise NonFiniteError(f"LAPACK's sytrd refused argument {-info}")
        # Reflector j starts below the diagonal of column j. A view of the packed matrix from
        # its second entry on, with columns as long as before, brings it to the diagonal; the
        # entry below each reflector, of the next column, is not read.
        flat = packed.ravel(order="F")
        self._reflectors = flat[1 : 1 + n * (n - 1)].reshape((n, n - 1), order="F")
        self.T = Tridiagonal(d.astype(np.float64), e.astype(np.float64))

    def _rotate(self, x: np.ndarray, trans: str) -> np.ndarray:
        if x.shape[0] == 1:
            return x
        tail = x[1:].reshape(-1, 1)
        # With the least workspace LAPACK applies the reflectors one by one. Blocks of them cost
        # a matrix product each to form, which pays for many vectors, not for one.
        rotated, _, _ = self._ormqr("L", trans, self._reflectors, self._tau, tail, 1)
        return np.concatenate([x[:1], rotated[:, 0]])

    def forward(self, g: np.ndarray) -> np.ndarray:
        """Q'g in float64."""
        return self._rotate(g, "T").astype(np.float64)

    def backward(self, h: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Q h in the dtype of `like`."""
        return self._rotate(h.astype(like.dtype), "N")


class _EigenRotation:
    """Q of an eigendecomposition on the device."""

    #: As above: below 13, by LAPACK's syevd, which torch and NumPy call. The implicit shifts
    #: lose more than bisection.
    least_multiple = 20.0

    def __init__(self, matrix: Array) -> None:
        from tralgos.arrays import namespace

        self._xp = namespace(matrix)
        values, self._vectors = self._xp.linalg.eigh(matrix)
        d = to_host(values).astype(np.float64)
        self.T = Tridiagonal(d, np.zeros(d.shape[0] - 1))

    def forward(self, g: Array) -> np.ndarray:
        """Q'g in float64 on the host."""
        product = self._xp.matmul(self._xp.matrix_transpose(self._vectors), g)
        return to_host(product).astype(np.float64)

    def backward(self, h: np.ndarray, like: Array) -> Array:
        """Q h on the device."""
        return self._xp.matmul(self._vectors, from_host(h, like))
