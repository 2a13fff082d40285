"""Which tests and claims reach which line, and how long each takes."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import coverage
import pytest

from benchmarks.mutation.population import Mutant

__all__ = ["CLAIM", "Reach", "measured"]

#: What the name of a claim begins with among the tests.
CLAIM = "claim:"


@dataclass(frozen=True)
class Reach:
    """What reaches which line.

    Attributes
    ----------
    seconds : dict
        How long each test took, by its name.
    lines : dict
        Path of a module, then its line, to the names of the tests that reach it.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]

    def tests(self, mutant: Mutant) -> list[str]:
        """Those that reach a mutant, in the order in which they are tried.

        Where only the import runs the statement, those that reach its function, class or
        module, and those that reach no line at all: they look at what the import has made.
        The latter come first, and claims last. Between, tests of many functions come before
        many cases of one: of each function the fastest case, then of each the next.
        """
        reached = self._between(mutant.path, *mutant.lines)
        if not reached:
            around = (self._between(mutant.path, *lines) for lines in (mutant.scope, (1, 10**9)))
            reached = next(filter(None, around), set()) | self._idle
        seen: dict[str, int] = defaultdict(int)
        ranked = []
        for name in sorted(reached, key=lambda name: (self.seconds[name], name)):
            function = name.split("[")[0]
            rank = -1 if name in self._idle else seen[function]
            ranked.append((name.startswith(CLAIM), rank, self.seconds[name], name))
            seen[function] += 1
        return [name for *_, name in sorted(ranked)]

    def _between(self, path: str, first: int, last: int) -> set[str]:
        lines = self.lines.get(path, {})
        return {name for line, names in lines.items() if first <= line <= last for name in names}

    def joined(self, other: Reach) -> Reach:
        """What is known here and there; the other counts where both know a test."""
        lines: dict[str, dict[int, list[str]]] = {}
        for path in {**self.lines, **other.lines}:
            mine, theirs = self.lines.get(path, {}), other.lines.get(path, {})
            lines[path] = {
                line: [name for name in mine.get(line, ()) if name not in other.seconds]
                + theirs.get(line, [])
                for line in {**mine, **theirs}
            }
        return Reach({**self.seconds, **other.seconds}, lines)

    @cached_property
    def _idle(self) -> set[str]:
        busy = {name for file in self.lines.values() for names in file.values() for name in names}
        return {name for name in self.seconds if name not in busy and not name.startswith(CLAIM)}

    def write(self, path: Path) -> None:
        """To a JSON file, the names by their numbers."""
        number = {name: i for i, name in enumerate(self.seconds)}
        lines = {
            file: {str(line): sorted(number[n] for n in names) for line, names in of_file.items()}
            for file, of_file in self.lines.items()
        }
        text = json.dumps({"seconds": self.seconds, "lines": lines}, separators=(",", ":"))
        path.write_text(text, encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Reach:
        """What :meth:`write` has written."""
        document = json.loads(path.read_text(encoding="utf-8"))
        names = list(document["seconds"])
        lines = {
            file: {int(line): [names[i] for i in numbers] for line, numbers in of_file.items()}
            for file, of_file in document["lines"].items()
        }
        return cls(document["seconds"], lines)


class _Contexts:
    """pytest plugin: one coverage context a test, and its time."""

    def __init__(self, measuring: coverage.Coverage) -> None:
        self.seconds: dict[str, float] = {}
        self._measuring = measuring

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        with _timed(self._measuring, item.nodeid, self.seconds):
            return (yield)


@contextlib.contextmanager
def _timed(measuring: coverage.Coverage, name: str, seconds: dict[str, float]) -> Iterator[None]:
    measuring.switch_context(name)
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = round(time.perf_counter() - start, 5)
        measuring.switch_context("")


def measured(root: Path, folders: Sequence[str], tests: Sequence[str] | None) -> Reach:
    """Run the tests, or for None the claims, and see what they reach.

    Raises
    ------
    RuntimeError
        If a test fails or a verdict is not the recorded one: nothing can be learnt then.
    """
    # Contexts that change while the code runs need the tracer in C.
    os.environ["COVERAGE_CORE"] = "ctrace"
    measuring = coverage.Coverage(
        data_file=None, config_file=False, source=[str(root / folder) for folder in folders]
    )
    contexts = _Contexts(measuring)
    measuring.start()
    try:
        if tests is None:
            _run_claims(measuring, contexts.seconds)
        elif pytest.main(["-q", "-p", "no:cacheprovider", *tests], plugins=[contexts]):
            raise RuntimeError("a test fails on the code as it stands")
    finally:
        measuring.stop()
    return Reach(contexts.seconds, _lines(root, measuring, contexts.seconds))


def _run_claims(measuring: coverage.Coverage, seconds: dict[str, float]) -> None:
    from theory_checks.cli import main
    from theory_checks.registry import all_claims

    for name in all_claims():
        with _timed(measuring, CLAIM + name, seconds):
            if main(["verify", "--level", "quick", name]):
                raise RuntimeError(f"the verdict of {name} is not the recorded one")


def _lines(
    root: Path, measuring: coverage.Coverage, known: dict[str, float]
) -> dict[str, dict[int, list[str]]]:
    data: Any = measuring.get_data()
    lines = {}
    for file in data.measured_files():
        of_file = data.contexts_by_lineno(file)
        lines[Path(file).relative_to(root).as_posix()] = {
            line: [name for name in names if name in known] for line, names in of_file.items()
        }
    return lines
