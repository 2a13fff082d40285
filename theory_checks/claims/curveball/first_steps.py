"""Automatic CurveBall beside conjugate gradients, on a quadratic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

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
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import Matrix, applied, floats, inner_product
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    condition_rows,
    cramer_rows,
    hessian_rows,
    inner_rows,
    model_rows,
    row_of,
)
from theory_checks.claims.curveball.common import PAPER
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    definite,
    fewer_coordinates,
    forms,
    hessian,
    model_instance,
    models,
    shifted,
    solution,
    span_minimiser,
    vector,
)
from theory_checks.precise import real

__all__ = [
    "SINE",
    "Step",
    "automatic_errors",
    "best_step",
    "broken_planes",
    "claims",
    "squared_sine",
]

#: Above this condition number the steps in float64 are not compared.
_CONDITION = 1e4

#: Squared sines below which tralgos makes the second direction explicitly: above, its curvatures
#: come from inner products and have a rounding over the squared sine.
SINE = 2.0**-13

#: From H + lambda, J, z and Delta_z to the next z.
Step = Callable[[Matrix, Vector, Vector, Vector], Vector | None]


def best_step(damped: Matrix, J: Vector, z: Vector, delta: Vector) -> Vector | None:
    """(18)."""
    return span_minimiser(damped, J, (z, delta))


def _without_z(damped: Matrix, J: Vector, z: Vector, delta: Vector) -> Vector | None:
    """Momentum forgotten: steepest descent along Delta_z."""
    return span_minimiser(damped, J, (delta,))


def _one_after_the_other(damped: Matrix, J: Vector, z: Vector, delta: Vector) -> Vector | None:
    """rho first, then beta: no joint minimum."""
    first = span_minimiser(damped, J, (z,))
    if first is None:
        return None
    slope = combined(1, applied(damped, first), 1, J)
    second = span_minimiser(damped, slope, (delta,))
    return None if second is None else combined(1, first, 1, second)


def _rho_reversed(damped: Matrix, J: Vector, z: Vector, delta: Vector) -> Vector | None:
    """(18) with rho for -rho in its unknowns."""
    found = solution(forms(damped, J, z, delta))
    return None if found is None else combined(-found[1], z, -found[0], delta)


def broken_planes(margins: Callable[[Instance, Step], Margins]) -> tuple[Sabotage, ...]:
    """Automatic CurveBall broken in three ways, for margins that take its step second."""

    def of(step: Step) -> Callable[[Instance], Margins]:
        return lambda instance: margins(instance, step)

    return (
        Sabotage("z left out of the span", of(_without_z)),
        Sabotage("rho first, then beta", of(_one_after_the_other)),
        Sabotage("rho with the wrong sign", of(_rho_reversed)),
    )


def automatic_errors(
    instance: Instance, H: Matrix, steps: int, step: Step = best_step
) -> list[Vector]:
    """w_t - w* of Algorithm 1 with (18), H + lambda in its matrix, from w_0 - w* = J."""
    error, z, lam = vector(instance, "J"), vector(instance, "z"), Fraction(instance["lam"])
    damped, errors = shifted(H, lam), [vector(instance, "J")]
    for _ in range(steps):
        J = applied(H, error)
        found = step(damped, J, z, combined(1, applied(H, z), 1, J))
        assert found is not None
        z = found
        error = combined(1, error, 1, z)
        errors.append(error)
    return errors


def _conjugate(instance: Instance, H: Matrix, steps: int) -> list[Vector]:
    """The same of conjugate gradients."""
    error = vector(instance, "J")
    residual = applied(H, error)
    d, errors = [-x for x in residual], [error]
    for _ in range(steps):
        square = inner_product(residual, residual)
        if square:
            Hd = applied(H, d)
            length = square / inner_product(d, Hd)
            error = combined(1, error, length, d)
            residual = combined(1, residual, length, Hd)
            d = combined(-1, residual, inner_product(residual, residual) / square, d)
        errors.append(error)
    return errors


def _margins(instance: Instance, steps: int, step: Step = best_step) -> Margins:
    H = hessian(instance)
    ours, theirs = automatic_errors(instance, H, 3, step), _conjugate(instance, H, 3)
    alike = [a == b for a, b in zip(ours, theirs, strict=True)]
    margins = {
        "the first iterate is theirs": fact(alike[1]),
        "the second iterate is theirs": fact(alike[2]),
    }
    if steps == 3:
        margins["the third iterate is theirs"] = fact(alike[3])
    else:
        ended = not any(applied(H, theirs[2]))
        margins["the third is theirs only if the second ends it"] = fact(alike[3] == ended)
    energies = [inner_product(e, applied(H, e)) for e in ours]
    margins["f falls"] = fact(all(b < a or a == 0 for a, b in pairwise(energies)))
    if len(ours[0]) <= 2:
        margins["two dimensions take two steps"] = fact(not any(ours[2]))
    return {**margins, **_package_margins(instance, H, ours)}


def _package_margins(instance: Instance, H: Matrix, errors: list[Vector]) -> Margins:
    """tralgos.CurveBall, which starts with z = 0, against the fractions."""
    full, start = floats(H), np.array(instance["J"], dtype=float)
    condition = float(np.linalg.cond(full))
    if any(instance["z"]) or condition > _CONDITION or not start.any():
        return {}
    seen = [start]
    method = tralgos.CurveBall(lam=instance["lam"], lam_rule="fixed", hessian="exact")
    tralgos.minimize(
        tralgos.problems.Quadratic(full),
        start,
        method,
        gtol=0.0,
        maxiter=2,
        callback=lambda state: seen.append(state.x),
    )
    # Each step has a rounding over the squared sine between z and Delta_z of its own.
    steps = [combined(1, after, -1, before) for before, after in pairwise(errors[:3])]
    slopes = [
        combined(1, applied(H, z), 1, applied(H, e))
        for z, e in zip(steps, errors[1:], strict=False)
    ]
    sine = 1.0 if len(steps) < 2 else max(SINE, squared_sine(steps[0], slopes[0]))
    size = condition * float(np.linalg.norm(start))
    off = [
        max(abs(real(float(a)) - real(b)) for a, b in zip(x, e, strict=True))
        for x, e in zip(seen[1:], errors[1:3], strict=False)
    ]
    margins = [in_roundings(-x, s) for x, s in zip(off, (size, size / sine), strict=False)]
    return {"tralgos goes there": min(margins, default=fact(True))}


def squared_sine(x: Vector, y: Vector) -> float:
    """Of the angle between two vectors; 1 where one of them is zero."""
    whole = inner_product(x, x) * inner_product(y, y)
    return 1.0 if whole == 0 else float(1 - inner_product(x, y) ** 2 / whole)


# --- the screen -----------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    drawn = model_rows(rng, size)
    return {**drawn, "z": np.zeros_like(drawn["z"]), "lam": np.zeros(size)}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The second iterate against that of conjugate gradients, less where they are ill-posed."""
    H, error = hessian_rows(xp, arrays), arrays["J"]
    J = applied_rows(H, error)
    beta, _, _ = cramer_rows(xp, H, J, xp.zeros_like(J), J)
    z = -beta[:, None] * J
    at, after = error + z, J + applied_rows(H, z)
    delta = after + applied_rows(H, z)
    beta, rho, independent = cramer_rows(xp, H, after, z, delta)
    ours = at + rho[:, None] * z - beta[:, None] * delta
    square = inner_rows(J, J)
    ratio = inner_rows(after, after) / xp.where(square > 0.0, square, 1.0)
    d = after + ratio[:, None] * J
    curved = inner_rows(d, applied_rows(H, d))
    length = inner_rows(after, after) / xp.where(curved > 0.0, curved, 1.0)
    theirs = at - length[:, None] * d
    size = xp.abs(error).sum(axis=1) * condition_rows(xp, H) / independent
    return apart(xp, ours, theirs, size)


