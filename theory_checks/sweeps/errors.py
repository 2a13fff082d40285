"""What a sweep refuses, and what ends it."""

from __future__ import annotations

__all__ = ["CellError", "ExecutorError", "ResultsError", "SweepError"]


class SweepError(Exception):
    """A sweep that cannot be run as it is asked for; the message says what is in the way."""


class CellError(SweepError):
    """An error in a cell; the message names it. What was finished is kept."""


class ExecutorError(SweepError):
    """An executor that is not there, or cannot be reached."""


class ResultsError(SweepError):
    """A results file of something else, in use, or that cannot be written."""
