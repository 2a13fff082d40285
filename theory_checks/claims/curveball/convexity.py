"""Which convex losses have the positive semidefinite Hessian that Gauss-Newton takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.precise import Real, exact, precise, real

__all__ = ["claims"]


#: Steps of the second differences, of the smallest component that is not zero.
_STEPS = (Fraction(1, 10**8), Fraction(1, 10**16))


def _power(kind: str, p: Fraction, u: Sequence[Real]) -> Real:
    total = sum(abs(x) ** real(p) for x in u)
    return total if kind == "power" else total ** (1 / real(p))


def _distance_margins(instance: Instance) -> Margins:
    """Second differences with two steps along each axis and the diagonal."""
    p, u = Fraction(instance["p"]), exact(instance["u"])
    n, least = len(u), min((abs(x) for x in u if x), default=Fraction(1))
    # In units of the smallest component: both losses are homogeneous.
    u = [x / least for x in u]
    directions = [[int(i == j) for j in range(n)] for i in range(n)] + [[1] * n]
    exists = semidefinite = True
    for d in directions:
        quotients = [_quotient(instance["kind"], p, u, d, h / (1 + p)) for h in _STEPS]
        # A quotient without a limit grows by 10^2 at least, p being a multiple of 1/4.
        size = _power(instance["kind"], p, [real(abs(x) + 1) for x in u]) * (1 + real(p)) ** 2
        exists &= bool(abs(quotients[1]) <= 2 * abs(quotients[0]) + size * real(1e-6))
        semidefinite &= bool(quotients[1] >= -size * real(1e-12))
    return {"H_L exists": fact(exists), "it is positive semidefinite": fact(semidefinite)}


def _quotient(kind: str, p: Fraction, u: list[Fraction], d: list[int], h: Fraction) -> Real:
    """The second difference along d, with twice the digits: half are lost in the difference."""
    context = precise()
    with context.workdps(2 * context.dps):
        ends = [
            _power(kind, p, [real(a + s * h * b) for a, b in zip(u, d, strict=True)])
            for s in (1, 0, -1)
        ]
        return (ends[0] - 2 * ends[1] + ends[2]) / real(h * h)


def _distance(p: float, u: list[float], kind: str = "power") -> Instance:
    return {"p": p, "u": u, "kind": kind}


def _is_smooth(instance: Instance) -> bool:
    """Whether |u|^p, or the norm, is twice differentiable at u."""
    zeros = [x == 0 for x in instance["u"]]
    if instance["kind"] == "norm" and (all(zeros) or (len(zeros) == 1)):
        return not all(zeros)
    return instance["p"] >= 2 or not any(zeros)


def _distance_strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "p": quarters(0.25, 5.0),
            "u": st.lists(quarters(-2.0, 2.0), min_size=1, max_size=3),
            "kind": st.sampled_from(["power", "norm"]),
        }
    )


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    n = int(rng.integers(1, 4))
    u = gridded(rng, (size, n), -2.0, 2.0)
    kind = rng.integers(0, 2, size)
    # Away from where it is not twice differentiable: what p admits there is the edges' matter.
    return {"p": gridded(rng, size, 1.0, 5.0, 4), "u": np.where(u == 0.0, 1.0, u), "kind": kind}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The smallest eigenvalue of H_L over its largest, in closed form and negated noise."""
    p, u, norm = arrays["p"][:, None], arrays["u"], arrays["kind"] == 1
    powers = xp.abs(u) ** p
    total = powers.sum(axis=1)
    # Of ||u||_p: (p - 1) ||u|| (diag(t / u^2) - tt' / (uu')) with t = |u|^p / sum |u|^p.
    share = powers / total[:, None] / u
    outer = xp.where(norm[:, None, None], share[:, :, None] * share[:, None, :], 0.0)
    diagonal = xp.where(norm[:, None], share / u, powers / u**2)
    matrix = diagonal[:, :, None] * xp.eye(u.shape[1])[None, :, :] - outer
    values = xp.linalg.eigvalsh(matrix)
    return (arrays["p"] - 1.0) * values[:, 0] / diagonal.max(axis=1)


def _instance(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {**row_of(arrays, row), "kind": ("power", "norm")[int(arrays["kind"][row])]}


def _convex() -> Condition:
    """p >= 1."""
    return Condition(
        "convex",
        r"p \ge 1",
        lambda i: bool(i["p"] >= 1),
        Dropped(
            (_distance(0.5, [1.0]), _distance(0.5, [1.0, 1.0])),
            note="|u|^p is a distance for p < 1, too, and concave on each side.",
        ),
    )


def _distances() -> Claim:
    printed = Form(
        "L^p distances, p >= 1, have a positive semidefinite H_L",
        r"L = \sum_i |u_i|^p \text{ or } L = \|u\|_p,\ p \ge 1 \implies H_L \succeq 0",
        (Condition("convex", r"p \ge 1", lambda i: bool(i["p"] >= 1)),),
        _distance_strategy,
        _distance_margins,
        edges=lambda: (_distance(2.0, [0.0]), _distance(1.0, [0.0])),
        effort=10,
    )
    amended = Form(
        "they have where they are twice differentiable: sum |u_i|^p for p >= 2 or where no u_i is "
        "zero; ||u||_p there too, except at u = 0",
        r"p \ge 2 \text{ or all } u_i \ne 0",
        (
            _convex(),
            Condition(
                "twice differentiable",
                r"p \ge 2 \text{ or all } u_i \ne 0;\ u \ne 0 \text{ for a norm}",
                _is_smooth,
                Dropped(
                    (
                        _distance(1.0, [0.0]),
                        _distance(1.5, [0.0]),
                        _distance(1.5, [1.0, 0.0]),
                        _distance(2.0, [0.0], "norm"),
                        _distance(4.0, [0.0, 0.0], "norm"),
                    ),
                    note="At a residual of zero, where fitting wants to be.",
                ),
            ),
        ),
        _distance_strategy,
        _distance_margins,
        edges=lambda: (
            _distance(1.0, [1.0]),
            _distance(2.0, [0.0, 1.0]),
            _distance(3.0, [0.0]),
            _distance(2.0, [1.0, 0.0], "norm"),
        ),
        screen=Screen(_drawn, _slack, _instance),
        effort=60,
    )
    return Claim(
        "curveball/eq-10-12-convex",
        "that convex losses have a positive semidefinite H_L",
        PAPER,
        "Section 2.3, after equation (10)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="Convexity does not give an H_L. |u| has none at 0, |u|^(3/2) an infinite one; both "
        "have it where no residual is zero, and there it is 0 for p = 1: the matrix knows no "
        "curvature, and without lambda there is no step.",
        proof="d^2|u|^p/du^2 = p(p - 1)|u|^(p - 2).",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_distances(),)
