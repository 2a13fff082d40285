"""The Krylov method on a GPU: n = 10^7, CuPy against NumPy on the host.

Needs a CUDA device and CuPy, and else only what tralgos itself needs. Two operators: a 3-D
Laplacian applied by slicing, and diagonal plus rank four. An iteration of both libraries
does the same arithmetic; its traffic is counted and not measured, so that the bandwidth in
the tables is that of the vectors that have to move.
"""

from __future__ import annotations

import contextlib
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np

import tralgos
from benchmarks import _report
from tralgos import arrays
from tralgos.norms import EuclideanNorm
from tralgos.operators import LowRankPlusDiagonal, as_operator
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model

__all__ = ["cupy_with_device", "tables"]

#: 216^3 is a little more than 10^7.
SIDE = 216
RANK = 4
DEVICE_ITERATIONS = 60
HOST_ITERATIONS = 8
REPEATS = 3
#: Vectors that an iteration moves beside its product: five reads and a write.
_PASSES = 6


def cupy_with_device() -> Any | None:
    """CuPy, or None where it is not installed or finds no device."""
    try:
        cupy = importlib.import_module("cupy")
        return cupy if cupy.cuda.runtime.getDeviceCount() > 0 else None
    except Exception:
        # A missing or broken driver raises errors of CuPy's own, known only after its import.
        return None


class Laplacian3D:
    """The 7-point Laplacian of a cube minus a shift, by slices of the vector as a cube."""

    def __init__(self, side: int, shift: float) -> None:
        self._side = side
        self._diagonal = 6.0 - shift
        self.shape = (side**3, side**3)

    def matvec(self, x: Any) -> Any:
        """One product; six slices are subtracted in place."""
        k = self._side
        cube = x.reshape((k, k, k))
        y = self._diagonal * cube
        y[1:, :, :] -= cube[:-1, :, :]
        y[:-1, :, :] -= cube[1:, :, :]
        y[:, 1:, :] -= cube[:, :-1, :]
        y[:, :-1, :] -= cube[:, 1:, :]
        y[:, :, 1:] -= cube[:, :, :-1]
        y[:, :, :-1] -= cube[:, :, 1:]
        return y.reshape((k**3,))


def operator(name: str, xp: Any, side: int, dtype: Any) -> Any:
    """The operator in one library."""
    if name == "3-D Laplacian":
        return Laplacian3D(side, 0.05)
    n = side**3
    U = np.random.default_rng(0).standard_normal((n, RANK)).astype(dtype) / np.sqrt(n).astype(dtype)
    return LowRankPlusDiagonal(xp.linspace(-1.0, 5.0, n, dtype=dtype), xp.asarray(U))


def gradient(xp: Any, n: int, dtype: Any) -> Any:
    g = np.random.default_rng(1).standard_normal(n) / np.sqrt(n)
    return xp.asarray(g.astype(dtype))


@contextlib.contextmanager
def counted_fetches() -> Iterator[list[int]]:
    """Count the transfers to the host; every module's `to_host` and `to_float` is watched."""
    count = [0]
    original = arrays.to_host

    def to_host(x: Any) -> Any:
        count[0] += 1
        return original(x)

    def to_float(x: Any) -> float:
        return float(to_host(x))

    with contextlib.ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] == "tralgos":
                for attribute, replacement in (("to_host", to_host), ("to_float", to_float)):
                    if hasattr(module, attribute):
                        stack.enter_context(mock.patch.object(module, attribute, replacement))
        yield count


