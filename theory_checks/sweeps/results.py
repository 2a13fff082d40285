"""The finished cells of a sweep in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from theory_checks.records import Line, Records
from theory_checks.sweeps.errors import ResultsError
from theory_checks.sweeps.plain import text_of

__all__ = ["SCHEMA", "ResultsFile"]

SCHEMA = "theory-checks/sweep/1"


class ResultsFile:
    """What was found, by the text of the cell; a line of the file each.

    Lines that are damaged, and lines on one cell that contradict each other, are moved to a
    file beside, ``NAME.damaged``, with blanks left in their place.

    Parameters
    ----------
    path : Path or None
        Made when it does not exist. With None nothing is kept.
    header : mapping
        What the sweep is, as plain data.

    Attributes
    ----------
    known : dict
        What was found before, as plain data.
    damaged : list of int
        The numbers of the lines that were set aside.

    Raises
    ------
    ResultsError
        When the file is of something else, in use, or cannot be read and written.
    """

    def __init__(self, path: Path | None, header: Mapping[str, Any]) -> None:
        self.known: dict[str, Any] = {}
        self.damaged: list[int] = []
        self._records: Records | None = None
        if path is None:
            return
        self._records = Records(
            path,
            {"schema": SCHEMA, **header},
            what="results file",
            of="sweep",
            error=ResultsError,
        )
        try:
            bad = self._read(self._records)
            self._records.set_aside(bad, path.with_name(f"{path.name}.damaged"))
        except BaseException:
            self._records.close()
            raise
        self.damaged = [line.number for line in bad]

    def _read(self, records: Records) -> list[Line]:
        """Take up what is sound, and return the lines that are not."""
        bad: list[Line] = []
        first: dict[str, Line] = {}
        for line in records.lines():
            document = line.document
            if document is None or set(document) != {"cell", "result"}:
                bad.append(line)
                continue
            cell = text_of(document["cell"])
            if cell not in first:
                first[cell], self.known[cell] = line, document["result"]
            elif self.known.get(cell, bad) is bad:
                bad.append(line)  # contradicted before
            elif text_of(self.known[cell]) != text_of(document["result"]):
                # Which one is right cannot be told.
                bad += [first[cell], line]
                del self.known[cell]
        return sorted(bad, key=lambda line: line.number)

    def add(self, found: Iterable[tuple[Any, Any]]) -> None:
        """Keep cells with what was found, both plain; on the disk when this returns."""
        documents = [{"cell": cell, "result": result} for cell, result in found]
        if self._records is not None and documents:
            self._records.append(*documents)

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._records is not None:
            self._records.close()
