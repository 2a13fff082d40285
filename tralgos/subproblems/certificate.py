"""The certificate: how far a step can be from the global minimum, from the step itself.

For a pair (s, lambda), lambda >= 0, write rho = (H + lambda M) s + g and let mu be a
lower bound on the smallest eigenvalue of the pencil (H + lambda M, M). For every p
in the region, with t = ||p - s||_M <= D,

    q(s) - q(p) <= slack + max over 0 <= t <= D of ( ||rho||_{M^-1} t - mu t^2 / 2 ),

since the Lagrangian is a quadratic that equals q up to a term of known sign, curves
at least by mu, and has the gradient rho at s. For the ball, slack = lambda (r^2 -
||s||^2) / 2 and D = r + ||s||; for the cubic, slack = sigma (x - a)^2 (2x + a) / 6 with
x = ||s||, a = lambda / sigma. One formula serves every sign of mu.

Three sharpenings, each costing little:

- any correction c moves the expansion point: with L the Lagrangian, the bound holds
  for s with L(s) - L(s + c) added and rho, D taken at s + c (:func:`corrected_gap`);
- the residual of a Lanczos step is a multiple of the next Lanczos vector, whose
  energy a Gauss-Radau rule bounds from the tridiagonal matrix (:func:`radau_curvature`);
- whatever of the true residual the recurrence does not show is added by the
  triangle inequality in the energy norm (:func:`recurrence_gap`).

The derivations are in the documentation, page "The certificate".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tralgos.arrays import Array
from tralgos.errors import NonFiniteError
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget, Target, Tridiagonal

__all__ = [
    "ROUNDING_MULTIPLE",
    "Correction",
    "Measured",
    "corrected_gap",
    "measure",
    "nothing",
    "quadratic_gap",
    "radau_curvature",
    "recurrence_gap",
    "rounding_level",
]

#: c of the gap c eps (||H||_M r^2 + ||g|| r) that the rounding of the data leaves.
ROUNDING_MULTIPLE = 64.0


@dataclass(frozen=True)
class Measured:
    """A step with the figures that its certificate needs, in the units of the model.

    Attributes
    ----------
    step : array, shape (n,)
        s; for the ball, ||s||_M <= r as computed.
    residual : array, shape (n,)
        rho = (H + lambda M) s + g.
    multiplier : float
        lambda.
    step_norm : float
        ||s||_M.
    residual_norm : float
        ||rho|| in the dual norm.
    curvature_norm : float
        ||H s|| in the dual norm, the size that rho is compared with where g = 0.
    decrease : float
        -q(s), of the cubic model for the cubic problem.
    """

    step: Array
    residual: Array
    multiplier: float
    step_norm: float
    residual_norm: float
    curvature_norm: float
    decrease: float

    def slack(self, target: Target) -> float:
        """What the Lagrangian at s lies above q, at most, over its excess elsewhere."""
        if isinstance(target, CubicTarget):
            return _cubic_slack(self.step_norm, self.multiplier, target.sigma)
        r, x = target.radius, self.step_norm
        return 0.5 * self.multiplier * max(r - x, 0.0) * (r + x)

    def reach(self, target: Target, gamma: float, mu: float) -> float:
        """D: no candidate for the minimum lies farther from s. `gamma` is ||g||."""
        return self.step_norm + candidate_radius(target, gamma, self.multiplier, mu)

    def at_multiplier(self, model: Model, multiplier: float) -> Measured:
        """The same step with the residual of another multiplier; no products with H."""
        if multiplier == self.multiplier:
            return self
        weight = model.norm.apply(self.step)
        residual = self.residual + (multiplier - self.multiplier) * weight
        (square,) = model.fetch(model.dot(residual, model.norm.solve(residual)))
        return replace(
            self,
            residual=residual,
            multiplier=multiplier,
            residual_norm=math.sqrt(max(square, 0.0)),
        )


def candidate_radius(target: Target, gamma: float, multiplier: float, mu: float) -> float:
    """A radius that holds every global minimiser: r, or R of the cubic's growth."""
    if isinstance(target, RadiusTarget):
        return target.radius
    # sigma R^2 / 3 = gamma + b R with b = max(0, lambda - mu) / 2, its positive root.
    b = 0.5 * max(0.0, multiplier - mu)
    third = target.sigma / 3.0
    return (b + math.hypot(b, 2.0 * math.sqrt(third) * math.sqrt(gamma))) / (2.0 * third)


def _cubic_slack(x: float, multiplier: float, sigma: float) -> float:
    a = multiplier / sigma
    return sigma / 6.0 * (x - a) ** 2 * (2.0 * x + a)


