r"""The base of the methods that solve (H + lambda I)z = -J roughly and go to w + z.

Such a method finds a step z of the damped model J'z + z'(H + lambda I)z / 2 by products with H
alone, and goes from w to w + z. What this module adds to that for all of them is a safeguard, that
f falls along the step, and the rule by which lambda follows the agreement of f with its model.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from tralgos.arguments import check_choice, nonnegative_scalar
from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.methods.acceptance import shrink_factor
from tralgos.methods.damping import DAMPING_RULES, DampingRule, Observed, checks, following
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import HESSIANS, CurvatureKind, Evaluator
from tralgos.methods.gauss_newton import curvature_at, curvature_kind
from tralgos.methods.inner import InnerSolver, InnerStep
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, StepRecord, check_second_order
from tralgos.methods.samples import Sample, evaluator_of
from tralgos.methods.search import Search, Trial
from tralgos.norms import EuclideanNorm
from tralgos.operators import Operator

__all__ = ["DampedNewton", "DampedState", "Ray", "check_flag"]

#: The share of the predicted decrease that a step must attain.
_ENOUGH = 1e-4
#: Bounds on the factor of one backtracking step.
_LEAST, _MOST = 0.1, 0.5
#: Steps below the rounding of f in a row that may pass without a gradient that is smaller by a
#: tenth: steps of a rough solution make slow progress, and are cheap.
_PATIENCE, _FALLEN = 50, 0.9
#: The first lambda, in units of the curvature along the gradient.
_FIRST_DAMPING = 1e-3


# ------------------------------------------------------------------ a step and its fractions


@dataclass(frozen=True)
class Ray:
    """A step z, and what the model without damping says of its multiples.

    Attributes
    ----------
    vector : array, shape (n,)
        z.
    norm : float
        ||z||.
    slope, curvature : float
        J'z and z'Hz.
    solved : str
        How its solver ended.
    detail : mapping of str to float
        What the solver has to tell.
    """

    vector: Array = field(repr=False)
    norm: float
    slope: float
    curvature: float
    solved: str = ""
    detail: Mapping[str, float] = field(default_factory=dict)

    def at(self, fraction: float) -> InnerStep:
        """The multiple of z."""
        decrease = -fraction * (self.slope + 0.5 * fraction * self.curvature)
        vector = self.vector if fraction == 1.0 else fraction * self.vector
        length = fraction * self.norm
        return InnerStep(vector, length, decrease, math.nan, False, None, self.solved)

    def turned(self) -> Ray:
        """-z."""
        return replace(self, vector=-self.vector, slope=-self.slope)


@dataclass(frozen=True)
class _Backtracking:
    """The control of a search whose parameter is the fraction of one step."""

    ray: Ray
    looks_ahead: bool = False

    def first(self, inner: InnerSolver, size: float) -> float:
        return 1.0

    def solve(self, inner: InnerSolver, parameter: float) -> InnerStep:
        return self.ray.at(parameter)

    def again(self, inner: InnerSolver, parameter: float) -> InnerStep | None:
        return None

    def accepts(self, ratio: float) -> bool:
        return ratio >= _ENOUGH

    def bolder(self, trial: Trial) -> float | None:
        return None

    def rejected(self, trial: Trial, rise: float) -> float:
        return trial.parameter * shrink_factor(trial.slope, rise, _LEAST, _MOST)

    def accepted(self, trial: Trial, *, overreached: bool) -> float:
        return 1.0

    def radius_and_sigma(self, trial: Trial) -> tuple[float | None, float | None]:
        return None, None


# ------------------------------------------------------------------ the base


@dataclass(frozen=True)
class DampedState(State):
    """State of a :class:`DampedNewton` method.

    Attributes
    ----------
    lam : float or None
        lambda of the next step; None before the first curvature is known.
    steps : int
        Made so far, steps that went nowhere included.
    previous : array, shape (n,), or None
        The solver's last z, before it was shortened; of the methods that begin with it.
    sample : Sample or None
        The terms that value and gradient are of; None for all.
    stalled : int
        Steps in a row below the rounding of f in which the gradient did not fall by a tenth of
        `least_gradient`.
    refuted : bool
        Whether in one of those steps f did not show a decrease that it could have shown.
    least_gradient : float
        The gradient norm when it last fell so far.
    """

    lam: float | None = None
    steps: int = 0
    previous: Array | None = field(default=None, repr=False)
    sample: Sample | None = field(default=None, repr=False)
    stalled: int = 0
    refuted: bool = False
    least_gradient: float = math.inf


@dataclass(frozen=True, kw_only=True)
class DampedNewton(Method):
    """A method that goes to w + z, z a rough solution of (H + lambda I)z = -J.

    A subclass finds z, in :meth:`_solve`. Parameters of all of them:

    Parameters
    ----------
    hessian : {"exact", "gauss-newton", "finite-difference"}, optional
        Where products come from. By default the Gauss-Newton matrix, else the exact Hessian. The
        former is multiplied with by forward and reverse products where the problem has a
        linearisation.
    lam : float, optional
        The first lambda, not negative. By default a thousandth of the curvature along the first
        gradient, |J'HJ| / J'J, at one product.
    lam_rule : {"gain", "fixed", "printed", "authors"}
        See :mod:`tralgos.methods.damping`. A step that had to be shortened counts as one over
        which f rose. Where rounding hides what f did lambda stays.
    safeguard : bool
        Whether f has to fall along a step: by a ten-thousandth of what the model without damping
        promises, or else the step is shortened, at a value each. A value that is not finite is
        a rejection. False is w <- w + z whatever comes of it.
    second_order : bool or None
        As for :class:`~tralgos.TrustRegion`.
    """

    hessian: CurvatureKind | None = None
    lam: float | None = None
    lam_rule: DampingRule = "gain"
    safeguard: bool = True
    second_order: bool | None = None

    def __post_init__(self) -> None:
        check_second_order(self.second_order)
        if self.hessian is not None:
            check_choice(self.hessian, "hessian", HESSIANS)
        if self.lam is not None:
            object.__setattr__(self, "lam", nonnegative_scalar(self.lam, "lam"))
        check_choice(self.lam_rule, "lam_rule", DAMPING_RULES)
        check_flag(self.safeguard, "safeguard")

    @abstractmethod
    def _solve(
        self,
        problem: Evaluator,
        state: DampedState,
        H: Operator,
        lam: float,
        rng: np.random.Generator,
    ) -> tuple[Ray, Array | None]:
        """z, and what the state is to keep as `previous`."""

    def _sample(self, problem: Evaluator, rng: np.random.Generator) -> Sample | None:
        """The terms of the next value and gradient; None for all."""
        return None

    # ---------------------------------------------------------------- what the driver asks

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the curvature that is asked for."""
        kind = curvature_kind(problem.problem, self.hessian)
        if kind != "linearized":
            problem.require(kind)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> DampedState:
        """One value and one gradient."""
        sample = self._sample(problem, rng)
        value, gradient = evaluator_of(problem, sample).value_and_gradient(x0)
        size = EuclideanNorm().norm(gradient)
        return DampedState(
            x0, value, gradient, size, lam=self.lam, sample=sample, least_gradient=size
        )

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> DampedState:
        """One curvature, the products of one solution, and one value a trial."""
        assert isinstance(state, DampedState)
        before = problem.counts.nhvp
        source = evaluator_of(problem, state.sample)
        H = curvature_at(source, state.x, self.hessian, state.gradient)
        lam = state.lam
        if lam is None:
            lam = _FIRST_DAMPING * _curvature_along(H, state.gradient, state.gradient_norm)
        ray, previous = self._solve(problem, state, H, lam, rng)
        state = replace(state, lam=lam, steps=state.steps + 1, previous=previous)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            follow = self._safeguarded if self.safeguard else self._printed
            return follow(problem, source, state, ray, problem.counts.nhvp - before, rng)

    # ---------------------------------------------------------------- the two kinds of a step

    def _printed(
        self,
        problem: Evaluator,
        source: Evaluator,
        state: DampedState,
        ray: Ray,
        matvecs: int,
        rng: np.random.Generator,
    ) -> DampedState:
        """w + z, as long as f and its gradient are finite there."""
        x = state.x + ray.vector
        value = source.value(x)
        promised = -ray.at(1.0).decrease
        actual = value - state.value
        ratio = actual / promised if promised != 0.0 and math.isfinite(actual) else math.nan
        record = StepRecord(
            accepted=True,
            step_norm=ray.norm,
            ratio=ratio,
            matvecs=matvecs,
            subproblem=ray.solved,
            detail=_detail(ray, state, 1.0),
        )
        lost = replace(state, records=(replace(record, accepted=False),))
        if not math.isfinite(value):
            ending = Ending.UNBOUNDED if value == -math.inf else Ending.NON_FINITE
            return replace(lost, ending=ending)
        moved = self._moved(problem, replace(state, records=(record,)), x, value, None, rng)
        if not (math.isfinite(moved.gradient_norm) and math.isfinite(moved.value)):
            return replace(lost, ending=Ending.NON_FINITE)
        return replace(moved, lam=self._following(state, actual, ray))

    def _safeguarded(
        self,
        problem: Evaluator,
        source: Evaluator,
        state: DampedState,
        ray: Ray,
        matvecs: int,
        rng: np.random.Generator,
    ) -> DampedState:
        """The longest of the tried fractions of z along which f falls."""
        if ray.slope > 0.0:
            # Uphill, the model is lower still on the other side.
            ray = ray.turned()
        # The search hands the solver to its control alone, and this one asks nothing of it.
        search = Search(source, state, cast(InnerSolver, ray), _Backtracking(ray))
        taken = search.run(1.0)
        records = tuple(
            replace(record, detail=_detail(ray, state, _fraction(record, ray)))
            for record in search.records(matvecs)
        )
        state = replace(state, records=records)
        if taken is None:
            return self._nowhere(problem, state, search, ray, rng)
        hidden = taken.gradient is not None
        actual = taken.value - state.value if taken.parameter == 1.0 else math.inf
        lam = state.lam if hidden else self._following(state, actual, ray)
        moved = self._moved(problem, state, taken.x, taken.value, taken.gradient, rng)
        if not self.stochastic:
            moved = _watched(moved, state, hidden=hidden, refuted=search.refuted)
        return replace(moved, lam=lam)

    def _nowhere(
        self,
        problem: Evaluator,
        state: DampedState,
        search: Search,
        ray: Ray,
        rng: np.random.Generator,
    ) -> DampedState:
        """No fraction was taken: another sample may do better, the whole function can not."""
        if self.stochastic:
            lam = self._following(state, math.inf, ray)
            return replace(self._moved(problem, state, state.x, state.value, None, rng), lam=lam)
        refuted = search.refuted or state.refuted
        return replace(state, ending=Ending.NO_DECREASE if refuted else Ending.ROUNDING)

    def _moved(
        self,
        problem: Evaluator,
        state: DampedState,
        x: Array,
        value: float,
        gradient: Array | None,
        rng: np.random.Generator,
    ) -> DampedState:
        """The state at x, with the value and the gradient of a new sample where there are any."""
        sample = self._sample(problem, rng)
        if sample is not None:
            value, gradient = evaluator_of(problem, sample).value_and_gradient(x)
        elif gradient is None:
            gradient = problem.gradient(x)
        size = EuclideanNorm().norm(gradient)
        return replace(
            state, x=x, value=value, gradient=gradient, gradient_norm=size, sample=sample
        )

    def _following(self, state: DampedState, actual: float, ray: Ray) -> float:
        """lambda after a step over which f has changed by `actual`."""
        assert state.lam is not None
        if not checks(self.lam_rule, state.steps):
            return state.lam
        penalty = 0.5 * state.lam * ray.norm * ray.norm
        lam = following(self.lam_rule, state.lam, Observed(actual, -ray.at(1.0).decrease, penalty))
        return lam if math.isfinite(lam) else state.lam


