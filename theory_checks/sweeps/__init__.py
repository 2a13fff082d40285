"""Long runs: cells that depend on nothing but themselves, on any executor, kept as they come."""

from __future__ import annotations

from theory_checks.sweeps.errors import CellError, ExecutorError, ResultsError, SweepError
from theory_checks.sweeps.executors import KINDS, SerialExecutor, executor_of
from theory_checks.sweeps.runner import Runner
from theory_checks.sweeps.sweep import SweepOutcome, run_sweep

__all__ = [
    "KINDS",
    "CellError",
    "ExecutorError",
    "ResultsError",
    "Runner",
    "SerialExecutor",
    "SweepError",
    "SweepOutcome",
    "executor_of",
    "run_sweep",
]
