"""The rule for lambda: as it is printed, and as the authors' code has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    Sabotage,
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.adaptive_norms.common import (
    Matrix,
    applied,
    inner_product,
    is_positive_definite,
)
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    condition_rows,
    gridded,
    hessian_rows,
    inner_rows,
    model_rows,
    row_of,
    smallest,
    span_rows,
)
from theory_checks.claims.curveball.common import PAPER, quarters
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    fewer_coordinates,
    hessian,
    model_instance,
    models,
    shifted,
    span_minimiser,
    value,
    vector,
)

__all__ = ["claims"]

_HIGH, _LOW = Fraction(3, 2), Fraction(1, 2)


def _change(instance: Instance, H: Matrix, J: Vector, z: Vector) -> Fraction:
    """f(w + z) - f(w) of the quadratic, with a cubic term where the instance has one."""
    cubic = Fraction(instance["cubic"]) * sum((x**3 for x in z), Fraction(0))
    return value(H, J, z) + cubic


def _step(instance: Instance, H: Matrix, J: Vector, lam: Fraction) -> Vector:
    """The automatic z with H + lambda in the matrix, or the one that is given."""
    z = vector(instance, "z")
    if instance["step"] == "given":
        return z
    damped = shifted(H, lam)
    found = span_minimiser(damped, J, (z, combined(1, applied(damped, z), 1, J)))
    assert found is not None
    return found


def _printed_margins(instance: Instance) -> Margins:
    H, J, lam = hessian(instance), vector(instance, "J"), Fraction(instance["lam"])
    z = _step(instance, H, J, lam)
    predicted = value(H, J, z)
    if predicted == 0:
        return {"nothing is promised": fact(True)}
    gamma = _change(instance, H, J, z) / predicted
    return {"gamma is 1": fact(gamma == 1), "lambda falls": fact(gamma > _HIGH)}


#: f^ of the rule, from H, J, lambda and z.
_Predicted = Callable[[Matrix, Vector, Fraction, Vector], Fraction]


def _damped_value(H: Matrix, J: Vector, lam: Fraction, z: Vector) -> Fraction:
    """With lambda ||z||^2/2, as in the authors' code."""
    return value(shifted(H, lam), J, z)


def _plain_value(H: Matrix, J: Vector, lam: Fraction, z: Vector) -> Fraction:
    return value(H, J, z)


def _without_half(H: Matrix, J: Vector, lam: Fraction, z: Vector) -> Fraction:
    return value(shifted(H, 2 * lam), J, z)


def _minus_lambda(H: Matrix, J: Vector, lam: Fraction, z: Vector) -> Fraction:
    return value(shifted(H, -lam), J, z)


def _gamma(instance: Instance) -> tuple[float, float] | None:
    """gamma and its bound."""
    H, J, lam = hessian(instance), vector(instance, "J"), Fraction(instance["lam"])
    z = _step(instance, H, J, lam)
    predicted = _damped_value(H, J, lam, z)
    return None if predicted == 0 else (float(_change(instance, H, J, z) / predicted), 2.0)


def _authors_margins(instance: Instance, model: _Predicted = _damped_value) -> Margins:
    H, J, lam = hessian(instance), vector(instance, "J"), Fraction(instance["lam"])
    z = _step(instance, H, J, lam)
    square, curvature = inner_product(z, z), inner_product(z, applied(H, z))
    predicted = model(H, J, lam, z)
    if square == 0:
        return {"nothing is promised": fact(True)}
    if predicted == 0:
        return {"something is promised": fact(False)}
    gamma = _change(instance, H, J, z) / predicted
    return {
        "gamma = 1 + lambda||z||^2/z'(H + lambda)z": fact(
            gamma == 1 + lam * square / (curvature + lam * square)
        ),
        "1 <= gamma <= 2": fact(1 <= gamma <= 2),
        "above 3/2 exactly if lambda outweighs": fact(
            (gamma > _HIGH) == (lam * square > curvature)
        ),
        "never below 1/2": fact(gamma >= _LOW),
    }


def _instance(lam: float, h: float = 1.0, **more: object) -> Instance:
    given: Instance = {"cubic": 0.0, "step": "automatic", **more}
    return model_instance([h], [1.0], [0.0], lam, **given)


def _strategy() -> SearchStrategy[Instance]:
    # 0 among the signs: a Gauss-Newton matrix.
    drawn = models(
        signs=st.sampled_from([1.0, 1.0, 0.0]),
        cubic=st.just(0.0),
        step=st.just("automatic"),
    )
    return st.tuples(drawn, quarters(0.25, 8.0)).map(lambda pair: {**pair[0], "lam": pair[1]})


