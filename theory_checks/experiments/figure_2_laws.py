"""What the shares of random matrices should be, beside what was measured."""

from __future__ import annotations

from theory_checks.experiments.figure_2_cells import WIGNER
from tralgos.shares import (
    asymptotic_ols_share,
    gaussian_expected_wigner_share,
    gaussian_ols_share,
    rademacher_ols_share,
    wigner_share,
)

__all__ = ["benchmarks", "exact", "expected", "printed"]


def printed(kind: str, d: int, n: int) -> float:
    """The paper's formula, Proposition 1 or 2."""
    return wigner_share(d) if kind == WIGNER else asymptotic_ols_share(d, n)


def exact(kind: str, law: str, d: int, n: int) -> float | None:
    """The share of the expected absolute matrix, where it is known in closed form."""
    if kind == WIGNER:
        return wigner_share(d)
    known = {"gaussian": gaussian_ols_share, "rademacher": rademacher_ols_share}
    return known[law](d, n) if law in known else None


def expected(kind: str, law: str, d: int) -> float | None:
    """The expected share, where it is known."""
    if kind != WIGNER or law not in ("gaussian", "rademacher"):
        return None
    return gaussian_expected_wigner_share(d) if law == "gaussian" else wigner_share(d)


def benchmarks(d: int, n: int) -> dict[str, float]:
    """The two formulas that the paper sets beside networks."""
    return {"Wigner": wigner_share(d), "least squares": asymptotic_ols_share(d, n)}
