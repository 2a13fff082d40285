"""Random matrices by position: bits, laws, tiles, products, and what is refused."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError, ArrayTypeError, DeviceMemoryError, ShapeError
from tralgos.operators import TiledOperator
from tralgos.problems import (
    Gaussian,
    GramMatrix,
    Law,
    Rademacher,
    RandomMatrix,
    StudentT,
    Uniform,
    WignerMatrix,
    indefinite_hessian,
    load_digits,
    ols_hessian,
)
from tralgos.problems.ensembles.philox import block_words, key_of
from tralgos.problems.ensembles.random_matrix import cuda_source

LAWS: list[Law] = [Gaussian(), Rademacher(), Uniform(), StudentT(3.0), StudentT(1.0)]
MASK = 2**64 - 1

laws = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)


def philox(counter: list[int], key: tuple[int, int]) -> list[int]:
    """Philox4x64-10 in Python's integers, after Salmon et al. 2011."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [
            (second >> 64) ^ c[1] ^ k0,
            second & MASK,
            (first >> 64) ^ c[3] ^ k1,
            first & MASK,
        ]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c


def entry_words(row: int, column: int, words: int, key: tuple[int, int]) -> list[int]:
    """The four words of the counter of an entry, and the place of its first in them at the end."""
    first = ((row % 64) * 32 + column % 32) * words
    return [*philox([1 + first // 4, column // 32, row // 64, 0], key), first % 4]


class TestBits:
    def test_the_oracle_is_philox(self) -> None:
        """The known answers that come with Random123 for a zero and a full counter."""
        assert philox([0] * 4, (0, 0)) == [
            0x16554D9ECA36314C,
            0xDB20FE9D672D0FDC,
            0xD7E772CEE186176B,
            0x7E68B68AEC7BA23B,
        ]

    @given(
        row=st.integers(0, 2**40),
        column=st.integers(0, 2**40),
        words=st.sampled_from([1, 2]),
        seed=st.integers(0, MASK),
        stream=st.sampled_from([0, 1]),
    )
    def test_words_are_those_of_the_place(
        self, row: int, column: int, words: int, seed: int, stream: int
    ) -> None:
        blocks = range(row // 64, row // 64 + 1), range(column // 32, column // 32 + 1)
        found = block_words((seed, stream), *blocks, words)[0, 0]
        *four, first = entry_words(row, column, words, (seed, stream))
        at = ((row % 64) * 32 + column % 32) * words
        assert found[at : at + words].tolist() == four[first : first + words]

    def test_a_generator_draws_the_seed(self) -> None:
        drawn = key_of(np.random.default_rng(5), 0)
        assert drawn == (int(np.random.default_rng(5).integers(0, 2**64, dtype=np.uint64)), 0)
        assert key_of(7, 1) == (7, 1)
        assert key_of(None, 0) == key_of(None, 0)

    def test_wigner_and_rectangular_matrices_of_a_seed_differ(self) -> None:
        wigner, other = WignerMatrix(40, rng=1).dense(), RandomMatrix(40, 40, rng=1).dense()
        assert not np.any(np.triu(wigner) == np.triu(other) + np.tril(np.ones((40, 40)), -1))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The code for CUDA, compiled as C for the host: by the name of the law."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    folder: Path = tmp_path_factory.mktemp("cuda")

    def library(law: Law) -> Any:
        source, target = folder / f"{law.name}.c", folder / f"{law.name}.so"
        source.write_text(
            "#include <math.h>\n#define __device__ static\n"
            "static unsigned long long __umul64hi(unsigned long long a, unsigned long long b)"
            "{ return (unsigned long long)(((unsigned __int128)a * b) >> 64); }\n"
            + cuda_source(law)
            + "double entry(long long i, long long j, unsigned long long k0,"
            " unsigned long long k1) { return tralgos_entry(i, j, k0, k1); }\n"
        )
        call = [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", source, "-o", target]
        subprocess.run([*call, "-lm"], check=True)
        entry = ctypes.CDLL(str(target)).entry
        entry.restype = ctypes.c_double
        entry.argtypes = [ctypes.c_longlong] * 2 + [ctypes.c_ulonglong] * 2
        return entry

    return library


@laws
def test_the_code_for_cuda_makes_the_same_matrix(compiled: Any, law: Law) -> None:
    """What stands in for a device: its source as C, entry by entry, over several blocks."""
    entry = compiled(law)
    matrix = RandomMatrix(2**33, 2**33, law=law, rng=MASK)
    for top, left in ((0, 0), (60, 29), (2**32 - 3, 2**32 - 5)):
        tile = matrix.tile(range(top, top + 70), range(left, left + 40))
        for i in range(0, 70, 3):
            for j in range(40):
                there = entry(top + i, left + j, *matrix.key)
                assert there == pytest.approx(float(tile[i, j]), rel=1e-13, abs=1e-15)


class TestLaws:
    @laws
    def test_entries_have_the_law(self, law: Law) -> None:
        """Kolmogorov and Smirnov against SciPy's distributions; signs by their number."""
        x = RandomMatrix(200, 250, law=law, rng=12).dense().ravel()
        if isinstance(law, Rademacher):
            assert set(x.tolist()) == {-1.0, 1.0}
            assert abs(int(np.sum(x))) < 4.0 * math.sqrt(x.size)
            return
        known = {
            "gaussian": scipy.stats.norm(),
            "uniform": scipy.stats.uniform(-math.sqrt(3.0), 2.0 * math.sqrt(3.0)),
        }
        exact = scipy.stats.t(law.degrees) if isinstance(law, StudentT) else known[law.name]
        assert scipy.stats.kstest(x, exact.cdf).pvalue > 1e-3

    @laws
    def test_moments_are_those_of_the_law(self, law: Law) -> None:
        known: dict[str, Any] = {
            "gaussian": scipy.stats.norm(),
            "uniform": scipy.stats.uniform(-math.sqrt(3.0), 2.0 * math.sqrt(3.0)),
            "rademacher": scipy.stats.rv_discrete(values=([-1, 1], [0.5, 0.5])),
        }
        if isinstance(law, StudentT) and law.degrees <= 1.0:
            assert law.mean_abs == law.variance == math.inf
            return
        exact = scipy.stats.t(law.degrees) if isinstance(law, StudentT) else known[law.name]
        assert law.mean_abs == pytest.approx(float(exact.expect(abs)), rel=1e-7)
        assert law.variance == pytest.approx(float(exact.var()), rel=1e-12)

    def test_moments_of_student_at_the_ends(self) -> None:
        assert StudentT(2.0).variance == math.inf
        assert StudentT(2.0 + 2.0**-20).variance == pytest.approx(2.0**21, rel=1e-5)
        assert StudentT(2.0).mean_abs == pytest.approx(math.sqrt(2.0), rel=1e-14)
        assert StudentT(1e9).mean_abs == pytest.approx(math.sqrt(2.0 / math.pi), rel=1e-8)

    @laws
    def test_neighbours_are_uncorrelated(self, law: Law) -> None:
        """A pair of words makes two Gaussian numbers; they, rows and blocks do not depend."""
        if law.mean_abs == math.inf:
            pytest.skip("a law without moments has no correlation")
        x = RandomMatrix(256, 256, law=law, rng=3).dense()
        x = np.sign(x) * np.minimum(np.abs(x), 4.0)
        for of in (x, np.abs(x)):
            y = (of - np.mean(of)) / (np.std(of) or 1.0)
            for down, right in ((0, 1), (1, 0), (1, 1), (0, 32), (64, 0), (2, 0)):
                both = y[down:, right:] * y[: 256 - down, : 256 - right]
                assert abs(float(np.mean(both))) < 5.0 / 256.0

    @laws
    def test_all_words_give_finite_numbers(self, law: Law) -> None:
        words = np.array([0, MASK, MASK, 0, 1, 2**63, 2**11 - 1, 2**63 - 1], dtype=np.uint64)
        assert np.isfinite(law.numbers(words)).all()

    @pytest.mark.parametrize("law", [Uniform(), Rademacher()], ids=lambda law: law.name)
    def test_no_side_is_preferred(self, law: Law) -> None:
        words = np.random.default_rng(0).integers(0, MASK, 100, dtype=np.uint64, endpoint=True)
        assert np.array_equal(law.numbers(~words), -law.numbers(words))

    def test_the_fewest_degrees_of_freedom_do_not_overflow(self) -> None:
        words = np.array([0, 0, 0, MASK], dtype=np.uint64)
        assert np.isfinite(StudentT(0.125).numbers(words)).all()
        with pytest.raises(ArgumentError, match=r"degrees must be at least 0\.125"):
            StudentT(0.12)


def ranges(length: int) -> st.SearchStrategy[range]:
    ends = st.lists(st.integers(0, length), min_size=2, max_size=2)
    return ends.map(lambda pair: range(min(pair), max(pair)))


MATRICES: dict[str, Any] = {
    "random": lambda **k: RandomMatrix(150, 150, rng=2, **k),
    "student": lambda **k: RandomMatrix(150, 150, rng=2, law=StudentT(5.0), **k),
    "wigner": lambda **k: WignerMatrix(150, rng=2, sigma_1=3.0, sigma_2=0.25, **k),
    "ols": lambda **k: ols_hessian(150, 40, rng=2, **k),
    "ols, not stored": lambda **k: ols_hessian(150, 40, rng=2, stored=False, **k),
    "indefinite": lambda **k: indefinite_hessian(150, 30.0, rng=2, **k),
}
matrices = pytest.mark.parametrize("kind", list(MATRICES))


class TestTiles:
    @pytest.mark.parametrize("kind", ["random", "student", "wigner"])
    @given(rows=ranges(150), columns=ranges(150))
    def test_a_tile_is_the_same_wherever_it_is_cut(
        self, kind: str, rows: range, columns: range
    ) -> None:
        matrix = MATRICES[kind]()
        tile = matrix.tile(rows, columns)
        whole = matrix.dense()[rows.start : rows.stop, columns.start : columns.stop]
        assert np.array_equal(tile, whole)

    def test_a_large_tile_is_made_in_strips(self) -> None:
        """More rows than are made at a time: 64 blocks of them, from the middle of one on."""
        X = RandomMatrix(5000, 200, rng=8)
        large = X.tile(range(17, 4900), range(3, 190))
        small = [X.tile(range(i, i + 19), range(3, 190)) for i in range(17, 4900, 19)]
        assert np.array_equal(large, np.concatenate(small))

    def test_a_row_needs_no_more_than_a_row(self) -> None:
        """Not 64 of them, in whose blocks it stands."""
        for matrix in (WignerMatrix(10**5, rng=0), RandomMatrix(10**5, 10**5, rng=0)):
            tracemalloc.start()
            matrix.tile(range(1), range(10**5))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 10_000_000

    def test_every_entry_alone(self) -> None:
        """Tiles of one entry, and tiles that meet the diagonal in a corner."""
        W = WignerMatrix(9, rng=1, sigma_1=3.0, tile_size=1)
        for k in range(1, 9):
            assert W.tile(range(k), range(k - 1, 9))[-1, 0] == W.dense()[k - 1, k - 1]
        for rows, columns, entries in W.tiles():
            assert entries[0, 0] == W.dense()[rows.start, columns.start]

    @matrices
    @pytest.mark.parametrize("size", [13, 37, 64, 150, 1000])
    def test_tiles_make_the_matrix(self, kind: str, size: int) -> None:
        matrix: TiledOperator = MATRICES[kind](tile_size=size)
        whole = matrix.dense()
        put = np.full(matrix.shape, np.nan)
        for rows, columns, entries in matrix.tiles():
            assert max(entries.shape) <= size
            put[rows.start : rows.stop, columns.start : columns.stop] = entries
        np.testing.assert_allclose(put, whole, rtol=1e-13, atol=1e-13 * np.max(np.abs(whole)))
        seen = {(t.rows, t.columns) for t in matrix.tiles(upper=True)}
        every = {(t.rows, t.columns) for t in matrix.tiles()}
        assert every - seen == {(r, c) for r, c in every if c.stop <= r.start}

    @pytest.mark.parametrize("make", [WignerMatrix, lambda d, **k: RandomMatrix(d, d, **k)])
    def test_a_smaller_matrix_is_the_corner_of_a_larger_one(self, make: Any) -> None:
        assert np.array_equal(make(70, rng=4).dense(), make(200, rng=4).dense()[:70, :70])

    def test_the_rows_of_ols_are_the_same_stored_or_not(self) -> None:
        """Bit for bit: the products are of the same panels."""
        stored, not_stored = (ols_hessian(300, 7, rng=9, stored=s) for s in (True, False))
        for a, b in zip(stored.tiles(), not_stored.tiles(), strict=True):
            assert np.array_equal(a.entries, b.entries)

    @matrices
    def test_products_are_those_of_the_matrix(self, kind: str) -> None:
        for size in (33, 512):
            matrix = MATRICES[kind](tile_size=size)
            dense = matrix.dense()
            V = np.random.default_rng(0).standard_normal((150, 3))
            scale = 1e-13 * np.linalg.norm(dense, 2) * 30.0
            np.testing.assert_allclose(matrix @ V, dense @ V, rtol=0, atol=scale)
            np.testing.assert_allclose(matrix @ V[:, 0], dense @ V[:, 0], rtol=0, atol=scale)
            np.testing.assert_allclose(matrix.rmatvec(V[:, 1]), dense.T @ V[:, 1], 0, scale)

    def test_a_rectangular_product_and_its_transpose(self) -> None:
        X = RandomMatrix(90, 20, rng=1, tile_size=16)
        dense = X.dense()
        np.testing.assert_allclose(X @ np.arange(20.0), dense @ np.arange(20.0), rtol=1e-12)
        np.testing.assert_allclose(X.rmatvec(np.arange(90.0)), dense.T @ np.arange(90.0), 1e-12)

    def test_a_symmetric_product_makes_no_tile_twice(self, monkeypatch: Any) -> None:
        W = WignerMatrix(100, rng=0, tile_size=25)
        made: list[tuple[range, range]] = []
        inner = W._tile
        monkeypatch.setattr(W, "_tile", lambda r, c: made.append((r, c)) or inner(r, c))
        W.matvec(np.ones(100))
        assert len(made) == len(set(made)) == 10

    def test_a_strip_makes_its_rows_of_the_data_once(self, monkeypatch: Any) -> None:
        """Four strips: their own rows, and those of the six tiles above the diagonal."""
        H = ols_hessian(100, 7, rng=0, stored=False, tile_size=25)
        made: list[range] = []
        inner = H.X._tile
        monkeypatch.setattr(H.X, "_tile", lambda r, c: made.append(r) or inner(r, c))
        assert sum(1 for _ in H.tiles(upper=True)) == 10
        assert len(made) == 4 + 6

    @pytest.mark.parametrize("bad", [range(0, 10, 2), range(-1, 3), range(5, 11), range(4, 2)])
    def test_ranges_that_leave_the_matrix_are_refused(self, bad: range) -> None:
        W = WignerMatrix(10, rng=0)
        with pytest.raises(ArgumentError, match="rows must be a contiguous range"):
            W.tile(bad, range(10))
        with pytest.raises(ArgumentError, match="columns must be a contiguous range"):
            W.tile(range(10), bad)

    def test_tiles_of_the_wrong_kind_are_refused(self) -> None:
        class Wrong(TiledOperator):
            def __init__(self, entries: Any) -> None:
                super().__init__((3, 3), home=np.empty(0))
                self.entries = entries

            def _tile(self, rows: range, columns: range) -> Any:
                return self.entries

        with pytest.raises(ArrayTypeError, match="a tile of tiled operator has dtype float32"):
            Wrong(np.ones((3, 3), dtype=np.float32)).dense()
        with pytest.raises(ArrayTypeError, match="an array as a tile, got list"):
            Wrong([[1.0]]).dense()
        with pytest.raises(ShapeError, match=r"tile of shape \(3, 3\), but made .* \(3, 2\)"):
            Wrong(np.ones((3, 2))).dense()

    def test_a_product_needs_a_few_tiles_of_memory(self) -> None:
        """The matrix has 8 MB; a tile of 64 with its words has less than a tenth of one."""
        W = WignerMatrix(1000, rng=0, tile_size=64)
        x = np.ones(1000)
        tracemalloc.start()
        W.matvec(x)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000


class TestEnsembles:
    def test_wigner_scales(self) -> None:
        one = WignerMatrix(200, rng=5).dense()
        two = WignerMatrix(200, rng=5, sigma_1=4.0, sigma_2=0.5).dense()
        assert np.array_equal(one, one.T)
        assert np.array_equal(np.diag(two), 4.0 * np.diag(one))
        off = ~np.eye(200, dtype=bool)
        assert np.array_equal(two[off], 0.5 * one[off])

    def test_wigner_of_order_one(self) -> None:
        assert WignerMatrix(1, sigma_1=2.0, rng=0).dense().shape == (1, 1)

    def test_ols_is_the_hessian_of_least_squares(self) -> None:
        H = ols_hessian(30, 8, law="rademacher", rng=6)
        X = RandomMatrix(30, 8, law="rademacher", rng=6).dense()
        np.testing.assert_allclose(H.dense(), X @ X.T / 8.0, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(np.diag(H.dense()), 1.0, rtol=4e-16)
        assert np.array_equal(H.dense(), H.dense().T)

    @pytest.mark.parametrize(("size", "divisor"), [(1e160, 1e300), (1e-160, 1e-300)])
    def test_tiles_and_products_overflow_and_vanish_alike(
        self, size: float, divisor: float
    ) -> None:
        H = GramMatrix(np.full((2, 2), size), divisor=divisor)
        wanted = (2.0 * size / divisor) * size
        assert H.dense()[0, 1] == pytest.approx(wanted, rel=1e-14)
        assert (H @ np.ones(2))[0] == pytest.approx(2.0 * wanted, rel=1e-14)

    def test_data_that_do_not_fit_name_the_option(self) -> None:
        with pytest.raises(DeviceMemoryError, match=r"the data X asked for .* With stored=False"):
            ols_hessian(10**8, 10**7, rng=0)
        H = ols_hessian(1000, 10**13, rng=0, stored=False)
        with pytest.raises(DeviceMemoryError, match="The option tile_size=256 needs less"):
            H.tile(range(512), range(512))

    @pytest.mark.parametrize(("asked", "named"), [(10**7, 512), (512, None)])
    def test_tiles_that_do_not_fit_name_what_does(self, asked: int, named: int | None) -> None:
        W = WignerMatrix(10**8, rng=0, tile_size=asked)
        words = f"tile_size={named} needs less" if named else "make tiles of 512 rows"
        with pytest.raises(DeviceMemoryError, match=words):
            W.tile(range(10**7), range(10**7))

    def test_real_data_are_taken_as_they_are(self) -> None:
        pytest.importorskip("sklearn")
        pixels, _ = load_digits()
        H = GramMatrix(pixels.T, divisor=len(pixels))
        np.testing.assert_allclose(H.dense(), pixels.T @ pixels / len(pixels), rtol=1e-13)

    @pytest.mark.parametrize("shift", [10.0, 110.0, 0.0, -3.0])
    def test_the_smallest_eigenvalue_of_the_indefinite_family(self, shift: float) -> None:
        H = indefinite_hessian(25, shift, rng=1).dense()
        values = np.linalg.eigvalsh(H)
        assert values[0] == pytest.approx(-shift, abs=1e-12 * values[-1])

    @pytest.mark.parametrize("power", [-150, 150])
    def test_scales_do_not_overflow(self, power: int) -> None:
        W = WignerMatrix(20, sigma_1=10.0**power, sigma_2=10.0**power, rng=0)
        assert np.isfinite(W @ np.ones(20)).all()
        assert np.all(np.abs(W.dense()) > 0.0)


class TestLibraries:
    @matrices
    def test_the_same_matrix_everywhere(self, xp_case: Xp, kind: str) -> None:
        like = xp_case.array(np.zeros(0))
        matrix, reference = MATRICES[kind](like=like, tile_size=64), MATRICES[kind]().dense()
        assert xp_case.owns(matrix.dense())
        largest = float(np.max(np.abs(reference)))
        found = xp_case.numpy(matrix.dense())
        np.testing.assert_allclose(found, reference, rtol=0, atol=4 * xp_case.eps * largest)
        v = np.linspace(-1.0, 1.0, 150)
        product = matrix @ xp_case.array(v)
        assert xp_case.owns(product)
        size = 200.0 * xp_case.eps * largest
        np.testing.assert_allclose(xp_case.numpy(product), reference @ v, rtol=0, atol=size)

    @pytest.mark.parametrize("kind", ["random", "student", "wigner"])
    def test_float32_is_the_rounding_of_float64(self, kind: str) -> None:
        single = MATRICES[kind](like=np.empty(0, dtype=np.float32)).dense()
        assert single.dtype == np.float32
        double = MATRICES[kind]().dense()
        assert np.array_equal(single, double.astype(np.float32))

    def test_nothing_comes_back_to_the_host(
        self, strict_case: Xp, host_fetches: FetchCounter
    ) -> None:
        like = strict_case.array(np.zeros(0))
        v = strict_case.array(np.ones(150))
        host_fetches.reset()
        for kind in MATRICES:
            MATRICES[kind](like=like, tile_size=64) @ v
        assert host_fetches.count == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("call", "match"),
        [
            (lambda: WignerMatrix(0), "d must be at least 1, got 0"),
            (lambda: WignerMatrix(2.5), "d must be an integer"),  # type: ignore[arg-type]
            (lambda: ols_hessian(0, 3), "d must be at least 1, got 0"),
            (lambda: ols_hessian(3, 0), "n must be at least 1, got 0"),
            (lambda: indefinite_hessian(1, 10.0), "n must be at least 2, got 1"),
            (lambda: indefinite_hessian(3, math.nan), "shift must be finite"),
            (lambda: RandomMatrix(3, -1), "columns must be at least 1, got -1"),
            (lambda: WignerMatrix(3, law="cauchy"), "unknown law 'cauchy'; known are 'gaussian'"),
            (lambda: WignerMatrix(3, law=3), "law must be a Law or the name of one, got int"),  # type: ignore[arg-type]
            (lambda: WignerMatrix(3, sigma_1=0.0), "sigma_1 must be positive and finite"),
            (lambda: WignerMatrix(3, sigma_2=math.inf), "sigma_2 must be positive and finite"),
            (lambda: WignerMatrix(3, rng=2**64), "rng as a seed must be less than 2\\^64"),
            (lambda: WignerMatrix(2**70), "d must be less than 2\\^62"),
            (lambda: WignerMatrix(3).tile(1, 2), "rows must be a range, got int"),  # type: ignore[arg-type]
            (
                lambda: WignerMatrix(3, law=StudentT(0.4), like=np.empty(0, dtype=np.float32)),
                r"entries of student-t\(0\.4\) overflow float32",
            ),
            (lambda: WignerMatrix(3, rng=-1), "rng as a seed must not be negative"),
            (lambda: WignerMatrix(3, rng="x"), "rng must be"),  # type: ignore[arg-type]
            (lambda: WignerMatrix(3, tile_size=0), "tile_size must be at least 1"),
            (lambda: GramMatrix(np.ones((2, 2)), divisor=0.0), "divisor must be positive"),
            (
                lambda: ols_hessian(3, 3, law=StudentT(2.0)),
                r"the second moment E Z\^2 of student-t\(2\) is infinite, Proposition 2 needs",
            ),
        ],
    )
    def test_out_of_range(self, call: Any, match: str) -> None:
        with pytest.raises(ArgumentError, match=match):
            call()

    def test_kinds_and_shapes(self) -> None:
        class Oblong(TiledOperator):
            def _tile(self, rows: range, columns: range) -> Any:
                raise NotImplementedError

        with pytest.raises(ShapeError, match=r"of shape \(4, 6\) cannot be symmetric"):
            Oblong((4, 6), home=np.empty(0), symmetric=True)
        with pytest.raises(ArrayTypeError, match="X must be a matrix"):
            GramMatrix(np.ones(3))
        with pytest.raises(ShapeError, match="X must have rows and columns"):
            GramMatrix(np.ones((3, 0)))
        with pytest.raises(ArrayTypeError, match="like"):
            WignerMatrix(3, like=np.ones((2, 2)))
        with pytest.raises(ArrayTypeError, match="Wigner matrix"):
            WignerMatrix(3) @ np.ones(3, dtype=np.float32)
