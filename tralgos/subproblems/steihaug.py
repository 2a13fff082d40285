"""Truncated conjugate gradients: Steihaug-Toint in the norm of the space.

Algorithm 7.5.1 of Conn, Gould and Toint (2000), with M as the preconditioner: the
iterates grow in the norm M, so that the boundary is met at most once, and it is
the length in *that* norm that decides. ||s||_M, s'Mp and ||p||_M follow from scalars
at hand, so M is never applied and nothing but the two inner products of an
iteration is fetched, in one transfer.

The step decreases the model at least as much as the Cauchy point, its first
iterate, does. It promises no more: where CG meets the boundary or negative
curvature it stops, and the hard case is not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tralgos.arguments import check_max_matvec
from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.subproblems.callbacks import InnerCallback, InnerIterate, Phase
from tralgos.subproblems.model import BudgetExhausted, Candidate, Model
from tralgos.subproblems.validation import check_rtol

__all__ = ["Steihaug", "steihaug"]


@dataclass(frozen=True)
class Steihaug:
    """Options of the truncated conjugate gradients.

    Parameters
    ----------
    rtol : float, "forcing" or None
        CG stops when the residual in the dual norm is at most rtol ||g||. None
        is the tolerance of the caller: a solver that is called for a solution
        gives one. "forcing" is min(0.1, sqrt(||g||)) with the dual norm of g as
        it was passed, the choice for the inner steps of a minimiser (superlinear
        convergence; Nocedal and Wright 2006, Algorithm 7.1). It depends on the
        units of g.
    maxiter : int, optional
        Bound on the iterations. Default: 2n, twice what exact arithmetic needs.

    Raises
    ------
    ArgumentError
        If a value is out of its range, naming it.

    Notes
    -----
    Host transfers: 1 a product.
    """

    rtol: float | Literal["forcing"] | None = None
    maxiter: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.rtol, str):
            if self.rtol != "forcing":
                raise ArgumentError(f"rtol must be a number, 'forcing' or None, got {self.rtol!r}")
        elif self.rtol is not None:
            check_rtol(self.rtol, None)
        check_max_matvec(self.maxiter, "maxiter")

    def tolerance(self, rtol: float, gradient_norm: float) -> float:
        """The relative tolerance for the caller's `rtol` and the unscaled ||g||."""
        if isinstance(self.rtol, str):
            return min(0.1, math.sqrt(gradient_norm))
        return rtol if self.rtol is None else self.rtol


def boundary_length(size: float, inner: float, square: float, radius: float) -> float:
    """The positive tau with ||s + tau p|| = radius.

    Of the quadratic ||p||^2 tau^2 + 2 s'p tau - (r^2 - ||s||^2) = 0 the root is taken
    in the form without cancellation, with the lengths instead of their squares,
    so that nothing overflows.

    Parameters
    ----------
    size : float
        ||s||, at most the radius.
    inner : float
        s'p; not negative in CG.
    square : float
        ||p||^2, positive.
    radius : float
        r.
    """
    length = math.sqrt(square)
    along = inner / length
    room = math.sqrt(max(radius - size, 0.0)) * math.sqrt(radius + size)
    if room == 0.0:
        return 0.0 if along >= 0.0 else -2.0 * along / length
    reach = math.hypot(along, room)
    distance = room * (room / (along + reach)) if along > 0.0 else reach - along
    return distance / length


@dataclass
class _State:
    """Where CG is: s, the residual r = Hs + g, the direction p, and their scalars.

    `size` is ||s||, `inner` s'Mp, `square` ||p||^2, `energy` ||r||^2 in the dual norm.
    """

    step: Array
    residual: Array
    direction: Array
    energy: float
    square: float
    size: float = 0.0
    inner: float = 0.0
    value: float = 0.0
    iteration: int = 0


