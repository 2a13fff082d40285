"""Section 3.2, on the sphere: Theorem 7, that steps by Armijo's rule come to rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
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
from theory_checks.claims.efficient_tr.armijo import ARMIJO, rule_of, rules
from theory_checks.claims.efficient_tr.broken import broken_descents
from theory_checks.claims.efficient_tr.bulk import norms, plain_row, row_dots, unit_vectors
from theory_checks.claims.efficient_tr.common import EXACT, PAPER, unit_vector
from theory_checks.claims.efficient_tr.iterations import (
    PRINTED,
    Sphere,
    Vector,
    descend_on_sphere,
    enough_decrease,
    length,
    retracted,
    riemannian_gradient,
    surely_accepted,
)
from theory_checks.oracle import model
from theory_checks.precise import Real, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

#: Steps that are followed, and those that a search may try.
_STEPS, _TRIES = 5, 160


def _shortest(instance: Instance) -> float:
    """a: every accepted step is at least this long."""
    sure = surely_accepted(instance["eigenvalues"], instance["gradient"], instance["sigma"])
    return float(min(instance["first step"], instance["shrink"] * sure))


def _run(instance: Instance, sphere: Sphere) -> tuple[list[Vector], bool]:
    """Iterates at fifty digits, and whether all steps that were asked for were found."""
    eigenvalues, gradient = reals(instance["eigenvalues"]), reals(instance["gradient"])
    z = reals(unit_vector(instance["tangents"]))
    if instance["line search"]:
        run = descend_on_sphere(
            eigenvalues, gradient, z, rule_of(instance), _STEPS, sphere, tries=_TRIES
        )
        iterates = list(run)
        resting = length(riemannian_gradient(eigenvalues, gradient, iterates[-1]))
        return iterates, len(iterates) > _STEPS or bool(resting <= 1e-20 * _size(instance))
    iterates = [z]
    for _ in range(_STEPS):
        z = retracted(z, riemannian_gradient(eigenvalues, gradient, z), instance["first step"])
        iterates.append(z)
    return iterates, True


def _size(instance: Instance) -> float:
    return float(max(abs(h) for h in instance["eigenvalues"]) + length(instance["gradient"]))


def _gains(instance: Instance, run: Sequence[Vector]) -> list[tuple[Real, Real]]:
    """(sigma a ||grad f||^2, the fall of f) for each step."""
    eigenvalues, gradient = reals(instance["eigenvalues"]), reals(instance["gradient"])
    share = instance["sigma"] * _shortest(instance)
    gains = []
    for before, after in pairwise(run):
        slope = riemannian_gradient(eigenvalues, gradient, before)
        fall = model(eigenvalues, gradient, before) - model(eigenvalues, gradient, after)
        gains.append((share * sum(d * d for d in slope), fall))
    return gains


def _margins(instance: Instance, sphere: Sphere = PRINTED) -> Margins:
    run, complete = _run(instance, sphere)
    size = _size(instance)
    margins = [in_roundings(fall - least, size, EXACT) for least, fall in _gains(instance, run)]
    return {
        "each step gains sigma a ||grad f||^2": min(margins, default=EXACT),
        "a step is found": EXACT if complete else -math.inf,
    }


def _bound(instance: Instance) -> tuple[float, float] | None:
    run, _ = _run(instance, PRINTED)
    size = _size(instance)
    pairs = [(float(a), float(b)) for a, b in _gains(instance, run) if b > 1e-20 * size]
    return max(pairs, key=lambda pair: pair[0] / pair[1], default=None)


def _strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n, 4.0).map(sorted),
                "gradient": vectors(n, 4.0),
                "tangents": vectors(n - 1, 4.0),
                "line search": st.just(True),
                **rules(),
            }
        )

    return st.one_of([of_dimension(n) for n in range(2, 5)])


def _instance(
    first: float,
    line_search: bool,
    gradient: Sequence[float] = (0.0, 0.0),
    sigma: float = 0.5,
) -> Instance:
    return {
        "eigenvalues": [0.0, 2.0],
        "gradient": list(gradient),
        "tangents": [0.25],
        "line search": line_search,
        "first step": first,
        "shrink": 0.5,
        "sigma": sigma,
    }


# --- in bulk ------------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    n = int(rng.integers(2, 5))
    return {
        "eigenvalues": np.sort(rng.uniform(-4.0, 4.0, (size, n)), axis=1),
        "gradient": rng.standard_normal((size, n)) * 10.0 ** rng.uniform(-1, 1, (size, 1)),
        "tangents": rng.standard_normal((size, n - 1)),
        "first step": 10.0 ** rng.uniform(-2.0, 1.0, size),
        "shrink": rng.uniform(0.1, 0.9, size),
        "sigma": rng.uniform(0.01, 0.99, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(fall - sigma a ||grad f||^2) over ||grad f||^2 for one step of every row."""
    spectra, slopes = arrays["eigenvalues"], arrays["gradient"]
    z = unit_vectors(xp, arrays["tangents"])
    along = row_dots(xp, z, spectra * z + slopes)
    direction = spectra * z + slopes - along[:, None] * z
    squared = row_dots(xp, direction, direction)
    before = row_dots(xp, z, slopes + 0.5 * spectra * z)
    step, fall = arrays["first step"], xp.full(squared.shape, -xp.inf)
    waiting = squared > 0.0
    for _ in range(90):
        trial = z - step[:, None] * direction
        trial = trial / norms(xp, trial)[:, None]
        now = before - row_dots(xp, trial, slopes + 0.5 * spectra * trial)
        good = waiting & (now >= arrays["sigma"] * step * squared)
        fall = xp.where(good, now, fall)
        waiting = waiting & ~good
        step = step * arrays["shrink"]
    bend = 1.325 * (spectra[:, -1] - spectra[:, 0]) + 1.65 * norms(xp, slopes)
    sure = 2 * (1 - arrays["sigma"]) / bend
    least = xp.minimum(arrays["first step"], arrays["shrink"] * sure)
    slack = fall / (squared + 1e-300) - arrays["sigma"] * least
    return xp.where(waiting, 1.0, slack)


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {**plain_row(arrays, row), "line search": True}


