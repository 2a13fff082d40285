"""A small shrinker for instances: fewer entries, then simpler numbers.

Hypothesis shrinks what it drew; a violation from a NumPy batch was not drawn,
and floats that Hypothesis ends with are often long. This one works on the JSON
record itself and needs only a predicate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from theory_checks.claim import Instance

__all__ = ["Path", "complexity", "leaves", "replaced", "shrink"]

#: The keys and indices that lead to a part of a record.
Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, float]]:
    """Yield the numbers in a record, with the way to each."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, value


def replaced(value: Any, path: Path, leaf: Any) -> Any:
    """Return a copy of a record with one part of it replaced."""
    if not path:
        return leaf
    head, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {k: replaced(v, rest, leaf) if k == head else v for k, v in value.items()}
    return [replaced(v, rest, leaf) if i == head else v for i, v in enumerate(value)]


def _length(leaf: float) -> int:
    # No finite float has as many digits: whatever is finite is simpler than what is not.
    return len(repr(leaf).removesuffix(".0").lstrip("-")) if math.isfinite(leaf) else 32


def complexity(instance: Instance) -> tuple[int, int, float]:
    """Order instances: by the number of numbers, by their digits, by their sizes."""
    numbers = [leaf for _, leaf in leaves(instance)]
    digits = sum(_length(leaf) for leaf in numbers)
    signs = sum(leaf < 0 for leaf in numbers)
    return len(numbers), digits, sum(abs(leaf) for leaf in numbers) + signs


def _simpler(leaf: float) -> Iterator[float]:
    if isinstance(leaf, int):
        yield from {0, 1, 2, leaf // 2, leaf - 1} - {leaf}
        return
    if not math.isfinite(leaf):
        yield from (1.0, math.copysign(1e6, leaf))
        return
    seen = {leaf}
    roundings = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, float(round(leaf))]
    roundings += [math.floor(leaf * k) / k for k in (1, 2, 4, 8, 16)]
    roundings += [math.ceil(leaf * k) / k for k in (1, 2, 4, 8, 16)]
    roundings += [float(f"{leaf:.{digits}g}") for digits in range(1, 8)]
    # Large steps before small ones: a thousand unit steps would take a thousand rounds.
    roundings += [float(math.trunc(leaf * k / 8)) for k in (1, 2, 4, 6, 7)]
    roundings += [leaf - 1.0, leaf + 1.0]
    for candidate in roundings:
        if candidate not in seen and math.isfinite(candidate):
            seen.add(candidate)
            yield candidate


def _candidates(
    instance: Instance, reduce: Callable[[Instance], Iterable[Instance]] | None
) -> Iterator[Instance]:
    if reduce is not None:
        yield from reduce(instance)
    for path, leaf in leaves(instance):
        for simpler in _simpler(leaf):
            yield replaced(instance, path, simpler)


def shrink(
    instance: Instance,
    violates: Callable[[Instance], bool],
    *,
    reduce: Callable[[Instance], Iterable[Instance]] | None = None,
    seconds: float = 5.0,
) -> Instance:
    """Return a simpler instance that still violates; greedy, to a fixed point.

    Parameters
    ----------
    instance : dict
        A violating instance.
    violates : callable
        Whether an instance is admitted and violates the claim.
    reduce : callable or None
        Further simpler neighbours, tried first.
    seconds : float
        After that the best instance so far is returned.
    """
    deadline = time.monotonic() + seconds
    best, best_size = instance, complexity(instance)
    improved = True
    while improved:
        improved = False
        for candidate in _candidates(best, reduce):
            if time.monotonic() > deadline:
                return best
            size = complexity(candidate)
            if size < best_size and violates(candidate):
                best, best_size, improved = candidate, size, True
                break
    return best
