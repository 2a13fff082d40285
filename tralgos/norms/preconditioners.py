"""Diagonal norms from second derivatives and from per-sample gradients.

These are further ellipsoids that "Adaptive norms for deep learning with regularized Newton
methods" names (sections 2 and 6): the diagonals of the empirical Fisher matrix (Martens 2010),
of the Gauss-Newton matrix (Chapelle and Erhan 2011) and of the Hessian (Bekas, Kokiopoulou
and Saad 2007).

The estimates use random signs: v has independent entries +1 and -1, so that E[vv'] = I. Then
v * Hv (entry by entry) has the mean diag(H) and in entry i the variance
sum_{j != i} H_ij^2: for a diagonal H one sample is exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tralgos.arguments import check_rng, number, positive_integer, positive_scalar
from tralgos.arrays import (
    Array,
    eps,
    from_host,
    is_array,
    namespace,
    real_matrix,
    real_vector,
    same_home,
)
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)
from tralgos.norms.base import smallest_normal
from tralgos.norms.diagonal import DiagonalNorm
from tralgos.operators import Operator, as_operator
from tralgos.shares import estimate_diagonal

__all__ = [
    "chapelle_erhan_norm",
    "hessian_diagonal_norm",
    "martens_norm",
]


def martens_norm(
    gradients: Array | Iterable[Array], *, damping: float, exponent: float = 0.75
) -> DiagonalNorm:
    """The norm by (diag(sum_i g_i g_i') + damping I)^exponent over per-sample gradients g_i.

    Parameters
    ----------
    gradients : array, shape (N, n), or iterable of array, shape (n,)
        The gradient of each sample's loss. An iterable is read once, one vector at a time.
    damping : float
        Positive, lambda in the source; it has the unit of a squared gradient.
    exponent : float
        In (0, 1]; 3/4 in the source, which lessens the spread of the entries.

    Raises
    ------
    ArgumentError
        If `damping` or `exponent` is out of range, or `damping` below the smallest normal
        number of the dtype.
    ArrayTypeError, ShapeError
        If the gradients are not real vectors of one length, library, device and dtype, or
        there are none.
    NonFiniteError
        If a gradient is not finite or the sum of its squares overflows.

    Notes
    -----
    Two passes over each gradient; two host transfers, for the checks of the norm. Source:
    Martens (2010), section 4.7; exponent 1 gives diagonal Adagrad over the samples.
    """
    damping = positive_scalar(damping, "damping")
    exponent = number(exponent, "exponent")
    if not 0.0 < exponent <= 1.0:
        raise ArgumentError(f"exponent must lie in (0, 1], got {exponent}")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squares = _sum_of_squares(gradients)
        if damping < smallest_normal(squares.dtype):
            raise ArgumentError(f"damping = {damping} is zero in the dtype {squares.dtype}")
        d = (squares + damping) ** exponent
    try:
        return DiagonalNorm(d)
    except NonFiniteError as error:
        raise NonFiniteError(
            "the sum of the squared gradients is not finite: entries that are NaN or infinite, "
            f"or squares that overflow {d.dtype}"
        ) from error


def chapelle_erhan_norm(
    J: Any,
    samples: int,
    *,
    like: Array,
    root: Any = None,
    rng: np.random.Generator | int | None = None,
    floor: float | None = None,
) -> DiagonalNorm:
    """The norm by an estimate of the diagonal of the Gauss-Newton matrix J' H_L J.

    For a vector v of random signs (J' R v)^2, entry by entry, is an unbiased estimate of the
    diagonal of J'RR'J; the mean of `samples` of them is taken.

    Parameters
    ----------
    J : operator, shape (m, n)
        The Jacobian of the model, with a product with its transpose. Anything that
        :func:`tralgos.operators.as_operator` accepts.
    samples : int
        How many vectors of signs.
    like : array, shape (n,)
        A vector of the space, such as the gradient: gives library, device and dtype.
    root : operator, shape (m, k), optional
        R with RR' = H_L, the Hessian of the loss in the outputs: its symmetric root, or any
        other factor (for the logistic loss diag(sqrt(p)) - p sqrt(p)'). The identity, as for
        half the squared error, unless given.
    rng : numpy.random.Generator or int, optional
        Draws the signs, on the host.
    floor : float, optional
        What is added to every entry, as a multiple of the largest; sqrt(eps) of the dtype
        unless given.

    Raises
    ------
    ArgumentError
        If `samples`, `rng` or `floor` is out of range.
    ArrayTypeError, ShapeError
        If `J`, `root` and `like` do not fit, or J does not know its transpose.
    NonFiniteError
        If a product is NaN or infinite, or its square overflows.
    NotPositiveDefiniteError
        If the estimate is zero or underflows.

    Notes
    -----
    One product with J' (and one with R) and one vector of signs sent to the device for each
    sample; two host transfers in all. Entry i has the relative variance 2 (1 - sum_j a_j^4 /
    (sum_j a_j^2)^2) / samples, with a = R' J e_i: at most 2 (1 - 1/k) / samples, whatever n.
    Source: Chapelle and Erhan (2011); where J stacks the outputs of many examples, signs that
    are independent over examples make one product serve them all.
    """
    samples = positive_integer(samples, "samples")
    floor = _checked_floor(floor)
    generator = check_rng(rng)
    like = _checked_like(like)
    jacobian, factor = _jacobian(J, root, like)
    length = jacobian.shape[0] if factor is None else factor.shape[1]
    total = namespace(like).zeros_like(like)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for v in _signs(length, samples, like, generator):
            z = jacobian.rmatvec(v if factor is None else factor.matvec(v))
            total = total + (z * z) / samples
    return _floored(total, floor, "the Gauss-Newton matrix")


def hessian_diagonal_norm(
    H: Any,
    samples: int,
    *,
    like: Array,
    rng: np.random.Generator | int | None = None,
    floor: float | None = None,
) -> DiagonalNorm:
    """The norm by |d| + floor max|d|, d being an estimate of the diagonal by random signs.

    Parameters
    ----------
    H : operator, shape (n, n)
        Anything that :func:`tralgos.operators.as_operator` accepts; it need not be symmetric.
    samples : int
        How many vectors of signs, each of which costs one product.
    like : array, shape (n,)
        A vector of the space, such as the gradient: gives library, device and dtype.
    rng : numpy.random.Generator or int, optional
        Draws the signs, on the host.
    floor : float, optional
        What is added to every entry, as a multiple of the largest |d_i|; sqrt(eps) of the dtype
        unless given.

    Raises
    ------
    ArgumentError
        If `samples`, `rng` or `floor` is out of range.
    ArrayTypeError, ShapeError
        If `H` and `like` do not fit.
    NonFiniteError
        If a product is NaN or infinite.
    NotPositiveDefiniteError
        If the estimate is zero or underflows.

    Notes
    -----
    The estimate, its costs and its standard error are those of
    :func:`tralgos.shares.estimate_diagonal` (Bekas, Kokiopoulou and Saad 2007): `samples`
    products, in blocks of 16; three host transfers in all. The absolute value is of the
    estimate, so that |d_i| is too large on average where its standard error is not small:
    E|d_i| >= |H_ii|, and for H_ii = 0 it is the noise alone.
    """
    samples = positive_integer(samples, "samples")
    floor = _checked_floor(floor)
    like = _checked_like(like)
    # An operator, so that errors name H.
    operator = as_operator(H, name="H", like=like)
    estimate = estimate_diagonal(operator, probes=samples, like=like, rng=rng)
    return _floored(abs(estimate.diagonal), floor, "H")


# -------------------------------------------------------------------- inside


def _sum_of_squares(gradients: Any) -> Array:
    """The sum of g * g over the rows of a matrix, or over an iterable of vectors."""
    if is_array(gradients):
        G = real_matrix(gradients, "gradients")
        if 0 in G.shape:
            raise ShapeError(f"gradients is empty: its shape is {tuple(G.shape)}")
        return namespace(G).sum(G * G, axis=0)
    if not isinstance(gradients, Iterable):
        raise ArrayTypeError(
            f"gradients must be a matrix or an iterable of vectors, got {type(gradients).__name__}"
        )
    total = None
    for i, row in enumerate(gradients):
        g = real_vector(row, f"gradient {i}")
        if total is None:
            total = g * g
            continue
        same_home(g, total, f"gradient {i}", "the first")
        if g.shape != total.shape:
            raise ShapeError(
                f"gradient {i} has length {g.shape[0]} but the first has {total.shape[0]}"
            )
        total = total + g * g
    if total is None or total.shape[0] == 0:
        raise ShapeError("gradients is empty")
    return total


def _signs(n: int, samples: int, like: Array, rng: np.random.Generator) -> Iterator[Array]:
    """`samples` vectors of random signs that live where `like` does, drawn on the host."""
    for _ in range(samples):
        yield from_host(2.0 * rng.integers(0, 2, size=n) - 1.0, like)


def _checked_like(like: Any) -> Array:
    """`like` as a real vector that is not empty."""
    like = real_vector(like, "like")
    if like.shape[0] == 0:
        raise ShapeError("like is empty")
    return like


def _checked_floor(floor: object) -> float | None:
    """`floor` as a positive float, or None."""
    return None if floor is None else positive_scalar(floor, "floor")


def _jacobian(J: Any, root: Any, like: Array) -> tuple[Operator, Operator | None]:
    """J and R as operators that fit each other and `like`."""
    jacobian = as_operator(J, name="J")
    if not jacobian.has_transpose:
        raise ArrayTypeError("J needs a product with its transpose (rmatvec)")
    if jacobian.shape[1] != like.shape[0]:
        raise ShapeError(f"J has shape {jacobian.shape} but like has length {like.shape[0]}")
    jacobian.check_home(like, "like")
    if root is None:
        return jacobian, None
    factor = as_operator(root, name="root")
    if factor.shape[0] != jacobian.shape[0]:
        raise ShapeError(f"root has shape {factor.shape} but J has shape {jacobian.shape}")
    factor.check_home(like, "like")
    return jacobian, factor


def _floored(d: Array, floor: float | None, name: str) -> DiagonalNorm:
    """The norm by d + floor max(d), for d >= 0."""
    size = namespace(d).max(d)
    try:
        norm = DiagonalNorm(d + (math.sqrt(eps(d.dtype)) if floor is None else floor) * size)
    except NonFiniteError as error:
        raise NonFiniteError(
            f"the estimated diagonal of {name} is not finite: a product is NaN or infinite, or its "
            "square overflows"
        ) from error
    except NotPositiveDefiniteError as error:
        raise NotPositiveDefiniteError(f"the estimated diagonal of {name} is zero") from error
    # Below the normal numbers the entries have lost their digits.
    if norm.lower_eigenvalue() < smallest_normal(d.dtype):
        raise NotPositiveDefiniteError(f"the estimated diagonal of {name} underflows {d.dtype}")
    return norm
