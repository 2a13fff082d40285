"""The step of a model without a gradient."""

from __future__ import annotations

import numpy as np

from tralgos.arrays import Array
from tralgos.methods.evaluator import CountedOperator
from tralgos.methods.inner import InnerStep
from tralgos.norms import Norm
from tralgos.operators import DenseOperator
from tralgos.subproblems.curvature import curvature_bound
from tralgos.subproblems.points import eigen_point

__all__ = ["eigenpoint_step"]

#: Relative accuracy that is asked of the leftmost eigenvalue.
_RTOL = 0.1
#: How many times the width of its bounds the eigenvalue has to lie below zero. An exact bound
#: is 8 eps ||H|| wide, so that the rounding of a semidefinite Hessian does not count.
_CLEARLY = 4.0


def eigenpoint_step(
    H: CountedOperator, x: Array, norm: Norm, radius: float, rng: np.random.Generator
) -> InnerStep:
    """The minimiser of s'Hs/2 over ||s||_M <= radius along an approximate leftmost eigenvector.

    Parameters
    ----------
    H : CountedOperator
        The Hessian at x.
    x : array, shape (n,)
    norm : Norm
    radius : float
        Positive.
    rng : numpy.random.Generator
        Starts the Lanczos run of :func:`tralgos.curvature_bound`, and draws the sign: both
        are as good for the model, but f may fall one way only.

    Returns
    -------
    InnerStep
        Of length `radius`; zero with a decrease of 0 where no curvature is clearly negative.

    Notes
    -----
    The products of :func:`tralgos.curvature_bound` and one more; a dense Hessian of any order
    is reduced instead. The eigenvalue is within a tenth of the leftmost one, but for a
    probability of 1e-6, so that the curvature along the step is at least 0.9 of it.
    """
    operator = H.operand if isinstance(H.operand, DenseOperator) else H
    known = curvature_bound(operator, norm=norm, like=x, rtol=_RTOL, rng=rng)
    zero = 0.0 * x
    if not known.value + _CLEARLY * (known.value - known.lower) < 0.0:
        return InnerStep(zero, 0.0, 0.0, 0.0, False, None, "no negative curvature")
    step = eigen_point(operator, zero, radius, norm=norm, direction=known.vector)
    decrease = -0.5 * known.value * radius * radius
    step = step if rng.random() < 0.5 else -1.0 * step
    return InnerStep(step, radius, decrease, 0.0, True, None, "eigenpoint")
