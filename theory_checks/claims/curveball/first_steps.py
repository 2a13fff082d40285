"""Automatic CurveBall beside conjugate gradients, on a quadratic."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

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
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import Matrix, applied, floats, inner_product
from theory_checks.claims.curveball.common import PAPER
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    definite,
    fewer_coordinates,
    hessian,
    model_instance,
    models,
    shifted,
    span_minimiser,
    vector,
)
from theory_checks.precise import real

__all__ = ["claims"]

#: Above this condition number the steps in float64 are not compared.
_CONDITION = 1e4

#: Roundings times the condition number that they may be off: the second plane may be spanned
#: by vectors that are nearly parallel.
_OFF = 1e4


def _automatic(instance: Instance, H: Matrix, steps: int) -> list[Vector]:
    """w_t - w* of Algorithm 1 with (18), H + lambda in its matrix, from w_0 - w* = J."""
    error, z, lam = vector(instance, "J"), vector(instance, "z"), Fraction(instance["lam"])
    damped, errors = shifted(H, lam), [vector(instance, "J")]
    for _ in range(steps):
        J = applied(H, error)
        found = span_minimiser(damped, J, (z, combined(1, applied(H, z), 1, J)))
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


def _margins(instance: Instance, steps: int) -> Margins:
    H = hessian(instance)
    ours, theirs = _automatic(instance, H, steps), _conjugate(instance, H, steps)
    names = ("first", "second", "third")
    margins = {
        f"the {name} iterate is theirs": fact(a == b)
        for name, a, b in zip(names, ours[1:], theirs[1:], strict=False)
    }
    energies = [inner_product(e, applied(H, e)) for e in ours]
    margins["f falls"] = fact(all(b < a or a == 0 for a, b in pairwise(energies)))
    if len(ours[0]) <= 2:
        margins["two dimensions take two steps"] = fact(not any(ours[2]))
    return {**margins, **_package_margins(instance, H, ours[: steps + 1])}


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
    size = condition * float(np.linalg.norm(start))
    off = [
        max(abs(real(float(a)) - real(b)) for a, b in zip(x, e, strict=True))
        for x, e in zip(seen[1:], errors[1:3], strict=False)
    ]
    return {"tralgos goes there": min((in_roundings(-x, size, _OFF) for x in off), default=0.0)}


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
        "its first two iterates are theirs, so that two dimensions take two steps",
        r"w_t^{\text{CurveBall}} = w_t^{\text{CG}},\ t \le 2",
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
        reduce=fewer_coordinates,
        effort=60,
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
        proof="Delta_1 = 2J_1 - J_0 and z_1 is parallel to J_0: the second plane is that of J_0 "
        "and J_1. The third, of z_2 and 2J_2 - J_1, does not contain J_2 where J_1 is not parallel "
        "to z_2.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_first_steps(),)
