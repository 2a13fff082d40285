r"""Worst cases: functions on which a method makes prescribed, slow steps.

After Cartis, Gould and Toint, *On the complexity of steepest descent, Newton's and
regularized Newton's methods for nonconvex unconstrained optimization problems* (SIAM J.
Optim. 20, 2010); derived anew here, for finitely many iterations.

**The idea.** A method with a local model knows the function at its iterates alone. So
prescribe the iterates, and at each a value, a slope and a curvature that make the method
step to the next; then join them by Hermite interpolation. Let the slopes be
:math:`g_k = -(k+1)^{-p}` for k = 0, ..., K, and let each value fall by at least what the
model predicts, so that no safeguard acts. The slope is above :math:`\epsilon` for all
:math:`k + 1 < \epsilon^{-1/p}`: the method needs :math:`\lceil \epsilon^{-1/p}\rceil - 1`
steps. The smaller p, the slower, as long as the decreases have a finite sum.

**Steepest descent.** With curvature 1 the quadratic model is least at the step
:math:`s_k = -g_k`, which is steepest descent with step length 1, and decreases by
:math:`g_k^2/2`. The sum of :math:`(k+1)^{-2p}` is finite for every p > 1/2, so the number of
steps is :math:`\epsilon^{-2+\tau}` with :math:`p = 1/(2 - \tau)`; at :math:`\tau = 0` the
range of the function grows like :math:`\log K`. In :math:`t = (x - x_k)/s_k` the
polynomial is :math:`g_k^2` times one with data of order one, so its second derivative is
bounded for all K: the gradient is Lipschitz continuous.

**Newton's method** makes the same steps, as does a trust-region method whose radius is
never below 1. But over an interval of length :math:`s_k \to 0` the curvature leaves 1 and
returns, so that the third derivative grows like :math:`1/s_k`. A second variable mends that,
on the path: let its slopes and curvatures be :math:`-(k+1)^{-2}` and :math:`(k+1)^{-2}`, so
that each Newton step is 1 in it. The steps of the plane are then longer than 1, and on the
segments between the iterates the Hessian is Lipschitz continuous with a constant that does
not depend on K.

**Cubic regularisation.** Let the curvature be 0. The model :math:`g_k s + \sigma |s|^3/3`
is least at :math:`s_k = \sqrt{|g_k|/\sigma}` and decreases by :math:`\tfrac23 |g_k| s_k`,
which is proportional to :math:`(k+1)^{-3p/2}`. The sum is finite for every p > 2/3, so
:math:`p = 1/(3/2 - \tau)` and :math:`\epsilon^{-3/2+\tau}` steps. The polynomial is
:math:`|g_k| s_k = \sigma s_k^3` times one with data of order one, so its third derivative is
bounded for all K: the Hessian is Lipschitz continuous.

**The rounding.** Value, slope and curvature leave a quintic, with a third derivative at the
iterates of :math:`24/s_k` and more. An iterate that is off by :math:`\delta` then reads a
curvature that is off by :math:`24\delta/s_k`, and Newton's next iterate is off by some
:math:`24\delta`: after a dozen steps the prescribed path is lost to rounding. So the third
derivative is set to 0 as well, the polynomials are of degree seven, and an error of
:math:`\delta` becomes one of the order :math:`\delta^2/s_k`.

**The decrease.** For large k the slope between iterates is :math:`|g_k|(q(t) - 1)`, and 1 less
the mean of q is the decrease over :math:`|g_k| s_k`. For steepest descent and Newton's method
:math:`q = c\,t^3(1-t)^3 + t(1-t)(1-2t)(1 + 3t(1-t))`. A decrease of the model's 1/2 needs
c = 70, and q exceeds 1: between the iterates there would be minima. Here the decrease is 6/5
of the model's and c = 56, so the function falls all the way; the second derivative is at most
:math:`\max|q'| < 3.3`, the constant on the path at most :math:`\max|q''| < 24.4`. For cubic
regularisation the decrease is the model's, :math:`q = \tfrac{140}{3} t^3(1-t)^3`, and the
third derivative at most :math:`\sigma\max|q''| = 17.5\,\sigma`.

**The ends.** After step K the slope is 0, a minimum of value 0, and beyond the first and
the last iterate the function is its Taylor polynomial of second order, which has no other
stationary point.
"""

