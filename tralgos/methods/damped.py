"""What Levenberg and Marquardt's method and Newton's share: a reduced model, and one step of it.

Both apply a function of the Hessian to the gradient, (H + lambda D)^-1 or |H|^-1. Both do it in a
basis Q in which H is a tridiagonal T and g a vector c: all of the space, which a dense H is
reduced to once, or the Krylov space of g, extended as far as the step is worth it. Either
reduction is kept through the trials from one point: another lambda, or a shorter step, costs a
value of f and no product.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tralgos.arguments import check_choice
from tralgos.arrays import Array, eps, sizes
from tralgos.methods.acceptance import decrease_ratio, rounding_level
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import HESSIANS, CurvatureKind, Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerStep
from tralgos.methods.inner_others import multiplied_out
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, StepRecord, check_second_order
from tralgos.methods.reduced_model import (
    DampedStep,
    DirectReduction,
    KrylovReduction,
    Reduction,
)
from tralgos.methods.samples import Sample, checked_batch, draw, evaluator_of, require_terms
from tralgos.methods.search import Control, Search, Trial
from tralgos.norms import EuclideanNorm, Norm
from tralgos.operators import DenseOperator, Operator

__all__ = [
    "ACCEPTED",
    "Damped",
    "DampedControl",
    "DampedState",
]

SolverName = Literal["direct", "operator"]

#: A step is taken from this share of the promised decrease on.
ACCEPTED = 1e-4
#: Orders up to which a Hessian that is no matrix is multiplied out, unless the user says.
_MULTIPLIED_OUT = 100
#: The last step of a run is solved for to this part of the tolerance on the gradient.
_LAST = 0.7
#: Steps below the rounding of f in a row that may pass without a gradient halved.
_PATIENCE = 6


class DampedControl(Control):
    """What the controls of the two methods share; one is made for each point.

    Attributes
    ----------
    parameter : float
        Of the first trial.
    name : str
        What records call the parameter.
    """

    looks_ahead = False
    parameter: float
    name: str

    def accepts(self, ratio: float) -> bool:
        """Whether a step of this ratio is taken; NaN is not."""
        return ratio >= ACCEPTED

    def again(self, inner: object, parameter: float) -> InnerStep | None:
        """None: no bolder steps are tried."""
        return None

    def bolder(self, trial: Trial) -> float | None:
        """None, likewise."""
        return None

    def radius_and_sigma(self, trial: Trial) -> tuple[float | None, float | None]:
        """The parameter, which :meth:`Damped.step` puts where it belongs."""
        assert isinstance(trial.step, DampedStep)
        return None, trial.step.parameter

    @abstractmethod
    def forcing(self, forcing: Forcing, before: float, taken: Trial, found: float) -> Forcing:
        """The accuracy of the next model; `before` and `found` are norms of gradients."""

    @abstractmethod
    def detail(self) -> dict[str, float]:
        """What records tell of the model."""


# -------------------------------------------------------------------- one step


@dataclass(frozen=True)
class DampedState(State):
    """State of :class:`LevenbergMarquardt` and :class:`Newton`.

    Attributes
    ----------
    parameter : float or None
        The lambda of the next step; None before the first, and for Newton's method.
    steps : int
        Taken so far.
    sample : object or None
        The terms that value and gradient are of; None for all.
    forcing : Forcing
        How accurately the next step is to be solved for.
    stalled : int
        Steps in a row below the rounding of f in which the gradient did not fall to half of
        `least_gradient`.
    refuted : bool
        Whether in one of those steps f did not show a decrease that it could have shown.
    least_gradient : float
        The gradient norm when it last fell by half.
    """

    parameter: float | None = None
    steps: int = 0
    sample: Sample | None = field(default=None, repr=False)
    forcing: Forcing = field(default_factory=Forcing)
    stalled: int = 0
    refuted: bool = False
    least_gradient: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Damped(Method):
    """The base of :class:`LevenbergMarquardt` and :class:`Newton`.

    Parameters
    ----------
    hessian : {"exact", "gauss-newton", "finite-difference"} or None
        None: Gauss-Newton where the problem has it, else exact.
    solver : {"direct", "operator"} or None
        None: "direct" for a dense Hessian, and for others up to n = 100.
    search : str
        "none", or how a step is made safe.
    batch : int, optional
        Terms in the sample of each step.
    second_order : bool or None
        See :class:`~tralgos.methods.protocol.MethodProtocol`.
    """

    hessian: CurvatureKind | None = None
    solver: SolverName | None = None
    batch: int | None = None
    second_order: bool | None = None

    def __post_init__(self) -> None:
        if self.hessian is not None:
            check_choice(self.hessian, "hessian", HESSIANS)
        if self.solver is not None:
            check_choice(self.solver, "solver", ("direct", "operator"))
        object.__setattr__(self, "batch", checked_batch(self.batch, "batch", ()))
        check_second_order(self.second_order)

    # ---------------------------------------------------------------- what a subclass gives

    @property
    @abstractmethod
    def _safe(self) -> bool:
        """Whether a step that does not lower f is rejected."""

    @abstractmethod
    def _control(self, model: Reduction, unit: float, state: DampedState) -> DampedControl:
        """What makes the trials; `unit` is that of the norm of :meth:`_norm`."""

    def _norm(self, H: Operator, g: Array) -> tuple[Norm, float]:
        """The norm of the direct reduction, and what it has been divided by."""
        return EuclideanNorm(), 1.0

    # ---------------------------------------------------------------- what the driver asks

    @property
    def stochastic(self) -> bool:
        """Whether there is a `batch`."""
        return self.batch is not None

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the Hessian and the terms that are asked for."""
        problem.require(self._kind(problem))
        require_terms(problem.problem, self.batch, "batch")

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> DampedState:
        """One value and one gradient, of a sample where there is a `batch`."""
        sample = draw(problem, self.batch, rng)
        value, gradient = evaluator_of(problem, sample).value_and_gradient(x0)
        size = EuclideanNorm().norm(gradient)
        return DampedState(x0, value, gradient, size, sample=sample, least_gradient=size)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> DampedState:
        """One Hessian, one gradient, and one value a trial; all of one sample but the gradient."""
        assert isinstance(state, DampedState)
        if state.gradient_norm == 0.0:
            return self._stay(problem, replace(state, records=()), Ending.ROUNDING, rng)
        source = evaluator_of(problem, state.sample)
        before = problem.counts.nhvp
        model, unit = self._model(source, state)
        control = self._control(model, unit, state)
        if not self._safe:
            with np.errstate(over="ignore", invalid="ignore"):
                return self._plain(problem, state, (model, control, before), rng)
        search = Search(source, state, model, control)
        taken = search.run(control.parameter)
        records = _told(search.records(problem.counts.nhvp - before), control)
        if taken is None:
            refuted = search.refuted or state.refuted
            ending = Ending.NO_DECREASE if refuted else Ending.ROUNDING
            return self._stay(problem, replace(state, records=records), ending, rng)
        arrived = self._arrive(problem, state, taken, control, rng)
        return replace(self._watched(state, arrived, taken, search.refuted), records=records)

    # ---------------------------------------------------------------- inside

    def _kind(self, problem: Evaluator) -> CurvatureKind:
        if self.hessian is not None:
            return self.hessian
        return "gauss-newton" if problem.problem.has_gauss_newton else "exact"

    def _model(self, source: Evaluator, state: DampedState) -> tuple[Reduction, float]:
        """The reduced model at x, and the unit of its norm."""
        g = state.gradient
        H = source.curvature(state.x, self._kind(source), gradient=g)
        dense = H.operand if isinstance(H.operand, DenseOperator) else None
        if self._direct(g, dense is not None):
            matrix = dense if dense is not None else multiplied_out(H, g)
            norm, unit = self._norm(matrix, g)
            return DirectReduction(matrix, g, norm), unit
        target = max(state.forcing.eta * state.gradient_norm, _LAST * source.gtol)
        return KrylovReduction(H, g, target), 1.0

    def _direct(self, g: Array, dense: bool) -> bool:
        if self.solver is not None:
            return self.solver == "direct"
        return dense or int(g.shape[0]) <= _MULTIPLIED_OUT

    def _plain(
        self,
        problem: Evaluator,
        state: DampedState,
        made: tuple[Reduction, DampedControl, int],
        rng: np.random.Generator,
    ) -> DampedState:
        """The step as it is; where f or its gradient is not finite there, the run ends."""
        model, control, before = made
        step = control.solve(model, control.parameter)
        assert isinstance(step, DampedStep)
        x = state.x + step.vector
        value = evaluator_of(problem, state.sample).value(x)
        level = rounding_level(state.value, eps(x.dtype))
        ratio = math.nan
        if step.decrease + level > 0.0:
            ratio = decrease_ratio(state.value, value, step.decrease, level)
        trial = Trial(step, step.parameter, x, value, math.nan, ratio)
        record = StepRecord(
            accepted=True,
            step_norm=step.norm,
            ratio=ratio,
            sigma=step.parameter,
            matvecs=problem.counts.nhvp - before,
            subproblem=step.status,
        )
        arrived = state
        if math.isfinite(value):
            arrived = self._arrive(problem, state, trial, control, rng)
        if arrived is state or not math.isfinite(arrived.value + arrived.gradient_norm):
            ending = Ending.UNBOUNDED if value == -math.inf else Ending.NON_FINITE
            records = _told((replace(record, accepted=False),), control)
            return replace(state, records=records, ending=ending)
        (moved,) = sizes(x - state.x)
        stuck = Ending.ROUNDING if moved == 0.0 and not self.stochastic else None
        return replace(arrived, records=_told((record,), control), ending=stuck)

    def _arrive(
        self,
        problem: Evaluator,
        state: DampedState,
        taken: Trial,
        control: DampedControl,
        rng: np.random.Generator,
    ) -> DampedState:
        """The state at the point that was taken, with its next sample."""
        sample, value = draw(problem, self.batch, rng), taken.value
        if sample is not None:
            value, gradient = evaluator_of(problem, sample).value_and_gradient(taken.x)
        else:
            gradient = taken.gradient if taken.gradient is not None else problem.gradient(taken.x)
        size = EuclideanNorm().norm(gradient)
        # Another sample has another gradient than the one that the model predicted.
        forcing = Forcing()
        if sample is None:
            forcing = control.forcing(state.forcing, state.gradient_norm, taken, size)
        return replace(
            state,
            x=taken.x,
            value=value,
            gradient=gradient,
            gradient_norm=size,
            parameter=control.accepted(taken, overreached=False),
            steps=state.steps + 1,
            sample=sample,
            forcing=forcing,
        )

    def _watched(
        self, state: DampedState, arrived: DampedState, taken: Trial, refuted: bool
    ) -> DampedState:
        """The new state, ended where rounding lets nothing happen any more."""
        if self.stochastic:
            return arrived
        fallen = arrived.gradient_norm <= 0.5 * state.least_gradient
        hidden = taken.gradient is not None  # f could not show the decrease
        stalled = state.stalled + 1 if hidden and not fallen else 0
        refuted = stalled > 0 and (refuted or state.refuted)
        standstill = Ending.NO_DECREASE if refuted else Ending.ROUNDING
        return replace(
            arrived,
            ending=standstill if stalled > _PATIENCE else None,
            stalled=stalled,
            refuted=refuted,
            least_gradient=arrived.gradient_norm if fallen else state.least_gradient,
        )

    def _stay(
        self, problem: Evaluator, state: DampedState, ending: Ending, rng: np.random.Generator
    ) -> DampedState:
        """The same point: with an ending, or with another sample, which may know a step."""
        if self.batch is None:
            return replace(state, ending=ending)
        sample = draw(problem, self.batch, rng)
        value, gradient = evaluator_of(problem, sample).value_and_gradient(state.x)
        size = EuclideanNorm().norm(gradient)
        return replace(state, value=value, gradient=gradient, gradient_norm=size, sample=sample)


def _told(records: tuple[StepRecord, ...], control: DampedControl) -> tuple[StepRecord, ...]:
    """The records with the parameter and the model in their details."""
    told = control.detail()
    return tuple(
        replace(r, sigma=None, detail={control.name: float(r.sigma or 0.0), **told})
        for r in records
    )
