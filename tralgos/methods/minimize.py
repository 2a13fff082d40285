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
    """Minimise a function of many variables.

    Parameters
    ----------
    problem : Problem
        See :mod:`tralgos.problems`; :class:`~tralgos.problems.FunctionProblem` makes one of
        plain functions.
    x0 : array, shape (n,), optional
        Start, float32 or float64 (integers become float64). Its library, device and dtype are
        those of the result. By default the problem's own.
    method : method, optional
        :class:`TrustRegion` by default.
    gtol : float, optional
        The run ends where the Euclidean norm of the gradient is at most this; absolute, in
        the units of the gradient. Default 1e-5 in float64, 5e-3 in float32.
    maxiter : int, optional
        Bound on the steps; 10,000 by default.
    max_matvec : int, optional
        Bound on the Hessian-vector products, those of second-order evidence included.
    time_limit : float, optional
        Seconds. It is kept to within one value, gradient or product.
    callback : callable, optional
        Called after each step with an `OptimizeResult` that has `x`, `fun`, `jac`, `nit`,
        `record` (the row of the trace) and `state`; none of them a copy. StopIteration ends
        the run; any other exception passes through as it is.
    rng : numpy.random.Generator or int, optional
        Source of all randomness; a fixed seed by default. Equal seeds give equal traces.

    Returns
    -------
    OptimizeResult
        `x`, `fun`, `jac`, `gradient_norm`; `success`, `ending` (an :class:`Ending`), `status`
        (its number), `message`; counts `nit`, `nfev`, `njev`, `nhev` (Hessians taken), `nhvp`
        (products), `nhvp_evidence` (those among them for second-order evidence),
        `backpropagations`; `trace` (a :class:`Trace`); `leftmost`, an upper estimate of the
        leftmost eigenvalue of the Hessian at `x`, and `leftmost_evidence`, what is known of
        it with its probability of failure, both None where nobody looked.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, ArgumentError
        On bad input, naming the argument, before any step.
    AsymmetryError
        If the Hessian turns out not to be symmetric.

    Notes
    -----
    Ctrl-C ends the run with the best point so far and the ending INTERRUPTED. A run that is
    cut short returns the point with the lowest value that it has seen, a converged one
    where it converged.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(10), gtol=1e-8, maxiter=500)
    >>> run.success, run.ending.name
    (True, 'SECOND_ORDER')
    """
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
