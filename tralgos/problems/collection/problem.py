"""A problem of the collection, and the record by which it is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arrays import Array, is_numpy
from tralgos.errors import ArrayTypeError
from tralgos.problems.base import Problem
from tralgos.problems.collection.separable import Separable

__all__ = ["CollectionProblem", "Entry"]


class CollectionProblem(Problem):
    """A partially separable function with its exact derivatives, for NumPy in float64.

    Parameters
    ----------
    function : Separable
        The function.
    name, start, minimisers, optimal_value
        As for :class:`~tralgos.problems.Problem`.

    Attributes
    ----------
    function : Separable
        As above.
    m : int or None
        The number of residuals, for a sum of squares.
    has_gauss_newton : bool
        True for sums of squares; the Gauss-Newton matrix is 2 J'J.

    Notes
    -----
    Points are NumPy vectors of float64 (integers become float64); all others are refused
    with :class:`~tralgos.errors.ArrayTypeError`. The Hessian is a dense symmetric matrix
    for n <= 100, a CSR matrix where the Hessian is sparse, and otherwise a symmetric
    operator whose product costs as much as the Hessian has elements. It is made anew at
    each point, in one pass over the elements. Overflow is passed on as infinity or NaN,
    without a warning.
    """

    has_hessian = True

    def __init__(
        self,
        function: Separable,
        start: Sequence[float] | np.ndarray,
        *,
        name: str,
        minimisers: Sequence[Sequence[float] | np.ndarray] = (),
        optimal_value: float | None = None,
    ) -> None:
        super().__init__(
            function.n,
            name=name,
            start=np.array(start, dtype=np.float64),
            minimisers=[np.array(x, dtype=np.float64) for x in minimisers],
            optimal_value=optimal_value,
        )
        self.function = function
        self.has_gauss_newton = not function.terms
        self.m = sum(e.count for e in function.residuals) if self.has_gauss_newton else None

    def _point(self, x: Array) -> Array:
        x = super()._point(x)
        if not is_numpy(x) or x.dtype != np.float64:
            raise ArrayTypeError(
                f"{self.name} takes NumPy vectors of float64, x is one of "
                f"{type(x).__module__} with dtype {x.dtype}"
            )
        return x

    def _value(self, x: Array) -> Any:
        with _silence():
            return self.function.value(x)

    def _gradient(self, x: Array) -> Array:
        with _silence():
            return self.function.gradient(x)

    def _value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        with _silence():
            return self.function.value_and_gradient(x)

    def _hessian(self, x: Array) -> Any:
        with _silence():
            return self.function.hessian(x)

    def _gauss_newton(self, x: Array) -> Any:
        with _silence():
            return self.function.gauss_newton(x)


def _silence() -> np.errstate:
    """Where overflow is not worth a warning: the infinity or NaN arrives and says it all."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore")


@dataclass(frozen=True)
class Entry:
    """How a problem of the collection is made.

    Attributes
    ----------
    name : str
        What it is called.
    build : callable
        n -> CollectionProblem.
    default : int
        The usual number of variables.
    fit : callable
        n -> the largest number of variables up to n for which the problem is defined,
        or the smallest of all.
    large : bool
        Whether a large n is cheap: all costs grow as n.
    number : int or None
        The number in Moré, Garbow and Hillstrom (1981).
    """

    name: str
    build: Callable[[int], CollectionProblem]
    default: int
    fit: Callable[[int], int]
    large: bool = False
    number: int | None = None


def multiple(step: int, least: int = 1) -> Callable[[int], int]:
    """Fit to multiples of `step` that are at least `least`."""
    return lambda n: max(least, n - n % step)


def fixed(size: int) -> Callable[[int], int]:
    """Fit to one size."""
    return lambda n: size


def between(least: int, most: int) -> Callable[[int], int]:
    """Fit to a range of sizes."""
    return lambda n: min(max(least, n), most)
