"""What the two points of Assumption 2 guarantee, in the norm of A."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
from theory_checks.claims.adaptive_norms.common import (
    EXACT,
    PAPER,
    applied,
    factored,
    inner_product,
)
from theory_checks.claims.adaptive_norms.subproblems import (
    decrease_of,
    instance_of,
    instances,
    is_a_norm,
    points_of,
    region_margin,
    rounding_of,
    smaller,
    subproblem,
    symmetric,
)
from theory_checks.claims.adaptive_norms.subproblems_plane import (
    plane_draw,
    plane_points,
    plane_row,
)
from theory_checks.precise import Real, exact, precise, real

__all__ = ["claims"]

#: Relative error that the eigenpoint may have: of second order in that of a Ritz vector.
_GAP = 1e-8


def _along_gradient(instance: Instance) -> Real:
    """The best decrease along -g itself, as if the norm were Euclidean, in the region of A."""
    gradient = exact(instance["gradient"])
    slope = real(inner_product(gradient, gradient))
    if slope == 0:
        return slope
    curvature = real(inner_product(gradient, applied(symmetric(instance["hessian"]), gradient)))
    square = inner_product(gradient, applied(factored(instance["factor"]), gradient))
    reach = real(instance["radius"]) / precise().sqrt(real(square))
    length = reach if curvature * reach <= slope else slope / curvature
    return length * slope - length**2 * curvature / 2


#: From H, g, the radius and the norm to a point.
Point = Callable[[Any, Any, float, Any], Any]


def _cauchy_point(hessian: Any, gradient: Any, radius: float, norm: Any) -> Any:
    return tralgos.cauchy_point(hessian, gradient, radius, norm=norm)


def _eigen_point(hessian: Any, gradient: Any, radius: float, norm: Any) -> Any:
    return tralgos.eigen_point(hessian, gradient, radius, norm=norm, rng=0)


def _margins(
    instance: Instance, cauchy_point: Point = _cauchy_point, eigen_point: Point = _eigen_point
) -> Margins:
    points = points_of(instance)
    if instance["direction"] == "g":
        slack = _along_gradient(instance) - points.cauchy_bound
        return {"guaranteed at the Cauchy point": in_roundings(slack, points.scale, EXACT)}
    hessian, gradient, norm = subproblem(instance)
    radius = instance["radius"]
    cauchy = cauchy_point(hessian, gradient, radius, norm).tolist()
    eigen = eigen_point(hessian, gradient, radius, norm).tolist()
    at_cauchy, at_eigen = (real(decrease_of(instance, s)) for s in (cauchy, eigen))
    scale = points.scale + max(rounding_of(instance, s) for s in (cauchy, eigen))
    return {
        "the Cauchy point": in_roundings(-abs(at_cauchy - points.cauchy), scale),
        "guaranteed at the Cauchy point": in_roundings(
            points.cauchy - points.cauchy_bound, points.scale, EXACT
        ),
        # Both signs of a Ritz vector, whose error is of second order in the curvature.
        "guaranteed at the eigenpoint": in_roundings(
            at_eigen - (1 - _GAP) * points.eigen_bound, scale
        ),
        "in the region": min(region_margin(instance, s) for s in (cauchy, eigen)),
    }


def _bound(instance: Instance) -> tuple[float, float] | None:
    """What is guaranteed at the Cauchy point, and what it reaches."""
    points = points_of(instance)
    return (float(points.cauchy_bound), float(points.cauchy)) if points.cauchy > 0 else None


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    points = plane_points(xp, arrays)
    slack = xp.minimum(points.cauchy - points.cauchy_bound, points.eigen - points.eigen_bound)
    return slack / points.scale + 1e-13


def _sabotage() -> tuple[Sabotage, ...]:
    def half(hessian: Any, gradient: Any, radius: float, norm: Any) -> Any:
        return _cauchy_point(hessian, gradient, radius, norm) / 2

    def euclidean(hessian: Any, gradient: Any, radius: float, norm: Any) -> Any:
        return _cauchy_point(hessian, gradient, radius, None)

    def uphill(hessian: Any, gradient: Any, radius: float, norm: Any) -> Any:
        return -_eigen_point(hessian, gradient, radius, norm)

    def other_norm(hessian: Any, gradient: Any, radius: float, norm: Any) -> Any:
        return _eigen_point(hessian, gradient, radius, None)

    return (
        Sabotage("the Cauchy point half as long", lambda i: _margins(i, half)),
        Sabotage("the Cauchy point of the ball", lambda i: _margins(i, euclidean)),
        Sabotage("the other sign", lambda i: _margins(i, eigen_point=uphill)),
        Sabotage("the eigenpoint of the ball", lambda i: _margins(i, eigen_point=other_norm)),
    )


def _strategy() -> SearchStrategy[Instance]:
    return instances(("direct",)).map(lambda i: {**i, "direction": "A^-1 g"})


def _steepest() -> Condition:
    return Condition(
        "along A^-1 g",
        "the Cauchy point is taken along the steepest descent in the norm of A",
        lambda i: i["direction"] == "A^-1 g",
        Dropped(
            (instance_of([0.0, 0.0, 0.0], [1.0, 1.0], factor=[10.0, 0.0, 1.0], direction="g"),),
            note="Along -g the decrease can be any small part of that.",
        ),
    )


def _guaranteed() -> Claim:
    printed = Form(
        "in the norm of A the Cauchy point decreases the model by at least ||g|| min(r, "
        "||g||/||H||)/2 and the eigenpoint by at least |lambda_min| r^2/2 where lambda_min < 0",
        r"m(0) - m(s^C) \ge \tfrac12 \|g\|_{A^{-1}} \min\{\Delta, \|g\|_{A^{-1}}/\|H\|_A\},\quad "
        r"m(0) - m(s^E) \ge \tfrac12 |\lambda_{\min}| \Delta^2",
        (is_a_norm(), _steepest()),
        _strategy,
        _margins,
        edges=lambda: [
            instance_of(h, g, direction="A^-1 g")
            for h, g in (
                ([1.0], [1.0]),
                ([-1.0], [0.0]),
                ([4.0], [1.0]),
                ([-1.0, 0.0, 1.0], [0.0, 1.0]),
            )
        ],
        reduce=smaller,
        screen=Screen(
            plane_draw,
            _slack,
            lambda arrays, row: {**plane_row(arrays, row), "direction": "A^-1 g"},
        ),
        bound=_bound,
        sabotage=_sabotage(),
        effort=50,
    )
    return Claim(
        "adaptive-norms/assumption-2-decrease",
        "what the Cauchy point and the eigenpoint guarantee",
        PAPER,
        "Assumption 2, for Theorem 1",
        Verdict.HOLDS,
        printed,
        notes="||H|| and lambda_min are those of the pencil (H, A). Both bounds are attained: the "
        "first by g along an eigenvector of the largest |eigenvalue|, positive, the second by "
        "g orthogonal to the leftmost eigenvectors. In the Euclidean quantities of Theorem 1 "
        "they are worse by powers of mu.",
        ours="The constants in the norm of A, that both are attained, and that along -g in the "
        "place of -A^-1 g there is no such guarantee.",
        proof="docs/theory-methods.md, Algorithm 1; the first bound is Conn, Gould and Toint "
        "(2000), Theorem 6.3.1, with the constant 1/2. The eigenpoint: g's <= 0 by its sign.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    return (_guaranteed(),)
