"""Signed margins: how far a conclusion is from being violated, in units of rounding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["ALLOWANCE", "DECIDED", "EPS", "Margins", "fact", "in_roundings", "worst_margin"]

#: Signed margins by name, in units of rounding; a negative one is a violation.
Margins = Mapping[str, float]

#: The rounding unit that margins are counted in.
EPS = float(np.finfo(np.float64).eps)

#: Roundings that a margin grants a quantity computed in float64.
ALLOWANCE = 64.0

#: The margin of a yes-or-no fact: far beyond any rounding.
DECIDED = 1.0 / EPS


def in_roundings(slack: Any, scale: Any, allowance: float = ALLOWANCE) -> float:
    """Turn a slack into a margin in units of rounding.

    Parameters
    ----------
    slack : number
        The larger side less the smaller one; negative where violated. May be an
        mpmath number or a Fraction.
    scale : number
        The size of the terms that were rounded.
    allowance : float
        Roundings granted. 0 where the slack is exact.

    Returns
    -------
    float
        ``slack / (EPS scale) + allowance``; -inf when either is not a number,
        since an undefined conclusion is no conclusion.
    """
    size, value = float(scale), float(slack)
    if math.isnan(size) or math.isnan(value) or size < 0.0:
        return -math.inf
    if size == 0.0:
        return allowance if value == 0.0 else math.copysign(math.inf, value)
    if math.isinf(size):
        return -math.inf if math.isinf(value) else allowance
    return value / size / EPS + allowance


def fact(is_true: bool) -> float:
    """Return the margin of a yes-or-no fact: far beyond rounding either way."""
    return DECIDED if is_true else -DECIDED


def worst_margin(margins: Margins) -> tuple[str, float]:
    """Return the name and value of the smallest margin; a NaN counts as -inf.

    Raises
    ------
    ValueError
        When there is no margin at all: a check that checks nothing.
    TypeError
        For a margin that is no real number.
    """
    if not margins:
        raise ValueError("an instance gave no margins: the check checks nothing")
    for name, value in margins.items():
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
            raise TypeError(
                f"margin {name!r} must be a real number, not {value!r}: fact() makes one of a fact"
            )
    clean = {k: -math.inf if math.isnan(v) else float(v) for k, v in margins.items()}
    name = min(clean, key=lambda key: clean[key])
    return name, clean[name]
