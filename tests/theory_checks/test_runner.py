"""Journals, processes, and runs that are killed: the verdicts do not depend on them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.theory_checks import toys
from theory_checks.backends import BackendError, namespace_of
from theory_checks.cells import Cell, cells_of, run_cell
from theory_checks.claim import Level
from theory_checks.cli import main
from theory_checks.journal import Journal, JournalError
from theory_checks.ledger import assembled, examine
from theory_checks.runner import Run, gather

ROOT = Path(__file__).parents[2]
RUN = {"level": "quick", "seed": 0}
CELL = Cell(0, "toy/true", "hunt", "printed")
RESULT = run_cell(toys.true_claim(), CELL, Level.QUICK, 0)


def journal_with(path, cells=3):
    with Journal(path, RUN) as journal:
        for number in range(cells):
            journal.add(Cell(number, "toy/true", "hunt", "printed"), RESULT)
    return path


def test_a_journal_gives_back_what_was_put_in(tmp_path):
    path = journal_with(tmp_path / "j")
    with Journal(path, RUN) as journal:
        assert journal.results == {
            Cell(number, "toy/true", "hunt", "printed"): RESULT for number in range(3)
        }
        assert journal.damaged == []


def test_a_journal_may_end_anywhere(tmp_path):
    """Cut after every single byte, it opens, loses at most the last line, and grows on."""
    whole = journal_with(tmp_path / "whole", cells=2).read_bytes()
    for length in range(0, len(whole), 17):
        path = tmp_path / "cut"
        path.write_bytes(whole[:length])
        with Journal(path, RUN) as journal:
            complete = max(0, whole[:length].count(b"\n") - 1)
            assert len(journal.results) == complete
            assert journal.damaged == []
            journal.add(Cell(7, "toy/true", "hunt", "printed"), RESULT)
        with Journal(path, RUN) as journal:
            assert len(journal.results) == complete + 1


def test_nothing_is_left_of_a_line_that_was_cut_short(tmp_path):
    """Also where the next line is shorter than what was there."""
    path = journal_with(tmp_path / "j", cells=1)
    path.write_bytes(path.read_bytes() + b"0" * 10_000)
    with Journal(path, RUN) as journal:
        journal.add(Cell(1, "toy/true", "hunt", "printed"), RESULT)
    with Journal(path, RUN) as journal:
        assert len(journal.results) == 2
        assert journal.damaged == []
    assert path.read_bytes().endswith(b"}\n")


def test_a_damaged_line_is_named_and_set_aside(tmp_path):
    path = journal_with(tmp_path / "j")
    raw = bytearray(path.read_bytes())
    raw[raw.index(b'"round":1') + 8] = ord("5")
    path.write_bytes(raw)
    with Journal(path, RUN) as journal:
        assert journal.damaged == [3]
        assert [cell.round for cell in journal.results] == [0, 2]


@pytest.mark.parametrize("change", [{"seed": 1}, {"level": "full"}, {"sources": "other"}])
def test_a_journal_of_another_run_is_refused(tmp_path, change):
    path = journal_with(tmp_path / "j")
    with pytest.raises(JournalError, match=f"of another run: {next(iter(change))}"):
        Journal(path, {**RUN, **change})


@pytest.mark.parametrize("content", [b"hello\n", b'{"schema": 1}\n', b"\xff\xfe\n\n"])
def test_what_is_no_journal_is_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="not a journal"):
        Journal(path, RUN)
    assert path.read_bytes() == content


def test_a_run_from_a_journal_does_nothing_twice(tmp_path, capsys):
    path = tmp_path / "j"
    arguments = ["verify", "toy/true", "toy/mended", "--journal", str(path)]
    assert main(arguments, claims=toys.all_toys()) == 0
    size = path.stat().st_size
    capsys.readouterr()
    assert main(arguments, claims=toys.all_toys()) == 0
    assert path.stat().st_size == size
    assert "pieces of work were done before" in capsys.readouterr().out


def test_cells_in_any_order_give_the_same_evidence():
    claim = toys.mended_claim()
    expected = examine(claim, Level.STANDARD, 3)
    cells = list(cells_of(claim, Level.STANDARD))
    random.Random(4).shuffle(cells)
    results = {cell: run_cell(claim, cell, Level.STANDARD, 3) for cell in cells}
    entry = assembled(claim, results)
    assert entry.verdict is expected.verdict
    for name, form in entry.forms.items():
        assert form.hunt.worst == expected.forms[name].hunt.worst
        assert form.hunt.instances == expected.forms[name].hunt.instances


def test_several_processes_give_what_one_gives():
    """Claims of milliseconds: a round that takes ten seconds is cut, on a busy machine too."""
    ids = ["curveball/theorem-a2-remarks", *(claim.id for claim in toys.claims())]
    from theory_checks.registry import all_claims

    run = Run(Level.QUICK, 0, modules=("tests.theory_checks.toys",))
    known = all_claims(run.modules)
    claims = {name: known[name] for name in ids}

    def without_times(results):
        return {
            cell: {key: value for key, value in result.items() if key != "seconds"}
            for cell, result in results.items()
        }

    alone, failed = gather(claims, run)
    assert failed == {}
    together, failed = gather(claims, run, jobs=2)
    assert failed == {}
    assert without_times(together) == without_times(alone)
    assert max(result["seconds"] for result in alone.values()) < 1.0
    assert {cell.part for cell in alone} == {"hunt", "dropped", "sabotage", "figures"}


def test_a_backend_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(BackendError, match="CuPy cannot be imported"):
        namespace_of("cupy")
    assert main(["verify", "toy/true", "--backend", "cupy"], claims=toys.all_toys()) == 2


SLOW_CLAIMS = """
import time
from hypothesis import strategies as st
from theory_checks import Claim, Form, Verdict, in_roundings

