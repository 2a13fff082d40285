"""Whether a point with a small gradient is a minimum: the leftmost eigenvalue, with evidence.

Dense and sparse Hessians are factorised, operators of low order multiplied out: exact
evidence. Of others a Lanczos run from a random start gives a lower bound with a stated
probability of failure. Where a direction of negative curvature is found the function is
searched along it, which leaves a saddle whatever the method is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tralgos.arrays import Array, eps, namespace, sizes
from tralgos.methods.evaluator import CountedOperator, CurvatureKind, Evaluator
from tralgos.methods.inner_others import multiplied_out
from tralgos.norms import EuclideanNorm
from tralgos.operators import DenseOperator, Operator, SparseOperator
from tralgos.subproblems.evidence import Curvature
from tralgos.subproblems.model import BudgetExhausted, Model
from tralgos.subproblems.selection import (
    DEFAULT_MEMORY,
    Certify,
    EvidenceOptions,
    choose_evidence,
    factorises,
)
from tralgos.subproblems.validation import power_of_two_scale

__all__ = ["CURVATURE_RTOL", "LeftmostEstimate", "examine", "leave_saddle"]

#: A minimum is reported where lambda_1 >= -CURVATURE_RTOL ||H|| has been shown.
CURVATURE_RTOL = 1e-3
#: Probability that the bound of a random Lanczos run is wrong.
FAILURE_PROBABILITY = 1e-6
#: Most products of a look.
_LOOK = 20
#: Curvature nearer to zero than this times eps ||H|| has no sign.
_ROUNDING = 64.0


@dataclass(frozen=True)
class _Effort:
    """What may be spent.

    Attributes
    ----------
    products : int or None
        Bound on the products of a random Lanczos run.
    small, dense : int
        Orders up to which operators are multiplied out, and dense matrices reduced.
    memory : int
        Bytes for a sparse factorisation or a basis.
    """

    products: int | None
    small: int
    dense: int
    memory: int


_EVIDENCE = _Effort(products=None, small=100, dense=3000, memory=DEFAULT_MEMORY)


@dataclass(frozen=True)
class LeftmostEstimate:
    """What is known of the leftmost eigenvalue of the Hessian at a point.

    Of a problem without a Hessian: of that by differences of its gradient, and so but for their
    errors.

    Attributes
    ----------
    value : float
        lambda_1 <= `value`: a Rayleigh quotient, to rounding the eigenvalue for exact evidence.
    lower : float
        lambda_1 >= `lower`, but for `failure_probability`; -inf if nothing was proved.
    evidence : {"exact", "probabilistic"}
    failure_probability : float
        0 for exact evidence.
    size : float
        An estimate of ||H||.
    matvecs : int
        Products that it took.
    direction : array, shape (n,), or None
        A unit vector of that curvature where it is negative beyond rounding.
    proved : bool
        Whether `lower` is at least -CURVATURE_RTOL `size`.
    """

    value: float
    lower: float
    evidence: str
    failure_probability: float
    size: float
    matvecs: int
    direction: Array | None = field(repr=False)
    proved: bool


def examine(
    problem: Evaluator, x: Array, gradient: Array, rng: np.random.Generator, *, look: bool
) -> LeftmostEstimate:
    """The leftmost eigenvalue of the Hessian at x.

    Where only a `look` is wanted: a twentieth of the products of the run so far, at least 2 and at
    most 20; 20 for a run that has made none. No products for matrices that are sparse, or
    dense and of order up to 3000 (500 for a look); n for operators of order up to 100.
    """
    kind: CurvatureKind = "exact" if problem.problem.has_hessian else "finite-difference"
    counted = problem.curvature(x, kind, gradient=gradient)
    before = problem.counts.nhvp
    effort = _look(before) if look else _EVIDENCE
    limits = [limit for limit in (problem.matvecs_left, effort.products) if limit is not None]
    products = min(limits, default=None)
    try:
        model, evidence = _model_and_kind(counted, x, effort, products)
        known = _known(model, EvidenceOptions(evidence, FAILURE_PROBABILITY, effort.memory, rng))
    finally:
        problem.counts.nhvp_evidence += problem.counts.nhvp - before
    return _estimate(known, model, problem.counts.nhvp - before)


def _known(model: Model, options: EvidenceOptions) -> Curvature | None:
    """What the products allow to be known; None if they do not suffice for anything."""
    known: Curvature | None = None
    try:
        known = choose_evidence(model, options, None)
        assert known is not None
        _sharpen(known, model)
    except BudgetExhausted:
        pass
    return known


def _look(products: int) -> _Effort:
    """A look costs little beside the run that it ends."""
    most = _LOOK if products == 0 else min(max(products // 20, 2), _LOOK)
    return _Effort(products=most, small=most, dense=500, memory=2**26)


def _model_and_kind(
    counted: CountedOperator, x: Array, effort: _Effort, products: int | None
) -> tuple[Model, Certify]:
    """Exact evidence where it is cheap beside the run that it ends, and fits the budget.

    A matrix is only handed over bare where it is factorised: all products are counted.
    """
    n, operand = int(x.shape[0]), counted.operand
    if isinstance(operand, DenseOperator) and n <= effort.dense:
        return _model(operand, x), "exact"
    if isinstance(operand, SparseOperator):
        model = _model(operand, x)
        # One of order one or two is a dense matrix.
        if n < 3 or factorises(model, effort.memory):
            return model, "exact"
    if n <= effort.small and (products is None or n <= products):
        return _model(multiplied_out(counted, x), x), "exact"
    model = _model(counted, x)
    model.max_matvec = products
    return model, "probabilistic"


class _SelfScaling(Model):
    """A model without a gradient that takes out the size of H as its first product shows it."""

    _scaled = False

    def hess(self, x: Array) -> Array:
        """H~ x: one product with H, counted."""
        y = super().hess(x)
        if not self._scaled:
            self._scaled = True
            above, below = sizes(y, x)
            if math.isfinite(above) and above > 0.0:
                self.hessian_scale = power_of_two_scale(above / below, x.dtype)
                y = y if self.hessian_scale == 1.0 else y * (1.0 / self.hessian_scale)
        return y


def _model(operator: Operator, x: Array) -> Model:
    """The Hessian with no gradient; the scale of a matrix is taken out here."""
    zero = namespace(x).zeros_like(x)
    size = operator.magnitude
    if size is None:
        return _SelfScaling(operator, zero, EuclideanNorm())
    scale = power_of_two_scale(size, x.dtype) if math.isfinite(size) else 1.0
    return Model(operator, zero, EuclideanNorm(), hessian_scale=scale, gradient_scale=scale)


def _sharpen(known: Curvature, model: Model) -> None:
    """Find the sign of lambda_1 + CURVATURE_RTOL ||H||, if that is possible."""
    if known.kind == "exact":
        known.settle(CURVATURE_RTOL)
        return
    while math.isinf(known.ritz) or not (
        known.lower >= -CURVATURE_RTOL * known.size or known.ritz < -_noise(known, model)
    ):
        if not known.refine():
            return


def _noise(known: Curvature, model: Model) -> float:
    return _ROUNDING * model.eps * known.size


def _estimate(known: Curvature | None, model: Model, matvecs: int) -> LeftmostEstimate:
    if known is None or math.isinf(known.ritz):
        return LeftmostEstimate(
            math.inf, -math.inf, "probabilistic", 1.0, 0.0, matvecs, None, False
        )
    # The basis of a random run is stored, so its vector costs no product.
    model.max_matvec = None
    exact = known.kind == "exact"
    direction = known.vector() if known.ritz < -_noise(known, model) else None
    scale = model.hessian_scale
    return LeftmostEstimate(
        value=known.ritz * scale,
        lower=known.lower * scale,
        evidence=known.kind,
        failure_probability=0.0 if exact else FAILURE_PROBABILITY,
        size=known.size * scale,
        matvecs=matvecs,
        direction=direction,
        proved=known.lower >= -CURVATURE_RTOL * known.size,
    )


def leave_saddle(
    problem: Evaluator, x: Array, value: float, gradient: Array, leftmost: LeftmostEstimate
) -> tuple[Array, float] | None:
    """A point along the direction of negative curvature where f is lower; None if none is found.

    Both signs are tried, the downhill one first, from a step of the size of x on, and
    quartered until the model's decrease lies below rounding. At least a tenth of the decrease
    that the curvature promises has to be there beyond that of the slope: a convex f falls
    along its slope as well.
    """
    v = leftmost.direction
    if v is None:
        return None
    norm = EuclideanNorm()
    slope = norm.inner(gradient, v)
    if slope > 0.0:
        v, slope = -1.0 * v, -slope
    size = norm.norm(x)
    length, least = max(1.0, size), eps(x.dtype) * size
    noise = 64.0 * eps(x.dtype) * abs(value)
    bend = 0.5 * leftmost.value
    while length > least and length * length * abs(bend) > noise:
        for sign in (1.0, -1.0):
            trial = x + (sign * length) * v
            found = problem.value(trial)
            enough = value + sign * slope * length + 0.1 * length * length * bend
            if math.isfinite(found) and found < value and found <= enough:
                return trial, found
        length *= 0.25
    return None
