"""The operator protocol: a subclass says how to multiply, every check stands here.

A subclass implements :meth:`Operator._matvec`, and :meth:`Operator._matmat` and
:meth:`Operator._rmatvec` where it has something better than the defaults. The
public methods check what goes in and what comes out, so that no product ever
changes the library, the device or the dtype of a vector without a word. The
checks look at attributes alone: they cost no host transfer and no copy.

Sums, multiples and products of operators are lazy: they hold their terms and
multiply with one after the other.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from tralgos.arrays import (
    Array,
    device_of,
    from_host,
    is_array,
    is_numpy,
    namespace,
    same_home,
    to_host,
)
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError

__all__ = [
    "Operator",
    "ProductOperator",
    "ScaledOperator",
    "SumOperator",
]


class Operator(ABC):
    """A real linear map, known by its products with vectors.

    Subclasses set `shape` through ``super().__init__`` and implement
    ``_matvec(x)``, which is given a checked 1-D array and returns a new one.

    Parameters
    ----------
    shape : tuple of int
        (m, n).
    name : str
        What error messages call the operator.
    home : array, optional
        An array that shows where the operator lives: vectors have to share its
        library, device and dtype. None where the operator accepts what comes.
    symmetric : bool, optional
        Whether the operator equals its transpose; None when that is not known.
    symmetry_tolerance : float, optional
        See the attribute.

    Attributes
    ----------
    shape : tuple of int
        (m, n).
    name : str
        What error messages call the operator.
    home : array or None
        See above.
    symmetric : bool or None
        True and False are declared or proved, None is unknown.
    symmetry_tolerance : float or None
        The relative asymmetry that the products may show although the operator
        is meant to be symmetric, for operators that are inexact by nature;
        None for the rounding level that :func:`check_symmetric` assumes.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.operators import Operator
    >>> class Reversal(Operator):
    ...     def _matvec(self, x):
    ...         return x[::-1]
    >>> flip = Reversal((3, 3), symmetric=True)
    >>> (2.0 * flip + flip @ flip) @ np.array([1.0, 2.0, 3.0])
    array([7., 6., 5.])
    """

    # NumPy scalars and arrays then leave `c * A` and `X @ A` to this class.
    __array_ufunc__ = None

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        name: str = "operator",
        home: Array | None = None,
        symmetric: bool | None = None,
        symmetry_tolerance: float | None = None,
    ) -> None:
        self.shape = checked_shape(shape, name)
        self.name = name
        self.home = home
        self.symmetric = symmetric
        self.symmetry_tolerance = symmetry_tolerance

    @property
    def dtype(self) -> Any:
        """The dtype of vectors and products, or None where it is that of any vector given."""
        return None if self.home is None else self.home.dtype

    @property
    def magnitude(self) -> float | None:
        """A cheap bound on the size of the entries, None where it would take matvecs.

        It is found anew at each access, in one pass over the data and with one
        host transfer.
        """
        return None

    @property
    def has_transpose(self) -> bool:
        """Whether :meth:`rmatvec` is available."""
        return self.symmetric is True

    @abstractmethod
    def _matvec(self, x: Array) -> Array:
        """The product with a vector that has been checked."""

    def _matmat(self, X: Array) -> Array:
        """The product with a matrix that has been checked; a column at a time unless overridden."""
        xp = namespace(X)
        if X.shape[1] == 0:
            return xp.zeros((self.shape[0], 0), dtype=X.dtype, device=device_of(X))
        columns = []
        for j in range(X.shape[1]):
            x = X[:, j]
            y = self._matvec(x)
            self._check_output(y, x, (self.shape[0],))
            columns.append(y)
        return xp.stack(columns, axis=1)

    def _rmatvec(self, x: Array) -> Array:
        """The product of the transpose with a vector that has been checked."""
        if self.symmetric is True:
            return self._matvec(x)
        raise ArrayTypeError(
            f"{self.name} has no product with its transpose: it is neither declared symmetric "
            "nor does it have an rmatvec"
        )

    def matvec(self, x: Array) -> Array:
        """A x: one product.

        Parameters
        ----------
        x : array, shape (n,)
            Real, float32 or float64.

        Returns
        -------
        array, shape (m,)
            With the library, device and dtype of `x`.

        Raises
        ------
        ArrayTypeError
            If `x` is not such an array, does not live where the operator does,
            or the product comes back elsewhere or in another dtype.
        ShapeError
            If `x` or the product is of the wrong length.
        """
        self._check_input(x, 1, self.shape[1])
        y = self._matvec(x)
        self._check_output(y, x, (self.shape[0],))
        return y

    def rmatvec(self, x: Array) -> Array:
        """A' x: one product with the transpose; checks and errors as for :meth:`matvec`.

        Raises
        ------
        ArrayTypeError
            Also if the operator does not know its transpose (see `has_transpose`).
        """
        self._check_input(x, 1, self.shape[0])
        y = self._rmatvec(x)
        self._check_output(y, x, (self.shape[1],))
        return y

    def matmat(self, X: Array) -> Array:
        """A X for a matrix X of shape (n, k): k products; checks and errors as for `matvec`."""
        self._check_input(X, 2, self.shape[1])
        Y = self._matmat(X)
        self._check_output(Y, X, (self.shape[0], X.shape[1]))
        return Y

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless the operator can multiply arrays that live where `x` does.

        Raises
        ------
        ArrayTypeError
            Naming `x_name`, the operator, and the first difference in library,
            device or dtype.
        """
        if self.home is not None and not _both_plain(x, self.home):
            same_home(x, self.home, x_name, self.name)

    def _check_input(self, x: Array, ndim: int, length: int) -> None:
        """Raise unless `x` is a real floating array that fits the operator."""
        if not is_array(x):
            raise ArrayTypeError(
                f"{self.name} multiplies arrays of an array API library, got {type(x).__name__}"
            )
        if x.ndim != ndim or x.shape[0] != length:
            wanted = f"({length},)" if ndim == 1 else f"({length}, k)"
            raise ShapeError(
                f"{self.name} has shape {self.shape} and multiplies arrays of shape {wanted} here, "
                f"got shape {tuple(x.shape)}"
            )
        if not namespace(x).isdtype(x.dtype, "real floating"):
            raise ArrayTypeError(
                f"{self.name} multiplies real floating arrays, got dtype {x.dtype}"
            )
        self.check_home(x, "x")

    def _check_output(self, y: Array, x: Array, shape: tuple[int, ...]) -> None:
        """Raise unless `y` has the given shape and lives where `x` does."""
        if not is_array(y):
            raise ArrayTypeError(
                f"{self.name} returned {type(y).__name__}, not an array like x "
                f"({type(x).__module__}.{type(x).__name__})"
            )
        if tuple(y.shape) != shape:
            raise ShapeError(
                f"{self.name} has shape {self.shape} and should have returned shape {shape}, "
                f"but returned {tuple(y.shape)}"
            )
        if not _both_plain(y, x):
            same_home(y, x, f"the product with {self.name}", "x")

    def __matmul__(self, other: Any) -> Any:
        """The product with a vector, a matrix, or (lazily) another operator."""
        if isinstance(other, Operator):
            return ProductOperator(self, other)
        if is_array(other) and other.ndim == 2:
            return self.matmat(other)
        return self.matvec(other)

    def __add__(self, other: object) -> SumOperator:
        """The lazy sum."""
        return SumOperator(self, other) if isinstance(other, Operator) else NotImplemented

    def __sub__(self, other: object) -> SumOperator:
        """The lazy difference."""
        if not isinstance(other, Operator):
            return NotImplemented
        return SumOperator(self, ScaledOperator(-1.0, other))

    def __mul__(self, factor: object) -> ScaledOperator:
        """The lazy multiple."""
        return ScaledOperator(factor, self)

    __rmul__ = __mul__

    def __neg__(self) -> ScaledOperator:
        """The lazy negative."""
        return ScaledOperator(-1.0, self)

    def __repr__(self) -> str:
        """Class, shape and dtype."""
        return f"<{type(self).__name__} {self.name} of shape {self.shape}, dtype {self.dtype}>"

    def to_scipy(self, like: Array | None = None) -> LinearOperator:
        """The operator as a SciPy ``LinearOperator``.

        SciPy's vectors are NumPy arrays. Where the operator lives elsewhere each
        product copies its vector there and the result back: two transfers.

        Parameters
        ----------
        like : array, optional
            Where the products are to be made, for an operator that accepts
            arrays of any kind. Default: where the operator lives, else NumPy.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator
            With ``rmatvec`` where the transpose is known. Its dtype is the
            operator's, float64 where that is not known.
        """
        target = self.home if like is None else like
        dtype = np.dtype(np.float64) if target is None else _numpy_dtype(target)

        def product(method: Any) -> Any:
            def apply(x: Any) -> Any:
                host = np.asarray(x, dtype=dtype)
                if target is None or is_numpy(target):
                    return method(host)
                return to_host(method(from_host(host, target)))

            return apply

        matvec, rmatvec = product(self.matvec), product(self.rmatvec)
        return LinearOperator(
            shape=self.shape,
            matvec=lambda x: matvec(np.reshape(x, -1)),
            rmatvec=(lambda x: rmatvec(np.reshape(x, -1))) if self.has_transpose else None,
            matmat=product(self.matmat),
            dtype=dtype,
        )


