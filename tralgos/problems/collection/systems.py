"""Sparse nonlinear systems as least squares, in any number of variables.

From Moré, Garbow and Hillstrom (1981) the extended Rosenbrock (21) and Powell singular
(22) functions, the discrete boundary value problem (28), and Broyden's tridiagonal (30)
and banded (31) functions; and chains of small residuals from Toint (Report 83/4, Namur,
1983), Shanno (1978), Fletcher (1995) and Conn, Gould and Toint (Math. Comp. 50, 1988).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.problems.collection.problem import CollectionProblem, Entry, multiple
from tralgos.problems.collection.separable import Elements, Separable, elements

__all__ = ["entries"]


def extended_rosenbrock(n: int) -> CollectionProblem:
    """Problem 21: problem 1 in each pair of variables."""
    i = np.arange(0, n, 2)
    f = Separable(
        n,
        residuals=[
            elements(lambda a, b: 10.0 * (b - a**2), i, i + 1),
            elements(lambda a: 1.0 - a, i),
        ],
    )
    return CollectionProblem(
        f,
        np.tile([-1.2, 1.0], n // 2),
        name="extended-rosenbrock",
        minimisers=[np.ones(n)],
        optimal_value=0.0,
    )


def extended_powell(n: int) -> CollectionProblem:
    """Problem 22: problem 13 in each four variables."""
    i = np.arange(0, n, 4)
    f = Separable(
        n,
        residuals=[
            elements(lambda a, b: a + 10.0 * b, i, i + 1),
            elements(lambda c, d: math.sqrt(5.0) * (c - d), i + 2, i + 3),
            elements(lambda b, c: (b - 2.0 * c) ** 2, i + 1, i + 2),
            elements(lambda a, d: math.sqrt(10.0) * (a - d) ** 2, i, i + 3),
        ],
    )
    return CollectionProblem(
        f,
        np.tile([3.0, -1.0, 0.0, 1.0], n // 4),
        name="extended-powell",
        minimisers=[np.zeros(n)],
        optimal_value=0.0,
    )


def discrete_boundary(n: int) -> CollectionProblem:
    """Problem 28: 2x_i - x_{i-1} - x_{i+1} + h^2 (x_i + t_i + 1)^3 / 2 (CUTEst: MOREBV)."""
    h = 1.0 / (n + 1)
    t = h * np.arange(1.0, n + 1.0)

    def residual(left: Any, x: Any, right: Any, i: Any) -> Any:
        return 2.0 * x - left - right + 0.5 * h * h * (x + (t[i] + 1.0)) ** 3

    f = Separable(n, residuals=_three_point(n, residual))
    return CollectionProblem(f, t * (t - 1.0), name="discrete-boundary", optimal_value=0.0)


def broyden_tridiagonal(n: int) -> CollectionProblem:
    """Problem 30: (3 - 2x_i) x_i - x_{i-1} - 2x_{i+1} + 1."""

    def residual(left: Any, x: Any, right: Any, i: Any) -> Any:
        return (3.0 - 2.0 * x) * x - left - 2.0 * right + 1.0

    f = Separable(n, residuals=_three_point(n, residual))
    return CollectionProblem(f, -np.ones(n), name="broyden-tridiagonal", optimal_value=0.0)


def broyden_banded(n: int) -> CollectionProblem:
    """Problem 31: x_i (2 + 5x_i^2) + 1 - sum x_j (1 + x_j), i - 5 <= j <= i + 1, j != i."""
    i = np.arange(n)
    inner = []
    for offset in (-5, -4, -3, -2, -1, 1):
        rows = i[(i + offset >= 0) & (i + offset < n)]
        inner.append(elements(lambda x: x * (1.0 + x), rows + offset, into=rows))
    f = Separable(
        n,
        residuals=[elements(lambda x, s: x * (2.0 + 5.0 * x**2) + 1.0 - s, i, n + i)],
        inner=inner,
        sums=n,
    )
    return CollectionProblem(f, -np.ones(n), name="broyden-banded", optimal_value=0.0)


def _three_point(n: int, residual: Any) -> list[Elements]:
    """Residuals (x_{i-1}, x_i, x_{i+1}, i) with zeros beyond both ends."""
    first, last, i = 0, n - 1, np.arange(1, n - 1)
    return [
        elements(lambda x, right: residual(0.0, x, right, first), first, first + 1),
        elements(lambda left, x, right: residual(left, x, right, i), i - 1, i, i + 1),
        elements(lambda left, x: residual(left, x, 0.0, last), last - 1, last),
    ]


def chained_rosenbrock(n: int) -> CollectionProblem:
    """100 (x_i^2 - x_{i+1})^2 + (x_i - 1)^2, i < n; started at (-1.2, 1, -1.2, 1, ...)."""
    i = np.arange(n - 1)
    f = Separable(
        n,
        residuals=[
            elements(lambda a, b: 10.0 * (a**2 - b), i, i + 1),
            elements(lambda a: a - 1.0, i),
        ],
    )
    start = np.where(np.arange(n) % 2 == 0, -1.2, 1.0)
    return CollectionProblem(
        f, start, name="chained-rosenbrock", minimisers=[np.ones(n)], optimal_value=0.0
    )


def fletchcr(n: int) -> CollectionProblem:
    """100 (x_{i+1} - x_i + 1 - x_i^2)^2, i < n; started at 0. CUTEst's FLETCHCR."""
    i = np.arange(n - 1)
    f = Separable(n, residuals=[elements(lambda a, b: 10.0 * (b - a + 1.0 - a**2), i, i + 1)])
    return CollectionProblem(
        f, np.zeros(n), name="fletchcr", minimisers=[np.ones(n)], optimal_value=0.0
    )


