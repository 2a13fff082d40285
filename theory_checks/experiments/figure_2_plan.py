"""What figure 2 looks at, and how to find it again among the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from theory_checks.experiments.figure_2_cells import (
    DIGITS,
    GAUSS_NEWTON,
    LAWS,
    MATRIX,
    OLS,
    RANDOM_INPUTS,
    WIGNER,
    Cell,
)
from theory_checks.experiments.figure_2_data import PIXELS, QUADRATIC, RANDOM, STANDARD
from theory_checks.experiments.figure_2_models import HALF, MODELS, NINETY, START

__all__ = [
    "CONFIDENCE",
    "GAUSSIAN",
    "Found",
    "Plan",
    "PlanError",
    "Series",
    "full",
    "named",
    "quick",
    "round_sizes",
    "states",
]

CONFIDENCE = 0.95

GAUSSIAN = "gaussian"

Sizes = tuple[int, ...]


class PlanError(ValueError):
    """A plan that nothing can be made of; the message names the field."""


@dataclass(frozen=True)
class Plan:
    """How much is run.

    Attributes
    ----------
    runs : int
        Of every size of every family; at least 2, since an interval needs as many.
    batch : int
        Examples: of the digits, of the models, and of the paper's least squares.
    steps : int
        Of a training run, at most.
    wigner : tuple of int
        Orders of the Gaussian Wigner matrices.
    ols : tuple of (int, tuple of int)
        Numbers of examples of Gaussian least squares, and the orders for each.
    others : tuple of int
        Orders at which the other laws are looked at.
    digits : tuple of (str, tuple of int)
        Features of the digits, and how many of them.
    models : tuple of (str, str, tuple of int)
        Kinds of model, their inputs, and their numbers of parameters.

    Raises
    ------
    PlanError
        For fewer than two runs.
    """

    runs: int
    batch: int
    steps: int
    wigner: Sizes
    ols: tuple[tuple[int, Sizes], ...]
    others: Sizes
    digits: tuple[tuple[str, Sizes], ...]
    models: tuple[tuple[str, str, Sizes], ...]

    def __post_init__(self) -> None:
        if self.runs < 2:
            raise PlanError(f"runs is {self.runs!r}: an interval needs at least 2")

    def check_whole(self) -> None:
        """Refuse a plan for which there would be no picture.

        Raises
        ------
        PlanError
            Naming what is empty.
        """
        if not self.wigner:
            raise PlanError("wigner is empty: all else is set beside it")
        for name in ("ols", "digits", "models"):
            for *family, sizes in getattr(self, name):
                if not sizes:
                    raise PlanError(f"{name}: no sizes for {', '.join(map(str, family))}")

    def enlarged(self, more: Sizes) -> Plan:
        """With larger random matrices besides."""
        ols = tuple(
            (n, (*sizes, *more)) if n == self.batch else (n, sizes) for n, sizes in self.ols
        )
        return replace(self, wigner=(*self.wigner, *more), ols=ols)

    def cell(self, kind: str, data: str, d: int, n: int, run: int, seed: int) -> Cell:
        """The cell of a run."""
        return Cell(kind, data, d, n, run, seed, self.steps if self._trains(kind, data) else 0)

    @staticmethod
    def _trains(kind: str, data: str) -> bool:
        return kind in MODELS and data != RANDOM

    def cells(self, seed: int) -> tuple[Cell, ...]:
        """All of them, once each."""
        every = (
            self.cell(kind, data, d, n, run, seed)
            for kind, data, n, sizes in self._families()
            for d in sizes
            for run in range(self.runs)
        )
        return tuple(dict.fromkeys(every))

    def _families(self) -> Iterator[tuple[str, str, int, Sizes]]:
        yield WIGNER, GAUSSIAN, 0, self.wigner
        for n, sizes in self.ols:
            yield OLS, GAUSSIAN, n, sizes
        for law in LAWS:  # the Gaussian one too: its sizes above may be others
            yield WIGNER, law, 0, self.others
            yield OLS, law, self.batch, self.others
        for data, sizes in self.digits:
            yield DIGITS, data, self.batch, sizes
        for kind, data, sizes in self.models:
            yield kind, data, self.batch, sizes


def named(kind: str, data: str, state: str) -> str:
    """A model in one state, for tables."""
    return f"{kind}, {data}" + ("" if state == RANDOM_INPUTS else f", {state}")


def states(data: str) -> tuple[str, ...]:
    """The states in which a model with these inputs is looked at, in their order."""
    return (RANDOM_INPUTS, GAUSS_NEWTON) if data == RANDOM else (START, HALF, NINETY)


@dataclass(frozen=True)
class Series:
    """Shares of one family in one state.

    Attributes
    ----------
    sizes : tuple of int
        The numbers of parameters at which every run came to the state.
    runs : ndarray, shape (runs, sizes)
    """

    sizes: Sizes
    runs: np.ndarray

    @property
    def spans_a_decade(self) -> bool:
        """Whether a slope over these sizes says anything."""
        return bool(self.sizes) and self.sizes[-1] >= 10 * self.sizes[0]

    @property
    def last_decade(self) -> Series:
        """The sizes from a tenth of the last one on."""
        some = [k for k, d in enumerate(self.sizes) if 10 * d >= self.sizes[-1]]
        return Series(tuple(self.sizes[k] for k in some), self.runs[:, some])


class Found:
    """The results by cell, and what is asked of them.

    Parameters
    ----------
    plan : Plan
    seed : int
    results : mapping
        From cells to what :func:`~theory_checks.experiments.figure_2_cells.measure` found.
    """

    def __init__(self, plan: Plan, seed: int, results: Mapping[Cell, Mapping[str, Any]]) -> None:
        self.plan, self.seed = plan, seed
        self._results = results

    def every(self, kind: str, data: str, d: int, n: int) -> list[Mapping[str, Any]]:
        """What the runs of one size found."""
        plan = self.plan
        cells = (plan.cell(kind, data, d, n, run, self.seed) for run in range(plan.runs))
        return [self._results[cell] for cell in cells]

    def shares(self, kind: str, data: str, d: int, n: int, state: str = MATRIX) -> list[float]:
        """The shares of the runs that came to a state."""
        found = self.every(kind, data, d, n)
        return [one["shares"][state] for one in found if state in one["shares"]]

    def masses(self, kind: str, data: str, d: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Masses of the diagonals and of the whole matrices."""
        found = self.every(kind, data, d, n)
        parts = np.array([one["mass"] for one in found])
        return parts, parts / np.array([one["shares"][MATRIX] for one in found])

    def series(
        self, kind: str, data: str, sizes: Iterable[int], n: int, state: str = MATRIX
    ) -> Series:
        """The shares over all sizes to which every run came."""
        columns = {d: self.shares(kind, data, d, n, state) for d in sizes}
        whole = {d: runs for d, runs in columns.items() if len(runs) == self.plan.runs}
        values = np.array(list(whole.values())).reshape(len(whole), self.plan.runs).T
        return Series(tuple(whole), values)

    def numbers(self) -> list[dict[str, Any]]:
        """Everything, as JSON."""
        return [
            {
                **asdict(cell),
                **{name: _rounded(value) for name, value in result.items()},
            }
            for cell, result in self._results.items()
        ]


