"""One module per paper, one claim per numbered statement."""

from __future__ import annotations

from collections.abc import Iterator

from theory_checks.claim import Claim

__all__ = ["every_claim"]


def every_claim() -> Iterator[Claim]:
    """Yield all claims, in the order of the papers."""
    from theory_checks.claims import (
        adaptive_norms,
        certificate,
        curveball,
        efficient_tr,
        evidence,
        krylov,
    )
    from theory_checks.experiments import section_4_1

    yield from efficient_tr.claims()
    yield section_4_1.claim()
    yield from curveball.claims()
    yield from adaptive_norms.claims()
    yield from certificate.claims()
    yield from evidence.claims()
    yield from krylov.claims()
