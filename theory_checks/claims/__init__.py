"""One module per paper, one claim per numbered statement."""

from __future__ import annotations

from collections.abc import Iterator

from theory_checks.claim import Claim

__all__ = ["every_claim"]


def every_claim() -> Iterator[Claim]:
    """Yield all claims, in the order of the papers."""
    from theory_checks.claims import efficient_tr

    yield from efficient_tr.claims()
