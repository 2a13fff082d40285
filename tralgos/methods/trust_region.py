"""The deterministic trust-region method, in any norm, adaptive ones included."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.arguments import number, positive_scalar
from tralgos.errors import ArgumentError
from tralgos.methods.model_based import ModelBased
from tralgos.methods.radius import RadiusControl, RuleName, radius_control

__all__ = ["TrustRegion"]


@dataclass(frozen=True, kw_only=True)
class TrustRegion(ModelBased):
    """The trust-region method, in any norm.

    Each step minimises the model g's + s'Hs/2 over ||s||_M <= radius and compares the
    decrease of f with that of the model. The model is made once a point: a rejection, or a
    longer step where the model proves good, is solved for in the same Krylov space, at a
    value of f and no Hessian.

    Parameters
    ----------
    norm : Norm, rule of :mod:`tralgos.norms`, or None
        The norm of the trust region: fixed, or one that adapts to the gradients
        (:class:`~tralgos.norms.RMSPropNorm` and others), which makes it the ellipsoidal
        method of the adaptive-norms paper. Euclidean by default.
    norm_power : {1.0, 0.5}
        Power of the adaptive matrix: A itself (the paper's Algorithm 1) or its root
        (Corollary 1).
    subproblem : str or record
        The inner solver. "krylov": the Krylov space of the gradient, extended until the step is
        worth its accuracy. "direct": the reduction of a dense Hessian (of an operator, at n
        products), to rounding. "exact": :class:`tralgos.Subproblem` to a certified gap of 1e-8.
        "steihaug", "sphere-descent" or a record :class:`tralgos.Steihaug` or
        :class:`tralgos.SphereDescent`: truncated conjugate gradients, descent on the sphere.
    hessian : {"exact", "gauss-newton", "finite-difference"}
        Where products come from; differences of gradients cost a gradient each.
    rule : {"practice", "algorithm-1", "efficient-tr"}
        How the radius follows the ratio: today's practice; Algorithm 1 of the adaptive-norms
        paper (times `grow` from ratio eta1 on, else times `shrink`); the deterministic rule of
        the efficient-trust-region paper (0.1, 0.9, 2, 1/2).
    radius : float, optional
        The first radius. By default ten Cauchy steps.
    max_radius : float
        Infinite by default.
    eta1, eta2 : float, optional
        A step is taken from the ratio eta1 on, and the radius grows from eta2 on. Defaults of
        the rules: 1e-4 and 0.9; 0.1; 0.1 and 0.9.
    grow, shrink : float, optional
        Factors of the radius; `grow` at least 1, `shrink` in (0, 1). Defaults of the
        rules: 4 and 1/4 (the least: a parabola through the failed step chooses between it
        and 1/2); 2 and 1/2; 2 and 1/2.
    second_order : bool or None
        What is asked for where the gradient is small. True: evidence that the point is a
        minimum, else the run is no success. None: a look at a twentieth of the products
        of the run, 2 to 20. False: nothing. Where a negative curvature is seen the point is
        left along it.

    Raises
    ------
    ArgumentError
        If a parameter is out of its range.

    Notes
    -----
    **Accuracy of the models.** "krylov" stops when the residual is below eta ||g||, with eta
    from how well the last model predicted its gradient (Eisenstat and Walker 1996), and
    never goes below what the tolerance on the gradient needs.

    **Rounding.** Where the predicted decrease is near the rounding of f the ratio is taken
    from gradients, and a run that halves its gradient no more ends as ROUNDING
    (:mod:`tralgos.methods.acceptance`).

    A trial point where f is NaN or infinite is a rejection.

    Host transfers: 1 a product, 2 a trial, 6 an iteration with "krylov" in the Euclidean norm;
    8 an iteration in another norm, 10 where a diagonal norm adapts. None of them is of more than
    a few numbers. "direct" fetches n eigenvalues and n components of g from a device.

    Examples
    --------
    >>> import tralgos
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), None, tralgos.TrustRegion())
    >>> run.ending.name
    'SECOND_ORDER'
    """

    rule: RuleName = "practice"
    radius: float | None = None
    max_radius: float = math.inf
    eta1: float | None = None
    eta2: float | None = None
    grow: float | None = None
    shrink: float | None = None

    def __post_init__(self) -> None:
        if self.radius is not None:
            positive_scalar(self.radius, "radius")
        if not number(self.max_radius, "max_radius") > 0.0:
            raise ArgumentError(f"max_radius must be positive, got {self.max_radius}")
        super().__post_init__()

    def _control(self) -> RadiusControl:
        given = (self.eta1, self.eta2, self.grow, self.shrink)
        return radius_control(self.rule, given, self.max_radius)

    def _given(self) -> float | None:
        return self.radius
