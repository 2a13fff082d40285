"""Derivatives compared with differences, and the worst entry named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arrays import Array

__all__ = ["DerivativeCheck", "check_derivatives"]


@dataclass(frozen=True)
class DerivativeCheck:
    """To be written."""

    ok: bool
    message: str


def check_derivatives(
    problem: Any, x: Array, rng: np.random.Generator | int | None
) -> DerivativeCheck:
    """To be written."""
    raise NotImplementedError
