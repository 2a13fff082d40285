"""Section 3.2, on the sphere: Theorems 7 and 8."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.efficient_tr.common import EXACT, PAPER, unit_vector
from theory_checks.claims.efficient_tr.iterations import (
    Armijo,
    descend_on_sphere,
    length,
    retracted,
    riemannian_gradient,
)
from theory_checks.oracle import model
from theory_checks.precise import Real, dot, exact, precise, real, reals
from theory_checks.strategies import numbers, vectors

__all__ = ["claims"]

#: Steps that Theorem 7 is followed for.
_STEPS = 200

#: Steps that Theorem 8 is followed for, at fifty digits, and how near to s they begin.
_TAIL, _NEAR = 24, 2.0**-24


def _rule(instance: Instance) -> Armijo:
    return Armijo(instance["first step"], instance["shrink"], instance["sigma"])


_ARMIJO_TEXT = r"\bar\alpha > 0,\ 0 < \text{shrink} < 1,\ 0 < \sigma < 1"
_ARMIJO = Condition(
    "Armijo's parameters",
    _ARMIJO_TEXT,
    lambda i: i["first step"] > 0 and 0 < i["shrink"] < 1 and 0 < i["sigma"] < 1,
)


def _rules() -> dict[str, SearchStrategy[Any]]:
    return {
        "first step": st.one_of(
            st.sampled_from([0.125, 1.0, 8.0]), numbers(4.0).map(abs).filter(lambda x: x > 1e-3)
        ),
        "shrink": st.sampled_from([0.5, 0.25, 0.875]),
        "sigma": st.sampled_from([0.5, 0.25, 0.125, 0.75]),
    }


def _stretch(eigenvalues: Sequence[float], gradient: Sequence[float]) -> float:
    """A bound on the second derivative of f along t -> R_z(t xi), |xi| = 1.

    With theta = arctan t the curve is a great circle, along which |f''| is at most
    lambda_n - lambda_1 + ||g|| and |f'| at most half of the first plus ||g||; and
    |theta'| <= 1, |theta''| <= 3 sqrt(3)/8.
    """
    spread = max(eigenvalues) - min(eigenvalues)
    size = length(gradient)
    return float(spread + size + 3 * math.sqrt(3) / 8 * (spread / 2 + size))


def _shortest(instance: Instance) -> float:
    """A step that Armijo's rule accepts at every point, so that none is shorter."""
    rule = _rule(instance)
    stretch = _stretch(instance["eigenvalues"], instance["gradient"])
    if stretch == 0.0:
        return rule.first
    return min(rule.first, rule.shrink * 2 * (1 - rule.sigma) / stretch)


def _fixed_steps(instance: Instance, z: list[float]) -> Iterable[list[float]]:
    """The same iteration with the first step taken unseen."""
    for _ in range(_STEPS):
        yield z
        direction = riemannian_gradient(instance["eigenvalues"], instance["gradient"], z)
        z = retracted(z, direction, instance["first step"])


def _theorem_7_terms(instance: Instance) -> tuple[float, float]:
    """min over t < T of ||grad f||^2, and what the total decrease allows it to be."""
    eigenvalues, gradient = instance["eigenvalues"], instance["gradient"]
    first = [float(x) for x in unit_vector(instance["tangents"])]
    if instance["line search"]:
        run = list(descend_on_sphere(eigenvalues, gradient, first, _rule(instance), _STEPS))[
            :_STEPS
        ]
    else:
        run = list(_fixed_steps(instance, first))
    slopes = [riemannian_gradient(eigenvalues, gradient, z) for z in run]
    smallest = min(sum(d * d for d in slope) for slope in slopes)
    values = [model(eigenvalues, gradient, z) for z in (run[0], run[-1])]
    fall = float(values[0] - values[1]) + float(sum(d * d for d in slopes[-1])) * _shortest(
        instance
    )
    # A run that stopped early has nothing left to decrease.
    steps = len(run) if len(run) == _STEPS else math.inf
    return smallest, fall / (instance["sigma"] * _shortest(instance) * steps)


def _theorem_7_size(instance: Instance) -> float:
    size = max(abs(h) for h in instance["eigenvalues"]) + length(instance["gradient"])
    return float(size)


