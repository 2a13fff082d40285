"""The commands that gather evidence: `verify` over many claims, `show` and `hunt` on one."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from theory_checks.backends import namespace_of
from theory_checks.cells import Cell, ClaimError, run_cell
from theory_checks.claim import Claim, Level, Verdict
from theory_checks.codec import from_plain
from theory_checks.document import ledger_document, write_instances
from theory_checks.evidence import Hunt, merged
from theory_checks.journal import Journal
from theory_checks.ledger import Entry, assembled, examine
from theory_checks.page import write_page
from theory_checks.processes import default_jobs
from theory_checks.provenance import fingerprint, versions
from theory_checks.registry import UnknownClaimError, chosen, sources
from theory_checks.replay import Record, kept, write
from theory_checks.report import Reporter
from theory_checks.runner import Results, Run, gather

__all__ = ["default_jobs", "hunt_one", "show", "verify"]

#: Exit codes: everything as recorded; something changed.
_OK, _CHANGED = 0, 1


def _run_of(options: argparse.Namespace, level: Level) -> Run:
    return Run(level, options.seed, options.backend, tuple(options.module))


def _journal(path: Path | None, run: Run, what: list[str]) -> Journal | nullcontext[None]:
    if path is None:
        return nullcontext()
    identity: dict[str, Any] = {
        **asdict(run),
        "level": run.level.name.lower(),
        "modules": list(run.modules),
        "claims": what,
        "versions": versions(),
        "sources": fingerprint(sources(run.modules)),
    }
    return Journal(path, identity)


def _told(journal: Journal | None, reporter: Reporter) -> Results:
    """What the journal has; lines that were damaged are named."""
    if journal is None:
        return {}
    if journal.damaged:
        lines = ", ".join(map(str, journal.damaged))
        reporter.line(f"journal: damaged lines are set aside and done again: {lines}")
    if journal.results:
        reporter.line(f"journal: {len(journal.results)} pieces of work were done before")
    return dict(journal.results)


def _gathered(
    claims: Mapping[str, Claim], run: Run, options: argparse.Namespace, reporter: Reporter
) -> tuple[Results, dict[str, ClaimError]]:
    with _journal(options.journal, run, list(claims)) as journal:
        known = _told(journal, reporter)
        with reporter.progress(None) as progress:

            def watch(cell: Cell, done: int, total: int) -> None:
                progress.of(total)
                progress.at(cell.claim, done)

            return gather(
                claims,
                run,
                jobs=options.jobs,
                known=known,
                keep=None if journal is None else journal.add,
                watch=watch,
            )


def _check_paths(options: argparse.Namespace) -> None:
    """Refuse what cannot be written to before the work, not after."""
    if options.json is not None:
        folder = options.json.absolute().parent
        writable = options.json if options.json.exists() else folder
        if not folder.is_dir() or options.json.is_dir() or not os.access(writable, os.W_OK):
            raise OSError(f"{options.json} cannot be written")
    if options.report is not None:
        options.report.mkdir(parents=True, exist_ok=True)
        if not os.access(options.report, os.W_OK):
            raise OSError(f"{options.report} cannot be written to")


def _written(document: dict[str, Any], entries: list[Entry], options: argparse.Namespace) -> None:
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    if options.json is not None:
        options.json.write_text(text, encoding="utf-8")
    if options.report is not None:
        (options.report / "ledger.json").write_text(text, encoding="utf-8")
        write_instances(entries, options.report / "instances")
        write_page(document, options.report / "index.html")


def verify(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    """Gather evidence on claims, show the ledger, and compare it with what is recorded."""
    selected = chosen(options.ids, claims)
    run = _run_of(options, Level[options.level.upper()])
    _check_paths(options)
    start = time.monotonic()
    results, failed = _gathered(selected, run, options, reporter)
    records = list(kept())
    entries = [
        assembled(claim, results, records) for claim in selected.values() if claim.id not in failed
    ]
    seconds = time.monotonic() - start
    # The files before the text: a reader of the text may go away.
    _written(ledger_document(entries, run, seconds), entries, options)
    reporter.ledger(entries)
    reporter.summary(entries, seconds)
    if failed:
        raise ClaimError("\n".join(map(str, failed.values())))
    return _CHANGED if any(entry.changed for entry in entries) else _OK


def show(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    """Show one claim in full, with evidence gathered now at the quick level."""
    claim = chosen([options.id], claims)[options.id]
    reporter.claim(claim)
    with reporter.progress(None) as progress:
        progress.at(claim.id)
        entry = examine(claim, Level.QUICK, 0, kept())
    reporter.evidence(entry, tuple(options.module))
    return _CHANGED if entry.changed else _OK


def _rounds(
    claim: Claim, names: list[str], run: Run, budget: float, journal: Journal | None
) -> dict[str, Hunt]:
    """Hunt the forms in turn, round after round, until the time is up or all are violated."""
    xp = namespace_of(run.backend)
    known = {} if journal is None else journal.results
    rounds: dict[str, list[Hunt]] = {name: [] for name in names}
    deadline = time.monotonic() + budget
    for number in itertools.count():
        for name in names:
            if rounds[name] and rounds[name][-1].violation is not None:
                continue
            cell = Cell(number, claim.id, "hunt", name)
            if cell not in known and number > 0 and time.monotonic() > deadline:
                continue
            result = known.get(cell) or run_cell(claim, cell, run.level, run.seed, xp)
            if journal is not None and cell not in known:
                journal.add(cell, result)
            rounds[name].append(from_plain(Hunt, result))
        ended = all(len(found) <= number for found in rounds.values())
        if ended:
            return {name: merged(found) for name, found in rounds.items()}
    raise AssertionError("the rounds have no end but their budget")


def hunt_one(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    """Hunt for a violation of one claim until the budget is spent."""
    claim = chosen([options.id], claims)[options.id]
    if options.form is not None and options.form not in claim.forms():
        raise UnknownClaimError(f"{claim.id} has no form {options.form!r}")
    if claim.untestable:
        raise UnknownClaimError(f"{claim.id} is not testable: {claim.untestable}")
    names = list(claim.forms()) if options.form is None else [options.form]
    run = _run_of(options, Level.FULL)
    with _journal(options.journal, run, [f"{claim.id}:{name}" for name in names]) as journal:
        _told(journal, reporter)
        found = _rounds(claim, names, run, options.budget, journal)
    changed = False
    for name, result in found.items():
        reporter.hunted(claim.id, name, result)
        if result.instances == 0:
            reporter.line("  no instance was admitted and decided: nothing was checked")
            changed = True
        if result.violation is None:
            continue
        if options.save is not None:
            violation = result.violation
            write(Record(claim.id, name, violation.instance, violation.margins), options.save)
        # A printed form that is recorded as false may be violated; nothing else may.
        recorded_false = claim.verdict in (Verdict.NEEDS, Verdict.REFUTED)
        changed = changed or name == "amended" or not recorded_false
    return _CHANGED if changed else _OK
