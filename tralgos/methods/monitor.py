r"""Whether the norms of a rule stay uniformly equivalent along a run, and where they cease to.

Definition 1 of "Adaptive norms for deep learning with regularized Newton methods" asks for
one mu >= 1 with

.. math:: \tfrac1\mu \|s\|_{A_t} \le \|s\| \le \mu \|s\|_{A_t} \quad\text{for all } s, t,

that is for eigenvalues of every A_t between :math:`\mu^{-2}` and :math:`\mu^2`. The smallest
such mu at time t is :math:`\max(\lambda_{\max}^{1/2}, \lambda_{\min}^{-1/2})`, and the
eigenvectors of these two are where a smaller one fails. With :math:`A_t = S_t + \epsilon_t I`
and S_t positive semidefinite, only the eigenvalues of S_t have to be computed: what they lose
in rounding does not touch :math:`\epsilon_t`, which is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tralgos.arguments import integer, number, positive_scalar
from tralgos.arrays import Array, device_of, eps, namespace, real_vector, to_float, to_host
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.norms import AdaptiveNorm, AdaptiveState
from tralgos.norms.accumulators import DiagonalMoment, FullMoment, GradientWindow

__all__ = ["EquivalenceBreak", "EquivalenceMonitor", "EquivalenceRow"]

#: Roundings that an eigenvalue is granted before it is said to be out of bounds.
_ROUNDINGS = 8.0


@dataclass(frozen=True)
class EquivalenceRow:
    """The sharp constants of lower ||s|| <= ||s||_A <= upper ||s|| after one more gradient.

    Attributes
    ----------
    iteration : int
        Of the run.
    lower, upper : float
        As computed, not rounded outwards. `upper` is inf where a gradient was not finite, or
        its squares overflowed.
    """

    iteration: int
    lower: float
    upper: float

    @property
    def mu(self) -> float:
        """The smallest mu of Definition 1 for this norm alone; inf where there is none."""
        return max(self.upper, 1.0 / self.lower) if self.lower > 0.0 else math.inf


@dataclass(frozen=True, eq=False)
class EquivalenceBreak:
    """Where Definition 1 with the constant mu fails first.

    Attributes
    ----------
    iteration : int
        Of the run.
    side : {"upper", "lower"}
        Whether ||v||_A is above mu ||v|| or below ||v||/mu; the worse of the two where both.
    constant, limit : float
        ||v||_A / ||v||, and the bound that it crosses: mu or 1/mu.
    direction : array, shape (n,), or None
        v, of length one, with the library, device and dtype of the gradients: a unit vector
        for a diagonal, else an eigenvector (one of them, where the eigenvalue is repeated).
        None where A is not finite.
    coordinate : int or None
        The largest entry of `direction`.
    """

    iteration: int
    side: Literal["upper", "lower"]
    constant: float
    limit: float
    direction: Array | None = field(repr=False)
    coordinate: int | None


class EquivalenceMonitor:
    """Watches the norms that a rule makes of the gradients of a run; a callback of `minimize`.

    It sees the gradient `jac` at the iterate after each step, whatever the method, and adds it
    to a state of its own: after a rejected step that is the same gradient again, as Algorithm 1
    of the paper counts it, and the gradient at the start is not among them (show it with
    :meth:`observe` first). The norm of a method that uses a rule itself, or another sample, is
    not looked at. It changes nothing in the run. One monitor serves one run.

    Parameters
    ----------
    rule : AdaptiveNorm
        Such as ``tralgos.norms.RMSPropNorm(epsilon=1e-4)``.
    mu : float
        The constant of Definition 1, at least 1. ``rule.uniform_mu(L)`` is the smallest for
        which nothing can break while ||g|| <= L.
    power : {1.0, 0.5}
        Whether to look at the norms by A or by its root, as ``rule.norm`` has it.

    Attributes
    ----------
    rows : list of EquivalenceRow
        One for each gradient.
    broken : EquivalenceBreak or None
        The first break, if there was one; a constant beyond its limit by no more than rounding
        is none.
    state : AdaptiveState or None
        What the rule has seen; ``rule.norm(monitor.state)`` is the norm itself.

    Raises
    ------
    ArrayTypeError
        If `rule` is not an AdaptiveNorm.
    ArgumentError
        If `mu` or `power` is out of range.

    Notes
    -----
    Cost of a gradient, beside that of ``rule.update``: two passes over n for a diagonal, the
    eigenvalues of an n x n matrix for a full one, the singular values of an n x m matrix,
    O(n m^2), for a window of m; for the break, once, also the vectors. Host transfers: one
    (two for a full matrix), and one more at the break. Memory: the state of the rule and three
    numbers a gradient.

    Source: *Adaptive norms for deep learning with regularized Newton methods*, Definition 1.

    Examples
    --------
    >>> import tralgos
    >>> rule = tralgos.norms.AdagradNorm(epsilon=1.0)
    >>> monitor = EquivalenceMonitor(rule, mu=20.0)
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), callback=monitor)
    >>> monitor.broken.iteration, monitor.broken.side, monitor.broken.coordinate
    (1, 'upper', 0)
    """

    def __init__(self, rule: AdaptiveNorm, mu: float, *, power: float = 1.0) -> None:
        if not isinstance(rule, AdaptiveNorm):
            raise ArrayTypeError(
                "rule must be one of the adaptive rules of tralgos.norms, such as "
                f"RMSPropNorm(epsilon=1e-4), got {type(rule).__name__}"
            )
        self.rule = rule
        self.mu = positive_scalar(mu, "mu")
        if self.mu < 1.0:
            raise ArgumentError(f"mu must be at least 1, got {self.mu}: no norm meets less")
        self.power = number(power, "power")
        if self.power not in (0.5, 1.0):
            raise ArgumentError(f"power must be 1 or 0.5, got {self.power}")
        self.rows: list[EquivalenceRow] = []
        self.broken: EquivalenceBreak | None = None
        self.state: AdaptiveState | None = None

    def __call__(self, result: Any) -> None:
        """Observe the gradient of a step: the callback of :func:`tralgos.minimize`.

        Raises
        ------
        ArgumentError
            If `result` has no `jac` and `nit`.
        """
        missing = [name for name in ("jac", "nit") if getattr(result, name, None) is None]
        if missing:
            raise ArgumentError(
                f"the monitor needs a result with {' and '.join(missing)}, as the callback of "
                "tralgos.minimize gets"
            )
        self.observe(result.jac, result.nit)

    def observe(self, g: Array, iteration: int) -> None:
        """Observe one more gradient.

        Parameters
        ----------
        g : array, shape (n,)
            Not kept, but by a window.
        iteration : int
            The number it gets in the rows.

        Raises
        ------
        ArgumentError, ArrayTypeError, ShapeError
            If `iteration` is not an integer, or `g` not a real vector like the first one.
        """
        iteration = integer(iteration, "iteration")
        if self.state is None:
            self.state = self.rule.init(like=real_vector(g, "g"))
        self.state = self.rule.update(self.state, g)
        low, high = _moments(self.state)
        shift = _shift(self.state)
        row = EquivalenceRow(
            iteration,
            math.sqrt(low + shift) ** self.power,
            math.sqrt(high + shift) ** self.power,
        )
        self.rows.append(row)
        if self.broken is None:
            self._look_for_break(row, low + shift, high + shift)

    @property
    def smallest_mu(self) -> float:
        """The smallest mu that serves all norms so far; 1 before the first gradient."""
        return max((row.mu for row in self.rows), default=1.0)

    def report(self) -> str:
        """What was seen, in sentences."""
        name = f"{self.rule} by {'A' if self.power == 1.0 else 'the root of A'}"
        if not self.rows:
            return f"{name}: no gradient was seen."
        first, last = self.rows[0].iteration, self.rows[-1].iteration
        lower, upper = min(r.lower for r in self.rows), max(r.upper for r in self.rows)
        lines = [
            f"{name}: {len(self.rows)} gradients, iterations {first} to {last}.",
            f"Over all of them {lower:.4g} ||s|| <= ||s||_A <= {upper:.4g} ||s||, "
            f"so that the smallest mu of Definition 1 is {self.smallest_mu:.4g}.",
        ]
        if self.broken is None:
            lines.append(f"It holds with mu = {self.mu:.4g} throughout.")
        else:
            lines.append(self._break_in_words(self.broken))
        return " ".join(lines)

    # ---------------------------------------------------------------- inside

    def _break_in_words(self, broken: EquivalenceBreak) -> str:
        text = f"With mu = {self.mu:.4g} it breaks first at iteration {broken.iteration}: "
        if broken.direction is None or broken.coordinate is None:
            return text + "a gradient is not finite, or its squares overflow."
        sign = ">" if broken.side == "upper" else "<"
        what = "along coordinate" if self.rule.kind == "diagonal" else (
            "along an eigenvector that is largest in coordinate"
        )  # fmt: skip
        return (
            f"{text}{what} {broken.coordinate}, "
            f"||s||_A = {broken.constant:.4g} ||s|| {sign} {broken.limit:.4g} ||s||."
        )

    def _look_for_break(self, row: EquivalenceRow, low: float, high: float) -> None:
        """Fill `broken` if an extreme eigenvalue of A is out of bounds by more than rounding."""
        assert self.state is not None
        # Eigenvalues are compared with mu^2, or mu^4 for the root; all under square roots.
        limit = self.mu if self.power == 1.0 else self.mu * self.mu
        full = self.rule.kind == "full"
        rounding = _ROUNDINGS * eps(self.state.home.dtype) * (
            self.state.n if full else self.rule.window or 1
        )  # fmt: skip
        excess = math.sqrt(high) / limit / (1.0 + rounding)
        # The eigenvalues of a full matrix carry errors of the size of the largest.
        granted = low + rounding * (high if full and high < math.inf else low)
        lack = 1.0 / granted**0.5 / limit if granted > 0.0 else math.inf
        if not max(excess, lack) > 1.0:
            return
        side: Literal["upper", "lower"] = "upper" if excess >= lack else "lower"
        direction = None if math.isinf(high) else _extreme_direction(self.state, side)
        self.broken = EquivalenceBreak(
            row.iteration,
            side,
            row.upper if side == "upper" else row.lower,
            self.mu if side == "upper" else 1.0 / self.mu,
            direction,
            None if direction is None else _largest_entry(direction),
        )


def _shift(state: AdaptiveState) -> float:
    """What is left of epsilon in A."""
    rule = state.rule
    decay = rule.weights.decay if rule.epsilon_rule == "seeded" else 1.0
    return rule.epsilon * math.pow(decay, state.steps)


def _moments(state: AdaptiveState) -> tuple[float, float]:
    """The extreme eigenvalues of S; (0, inf) where it is not finite."""
    past = state.accumulator
    xp = namespace(state.home)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if isinstance(past, GradientWindow):
            low, high = _window_moments(state, past)
        elif isinstance(past, FullMoment):
            largest = to_float(xp.max(xp.abs(past.moment)))
            if not math.isfinite(largest):
                return 0.0, math.inf
            values = xp.linalg.eigvalsh(past.moment)
            low, high = to_host(xp.stack([values[0], values[-1]])).tolist()
        else:
            assert isinstance(past, DiagonalMoment)
            found = xp.stack([xp.min(past.moment), xp.max(past.moment)])
            low, high = to_host(found).tolist()
    if not isinstance(past, GradientWindow):
        correction = state.rule.weights.correction(state.steps)
        low, high = correction * low, correction * high
    if not math.isfinite(high):
        return 0.0, math.inf
    # S is positive semidefinite: what is below zero is rounding.
    return max(low, 0.0), max(high, 0.0)


def _window_moments(state: AdaptiveState, past: GradientWindow) -> tuple[float, float]:
    """The extreme eigenvalues of U U', as squares of singular values."""
    xp = namespace(state.home)
    U = _columns(state, past)
    largest = to_float(xp.max(xp.abs(U)))
    if not math.isfinite(largest):
        return 0.0, math.inf
    values = to_host(xp.linalg.svdvals(U)).tolist()
    low = values[-1] * values[-1] if U.shape[1] >= state.n else 0.0
    return low, values[0] * values[0]


