r"""Gradient descent in the ball and on its sphere (Algorithm 2 of "Better generalization by
efficient trust region method"), in any norm, as printed and made safe.

Everything below is written for M = I; in the space of the norm gradients become
M^-1 (Hs + g) and inner products take M, and nothing else changes. Eigenvalues of H
are :math:`\lambda_1 \le \dots \le \lambda_n`, components in the eigenbasis carry an
index, and :math:`L \ge \lambda_n` is an upper bound, :math:`L > 0`.

What is wrong with the printed form
-----------------------------------
- Phase I ends *after* the step that leaves the ball, so that iterate is
  infeasible; with no iteration of phase II left it is what is returned, and the
  first step of phase II takes :math:`I - zz'` for a projection although
  :math:`\|z\| > 1`.
- From that point no step need satisfy Armijo's condition: q falls outwards, every
  point of the sphere can be worse, and the backtracking never ends. For random
  data this is the rule: it happened in four of five cases with n = 2.
- Theorem 3 is about projected gradient steps of length :math:`\eta < 1/\beta`;
  Algorithm 2 takes Armijo steps on the sphere, which may be longer than
  :math:`1/(\lambda_t + \lambda_i)`. Then component i of z changes its sign, and if it is
  the leftmost one the iteration may converge to a local minimiser that is not
  global: with H = diag(-4, 0), g = (0.05, 3), r = 1, alpha = 0.1, eta = 0.225 and a
  first trial of 22.5 (with H and g 22.5 times as large, a first trial of 1) it ends
  at q = -3.09 instead of -3.16.
- Lemma 4 and Theorem 5 (the norm grows in phase I) need z0'(Hz0 + g) <= 0, which
  not every 0 < alpha < 1 gives: H = 2, g = 1, alpha = 0.9.
- With a step above 1/beta the sphere can be met although the minimiser is inside,
  and phase II never leaves it.
- g = 0 is divided by.

The mended form
---------------
One rule for both phases, the projected gradient step of Theorem 3,

.. math:: z^+ = P(z - \eta (Hz + g)), \qquad \eta = 0.99 / L,

with P the projection onto the ball. On the sphere, with the estimate
:math:`\lambda_t = -z'(Hz+g)/r^2` of the multiplier and the Riemannian gradient
:math:`\xi = Hz + g + \lambda_t z`, it is :math:`(1 + \eta\lambda_t) z - \eta \xi`
brought back to the sphere: the paper's phase II with the step length

.. math:: \alpha_t = \frac{\eta}{1 + \eta\lambda_t} < \frac{1}{L + \lambda_t},

unless :math:`\lambda_t < 0` turns it inwards: then the iterate may leave the sphere.

*No component changes its sign.* Before P, component i is
:math:`(1 - \eta\lambda_i) z_i - \eta g_i` with :math:`1 - \eta\lambda_i > 0`, and P is a
product with a positive number; so :math:`z_i g_i \le 0` is kept, and it holds for
:math:`z_0 = -\tau g`, :math:`\tau > 0`. Only an upper bound on :math:`\lambda_n` is needed, not on
:math:`\|H\|`.

*It descends.* With d = z^+ - z the projection gives
:math:`(Hz+g)'d \le -\|d\|^2/\eta`, so

.. math:: q(z^+) - q(z) = (Hz+g)'d + \tfrac12 d'Hd \le -(1/\eta - L/2)\|d\|^2
          \le -\|d\|^2/(2\eta):

a sufficient decrease of Armijo's kind holds at the first trial, and there is
nothing to search for.

*It converges to a global minimiser if* :math:`\lambda_1 \ge 0` *or*
:math:`g_1 \ne 0`. q is bounded below on the ball, so :math:`\sum \|d_t\|^2 < \infty`
and every accumulation point s satisfies s = P(s - eta (Hs + g)), which is
stationarity with a multiplier :math:`\lambda \ge 0`. If :math:`\lambda_1 \ge 0` that
suffices. Else take the basis such that the leftmost eigenspace shows in :math:`g_1`
alone: :math:`(\lambda_1 + \lambda) s_1 = -g_1 \ne 0` and :math:`s_1 g_1 \le 0` give
:math:`\lambda_1 + \lambda = -g_1/s_1 > 0`, so s is the unique global minimiser (Lemma 2).
For :math:`\lambda_1 \ge 0` projected gradient descent is Fejer monotone towards the
minimisers, so in both cases the whole sequence converges.

*How L is had.* From a few Lanczos steps with a random start, whose polynomial
bounds the last eigenvalue but for a stated probability of failure, without
having converged (:mod:`tralgos.subproblems.spectrum`). A step given by the user is
believed, but every step shows a curvature d'Hd/d'd; one above L disproves it, and L
becomes twice that. Nothing has to be begun anew: whatever eta was, components with
:math:`\lambda_i \le 0` keep their sign, since :math:`1 - \eta\lambda_i \ge 1`, and the
proof of convergence needs only the leftmost. L serves the descent.

*Hard case and g = 0.* A stationary point whose multiplier is below minus some
Rayleigh quotient is no minimiser. The descent does not stop there: a component of
g at rounding level grows by :math:`1 + \alpha_t(-\lambda_1 - \lambda_t)` an iteration.
When it has had the iterations to show and has not, the point is returned as not
optimal, with a message; so is s = 0 for g = 0 and an indefinite H.

Rounding may give a component any sign at the level of eps; all of this is exact
arithmetic, and the certificate is computed elsewhere, from the step itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.subproblems.callbacks import InnerCallback
from tralgos.subproblems.model import BudgetExhausted, Candidate, Model
from tralgos.subproblems.spectrum import Spectrum, spectrum_bounds
from tralgos.subproblems.unit_ball import Gradient, Point, UnitBall, root
from tralgos.subproblems.validation import check_choice, check_max_matvec, positive_scalar

__all__ = ["SphereDescent", "sphere_descent"]

_BUDGET = "the budget of products with H was used up"

#: eta L, below one so that 1 - eta lambda_i stays clear of zero in spite of rounding.
_MARGIN = 0.99

#: Rounding of an inner product of unit vectors, in units of eps.
_SLACK = 64.0


@dataclass(frozen=True)
class SphereDescent:
    """Options of the sphere descent.

    Parameters
    ----------
    variant : {"safe", "printed"}
        The mended form, or Algorithm 2 to the letter, faults included.
    step : float, optional
        eta, in the units of 1/H. Taken as given by "printed"; "safe" shortens
        it when an iterate shows that it is above 1/lambda_n. Default: from
        `products` Lanczos steps.
    alpha : float
        z0 = -alpha r g/||g||, 0 < alpha < 1 (Assumption 2 of the paper). "safe"
        shortens it to the minimiser along -g, so that the norm grows in phase I.
    maxiter : int
        Bound on the iterations of "safe".
    products : int
        Lanczos steps for the bound on lambda_n, where `step` is not given.
    failure_probability : float
        Probability with which that bound may fail.
    N1, N2 : int
        Last iteration of phase I, and of phase II, in "printed". The indices
        are the paper's: they count from 0 and include the bound.
    armijo, backtrack : float
        sigma of the sufficient decrease and the factor between trial steps in
        "printed", both in (0, 1).
    first_trial : float, optional
        alpha_t that "printed" tries first; the paper leaves it open. Default:
        10 eta.
    max_backtracks : int
        Where "printed" gives up and takes the shortest step it tried, since the
        search need not end.

    Raises
    ------
    ArgumentError
        If a value is out of its range, naming it.
    """

    variant: Literal["safe", "printed"] = "safe"
    step: float | None = None
    alpha: float = 0.5
    maxiter: int = 10_000
    products: int = 16
    failure_probability: float = 1e-6
    N1: int = 1000
    N2: int = 10_000
    armijo: float = 1e-4
    backtrack: float = 0.5
    first_trial: float | None = None
    max_backtracks: int = 60

    def __post_init__(self) -> None:
        check_choice(self.variant, "variant", ("safe", "printed"))
        for name in ("alpha", "armijo", "backtrack", "failure_probability"):
            if positive_scalar(getattr(self, name), name) >= 1.0:
                raise ArgumentError(f"{name} must lie in (0, 1), got {getattr(self, name)}")
        for name in ("step", "first_trial"):
            if getattr(self, name) is not None:
                positive_scalar(getattr(self, name), name)
        for name in ("maxiter", "products", "max_backtracks"):
            if check_max_matvec(getattr(self, name), name) is None:
                raise ArgumentError(f"{name} must be an integer, got None")
        for name in ("N1", "N2"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ArgumentError(f"{name} must be a non-negative integer")


@dataclass(frozen=True)
class _Measured:
    """Host scalars of an iterate of F, from one transfer."""

    multiplier: float
    value: float
    residual: float
    length: float
    curvature: float
    cross: float
    descent: float
    inward: float


def sphere_descent(
    model: Model,
    radius: float,
    options: SphereDescent,
    *,
    rtol: float,
    callback: InnerCallback | None = None,
    rng: np.random.Generator,
) -> Candidate:
    """Gradient descent in the ball ||s||_M <= radius and on its sphere.

    One product with H and one transfer to the host an iteration, after
    ``options.products`` of them for the step length (unless that is given).

    Parameters
    ----------
    model : Model
        The scaled model.
    radius : float
        In its units.
    options : SphereDescent
        See there.
    rtol : float
        "safe" stops when the residual of the first-order conditions, in the dual
        norm, is at most rtol ||g|| or at the level of rounding, on the sphere
        as well as inside.
    callback : callable, optional
        Sees an :class:`InnerIterate` in the units of the model.
    rng : numpy.random.Generator
        For the start of the Lanczos steps.

    Returns
    -------
    Candidate
        `optimal` if the first-order conditions are met and nothing that was
        seen contradicts global optimality. When the budget of products runs
        out, the last iterate (s = 0 if there is none) and a message.
    """
    gradient_norm = model.norm.dual_norm(model.g)
    try:
        spectrum = _spectrum(model, options, gradient_norm, rng)
    except BudgetExhausted:
        return _nothing(model, 0.0, _BUDGET)
    if gradient_norm == 0.0:
        return _no_gradient(model, spectrum, options)
    ball = UnitBall(model, radius, gradient_norm, spectrum.size)
    if options.variant == "printed":
        return _Printed(ball, spectrum, options, rtol, callback).run()
    return _Safe(ball, spectrum, options, rtol, callback).run()


def _spectrum(
    model: Model, options: SphereDescent, gradient_norm: float, rng: np.random.Generator
) -> Spectrum:
    """From Lanczos, or what the user's step says (and for g = 0 Lanczos in any case)."""
    if options.step is None or gradient_norm == 0.0:
        return spectrum_bounds(model, options.products, options.failure_probability, rng)
    size = 1.0 / (options.step * model.hessian_scale)
    return Spectrum(math.inf, size, size)


