"""What the claims on diagonal shares have in common: finite laws, summed up exactly.

A law is a record of integer values and integer weights, the probabilities up to their sum. The
law of a sum of independent numbers is a convolution, so that every expectation is a fraction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Condition, Instance

__all__ = [
    "Weights",
    "absolute",
    "expected",
    "is_law",
    "laws",
    "moment",
    "order_up_to",
    "product_of",
    "proper_laws",
    "record",
    "scales",
    "shorter_laws",
    "sum_of",
    "weights_of",
]

#: Values with their weights: a law up to the sum of the weights.
Weights = Mapping[int, int]


def record(values: list[int], weights: list[int]) -> Instance:
    """Return the record of a law."""
    return {"values": values, "weights": weights}


def is_law(law: Any) -> bool:
    """Whether a record has as many positive weights as values, all of them integers."""
    values, weights = law["values"], law["weights"]
    whole = all(isinstance(x, int) for x in [*values, *weights])
    return 0 < len(values) == len(weights) and whole and all(w > 0 for w in weights)


def weights_of(law: Instance) -> Weights:
    """Return the law of a record; equal values are taken together."""
    total: dict[int, int] = {}
    for value, weight in zip(law["values"], law["weights"], strict=True):
        total[value] = total.get(value, 0) + weight
    return total


def expected(law: Weights, function: Callable[[int], Any]) -> Any:
    """Return the expectation of a function of the value."""
    return sum(w * function(x) for x, w in law.items()) / Fraction(sum(law.values()))


def moment(law: Weights, order: int) -> Fraction:
    """Return E|x|^order."""
    return Fraction(expected(law, lambda x: abs(x) ** order))


def absolute(law: Weights) -> Weights:
    """Return the law of the absolute value."""
    total: dict[int, int] = {}
    for value, weight in law.items():
        total[abs(value)] = total.get(abs(value), 0) + weight
    return total


def _convolved(first: Weights, second: Weights) -> Weights:
    total: dict[int, int] = {}
    for x, v in first.items():
        for y, w in second.items():
            total[x + y] = total.get(x + y, 0) + v * w
    return total


def sum_of(law: Weights, count: int) -> Weights:
    """Return the law of the sum of so many independent numbers."""
    total: Weights = {0: 1}
    for _ in range(count):
        total = _convolved(total, law)
    return total


def product_of(law: Weights) -> Weights:
    """Return the law of the product of two independent numbers."""
    total: dict[int, int] = {}
    for x, v in law.items():
        for y, w in law.items():
            total[x * y] = total.get(x * y, 0) + v * w
    return total


def laws(lowest: int, highest: int, most: int = 3) -> SearchStrategy[Instance]:
    """Draw laws of one to `most` values within bounds, with weights up to 64."""
    value = st.integers(lowest, highest)
    weight = st.one_of(st.integers(1, 4), st.integers(1, 64))
    return st.lists(st.tuples(value, weight), min_size=1, max_size=most).map(
        lambda pairs: record([x for x, _ in pairs], [w for _, w in pairs])
    )


def shorter_laws(*names: str) -> Callable[[Instance], Iterable[Instance]]:
    """Return neighbours of an instance in which one value of these laws is left out."""

    def shorter(law: Instance) -> Iterable[Instance]:
        values, weights = law["values"], law["weights"]
        for k in range(len(values) if len(values) > 1 else 0):
            yield record(values[:k] + values[k + 1 :], weights[:k] + weights[k + 1 :])

    def neighbours(instance: Instance) -> Iterable[Instance]:
        same = all(instance[name] == instance[names[0]] for name in names)
        for name in names[:1] if same else names:
            for law in shorter(instance[name]):
                changed = names if same else (name,)
                yield {**instance, **dict.fromkeys(changed, law)}

    return neighbours


def scales() -> SearchStrategy[float]:
    """Draw positive scales, eighths first."""
    return st.one_of(
        st.integers(1, 32).map(lambda k: k / 8), st.floats(-3, 3).map(lambda x: 10.0**x)
    )


def order_up_to(largest: int) -> Condition:
    """Return the condition on the order d of a matrix."""
    return Condition(
        "order", rf"1 \le d \le {largest}",
        lambda i: isinstance(i["d"], int) and 1 <= i["d"] <= largest,
        kept="it limits what is tried",
    )  # fmt: skip


def proper_laws(lowest: int) -> Condition:
    """Return the condition that both laws are laws of numbers of at least `lowest`."""

    def proper(instance: Instance) -> bool:
        both = (instance["diagonal"], instance["off_diagonal"])
        return all(is_law(law) and min(law["values"]) >= lowest for law in both)

    return Condition("laws", "finite laws", proper, kept="it limits what is tried")