def _theorem_7_margins(instance: Instance) -> Margins:
    smallest, allowed = _theorem_7_terms(instance)
    size = _theorem_7_size(instance)
    # What stalls at the rounding of f stands still with a gradient of its square root.
    slack = 64 * size / (instance["sigma"] * _shortest(instance))
    return {
        "the gradient goes to zero": in_roundings(allowed - smallest, max(slack, size * size), 64.0)
    }


def _theorem_7_ratio(instance: Instance) -> float | None:
    smallest, allowed = _theorem_7_terms(instance)
    return smallest / allowed if allowed > 1e-12 else None


def _theorem_7_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n, 4.0).map(sorted),
                "gradient": vectors(n, 4.0),
                "tangents": vectors(n - 1, 4.0),
                "line search": st.just(True),
                **_rules(),
            }
        )

    return st.integers(2, 4).flatmap(of_dimension)


def _theorem_7() -> Claim:
    def instance(first: float, line_search: bool) -> Instance:
        return {
            "eigenvalues": [0.0, 2.0],
            "gradient": [0.0, 0.0],
            "tangents": [0.25],
            "line search": line_search,
            "first step": first,
            "shrink": 0.5,
            "sigma": 0.5,
        }

    printed = Form(
        "every accumulation point of the sphere descent with line search is stationary; "
        "checked as a rate: the smallest ||grad f||^2 of T steps is at most (f(z_0) - f(z_T)) / "
        "(sigma a T) with a = min(first step, 2 shrink (1 - sigma)/L)",
        r"\min_{t<T}\|\operatorname{grad} f(z_t)\|^2 \le \frac{f(z_0)-f(z_T)}{\sigma\,a\,T}",
        (
            _ARMIJO,
            Condition(
                "line search",
                "the step length is chosen by Armijo's rule",
                lambda i: bool(i["line search"]),
                Dropped((instance(4.0, False),), note="A fixed long step goes round in a cycle."),
            ),
        ),
        _theorem_7_strategy,
        _theorem_7_margins,
        edges=lambda: (instance(4.0, True), instance(0.125, True)),
        ratio=_theorem_7_ratio,
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
        proof="The sphere is compact and f along the retraction has a second derivative of at "
        "most L = 1.65 ||g|| + 1.33 (lambda_n - lambda_1), so every step of at most "
        "2 (1 - sigma)/L is accepted.",
    )


def _minimiser(instance: Instance) -> list[Fraction]:
    return unit_vector(instance["tangents"])


def _slope(instance: Instance) -> list[Fraction]:
    """The g for which the minimiser is stationary with multiplier -lambda_1 + gap."""
    shift = Fraction(instance["gap"]) - Fraction(instance["eigenvalues"][0])
    spectrum = exact(instance["eigenvalues"])
    return [-(h + shift) * s for h, s in zip(spectrum, _minimiser(instance), strict=True)]


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
    shift = real(Fraction(instance["gap"]) - Fraction(instance["eigenvalues"][0]))
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


def _rate(instance: Instance, factor: Real) -> Real:
    """r* with `factor` in the place of the beta of Theorem 8."""
    smallest, largest = _riemannian_spectrum(instance)
    sigma, first = instance["sigma"], instance["first step"]
    return 1 - min(
        2 * sigma * first * smallest, 4 * sigma * (1 - sigma) * factor * smallest / largest
    )


def _ratios(instance: Instance) -> list[Real]:
    """(f(z_{t+1}) - f(s)) / (f(z_t) - f(s)) of a run that begins near s."""
    context = precise()
    eigenvalues, gradient = reals(instance["eigenvalues"]), reals(_slope(instance))
    point = reals(_minimiser(instance))
    turn = reals(unit_vector(instance["direction"]))
    tangent = [
        sum(c * b[i] for c, b in zip(turn, _tangent_basis(point), strict=True))
        for i in range(len(point))
    ]
    first = retracted(point, tangent, context.mpf(-_NEAR))
    lowest = model(eigenvalues, gradient, point)
    gaps = [
        model(eigenvalues, gradient, z) - lowest
        for z in descend_on_sphere(eigenvalues, gradient, first, _rule(instance), _TAIL)
    ]
    # A gap at the level of the fifty digits has no digits of its own.
    return [b / a for a, b in pairwise(gaps) if a > context.mpf(10) ** -32]


