"""The mended form of Algorithm 2: projected gradient steps, feasible throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice, pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.efficient_tr.bulk import drawn_problems, norms, plain_row, row_dots
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    fewer_dimensions,
    has_gradient,
)
from theory_checks.claims.efficient_tr.iterations import (
    Vector,
    gradient_step,
    inner,
    into_ball,
    length,
    normalised,
    projected_descent,
    retracted,
    riemannian_gradient,
)
from theory_checks.oracle import gradient_at, model, solve_in_eigenbasis
from theory_checks.precise import Real, norm, precise, reals
from theory_checks.strategies import fractions_of_one, numbers, vectors

__all__ = ["claims"]

#: Iterations that are followed, of a run from the start and of one that begins near s, and the
#: distance that one begins at.
_FOLLOWED, _TAIL, _NEAR = 6, 4, 2.0**-60

Step = Callable[[Vector, Vector, Real], Vector]
Project = Callable[[Vector], Vector]


def _size(instance: Instance) -> float:
    return float(max(abs(h) for h in instance["eigenvalues"]) + length(instance["gradient"]))


def _start(instance: Instance) -> Vector:
    slope = reals(instance["gradient"])
    factor = -precise().mpf(instance["length"]) / norm(slope)
    return [factor * g for g in slope]


def _run(
    instance: Instance, first: Vector, count: int, step: Step, project: Project
) -> list[Vector]:
    run = projected_descent(
        reals(instance["eigenvalues"]),
        reals(instance["gradient"]),
        first,
        precise().mpf(instance["eta"]),
        step=step,
        project=project,
    )
    return list(islice(run, count))


def _falls(instance: Instance, run: list[Vector]) -> list[tuple[Real, Real]]:
    """(||d||^2/(2 eta), the fall of q) for each step d."""
    spectrum, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    falls = []
    for before, after in pairwise(run):
        moved = [b - a for a, b in zip(before, after, strict=True)]
        fall = model(spectrum, slope, before) - model(spectrum, slope, after)
        falls.append((inner(moved, moved) / (2 * precise().mpf(instance["eta"])), fall))
    return falls


def _same_step(instance: Instance, run: list[Vector]) -> Real:
    """The distance to Algorithm 2's step of length eta/(1 + eta lambda_t), on the sphere."""
    spectrum, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    eta, worst = precise().mpf(instance["eta"]), precise().mpf(0)
    for before, after in pairwise(run):
        if min(inner(before, before), inner(after, after)) < 1 - precise().mpf(10) ** -45:
            continue
        along = -inner(before, gradient_at(spectrum, slope, before))
        if 1 + eta * along <= 0:
            return precise().inf
        direction = riemannian_gradient(spectrum, slope, before)
        point = retracted(before, direction, eta / (1 + eta * along))
        worst = max(worst, length([a - b for a, b in zip(point, after, strict=True)]))
    return worst


def _shrinking(instance: Instance, step: Step, project: Project) -> tuple[Real, Real]:
    """(largest ratio of the distances to s after the first step, the factor (2))."""
    context = precise()
    optimum = solve_in_eigenbasis(instance["eigenvalues"], instance["gradient"])
    eta, lowest = context.mpf(instance["eta"]), min(instance["eigenvalues"])
    factor = (1 - eta * lowest) / (1 + eta * optimum.multiplier)
    turned = normalised(reals(instance["direction"]))
    first = into_ball(
        [s + context.mpf(_NEAR) * d for s, d in zip(optimum.step, turned, strict=True)]
    )
    run = _run(instance, first, _TAIL, step, project)
    away = [length([x - s for x, s in zip(z, optimum.step, strict=True)]) for z in run]
    ratios = [b / a for a, b in pairwise(away[1:]) if a > context.mpf(10) ** -30]
    return max(ratios, default=context.mpf(0)), factor