class SumOperator(Operator):
    """A + B, lazily: one product with each term.

    Parameters
    ----------
    A, B : Operator
        Of one shape, library, device and dtype. ``A + B`` makes the same.

    Raises
    ------
    ShapeError, ArrayTypeError
        If the terms do not fit together.

    Notes
    -----
    The sum counts as symmetric when both terms do, and is granted the larger of
    their symmetry tolerances.
    """

    def __init__(self, A: Operator, B: Operator) -> None:
        if A.shape != B.shape:
            raise ShapeError(
                f"{A.name} of shape {A.shape} and {B.name} of shape {B.shape} cannot be added"
            )
        super().__init__(
            A.shape,
            name=f"({A.name} + {B.name})",
            home=common_home(A, B),
            symmetric=True if A.symmetric and B.symmetric else None,
            symmetry_tolerance=looser(A.symmetry_tolerance, B.symmetry_tolerance),
        )
        self.terms = (A, B)

    @property
    def magnitude(self) -> float | None:
        """The sum of the terms' magnitudes."""
        a, b = (term.magnitude for term in self.terms)
        return None if a is None or b is None else a + b

    @property
    def has_transpose(self) -> bool:
        """Whether both terms have one."""
        return all(term.has_transpose for term in self.terms)

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless both terms can multiply arrays that live where `x` does."""
        for term in self.terms:
            term.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        return self.terms[0].matvec(x) + self.terms[1].matvec(x)

    def _matmat(self, X: Array) -> Array:
        return self.terms[0].matmat(X) + self.terms[1].matmat(X)

    def _rmatvec(self, x: Array) -> Array:
        return self.terms[0].rmatvec(x) + self.terms[1].rmatvec(x)


class ScaledOperator(Operator):
    """c A, lazily: one product with A and one pass over the result.

    Parameters
    ----------
    factor : float
        c, a finite real number.
    A : Operator
        ``c * A``, ``A * c`` and ``-A`` make the same.

    Raises
    ------
    ArgumentError, ArrayTypeError
        If `factor` is not finite, or not a real number.
    """

    def __init__(self, factor: Any, A: Operator) -> None:
        self.factor = finite_number(factor, "factor")
        self.operand = A
        super().__init__(
            A.shape,
            name=f"{self.factor:g} {A.name}",
            home=A.home,
            symmetric=A.symmetric,
            symmetry_tolerance=A.symmetry_tolerance,
        )

    @property
    def magnitude(self) -> float | None:
        """|c| times that of A."""
        size = self.operand.magnitude
        return None if size is None else abs(self.factor) * size

    @property
    def has_transpose(self) -> bool:
        """Whether A has one."""
        return self.operand.has_transpose

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless A can multiply arrays that live where `x` does."""
        self.operand.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        return self.factor * self.operand.matvec(x)

    def _matmat(self, X: Array) -> Array:
        return self.factor * self.operand.matmat(X)

    def _rmatvec(self, x: Array) -> Array:
        return self.factor * self.operand.rmatvec(x)


