"""Norms by a symmetric positive definite matrix, dense, sparse or an operator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from tralgos.arrays import Array, eps, is_numpy, namespace
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.memory import allocating, square
from tralgos.norms.base import Norm
from tralgos.norms.dense import CholeskyMatrix, EigenMatrix, dense_backend
from tralgos.norms.sparse import SparseMatrix
from tralgos.norms.user import UserMatrix
from tralgos.operators import DenseOperator, SparseOperator, as_operator

__all__ = ["MatrixNorm", "densify"]

_Backend = CholeskyMatrix | EigenMatrix | SparseMatrix | UserMatrix


class MatrixNorm(Norm):
    """||s||_M for a symmetric positive definite matrix or operator M.

    Parameters
    ----------
    M : array, sparse array or operator, shape (n, n)
        Anything that :func:`tralgos.operators.as_operator` accepts. Referred to, not copied;
        integers become float64, a matrix whose two halves differ by no more than
        n eps max|M| is replaced by their mean.
    solve : callable, optional
        ``solve(b)`` returns M^-1 b for a vector b, in its namespace, device and dtype.
        Needed for operators and for sparse matrices other than SciPy's; where it is
        given, M is not factorised.
    bounds : tuple of float, optional
        0 < lower <= upper, bounds on the *eigenvalues* of M, used by `equivalence` (which is
        as sharp as they are) and for the rounding of certificates, instead of eigenvalues
        computed from M.

    Raises
    ------
    ArgumentError
        If M is an operator and `solve` is not given; if `bounds` is out of range.
    ArrayTypeError, ShapeError, NonFiniteError
        If M is not a real square matrix of finite numbers.
    AsymmetryError
        If M is a matrix and not symmetric.
    NotPositiveDefiniteError
        If M is a matrix and not positive definite in its precision.

    Notes
    -----
    =================== ============================ ============== =========================
    M                   made by                      apply, solve   roots
    =================== ============================ ============== =========================
    dense, NumPy        Cholesky, n^3/3              n^2, n^2       eigh when first asked for
    dense, other        one eigh                     n^2, 2 n^2     2 n^2
    SciPy sparse        SuperLU on the diagonal      nnz, factor    none; see `densify`
    operator            nothing                      the user's     none; see `densify`
    =================== ============================ ============== =========================

    A sparse M serves NumPy vectors only: nothing is copied from a device to the host in silence.
    The symmetry and definiteness of an operator, and the agreement of `solve` with it, are
    tested with random vectors the first time the norm is checked against a vector; see
    :meth:`check_solve`. `equivalence` computes the extreme eigenvalues when first asked: by
    eigh for a dense M; for a sparse one by Lanczos (ARPACK) on the inverses of M and of
    u I - M, u a little above the largest row sum, with one factorisation each.
    """

    def __init__(
        self,
        M: Any,
        *,
        solve: Callable[[Array], Array] | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        self._bounds = None if bounds is None else _checked_bounds(bounds)
        self._backend = _backend(M, solve)
        super().__init__(home=self._backend.home, n=self._backend.n)
        self.has_sqrt = self._backend.has_sqrt
        self.has_half = self._backend.has_half
        # The dtypes for which an operator has passed its random test.
        self._tested: set[str] = set()

    def __repr__(self) -> str:
        return f"MatrixNorm(<{type(self._backend).__name__}, n = {self.n}>)"

    def _apply(self, s: Array) -> Array:
        return self._backend.apply(s)

    def _solve(self, s: Array) -> Array:
        return self._backend.solve(s)

    def _sqrt(self, s: Array) -> Array:
        return self._dense().sqrt(s)

    def _inverse_sqrt(self, s: Array) -> Array:
        return self._dense().inverse_sqrt(s)

    def _half_solve(self, s: Array) -> Array:
        return self._dense().half_solve(s)

    def _half_solve_t(self, s: Array) -> Array:
        return self._dense().half_solve_t(s)

    def _dense(self) -> CholeskyMatrix | EigenMatrix:
        """The backend, if it has factors and roots."""
        if isinstance(self._backend, CholeskyMatrix | EigenMatrix):
            return self._backend
        raise self._lacks("root: M is not a dense matrix")

    def _eigenvalue_range(self) -> tuple[float, float] | None:
        return self._bounds if self._bounds is not None else self._backend.eigenvalue_range()

    def upper_eigenvalue(self) -> float | None:
        """The upper of `bounds`; else eigenvalues or row sums, rounded up; None for an operator."""
        return self._bounds[1] if self._bounds is not None else self._backend.bounds()[1]

    def lower_eigenvalue(self) -> float | None:
        """The lower of `bounds`; else as `upper_eigenvalue`, or None if row sums do not tell."""
        return self._bounds[0] if self._bounds is not None else self._backend.bounds()[0]

    def sparse_matrix(self, like: Array) -> Any | None:
        """M as a SciPy CSC array if it was given as a SciPy sparse matrix, else None."""
        self.check(like)
        return self._backend.sparse() if isinstance(self._backend, SparseMatrix) else None

    def check(self, like: Array) -> None:
        """Raise unless the norm measures vectors like `like`; see :meth:`Norm.check`.

        For an operator the first check of each dtype also makes the test of
        :meth:`check_solve`, with a fixed seed.
        """
        super().check(like)
        if isinstance(self._backend, SparseMatrix) and not is_numpy(like):
            raise ArrayTypeError("a norm by a SciPy sparse M measures NumPy vectors only")
        if isinstance(self._backend, UserMatrix):
            as_operator(self._backend.operator, name="M", like=like)
            key = str(like.dtype)
            if key not in self._tested:
                self.check_solve(like, rng=np.random.default_rng(0))
                self._tested.add(key)

    def check_solve(
        self, like: Array, *, rng: np.random.Generator, rtol: float | None = None
    ) -> float:
        """Test an operator and its `solve` with random vectors.

        Parameters
        ----------
        like : array, shape (n,)
            A vector of the space. Its values are not used.
        rng : numpy.random.Generator
            Draws the vectors.
        rtol : float, optional
            The largest defect to accept; sqrt(eps) unless given, so that an inexact
            solve passes and a wrong one does not.

        Returns
        -------
        float
            ||M solve(z) - z|| / (||z|| + ||M|| ||solve(z)||) for a normal z, with ||M||
            estimated by ||Mz|| / ||z||; 0.0 for a matrix that was factorised here.

        Raises
        ------
        AsymmetryError
            If u'Mv and v'Mu differ for a random pair.
        NotPositiveDefiniteError
            If z'Mz or z'solve(z) is not positive.
        NonFiniteError
            If a product is NaN or infinite.
        ArgumentError
            If the defect exceeds `rtol`, or `bounds` exclude z'Mz / z'z.

        Notes
        -----
        Four products with M (two of them for the symmetry, none of these where it is
        declared or M is a matrix) and one solve.
        """
        if not isinstance(self._backend, UserMatrix):
            return 0.0
        defect = self._backend.check(like, rng=rng, bounds=self._bounds)
        tolerance = math.sqrt(eps(like.dtype)) if rtol is None else rtol
        if not defect <= tolerance:
            raise ArgumentError(
                "solve is not the inverse of M: M solve(z) differs from a random z by "
                f"{defect:.3g} relative to ||z|| + ||M|| ||solve(z)||, more than {tolerance:.3g}"
            )
        return defect


def _backend(M: Any, solve: Callable[[Array], Array] | None) -> _Backend:
    """What will do the work for M."""
    operator = as_operator(M, name="M")
    if solve is not None:
        return UserMatrix(operator, solve)
    if isinstance(operator, DenseOperator):
        return dense_backend(operator.array)
    if isinstance(operator, SparseOperator) and scipy.sparse.issparse(operator.matrix):
        return SparseMatrix(operator.matrix)
    raise ArgumentError(
        f"a norm by an operator M ({type(M).__name__}) needs solve=, a function that "
        "returns M^-1 b; only dense arrays and SciPy sparse matrices are factorised"
    )


def _checked_bounds(bounds: tuple[float, float]) -> tuple[float, float]:
    """`bounds` as two floats with 0 < lower <= upper < inf."""
    try:
        lower, upper = (float(b) for b in bounds)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"bounds must be a pair of numbers, got {bounds!r}") from error
    if not 0.0 < lower <= upper < math.inf:
        raise ArgumentError(f"bounds must satisfy 0 < lower <= upper < inf, got {bounds!r}")
    return lower, upper


def densify(norm: Norm, like: Array) -> Norm:
    """`norm` itself if it has a factor (`has_half`), else the dense norm with the same M.

    Parameters
    ----------
    norm : Norm
    like : array, shape (n,)
        A vector of the space: gives the length, namespace, device and dtype.

    Raises
    ------
    ArrayTypeError, ShapeError
        If the norm does not measure vectors like `like`.
    DeviceMemoryError
        If the matrix does not fit.
    """
    if norm.has_half:
        norm.check(like)
        return norm
    n = int(like.shape[0])
    advice = square(like, "A diagonal or low-rank norm needs no matrix, nor do Krylov methods")
    with allocating(f"the matrix of a {type(norm).__name__}", 3 * n, n, like, advice):
        dense = norm.matrix(like)
        # A product with the identity is symmetric only up to rounding.
        return MatrixNorm(0.5 * dense + 0.5 * namespace(like).matrix_transpose(dense))
