"""The Cauchy point and the eigenpoint: what a trust-region step has to do as well as.

Assumption 2 of the adaptive-norms paper (Eq. 28) asks of every step at least the
model decrease of both, in the norm of the region. Each is the minimiser of the
model along one line, so each costs one product with H.
"""

from __future__ import annotations

import math
from typing import Any

from tralgos.arguments import check_max_matvec, check_probability, check_rng, positive_scalar
from tralgos.arrays import Array, all_finite, real_vector, same_home
from tralgos.errors import ArgumentError, ShapeError
from tralgos.subproblems.model import Model
from tralgos.subproblems.validation import power_of_two_scale, validated_model

__all__ = ["cauchy_point", "eigen_point"]


def _inside(model: Model, step: Array, radius: float) -> Array:
    """`step`, shortened by rounding errors until its norm as computed is at most `radius`."""
    for _ in range(4):
        length = model.norm.norm(step)
        if length <= radius:
            break
        step = step * (radius / length * (1.0 - model.eps))
    return step


def cauchy_point(H: Any, g: Array, radius: float, *, norm: Any = None) -> Array:
    r"""Minimiser of q(s) = g's + s'Hs/2 along -M^-1 g in the region ||s||_M <= radius.

    Parameters
    ----------
    H : anything that :func:`tralgos.operators.as_operator` accepts, shape (n, n)
        The symmetric matrix. Matrices are checked for symmetry, operators are not.
    g : array, shape (n,)
        Gradient; integers are promoted to float64.
    radius : float
        r, positive and finite.
    norm : Norm, optional
        Norm of the region; Euclidean by default.

    Returns
    -------
    array, shape (n,)
        With namespace, device and dtype of g; its norm as computed is at most
        the radius. Zero for g = 0.

    Raises
    ------
    ArgumentError, ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError
        On bad input, naming the argument.

    Notes
    -----
    One product with H (none for g = 0). With :math:`\|g\|` the dual norm and
    :math:`\|H\|` the norm of the operator M^-1 H in the norm M,

    .. math:: q(0) - q(s_C) \ge \tfrac12 \|g\| \min(r, \|g\| / \|H\|)

    (Conn, Gould and Toint 2000, Theorem 6.3.1, with the sharp constant). Proof:
    along -tu, u = M^-1 g/||g||, q is -t||g|| + t^2 u'Hu/2. Where u'Hu <= 0, or the
    minimiser lies outside, t = r and the decrease is at least r||g||/2, since then
    r u'Hu <= ||g||; inside it is ||g||^2/(2 u'Hu). Equality holds for g an
    eigenvector of the largest |eigenvalue|, positive, and r >= ||g||/||H||.
    """
    radius = positive_scalar(radius, "radius")
    model = validated_model(H, g, norm, rng=check_rng(None), probe=False)
    length = model.norm.dual_norm(model.g)
    if length == 0.0:
        return model.xp.zeros_like(model.g)
    unit = (1.0 / length) * model.norm.solve(model.g)
    (curvature,) = model.fetch(model.dot(unit, model.hess(unit)))
    return _inside(model, -_reach(model, length, curvature, radius) * unit, radius)


def _reach(model: Model, slope: float, curvature: float, radius: float) -> float:
    """The t in [0, radius] that minimises -slope t + curvature t^2/2, in the caller's units.

    ``slope`` >= 0 and ``curvature`` are those of the scaled model. A minimiser that
    overflows is beyond the radius.
    """
    if curvature > 0.0:
        scale = model.gradient_scale / model.hessian_scale
        return min(radius, slope / curvature * scale)
    return radius if slope > 0.0 or curvature < 0.0 else 0.0


def eigen_point(
    H: Any,
    g: Array,
    radius: float,
    *,
    norm: Any = None,
    direction: Array | None = None,
    failure_probability: float = 1e-6,
    max_matvec: int | None = None,
    rng: Any = None,
) -> Array:
    r"""Minimiser of q(s) = g's + s'Hs/2 along a direction of least curvature, ||s||_M <= radius.

    Parameters
    ----------
    H, g, radius, norm
        As in :func:`cauchy_point`.
    direction : array, shape (n,), optional
        v, of any length but zero. Default: the Ritz vector of
        :func:`tralgos.curvature_bound`, an approximate leftmost eigenvector of
        the pencil (H, M).
    failure_probability, max_matvec, rng
        Passed on to :func:`tralgos.curvature_bound` where there is no `direction`.

    Returns
    -------
    array, shape (n,)
        With namespace, device and dtype of g; its norm as computed is at most
        the radius.

    Raises
    ------
    ArgumentError, ArrayTypeError, ShapeError, NonFiniteError, AsymmetryError
        On bad input, naming the argument.

    Notes
    -----
    One product with H, and those of the curvature bound where there is no
    `direction`. With ||v||_M = 1 and kappa = v'Hv:

    - kappa < 0: s = -r sign(g'v) v, and s = r v where g'v = 0. Then
      :math:`q(0) - q(s_E) = r|g'v| + |\kappa| r^2/2 \ge |\kappa| r^2/2`, and
      kappa = lambda_min for an exact eigenvector.
    - kappa >= 0: no decrease of second order is promised by anything, and
      Assumption 2 asks for none. s is still the minimiser along v, of length
      min(r, |g'v|/kappa), which is zero where g'v = 0.
    """
    radius = positive_scalar(radius, "radius")
    failure_probability = check_probability(failure_probability)
    max_matvec = check_max_matvec(max_matvec)
    generator = check_rng(rng)
    model = validated_model(H, g, norm, rng=generator, probe=False)
    if direction is None:
        # Imported here because the bound is the more expensive layer above.
        from tralgos.subproblems.curvature import curvature_bound

        found = curvature_bound(
            H,
            like=model.g,
            norm=norm,
            failure_probability=failure_probability,
            max_matvec=max_matvec,
            rng=generator,
        )
        direction = found.vector
    unit = _unit(model, direction)
    curvature, slope = model.fetch(model.dot(unit, model.hess(unit)), model.dot(model.g, unit))
    reach = _reach(model, abs(slope), curvature, radius)
    sign = -1.0 if slope > 0.0 else 1.0
    return _inside(model, (sign * reach) * unit, radius)


def _unit(model: Model, direction: Array) -> Array:
    """`direction`, checked and brought to unit length in the norm."""
    direction = real_vector(direction, "direction")
    same_home(direction, model.g, "direction", "g")
    if direction.shape[0] != model.n:
        raise ShapeError(f"direction has length {direction.shape[0]} but g has {model.n}")
    all_finite(direction, "direction")
    (largest,) = model.fetch(model.xp.max(model.xp.abs(direction)))
    # Squares of extreme entries would leave the range of the dtype.
    scale = power_of_two_scale(largest, model.g.dtype)
    direction = direction if scale == 1.0 else direction * (1.0 / scale)
    length = model.norm.norm(direction)
    if not 0.0 < length < math.inf:
        raise ArgumentError("direction must not be zero")
    return (1.0 / length) * direction
