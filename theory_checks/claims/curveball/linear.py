"""In which sense the convergence of Theorem A.1 is linear."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Form,
    Instance,
    Margins,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.common import (
    EXACT,
    PAPER,
    exact_roots_inside,
    quarters,
    radius,
    stepped,
)
from theory_checks.claims.curveball.quadratics import (
    instance_of,
    scaled,
)
from theory_checks.precise import real

__all__ = ["claims"]

#: Iterations that are followed one by one.
_FOLLOWED = 40


def _errors(instance: Instance) -> list[float]:
    """|w_t - w*| of one component, t = 0, ..., with b = 0."""
    return [abs(w[0]) for w in stepped(instance, _FOLLOWED)]


def _falling_margins(instance: Instance) -> Margins:
    errors = _errors(instance)
    falls = all(after < before or before == 0 for before, after in pairwise(errors))
    stays = all(after == 0 for before, after in pairwise(errors) if before == 0)
    return {"the error falls": fact(falls), "what is solved stays solved": fact(stays)}


def _bounds(instance: Instance) -> list[Any]:
    r = radius(real(instance["beta"]) * real(instance["eigenvalues"][0]), real(instance["rho"]))
    start = abs(real(instance["start"][0]))
    return [(t + 1 + t * r) * r**t * start for t in range(_FOLLOWED + 1)]


def _bounded_margins(instance: Instance) -> Margins:
    pairs = zip(_errors(instance), _bounds(instance), strict=True)
    start = abs(real(instance["start"][0]))
    # Fifty digits are lost against the terms that cancel, which are of the size of the start.
    return {
        "the bound": min(in_roundings(b - e, b + 1e-25 * start, EXACT) for e, b in pairs),
    }


def _bound_ratio(instance: Instance) -> float | None:
    pairs = zip(_errors(instance), _bounds(instance), strict=True)
    ratios = [float(e / b) for e, b in list(pairs)[1:] if b > 0]
    return max(ratios, default=None)


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
        "with r the spectral radius, |e_t| <= (t + 1 + t r) r^t |e_0|, attained at a double "
        "negative root",
        r"|e_t| \le (t + 1 + t r)\, r^t\, |e_0|",
        (Condition("beta h > 0", r"\beta h > 0", lambda i: all(s > 0 for s in scaled(i))),),
        strategy,
        _bounded_margins,
        # rho = 1 + 2q + 2q^2, s = (1 + q)^2: the double root -q.
        edges=lambda: (instance_of([1.0], 2.25, 2.5), instance_of([1.0], 0.25, 0.5)),
        ratio=_bound_ratio,
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
        proof="p_t = h_t - a b h_{t-1} with the complete homogeneous polynomials h_t of the roots "
        "a and b, |h_t| <= (t + 1) r^t.",
    )


def _converges(instance: Instance) -> bool:
    rho = Fraction(instance["rho"])
    return all(s > 0 and exact_roots_inside(s, rho) for s in scaled(instance))


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_linear(),)
