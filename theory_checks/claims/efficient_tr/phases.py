"""Algorithm 2 between and after its phases: the line search ends, the result is feasible."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    ALLOWANCE,
    Claim,
    Condition,
    Form,
    Instance,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.efficient_tr.algorithm_2 import handed_over
from theory_checks.claims.efficient_tr.armijo import ARMIJO, rule_of, rules, with_rule
from theory_checks.claims.efficient_tr.bulk import drawn_problems, norms, plain_row, row_dots
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    assumption_1,
    assumption_2,
    fewer_dimensions,
    first_component,
    has_gradient,
    negative_curvature,
    operator_norm,
    positive_step,
    problem,
    runs_well,
    start,
    step_size,
)
from theory_checks.claims.efficient_tr.iterations import (
    PRINTED,
    Sphere,
    Vector,
    armijo_search,
    gradient_descent,
    into_ball,
    length,
    normalised,
    riemannian_gradient,
    surely_accepted,
)
from theory_checks.precise import Real, reals
from theory_checks.strategies import fractions_of_one, problems

__all__ = ["claims"]

#: Steps that a search may try before it counts as endless.
_TRIES = 160


# --- the line search ----------------------------------------------------------------


def _searched(instance: Instance, sphere: Sphere, *, to_sphere: bool) -> tuple[int, bool] | None:
    """How many steps were tried where phase I ends, and whether one was found."""
    point = handed_over(instance, start(instance), step_size(instance))
    if point is None:
        return None
    z = normalised(point) if to_sphere else point
    eigenvalues, gradient = reals(instance["eigenvalues"]), reals(instance["gradient"])
    slope = length(riemannian_gradient(eigenvalues, gradient, z))
    if slope <= 1e-12 * (operator_norm(instance) + length(gradient)):
        return None
    following, count = armijo_search(
        eigenvalues, gradient, z, rule_of(instance), sphere, tries=_TRIES
    )
    return count, following is not None


def _printed_search(instance: Instance) -> Margins:
    searched = _searched(instance, PRINTED, to_sphere=False)
    found = searched is None or searched[1]
    return {"the line search ends": ALLOWANCE if found else -math.inf}


def _most_tries(instance: Instance) -> int:
    """1 + ceil(log(first/a)/log(1/shrink)) for a step a that is surely accepted."""
    sure = surely_accepted(instance["eigenvalues"], instance["gradient"], instance["sigma"])
    if instance["first step"] <= sure:
        return 1
    ratio = math.log(instance["first step"] / sure) / -math.log(instance["shrink"])
    # A ratio within rounding of a whole number is rounded up.
    return 1 + math.ceil(ratio + 1e-9)


def _search_margins(
    instance: Instance, sphere: Sphere = PRINTED, to_sphere: bool = True
) -> Margins:
    searched = _searched(instance, sphere, to_sphere=to_sphere)
    if searched is None:
        return {"the line search ends": ALLOWANCE}
    count, found = searched
    return {
        "the line search ends": ALLOWANCE if found else -math.inf,
        "after no more tries": in_roundings(_most_tries(instance) - count, 1.0, EXACT),
    }


def _search_bound(instance: Instance) -> tuple[float, float] | None:
    searched = _searched(instance, PRINTED, to_sphere=True)
    return None if searched is None else (float(searched[0]), float(_most_tries(instance)))


_SHORT = Condition(
    "short search",
    rf"at most {_TRIES} steps to try",
    lambda i: _most_tries(i) <= _TRIES,
    kept="It limits what is tried: the search is run to its end.",
)


def _search_strategy() -> SearchStrategy[Instance]:
    return problems(3, 4.0, alpha=fractions_of_one(), fraction=fractions_of_one(), **rules())


def _search_drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    arrays = drawn_problems(rng, size, smallest=2, largest=3, indefinite=True)
    arrays["first step"] = 10.0 ** rng.uniform(-2.0, 2.0, size)
    arrays["shrink"] = np.full(size, 0.5)
    arrays["sigma"] = rng.choice([0.1, 0.5, 0.9], size)
    return arrays


def _search_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """log of the first accepted step of first/2^k over the one that is surely accepted / 2."""
    spectra, slopes = arrays["eigenvalues"], arrays["gradient"]
    eta = (arrays["fraction"] / xp.max(xp.abs(spectra), axis=1))[:, None]
    z = -(arrays["alpha"] / norms(xp, slopes))[:, None] * slopes
    for _ in range(40):
        z = xp.where(norms(xp, z)[:, None] < 1.0, z - eta * (spectra * z + slopes), z)
    z = z / norms(xp, z)[:, None]
    along = row_dots(xp, z, spectra * z + slopes)
    direction = spectra * z + slopes - along[:, None] * z
    squared = row_dots(xp, direction, direction)
    before = row_dots(xp, z, slopes + 0.5 * spectra * z)
    step, accepted = arrays["first step"], 0.0 * squared
    for _ in range(24):
        trial = z - step[:, None] * direction
        trial = trial / norms(xp, trial)[:, None]
        fall = before - row_dots(xp, trial, slopes + 0.5 * spectra * trial)
        good = (accepted == 0.0) & (fall >= arrays["sigma"] * step * squared)
        accepted = xp.where(good, step, accepted)
        step = step / 2
    spread, size = spectra[:, -1] - spectra[:, 0], norms(xp, slopes)
    sure = 2 * (1 - arrays["sigma"]) / (1.325 * spread + 1.65 * size)
    least = xp.minimum(arrays["first step"], sure / 2)
    # A gradient at rounding level has no slope to search along.
    clear = squared > 1e-12 * (spread + size) ** 2
    return xp.where(clear & (accepted > 0.0), accepted / least - 1.0, xp.where(clear, -1.0, 1.0))


def _not_squared(fall: Real, step: Real, squared: Real, sigma: float) -> bool:
    """The condition as printed, with the norm of the gradient and not its square."""
    return bool(fall >= sigma * step * squared**0.5)


def _uphill(eigenvalues: Any, gradient: Any, z: Any) -> Vector:
    return [-d for d in riemannian_gradient(eigenvalues, gradient, z)]


def _search_sabotage() -> tuple[Sabotage, ...]:
    def broken(name: str, sphere: Sphere, to_sphere: bool = True) -> Sabotage:
        return Sabotage(name, lambda i: _search_margins(i, sphere, to_sphere))

    return (
        broken(
            "the gradient's norm not squared, as printed", replace(PRINTED, accepts=_not_squared)
        ),
        broken("uphill", replace(PRINTED, direction=_uphill)),
        broken("the iterate not scaled to the sphere", PRINTED, to_sphere=False),
    )


def _algorithm_2_line_search() -> Claim:
    setting = (
        negative_curvature(),
        first_component(),
        positive_step(),
        has_gradient(),
        assumption_1(),
        assumption_2(),
        ARMIJO,
        _SHORT,
        runs_well(),
    )
    edges = (
        with_rule(problem([-1.0], [1.0], 0.5), 1.0),
        with_rule(problem([-1.0, 1.0], [1.0, 1.0], 0.5), 1.0),
        with_rule(problem([-1.0, 1.0], [-0.125, 2.0], 0.5), 8.0, 0.75),
    )
    printed = Form(
        "the line search of Algorithm 2 finds a step at the iterate that phase I hands over",
        r"\exists k:\ f(z) - f(R_z(-\bar\alpha\tau^k \operatorname{grad} f)) \ge "
        r"\sigma\bar\alpha\tau^k \|\operatorname{grad} f\|^2",
        setting,
        _search_strategy,
        _printed_search,
        edges=lambda: edges,
        reduce=fewer_dimensions,
        effort=40,
    )
    amended = Form(
        "with that iterate scaled to the sphere first the search ends, after at most "
        "1 + ceil(log(first/a)/log(1/shrink)) steps, a = 2 (1 - sigma)/L, L = 1.65 ||g|| + "
        "1.33 (lambda_n - lambda_1); whatever H, the start and eta are",
        r"z \leftarrow z / \|z\|,\quad k \le \Bigl\lceil \frac{\log(\bar\alpha L / 2(1-\sigma))}"
        r"{\log(1/\tau)} \Bigr\rceil",
        (positive_step(), has_gradient(), ARMIJO, _SHORT, runs_well()),
        _search_strategy,
        _search_margins,
        edges=lambda: edges,
        screen=Screen(_search_drawn, _search_slack, plain_row),
        reduce=fewer_dimensions,
        bound=_search_bound,
        sabotage=_search_sabotage(),
        effort=50,
    )
    return Claim(
        "efficient-tr/algorithm-2-line-search",
        "the line search ends",
        PAPER,
        "Algorithm 2, lines 6 to 15",
        Verdict.NEEDS,
        printed,
        amended,
        notes="Phase I ends with an iterate outside the ball, and phase II starts from it as it "
        "is. There f may lie below its minimum on the sphere, so that no step decreases it and "
        "the search goes on for ever.",
        proof="docs/theory-efficient-tr.md, 'The line search': on the sphere -grad f is a descent "
        "direction of the retraction, along which the second derivative is at most L.",
        ours="The number of steps that the search tries, from H and g alone.",
    )


# --- what is returned ---------------------------------------------------------------

Mend = Callable[[Vector], Vector]


def _returned_norm(instance: Instance, mend: Mend) -> Real:
    """The norm of what lines 3 to 12 return after N1 + 1 steps, all but the last inside."""
    run = gradient_descent(
        reals(instance["eigenvalues"]),
        reals(instance["gradient"]),
        start(instance),
        step_size(instance),
    )
    z = start(instance)
    for before, after in pairwise(islice(run, int(instance["N1"]) + 2)):
        z = after
        # An iterate outside is noticed at the next turn of the loop, if there is one.
        if length(before) >= 1.0:
            return length(normalised(before))
    return length(mend(z))


def _feasible_margins(instance: Instance, mend: Mend = into_ball) -> Margins:
    return {"feasible": in_roundings(1 - _returned_norm(instance, mend), 1.0, EXACT)}


def _feasible_strategy() -> SearchStrategy[Instance]:
    return problems(3, alpha=fractions_of_one(), fraction=fractions_of_one(), N1=st.integers(0, 8))


def _feasible_edges() -> Iterable[Instance]:
    yield {**problem([-1.0], [1.0], 0.5), "N1": 3}
    yield {**problem([-1.0, 0.0], [2.0, 2.0], 0.5), "N1": 0}


def _feasible_drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    return {**drawn_problems(rng, size, largest=3), "N1": np.zeros(size, dtype=int)}


def _feasible_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - ||z||, for one step, as it is scaled."""
    spectra, slopes = arrays["eigenvalues"], arrays["gradient"]
    eta = (arrays["fraction"] / xp.max(xp.abs(spectra), axis=1))[:, None]
    z = -(arrays["alpha"] / norms(xp, slopes))[:, None] * slopes
    z = z - eta * (spectra * z + slopes)
    return 1.0 + 1e-12 - norms(xp, z / xp.maximum(1.0, norms(xp, z))[:, None])


