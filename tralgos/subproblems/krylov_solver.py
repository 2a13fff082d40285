"""The certified Krylov solver: the space of g, evidence on the curvature, and the hard case.

The space of g alone gives a step and an estimate of its gap. The evidence then either
proves the curvature that the estimate assumed, and the step is measured; or it shows a
direction v along which H + lambda M curves down. Then g hardly sees the leftmost
eigenvector: lambda is moved to its eigenvalue, the space of g is solved at that fixed
shift, and v is joined until the boundary is reached (the hard case). Whatever part
of the proved gap is largest is worked on until the tolerance is met.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tralgos.arrays import Array
from tralgos.subproblems.certificate import (
    Measured,
    candidate_radius,
    measure,
    radau_curvature,
    recurrence_gap,
    rounding_level,
)
from tralgos.subproblems.certify import Outcome, certified_gap, decided_slack
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.krylov import KrylovSpace, KrylovStep
from tralgos.subproblems.model import BudgetExhausted, Model
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget, Target

__all__ = ["KrylovSolver"]

#: Part of the tolerance that the estimate has to meet, so that rounding does not miss it.
_AIM = 0.9
#: Rounds of certifying and improving; two or three are met.
_MAX_ROUNDS = 60


class KrylovSolver:
    """Solve one target in a Krylov space that is shared with others.

    Parameters
    ----------
    model : Model
    space : KrylovSpace
    curvature : Curvature or None
        None where no evidence is asked for.
    rtol : float
        Certified gap over decrease that is aimed at.
    observe : callable, optional
        Sees each :class:`KrylovStep`.
    """

    def __init__(
        self,
        model: Model,
        space: KrylovSpace,
        curvature: Curvature | None,
        rtol: float,
        observe: Callable[[KrylovStep], None] | None = None,
    ) -> None:
        self._model = model
        self._space = space
        self._curvature = curvature
        self._rtol = rtol
        self._observe = observe

    def solve(self, target: Target) -> tuple[Outcome, bool]:
        """The outcome, and whether the budget ended it."""
        try:
            return self._solve(target), False
        except BudgetExhausted:
            self._model.reserve = 0
            return self._best_so_far(target), True
        finally:
            self._model.reserve = 0

    def _solve(self, target: Target) -> Outcome:
        self._model.reserve = 1
        step = self._converge(target, self._rtol)
        if self._curvature is None:
            return self._measured(target, step)
        outcome = None
        best = math.inf
        idle = 0
        for _ in range(_MAX_ROUNDS):
            self._prove(target, step)
            joined = self._joined(target, step)
            if joined is None and self._mu_of(step.solution.multiplier) is not None:
                # The estimate with the curvature that is proved, not the one assumed.
                step = self._converge(target, self._rtol)
            outcome = joined if joined is not None else self._measured(target, step)
            if self._accepted(outcome, target):
                break
            idle = 0 if outcome.gap < 0.9 * best else idle + 1
            best = min(best, outcome.gap)
            if idle > 3 or not self._improve(outcome, joined is not None):
                break
            step = self._space.step(target, mu=self._mu_of(step.solution.multiplier))
        assert outcome is not None
        return outcome

    def _converge(self, target: Target, rtol: float) -> KrylovStep:
        return self._space.converge(
            target, _AIM * rtol, mu_of=self._mu_of, observe=self._observe
        )

    def _mu_of(self, multiplier: float) -> float | None:
        """The curvature proved at `multiplier`, if there is a positive one."""
        if self._curvature is None or self._curvature.lower + multiplier <= 0.0:
            return None
        return self._curvature.lower + multiplier

    @property
    def _size(self) -> float:
        run = self._space.lanczos
        return run.size if run is not None else 0.0

    def _reach(self, target: Target, step: KrylovStep) -> float:
        length = float(np.linalg.norm(step.solution.h))
        outer = candidate_radius(target, self._space.gamma, step.solution.multiplier, 0.0)
        return length + outer

    def _slack(self, target: Target, step: KrylovStep) -> float:
        size = self._size
        if self._curvature is not None and math.isfinite(self._curvature.ritz):
            size = max(size, abs(self._curvature.ritz))
        reach = self._reach(target, step)
        gamma = self._space.gamma
        return decided_slack(self._model, step.decrease, self._rtol, size, gamma, reach)

    def _prove(self, target: Target, step: KrylovStep) -> None:
        assert self._curvature is not None
        self._curvature.prove(step.solution.multiplier, self._slack(target, step))

    def _accepted(self, outcome: Outcome, target: Target) -> bool:
        if outcome.gap <= self._rtol * outcome.measured.decrease:
            return True
        size = max(self._size, abs(outcome.measured.multiplier))
        length = max(outcome.measured.step_norm, _radius(target))
        return outcome.gap <= rounding_level(self._model.eps, size, self._space.gamma, length)

    def _measured(self, target: Target, step: KrylovStep) -> Outcome:
        """Assemble the step of the space and certify it: one product with H."""
        solution = step.solution
        vector = self._space.assemble(solution.h)
        boundary = isinstance(target, RadiusTarget) and not solution.interior
        measured = self._measure(vector, solution.multiplier, target, boundary)
        if self._curvature is None:
            return Outcome(measured, math.inf, -math.inf, boundary, solution.hard)
        gap, mu = certified_gap(
            self._model, measured, target, self._curvature, gamma=self._space.gamma
        )
        if gap > self._rtol * measured.decrease and mu > 0.0:
            gap = min(gap, self._radau_gap(measured, solution.h, target, mu))
        return Outcome(measured, gap, mu, boundary, solution.hard)

    def _measure(
        self, vector: Array, multiplier: float, target: Target, boundary: bool
    ) -> Measured:
        """Measure with the product that was kept back for it."""
        reserve, self._model.reserve = self._model.reserve, 0
        try:
            return measure(self._model, vector, multiplier, target, boundary=boundary)
        finally:
            self._model.reserve = reserve

    def _radau_gap(
        self, measured: Measured, h: np.ndarray, target: Target, mu: float
    ) -> float:
        """The bound that uses where the residual points; no products with H."""
        run = self._space.lanczos
        if run is None or run.invariant or h.shape[0] != run.order:
            return math.inf
        radau = radau_curvature(run.T, run.beta, measured.multiplier, mu * (1.0 - 1e-3))
        if radau is None:
            return math.inf
        dual, norm = run.next_vector
        rest = measured.residual - dual * (run.beta * float(h[-1]) / norm)
        model = self._model
        (square,) = model.fetch(model.dot(rest, model.norm.solve(rest)))
        difference = math.sqrt(max(square, 0.0))
        energy = recurrence_gap(run.beta * abs(float(h[-1])), radau, difference, mu)
        return energy + measured.slack(target)

    def _joined(self, target: Target, step: KrylovStep) -> Outcome | None:
        """The step of the hard case, where the evidence calls for it: one product with H."""
        curvature = self._curvature
        assert curvature is not None
        lam = -curvature.ritz
        if not math.isfinite(lam) or lam <= step.solution.multiplier + self._slack(target, step):
            return None
        h = self._space.shifted(lam)
        if h is None:
            return None
        vector = self._join(self._space.assemble(h), curvature.vector(), _length_at(target, lam))
        measured = self._measure(vector, lam, target, isinstance(target, RadiusTarget))
        gap, mu = certified_gap(
            self._model, measured, target, curvature, gamma=self._space.gamma
        )
        return Outcome(measured, gap, mu, isinstance(target, RadiusTarget), hard=True)

    def _join(self, s: Array, v: Array, length: float) -> Array:
        """s + t v of M-norm `length`, with the smaller |t|; v has M-norm 1."""
        model = self._model
        weight = model.norm.apply(v)
        square, along, slope = model.fetch(
            model.dot(s, model.norm.apply(s)), model.dot(s, weight), model.dot(model.g, v)
        )
        missing = length * length - square
        root = math.sqrt(max(missing + along * along, 0.0))
        t = max(missing, 0.0) / (root + abs(along)) if root > 0.0 else 0.0
        # Where s has no part along v the gradient's sign decides: downhill.
        sign = along if along != 0.0 else -slope
        return s + v * math.copysign(t, sign)

    def _improve(self, outcome: Outcome, joined: bool) -> bool:
        """Work on what the proved gap is mostly made of; False if there is nothing to work on."""
        curvature, space = self._curvature, self._space
        assert curvature is not None
        run = space.lanczos
        can_extend = not space.finished
        if can_extend and run is not None:
            krylov = 0.0 if run.invariant else abs(self._last_residual(outcome, joined))
            if krylov >= 0.25 * outcome.measured.residual_norm or not curvature.refine():
                space.extend(max(1, run.order // 16))
            return True
        return curvature.refine()

    def _last_residual(self, outcome: Outcome, joined: bool) -> float:
        run = self._space.lanczos
        assert run is not None
        if not joined:
            return outcome.measured.residual_norm
        h = self._space.shifted(outcome.measured.multiplier)
        return 0.0 if h is None or h.shape[0] == 0 else run.beta * float(h[-1])

    def _best_so_far(self, target: Target) -> Outcome:
        """What the space gives without another iteration, when the budget is used up."""
        run = self._space.lanczos
        step = self._space.step(target)
        if run is None or run.order == 0:
            zero = self._model.xp.zeros_like(self._model.g)
            measured = Measured(zero, self._model.g, 0.0, 0.0, self._space.gamma, 0.0, 0.0)
            return Outcome(measured, math.inf, -math.inf, boundary=False, hard=False)
        try:
            return self._measured(target, step)
        except BudgetExhausted:
            # Not even the product that measures the step is left.
            zero = self._model.xp.zeros_like(self._model.g)
            measured = Measured(zero, self._model.g, 0.0, 0.0, self._space.gamma, 0.0, 0.0)
            return Outcome(measured, math.inf, -math.inf, boundary=False, hard=False)


def _radius(target: Target) -> float:
    return 0.0 if isinstance(target, CubicTarget) else target.radius


def _length_at(target: Target, lam: float) -> float:
    return lam / target.sigma if isinstance(target, CubicTarget) else target.radius
