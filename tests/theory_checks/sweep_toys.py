"""Cells for sweeps, and sweeps to be killed; in a module, for workers to import."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import numpy as np

from theory_checks.claim import Level
from theory_checks.experiments.outcome import Experiment, Outcome, Table, Unwatched
from theory_checks.sweeps import Runner, executor_of, run_sweep


def drawn(cell):
    """Sums of products in an order of their own: any other order has other last digits."""
    n, seed = cell
    rng = np.random.default_rng([n, seed])
    A = rng.standard_normal((n, n))
    values = np.linalg.eigvalsh(A @ A.T)
    return {"least": float(values[0]), "mean": values.mean(), "first": (A @ A).ravel()[:3].tolist()}


def doubled(cell):
    return 2 * cell


def ignoring(cell, x):
    return cell


def given(cell, values):
    """What was handed in for a cell, by its number."""
    return values[cell]


def failing(cell):
    if cell % 5 == 3:
        raise ValueError(f"no {cell} today")
    return cell


class Awkward(Exception):
    """An exception that cannot be put together again from its arguments."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def awkward(cell):
    raise Awkward(cell, "more")


def exiting(cell):
    os._exit(3)


def leaving(cell):
    raise SystemExit(3)


def interrupted(cell):
    if cell == 3:
        raise KeyboardInterrupt
    return cell


def complex_number(cell):
    return 1j


def word(cell):
    return ["inf"]


def keyed(cell):
    return {1: 2}


def array(cell):
    return np.ones(1000)


def endless(cell):
    found = []
    found.append(found)
    return found


def noted(cell, log, pause):
    """Leave a line with the process in a file, then take a while."""
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(f"{cell} {os.getpid()}\n")
    time.sleep(pause)
    return {"cell": cell, "third": cell / 3.0}


def first_fails(cell, log):
    """The others take a while, and leave a line."""
    if cell == 0:
        raise ValueError("the first")
    return noted(cell, log, 0.02)


def run(folder, kind, cells, pause, workers=2):
    """A sweep that takes a while, in a process that can be killed."""
    function = functools.partial(noted, log=str(folder / "log"), pause=pause)
    with executor_of(kind, None if kind == "serial" else workers) as executor:
        return run_sweep(
            range(cells), function, name="toys", executor=executor, results=folder / "results"
        )


# --- an experiment that is made of cells ------------------------------------------------


def halved(cell, backend):
    return {"half": cell / 2.0, "backend": backend}


def sweep(level: Level, seed: int, runner: Runner) -> Outcome:
    """What an experiment does with its runner."""
    cells = range(4 if level is Level.QUICK else 8)
    found = runner.sweep(
        cells,
        functools.partial(halved, backend=runner.backend),
        name="toys/halves",
        parameters={"seed": seed},
    )
    lines = tuple((str(cell), str(result["half"])) for cell, result in found.results.items())
    numbers = {"resumed": found.resumed, "halves": [r["half"] for r in found.results.values()]}
    return Outcome((Table("halves", ("cell", "half"), lines),), (), (), {}, numbers, {})


def plain(level, seed, watcher):
    return sweep(level, seed, Runner(watcher=watcher))


def experiments():
    every = (
        Experiment("toys/halves", "halves", "nowhere", plain, sweep, ("numpy", "cupy")),
        Experiment(
            "toys/whole", "no cells", "nowhere", lambda *_: plain(Level.QUICK, 0, Unwatched())
        ),
    )
    return {one.id: one for one in every}