def _edges() -> Iterable[Instance]:
    for lam in (1.0, 0.25, 2.0):
        yield _instance(lam)
    yield {**_instance(4.0), "z": [1.0], "J": [-1.0]}


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    drawn = model_rows(rng, size, (1.0, 1.0, 0.0), definite=False)
    return {**drawn, "lam": gridded(rng, size, 0.0625, 8.0)}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """gamma less 1 and 2 less gamma, by the model's values at (18)'s z, and the formula."""
    H, J, z, lam = hessian_rows(xp, arrays), arrays["J"], arrays["z"], arrays["lam"]
    damped = H + lam[:, None, None] * xp.eye(J.shape[1])[None, :, :]
    z = span_rows(xp, damped, J, z, applied_rows(damped, z) + J)
    square, curvature = inner_rows(z, z), inner_rows(z, applied_rows(H, z))
    change = inner_rows(J, z) + curvature / 2.0
    predicted, moved = change + lam * square / 2.0, square > 1e-20
    gamma = xp.where(moved, change / xp.where(moved, predicted, 1.0), 1.5)
    whole = curvature + lam * square
    wanted = xp.where(moved, 1.0 + lam * square / xp.where(moved, whole, 1.0), 1.5)
    worst = condition_rows(xp, damped)
    return smallest(xp, gamma - 1.0, 2.0 - gamma, apart(xp, gamma, wanted, worst))


def _one(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return row_of(arrays, row, cubic=0.0, step="automatic")


def _conditions() -> tuple[Condition, ...]:
    """What it takes."""
    damped = Condition(
        "lambda > 0",
        r"\lambda > 0",
        lambda i: (
            bool(i["lam"] > 0) and is_positive_definite(shifted(hessian(i), Fraction(i["lam"])))
        ),
        Dropped((_instance(-0.5), _instance(-0.25)), note="gamma is then below 1."),
    )
    curved = Condition(
        "positive semidefinite",
        r"\hat H \succeq 0",
        lambda i: all(sign >= 0 for sign in i["signs"]),
        Dropped(
            (_instance(2.0, signs=[-1.0]), _instance(8.0, signs=[-1.0])),
            note="Negative curvature along z brings gamma above 2.",
        ),
    )
    exact = Condition(
        "quadratic",
        r"f = \hat f",
        lambda i: bool(i["cubic"] == 0),
        Dropped(
            (_instance(1.0, cubic=4.0), _instance(1.0, cubic=-8.0)),
            note="Any gamma is possible.",
        ),
    )
    optimal = Condition(
        "z is the automatic one",
        r"z = \arg\min",
        lambda i: i["step"] == "automatic",
        Dropped(
            ({**_instance(1.0, step="given"), "z": [-1.5]},),
            note="Where beta and rho are fixed gamma can be anything.",
        ),
    )
    return damped, curved, exact, optimal


def _rule() -> Claim:
    damped, curved, exact, optimal = _conditions()
    printed = Form(
        "gamma = (f(w + z) - f(w))/f^(z) is 1 where the approximation is perfect, and lambda, "
        "which can be small there, is lowered where gamma > 3/2",
        r"f = \hat f \implies \gamma = 1,\ \lambda \leftarrow 0.999\lambda",
        tuple(Condition(c.name, c.text, c.holds) for c in (damped, curved, exact, optimal)),
        _strategy,
        _printed_margins,
        edges=_edges,
        reduce=fewer_coordinates,
        effort=10,
    )
    amended = Form(
        "with lambda ||z||^2/2 in f^, as the authors' code has it, gamma = 1 + lambda ||z||^2 / "
        "z'(H + lambda)z at the automatic z of a quadratic: in [1, 2], above 3/2 exactly where "
        "lambda ||z||^2 > z'Hz, never below 1/2",
        r"\gamma = 1 + \frac{\lambda\|z\|^2}{z^\top(\hat H+\lambda I)z} \in [1, 2]",
        (damped, curved, exact, optimal),
        _strategy,
        _authors_margins,
        edges=_edges,
        screen=Screen(_drawn, _slack, _one),
        bound=_gamma,
        sabotage=(
            Sabotage("f^ without lambda", lambda i: _authors_margins(i, _plain_value)),
            Sabotage("lambda ||z||^2 in f^", lambda i: _authors_margins(i, _without_half)),
            Sabotage("f^ with -lambda", lambda i: _authors_margins(i, _minus_lambda)),
        ),
        reduce=fewer_coordinates,
        effort=80,
    )
    return Claim(
        "curveball/lambda-rule",
        "whether the rule for lambda moves at all",
        PAPER,
        "Section 3, automatic lambda",
        Verdict.NEEDS,
        printed,
        amended,
        notes="As printed a perfect fit never lowers lambda: 1 is between the thresholds, and what "
        "lowers lambda is a fall of f by half more than was promised, a poor fit. With f^ of the "
        "code lambda falls towards the curvature along z and no further. f^ cannot be (13), which "
        "has f(w) in it.",
        proof="z'J = -z'(H + lambda)z at the minimiser: docs/theory-curveball.md, the rule for "
        "lambda.",
        ours="The value of gamma on a quadratic, and that the rule as printed never moves there.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    return (_rule(),)