def _watched(moved: DampedState, state: DampedState, *, hidden: bool, refuted: bool) -> DampedState:
    """The state with an ending where steps that rounding hides do not lower the gradient."""
    fallen = moved.gradient_norm <= _FALLEN * state.least_gradient
    stalled = state.stalled + 1 if hidden and not fallen else 0
    refuted = stalled > 0 and (refuted or state.refuted)
    standstill = Ending.NO_DECREASE if refuted else Ending.ROUNDING
    return replace(
        moved,
        ending=standstill if stalled > _PATIENCE else None,
        stalled=stalled,
        refuted=refuted,
        least_gradient=moved.gradient_norm if fallen else state.least_gradient,
    )


def _curvature_along(H: Operator, gradient: Array, size: float) -> float:
    """|J'HJ| / J'J, 0 for J = 0: one product and one transfer."""
    if not 0.0 < size < math.inf:
        return 0.0
    unit = gradient / size
    curvature = abs(EuclideanNorm().inner(unit, H.matvec(unit)))
    return curvature if math.isfinite(curvature) else 0.0


def _fraction(record: StepRecord, ray: Ray) -> float:
    return (record.step_norm or 0.0) / (ray.norm or 1.0)


def _detail(ray: Ray, state: DampedState, fraction: float) -> dict[str, float]:
    assert state.lam is not None
    return {"lam": state.lam, "fraction": fraction, **ray.detail}


def check_flag(value: object, name: str) -> None:
    """Raise an ArgumentError unless `value` is True or False themselves."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{name} must be True or False, got {value!r}")