def freuroth(n: int) -> CollectionProblem:
    """Problem 2 in each pair of neighbours; started at (0.5, -2, 0, ..., 0)."""
    i = np.arange(n - 1)
    f = Separable(
        n,
        residuals=[
            elements(lambda a, b: ((5.0 - b) * b - 2.0) * b + a - 13.0, i, i + 1),
            elements(lambda a, b: ((b + 1.0) * b - 14.0) * b + a - 29.0, i, i + 1),
        ],
    )
    start = np.zeros(n)
    start[:2] = 0.5, -2.0
    # Two variables are problem 2; with more the pairs contradict one another.
    pair = n == 2
    return CollectionProblem(
        f,
        start,
        name="freuroth",
        minimisers=[[5.0, 4.0]] if pair else [],
        optimal_value=0.0 if pair else None,
    )


def liarwhd(n: int) -> CollectionProblem:
    """4 (x_i^2 - x_1)^2 + (x_i - 1)^2, i = 1, ..., n; started at 4. CUTEst's LIARWHD."""
    i = np.arange(n)
    f = Separable(
        n,
        residuals=[
            elements(lambda x, a: 2.0 * (x**2 - a), i, 0),
            elements(lambda x: x - 1.0, i),
        ],
    )
    return CollectionProblem(
        f, np.full(n, 4.0), name="liarwhd", minimisers=[np.ones(n)], optimal_value=0.0
    )


def nondia(n: int) -> CollectionProblem:
    """(x_1 - 1)^2 + 100 sum_{i > 1} (x_1 - x_i^2)^2; started at -1. Shanno (1978)."""
    i = np.arange(1, n)
    f = Separable(
        n,
        residuals=[
            elements(lambda a: a - 1.0, 0),
            elements(lambda a, x: 10.0 * (a - x**2), 0, i),
        ],
    )
    return CollectionProblem(
        f, -np.ones(n), name="nondia", minimisers=[np.ones(n)], optimal_value=0.0
    )


