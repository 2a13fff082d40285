"""Lemma 1: the conditions of the global minimum, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
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
from theory_checks.claims.efficient_tr.bulk import row_dots, unit_vectors
from theory_checks.claims.efficient_tr.common import EXACT, PAPER, unit_vector
from theory_checks.claims.efficient_tr.points import (
    complementary,
    drawn_points,
    feasible,
    gradient_of,
    inner_product,
    point,
    point_row,
    points_in_bulk,
    size_of,
    stationary,
    stationary_instances,
    step_of,
    value_at,
)
from theory_checks.oracle import model, solve_in_eigenbasis
from theory_checks.precise import Real, exact, precise, real, reals, sum_of_squares
from theory_checks.shrink import leaves
from theory_checks.strategies import numbers, vectors

__all__ = ["claims"]

#: From spectrum and gradient to a step: tralgos' own solver, or a broken one.
Solver = Callable[[list[float], list[float]], list[float]]


def _roots(coefficients: Sequence[Real]) -> list[Real]:
    """The roots of a polynomial, leading coefficient first, as eigenvalues of its companion."""
    context = precise()
    degree = len(coefficients) - 1
    if degree < 1:
        return []
    # A root of multiplicity four keeps a quarter of the digits.
    with context.extraprec(400):
        companion = context.zeros(degree)
        for k in range(degree):
            companion[0, k] = -context.mpf(coefficients[k + 1]) / coefficients[0]
        for k in range(1, degree):
            companion[k, k - 1] = context.mpf(1)
        return list(context.eig(companion, left=False, right=False))


def _circle_minimum(eigenvalues: Sequence[Real], gradient: Sequence[Real]) -> Real:
    """The minimum over the unit disc (or [-1, 1]) from all critical points, without multipliers.

    On the circle z = (cos phi, sin phi) the derivative is a quartic in tan(phi/2).
    """
    context = precise()
    inside = [context.mpf(0)] * len(eigenvalues)
    if all(h != 0 for h in eigenvalues):
        newton = [-g / h for g, h in zip(gradient, eigenvalues, strict=True)]
        if sum(x * x for x in newton) < 1:
            inside = newton
    points = [inside]
    if len(eigenvalues) == 1:
        points += [[context.mpf(1)], [context.mpf(-1)]]
    else:
        a, b = gradient
        spread = eigenvalues[1] - eigenvalues[0]
        quartic = [-b, -2 * (spread + a), 0, 2 * (spread - a), b]
        while quartic and quartic[0] == 0:
            quartic = quartic[1:]
        points += [[context.mpf(-1), context.mpf(0)], [context.mpf(1), context.mpf(0)]]
        # A multiple root carries a small imaginary part; its real part is as good,
        # since every point of the circle is a candidate.
        for root in (context.re(r) for r in _roots(quartic)):
            bottom = 1 + root * root
            points.append([(1 - root * root) / bottom, 2 * root / bottom])
    return min(model(eigenvalues, gradient, point) for point in points)


def _trial(instance: Instance) -> list[Fraction]:
    length = Fraction(instance["trial length"])
    return [length * u for u in unit_vector(instance["trial tangents"])]


def _tralgos_step(eigenvalues: list[float], gradient: list[float]) -> list[float]:
    result = tralgos.solve_trs(np.diag(eigenvalues), np.array(gradient), 1.0)
    return [float(s) for s in result.step]


def _lemma_1_margins(instance: Instance, solver: Solver = _tralgos_step) -> Margins:
    """No trial point is better than s; and the critical points find nothing better either."""
    best = value_at(instance, step_of(instance))
    margins = {
        "no trial is better": in_roundings(
            value_at(instance, _trial(instance)) - best, size_of(instance), EXACT
        )
    }
    if len(instance["eigenvalues"]) <= 2:
        minimum = _circle_minimum(reals(instance["eigenvalues"]), reals(gradient_of(instance)))
        difference = minimum - real(best)
        margins["the minimum by enumeration"] = in_roundings(
            -abs(difference), size_of(instance), EXACT
        )
    margins.update(_solver_margins(instance, solver))
    optimum = solve_in_eigenbasis(instance["eigenvalues"], gradient_of(instance))
    margins["the oracle's minimum"] = in_roundings(
        -abs(optimum.value - real(best)), size_of(instance), EXACT
    )
    return margins


def _solver_margins(instance: Instance, solver: Solver) -> Margins:
    """A solver's step against the oracle, for g rounded to float64."""
    eigenvalues = instance["eigenvalues"]
    gradient = [float(g) for g in gradient_of(instance)]
    optimum = solve_in_eigenbasis(eigenvalues, gradient)
    step = exact(solver(eigenvalues, gradient))
    spectrum = exact(eigenvalues)
    curved = sum((h * s * s for h, s in zip(spectrum, step, strict=True)), Fraction(0))
    excess = real(inner_product(exact(gradient), step) + curved / 2) - optimum.value
    # Certified to 1e-8 of the decrease, or as far as rounding allows.
    slack = abs(optimum.value) * 1e-8 - excess
    return {
        "the solver finds it": in_roundings(slack, size_of(instance)),
        "the solver's step is feasible": in_roundings(1.0 - float(sum_of_squares(step)), 1.0),
    }


