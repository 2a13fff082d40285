"""Minimisers on unconstrained test problems, side by side in one run.

``python -m benchmarks.minimisers --out docs/minimisers.md`` writes the tables, and the
performance profile beside them. The problems are those of
:mod:`tralgos.problems.collection`.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks import _report
from benchmarks._runs import DENSE, DENSE_METHODS, LIMIT, METHODS, SADDLE, Run, solve
from tralgos.problems import Problem, collection

__all__ = ["tables"]

COMMAND = "python -m benchmarks.minimisers --out docs/minimisers.md"
OURS, PEER = "tralgos TrustRegion", "SciPy trust-ncg"
TOLERANCES = (1e-5, 1e-8)
#: About how many variables the scalable problems have, without and with dense methods.
LARGE, MEDIUM = 2000, 300
#: What the columns of the summaries mean.
LEGEND = f"""\
- *Solved*: judged from outside, by the gradient at the returned point, within {LIMIT:g} s a run.
- *False*: success was reported, and the problem is not solved.
- *Saddles*: success was reported where $\\lambda_1 < -{SADDLE:g}\\, \\|H\\|$. (A run of tralgos
  then ends as `FIRST_ORDER`, whose message says that nothing was proved; with
  `second_order=True` it goes on.) Looked at up to {DENSE} variables.
- *Raised*: it ended with an exception.
- *Products*: the geometric mean of the ratio of Hessian-vector products, over the problems that
  both solve (their number in brackets); *with evidence*: the look for negative curvature at the
  end is counted too. *Cost* is the same of a sum of 1 for a value, 3 for a gradient and 6 for a
  product.

