"""CurveBall's rules for lambda side by side: ill-conditioned least squares, and Table 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import tralgos
from theory_checks.claim import Level
from theory_checks.experiments.curveball_damping_drawing import draw
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher
from tralgos.problems import (
    LeastSquares,
    Problem,
    Rosenbrock,
    StochasticProblem,
    StochasticRosenbrock,
    rahimi_recht,
)

__all__ = ["OURS", "RULES", "Task", "least_squares", "run", "sentences", "steps_to", "tasks"]

#: The rules that are compared, by what a table calls them.
RULES: Mapping[str, Mapping[str, object]] = {
    "lambda = 0": {"lam": 0.0, "lam_rule": "fixed"},
    "lambda = 1": {"lam": 1.0, "lam_rule": "fixed"},
    "printed, from 1": {"lam": 1.0, "lam_rule": "printed"},
    "authors, from 1": {"lam": 1.0, "lam_rule": "authors"},
    "authors, from 10": {"lam": 10.0, "lam_rule": "authors"},
    "gain, from 1": {"lam": 1.0, "lam_rule": "gain"},
    "tracking, from 1": {"lam": 1.0, "lam_rule": "tracking"},
}
OURS = "tracking, from 1"
_PAPER = ("printed, from 1", "authors, from 1", "authors, from 10")

_VARIABLES, _ROWS = 50, 100
_REDUCTION = 1e-6
_LOSS = 1e-4


@dataclass(frozen=True)
class Task:
    """A problem, its start, and when a run has arrived: by the gradient or by the loss."""

    problem: Problem
    start: np.ndarray
    gradient: float | None = None
    loss: float | None = None
    seed: int = 0


def least_squares(condition: float, largest: float, rng: np.random.Generator) -> Task:
    """Linear least squares whose Hessian has a geometric spectrum in [largest / condition, .]."""
    U, _ = np.linalg.qr(rng.standard_normal((_ROWS, _VARIABLES)))
    V, _ = np.linalg.qr(rng.standard_normal((_VARIABLES, _VARIABLES)))
    spectrum = np.geomspace(largest / condition, largest, _VARIABLES)
    A = np.sqrt(_ROWS) * (U * np.sqrt(spectrum)) @ V.T
    problem = LeastSquares(A, A @ rng.standard_normal(_VARIABLES))
    start = np.zeros(_VARIABLES)
    size = float(np.linalg.norm(problem.gradient(start)))
    return Task(problem, start, gradient=_REDUCTION * size)


def steps_to(task: Task, parameters: Mapping[str, object], limit: int) -> int | None:
    """Steps until the task has arrived; None where it has not within the limit."""
    arrived: list[int] = []

    def watch(intermediate_result: object) -> None:
        seen = intermediate_result
        loss = task.problem.value(seen.x)  # type: ignore[attr-defined]
        if task.loss is not None and loss < task.loss:
            arrived.append(seen.nit)  # type: ignore[attr-defined]
            raise StopIteration

    noisy = isinstance(task.problem, StochasticProblem) and task.problem.size is None
    method = tralgos.CurveBall(
        second_order=False,
        batch=1 if noisy else None,
        **parameters,  # type: ignore[arg-type]
    )
    result = tralgos.minimize(
        task.problem,
        task.start,
        method,
        gtol=task.gradient or 0.0,
        maxiter=limit,
        callback=watch if task.loss is not None else None,
        rng=task.seed,
    )
    if task.loss is not None:
        return arrived[0] if arrived else None
    return int(result.nit) if result.success else None


def _near(rng: np.random.Generator) -> np.ndarray:
    return -1.0 + 0.1 * rng.standard_normal(2)


def _rosenbrock(rng: np.random.Generator) -> Task:
    return Task(Rosenbrock(2), _near(rng), loss=_LOSS)


def _noisy(high: float) -> Callable[[np.random.Generator], Task]:
    def make(rng: np.random.Generator) -> Task:
        problem = StochasticRosenbrock(noise=(0.0, high))
        return Task(problem, _near(rng), loss=_LOSS, seed=int(rng.integers(2**31)))

    return make


def _layers(rng: np.random.Generator) -> Task:
    problem = rahimi_recht(rng=rng, reduction="mean").condensed()
    return Task(problem, problem.initial(rng), loss=_LOSS)


def tasks(level: Level) -> dict[str, Callable[[np.random.Generator], Task]]:
    """What is run, by name."""
    sizes: dict[float, tuple[float, ...]] = {1.0: (1e2, 1e4), 1e3: (1e2, 1e4)}
    if level is not Level.QUICK:
        sizes[1.0] = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6)
    found: dict[str, Callable[[np.random.Generator], Task]] = {}
    for largest, conditions in sizes.items():
        for condition in conditions:
            name = f"kappa 1e{np.log10(condition):.0f}, L = {largest:g}"
            found[name] = partial(least_squares, condition, largest)
    found["Rosenbrock"] = _rosenbrock
    found["Rosenbrock, noise U[0, 1]"] = _noisy(1.0)
    found["Rosenbrock, noise U[0, 3]"] = _noisy(3.0)
    found["two linear layers"] = _layers
    return found


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at a level."""
    runs, limit = (3, 1000) if level is Level.QUICK else (5, 5000)
    makers = tasks(level)
    watcher.of(len(makers) + 1)
    found: dict[str, dict[str, list[int | None]]] = {}
    for name, make in makers.items():
        watcher.at(name)
        made = [make(rng) for rng in np.random.default_rng(seed).spawn(runs)]
        found[name] = {
            rule: [steps_to(task, parameters, limit) for task in made]
            for rule, parameters in RULES.items()
        }
        watcher.done()
    watcher.at("fixed lambda")
    scan = _scan(seed, limit)
    watcher.done()
    lines = tuple(
        (name, *(_shown(steps, limit) for steps in of.values())) for name, of in found.items()
    )
    title = (
        f"steps, median of {runs} runs, of at most {limit}: least squares (kappa, L) until the "
        f"gradient has fallen by {_REDUCTION:g}, the others until the loss is below {_LOSS:g}"
    )
    return Outcome(
        (Table(title, ("problem", *RULES), lines),),
        tuple(sentences(found, limit)),
        (
            Choice(
                "problems",
                f"linear least squares ({_VARIABLES} variables, geometric spectrum in "
                "[L / kappa, L]), and the columns of Table 1",
            ),
            Choice("starts on Rosenbrock", "(-1, -1) with normal noise of 0.1"),
            Choice("the loss of the two linear layers", "mean over the samples"),
        ),
        {"steps": "steps of CurveBall with automatic beta and rho"},
        {
            "steps": found,
            "scan": [{"factor": f, "steps": s} for f, s in scan["steps"]],
            "tracking": scan["tracking"],
        },
        {"curveball-damping.png": draw(found, scan, limit)},
        (
            "A step costs the same with every rule but for rejected trials of tracking, each of "
            "which costs a value and no product.",
        ),
    )


