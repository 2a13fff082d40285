"""Theorems one can run: claims, the hunt for their counterexamples, the ledger.

``theory-checks verify`` gathers the evidence on every claim and compares the
verdicts with the recorded ones. This package uses nothing but what ``tralgos``
exports, and ``tralgos`` does not know of it.
"""

from __future__ import annotations

from theory_checks.claim import Claim, Condition, Dropped, Figure, Form, Level, Verdict
from theory_checks.engine import Budget, Hunt, Violation, hunt
from theory_checks.ledger import Entry, examine, ledger_document
from theory_checks.registry import all_claims

__all__ = [
    "Budget",
    "Claim",
    "Condition",
    "Dropped",
    "Entry",
    "Figure",
    "Form",
    "Hunt",
    "Level",
    "Verdict",
    "Violation",
    "all_claims",
    "examine",
    "hunt",
    "ledger_document",
]
