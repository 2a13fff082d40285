"""What the trust-region method and cubic regularisation share: one step of either."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tralgos.arguments import check_choice, positive_scalar
from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import HESSIANS, CurvatureKind, Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner_choice import InnerChoice, checked_choice, inner_solver
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, check_second_order
from tralgos.methods.search import Control, Search, Trial
from tralgos.methods.space import Space, checked_norm
from tralgos.norms import EuclideanNorm

__all__ = ["ModelBased", "ModelState"]

#: Steps below the rounding of f in a row that may pass without a gradient halved.
_PATIENCE = 6


@dataclass(frozen=True)
class ModelState(State):
    """State of a method that minimises a quadratic model in every step.

    Attributes
    ----------
    parameter : float or None
        The radius or sigma of the next step; None before the first curvature is known.
    space : Space
        The norm, and what it has accumulated.
    forcing : Forcing
        How accurately the next model is to be solved.
    stalled : int
        Steps in a row below the rounding of f in which the gradient did not fall to half of
        `least_gradient`.
    refuted : bool
        Whether in one of those steps f did not show a decrease that it could have shown.
    least_gradient : float
        The gradient norm when it last fell by half.
    """

    parameter: float | None = None
    space: Space = field(default_factory=Space)
    forcing: Forcing = field(default_factory=Forcing)
    stalled: int = 0
    refuted: bool = False
    least_gradient: float = math.inf


@dataclass(frozen=True, kw_only=True)
class ModelBased(Method):
    """A method that minimises a quadratic model under a radius or a cubic term.

    Parameters
    ----------
    norm : Norm, rule of :mod:`tralgos.norms`, or None
        The norm of the steps: fixed, or one that adapts to the gradients
        (:class:`~tralgos.norms.RMSPropNorm` and others). Euclidean by default.
    norm_power : {1.0, 0.5}
        Power of the adaptive matrix.
    subproblem : str or record
        The inner solver; see :data:`tralgos.methods.inner_choice.SUBPROBLEMS`.
    hessian : {"exact", "gauss-newton", "finite-difference"}
        Where products come from.
    second_order : bool or None
        What is asked for at a point with a small gradient: True is evidence that it is a
        minimum, None a look at a twentieth of the products of the run (2 to 20),
        False nothing.
    """

    norm: Any = None
    norm_power: float = 1.0
    subproblem: InnerChoice = "krylov"
    hessian: CurvatureKind = "exact"
    second_order: bool | None = None

    def __post_init__(self) -> None:
        checked_choice(self.subproblem)
        checked_norm(self.norm)
        power = positive_scalar(self.norm_power, "norm_power")
        if power not in (0.5, 1.0):
            raise ArgumentError(f"norm_power must be 1 or 1/2, got {power}")
        check_second_order(self.second_order)
        check_choice(self.hessian, "hessian", HESSIANS)
        self._control()

    @abstractmethod
    def _control(self) -> Control:
        """How the parameter follows the ratio; raises on hyper-parameters out of range."""

    @abstractmethod
    def _given(self) -> float | None:
        """The first parameter, where the user has set it."""

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the Hessian that is asked for."""
        problem.require(self.hessian)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> State:
        """One value and one gradient."""
        value, gradient = problem.value_and_gradient(x0)
        size = EuclideanNorm().norm(gradient)
        return ModelState(
            x0,
            value,
            gradient,
            size,
            parameter=self._given(),
            space=Space.begin(self.norm, self.norm_power, gradient),
            least_gradient=size,
        )

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        """One Hessian; parameters are tried on its model until a step is taken."""
        assert isinstance(state, ModelState)
        before = problem.counts.nhvp
        norm = state.space.norm(state.gradient)
        H = problem.curvature(state.x, self.hessian, gradient=state.gradient)
        solver = inner_solver(self.subproblem, problem, H, state.gradient, norm, state.forcing, rng)
        control = self._control()
        parameter = state.parameter
        if parameter is None:
            parameter = control.first(solver, norm.norm(state.x))
        search = Search(problem, state, solver, control)
        taken = search.run(parameter)
        records = search.records(problem.counts.nhvp - before)
        if taken is None:
            ending = Ending.NO_DECREASE if search.refuted or state.refuted else Ending.ROUNDING
            return replace(state, records=records, ending=ending)
        gradient = taken.gradient if taken.gradient is not None else problem.gradient(taken.x)
        # Against the residual that the model predicted, so in the same norm.
        found = norm.dual_norm(gradient)
        size = found if isinstance(norm, EuclideanNorm) else EuclideanNorm().norm(gradient)
        return replace(
            self._moved(state, taken, gradient, size, refuted=search.refuted),
            records=records,
            parameter=control.accepted(taken, overreached=search.overreached),
            forcing=state.forcing.after(solver.gradient_norm, taken.step, found),
        )

    def _moved(
        self, state: ModelState, taken: Trial, gradient: Array, size: float, *, refuted: bool
    ) -> ModelState:
        """The state at the point that was taken; `size` is the Euclidean norm of its gradient."""
        fallen = size <= 0.5 * state.least_gradient
        hidden = taken.gradient is not None  # f could not show the decrease
        stalled = state.stalled + 1 if hidden and not fallen else 0
        refuted = stalled > 0 and (refuted or state.refuted)
        standstill = Ending.NO_DECREASE if refuted else Ending.ROUNDING
        return ModelState(
            taken.x,
            taken.value,
            gradient,
            size,
            ending=standstill if stalled > _PATIENCE else None,
            space=state.space.after(gradient),
            stalled=stalled,
            refuted=refuted,
            least_gradient=size if fallen else state.least_gradient,
        )
