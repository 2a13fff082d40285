"""Functions with saddles whose stationary points are known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tralgos.arguments import number, positive_integer
from tralgos.arrays import Array, eps, namespace, real_vector, to_float
from tralgos.errors import ArgumentError, ShapeError
from tralgos.operators import DiagonalOperator, Operator, as_operator
from tralgos.problems.base import Problem

__all__ = [
    "DegenerateMinimum",
    "DoubleWell",
    "MonkeySaddle",
    "QuarticSaddle",
    "Saddle",
    "StationaryPoint",
]


@dataclass(frozen=True)
class StationaryPoint:
    """A point where the gradient vanishes.

    Attributes
    ----------
    point : numpy.ndarray, shape (n,)
        The point.
    kind : {"minimum", "saddle", "maximum"}
        Local extrema need not be global; a saddle is neither extremum.
    """

    point: np.ndarray
    kind: Literal["minimum", "saddle", "maximum"]


class _Known(Problem):
    """A problem with finitely many stationary points, all of them known."""

    has_hessian = True

    def stationary_points(self) -> Iterator[StationaryPoint]:
        """All points where the gradient vanishes, each once."""
        raise NotImplementedError

    def _set(self, start: Sequence[float], optimal_value: float) -> None:
        """The rest of the attributes, from the stationary points of a function of two variables."""
        minima = [p.point for p in self.stationary_points() if p.kind == "minimum"]
        Problem.__init__(
            self,
            2,
            name=type(self).__name__,
            start=np.array(start),
            minimisers=minima,
            optimal_value=optimal_value,
        )


class Saddle(_Known):
    """x^2 - y^2 + y^4: a saddle at 0, minima of -1/4 at (0, ±1/sqrt 2).

    It starts at (1, 0), from where gradient descent goes into the saddle.

    Examples
    --------
    >>> from tralgos.problems import Saddle
    >>> [p.kind for p in Saddle().stationary_points()]
    ['saddle', 'minimum', 'minimum']
    """

    def __init__(self) -> None:
        self._set([1.0, 0.0], -0.25)

    def stationary_points(self) -> Iterator[StationaryPoint]:
        """The saddle, then the two minima."""
        yield StationaryPoint(np.zeros(2), "saddle")
        for y in (math.sqrt(0.5), -math.sqrt(0.5)):
            yield StationaryPoint(np.array([0.0, y]), "minimum")

    def _value(self, x: Array) -> Any:
        u, v = x[0], x[1]
        return u * u - v * v + v * v * v * v

    def _gradient(self, x: Array) -> Array:
        u, v = x[0], x[1]
        return namespace(x).stack([2.0 * u, 4.0 * v * v * v - 2.0 * v])

    def _hessian(self, x: Array) -> Operator:
        v = x[1]
        xp = namespace(x)
        return DiagonalOperator(xp.stack([xp.full_like(v, 2.0), 12.0 * v * v - 2.0]))


class MonkeySaddle(_Known):
    r"""x^3 - 3 x y^2 + (x^2 + y^2)^2 / 4: three valleys that meet in a degenerate saddle.

    In polar coordinates it is :math:`r^3 \cos 3\theta + r^4/4`. For r > 0 the gradient
    vanishes where :math:`\sin 3\theta = 0` and :math:`r = -3\cos 3\theta`: at r = 3 in the
    three directions with :math:`\cos 3\theta = -1`, minima of -27/4. The Hessian vanishes
    at the saddle, so no second-order test tells it from a minimum. It starts at (1, 0), on a ridge.
    """

    def __init__(self) -> None:
        self._set([1.0, 0.0], -6.75)

    def stationary_points(self) -> Iterator[StationaryPoint]:
        """The saddle, then the three minima."""
        yield StationaryPoint(np.zeros(2), "saddle")
        half = 1.5 * math.sqrt(3.0)
        for x, y in ((-3.0, 0.0), (1.5, half), (1.5, -half)):
            yield StationaryPoint(np.array([x, y]), "minimum")

    def _value(self, x: Array) -> Any:
        u, v = x[0], x[1]
        square = u * u + v * v
        return u * (u * u - 3.0 * v * v) + 0.25 * square * square

    def _gradient(self, x: Array) -> Array:
        u, v = x[0], x[1]
        square = u * u + v * v
        return namespace(x).stack([3.0 * (u * u - v * v) + square * u, -6.0 * u * v + square * v])

    def _hessian(self, x: Array) -> Array:
        u, v = x[0], x[1]
        xp = namespace(x)
        square = u * u + v * v
        mixed = 2.0 * u * v - 6.0 * v
        rows = [
            [6.0 * u + square + 2.0 * u * u, mixed],
            [mixed, square + 2.0 * v * v - 6.0 * u],
        ]
        return xp.stack([xp.stack(row) for row in rows])


class DoubleWell(_Known):
    r"""A double well in each of n variables: :math:`\sum_i (x_i^2 - 1)^2 / 4`.

    The gradient :math:`x_i^3 - x_i` vanishes at the 3^n points with entries in {-1, 0, 1}.
    The Hessian there has 2 where the entry is ±1 and -1 where it is 0: 2^n global minima of
    value 0, one maximum at the origin, and saddles of every index between. `minimisers` names two.

    Parameters
    ----------
    n : int
        Number of variables.

    Raises
    ------
    ArgumentError
        If n is not a positive integer.
    """

    def __init__(self, n: int = 2) -> None:
        n = positive_integer(n, "n")
        Problem.__init__(
            self,
            n,
            name="DoubleWell",
            start=np.full(n, 0.1),
            minimisers=(np.ones(n), -np.ones(n)),
            optimal_value=0.0,
        )

    def stationary_points(self) -> Iterator[StationaryPoint]:
        """All 3^n, one at a time."""
        assert self.n is not None
        for entries in itertools.product((-1.0, 0.0, 1.0), repeat=self.n):
            zeros = entries.count(0.0)
            kind: Literal["minimum", "saddle", "maximum"] = "saddle"
            if zeros in (0, self.n):
                kind = "maximum" if zeros else "minimum"
            yield StationaryPoint(np.array(entries), kind)

    def _value(self, x: Array) -> Any:
        well = x * x - 1.0
        return 0.25 * namespace(x).vecdot(well, well)

    def _gradient(self, x: Array) -> Array:
        return x * (x * x - 1.0)

    def _hessian(self, x: Array) -> Operator:
        return DiagonalOperator(3.0 * x * x - 1.0)


class DegenerateMinimum(_Known):
    r"""(x + y^2)^2 / 2 + y^4 / 2: not convex, with a singular Hessian at its minimiser.

    The gradient :math:`(x + y^2,\; 2y(x + y^2) + 2y^3)` vanishes at 0 alone, where the
    value is 0 and the Hessian diag(1, 0). The Hessian's determinant is :math:`2x + 8y^2`,
    so it is indefinite in any neighbourhood of the minimiser.
    """

    def __init__(self) -> None:
        self._set([-1.0, 0.5], 0.0)

    def stationary_points(self) -> Iterator[StationaryPoint]:
        """The minimiser."""
        yield StationaryPoint(np.zeros(2), "minimum")

    def _value(self, x: Array) -> Any:
        u, v = x[0], x[1]
        bend, square = u + v * v, v * v
        return 0.5 * (bend * bend + square * square)

    def _gradient(self, x: Array) -> Array:
        u, v = x[0], x[1]
        bend = u + v * v
        return namespace(x).stack([bend, 2.0 * v * (bend + v * v)])

    def _hessian(self, x: Array) -> Array:
        u, v = x[0], x[1]
        xp = namespace(x)
        rows = [[xp.ones_like(u), 2.0 * v], [2.0 * v, 2.0 * u + 12.0 * v * v]]
        return xp.stack([xp.stack(row) for row in rows])


class QuarticSaddle(Problem):
    r"""x'Hx/2 + ||x||^4/4 with a symmetric H of any signature: one product a value.

    The gradient is :math:`(H + \lVert x\rVert^2) x`, so the stationary points are 0 and the
    eigenvectors of negative eigenvalues :math:`\lambda`, of length :math:`\sqrt{-\lambda}`,
    with the values :math:`-\lambda^2/4`. Among them the global minimisers are those of the
    leftmost eigenvalue: at any other the Hessian is negative along the leftmost eigenvector.

    Parameters
    ----------
    H : Operator or anything that :func:`tralgos.operators.as_operator` accepts
        Symmetric, of shape (n, n).
    leftmost : tuple of (float, array of shape (n,)), optional
        The smallest eigenvalue of H and an eigenvector of any length. That it is an
        eigenpair is checked, with one product; that it is the leftmost is not.
    start : array, shape (n,), optional
        The usual starting point.

    Attributes
    ----------
    H : Operator
        H.

    Raises
    ------
    ShapeError, ArrayTypeError
        If H is not square, or the vector does not fit it.
    ArgumentError
        If `leftmost` is not an eigenpair up to sqrt(eps), relative to max(|lambda|, ||Hv||/||v||).

    Notes
    -----
    The `minimisers` are the two :math:`\pm\sqrt{-\lambda}\,v`, or 0 where :math:`\lambda`
    is not negative; there are more where it is multiple.
    """

    has_hessian = True

    def __init__(
        self,
        H: Any,
        *,
        leftmost: tuple[float, Array] | None = None,
        start: Array | None = None,
    ) -> None:
        self.H = as_operator(H)
        n = self.H.shape[0]
        if self.H.shape[1] != n:
            raise ShapeError(f"H must be square, its shape is {self.H.shape}")
        minimisers: tuple[Array, ...] = ()
        optimal_value = None
        if leftmost is not None:
            value, unit = _eigenpair(self.H, leftmost)
            depth = max(-value, 0.0)
            optimal_value = -0.25 * depth * depth
            x = math.sqrt(depth) * unit
            minimisers = (x, -x) if depth > 0.0 else (x,)
        super().__init__(
            n,
            name="QuarticSaddle",
            start=start,
            minimisers=minimisers,
            optimal_value=optimal_value,
        )

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        xp = namespace(x)
        Hx, square = self.H.matvec(x), xp.vecdot(x, x)
        return 0.5 * xp.vecdot(x, Hx) + 0.25 * square * square, Hx + square * x

    def _value(self, x: Array) -> Any:
        return self._value_and_gradient(x)[0]

    def _gradient(self, x: Array) -> Array:
        return self._value_and_gradient(x)[1]

    def _hessian(self, x: Array) -> Operator:
        return _QuarticHessian(self.H, x)


class _QuarticHessian(Operator):
    """H + ||x||^2 + 2 x x': one product with H."""

    def __init__(self, H: Operator, x: Array) -> None:
        self._H, self._x = H, x
        self._square = namespace(x).vecdot(x, x)
        # Where H is not known to be symmetric, neither is this.
        super().__init__(
            H.shape,
            name="Hessian of QuarticSaddle",
            home=x,
            symmetric=H.symmetric,
            symmetry_tolerance=H.symmetry_tolerance,
        )

    def _matvec(self, v: Array) -> Array:
        along = 2.0 * namespace(v).vecdot(self._x, v)
        return self._H.matvec(v) + self._square * v + along * self._x


