"""One module per paper, one claim per numbered statement."""

from __future__ import annotations

from collections.abc import Iterator

from theory_checks.claim import Claim

__all__ = ["BEYOND", "every_claim"]

#: The source of what no paper claims.
BEYOND = "beyond the papers"


def every_claim() -> Iterator[Claim]:
    """Yield all claims, in the order of the papers, and then what goes beyond them."""
    from theory_checks.claims import (
        adaptive_norms,
        certificate,
        curveball,
        efficient_tr,
        evidence,
        krylov,
    )

    claims = [
        *efficient_tr.claims(),
        *curveball.claims(),
        *adaptive_norms.claims(),
        *certificate.claims(),
        *evidence.claims(),
        *krylov.claims(),
    ]
    # The papers first; sorting keeps the order otherwise.
    yield from sorted(claims, key=lambda claim: claim.paper == BEYOND)
