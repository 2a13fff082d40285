"""Scalable polynomials, most of degree four: arrowheads, bands and sparse patterns.

From the reports of Toint (83/4, Namur, 1983), Conn, Gould, Lescrenier and Toint (88/4,
Namur, 1988), Li (SIAM J. Numer. Anal. 25, 1988), Oren (1974) and Buckley (1989), as
collected in CUTEst and by Lukšan, Matonoha and Vlček (Report 1081, Prague, 2010).
"""

from __future__ import annotations

import numpy as np

from tralgos.problems.collection.jets import exp, sin, tan
from tralgos.problems.collection.problem import CollectionProblem, Entry, multiple
from tralgos.problems.collection.separable import Separable, elements

__all__ = ["entries"]


def arwhead(n: int) -> CollectionProblem:
    """(x_i^2 + x_n^2)^2 - 4x_i + 3, i < n; started at 1. CUTEst's ARWHEAD."""
    i = np.arange(n - 1)
    f = Separable(n, terms=[elements(lambda a, b: (a**2 + b**2) ** 2 - 4.0 * a + 3.0, i, n - 1)])
    minimiser = np.append(np.ones(n - 1), 0.0)
    return CollectionProblem(
        f, np.ones(n), name="arwhead", minimisers=[minimiser], optimal_value=0.0
    )


def engval1(n: int) -> CollectionProblem:
    """(x_i^2 + x_{i+1}^2)^2 - 4x_i + 3, i < n; started at 2. CUTEst's ENGVAL1."""
    i = np.arange(n - 1)
    f = Separable(n, terms=[elements(lambda a, b: (a**2 + b**2) ** 2 - 4.0 * a + 3.0, i, i + 1)])
    return CollectionProblem(f, np.full(n, 2.0), name="engval1")


def edensch(n: int) -> CollectionProblem:
    """16 + sum (x_i - 2)^4 + (x_i - 2)^2 x_{i+1}^2 + (x_{i+1} + 1)^2; started at 0.

    CUTEst's EDENSCH; the constant belongs to it.
    """
    i = np.arange(n - 1)
    f = Separable(
        n,
        terms=[
            elements(
                lambda a, b: (a - 2.0) ** 4 + (a * b - 2.0 * b) ** 2 + (b + 1.0) ** 2, i, i + 1
            ),
            elements(lambda a: 0.0 * a + 16.0, 0),
        ],
    )
    return CollectionProblem(f, np.zeros(n), name="edensch")


def bdqrtic(n: int) -> CollectionProblem:
    """(3 - 4x_i)^2 + (x_i^2 + 2x_{i+1}^2 + 3x_{i+2}^2 + 4x_{i+3}^2 + 5x_n^2)^2, i < n - 3.

    Started at 1. CUTEst's BDQRTIC.
    """
    i = np.arange(n - 4)
    f = Separable(
        n,
        residuals=[
            elements(lambda a: 3.0 - 4.0 * a, i),
            elements(
                lambda a, b, c, d, e: a**2 + 2.0 * b**2 + 3.0 * c**2 + 4.0 * d**2 + 5.0 * e**2,
                i,
                i + 1,
                i + 2,
                i + 3,
                n - 1,
            ),
        ],
    )
    return CollectionProblem(f, np.ones(n), name="bdqrtic")


def cragglvy(n: int) -> CollectionProblem:
    """The extended Cragg and Levy problem; started at (1, 2, ..., 2). CUTEst's CRAGGLVY."""
    i = np.arange(0, n - 3, 2)
    f = Separable(
        n,
        residuals=[
            elements(lambda a, b: (exp(a) - b) ** 2, i, i + 1),
            elements(lambda b, c: 10.0 * (b - c) ** 3, i + 1, i + 2),
            elements(lambda c, d: (tan(c - d) + c - d) ** 2, i + 2, i + 3),
            elements(lambda a: a**4, i),
            elements(lambda d: d - 1.0, i + 3),
        ],
    )
    start = np.full(n, 2.0)
    start[0] = 1.0
    # With more than four variables the residuals contradict one another.
    single = n == 4
    return CollectionProblem(
        f,
        start,
        name="cragglvy",
        minimisers=[[0.0, 1.0, 1.0, 1.0]] if single else [],
        optimal_value=0.0 if single else None,
    )


