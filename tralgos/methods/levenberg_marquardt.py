"""Levenberg's and Marquardt's method: a Newton step that is damped as much as f asks for."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import eigh_tridiagonal

from tralgos.arguments import check_choice, positive_scalar
from tralgos.arrays import Array, eps, namespace, to_float
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.methods.damped import Damped, DampedControl, DampedState
from tralgos.methods.damping import DAMPING_RULES, DampingRule, Observed, checks, following
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerSolver
from tralgos.methods.reduced_model import DampedStep, Reduction, step_of
from tralgos.methods.search import Trial
from tralgos.norms import DiagonalNorm, EuclideanNorm, Norm
from tralgos.operators import DenseOperator, Operator
from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["LevenbergMarquardt"]

LambdaRule = Literal["nielsen"] | DampingRule

#: The first lambda over the size of the Hessian (Madsen, Nielsen and Tingleff 2004).
_FIRST = 1e-3


class _LambdaControl(DampedControl):
    """How lambda follows the ratio, from the point at which it is made."""

    name = "lam"

    def __init__(self, rule: LambdaRule, first: float, unit: float, model: Reduction, step: int):
        self.parameter = first
        self._rule, self._model, self._step = rule, model, step
        #: The shift of T is lambda times this.
        self._unit = unit / model.hessian_scale
        # Less than this changes no digit of H + lambda D.
        spread = 2.0**-52 * model.T.size() / self._unit
        self._least = max(spread, sys.float_info.min)
        self._factor = 2.0
        self._observed: Trial | None = None

    def solve(self, inner: object, parameter: float) -> DampedStep:
        """The step for a lambda, or for a larger one where H + lambda D is not definite."""
        model, lam = self._model, parameter
        while True:
            shift = lam * self._unit
            found = _shifted(model, shift)
            if found is not None:
                break
            lam = self._raised(lam)
        h, residual = found
        length = float(np.linalg.norm(h))
        # Both terms of the decrease are positive: nothing cancels.
        penalty = 0.5 * shift * length * length if length > 0.0 else 0.0
        decrease = penalty - 0.5 * float(model.c @ h)
        # The residual is orthogonal to the basis, and what is left of g in it is -shift h.
        left = math.hypot(shift * length, residual) if length > 0.0 else 0.0
        return step_of(model, h, (decrease, left), lam, penalty)

    def first(self, inner: InnerSolver, size: float) -> float:
        """See :attr:`parameter`."""
        return self.parameter

    def rejected(self, trial: Trial, rise: float) -> float:
        """A larger lambda."""
        self._see(trial)
        assert isinstance(trial.step, DampedStep)
        return self._raised(trial.step.parameter)

    def accepted(self, trial: Trial, *, overreached: bool) -> float:
        """The lambda of the next point."""
        self._see(trial)
        assert isinstance(trial.step, DampedStep)
        lam = trial.step.parameter
        if self._rule != "nielsen":
            return self._by_rule()
        if not trial.ratio > 0.0:
            return 2.0 * lam
        # Beyond 1 the factor is its least anyway.
        return lam * max(1.0 / 3.0, 1.0 - (2.0 * min(trial.ratio, 1.0) - 1.0) ** 3)

    def forcing(self, forcing: Forcing, before: float, taken: Trial, found: float) -> Forcing:
        """From how well the model has predicted the gradient."""
        return forcing.after(before, taken.step, found)

    def detail(self) -> dict[str, float]:
        """The order of the reduced model."""
        return {"order": float(self._model.T.order)}

    def _raised(self, lam: float) -> float:
        """Nielsen's: twice as much, then four times, eight times, ..."""
        lam, self._factor = max(self._factor * lam, self._least), 2.0 * self._factor
        return lam

    def _see(self, trial: Trial) -> None:
        if self._observed is None:
            self._observed = trial

    def _by_rule(self) -> float:
        """The rule looks at the first trial, that of its own lambda."""
        trial, lam = self._observed, self.parameter
        assert trial is not None
        assert self._rule != "nielsen"
        if not checks(self._rule, self._step):
            return lam
        step = trial.step
        assert isinstance(step, DampedStep)
        # decrease = -g's - s'Hs/2, and -g's = s'Hs + lambda s'Ds.
        actual = -trial.ratio * step.decrease if step.parameter == lam else math.nan
        observed = Observed(actual, -step.decrease, step.penalty)
        return following(self._rule, lam, observed)


