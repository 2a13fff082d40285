"""Claims of "Small steps and giant leaps: Minimal Newton solvers for Deep Learning" (2018)."""

from __future__ import annotations

from theory_checks.claim import Claim
from theory_checks.claims.curveball import (
    automatic,
    balance,
    certificate,
    conjugate,
    convexity,
    corollary,
    damping,
    descent_proof,
    first_steps,
    gauss_newton,
    interleaved,
    interleaving,
    lambda_drops,
    lambda_speed,
    linear,
    lissa,
    look_ahead,
    passes,
    plane,
    products,
    ranges,
    rates,
    theorem_a1,
    theorem_a2,
    tracking,
    transition,
)

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return the claims of the paper that are checked here, in its order."""
    modules = (
        products,
        gauss_newton,
        convexity,
        passes,
        interleaving,
        conjugate,
        interleaved,
        automatic,
        lambda_drops,
        damping,
        lambda_speed,
        theorem_a1,
        linear,
        plane,
        corollary,
        transition,
        ranges,
        rates,
        theorem_a2,
        descent_proof,
        lissa,
        look_ahead,
        certificate,
        first_steps,
        tracking,
        balance,
    )
    return tuple(claim for module in modules for claim in module.claims())
