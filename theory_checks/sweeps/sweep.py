"""A sweep: many cells through an executor, each kept as soon as it is finished."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theory_checks.codec import restored
from theory_checks.sweeps.errors import CellError, SweepError
from theory_checks.sweeps.estimate import Estimate
from theory_checks.sweeps.executors import GUARD, SerialExecutor
from theory_checks.sweeps.flight import Flight
from theory_checks.sweeps.origin import origin_of
from theory_checks.sweeps.plain import cell_text, plain
from theory_checks.sweeps.results import ResultsFile
from theory_checks.sweeps.work import Answer, Job, code_text
from theory_checks.watching import Unwatched, Watcher

__all__ = ["SweepOutcome", "run_sweep"]

_SHOWN = 120  # characters of a cell in a message
_OTHERS = 4  # cells named beside one that may not be the culprit


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep found.

    Attributes
    ----------
    results : dict
        What was found, by cell, in the order in which the cells were given.
    damaged : tuple of int
        The numbers of the lines of the results file that were set aside; what they held has
        been done again.
    resumed : int
        How many of the cells were in the results file already.
    """

    results: dict[Any, Any]
    damaged: tuple[int, ...] = ()
    resumed: int = 0


def run_sweep(
    cells: Iterable[Any],
    function: Callable[[Any], Any],
    *,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    results: Path | str | None = None,
    cost: Callable[[Any], float] | None = None,
    label: Callable[[Any], str] = str,
    watcher: Watcher | None = None,
    tell: Callable[[str], object] | None = None,
    in_flight: int = 1024,
) -> SweepOutcome:
    """Do every cell, keep it when it is finished, and return what all of them found.

    The results are the same on every executor: a cell's function gets the cell and nothing
    else, and what it returns takes the way through JSON even where no file is kept.

    Parameters
    ----------
    cells : iterable
        Hashable, and plain data: numbers, text, None, tuples, frozen dataclasses of these.
    function : callable
        From a cell to plain data (infinities and NaN among it; tuples come back as lists,
        dataclasses as dicts). A function of the top level of a module, or a
        :func:`functools.partial` of one with arguments that are plain data.
    name : str
        Of the sweep; a results file of another one is refused.
    parameters : mapping or None
        What decides the results besides the cells and the function's bound arguments, as plain
        data. Kept in the results file; one with others is refused. The cells are not among it:
        more of them may be asked for later.
    executor : Executor or None
        Of :mod:`concurrent.futures`, or with its interface; see
        :func:`~theory_checks.sweeps.executor_of`. In this process unless given.
    results : Path or str or None
        The results file. It is made, or gone on with. With None nothing is kept.
    cost : callable or None
        From a cell to what it takes, in any unit, positive: the time left is estimated from it,
        and the dearest cells are done first. The same for all unless given; then they are done
        in their order.
    label : callable
        From a cell to what the watcher is told.
    watcher : Watcher or None
        Told of the cells that are finished, and the time left.
    tell : callable or None
        Told, line by line, what a user should know of the results file.
    in_flight : int
        How many cells may be with the executor at a time; at least as many as it has workers.

    Returns
    -------
    SweepOutcome

    Raises
    ------
    CellError
        When a cell fails, naming it. Cells that have begun by then are finished and kept, where
        the executor cannot take them back; others are not begun.
    ResultsError
        When the results file is of another sweep, in use, or cannot be written.
    SweepError
        For cells, a function or parameters that cannot be sent or kept, before any work.
    """
    if isinstance(executor, str):
        raise SweepError(
            f"executor {executor!r} is a text: with executor_of({executor!r}) as executor: "
            "run_sweep(..., executor=executor)"
        )
    path = None if results is None else Path(results)
    every = _keyed(cells)
    origin = origin_of(function)
    header = {"sweep": name, **origin, "parameters": _parameters(parameters)}
    if isinstance(in_flight, bool) or not isinstance(in_flight, int) or in_flight < 1:
        raise SweepError(f"in_flight is {in_flight!r}: not a positive integer")
    costs = {text: _cost_of(cell, cost) for text, cell in every.items()}
    # Stable. With the dearest first no worker is left alone with a long cell at the end, and
    # memory that does not suffice is found out at the beginning.
    order = sorted(every, key=lambda text: -costs[text])
    with ResultsFile(path, header) as file:
        found = {text: file.known[text] for text in order if text in file.known}
        resumed = len(found)
        _tell_of(file, resumed, path, tell)
        progress = _Progress(watcher or Unwatched(), label, every, costs)
        progress.begin(found)
        code = code_text(origin)
        jobs = (Job(function, code, every[text]) for text in order if text not in found)
        chosen = SerialExecutor() if executor is None else nullcontext(executor)
        with chosen as hand, Flight(hand, jobs, in_flight) as flight:
            new = _gathered(flight, name, file, progress)
        damaged = tuple(file.damaged)
    found |= new
    ordered = {cell: restored(found[text]) for text, cell in every.items()}
    return SweepOutcome(ordered, damaged, resumed)