from __future__ import annotations

import math

import numpy as np

from tralgos.arguments import number, positive_integer, positive_scalar
from tralgos.arrays import Array, from_host, to_host
from tralgos.errors import ArgumentError
from tralgos.operators import DiagonalOperator, Operator
from tralgos.problems.base import Problem

__all__ = ["SlowCubic", "SlowNewton", "SlowSteepestDescent"]


class _Hermite:
    """A function of one variable, three times differentiable: of degree seven between nodes.

    Parameters
    ----------
    steps : array, shape (m,)
        The lengths of the intervals; the first node is 0.
    drops : array, shape (m,)
        The fall of the value over each; the value at the last node is 0.
    slopes, curvatures : array, shape (m + 1,)
        The first and second derivatives at the nodes. The third are 0.
    """

    def __init__(
        self, steps: np.ndarray, drops: np.ndarray, slopes: np.ndarray, curvatures: np.ndarray
    ) -> None:
        self.nodes = np.concatenate([[0.0], np.cumsum(steps)])
        self.values = np.concatenate([np.cumsum(drops[::-1])[::-1], [0.0]])
        self.steps = steps
        # In t = (x - x_k) / s_k: what the terms from t^4 on have to add at t = 1 in value,
        # slope and curvature to the Taylor polynomial of the left end.
        h, left, right = steps, slopes[:-1], slopes[1:]
        bend, other = h * h * curvatures[:-1], h * h * curvatures[1:]
        d = -drops - h * left - 0.5 * bend
        e = h * (right - left) - bend
        c = other - bend
        self.coefficients = np.stack(
            [
                self.values[:-1],
                h * left,
                0.5 * bend,
                np.zeros_like(h),
                35.0 * d - 15.0 * e + 2.5 * c,
                -84.0 * d + 39.0 * e - 7.0 * c,
                70.0 * d - 34.0 * e + 6.5 * c,
                -20.0 * d + 10.0 * e - 2.0 * c,
            ],
            axis=1,
        )
        self.ends = [
            np.array([self.values[k], slopes[k], 0.5 * curvatures[k], 0.0, 0.0, 0.0, 0.0, 0.0])
            for k in (0, -1)
        ]

    def __call__(self, x: float, order: int) -> float:
        """The derivative of that order at x: O(log m)."""
        k = int(np.searchsorted(self.nodes, x, side="right")) - 1
        if k < 0 or k >= self.steps.shape[0]:
            origin = self.nodes[0 if k < 0 else -1]
            scale, coefficients = 1.0, self.ends[0 if k < 0 else 1]
        else:
            origin, scale, coefficients = self.nodes[k], self.steps[k], self.coefficients[k]
        t = (x - float(origin)) / float(scale)
        total = 0.0
        for power in range(7, order - 1, -1):
            total = total * t + math.perm(power, order) * float(coefficients[power])
        return total / float(scale) ** order

    def largest(self, order: int) -> np.ndarray:
        """The largest absolute value of a derivative on each interval, at its critical points."""
        roots = np.clip(_real_parts_of_roots(self._derivative(order + 1)), 0.0, 1.0)
        ends = np.broadcast_to([0.0, 1.0], (roots.shape[0], 2))
        t = np.concatenate([ends, roots], axis=1)
        c = self._derivative(order)
        total = np.zeros_like(t)
        for power in range(c.shape[1] - 1, -1, -1):
            total = total * t + c[:, power : power + 1]
        largest: np.ndarray = np.max(np.abs(total), axis=1) / self.steps**order
        return largest

    def _derivative(self, order: int) -> np.ndarray:
        """The coefficients, by rising powers, of a derivative in t."""
        factors = np.array([math.perm(power, order) for power in range(order, 8)], dtype=float)
        derivative: np.ndarray = self.coefficients[:, order:] * factors
        return derivative


