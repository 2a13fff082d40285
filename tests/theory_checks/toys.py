"""Toy claims whose verdicts are known: sums of numbers, true, false and mended."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Figure,
    Form,
    Level,
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)

POSITIVE = Condition("positive", "x > 0", lambda i: i["x"] > 0, Dropped(({"x": -1.0}, {"x": -0.5})))


def strategy():
    return st.fixed_dictionaries({"x": st.floats(-1e3, 1e3, allow_nan=False)})


def form(margin, *conditions, **options):
    return Form(
        "a statement",
        "tex",
        conditions,
        strategy,
        lambda i: {"it": margin(i["x"])},
        **options,
    )


def square(x):
    return in_roundings(x * x, 1.0, 0.0)


def cube(x):
    return in_roundings(x**3, 1.0, 0.0)


def claim(name, printed, amended=None, verdict=Verdict.HOLDS, **options):
    return Claim(name, f"toy {name}", "toys", "nowhere", verdict, printed, amended, **options)


def true_claim(verdict=Verdict.HOLDS):
    return claim("toy/true", form(square), verdict=verdict)


def false_claim(verdict=Verdict.REFUTED):
    return claim("toy/false", form(lambda x: in_roundings(10.0 - x, 1.0, 0.0)), verdict=verdict)


def mended_claim():
    return claim("toy/mended", form(cube), form(cube, POSITIVE), Verdict.NEEDS)


def measured_claim(expected):
    def measure(level: Level, seed: int):
        return (Figure("a figure", 2.0, 1.5, 2.5, expected, "3"),)

    return claim("toy/measured", form(square), verdict=Verdict.MEASURED, measure=measure)


def toothless_claim():
    idle = Condition("idle", "x < 1", lambda i: i["x"] < 1, Dropped(({"x": 2.0},)))
    return claim("toy/toothless", form(square, idle))


def narrow_screen():
    """Only a screen finds this: a violation in a millionth of the range."""

    def draw(rng: np.random.Generator, size: int):
        return {"x": rng.uniform(-1e3, 1e3, size)}

    def slack(xp, arrays):
        return xp.abs(arrays["x"] - 123.5) - 1e-3

    return Screen(draw, slack, lambda arrays, row: {"x": float(arrays["x"][row])})


def sabotaged_claim(noticed=True):
    """Squares are not negative; the broken square is, for small numbers or nowhere."""
    least = 3.0 if noticed else -1.0
    broken = Sabotage("minus three", lambda i: {"it": in_roundings(i["x"] ** 2 - least, 1.0, 0.0)})
    return claim("toy/sabotaged", form(square, sabotage=(broken,)))


def untestable_claim():
    return claim(
        "toy/untestable",
        form(square),
        verdict=Verdict.NOT_TESTABLE,
        untestable="it is about all of them",
    )


def claims():
    """For processes, which build them anew from this module: every part of a run is among them."""
    bounded = claim("toy/bounded", form(cube, POSITIVE, effort=30))
    return [bounded, measured_claim((1.0, 3.0)), sabotaged_claim(), false_claim()]


def all_toys():
    toys = (true_claim(), false_claim(), mended_claim(), measured_claim((1.0, 3.0)))
    return {toy.id: toy for toy in toys}
