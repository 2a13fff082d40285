"""The command line: list, show, verify, hunt, draw, reproduce, replay."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from theory_checks.claim import Claim, Level
from theory_checks.engine import Budget, Hunt, hunt, merged
from theory_checks.experiments import (
    EXPERIMENTS,
    UnknownExperimentError,
    experiments,
    selected,
)
from theory_checks.experiments.outcome import document
from theory_checks.experiments.outcome import write as write_outcome
from theory_checks.ledger import Entry, examine, ledger_document
from theory_checks.registry import UnknownClaimError, all_claims, chosen
from theory_checks.replay import Record, ReplayError, kept, read, replay, write
from theory_checks.report import Reporter

__all__ = ["main"]

_OK, _CHANGED, _USAGE, _INTERRUPTED = 0, 1, 2, 130

#: One round of `hunt`; rounds with new seeds follow until the budget is spent.
_ROUND = Budget(examples=400, batch=40_000, seconds=60.0)


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("the seed is a non-negative integer")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError("the budget is a positive number of seconds")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="theory-checks",
        description="Run the theorems: verify recorded verdicts, hunt for counterexamples.",
        epilog="Exit codes: 0 every verdict is the recorded one; 1 one changed; 2 usage error.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="list the claims with their recorded verdicts")
    show = commands.add_parser("show", help="show one claim in full")
    show.add_argument("id", metavar="ID")
    verify = commands.add_parser("verify", help="gather evidence and compare the verdicts")
    verify.add_argument("ids", metavar="ID", nargs="*", help="all claims unless given")
    verify.add_argument("--level", choices=[v.name.lower() for v in Level], default="quick")
    verify.add_argument("--seed", type=_seed, default=0)
    verify.add_argument("--json", type=Path, metavar="FILE", help="write the ledger to FILE")
    hunting = commands.add_parser("hunt", help="hunt for a violation of one claim")
    hunting.add_argument("id", metavar="ID")
    hunting.add_argument("--budget", type=_seconds, required=True, metavar="SECONDS")
    hunting.add_argument("--form", choices=("printed", "amended"), help="both unless given")
    hunting.add_argument("--seed", type=_seed, default=0)
    hunting.add_argument("--save", type=Path, metavar="FILE", help="keep the counterexample")
    drawing = commands.add_parser("draw", help="run an experiment and draw its figure")
    drawing.add_argument("id", metavar="ID")
    drawing.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    drawing.add_argument("--level", choices=[v.name.lower() for v in Level], default="quick")
    drawing.add_argument("--seed", type=_seed, default=0)
    again = commands.add_parser(
        "reproduce", help="run experiments of the papers: tables, pictures, and what came out"
    )
    again.add_argument("ids", metavar="ID", nargs="*", help="all experiments unless given")
    again.add_argument("--list", action="store_true", help="list the experiments and do nothing")
    again.add_argument("--level", choices=("quick", "full"), default="quick")
    again.add_argument("--rng", type=_seed, default=0, metavar="SEED")
    again.add_argument(
        "--out",
        type=Path,
        default=Path("out", "reproduce"),
        metavar="DIR",
        help="where the PNG and JSON files go (default: %(default)s)",
    )
    again.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where finished parts are kept, so that a broken run resumes (default: OUT/cache)",
    )
    replaying = commands.add_parser("replay", help="evaluate a counterexample file anew")
    replaying.add_argument("file", type=Path, metavar="FILE")
    return parser


def _list(_: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    reporter.claims(claims)
    return _OK


def _show(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    reporter.claim(chosen([options.id], claims)[options.id])
    return _OK


def _verify(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    selected = chosen(options.ids, claims)
    level = Level[options.level.upper()]
    records = list(kept())
    start = time.monotonic()
    entries: list[Entry] = []
    with reporter.progress(len(selected)) as progress:
        for claim in selected.values():
            progress.at(claim.id)
            entries.append(examine(claim, level, options.seed, records))
            progress.done()
    reporter.ledger(entries)
    reporter.summary(entries, time.monotonic() - start)
    if options.json is not None:
        document = ledger_document(entries, level, options.seed)
        text = json.dumps(document, indent=1, allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return _CHANGED if any(entry.changed for entry in entries) else _OK


def _hunt_form(claim: Claim, name: str, seconds: float, seed: int) -> Hunt:
    form = claim.forms()[name]
    deadline = time.monotonic() + seconds
    total: Hunt | None = None
    while total is None or (total.violation is None and time.monotonic() < deadline):
        left = max(0.1, deadline - time.monotonic())
        limit = Budget(_ROUND.examples, _ROUND.batch, min(left, _ROUND.seconds))
        found = hunt(form, limit, seed)
        total = found if total is None else merged(total, found)
        seed += 1
    return total


def _hunt(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    claim = chosen([options.id], claims)[options.id]
    names = list(claim.forms()) if options.form is None else [options.form]
    if options.form is not None and options.form not in claim.forms():
        raise UnknownClaimError(f"{claim.id} has no form {options.form!r}")
    changed = False
    for name in names:
        result = _hunt_form(claim, name, options.budget / len(names), options.seed)
        reporter.hunted(claim.id, name, result)
        if result.violation is None:
            continue
        if options.save is not None:
            margins = {k: float(v) for k, v in result.violation.margins.items()}
            write(Record(claim.id, name, result.violation.instance, margins), options.save)
        # A printed form that is recorded as false may be violated; nothing else may.
        recorded_false = claim.verdict.name in ("NEEDS", "REFUTED")
        changed = changed or name == "amended" or not recorded_false
    return _CHANGED if changed else _OK


def _draw(options: argparse.Namespace, _: dict[str, Claim], reporter: Reporter) -> int:
    if options.id not in EXPERIMENTS:
        known = "\n  ".join(EXPERIMENTS)
        raise UnknownClaimError(f"no figure for {options.id!r}; there is one for\n  {known}")
    level = Level[options.level.upper()]
    headings, lines = EXPERIMENTS[options.id](level, options.seed, options.out)
    reporter.table(headings, lines)
    reporter.line(f"written to {options.out}")
    return _OK


def _reproduce(options: argparse.Namespace, _: dict[str, Claim], reporter: Reporter) -> int:
    chosen_ones = selected(options.ids, experiments())
    if options.list:
        reporter.experiments(chosen_ones)
        return _OK
    level = Level[options.level.upper()]
    # A folder that cannot be made is told before the work, not after.
    options.out.mkdir(parents=True, exist_ok=True)
    cache = options.out / "cache" if options.cache is None else options.cache
    for experiment in chosen_ones:
        start = time.monotonic()
        with reporter.progress(None) as progress:
            outcome = experiment.made(level, options.rng, progress, cache)
        seconds = time.monotonic() - start
        reporter.outcome(experiment, outcome)
        numbers = document(experiment, outcome, level, options.rng, seconds)
        files = write_outcome(numbers, experiment.stem, outcome, options.out)
        reporter.line(f"\nwritten in {seconds:.0f} s: {', '.join(map(str, files))}\n")
    return _OK


def _replay(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    record = read(options.file)
    outcome = replay(record, claims)
    reporter.replayed(record, outcome)
    return _OK if outcome.as_recorded else _CHANGED


_COMMANDS: dict[str, Callable[[argparse.Namespace, dict[str, Claim], Reporter], int]] = {
    "list": _list,
    "show": _show,
    "verify": _verify,
    "hunt": _hunt,
    "draw": _draw,
    "reproduce": _reproduce,
    "replay": _replay,
}


def main(arguments: Sequence[str] | None = None, *, claims: dict[str, Claim] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        ``sys.argv[1:]`` unless given.
    claims : dict or None
        The claims to work with; all registered ones unless given.

    Returns
    -------
    int
        0 when every verdict is the recorded one, 1 when one changed, 2 for a
        usage error, 130 when interrupted.
    """
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as exit_request:
        return int(exit_request.code or 0)
    try:
        known = all_claims() if claims is None else claims
        return _COMMANDS[options.command](options, known, Reporter())
    except (UnknownClaimError, UnknownExperimentError, ReplayError, OSError) as error:
        print(f"theory-checks: {error}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("theory-checks: interrupted", file=sys.stderr)
        return _INTERRUPTED