def _margins(
    instance: Instance, step: Step = gradient_step, project: Project = into_ball
) -> Margins:
    run = _run(instance, _start(instance), _FOLLOWED, step, project)
    slope, size = reals(instance["gradient"]), _size(instance)
    ratio, factor = _shrinking(instance, step, project)
    return {
        "feasible": min(in_roundings(1 - length(z), 1.0, EXACT) for z in run),
        "signs are kept": min(
            in_roundings(-x * g, abs(g), EXACT) for z in run for x, g in zip(z, slope, strict=True)
        ),
        "q falls by ||d||^2/(2 eta)": min(
            in_roundings(fall - least, size + least, EXACT) for least, fall in _falls(instance, run)
        ),
        "it is Algorithm 2's step": in_roundings(-_same_step(instance, run), 1.0, EXACT),
        # Near s, to first order: the distance there is 2^-60, of terms of the second.
        "the factor": in_roundings(factor * (1 + 1e-9) - ratio, 1.0, EXACT),
    }


def _bound(instance: Instance) -> tuple[float, float] | None:
    falls = _falls(instance, _run(instance, _start(instance), _FOLLOWED, gradient_step, into_ball))
    pairs = [(float(a), float(b)) for a, b in falls if b > 1e-20 * _size(instance)]
    return max(pairs, key=lambda pair: pair[0] / pair[1], default=None)


def _strategy() -> SearchStrategy[Instance]:
    def complete(instance: Instance) -> Instance:
        highest = instance["eigenvalues"][-1]
        eta = 4.0 * instance["eta"]
        return {**instance, "eta": instance["eta"] / highest if highest > 0 else eta}

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n, 4.0).map(sorted),
                "gradient": vectors(n, 4.0),
                "direction": st.lists(numbers(2.0), min_size=n, max_size=n).filter(any),
                "length": fractions_of_one(),
                "eta": fractions_of_one(),
            }
        )

    return st.one_of([of_dimension(n) for n in (1, 2, 3)]).map(complete)


def _instance(eigenvalues: list[float], gradient: list[float], size: float, eta: float) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "gradient": gradient,
        "direction": [1.0] * len(gradient),
        "length": size,
        "eta": eta,
    }