def _trials(n: int) -> SearchStrategy[list[float]]:
    return vectors(n - 1, 4.0)


def _lemma_1_strategy() -> SearchStrategy[Instance]:
    def complete(drawn: tuple[Instance, bool, float, float]) -> Instance:
        # Multipliers that make the conditions true are drawn from what they need.
        instance, inside, more, length = drawn
        lowest = max(0.0, -min(instance["eigenvalues"]))
        if inside:
            shorter = length if lowest == 0.0 else 1.0
            return {**instance, "length": shorter, "multiplier": lowest}
        return {**instance, "multiplier": lowest + more}

    lengths = st.one_of(st.just(1.0), st.floats(0.0, 1.0))
    points = stationary_instances(
        st.just(0.0),
        st.just(1.0),
        **{
            "trial tangents": _trials,
            "trial length": lambda n: lengths,
            "residual": lambda n: st.just([0.0] * n),
        },
    )
    more = st.one_of(st.just(0.0), numbers().map(abs))
    return st.tuples(points, st.booleans(), more, st.floats(0.0, 1.0)).map(complete)


def _lemma_1_instance(
    eigenvalues: list[float],
    multiplier: float,
    tangents: list[float],
    length: float = 1.0,
    residual: float = 0.0,
    trial: float = 1.0,
) -> Instance:
    n = len(eigenvalues)
    return point(
        eigenvalues,
        multiplier,
        tangents,
        length,
        **{
            "trial tangents": [0.0] * (n - 1),
            "trial length": trial,
            "residual": [residual] + [0.0] * (n - 1),
        },
    )


# --- broken solvers -----------------------------------------------------------------


def _reversed_step(eigenvalues: list[float], gradient: list[float]) -> list[float]:
    return [-s for s in _tralgos_step(eigenvalues, gradient)]


def _newton_in_ball(eigenvalues: list[float], gradient: list[float]) -> list[float]:
    """Newton's step scaled into the ball: no multiplier."""
    step = [-g / h if h else -g for h, g in zip(eigenvalues, gradient, strict=True)]
    size = float(np.linalg.norm(step))
    return [s / max(1.0, size) for s in step]


def _halved_gradient(eigenvalues: list[float], gradient: list[float]) -> list[float]:
    return _tralgos_step(eigenvalues, [g / 2 for g in gradient])


def _sabotage() -> tuple[Sabotage, ...]:
    def broken(name: str, solver: Solver) -> Sabotage:
        return Sabotage(name, lambda instance: _lemma_1_margins(instance, solver))

    return (
        broken("the step with the wrong sign", _reversed_step),
        broken("Newton's step scaled into the ball, without a multiplier", _newton_in_ball),
        broken("half of g", _halved_gradient),
    )