def _median_seconds(task: Callable[[], object], wait: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        wait()
        start = time.perf_counter()
        task()
        wait()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def iteration(H: Any, g: Any, count: int, wait: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds of an iteration and of a product, and fetches an iteration, after a warm-up."""
    model = Model(as_operator(H, like=g), g, EuclideanNorm())
    # Unwatched: how often vectors are projected depends on the spectrum; the solve shows that.
    rows = count * REPEATS + 10
    run = Lanczos(model, g, memory=rows * 8 * model.n, watched=False)
    for _ in range(3):
        run.extend()

    def extend() -> None:
        for _ in range(count):
            run.extend()

    with counted_fetches() as fetches:
        seconds = _median_seconds(extend, wait) / count
    x = g / float(model.norm.norm(g))

    def multiply() -> None:
        for _ in range(count):
            H.matvec(x)

    product = _median_seconds(multiply, wait) / count
    return seconds, product, fetches[0] / (count * REPEATS)


def _device_row(cupy: Any, name: str, dtype: Any, side: int) -> list[str]:
    wait = cupy.cuda.get_current_stream().synchronize
    n = side**3
    count = DEVICE_ITERATIONS
    device = iteration(operator(name, cupy, side, dtype), gradient(cupy, n, dtype), count, wait)
    cupy.get_default_memory_pool().free_all_blocks()
    host = iteration(
        operator(name, np, side, dtype), gradient(np, n, dtype), HOST_ITERATIONS, lambda: None
    )
    moved = _PASSES * n * np.dtype(dtype).itemsize
    beside = device[0] - device[1]
    return [
        f"{name}, {np.dtype(dtype).name}",
        f"{1e3 * device[0]:.2f}",
        f"{1e3 * device[1]:.2f}",
        f"{1e3 * beside:.2f}",
        f"{1e-9 * moved / beside:.0f}",
        f"{device[2]:.2f}",
        f"{1e3 * host[0]:.0f}",
        f"{host[0] / device[0]:.0f}",
    ]


def _copy_rate(cupy: Any, n: int) -> float:
    """GB/s of a copy on the device, read and written bytes counted."""
    x, y = cupy.ones(n), cupy.empty(n)
    wait = cupy.cuda.get_current_stream().synchronize

    def copy() -> None:
        for _ in range(20):
            cupy.copyto(y, x)

    copy()
    return 20 * 16e-9 * n / _median_seconds(copy, wait)


def _solve_row(cupy: Any, name: str, dtype: Any, side: int) -> list[str]:
    H, g = operator(name, cupy, side, dtype), gradient(cupy, side**3, dtype)
    wait = cupy.cuda.get_current_stream().synchronize
    with counted_fetches() as fetches:
        wait()
        start = time.perf_counter()
        result = tralgos.solve_trs(H, g, 10.0, certify="none", memory=24 << 30)
        wait()
        seconds = time.perf_counter() - start
    cupy.get_default_memory_pool().free_all_blocks()
    stationarity = result.certificate.stationarity
    return [
        f"{name}, {np.dtype(dtype).name}",
        str(result.matvecs),
        str(fetches[0]),
        f"{seconds:.2f}",
        f"{1e3 * seconds / result.matvecs:.2f}",
        f"{stationarity:.1e}",
        result.status.name,
    ]


def _absent() -> _report.Table:
    note = "CuPy is not installed or finds no device here."
    return _report.Table("Krylov iterations on a GPU", note, ["what", "result"], [])


def tables(side: int = SIDE) -> Iterator[_report.Table]:
    """Iterations on the device and on the host, then a whole solve on the device."""
    cupy = cupy_with_device()
    if cupy is None:
        yield _absent()
        return
    names = ("3-D Laplacian", "diagonal plus rank 4")
    n = side**3
    rate = _copy_rate(cupy, n)
    rows = [
        _device_row(cupy, name, dtype, side) for name in names for dtype in (np.float64, np.float32)
    ]
    note = (
        f"n = {n}, Euclidean norm, basis stored. A copy on the device moves {rate:.0f} GB/s. "
        f"The rate is that of the {_PASSES} vectors that an iteration moves beside its product, "
        "the wait for its one transfer included. The host runs with as many threads as NumPy takes."
    )
    columns = [
        "operator",
        "iteration, ms",
        "product, ms",
        "beside, ms",
        "GB/s beside",
        "fetches",
        "host iteration, ms",
        "host over device",
    ]
    yield _report.Table("Krylov iterations on a GPU", note, columns, rows)
    columns = ["operator", "products", "fetches", "s", "ms a product", "stationarity", "status"]
    note = (
        f"n = {n}, radius 10, the default tolerance of each dtype, `certify='none'`, basis up to "
        "24 GiB. The time includes the checks of the input, with random vectors drawn on the host."
    )
    kinds = (np.float64, np.float32)
    solves = [_solve_row(cupy, name, dtype, side) for name in names for dtype in kinds]
    yield _report.Table("A whole solve on a GPU", note, columns, solves)


def machine() -> Sequence[str]:
    """The device's name and driver, for the page."""
    cupy = cupy_with_device()
    if cupy is None:
        return ()
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    name = properties["name"].decode()
    version = cupy.cuda.runtime.runtimeGetVersion()
    return (f"Device: {name}, {properties['totalGlobalMem'] / 2**30:.0f} GiB, CUDA {version}",)


if __name__ == "__main__":
    _report.main("python -m benchmarks.gpu", tables, single=False, extra=machine)
