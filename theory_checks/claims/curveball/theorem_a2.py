"""Theorem A.2: whether the automatic z is a direction of descent; with H > 0, and with H >= 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
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
)
from theory_checks.claims.adaptive_norms.common import (
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
)
from theory_checks.claims.curveball.common import PAPER
from theory_checks.claims.curveball.models import (
    Forms,
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
    vector,
)

__all__ = ["claims", "theorem_edges"]


def _is_semidefinite(instance: Instance) -> bool:
    return all(sign >= 0 for sign in instance["signs"])


def _in_range(instance: Instance) -> bool:
    """Whether J is in the range of H, by elimination of [H, J]."""
    H, J = hessian(instance), vector(instance, "J")
    n = len(J)
    rows = [[*row, x] for row, x in zip(H, J, strict=True)]
    rank = 0
    for k in range(n):
        pivot = next((i for i in range(rank, n) if rows[i][k] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, n):
            ratio = rows[i][k] / rows[rank][k]
            rows[i] = [a - ratio * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return all(row[n] == 0 for row in rows[rank:])


# --- the theorem ----------------------------------------------------------------------


#: beta and rho from the products in (18).
_Solve = Callable[[Forms], tuple[Fraction, Fraction] | None]


def _printed_margins(instance: Instance, solve: _Solve = solution) -> Margins:
    """A solution of (18), if there is one, is a direction of descent or zero."""
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    delta = delta_of(H, J, z)
    found = solve(forms(H, J, z, delta))
    if found is None:
        return {"(18) has a solution": fact(False)}
    step = combined(found[1], z, -found[0], delta)
    return {
        "(18) has a solution": fact(True),
        "descent, or z = 0": fact(inner_product(J, step) < 0 or not any(step)),
    }


def _beta_reversed(f: Forms) -> tuple[Fraction, Fraction] | None:
    found = solution(f)
    return None if found is None else (-found[0], found[1])


def _rho_reversed(f: Forms) -> tuple[Fraction, Fraction] | None:
    found = solution(f)
    return None if found is None else (found[0], -found[1])


def _without_slope_of_z(f: Forms) -> tuple[Fraction, Fraction] | None:
    return solution(replace(f, Jz=Fraction(0)))


def _without_cross_terms(f: Forms) -> tuple[Fraction, Fraction] | None:
    """As though z and Delta_z were conjugate."""
    return solution(replace(f, zHd=Fraction(0)))


def _amended_margins(instance: Instance, solve: _Solve = solution) -> Margins:
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    delta = delta_of(H, J, z)
    system = forms(H, J, z, delta)
    found, step = solve(system), span_minimiser(H, J, (z, delta))
    if found is None or step is None:
        return {"(18) has a solution": fact(False)}
    slope = inner_product(J, step)
    across = inner_product(J, z) == 0 and inner_product(J, delta) == 0
    any_step = combined(found[1], z, -found[0], delta)
    return {
        "(18) has a solution": fact(True),
        "descent, or z = 0": fact(slope < 0 or not any(step)),
        "z = 0 exactly if J is orthogonal to the span": fact((not any(step)) == across),
        "J'z = -z'Hz": fact(slope == -inner_product(step, applied(H, step))),
        "all solutions have this slope": fact(inner_product(J, any_step) == slope),
    }


def _definite_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return {**model_rows(rng, size), "lam": np.zeros(size)}


def _range_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Models with J = H y."""
    drawn = model_rows(rng, size, (1.0, 1.0, 0.0), definite=False)
    J = applied_rows(hessian_rows(np, drawn), gridded(rng, drawn["J"].shape, -1.0, 1.0, 4))
    return {**drawn, "J": J, "lam": np.zeros(size)}


def _theorem_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """J'z = -z'Hz at the solution of (18), relative to what its independence leaves."""
    H, J, z = hessian_rows(xp, arrays), arrays["J"], arrays["z"]
    delta = applied_rows(H, z) + J
    beta, rho, independent = cramer_rows(xp, H, J, z, delta)
    step = rho[:, None] * z - beta[:, None] * delta
    curvature, slope = inner_rows(step, applied_rows(H, step)), inner_rows(J, step)
    size = xp.abs(J).sum(axis=1) * xp.abs(step).sum(axis=1) + curvature
    return apart(xp, slope, -curvature, size / independent**2)


def _theorem_conditions() -> tuple[Condition, ...]:
    """What it takes."""
    return (
        Condition(
            "positive semidefinite",
            r"\hat H \succeq 0",
            _is_semidefinite,
            Dropped(
                (
                    model_instance([1.0], [1.0], [1.0], signs=[-1.0]),
                    model_instance([1.0, 0.0, 1.0], [0.0, 1.0], [0.0, 1.0], signs=[1.0, -1.0]),
                ),
                note="Along negative curvature what (18) finds goes uphill.",
            ),
        ),
        Condition(
            "J in the range of H",
            r"J \in \hat H\,\mathbb R^p",
            _in_range,
            Dropped(
                (
                    model_instance([0.0], [1.0], [0.0]),
                    model_instance([1.0, 0.0, 0.0], [1.0, 1.0], [0.0, 1.0]),
                ),
                note="A convex function may be linear somewhere: no minimum, no solution.",
            ),
        ),
    )


