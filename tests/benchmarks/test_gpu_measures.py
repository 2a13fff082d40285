"""What the benchmark of accelerators measures, on the host and on a stand-in for a device."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.gpu import batch, curveball, krylov, ols, oracle, wigner
from benchmarks.gpu.backend import CupyBackend, NumpyBackend, Timing, copy_rate
from benchmarks.gpu.passes import CURVEBALL, KRYLOV, PRODUCTS
from benchmarks.gpu.rows import COLUMNS, Against, Row, measured_if_it_fits
from benchmarks.gpu.run import PIECES, measured
from benchmarks.gpu.sizes import FULL, HOST, QUICK, TINY
from benchmarks.gpu.vectors import OPERATORS
from tralgos.problems import GramMatrix


class TestOracle:
    @pytest.mark.parametrize("radius", [0.01, 0.3, 100.0])
    @pytest.mark.parametrize("definite", [True, False])
    def test_conditions_of_the_minimum(self, radius: float, definite: bool) -> None:
        """Those of More and Sorensen, which nothing of the oracle uses."""
        rng = np.random.default_rng(3)
        A = rng.standard_normal((8, 8))
        H = A @ A.T / 8 + 0.1 * np.eye(8) if definite else A + A.T
        g = rng.standard_normal(8)
        s = oracle.trust_region_step(H, g, radius)
        shift = -float(s @ (H @ s + g)) / float(s @ s)
        assert np.linalg.norm((H + shift * np.eye(8)) @ s + g) < 1e-10 * np.linalg.norm(g)
        assert np.linalg.eigvalsh(H)[0] + shift > -1e-10
        if definite and radius > 50.0:
            assert abs(shift) < 1e-12
        else:
            assert np.linalg.norm(s) == pytest.approx(radius, rel=1e-12)


class Event:
    """Of a clock that ticks in milliseconds, one a record."""

    now = 0

    def record(self) -> None:
        Event.now += 1
        self.at, self.waited = Event.now, False

    def synchronize(self) -> None:
        self.waited = True


def elapsed(start: Event, end: Event) -> float:
    assert end.waited, "the second event may not have come yet"
    return float(end.at - start.at)


class Pool:
    """A memory pool that keeps what was freed until it is asked to give it back."""

    def __init__(self) -> None:
        self.held, self.kept = 1000, 500

    def free_all_blocks(self) -> None:
        self.kept = 0

    def total_bytes(self) -> int:
        return self.held + self.kept


@pytest.fixture
def device() -> CupyBackend:
    """The backend of a device, on a module that has NumPy's functions and CuPy's interface."""
    cupy: Any = ModuleType("cupy")
    cupy.__dict__.update({name: getattr(np, name) for name in dir(np) if name[0] != "_"})
    cupy.__version__ = "14.0.1"
    pool = Pool()
    cupy.get_default_memory_pool = lambda: pool
    properties = {"name": b"A Device", "major": 9, "minor": 0, "totalGlobalMem": 80 * 2**30}
    cupy.cuda = SimpleNamespace(
        Event=Event,
        get_elapsed_time=elapsed,
        Device=lambda: SimpleNamespace(id=0),
        runtime=SimpleNamespace(
            getDeviceProperties=lambda _: properties,
            driverGetVersion=lambda: 13020,
            runtimeGetVersion=lambda: 12090,
            memGetInfo=lambda: (2**40 - pool.kept, 2**40),
        ),
    )
    return CupyBackend(cupy)


class TestDevice:
    """What is asked of CuPy, by a stand-in: no figure of a device comes from here."""

    def test_events_are_in_milliseconds(self, device: CupyBackend) -> None:
        assert device.timed(lambda: None, 3).seconds == pytest.approx((1e-3,) * 3)

    def test_memory_is_what_the_pool_takes(self, device: CupyBackend) -> None:
        """And free is what it has given back."""
        pool = device.xp.get_default_memory_pool()

        def task() -> str:
            pool.kept += 777
            return "done"

        assert device.peak(task) == ("done", 777)
        assert device.free_bytes() == 2**40

    def test_lines(self, device: CupyBackend, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUPY_TF32", "1")
        first, second, _ = device.lines()
        assert first == "Device: A Device, 80 GiB, compute capability 9.0"
        assert second.startswith("CUDA: driver 13.2, runtime 12.9; CuPy 14.0.1, NumPy ")
        assert second.endswith("TF32 on")

    def test_a_run_compares_with_the_host(
        self, device: CupyBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """All pieces, through the paths that only a device takes."""
        solve = krylov.solved

        def solved(H: Any, g: Any, budget: int = krylov.LONG) -> Any:
            Event.now += budget
            return solve(H, g, budget)

        monkeypatch.setattr(krylov, "solved", solved)
        table = measured(device, TINY, PIECES)
        assert table.note.startswith("Measured on the device.")
        for row in table.rows:
            cell = dict(zip(COLUMNS, row, strict=True))
            if cell["what"].startswith("Krylov"):
                # The host's own clock may say nothing of so small a problem.
                assert cell["time"] == "1 ms"
            if cell["what"] != "OLS share":
                assert "host" in cell["against"], row
            assert cell["against"].count(";") == cell["ratio"].count(";")


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    """Of the pieces with checks of their own at each size, by dtype."""
    pieces = [PIECES[name] for name in ("krylov", "curveball", "batch", "ols")]
    with pytest.MonkeyPatch.context() as patch:
        # So small a problem's time may not be told from noise.
        patch.setattr(krylov, "_iteration", lambda *_: Timing((1e-3,)))
        return {
            dtype: [
                row for piece in pieces for row in piece.rows(NumpyBackend(), dtype, TINY, worst)
            ]
            for dtype, worst in (("float64", 0.125), ("float32", 0.0))
        }


class Clock(NumpyBackend):
    """Stands still but where it is told to go on."""

    now = 0.0

    def mark(self) -> float:
        return self.now


class TestMeasures:
    def test_an_iteration_of_krylov_is_what_more_products_take(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Five seconds at the start, and two a product."""
        clock = Clock()

        def solved(H: Any, g: Any, budget: int = krylov.LONG) -> None:
            clock.now += 5.0 + 2.0 * budget

        monkeypatch.setattr(krylov, "solved", solved)
        assert krylov._iteration(clock, None, None, 5).seconds == (2.0,) * 5
        assert krylov._iteration(clock, None, None, 1).seconds == (2.0,) * 3

    @pytest.mark.parametrize(
        ("noise", "repeats"),
        [
            # A negative difference among others does no harm, and is kept as it is.
            ([0.0, 0.0, 0.0, 0.0, 300.0, 0.0, 0.0], 7),
            # The first repeats say nothing, all together do.
            ([-500.0, 0.0, 300.0, -500.0, -600.0, 300.0, 0.0], 7 + 4 * 7),
            # Nothing to be told: both take as long, but for noise of either sign.
            (None, None),
        ],
    )
    def test_a_difference_in_noise_is_repeated_and_not_made_up(
        self, monkeypatch: pytest.MonkeyPatch, noise: list[float] | None, repeats: int | None
    ) -> None:
        """Noise is added to the short solves; it is over after the first seven, or never."""
        clock, calls = Clock(), 0

        def solved(H: Any, g: Any, budget: int = krylov.LONG) -> None:
            nonlocal calls
            if budget == krylov.SHORT:
                calls += 1
            if noise is None:
                clock.now += 100.0 + (budget == krylov.SHORT) * (calls % 5 - 2)
                return
            clock.now += 1000.0 + 2.0 * budget
            if budget == krylov.SHORT and calls <= len(noise):
                clock.now += noise[calls - 1]

        monkeypatch.setattr(krylov, "solved", solved)
        found = krylov._iteration(clock, None, None, 7)
        assert calls == (repeats or 35)
        if noise is None:
            assert found is None
        else:
            assert found.median == 2.0
            assert min(found.seconds) == 2.0 - max(noise) / 32.0

    @pytest.mark.parametrize(
        ("seconds", "told"),
        [
            ((1.0, 1.1, 1.2), True),
            ((-1.0, -1.0, -1.0), False),
            ((0.0, 0.0, 0.0), False),
            ((-2.0, 0.1, 2.0), False),
            ((1.0, 1.0, 1.0, 1.0, -50.0), True),
            ((1.0, 2.0, 4.0), True),
            ((1.0, 2.0, 6.0), False),
        ],
    )
    def test_a_median_is_told_by_its_quartiles(
        self, seconds: tuple[float, ...], told: bool
    ) -> None:
        assert Timing(seconds).told is told

    def test_noise_is_a_row_that_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was checked stands in it, and no time, rate or ratio."""
        monkeypatch.setattr(krylov, "_iteration", lambda *_: None)
        for row in krylov.rows(NumpyBackend(), np.float64, TINY, 0.125):
            cell = dict(zip(COLUMNS, row.cells(), strict=True))
            assert cell["time"] == "not told from noise"
            assert re.fullmatch(r"[\d.]+ MiB", cell["peak memory"])
            assert cell["checked to"] == "1e-01"
            empty = {name for name, text in cell.items() if text == ""}
            assert empty == {"spread", "rate", "against", "ratio", "goal"}

    def test_a_host_in_noise_has_no_ratio(self) -> None:
        others = [Against("copy", 4e9), Against("host", None)]
        row = Row("w", "d", "s", Timing((0.5,)), 1e9, "B/s", others, "", 1 << 30, 0)
        cell = dict(zip(COLUMNS, row.cells(), strict=True))
        assert cell["against"] == "copy 4 GB/s; host not told from noise"
        assert cell["ratio"] == "0.5; -"

    def test_a_step_of_curveball_is_between_callbacks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The start and the first steps are left out."""
        clock = Clock()

        def ran(problem: Any, xp: Any, dtype: Any, steps: int, seen: Callable[..., Any]) -> None:
            clock.now += 1000.0
            for k in range(steps):
                clock.now += 100.0 if k < 3 else 3.0
                seen(None)

        monkeypatch.setattr(curveball, "ran", ran)
        assert curveball._step(clock, None, np.float64, 2, 12).seconds == (3.0, 3.0)

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_bytes_are_passes_of_the_vector(self, rows: dict[str, list[Row]], dtype: str) -> None:
        size = TINY.sides[0] ** 3 * np.dtype(dtype).itemsize
        passes = [*(KRYLOV + count for count in PRODUCTS.values()), *CURVEBALL.values()]
        found = [row.work for row in rows[dtype] if row.unit == "B/s"]
        assert found == [count * size for count in passes]

    def test_the_largest_difference_stands_in_the_row(self, rows: dict[str, list[Row]]) -> None:
        """Of the checks before, which were made up, and of the one at the row's own size."""
        assert {row.agreement for row in rows["float64"]} == {0.125}
        assert all(0.0 < row.agreement < 1e-4 for row in rows["float32"])

    def test_the_laplacian_is_one(self) -> None:
        """Differences of neighbours, by a Kronecker sum; what it says of its entries is true."""
        line, eye = 2.0 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1), np.eye(4)
        triples = ((line, eye, eye), (eye, line, eye), (eye, eye, line))
        cube = sum(np.kron(np.kron(a, b), c) for a, b, c in triples)
        H = OPERATORS["Laplacian"](np, 4, np.float64)
        dense = H.matmat(np.eye(64))
        np.testing.assert_allclose(dense, cube - 0.05 * np.eye(64), atol=1e-15)
        assert H.magnitude == np.max(np.abs(dense))

    @pytest.mark.parametrize("name", OPERATORS)
    def test_products_are_symmetric_and_declared_so(self, name: str) -> None:
        H = OPERATORS[name](np, 4, np.float64)
        dense = H.matmat(np.eye(64))
        assert H.symmetric is True
        np.testing.assert_allclose(dense, dense.T, atol=1e-15)
        assert np.linalg.eigvalsh(dense)[0] > -1.1

    def test_operations_are_those_of_the_tiles(self) -> None:
        """Every tile on or above the diagonal, whole."""
        H = GramMatrix(np.ones((10, 3)), tile_size=4)
        made = sum(2 * 3 * t.entries.size for t in H.tiles(upper=True))
        assert ols._operations(H, 3) == made

    def test_rates_of_what_a_row_is_held_against(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Problems, entries and operations in half a second."""
        monkeypatch.setattr(NumpyBackend, "timed", lambda self, task, repeats: Timing((0.5,)))
        device = NumpyBackend()
        device.name = "elsewhere"
        found = {other.what: other.rate for other in batch._others(device, 5, np.float64, TINY)}
        assert found == {"host": 2.0 * TINY.host_batch, "trust-exact": 2.0 * TINY.loop}
        assert wigner._entries(3) == 6.0
        assert wigner._host_rate(np.float64, TINY) == 2.0 * wigner._entries(TINY.wigner_corner)
        # Eight products of (64, 8) with (8, 64), a multiplication and an addition each.
        assert ols._product_rate(device, 64, 8, np.float64, 3) == 2.0 * 8 * 2 * 64 * 64 * 8

    def test_timing(self) -> None:
        timing = Timing((1.0, 4.0, 2.0))
        assert (timing.median, timing.spread) == (2.0, 1.5)

    def test_a_copy_counts_both_ways(self, monkeypatch: pytest.MonkeyPatch) -> None:
        backend = NumpyBackend()
        monkeypatch.setattr(backend, "timed", lambda task, repeats: Timing((0.5,)))
        assert copy_rate(backend, 1000, np.float32, 3) == 16_000.0

    def test_rate_and_ratio(self) -> None:
        row = Row("w", "d", "s", Timing((0.5,)), 1e9, "B/s", [Against("copy", 4e9)], "", 1 << 30, 0)
        cells = dict(zip(COLUMNS, row.cells(), strict=True))
        assert cells["rate"] == "2 GB/s"
        assert cells["against"] == "copy 4 GB/s"
        assert cells["ratio"] == "0.5"
        assert cells["peak memory"] == "1 GiB"
        assert cells["time"] == "500 ms"

    def test_peak_memory_sees_what_is_freed_again(self) -> None:
        result, peak = NumpyBackend().peak(lambda: float(np.ones(500_000).sum()))
        assert result == 500_000.0
        assert 4_000_000 <= peak < 4_400_000

    @pytest.mark.parametrize("piece", ["krylov", "curveball", "batch", "ols"])
    def test_what_does_not_fit_is_a_row_that_says_so(self, piece: str) -> None:
        class Full(NumpyBackend):
            def free_bytes(self) -> int:
                return 1000

        for row in PIECES[piece].rows(Full(), np.float64, TINY, 0.0):
            cells = row.cells()
            assert len(cells) == len(COLUMNS)
            assert re.match(r"skipped: \S+ GiB needed, \S+ free", cells[3])

    def test_what_turns_out_not_to_fit_is_a_row_too(self) -> None:
        """An estimate may be too low; the rows that were measured before are not lost."""

        def measure() -> Row:
            raise MemoryError("123 bytes")

        row = measured_if_it_fits(NumpyBackend(), ("a", "b", "c"), 0, measure)
        assert row.cells()[:4] == ["a", "b", "c", "skipped: out of memory, 123 bytes"]

    def test_sizes(self) -> None:
        """What the full run is to measure."""
        assert [round(np.log10(side**3), 2) for side in FULL.sides] == [6.0, 7.0, 8.0]
        assert FULL.batches == (10**5, 10**6)
        assert FULL.orders == (5, 10, 20)
        assert (FULL.wigner, FULL.parameters, FULL.examples) == (10**5, 32768, (32, 4096))
        for sizes in (QUICK, HOST, TINY):
            assert max(sizes.sides) <= min(FULL.sides)

    def test_curveball_is_checked_halfway_too(self) -> None:
        """A wrong beta would still end in the minimiser."""
        problem = curveball.PROBLEMS["gradient and operator"](np, 200, np.float64)
        early = curveball.ran(problem, np, np.float64, 4)
        exact = curveball._minimiser("gradient and operator", np, 200, np.float64)
        assert oracle.difference(early, exact) > 1e-5
