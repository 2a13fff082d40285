"""Operators with a structure: diagonal, low rank, shifted, congruent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tralgos.arrays import (
    Array,
    is_array,
    namespace,
    real_matrix,
    real_vector,
    same_home,
    to_float,
)
from tralgos.errors import ArrayTypeError, ShapeError
from tralgos.operators.adapters import as_operator, largest
from tralgos.operators.base import Operator, common_home, finite_number

__all__ = ["Congruence", "DiagonalOperator", "LowRankPlusDiagonal", "ShiftedOperator"]


class DiagonalOperator(Operator):
    """diag(d): a product costs one pass over d and x.

    Parameters
    ----------
    d : array, shape (n,)
        float32 or float64, referred to and not copied; integers become float64.
    name : str
        What error messages call the operator.

    Attributes
    ----------
    diagonal : array, shape (n,)
        d.

    Raises
    ------
    ArrayTypeError
        If `d` is not a real vector.
    """

    def __init__(self, d: Array, *, name: str = "diagonal operator") -> None:
        self.diagonal = real_vector(d, "d")
        n = self.diagonal.shape[0]
        super().__init__((n, n), name=name, home=self.diagonal, symmetric=True)

    @property
    def magnitude(self) -> float:
        """The largest absolute value on the diagonal: one transfer."""
        return largest(self.diagonal)

    def _matvec(self, x: Array) -> Array:
        return self.diagonal * x

    def _matmat(self, X: Array) -> Array:
        return self.diagonal[:, None] * X


class LowRankPlusDiagonal(Operator):
    """diag(d) + U diag(c) U': a product costs two passes over U and O(n).

    Parameters
    ----------
    d : array, shape (n,), or float
        The diagonal; a number stands for that multiple of the identity.
    U : array, shape (n, m)
        float32 or float64; referred to, not copied. Integers become float64.
    c : array, shape (m,), optional
        Of any sign; ones unless given.
    name : str
        What error messages call the operator.

    Attributes
    ----------
    diagonal : array, shape (n,), or float
        d.
    U : array, shape (n, m)
        U.
    weights : array, shape (m,), or None
        c.

    Raises
    ------
    ArrayTypeError
        If the arrays are not real or differ in library, device or dtype.
        Integers in `d` and `c` become of the dtype of `U`.
    ShapeError
        If their lengths do not fit.
    ArgumentError
        If `d` is a number and not finite.
    """

    def __init__(
        self,
        d: Array | float,
        U: Array,
        c: Array | None = None,
        *,
        name: str = "low-rank-plus-diagonal operator",
    ) -> None:
        self.U = real_matrix(U, "U")
        n, m = (int(k) for k in self.U.shape)
        self.diagonal: Array | float = (
            _beside(d, "d", self.U, n) if is_array(d) else finite_number(d, "d")
        )
        self.weights = None if c is None else _beside(c, "c", self.U, m)
        super().__init__((n, n), name=name, home=self.U, symmetric=True)

    @property
    def magnitude(self) -> float:
        """A bound on every entry, max |d_i| + max_i sum_j |c_j| U_ij^2: two transfers at most.

        By the Cauchy-Schwarz inequality, |sum_j c_j U_ij U_kj| is no larger than
        the greater of the two sums of |c_j| U_ij^2 and |c_j| U_kj^2.
        """
        xp = namespace(self.U)
        d = self.diagonal
        size = abs(d) if isinstance(d, float) else largest(d)
        if 0 in self.U.shape:
            return size
        squares = self.U * self.U
        if self.weights is not None:
            squares = squares * xp.abs(self.weights)
        return size + to_float(xp.max(xp.sum(squares, axis=1)))

    def _matvec(self, x: Array) -> Array:
        inner = namespace(x).matrix_transpose(self.U) @ x
        if self.weights is not None:
            inner = self.weights * inner
        return self.diagonal * x + self.U @ inner

    def _matmat(self, X: Array) -> Array:
        inner = namespace(X).matrix_transpose(self.U) @ X
        if self.weights is not None:
            inner = self.weights[:, None] * inner
        d = self.diagonal
        return (d * X if isinstance(d, float) else d[:, None] * X) + self.U @ inner


class ShiftedOperator(Operator):
    """A + shift M: one product with A and, where a norm is given, one with M.

    Parameters
    ----------
    A : Operator or anything that :func:`as_operator` accepts
        Square.
    shift : float
        A finite real number.
    norm_apply : callable, optional
        x -> M x, for vectors and for matrices column by column, with M
        symmetric: the `apply` of a norm. The identity unless given.
    name : str, optional
        What error messages call the operator.

    Attributes
    ----------
    operand : Operator
        A.
    shift : float
        The shift.

    Raises
    ------
    ShapeError
        If A is not square.
    ArgumentError, ArrayTypeError
        If `shift` is not finite, or not a real number.
    """

    def __init__(
        self,
        A: Any,
        shift: float,
        norm_apply: Callable[[Array], Array] | None = None,
        *,
        name: str | None = None,
    ) -> None:
        self.operand = _square(A)
        self.shift = finite_number(shift, "shift")
        self.norm_apply = norm_apply
        super().__init__(
            self.operand.shape,
            name=name or f"({self.operand.name} + {self.shift:g} M)",
            home=self.operand.home,
            symmetric=self.operand.symmetric,
            symmetry_tolerance=self.operand.symmetry_tolerance,
        )

    @property
    def magnitude(self) -> float | None:
        """That of A plus |shift|; None where a norm is given."""
        size = self.operand.magnitude
        return None if size is None or self.norm_apply is not None else size + abs(self.shift)

    @property
    def has_transpose(self) -> bool:
        """Whether A has one."""
        return self.operand.has_transpose

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless A can multiply arrays that live where `x` does."""
        self.operand.check_home(x, x_name)

    def _shifted(self, y: Array, x: Array) -> Array:
        """The sum of y and shift M x."""
        if self.shift == 0.0:
            return y
        return y + self.shift * (x if self.norm_apply is None else self.norm_apply(x))

    def _matvec(self, x: Array) -> Array:
        return self._shifted(self.operand.matvec(x), x)

    def _matmat(self, X: Array) -> Array:
        return self._shifted(self.operand.matmat(X), X)

    def _rmatvec(self, x: Array) -> Array:
        return self._shifted(self.operand.rmatvec(x), x)


