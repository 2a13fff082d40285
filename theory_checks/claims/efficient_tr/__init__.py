"""Claims of "Better generalization by efficient trust region method" (ICLR 2018 submission)."""

from __future__ import annotations

from theory_checks.claim import Claim
from theory_checks.claims.efficient_tr import optimality

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return all claims of the paper, in its order."""
    return (*optimality.claims(),)
