"""Problems and oracles that several tests of the methods use."""

from __future__ import annotations

from typing import Any

import numpy as np

from tralgos.operators import Operator
from tralgos.problems import FunctionProblem, Problem

__all__ = ["Hidden", "dense_quadratic", "rosenbrock", "saddle"]


def rosenbrock(scale: float = 1.0, length: float = 1.0, constant: float = 0.0) -> FunctionProblem:
    """scale * Rosenbrock(x / length) + constant, written out for two variables."""

    def fun(x: Any) -> float:
        u, v = x[0] / length, x[1] / length
        return scale * (100.0 * (v - u * u) ** 2 + (1.0 - u) ** 2) + constant

    def grad(x: Any) -> Any:
        u, v = x[0] / length, x[1] / length
        first = -400.0 * u * (v - u * u) - 2.0 * (1.0 - u)
        return (scale / length) * np.stack([first, 200.0 * (v - u * u)])

    def hess(x: Any) -> Any:
        u, v = x[0] / length, x[1] / length
        rows = [[1200.0 * u * u - 400.0 * v + 2.0, -400.0 * u], [-400.0 * u, 200.0]]
        return (scale / length / length) * np.asarray(rows)

    return FunctionProblem(
        fun, grad, hess=hess, n=2, name="rosenbrock", start=length * np.array([-1.2, 1.0])
    )


def saddle() -> FunctionProblem:
    """x^2 - y^2 + y^4: a saddle at 0, minima at (0, +-1/sqrt 2) with the value -1/4."""
    return FunctionProblem(
        lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4,
        lambda x: np.stack([2.0 * x[0], -2.0 * x[1] + 4.0 * x[1] ** 3]),
        hess=lambda x: np.array([[2.0, 0.0], [0.0, -2.0 + 12.0 * float(x[1]) ** 2]]),
        n=2,
        name="saddle",
    )


def dense_quadratic(H: np.ndarray, g: np.ndarray) -> FunctionProblem:
    """g'x + x'Hx/2 by products alone."""
    return FunctionProblem(
        lambda x: float(g @ x + 0.5 * x @ (H @ x)),
        lambda x: g + H @ x,
        hessp=lambda x, v: H @ v,
        n=g.shape[0],
        name="quadratic",
    )


class _Products(Operator):
    def __init__(self, H: Any, log: list[int]) -> None:
        super().__init__(H.shape, name="Hessian")
        self._H, self._log = H, log

    def _matvec(self, x: Any) -> Any:
        self._log.append(1)
        return self._H @ x


class Hidden(Problem):
    """A problem whose Hessian shows its products alone, which it counts by itself."""

    has_hessian = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.n, name=problem.name, start=problem.start)
        self.problem = problem
        self.products: list[int] = []
        self.points: list[Any] = []

    def _value(self, x: Any) -> Any:
        return self.problem.value(x)

    def _gradient(self, x: Any) -> Any:
        return self.problem.gradient(x)

    def _hessian(self, x: Any) -> Any:
        self.points.append(x)
        return _Products(self.problem.hessian(x), self.products)
