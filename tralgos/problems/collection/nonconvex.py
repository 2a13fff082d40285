"""Scalable problems that meet negative curvature: waves, bells and scattered sums.

As collected in CUTEst and by Lukšan, Matonoha and Vlček (Report 1081, Prague, 2010);
sources of their own are named at each problem.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.problems.collection.jets import cos, exp, sin
from tralgos.problems.collection.problem import CollectionProblem, Entry, multiple
from tralgos.problems.collection.quartics import scattered
from tralgos.problems.collection.separable import Separable, elements

__all__ = ["entries"]

#: The positive root of t = 2 sin t, where t^2 + 4 cos t is least.
_WAVE = 1.895494267033981


def cosine(n: int) -> CollectionProblem:
    """cos(x_i^2 - x_{i+1}/2), i < n; started at 1. CUTEst's COSINE."""
    i = np.arange(n - 1)
    f = Separable(n, terms=[elements(lambda a, b: cos(a**2 - 0.5 * b), i, i + 1)])
    return CollectionProblem(f, np.ones(n), name="cosine", optimal_value=1.0 - n)


def eg2(n: int) -> CollectionProblem:
    """sin(x_1 + x_i^2 - 1), i < n, and sin(x_n^2)/2; started at 0. CUTEst's EG2.

    Conn, Gould and Toint (LANCELOT, 1992), section 1.2.4; many local minima.
    """
    i = np.arange(n - 1)
    f = Separable(
        n,
        terms=[
            elements(lambda a, x: sin(a + x**2 - 1.0), 0, i),
            elements(lambda z: 0.5 * sin(z**2), n - 1),
        ],
    )
    # Every argument is 3 pi / 2 there.
    minimiser = np.full(n, 0.5 * (math.sqrt(5.0 + 6.0 * math.pi) - 1.0))
    minimiser[-1] = math.sqrt(1.5 * math.pi)
    return CollectionProblem(
        f, np.zeros(n), name="eg2", minimisers=[minimiser], optimal_value=0.5 - n
    )


def schmvett(n: int) -> CollectionProblem:
    """The chained problem of Schmidt and Vetters (1970); started at 3. CUTEst's SCHMVETT.

    Each of its n - 2 terms is -1 three times at best, and all of them are so at
    x_i = pi / (pi + 1).
    """

    def term(a: Any, b: Any, c: Any) -> Any:
        bell = 1.0 / (1.0 + (a - b) ** 2)
        return -bell - sin(0.5 * (math.pi * b + c)) - exp(-(((a + c) / b - 2.0) ** 2))

    i = np.arange(n - 2)
    f = Separable(n, terms=[elements(term, i, i + 1, i + 2)])
    minimiser = np.full(n, math.pi / (math.pi + 1.0))
    return CollectionProblem(
        f,
        np.full(n, 3.0),
        name="schmvett",
        minimisers=[minimiser],
        optimal_value=-3.0 * (n - 2),
    )


def tointgss(n: int) -> CollectionProblem:
    """(c + x_{i+2}^2) (2 - exp(-(x_i - x_{i+1})^2 / (0.1 + x_{i+2}^2))), c = 10/(n + 2).

    Started at 3. Toint (Report 83/4), problem 21, CUTEst's TOINTGSS.
    """
    c = 10.0 / (n + 2.0)

    def term(a: Any, b: Any, z: Any) -> Any:
        return (c + z**2) * (2.0 - exp(-((a - b) ** 2) / (0.1 + z**2)))

    i = np.arange(n - 2)
    f = Separable(n, terms=[elements(term, i, i + 1, i + 2)])
    return CollectionProblem(
        f,
        np.full(n, 3.0),
        name="tointgss",
        minimisers=[np.zeros(n)],
        optimal_value=c * (n - 2),
    )


