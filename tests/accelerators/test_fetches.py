"""How often a value leaves the device: counted, stated in the docstrings, shown in the docs."""

from __future__ import annotations

import inspect

import pytest

pytest.importorskip("array_api_strict")

from benchmarks.fetches import ROWS, Row, counting, difference
from tests.namespaces import FetchCounter, Xp
from tralgos.arrays import to_host

EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@EVERY_ROW
def test_counted_is_what_is_stated(row: Row) -> None:
    """Iterations, trials and products account for every fetch, exactly."""
    counted = difference(row)
    assert max(counted.products, counted.iterations) >= 5
    assert counted.fetches == row.stated(counted), counted


@EVERY_ROW
def test_docstrings_state_it(row: Row) -> None:
    """The public docstring has the numbers that were counted."""
    text = " ".join((inspect.getdoc(row.subject) or "").split())
    assert (row.documented or f"Host transfers: {row.words}") in text


def test_two_counters_agree(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """The benchmark's counter sees what that of the tests sees, and leaves no trace."""
    x = strict_case.array([1.0, 2.0])
    with counting() as log:
        float(x[0])
        to_host(x)
        bool(x[1] > 1.0)
        _ = x + 1.0
    assert log == host_fetches.log
    seen = len(log)
    float(x[0])
    assert len(log) == seen
    assert host_fetches.count == seen + 1
