"""The paper's iterations, as printed, in the eigenbasis of H.

Small reference versions on lists, for floats and for mpmath numbers alike; the
claims are about these, not about tralgos. The radius is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from theory_checks.oracle import gradient_at
from theory_checks.precise import Real, precise

__all__ = [
    "CAPPED",
    "PRINTED",
    "Armijo",
    "Sphere",
    "Vector",
    "armijo_search",
    "descend_on_sphere",
    "enough_decrease",
    "gradient_descent",
    "gradient_step",
    "inner",
    "into_ball",
    "length",
    "no_cap",
    "normalised",
    "projected_descent",
    "retracted",
    "riemannian_gradient",
    "sign_cap",
    "stretch",
    "surely_accepted",
    "value",
]

Vector = list[Real]


def inner(left: Sequence[Real], right: Sequence[Real]) -> Real:
    """Return the inner product, in whatever arithmetic the entries have."""
    return sum(a * b for a, b in zip(left, right, strict=True))


def value(eigenvalues: Sequence[Real], gradient: Sequence[Real], z: Sequence[Real]) -> Real:
    """Return g'z + z'Hz/2, in whatever arithmetic the entries have."""
    return sum((g + h * x / 2) * x for h, g, x in zip(eigenvalues, gradient, z, strict=True))


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


def no_cap(eigenvalues: Sequence[Real], gradient: Sequence[Real], z: Sequence[Real]) -> Real:
    """Let the search start from its first step, as printed."""
    return math.inf


def enough_decrease(fall: Real, step: Real, squared: Real, sigma: float) -> bool:
    """Armijo's condition: a fall of at least sigma step ||grad f||^2."""
    return bool(fall >= sigma * step * squared)


def stretch(eigenvalues: Sequence[float], gradient: Sequence[float]) -> float:
    """A bound on the second derivative of f along t -> R_z(t xi), |xi| = 1.

    With theta = arctan t the curve is a great circle, along which |f''| is at most
    lambda_n - lambda_1 + ||g|| and |f'| at most half of the first plus ||g||; and
    |theta'| <= 1, |theta''| <= 3 sqrt(3)/8.
    """
    spread = max(eigenvalues) - min(eigenvalues)
    size = length(gradient)
    return float(spread + size + 3 * math.sqrt(3) / 8 * (spread / 2 + size))


def surely_accepted(eigenvalues: Sequence[float], gradient: Sequence[float], sigma: float) -> float:
    """A step length that Armijo's rule accepts at every point, with every shorter one."""
    bend = stretch(eigenvalues, gradient)
    return 2 * (1 - sigma) / bend if bend > 0.0 else math.inf


@dataclass(frozen=True)
class Sphere:
    """The parts of a step on the sphere; a broken algorithm replaces one of them.

    Attributes
    ----------
    direction : callable
        What is gone against, of the problem and z.
    cap : callable
        An upper bound on the first step, of the problem and z.
    accepts : callable
        Whether a fall is enough for a step.
    after : float
        What the accepted step is multiplied with.
    """

    direction: Callable[[Sequence[Real], Sequence[Real], Sequence[Real]], Vector] = (
        riemannian_gradient
    )
    cap: Callable[[Sequence[Real], Sequence[Real], Sequence[Real]], Real] = no_cap
    accepts: Callable[[Real, Real, Real, float], bool] = enough_decrease
    after: float = 1.0


#: The second phase of Algorithm 2 as printed, and with steps that keep signs.
PRINTED, CAPPED = Sphere(), Sphere(cap=sign_cap)


def armijo_search(
    eigenvalues: Sequence[Real],
    gradient: Sequence[Real],
    z: Vector,
    rule: Armijo,
    sphere: Sphere = PRINTED,
    *,
    tries: int = 80,
) -> tuple[Vector | None, int]:
    """Return the next iterate of Algorithm 2's second phase, and how many steps were tried.

    Parameters
    ----------
    eigenvalues, gradient : sequences
        The problem, in the eigenbasis.
    z : list
        The iterate. Lines 13 to 16 are printed for any z, on the sphere or not.
    rule : Armijo
        The line search.
    sphere : Sphere
        The parts of the step.
    tries : int
        Steps tried before the search counts as endless, and gives None.
    """
    direction = sphere.direction(eigenvalues, gradient, z)
    squared = inner(direction, direction)
    if squared == 0:
        return z, 0
    step = min(rule.first, sphere.cap(eigenvalues, gradient, z))
    before = value(eigenvalues, gradient, z)
    for count in range(1, tries + 1):
        trial = retracted(z, direction, step)
        if sphere.accepts(before - value(eigenvalues, gradient, trial), step, squared, rule.sigma):
            if sphere.after != 1.0:
                trial = retracted(z, direction, sphere.after * step)
            return trial, count
        step = step * rule.shrink
    return None, tries


def descend_on_sphere(
    eigenvalues: Sequence[Real],
    gradient: Sequence[Real],
    z: Vector,
    rule: Armijo,
    steps: int,
    sphere: Sphere = PRINTED,
    *,
    tries: int = 80,
) -> Iterator[Vector]:
    """Yield at most ``steps + 1`` iterates of the second phase; ends when it cannot go on."""
    yield z
    for _ in range(steps):
        following, _ = armijo_search(eigenvalues, gradient, z, rule, sphere, tries=tries)
        if following is None or following == z:
            return
        z = following
        yield z
