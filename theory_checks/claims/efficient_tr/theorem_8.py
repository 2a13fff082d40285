"""Section 3.2, on the sphere: Theorem 8, the linear rate of the steps by Armijo's rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
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
    fact,
    in_roundings,
)
from theory_checks.claims.efficient_tr.armijo import ARMIJO, rule_of, rules
from theory_checks.claims.efficient_tr.broken import broken_descents
from theory_checks.claims.efficient_tr.bulk import row_dots, unit_vectors
from theory_checks.claims.efficient_tr.common import EXACT, PAPER, unit_vector
from theory_checks.claims.efficient_tr.iterations import (
    PRINTED,
    Sphere,
    armijo_search,
    retracted,
)
from theory_checks.oracle import model
from theory_checks.precise import Real, dot, exact, precise, real, reals
from theory_checks.strategies import vectors

__all__ = ["claims"]

#: Steps that are followed, how near to s they begin, and the bits that this takes besides.
_TAIL, _NEAR, _BITS = 6, 2.0**-60, 300

#: A share of f - f(s) below this has no digits left.
_NOTHING = 1e-100

#: lambda_H,min counts as 0 below this share of the data.
_FLAT = 1e-30


def _minimiser(instance: Instance) -> list[Fraction]:
    return unit_vector(instance["tangents"])


def _shift(instance: Instance) -> Fraction:
    return Fraction(instance["gap"]) - Fraction(min(instance["eigenvalues"]))


def _slope(instance: Instance) -> list[Fraction]:
    """The g for which the minimiser is stationary with multiplier -lambda_1 + gap."""
    shift = _shift(instance)
    spectrum = exact(instance["eigenvalues"])
    return [-(h + shift) * s for h, s in zip(spectrum, _minimiser(instance), strict=True)]


def _size(instance: Instance) -> float:
    return float(max(abs(h) for h in instance["eigenvalues"]) + abs(_shift(instance)))


def _tangent_basis(point: Sequence[Real]) -> list[list[Real]]:
    """Orthonormal vectors that span the tangent space (the columns of a reflection)."""
    context = precise()
    sign = -1 if point[0] < 0 else 1
    mirror = [point[0] + sign, *point[1:]]
    square = dot(mirror, mirror)
    basis = []
    for column in range(1, len(point)):
        weight = 2 * mirror[column] / square
        basis.append([context.mpf(int(i == column)) - weight * m for i, m in enumerate(mirror)])
    return basis


def _riemannian_spectrum(instance: Instance) -> tuple[Real, Real]:
    """The extreme eigenvalues of xi -> xi'(H + lambda I)xi on the tangent space at s."""
    context = precise()
    shift = real(_shift(instance))
    spectrum = [h + shift for h in reals(instance["eigenvalues"])]
    basis = _tangent_basis(reals(_minimiser(instance)))
    entries = [
        [dot([h * x for h, x in zip(spectrum, a, strict=True)], b) for a in basis] for b in basis
    ]
    if len(basis) == 1:
        return entries[0][0], entries[0][0]
    middle = (entries[0][0] + entries[1][1]) / 2
    half = (entries[0][0] - entries[1][1]) / 2
    reach = context.sqrt(half * half + entries[0][1] ** 2)
    return middle - reach, middle + reach


def _is_strict(instance: Instance) -> bool:
    return bool(_riemannian_spectrum(instance)[0] > _FLAT * _size(instance))


def _rate(instance: Instance, factor: Real) -> Real:
    """r* with `factor` in the place of the beta of Theorem 8."""
    smallest, largest = _riemannian_spectrum(instance)
    sigma, first = instance["sigma"], instance["first step"]
    return 1 - min(
        2 * sigma * first * smallest, 4 * sigma * (1 - sigma) * factor * smallest / largest
    )


def _ratios(instance: Instance, sphere: Sphere) -> list[Real]:
    """(f(z_{t+1}) - f(s)) / (f(z_t) - f(s)) of a run that begins near s; 1 where it sticks."""
    context = precise()
    with context.extraprec(_BITS):
        eigenvalues, gradient = reals(instance["eigenvalues"]), reals(_slope(instance))
        point = reals(_minimiser(instance))
        turn = reals(unit_vector(instance["direction"]))
        tangent = [
            sum(c * b[i] for c, b in zip(turn, _tangent_basis(point), strict=True))
            for i in range(len(point))
        ]
        z = retracted(point, tangent, context.mpf(-_NEAR))
        lowest = model(eigenvalues, gradient, point)
        gaps = [model(eigenvalues, gradient, z) - lowest]
        for _ in range(_TAIL):
            following, _ = armijo_search(eigenvalues, gradient, z, rule_of(instance), sphere)
            z = z if following is None else following
            gaps.append(model(eigenvalues, gradient, z) - lowest)
        return [b / a for a, b in pairwise(gaps) if a > _NOTHING * _size(instance)]


