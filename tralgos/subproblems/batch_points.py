"""A point of the secular equation for each problem of a batch, and how some are picked out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arrays import Array, namespace

__all__ = ["LEAST_LANES", "Point", "chosen_lanes"]

#: NumPy adds the rows of an array one after the other, in an order that does not depend on
#: how long they are, where they are not too short.
LEAST_LANES = 8


@dataclass(frozen=True, eq=False)
class Point:
    """h(delta) of each problem, by its figures.

    Attributes
    ----------
    delta, length, slope : array, shape (b,)
        The shift, ||h||, and h'(T + lambda)^-1 h / h'h.
    valid : array of bool, shape (b,)
        Whether T + lambda is positive definite there and the figures are finite.
    """

    delta: Array
    length: Array
    slope: Array
    valid: Array

    def where(self, chosen: Array, other: Point) -> Point:
        """The point itself where `chosen`, else the other."""
        xp = namespace(chosen)
        return Point(
            xp.where(chosen, self.delta, other.delta),
            xp.where(chosen, self.length, other.length),
            xp.where(chosen, self.slope, other.slope),
            xp.where(chosen, self.valid, other.valid),
        )

    def take(self, lanes: Any) -> Point:
        """The problems of the given numbers; NumPy."""
        return Point(self.delta[lanes], self.length[lanes], self.slope[lanes], self.valid[lanes])

    def put(self, lanes: Any, part: Point) -> Point:
        """The point itself with some problems replaced by those of `part`; NumPy."""
        fields = []
        for name in ("delta", "length", "slope", "valid"):
            whole = getattr(self, name).copy()
            whole[lanes] = getattr(part, name)
            fields.append(whole)
        return Point(*fields)


def chosen_lanes(mask: np.ndarray) -> np.ndarray:
    """The numbers of the problems in `mask`, at least one; repeated where they are too few."""
    lanes = np.flatnonzero(mask)
    return np.resize(lanes, max(lanes.size, LEAST_LANES))
