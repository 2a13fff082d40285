"""The exact minimiser over a Krylov space, in extended precision, and broken ones beside it.

H is diagonal. The Lanczos recurrence runs with full orthogonalisation, the tridiagonal
problem is diagonalised, and the oracle (or the secular equation of the cubic) solves it.
Nothing here is shared with the solvers of tralgos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from theory_checks.oracle import solve_in_eigenbasis
from theory_checks.precise import Real, as_fraction, dot, norm, precise

__all__ = [
    "Minimiser",
    "Problem",
    "Reduced",
    "cubic_minimiser",
    "descent",
    "distance",
    "one_product_only",
    "projected",
    "reduced",
    "trust_region_minimiser",
    "wider_ball",
]


@dataclass(frozen=True)
class Problem:
    """min g's + s'Hs/2 over ||s|| <= radius, or with sigma/3 ||s||^3 added and no ball.

    Attributes
    ----------
    spectrum, gradient : list of Real
        H and g in the eigenbasis.
    radius : Real
        Of the ball; ||s*|| for the cubic problem.
    sigma : Real
        The weight of the cube; not used for the ball.
    """

    spectrum: list[Real]
    gradient: list[Real]
    radius: Real
    sigma: Real


#: From a problem and the order of the space to a step.
Minimiser = Callable[[Problem, int], list[Real]]


@dataclass(frozen=True)
class Reduced:
    """The problem over a Krylov space: the Ritz values, g in the Ritz vectors, and a basis.

    Attributes
    ----------
    ritz : list of Real
        Eigenvalues of T, ascending.
    gradient : list of Real
        ||g|| times the first entries of T's eigenvectors.
    vectors : list of lists of Real
        The Ritz vectors.
    """

    ritz: list[Real]
    gradient: list[Real]
    vectors: list[list[Real]]


def _lanczos(
    spectrum: list[Real], gradient: list[Real], order: int
) -> tuple[list[Real], list[Real], list[list[Real]]]:
    """T's diagonal and off-diagonal, and the basis: at most `order` vectors."""
    context = precise()
    # A space that is invariant up to half of the digits is invariant.
    negligible = context.mpf(10) ** (-context.dps // 2)
    size = max(abs(h) for h in spectrum)
    length = norm(gradient)
    basis: list[list[Real]] = []
    alphas: list[Real] = []
    betas: list[Real] = []
    vector = [g / length for g in gradient]
    while True:
        basis.append(vector)
        image = [h * x for h, x in zip(spectrum, vector, strict=True)]
        alphas.append(dot(image, vector))
        if len(basis) == min(order, len(spectrum)):
            return alphas, betas, basis
        for _ in range(2):
            for earlier in basis:
                part = dot(image, earlier)
                image = [y - part * x for y, x in zip(image, earlier, strict=True)]
        beta = norm(image)
        if beta <= size * negligible:
            return alphas, betas, basis
        betas.append(beta)
        vector = [y / beta for y in image]


def reduced(problem: Problem, order: int) -> Reduced:
    """Return the problem over span{g, Hg, ..., H^(order-1) g}; g != 0."""
    context = precise()
    alphas, betas, basis = _lanczos(problem.spectrum, problem.gradient, order)
    count = len(alphas)
    matrix = context.zeros(count)
    for i, alpha in enumerate(alphas):
        matrix[i, i] = alpha
    for i, beta in enumerate(betas):
        matrix[i, i + 1] = matrix[i + 1, i] = beta
    if count == 1:
        values, turn = [alphas[0]], context.eye(1)
    else:
        found, turn = context.eigsy(matrix)
        values = [found[i] for i in range(count)]
    length = norm(problem.gradient)
    first = [length * turn[0, j] for j in range(count)]
    ritz_vectors = [
        [dot([turn[i, j] for i in range(count)], row) for row in zip(*basis, strict=True)]
        for j in range(count)
    ]
    return Reduced(values, first, ritz_vectors)


def _assembled(vectors: list[list[Real]], weights: list[Real]) -> list[Real]:
    return [dot(weights, row) for row in zip(*vectors, strict=True)]


def trust_region_minimiser(problem: Problem, order: int) -> list[Real]:
    """Return the minimiser over the ball in the Krylov space; 0 where g = 0."""
    if not any(problem.gradient):
        return [precise().mpf(0)] * len(problem.gradient)
    r, small = problem.radius, reduced(problem, order)
    # The oracle's ball is the unit one: s = r u.
    found = solve_in_eigenbasis(
        [as_fraction(r * r * theta) for theta in small.ritz],
        [as_fraction(r * g) for g in small.gradient],
    )
    return _assembled(small.vectors, [r * u for u in found.step])


def _cubic_shift(ritz: list[Real], gradient: list[Real], sigma: Real) -> Real:
    """Solve sigma ||(T + nu)^-1 g|| = nu for nu > max(0, -theta_1).

    1/||h|| - sigma/nu is concave and grows with nu, so that Newton's method climbs to the
    root from the left. Each component alone gives a bound from there.
    """
    context = precise()
    nu = context.mpf(0)
    for g, theta in zip(gradient, ritz, strict=True):
        root = context.sqrt(theta * theta + 4 * sigma * abs(g))
        alone = (root - theta) / 2 if theta < 0 else 2 * sigma * abs(g) / (root + theta)
        nu = max(nu, alone)
    for _ in range(400):
        parts = [g / (theta + nu) for g, theta in zip(gradient, ritz, strict=True)]
        length = norm(parts)
        bent = dot(parts, [p / (theta + nu) for p, theta in zip(parts, ritz, strict=True)])
        change = (sigma / nu - 1 / length) / (bent / length**3 + sigma / nu**2)
        nu += change
        if abs(change) <= nu * context.mpf(10) ** (3 - context.dps):
            break
    return nu


def cubic_minimiser(problem: Problem, order: int) -> list[Real]:
    """Return the minimiser of g's + s'Hs/2 + sigma/3 ||s||^3 in the Krylov space."""
    if not any(problem.gradient):
        return [precise().mpf(0)] * len(problem.gradient)
    small = reduced(problem, order)
    # T is unreduced, so that g sees each of its eigenvectors: no hard case.
    nu = _cubic_shift(small.ritz, small.gradient, problem.sigma)
    weights = [-g / (theta + nu) for g, theta in zip(small.gradient, small.ritz, strict=True)]
    return _assembled(small.vectors, weights)


def projected(problem: Problem, order: int, point: list[Real]) -> list[Real]:
    """Return the point of the Krylov space that is closest to `point`; g != 0."""
    vectors = reduced(problem, order).vectors
    return _assembled(vectors, [dot(vector, point) for vector in vectors])


def distance(problem: Problem, order: int, point: list[Real]) -> Real:
    """Return the distance of `point` to the Krylov space; g != 0."""
    near = projected(problem, order, point)
    return norm([x - y for x, y in zip(point, near, strict=True)])


# --- broken on purpose ----------------------------------------------------------------


def one_product_only(solve: Minimiser) -> Minimiser:
    """A space that is never extended: the span of g alone."""
    return lambda problem, order: solve(problem, 1)


def wider_ball(problem: Problem, order: int) -> list[Real]:
    """The minimiser over a ball that is a tenth too wide."""
    wide = Problem(problem.spectrum, problem.gradient, problem.radius * 11 / 10, problem.sigma)
    return trust_region_minimiser(wide, order)


def descent(problem: Problem, order: int) -> list[Real]:
    """Projected gradient descent with step 1/L in the place of the Krylov minimiser."""
    context = precise()
    slope = max(abs(h) for h in problem.spectrum)
    step = 1 / slope if slope else context.mpf(1)
    s = [context.mpf(0)] * len(problem.gradient)
    for _ in range(order):
        s = [
            x - step * (h * x + g)
            for x, h, g in zip(s, problem.spectrum, problem.gradient, strict=True)
        ]
        size = norm(s)
        if size > problem.radius:
            s = [x * problem.radius / size for x in s]
    return s
