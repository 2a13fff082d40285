"""Every method as a `method` of :func:`scipy.optimize.minimize`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sized
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, OptimizeWarning

from tralgos.arguments import nonnegative_scalar
from tralgos.errors import ArgumentError
from tralgos.methods.driver import run
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.protocol import MethodProtocol
from tralgos.methods.scipy_callback import watcher
from tralgos.methods.scipy_functions import UserFunctions
from tralgos.problems import FunctionProblem, Problem

__all__ = ["minimize_for_scipy"]

#: SciPy's numbers for endings that it has too; the others keep their own.
_STATUS = {
    Ending.SECOND_ORDER: 0,
    Ending.FIRST_ORDER: 0,
    Ending.MAX_ITERATIONS: 1,
    Ending.CALLBACK: 99,
}


def minimize_for_scipy(
    method: MethodProtocol,
    fun: Callable[..., Any],
    x0: Any,
    args: tuple[Any, ...] = (),
    *,
    jac: Callable[..., Any] | None = None,
    hess: Callable[..., Any] | str | None = None,
    hessp: Callable[..., Any] | None = None,
    bounds: object = None,
    constraints: object = (),
    callback: Callable[..., object] | None = None,
    tol: float | None = None,
    gtol: float | None = None,
    maxiter: int | None = None,
    disp: bool = False,
    return_all: bool = False,
    max_matvec: int | None = None,
    time_limit: float | None = None,
    rng: np.random.Generator | int | None = None,
    **unknown: Any,
) -> OptimizeResult:
    """Minimise a function given as to :func:`scipy.optimize.minimize`, with NumPy arrays.

    Called by :func:`scipy.optimize.minimize` where `method` is a method of tralgos. What
    stands behind `callback` comes from its `options`, but for `tol`.

    Parameters
    ----------
    method : MethodProtocol
    fun : callable
        ``fun(x, *args)``, a real number or an array of size one. With ``jac=True`` it returns
        the gradient as well (SciPy takes the pair apart).
    x0 : array_like, shape (n,)
        float32 or float64; integers become float64. The run keeps this dtype, and arrays that
        come back in another precision are refused; lists and integers are converted to it.
    args : tuple
        Further arguments of `fun`, `jac`, `hess` and `hessp`.
    jac : callable, optional
        ``jac(x, *args)``, array_like, shape (n,). Default: central differences of `fun`, 2 n
        calls a gradient, counted in `nfev`. SciPy hands ``"2-point"``, ``"3-point"`` and
        ``"cs"`` on as None, so they come to the same.
    hess : callable or {"2-point", "3-point", "cs"}, optional
        ``hess(x, *args)``: array_like or sparse, shape (n, n), a ``LinearOperator``, or anything
        else that :func:`tralgos.operators.as_operator` takes. A string stands for differences
        of `jac` along the vector: forward, central, or with a complex step.
    hessp : callable, optional
        ``hessp(x, p, *args)``, the Hessian times p. Ignored where `hess` is callable, as SciPy
        documents; it comes before differences.
    bounds, constraints
        None and () only.
    callback : callable, optional
        After each iteration. If its sole parameter is named `intermediate_result` it gets by
        that name an :class:`~scipy.optimize.OptimizeResult` with `x`, `fun`, `jac`, `nit` and
        `record`, else x. StopIteration ends the run; other exceptions pass through.
    tol : float, optional
        Default of `gtol`.
    gtol : float, optional
        Euclidean norm of the gradient, absolute. Default 1e-5, in float32 5e-3.
    maxiter, max_matvec, time_limit, rng
        As for :func:`tralgos.minimize`.
    disp : bool
        Print a summary.
    return_all : bool
        Keep the iterates as `allvecs`, the start first.
    **unknown
        Other options: an OptimizeWarning names them.

    Returns
    -------
    scipy.optimize.OptimizeResult
        That of :func:`tralgos.minimize`, but for: `status`, 0 where `success` is true, 1 for
        the limit on iterations, 99 for the callback, else ``int(ending)``; and `nfev`, `njev`,
        `nhev`, the calls of `fun`, `jac` and `hess`, differences included, where `nhev` counts
        products if `hess` is not callable. With ``jac=True`` a value and a gradient count one
        each, though at the same point they share a call. The `trace` counts as everywhere.

    Raises
    ------
    ArgumentError
        If bounds or constraints are given, if `hess` is a ``HessianUpdateStrategy``, if the
        method needs a Hessian and there is none, if differences of differences are asked for,
        or if an option is out of range.
    ArrayTypeError, ShapeError
        If an argument, or what a function returns, is of the wrong kind or shape.
    NonFiniteError
        If x0, or the value or the gradient there, is NaN or infinite.

    Warns
    -----
    scipy.optimize.OptimizeWarning
        For unknown options.

    Examples
    --------
    >>> from scipy.optimize import minimize, rosen, rosen_der, rosen_hess
    >>> from tralgos.methods import TrustRegion
    >>> run = minimize(rosen, [-1.2, 1.0], jac=rosen_der, hess=rosen_hess, method=TrustRegion())
    >>> run.success, run.x.round(6)
    (True, array([1., 1.]))
    """
    _check_unconstrained(bounds, constraints)
    if unknown:
        listed = ", ".join(unknown)
        # The fourth frame is the one that called scipy.optimize.minimize.
        warnings.warn(f"Unknown solver options: {listed}", OptimizeWarning, stacklevel=4)
    if gtol is None and tol is not None:
        gtol = nonnegative_scalar(tol, "tol")
    functions = UserFunctions(fun, args if isinstance(args, tuple) else (args,), jac, hess, hessp)
    problem = functions.problem()
    _check_needs(method, functions, problem)
    x = np.atleast_1d(np.asarray(x0))
    visited = [np.array(x)] if return_all else None
    result = run(
        problem,
        x,
        method,
        gtol=gtol,
        maxiter=maxiter,
        max_matvec=max_matvec,
        time_limit=time_limit,
        callback=watcher(callback, visited),
        rng=rng,
    )
    _follow_scipy(result, functions)
    if visited is not None:
        result.allvecs = visited
    if disp:
        _print_summary(result)
    return result


def _check_unconstrained(bounds: object, constraints: object) -> None:
    """Raise if there is anything to obey."""
    if bounds is not None:
        raise ArgumentError("bounds must be None: methods of tralgos know no bounds")
    if constraints is None or (isinstance(constraints, Sized) and len(constraints) == 0):
        return
    raise ArgumentError("constraints must be empty: methods of tralgos know no constraints")


def _check_needs(method: MethodProtocol, functions: UserFunctions, problem: Problem) -> None:
    """Raise if the method needs a derivative that was not given."""
    try:
        method.require(Evaluator(problem))
    except ArgumentError:
        if problem.has_hessian:
            raise
        # Where a Hessian would not help either the method says what it misses.
        method.require(Evaluator(FunctionProblem(abs, abs, hess=abs)))
        raise ArgumentError(
            "the method needs the Hessian: pass hess or hessp, or make the method with "
            "hessian='finite-difference'"
        ) from None
    differences = getattr(method, "hessian", None) == "finite-difference" or (
        method.second_order is True and not problem.has_hessian
    )
    if differences and not functions.has_jac:
        raise ArgumentError(
            "the method takes differences of the gradient, so a callable jac is needed: "
            "differences of differences are lost in rounding"
        )


def _follow_scipy(result: OptimizeResult, functions: UserFunctions) -> None:
    """Status, message and counts as SciPy has them."""
    result.status = _STATUS.get(result.ending, int(result.ending))
    if result.ending is Ending.CALLBACK:
        result.message = "`callback` raised `StopIteration`."
    result.nfev, result.njev = functions.nfev, functions.njev
    result.nhev = functions.nhev if functions.calls_hess else result.nhvp


def _print_summary(result: OptimizeResult) -> None:
    """The lines that SciPy prints for `disp`."""
    how = "Optimization terminated successfully" if result.success else "Optimization stopped"
    print(f"{how}: {result.message}")
    print(f"         Current function value: {result.fun:f}")
    print(f"         Iterations: {result.nit:d}")
    print(f"         Function evaluations: {result.nfev:d}")
    print(f"         Gradient evaluations: {result.njev:d}")
    print(f"         Hessian evaluations: {result.nhev:d}")
