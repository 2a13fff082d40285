"""What the estimators learn of an operator from its products."""

from __future__ import annotations

from typing import Any

import numpy as np

from tralgos.arrays import (
    Array,
    device_of,
    eps,
    from_host,
    is_array,
    namespace,
    real_vector,
    to_host,
)
from tralgos.errors import NonFiniteError, ShapeError
from tralgos.operators import Operator, as_operator

__all__ = ["accumulator", "column_norms", "column_sums", "square_operator"]


def square_operator(A: Any, like: Array | None) -> tuple[Operator, Array]:
    """A square operator, and an array of the kind that it multiplies: `like` where it is given.

    Raises
    ------
    ShapeError
        If A is not square, or of order 0, or `like` has another length.
    ArrayTypeError
        If A is no operator, or `like` no real vector, or not of the kind that A multiplies.
    """
    vector = None if like is None else real_vector(like, "like")
    operator = as_operator(A, "A")
    rows, columns = operator.shape
    if rows != columns or rows == 0:
        raise ShapeError(f"A must be square and of order at least 1, its shape is {operator.shape}")
    if vector is None:
        return operator, _home(A, operator)
    if int(vector.shape[0]) != rows:
        raise ShapeError(f"like has length {int(vector.shape[0])}, but A is of order {rows}")
    # Once more, since integers become numbers of the dtype of `like`.
    operator = as_operator(A, "A", like=vector)
    operator.check_home(vector, "like")
    return operator, vector


def _home(A: Any, operator: Operator) -> Array:
    """Where the operator lives, else where A does (a sparse tensor of torch), else NumPy."""
    if operator.home is not None:
        return operator.home
    if is_array(A):
        return namespace(A).empty(0, dtype=A.dtype, device=device_of(A))
    return np.empty(0)


def accumulator(like: Array) -> Any:
    """The dtype to sum in: float64, or that of `like` on a device without it."""
    known = namespace(like).__array_namespace_info__().dtypes(
        device=device_of(like), kind="real floating"
    )  # fmt: skip
    return known.get("float64", like.dtype)


def column_sums(
    operator: Operator, chosen: np.ndarray, like: Array, block: int
) -> tuple[np.ndarray, np.ndarray]:
    """|a_jj| and sum_i |a_ij| of the chosen columns: a product each, one transfer a block."""
    xp, wide = namespace(like), accumulator(like)
    n = operator.shape[0]
    pieces = [np.zeros((2, 0))]
    for start in range(0, len(chosen), block):
        some = [int(j) for j in chosen[start : start + block]]
        units = xp.zeros((n, len(some)), dtype=like.dtype, device=device_of(like))
        for k, j in enumerate(some):
            units[j, k] = 1.0
        # NaN and infinity are to arrive without a warning of NumPy's on the way.
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            entries = xp.abs(operator.matmat(units))
            sums = xp.sum(entries, axis=0, dtype=wide)
        on = xp.stack([entries[j, k] for k, j in enumerate(some)])
        pieces.append(to_host(xp.stack([xp.astype(on, wide), sums])))
    y, x = np.concatenate(pieces, axis=1).astype(np.float64)
    if not np.all(np.isfinite(x)):
        raise NonFiniteError(
            "a product of A with a unit vector holds NaN or infinity, or the sum of its absolute "
            "values overflows float64"
        )
    return y, x


def column_norms(
    operator: Operator, probes: int, like: Array, block: int, rng: np.random.Generator
) -> np.ndarray:
    """Estimates of each column's 2-norm, diagonal entry and 1-norm off the diagonal: one transfer.

    The rows of the result, each up to a factor of its own. With independent signs z the entries of
    A'z have the mean square ||a_j||_2^2, and z_j (A'z)_j the mean a_jj: their average is d_j.
    With independent standard Cauchy numbers z (A'z)_j - d_j z_j is a standard Cauchy number times
    sum_i |a_ij| over i != j plus |a_jj - d_j|, and its typical size is found by a geometric mean
    (Indyk 2006; Li, Hastie and Church 2007).
    """
    xp, wide = namespace(like), accumulator(like)
    n, signs = operator.shape[0], probes - probes // 2
    z = np.concatenate(
        [rng.choice([-1.0, 1.0], (n, signs)), rng.standard_cauchy((n, probes - signs))], axis=1
    )
    # With sum |z_i| = 1 no product is larger than the largest entry.
    vectors = from_host(z / np.sum(np.abs(z), axis=0), like)
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        # By one factor: what the signs say of the diagonal is to be taken off the others.
        products = _scaled(xp.astype(_transposed(operator, vectors, block), wide))
        vectors = xp.astype(vectors, wide)
        of_signs = _scaled(products[:, :signs])
        square = xp.sqrt(xp.mean(of_signs * of_signs, axis=1))
        entries = xp.mean(products[:, :signs] * xp.sign(vectors[:, :signs]), axis=1)
        found = [square, xp.abs(entries)]
        if signs < probes:
            on = (n * entries)[:, None] * vectors[:, signs:]
            # Less than its rounding errors a difference cannot be.
            least = 4.0 * eps(like.dtype) * xp.abs(on)
            off = xp.maximum(xp.abs(products[:, signs:] - on), least)
            found.append(_typical_sizes(_scaled(off)))
        norms = to_host(xp.stack(found)).astype(np.float64)
    if not np.all(np.isfinite(norms)):
        raise NonFiniteError("a product of A' with a random vector holds NaN or infinity")
    return norms


def _typical_sizes(sizes: Array) -> Array:
    """The geometric mean of each row; 0 of zeros."""
    xp = namespace(sizes)
    floor = xp.finfo(sizes.dtype).smallest_normal
    logs = xp.log(xp.where(sizes > floor, sizes, xp.full_like(sizes, float(floor))))
    means = xp.where(xp.any(sizes > floor, axis=1), xp.exp(xp.mean(logs, axis=1)), 0.0 * logs[:, 0])
    # NaN fails the comparisons: it is told by what is added.
    return means + 0.0 * xp.sum(sizes, axis=1)


def _transposed(operator: Operator, vectors: Array, block: int) -> Array:
    """A' times the columns of a matrix."""
    xp = namespace(vectors)
    count = int(vectors.shape[1])
    if operator.symmetric is True:
        pieces = (vectors[:, k : min(k + block, count)] for k in range(0, count, block))
        return xp.concat([operator.matmat(piece) for piece in pieces], axis=1)
    return xp.stack([operator.rmatvec(vectors[:, k]) for k in range(count)], axis=1)


def _scaled(products: Array) -> Array:
    """Divided by the largest absolute value, so that squares neither overflow nor vanish."""
    xp = namespace(products)
    top = xp.max(xp.abs(products))
    return products / xp.where(top > 0.0, top, xp.ones_like(top))
