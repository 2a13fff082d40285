"""The words of the page: badges of verdicts, and what they and the columns mean."""

from __future__ import annotations

from typing import Any

from theory_checks.page.markup import Markup, element, joined
from theory_checks.verdict import Verdict

__all__ = ["MEANINGS", "anchors", "changed_claims", "ours_badge", "verdict_badge", "verdict_class"]

_CLASSES = {verdict.word: verdict.word.replace(" ", "-") for verdict in Verdict}

#: What the numbers are, for those who meet them for the first time.
MEANINGS = (
    (
        "margin",
        "How far a conclusion is from being violated, in roundings of double precision "
        "(2.2 × 10⁻¹⁶ of the size of its terms); a negative one is a violation. The table has "
        "the worst of the form that is true. ±4.5 × 10¹⁵ is a yes or a no: no rounding gives it.",
    ),
    (
        "tightness",
        "Of the two sides of a bound, the smaller over the larger where they came closest: "
        "1 where the bound is attained.",
    ),
    (
        "instances",
        "Those decided by exact or extended arithmetic, and those screened in bulk to find "
        "the suspicious ones.",
    ),
    (
        "hypotheses",
        "How many, dropped one at a time, did what is recorded: mostly that the conclusion "
        "fails without them.",
    ),
    (
        "broken",
        "How many of the algorithms broken on purpose the hunt noticed. One that goes unnoticed "
        "would mean that the check proves nothing.",
    ),
    (
        "violation",
        "Evaluated again with 100 digits before it counts, and shrunk to small numbers. Those "
        "that do not survive are withdrawn, and counted.",
    ),
)


def verdict_class(word: str) -> str:
    """Return the name that the style has for a verdict."""
    return _CLASSES.get(word, "unknown")


def verdict_badge(word: str) -> Markup:
    """Return a verdict as a word in a frame; the colour says nothing that the word does not."""
    return element("span", word, class_=f"badge {verdict_class(word)}")


def ours_badge(claim: dict[str, Any]) -> Markup | None:
    """Return the mark of what goes beyond the paper, where something does."""
    if not claim["ours"]:
        return None
    return joined(" ", element("span", "ours", class_="badge ours", title=claim["ours"]))


def anchors(claims: list[dict[str, Any]]) -> list[str]:
    """Return an anchor for each claim: made of letters that need no escape, each one once."""
    found: list[str] = []
    for claim in claims:
        name = claim["id"].replace("/", ".")
        plain = [c if c.isascii() and (c.isalnum() or c in ".-") else "_" for c in name]
        base = name = "claim-" + "".join(plain)
        again = 2
        while name in found:
            name = f"{base}-{again}"
            again += 1
        found.append(name)
    return found


def changed_claims(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the claims whose verdict is not the recorded one, with their anchors."""
    claims = document["claims"]
    return [(a, c) for a, c in zip(anchors(claims), claims, strict=True) if c["changed"]]
