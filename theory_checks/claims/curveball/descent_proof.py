"""The last case in the proof of Theorem A.2, and the remarks after it."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.adaptive_norms.common import (
    Matrix,
    applied,
    inner_product,
)
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    cramer_rows,
    gridded,
    hessian_rows,
    inner_rows,
    model_rows,
    row_of,
    smallest,
)
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    definite,
    delta_of,
    fewer_coordinates,
    forms,
    hessian,
    model_instance,
    models,
    solution,
    span_minimiser,
    value,
    vector,
)
from theory_checks.claims.curveball.theorem_a2 import theorem_edges

__all__ = ["claims"]


def _collinear(instance: Instance) -> tuple[Matrix, Vector, Vector, Fraction, Fraction]:
    """H, J, z with Delta_z = alpha z; (rho - alpha beta)J'z at the minimum, and its value."""
    H, z, alpha = hessian(instance), vector(instance, "z"), Fraction(instance["alpha"])
    J = combined(alpha, z, -1, applied(H, z))
    slope, curvature = inner_product(J, z), inner_product(z, applied(H, z))
    along = -slope / curvature
    step = combined(along, z, 0, z)
    return H, J, step, along * slope, value(H, J, step)


def _eq_46_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    drawn = model_rows(rng, size, alpha=lambda rng, size: gridded(rng, size, -4.0, 4.0))
    resting = (drawn["z"] == 0.0).all(axis=1)[:, None]
    return {**drawn, "z": np.where(resting, 1.0, drawn["z"])}


def _eq_46_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The value of the model at its minimum along z, by its two terms."""
    H, z = hessian_rows(xp, arrays), arrays["z"]
    Hz = applied_rows(H, z)
    J = arrays["alpha"][:, None] * z - Hz
    slope, curvature = inner_rows(J, z), inner_rows(z, Hz)
    along = -slope / curvature
    lowest = along * slope + along * along * curvature / 2.0
    return apart(xp, lowest, along * slope / 2.0, xp.abs(along * slope))


def _eq_46_margins(instance: Instance, sign: int) -> Margins:
    H, J, step, product, lowest = _collinear(instance)
    return {
        "the value": fact(lowest == sign * product / 2),
        "negative, or z = 0": fact(lowest < 0 or not any(step)),
        "J'z + z'Hz = 0": fact(
            inner_product(J, step) + inner_product(step, applied(H, step)) == 0
        ),
    }  # fmt: skip


def _eq_46() -> Claim:
    def strategy() -> SearchStrategy[Instance]:
        return models(alpha=quarters(-4.0, 4.0))

    def instance(alpha: float) -> Instance:
        return model_instance([1.0], [0.0], [1.0], alpha=alpha)

    moving = Condition(
        "z is not zero",
        r"z_t \ne 0",
        lambda i: any(i["z"]),
        kept="alpha is the factor between Delta_z and z: for z = 0 there is none",
    )
    edges = (instance(1.0), instance(0.0), instance(2.0))
    printed = Form(
        "with Delta_z = alpha z the minimum of the model is -(rho - alpha beta)J'z/2",
        r"J^\top z_{t+1} + \tfrac12 z_{t+1}^\top\hat Hz_{t+1} = "
        r"-\tfrac12(\rho-\alpha\beta)J^\top z_t",
        (definite(), moving),
        strategy,
        lambda i: _eq_46_margins(i, -1),
        edges=lambda: edges,
        effort=10,
    )
    amended = Form(
        "it is +(rho - alpha beta)J'z/2",
        r"J^\top z_{t+1} + \tfrac12 z_{t+1}^\top\hat Hz_{t+1} = "
        r"+\tfrac12(\rho-\alpha\beta)J^\top z_t",
        (
            definite(
                model_instance([1.0], [0.0], [1.0], alpha=1.0, signs=[-1.0]),
                note="Negative curvature: a maximum, and it is positive.",
            ),
            moving,
        ),
        strategy,
        lambda i: _eq_46_margins(i, 1),
        edges=lambda: edges,
        screen=Screen(_eq_46_rows, _eq_46_slack, row_of),
        effort=60,
    )
    return Claim(
        "curveball/eq-46",
        "the collinear case in the proof of Theorem A.2",
        PAPER,
        "equation (46)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="With the sign as printed a negative minimum would mean J'z_{t+1} > 0, ascent. The "
        "other gaps of the proof: that K is positive definite is inferred from what it is to "
        "show; in (45) the vectors have lost an entry; case 3 should read 'both non-zero'. None "
        "of the cases is needed: see theorem-a2.",
        proof="At the minimum x = -K^-1 c of c'x + x'Kx/2 the value is +c'x/2.",
    )


# --- the remarks ----------------------------------------------------------------------


def _stalling(H: Matrix, J: Vector) -> Vector | None:
    """A z with J'z = 0 and J'Delta_z = 0, so that the next z is zero; None if J'Hz cannot be."""
    HJ, length = applied(H, J), inner_product(J, J)
    if length == 0:
        return None
    across = combined(1, HJ, -inner_product(J, HJ) / length, J)
    size = inner_product(HJ, across)
    return None if size == 0 else combined(-length / size, across, 0, across)


