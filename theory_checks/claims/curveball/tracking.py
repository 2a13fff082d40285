"""Steps of automatic CurveBall on quadratics, by its damping: fixed, or following z."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    Claim,
    Condition,
    Figure,
    Form,
    Instance,
    Level,
    Margins,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import applied
from theory_checks.claims.curveball.common import EXACT, quarters
from theory_checks.claims.curveball.models import (
    combined,
    hessian,
    model_instance,
    models,
    newton_step,
    shifted,
    vector,
)
from theory_checks.precise import Real, precise, real

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


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    seeds = range(seed, seed + (1 if level is Level.QUICK else 5))
    figures: list[Figure] = []

    def measured(name: str, values: list[float], expected: tuple[float, float] | None) -> None:
        mean = sum(values) / len(values)
        figures.append(Figure(name, mean, min(values), max(values), expected))

    undamped: dict[float, float] = {}
    for kappa in (1e2, 1e4):
        sweeps = [_sweep(kappa, s) for s in seeds]
        best = [min(sweep.values()) for sweep in sweeps]
        at = [min(sweep, key=lambda share: sweep[share]) for sweep in sweeps]
        name = f"kappa = {kappa:g}: "
        plain = [steps_with(0.0, *_problem(kappa, s)) for s in seeds]
        undamped[kappa] = sum(plain) / len(plain)
        measured(name + "steps, lambda = 0", plain, (1.5 * math.sqrt(kappa), 5 * kappa))
        measured(
            name + "steps, best fixed lambda", best, (3 * math.sqrt(kappa), 12 * math.sqrt(kappa))
        )
        measured(name + "best fixed lambda over sqrt(mL)", at, (0.5, 2.0))
        measured(name + "steps, lambda = sqrt(mL)", [sweep[1.0] for sweep in sweeps], None)
        for lam in (1.0, 1e-2, 1e2):
            ratios = [_tracked(kappa, s, lam) / b for s, b in zip(seeds, best, strict=True)]
            measured(name + f"tracking from {lam:g} over best fixed", ratios, (0.5, 1.5))
    growth = undamped[1e4] / undamped[1e2]
    figures.append(
        Figure("lambda = 0: steps at 1e4 over steps at 1e2", growth, growth, growth, (10.0, 100.0))
    )
    return tuple(figures)


def _margins(instance: Instance) -> Margins:
    """In the plane the span is everything: the step is the damped Newton step."""
    h, start = np.array(instance["h"]), np.array(instance["start"])
    lam = instance["lam"]
    run: list[np.ndarray] = [start]
    tralgos.minimize(
        tralgos.problems.Quadratic(np.diag(h)),
        start,
        tralgos.CurveBall(lam=lam, lam_rule="fixed"),
        gtol=0.0,
        maxiter=3,
        callback=lambda state: run.append(state.x),
    )
    if len(run) < 4 or not np.all(np.abs(run[1]) > 0.0):
        return {"solved before": fact(True)}
    # From the second step on: z = 0 in the first leaves a line.
    wanted = lam / (h + lam) * run[2]
    size = float(np.linalg.norm(start))
    return {"lambda/(h + lambda)": fact(bool(np.all(np.abs(run[3] - wanted) <= 1e-9 * size)))}


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
        "lambda = 0, or any lambda that does not know the spectrum, they grow like kappa; with the "
        "best fixed lambda, which is near sqrt(mL), like its root. The rule finds it: 'tracking', "
        "the default of tralgos.CurveBall, is within 1.5 of the best fixed lambda from any start.",
        proof="Why it is near sqrt(mL): damping-balance. The figures are measured, not proved.",
    )


# --- why -------------------------------------------------------------------------------


def _following_margins(instance: Instance) -> Margins:
    """After a step with the exact damped z, the gradient and the error of a quadratic."""
    H, error, lam = hessian(instance), vector(instance, "z"), Fraction(instance["lam"])
    J = applied(H, error)
    step = newton_step(shifted(H, lam), J)
    assert step is not None
    after = combined(1, error, 1, step)
    shrunk = newton_step(shifted(H, lam), [-lam * x for x in error])
    low, high = real(instance["low"]), real(instance["high"])
    balanced = _progress(low, high, precise().sqrt(low * high))
    best = max(_progress(low, high, low * real(2) ** k) for k in range(-8, 17))
    bound = 1 / (1 + precise().sqrt(high / low))
    return {
        "the new gradient is -lambda z": fact(applied(H, after) == combined(-lam, step, 0, step)),
        "the error is lambda (H + lambda)^-1 times the old": fact(after == shrunk),
        "at sqrt(mL) both gain 1/(1 + sqrt(L/m))": in_roundings(balanced - bound, bound, EXACT),
        "no lambda gains more than twice that": in_roundings(2 * bound - best, bound, EXACT),
    }


def _progress(low: Real, high: Real, lam: Real) -> Real:
    """1 - rate: the smaller one of the error's and of a gradient step's for z."""
    error = low / (low + lam)
    inner = 2 * (low + lam) / (high + low + 2 * lam)
    return min(error, inner)


def _following() -> Claim:
    def strategy() -> SearchStrategy[Instance]:
        drawn = models(low=quarters(0.25, 2.0), high=quarters(2.0, 64.0))
        return drawn.map(lambda i: {**i, "lam": i["lam"] or 0.5})

    printed = Form(
        "after a step with the exact damped z the gradient of a quadratic is -lambda z and the "
        "error lambda (H + lambda)^-1 of what it was; with lambda = sqrt(mL) that and a gradient "
        "step on the damped system both gain 1/(1 + sqrt(L/m)) at least, and no lambda gains twice "
        "as much",
        r"z = -(H+\lambda)^{-1}J \implies J_+ = -\lambda z,\quad e_+ = \lambda(H+\lambda)^{-1}e",
        (
            Condition("lambda > 0", r"\lambda > 0", lambda i: bool(i["lam"] > 0)),
            Condition(
                "0 < m <= L", r"0 < m \le L", lambda i: bool(0 < i["low"] <= i["high"])
            ),
        ),
        strategy,
        _following_margins,
        edges=lambda: (
            model_instance([1.0], [0.0], [1.0], 1.0, low=1.0, high=1.0),
            model_instance([1.0, 0.0, 2.0], [0.0, 0.0], [1.0, 1.0], 2.0, low=1.0, high=4.0),
        ),
        effort=40,
    )  # fmt: skip
    return Claim(
        "curveball/damping-balance",
        "why the best damping is near the geometric mean of the curvatures",
        "beyond the papers",
        "docs/theory-curveball.md",
        Verdict.HOLDS,
        printed,
        notes="A small lambda makes the exact z good and hard to follow, a large one easy to "
        "follow and timid. What the number of steps is, see tracking.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_tracking(), _following())
