"""Every method as a `method` of :func:`scipy.optimize.minimize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scipy.optimize import OptimizeResult

from tralgos.methods.protocol import MethodProtocol

__all__ = ["minimize_for_scipy"]


def minimize_for_scipy(
    method: MethodProtocol,
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    **options: Any,
) -> OptimizeResult:
    """To be written."""
    raise NotImplementedError
