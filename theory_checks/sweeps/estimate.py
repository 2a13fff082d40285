"""How long a sweep will still take."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Estimate", "duration"]


class Estimate:
    """The time left, from the cost that was done in a second so far.

    Cells that were done by an earlier run count neither as done nor as left.

    Parameters
    ----------
    left : float
        The cost of all that is to be done.
    clock : callable
        Seconds; it begins now.
    """

    def __init__(self, left: float, clock: Callable[[], float]) -> None:
        self._left, self._done = left, 0.0
        self._clock, self._began = clock, clock()

    def add(self, cost: float) -> None:
        """So much has been done."""
        self._done += cost
        self._left -= cost

    @property
    def seconds(self) -> float | None:
        """Until the end, at the speed so far; None while nothing has been done."""
        if self._done <= 0.0:
            return None
        return max(0.0, self._left) * ((self._clock() - self._began) / self._done)

    def __str__(self) -> str:
        seconds = self.seconds
        return "" if seconds is None else f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """A time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
