"""Steps of automatic CurveBall on quadratics, by its damping: fixed, or following z."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tralgos
from theory_checks import rates
from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import Matrix, applied
from theory_checks.claims.curveball.bulk import (
    apart,
    condition_rows,
    cramer_rows,
    gridded,
    row_of,
)
from theory_checks.claims.curveball.common import quarters
from theory_checks.claims.curveball.first_steps import (
    SINE,
    Step,
    automatic_errors,
    best_step,
    broken_planes,
    squared_sine,
)
from theory_checks.claims.curveball.models import combined
from theory_checks.precise import exact

__all__ = ["claims", "steps_with"]

_SIZE, _REDUCTION = 50, 1e-6


def _problem(kappa: float, seed: int, n: int = _SIZE) -> tuple[np.ndarray, np.ndarray]:
    """A geometric spectrum in [1/kappa, 1] and a start."""
    return np.geomspace(1.0 / kappa, 1.0, n), np.random.default_rng(seed).standard_normal(n)


def steps_with(lam: float, h: np.ndarray, start: np.ndarray, most: int = 100_000) -> float:
    """Steps with a fixed lambda until the gradient has fallen 1e6-fold; inf if not by `most`.

    The plane by its QR factors and a linear solve: none of the formulas of tralgos.
    """
    w, z = start, np.zeros_like(start)
    first = float(np.linalg.norm(h * w))
    for step in range(most):
        g = h * w
        if np.linalg.norm(g) <= _REDUCTION * first:
            return float(step)
        pair = np.stack([z, h * z + g], axis=1)[:, 0 if step else 1 :]
        basis = np.linalg.qr(pair)[0]
        matrix = basis.T @ ((h + lam)[:, None] * basis)
        z = -basis @ np.linalg.solve(matrix, basis.T @ g)
        w = w + z
    return math.inf


def _tracked(kappa: float, seed: int, lam: float) -> float:
    """Steps of tralgos.CurveBall with the rule "tracking" from that lambda."""
    h, start = _problem(kappa, seed)
    run = tralgos.minimize(
        tralgos.problems.quadratic_with_spectrum(h, rotation="none"),
        start,
        tralgos.CurveBall(lam=lam),
        gtol=_REDUCTION * float(np.linalg.norm(h * start)),
        maxiter=20_000,
    )
    return float(run.nit) if run.success else math.inf


@cache
def _sweep(kappa: float, seed: int) -> dict[float, float]:
    """Steps by lambda over sqrt(mL)."""
    h, start = _problem(kappa, seed)
    shares = [2.0 ** (k / 2) for k in range(-6, 7)]
    return {s: steps_with(s * float(np.sqrt(h[0] * h[-1])), h, start) for s in shares}


#: Condition numbers of the growth: two decades, as an exponent needs.
_DECADES = (1e2, 10.0**2.5, 1e3, 10.0**3.5, 1e4)


def _growth(seeds: Sequence[int], seed: int) -> Iterator[Figure]:
    """Exponents of kappa in the steps."""

    def undamped(kappa: float, own: int) -> float:
        return steps_with(0.0, *_problem(kappa, own))

    def balanced(kappa: float, own: int) -> float:
        return steps_with(kappa**-0.5, *_problem(kappa, own))

    def tracked(kappa: float, own: int) -> float:
        return _tracked(kappa, own, 1.0)

    for name, steps, claimed in (
        ("lambda = 0", undamped, (0.5, 1.0)),
        ("lambda = sqrt(mL)", balanced, (0.0, 0.5)),
        ("tracking from 1", tracked, (0.0, 0.5)),
    ):
        samples = [[steps(kappa, own) for own in seeds] for kappa in _DECADES]
        found = rates.power(_DECADES, samples, np.random.default_rng(seed))
        yield Figure(
            f"exponent of kappa in the steps, {name}, 1e2 to 1e4",
            found.value,
            found.low,
            found.high,
            claimed,
            claimed=claimed,
        )


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    seeds = range(seed, seed + (1 if level is Level.QUICK else 5))
    figures: list[Figure] = []

    def measured(name: str, values: list[float], expected: tuple[float, float] | None) -> None:
        mean = sum(values) / len(values)
        figures.append(Figure(name, mean, min(values), max(values), expected, claimed=expected))

    for kappa in (1e2, 1e4):
        sweeps = [_sweep(kappa, s) for s in seeds]
        best = [min(sweep.values()) for sweep in sweeps]
        at = [min(sweep, key=lambda share: sweep[share]) for sweep in sweeps]
        name = f"kappa = {kappa:g}: "
        measured(name + "steps, best fixed lambda", best, None)
        measured(name + "best fixed lambda over sqrt(mL)", at, (0.5, 2.0))
        measured(name + "steps, lambda = sqrt(mL)", [sweep[1.0] for sweep in sweeps], None)
        for lam in (1.0, 1e-2, 1e2):
            ratios = [_tracked(kappa, s, lam) / b for s, b in zip(seeds, best, strict=True)]
            measured(name + f"tracking from {lam:g} over best fixed", ratios, (0.5, 1.5))
    return (*figures, *_growth(seeds, seed))


#: Above this condition number the steps in float64 are not compared.
_CONDITION = 1e4


def _in_the_plane(instance: Instance) -> Instance:
    """As a model: the error at first under J, as automatic_errors takes it."""
    return {**instance, "J": instance["start"], "z": [0.0] * len(instance["start"])}


def _diagonal(h: Sequence[float]) -> Matrix:
    return [
        [Fraction(a) if i == j else Fraction(0) for j in range(len(h))] for i, a in enumerate(h)
    ]


def _margins(instance: Instance, step: Step = best_step) -> Margins:
    """In the plane the span is everything: the step is the damped Newton step."""
    H, lam = _diagonal(instance["h"]), Fraction(instance["lam"])
    errors = automatic_errors(_in_the_plane(instance), H, 3, step)
    shrunk = [
        [lam / (Fraction(h) + lam) * e for h, e in zip(instance["h"], error, strict=True)]
        for error in errors
    ]
    margins = {
        "lambda/(h + lambda) in the second step": fact(errors[2] == shrunk[1]),
        "and in the third": fact(errors[3] == shrunk[2]),
    }
    return {**margins, **_package_margins(instance, H)}


def _package_margins(instance: Instance, H: Matrix) -> Margins:
    """tralgos.CurveBall, each step from its own iterate before."""
    h, start, lam = np.array(instance["h"]), np.array(instance["start"]), instance["lam"]
    condition = float((h.max() + lam) / (h.min() + lam))
    if condition > _CONDITION or not start.any():
        return {}
    run: list[np.ndarray] = [start]
    tralgos.minimize(
        tralgos.problems.Quadratic(np.diag(h)),
        start,
        tralgos.CurveBall(lam=lam, lam_rule="fixed"),
        gtol=0.0,
        maxiter=3,
        callback=lambda state: run.append(state.x),
    )
    points, margins = [exact(x.tolist()) for x in run], [fact(True)]
    for before, at, after in zip(points, points[1:], points[2:], strict=False):
        z = combined(1, at, -1, before)
        sine = max(SINE, squared_sine(z, combined(1, applied(H, z), 1, applied(H, at))))
        wanted = [lam_h * e for lam_h, e in zip(_shares(instance), at, strict=True)]
        off = max(abs(a - b) for a, b in zip(after, wanted, strict=True))
        size = max(abs(x) for x in at)
        margins.append(in_roundings(-off, float(size) * condition / sine))
    return {"tralgos: lambda/(h + lambda)": min(margins)}


def _shares(instance: Instance) -> list[Fraction]:
    """lambda/(h + lambda)."""
    lam = Fraction(instance["lam"])
    return [lam / (Fraction(h) + lam) for h in instance["h"]]


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return {
        "h": gridded(rng, (size, 2), 0.0625, 4.0),
        "start": gridded(rng, (size, 2), -2.0, 2.0),
        "lam": gridded(rng, size, 0.0625, 4.0),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The third error against lambda/(h + lambda) times the second."""
    h, lam, error = arrays["h"], arrays["lam"][:, None], arrays["start"]
    H = h[:, :, None] * xp.eye(2)[None, :, :]
    damped = H + lam[:, :, None] * xp.eye(2)[None, :, :]
    z, worst = 0.0 * error, 1.0 + 0.0 * lam[:, 0]
    for _ in range(3):
        before, J = error, h * error
        delta = (h + lam) * z + J
        beta, rho, independent = cramer_rows(xp, damped, J, z, delta)
        z = rho[:, None] * z - beta[:, None] * delta
        error, worst = error + z, worst / independent
    wanted = lam / (h + lam) * before
    size = xp.abs(before).sum(axis=1) * condition_rows(xp, damped)
    return apart(xp, error, wanted, size * worst)