def _theorem_8_margins(instance: Instance, *, factor: Real) -> Margins:
    smallest, _ = _riemannian_spectrum(instance)
    margins = {"lambda_H,min > 0": fact(bool(smallest > 1e-30))}
    if smallest <= 1e-30:
        return margins
    best = _rate(instance, factor)
    # Any r > r* will do from some step on; the run begins so near that this one does.
    rate = best + (1 - best) / 1000
    worst = max(_ratios(instance), default=precise().mpf(0))
    margins["the rate"] = in_roundings(rate - worst, 1.0, EXACT)
    return margins


def _operator_norm(instance: Instance) -> float:
    return float(max(abs(h) for h in instance["eigenvalues"]))


def _theorem_8_ratio(instance: Instance) -> float | None:
    """(1 - observed rate's bound) as a share: how much of the promised decrease is used."""
    smallest, _ = _riemannian_spectrum(instance)
    if smallest <= 1e-30:
        return None
    worst = max(_ratios(instance), default=None)
    if worst is None or worst >= 1:
        return None
    return float((1 - _rate(instance, instance["shrink"])) / (1 - worst))


def _theorem_8_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n, 4.0).map(sorted),
                "tangents": vectors(n - 1, 2.0),
                "gap": st.one_of(st.integers(0, 8).map(lambda k: k / 4), st.floats(0.01, 4.0)),
                "direction": vectors(n - 2, 2.0),
                **_rules(),
            }
        )

    return st.integers(2, 3).flatmap(of_dimension)


def _theorem_8_instance(
    eigenvalues: list[float], gap: float, tangents: list[float], first: float, sigma: float
) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "tangents": tangents,
        "gap": gap,
        "direction": [1.0] * (len(eigenvalues) - 2),
        "first step": first,
        "shrink": 0.5,
        "sigma": sigma,
    }


def _theorem_8() -> Claim:
    local = Condition("minimiser", r"H + \lambda I \succeq 0", lambda i: bool(i["gap"] >= 0))
    isolated = Condition(
        "easy case",
        r"\lambda + \lambda_1 \ge 1/100",
        lambda i: bool(i["gap"] >= 0.01),
        Dropped(
            (_theorem_8_instance([-1.0, 1.0], 0.0, [1.0], 1.0, 0.5),),
            note="The boundary of the hard case: f(s + x) - f(s) grows like x^4, the convergence "
            "is sublinear, and r* = 1 leaves no r.",
        ),
    )
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
        (_ARMIJO, local),
        _theorem_8_strategy,
        lambda i: _theorem_8_margins(i, factor=_operator_norm(i)),
        edges=lambda: (
            _theorem_8_instance([-4.0, 4.0], 4.0, [0.5], 8.0, 0.5),
            _theorem_8_instance([-1.0, 1.0], 0.0, [1.0], 1.0, 0.5),
        ),
        effort=25,
    )
    amended = Form(
        f"{text}, with beta the backtracking factor and a the first step of Armijo's rule, "
        "in the easy case, where lambda_H,min >= lambda + lambda1 > 0",
        rf"{tex},\quad \beta = \text{{shrink}} \in (0,1),\ \lambda_{{H,\min}} \ge "
        r"\lambda + \lambda_1 > 0",
        (_ARMIJO, local, isolated),
        _theorem_8_strategy,
        lambda i: _theorem_8_margins(i, factor=i["shrink"]),
        edges=lambda: (
            _theorem_8_instance([-4.0, 4.0], 4.0, [0.5], 8.0, 0.5),
            _theorem_8_instance([-1.0, 0.0, 3.0], 0.5, [0.5, 0.5], 0.125, 0.25),
        ),
        ratio=_theorem_8_ratio,
        effort=40,
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
        "where g1 = 0 and the sum of Proposition 1 is 1.",
        proof="Near s the step is at least min(a, 2 beta (1 - sigma)/lambda_H,max), each step "
        "gains sigma times it times ||grad f||^2, and ||grad f||^2 >= 2 lambda_H,min (f - f(s)).",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (
        _theorem_7(),
        _theorem_8(),
    )
