"""Dense subproblems of order 1000 to 1e-12: one reduction against several factorisations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import tralgos
from benchmarks import _peers, _report
from benchmarks._timing import ratios

__all__ = ["tables"]

N = 1000
RTOL = 1e-12
REPEATS = 9


@dataclass(frozen=True)
class Problem:
    """H, g and a radius."""

    name: str
    H: np.ndarray
    g: np.ndarray
    radius: float


def problems(n: int = N) -> Iterator[Problem]:
    """Random symmetric matrices and the family of the sphere-descent paper, easy and hard."""
    rng = np.random.default_rng(0)
    wigner = rng.standard_normal((n, n))
    wigner = (wigner + wigner.T) / math.sqrt(2.0 * n)
    g = rng.standard_normal(n)
    yield Problem("random symmetric, long g", wigner, g, 1.0)
    yield Problem("random symmetric, short g", wigner, 1e-3 * g, 1.0)
    yield Problem("random symmetric, large radius", wigner, g, 1e3)
    factor = rng.standard_normal((n, n - 1))
    paper = factor @ factor.T - 10.0 * np.eye(n)
    yield Problem("BB' - 10 I", paper, g, 1.0)
    yield Problem("BB' - 10 I, short g", paper, 1e-3 * g, 1.0)
    shifted = wigner + 3.0 * np.eye(n)
    yield Problem("positive definite, interior", shifted, g, 1e3)


def _tasks(problem: Problem) -> dict[str, Callable[[], Any]]:
    H, g, radius = problem.H, problem.g, problem.radius
    # Packed once, out of the time: a caller of GALAHAD may hold its matrix so.
    triangle = _peers.packed(H)
    return {
        "tralgos direct": lambda: tralgos.solve_trs(H, g, radius, method="direct", rtol=RTOL),
        "GALAHAD TRS": lambda: _peers.trs(H, g, radius, rtol=RTOL, triangle=triangle),
        "SciPy trust-exact": lambda: _peers.trust_exact(H, g, radius, rtol=RTOL),
        "numpy eigh alone": lambda: np.linalg.eigh(H),
    }


def _cells(problem: Problem, found: Any, best: float) -> list[str]:
    """Objective over the best one, excess of the length, factorisations."""
    if isinstance(found, tralgos.SubproblemResult):
        step, count = found.step, "1 reduction"
        certified = f"{found.certificate.relative_gap:.1e}"
    elif isinstance(found, _peers.PeerRun) and found.step is not None:
        step, count, certified = found.step, f"{found.factorisations}", "none"
    else:
        return ["-", "-", "-", "-"]
    value = float(problem.g @ step + 0.5 * step @ (problem.H @ step))
    excess = float(np.linalg.norm(step)) / problem.radius - 1.0
    return [f"{(value - best) / -best:.1e}", f"{max(excess, 0.0):.0e}", certified, count]


def _table(problem: Problem) -> _report.Table:
    tasks = _tasks(problem)
    found = {name: task() for name, task in tasks.items()}
    installed = {name: task for name, task in tasks.items() if found[name] is not None}
    times = ratios(installed, "tralgos direct", repeats=REPEATS)
    best = -found["tralgos direct"].model_decrease
    rows = [
        [name, *_cells(problem, found[name], best), f"{times[name]:.2f}"]
        if name in installed
        else [name, "not installed", "", "", "", ""]
        for name in tasks
    ]
    note = (
        f"n = {N}, radius {problem.radius:g}, tolerance {RTOL:g}, one thread each. The value is "
        "relative to that of tralgos: negative is lower, which a step outside the region may be. "
        "The time is relative to tralgos, its checks and its certificate included."
    )
    columns = ["solver", "value", "outside by", "certified", "factorisations", "time"]
    return _report.Table(f"Dense: {problem.name}", note, columns, rows)


def tables() -> Iterator[_report.Table]:
    """A table for each family."""
    for problem in problems():
        yield _table(problem)


if __name__ == "__main__":
    _report.main("python -m benchmarks.dense", tables)
