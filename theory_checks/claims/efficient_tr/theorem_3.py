"""Theorem 3: projected gradient descent keeps signs and finds a global minimiser."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Verdict,
    in_roundings,
)
from theory_checks.claims.efficient_tr.common import (
    EXACT,
    PAPER,
    assumption_1,
    assumption_2,
    fewer_dimensions,
    first_component,
    negative_curvature,
    operator_norm,
    start,
    step_size,
)
from theory_checks.claims.efficient_tr.iterations import (
    projected_descent,
)
from theory_checks.oracle import solve_in_eigenbasis
from theory_checks.precise import reals
from theory_checks.strategies import fractions_of_one, problems

__all__ = ["claims"]

#: Iterations of projected descent that are run; the hypothesis "fast enough" makes them suffice.
_PROJECTED = 3000


def _size(instance: Instance) -> float:
    return operator_norm(instance) + float(np.linalg.norm(instance["gradient"]))


def _float_start(instance: Instance) -> tuple[list[float], float]:
    return [float(x) for x in start(instance)], float(step_size(instance))


def _sign_margin(instance: Instance) -> float:
    """-z_i g_i over the first iterates, at fifty digits, in units of rounding."""
    gradient = reals(instance["gradient"])
    run = projected_descent(
        reals(instance["eigenvalues"]), gradient, start(instance), step_size(instance)
    )
    return min(
        in_roundings(-x * g, abs(g), EXACT)
        for z in islice(run, 16)
        for x, g in zip(z, gradient, strict=True)
    )


def _theorem_3_margins(instance: Instance) -> Margins:
    first, eta = _float_start(instance)
    eigenvalues = np.array(instance["eigenvalues"])
    gradient = np.array(instance["gradient"])
    z = np.array(first)
    for _ in range(_PROJECTED):
        z = z - eta * (eigenvalues * z + gradient)
        square = float(z @ z)
        if square > 1.0:
            z = z / math.sqrt(square)
    optimum = solve_in_eigenbasis(instance["eigenvalues"], instance["gradient"])
    reached = float(gradient @ z + 0.5 * (z * eigenvalues) @ z)
    # The rounding of 3000 iterations is forgiven, an error in the limit is not.
    allowance = 1e-9 * _size(instance)
    excess = in_roundings(allowance - (reached - optimum.value), _size(instance))
    return {"signs are kept": _sign_margin(instance), "the limit is global": excess}


def _is_fast(instance: Instance) -> bool:
    """Whether 3000 iterations suffice: the contraction rate at the limit, and the escape."""
    beta = operator_norm(instance)
    if instance["fraction"] < 0.1:
        return False
    if instance["gradient"][0] == 0:
        # The hard case is excluded by another hypothesis; here it says nothing.
        return True
    optimum = solve_in_eigenbasis(instance["eigenvalues"], instance["gradient"])
    margin = float(optimum.multiplier) + min(instance["eigenvalues"])
    return bool(margin >= 0.1 * beta)


def _problem_strategy() -> SearchStrategy[Instance]:
    return problems(4, alpha=fractions_of_one(), fraction=fractions_of_one())


def _instance(
    eigenvalues: list[float], gradient: list[float], alpha: float, fraction: float
) -> Instance:
    return {
        "eigenvalues": eigenvalues,
        "gradient": gradient,
        "alpha": alpha,
        "fraction": fraction,
    }


def _projected_batch(rng: np.random.Generator, size: int) -> list[Instance]:
    """Run projected descent on many problems at once; those farthest from optimal first."""
    n = int(rng.integers(2, 5))
    eigenvalues = np.sort(rng.uniform(-4, 4, (size, n)), axis=1)
    eigenvalues[:, 0] = -np.abs(eigenvalues[:, 0]) - 0.1
    eigenvalues.sort(axis=1)
    gradient = rng.normal(size=(size, n)) * 10.0 ** rng.uniform(-2, 1, (size, n))
    alpha = rng.uniform(0.05, 0.95, size)
    fraction = rng.uniform(0.3, 0.95, size)
    eta = (fraction / np.max(np.abs(eigenvalues), axis=1))[:, None]
    z = -alpha[:, None] * gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    for _ in range(300):
        z = z - eta * (eigenvalues * z + gradient)
        z = z / np.maximum(1.0, np.linalg.norm(z, axis=1, keepdims=True))
    slope = eigenvalues * z + gradient
    multiplier = -np.sum(z * slope, axis=1)
    # A stationary point with lambda + lambda_1 < 0 is not global (Lemma 1).
    suspicion = -(multiplier + eigenvalues[:, 0])
    return [
        _instance(
            eigenvalues[i].tolist(), gradient[i].tolist(), float(alpha[i]), float(fraction[i])
        )
        for i in np.argsort(-suspicion)[:4]
    ]


def _theorem_3() -> Claim:
    printed = Form(
        "projected gradient descent with eta < 1/beta from z_0 = -alpha g/||g|| keeps "
        "z_i g_i <= 0 for every i, and converges to a global minimiser if lambda1 < 0, g1 != 0",
        r"z_t^{(i)} g^{(i)} \le 0 \implies z_{t+1}^{(i)} g^{(i)} \le 0,\quad z_t \to s",
        (
            negative_curvature(
                Dropped(
                    (
                        _instance([1.0, 2.0], [4.0, 1.0], 0.5, 0.5),
                        _instance([2.0], [1.0], 0.5, 0.5),
                    ),
                    fails=False,
                    note="For a convex problem projected descent converges anyway.",
                )
            ),
            first_component(
                Dropped(
                    (_instance([-2.0, 2.0], [0.0, 1.0], 0.5, 0.5),),
                    note="Without g1 the iterates never leave the rest of the space.",
                )
            ),
            assumption_1(
                Dropped(
                    (_instance([-1.0, 8.0], [1.0, 1.0], 0.5, 3.0),),
                    note="A long step flips the sign of a component.",
                )
            ),
            assumption_2(
                Dropped(
                    (_instance([-2.0, 2.0], [0.5, 0.0], -0.5, 0.5),),
                    note="From the other side of the saddle: the non-global minimiser.",
                )
            ),
            Condition("fast enough to run", r"\lambda+\lambda_1 \ge \beta/10", _is_fast),
        ),
        _problem_strategy,
        _theorem_3_margins,
        edges=lambda: (
            _instance([-1.0], [1.0], 0.5, 0.99),
            _instance([-1.0, -1.0], [1.0, 1.0], 0.5, 0.99),
            _instance([-1.0, 1.0], [0.125, 4.0], 0.99, 0.99),
            _instance([-4.0, -3.75, 4.0], [1.0, 8.0, 8.0], 0.99, 0.5),
        ),
        batch=_projected_batch,
        reduce=fewer_dimensions,
        effort=40,
    )
    return Claim(
        "efficient-tr/theorem-3",
        "projected gradient descent keeps signs and finds a global minimiser",
        PAPER,
        "Theorem 3",
        Verdict.HOLDS,
        printed,
        notes="True for projected gradient descent. What the paper runs, Algorithm 2, is another "
        "method: see algorithm-2-global. Only the first component's sign is needed, and it only "
        "needs eta < 1/beta because lambda_i <= beta.",
        proof="z_i is multiplied by 1 - eta lambda_i > 0 and moved by -eta g_i, then scaled by a "
        "positive number. Steps below 1/beta decrease f by at least the square of the "
        "displacement over 2 eta, so every limit point is stationary, has s1 g1 <= 0, and is by "
        "Lemma 2 the one global minimiser.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_theorem_3(),)
