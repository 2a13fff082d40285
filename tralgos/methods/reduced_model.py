"""The model of one point in a basis in which the Hessian is tridiagonal, and steps from it.

A dense H is reduced to T in all of the space, once; otherwise the basis is that of the Krylov space
of g, extended as far as a step is worth it. Either reduction is kept through the trials from one
point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tralgos.arrays import Array
from tralgos.methods.inner import InnerStep, KrylovInner, Units
from tralgos.methods.inner_others import DirectInner
from tralgos.norms import EuclideanNorm
from tralgos.operators import Operator
from tralgos.subproblems.selection import DEFAULT_MEMORY
from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["DampedStep", "DirectReduction", "KrylovReduction", "Reduction", "step_of"]

#: The longest Krylov space of one step.
_LONGEST = 500


class _Scaled:
    """The units of a reduction."""

    _units: Units

    @property
    def hessian_scale(self) -> float:
        """The unit of T."""
        return self._units.hessian

    @property
    def gradient_scale(self) -> float:
        """The unit of c."""
        return self._units.gradient


class DirectReduction(_Scaled, DirectInner):
    """All of a dense Hessian: T is similar to it, and nothing is left out.

    Attributes
    ----------
    coupling : float
        0: what couples the basis to the rest of the space.
    finished : bool
        True.
    """

    coupling = 0.0
    finished = True

    @property
    def T(self) -> Tridiagonal:
        """The Hessian in the basis, over `hessian_scale`."""
        return self._reduction.T

    @property
    def c(self) -> np.ndarray:
        """The gradient in the basis, over `gradient_scale`."""
        return self._reduction.c

    def sufficient(self, residual: float) -> bool:
        """True."""
        return True

    def extend(self) -> None:
        """Nothing."""

    def vector(self, h: np.ndarray) -> Array:
        """The step with the coefficients h, in its own units."""
        return self._reduction.step(h) * self._units.length


class KrylovReduction(_Scaled, KrylovInner):
    """The Krylov space of the gradient, as far as it goes; attributes as for the direct one.

    Parameters
    ----------
    H : Operator
        Symmetric.
    g : array, shape (n,)
        Not zero.
    residual : float
        What is left of the equations may be this large.
    """

    def __init__(self, H: Operator, g: Array, residual: float) -> None:
        norm = EuclideanNorm()
        super().__init__(
            H, g, norm, rtol=0.0, residual=residual, boundary_rtol=0.0, memory=DEFAULT_MEMORY
        )
        assert self._space.lanczos is not None
        self._lanczos = self._space.lanczos
        self._space.extend(1)

    @property
    def T(self) -> Tridiagonal:
        """The Hessian in the basis, over `hessian_scale`."""
        return self._lanczos.T

    @property
    def c(self) -> np.ndarray:
        """The gradient in the basis, over `gradient_scale`."""
        c = np.zeros(self._lanczos.order)
        c[0] = self._space.gamma
        return c

    @property
    def coupling(self) -> float:
        """The entry that would stand next in T."""
        return 0.0 if self._lanczos.invariant else self._lanczos.beta

    @property
    def finished(self) -> bool:
        """Whether the space is to grow no further."""
        return self._space.finished or self._lanczos.order >= _LONGEST

    def sufficient(self, residual: float) -> bool:
        """Whether no more accuracy is wanted."""
        return residual * self._units.gradient <= self._residual

    def extend(self) -> None:
        """A product, or a sixteenth of those so far."""
        self._space.extend(max(1, self._lanczos.order // 16))

    def vector(self, h: np.ndarray) -> Array:
        """The step with the coefficients h, in its own units."""
        return self._space.assemble(h) * self._units.length


Reduction = DirectReduction | KrylovReduction


@dataclass(frozen=True)
class DampedStep(InnerStep):
    """A step, and the lambda or the share of the whole step that it belongs to.

    `residual` is the norm of the gradient that the model has at the step.

    Attributes
    ----------
    parameter : float
    penalty : float
        lambda s'Ds / 2.
    """

    parameter: float
    penalty: float = 0.0


def step_of(
    model: Reduction,
    h: np.ndarray,
    figures: tuple[float, float],
    parameter: float,
    penalty: float = 0.0,
) -> DampedStep:
    """The step with the coefficients h; decrease and residual (`figures`) and penalty scaled."""
    length = float(np.linalg.norm(h))
    if not 0.0 < length < math.inf:
        nothing = model.vector(np.zeros_like(h))
        return DampedStep(nothing, 0.0, 0.0, 0.0, False, None, "no step", parameter)
    vector = model.vector(h)
    unit = model.gradient_scale * (model.gradient_scale / model.hessian_scale)
    return DampedStep(
        vector=vector,
        norm=EuclideanNorm().norm(vector),
        decrease=figures[0] * unit,
        residual=figures[1] * model.gradient_scale,
        on_boundary=False,
        gap=None,
        status="exact to rounding" if isinstance(model, DirectReduction) else "estimated",
        parameter=parameter,
        penalty=penalty * unit,
    )
