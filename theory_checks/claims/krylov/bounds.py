"""The bounds on the gap over a Krylov space, as published and as proved in docs/krylov-rates.md."""

from __future__ import annotations

from theory_checks.claims.krylov.common import Known
from theory_checks.precise import Real, norm, precise

__all__ = [
    "chebyshev_share",
    "fejer_bound",
    "published_linear",
    "published_sublinear",
    "ritz_bound",
    "scaled_bound",
    "sharp_bound",
    "tangent",
    "tau",
]


def chebyshev_share(data: Known, t: int) -> Real:
    """1/T_t((kappa + 1)/(kappa - 1)): what the best polynomial leaves of [m, L]; 0 if m = L."""
    context = precise()
    if data.least == 0:
        return context.mpf(1)
    if data.spread == 0:
        return context.mpf(0)
    c = 1 + 2 * data.least / data.spread
    return 1 / context.cosh(t * context.acosh(c))


def published_linear(data: Known, t: int, decrease: Real) -> Real:
    """36 (q(0) - q*) exp(-4t sqrt(m/L))."""
    context = precise()
    # With A = 0 the ratio has no value, and m = 0 decides.
    rate = context.sqrt(data.least / data.largest) if data.least else context.mpf(0)
    return 36 * decrease * context.exp(-4 * t * rate)


def scaled_bound(data: Known, t: int, decrease: Real) -> Real:
    """min(q(0) - q*, 4/(T_t - 1)^2 s*'As*/2), from a Chebyshev polynomial scaled to the sphere."""
    share = chebyshev_share(data, t)
    if share == 1:
        return decrease
    return min(decrease, data.energy * 4 * share**2 / (1 - share) ** 2)


def tau(data: Known, t: int) -> Real:
    """t s*'As*/(R^2 sqrt(mL)): what the share is to be small beside, for the sharp bound."""
    return (
        2 * t * data.energy / (data.problem.radius**2 * precise().sqrt(data.least * data.largest))
    )


def sharp_bound(data: Known, t: int) -> Real:
    """T_t^-2 (1 + T_t^-2 (4 + 3 tau)^2) s*'As*/2, for large t."""
    square = chebyshev_share(data, t) ** 2
    return data.energy * square * (1 + square * (4 + 3 * tau(data, t)) ** 2)


def tangent(data: Known, gradient: list[Real]) -> Real:
    """The tangent of the angle of g to the leftmost eigenspace; inf where they are orthogonal."""
    seen = [g for g, a in zip(gradient, data.curvatures, strict=True) if a == data.least]
    rest = [g for g, a in zip(gradient, data.curvatures, strict=True) if a != data.least]
    if not any(seen):
        return precise().inf
    return norm(rest) / norm(seen)


def published_sublinear(data: Known, t: int, gradient: list[Real]) -> Real:
    """(lambda_max - lambda_min) R^2/(t - 1/2)^2 (4 + [lambda_min < 0] log^2(4 ||g||^2/g_1^2)/8)."""
    context = precise()
    if data.spread == 0:
        return context.mpf(0)
    factor = context.mpf(4)
    if min(data.problem.spectrum) < 0:
        slope = tangent(data, gradient)
        factor += context.log(4 * (1 + slope**2)) ** 2 / 8
    return data.spread * data.problem.radius**2 * factor / (t - context.mpf(1) / 2) ** 2


def ritz_bound(data: Known, t: int, gradient: list[Real]) -> Real:
    """(lambda_max - lambda_min) tanh^2(arsinh(tan angle)/(2t - 1)), of theta_1 - lambda_1."""
    context = precise()
    slope = tangent(data, gradient)
    if context.isinf(slope):
        return data.spread
    return data.spread * context.tanh(context.asinh(slope) / (2 * t - 1)) ** 2


def fejer_bound(data: Known, t: int, gradient: list[Real]) -> Real:
    """3/(4 t (t + 2)) (lambda_max - lambda_min) R^2, and half the Ritz bound if lambda_min < 0."""
    square = data.problem.radius**2
    bound = 3 * data.spread * square / (4 * t * (t + 2))
    if min(data.problem.spectrum) < 0:
        bound += ritz_bound(data, t, gradient) * square / 2
    return bound