def _nothing(model: Model, multiplier: float, message: str) -> Candidate:
    return Candidate(model.xp.zeros_like(model.g), multiplier, optimal=not message, message=message)


def _no_gradient(model: Model, spectrum: Spectrum, options: SphereDescent) -> Candidate:
    """s = 0 is stationary, and optimal unless a negative curvature was seen."""
    if options.variant == "printed":
        return _nothing(model, 0.0, "the start of the printed form, -alpha r g/||g||, is 0/0")
    if spectrum.lower_ritz < -_SLACK * model.eps * spectrum.size:
        return _nothing(model, 0.0, "g = 0 and H is indefinite: there is no slope to descend")
    return _nothing(model, 0.0, "")


class _Safe:
    """Projected gradient descent; the module's docstring has the proof."""

    def __init__(
        self,
        ball: UnitBall,
        spectrum: Spectrum,
        options: SphereDescent,
        rtol: float,
        callback: InnerCallback | None,
    ) -> None:
        self._ball, self._options, self._callback = ball, options, callback
        self._eps = ball.model.eps
        self._goal = rtol * ball.share
        # The floor keeps eta finite where H is negative semidefinite; F has size one.
        self._bound = max(ball.pull * spectrum.upper_bound, 1e-3)
        self._lowest = ball.pull * spectrum.lower_ritz
        self._growth = 0.0
        self._iterations = 0

    def _first(self) -> Point:
        """-tau g/||g||, tau at most alpha; at most the minimiser along -g unless H is indefinite.

        A negative curvature puts the solution on the sphere, and any start keeps the signs.
        """
        ball = self._ball
        if self._lowest < -_SLACK * self._eps:
            return ball.start(self._options.alpha)
        unit = ball.start(1.0)
        (curvature,) = ball.model.fetch(ball.model.dot(unit.y, unit.product))
        curvature *= ball.pull
        tau = self._options.alpha
        if curvature > 0.0:
            tau = min(tau, ball.share / curvature)
        return ball.start(tau)

    def run(self) -> Candidate:
        """Descend from the start until the verdict."""
        ball = self._ball
        try:
            point = self._first()
        except BudgetExhausted:
            return _nothing(ball.model, 0.0, _BUDGET)
        boundary = False
        before: _Move | None = None
        while True:
            gradient = ball.gradient(point, boundary)
            seen = self._measure(point, gradient, boundary, before)
            self._show(point, seen, boundary)
            if before is not None:
                self._raise_bound(seen, before)
            eta = _MARGIN / self._bound
            message = self._verdict(seen, eta)
            if message is not None:
                return self._candidate(point, seen, boundary, message)
            move = _Move.of(seen, gradient.dual, eta)
            try:
                following = ball.multiplied(ball.moved(point, gradient, move.keep, move.length))
            except BudgetExhausted:
                return self._candidate(point, seen, boundary, _BUDGET)
            point, boundary, before = following, move.boundary, move
            self._iterations += 1

    def _measure(
        self, point: Point, gradient: Gradient, boundary: bool, before: _Move | None
    ) -> _Measured:
        dot = self._ball.model.dot
        inward, square, squared_length, slope, cross = self._ball.model.fetch(
            dot(point.y, gradient.dual),
            dot(gradient.residual, gradient.descent),
            dot(point.y, point.dual),
            self._ball.slope(point.y),
            dot(point.y, gradient.dual if before is None else before.dual),
        )
        multiplier = -inward if boundary else 0.0
        length = root(squared_length)
        if length > 0.0:
            self._lowest = min(self._lowest, (inward - slope) / squared_length)
        # On the sphere a negative multiplier is part of the residual.
        residual = math.hypot(root(square), min(multiplier, 0.0))
        return _Measured(
            multiplier=multiplier,
            value=0.5 * (inward + slope),
            residual=residual,
            length=length,
            curvature=inward - slope,
            cross=cross - slope,
            descent=root(square),
            inward=inward,
        )

    def _raise_bound(self, seen: _Measured, before: _Move) -> None:
        """Double what the last step d shows, if d'Ad > bound ||d||^2 disproves the bound."""
        if before.square < math.sqrt(self._eps):
            return  # too short a step to tell curvature from rounding
        shown = seen.curvature - 2.0 * seen.cross + before.curvature
        if shown > self._bound * before.square + _SLACK * self._eps:
            self._bound = 2.0 * max(self._bound, shown / before.square)

    def _verdict(self, seen: _Measured, eta: float) -> str | None:
        """None to go on; a message, empty if all is well, to stop."""
        if self._iterations >= self._options.maxiter:
            return (
                f"stopped after {self._iterations} iterations with a relative residual of "
                f"{seen.residual / self._ball.share:.1e}"
            )
        # A step that moves y by less than its rounding.
        multiplier = max(seen.multiplier, 0.0)
        stiffness = 1.0 / eta + multiplier
        if seen.residual > max(self._goal, 16.0 * self._eps * stiffness * seen.length):
            self._growth = 0.0
            return None
        deficit = -(self._lowest + multiplier)
        if deficit <= _SLACK * self._eps:
            return ""
        self._growth += math.log1p(deficit / stiffness)
        if self._growth < -2.0 * math.log(self._eps):
            return None
        return (
            "stationary, but not a minimiser: the gradient has no component along the "
            "leftmost eigenvector (the hard case)"
        )

    def _candidate(self, point: Point, seen: _Measured, boundary: bool, message: str) -> Candidate:
        return Candidate(
            self._ball.step(point, boundary),
            max(seen.multiplier, 0.0) / self._ball.pull,
            optimal=not message,
            message=message,
        )

    def _show(self, point: Point, seen: _Measured, boundary: bool) -> None:
        self._ball.report(
            self._callback,
            point,
            boundary=boundary,
            value=seen.value,
            length=seen.length,
            residual=seen.residual,
            multiplier=seen.multiplier,
        )


