"""Newton's method with the absolute values of the eigenvalues: a descent direction at any point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import eigh_tridiagonal

from tralgos.arguments import check_choice, check_probability
from tralgos.arrays import eps
from tralgos.methods.acceptance import shrink_factor
from tralgos.methods.damped import Damped, DampedControl, DampedState
from tralgos.methods.evaluator import CurvatureKind
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerSolver
from tralgos.methods.reduced_model import DampedStep, Reduction, step_of
from tralgos.methods.search import Trial
from tralgos.norms import EuclideanNorm
from tralgos.subproblems.tridiagonal import Tridiagonal

__all__ = ["Newton"]

#: The least eigenvalue in units of eps ||H||: computed ones are off by about 8 of them.
_FLOOR = 8.0
#: Bounds on the factor of one backtracking step.
_LEAST, _MOST = 0.1, 0.5


@dataclass(frozen=True)
class _Absolute:
    """-|T|^-1 c.

    Attributes
    ----------
    h : ndarray, shape (k,)
    turned : ndarray, shape (k,)
        sign(T) c: h solves T h = -turned where no eigenvalue has been raised.
    slope : float
        c'h.
    negative, raised : int
        Eigenvalues below zero, and those that were raised to the least one.
    """

    h: np.ndarray
    turned: np.ndarray
    slope: float
    negative: int
    raised: int


class _BacktrackingControl(DampedControl):
    """Shares of one step, until f falls as it should."""

    name = "length"
    parameter = 1.0

    def __init__(self, model: Reduction, floor: float, length: float) -> None:
        self._model = model
        self._step, self._found = _whole(model, floor, length)

    def solve(self, inner: object, parameter: float) -> DampedStep:
        """That share of the step."""
        t, whole = parameter, self._step
        if t == 1.0:
            return whole
        return DampedStep(
            vector=whole.vector * t,
            norm=whole.norm * t,
            decrease=whole.decrease * t,
            residual=whole.residual,
            on_boundary=False,
            gap=None,
            status=whole.status,
            parameter=t,
        )

    def first(self, inner: InnerSolver, size: float) -> float:
        """The whole step."""
        return 1.0

    def rejected(self, trial: Trial, rise: float) -> float:
        """Where the parabola has its minimum, within bounds."""
        return trial.parameter * shrink_factor(trial.slope, rise, _LEAST, _MOST)

    def accepted(self, trial: Trial, *, overreached: bool) -> float:
        """The whole step, at the next point."""
        return 1.0

    def forcing(self, forcing: Forcing, before: float, taken: Trial, found: float) -> Forcing:
        """From how well a whole step has predicted the gradient; anew after a shorter one."""
        whole = taken.parameter == 1.0 and self._found.negative == 0
        return forcing.after(before, taken.step, found) if whole else Forcing()

    def detail(self) -> dict[str, float]:
        """The order of the reduced model, and what its eigenvalues are like."""
        found = self._found
        return {
            "order": float(self._model.T.order),
            "negative": float(found.negative),
            "raised": float(found.raised),
        }


def _whole(model: Reduction, floor: float, length: float) -> tuple[DampedStep, _Absolute]:
    """-|H|^-1 g in the space of the model, extended as far as it is worth it."""
    before: _Absolute | None = None
    while True:
        found = _absolute(model.T, model.c, floor)
        if found is None:
            return _without_curvature(model, length)
        residual = model.coupling * abs(float(found.h[-1]))
        changed = found.turned if before is None else _difference(found.turned, before.turned)
        # A space of order one knows nothing of the signs to come, but that one.
        doubt = 0.0 if before is None and found.negative == 0 else float(np.linalg.norm(changed))
        if model.finished or model.sufficient(residual + doubt):
            return step_of(model, found.h, (-found.slope, residual), 1.0), found
        before = found
        model.extend()


def _absolute(T: Tridiagonal, c: np.ndarray, floor: float) -> _Absolute | None:
    """|T|^-1 applied to -c; None where T is zero."""
    size = T.size()
    if size == 0.0:
        return None
    if T.order == 1:
        values, vectors = T.diagonal, np.ones((1, 1))
    else:
        values, vectors = eigh_tridiagonal(T.diagonal, T.off_diagonal)
    along, sizes = vectors.T @ c, np.abs(values)
    least = floor * float(sizes.max())
    raised = sizes < least
    parts = along / np.where(raised, least, sizes)
    return _Absolute(
        h=-(vectors @ parts),
        turned=vectors @ (np.sign(values) * along),
        slope=-float(along @ parts),
        negative=int((values < 0.0).sum()),
        raised=int(raised.sum()),
    )


def _difference(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """By how much a vector of a larger space differs from one of a smaller."""
    difference = new.copy()
    difference[: old.shape[0]] -= old
    return difference


def _without_curvature(model: Reduction, length: float) -> tuple[DampedStep, _Absolute]:
    """A step of the given length along -g: there is no other, where H is zero."""
    c = model.c
    gamma = float(np.linalg.norm(c))
    scaled = length * (model.hessian_scale / model.gradient_scale)
    h = c * (-scaled / gamma)
    found = _Absolute(h, 0.0 * c, -gamma * scaled, 0, int(c.shape[0]))
    return step_of(model, h, (gamma * scaled, gamma), 1.0), found


@dataclass(frozen=True, kw_only=True)
class Newton(Damped):
    """Newton's method with absolute eigenvalues: steps -|H|^-1 g.

    |H| has the eigenvectors of H and the absolute values of its eigenvalues (Dauphin et al.
    2014), so that the step is Newton's where H is positive definite and leads downhill
    everywhere: *CurveBall*'s "exact Hessian", by its footnote 4.

    Parameters
    ----------
    hessian : {"exact", "gauss-newton", "finite-difference"} or None
        None: Gauss-Newton where the problem has it, else exact.
    solver : {"direct", "operator"}, optional
        "direct": H as a matrix, multiplied out at n products where it is an operator, and all
        its eigenvalues. "operator": the Krylov space of the gradient (see Notes). By default
        "direct" for a dense H and for n up to 100, otherwise "operator".
    search : {"armijo", "none"}
        "armijo": the whole step, then shorter ones (a parabola chooses the factor between 0.1 and
        0.5), until f falls by 1e-4 of what its slope promises; each trial is a value and
        no product. "none": the whole step, always; the run ends where f is not finite, and
        rounding is not looked for.
    floor : float, optional
        In (0, 1). Eigenvalues whose absolute value is below this times the largest are raised to
        that. By default 8 times the rounding of the dtype, where their digits are noise.
    batch : int, optional
        Terms in the sample of each step: one sample for gradient, Hessian and values of a step.
        Where no step of it lowers the sample's f, another one is drawn.
    second_order : bool or None
        As for :class:`TrustRegion`.

    Raises
    ------
    ArgumentError
        If a parameter is out of range; from a run, if the problem lacks the Hessian, or the
        terms.

    Notes
    -----
    **By operator** the step is -Q |T|^-1 Q'g with Q an orthonormal basis of the Krylov space
    of g and T = Q'HQ: the minimiser of g's + s'Q|T|Q's/2 over that space. It is the step of
    conjugate gradients where T is positive definite, and it equals the direct step once the
    space is invariant, after as many products as g has different eigenvalues in it, at most. Before
    that |T| is not Q'|H|Q, but the slope is negative all the same. The space is extended, up to
    order 500, until ||Hs + Q sign(T) Q'g|| and what the last extension has changed of
    sign(T)Q'g are both worth it (Eisenstat and Walker 1996).

    Where H is zero a step along -g as long as x, or of length 1, is tried.

    `ratio` of a trial is the decrease of f over -g's: 1/2 where f is quadratic. `detail`:
    `length`, the share of the whole step; `order`, the dimension of the space; `negative`, the
    negative eigenvalues in it; `raised`, those that were raised to the floor.

    Host transfers: 2 a trial, 7 an iteration with "direct", two of which are of n numbers; with
    "operator" 1 a product besides.

    Examples
    --------
    >>> import tralgos
    >>> from tralgos.methods.newton import Newton
    >>> run = tralgos.minimize(tralgos.problems.Rosenbrock(2), None, Newton())
    >>> run.ending.name
    'SECOND_ORDER'
    """

    hessian: CurvatureKind | None = "exact"
    search: Literal["armijo", "none"] = "armijo"
    floor: float | None = None

    def __post_init__(self) -> None:
        check_choice(self.search, "search", ("armijo", "none"))
        if self.floor is not None:
            check_probability(self.floor, "floor")
        super().__post_init__()

    @property
    def _safe(self) -> bool:
        return self.search != "none"

    def _control(self, model: Reduction, unit: float, state: DampedState) -> DampedControl:
        floor = self.floor if self.floor is not None else _FLOOR * eps(state.x.dtype)
        return _BacktrackingControl(model, floor, EuclideanNorm().norm(state.x) or 1.0)
