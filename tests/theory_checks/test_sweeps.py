"""Sweeps in one process: what comes back, what is refused, what a user is told."""

from __future__ import annotations

import functools
import json
import math
import re
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.theory_checks import sweep_toys as toys
from theory_checks.backends import BackendError
from theory_checks.sweeps import CellError, Runner, SweepError, run_sweep
from theory_checks.sweeps import sweep as sweep_module
from theory_checks.sweeps.estimate import Estimate, duration
from theory_checks.terminal import Logged, Terminal

WORDS = ("inf", "-inf", "nan")
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5).filter(lambda text: text not in WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


class Watching:
    """A watcher that remembers."""

    def __init__(self):
        self.total, self.count, self.names = None, 0, []

    def of(self, total):
        self.total = total

    def at(self, name):
        self.names.append(name)

    def done(self):
        self.count += 1


@dataclass(frozen=True)
class Point:
    n: int
    kind: str = "a"


@dataclass(frozen=True)
class Other:
    n: int
    kind: str = "a"


# --- what comes back ---------------------------------------------------------------------


def test_results_come_in_the_order_of_the_cells_whatever_they_cost():
    cells = [3, 1, 4, 15, 9, 2, 6]
    outcome = run_sweep(cells, toys.doubled, name="s", cost=lambda cell: cell)
    assert list(outcome.results.items()) == [(cell, 2 * cell) for cell in cells]
    assert (outcome.damaged, outcome.resumed) == ((), 0)


def test_the_dearest_cells_are_done_first_and_equal_ones_in_their_order():
    watching = Watching()
    run_sweep(
        [1, 30, 2, 31, 20], toys.doubled, name="s", cost=lambda c: c // 10 + 1, watcher=watching
    )
    assert [int(name.split(": ")[-1]) for name in watching.names] == [30, 31, 20, 1, 2]


@given(st.lists(PLAIN, min_size=1, max_size=4))
def test_plain_data_come_back_to_the_bit_with_and_without_a_file(tmp_path_factory, values):
    """Infinities, NaN and negative zeros among them; from the file as from the function."""
    path = tmp_path_factory.mktemp("plain") / "results"
    function = functools.partial(toys.given, values=values)
    cells = range(len(values))
    fresh, kept, again = (
        run_sweep(cells, function, name="s", results=where) for where in (None, path, path)
    )
    assert (kept.resumed, again.resumed) == (0, len(values))
    for outcome in (fresh, kept, again):
        assert [repr(found) for found in outcome.results.values()] == [repr(v) for v in values]


def test_numbers_of_numpy_come_back_as_pythons():
    values = [np.float64(0.1), np.float32(0.1), np.int64(7), np.bool_(True), (1, (2.0,))]
    outcome = run_sweep(range(5), functools.partial(toys.given, values=values), name="s")
    found = list(outcome.results.values())
    assert found == [0.1, float(np.float32(0.1)), 7, True, [1, [2.0]]]
    assert [type(value) for value in found] == [float, float, int, bool, list]


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (toys.complex_number, "no plain data: .*1j"),
        (toys.word, "no plain data: the text 'inf' cannot be told from the number"),
        (toys.keyed, "no plain data: a key that is no text: 1"),
        (toys.array, "no plain data: .*array"),
        (toys.endless, "no plain data"),
    ],
)
def test_a_result_that_would_come_back_otherwise_is_refused(function, says):
    with pytest.raises(CellError, match=f"sweep 's', cell 0: its result is {says}"):
        run_sweep([0], function, name="s")


def test_cells_may_be_tuples_texts_and_frozen_dataclasses(tmp_path):
    cells = [
        ("wigner", 10, 0),
        ("wigner", 10, math.inf),
        "x",
        None,
        True,
        2.5,
        Point(3),
        Point(3, "b"),
    ]
    for expected in (0, len(cells)):
        outcome = run_sweep(cells, toys_name, name="s", results=tmp_path / "r")
        assert list(outcome.results) == cells
        assert list(outcome.results.values()) == [repr(cell) for cell in cells]
        assert outcome.resumed == expected


@dataclass(frozen=True)
class Named:
    nan: int
    inf: float = 0.5


