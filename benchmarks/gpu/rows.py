"""What a benchmark says: checks that stop it, and rows of one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.gpu.backend import Backend, Timing

__all__ = [
    "COLUMNS",
    "Against",
    "CheckFailed",
    "Line",
    "Row",
    "Skipped",
    "Untold",
    "check",
    "measured_if_it_fits",
]

#: In place of a time, or of a rate, that is a difference of two and may be nothing.
_NOISE = "not told from noise"

COLUMNS = (
    "what",
    "dtype",
    "size",
    "time",
    "spread",
    "rate",
    "against",
    "ratio",
    "goal",
    "peak memory",
    "checked to",
)


class CheckFailed(Exception):
    """A result differs from its reference: nothing of it is to be timed."""


def check(what: str, difference: float, tolerance: float) -> float:
    """Print a comparison with what came out.

    Parameters
    ----------
    what : str
        What was compared with what.
    difference, tolerance : float
        The largest relative difference, and what is allowed.

    Returns
    -------
    float
        The difference.

    Raises
    ------
    CheckFailed
        If the difference is above the tolerance, or NaN.
    """
    passed = difference <= tolerance
    verdict = "ok" if passed else "FAILED"
    line = f"check  {what}: largest relative difference {difference:.1e}, allowed {tolerance:.0e}"
    print(f"{line}: {verdict}", flush=True)
    if not passed or math.isnan(difference):
        raise CheckFailed(line)
    return difference


@dataclass(frozen=True)
class Against:
    """A rate measured in the same run, to be compared with; None if not told from noise."""

    what: str
    rate: float | None

    def text(self, unit: str) -> str:
        """What it is, and the rate."""
        return f"{self.what} {_NOISE if self.rate is None else _rate(self.rate, unit)}"

    def ratio(self, rate: float) -> str:
        """`rate` over this one."""
        return "-" if self.rate is None else f"{rate / self.rate:.2g}"


@dataclass(frozen=True)
class Row:
    """A measured line of the table.

    Attributes
    ----------
    what, dtype, size : str
    time : Timing
        Of what the rate is of.
    work : float
        What is done in that time, in units of `unit`.
    unit : str
        Of the rate: that of `work`, a second.
    against : sequence of Against
        In the same unit.
    goal : str
        Empty where there is none.
    peak : int
        Bytes.
    agreement : float
        The largest relative difference of the checks.
    """

    what: str
    dtype: str
    size: str
    time: Timing
    work: float
    unit: str
    against: Sequence[Against]
    goal: str
    peak: int
    agreement: float

    @property
    def rate(self) -> float:
        """Work a second."""
        return self.work / self.time.median

    def cells(self) -> list[str]:
        """The row as text."""
        ratios = [other.ratio(self.rate) for other in self.against]
        others = [other.text(self.unit) for other in self.against]
        return [
            self.what,
            self.dtype,
            self.size,
            _seconds(self.time.median),
            f"{100.0 * self.time.spread:.0f} %",
            _rate(self.rate, self.unit),
            "; ".join(others),
            "; ".join(ratios),
            self.goal,
            _bytes(self.peak),
            f"{self.agreement:.0e}",
        ]


@dataclass(frozen=True)
class Skipped:
    """A line of the table for what did not fit."""

    what: str
    dtype: str
    size: str
    reason: str

    def cells(self) -> list[str]:
        """The row as text."""
        empty = [""] * (len(COLUMNS) - 4)
        return [self.what, self.dtype, self.size, f"skipped: {self.reason}", *empty]


@dataclass(frozen=True)
class Untold:
    """A line of the table for what ran and was right, but whose time is lost in noise.

    Attributes
    ----------
    what, dtype, size : str
    peak : int
        Bytes.
    agreement : float
        As of a :class:`Row`.
    """

    what: str
    dtype: str
    size: str
    peak: int
    agreement: float

    def cells(self) -> list[str]:
        """The row as text."""
        empty = [""] * (len(COLUMNS) - 6)
        last = [_bytes(self.peak), f"{self.agreement:.0e}"]
        return [self.what, self.dtype, self.size, _NOISE, *empty, *last]


Line = Row | Skipped | Untold


def measured_if_it_fits(
    backend: Backend, skipped: tuple[str, str, str], needed: int, measure: Callable[[], Line]
) -> Line:
    """The row, or one that says how much memory it lacks.

    Parameters
    ----------
    backend : Backend
    skipped : tuple of str
        What, dtype and size.
    needed : int
        Bytes.
    measure : callable
        Makes the row; not called where less is free.
    """
    free = backend.free_bytes()
    if needed > free:
        reason = f"{needed / 2**30:.3g} GiB needed, {free / 2**30:.3g} free"
        return Skipped(*skipped, reason)
    try:
        return measure()
    except MemoryError as error:
        # The estimate was too low; CuPy's own error is one of these.
        return Skipped(*skipped, f"out of memory, {error}")


def _seconds(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1.0:
            return f"{seconds * factor:.3g} {unit}"
    return f"{1e6 * seconds:.3g} us"


def _rate(rate: float, unit: str) -> str:
    scale = {"B/s": (1e-9, "GB/s"), "flop/s": (1e-12, "Tflop/s")}
    factor, name = scale.get(unit, (1.0, unit))
    return f"{rate * factor:.3g} {name}"


def _bytes(count: int) -> str:
    return f"{count / 2**20:.4g} MiB" if count < 2**30 else f"{count / 2**30:.3g} GiB"
