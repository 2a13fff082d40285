"""Norms of a multiple of the identity plus a matrix of low rank."""

from __future__ import annotations

import copy
import math
from numbers import Real
from typing import Any

from tralgos.arrays import (
    Array,
    all_finite,
    device_of,
    eps,
    is_array,
    namespace,
    real_matrix,
    real_vector,
    same_home,
    to_float,
    to_host,
)
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.memory import allocating
from tralgos.norms.base import Norm, smallest_normal

__all__ = ["LowRankNorm"]

#: Condition number from which one projection does not suffice for a solve.
_STEEP = 16.0


class LowRankNorm(Norm):
    """||s||_M with M = shift I + U diag(scale) U'.

    `apply` and `sqrt` cost three products with an n x m matrix, `solve` and `inverse_sqrt`
    five where M is not well conditioned; making the norm costs one QR decomposition of `U`,
    O(n m^2).

    Parameters
    ----------
    U : array, shape (n, m)
        Real; m = 0 is allowed, as is m > n. Not kept.
    scale : float or array, shape (m,)
        May be negative as long as M is positive definite.
    shift : float
        Positive.

    Raises
    ------
    ArgumentError, ArrayTypeError, ShapeError, NonFiniteError
        If an argument is out of range or of the wrong kind.
    NotPositiveDefiniteError
        If M is not positive definite in the precision of `U`.
    DeviceMemoryError
        If two more matrices like `U` do not fit.

    Notes
    -----
    With the thin decomposition U diag(scale) U' = Z diag(theta) Z', Z'Z = I, any power is
    M^p s = shift^p (s - Z Z's) + Z diag((shift + theta)^p) Z's. The projection is made twice
    for negative powers, so that M solve(s) = s up to a multiple of eps ||s||.
    """

    has_sqrt = True
    has_half = True

    def __init__(self, U: Array, scale: float | Array = 1.0, shift: float = 1.0) -> None:
        U = real_matrix(U, "U")
        if U.shape[0] == 0:
            raise ShapeError("U has no rows")
        all_finite(U, "U")
        self._shift = _number(shift, "shift")
        if not (self._shift > 0.0 and math.isfinite(self._shift)):
            raise ArgumentError(f"shift must be positive and finite, got {self._shift}")
        if self._shift < smallest_normal(U.dtype):
            raise ArgumentError(f"shift = {self._shift} is zero in the dtype of U, {U.dtype}")
        scales = _scales(scale, U)
        super().__init__(home=U, n=int(U.shape[0]))
        n, m = (int(k) for k in U.shape)
        with allocating(f"a norm of rank {m}", 2 * m, n, U, _advice):
            self._Z, self._theta = _decompose(U, scales)
        self._Zt = namespace(U).matrix_transpose(self._Z)
        self._full = int(self._theta.shape[0]) == self.n
        self._set_range(self._checked_range())

    def root(self) -> LowRankNorm:
        """The norm by the symmetric root M^{1/2}, again low rank plus a multiple of the identity.

        It shares the basis Z of this norm: no decomposition, O(m) further work, no host transfer.
        """
        other = copy.copy(self)
        other._shift = math.sqrt(self._shift)
        other._theta = (self._shift + self._theta) ** 0.5 - other._shift
        other._set_range((math.sqrt(self._range[0]), math.sqrt(self._range[1])))
        return other

    def _set_range(self, extremes: tuple[float, float]) -> None:
        self._range = extremes
        self._steep = extremes[1] > _STEEP * extremes[0]

    def __repr__(self) -> str:
        rank = self._theta.shape[0]
        return f"LowRankNorm(<n = {self.n}, rank {rank}>, shift={self._shift:.3g})"

    def _checked_range(self) -> tuple[float, float]:
        """The extreme eigenvalues of M, if positive."""
        values = [self._shift + t for t in to_host(self._theta).tolist()]
        if not all(math.isfinite(v) for v in values):
            raise NonFiniteError("U diag(scale) U' overflows")
        if not self._full:
            values.append(self._shift)
        low, high = min(values), max(values)
        # theta carries an error of eps times its size, and only a negative one can hurt.
        if low < self._shift and not low > 4 * eps(self._theta.dtype) * (high + self._shift):
            raise NotPositiveDefiniteError(
                f"shift I + U diag(scale) U' is not positive definite: an eigenvalue is {low:.6g}"
            )
        return low, high

    def _split(self, s: Array) -> tuple[Array, Array | None]:
        """Z's, and s - Z Z's unless the columns of Z span the space."""
        inside = self._Zt @ s
        return inside, None if self._full else s - self._Z @ inside

    def _power(self, p: float, s: Array) -> Array:
        """M^p s."""
        inside, outside = self._split(s)
        factors = (self._shift + self._theta) ** p
        if s.ndim == 2:
            factors = factors[:, None]
        image = self._Z @ (factors * inside)
        if outside is None:
            return image
        if p < 0.0 and self._steep:
            # What rounding left of Z in it would be divided by shift, not by shift + theta.
            outside = outside - self._Z @ (self._Zt @ outside)
        return self._shift**p * outside + image

    def _apply(self, s: Array) -> Array:
        return self._power(1.0, s)

    def _solve(self, s: Array) -> Array:
        return self._power(-1.0, s)

    def _sqrt(self, s: Array) -> Array:
        return self._power(0.5, s)

    def _inverse_sqrt(self, s: Array) -> Array:
        return self._power(-0.5, s)

    def _square(self, s: Array) -> Array:
        return self._quadratic(1.0, s)

    def _dual_square(self, g: Array) -> Array:
        return self._quadratic(-1.0, g)

    def _quadratic(self, p: float, s: Array) -> Array:
        """s'M^p s as a sum of positive terms."""
        xp = namespace(s)
        inside, outside = self._split(s)
        image = xp.vecdot(inside, (self._shift + self._theta) ** p * inside)
        return image if outside is None else image + self._shift**p * xp.vecdot(outside, outside)

    def _eigenvalue_range(self) -> tuple[float, float]:
        return self._range

    def upper_eigenvalue(self) -> float:
        """The largest eigenvalue, rounded up."""
        return self._range[1] * (1.0 + self._slack())

    def lower_eigenvalue(self) -> float:
        """The smallest eigenvalue, rounded down."""
        return self._range[0] * (1.0 - min(0.5, self._slack()))

    def _slack(self) -> float:
        return 8.0 * (int(self._theta.shape[0]) + 1) * eps(self._theta.dtype)


