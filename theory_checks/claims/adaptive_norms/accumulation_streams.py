"""The streaming updates of the accumulated norms: held against sums, broken, many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from theory_checks.claim import Instance, Margins, Sabotage, in_roundings
from theory_checks.claims.adaptive_norms.common import (
    Matrix,
    assorted,
    plane_spectrum,
    rule_of,
    streamed,
    trace,
)

__all__ = [
    "EPSILONS",
    "KINDS",
    "LENGTH",
    "Stream",
    "agreement",
    "broken",
    "draw",
    "epsilon_each_time",
    "exchanged",
    "first_twice",
    "stream_margin",
    "streamed_norm",
    "unscaled",
    "without_newest",
]

KINDS = ("diagonal", "full", "window")
EPSILONS = (1.0, 0.25, 1e-3)

#: Makes the norm after all gradients of an instance, one update after the other.
Stream = Callable[[Instance], Any]


def streamed_norm(instance: Instance) -> Any:
    """Return the norm of the rule that an instance describes, after all of its gradients."""
    rule = rule_of(instance)
    return rule.norm(streamed(rule, instance["gradients"]))


def stream_margin(instance: Instance, wanted: Matrix, sizes: Matrix, stream: Stream) -> float:
    """Return how well the matrix of the stream agrees with `wanted`, entry by entry.

    `sizes` are the sums of absolute values. A window is decomposed: its entries are off by
    roundings of the whole.
    """
    n = len(wanted)
    found = stream(instance).matrix(np.zeros(n)).tolist()
    whole = trace(sizes) if instance["kind"] == "window" else None
    return min(
        in_roundings(-abs(Fraction(found[i][j]) - wanted[i][j]), whole or sizes[i][j] or 1)
        for i in range(n)
        for j in range(n)
    )


def without_newest(instance: Instance) -> Instance:
    """Return an instance of which the newest gradient is zero."""
    kept, newest = instance["gradients"][:-1], instance["gradients"][-1]
    return {**instance, "gradients": [*kept, [0.0] * len(newest)]}


def first_twice(instance: Instance) -> Instance:
    """Return an instance with the first gradient twice."""
    return {**instance, "gradients": [instance["gradients"][0], *instance["gradients"]]}


def epsilon_each_time(instance: Instance) -> Instance:
    """Return an instance with as many epsilons as gradients."""
    return {**instance, "epsilon": instance["epsilon"] * len(instance["gradients"])}


def unscaled(instance: Instance) -> Instance:
    """Return an instance whose gradients are longer, as if the factor 1 - beta were forgotten."""
    factor = (1.0 - instance["beta"]) ** -0.5
    return {**instance, "gradients": [[factor * x for x in g] for g in instance["gradients"]]}


def exchanged(instance: Instance) -> Instance:
    """Return an instance with 1 - beta for beta."""
    return {**instance, "beta": 1.0 - instance["beta"]}


def broken(
    margins: Callable[[Instance, Stream], Margins],
    altered: Mapping[str, Callable[[Instance], Instance]],
) -> tuple[Sabotage, ...]:
    """Return updates broken on purpose: what they give is the true update's for other data."""

    def judged(other: Callable[[Instance], Instance]) -> Callable[[Instance], Margins]:
        return lambda instance: margins(instance, lambda i: streamed_norm(other(i)))

    return tuple(Sabotage(name, judged(other)) for name, other in altered.items())


#: Gradients of an instance of the screens, of order two.
LENGTH = 4


def draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    """Draw streams of gradients in the plane for a screen."""
    return {
        "gradients": assorted(rng, (size, LENGTH, 2), 8.0),
        "epsilon": rng.choice(EPSILONS, size),
        "beta": rng.uniform(1e-3, 1 - 1e-3, size),
        "kind": rng.integers(0, len(KINDS), size),
    }


def agreement(xp: Any, arrays: Mapping[str, Any], keep: Any, add: Any, weights: Any) -> Any:
    """Return the slack of the recurrence A <- keep A + add g g' against the weighted sum, and of
    the least eigenvalue against epsilon.
    """
    g, epsilon = arrays["gradients"], arrays["epsilon"]
    products = xp.stack([g[..., 0] ** 2, g[..., 0] * g[..., 1], g[..., 1] ** 2])
    recurred = xp.zeros_like(products[..., 0])
    for t in range(LENGTH):
        recurred = keep * recurred + add * products[..., t]
    summed = xp.sum(weights * products, axis=-1)
    sizes = xp.sum(weights * xp.abs(products), axis=-1)
    off = xp.max(xp.abs(recurred - summed) - 1e-14 * sizes, axis=0)
    mixed = xp.where(arrays["kind"] == 0, 0.0, summed[1])
    low, high = plane_spectrum(xp, summed[0], mixed, summed[2])
    return (xp.minimum(low, -off) + 1e-14 * high) / (high + epsilon)
