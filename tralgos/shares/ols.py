r"""Diagonal shares of the Hessian of least squares on random data.

:math:`H = X X^\top / n` with independent entries of X, d rows (parameters) and n columns
(examples), of mean zero and variance :math:`\sigma^2` (*Adaptive norms*, Proposition 2). The share
is that of the expected absolute matrix, with E|H_ii| = sigma^2 and E|H_ij| = E|x'y| / n for two
rows. The variance cancels.
"""

from __future__ import annotations

import math

from tralgos.shares.moments import length, mean_abs_gaussian_product, mean_abs_sign_sum

__all__ = ["asymptotic_ols_share", "gaussian_ols_share", "rademacher_ols_share"]


def _share(d: int, n: int, mean_abs_product: float) -> float:
    """1 / (1 + (d - 1) E|x'y| / n) for rows of variance one."""
    return n / (n + (d - 1) * mean_abs_product)


def asymptotic_ols_share(d: int, n: int) -> float:
    r"""Share of the expected absolute Hessian for large `n`.

    Parameters
    ----------
    d, n : int
        Parameters and examples, 1 to :math:`2^{53}`.

    Returns
    -------
    float
        :math:`\sqrt n / (\sqrt n + (d - 1)\sqrt{2/\pi})` (*Adaptive norms*, Proposition 2). The
        error is O(1/n) uniformly in d for Gaussian entries; for others see
        ``docs/diagonal-shares.md``.

    Raises
    ------
    ArgumentError
        If `d` or `n` is not such an integer.

    Examples
    --------
    >>> from tralgos.shares import asymptotic_ols_share, gaussian_ols_share
    >>> round(asymptotic_ols_share(10, 32), 5), round(gaussian_ols_share(10, 32), 5)
    (0.44064, 0.44257)
    """
    rows, columns = length(d, "d"), length(n, "n")
    return _share(rows, columns, math.sqrt(2.0 * columns / math.pi))


def gaussian_ols_share(d: int, n: int) -> float:
    r"""Share of the expected absolute Hessian for Gaussian entries, exact at any `n`.

    Parameters
    ----------
    d, n : int
        Parameters and examples, 1 to :math:`2^{53}`.

    Returns
    -------
    float
        With E|H_ij| / E|H_ii| = :math:`2\,\Gamma(\frac{n+1}2) / (n \sqrt\pi\,\Gamma(\frac n2))`. It
        is above :func:`asymptotic_ols_share`, by less than 1/(16 n) + 1/(32 n^2).

    Raises
    ------
    ArgumentError
        If `d` or `n` is not such an integer.
    """
    rows, columns = length(d, "d"), length(n, "n")
    return _share(rows, columns, mean_abs_gaussian_product(columns))


def rademacher_ols_share(d: int, n: int) -> float:
    r"""Share of the expected absolute Hessian for entries that are random signs, exact at any `n`.

    Parameters
    ----------
    d, n : int
        Parameters and examples, 1 to :math:`2^{53}`.

    Returns
    -------
    float
        With E|H_ij| / E|H_ii| from :func:`mean_abs_sign_sum`. For even n it is
        :func:`gaussian_ols_share`; for odd n it is below :func:`asymptotic_ols_share`, and from
        n = 3 on that of n - 1 examples.

    Raises
    ------
    ArgumentError
        If `d` or `n` is not such an integer.
    """
    rows, columns = length(d, "d"), length(n, "n")
    return _share(rows, columns, mean_abs_sign_sum(columns))
