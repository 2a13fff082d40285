"""Adagrad, RMSProp and Adam: the weights of past gradients; see :mod:`tralgos.norms.adaptive`."""

from __future__ import annotations

from dataclasses import dataclass

from tralgos.arguments import check_probability
from tralgos.norms.accumulators import Weights
from tralgos.norms.adaptive import AdaptiveNorm

__all__ = ["AdagradNorm", "AdamNorm", "RMSPropNorm"]


@dataclass(frozen=True, kw_only=True)
class AdagradNorm(AdaptiveNorm):
    """A_t = sum_i g_i g_i' + epsilon I, equation (2); parameters as for :class:`AdaptiveNorm`.

    Not uniformly equivalent unless the gradients are square summable, or a window is kept.
    """

    @property
    def weights(self) -> Weights:
        """One for each gradient."""
        return Weights(gain=1.0, decay=1.0)


@dataclass(frozen=True, kw_only=True)
class RMSPropNorm(AdaptiveNorm):
    """A_t = (1 - beta) sum_i beta^(t-i) g_i g_i' + epsilon I, equation (3).

    Parameters
    ----------
    beta : float
        In (0, 1), as in the paper. At 0 the formula would leave the newest gradient alone,
        which is Adam's with window = 1; at 1 it would never see any. Default: 0.9, from
        Tieleman and Hinton (2012).
    epsilon, kind, window, epsilon_rule
        As for :class:`AdaptiveNorm`.
    """

    beta: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta", check_probability(self.beta, "beta"))

    @property
    def weights(self) -> Weights:
        """(1 - beta) beta^age."""
        return Weights(gain=1.0 - self.beta, decay=self.beta)


@dataclass(frozen=True, kw_only=True)
class AdamNorm(AdaptiveNorm):
    """A_t = (1 - beta2) / (1 - beta2^t) sum_i beta2^(t-i) g_i g_i' + epsilon I.

    The second-moment matrix of Adam with the correction of its bias: the weights sum to one.
    Kingma and Ba (2014) add their epsilon to the root of the diagonal, not to A as here.

    Parameters
    ----------
    beta2 : float
        In (0, 1). Default: 0.999, from Kingma and Ba (2014).
    epsilon, kind, window, epsilon_rule
        As for :class:`AdaptiveNorm`.
    """

    beta2: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta2", check_probability(self.beta2, "beta2"))

    @property
    def weights(self) -> Weights:
        """(1 - beta2) beta2^age over the sum of all."""
        return Weights(gain=1.0 - self.beta2, decay=self.beta2, unbiased=True)