def _edges() -> Iterable[Instance]:
    yield model_instance([1.0], [1.0], [0.0])
    yield model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [0.0, 0.0])
    yield model_instance([1.0, 0.0, 2.0, 0.0, 0.0, 3.0], [1.0] * 3, [0.0] * 3)
    yield model_instance([1.0, 0.0, 1.0, 0.0, 0.0, 2.0], [1.0] * 3, [0.0] * 3)


def _undamped() -> Condition:
    """No damping."""
    return Condition(
        "lambda = 0",
        r"\lambda = 0",
        lambda i: bool(i["lam"] == 0),
        Dropped(
            (
                model_instance([1.0], [1.0], [0.0], 1.0),
                model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [0.0, 0.0], 0.5),
            ),
            note="The steps are shorter.",
        ),
    )


def _at_rest() -> Condition:
    """No momentum at first."""
    return Condition(
        "z_0 = 0",
        r"z_0 = 0",
        lambda i: not any(i["z"]),
        Dropped(
            (model_instance([1.0, 0.0, 2.0, 0.0, 0.0, 3.0], [1.0] * 3, [1.0, 0.0, 0.0]),),
            note="The first plane is another one.",
        ),
    )


def _first_steps() -> Claim:
    def resting(instance: Instance) -> Instance:
        return {**instance, "z": [0.0] * len(instance["J"]), "lam": 0.0}

    printed = Form(
        "automatic CurveBall with lambda = 0 is the method of conjugate gradients on a quadratic",
        r"w_t^{\text{CurveBall}} = w_t^{\text{CG}}",
        (definite(), _undamped(), _at_rest()),
        lambda: models().map(resting),
        lambda i: _margins(i, 3),
        edges=_edges,
        reduce=fewer_coordinates,
        effort=10,
    )
    amended = Form(
        "its first two iterates are theirs, so that two dimensions take two steps; its third never "
        "is, unless the second is the minimiser",
        r"w_t^{\text{CurveBall}} = w_t^{\text{CG}},\ t \le 2;\quad "
        r"J_2 \ne 0 \implies w_3^{\text{CurveBall}} \ne w_3^{\text{CG}}",
        (
            definite(
                model_instance([0.0], [1.0], [0.0]),
                model_instance([1.0, 0.0, 0.0], [1.0, 1.0], [0.0, 0.0]),
                note="In the kernel nothing moves: the error stays, though f is solved.",
            ),
            _undamped(),
            _at_rest(),
        ),
        lambda: st.one_of(models(), models(3)).map(resting),
        lambda i: _margins(i, 2),
        edges=_edges,
        screen=Screen(_drawn, _slack, row_of),
        sabotage=broken_planes(lambda i, step: _margins(i, 2, step)),
        reduce=fewer_coordinates,
        effort=30,
    )
    return Claim(
        "curveball/automatic-first-steps",
        "what automatic CurveBall is in its first steps",
        "beyond the papers",
        "Section 3; docs/theory-curveball.md",
        Verdict.NEEDS,
        printed,
        amended,
        notes="On the eigenvalues 1, 2, 3 the third iterate differs, and where conjugate gradients "
        "end CurveBall goes on for ever, at the pace of steepest descent (see tracking). "
        f"Its source is section 3 of '{PAPER}'.",
        proof="docs/theory-curveball.md, the closed form: Delta_1 = 2J_1 - J_0 and z_1 is parallel "
        "to J_0, so that the second plane is that of J_0 and J_1; the third, of z_2 and 2J_2 - "
        "J_1, does not contain the direction of conjugate gradients.",
        ours="All of it.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_first_steps(),)
