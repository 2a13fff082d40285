"""The quadratic model in the space of a norm, with its scale taken out.

For powers of two h and c the substitution H~ = H / h, g~ = g / c, s = (c / h) s~
turns q(s) = g's + s'Hs/2 into (c^2 / h) q~(s~), the radius r into r h / c and
the multiplier lambda into lambda / h. Every solver works on the scaled problem,
so that no inner product can overflow, and nothing else changes: a product with
a power of two is exact. The scales are 1 unless the sizes are extreme.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tralgos.arrays import Array, device_of, eps, namespace, to_float, to_host
from tralgos.errors import NonFiniteError
from tralgos.kernels import inner
from tralgos.norms import Norm
from tralgos.operators import Operator

__all__ = ["BudgetExhausted", "Candidate", "Model"]


class BudgetExhausted(Exception):
    """The next product with H would exceed ``max_matvec``; caught by the public functions."""


@dataclass(frozen=True)
class Candidate:
    """A step in scaled units, before it is certified.

    Attributes
    ----------
    step : array, shape (n,)
        s~.
    multiplier : float
        The shift lambda~ >= 0 at which the step is (nearly) stationary.
    optimal : bool
        Whether the method meant to reach the global minimum (else APPROXIMATE).
    hard_case : bool
        Whether a leftmost eigenvector was joined to the step.
    message : str
        What the method has to say, empty if nothing.
    """

    step: Array
    multiplier: float
    optimal: bool
    hard_case: bool = False
    message: str = ""


class Model:
    """q~ with its operator, gradient, norm, and the count of products with H.

    Attributes
    ----------
    g : array, shape (n,)
        The scaled gradient g~.
    norm : Norm
        The norm of the space, M.
    hessian_scale, gradient_scale : float
        h and c, powers of two.
    matvecs : int
        Products with H so far.
    max_matvec : int or None
        Bound on `matvecs`.
    reserve : int
        Products kept back for measuring the step that is returned.
    first_product : array, shape (n,), or None
        H~ M^-1 g~ where the checks of the input have computed it, else None: the
        product that every solver starts with.
    """

    def __init__(
        self,
        H: Operator,
        g: Array,
        norm: Norm,
        *,
        hessian_scale: float = 1.0,
        gradient_scale: float = 1.0,
        max_matvec: int | None = None,
    ) -> None:
        self.operator = H
        self.norm = norm
        self.hessian_scale = hessian_scale
        self.gradient_scale = gradient_scale
        self.matvecs = 0
        self.max_matvec = max_matvec
        self.reserve = 0
        self.first_product: Array | None = None
        self.xp = namespace(g)
        self.n = int(g.shape[0])
        self.eps = eps(g.dtype)
        self.g = g if gradient_scale == 1.0 else g * (1.0 / gradient_scale)

    @property
    def device(self) -> Any:
        """Device of all vectors."""
        return device_of(self.g)

    def hess(self, x: Array) -> Array:
        """H~ x: one product with H, counted.

        Raises
        ------
        BudgetExhausted
            If no more than `reserve` of the `max_matvec` products are left.
        """
        if self.max_matvec is not None and self.matvecs + self.reserve >= self.max_matvec:
            raise BudgetExhausted
        self.matvecs += 1
        y = self.operator.matvec(x)
        return y if self.hessian_scale == 1.0 else y * (1.0 / self.hessian_scale)

    def dot(self, x: Array, y: Array) -> Array:
        """x'y as a 0-d array on the device; no transfer."""
        return inner(x, y, self.xp)

    def fetch(self, *scalars: Array) -> list[float]:
        """Python floats of several 0-d arrays in one transfer.

        Raises
        ------
        NonFiniteError
            If one of them is NaN or infinite, naming the product with H after
            which it was seen.
        """
        if len(scalars) == 1:
            values = [to_float(scalars[0])]
        else:
            values = [float(v) for v in to_host(self.xp.stack(list(scalars)))]
        if not all(math.isfinite(v) for v in values):
            raise NonFiniteError(
                f"NaN or infinity after product {self.matvecs} with H (matvec {self.matvecs})"
            )
        return values
