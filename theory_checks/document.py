"""The ledger as one JSON document, and the instances beside it as files to replay.

Everything that is shown to a reader is made from this document, so that what the
page shows is what the file says. Its schema is `schemas/ledger-2.schema.json`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from theory_checks.claim import Claim, Condition, Figure, Form
from theory_checks.codec import encode_float, to_plain
from theory_checks.evidence import FormEvidence, Violation
from theory_checks.ledger import Entry
from theory_checks.margins import worst_margin
from theory_checks.provenance import versions
from theory_checks.replay import SCHEMA, Record, file_name, write
from theory_checks.runner import Run

__all__ = ["LEDGER_SCHEMA", "ledger_document", "write_instances"]

LEDGER_SCHEMA = "theory-checks/ledger/2"


def _violation(violation: Violation | None, file: str | None) -> dict[str, Any] | None:
    if violation is None:
        return None
    name, margin = worst_margin(violation.margins)
    return {
        "instance": to_plain(violation.instance),
        "margins": to_plain(violation.margins),
        "worst": name,
        "margin": encode_float(margin),
        "found_by": violation.found_by,
        "file": file,
    }


def _hypothesis(condition: Condition) -> dict[str, str]:
    note = condition.kept if condition.dropped is None else condition.dropped.note
    return {"name": condition.name, "text": condition.text, "note": note}


def _form(form: Form, evidence: FormEvidence | None) -> dict[str, Any]:
    stated = {
        "statement": form.statement,
        "tex": form.tex,
        "hypotheses": [_hypothesis(h) for h in form.hypotheses],
    }
    if evidence is None:
        return {**stated, "evidence": None}
    hunted = evidence.hunt
    file = evidence.files[0] if evidence.files else None
    found = {
        "violated": evidence.violation is not None,
        "counterexample": _violation(evidence.violation, file),
        "rediscovered_by": None if hunted.violation is None else hunted.violation.found_by,
        "lost": evidence.lost,
        "instances": hunted.instances,
        "screened": hunted.screened,
        "withdrawn": hunted.withdrawn,
        "unfinished": hunted.unfinished,
        "worst": to_plain(hunted.worst),
        "tightest": to_plain(hunted.tightest),
        "dropped": to_plain(evidence.dropped),
        "sabotage": to_plain(evidence.sabotage),
        "seconds": round(hunted.seconds, 3),
    }
    return {**stated, "evidence": found}


def _figure(figure: Figure) -> dict[str, Any]:
    answer = figure.answer
    return {
        **to_plain(figure),
        "as_recorded": figure.as_recorded,
        "answer": None if answer is None else answer.value,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    claim = entry.claim
    return {
        "id": claim.id,
        "title": claim.title,
        "paper": claim.paper,
        "place": claim.place,
        "verdict": entry.verdict.word,
        "recorded": claim.verdict.word,
        "changed": entry.changed,
        "ours": claim.ours,
        "notes": claim.notes,
        "proof": claim.proof,
        "untestable": claim.untestable,
        "forms": {name: _form(form, entry.forms.get(name)) for name, form in claim.forms().items()},
        "figures": [_figure(figure) for figure in entry.figures],
        "seconds": round(entry.seconds, 3),
    }


def ledger_document(entries: Iterable[Entry], run: Run, seconds: float) -> dict[str, Any]:
    """Return the ledger as one JSON-serialisable object.

    Parameters
    ----------
    entries : iterable of Entry
        Its lines.
    run : Run
        What was run.
    seconds : float
        How long that took, on the wall.
    """
    return {
        "schema": LEDGER_SCHEMA,
        "level": run.level.name.lower(),
        "seed": run.seed,
        "backend": run.backend,
        "modules": list(run.modules),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": versions(),
        "seconds": round(seconds, 1),
        "claims": [_entry(entry) for entry in entries],
    }


def _records(claim: Claim, name: str, evidence: FormEvidence) -> Iterable[Record]:
    violation, hunted = evidence.violation, evidence.hunt
    if violation is not None:
        yield Record(claim.id, name, violation.instance, violation.margins)
    for kind, met in (("worst", hunted.worst), ("tightest", hunted.tightest)):
        if met is not None:
            form = claim.forms()[name]
            margins = {k: float(v) for k, v in form.decisive(met.instance).items()}
            yield Record(claim.id, name, met.instance, margins, kind=kind)


def write_instances(entries: Iterable[Entry], folder: Path) -> list[Path]:
    """Write each counterexample, worst and tightest instance to a file of its own.

    Returns
    -------
    list of Path
        Named by claim, form and kind. Instances of an earlier run in the same folder are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for former in folder.glob("*.json"):
        # Of a run before this one; a file that is something else is left alone.
        if f'"{SCHEMA}"' in former.read_text(encoding="utf-8", errors="replace"):
            former.unlink()
    paths = []
    for entry in entries:
        for name, evidence in entry.forms.items():
            for record in _records(entry.claim, name, evidence):
                paths.append(folder / file_name(record.claim, record.form, record.kind))
                write(record, paths[-1])
    return paths
