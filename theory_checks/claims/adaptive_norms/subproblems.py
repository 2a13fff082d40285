"""What the claims on Assumption 2 share: a subproblem in the norm of A, and its points.

A = L L' with a rational L. In y = L's the region is a ball and the matrix C = L^-1 H L^-T;
its spectrum is computed at fifty digits, and steps are judged in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import Instance, in_roundings
from theory_checks.claims.adaptive_norms.common import (
    Matrix,
    applied,
    assorted,
    eigenpairs,
    factored,
    floats,
    inner_product,
    plane_spectrum,
    quarters,
    trace,
)
from theory_checks.precise import Real, dot, exact, norm, precise, real

__all__ = [
    "METHODS",
    "PlanePoints",
    "Points",
    "decrease_of",
    "instances",
    "plane_draw",
    "plane_points",
    "plane_row",
    "points_of",
    "region_margin",
    "rounding_of",
    "solved",
    "steihaug",
    "subproblem",
    "symmetric",
]

#: Solvers of the subproblem by name, with the evidence of optimality that is asked of them.
METHODS: dict[str, tuple[Any, Any]] = {
    "direct": ("direct", "auto"),
    "krylov": ("krylov", "exact"),
    "krylov, probabilistic": ("krylov", "probabilistic"),
    "krylov, no evidence": ("krylov", "none"),
    "steihaug": ("steihaug", "none"),
    "one step of steihaug": (tralgos.Steihaug(maxiter=1), "none"),
    "safe descent": (tralgos.SphereDescent(), "none"),
    "printed descent": (tralgos.SphereDescent(variant="printed", N1=20, N2=200), "none"),
    "one step of descent": (tralgos.SphereDescent(maxiter=1), "none"),
}


@dataclass(frozen=True)
class Points:
    """The two points of Assumption 2.

    Attributes
    ----------
    cauchy, eigen : Real
        The decrease at the Cauchy point and at the eigenpoint (zero without negative
        curvature); of several leftmost directions the best is taken.
    cauchy_bound, eigen_bound : Real
        What is guaranteed: ||g|| min(r, ||g||/||H||)/2 and |lambda_min| r^2/2, in the norm.
    leftmost : Real
        lambda_min of the pencil (H, A).
    overlap : Real
        The norm of g's part in the leftmost eigenspace, over the norm of g.
    scale : float
        The size of the model's terms in the region.
    """

    cauchy: Real
    eigen: Real
    cauchy_bound: Real
    eigen_bound: Real
    leftmost: Real
    overlap: Real
    scale: float


def symmetric(entries: Sequence[float]) -> Matrix:
    """The symmetric matrix of the rows of its lower triangle."""
    values = exact(entries)
    n = next(k for k in range(1, 9) if k * (k + 1) // 2 == len(values))
    return [
        [values[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in range(n)] for i in range(n)
    ]


def _lower(instance: Instance) -> Matrix:
    values = exact(instance["factor"])
    n = len(instance["gradient"])
    return [[values[i * (i + 1) // 2 + j] if j <= i else Fraction(0) for j in range(n)]
            for i in range(n)]  # fmt: skip


def _forward(lower: Matrix, side: Sequence[Fraction]) -> list[Fraction]:
    """Solve L x = side."""
    found: list[Fraction] = []
    for row, value in zip(lower, side, strict=True):
        known = inner_product(row[: len(found)], found)
        found.append((value - known) / row[len(found)])
    return found


def _in_the_ball(instance: Instance) -> tuple[Matrix, list[Fraction]]:
    """C = L^-1 H L^-T and L^-1 g."""
    lower, hessian = _lower(instance), symmetric(instance["hessian"])
    half = [_forward(lower, column) for column in zip(*hessian, strict=True)]
    whole = [_forward(lower, column) for column in zip(*half, strict=True)]
    return whole, _forward(lower, exact(instance["gradient"]))


def points_of(instance: Instance) -> Points:
    """The points of an instance, at fifty digits."""
    context = precise()
    matrix, slope = _in_the_ball(instance)
    radius = real(instance["radius"])
    values, vectors = eigenpairs(matrix)
    gradient = [real(g) for g in slope]
    length = norm(gradient)
    leftmost, largest = values[0], max(abs(values[0]), abs(values[-1]))
    cauchy = cauchy_bound = context.mpf(0)
    if length > 0:
        curvature = real(inner_product(slope, applied(matrix, slope))) / length**2
        reach = radius if curvature * radius <= length else length / curvature
        cauchy = reach * length - reach**2 * curvature / 2
        cauchy_bound = length * (radius if largest * radius <= length else length / largest) / 2
    # Repeated eigenvalues are equal to fifty digits but for a few roundings.
    close = [k for k, h in enumerate(values) if h - leftmost <= largest * context.mpf(10) ** -40]
    part = norm([dot(vectors[k], gradient) for k in close])
    down = leftmost < 0
    return Points(
        cauchy,
        radius * part - leftmost * radius**2 / 2 if down else context.mpf(0),
        cauchy_bound,
        -leftmost * radius**2 / 2 if down else context.mpf(0),
        leftmost,
        part / length if length > 0 else context.mpf(0),
        float(largest * radius**2 + length * radius),
    )


def subproblem(instance: Instance) -> tuple[np.ndarray, np.ndarray, Any]:
    """H, g and the norm, for tralgos."""
    norm_ = tralgos.norms.MatrixNorm(floats(factored(instance["factor"])))
    return floats(symmetric(instance["hessian"])), np.array(instance["gradient"]), norm_


def decrease_of(instance: Instance, step: Sequence[float]) -> Fraction:
    """m(0) - m(s), exactly."""
    s = exact(step)
    curved = inner_product(s, applied(symmetric(instance["hessian"]), s))
    return -inner_product(exact(instance["gradient"]), s) - curved / 2


def region_margin(instance: Instance, step: Sequence[float]) -> float:
    """The margin of ||s||_A <= r; s'As in float64 is off by roundings of ||A|| ||s||^2."""
    s, matrix = exact(step), factored(instance["factor"])
    square = Fraction(instance["radius"]) ** 2
    length = inner_product(s, applied(matrix, s)) / square
    return in_roundings(1 - length, 1 + trace(matrix) * inner_product(s, s) / square)


