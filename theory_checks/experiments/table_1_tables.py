"""The tables that are shown for CurveBall's table 1."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import kendalltau

from theory_checks.experiments.outcome import Table
from theory_checks.experiments.table_1_plan import (
    BASE,
    RIVALS,
    VARIANTS,
    Found,
    shown,
)
from theory_checks.experiments.table_1_protocol import (
    ADAM,
    COLUMNS,
    LINEAR,
    MOMENTUM,
    NOISES,
    PAPER,
    ROWS,
    Protocol,
)

__all__ = ["apart", "mean_of", "tables"]

_FIRST_ORDER = (MOMENTUM, ADAM)

#: Start points that the table of the scan shows.
_NEAREST = 8


def tables(found: Found) -> tuple[Table, ...]:
    """All of them; the one of the paper first."""
    parts = [
        _main(found),
        _orders(found),
        _grid(found),
        _horizons(found, tuple(NOISES), found.sizes.horizons),
        _horizons(found, (LINEAR,), found.sizes.linear_horizons),
        _variants(found),
        _rivals(found),
    ]
    if found.sizes.starts:
        parts.append(_starts(found))
    if found.sizes.scan:
        parts.append(_scan(found))
    if found.sizes.readings:
        parts.append(_readings(found))
    return tuple(parts)


def mean_of(found: Found, group: str, column: str, row: str) -> float:
    """The mean of a cell; where no run arrived, the iterations after which none had."""
    mean = found.row(group, column, row).mean
    if mean is not None:
        return mean
    cap, _ = found.sizes.searched(column, side=False)
    return float(cap if row in _FIRST_ORDER else found.sizes.second_cap)


def apart(found: Found, group: str, column: str, rows: Sequence[str] = ROWS) -> float:
    """How far a column is from the paper's: the mean of |log10(ours / paper's)| over the rows."""
    i = COLUMNS.index(column)
    ratios = [mean_of(found, group, column, row) / PAPER[row][i][0] for row in rows]
    return float(np.mean([abs(math.log10(max(ratio, 1e-9))) for ratio in ratios]))


def _main(found: Found) -> Table:
    headings = ["method"]
    for column in COLUMNS:
        headings += [column, "paper"]
    lines = []
    for row in ROWS:
        line = [row]
        for column, printed in zip(COLUMNS, PAPER[row], strict=True):
            line += [found.row("table", column, row).shown, shown(*printed)]
        lines.append(tuple(line))
    title = (
        f"iterations until the loss is below 1e-4, mean ± standard deviation of "
        f"{found.sizes.runs} runs, and the paper's (of 100)"
    )
    return Table(title, tuple(headings), tuple(lines))


def _orders(found: Found) -> Table:
    lines = []
    for i, column in enumerate(COLUMNS):
        printed = [PAPER[row][i][0] for row in ROWS]
        ours = [mean_of(found, "table", column, row) for row in ROWS]
        tau = float(kendalltau(printed, ours).statistic)
        lines.append((column, _ranked(printed), _ranked(ours), f"{tau:.2f}"))
    title = "the methods from the fastest to the slowest, and Kendall's tau between the two orders"
    return Table(title, ("column", "paper", "here", "tau"), tuple(lines))


def _ranked(means: list[float]) -> str:
    short = ("SGD", "Adam", "LM", "BFGS", "exact", "CurveBall")
    return ", ".join(short[i] for i in np.argsort(means, kind="stable"))


def _grid(found: Found) -> Table:
    lines = []
    for method in _FIRST_ORDER:
        for column in COLUMNS:
            ours = found.by_error("table", column, method)
            fewest = found.by_fewest("table", column, method)
            error = "-" if ours.error is None else f"{ours.error:.1e}"
            lines.append(
                (
                    method,
                    column,
                    ours.cell.name,
                    error,
                    ours.measured.shown,
                    fewest.cell.name,
                    fewest.measured.shown,
                )
            )
    headings = (
        "method",
        "column",
        "lowest error",
        "error",
        "iterations",
        "fewest iterations",
        "iterations ",
    )
    title = (
        "the grid search: rate and momentum, or rate, beta1 and beta2, with the lowest mean loss "
        "over the last ten iterates and all runs (used above), and with the fewest iterations"
    )
    return Table(title, headings, tuple(lines))


def _horizons(found: Found, columns: tuple[str, ...], horizons: tuple[int, ...]) -> Table:
    lines = []
    for method in _FIRST_ORDER:
        for column in columns:
            line = [method, column]
            for horizon in horizons:
                chosen = found.by_error("table", column, method, horizon)
                line.append(f"{chosen.measured.shown} [{chosen.cell.name}]")
            lines.append(tuple(line))
    used = found.sizes.length_in(columns[0])
    marks = tuple(f"length {h}{'*' if h == used else ''}" for h in horizons)
    title = (
        "iterations with the configuration [in brackets] of the lowest error at the end of "
        "trajectories of that length; * used above"
    )
    return Table(title, ("method", "column", *marks), tuple(lines))


def _variants(found: Found) -> Table:
    lines = []
    for name, _, _ in VARIANTS:
        cells = [
            found.measured("ball", column, name).shown
            if ("ball", column, name) in found.results
            else "-"
            for column in COLUMNS
        ]
        lines.append((name, *cells))
    title = (
        f"sensitivity: iterations of CurveBall with one choice changed, {found.sizes.side_runs} "
        "runs (tracking: this package's own rule, which rejects some of the steps that raise f)"
    )
    return Table(title, ("change", *COLUMNS), tuple(lines))


def _rivals(found: Found) -> Table:
    lines = tuple(
        (row, name, *(found.measured("rival", column, row, name).shown for column in COLUMNS))
        for row, name, _ in RIVALS
    )
    title = (
        f"sensitivity: iterations of its rivals with other settings, {found.sizes.side_runs} runs"
    )
    return Table(title, ("method", "setting", *COLUMNS), lines)


def _all_rows(found: Found, group: str, column: str) -> Iterator[str]:
    yield from (found.row(group, column, row).shown for row in ROWS)
    yield f"{apart(found, group, column):.2f}"


def _starts(found: Found) -> Table:
    lines = []
    for column in NOISES:
        for name, group in ((BASE.starts, "table"), *_groups(found)):
            lines.append((column, name, *_all_rows(found, group, column)))
    title = (
        f"sensitivity: all rows from other start points, {found.sizes.side_runs} runs; distance: "
        "mean of |log10(ours / paper's)| over the rows"
    )
    return Table(title, ("column", "starts", *ROWS, "distance"), tuple(lines))


def _groups(found: Found) -> Iterator[tuple[str, str]]:
    for i, start in enumerate(found.sizes.starts):
        yield start.starts, f"start {i}"


def _scan(found: Found) -> Table:
    """The nearest ones."""
    sizes = found.sizes
    distances = [
        float(np.mean([apart(found, f"scan {i}", column, ROWS[2:]) for column in NOISES]))
        for i in range(len(sizes.scan))
    ]
    lines = []
    for i in np.argsort(distances, kind="stable")[:_NEAREST]:
        u, v = sizes.scan[i]
        cells = (
            ", ".join(f"{mean_of(found, f'scan {i}', column, row):.0f}" for column in NOISES)
            for row in ROWS[2:]
        )
        lines.append((f"({u:g}, {v:g})", *cells, f"{distances[i]:.3f}"))
    printed = (
        ", ".join(f"{PAPER[row][COLUMNS.index(column)][0]:.0f}" for column in NOISES)
        for row in ROWS[2:]
    )
    lines.append(("paper", *printed, "0"))
    title = (
        f"where the start point of the table is from: the {_NEAREST} of {len(sizes.scan)} that "
        "are nearest to the paper's rows of second order, with their means in the columns "
        f"{', '.join(NOISES)}; {sizes.scan_runs} runs each"
    )
    return Table(title, ("start", *ROWS[2:], "distance"), tuple(lines))


def _readings(found: Found) -> Table:
    lines = []
    for i, reading in enumerate(found.sizes.readings):
        lines.append((*_reading(reading), *_all_rows(found, f"reading {i}", LINEAR)))
    title = (
        f"sensitivity: readings of {LINEAR}, {found.sizes.side_runs} runs; distance as before, "
        "means of none that arrived taken as the bound on the iterations"
    )
    headings = ("matrix", "loss", "below", *ROWS, "distance")
    return Table(title, headings, tuple(lines))


def _reading(reading: Protocol) -> tuple[str, str, str]:
    unit = " of the first" if reading.relative else ""
    return reading.matrix, reading.reduction, f"{reading.tolerance:.0e}{unit}"
