"""An end to what would run for ever: exact arithmetic on a badly chosen instance, say."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["OutOfTime", "at_most"]


class OutOfTime(BaseException):
    """Raised in the middle of what took too long.

    Not an `Exception`: Hypothesis would take that for a failing test and shrink it.
    What it does not know it lets through at once, as it does an interrupt.
    """


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTime` in the body once it has run for `seconds`.

    Works by an alarm signal: not on Windows and not outside the main thread, where
    the body runs to its own end. Not to be nested.
    """
    if not hasattr(signal, "setitimer") or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, former)