def _eigenpair(H: Operator, leftmost: Any) -> tuple[float, Array]:
    """The eigenvalue, and the eigenvector scaled to length one; an error if they are no pair."""
    try:
        value, vector = leftmost
    except (TypeError, ValueError):
        raise ArgumentError("leftmost must be a pair (eigenvalue, eigenvector)") from None
    value, v = number(value, "leftmost[0]"), real_vector(vector, "leftmost[1]")
    xp = namespace(v)
    if v.shape[0] != H.shape[0]:
        raise ShapeError(f"leftmost[1] has length {v.shape[0]}, H has shape {H.shape}")
    largest = to_float(xp.max(xp.abs(v)))
    if not (math.isfinite(value) and 0.0 < largest < math.inf):
        raise ArgumentError("leftmost needs a finite eigenvalue and a finite vector, not zero")
    v = v / largest
    v = v / xp.sqrt(xp.vecdot(v, v))
    Hv = H.matvec(v)
    residual = to_float(xp.max(xp.abs(Hv - value * v)))
    size = max(abs(value), to_float(xp.max(xp.abs(Hv))))
    if not residual <= math.sqrt(eps(v.dtype)) * size:
        raise ArgumentError(f"leftmost is no eigenpair: its residual is {residual:.3g}")
    return value, v
