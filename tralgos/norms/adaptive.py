r"""Norms by the matrices of Adagrad, RMSProp and Adam, from a stream of gradients.

A rule is a record of hyper-parameters; what it has seen is an explicit state::

    rule = RMSPropNorm(epsilon=1e-4, beta=0.9)
    state = rule.init(n)               # or rule.init(like=g)
    state = rule.update(state, g)      # the old state stays valid
    norm = rule.norm(state)            # by A; rule.norm(state, power=0.5) is by A^{1/2}

The source is "Adaptive norms for deep learning with regularized Newton methods", equations
(2) and (3). With g_1, ..., g_t the gradients so far and w_i >= 0 their weights,

    A_t = sum_i w_i g_i g_i' + epsilon I,

or its diagonal. The weights are 1 for Adagrad, (1 - beta) beta^(t-i) for RMSProp, and those
over their sum 1 - beta^t for Adam. Equation (3) as printed multiplies the t columns of G_t
with t + 1 weights beta^t, ..., beta^0; either reading gives the newest gradient 1 - beta.
Corollary 1 is about the norm by A^{1/2}, the rest of the paper about that by A.

Uniform equivalence
-------------------
Let ||g_t|| <= L for all t and W be the supremum of sum_i w_i. Every eigenvalue of A_t is at
least epsilon, and v'A_t v <= (sum_i w_i) L^2 + epsilon for every unit vector v, so that

    sqrt(epsilon) ||s|| <= ||s||_{A_t} <= sqrt(W L^2 + epsilon) ||s||.

Both are the best constants there are: zero gradients attain the first, g_i = L e_1 for all i
comes as close to the second as one likes. On the diagonal the same gradients do the same.
W is 1 for RMSProp (not attained) and for Adam (attained by the first gradient), and infinite
for Adagrad. For a window of m gradients it is 1 - beta^m, 1 and m: over a window even
Adagrad's norms are uniformly equivalent.

- Lemma 2 says that there is an epsilon > 0 for which Definition 1 holds with some mu. It holds
  for *every* epsilon > 0, and the smallest mu is max(sqrt(L^2 + epsilon), 1 / sqrt(epsilon)).
  The first term grows with epsilon and the second falls, so that over all epsilon the
  smallest mu is where they meet, at epsilon (L^2 + epsilon) = 1: it is
  mu = sqrt((L^2 + sqrt(L^4 + 4)) / 2) > 1, at epsilon = 1 / mu^2. For A^{1/2} all constants
  are the square roots of these, and the best epsilon is the same.
- For Adagrad trace(A_t - epsilon I) = sum_i ||g_i||^2, which is between the largest eigenvalue
  and n times it. So along a given sequence the norms are uniformly equivalent exactly if the
  gradients are square summable; a bound on each of them is not enough.
- With ``epsilon_rule="seeded"`` epsilon only starts the accumulator and has become
  beta^t epsilon after t updates. Zero gradients give A_t = beta^t epsilon I: no lower
  constant serves all t, and Lemma 2 fails.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tralgos.arguments import check_choice, number, positive_integer, positive_scalar
from tralgos.arrays import Array, namespace, real_vector, same_home
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms.accumulators import (
    Accumulator,
    DiagonalMoment,
    FullMoment,
    GradientWindow,
    Weights,
)
from tralgos.norms.base import Norm, smallest_normal

__all__ = ["AdaptiveNorm", "AdaptiveState"]

#: How A is kept: its diagonal, the matrix itself, or the last few gradients.
Kind = Literal["diagonal", "full", "window"]


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveState:
    """What a rule has seen; made by `AdaptiveNorm.init` and `AdaptiveNorm.update`, never changed.

    Attributes
    ----------
    rule : AdaptiveNorm
        The rule that it belongs to.
    steps : int
        The number of updates, t.
    home : array, shape (n,)
        A vector that shows where the gradients live. Its values mean nothing.
    accumulator : Accumulator
        The weighted sum of the past, before epsilon and the correction of the bias.
    """

    rule: AdaptiveNorm
    steps: int
    home: Array
    accumulator: Accumulator

    @property
    def n(self) -> int:
        """The length of the gradients."""
        return int(self.home.shape[0])

    def __repr__(self) -> str:
        return f"AdaptiveState(<{type(self.rule).__name__}, n = {self.n}, {self.steps} steps>)"


@dataclass(frozen=True, kw_only=True)
class AdaptiveNorm(ABC):
    """A rule that makes a norm from past gradients; see the module for the formulas.

    Parameters
    ----------
    epsilon : float
        The multiple of the identity in A. It has the unit of a squared gradient.
    kind : {"diagonal", "full", "window"}
        The diagonal of A; all of it, as an n x n matrix; or all of it from the last `window`
        gradients alone, as low rank plus a multiple of the identity.
    window : int, optional
        The number m of gradients that a window keeps; for that kind alone.
    epsilon_rule : {"added", "seeded"}
        Added to A at all times, as in the paper; or, as in its authors' code, given to the
        accumulator at the start and weighted down with the gradients. For Adagrad the two
        are the same. The correction of Adam's bias is for the gradients, not for the seed.

    Raises
    ------
    ArgumentError
        If a parameter is out of range.

    Notes
    -----
    =========== =========== ========================== ===========================
    kind        state       `update`                   `norm`
    =========== =========== ========================== ===========================
    diagonal    n           4 passes over n            2 passes, 2 host transfers
    full        n^2         4 passes over n^2          Cholesky, or eigh (power 0.5)
    window      n m         one copy of g              one QR of an n x m matrix
    =========== =========== ========================== ===========================

    No update fetches anything from a device: a gradient with NaN or infinite entries is found
    when the next norm is made from it, by the fetches that check the norm. It can be undone by
    going back to an older state, and by nothing else (but a window forgets it after m updates).

    A window of t <= m gradients gives the full A_t. After that it gives the full matrix that
    the last m gradients would give by themselves, except that the seed keeps its age:
    RMSProp's is A_t less the sum over i <= t - m, at most beta^m L^2 in norm, and is not
    scaled up; Adam's is divided by the sum 1 - beta^m of the weights that were kept.
    """

    epsilon: float = 1e-8
    kind: Kind = "diagonal"
    window: int | None = None
    epsilon_rule: Literal["added", "seeded"] = "added"

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", positive_scalar(self.epsilon, "epsilon"))
        check_choice(self.kind, "kind", ("diagonal", "full", "window"))
        check_choice(self.epsilon_rule, "epsilon_rule", ("added", "seeded"))
        if self.kind == "window":
            if self.window is None:
                raise ArgumentError('kind "window" needs window, the number of gradients to keep')
            object.__setattr__(self, "window", positive_integer(self.window, "window"))
        elif self.window is not None:
            raise ArgumentError(f'window is for kind "window" alone, but kind is {self.kind!r}')

    @property
    @abstractmethod
    def weights(self) -> Weights:
        """The weight of each gradient by its age."""

    def init(
        self,
        n: int | None = None,
        xp: Any = None,
        *,
        dtype: Any = None,
        device: Any = None,
        like: Array | None = None,
    ) -> AdaptiveState:
        """The state before the first gradient, of which the norm is by epsilon I.

        Parameters
        ----------
        n : int, optional
            The length of the gradients.
        xp : module, optional
            Their array library, with `n`: ``numpy``, ``cupy``, ``torch``, ...; NumPy by default.
        dtype, device : optional
            Theirs, as that library names them; its float64 and default device unless given.
        like : array, shape (n,), optional
            Instead of all these: a vector with the length, library, device and dtype of the
            gradients. Its values are not used; integers stand for float64.

        Raises
        ------
        ArgumentError
            Unless either `n` or `like` is given; if `n` < 1; if `like` comes with another
            argument; if epsilon is below the smallest normal number of the dtype.
        ArrayTypeError, ShapeError
            If the vectors would not be real and floating, or `like` is empty.
        """
        if (n is None) == (like is None):
            raise ArgumentError("init needs either n or like")
        if like is not None and not (xp is None and dtype is None and device is None):
            raise ArgumentError("like says where the gradients live: give no xp, dtype or device")
        given = like if like is not None else _zeros(positive_integer(n, "n"), xp, dtype, device)
        given = real_vector(given, "like")
        if given.shape[0] == 0:
            raise ShapeError("like is empty")
        if self.epsilon < smallest_normal(given.dtype):
            raise ArgumentError(f"epsilon = {self.epsilon} is zero in the dtype {given.dtype}")
        home = namespace(given).zeros_like(given)
        return AdaptiveState(self, 0, home, self._empty(home))

    def update(self, state: AdaptiveState, g: Array) -> AdaptiveState:
        """The state after one more gradient; `state` stays as it was.

        Parameters
        ----------
        state : AdaptiveState
        g : array, shape (n,)
            With the library, device and dtype of the state; integers become float64. No
            reference to it is kept. Its entries are not looked at: see the Notes of the class.

        Raises
        ------
        ArgumentError, ArrayTypeError
            If `state` is not a state of this rule.
        ArrayTypeError, ShapeError
            If `g` is not a real vector that fits the state.
        """
        self._check_own(state)
        g = real_vector(g, "g")
        same_home(g, state.home, "g", "the state")
        if g.shape[0] != state.n:
            raise ShapeError(f"g has length {g.shape[0]} but the state was made for {state.n}")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            accumulator = state.accumulator.add(g, self.weights)
        return AdaptiveState(self, state.steps + 1, state.home, accumulator)

    def norm(self, state: AdaptiveState, power: float = 1.0) -> Norm:
        """The norm by A (`power` 1) or by its symmetric root A^{1/2} (`power` 0.5).

        Returns
        -------
        DiagonalNorm, MatrixNorm or LowRankNorm
            For the three kinds. Costs: see the Notes of the class.

        Raises
        ------
        ArgumentError
            If `power` is neither, or `state` is that of another rule.
        NonFiniteError
            If a gradient had NaN or infinite entries, or a sum of squares overflowed.
        NotPositiveDefiniteError
            If A is singular in its precision: a seed that has decayed, or an epsilon lost in
            the rounding of a full matrix (4 eps times the largest eigenvalue, or so).
        """
        self._check_own(state)
        power = _checked_power(power)
        shift = self._shift(state.steps)
        try:
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                return state.accumulator.norm(self.weights, state.steps, shift, power)
        except NonFiniteError as error:
            raise NonFiniteError(
                f"A is not finite after {state.steps} updates: a gradient g had NaN or infinite "
                f"entries, or squares that overflow {state.home.dtype} ({error})"
            ) from error
        except NotPositiveDefiniteError as error:
            cause = "too small beside the squared gradients"
            if self.epsilon_rule == "seeded":
                cause = f"down to {shift:.3g} after {state.steps} updates"
            raise NotPositiveDefiniteError(
                f"A is not positive definite in {state.home.dtype}: "
                f"epsilon = {self.epsilon:.3g} is {cause} ({error})"
            ) from error

    def uniform_constants(
        self, gradient_bound: float, steps: int | None = None, *, power: float = 1.0
    ) -> tuple[float, float]:
        """The sharp constants of lower ||s|| <= ||s||_A <= upper ||s|| over all gradients.

        Parameters
        ----------
        gradient_bound : float
            L, with ||g_t||_2 <= L for all t.
        steps : int, optional
            The constants are for the norms after 0, 1, ..., `steps` updates; for all t unless
            given.
        power : {1.0, 0.5}
            As in :meth:`norm`.

        Returns
        -------
        lower, upper : float
            The infimum and the supremum over s, t and all gradients within the bound, not
            rounded outwards. They are attained for finite `steps`. 0.0 and inf where there is no
            constant: lower for a seeded rule that forgets, upper for Adagrad, without `steps`.

        Raises
        ------
        ArgumentError
            If an argument is out of range.
        """
        L = positive_scalar(gradient_bound, "gradient_bound")
        t = math.inf if steps is None else positive_integer(steps, "steps")
        power = _checked_power(power)
        # The sum of the weights grows until t, or until the window is full, while a seed decays.
        # Their sum is greatest at an end of that range, or after the first of Adam's updates.
        full = t if self.window is None else min(t, self.window)
        largest = max(
            math.hypot(self._root_shift(k), L * math.sqrt(self.weights.total(k)))
            for k in (0, 1, full)
        )
        # power is 1 or 0.5, and the norms are square roots already.
        return self._root_shift(t) ** power, largest**power

    def uniform_mu(
        self, gradient_bound: float, steps: int | None = None, *, power: float = 1.0
    ) -> float:
        """The smallest mu of Definition 1: ||s||_A / mu <= ||s|| <= mu ||s||_A for all t.

        Arguments and errors as in :meth:`uniform_constants`; inf where there is none.
        """
        lower, upper = self.uniform_constants(gradient_bound, steps, power=power)
        return max(upper, 1.0 / lower) if lower > 0.0 else math.inf

    # ---------------------------------------------------------------- inside

    def _empty(self, home: Array) -> Accumulator:
        """The accumulator before the first gradient; `home` is a vector of zeros."""
        if self.kind == "diagonal":
            return DiagonalMoment(home)
        if self.window is not None:
            return GradientWindow(self.window, home)
        return FullMoment.empty(home)

    def _root_shift(self, steps: float) -> float:
        """The square root of what is left of epsilon after that many updates (inf: the limit)."""
        decay = 1.0 if self.epsilon_rule == "added" else self.weights.decay
        return math.sqrt(self.epsilon) * (1.0 if decay == 1.0 else decay ** (0.5 * steps))

    def _shift(self, steps: int) -> float:
        """What is left of epsilon after that many updates."""
        decay = 1.0 if self.epsilon_rule == "added" else self.weights.decay
        return self.epsilon * decay**steps

    def _check_own(self, state: Any) -> None:
        """Raise unless `state` is one of this rule."""
        if not isinstance(state, AdaptiveState):
            raise ArrayTypeError(
                f"state must be what init or update returned, got {type(state).__name__}"
            )
        if state.rule != self:
            raise ArgumentError(f"state belongs to another rule, {state.rule}, not to {self}")


def _checked_power(power: object) -> float:
    """`power` as a float, 1.0 or 0.5."""
    value = number(power, "power")
    if value not in (0.5, 1.0):
        raise ArgumentError(f"power must be 1 or 0.5, got {value}")
    return value


def _zeros(n: int, xp: Any, dtype: Any, device: Any) -> Array:
    """A vector of the library that shows where gradients live."""
    library = np if xp is None else xp
    options = {} if device is None else {"device": device}
    return library.zeros(n, dtype=library.float64 if dtype is None else dtype, **options)
