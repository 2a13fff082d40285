"""What past gradients leave behind: a diagonal, a matrix, or a window of the last few.

An accumulator is an immutable record. `add` returns a new one and leaves the old one as it
was; `norm` turns it into the norm by c S + shift I, or by the root of that, where S is the
weighted sum of the outer products g g' and c corrects its weights.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from tralgos.arrays import Array, all_finite, device_of, eps, namespace, to_host
from tralgos.errors import NotPositiveDefiniteError
from tralgos.memory import allocating, square
from tralgos.norms.base import Norm, smallest_normal
from tralgos.norms.diagonal import DiagonalNorm
from tralgos.norms.low_rank import LowRankNorm
from tralgos.norms.matrix import MatrixNorm

__all__ = ["Accumulator", "DiagonalMoment", "FullMoment", "GradientWindow", "Weights"]

#: What the norm of a window needs beside the window: its columns scaled, side by side, and two
#: orthonormal bases of them.
_PANELS = 4
#: What to do without a matrix of order n.
_SMALLER = "kind='diagonal' keeps one vector, kind='window' as many as `window` says"


@dataclass(frozen=True)
class Weights:
    """The weight of each gradient by its age: gain decay^age, age 0 being the newest.

    Attributes
    ----------
    gain : float
        The weight of the newest gradient.
    decay : float
        In (0, 1]. Below one, gain = 1 - decay, so that all weights together stay below one.
    unbiased : bool
        Whether the weights are divided by their sum.
    """

    gain: float
    decay: float
    unbiased: bool = False

    def _sum(self, count: float) -> float:
        """The sum of `count` weights before the correction."""
        if self.decay == 1.0:
            return self.gain * count
        # 1 - decay^count, without cancellation where decay is close to one.
        return -math.expm1(count * math.log(self.decay))

    def total(self, count: float) -> float:
        """The sum of the weights of `count` gradients (inf: its limit)."""
        return 1.0 if self.unbiased and count > 0 else self._sum(count)

    def correction(self, count: int) -> float:
        """What the weights of `count` gradients are multiplied with."""
        return 1.0 / self._sum(count) if self.unbiased and count > 0 else 1.0

    def root(self, age: int, count: int) -> float:
        """The square root of a weight; it is a normal number where the weight is not."""
        return math.sqrt(self.gain * self.correction(count)) * math.pow(self.decay, 0.5 * age)

    def mix(self, moment: Array, square: Array) -> Array:
        """decay moment + gain square; writes into `square`, which must be the caller's own."""
        if self.decay == 1.0:
            square += moment
        elif self.decay < 0.5:
            square *= self.gain
            square += self.decay * moment
        else:
            # The decay as such would be rounded to the dtype, which in float32 makes the sum of
            # the weights wrong by up to 2^-25 / gain. A step towards `square` overshoots nothing.
            square -= moment
            square *= self.gain
            square += moment
        return square


class Accumulator(ABC):
    """What past gradients leave behind; see the module."""

    @abstractmethod
    def add(self, g: Array, weights: Weights) -> Accumulator:
        """The accumulator after one more gradient; no host transfer."""

    @abstractmethod
    def norm(self, weights: Weights, steps: int, shift: float, power: float) -> Norm:
        """The norm by A = c S + shift I (`power` 1) or by A^{1/2} (`power` 0.5).

        Raises
        ------
        NonFiniteError
            If A is not finite.
        NotPositiveDefiniteError
            If A is not positive definite in its precision.
        """


@dataclass(frozen=True, eq=False)
class DiagonalMoment(Accumulator):
    """The diagonal of the weighted sum of g g'.

    Attributes
    ----------
    moment : array, shape (n,)
    """

    moment: Array

    def add(self, g: Array, weights: Weights) -> DiagonalMoment:
        """At most four passes over n numbers and one new vector."""
        return DiagonalMoment(weights.mix(self.moment, g * g))

    def norm(self, weights: Weights, steps: int, shift: float, power: float) -> DiagonalNorm:
        """The diagonal norm: two host transfers."""
        d = _scaled(self.moment, weights.correction(steps)) + shift
        found = DiagonalNorm(d if power == 1.0 else namespace(d).sqrt(d))
        # Below the normal numbers the entries have lost their digits.
        if found.lower_eigenvalue() < smallest_normal(d.dtype) ** power:
            raise NotPositiveDefiniteError("the smallest entry of A is below the normal numbers")
        return found


