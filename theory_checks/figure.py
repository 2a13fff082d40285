"""A measured figure with its interval, and how it stands to what is claimed of it."""

from __future__ import annotations

from dataclasses import dataclass

from theory_checks.verdict import Answer

__all__ = ["Figure"]


@dataclass(frozen=True)
class Figure:
    """A measured figure with its interval, beside the paper's where it gives one.

    Attributes
    ----------
    name : str
        What is measured, with its unit.
    value, low, high : float
        The figure and its 95% confidence interval (equal to it when exact).
    expected : tuple of two floats, or None
        The recorded range; a value outside it changes the verdict.
    paper : str
        What the paper says, in its words or numbers; empty where it is silent.
    claimed : tuple of two floats, or None
        The range that the statement allows; an end may be infinite.
    """

    name: str
    value: float
    low: float
    high: float
    expected: tuple[float, float] | None = None
    paper: str = ""
    claimed: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse an interval that does not hold its own figure.

        Raises
        ------
        ValueError
            When `low` is above `value` or `value` above `high`.
        """
        if self.low > self.value or self.value > self.high:
            raise ValueError(
                f"figure {self.name!r}: {self.value} is not in [{self.low}, {self.high}]"
            )

    @property
    def as_recorded(self) -> bool:
        """Whether the value lies in the recorded range."""
        if self.expected is None:
            return True
        return bool(self.expected[0] <= self.value <= self.expected[1])

    @property
    def answer(self) -> Answer | None:
        """Whether the whole interval lies in the range claimed, none of it, or some.

        None where nothing is claimed. An interval that is not a number tells nothing.
        """
        if self.claimed is None:
            return None
        lowest, highest = self.claimed
        if lowest <= self.low and self.high <= highest:
            return Answer.CONSISTENT
        if self.high < lowest or self.low > highest:
            return Answer.NOT_CONSISTENT
        return Answer.CANNOT_TELL
