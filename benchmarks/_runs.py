"""One run of a minimiser on a test problem, counted and judged from outside.

Every method sees the same functions, behind the same counters, and the Hessian by its
products alone where it can do with them. Whether a run has solved its problem is decided
from the point that it returns and nothing else.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

import tralgos
from tralgos.operators import Operator
from tralgos.problems import Problem

__all__ = ["DENSE", "DENSE_METHODS", "LIMIT", "METHODS", "SADDLE", "Run", "solve"]

#: Seconds after which a run is given up, and its bound on iterations.
LIMIT = 60.0
MAX_ITERATIONS = 20_000
#: A returned point is called a saddle if lambda_1 is below minus this times ||H||.
SADDLE = 1e-3
#: SciPy's status of a run that a callback has ended.
_STOPPED = 99
#: Orders up to which that is looked at.
DENSE = 1000


@dataclass(frozen=True)
class Run:
    """What a run has cost, and what it has reached.

    Attributes
    ----------
    solved : bool
        ||g|| at the returned point is within the tolerance.
    claimed : bool
        The method reported success.
    value, curvature : float
        f there, and lambda_1 / ||H|| (NaN where it was not computed).
    values, gradients, hessians, products : int
    iterations : int
    error : str
        The exception that ended it, or what the method said.
    """

    solved: bool
    claimed: bool
    value: float
    curvature: float
    values: int
    gradients: int
    hessians: int
    products: int
    evidence: int
    iterations: int
    error: str

    @property
    def cost(self) -> float:
        """In values: 1 for a value, 3 for a gradient, 6 for a product."""
        return self.values + 3.0 * self.gradients + 6.0 * self.products


class _Spent(Exception):
    """The time is up."""


class _Counted:
    """The functions of a problem as SciPy wants them, counted."""

    def __init__(self, problem: Problem, tolerance: float) -> None:
        self._problem, self._tolerance = problem, tolerance
        self._end = time.monotonic() + LIMIT
        self.values = self.gradients = self.hessians = self.products = 0
        self._at: np.ndarray | None = None
        self._hessian: Any = None

    def _tick(self) -> None:
        if time.monotonic() > self._end:
            raise _Spent

    def value(self, x: np.ndarray) -> float:
        self._tick()
        self.values += 1
        return self._problem.value(x)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        self._tick()
        self.gradients += 1
        g: np.ndarray = self._problem.gradient(x)
        return g

    def hessian_at(self, x: np.ndarray) -> Any:
        if self._at is None or not np.array_equal(self._at, x):
            self._at, self._hessian = x.copy(), self._problem.hessian(x)
        return self._hessian

    def product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        self._tick()
        self.products += 1
        y: np.ndarray = self.hessian_at(x) @ v
        return y

    def dense(self, x: np.ndarray) -> np.ndarray:
        self._tick()
        self.hessians += 1
        return _dense(self._problem.hessian(x))

    def stop(self, x: np.ndarray) -> None:
        """A callback for methods whose own test is another: the gradient is not counted."""
        if np.linalg.norm(self._problem.gradient(x)) <= self._tolerance:
            raise StopIteration


def _dense(H: Any) -> np.ndarray:
    return np.asarray(H @ np.eye(H.shape[0]))


class _Products(Operator):
    """The Hessian with nothing but its products, so that nobody factorises it."""

    def __init__(self, H: Any) -> None:
        super().__init__(H.shape, name="Hessian")
        self._H = H

    def _matvec(self, x: Any) -> Any:
        return self._H @ x


class _MatrixFree(Problem):
    """A problem whose Hessian is an operator."""

    has_hessian = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.n, name=problem.name, start=problem.start)
        self._problem = problem

    def _value(self, x: Any) -> Any:
        return self._problem.value(x)

    def _gradient(self, x: Any) -> Any:
        return self._problem.gradient(x)

    def _hessian(self, x: Any) -> Any:
        return _Products(self._problem.hessian(x))


def _ours(method: Any) -> Callable[[Problem, float], Run]:
    def run(problem: Problem, tolerance: float) -> Run:
        result = tralgos.minimize(
            _MatrixFree(problem),
            problem.start,
            method,
            gtol=tolerance,
            maxiter=MAX_ITERATIONS,
            time_limit=LIMIT,
        )
        return _judged(
            problem,
            tolerance,
            result.x,
            claimed=result.success,
            values=result.nfev,
            gradients=result.njev,
            products=result.nhvp - result.nhvp_evidence,
            evidence=result.nhvp_evidence,
            iterations=result.nit,
            error="" if result.success else result.ending.name,
        )

    return run


def _scipy(name: str, options: Callable[[float, int], dict[str, Any]]) -> Callable[..., Run]:
    def run(problem: Problem, tolerance: float) -> Run:
        counted = _Counted(problem, tolerance)
        start = np.asarray(problem.start)
        own = options(tolerance, start.shape[0])
        curvature: dict[str, Any] = {}
        if name in ("trust-ncg", "trust-krylov", "Newton-CG"):
            curvature = {"hessp": counted.product}
        elif name == "trust-exact":
            curvature = {"hess": counted.dense}
        # These two have no tolerance on the Euclidean norm of the gradient.
        stop = counted.stop if name in ("Newton-CG", "L-BFGS-B") else None
        x, claimed, iterations, error = start, False, 0, ""
        try:
            result = scipy.optimize.minimize(
                counted.value,
                start,
                jac=counted.gradient,
                method=name,
                callback=stop,
                options={"maxiter": MAX_ITERATIONS, **own},
                **curvature,
            )
            x, iterations = result.x, int(result.nit)
            # Ended by our own test of the gradient, which stands for theirs.
            claimed = bool(result.success) or result.status == _STOPPED
            error = "" if claimed else str(result.message)
        except _Spent:
            error = "time"
        except Exception as problem_of_the_peer:  # whatever a peer raises counts against it
            error = type(problem_of_the_peer).__name__
        return _judged(
            problem,
            tolerance,
            x,
            claimed=claimed,
            values=counted.values,
            gradients=counted.gradients,
            hessians=counted.hessians,
            products=counted.products,
            iterations=iterations,
            error=error,
        )

    return run


def _judged(
    problem: Problem,
    tolerance: float,
    x: np.ndarray,
    *,
    claimed: bool,
    values: int,
    gradients: int,
    products: int,
    iterations: int,
    error: str,
    hessians: int = 0,
    evidence: int = 0,
) -> Run:
    size = float(np.linalg.norm(problem.gradient(x)))
    solved = size <= tolerance * (1.0 + 1e-9)
    curvature = math.nan
    if claimed and x.shape[0] <= DENSE:
        eigenvalues = np.linalg.eigvalsh(_dense(problem.hessian(x)))
        curvature = float(eigenvalues[0] / max(abs(eigenvalues).max(), 1e-300))
    return Run(
        solved,
        claimed,
        problem.value(x),
        curvature,
        values,
        gradients,
        hessians,
        products,
        evidence,
        iterations,
        error,
    )


def _gtol(tolerance: float, n: int) -> dict[str, Any]:
    return {"gtol": tolerance}


METHODS: dict[str, Callable[[Problem, float], Run]] = {
    "tralgos TrustRegion": _ours(tralgos.TrustRegion()),
    "tralgos CubicRegularization": _ours(tralgos.CubicRegularization()),
    "SciPy trust-ncg": _scipy("trust-ncg", _gtol),
    "SciPy trust-krylov": _scipy("trust-krylov", _gtol),
    "SciPy trust-exact": _scipy("trust-exact", _gtol),
    "SciPy Newton-CG": _scipy("Newton-CG", lambda tolerance, n: {"xtol": 1e-300}),
    "SciPy BFGS": _scipy("BFGS", lambda tolerance, n: {"gtol": tolerance, "norm": 2}),
    "SciPy L-BFGS-B": _scipy(
        "L-BFGS-B",
        lambda tolerance, n: {
            "gtol": tolerance / math.sqrt(n),
            "ftol": 0.0,
            "maxfun": 10 * MAX_ITERATIONS,
        },
    ),
}

#: Methods that keep a dense matrix: not for large n.
DENSE_METHODS = ("SciPy trust-exact", "SciPy BFGS")


def solve(method: str, problem: Problem, tolerance: float) -> Run:
    """One run, quiet."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return METHODS[method](problem, tolerance)
