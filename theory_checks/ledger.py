"""From evidence to a verdict, and from the verdict to whether it changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from theory_checks.cells import Cell, Findings, cells_of, found_in, run_cell, superfluous
from theory_checks.claim import Claim, Figure, Level, Verdict
from theory_checks.evidence import FormEvidence, Violation, merged
from theory_checks.replay import Record, replay

__all__ = ["Entry", "assembled", "examine", "judge"]


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: a claim, its evidence, its verdict.

    Attributes
    ----------
    claim : Claim
        What was examined.
    verdict : Verdict
        What the evidence says.
    forms : dict
        The evidence on each form, by name; empty for what is not testable.
    figures : tuple of Figure
        What was measured.
    seconds : float
        Time of the processor.
    """

    claim: Claim
    verdict: Verdict
    forms: dict[str, FormEvidence]
    figures: tuple[Figure, ...]
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether the verdict is not the recorded one."""
        return self.verdict is not self.claim.verdict

    @property
    def proven(self) -> FormEvidence | None:
        """The evidence on the form that is true: the last one."""
        return list(self.forms.values())[-1] if self.forms else None


def judge(
    claim: Claim, forms: Mapping[str, FormEvidence], figures: tuple[Figure, ...] = ()
) -> Verdict:
    """Return the verdict that the evidence supports, whatever is recorded."""
    if claim.untestable:
        return Verdict.NOT_TESTABLE
    if not all(form.has_teeth for form in forms.values()):
        return Verdict.TOOTHLESS
    if "amended" in forms and forms["amended"].violation is not None:
        return Verdict.BROKEN
    if not all(figure.as_recorded for figure in figures):
        return Verdict.BROKEN
    if forms["printed"].violation is not None:
        return Verdict.NEEDS if "amended" in forms else Verdict.REFUTED
    return Verdict.MEASURED if claim.measure is not None else Verdict.HOLDS


def _form_evidence(
    claim: Claim, name: str, findings: Findings, records: Iterable[Record]
) -> FormEvidence:
    kept: list[Violation] = []
    files: list[str] = []
    lost = 0
    for record in records:
        if (record.claim, record.form, record.kind) != (claim.id, name, "counterexample"):
            continue
        outcome = replay(record, {claim.id: claim})
        if outcome.violated:
            kept.append(Violation(record.instance, outcome.margins, "kept counterexample"))
            files.append(record.file)
        else:
            lost += 1
    return FormEvidence(
        merged(findings.rounds),
        findings.dropped,
        findings.sabotage,
        tuple(kept),
        tuple(files),
        lost,
    )


def assembled(
    claim: Claim, results: Mapping[Cell, dict[str, Any]], records: Iterable[Record] = ()
) -> Entry:
    """Put together what the cells of a claim found, and judge it.

    Parameters
    ----------
    claim : Claim
        What was examined.
    results : mapping
        What each cell found, as :func:`~theory_checks.cells.run_cell` returned it;
        those of other claims are passed over.
    records : iterable of Record
        Kept counterexamples; those of other claims are passed over.
    """
    records = list(records)
    if claim.untestable:
        return Entry(claim, judge(claim, {}), {}, (), 0.0)
    findings, measured = found_in(claim, results)
    forms = {name: _form_evidence(claim, name, found, records) for name, found in findings.items()}
    seconds = sum(found.seconds for found in findings.values()) + measured.seconds
    return Entry(claim, judge(claim, forms, measured.figures), forms, measured.figures, seconds)


def examine(
    claim: Claim, level: Level = Level.QUICK, seed: int = 0, records: Iterable[Record] = ()
) -> Entry:
    """Gather the evidence on a claim, one cell after another, and judge it.

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
    """
    results: dict[Cell, dict[str, Any]] = {}
    for cell in sorted(cells_of(claim, level)):
        if not superfluous(cell, results):
            results[cell] = run_cell(claim, cell, level, seed)
    return assembled(claim, results, records)
