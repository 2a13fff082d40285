"""The formulas of the collection as they are printed, in loops and one-based indices.

A second transcription, to hold the vectorised one against.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["PRINTED", "OneBased"]


class OneBased:
    """A vector with the indices of print; out of range is an error, not the other end."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = [float(v) for v in x]

    def __getitem__(self, i: int) -> float:
        assert 1 <= i <= len(self.x)
        return self.x[i - 1]


def span(first: int, last: int) -> range:
    return range(first, last + 1)


def dixmaan(x: OneBased, n: int, beta: float, gamma: float, p: int) -> float:
    m = n // 3
    return (
        1
        + sum((i / n) ** p * x[i] ** 2 for i in span(1, n))
        + sum(beta * x[i] ** 2 * (x[i + 1] + x[i + 1] ** 2) ** 2 for i in span(1, n - 1))
        + sum(gamma * x[i] ** 2 * x[i + m] ** 4 for i in span(1, 2 * m))
        + sum(gamma * (i / n) ** p * x[i] * x[i + 2 * m] for i in span(1, m))
    )


def watson(x: OneBased, n: int) -> float:
    total = x[1] ** 2 + (x[2] - x[1] ** 2 - 1) ** 2
    for t in (i / 29 for i in span(1, 29)):
        slope = sum((j - 1) * x[j] * t ** (j - 2) for j in span(2, n))
        total += (slope - sum(x[j] * t ** (j - 1) for j in span(1, n)) ** 2 - 1) ** 2
    return total


def penalty_2(x: OneBased, n: int) -> float:
    def y(i: int) -> float:
        return math.exp(i / 10) + math.exp((i - 1) / 10)

    e = [math.exp(x[i] / 10) for i in span(1, n)]
    return (
        (x[1] - 0.2) ** 2
        + 1e-5 * sum((e[i - 1] + e[i - 2] - y(i)) ** 2 for i in span(2, n))
        + 1e-5 * sum((e[i - 1] - math.exp(-0.1)) ** 2 for i in span(2, n))
        + (sum((n - j + 1) * x[j] ** 2 for j in span(1, n)) - 1) ** 2
    )


def discrete_integral(x: OneBased, n: int) -> float:
    h = 1 / (n + 1)
    cube = [(x[j] + j * h + 1) ** 3 for j in span(1, n)]
    total = 0.0
    for i in span(1, n):
        left = sum(j * h * cube[j - 1] for j in span(1, i))
        right = sum((1 - j * h) * cube[j - 1] for j in span(i + 1, n))
        total += (x[i] + h * ((1 - i * h) * left + i * h * right) / 2) ** 2
    return total


def with_ends(x: OneBased, n: int) -> list[float]:
    return [0.0, *(x[i] for i in span(1, n)), 0.0]


def discrete_boundary(x: OneBased, n: int) -> float:
    h, u = 1 / (n + 1), with_ends(x, n)
    cube = [(u[i] + i * h + 1) ** 3 for i in range(n + 2)]
    return sum((2 * u[i] - u[i - 1] - u[i + 1] + h**2 * cube[i] / 2) ** 2 for i in span(1, n))


def broyden_tridiagonal(x: OneBased, n: int) -> float:
    u = with_ends(x, n)
    return sum(((3 - 2 * u[i]) * u[i] - u[i - 1] - 2 * u[i + 1] + 1) ** 2 for i in span(1, n))


def broyden_banded(x: OneBased, n: int) -> float:
    def around(i: int) -> float:
        js = (j for j in span(max(1, i - 5), min(n, i + 1)) if j != i)
        return sum(x[j] * (1 + x[j]) for j in js)

    return sum((x[i] * (2 + 5 * x[i] ** 2) + 1 - around(i)) ** 2 for i in span(1, n))


