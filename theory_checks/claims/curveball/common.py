"""What the claims on fixed beta and rho share: Algorithm 1 on a quadratic, its roots, its rate.

All in the eigenbasis of H, one component at a time, with s = beta h.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Instance, Margins, Sabotage
from theory_checks.precise import Real, precise

__all__ = [
    "EXACT",
    "PAPER",
    "Step",
    "broken_steps",
    "component",
    "eigenvalues_inside",
    "exact_roots_inside",
    "inside",
    "point_rows",
    "quarters",
    "radius",
    "radius_rows",
    "roots",
    "simulated_inside",
]

PAPER = "Small steps and giant leaps: Minimal Newton solvers for Deep Learning"

#: Roundings granted to what was computed at fifty digits.
EXACT = 1e-6


def quarters(low: float, high: float) -> SearchStrategy[float]:
    """Draw multiples of 1/4 in a range."""
    return st.integers(int(4 * low), int(4 * high)).map(lambda k: k / 4)


#: One iteration for one component, from z, w, h, b, beta and rho to the new z and w.
Step = Callable[..., tuple[Any, Any]]


def component(z: Any, w: Any, h: Any, b: Any, beta: Any, rho: Any) -> tuple[Any, Any]:
    """One iteration of Algorithm 1 (lines 3 to 5) on h w^2/2 - b w: the new z and w.

    For fractions, mpmath numbers, floats and arrays of them alike.
    """
    curvature_step = h * z + (h * w - b)
    z = rho * z - beta * curvature_step
    return z, w + z


def heavy_ball(z: Any, w: Any, h: Any, b: Any, beta: Any, rho: Any) -> tuple[Any, Any]:
    """Broken on purpose: no curvature along z."""
    z = rho * z - beta * (h * w - b)
    return z, w + z


def climbing(z: Any, w: Any, h: Any, b: Any, beta: Any, rho: Any) -> tuple[Any, Any]:
    """Broken on purpose: z goes up along Delta_z."""
    return component(z, w, h, b, -beta, rho)


def late(z: Any, w: Any, h: Any, b: Any, beta: Any, rho: Any) -> tuple[Any, Any]:
    """Broken on purpose: w moves by the z of the step before."""
    return component(z, w, h, b, beta, rho)[0], w + z


def broken_steps(margins: Callable[[Instance, Step], Margins]) -> tuple[Sabotage, ...]:
    """Algorithm 1 broken in three ways, for margins that take it as their second argument."""
    wrong = (
        ("no curvature along z", heavy_ball),
        ("z climbs", climbing),
        ("w moves by the old z", late),
    )

    def of(step: Step) -> Callable[[Instance], Margins]:
        return lambda instance: margins(instance, step)

    return tuple(Sabotage(name, of(step)) for name, step in wrong)


def exact_roots_inside(s: Fraction, rho: Fraction) -> bool:
    """Whether both roots of mu^2 - (1 + rho - 2s) mu + rho - s lie in |mu| < 1: Jury's test."""
    trace, determinant = 1 + rho - 2 * s, rho - s
    return abs(trace) < 1 + determinant and determinant < 1


def roots(s: Real, rho: Real, step: Step = component) -> tuple[Real, Real]:
    """The eigenvalues of the matrix that the step is, by a solver that knows nothing of (38)."""
    context = precise()
    # A double root costs half of the digits.
    with context.workdps(3 * context.dps):
        columns = [step(z, w, s, 0 * s, 1 + 0 * s, rho) for z, w in ((1, 0), (0, 1))]
        matrix = context.matrix([list(row) for row in zip(*columns, strict=True)])
        found = context.eig(matrix, left=False, right=False)
    return found[0], found[1]


def inside(root: Real) -> bool:
    """Whether a root lies inside the circle, one that is on it by three fifths of the digits."""
    context = precise()
    return bool(abs(root) < 1 - context.mpf(10) ** -(3 * context.dps // 5))


def radius(s: Real, rho: Real) -> Real:
    """The larger modulus of the two, by the quadratic formula."""
    context = precise()
    # Enough for the discriminant of floats to be exact: at a double root it is zero.
    with context.workprec(max(context.prec, 500)):
        half, determinant = (1 + rho - 2 * s) / 2, rho - s
        square = half * half - determinant
        root = context.sqrt(abs(square))
        found = context.sqrt(determinant) if square < 0 else abs(half) + root
    return +found


def radius_rows(xp: Any, s: Any, rho: Any) -> Any:
    """The same in float64, for arrays."""
    half, determinant = (1.0 + rho - 2.0 * s) / 2.0, rho - s
    square = half * half - determinant
    root = xp.sqrt(xp.abs(square))
    return xp.where(square < 0.0, xp.sqrt(xp.abs(determinant)), xp.abs(half) + root)


def point_rows(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw (s, rho): a half of them on the ends of (39), or a 1/256 from there."""
    s = rng.integers(1, 65, size) / 16
    ends = np.where(rng.random(size) < 0.5, 1.0 + s, 1.5 * s - 1.0)
    near = ends + rng.integers(-1, 2, size) / 256
    return s, np.where(rng.random(size) < 0.5, near, rng.integers(-32, 65, size) / 16)


def eigenvalues_inside(s: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Whether both eigenvalues of (36) lie inside the circle, by LAPACK; a flat batch."""
    matrices = np.empty((*s.shape, 2, 2))
    matrices[..., 0, 0] = matrices[..., 1, 0] = rho - s
    matrices[..., 0, 1], matrices[..., 1, 1] = -s, 1.0 - s
    return np.asarray(np.abs(np.linalg.eigvals(matrices)).max(axis=-1) < 1.0)


def simulated_inside(s: np.ndarray, rho: np.ndarray, longest: int = 2**17) -> np.ndarray:
    """Whether Algorithm 1 converges, as its own iterates tell: 1 yes, 0 no, -1 not seen.

    Two runs for each point, from (z, e) = (0, 1) and (1, 0), are the columns of R^t. Once
    ||R^t||_F < 1 every start converges, and once |det R^t| > 1 or |trace R^t| > 2 one root is
    outside the circle and not every start does: no formula for the roots is used. Looked at
    after 8, 16, 32, ... iterations; who is decided leaves the batch.
    """
    verdict = np.full(s.shape, -1, dtype=np.int8)
    left = np.arange(s.size)
    state = [np.zeros(s.size), np.ones(s.size), np.ones(s.size), np.zeros(s.size)]
    done, until = 0, 8
    while left.size and until <= longest:
        a, r = s[left], rho[left]
        z1, e1, z2, e2 = state
        for _ in range(until - done):
            z1, e1 = component(z1, e1, a, 0.0, 1.0, r)
            z2, e2 = component(z2, e2, a, 0.0, 1.0, r)
        size = z1 * z1 + e1 * e1 + z2 * z2 + e2 * e2
        determinant, trace = z2 * e1 - z1 * e2, z2 + e1
        verdict[left[size < 1.0]] = 1
        outside = (np.abs(determinant) > 1.0 + 1e-9) | (np.abs(trace) > 2.0 + 1e-9)
        verdict[left[outside]] = 0
        open_ = (size >= 1.0) & ~outside
        left, state = left[open_], [x[open_] for x in (z1, e1, z2, e2)]
        done, until = until, 2 * until
    return verdict
