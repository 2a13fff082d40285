"""A callback as SciPy dispatches it: by the name of its parameter."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from tralgos.arguments import check_callback

__all__ = ["watcher"]


def watcher(
    callback: Callable[..., object] | None, visited: list[np.ndarray] | None = None
) -> Callable[[OptimizeResult], None] | None:
    """A callback for the driver that calls the user's as SciPy does.

    Parameters
    ----------
    callback : callable or None
        One whose sole parameter is named `intermediate_result` gets by that name an
        :class:`~scipy.optimize.OptimizeResult` with `x`, `fun`, `jac`, `nit` and `record`
        (the last row of the trace); any other gets x. Arrays are copies. What it returns is
        ignored, and what it raises passes through.
    visited : list, optional
        A copy of each iterate is appended to it, before the callback is called.

    Returns
    -------
    callable or None
        None where there is nothing to call.

    Raises
    ------
    ArgumentError
        If `callback` is neither None nor callable.
    """
    checked = check_callback(callback)
    if checked is None and visited is None:
        return None
    whole = checked is not None and _takes_result(checked)

    def watch(seen: OptimizeResult) -> None:
        if visited is not None:
            visited.append(np.array(seen.x))
        if checked is None:
            return
        if whole:
            checked(intermediate_result=_copied(seen))
        else:
            checked(np.array(seen.x))

    return watch


def _takes_result(callback: Callable[..., object]) -> bool:
    """Whether the sole parameter has the name that SciPy looks for."""
    options: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        # Annotations may name what is imported for type checkers alone.
        import annotationlib

        options["annotation_format"] = annotationlib.Format.FORWARDREF
    try:
        signature = inspect.signature(callback, **options)
    except ValueError:
        # Some functions written in C tell nothing of their parameters.
        return False
    return set(signature.parameters) == {"intermediate_result"}


def _copied(seen: OptimizeResult) -> OptimizeResult:
    return OptimizeResult(
        x=np.array(seen.x),
        fun=seen.fun,
        jac=np.array(seen.jac),
        nit=seen.nit,
        record=seen.record,
    )
