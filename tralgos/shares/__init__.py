"""How much of a matrix stands on its diagonal: laws of random matrices, and estimators.

The diagonal share of a square matrix is the sum of |a_ii| over the sum of all |a_ij| (*Adaptive
norms*, Section 3.3, after Becker and Le Cun 1988). The laws are derived in
``docs/diagonal-shares.md``, the estimators in ``docs/share-estimator.md``.
"""

from tralgos.shares.diagonal import estimate_diagonal
from tralgos.shares.estimate import diagonal_share
from tralgos.shares.moments import mean_abs_gaussian_product, mean_abs_sign_sum
from tralgos.shares.ols import asymptotic_ols_share, gaussian_ols_share, rademacher_ols_share
from tralgos.shares.result import DiagonalEstimate, ShareEstimate, ShareStatus
from tralgos.shares.wigner import (
    expected_wigner_share_range,
    gaussian_expected_wigner_share,
    wigner_share,
)

__all__ = [
    "DiagonalEstimate",
    "ShareEstimate",
    "ShareStatus",
    "asymptotic_ols_share",
    "diagonal_share",
    "estimate_diagonal",
    "expected_wigner_share_range",
    "gaussian_expected_wigner_share",
    "gaussian_ols_share",
    "mean_abs_gaussian_product",
    "mean_abs_sign_sum",
    "rademacher_ols_share",
    "wigner_share",
]
