"""The paper's iterations, as printed, in the eigenbasis of H.

Small reference versions on lists, for floats and for mpmath numbers alike; the
claims are about these, not about tralgos. The radius is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from theory_checks.oracle import gradient_at, model
from theory_checks.precise import Real, precise

__all__ = [
    "Armijo",
    "Vector",
    "armijo_step",
    "descend_on_sphere",
    "gradient_descent",
    "gradient_step",
    "inner",
    "into_ball",
    "length",
    "normalised",
    "projected_descent",
    "retracted",
    "riemannian_gradient",
    "sign_cap",
]

Vector = list[Real]


def inner(left: Sequence[Real], right: Sequence[Real]) -> Real:
    """Return the inner product, in whatever arithmetic the entries have."""
    return sum(a * b for a, b in zip(left, right, strict=True))


def length(vector: Sequence[Real]) -> Real:
    """Return the Euclidean norm, in whatever arithmetic the entries have."""
    square = inner(vector, vector)
    return math.sqrt(square) if isinstance(square, float | int) else precise().sqrt(square)


def normalised(vector: Sequence[Real]) -> Vector:
    """Return the vector over its norm."""
    size = length(vector)
    return [x / size for x in vector]


def gradient_step(z: Vector, slope: Vector, eta: Real) -> Vector:
    """Return z - eta slope."""
    return [x - eta * d for x, d in zip(z, slope, strict=True)]


def into_ball(z: Vector) -> Vector:
    """Return the point of the unit ball nearest to z."""
    return normalised(z) if inner(z, z) > 1 else z


def gradient_descent(
    eigenvalues: Sequence[Real],
    gradient: Sequence[Real],
    first: Vector,
    eta: Real,
    *,
    step: Callable[[Vector, Vector, Real], Vector] = gradient_step,
) -> Iterator[Vector]:
    """Yield z_0, z_1 = z_0 - eta grad f(z_0), ... without projection, for ever.

    `step` makes the next iterate of z, grad f(z) and eta.
    """
    z = first
    while True:
        yield z
        z = step(z, gradient_at(eigenvalues, gradient, z), eta)


def projected_descent(
    eigenvalues: Sequence[Real],
    gradient: Sequence[Real],
    first: Vector,
    eta: Real,
    *,
    step: Callable[[Vector, Vector, Real], Vector] = gradient_step,
    project: Callable[[Vector], Vector] = into_ball,
) -> Iterator[Vector]:
    """Yield the iterates of projected gradient descent on the unit ball, for ever."""
    z = first
    while True:
        yield z
        z = project(step(z, gradient_at(eigenvalues, gradient, z), eta))


def riemannian_gradient(
    eigenvalues: Sequence[Real], gradient: Sequence[Real], z: Sequence[Real]
) -> Vector:
    """Return (I - zz')(Hz + g)."""
    slope = gradient_at(eigenvalues, gradient, z)
    along = inner(z, slope)
    return [d - along * x for d, x in zip(slope, z, strict=True)]


def retracted(z: Sequence[Real], direction: Sequence[Real], step: Real) -> Vector:
    """Return (z - step direction) over its norm."""
    return normalised([x - step * d for x, d in zip(z, direction, strict=True)])


@dataclass(frozen=True)
class Armijo:
    """Armijo's rule: the first of ``first, first * shrink, ...`` with enough decrease.

    Attributes
    ----------
    first : float
        The step that is tried first, called alpha-bar by Absil et al.
    shrink : float
        The backtracking factor, called beta there.
    sigma : float
        The share of the decrease that the slope promises.
    """

    first: float
    shrink: float
    sigma: float


def sign_cap(eigenvalues: Sequence[Real], gradient: Sequence[Real], z: Sequence[Real]) -> Real:
    """The longest step from z that keeps every sign: 1/(lambda_n - z' grad f(z)); inf if none.

    A new component is a positive multiple of
    z_i (1 - step (lambda_i - z' grad f)) - step g_i.
    """
    bottom = max(eigenvalues) - inner(z, gradient_at(eigenvalues, gradient, z))
    return 1 / bottom if bottom > 0 else math.inf


def armijo_step(
    eigenvalues: Sequence[Real],
    gradient: Sequence[Real],
    z: Vector,
    rule: Armijo,
    *,
    keep_signs: bool = False,
    tries: int = 80,
) -> Vector | None:
    """Return the next iterate of Algorithm 2's second phase, or None when the search fails.

    Parameters
    ----------
    eigenvalues, gradient : sequences
        The problem, in the eigenbasis.
    z : list
        The iterate. Lines 13 to 16 are printed for any z, on the sphere or not.
    rule : Armijo
        The line search.
    keep_signs : bool
        Start the search from no more than :func:`sign_cap`.
    tries : int
        Steps tried before the search counts as endless.
    """
    direction = riemannian_gradient(eigenvalues, gradient, z)
    squared = inner(direction, direction)
    if squared == 0:
        return z
    step = rule.first
    if keep_signs:
        step = min(step, sign_cap(eigenvalues, gradient, z))
    before = model(eigenvalues, gradient, z)
    for _ in range(tries):
        trial = retracted(z, direction, step)
        if before - model(eigenvalues, gradient, trial) >= rule.sigma * step * squared:
            return trial
        step = step * rule.shrink
    return None


def descend_on_sphere(
    eigenvalues: Sequence[Real],
    gradient: Sequence[Real],
    z: Vector,
    rule: Armijo,
    steps: int,
    *,
    keep_signs: bool = False,
) -> Iterator[Vector]:
    """Yield at most ``steps + 1`` iterates of the second phase; ends when it cannot go on."""
    yield z
    for _ in range(steps):
        following = armijo_step(eigenvalues, gradient, z, rule, keep_signs=keep_signs)
        if following is None or following == z:
            return
        z = following
        yield z