class ProductOperator(Operator):
    """A B, lazily: one product with B, then one with A.

    Parameters
    ----------
    A, B : Operator
        Of shapes (m, k) and (k, n). ``A @ B`` makes the same.

    Raises
    ------
    ShapeError, ArrayTypeError
        If the factors do not fit together.

    Notes
    -----
    A product of symmetric operators need not be symmetric, so `symmetric` is
    None; :class:`Congruence` keeps symmetry.
    """

    def __init__(self, A: Operator, B: Operator) -> None:
        if A.shape[1] != B.shape[0]:
            raise ShapeError(
                f"{A.name} of shape {A.shape} and {B.name} of shape {B.shape} cannot be multiplied"
            )
        super().__init__(
            (A.shape[0], B.shape[1]),
            name=f"({A.name} @ {B.name})",
            home=common_home(A, B),
            symmetry_tolerance=looser(A.symmetry_tolerance, B.symmetry_tolerance),
        )
        self.factors = (A, B)

    @property
    def has_transpose(self) -> bool:
        """Whether both factors have one."""
        return all(factor.has_transpose for factor in self.factors)

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless both factors can multiply arrays that live where `x` does."""
        for factor in self.factors:
            factor.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        return self.factors[0].matvec(self.factors[1].matvec(x))

    def _matmat(self, X: Array) -> Array:
        return self.factors[0].matmat(self.factors[1].matmat(X))

    def _rmatvec(self, x: Array) -> Array:
        return self.factors[1].rmatvec(self.factors[0].rmatvec(x))


def checked_shape(shape: Any, name: str) -> tuple[int, int]:
    """`shape` as a pair of Python integers; :class:`ShapeError` if it is none."""
    try:
        rows, columns = (int(k) for k in shape)
    except (TypeError, ValueError):
        raise ShapeError(f"{name} must have two dimensions, its shape is {shape}") from None
    if rows < 0 or columns < 0:
        raise ShapeError(f"{name} has a negative dimension, its shape is {shape}")
    return rows, columns


def finite_number(value: Any, name: str) -> float:
    """`value` as a Python float; an error naming `name` unless it is a finite real number.

    NumPy scalars are accepted; arrays are not, since they would cost a transfer.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArrayTypeError(f"{name} must be a real number, got {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise ArgumentError(f"{name} must be finite, got {number}")
    return number


def common_home(A: Operator, B: Operator) -> Array | None:
    """The home of A or B, whichever is known; an error if both are and they differ."""
    if A.home is None or B.home is None:
        return B.home if A.home is None else A.home
    same_home(A.home, B.home, A.name, B.name)
    return A.home


def looser(a: float | None, b: float | None) -> float | None:
    """The larger of two symmetry tolerances, None standing for the rounding level."""
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _both_plain(x: Array, y: Array) -> bool:
    """Whether `x` and `y` are plain NumPy arrays of one dtype: a short way past `same_home`."""
    return type(x) is np.ndarray and type(y) is np.ndarray and x.dtype == y.dtype


def _numpy_dtype(x: Array) -> np.dtype[Any]:
    """The NumPy dtype of the same name as that of the real floating array `x`."""
    single = x.dtype == namespace(x).float32
    return np.dtype(np.float32 if single else np.float64)
