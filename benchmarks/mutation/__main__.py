"""``python -m benchmarks.mutation``: map, run, again, report."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.mutation import score
from benchmarks.mutation.population import Module, Mutant, population
from benchmarks.mutation.reach import CLAIM, Reach, measured
from benchmarks.mutation.trial import attempt, preload

ROOT = Path(__file__).resolve().parents[2]
#: What is mutated.
FOLDERS = ("tralgos/subproblems", "tralgos/norms")
#: Seconds that a mutant may take in all.
LIMIT = 60.0

Record = dict[str, Any]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("--reach", type=Path, default=Path("out/reach.json"), metavar="FILE")
    parser.add_argument("--results", type=Path, default=Path("out/mutants.jsonl"), metavar="FILE")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    mapping = commands.add_parser("map", help="run tests once and record what they reach")
    mapping.add_argument("tests", nargs="*", default=["tests/subproblems", "tests/norms"])
    mapping.add_argument("--claims", action="store_true", help="the claims, beside the tests")
    running = commands.add_parser("run", help="try a random sample of mutants")
    running.add_argument("--count", type=int, default=500)
    running.add_argument("--seed", type=int, default=0)
    running.add_argument("--budget", type=float, default=50.0, metavar="SECONDS")
    again = commands.add_parser("again", help="try survivors once more")
    again.add_argument("keys", nargs="*", help="parts of their keys; all unless given")
    again.add_argument("--budget", type=float, default=50.0, metavar="SECONDS")
    again.add_argument("--claims", action="store_true", help="on the claims alone")
    commands.add_parser("report", help="print the score and the survivors")
    return parser


def _records(path: Path) -> dict[str, Record]:
    """The last result of each mutant; one that was killed stays so."""
    last: dict[str, Record] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            last[record["key"]] = record
    return last


class _Bench:
    """The mutants, what reaches them, and where their results go."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.modules = population(ROOT, FOLDERS)
        self._reach = Reach.read(arguments.reach)
        self._results = arguments.results
        self._budget = arguments.budget
        preload()

    def chosen(self, mutant: Mutant, *, claims: bool) -> list[str]:
        """The first of the tests, or of the claims, that fit in the budget."""
        tests = [t for t in self._reach.tests(mutant) if t.startswith(CLAIM) == claims]
        times = itertools.accumulate(self._reach.seconds[t] for t in tests)
        kept = [t for t, total in zip(tests, times, strict=True) if total <= self._budget]
        return kept or tests[:1]

    def difference(self, mutant: Mutant) -> str:
        """What the mutant changes."""
        return self.modules[mutant.path].difference(mutant.key)

    def unchanged(self, *, claims: bool) -> None:
        """Raise unless the largest module passes when nothing is changed."""
        module = max(self.modules.values(), key=lambda m: len(m.mutants))
        trial = self._tried(module, module.source, self.chosen(module.mutants[0], claims=claims))
        if trial["outcome"] != "survived":
            raise RuntimeError(f"the code as it stands does not pass: {trial}")

    def try_one(self, mutant: Mutant, *, claims: bool, key: str = "") -> None:
        """Try it and write down what became of it, under its key in the sample."""
        module = self.modules[mutant.path]
        tests = self.chosen(mutant, claims=claims)
        if claims and not tests:
            return
        trial = self._tried(module, module.mutated(mutant.key), tests)
        record = asdict(mutant) | trial | {"difference": self.difference(mutant)}
        record["key"] = key or mutant.key
        with self._results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"{trial['outcome']:10} {trial['seconds']:6.1f} s  {mutant.key}", flush=True)

    def _tried(self, module: Module, source: str, tests: Sequence[str]) -> Record:
        trial = attempt(ROOT, module.path, source, tests, self._reach.seconds, LIMIT)
        return asdict(trial)


def _map(arguments: argparse.Namespace) -> None:
    found = measured(ROOT, FOLDERS, None if arguments.claims else arguments.tests)
    if arguments.reach.exists():
        found = Reach.read(arguments.reach).joined(found)
    found.write(arguments.reach)


def _run(arguments: argparse.Namespace) -> None:
    bench = _Bench(arguments)
    bench.unchanged(claims=False)
    done = _records(arguments.results)
    for mutant in score.sample(bench.modules, arguments.seed)[: arguments.count]:
        if mutant.key not in done:
            bench.try_one(mutant, claims=False)


def _again(arguments: argparse.Namespace) -> None:
    bench = _Bench(arguments)
    bench.unchanged(claims=arguments.claims)
    for record in score.survivors(_records(arguments.results).values()):
        if arguments.keys and not any(part in record["key"] for part in arguments.keys):
            continue
        mutant = _found(bench, record)
        if mutant is None:
            print(f"changed    {record['key']}: the code is another now", file=sys.stderr)
        else:
            bench.try_one(mutant, claims=arguments.claims, key=record["key"])


def _found(bench: _Bench, record: Mapping[str, Any]) -> Mutant | None:
    """The mutant of a record, where lines above it have come or gone meanwhile."""
    alike = [
        mutant
        for mutant in bench.modules[record["path"]].mutants
        if mutant.operator == record["operator"]
    ]
    for mutant in sorted(
        alike, key=lambda m: (m.key != record["key"], abs(m.line - record["line"]))
    ):
        if bench.difference(mutant) == record["difference"]:
            return mutant
    return None


def _report(arguments: argparse.Namespace) -> None:
    modules = population(ROOT, FOLDERS)
    records = list(_records(arguments.results).values())
    mutants = [mutant for module in modules.values() for mutant in module.mutants]
    for title, field in (("module", "path"), ("change", "operator")):
        sizes = Counter(getattr(mutant, field) for mutant in mutants)
        print("\n".join(score.table(title, ((r[field], r["outcome"]) for r in records), sizes)))
        print()
    for record in sorted(score.survivors(records), key=lambda r: (r["path"], r["line"])):
        print(f"{record['path']}:{record['line']} {record['operator']}, {record['outcome']}")
        print(f"{record['difference']}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command."""
    given = _parser().parse_args(arguments)
    # The same examples each time, and one thread: what is compared must not move.
    os.environ |= {"CI": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    os.environ.setdefault("MPLBACKEND", "Agg")
    os.chdir(ROOT)
    # Ended from outside, it takes the mutant that is running along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given.results.parent.mkdir(parents=True, exist_ok=True)
    if given.command == "map":
        _map(given)
    else:
        {"run": _run, "again": _again, "report": _report}[given.command](given)


if __name__ == "__main__":
    main()
