"""What the claims on Assumption 2 share: a subproblem in the norm of A, and its points.

A = L L' with a rational L. In y = L's the region is a ball and the matrix C = L^-1 H L^-T;
its spectrum is computed at fifty digits, and steps are judged in exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tralgos
from theory_checks.claim import Condition, Instance, in_roundings
from theory_checks.claims.adaptive_norms.common import (
    Matrix,
    applied,
    eigenpairs,
    factored,
    floats,
    inner_product,
    quarters,
    trace,
)
from theory_checks.precise import Real, dot, exact, norm, precise, real

__all__ = [
    "METHODS",
    "Points",
    "decrease_of",
    "diagonal_of",
    "instance_of",
    "instances",
    "is_a_norm",
    "points_of",
    "region_margin",
    "rounding_of",
    "smaller",
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


# --- records ------------------------------------------------------------------------


def diagonal_of(instance: Instance) -> list[float]:
    """Return the diagonal of the factor of A."""
    n = len(instance["gradient"])
    return [instance["factor"][k * (k + 1) // 2 + k] for k in range(n)]


def instance_of(
    hessian: list[float],
    gradient: list[float],
    method: str = "direct",
    factor: Sequence[float] | None = None,
    **extra: str,
) -> Instance:
    """Return a record; the norm is the Euclidean one unless there is a factor."""
    n = len(gradient)
    identity = [float(i == j) for i in range(n) for j in range(i + 1)]
    return {
        "hessian": hessian,
        "factor": identity if factor is None else list(factor),
        "gradient": gradient,
        "radius": 1.0,
        "method": method,
        **extra,
    }


def smaller(instance: Instance) -> Iterable[Instance]:
    """Leave out the last coordinate."""
    n = len(instance["gradient"])
    if n > 1:
        entries = n * (n - 1) // 2
        shorter = {key: instance[key][:entries] for key in ("hessian", "factor")}
        yield {**instance, **shorter, "gradient": instance["gradient"][:-1]}


def is_a_norm() -> Condition:
    """Return the hypothesis that all of these claims share."""
    return Condition(
        "A is positive definite",
        r"A_t \succ 0,\ \Delta_t > 0",
        lambda i: i["radius"] > 0 and all(diagonal_of(i)),
        kept="without it there is no norm, and no region",
    )
