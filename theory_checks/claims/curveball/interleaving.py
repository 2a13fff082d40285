"""CurveBall beside heavy ball, and which regulariser gives the factor rho."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

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
)
from theory_checks.claims.adaptive_norms.common import Matrix, applied, inner_product
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    fewer_coordinates,
    hessian,
    model_instance,
    models,
    newton_step,
    shifted,
    value,
    vector,
)
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

#: Step of central differences, which are exact for a quadratic.
_STEP = Fraction(1, 1024)


def _algorithm_1(instance: Instance, H: Matrix, J: Vector, z: Vector) -> Vector:
    """Lines 3 and 4."""
    delta = combined(1, applied(H, z), 1, J)
    return combined(Fraction(instance["rho"]), z, -Fraction(instance["beta"]), delta)


def _heavy_ball(instance: Instance, J: Vector, z: Vector) -> Vector:
    """(2)."""
    return combined(Fraction(instance["rho"]), z, -Fraction(instance["beta"]), J)


def _slope(H: Matrix, J: Vector, z: Vector, weight: Fraction) -> Vector:
    """The gradient of z'J + z'Hz/2 + weight ||z||^2 in z, by central differences."""

    def regularised(x: Vector) -> Fraction:
        return value(H, J, x) + weight * inner_product(x, x)

    n = len(z)
    units = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    return [
        (regularised(combined(1, z, _STEP, e)) - regularised(combined(1, z, -_STEP, e)))
        / (2 * _STEP)
        for e in units
    ]


def _weight(instance: Instance, kind: str) -> Fraction:
    rest = 1 - Fraction(instance["rho"])
    return rest if kind == "printed" else rest / (2 * Fraction(instance["beta"]))


def _margins(instance: Instance, kind: str) -> Margins:
    H, J, z = hessian(instance), vector(instance, "J"), vector(instance, "z")
    beta = Fraction(instance["beta"])
    found = _algorithm_1(instance, H, J, z)
    momentum = _heavy_ball(instance, J, z)
    weight = _weight(instance, kind)
    descent = combined(1, z, -beta, _slope(H, J, z, weight))
    margins = {
        "momentum less beta Hz": fact(found == combined(1, momentum, -beta, applied(H, z))),
        "a gradient step on the regularised model": fact(found == descent),
    }
    rest = newton_step(shifted(H, 2 * weight), J)
    if rest is not None:
        # Where w does not move: the damped Newton step is what z does not leave.
        stays = _algorithm_1(instance, H, J, rest) == rest
        margins["z rests at the damped Newton step"] = fact(stays)
    return margins


def _instance(beta: float, rho: float, h: float = 0.0) -> Instance:
    return model_instance([h], [0.0], [1.0], beta=beta, rho=rho)


def _strategy() -> SearchStrategy[Instance]:
    return models(
        beta=st.one_of(quarters(0.25, 2.0), fractions_of_one()),
        rho=st.one_of(quarters(0.0, 1.0), fractions_of_one()),
    )


def _edges() -> Iterable[Instance]:
    yield _instance(1.0, 1.0)
    yield _instance(0.5, 0.0)
    yield _instance(1.0, 0.5)
    yield model_instance([1.0, 1.0, 1.0], [1.0, 0.0], [0.0, 1.0], beta=0.25, rho=0.5)


def _interleaving() -> Claim:
    positive = Condition("beta > 0", r"\beta > 0", lambda i: bool(i["beta"] > 0))
    printed = Form(
        "Algorithm 1 is momentum gradient descent less beta Hz; its factor rho comes from "
        "regularising the model with (1 - rho)||z||^2",
        r"\rho z - \beta(\hat Hz + J) = z - \beta\nabla_z\bigl(z^\top J + \tfrac12 z^\top\hat Hz + "
        r"(1-\rho)\|z\|^2\bigr)",
        (positive,),
        _strategy,
        lambda i: _margins(i, "printed"),
        edges=_edges,
        reduce=fewer_coordinates,
        effort=10,
    )
    amended = Form(
        "with (1 - rho)/(2 beta)||z||^2: rho is a damping lambda = (1 - rho)/beta of the Newton "
        "system, and for a w that waits z goes to -(H + lambda)^-1 J",
        r"\rho z - \beta(\hat Hz + J) = z - \beta\nabla_z\Bigl(z^\top J + \tfrac12 z^\top\hat Hz + "
        r"\frac{1-\rho}{2\beta}\|z\|^2\Bigr)",
        (positive,),
        _strategy,
        lambda i: _margins(i, "amended"),
        edges=_edges,
        reduce=fewer_coordinates,
        effort=60,
    )
    return Claim(
        "curveball/interleaving",
        "momentum with curvature, and where rho comes from",
        PAPER,
        "Section 3, Algorithm 1",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The term as printed gives z the factor 1 - 2 beta (1 - rho), which is rho for beta "
        "= 1/2 or rho = 1 alone. Nor is the true one small for rho near 1: with rho = 0.9 and beta "
        "= 0.01 it is a damping of 10. It is footnote 6 read backwards: rho = 1 with the damping "
        "(1 - rho)/beta.",
        proof="The gradient of c||z||^2 is 2cz.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_interleaving(),)