def quartc(n: int) -> CollectionProblem:
    """(x_i - i)^4, i = 1, ..., n; started at 2. CUTEst's QUARTC."""
    i = np.arange(n)
    f = Separable(n, residuals=[elements(lambda x: (x - (i + 1.0)) ** 2, i)])
    return CollectionProblem(
        f, np.full(n, 2.0), name="quartc", minimisers=[i + 1.0], optimal_value=0.0
    )


def nondquar(n: int) -> CollectionProblem:
    """(x_1 - x_2)^2 + (x_{n-1} - x_n)^2 + sum (x_i + x_{i+1} + x_n)^4; started at (1, -1, ...).

    CUTEst's NONDQUAR; the Hessian at the minimiser has rank two at most.
    """
    i = np.arange(n - 2)
    f = Separable(
        n,
        residuals=[
            elements(lambda a, b: a - b, np.array([0, n - 2]), np.array([1, n - 1])),
            elements(lambda a, b, c: (a + b + c) ** 2, i, i + 1, n - 1),
        ],
    )
    start = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    return CollectionProblem(f, start, name="nondquar", minimisers=[np.zeros(n)], optimal_value=0.0)


def power(n: int) -> CollectionProblem:
    """(sum i x_i^2)^2; started at 1. Oren's power problem, CUTEst's POWER."""
    i = np.arange(n)
    f = Separable(
        n,
        residuals=[elements(lambda s: s, n)],
        inner=[elements(lambda x: (i + 1.0) * x**2, i, into=0 * i)],
        sums=1,
    )
    return CollectionProblem(
        f, np.ones(n), name="power", minimisers=[np.zeros(n)], optimal_value=0.0
    )


def sinquad(n: int) -> CollectionProblem:
    """(x_1 - 1)^4 + (x_n^2 - x_1^2)^2 + sum (sin(x_i - x_n) - x_1^2 + x_i^2)^2, 1 < i < n.

    Started at 0.1. CUTEst's SINQUAD as printed by Lukšan, Matonoha and Vlček.
    """
    i = np.arange(1, n - 1)
    f = Separable(
        n,
        residuals=[
            elements(lambda a: (a - 1.0) ** 2, 0),
            elements(lambda a, z: z**2 - a**2, 0, n - 1),
            elements(lambda a, x, z: sin(x - z) - a**2 + x**2, 0, i, n - 1),
        ],
    )
    return CollectionProblem(
        f, np.full(n, 0.1), name="sinquad", minimisers=[np.ones(n)], optimal_value=0.0
    )


def scattered(n: int, factors: tuple[int, ...]) -> list[np.ndarray]:
    """The components i and (q i - 1 mod n) + 1 for the factors q, counted from zero."""
    i = np.arange(1, n + 1)
    return [i - 1, *((q * i - 1) % n for q in factors)]


def sparsqur(n: int) -> CollectionProblem:
    """i/8 (sum of x_j^2 over six scattered j)^2; started at 1/2. CUTEst's SPARSQUR."""
    weight = np.sqrt(np.arange(1.0, n + 1.0) / 8.0)
    f = Separable(
        n,
        residuals=[
            elements(
                lambda a, *x: weight * sum((b**2 for b in x), start=a**2),
                *scattered(n, (2, 3, 5, 7, 11)),
            )
        ],
    )
    return CollectionProblem(
        f, np.full(n, 0.5), name="sparsqur", minimisers=[np.zeros(n)], optimal_value=0.0
    )


def entries() -> tuple[Entry, ...]:
    """The problems of this module."""
    return (
        Entry("arwhead", arwhead, 100, multiple(1, 2), large=True),
        Entry("engval1", engval1, 100, multiple(1, 2), large=True),
        Entry("edensch", edensch, 100, multiple(1, 2), large=True),
        Entry("bdqrtic", bdqrtic, 100, multiple(1, 5), large=True),
        Entry("cragglvy", cragglvy, 100, multiple(2, 4), large=True),
        Entry("quartc", quartc, 100, multiple(1), large=True),
        Entry("nondquar", nondquar, 100, multiple(1, 3), large=True),
        Entry("power", power, 100, multiple(1), large=True),
        Entry("sinquad", sinquad, 100, multiple(1, 3), large=True),
        Entry("sparsqur", sparsqur, 100, multiple(1, 10), large=True),
    )
