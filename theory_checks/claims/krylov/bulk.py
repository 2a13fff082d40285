"""The gap of the Krylov minimiser for thousands of small trust-region problems at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from theory_checks.claim import Instance, Screen
from theory_checks.claims.krylov.common import instance_of

__all__ = [
    "Arrays",
    "draw_interior",
    "fejer",
    "interior",
    "published_linear",
    "published_sublinear",
    "scaled",
    "screen",
]

#: Rows by name: curvatures (size, n), step (size, n), multiplier (size,), t (size,).
Arrays = Mapping[str, Any]

#: A bound from the namespace and the rows.
Bound = Callable[[Any, Arrays], Any]

#: Draws rows.
Draw = Callable[[np.random.Generator, int], Mapping[str, np.ndarray]]

#: Dimensions of the problems.
_N = 4

#: Newton steps on the secular equation; they converge from the left, a few suffice.
_STEPS = 40

#: What float64 can tell of a gap, as a share of the decrease.
_RESOLVED = 1e-10


def _draw(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Curvatures over four decades or close to each other, some zero or repeated.

    The steps lean to the small ones.
    """
    a = np.sort(10.0 ** rng.uniform(-3.0, 1.0, (size, _N)), axis=1)
    a[:, 1] = np.where(rng.random(size) < 0.2, a[:, 0], a[:, 1])
    a[:, 0] = np.where(rng.random(size) < 0.1, 0.0, a[:, 0])
    # With four dimensions the linear bounds say something of moderate conditions only.
    shift = a[:, -1] * 10.0 ** rng.uniform(-1.0, 1.5, size)
    a = a + np.where(rng.random(size) < 0.5, shift, 0.0)[:, None]
    lean = rng.uniform(0.0, 1.0, (size, 1))
    step = rng.standard_normal((size, _N)) / np.maximum(a, 1e-3) ** lean
    multiplier = 10.0 ** rng.uniform(-4.0, 1.0, size)
    multiplier = np.where(rng.random(size) < 0.2, 0.0, multiplier)
    return {
        "curvatures": a,
        "step": step / np.linalg.norm(step, axis=1, keepdims=True),
        "multiplier": multiplier,
        "t": rng.integers(1, _N + 1, size),
    }


