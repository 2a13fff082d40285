"""The one entry point of all methods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import OptimizeResult

from tralgos.arrays import Array
from tralgos.methods.driver import run
from tralgos.methods.protocol import MethodProtocol
from tralgos.methods.trust_region import TrustRegion
from tralgos.problems import Problem

__all__ = ["minimize"]


def minimize(
    problem: Problem,
    x0: Array | None = None,
    method: MethodProtocol | None = None,
    *,
    gtol: float | None = None,
    maxiter: int | None = None,
    max_matvec: int | None = None,
    time_limit: float | None = None,
    callback: Callable[[OptimizeResult], object] | None = None,
    rng: np.random.Generator | int | None = None,
) -> OptimizeResult:
    """To be documented."""
    return run(
        problem,
        x0,
        TrustRegion() if method is None else method,
        gtol=gtol,
        maxiter=maxiter,
        max_matvec=max_matvec,
        time_limit=time_limit,
        callback=callback,
        rng=rng,
    )
