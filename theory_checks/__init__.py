"""Theorems one can run: claims, the hunt for their counterexamples, the ledger.

``theory-checks verify`` gathers the evidence on every claim and compares the
verdicts with the recorded ones. This package uses nothing but what ``tralgos``
exports, and ``tralgos`` does not know of it.
"""

from __future__ import annotations

from theory_checks.claim import (
    Answer,
    Claim,
    Condition,
    Dropped,
    Figure,
    Form,
    Level,
    Sabotage,
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.document import ledger_document
from theory_checks.engine import Budget, hunt
from theory_checks.evidence import Hunt, Violation
from theory_checks.ledger import Entry, examine
from theory_checks.registry import all_claims

__all__ = [
    "Answer",
    "Budget",
    "Claim",
    "Condition",
    "Dropped",
    "Entry",
    "Figure",
    "Form",
    "Hunt",
    "Level",
    "Sabotage",
    "Screen",
    "Verdict",
    "Violation",
    "all_claims",
    "examine",
    "fact",
    "hunt",
    "in_roundings",
    "ledger_document",
]