def _rounded(value: Any) -> Any:
    """Floats to nine digits: the tenth would differ from machine to machine."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def round_sizes(last: int) -> Sizes:
    """2, 5, 10, 20, 50, 100, ... up to `last`."""
    found = (k * 10**power for power in range(6) for k in (1, 2, 5))
    return tuple(d for d in found if 2 <= d <= last)


def quick() -> Plan:
    """Up to 10^3 parameters, within a minute."""
    return Plan(
        runs=10,
        batch=32,
        steps=300,
        wigner=round_sizes(1000),
        ols=((32, round_sizes(1000)), *((n, (2, 10, 100, 1000)) for n in (1, 8, 128))),
        others=(10, 100),
        digits=(
            (PIXELS, (2, 5, 10, 20, 50)),
            (STANDARD, (2, 5, 10, 20, 50)),
            (QUADRATIC, (10, 100, 1000)),
        ),
        models=(
            ("softmax", RANDOM, (20, 50, 100, 200, 500, 1000)),
            ("softmax", PIXELS, (100, 500)),
            ("softmax", QUADRATIC, (200, 500, 1000)),
            *(("two-layer", data, _widths(2, 5, 10, 13)) for data in (RANDOM, PIXELS, STANDARD)),
        ),
    )


def full() -> Plan:
    """Up to 10^4 parameters, and networks on random inputs up to 75 010."""
    tens = tuple(10 * d for d in round_sizes(1000))
    hidden = (1, 2, 5, 10, 20, 50, 100, 134)
    return Plan(
        runs=10,
        batch=32,
        steps=1000,
        wigner=round_sizes(10_000),
        ols=tuple((n, round_sizes(10_000)) for n in (32, 1, 8, 128)),
        others=(10, 100, 1000),
        digits=(
            (PIXELS, (2, 5, 10, 20, 50, 61)),
            (STANDARD, (2, 5, 10, 20, 50, 61)),
            (QUADRATIC, round_sizes(10_000)),
        ),
        models=(
            ("softmax", RANDOM, tens),
            ("softmax", PIXELS, (20, 50, 100, 200, 500, 620)),
            ("softmax", QUADRATIC, tens),
            ("two-layer", RANDOM, _widths(*hidden, 300, 1000)),
            *(("two-layer", data, _widths(*hidden)) for data in (PIXELS, STANDARD)),
        ),
    )


def _widths(*hidden: int) -> Sizes:
    """Parameters of the networks with so many hidden units."""
    return tuple(75 * h + 10 for h in hidden)
