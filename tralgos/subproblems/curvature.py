"""A lower bound on the leftmost eigenvalue of a pencil, with its evidence and its cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tralgos.arguments import (
    check_choice,
    check_max_matvec,
    check_memory,
    check_probability,
    check_rng,
    positive_scalar,
)
from tralgos.arrays import Array, device_of, is_array, namespace, real_vector
from tralgos.errors import ArgumentError
from tralgos.operators import SparseOperator, as_operator
from tralgos.subproblems.model import BudgetExhausted
from tralgos.subproblems.result import Evidence
from tralgos.subproblems.selection import (
    DEFAULT_MEMORY,
    Certify,
    EvidenceOptions,
    choose_evidence,
)
from tralgos.subproblems.validation import validated_model

__all__ = ["CurvatureBound", "curvature_bound"]


@dataclass(frozen=True)
class CurvatureBound:
    """What is known of the leftmost eigenvalue lambda_1 of (H, M).

    Attributes
    ----------
    lower : float
        lambda_1 >= `lower`, but for `failure_probability`; -inf if nothing was proved.
    value : float
        lambda_1 <= `value`: a Rayleigh quotient, to rounding the eigenvalue for exact evidence.
    vector : array, shape (n,)
        The vector of `value`, of M-norm 1.
    evidence : {"exact", "probabilistic"}
    failure_probability : float
        0 for exact evidence.
    matvecs : int
        Products with H in all.
    """

    lower: float
    value: float
    vector: Array = field(repr=False)
    evidence: Evidence
    failure_probability: float
    matvecs: int


def curvature_bound(
    H: Any,
    *,
    norm: Any = None,
    certify: Certify = "auto",
    failure_probability: float = 1e-6,
    rtol: float = 1e-3,
    max_matvec: int | None = None,
    memory: int | None = None,
    like: Array | None = None,
    rng: np.random.Generator | int | None = None,
) -> CurvatureBound:
    """Bound the leftmost eigenvalue of the pencil (H, M) from below, with evidence.

    Parameters
    ----------
    H : as for :func:`tralgos.solve_trs`, (n, n)
        Symmetric.
    norm : Norm, optional
        M; Euclidean by default.
    certify : {"auto", "exact", "probabilistic"}
        As for :class:`tralgos.Subproblem`.
    failure_probability : float
        Of probabilistic evidence, in (0, 1).
    rtol : float
        Probabilistic evidence stops when the bound is within `rtol` times the size of
        the eigenvalue; it may end sooner, at rounding or after 5000 products.
    max_matvec : int, optional
        Bound on the products with H.
    memory : int, optional
        Bytes; as for :class:`tralgos.Subproblem`.
    like : array, shape (n,), optional
        Shows the namespace, device and dtype of the vectors that an operator
        multiplies; NumPy float64 by default. Its values are not used.
    rng : numpy.random.Generator or int, optional
        A fixed seed by default.

    Returns
    -------
    CurvatureBound

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError, ArgumentError
        On bad input, naming the argument.

    Notes
    -----
    Exact: the eigenvalue of a dense reduction less max(8, n/8) eps ||H||_M, or the inertia of a
    sparse factorisation with its own error bound. Probabilistic: the polynomial bound of van
    Dorsselaer, Hochstenbach and van der Vorst (2000).

    Host transfers: 1 a product of probabilistic evidence.
    """
    check_choice(certify, "certify", ("auto", "exact", "probabilistic"))
    probability = check_probability(failure_probability)
    tolerance = positive_scalar(rtol, "rtol")
    limit = check_max_matvec(max_matvec)
    generator = check_rng(rng)
    try:
        zero = _zero_like(H, like)
        model = validated_model(H, zero, norm, max_matvec=limit, rng=generator)
    except BudgetExhausted:
        raise ArgumentError(
            f"max_matvec={max_matvec} does not suffice to check that H is symmetric"
        ) from None
    options = EvidenceOptions(certify, probability, check_memory(memory, DEFAULT_MEMORY), generator)
    curvature = choose_evidence(model, options, None)
    assert curvature is not None
    try:
        curvature.settle(tolerance)
    except BudgetExhausted:
        if math.isinf(curvature.ritz):
            raise ArgumentError(
                f"max_matvec={max_matvec} does not suffice for one iteration"
            ) from None
        # The basis of this run is stored, so its vector costs no product.
        model.max_matvec = None
    exact = curvature.kind == "exact"
    return CurvatureBound(
        lower=curvature.lower * model.hessian_scale,
        value=curvature.ritz * model.hessian_scale,
        vector=curvature.vector(),
        evidence=curvature.kind,
        failure_probability=0.0 if exact else probability,
        matvecs=model.matvecs,
    )


def _zero_like(H: Any, like: Array | None) -> Array:
    """The zero vector that shows where the products live."""
    if like is not None:
        return namespace(like).zeros_like(real_vector(like, "like"))
    operator = as_operator(H, "H")
    n = operator.shape[0]
    if is_array(H):
        xp = namespace(H)
        floating = H.dtype in (xp.float32, xp.float64)
        dtype = H.dtype if floating else xp.float64
        return xp.zeros(n, dtype=dtype, device=device_of(H))
    if isinstance(operator, SparseOperator):
        return np.zeros(n, dtype=operator.matrix.dtype)
    home = operator.home
    if home is not None:
        return namespace(home).zeros(n, dtype=home.dtype, device=device_of(home))
    return np.zeros(n)
