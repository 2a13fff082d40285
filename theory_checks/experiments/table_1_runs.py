"""The second-order rows of CurveBall's table 1, run by run, and all jobs as cells of a sweep."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

import tralgos
from theory_checks.experiments.table_1_first_order import Search
from theory_checks.experiments.table_1_protocol import (
    BFGS,
    CURVEBALL,
    EXACT,
    MARQUARDT,
    Case,
    case,
)
from theory_checks.experiments.table_1_protocol import Protocol as Setting
from theory_checks.sweeps import Runner
from tralgos import CurveBall, LevenbergMarquardt, Newton, minimize_with_scipy
from tralgos.errors import CurvatureWarning

__all__ = ["OPTIONS", "Task", "do_all", "result_of"]

#: How the rows of second order are run: the paper's own words where it has any.
OPTIONS: dict[str, dict[str, Any]] = {
    # Section 2.1: diag(H) in place of the identity.
    MARQUARDT: {"scaling": "marquardt"},
    EXACT: {"search": "armijo"},
    CURVEBALL: {"lam": 1.0, "lam_rule": "printed"},
}

_METHODS: dict[str, Any] = {
    MARQUARDT: LevenbergMarquardt,
    EXACT: Newton,
    CURVEBALL: CurveBall,
}


@dataclass(frozen=True)
class Task:
    """All runs of one row of second order in one column.

    Attributes
    ----------
    row, column : str
    setting : Protocol
    seed, runs, cap : int
        `cap`: iterations after which a run counts as never arriving.
    options : tuple of pairs
        Hyper-parameters other than those of OPTIONS, with their names.
    """

    row: str
    column: str
    setting: Setting
    seed: int
    runs: int
    cap: int
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """What is being worked on."""
        return f"{self.column}: {self.row}"

    def run(self) -> dict[str, Any]:
        """Iterations until each run arrives (None: never), and the trials that they took."""
        found = [self._one(i) for i in range(self.runs)]
        return {"iterations": [n for n, _ in found], "trials": [n for _, n in found]}

    def _one(self, run: int) -> tuple[int | None, int]:
        own = case(self.column, self.setting, self.seed, run)
        if own.arrived(own.x0, own.problem.value(own.x0)):
            return 0, 0
        rng = np.random.default_rng(list(own.noise))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # Negative curvature of the exact Hessian is a part of the experiment.
            warnings.simplefilter("ignore", CurvatureWarning)
            if self.row == BFGS:
                return _bfgs(own, self.cap, rng)
            options = {**OPTIONS[self.row], **dict(self.options)}
            method = _METHODS[self.row](batch=own.batch, second_order=False, **options)
            watch = _Arrival(own)
            ended = tralgos.minimize(
                own.problem,
                own.x0,
                method,
                gtol=0.0,
                maxiter=self.cap,
                callback=watch,
                rng=rng,
            )
        _not_interrupted(ended)
        return watch.at, watch.trials


class _Arrival:
    """A callback that ends a run where it has arrived, and counts."""

    def __init__(self, own: Case, before: int = 0) -> None:
        self._own, self._before = own, before
        self.at: int | None = None
        self.seen = before
        self.trials = 0
        self.x = own.x0

    def __call__(self, found: OptimizeResult) -> None:
        self.seen, self.x = self._before + found.nit, found.x
        self.trials += max(1, len(found.state.records))
        if self._own.arrived(found.x, found.fun):
            self.at = self.seen
            raise StopIteration


def _bfgs(own: Case, cap: int, rng: np.random.Generator) -> tuple[int | None, int]:
    """SciPy's; begun anew, without its memory, where noise has made the line search give up."""
    x, seen, trials = own.x0, 0, 0
    while seen < cap:
        watch = _Arrival(replace(own, x0=x), seen)
        ended = minimize_with_scipy(
            own.problem,
            x,
            "BFGS",
            gtol=0.0,
            maxiter=cap - seen,
            batch=own.batch,
            rng=rng,
            callback=watch,
        )
        _not_interrupted(ended)
        trials += watch.trials
        if watch.at is not None:
            return watch.at, trials
        if own.batch is None:
            break
        # A search that has found nothing counts as an iteration.
        x, seen = watch.x, max(watch.seen, seen + 1)
    return None, trials


def _not_interrupted(ended: OptimizeResult) -> None:
    """Ctrl-C ends a run with what it has; here it has to end the experiment."""
    if ended.ending is tralgos.Ending.INTERRUPTED:
        raise KeyboardInterrupt


def do_all(jobs: Sequence[Search | Task], runner: Runner) -> list[dict[str, Any]]:
    """The results of all jobs, in their order; equal ones are done once."""
    distinct = dict.fromkeys(jobs)
    found = runner.sweep(distinct, result_of, name="curveball/table-1", label=lambda job: job.name)
    return [found.results[job] for job in jobs]


def result_of(job: Search | Task) -> dict[str, Any]:
    """What a job finds."""
    return job.run()
