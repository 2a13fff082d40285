"""What fixed CurveBall is among the first-order methods: identities along whole sequences.

In exact arithmetic, on gradients that are cubic polynomials in one variable or more.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

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


def _algorithm_1(f: _Scalar, instance: Instance) -> list[Fraction]:
    """The iterates w_0, w_1, ... of lines 3 to 5, as printed."""
    beta, rho = Fraction(instance["beta"]), Fraction(instance["rho"])
    w, z = Fraction(instance["start"]), Fraction(0)
    iterates = [w]
    for _ in range(_STEPS):
        z = rho * z - beta * (f.hessian(w) * z + f.gradient(w))
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


def _margins(instance: Instance) -> Margins:
    f = _Scalar(instance)
    momentum = _general_momentum(f, instance)
    margins = {
        "Algorithm 1 is the momentum method": fact(_algorithm_1(f, instance) == momentum),
        "in w + z it is heavy ball with the optimistic gradient": fact(
            _look_ahead(momentum) == _optimistic(f, instance)
        ),
    }
    one, zero = {**instance, "rho": 1.0}, {**instance, "rho": 0.0}
    margins["rho = 1 is Nesterov's with momentum 1"] = fact(
        _general_momentum(f, one) == _nesterov(f, one)
    )
    margins["rho = 0 is the reflected gradient"] = fact(
        _general_momentum(f, zero) == _reflected(f, zero)
    )
    return margins


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
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_identities(),)
