"""Algorithm 1 as printed, in floats or at many digits, with parts that can be replaced.

Radii are kept as start * gamma^j with an integer j, so that they neither round nor overflow:
the paper's radius has no upper end, and an interior step multiplies it like any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from theory_checks.claims.adaptive_norms.common import eigenpairs
from theory_checks.precise import Real, precise, real

__all__ = [
    "Algorithm",
    "Arithmetic",
    "Iteration",
    "Model",
    "NormRule",
    "Objective",
    "Run",
    "adagrad",
    "exact_step",
    "fixed",
    "floats",
    "many_digits",
    "rmsprop",
    "run",
]

Vector = Sequence[Real]
Matrix = Sequence[Sequence[Real]]

#: Newton steps on the secular equation, which converge from below.
_SECULAR_STEPS = 200


@dataclass(frozen=True)
class Arithmetic:
    """What the algorithm takes from the numbers that it works on."""

    number: Callable[[float], Real]
    sqrt: Callable[[Real], Real]
    eigenpairs: Callable[[Matrix], tuple[list[Real], list[list[Real]]]]
    unit: float


def _float_eigenpairs(matrix: Matrix) -> tuple[list[Real], list[list[Real]]]:
    n = len(matrix)
    if all(matrix[i][j] == 0.0 for i in range(n) for j in range(i)):
        order = sorted(range(n), key=lambda i: matrix[i][i])
        basis = [[float(i == k) for i in range(n)] for k in order]
        return [matrix[k][k] for k in order], basis
    values, columns = np.linalg.eigh(np.array(matrix))
    return values.tolist(), columns.T.tolist()


def floats() -> Arithmetic:
    """Return float64."""
    return Arithmetic(float, math.sqrt, _float_eigenpairs, 2.0**-52)


def many_digits() -> Arithmetic:
    """Return the arithmetic of :func:`theory_checks.precise.precise`."""
    context = precise()
    return Arithmetic(real, context.sqrt, eigenpairs, float(10 * context.eps))


class Objective(Protocol):
    """A function with two derivatives, on lists of numbers."""

    def value(self, w: Vector) -> Real:
        """Return L(w)."""

    def gradient(self, w: Vector) -> list[Real]:
        """Return the gradient."""

    def hessian(self, w: Vector) -> list[list[Real]]:
        """Return the Hessian."""


#: From its state (None at first) and a gradient to the new state and the diagonal of A_t.
NormRule = Callable[[Any, Vector], tuple[Any, list[Real]]]


def fixed(*diagonals: Sequence[float]) -> NormRule:
    """Return a rule that goes through these diagonals, over and over; of one, a fixed norm."""

    def rule(state: Any, gradient: Vector) -> tuple[Any, list[Real]]:
        count = 0 if state is None else int(state)
        chosen = diagonals[count % len(diagonals)]
        return count + 1, [type(g)(a) for a, g in zip(chosen, gradient, strict=True)]

    return rule


def _accumulating(keep: float, add: float, epsilon: float) -> NormRule:
    def rule(state: Any, gradient: Vector) -> tuple[Any, list[Real]]:
        former = [0 * g for g in gradient] if state is None else state
        total = [keep * a + add * g * g for a, g in zip(former, gradient, strict=True)]
        return total, [a + epsilon for a in total]

    return rule


def rmsprop(beta: float, epsilon: float) -> NormRule:
    """Return the diagonal of equation (3): no correction of the bias, epsilon added."""
    return _accumulating(beta, 1.0 - beta, epsilon)


def adagrad(epsilon: float) -> NormRule:
    """Return the diagonal of equation (2)."""
    return _accumulating(1.0, 1.0, epsilon)


class Model(NamedTuple):
    """g's + s'Bs/2 over ||s||_A <= radius, A = diag(diagonal)."""

    gradient: list[Real]
    hessian: list[list[Real]]
    diagonal: list[Real]
    radius: Real
    arithmetic: Arithmetic


def _dot(left: Vector, right: Vector) -> Real:
    return sum(a * b for a, b in zip(left, right, strict=True))


def _norm(vector: Vector, arithmetic: Arithmetic) -> Real:
    return arithmetic.sqrt(_dot(vector, vector))


def _shifted(values: Vector, slopes: Vector, shift: Real) -> list[Real]:
    """-(Lambda + shift)^+ g: what is not curved does not move."""
    return [
        -g / (v + shift) if v + shift > 0 else 0 * g for v, g in zip(values, slopes, strict=True)
    ]


def _secular(values: Vector, slopes: Vector, radius: Real, low: Real, model: Model) -> list[Real]:
    """The y of length `radius` with a shift above `low`, by Newton's method on 1/||y||."""
    flat = [g for v, g in zip(values, slopes, strict=True) if not v + low > 0]
    shift = low + _norm(flat, model.arithmetic) / radius
    y = _shifted(values, slopes, shift)
    for _ in range(_SECULAR_STEPS):
        length = _norm(y, model.arithmetic)
        if length <= radius * (1 + 4 * model.arithmetic.unit):
            break
        slope = sum(x * x / (v + shift) for x, v in zip(y, values, strict=True) if v + shift > 0)
        shift += (length / radius - 1) * length * length / slope
        y = _shifted(values, slopes, shift)
    return y


