"""Rates of first-order methods: a number, or a function of the number of the step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tralgos.arguments import number, positive_scalar
from tralgos.errors import ArgumentError

__all__ = ["PowerDecay", "Rate", "checked_rate", "rate_at"]

#: A positive number, or k -> rate of step k, with k = 1 for the first step.
Rate = float | Callable[[int], float]


@dataclass(frozen=True)
class PowerDecay:
    """The schedule rate / k^power.

    Power 1/2 is that of the regret bounds of Duchi et al. (2011) and Kingma and Ba (2014);
    powers in (1/2, 1] are those of Robbins and Monro (1951): the rates have an infinite sum
    and their squares a finite one.

    Parameters
    ----------
    rate : float
        That of the first step; positive.
    power : float
        In (0, 1].

    Raises
    ------
    ArgumentError
        If one is out of range.

    Examples
    --------
    >>> from tralgos.methods import PowerDecay
    >>> [PowerDecay(0.1)(k) for k in (1, 4, 100)]
    [0.1, 0.05, 0.01]
    """

    rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", positive_scalar(self.rate, "rate"))
        power = number(self.power, "power")
        if not 0.0 < power <= 1.0:
            raise ArgumentError(f"power must lie in (0, 1], got {power}")
        object.__setattr__(self, "power", power)

    def __call__(self, k: int) -> float:
        """The rate of step k = 1, 2, ..."""
        return self.rate / math.pow(k, self.power)


def checked_rate(rate: object) -> Rate:
    """`rate` itself if it can be called, else as a float.

    Raises
    ------
    ArgumentError
        If it is neither a positive finite number nor callable.
    """
    if callable(rate):
        return rate
    return positive_scalar(rate, "rate")


def rate_at(rate: Rate, k: int) -> float:
    """The rate of step k as a float.

    Raises
    ------
    ArgumentError
        If a schedule gives something that is not a positive finite number.
    """
    return positive_scalar(rate(k), f"rate({k})") if callable(rate) else rate