The Hessian is seen by its products alone, but for trust-exact, which gets it as a matrix. All
methods have the same tolerance on the Euclidean norm of the gradient; Newton-CG and L-BFGS-B,
which have no such test, are stopped by a callback.
"""
GROUPS = {
    "small": "Problems of Moré, Garbow and Hillstrom, 2 to 12 variables",
    "medium": f"Scalable problems, about {MEDIUM} variables",
    "large": f"Scalable problems, about {LARGE} variables",
}


@dataclass(frozen=True)
class Task:
    """One cell of the experiment."""

    group: str
    name: str
    n: int
    relative: float
    method: str

    @property
    def problem(self) -> Problem:
        return collection.problem(self.name, self.n)


def _tasks() -> list[Task]:
    problems = [
        *(("small", problem) for problem in collection.more_garbow_hillstrom()),
        *(("medium", problem) for problem in collection.scalable(MEDIUM)),
        *(("large", problem) for problem in collection.scalable(LARGE)),
    ]
    return [
        Task(group, problem.name, problem.n or 0, relative, method)
        for group, problem in problems
        for relative in TOLERANCES
        for method in METHODS
        if group != "large" or method not in DENSE_METHODS
    ]


def _run(task: Task) -> Run:
    problem = task.problem
    size = float(np.linalg.norm(problem.gradient(problem.start)))
    return solve(task.method, problem, task.relative * size)


Results = dict[Task, Run]


def _all(workers: int) -> Results:
    tasks = _tasks()
    quiet = not sys.stderr.isatty()
    with ProcessPoolExecutor(workers) as pool:
        runs = pool.map(_run, tasks, chunksize=4)
        watched = track(runs, "minimising", len(tasks), console=Console(stderr=True), disable=quiet)
        return dict(zip(tasks, watched, strict=True))


def _select(results: Results, group: str, relative: float, method: str) -> dict[str, Run]:
    return {
        task.name: run
        for task, run in results.items()
        if (task.group, task.relative, task.method) == (group, relative, method)
    }


def _mean(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    return f"{math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f} ({len(ratios)})"


def _product_ratios(ours: dict[str, Run], peer: dict[str, Run], *, whole: bool) -> list[float]:
    """Ratios of products over problems that both solve; one is added against zeros."""
    return [
        (run.products + (run.evidence if whole else 0) + 1.0) / (peer[name].products + 1.0)
        for name, run in ours.items()
        if run.solved and peer[name].solved
    ]


def _cost_ratios(ours: dict[str, Run], peer: dict[str, Run]) -> list[float]:
    return [
        run.cost / peer[name].cost for name, run in ours.items() if run.solved and peer[name].solved
    ]


def _summary(results: Results, group: str, relative: float) -> _report.Table:
    reference = _select(results, group, relative, PEER)
    rows = []
    for method in METHODS:
        runs = _select(results, group, relative, method)
        if not runs:
            continue
        false = sum(run.claimed and not run.solved for run in runs.values())
        saddles = sum(run.claimed and run.curvature < -SADDLE for run in runs.values())
        raised = sum(run.error.endswith("Error") for run in runs.values())
        products = any(run.products for run in runs.values())
        rows.append(
            [
                method,
                f"{sum(run.solved for run in runs.values())} of {len(runs)}",
                str(false),
                str(saddles),
                str(raised),
                _mean(_product_ratios(runs, reference, whole=False)) if products else "-",
                _mean(_product_ratios(runs, reference, whole=True)) if products else "-",
                "-" if "exact" in method else _mean(_cost_ratios(runs, reference)),
            ]
        )
    return _report.Table(
        f"{GROUPS[group]}: ||g|| <= {relative:.0e} ||g0||",
        f"Ratios to {PEER}.",
        (
            "method",
            "solved",
            "false",
            "saddles",
            "raised",
            "products",
            "products with evidence",
            "cost",
        ),
        rows,
    )


def _details(results: Results, group: str, relative: float) -> _report.Table:
    ours = _select(results, group, relative, OURS)
    peer = _select(results, group, relative, PEER)
    sizes = {task.name: task.n for task in results if task.group == group}
    rows = []
    for name, run in ours.items():
        other = peer[name]
        rows.append(
            [
                name,
                str(sizes[name]),
                *(f"{r.products}{'' if r.solved else ' (not solved)'}" for r in (run, other)),
                str(run.evidence),
                f"{run.iterations} / {other.iterations}",
                f"{run.values} / {other.values}",
                f"{run.value:.6g}",
                f"{other.value:.6g}",
            ]
        )
    return _report.Table(
        f"{GROUPS[group]}, one by one: {relative:.0e}",
        f"{OURS} / {PEER}.",
        (
            "problem",
            "n",
            "products, tralgos",
            "products, trust-ncg",
            "evidence",
            "iterations",
            "values",
            "f, tralgos",
            "f, trust-ncg",
        ),
        rows,
    )


def tables(workers: int = 2, picture: Path | None = None) -> Iterator[_report.Table]:
    """The summaries, then the problems one by one."""
    results = _all(workers)
    if picture is not None:
        draw_profile(results, picture)
    for group in GROUPS:
        for relative in TOLERANCES:
            yield _summary(results, group, relative)
    for group in GROUPS:
        yield _details(results, group, TOLERANCES[-1])


def _profile(results: Results, relative: float, method: str, what: str) -> np.ndarray:
    """The ratio to the best method on each problem that all ran; infinite where not solved."""
    best: dict[tuple[str, str], float] = {}
    own: dict[tuple[str, str], float] = {}
    for task, run in results.items():
        if task.relative != relative or task.group == "large":
            continue
        if what == "products" and not run.products:
            continue
        spent = run.products + 1.0 if what == "products" else run.cost
        if not run.solved or (what == "cost" and "exact" in task.method):
            continue
        key = (task.group, task.name)
        best[key] = min(best.get(key, math.inf), spent)
        if task.method == method:
            own[key] = spent
    keys = {(task.group, task.name) for task in results if task.group != "large"}
    return np.sort([own.get(key, math.inf) / best.get(key, 1.0) for key in keys])


def draw_profile(results: Results, path: Path) -> None:
    """Performance profiles (Dolan and More 2002): products and cost, up to MEDIUM variables."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    colours = (
        "#0072b2",
        "#56b4e9",
        "#d55e00",
        "#e69f00",
        "#000000",
        "#cc79a7",
        "#009e73",
        "#999933",
    )
    styles = ("-", "-", "--", "--", ":", "-.", "-.", ":")
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharey=True, layout="constrained")
    for axis, what in zip(axes, ("products", "cost"), strict=True):
        for (method, colour), style in zip(zip(METHODS, colours, strict=True), styles, strict=True):
            ratios = _profile(results, TOLERANCES[-1], method, what)
            if not np.isfinite(ratios).any():
                continue
            shares = np.arange(1, ratios.size + 1) / ratios.size
            finite = np.isfinite(ratios)
            x = np.concatenate([[1.0], ratios[finite], [1e3]])
            y = np.concatenate([[np.mean(ratios <= 1.0)], shares[finite], [shares[finite][-1]]])
            axis.step(x, y, where="post", color=colour, linestyle=style, label=method)
        axis.set(xscale="log", xlim=(1, 64), ylim=(0, 1.02))
        axis.set_xticks([1, 2, 4, 8, 16, 32, 64], labels=["1", "2", "4", "8", "16", "32", "64"])
        axis.set_xlabel(f"{what} over those of the best method on the problem")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of the problems solved")
    axes[1].legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description=f"Measures anew what `{COMMAND}` writes.")
    parser.add_argument("--out", type=Path, help="write the tables to this file, as Markdown")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    _report.one_thread()
    picture = None
    if options.out is not None:
        picture = options.out.parent / "figures" / "minimisers.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
    found = []
    for table in tables(options.workers, picture):
        table.show()
        found.append(table)
    if options.out is not None:
        options.out.write_text(_page(found), encoding="utf-8")


def _page(found: Sequence[_report.Table]) -> str:
    text = _report.page(found, COMMAND)
    head = "# Minimisers side by side"
    picture = (
        "```{image} figures/minimisers.png\n"
        ":alt: Performance profiles at 1e-8: share of problems solved against the ratio to the "
        "best\n```\n\n"
    )
    text = text.replace("# Benchmarks", head, 1)
    first = text.index("## ")
    return text[:first] + LEGEND + "\n" + picture + text[first:]


if __name__ == "__main__":
    main()
