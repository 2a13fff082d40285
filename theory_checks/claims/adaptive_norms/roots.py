"""Corollary 1 is about A^{1/2}, Algorithm 1 takes A: how far apart the two are.

The angle between the steps -A^{-1} g and -A^{-1/2} g is bounded by the condition number of A,
sharply; what it is along streams of gradients is measured, as is what either ellipsoid allows a
linear model to fall by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats
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
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER, assorted
from theory_checks.precise import Real, dot, norm, precise, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

#: Runs at the quick level, dimensions, gradients a run, and the condition of the quadratics.
_RUNS, _N, _STEPS, _CONDITION = 40, 10, 30, 20.0

# --- the bound on the angle ---------------------------------------------------------


#: The power of A whose inverse gives the step that is compared with that by A.
_ROOT = 0.5


def _cosines(instance: Instance, power: float = _ROOT) -> tuple[Real, Real]:
    """(cosine of the angle between the steps, its lower bound), at fifty digits."""
    context = precise()
    values, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    plain = [g / h for g, h in zip(slope, values, strict=True)]
    rooted = [g / context.power(h, power) for g, h in zip(slope, values, strict=True)]
    cosine = dot(plain, rooted) / (norm(plain) * norm(rooted))
    condition = context.sqrt(max(values) / min(values))
    return cosine, 2 * context.sqrt(condition) / (1 + condition)


def _margins(instance: Instance, power: float = _ROOT) -> Margins:
    cosine, bound = _cosines(instance, power)
    return {"the angle is within the bound": in_roundings(cosine - bound, 1.0, EXACT)}


def _bound(instance: Instance) -> tuple[float, float]:
    cosine, bound = _cosines(instance)
    return float(cosine), float(bound)


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    values = 10.0 ** rng.uniform(-4.0, 2.0, (size, 3))
    # Two different eigenvalues, where the bound is attained, in a half of them.
    values[::2, 1] = values[::2, 0]
    gradient = assorted(rng, (size, 3), 8.0)
    # And components that balance them.
    balanced = values ** rng.uniform(0.5, 1.0, (size, 1))
    gradient = np.where(rng.random((size, 1)) < 0.5, balanced, gradient)
    gradient[np.all(gradient == 0, axis=1), 0] = 1.0
    return {"eigenvalues": values, "gradient": gradient}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    values, gradient = arrays["eigenvalues"], arrays["gradient"]
    plain, rooted = gradient / values, gradient / xp.sqrt(values)
    lengths = xp.sqrt(xp.sum(plain**2, axis=1) * xp.sum(rooted**2, axis=1))
    condition = xp.sqrt(xp.max(values, axis=1) / xp.min(values, axis=1))
    bound = 2 * xp.sqrt(condition) / (1 + condition)
    return xp.sum(plain * rooted, axis=1) / lengths - bound + 1e-14


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {name: arrays[name][row].tolist() for name in ("eigenvalues", "gradient")}


def _sabotage() -> tuple[Sabotage, ...]:
    broken = {"no preconditioner": 0.0, "the inverse root": -0.5, "a quarter in the exponent": 0.25}

    def judged(power: float) -> Callable[[Instance], Margins]:
        return lambda instance: _margins(instance, power)

    return tuple(Sabotage(name, judged(power)) for name, power in broken.items())


def _strategy() -> SearchStrategy[Instance]:
    positive = st.one_of(
        st.integers(1, 64).map(lambda k: k / 4), st.floats(-4, 2).map(lambda x: 10.0**x)
    )

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": st.lists(positive, min_size=n, max_size=n),
                "gradient": vectors(n).filter(any),
            }
        )

    return st.integers(1, 4).flatmap(of_dimension)


# --- along streams of gradients -----------------------------------------------------


def _gradients(rng: np.random.Generator, *, tilted: bool, scale: float = 1.0) -> np.ndarray:
    """Gradients of gradient descent with step 1/L on a quadratic, each with noise of a tenth."""
    spectrum = np.geomspace(1.0, _CONDITION, _N)
    basis = np.eye(_N)
    if tilted:
        basis = np.linalg.qr(rng.standard_normal((_N, _N)))[0]
    hessian = (basis * spectrum) @ basis.T
    x, found = rng.standard_normal(_N), []
    for _ in range(_STEPS):
        g = hessian @ x
        noise = rng.standard_normal(_N) * np.linalg.norm(g) / math.sqrt(_N)
        found.append(scale * (g + 0.1 * noise))
        x = x - g / _CONDITION
    return np.array(found)


def _last_norms(gradients: np.ndarray, kind: str) -> tuple[Any, Any, np.ndarray]:
    """The norms by A and by A^{1/2} after all of the gradients, and A's eigenvalues."""
    rule = tralgos.norms.RMSPropNorm(epsilon=1e-4, kind="full" if kind == "full" else "diagonal")
    state = rule.init(_N)
    for g in gradients:
        state = rule.update(state, g)
    plain = rule.norm(state)
    return plain, rule.norm(state, power=0.5), np.linalg.eigvalsh(plain.matrix(np.zeros(_N)))