def tridia(n: int) -> CollectionProblem:
    """(x_1 - 1)^2 + sum_{i > 1} i (2x_i - x_{i-1})^2; started at 1. Toint, problem 8."""
    i = np.arange(1, n)
    root = np.sqrt(i + 1.0)
    f = Separable(
        n,
        residuals=[
            elements(lambda a: a - 1.0, 0),
            elements(lambda a, b: root * (2.0 * b - a), i - 1, i),
        ],
    )
    return CollectionProblem(
        f,
        np.ones(n),
        name="tridia",
        minimisers=[0.5 ** np.arange(n)],
        optimal_value=0.0,
    )


def dqdrtic(n: int) -> CollectionProblem:
    """x_i^2 + 100 (x_{i+1}^2 + x_{i+2}^2), i < n - 1; started at 3. Toint, problem 22."""
    i = np.arange(n - 2)
    f = Separable(
        n,
        residuals=[
            elements(lambda a: a, i),
            elements(lambda a: 10.0 * a, i + 1),
            elements(lambda a: 10.0 * a, i + 2),
        ],
    )
    return CollectionProblem(
        f, np.full(n, 3.0), name="dqdrtic", minimisers=[np.zeros(n)], optimal_value=0.0
    )


def _wood(n: int, i: np.ndarray) -> Separable:
    """The six residuals of Wood's function in variables i, ..., i + 3, for each i."""
    return Separable(
        n,
        residuals=[
            elements(lambda a, b: 10.0 * (b - a**2), i, i + 1),
            elements(lambda a: 1.0 - a, i),
            elements(lambda c, d: math.sqrt(90.0) * (d - c**2), i + 2, i + 3),
            elements(lambda c: 1.0 - c, i + 2),
            elements(lambda b, d: math.sqrt(10.0) * (b + d - 2.0), i + 1, i + 3),
            elements(lambda b, d: math.sqrt(0.1) * (b - d), i + 1, i + 3),
        ],
    )


def woods(n: int) -> CollectionProblem:
    """Wood's function in each four variables; started at (-3, -1, -3, -1, ...)."""
    return CollectionProblem(
        _wood(n, np.arange(0, n, 4)),
        np.tile([-3.0, -1.0], n // 2),
        name="woods",
        minimisers=[np.ones(n)],
        optimal_value=0.0,
    )


def chained_wood(n: int) -> CollectionProblem:
    """Wood's function in overlapping fours; started at (-3, -1, -3, -1, -2, ..., -2).

    CUTEst's CHAINWOO less its constant 1.
    """
    start = np.full(n, -2.0)
    start[:4] = -3.0, -1.0, -3.0, -1.0
    return CollectionProblem(
        _wood(n, np.arange(0, n - 3, 2)),
        start,
        name="chained-wood",
        minimisers=[np.ones(n)],
        optimal_value=0.0,
    )


def entries() -> tuple[Entry, ...]:
    """The problems of this module, with their numbers in the paper where they have one."""
    return (
        Entry("extended-rosenbrock", extended_rosenbrock, 10, multiple(2, 2), True, 21),
        Entry("extended-powell", extended_powell, 12, multiple(4, 4), True, 22),
        Entry("discrete-boundary", discrete_boundary, 10, multiple(1, 3), True, 28),
        Entry("broyden-tridiagonal", broyden_tridiagonal, 10, multiple(1, 3), True, 30),
        Entry("broyden-banded", broyden_banded, 10, multiple(1, 2), True, 31),
        Entry("chained-rosenbrock", chained_rosenbrock, 100, multiple(1, 2), large=True),
        Entry("fletchcr", fletchcr, 100, multiple(1, 2), large=True),
        Entry("freuroth", freuroth, 100, multiple(1, 2), large=True),
        Entry("liarwhd", liarwhd, 100, multiple(1), large=True),
        Entry("nondia", nondia, 100, multiple(1, 2), large=True),
        Entry("tridia", tridia, 100, multiple(1, 2), large=True),
        Entry("dqdrtic", dqdrtic, 100, multiple(1, 3), large=True),
        Entry("woods", woods, 100, multiple(4, 4), large=True),
        Entry("chained-wood", chained_wood, 100, multiple(4, 4), large=True),
    )
