"""The norm protocol: what a space of steps can be asked.

A norm here is ||s||_M = sqrt(s'Ms) for a symmetric positive definite M. A solver
reaches M through this class alone and never asks which norm it has.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from tralgos.arrays import Array, device_of, eps, is_array, namespace, same_home, to_float
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError

__all__ = ["Norm"]


def smallest_normal(dtype: Any) -> float:
    """The smallest positive normal number of a real floating `dtype` of any library."""
    return 2.0**-126 if eps(dtype) > 2.0**-50 else 2.0**-1022


def _in_range(value: float, dtype: Any) -> bool:
    """Whether a sum of products in `dtype` came out free of overflow and of underflow.

    Terms below the smallest normal number may be lost; from eps^-2 times that number
    upwards even 1e7 of them do not show in the sum.
    """
    return math.isfinite(value) and abs(value) >= smallest_normal(dtype) / eps(dtype) ** 2


def _unit_factor(x: Array) -> float:
    """A power of two that brings max|x| near one; 0 if x = 0, NaN or inf if x holds such."""
    size = to_float(namespace(x).max(abs(x)))
    if size == 0.0 or not math.isfinite(size):
        return size
    # The factor itself must be a normal number of the dtype: subnormal x stays below one.
    largest = 126 if eps(x.dtype) > 2.0**-50 else 1022
    return 2.0 ** max(-largest, min(largest, -math.frexp(size)[1]))


def _half_range(dtype: Any) -> float:
    """A power of two whose square is still far from the ends of the range of `dtype`."""
    return 2.0**50 if eps(dtype) > 2.0**-50 else 2.0**400


def safe_root(x: Array, square: Callable[[Array], Array]) -> float:
    """sqrt(square(x)) for a quadratic form, free of overflow and underflow.

    One host transfer; up to three more where the plain sum leaves the safe range. Powers of
    two are taken out of x then, so that nothing is rounded by it.
    """
    if x.shape[0] == 0:
        return 0.0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        value = to_float(square(x))
        if value > 0.0 and _in_range(value, x.dtype):
            return math.sqrt(value)
        factor = _unit_factor(x)
        if factor == 0.0 or not math.isfinite(factor):
            return factor
        x = x * factor
        value = to_float(square(x))
        more = 1.0
        if not _in_range(value, x.dtype):
            # x is of size one now, so it is the matrix that is out of the ordinary.
            more = _half_range(x.dtype)
            more = more if abs(value) < 1.0 else 1.0 / more
            value = to_float(square(x * more))
    return math.sqrt(max(value, 0.0)) / more / factor if not math.isnan(value) else math.nan


def safe_product(x: Array, y: Array, form: Callable[[Array, Array], Array]) -> float:
    """form(x, y) for a bilinear form; overflow and underflow as in :func:`safe_root`."""
    if x.shape[0] == 0:
        return 0.0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        value = to_float(form(x, y))
        if _in_range(value, x.dtype):
            return value
        a, b = _unit_factor(x), _unit_factor(y)
        if a == 0.0 or b == 0.0 or not math.isfinite(a + b):
            return value
        x, y = x * a, y * b
        value = to_float(form(x, y))
        if not _in_range(value, x.dtype):
            # The matrix is out of the ordinary, or x and y are nearly M-orthogonal.
            more = _half_range(x.dtype)
            more = more if abs(value) < 1.0 else 1.0 / more
            value = to_float(form(x * more, y * more)) / more / more
    # One division after the other: a * b may overflow where the product does not.
    return value / a / b


class Norm(ABC):
    """||s||_M = sqrt(s'Ms) with M symmetric positive definite.

    A subclass gives `_apply` and `_solve`, calls ``super().__init__`` with an array
    that shows where it lives, and overrides what it can do better; every check stands here.

    Parameters
    ----------
    home : array or None
        An array whose namespace, device and dtype the norm's arguments must have;
        None if any will do.
    n : int or None
        The length of the vectors; None if any will do.

    Attributes
    ----------
    n : int or None
        The length of the vectors; None if any will do.
    has_sqrt : bool
        Whether `sqrt` and `inverse_sqrt` exist.
    has_half : bool
        Whether `half_solve` and `half_solve_t` exist.
    entrywise : bool
        Whether M is diagonal, so that `half_solve` rounds each entry once.
    """

    has_sqrt: bool = False
    has_half: bool = False
    entrywise: bool = False

    def __init__(self, home: Array | None = None, n: int | None = None) -> None:
        self._home = home
        self.n = n

    # ---------------------------------------------------------------- what a subclass gives

    @abstractmethod
    def _apply(self, s: Array) -> Array:
        """M s for s of shape (n,) or (n, k), already checked."""

    @abstractmethod
    def _solve(self, s: Array) -> Array:
        """M^-1 s for s of shape (n,) or (n, k), already checked."""

    def _sqrt(self, s: Array) -> Array:
        """M^{1/2} s, where `has_sqrt`."""
        raise self._lacks("square root")

    def _inverse_sqrt(self, s: Array) -> Array:
        """M^{-1/2} s, where `has_sqrt`."""
        raise self._lacks("inverse square root")

    def _half_solve(self, s: Array) -> Array:
        """L^-1 s, where `has_half`; the symmetric root unless overridden."""
        return self._inverse_sqrt(s)

    def _half_solve_t(self, s: Array) -> Array:
        """L^-T s, where `has_half`; the symmetric root unless overridden."""
        return self._inverse_sqrt(s)

    def _square(self, s: Array) -> Array:
        """The 0-d array s'Ms."""
        return namespace(s).vecdot(s, self._apply(s))

    def _dual_square(self, g: Array) -> Array:
        """The 0-d array g'M^-1 g."""
        return namespace(g).vecdot(g, self._solve(g))

    def _eigenvalue_range(self) -> tuple[float, float] | None:
        """The extreme eigenvalues of M as sharply as they can be computed; None if unknown."""
        return None

    def upper_eigenvalue(self) -> float | None:
        """A cheap upper bound on the largest eigenvalue of M, or None where none is known."""
        return None

    def lower_eigenvalue(self) -> float | None:
        """A cheap positive lower bound on the smallest eigenvalue of M, or None."""
        return None

    def sparse_matrix(self, like: Array) -> Any | None:
        """M as a SciPy CSC array of the length and dtype of `like`, where M is sparse.

        Returns None for a norm whose matrix is not sparse, and wherever `like` is not a
        NumPy array (nothing is copied to the host for this).
        """
        return None

    # ---------------------------------------------------------------- what a solver asks

    def apply(self, s: Array) -> Array:
        """M s.

        Parameters
        ----------
        s : array, shape (n,) or (n, k)

        Returns
        -------
        array, shape of `s`
            No host transfer. It may be `s` itself: do not write into it.

        Raises
        ------
        ShapeError, ArrayTypeError
            If `s` does not fit the norm.
        """
        self._fit(s, "s")
        return self._apply(s)

    def solve(self, s: Array) -> Array:
        """M^-1 s; shapes, costs and errors as in :meth:`apply`."""
        self._fit(s, "s")
        return self._solve(s)

    def sqrt(self, s: Array) -> Array:
        """M^{1/2} s with the symmetric root; shapes as in :meth:`apply`.

        Raises
        ------
        ArgumentError
            If the norm has no square root (`has_sqrt` is false).
        """
        self._fit(s, "s")
        return self._sqrt(s)

    def inverse_sqrt(self, s: Array) -> Array:
        """M^{-1/2} s with the symmetric root; errors as in :meth:`sqrt`."""
        self._fit(s, "s")
        return self._inverse_sqrt(s)

    def half_solve(self, s: Array) -> Array:
        """L^-1 s for the norm's own factor L, L L' = M; shapes as in :meth:`apply`.

        L is the symmetric root for diagonal and low-rank norms and where an
        eigendecomposition was made, the Cholesky factor for a dense NumPy matrix.

        Raises
        ------
        ArgumentError
            If the norm has no such factor (`has_half` is false); see :func:`tralgos.norms.densify`.
        """
        self._fit(s, "s")
        if not self.has_half:
            raise self._lacks("factor L with L L' = M")
        return self._half_solve(s)

    def half_solve_t(self, s: Array) -> Array:
        """L^-T s for the factor of :meth:`half_solve`; same errors."""
        self._fit(s, "s")
        if not self.has_half:
            raise self._lacks("factor L with L L' = M")
        return self._half_solve_t(s)

    def norm(self, s: Array) -> float:
        """||s||_M = sqrt(s'Ms) of one vector.

        One host transfer; up to three more where s'Ms leaves the range of its dtype, which is
        then scaled so that it neither overflows nor underflows.
        """
        self._fit(s, "s", ndim=1)
        return safe_root(s, self._square)

    def dual_norm(self, g: Array) -> float:
        """||g||_{M^-1} = sqrt(g'M^-1 g), the largest g's over ||s||_M = 1; cost as :meth:`norm`."""
        self._fit(g, "g", ndim=1)
        return safe_root(g, self._dual_square)

    def inner(self, s: Array, t: Array) -> float:
        """The inner product s'Mt of two vectors; transfers and scaling as in :meth:`norm`."""
        self._fit(s, "s", ndim=1)
        self._fit(t, "t", ndim=1)
        if s.shape != t.shape:
            raise ShapeError(f"s has length {s.shape[0]} but t has {t.shape[0]}")
        same_home(t, s, "t", "s")
        xp = namespace(s)
        return safe_product(s, t, lambda a, b: xp.vecdot(a, self._apply(b)))

    def equivalence(self) -> tuple[float, float]:
        """The sharp constants of lower ||s||_2 <= ||s||_M <= upper ||s||_2.

        Returns
        -------
        lower, upper : float
            Square roots of the extreme eigenvalues of M, as computed (not rounded outwards).

        Raises
        ------
        ArgumentError
            If the eigenvalues are not known: an operator without `bounds`.
        """
        found = self._eigenvalue_range()
        if found is None:
            raise ArgumentError(
                f"{type(self).__name__} does not know its extreme eigenvalues: pass bounds=(lower, "
                "upper) on the eigenvalues of M"
            )
        return math.sqrt(found[0]), math.sqrt(found[1])

    def matrix(self, like: Array) -> Array:
        """M as a dense array with the length, namespace, device and dtype of `like`."""
        self.check(like)
        xp = namespace(like)
        identity = xp.eye(like.shape[0], dtype=like.dtype, device=device_of(like))
        return self._apply(identity)

    def check(self, like: Array) -> None:
        """Raise unless the norm measures vectors like `like`.

        Raises
        ------
        ArrayTypeError
            If the namespace, device or dtype differ.
        ShapeError
            If the length differs.
        """
        if not is_array(like) or like.ndim != 1:
            raise ArrayTypeError(
                "a norm is checked against a vector of an array API library, "
                f"got {type(like).__name__}"
            )
        self._refuse(like, "the vector")

    # ---------------------------------------------------------------- checks

    def _fit(self, s: Array, name: str, ndim: int | None = None) -> None:
        """Cheap test that `s` fits, made before each use; the long one only if it fails."""
        home = self._home
        if home is not None and (
            type(s) is not type(home) or s.dtype != home.dtype or s.device != home.device
        ):
            self._refuse(s, name)
        shape = getattr(s, "shape", None)
        if shape is None or not 1 <= len(shape) <= 2 or (self.n is not None and shape[0] != self.n):
            self._refuse(s, name)
        if ndim is not None and len(s.shape) != ndim:
            raise ShapeError(f"{name} must be a vector, got an array of shape {tuple(s.shape)}")

    def _refuse(self, s: Array, name: str) -> None:
        """The full test behind `_fit`: raises with what differs, or passes."""
        kind = type(self).__name__
        if not is_array(s):
            raise ArrayTypeError(
                f"{name} must be an array of an array API library, got {type(s).__name__}"
            )
        if not 1 <= s.ndim <= 2:
            raise ShapeError(f"{name} must be a vector or a matrix, got shape {tuple(s.shape)}")
        if self._home is not None:
            same_home(self._home, s, f"the data of {kind}", name)
        if self.n is not None and s.shape[0] != self.n:
            raise ShapeError(f"{kind} measures vectors of length {self.n}, got {s.shape[0]}")

    def _lacks(self, what: str) -> ArgumentError:
        """The error of a norm asked for something that it does not have."""
        return ArgumentError(
            f"{type(self).__name__} has no {what} (see has_sqrt, has_half and densify)"
        )
