"""The Krylov space of the gradient: one reduction for many radii and sigmas.

The space is extended while a Gauss-Radau estimate of the gap lies above the
tolerance, and kept: another radius or sigma starts from what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tralgos.arrays import Array
from tralgos.subproblems.certificate import radau_curvature
from tralgos.subproblems.lanczos import Lanczos
from tralgos.subproblems.model import Model
from tralgos.subproblems.tridiagonal import (
    CubicTarget,
    ReducedSolution,
    Target,
    Tridiagonal,
    solve_reduced,
)

__all__ = ["KrylovSpace", "KrylovStep"]

#: Part of the margin lambda + theta_1 that is taken for the curvature while none is proved.
_ASSUMED_MARGIN = 0.9


@dataclass(frozen=True)
class KrylovStep:
    """A solution in the space, before it is assembled.

    Attributes
    ----------
    solution : ReducedSolution
    decrease : float
        -q of the reduced model.
    residual : float
        beta_k |h_k|: the dual norm of (H + lambda M) s + g.
    gap : float
        The Gauss-Radau bound for the curvature given or assumed; inf where there is none.
    """

    solution: ReducedSolution
    decrease: float
    residual: float
    gap: float


class KrylovSpace:
    """K(M^-1 H, M^-1 g), extended as far as its solutions need it.

    Parameters
    ----------
    model : Model
    memory : int
        Bytes for the basis.
    limit : int
        Order at which the space is taken for finished, whatever the estimates say.

    Attributes
    ----------
    lanczos : Lanczos or None
        None where g = 0, which has no Krylov space.
    gamma : float
        ||g|| in the dual norm.
    """

    def __init__(self, model: Model, *, memory: int, limit: int) -> None:
        self._model = model
        self._limit = limit
        self.gamma = model.norm.dual_norm(model.g)
        self.lanczos: Lanczos | None = None
        if self.gamma > 0.0:
            self.lanczos = Lanczos(model, model.g, memory=memory, first_product=model.first_product)

    @property
    def finished(self) -> bool:
        """Whether the space can not be extended."""
        run = self.lanczos
        return run is None or run.invariant or run.order >= self._limit

    def extend(self, count: int) -> None:
        """Up to `count` more iterations."""
        run = self.lanczos
        for _ in range(count):
            if run is None or self.finished:
                return
            # Kept back: the measured step costs a product, and each vector not stored another.
            self._model.reserve = 1 + run.not_stored_next
            run.extend()

    def step(
        self, target: Target, *, mu: float | None = None, start: float | None = None
    ) -> KrylovStep:
        """Solve in the space as it is; no products with H.

        `mu` is a proved lower bound on the curvature of H + lambda M, None to assume one.
        """
        run = self.lanczos
        if run is None or run.order == 0:
            nothing = ReducedSolution(np.zeros(0), 0.0, interior=True, hard=False)
            return KrylovStep(nothing, 0.0, self.gamma, math.inf if self.gamma > 0 else 0.0)
        solution = solve_reduced(run.T, self._first(run.order), target, start=start)
        h = solution.h
        residual = run.beta * abs(float(h[-1]))
        return KrylovStep(
            solution,
            _decrease(run, h, self.gamma, target),
            residual,
            self._gap(run, solution, residual, mu),
        )

    def joined(self, theta: float, along: float) -> tuple[Tridiagonal, np.ndarray]:
        """T and c with a direction joined whose Rayleigh quotient and gradient part are given."""
        run = self.lanczos
        if run is None or run.order == 0:
            return Tridiagonal(np.array([theta]), np.empty(0)), np.array([along])
        off = np.append(run.T.off_diagonal, 0.0)
        T = Tridiagonal(np.append(run.T.diagonal, theta), off)
        return T, np.append(self._first(run.order), along)

    def assemble(self, h: np.ndarray) -> Array:
        """Q h."""
        if self.lanczos is None or h.shape[0] == 0:
            return self._model.xp.zeros_like(self._model.g)
        return self.lanczos.combine(h)

    def _first(self, order: int) -> np.ndarray:
        c = np.zeros(order)
        c[0] = self.gamma
        return c

    def _gap(
        self, run: Lanczos, solution: ReducedSolution, residual: float, mu: float | None
    ) -> float:
        if run.invariant or residual == 0.0:
            return 0.0
        if mu is None:
            margin = solution.multiplier + run.T.leftmost_value()
            mu = _ASSUMED_MARGIN * margin
        if mu <= 0.0:
            return math.inf
        radau = radau_curvature(run.T, run.beta, solution.multiplier, mu)
        return math.inf if radau is None else 0.5 * residual * (residual / radau)

    def converge(
        self,
        target: Target,
        rtol: float,
        *,
        mu_of: Callable[[float], float | None],
        observe: Callable[[KrylovStep], None] | None = None,
    ) -> KrylovStep:
        """Extend the space until the gap is below `rtol` of the decrease, or it is finished.

        Parameters
        ----------
        mu_of : callable
            The proved curvature at a multiplier, None to assume one.
        observe : callable, optional
            Sees the step after each iteration; without it the step is solved for only
            where the estimate may have been met.
        """
        step = self._first_step(target, mu_of)
        if observe is not None and step.solution.h.shape[0] > 0:
            observe(step)
        history: list[tuple[int, float]] = []
        while not self.finished and not step.gap <= rtol * step.decrease:
            order = self.lanczos.order if self.lanczos is not None else 0
            history.append((order, step.gap / step.decrease if step.decrease > 0 else math.inf))
            self.extend(1 if observe is not None else _stride(history, rtol))
            # The multiplier grows with the space, so the last one is a safe start.
            start = step.solution.multiplier
            step = self.step(target, mu=mu_of(start), start=start)
            if observe is not None:
                observe(step)
        return step

    def _first_step(self, target: Target, mu_of: Callable[[float], float | None]) -> KrylovStep:
        if self.lanczos is not None and self.lanczos.order == 0:
            self.extend(1)
        step = self.step(target)
        mu = mu_of(step.solution.multiplier)
        return step if mu is None else self.step(target, mu=mu, start=step.solution.multiplier)


def _stride(history: list[tuple[int, float]], rtol: float) -> int:
    """Iterations until the next look: half of what the convergence so far predicts."""
    order, gap = history[-1]
    longest = max(1, order // 16)
    if len(history) < 3 or not math.isfinite(gap) or gap <= 0.0:
        return longest
    before, gap_before = history[-3]
    if not gap < gap_before < math.inf:
        return longest
    rate = math.log(gap_before / gap) / (order - before)
    remaining = math.log(gap / rtol) / rate
    return max(1, min(longest, int(0.5 * remaining)))


def _decrease(run: Lanczos, h: np.ndarray, gamma: float, target: Target) -> float:
    """-q of the reduced model, without cancellation against gamma."""
    T = run.T
    product = T.diagonal * h
    product[1:] += T.off_diagonal * h[:-1]
    product[:-1] += T.off_diagonal * h[1:]
    value = gamma * float(h[0]) + 0.5 * float(h @ product)
    if isinstance(target, CubicTarget):
        length = float(np.linalg.norm(h))
        value += target.sigma / 3.0 * length * length * length  # a power would raise on overflow
    return -value
