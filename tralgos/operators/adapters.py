"""Anything that can multiply a vector, as an :class:`Operator`.

Which kind an object is is asked of its type. Objects of CuPy are recognised by
the name of their module, so that CuPy is never imported for their sake.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

from tralgos.arrays import (
    Array,
    is_array,
    is_cupy,
    is_numpy,
    namespace,
    owned,
    real_matrix,
    real_vector,
    to_float,
)
from tralgos.errors import ArrayTypeError, ShapeError
from tralgos.operators.base import Operator, checked_shape
from tralgos.operators.curvlinops import CurvlinopsOperator, is_curvlinops

__all__ = ["DenseOperator", "SparseOperator", "WrappedOperator", "as_operator"]


def as_operator(A: Any, name: str = "H", like: Array | None = None) -> Operator:
    """`A` as an :class:`Operator`, without a product and without a copy.

    Parameters
    ----------
    A : object
        An :class:`Operator`, returned as it is; a dense array of any library
        (:class:`DenseOperator`); a SciPy or CuPy sparse array or matrix
        (:class:`SparseOperator`); an operator of curvlinops, such as the Hessian
        or the Gauss-Newton matrix of a torch model; a SciPy or CuPy
        ``LinearOperator``, or any object with a `shape` and a `matvec` or an ``@``
        (:class:`WrappedOperator`).
    name : str
        What error messages call it.
    like : array, shape (n,), optional
        A vector that the operator is going to multiply, usually the gradient.
        With it the operator is checked to be square, of order n, and to live
        where the vector does.

    Returns
    -------
    Operator

    Raises
    ------
    ArrayTypeError
        If `A` is none of these, is complex or boolean, or does not share the
        library, the device or the dtype of `like`. Nothing is converted, with
        one exception: integer data become floating, of the dtype of `like` or
        else float64.
    ShapeError
        If `A` is not a matrix; with `like`, if it is not square of order n.

    Notes
    -----
    SciPy's sparse arrays and its ``LinearOperator`` turn every vector into a
    NumPy array, silently. Here they accept NumPy vectors and refuse all others.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.operators import as_operator
    >>> as_operator(np.array([[2.0, 1.0], [1.0, 3.0]])) @ np.array([1.0, -1.0])
    array([ 1., -2.])
    """
    if like is not None:
        like = real_vector(like, "the vector")
    operator = _adapted(A, name, None if like is None else like.dtype)
    if like is not None:
        n = like.shape[0]
        if operator.shape[0] != operator.shape[1]:
            raise ShapeError(f"{name} must be square, its shape is {operator.shape}")
        if operator.shape[0] != n:
            raise ShapeError(f"{name} has shape {operator.shape} but the vector has length {n}")
        operator.check_home(like, "the vector")
    return operator


def _adapted(A: Any, name: str, dtype: Any) -> Operator:
    """`A` as an operator, integers promoted to `dtype`."""
    if isinstance(A, Operator):
        return A
    # numpy.matrix is a NumPy array, but none of the array API.
    if isinstance(A, np.ndarray) or (is_array(A) and not _is_sparse_tensor(A)):
        return DenseOperator(A, name=name, dtype=dtype)
    if scipy.sparse.issparse(A) or _is_cupy_sparse(A):
        return SparseOperator(A, name=name, dtype=dtype)
    if is_curvlinops(A):
        return CurvlinopsOperator(A, name=name)
    return WrappedOperator(A, name=name)


class DenseOperator(Operator):
    """A dense matrix of any array library.

    Parameters
    ----------
    array : array, shape (m, n)
        float32 or float64; it is referred to, not copied. Integers are
        converted to `dtype`, which is a copy. A ``numpy.matrix`` is viewed as a
        plain array.
    name : str
        What error messages call it.
    dtype : dtype, optional
        What integers become: float64 unless given.

    Attributes
    ----------
    array : array, shape (m, n)
        The matrix.

    Raises
    ------
    ArrayTypeError
        If `array` is no real matrix, or is a masked array.
    """

    def __init__(self, array: Array, *, name: str = "H", dtype: Any = None) -> None:
        if isinstance(array, np.ma.MaskedArray):
            raise ArrayTypeError(f"{name} must not be a masked array")
        if isinstance(array, np.ndarray) and type(array) is not np.ndarray:
            # numpy.matrix and its like change what `@` returns; a view does not copy.
            array = array.view(np.ndarray)
        matrix = real_matrix(array, name)
        if matrix is not array and dtype is not None:
            matrix = namespace(array).astype(array, dtype)
        self.array = matrix
        super().__init__(tuple(matrix.shape), name=name, home=matrix)

    @property
    def magnitude(self) -> float:
        """The largest absolute value of the entries (NaN if one is NaN): one transfer."""
        return largest(self.array)

    @property
    def has_transpose(self) -> bool:
        """True."""
        return True

    def _matvec(self, x: Array) -> Array:
        return self.array @ x

    def _matmat(self, X: Array) -> Array:
        return self.array @ X

    def _rmatvec(self, x: Array) -> Array:
        return namespace(x).matrix_transpose(self.array) @ x


class SparseOperator(Operator):
    """A SciPy or CuPy sparse array or matrix.

    Parameters
    ----------
    matrix : sparse array or matrix, shape (m, n)
        In CSR format it is referred to, not copied; another format is converted
        to CSR. Integer data are converted to `dtype`. The caller's object is
        never changed.
    name : str
        What error messages call it.
    dtype : dtype, optional
        What integers become: float64 unless given.

    Attributes
    ----------
    matrix : sparse array or matrix
        In CSR format.

    Raises
    ------
    ArrayTypeError
        If the data are not float32, float64 or integers.
    ShapeError
        If it does not have two dimensions.

    Notes
    -----
    Multiplies NumPy vectors (CuPy vectors for a CuPy matrix) of the dtype of
    its data and refuses all others: SciPy would convert them silently.
    """

    def __init__(self, matrix: Any, *, name: str = "H", dtype: Any = None) -> None:
        shape = checked_shape(matrix.shape, name)
        csr = matrix if matrix.format == "csr" else matrix.tocsr()
        kind, size = csr.dtype.kind, csr.dtype.itemsize
        if kind in "iu":
            target = dtype if isinstance(dtype, np.dtype) else np.dtype(np.float64)
            csr = type(csr)((csr.data.astype(target), csr.indices, csr.indptr), shape=shape)
        elif kind != "f" or size not in (4, 8):
            raise ArrayTypeError(
                f"{name} must be real, float32, float64 or integer, got dtype {csr.dtype}"
            )
        self.matrix = csr
        super().__init__(shape, name=name, home=csr.data)

    @property
    def magnitude(self) -> float:
        """The largest absolute value of the stored entries (NaN if one is NaN)."""
        return largest(self.matrix.data)

    @property
    def has_transpose(self) -> bool:
        """True."""
        return True

    def _matvec(self, x: Array) -> Array:
        return self.matrix @ x

    def _matmat(self, X: Array) -> Array:
        return self.matrix @ X

    def _rmatvec(self, x: Array) -> Array:
        return self.matrix.T @ x


class WrappedOperator(Operator):
    """Any object that has a `shape` and can multiply a vector.

    Parameters
    ----------
    A : object
        With an attribute `shape`, and a method `matvec` or the operator ``@``;
        `matmat` and `rmatvec` are used where they exist. For example a
        ``LinearOperator`` of SciPy or CuPy, a PyLops operator, a sparse tensor.
    name : str
        What error messages call it.
    symmetric : bool, optional
        A declaration; None leaves it to :func:`check_symmetric`.
    symmetry_tolerance : float, optional
        The relative asymmetry that is to be put up with; an attribute of that
        name of `A` is the default.

    Attributes
    ----------
    wrapped : object
        `A`.

    Raises
    ------
    ArrayTypeError
        If `A` cannot multiply, or declares a complex dtype.
    ShapeError
        If its shape is not a pair.

    Notes
    -----
    What `A` declares as its dtype is not relied on, since many libraries put
    float64 whatever they return; each product has to come back in the dtype of
    its vector. A SciPy ``LinearOperator`` would convert every vector to NumPy,
    so it refuses others; so does CuPy's. Errors raised by `A` arrive unchanged.
    """

    def __init__(
        self,
        A: Any,
        *,
        name: str = "H",
        symmetric: bool | None = None,
        symmetry_tolerance: float | None = None,
    ) -> None:
        if not hasattr(A, "shape") or not (hasattr(A, "matvec") or hasattr(type(A), "__matmul__")):
            raise ArrayTypeError(
                f"{name} must be a matrix or an operator (an array, a sparse matrix, a "
                f"LinearOperator, or an object with shape and matvec or @), got {type(A).__name__}"
            )
        if _declares_complex(A):
            raise ArrayTypeError(f"{name} must be real, got dtype {A.dtype}")
        if symmetry_tolerance is None:
            symmetry_tolerance = getattr(A, "symmetry_tolerance", None)
        super().__init__(
            checked_shape(A.shape, name),
            name=name,
            symmetric=symmetric,
            symmetry_tolerance=symmetry_tolerance,
        )
        self.wrapped = A

    @property
    def has_transpose(self) -> bool:
        """Whether it is declared symmetric or has an `rmatvec`."""
        return self.symmetric is True or hasattr(self.wrapped, "rmatvec")

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise if the wrapped object is known to convert arrays like `x` silently."""
        if isinstance(self.wrapped, LinearOperator):
            library, fits = "a SciPy LinearOperator, which multiplies NumPy arrays", is_numpy(x)
        elif type(self.wrapped).__module__.startswith("cupyx."):
            library, fits = "an operator of CuPy, which multiplies CuPy arrays", is_cupy(x)
        else:
            return
        if not fits:
            raise ArrayTypeError(
                f"{self.name} is {library} only, but {x_name} is an array of "
                f"{namespace(x).__name__.removeprefix('array_api_compat.')}"
            )

    def _matvec(self, x: Array) -> Array:
        # A product that is written into again belongs to the wrapped object.
        matvec = getattr(self.wrapped, "matvec", None)
        return owned(self.wrapped @ x if matvec is None else matvec(x))

    def _matmat(self, X: Array) -> Array:
        # `@` alone does not promise to know matrices.
        matmat = getattr(self.wrapped, "matmat", None)
        if matmat is None or _only_columns(self.wrapped):
            return super()._matmat(X)
        return owned(matmat(X))

    def _rmatvec(self, x: Array) -> Array:
        if self.symmetric is True or not hasattr(self.wrapped, "rmatvec"):
            return super()._rmatvec(x)
        return owned(self.wrapped.rmatvec(x))


