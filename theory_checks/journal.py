"""A file that grows by one checked line for each finished cell.

A run that was killed goes on from it. A last line that was cut short is taken
back; a damaged line anywhere is named, and its cell done again. The first line
says what the run was: results of another one are refused.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from theory_checks.cells import Cell, check_result

__all__ = ["JOURNAL_SCHEMA", "Journal", "JournalError"]

JOURNAL_SCHEMA = "theory-checks/journal/1"


class JournalError(ValueError):
    """A journal of another run, or no journal at all."""


def _line(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def _read_line(raw: bytes) -> dict[str, Any] | None:
    """The document of a line; None where it is damaged."""
    try:
        check, text = raw.decode("utf-8").rstrip("\n").split(" ", 1)
        if not raw.endswith(b"\n") or int(check, 16) != zlib.crc32(text.encode()):
            return None
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


class Journal:
    """The finished cells of one run, in a file.

    Parameters
    ----------
    path : Path
        Made when it does not exist.
    run : dict
        What the run is: level, seed, versions, state of the sources. Plain data.

    Attributes
    ----------
    results : dict
        The cells that were finished before, with what they found.
    damaged : list of int
        The numbers of the lines that could not be read; their cells are not in `results`.

    Raises
    ------
    JournalError
        When the file is of another run, in use by one, or no journal.
    """

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self.results: dict[Cell, dict[str, Any]] = {}
        self.damaged: list[int] = []
        header = {"schema": JOURNAL_SCHEMA, **run}
        self._name = path.name
        if path.exists() and not path.is_file():
            raise JournalError(f"{path.name}: not a file that a journal can be kept in")
        # Not buffered: a line that cannot be written must not be tried again on closing.
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        try:
            self._lock()
            length = self._read(self._file.read(), header)
            self._file.truncate(length)
            self._file.seek(length)
            if length == 0:
                self._append(header)
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        """Keep the file for this process, where the system has locks."""
        if sys.platform == "win32":
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise JournalError(f"{self._name}: another run writes to it now") from error

    def _read(self, content: bytes, header: dict[str, Any]) -> int:
        """Take up what is there and return the length of it that stays."""
        lines = content.splitlines(keepends=True)
        if not lines:
            return 0
        first = _read_line(lines[0])
        if first is None:
            if len(lines) == 1 and _line(header).startswith(lines[0]):
                return 0  # killed while the first line was written
            raise JournalError(f"{self._name}: not a journal of theory-checks")
        for key in header:
            if first.get(key) != header[key]:
                raise JournalError(
                    f"{self._name}: of another run: {key} was {first.get(key)!r}, "
                    f"now it is {header[key]!r}; give another file, or remove this one"
                )
        length = len(lines[0])
        for number, raw in enumerate(lines[1:], start=2):
            if number == len(lines) and not raw.endswith(b"\n"):
                break  # cut short: taken back
            self._take(number, _read_line(raw))
            length += len(raw)
        return length

    def _take(self, number: int, document: dict[str, Any] | None) -> None:
        try:
            if document is None:
                raise ValueError("damaged")
            cell = Cell(**document["cell"])
            check_result(cell, document["result"])
            self.results[cell] = dict(document["result"])
        except (KeyError, TypeError, ValueError):
            self.damaged.append(number)

    def _append(self, document: dict[str, Any]) -> None:
        try:
            self._file.write(_line(document))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"{self._name}: cannot be written: {error.strerror}") from error

    def add(self, cell: Cell, result: dict[str, Any]) -> None:
        """Keep what a cell found; on the disk when this returns."""
        self._append({"cell": asdict(cell), "result": result})
        self.results[cell] = result

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
