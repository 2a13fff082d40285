"""The tables of figure 2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from theory_checks.experiments.figure_2_cells import (
    DIGITS,
    EXACT,
    LAWS,
    OLS,
    SAMPLE,
    WIGNER,
)
from theory_checks.experiments.figure_2_data import RANDOM
from theory_checks.experiments.figure_2_fits import (
    Ratio,
    local_slope,
    ratio_of_means,
    run_slope,
    standard_errors,
)
from theory_checks.experiments.figure_2_laws import benchmarks, exact, expected, printed
from theory_checks.experiments.figure_2_models import HALF, NINETY, START
from theory_checks.experiments.figure_2_plan import (
    CONFIDENCE,
    GAUSSIAN,
    Found,
    Series,
    named,
    states,
)
from theory_checks.experiments.intervals import mean_interval
from theory_checks.experiments.outcome import Table
from tralgos.shares import expected_wigner_share_range, gaussian_ols_share, wigner_share

__all__ = ["shown", "slopes", "tables"]

_NONE = "-"


def shown(values: Sequence[float] | np.ndarray) -> str:
    """A mean with its interval, to three digits."""
    seen = mean_interval(values, CONFIDENCE)
    return f"{seen.mean:.3g} [{seen.low:.3g}, {seen.high:.3g}]"


def _or_none(value: float | None, form: str = ".4g") -> str:
    return _NONE if value is None else format(value, form)


def _errors(gap: float) -> str:
    return f"{gap:+.1f}" if math.isfinite(gap) else f"{gap:+}"


def _off(ratio: Ratio, law: float | None) -> str:
    """A share of the mean matrix less the law, in standard errors."""
    if law is None:
        return _NONE
    if ratio.error <= 1e-13 * law:
        return "+0.0" if abs(ratio.value - law) <= 1e-12 * law else _errors(math.inf)
    return _errors((ratio.value - law) / ratio.error)


def tables(found: Found) -> tuple[Table, ...]:
    """All of them."""
    return (
        _gaussian(found),
        _others(found),
        _digits(found),
        _models(found),
        _training(found),
        _slope_table(found),
        _sampled(found),
    )


# --- random matrices ----------------------------------------------------------------

_LAW_COLUMNS = ("formula", "share of E|A|", "expected share", "mean - formula", "ratio - E|A|")


def _law_line(found: Found, kind: str, law: str, d: int, n: int) -> tuple[str, ...]:
    shares = found.shares(kind, law, d, n)
    parts, wholes = found.masses(kind, law, d, n)
    formula, share, mean = printed(kind, d, n), exact(kind, law, d, n), expected(kind, law, d)
    return (
        shown(shares),
        f"{formula:.4g}",
        _or_none(share),
        _or_none(mean),
        _errors(standard_errors(shares, formula)),
        _off(ratio_of_means(parts, wholes), share),
    )


def _gaussian(found: Found) -> Table:
    plan = found.plan
    families = [(WIGNER, 0, plan.wigner), *((OLS, n, sizes) for n, sizes in plan.ols)]
    lines = [
        (_family(kind, n), str(d), *_law_line(found, kind, GAUSSIAN, d, n))
        for kind, n, sizes in families
        for d in sizes
    ]
    title = (
        f"Gaussian matrices: diagonal share, mean of {plan.runs} runs and 95% interval; the "
        "paper's formula; the exact share of the expected absolute matrix and the expected share "
        "(-: no closed form); then in standard errors the mean share less the formula, and the "
        "ratio of the mean masses less the exact share of E|A|"
    )
    return Table(title, ("matrix", "d", "mean share", *_LAW_COLUMNS), tuple(lines))


def _family(kind: str, n: int) -> str:
    return "Wigner" if kind == WIGNER else f"least squares, n = {n}"


def _others(found: Found) -> Table:
    plan, lines = found.plan, []
    for law in LAWS:
        for kind, n in ((WIGNER, 0), (OLS, plan.batch)):
            for d in plan.others:
                line = _law_line(found, kind, law, d, n)
                low, high = expected_wigner_share_range(d)
                bounds = f"{low:.3g} to {high:.3g}" if kind == WIGNER else _NONE
                lines.append((_family(kind, n), law, str(d), *line, bounds))
    title = (
        "other laws of the entries: diagonal share as above, and the range of the expected share "
        "that holds for every law"
    )
    headings = ("matrix", "law", "d", "mean share", *_LAW_COLUMNS, "range")
    return Table(title, headings, tuple(lines))


def _digits(found: Found) -> Table:
    plan, lines = found.plan, []
    for data, sizes in plan.digits:
        for d in sizes:
            shares = found.shares(DIGITS, data, d, plan.batch)
            law = printed(OLS, d, plan.batch)
            lines.append((data, str(d), shown(shares), f"{np.mean(shares) / law:.2f}"))
    title = (
        f"least squares on {plan.batch} digits: diagonal share, mean of {plan.runs} runs and 95% "
        "interval, and as a multiple of the paper's formula"
    )
    return Table(title, ("features", "d", "mean share", "x formula"), tuple(lines))


# --- models -------------------------------------------------------------------------


def _models(found: Found) -> Table:
    plan, lines = found.plan, []
    for kind, data, sizes in plan.models:
        for state in states(data):
            for d in sizes:
                shares = found.shares(kind, data, d, plan.batch, state)
                lines.append((kind, data, state, str(d), *_model_line(shares, d, plan.batch)))
    title = (
        f"Hessians of models on {plan.batch} examples: diagonal share, mean and 95% interval of "
        f"the runs (out of {plan.runs}) that came to the state, and as a multiple of the formulas "
        "for Wigner matrices and for least squares with as many parameters; estimated from "
        f"{SAMPLE} columns where d > {EXACT}"
    )
    headings = (
        "model",
        "inputs",
        "state",
        "d",
        "runs",
        "mean share",
        "x Wigner",
        "x least squares",
    )
    return Table(title, headings, tuple(lines))


def _model_line(shares: list[float], d: int, n: int) -> tuple[str, ...]:
    if len(shares) < 2:
        return (str(len(shares)), *(_NONE,) * 3)
    multiples = (f"{np.mean(shares) / law:.3g}" for law in benchmarks(d, n).values())
    return (str(len(shares)), shown(shares), *multiples)


def _training(found: Found) -> Table:
    plan, lines = found.plan, []
    for kind, data, sizes in plan.models:
        if data == RANDOM:
            continue
        for d in sizes:
            every = found.every(kind, data, d, plan.batch)
            live = np.mean([one["live"] for one in every])
            there = [one for one in every if NINETY in one["shares"]]
            steps = f"{np.median([one['steps'] for one in there]):.0f}" if there else _NONE
            means = (
                f"{np.mean([one['accuracies'][state] for one in there]):.2f}" if there else _NONE
                for state in (START, HALF)
            )
            line = (kind, data, str(d), f"{live / d:.2f}", f"{len(there)}/{len(every)}", steps)
            lines.append((*line, *means))
    title = (
        "training on the digits: the part of the parameters whose row of the Hessian need not "
        f"vanish on {plan.batch} digits (mean), runs that came to 90% training accuracy, RMSProp "
        "steps until then (median), accuracy at the start and half-way (means of these runs)"
    )
    headings = ("model", "inputs", "d", "live rows", "at 90%", "steps", "at start", "half-way")
    return Table(title, headings, tuple(lines))


def _sampled(found: Found) -> Table:
    plan, lines = found.plan, []
    for kind, data, sizes in plan.models:
        held, widths = [], []
        for d in (d for d in sizes if d <= EXACT):
            for one in found.every(kind, data, d, plan.batch):
                for state, (share, low, high) in one["sampled"].items():
                    held.append(low <= one["shares"][state] <= high)
                    widths.append((high - low) / (2.0 * share))
        if held:
            part = f"{np.mean(held):.3f}"
            lines.append((kind, data, str(len(held)), part, f"{np.median(widths):.3f}"))
    title = (
        f"the estimate from {SAMPLE} columns where d > {2 * SAMPLE}, against the share "
        "from all columns: number of estimates, the part of the 95% intervals that held it, "
        "and half their length relative to the share (median)"
    )
    headings = ("model", "inputs", "estimates", "held", "half length / share")
    return Table(title, headings, tuple(lines))


# --- slopes -------------------------------------------------------------------------


def slopes(found: Found) -> Iterator[tuple[str, Series, list[float]]]:
    """Every family over which a slope is fitted: its name, its shares, its law or an empty list."""
    plan = found.plan
    series = found.series(WIGNER, GAUSSIAN, plan.wigner, 0)
    yield "Wigner", series, [wigner_share(d) for d in series.sizes]
    for n, sizes in plan.ols:
        series = found.series(OLS, GAUSSIAN, sizes, n)
        yield f"least squares, n = {n}", series, [gaussian_ols_share(d, n) for d in series.sizes]
    for data, sizes in plan.digits:
        yield f"digits, {data}", found.series(DIGITS, data, sizes, plan.batch), []
    for kind, data, sizes in plan.models:
        for state in states(data):
            yield named(kind, data, state), found.series(kind, data, sizes, plan.batch, state), []


def _slope_table(found: Found) -> Table:
    lines = []
    n = found.plan.batch
    for name, series, laws in slopes(found):
        if not series.spans_a_decade:
            continue
        seen = run_slope(series.sizes, series.runs, CONFIDENCE)
        end = series.last_decade
        last = run_slope(end.sizes, end.runs, CONFIDENCE) if len(end.sizes) > 2 else None
        own = f"{local_slope(series.sizes, laws):.3f}" if laws else _NONE
        formula = local_slope(series.sizes, [printed(OLS, d, n) for d in series.sizes])
        over = f"{series.sizes[0]} to {series.sizes[-1]}, {len(series.sizes)} sizes"
        later = _NONE if last is None else last.shown(3)
        lines.append((name, over, seen.shown(3), own, f"{formula:.3f}", later))
    title = (
        "slope of E log share in log d: mean and 95% interval of the slopes of the runs; beside "
        "it, of other averages, the slope of the family's own law, the share of the expected "
        f"absolute matrix, and of the least-squares formula (n = {n}), both over the same "
        "d; the slope over the last decade of d alone (left out: families over less than a decade)"
    )
    headings = ("family", "over d", "slope", "its law", "least squares formula", "last decade")
    return Table(title, headings, tuple(lines))
