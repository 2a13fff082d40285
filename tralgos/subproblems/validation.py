"""Everything that is checked before a subproblem is worked on, in one place.

A named error comes before any work. What can only be seen through products
with H (asymmetry, and the size of an operator that does not know its own) is
found with one random probe u, drawn from the caller's generator:

- size: max|Hu| / max|u|;
- symmetry: u'(Hw) = w'(Hu) for w = M^-1 g, whose product every solver starts
  with and can take from :attr:`Model.first_product`, so the test costs one
  product beyond the solver's own. For an asymmetric H the two sides differ by
  u'(H - H')w, normally distributed with deviation ||(H - H')w||, so a defect d
  times the tolerance is missed with a probability of about 1/d. (An asymmetry
  that M^-1 g does not see at all is missed; the solver then does not see it in
  its first product either.) Matrices are compared entry by entry instead.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.arguments import number
from tralgos.arrays import (
    Array,
    all_finite,
    eps,
    real_vector,
    sizes,
    standard_normal,
)
from tralgos.errors import ArgumentError, AsymmetryError, NonFiniteError, ShapeError
from tralgos.norms import as_norm
from tralgos.operators import DenseOperator, SparseOperator, as_operator, check_symmetric
from tralgos.subproblems.model import Model

__all__ = ["check_rtol", "power_of_two_scale", "validated_model"]


def check_rtol(rtol: object, dtype: Any) -> float:
    """`rtol` as a float; None is 1e-8 in float64 and 1e3 eps in float32.

    Raises
    ------
    ArgumentError
        If `rtol` is not in (0, 1).
    """
    if rtol is None:
        return 1e3 * eps(dtype) if eps(dtype) > 1e-8 else 1e-8
    value = number(rtol, "rtol")
    if not 0.0 < value < 1.0:
        raise ArgumentError(f"rtol must lie in (0, 1), got {value}")
    return value


def power_of_two_scale(size: float, dtype: Any) -> float:
    """1 where `size` is moderate, else the power of two next to it.

    Moderate is 2^-200 to 2^200 in float64 and 2^-20 to 2^20 in float32: then a
    product of a few such numbers, and a sum of squares, stays clear of overflow
    and of underflow. The scale and its reciprocal are normal numbers of `dtype`.
    """
    single = eps(dtype) > 1e-10
    moderate, extreme = (20, 126) if single else (200, 1022)
    if size == 0.0 or 2.0**-moderate <= size <= 2.0**moderate:
        return 1.0
    return 2.0 ** min(max(round(math.log2(size)), -extreme), extreme)


def _symmetry_rtol(model: Model) -> float:
    """The operator's own allowance, else that of :func:`tralgos.operators.check_symmetric`."""
    own = model.operator.symmetry_tolerance
    return max(1e4, 100.0 * math.sqrt(model.n)) * model.eps if own is None else float(own)


def _checked_pair(model: Model, probe: Array, product: Array, direction: Array) -> Array:
    """Compare u'(Hw) with w'(Hu) and return Hw; `probe` is u, `product` Hu, `direction` w."""
    other = model.hess(direction)
    difference, uu, ww, hu, hw = model.fetch(
        model.dot(probe, other) - model.dot(direction, product),
        model.dot(probe, probe),
        model.dot(direction, direction),
        model.dot(product, product),
        model.dot(other, other),
    )
    # Both forms have about the size ||Hw||; ||Hu||/||u|| estimates ||H||_F/sqrt(n), which
    # is what rounding goes by where Hw cancels.
    scale = math.sqrt(hw + ww * hu / uu) if uu > 0.0 else 0.0
    tolerance = _symmetry_rtol(model)
    if abs(difference) > tolerance * scale:
        raise AsymmetryError(
            f"H must be symmetric: u'(Hw) and w'(Hu) differ by {abs(difference) / scale:.3g} of "
            f"their size for a random u and w = M^-1 g, more than {tolerance:.3g}"
        )
    return other


