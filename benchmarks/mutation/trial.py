"""One mutant against its tests, in a process of its own; no file is touched.

The process is a fork of one that has imported what takes long and nothing of the project. It
takes the mutated source for the module's when that is imported, so that the working tree stays
as it is, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import select
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from benchmarks.mutation.reach import CLAIM

__all__ = ["Trial", "attempt", "preload"]

#: Imported before the forks, where it is installed.
_PRELOADED = (
    *("numpy", "scipy.linalg", "scipy.sparse.linalg", "scipy.optimize", "scipy.stats", "mpmath"),
    *("hypothesis.strategies", "array_api_compat.numpy", "array_api_strict", "torch"),
    *("pylops", "sklearn.datasets", "PIL.Image"),
)
#: A test that runs this many times its time, and that many seconds, does not end.
_PATIENCE, _LEAST_PATIENCE = 20.0, 10.0
#: Bytes that a mutant may take, so that a wrong size does not take the machine's.
_MEMORY = 24 << 30


@dataclass(frozen=True)
class Trial:
    """What became of a mutant.

    Attributes
    ----------
    outcome : {"killed", "timeout", "survived", "unfinished", "unreached"}
        "timeout": a test did not end, which tells the mutant too; "unfinished": the tests
        had no time to end, which does not; "unreached": no test runs the line.
    by : str
        The test that failed, or "import".
    seconds : float
    tests : int
        How many were started.
    """

    outcome: str
    by: str
    seconds: float
    tests: int


def preload() -> None:
    """Import what the tests import anyway, once."""
    for name in _PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads one module from other source; its file serves tracebacks alone."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds that module and no other."""

    def __init__(self, root: Path, path: str, source: str) -> None:
        parts = Path(path).with_suffix("").parts
        self._package = parts[-1] == "__init__"
        self._name = ".".join(parts[:-1] if self._package else parts)
        self._loader = _Mutated(self._name, str(root / path), source)

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self._loader, is_package=self._package)


class _Chosen:
    """pytest plugin: the chosen tests in the given order, each announced."""

    def __init__(self, tests: Sequence[str], out: int) -> None:
        self._order = {name: i for i, name in enumerate(tests)}
        self._out = out

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._order]
        items[:] = sorted(chosen, key=lambda item: self._order[item.nodeid])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        _tell(self._out, "start", nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            _tell(self._out, "failed", report.nodeid)


def _tell(out: int, what: str, name: str) -> None:
    os.write(out, (json.dumps([what, name]) + "\n").encode())


def attempt(
    root: Path,
    path: str,
    source: str,
    tests: Sequence[str],
    expected: dict[str, float],
    limit: float,
) -> Trial:
    """Try the module `path` with another `source` on `tests`, in that order, until one fails.

    `expected` has the seconds that each test usually takes, `limit` is for all of them.
    """
    if not tests:
        return Trial("unreached", "", 0.0, 0)
    inlet, outlet = os.pipe()
    start = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of a library, all idle
        child = os.fork()
    if child == 0:
        os.close(inlet)
        _in_child(root, path, source, tests, outlet)
    os.close(outlet)
    try:
        outcome, by, count = _watched(inlet, expected, start + limit)
    finally:
        os.close(inlet)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return Trial(outcome, by, round(time.monotonic() - start, 2), count)


def _in_child(root: Path, path: str, source: str, tests: Sequence[str], out: int) -> None:
    """Run the tests and end the process, whatever happens."""
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        sys.meta_path.insert(0, _Finder(root, path, source))
        passed = _tests_pass(tests, out) and _claims_pass(tests, out)
        _tell(out, "passed" if passed else "broken", "")
    except BaseException:
        _tell(out, "broken", "")
    finally:
        os._exit(0)


def _tests_pass(tests: Sequence[str], out: int) -> bool:
    names = [name for name in tests if not name.startswith(CLAIM)]
    if not names:
        return True
    files = sorted({name.split("::")[0] for name in names})
    options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    # Hypothesis is imported before pytest could rewrite its assertions; it need not.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    code = pytest.main([*options, *files], plugins=[_Chosen(names, out)])
    return code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def _claims_pass(tests: Sequence[str], out: int) -> bool:
    names = [name for name in tests if name.startswith(CLAIM)]
    if not names:
        return True
    from theory_checks.cli import main

    for name in names:
        _tell(out, "start", name)
        if main(["verify", "--level", "quick", name.removeprefix(CLAIM)]):
            _tell(out, "failed", name)
            return False
    return True


def _watched(inlet: int, expected: dict[str, float], end: float) -> tuple[str, str, int]:
    """(outcome, by which test, how many were started) from what the child tells."""
    text, running, count = b"", "import", 0
    patience = end
    while True:
        now = time.monotonic()
        if now >= min(end, patience):
            return ("timeout" if now >= patience and running else "unfinished"), running, count
        if not select.select([inlet], [], [], min(end, patience) - now)[0]:
            continue
        read = os.read(inlet, 1 << 16)
        if not read:
            return "killed", running, count  # the interpreter itself was brought down
        text += read
        *lines, text = text.split(b"\n")
        for line in lines:
            what, name = json.loads(line)
            if what == "start":
                running, count = name, count + 1
                usual = _PATIENCE * expected.get(name, 0.0)
                patience = time.monotonic() + max(_LEAST_PATIENCE, usual)
            elif what == "passed":
                return "survived", "", count
            else:
                return "killed", name or "import", count
