"""All cells of a run: in this process or on several, kept as they come, with the same result."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

from theory_checks.backends import namespace_of
from theory_checks.cells import Cell, ClaimError, cells_of, run_cell, superfluous
from theory_checks.claim import Claim, Level
from theory_checks.processes import WorkerPool
from theory_checks.registry import all_claims

__all__ = ["Run", "gather"]

Results = dict[Cell, dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """What decides the results of a run: level, seed, backend, and the modules of claims."""

    level: Level
    seed: int
    backend: str = "numpy"
    modules: tuple[str, ...] = ()


@functools.cache
def _claims_of(modules: tuple[str, ...]) -> Mapping[str, Claim]:
    # A worker builds the claims once: they hold functions, which cannot be sent.
    return all_claims(modules)


def _work(cell: Cell, run: Run) -> dict[str, Any] | ClaimError:
    claim = _claims_of(run.modules)[cell.claim]
    try:
        return run_cell(claim, cell, run.level, run.seed, namespace_of(run.backend))
    except ClaimError as error:
        return ClaimError(str(error))  # without its causes, which need not survive the way


def _serial(
    cells: Iterable[Cell], claims: Mapping[str, Claim], run: Run, results: Results
) -> Iterator[tuple[Cell, dict[str, Any] | ClaimError]]:
    xp = namespace_of(run.backend)
    for cell in cells:
        if not superfluous(cell, results):
            try:
                yield cell, run_cell(claims[cell.claim], cell, run.level, run.seed, xp)
            except ClaimError as error:
                yield cell, error


def _parallel(
    cells: Iterable[Cell], run: Run, results: Results, jobs: int
) -> Iterator[tuple[Cell, dict[str, Any] | ClaimError]]:
    """Hand out cells in their order, a few ahead of the workers, as long as they are wanted."""
    waiting = iter(cells)
    at_work: dict[Future[dict[str, Any] | ClaimError], Cell] = {}
    with WorkerPool(jobs) as pool:
        while True:
            while len(at_work) < 2 * jobs:
                cell = next((c for c in waiting if not superfluous(c, results)), None)
                if cell is None:
                    break
                at_work[pool.submit(_work, cell, run)] = cell
            if not at_work:
                return
            done, _ = wait(at_work, return_when=FIRST_COMPLETED)
            for future in done:
                yield at_work.pop(future), future.result()


def gather(
    claims: Mapping[str, Claim],
    run: Run,
    *,
    jobs: int = 1,
    known: Mapping[Cell, dict[str, Any]] | None = None,
    keep: Callable[[Cell, dict[str, Any]], None] | None = None,
    watch: Callable[[Cell, int, int], None] | None = None,
) -> tuple[Results, dict[str, ClaimError]]:
    """Do every cell of the claims and return what each found, and which claims failed.

    An error in a claim's own functions ends that claim alone: its first error is
    returned by its id, and its cells that are left are not done.

    Parameters
    ----------
    claims : mapping
        The claims by id.
    run : Run
        What decides the results.
    jobs : int
        Processes. More than one build the claims anew from the registry and
        ``run.modules``, so `claims` must be among those.
    known : mapping or None
        Cells that were done before.
    keep : callable or None
        Called with each cell that was done and what it found.
    watch : callable or None
        Called with each cell that was done, the number done and the number in all.

    Raises
    ------
    BackendError
        When the backend is not there, before any work.
    """
    namespace_of(run.backend)
    every = sorted(cell for claim in claims.values() for cell in cells_of(claim, run.level))
    wanted = set(every)
    results: Results = {c: r for c, r in (known or {}).items() if c in wanted}
    failed: dict[str, ClaimError] = {}
    # Looked at as cells are handed out: what has failed by then is left out.
    left = (cell for cell in every if cell not in results and cell.claim not in failed)
    done = _serial(left, claims, run, results) if jobs == 1 else _parallel(left, run, results, jobs)
    for cell, result in done:
        if isinstance(result, ClaimError):
            failed.setdefault(cell.claim, result)
            continue
        results[cell] = result
        if keep is not None:
            keep(cell, result)
        if watch is not None:
            watch(cell, len(results), len(every))
    return results, failed