# --- broken algorithms --------------------------------------------------------------


def _sabotage() -> tuple[Sabotage, ...]:
    further = replace(PRINTED, accepts=enough_decrease, after=16.0)
    return broken_descents(
        _margins,
        {
            "every first step will do": replace(PRINTED, accepts=lambda *_: True),
            "sixteen times the step that was accepted": further,
        },
    )


# --- the claim ----------------------------------------------------------------------


def _is_short(instance: Instance) -> bool:
    sure = surely_accepted(instance["eigenvalues"], instance["gradient"], instance["sigma"])
    if instance["first step"] <= sure:
        return True
    tries = math.log(instance["first step"] / sure) / -math.log(instance["shrink"])
    return tries < _TRIES - 2


def _conditions() -> tuple[Condition, ...]:
    return (
        ARMIJO,
        Condition(
            "line search",
            "the step length is chosen by Armijo's rule",
            lambda i: bool(i["line search"]),
            Dropped((_instance(4.0, False),), note="A fixed long step goes round in a cycle."),
        ),
        Condition(
            "short search",
            rf"at most {_TRIES} steps to try",
            _is_short,
            kept="It limits what is tried: each search is run to its end.",
        ),
        Condition(
            "of moderate size",
            r"10^{-30} < \beta + \|g\| < 10^{30}",
            lambda i: 1e-30 < _size(i) < 1e30 and 1e-30 < i["first step"] < 1e30,
            kept="It limits what is tried: products have to stay in the range of float64.",
        ),
    )


def _theorem_7() -> Claim:
    printed = Form(
        "every accumulation point of the sphere descent with line search is stationary; "
        "checked step by step, and so as a rate: f falls by at least sigma a ||grad f(z_t)||^2, "
        "a = min(first step, 2 shrink (1 - sigma)/L), L = 1.65 ||g|| + 1.33 (lambda_n - lambda_1)",
        r"\min_{t<T}\|\operatorname{grad} f(z_t)\|^2 \le \frac{f(z_0)-f(z_T)}{\sigma\,a\,T}",
        _conditions(),
        _strategy,
        _margins,
        edges=lambda: (
            _instance(4.0, True),
            _instance(0.125, True),
            _instance(4.0, True, (1.0, -2.0), 0.75),
        ),
        screen=Screen(_drawn, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=30,
    )
    return Claim(
        "efficient-tr/theorem-7",
        "accumulation points of the sphere descent are stationary",
        PAPER,
        "Theorem 7 (Absil et al., Theorem 4.3.1)",
        Verdict.HOLDS,
        printed,
        notes="Stationary, not globally minimal, nor locally: a start at a maximum stays there. "
        "In the decrease that the search asks for, |grad f| has to be squared.",
        proof="docs/theory-efficient-tr.md, 'The line search': f along the retraction has a second "
        "derivative of at most L, so every step of at most 2 (1 - sigma)/L is accepted, and the "
        "sum of all falls is finite.",
        ours="The rate: how small the gradient is after T steps, from H and g alone.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_theorem_7(),)