def _only_columns(A: Any) -> bool:
    """Whether a SciPy LinearOperator multiplies a matrix column by column.

    It collects the columns before it copies them, so that a product that is written into
    again would fill them all.
    """
    if not isinstance(A, LinearOperator):
        return False
    custom = getattr(A, "_CustomLinearOperator__matmat_impl", A) is None
    return custom or type(A)._matmat is LinearOperator._matmat


def largest(x: Array) -> float:
    """The largest absolute value in `x`, 0.0 if it is empty; one transfer, no copy of `x`."""
    if 0 in x.shape:
        return 0.0
    xp = namespace(x)
    # The larger of two bounds, since abs(x) would be a copy. One NaN makes both of them NaN.
    high, low = xp.max(x), -xp.min(x)
    return to_float(xp.where(high >= low, high, low))


def _is_cupy_sparse(A: Any) -> bool:
    """Whether `A` is a sparse matrix of CuPy."""
    return type(A).__module__.startswith("cupyx.scipy.sparse") and hasattr(A, "tocsr")


def _is_sparse_tensor(A: Any) -> bool:
    """Whether `A` is a torch tensor in a sparse layout, which knows ``@`` but not slices."""
    return str(getattr(A, "layout", "torch.strided")) != "torch.strided"


def _declares_complex(A: Any) -> bool:
    """Whether `A` has a dtype, and that is complex."""
    return "complex" in str(getattr(A, "dtype", ""))
