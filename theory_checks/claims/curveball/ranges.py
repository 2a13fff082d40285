"""Section A.2.1: which rho converges for the most."""

from __future__ import annotations

from collections.abc import Mapping
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
from theory_checks.claims.curveball.bulk import gridded, row_of, smallest
from theory_checks.claims.curveball.common import (
    PAPER,
    exact_roots_inside,
    quarters,
    radius_rows,
)
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]


def _length(rho: Fraction) -> Fraction:
    """Of the range of beta h for which (39) holds; 0 where it is empty."""
    return max(2 * (1 + rho) / 3 - max(rho - 1, Fraction(0)), Fraction(0))


def _together(instance: Instance, rho: Fraction) -> bool:
    """Whether all components converge with this beta and that rho."""
    beta = Fraction(instance["beta"])
    return all(exact_roots_inside(beta * Fraction(h), rho) for h in instance["eigenvalues"])


def _range_of_beta(instance: Instance, rho: Fraction) -> Fraction:
    """The length of the interval of beta for which all components converge; 0 where empty."""
    low, high = (Fraction(f(instance["eigenvalues"])) for f in (min, max))
    return max(2 * (1 + rho) / (3 * high) - max(rho - 1, Fraction(0)) / low, Fraction(0))


def _length_margins(rho: Fraction) -> Margins:
    return {
        "the range is longest at rho = 1": fact(_length(rho) <= _length(Fraction(1))),
        "there it is (0, 4/3)": fact(_length(Fraction(1)) == Fraction(4, 3)),
    }


def _intersection_margins(instance: Instance) -> Margins:
    rho = Fraction(instance["rho"])
    kept = not _together(instance, rho) or _together(instance, Fraction(1))
    return {**_length_margins(rho), "what converges with rho does with 1": fact(kept)}


def _amended_margins(instance: Instance) -> Margins:
    rho, beta = Fraction(instance["rho"]), Fraction(instance["beta"])
    low, high = (Fraction(f(instance["eigenvalues"])) for f in (min, max))
    # Between the ends of (39); where they are in the wrong order no rho serves, nor does this.
    middle = (3 * beta * high / 2 + beta * low) / 2
    small = beta * (3 * high - 2 * low) < 4
    return {
        **_intersection_margins(instance),
        "the interval of beta is longest at rho = 1": fact(
            _range_of_beta(instance, rho) <= _range_of_beta(instance, Fraction(1))
        ),
        "some rho serves if": fact(not small or _together(instance, middle)),
        "and only if": fact(small or not (_together(instance, middle) or _together(instance, rho))),
    }