def measure(
    model: Model,
    step: Array,
    multiplier: float,
    target: Target,
    *,
    boundary: bool,
    as_is: bool = False,
) -> Measured:
    """Put the step on or into the region and compute its figures: one product with H.

    Parameters
    ----------
    step : array, shape (n,)
        s before scaling; written over by nobody.
    boundary : bool
        Whether the step is meant to have the length of the radius.
    as_is : bool
        Whether the step is left alone even where it is outside the region.
    """
    norm = model.norm
    if isinstance(target, RadiusTarget) and not as_is:
        step = _fitted(model, step, target.radius, boundary=boundary)
    product = model.hess(step)
    weight = norm.apply(step)
    residual = product + model.g
    if multiplier != 0.0:
        residual = residual + multiplier * weight
    dot = model.dot
    ss, gs, hs, rr, hh = model.fetch(
        dot(step, weight),
        dot(model.g, step),
        dot(step, product),
        dot(residual, norm.solve(residual)),
        dot(product, norm.solve(product)),
    )
    length = math.sqrt(max(ss, 0.0))
    decrease = -(gs + 0.5 * hs)
    if isinstance(target, CubicTarget):
        decrease -= target.sigma / 3.0 * length**3
    elif not as_is:
        length = min(length, target.radius)
    root = [math.sqrt(max(v, 0.0)) for v in (rr, hh)]
    return Measured(step, residual, multiplier, length, root[0], root[1], decrease)


def nothing(model: Model, gamma: float) -> Measured:
    """The zero step, which can be measured without a product."""
    zero = model.xp.zeros_like(model.g)
    return Measured(zero, model.g, 0.0, 0.0, gamma, 0.0, 0.0)


def _fitted(model: Model, step: Array, radius: float, *, boundary: bool) -> Array:
    """`step` scaled so that its computed norm is the radius (or at most that), never above."""
    length = model.norm.norm(step)
    if not math.isfinite(length):
        raise NonFiniteError(f"the step has the norm {length} after product {model.matvecs} with H")
    if length <= radius and not boundary:
        return step
    if length == 0.0:
        return step
    # A few units below, so that the norm as computed does not come out above.
    margin = 2.0 * model.eps
    while True:
        factor = (radius / length) * (1.0 - margin)
        candidate = step if length <= radius and factor <= 1.0 else step * factor
        if model.norm.norm(candidate) <= radius:
            return candidate
        margin *= 4.0


def quadratic_gap(residual: float, mu: float, reach: float) -> float:
    """The maximum of residual t - mu t^2 / 2 over 0 <= t <= reach."""
    if residual < mu * reach:
        return 0.5 * residual * (residual / mu)
    return reach * (residual - 0.5 * mu * reach)


def radau_curvature(T: Tridiagonal, beta: float, multiplier: float, nu: float) -> float | None:
    """A curvature that bounds the energy of the next Lanczos vector: Gauss-Radau.

    With A = H + lambda M >= nu M > 0 and q the next vector, q'A^-1 q <= 1 / mu_eff for
    mu_eff = alpha - beta^2 e'(T + lambda)^-1 e, where alpha gives the extended matrix the
    eigenvalue nu (Golub and Meurant 2010, section 6.2). The difference that this is
    equals nu (1 + beta^2 x'y) for the two solves x, y below, so nothing cancels.

    Returns None where T + lambda - nu is not positive definite: nu is no lower bound.
    """
    plain, lowered = T.factor(multiplier), T.factor(multiplier - nu)
    if nu <= 0.0 or plain is None or lowered is None:
        return None
    last = np.zeros(T.order)
    last[-1] = 1.0
    product = float(plain.solve(last) @ lowered.solve(last))
    return nu * (1.0 + beta * beta * max(product, 0.0))


def recurrence_gap(
    recurrence_norm: float, radau: float, difference_norm: float, mu: float
) -> float:
    """The residual's energy bound from its Lanczos part and the norm of the rest.

    `recurrence_norm` is the norm of the part along the next Lanczos vector, whose
    energy is at most that squared over `radau`; the rest costs `difference_norm`
    squared over mu > 0. Valid over all of space.
    """
    energy = recurrence_norm / math.sqrt(radau) + difference_norm / math.sqrt(mu)
    return 0.5 * energy * energy


@dataclass(frozen=True)
class Correction:
    """c with ||(H + lambda M) c + rho||_{M^-1} <= error ||c||_M.

    Attributes
    ----------
    vector : array, shape (n,)
        c.
    error : float
        Backward error of the solve, relative to M.
    """

    vector: Array
    error: float


def corrected_gap(
    model: Model,
    measured: Measured,
    correction: Correction,
    target: Target,
    *,
    gamma: float,
    mu: float,
) -> float:
    """The bound for s with the Lagrangian expanded at s + c instead; no products with H.

    With delta = (H + lambda M) c + rho, L(s) - L(s + c) = -(rho'c + c'delta) / 2: to
    rounding this is rho'(H + lambda M)^-1 rho / 2, the least that this lambda can prove.
    The bound is valid for any c; what delta leaves is bounded as any residual is.
    """
    norm, dot, c = model.norm, model.dot, correction.vector
    moved = measured.step + c
    linear, cc, ss = model.fetch(
        dot(measured.residual, c), dot(c, norm.apply(c)), dot(moved, norm.apply(moved))
    )
    length = math.sqrt(max(cc, 0.0))
    delta = correction.error * length
    reach = math.sqrt(max(ss, 0.0)) + candidate_radius(target, gamma, measured.multiplier, mu)
    descent = -0.5 * linear + 0.5 * length * delta
    return max(descent, 0.0) + quadratic_gap(delta, mu, reach) + measured.slack(target)


def rounding_level(eps: float, size: float, gamma: float, reach: float) -> float:
    """The gap that the rounding of H and g leaves: c eps (||H|| R^2 + ||g|| R)."""
    return ROUNDING_MULTIPLE * eps * (size * reach * reach + gamma * reach)
