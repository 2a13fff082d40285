"""What the batched solver returns: the fields of a result, each an array over the problems."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import SupportsIndex, overload

import numpy as np

from tralgos.arrays import Array, namespace, to_host
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.subproblems.result import Certificate, Status, SubproblemResult

__all__ = ["STATUSES", "BatchResult"]

#: The status of a code is the one at its place here.
STATUSES = tuple(Status)


@dataclass(frozen=True, eq=False)
class BatchResult:
    """The steps of b trust-region subproblems and what is known of their quality.

    All arrays are of the library and on the device of H. The step has its dtype; the other
    figures are float64, so that none leaves the range, the flags bool, the codes int32.
    Each means what the field of :class:`SubproblemResult` or :class:`Certificate` of its
    name means; the evidence on the curvature is exact for every problem.

    ``result[i]`` is the :class:`SubproblemResult` of one problem (one transfer to the host;
    its step stays where it is), ``result[i:j]`` the :class:`BatchResult` of several, views of
    the same arrays where the library has views, ``len(result)`` is b, and iteration gives all
    problems (one transfer in all).

    Attributes
    ----------
    step : array, shape (b, n)
        s_i; ||s_i|| <= r_i as computed.
    multiplier : array, shape (b,)
    model_decrease : array, shape (b,)
    on_boundary : array of bool, shape (b,)
    hard_case : array of bool, shape (b,)
    gap : array, shape (b,)
        Upper bound on q(s_i) - min q, but for the rounding of its own evaluation, for which
        there is no reserve: the true gap was found above it in two problems of five in
        float64, where both are at that level, by at most 1.4 eps times the decrease.
    relative_gap : array, shape (b,)
    stationarity : array, shape (b,)
    feasibility : array, shape (b,)
    complementarity : array, shape (b,)
    curvature : array, shape (b,)
    status_code : array of int32, shape (b,)
        The place of the status in ``tuple(Status)``: 0 for GLOBAL, 3 for ROUNDING, 1 for
        UNCERTIFIED. The other two do not occur.
    rtol : float
        The tolerance on the relative gap that the status is about.
    """

    step: Array = field(repr=False)
    multiplier: Array = field(repr=False)
    model_decrease: Array = field(repr=False)
    on_boundary: Array = field(repr=False)
    hard_case: Array = field(repr=False)
    gap: Array = field(repr=False)
    relative_gap: Array = field(repr=False)
    stationarity: Array = field(repr=False)
    feasibility: Array = field(repr=False)
    complementarity: Array = field(repr=False)
    curvature: Array = field(repr=False)
    status_code: Array = field(repr=False)
    rtol: float

    def __len__(self) -> int:
        """b."""
        return int(self.step.shape[0])

    @overload
    def __getitem__(self, i: SupportsIndex) -> SubproblemResult: ...

    @overload
    def __getitem__(self, i: slice) -> BatchResult: ...

    def __getitem__(self, i: SupportsIndex | slice) -> SubproblemResult | BatchResult:
        """The result of problem i, one transfer, or the results of a slice of problems, none.

        A negative i counts from the end.

        Raises
        ------
        IndexError
            If there is no such problem.
        ArrayTypeError
            If i is neither an integer nor a slice of them.
        ArgumentError
            If the step of a slice is not positive.
        """
        if isinstance(i, slice):
            return self._sliced(i)
        b, i = len(self), _integer(i, "the number of a problem")
        if not -b <= i < b:
            raise IndexError(f"problem {i} of a batch of {b}")
        i = i % b
        return self._result(i, self._host(i, i + 1)[:, 0])

    def __iter__(self) -> Iterator[SubproblemResult]:
        """The results of all problems, one transfer."""
        table = self._host(0, len(self))
        for i in range(len(self)):
            yield self._result(i, table[:, i])

    def _sliced(self, chosen: slice) -> BatchResult:
        for end in (chosen.start, chosen.stop, chosen.step):
            if end is not None:
                _integer(end, "an end of a slice")
        # Not every library goes backwards, or allows for ends that are outside.
        if chosen.step is not None and chosen.step < 1:
            raise ArgumentError(
                f"the step of a slice of problems must be positive, got {chosen.step}"
            )
        whole = slice(*chosen.indices(len(self)))
        figures = {f.name: getattr(self, f.name)[whole, ...] for f in fields(self)[:-1]}
        return BatchResult(**figures, rtol=self.rtol)

    def counts(self) -> dict[Status, int]:
        """How many problems ended with each status that occurs. One transfer."""
        codes, numbers = np.unique(to_host(self.status_code), return_counts=True)
        return {STATUSES[int(c)]: int(k) for c, k in zip(codes, numbers, strict=True)}

    def _host(self, lo: int, hi: int) -> np.ndarray:
        """The figures of some problems, in the order of the fields: one transfer."""
        xp = namespace(self.step)
        columns = [getattr(self, f.name)[lo:hi] for f in fields(self)[1:-1]]
        return to_host(xp.stack([xp.astype(x, xp.float64) for x in columns]))

    def _result(self, i: int, figures: np.ndarray) -> SubproblemResult:
        names = [f.name for f in fields(self)[1:-1]]
        of = dict(zip(names, (float(x) for x in figures), strict=True))
        status = STATUSES[int(of["status_code"])]
        text = status.value
        if math.isfinite(of["relative_gap"]):
            text += (
                f" (certified gap {of['relative_gap']:.1e} of the decrease, "
                f"tolerance {self.rtol:.1e})"
            )
        return SubproblemResult(
            step=self.step[i, :],
            multiplier=of["multiplier"],
            model_decrease=of["model_decrease"],
            on_boundary=bool(of["on_boundary"]),
            hard_case=bool(of["hard_case"]),
            matvecs=1,
            status=status,
            message=text,
            certificate=Certificate(
                gap=of["gap"],
                relative_gap=of["relative_gap"],
                stationarity=of["stationarity"],
                feasibility=of["feasibility"],
                complementarity=of["complementarity"],
                curvature=of["curvature"],
                evidence="exact",
                failure_probability=0.0,
                matvecs=0,
            ),
        )


def _integer(i: SupportsIndex, name: str) -> int:
    try:
        return operator.index(i)
    except TypeError:
        raise ArrayTypeError(f"{name} must be an integer, got {type(i).__name__}") from None
