r"""LiSSA: the Newton step by a truncated Neumann series (Agarwal, Bullins and Hazan 2017).

With A = H + lambda I and a scale s the recursion

.. math:: z_0 = -J / s, \qquad z_{r+1} = z_r - (A z_r + J) / s

adds one term of a series a step: after R of them

.. math:: z_R = -\frac1s \sum_{i=0}^{R} (I - A/s)^i J .

(For s = 1 this is z - Hz - J, the form that *CurveBall*'s section 5 gives.) Along an eigenvector
with eigenvalue a the error to -J/a is multiplied with u = 1 - a/s a step, so:

* it tends to -A^{-1}J, whatever J, if and only if 0 < a < 2s for all a. A component of J that is
  zero makes its eigenvalue irrelevant, as all of those of a = 0 are for a consistent system;
* at a = 2s the component alternates between -J/s and 0, whose mean is the solution -J/(2s); at
  a = 0 it is -(R + 1)J/s, and grows for ever; for a < 0 and a > 2s it grows geometrically;
* J'z_R < 0 for *even* R whatever H is, since 1 + u + ... + u^R > 0 for all real u then. For odd R
  the sum has the sign of 1 + u: below 2s is enough, at 2s the component is zero, and beyond it
  the step points uphill.

With H of samples z_R is the mean in which H is the whole one, for each factor of a term has a
sample of its own. Its variance stays bounded for lambda = 0 if s exceeds half of the largest
eigenvalue of every sample's matrix, all of them being positive semidefinite: E(I - A_i/s)^2 =
I - E[A_i(2I - A_i/s)]/s is then below I on the range of E[A_i].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tralgos.arguments import positive_integer, positive_scalar
from tralgos.arrays import Array, namespace, sizes
from tralgos.errors import ArgumentError
from tralgos.kernels import three_term
from tralgos.methods.conjugate_gradients import power_near
from tralgos.methods.damped_newton import DampedNewton, DampedState, Ray
from tralgos.methods.damping import DampingRule
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.gauss_newton import curvature_at
from tralgos.methods.samples import checked_batch, draw, evaluator_of, require_terms
from tralgos.norms import EuclideanNorm
from tralgos.operators import Operator
from tralgos.subproblems.model import Model
from tralgos.subproblems.spectrum import spectrum_bounds

__all__ = ["LiSSA", "neumann_step"]

#: Lanczos steps for the scale, and the probability that the bound fails.
_PRODUCTS, _FAILURE = 8, 1e-6
#: The scale of samples, in bounds for the whole matrix.
_MARGIN = 2.0


def neumann_step(H: Operator, g: Array, *, scale: float, depth: int, lam: float = 0.0) -> Array:
    """z_R of the recursion above for R = `depth`, as it comes: it may overflow.

    Parameters
    ----------
    H : Operator, shape (n, n)
    g : array, shape (n,)
        J.
    scale : float
        s, positive.
    depth : int
        R; 0 is -J/s.
    lam : float
        lambda.

    Returns
    -------
    array, shape (n,)
        At `depth` products, one pass over memory beside each, and no host transfer.
    """
    z = g * (-1.0 / scale)
    for _ in range(depth):
        z = _refined(H, g, z, scale, lam)
    return z


def _refined(H: Operator, g: Array, z: Array, scale: float, lam: float) -> Array:
    """z - (Hz + lambda z + J) / s."""
    xp = namespace(g)
    product, following = H.matvec(z), xp.empty_like(z)
    coefficients = (1.0 - lam / scale, 1.0 / scale, 1.0 / scale)
    three_term(z, product, g, coefficients, following, xp, square=False)
    return following


@dataclass(frozen=True, kw_only=True)
class LiSSA(DampedNewton):
    """LiSSA: Newton's step by a recursion that only multiplies and adds.

    Parameters
    ----------
    hessian, safeguard, second_order
        As for :class:`~tralgos.methods.damped_newton.DampedNewton`.
    lam, lam_rule
        Likewise; no damping by default.
    depth : int
        R, the length of the recursion. An even one makes every step one of descent.
    scale : float, optional
        s. By default an upper bound on the largest eigenvalue of H, up to a probability of 1e-6,
        plus lambda, found anew in each step with 8 Lanczos steps; not below the largest size of
        an eigenvalue that they saw.
    batch : int, optional
        Terms of the sample of which the Hessian of each single product is taken; value and
        gradient stay those of the whole function. The default scale is twice as large then.
    repeats : int
        S_1: with a `batch`, the step is the mean of so many independent ones.

    Raises
    ------
    ArgumentError
        If a parameter is out of its range, or there are `repeats` without a `batch`; from a run,
        if the problem lacks the curvature or the terms.

    Notes
    -----
    The rate is that of gradient descent, 1 - a/s a product, with a, the least eigenvalue: R has
    to be of the order of the condition number for a step to be Newton's.

    **Cost** of a step: R products (of samples, `repeats` times, with a `batch`), one with the
    whole H for the model along the step, and at most 9 for the scale; one value and one gradient,
    one value more where the problem is linearised, and one for each shortening.

    Where the recursion leaves the range of its numbers, the safeguarded step is -J/s.

    Sources: Agarwal, Bullins and Hazan, Second-order stochastic optimization for machine learning
    in linear time, 2017; *CurveBall*, section 5.

    Host transfers: 2 a trial, 6 an iteration, with a given `scale`; none of the recursion.

    Examples
    --------
    >>> import numpy as np
    >>> import tralgos
    >>> from tralgos.methods.lissa import LiSSA
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> problem = tralgos.problems.LogisticRegression(X, X[:, 0] > 0.0, l2=0.01)
    >>> tralgos.minimize(problem, np.zeros(3), LiSSA()).success
    True
    """

    lam: float | None = 0.0
    lam_rule: DampingRule = "fixed"
    depth: int = 50
    scale: float | None = None
    batch: int | None = None
    repeats: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        positive_integer(self.depth, "depth")
        positive_integer(self.repeats, "repeats")
        if self.scale is not None:
            object.__setattr__(self, "scale", positive_scalar(self.scale, "scale"))
        object.__setattr__(self, "batch", checked_batch(self.batch, "batch", ()))
        if self.repeats > 1 and self.batch is None:
            raise ArgumentError(
                f"repeats={self.repeats} needs a batch: without samples they are all the same"
            )

    def require(self, problem: Evaluator) -> None:
        """Raise unless the problem has the curvature and the terms that are asked for."""
        super().require(problem)
        require_terms(problem.problem, self.batch, "batch")

    def _solve(
        self,
        problem: Evaluator,
        state: DampedState,
        H: Operator,
        lam: float,
        rng: np.random.Generator,
    ) -> tuple[Ray, Array | None]:
        scale = self.scale if self.scale is not None else self._bound(H, state.gradient, lam, rng)
        if scale == 0.0:
            return _flat(state), None
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            z = self._recursion(problem, state, H, scale, lam, rng)
            ray = _ray(H, state, z, lam, scale)
            if self.safeguard and not math.isfinite(ray.at(1.0).decrease):
                ray = _ray(H, state, state.gradient * (-1.0 / scale), lam, scale, diverged=True)
        return ray, None

    def _bound(self, H: Operator, g: Array, lam: float, rng: np.random.Generator) -> float:
        """At least the largest eigenvalue of H + lambda I; 0 where that is zero."""
        scale = _upper_bound(H, g, rng) + lam
        return scale if self.batch is None else _MARGIN * scale

    def _recursion(
        self,
        problem: Evaluator,
        state: DampedState,
        H: Operator,
        scale: float,
        lam: float,
        rng: np.random.Generator,
    ) -> Array:
        """z_R; with a batch the mean of several, with a new sample for every product."""
        g = state.gradient
        if self.batch is None:
            return neumann_step(H, g, scale=scale, depth=self.depth, lam=lam)
        total = 0.0 * g
        for _ in range(self.repeats):
            z = g * (-1.0 / scale)
            for _ in range(self.depth):
                source = evaluator_of(problem, draw(problem, self.batch, rng))
                z = _refined(curvature_at(source, state.x, self.hessian), g, z, scale, lam)
            total = total + z
        return total / self.repeats


def _ray(
    H: Operator, state: DampedState, z: Array, lam: float, scale: float, *, diverged: bool = False
) -> Ray:
    """The step with its model: one product."""
    product, euclidean = H.matvec(z), EuclideanNorm()
    slope, curvature = euclidean.inner(state.gradient, z), euclidean.inner(z, product)
    residual = euclidean.norm(product + lam * z + state.gradient)
    detail = {
        "scale": scale,
        "residual": residual / (state.gradient_norm or 1.0),
        "diverged": float(diverged),
    }
    return Ray(z, euclidean.norm(z), slope, curvature, "neumann series", detail)


def _flat(state: DampedState) -> Ray:
    """Where H = 0 nothing says how long the step should be: as long as w, or 1."""
    length, size = EuclideanNorm().norm(state.x) or 1.0, state.gradient_norm
    z = (state.gradient / (size or 1.0)) * -length
    detail = {"scale": 0.0, "residual": 1.0, "diverged": 0.0}
    return Ray(z, length, -length * size, 0.0, "no curvature", detail)


def _upper_bound(H: Operator, g: Array, rng: np.random.Generator) -> float:
    """A bound on the largest eigenvalue of H, and on the size of those that Lanczos saw."""
    (size,) = sizes(g)
    unit = g * (1.0 / power_near(size, g))
    above, below = sizes(H.matvec(unit), unit)
    known = math.isfinite(above) and above > 0.0
    unit_of_H = power_near(above / below, g) if known else 1.0
    model = Model(H, unit, EuclideanNorm(), hessian_scale=unit_of_H)
    spectrum = spectrum_bounds(model, _PRODUCTS, _FAILURE, rng)
    return max(spectrum.upper_bound, spectrum.size) * unit_of_H