def _is_global_and_strict(instance: Instance) -> bool:
    """lambda > -lambda_1, or lambda_1 simple and s_1 != 0."""
    lowest = min(instance["eigenvalues"])
    simple = sum(h == lowest for h in instance["eigenvalues"]) == 1
    first = _minimiser(instance)[instance["eigenvalues"].index(lowest)]
    return bool(instance["gap"] > 0 or (instance["gap"] == 0 and simple and first != 0))


def _margins(instance: Instance, *, factor: Real, sphere: Sphere = PRINTED) -> Margins:
    strict = _is_strict(instance)
    margins = {"lambda_H,min > 0": fact(strict)}
    if not strict:
        return margins
    best = _rate(instance, factor)
    # Any r > r* will do from some step on; the run begins so near that this one does.
    rate = best + (1 - best) / 1000
    worst = max(_ratios(instance, sphere), default=precise().mpf(0))
    margins["the rate"] = in_roundings(rate - worst, 1.0, EXACT)
    return margins


def _amended_margins(instance: Instance, sphere: Sphere = PRINTED) -> Margins:
    margins = dict(_margins(instance, factor=instance["shrink"], sphere=sphere))
    if instance["gap"] >= 0:
        same = _is_global_and_strict(instance) == _is_strict(instance)
        margins["when lambda_H,min > 0"] = fact(same)
    return margins


def _operator_norm(instance: Instance) -> float:
    return float(max(abs(h) for h in instance["eigenvalues"]))


def _bound(instance: Instance) -> tuple[float, float] | None:
    """(1 - r*, 1 - the worst ratio): what is promised of the decrease, and what is seen."""
    if not _is_strict(instance):
        return None
    worst = max(_ratios(instance, PRINTED), default=None)
    if worst is None or worst >= 1:
        return None
    return float(1 - _rate(instance, instance["shrink"])), float(1 - worst)


def _strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n, 4.0).map(sorted),
                "tangents": vectors(n - 1, 2.0),
                "gap": st.one_of(st.integers(0, 8).map(lambda k: k / 4), st.floats(0.01, 4.0)),
                "direction": vectors(n - 2, 2.0),
                **rules(),
            }
        )

    return st.one_of([of_dimension(n) for n in range(2, 4)])


def _instance(
    eigenvalues: list[float],
    gap: float,
    tangents: list[float],
    first: float,
    sigma: float,
    shrink: float = 0.5,
) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "tangents": tangents,
        "gap": gap,
        "direction": [1.0] * (len(eigenvalues) - 2),
        "first step": first,
        "shrink": shrink,
        "sigma": sigma,
    }


