"""Rosenbrock's function in n dimensions, plain and with CurveBall's noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.arguments import nonnegative_scalar, positive_integer
from tralgos.arrays import Array, device_of, namespace
from tralgos.errors import ArgumentError
from tralgos.operators import Operator
from tralgos.problems.base import Problem, StochasticProblem

__all__ = ["Rosenbrock", "StochasticRosenbrock"]


class Rosenbrock(Problem):
    r"""The chained Rosenbrock function, for points of any array library.

    .. math:: f(x) = \sum_{i=1}^{n-1} w\,(x_{i+1} - x_i^2)^2 + (1 - x_i)^2

    The value is 0 at (1, ..., 1), its global minimiser. For n from 4 on there is another,
    local one near (-1, 1, ..., 1) when w = 100. The usual start is (-1.2, 1, -1.2, 1, ...).

    Parameters
    ----------
    n : int
        Number of variables, at least 2.
    weight : float
        w, not negative.

    Attributes
    ----------
    weight : float
        w.

    Raises
    ------
    ArgumentError
        If n < 2 or w is negative or not finite.

    Notes
    -----
    f is the sum of the squares of the 2 (n - 1) residuals
    :math:`\sqrt{w}(x_{i+1} - x_i^2)` and :math:`1 - x_i`, without a factor of one half. So
    the Gauss-Newton matrix is 2 J'J, positive semidefinite, and the Hessian adds
    :math:`-4w(x_{i+1} - x_i^2)` to its i-th diagonal entry. Both are tridiagonal
    operators: O(n) to build and to multiply. The matrix and the Hessian agree at the
    minimiser.

    Examples
    --------
    >>> from tralgos.problems import Rosenbrock
    >>> f = Rosenbrock(2)
    >>> round(f.value(f.start), 10)
    24.2
    """

    has_hessian = True
    has_gauss_newton = True
    has_linearization = True

    def __init__(self, n: int = 2, *, weight: float = 100.0) -> None:
        n = _chain_length(n)
        self.weight = nonnegative_scalar(weight, "weight")
        super().__init__(
            n,
            name="Rosenbrock",
            start=_usual_start(n),
            minimisers=(np.ones(n),),
            optimal_value=0.0,
        )

    def _value(self, x: Array) -> Any:
        bend, rest = _residuals(x)
        xp = namespace(x)
        return self.weight * xp.vecdot(bend, bend) + xp.vecdot(rest, rest)

    def _gradient(self, x: Array) -> Array:
        return self._value_and_gradient(x)[1]

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        bend, rest = _residuals(x)
        xp = namespace(x)
        value = self.weight * xp.vecdot(bend, bend) + xp.vecdot(rest, rest)
        left = (-4.0 * self.weight) * bend * x[:-1] - 2.0 * rest
        return value, _before(left) + _after((2.0 * self.weight) * bend)

    def _hessian(self, x: Array) -> Operator:
        bend, _ = _residuals(x)
        return self._tridiagonal(x, (-4.0 * self.weight) * bend, "Hessian of Rosenbrock")

    def _gauss_newton(self, x: Array) -> Operator:
        return self._tridiagonal(x, 0.0, "Gauss-Newton matrix of Rosenbrock")

    def _linearize(self, x: Array) -> Any:
        """The outputs are the residuals without the root of the weight; L sums their squares."""
        bend, rest = _residuals(x)
        xp = namespace(x)
        weight, m = self.weight, int(rest.shape[0])

        def curvature(u: Array) -> Array:
            return xp.concat([(2.0 * weight) * u[:m], 2.0 * u[m:]])

        value = weight * xp.vecdot(bend, bend) + xp.vecdot(rest, rest)
        return value, _Residuals(x), curvature(xp.concat([bend, rest])), curvature

    def _tridiagonal(self, x: Array, extra: Any, name: str) -> Operator:
        """2 J'J, and `extra` on the diagonal but for its last entry."""
        first = x[:-1]
        left = (8.0 * self.weight) * first * first + 2.0 + extra
        right = namespace(x).full_like(first, 2.0 * self.weight)
        return _Tridiagonal(_before(left) + _after(right), (-4.0 * self.weight) * first, name)


