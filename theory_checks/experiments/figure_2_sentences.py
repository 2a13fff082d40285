"""What the paper says of figure 2, and what is often concluded from it, judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from theory_checks.experiments.figure_2_cells import GAUSS_NEWTON
from theory_checks.experiments.figure_2_data import RANDOM
from theory_checks.experiments.figure_2_fits import run_slope
from theory_checks.experiments.figure_2_laws import benchmarks
from theory_checks.experiments.figure_2_models import HALF, NINETY, START
from theory_checks.experiments.figure_2_plan import (
    CONFIDENCE,
    GAUSSIAN,
    Found,
    Series,
    named,
    states,
)
from theory_checks.experiments.intervals import Interval, mean_interval
from theory_checks.experiments.outcome import Sentence, answer

__all__ = ["above", "sentences"]

#: What counts as much larger, as close, and as a slope of -1.
_MUCH, _CLOSE, _FLAT = 3.0, 2.0, 0.1


def sentences(found: Found) -> tuple[Sentence, ...]:
    """All of them."""
    plan = found.plan
    own: list[Sentence] = []
    others: list[Sentence] = []
    for kind, data, sizes in plan.models:
        for state in states(data):
            series = found.series(kind, data, sizes, plan.batch, state)
            name = named(kind, data, state)
            if state == GAUSS_NEWTON:
                others += _one_over_d(name, series)
            elif len(series.sizes) >= 2:
                first, *rest = _of_model(name, series, plan.batch)
                own.append(first)
                others += rest
        if data != RANDOM:
            others += _of_training(found, kind, data, sizes)
    return (_wigner_order(found), *own, _overall(own), *others)


def _overall(parts: Sequence[Sentence]) -> Sentence:
    answers = [part.answer for part in parts]
    verdict = "no" if "no" in answers else "can't tell" if "can't tell" in answers else "yes"
    return Sentence(
        "the diagonal mass of neural networks stays above both benchmarks for random inputs as "
        "well as with real-world data",
        f"yes to all {len(parts)} above; no if one of them is no: {answers.count('yes')} yes, "
        f"{answers.count('no')} no",
        None,
        None,
        None,
        verdict,
    )


def _wigner_order(found: Found) -> Sentence:
    """The share falls with O(1/d): d times it stays below 2, the bound for all laws."""
    series = found.series("wigner", GAUSSIAN, found.plan.wigner, 0)
    scaled = series.runs * np.array(series.sizes)
    worst = int(np.argmax(np.mean(scaled, axis=0)))
    seen = mean_interval(scaled[:, worst], _simultaneous(len(series.sizes)))
    return Sentence(
        "Wigner: the share of diagonal mass falls with O(1/d)",
        f"d times the mean share, at d = {series.sizes[worst]} where it is largest; yes if < 2",
        seen.mean,
        seen.low,
        seen.high,
        answer(seen.low, seen.high, 2.0, above=False),
    )


def _simultaneous(count: int) -> float:
    """The confidence of each of so many intervals that are to hold all together (Bonferroni)."""
    return 1.0 - (1.0 - CONFIDENCE) / count


def _log_ratios(series: Series, laws: Sequence[float]) -> list[Interval]:
    """Of log10 share / law, at each size; they hold together."""
    logs = np.log10(series.runs / np.array(laws))
    confidence = _simultaneous(len(series.sizes))
    return [mean_interval(column, confidence) for column in logs.T]


def above(seen: Sequence[Interval], limit: float) -> str:
    """Whether all are above a limit: no if one of them is below it."""
    answers = [answer(one.low, one.high, limit) for one in seen]
    if "no" in answers:
        return "no"
    return "can't tell" if "can't tell" in answers else "yes"


def _lowest(
    says: str, what: str, series: Series, seen: Sequence[Interval], limit: float
) -> Sentence:
    """A sentence that asks for every size to be above a limit."""
    worst = int(np.argmin([one.mean for one in seen]))
    below = sum(one.high < limit for one in seen)
    note = f"below at {below} of {len(seen)} sizes" if below else ""
    return Sentence(
        says,
        f"log10 of {what}, at d = {series.sizes[worst]} where it is least; yes if > {limit:.3g} at "
        "every d, all intervals at 95% together",
        seen[worst].mean,
        seen[worst].low,
        seen[worst].high,
        above(seen, limit),
        note,
    )


def _of_model(name: str, series: Series, n: int) -> Iterator[Sentence]:
    laws = [benchmarks(d, n) for d in series.sizes]
    higher = _log_ratios(series, [max(law.values()) for law in laws])
    wigner = _log_ratios(series, [law["Wigner"] for law in laws])
    squares = _log_ratios(series, [law["least squares"] for law in laws])
    says = f"the diagonal mass stays above both benchmarks: {name}"
    yield _lowest(says, "the share over the larger formula", series, higher, 0.0)
    says = f"(much larger than Wigner's, {_MUCH:g} times: {name})"
    yield _lowest(says, "the share over 1/d", series, wigner, float(np.log10(_MUCH)))
    yield _near(f"(close to least squares, within a factor {_CLOSE:g}: {name})", series, squares)
    yield from _one_over_d(name, series)


def _near(says: str, series: Series, seen: Sequence[Interval]) -> Sentence:
    limit = float(np.log10(_CLOSE))
    worst = int(np.argmax([abs(one.mean) for one in seen]))
    inside = all(-limit < one.low and one.high < limit for one in seen)
    outside = any(one.low > limit or one.high < -limit for one in seen)
    return Sentence(
        says,
        f"log10 of the share over the least-squares formula, at d = {series.sizes[worst]} where it "
        f"is farthest from 0; yes if within +-{limit:.3g} at every d, all at 95% together",
        seen[worst].mean,
        seen[worst].low,
        seen[worst].high,
        "yes" if inside else "no" if outside else "can't tell",
    )


def _one_over_d(name: str, series: Series) -> Iterator[Sentence]:
    if not series.spans_a_decade:
        return
    seen = run_slope(series.sizes, series.runs, CONFIDENCE)
    inside = abs(seen.low + 1.0) < _FLAT and abs(seen.high + 1.0) < _FLAT
    outside = seen.low > _FLAT - 1.0 or seen.high < -_FLAT - 1.0
    yield Sentence(
        f"(falls like 1/d: {name})",
        f"slope of the log share in log d, d = {series.sizes[0]} to {series.sizes[-1]}; yes if "
        f"within {_FLAT:g} of -1",
        seen.mean,
        seen.low,
        seen.high,
        "yes" if inside else "no" if outside else "can't tell",
    )


def _of_training(found: Found, kind: str, data: str, sizes: Sequence[int]) -> Iterator[Sentence]:
    n = found.plan.batch
    for before, after in ((START, HALF), (HALF, NINETY), (START, NINETY)):
        last = found.series(kind, data, sizes, n, NINETY).sizes
        if not last:
            continue
        first, second = (found.series(kind, data, last, n, state) for state in (before, after))
        # A run has the same data and batch in all states, so that differences are of one run.
        gains = np.mean(np.log10(second.runs / first.runs), axis=1)
        seen = mean_interval(gains, CONFIDENCE)
        over = ", ".join(map(str, last))
        yield Sentence(
            f"(the share grows while training: {kind}, {data}, from {before} to {after})",
            f"log10 of the share {after} over that at {before}, mean over d = {over}; yes if > 0",
            seen.mean,
            seen.low,
            seen.high,
            answer(seen.low, seen.high),
        )
