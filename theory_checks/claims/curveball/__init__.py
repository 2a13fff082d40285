"""Claims of "Small steps and giant leaps: Minimal Newton solvers for Deep Learning" (2018)."""

from __future__ import annotations

from theory_checks.claim import Claim
from theory_checks.claims.curveball import (
    certificate,
    corollary,
    linear,
    look_ahead,
    plane,
    rates,
    theorem_a1,
    transition,
)

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return the claims of the paper that are checked here, in its order."""
    modules = (
        theorem_a1,
        linear,
        plane,
        corollary,
        transition,
        rates,
        look_ahead,
        certificate,
    )
    return tuple(claim for module in modules for claim in module.claims())
