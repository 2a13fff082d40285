"""What fixed CurveBall is among the first-order methods: identities along whole sequences.

In exact arithmetic, on gradients that are cubic polynomials in one variable or more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
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
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.bulk import apart, gridded, row_of, smallest
from theory_checks.claims.curveball.common import PAPER, quarters

__all__ = ["claims"]

#: Iterations; a cubic gradient triples the digits in each.
_STEPS = 5


class _Scalar:
    """h w + c w^3 - b and its derivative."""

    def __init__(self, instance: Instance) -> None:
        self._h, self._c, self._b = (Fraction(instance[key]) for key in ("h", "cubic", "b"))

    def gradient(self, w: Fraction) -> Fraction:
        return self._h * w + self._c * w**3 - self._b

    def hessian(self, w: Fraction) -> Fraction:
        return self._h + 3 * self._c * w**2


#: Lines 3 and 4: from f, w, z, beta and rho to the next z.
_Step = Callable[[_Scalar, Fraction, Fraction, Fraction, Fraction], Fraction]


def _printed_step(f: _Scalar, w: Fraction, z: Fraction, beta: Fraction, rho: Fraction) -> Fraction:
    return rho * z - beta * (f.hessian(w) * z + f.gradient(w))


def _heavy_ball(f: _Scalar, w: Fraction, z: Fraction, beta: Fraction, rho: Fraction) -> Fraction:
    """No curvature along z."""
    return rho * z - beta * f.gradient(w)


def _too_far_ahead(f: _Scalar, w: Fraction, z: Fraction, beta: Fraction, rho: Fraction) -> Fraction:
    """The gradient at w + 2z."""
    return rho * z - beta * (2 * f.hessian(w) * z + f.gradient(w))


def _reversed(f: _Scalar, w: Fraction, z: Fraction, beta: Fraction, rho: Fraction) -> Fraction:
    """rho with a minus."""
    return -rho * z - beta * (f.hessian(w) * z + f.gradient(w))


def _algorithm_1(f: _Scalar, instance: Instance, step: _Step) -> list[Fraction]:
    """The iterates w_0, w_1, ... of lines 3 to 5."""
    beta, rho = Fraction(instance["beta"]), Fraction(instance["rho"])
    w, z = Fraction(instance["start"]), Fraction(0)
    iterates = [w]
    for _ in range(_STEPS):
        z = step(f, w, z, beta, rho)
        w = w + z
        iterates.append(w)
    return iterates


def _general_momentum(f: _Scalar, instance: Instance) -> list[Fraction]:
    """x+ = x + b (x - x_) - a grad f(x + c (x - x_)) with a = beta, b = rho, c = 1."""
    beta, rho = Fraction(instance["beta"]), Fraction(instance["rho"])
    iterates = [Fraction(instance["start"])] * 2
    for _ in range(_STEPS):
        x, before = iterates[-1], iterates[-2]
        ahead = x + (x - before)
        iterates.append(x + rho * (x - before) - beta * f.gradient(ahead))
    return iterates[1:]


def _optimistic(f: _Scalar, instance: Instance) -> list[Fraction]:
    """y+ = y + rho (y - y_) - beta (2 grad f(y) - grad f(y_)), with grad f(y_-1) read as 0."""
    beta, rho = Fraction(instance["beta"]), Fraction(instance["rho"])
    iterates, old = [Fraction(instance["start"])] * 2, Fraction(0)
    for _ in range(_STEPS):
        y, before = iterates[-1], iterates[-2]
        new = f.gradient(y)
        iterates.append(y + rho * (y - before) - beta * (2 * new - old))
        old = new
    return iterates[1:]


def _nesterov(f: _Scalar, instance: Instance) -> list[Fraction]:
    """x+ = y - beta grad f(y), y+ = x+ + (x+ - x): Nesterov's with momentum 1."""
    beta = Fraction(instance["beta"])
    x = y = Fraction(instance["start"])
    iterates = [x]
    for _ in range(_STEPS):
        x, before = y - beta * f.gradient(y), x
        y = x + (x - before)
        iterates.append(x)
    return iterates


def _reflected(f: _Scalar, instance: Instance) -> list[Fraction]:
    """x+ = x - beta grad f(2x - x_): Malitsky's reflected gradient."""
    beta = Fraction(instance["beta"])
    iterates = [Fraction(instance["start"])] * 2
    for _ in range(_STEPS):
        x, before = iterates[-1], iterates[-2]
        iterates.append(x - beta * f.gradient(2 * x - before))
    return iterates[1:]


def _look_ahead(iterates: list[Fraction]) -> list[Fraction]:
    """y_t = w_t + z_t = 2 w_t - w_{t-1}."""
    return iterates[:1] + [2 * w - v for v, w in pairwise(iterates)]


def _package_margin(instance: Instance, iterates: list[Fraction]) -> float:
    """tralgos.CurveBall with fixed beta and rho against the fractions, up to its first rejection.

    Rounding grows no faster than a product of norms of the transition matrix.
    """
    h, b, beta, rho = (float(instance[key]) for key in ("h", "b", "beta", "rho"))
    seen = [np.array([float(instance["start"])])]
    tralgos.minimize(
        tralgos.problems.Quadratic(np.array([[h]]), -np.array([b])),
        seen[0],
        tralgos.CurveBall(beta=beta, rho=rho, lam=0.0, lam_rule="fixed", hessian="exact"),
        gtol=0.0,
        maxiter=_STEPS,
        callback=lambda state: seen.append(state.x),
    )
    growth, s = 1.0, beta * h
    size, margins = abs(seen[0][0]) + beta * (abs(b) + abs(h * seen[0][0])), []
    for x, wanted in zip(seen[1:], iterates[1:], strict=False):
        growth *= 1.0 + abs(rho) + 2.0 * abs(s)
        margins.append(in_roundings(-abs(Fraction(float(x[0])) - wanted), size * growth))
    return min(margins, default=fact(True))


