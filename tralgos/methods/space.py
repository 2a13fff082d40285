"""The space a method works in: a fixed norm, or one that adapts to the gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tralgos.arrays import Array
from tralgos.errors import ArrayTypeError
from tralgos.norms import AdaptiveNorm, Norm, as_norm

__all__ = ["Space", "checked_norm"]


def checked_norm(norm: Any) -> Any:
    """`norm` itself, if it is None, a norm or a rule.

    Raises
    ------
    ArrayTypeError
        If it is something else.
    """
    if norm is None or isinstance(norm, Norm | AdaptiveNorm):
        return norm
    raise ArrayTypeError(
        "norm must be None, one of tralgos.norms (a diagonal d goes in as DiagonalNorm(d)), or a "
        f"rule such as RMSPropNorm(), got {type(norm).__name__}"
    )


@dataclass(frozen=True)
class Space:
    """A norm, or a rule with what it has accumulated.

    Attributes
    ----------
    fixed : Norm or None
    rule, accumulated : object
        A rule of :mod:`tralgos.norms` with its state; None for a fixed norm.
    power : float
        Of the accumulated matrix: 1 or 1/2.
    """

    fixed: Norm | None = None
    rule: Any = None
    accumulated: Any = None
    power: float = 1.0

    @staticmethod
    def begin(norm: Any, power: float, gradient: Array) -> Space:
        """The space at the start, with the first gradient accumulated."""
        if norm is None or isinstance(norm, Norm):
            return Space(fixed=as_norm(norm, gradient))
        state = norm.update(norm.init(like=gradient), gradient)
        return Space(rule=norm, accumulated=state, power=power)

    def after(self, gradient: Array) -> Space:
        """The space with another gradient accumulated."""
        if self.rule is None:
            return self
        state = self.rule.update(self.accumulated, gradient)
        return Space(rule=self.rule, accumulated=state, power=self.power)

    def norm(self, like: Array) -> Norm:
        """The norm of the next step."""
        if self.fixed is not None:
            return self.fixed
        norm: Norm = self.rule.norm(self.accumulated, power=self.power)
        return norm
