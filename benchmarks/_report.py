"""Tables: on the terminal with Rich, in a file as Markdown, with what they were measured on."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tralgos

__all__ = ["Table", "environment", "main", "one_thread"]

#: What the figures depend on, by the names of their distributions.
_PACKAGES = ("numpy", "scipy", "galahad-optrove", "cupy-cuda13x", "cupy-cuda12x")

#: One thread each, and what GALAHAD's OpenMP solvers need.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_CANCELLATION": "TRUE",
    "OMP_PROC_BIND": "TRUE",
}


@dataclass(frozen=True)
class Table:
    """A table with a title, a sentence on what it shows, and cells of text."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table as a section of a Markdown page; the first column reads from the left."""
        rule = ["---", *("---:" for _ in self.columns[1:])]
        lines = ["| " + " | ".join(row) + " |" for row in (self.columns, rule, *self.rows)]
        return "\n".join([f"## {self.title}", "", self.note, "", *lines, ""])

    def show(self) -> None:
        """Print the table, with Rich where it is installed."""
        try:
            from rich.console import Console
            from rich.table import Table as RichTable
        except ImportError:
            print(self.markdown())
            return
        table = RichTable(title=self.title, caption=self.note, title_justify="left")
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="right" if i else "left")
        for row in self.rows:
            table.add_row(*row)
        Console().print(table)


def one_thread() -> None:
    """Start this process anew with one thread a library, unless it was started so.

    The libraries read these variables when they are loaded, so setting them is not enough.
    """
    if all(os.environ.get(name) == value for name, value in _ENVIRONMENT.items()):
        return
    os.environ.update(_ENVIRONMENT)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def environment(extra: Sequence[str] = ()) -> list[str]:
    """The machine, the packages and the date, a line each."""
    versions = [f"tralgos {tralgos.__version__}", f"Python {platform.python_version()}"]
    for name in _PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    threads = os.environ.get("OMP_NUM_THREADS", "as many threads as the libraries choose")
    threads = "one thread" if threads == "1" else threads
    return [
        f"- Machine: {_processor()}, {os.cpu_count()} cores; {threads}",
        *(f"- {line}" for line in extra),
        f"- Packages: {', '.join(versions)}",
        f"- Date: {datetime.date.today().isoformat()}",
    ]


def page(
    tables: Iterable[Table], command: str, extra: Sequence[str] = (), title: str = "Benchmarks"
) -> str:
    """A Markdown page of the tables."""
    head = [
        f"# {title}",
        "",
        f"Written by `{command}`, which measures everything anew.",
        "Times are ratios of medians of interleaved repeats in one process; counts do not depend",
        "on the machine.",
        "",
        *environment(extra),
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(table.markdown() for table in tables)


def main(
    command: str,
    build: Callable[[], Iterable[Table]],
    *,
    single: bool = True,
    extra: Callable[[], Sequence[str]] = tuple,
    title: str = "Benchmarks",
) -> None:
    """Run one benchmark as a script.

    Parameters
    ----------
    command : str
        How it is called, for the page.
    build : callable
        Gives the tables, each as soon as it is measured.
    single : bool
        Whether to measure with one thread.
    extra : callable
        More lines on the machine.
    title : str
        Of the page.
    """
    parser = argparse.ArgumentParser(description=f"Measures anew what `{command}` writes.")
    parser.add_argument("--out", type=Path, help="write the tables to this file, as Markdown")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, not Rich tables")
    options = parser.parse_args()
    if single:
        one_thread()
    lines = extra()
    print("\n".join(environment(lines)), flush=True)
    tables = []
    for table in build():
        tables.append(table)
        if options.markdown:
            print("\n" + table.markdown(), flush=True)
        else:
            table.show()
    if options.out is not None:
        options.out.write_text(page(tables, command, lines, title), encoding="utf-8")
