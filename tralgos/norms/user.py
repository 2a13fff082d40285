"""What a matrix norm does with an operator M and a user's function for M^-1."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tralgos.arrays import Array, device_of, eps, namespace, same_home, standard_normal, to_host
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.operators import Operator, check_symmetric

__all__ = ["UserMatrix"]


class UserMatrix:
    """Products by an operator, solves by a function of the user's."""

    has_sqrt = False
    has_half = False

    def __init__(self, M: Operator, solve: Callable[[Array], Array]) -> None:
        if M.shape[0] != M.shape[1] or M.shape[0] == 0:
            raise ShapeError(f"M must be square and not empty, got shape {M.shape}")
        if not callable(solve):
            raise ArrayTypeError(f"solve must be a function, got {type(solve).__name__}")
        self.home, self.n = M.home, M.shape[0]
        self.operator = M
        self._user_solve = solve

    def apply(self, s: Array) -> Array:
        """M s."""
        return self.operator.matvec(s) if s.ndim == 1 else self.operator.matmat(s)

    def solve(self, s: Array) -> Array:
        """M^-1 s, a column at a time."""
        if s.ndim == 1:
            return self._checked_solve(s)
        xp = namespace(s)
        if s.shape[1] == 0:
            return xp.zeros(s.shape, dtype=s.dtype, device=device_of(s))
        return xp.stack([self._checked_solve(s[:, j]) for j in range(s.shape[1])], axis=1)

    def eigenvalue_range(self) -> None:
        """Not known."""
        return None

    def bounds(self) -> tuple[None, None]:
        """Not known."""
        return None, None

    def _checked_solve(self, s: Array) -> Array:
        x = self._user_solve(s)
        shape = getattr(x, "shape", None)
        if shape is None or tuple(shape) != tuple(s.shape):
            raise ShapeError(
                f"solve was given a vector of length {s.shape[0]} and returned "
                f"{type(x).__name__ if shape is None else f'shape {tuple(shape)}'}"
            )
        if type(x) is not type(s) or x.dtype != s.dtype:
            same_home(x, s, "what solve returned", "its argument")
        return x

    def check(
        self,
        like: Array,
        *,
        rng: np.random.Generator,
        bounds: tuple[float, float] | None = None,
    ) -> float:
        """The defect of M solve(z) = z for a random z; errors as :meth:`MatrixNorm.check_solve`."""
        check_symmetric(self.operator, like, rng=rng)
        xp = namespace(like)
        z = standard_normal(self.n, like, rng)
        x, Mz = self.solve(z), self.apply(z)
        residual = self.apply(x) - z
        # Vectors of one size before they are squared, so that M = 1e-160 I does no harm.
        x_size, m_size = (_power_of_two(v, name) for v, name in ((x, "solve"), (Mz, "M")))
        x, Mz = x / x_size, Mz / m_size
        pairs = [(z, z), (x, z), (z, Mz), (residual, residual), (x, x), (Mz, Mz)]
        forms = to_host(xp.stack([xp.vecdot(a, b) for a, b in pairs])).tolist()
        zz, xz, zMz, rr, xx, mm = (float(value) for value in forms)
        if not all(math.isfinite(v) for v in (zz, xz, zMz, rr, xx, mm)):
            raise NonFiniteError("M or solve made a product with NaN or infinity")
        if xz <= 0.0 or zMz <= 0.0:
            raise NotPositiveDefiniteError(
                "M is not positive definite: "
                + ("z'Mz" if zMz <= 0.0 else "z'solve(z)")
                + " is not positive for a random z"
            )
        quotient = zMz * m_size / zz
        slack = 1.0 + 1e4 * eps(like.dtype)
        if bounds is not None and not bounds[0] / slack <= quotient <= bounds[1] * slack:
            raise ArgumentError(
                f"bounds = {bounds} on the eigenvalues of M do not hold: z'Mz / z'z is "
                f"{quotient:.6g} for a random z"
            )
        # What a backward stable solve leaves is a multiple of eps ||M|| ||x||.
        scale = math.sqrt(zz) + math.sqrt(mm / zz) * math.sqrt(xx) * m_size * x_size
        return math.sqrt(rr) / scale


def _power_of_two(x: Array, name: str) -> float:
    """A power of two near max|x|, 1 if x = 0."""
    size = float(to_host(namespace(x).max(abs(x))))
    if not math.isfinite(size):
        raise NonFiniteError(f"{name} made a product with NaN or infinity")
    return 1.0 if size == 0.0 else 2.0 ** math.frexp(size)[1]