def _minimiser(values: Vector, slopes: Vector, model: Model) -> list[Real]:
    """The global minimiser of g'y + y'Lambda y/2 over the ball, the hard case too."""
    radius, lowest = model.radius, values[0]
    if lowest > 0:
        y = _shifted(values, slopes, 0 * lowest)
        if _norm(y, model.arithmetic) <= radius:
            return y
    low = -lowest if lowest < 0 else 0 * lowest
    if all(g == 0 for v, g in zip(values, slopes, strict=True) if not v + low > 0):
        y = _shifted(values, slopes, low)
        spare = radius * radius - _dot(y, y)
        if spare >= 0:
            if lowest < 0:
                y[0] = model.arithmetic.sqrt(spare)
            return y
    return _secular(values, slopes, radius, low, model)


def exact_step(model: Model) -> list[Real]:
    """Return the global minimiser of the model, which is as good as both points of Assumption 2.

    Of two it is the one along the positive leftmost eigenvector.
    """
    n = len(model.gradient)
    roots = [model.arithmetic.sqrt(a) for a in model.diagonal]
    scaled = [[model.hessian[i][j] / (roots[i] * roots[j]) for j in range(n)] for i in range(n)]
    values, vectors = model.arithmetic.eigenpairs(scaled)
    weighted = [g / r for g, r in zip(model.gradient, roots, strict=True)]
    y = _minimiser(values, [_dot(v, weighted) for v in vectors], model)
    return [sum(c * v[i] for c, v in zip(y, vectors, strict=True)) / roots[i] for i in range(n)]


def _euclidean(gradient: Vector, diagonal: Vector, arithmetic: Arithmetic) -> Real:
    return _norm(gradient, arithmetic)


def _unchanged(hessian: list[list[Real]]) -> list[list[Real]]:
    return hessian


def _line_8(exponent: int, taken: bool) -> int:
    return exponent + 1 if taken else exponent - 1


@dataclass(frozen=True)
class Algorithm:
    """Algorithm 1 with its parameters, and with parts that a saboteur may replace.

    Attributes
    ----------
    eps_g, eps_H, eta, gamma, radius : float
        As printed; `radius` is the first one.
    side : str
        Which of s and -s is taken where the model, its gradient zero, tells no difference:
        "plus" or "minus" as the inner solver happens to have it, or "lower", whose value of
        the objective is lower.
    zeroes : bool
        Line 4.
    step : callable
        From a model to a step that satisfies Assumption 2.
    length : callable
        The length of g that `eps_g` is compared with.
    curvature : callable
        What the model takes for the Hessian.
    accepts : callable
        From ratio and eta to whether a step is taken.
    exponent : callable
        The next j of the radius, from this one and from whether the step was taken.
    """

    eps_g: float
    eps_H: float
    eta: float = 0.1
    gamma: float = 2.0
    radius: float = 1.0
    side: str = "lower"
    zeroes: bool = True
    step: Callable[[Model], list[Real]] = exact_step
    length: Callable[[Vector, Vector, Arithmetic], Real] = _euclidean
    curvature: Callable[[list[list[Real]]], list[list[Real]]] = _unchanged
    accepts: Callable[[Real, float], bool] = lambda ratio, eta: bool(ratio >= eta)
    exponent: Callable[[int, bool], int] = _line_8


