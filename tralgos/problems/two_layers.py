"""What models with one hidden layer share: the sweeps that their derivatives are made of."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Self

import numpy as np

from tralgos.arrays import Array
from tralgos.problems.finite_sum import FiniteSum, SampleMatrix, mean
from tralgos.problems.least_squares import Loss, linearized

__all__ = ["TwoLayers"]


class TwoLayers(FiniteSum):
    """The mean loss of a model that is swept forwards, along a tangent, and backwards.

    A subclass sets `_samples` and `_loss`, and gives the three sweeps, of one pass each, besides
    the Hessian and the gradients of terms.
    """

    has_hessian = True
    has_gauss_newton = True
    has_linearization = True

    _samples: SampleMatrix
    _loss: Loss

    @abstractmethod
    def _forward(self, x: Array) -> Any:
        """What the sweep at x leaves behind, with the outputs Z, shape (N, k), in it."""

    @abstractmethod
    def _tangent(self, sweep: Any, v: Array) -> tuple[Array, Array]:
        """What direction v does to the hidden layer, and to the outputs."""

    @abstractmethod
    def _pull(self, sweep: Any, G: Array) -> Array:
        """The gradient of which G is the gradient in the outputs."""

    def _mean_value(self, x: Array) -> Any:
        return mean(self._loss.values(self._forward(x).Z))

    def _mean_gradient(self, x: Array) -> Array:
        return self._mean_value_and_gradient(x)[1]

    def _mean_value_and_gradient(self, x: Array) -> tuple[Any, Array]:
        sweep = self._forward(x)
        G = self._loss.gradients(sweep.Z) / float(self.size)
        return mean(self._loss.values(sweep.Z)), self._pull(sweep, G)

    def _mean_linearize(self, x: Array) -> Any:
        sweep = self._forward(x)
        return linearized(
            self._loss,
            sweep.Z,
            lambda v: self._tangent(sweep, v)[1],
            lambda G: self._pull(sweep, G),
            x,
            self.name,
        )

    def _subset(self, rows: np.ndarray) -> Self:
        part: Self = self._copied(len(rows))
        part._samples, part._loss = self._samples.take(rows), self._loss.take(rows)
        return part
