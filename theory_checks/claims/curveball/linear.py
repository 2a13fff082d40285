"""In which sense the convergence of Theorem A.1 is linear."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
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
    in_roundings,
)
from theory_checks.claims.curveball.bulk import row_of
from theory_checks.claims.curveball.common import (
    EXACT,
    PAPER,
    Step,
    broken_steps,
    component,
    exact_roots_inside,
    point_rows,
    quarters,
    radius,
    radius_rows,
)
from theory_checks.claims.curveball.quadratics import (
    instance_of,
    scaled,
)
from theory_checks.precise import Real, precise, real, reals

__all__ = ["claims"]

#: Iterations that are followed one by one.
_FOLLOWED = 40


def _errors(instance: Instance, step: Step = component) -> list[list[Real]]:
    """|w_t - w*|, t = 0, ..., of each component.

    With so many bits that nothing but b/h is rounded: a product has at most 160 more in a step.
    """
    context, found = precise(), []
    with context.workprec(160 * _FOLLOWED + context.prec):
        beta, rho = real(instance["beta"]), real(instance["rho"])
        columns = (reals(instance[key]) for key in ("eigenvalues", "b", "start"))
        for h, b, start in zip(*columns, strict=True):
            z, w, errors = real(0.0), start, [abs(start - b / h)]
            for _ in range(_FOLLOWED):
                z, w = step(z, w, h, b, beta, rho)
                errors.append(abs(w - b / h))
            found.append(errors)
    return found


def _falling_margins(instance: Instance) -> Margins:
    pairs = [pair for errors in _errors(instance) for pair in pairwise(errors)]
    falls = all(after < before or before == 0 for before, after in pairs)
    stays = all(after == 0 for before, after in pairs if before == 0)
    return {"the error falls": fact(falls), "what is solved stays solved": fact(stays)}


def _pairs(instance: Instance, step: Step = component) -> list[tuple[Real, Real]]:
    """Errors and their bounds, t = 1, 2, ..., of all components, over the error at first."""
    pairs = []
    rho = real(instance["rho"])
    for s, errors in zip(scaled(instance), _errors(instance, step), strict=True):
        r = radius(real(s), rho)
        if errors[0] > 0:
            pairs += [
                (errors[t] / errors[0], (t + 1 + t * r) * r**t) for t in range(1, _FOLLOWED + 1)
            ]
    return pairs


def _bounded_margins(instance: Instance, step: Step = component) -> Margins:
    margins = [in_roundings(b - e, b, EXACT) for e, b in _pairs(instance, step)]
    return {"the bound": min(margins, default=EXACT)}


def _tightest(instance: Instance) -> tuple[float, float] | None:
    pairs = [(e, b) for e, b in _pairs(instance) if b > 0]
    if not pairs:
        return None
    error, bound = max(pairs, key=lambda pair: pair[0] / pair[1])
    return float(error), float(bound)


# --- the screen -----------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """A third at double negative roots -q: rho = 1 + 2q + 2q^2, s = (1 + q)^2."""
    s, rho = point_rows(rng, size)
    q = rng.integers(1, 16, size) / 16
    double = rng.random(size) < 0.33
    s, rho = np.where(double, (1 + q) ** 2, s), np.where(double, 1 + 2 * q + 2 * q * q, rho)
    one = np.ones((size, 1))
    return {"eigenvalues": s[:, None], "b": 0.0 * one, "start": one, "beta": one[:, 0], "rho": rho}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The bound less the error over the bound, in the first twelve steps."""
    s, rho = arrays["eigenvalues"][:, 0], arrays["rho"]
    r = radius_rows(xp, s, rho)
    z, w, slack = 0.0 * s, 1.0 + 0.0 * s, 1.0 + 0.0 * s
    for t in range(1, 13):
        z, w = component(z, w, s, 0.0, 1.0, rho)
        bound = (t + 1 + t * r) * r**t
        slack = xp.minimum(slack, (bound - xp.abs(w) + 1e-13) / (bound + 1e-13))
    return slack


def _linear() -> Claim:
    def strategy() -> SearchStrategy[Instance]:
        drawn = st.tuples(
            quarters(0.25, 2.0), quarters(0.25, 2.0), st.floats(-1.0, 2.75), quarters(0.25, 2.0)
        )
        return drawn.map(lambda x: instance_of([x[0]], x[1], x[2], start=x[3]))

    conditions = (Condition("converges", r"\tfrac32\beta h - 1 < \rho < 1 + \beta h", _converges),)
    printed = Form(
        "the convergence is linear, read as: the error of each component falls in each iteration",
        r"|e_{t+1}| < |e_t|",
        conditions,
        strategy,
        _falling_margins,
        edges=lambda: (instance_of([1.0], 0.5, 0.25), instance_of([1.0], 1.0, 0.75)),
    )
    amended = Form(
        "with r the spectral radius, |e_t| <= (t + 1 + t r) r^t |e_0| for any beta h and rho, "
        "attained at a double negative root",
        r"|e_t| \le (t + 1 + t r)\, r^t\, |e_0|",
        (
            Condition(
                "h is not zero",
                r"h_i \ne 0",
                lambda i: all(h != 0 for h in i["eigenvalues"]),
                kept="the error is the distance to the stationary point b/h",
            ),
        ),
        strategy,
        _bounded_margins,
        # rho = 1 + 2q + 2q^2, s = (1 + q)^2: the double root -q.
        edges=lambda: (instance_of([1.0], 2.25, 2.5), instance_of([1.0], 0.25, 0.5)),
        screen=Screen(_drawn, _slack, row_of),
        bound=_tightest,
        sabotage=broken_steps(_bounded_margins),
    )
    return Claim(
        "curveball/theorem-a1-linear",
        "in which sense the convergence is linear",
        PAPER,
        "Theorem A.1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="h = beta = 1, rho = 3/4: the first step lands on the minimiser, the second leaves "
        "it, with errors 1, 0, 1/4. So neither the error nor f falls monotonically. The factor t "
        "is there at double roots, and the best parameters (optimal-parameters) have one.",
        proof="docs/curveball-rates.md: p_t = h_t - a b h_{t-1} with the complete homogeneous "
        "polynomials h_t of the roots a and b, |h_t| <= (t + 1) r^t.",
        ours="The bound with its factor, and where it is attained.",
    )


def _converges(instance: Instance) -> bool:
    rho = Fraction(instance["rho"])
    return all(s > 0 and exact_roots_inside(s, rho) for s in scaled(instance))


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_linear(),)
