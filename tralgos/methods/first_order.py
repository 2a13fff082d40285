r"""First-order methods as trust regions: heavy ball, Nesterov, and the base of all the others.

Each step here is s = -rate A^{-1} d, with d made from the gradients so far and A symmetric
positive definite: the identity, or the root of an adaptive matrix. By Lemma 1 of "Adaptive
norms for deep learning with regularized Newton methods" it is the only minimiser of the
linear model

    d's   over   ||s||_A <= radius,   radius = rate ||d||_{A^{-1}},

for the Cauchy-Schwarz inequality |d's| <= ||d||_{A^{-1}} ||s||_A holds with equality exactly
for multiples of A^{-1} d. Where d is the gradient (gradient descent, Adagrad, RMSProp) this is
the first-order Taylor model of f. Where d has momentum (heavy ball, Nesterov, Adam) it is
not: the step then need not be one of descent, though Lemma 1 holds with d for the gradient.

A state holds everything with the gradient of its own point included, so that it settles the
next step: :meth:`FirstOrder.implicit_region` is the region of the *next* step, and the record
of a step, which stands in the state after it, has the region's radius.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tralgos.arguments import number, positive_integer
from tralgos.arrays import Array, eps, namespace, to_host
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.method import Method
from tralgos.methods.protocol import State, StepRecord, check_second_order
from tralgos.methods.schedules import Rate, checked_rate, rate_at
from tralgos.methods.space import Space
from tralgos.norms import AdaptiveNorm, EuclideanNorm, Norm
from tralgos.norms.base import smallest_normal

__all__ = [
    "FirstOrder",
    "FirstOrderState",
    "HeavyBall",
    "ImplicitRegion",
    "Nesterov",
    "checked_decay",
]


@dataclass(frozen=True)
class ImplicitRegion:
    """The trust region of which a first-order step is the answer (Lemma 1).

    Attributes
    ----------
    norm : Norm
        By A.
    radius : float
        rate ||d||_{A^{-1}}.
    direction : array, shape (n,)
        d, the gradient of the linear model.
    """

    norm: Norm
    radius: float
    direction: Array = field(repr=False)

    def minimiser(self) -> Array:
        """-radius A^{-1}d / ||d||_{A^{-1}}, shape (n,): the step.

        One solve and one host transfer. Zero where d is.
        """
        solved = self.norm.solve(self.direction)
        size = self.norm.dual_norm(self.direction)
        return solved * (-self.radius / size) if size > 0.0 else 0.0 * solved


@dataclass(frozen=True)
class FirstOrderState(State):
    """State of a first-order method.

    Attributes
    ----------
    steps : int
        Taken so far; step k = `steps` + 1 is next.
    momentum : array, shape (n,), or None
        What the past gradients and that of this point have added up to, where the method
        has momentum: the velocity, or Adam's first moment before its correction.
    space : Space
        The norm, or the rule and what it has accumulated, likewise.
    """

    steps: int = 0
    momentum: Array | None = field(default=None, repr=False)
    space: Space = field(default_factory=Space)


@dataclass(frozen=True)
class _Move:
    """A step s = -rate A^{-1} d that is about to be taken."""

    norm: Norm
    rate: float
    direction: Array
    solved: Array
    step: Array


@dataclass(frozen=True, kw_only=True)
class FirstOrder(Method):
    """The base of the first-order methods: one value and one gradient a step, none rejected.

    A subclass says what the direction is made of. Its parameters:

    Parameters
    ----------
    rate : float or callable
        Positive; or a schedule k -> rate of step k = 1, 2, ..., such as
        :class:`~tralgos.methods.PowerDecay`.
    batch : int, optional
        Terms in the sample that each value and gradient is taken of; the whole function
        unless given. Values and gradients of the states are those of their samples.
    second_order : bool or None
        See :class:`~tralgos.methods.protocol.MethodProtocol`.

    Raises
    ------
    ArgumentError
        If a parameter is out of range; from a run with `batch`, if the problem is no
        :class:`~tralgos.problems.StochasticProblem` or has fewer terms; from a step, if
        the schedule gives anything but a positive finite number.

    Notes
    -----
    Host transfers of a step: one for the value, and one for the norms of gradient and step
    together (more where a square leaves the range of its dtype). Two more for a diagonal norm.

    A step to a point where the value or the gradient is not finite ends the run: the state
    stays where it was, with :attr:`Ending.NON_FINITE`, or :attr:`Ending.UNBOUNDED` where the
    value is minus infinity. The records tell the step.
    """

    rate: Rate | Literal["backtracking"]
    batch: int | None = None
    second_order: bool | None = False

    def __post_init__(self) -> None:
        check_second_order(self.second_order)
        object.__setattr__(self, "rate", checked_rate(self.rate))
        if self.batch is not None:
            object.__setattr__(self, "batch", positive_integer(self.batch, "batch"))

    # ---------------------------------------------------------------- what a subclass gives

    def _rule(self) -> AdaptiveNorm | None:
        """The rule of the norm by A; None for the identity."""
        return None

    def _momentum(self, momentum: Array | None, gradient: Array) -> Array | None:
        """The momentum with one more gradient; it is None before the first."""
        return None

    @abstractmethod
    def _direction(self, state: FirstOrderState) -> Array:
        """d of the next step; not written into."""

    # ---------------------------------------------------------------- what the driver asks

    @property
    def stochastic(self) -> bool:
        """Whether there is a `batch`."""
        return self.batch is not None

    def require(self, problem: Evaluator) -> None:
        """Raise unless the schedule gives a first rate."""
        if callable(self.rate):
            rate_at(self.rate, 1)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> FirstOrderState:
        """One value and one gradient; two host transfers."""
        value, gradient = self._sample(problem, rng).value_and_gradient(x0)
        size = EuclideanNorm().norm(gradient)
        return FirstOrderState(
            x0,
            value,
            gradient,
            size,
            momentum=self._momentum(None, gradient),
            space=Space.begin(self._rule(), 0.5, gradient),
        )

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> FirstOrderState:
        """One value and one gradient, of a new sample where there is a `batch`."""
        assert isinstance(state, FirstOrderState)
        # Whatever overflows here ends the run by name, without a warning.
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            try:
                move = self._move(state)
            except NonFiniteError:
                return replace(state, records=(), ending=Ending.NON_FINITE)
            x = state.x + move.step
            value, gradient = self._sample(problem, rng).value_and_gradient(x)
            size, radius, length = _sizes(gradient, move)
            record = StepRecord(accepted=True, step_norm=length, radius=radius)
            if not (math.isfinite(value) and math.isfinite(size)):
                return replace(
                    state,
                    records=(replace(record, accepted=False),),
                    ending=Ending.UNBOUNDED if value == -math.inf else Ending.NON_FINITE,
                )
            return replace(
                state,
                x=x,
                value=value,
                gradient=gradient,
                gradient_norm=size,
                records=(record,),
                steps=state.steps + 1,
                momentum=self._momentum(state.momentum, gradient),
                space=state.space.after(gradient),
            )

    def implicit_region(self, state: State) -> ImplicitRegion:
        """The ellipsoid over which the next step from `state` minimises the linear model.

        The step is ``implicit_region(state).minimiser()`` up to rounding, whatever the next
        sample is. Host transfers: one, and two more for a diagonal norm.

        Raises
        ------
        NonFiniteError
            If the accumulated gradients have overflowed.
        """
        assert isinstance(state, FirstOrderState)
        norm, direction = state.space.norm(state.gradient), self._direction(state)
        rate = self._rate(state.steps + 1)
        return ImplicitRegion(norm, rate * norm.dual_norm(direction), direction)

    # ---------------------------------------------------------------- inside

    def _sample(self, problem: Evaluator, rng: np.random.Generator) -> Evaluator:
        return problem if self.batch is None else problem.sample(self.batch, rng)

    def _rate(self, k: int) -> float:
        assert not isinstance(self.rate, str)
        return rate_at(self.rate, k)

    def _move(self, state: FirstOrderState) -> _Move:
        rate = self._rate(state.steps + 1)
        norm, direction = state.space.norm(state.gradient), self._direction(state)
        solved = norm.solve(direction)
        return _Move(norm, rate, direction, solved, -rate * solved)


def _sizes(gradient: Array, move: _Move) -> tuple[float, float, float]:
    """||gradient||, rate ||d||_{A^-1} and ||s||_A: one host transfer for all three."""
    xp, norm = namespace(gradient), move.norm
    forms = [
        xp.vecdot(gradient, gradient),
        xp.vecdot(move.direction, move.solved),
        xp.vecdot(move.step, norm.apply(move.step)),
    ]
    size, dual, length = to_host(xp.stack(forms)).tolist()
    # A square out of this range has lost digits: the norms themselves know what to do then.
    least = smallest_normal(gradient.dtype) / eps(gradient.dtype) ** 2

    def safe(square: float) -> bool:
        return least <= square < math.inf

    return (
        math.sqrt(size) if safe(size) else EuclideanNorm().norm(gradient),
        move.rate * (math.sqrt(dual) if safe(dual) else norm.dual_norm(move.direction)),
        math.sqrt(length) if safe(length) else norm.norm(move.step),
    )


@dataclass(frozen=True, kw_only=True)
class _WithMomentum(FirstOrder):
    """A velocity v_k = momentum v_{k-1} + g_k, v_0 = 0."""

    rate: Rate = 1e-3
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "momentum", checked_decay(self.momentum, "momentum"))

    def _momentum(self, momentum: Array | None, gradient: Array) -> Array:
        return gradient if momentum is None else self.momentum * momentum + gradient


@dataclass(frozen=True, kw_only=True)
class HeavyBall(_WithMomentum):
    """Polyak's heavy ball: v_k = momentum v_{k-1} + g_k and x_{k+1} = x_k - rate_k v_k.

    With a fixed rate this is x_{k+1} = x_k - rate g_k + momentum (x_k - x_{k-1}); a schedule
    scales the whole of the velocity, so that the factor of x_k - x_{k-1} becomes
    momentum rate_k / rate_{k-1}.

    Parameters
    ----------
    momentum : float
        In [0, 1).
    rate, batch, second_order
        As for :class:`FirstOrder`. The default rate is right for curvatures up to about
        2 (1 + momentum) / rate, where the iteration on a quadratic ceases to be stable.

    Raises
    ------
    ArgumentError
        As for :class:`FirstOrder`.

    Notes
    -----
    Host transfers: 2 an iteration.

    References
    ----------
    B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964;
    equations (2) and (3) of the CurveBall paper, with z = -rate v.
    """

    def _direction(self, state: FirstOrderState) -> Array:
        assert state.momentum is not None
        return state.momentum


@dataclass(frozen=True, kw_only=True)
class Nesterov(_WithMomentum):
    """Nesterov's momentum: x_{k+1} = x_k - rate_k (g_k + momentum v_k).

    Here v_k = momentum v_{k-1} + g_k. The iterates are the points at which gradients are
    taken. With a fixed rate they are the y_k of the usual two sequences
    z_{k+1} = y_k - rate g(y_k) and y_{k+1} = z_{k+1} + momentum (z_{k+1} - z_k), y_1 = z_1.

    Parameters
    ----------
    rate, momentum, batch, second_order
        As for :class:`HeavyBall`. On a quadratic the iteration is stable for curvatures below
        (2 + 2 momentum) / (1 + 2 momentum) / rate.

    Raises
    ------
    ArgumentError
        As for :class:`FirstOrder`.

    Notes
    -----
    Host transfers: 2 an iteration.

    References
    ----------
    Y. Nesterov, Introductory lectures on convex optimization, 2003, section 2.2.1;
    Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
    """

    def _direction(self, state: FirstOrderState) -> Array:
        assert state.momentum is not None
        return state.gradient + self.momentum * state.momentum


def checked_decay(x: object, name: str) -> float:
    """`x` as a float in [0, 1), or an :class:`ArgumentError`."""
    value = number(x, name)
    if not 0.0 <= value < 1.0:
        raise ArgumentError(f"{name} must lie in [0, 1), got {value}")
    return value