@dataclass(frozen=True)
class _Move:
    """y+ = keep y - length (descent direction), and what the test of the bound needs of it."""

    keep: float
    length: float
    boundary: bool
    square: float
    curvature: float
    dual: Array

    @staticmethod
    def of(seen: _Measured, dual: Array, eta: float) -> _Move:
        """The projected gradient step, from the scalars of the iterate alone."""
        shrink = 1.0 + eta * seen.multiplier
        # y'M(direction): zero on the sphere but for the rounding of ||y||, which would double
        # in every step if it were not put right here.
        tangency = seen.inward + seen.multiplier * seen.length**2
        squared = (
            (shrink * seen.length) ** 2 - 2.0 * shrink * eta * tangency + (eta * seen.descent) ** 2
        )
        outside = squared >= 1.0
        scale = 1.0 / math.sqrt(squared) if outside else 1.0
        keep, length = scale * shrink, scale * eta
        square = (
            ((keep - 1.0) * seen.length) ** 2
            - 2.0 * (keep - 1.0) * length * tangency
            + (length * seen.descent) ** 2
        )
        return _Move(keep, length, outside, square, seen.curvature, dual)


class _Printed:
    """Algorithm 2 to the letter.

    One product with H an iteration serves every trial step: with direction d,
    H(y - a d) = Hy - a Hd, and the value at any a follows from the eight inner
    products that are fetched.
    """

    def __init__(
        self,
        ball: UnitBall,
        spectrum: Spectrum,
        options: SphereDescent,
        rtol: float,
        callback: InnerCallback | None,
    ) -> None:
        self._ball, self._options, self._callback = ball, options, callback
        self._rtol = rtol
        # The paper asks for eta < 1/beta with beta the norm of H, both ends of the spectrum.
        beta = max(ball.pull * max(spectrum.upper_bound, spectrum.size), 1e-3)
        self._eta = _MARGIN / beta
        if options.step is not None:
            self._eta = options.step * ball.model.hessian_scale / ball.pull
        trial = options.first_trial
        self._trial = (
            10.0 * self._eta if trial is None else (trial * ball.model.hessian_scale / ball.pull)
        )

    def run(self) -> Candidate:
        """Phase I, then phase II."""
        options = self._options
        try:
            point, length = self._ball.start(options.alpha), options.alpha
        except BudgetExhausted:
            return _nothing(self._ball.model, 0.0, _BUDGET)
        boundary = False
        t = 0
        try:
            while t <= options.N1 and not boundary:
                if length >= 1.0:
                    boundary = True
                else:
                    point, length = self._interior(point)
                    t += 1
            while boundary and t <= options.N2:
                point, length = self._on_sphere(point), 1.0
                t += 1
            return self._finished(point, boundary)
        except BudgetExhausted:
            return self._candidate(point, length, 0.0, _BUDGET)

    def _interior(self, point: Point) -> tuple[Point, float]:
        """Line 5: a gradient step, wherever it leads."""
        eta = self._eta
        gradient, product, seen = self._look(point, boundary=False)
        squared = seen["yy"] - 2.0 * eta * seen["y.d"] + eta**2 * seen["dd"]
        self._show(point, seen, boundary=False)
        moved = self._ball.moved(point, gradient, 1.0, eta)
        return (
            Point(moved.y, moved.dual, point.product - eta * product),
            root(squared),
        )

    def _on_sphere(self, point: Point) -> Point:
        """Lines 14 and 15: Armijo's rule along the normalised line."""
        gradient, product, seen = self._look(point, boundary=True)
        self._show(point, seen, boundary=True)
        length, scale = self._armijo(seen)
        moved = self._ball.moved(point, gradient, scale, scale * length)
        return Point(moved.y, moved.dual, scale * point.product - (scale * length) * product)

    def _look(self, point: Point, *, boundary: bool) -> tuple[Gradient, Array, dict[str, float]]:
        ball, dot = self._ball, self._ball.model.dot
        gradient = ball.gradient(point, boundary)
        direction = gradient.descent
        product = ball.model.hess(direction)
        names = ("yy", "yc", "y.d", "dd", "gy", "gd", "yHd", "dHd")
        values = ball.model.fetch(
            dot(point.y, point.dual),
            dot(point.y, gradient.dual),
            dot(point.y, gradient.residual),
            dot(gradient.residual, direction),
            ball.slope(point.y),
            ball.slope(direction),
            dot(point.y, product),
            dot(direction, product),
        )
        seen = dict(zip(names, values, strict=True))
        seen["yHy"] = seen["yc"] - seen["gy"]
        seen["yHd"] *= ball.pull
        seen["dHd"] *= ball.pull
        return gradient, product, seen

    def _armijo(self, seen: dict[str, float]) -> tuple[float, float]:
        """The step length a and 1/||y - a d||."""
        options = self._options
        value = 0.5 * seen["yHy"] + seen["gy"]
        a = self._trial
        for trial in range(options.max_backtracks + 1):
            squared = seen["yy"] - 2.0 * a * seen["y.d"] + a**2 * seen["dd"]
            scale = 1.0 / math.sqrt(squared)
            form = seen["yHy"] - 2.0 * a * seen["yHd"] + a**2 * seen["dHd"]
            new = 0.5 * scale**2 * form + scale * (seen["gy"] - a * seen["gd"])
            if value - new >= options.armijo * a * seen["dd"] or trial == options.max_backtracks:
                break
            a *= options.backtrack
        return a, scale

    def _finished(self, point: Point, boundary: bool) -> Candidate:
        """The last point, with what can be said of it from quantities at hand: no product."""
        ball = self._ball
        gradient = ball.gradient(point, boundary)
        yy, yc, square = ball.model.fetch(
            ball.model.dot(point.y, point.dual),
            ball.model.dot(point.y, gradient.dual),
            ball.model.dot(gradient.residual, gradient.descent),
        )
        multiplier = -yc if boundary else 0.0
        residual = math.hypot(root(square), min(multiplier, 0.0)) / ball.share
        message = ""
        if residual > self._rtol:
            message = f"the printed form ended with a relative residual of {residual:.1e}"
        return self._candidate(point, root(yy), multiplier, message)

    def _candidate(self, point: Point, length: float, multiplier: float, message: str) -> Candidate:
        # On the sphere y is of unit length but for rounding; only a point that phase I
        # left outside is infeasible.
        if length > 1.0 + _SLACK * self._ball.model.eps:
            message = f"the printed form returned a point of {length:.6g} times the radius"
        return Candidate(
            self._ball.radius * point.y,
            max(multiplier, 0.0) / self._ball.pull,
            optimal=not message,
            message=message,
        )

    def _show(self, point: Point, seen: dict[str, float], *, boundary: bool) -> None:
        multiplier = -seen["yc"] if boundary else 0.0
        self._ball.report(
            self._callback,
            point,
            boundary=boundary,
            value=0.5 * seen["yHy"] + seen["gy"],
            length=root(seen["yy"]),
            residual=math.hypot(root(seen["dd"]), min(multiplier, 0.0)),
            multiplier=multiplier,
        )
