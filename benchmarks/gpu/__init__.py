"""What an accelerator makes of tralgos: checked against the host first, and timed then.

``python -m benchmarks.gpu --out docs/benchmarks/gpu.md`` measures on a CUDA device through CuPy;
``--backend numpy`` runs the same script on the host, at small sizes. ``docs/benchmarks-gpu.md``
says what each row means.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import _report
from benchmarks.gpu.backend import CupyBackend, cupy_with_device
from benchmarks.gpu.run import PIECES, measured
from benchmarks.gpu.sizes import FULL

__all__ = ["cupy_with_device", "tables"]


def tables() -> Iterator[_report.Table]:
    """The table of the first CUDA device; none where there is no device."""
    cupy = cupy_with_device()
    if cupy is not None:
        yield measured(CupyBackend(cupy), FULL, PIECES)
