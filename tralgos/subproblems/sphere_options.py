"""The options of the sphere descent, and what both of its forms share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tralgos.arguments import check_choice, check_max_matvec, positive_scalar
from tralgos.errors import ArgumentError
from tralgos.subproblems.model import Candidate, Model

__all__ = [
    "BUDGET_MESSAGE",
    "ROUNDING_SLACK",
    "STEP_MARGIN",
    "SphereDescent",
    "zero_candidate",
]

#: What a candidate says when the products are used up.
BUDGET_MESSAGE = "the budget of products with H was used up"

#: eta L, below one so that 1 - eta lambda_i stays clear of zero in spite of rounding.
STEP_MARGIN = 0.99

#: Rounding of an inner product of unit vectors, in units of eps.
ROUNDING_SLACK = 64.0


@dataclass(frozen=True)
class SphereDescent:
    """Options of the sphere descent.

    Parameters
    ----------
    variant : {"safe", "printed"}
        The mended form, or Algorithm 2 to the letter, faults included.
    step : float, optional
        eta, in the units of 1/H. Taken as given by "printed"; "safe" shortens
        it when an iterate shows that it is above 1/lambda_n. Default: from
        `products` Lanczos steps.
    alpha : float
        z0 = -alpha r g/||g||, 0 < alpha < 1 (Assumption 2 of the paper). "safe"
        shortens it to the minimiser along -g, so that the norm grows in phase I.
    maxiter : int
        Bound on the iterations of "safe".
    products : int
        Lanczos steps for the bound on lambda_n, where `step` is not given.
    failure_probability : float
        Probability with which that bound may fail.
    N1, N2 : int
        Last iteration of phase I, and of phase II, in "printed". The indices
        are the paper's: they count from 0 and include the bound.
    armijo, backtrack : float
        sigma of the sufficient decrease and the factor between trial steps in
        "printed", both in (0, 1).
    first_trial : float, optional
        alpha_t that "printed" tries first; the paper leaves it open. Default:
        10 eta.
    max_backtracks : int
        Where "printed" gives up and takes the shortest step it tried, since the
        search need not end.

    Raises
    ------
    ArgumentError
        If a value is out of its range, naming it.

    Notes
    -----
    Host transfers: 1 a product.
    """

    variant: Literal["safe", "printed"] = "safe"
    step: float | None = None
    alpha: float = 0.5
    maxiter: int = 10_000
    products: int = 16
    failure_probability: float = 1e-6
    N1: int = 1000
    N2: int = 10_000
    armijo: float = 1e-4
    backtrack: float = 0.5
    first_trial: float | None = None
    max_backtracks: int = 60

    def __post_init__(self) -> None:
        check_choice(self.variant, "variant", ("safe", "printed"))
        for name in ("alpha", "armijo", "backtrack", "failure_probability"):
            if positive_scalar(getattr(self, name), name) >= 1.0:
                raise ArgumentError(f"{name} must lie in (0, 1), got {getattr(self, name)}")
        for name in ("step", "first_trial"):
            if getattr(self, name) is not None:
                positive_scalar(getattr(self, name), name)
        for name in ("maxiter", "products", "max_backtracks"):
            if check_max_matvec(getattr(self, name), name) is None:
                raise ArgumentError(f"{name} must be an integer, got None")
        for name in ("N1", "N2"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ArgumentError(f"{name} must be a non-negative integer")


def zero_candidate(model: Model, multiplier: float, message: str) -> Candidate:
    """s = 0, taken for optimal where there is no message."""
    return Candidate(model.xp.zeros_like(model.g), multiplier, optimal=not message, message=message)