class Iteration(NamedTuple):
    """One iteration: what was tried, and what came of it.

    `curved` is whether the gradient of the model was set to zero.
    """

    point: list[Real]
    radius: Real
    curved: bool
    predicted: Real
    actual: Real
    ratio: Real
    taken: bool


class Run(NamedTuple):
    """A run: its iterations, whether the test ended it, and where."""

    rows: list[Iteration]
    ended: bool
    point: list[Real]


#: From the iteration, the gradient and the Hessian to what the model is made with.
Approximations = Callable[[int, list[Real], list[list[Real]]], tuple[list[Real], list[list[Real]]]]


def _exactly(
    t: int, gradient: list[Real], hessian: list[list[Real]]
) -> tuple[list[Real], list[list[Real]]]:
    return gradient, hessian


def _power(radius: Real, gamma: Real, exponent: int) -> Real:
    try:
        return radius * gamma**exponent
    except OverflowError:
        return math.inf


def _sided(algorithm: Algorithm, objective: Objective, w: Vector, s: list[Real]) -> list[Real]:
    """s or -s."""
    other = [-x for x in s]
    if algorithm.side == "minus":
        return other
    if algorithm.side == "lower":
        here, there = (
            objective.value([a + b for a, b in zip(w, x, strict=True)]) for x in (s, other)
        )
        return s if here <= there else other
    return s


def _tried(
    algorithm: Algorithm,
    objective: Objective,
    model: Model,
    here: tuple[list[Real], Real],
    *,
    curved: bool,
) -> tuple[Iteration, list[Real], Real]:
    """The iteration, the point that it tries, and L there."""
    w, value = here
    s = algorithm.step(model)
    if curved:
        s = _sided(algorithm, objective, w, s)
    bent = [_dot(row, s) for row in model.hessian]
    predicted = -(_dot(model.gradient, s) + _dot(s, bent) / 2)
    trial = [a + b for a, b in zip(w, s, strict=True)]
    reached = objective.value(trial)
    actual = value - reached
    ratio = actual / predicted if predicted > 0 else math.nan
    taken = algorithm.accepts(ratio, algorithm.eta)
    row = Iteration(w, model.radius, curved, predicted, actual, ratio, taken)
    return row, trial, reached


def run(
    algorithm: Algorithm,
    objective: Objective,
    start: Sequence[float],
    norm: NormRule,
    arithmetic: Arithmetic,
    *,
    limit: int,
    approximations: Approximations = _exactly,
    least: float = 0.0,
) -> Run:
    """Run Algorithm 1 until ||g_t|| <= eps_g and lambda_min(B_t) >= -eps_H.

    It is given up after `limit` iterations, or after one whose radius is below `least`.
    """
    w = [arithmetic.number(x) for x in start]
    first, gamma = arithmetic.number(algorithm.radius), arithmetic.number(algorithm.gamma)
    value, exponent, state = objective.value(w), 0, None
    rows: list[Iteration] = []
    for t in range(limit):
        gradient, hessian = approximations(t, objective.gradient(w), objective.hessian(w))
        _, current = norm(state, gradient)
        small = algorithm.length(gradient, current, arithmetic) <= algorithm.eps_g
        if small and arithmetic.eigenpairs(hessian)[0][0] >= -algorithm.eps_H:
            return Run(rows, True, w)
        curved = bool(small and algorithm.zeroes)
        if curved:
            gradient = [0 * g for g in gradient]  # line 4, before A_t is made
        state, diagonal = norm(state, gradient)
        radius = _power(first, gamma, exponent)
        model = Model(gradient, algorithm.curvature(hessian), diagonal, radius, arithmetic)
        row, trial, reached = _tried(algorithm, objective, model, (w, value), curved=curved)
        rows.append(row)
        if row.taken:
            w, value = trial, reached
        exponent = algorithm.exponent(exponent, row.taken)
        if radius < least:
            break
    return Run(rows, False, w)
