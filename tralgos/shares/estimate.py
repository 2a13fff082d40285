"""The diagonal share of an operator, from columns drawn at random.

The share is a ratio of two means over the columns, of |a_jj| and of the sum of |a_ij| over i, and
is estimated as such (Cochran, *Sampling techniques*, 1977, chapter 6).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from tralgos.arguments import check_probability, check_rng, positive_integer
from tralgos.arrays import (
    Array,
    device_of,
    namespace,
    real_vector,
    to_host,
)
from tralgos.errors import ArgumentError, NonFiniteError, ShapeError
from tralgos.operators import DenseOperator, Operator, as_operator

__all__ = ["ShareEstimate", "diagonal_share"]

#: Entries of one tile of a dense matrix: it stays in the cache.
_TILE = 2**18


@dataclass(frozen=True)
class ShareEstimate:
    """A diagonal share, or an estimate of one with its confidence interval.

    Attributes
    ----------
    share : float
        In [0, 1].
    low, high : float
        The confidence interval, cut off at 0 and 1; both are the share where it is exact.
    standard_error : float
        Estimated standard deviation of the share; 0 where it is exact.
    confidence : float
        The nominal probability that the interval covers the share.
    columns : int
        Different columns that were looked at.
    order : int
        n: the columns there are.
    matvecs : int
        Products with the operator; 0 for a dense array.
    heaviest : float
        The largest part of the mass of these columns that one of them has: about 1/`columns` where
        they are alike. The interval deserves its confidence only where this is small.
    """

    share: float
    low: float
    high: float
    standard_error: float
    confidence: float
    columns: int
    order: int
    matvecs: int
    heaviest: float

    @property
    def exact(self) -> bool:
        """Whether all columns were looked at: the share is then right up to rounding."""
        return self.columns == self.order


def diagonal_share(
    A: Any,
    *,
    columns: int | None = None,
    rng: np.random.Generator | int | None = None,
    confidence: float = 0.95,
    block: int = 16,
    like: Array | None = None,
) -> ShareEstimate:
    r"""The share of the diagonal in a matrix, :math:`\sum_i |a_{ii}| / \sum_{ij} |a_{ij}|`.

    Parameters
    ----------
    A : object
        A square dense array, an operator, or anything else that
        :func:`~tralgos.operators.as_operator` accepts. It need not be symmetric.
    columns : int, optional
        How many columns to look at, 2 to n; drawn without replacement. Default: all of them.
        A dense array is always summed as a whole.
    rng : numpy.random.Generator, int or None
        Draws the columns; not used when all of them are looked at.
    confidence : float
        Probability that the interval is to cover the share, in (0, 1).
    block : int
        Columns of one product. Memory: 3 `block` vectors of length n.
    like : array, optional
        A vector of the kind that A multiplies, for an operator that accepts any. Default: where
        the operator lives, else NumPy in float64.

    Returns
    -------
    ShareEstimate

    Raises
    ------
    ArgumentError
        If an argument is out of its range, or all columns that were looked at are zero: the
        share is then undefined.
    ShapeError
        If A is not square, or of order 0.
    NonFiniteError
        If a column holds NaN or infinity, or its sum overflows float64.
    ArrayTypeError
        If A, or its products, are of the wrong kind.

    Notes
    -----
    Cost: `columns` products with A, in blocks, and one host transfer of 2 `block` numbers a block;
    for a dense array one pass over it and one transfer. Absolute values are summed in float64.

    With y_j = |a_jj| and x_j = sum_i |a_ij| of k columns out of n, r = sum y / sum x. The leading
    term of its bias, (1/k - 1/n) (r s_x^2 - s_xy) / mean(x)^2, is subtracted. The standard error is
    that of the residuals y_j - r x_j, and the interval is Student's with k - 1 degrees of freedom.
    It covers with nominal probability where many columns have been seen and none is heavy among
    them (`heaviest`). Where few columns hold most of the mass and the sample has missed them it is
    far too short: see the measured coverage in ``docs/diagonal-shares.md``.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.shares import diagonal_share
    >>> diagonal_share(np.array([[2.0, -1.0], [-1.0, 0.0]])).share
    0.5
    """
    check_probability(confidence, "confidence")
    operator = as_operator(A, "A")
    n = _order(operator)
    size = positive_integer(block, "block")
    wanted = n if columns is None else positive_integer(columns, "columns")
    if wanted > n or (wanted == 1 < n):
        raise ArgumentError(f"columns must lie between 2 and the order of A, {n}, got {wanted}")
    generator = check_rng(rng)
    if isinstance(operator, DenseOperator):
        with np.errstate(over="ignore"):
            diagonal, total, largest = _dense_sums(operator.array)
        _check_mass(diagonal, total)
        return _exact(diagonal / total, confidence, n, 0, largest / total)
    target = _target(operator, like)
    chosen = np.arange(n) if wanted == n else generator.choice(n, wanted, replace=False)
    y, x = _column_sums(operator, chosen, target, size)
    _check_mass(float(np.max(y)), float(np.max(x)))
    # Divided by the largest the numbers can be squared and summed, whatever their unit.
    y, x = y / np.max(x), x / np.max(x)
    if wanted == n:
        return _exact(math.fsum(y) / math.fsum(x), confidence, n, n, 1.0 / math.fsum(x))
    return _estimate(y, x, n, confidence)


def _order(operator: Operator) -> int:
    rows, columns = operator.shape
    if rows != columns or rows == 0:
        raise ShapeError(f"A must be square and of order at least 1, its shape is {operator.shape}")
    return rows


def _target(operator: Operator, like: Array | None) -> Array:
    """An array of the kind that the operator multiplies."""
    if like is not None:
        vector = real_vector(like, "like")
        operator.check_home(vector, "like")
        return vector
    return np.empty(0) if operator.home is None else operator.home


def _check_mass(diagonal: float, total: float) -> None:
    if not (math.isfinite(diagonal) and math.isfinite(total)):
        raise NonFiniteError("A holds NaN or infinity, or its sum overflows float64")
    if total == 0.0:
        raise ArgumentError("A is zero in all columns that were looked at: it has no share")


def _exact(share: float, confidence: float, n: int, matvecs: int, heaviest: float) -> ShareEstimate:
    return ShareEstimate(share, share, share, 0.0, confidence, n, n, matvecs, heaviest)


def _dense_sums(A: Array) -> tuple[float, float, float]:
    """Sums of absolute values, on the diagonal, of all, of the heaviest column: one transfer."""
    xp = namespace(A)
    n = int(A.shape[0])
    rows = max(1, _TILE // n)
    columns = xp.zeros(n, dtype=xp.float64, device=device_of(A))
    for i in range(0, n, rows):
        tile = xp.abs(A[i : min(i + rows, n), :])
        columns = columns + xp.sum(tile, axis=0, dtype=xp.float64)
    on = xp.sum(xp.abs(xp.linalg.diagonal(A)), dtype=xp.float64)
    found = to_host(xp.stack([on, xp.sum(columns), xp.max(columns)]))
    diagonal, total, largest = (float(value) for value in found)
    return diagonal, total, largest


def _column_sums(
    operator: Operator, chosen: np.ndarray, like: Array, block: int
) -> tuple[np.ndarray, np.ndarray]:
    """|a_jj| and sum_i |a_ij| of the chosen columns: a product each, one transfer a block."""
    xp = namespace(like)
    n = operator.shape[0]
    pieces = []
    for start in range(0, len(chosen), block):
        some = [int(j) for j in chosen[start : start + block]]
        units = xp.zeros((n, len(some)), dtype=like.dtype, device=device_of(like))
        for k, j in enumerate(some):
            units[j, k] = 1.0
        # NaN and infinity are to arrive without a warning of NumPy's on the way.
        with np.errstate(invalid="ignore", over="ignore"):
            entries = xp.abs(operator.matmat(units))
            sums = xp.sum(entries, axis=0, dtype=xp.float64)
        on = xp.stack([entries[j, k] for k, j in enumerate(some)])
        pieces.append(to_host(xp.stack([xp.astype(on, xp.float64), sums])))
    y, x = np.concatenate(pieces, axis=1)
    return y, x


def _estimate(y: np.ndarray, x: np.ndarray, n: int, confidence: float) -> ShareEstimate:
    """The ratio estimate from the sums of some columns out of `n`, and its interval."""
    k = len(x)
    mean = float(np.mean(x))
    ratio = float(np.sum(y)) / float(np.sum(x))
    unseen = 1.0 / k - 1.0 / n
    # r s_x^2 - s_xy is less the covariance of x and the residuals: no cancellation.
    residuals = y - ratio * x
    covariance = float(np.sum((x - mean) * residuals)) / (k - 1)
    share = min(1.0, max(0.0, ratio + unseen * covariance / mean**2))
    error = math.sqrt(unseen * float(np.sum(residuals**2)) / (k - 1)) / mean
    width = float(stdtrit(k - 1, 0.5 + 0.5 * confidence)) * error
    low, high = max(0.0, share - width), min(1.0, share + width)
    heaviest = float(np.max(x)) / float(np.sum(x))
    return ShareEstimate(share, low, high, error, confidence, k, n, k, heaviest)
