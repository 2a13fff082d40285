"""All benchmarks on one page: ``python -m benchmarks --out docs/benchmarks.md``."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _report, dense, gap, gpu, laplacian, overhead

__all__ = ["tables"]


def tables() -> Iterator[_report.Table]:
    """Each benchmark's tables; those of the GPU only where there is one."""
    for benchmark in (laplacian, dense, overhead, gap):
        yield from benchmark.tables()
    if gpu.cupy_with_device() is not None:
        yield from gpu.tables()


if __name__ == "__main__":
    _report.main("python -m benchmarks --out docs/benchmarks.md", tables)
