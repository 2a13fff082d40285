"""What every subproblem solver returns: a step, its status, and its certificate."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from tralgos.arrays import Array

__all__ = ["Certificate", "Evidence", "Status", "SubproblemResult"]

Evidence = Literal["exact", "probabilistic", "none"]


class Status(Enum):
    """How a subproblem solver ended; the value is the sentence a user should read."""

    GLOBAL = "the certified gap to the global minimum is within the tolerance"
    UNCERTIFIED = (
        "the first-order conditions are met; evidence on the curvature was not asked for "
        "or is not conclusive"
    )
    APPROXIMATE = "the method that was chosen does not promise an optimal step"
    ROUNDING = "certified as far as the rounding of the data allows"
    BUDGET = "the budget of matrix-vector products was used up before the tolerance was met"


@dataclass(frozen=True)
class Certificate:
    """Evidence on how far a step is from the global minimum of its subproblem.

    Every figure is computed from the returned step itself, not from recurrences.

    Attributes
    ----------
    gap : float
        Upper bound on q(s) - min q, in the units of q, but for the rounding of its own
        evaluation: a few eps (||H|| r^2 + ||g|| r). Infinite where there is no evidence on
        the curvature.
    relative_gap : float
        `gap` over the model decrease; 0 when both are 0.
    stationarity : float
        Norm of (H + lambda M) s + g in the dual norm, M^-1, over that of g
        (over the size of H s where g = 0).
    feasibility : float
        max(0, ||s||_M / r - 1); 0 for the cubic problem, which has no constraint.
    complementarity : float
        lambda (r - ||s||_M), or |lambda - sigma ||s||_M| ||s||_M for the cubic
        problem, over what `stationarity` is relative to.
    curvature : float
        mu, the lower bound on the smallest eigenvalue of the pencil
        (H + lambda M, M); -inf without evidence.
    evidence : {"exact", "probabilistic", "none"}
        What stands behind `curvature`.
    failure_probability : float
        Upper bound on the probability that `curvature` is not a lower bound:
        0 for exact evidence, 1 for none.
    matvecs : int
        Products with H that the evidence cost, beyond those of the solver.
    """

    gap: float
    relative_gap: float
    stationarity: float
    feasibility: float
    complementarity: float
    curvature: float
    evidence: Evidence
    failure_probability: float
    matvecs: int


@dataclass(frozen=True)
class SubproblemResult:
    """A step of a trust-region or cubic subproblem and what is known of its quality.

    Attributes
    ----------
    step : array, shape (n,)
        s, with the namespace, device and dtype of g; ||s||_M <= radius as computed.
    multiplier : float
        lambda >= 0 of the constraint (sigma ||s||_M for the cubic problem at an
        exact solution).
    model_decrease : float
        -q(s) >= 0 (for the cubic problem, of the cubic model).
    on_boundary : bool
        Whether ||s||_M equals the radius to rounding. False for the cubic problem.
    hard_case : bool
        Whether the step needed an eigenvector of the leftmost eigenvalue that the
        gradient does not show.
    matvecs : int
        Products with H in all, the certificate's included. For
        :class:`~tralgos.Subproblem`, those of this call alone.
    status : Status
        How the solver ended.
    message : str
        The status in a sentence, with figures where there are any.
    certificate : Certificate
        The evidence.
    """

    step: Array = field(repr=False)
    multiplier: float
    model_decrease: float
    on_boundary: bool
    hard_case: bool
    matvecs: int
    status: Status
    message: str
    certificate: Certificate
