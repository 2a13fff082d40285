"""Claims of "Better generalization by efficient trust region method" (ICLR 2018 submission)."""

from __future__ import annotations

from theory_checks.claim import Claim
from theory_checks.claims.efficient_tr import (
    algorithm_2,
    change_of_variable,
    differences,
    lemma_1,
    phase_length,
    phase_one,
    phase_two,
    proposition_1,
    riemannian,
    stationary,
    theorem_3,
)

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return all claims of the paper, in its order."""
    modules = (
        change_of_variable,
        lemma_1,
    phase_length,
        proposition_1,
        stationary,
        theorem_3,
        algorithm_2,
        phase_one,
        phase_length,
        phase_two,
        riemannian,
        differences,
    )
    return tuple(claim for module in modules for claim in module.claims())
