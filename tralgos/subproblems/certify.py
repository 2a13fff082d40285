"""Bring a step and the evidence on the curvature together: the gap that is proved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.subproblems.certificate import (
    Measured,
    candidate_radius,
    corrected_gap,
    quadratic_gap,
    rounding_level,
)
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import Target

__all__ = ["Outcome", "certified_gap", "decided_slack"]


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
    if reach == 0.0 or math.isinf(reach):
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
    if proved_at is not None:
        moved = measured.at_multiplier(model, proved_at)
        correction = curvature.correction(moved.residual)
        mu_there = proved_at + curvature.lower
        corrected = corrected_gap(model, moved, correction, target, gamma=gamma, mu=mu_there)
        gap = min(gap, corrected)
    return max(gap, 0.0), mu


def reach_of(target: Target, gamma: float, multiplier: float, length: float) -> float:
    """D for a step of norm `length`, with the curvature taken for -multiplier."""
    return length + candidate_radius(target, gamma, multiplier, 0.0)
