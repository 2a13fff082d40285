"""The certified Krylov solver: the space of g, evidence on the curvature, and the hard case.

The space of g alone gives a step and an estimate of its gap. The evidence then either
proves the curvature that the estimate assumed, and the step is measured; or it shows a
direction v along which H + lambda M curves down. Then g hardly sees the leftmost
eigenvector, or not at all (the hard case): v joins the space as a block of its own, and
the same tridiagonal core decides on both. Space and evidence are sharpened until the
tolerance is met.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tralgos.arrays import Array
from tralgos.subproblems.certificate import (
    Measured,
    candidate_radius,
    measure,
    nothing,
    radau_curvature,
    recurrence_gap,
)
from tralgos.subproblems.certify import (
    Outcome,
    certified_gap,
    decided_slack,
    gap_of_rounding,
)
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.krylov import KrylovSpace, KrylovStep
from tralgos.subproblems.model import BudgetExhausted, Model
from tralgos.subproblems.tridiagonal import (
    CubicTarget,
    RadiusTarget,
    Target,
    solve_reduced,
)

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
        self._best: Outcome | None = None

    def solve(self, target: Target) -> tuple[Outcome, bool]:
        """The outcome, and whether the budget ended it."""
        try:
            return self._solve(target), False
        except BudgetExhausted:
            self._model.reserve = 0
            return self._best or self._best_so_far(target), True
        finally:
            self._model.reserve = 0

    def _solve(self, target: Target) -> Outcome:
        run = self._space.lanczos
        self._model.reserve = 1 + (run.not_stored if run is not None else 0)
        step = self._converge(target, self._ample_mu)
        if self._curvature is None:
            return self._measured(target, step)
        for _ in range(_MAX_ROUNDS):
            self._prove(target, step)
            joined = self._joined(target, step)
            if joined is None and self._mu_of(step.solution.multiplier) is not None:
                # The estimate with the curvature that is proved, not the one assumed.
                step = self._converge(target, self._mu_of)
            outcome = joined if joined is not None else self._measured(target, step)
            self._keep(outcome)
            if self._accepted(outcome, target) or not self._improve(outcome):
                break
            step = self._space.step(target, mu=self._mu_of(step.solution.multiplier))
        assert self._best is not None
        return self._best

    def _keep(self, outcome: Outcome) -> None:
        """Keep the lowest feasible step seen, with the best lower bound on the minimum seen."""
        best = self._best
        if best is None:
            self._best = outcome
            return
        lower, higher = outcome, best
        if lower.measured.decrease < higher.measured.decrease:
            lower, higher = best, outcome
        # A bound on q(s) - min q bounds any other step by the difference of the values.
        gained = lower.measured.decrease - higher.measured.decrease
        self._best = replace(lower, gap=max(min(lower.gap, higher.gap - gained), 0.0))

    def _converge(self, target: Target, mu_of: Callable[[float], float | None]) -> KrylovStep:
        aim = self._rtol if self._curvature is None else _AIM * self._rtol
        return self._space.converge(target, aim, mu_of=mu_of, observe=self._observe)

    def _mu_of(self, multiplier: float) -> float | None:
        """The curvature proved at `multiplier`, if there is a positive one."""
        if self._curvature is None or self._curvature.lower + multiplier <= 0.0:
            return None
        return self._curvature.lower + multiplier

    def _ample_mu(self, multiplier: float) -> float | None:
        """The proved curvature where it is a fair part of the margin, as it seems by now.

        Less, from another radius, would extend the space where a little more evidence will do.
        """
        mu, run = self._mu_of(multiplier), self._space.lanczos
        if mu is None or run is None or run.order == 0 or self._curvature is None:
            return mu
        margin = multiplier + run.T.leftmost_value()
        return mu if mu >= self._curvature.share * margin else None

    @property
    def _size(self) -> float:
        """The largest lower estimate of ||H||_M that is at hand."""
        run = self._space.lanczos
        known = run.size if run is not None else 0.0
        return max(known, self._curvature.size) if self._curvature is not None else known

    def _reach(self, target: Target, step: KrylovStep) -> float:
        length = float(np.linalg.norm(step.solution.h))
        outer = candidate_radius(target, self._space.gamma, step.solution.multiplier, 0.0)
        return length + outer

    def _slack(self, target: Target, step: KrylovStep) -> float:
        reach, gamma = self._reach(target, step), self._space.gamma
        return decided_slack(self._model, step.decrease, self._rtol, self._size, gamma, reach)

    def _prove(self, target: Target, step: KrylovStep) -> None:
        assert self._curvature is not None
        lam, run = step.solution.multiplier, self._space.lanczos
        ritz = run.T.leftmost_value() if run is not None and run.order > 0 else math.inf
        self._curvature.prove(lam, self._slack(target, step), lam + ritz)

    def _accepted(self, outcome: Outcome, target: Target) -> bool:
        if outcome.gap <= self._rtol * outcome.measured.decrease:
            return True
        level = gap_of_rounding(
            self._model,
            outcome.measured,
            target,
            self._curvature,
            size=self._size,
            gamma=self._space.gamma,
        )
        return outcome.gap <= level

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

    def _radau_gap(self, measured: Measured, h: np.ndarray, target: Target, mu: float) -> float:
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
        """The step of the (nearly) hard case, where the evidence calls for it: one product with H.

        The leftmost Ritz pair (theta, v) of the evidence, of which the space of g knows
        nothing, joins T as a block of its own, with v'g as its part of the gradient.
        """
        curvature, space = self._curvature, self._space
        assert curvature is not None
        lam = -curvature.ritz
        if not math.isfinite(lam) or lam <= step.solution.multiplier + self._slack(target, step):
            return None
        v = curvature.vector()
        (along,) = self._model.fetch(self._model.dot(self._model.g, v))
        solution = solve_reduced(*space.joined(curvature.ritz, along), target)
        s, t = space.assemble(solution.h[:-1]), float(solution.h[-1])
        vector = self._join(s, v, t, _length_at(target, solution.multiplier))
        boundary = isinstance(target, RadiusTarget)
        measured = self._measure(vector, solution.multiplier, target, boundary)
        gap, mu = certified_gap(self._model, measured, target, curvature, gamma=space.gamma)
        return Outcome(measured, gap, mu, boundary, hard=True)

    def _join(self, s: Array, v: Array, t: float, length: float) -> Array:
        """s + t v, with t corrected so that its M-norm is `length`; v has M-norm 1."""
        model = self._model
        square, along = model.fetch(
            model.dot(s, model.norm.apply(s)), model.dot(s, model.norm.apply(v))
        )
        # The roots of t^2 + 2 along t - missing; the one on the side of t, without cancellation.
        missing = max(length * length - square, 0.0)
        root = math.sqrt(missing + along * along)
        if t * along >= 0.0:
            corrected = missing / (root + abs(along)) if root > 0.0 else 0.0
        else:
            corrected = root + abs(along)
        return s + v * math.copysign(corrected, t)

    def _improve(self, outcome: Outcome) -> bool:
        """Extend the space of g and sharpen the evidence; False if neither is possible."""
        curvature, space = self._curvature, self._space
        assert curvature is not None
        run = space.lanczos
        extended = False
        if run is not None and not space.finished and not self._resolved(outcome):
            space.extend(max(2, run.order // 8))
            extended = True
        return curvature.refine() or extended

    def _resolved(self, outcome: Outcome) -> bool:
        """Whether the residual is as small as rounding lets it be."""
        scale = self._space.gamma + self._size * outcome.measured.step_norm
        return outcome.measured.residual_norm <= 8.0 * self._model.eps * scale

    def _best_so_far(self, target: Target) -> Outcome:
        """What the space gives without another iteration, when the budget is used up."""
        run = self._space.lanczos
        try:
            if run is not None and run.order > 0:
                return self._measured(target, self._space.step(target))
        except BudgetExhausted:
            # Not even the product that measures the step is left.
            pass
        measured = nothing(self._model, self._space.gamma)
        return Outcome(measured, math.inf, -math.inf, boundary=False, hard=False)


def _length_at(target: Target, lam: float) -> float:
    return lam / target.sigma if isinstance(target, CubicTarget) else target.radius
