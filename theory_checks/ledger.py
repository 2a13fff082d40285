"""From evidence to a verdict, and from the verdict to whether it changed."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from theory_checks.claim import Claim, Figure, Form, Level, Verdict
from theory_checks.engine import (
    Budget,
    DroppedOutcome,
    Hunt,
    Violation,
    hunt,
    hypothesis_dropped,
    worst_margin,
)
from theory_checks.replay import Record, encode_float, replay

__all__ = ["LEDGER_SCHEMA", "Entry", "FormEvidence", "examine", "judge", "ledger_document"]

LEDGER_SCHEMA = "theory-checks/ledger/1"

#: Instances screened in NumPy for every one that Hypothesis draws.
_BATCH_FACTOR = 256

#: Seconds a form may take at the quick level: a guard, not the usual end of a hunt.
_SECONDS = 6.0


@dataclass(frozen=True)
class FormEvidence:
    """What was found out about one form.

    Attributes
    ----------
    hunt : Hunt
        The search of this run.
    kept : tuple of Violation
        Counterexamples that came with the package and that still violate it.
    lost : int
        Counterexamples that came with the package and no longer do.
    dropped : tuple of DroppedOutcome
        What dropping each hypothesis did.
    """

    hunt: Hunt
    kept: tuple[Violation, ...]
    lost: int
    dropped: tuple[DroppedOutcome, ...]

    @property
    def violation(self) -> Violation | None:
        """A counterexample: the kept one, being the simplest known, else this run's."""
        return self.kept[0] if self.kept else self.hunt.violation

    @property
    def has_teeth(self) -> bool:
        """Whether every dropped hypothesis did what is recorded, and no kept file was lost."""
        return self.lost == 0 and all(outcome.as_recorded for outcome in self.dropped)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: a claim, its evidence, its verdict."""

    claim: Claim
    verdict: Verdict
    printed: FormEvidence
    amended: FormEvidence | None
    figures: tuple[Figure, ...]

    @property
    def changed(self) -> bool:
        """Whether the verdict is not the recorded one."""
        return self.verdict is not self.claim.verdict


def judge(
    claim: Claim,
    printed: FormEvidence,
    amended: FormEvidence | None,
    figures: tuple[Figure, ...] = (),
) -> Verdict:
    """Return the verdict that the evidence supports, whatever is recorded."""
    forms = [printed] if amended is None else [printed, amended]
    if not all(form.has_teeth for form in forms):
        return Verdict.TOOTHLESS
    if amended is not None and amended.violation is not None:
        return Verdict.BROKEN
    if not all(figure.as_recorded for figure in figures):
        return Verdict.BROKEN
    if printed.violation is not None:
        return Verdict.REFUTED if amended is None else Verdict.NEEDS
    return Verdict.MEASURED if claim.measure is not None else Verdict.HOLDS


def budget(form: Form, level: Level) -> Budget:
    """Return the budget that a form has at a level."""
    examples = form.effort * level.value
    return Budget(examples, _BATCH_FACTOR * examples, _SECONDS * level.value)


def _form_evidence(
    claim: Claim, name: str, form: Form, level: Level, seed: int, records: Iterable[Record]
) -> FormEvidence:
    kept: list[Violation] = []
    lost = 0
    for record in records:
        if (record.claim, record.form) != (claim.id, name):
            continue
        outcome = replay(record, {claim.id: claim})
        if outcome.violated:
            kept.append(Violation(record.instance, outcome.margins, "kept counterexample"))
        else:
            lost += 1
    # Each form has a stream of its own, so that a claim gives the same evidence
    # alone as among the others.
    own_seed = seed + zlib.crc32(f"{claim.id}:{name}".encode())
    found = hunt(form, budget(form, level), own_seed)
    return FormEvidence(found, tuple(kept), lost, hypothesis_dropped(form))


def examine(
    claim: Claim, level: Level = Level.QUICK, seed: int = 0, records: Iterable[Record] = ()
) -> Entry:
    """Gather the evidence on a claim and judge it.

    Parameters
    ----------
    claim : Claim
        What to examine.
    level : Level
        How far the hunt goes.
    seed : int
        Of every random choice.
    records : iterable of Record
        Kept counterexamples; those of other claims are passed over.

    Returns
    -------
    Entry
        The evidence and the verdict.
    """
    records = list(records)
    evidence = {
        name: _form_evidence(claim, name, form, level, seed, records)
        for name, form in claim.forms().items()
    }
    figures = claim.measure(level, seed) if claim.measure is not None else ()
    printed, amended = evidence["printed"], evidence.get("amended")
    return Entry(claim, judge(claim, printed, amended, figures), printed, amended, figures)


def _violation_document(violation: Violation | None) -> dict[str, Any] | None:
    if violation is None:
        return None
    name, margin = worst_margin(violation.margins)
    return {
        "instance": violation.instance,
        "margins": {k: encode_float(float(v)) for k, v in violation.margins.items()},
        "worst": name,
        "margin": encode_float(margin),
        "found_by": violation.found_by,
    }


def _form_document(form: Form, evidence: FormEvidence) -> dict[str, Any]:
    hunted = evidence.hunt
    rediscovered = None if hunted.violation is None else hunted.violation.found_by
    return {
        "statement": form.statement,
        "tex": form.tex,
        "hypotheses": {h.name: h.text for h in form.hypotheses},
        "violated": evidence.violation is not None,
        "counterexample": _violation_document(evidence.violation),
        "rediscovered_by": rediscovered,
        "instances": hunted.instances,
        "screened": hunted.screened,
        "worst_margin": None if hunted.worst is None else encode_float(hunted.worst.margin),
        "worst_margin_of": None if hunted.worst is None else hunted.worst.name,
        "tightest": None if hunted.tightest is None else encode_float(hunted.tightest),
        "dropped": [
            {
                "hypothesis": outcome.hypothesis,
                "fails_without": outcome.fails,
                "as_recorded": outcome.as_recorded,
                "margin": encode_float(outcome.margin),
            }
            for outcome in evidence.dropped
        ],
        "seconds": round(hunted.seconds, 3),
    }


def _entry_document(entry: Entry) -> dict[str, Any]:
    claim = entry.claim
    evidence: dict[str, Any] = {
        "printed": _form_document(claim.printed, entry.printed),
        "amended": None,
        "figures": [
            {
                "name": figure.name,
                "value": encode_float(figure.value),
                "low": encode_float(figure.low),
                "high": encode_float(figure.high),
                "paper": figure.paper,
                "as_recorded": figure.as_recorded,
            }
            for figure in entry.figures
        ],
    }
    if claim.amended is not None and entry.amended is not None:
        evidence["amended"] = _form_document(claim.amended, entry.amended)
    return {
        "id": claim.id,
        "title": claim.title,
        "paper": claim.paper,
        "place": claim.place,
        "verdict": entry.verdict.word,
        "recorded": claim.verdict.word,
        "changed": entry.changed,
        "printed": claim.printed.statement,
        "amended": None if claim.amended is None else claim.amended.statement,
        "evidence": evidence,
        "notes": claim.notes,
        "proof": claim.proof,
    }


def ledger_document(
    entries: Iterable[Entry], level: Level, seed: int, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the ledger as one JSON-serialisable object."""
    return {
        "schema": LEDGER_SCHEMA,
        "level": level.name.lower(),
        "seed": seed,
        **(extra or {}),
        "claims": [_entry_document(entry) for entry in entries],
    }