def _interval_rows(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    n = int(rng.integers(1, 4))
    h, beta = gridded(rng, (size, n), 0.25, 4.0, 4), gridded(rng, size, 0.0625, 2.0)
    # A half at an end of what some eigenvalue allows.
    ends = np.where(rng.random(size) < 0.5, 1.0 + beta * h[:, 0], 1.5 * beta * h[:, 0] - 1.0)
    near = ends + rng.integers(-1, 2, size) / 256
    rho = np.where(rng.random(size) < 0.5, near, gridded(rng, size, -1.0, 1.0))
    return {"eigenvalues": h, "beta": beta, "rho": np.minimum(rho, 1.0)}


def _interval_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """Intervals' lengths less that at rho = 1, and the radius at 1 where that at rho is below."""
    h, beta, rho = arrays["eigenvalues"], arrays["beta"], arrays["rho"]
    low, high = h.min(axis=1), h.max(axis=1)
    alone = 4.0 / 3.0 - (2.0 * (1.0 + rho) / 3.0 - xp.maximum(rho - 1.0, 0.0))
    length = 2.0 * (1.0 + rho) / (3.0 * high) - xp.maximum(rho - 1.0, 0.0) / low
    s = beta[:, None] * h
    here = radius_rows(xp, s, rho[:, None] + 0.0 * s).max(axis=1)
    there = radius_rows(xp, s, 1.0 + 0.0 * s).max(axis=1)
    kept = xp.where(here < 1.0 - 1e-7, 1.0 - there, xp.abs(1.0 - here))
    together = 4.0 / (3.0 * high) - length
    return smallest(xp, alone, together * high, kept) + 1e-12


def _longest(instance: Instance) -> tuple[float, float]:
    """The interval of beta at this rho and at rho = 1."""
    found = (_range_of_beta(instance, Fraction(rho)) for rho in (instance["rho"], 1))
    here, there = (float(length) for length in found)
    return here, there


def _together_instance(h: list[float], beta: float, rho: float) -> Instance:
    return {"eigenvalues": h, "beta": beta, "rho": rho}


def _strategy() -> SearchStrategy[Instance]:
    return st.fixed_dictionaries(
        {
            "eigenvalues": st.lists(quarters(0.25, 4.0), min_size=1, max_size=3),
            "beta": st.one_of(quarters(0.25, 2.0), fractions_of_one()),
            "rho": st.one_of(quarters(-1.0, 3.0), st.floats(-1.0, 3.0)),
        }
    )


def _positive() -> Condition:
    """What (39) is about."""
    return Condition(
        "positive definite",
        r"h_i > 0,\ \beta > 0",
        lambda i: min(i["eigenvalues"]) > 0 and i["beta"] > 0,
        Dropped(
            (_together_instance([-1.0], 1.0, 0.5), _together_instance([-1.0, 1.0], 0.5, 0.5)),
            note="(39) is empty for h < 0, where the last sentence would have it that some rho "
            "serves.",
        ),
    )


def _section_a2_1() -> Claim:
    positive = _positive()
    printed = Form(
        "the range of beta h is largest at rho = 1, where it is (0, 4/3); the intersection over "
        "several eigenvalues is largest with rho = 1, for any fixed beta",
        r"\bigcap_i \{ \rho : \text{(39)} \} \ni \rho \implies \ni 1",
        (Condition(positive.name, positive.text, positive.holds),),
        _strategy,
        _intersection_margins,
        edges=lambda: (
            _together_instance([1.0], 1.0, 1.0),
            _together_instance([1.0], 1.5, 1.5),
        ),
    )
    amended = Form(
        "the range of beta h, and the interval of beta that serves all eigenvalues, are longest at "
        "rho = 1; for a fixed beta whatever converges with some rho <= 1 does with rho = 1; some "
        "rho > 1 serves as long as beta (3 h_max - 2 h_min) < 4",
        r"\beta < \frac{4}{3 h_{\max} - 2 h_{\min}} \iff \exists \rho",
        (
            positive,
            Condition(
                "rho <= 1",
                r"\rho \le 1",
                lambda i: bool(i["rho"] <= 1),
                Dropped(
                    (_together_instance([1.0], 1.5, 1.5),),
                    note="Only the sentence for fixed beta fails.",
                ),
            ),
        ),
        _strategy,
        _amended_margins,
        edges=lambda: (_together_instance([1.0, 0.5], 1.25, 1.0),),
        screen=Screen(_interval_rows, _interval_slack, row_of),
        bound=_longest,
    )  # fmt: skip
    return Claim(
        "curveball/section-a2-1",
        "that rho = 1 converges for the most",
        PAPER,
        "Section A.2.1, figure 4",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The regions for beta h are (max(0, rho - 1), 2(1 + rho)/3): nested up to rho = 1, "
        "not beyond. With h = 1 and beta = 3/2 no component converges at rho = 1 and it does at "
        "rho = 3/2. The largest beta of all is reached as rho -> 1 + beta h_min. Nor is rho = 1 "
        "good where it converges: its best rate is 1 - 2/(3 kappa), behind gradient descent's "
        "1 - 2/kappa (see optimal-parameters).",
        proof="docs/curveball-rates.md, is rho = 1 the safest: the length is 2(1 + rho)/3 below "
        "rho = 1 and 5/3 - rho/3 above; the interval of beta has the slope 2/(3 h_max) - 1/h_min "
        "< 0 there.",
        ours="That some rho serves exactly for beta (3 h_max - 2 h_min) < 4.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_section_a2_1(),)
