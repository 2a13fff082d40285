"""Probabilistic evidence on the curvature from a Lanczos run with a random start."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from tralgos.arrays import Array, standard_normal
from tralgos.subproblems.certificate import Correction
from tralgos.subproblems.evidence import decided
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model
from tralgos.subproblems.polynomial_bound import (
    RECURRENCE_MULTIPLE,
    lanczos_lower_bound,
    random_component,
)

__all__ = ["RandomCurvature"]

#: Iterations in which a negative curvature is looked for even where nothing can be proved.
_AT_LEAST = 64


class RandomCurvature:
    """A Lanczos run from a random start, with the polynomial bound: probabilistic.

    See :mod:`tralgos.subproblems.polynomial_bound`. The start alone decides whether the
    bound fails, so one event covers every iteration.

    Parameters
    ----------
    model : Model
        Gives H, the norm and the count of products.
    failure_probability : float
        The probability that `lower` is wrong, at most.
    upper_eigenvalue : float
        An upper bound on the largest eigenvalue of M, so that ||v||_2 >= its root's inverse.
    limit : int
        Iterations after which to give up.
    memory : int
        Bytes for the basis; the leftmost vector costs products where it does not fit.
    rng : numpy.random.Generator
        Source of z.
    """

    kind: Literal["exact", "probabilistic"] = "probabilistic"
    share = 0.25

    def __init__(
        self,
        model: Model,
        *,
        failure_probability: float,
        upper_eigenvalue: float,
        limit: int,
        memory: int,
        rng: np.random.Generator,
    ) -> None:
        self._model = model
        self._limit = limit
        self._memory = memory
        self._rng = rng
        self._failure_probability = failure_probability
        self._upper_eigenvalue = upper_eigenvalue
        self._lanczos: Lanczos | None = None
        self._settled = False
        self.lower, self.ritz = -math.inf, math.inf
        self.size = 0.0
        self.products = 0
        self.granted = 0.0

    def _run(self, count: int) -> None:
        """Up to `count` more iterations, then the bound."""
        if self._lanczos is None:
            start = standard_normal(self._model.n, self._model.g, self._rng)
            self._lanczos = Lanczos(self._model, start, memory=self._memory, watched=False)
        lanczos = self._lanczos
        before = self._model.matvecs
        try:
            for _ in range(count):
                if lanczos.invariant or lanczos.order >= self._limit:
                    break
                lanczos.extend()
        finally:
            self.products += self._model.matvecs - before
            if lanczos.order > 0:
                self._update(lanczos)

    def _update(self, lanczos: Lanczos) -> None:
        T = lanczos.T
        self.ritz, h = T.leftmost()
        self.size = lanczos.size
        component = random_component(
            self._failure_probability, self._upper_eigenvalue, lanczos.start_norm
        )
        noise = RECURRENCE_MULTIPLE * self._model.eps * lanczos.size
        self.lower = max(
            self.lower, lanczos_lower_bound(T, lanczos.beta, self.ritz, component, noise)
        )
        # Rounding hides what is nearer to the Ritz value than this; the rest is settled then.
        hidden = noise / component
        residual = lanczos.beta * abs(float(h[-1]))
        near = self.ritz - self.lower <= 2.0 * hidden
        self._settled = near and residual <= hidden and lanczos.order >= _AT_LEAST

    @property
    def exhausted(self) -> bool:
        """Whether no further iteration is possible, allowed, or of use."""
        run = self._lanczos
        if run is None:
            return False
        return run.invariant or self._settled or run.order >= self._limit

    def prove(self, lam: float, slack: float, margin: float) -> None:
        """Iterate until the matter is decided or the limit is reached."""
        while not decided(self, lam, slack, margin) and not self.exhausted:
            order = self._lanczos.order if self._lanczos is not None else 0
            self._run(max(8, order // 32))

    def refine(self) -> bool:
        """A fifth more iterations."""
        if self.exhausted:
            return False
        order = self._lanczos.order if self._lanczos is not None else 0
        self._run(max(10, order // 5))
        return True

    def settle(self, rtol: float) -> None:
        """Iterate until the bound is there, the limit is reached, or rounding stops it."""
        while not self.exhausted and (
            math.isinf(self.ritz) or not self.ritz - self.lower <= rtol * abs(self.ritz)
        ):
            before = self.ritz - self.lower
            self.refine()
            stalled = self.ritz - self.lower >= 0.99 * before
            if stalled and math.isfinite(before) and before <= 1e-6 * self.size:
                return

    def vector(self) -> Array:
        """The leftmost Ritz vector: one pass over the stored basis."""
        assert self._lanczos is not None
        model = self._model
        _, h = self._lanczos.T.leftmost()
        before = model.matvecs
        vector = self._lanczos.combine(h)
        self.products += model.matvecs - before
        # Ghosts of the unwatched recurrence change the length, not the direction.
        return vector * (1.0 / model.norm.norm(vector))

    @property
    def proved_at(self) -> float | None:
        """None: there is no factorisation."""
        return None

    def correction(self, residual: Array) -> Correction:
        """Not to be had; see `proved_at`."""
        raise ValueError("there is no factorisation to solve with")
