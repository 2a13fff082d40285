"""The share of an operator from sampled columns: exact over all of them, and its coverage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from scipy.stats import t as t_law

from theory_checks.claim import (
    Claim,
    Condition,
    Form,
    Instance,
    Margins,
    Sabotage,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import PAPER
from theory_checks.claims.adaptive_norms.shares_coverage import Products, coverage_figures
from theory_checks.precise import precise, real
from tralgos.shares import ShareEstimate, diagonal_share

__all__ = ["claims"]


#: What a sabotage does to an estimate.
Change = Callable[[ShareEstimate], ShareEstimate]


def _instance(rows: list[list[float]], columns: int = 2, seed: int = 0) -> Instance:
    return {"rows": rows, "columns": columns, "seed": seed}


def _share(rows: list[list[float]]) -> Fraction:
    exact = [[abs(Fraction(x)) for x in row] for row in rows]
    on = sum((exact[i][i] for i in range(len(rows))), Fraction(0))
    return on / sum((sum(row, Fraction(0)) for row in exact), Fraction(0))


@dataclass(frozen=True)
class _Oracle:
    """Exactly: the corrected ratio of the columns seen, the variance and the third moment of its
    error, the number of columns of equal mass and variance that would say as much, and the least
    part of the mass that is left beside a column.
    """

    share: Fraction
    variance: Fraction
    third: Fraction
    effective: Fraction
    room: Fraction


def _oracle(rows: list[list[float]], seen: list[int]) -> _Oracle:
    n, k, zero = len(rows), len(seen), Fraction(0)
    y = [abs(Fraction(rows[j][j])) for j in seen]
    x = [sum((abs(Fraction(row[j])) for row in rows), zero) for j in seen]
    missed, total = 1 - Fraction(k, n), sum(x, zero)
    ratio = sum(y, zero) / total
    parts = [b / total for b in x]
    residuals = [a / total - ratio * part for a, part in zip(y, parts, strict=True)]
    pairs = list(zip(residuals, parts, strict=True))
    correction = missed * Fraction(k, k - 1) * sum((e * part for e, part in pairs), zero)
    terms = [missed * e * e / (1 - part) for e, part in pairs]
    variance, third = sum(terms, zero), missed * sum((e**3 for e in residuals), zero)
    effective = sum((p**2 for p in parts), zero) ** 2 / sum((p**4 for p in parts), zero)
    spread = sum((v * v for v in terms), zero) - variance**2 / k
    if spread > 0:
        effective = min(effective, 1 + 2 * variance**2 / spread)
    return _Oracle(ratio + correction, variance, third, effective, 1 - max(parts))


def _interval(found: ShareEstimate, exact: _Oracle) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Of the log-odds, from the share, its standard error and the skewness; at least as long as
    the rule of three has it. The ends, and how far errors of the residuals move each by
    the skewness, in multiples of those: it is a cube of their ratio to the standard error.
    """
    share, t = real(found.share), real(t_law.ppf(0.975, found.effective_columns - 1))
    error, n = real(found.standard_error), found.order
    missing = precise().log(20) / (n * -precise().log(1 - real(found.columns) / n))
    skewness = real(exact.third) / error**3 if error > 0 else real(0)
    more = min(abs(skewness), real(1)) * (1 + 2 * t * t) / 6
    below = (t + (more if skewness < 0 else 0)) * error if error > 0 else real(0)
    above = (t + (more if skewness > 0 else 0)) * error if error > 0 else real(0)
    if not 0 < share < 1:
        low, high = share - max(below, missing), share + max(above, missing)
        moved = (1 + 2 * t * t) / 6 * (3 + error)
        return (max(real(0), low), min(real(1), high)), (moved, moved)
    scale = share * (1 - share)
    down = precise().exp(max(below / scale, missing))
    up = precise().exp(max(above / scale, missing))
    low, high = share / (share + (1 - share) * down), share / (share + (1 - share) / up)
    moved = (1 + 2 * t * t) / 6 * (3 + error) / scale
    return (low, high), (moved * low * (1 - low), moved * high * (1 - high))


