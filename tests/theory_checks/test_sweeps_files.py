"""The results file of a sweep: damaged anywhere, of something else, in use, on a full disk."""

from __future__ import annotations

import errno
import functools
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.theory_checks import sweep_toys as toys
from theory_checks.journal import Journal, JournalError
from theory_checks.records import encoded_line
from theory_checks.sweeps import ResultsError, run_sweep

CELLS = range(6)
EXPECTED = {cell: 2 * cell for cell in CELLS}


def swept(path, cells=CELLS, function=toys.doubled, name="toys", **options):
    return run_sweep(cells, function, name=name, results=path, **options)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results"
    swept(path)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "results"
    swept(path)
    return path.read_bytes()


def beside(path):
    return path.with_name(f"{path.name}.damaged")


# --- damage ------------------------------------------------------------------------------


def test_a_flipped_bit_is_named_set_aside_and_done_again(path):
    lines = path.read_bytes().splitlines(keepends=True)
    bad = lines[3].replace(b'"result":4', b'"result":5')
    path.write_bytes(b"".join([*lines[:3], bad, *lines[4:]]))
    told = []
    outcome = swept(path, tell=told.append)
    assert (outcome.results, outcome.damaged, outcome.resumed) == (EXPECTED, (4,), 5)
    assert beside(path).read_bytes() == bad
    assert told == [
        "results: damaged lines are set aside in results.damaged, and their cells done again: 4",
        "results: 5 cells were done before",
    ]
    again = swept(path)
    assert (again.results, again.damaged, again.resumed) == (EXPECTED, (), 6)
    assert beside(path).read_bytes() == bad


def test_lines_keep_their_numbers_when_others_are_set_aside(path):
    """The second time the damage is further down, and counted as an editor counts."""
    for number, cell in ((3, 1), (6, 4)):
        content = path.read_bytes()
        path.write_bytes(content.replace(b'"cell":%d' % cell, b'"cell":9', 1))
        assert swept(path).damaged == (number,)
    assert path.read_bytes().count(b"\n") == 1 + 6 + 2


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_changed_byte_anywhere_changes_no_result(tmp_path_factory, whole, at, change):
    """It is noticed, or it changes nothing; in the first line the file is refused as it is."""
    path = tmp_path_factory.mktemp("bytes") / "results"
    content = bytearray(whole)
    at %= len(content)
    content[at] ^= change
    path.write_bytes(content)
    if at <= whole.index(b"\n"):
        try:
            assert swept(path).results == EXPECTED
        except ResultsError:
            assert path.read_bytes() == content
        return
    outcome = swept(path)
    assert outcome.results == EXPECTED
    number = whole[:at].count(b"\n") + 1
    assert number in outcome.damaged or outcome.resumed == len(CELLS)
    assert swept(path).resumed == len(CELLS)


@given(st.integers(0, 10**6))
def test_a_file_that_was_cut_anywhere_goes_on(tmp_path_factory, whole, length):
    path = tmp_path_factory.mktemp("cut") / "results"
    kept = whole[: length % len(whole)]
    path.write_bytes(kept)
    finished = max(0, kept.count(b"\n") - 1)
    outcome = swept(path)
    assert (outcome.results, outcome.resumed) == (EXPECTED, finished)
    clean = kept.endswith(b"\n") or b"\n" not in kept
    assert outcome.damaged == (() if clean else (finished + 2,))
    assert beside(path).exists() is not clean
    assert swept(path).resumed == len(CELLS)
    assert swept(path).damaged == ()


def test_nothing_is_left_of_a_tail_without_an_end(path):
    """Also where it is longer than the lines that come after it, and holds no line."""
    path.write_bytes(path.read_bytes() + b"\0" * 10_000)
    outcome = swept(path, cells=range(8))
    assert (outcome.resumed, outcome.damaged) == (6, (8,))
    assert swept(path, cells=range(8)).damaged == ()
    assert path.read_bytes().count(b"\n") == 1 + 8
    assert beside(path).read_bytes() == b"\0" * 10_000 + b"\n"


def test_each_cell_is_on_the_disk_before_the_next_one_begins(tmp_path, monkeypatch):
    """A kill loses one cell at most."""
    path, synced = tmp_path / "results", []

    def noting(number, fsync=os.fsync):
        fsync(number)
        synced.append(path.read_bytes().count(b"\n") - 1)

    class Looking:
        def of(self, total):
            synced.clear()

        def at(self, name):
            assert synced[-1] == int(name.split(": ")[-1]) + 1

        def done(self):
            pass

    monkeypatch.setattr("theory_checks.records.os.fsync", noting)
    swept(path, watcher=Looking())
    assert synced == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xfe\x00\n", b"\n \r\n", b"0" * 5000 + b"\n", b"00000000 {}\n", b"hello\n\x00\x00\n"],
)
def test_garbage_in_the_middle_is_set_aside(path, garbage):
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], garbage, *lines[3:]]))
    outcome = swept(path)
    assert (outcome.results, outcome.resumed) == (EXPECTED, 6)
    assert outcome.damaged[0] in (4, 5)
    assert swept(path).damaged == ()


