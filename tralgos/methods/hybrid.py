"""One method after another: the Hybrid of the efficient-trust-region paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tralgos.arguments import positive_integer
from tralgos.arrays import Array
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.gradient_descent import GradientDescent
from tralgos.methods.method import Method
from tralgos.methods.protocol import MethodProtocol, State
from tralgos.methods.trust_region import TrustRegion

__all__ = ["Hybrid", "HybridState", "Switch"]

#: A number of steps, or what tells from the state of the first method and the number of
#: its steps so far whether it has done its part.
Switch = int | Callable[[State, int], bool]


@dataclass(frozen=True)
class HybridState(State):
    """State of :class:`Hybrid`.

    Attributes
    ----------
    inner : State
        Of the method that is at work.
    switched : bool
        Whether that is the second one.
    steps : int
        Steps that the first one has made.
    """

    inner: State | None = field(default=None, repr=False)
    switched: bool = False
    steps: int = 0


@dataclass(frozen=True)
class Hybrid(Method):
    """One method, and then another from the iterate where the first stops.

    Parameters
    ----------
    first, then : method
        Any two methods; they may be Hybrids themselves. By default the trust-region method
        and gradient descent, in the paper's order.
    switch : int or callable
        The number of steps that `first` makes, 20 by default; or a function of its state and
        the number of its steps so far, called before each of them, that is true where `then` is
        to take over. A `first` that can not go on (its state has an ending) hands over at once.

    Attributes
    ----------
    second_order : bool or None
        What the more demanding of the two asks for.
    stochastic : bool
        Whether one of them is.

    Raises
    ------
    ArrayTypeError
        If `first` or `then` is not a method.
    ArgumentError
        If `switch` is neither a positive integer nor callable.

    Notes
    -----
    `then` begins afresh: a value and a gradient at the iterate, and a state of its own. The
    trace, the counts and the budgets are those of one run. In the paper a trust-region method
    is followed by stochastic gradients; its track of three stages is
    ``Hybrid(Hybrid(a, b, 100), a, 150)``, where the outer switch counts the steps of
    both inner methods.

    Examples
    --------
    >>> import tralgos
    >>> from tralgos.methods import Hybrid
    >>> cautious = tralgos.TrustRegion(rule="algorithm-1", radius=0.1)
    >>> method = Hybrid(cautious, tralgos.TrustRegion(), switch=5)
    >>> tralgos.minimize(tralgos.problems.Rosenbrock(2), None, method).ending.name
    'SECOND_ORDER'
    """

    first: MethodProtocol = field(default_factory=TrustRegion)
    then: MethodProtocol = field(default_factory=GradientDescent)
    switch: Switch = 20
    second_order: bool | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for method, name in ((self.first, "first"), (self.then, "then")):
            if not isinstance(method, MethodProtocol):
                raise ArrayTypeError(
                    f"{name} must be a method of tralgos, got {type(method).__name__}"
                )
        if not callable(self.switch):
            try:
                positive_integer(self.switch, "switch")
            except ArgumentError as error:
                raise ArgumentError(f"{error}: switch is a number of steps or a function") from None
        asked = (self.first.second_order, self.then.second_order)
        strongest = True if True in asked else None if None in asked else False
        object.__setattr__(self, "second_order", strongest)

    @property
    def stochastic(self) -> bool:
        """Whether one of the two methods is."""
        return self.first.stochastic or self.then.stochastic

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has what both methods need."""
        self.first.require(problem)
        self.then.require(problem)

    def init(self, problem: Evaluator, x0: Array, rng: np.random.Generator) -> State:
        """That of the first method."""
        return _wrapped(self.first.init(problem, x0, rng), switched=False, steps=0)

    def step(self, problem: Evaluator, state: State, rng: np.random.Generator) -> State:
        """A step of the method whose turn it is."""
        assert isinstance(state, HybridState)
        assert state.inner is not None
        if state.switched:
            after = self.then.step(problem, state.inner, rng)
            return _wrapped(after, switched=True, steps=state.steps)
        if not self._over(state.inner, state.steps):
            after = self.first.step(problem, state.inner, rng)
            return _wrapped(after, switched=False, steps=state.steps + 1)
        after = self.then.init(problem, state.inner.x, rng)
        # A method is never asked to step from where the run may end.
        if after.gradient_norm > problem.gtol:
            after = self.then.step(problem, after, rng)
        return _wrapped(after, switched=True, steps=state.steps)

    def restart(
        self, problem: Evaluator, state: State, x: Array, rng: np.random.Generator
    ) -> State:
        """That of the method whose turn it is; the first one keeps the steps it has made."""
        assert isinstance(state, HybridState)
        assert state.inner is not None
        method = self.then if state.switched else self.first
        inner = method.restart(problem, state.inner, x, rng)
        return _wrapped(inner, switched=state.switched, steps=state.steps)

    def _over(self, state: State, steps: int) -> bool:
        """Whether the first method has done its part."""
        if state.ending is not None:
            return True
        if callable(self.switch):
            return bool(self.switch(state, steps))
        return steps >= self.switch


def _wrapped(inner: State, *, switched: bool, steps: int) -> HybridState:
    """The state of the hybrid; only the second method can end the run."""
    return HybridState(
        inner.x,
        inner.value,
        inner.gradient,
        inner.gradient_norm,
        inner.records,
        inner.ending if switched else None,
        inner=inner,
        switched=switched,
        steps=steps,
    )