def rounding_of(instance: Instance, step: Sequence[float]) -> float:
    """The size of the terms of the model at a step, as they are summed in float64."""
    s, hessian = exact(step), symmetric(instance["hessian"])
    length = precise().sqrt(real(inner_product(s, s)))
    largest = max(sum(abs(h) for h in row) for row in hessian)
    slope = sum(abs(g) for g in exact(instance["gradient"]))
    return float(real(largest) * length**2 + real(slope) * length)


def solved(instance: Instance, *, euclidean: bool = False) -> list[float]:
    """The step of the solver; on purpose in the wrong norm, if so wanted."""
    hessian, gradient, norm_ = subproblem(instance)
    method, evidence = METHODS[instance["method"]]
    result = tralgos.solve_trs(
        hessian,
        gradient,
        instance["radius"],
        norm=None if euclidean else norm_,
        method=method,
        certify=evidence,
        rng=0,
    )
    return [float(x) for x in result.step]


def steihaug(
    instance: Instance, *, to_boundary: bool = True, euclidean: bool = False, share: float = 1.0
) -> list[float]:
    """Steihaug's method in the norm of A, in float64, with pieces that can be broken.

    Where it would leave the region it goes to the boundary, or stays where it is; the
    boundary is that of the norm, or of the Euclidean one; `share` is taken of each step.
    """
    hessian, gradient, norm_ = subproblem(instance)
    matrix = np.eye(len(gradient)) if euclidean else floats(factored(instance["factor"]))
    step, residual = np.zeros_like(gradient), gradient
    weighted = norm_.solve(residual)
    direction = -weighted
    for _ in gradient:
        curvature, size = float(direction @ hessian @ direction), float(residual @ weighted)
        if size <= 1e-24 * float(gradient @ norm_.solve(gradient)):
            break
        length = share * size / curvature if curvature > 0 else np.inf
        furthest = _to_boundary(step, direction, matrix, instance["radius"])
        if length >= furthest:
            return [float(x) for x in step + to_boundary * share * furthest * direction]
        step = step + length * direction
        residual = residual + length * (hessian @ direction)
        weighted = norm_.solve(residual)
        direction = -weighted + float(residual @ weighted) / size * direction
    return [float(x) for x in step]


def _to_boundary(step: np.ndarray, direction: np.ndarray, A: np.ndarray, radius: float) -> float:
    """The t >= 0 at which ||step + t direction||_A is the radius."""
    a, b = float(direction @ A @ direction), float(step @ A @ direction)
    spare = radius**2 - float(step @ A @ step)
    return float((np.sqrt(b * b + a * spare) - b) / a)


# --- in the plane, many at once -----------------------------------------------------


class PlanePoints(NamedTuple):
    """Decreases of many models in the plane: those of :class:`Points`, and the best of all."""

    cauchy: Any
    eigen: Any
    cauchy_bound: Any
    eigen_bound: Any
    best: Any
    scale: Any


#: The solvers that suspicious instances of the screens are handed to: the quick ones.
_SCREENED = ("direct", "krylov")