def _same(estimate: ShareEstimate) -> ShareEstimate:
    return estimate


def _margins(instance: Instance, change: Change = _same) -> Margins:
    rows, columns = instance["rows"], instance["columns"]
    matrix, wanted = np.array(rows, dtype=float), _share(rows)
    operator = Products(matrix)
    found = change(diagonal_share(operator, columns=columns, rng=instance["seed"], block=3))
    margins = {}
    if columns < len(rows):
        exact = _oracle(rows, operator.seen)
        share = min(max(exact.share, Fraction(0)), Fraction(1))
        error, effective = precise().sqrt(real(exact.variance)), exact.effective
        (low, high), moved = _interval(found, exact)
        margins = {
            "the corrected ratio": in_roundings(-abs(Fraction(found.share) - share), 1),
            # Residuals are right to a rounding of 1, and divided by the root of what is left.
            "the standard error": in_roundings(
                -abs(found.standard_error - error), 1 / precise().sqrt(real(exact.room))
            ),
            "effective columns": in_roundings(
                -abs(Fraction(found.effective_columns) - effective), effective
            ),
            "low": in_roundings(-abs(found.low - low), 1 + moved[0]),
            "high": in_roundings(-abs(found.high - high), 1 + moved[1]),
            "not without width": fact(found.low < found.high),
        }
    margins["different columns, a product each"] = fact(
        len(set(operator.seen)) == len(operator.seen) == found.matvecs == columns
    )
    for name, given in (("dense", matrix), ("all columns", Products(matrix, transpose=True))):
        all_of_it = change(diagonal_share(given))
        margins[name] = in_roundings(-abs(Fraction(all_of_it.share) - wanted), wanted)
        margins[f"{name}: exact"] = fact(all_of_it.exact and all_of_it.standard_error == 0)
    return {**margins, **_weighted_margins(instance, change)}


def _weighted_margins(instance: Instance, change: Change) -> Margins:
    """What is true of any weights: where all columns have one share it is found exactly."""
    n, columns = len(instance["rows"]), instance["columns"]
    first = instance["rows"][0] if any(instance["rows"][0]) else [1.0] * n
    alike = [[2.0 ** (j % 3) * first[(j - i) % n] for j in range(n)] for i in range(n)]
    operator = Products(np.array(alike), transpose=True)
    found = change(diagonal_share(operator, columns=columns, rng=instance["seed"], probes=5))
    wanted = Fraction(abs(Fraction(first[0])), sum(abs(Fraction(x)) for x in first))
    return {
        "columns of one share": in_roundings(-abs(Fraction(found.share) - wanted), wanted),
        "a product each, and the probes": fact(
            len(set(operator.seen)) == len(operator.seen) == columns == found.columns
            and found.matvecs == columns + found.probes
            and found.probes == (0 if columns == n else 5)
        ),
    }


def _strategy() -> SearchStrategy[Instance]:
    quarters = st.integers(-16, 16).map(lambda k: k / 4)

    def of_order(n: int) -> SearchStrategy[Instance]:
        row = st.lists(quarters, min_size=n, max_size=n)
        rows = st.lists(row, min_size=n, max_size=n)
        return st.builds(_instance, rows, st.integers(2, n), st.integers(0, 9))

    return st.integers(2, 4).flatmap(of_order)


def _edges() -> Iterable[Instance]:
    yield _instance([[1.0, 0.0], [0.0, -1.0]])
    yield _instance([[0.0, 1.0], [-1.0, 0.0]])
    yield _instance([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]])
    yield _instance([[2.0, -1.0, 0.5], [-1.0, 0.0, 4.0], [0.5, 4.0, -3.0]])
    yield _instance([[1e-150, 2e-150], [2e-150, -1e-150]])
    yield _instance([[float(i == j) * (i + 1) + 1 for j in range(6)] for i in range(6)], 3)


