"""LiSSA's recursion, and when it converges."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Verdict,
    fact,
)
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.precise import exact

__all__ = ["claims"]

#: Steps that are followed.
_STEPS = 64


def _series(h: Fraction, J: Fraction) -> list[Fraction]:
    """-G_r J with G_0 = 1, G_r = 1 + (1 - h) G_{r-1}: the Taylor series of 1/h."""
    inverse, steps = Fraction(1), []
    for _ in range(_STEPS + 1):
        steps.append(-inverse * J)
        inverse = 1 + (1 - h) * inverse
    return steps


def _recursion(h: Fraction, J: Fraction) -> list[Fraction]:
    """z - hz - J from z_0 = -J."""
    z, steps = -J, []
    for _ in range(_STEPS + 1):
        steps.append(z)
        z = z - h * z - J
    return steps


def _margins(instance: Instance) -> Margins:
    same = rate = converges = True
    for h, J in zip(exact(instance["eigenvalues"]), exact(instance["J"]), strict=True):
        steps = _recursion(h, J)
        same &= steps == _series(h, J)
        if J == 0:
            converges &= not any(steps)
        elif h == 0:
            # No Newton step to go to; z falls by J a turn.
            converges = False
        else:
            errors = [abs(z + J / h) for z in steps]
            rate &= errors == [abs(1 - h) ** (r + 1) * abs(J / h) for r in range(_STEPS + 1)]
            converges &= errors[-1] < errors[0] or errors[-1] == 0
    return {
        "the series is the recursion": fact(same),
        "the error is |1 - h|^(r + 1) |J/h|": fact(rate),
        "it goes to the Newton step": fact(converges),
    }


def _instance(*h: float) -> Instance:
    return {"eigenvalues": list(h), "J": [1.0] * len(h)}


def _converging(instance: Instance) -> bool:
    pairs = zip(instance["eigenvalues"], instance["J"], strict=True)
    return all(J == 0 or 0 < h < 2 for h, J in pairs)


def _strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        eigenvalue = st.one_of(quarters(0.25, 1.75), quarters(-1.0, 3.0))
        return st.fixed_dictionaries(
            {
                "eigenvalues": st.lists(eigenvalue, min_size=n, max_size=n),
                "J": st.lists(quarters(-2.0, 2.0), min_size=n, max_size=n),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)


def _edges() -> Iterable[Instance]:
    yield _instance(1.0)
    yield _instance(0.25, 1.75)
    yield {"eigenvalues": [1.0, 0.0, 2.0, -1.0], "J": [1.0, 0.0, 0.0, 0.0]}


def _lissa() -> Claim:
    printed = Form(
        "LiSSA's series, applied to -J, is z - Hz - J from z_0 = -J; it goes to the Newton step "
        "where all eigenvalues of H along which J has a component are in (0, 2), with the error "
        "|1 - h|^(r + 1) |J_h|/h in each",
        r"z_{r+1} = z_r - \hat Hz_r - J,\quad "
        r"z_r + \hat H^{-1}J = (I - \hat H)^{r+1}\hat H^{-1}J",
        (
            Condition(
                "eigenvalues in (0, 2)",
                r"0 < h < 2 \text{ where } J_h \ne 0",
                _converging,
                Dropped(
                    (*(_instance(h) for h in (0.0, 2.0, 3.0, -1.0)), _instance(1.0, 2.5)),
                    note="At 0 z grows linearly, at 2 it alternates, beyond it grows.",
                ),
            ),
        ),
        _strategy,
        _margins,
        edges=_edges,
    )
    return Claim(
        "curveball/lissa",
        "LiSSA's recursion is a gradient step with beta = 1; when it converges",
        PAPER,
        "Section 5",
        Verdict.HOLDS,
        printed,
        notes="It is line 4 of Algorithm 1 with rho = beta = 1 and a w that waits. Where w moves "
        "in each step the same recursion needs 0 < h < 4/3 instead (theorem-a1). Scaled to "
        "h_max = 1 it takes the condition number of steps for a factor e, as gradient descent "
        "does; conjugate gradients take its root.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lissa(),)
