"""What the CurveBall paper says about its table 1, sentence by sentence, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Sentence, answer
from theory_checks.experiments.table_1_plan import WHOLE_STEPS, Found
from theory_checks.experiments.table_1_protocol import (
    ADAM,
    BFGS,
    COLUMNS,
    CURVEBALL,
    EXACT,
    MARQUARDT,
    MOMENTUM,
    NOISES,
    PAPER,
    PLAIN,
    ROWS,
)
from theory_checks.experiments.table_1_tables import mean_of

__all__ = ["sentences"]

CONFIDENCE = 0.95

_FIRST_ORDER = (MOMENTUM, ADAM)
_SECOND_ORDER = (MARQUARDT, BFGS, EXACT, CURVEBALL)

#: Twice as many iterations still count as comparable, and as close.
_CLOSE = math.log10(2.0)

#: Draws of a bootstrap.
_DRAWS = 2000

#: Stands for no iteration at all in a logarithm.
_TINY = 0.5


def sentences(found: Found) -> tuple[Sentence, ...]:
    """Those of section 4, in the paper's order."""
    return (
        *(_poorly(found, column) for column in COLUMNS),
        *(_varying(found, column) for column in COLUMNS),
        _best(found),
        *(_closely(found, column) for column in COLUMNS),
        *(_comparable(found, column) for column in COLUMNS),
        _better(found),
        *_noisy(found),
    )


def _logs(found: Found, column: str, row: str) -> np.ndarray:
    """log10 of the iterations, run by run; NaN for a run that never arrived."""
    counts = found.row("table", column, row).iterations
    return np.array([math.nan if n is None else math.log10(max(n, _TINY)) for n in counts])


def _judged(
    says: str,
    statistic: str,
    values: np.ndarray,
    limit: float = 0.0,
    *,
    above: bool,
    note: str = "",
) -> Sentence:
    """By the mean over the runs in which both arrived."""
    seen = values[np.isfinite(values)]
    missing = len(values) - len(seen)
    if missing:
        left_out = f"{missing} runs that never arrived are left out"
        note = f"{note}; {left_out}" if note else left_out
    statistic = f"{statistic}; yes if {'>' if above else '<'} {limit:.3g}"
    if len(seen) < 2:
        return Sentence(says, statistic, None, None, None, "can't tell", note)
    mean = mean_interval(seen, CONFIDENCE)
    verdict = answer(mean.low, mean.high, limit, above=above)
    return Sentence(says, statistic, mean.mean, mean.low, mean.high, verdict, note)


def _poorly(found: Found, column: str) -> Sentence:
    first = np.fmin(*(_logs(found, column, row) for row in _FIRST_ORDER))
    second = np.array([_logs(found, column, row) for row in _SECOND_ORDER])
    return _judged(
        f"first-order methods perform poorly in all cases: {column}",
        "log10 of iterations, the better of SGD and Adam over the slowest of the others",
        first - np.max(second, axis=0),
        _CLOSE,
        above=True,
    )


def _varying(found: Found, column: str) -> Sentence:
    """By a bootstrap over the runs."""
    i = COLUMNS.index(column)
    rng = np.random.default_rng([i, 5])
    runs = {row: found.row("table", column, row).reached for row in ROWS}
    says = f"and show a very high variance of results: {column}"
    statistic = (
        "log10 of standard deviation over mean, that of SGD and Adam less that of the others "
        "(means over the methods; the deviation at least 0.29, that of rounding); yes if > 0"
    )
    printed = _excess({row: PAPER[row][i][1] / PAPER[row][i][0] for row in ROWS})
    note = f"the paper's own table gives {printed:.2f}"
    if min(len(counts) for counts in runs.values()) < 2:
        return Sentence(says, statistic, None, None, None, "can't tell", note)
    absolute = 10.0 ** _excess({row: _deviation(counts) for row, counts in runs.items()})
    theirs = 10.0 ** _excess({row: PAPER[row][i][1] for row in ROWS})
    note += (
        "; deviations in iterations, not relative to the mean, of first order are "
        f"{absolute:.2g} times those of the others, in the paper {theirs:.2g} times"
    )
    drawn = _excess({row: _relative(_redrawn(counts, rng)) for row, counts in runs.items()})
    value = float(_excess({row: _relative(counts) for row, counts in runs.items()}))
    low, high = (float(q) for q in np.quantile(drawn, [0.025, 0.975]))
    return Sentence(says, statistic, value, low, high, answer(low, high), note)


