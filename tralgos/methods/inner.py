"""Inner solvers of the minimisers: one model, many radii or sigmas.

A minimiser wants steps that are good enough at few products, and pays for no
certificate. :class:`KrylovInner` keeps the Krylov space of the gradient: another radius
is solved for in it and extends it only where it has to, and the step, its length and
its decrease come from the recurrence, at no product of their own. Others are in
:mod:`tralgos.methods.inner_others`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tralgos.arrays import Array, sizes
from tralgos.errors import NonFiniteError
from tralgos.norms import Norm
from tralgos.operators import Operator
from tralgos.subproblems.krylov import KrylovSpace, KrylovStep
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget, Target

__all__ = [
    "InnerSolver",
    "InnerStep",
    "KrylovInner",
    "Units",
    "gradient_scale",
    "no_step",
]


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


@dataclass(frozen=True)
class Units:
    """The units of a scaled model: parameters in, steps out.

    Attributes
    ----------
    hessian, gradient : float
        The scales of the model.
    limit : float
        Scaled parameters are kept between this and its inverse, where squares of lengths can
        be represented.
    """

    hessian: float
    gradient: float
    limit: float

    @staticmethod
    def of(model: Model) -> Units:
        """Those of a model."""
        limit = 1e30 if model.eps > 1e-8 else 1e140
        return Units(model.hessian_scale, model.gradient_scale, limit)

    @property
    def length(self) -> float:
        """The unit of s."""
        return self.gradient / self.hessian

    def radius(self, radius: float) -> RadiusTarget | None:
        """The target of a radius; None where it allows no step that can be represented."""
        scaled = radius * (self.hessian / self.gradient)
        return None if scaled < 1.0 / self.limit else RadiusTarget(min(scaled, self.limit))

    def sigma(self, sigma: float) -> CubicTarget | None:
        """The target of a sigma, as for a radius."""
        scaled = sigma / self.hessian * (self.gradient / self.hessian)
        return None if scaled > self.limit else CubicTarget(max(scaled, 1.0 / self.limit))


def no_step(g: Array) -> InnerStep:
    """The step that goes nowhere."""
    return InnerStep(0.0 * g, 0.0, 0.0, 0.0, False, None, "no step")


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
        In place of `rtol`, if it is larger, where the radius binds or the cubic term
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
        self._model = model = Model(H, g, norm, gradient_scale=gradient_scale(g))
        self._rtol, self._residual, self._boundary_rtol = rtol, residual, boundary_rtol
        self._scale_hessian(model)
        self._units = Units.of(model)
        self._space = KrylovSpace(model, memory=memory, limit=4 * model.n + 20)
        self.gradient_norm = self._space.gamma * model.gradient_scale

    @staticmethod
    def _scale_hessian(model: Model) -> None:
        """Take the size of H out, as its first product shows it; the product is kept."""
        direction = model.norm.solve(model.g)
        product = model.hess(direction)
        above, below = sizes(product, direction)
        if math.isfinite(above) and above > 0.0:
            scale = near_one(above / below)
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
        return self._solved(self._units.radius(radius), radius, self._converge)

    def cubic(self, sigma: float) -> InnerStep:
        """See :class:`InnerSolver`."""
        return self._solved(self._units.sigma(sigma), math.inf, self._converge)

    def trust_region_again(self, radius: float) -> InnerStep | None:
        """See :class:`InnerSolver`."""
        return self._solved(self._units.radius(radius), radius, self._space.step)

    def cubic_again(self, sigma: float) -> InnerStep | None:
        """See :class:`InnerSolver`."""
        return self._solved(self._units.sigma(sigma), math.inf, self._space.step)

    def _solved(
        self, target: Target | None, radius: float, solve: Callable[[Target], KrylovStep]
    ) -> InnerStep:
        return no_step(self._model.g) if target is None else self._step(solve(target), radius)

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
        units, length = self._units, self._units.length
        vector = self._space.assemble(step.solution.h)
        return InnerStep(
            vector=vector if length == 1.0 else vector * length,
            norm=min(float(np.linalg.norm(step.solution.h)) * length, radius),
            decrease=step.decrease * units.gradient * length,
            residual=step.residual * units.gradient,
            on_boundary=math.isfinite(radius) and not step.solution.interior,
            gap=step.gap / step.decrease if step.decrease > 0.0 else None,
            status="estimated",
        )


def gradient_scale(g: Array) -> float:
    """A power of two next to the size of g, where that is extreme: one transfer.

    Raises
    ------
    NonFiniteError
        If g has NaN or infinity.
    """
    (size,) = sizes(g)
    if not math.isfinite(size):
        raise NonFiniteError("the gradient has entries that are NaN or infinite")
    return near_one(size)


def near_one(size: float) -> float:
    """A power of two that takes `size` near one; 1 where it is within 2^-30 and 2^30.

    With H and g both of such sizes every radius and sigma of a method can be squared, whatever
    its units are.
    """
    if size == 0.0 or 2.0**-30 <= size <= 2.0**30:
        return 1.0
    return 2.0 ** min(max(round(math.log2(size)), -1022), 1022)
