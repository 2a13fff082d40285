"""The trace of a run: one row a trial point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, overload

import numpy as np

from tralgos.methods.evaluator import Counts
from tralgos.methods.protocol import State, StepRecord

__all__ = ["Trace", "TraceRow"]


@dataclass(frozen=True)
class TraceRow:
    """One trial point of a run, or its start. None stands for what the method does not have.

    Attributes
    ----------
    iteration : int
        0 for the start; the trials of one step share a number.
    value, gradient_norm : float
        f and the Euclidean norm of its gradient at the iterate after the step.
    accepted, step_norm, ratio, radius, sigma, matvecs, subproblem, gap, detail
        Of the trial: see :class:`StepRecord`.
    nfev, njev, nhev, nhvp, njvp, nvjp, backpropagations
        Counts of the run after the step: see :class:`Counts`.
    time : float
        Seconds since the start of the run; not part of comparisons, so that equal seeds give
        equal traces.
    """

    iteration: int
    value: float
    gradient_norm: float
    accepted: bool
    step_norm: float | None
    ratio: float | None
    radius: float | None
    sigma: float | None
    matvecs: int
    subproblem: str
    gap: float | None
    detail: Mapping[str, float]
    nfev: int
    njev: int
    nhev: int
    nhvp: int
    njvp: int
    nvjp: int
    backpropagations: float
    time: float = field(compare=False)


class Trace(Sequence[TraceRow]):
    """The rows of a run, and their columns as arrays.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), np.array([-1.2, 1.0]))
    >>> bool(np.all(np.diff(run.trace.column("value")) <= 0))
    True
    """

    def __init__(self) -> None:
        self._rows: list[TraceRow] = []

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> TraceRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[TraceRow]: ...
    def __getitem__(self, index: int | slice) -> TraceRow | list[TraceRow]:
        return self._rows[index]

    def __iter__(self) -> Iterator[TraceRow]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and self._rows == other._rows

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Trace of {len(self)} rows>"

    def column(self, name: str) -> np.ndarray:
        """One attribute of all rows; None becomes NaN in a column of numbers.

        Raises
        ------
        AttributeError
            If there is no such column, naming those there are.
        """
        known = [f.name for f in fields(TraceRow)]
        if name not in known:
            raise AttributeError(f"a trace has no column {name!r}; it has {', '.join(known)}")
        values = [getattr(row, name) for row in self._rows]
        if name in ("subproblem", "detail"):
            return np.asarray(values, dtype=object)
        return np.asarray([np.nan if v is None else v for v in values])

    def add(self, iteration: int, state: State, counts: Counts, seconds: float) -> None:
        """The rows of one step; of the start where `iteration` is 0."""
        for record in state.records or (StepRecord(accepted=True),):
            self._rows.append(_row(iteration, state, record, counts, seconds))


def _row(
    iteration: int, state: State, record: StepRecord, counts: Counts, seconds: float
) -> TraceRow:
    own: dict[str, Any] = {f.name: getattr(record, f.name) for f in fields(StepRecord)}
    return TraceRow(
        iteration=iteration,
        value=state.value,
        gradient_norm=state.gradient_norm,
        nfev=counts.nfev,
        njev=counts.njev,
        nhev=counts.nhev,
        nhvp=counts.nhvp,
        njvp=counts.njvp,
        nvjp=counts.nvjp,
        backpropagations=counts.backpropagations,
        time=seconds,
        **own,
    )
