"""Checks of scalar arguments: what is taken, what is refused, and that the name is in the error."""

from __future__ import annotations

import numpy as np
import pytest

from tralgos import arguments as v
from tralgos.errors import ArgumentError


@pytest.mark.parametrize(
    "x", [0, 0.0, -1, np.inf, np.nan, "1", None, True, np.ones(1), 1j, 10**400]
)
def test_positive_scalar_refuses(x: object) -> None:
    with pytest.raises(ArgumentError, match="radius"):
        v.positive_scalar(x, "radius")


@pytest.mark.parametrize("x", [1, 2.5, np.float32(0.5), np.int64(3), 1e300, 5e-324])
def test_positive_scalar_accepts(x: object) -> None:
    value = v.positive_scalar(x, "radius")
    assert type(value) is float
    assert value == x


def test_probability_budget_and_callback() -> None:
    assert v.check_probability(1e-6) == 1e-6
    for bad in (0.0, 1.0, np.nan, None):
        with pytest.raises(ArgumentError, match="failure_probability"):
            v.check_probability(bad)
    assert v.check_max_matvec(None) is None
    assert v.check_max_matvec(np.int32(5)) == 5
    for bad in (0, -1, 2.0, True, "3"):
        with pytest.raises(ArgumentError, match="max_matvec"):
            v.check_max_matvec(bad)
    assert v.check_callback(None) is None
    assert v.check_callback(print) is print
    with pytest.raises(ArgumentError, match="callback"):
        v.check_callback(3)


def test_rng() -> None:
    generator = np.random.default_rng(1)
    assert v.check_rng(generator) is generator
    assert v.check_rng(None).random() == v.check_rng(None).random()
    assert v.check_rng(5).random() == np.random.default_rng(5).random()
    for bad in ("a", 1.5, True, -1, np.random.RandomState(0)):
        with pytest.raises(ArgumentError, match="rng"):
            v.check_rng(bad)


def test_choice_lists_the_known() -> None:
    assert v.check_choice("b", "method", ["a", "b"]) == "b"
    with pytest.raises(ArgumentError, match="method 'c'; known are 'a', 'b'"):
        v.check_choice("c", "method", ["a", "b"])
    with pytest.raises(ArgumentError, match="method"):
        v.check_choice(["a"], "method", ["a", "b"])


def test_integers_and_signs() -> None:
    assert v.positive_integer(np.int64(3), "window") == 3
    assert type(v.positive_integer(np.int64(3), "window")) is int
    for bad in (0, -2, 1.0, True, None):
        with pytest.raises(ArgumentError, match="window"):
            v.positive_integer(bad, "window")
    assert v.nonnegative_scalar(0, "gtol") == 0.0
    for bad in (-1e-300, np.inf, np.nan, "0", False):
        with pytest.raises(ArgumentError, match="gtol"):
            v.nonnegative_scalar(bad, "gtol")
    assert v.check_memory(None, 7) == 7
    with pytest.raises(ArgumentError, match="memory"):
        v.check_memory(0, 7)
