"""Equations (18) and (25): the closed-form beta and rho, and what lambda does to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

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
from theory_checks.claims.adaptive_norms.common import Matrix, applied, inner_product
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    condition_rows,
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
    Forms,
    Vector,
    combined,
    definite,
    delta_of,
    fewer_coordinates,
    forms,
    hessian,
    model_instance,
    models,
    next_of,
    solution,
    span_minimiser,
    value,
    vector,
)

__all__ = ["claims"]


def _independent(z: Vector, delta: Vector) -> bool:
    """Whether z and Delta_z are, by their Gram determinant."""
    cross = inner_product(z, delta)
    return inner_product(z, z) * inner_product(delta, delta) != cross * cross


def _is_independent(instance: Instance) -> bool:
    """Whether z and Delta_z of the instance are."""
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    return _independent(z, delta_of(H, J, z, Fraction(instance["lam"])))


def _parts(instance: Instance) -> tuple[Matrix, Vector, Vector, Vector, Forms]:
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    delta = delta_of(H, J, z, Fraction(instance["lam"]))
    return H, J, z, delta, forms(H, J, z, delta)


# --- equation (18) --------------------------------------------------------------------


def _printed_margins(instance: Instance) -> Margins:
    H, J, z, delta, f = _parts(instance)
    if f.determinant == 0:
        return {"the inverse exists": fact(False)}
    found = solution(f)
    assert found is not None
    step = next_of(found, z, delta)
    return {"it minimises the model": fact(step == span_minimiser(H, J, (z, delta)))}


def _other_solutions(f: Forms, found: tuple[Fraction, Fraction]) -> Iterable[tuple[Fraction, ...]]:
    """Solutions beside the given one, along the kernel of a singular matrix."""
    beta, rho = found
    if f.determinant == 0:
        along = (f.zHd, f.dHd) if (f.zHd or f.dHd) else (f.zHz, f.zHd)
        if not any(along):
            yield beta + 1, rho
            yield beta, rho + 1
        else:
            yield beta + along[0], rho + along[1]


#: beta and rho from the products in (18).
_Solve = Callable[[Forms], tuple[Fraction, Fraction] | None]


def _rho_reversed(f: Forms) -> tuple[Fraction, Fraction] | None:
    found = solution(f)
    return None if found is None else (found[0], -found[1])


def _without_cross_terms(f: Forms) -> tuple[Fraction, Fraction] | None:
    """As though z and Delta_z were conjugate."""
    return solution(replace(f, zHd=Fraction(0)))


def _without_slope_of_z(f: Forms) -> tuple[Fraction, Fraction] | None:
    return solution(replace(f, Jz=Fraction(0)))


def _amended_margins(instance: Instance, solve: _Solve = solution) -> Margins:
    H, J, z, delta, f = _parts(instance)
    found = solve(f)
    if found is None:
        return {"a solution exists": fact(False)}
    wanted = span_minimiser(H, J, (z, delta))
    steps = [next_of(found, z, delta)]
    steps += [next_of((b, r), z, delta) for b, r in _other_solutions(f, found)]
    slope = combined(1, applied(H, steps[0]), 1, J)
    return {
        "a solution exists": fact(True),
        "each of them minimises the model": fact(all(step == wanted for step in steps)),
        "the slope vanishes on the span": fact(
            inner_product(slope, z) == 0 and inner_product(slope, delta) == 0
        ),
        "one solution exactly if independent": fact(
            (f.determinant != 0) == _independent(z, delta)
        ),
    }  # fmt: skip


def _plane_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The slopes of the model along z and Delta_z at the solution of (18)."""
    H, J, z = hessian_rows(xp, arrays), arrays["J"], arrays["z"]
    Hz = applied_rows(H, z)
    delta = Hz + J + arrays["lam"][:, None] * z
    beta, rho, independent = cramer_rows(xp, H, J, z, delta)
    step = rho[:, None] * z - beta[:, None] * delta
    Hs = applied_rows(H, step)
    slope, size = Hs + J, (xp.abs(Hs) + xp.abs(J)).sum(axis=1) * condition_rows(xp, H)
    size = size / independent
    first = apart(xp, inner_rows(slope, z), 0.0 * size, size * xp.abs(z).sum(axis=1))
    return smallest(
        xp, first, apart(xp, inner_rows(slope, delta), 0.0 * size, size * xp.abs(delta).sum(axis=1))
    )


