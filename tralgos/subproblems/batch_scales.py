"""Powers of two that take the size of each problem of a batch out, and put it back.

With 2^a the size of H, 2^c that of g and r = m 2^e, m in [1/2, 1), each problem is worked on
as H~ = H / 2^a, g~ = g / 2^c and a step y with s = 2^k y, in one of two units:

- inside, k = c - a: the unconstrained minimiser y = -H~^-1 g~ does not know the radius,
  which is rho = r / 2^k there;
- on the sphere, k = e: with 2^t = max(2^a r, 2^c) the model is 2^(e + t) times
  w_g g~'y + w_H y'H~y / 2 for w_H = 2^(a + e - t) and w_g = 2^(c - t), over ||y|| <= m. One
  weight is one, and if the other vanishes it did not matter.

Everything is exact. A power may be outside the range of the dtype although the product is
not, so that each is kept as two factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tralgos.arrays import Array, device_of, eps, from_host, namespace

__all__ = ["Scales", "host_scales"]

Vector = NDArray[np.float64]

#: No ratio of radius to size is taken for larger than 2 to this: its square does not overflow.
_LARGEST = 500

#: Rows of the table of scales; a power of two has two rows, its factors.
_ROWS = (
    *("shrink_H", "shrink_g", "weight_H", "weight_g", "radius", "rho", "ratio"),
    *("step_inside", "step_inside_2", "step_sphere", "step_sphere_2"),
    *("shift_inside", "shift_inside_2", "shift_sphere", "shift_sphere_2"),
    *("value_inside", "value_inside_2", "value_sphere", "value_sphere_2"),
)


@dataclass(frozen=True, eq=False)
class Scales:
    """The scales of b problems, each an array of shape (b,) of float64.

    Attributes
    ----------
    table : array of float64, shape (19, b)
        The rows of :data:`_ROWS`.
    """

    table: Array

    def row(self, name: str) -> Array:
        """One quantity of all problems: "shrink_H" is 2^-a, "radius" m, "ratio" 2^(a + e - c)."""
        return self.table[_ROWS.index(name), :]

    def filled(self, width: int) -> Scales:
        """`width` columns, the last one repeated; NumPy alone."""
        last = self.table.shape[1] - 1
        return Scales(self.table[:, np.minimum(np.arange(width), last)])

    def restored(self, x: Array, kind: str, inside: Array, xp: Any) -> Array:
        """`x`, a figure of each problem or its step as a column, times its power of two.

        Parameters
        ----------
        x : array, shape (b,) or (n, b)
        kind : {"step", "shift", "value"}
            Step s; eigenvalue or multiplier; value of the model.
        inside : array of bool, shape (b,)
            Which of the two units `x` is in.
        """
        for suffix in ("", "_2"):
            factor = xp.where(
                inside, self.row(f"{kind}_inside{suffix}"), self.row(f"{kind}_sphere{suffix}")
            )
            x = x * (factor if x.dtype == factor.dtype else xp.astype(factor, x.dtype))
        return x


def _exponent(x: Vector) -> NDArray[np.int64]:
    """e of x = m 2^e with m in [1/2, 1)."""
    return np.frexp(x)[1].astype(np.int64)


def _factors(k: NDArray[np.int64], limit: int) -> tuple[Vector, Vector]:
    """Two powers of two with the product 2^k, each a normal number of the dtype."""
    k = np.clip(k, -2 * limit, 2 * limit)
    half = k // 2
    return np.ldexp(1.0, half), np.ldexp(1.0, k - half)


def host_scales(size_H: Vector, size_g: Vector, radius: Vector, like: Array) -> Scales:
    """The scales of problems with the largest entries `size_H`, `size_g`, sent to the device.

    Parameters
    ----------
    size_H, size_g, radius : ndarray, shape (b,)
        max|H_i|, max|g_i|, r_i, on the host.
    like : array
        Shows the library, the device, and the dtype of H.
    """
    xp = namespace(like)
    limit = 125 if eps(like.dtype) > 1e-10 else 1020
    a = np.clip(_exponent(size_H), -limit, limit)
    c = np.clip(_exponent(size_g), -limit, limit)
    m, e = np.frexp(radius)
    e = e.astype(np.int64)
    # What is zero has no size of its own, and must not make another size extreme.
    none_H, none_g = size_H == 0.0, size_g == 0.0
    a = np.where(none_H, np.where(none_g, 0, np.clip(c - e, -limit, limit)), a)
    c = np.where(none_g, np.clip(a + e, -limit, limit), c)
    t = np.maximum(a + e, c)

    def power(k: NDArray[np.int64], largest: int = 1000) -> Vector:
        return np.ldexp(1.0, np.clip(k, -1070, largest))

    inside = a + e - c
    rows = [power(-a), power(-c), power(a + e - t), power(c - t), m]
    rows += [m * power(inside, _LARGEST), power(inside)]
    for k in (c - a, e):
        rows += list(_factors(k, limit))
    # Figures are float64 whatever the dtype of the step.
    for k in (a, t - e, 2 * c - a, e + t):
        rows += list(_factors(k, 1020))
    # Float64 whatever the dtype of H: the radius is not rounded, and ratios are extreme.
    wide = xp.zeros(1, dtype=xp.float64, device=device_of(like))
    return Scales(from_host(np.stack(rows), wide))
