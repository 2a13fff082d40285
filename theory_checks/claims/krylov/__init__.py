"""How fast the Krylov step of a subproblem converges: bounds, what attains them, and rates."""

from __future__ import annotations

from theory_checks.claim import Claim

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return the claims about Krylov steps."""
    from theory_checks.claims.krylov import (
        cubic,
        hard_case,
        linear,
        measured,
        quasi,
        sublinear,
        worst,
    )

    return (
        *linear.claims(),
        *sublinear.claims(),
        *cubic.claims(),
        *worst.claims(),
        *quasi.claims(),
        *hard_case.claims(),
        *measured.claims(),
    )