def curly10(n: int) -> CollectionProblem:
    """s_i (s_i (s_i^2 - 20) - 0.1), s_i = x_i + ... + x_{i+10}; started at 1e-4 i / (n + 1).

    CUTEst's CURLY10: indefinite at the start, with a band of ten on each side. The sums
    are free of one another, so that the minimum is n times that of one term.
    """
    width = 11
    i, offset = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(width), indexing="ij"))
    inside = i + offset < n
    rows, columns = i[inside], (i + offset)[inside]
    f = Separable(
        n,
        terms=[elements(lambda s: s * (s * (s**2 - 20.0) - 0.1), n + np.arange(n))],
        inner=[elements(lambda x: x, columns, into=rows)],
        sums=n,
    )
    # The largest root of the cubic 4s^3 - 40s - 0.1.
    s = 2.0 * math.sqrt(10.0 / 3.0) * math.cos(math.acos(0.00375 * math.sqrt(0.3)) / 3.0)
    minimiser = np.where((n - 1 - np.arange(n)) % width == 0, s, 0.0)
    return CollectionProblem(
        f,
        1e-4 * np.arange(1.0, n + 1.0) / (n + 1),
        name="curly10",
        minimisers=[minimiser],
        optimal_value=n * (s * (s * (s * s - 20.0) - 0.1)),
    )


def _waves(n: int, name: str, second: np.ndarray, third: np.ndarray) -> CollectionProblem:
    """s^2 + 4 cos s over the sums of three components; started at x_i = i."""
    f = Separable(
        n,
        terms=[
            elements(
                lambda a, b, c: (a + b + c) ** 2 + 4.0 * cos(a + b + c),
                np.arange(n),
                second,
                third,
            )
        ],
    )
    return CollectionProblem(
        f,
        np.arange(1.0, n + 1.0),
        name=name,
        minimisers=[np.full(n, _WAVE / 3.0)],
        optimal_value=n * (_WAVE**2 + 4.0 * math.cos(_WAVE)),
    )


def noncvxun(n: int) -> CollectionProblem:
    """s_i^2 + 4 cos s_i, s_i = x_i + x_j + x_k for j = 2i, k = 3i mod n. CUTEst's NONCVXUN."""
    _, second, third = scattered(n, (2, 3))
    return _waves(n, "noncvxun", second, third)


def noncvxu2(n: int) -> CollectionProblem:
    """As noncvxun with j = 3i - 1, k = 7i - 2 mod n. CUTEst's NONCVXU2."""
    i = np.arange(1, n + 1)
    return _waves(n, "noncvxu2", (3 * i - 2) % n, (7 * i - 3) % n)


def sparsine(n: int) -> CollectionProblem:
    """i/2 (sum of sin x_j over six scattered j)^2; started at 1/2. CUTEst's SPARSINE."""
    weight = np.sqrt(np.arange(1.0, n + 1.0) / 2.0)
    f = Separable(
        n,
        residuals=[
            elements(
                lambda a, *x: weight * sum((sin(b) for b in x), start=sin(a)),
                *scattered(n, (2, 3, 5, 7, 11)),
            )
        ],
    )
    return CollectionProblem(
        f, np.full(n, 0.5), name="sparsine", minimisers=[np.zeros(n)], optimal_value=0.0
    )


def entries() -> tuple[Entry, ...]:
    """The problems of this module."""
    return (
        Entry("cosine", cosine, 100, multiple(1, 2), large=True),
        Entry("eg2", eg2, 100, multiple(1, 2), large=True),
        Entry("schmvett", schmvett, 100, multiple(1, 3), large=True),
        Entry("tointgss", tointgss, 100, multiple(1, 3), large=True),
        Entry("curly10", curly10, 100, multiple(1, 2), large=True),
        Entry("noncvxun", noncvxun, 100, multiple(1, 2), large=True),
        Entry("noncvxu2", noncvxu2, 100, multiple(1, 2), large=True),
        Entry("sparsine", sparsine, 100, multiple(1, 10), large=True),
    )