def _redrawn(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Many samples of the same size, with replacement, one a row."""
    return np.asarray(counts[rng.integers(len(counts), size=(_DRAWS, len(counts)))])


def _deviation(counts: np.ndarray) -> np.ndarray:
    """Runs that all take as long have the deviation of rounding to whole iterations."""
    return np.asarray(np.maximum(np.std(counts, axis=-1, ddof=1), math.sqrt(1.0 / 12.0)))


def _relative(counts: np.ndarray) -> np.ndarray:
    return np.asarray(_deviation(counts) / np.maximum(np.mean(counts, axis=-1), _TINY))


def _excess(sizes: Mapping[str, np.ndarray | float]) -> np.ndarray:
    """Mean log10 of the first-order rows less that of the others."""

    def mean(rows: Sequence[str]) -> np.ndarray:
        return np.asarray(np.mean([np.log10(sizes[row]) for row in rows], axis=0))

    return np.asarray(mean(_FIRST_ORDER) - mean(_SECOND_ORDER))


def _led_by_exact(means: dict[str, Sequence[float]]) -> list[str]:
    """Columns in which no method has a lower mean; a tie counts."""
    return [
        column
        for i, column in enumerate(COLUMNS)
        if means[EXACT][i] <= min(means[row][i] for row in ROWS)
    ]


def _best(found: Found) -> Sentence:
    ours = _led_by_exact(
        {row: [mean_of(found, "table", column, row) for column in COLUMNS] for row in ROWS}
    )
    printed = _led_by_exact({row: [mean for mean, _ in PAPER[row]] for row in ROWS})
    count = float(len(ours))
    whole = ", ".join(found.measured("rival", column, *WHOLE_STEPS).shown for column in COLUMNS)
    return Sentence(
        "the exact Hessian generally performs best",
        f"columns, of {len(COLUMNS)}, in which no mean is lower; yes if > 2",
        count,
        count,
        count,
        "yes" if count > 2.0 else "no",
        f"here: {', '.join(ours) or 'none'}; in the paper's own table: {', '.join(printed)}; "
        f"with every whole step taken it needs {whole} in the four columns",
    )


def _closely(found: Found, column: str) -> Sentence:
    ours, exact = (mean_of(found, "table", column, row) for row in (MARQUARDT, EXACT))
    return _judged(
        f"it is followed closely by Levenberg-Marquardt: {column}",
        "log10 of iterations, Levenberg-Marquardt over exact Hessian",
        _logs(found, column, MARQUARDT) - _logs(found, column, EXACT),
        _CLOSE,
        above=False,
        note="it is ahead" if ours < exact else "",
    )


def _comparable(found: Found, column: str) -> Sentence:
    rivals = np.array([_logs(found, column, row) for row in (EXACT, MARQUARDT)])
    return _judged(
        f"CurveBall's performance is comparable: {column}",
        "log10 of iterations, CurveBall over the better of exact Hessian and Levenberg-Marquardt",
        _logs(found, column, CURVEBALL) - np.min(rivals, axis=0),
        _CLOSE,
        above=False,
    )


def _better(found: Found) -> Sentence:
    columns = [
        column
        for column in COLUMNS
        if min(mean_of(found, "table", column, row) for row in (EXACT, MARQUARDT))
        > mean_of(found, "table", column, CURVEBALL)
    ]
    count = float(len(columns))
    return Sentence(
        "and sometimes better",
        "columns in which its mean is below those of exact Hessian and Levenberg-Marquardt; yes "
        "if > 0",
        count,
        count,
        count,
        "yes" if columns else "no",
        ", ".join(columns),
    )


def _noisy(found: Found) -> tuple[Sentence, ...]:
    names = tuple(NOISES)
    pairs = ((names[1], PLAIN), (names[2], names[1]))
    own = {column: _logs(found, column, BFGS) for column in names}
    return tuple(
        _judged(
            f"BFGS correlates negatively with the level of noise: {more} after {less}",
            f"log10 of iterations of BFGS, {more} over {less}",
            own[more] - own[less],
            above=True,
            note="the expected function has half the weight at U[0, 1], one and a half times at "
            "U[0, 3]: not the noise alone changes",
        )
        for more, less in pairs
    )
