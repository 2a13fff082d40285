"""The run: all checks of a piece before any of its times, one table, one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import _report
from benchmarks.gpu import batch, curveball, krylov, ols, wigner
from benchmarks.gpu.backend import Backend
from benchmarks.gpu.rows import COLUMNS, Line
from benchmarks.gpu.sizes import Sizes

__all__ = ["PIECES", "Piece", "measured", "page"]

DTYPES = (np.float64, np.float32)


@dataclass(frozen=True)
class Piece:
    """A part of the benchmark.

    Attributes
    ----------
    checks : callable
        (backend, dtype, sizes) -> the largest relative difference; raises `CheckFailed`.
    rows : callable
        (backend, dtype, sizes, largest difference) -> rows.
    """

    checks: Callable[[Backend, Any, Sizes], float]
    rows: Callable[[Backend, Any, Sizes, float], Iterator[Line]]


PIECES: Mapping[str, Piece] = {
    "krylov": Piece(krylov.checks, krylov.rows),
    "curveball": Piece(curveball.checks, curveball.rows),
    "batch": Piece(batch.checks, batch.rows),
    "wigner": Piece(wigner.checks, wigner.rows),
    "ols": Piece(ols.checks, ols.rows),
}


def measured(
    backend: Backend,
    sizes: Sizes,
    pieces: Mapping[str, Piece],
    seen: Callable[[_report.Table], object] = lambda table: None,
) -> _report.Table:
    """The table of these pieces in both precisions.

    Parameters
    ----------
    backend : Backend
    sizes : Sizes
    pieces : mapping
        By their names.
    seen : callable
        Sees the table after each row.

    Raises
    ------
    CheckFailed
        At the first result that is wrong.
    """
    agreements = {
        (name, dtype): piece.checks(backend, dtype, sizes)
        for name, piece in pieces.items()
        for dtype in DTYPES
    }
    cells: list[list[str]] = []
    table = _report.Table("Measurements", _note(backend, sizes), COLUMNS, cells)
    for (name, dtype), agreement in agreements.items():
        for row in pieces[name].rows(backend, dtype, sizes, agreement):
            cells.append(row.cells())
            print("  ".join(cell for cell in cells[-1] if cell), flush=True)
            seen(table)
    return table


def _note(backend: Backend, sizes: Sizes) -> str:
    where = "the device" if backend.name == "cupy" else "the host: not a measurement of a GPU"
    return (
        f"Measured on {where}. Medians of {sizes.repeats} repeats after a run that was checked; "
        "spread is longest less shortest over the median. The ratio is the rate over what it is "
        "held against, which was measured in the same run; the host runs on one thread."
    )


def page(table: _report.Table, lines: list[str], command: str) -> str:
    """The table as a page of its own."""
    head = [
        "---",
        "orphan: true",
        "---",
        "",
        "# Benchmarks on an accelerator",
        "",
        f"Written by `{command}`, which checks and measures everything anew.",
        "What the rows mean is said in the page on benchmarks of accelerators.",
        "",
        *lines,
        "",
        "",
    ]
    return "\n".join(head) + table.markdown()
