"""The script that measures accelerators, run on the host at tiny sizes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks.gpu
import tralgos
from benchmarks.gpu import __main__ as script
from benchmarks.gpu import batch, curveball, krylov, ols, wigner
from benchmarks.gpu.backend import NumpyBackend
from benchmarks.gpu.rows import COLUMNS, CheckFailed, check
from benchmarks.gpu.run import PIECES, measured
from benchmarks.gpu.sizes import TINY
from tralgos.problems import GramMatrix

HOST_PLACE = ["--backend", "numpy", "--quick"]


def cells_of(text: str) -> list[list[str]]:
    """The rows of a Markdown table, its head first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the script writes."""
    path: Path = tmp_path_factory.mktemp("gpu") / "folder" / "page.md"
    assert script.main([*HOST_PLACE, "--out", str(path)]) == 0
    return path.read_text(encoding="utf-8")


class TestPage:
    def test_one_table_with_all_pieces_in_both_precisions(self, page: str) -> None:
        head, *rows = cells_of(page)
        assert page.count("| --- |") == 1
        assert tuple(head) == COLUMNS
        assert all(len(row) == len(COLUMNS) for row in rows)
        wanted = {
            "Krylov iteration, Laplacian",
            "Krylov iteration, diagonal",
            "Krylov iteration, diagonal + rank 4",
            "CurveBall step, gradient and operator",
            "CurveBall step, linearised model",
            "batch of subproblems",
            "Wigner share",
            "OLS share",
        }
        for dtype in ("float64", "float32"):
            assert {row[0] for row in rows if row[1] == dtype} == wanted

    def test_cells_have_their_units(self, page: str) -> None:
        _, *rows = cells_of(page)
        for row in rows:
            cell = dict(zip(COLUMNS, row, strict=True))
            assert re.fullmatch(r"[\d.e+]+ [MG]iB", cell["peak memory"]), row
            assert float(cell["checked to"]) < 1e-3, row
            if cell["time"] == "not told from noise":
                assert cell["what"].startswith("Krylov")
                continue
            assert re.fullmatch(r"[\d.e+-]+ (s|ms|us)", cell["time"]), row
            assert re.fullmatch(r"\d+ %", cell["spread"]), row
            assert re.search(r" (GB/s|problems/s|entries/s|Tflop/s)$", cell["rate"]), row

    def test_says_where_it_was_measured(self, page: str) -> None:
        """A host's figures cannot be taken for a device's; the page is outside the contents."""
        assert page.startswith("---\norphan: true\n---\n")
        assert "The host, not a measurement of a GPU" in page
        assert "Measured on the host: not a measurement of a GPU" in page
        assert f"tralgos {tralgos.__version__}" in page
        assert f"NumPy {np.__version__}" in page
        assert re.search(r"- Date: \d{4}-\d\d-\d\d", page)


class TestExit:
    def test_without_a_device(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(script, "cupy_with_device", lambda: None)
        assert script.main([]) == 2
        out = capsys.readouterr().out
        assert out == "CuPy is not installed or finds no CUDA device: nothing was measured\n"

    def test_the_other_benchmarks_go_on_without_a_device(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(benchmarks.gpu, "cupy_with_device", lambda: None)
        assert list(benchmarks.gpu.tables()) == []

    def test_only(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert script.main([*HOST_PLACE, "--only", "wigner"]) == 0
        out = capsys.readouterr().out
        assert "wigner, float32" in out
        assert "krylov" not in out

    def test_unknown_piece(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            script.main([*HOST_PLACE, "--only", "nothing"])
        assert "invalid choice: 'nothing'" in capsys.readouterr().err


def off(x: Any) -> Any:
    """An array with one entry, the first, off by five per cent of the largest."""
    y = np.array(x)
    y.flat[0] += 0.05 * np.max(np.abs(y))
    return y


def wrong_step(solve: Callable[..., Any]) -> Callable[..., Any]:
    def solved(*args: Any, **kwargs: Any) -> Any:
        result = solve(*args, **kwargs)
        return dataclasses.replace(result, step=off(result.step))

    return solved


def wrong_point(minimize: Callable[..., Any]) -> Callable[..., Any]:
    def minimized(*args: Any, **kwargs: Any) -> Any:
        run = minimize(*args, **kwargs)
        run.x = off(run.x)
        return run

    return minimized


def wrong_tile(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: off(make(*args, **kwargs))


def wrong_share(share: Callable[..., Any]) -> Callable[..., Any]:
    def shared(*args: Any, **kwargs: Any) -> Any:
        found = share(*args, **kwargs)
        return dataclasses.replace(found, share=1.2 * found.share)

    return shared


INJECTIONS = [
    ("krylov", tralgos, "solve_trs", wrong_step),
    ("curveball", tralgos, "minimize", wrong_point),
    ("batch", tralgos, "solve_trs_batch", wrong_step),
    ("wigner", wigner, "diagonal_share", wrong_share),
    ("ols", GramMatrix, "_product", wrong_tile),
    ("ols", ols, "diagonal_share", wrong_share),
]


class Recorded(NumpyBackend):
    """Knows whether anything was timed."""

    def __init__(self) -> None:
        self.marks = 0

    def mark(self) -> float:
        self.marks += 1
        return super().mark()


@pytest.mark.parametrize(("piece", "home", "name", "wrong"), INJECTIONS)
class TestWrongResults:
    def test_in_a_check_stop_the_run(
        self,
        piece: str,
        home: Any,
        name: str,
        wrong: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """Before anything is timed, with exit code 1. (The host's own figures may be wrong too.)"""
        monkeypatch.setattr(home, name, wrong(getattr(home, name)))
        with pytest.raises(CheckFailed):
            PIECES[piece].checks(NumpyBackend(), np.float64, TINY)
        assert script.main([*HOST_PLACE, "--only", piece]) == 1
        out = capsys.readouterr().out
        assert "FAILED" in out
        assert "wrong result, nothing is timed" in out
        assert "| what |" not in out

    def test_at_full_size_stop_the_times(
        self,
        piece: str,
        home: Any,
        name: str,
        wrong: Callable[..., Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What is right where it is small may be wrong where it is large."""
        backend = Recorded()
        rows = PIECES[piece].rows(backend, np.float64, TINY, 0.0)
        if piece in ("batch", "ols"):
            # What it is compared with is measured first.
            monkeypatch.setattr(batch, "_others", lambda *_: [])
            monkeypatch.setattr(ols, "_product_rate", lambda *_: 1.0)
        monkeypatch.setattr(home, name, wrong(getattr(home, name)))
        with pytest.raises(CheckFailed):
            list(rows)
        assert backend.marks == 0


@pytest.mark.parametrize(
    ("piece", "home", "name", "call", "match"),
    [
        ("krylov", krylov, "_step", 0, "against dense eigenvalues"),
        ("krylov", krylov, "_step", 2, "against the host in float64"),
        ("curveball", curveball, "ran", 0, "minimiser by hand"),
        ("curveball", curveball, "ran", 1, "after 6 steps against the host"),
    ],
)
def test_each_comparison_notices_by_itself(
    piece: str, home: Any, name: str, call: int, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wrong result among right ones."""
    original, calls = getattr(home, name), iter(range(1000))

    def sometimes(*args: Any) -> Any:
        result = original(*args)
        return off(result) if next(calls) == call else result

    monkeypatch.setattr(home, name, sometimes)
    with pytest.raises(CheckFailed, match=match):
        PIECES[piece].checks(NumpyBackend(), np.float64, TINY)


def test_a_device_with_other_entries_is_noticed() -> None:
    """Of a matrix that is made on the device, against the same one made on the host."""

    class Elsewhere(NumpyBackend):
        def host(self, x: Any) -> np.ndarray:
            return off(super().host(x))

    with pytest.raises(CheckFailed, match="entries from"):
        wigner.checks(Elsewhere(), np.float64, TINY)


class TestChecks:
    def test_nan_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(CheckFailed):
            check("something", float("nan"), 1.0)
        assert "FAILED" in capsys.readouterr().out

    def test_a_nan_in_any_problem_of_a_batch_fails(self) -> None:
        H, g = batch._problems(3, 4)
        steps = batch._solved(H, g).step.copy()
        assert batch._residual(np, steps, H, g) < 1e-12
        steps[1, 2] = np.nan
        assert np.isnan(batch._residual(np, steps, H, g))
        assert np.isnan(batch._sample_differences(steps, H, g)).all()

    def test_an_allowed_difference_passes_and_is_printed(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert check("this against that", 1e-9, 1e-8) == 1e-9
        out = capsys.readouterr().out
        assert out.endswith("difference 1.0e-09, allowed 1e-08: ok\n")

    @pytest.mark.parametrize("piece", PIECES)
    def test_each_piece_checks_itself(self, piece: str, capsys: pytest.CaptureFixture[str]) -> None:
        PIECES[piece].checks(NumpyBackend(), np.float32, TINY)
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert all(line.startswith(f"check  {piece}, ") for line in lines)

    def test_all_checks_come_before_all_times(self, monkeypatch: pytest.MonkeyPatch) -> None:
        order: list[str] = []
        pieces = {
            name: dataclasses.replace(
                piece,
                checks=lambda *_, name=name: order.append(f"check {name}") or 0.0,
                rows=lambda *_, name=name: iter(order.append(f"time {name}") or ()),
            )
            for name, piece in PIECES.items()
        }
        measured(NumpyBackend(), TINY, pieces)
        kinds = [entry.split()[0] for entry in order]
        assert kinds == sorted(kinds)
        assert len(kinds) == 4 * len(PIECES)

    def test_a_step_of_the_wrong_length_or_curvature_is_noticed(self) -> None:
        """A saddle of the sphere is stationary too: its multiplier tells."""
        H, g = krylov.OPERATORS["diagonal"](np, 6, np.float64), krylov.gradient(np, 6, np.float64)
        step = krylov.solved(H, g).step
        assert krylov._residual(np, step, H, g) < 1e-12
        assert krylov._residual(np, 0.9 * step, H, g) > 0.09
        # The multiplier of -step is about -7.
        assert krylov._residual(np, -step, H, -H.matvec(-step) - -7.0 * -step) >= 1.0
