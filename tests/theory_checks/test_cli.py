import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.theory_checks import toys
from theory_checks.claim import Verdict
from theory_checks.cli import main
from theory_checks.replay import Record, write

ROOT = Path(__file__).parents[2]


def run(*arguments, toy=None):
    untestable = toys.untestable_claim()
    claims = {**toys.all_toys(), untestable.id: untestable} if toy is None else {toy.id: toy}
    return main([str(argument) for argument in arguments], claims=claims)


def test_list_names_every_claim(capsys):
    assert run("list") == 0
    out = capsys.readouterr().out
    assert all(name in out for name in toys.all_toys())


def test_show_gives_both_forms(capsys):
    assert run("show", "toy/mended") == 0
    out = capsys.readouterr().out
    assert "printed:" in out
    assert "amended:" in out
    assert "hypothesis positive" in out


def test_verify_succeeds_when_every_verdict_is_the_recorded_one(capsys):
    assert run("verify") == 0
    assert "all 5 verdicts are the recorded ones" in capsys.readouterr().out


def test_verify_reports_a_changed_verdict(capsys):
    assert run("verify", toy=toys.true_claim(Verdict.REFUTED)) == 1
    out = capsys.readouterr().out
    assert "toy/true" in out
    assert "found holds" in out


def test_verify_writes_the_ledger(tmp_path):
    path = tmp_path / "ledger.json"
    assert run("verify", "toy/mended", "--json", path, "--seed", 3) == 0
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["seed"] == 3
    assert document["level"] == "quick"
    assert [line["id"] for line in document["claims"]] == ["toy/mended"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["unheard-of"],
        ["verify", "toy/unknown"],
        ["verify", "--level", "eternal"],
        ["verify", "--seed", "-1"],
        ["verify", "--seed", "x"],
        ["verify", "--jobs", "0"],
        ["verify", "--jobs", "many"],
        ["verify", "--backend", "abacus"],
        ["verify", "--module", "no.such.module"],
        ["hunt", "toy/untestable", "--budget", "1"],
        ["show", "toy/unknown"],
        ["show"],
        ["hunt", "toy/true"],
        ["hunt", "toy/unknown", "--budget", "1"],
        ["hunt", "toy/true", "--budget", "-1"],
        ["hunt", "toy/true", "--budget", "nan"],
        ["hunt", "toy/true", "--budget", "1", "--form", "amended"],
        ["draw", "toy/true"],
        ["replay", "no/such/file.json"],
        ["verify", "toy/true", "--json", "no/such/folder/ledger.json"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments, capsys):
    assert run(*arguments) == 2
    assert capsys.readouterr().err


def test_an_unknown_claim_is_answered_with_the_known_ones(capsys):
    assert run("verify", "toy/unknown") == 2
    err = capsys.readouterr().err
    assert all(name in err for name in ("toy/unknown", *toys.all_toys()))


def test_help_is_no_error(capsys):
    assert run("--help") == 0
    assert "verify" in capsys.readouterr().out


def test_a_hunt_saves_what_it_finds_and_replay_accepts_it(tmp_path, capsys):
    path = tmp_path / "found.json"
    assert run("hunt", "toy/false", "--budget", 5, "--save", path) == 0
    assert run("replay", path) == 0
    assert "violated" in capsys.readouterr().out


def test_a_hunt_that_refutes_what_holds_changes_the_verdict():
    assert run("hunt", "toy/false", "--budget", 5, toy=toys.false_claim(Verdict.HOLDS)) == 1


def test_a_hunt_without_a_find_ends_with_its_budget():
    assert run("hunt", "toy/true", "--budget", 0.5) == 0


def test_a_replay_that_gives_something_else_changes_the_verdict(tmp_path):
    path = tmp_path / "old.json"
    write(Record("toy/true", "printed", {"x": 1.0}, {"it": -1.0}), path)
    assert run("replay", path) == 1


def test_an_interrupt_ends_quietly(capsys):
    def interrupted(x):
        raise KeyboardInterrupt

    toy = toys.claim("toy/endless", toys.form(interrupted))
    assert run("verify", toy=toy) == 130
    captured = capsys.readouterr()
    assert "interrupted" in captured.err
    assert "Traceback" not in captured.err


def test_as_a_program_it_leaves_no_trace_and_no_colours(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HYPOTHESIS")}
    environment["PYTHONPATH"] = str(ROOT)
    environment["CI"] = "true"
    done = subprocess.run(
        [sys.executable, "-m", "theory_checks", "verify", "efficient-tr/srelu"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "efficient-tr/srelu" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
