"""The tables and the sentence of figure D.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scipy.stats import norm

from theory_checks.experiments.figure_2_fits import weighted_slope
from theory_checks.experiments.figure_2_laws import exact
from theory_checks.experiments.figure_d2_plan import (
    CONFIDENCE,
    RATIO,
    SHARE,
    Found,
    Gap,
    exact_gap,
    supremum,
)
from theory_checks.experiments.outcome import Sentence, Table
from tralgos.shares import asymptotic_ols_share

__all__ = ["half", "resolved", "sentences", "tables"]

_NONE = "-"

#: An error has to be so many standard errors to have a place in a slope.
_RESOLVED = 4.0

#: What can just be seen in a plot with a linear axis.
_SEEN = 0.02

#: From here on n is small, not tiny.
_SMALL = 4

_NAMES = {SHARE: "expected share", RATIO: "share of E|H|"}


def half(error: float, confidence: float = CONFIDENCE) -> float:
    """Half the length of an interval, normal: the runs are many."""
    return float(norm.ppf(0.5 + 0.5 * confidence)) * error


def tables(found: Found) -> tuple[Table, ...]:
    """All of them."""
    return _averages(found), _largest(found), _slopes(found)


def _averages(found: Found) -> Table:
    plan, lines = found.plan, []
    for data, sizes in plan.sizes.items():
        for n in plan.shown_n:
            for d in (d for d in plan.shown_d if d in sizes):
                lines.append((data, str(n), str(d), *_average_line(found, data, d, n)))
    title = (
        "diagonal share of least squares: the mean over the runs, which measures the expected "
        "share, and the ratio of the mean masses, which measures the share of E|H|, each with its "
        "95% interval; the paper's formula, and the exact share of E|H| (-: no closed form)"
    )
    headings = ("data", "n", "d", "runs", "mean share", "ratio", "formula", "share of E|H|")
    return Table(title, headings, tuple(lines))


def _average_line(found: Found, data: str, d: int, n: int) -> tuple[str, ...]:
    seen = found.at(data, d, n)
    share, ratio = (
        f"{value:.5f} +- {half(error):.5f}"
        for value, error in (
            (seen["share"], seen["error"]),
            (seen["ratio"], seen["ratio_error"]),
        )
    )
    known = exact("ols", data, d, n)
    runs = str(found.plan.cell(data, d, n, found.seed).runs)
    formula = f"{asymptotic_ols_share(d, n):.5f}"
    return runs, share, ratio, formula, _NONE if known is None else f"{known:.5f}"


def _largest(found: Found) -> Table:
    plan, lines = found.plan, []
    for data in plan.sizes:
        for n in plan.examples:
            cells = []
            for average in (SHARE, RATIO):
                gap = found.largest(data, n, average)
                cells += [f"{gap.value:+.4f} +- {half(gap.error):.4f}", str(gap.d)]
            law = supremum(data, n)
            lines.append((data, str(n), *cells, _NONE if law is None else f"{law:.4f}"))
    title = (
        "the largest error of the formula over the d that were looked at, with its 95% interval "
        "and where it is, as expected share and as share of E|H|; the exact largest error of the "
        "latter over all d"
    )
    headings = ("data", "n", "expected share", "at d", "share of E|H|", "at d", "exact, all d")
    return Table(title, headings, tuple(lines))


def resolved(gaps: Iterable[Gap]) -> list[Gap]:
    """The errors that stand out of their noise, with the sign that the last of them has."""
    found = [gap for gap in gaps if abs(gap.value) > _RESOLVED * gap.error]
    return [gap for gap in found if (gap.value > 0.0) == (found[-1].value > 0.0)]


def _slopes(found: Found) -> Table:
    plan = found.plan
    lines: list[tuple[str, ...]] = []
    for data, sizes in plan.sizes.items():
        for average in (SHARE, RATIO):
            largest = [found.largest(data, n, average) for n in plan.examples]
            lines += _slope_line(data, "largest", average, largest)
            for d in sizes:
                gaps = [found.gap(data, d, n, average) for n in plan.examples]
                lines += _slope_line(data, str(d), average, gaps)
    title = (
        "slope of log |error| in log n, of the largest error over d and at each d, weighted by the "
        "standard errors, with its 95% interval, over the n at which the error is more than "
        f"{_RESOLVED:g} of them and has the sign of the last one (left out: fewer than three such "
        "n); with the same weights the slope of the exact error of the share of E|H|"
    )
    return Table(title, ("data", "d", "average", "over n", "slope", "exact"), tuple(lines))


def _slope_line(data: str, d: str, average: str, every: list[Gap]) -> Iterator[tuple[str, ...]]:
    gaps = resolved(every)
    if len(gaps) < 3:
        return
    n = [gap.n for gap in gaps]
    values, errors = [gap.value for gap in gaps], [gap.error for gap in gaps]
    # Errors that are exactly known are as good as rounding.
    errors = [max(error, 1e-12 * abs(value)) for error, value in zip(errors, values, strict=True)]
    seen = weighted_slope(n, values, errors, CONFIDENCE)
    laws = [exact_gap(data, gap.d, gap.n) for gap in gaps]
    known = [law for law in laws if law is not None]
    own = _NONE
    if average == RATIO and len(known) == len(gaps):
        same = [e * law / v for e, law, v in zip(errors, known, values, strict=True)]
        own = f"{weighted_slope(n, known, same, CONFIDENCE).mean:.2f}"
    yield data, d, _NAMES[average], ", ".join(map(str, n)), seen.shown(), own


def sentences(found: Found) -> tuple[Sentence, ...]:
    """Does it hold already for small n? As what is plotted, and as what is proved."""
    return tuple(
        _holds(found, data, average) for average in (SHARE, RATIO) for data in found.plan.sizes
    )


def _holds(found: Found, data: str, average: str) -> Sentence:
    small = [n for n in found.plan.examples if n >= _SMALL]
    gaps = [found.gap(data, d, n, average) for d in found.plan.sizes[data] for n in small]
    confidence = 1.0 - (1.0 - CONFIDENCE) / len(gaps)
    worst = max(gaps, key=lambda gap: abs(gap.value))
    low, high = (
        [abs(gap.value) + sign * half(gap.error, confidence) for gap in gaps] for sign in (-1, 1)
    )
    verdict = "can't tell"
    if max(high) < _SEEN:
        verdict = "yes"
    elif max(low) > _SEEN:
        verdict = "no"
    reach = half(worst.error, confidence)
    return Sentence(
        f"the formula holds already for small n: {data}, {_NAMES[average]}",
        f"largest |error| over d and n >= {_SMALL}, at d = {worst.d}, n = {worst.n}; yes if < "
        f"{_SEEN:g} everywhere, all intervals at 95% together",
        abs(worst.value),
        max(0.0, abs(worst.value) - reach),
        abs(worst.value) + reach,
        verdict,
    )
