"""Text for a reader: colours, tables and progress on a terminal, plain lines in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

__all__ = ["Logged", "Progressing", "Terminal"]

#: Seconds between two lines on progress in a file.
_SELDOM = 600.0

#: Columns of a table that goes into a file: wide enough for every id.
_FILE_WIDTH = 150


class Progressing:
    """Hand out the names of what is being worked on to a progress bar, or to nobody."""

    def __init__(self, progress: Progress | None, total: int | None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("", total=total)

    def of(self, total: int) -> None:
        """Say how many there are, where that was not known before."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, total=total)

    def at(self, name: str, done: int | None = None) -> None:
        """Say what is being worked on now, and how many are finished if that is known."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=name, completed=done)

    def done(self) -> None:
        """Count one more as finished."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)


class Logged(Progressing):
    """The same for a file: a line now and then, and none for what takes minutes.

    Parameters
    ----------
    line : callable
        Writes one.
    total : int or None
        How many there are.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        line: Callable[[str], None],
        total: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(None, total)
        self._line, self._clock = line, clock
        self._total, self._count, self._last = total, 0, clock()

    def of(self, total: int) -> None:
        """Say how many there are, where that was not known before."""
        self._total = total

    def at(self, name: str, done: int | None = None) -> None:
        """Write what is being worked on, and how many are finished, where it is time to."""
        if done is not None:
            self._count = done
        if self._clock() - self._last >= _SELDOM:
            self._last = self._clock()
            of = "" if self._total is None else f" of {self._total}"
            self._line(f"{self._count}{of} done: {name}")

    def done(self) -> None:
        """Count one more as finished."""
        self._count += 1


class Terminal:
    """Writes to a stream; colours and progress only where it is a terminal.

    Parameters
    ----------
    stream : text stream or None
        Standard output unless given.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        out = sys.stdout if stream is None else stream
        self.is_terminal = out.isatty()
        self.console = Console(
            file=out,
            force_terminal=self.is_terminal,
            no_color=not self.is_terminal,
            width=None if self.is_terminal else _FILE_WIDTH,
            highlight=False,
        )

    def line(self, text: str = "") -> None:
        """Write one line, as it is."""
        self.console.print(text, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, total: int | None) -> Iterator[Progressing]:
        """Show a progress bar that vanishes at the end; in a file a line every ten minutes.

        None for a total that is told later, by :meth:`Progressing.of`.
        """
        if not self.is_terminal:
            yield Logged(self.line, total)
            return
        # Where there is little room the name is cut, and neither counter nor time.
        name = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        columns = (
            TextColumn("{task.description}", table_column=name),
            BarColumn(bar_width=10),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
        )
        with Progress(*columns, console=self.console, transient=True, expand=True) as bar:
            yield Progressing(bar, total)

    def table(self, headings: Iterable[str], lines: Iterable[Iterable[str]]) -> None:
        """Show a table of figures."""
        table = Table(box=None, pad_edge=False)
        for heading in headings:
            # Folded where it does not fit: a figure that is cut off would be lost.
            table.add_column(escape(heading), justify="right", overflow="fold")
        for line in lines:
            table.add_row(*(escape(cell) for cell in line))
        self.console.print(table)
