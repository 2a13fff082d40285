r"""Diagonal shares of random symmetric matrices with independent entries (Wigner matrices).

The entries are :math:`W_{ii} = \sigma_1 Z_{ii}` and :math:`W_{ij} = W_{ji} = \sigma_2 Z_{ij}` with
Z independent and of one law (*Adaptive norms*, Proposition 1 and eq. 42). Two questions have
different answers: the share of the expected absolute matrix, and the expected share of the matrix.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erf, erfc, erfcx

from tralgos.arguments import nonnegative_scalar
from tralgos.errors import ArgumentError
from tralgos.shares.moments import length

__all__ = ["expected_wigner_share_range", "gaussian_expected_wigner_share", "wigner_share"]

#: Step of the trapezoidal rule in log t; its error is exp(-pi^2 / step), far below rounding.
_STEP = 0.0625

#: What is cut off at either end, relative to the integral.
_CUT = 1e-18

#: From here on, in log t, E exp(-t|Z|) is sqrt(2 / pi) / t but for a part of 1 / t^2.
_FAR = 40.0


def _scales(diagonal: object, off_diagonal: object) -> tuple[float, float]:
    """Both scales, divided by the larger one."""
    first = nonnegative_scalar(diagonal, "diagonal")
    second = nonnegative_scalar(off_diagonal, "off_diagonal")
    largest = max(first, second)
    if largest == 0.0:
        raise ArgumentError("diagonal and off_diagonal are both zero: there is no share")
    return first / largest, second / largest


def wigner_share(d: int, *, diagonal: float = 1.0, off_diagonal: float = 1.0) -> float:
    r"""Share of the expected absolute matrix of a random matrix of order `d`.

    Parameters
    ----------
    d : int
        Order, 1 to :math:`2^{53}`.
    diagonal, off_diagonal : float
        :math:`E|W_{ii}|` and :math:`E|W_{ij}|`, at least 0 and not both 0. Their ratio alone
        matters: where all entries have one law up to scale (all Gaussian, say), standard
        deviations do as well.

    Returns
    -------
    float
        :math:`1 / (1 + (d - 1)\,E|W_{ij}| / E|W_{ii}|)` (*Adaptive norms*, Proposition 1). The
        entries need be neither independent nor of mean zero.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Examples
    --------
    >>> from tralgos.shares import wigner_share
    >>> wigner_share(4), wigner_share(4, diagonal=2.0)
    (0.25, 0.4)
    """
    rows = length(d, "d")
    first, second = _scales(diagonal, off_diagonal)
    if rows == 1:
        return 1.0
    return first / (first + (rows - 1) * second)


def expected_wigner_share_range(
    d: int, *, diagonal: float = 1.0, off_diagonal: float = 1.0
) -> tuple[float, float]:
    r"""Sharp bounds on the expected share of a Wigner matrix, whatever the law of its entries.

    Parameters
    ----------
    d : int
        Order, 1 to :math:`2^{53}`.
    diagonal, off_diagonal : float
        :math:`\sigma_1` and :math:`\sigma_2`, at least 0 and not both 0.

    Returns
    -------
    low, high : float
        :math:`1 / (1 + (d-1)\sigma_2/\sigma_1)` and :math:`2/(d+1)`, the smaller one first. The
        first is attained by random signs, the second is approached where one entry dwarfs the
        others. They are equal for :math:`\sigma_1 = 2\sigma_2`.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Notes
    -----
    True of entries :math:`\sigma Z` whose :math:`|Z|` are exchangeable and not all zero; no moment
    need exist. The expected share is above the share of the expected absolute matrix for
    :math:`\sigma_1 < 2\sigma_2` and below it for :math:`\sigma_1 > 2\sigma_2`. For one of the
    scales zero the matrix may vanish altogether; its share is then understood as 2/(d+1).

    Examples
    --------
    >>> from tralgos.shares import expected_wigner_share_range
    >>> expected_wigner_share_range(4)
    (0.25, 0.4)
    """
    rows = length(d, "d")
    share = wigner_share(rows, diagonal=diagonal, off_diagonal=off_diagonal)
    balanced = 2.0 / (rows + 1)
    return min(share, balanced), max(share, balanced)


def gaussian_expected_wigner_share(
    d: int, *, diagonal: float = 1.0, off_diagonal: float = 1.0
) -> float:
    r"""Expected share of a Gaussian Wigner matrix of order `d`.

    Parameters
    ----------
    d : int
        Order, 1 to :math:`2^{53}`.
    diagonal, off_diagonal : float
        Standard deviations :math:`\sigma_1` and :math:`\sigma_2`, at least 0 and not both 0.

    Returns
    -------
    float
        :math:`E[S / (S + T)]` with S and T the sums of the absolute values on and off the diagonal:
        the integral of :math:`-L_S' L_T` over :math:`t > 0`, to about 14 digits.

    Raises
    ------
    ArgumentError
        If an argument is out of its range.

    Notes
    -----
    :math:`1/(S + T)` is the integral of :math:`e^{-t(S + T)}`, and S and T are independent sums of
    half-normal numbers, with :math:`E e^{-t|Z|} = e^{t^2/2} \mathrm{erfc}(t/\sqrt2)`. For
    :math:`\sigma_1 = \sigma_2` it exceeds 1/d by :math:`(\frac\pi2 - 1)/d^3` to leading order.

    Examples
    --------
    >>> from tralgos.shares import gaussian_expected_wigner_share
    >>> round(gaussian_expected_wigner_share(10), 6)
    0.100519
    """
    rows = length(d, "d")
    first, second = _scales(diagonal, off_diagonal)
    if rows == 1 or second == 0.0:
        return 1.0
    if first == 0.0:
        return 0.0
    pairs = 0.5 * rows * (rows - 1)
    log_t = _nodes(first, second, rows + pairs)
    # Every off-diagonal number counts twice.
    on, off = log_t + math.log(first), log_t + math.log(2.0 * second)
    with np.errstate(under="ignore"):
        # With t in the exponent and the scale in front nothing of weight leaves the normal numbers.
        weights = np.exp(log_t + (rows - 1) * _log_laplace(on) + pairs * _log_laplace(off))
        integral = _STEP * float(np.sum(_weighted_mean(on) * weights))
    return min(1.0, first * (rows * integral))


def _nodes(first: float, second: float, count: float) -> np.ndarray:
    """Equidistant values of log t, beyond which the integrand is negligible.

    With respect to log t the integrand is at most t E S on the left and falls at least like
    1/t^2 on the right.
    """
    low = math.log(_CUT) - math.log(count)
    high = -math.log(min(first, second)) - math.log(_CUT) / 2
    return np.arange(math.floor(low / _STEP), math.ceil(high / _STEP) + 1) * _STEP


def _log_laplace(log_t: np.ndarray) -> np.ndarray:
    """log E exp(-t|Z|) for a standard normal Z, with small relative error also for small t."""
    x = np.exp(np.minimum(log_t, _FAR)) / math.sqrt(2.0)
    near = np.minimum(x, 1.0)
    with np.errstate(under="ignore"):
        small = np.log1p(np.expm1(near * near) * erfc(near) - erf(near))
    far = 0.5 * math.log(2.0 / math.pi) - log_t
    return np.asarray(np.where(x < 1.0, small, np.where(log_t < _FAR, np.log(erfcx(x)), far)))


def _weighted_mean(log_t: np.ndarray) -> np.ndarray:
    """E |Z| exp(-t|Z|) for a standard normal Z, which is negligible for large t."""
    t = np.exp(np.minimum(log_t, _FAR))
    return np.asarray(math.sqrt(2.0 / math.pi) - t * erfcx(t / math.sqrt(2.0)))
