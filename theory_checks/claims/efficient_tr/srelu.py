"""Section 4.2: the smooth ReLU."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.efficient_tr.common import EXACT, PAPER
from theory_checks.precise import precise
from theory_checks.strategies import numbers

__all__ = ["claims"]


def _srelu_margins(instance: Instance) -> Margins:
    context = precise()
    x, alpha = context.mpf(instance["x"]), context.mpf(instance["alpha"])
    root = context.sqrt(x * x + alpha)
    value, relu = (root + x) / 2, max(x, context.mpf(0))
    half = context.sqrt(alpha) / 2
    if root == 0:
        return {"differentiable": -math.inf}
    slope = (x / root + 1) / 2
    numeric = context.diff(lambda s: (context.sqrt(s * s + alpha) + s) / 2, x)
    size = abs(x) + half
    # For |x| far beyond sqrt(alpha) the difference to ReLU is below fifty digits.
    return {
        "above ReLU": in_roundings(value - relu, size, EXACT),
        "within sqrt(alpha)/2 of ReLU": in_roundings(half - (value - relu), half, EXACT),
        "slope": in_roundings(-abs(numeric - slope), 1.0, 1.0),
        "slope in [0, 1]": in_roundings(min(slope, 1 - slope), 1.0, EXACT),
        "curvature at most 1/(2 sqrt(alpha))": in_roundings(
            1 / (4 * half) - alpha / (2 * root**3), 1 / (4 * half), EXACT
        ),
        "the difference is alpha/(2 (root + |x|))": in_roundings(
            -abs(value - relu - alpha / (2 * (root + abs(x)))), size, EXACT
        ),
    }


def _srelu_bound(instance: Instance) -> tuple[float, float] | None:
    """(SReLU - ReLU, sqrt(alpha)/2)."""
    context = precise()
    x, alpha = context.mpf(instance["x"]), context.mpf(instance["alpha"])
    if alpha <= 0:
        return None
    gap = alpha / (2 * (context.sqrt(x * x + alpha) + abs(x)))
    return float(gap), float(context.sqrt(alpha) / 2)


def _srelu_drawn(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    signs = rng.choice([-1.0, 1.0], size)
    return {
        "x": signs * 10.0 ** rng.uniform(-8.0, 8.0, size),
        "alpha": 10.0 ** rng.uniform(-16.0, 8.0, size),
    }


def _srelu_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """1 - 2 gap/sqrt(alpha), and the same of the curvature: the smaller."""
    x, alpha = arrays["x"], arrays["alpha"]
    root = xp.sqrt(x * x + alpha)
    gap = alpha / (2 * (root + xp.abs(x)))
    curvature = alpha / (2 * root**3)
    return xp.minimum(1.0 - 2.0 * gap / xp.sqrt(alpha), 1.0 - 2.0 * curvature * xp.sqrt(alpha))


def _srelu_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return {"x": float(arrays["x"][row]), "alpha": float(arrays["alpha"][row])}


def _srelu_edges() -> Iterable[Instance]:
    for x, alpha in ((0.0, 1.0), (1.0, 1e-12), (-1.0, 1e-12), (-1e8, 1.0), (1e-8, 1e-16)):
        yield {"x": x, "alpha": alpha}


def _srelu() -> Claim:
    positive = Condition(
        "alpha > 0",
        r"\alpha > 0",
        lambda i: bool(i["alpha"] > 0),
        Dropped(({"x": 0.0, "alpha": 0.0},), note="That is ReLU, which has a kink."),
    )
    moderate = Condition(
        "of moderate size",
        r"|x|, \alpha < 10^{30},\ \alpha > 10^{-30}",
        lambda i: abs(i["x"]) < 1e30 and abs(i["alpha"]) < 1e30 and not 0 < i["alpha"] < 1e-30,
        kept="It limits what is tried: numerical derivatives have to resolve the kink.",
    )
    printed = Form(
        "SReLU(x) = (sqrt(x^2 + alpha) + x)/2 is smooth, increasing and convex, lies above ReLU "
        "by at most sqrt(alpha)/2, attained at 0, and tends to it as alpha -> 0",
        r"0 < \tfrac12(\sqrt{x^2+\alpha}+x) - \max(x,0) = "
        r"\frac{\alpha}{2(\sqrt{x^2+\alpha}+|x|)} \le \tfrac12\sqrt\alpha",
        (positive, moderate),
        lambda: st.fixed_dictionaries(
            {
                "x": st.one_of(numbers(8.0), numbers(1.0).map(lambda x: x * 1e6)),
                "alpha": st.sampled_from([1.0, 0.25, 1e-2, 1e-6, 1e-12, 16.0]),
            }
        ),
        _srelu_margins,
        edges=_srelu_edges,
        screen=Screen(_srelu_drawn, _srelu_slack, _srelu_row),
        bound=_srelu_bound,
        effort=80,
    )
    return Claim(
        "efficient-tr/srelu",
        "the smooth ReLU",
        PAPER,
        "Section 4.2, figure 1 (right)",
        Verdict.HOLDS,
        printed,
        notes="As a program the printed formula cancels for x < 0: in float64 it gives 0 at "
        "x = -1e8, alpha = 1. Use alpha/(2 (sqrt(x^2 + alpha) - x)) there. Its curvature peaks "
        "at 1/(2 sqrt(alpha)): a small alpha makes H large at the kink.",
        proof="sqrt(x^2 + alpha) - |x| = alpha/(sqrt(x^2 + alpha) + |x|), which falls in |x|.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_srelu(),)