def _real_parts_of_roots(c: np.ndarray) -> np.ndarray:
    """The real parts of the roots of polynomials, one a row: eigenvalues of companions."""
    rows, degree = c.shape[0], c.shape[1] - 1
    # A polynomial without its highest power is zero here: any roots will do.
    lead = np.where(c[:, -1:] == 0.0, 1.0, c[:, -1:])
    companions = np.zeros((rows, degree, degree))
    companions[:, np.arange(1, degree), np.arange(degree - 1)] = 1.0
    companions[:, :, -1] = -c[:, :-1] / lead
    roots: np.ndarray = np.linalg.eigvals(companions).real
    return roots


class _Slow(Problem):
    """A sum of functions of one variable each, evaluated on the host in float64."""

    has_hessian = True

    def __init__(self, parts: list[_Hermite], decay: float, iterations: int, name: str) -> None:
        self._parts, self._decay, self.iterations = parts, decay, iterations
        #: The prescribed points: the iterates 0, ..., K and the minimiser.
        self.iterates = np.stack([part.nodes for part in parts], axis=1)
        self.gradient_lipschitz = max(float(np.max(part.largest(2))) for part in parts)
        self.hessian_lipschitz = max(float(np.max(part.largest(3))) for part in parts)
        super().__init__(
            len(parts),
            name=name,
            start=self.iterates[0].copy(),
            minimisers=(self.iterates[-1].copy(),),
            optimal_value=0.0,
        )

    def iterations_to(self, epsilon: float) -> int:
        """The first k with a prescribed first slope of at most `epsilon`: O(1).

        Raises
        ------
        ArgumentError
            If `epsilon` is not positive and finite, or below the last slope prescribed.
        """
        epsilon = positive_scalar(epsilon, "epsilon")
        last = (self.iterations + 1.0) ** -self._decay
        if epsilon < last:
            raise ArgumentError(
                f"epsilon={epsilon:g} is below the last slope {last:g}; take more iterations"
            )
        k = max(math.ceil(float(epsilon ** (-1.0 / self._decay))) - 2, 0)
        while (k + 1.0) ** -self._decay > epsilon:
            k += 1
        return k

    def _derivatives(self, x: Array, order: int) -> list[float]:
        host = to_host(x)
        return [part(float(t), order) for part, t in zip(self._parts, host, strict=True)]

    def _value(self, x: Array) -> float:
        return sum(self._derivatives(x, 0))

    def _gradient(self, x: Array) -> Array:
        return from_host(np.array(self._derivatives(x, 1)), x)

    def _hessian(self, x: Array) -> Operator:
        return DiagonalOperator(from_host(np.array(self._derivatives(x, 2)), x))


class SlowSteepestDescent(_Slow):
    """One variable: steepest descent with step length 1 takes eps^(-2 + tau) iterations.

    Parameters
    ----------
    iterations : int
        K: the slopes of iterations 0, ..., K are prescribed, iterate K + 1 is the minimiser.
    tau : float
        In [0, 1].

    Attributes
    ----------
    iterations : int
        K.
    iterates : numpy.ndarray, shape (K + 2, 1)
        The prescribed points.
    gradient_lipschitz, hessian_lipschitz : float
        The largest second and third derivative. The first is bounded for all K, the second
        grows like K^p.

    Raises
    ------
    ArgumentError
        If `iterations` is not a positive integer or `tau` not in [0, 1].

    Notes
    -----
    The slope is -(k + 1)^-p at iteration k, p = 1/(2 - tau), and the curvature is 1. The
    construction and the source are in the text at the head of the module. O(K) to build;
    each evaluation costs O(log K) and one host transfer.
    """

    def __init__(self, iterations: int, *, tau: float = 0.0) -> None:
        iterations, decay = _checked(iterations, tau, 2.0)
        super().__init__([_slow_part(iterations, decay)], decay, iterations, "SlowSteepestDescent")


