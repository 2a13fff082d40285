"""What the batched solver returns: the fields of a result, each an array over the problems."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, fields

import numpy as np

from tralgos.arrays import Array, namespace, to_host
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
    its step stays where it is), ``len(result)`` is b, and iteration gives all of them (one
    transfer in all).

    Attributes
    ----------
    step : array, shape (b, n)
        s_i; ||s_i|| <= r_i as computed.
    multiplier : array, shape (b,)
    model_decrease : array, shape (b,)
    on_boundary : array of bool, shape (b,)
    hard_case : array of bool, shape (b,)
    gap : array, shape (b,)
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

    def __getitem__(self, i: int) -> SubproblemResult:
        """The result of problem i; a negative i counts from the end. One transfer.

        Raises
        ------
        IndexError
            If there is no such problem.
        """
        b = len(self)
        if not -b <= i < b:
            raise IndexError(f"problem {i} of a batch of {b}")
        i = i % b
        return self._result(i, self._host(i, i + 1)[:, 0])

    def __iter__(self) -> Iterator[SubproblemResult]:
        """The results of all problems, one transfer."""
        table = self._host(0, len(self))
        for i in range(len(self)):
            yield self._result(i, table[:, i])

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