def _margins(instance: Instance, step: _Step = _printed_step) -> Margins:
    f = _Scalar(instance)
    momentum = _general_momentum(f, instance)
    iterates = _algorithm_1(f, instance, step)
    margins = {
        "Algorithm 1 is the momentum method": fact(iterates == momentum),
        "in w + z it is heavy ball with the optimistic gradient": fact(
            _look_ahead(momentum) == _optimistic(f, instance)
        ),
    }
    # What tralgos takes without a warning.
    convex = instance["cubic"] == 0 and instance["h"] > 0
    if convex and instance["beta"] > 0 and 0 <= instance["rho"] < 5:
        margins["tralgos walks there"] = _package_margin(instance, iterates)
    one, zero = {**instance, "rho": 1.0}, {**instance, "rho": 0.0}
    margins["rho = 1 is Nesterov's with momentum 1"] = fact(
        _general_momentum(f, one) == _nesterov(f, one)
    )
    margins["rho = 0 is the reflected gradient"] = fact(
        _general_momentum(f, zero) == _reflected(f, zero)
    )
    return margins


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    low = {"h": -2.0, "b": -2.0, "beta": -1.0, "rho": -1.0, "start": -2.0}
    high = {"h": 4.0, "b": 2.0, "beta": 2.0, "rho": 2.0, "start": 2.0}
    drawn = {name: gridded(rng, size, low[name], high[name]) for name in low}
    return {**drawn, "cubic": np.zeros(size)}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """Algorithm 1 beside the momentum method, and its look-ahead beside the optimistic one."""
    h, b, beta, rho = (arrays[name] for name in ("h", "b", "beta", "rho"))
    w, z = arrays["start"], 0.0 * h
    x = before = y = y_before = w
    old, size, slacks = 0.0 * h, 1.0 + xp.abs(w), []
    for _ in range(_STEPS):
        z = rho * z - beta * (h * z + h * w - b)
        w = w + z
        x, before = x + rho * (x - before) - beta * (h * (2.0 * x - before) - b), x
        new = h * y - b
        y, y_before = y + rho * (y - y_before) - beta * (2.0 * new - old), y
        old = new
        size = size * (2.0 + xp.abs(rho) + 2.0 * xp.abs(beta * h)) + xp.abs(beta * b)
        slacks += [apart(xp, w, x, size), apart(xp, w + z, y, 2.0 * size)]
    return smallest(xp, *slacks)


def _instance(rho: float, cubic: float = 0.0) -> Instance:
    return {"h": 1.0, "cubic": cubic, "b": 1.0, "beta": 0.25, "rho": rho, "start": 2.0}


def _strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "h": quarters(-2.0, 4.0),
            "cubic": st.just(0.0),
            "b": quarters(-2.0, 2.0),
            "beta": quarters(-1.0, 2.0),
            "rho": quarters(-1.0, 2.0),
            "start": quarters(-2.0, 2.0),
        }
    )


def _edges() -> Iterable[Instance]:
    for rho in (0.0, 0.5, 1.0):
        yield _instance(rho)


def _identities() -> Claim:
    printed = Form(
        "on a quadratic fixed CurveBall is x+ = x + b (x - x_) - a grad f(x + c (x - x_)) with "
        "a = beta, b = rho, c = 1; in y = w + z it is heavy ball with 2 grad f(y) - grad f(y_) for "
        "the gradient; Nesterov's method with momentum 1 at rho = 1, the reflected gradient at "
        "rho = 0",
        r"w_+ = w + \rho z - \beta \nabla f(w + z),\quad "
        r"y_+ = y + \rho (y - y_-) - \beta (2 \nabla f(y) - \nabla f(y_-))",
        (
            Condition(
                "quadratic",
                r"f(w) = \tfrac12 h w^2 - b w",
                lambda i: bool(i["cubic"] == 0),
                Dropped(
                    (_instance(0.5, 1.0), _instance(1.0, -0.5)),
                    note="Hz + J(w) is the gradient at w + z only there; all else stays true.",
                ),
            ),
        ),
        _strategy,
        _margins,
        edges=_edges,
        screen=Screen(_drawn, _slack, row_of),
        sabotage=(
            Sabotage("no curvature along z", lambda i: _margins(i, _heavy_ball)),
            Sabotage("the gradient at w + 2z", lambda i: _margins(i, _too_far_ahead)),
            Sabotage("rho with a minus", lambda i: _margins(i, _reversed)),
        ),
        effort=80,
    )
    return Claim(
        "curveball/look-ahead",
        "which first-order method fixed CurveBall is",
        PAPER,
        "Section 3, and beyond the papers",
        Verdict.HOLDS,
        printed,
        notes="The three-parameter family is that of Lessard, Recht and Packard (2016). On what is "
        "not quadratic CurveBall is heavy ball plus beta H(w) z, Hessian-driven damping, and "
        "differs from the look-ahead form in the second order of z.",
        proof="docs/curveball-rates.md, which method it is.",
        ours="All of the identities.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_identities(),)