def theorem_edges() -> Iterable[Instance]:
    """Models with and without curvature, the last one with a z that stalls."""
    yield model_instance([1.0], [1.0], [0.0])
    yield model_instance([0.0], [1.0], [0.0])
    yield model_instance([0.0], [0.0], [1.0])
    yield model_instance([1.0, 0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    yield model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [1.0, 0.0])
    # J'z = 0 and J'Delta_z = 0.
    yield model_instance([1.0, 1.0, 1.0], [1.0, 0.0], [0.0, -1.0])


def _semidefinite_models() -> SearchStrategy[Instance]:
    return models(signs=st.sampled_from([1.0, 1.0, 0.0]))


def _models_in_range() -> SearchStrategy[Instance]:
    """J = H y for most."""

    def moved(instance: Instance) -> Instance:
        J = applied(hessian(instance), vector(instance, "J"))
        return {**instance, "J": [float(x) for x in J]}

    return st.one_of(_semidefinite_models().map(moved), _semidefinite_models())


def _theorem() -> Claim:
    printed = Form(
        "with H positive definite (18) has a solution, and its z is a direction of descent unless "
        "it is zero",
        r"\hat H \succ 0,\ z_{t+1} \ne 0 \implies J^\top z_{t+1} < 0",
        (
            definite(
                model_instance([0.0], [1.0], [0.0]),
                model_instance([1.0], [1.0], [1.0], signs=[-1.0]),
                note="H = 0: (18) has no solution. Along negative curvature what it finds goes "
                "uphill.",
            ),
        ),
        models,
        _printed_margins,
        edges=theorem_edges,
        screen=Screen(_definite_rows, _theorem_slack, row_of),
        sabotage=(
            # Without z'H Delta_z the matrix is still positive definite, and z one of descent.
            Sabotage("beta with the wrong sign", lambda i: _printed_margins(i, _beta_reversed)),
            Sabotage("rho with the wrong sign", lambda i: _printed_margins(i, _rho_reversed)),
            Sabotage("J'z left out", lambda i: _printed_margins(i, _without_slope_of_z)),
        ),
        reduce=fewer_coordinates,
        effort=40,
    )
    return Claim(
        "curveball/theorem-a2",
        "the automatic z is a direction of descent where H is positive definite",
        PAPER,
        "Theorem A.2",
        Verdict.HOLDS,
        printed,
        notes="The hypothesis does not hold where the objective is convex, as the paper says in "
        "brackets: see theorem-a2-convex. H + lambda with lambda > 0 in the matrix is positive "
        "definite wherever H is semidefinite, but as printed the matrix of (18) has no lambda. A "
        "direction of descent is no descent: the full step raises sqrt(1 + w^2) from w = 2.",
        proof="docs/theory-curveball.md: the slope of the model vanishes on the span, J'z + z'Hz "
        "= 0, and z'Hz > 0 for z != 0.",
    )


def _convex() -> Claim:
    printed = Form(
        "H is positive definite 'when the objective is convex': so for a convex objective, H "
        "positive semidefinite, (18) has a solution, and its z is a direction of descent unless it "
        "is zero",
        r"\hat H \succeq 0,\ z_{t+1} \ne 0 \implies J^\top z_{t+1} < 0",
        (Condition("convex", r"\hat H \succeq 0", _is_semidefinite),),
        _semidefinite_models,
        _printed_margins,
        edges=theorem_edges,
        reduce=fewer_coordinates,
        effort=10,
    )
    amended = Form(
        "with H positive semidefinite and J in its range (18) has a solution, every solution has "
        "the slope J'z = -z'Hz <= 0, and the shortest is zero where J is orthogonal to both z and "
        "Delta_z and a direction of descent everywhere else",
        r"\hat H \succeq 0,\ J \in \hat H\,\mathbb R^p \implies "
        r"J^\top z_{t+1} = -z_{t+1}^\top \hat H z_{t+1},\ = 0 \iff J \perp z_t, \Delta_z",
        _theorem_conditions(),
        _models_in_range,
        _amended_margins,
        edges=theorem_edges,
        screen=Screen(_range_rows, _theorem_slack, row_of),
        sabotage=(
            Sabotage("beta with the wrong sign", lambda i: _amended_margins(i, _beta_reversed)),
            Sabotage(
                "z'H Delta_z left out", lambda i: _amended_margins(i, _without_cross_terms)
            ),
        ),
        reduce=fewer_coordinates,
        effort=80,
    )  # fmt: skip
    return Claim(
        "curveball/theorem-a2-convex",
        "the automatic z is a direction of descent 'when the objective is convex'",
        PAPER,
        "Theorem A.2, in brackets",
        Verdict.NEEDS,
        printed,
        amended,
        notes="f(w) = w, or Huber's loss away from its minimum, has H = 0, J = 1. A Gauss-Newton "
        "matrix of the squared or the logistic loss has J in its range; of a loss that is linear "
        "somewhere it may have not.",
        proof="docs/theory-curveball.md: the slope of the model vanishes on the span, J'z + z'Hz "
        "= 0. If z'Hz = 0 then Hz = 0, and the shortest such z is 0; J is then orthogonal to the "
        "span, being so to its minimiser.",
        ours="That a semidefinite H with J in its range is enough.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_theorem(), _convex())
