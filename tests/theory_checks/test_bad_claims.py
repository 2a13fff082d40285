"""Claims of others that are wrong themselves: named in a line, and the rest goes on."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.theory_checks import toys
from theory_checks.cells import Cell
from theory_checks.claim import Claim, Condition, Dropped, Figure, Form, Sabotage, Verdict, fact
from theory_checks.cli import main
from theory_checks.document import write_instances
from theory_checks.journal import Journal, JournalError
from theory_checks.ledger import examine
from theory_checks.provenance import fingerprint
from theory_checks.replay import Record, read, replay

ROOT = Path(__file__).parents[2]


def claim_with(**changes):
    return toys.claim("toy/bad", dataclasses.replace(toys.form(toys.square), **changes))


def raising(*_):
    raise RuntimeError("of its own")


BAD = {
    "margins raise": claim_with(margins=raising),
    "margins are no mapping": claim_with(margins=lambda i: 3.0),
    "no margins": claim_with(margins=lambda i: {}),
    "a margin is a string": claim_with(margins=lambda i: {"it": "good"}),
    "a margin is complex": claim_with(margins=lambda i: {"it": 1j}),
    "a margin is a bool": claim_with(margins=lambda i: {"it": False}),
    "a margin is NumPy's bool": claim_with(margins=lambda i: {"it": np.bool_(True)}),
    "the strategy raises": claim_with(strategy=raising),
    "the strategy is none": claim_with(strategy=lambda: None),
    "the edges raise": claim_with(edges=raising),
    "the bound raises": claim_with(bound=raising),
    "the bound is one number": claim_with(bound=lambda i: 3.0),
    "the hypothesis raises": claim_with(hypotheses=(Condition("h", "h", raising),)),
    "sabotage raises": claim_with(sabotage=(Sabotage("bad", raising),)),
    "measure raises": dataclasses.replace(
        claim_with(), verdict=Verdict.MEASURED, measure=lambda level, seed: raising()
    ),
    "measure gives no figures": dataclasses.replace(
        claim_with(), verdict=Verdict.MEASURED, measure=lambda level, seed: 3
    ),
    "an array in an instance": claim_with(
        strategy=lambda: st.just({"x": 1.0, "a": np.zeros(2)}),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_in_a_claim_is_one_line_and_the_others_go_on(name, capsys):
    bad, good = BAD[name], toys.true_claim()
    assert main(["verify"], claims={bad.id: bad, good.id: good}) == 2
    captured = capsys.readouterr()
    assert "toy/true" in captured.out
    assert "all 1 verdicts" in captured.out
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("theory-checks: toy/bad, ")
    assert "Traceback" not in captured.err


def test_the_line_names_the_place_and_the_instance(capsys):
    bad = claim_with(margins=raising)
    assert main(["verify"], claims={bad.id: bad}) == 2
    line = capsys.readouterr().err
    assert "printed, hunt: RuntimeError: of its own" in line
    assert "test_bad_claims.py:" in line
    assert "instance {'x':" in line


def endless(instance):
    while True:
        pass


NOTHING = {
    "nothing is drawn": claim_with(strategy=st.nothing),
    "nothing is admitted": claim_with(hypotheses=(Condition("h", "h", lambda i: False),)),
    "nothing ends": claim_with(margins=endless, edges=lambda: ({"x": 1.0},)),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_claim_that_tested_nothing_does_not_hold(name):
    entry = examine(NOTHING[name])
    assert entry.verdict is Verdict.TOOTHLESS
    hunted = entry.forms["printed"].hunt
    assert hunted.instances == 0
    assert (hunted.unfinished > 0) == (name == "nothing ends")


def test_a_hunt_of_nothing_is_no_success(capsys):
    bad = NOTHING["nothing is admitted"]
    assert main(["hunt", bad.id, "--budget", "1"], claims={bad.id: bad}) == 1
    assert "nothing was checked" in capsys.readouterr().out


def test_margins_that_differ_from_one_evaluation_to_the_next_are_refused(capsys):
    """Violated when met and when confirmed, and never again: no counterexample, and no check."""
    given = iter([-1.0, -1.0])
    bad = claim_with(margins=lambda i: {"it": next(given, 1.0)}, edges=lambda: ({"x": 1.0},))
    assert main(["verify"], claims={bad.id: bad}) == 2
    assert "not the same twice" in capsys.readouterr().err


def test_the_ledger_and_a_replay_of_its_files_agree_on_rounding(tmp_path):
    """Float margins that round off, with the exact ones as `confirm`."""

    def rounded(i):
        return {"it": -0.25}

    claim = claim_with(margins=rounded, confirm=lambda i: {"it": fact(True)})
    entry = examine(claim)
    assert entry.verdict is Verdict.HOLDS
    (path,) = write_instances([entry], tmp_path)
    outcome = replay(read(path), {claim.id: claim})
    assert outcome.as_recorded
    assert not outcome.violated


def test_a_violation_at_infinity_is_shrunk():
    claim = claim_with(
        strategy=lambda: st.just({"x": math.inf}), margins=lambda i: {"it": fact(i["x"] < 1e5)}
    )
    found = examine(claim).forms["printed"].violation
    assert found is not None
    assert math.isfinite(found.instance["x"])


def test_nothing_against_nothing_is_not_tight():
    claim = claim_with(bound=lambda i: (0.0, 0.0))
    assert examine(claim).forms["printed"].hunt.tightest is None


def test_what_no_ledger_can_hold_is_refused():
    with pytest.raises(ValueError, match="never recorded"):
        toys.true_claim(Verdict.BROKEN)
    for name in ("", "a", "/a", "a/", "a/\n"):
        with pytest.raises(ValueError, match="id must be"):
            toys.claim(name, toys.form(toys.square))
    with pytest.raises(ValueError, match="is not in"):
        Figure("upside down", 2.0, 3.0, 1.0)


def test_instances_of_an_earlier_run_are_removed_and_others_are_not(tmp_path):
    write_instances([examine(toys.true_claim()), examine(toys.false_claim())], tmp_path)
    (tmp_path / "mine.json").write_text("{}", encoding="utf-8")
    write_instances([examine(toys.true_claim())], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "mine.json",
        "toy.true.printed.worst.json",
    }


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path, capsys):
    def counted(i):
        raise AssertionError("this is the work")

    bad = claim_with(margins=counted)
    for path in (tmp_path, tmp_path / "no" / "ledger.json"):
        assert main(["verify", "--json", str(path)], claims={bad.id: bad}) == 2
        assert "cannot be written" in capsys.readouterr().err


def test_files_are_written_before_the_text(tmp_path, monkeypatch):
    """Whoever reads the text may go away, as `head -1` does."""

    def gone(*_):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("theory_checks.report.Reporter.ledger", gone)
    toy = toys.true_claim()
    arguments = ["verify", "--json", str(tmp_path / "l.json"), "--report", str(tmp_path / "r")]
    assert main(arguments, claims={toy.id: toy}) == 2
    assert (tmp_path / "l.json").read_text(encoding="utf-8").startswith("{")
    assert (tmp_path / "r" / "index.html").is_file()


def test_notes_of_a_user_are_no_journal(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("my precious notes", encoding="utf-8")
    with pytest.raises(JournalError, match="not a journal"):
        Journal(path, {"seed": 0})
    assert path.read_text(encoding="utf-8") == "my precious notes"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks here")
def test_two_runs_do_not_share_a_journal(tmp_path):
    with (
        Journal(tmp_path / "j", {"seed": 0}),
        pytest.raises(JournalError, match="another run writes to it"),
    ):
        Journal(tmp_path / "j", {"seed": 0})


def test_what_is_no_file_is_no_journal(tmp_path, capsys):
    toy = toys.true_claim()
    assert main(["verify", "--journal", str(tmp_path)], claims={toy.id: toy}) == 2
    assert f"{tmp_path.name}: not a file" in capsys.readouterr().err


def test_a_line_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    with Journal(tmp_path / "j", {"seed": 0}) as journal:
        monkeypatch.setattr("theory_checks.records.os.fsync", full)
        with pytest.raises(JournalError, match="j: cannot be written: No space left"):
            journal.add(Cell(0, "toy/true", "hunt", "printed"), {})


def test_a_helper_of_a_module_is_part_of_the_sources(tmp_path, monkeypatch):
    """What a claim imports decides it as much as its own lines do."""
    monkeypatch.syspath_prepend(tmp_path)
    helper = tmp_path / "helper_of_claims.py"
    helper.write_text("K = 1\n", encoding="utf-8")
    (tmp_path / "claims_with_helper.py").write_text("from helper_of_claims import K\n")
    __import__("claims_with_helper")
    before = fingerprint(("claims_with_helper",))
    assert fingerprint(("claims_with_helper",)) == before
    helper.write_text("K = -1\n", encoding="utf-8")
    assert fingerprint(("claims_with_helper",)) != before


def test_a_module_that_names_a_file_of_nobody_is_passed_over(monkeypatch):
    """torch has one; its mere import ended every run with a journal."""
    before = fingerprint()
    made = types.ModuleType("made_by_others")
    made.__file__ = "_classes_of_nobody.py"
    monkeypatch.setitem(sys.modules, "made_by_others", made)
    assert fingerprint() == before


def test_an_unknown_claim_of_a_file_hints_at_modules(tmp_path, capsys):
    from theory_checks.replay import write

    write(Record("my/rho", "printed", {"x": 1.0}, {"it": 1.0}), tmp_path / "f.json")
    assert main(["replay", str(tmp_path / "f.json")], claims=toys.all_toys()) == 2
    assert "--module" in capsys.readouterr().err


ENDLESS = """
import time
import types
from hypothesis import strategies as st
from theory_checks import Claim, Form, Verdict

def slow(i):
    time.sleep(0.05)
    return {"it": 1.0}

def claims():
    form = Form("x", "x", (), lambda: st.just({"x": 1.0}), slow, effort=100000)
    return [Claim(f"mine/{k}", "slow", "mine", "here", Verdict.HOLDS, form) for k in range(4)]
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="there are no such signals here")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_the_run_that_started_them(tmp_path, number):
    """Only the parent gets the signal; its output ends when the last worker has gone."""
    (tmp_path / "endless_claims.py").write_text(ENDLESS, encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "theory_checks", "verify", "--module", "endless_claims",
         "--jobs", "2", "--level", "full", "--journal", "journal"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    journal = tmp_path / "journal"
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 1):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == -number


def test_dropped_without_instances_is_noticed():
    idle = Condition("idle", "x < 1", lambda i: i["x"] < 1, Dropped(()))
    form = Form("s", "t", (idle,), toys.strategy, lambda i: {"it": 1.0})
    claim = Claim("toy/empty", "empty", "toys", "nowhere", Verdict.HOLDS, form)
    assert examine(claim).verdict is Verdict.TOOTHLESS
