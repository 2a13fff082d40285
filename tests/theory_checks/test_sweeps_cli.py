"""`theory-checks reproduce` of an experiment that is made of cells, and of one that is not."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest

from tests.theory_checks import sweep_toys as toys
from theory_checks.cli import main


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("theory_checks.cli.experiments", toys.experiments)

    def run(*arguments):
        code = main(["reproduce", *map(str, arguments), "--out", str(tmp_path / "out")], claims={})
        return code, capsys.readouterr()

    return run


def test_the_document_says_how_many_cells_were_there_before(command, tmp_path):
    """Null where an experiment has no cells."""
    for resumed in (0, 4):
        assert command("toys/halves", "--executor", "serial")[0] == 0
        assert numbers(tmp_path)["resumed"] == resumed
    assert command("toys/whole")[0] == 0
    text = (tmp_path / "out" / "toys-whole.json").read_text(encoding="utf-8")
    assert json.loads(text)["resumed"] is None


def test_what_was_written_before_stays_when_a_file_cannot_be_written(command, tmp_path):
    """A file may grow no further than a few bytes; the error names it."""
    resource = pytest.importorskip("resource", reason="there are no such limits here")
    assert command("toys/halves", "--executor", "serial")[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*.*")}
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, former[1]))
    try:
        code, said = command("toys/halves", "--executor", "serial")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
    assert code == 2
    assert "cannot be written: File too large" in said.err
    assert "toys-halves.json" in said.err
    assert {path: path.read_bytes() for path in (tmp_path / "out").glob("*.*")} == before


def numbers(tmp_path):
    return json.loads((tmp_path / "out" / "toys-halves.json").read_text(encoding="utf-8"))


def test_an_experiment_goes_on_from_its_cells(command, tmp_path):
    for resumed in (0, 4):
        code, said = command("toys/halves", "--executor", "serial")
        assert code == 0
        assert numbers(tmp_path)["numbers"] == {"resumed": resumed, "halves": [0.0, 0.5, 1.0, 1.5]}
    assert "toys-halves.sweep: 4 cells were done before" in said.out
    code, said = command("toys/halves", "--executor", "serial", "--level", "full")
    assert numbers(tmp_path)["numbers"]["resumed"] == 4


def test_a_damaged_line_is_told_by_its_number(command, tmp_path):
    path = tmp_path / "kept"
    arguments = ("toys/halves", "--executor", "serial", "--results", path)
    assert command(*arguments)[0] == 0
    path.write_bytes(path.read_bytes().replace(b'"half":0.5', b'"half":0.6'))
    code, said = command(*arguments)
    assert code == 0
    assert (
        "kept: damaged lines are set aside in kept.damaged, and their cells done again: 3"
        in said.out
    )
    assert numbers(tmp_path)["numbers"]["halves"] == [0.0, 0.5, 1.0, 1.5]


def test_results_of_another_seed_are_refused(command, tmp_path):
    arguments = ("toys/halves", "--executor", "serial", "--results", tmp_path / "kept")
    assert command(*arguments)[0] == 0
    code, said = command(*arguments, "--rng", 1)
    assert code == 2
    assert "kept: of another sweep: parameters.seed was 0, now it is 1" in said.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["toys/whole", "--executor", "serial"], "--executor: there are no cells in toys/whole"),
        (["--workers", "2"], "--workers: there are no cells in toys/whole"),
        (["toys/whole", "--results", "x"], "--results: there are no cells in toys/whole"),
        (["toys/whole", "--backend", "cupy"], "--backend cupy: not possible in toys/whole"),
        (["toys/halves", "toys/halves", "--results", "x"], "a file is for one experiment"),
        (["toys/halves", "--scheduler", "tcp://x:1"], "a scheduler's address is for 'dask' alone"),
        (["toys/halves", "--executor", "serial", "--workers", "2"], "it has no workers"),
        (["toys/halves", "--workers", "0"], "argument --workers: '0' is not a positive integer"),
        (["toys/halves", "--workers", "x"], "argument --workers: 'x' is not a positive integer"),
        (["toys/halves", "--rng", "1.5"], "argument --rng: '1.5' is not a non-negative integer"),
        (
            ["toys/halves", "--executor", "dask", "--scheduler", "garbage"],
            "'garbage' is no address of a scheduler, such as tcp://10.0.0.1:8786",
        ),
        (["toys/halves", "--executor", "cluster"], "invalid choice"),
    ],
)
def test_options_that_would_do_nothing_are_refused_before_any_work(
    command, tmp_path, arguments, says
):
    code, said = command(*arguments)
    assert code == 2
    assert says in said.err
    assert not (tmp_path / "out").exists()


def test_a_backend_that_is_missing_is_named_before_any_work(command, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", None)
    code, said = command("toys/halves", "--backend", "cupy")
    assert code == 2
    assert "CuPy cannot be imported" in said.err
    assert not (tmp_path / "out").exists()


def test_the_backend_is_among_the_parameters_and_in_the_command(command, tmp_path, monkeypatch):
    """Results of one are not gone on with on the other."""
    device = SimpleNamespace(
        runtime=SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=OSError)
    )
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=device, __version__="14.0"))
    arguments = ("toys/halves", "--executor", "serial", "--results", tmp_path / "kept")
    assert command(*arguments, "--backend", "cupy")[0] == 0
    assert numbers(tmp_path)["command"].endswith("--rng 0 --backend cupy")
    assert '"backend":"cupy","cupy":"14.0"' in (tmp_path / "kept").read_text(encoding="utf-8")
    code, said = command(*arguments)
    assert code == 2
    assert "parameters.backend was 'cupy', now it is 'numpy'" in said.err or "keywords" in said.err