def _is_matrix(instance: Instance) -> bool:
    rows, n = instance["rows"], len(instance["rows"])
    square = all(len(row) == n for row in rows)
    return n >= 2 and square and isinstance(instance["columns"], int)


def _conditions() -> tuple[Condition, ...]:
    return (
        Condition("square", "a square matrix, 2 to n columns",
                  lambda i: _is_matrix(i) and 2 <= i["columns"] <= len(i["rows"])
                  and isinstance(i["seed"], int) and i["seed"] >= 0
                  and all(x == 0 or 1e-160 < abs(x) < 1e160 for row in i["rows"] for x in row),
                  kept="anything else is refused"),
        Condition("no zero columns", "every column has mass",
                  lambda i: _is_matrix(i) and all(any(row[j] for row in i["rows"])
                                                  for j in range(len(i["rows"]))),
                  kept="a sample of zero columns has no share, and is refused"),
    )  # fmt: skip


def _infinite_population(estimate: ShareEstimate) -> ShareEstimate:
    if estimate.exact:
        return estimate
    factor = math.sqrt(1 - estimate.columns / estimate.order)
    return replace(estimate, standard_error=estimate.standard_error / factor)


def _normal_quantile(estimate: ShareEstimate) -> ShareEstimate:
    if not 0 < estimate.share < 1:
        return estimate
    odds = estimate.share / (1 - estimate.share)
    factor = math.exp(1.96 * estimate.standard_error / (estimate.share * (1 - estimate.share)))
    ends = (odds / factor, odds * factor)
    return replace(estimate, low=ends[0] / (1 + ends[0]), high=ends[1] / (1 + ends[1]))


def _certain_if_alike(estimate: ShareEstimate) -> ShareEstimate:
    if estimate.standard_error > 1e-12:
        return estimate
    return replace(estimate, low=estimate.share, high=estimate.share)


def _sabotages() -> tuple[Sabotage, ...]:
    return (
        Sabotage("columns taken for an infinite population",
                 lambda i: _margins(i, _infinite_population)),
        Sabotage("the normal law in the place of Student's",
                 lambda i: _margins(i, _normal_quantile)),
        Sabotage("certain where all columns seen are alike",
                 lambda i: _margins(i, _certain_if_alike)),
        Sabotage("off by a millionth",
                 lambda i: _margins(i, lambda e: replace(e, share=e.share * (1 - 1e-6)))),
    )  # fmt: skip


def _estimator() -> Claim:
    printed = Form(
        "diagonal_share is right to rounding where it sees all columns; else it is the ratio of "
        "the columns that it multiplied, less its leading bias, with the standard error of its "
        "residuals, and an interval that is never without width; measured: how often it covers",
        r"\hat\delta = \frac{\sum_{j \in J} |h_{jj}| / \pi_j}"
        r"{\sum_{j \in J} \sum_i |h_{ij}| / \pi_j} - \widehat{\mathrm{bias}}",
        _conditions(),
        _strategy,
        _margins,
        edges=_edges,
        sabotage=_sabotages(),
        effort=40,
    )  # fmt: skip
    return Claim(
        "adaptive-norms/share-estimator",
        "the share of an operator from sampled columns",
        PAPER,
        "Section 3.3; the paper sums up whole Hessians",
        Verdict.MEASURED,
        printed,
        measure=coverage_figures,
        notes="With probabilities that follow the probes, intervals of 0.95 from 50 columns cover "
        "the share in at least 0.92 of all samples on 20 of 22 matrices of order 150 to 300, and "
        "in less where a few entries of the diagonal outweigh all others and their columns do not "
        "stand out. With equal probabilities they do where the columns are alike.",
        proof="Cochran (1977), chapters 6 and 9A; docs/share-estimator.md.",
        ours="The estimator is not in the paper.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim on the estimator."""
    return (_estimator(),)