def _shown(steps: list[int | None], limit: int) -> str:
    middle = median(steps, limit)
    return f"{middle:.0f}" if middle < limit else f">= {limit}"


def median(steps: list[int | None], limit: int) -> float:
    """The median, of runs that did not arrive the limit."""
    return float(np.median([limit if s is None else s for s in steps]))


def _scan(seed: int, limit: int) -> dict[str, Any]:
    """Steps for fixed lambda in units of sqrt(m L), at condition 10^4; and for tracking."""
    condition = 1e4
    task = least_squares(condition, 1.0, np.random.default_rng(seed))
    root = float(np.sqrt(1.0 / condition))
    factors = [float(f) for f in np.geomspace(1e-2, 1e2, 13)]
    return {
        "steps": [
            (f, steps_to(task, {"lam": f * root, "lam_rule": "fixed"}, limit)) for f in factors
        ],
        "tracking": steps_to(task, RULES[OURS], limit),
    }


def sentences(
    found: Mapping[str, Mapping[str, list[int | None]]], limit: int
) -> Iterator[Sentence]:
    """Whether tracking takes fewer steps than the paper's rules, by the largest ratio."""
    for group, chosen in (
        ("ill-conditioned least squares", [n for n in found if n.startswith("kappa")]),
        ("Table 1's problems", [n for n in found if not n.startswith("kappa")]),
    ):
        ratios = [
            median(found[name][OURS], limit) / min(median(found[name][r], limit) for r in _PAPER)
            for name in chosen
        ]
        worst = max(ratios)
        yield Sentence(
            f"(tracking takes fewer steps than the paper's rule on each of {group})",
            "largest ratio of its median steps to those of the best of printed and authors; "
            "yes if < 1",
            worst,
            worst,
            worst,
            "yes" if worst < 1.0 else "no",
            f"smallest ratio {min(ratios):.2g}; runs that did not arrive count as {limit}",
        )