class StochasticRosenbrock(StochasticProblem):
    r"""Rosenbrock's function with a random weight: equation (19) of *CurveBall*.

    .. math:: R(u, v) = (1 - u)^2 + 100\,\epsilon\,(v - u^2)^2,
        \qquad \epsilon \sim \mathcal{U}[\lambda_1, \lambda_2]

    Parameters
    ----------
    n : int
        Number of variables, at least 2 (the paper's case); one noise for the whole chain.
    noise : tuple of float
        The ends of the interval; the paper takes (0, 1), (0, 3) and, without noise, (1, 1).

    Attributes
    ----------
    noise : tuple of float
        The ends.
    size : None
        There are infinitely many terms.

    Raises
    ------
    ArgumentError
        If n < 2, or unless 0 <= lambda_1 <= lambda_2 and 0 < lambda_2 are finite.

    Notes
    -----
    The noise multiplies the first term, so that everything is linear in it: the mean over
    all noise is :class:`Rosenbrock` with weight :math:`50(\lambda_1 + \lambda_2)`, which is
    what this problem itself returns, and the mean over a sample is the one with weight
    100 times the sample's mean noise. For U[0, 1] the expectation is therefore not the usual
    function but one with half its weight. All share the minimiser (1, ..., 1) with value 0,
    where every gradient vanishes, whatever the noise.

    Examples
    --------
    >>> from tralgos.problems import StochasticRosenbrock
    >>> f = StochasticRosenbrock(noise=(0.0, 3.0))
    >>> f.expectation.weight
    150.0
    """

    has_hessian = True
    has_gauss_newton = True
    has_linearization = True
    size = None

    def __init__(self, n: int = 2, *, noise: tuple[float, float] = (0.0, 1.0)) -> None:
        self.noise = _interval(noise)
        low, high = self.noise
        #: The mean over all noise.
        self.expectation = Rosenbrock(n, weight=100.0 * (0.5 * low + 0.5 * high))
        mean = self.expectation
        super().__init__(
            mean.n,
            name=f"Rosenbrock with noise U[{low:g}, {high:g}]",
            start=mean.start,
            minimisers=mean.minimisers,
            optimal_value=0.0,
        )

    def _sample(self, size: int, rng: np.random.Generator) -> Rosenbrock:
        assert self.n is not None
        return Rosenbrock(self.n, weight=100.0 * float(np.mean(rng.uniform(*self.noise, size))))

    def _value(self, x: Array) -> Any:
        return self.expectation._value(x)

    def _gradient(self, x: Array) -> Array:
        return self.expectation._gradient(x)

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        return self.expectation._value_and_gradient(x)

    def _hessian(self, x: Array) -> Operator:
        return self.expectation._hessian(x)

    def _gauss_newton(self, x: Array) -> Operator:
        return self.expectation._gauss_newton(x)

    def _linearize(self, x: Array) -> Any:
        return self.expectation._linearize(x)


class _Residuals(Operator):
    """The derivatives of x_{i+1} - x_i^2 and, below them, of 1 - x_i."""

    def __init__(self, x: Array) -> None:
        n = int(x.shape[0])
        self._twice = 2.0 * x[:-1]
        super().__init__((2 * (n - 1), n), name="Jacobian of Rosenbrock", home=x)

    @property
    def has_transpose(self) -> bool:
        """True."""
        return True

    def _matvec(self, x: Array) -> Array:
        return namespace(x).concat([x[1:] - self._twice * x[:-1], -x[:-1]])

    def _rmatvec(self, x: Array) -> Array:
        bend, rest = x[: self._twice.shape[0]], x[self._twice.shape[0] :]
        return _after(bend) - _before(self._twice * bend + rest)


class _Tridiagonal(Operator):
    """A symmetric tridiagonal matrix: diagonal of length n, off-diagonal of n - 1."""

    def __init__(self, diagonal: Array, off: Array, name: str) -> None:
        self._diagonal, self._off = diagonal, off
        n = int(diagonal.shape[0])
        super().__init__((n, n), name=name, home=diagonal, symmetric=True)

    def _matvec(self, x: Array) -> Array:
        return self._diagonal * x + _before(self._off * x[1:]) + _after(self._off * x[:-1])

    def _matmat(self, X: Array) -> Array:
        off = self._off[:, None]
        return self._diagonal[:, None] * X + _before(off * X[1:, :]) + _after(off * X[:-1, :])


def _residuals(x: Array) -> tuple[Array, Array]:
    """x_{i+1} - x_i^2, and 1 - x_i."""
    return x[1:] - x[:-1] * x[:-1], 1.0 - x[:-1]


def _before(y: Array) -> Array:
    """`y` with a zero (row) after its end."""
    xp = namespace(y)
    zero = xp.zeros((1, *y.shape[1:]), dtype=y.dtype, device=device_of(y))
    return xp.concat([y, zero], axis=0)


def _after(y: Array) -> Array:
    """`y` with a zero (row) before its beginning."""
    xp = namespace(y)
    zero = xp.zeros((1, *y.shape[1:]), dtype=y.dtype, device=device_of(y))
    return xp.concat([zero, y], axis=0)


def _usual_start(n: int) -> np.ndarray:
    start = np.ones(n)
    start[::2] = -1.2
    return start


def _chain_length(n: object) -> int:
    length = positive_integer(n, "n")
    if length < 2:
        raise ArgumentError(f"n must be at least 2, got {length}")
    return length


def _interval(noise: Any) -> tuple[float, float]:
    try:
        low, high = noise
    except (TypeError, ValueError):
        raise ArgumentError(f"noise must be a pair of numbers, got {noise!r}") from None
    low, high = nonnegative_scalar(low, "noise[0]"), nonnegative_scalar(high, "noise[1]")
    if low > high or math.isclose(high, 0.0, abs_tol=0.0):
        raise ArgumentError(f"noise must satisfy noise[0] <= noise[1] > 0, got {(low, high)}")
    return low, high
