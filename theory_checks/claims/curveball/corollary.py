"""Corollary A.1.1: how small a step has to be."""

from __future__ import annotations

from collections.abc import Mapping
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
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.curveball.bulk import gridded, row_of
from theory_checks.claims.curveball.common import (
    PAPER,
    Step,
    broken_steps,
    component,
    quarters,
    radius,
    radius_rows,
)
from theory_checks.claims.curveball.quadratics import (
    goes_to_a_minimiser,
    in_range,
    instance_of,
    is_convex,
    solved_margins,
)
from theory_checks.precise import real
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]


def _with_step(instance: Instance) -> Instance:
    """The instance with beta = share 2 (1 + rho)/(3 h_max), rounded down."""
    largest = max(instance["eigenvalues"])
    bound = 2 * (1 + Fraction(instance["rho"])) / (3 * Fraction(largest)) if largest > 0 else 1
    return {**instance, "beta": Fraction(instance["share"]) * bound}


def _corollary_margins(instance: Instance, step: Step = component) -> Margins:
    return solved_margins(_with_step(instance), step)


def _exactly_margins(instance: Instance, step: Step = component) -> Margins:
    """That a larger beta is too large, besides."""
    margins = dict(_corollary_margins(instance, step))
    if max(instance["eigenvalues"]) > 0:
        larger = _with_step({**instance, "share": 1 / Fraction(instance["share"])})
        margins["no larger beta serves"] = fact(not goes_to_a_minimiser(larger, step))
    return margins


def _largest_radius(instance: Instance) -> tuple[float, float] | None:
    """Of the components with a positive eigenvalue, and 1."""
    beta, rho = real(_with_step(instance)["beta"]), real(instance["rho"])
    found = [radius(beta * real(h), rho) for h in instance["eigenvalues"] if h > 0]
    return (float(max(found)), 1.0) if found else None


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    n = int(rng.integers(1, 4))
    return {
        "eigenvalues": gridded(rng, (size, n), 0.0, 4.0, 4),
        "b": np.zeros((size, n)),
        "rho": gridded(rng, size, -0.9375, 0.9375),
        "share": np.minimum(gridded(rng, size, 0.0625, 1.0), 255 / 256),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 less the largest radius."""
    h, rho = arrays["eigenvalues"], arrays["rho"][:, None]
    largest = h.max(axis=1)[:, None]
    share = arrays["share"][:, None] * 2.0 * (1.0 + rho) / 3.0
    s = xp.where(h > 0.0, share * h / xp.where(largest > 0.0, largest, 1.0), 0.5)
    return xp.where(h > 0.0, 1.0 - radius_rows(xp, s, rho + 0.0 * s), 1.0).min(axis=1)


def _corollary_instance(h: list[float], rho: float, share: float, b: float = 0.0) -> Instance:
    whole = instance_of(h, 1.0, rho, [b] * len(h))
    return {k: v for k, v in {**whole, "share": share}.items() if k not in ("beta", "start")}


def _corollary_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": st.lists(quarters(0.0, 4.0), min_size=n, max_size=n),
                "b": st.one_of(
                    st.just([0.0] * n), st.lists(quarters(-1.0, 1.0), min_size=n, max_size=n)
                ),
                "rho": st.one_of(fractions_of_one(), st.floats(-0.99, 0.99)),
                "share": fractions_of_one(),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _amended_conditions(small: Condition) -> tuple[Condition, ...]:
    """What it takes."""
    return (
        Condition(
            "convex",
            r"H \succeq 0",
            is_convex,
            Dropped(
                (
                    _corollary_instance([-1.0], 0.5, 0.5),
                    _corollary_instance([1.0, -1.0], 0.5, 0.5),
                ),
                note="f has no minimum.",
            ),
        ),
        small,
        Condition(
            "-1 < rho < 1",
            r"-1 < \rho < 1",
            lambda i: bool(-1 < i["rho"] < 1),
            Dropped((_corollary_instance([1.0], 2.0, 0.25),)),
        ),
        Condition(
            "b in the range",
            r"b \in \operatorname{range} H",
            in_range,
            Dropped((_corollary_instance([0.0], 0.5, 0.5, 1.0),)),
        ),
    )


def _corollary() -> Claim:
    small = Condition(
        "small step",
        r"\beta < \tfrac23 (1 + \rho)/h_{\max}",
        lambda i: bool(0 < i["share"] < 1),
        Dropped((_corollary_instance([1.0], 0.5, 1.0), _corollary_instance([1.0], 0.5, 1.5))),
    )
    printed = Form(
        "for any 0 < rho < 1 Algorithm 1 converges with a small enough beta > 0, regardless of "
        "the positive semidefinite Hessian",
        r"0 < \rho < 1",
        (
            Condition("convex", r"H \succeq 0", is_convex),
            small,
            Condition("0 < rho < 1", r"0 < \rho < 1", lambda i: bool(0 < i["rho"] < 1)),
        ),
        _corollary_strategy,
        _corollary_margins,
        edges=lambda: (_corollary_instance([0.0], 0.5, 0.5, 1.0),),
    )
    amended = Form(
        "for any -1 < rho < 1 it does exactly with 0 < beta < (2/3)(1 + rho)/h_max, if f is "
        "bounded below",
        r"0 < \beta < \frac{2 (1 + \rho)}{3 h_{\max}}",
        _amended_conditions(small),
        _corollary_strategy,
        _exactly_margins,
        edges=lambda: (_corollary_instance([1.0, 0.0], 0.5, 0.9375),),
        screen=Screen(_drawn, _slack, row_of),
        bound=_largest_radius,
        sabotage=broken_steps(_exactly_margins),
    )  # fmt: skip
    return Claim(
        "curveball/corollary-a1-1",
        "a small enough step always converges",
        PAPER,
        "Corollary A.1.1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="How small is known: below (2/3)(1 + rho)/h_max, which is sharp. A singular Hessian "
        "is allowed only where f is bounded below: H = 0, b = 1 has no minimum.",
        proof="Theorem A.1, as amended: for rho < 1 its upper bound holds for every beta > 0 "
        "(docs/curveball-rates.md, when it converges).",
        ours="How small a step is small enough.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_corollary(),)
