"""One step of conjugate gradients a turn: what becomes of it, rule by rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from theory_checks.claim import (
    Claim,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.adaptive_norms.common import Matrix, applied, inner_product
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    hessian_rows,
    inner_rows,
    model_rows,
    row_of,
    smallest,
)
from theory_checks.claims.curveball.common import PAPER
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    definite,
    hessian,
    model_instance,
    models,
    value,
    vector,
)

__all__ = ["RULES", "claims", "interleaved"]


#: beta of the next direction from (new residual, old residual, direction, H direction).
RULES: dict[str, Callable[..., float]] = {
    "Fletcher-Reeves": lambda r, old, d, Hd: (r @ r) / (old @ old),
    "Polak-Ribiere": lambda r, old, d, Hd: (r @ (r - old)) / (old @ old),
    "exactly conjugate": lambda r, old, d, Hd: (r @ Hd) / (d @ Hd),
    "steepest descent": lambda r, old, d, Hd: 0.0,
}

_TURNS = 200


def interleaved(h: np.ndarray, start: np.ndarray, rule: str, turns: int = _TURNS) -> np.ndarray:
    """f(w_t)/f(w_0) on sum h w^2/2 with one CG step for z in each turn; directions are kept."""
    w, z, d, old = start, np.zeros_like(start), None, None
    values = [float(h @ (w * w))]
    for _ in range(turns):
        r = h * z + h * w
        d = -r if d is None else -r + RULES[rule](r, old, d, h * d) * d
        z = z - (r @ d) / (d @ (h * d)) * d
        w, old = w + z, r
        values.append(float(h @ (w * w)))
        if not 1e-250 < values[-1] < 1e250:
            break
    return np.array(values) / values[0]


def _wilson(hits: int, runs: int) -> tuple[float, float]:
    """The 95% interval of a share, by Wilson's score: within [0, 1] at its ends, too."""
    share, z = hits / runs, 1.96
    middle = share + z * z / (2 * runs)
    half = z * math.sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs))
    bottom = 1 + z * z / runs
    return max(0.0, (middle - half) / bottom), min(1.0, (middle + half) / bottom)


def _interleaved_figures(level: Level, seed: int) -> tuple[Figure, ...]:
    figures = []
    small = np.array([1.0, 0.5]), np.ones(2)
    expected = {
        "Fletcher-Reeves": (1e4, 1e8),
        "Polak-Ribiere": (1e40, 1e60),
        "exactly conjugate": (0.1, 1.0),
        "steepest descent": (0.0, 1e-60),
    }
    for rule, bounds in expected.items():
        last = float(interleaved(*small, rule)[-2:].max())
        name = f"f after {_TURNS} turns over f at first, {rule}, h = (1, 1/2)"
        figures.append(Figure(name, last, last, last, bounds))
    rng = np.random.default_rng(seed)
    runs = 40 if level is Level.QUICK else 400
    for rule in RULES:
        solved = 0
        for _ in range(runs):
            h = np.geomspace(1e-2, 1.0, 10)
            # 1e-6 in f is far above where any rule that converges here is.
            solved += interleaved(h, rng.standard_normal(10), rule, 500)[-1] < 1e-6
        share, (low, high) = solved / runs, _wilson(solved, runs)
        descent = rule == "steepest descent"
        wanted = (0.85, 1.0) if descent else (0.0, 0.0)
        claimed = None if descent else (0.0, 0.5)
        name = f"share of runs with f below 1e-6 after 500 turns, {rule}, n = 10, kappa = 100"
        figures.append(Figure(name, share, low, high, wanted, "extremely unstable", claimed))
    return tuple(figures)


def _exact_length(H: Matrix, residual: Vector) -> Fraction:
    curvature = inner_product(residual, applied(H, residual))
    return inner_product(residual, residual) / curvature


def _twice_too_long(H: Matrix, residual: Vector) -> Fraction:
    return 2 * _exact_length(H, residual)


def _length_one(H: Matrix, residual: Vector) -> Fraction:
    return Fraction(1)


def _turn_margins(
    instance: Instance, length: Callable[[Matrix, Vector], Fraction] = _exact_length
) -> Margins:
    """One turn in fractions: the step of every rule is the minimiser along its direction."""
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    residual = combined(1, applied(H, z), 1, J)
    if not any(residual):
        return {"at rest": fact(True)}
    step = combined(1, z, -length(H, residual), residual)
    slope = combined(1, applied(H, step), 1, J)
    return {
        "the minimum along the residual": fact(inner_product(slope, residual) == 0),
        "it lowers the model": fact(value(H, J, step) < value(H, J, z)),
    }


def _turn_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The slope along the residual after the step, and the fall of the model."""
    H, J = hessian_rows(xp, arrays), arrays["J"]
    residual = applied_rows(H, arrays["z"]) + J
    Hr, square = applied_rows(H, residual), inner_rows(residual, residual)
    curved = inner_rows(residual, Hr)
    length = xp.where(curved > 0.0, square / xp.where(curved > 0.0, curved, 1.0), 0.0)
    after = residual - length[:, None] * Hr
    fall = length * square / 2.0 / (1.0 + square)
    return smallest(xp, apart(xp, inner_rows(after, residual), 0.0 * square, square), fall)


def _interleaved_claim() -> Claim:
    printed = Form(
        "a single exact step along the residual lowers the model of the moment",
        r"z_+ = z - \frac{r^\top r}{r^\top\hat Hr} r,\quad r = \hat Hz + J",
        (
            definite(
                model_instance([1.0], [1.0], [0.0], signs=[-1.0]),
                model_instance([1.0, 0.0, 1.0], [0.5, 1.0], [0.0, 0.0], signs=[1.0, -1.0]),
                note="Along negative curvature the step goes to a maximum.",
            ),
        ),
        models,
        _turn_margins,
        edges=lambda: (model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [0.0, 1.0]),),
        screen=Screen(model_rows, _turn_slack, row_of),
        sabotage=(
            Sabotage("steps twice as long", lambda i: _turn_margins(i, _twice_too_long)),
            Sabotage("steps of length one", lambda i: _turn_margins(i, _length_one)),
        ),
        effort=20,
    )
    return Claim(
        "curveball/hessian-free-interleaved",
        "one step of conjugate gradients a turn is unstable",
        PAPER,
        "Section 3",
        Verdict.MEASURED,
        printed,
        measure=_interleaved_figures,
        notes="On h = (1, 1/2) from (1, 1), with exact steps along the directions: f grows without "
        "end with Fletcher's and Reeves' formula and with Polak's and Ribiere's, which agree "
        "where the system stays; with exact conjugation it goes round in two turns for ever. "
        "Steepest descent, each direction a new one, converges.",
        proof="The form is one exact line search. The figures are measured, not proved.",
        ours="Which of the three formulas fails how, and that exact conjugation goes round.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_interleaved_claim(),)