def test_a_field_may_have_the_name_of_a_number_that_is_not_finite(tmp_path):
    """And be in a cell; the value may not be a NaN."""
    for expected in (0, 1):
        outcome = run_sweep([Named(1)], toys_name, name="s", results=tmp_path / "r")
        assert (outcome.results, outcome.resumed) == ({Named(1): "Named(nan=1, inf=0.5)"}, expected)
    with pytest.raises(SweepError, match="holds a NaN"):
        run_sweep([Named(1, math.nan)], toys_name, name="s")


def test_the_results_file_may_be_given_as_text(tmp_path):
    for expected in (0, 2):
        outcome = run_sweep([1, 2], toys.doubled, name="s", results=str(tmp_path / "z.sweep"))
        assert outcome.resumed == expected
    runner = Runner(results=str(tmp_path / "z.sweep"))
    with pytest.raises(SweepError, match=r"parameters\.backend"):
        runner.sweep([1], toys.doubled, name="s")
    kept = Runner(folder=str(tmp_path / "kept"))
    assert kept.sweep([1], toys.doubled, name="a/b").results == {1: 2}
    assert (tmp_path / "kept" / "a-b.sweep").is_file()


def test_a_runner_counts_what_was_done_before(tmp_path):
    runner = Runner(folder=tmp_path)
    for cells in ([1, 2], [1, 2, 3]):
        runner.sweep(cells, toys.doubled, name="s")
    assert dict(runner.tally) == {"cells": 5, "resumed": 2}
    assert Runner(folder=tmp_path) == runner


def toys_name(cell):
    return repr(cell)


@pytest.mark.parametrize(
    "value",
    [
        Fraction(1, 3),
        Fraction(10**400),
        np.longdouble(1) / np.longdouble(3),
        [{"a": Fraction(1, 3)}],
    ],
)
def test_a_number_that_would_be_rounded_is_refused(value):
    if isinstance(value, np.longdouble) and float(value) == value:
        pytest.skip("here a long double is a double")
    with pytest.raises(SweepError, match=r"parameters are no plain data: .*rounded as a float|000"):
        run_sweep([0], toys.doubled, name="s", parameters={"x": value})


def test_numbers_of_other_types_that_are_the_same_as_floats_are_kept():
    values = [Fraction(1, 4), np.longdouble(0.1), np.float16(0.1), np.longdouble("nan"), np.int8(3)]
    function = functools.partial(numbers_of_others, count=len(values))
    found = list(run_sweep(range(len(values)), function, name="s").results.values())
    assert list(map(repr, found)) == ["0.25", "0.1", repr(float(np.float16(0.1))), "nan", "3"]


def numbers_of_others(cell, count):
    values = Fraction(1, 4), np.longdouble(0.1), np.float16(0.1), np.longdouble("nan"), np.int8(3)
    assert len(values) == count
    return values[cell]


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ([1, 2, 1], "1 is among the cells twice"),
        ([1, 1.0], "1.0 is among the cells twice"),
        ([(1, 2), Point(1), Point(1)], "Point.* is among the cells twice"),
        ([Point(1), Other(1)], "Other.* is among the cells twice"),
        ([[1, 2]], "cannot be a cell: unhashable"),
        ([math.nan], "holds a NaN"),
        ([(1, (2, math.nan))], "holds a NaN"),
        ([object()], "cannot be a cell: no plain data"),
        (["nan"], "cannot be told from the number"),
        ([b"x"], "no plain data"),
        ([10**5000], "a cell of type int without a text .* cannot be a cell: no plain data"),
    ],
)
def test_cells_that_cannot_be_kept_apart_are_refused(cells, says):
    with pytest.raises(SweepError, match=says):
        run_sweep(cells, toys.exiting, name="s")


@pytest.mark.parametrize(
    "function",
    [lambda cell: cell, functools.partial(lambda cell: cell), Point, Watching().at, 3],
    ids=["lambda", "partial", "class", "method", "number"],
)
def test_a_function_that_workers_could_not_import_is_refused(function):
    with pytest.raises(SweepError):
        run_sweep([1], function, name="s")


def test_a_function_of_the_script_is_refused(monkeypatch):
    monkeypatch.setattr(toys.doubled, "__module__", "__main__")
    with pytest.raises(SweepError, match="put it into a module"):
        run_sweep([1], toys.doubled, name="s")


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_a_cost_is_positive_and_finite(value):
    with pytest.raises(SweepError, match="the cost of 1 is"):
        run_sweep([1], toys.exiting, name="s", cost=lambda _: value)


