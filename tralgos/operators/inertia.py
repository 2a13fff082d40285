"""The inertia of a sparse symmetric matrix, from SuperLU kept to the diagonal.

With the pivots taken from the diagonal, P A P' = L U, and U = D L' for the diagonal
D of U, so A has as many negative eigenvalues as D has negative entries (Sylvester).
SuperLU knows nothing of symmetry. With a pivot threshold of 0 it leaves the diagonal
only where the diagonal entry is exactly zero (or not there) and another is not: it then
exchanges rows without a word, and its pivots tell nothing. That is seen from its two
permutations, and reported here as inconclusive. A pivot that is tiny but not zero is
taken, with a growth of the factors that may leave nothing of the small eigenvalues: that
is seen from :attr:`SparseFactor.error_bound`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee
from scipy.sparse.linalg import splu

from tralgos.errors import ArrayTypeError, NonFiniteError, NotPositiveDefiniteError, ShapeError

__all__ = ["SparseFactor", "fill_estimate", "sparse_factor"]


@dataclass(frozen=True)
class SparseFactor:
    """A factorisation P A P' = L D L' of a sparse symmetric A, and what it says of A.

    Attributes
    ----------
    shape : tuple of int
        The shape of A.
    lu : scipy.sparse.linalg.SuperLU or None
        The factorisation of A without its empty rows; None if SuperLU found a column
        without a nonzero pivot, or if nothing of A was left.
    kept : array of int or None
        The rows that are not empty; None if that is all.
    pivots : array
        The diagonal D in the order of elimination: row i of the kept ones is at
        ``lu.perm_c[i]``. Empty if `lu` is None.
    n_negative : int
        Negative pivots. Meaningless unless `symmetric`.
    n_zero : int
        Empty rows of A: eigenvalues that are exactly zero.
    symmetric : bool
        Whether every pivot came from the diagonal. False means inconclusive: `n_negative`
        and the sign of the eigenvalues are not known.
    """

    shape: tuple[int, int]
    lu: Any | None
    kept: Any | None
    pivots: Any
    n_negative: int
    n_zero: int
    symmetric: bool
    _matrix: Any = field(repr=False)

    @property
    def definite(self) -> bool:
        """Whether all pivots are positive and no row is empty.

        Then A + E > 0 for an E within `error_bound`. A itself may be singular, or have
        negative eigenvalues as small as rounding; a definite A may come out as not definite
        only if it is that close to being singular.
        """
        return self.symmetric and self.n_negative == 0 and self.n_zero == 0

    @cached_property
    def error_bound(self) -> float:
        """A bound on ||E||_2 where A + E has the inertia reported, exactly; inf if none is.

        A + E = L D L' with the computed L and D. By E = (L U - A) + L (D L' - U), and
        |L U - A| <= k u / (1 - k u) |L| |U| for an elimination in any order, k terms an entry
        (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., Theorem 9.3).
        The second part is taken from the factors; it also holds what asymmetry A has.
        With `definite` it follows that every eigenvalue of A is above -`error_bound`.
        Costs about as much as one product with the factors, and a sparse difference of them.
        """
        if not self.symmetric:
            return np.inf
        return 0.0 if self.lu is None else _backward_error(self.lu)

    def solve(self, b: Any) -> Any:
        """A^-1 b for a NumPy array b of shape (n,) or (n, k), in the dtype of A.

        Raises
        ------
        NotPositiveDefiniteError
            If A was found singular. (An indefinite A is no error.)
        """
        if self.lu is None or self.n_zero:
            raise NotPositiveDefiniteError("the matrix is singular, so no system is solved with it")
        return self.lu.solve(np.asarray(b, dtype=self._matrix.dtype))


def sparse_factor(A: Any) -> SparseFactor:
    """Factorise a sparse symmetric matrix on the diagonal and count its negative pivots.

    Parameters
    ----------
    A : SciPy sparse array or matrix, shape (n, n)
        Symmetric (not checked: see :attr:`SparseFactor.error_bound`), float32, float64 or
        integer, which becomes float64. Not written to.

    Returns
    -------
    SparseFactor
        Holding both triangular factors, each of about the size :func:`fill_estimate` bounds.

    Raises
    ------
    ArrayTypeError
        If A is not sparse or not real.
    ShapeError
        If A is not square.
    NonFiniteError
        If A has entries that are NaN or infinite.
    MemoryError
        If the factors do not fit.

    Notes
    -----
    Minimum degree ordering of A (that of A' + A), SuperLU's symmetric mode, pivot threshold 0.
    """
    matrix = _checked(A)
    filled = np.flatnonzero(np.diff(matrix.indptr))
    n = matrix.shape[0]
    kept = None if filled.size == n else filled
    if kept is not None:
        matrix = matrix[:, kept][kept, :]
    lu = _superlu(matrix) if filled.size else None
    symmetric = filled.size == 0 or (lu is not None and np.array_equal(lu.perm_r, lu.perm_c))
    pivots = lu.U.diagonal() if lu is not None else np.zeros(0)
    # A non-finite pivot means overflow in the elimination: nothing is known then.
    symmetric = symmetric and bool(np.isfinite(pivots).all())
    return SparseFactor(
        shape=(n, n),
        lu=lu,
        kept=kept,
        pivots=pivots,
        n_negative=int(np.count_nonzero(pivots < 0)),
        n_zero=n - filled.size,
        symmetric=symmetric,
        _matrix=matrix,
    )


def fill_estimate(A: Any) -> int:
    """A cheap estimate of the number of nonzeros of a triangular factor of A, diagonal included.

    The envelope (skyline) of A under the reverse Cuthill-McKee order or under the order of
    ascending degree, whichever is smaller. No elimination in one of these orders fills more;
    minimum degree, which :func:`sparse_factor` uses, usually fills much less (a tenth on a
    square grid of 10^5 points). SuperLU holds two factors of this size.

    Parameters
    ----------
    A : SciPy sparse array or matrix, shape (n, n)
        Only the pattern is used, that of A + A'.

    Notes
    -----
    O(nnz) apart from a sort of the degrees: a few hundredths of a second at n = 10^5.
    """
    pattern = _pattern(A)
    n = pattern.shape[0]
    if n == 0:
        return 0
    banded = reverse_cuthill_mckee(pattern, symmetric_mode=True)
    ascending = np.argsort(np.diff(pattern.indptr), kind="stable")
    return min(_envelope(pattern, banded), _envelope(pattern, ascending))


def _checked(A: Any) -> Any:
    """A as a CSC array of real floating dtype without stored zeros."""
    if not scipy.sparse.issparse(A):
        raise ArrayTypeError(f"A must be a SciPy sparse array, got {type(A).__name__}")
    if len(A.shape) != 2 or A.shape[0] != A.shape[1]:
        raise ShapeError(f"A must be square, got shape {A.shape}")
    if np.issubdtype(A.dtype, np.complexfloating):
        raise ArrayTypeError(f"A must be real, got dtype {A.dtype}")
    dtype = A.dtype if A.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    matrix = scipy.sparse.csc_array(A, dtype=dtype)
    if not np.isfinite(matrix.data).all():
        raise NonFiniteError("A has entries that are NaN or infinite")
    if not matrix.has_canonical_format or np.count_nonzero(matrix.data) < matrix.nnz:
        # SciPy shares the data where it can; both calls below work in place.
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
    return matrix


def _superlu(matrix: Any) -> Any | None:
    """SuperLU's factors with pivots from the diagonal, or None if a column has no pivot at all."""
    try:
        return splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
    except RuntimeError:
        # "exactly singular"; on some singular patterns a failure inside a supernode instead.
        return None


def _backward_error(lu: Any) -> float:
    """||E||_inf >= ||E||_2 for the E of :attr:`SparseFactor.error_bound`."""
    lower, upper = lu.L.tocsr(), lu.U.tocsr()
    unit = np.finfo(lower.dtype).eps / 2
    pivots = scipy.sparse.diags_array(upper.diagonal())
    skew = abs(upper - pivots @ lower.T.tocsr())
    # One rounding more: the products that make `skew` are themselves rounded.
    skew_sums = skew @ np.ones(skew.shape[0]) + unit * (abs(upper) @ np.ones(skew.shape[0]))
    terms = np.diff(lower.indptr) * unit
    growth = abs(lower) @ (abs(upper) @ np.ones(skew.shape[0]))
    rows = terms / (1.0 - terms) * growth + abs(lower) @ skew_sums
    # The sums above are in double precision and positive: a relative n eps covers them.
    return float(rows.max() * (1.0 + 1e-6))


def _pattern(A: Any) -> Any:
    """The pattern of A + A' + I as a CSR array of ones, so that no row is empty."""
    if not scipy.sparse.issparse(A):
        raise ArrayTypeError(f"A must be a SciPy sparse array, got {type(A).__name__}")
    if len(A.shape) != 2 or A.shape[0] != A.shape[1]:
        raise ShapeError(f"A must be square, got shape {A.shape}")
    rows = scipy.sparse.csr_array(A)
    ones = scipy.sparse.csr_array(
        (np.ones(rows.nnz, dtype=np.int32), rows.indices, rows.indptr), shape=rows.shape
    )
    identity = scipy.sparse.eye_array(rows.shape[0], dtype=np.int32, format="csr")
    return scipy.sparse.csr_array(ones + ones.T.tocsr() + identity)


def _envelope(pattern: Any, order: Any) -> int:
    """The entries between the first nonzero of each row and its diagonal, both counted."""
    n = pattern.shape[0]
    position = np.empty(n, dtype=np.int64)
    position[order] = np.arange(n)
    first = np.minimum.reduceat(position[pattern.indices], pattern.indptr[:-1])
    return int(np.sum(position - first + 1))
