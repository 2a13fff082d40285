"""What the claims of the sphere-descent paper share: hypotheses and unit vectors.

All of the paper's statements are invariant under rotation, so instances live in
the eigenbasis of H: a spectrum and the coordinates of g in it. The radius is 1,
as it is there from Section 3 on.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from theory_checks.claim import Condition, Dropped, Instance
from theory_checks.precise import Real, exact, norm, precise, reals

__all__ = [
    "EXACT",
    "PAPER",
    "assumption_1",
    "assumption_2",
    "fewer_dimensions",
    "first_component",
    "has_gradient",
    "negative_curvature",
    "operator_norm",
    "positive_step",
    "problem",
    "runs_well",
    "start",
    "step_size",
    "unit_vector",
]

PAPER = "Better generalization by efficient trust region method"

#: Roundings granted to what was computed at fifty digits.
EXACT = 1e-6


def operator_norm(instance: Instance) -> float:
    """Return beta = max |lambda_i|."""
    return float(max(abs(h) for h in instance["eigenvalues"]))


def step_size(instance: Instance) -> Real:
    """Return eta = fraction / beta, at fifty digits."""
    return precise().mpf(instance["fraction"]) / operator_norm(instance)


def start(instance: Instance) -> list[Real]:
    """Return z_0 = -alpha g / ||g|| (Assumption 2), at fifty digits."""
    gradient = reals(instance["gradient"])
    factor = -precise().mpf(instance["alpha"]) / norm(gradient)
    return [factor * g for g in gradient]


def unit_vector(tangents: Iterable[float]) -> list[Fraction]:
    """Return a unit vector with exact rational entries (stereographic projection).

    The first entry is (1 - |t|^2) / (1 + |t|^2); no tangents give the vector (1).
    """
    t = exact(tangents)
    square = sum((x * x for x in t), Fraction(0))
    return [(1 - square) / (1 + square), *(2 * x / (1 + square) for x in t)]


def negative_curvature(dropped: Dropped | None = None, *, kept: str = "") -> Condition:
    """lambda_1 < 0."""
    return Condition(
        "negative curvature",
        r"\lambda_1 < 0",
        lambda instance: bool(min(instance["eigenvalues"]) < 0),
        dropped,
        kept,
    )


def first_component(dropped: Dropped | None = None, *, kept: str = "") -> Condition:
    """g^(1) != 0, the easy case; the leftmost eigenvalue comes first."""

    def holds(instance: Instance) -> bool:
        spectrum = instance["eigenvalues"]
        return bool(instance["gradient"][0] != 0 and spectrum[0] == min(spectrum))

    return Condition("easy case", r"g^{(1)} \ne 0", holds, dropped, kept)


def positive_step() -> Condition:
    """eta > 0, with H != 0."""
    return Condition(
        "descent",
        r"H \ne 0,\ \eta > 0",
        lambda instance: operator_norm(instance) > 0 and instance["fraction"] > 0,
        kept="The step length is a length, given as a share of 1/beta.",
    )


def assumption_1(dropped: Dropped | None = None, *, kept: str = "") -> Condition:
    """eta < 1/beta."""
    return Condition(
        "assumption 1",
        r"\eta < 1/\beta",
        lambda instance: instance["fraction"] < 1,
        dropped,
        kept,
    )


def has_gradient() -> Condition:
    """g != 0."""
    return Condition(
        "there is a gradient",
        r"g \ne 0",
        lambda instance: any(instance["gradient"]),
        kept="The start divides by ||g||.",
    )


def assumption_2(dropped: Dropped | None = None, *, kept: str = "") -> Condition:
    """z_0 = -alpha g/||g||, 0 < alpha < 1."""
    return Condition(
        "assumption 2",
        r"z_0 = -\alpha g/\|g\|, 0 < \alpha < 1",
        lambda instance: 0 < instance["alpha"] < 1,
        dropped,
        kept,
    )


def runs_well() -> Condition:
    """No number so large or small that powers of it leave the range of float64."""

    def holds(instance: Instance) -> bool:
        numbers = [*instance["eigenvalues"], *instance["gradient"]]
        numbers += [instance["alpha"], instance["fraction"]]
        sizes = [abs(x) for x in numbers if x != 0]
        return all(1e-40 < size < 1e40 for size in sizes)

    return Condition(
        "of moderate size",
        r"10^{-40} < |x| < 10^{40} \text{ for all data } x \ne 0",
        holds,
        kept="It limits what is tried: what is computed at fifty digits is reported in float64.",
    )


def problem(
    eigenvalues: list[float], gradient: list[float], alpha: float, fraction: float = 0.5
) -> Instance:
    """Return a record with the start and the step of Assumptions 1 and 2."""
    return {
        "eigenvalues": eigenvalues,
        "gradient": gradient,
        "alpha": alpha,
        "fraction": fraction,
    }


def fewer_dimensions(instance: Instance) -> Iterable[Instance]:
    """Leave out one eigenvalue with its component of g."""
    count = len(instance["eigenvalues"])
    if count == 1:
        return
    for index in range(count):
        smaller = dict(instance)
        for key in ("eigenvalues", "gradient"):
            smaller[key] = [x for i, x in enumerate(instance[key]) if i != index]
        yield smaller