def _shifted(model: Reduction, shift: float) -> tuple[np.ndarray, float] | None:
    """-(T + shift)^-1 c and its residual; None where T + shift is not positive definite.

    A larger shift has a smaller residual, so that it costs no product.
    """
    while True:
        if shift == math.inf:
            return np.zeros(model.T.order), 0.0
        factor = model.T.factor(shift)
        if factor is None:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            h = factor.solve(-model.c)
        if not math.isfinite(float(np.abs(h).sum())):
            return None
        residual = model.coupling * abs(float(h[-1]))
        if model.finished or model.sufficient(residual):
            return h, residual
        model.extend()


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt(Damped):
    """The Levenberg-Marquardt method: steps -(H + lambda D)^-1 g, of any problem.

    Equation (4) of *CurveBall* (Levenberg, D = I) and the method that it mentions after
    equation (5) (Marquardt, D = diag(H)), made safe: a step is taken only if f falls by a share
    of what the model promises, otherwise lambda is raised and the same model solved again, at a
    value of f and no product.

    Parameters
    ----------
    lam : float, optional
        The first lambda, positive: in the units of H for Levenberg's scaling, without a unit
        for Marquardt's. Default 1e-3, for Levenberg's times the size of the first Hessian.
    scaling : {"identity", "marquardt"}
        D. "marquardt" takes the diagonal of H, so that the steps do not depend on the units of
        the variables. Entries count by their absolute values, and those below rounding of the
        largest as that.
    lam_rule : {"nielsen", "gain", "printed", "authors", "fixed"}
        "nielsen": with the ratio r of actual and predicted decrease, times
        max(1/3, 1 - (2r - 1)^3) where a step is taken, times 2, 4, 8, ... at rejections in a
        row (Nielsen 1999). The others are those of :mod:`tralgos.methods.damping`, of the
        first trial of each point; rejections raise lambda for that point alone.
    hessian : {"exact", "gauss-newton", "finite-difference"}, optional
        By default Gauss-Newton where the problem has it, else exact.
    solver : {"direct", "operator"}, optional
        "direct": H as a matrix, multiplied out at n products where it is an operator, reduced
        to tridiagonal form and solved with to rounding. "operator": the Krylov space of the
        gradient, extended until the residual is worth it (Eisenstat and Walker 1996). By default
        "direct" for a dense H, for n up to 100 and for "marquardt", otherwise "operator".
    search : {"gain", "none"}
        "none" takes every step, as equation (4) is printed, and ends where f is not finite;
        lambda follows its rule. Rounding is not looked for.
    batch : int, optional
        Terms in the sample of each step: one sample for gradient, Hessian and values of a step.
        Where no step of it lowers the sample's f, another one is drawn.
    second_order : bool or None
        As for :class:`TrustRegion`.

    Raises
    ------
    ArgumentError
        If a parameter is out of range; for "marquardt" with solver "operator", which does not
        know the diagonal; from a run, if the problem lacks the Hessian, or the terms.

    Notes
    -----
    Where H + lambda D is not positive definite lambda is raised as at a rejection. With
    "operator" that is seen in the Krylov space, or it does not matter to the step.

    The ratio compares with the decrease of the undamped model, -g's - s'Hs/2, as Nielsen does.
    Near the rounding of f it is taken from gradients (:mod:`tralgos.methods.acceptance`).

    `detail` of a trial: `lam`, and `order`, the dimension of the space that was solved in.

    Host transfers: 3 a trial, 5 an iteration with "direct", two of which are of n numbers.

    Examples
    --------
    >>> import tralgos
    >>> from tralgos.methods.levenberg_marquardt import LevenbergMarquardt
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), None, LevenbergMarquardt())
    >>> run.ending.name
    'SECOND_ORDER'
    """

    lam: float | None = None
    scaling: Literal["identity", "marquardt"] = "identity"
    lam_rule: LambdaRule = "nielsen"
    search: Literal["gain", "none"] = "gain"

    def __post_init__(self) -> None:
        if self.lam is not None:
            positive_scalar(self.lam, "lam")
        check_choice(self.scaling, "scaling", ("identity", "marquardt"))
        check_choice(self.lam_rule, "lam_rule", ("nielsen", *DAMPING_RULES))
        check_choice(self.search, "search", ("gain", "none"))
        super().__post_init__()
        if self.scaling == "marquardt" and self.solver == "operator":
            raise ArgumentError(
                "scaling='marquardt' needs the diagonal of the Hessian, which solver='operator' "
                "does not know: take solver='direct' or scaling='identity'"
            )

    @property
    def _safe(self) -> bool:
        return self.search != "none"

    def _direct(self, g: Array, dense: bool) -> bool:
        return self.scaling == "marquardt" or super()._direct(g, dense)

    def _norm(self, H: Operator, g: Array) -> tuple[Norm, float]:
        if self.scaling == "identity":
            return super()._norm(H, g)
        assert isinstance(H, DenseOperator)
        return _diagonal(H.array)

    def _control(self, model: Reduction, unit: float, state: DampedState) -> DampedControl:
        first = state.parameter if state.parameter is not None else self.lam
        if first is None:
            first = _FIRST if self.scaling == "marquardt" else _first(model, state)
        return _LambdaControl(self.lam_rule, first, unit, model, state.steps + 1)


def _diagonal(H: Array) -> tuple[Norm, float]:
    """The norm by |diag(H)| over its largest entry, and that; Euclidean where all are zero.

    Two host transfers.
    """
    xp = namespace(H)
    d = xp.abs(xp.linalg.diagonal(H))
    largest = to_float(xp.max(d))
    if not math.isfinite(largest):
        raise NonFiniteError("the diagonal of the Hessian has entries that are NaN or infinite")
    if largest == 0.0:
        return EuclideanNorm(), 1.0
    return DiagonalNorm(xp.clip(d / largest, eps(H.dtype), 1.0)), largest


def _first(model: Reduction, state: DampedState) -> float:
    """A thousandth of the size of H as the model shows it; without any, a step as long as x."""
    # Not the row sums of T, which depend on the basis, and so on the array library.
    size = max(_spectral_norm(model.T), model.coupling)
    if size > 0.0:
        return max(_FIRST * size * model.hessian_scale, sys.float_info.min)
    length = EuclideanNorm().norm(state.x) or 1.0
    return max(state.gradient_norm / length, sys.float_info.min)


def _spectral_norm(T: Tridiagonal) -> float:
    """||T||."""
    if T.order == 1:
        return abs(float(T.diagonal[0]))
    values = eigh_tridiagonal(T.diagonal, T.off_diagonal, eigvals_only=True)
    return float(np.abs(values).max())
