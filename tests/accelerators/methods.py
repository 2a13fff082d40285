"""Cases of the methods of minimisation."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isfunction
from typing import Any

import numpy as np

import tralgos
from tests.accelerators.case import Case, Table, data
from tests.namespaces import Xp
from tralgos import minimize
from tralgos.arrays import namespace
from tralgos.norms import DiagonalNorm, RMSPropNorm
from tralgos.problems import (
    FiniteSum,
    LeastSquares,
    LogisticRegression,
    NonlinearLeastSquares,
    Quadratic,
    Rosenbrock,
)

__all__ = ["METHODS"]

ROWS, N = 30, 4
X, Y = data(0, ROWS, N), data(1, ROWS)


def convex(where: Xp) -> FiniteSum:
    """Logistic regression with a regulariser: one minimiser, near zero."""
    return LogisticRegression(where.array(X), where.array(np.arange(ROWS) % 2), l2=0.5)


def squares(where: Xp) -> FiniteSum:
    return LeastSquares(where.array(X), where.array(Y), l2=0.25)


def converged(make: Any, problem: Any = convex, gtol: float = 1e-3, **options: Any) -> Case:
    """A whole run from ones: where it ends, and that nothing left its place on the way."""

    def run(where: Xp) -> Any:
        method = make(where) if isfunction(make) else make
        seen: list[Any] = []
        f = problem(where)
        start = where.array(np.ones(f.n))
        result = minimize(
            f, start, method, gtol=gtol, callback=lambda r: seen.append(r.x), rng=0, **options
        )
        assert all(where.owns(x) for x in seen)
        assert where.owns(result.jac)
        assert type(result.gradient_norm) is float
        trace = result.trace
        numbers = [row.value for row in trace] + [row.gradient_norm for row in trace]
        assert {type(v) for v in numbers} == {float}
        return result.x, result.fun, result.success

    # Two points with gradients below gtol, and a Hessian of eigenvalues above 1/4.
    return Case(run, loose=2e9)


def rosenbrock(method: Any) -> Case:
    """A valley: with a look for negative curvature at the end."""

    def run(where: Xp) -> Any:
        result = minimize(Rosenbrock(4), where.array([-1.2, 1.0, -1.2, 1.0]), method, rng=0)
        return result.x, result.success

    return Case(run, loose=3e8)


def steps(make: Any, problem: Any = squares, count: int = 5) -> Case:
    """The first steps of a method that follows the same path in every library."""

    def run(where: Xp) -> Any:
        method = make(where) if isfunction(make) else make
        f = problem(where)
        start = where.array(np.ones(f.n))
        result = minimize(f, start, method, gtol=1e-30, maxiter=count, rng=0)
        rows = [(row.value, row.accepted, row.step_norm) for row in result.trace]
        return result.x, result.jac, rows

    return Case(run, loose=300.0)


def fitted(where: Xp) -> NonlinearLeastSquares:
    """The curve a exp(b t) through points of it."""
    t = where.array(np.linspace(0.0, 1.0, 8))
    xp = namespace(t)

    def residual(x: Any) -> Any:
        return x[0] * xp.exp(x[1] * t) - 2.0 * xp.exp(-t)

    def jacobian(x: Any) -> Any:
        return xp.stack([xp.exp(x[1] * t), x[0] * t * xp.exp(x[1] * t)], axis=-1)

    return NonlinearLeastSquares(residual, jacobian, n=2)


def saddle(where: Xp) -> Any:
    """A start on a saddle, which is left by the driver."""
    from tralgos.problems import Saddle

    made = minimize(
        Saddle(), where.array([0.0, 0.0]), tralgos.TrustRegion(second_order=True), rng=0
    )
    return made.fun, made.ending.name, made.leftmost is not None and made.leftmost > 0.0


def monitored(where: Xp) -> Any:
    found = []
    for options in ({}, {"kind": "full"}, {"kind": "window", "window": 2}):
        rule = RMSPropNorm(epsilon=1e-2, **options)
        monitor = tralgos.EquivalenceMonitor(rule, mu=2.0)
        start = where.array(np.ones(N))
        minimize(squares(where), start, tralgos.GradientDescent(), maxiter=4, callback=monitor)
        assert monitor.broken is not None
        assert monitor.state is not None
        assert monitor.broken.direction is not None
        assert where.owns(monitor.broken.direction)
        found.append(
            [
                [(row.lower, row.upper) for row in monitor.rows],
                monitor.broken.side,
                monitor.broken.iteration,
                rule.norm(monitor.state).apply(start),
            ]
        )
    return found


def region(where: Xp) -> Any:
    method = tralgos.Adam()
    made: list[Any] = []

    def keep(result: Any) -> None:
        made.append(method.implicit_region(result.state))

    start = where.array(np.ones(N))
    minimize(squares(where), start, method, maxiter=3, callback=keep, gtol=1e-30)
    return [(r.minimiser(), r.radius, r.direction) for r in made]


def spectral(where: Xp) -> Any:
    """Arrays of curvatures and momenta, of the same shape."""
    s, rho = where.array([0.25, 1.0, 2.0, 3.5]), where.array([0.5, 0.9, 0.25, 0.75])
    radius = tralgos.curveball_spectral_radius(s, rho)
    converges = tralgos.curveball_converges(s, rho)
    return radius, namespace(s).astype(converges, s.dtype)


def traced(where: Xp) -> Any:
    result = minimize(squares(where), where.array(np.ones(N)), tralgos.Newton(), rng=0)
    column = result.trace.column("value")
    assert type(column) is np.ndarray
    return len(result.trace), float(column[-1]), result.ending.name


def quadratic(where: Xp) -> Quadratic:
    return Quadratic(where.array(np.diag([1.0, 2.0, 3.0, 4.0])), where.array(Y[:N]))


def adaptive(where: Xp) -> tralgos.TrustRegion:
    return tralgos.TrustRegion(norm=RMSPropNorm(epsilon=1e-2))


def weighted(where: Xp) -> tralgos.TrustRegion:
    return tralgos.TrustRegion(norm=DiagonalNorm(where.array([1.0, 2.0, 0.5, 1.0])))


def _inner(make: Any) -> Mapping[str, Case]:
    """A model-based method with each of its solvers and curvatures."""
    found = {
        name: converged(make(subproblem=name))
        for name in ("krylov", "direct", "exact", "steihaug")
        if not (make is tralgos.CubicRegularization and name == "steihaug")
    }
    kinds = ("exact", "gauss-newton", "finite-difference")
    return found | {f"{kind} curvature": converged(make(hessian=kind)) for kind in kinds}


_NUMBERS = "numbers in and out"
_RECORD = "a record of numbers"

METHODS: Table = {
    "Adagrad": {
        kind: steps(
            tralgos.Adagrad(epsilon=1e-2, kind=kind, window=3 if kind == "window" else None)
        )
        for kind in ("diagonal", "full", "window")
    },
    "Adam": {
        "whole": steps(tralgos.Adam()),
        "samples": steps(tralgos.Adam(batch=10)),
        "window": steps(tralgos.Adam(kind="window", window=2)),
    },
    "BatchBounds": _NUMBERS,
    "CubicRegularization": _inner(tralgos.CubicRegularization)
    | {"valley": rosenbrock(tralgos.CubicRegularization())},
    "CurveBall": {
        "automatic": converged(tralgos.CurveBall()),
        "fixed": converged(tralgos.CurveBall(beta=0.1, rho=0.9), squares),
        "exact curvature": converged(tralgos.CurveBall(hessian="exact")),
        "samples": steps(tralgos.CurveBall(batch=10), count=3),
    },
    "CurveBallParameters": _RECORD,
    "Ending": "an enumeration",
    "EquivalenceMonitor": Case(monitored, loose=300.0),
    "GradientDescent": {
        "backtracking": converged(tralgos.GradientDescent()),
        "fixed": steps(tralgos.GradientDescent(rate=0.1)),
        "schedule": steps(tralgos.GradientDescent(rate=tralgos.PowerDecay(0.1))),
        "samples": steps(tralgos.GradientDescent(rate=0.1, batch=10)),
    },
    "HeavyBall": steps(tralgos.HeavyBall(rate=0.1)),
    "HessianFree": {
        "plain": converged(tralgos.HessianFree()),
        "warm": converged(tralgos.HessianFree(warm=True, decay=0.5)),
        "samples": steps(tralgos.HessianFree(batch=10), count=2),
    },
    "Hybrid": converged(
        tralgos.Hybrid(first=tralgos.GradientDescent(), then=tralgos.Newton(), switch=3)
    ),
    "ImplicitRegion": Case(region, loose=300.0),
    "LevenbergMarquardt": {
        "nonlinear": converged(tralgos.LevenbergMarquardt(), fitted, gtol=1e-4),
        "marquardt": converged(tralgos.LevenbergMarquardt(scaling="marquardt"), fitted, gtol=1e-4),
        "convex": converged(tralgos.LevenbergMarquardt()),
    },
    "LiSSA": {
        "whole": converged(tralgos.LiSSA(), squares),
        "samples": steps(tralgos.LiSSA(scale=2.0, batch=10, repeats=2), squares, count=2),
    },
    "Nesterov": steps(tralgos.Nesterov(rate=0.1)),
    "Newton": {
        "plain": converged(tralgos.Newton()),
        "valley": rosenbrock(tralgos.Newton()),
        "gauss-newton": converged(tralgos.Newton(hessian="gauss-newton"), fitted, gtol=1e-4),
    },
    "PowerDecay": steps(tralgos.GradientDescent(rate=tralgos.PowerDecay(0.1))),
    "RMSProp": {
        kind: steps(
            tralgos.RMSProp(epsilon=1e-2, kind=kind, window=3 if kind == "window" else None)
        )
        for kind in ("diagonal", "full", "window")
    },
    "StochasticTrustRegion": {
        "samples": steps(
            tralgos.StochasticTrustRegion(gradient_batch=10, hessian_batch=10), count=3
        ),
        "whole": steps(tralgos.StochasticTrustRegion(), count=3),
    },
    "Trace": Case(traced, loose=100.0),
    "TraceRow": Case(traced, loose=100.0),
    "TrustRegion": _inner(tralgos.TrustRegion)
    | {
        "sphere descent": converged(tralgos.TrustRegion(subproblem="sphere-descent")),
        "adaptive norm": converged(adaptive),
        "fixed norm": converged(weighted),
        "valley": rosenbrock(tralgos.TrustRegion()),
    },
    "assumption_1_tolerances": _NUMBERS,
    "batch_sizes": _NUMBERS,
    "curveball_converges": Case(spectral),
    "curveball_optimal_parameters": _NUMBERS,
    "curveball_spectral_radius": Case(spectral),
    "gradient_batch_size": _NUMBERS,
    "hessian_batch_size": _NUMBERS,
    "minimize": {
        "quadratic": converged(None, quadratic),
        "saddle": Case(saddle, loose=1e8),
        "default": rosenbrock(None),
    },
    "minimize_with_scipy": "SciPy's own methods: NumPy vectors of float64 only, as it says",
}
