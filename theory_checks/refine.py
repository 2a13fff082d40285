"""Numerical optimisation of a margin, or of a bound's tightness, from the best instance."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import numpy as np
from scipy.optimize import minimize

from theory_checks.claim import Instance
from theory_checks.search import Found, Search, closeness
from theory_checks.shrink import leaves, replaced

__all__ = ["climb_margin", "climb_tightness"]

#: More numbers than this and Nelder and Mead's method gets nowhere in a few hundred steps.
_MOST_NUMBERS = 24

#: The value of what is not an instance: worse than everything that is.
_WORST = 1e6


def _climb(start: Instance, height: Callable[[Instance], float | None], evaluations: int) -> None:
    """Climb `height` over the floats of a record by Nelder and Mead's method."""
    paths = [path for path, leaf in leaves(start) if type(leaf) is float]
    if not 0 < len(paths) <= _MOST_NUMBERS:
        return
    numbers = dict(leaves(start))

    def depth(x: np.ndarray) -> float:
        instance = start
        for path, value in zip(paths, x.tolist(), strict=True):
            instance = replaced(instance, path, value)
        value_here = height(instance)
        return _WORST if value_here is None else -value_here

    minimize(
        depth,
        np.array([numbers[path] for path in paths]),
        method="Nelder-Mead",
        options={"maxfev": evaluations, "xatol": 0.0, "fatol": 0.0, "adaptive": True},
    )


def _watched(
    search: Search,
    start: Instance,
    evaluations: int,
    height: Callable[[Instance, float], float | None],
) -> Instance | None:
    """Climb until the evaluations or the time are spent, or a violation is met: that one."""
    found: list[Instance] = []

    def judged(instance: Instance) -> float | None:
        if search.out_of_time():
            raise Found
        margin = search.tried(instance)
        if margin is None:
            return None
        if margin < 0.0:
            found.append(instance)
            raise Found
        return height(instance, margin)

    with suppress(Found):
        _climb(start, judged, evaluations)
    return found[0] if found else None


def climb_margin(search: Search, start: Instance, evaluations: int) -> Instance | None:
    """Move the numbers of an instance towards a violation; return one if it is met.

    Parameters
    ----------
    search : Search
        Counts the evaluations and knows the deadline.
    start : dict
        The instance to start from.
    evaluations : int
        How many to make at most.
    """
    return _watched(search, start, evaluations, lambda _, margin: closeness(margin))


def climb_tightness(search: Search, start: Instance, evaluations: int) -> Instance | None:
    """Move the numbers of an instance to where the bound is tighter; return a violation met."""
    return _watched(search, start, evaluations, lambda instance, _: search.tightness(instance))
