"""The trust-region method on samples: the stochastic Algorithms 1 of two papers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from tralgos.arguments import (
    check_choice,
    check_probability,
    nonnegative_scalar,
    number,
    positive_scalar,
)
from tralgos.arrays import Array, eps, namespace, to_float
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.kernels import inner
from tralgos.methods.acceptance import decrease_ratio, rounding_level
from tralgos.methods.batches import BatchBounds, batch_sizes
from tralgos.methods.eigenpoint import eigenpoint_step
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerStep
from tralgos.methods.inner_choice import inner_solver
from tralgos.methods.model_based import ModelBased
from tralgos.methods.protocol import State, StepRecord
from tralgos.methods.radius import RadiusControl
from tralgos.methods.samples import Sample, checked_batch, draw, evaluator_of, require_terms
from tralgos.methods.search import Trial
from tralgos.methods.space import Space
from tralgos.norms import EuclideanNorm

__all__ = ["StochasticState", "StochasticTrustRegion"]

_ASSUMPTION = "assumption-1"
#: What each batch may be besides a number.
_BATCHES: dict[str, tuple[str, ...]] = {
    "gradient_batch": (_ASSUMPTION,),
    "hessian_batch": ("same", _ASSUMPTION),
    "value_batch": ("same",),
}
#: The widest radius of a run, in lengths of its first one.
_WIDEST = 1e6


@dataclass(frozen=True)
class StochasticState(State):
    """State of :class:`StochasticTrustRegion`.

    Attributes
    ----------
    radius, first_radius : float or None
        Of the next step, and of the first; None before the first curvature is known.
    space : Space
        The norm, and what it has accumulated.
    sample : object or None
        The terms that `gradient` is of; None for all.
    """

    radius: float | None = None
    first_radius: float | None = None
    space: Space = field(default_factory=Space)
    sample: Sample | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class StochasticTrustRegion(ModelBased):
    """The trust-region method with gradients, Hessians and values of samples.

    One iteration is one trial: a gradient and a Hessian, a step that lowers their model over
    ||s||_M <= radius, and the ratio of the decrease of f to that of the model. Whether the
    step is taken or not, the next iteration draws new samples. By default every sample is the
    whole, and it is the deterministic algorithm: no batch size serves all problems.

    Parameters
    ----------
    norm, norm_power, subproblem, hessian, second_order
        As for :class:`TrustRegion`. An adaptive norm accumulates every gradient that is drawn.
    rule : {"adaptive-norms", "efficient-tr"}
        When a step is taken: at a ratio of at least `eta`; for "efficient-tr" only if besides
        the norm of the gradient (in the dual norm) is at least the radius, which makes the
        algorithm depend on the units of f and x. The radius is then multiplied with
        `gamma`, otherwise divided by it.
    gradient_batch : int, "assumption-1" or None
        Terms of which the gradient is taken; None is the whole function.
    hessian_batch : int, "same", "assumption-1" or None
        Of the Hessian: a sample of its own, or that of the gradient.
    value_batch : int, "same" or None
        Of the values in the ratio. "same": the sample of the gradient, which knows nothing of
        the other terms; the radius then tends to its bound, so choose `max_radius`.
    shared_sample : bool
        For an int `value_batch`: whether both values of a ratio are of one sample, so that
        what they share of its error cancels, or each of one of its own.
    bounds : BatchBounds, optional
        For "assumption-1": the batch sizes that meet Assumption 1 of the adaptive-norms
        paper; see :mod:`tralgos.methods.batches`.
    eta : float, optional
        In (0, 1). 0.1 by default, 0.9 for "efficient-tr".
    gamma : float
        Greater than 1.
    radius : float, optional
        The first radius. By default ten Cauchy steps of the first model; for
        "efficient-tr" at most the norm of the gradient.
    max_radius : float, optional
        By default a million times the first radius. Algorithm 1 has no bound, but a radius
        that grows in every step leaves the range of its numbers in the end.
    zero_gradient_below : float
        eps_g of line 4 of "adaptive-norms": where the gradient's Euclidean norm is at most
        this it is taken for zero, in the model and in the norm, and the step is the
        eigenpoint: of length `radius` along a leftmost eigenvector, its sign drawn at random.
        Of a quadratic, one of the two signs is rejected at every radius below
        2 |g'v| / (|lambda_1| (1 - eta)), v the unit eigenvector: with g dropped from the model,
        a smaller radius makes it no better. 0 drops gradients that are zero alone.

    Raises
    ------
    ArgumentError, ArrayTypeError
        If a parameter is out of its range or does not go with another; from a run, if the
        problem is no :class:`~tralgos.problems.StochasticProblem` and a batch is a number,
        or if it has fewer terms.

    Notes
    -----
    **Cost** of an iteration: one gradient (none after a rejection with the whole gradient), one
    Hessian and its products, one value (two for an int `value_batch`). An eigenpoint costs the
    products of :func:`tralgos.curvature_bound` and one more.

    **Values and gradients of the states** are those of the samples drawn last.

    **No step.** A trial with a value of NaN or infinity is a rejection. Where the model has no
    step to offer, or one below the rounding of x, the radius stays, and another sample
    may do better; with the whole function, or if it is the radius that is too small, the
    run ends as ROUNDING. It ends as TAKEN_FOR_ZERO if the gradient was taken for zero and the
    Hessian has no negative curvature: that is where Algorithm 1 has converged. A radius
    that rejections have brought below eps^2 times the first ends the run as NO_DECREASE.

    Sources: "Adaptive norms for deep learning with regularized Newton methods", Algorithm 1;
    "Better generalization by efficient trust region method", Algorithm 1, stochastic version.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> from tralgos.methods import StochasticTrustRegion
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 3))
    >>> y = np.sign(X[:, 0] + rng.standard_normal(500))
    >>> problem = tralgos.problems.LogisticRegression(X, y, l2=0.01)
    >>> method = StochasticTrustRegion(hessian_batch=50)
    >>> tralgos.minimize(problem, np.zeros(3), method).success
    True
    """

    rule: Literal["adaptive-norms", "efficient-tr"] = "adaptive-norms"
    gradient_batch: int | Literal["assumption-1"] | None = None
    hessian_batch: int | Literal["same", "assumption-1"] | None = None
    value_batch: int | Literal["same"] | None = None
    shared_sample: bool = True
    bounds: BatchBounds | None = None
    eta: float | None = None
    gamma: float = 2.0
    radius: float | None = None
    max_radius: float | None = None
    zero_gradient_below: float = 0.0

    # ------------------------------------------------------------------ checks

    def __post_init__(self) -> None:
        check_choice(self.rule, "rule", ("adaptive-norms", "efficient-tr"))
        if self.eta is not None:
            check_probability(self.eta, "eta")
        if not 1.0 < number(self.gamma, "gamma") < math.inf:
            raise ArgumentError(f"gamma must be greater than 1 and finite, got {self.gamma}")
        for value, name in ((self.radius, "radius"), (self.max_radius, "max_radius")):
            if value is not None:
                positive_scalar(value, name)
        if (self.radius or 0.0) > (self.max_radius or math.inf):
            raise ArgumentError(f"radius={self.radius} is more than max_radius={self.max_radius}")
        below = nonnegative_scalar(self.zero_gradient_below, "zero_gradient_below")
        if below > 0.0 and self.rule == "efficient-tr":
            raise ArgumentError(
                'zero_gradient_below belongs to rule "adaptive-norms": "efficient-tr" takes no '
                "step where the gradient is zero"
            )
        self._check_batches()
        super().__post_init__()

    def _check_batches(self) -> None:
        """Raise unless the batches are of the kinds that there are, and go together."""
        if not isinstance(self.shared_sample, bool):
            raise ArgumentError(f"shared_sample must be True or False, got {self.shared_sample!r}")
        for name, words in _BATCHES.items():
            object.__setattr__(self, name, checked_batch(getattr(self, name), name, words))
        if not self.shared_sample and not isinstance(self.value_batch, int):
            raise ArgumentError("shared_sample=False needs the number of terms in value_batch")
        wanted = _ASSUMPTION in (self.gradient_batch, self.hessian_batch)
        if self.bounds is not None and not isinstance(self.bounds, BatchBounds):
            raise ArrayTypeError(f"bounds must be BatchBounds, got {type(self.bounds).__name__}")
        if wanted != (self.bounds is not None):
            raise ArgumentError(f'bounds and a batch of "{_ASSUMPTION}" go together')
        if wanted and self.rule == "efficient-tr":
            raise ArgumentError(f'"{_ASSUMPTION}" belongs to rule "adaptive-norms"')

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the Hessian and the terms that are asked for."""
        super().require(problem)
        for name in _BATCHES:
            require_terms(problem.problem, getattr(self, name), name)

    @property
    def stochastic(self) -> bool:
        """Whether anything is taken of samples."""
        return any(getattr(self, name) not in (None, "same") for name in _BATCHES)

    # ------------------------------------------------------------------ the algorithm

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> State:
        """One value and one gradient."""
        sample, value, gradient = self._gradient(problem, x0, rng)
        if value is None:
            value = self._value_sample(problem, rng).value(x0)
        size = EuclideanNorm().norm(gradient)
        space = Space.begin(self.norm, self.norm_power, self._modelled(gradient, size))
        return StochasticState(x0, value, gradient, size, (), None, space=space, sample=sample)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        """One trial."""
        assert isinstance(state, StochasticState)
        before = problem.counts.nhvp
        step, radius, size = self._solve(problem, state, rng)
        first = state.first_radius if state.first_radius is not None else radius
        trial, here = self._try(problem, state, step, radius, rng)
        record = StepRecord(
            accepted=trial is not None and self._accepts(trial, size),
            step_norm=step.norm,
            ratio=None if trial is None else trial.ratio,
            radius=radius,
            matvecs=problem.counts.nhvp - before,
            subproblem=step.status,
            gap=step.gap,
        )
        if record.accepted:
            radius = min(self.gamma * radius, self.max_radius or _WIDEST * first)
        elif trial is not None:
            radius = radius / self.gamma
        tried = replace(
            state, value=here, records=(record,), radius=radius, first_radius=first, ending=None
        )
        ending = self._ending(tried, step, trial)
        if ending is not None:
            return replace(tried, ending=ending)
        return self._following(problem, tried, trial if record.accepted else None, rng)

    def _solve(
        self, problem: Evaluator, state: StochasticState, rng: np.random.Generator
    ) -> tuple[InnerStep, float, float]:
        """The step, its radius, and the dual norm of the gradient."""
        own = evaluator_of(problem, state.sample)
        if self.hessian_batch == "same":
            source = own
        else:
            size = self._size(self.hessian_batch, 1, problem, state.x)
            source = evaluator_of(problem, draw(problem, size, rng))
        known = state.gradient if source is own else None
        H = source.curvature(state.x, self.hessian, gradient=known)
        norm = state.space.norm(state.gradient)
        given = state.radius if state.radius is not None else self.radius
        if self._is_zero(state.gradient_norm):
            radius = given or min(norm.norm(state.x) or 1.0, self.max_radius or math.inf)
            return eigenpoint_step(H, state.x, norm, radius, rng), radius, 0.0
        # Another sample would show another gradient than the one that this model predicts.
        solver = inner_solver(self.subproblem, problem, H, state.gradient, norm, Forcing(), rng)
        if given is None:
            given = self._control().first(solver, norm.norm(state.x))
            if self.rule == "efficient-tr":
                given = min(given, solver.gradient_norm)
        return solver.trust_region(given), given, solver.gradient_norm

    def _try(
        self,
        problem: Evaluator,
        state: StochasticState,
        step: InnerStep,
        radius: float,
        rng: np.random.Generator,
    ) -> tuple[Trial | None, float]:
        """The trial, None where x does not move; and f(x), of the same sample."""
        xp = namespace(state.x)
        x = state.x + step.vector
        if not step.decrease > 0.0 or to_float(xp.max(xp.abs(x - state.x))) == 0.0:
            return None, state.value
        here = state.value
        if self.value_batch == "same":
            value = evaluator_of(problem, state.sample).value(x)
        else:
            source = self._value_sample(problem, rng)
            if self.value_batch is not None:
                here = source.value(state.x)
            if not self.shared_sample:
                source = self._value_sample(problem, rng)
            value = source.value(x)
        level = rounding_level(here, eps(x.dtype))
        ratio = decrease_ratio(here, value, step.decrease, level)
        slope = to_float(inner(state.gradient, step.vector, xp))
        return Trial(step, radius, x, value, slope, ratio), here

    def _accepts(self, trial: Trial, size: float) -> bool:
        """Whether the step is taken; `size` is the dual norm of the gradient."""
        fits = self.rule != "efficient-tr" or size >= trial.parameter
        return fits and self._control().accepts(trial.ratio)

    def _ending(
        self, state: StochasticState, step: InnerStep, trial: Trial | None
    ) -> Ending | None:
        """Why no further step is possible."""
        assert state.radius is not None
        assert state.first_radius is not None
        if trial is None and (step.on_boundary or not self.stochastic):
            converged = self._is_zero(state.gradient_norm) and step.norm == 0.0
            return Ending.TAKEN_FOR_ZERO if converged else Ending.ROUNDING
        least = eps(state.x.dtype) ** 2 * state.first_radius
        return Ending.NO_DECREASE if state.radius < least else None

    def _following(
        self,
        problem: Evaluator,
        state: StochasticState,
        taken: Trial | None,
        rng: np.random.Generator,
    ) -> State:
        """The state with the iterate and the gradient of the next trial."""
        if taken is None and self.gradient_batch is None:
            return state
        x, value = (state.x, state.value) if taken is None else (taken.x, taken.value)
        sample, fresh, gradient = self._gradient(problem, x, rng)
        size = EuclideanNorm().norm(gradient)
        return replace(
            state,
            x=x,
            value=value if fresh is None else fresh,
            gradient=gradient,
            gradient_norm=size,
            space=state.space.after(self._modelled(gradient, size)),
            sample=sample,
        )

    # ------------------------------------------------------------------ its parts

    def _control(self) -> RadiusControl:
        """The radius by Algorithm 1, which both rules share."""
        eta = self.eta if self.eta is not None else 0.9 if self.rule == "efficient-tr" else 0.1
        bound = math.inf if self.max_radius is None else self.max_radius
        return RadiusControl("algorithm-1", eta, eta, self.gamma, 1.0 / self.gamma, bound)

    def _given(self) -> float | None:
        return self.radius

    def _is_zero(self, size: float) -> bool:
        """Whether a gradient of this norm is taken for zero."""
        return size <= self.zero_gradient_below

    def _modelled(self, gradient: Array, size: float) -> Array:
        """The gradient as the model and the norm have it."""
        return 0.0 * gradient if self._is_zero(size) else gradient

    def _gradient(
        self, problem: Evaluator, x: Array, rng: np.random.Generator
    ) -> tuple[Sample | None, float | None, Array]:
        """A sample and its gradient at x, and its value where that is asked for."""
        sample = draw(problem, self._size(self.gradient_batch, 0, problem, x), rng)
        source = evaluator_of(problem, sample)
        if self.value_batch == "same":
            return sample, *source.value_and_gradient(x)
        return sample, None, source.gradient(x)

    def _value_sample(self, problem: Evaluator, rng: np.random.Generator) -> Evaluator:
        """The terms of the next value."""
        assert self.value_batch != "same"
        return evaluator_of(problem, draw(problem, self.value_batch, rng))

    def _size(self, batch: Any, which: int, problem: Evaluator, x: Array) -> int | None:
        """A batch size as a number; `which` is 0 for the gradient and 1 for the Hessian."""
        if batch != _ASSUMPTION:
            assert batch is None or isinstance(batch, int)
            return batch
        assert self.bounds is not None
        population = getattr(problem.problem, "size", None)
        eta = self._control().eta1
        return batch_sizes(self.bounds, eta, x.shape[0], population=population)[which]
