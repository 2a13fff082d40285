"""How much of a matrix stands on its diagonal: laws of random matrices, and an estimator.

The diagonal share of a square matrix is the sum of |a_ii| over the sum of all |a_ij| (*Adaptive
norms*, Section 3.3, after Becker and Le Cun 1988). The derivations are in
``docs/diagonal-shares.md``.
"""

from tralgos.shares.estimate import ShareEstimate, diagonal_share
from tralgos.shares.moments import mean_abs_gaussian_product, mean_abs_sign_sum
from tralgos.shares.ols import asymptotic_ols_share, gaussian_ols_share, rademacher_ols_share
from tralgos.shares.wigner import (
    expected_wigner_share_range,
    gaussian_expected_wigner_share,
    wigner_share,
)

__all__ = [
    "ShareEstimate",
    "asymptotic_ols_share",
    "diagonal_share",
    "expected_wigner_share_range",
    "gaussian_expected_wigner_share",
    "gaussian_ols_share",
    "mean_abs_gaussian_product",
    "mean_abs_sign_sum",
    "rademacher_ols_share",
    "wigner_share",
]
