"""Adaptive cubic regularisation, in any norm, adaptive ones included."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.arguments import positive_scalar
from tralgos.errors import ArgumentError
from tralgos.methods.acceptance import shrink_factor
from tralgos.methods.inner import InnerSolver, InnerStep
from tralgos.methods.model_based import ModelBased
from tralgos.methods.radius import checked_ratios
from tralgos.methods.search import Trial
from tralgos.subproblems.sphere_options import SphereDescent
from tralgos.subproblems.steihaug import Steihaug

__all__ = ["CubicRegularization"]

_DEFAULTS = (1e-4, 0.9, 4.0, 0.25)


@dataclass(frozen=True)
class SigmaControl:
    """How sigma follows the ratio.

    A step of the cubic model has the length of order sqrt(||g|| / sigma) where the cubic
    term rules, so a factor t of the length is a factor 1/t^2 of sigma.
    """

    eta1: float
    eta2: float
    grow: float
    shrink: float
    looks_ahead: bool = True

    def first(self, inner: InnerSolver, size: float) -> float:
        """The sigma whose shift at the Cauchy step is a tenth of the curvature along it."""
        curvature = inner.curvature_along_gradient()
        if curvature > 0.0:
            return 0.1 * curvature * (curvature / inner.gradient_norm)
        length = size if size > 0.0 else 1.0
        return inner.gradient_norm / length / length

    def solve(self, inner: InnerSolver, parameter: float) -> InnerStep:
        """The step for a sigma."""
        return inner.cubic(parameter)

    def again(self, inner: InnerSolver, parameter: float) -> InnerStep | None:
        """The same at no product."""
        return inner.cubic_again(parameter)

    def accepts(self, ratio: float) -> bool:
        """Whether a step of this ratio is taken; NaN is not."""
        return ratio >= self.eta1

    def bolder(self, trial: Trial) -> float | None:
        """A smaller sigma, where the model was good."""
        return trial.parameter / self.grow**2 if trial.ratio >= self.eta2 else None

    def rejected(self, trial: Trial, rise: float) -> float:
        """A larger sigma."""
        return trial.parameter / shrink_factor(trial.slope, rise, self.shrink, 0.5) ** 2

    def accepted(self, trial: Trial, *, overreached: bool) -> float:
        """The sigma of the next point."""
        if trial.ratio >= self.eta2:
            return trial.parameter / (math.sqrt(self.grow) if overreached else self.grow)
        return 2.0 * trial.parameter if trial.ratio < 0.25 else trial.parameter

    def radius_and_sigma(self, trial: Trial) -> tuple[float | None, float | None]:
        """Sigma."""
        return None, trial.parameter


@dataclass(frozen=True, kw_only=True)
class CubicRegularization(ModelBased):
    """Adaptive cubic regularisation (Cartis, Gould and Toint 2011), in any norm.

    Each step minimises g's + s'Hs/2 + sigma/3 ||s||_M^3 in the Krylov space of the gradient
    and compares the decrease of f with that of the cubic model.

    Parameters
    ----------
    sigma : float, optional
        The first weight, in the units of H over those of x. By default the weight whose
        shift at the Cauchy step is a tenth of the curvature there.
    eta1, eta2 : float, optional
        A step is taken from the ratio eta1 on, and sigma divided by `grow` from eta2 on.
        Default 1e-4 and 0.9.
    grow : float, optional
        At least 1; default 4.
    shrink : float, optional
        The least factor, in (0, 1), by which a rejection shortens the step; sigma grows by
        its inverse squared. Default 1/4.
    norm, norm_power, subproblem, hessian, second_order
        As for :class:`TrustRegion`; `subproblem` "krylov", "direct" or "exact".

    Raises
    ------
    ArgumentError
        If a parameter is out of its range.

    Notes
    -----
    Rejections, longer steps of the same model, the accuracy of the models, rounding and the
    evidence at the end are dealt with as in :class:`TrustRegion`.

    Host transfers: 1 a product, 2 a trial, 6 an iteration; see :class:`TrustRegion`.

    Examples
    --------
    >>> import tralgos
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), None, tralgos.CubicRegularization())
    >>> run.ending.name
    'SECOND_ORDER'
    """

    sigma: float | None = None
    eta1: float | None = None
    eta2: float | None = None
    grow: float | None = None
    shrink: float | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None:
            positive_scalar(self.sigma, "sigma")
        radial = isinstance(self.subproblem, Steihaug | SphereDescent)
        named = isinstance(self.subproblem, str)
        if radial or (named and self.subproblem in ("steihaug", "sphere-descent")):
            raise ArgumentError(
                f"subproblem={self.subproblem!r} solves trust-region subproblems, not cubic ones"
            )
        super().__post_init__()

    def _control(self) -> SigmaControl:
        given = (self.eta1, self.eta2, self.grow, self.shrink)
        return SigmaControl(*checked_ratios(given, _DEFAULTS))

    def _given(self) -> float | None:
        return self.sigma
