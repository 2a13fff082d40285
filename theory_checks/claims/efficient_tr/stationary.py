"""Which stationary points are global: the remark after Proposition 1, and Lemma 2."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    negative_curvature,
)
from theory_checks.claims.efficient_tr.points import (
    ON_SPHERE,
    complementary,
    drawn_points,
    excess,
    feasible,
    gradient_of,
    point,
    point_row,
    points_in_bulk,
    size_of,
    stationary,
    stationary_instances,
    step_of,
    value_at,
)
from theory_checks.oracle import solve_in_eigenbasis
from theory_checks.precise import real
from theory_checks.strategies import numbers

__all__ = ["claims"]


def _fewer_points(instance: Instance) -> Iterable[Instance]:
    """Leave out one eigenvalue with its tangent."""
    for index in range(len(instance["tangents"])):
        yield {
            **instance,
            "eigenvalues": [h for i, h in enumerate(instance["eigenvalues"]) if i != index + 1],
            "tangents": [t for i, t in enumerate(instance["tangents"]) if i != index],
        }


def _is_global(instance: Instance) -> Margins:
    gradient = gradient_of(instance)
    optimum = solve_in_eigenbasis(instance["eigenvalues"], gradient)
    excess = real(value_at(instance, step_of(instance))) - optimum.value
    return {"global": in_roundings(-abs(excess), size_of(instance), EXACT)}


def _minimiser_on_sphere(instance: Instance) -> bool:
    optimum = solve_in_eigenbasis(instance["eigenvalues"], gradient_of(instance))
    return optimum.on_boundary


_CONVEX = Condition(
    "convex",
    r"\lambda_1 \ge 0",
    lambda i: bool(min(i["eigenvalues"]) >= 0),
    Dropped(
        (point([-2.0, 0.0], 1.0, [0.0]),),
        note="With lambda1 < 0 even a multiplier >= 0 does not make a stationary point global.",
    ),
)


def _on_sphere_strategy() -> SearchStrategy[Instance]:
    return stationary_instances(numbers(), st.just(1.0))


def _convex_strategy() -> SearchStrategy[Instance]:
    def fold(instance: Instance) -> Instance:
        return {**instance, "eigenvalues": sorted(abs(h) for h in instance["eigenvalues"])}

    return _on_sphere_strategy().map(fold)


def _drawn_convex(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    arrays = drawn_points(rng, size)
    arrays["eigenvalues"] = np.sort(np.abs(arrays["eigenvalues"]), axis=1)
    arrays["multiplier"] = np.maximum(arrays["multiplier"], 0.0)
    return arrays


def _convex_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    return 1e-6 - xp.abs(excess(xp, arrays))


def _convex_remark() -> Claim:
    solution = Condition("solution on the sphere", r"\|s\| = 1", _minimiser_on_sphere)
    connected = Condition(
        "n >= 2",
        r"n \ge 2",
        lambda i: len(i["eigenvalues"]) >= 2,
        kept="For n = 1 the sphere is two points, and both are stationary.",
    )
    printed = Form(
        "when lambda1 >= 0 and the solution has norm 1, no stationary point of the problem on "
        "the sphere is suboptimal: 'the subproblem is strongly convex, we don't need to worry'",
        r"\lambda_1 \ge 0,\ \operatorname{grad} f(z) = 0,\ \|z\| = 1 \implies f(z) = \min f",
        (ON_SPHERE, connected, Condition(_CONVEX.name, _CONVEX.text, _CONVEX.holds), solution),
        _convex_strategy,
        _is_global,
        reduce=_fewer_points,
        edges=lambda: (point([1.0, 2.0], 1.0, [0.0]),),
    )
    amended = Form(
        "when lambda1 >= 0, every point of the sphere that is stationary with a multiplier "
        "lambda >= 0, as the ball's own conditions require, is a global minimiser",
        r"\lambda_1 \ge 0,\ (H + \lambda I)z + g = 0,\ \lambda \ge 0,\ \|z\| = 1 "
        r"\implies f(z) = \min f",
        (
            ON_SPHERE,
            connected,
            _CONVEX,
            Condition(
                "lambda >= 0",
                r"\lambda \ge 0",
                lambda i: bool(i["multiplier"] >= 0),
                Dropped(
                    (point([0.0, 0.0], -1.0, [0.0]), point([0.0, 10.0], -0.125, [0.0])),
                    note="The second is a local minimiser on the circle that is not global, so a "
                    "descent on the sphere can be drawn to it.",
                ),
            ),
        ),
        _convex_strategy,
        _is_global,
        reduce=_fewer_points,
        edges=lambda: (point([1.0, 2.0], 1.0, [0.0]), point([0.0, 2.0], 0.0, [1.0])),
        screen=Screen(_drawn_convex, _convex_slack, point_row),
    )
    return Claim(
        "efficient-tr/convex-remark",
        "for lambda1 >= 0 one need not worry about suboptimal points",
        PAPER,
        "remark after Proposition 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="On the sphere the restriction of a convex function is not convex: it has a maximum, "
        "and may have a local minimiser with a multiplier in (-lambda2, -lambda1) that is not "
        "global: H = diag(0, 10), g = (1/8, 0), z = (1, 0). With lambda1 = 0 it is not strongly "
        "convex either. From the paper's start, with steps short enough to keep signs, the "
        "iterates cannot reach such a point (see algorithm-2-global).",
        proof="docs/theory-efficient-tr.md, 'The convex case': for lambda1 >= 0 and lambda >= 0 "
        "the Hessian condition of Lemma 1 holds by itself.",
    )


def _lemma_2_strategy() -> SearchStrategy[Instance]:
    def complete(drawn: tuple[Instance, str, float, float]) -> Instance:
        instance, kind, more, length = drawn
        if kind == "near":
            return {**instance, "multiplier": more - instance["eigenvalues"][0]}
        if kind == "inside":
            return {**instance, "length": length, "multiplier": 0.0}
        return instance

    kinds = st.sampled_from(["near", "near", "any", "inside"])
    more = st.one_of(numbers(), numbers(1.0))
    return st.tuples(_on_sphere_strategy(), kinds, more, st.floats(0.0, 1.0)).map(complete)


def _lemma_2_conditions() -> tuple[Condition, ...]:
    return (
        feasible(
            kept="The others imply it: off the sphere the multiplier is 0, and then "
            "s1 g1 = -lambda1 s1^2 > 0."
        ),
        complementary(
            Dropped((point([-2.0], 3.0, [], 0.5),), note="A larger step goes on downhill.")
        ),
        stationary(
            Dropped(
                (point([-1.0, 0.0], 2.0, [1.0], residual=[1.0, 0.0]),),
                note="g is changed, and s is not stationary any more.",
            )
        ),
        negative_curvature(
            Dropped(
                (point([2.0], -1.0, []),),
                note="A point of the sphere with a negative multiplier: the minimiser is inside.",
            )
        ),
        Condition(
            "easy case",
            r"g^{(1)} \ne 0",
            lambda i: gradient_of(i)[0] != 0,
            Dropped((point([-2.0, 0.0], 1.0, [1.0]),), note="Stationary with s1 = 0."),
        ),
        Condition(
            "sign",
            r"s^{(1)} g^{(1)} \le 0",
            lambda i: step_of(i)[0] * gradient_of(i)[0] <= 0,
            Dropped((point([-2.0, 0.0], 1.0, [0.0]),), note="The local non-global minimiser."),
        ),
    )


def _drawn_lemma_2(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    arrays = drawn_points(rng, size)
    arrays["eigenvalues"][:, 0] = -np.abs(arrays["eigenvalues"][:, 0]) - 0.01
    arrays["eigenvalues"].sort(axis=1)
    return arrays


def _lemma_2_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1e-6 less the excess where s1 g1 <= 0; about 1 where it is positive."""
    step, gradient, _ = points_in_bulk(xp, arrays)
    hypothesis = (step[:, 0] * gradient[:, 0] <= 0.0) & (gradient[:, 0] != 0.0)
    return xp.where(hypothesis, 1e-6 - xp.abs(excess(xp, arrays)), 1.0)