class SlowNewton(_Slow):
    """Two variables: Newton's method, with a trust region or without, is as slow.

    Parameters
    ----------
    iterations, tau
        As for :class:`SlowSteepestDescent`.

    Attributes
    ----------
    iterations, iterates, gradient_lipschitz, hessian_lipschitz
        As for :class:`SlowSteepestDescent`; the points have two entries.
    path_hessian_lipschitz : float
        The largest norm of the derivative of the Hessian along the unit vectors of the
        segments between the iterates. Bounded for all K, as `hessian_lipschitz` is not.

    Raises
    ------
    ArgumentError
        As for :class:`SlowSteepestDescent`.

    Notes
    -----
    A trust-region method makes Newton's steps if its radius is at first at least sqrt(2),
    the length of the longest, and does not shrink where the actual decrease is at least
    the predicted one.
    """

    def __init__(self, iterations: int, *, tau: float = 0.0) -> None:
        iterations, decay = _checked(iterations, tau, 2.0)
        weights = np.arange(1.0, iterations + 2.0) ** -2.0
        unit_steps = _Hermite(
            np.ones(iterations + 1),
            _falls(weights),
            np.concatenate([-weights, [0.0]]),
            np.concatenate([weights, weights[-1:]]),
        )
        parts = [_slow_part(iterations, decay), unit_steps]
        super().__init__(parts, decay, iterations, "SlowNewton")
        lengths = np.hypot(parts[0].steps, parts[1].steps)
        rates = [part.largest(3) * part.steps / lengths for part in parts]
        self.path_hessian_lipschitz = float(np.max(rates))


class SlowCubic(_Slow):
    """One variable: cubic regularisation takes eps^(-3/2 + tau) iterations.

    Parameters
    ----------
    iterations : int
        As for :class:`SlowSteepestDescent`.
    tau : float
        In [0, 1/2].
    sigma : float
        The regularisation, in the model g s + H s^2/2 + sigma |s|^3/3; it must not change.

    Attributes
    ----------
    iterations, iterates, gradient_lipschitz, hessian_lipschitz
        As for :class:`SlowSteepestDescent`; both constants are bounded for all K.
    sigma : float
        The regularisation.

    Raises
    ------
    ArgumentError
        If `iterations` is not a positive integer, `tau` not in [0, 1/2], or `sigma` not
        positive and finite.
    """

    def __init__(self, iterations: int, *, tau: float = 0.0, sigma: float = 1.0) -> None:
        iterations, decay = _checked(iterations, tau, 1.5)
        self.sigma = positive_scalar(sigma, "sigma")
        sizes = np.arange(1.0, iterations + 2.0) ** -decay
        steps = np.sqrt(sizes / self.sigma)
        curvatures = np.zeros(iterations + 2)
        # That of the cubic with slope g_K (1 - t^2), which falls by as much.
        curvatures[-1] = 2.0 * sizes[-1] / steps[-1]
        part = _Hermite(
            steps, sizes * steps * (2.0 / 3.0), np.concatenate([-sizes, [0.0]]), curvatures
        )
        super().__init__([part], decay, iterations, "SlowCubic")


def _slow_part(iterations: int, decay: float) -> _Hermite:
    """Slopes -(k + 1)^-decay, curvature 1, unit Newton steps, 6/5 of the model's decrease."""
    sizes = np.arange(1.0, iterations + 2.0) ** -decay
    slopes = np.concatenate([-sizes, [0.0]])
    return _Hermite(sizes, _falls(sizes * sizes), slopes, np.ones(iterations + 2))


def _falls(products: np.ndarray) -> np.ndarray:
    """The decreases for the products of slope and step; the last is that of a parabola."""
    falls = 0.6 * products
    falls[-1] = 0.5 * products[-1]
    return falls


def _checked(iterations: object, tau: object, order: float) -> tuple[int, float]:
    """The number of iterations, and the exponent 1/(order - tau) of the slopes."""
    iterations = positive_integer(iterations, "iterations")
    share, most = number(tau, "tau"), order - 1.0
    if not 0.0 <= share <= most:
        raise ArgumentError(f"tau must lie in [0, {most:g}], got {share}")
    return iterations, 1.0 / (order - share)
