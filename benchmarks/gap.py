"""How far the certified gap lies above the true one, on spectra known by construction.

The true gap is that of the returned step, in 50 digits. Where it is larger than rounding the
two are compared; elsewhere the certified gap is given in units of rounding,
eps (||H|| ||s||^2 + ||g|| ||s||) at the solution s.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import scipy.sparse as sparse

import tralgos
from benchmarks import _report
from tests.oracle import DIGITS, Solution, exact_trs, exact_value, rotated
from tests.subproblems.cases import CASES, Case
from tralgos.operators import DiagonalOperator

__all__ = ["tables"]

EPS = 2.0**-52


@dataclass(frozen=True)
class Gaps:
    """A result's gaps, the optimal decrease and the unit of rounding, as the problem has them."""

    name: str
    decrease: float
    certified: float
    true: float
    unit: float

    @property
    def above_rounding(self) -> bool:
        """Whether the true gap is more than rounding."""
        return self.true > 4.0 * self.unit


def large_cases(n: int = 3000) -> list[Case]:
    """Spectra on which the Krylov method stops long before its space is exhausted."""
    g = np.random.default_rng(0).standard_normal(n) / math.sqrt(n)

    def seen(size: float) -> np.ndarray:
        c = g.copy()
        c[0] = size
        return c

    dense_end = -3.0 + 8.0 * np.linspace(0.0, 1.0, n) ** 2
    spread = np.linspace(-3.0, 5.0, n)
    isolated = np.concatenate([[-3.0], np.linspace(-2.5, 5.0, n - 1)])
    return [
        Case("spread", spread, g, 1.0),
        Case("spread, large radius", spread, g, 10.0),
        Case("dense at the left end", dense_end, g, 1.0),
        Case("dense at the left end, large radius", dense_end, g, 3.0),
        Case("logarithmic", np.geomspace(1e-6, 1.0, n), g, 100.0),
        Case("logarithmic, interior", np.geomspace(1e-4, 1.0, n), 1e-4 * g, 100.0),
        Case("isolated, hard", isolated, 0.1 * seen(0.0), 10.0),
        *(
            Case(f"isolated, nearly hard 1e{e}", isolated, seen(10.0**e), 10.0)
            for e in (-10, -6, -3)
        ),
    ]


def _unit(size: float, g_norm: float, solution: Solution) -> float:
    length = float(solution.norm)
    return EPS * (size * length * length + g_norm * length)


def _in_eigenbasis(case: Case, **options: Any) -> Gaps:
    """A case as a diagonal operator or sparse array: its spectrum is known to the last bit."""
    e, g = case.eigenvalues, case.g
    H = sparse.diags_array(e).tocsr() if options["certify"] == "exact" else DiagonalOperator(e)
    result = tralgos.solve_trs(H, g, case.radius, method="krylov", **options)
    solution = exact_trs(e, g, case.radius)
    with mpmath.workdps(DIGITS):
        true = float(exact_value(e, g, result.step) - solution.value)
    unit = _unit(float(np.abs(e).max()), float(np.linalg.norm(g)), solution)
    return Gaps(case.name, -float(solution.value), result.certificate.gap, true, unit)


def _rotated(case: Case, **options: Any) -> Gaps:
    """A case as a dense array, with the spectrum of what rounding makes of it."""
    H, g, _ = rotated(case.eigenvalues, case.g, np.random.default_rng(0))
    result = tralgos.solve_trs(H, g, case.radius, method="direct", **options)
    with mpmath.workdps(DIGITS):
        values, vectors = mpmath.eigsy(mpmath.matrix(H.tolist()))
        basis = vectors.T
        c, s = (list(basis * mpmath.matrix(x.tolist())) for x in (g, result.step))
        solution = exact_trs(list(values), c, case.radius)
        true = float(exact_value(list(values), c, s) - solution.value)
    unit = _unit(float(np.abs(case.eigenvalues).max()), float(np.linalg.norm(g)), solution)
    return Gaps(case.name, -float(solution.value), result.certificate.gap, true, unit)


def _figures(gaps: Sequence[Gaps], values: Sequence[float]) -> list[str]:
    if not values:
        return ["-", "-", "-"]
    worst = max(range(len(values)), key=values.__getitem__)
    return [f"{statistics.median(values):.2g}", f"{values[worst]:.2g}", gaps[worst].name]


def _row(name: str, gaps: Sequence[Gaps]) -> list[str]:
    # The unit is zero where the problem itself is (H = 0 and g = 0), and so are both gaps.
    proved = [g for g in gaps if math.isfinite(g.certified) and g.unit > 0.0]
    above = [g for g in proved if g.above_rounding]
    within = [g for g in proved if not g.above_rounding]
    margin = min((g.certified - g.true) / g.unit for g in proved)
    return [
        name,
        str(len(gaps)),
        str(sum(math.isinf(g.certified) for g in gaps)),
        str(len(above)),
        *_figures(above, [g.certified / g.true for g in above]),
        *_figures(within, [g.certified / g.unit for g in within]),
        f"{margin:.2g}",
    ]


def tables() -> Iterator[_report.Table]:
    """All three kinds of evidence on the families that suit them."""
    large, small = large_cases(), [case for case in CASES if case.g.size >= 3]
    exact = [_in_eigenbasis(c, certify="exact") for c in large]
    random = [_in_eigenbasis(c, certify="probabilistic", rng=0) for c in large]
    rows = [
        _row("direct, small cases", [_rotated(case) for case in small]),
        _row("sparse exact, small cases", [_in_eigenbasis(c, certify="exact") for c in small]),
        _row(
            "probabilistic, small cases",
            [_in_eigenbasis(c, certify="probabilistic", rng=0) for c in small],
        ),
        _row("sparse exact, n = 3000", exact),
        _row("probabilistic, n = 3000", random),
    ]
    note = (
        f"{len(small)} small cases (the tests' list: hard, nearly hard, singular, clustered, badly "
        f"scaled) and {len(large)} large spectra, tolerance 1e-8. Ratios of certified to true gap "
        "where the true one is above rounding; elsewhere the certified gap in units of rounding. "
        "The last column is the least certified gap minus true gap in those units: a sound "
        "certificate keeps it above -1 or so."
    )
    columns = [
        "evidence",
        "cases",
        "without evidence",
        "above rounding",
        "median ratio",
        "worst ratio",
        "where",
        "median, units",
        "worst, units",
        "where",
        "least margin",
    ]
    yield _report.Table("The certified gap above the true one", note, columns, rows)
    yield _detail({"exact": exact, "probabilistic": random})


def _detail(found: Mapping[str, Sequence[Gaps]]) -> _report.Table:
    rows = [
        [f"{g.name}, {kind}", *(f"{x / g.decrease:.1e}" for x in (g.true, g.certified, g.unit))]
        for pair in zip(*found.values(), strict=True)
        for kind, g in zip(found, pair, strict=True)
    ]
    columns = ["case", "true", "certified", "rounding"]
    note = "Relative to the optimal decrease, tolerance 1e-8, n = 3000."
    return _report.Table("The certified gap on large spectra", note, columns, rows)


if __name__ == "__main__":
    _report.main("python -m benchmarks.gap", tables)