# --- in bulk ------------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    arrays = drawn_points(rng, size)
    lowest = np.maximum(0.0, -arrays["eigenvalues"][:, 0])
    arrays["multiplier"] = lowest + np.maximum(rng.uniform(-1.0, 4.0, size), 0.0)
    arrays["trial tangents"] = rng.standard_normal(arrays["tangents"].shape) * 2.0
    return arrays


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """How much worse a trial point of the sphere is than s."""
    step, gradient, size = points_in_bulk(xp, arrays)
    trial = unit_vectors(xp, arrays["trial tangents"])
    half = 0.5 * arrays["eigenvalues"]
    here = row_dots(xp, gradient + half * step, step)
    return (row_dots(xp, gradient + half * trial, trial) - here) / size


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    n = arrays["eigenvalues"].shape[1]
    return {**point_row(arrays, row), "trial length": 1.0, "residual": [0.0] * n}


def _is_moderate(instance: Instance) -> bool:
    sizes = [abs(x) for _, x in leaves(instance) if x != 0]
    return all(1e-40 < size < 1e40 for size in sizes)


def _lemma_1() -> Claim:
    printed = Form(
        "s is a global minimiser over the unit ball iff ||s|| <= 1 and there is a lambda >= 0 "
        "with (H + lambda I)s + g = 0, lambda (1 - ||s||^2) = 0, H + lambda I >= 0",
        r"s \in \arg\min_{\|z\| \le 1} f \iff \exists \lambda \ge 0:\, (H+\lambda I)s + g = 0,\,"
        r"\lambda(1-\|s\|^2) = 0,\, H + \lambda I \succeq 0",
        (
            Condition(
                "trial in the ball",
                r"\|z\| \le 1",
                lambda i: 0 <= i["trial length"] <= 1,
                kept="s is compared with the points of the ball; others are no competitors.",
            ),
            Condition(
                "of moderate size",
                r"10^{-40} < |x| < 10^{40} \text{ for all data } x \ne 0",
                _is_moderate,
                kept="tralgos refuses radii beyond 1e-100 and 1e100 of the problem's own unit.",
            ),
            feasible(
                Dropped((_lemma_1_instance([1.0], 0.0, [], 2.0),), note="Lower, and outside.")
            ),
            Condition(
                "lambda >= 0",
                r"\lambda \ge 0",
                lambda i: bool(i["multiplier"] >= 0),
                Dropped(
                    (_lemma_1_instance([2.0], -1.0, [], trial=0.0),),
                    note="A convex problem whose minimiser lies inside.",
                ),
            ),
            stationary(Dropped((_lemma_1_instance([1.0], 0.0, [], 0.0, 1.0),))),
            complementary(
                Dropped(
                    (_lemma_1_instance([0.0], 1.0, [], 0.5),),
                    note="A larger step would go on downhill.",
                )
            ),
            Condition(
                "H + lambda I >= 0",
                r"H + \lambda I \succeq 0",
                lambda i: bool(Fraction(min(i["eigenvalues"])) + Fraction(i["multiplier"]) >= 0),
                Dropped(
                    (_lemma_1_instance([-2.0, 0.0], 1.0, [0.0]),),
                    note="A stationary point of the sphere that is not global.",
                ),
            ),
        ),
        _lemma_1_strategy,
        _lemma_1_margins,
        edges=lambda: (
            _lemma_1_instance([-1.0], 1.0, []),
            _lemma_1_instance([-1.0, -1.0], 1.0, [1.0]),
            _lemma_1_instance([0.0], 0.0, []),
            _lemma_1_instance([-1.0, 1.0], 1.0, [0.0]),
            _lemma_1_instance([0.0, 1.0], 0.0, [1.0], 0.5),
        ),
        screen=Screen(_drawn, _slack, _row),
        sabotage=_sabotage(),
    )
    return Claim(
        "efficient-tr/lemma-1",
        "the conditions of the global minimum",
        PAPER,
        "Lemma 1, eq. 4",
        Verdict.HOLDS,
        printed,
        notes="Both directions: points built to satisfy the conditions are compared with trial "
        "points, with the minimum over all critical points of the disc (a quartic, no "
        "multipliers), with the oracle that the other claims use, and with what tralgos returns.",
        proof="docs/certificate.md, Theorem 1 with a residual of zero: "
        "q(p) - q(s) = (p-s)'(H + lambda I)(p-s)/2 + lambda (||s||^2 - ||p||^2)/2.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lemma_1(),)