def _eq_18_edges() -> Iterable[Instance]:
    yield model_instance([1.0], [1.0], [0.0])
    yield model_instance([1.0], [1.0], [-1.0])
    yield model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [0.0, 0.0])
    yield model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [1.0, 0.0])
    yield model_instance([1.0, 0.0, 2.0], [1.0, 1.0], [1.0, 0.0], 2.0)
    # Delta_z = 2z.
    yield model_instance([1.0, 0.0, 1.0], [1.0, 1.0], [1.0, 1.0])


def _eq_18() -> Claim:
    printed = Form(
        "at any step the optimal beta and rho are the inverse of the 2 x 2 matrix times "
        "(J'Delta, J'z)",
        r"\begin{bmatrix}\beta\\-\rho\end{bmatrix} = K^{-1} "
        r"\begin{bmatrix}J^\top\Delta_z\\J^\top z\end{bmatrix}",
        (definite(),),
        models,
        _printed_margins,
        edges=_eq_18_edges,
        reduce=fewer_coordinates,
        effort=10,
    )
    amended = Form(
        "the 2 x 2 system has a solution; all of them give the same z, the minimiser of the model "
        "on the span; there is one alone exactly if z and Delta_z are linearly independent",
        r"K \begin{bmatrix}\beta\\-\rho\end{bmatrix} = "
        r"\begin{bmatrix}J^\top\Delta_z\\J^\top z\end{bmatrix} \iff "
        r"z' = \arg\min_{\mathrm{span}\{z,\Delta_z\}} z'^\top J + \tfrac12 z'^\top\hat H z'",
        (
            definite(
                model_instance([0.0], [1.0], [1.0]),
                model_instance([1.0], [1.0], [1.0], signs=[-1.0]),
                model_instance(
                    [1.0, 0.0, 1.0], [0.0, 1.0], [1.0, 0.0], signs=[1.0, -1.0]
                ),
                note="H = 0: no solution. Negative curvature: what (18) finds is no minimiser.",
            ),
        ),
        models,
        _amended_margins,
        edges=_eq_18_edges,
        screen=Screen(model_rows, _plane_slack, row_of),
        sabotage=(
            Sabotage("rho with the wrong sign", lambda i: _amended_margins(i, _rho_reversed)),
            Sabotage(
                "z'H Delta_z left out", lambda i: _amended_margins(i, _without_cross_terms)
            ),
            Sabotage("J'z left out", lambda i: _amended_margins(i, _without_slope_of_z)),
        ),
        reduce=fewer_coordinates,
        effort=80,
    )  # fmt: skip
    return Claim(
        "curveball/eq-18",
        "the closed form minimises the model on the span, where the inverse exists",
        PAPER,
        "equation (18)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The inverse does not exist in the first step of every run, where z = 0, nor ever in "
        "one dimension, nor where Delta_z is a multiple of z; least of all at the solution, where "
        "Delta_z = 0. A pseudo-inverse or an orthonormal basis of the span serves in all cases. "
        "beta may be negative and rho may leave [0, 1] (docs/theory-curveball.md).",
        proof="K is the Gram matrix of (Delta_z, z) for the inner product x'Hy: "
        "docs/theory-curveball.md, the closed form.",
    )


# --- equation (25) --------------------------------------------------------------------


def _inverted(f: Forms, determinant: Any = None) -> tuple[Fraction, Fraction]:
    """(-rho, beta) of (25) by its own inverse: rows and columns are in the other order."""
    by = f.determinant if determinant is None else determinant
    return (f.dHd * f.Jz - f.zHd * f.Jd) / by, (f.zHz * f.Jd - f.zHd * f.Jz) / by


