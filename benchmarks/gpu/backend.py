"""Where a benchmark runs: a namespace, a clock, and what memory there is."""

from __future__ import annotations

import importlib
import os
import platform
import statistics
import time
import tracemalloc
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tralgos.arrays import to_host

__all__ = ["Backend", "CupyBackend", "NumpyBackend", "Timing", "copy_rate", "cupy_with_device"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class Timing:
    """Seconds of several repeats of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """What the rates are computed with."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Longest less shortest, over the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median

    @property
    def told(self) -> bool:
        """Whether the median is above the distance between the quartiles.

        A difference of two times may be nothing beside their noise, and even negative.
        """
        lower, _, upper = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return self.median > upper - lower


class Backend(ABC):
    """A place to run: everything that differs between a device and the host.

    Attributes
    ----------
    name : str
    xp : module
        Where arrays are made.
    """

    name: str
    xp: Any

    @abstractmethod
    def mark(self) -> Any:
        """A point on the clock, behind all work that was asked for before."""

    @abstractmethod
    def between(self, start: Any, end: Any) -> float:
        """Seconds from one mark to another."""

    @abstractmethod
    def free_bytes(self) -> int:
        """Memory that arrays may still take."""

    @abstractmethod
    def peak(self, task: Callable[[], Result]) -> tuple[Result, int]:
        """What `task` gives, and the most memory that its arrays took while it ran."""

    @abstractmethod
    def lines(self) -> list[str]:
        """What the figures depend on, for the head of the page."""

    def timed(self, task: Callable[[], object], repeats: int) -> Timing:
        """The repeats of a task that has run before."""
        seconds = []
        for _ in range(repeats):
            start = self.mark()
            task()
            seconds.append(self.between(start, self.mark()))
        return Timing(tuple(seconds))

    def host(self, x: Any) -> np.ndarray:
        """An array on the host, in float64."""
        return np.asarray(to_host(x), dtype=np.float64)


class NumpyBackend(Backend):
    """The host, by its own clock."""

    name = "numpy"
    xp = np

    def mark(self) -> float:
        """Now."""
        return time.perf_counter()

    def between(self, start: float, end: float) -> float:
        """The difference."""
        return end - start

    def free_bytes(self) -> int:
        """All of the machine's."""
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))

    def peak(self, task: Callable[[], Result]) -> tuple[Result, int]:
        """By the allocations that NumPy reports to Python."""
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            result = task()
            return result, tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    def lines(self) -> list[str]:
        """A warning, so that nobody takes these figures for a device's."""
        return ["**The host, not a measurement of a GPU**", f"NumPy {np.__version__}"]


def cupy_with_device() -> Any | None:
    """CuPy, or None where it is not installed or finds no device."""
    try:
        cupy = importlib.import_module("cupy")
        return cupy if cupy.cuda.runtime.getDeviceCount() > 0 else None
    except Exception:
        # A missing or broken driver raises errors of CuPy's own, known only after its import.
        return None


class CupyBackend(Backend):
    """The current CUDA device, by the events of its stream.

    Parameters
    ----------
    cupy : module
        With a device.
    """

    name = "cupy"

    def __init__(self, cupy: Any) -> None:
        self.xp = cupy
        self._pool = cupy.get_default_memory_pool()

    def mark(self) -> Any:
        """An event on the current stream."""
        event = self.xp.cuda.Event()
        event.record()
        return event

    def between(self, start: Any, end: Any) -> float:
        """The time between two events; waits for the second."""
        end.synchronize()
        return 1e-3 * float(self.xp.cuda.get_elapsed_time(start, end))

    def free_bytes(self) -> int:
        """What the driver reports, once the pool has given back what it does not use."""
        self._pool.free_all_blocks()
        free, _ = self.xp.cuda.runtime.memGetInfo()
        return int(free)

    def peak(self, task: Callable[[], Result]) -> tuple[Result, int]:
        """By what the pool has taken from the driver; the work space of cuBLAS is outside it."""
        self._pool.free_all_blocks()
        before = self._pool.total_bytes()
        result = task()
        return result, int(self._pool.total_bytes() - before)

    def lines(self) -> list[str]:
        """The device, CUDA and CuPy."""
        runtime = self.xp.cuda.runtime
        properties = runtime.getDeviceProperties(self.xp.cuda.Device().id)
        capability = f"{properties['major']}.{properties['minor']}"
        memory = f"{properties['totalGlobalMem'] / 2**30:.0f} GiB"
        tf32 = "on" if int(os.environ.get("CUPY_TF32", "0")) > 0 else "off"
        return [
            f"Device: {properties['name'].decode()}, {memory}, compute capability {capability}",
            f"CUDA: driver {_version(runtime.driverGetVersion())}, "
            f"runtime {_version(runtime.runtimeGetVersion())}; CuPy {self.xp.__version__}, "
            f"NumPy {np.__version__}; TF32 {tf32}",
            f"System: {platform.system()} {platform.release()}",
        ]


def _version(number: int) -> str:
    """CUDA's 13020 is 13.2."""
    return f"{number // 1000}.{number % 1000 // 10}"


def copy_rate(backend: Backend, count: int, dtype: Any, repeats: int) -> float:
    """Bytes read and written a second by a copy of `count` numbers: what there is to reach."""
    xp = backend.xp
    source, target = xp.ones(count, dtype=dtype), xp.empty(count, dtype=dtype)

    def copy() -> None:
        target[...] = source

    copy()
    return 2 * source.nbytes / backend.timed(copy, repeats).median  # type: ignore[no-any-return]
