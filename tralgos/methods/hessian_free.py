"""Hessian-free optimisation: steps by conjugate gradients on the damped model."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tralgos.arguments import check_choice, number, positive_integer
from tralgos.arrays import Array
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.methods.conjugate_gradients import CGIterate, CGStopping, cg_iterates
from tralgos.methods.damped_newton import DampedNewton, DampedState, Ray, check_flag
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.samples import Sample, checked_batch, draw, require_terms
from tralgos.norms import EuclideanNorm
from tralgos.operators import Operator

__all__ = ["HessianFree"]


@dataclass(frozen=True, kw_only=True)
class HessianFree(DampedNewton):
    """Hessian-free optimisation: z by conjugate gradients (Algorithm 2 of *CurveBall*).

    Parameters
    ----------
    hessian, lam, lam_rule, safeguard, second_order
        As for :class:`DampedNewton`.
    inner : int
        R, the most steps of conjugate gradients.
    rtol : float
        They end at a residual of this part of the gradient; see :class:`CGStopping`.
    progress : float
        Or by Martens' rule; see there.
    start : {"zero", "gradient"}
        Where they begin: at 0, or at -J as line 2 of the algorithm prints. The latter costs a
        product, and depends on the units of f.
    warm : bool
        Begin with the last z instead, from the second step on. The safeguard drops a start, this
        one or -J, at which the model is above its value at 0.
    decay : float
        In (0, 1]; what the last z is multiplied with (Martens has 0.95).
    batch : int, optional
        Terms of the sample that value, gradient and curvature of a step are of; a step is
        judged by its own sample. The whole function unless given.

    Raises
    ------
    ArgumentError
        If a parameter is out of its range; from a run, if the problem lacks the curvature or the
        terms.

    Notes
    -----
    **As printed.** ``HessianFree(safeguard=False, start="gradient", lam=0.0, lam_rule="fixed",
    rtol=0.0, progress=0.0, inner=R)``. With ``inner=1, warm=True`` besides it is the interleaved
    variant that the paper reports as unstable. Conjugate gradients begin with steepest descent, so
    that it is w + z - beta grad f(w + z) with the beta of an exact search on the model: a step of
    momentum 1. From its usual start f then grows without end on Rosenbrock's function.

    **Samples.** A step is judged by the sample that it was made for, which it may fit too well:
    with few terms "gain" lowers lambda when it should not. Choose `lam`, and "fixed".

    **Negative curvature.** Conjugate gradients end at a direction without positive curvature, with
    the iterate that they have; if that is 0, with a multiple of -J
    (:class:`~tralgos.methods.conjugate_gradients.CGIterate`), or, where the curvature along J is
    exactly 0, with a step of the length of w, or 1. So every step is one of descent.

    **Cost** of a step: one product for each step of conjugate gradients and one for a start that
    is not 0; one value and one gradient, one value more where the problem is linearised,
    one for each shortening, and with a batch one for the next sample.

    Sources: J. Martens, Deep learning via Hessian-free optimization, 2010; *CurveBall*,
    Algorithm 2.

    Host transfers: 1 a product, 2 a trial, 7 an iteration; one more for a start that is not 0.

    Examples
    --------
    >>> import tralgos
    >>> from tralgos.methods.hessian_free import HessianFree
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), None, HessianFree())
    >>> run.ending.name
    'SECOND_ORDER'
    """

    inner: int = 250
    rtol: float = 1e-2
    progress: float = 5e-4
    start: Literal["zero", "gradient"] = "zero"
    warm: bool = False
    decay: float = 1.0
    batch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer(self.inner, "inner")
        self._stopping()
        check_choice(self.start, "start", ("zero", "gradient"))
        check_flag(self.warm, "warm")
        if not 0.0 < number(self.decay, "decay") <= 1.0:
            raise ArgumentError(f"decay must lie in (0, 1], got {self.decay}")
        object.__setattr__(self, "batch", checked_batch(self.batch, "batch", ()))

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the curvature and the terms that are asked for."""
        super().require(problem)
        require_terms(problem.problem, self.batch, "batch")

    @property
    def stochastic(self) -> bool:
        """Whether there is a `batch`."""
        return self.batch is not None

    def _sample(self, problem: Evaluator, rng: np.random.Generator) -> Sample | None:
        return draw(problem, self.batch, rng)

    def _stopping(self) -> CGStopping:
        return CGStopping(rtol=self.rtol, progress=self.progress, maxiter=self.inner)

    def _start(self, state: DampedState) -> Array | None:
        if self.warm and state.previous is not None:
            return state.previous if self.decay == 1.0 else self.decay * state.previous
        return None if self.start == "zero" else -state.gradient

    def _solve(
        self,
        problem: Evaluator,
        state: DampedState,
        H: Operator,
        lam: float,
        rng: np.random.Generator,
    ) -> tuple[Ray, Array | None]:
        start = self._start(state)
        last = self._cg(H, state.gradient, start, lam)
        if last is None:
            start, last = None, self._cg(H, state.gradient, None, lam)
        assert last is not None
        z, value = last.z, last.value
        kept = z if self.warm else None
        norm, slope = EuclideanNorm().norm(z), EuclideanNorm().inner(state.gradient, z)
        if self.safeguard and start is None and last.iteration == 0 and last.curvature == 0.0:
            # Nothing says how long the step should be: as long as w is.
            factor = (EuclideanNorm().norm(state.x) or 1.0) / (norm or 1.0)
            z, norm, slope, value = factor * z, factor * norm, factor * slope, factor * slope
        detail = {
            "inner": float(last.iteration),
            "residual": last.residual / (state.gradient_norm or 1.0),
            "warm": float(start is not None),
        }
        curvature = 2.0 * (value - slope) - lam * norm * norm
        return Ray(z, norm, slope, curvature, last.ended, detail), kept

    def _cg(self, H: Operator, g: Array, start: Array | None, lam: float) -> CGIterate | None:
        """The last iterate; None where the safeguard drops the start."""
        iterates = cg_iterates(H, g, start, lam=lam, stopping=self._stopping())
        if self.safeguard and start is not None:
            try:
                first = next(iterates)
            except NonFiniteError:
                return None
            if first.value > 0.0:
                return None
            if first.ended:
                return first
        return deque(iterates, maxlen=1).pop()