def _by_largest(z: Vector) -> Vector:
    largest = max(abs(x) for x in z)
    return [x / max(largest, 1) for x in z]


def _once_too_often(z: Vector) -> Vector:
    return z if length(z) < 2 else normalised(z)


def _algorithm_2_feasible() -> Claim:
    few = Condition(
        "few steps",
        r"0 \le N_1 \le 64",
        lambda i: 0 <= i["N1"] <= 64,
        kept="It limits what is tried: the phase is run.",
    )
    setting = (positive_step(), has_gradient())
    printed = Form(
        "what Algorithm 2 returns at line 11, after N1 + 1 steps of phase I, lies in the ball",
        r"\|z_{N_1+1}\| \le 1",
        (*setting, assumption_1(), assumption_2(), few, runs_well()),
        _feasible_strategy,
        lambda i: _feasible_margins(i, lambda z: z),
        edges=_feasible_edges,
        reduce=fewer_dimensions,
        effort=40,
    )
    amended = Form(
        "the same, with the norm looked at after each step, not before, and an iterate "
        "outside scaled to the sphere; for every eta and every start",
        r"z_{t+1} \leftarrow z_{t+1} / \max(1, \|z_{t+1}\|)",
        (*setting, few, runs_well()),
        _feasible_strategy,
        _feasible_margins,
        edges=_feasible_edges,
        screen=Screen(_feasible_drawn, _feasible_slack, plain_row),
        reduce=fewer_dimensions,
        bound=lambda i: (float(_returned_norm(i, into_ball)), 1.0),
        sabotage=(
            Sabotage("not scaled, as printed", lambda i: _feasible_margins(i, lambda z: z)),
            Sabotage("over the largest component", lambda i: _feasible_margins(i, _by_largest)),
            Sabotage("scaled from 2 on", lambda i: _feasible_margins(i, _once_too_often)),
        ),
        effort=60,
    )
    return Claim(
        "efficient-tr/algorithm-2-feasible",
        "what Algorithm 2 returns is feasible",
        PAPER,
        "Algorithm 2, lines 3 to 12",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The norm is looked at before each step. If the last step of phase I leaves the ball "
        "the flag is still false, and the infeasible iterate is returned; with N1 = 1, as in the "
        "paper's experiments, that is common. Nor does the algorithm ever stop by itself: at an "
        "interior solution it runs through all N1 steps, on the sphere through all N2.",
        proof="docs/theory-efficient-tr.md, 'What is returned': by construction. The method that "
        "is feasible throughout, and converges, is safe-descent.",
        ours="The order of test and step that keeps every iterate feasible.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_algorithm_2_line_search(), _algorithm_2_feasible())
