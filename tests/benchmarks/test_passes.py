"""The vectors that an iteration reads and writes, counted, against the benchmark's numbers."""

from __future__ import annotations

import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.gpu import curveball, krylov
from benchmarks.gpu.passes import CURVEBALL, KRYLOV, PRODUCTS
from benchmarks.gpu.vectors import OPERATORS, gradient
from tests.counted import Counted, Space
from tests.fake_cupy import FakeCupy
from tralgos import kernels
from tralgos.problems import GramMatrix
from tralgos.shares import diagonal_share
from tralgos.subproblems import basis

#: 2744 unknowns: shorter vectors are always projected.
SIDE = 14


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Space:
    """A library that counts, with CuPy's kernels; its arrays take CuPy's paths."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    space = Space(large=SIDE**3 // 2)
    monkeypatch.setitem(sys.modules, "cupy", FakeCupy(compiler, tmp_path, ran=space.count))
    monkeypatch.setattr(kernels, "is_cupy", lambda x: isinstance(x, Counted))
    # As it is for vectors of ten million.
    monkeypatch.setattr(basis, "_MOST_ROWS", basis._LEAST_ROWS)
    return space


def product_passes(name: str) -> float:
    """Of the Laplacian each slice lacks one of the cube's layers."""
    return 2 + 18 * (SIDE - 1) / SIDE if name == "Laplacian" else PRODUCTS[name]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_krylov(space: Space, name: str, dtype: str) -> None:
    """Per iteration, over two blocks of the basis; the counts do not depend on the dtype."""
    H, g = OPERATORS[name](space, SIDE, dtype), gradient(space, SIDE, dtype)
    before = space.moved
    H.matvec(g)
    assert (space.moved - before) / SIDE**3 == pytest.approx(product_passes(name))
    counts = []
    for budget in (16, 32):
        before = space.moved
        result = krylov.solved(H, g, budget)
        assert result.matvecs == budget
        counts.append((space.moved - before) / SIDE**3)
    passes = (counts[1] - counts[0]) / 16
    assert passes == pytest.approx(KRYLOV + product_passes(name), rel=1e-12)


@pytest.mark.parametrize("name", curveball.PROBLEMS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_curveball(space: Space, name: str, dtype: str) -> None:
    """Each step alike."""
    n = SIDE**3
    problem = curveball.PROBLEMS[name](space, n, dtype)
    marks: list[int] = []
    curveball.ran(problem, space, dtype, 8, seen=lambda _: marks.append(space.moved))
    assert {(b - a) / n for a, b in pairwise(marks)} == {CURVEBALL[name]}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tile_of_the_ols_share(dtype: str) -> None:
    """Four passes over each tile on or above the diagonal, as the page's bound has it."""
    size = 60
    space = Space(large=size**2)
    H = GramMatrix(space.ones((3 * size, 5), dtype=dtype), divisor=5.0, tile_size=size)
    before = space.moved
    diagonal_share(H)
    assert (space.moved - before) / size**2 == 6 * 4


class TestTheCounter:
    """What the counts above rest on."""

    def test_reads_and_writes(self) -> None:
        space = Space(large=10)
        x, y = space.zeros(10), space.ones(10)
        assert (space.read, space.written) == (0, 20)
        z = x + y
        assert (space.read, space.written) == (20, 30)
        z *= 2.0
        assert (space.read, space.written) == (30, 40)
        space.vecdot(z, y)
        assert (space.read, space.written) == (50, 40)

    def test_views_and_small_arrays_are_free(self) -> None:
        space = Space(large=10)
        x = space.empty(20)
        assert x[::2].reshape((2, 5)).T.shape == (5, 2)
        small = space.ones(9)
        assert float(space.sum(small + small)) == 18.0
        assert space.moved == 0

    def test_what_comes_back_from_an_update_in_place_is_not_copied(self) -> None:
        """y[k:] -= x is three passes, and the assignment to y[k:] none."""
        space = Space(large=10)
        y, x = space.ones(12), space.ones(10)
        before = space.moved
        y[2:] -= x
        assert space.moved - before == 30
        assert y.host.sum() == 2.0
        y[2:] = x
        assert space.moved - before == 50


def test_the_page_says_the_same() -> None:
    """The tables that derive the counts add up to them."""
    page = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-gpu.md"
    tables = page.read_text(encoding="utf-8").split("| what | passes |")[1:]
    found = []
    for table in tables:
        *parts, total = (
            float(cell.strip(" *")) for cell in re.findall(r"\| ([\d.* ]+) \|$", table, re.M)
        )
        assert sum(parts) == total
        found.append(total)
    assert found == [KRYLOV, *CURVEBALL.values()]
    for name, count in (("with the diagonal", 3), ("with the Laplacian", 20)):
        assert f"{name} {count}" in page.read_text(encoding="utf-8")