def _keyed(cells: Iterable[Any]) -> dict[str, Any]:
    """The cells by their texts."""
    every: dict[str, Any] = {}
    seen: set[Any] = set()
    for cell in cells:
        try:
            text = cell_text(cell)
            twice = cell in seen
            seen.add(cell)
        except (TypeError, ValueError) as error:
            raise SweepError(f"{_named(cell)} cannot be a cell: {error}") from None
        # Two ways to be the same: 1 and 1.0 are equal, a tuple and a dataclass may look alike.
        if twice or text in every:
            raise SweepError(f"{_named(cell)} is among the cells twice")
        every[text] = cell
    return every


def _named(cell: Any) -> str:
    try:
        text = repr(cell)
    except Exception as error:  # an integer of more digits than Python writes, say
        return f"a cell of type {type(cell).__name__} without a text ({error})"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _parameters(parameters: Mapping[str, Any] | None) -> Any:
    try:
        return plain(dict(parameters or {}))
    except ValueError as error:
        raise SweepError(f"the parameters are {error}") from None


def _cost_of(cell: Any, cost: Callable[[Any], float] | None) -> float:
    found = 1.0 if cost is None else cost(cell)
    try:
        value = float(found)
    except (TypeError, ValueError, OverflowError):
        raise SweepError(f"the cost of {_named(cell)} is {found!r}: not a number") from None
    if not (math.isfinite(value) and value > 0.0):
        raise SweepError(f"the cost of {_named(cell)} is {value!r}: not positive and finite")
    return value


def _tell_of(
    file: ResultsFile, resumed: int, path: Path | None, tell: Callable[[str], object] | None
) -> None:
    if tell is None or path is None:
        return
    if file.damaged:
        lines = ", ".join(map(str, file.damaged))
        tell(
            f"{path.name}: damaged lines are set aside in {path.name}.damaged, and their cells "
            f"done again: {lines}"
        )
    if resumed:
        tell(f"{path.name}: {resumed} cells were done before")


class _Progress:
    """Tells a watcher of finished cells and the time left."""

    def __init__(
        self,
        watcher: Watcher,
        label: Callable[[Any], str],
        every: Mapping[str, Any],
        costs: Mapping[str, float],
    ) -> None:
        self._watcher, self._label = watcher, label
        self._every, self._costs = every, costs

    def begin(self, found: Mapping[str, Any]) -> None:
        """These were done before."""
        self._watcher.of(len(self._every))
        for _ in found:
            self._watcher.done()
        left = math.fsum(c for text, c in self._costs.items() if text not in found)
        self._estimate = Estimate(left, time.monotonic)

    def finished(self, text: str) -> None:
        """One more is done."""
        self._estimate.add(self._costs[text])
        self._watcher.done()
        # The time first: where there is little room, the end of a line is cut.
        parts = str(self._estimate), self._label(self._every[text])
        self._watcher.at(": ".join(part for part in parts if part))


def _gathered(flight: Flight, name: str, file: ResultsFile, progress: _Progress) -> dict[str, Any]:
    """Take in all that is finished, and keep it; the first failure is raised at the end."""
    new: dict[str, Any] = {}
    failed: list[CellError] = []
    for landed in flight:
        under_way = [*(job for job, _ in landed), *flight.oldest][:_OTHERS]
        fresh: dict[str, tuple[Any, Any]] = {}
        for job, future in landed:
            if future.cancelled() and failed:
                continue  # taken back
            answer = _answer(job, future, under_way, done_before=bool(new))
            if answer.error is None:
                fresh[cell_text(job.cell)] = plain(job.cell), answer.result
            else:
                failed.append(_failure(name, job, answer))
        file.add(fresh.values())
        for text, (_, result) in fresh.items():
            new[text] = result
            progress.finished(text)
        if failed:
            flight.stop()
    if failed:
        raise failed[0]
    return new


def _answer(
    job: Job, future: Future[Answer], others: Iterable[Job], *, done_before: bool
) -> Answer:
    """What came of a job, also where it never came to a worker, or none came back."""
    try:
        return future.result()
    except KeyboardInterrupt:
        raise
    except CancelledError:
        return Answer(error="the executor has dropped it; is the scheduler gone?")
    except BrokenExecutor as error:
        # Nobody knows which one it died of: of those that were handed out first, most likely.
        named = ", ".join(_named(other.cell) for other in others if other is not job)
        beside = f" (or one of those that were under way with it: {named})" if named else ""
        # Before anything was done it is seldom a cell that is at fault.
        early = "" if done_before else f"; if every worker ends at once, note that {GUARD}"
        return Answer(error=f"{type(error).__name__}: {error}{beside}{early}")
    except BaseException as error:
        return Answer(error=f"{type(error).__name__}: {error}")


def _failure(name: str, job: Job, answer: Answer) -> CellError:
    error = CellError(f"sweep {name!r}, cell {_named(job.cell)}: {answer.error}")
    if answer.trace:
        error.add_note(f"In the worker:\n{answer.trace}")
    return error
