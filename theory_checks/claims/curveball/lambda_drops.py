"""What lambda does to the closed form: nothing, as it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    condition_rows,
    cramer_rows,
    gridded,
    hessian_rows,
    model_rows,
    row_of,
)
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.claims.curveball.models import (
    definite,
    delta_of,
    fewer_coordinates,
    forms,
    hessian,
    model_instance,
    models,
    next_of,
    shifted,
    solution,
    span_minimiser,
    vector,
)

__all__ = ["claims"]


def _lambda_margins(instance: Instance) -> Margins:
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    steps, damped_right = [], True
    for lam in (Fraction(instance["lam"]), Fraction(instance["other"])):
        delta = delta_of(H, J, z, lam)
        matrix = shifted(H, lam) if instance["matrix"] == "damped" else H
        found = solution(forms(matrix, J, z, delta))
        assert found is not None
        steps.append(next_of(found, z, delta))
        damped = shifted(H, lam)
        found = solution(forms(damped, J, z, delta))
        assert found is not None
        damped_right &= next_of(found, z, delta) == span_minimiser(damped, J, (z, delta))
    return {
        "lambda has no say": fact(steps[0] == steps[1]),
        "with H + lambda it is the damped model's minimiser": fact(damped_right),
    }


def _lambda_instance(matrix: str, other: float = 1.0) -> Instance:
    return model_instance([1.0], [1.0], [0.0], 0.0, other=other, matrix=matrix)


def _lambda_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return model_rows(rng, size, other=lambda rng, size: gridded(rng, size, 0.0, 8.0))


def _lambda_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The steps of two lambdas with the plain H in the matrix."""
    H, J, z = hessian_rows(xp, arrays), arrays["J"], arrays["z"]
    steps, worst = [], condition_rows(xp, H)
    for lam in (arrays["lam"], arrays["other"]):
        delta = applied_rows(H, z) + J + lam[:, None] * z
        beta, rho, independent = cramer_rows(xp, H, J, z, delta)
        steps.append(rho[:, None] * z - beta[:, None] * delta)
        worst = worst / independent
    size = (xp.abs(steps[0]) + xp.abs(steps[1])).sum(axis=1)
    return apart(xp, steps[0], steps[1], size * worst)


def _conditions() -> tuple[Condition, ...]:
    """What it takes."""
    return (
        definite(
            model_instance([0.0, 1.0, 0.0], [0.0, 1.0], [1.0, 0.0], 0.0, other=1.0, matrix="plain"),
            note="Where H is singular one lambda may leave (18) with a solution that is not "
            "the shortest.",
        ),
        Condition(
            "lambda >= 0",
            r"\lambda \ge 0",
            lambda i: bool(i["lam"] >= 0 and i["other"] >= 0),
            Dropped(
                (_lambda_instance("plain", -2.0),),
                note="H + lambda is then indefinite, and (18) finds no minimiser.",
            ),
        ),
        Condition(
            "plain H in the matrix",
            r"K_{ij} = d_i^\top \hat H d_j",
            lambda i: i["matrix"] == "plain",
            Dropped(
                (
                    _lambda_instance("damped"),
                    model_instance(
                        [1.0, 0.0, 2.0], [1.0, 1.0], [1.0, 0.0], 0.0, other=2.0, matrix="damped"
                    ),
                ),
                note="With H + lambda in it z depends on lambda, as it should.",
            ),
        ),
    )


def _eq_18_lambda() -> Claim:
    printed = Form(
        "with the plain H in the matrix, as (18) is printed, the z of automatic CurveBall does not "
        "depend on lambda; with H + lambda there it minimises the damped model on the same span",
        r"\mathrm{span}\{z, \hat Hz + J + \lambda z\} = \mathrm{span}\{z, \hat Hz + J\}",
        _conditions(),
        lambda: models(other=quarters(0.0, 8.0), matrix=st.just("plain")),
        _lambda_margins,
        edges=lambda: (
            _lambda_instance("plain"),
            model_instance(
                [1.0, 0.0, 2.0], [1.0, 1.0], [1.0, 0.0], 0.0, other=2.0, matrix="plain"
            ),
        ),
        screen=Screen(_lambda_rows, _lambda_slack, lambda a, row: row_of(a, row, matrix="plain")),
        reduce=fewer_coordinates,
        effort=60,
    )  # fmt: skip
    return Claim(
        "curveball/eq-18-lambda",
        "in (18) as it is printed lambda drops out",
        PAPER,
        "equations (16) and (18), section 3",
        Verdict.HOLDS,
        printed,
        notes="So with automatic beta and rho both the initial lambda and its rule are void in the "
        "paper's text: the only trace of lambda is in rho - beta lambda, which no step sees. The "
        "authors' code has H + lambda in the matrix, and so has tralgos.",
        proof="docs/theory-curveball.md, the closed form: Delta_z changes by a multiple of z.",
        ours="That lambda drops out of (18).",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_eq_18_lambda(),)
