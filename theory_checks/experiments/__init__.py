"""One experiment per table or figure of the papers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from theory_checks.claim import Level
from theory_checks.experiments.outcome import Experiment, Outcome, Watcher

if TYPE_CHECKING:
    from theory_checks.sweeps import Runner

__all__ = ["EXPERIMENTS", "UnknownExperimentError", "draw_section_4_1", "experiments", "selected"]


class UnknownExperimentError(ValueError):
    """An id that no experiment has; the message names the known ones."""


def draw_section_4_1(level: Level, seed: int, folder: Path) -> tuple[list[str], list[list[str]]]:
    """Run Section 4.1, write its PNG and its table, and return the table's headings and lines."""
    from theory_checks.experiments import section_4_1, section_4_1_outcome

    folder.mkdir(parents=True, exist_ok=True)
    results = section_4_1.run_all(level, seed)
    rows = section_4_1.table(results)
    section_4_1.draw(results, folder / "section-4-1.png")
    section_4_1.write_table(rows, folder / "section-4-1.csv")
    return list(section_4_1_outcome.HEADINGS), section_4_1_outcome.shown(rows)


#: What draws each experiment's figure, by the claim's id.
EXPERIMENTS: dict[str, Callable[[Level, int, Path], tuple[list[str], list[list[str]]]]] = {
    "efficient-tr/section-4-1": draw_section_4_1,
}


def _later(module: str) -> Callable[[Level, int, Watcher], Outcome]:
    """The `run` of a module of this package, which is not imported before it is called."""

    def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
        found: Outcome = import_module(f"{__name__}.{module}").run(level, seed, watcher)
        return found

    return run


def _swept(module: str) -> Callable[[Level, int, Runner], Outcome]:
    """The `sweep` of a module of this package, which is not imported before it is called."""

    def sweep(level: Level, seed: int, runner: Runner) -> Outcome:
        found: Outcome = import_module(f"{__name__}.{module}").sweep(level, seed, runner)
        return found

    return sweep


def experiments() -> dict[str, Experiment]:
    """All experiments of `theory-checks reproduce`, by id."""
    adaptive = "Adaptive norms for deep learning with regularized Newton methods"
    sphere = "Better generalization by efficient trust region method"
    curveball = "Small steps and giant leaps: minimal Newton solvers for deep learning"
    every = (
        Experiment(
            "adaptive-norms/figure-1",
            "gradient descent and Adagrad as trust regions, on quadratics in the plane",
            f"{adaptive}, figure 1",
            _later("figure_1"),
        ),
        Experiment(
            "adaptive-norms/figure-2",
            "diagonal shares of Hessians against random matrices and least squares",
            f"{adaptive}, figure 2",
            _later("figure_2"),
            sweep=_swept("figure_2"),
            backends=("numpy", "cupy"),
        ),
        Experiment(
            "adaptive-norms/figure-3",
            "ellipsoidal against uniform trust regions, in the small",
            f"{adaptive}, figure 3",
            _later("figure_3"),
        ),
        Experiment(
            "adaptive-norms/figure-d2",
            "the least-squares formula for the diagonal share with few examples",
            f"{adaptive}, figure D.2",
            _later("figure_d2"),
            sweep=_swept("figure_d2"),
        ),
        Experiment(
            "curveball/figure-1",
            "six methods on Rosenbrock's function, with and without noise",
            f"{curveball}, figure 1",
            _later("curveball_figure_1"),
        ),
        Experiment(
            "curveball/figure-4",
            "rates of convergence over beta h and rho",
            f"{curveball}, figure 4 and section A.2.1",
            _later("curveball_figure_4"),
        ),
        Experiment(
            "curveball/figure-5",
            "rho, beta, lambda and the gradient while a network is trained",
            f"{curveball}, figures 5 and 6",
            _later("curveball_figure_5"),
        ),
        Experiment(
            "curveball/figure-7",
            "against Hessian-free optimisation, in passes and in seconds",
            f"{curveball}, figure 7",
            _later("curveball_figure_7"),
        ),
        Experiment(
            "curveball/figure-8",
            "training with rho = 1",
            f"{curveball}, figure 8",
            _later("curveball_figure_8"),
        ),
        Experiment(
            "curveball/table-1",
            "six methods to the solution of small degenerate problems",
            f"{curveball}, table 1",
            _later("table_1"),
            sweep=_swept("table_1"),
        ),
        Experiment(
            "curveball/damping",
            "the rules for lambda side by side",
            f"{curveball}, section 3 (the paper has no such figure)",
            _later("curveball_damping"),
        ),
        Experiment(
            "efficient-tr/section-4-1",
            "sphere descent on random indefinite problems",
            f"{sphere}, section 4.1 and figure 1",
            _later("section_4_1_outcome"),
        ),
    )
    return {experiment.id: experiment for experiment in every}


def selected(ids: list[str], known: dict[str, Experiment]) -> list[Experiment]:
    """The experiments with these ids; all of them when there are none.

    Raises
    ------
    UnknownExperimentError
        Naming the unknown id and the known ones.
    """
    for name in ids:
        if name not in known:
            there = "\n  ".join(known)
            raise UnknownExperimentError(
                f"unknown experiment {name!r}; the known ones are\n  {there}"
            )
    return [known[name] for name in ids] if ids else list(known.values())