@dataclass(frozen=True, eq=False)
class FullMoment(Accumulator):
    """The weighted sum of g g'.

    Attributes
    ----------
    moment : array, shape (n, n)
    """

    moment: Array

    @staticmethod
    def empty(home: Array) -> FullMoment:
        """The zero matrix, for gradients like `home`; errors as for :meth:`add`."""
        xp, n = namespace(home), int(home.shape[0])
        with allocating("the full matrix of past gradients", n, n, home, square(home, _SMALLER)):
            return FullMoment(xp.zeros((n, n), dtype=home.dtype, device=device_of(home)))

    def add(self, g: Array, weights: Weights) -> FullMoment:
        """At most four passes over n^2 numbers and one new matrix, symmetric to the last bit.

        Raises
        ------
        DeviceMemoryError
            If the matrix does not fit.
        """
        n = int(g.shape[0])
        with allocating("the full matrix of past gradients", n, n, g, square(g, _SMALLER)):
            return FullMoment(weights.mix(self.moment, g[:, None] * g[None, :]))

    def norm(self, weights: Weights, steps: int, shift: float, power: float) -> MatrixNorm:
        """The matrix norm: one factorisation, after one eigendecomposition for the root."""
        n, home = int(self.moment.shape[0]), self.moment[0, :]
        advice = square(home, _SMALLER)
        with allocating("the norm of all past gradients", 3 * n, n, home, advice):
            return self._norm(weights, steps, shift, power)

    def _norm(self, weights: Weights, steps: int, shift: float, power: float) -> MatrixNorm:
        S = _scaled(self.moment, weights.correction(steps))
        xp = namespace(S)
        A = S + shift * xp.eye(S.shape[0], dtype=S.dtype, device=device_of(S))
        found = MatrixNorm(A if power == 1.0 else _matrix_root(A))
        if shift < smallest_normal(S.dtype):
            # What underflowed is rounding beside an eigenvalue of this size, and no smaller one.
            least = (smallest_normal(S.dtype) / eps(S.dtype)) ** power
            if (found.upper_eigenvalue() or 0.0) < least:
                raise NotPositiveDefiniteError("all of A is next to the subnormal numbers")
        return found


@dataclass(frozen=True, eq=False)
class GradientWindow(Accumulator):
    """The last gradients themselves, at most `size` of them, oldest first.

    Attributes
    ----------
    size : int
    home : array, shape (n,)
        A vector that shows where the gradients live.
    gradients : tuple of array, shape (n,) each
    """

    size: int
    home: Array
    gradients: tuple[Array, ...] = ()

    def add(self, g: Array, weights: Weights) -> GradientWindow:
        """One copy of `g`: the caller may write into it afterwards.

        Raises
        ------
        DeviceMemoryError
            If it does not fit.
        """
        purpose = f"a window of {len(self.gradients)} gradients"
        with allocating(purpose, 1, int(g.shape[0]), g, self._advice):
            kept = (*self.gradients, namespace(g).asarray(g, copy=True))
        return GradientWindow(self.size, self.home, kept[-self.size :])

    def norm(self, weights: Weights, steps: int, shift: float, power: float) -> LowRankNorm:
        """The low-rank norm: one QR decomposition, O(n m^2), and three host transfers.

        Raises
        ------
        DeviceMemoryError
            If it does not fit, naming the `window` that would.
        """
        if shift < smallest_normal(self.home.dtype):
            raise NotPositiveDefiniteError("what is added to the low-rank part underflows")
        count = len(self.gradients)
        n = int(self.home.shape[0])
        purpose = f"the norm of a window of {count} gradients"
        with allocating(purpose, _PANELS * count, n, self.home, self._advice):
            columns = [
                _scaled(g, weights.root(count - 1 - i, count)) for i, g in enumerate(self.gradients)
            ]
            norm = LowRankNorm(_side_by_side(columns, self.home), 1.0, shift)
            return norm if power == 1.0 else norm.root()

    def _advice(self, room: int | None) -> str:
        """The `window` that would do, where so many more vectors fit."""
        fits = (len(self.gradients) + (room or 0)) // (1 + _PANELS)
        if room is None:
            return f"A window needs {1 + _PANELS} vectors a gradient: take a smaller one."
        if fits < 1:
            return f"A window of one needs {1 + _PANELS} vectors; kind='diagonal' needs one."
        return f"The option window={fits} needs {(1 + _PANELS) * fits:,} such vectors."


def _scaled(x: Array, factor: float) -> Array:
    """factor x, without a pass where the factor is one."""
    return x if factor == 1.0 else factor * x


def _side_by_side(columns: list[Array], home: Array) -> Array:
    """The matrix of these columns, of shape (n, 0) if there are none."""
    xp = namespace(home)
    if not columns:
        return xp.zeros((home.shape[0], 0), dtype=home.dtype, device=device_of(home))
    return xp.stack(columns, axis=1)


def _matrix_root(A: Array) -> Array:
    """The symmetric square root of a symmetric positive definite matrix."""
    all_finite(A, "A")
    xp = namespace(A)
    values, vectors = xp.linalg.eigh(A)
    low, high = to_host(xp.stack([values[0], values[-1]])).tolist()
    # A root would hide that the smallest eigenvalues are rounding: the test is made on A.
    if not low > 4 * eps(A.dtype) * high:
        raise NotPositiveDefiniteError(f"the eigenvalues reach from {low:.6g} to {high:.6g}")
    root = (vectors * xp.sqrt(values)[None, :]) @ xp.matrix_transpose(vectors)
    return 0.5 * root + 0.5 * xp.matrix_transpose(root)