def chebyquad(x: OneBased, n: int) -> float:
    total = 0.0
    for d in span(1, n):
        mean = sum(math.cos(d * math.acos(2 * x[j] - 1)) for j in span(1, n)) / n
        total += (mean - (0 if d % 2 else -1 / (d * d - 1))) ** 2
    return total


def wood_terms(a: float, b: float, c: float, d: float) -> float:
    squares = 100 * (b - a * a) ** 2 + (1 - a) ** 2 + 90 * (d - c * c) ** 2 + (1 - c) ** 2
    return squares + 10 * (b + d - 2) ** 2 + 0.1 * (b - d) ** 2


def powell_terms(a: float, b: float, c: float, d: float) -> float:
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4


def roth_terms(a: float, b: float) -> float:
    return (a - 13 + ((5 - b) * b - 2) * b) ** 2 + (a - 29 + ((b + 1) * b - 14) * b) ** 2


def cragg_levy(x: OneBased, n: int) -> float:
    total = 0.0
    for i in span(1, n // 2 - 1):
        a, b, c, d = (x[2 * i + k] for k in (-1, 0, 1, 2))
        total += (math.exp(a) - b) ** 4 + 100 * (b - c) ** 6
        total += (math.tan(c - d) + c - d) ** 4 + a**8 + (d - 1) ** 2
    return total


def scattered(x: OneBased, n: int, i: int, term: Callable[[float], float]) -> float:
    return term(x[i]) + sum(term(x[(q * i - 1) % n + 1]) for q in (2, 3, 5, 7, 11))


def toint_gauss(x: OneBased, n: int) -> float:
    def bell(i: int) -> float:
        return math.exp(-((x[i] - x[i + 1]) ** 2) / (0.1 + x[i + 2] ** 2))

    return sum((10 / (n + 2) + x[i + 2] ** 2) * (2 - bell(i)) for i in span(1, n - 2))


def schmidt_vetters(x: OneBased, n: int) -> float:
    total = 0.0
    for i in span(1, n - 2):
        total -= 1 / (1 + (x[i] - x[i + 1]) ** 2) + math.sin((math.pi * x[i + 1] + x[i + 2]) / 2)
        total -= math.exp(-(((x[i] + x[i + 2]) / x[i + 1] - 2) ** 2))
    return total


def curly(x: OneBased, n: int) -> float:
    s = [sum(x[j] for j in span(i, min(i + 10, n))) for i in span(1, n)]
    return sum(t * (t * (t**2 - 20) - 0.1) for t in s)


def waves(x: OneBased, n: int, j: Callable[[int], int], k: Callable[[int], int]) -> float:
    s = [x[i] + x[j(i) % n + 1] + x[k(i) % n + 1] for i in span(1, n)]
    return sum(t**2 + 4 * math.cos(t) for t in s)


def bratu(x: OneBased, n: int) -> float:
    p = math.isqrt(n)
    u = np.zeros((p + 2, p + 2))
    u[1:-1, 1:-1] = np.reshape(x.x, (p, p))
    return float(
        0.5 * np.sum(np.diff(u, axis=0) ** 2)
        + 0.5 * np.sum(np.diff(u, axis=1) ** 2)
        - 5 / (p + 1) ** 2 * np.sum(np.exp(u[1:-1, 1:-1]))
    )


def allen_cahn(x: OneBased, n: int) -> float:
    p = math.isqrt(n)
    u = np.reshape(x.x, (p, p))
    edges = np.sum(np.diff(u, axis=0) ** 2) + np.sum(np.diff(u, axis=1) ** 2)
    return float(0.5 * edges + np.sum((1 - u**2) ** 2) / (4 * 0.05**2 * n))


def minimal_surface(x: OneBased, n: int) -> float:
    """Half the cross product of two edges of each triangle in space."""
    p = math.isqrt(n)
    h = 2 / (p + 1)
    u = np.zeros((p + 2, p + 2))
    for i in range(p + 2):
        for j in range(p + 2):
            u[i, j] = math.log(math.cos(-1 + j * h) / math.cos(-1 + i * h))
    u[1:-1, 1:-1] = np.reshape(x.x, (p, p))
    spot = [[np.array([i * h, j * h, u[i, j]]) for j in range(p + 2)] for i in range(p + 2)]
    total = 0.0
    for i in range(p + 1):
        for j in range(p + 1):
            a, b, c, d = spot[i][j], spot[i + 1][j], spot[i][j + 1], spot[i + 1][j + 1]
            total += np.linalg.norm(np.cross(b - a, c - a)) / 2
            total += np.linalg.norm(np.cross(b - d, c - d)) / 2
    return total


def total(terms: Callable[[OneBased, int, int], float], first: int, short: int) -> Any:
    """Sum of terms(x, n, i) over i from `first` to n - `short`."""
    return lambda x, n: sum(terms(x, n, i) for i in span(first, n - short))


PRINTED: dict[str, Callable[[OneBased, int], float]] = {
    "watson": watson,
    "extended-rosenbrock": lambda x, n: sum(
        100 * (x[2 * i] - x[2 * i - 1] ** 2) ** 2 + (1 - x[2 * i - 1]) ** 2 for i in span(1, n // 2)
    ),
    "extended-powell": lambda x, n: sum(
        powell_terms(*(x[i + k] for k in range(4))) for i in range(1, n, 4)
    ),
    "penalty-1": lambda x, n: (
        1e-5 * sum((x[i] - 1) ** 2 for i in span(1, n))
        + (sum(x[i] ** 2 for i in span(1, n)) - 0.25) ** 2
    ),
    "penalty-2": penalty_2,
    "variably-dimensioned": lambda x, n: (
        sum((x[i] - 1) ** 2 for i in span(1, n))
        + sum(i * (x[i] - 1) for i in span(1, n)) ** 2
        + sum(i * (x[i] - 1) for i in span(1, n)) ** 4
    ),
    "trigonometric": lambda x, n: sum(
        (n - sum(math.cos(x[j]) for j in span(1, n)) + i * (1 - math.cos(x[i])) - math.sin(x[i]))
        ** 2
        for i in span(1, n)
    ),
    "brown-almost-linear": lambda x, n: (
        sum((x[i] + sum(x.x) - (n + 1)) ** 2 for i in span(1, n - 1)) + (math.prod(x.x) - 1) ** 2
    ),
    "discrete-boundary": discrete_boundary,
    "discrete-integral": discrete_integral,
    "broyden-tridiagonal": broyden_tridiagonal,
    "broyden-banded": broyden_banded,
    "linear-full-rank": lambda x, n: (
        sum((x[i] - sum(x.x) / n - 1) ** 2 for i in span(1, n)) + n * (sum(x.x) / n + 1) ** 2
    ),
    "linear-rank-1": lambda x, n: sum(
        (i * sum(j * x[j] for j in span(1, n)) - 1) ** 2 for i in span(1, 2 * n)
    ),
    "linear-rank-1-zeros": lambda x, n: (
        2
        + sum(
            ((i - 1) * sum(j * x[j] for j in span(2, n - 1)) - 1) ** 2 for i in span(2, 2 * n - 1)
        )
    ),
    "chebyquad": chebyquad,
    "chained-rosenbrock": total(
        lambda x, n, i: 100 * (x[i - 1] ** 2 - x[i]) ** 2 + (x[i - 1] - 1) ** 2, 2, 0
    ),
    "fletchcr": total(lambda x, n, i: 100 * (x[i + 1] - x[i] + 1 - x[i] ** 2) ** 2, 1, 1),
    "freuroth": total(lambda x, n, i: roth_terms(x[i], x[i + 1]), 1, 1),
    "liarwhd": total(lambda x, n, i: 4 * (x[i] ** 2 - x[1]) ** 2 + (x[i] - 1) ** 2, 1, 0),
    "nondia": lambda x, n: (x[1] - 1) ** 2 + 100 * sum((x[1] - x[i] ** 2) ** 2 for i in span(2, n)),
    "tridia": lambda x, n: (
        (x[1] - 1) ** 2 + sum(i * (2 * x[i] - x[i - 1]) ** 2 for i in span(2, n))
    ),
    "dqdrtic": total(lambda x, n, i: x[i] ** 2 + 100 * x[i + 1] ** 2 + 100 * x[i + 2] ** 2, 1, 2),
    "woods": lambda x, n: sum(wood_terms(*(x[i + k] for k in range(4))) for i in range(1, n, 4)),
    "chained-wood": lambda x, n: sum(
        wood_terms(*(x[2 * i + k] for k in (-1, 0, 1, 2))) for i in span(1, n // 2 - 1)
    ),
    "arwhead": total(lambda x, n, i: (x[i] ** 2 + x[n] ** 2) ** 2 - 4 * x[i] + 3, 1, 1),
    "engval1": total(lambda x, n, i: (x[i] ** 2 + x[i + 1] ** 2) ** 2 - 4 * x[i] + 3, 1, 1),
    "edensch": lambda x, n: (
        16
        + sum(
            (x[i] - 2) ** 4 + (x[i] * x[i + 1] - 2 * x[i + 1]) ** 2 + (x[i + 1] + 1) ** 2
            for i in span(1, n - 1)
        )
    ),
    "bdqrtic": lambda x, n: sum(
        (3 - 4 * x[i]) ** 2 + (sum((k + 1) * x[i + k] ** 2 for k in range(4)) + 5 * x[n] ** 2) ** 2
        for i in span(1, n - 4)
    ),
    "cragglvy": cragg_levy,
    "quartc": total(lambda x, n, i: (x[i] - i) ** 4, 1, 0),
    "nondquar": lambda x, n: (
        (x[1] - x[2]) ** 2
        + (x[n - 1] - x[n]) ** 2
        + sum((x[i] + x[i + 1] + x[n]) ** 4 for i in span(1, n - 2))
    ),
    "power": lambda x, n: sum(i * x[i] ** 2 for i in span(1, n)) ** 2,
    "sinquad": lambda x, n: (
        (x[1] - 1) ** 4
        + (x[n] ** 2 - x[1] ** 2) ** 2
        + sum((math.sin(x[i] - x[n]) - x[1] ** 2 + x[i] ** 2) ** 2 for i in span(2, n - 1))
    ),
    "sparsqur": total(lambda x, n, i: i * scattered(x, n, i, lambda t: t * t) ** 2 / 8, 1, 0),
    "cosine": total(lambda x, n, i: math.cos(x[i] ** 2 - x[i + 1] / 2), 1, 1),
    "eg2": lambda x, n: (
        sum(math.sin(x[1] + x[i] ** 2 - 1) for i in span(1, n - 1)) + math.sin(x[n] ** 2) / 2
    ),
    "schmvett": schmidt_vetters,
    "tointgss": toint_gauss,
    "curly10": curly,
    "noncvxun": lambda x, n: waves(x, n, lambda i: 2 * i - 1, lambda i: 3 * i - 1),
    "noncvxu2": lambda x, n: waves(x, n, lambda i: 3 * i - 2, lambda i: 7 * i - 3),
    "sparsine": total(lambda x, n, i: i * scattered(x, n, i, math.sin) ** 2 / 2, 1, 0),
    "bratu": bratu,
    "allen-cahn": allen_cahn,
    "minimal-surface": minimal_surface,
}
for _place, _letter in enumerate("abcdefghijkl"):
    _weights = [(0.0, 0.125), (0.0625, 0.0625), (0.125, 0.125), (0.26, 0.26)][_place % 4]
    if _letter != "b":
        PRINTED[f"dixmaan{_letter}"] = lambda x, n, w=_weights, p=_place // 4: dixmaan(x, n, *w, p)
