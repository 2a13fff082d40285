"""What a worker does with a cell."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from theory_checks.records import differences
from theory_checks.sweeps.origin import origin_of
from theory_checks.sweeps.plain import plain

__all__ = ["Answer", "Job", "done"]


@dataclass(frozen=True)
class Job:
    """A cell, the function, and what both have to be done with."""

    function: Callable[[Any], Any]
    origin: dict[str, Any] = field(repr=False)
    cell: Any


@dataclass(frozen=True)
class Answer:
    """What a worker sends back: plain data, or what went wrong as text.

    Exceptions are not sent as they are: many cannot be put together again on the other side.
    """

    result: Any = None
    error: str | None = None
    trace: str = ""


def done(job: Job) -> Answer:
    """Do a cell, with the versions and sources that the sweep began with or not at all."""
    for name, wanted, here in differences(job.origin, origin_of(job.function)):
        return Answer(error=f"the worker has other code: {name} is {here!r}, not {wanted!r}")
    try:
        result = job.function(job.cell)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
        return Answer(error=f"{type(error).__name__}: {error}{where}", trace=traceback.format_exc())
    try:
        return Answer(plain(result))
    except ValueError as error:
        return Answer(error=f"its result is {error}")
