"""What a callback of a subproblem solver sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tralgos.arrays import Array

__all__ = ["InnerCallback", "InnerIterate", "Phase"]

Phase = Literal["interior", "boundary"]


@dataclass(frozen=True)
class InnerIterate:
    """One iterate of a subproblem solver.

    Attributes
    ----------
    iteration : int
        0 for the starting point.
    phase : {"interior", "boundary"}
        Where the iterate lies.
    value : float
        q(s).
    relative_norm : float
        ||s||_M over the radius.
    residual : float
        ||(H + lambda M) s + g|| in the dual norm, for the estimate of the
        multiplier that goes with s (0 in the interior).
    multiplier : float
        That estimate.
    matvecs : int
        Products with H so far.
    step : array, shape (n,)
        s. Not a copy: it must not be written into.
    """

    iteration: int
    phase: Phase
    value: float
    relative_norm: float
    residual: float
    multiplier: float
    matvecs: int
    step: Array = field(repr=False)


#: Called once an iterate; what it returns is ignored, what it raises ends the solver.
InnerCallback = Callable[[InnerIterate], object]
