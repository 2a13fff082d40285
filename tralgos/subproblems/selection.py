"""Which solver and which evidence: every decision that `auto` stands for, in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tralgos.arrays import Array, is_numpy, to_host
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.memory import allocating
from tralgos.norms import EuclideanNorm, Norm
from tralgos.operators import DenseOperator, ScaledOperator, SparseOperator, as_operator
from tralgos.operators.inertia import fill_estimate
from tralgos.subproblems.direct import DenseReduction, no_matrix
from tralgos.subproblems.evidence import Curvature, DenseCurvature
from tralgos.subproblems.model import Model
from tralgos.subproblems.random_curvature import RandomCurvature
from tralgos.subproblems.sparse_curvature import SparseCurvature

__all__ = [
    "DEFAULT_MEMORY",
    "SMALL",
    "Certify",
    "EvidenceOptions",
    "choose_evidence",
    "dense_matrix",
    "factorises",
    "fits_dense",
    "upper_eigenvalue",
]

Certify = Literal["auto", "exact", "probabilistic", "none"]

#: Bytes that a basis, a dense copy or a factorisation may take unless the caller says otherwise.
DEFAULT_MEMORY = 2 << 30
#: Up to this order an operator is multiplied out, at n products, and the rest is exact.
SMALL = 500
#: Bytes per entry of the fill estimate: two factors of 8-byte values and 4-byte indices.
_FILL_BYTES = 24


@dataclass(frozen=True)
class EvidenceOptions:
    """What a caller wants of the evidence.

    Attributes
    ----------
    certify : {"auto", "exact", "probabilistic", "none"}
    failure_probability : float
    memory : int
        Bytes.
    rng : numpy.random.Generator
    """

    certify: Certify
    failure_probability: float
    memory: int
    rng: np.random.Generator


def fits_dense(model: Model, memory: int) -> bool:
    """Whether the direct reduction's working copies of an n x n matrix fit: three of them."""
    return 3 * model.n * model.n * (4 if model.eps > 1e-8 else 8) <= memory


def dense_matrix(model: Model) -> Array:
    """H as a dense array, unscaled: no products for a matrix, n for an operator.

    Raises
    ------
    ArgumentError
        If the budget of products does not hold that many and one for the certificate.
    """
    H = model.operator
    if isinstance(H, DenseOperator):
        return H.array
    if isinstance(H, SparseOperator) and is_numpy(model.g):
        return H.matrix.toarray()
    if model.max_matvec is not None and model.matvecs + model.n >= model.max_matvec:
        left = model.max_matvec - model.matvecs
        raise ArgumentError(
            f"max_matvec leaves {left} products, but multiplying out H takes {model.n} and its "
            "certificate one: raise max_matvec, or use method='krylov' and another certify"
        )
    xp = model.xp
    with allocating("H multiplied out", model.n, model.n, model.g, no_matrix(model.g)):
        identity = xp.eye(model.n, dtype=model.g.dtype, device=model.device)
        product = H.matmat(identity)
    bad = np.flatnonzero(to_host(xp.any(~xp.isfinite(product), axis=0)))
    if bad.size:
        at = model.matvecs + int(bad[0]) + 1
        raise NonFiniteError(f"NaN or infinity after product {at} with H (matvec {at})")
    model.matvecs += model.n
    # Products with an operator are symmetric only to rounding; LAPACK reads one triangle.
    return 0.5 * (product + xp.matrix_transpose(product))


def choose_evidence(
    model: Model, options: EvidenceOptions, reduction: DenseReduction | None
) -> Curvature | None:
    """The evidence that `options.certify` asks for, or that its "auto" comes to.

    `auto`: exact for what is dense or sparse and fits the memory bound, and for an
    operator of order up to 500; else probabilistic.

    Raises
    ------
    ArgumentError
        If exact evidence is asked for and does not fit the memory bound.
    """
    if options.certify == "none":
        return None
    if options.certify != "probabilistic":
        exact = _exact(model, options, reduction)
        if exact is not None:
            return exact
        if options.certify == "exact":
            raise ArgumentError(
                f"certify='exact' needs a factorisation of order {model.n} that does not fit "
                f"memory={options.memory} bytes; raise memory, or use certify='probabilistic'"
            )
    return RandomCurvature(
        model,
        failure_probability=options.failure_probability,
        upper_eigenvalue=upper_eigenvalue(model, options),
        limit=min(4 * model.n + 20, 5000),
        memory=options.memory,
        rng=options.rng,
    )


def _exact(
    model: Model, options: EvidenceOptions, reduction: DenseReduction | None
) -> Curvature | None:
    if reduction is not None:
        return DenseCurvature(model, reduction)
    sparse = _sparse(model, options)
    if sparse is not None:
        return sparse
    dense = isinstance(model.operator, DenseOperator | SparseOperator)
    affordable = model.max_matvec is None or model.matvecs + model.n < model.max_matvec
    if not fits_dense(model, options.memory):
        return None
    if dense or options.certify == "exact" or (model.n <= SMALL and affordable):
        before = model.matvecs
        reduction = DenseReduction(model, dense_matrix(model))
        return DenseCurvature(model, reduction, model.matvecs - before)
    return None


def factorises(model: Model, memory: int) -> bool:
    """Whether H and M are sparse and their factor fits into `memory` bytes; no products."""
    H = model.operator
    if not isinstance(H, SparseOperator) or not is_numpy(model.g):
        return False
    # ARPACK needs three dimensions.
    weight = model.norm.sparse_matrix(model.g)
    if weight is None or model.n < 3:
        return False
    pattern: Any = abs(H.matrix) + abs(weight)
    return bool(_FILL_BYTES * fill_estimate(pattern) <= memory)


def _sparse(model: Model, options: EvidenceOptions) -> Curvature | None:
    """Evidence by sparse factorisation, where H and M are sparse and their factor fits."""
    if not factorises(model, options.memory):
        return None
    H = model.operator
    assert isinstance(H, SparseOperator)
    return SparseCurvature(model, H.matrix, model.norm.sparse_matrix(model.g), options.rng)


@dataclass(frozen=True)
class _NormOperator:
    """s -> M s, as an operator."""

    norm: Norm
    n: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.n, self.n

    def matvec(self, x: Array) -> Array:
        return self.norm.apply(x)


def upper_eigenvalue(model: Model, options: EvidenceOptions) -> float:
    """An upper bound on the largest eigenvalue of M.

    Known for all norms but one given by an operator without bounds; for that one, a
    Lanczos run on -M with a hundredth of the failure probability, which costs products
    with M and none with H.
    """
    known = model.norm.upper_eigenvalue()
    if known is not None:
        return known
    negative = ScaledOperator(-1.0, as_operator(_NormOperator(model.norm, model.n), "M", model.g))
    run = RandomCurvature(
        Model(negative, model.g, EuclideanNorm()),
        failure_probability=0.01 * options.failure_probability,
        upper_eigenvalue=1.0,
        limit=min(4 * model.n + 20, 2000),
        memory=options.memory,
        rng=options.rng,
    )
    run.prove(0.0, 0.0, math.inf)
    return -run.lower
