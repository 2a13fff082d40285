"""Columns drawn one by one without replacement, with probabilities that follow their mass.

Each column has the rank E_j / p_j with E_j standard exponential; those of the lowest ranks are
the sample. That is to draw one column after another, each with probabilities proportional to p
among those that are left. Given the ranks of all others, column j is among the first m with the
probability 1 - exp(-p_j t), with t the rank of the first one left out (Cohen and Kaplan 2007).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["Ordering", "draw", "mixed"]

#: The parts of the probabilities that are equal for all columns, and that follow the estimated
#: 2-norms, the diagonal entries and the 1-norms off the diagonal.
_EQUAL, _FOLLOWING = 0.1, (0.2, 0.2, 0.5)


@dataclass(frozen=True)
class Ordering:
    """All columns in the order in which they are drawn.

    Attributes
    ----------
    columns : array of int, shape (n,)
    probabilities, ranks : array of float, shape (n,), or None
        In the same order; None where all columns have equal probabilities.
    """

    columns: np.ndarray
    probabilities: np.ndarray | None = None
    ranks: np.ndarray | None = None

    def inclusion(self, m: int) -> np.ndarray:
        """The probabilities with which the first `m` columns are among them."""
        n = len(self.columns)
        if self.probabilities is None or self.ranks is None or m == n:
            return np.full(m, m / n)
        with np.errstate(under="ignore"):
            return np.asarray(-np.expm1(-self.probabilities[:m] * self.ranks[m]))

    def draws(self, m: int) -> float:
        """The theta at which columns of the probability p together are missed with exp(-p theta).

        It is the number of draws with replacement that would say as much as the first `m` columns,
        `m` < n: about `m` of many columns, and more where few are left.
        """
        n = len(self.columns)
        return -n * math.log1p(-m / n) if self.ranks is None else float(self.ranks[m])


def draw(probabilities: np.ndarray | None, n: int, rng: np.random.Generator) -> Ordering:
    """All `n` columns in random order; None: with equal probabilities."""
    if probabilities is None:
        return Ordering(rng.permutation(n))
    ranks = rng.standard_exponential(n) / probabilities
    order = np.argsort(ranks, kind="stable")
    return Ordering(order, probabilities[order], ranks[order])


def mixed(norms: np.ndarray) -> np.ndarray:
    """Probabilities from the estimates of :func:`tralgos.shares.products.column_norms`.

    A mixture, so that each column has at least a good part of what each estimate says, and
    none is missed for ever. What has vanished altogether is left out of the mixture.
    """
    n = norms.shape[1]
    p = np.full(n, _EQUAL / n)
    for part, norm in zip(_FOLLOWING, norms, strict=False):
        total = float(np.sum(norm))
        if total > 0.0:
            p += part * (norm / total)
    return p / float(np.sum(p))
