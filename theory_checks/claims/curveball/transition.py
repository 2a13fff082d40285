"""Equations (36) to (41) and footnote 6: the transition matrix, its roots, and lambda."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import (
    EPS,
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.curveball.bulk import apart, gridded, row_of, smallest
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
    roots,
)
from theory_checks.claims.curveball.quadratics import boundary_slack
from theory_checks.precise import Real, precise, real

__all__ = ["claims"]


def _step_margins(instance: Instance, step: Step) -> Margins:
    """(36) is Algorithm 1 about the minimiser b/h, and lambda only changes rho: exactly."""
    h, beta, rho = (Fraction(instance[key]) for key in ("h", "beta", "rho"))
    z, w, b = (Fraction(instance[key]) for key in ("z", "w", "b"))
    lam, optimum, s = Fraction(instance["lambda"]), b / h if h else Fraction(0), beta * h
    moved = step(z, w, h, b, beta, rho)
    x = w - optimum
    by_matrix = ((rho - s) * z - s * x, (rho - s) * z + (1 - s) * x + optimum)
    # Line 3 with (H + lambda I) z in the place of H z.
    damped = rho * z - beta * ((h + lam) * z + (h * w - b))
    by_rho = step(z, w, h, b, beta, rho - beta * lam)
    return {
        "(36) is the iteration": fact(moved == by_matrix or b != h * optimum),
        "footnote 6": fact((damped, w + damped) == by_rho),
    }


def _printed_roots(s: Real, rho: Real) -> tuple[Real, Real]:
    """(38), letter by letter; a complex root where its argument is negative."""
    root = precise().sqrt(precise().mpc((rho - 2 * s) ** 2 - 2 * rho + 1))
    return (rho - 2 * s + 1 + root) / 2, (rho - 2 * s + 1 - root) / 2


def _root_margins(s: Real, rho: Real) -> Margins:
    first, second = _printed_roots(s, rho)
    size = 1 + abs(rho) + abs(s)
    trace, determinant = 1 + rho - 2 * s, rho - s
    margins = {
        "(38): their sum is the trace": in_roundings(-abs(first + second - trace), size, EXACT),
        "(38): their product is the determinant": in_roundings(
            -abs(first * second - determinant), size * size, EXACT
        ),
    }
    if (rho - 2 * s) ** 2 - 2 * rho + 1 < 0:
        modulus = precise().sqrt(rho - s)
        margins["(41)"] = in_roundings(-abs(abs(first) - modulus), size, EXACT)
    return margins


def _code_margin(instance: Instance, s: Fraction, rho: Fraction) -> float:
    """The spectral radius of tralgos; near a double root it may differ by a root of a rounding."""
    exact, size = radius(real(s), real(rho)), real(1 + abs(rho) + abs(s))
    found = tralgos.curveball_spectral_radius(float(s), float(rho))
    gap = precise().sqrt(abs((real(rho) - 2 * real(s)) ** 2 - 2 * real(rho) + 1))
    # |d root| <= d discriminant / gap, and <= sqrt(d discriminant).
    amplified = min(size / gap, precise().sqrt(size / EPS)) if gap else precise().sqrt(size / EPS)
    return in_roundings(-abs(real(found) - exact), size * (1 + amplified), 16.0)


def _margins(instance: Instance, step: Step = component) -> Margins:
    rho = Fraction(instance["rho"])
    s = Fraction(instance["beta"]) * Fraction(instance["h"])
    claimed = 3 * s / 2 - 1 < rho < 1 + s
    found = max(abs(root) for root in roots(real(s), real(rho), step))
    margins = {
        **_step_margins(instance, step),
        **_root_margins(real(s), real(rho)),
        "(39)": fact(claimed == exact_roots_inside(s, rho)),
        "the larger modulus": in_roundings(
            -abs(found - radius(real(s), real(rho))), real(1 + abs(s) + abs(rho)), 1e4
        ),
    }
    if Fraction(float(s)) == s:
        margins["tralgos: the radius"] = _code_margin(instance, s, rho)
        margins["tralgos: (39)"] = fact(
            tralgos.curveball_converges(float(s), float(rho)) == claimed
        )
    return margins


def _instance(h: float, beta: float, rho: float) -> Instance:
    return {"h": h, "beta": beta, "rho": rho, "lambda": 1.0, "z": 1.0, "w": 1.0, "b": 0.0}


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    s, rho = point_rows(rng, size)
    h, (z, w, b) = gridded(rng, size, 0.25, 4.0, 4), gridded(rng, (3, size), -2.0, 2.0, 4)
    lam = gridded(rng, size, 0.0, 4.0, 4)
    # s = beta h holds up to a rounding of beta alone.
    drawn = {"h": h, "beta": s / h, "rho": np.where(rho > 0.0, rho, 0.5), "lambda": lam}
    return {**drawn, "z": z, "w": w, "b": b}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """(38) against trace and determinant, (39) against the radius, (36) against the step."""
    h, beta, rho = arrays["h"], arrays["beta"], arrays["rho"]
    z, w, b = arrays["z"], arrays["w"], arrays["b"]
    s = beta * h
    root = xp.sqrt((rho - 2.0 * s) ** 2 - 2.0 * rho + 1.0 + 0.0j)
    first, second = (rho - 2.0 * s + 1.0 + root) / 2.0, (rho - 2.0 * s + 1.0 - root) / 2.0
    size = (1.0 + rho + s) ** 2
    product = apart(xp, first * second, rho - s + 0.0j, size)
    moved = component(z, w, h, b, beta, rho)[0]
    x, whole = w - b / h, (1.0 + xp.abs(z) + xp.abs(w) + xp.abs(b) * beta) * size * 16.0
    by_matrix = apart(xp, moved, (rho - s) * z - s * x, whole)
    lam = arrays["lambda"]
    damped = rho * z - beta * ((h + lam) * z + (h * w - b))
    by_rho = component(z, w, h, b, beta, rho - beta * lam)[0]
    footnote = apart(xp, damped, by_rho, whole * (1.0 + beta * lam))
    return smallest(xp, product, by_matrix, footnote, boundary_slack(xp, s, rho))


def _strategy() -> SearchStrategy[Instance]:
    # Eighths and quarters: their products and the ends of (39) are floats.
    return st.fixed_dictionaries(
        {
            "h": quarters(0.25, 4.0),
            "beta": quarters(0.25, 2.0),
            "rho": st.integers(1, 24).map(lambda k: k / 8),
            "lambda": quarters(0.0, 4.0),
            "z": quarters(-2.0, 2.0),
            "w": quarters(-2.0, 2.0),
            "b": quarters(-2.0, 2.0),
        }
    )


def _edges() -> Iterable[Instance]:
    # Complex, a double positive root, real, a double negative root, both ends of (39).
    for h, beta, rho in (
        (1.0, 0.5, 0.75),
        (1.0, 0.25, 0.5),
        (0.5, 0.25, 0.5),
        (1.0, 2.25, 2.5),
        (1.0, 1.0, 0.5),
        (1.0, 1.0, 2.0),
    ):
        yield _instance(h, beta, rho)


def _transition() -> Claim:
    printed = Form(
        "the iteration is the matrix (36) about the minimiser, with the eigenvalues (38), inside "
        "the circle exactly if (39), of modulus sqrt(rho - beta h) where complex; with lambda, "
        "rho becomes rho - beta lambda",
        r"\mu = \tfrac12\bigl(\rho - 2\beta h + 1 \pm \sqrt{(\rho-2\beta h)^2 - 2\rho + 1}\bigr)",
        (
            Condition(
                "beta h > 0",
                r"\beta h > 0",
                lambda i: bool(i["beta"] * i["h"] > 0),
                Dropped(
                    (_instance(0.0, 1.0, 0.5), _instance(-1.0, 0.25, 0.5)),
                    note="At h = 0 one root is 1, below it one is larger; (39) knows neither.",
                ),
            ),
            Condition(
                "rho > 0",
                r"\rho > 0",
                lambda i: bool(i["rho"] > 0),
                Dropped(
                    (_instance(1.0, 0.25, -0.5), _instance(1.0, 1.0, -2.0)),
                    fails=False,
                    note="Not needed for any of it.",
                ),
            ),
        ),
        _strategy,
        _margins,
        edges=_edges,
        screen=Screen(_drawn, _slack, row_of),
        sabotage=broken_steps(_margins),
    )
    return Claim(
        "curveball/eq-36-41",
        "the transition matrix, its eigenvalues, and what lambda does",
        PAPER,
        "equations (36) to (41), footnote 6",
        Verdict.HOLDS,
        printed,
        notes="Footnote 6 is exact: (H + lambda I) z adds -beta lambda z, whatever the sizes, so "
        "that rho >> beta lambda is not needed, and the point that is reached is the minimiser of "
        "f itself. 'With the Gauss-Newton approximation h_i > 0' after (39) should read >= 0: the "
        "matrix is positive semidefinite, and at h = 0 one eigenvalue is 1. Nor is the rate hard "
        "to read where the roots are real: see optimal-parameters.",
        proof="docs/curveball-rates.md: trace and determinant of (36), and Jury's test.",
        ours="That footnote 6 is exact, and (39) necessary.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_transition(),)
