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

import numpy as np

from tralgos.subproblems.callbacks import InnerCallback
from tralgos.subproblems.model import BudgetExhausted, Candidate, Model
from tralgos.subproblems.spectrum import Spectrum, spectrum_bounds
from tralgos.subproblems.sphere_options import (
    BUDGET_MESSAGE,
    ROUNDING_SLACK,
    SphereDescent,
    zero_candidate,
)
from tralgos.subproblems.sphere_printed import PrintedDescent
from tralgos.subproblems.sphere_safe import SafeDescent
from tralgos.subproblems.unit_ball import UnitBall

__all__ = ["SphereDescent", "sphere_descent"]


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
        return zero_candidate(model, 0.0, BUDGET_MESSAGE)
    if gradient_norm == 0.0:
        return _no_gradient(model, spectrum, options)
    ball = UnitBall(model, radius, gradient_norm, spectrum.size)
    if options.variant == "printed":
        return PrintedDescent(ball, spectrum, options, rtol, callback).run()
    return SafeDescent(ball, spectrum, options, rtol, callback).run()


def _spectrum(
    model: Model, options: SphereDescent, gradient_norm: float, rng: np.random.Generator
) -> Spectrum:
    """From Lanczos, or what the user's step says (and for g = 0 Lanczos in any case)."""
    if options.step is None or gradient_norm == 0.0:
        return spectrum_bounds(model, options.products, options.failure_probability, rng)
    size = 1.0 / (options.step * model.hessian_scale)
    return Spectrum(math.inf, size, size)


def _no_gradient(model: Model, spectrum: Spectrum, options: SphereDescent) -> Candidate:
    """s = 0 is stationary, and optimal unless a negative curvature was seen."""
    if options.variant == "printed":
        return zero_candidate(model, 0.0, "the start of the printed form, -alpha r g/||g||, is 0/0")
    if spectrum.lower_ritz < -ROUNDING_SLACK * model.eps * spectrum.size:
        return zero_candidate(model, 0.0, "g = 0 and H is indefinite: there is no slope to descend")
    return zero_candidate(model, 0.0, "")
