r"""Adagrad, RMSProp and Adam: s = -rate A^{-1/2} d with A from past gradients.

The matrices are those of :mod:`tralgos.norms.adaptive`, equations (2) and (3) of "Adaptive
norms for deep learning with regularized Newton methods", and the steps those of its
Corollary 1. The epsilon stands inside A, as in the theory: on the diagonal a component is
divided by sqrt(v + epsilon), where PyTorch divides by sqrt(v) + eps. The two have the same
limits for large and for vanishing v if epsilon = eps^2. They differ most at v = epsilon, by
a factor of sqrt(2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tralgos.arrays import Array
from tralgos.methods.first_order import FirstOrder, FirstOrderState, checked_decay
from tralgos.methods.schedules import Rate
from tralgos.norms import AdagradNorm, AdamNorm, AdaptiveNorm, RMSPropNorm

__all__ = ["Adagrad", "Adam", "AdaptiveGradient", "RMSProp"]


@dataclass(frozen=True, kw_only=True)
class AdaptiveGradient(FirstOrder):
    """The base of the adaptive gradient methods; see the module for the formulas.

    Parameters
    ----------
    rate : float or callable
        As for :class:`FirstOrder`. It has the unit of x, for A^{-1/2} g has none.
    epsilon : float
        The multiple of the identity in A; positive. It has the unit of a squared gradient:
        where gradients are much smaller than its root, the method is gradient descent with
        the rate divided by that root.
    kind : {"diagonal", "full", "window"}
        The diagonal of A; all of it, as an n x n matrix; or all of it from the last `window`
        gradients alone. See :class:`~tralgos.norms.AdaptiveNorm` for the costs.
    window : int, optional
        For that kind alone, which needs it.
    batch, second_order
        As for :class:`FirstOrder`.

    Raises
    ------
    ArgumentError
        As for :class:`FirstOrder`.
    NotPositiveDefiniteError
        From a step, if epsilon is lost in the rounding of a full matrix.
    """

    epsilon: float = 1e-8
    kind: Literal["diagonal", "full", "window"] = "diagonal"
    window: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._rule()

    def _direction(self, state: FirstOrderState) -> Array:
        return state.gradient


@dataclass(frozen=True, kw_only=True)
class Adagrad(AdaptiveGradient):
    """Adagrad: A_k = sum_i g_i g_i' + epsilon I, equation (2).

    Parameters
    ----------
    rate, epsilon, kind, window, batch, second_order
        As for :class:`AdaptiveGradient`.

    Raises
    ------
    ArgumentError, NotPositiveDefiniteError
        Likewise.

    Notes
    -----
    Host transfers: 4 an iteration, 5 with a window, 7 with a full matrix.

    References
    ----------
    Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic
    optimization, 2011.
    """

    rate: Rate = 1e-2

    def _rule(self) -> AdaptiveNorm:
        return AdagradNorm(epsilon=self.epsilon, kind=self.kind, window=self.window)


@dataclass(frozen=True, kw_only=True)
class RMSProp(AdaptiveGradient):
    """RMSProp: A_k = (1 - beta) sum_i beta^(k-i) g_i g_i' + epsilon I, equation (3).

    The weights of the first steps do not sum to one, so that the first step is longer than
    later ones by 1 / sqrt(1 - beta).

    Parameters
    ----------
    beta : float
        In (0, 1).
    rate, epsilon, kind, window, batch, second_order
        As for :class:`AdaptiveGradient`.

    Raises
    ------
    ArgumentError, NotPositiveDefiniteError
        Likewise.

    Notes
    -----
    Host transfers: 4 an iteration, 5 with a window, 7 with a full matrix.

    References
    ----------
    Tieleman and Hinton, Lecture 6.5 of Neural networks for machine learning, 2012.
    """

    rate: Rate = 1e-2
    beta: float = 0.9

    def _rule(self) -> AdaptiveNorm:
        return RMSPropNorm(epsilon=self.epsilon, kind=self.kind, window=self.window, beta=self.beta)


@dataclass(frozen=True, kw_only=True)
class Adam(AdaptiveGradient):
    """Adam: d_k = m_k / (1 - beta1^k), m_k = beta1 m_{k-1} + (1 - beta1) g_k, with A likewise.

    A_k = (1 - beta2) / (1 - beta2^k) sum_i beta2^(k-i) g_i g_i' + epsilon I.

    Over a window d_k remembers gradients that A_k has forgotten. What they leave of d_k outside
    the span of the window is divided by sqrt(epsilon) alone: keep a window of several times
    1 / (1 - beta1) gradients, or an epsilon of the size of the squared gradients.

    Parameters
    ----------
    beta1 : float
        In [0, 1). At 0 there is no momentum.
    beta2 : float
        In (0, 1).
    rate, epsilon, kind, window, batch, second_order
        As for :class:`AdaptiveGradient`.

    Raises
    ------
    ArgumentError, NotPositiveDefiniteError
        Likewise.

    Notes
    -----
    Host transfers: 4 an iteration, 5 with a window, 7 with a full matrix.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, 2014, algorithm 1.
    """

    rate: Rate = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta1", checked_decay(self.beta1, "beta1"))

    def _rule(self) -> AdaptiveNorm:
        return AdamNorm(epsilon=self.epsilon, kind=self.kind, window=self.window, beta2=self.beta2)

    def _momentum(self, momentum: Array | None, gradient: Array) -> Array:
        fresh = (1.0 - self.beta1) * gradient
        return fresh if momentum is None else self.beta1 * momentum + fresh

    def _direction(self, state: FirstOrderState) -> Array:
        assert state.momentum is not None
        # 1 - beta1^k, without cancellation where beta1 is close to one.
        k = state.steps + 1
        weights = -math.expm1(k * math.log(self.beta1)) if self.beta1 > 0.0 else 1.0
        return state.momentum if weights == 1.0 else state.momentum / weights
