"""What is run for CurveBall's table 1, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from theory_checks.experiments.table_1_first_order import Cell, Search, grid
from theory_checks.experiments.table_1_protocol import (
    ADAM,
    COLUMNS,
    CURVEBALL,
    EXACT,
    LINEAR,
    MARQUARDT,
    MOMENTUM,
    NOISES,
    ROWS,
    TEXTBOOK,
    Protocol,
)
from theory_checks.experiments.table_1_runs import Task

__all__ = [
    "BASE",
    "OTHER_STARTS",
    "READINGS",
    "RIVALS",
    "SCAN",
    "VARIANTS",
    "WHOLE_STEPS",
    "Chosen",
    "Found",
    "Measured",
    "Sizes",
    "plan",
    "shown",
]

#: The protocol of the table itself.
BASE = Protocol()


@dataclass(frozen=True)
class Sizes:
    """How much is run.

    Attributes
    ----------
    runs, side_runs : int
        Of each cell of the table, and of each cell of the tables of sensitivity.
    cap, linear_cap, second_cap : int
        Iterations after which a run counts as never arriving: of first order, the same in the
        last column, and of second order.
    rates : tuple of float
        Learning rates of the grid.
    horizons, linear_horizons : tuple of int
        Lengths of trajectories at which the selection is looked at; the two below among them.
    starts : tuple of Protocol
        Start points for which all rows are run.
    readings : tuple of Protocol
        Readings of the last column for which all rows are run.
    scan : tuple of pairs
        Centres of start points for which the rows of second order are run.
    scan_runs : int
        Runs for each of them.
    length, linear_length : int
        Of the trajectories whose last ten losses choose the configurations of the table.
    """

    runs: int
    side_runs: int
    cap: int
    linear_cap: int
    second_cap: int
    rates: tuple[float, ...]
    horizons: tuple[int, ...]
    linear_horizons: tuple[int, ...]
    starts: tuple[Protocol, ...]
    readings: tuple[Protocol, ...]
    scan: tuple[tuple[float, float], ...]
    scan_runs: int = 10
    length: int = 2000
    linear_length: int = 200

    def length_in(self, column: str) -> int:
        """Of the trajectories that choose in a column."""
        return self.linear_length if column == LINEAR else self.length

    def searched(self, column: str, *, side: bool) -> tuple[int, tuple[int, ...]]:
        """Cap and horizons of the grid search in a column; `side`: for a table of sensitivity."""
        linear = column == LINEAR
        cap = self.linear_cap if linear else self.cap
        if side:
            return cap, (self.length_in(column),)
        return cap, self.linear_horizons if linear else self.horizons


#: Readings of the last column: whose A, which reduction, which tolerance.
READINGS = (
    *(
        Protocol(matrix=matrix, reduction=reduction, relative=relative)
        for matrix in ("conditioned", "notebook")
        for reduction in ("mean", "sum")
        for relative in (True, False)
    ),
    replace(BASE, relative=False, tolerance=1e-2),
)

#: Start points other than those of the table.
OTHER_STARTS = (
    *(replace(BASE, start=start) for start in (TEXTBOOK, (-1.0, -1.0), (0.0, -0.5), None)),
    replace(BASE, spread=0.01),
)

#: The centres of start points that were tried for those of the table.
SCAN = tuple(product(np.arange(-1.5, 1.1, 0.25).tolist(), np.arange(-1.5, 1.8, 0.25).tolist()))

Options = tuple[tuple[str, Any], ...]


#: One change at a time for CurveBall: name, protocol, options.
VARIANTS: tuple[tuple[str, Protocol, Options], ...] = (
    ("as in the table", BASE, ()),
    *((f"starts {start.starts}", start, ()) for start in OTHER_STARTS),
    ("distance < 1e-4", replace(BASE, tested="distance"), ()),
    ("the sample's loss < 1e-4", replace(BASE, tested="sample"), ()),
    ("exact Hessian", BASE, (("hessian", "exact"),)),
    *((f"lambda_0 = {lam:g}", BASE, (("lam", lam),)) for lam in (10.0, 0.1, 0.001, 0.0)),
    *(
        (f"lambda rule: {rule}", BASE, (("lam_rule", rule),))
        for rule in ("fixed", "authors", "gain", "tracking")
    ),
)

#: Newton's method without a line search.
WHOLE_STEPS = (EXACT, "every whole step taken")

#: The same for its rivals: row, name, options.
RIVALS: tuple[tuple[str, str, Options], ...] = (
    (MARQUARDT, "as in the table: Marquardt's scaling", ()),
    (MARQUARDT, "Levenberg's scaling, D = I", (("scaling", "identity"),)),
    (MARQUARDT, "exact Hessian", (("hessian", "exact"),)),
    (
        MARQUARDT,
        "D = I, lambda = 1 fixed, every step taken",
        (("scaling", "identity"), ("lam", 1.0), ("lam_rule", "fixed"), ("search", "none")),
    ),
    (EXACT, "as in the table: backtracking", ()),
    (*WHOLE_STEPS, (("search", "none"),)),
)


@dataclass(frozen=True)
class Measured:
    """Iterations of the runs of one cell of the table; None for a run that never arrived."""

    iterations: tuple[int | None, ...]

    @property
    def reached(self) -> np.ndarray:
        """Of the runs that arrived."""
        return np.array([n for n in self.iterations if n is not None], dtype=float)

    @property
    def never(self) -> int:
        """Runs that did not."""
        return len(self.iterations) - len(self.reached)

    @property
    def mean(self) -> float | None:
        """Over the runs that arrived; None if none did."""
        return float(np.mean(self.reached)) if len(self.reached) else None

    @property
    def deviation(self) -> float:
        """Their standard deviation; 0 of a single one."""
        return float(np.std(self.reached, ddof=1)) if len(self.reached) > 1 else 0.0

    @property
    def shown(self) -> str:
        """Mean, deviation, and the runs that are missing."""
        if self.mean is None:
            return "never"
        missing = f" ({self.never} never)" if self.never else ""
        return f"{shown(self.mean, self.deviation)}{missing}"

    def told(self) -> dict[str, Any]:
        """For the JSON file."""
        return {"mean": self.mean, "deviation": self.deviation, "iterations": self.iterations}


def shown(mean: float, deviation: float) -> str:
    """Mean and deviation, with a decimal where they are small."""
    digits = 0 if mean >= 100.0 else 1
    return f"{mean:.{digits}f} ± {deviation:.{digits}f}"


@dataclass(frozen=True)
class Chosen:
    """A configuration of the grid, the error that it was chosen by, and its runs."""

    cell: Cell
    error: float | None
    measured: Measured


Tag = tuple[str, ...]
Tagged = tuple[Tag, Search | Task]


def plan(sizes: Sizes, seed: int) -> tuple[Tagged, ...]:
    """Every job, with what it is for; the longest ones first."""
    return (
        *_table("table", COLUMNS, BASE, sizes, (seed, sizes.runs)),
        *(
            job
            for i, start in enumerate(sizes.starts)
            for job in _table(f"start {i}", tuple(NOISES), start, sizes, (seed, sizes.side_runs))
        ),
        *(
            job
            for i, reading in enumerate(sizes.readings)
            for job in _table(f"reading {i}", (LINEAR,), reading, sizes, (seed, sizes.side_runs))
        ),
        *_changes(sizes, seed),
        *_scan(sizes, seed),
    )


def _table(
    group: str, columns: Sequence[str], setting: Protocol, sizes: Sizes, runs: tuple[int, int]
) -> Iterator[Tagged]:
    """All rows of the columns."""
    for column in columns:
        limits = sizes.searched(column, side=group != "table")
        for method in (MOMENTUM, ADAM):
            for cell in grid(method, sizes.rates):
                search = Search(column, cell, setting, *runs, *limits)
                yield (group, column, method, cell.name), search
        for row in ROWS[2:]:
            yield (group, column, row), Task(row, column, setting, *runs, sizes.second_cap)


def _changes(sizes: Sizes, seed: int) -> Iterator[Tagged]:
    """The tables of sensitivity."""
    ends = (seed, sizes.side_runs, sizes.second_cap)
    for column in COLUMNS:
        for name, setting, options in VARIANTS:
            # The last column has starts of its own.
            if column == LINEAR and setting in OTHER_STARTS:
                continue
            yield ("ball", column, name), Task(CURVEBALL, column, setting, *ends, options)
        for row, name, options in RIVALS:
            yield ("rival", column, row, name), Task(row, column, BASE, *ends, options)


def _scan(sizes: Sizes, seed: int) -> Iterator[Tagged]:
    """The rows of second order from many start points."""
    for i, start in enumerate(sizes.scan):
        setting = replace(BASE, start=start)
        for column in NOISES:
            for row in ROWS[2:]:
                task = Task(row, column, setting, seed, sizes.scan_runs, sizes.second_cap)
                yield (f"scan {i}", column, row), task


@dataclass(frozen=True)
class Found:
    """All results by their tags."""

    sizes: Sizes
    results: Mapping[Tag, dict[str, Any]]

    def measured(self, *tag: str) -> Measured:
        """The runs of a job."""
        return Measured(tuple(self.results[tag]["iterations"]))

    def cells(self, group: str, column: str, method: str, horizon: int) -> list[Chosen]:
        """The whole grid with the errors at a horizon."""
        return [
            Chosen(
                cell,
                self.results[group, column, method, cell.name]["errors"][str(horizon)],
                self.measured(group, column, method, cell.name),
            )
            for cell in grid(method, self.sizes.rates)
        ]

    def by_error(self, group: str, column: str, method: str, horizon: int | None = None) -> Chosen:
        """The paper's choice: the lowest error of the last ten iterates."""
        cells = self.cells(group, column, method, horizon or self.sizes.length_in(column))
        return min(cells, key=lambda one: np.inf if one.error is None else one.error)

    def by_fewest(self, group: str, column: str, method: str) -> Chosen:
        """The configuration with which most runs arrive, and of these the fastest."""
        cells = self.cells(group, column, method, self.sizes.length_in(column))
        return min(
            cells,
            key=lambda one: (
                one.measured.never,
                np.inf if one.measured.mean is None else one.measured.mean,
            ),
        )

    def row(self, group: str, column: str, row: str) -> Measured:
        """A cell of the table; of first order by the paper's choice."""
        if row in (MOMENTUM, ADAM):
            return self.by_error(group, column, row).measured
        return self.measured(group, column, row)
