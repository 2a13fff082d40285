r"""How many terms a sample needs, from concentration bounds.

Assumption 1 of the adaptive-norms paper asks of the gradient g_t and the Hessian B_t of a
sample

.. math:: \|g_t - \nabla L\| \le \delta_g, \qquad \|B_t - \nabla^2 L\| \le \delta_H,

in the Euclidean and the spectral norm, and leaves the batch sizes to the bounds of Kohler and
Lucchi (2017), Tripuraneni et al. (2017) and Xu et al. (2017b). What they use are Bernstein
bounds; with nothing known of the terms but the largest deviation, the bounds of Hoeffding's
kind below are never worse, have no condition on the tolerance, and their proofs are short.

The bounds
----------
Let X_1, ..., X_N be vectors, or symmetric n x n matrices, with mean zero and norms of at most
L: the deviations of the terms from their mean. Let S_b be the sum of b of them, drawn
independently, or without replacement. Then

.. math:: P(\|S_b\| \ge t) \le c \exp(-t^2 / (2 b L^2)),

with c = 2 for vectors in any dimension and c = 2n for matrices. The mean of the sample is off
by :math:`\|S_b\| / b`, so it is within delta but for a probability p as soon as

.. math:: b \ge K = 2 (L/\delta)^2 \log(c/p).

*Vectors.* Put :math:`\phi(x) = \cosh(a \|x\|)`. Its second derivative along X is at most
:math:`a^2 \|X\|^2 \phi`, since :math:`\sinh(u) \le u \cosh(u)`. So for X independent of x,
with mean zero and norm at most L, :math:`h(s) = E \phi(x + sX)` has
:math:`h'' \le a^2 L^2 h` and :math:`h'(0) = 0`, whence
:math:`h(1) \le \cosh(aL) h(0) \le \exp(a^2 L^2/2) h(0)`. By induction
:math:`E \phi(S_b) \le \exp(b a^2 L^2/2)`; Markov's inequality with :math:`a = t/(bL^2)` and
:math:`\cosh(u) \ge e^u/2` gives the bound. (Pinelis 1994, Theorem 3.5, is more general.)

*Matrices.* On [-L, L] convexity gives :math:`e^{ay} \le \cosh(aL) + (y/L) \sinh(aL)`. Through
the spectrum the same holds of matrices, and in the mean
:math:`E e^{aX} \preceq \exp(a^2 L^2/2) I`. With the inequality of Golden and Thompson, term
after term, :math:`E\,\mathrm{tr}\, e^{a S_b} \le n \exp(b a^2 L^2/2)` (Ahlswede and Winter
2002). Markov's inequality for S_b and for -S_b gives the bound.

*Without replacement.* Take the sample C of b terms, and draw b terms from C so that they
have the pattern of repetitions of independent draws from all N. Then they are distributed as
independent draws from all N, and given C each of them has the mean of C: S_b is a conditional
mean of the sum of independent draws, and by Jensen's inequality
:math:`E \phi(S_b)` is no more than for them, for every convex :math:`\phi` (Hoeffding 1963,
Theorem 4; Gross and Nesme 2010 for matrices). Both functions above are convex.

*Finite populations.* The N terms sum to zero, so :math:`\|S_b\|` is also the norm of the sum
of the N - b terms that were left out, a sample without replacement itself. With N - b for b in
the exponent the requirement reads :math:`b^2 \ge K (N - b)`, that is

.. math:: b \ge \frac{2N}{1 + \sqrt{1 + 4N/K}},

which is below N for every K and below K where K > N/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tralgos.arguments import (
    check_probability,
    nonnegative_scalar,
    positive_integer,
    positive_scalar,
)
from tralgos.errors import ArgumentError

__all__ = [
    "BatchBounds",
    "assumption_1_tolerances",
    "batch_sizes",
    "gradient_batch_size",
    "hessian_batch_size",
]


def gradient_batch_size(
    deviation: float,
    tolerance: float,
    failure_probability: float,
    *,
    population: int | None = None,
) -> int:
    """Terms whose mean gradient is within a tolerance of that of all, but for a probability.

    Parameters
    ----------
    deviation : float
        L_g: the gradient of no term is farther than this from the mean of all (Euclidean
        norm), at the points where the size is to hold.
    tolerance : float
        delta_g, in the same units; positive.
    failure_probability : float
        Of one sample, in (0, 1). For T samples to be good but for a probability p take p/T.
    population : int, optional
        N, the number of terms, which are then drawn without replacement; unless given there
        are infinitely many, or they are drawn with replacement.

    Returns
    -------
    int
        From 1 to N. For how it is found, with proofs, see :mod:`tralgos.methods.batches`.

    Raises
    ------
    ArgumentError
        If an argument is out of its range, or the size of a sample of infinitely many terms is
        not a finite number.

    Examples
    --------
    >>> gradient_batch_size(10.0, 1.0, 0.01)
    1060
    >>> gradient_batch_size(10.0, 1.0, 0.01, population=1000)
    628
    """
    return _size(deviation, tolerance, failure_probability, 2.0, population)


def hessian_batch_size(
    deviation: float,
    tolerance: float,
    failure_probability: float,
    n: int,
    *,
    population: int | None = None,
) -> int:
    """Terms whose mean Hessian is within a tolerance of that of all, but for a probability.

    Parameters
    ----------
    deviation : float
        L_H: the Hessian of no term is farther than this from the mean of all (spectral norm).
    tolerance : float
        delta_H, in the same units; positive.
    failure_probability, population
        As for :func:`gradient_batch_size`.
    n : int
        The order of the Hessians: its logarithm counts.

    Returns
    -------
    int
        From 1 to N; see :mod:`tralgos.methods.batches`.

    Raises
    ------
    ArgumentError
        As for :func:`gradient_batch_size`.

    Examples
    --------
    >>> hessian_batch_size(10.0, 1.0, 0.01, 50)
    1843
    """
    sides = 2.0 * positive_integer(n, "n")
    return _size(deviation, tolerance, failure_probability, sides, population)


def _size(
    deviation: float, tolerance: float, probability: float, sides: float, population: int | None
) -> int:
    """The least b that the bounds of the module allow; `sides` is their c."""
    L = nonnegative_scalar(deviation, "deviation")
    delta = positive_scalar(tolerance, "tolerance")
    p = check_probability(probability)
    N = None if population is None else positive_integer(population, "population")
    if delta >= L:
        return 1  # A mean of deviations is no longer than the longest.
    K = 2.0 * (L / delta) * (L / delta) * (math.log(sides) - math.log(p))
    if N is not None:
        complement = 2.0 * N / (1.0 + math.sqrt(1.0 + 4.0 * (N / K)))
        return min(math.ceil(min(K, complement)), N)
    if math.isinf(K):
        raise ArgumentError(f"no finite sample has a tolerance of {delta} for a deviation of {L}")
    return math.ceil(K)


def assumption_1_tolerances(
    eta: float, nu: float, eps_g: float, eps_H: float
) -> tuple[float, float]:
    r"""The largest errors of the gradient and the Hessian that Assumption 1 allows.

    Parameters
    ----------
    eta : float
        Ratio from which Algorithm 1 takes a step, in (0, 1).
    nu : float
        In (0, 1): the part of the curvature of the leftmost eigenvector that the eigenpoint
        has at least.
    eps_g, eps_H : float
        First- and second-order tolerances of Theorem 1, positive.

    Returns
    -------
    delta_g, delta_H : float
        (1 - eta) eps_g / 4, and the lesser of (1 - eta) nu eps_H / 2 and 1.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Notes
    -----
    The 1 in the minimum has the unit of a second derivative: the assumption is not invariant
    under a change of units, and neither are sizes that rest on it.
    """
    gap = 1.0 - check_probability(eta, "eta")
    share = check_probability(nu, "nu")
    first, second = positive_scalar(eps_g, "eps_g"), positive_scalar(eps_H, "eps_H")
    return 0.25 * gap * first, min(0.5 * gap * share * second, 1.0)


@dataclass(frozen=True, kw_only=True)
class BatchBounds:
    """What batch sizes by Assumption 1 are computed from.

    Parameters
    ----------
    gradient_deviation : float
        L_g: no term has a gradient farther than this from the mean of all.
    hessian_deviation : float
        L_H: the same of Hessians, in the spectral norm.
    eps_g, eps_H : float
        The tolerances of Theorem 1.
    nu : float
        See :func:`assumption_1_tolerances`.
    failure_probability : float
        Of one gradient, and of one Hessian. A run of T steps draws T of each and keeps
        Assumption 1 throughout but for a probability of 2T times this.

    Raises
    ------
    ArgumentError
        If a field is out of its range.
    """

    gradient_deviation: float
    hessian_deviation: float
    eps_g: float
    eps_H: float
    nu: float = 0.5
    failure_probability: float = 1e-3

    def __post_init__(self) -> None:
        nonnegative_scalar(self.gradient_deviation, "gradient_deviation")
        nonnegative_scalar(self.hessian_deviation, "hessian_deviation")
        check_probability(self.failure_probability)
        assumption_1_tolerances(0.5, self.nu, self.eps_g, self.eps_H)


def batch_sizes(
    bounds: BatchBounds, eta: float, n: int, *, population: int | None = None
) -> tuple[int, int]:
    """Batch sizes of the gradient and the Hessian that meet Assumption 1.

    Parameters
    ----------
    bounds : BatchBounds
    eta : float
        Ratio from which Algorithm 1 takes a step, in (0, 1).
    n : int
        The number of variables.
    population : int, optional
        N; see :func:`gradient_batch_size`.

    Returns
    -------
    gradient, hessian : int

    Raises
    ------
    ArgumentError
        As for :func:`gradient_batch_size` and :func:`assumption_1_tolerances`.

    Examples
    --------
    >>> bounds = BatchBounds(
    ...     gradient_deviation=2.0, hessian_deviation=0.25, eps_g=0.5, eps_H=1.0
    ... )
    >>> batch_sizes(bounds, 0.1, 20, population=60_000)
    (4805, 27)
    """
    delta_g, delta_H = assumption_1_tolerances(eta, bounds.nu, bounds.eps_g, bounds.eps_H)
    p = bounds.failure_probability
    return (
        gradient_batch_size(bounds.gradient_deviation, delta_g, p, population=population),
        hessian_batch_size(bounds.hessian_deviation, delta_H, p, n, population=population),
    )
