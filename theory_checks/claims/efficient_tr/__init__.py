"""Claims of "Better generalization by efficient trust region method" (ICLR 2018 submission)."""

from __future__ import annotations

from theory_checks.claim import Claim
from theory_checks.claims.efficient_tr import (
    algorithm_2,
    change_of_variable,
    differences,
    lemma_1,
    phase_bounds,
    phase_length,
    phase_one,
    phase_two,
    phases,
    proposition_1,
    riemannian,
    safe_descent,
    section_4_1,
    srelu,
    stationary,
    theorem_3,
    theorem_8,
)

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return all claims of the paper, in its order."""
    modules = (
        change_of_variable,
        lemma_1,
        proposition_1,
        stationary,
        theorem_3,
        safe_descent,
        algorithm_2,
        phases,
        phase_one,
        phase_length,
        phase_bounds,
        phase_two,
        theorem_8,
        riemannian,
        differences,
        srelu,
        section_4_1,
    )
    return tuple(claim for module in modules for claim in module.claims())