def plane_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    """Draw subproblems of order two for a screen."""
    factor = assorted(rng, (size, 3), 2.0)
    factor[:, [0, 2]] = np.where(np.abs(factor[:, [0, 2]]) < 0.25, 1.0, factor[:, [0, 2]])
    identity = rng.random((size, 1)) < 0.5
    return {
        "hessian": assorted(rng, (size, 3)),
        "factor": np.where(identity, np.array([1.0, 0.0, 1.0]), factor),
        "gradient": assorted(rng, (size, 2)),
        "radius": rng.choice([1.0, 0.25, 4.0], size),
        "method": rng.integers(0, len(_SCREENED), size),
    }


def plane_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    """Return one of them as an instance."""
    vectors = {name: arrays[name][row].tolist() for name in ("hessian", "factor", "gradient")}
    method = _SCREENED[int(arrays["method"][row])]
    return {**vectors, "radius": float(arrays["radius"][row]), "method": method}


def _best(xp: Any, low: Any, high: Any, parts: tuple[Any, Any], radius: Any) -> Any:
    """The largest decrease over the ball: the minimum over the shift of the dual function."""
    size = xp.hypot(*parts)
    start = xp.maximum(0.0, -low)
    lower, upper = start, start + size / radius
    tiny = 1e-16 * (xp.abs(low) + xp.abs(high) + size / radius) + 1e-300
    for _ in range(48):
        shift = (lower + upper) / 2
        first, second = (
            part / xp.maximum(value + shift, tiny)
            for part, value in zip(parts, (low, high), strict=True)
        )
        outside = first**2 + second**2 > radius**2
        lower, upper = xp.where(outside, shift, lower), xp.where(outside, upper, shift)
    energies = (
        part**2 / xp.maximum(value + upper, tiny)
        for part, value in zip(parts, (low, high), strict=True)
    )
    return (sum(energies) + upper * radius**2) / 2


def plane_points(xp: Any, arrays: Mapping[str, Any]) -> PlanePoints:
    """Return the decreases of all of them, in float64."""
    h, lower, g, r = (arrays[name] for name in ("hessian", "factor", "gradient", "radius"))
    tilt = lower[:, 1] / lower[:, 0]
    a = h[:, 0] / lower[:, 0] ** 2
    b = (h[:, 1] - tilt * h[:, 0]) / (lower[:, 0] * lower[:, 2])
    c = (h[:, 2] - 2 * tilt * h[:, 1] + tilt**2 * h[:, 0]) / lower[:, 2] ** 2
    u = g[:, 0] / lower[:, 0]
    v = (g[:, 1] - lower[:, 1] * u) / lower[:, 2]
    low, high = plane_spectrum(xp, a, b, c)
    size, largest = xp.hypot(u, v), xp.maximum(xp.abs(low), xp.abs(high))
    moving = xp.where(size > 0, size, 1.0)
    curvature = (a * u * u + 2 * b * u * v + c * v * v) / moving**2
    inside = curvature * r > size
    reach = xp.where(inside, size / xp.where(inside, curvature, 1.0), r)
    near = largest * r > size
    sure = xp.where(near, size / xp.where(near, largest, 1.0), r)
    angle = xp.arctan2(2 * b, a - c) / 2
    parts = (v * xp.cos(angle) - u * xp.sin(angle), u * xp.cos(angle) + v * xp.sin(angle))
    down = xp.maximum(0.0, -low)
    eigen = xp.where(low < 0, r * xp.abs(parts[0]) + down * r * r / 2, 0.0)
    return PlanePoints(
        reach * size - reach**2 * curvature / 2,
        eigen,
        size * sure / 2,
        down * r * r / 2,
        _best(xp, low, high, parts, r),
        largest * r * r + size * r + 1e-300,
    )


# --- drawn one by one ---------------------------------------------------------------


def instances(methods: Sequence[str]) -> SearchStrategy[Instance]:
    """Draw subproblems of order 1 to 3, with a solver."""

    def of_dimension(n: int) -> SearchStrategy[Instance]:
        entries = n * (n + 1) // 2

        def triangle(size: float) -> SearchStrategy[list[float]]:
            return st.lists(quarters(size), min_size=entries, max_size=entries)

        identity = [float(i == j) for i in range(n) for j in range(i + 1)]
        return st.fixed_dictionaries(
            {
                "hessian": triangle(4.0),
                "factor": st.one_of(st.just(identity), triangle(2.0)),
                "gradient": st.lists(quarters(), min_size=n, max_size=n),
                "radius": st.sampled_from([1.0, 0.25, 4.0]),
                "method": st.sampled_from(list(methods)),
            }
        )

    return st.integers(1, 3).flatmap(of_dimension)
