"""What figure D.2 looks at, and its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from theory_checks.experiments.figure_2_cells import LAWS
from theory_checks.experiments.figure_2_data import QUADRATIC, STANDARD
from theory_checks.experiments.figure_2_laws import exact
from theory_checks.experiments.figure_2_plan import PlanError
from theory_checks.experiments.figure_d2_cells import Cell
from tralgos.shares import asymptotic_ols_share

__all__ = [
    "CONFIDENCE",
    "RATIO",
    "SHARE",
    "Found",
    "Gap",
    "Plan",
    "exact_gap",
    "full",
    "quick",
    "supremum",
]

CONFIDENCE = 0.95

#: The two averages: over the shares, and the share of the mean matrix.
SHARE, RATIO = "share", "ratio"

_ERRORS = {SHARE: "error", RATIO: "ratio_error"}


@dataclass(frozen=True)
class Plan:
    """How much is run.

    Attributes
    ----------
    examples : tuple of int
        n.
    sizes : dict
        d, for each kind of data.
    entries : float
        Entries of all Hessians of a cell, by which its number of runs is chosen;
    fewest, most : int
        but no fewer and no more than these.
    digits : int
        And no more than these of the digits, whose features are made anew for each run.
    shown_n, shown_d : tuple of int
        The sizes in the long table; all others are in the numbers.

    Raises
    ------
    PlanError
        For fewer than two runs.
    """

    examples: tuple[int, ...]
    sizes: Mapping[str, tuple[int, ...]]
    entries: float
    fewest: int
    most: int
    digits: int
    shown_n: tuple[int, ...]
    shown_d: tuple[int, ...]

    def __post_init__(self) -> None:
        for name in ("fewest", "most", "digits"):
            if getattr(self, name) < 2:
                raise PlanError(
                    f"{name} is {getattr(self, name)!r}: a standard error needs at least 2 runs"
                )

    def cell(self, data: str, d: int, n: int, seed: int) -> Cell:
        """The cell of a size."""
        runs = int(min(max(self.entries / max(d, 1) ** 2, self.fewest), self.most))
        return Cell(data, d, n, runs if data in LAWS else min(runs, self.digits), seed)

    def cells(self, seed: int) -> tuple[Cell, ...]:
        """All of them."""
        return tuple(
            self.cell(data, d, n, seed)
            for data, sizes in self.sizes.items()
            for d in sizes
            for n in self.examples
        )


@dataclass(frozen=True)
class Gap:
    """An average less the formula, at one size.

    Attributes
    ----------
    d, n : int
    value, error : float
        With its standard error.
    """

    d: int
    n: int
    value: float
    error: float


class Found:
    """The results by cell, and what is asked of them."""

    def __init__(self, plan: Plan, seed: int, results: Mapping[Cell, Mapping[str, float]]) -> None:
        self.plan, self.seed = plan, seed
        self._results = results

    def at(self, data: str, d: int, n: int) -> Mapping[str, float]:
        """What the runs of one size found."""
        return self._results[self.plan.cell(data, d, n, self.seed)]

    def gap(self, data: str, d: int, n: int, average: str) -> Gap:
        """The average of the runs less the formula."""
        seen = self.at(data, d, n)
        formula = asymptotic_ols_share(d, n)
        return Gap(d, n, seen[average] - formula, seen[_ERRORS[average]])

    def largest(self, data: str, n: int, average: str) -> Gap:
        """The gap of the largest size, over d."""
        gaps = [self.gap(data, d, n, average) for d in self.plan.sizes[data]]
        return max(gaps, key=lambda gap: abs(gap.value))

    def numbers(self) -> list[dict[str, Any]]:
        """Everything, as JSON."""
        return [
            {
                **asdict(cell),
                **{name: float(f"{value:.9g}") for name, value in seen.items()},
                "formula": asymptotic_ols_share(cell.d, cell.n),
            }
            for cell, seen in self._results.items()
        ]


def exact_gap(data: str, d: int, n: int) -> float | None:
    """The share of E|H| less the formula, where it is known in closed form."""
    known = exact("ols", data, d, n)
    return None if known is None else known - asymptotic_ols_share(d, n)


def supremum(data: str, n: int) -> float | None:
    """The largest of |share of E|H| - formula| over all d, also between integers.

    With (1 + e) = c_n sqrt(n pi / 2) it is tanh(|log(1 + e)| / 4).
    """
    known = exact("ols", data, 2, n)
    if known is None:
        return None
    factor = (1.0 / known - 1.0) * np.sqrt(0.5 * np.pi * n)
    return float(np.tanh(0.25 * abs(np.log(factor))))


def _powers(last: int) -> tuple[int, ...]:
    return tuple(2**k for k in range(7) if 2**k <= last)


def _sizes(law: Sequence[int], pixels: Sequence[int], features: Sequence[int]) -> dict[str, Any]:
    return {
        **{name: tuple(law) for name in LAWS},
        STANDARD: tuple(pixels),
        QUADRATIC: tuple(features),
    }


def quick() -> Plan:
    """Within half a minute."""
    return Plan(
        examples=_powers(64),
        sizes=_sizes((2, 10, 100), (2, 10), (100,)),
        entries=1e6,
        fewest=50,
        most=4000,
        digits=50,
        shown_n=(1, 4, 32),
        shown_d=(2, 10, 100),
    )


def full() -> Plan:
    """Some minutes."""
    return Plan(
        examples=_powers(64),
        sizes=_sizes((2, 3, 5, 10, 20, 50, 200, 1000), (2, 3, 5, 10, 20, 50), (50, 200, 1000)),
        entries=1e8,
        fewest=200,
        most=20_000,
        digits=1000,
        shown_n=(1, 4, 32),
        shown_d=(2, 10, 50, 1000),
    )