@pytest.mark.parametrize("value", [None, "much", [1.0], 10**400])
def test_a_cost_is_a_number(value):
    with pytest.raises(SweepError, match=r"the cost of 1 is .*: not a number"):
        run_sweep([1], toys.exiting, name="s", cost=lambda _: value)


def test_an_executor_is_none_by_its_name():
    with pytest.raises(SweepError, match=r"executor 'processes' is a text: with executor_of\("):
        run_sweep([1], toys.exiting, name="s", executor="processes")


def test_an_unknown_backend_is_named_with_the_known_ones():
    with pytest.raises(BackendError, match="backend 'jax': not one of numpy, cupy"):
        Runner(backend="jax").sweep([1], toys.exiting, name="s")


@pytest.mark.parametrize(
    "options", [{"in_flight": 0}, {"in_flight": True}, {"parameters": {"f": 1j}}]
)
def test_options_are_checked_before_any_work(options):
    with pytest.raises(SweepError):
        run_sweep([1], toys.exiting, name="s", **options)


# --- cells that fail ---------------------------------------------------------------------


@pytest.mark.parametrize("threads", [0, 3])
def test_a_cell_that_fails_is_named_and_what_was_finished_is_kept(tmp_path, threads):
    path = tmp_path / "r"
    executor = ThreadPoolExecutor(threads) if threads else None
    says = r"sweep 's', cell 3: ValueError: no 3 today \(.*sweep_toys.py:\d+\)"
    with pytest.raises(CellError, match=says) as caught:
        run_sweep(range(5), toys.failing, name="s", executor=executor, results=path)
    assert "Traceback" in caught.value.__notes__[0]
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    kept = {json.loads(line[9:])["cell"] for line in lines}
    # One after the other none is begun after the failure.
    assert kept == {0, 1, 2} if executor is None else kept >= {0, 1, 2}
    outcome = run_sweep([0, 1, 2], toys.failing, name="s", results=path)
    assert outcome.resumed == 3
    if executor is not None:
        executor.shutdown()


def test_an_interrupt_leaves_a_file_to_go_on_from(tmp_path):
    path = tmp_path / "r"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(range(6), toys.interrupted, name="s", results=path)
    assert run_sweep([0, 1, 2, 4], toys.interrupted, name="s", results=path).resumed == 3


def test_what_has_not_begun_when_a_cell_fails_is_taken_back(tmp_path):
    log = tmp_path / "log"
    function = functools.partial(toys.first_fails, log=str(log))
    with ThreadPoolExecutor(1) as executor, pytest.raises(CellError, match="the first"):
        run_sweep(range(100), function, name="s", executor=executor)
    assert not log.exists() or len(log.read_text(encoding="utf-8").splitlines()) < 50


def test_an_interrupt_within_a_cell_is_one_on_every_executor():
    with ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
        run_sweep(range(6), toys.interrupted, name="s", executor=executor)


def test_an_exit_within_a_cell_is_an_error_of_that_cell_on_an_executor():
    with ThreadPoolExecutor(1) as executor, pytest.raises(CellError, match="cell 7: SystemExit"):
        run_sweep([7], toys.leaving, name="s", executor=executor)


class Counting(Executor):
    """Two threads; counts what it is asked for at a time."""

    def __init__(self):
        self.inner, self.lock = ThreadPoolExecutor(2), threading.Lock()
        self.now = self.most = 0

    def submit(self, function, /, *args, **kwargs):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        future = self.inner.submit(function, *args, **kwargs)
        future.add_done_callback(self._less)
        return future

    def _less(self, _):
        with self.lock:
            self.now -= 1


def test_no_more_cells_are_under_way_than_allowed():
    executor = Counting()
    with executor.inner:
        outcome = run_sweep(range(300), toys.doubled, name="s", executor=executor, in_flight=7)
    assert outcome.results == {cell: 2 * cell for cell in range(300)}
    assert 2 <= executor.most <= 7


class Dropping(Executor):
    """Takes cells, and drops them: a scheduler that goes away."""

    def submit(self, function, /, *args, **kwargs):
        future = Future()
        future.cancel()
        return future


def test_cells_that_the_executor_drops_are_named():
    with pytest.raises(CellError, match="cell 0: the executor has dropped it"):
        run_sweep(range(3), toys.doubled, name="s", executor=Dropping())