def _lemma_2() -> Claim:
    printed = Form(
        "when g1 != 0 and lambda1 < 0, a stationary point s with s1 g1 <= 0 is the global minimum "
        "(stationary in the ball, or on the sphere with a multiplier of any sign)",
        r"g^{(1)} \ne 0,\ \lambda_1 < 0,\ (H+\lambda I)s + g = 0,\ s^{(1)} g^{(1)} \le 0 "
        r"\implies f(s) = \min f",
        _lemma_2_conditions(),
        _lemma_2_strategy,
        _is_global,
        reduce=_fewer_points,
        edges=lambda: (
            point([-1.0], 2.0, []),
            point([-1.0, -1.0], 2.0, [1.0]),
            point([-1.0, 1.0], 1.0 + 2.0**-40, [0.0]),
        ),
        screen=Screen(_drawn_lemma_2, _lemma_2_slack, point_row),
        effort=60,
    )
    return Claim(
        "efficient-tr/lemma-2",
        "a stationary point with s1 g1 <= 0 is global",
        PAPER,
        "Lemma 2",
        Verdict.HOLDS,
        printed,
        notes="It holds for a repeated lambda1 too, with g1 the component along any of its unit "
        "eigenvectors, and on the sphere without asking lambda >= 0 beforehand.",
        proof="(lambda1 + lambda) s1 g1 = -g1^2 < 0, so s1 g1 < 0 and lambda > -lambda1 > 0: all "
        "of Lemma 1, strictly, so s is the only minimiser.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (
        _convex_remark(),
        _lemma_2(),
    )
