"""How accurately a model is worth solving: Eisenstat and Walker's first choice."""

from __future__ import annotations

from dataclasses import dataclass

from tralgos.methods.inner import InnerStep

__all__ = ["Forcing"]

#: The relative residual is kept between these.
_LEAST, _MOST = 1e-6, 0.2


@dataclass(frozen=True)
class Forcing:
    """The relative residual to which the next model is solved.

    The gradient that the model predicts at its own step, ||g + Hs||, against the one
    that was found there, tells how far the model can be trusted, and more accuracy
    than that is wasted (Eisenstat and Walker 1996, choice 1). The error of a model is
    O(||s||^2), so that convergence is superlinear, until the least eta makes it linear with
    that factor.

    Attributes
    ----------
    eta : float
    """

    eta: float = _MOST

    def after(self, before: float, step: InnerStep, found: float) -> Forcing:
        """The forcing of the next model.

        Parameters
        ----------
        before, found : float
            Dual norms of the gradient before and after the step.
        step : InnerStep
            With the dual norm of the gradient that the model predicted, its residual.
        """
        if step.on_boundary:
            return Forcing()
        eta = abs(found - step.residual) / before
        return Forcing(min(max(eta, _LEAST), _MOST))