@pytest.mark.parametrize("document", [{"cell": 1}, {"cell": 1, "result": 2, "more": 3}, {}])
def test_a_line_that_is_sound_and_says_nothing_is_damaged(path, document):
    path.write_bytes(path.read_bytes() + encoded_line(document))
    assert swept(path).damaged == (8,)


def test_lines_that_contradict_each_other_are_all_set_aside(path):
    """Which of them is right cannot be told; a third that agrees with one does not decide."""
    other, same = (encoded_line({"cell": 2, "result": result}) for result in (5, 4))
    path.write_bytes(path.read_bytes() + other + same)
    outcome = swept(path)
    assert (outcome.results, outcome.damaged, outcome.resumed) == (EXPECTED, (4, 8, 9), 5)
    assert beside(path).read_bytes().count(b"\n") == 3
    again = swept(path)
    assert (again.results, again.damaged, again.resumed) == (EXPECTED, (), 6)


def test_lines_that_say_the_same_twice_are_no_damage(path):
    path.write_bytes(path.read_bytes() + encoded_line({"cell": 2, "result": 4}))
    outcome = swept(path)
    assert (outcome.results, outcome.damaged, outcome.resumed) == (EXPECTED, (), 6)


def test_a_kill_while_lines_are_set_aside_destroys_nothing(path, monkeypatch):
    """The other file is on the disk before the blanks are written."""
    content = path.read_bytes().replace(b'"result":4', b'"result":5')
    path.write_bytes(content)

    class Killed(BaseException):
        pass

    def killed(_):
        assert beside(path).stat().st_size > 0
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("theory_checks.records.os.fsync", killed)
        with pytest.raises(Killed):
            swept(path)
    assert path.read_bytes() == content
    assert swept(path).damaged == (4,)


def test_a_damaged_first_line_is_refused_with_the_line_that_mends_it(path):
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"toys"', b'"tovs"'))
    with pytest.raises(ResultsError, match="line 1 is damaged, which says what sweep") as caught:
        swept(path)
    mended = str(caught.value).splitlines()[-1].encode()
    path.write_bytes(mended + b"\n" + content.split(b"\n", 1)[1])
    assert swept(path).resumed == 6


# --- of something else -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "other"}, "of another sweep: sweep was 'toys', now it is 'other'"),
        ({"parameters": {"n": 4}}, "parameters.n was not there, now it is 4"),
        (
            {"function": toys.drawn, "cells": [(2, 0)]},
            r"function.name was '.*:doubled', now it is '.*:drawn'",
        ),
        (
            {"function": functools.partial(toys.given, values=list(CELLS))},
            "of another sweep: function",
        ),
    ],
)
def test_results_of_another_sweep_are_refused_and_left_alone(path, options, says):
    content = path.read_bytes()
    with pytest.raises(ResultsError, match=says):
        swept(path, **options)
    assert path.read_bytes() == content


def test_other_parameters_are_named(tmp_path):
    swept(tmp_path / "r", parameters={"n": 3, "rates": (0.1, 0.2)})
    assert swept(tmp_path / "r", parameters={"n": 3, "rates": [0.1, 0.2]}).resumed == 6
    with pytest.raises(ResultsError, match=r"parameters.rates was \[0.1, 0.2\], now it is \[0.1\]"):
        swept(tmp_path / "r", parameters={"n": 3, "rates": (0.1,)})
    with pytest.raises(
        ResultsError, match=r"parameters.rates was \[0.1, 0.2\], now it is not there"
    ):
        swept(tmp_path / "r", parameters={"n": 3})
    with pytest.raises(ResultsError, match=r"parameters.n was 3, now it is 3\.0"):
        swept(tmp_path / "r", parameters={"n": 3.0, "rates": (0.1, 0.2)})


@pytest.mark.parametrize("what", ["sources", "versions.numpy", "schema"])
def test_results_of_other_code_are_refused(path, what):
    """The line is sound and says another version."""
    import json

    first, rest = path.read_bytes().split(b"\n", 1)
    header = json.loads(first[9:])
    assert set(header["versions"]) == {"python", "tralgos", "numpy", "scipy", "mpmath"}
    *way, last = what.split(".")
    functools.reduce(dict.__getitem__, way, header)[last] = "other"
    path.write_bytes(encoded_line(header) + rest)
    with pytest.raises(ResultsError, match=f"of another sweep: {what} was 'other', now it is"):
        swept(path)


def test_a_journal_is_no_results_file_and_the_other_way_round(path, tmp_path):
    with Journal(tmp_path / "journal", {"seed": 0}):
        pass
    says = "schema was 'theory-checks/journal/1', now it is 'theory-checks/sweep/1'"
    with pytest.raises(ResultsError, match=says):
        swept(tmp_path / "journal")
    with pytest.raises(JournalError, match="schema was 'theory-checks/sweep/1'"):
        Journal(path, {"seed": 0})


@pytest.mark.parametrize("content", [b"my precious notes", b"my\nprecious\nnotes\n", b"\n\n"])
def test_what_is_no_results_file_is_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="not a results file"):
        swept(path)
    assert path.read_bytes() == content
    with pytest.raises(ResultsError, match="not a file"):
        swept(tmp_path)