def steihaug(
    model: Model,
    radius: float,
    options: Steihaug,
    *,
    rtol: float,
    callback: InnerCallback | None = None,
) -> Candidate:
    """Truncated conjugate gradients for the ball ||s||_M <= radius.

    One product with H, one solve with M and one transfer to the host an
    iteration.

    Parameters
    ----------
    model : Model
        The scaled model.
    radius : float
        In its units.
    options : Steihaug
        See there.
    rtol : float
        The tolerance where `options` has none.
    callback : callable, optional
        Sees an :class:`InnerIterate` in the units of the model, with the
        multiplier 0 except at an end on the boundary.

    Returns
    -------
    Candidate
        Never `optimal`. s = 0 for g = 0. On the boundary the multiplier is the
        one that fits the step best, max(0, -s'(Hs + g) / r^2). When the budget of
        products runs out, the last iterate and a message.
    """
    gradient_norm = model.norm.dual_norm(model.g)
    zero = model.xp.zeros_like(model.g)
    if gradient_norm == 0.0:
        return Candidate(zero, 0.0, optimal=False, message="g = 0: there is no direction to take")
    tolerance = options.tolerance(rtol, gradient_norm * model.gradient_scale)
    limit = 2 * model.n if options.maxiter is None else options.maxiter
    energy = gradient_norm * gradient_norm
    state = _State(zero, model.g, -model.norm.solve(model.g), energy, energy)
    while True:
        residual = math.sqrt(state.energy)
        _show(model, callback, state, radius, "interior", residual)
        if residual <= tolerance * gradient_norm:
            return Candidate(state.step, 0.0, optimal=False)
        if state.iteration >= limit:
            message = f"stopped after {limit} iterations of conjugate gradients"
            return Candidate(state.step, 0.0, optimal=False, message=message)
        try:
            product = _product(model, state)
        except BudgetExhausted:
            message = "the budget of products with H was used up"
            return Candidate(state.step, 0.0, optimal=False, message=message)
        exit_message = _advance(model, state, product, radius)
        if exit_message is not None:
            return _at_boundary(model, state, product, radius, exit_message, callback)


def _product(model: Model, state: _State) -> Array:
    """H p; the first one may have been made by the checks of the input."""
    if state.iteration == 0 and model.first_product is not None:
        return -model.first_product
    return model.hess(state.direction)


def _advance(model: Model, state: _State, product: Array, radius: float) -> str | None:
    """One step of CG, or None done and the reason for an exit to the boundary."""
    xp, dot = model.xp, model.dot
    curvature = dot(state.direction, product)
    # Curvature this small takes p beyond the boundary; the division then is not made, since
    # its result could overflow. The bound is kept in the range of the dtype.
    ceiling = 2.0 ** (100 if model.eps > 1e-10 else 1000)
    floor = min(state.energy * (math.sqrt(state.square) / radius), ceiling)
    usable = curvature > floor
    one = xp.ones_like(curvature)
    length = xp.where(usable, state.energy / xp.where(usable, curvature, one), 0.0 * one)
    residual = state.residual + length * product
    preconditioned = model.norm.solve(residual)
    kappa, energy = model.fetch(curvature, dot(residual, preconditioned))
    if kappa <= 0.0:
        return "negative curvature was met"
    alpha = state.energy / kappa if kappa > floor else math.inf
    new_size = math.sqrt(
        state.size * state.size + alpha * (2.0 * state.inner + alpha * state.square)
    )
    if new_size >= radius:
        return "the boundary was met"
    state.step = state.step + alpha * state.direction
    state.value += alpha * (0.5 * alpha * kappa - state.energy)
    energy = max(energy, 0.0)
    beta = energy / state.energy
    state.inner = beta * (state.inner + alpha * state.square)
    state.square = energy + beta * (beta * state.square)
    state.size = new_size
    state.residual, state.energy = residual, energy
    state.direction = beta * state.direction - preconditioned
    state.iteration += 1
    return None


def _at_boundary(
    model: Model,
    state: _State,
    product: Array,
    radius: float,
    message: str,
    callback: InnerCallback | None,
) -> Candidate:
    """Go along p to the boundary; the last step, so its transfers do not recur."""
    tau = boundary_length(state.size, state.inner, state.square, radius)
    step = state.step + tau * state.direction
    residual = state.residual + tau * product
    # s/r, since the squares of a step in the scaled units may overflow.
    unit = (1.0 / model.norm.norm(step)) * step
    slope, gs = model.fetch(model.dot(unit, residual), model.dot(unit, model.g))
    multiplier = max(0.0, -slope / radius)
    state.step = radius * unit
    if callback is not None:
        state.size, state.iteration = radius, state.iteration + 1
        state.value = 0.5 * (slope + gs) * radius
        rest = residual + (multiplier * radius) * model.norm.apply(unit)
        _show(model, callback, state, radius, "boundary", model.norm.dual_norm(rest), multiplier)
    return Candidate(state.step, multiplier, optimal=False, message=message)


def _show(
    model: Model,
    callback: InnerCallback | None,
    state: _State,
    radius: float,
    phase: Phase,
    residual: float,
    multiplier: float = 0.0,
) -> None:
    if callback is None:
        return
    callback(
        InnerIterate(
            iteration=state.iteration,
            phase=phase,
            value=state.value,
            relative_norm=state.size / radius,
            residual=residual,
            multiplier=multiplier,
            matvecs=model.matvecs,
            step=state.step,
        )
    )
