"""What the command line lets a user choose for experiments that are made of cells."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from theory_checks.backends import BACKENDS, namespace_of
from theory_checks.experiments.outcome import Experiment
from theory_checks.option_types import positive_integer
from theory_checks.sweeps.errors import SweepError
from theory_checks.sweeps.executors import KINDS
from theory_checks.sweeps.runner import Runner
from theory_checks.watching import Watcher

__all__ = ["add_options", "check_chosen", "runner_of"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of a command; none is set unless it is given."""
    parser.add_argument(
        "--executor", choices=KINDS, help="what the cells are done on (default: processes)"
    )
    parser.add_argument(
        "--workers",
        type=positive_integer,
        metavar="N",
        help="how many (default: one for each core)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster, for --executor dask"
    )
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="keep finished cells in FILE, and go on from what is there (default: in --cache)",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="numpy",
        help="where arrays live, for experiments that can choose (default: %(default)s)",
    )


def check_chosen(experiments: Sequence[Experiment], options: argparse.Namespace) -> None:
    """Refuse options that would do nothing for one of the experiments, before any work.

    Raises
    ------
    SweepError
        When an experiment has no cells or cannot use the backend, when several would share
        a results file, or when options do not go together.
    BackendError
        When CuPy, or a device for it, is missing.
    """
    names = ("executor", "workers", "scheduler", "results")
    given = [f"--{name}" for name in names if getattr(options, name) is not None]
    without = [experiment.id for experiment in experiments if experiment.sweep is None]
    if given and without:
        raise SweepError(f"{', '.join(given)}: there are no cells in {', '.join(without)}")
    if options.results is not None and len(experiments) > 1:
        raise SweepError("--results: a file is for one experiment; name it, or use --cache DIR")
    unable = [one.id for one in experiments if options.backend not in one.backends]
    if unable:
        raise SweepError(f"--backend {options.backend}: not possible in {', '.join(unable)}")
    namespace_of(options.backend)
    runner_of(options, None, None)


def runner_of(
    options: argparse.Namespace, watcher: Watcher | None, tell: Callable[[str], object] | None
) -> Runner:
    """The runner that the options ask for."""
    return Runner(
        executor=options.executor or "processes",
        workers=options.workers,
        scheduler=options.scheduler,
        results=options.results,
        folder=options.out / "cache" if options.cache is None else options.cache,
        backend=options.backend,
        watcher=watcher,
        tell=tell,
    )
