"""Instances in bulk: drawn by NumPy, judged in one namespace, the suspicious ones handed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from theory_checks.claim import Instance, Screen

__all__ = ["suspects"]

#: Rows judged at once: large enough for NumPy's overhead, small enough for the cache.
_CHUNK = 4096

#: Rows of each chunk that are looked at closely.
_CHECKED = 3


def suspects(
    screen: Screen, rng: np.random.Generator, size: int, xp: Any = np
) -> Iterator[tuple[int, list[Instance]]]:
    """Draw `size` instances and yield, chunk by chunk, their number and the worst of them.

    Parameters
    ----------
    screen : Screen
        The sampler of a form.
    rng : numpy.random.Generator
        The same generator, the same instances, whatever the namespace.
    size : int
        How many to draw in all.
    xp : array namespace
        NumPy, or CuPy where there is a device: the slacks are computed there.

    Yields
    ------
    int, list of dict
        How many were drawn, and the smallest slacks' instances, worst first. A slack
        that is not a number counts as the smallest.
    """
    while size > 0:
        count = min(_CHUNK, size)
        size -= count
        arrays = screen.draw(rng, count)
        there: Mapping[str, Any] = arrays
        if xp is not np:
            there = {name: xp.asarray(array) for name, array in arrays.items()}
        slack = screen.slack(xp, there)
        slack = np.asarray(slack if xp is np else slack.get())
        if slack.dtype.kind != "f":
            raise TypeError(f"a screen must give real slacks, not of type {slack.dtype}")
        if slack.shape != (count,):
            raise ValueError(f"a screen must give one slack a row: {slack.shape} for {count} rows")
        slack = np.where(np.isnan(slack), -np.inf, slack)
        worst = np.argsort(slack, kind="stable")[:_CHECKED]
        yield count, [screen.instance(arrays, int(row)) for row in worst]