def slow(i):
    time.sleep(0.002)
    return {"it": in_roundings(i["x"] ** 2, 1.0, 0.0)}

def form():
    return Form("x^2 >= 0", "x^2 \\\\ge 0", (), lambda: st.fixed_dictionaries(
        {"x": st.floats(-9, 9)}), slow, effort=8)

def claims():
    return [Claim(f"mine/{k}", "squares", "mine", "here", Verdict.HOLDS, form()) for k in range(20)]
"""


def lines_of(journal):
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def ledger_of(folder, *options, jobs=2, kill_after=None):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [
        sys.executable, "-m", "theory_checks", "verify", "--module", "slow_claims",
        "--level", "standard", "--jobs", str(jobs), "--json", "ledger.json", *options,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    if kill_after is None:
        assert process.wait(120) == 0
        return json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
    # Not before it has begun to write: a kill while it starts would prove nothing.
    journal = folder / "journal"
    before = lines_of(journal)
    while process.poll() is None and lines_of(journal) == before:
        time.sleep(0.01)
    time.sleep(kill_after)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return None


def what_was_found(ledger):
    found = []
    for claim in ledger["claims"]:
        evidence = {**claim["forms"]["printed"]["evidence"], "seconds": None}
        found.append((claim["id"], claim["verdict"], evidence))
    return found


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there is no SIGKILL here")
def test_a_run_killed_at_random_times_loses_nothing(tmp_path):
    """Twenty kills; what was on the disk stays, and the ledger is that of a run left alone."""
    (tmp_path / "slow_claims.py").write_text(SLOW_CLAIMS, encoding="utf-8")
    expected = what_was_found(ledger_of(tmp_path))
    (tmp_path / "ledger.json").unlink()
    journal = tmp_path / "journal"
    rng = random.Random(5)
    before = 0
    for kill in range(20):
        ledger_of(
            tmp_path, "--journal", "journal", jobs=1 + kill % 2, kill_after=rng.uniform(0, 0.2)
        )
        lines = lines_of(journal)
        assert lines >= before
        before = lines
    assert what_was_found(ledger_of(tmp_path, "--journal", "journal")) == expected