def _columns(state: AdaptiveState, past: GradientWindow) -> Array:
    """The gradients of a window times the roots of their weights, side by side."""
    count = len(past.gradients)
    weights = state.rule.weights
    return namespace(state.home).stack(
        [weights.root(count - 1 - i, count) * g for i, g in enumerate(past.gradients)], axis=1
    )


def _extreme_direction(state: AdaptiveState, side: Literal["upper", "lower"]) -> Array:
    """A unit eigenvector of the largest or the smallest eigenvalue of A."""
    past = state.accumulator
    xp = namespace(state.home)
    upper = side == "upper"
    if isinstance(past, DiagonalMoment):
        index = xp.argmax(past.moment) if upper else xp.argmin(past.moment)
        return _unit_vector(index, state.home)
    if isinstance(past, FullMoment):
        vectors = xp.linalg.eigh(past.moment)[1]
        return vectors[:, -1] if upper else vectors[:, 0]
    assert isinstance(past, GradientWindow)
    W = xp.linalg.svd(_columns(state, past), full_matrices=False)[0]
    if upper:
        return W[:, 0]
    return W[:, -1] if W.shape[1] >= state.n else _orthogonal_to(W, state.home)


def _unit_vector(index: Array, like: Array) -> Array:
    """The unit vector of a coordinate that is a 0-d array: no transfer."""
    xp = namespace(like)
    places = xp.arange(like.shape[0], device=device_of(like))
    return xp.astype(places == index, like.dtype)


def _orthogonal_to(W: Array, like: Array) -> Array:
    """A unit vector orthogonal to orthonormal columns that do not span the space."""
    xp = namespace(like)
    # The coordinate that the columns cover least leaves the longest remainder.
    v = _unit_vector(xp.argmin(xp.sum(W * W, axis=1)), like)
    for _ in range(2):
        v = v - W @ (xp.matrix_transpose(W) @ v)
        v = v / xp.sqrt(xp.vecdot(v, v))
    return v


def _largest_entry(v: Array) -> int:
    """The index of the largest entry in size: one transfer."""
    xp = namespace(v)
    return int(to_host(xp.argmax(xp.abs(v))))
