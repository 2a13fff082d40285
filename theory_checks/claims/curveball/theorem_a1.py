"""Theorem A.1: for which beta and rho Algorithm 1 converges on a convex quadratic."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

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
from theory_checks.claims.curveball.bulk import row_of
from theory_checks.claims.curveball.common import (
    PAPER,
    Step,
    broken_steps,
    component,
    exact_roots_inside,
)
from theory_checks.claims.curveball.quadratics import (
    above,
    below,
    boundary_slack,
    goes_to_a_minimiser,
    in_range,
    instance_of,
    is_convex,
    quadratic_rows,
    quadratics,
    scaled,
    solved_margins,
    steps_forward,
)

__all__ = ["claims"]


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """Of the component with the least: an eigenvalue of zero takes no part."""
    h = arrays["eigenvalues"]
    s = arrays["beta"][:, None] * xp.where(h > 0.0, h, h[:, :1])
    rho = arrays["rho"][:, None] + 0.0 * s
    return xp.where(h > 0.0, boundary_slack(xp, s, rho), 1.0).min(axis=1)


def _exactly_margins(instance: Instance, step: Step = component) -> Margins:
    positive = [s for s in scaled(instance) if s != 0]
    predicted = below(instance, positive) and all(
        3 * s / 2 - 1 < Fraction(instance["rho"]) for s in positive
    )
    margins = {"if and only if": fact(predicted == goes_to_a_minimiser(instance, step))}
    inside = all(exact_roots_inside(s, Fraction(instance["rho"])) for s in positive)
    return {**margins, "Jury's test": fact(predicted == inside)}


def _printed_conditions() -> tuple[Condition, ...]:
    return (
        Condition(
            "convex",
            r"H \succeq 0",
            is_convex,
            Dropped((instance_of([-1.0], 0.25, 0.5),), note="f has no minimum."),
        ),
        Condition(
            "beta > 0",
            r"\beta > 0",
            steps_forward,
            Dropped((instance_of([1.0], -0.25, 0.5),), note="It climbs."),
        ),
        Condition(
            "rho > 0",
            r"\rho > 0",
            lambda i: bool(i["rho"] > 0),
        ),
        Condition(
            "lower bound",
            r"\tfrac32 \beta h_{\max} - 1 < \rho",
            above,
            Dropped((instance_of([1.0], 1.0, 0.5), instance_of([1.0], 1.0, 0.25))),
        ),
        Condition(
            "upper bound",
            r"\rho < 1 + \beta h_{\min}",
            lambda i: below(i, scaled(i)),
            Dropped((instance_of([1.0], 0.25, 1.25), instance_of([1.0], 0.25, 1.5))),
        ),
    )


def _theorem() -> Claim:
    unbounded = instance_of([0.0], 1.0, 0.5, [1.0])
    printed = Form(
        "for a convex quadratic f and beta, rho > 0 with 3/2 beta h_max - 1 < rho < "
        "1 + beta h_min Algorithm 1 converges to the minimum of f",
        r"\tfrac32 \beta h_{\max} - 1 < \rho < 1 + \beta h_{\min}",
        _printed_conditions(),
        quadratics,
        solved_margins,
        edges=lambda: (instance_of([1.0], 0.5, 0.5), unbounded),
    )
    amended = Form(
        "for a convex quadratic with b in the range of H, beta > 0 and any real rho it converges "
        "to a minimiser from every w_0, with z_0 = 0, if and only if 3/2 beta h_max - 1 < rho < "
        "1 + beta h_min+, with the smallest positive eigenvalue (for H = 0: always)",
        r"w_t \to w^* \iff \tfrac32 \beta h_{\max} - 1 < \rho < 1 + \beta h_{\min}^+",
        (
            Condition(
                "convex", r"H \succeq 0", is_convex, Dropped((instance_of([-1.0, 1.0], 0.25, 0.5),))
            ),
            Condition(
                "beta > 0", r"\beta > 0", steps_forward, Dropped((instance_of([1.0], -0.25, 0.5),))
            ),
            Condition(
                "b in the range",
                r"b \in \operatorname{range} H",
                in_range,
                Dropped((unbounded, instance_of([1.0, 0.0], 0.5, 0.5, [0.0, 1.0]))),
            ),
        ),
        quadratics,
        _exactly_margins,
        edges=lambda: (
            instance_of([1.0, 0.0], 0.25, 1.125),
            instance_of([1.0], 1.0, 0.5),
            instance_of([1.0], 0.25, 1.25),
            instance_of([0.0], 1.0, 2.0),
        ),
        screen=Screen(quadratic_rows, _slack, row_of),
        sabotage=broken_steps(_exactly_margins),
    )  # fmt: skip
    return Claim(
        "curveball/theorem-a1",
        "for which beta and rho Algorithm 1 converges on a convex quadratic",
        PAPER,
        "Theorem A.1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="H = 0, b = 1 is a convex quadratic without a minimum. Where there is one, the "
        "condition is also necessary, from every start with an error along the eigenvector. "
        "rho > 0 is not needed. With h_min = 0 the printed bound asks for rho < 1; from z_0 = 0 "
        "nothing ever happens in the kernel, so that the smallest positive eigenvalue decides and "
        "rho >= 1 may serve; from a z_0 with a part in the kernel |rho| < 1 is needed.",
        proof="docs/curveball-rates.md: Jury's test, and p_t(s) has no vanishing coefficient.",
        ours="That the condition is necessary, with the smallest positive eigenvalue and any real "
        "rho.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_theorem(),)
