"""The family of Dixon and Maany (TR 206, Hatfield Polytechnic, 1988).

With m = n/3 and n a multiple of three,

    1 + sum alpha (i/n)^p x_i^2 + sum beta x_i^2 (x_{i+1} + x_{i+1}^2)^2
      + sum_{i <= 2m} gamma x_i^2 x_{i+m}^4 + sum_{i <= m} delta (i/n)^p x_i x_{i+2m},

started at 2; the minimum is 1, at 0. Member B is left out: the printed versions differ in
its exponents.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tralgos.problems.collection.problem import CollectionProblem, Entry, multiple
from tralgos.problems.collection.separable import Separable, elements

__all__ = ["entries"]


def dixmaan(n: int, *, name: str, beta: float, gamma: float, power: int) -> CollectionProblem:
    """One member; alpha is 1 and delta equals gamma in all of them."""
    m = n // 3
    i = np.arange(n)
    scale = ((i + 1.0) / n) ** power
    terms = [
        elements(lambda x: scale * x**2, i),
        elements(lambda a, b: gamma * a**2 * b**4, i[: 2 * m], i[: 2 * m] + m),
        elements(lambda a, b: gamma * scale[:m] * (a * b), i[:m], i[:m] + 2 * m),
        elements(lambda a: 0.0 * a + 1.0, 0),
    ]
    if beta:
        terms.append(elements(lambda a, b: beta * (a * (b + b**2)) ** 2, i[:-1], i[1:]))
    return CollectionProblem(
        Separable(n, terms=terms),
        np.full(n, 2.0),
        name=name,
        minimisers=[np.zeros(n)],
        optimal_value=1.0,
    )


def entries() -> tuple[Entry, ...]:
    """The members A, C, D and E to L."""
    weights = ((0.0, 0.125), (0.0625, 0.0625), (0.125, 0.125), (0.26, 0.26))
    members = []
    for place, letter in enumerate("abcdefghijkl"):
        beta, gamma = weights[place % 4]
        name = f"dixmaan{letter}"
        build = partial(dixmaan, name=name, beta=beta, gamma=gamma, power=place // 4)
        if letter != "b":
            members.append(Entry(name, build, 99, multiple(3, 3), large=True))
    return tuple(members)
