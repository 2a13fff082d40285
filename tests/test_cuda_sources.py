"""The sources of the CUDA kernels, compiled as C and run on the host: they hold without a device.

What this cannot see is CuPy itself; what it sees is each kernel's code, its parameters and how it
is called.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tralgos
from tests.fake_cupy import FakeCupy
from tralgos import kernels
from tralgos.methods import curveball_kernels
from tralgos.operators import DiagonalOperator
from tralgos.problems import Gaussian, Law, Quadratic, Rademacher, RandomMatrix, StudentT, Uniform
from tralgos.problems.ensembles import random_matrix

ROOT = Path(__file__).resolve().parents[1]
DTYPES = (np.float64, np.float32)
#: Every kernel of tralgos by the name it is given.
KNOWN = {"tralgos_random_entries", "tralgos_three_term", "tralgos_two_term"}


@pytest.fixture(scope="module")
def compiling(tmp_path_factory: pytest.TempPathFactory) -> FakeCupy:
    """CuPy's elementwise kernels by gcc; each is compiled once."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    return FakeCupy(compiler, tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def cupy(compiling: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    """In the place of CuPy, and NumPy's arrays in the place of its arrays."""
    monkeypatch.setitem(sys.modules, "cupy", compiling)
    for module in (kernels, curveball_kernels, random_matrix):
        for name, answer in (("is_numpy", False), ("is_cupy", True)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda _, answer=answer: answer)
    return compiling


def vectors(n: int, count: int, dtype: Any) -> list[np.ndarray]:
    rng = np.random.default_rng(n)
    # Every other entry: not contiguous, as a caller's vector may be.
    return [rng.standard_normal(2 * n).astype(dtype)[::2] for _ in range(count)]


def test_every_kernel_of_the_library_is_run_here() -> None:
    """A new kernel needs a test here, and a place in `KNOWN`."""
    found = set()
    for path in sorted((ROOT / "tralgos").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"RawKernel|RawModule|ReductionKernel|cupy\.fuse", text), path
        count = text.count("ElementwiseKernel(")
        names = re.findall(r"\"(tralgos_\w+)\"", text) if count else []
        assert len(names) == count, path
        found.update(names)
    assert found == KNOWN


class TestThreeTerm:
    """p - b u - c v as CuPy computes it."""

    @pytest.mark.parametrize("square", [True, False])
    @pytest.mark.parametrize("third", [True, False])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_is_the_arithmetic_of_the_other_libraries(
        self, cupy: FakeCupy, dtype: Any, third: bool, square: bool
    ) -> None:
        """Bit for bit, the coefficients rounded to the dtype."""
        p, u, v = vectors(1001, 3, dtype)
        before = [x.copy() for x in (p, u, v)]
        out = np.full(1001, np.nan, dtype=dtype)
        a, b, c = 0.3, -1.7, 2.5
        found = kernels.three_term(p, u, v if third else None, (a, b, c), out, np, square=square)
        a, b, c = (dtype(t) for t in (a, b, c))
        exact = a * p - b * u - c * v if third else a * p - b * u
        np.testing.assert_array_equal(out, exact)
        assert out.dtype == dtype
        if square:
            assert float(found) == pytest.approx(float(np.sum(exact.astype(float) ** 2)), rel=1e-5)
        else:
            assert found is None
        for x, y in zip((p, u, v), before, strict=True):
            np.testing.assert_array_equal(x, y)

    def test_against_numpys_own_path(self, cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> None:
        """The fused loop and the walk in pieces differ by rounding alone."""
        p, u, v = vectors(40_000, 3, np.float64)
        ours, other = np.empty(40_000), np.empty(40_000)
        kernels.three_term(p, u, v, (1.5, 0.25, -3.0), ours, np, square=False)
        monkeypatch.setattr(kernels, "is_numpy", lambda _: True)
        kernels.three_term(p, u, v, (1.5, 0.25, -3.0), other, np, square=False)
        np.testing.assert_allclose(ours, other, rtol=0, atol=8e-15)

    def test_coefficients_may_stand_on_the_device(self, cupy: FakeCupy) -> None:
        """Lanczos hands over alpha as a 0-d array, which is not fetched."""
        p, u, v = vectors(50, 3, np.float32)
        out, ours = np.empty(50, dtype=np.float32), np.empty(50, dtype=np.float32)
        b = np.asarray(0.7, dtype=np.float32)
        kernels.three_term(p, u, v, (1.0, b, 2.0), out, np, square=False)
        kernels.three_term(p, u, v, (1.0, float(b), 2.0), ours, np, square=False)
        np.testing.assert_array_equal(out, ours)

    def test_a_row_of_a_matrix_is_written_in_place(self, cupy: FakeCupy) -> None:
        """The basis hands out rows; its neighbours stay."""
        p, u, _ = vectors(50, 3, np.float64)
        block = np.zeros((3, 50))
        kernels.three_term(p, u, None, (1.0, 2.0, 0.0), block[1, :], np, square=False)
        np.testing.assert_array_equal(block[1], p - 2.0 * u)
        assert not block[[0, 2]].any()


class TestCurveBall:
    """The vector part of an iteration, through the same kernels."""

    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_blend(self, cupy: FakeCupy, dtype: Any, count: int) -> None:
        """Signs: the kernel subtracts, the combination adds."""
        p, u, w = vectors(777, 3, dtype)
        terms = [(0.3, p), (-1.7, u)][:count]
        pairs = list(itertools.combinations_with_replacement(range(count + 2), 2))
        v, found = curveball_kernels.blend(terms, [w], pairs)
        exact = sum(c * x.astype(np.longdouble) for c, x in terms)
        scale = 8 * np.finfo(dtype).eps
        np.testing.assert_allclose(v, exact.astype(dtype), rtol=0, atol=4 * scale)
        rows = [*(x for _, x in terms), w, v]
        for (i, j), value in zip(pairs, found, strict=True):
            x, y = (rows[k].astype(np.longdouble) for k in (i, j))
            size = float(np.linalg.norm(rows[i])) * float(np.linalg.norm(rows[j]))
            assert abs(float(value) - float(x @ y)) <= scale * size

    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_move(self, cupy: FakeCupy, dtype: Any, count: int) -> None:
        x, p, u = vectors(777, 3, dtype)
        terms = [(0.3, p), (-1.7, u)][:count]
        q, following, room = curveball_kernels.move(x, terms, 0.6)
        exact = sum(c * y.astype(np.longdouble) for c, y in terms)
        atol = 16 * np.finfo(dtype).eps
        np.testing.assert_allclose(q, exact.astype(dtype), rtol=0, atol=atol)
        np.testing.assert_allclose(following, (x + 0.6 * exact).astype(dtype), rtol=0, atol=atol)
        assert room.shape == x.shape
        assert not np.shares_memory(room, q)


class TestSolvers:
    """Whole solves through the kernels end where NumPy's own path ends."""

    def test_krylov(self, cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> None:
        n = 3000
        H = DiagonalOperator(np.linspace(-1.0, 5.0, n))
        g = np.cos(np.arange(n)) / np.sqrt(n)
        ours = tralgos.solve_trs(H, g, 0.2, method="krylov", certify="none", rtol=1e-20)
        monkeypatch.undo()
        other = tralgos.solve_trs(H, g, 0.2, method="krylov", certify="none", rtol=1e-20)
        assert ours.matvecs == other.matvecs
        np.testing.assert_allclose(ours.step, other.step, rtol=0, atol=1e-13)

    def test_curveball(self, cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch) -> None:
        n = 3000
        problem = Quadratic(DiagonalOperator(np.linspace(1.0, 3.0, n)), np.cos(np.arange(n)))
        method = tralgos.CurveBall(second_order=False)
        ours = tralgos.minimize(problem, np.zeros(n), method, gtol=0.0, maxiter=8)
        monkeypatch.undo()
        other = tralgos.minimize(problem, np.zeros(n), method, gtol=0.0, maxiter=8)
        assert ours.nhvp == other.nhvp
        np.testing.assert_allclose(ours.x, other.x, rtol=0, atol=1e-12)


LAWS = [Gaussian(), Rademacher(), Uniform(), StudentT(3.0), StudentT(0.5)]


class TestRandomEntries:
    """The ensembles' kernel with the loop and the place in the matrix that CuPy gives it."""

    @pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_rectangle_is_that_of_the_host(self, cupy: FakeCupy, law: Law, dtype: Any) -> None:
        """Rows of a length that is no power of two, over several blocks, far from the corner."""
        like = SimpleNamespace(device=contextlib.nullcontext(), dtype=np.dtype(dtype))
        matrix = RandomMatrix(2**33, 2**33, law=law, rng=2**64 - 1)
        for top, left, high, wide in (
            (0, 0, 70, 37),
            (61, 30, 5, 70),
            (2**32 - 3, 2**32 - 5, 9, 11),
            (5, 2**33 - 3, 1, 3),
        ):
            rows, columns = range(top, top + high), range(left, left + wide)
            found = random_matrix.independent_entries(law, matrix.key, rows, columns, like)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(random_matrix, "is_cupy", lambda _: False)
                patch.setattr(random_matrix, "is_numpy", lambda _: True)
                exact = matrix.tile(rows, columns)
            assert found.dtype == dtype
            assert found.shape == exact.shape
            np.testing.assert_allclose(found, exact, rtol=2 * np.finfo(dtype).eps, atol=1e-15)

    def test_an_empty_rectangle(self, cupy: FakeCupy) -> None:
        """No division by a width of zero."""
        like = SimpleNamespace(device=contextlib.nullcontext(), dtype=np.dtype(np.float64))
        key = RandomMatrix(4, 4, rng=1).key
        for rows, columns in ((range(2, 2), range(3)), (range(3), range(2, 2))):
            found = random_matrix.independent_entries(Gaussian(), key, rows, columns, like)
            assert found.shape == (len(rows), len(columns))


class TestTheStandIn:
    """The stand-in refuses what CuPy would refuse."""

    def kernel(self, cupy: FakeCupy, *texts: str) -> Any:
        return cupy.ElementwiseKernel(*texts)

    @pytest.mark.parametrize("name", ["n", "i", "_x"])
    def test_reserved_names(self, compiling: FakeCupy, name: str) -> None:
        with pytest.raises(AssertionError, match="reserved"):
            self.kernel(compiling, f"T {name}", "T y", "y = 1", "reserved")

    def test_one_letter_is_one_dtype(self, compiling: FakeCupy) -> None:
        add = self.kernel(compiling, "T x, T y", "T z", "z = x + y", "add")
        with pytest.raises(AssertionError, match="float32"):
            add(np.ones(3), np.ones(3, dtype=np.float32), np.ones(3))

    def test_wrong_code_does_not_compile(self, compiling: FakeCupy) -> None:
        """A name that is not there, a write to an input, a result that is never set."""
        for body, match in (("z = w", "w"), ("x = 1", "x"), ("T q = x", "q")):
            kernel = self.kernel(compiling, "T x", "T z", body, "wrong")
            with pytest.raises(AssertionError, match=f"does not compile(.|\n)*{match}"):
                kernel(np.ones(3), np.ones(3))

    def test_broadcasting_and_numbers(self, compiling: FakeCupy) -> None:
        """Numbers by value, rows against columns, the index of the entry."""
        kernel = self.kernel(
            compiling, "T x, T y, int64 k", "T z", "z = x + (T) (10 * i + k) * y", "mixed"
        )
        x, y = np.arange(3.0), np.ones((2, 1))
        z = kernel(x, y, 5, np.empty((2, 3)))
        np.testing.assert_array_equal(z, x + 10.0 * np.arange(6.0).reshape(2, 3) + 5.0)
