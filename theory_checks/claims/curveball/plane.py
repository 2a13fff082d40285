"""Equation (39) on the whole plane of beta h and rho, by running every point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.curveball.bulk import row_of
from theory_checks.claims.curveball.common import (
    PAPER,
    Step,
    broken_steps,
    component,
    eigenvalues_inside,
    inside,
    point_rows,
    quarters,
    roots,
    simulated_inside,
)
from theory_checks.claims.curveball.quadratics import boundary_slack
from theory_checks.precise import real

__all__ = ["claims", "grid"]

#: The grid: points a side, and how far from the boundary it stays, over 1 + |rho| + s.
_SIDE, _BAND = 1024, 1e-3


def grid(side: int = _SIDE, band: float = _BAND) -> tuple[np.ndarray, np.ndarray, float]:
    """Points (s, rho) of (0, 7/2] x [-3/2, 3] and the share that is too close to the boundary.

    Left out is what is within `band` (1 + |rho| + s) of one of the two lines of (39), where
    the rate is so close to 1 that float64 or a run of a fixed length need not tell.
    """
    s, rho = np.meshgrid(np.arange(1, side + 1) * (3.5 / side), np.linspace(-1.5, 3.0, side))
    s, rho = s.ravel(), rho.ravel()
    near = np.minimum(np.abs(rho - 1.0 - s), np.abs(1.5 * s - 1.0 - rho))
    kept = near >= band * (1.0 + np.abs(rho) + s)
    return s[kept], rho[kept], float(np.mean(~kept))


def _grid_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    side = _SIDE if level is not Level.FULL else 3 * _SIDE
    s, rho, left_out = grid(side)
    claimed = (1.5 * s - 1.0 < rho) & (rho < 1.0 + s)
    pieces = zip(np.array_split(s, side // 32), np.array_split(rho, side // 32), strict=True)
    found = [(simulated_inside(a, b), eigenvalues_inside(a, b)) for a, b in pieces]
    ran, lapack = (np.concatenate(column) for column in zip(*found, strict=True))

    def exactly(name: str, value: float, low: float, high: float) -> Figure:
        none = (0.0, 0.0)
        claimed = none if (low, high) == none else None
        return Figure(name, value, value, value, (low, high), claimed=claimed)

    return (
        exactly("points", float(s.size), 1e6, 1e8),
        exactly("share left out near the boundary", left_out, 0.0, 0.01),
        exactly("share that converges by (39)", float(np.mean(claimed)), 0.2, 0.25),
        exactly("runs that were not decided", float(np.sum(ran < 0)), 0.0, 0.0),
        exactly("(39) holds, the run diverges", float(np.sum(claimed & (ran == 0))), 0.0, 0.0),
        exactly("(39) fails, the run converges", float(np.sum(~claimed & (ran == 1))), 0.0, 0.0),
        exactly("(39) against eigenvalues, errors", float(np.sum(claimed != lapack)), 0.0, 0.0),
    )


def _point_margins(instance: Instance, step: Step = component) -> Margins:
    s, rho = Fraction(instance["s"]), Fraction(instance["rho"])
    claimed = 3 * s / 2 - 1 < rho < 1 + s
    converges = all(inside(root) for root in roots(real(s), real(rho), step))
    return {"if and only if": fact(converges == claimed)}


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return dict(zip(("s", "rho"), point_rows(rng, size), strict=True))


def _whole_plane() -> Claim:
    printed = Form(
        "for beta h > 0 both roots lie inside the circle exactly if 3/2 beta h - 1 < rho < "
        "1 + beta h",
        r"\rho(R) < 1 \iff \tfrac32 \beta h - 1 < \rho < 1 + \beta h",
        (
            Condition(
                "beta h > 0",
                r"\beta h > 0",
                lambda i: bool(i["s"] > 0),
                Dropped(({"s": 0.0, "rho": 0.5}, {"s": -0.25, "rho": 0.5})),
            ),
        ),
        lambda: st.fixed_dictionaries(
            {
                "s": st.one_of(quarters(0.25, 4.0), st.floats(1e-6, 4.0)),
                "rho": st.one_of(quarters(-2.0, 4.0), st.floats(-2.0, 4.0)),
            }
        ),
        _point_margins,
        edges=lambda: ({"s": 1.0, "rho": 0.5}, {"s": 1.0, "rho": 2.0}, {"s": 4 / 3, "rho": 1.0}),
        screen=Screen(
            _drawn, lambda xp, arrays: boundary_slack(xp, arrays["s"], arrays["rho"]), row_of
        ),
        sabotage=broken_steps(_point_margins),
    )
    return Claim(
        "curveball/theorem-a1-grid",
        "the region of convergence, in both directions, on a million points",
        PAPER,
        "Theorem A.1, equation (39)",
        Verdict.MEASURED,
        printed,
        measure=_grid_figures,
        notes="Each point is run: two starts are the columns of R^t, and the point is decided once "
        "||R^t|| < 1, or |det R^t| > 1 or |trace R^t| > 2. Left out is a band of 1e-3 (1 + |rho| "
        "+ s) about the two lines.",
        proof="docs/curveball-rates.md, when it converges: Jury's test.",
        ours="The converse of (39).",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_whole_plane(),)
