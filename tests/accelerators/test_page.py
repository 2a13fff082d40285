"""The page on GPUs: its tables are what the commands print, its torch example runs."""

from __future__ import annotations

import doctest
import io
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("array_api_strict")

from benchmarks import fetches, footprint
from docs.run_blocks import FLAGS, fenced_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "gpu.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_what_the_commands_print() -> None:
    assert fetches.table() in TEXT
    assert footprint.table() in TEXT


@pytest.mark.parametrize("row", footprint.ROWS, ids=lambda row: row.name)
def test_vectors_are_as_many_as_stated(row: footprint.Row) -> None:
    assert footprint.vectors(row) == pytest.approx(row.stated, abs=0.2)


def test_the_torch_example() -> None:
    """Not run by `make docs`, where torch may be missing."""
    for name in ("torch", "curvlinops", "sklearn"):
        pytest.importorskip(name)
    (block, printed), *more = [
        (block, following)
        for block, following in pairwise(fenced_blocks(TEXT))
        if block.language == "py"
    ]
    assert not more
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(block.text, str(PAGE), "exec"), {"__name__": "__main__"})
    assert doctest.OutputChecker().check_output(printed.text, out.getvalue(), FLAGS), out.getvalue()
