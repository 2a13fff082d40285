"""All claims by id. Nothing is built before it is asked for."""

from __future__ import annotations

from theory_checks.claim import Claim

__all__ = ["UnknownClaimError", "all_claims", "chosen"]


class UnknownClaimError(ValueError):
    """An id that no claim has; the message names the known ones."""


def all_claims() -> dict[str, Claim]:
    """Return every claim by id, in the order of the papers.

    Raises
    ------
    ValueError
        When two claims have the same id.
    """
    from theory_checks.claims import every_claim

    by_id: dict[str, Claim] = {}
    for claim in every_claim():
        if claim.id in by_id:
            raise ValueError(f"two claims have the id {claim.id!r}")
        by_id[claim.id] = claim
    return by_id


def chosen(ids: list[str], claims: dict[str, Claim]) -> dict[str, Claim]:
    """Return the claims with these ids; all of them when there are none.

    Raises
    ------
    UnknownClaimError
        Naming the unknown id and the known ones.
    """
    for name in ids:
        if name not in claims:
            known = "\n  ".join(claims)
            raise UnknownClaimError(f"unknown claim {name!r}; the known ones are\n  {known}")
    return {name: claims[name] for name in ids} if ids else dict(claims)