# --- in bulk ------------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    arrays = drawn_problems(rng, size, largest=3)
    highest = arrays["eigenvalues"].max(axis=1)
    share = arrays.pop("fraction")
    arrays["length"] = arrays.pop("alpha")
    arrays["eta"] = np.where(highest > 0, share / np.maximum(highest, 1e-9), 4.0 * share)
    arrays["direction"] = rng.standard_normal(arrays["gradient"].shape)
    return arrays


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The smallest (fall - ||d||^2/(2 eta)) over the size of the terms, along six steps."""
    spectra, slopes, eta = arrays["eigenvalues"], arrays["gradient"], arrays["eta"]
    z = -(arrays["length"] / norms(xp, slopes))[:, None] * slopes
    size = xp.max(xp.abs(spectra), axis=1) + norms(xp, slopes)
    worst = xp.full(eta.shape, xp.inf)
    for _ in range(_FOLLOWED):
        following = z - eta[:, None] * (spectra * z + slopes)
        following = following / xp.maximum(1.0, norms(xp, following))[:, None]
        moved = following - z
        fall = -row_dots(xp, moved, slopes + 0.5 * spectra * (z + following))
        least = row_dots(xp, moved, moved) / (2 * eta)
        worst = xp.minimum(worst, (fall - least) / (size + least))
        z = following
    return worst


# --- broken algorithms --------------------------------------------------------------


def _uphill(z: Vector, slope: Vector, eta: Real) -> Vector:
    return [x + eta * d for x, d in zip(z, slope, strict=True)]


def _too_long(z: Vector, slope: Vector, eta: Real) -> Vector:
    return [x - 3 * eta * d for x, d in zip(z, slope, strict=True)]


def _sabotage() -> tuple[Sabotage, ...]:
    return (
        Sabotage("uphill", lambda i: _margins(i, step=_uphill)),
        Sabotage("three times the step", lambda i: _margins(i, step=_too_long)),
        Sabotage("not projected", lambda i: _margins(i, project=lambda z: z)),
        Sabotage("scaled to the sphere inside as well", lambda i: _margins(i, project=normalised)),
    )


def _safe_descent() -> Claim:
    def is_moderate(instance: Instance) -> bool:
        data = [*instance["eigenvalues"], *instance["gradient"], instance["eta"]]
        return all(1e-12 < abs(x) < 1e12 for x in data if x != 0) and any(instance["direction"])

    printed = Form(
        "z+ = P(z - eta (Hz + g)), P the projection on the ball, 0 < eta max(lambda_n, 0) < 1, "
        "from z_0 = -tau g in the ball: every iterate is feasible, z_i g_i <= 0 for all i, q falls "
        "by at least ||z+ - z||^2/(2 eta), on the sphere it is Algorithm 2's step of length "
        "eta/(1 + eta lambda_t), and near a global minimiser errors shrink by a factor of at most "
        "(1 - eta lambda_1)/(1 + eta lambda)",
        r"z^+ = P(z - \eta(Hz+g)):\ \|z\| \le 1,\ z_i g_i \le 0,\ q(z) - q(z^+) \ge "
        r"\frac{\|z^+ - z\|^2}{2\eta},\ \limsup \frac{\|z^+ - s\|}{\|z - s\|} \le "
        r"\frac{1 - \eta\lambda_1}{1 + \eta\lambda}",
        (
            has_gradient(),
            Condition(
                "positive step",
                r"\eta > 0",
                lambda i: i["eta"] > 0,
                kept="The step length is a length.",
            ),
            Condition(
                "short step",
                r"\eta\lambda_n < 1",
                lambda i: i["eta"] * max(i["eigenvalues"]) < 1,
                Dropped((_instance([1.0], [0.5], 0.75, 2.5),), note="q rises."),
            ),
            Condition(
                "start in the ball",
                r"\|z_0\| \le 1",
                lambda i: i["length"] <= 1,
                Dropped((_instance([1.0], [0.5], 2.0, 0.5),), note="The first iterate is outside."),
            ),
            Condition(
                "downhill start",
                r"z_0 = -\tau g,\ \tau > 0",
                lambda i: i["length"] > 0,
                Dropped((_instance([-2.0, 2.0], [0.5, 0.0], -0.5, 0.25),), note="Wrong signs."),
            ),
            Condition(
                "of moderate size",
                r"10^{-12} < |x| < 10^{12} \text{ for all data } x \ne 0",
                is_moderate,
                kept="It limits what is tried: a start at 2^-60 from s is to be near.",
            ),
        ),
        _strategy,
        _margins,
        edges=lambda: (
            _instance([-1.0], [1.0], 0.5, 1.0),
            _instance([1.0], [0.5], 0.25, 0.75),
            _instance([-1.0, 1.0], [0.5, 0.5], 0.5, 0.75),
            _instance([-2.0, 2.0], [0.0, 1.0], 1.0, 0.25),
            _instance([-2.0, 2.0], [-0.5, 4.0], 1.0, 0.375),
        ),
        screen=Screen(_drawn, _slack, plain_row),
        reduce=_fewer,
        bound=_bound,
        sabotage=_sabotage(),
        effort=40,
    )
    return Claim(
        "efficient-tr/safe-descent",
        "Algorithm 2 made feasible, with one rule for both phases",
        PAPER,
        "beside Algorithm 2 and Theorem 3",
        Verdict.HOLDS,
        printed,
        notes="Only an upper bound on lambda_n is needed, not on ||H||. That the limit is global "
        "is theorem-3; the rate is that of all global minimisers, 1 in the hard case.",
        proof="docs/sphere-descent.md, 'The mend'.",
        ours="All of it: one feasible rule for both phases, with the signs, the descent and the "
        "rate proved.",
    )


def _fewer(instance: Instance) -> list[Instance]:
    return [
        {**smaller, "direction": smaller["direction"][: len(smaller["gradient"])]}
        for smaller in fewer_dimensions(instance)
    ]


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_safe_descent(),)
