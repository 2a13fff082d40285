"""Times as ratios: everything runs in turn in one process, so that load falls on all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["interleaved", "ratios"]


def interleaved(
    tasks: Mapping[str, Callable[[], object]], *, repeats: int
) -> dict[str, list[float]]:
    """Seconds of each task in each of `repeats` rounds, all tasks in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(
    tasks: Mapping[str, Callable[[], object]], reference: str, *, repeats: int
) -> dict[str, float]:
    """The median over the rounds of each task's time over that of `reference`."""
    seconds = interleaved(tasks, repeats=repeats)
    base = seconds[reference]
    return {
        name: statistics.median(t / b for t, b in zip(times, base, strict=True))
        for name, times in seconds.items()
    }
