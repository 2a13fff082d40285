"""Bring a step and the evidence on the curvature together: the gap that is proved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.subproblems.certificate import (
    ROUNDING_MULTIPLE,
    Measured,
    corrected_gap,
    quadratic_gap,
    rounding_level,
)
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import RadiusTarget, Target

__all__ = ["Outcome", "certified_gap", "decided_slack", "gap_of_rounding"]


@dataclass(frozen=True)
class Outcome:
    """A measured step and what is proved of it, in scaled units.

    Attributes
    ----------
    measured : Measured
    gap : float
        Upper bound on q(s) - min q; inf without evidence.
    mu : float
        The proved lower bound on the curvature of H + lambda M; -inf without evidence.
    boundary : bool
        Whether the step is meant to have the length of the radius.
    hard : bool
        Whether a leftmost eigenvector was joined to it.
    """

    measured: Measured
    gap: float
    mu: float
    boundary: bool
    hard: bool


def decided_slack(
    model: Model, decrease: float, rtol: float, size: float, gamma: float, reach: float
) -> float:
    """How far below zero the proved curvature may lie and still leave three quarters of the gap."""
    if reach * reach == 0.0 or math.isinf(reach):
        return 0.0
    allowed = max(rtol * decrease, rounding_level(model.eps, size, gamma, 0.5 * reach))
    return 0.5 * allowed / (reach * reach)


def certified_gap(
    model: Model, measured: Measured, target: Target, curvature: Curvature, *, gamma: float
) -> tuple[float, float]:
    """The gap of `measured` and the mu behind it, from the evidence as it stands.

    The plain residual bound, or the one with the correction of a factorisation where
    there is one and it is less; no products with H.
    """
    mu = measured.multiplier + curvature.lower
    if math.isinf(mu):
        return math.inf, -math.inf
    reach = measured.reach(target, gamma, mu)
    gap = quadratic_gap(measured.residual_norm, mu, reach) + measured.slack(target)
    proved_at = curvature.proved_at
    # A factorisation at another shift would prove the gap of another dual point.
    if proved_at is not None and abs(proved_at - measured.multiplier) <= 1e-6 * abs(proved_at):
        moved = measured.at_multiplier(model, proved_at)
        correction = curvature.correction(moved.residual)
        mu_there = proved_at + curvature.lower
        corrected = corrected_gap(model, moved, correction, target, gamma=gamma, mu=mu_there)
        gap = min(gap, corrected)
    return max(gap, 0.0), mu


def gap_of_rounding(
    model: Model,
    measured: Measured,
    target: Target,
    curvature: Curvature | None,
    *,
    size: float,
    gamma: float,
) -> float:
    """The gap that rounding leaves at the length of the step: of H and g, and of the eigenvalue.

    The length is the radius; for the cubic problem that of the step, or the length that
    rounding the leftmost eigenvalue can give it, 3/2 of that rounding over sigma.
    """
    size = max(size, measured.multiplier)
    if isinstance(target, RadiusTarget):
        length = target.radius
    else:
        rounded = 1.5 * ROUNDING_MULTIPLE * model.eps * size / target.sigma
        length = max(measured.step_norm, rounded)
    # What the eigenvalue is granted, over the longest way between two points of the region,
    # is half of this.
    granted = 0.0 if curvature is None else 4.0 * curvature.granted * length * length
    return max(rounding_level(model.eps, size, gamma, length), granted)
