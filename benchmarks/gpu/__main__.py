"""``python -m benchmarks.gpu``: exit code 1 for a wrong result, 2 where there is no device."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _report
from benchmarks.gpu.backend import Backend, CupyBackend, NumpyBackend, cupy_with_device
from benchmarks.gpu.rows import CheckFailed
from benchmarks.gpu.run import PIECES, measured, page
from benchmarks.gpu.sizes import FULL, HOST, QUICK, TINY, Sizes

__all__ = ["main"]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description="Checks, then times, tralgos on a device."
    )
    parser.add_argument("--backend", choices=("cupy", "numpy"), default="cupy")
    parser.add_argument("--quick", action="store_true", help="smaller sizes")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=tuple(PIECES), help=", ".join(PIECES)
    )
    parser.add_argument("--out", type=Path, help="write the page to this file")
    return parser.parse_args(arguments)


def _place(name: str, *, quick: bool) -> tuple[Backend, Sizes] | None:
    """The backend with its sizes; None where there is no device."""
    if name == "numpy":
        return NumpyBackend(), TINY if quick else HOST
    cupy = cupy_with_device()
    return None if cupy is None else (CupyBackend(cupy), QUICK if quick else FULL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    options = _options(arguments)
    place = _place(options.backend, quick=options.quick)
    if place is None:
        print("CuPy is not installed or finds no CUDA device: nothing was measured")
        return 2
    backend, sizes = place
    lines = _report.environment(backend.lines())
    print("\n".join(lines), flush=True)
    command = " ".join(["python -m benchmarks.gpu", *(arguments or sys.argv[1:])])

    def keep(table: _report.Table) -> None:
        # Beside the page, which is only replaced by a whole one.
        if options.out is not None:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            _unfinished(options.out).write_text(page(table, lines, command), encoding="utf-8")

    try:
        pieces = {name: PIECES[name] for name in options.only or PIECES}
        table = measured(backend, sizes, pieces, keep)
    except CheckFailed as failure:
        print(f"wrong result, nothing is timed: {failure}")
        return 1
    print("\n" + table.markdown())
    if options.out is not None:
        _unfinished(options.out).replace(options.out)
    return 0


def _unfinished(out: Path) -> Path:
    return out.with_name(out.name + ".part")


if __name__ == "__main__":
    # The host is measured with one thread.
    _report.one_thread()
    sys.exit(main())