def test_cells_may_be_added_and_left_out(path):
    assert swept(path, cells=[5, 1]).results == {5: 10, 1: 2}
    outcome = swept(path, cells=range(8))
    assert (outcome.resumed, len(outcome.results)) == (6, 8)


# --- in use, read-only, full -------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks here")
def test_two_runs_do_not_share_a_file(path):
    def nested(_):
        with pytest.raises(ResultsError, match="results: another run writes to it now"):
            swept(path)

    swept(path, cells=range(7), tell=nested)


def test_a_file_that_cannot_be_opened_is_named(path, monkeypatch, tmp_path):
    with pytest.raises(ResultsError, match="r: cannot be opened: No such file"):
        swept(tmp_path / "no" / "r")

    def denied(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("theory_checks.records.os.open", denied)
    with pytest.raises(ResultsError, match="results: cannot be opened: Permission denied"):
        swept(path)


@pytest.mark.skipif(
    sys.platform == "win32" or not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="root may write to what is read-only",
)
def test_a_read_only_file_is_refused_before_any_work(path):
    path.chmod(0o444)
    with pytest.raises(ResultsError, match="results: cannot be opened: Permission denied"):
        swept(path, cells=[9], function=toys.exiting)


@pytest.mark.parametrize("room", [*range(0, 60, 9), 31])
def test_a_full_disk_ends_the_sweep_and_loses_nothing(tmp_path, room):
    """A file may grow no further than some bytes into a line: a part of it is written."""
    resource = pytest.importorskip("resource", reason="there are no such limits here")
    path = tmp_path / "results"
    swept(path, cells=range(3))
    kept = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) + room, hard))
    try:
        with pytest.raises(ResultsError, match="results: cannot be written: File too large"):
            swept(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes().startswith(kept)
    line = len(encoded_line({"cell": 3, "result": 6}))
    finished = path.read_bytes().count(b"\n") - 1
    assert finished == 3 + room // line
    outcome = swept(path)
    assert (outcome.results, outcome.resumed) == (EXPECTED, finished)
    assert outcome.damaged == (() if room % line == 0 else (finished + 2,))


def test_a_call_that_writes_a_part_of_a_line_is_followed_by_another(tmp_path, monkeypatch):
    """As on a disk that is nearly full, or over a network."""
    from theory_checks import records

    class Short:
        def __init__(self, file):
            self._file = file

        def write(self, content):
            return self._file.write(content[:5])

        def __getattr__(self, name):
            return getattr(self._file, name)

    write = records.Records._write

    def short(self, content):
        file, self._file = self._file, Short(self._file)
        try:
            write(self, content)
        finally:
            self._file = file

    monkeypatch.setattr(records.Records, "_write", short)
    swept(tmp_path / "r")
    assert swept(tmp_path / "r").resumed == 6


def test_damage_that_cannot_be_set_aside_is_told_and_stays(path):
    content = path.read_bytes().replace(b'"result":4', b'"result":5')
    path.write_bytes(content)
    beside(path).mkdir()
    with pytest.raises(
        ResultsError, match=r"damaged lines cannot be set aside in results\.damaged"
    ):
        swept(path)
    assert path.read_bytes() == content


# --- parameters that look alike ----------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "now", "where", "says"),
    [
        (True, 1, "", "was True, now it is 1"),
        (1, 1.0, "", "was 1, now it is 1.0"),
        ([1.0], [1], r"\[0\]", "was 1.0, now it is 1"),
        ([2, {"a": (0.0, 1)}], [2, {"a": (-0.0, 1)}], r"\[1\].a\[0\]", "was 0.0, now it is -0.0"),
        (0.0, -0.0, "", "was 0.0, now it is -0.0"),
        ([True, 2], [1, 2], r"\[0\]", "was True, now it is 1"),
        ({"b": None}, {}, ".b", "was None, now it is not there"),
        ([], {}, "", r"was \[\], now it is {}"),
    ],
)
def test_parameters_that_are_equal_in_python_alone_are_others(tmp_path, was, now, where, says):
    """Bound to the function or named: a function may tell True from 1, and -0.0 from 0.0."""
    for way in ("bound", "named"):
        path = tmp_path / way

        def start(value, path=path, way=way):
            if way == "named":
                return swept(path, parameters={"x": value})
            return swept(path, function=functools.partial(toys.ignoring, x=value))

        start(was)
        assert start(was).resumed == 6
        place = "parameters.x" if way == "named" else "function.keywords.x"
        with pytest.raises(ResultsError, match=f"{place}{where} {says}"):
            start(now)


def test_a_cut_line_is_set_aside_once_also_where_nothing_is_added(path):
    path.write_bytes(path.read_bytes() + b"1234 half a li")
    told = []
    assert swept(path, tell=told.append).damaged == (8,)
    assert "set aside" in told[0]
    kept = beside(path).read_bytes()
    for _ in range(2):
        told.clear()
        assert swept(path, tell=told.append).damaged == ()
        assert told == ["results: 6 cells were done before"]
        assert beside(path).read_bytes() == kept
    assert path.read_bytes().endswith(b"}\n")
