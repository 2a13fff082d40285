r"""How fast CurveBall with fixed beta and rho is on a quadratic, and the pair that is best.

On a quadratic the error of the component with eigenvalue h obeys, with s = beta h,

    e+ = e + z+,  z+ = (rho - s) z - s e,

so that its rate is the larger modulus of the roots of mu^2 - (1 + rho - 2 s) mu + (rho - s)
(*CurveBall*, eqs. 36 to 41). All of it is derived in ``docs/curveball-rates.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tralgos.arguments import number, positive_scalar
from tralgos.arrays import Array, device_of, is_array, namespace
from tralgos.errors import ArgumentError

__all__ = [
    "CurveBallParameters",
    "curveball_converges",
    "curveball_optimal_parameters",
    "curveball_spectral_radius",
]

#: Above it 5/9 is below a rounding of kappa.
_LARGE = 1e17

_EPS = 2.0**-52


def _alike(s: object, rho: object) -> tuple[Any, Array, Array, bool]:
    """Namespace, both as arrays of one library, and whether neither came as an array."""
    given: list[Array] = [x for x in (s, rho) if is_array(x)]
    if not given:
        values = np.float64(number(s, "s")), np.float64(number(rho, "rho"))
        return namespace(np.zeros(())), np.asarray(values[0]), np.asarray(values[1]), True
    xp, like = namespace(*given), given[0]

    def as_array(x: object, name: str) -> Array:
        if is_array(x):
            return x
        return xp.asarray(number(x, name), dtype=like.dtype, device=device_of(like))

    return xp, as_array(s, "s"), as_array(rho, "rho"), False


def curveball_spectral_radius(s: float | Array, rho: float | Array) -> float | Array:
    r"""Spectral radius of CurveBall's transition matrix, :math:`\max |\mu|`.

    Parameters
    ----------
    s : float or array
        beta times an eigenvalue of H; any real numbers.
    rho : float or array
        The factor of the momentum; an array broadcasts with `s`.

    Returns
    -------
    float or array
        Below 1 exactly where the component converges to the minimiser from every start. A float
        for two floats, else an array of their library, device and dtype. NaN where an argument
        is NaN.

    Raises
    ------
    ArgumentError
        If an argument is neither a real number nor an array.
    ArrayTypeError
        If the arrays come from different libraries.

    Notes
    -----
    Where the roots are complex their modulus is :math:`\sqrt{\rho - s}` (*CurveBall*, eq. 41).
    The discriminant is taken as a sum of squares or as a product, with
    :math:`\rho - \sqrt{2\rho - 1} = (1 - \rho)^2 / (\rho + \sqrt{2\rho - 1})`, and half the trace
    as :math:`((1 - s) + (\rho - s))/2`: nothing cancels but what the arguments themselves make
    cancel. At a double root the radius changes by the square root of a change of s or rho, and
    so does what is computed by the square root of a rounding.
    """
    xp, s, rho, scalar = _alike(s, rho)
    half_trace = ((1.0 - s) + (rho - s)) / 2.0
    # s > rho or rho < 1/2: the discriminant is a sum of squares.
    opposite = xp.hypot(half_trace, xp.sqrt(xp.clip(s - rho, min=0.0)))
    low = xp.hypot(rho - 2.0 * s, xp.sqrt(xp.clip(1.0 - 2.0 * rho, min=0.0)))
    # Else it is the product of the distances from its two zeros in 2s.
    above = rho >= 0.5
    safe = xp.where(above, rho, xp.ones_like(rho))
    width = math.sqrt(2.0) * xp.sqrt(safe - 0.5)
    first = (1.0 - safe) * ((1.0 - safe) / (safe + width)) - 2.0 * s
    second = (safe + width) - 2.0 * s
    high = xp.sqrt(xp.abs(first)) * xp.sqrt(xp.abs(second))
    is_complex = above & (s <= rho) & (first < 0.0) & (second > 0.0)
    root = xp.where(s > rho, opposite, xp.where(above, high, low) / 2.0)
    real = xp.abs(half_trace) + root
    radius = xp.where(is_complex, xp.sqrt(xp.abs(rho - s)), real)
    return float(radius) if scalar else radius


def curveball_converges(s: float | Array, rho: float | Array) -> bool | Array:
    r"""Whether the component with beta h = s goes to the minimiser from every start.

    It does if and only if s > 0 and :math:`\frac32 s - 1 < \rho < 1 + s` (*CurveBall*, eq. 39,
    which needs no :math:`\rho > 0`).

    Parameters
    ----------
    s : float or array
        beta times an eigenvalue of H.
    rho : float or array
        The factor of the momentum; an array broadcasts with `s`.

    Returns
    -------
    bool or array of bool
        A bool for two floats. False where an argument is NaN. Within a rounding of an end of
        the range either answer is possible.

    Raises
    ------
    ArgumentError
        If an argument is neither a real number nor an array.
    ArrayTypeError
        If the arrays come from different libraries.
    """
    _, s, rho, scalar = _alike(s, rho)
    # As rho - 1 < s, since 1 + s loses a small s.
    inside = (s > 0.0) & (rho - 1.0 < s) & (1.5 * s - 1.0 < rho)
    return bool(inside) if scalar else inside


@dataclass(frozen=True)
class CurveBallParameters:
    """A fixed pair and the rate that it gives.

    Attributes
    ----------
    beta : float
        The step of z, in units of 1/h.
    rho : float
        The factor of the momentum.
    rate : float
        The largest spectral radius over the spectrum: the error falls like t rate^t.
    rate_complement : float
        1 - rate, to full accuracy also where the rate rounds to 1.
    """

    beta: float
    rho: float
    rate: float
    rate_complement: float


def curveball_optimal_parameters(m: float, L: float) -> CurveBallParameters:
    r"""The fixed pair with the smallest worst rate on quadratics with spectrum in [m, L].

    With :math:`\kappa = L/m` and r the rate,

    .. math::

        \kappa \le 3:\quad r^2 = \frac{\kappa - 1}{3\kappa - 1},\quad
        \rho = 1 - 2r^2,\quad \beta L = 1 - r^2,

    .. math::

        \kappa \ge 3:\quad \frac{1}{1 - r} = \frac23 + \sqrt{\kappa - \tfrac59}\,
        \cos\Bigl(\tfrac13 \arccos\bigl(-(\tfrac{4}{9\kappa - 5})^{3/2}\bigr)\Bigr),\quad
        \rho = 1 - 2r + 2r^2,\quad \beta m = (1 - r)^2 .

    Parameters
    ----------
    m, L : float
        The ends of the spectrum, 0 < m <= L, of which only the ratio decides over rho and rate.

    Returns
    -------
    CurveBallParameters
        The pair and its rate, :math:`1 - r \approx 2/\sqrt{3\kappa}` for large
        :math:`\kappa`. Gradient descent with 2/(L + m) is faster for :math:`\kappa < 3`.

    Raises
    ------
    ArgumentError
        If m or L is not positive and finite, m > L, or L so small that beta overflows.

    Notes
    -----
    The rate is accurate to a few roundings at every ratio. For :math:`\kappa \ge 3` the best
    pair gives a double root at m, where a rounding of rho to the wrong side would cost the square
    root of a rounding; so rho is rounded up, to the side on which the roots are complex. As rho
    is 1 - 2(1 - r) nearly, float64 cannot hold the best one for :math:`\kappa` beyond about
    1e28: it becomes 1 there, with which the method still converges, more slowly than `rate`.

    Examples
    --------
    >>> from tralgos.methods.curveball_rates import curveball_optimal_parameters
    >>> best = curveball_optimal_parameters(1.0, 3.0)
    >>> round(best.beta, 12), round(best.rho, 12), round(best.rate, 12)
    (0.25, 0.5, 0.5)
    """
    m, L = positive_scalar(m, "m"), positive_scalar(L, "L")
    if m > L:
        raise ArgumentError(f"m must not exceed L, got m = {m} and L = {L}")
    # At equality both are right; 3m may overflow where L does not.
    product, rho, rate, complement = _moderate(m, L) if m >= L / 3.0 else _large(m, L)
    beta = product / L
    if math.isinf(beta):
        raise ArgumentError(f"L is too small for beta = {product}/L to be a float, got {L}")
    return CurveBallParameters(beta, min(1.0, rho + _EPS), rate, complement)


def _moderate(m: float, L: float) -> tuple[float, float, float, float]:
    """(beta L, rho, rate, 1 - rate) for L <= 3m: both ends have real roots, r and -r at L."""
    defect = (L - m) / L
    square = defect / (2.0 + defect)
    rate = math.sqrt(square)
    return 2.0 / (2.0 + defect), (2.0 - defect) / (2.0 + defect), rate, 1.0 - rate


def _large(m: float, L: float) -> tuple[float, float, float, float]:
    """(beta L, rho, rate, 1 - rate) for L > 3m: a double root r at m, a root -r at L."""
    ratio = L / m
    # 1/c with c^2 = kappa - 5/9; the roots apart, as kappa may overflow.
    inverse = 1.0 / math.sqrt(ratio - 5.0 / 9.0) if ratio < _LARGE else math.sqrt(m) / math.sqrt(L)
    # u = 1/(1 - r) solves 4 v^3 - 3 c^2 v + 8/27 = 0 with v = u - 2/3: three real roots.
    angle = (math.pi / 2.0 + math.asin((2.0 / 3.0 * inverse) ** 3)) / 3.0
    t = inverse / (2.0 / 3.0 * inverse + math.cos(angle))
    product = (4.0 + t * (-8.0 + t * (7.0 - 2.0 * t))) / (3.0 - 2.0 * t)
    rho = 1.0 - 2.0 * t * (1.0 - t)
    # Down, lest rounding bring it to 4/3 where rho rounds to 1.
    return product * (1.0 - _EPS), rho, 1.0 - t, t
