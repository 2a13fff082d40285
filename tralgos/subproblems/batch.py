"""Many small dense trust-region subproblems at once."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from tralgos.arguments import check_memory
from tralgos.arrays import Array, device_of, is_numpy, namespace
from tralgos.subproblems.batch_diagonal import EigenReduction
from tralgos.subproblems.batch_measure import Candidates, Figures, Reduction, measured
from tralgos.subproblems.batch_points import LEAST_LANES
from tralgos.subproblems.batch_reduction import TridiagonalReduction
from tralgos.subproblems.batch_result import BatchResult
from tralgos.subproblems.batch_scales import Scales, host_scales
from tralgos.subproblems.batch_secular import minimum_on_sphere
from tralgos.subproblems.batch_validation import Batch, validated_batch, workspace
from tralgos.subproblems.validation import check_rtol

__all__ = ["solve_trs_batch"]

#: On NumPy, problems whose secular equations are solved together: calls are few, and rows of
#: them stay in the cache.
_LANES = 4096
#: Bytes of workspace where the caller gives no bound.
_MEMORY = 1 << 28


def solve_trs_batch(
    H: Array,
    g: Array,
    radius: float | Array,
    *,
    rtol: float | None = None,
    memory: int | None = None,
) -> BatchResult:
    """Minimise g_i's + s'H_i s/2 over ||s|| <= r_i for b dense problems, each certified.

    Parameters
    ----------
    H : array, shape (b, n, n)
        Symmetric matrices of any inertia, float32 or float64 (integers become float64).
    g : array, shape (b, n)
        Gradients, of the library, device and dtype of H.
    radius : float or array, shape (b,)
        Positive and finite; an array is of the library, device and dtype of H. One of shape ()
        is taken for the number that it holds.
    rtol : float, optional
        Status GLOBAL asks for a certified gap below `rtol` times the model decrease.
        Default: 1e-8 in float64 and 1e3 eps in float32.
    memory : int, optional
        Bytes of workspace that may be used beyond the arguments and the result, the checks
        included; the batch is worked on in chunks that fit, of one problem (NumPy: eight, and
        at most 4096) at least. Default: 256 MiB.

    Returns
    -------
    BatchResult
        Steps, figures and certificates as arrays over the problems.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError, ArgumentError
        On bad input, naming the argument and the first problem at fault, before any work.
        Integers beside float32 are refused.

    Notes
    -----
    The norm is Euclidean. On NumPy the matrices are reduced to tridiagonal form, those of
    order at most 16 by reflections of thousands of them at once; what is returned for a
    problem does not depend on the others, or on its place, to the last bit. Elsewhere the
    library's batched eigendecomposition is taken. Then one Newton iteration for the secular
    equations of all problems together, the hard case included, and one product with each H
    for its certificate. O(n^3) a problem.

    Host transfers: one for the checks, one for a radius of shape (), and in each chunk one for
    the scales (three numbers a problem) and one every four Newton iterations.

    The certificate is derived in the documentation, page "The certificate"; the curvature
    is the leftmost eigenvalue less max(16, n/8) eps ||H|| (max(20, n/8) eps ||H|| by an
    eigendecomposition). What rounding does to the gap is said at :class:`BatchResult`.

    Examples
    --------
    >>> import numpy as np
    >>> from tralgos import solve_trs_batch
    >>> H = np.stack([np.diag([1.0, 2.0]), np.diag([-1.0, 2.0])])
    >>> result = solve_trs_batch(H, np.array([[1.0, 0.0], [0.0, 1.0]]), 2.0)
    >>> result.multiplier.round(6).tolist(), result.hard_case.tolist()
    ([0.0, 1.0], [False, True])
    """
    bound = check_memory(memory, _MEMORY)
    batch = validated_batch(H, g, radius, bound)
    tolerance = check_rtol(rtol, batch.like.dtype)
    b, n = batch.shape
    width = _chunk(batch, bound)
    chunks = [(lo, min(lo + width, b)) for lo in range(0, b, width)]
    # Zeros and infinities are met and told apart by comparisons.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        if len(chunks) == 1:
            return BatchResult(**vars(_solve_chunk(batch, 0, b, tolerance)), rtol=tolerance)
        whole = _empty(batch.like, b, n)
        for lo, hi in chunks:
            for name, part in vars(_solve_chunk(batch, lo, hi, tolerance)).items():
                getattr(whole, name)[lo:hi, ...] = part
    return BatchResult(**vars(whole), rtol=tolerance)


def _chunk(batch: Batch, memory: int) -> int:
    """How many problems are worked on together, and as even a share as may be."""
    b, n = batch.shape
    most = max(1, memory // workspace(n))
    if is_numpy(batch.like):
        most = max(LEAST_LANES, min(most, _LANES))
    return max(1, math.ceil(b / max(1, math.ceil(b / most))))


def _solve_chunk(batch: Batch, lo: int, hi: int, rtol: float) -> Figures:
    H, g = batch.part(lo, hi)
    part = host_scales(*batch.sizes(lo, hi), H)
    xp = namespace(H)
    if not is_numpy(H):
        shrink = xp.astype(part.row("shrink_H"), H.dtype)
        columns = xp.matrix_transpose(g) * xp.astype(part.row("shrink_g"), g.dtype)
        reduction = EigenReduction(H * xp.reshape(shrink, (-1, 1, 1)), columns)
        return _figures(reduction, part, rtol)
    # Too few are filled up with nothing; see `LEAST_LANES`.
    part = part.filled(max(hi - lo, LEAST_LANES))
    columns = np.zeros((g.shape[1], part.table.shape[1]), g.dtype)
    np.multiply(g.T, part.row("shrink_g")[: hi - lo], out=columns[:, : hi - lo])
    shrink = part.row("shrink_H")[: hi - lo].astype(H.dtype)
    figures = _figures(TridiagonalReduction(H, columns, shrink), part, rtol)
    real = {f.name: getattr(figures, f.name)[: hi - lo] for f in fields(Figures)}
    # Row by row in memory, as the caller will read them.
    real["step"] = np.ascontiguousarray(real["step"])
    return Figures(**real)


def _figures(reduction: Reduction, scales: Scales, rtol: float) -> Figures:
    xp = namespace(reduction.c)
    system = reduction.system(scales.row("weight_H"), scales.row("weight_g"))
    sphere = minimum_on_sphere(system, scales.row("radius"))
    free, definite = reduction.inside()
    length = xp.sqrt(xp.sum(free * free, axis=0))
    interior = definite & (length <= scales.row("rho"))
    # Without the constraint the radius is no unit of the step.
    own = xp.where(sphere.flat, sphere.h * scales.row("ratio"), sphere.h)
    candidates = Candidates(
        h=xp.where(interior, free, own),
        multiplier=xp.where(interior, xp.zeros_like(length), sphere.multiplier),
        inside=interior | sphere.flat,
        hard=sphere.hard,
    )
    return measured(reduction, candidates, scales, rtol)


def _empty(like: Array, b: int, n: int) -> Figures:
    """Room for the figures of b problems."""
    xp, device = namespace(like), device_of(like)
    dtypes = dict.fromkeys((f.name for f in fields(Figures)), xp.float64)
    dtypes.update(on_boundary=xp.bool, hard_case=xp.bool, status_code=xp.int32)
    del dtypes["step"]
    figures = {name: xp.empty((b,), dtype=t, device=device) for name, t in dtypes.items()}
    return Figures(step=xp.empty((b, n), dtype=like.dtype, device=device), **figures)