class Congruence(Operator):
    """S' A S: a product with S, one with A, one with S'. Symmetric when A is.

    The change of variables s = S t turns the matrix A of a quadratic form into
    this one.

    Parameters
    ----------
    A : Operator or anything that :func:`as_operator` accepts
        Of shape (m, m).
    S : Operator or anything that :func:`as_operator` accepts
        Of shape (m, n), with a product with its transpose (`has_transpose`).
    name : str, optional
        What error messages call the operator.

    Attributes
    ----------
    operand : Operator
        A.
    transform : Operator
        S.

    Raises
    ------
    ShapeError
        If A is not square, or S does not fit it.
    ArrayTypeError
        If S does not know its transpose, or lives elsewhere than A.
    """

    def __init__(self, A: Any, S: Any, *, name: str | None = None) -> None:
        self.operand = _square(A)
        self.transform = as_operator(S, "S")
        m, n = self.transform.shape
        if m != self.operand.shape[0]:
            raise ShapeError(f"S has shape {(m, n)} but A has shape {self.operand.shape}")
        if not self.transform.has_transpose:
            raise ArrayTypeError("S needs a product with its transpose (rmatvec), or symmetry")
        super().__init__(
            (n, n),
            name=name or f"(S' {self.operand.name} S)",
            home=common_home(self.operand, self.transform),
            symmetric=True if self.operand.symmetric else None,
            symmetry_tolerance=self.operand.symmetry_tolerance,
        )

    @property
    def has_transpose(self) -> bool:
        """Whether A has one."""
        return self.operand.has_transpose

    def check_home(self, x: Array, x_name: str) -> None:
        """Raise unless A and S can multiply arrays that live where `x` does."""
        self.operand.check_home(x, x_name)
        self.transform.check_home(x, x_name)

    def _matvec(self, x: Array) -> Array:
        return self.transform.rmatvec(self.operand.matvec(self.transform.matvec(x)))

    def _rmatvec(self, x: Array) -> Array:
        return self.transform.rmatvec(self.operand.rmatvec(self.transform.matvec(x)))


def _square(A: Any) -> Operator:
    """`A` as an operator, checked to be square."""
    operator = as_operator(A, "A")
    if operator.shape[0] != operator.shape[1]:
        raise ShapeError(f"{operator.name} must be square, its shape is {operator.shape}")
    return operator


def _beside(x: Array, name: str, U: Array, length: int) -> Array:
    """`x` as a vector of the given length that lives where `U` does; integers are promoted."""
    vector = real_vector(x, name)
    if vector is not x:
        vector = namespace(x).astype(x, U.dtype) if namespace(x) is namespace(U) else vector
    same_home(vector, U, name, "U")
    if vector.shape[0] != length:
        raise ShapeError(
            f"{name} must have length {length} to fit U of shape {tuple(U.shape)}, "
            f"got length {vector.shape[0]}"
        )
    return vector