def _probe(model: Model, rng: np.random.Generator, *, symmetry: bool, size: bool) -> None:
    """Set the scale of H and check its symmetry from products with a random vector."""
    xp = model.xp
    probe = standard_normal(model.n, model.g, rng)
    product = model.hess(probe)
    if size:
        top, bottom = sizes(product, probe)
        if not math.isfinite(top):
            raise NonFiniteError(
                f"NaN or infinity after product {model.matvecs} with H (matvec {model.matvecs})"
            )
        scale = power_of_two_scale(top / bottom, model.g.dtype)
        if top == 0.0:
            scale = model.gradient_scale
        model.hessian_scale *= scale
        product = product if scale == 1.0 else product * (1.0 / scale)
    if not symmetry:
        return
    direction = model.norm.solve(model.g)
    (length,) = sizes(direction)
    if length == 0.0:
        # g = 0 shows nothing; a second random vector does.
        direction = standard_normal(model.n, model.g, rng)
    other = _checked_pair(model, probe, product, direction)
    model.first_product = other if length > 0.0 else xp.zeros_like(model.g)


def validated_model(
    H: Any,
    g: Array,
    norm: Any,
    *,
    max_matvec: int | None = None,
    rng: np.random.Generator,
    check: bool = True,
    probe: bool = True,
) -> Model:
    """The scaled model of valid data, or a named error.

    Parameters
    ----------
    H : anything that :func:`tralgos.operators.as_operator` accepts, shape (n, n)
        The symmetric matrix.
    g : array, shape (n,)
        Gradient; integers are promoted to float64.
    norm : Norm or None
        Norm of the space; None is Euclidean.
    max_matvec : int, optional
        Bound on the products with H, those of the checks included.
    rng : numpy.random.Generator
        Source of the probe.
    check : bool
        Whether H is tested for symmetry where it is not declared symmetric.
    probe : bool
        Whether products with H may be made for that, and for its size. Without
        them an operator counts as symmetric and of moderate size.

    Returns
    -------
    Model
        With `first_product` = H~ M^-1 g~ where the test has computed it. One
        product with H where the size of H is unknown, two where its symmetry
        is, none for what knows both; all are counted in `matvecs`.

    Raises
    ------
    ArrayTypeError, ShapeError, NonFiniteError, NotPositiveDefiniteError
        On data of the wrong kind, shape or value, naming the argument.
    AsymmetryError
        If H is not symmetric.
    BudgetExhausted
        If `max_matvec` does not suffice for the checks.
    """
    g = real_vector(g, "g")
    if g.shape[0] == 0:
        raise ShapeError("g is empty: a subproblem needs at least one variable")
    all_finite(g, "g")
    H = as_operator(H, "H", like=g)
    norm = as_norm(norm, g)
    if H.symmetric is False:
        raise AsymmetryError(f"H must be symmetric: its {type(H).__name__} is declared not to be")
    matrix = isinstance(H, DenseOperator | SparseOperator)
    if check and matrix:
        check_symmetric(H, g, rng=rng)
    magnitude = H.magnitude
    if magnitude is not None and not math.isfinite(magnitude):
        raise NonFiniteError("H has entries that are NaN or infinite")
    (largest,) = sizes(g)
    model = Model(
        H,
        g,
        norm,
        hessian_scale=1.0 if magnitude is None else power_of_two_scale(magnitude, g.dtype),
        gradient_scale=power_of_two_scale(largest, g.dtype),
        max_matvec=max_matvec,
    )
    symmetry = check and not matrix and H.symmetric is None
    if probe and (symmetry or magnitude is None):
        _probe(model, rng, symmetry=symmetry, size=magnitude is None)
    # What is zero has no size of its own, and must not make the radius extreme.
    if largest == 0.0:
        model.gradient_scale = model.hessian_scale
    elif magnitude == 0.0:
        model.hessian_scale = model.gradient_scale
    return model