def _inverted_with_plus(f: Forms) -> tuple[Fraction, Fraction]:
    """The cross terms of the inverse with +."""
    minus_rho = (f.dHd * f.Jz + f.zHd * f.Jd) / f.determinant
    return minus_rho, (f.zHz * f.Jd + f.zHd * f.Jz) / f.determinant


def _rows_exchanged(f: Forms) -> tuple[Fraction, Fraction]:
    """The matrix with its rows in the order of (18), the rest as it is."""
    minus_rho, beta = _inverted(f)
    return beta, minus_rho


def _as_22(f: Forms, beta: Fraction, rho: Fraction) -> Fraction:
    """The form in (rho, -beta) that is minimised in (22)."""
    linear = rho * f.Jz - beta * f.Jd
    return linear + (rho**2 * f.zHz - 2 * rho * beta * f.zHd + beta**2 * f.dHd) / 2


def _without_half(f: Forms, beta: Fraction, rho: Fraction) -> Fraction:
    return 2 * _as_22(f, beta, rho) - (rho * f.Jz - beta * f.Jd)


def _beta_for_minus_beta(f: Forms, beta: Fraction, rho: Fraction) -> Fraction:
    return _as_22(f, -beta, rho)


def _left_of_24(f: Forms, beta: Fraction, rho: Fraction) -> tuple[Fraction, Fraction]:
    return f.Jz + f.zHz * rho - f.zHd * beta, -f.Jd - f.zHd * rho + f.dHd * beta


def _eq_25_margins(
    instance: Instance,
    inverse: Callable[[Forms], tuple[Fraction, Fraction]] = _inverted,
    form: Callable[[Forms, Fraction, Fraction], Fraction] = _as_22,
) -> Margins:
    """(22) at a pair that is drawn, (24) as its gradient there, and both at the pair of (25)."""
    H, J, z, delta, f = _parts(instance)
    found = solution(f)
    if f.determinant == 0 or found is None:
        return {"the inverse exists": fact(False)}
    b, r = (Fraction(instance[key]) for key in ("beta", "rho"))
    # Central differences of a quadratic are its derivatives.
    slopes = (
        (form(f, b, r + 1) - form(f, b, r - 1)) / 2,
        (form(f, b + 1, r) - form(f, b - 1, r)) / 2,
    )
    minus_rho, beta = inverse(f)
    return {
        "(20) is (22)": fact(value(H, J, next_of((b, r), z, delta)) == form(f, b, r)),
        "(24) is the gradient of (22)": fact(slopes == _left_of_24(f, b, r)),
        "(24) holds with (25)": fact(not any(_left_of_24(f, beta, -minus_rho))),
        "(25) is (18)": fact((beta, -minus_rho) == found),
        "it minimises the model": fact(
            next_of((beta, -minus_rho), z, delta) == span_minimiser(H, J, (z, delta))
        ),
    }


def _pair_instance(factor: list[float], J: list[float], z: list[float], **more: Any) -> Instance:
    """A model with a pair at which the form of (22) is looked at."""
    return model_instance(factor, J, z, beta=0.5, rho=2.0, **more)


def _pair_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    def pairs(rng: np.random.Generator, size: int) -> np.ndarray:
        return gridded(rng, size, -2.0, 2.0)

    return model_rows(rng, size, least=2, beta=pairs, rho=pairs)


