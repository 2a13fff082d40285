"""LiSSA's recursion, and when it converges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
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
from theory_checks.claims.curveball.bulk import apart, gridded, row_of, smallest
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.precise import exact

__all__ = ["claims"]

#: Steps that are followed.
_STEPS = 32


def _series(h: Fraction, J: Fraction) -> list[Fraction]:
    """-G_r J with G_0 = 1, G_r = 1 + (1 - h) G_{r-1}: the Taylor series of 1/h."""
    inverse, steps = Fraction(1), []
    for _ in range(_STEPS + 1):
        steps.append(-inverse * J)
        inverse = 1 + (1 - h) * inverse
    return steps


#: The steps from an eigenvalue and a component of J.
_Recursion = Callable[[Fraction, Fraction], list[Fraction]]


def _recursion(h: Fraction, J: Fraction, start: int = -1, length: int = 1) -> list[Fraction]:
    """z - hz - J from z_0 = -J."""
    z, steps = start * J, []
    for _ in range(_STEPS + 1):
        steps.append(z)
        z = z - length * (h * z + J)
    return steps


def _from_zero(h: Fraction, J: Fraction) -> list[Fraction]:
    """One step late."""
    return _recursion(h, J, 0)


def _uphill(h: Fraction, J: Fraction) -> list[Fraction]:
    return _recursion(h, J, length=-1)


def _without_gradient(h: Fraction, J: Fraction) -> list[Fraction]:
    """z - hz: J is in the start alone."""
    return [-J * (1 - h) ** r for r in range(_STEPS + 1)]


def _margins(instance: Instance, recursion: _Recursion = _recursion) -> Margins:
    same = rate = converges = True
    for h, J in zip(exact(instance["eigenvalues"]), exact(instance["J"]), strict=True):
        steps = recursion(h, J)
        same &= steps == _series(h, J)
        if J == 0:
            converges &= not any(steps)
        elif h == 0:
            # No Newton step to go to; z falls by J a turn.
            converges = False
        else:
            errors = [abs(z + J / h) for z in steps]
            rate &= all(after == abs(1 - h) * before for before, after in pairwise(errors))
            rate &= errors[0] == abs((1 - h) * J / h)
            converges &= errors[-1] < errors[0] or errors[-1] == 0
    return {
        "the series is the recursion": fact(same),
        "the error is |1 - h|^(r + 1) |J/h|": fact(rate),
        "it goes to the Newton step": fact(converges),
    }


def _last_error(instance: Instance) -> tuple[float, float] | None:
    """The error after the last step over the first, and the rate's power, where they are least."""
    pairs = []
    for h, J in zip(exact(instance["eigenvalues"]), exact(instance["J"]), strict=True):
        if h != 0 and J != 0:
            errors = [abs(z + J / h) for z in _recursion(h, J)[:9]]
            if errors[0]:
                pairs.append((float(errors[8] / errors[0]), float(abs(1 - h) ** 8)))
    return max(pairs, default=None)


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    n = int(rng.integers(1, 4))
    h, J = gridded(rng, (size, n), 0.0625, 1.9375), gridded(rng, (size, n), -2.0, 2.0)
    return {"eigenvalues": h, "J": J}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """Recursion, series and rate at the last step."""
    h, J = arrays["eigenvalues"], arrays["J"]
    z, inverse = -J, 1.0 + 0.0 * h
    for _ in range(_STEPS):
        z, inverse = z - h * z - J, 1.0 + (1.0 - h) * inverse
    size = (xp.abs(J) / h).max(axis=1)
    rate = (1.0 - h) ** (_STEPS + 1) * J / h
    return smallest(xp, apart(xp, z, -inverse * J, size), apart(xp, z + J / h, rate, size))


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
        screen=Screen(_drawn, _slack, row_of),
        bound=_last_error,
        sabotage=(
            Sabotage("from z_0 = 0", lambda i: _margins(i, _from_zero)),
            Sabotage("+ hz + J", lambda i: _margins(i, _uphill)),
            Sabotage("J left out", lambda i: _margins(i, _without_gradient)),
        ),
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
        proof="docs/theory-curveball.md, LiSSA.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lissa(),)
