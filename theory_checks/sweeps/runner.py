"""How the sweeps of an experiment are run: on what, and where their results are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from theory_checks.backends import namespace_of
from theory_checks.sweeps.executors import check_options, executor_of
from theory_checks.sweeps.sweep import SweepOutcome, run_sweep
from theory_checks.watching import Watcher

__all__ = ["Runner"]


@dataclass(frozen=True)
class Runner:
    """What a user chose for the sweeps of an experiment.

    Attributes
    ----------
    executor : {"serial", "processes", "dask"}
    workers : int or None
        Their number; one for each core unless given. See
        :func:`~theory_checks.sweeps.executor_of`.
    scheduler : str or None
        The address of a Dask scheduler.
    results : Path or str or None
        The results file.
    folder : Path or str or None
        Where there is no `results`: the folder of a results file for each sweep, named after
        it. With None for both nothing is kept.
    backend : {"numpy", "cupy"}
        Where arrays live; a part of each sweep's parameters. A cell gets it as a bound
        argument: ``functools.partial(function, backend=runner.backend)``.
    watcher : Watcher or None
        Told how far a sweep is.
    tell : callable or None
        Told what a user should know, line by line.
    tally : Counter
        Of the sweeps that it ran: "cells", and those of them that were "resumed".
    """

    executor: str = "serial"
    workers: int | None = None
    scheduler: str | None = None
    results: Path | str | None = None
    folder: Path | str | None = None
    backend: str = "numpy"
    watcher: Watcher | None = None
    tell: Callable[[str], object] | None = None
    tally: Counter[str] = field(default_factory=Counter, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_options(self.executor, self.workers, self.scheduler)

    def sweep(
        self,
        cells: Iterable[Any],
        function: Callable[[Any], Any],
        *,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        cost: Callable[[Any], float] | None = None,
        label: Callable[[Any], str] = str,
    ) -> SweepOutcome:
        """Run a sweep as the user chose; see :func:`~theory_checks.sweeps.run_sweep`.

        Raises
        ------
        BackendError
            For an unknown backend; when CuPy, or a device for it, is missing here.
        """
        xp = namespace_of(self.backend)
        backend = {"backend": self.backend}
        if self.backend != "numpy":
            backend[self.backend] = str(xp.__version__)
        path = self._path(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with executor_of(self.executor, self.workers, self.scheduler) as executor:
            outcome = run_sweep(
                cells,
                function,
                name=name,
                parameters={**(parameters or {}), **backend},
                executor=executor,
                results=path,
                cost=cost,
                label=label,
                watcher=self.watcher,
                tell=self.tell,
            )
        self.tally.update(cells=len(outcome.results), resumed=outcome.resumed)
        return outcome

    def _path(self, name: str) -> Path | None:
        if self.results is not None:
            return Path(self.results)
        if self.folder is None:
            return None
        return Path(self.folder) / f"{name.replace('/', '-')}.sweep"
