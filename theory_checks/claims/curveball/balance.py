"""Why the best damping is near the geometric mean of the ends of the spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import applied
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    condition_rows,
    hessian_rows,
    model_rows,
    row_of,
    smallest,
)
from theory_checks.claims.curveball.common import EXACT, quarters
from theory_checks.claims.curveball.models import (
    combined,
    hessian,
    model_instance,
    models,
    newton_step,
    shifted,
    vector,
)
from theory_checks.precise import Real, precise, real

__all__ = ["claims", "progress"]


def _following_margins(instance: Instance) -> Margins:
    """After a step with the exact damped z, the gradient and the error of a quadratic."""
    H, error, lam = hessian(instance), vector(instance, "z"), Fraction(instance["lam"])
    J = applied(H, error)
    step = newton_step(shifted(H, lam), J)
    assert step is not None
    after = combined(1, error, 1, step)
    shrunk = newton_step(shifted(H, lam), [-lam * x for x in error])
    low, high = real(instance["low"]), real(instance["high"])
    balanced = progress(low, high, precise().sqrt(low * high))
    best, bound = _best(instance), 1 / (1 + precise().sqrt(high / low))
    return {
        "the new gradient is -lambda z": fact(applied(H, after) == combined(-lam, step, 0, step)),
        "the error is lambda (H + lambda)^-1 times the old": fact(after == shrunk),
        "at sqrt(mL) both gain 1/(1 + sqrt(L/m))": in_roundings(balanced - bound, bound, EXACT),
        "no lambda gains more than twice that": in_roundings(2 * bound - best, bound, EXACT),
    }


def progress(low: Real, high: Real, lam: Real) -> Real:
    """1 - rate: the smaller one of the error's and of a gradient step's for z."""
    error = low / (low + lam)
    inner = 2 * (low + lam) / (high + low + 2 * lam)
    return min(error, inner)


def _best(instance: Instance) -> Real:
    """The largest gain among 2^k sqrt(mL)."""
    low, high = real(instance["low"]), real(instance["high"])
    middle = precise().sqrt(low * high)
    return max(progress(low, high, middle * 2**k) for k in map(real, range(-8, 9)))


def _gain(instance: Instance) -> tuple[float, float]:
    """The gain of the best lambda, and what none exceeds."""
    ratio = real(instance["high"]) / real(instance["low"])
    return float(_best(instance)), float(2 / (1 + precise().sqrt(ratio)))


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    low = 2.0 ** rng.integers(-6, 3, size)
    drawn = model_rows(rng, size, definite=False)
    lam = np.maximum(drawn["lam"], 0.0625)
    return {**drawn, "lam": lam, "low": low, "high": low * 2.0 ** rng.integers(0, 13, size)}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The identity of the gradient, and twice the gain at sqrt(mL) less that at lambda."""
    H, error, lam = hessian_rows(xp, arrays), arrays["z"], arrays["lam"]
    J = applied_rows(H, error)
    damped = H + lam[:, None, None] * xp.eye(error.shape[1])[None, :, :]
    z = -xp.linalg.solve(damped, J[:, :, None])[:, :, 0]
    after = applied_rows(H, error + z)
    size = xp.abs(J).sum(axis=1) * condition_rows(xp, damped)
    low, high = arrays["low"], arrays["high"]
    bound = 2.0 / (1.0 + xp.sqrt(high / low))
    gain = xp.minimum(low / (low + lam), 2.0 * (low + lam) / (high + low + 2.0 * lam))
    return smallest(xp, apart(xp, after, -lam[:, None] * z, size), (bound - gain) / bound)


def _following() -> Claim:
    def strategy() -> SearchStrategy[Instance]:
        drawn = models(low=quarters(0.25, 2.0), high=quarters(2.0, 64.0))
        return drawn.map(lambda i: {**i, "lam": i["lam"] or 0.5})

    printed = Form(
        "after a step with the exact damped z the gradient of a quadratic is -lambda z and the "
        "error lambda (H + lambda)^-1 of what it was; with lambda = sqrt(mL) that and a gradient "
        "step on the damped system both gain 1/(1 + sqrt(L/m)) at least, and no lambda gains twice "
        "as much",
        r"z = -(H+\lambda)^{-1}J \implies J_+ = -\lambda z,\quad e_+ = \lambda(H+\lambda)^{-1}e",
        (
            Condition(
                "lambda > 0",
                r"\lambda > 0",
                lambda i: bool(i["lam"] > 0),
                kept="it makes H + lambda regular, without which there is no exact z",
            ),
            Condition(
                "0 < m <= L",
                r"0 < m \le L",
                lambda i: bool(0 < i["low"] <= i["high"]),
                kept="they are the ends of a spectrum, and sqrt(mL) has to be there",
            ),
        ),
        strategy,
        _following_margins,
        edges=lambda: (
            model_instance([1.0], [0.0], [1.0], 1.0, low=1.0, high=1.0),
            model_instance([1.0, 0.0, 2.0], [0.0, 0.0], [1.0, 1.0], 2.0, low=1.0, high=4.0),
        ),
        screen=Screen(_drawn, _slack, row_of),
        bound=_gain,
        effort=40,
    )  # fmt: skip
    return Claim(
        "curveball/damping-balance",
        "why the best damping is near the geometric mean of the curvatures",
        "beyond the papers",
        "docs/theory-curveball.md",
        Verdict.HOLDS,
        printed,
        notes="A small lambda makes the exact z good and hard to follow, a large one easy to "
        "follow and timid. What the number of steps is, see tracking.",
        proof="docs/theory-curveball.md, what the best lambda is.",
        ours="The balance of the two gains, and the factor 2.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_following(),)
