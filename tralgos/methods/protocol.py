"""The protocol of a method: frozen hyper-parameters, and a state that is all it remembers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.methods.ending import Ending
from tralgos.methods.evaluator import Evaluator

__all__ = ["MethodProtocol", "State", "StepRecord", "check_second_order"]


def check_second_order(value: object) -> None:
    """Raise an ArgumentError unless `value` is True, False or None themselves."""
    if not (value is None or isinstance(value, bool)):
        raise ArgumentError(f"second_order must be True, False or None, got {value!r}")


@dataclass(frozen=True)
class StepRecord:
    """One trial point of a step. None stands for what the method does not have.

    Attributes
    ----------
    accepted : bool
        Whether it became the iterate.
    step_norm : float or None
        Its distance, in the norm of the method.
    ratio : float or None
        Actual over predicted decrease; NaN where the trial was not finite.
    radius, sigma : float or None
        Of the subproblem that gave it.
    matvecs : int
        Hessian-vector products that it took.
    subproblem : str
        How its subproblem ended.
    gap : float or None
        Estimated or certified gap of the subproblem over its decrease.
    detail : mapping of str to float
        What else the method has to tell.
    """

    accepted: bool
    step_norm: float | None = None
    ratio: float | None = None
    radius: float | None = None
    sigma: float | None = None
    matvecs: int = 0
    subproblem: str = ""
    gap: float | None = None
    detail: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """All that a method remembers; a method adds fields of its own in a subclass.

    Attributes
    ----------
    x : array, shape (n,)
        The iterate. Not written into by anybody.
    value : float
        f(x), of the sample for a stochastic method.
    gradient : array, shape (n,), or None
        At x, likewise. None where the method had no need of it: the driver asks for it
        where it matters.
    gradient_norm : float
        Euclidean; of a gradient that is None a lower bound.
    records : tuple of StepRecord
        The trials of the step that led here.
    ending : Ending or None
        Why the method cannot go on, if it cannot.
    """

    x: Array = field(repr=False)
    value: float
    gradient: Array = field(repr=False)
    gradient_norm: float
    records: tuple[StepRecord, ...] = ()
    ending: Ending | None = None


class MethodProtocol(ABC):
    """What the driver asks of a method.

    Attributes
    ----------
    second_order : bool or None
        True: a point with a small gradient is left along a direction of negative
        curvature, and only reported as a minimum with evidence that there is none.
        None: a twentieth of the products so far, 2 to 20, are spent on looking for one.
        False: no look.
    """

    second_order: bool | None

    @abstractmethod
    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> State:
        """The state at x0: at least one value and one gradient."""

    @abstractmethod
    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        """The next state; `state` stays as it is."""

    def restart(
        self, problem: Evaluator, state: State, x: Array, rng: np.random.Generator
    ) -> State:
        """The state at x, to which the driver has left a saddle; by default a fresh one."""
        return self.init(problem, x, rng)

    def require(self, problem: Evaluator) -> None:  # noqa: B027 - nothing is a valid answer
        """Raise an :class:`~tralgos.errors.ArgumentError` if the problem lacks what is needed."""

    @property
    def stochastic(self) -> bool:
        """Whether values and gradients of the states are those of samples."""
        return False
