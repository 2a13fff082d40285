"""Instances where theorems fail, made out of ordinary ones.

Zero and repeated entries, a single entry that is not zero, collinear vectors,
opposite signs, parameters at the ends of their ranges, equal and extreme scales.
Nothing is known of what the numbers mean: what does not satisfy the hypotheses
is passed over by who asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import permutations
from typing import Any

from theory_checks.claim import Instance
from theory_checks.shrink import Path, leaves, replaced

__all__ = ["structured"]

#: Far below and above one, and exact: 2^-20 is about a millionth.
_SMALL, _LARGE = 2.0**-20, 2.0**20


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _vectors(value: Any, path: Path = ()) -> Iterator[tuple[Path, list[float]]]:
    """The lists of numbers in a record, with the way to each."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _vectors(item, (*path, key))
    elif isinstance(value, list):
        if value and all(_is_number(item) for item in value):
            yield path, value
        else:
            for index, item in enumerate(value):
                yield from _vectors(item, (*path, index))


def _special_vectors(vector: list[float]) -> Iterator[list[float]]:
    count = len(vector)
    zero = 0.0
    for k in range(count):
        yield [zero if i == k else x for i, x in enumerate(vector)]
    yield [zero] * count
    for k in range(count if count > 1 else 0):
        yield [x if i == k else zero for i, x in enumerate(vector)]
        yield [vector[k]] * count
    for k in range(count - 1):
        yield [vector[k] if i == k + 1 else x for i, x in enumerate(vector)]
        yield [vector[k + 1] if i == k else x for i, x in enumerate(vector)]
    yield [-x for x in vector]
    yield sorted(-x for x in vector)
    for factor in (_SMALL, _LARGE):
        yield [factor * x for x in vector]


def _special_numbers(number: float) -> Iterator[float]:
    yield from (0.0, 1.0, _SMALL, 1.0 - _SMALL, 1.0 + _SMALL, -number)
    yield from (_SMALL * number, _LARGE * number)


def structured(instances: Iterable[Instance], limit: int) -> Iterator[Instance]:
    """Yield special neighbours of instances, each once, `limit` of them in all.

    Parameters
    ----------
    instances : iterable of dict
        What to start from; the neighbours of the first come first.
    limit : int
        How many to yield at most.
    """
    seen: set[str] = set()
    for instance in instances:
        for neighbour in _neighbours(instance):
            key = json.dumps(neighbour, sort_keys=True)
            if key in seen:
                continue
            if len(seen) == limit:
                return
            seen.add(key)
            yield neighbour


def _neighbours(instance: Instance) -> Iterator[Instance]:
    vectors = [(p, v) for p, v in _vectors(instance) if any(type(x) is float for x in v)]
    for path, vector in vectors:
        for special in _special_vectors(vector):
            yield replaced(instance, path, special)
    for (path, vector), (_, other) in permutations(vectors, 2):
        if len(vector) == len(other):
            yield replaced(instance, path, list(other))
            yield replaced(instance, path, [-x for x in other])
    inside = {path for path, _ in vectors}
    for path, leaf in leaves(instance):
        if type(leaf) is float and path[:-1] not in inside:
            for number in _special_numbers(leaf):
                yield replaced(instance, path, number)