def _remark_margins(instance: Instance) -> Margins:
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    zero = [Fraction(0)] * len(J)
    # Remark 1: the whole set of minimisers on the span of z and Hz is {0}.
    resting = span_minimiser(H, zero, (z, applied(H, z)))
    margins = {
        "J = 0 gives z = 0": fact(
            resting is not None and not any(resting) and (not any(z) or value(H, zero, z) > 0)
        )
    }
    before = _stalling(H, J)
    if before is not None:
        step = span_minimiser(H, J, (before, delta_of(H, J, before)))
        stalled = step is not None and not any(step) and any(before)
        margins["z = 0 happens with J not zero"] = fact(stalled)
    found = solution(forms(H, J, zero, J))
    after = None if found is None else combined(-found[0], J, 0, J)
    if any(J):
        margins["then z = -beta J, beta > 0"] = fact(
            after is not None
            and found is not None
            and found[0] > 0
            and after == span_minimiser(H, J, (zero, J))
            and inner_product(J, after) < 0
        )
    return margins


def _remark_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """beta of the step after z = 0, over what it is at the most, and the slope there."""
    H, J = hessian_rows(xp, arrays), arrays["J"]
    zero = xp.zeros_like(J)
    beta, _, _ = cramer_rows(xp, H, J, zero, J)
    largest = xp.linalg.eigvalsh(H)[:, -1]
    moves = inner_rows(J, J) > 0.0
    # beta >= 1 / h_max, and the minimum along J is where its slope vanishes.
    least = xp.where(moves, beta * largest - 1.0, 1.0) + 1e-9
    slope = inner_rows(J, J - beta[:, None] * applied_rows(H, J))
    return smallest(xp, least, apart(xp, slope, 0.0 * slope, inner_rows(J, J)))


def _remarks() -> Claim:
    printed = Form(
        "if J = 0 then z = 0; if z_{t+1} = 0 then z_{t+2} = -beta J with beta > 0, so that one of "
        "two steps is strictly downhill",
        r"J = 0 \implies z_{t+1} = 0;\quad z_{t+1} = 0 \implies z_{t+2} = -\beta J(w_{t+1})",
        (
            definite(
                model_instance([0.0], [0.0], [1.0]),
                model_instance([1.0, 0.0, 0.0], [0.0, 0.0], [0.0, 1.0]),
                note="In the kernel of H every multiple of z is a minimiser.",
            ),
        ),
        models,
        _remark_margins,
        edges=theorem_edges,
        screen=Screen(model_rows, _remark_slack, row_of),
        reduce=fewer_coordinates,
        effort=60,
    )
    return Claim(
        "curveball/theorem-a2-remarks",
        "when z vanishes, and that it is back in the next step",
        PAPER,
        "the remarks after Theorem A.2",
        Verdict.HOLDS,
        printed,
        notes="z_{t+1} = 0 with J not zero takes two dimensions: H = [[1, 1], [1, 2]], J = (1, 0), "
        "z = (0, -1) has Delta_z = (0, -2). With the shortest solution the first remark needs no "
        "positive definite H.",
        proof="docs/theory-curveball.md, the theorem of descent.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (
        _eq_46(),
        _remarks(),
    )