def _angle(gradients: np.ndarray, kind: str) -> float:
    """Degrees between the steps by A and by A^{1/2} for the last gradient."""
    plain, rooted, _ = _last_norms(gradients, kind)
    g = gradients[-1]
    first, second = plain.solve(g), rooted.solve(g)
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    return math.degrees(math.acos(min(1.0, float(cosine))))


def _decrease(gradients: np.ndarray, kind: str) -> float:
    """What a linear model falls by in A's ellipsoid, over A^{1/2}'s of the same volume."""
    plain, rooted, values = _last_norms(gradients, kind)
    g = gradients[-1]
    # Volumes are r^n / det^{1/2}; the geometric mean of the eigenvalues evens them out.
    mean = math.exp(float(np.mean(np.log(values))) / 4)
    return float(plain.dual_norm(g) / rooted.dual_norm(g) * mean)


def _shrinking(gradients: np.ndarray, kind: str) -> float:
    """By what the step by A changes when the function is multiplied by ten, over A^{1/2}'s."""
    lengths = []
    for scale in (1.0, 10.0):
        plain, rooted, _ = _last_norms(scale * gradients, kind)
        g = scale * gradients[-1]
        both = (plain.solve(g), rooted.solve(g))
        lengths.append([float(np.linalg.norm(step)) for step in both])
    return lengths[1][0] / lengths[0][0] / (lengths[1][1] / lengths[0][1])


def _figure(
    name: str,
    measured: Callable[[np.ndarray, str], float],
    kind: str,
    tilted: bool,
    expected: tuple[float, float],
    level: Level,
    seed: int,
) -> Figure:
    rng = np.random.default_rng([seed, 11])
    values: Sequence[float] = [
        measured(_gradients(rng, tilted=tilted), kind) for _ in range(_RUNS * level.value)
    ]
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1)) * spread / math.sqrt(len(values))
    return Figure(name, mean, mean - half, mean + half, expected)


def _figures(level: Level, seed: int) -> tuple[Figure, ...]:
    settings = (
        ("degrees between the steps, diagonal", _angle, "diagonal", False, (20.0, 40.0)),
        ("degrees between the steps, diagonal, tilted", _angle, "diagonal", True, (12.0, 30.0)),
        ("degrees between the steps, full", _angle, "full", False, (28.0, 44.0)),
        ("linear decrease, equal volumes, diagonal", _decrease, "diagonal", False, (0.85, 1.4)),
        ("linear decrease, equal volumes, full", _decrease, "full", False, (0.75, 1.1)),
        ("step for 10 f over step for f, A over its root", _shrinking, "diagonal", False,
         (0.099, 0.108)),
    )  # fmt: skip
    return tuple(
        _figure(name, measured, kind, tilted, expected, level, seed)
        for name, measured, kind, tilted, expected in settings
    )


def _root_claim() -> Claim:
    definite = Condition(
        "A is positive definite",
        r"A \succ 0",
        lambda i: min(i["eigenvalues"]) > 0,
        kept="without it there is no root",
    )
    gradient = Condition(
        "g is not 0",
        r"g \ne 0",
        lambda i: any(i["gradient"]),
        kept="between steps of length zero there is no angle",
    )
    printed = Form(
        "the steps by A and by A^{1/2} enclose an angle whose cosine is at least "
        "2 kappa^{1/4} / (1 + kappa^{1/2}), kappa the condition number of A; attained",
        r"\cos\angle(A^{-1}g, A^{-1/2}g) \ge \frac{2\kappa^{1/4}}{1 + \kappa^{1/2}}",
        (definite, gradient),
        _strategy,
        _margins,
        edges=lambda: (
            {"eigenvalues": [1.0, 16.0], "gradient": [1.0, 8.0]},
            {"eigenvalues": [1.0], "gradient": [1.0]},
        ),
        screen=Screen(_draw, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=100,
    )
    return Claim(
        "adaptive-norms/corollary-1-root",
        "the ellipsoids of A and of its root",
        PAPER,
        "Corollary 1 against Algorithm 1",
        Verdict.MEASURED,
        printed,
        measure=_figures,
        notes="Algorithm 1 takes A, the first-order methods that it is compared with A^{1/2}. "
        "Gradients of gradient descent on quadratics of condition 20, n = 10, with noise of a "
        "tenth; 30 gradients, beta = 0.9, epsilon = 1e-4; 95% intervals over the runs. "
        "The step by A^{1/2} does not change when the function is multiplied by a number (but "
        "for epsilon), that by A is divided by it: a radius for A has the unit of f.",
        ours="The sharp bound on the angle between the two steps, and the measured angles.",
        proof="docs/theory-methods.md, First-order steps are trust-region steps. With "
        "u = A^{-1/2} g and B = A^{-1/2} the angle is that between u and B u, and Kantorovich's "
        "inequality for B gives the bound; it is attained for u in the span of the extreme "
        "eigenvectors, with squares of the components inverse to the eigenvalues of B.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_root_claim(),)
