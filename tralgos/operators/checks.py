"""Cheap tests of what an operator claims to be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.arrays import (
    Array,
    eps,
    namespace,
    real_vector,
    standard_normal,
    to_float,
    to_host,
)
from tralgos.errors import AsymmetryError, NonFiniteError
from tralgos.operators.adapters import DenseOperator, SparseOperator, as_operator
from tralgos.operators.base import Operator

__all__ = ["check_symmetric"]

# Side of the tiles of a dense matrix that are compared: one and its mirror image fit the cache.
_TILE = 128


def check_symmetric(
    A: Any, like: Array, *, rng: np.random.Generator, rtol: float | None = None
) -> float:
    r"""The relative asymmetry of an operator; an error if it exceeds a tolerance.

    A dense or sparse matrix is compared with its transpose, entry by entry,
    without a product. Of any other operator one random bilinear form is taken
    in both orders, which costs two products and one host transfer. An operator
    whose `symmetric` is True is believed, at no cost.

    Parameters
    ----------
    A : Operator or anything that :func:`as_operator` accepts
        Square.
    like : array, shape (n,)
        A vector of the kind that A multiplies. Its values are not used.
    rng : numpy.random.Generator
        Draws the random pair; not used for matrices.
    rtol : float, optional
        The largest defect to accept. Default: the operator's
        `symmetry_tolerance`, and where that is None the level of rounding,
        max(1e4, 100 sqrt(n)) eps.

    Returns
    -------
    float
        The defect: max |a_ij - a_ji| / max |a_ij| for a matrix, otherwise
        |u'Av - v'Au| / sqrt(||Au||^2 + ||Av||^2); 0 if A is declared symmetric.

    Raises
    ------
    AsymmetryError
        If the defect exceeds `rtol`; the defect is in the message.
    NonFiniteError
        If an entry of the matrix, or a product, is NaN or infinite.
    ShapeError, ArrayTypeError
        If A is not square or does not fit `like`.

    Notes
    -----
    For independent standard normal u and v the numerator is |u'(A - A')v|, whose
    root mean square is ||A - A'||_F, and both ||Au||^2 and ||Av||^2 have the
    mean ||A||_F^2. So the defect estimates ||A - A'||_F / (sqrt(2) ||A||_F), in
    any dimension. It is below d times that with a probability of the order of
    d, so an asymmetry far above the tolerance is found nearly certainly, one
    that is tiny beside the largest part of A is not.

    Rounding leaves about sqrt(n) eps in the numerator where a product or an
    inner product sums n terms one after the other.
    """
    like = real_vector(like, "like")
    operator = as_operator(A, like=like)
    if operator.symmetric is True or operator.shape[0] == 0:
        return 0.0
    defect, found = _defect(operator, like, rng)
    if math.isnan(defect):
        raise NonFiniteError(f"{operator.name} {found} with NaN or infinity")
    tolerance = rtol if rtol is not None else operator.symmetry_tolerance
    if tolerance is None:
        tolerance = max(1e4, 100.0 * math.sqrt(operator.shape[0])) * eps(like.dtype)
    if defect > tolerance:
        raise AsymmetryError(
            f"{operator.name} must be symmetric: its relative asymmetry is {defect:.3g}, "
            f"more than {tolerance:.3g}. An operator that is symmetric up to errors of its own "
            "can say so by its symmetry_tolerance"
        )
    return defect


def _defect(operator: Operator, like: Array, rng: np.random.Generator) -> tuple[float, str]:
    """The relative asymmetry, and where a NaN in it comes from."""
    if not isinstance(operator, DenseOperator | SparseOperator):
        return _random_defect(operator, like, rng), "made a product"
    size = operator.magnitude
    if not math.isfinite(size):
        return math.nan, "is a matrix"
    if isinstance(operator, DenseOperator):
        difference = _dense_difference(operator.array)
    else:
        difference = float(abs(operator.matrix - operator.matrix.T).max())
    return 0.0 if difference == 0.0 else difference / size, "is a matrix"


def _dense_difference(A: Array) -> float:
    """The largest |a_ij - a_ji|, by square tiles that stay in the cache: one transfer."""
    xp = namespace(A)
    n = int(A.shape[0])
    largest = []
    for i in range(0, n, _TILE):
        rows = slice(i, min(i + _TILE, n))  # the standard leaves slices past the end open
        for k in range(i, n, _TILE):
            columns = slice(k, min(k + _TILE, n))
            tile = A[rows, columns] - xp.matrix_transpose(A[columns, rows])
            largest.append(xp.max(xp.abs(tile)))
    return to_float(xp.max(xp.stack(largest)))


def _random_defect(operator: Operator, like: Array, rng: np.random.Generator) -> float:
    """|u'Av - v'Au| / sqrt(||Au||^2 + ||Av||^2) for normal u and v: two products, one transfer."""
    xp = namespace(like)
    n = operator.shape[0]
    u, v = standard_normal(n, like, rng), standard_normal(n, like, rng)
    Au, Av = operator.matvec(u), operator.matvec(v)
    # NaN and infinity are to arrive as NaN, without a warning of NumPy's on the way.
    with np.errstate(invalid="ignore"):
        # Without this scale the squares overflow for an operator of size 1e160.
        largest = xp.max(xp.stack([xp.max(xp.abs(Au)), xp.max(xp.abs(Av))]))
        scale = xp.where(largest > 0, largest, xp.ones_like(largest))
        Au, Av = Au / scale, Av / scale
        forms = [xp.vecdot(u, Av) - xp.vecdot(v, Au), xp.vecdot(Au, Au) + xp.vecdot(Av, Av)]
    difference, squares = (float(value) for value in to_host(xp.stack(forms)))
    return 0.0 if squares == 0.0 else abs(difference) / math.sqrt(squares)
