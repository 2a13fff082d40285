"""Section 4.1 of the sphere-descent paper as an outcome: table, sentences, picture."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from theory_checks.claim import Level
from theory_checks.experiments import section_4_1
from theory_checks.experiments.ensemble import ALPHA, LAMBDAS, SHARE, interval
from theory_checks.experiments.outcome import Choice, Outcome, Sentence, Table, Watcher, answer
from theory_checks.experiments.section_4_1 import Results, Row

__all__ = ["HEADINGS", "run", "shown"]

HEADINGS = (
    "lambda",
    "t* (mean)",
    "95% interval",
    "bound (10)",
    "fit",
    "iterations",
    "true gap",
    "certified",
    "printed form",
)

#: A step is global here when its true gap is below this share of the decrease.
_GLOBAL = 1e-8
_ACCURATE = 0.9


def shown(rows: list[Row]) -> list[list[str]]:
    """The rows as text."""
    return [
        [
            f"{row.shift:.0f}",
            f"{row.phase_one:.1f}",
            f"[{row.low:.1f}, {row.high:.1f}]",
            f"{row.bound:.1f}",
            f"{row.fit:.1f}",
            str(row.iterations),
            f"{row.gap:.1e}",
            f"{row.certified:.1e}",
            f"{row.printed_gap:.1e}",
        ]
        for row in rows
    ]


def run(level: Level, seed: int, watcher: Watcher) -> Outcome:
    """The experiment at a level."""
    watcher.of(1)
    watcher.at("section 4.1")
    results = section_4_1.run_all(level, seed)
    rows = section_4_1.table(results)
    watcher.done()
    title = (
        f"phase I in iterations (mean of {len(results.lengths)} samples), n = {results.dimension};"
        " gaps over the optimal decrease"
    )
    table = Table(title, HEADINGS, tuple(tuple(line) for line in shown(rows)))
    return Outcome(
        (table,),
        _sentences(results, rows),
        (
            Choice("n", f"{results.dimension}"),
            Choice("eta", f"{SHARE} over the largest ||H|| of all lambda"),
            Choice("the start's length", f"{ALPHA} of the radius, which is 1"),
        ),
        {"phase I": "iterations", "gaps": "of q, over the optimal decrease"},
        {
            "rows": [asdict(row) for row in rows],
            "lengths": results.lengths.tolist(),
            "lambdas": list(LAMBDAS),
            "fit": asdict(results.fit),
        },
        {"efficient-tr-section-4-1.png": section_4_1.picture(results)},
    )


def _exact(says: str, statistic: str, value: float, verdict: bool, note: str = "") -> Sentence:
    return Sentence(says, statistic, value, value, value, "yes" if verdict else "no", note)


def _sentences(results: Results, rows: list[Row]) -> tuple[Sentence, ...]:
    rises = max(float(np.diff(run.values).max(initial=0.0)) for run in results.runs)
    worst, printed = max(row.gap for row in rows), max(row.printed_gap for row in rows)
    inside = min(run.phase_one / len(run.values) for run in results.runs)
    longest = max(run.phase_one for run in results.runs)
    fall, low, high = interval((results.lengths[:, 0] - results.lengths[:, -1]).tolist())
    explained = results.fit.explained
    return (
        _exact(
            "the iterates first stay inside the sphere for a few iterations, then on it",
            "iterations inside, at most; yes if every run has both phases",
            float(longest),
            0.0 < inside < 1.0,
        ),
        _exact("q falls throughout", "largest rise of q; yes if <= 1e-12", rises, rises <= 1e-12),
        _exact(
            "the end is the global minimum",
            f"largest relative gap over all lambda; yes if <= {_GLOBAL:g}",
            worst,
            worst <= _GLOBAL,
            f"of the safe form; the printed one ends with {printed:.1e}",
        ),
        Sentence(
            "phase I is shorter for larger lambda",
            f"t* at lambda {LAMBDAS[0]:g} less t* at {LAMBDAS[-1]:g}, 95% interval; yes if > 0",
            fall,
            low,
            high,
            answer(low, high),
        ),
        _exact(
            "the fit of (10) is quite accurate",
            f"R^2 of the fit to the mean lengths; yes if >= {_ACCURATE}",
            explained,
            explained >= _ACCURATE,
            "that of the fit, whose constants are not those of the bound",
        ),
    )