def _eq_25_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(20) against (22) at the pair, (25) by its inverse in (24), and the slopes of the model."""
    H, J, z = hessian_rows(xp, arrays), arrays["J"], arrays["z"]
    b, r = arrays["beta"], arrays["rho"]
    delta = applied_rows(H, z) + J + arrays["lam"][:, None] * z
    Hz, Hd = applied_rows(H, z), applied_rows(H, delta)
    f: Any = Forms(
        inner_rows(z, Hz),
        inner_rows(z, Hd),
        inner_rows(delta, Hd),
        inner_rows(J, z),
        inner_rows(J, delta),
    )
    step = r[:, None] * z - b[:, None] * delta
    model = inner_rows(step, J) + inner_rows(step, applied_rows(H, step)) / 2.0
    size = 1.0 + r * r * f.zHz + b * b * f.dHd + xp.abs(r * f.Jz) + xp.abs(b * f.Jd)
    expansion = apart(xp, model, _as_22(f, b, r), size)
    # Where z and Delta_z are dependent, or nearly so, (25) says nothing that float64 can judge.
    both = f.zHz * f.dHd
    two = f.determinant > 1e-9 * both
    minus_rho, beta = _inverted(f, xp.where(two, f.determinant, 1.0))
    first, second = _left_of_24(f, beta, -minus_rho)
    # Each entry of (24) beside its terms, over what the determinant leaves.
    share = xp.where(two, f.determinant / xp.where(two, both, 1.0), 1.0)
    cross = xp.abs(f.zHd * beta), xp.abs(f.zHd * minus_rho)
    top = (xp.abs(f.Jz) + xp.abs(f.zHz * minus_rho) + cross[0]) / share
    bottom = (xp.abs(f.Jd) + xp.abs(f.dHd * beta) + cross[1]) / share
    solved = smallest(xp, apart(xp, first, 0.0, top), apart(xp, second, 0.0, bottom))
    return smallest(xp, expansion, xp.where(two, solved, 1.0), _plane_slack(xp, arrays))


def _eq_25() -> Claim:
    printed = Form(
        "the model at rho z - beta Delta_z is the form of (21) and (22) for all rho and beta, the "
        "left side of (24) is its gradient, (25) solves (24) and gives the minimiser of (20), and "
        "(25) is (18) with the rows in the other order",
        r"\begin{bmatrix}-\rho\\\beta\end{bmatrix} = "
        r"\begin{bmatrix}z^\top\hat Hz & z^\top\hat H\Delta_z\\"
        r"z^\top\hat H\Delta_z & \Delta_z^\top\hat H\Delta_z\end{bmatrix}^{-1}"
        r"\begin{bmatrix}z^\top J\\\Delta_z^\top J\end{bmatrix}",
        (
            definite(
                _pair_instance([1.0, 0.0, 1.0], [0.0, 1.0], [1.0, 1.0], signs=[1.0, -1.0]),
                note="With negative curvature (25) gives a saddle of the model.",
            ),
            Condition(
                "linearly independent",
                r"\dim \mathrm{span}\{z, \Delta_z\} = 2",
                _is_independent,
                Dropped(
                    (
                        _pair_instance([1.0, 0.0, 2.0], [1.0, 1.0], [0.0, 0.0]),
                        _pair_instance([1.0, 0.0, 1.0], [1.0, 1.0], [1.0, 1.0]),
                    ),
                    note="See eq-18.",
                ),
            ),
        ),
        lambda: models(beta=quarters(-2.0, 2.0), rho=quarters(-2.0, 2.0)),
        _eq_25_margins,
        edges=lambda: (_pair_instance([1.0, 0.0, 2.0], [1.0, 1.0], [1.0, 0.0]),),
        screen=Screen(_pair_rows, _eq_25_slack, row_of),
        sabotage=(
            Sabotage("no 1/2 in (22)", lambda i: _eq_25_margins(i, form=_without_half)),
            Sabotage(
                "beta for -beta in (22)", lambda i: _eq_25_margins(i, form=_beta_for_minus_beta)
            ),
            Sabotage("+ in the inverse", lambda i: _eq_25_margins(i, _inverted_with_plus)),
            Sabotage("rows exchanged", lambda i: _eq_25_margins(i, _rows_exchanged)),
        ),
        reduce=fewer_coordinates,
        effort=60,
    )
    return Claim(
        "curveball/eq-25",
        "the derivation of the closed form, sign by sign",
        PAPER,
        "Appendix A.1, equations (20) to (25)",
        Verdict.HOLDS,
        printed,
        notes="'Convex, and we can find its extrema by cancelling the gradient' takes H positive "
        "definite on the span: a semidefinite form may be unbounded below.",
        proof="The 2 x 2 system has the unknowns in the other order; Cramer's rule is the same.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_eq_18(), _eq_25())
