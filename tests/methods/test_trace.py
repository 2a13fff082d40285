"""The trace: its rows, its columns, and when two of them are equal."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from tralgos import Ending
from tralgos.methods.evaluator import Counts
from tralgos.methods.protocol import State, StepRecord
from tralgos.methods.trace import Trace, TraceRow

STATE = State(np.zeros(1), 3.0, np.array([4.0]), 4.0)
COUNTS = Counts(
    nfev=1, njev=2, nhev=3, nhvp=5, nhvp_evidence=6, njvp=15, nvjp=16, backpropagations=7.5
)


def trace(*records: StepRecord, seconds: float = 0.5, iteration: int = 2) -> Trace:
    made = Trace()
    made.add(0, STATE, Counts(), 0.0)
    made.add(iteration, replace(STATE, records=records), COUNTS, seconds)
    return made


def test_each_figure_in_its_column() -> None:
    record = StepRecord(
        accepted=False,
        step_norm=8.0,
        ratio=9.0,
        radius=10.0,
        sigma=11.0,
        matvecs=12,
        subproblem="how",
        gap=13.0,
        detail={"more": 14.0},
    )
    row = trace(record)[1]
    figures = [2, 3.0, 4.0, False, 8.0, 9.0, 10.0, 11.0, 12, "how", 13.0, {"more": 14.0}]
    figures += [1, 2, 3, 5, 15, 16, 7.5, 0.5]
    assert [getattr(row, f.name) for f in fields(TraceRow)] == figures


def test_start_is_an_accepted_point_without_a_trial() -> None:
    rows = trace()
    assert len(rows) == 2
    for row in rows:
        assert row.accepted
        assert (row.step_norm, row.ratio, row.radius, row.sigma, row.gap) == (None,) * 5
        assert (row.matvecs, row.subproblem, dict(row.detail)) == (0, "", {})
    assert [row.iteration for row in rows] == [0, 2]


def test_trials_of_a_step_share_its_number() -> None:
    rows = trace(StepRecord(accepted=False, ratio=-1.0), StepRecord(accepted=True, ratio=1.0))
    assert rows.column("iteration").tolist() == [0, 2, 2]
    assert rows.column("accepted").tolist() == [True, False, True]
    assert [row.ratio for row in rows[1:]] == [-1.0, 1.0]
    assert rows[-1] == list(rows)[-1]
    assert repr(rows) == "<Trace of 3 rows>"


def test_columns() -> None:
    rows = trace(StepRecord(accepted=True, radius=2.0, detail={"a": 1.0}))
    assert np.isnan(rows.column("radius")[0])
    assert rows.column("radius")[1] == 2.0
    assert rows.column("radius").dtype == float
    assert rows.column("nfev").dtype == int
    assert rows.column("detail").dtype == object
    assert rows.column("detail").tolist() == [{}, {"a": 1.0}]
    assert rows.column("subproblem").dtype == object
    with pytest.raises(AttributeError, match=r"no column 'speed'; it has iteration, value"):
        rows.column("speed")


def test_time_does_not_tell_traces_apart_but_all_else_does() -> None:
    record = StepRecord(accepted=True, ratio=1.0)
    assert trace(record) == trace(record, seconds=9.0)
    assert trace(record).column("time").tolist() == [0.0, 0.5]
    assert trace(record) != trace(replace(record, ratio=2.0))
    assert trace(record) != trace(record, record)
    assert trace(record) != trace(record, iteration=3)
    assert trace(record) != list(trace(record))


def test_success_is_what_was_asked_for() -> None:
    """A saddle, and a point that was not examined though that was asked for, are none."""
    assert {ending for ending in Ending if ending.success} == {
        Ending.SECOND_ORDER,
        Ending.FIRST_ORDER,
    }