def _instance(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return instance_of(
        arrays["curvatures"][row].tolist(),
        arrays["step"][row].tolist(),
        float(arrays["multiplier"][row]),
        int(arrays["t"][row]),
    )


def _tridiagonal(xp: Any, spectrum: Any, gradient: Any, order: Any) -> tuple[Any, Any]:
    """T, cut off behind `order` rows, and the basis, of shape (size, n, n) both."""
    n = spectrum.shape[1]
    size = xp.max(xp.abs(spectrum), axis=1)
    vector = gradient / xp.sqrt(xp.sum(gradient * gradient, axis=1))[:, None]
    basis, rows = [vector], []
    tiny = 1e-300
    cut = order < 1
    beta = xp.zeros_like(size)
    for k in range(n):
        image = spectrum * basis[k]
        alpha = xp.sum(image * basis[k], axis=1)
        # Rows that are cut off have eigenvalues far above the others, and do not matter.
        row = [xp.zeros_like(size) for _ in range(n)]
        row[k] = xp.where(cut, 16.0 * size + 1.0, alpha)
        if k > 0:
            row[k - 1] = xp.where(cut, 0.0, beta)
        rows.append(row)
        for _ in range(2):
            for earlier in basis:
                image = image - xp.sum(image * earlier, axis=1)[:, None] * earlier
        beta = xp.sqrt(xp.sum(image * image, axis=1))
        cut = cut | (order <= k + 1) | (beta <= 1e-13 * size)
        basis.append(image / xp.maximum(beta, tiny)[:, None])
    T = xp.stack([xp.stack(row, axis=1) for row in rows], axis=1)
    below = xp.tril(T)
    return below + xp.swapaxes(xp.tril(T, -1), 1, 2), xp.stack(basis[:n], axis=1)


def krylov_gap(xp: Any, arrays: Arrays) -> Any:
    """Return q(s_t) - q(s*) for each row, with g != 0."""
    a, s, lam = arrays["curvatures"], arrays["step"], arrays["multiplier"]
    spectrum, gradient = a - lam[:, None], -a * s
    radius = xp.sqrt(xp.sum(s * s, axis=1))[:, None]
    T, basis = _tridiagonal(xp, spectrum, gradient, arrays["t"])
    ritz, turn = xp.linalg.eigh(T)
    first = xp.sqrt(xp.sum(gradient * gradient, axis=1))[:, None] * turn[:, 0, :]
    # From the left of the root Newton's method on 1/||h|| climbs to it.
    lower = xp.max(xp.abs(first) / radius - ritz, axis=1)
    nu = xp.maximum(lower, 0.0)
    for _ in range(_STEPS):
        shifted = ritz + nu[:, None]
        h = first / shifted
        square = xp.sum(h * h, axis=1)
        slope = xp.sum(h * h / shifted, axis=1)
        change = (xp.sqrt(square) / radius[:, 0] - 1.0) * square / slope
        nu = xp.maximum(nu + change, xp.maximum(lower, 0.0))
    h = -first / (ritz + nu[:, None])
    weights = xp.sum(turn * h[:, None, :], axis=2)
    found = xp.sum(basis * weights[:, :, None], axis=1)
    error = found - s
    short = -xp.sum(error * (found + s), axis=1)
    return (xp.sum(a * error * error, axis=1) + lam * short) / 2.0


def _energy(xp: Any, arrays: Arrays) -> Any:
    return xp.sum(arrays["curvatures"] * arrays["step"] ** 2, axis=1) / 2.0


def _decrease(xp: Any, arrays: Arrays) -> Any:
    square = xp.sum(arrays["step"] ** 2, axis=1)
    return _energy(xp, arrays) + arrays["multiplier"] * square / 2.0


def published_linear(xp: Any, arrays: Arrays) -> Any:
    """36 (q(0) - q*) exp(-4t sqrt(m/L)), row by row."""
    a, t = arrays["curvatures"], arrays["t"]
    return 36.0 * _decrease(xp, arrays) * xp.exp(-4.0 * t * xp.sqrt(a[:, 0] / a[:, -1]))


def scaled(xp: Any, arrays: Arrays) -> Any:
    """min(q(0) - q*, 4/(T_t - 1)^2 s*'As*/2), row by row."""
    a, t = arrays["curvatures"], arrays["t"]
    c = 1.0 + 2.0 * a[:, 0] / (a[:, -1] - a[:, 0])
    excess = xp.maximum(xp.cosh(t * xp.arccosh(c)) - 1.0, 1e-30)
    return xp.minimum(_decrease(xp, arrays), 4.0 / excess**2 * _energy(xp, arrays))


def _spread_and_tangent(xp: Any, arrays: Arrays) -> tuple[Any, Any]:
    """(lambda_max - lambda_min) R^2, and tan of the angle of g to the leftmost eigenspace."""
    a, s = arrays["curvatures"], arrays["step"]
    leftmost = a == a[:, :1]
    seen = xp.sqrt(xp.sum(xp.where(leftmost, a * s, 0.0) ** 2, axis=1))
    rest = xp.sqrt(xp.sum(xp.where(leftmost, 0.0, a * s) ** 2, axis=1))
    spread = (a[:, -1] - a[:, 0]) * xp.sum(s * s, axis=1)
    return spread, rest / xp.maximum(seen, 1e-200)


def published_sublinear(xp: Any, arrays: Arrays) -> Any:
    """The published bound that falls with t^-2, row by row."""
    spread, tangent = _spread_and_tangent(xp, arrays)
    negative = arrays["curvatures"][:, 0] < arrays["multiplier"]
    logs = xp.where(negative, (xp.log(4.0) + 2.0 * xp.log(xp.hypot(1.0, tangent))) ** 2, 0.0)
    return spread * (4.0 + logs / 8.0) / (arrays["t"] - 0.5) ** 2


def fejer(xp: Any, arrays: Arrays) -> Any:
    """The bound of this page that falls with t^-2, row by row."""
    spread, tangent = _spread_and_tangent(xp, arrays)
    t = arrays["t"]
    negative = arrays["curvatures"][:, 0] < arrays["multiplier"]
    ritz = xp.where(negative, xp.tanh(xp.arcsinh(tangent) / (2 * t - 1)) ** 2, 0.0)
    return spread * (0.75 / (t * (t + 2)) + ritz / 2.0)


def interior(xp: Any, arrays: Arrays) -> Any:
    """min(T_t^-2 (q(0) - q*), lambda_max ||s*||^2/(8 (t + 1/2)^2)), row by row."""
    a, t = arrays["curvatures"], arrays["t"]
    c = 1.0 + 2.0 * a[:, 0] / (a[:, -1] - a[:, 0])
    square = xp.sum(arrays["step"] ** 2, axis=1)
    limit = a[:, -1] * square / (8.0 * (t + 0.5) ** 2)
    return xp.minimum(_energy(xp, arrays) / xp.cosh(t * xp.arccosh(c)) ** 2, limit)


def draw_interior(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    """Draw rows without a multiplier, a quarter of them near those that attain the bound."""
    drawn = _draw(rng, size)
    a = drawn["curvatures"]
    # Curvatures at both ends alone, and one product with H: steps as 1/a are the slowest.
    plane = rng.random((size, 1)) < 0.25
    a = np.where(plane, np.stack([a[:, 0], a[:, 0], a[:, -1], a[:, -1]], axis=1), a)
    near = rng.uniform(0.9, 1.1, (size, _N)) / np.maximum(a, 1e-3)
    step = np.where(plane, near * np.array([1.0, 0.0, 1.0, 0.0]), drawn["step"])
    return {
        "curvatures": a,
        "step": step / np.linalg.norm(step, axis=1, keepdims=True),
        "multiplier": np.zeros(size),
        "t": np.where(plane[:, 0], 1, drawn["t"]),
    }


def screen(bound: Bound, draw: Draw = _draw) -> Screen:
    """Return the screen of a claim that the gap is at most `bound`."""

    def slack(xp: Any, arrays: Arrays) -> Any:
        limit = bound(xp, arrays)
        gap = krylov_gap(xp, arrays)
        return (limit - gap) / (limit + _RESOLVED * _decrease(xp, arrays))

    return Screen(draw, slack, _instance)
