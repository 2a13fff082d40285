"""The diagonal of a matrix from products with vectors of signs.

Bekas, Kokiopoulou and Saad, *An estimator for the diagonal of a matrix* (2007): over vectors v of
entries +1 and -1 the mean of v * Av, entry by entry, is a_ii plus the sum of a_ij times the mean of
v_i v_j. Random signs make the second term zero on average, Hadamard vectors make it zero for all i
and j that do not differ by a multiple of their number.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.arguments import check_choice, check_rng, positive_integer
from tralgos.arrays import Array, all_finite, device_of, from_host, namespace
from tralgos.errors import ArgumentError
from tralgos.operators import Operator
from tralgos.shares.products import accumulator, square_operator
from tralgos.shares.result import DiagonalEstimate

__all__ = ["estimate_diagonal"]


def estimate_diagonal(
    A: Any,
    *,
    probes: int,
    rng: np.random.Generator | int | None = None,
    kind: str = "signs",
    block: int = 16,
    like: Array | None = None,
) -> DiagonalEstimate:
    r"""An estimate of the diagonal of a matrix that is known by its products.

    Parameters
    ----------
    A : object
        A square operator, or anything else that :func:`~tralgos.operators.as_operator` accepts.
        It need not be symmetric. (The diagonal of an array can be read.)
    probes : int
        How many vectors, each of which costs one product: at least 1, and for Hadamard vectors a
        power of two, at most the first one that is not below n.
    rng : numpy.random.Generator, int or None
        Draws the signs, on the host; not used for Hadamard vectors.
    kind : {"signs", "hadamard"}
        Random signs, or the first columns of Sylvester's Hadamard matrix.
    block : int
        Vectors of one product. Memory: 3 `block` vectors of length n.
    like : array, shape (n,), optional
        A vector that A multiplies: gives library, device and dtype, also to a matrix of integers.
        Default: where the operator lives, else NumPy in float64.

    Returns
    -------
    DiagonalEstimate

    Raises
    ------
    ArgumentError
        If an argument is out of its range.
    ShapeError
        If A is not square, or of order 0, or `like` has another length.
    NonFiniteError
        If a product holds NaN or infinity, or two of them differ by more than the largest number.
    ArrayTypeError
        If A, `like` or the products are of the wrong kind, or do not fit each other.

    Notes
    -----
    Cost: `probes` products, in blocks; one host transfer. Means are formed in float64 where the
    device has it, and returned in the dtype of the products.

    *Signs.* The estimate has no bias, and the variance :math:`\sum_{j \ne i} a_{ij}^2` / `probes`
    in entry i. `standard_error` is the root of an unbiased estimate of it, from 2 vectors on. For
    a diagonal matrix every estimate is exact.

    *Hadamard.* With s vectors entry i is the sum of all :math:`a_{ij}` with j - i a multiple of s:
    exact where :math:`a_{ij} = 0` for :math:`|i - j| \ge s`, as in banded matrices, and for every
    matrix where s is at least n. The error is not random, and can be as large as the sum of the
    other :math:`|a_{ij}|`.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos.shares import estimate_diagonal
    >>> A = np.array([[1.0, 5.0, 0.0], [5.0, 2.0, 5.0], [0.0, 5.0, 3.0]])
    >>> estimate_diagonal(A, probes=2, kind="hadamard").diagonal
    array([1., 2., 3.])
    """
    count, size = positive_integer(probes, "probes"), positive_integer(block, "block")
    check_choice(kind, "kind", ("signs", "hadamard"))
    generator = check_rng(rng)
    operator, home = square_operator(A, like)
    n = operator.shape[0]
    if kind == "hadamard":
        _check_hadamard(count, n)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if kind == "hadamard":
            mean, error = _by_hadamard(operator, count, home, size), None
        else:
            mean, error = _by_signs(operator, count, home, size, generator)
    xp = namespace(home)
    diagonal = xp.astype(mean, home.dtype)
    all_finite(diagonal, f"the mean of the products with {operator.name}")
    return DiagonalEstimate(
        diagonal, None if error is None else xp.astype(error, home.dtype), count, kind
    )


def _check_hadamard(count: int, n: int) -> None:
    most = 1 << (n - 1).bit_length()
    if count & (count - 1) or count > most:
        raise ArgumentError(
            f"probes must be a power of two, at most {most}, for Hadamard vectors of length {n}, "
            f"got {count}"
        )


def _terms(operator: Operator, signs: np.ndarray, home: Array) -> Array:
    """V * (A V), entry by entry, in the dtype to sum in."""
    xp, vectors = namespace(home), from_host(signs, home)
    return xp.astype(vectors * operator.matmat(vectors), accumulator(home))


def _by_signs(
    operator: Operator, count: int, home: Array, block: int, rng: np.random.Generator
) -> tuple[Array, Array | None]:
    """The mean over random signs, and the standard error of each entry."""
    xp, n = namespace(home), operator.shape[0]
    mean = spread = xp.zeros(n, dtype=accumulator(home), device=device_of(home))
    k = 0
    for start in range(0, count, block):
        signs = rng.choice([-1.0, 1.0], (min(block, count - start), n)).T
        terms = _terms(operator, signs, home)
        for column in range(int(terms.shape[1])):
            k += 1
            change = terms[:, column] - mean
            mean = mean + change / k
            # The root of the mean squared deviation: no larger than the largest term, however
            # many there are, and it can neither overflow nor vanish where squares do.
            kept = math.sqrt((k - 1) / k)
            spread = xp.hypot(kept * spread, change * (kept / math.sqrt(k)))
    return mean, None if count == 1 else spread / math.sqrt(count - 1.0)


def _by_hadamard(operator: Operator, count: int, home: Array, block: int) -> Array:
    """The mean over the first `count` columns of the Hadamard matrix."""
    xp, n = namespace(home), operator.shape[0]
    total = xp.zeros(n, dtype=accumulator(home), device=device_of(home))
    rows = np.arange(n)
    for start in range(0, count, block):
        columns = np.arange(start, min(start + block, count))
        common = rows[:, None] & columns[None, :]
        terms = _terms(operator, 1.0 - 2.0 * _parity(common), home)
        # A division by a power of two is exact, and the sum cannot overflow.
        total = total + xp.sum(terms / count, axis=1)
    return total


def _parity(numbers: np.ndarray) -> np.ndarray:
    """Whether the number of binary ones is odd."""
    folded = numbers.astype(np.uint64)
    for shift in (32, 16, 8, 4, 2, 1):
        folded ^= folded >> np.uint64(shift)
    return (folded & np.uint64(1)).astype(np.float64)
