"""The command line: list, show, verify, hunt, draw, reproduce, replay."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from theory_checks.backends import BACKENDS, BackendError
from theory_checks.cells import ClaimError
from theory_checks.claim import Claim, Level
from theory_checks.experiments import (
    EXPERIMENTS,
    UnknownExperimentError,
    experiments,
    selected,
)
from theory_checks.experiments.outcome import document
from theory_checks.experiments.outcome import write as write_outcome
from theory_checks.journal import JournalError
from theory_checks.option_types import natural_number, positive_integer, positive_seconds
from theory_checks.outcome_report import show_experiments, show_outcome
from theory_checks.registry import (
    ClaimSourceError,
    UnknownClaimError,
    all_claims,
    of_module,
)
from theory_checks.replay import ReplayError, read, replay
from theory_checks.report import Reporter
from theory_checks.sweeps import SweepError
from theory_checks.sweeps.options import add_options, check_chosen, runner_of
from theory_checks.verification import default_jobs, hunt_one, show, verify

__all__ = ["main"]

_OK, _CHANGED, _USAGE, _INTERRUPTED = 0, 1, 2, 130

#: What is answered with one line and the exit code of a usage error.
_REFUSALS = (
    BackendError,
    ClaimError,
    ClaimSourceError,
    JournalError,
    OSError,
    ReplayError,
    SweepError,
    UnknownClaimError,
    UnknownExperimentError,
)


def _sources() -> argparse.ArgumentParser:
    """The option that every command has which knows claims."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="NAME",
        help="take claims from this module's function `claims` as well; may be repeated",
    )
    return options


def _evidence() -> argparse.ArgumentParser:
    """The options of the commands that gather evidence."""
    options = argparse.ArgumentParser(add_help=False, parents=[_sources()])
    options.add_argument("--seed", type=natural_number, default=0)
    options.add_argument(
        "--backend",
        choices=BACKENDS,
        default="numpy",
        help="where instances are screened in bulk (default: %(default)s)",
    )
    options.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="keep each finished piece of work in FILE, and go on from what is there",
    )
    return options


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verifying = commands.add_parser(
        "verify", parents=[_evidence()], help="gather evidence and compare the verdicts"
    )
    verifying.add_argument(
        "ids", metavar="ID", nargs="*", help="all claims (with --module: its claims) unless given"
    )
    verifying.add_argument("--level", choices=[v.name.lower() for v in Level], default="quick")
    verifying.add_argument(
        "--jobs",
        type=positive_integer,
        default=default_jobs(),
        metavar="N",
        help="processes (default: one for each core)",
    )
    verifying.add_argument("--json", type=Path, metavar="FILE", help="write the ledger to FILE")
    verifying.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write a page to read, the ledger, and its instances as files to replay",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="theory-checks",
        description="Run the theorems: verify recorded verdicts, hunt for counterexamples.",
        epilog="Exit codes: 0 every verdict is the recorded one; 1 one changed; "
        "2 usage error, or an error in a claim.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "list", parents=[_sources()], help="list the claims with their recorded verdicts"
    )
    show = commands.add_parser(
        "show", parents=[_sources()], help="show one claim in full, with quick evidence"
    )
    show.add_argument("id", metavar="ID")
    _add_verify(commands)
    hunting = commands.add_parser(
        "hunt", parents=[_evidence()], help="hunt for a violation of one claim"
    )
    hunting.add_argument("id", metavar="ID")
    hunting.add_argument("--budget", type=positive_seconds, required=True, metavar="SECONDS")
    hunting.add_argument("--form", choices=("printed", "amended"), help="both unless given")
    hunting.add_argument("--save", type=Path, metavar="FILE", help="keep the counterexample")
    _add_experiments(commands)
    replaying = commands.add_parser(
        "replay", parents=[_sources()], help="evaluate an instance file anew"
    )
    replaying.add_argument("file", type=Path, metavar="FILE")
    return parser


def _add_experiments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    drawing = commands.add_parser("draw", help="run an experiment and draw its figure")
    drawing.add_argument("id", metavar="ID")
    drawing.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    drawing.add_argument("--level", choices=[v.name.lower() for v in Level], default="quick")
    drawing.add_argument("--seed", type=natural_number, default=0)
    again = commands.add_parser(
        "reproduce", help="run experiments of the papers: tables, pictures, and what came out"
    )
    again.add_argument("ids", metavar="ID", nargs="*", help="all experiments unless given")
    again.add_argument("--list", action="store_true", help="list the experiments and do nothing")
    again.add_argument("--level", choices=("quick", "full"), default="quick")
    again.add_argument("--rng", type=natural_number, default=0, metavar="SEED")
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
        help="where finished cells are kept, so that a broken run resumes (default: OUT/cache)",
    )
    add_options(again)


def _list(_: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    reporter.claims(claims)
    return _OK


def _verify(options: argparse.Namespace, claims: dict[str, Claim], reporter: Reporter) -> int:
    if options.module and not options.ids:
        names = dict.fromkeys(options.module)
        options.ids = [claim.id for name in names for claim in of_module(name)]
    return verify(options, claims, reporter)


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
        show_experiments(reporter, chosen_ones)
        return _OK
    check_chosen(chosen_ones, options)
    level = Level[options.level.upper()]
    # A folder that cannot be made is told before the work, not after.
    options.out.mkdir(parents=True, exist_ok=True)
    for experiment in chosen_ones:
        start = time.monotonic()
        with reporter.progress(None) as progress:
            runner = runner_of(options, progress, reporter.line)
            outcome = experiment.made(level, options.rng, runner)
        seconds = time.monotonic() - start
        resumed = None if experiment.sweep is None else runner.tally["resumed"]
        show_outcome(reporter, experiment, outcome)
        numbers = document(
            experiment, outcome, level, options.rng, seconds, options.backend, resumed
        )
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
    "show": show,
    "verify": _verify,
    "hunt": hunt_one,
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
        The claims to work with, in this process alone; all registered ones unless given.

    Returns
    -------
    int
        0 when every verdict is the recorded one, 1 when one changed, 2 for a
        usage error, 130 when interrupted.
    """
    try:
        options = _parser().parse_args(arguments)
        if claims is not None:
            options.jobs = 1
    except SystemExit as exit_request:
        return int(exit_request.code or 0)
    try:
        known = all_claims(getattr(options, "module", ())) if claims is None else claims
        return _COMMANDS[options.command](options, known, Reporter())
    except _REFUSALS as error:
        print(f"theory-checks: {error}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        print("theory-checks: interrupted", file=sys.stderr)
        return _INTERRUPTED