def test_an_executor_that_was_shut_down_is_an_error_of_the_sweep():
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(CellError, match="cannot schedule new futures"):
        run_sweep(range(3), toys.doubled, name="s", executor=executor)


def test_a_worker_with_other_code_is_refused(monkeypatch):
    from theory_checks.sweeps import work

    code = work.code_of(toys.__name__)
    other = {**code, "versions": {**code["versions"], "numpy": "1.0"}}
    work._other_code.cache_clear()
    monkeypatch.setattr(work, "code_of", lambda module: other)
    with pytest.raises(CellError, match=r"other code: versions.numpy is '1.0'"):
        run_sweep([1], toys.doubled, name="s")
    work._other_code.cache_clear()


# --- time left ---------------------------------------------------------------------------


def test_the_time_left_goes_by_cost_and_not_by_number():
    """One cell of cost 10^4 in 100 s: the hundred of cost 1 that are left take a second."""
    now = [0.0]
    estimate = Estimate(10_100.0, lambda: now[0])
    assert estimate.seconds is None
    assert str(estimate) == ""
    now[0] = 100.0
    estimate.add(10_000.0)
    assert estimate.seconds == pytest.approx(1.0)
    now[0] = 100.5
    for _ in range(50):
        estimate.add(1.0)
    assert estimate.seconds == pytest.approx(0.5)
    assert str(estimate) == "about 0 s left"
    for _ in range(50):
        estimate.add(1.0)
    assert estimate.seconds == pytest.approx(0.0, abs=1e-9)


def test_a_watcher_is_told_the_time_left_of_what_was_not_done_before(tmp_path, monkeypatch):
    now = [1e6]
    cost = {1: 1.0, 2: 60.0, 3: 7200.0, 4: 1e5}.__getitem__
    monkeypatch.setattr(sweep_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    run_sweep([4], toys.doubled, name="s", results=tmp_path / "r")

    class Passing(Watching):
        def done(self):
            super().done()
            if self.count > 1:  # the first was done before
                now[0] += cost(5 - self.count)

    watching = Passing()
    run_sweep(
        [1, 2, 3, 4], toys.doubled, name="s", results=tmp_path / "r", cost=cost, watcher=watching
    )
    assert (watching.total, watching.count) == (4, 4)
    assert watching.names == ["about 1 min 1 s left: 3", "about 1 s left: 2", "about 0 s left: 1"]


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0.4, "0 s"),
        (59.6, "1 min 0 s"),
        (3599.0, "59 min 59 s"),
        (7260.0, "2 h 1 min"),
        (9e4, "1 d 1 h"),
    ],
)
def test_durations_in_two_units(seconds, says):
    assert duration(seconds) == says


def test_a_file_gets_a_line_on_progress_every_ten_minutes_at_most():
    now, lines = [0.0], []
    logged = Logged(lines.append, None, lambda: now[0])
    logged.of(100)
    for _ in range(100):
        now[0] += 60.0
        logged.done()
        logged.at("name")
    assert lines == [f"{k} of 100 done: name" for k in range(10, 101, 10)]
    stream = StringIO()
    with Terminal(stream).progress(None) as progress:
        run_sweep(range(50), toys.doubled, name="s", watcher=progress)
    assert stream.getvalue() == ""


def test_without_a_folder_a_runner_keeps_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Runner().sweep([1], toys.doubled, name="s").results == {1: 2}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("width", [80, 60])
def test_on_a_narrow_terminal_the_counter_and_the_time_left_are_whole(width, monkeypatch):
    """What is cut there is the name of what is being done."""
    monkeypatch.setenv("TERM", "xterm")
    stream = StringIO()
    stream.isatty = lambda: True
    terminal = Terminal(stream)
    terminal.console.width = width
    name = "about 23 h 59 min left: two-layer, standardised pixels, initialisation, d = 10060"
    with terminal.progress(None) as progress:
        progress.of(12345)
        progress.at(name, done=6789)
        progress._progress.refresh()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())
    lines = [line for line in re.split(r"[\r\n]+", text) if "6789" in line]
    assert lines, repr(stream.getvalue())
    for line in lines:
        assert "about 23 h 59 min left: " in line
        assert "6789/12345" in line
        assert "0:00:0" in line
        assert len(line) <= width
