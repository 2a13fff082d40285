"""Inner solvers of the minimisers: one model, many radii or sigmas.

A minimiser wants steps that are good enough at few products, and pays for no
certificate. :class:`KrylovInner` keeps the Krylov space of the gradient: another radius
is solved for in it and extends it only where it has to, and the step, its length and
its decrease come from the recurrence, at no product of their own.
:class:`SubproblemInner` hands the model to :class:`tralgos.Subproblem` for a certified
or a chosen solver.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tralgos.arrays import Array, namespace, to_float
from tralgos.norms import Norm
from tralgos.operators import Operator
from tralgos.subproblems.krylov import KrylovSpace, KrylovStep
from tralgos.subproblems.model import Model
from tralgos.subproblems.subproblem import Subproblem
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget, Target
from tralgos.subproblems.validation import power_of_two_scale

__all__ = ["InnerSolver", "InnerStep", "KrylovInner", "SubproblemInner"]


@dataclass(frozen=True)
class InnerStep:
    """A step for one radius or sigma, and what its solver says of it.

    Attributes
    ----------
    vector : array, shape (n,)
        s.
    norm : float
        ||s||_M.
    decrease : float
        -q(s), or of the cubic model.
    residual : float
        ||(H + lambda M) s + g|| in the dual norm.
    on_boundary : bool
        Whether ||s||_M is the radius.
    gap : float or None
        Estimated or certified gap over the decrease.
    status : str
        How the solver ended.
    """

    vector: Array = field(repr=False)
    norm: float
    decrease: float
    residual: float
    on_boundary: bool
    gap: float | None
    status: str


class InnerSolver(Protocol):
    """One model g's + s'Hs/2 in a norm."""

    #: ||g|| in the dual norm.
    gradient_norm: float

    def curvature_along_gradient(self) -> float:
        """w'Hw / w'Mw for w = M^-1 g: at most one product, which the solutions use."""

    def trust_region(self, radius: float) -> InnerStep:
        """A step for a radius."""

    def cubic(self, sigma: float) -> InnerStep:
        """A step for a weight sigma/3 of ||s||_M^3."""

    def trust_region_again(self, radius: float) -> InnerStep | None:
        """A step for another radius at no product; None if that can not be had."""

    def cubic_again(self, sigma: float) -> InnerStep | None:
        """A step for another sigma at no product; None if that can not be had."""


class KrylovInner:
    """The Krylov space of the gradient, extended as far as a step needs it.

    Parameters
    ----------
    H : Operator
        Symmetric.
    g : array, shape (n,)
        Not zero.
    norm : Norm
    rtol : float
        The space is extended until the estimated gap is below `rtol` of the decrease,
    residual : float
        or the residual is below this (in the dual norm).
    boundary_rtol : float
        In place of `rtol`, if that is less, where the radius binds or the cubic term
        outweighs the curvature: then it is not the model that limits progress.
    memory : int
        Bytes for the basis.
    """

    def __init__(
        self,
        H: Operator,
        g: Array,
        norm: Norm,
        *,
        rtol: float,
        residual: float,
        boundary_rtol: float,
        memory: int,
    ) -> None:
        size = norm_size(g)
        self._model = model = Model(H, g, norm, gradient_scale=power_of_two_scale(size, g.dtype))
        self._rtol, self._residual, self._boundary_rtol = rtol, residual, boundary_rtol
        self._scale_hessian(model)
        self._space = KrylovSpace(model, memory=memory, limit=4 * model.n + 20)
        self.gradient_norm = self._space.gamma * model.gradient_scale

    @staticmethod
    def _scale_hessian(model: Model) -> None:
        """Take the size of H out, as its first product shows it; the product is kept."""
        direction = model.norm.solve(model.g)
        product = model.hess(direction)
        above, below = norm_size(product), norm_size(direction)
        if math.isfinite(above) and above > 0.0:
            scale = power_of_two_scale(above / below, model.g.dtype)
            model.hessian_scale = scale
            product = product if scale == 1.0 else product * (1.0 / scale)
        model.first_product = product

    def curvature_along_gradient(self) -> float:
        """See :class:`InnerSolver`."""
        run = self._space.lanczos
        assert run is not None
        if run.order == 0:
            self._space.extend(1)
        return float(run.alphas[0]) * self._model.hessian_scale

    def trust_region(self, radius: float) -> InnerStep:
        """See :class:`InnerSolver`."""
        return self._step(self._converge(self._radius(radius)), radius)

    def cubic(self, sigma: float) -> InnerStep:
        """See :class:`InnerSolver`."""
        return self._step(self._converge(self._sigma(sigma)), math.inf)

    def trust_region_again(self, radius: float) -> InnerStep | None:
        """See :class:`InnerSolver`."""
        return self._step(self._space.step(self._radius(radius)), radius)

    def cubic_again(self, sigma: float) -> InnerStep | None:
        """See :class:`InnerSolver`."""
        return self._step(self._space.step(self._sigma(sigma)), math.inf)

    def _sigma(self, sigma: float) -> CubicTarget:
        h, c = self._model.hessian_scale, self._model.gradient_scale
        return CubicTarget(sigma / h * (c / h))

    def _radius(self, radius: float) -> RadiusTarget:
        return RadiusTarget(radius * (self._model.hessian_scale / self._model.gradient_scale))

    def _converge(self, target: Target) -> KrylovStep:
        space = self._space
        if space.lanczos is not None and space.lanczos.order == 0:
            space.extend(1)
        step = space.step(target)
        while not space.finished and not self._enough(step, target):
            order = space.lanczos.order if space.lanczos is not None else 0
            space.extend(max(1, order // 16))
            step = space.step(target, start=step.solution.multiplier)
        return step

    def _enough(self, step: KrylovStep, target: Target) -> bool:
        rtol = max(self._rtol, self._boundary_rtol) if self._binds(step, target) else self._rtol
        found = step.residual * self._model.gradient_scale
        return step.gap <= rtol * step.decrease or found <= self._residual

    def _binds(self, step: KrylovStep, target: Target) -> bool:
        """Whether the radius, or the cubic term, limits the step more than the curvature."""
        if isinstance(target, RadiusTarget):
            return not step.solution.interior
        run = self._space.lanczos
        return run is not None and run.T.leftmost_value() < 0.5 * step.solution.multiplier

    def _step(self, step: KrylovStep, radius: float) -> InnerStep:
        h, c = self._model.hessian_scale, self._model.gradient_scale
        length = c / h
        vector = self._space.assemble(step.solution.h)
        return InnerStep(
            vector=vector if length == 1.0 else vector * length,
            norm=min(float(np.linalg.norm(step.solution.h)) * length, radius),
            decrease=step.decrease * c * length,
            residual=step.residual * c,
            on_boundary=math.isfinite(radius) and not step.solution.interior,
            gap=step.gap / step.decrease if step.decrease > 0.0 else None,
            status="estimated",
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
        self._free = options.get("method") == "direct"

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
        """See :class:`InnerSolver`."""
        return self.trust_region(radius) if self._free else None

    def cubic_again(self, sigma: float) -> InnerStep | None:
        """See :class:`InnerSolver`."""
        return self.cubic(sigma) if self._free else None

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


def norm_size(x: Array) -> float:
    """max|x|: one transfer."""
    xp = namespace(x)
    return to_float(xp.max(xp.abs(x)))
