r"""Mean absolute values of inner products of random vectors, for any length.

Both are :math:`2\,\Gamma(x + \frac12) / (\sqrt\pi\,\Gamma(x))`, with x = n/2 for Gaussian vectors
and x = n/2 rounded up for vectors of signs; see ``docs/diagonal-shares.md``.
"""

from __future__ import annotations

import math

from tralgos.arguments import positive_integer
from tralgos.errors import ArgumentError

__all__ = ["length", "mean_abs_gaussian_product", "mean_abs_sign_sum"]

#: From here on the series of `_half_step` is at rounding: its next term is 0.0013 / w^8.
_SERIES_FROM = 64.0

#: The integers up to here are floats.
_LARGEST = 2**53


def length(n: object, name: str) -> int:
    """`n` as an int.

    Raises
    ------
    ArgumentError
        If `n` is not an integer from 1 to 2^53.
    """
    value = positive_integer(n, name)
    if value > _LARGEST:
        raise ArgumentError(f"{name} must be at most 2^53, got {value}")
    return value


def _half_step(x: float) -> float:
    """Gamma(x + 1/2) / Gamma(x) for x > 0, to a few roundings.

    A difference of logarithms of Gamma would lose as many digits as log Gamma(x) has before
    the point. The series is that of Gamma(w + 3/4) / Gamma(w + 1/4) at w = x - 1/4, in which
    only even powers of 1/w occur (Tricomi and Erdelyi 1951).
    """
    if x < _SERIES_FROM:
        return math.gamma(x + 0.5) / math.gamma(x)
    w = x - 0.25
    v = 1.0 / (w * w)
    return math.sqrt(w) * (1.0 + v * (1 / 64 + v * (-19 / 8192 + v * (631 / 524288))))


def mean_abs_gaussian_product(n: int) -> float:
    r"""E|x'y| of two independent standard normal vectors of length `n`.

    Parameters
    ----------
    n : int
        1 to :math:`2^{53}`.

    Returns
    -------
    float
        :math:`2\,\Gamma(\frac{n+1}2) / (\sqrt\pi\,\Gamma(\frac n2))`, to a few roundings:
        :math:`\sqrt{2n/\pi}\,(1 - \frac1{4n} + O(n^{-2}))`, always below :math:`\sqrt{2n/\pi}`.

    Raises
    ------
    ArgumentError
        If `n` is not such an integer.

    Notes
    -----
    Given x the product is normal with variance :math:`\|x\|^2`, so its mean absolute value is
    :math:`\sqrt{2/\pi}\,\|x\|`, and the mean of :math:`\|x\|` is that of the chi distribution.

    Examples
    --------
    >>> from tralgos.shares import mean_abs_gaussian_product
    >>> round(mean_abs_gaussian_product(2), 12)
    1.0
    """
    return 2.0 / math.sqrt(math.pi) * _half_step(0.5 * length(n, "n"))


def mean_abs_sign_sum(n: int) -> float:
    r"""E|e_1 + ... + e_n| of independent signs, which is E|x'y| of two vectors of n signs.

    Parameters
    ----------
    n : int
        1 to :math:`2^{53}`.

    Returns
    -------
    float
        :math:`2m \binom{2m}{m} 4^{-m}` with :math:`m = \lceil n/2 \rceil`, to a few roundings. It
        is :func:`mean_abs_gaussian_product` of 2m.

    Raises
    ------
    ArgumentError
        If `n` is not such an integer.

    Notes
    -----
    A random walk that is not at 0 stays as far from it on average, and one at 0 moves by one: so
    E|S_n| is the expected number of earlier times at 0, the sum of
    :math:`\binom{2j}{j} 4^{-j}` over 2j < n.

    Examples
    --------
    >>> from tralgos.shares import mean_abs_sign_sum
    >>> [round(mean_abs_sign_sum(n), 12) for n in (1, 2, 3, 4)]
    [1.0, 1.0, 1.5, 1.5]
    """
    return 2.0 / math.sqrt(math.pi) * _half_step(float((length(n, "n") + 1) // 2))
