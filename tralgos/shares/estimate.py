"""The diagonal share of a matrix: summed up where its entries can be read, else from columns.

The share is a ratio of two totals over the columns, of |a_jj| and of the sum of |a_ij| over i, and
is estimated as such (Cochran, *Sampling techniques*, 1977, chapters 6 and 9A).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arguments import check_probability, check_rng, positive_integer
from tralgos.arrays import Array
from tralgos.errors import ArgumentError
from tralgos.operators import Operator
from tralgos.shares.products import column_norms, column_sums, square_operator
from tralgos.shares.ratio import estimated_ratio
from tralgos.shares.result import ShareEstimate, ShareStatus
from tralgos.shares.sampling import Ordering, draw, mixed
from tralgos.shares.streamed import Readable, absolute_sums

__all__ = ["diagonal_share"]

#: Columns at the first look, where a width is asked for; there are twice as many at the next. With
#: fewer too many samples stop that have missed a rare kind of column.
_FIRST_LOOK = 50


@dataclass(frozen=True)
class _Plan:
    """The checked arguments of an estimate from columns."""

    operator: Operator
    home: Array
    looks: list[int]
    width: float | None
    confidence: float
    probes: int
    block: int
    rng: np.random.Generator

    @property
    def order(self) -> int:
        return self.operator.shape[0]

    @property
    def level(self) -> float:
        """The confidence of a single look: together they are to fail no more often (Bonferroni)."""
        sampled = sum(m < self.order for m in self.looks)
        return 1.0 - (1.0 - self.confidence) / max(1, sampled)


def diagonal_share(
    A: Any,
    *,
    columns: int | None = None,
    width: float | None = None,
    rng: np.random.Generator | int | None = None,
    confidence: float = 0.95,
    block: int = 16,
    probes: int = 8,
    like: Array | None = None,
) -> ShareEstimate:
    r"""The share of the diagonal in a matrix, :math:`\sum_i |a_{ii}| / \sum_{ij} |a_{ij}|`.

    Parameters
    ----------
    A : object
        A square dense array, an operator, or anything else that
        :func:`~tralgos.operators.as_operator` accepts. It need not be symmetric. A dense array,
        a sparse matrix of SciPy or CuPy and a :class:`~tralgos.operators.TiledOperator` are
        always summed as a whole.
    columns : int, optional
        How many columns to look at, 2 to n; with `width` at most so many. Default: all of them.
    width : float, optional
        In (0, 1): take columns until half the length of the interval is at most `width` times the
        share (not times 1 - share, which may be much smaller). Default: take `columns` at once.
    rng : numpy.random.Generator, int or None
        Draws probes and columns, on the host; not used when all columns are looked at.
    confidence : float
        Probability that the interval is to cover the share, in (0, 1).
    block : int
        Columns of one product.
    probes : int
        Products of :math:`A^\top` with random vectors that show where the mass is, at least 1; half
        of them (rounded up) random signs and half Cauchy vectors. They are not made where all
        columns are to be looked at, nor where A has no product with its transpose.
    like : array, shape (n,), optional
        A vector of the kind that A multiplies, for an operator that accepts any; it also gives the
        dtype that a matrix of integers gets. Default: where the operator or a sparse tensor of
        torch lives, else NumPy in float64.

    Returns
    -------
    ShareEstimate
        Its `status` says whether the share is exact, and whether the width was reached.

    Raises
    ------
    ArgumentError
        If an argument is out of its range, or all columns that were looked at are zero: the
        share is then undefined.
    ShapeError
        If A is not square, or of order 0, or `like` has another length.
    NonFiniteError
        If a product holds NaN or infinity, or a sum overflows float64.
    ArrayTypeError
        If A, `like` or the products are of the wrong kind, or do not fit each other.

    Notes
    -----
    Cost: a product for each column, in blocks, and `probes` more; one host transfer of 2 `block`
    numbers a block, and one of 3 n for the probes. Memory: some 7 `probes` or 3 `block` vectors of
    length n. For a dense array and a tiled operator no products, one pass, one transfer, and the
    memory of a tile, of its absolute values and of what it is made from: four tiles at the peak for
    least squares, eight for a Wigner matrix. For a sparse matrix no products, one pass over the
    stored entries, and one transfer; a place that is stored more than once counts with the sum of
    its entries, for which the matrix is copied (a format other than CSR is converted in any case).
    CuPy makes one transfer more to find out whether there is such a place.
    Absolute values are summed in float64 where the device has it.

    Columns are drawn without replacement, with probabilities that follow estimates of their norms,
    with and without the diagonal entry, and of the diagonal entries, from the probes, and are in
    part equal. Where A has no transpose (`has_transpose` is false, or its `rmatvec` raises
    NotImplementedError) all probabilities are equal: then the interval is far too short where few
    columns hold most of the mass, which `effective_columns` may or may not show. An operator that
    is symmetric has to be declared so.

    The estimate is the ratio of the totals of both sums, each estimated without bias, less its
    own bias to leading order. The interval is Student's for the log-odds, longer on the side where
    a skewed sample has missed something. It is never without width, for columns with up
    to 3 / `columns` of the diagonal or of the rest may have been missed (at 0.95, the rule of
    three). With `width` it is looked at after 50, 100, 200, ... columns, each time with the
    confidence 1 - (1 - `confidence`) / (number of possible looks). A share that is estimated as 0
    reaches no width.
    ``docs/share-estimator.md`` has the derivation and the measured coverage.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.shares import diagonal_share
    >>> diagonal_share(np.array([[2.0, -1.0], [-1.0, 0.0]])).share
    0.5
    """
    check_probability(confidence, "confidence")
    narrow = None if width is None else check_probability(width, "width")
    operator, home = square_operator(A, like)
    n = operator.shape[0]
    size, vectors = positive_integer(block, "block"), positive_integer(probes, "probes")
    budget = n if columns is None else positive_integer(columns, "columns")
    if budget > n or (budget == 1 < n):
        raise ArgumentError(f"columns must lie between 2 and the order of A, {n}, got {budget}")
    generator = check_rng(rng)
    if isinstance(operator, Readable):
        on, total = absolute_sums(operator)
        if total == 0.0:
            raise ArgumentError("A is zero: it has no share")
        return _exact(on / total, confidence, n)
    looks = _looks(budget, narrow)
    plan = _Plan(operator, home, looks, narrow, confidence, vectors, size, generator)
    if looks == [n]:
        return _sampled(plan, Ordering(np.arange(n)), False)
    probabilities = _probabilities(plan)
    return _sampled(plan, draw(probabilities, n, generator), probabilities is not None)


def _exact(
    share: float, confidence: float, n: int, columns: int = 0, probes: int = 0
) -> ShareEstimate:
    return ShareEstimate(
        share, share, share, 0.0, confidence, n, n, probes, columns + probes, 0.0, float(n),
        ShareStatus.EXACT,
    )  # fmt: skip


def _looks(budget: int, width: float | None) -> list[int]:
    """The numbers of columns after which the interval is made."""
    looks, m = [], _FIRST_LOOK
    # The last step is not worth a look of its own where it adds less than a third.
    while width is not None and 4 * m < 3 * budget:
        looks.append(m)
        m *= 2
    return [*looks, budget]


def _probabilities(plan: _Plan) -> np.ndarray | None:
    """With what probabilities the columns are to be drawn; None: all equal, without a product."""
    if not plan.operator.has_transpose:
        return None
    try:
        norms = column_norms(plan.operator, plan.probes, plan.home, plan.block, plan.rng)
    except NotImplementedError:
        # What a LinearOperator of SciPy raises that was given no rmatvec.
        return None
    return mixed(norms)


def _sampled(plan: _Plan, ordering: Ordering, weighted: bool) -> ShareEstimate:
    """Look at more and more columns until the interval is narrow enough."""
    y = x = np.zeros(0)
    estimate = None
    for m in plan.looks:
        more = column_sums(plan.operator, ordering.columns[len(x) : m], plan.home, plan.block)
        y, x = np.append(y, more[0]), np.append(x, more[1])
        if not np.any(x):
            continue
        estimate = _after_look(plan, ordering, y, x, plan.probes if weighted else 0)
        if estimate.status in (ShareStatus.EXACT, ShareStatus.REACHED):
            return estimate
    if estimate is None:
        raise ArgumentError("A is zero in all columns that were looked at: it has no share")
    return estimate


def _after_look(
    plan: _Plan, ordering: Ordering, y: np.ndarray, x: np.ndarray, probes: int
) -> ShareEstimate:
    """What the columns that have been seen say."""
    m, n, top = len(x), plan.order, np.max(x)
    if m == n:
        share = math.fsum(y / top) / math.fsum(x / top)
        return _exact(share, plan.confidence, n, n, probes)
    found = estimated_ratio(y, x, ordering.inclusion(m))
    low, high = found.interval(plan.level, ordering.draws(m))
    share, status = found.value, ShareStatus.SAMPLED
    if plan.width is not None:
        reached = share > 0.0 and high - low <= 2.0 * plan.width * share
        status = ShareStatus.REACHED if reached else ShareStatus.BUDGET
    return ShareEstimate(
        share, low, high, found.standard_error, plan.confidence, m, n, probes, m + probes,
        found.bias_bound, found.effective, status,
    )  # fmt: skip