# --- in bulk ------------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    return {
        "eigenvalues": np.sort(rng.uniform(-4.0, 4.0, (size, 2)), axis=1),
        "tangents": rng.standard_normal((size, 1)),
        "gap": rng.uniform(0.05, 4.0, size),
        "first step": 10.0 ** rng.uniform(-2.0, 1.0, size),
        "shrink": rng.uniform(0.1, 0.9, size),
        "sigma": rng.uniform(0.05, 0.95, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - ratio - (1 - r*) over 1 - r* in the plane, where near s all is a parabola.

    There a step alpha is accepted exactly if alpha h <= 2 (1 - sigma), h the curvature,
    and makes the ratio (1 - alpha h)^2.
    """
    s = unit_vectors(xp, arrays["tangents"])
    shift = arrays["gap"] - arrays["eigenvalues"][:, 0]
    tangent = xp.stack([-s[:, 1], s[:, 0]], axis=1)
    bend = row_dots(xp, (arrays["eigenvalues"] + shift[:, None]) * tangent, tangent)
    sigma, first, shrink = arrays["sigma"], arrays["first step"], arrays["shrink"]
    sure = 2 * (1 - sigma) / bend
    tries = xp.ceil(xp.log(xp.maximum(first / sure, 1.0)) / -xp.log(shrink))
    step = first * shrink**tries
    promised = xp.minimum(2 * sigma * first * bend, 4 * sigma * (1 - sigma) * shrink)
    return (1.0 - (1.0 - step * bend) ** 2 - promised) / promised


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {**{name: array[row].tolist() for name, array in arrays.items()}, "direction": []}


# --- broken algorithms --------------------------------------------------------------


def _sabotage() -> tuple[Sabotage, ...]:
    shorter = replace(PRINTED, after=0.25)
    return broken_descents(_amended_margins, {"a quarter of the step that was accepted": shorter})


# --- the claim ----------------------------------------------------------------------


def _is_runnable(instance: Instance) -> bool:
    largest = max(float(_riemannian_spectrum(instance)[1]), 1e-300)
    sure = 2 * (1 - instance["sigma"]) / largest
    long = instance["first step"] > sure
    needed = instance["first step"] * instance["shrink"] ** 60 if long else 0.0
    return bool(needed < sure)


def _is_near(instance: Instance) -> bool:
    smallest, _ = _riemannian_spectrum(instance)
    size = _size(instance)
    if not 1e-20 < size < 1e20 or not 1e-20 < instance["first step"] < 1e20:
        return False
    # A degenerate s is for the margins to judge.
    return bool(smallest <= _FLAT * size or smallest >= 1e-6 * size)


def _degenerate() -> Dropped:
    return Dropped(
        (
            _instance([-1.0, 1.0], 0.0, [1.0], 1.0, 0.5),
            _instance([-1.0, -1.0, 1.0], 0.0, [1.0, 0.0], 1.0, 0.5),
            _instance([-1.0, 1.0], -0.5, [1.0], 1.0, 0.5),
        ),
        note="The boundary of the hard case: f(s + x) - f(s) grows like x^4, the convergence is "
        "sublinear, and r* = 1 leaves no r. A repeated lambda1: there is a circle of minimisers. "
        "And a saddle.",
    )


def _theorem_8() -> Claim:
    near = Condition(
        "near enough",
        r"\lambda_{H,\min} \ge 10^{-6}(\beta + |\lambda|)",
        _is_near,
        kept="It limits what is tried: 'from some t on' is a start at 2^-60 from s.",
    )
    short = Condition(
        "short search",
        "at most 60 steps to try",
        _is_runnable,
        kept="It limits what is tried: each search is run to its end.",
    )
    minimiser = Condition("minimiser", r"H + \lambda I \succeq 0", lambda i: bool(i["gap"] >= 0))
    strict = Condition("strict", r"\lambda_{H,\min} > 0", _is_strict, _degenerate())
    text = (
        "if the sphere descent converges to a local minimiser s, then lambda_H,min > 0 and "
        "f(z_{t+1}) - f(s) <= r (f(z_t) - f(s)) from some t on, for every r in (r*, 1), r* = 1 - "
        "min(2 sigma a lambda_H,min, 4 sigma (1 - sigma) beta lambda_H,min/lambda_H,max)"
    )
    tex = (
        r"r^* = 1 - \min\bigl(2\sigma\bar\alpha\lambda_{H,\min},\,"
        r"4\sigma(1-\sigma)\beta\lambda_{H,\min}/\lambda_{H,\max}\bigr)"
    )
    printed = Form(
        f"{text}, with beta = ||H|| as the paper's notation has it",
        tex,
        (ARMIJO, minimiser, near, short),
        _strategy,
        lambda i: _margins(i, factor=_operator_norm(i)),
        edges=lambda: (
            _instance([-4.0, 4.0], 4.0, [0.5], 8.0, 0.5),
            _instance([-1.0, 1.0], 0.0, [1.0], 1.0, 0.5),
        ),
        effort=25,
    )
    amended = Form(
        "if lambda_H,min > 0 at a stationary point s of the sphere to which it converges, the rate "
        "is that, with beta the backtracking factor and a the first step of Armijo's rule; at a "
        "global minimiser lambda_H,min > 0 if and only if lambda > -lambda1, or lambda1 is simple "
        "and s1 != 0",
        rf"{tex},\quad \beta = \text{{shrink}} \in (0,1);\quad \lambda_{{H,\min}} > 0 \iff "
        r"\lambda > -\lambda_1 \text{ or } (\lambda_1 < \lambda_2 \text{ and } s^{(1)} \ne 0)",
        (ARMIJO, strict, near, short),
        _strategy,
        _amended_margins,
        edges=lambda: (
            _instance([-4.0, 4.0], 4.0, [0.5], 8.0, 0.5),
            _instance([-1.0, 0.0, 3.0], 0.5, [0.5, 0.5], 0.125, 0.25),
            # The hard case with two minimisers, and a local one that is not global.
            _instance([-2.0, 1.0], 0.0, [0.5], 1.0, 0.5),
            _instance([-2.0, 2.0], -0.25, [0.0], 8.0, 0.5),
        ),
        screen=Screen(_drawn, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=30,
    )
    return Claim(
        "efficient-tr/theorem-8",
        "the linear rate of the sphere descent",
        PAPER,
        "Theorem 8 (Absil et al., Theorem 4.5.6)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The theorem is quoted with its symbols unexplained: its beta is the factor of the "
        "backtracking, the paper's is ||H||, and with that r* can even be negative. 'Local "
        "minimiser, so lambda_H,min > 0' is the wrong way round: a degenerate minimiser exists "
        "where g1 = 0 and the sum of Proposition 1 is 1. The easy case, which the paper adds, is "
        "more than is needed: with two global minimisers the rate is linear too.",
        proof="docs/theory-efficient-tr.md, 'The rate on the sphere'.",
        ours="Which global minimisers have lambda_H,min > 0, in terms of H, g and s.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_theorem_8(),)
