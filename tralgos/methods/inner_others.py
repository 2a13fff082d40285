"""Inner solvers beside the Krylov space: the dense reduction, and the certified subproblem."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tralgos.arrays import Array, device_of, namespace, to_float
from tralgos.memory import allocating
from tralgos.methods.inner import InnerStep, Units, gradient_scale, near_one, no_step
from tralgos.norms import Norm
from tralgos.operators import DenseOperator, Operator
from tralgos.subproblems.direct import DenseReduction, no_matrix
from tralgos.subproblems.model import Model
from tralgos.subproblems.subproblem import Subproblem
from tralgos.subproblems.tridiagonal import CubicTarget, Target, solve_reduced

__all__ = ["DirectInner", "SubproblemInner", "multiplied_out"]


class DirectInner:
    """A dense Hessian, reduced once: every parameter is solved for to rounding, at no product.

    Parameters
    ----------
    H : DenseOperator
        Symmetric; its lower triangle is read on NumPy.
    g : array, shape (n,)
    norm : Norm

    Raises
    ------
    NonFiniteError
        If H has NaN or infinity.
    """

    def __init__(self, H: DenseOperator, g: Array, norm: Norm) -> None:
        size = H.magnitude
        self._model = model = Model(
            H,
            g,
            norm,
            hessian_scale=near_one(size) if math.isfinite(size) else 1.0,
            gradient_scale=gradient_scale(g),
        )
        self._reduction = DenseReduction(model, H.array)
        self._units = Units.of(model)
        self.gradient_norm = float(np.linalg.norm(self._reduction.c)) * model.gradient_scale

    def curvature_along_gradient(self) -> float:
        """See :class:`~tralgos.methods.inner.InnerSolver`."""
        c = self._reduction.c / np.linalg.norm(self._reduction.c)
        return float(c @ self._times(c)) * self._units.hessian

    def trust_region(self, radius: float) -> InnerStep:
        """See :class:`~tralgos.methods.inner.InnerSolver`."""
        return self._step(self._units.radius(radius), radius)

    def cubic(self, sigma: float) -> InnerStep:
        """See :class:`~tralgos.methods.inner.InnerSolver`."""
        return self._step(self._units.sigma(sigma), math.inf)

    def trust_region_again(self, radius: float) -> InnerStep | None:
        """See :class:`~tralgos.methods.inner.InnerSolver`."""
        return self.trust_region(radius)

    def cubic_again(self, sigma: float) -> InnerStep | None:
        """See :class:`~tralgos.methods.inner.InnerSolver`."""
        return self.cubic(sigma)

    def _times(self, h: np.ndarray) -> np.ndarray:
        T = self._reduction.T
        product: np.ndarray = T.diagonal * h
        product[1:] += T.off_diagonal * h[:-1]
        product[:-1] += T.off_diagonal * h[1:]
        return product

    def _step(self, target: Target | None, radius: float) -> InnerStep:
        if target is None:
            return no_step(self._model.g)
        c, units = self._reduction.c, self._units
        solution = solve_reduced(self._reduction.T, c, target)
        h, product = solution.h, self._times(solution.h)
        length = float(np.linalg.norm(h))
        value = float(c @ h) + 0.5 * float(h @ product)
        if isinstance(target, CubicTarget):
            value += target.sigma / 3.0 * length * length * length
        vector = self._reduction.step(h)
        residual = np.linalg.norm(product + solution.multiplier * h + c)
        return InnerStep(
            vector=vector if units.length == 1.0 else vector * units.length,
            norm=min(length * units.length, radius),
            decrease=-value * units.gradient * units.length,
            residual=float(residual) * units.gradient,
            on_boundary=math.isfinite(radius) and not solution.interior,
            gap=None,
            status="exact to rounding",
        )


class SubproblemInner:
    """A model solved by :class:`tralgos.Subproblem`: certified, or by a method of choice.

    Parameters
    ----------
    H : Operator
    g : array, shape (n,)
    norm : Norm
    options : mapping
        Keywords of :class:`tralgos.Subproblem`.
    """

    def __init__(self, H: Any, g: Array, norm: Norm, **options: Any) -> None:
        self._subproblem = Subproblem(H, g, norm, **options)
        self._H, self._g, self._norm = H, g, norm
        self.gradient_norm = norm.dual_norm(g)

    def curvature_along_gradient(self) -> float:
        """See :class:`InnerSolver`."""
        direction = self._norm.solve(self._g)
        direction = direction * (1.0 / self._norm.norm(direction))
        product: Array = self._H @ direction
        return to_float(namespace(direction).vecdot(direction, product))

    def trust_region(self, radius: float) -> InnerStep:
        """See :class:`InnerSolver`."""
        return self._step(self._subproblem.trust_region, radius)

    def cubic(self, sigma: float) -> InnerStep:
        """See :class:`InnerSolver`."""
        return self._step(self._subproblem.cubic, sigma)

    def trust_region_again(self, radius: float) -> InnerStep | None:
        """None: another radius may cost products."""
        return None

    def cubic_again(self, sigma: float) -> InnerStep | None:
        """None, likewise."""
        return None

    def _step(self, solve: Callable[[float], Any], parameter: float) -> InnerStep:
        result = solve(parameter)
        certificate = result.certificate
        gap = certificate.relative_gap
        return InnerStep(
            vector=result.step,
            norm=self._norm.norm(result.step),
            decrease=result.model_decrease,
            residual=certificate.stationarity * self.gradient_norm,
            on_boundary=result.on_boundary,
            gap=gap if math.isfinite(gap) else None,
            status=result.status.name,
        )


def multiplied_out(H: Operator, g: Array) -> DenseOperator:
    """H as a dense matrix, at n products."""
    xp, n = namespace(g), int(g.shape[0])
    with allocating("the Hessian multiplied out", n, n, g, no_matrix(g)):
        product = H.matmat(xp.eye(n, dtype=g.dtype, device=device_of(g)))
    return DenseOperator(0.5 * (product + xp.matrix_transpose(product)))