def _tracking() -> Claim:
    printed = Form(
        "in the plane z is the damped Newton step from the second step on, and the error shrinks "
        "by lambda/(h + lambda)",
        r"e_+ = \lambda (H + \lambda)^{-1} e",
        (
            Condition(
                "positive definite and damped",
                r"h, \lambda > 0",
                lambda i: min(i["h"]) > 0 and i["lam"] > 0,
                kept="tralgos takes no negative lambda, and without h > 0 there is no minimum",
            ),
        ),
        lambda: st.fixed_dictionaries(
            {
                "h": st.lists(quarters(0.25, 4.0), min_size=2, max_size=2),
                "start": st.lists(quarters(0.25, 2.0), min_size=2, max_size=2),
                "lam": quarters(0.25, 4.0),
            }
        ),
        _margins,
        edges=lambda: ({"h": [1.0, 2.0], "start": [1.0, 1.0], "lam": 1.0},),
        screen=Screen(_drawn, _slack, row_of),
        sabotage=broken_planes(_margins),
        effort=20,
    )
    return Claim(
        "curveball/tracking",
        "steps of automatic CurveBall by its damping, and the rule that follows z",
        "beyond the papers",
        "docs/theory-curveball.md",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="Steps until the gradient has fallen 1e6-fold, n = 50, geometric spectrum. With "
        "lambda = 0 they grow like kappa^(3/4), with lambda = sqrt(mL), near which the best fixed "
        "one is, like kappa^0.37. The rule finds it: 'tracking', the default of tralgos.CurveBall, "
        "is within 1.5 of the best fixed lambda from any start.",
        proof="In the plane: the span of z and Delta_z is the eigenspace that the error lies in. "
        "Why the best is near sqrt(mL): damping-balance. The figures are measured, not proved.",
        ours="The rule, and the figures.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_tracking(),)
