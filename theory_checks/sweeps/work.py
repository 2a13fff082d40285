"""What a worker does with a cell."""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from theory_checks.records import differences
from theory_checks.sweeps.origin import code_of
from theory_checks.sweeps.plain import plain, text_of

__all__ = ["Answer", "Job", "code_text", "done"]


@dataclass(frozen=True)
class Job:
    """A cell, the function, and the code that both have to be done with: see :func:`code_text`."""

    function: Callable[[Any], Any]
    code: tuple[str, str] = field(repr=False)
    cell: Any


def code_text(origin: Mapping[str, Any]) -> tuple[str, str]:
    """The module of a function's origin, and its versions and sources, as text."""
    module = origin["function"]["name"].partition(":")[0]
    return module, text_of({name: origin[name] for name in ("versions", "sources")})


@dataclass(frozen=True)
class Answer:
    """What a worker sends back: plain data, or what went wrong as text.

    Exceptions are not sent as they are: many cannot be put together again on the other side.
    """

    result: Any = None
    error: str | None = None
    trace: str = ""


@functools.lru_cache(maxsize=64)
def _other_code(module: str, wanted: str) -> str:
    """What is other here than it should be, or nothing.

    Looked at once: what is changed on the disk later is not in this process. When the sources
    that the sweep began with are others, it is another question.
    """
    for name, was, here in differences(json.loads(wanted), code_of(module)):
        return f"the worker has other code: {name} is {here!r}, not {was!r}"
    return ""


def done(job: Job) -> Answer:
    """Do a cell, with the versions and sources that the sweep began with or not at all."""
    other = _other_code(*job.code)
    if other:
        return Answer(error=other)
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
