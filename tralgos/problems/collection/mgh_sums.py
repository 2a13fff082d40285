"""Problems of Moré, Garbow and Hillstrom (1981) in any number of variables with inner sums.

Penalty I and II (23, 24), variably dimensioned (25), trigonometric (26), Brown's almost
linear (27), the discrete integral equation (29), the linear ones (32 to 34) and Chebyquad
(35). Their Hessians are full; where the sums are few a product still costs O(n).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.problems.collection.jets import cos, exp, product, sin
from tralgos.problems.collection.problem import CollectionProblem, Entry, between, multiple
from tralgos.problems.collection.separable import Separable, elements

__all__ = ["entries"]


def penalty_1(n: int) -> CollectionProblem:
    """Problem 23: sqrt(a) (x_i - 1), a = 1e-5, and sum x_j^2 - 1/4."""
    i = np.arange(n)
    f = Separable(
        n,
        residuals=[
            elements(lambda x: math.sqrt(1e-5) * (x - 1.0), i),
            elements(lambda s: s - 0.25, n),
        ],
        inner=[elements(lambda x: x**2, i, into=0 * i)],
        sums=1,
    )
    known = {4: 2.24997750090e-5, 10: 7.08765146709e-5}
    return CollectionProblem(f, i + 1.0, name="penalty-1", optimal_value=known.get(n))


def penalty_2(n: int) -> CollectionProblem:
    """Problem 24, 2 <= n <= 1000; the data grow as exp(n/10)."""
    a = math.sqrt(1e-5)
    j = np.arange(n)
    i = np.arange(1, n)
    y = np.exp((i + 1) / 10.0) + np.exp(i / 10.0)
    weight = n - j.astype(np.float64)
    f = Separable(
        n,
        residuals=[
            elements(lambda x: x - 0.2, 0),
            elements(lambda p, q: a * (exp(0.1 * q) + exp(0.1 * p) - y), i - 1, i),
            elements(lambda x: a * (exp(0.1 * x) - math.exp(-0.1)), i),
            elements(lambda s: s - 1.0, n),
        ],
        inner=[elements(lambda x: weight * x**2, j, into=0 * j)],
        sums=1,
    )
    known = {4: 9.37629300736e-6, 10: 2.93660537457e-4}
    return CollectionProblem(f, np.full(n, 0.5), name="penalty-2", optimal_value=known.get(n))


def variably_dimensioned(n: int) -> CollectionProblem:
    """Problem 25: x_i - 1, s and s^2 with s = sum j (x_j - 1)."""
    j = np.arange(n)
    f = Separable(
        n,
        residuals=[
            elements(lambda x: x - 1.0, j),
            elements(lambda s: s, n),
            elements(lambda s: s**2, n),
        ],
        inner=[elements(lambda x: (j + 1.0) * (x - 1.0), j, into=0 * j)],
        sums=1,
    )
    return CollectionProblem(
        f,
        1.0 - (j + 1.0) / n,
        name="variably-dimensioned",
        minimisers=[np.ones(n)],
        optimal_value=0.0,
    )


def trigonometric(n: int) -> CollectionProblem:
    """Problem 26: n - sum cos x_j + i (1 - cos x_i) - sin x_i."""
    j = np.arange(n)
    f = Separable(
        n,
        residuals=[elements(lambda s, x: n - s + (j + 1.0) * (1.0 - cos(x)) - sin(x), n, j)],
        inner=[elements(cos, j, into=0 * j)],
        sums=1,
    )
    return CollectionProblem(
        f, np.full(n, 1.0 / n), name="trigonometric", minimisers=[np.zeros(n)], optimal_value=0.0
    )


def brown_almost_linear(n: int) -> CollectionProblem:
    """Problem 27, 2 <= n <= 100; 1 is a local minimum, at (0, ..., 0, n + 1)."""
    i = np.arange(n - 1)
    j = np.arange(n)
    f = Separable(
        n,
        residuals=[
            elements(lambda x, s: x + s - (n + 1.0), i, n),
            elements(lambda *x: product(list(x)) - 1.0, *range(n)),
        ],
        inner=[elements(lambda x: x, j, into=0 * j)],
        sums=1,
    )
    return CollectionProblem(
        f,
        np.full(n, 0.5),
        name="brown-almost-linear",
        minimisers=[np.ones(n)],
        optimal_value=0.0,
    )


def discrete_integral(n: int) -> CollectionProblem:
    """Problem 29: x_i plus a Green's function applied to (x_j + t_j + 1)^3."""
    h = 1.0 / (n + 1)
    t = h * np.arange(1.0, n + 1.0)
    i, j = (index.ravel() for index in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    kernel = 0.5 * h * np.where(j <= i, (1.0 - t[i]) * t[j], t[i] * (1.0 - t[j]))
    shift = t[j] + 1.0
    f = Separable(
        n,
        residuals=[elements(lambda x, s: x + s, np.arange(n), n + np.arange(n))],
        inner=[elements(lambda x: kernel * (x + shift) ** 3, j, into=i)],
        sums=n,
    )
    return CollectionProblem(f, t * (t - 1.0), name="discrete-integral", optimal_value=0.0)


def linear_full_rank(n: int) -> CollectionProblem:
    """Problem 32 with m = 2n: x_i - 2/m sum x_j - 1, and n times -2/m sum x_j - 1."""
    m = 2 * n
    j = np.arange(n)
    f = Separable(
        n,
        residuals=[
            elements(lambda x, s: x - (2.0 / m) * s - 1.0, j, n),
            elements(lambda s: (-2.0 / m) * s - 1.0, n, into=j),
        ],
        inner=[elements(lambda x: x, j, into=0 * j)],
        sums=1,
    )
    return CollectionProblem(
        f,
        np.ones(n),
        name="linear-full-rank",
        minimisers=[-np.ones(n)],
        optimal_value=float(m - n),
    )


def linear_rank_1(n: int) -> CollectionProblem:
    """Problem 33 with m = 2n: i sum j x_j - 1."""
    m = 2 * n
    j = np.arange(n)
    i = np.arange(1.0, m + 1.0)
    f = Separable(
        n,
        residuals=[elements(lambda s: i * s - 1.0, n, into=0 * i)],
        inner=[elements(lambda x: (j + 1.0) * x, j, into=0 * j)],
        sums=1,
    )
    # At any point with sum j x_j = 3 / (2m + 1).
    x = np.zeros(n)
    x[0] = 3.0 / (2 * m + 1)
    return CollectionProblem(
        f,
        np.ones(n),
        name="linear-rank-1",
        minimisers=[x],
        optimal_value=m * (m - 1) / (2.0 * (2 * m + 1)),
    )


def linear_rank_1_zeros(n: int) -> CollectionProblem:
    """Problem 34 with m = 2n: as 33, the first and last rows and columns zero."""
    m = 2 * n
    j = np.arange(1, n - 1)
    i = np.arange(1.0, m - 1.0)
    f = Separable(
        n,
        residuals=[
            elements(lambda s: i * s - 1.0, n, into=0 * i),
            elements(lambda s: 0.0 * s - 1.0, n, into=np.zeros(2)),
        ],
        inner=[elements(lambda x: (j + 1.0) * x, j, into=0 * j)],
        sums=1,
    )
    # At any point with sum j x_j = 3 / (2m - 3).
    x = np.zeros(n)
    x[1] = 1.5 / (2 * m - 3)
    return CollectionProblem(
        f,
        np.ones(n),
        name="linear-rank-1-zeros",
        minimisers=[x],
        optimal_value=(m * m + 3 * m - 6) / (2.0 * (2 * m - 3)),
    )


def _chebyshev(degree: int, x: Any) -> Any:
    """The Chebyshev polynomial of [0, 1], by its recurrence: cosines would stop at the ends."""
    t = 2.0 * x - 1.0
    before, now = 0.0 * t + 1.0, t
    for _ in range(degree - 1):
        before, now = now, 2.0 * t * now - before
    return now


def chebyquad(n: int) -> CollectionProblem:
    """Problem 35 with m = n: nodes x of equal weights that integrate T_1, ..., T_n exactly.

    They exist for n <= 7 and n = 9 only. For n = 10 the paper's 6.50395e-3 is a local
    minimum: 4.77271369638e-3 is reached from the usual start.
    """
    j = np.arange(n)
    degree = np.arange(1, n + 1)
    integral = np.where(degree % 2 == 0, -1.0 / (degree**2.0 - 1.0 + (degree == 1)), 0.0)
    f = Separable(
        n,
        residuals=[elements(lambda s: s - integral, n + j)],
        inner=[
            elements(lambda x, d=d: _chebyshev(d, x) / n, j, into=0 * j + d - 1)
            for d in range(1, n + 1)
        ],
        sums=n,
    )
    known = {8: 3.51687372568e-3, 10: 4.77271369638e-3} | dict.fromkeys(
        (1, 2, 3, 4, 5, 6, 7, 9), 0.0
    )
    return CollectionProblem(f, (j + 1.0) / (n + 1.0), name="chebyquad", optimal_value=known.get(n))


def entries() -> tuple[Entry, ...]:
    """The problems of this module, with their numbers in the paper."""
    return (
        Entry("penalty-1", penalty_1, 10, multiple(1), large=True, number=23),
        Entry("penalty-2", penalty_2, 10, between(2, 1000), number=24),
        Entry("variably-dimensioned", variably_dimensioned, 10, multiple(1), True, 25),
        Entry("trigonometric", trigonometric, 10, multiple(1), large=True, number=26),
        Entry("brown-almost-linear", brown_almost_linear, 10, between(2, 100), number=27),
        Entry("discrete-integral", discrete_integral, 10, multiple(1), number=29),
        Entry("linear-full-rank", linear_full_rank, 10, multiple(1), large=True, number=32),
        Entry("linear-rank-1", linear_rank_1, 10, multiple(1), large=True, number=33),
        Entry("linear-rank-1-zeros", linear_rank_1_zeros, 10, multiple(1, 3), True, 34),
        Entry("chebyquad", chebyquad, 8, between(1, 100), number=35),
    )
