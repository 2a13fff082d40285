"""A file that grows by one checked line for each finished cell.

A run that was killed goes on from it. A last line that was cut short is taken
back; a damaged line anywhere is named, and its cell done again. The first line
says what the run was: results of another one are refused.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from theory_checks.cells import Cell, check_result
from theory_checks.records import Line, Records

__all__ = ["JOURNAL_SCHEMA", "Journal", "JournalError"]

JOURNAL_SCHEMA = "theory-checks/journal/1"


class JournalError(ValueError):
    """A journal of another run, or no journal at all."""


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
        self._records = Records(path, header, what="journal", of="run", error=JournalError)
        for line in self._records.lines():
            if not line.cut:
                self._take(line)

    def _take(self, line: Line) -> None:
        try:
            if line.document is None:
                raise ValueError("damaged")
            cell = Cell(**line.document["cell"])
            check_result(cell, line.document["result"])
            self.results[cell] = dict(line.document["result"])
        except (KeyError, TypeError, ValueError):
            self.damaged.append(line.number)

    def add(self, cell: Cell, result: dict[str, Any]) -> None:
        """Keep what a cell found; on the disk when this returns."""
        self._records.append({"cell": asdict(cell), "result": result})
        self.results[cell] = result

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._records.close()
