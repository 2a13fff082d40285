"""Evidence on the curvature: what a solver asks of it, and the exact evidence of a dense reduction.

There are three kinds behind one interface; the others are in
:mod:`~tralgos.subproblems.sparse_curvature` and :mod:`~tralgos.subproblems.random_curvature`.
The Krylov space of g is never evidence, since g may be orthogonal to the leftmost
eigenvector.
"""

from __future__ import annotations

from typing import Literal, Protocol

from tralgos.arrays import Array
from tralgos.subproblems.certificate import Correction
from tralgos.subproblems.direct import DenseReduction
from tralgos.subproblems.model import Model

__all__ = ["Curvature", "DenseCurvature", "decided"]


class Curvature(Protocol):
    """What a solver asks of its evidence; all figures in scaled units.

    Attributes
    ----------
    kind : {"exact", "probabilistic"}
        What stands behind `lower`.
    share : float
        The part of the margin lam + lambda_1 that is proved before it counts as decided:
        more of it saves products of the solver and costs evidence.
    lower : float
        A lower bound on lambda_1; -inf where there is none yet.
    ritz : float
        The least Rayleigh quotient seen; inf where there is none yet.
    size : float
        An estimate of ||H||_M, not far below it; 0 where there is none yet.
    products : int
        Products with H that the evidence has cost so far.
    granted : float
        What `lower` is less than `ritz` by for the rounding of an eigensolver, and by nothing
        that could be sharpened; 0 where there is none.
    """

    kind: Literal["exact", "probabilistic"]
    share: float
    lower: float
    ritz: float
    size: float
    products: int
    granted: float

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """Improve `lower` and `ritz` until they decide the sign of lam + lambda_1, if possible.

        Decided means: `share` of the margin lam + lambda_1 is proved; or it is within
        `slack` of zero, and so is what is proved; or a direction of negative curvature
        is known. `margin` is the caller's estimate of the margin, from above.
        """

    def refine(self) -> bool:
        """Sharpen the leftmost pair and its bound; False if that is as sharp as it gets."""

    def settle(self, rtol: float) -> None:
        """Bring `lower` within `rtol` |ritz| of `ritz`, or as near as it gets."""

    def vector(self) -> Array:
        """A vector of M-norm 1 with Rayleigh quotient `ritz`."""

    @property
    def proved_at(self) -> float | None:
        """The lam of the factorisation at hand, if there is one."""

    def correction(self, residual: Array) -> Correction:
        """-(H + lam M)^-1 residual for the lam of `proved_at`."""


def decided(known: Curvature, lam: float, slack: float, margin: float) -> bool:
    """Whether what is `known` decides the sign of lam + lambda_1; see :meth:`Curvature.prove`."""
    margin = min(margin, lam + known.ritz)
    proved = lam + known.lower
    if margin < -slack:
        return True
    return proved >= known.share * margin if margin > slack else proved >= -slack


class DenseCurvature:
    """The leftmost eigenvalue of a direct reduction, less its error: exact."""

    kind: Literal["exact", "probabilistic"] = "exact"
    share = 0.5

    def __init__(self, model: Model, reduction: DenseReduction, products: int = 0) -> None:
        self._model = model
        self._reduction = reduction
        self.ritz = reduction.T.leftmost_value()
        self.granted = reduction.error
        self.lower = self.ritz - self.granted
        self.size = reduction.T.size()
        self.products = products

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """Nothing to do."""

    def refine(self) -> bool:
        """Nothing to do."""
        return False

    def settle(self, rtol: float) -> None:
        """Nothing to do."""

    def vector(self) -> Array:
        """The leftmost eigenvector."""
        return self._reduction.step(self._reduction.T.leftmost()[1])

    @property
    def proved_at(self) -> float | None:
        """None: the residual of a direct step is rounding."""
        return None

    def correction(self, residual: Array) -> Correction:
        """Not to be had; see `proved_at`."""
        raise ValueError("there is no factorisation to solve with")
