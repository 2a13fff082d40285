"""How the sweeps of an experiment are run: on what, and where their results are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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
    results : Path or None
        The results file.
    folder : Path or None
        Where there is no `results`: the folder of a results file for each sweep, named after
        it. With None for both nothing is kept.
    backend : {"numpy", "cupy"}
        Where arrays live; a part of each sweep's parameters. A cell gets it as a bound
        argument: ``functools.partial(function, backend=runner.backend)``.
    watcher : Watcher or None
        Told how far a sweep is.
    tell : callable or None
        Told what a user should know, line by line.
    """

    executor: str = "serial"
    workers: int | None = None
    scheduler: str | None = None
    results: Path | None = None
    folder: Path | None = None
    backend: str = "numpy"
    watcher: Watcher | None = None
    tell: Callable[[str], object] | None = None

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
            When CuPy, or a device for it, is missing here.
        """
        backend = {"backend": self.backend}
        if self.backend != "numpy":
            backend[self.backend] = str(namespace_of(self.backend).__version__)
        path = self._path(name)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with executor_of(self.executor, self.workers, self.scheduler) as executor:
            return run_sweep(
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

    def _path(self, name: str) -> Path | None:
        if self.results is not None or self.folder is None:
            return self.results
        return self.folder / f"{name.replace('/', '-')}.sweep"