def _number(value: Any, name: str) -> float:
    """A Python float from a real number or a 0-d array."""
    if is_array(value) and value.ndim == 0:
        return to_float(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArrayTypeError(f"{name} must be a real number, got {type(value).__name__}")
    return float(value)


def _scales(scale: Any, U: Array) -> Array:
    """`scale` as a finite vector with one entry for each column of U."""
    m = U.shape[1]
    if is_array(scale) and scale.ndim > 0:
        scale = real_vector(scale, "scale")
        if scale.shape[0] != m:
            raise ShapeError(f"scale has length {scale.shape[0]} but U has {m} columns")
        same_home(scale, U, "scale", "U")
        all_finite(scale, "scale")
        return scale
    value = _number(scale, "scale")
    if not math.isfinite(value):
        raise NonFiniteError(f"scale is {value}")
    return namespace(U).full((m,), value, dtype=U.dtype, device=device_of(U))


def _advice(room: int | None) -> str:
    """The rank that would do, where so many more vectors fit."""
    return "U needs fewer columns." if room is None else f"U can have {room // 2:,} columns."


def _decompose(U: Array, scales: Array) -> tuple[Array, Array]:
    """Z and theta with U diag(scales) U' = Z diag(theta) Z' and Z'Z = I."""
    xp = namespace(U)
    if U.shape[1] == 0:
        return U, scales
    Q, R = xp.linalg.qr(U, mode="reduced")
    if to_float(xp.min(scales)) >= 0.0:
        # Singular values keep small theta to eps sqrt(theta max theta), not eps max theta.
        W, values, _ = xp.linalg.svd(R * xp.sqrt(scales)[None, :], full_matrices=False)
        return Q @ W, values**2
    values, W = xp.linalg.eigh((R * scales[None, :]) @ xp.matrix_transpose(R))
    return Q @ W, values
