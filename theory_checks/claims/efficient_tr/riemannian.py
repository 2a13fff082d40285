"""The Riemannian Hessian of a quadratic on the sphere: eqs 7, 8 and 18 to 20."""

from __future__ import annotations

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
    in_roundings,
)
from theory_checks.claims.efficient_tr.common import PAPER, unit_vector
from theory_checks.claims.efficient_tr.iterations import (
    length,
    retracted,
)
from theory_checks.oracle import model
from theory_checks.precise import Real, dot, exact, precise, reals
from theory_checks.strategies import numbers, vectors

__all__ = ["claims"]


def _frame(instance: Instance) -> tuple[list[Fraction], list[Fraction]]:
    """A unit x and a tangent xi of the given length, with exact rational entries."""
    mirror = exact(instance["mirror"])
    square = sum((m * m for m in mirror), Fraction(0))
    n = len(mirror)
    columns = [
        [Fraction(int(i == j)) - 2 * mirror[i] * mirror[j] / square for i in range(n)]
        for j in range(n)
    ]
    turn = unit_vector(instance["direction"])
    size = Fraction(instance["length"])
    tangent = [
        size
        * sum((c * column[i] for c, column in zip(turn, columns[1:], strict=True)), Fraction(0))
        for i in range(n)
    ]
    return columns[0], tangent


def _along(instance: Instance, x: list[Real], xi: list[Real], t: Real) -> Real:
    """f(R_x(t xi)), from the retraction itself."""
    point = retracted(x, xi, -t)
    return model(reals(instance["eigenvalues"]), reals(instance["gradient"]), point)


def _hessian_margins(instance: Instance, *, cross: int) -> Margins:
    context = precise()
    spectrum, slope = reals(instance["eigenvalues"]), reals(instance["gradient"])
    exact_x, exact_xi = _frame(instance)
    x, xi = reals(exact_x), reals(exact_xi)
    size = max(abs(h) for h in spectrum) + length(slope)
    bent_x = [h * a for h, a in zip(spectrum, x, strict=True)]
    bent_xi = [h * a for h, a in zip(spectrum, xi, strict=True)]
    t = context.mpf(instance["t"])
    stretched = 1 + t * t * dot(xi, xi)
    formula = (dot(xi, bent_xi) * t * t + cross * dot(xi, bent_x) * t + dot(x, bent_x)) / (
        2 * stretched
    ) + (dot(slope, x) + dot(slope, xi) * t) / context.sqrt(stretched)
    second = -dot(x, bent_x) + dot(xi, bent_xi) - dot(slope, x)
    numeric = context.diff(lambda s: _along(instance, x, xi, s), 0, 2)

    def great_circle(s: Real) -> Real:
        reach = length(xi)
        point = [
            context.cos(reach * s) * a + context.sin(reach * s) * b / reach
            for a, b in zip(x, xi, strict=True)
        ]
        return model(spectrum, slope, point)

    geodesic = context.diff(great_circle, 0, 2)
    extremes = (min(spectrum), max(spectrum))
    curvature = dot(xi, bent_xi) / dot(xi, xi)
    return {
        "eq 19": in_roundings(-abs(formula - _along(instance, x, xi, t)), size, 1.0),
        "eq 20": in_roundings(-abs(numeric - second), size, 1.0),
        "eq 18": in_roundings(-abs(numeric - geodesic), size, 1.0),
        "eq 8": _multiplier_margin(instance, x, size),
        "between lambda + lambda_1 and lambda + lambda_n": in_roundings(
            min(curvature - extremes[0], extremes[1] - curvature), size, 1.0
        ),
    }


def _multiplier_margin(instance: Instance, x: list[Real], size: Real) -> float:
    """-x'Hx - g'x = lambda for the g that makes x stationary with multiplier lambda."""
    shift = precise().mpf(instance["multiplier"])
    spectrum = reals(instance["eigenvalues"])
    slope = [-(h + shift) * a for h, a in zip(spectrum, x, strict=True)]
    bent = [h * a for h, a in zip(spectrum, x, strict=True)]
    return in_roundings(-abs(-dot(x, bent) - dot(slope, x) - shift), size + abs(shift) + 1, 1.0)


def _hessian_strategy() -> SearchStrategy[Instance]:
    def of_dimension(n: int) -> SearchStrategy[Instance]:
        return st.fixed_dictionaries(
            {
                "eigenvalues": vectors(n).map(sorted),
                "gradient": vectors(n),
                "mirror": vectors(n, 2.0).filter(any),
                "direction": vectors(n - 2, 2.0),
                "length": st.just(1.0),
                "t": numbers(2.0),
                "multiplier": numbers(),
            }
        )

    return st.integers(2, 3).flatmap(of_dimension)


def _hessian_instance(size: float, t: float) -> Instance:
    return {
        "eigenvalues": [0.0, 1.0],
        "gradient": [0.0, 1.0],
        "mirror": [1.0, 2.0],
        "direction": [],
        "length": size,
        "t": t,
        "multiplier": 1.0,
    }


def _riemannian_hessian() -> Claim:
    unit = Condition(
        "unit tangent",
        r"\xi^\top x = 0,\ \|\xi\| = 1",
        lambda i: i["length"] == 1,
        Dropped(
            (_hessian_instance(2.0, 0.5),),
            note="(20) is printed for any tangent; the terms without xi need a factor ||xi||^2.",
        ),
    )
    meaningful = Condition(
        "H, g not both 0", r"(H, g) \ne 0", lambda i: any([*i["eigenvalues"], *i["gradient"]])
    )
    text = "<Hess f(x)[xi], xi> = -x'Hx + xi'Hxi - g'x, from f(R_x(t xi)) expanded in t"
    printed = Form(
        f"{text} with the cross term xi'Hx t in the numerator of (19)",
        r"f(R_x(t\xi)) = \frac{\xi^\top H\xi\,t^2 + \xi^\top Hx\,t + x^\top Hx}{2\|x+\xi t\|^2} + "
        r"\frac{g^\top x + g^\top\xi\,t}{\|x + t\xi\|}",
        (unit, meaningful),
        _hessian_strategy,
        lambda i: _hessian_margins(i, cross=1),
        edges=lambda: (_hessian_instance(1.0, 0.5),),
        effort=20,
    )
    amended = Form(
        f"{text} with the cross term 2 xi'Hx t",
        r"f(R_x(t\xi)) = \frac{\xi^\top H\xi\,t^2 + 2\xi^\top Hx\,t + x^\top Hx}{2\|x+\xi t\|^2} + "
        r"\frac{g^\top x + g^\top\xi\,t}{\|x + t\xi\|}",
        (unit, meaningful),
        _hessian_strategy,
        lambda i: _hessian_margins(i, cross=2),
        edges=lambda: (_hessian_instance(1.0, 0.5),),
        effort=20,
    )
    return Claim(
        "efficient-tr/riemannian-hessian",
        "the Riemannian Hessian on the sphere",
        PAPER,
        "eqs 7, 8, 18 to 20",
        Verdict.NEEDS,
        printed,
        amended,
        notes="A misprint (of the text at hand, at least) without consequence: the cross term "
        "is odd in t and drops out of the second derivative. The retraction is of second order, so "
        "that it gives the same as the exponential map; (20) is for unit tangents, (8) and the "
        "bounds on the spectrum are right.",
        proof="Expand 1/(1 + t^2) = 1 - t^2 + ... and 1/sqrt(1 + t^2) = 1 - t^2/2 + ...",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_riemannian_hessian(),)
