"""Claims of "Adaptive norms for deep learning with regularized Newton methods" (2021)."""

from __future__ import annotations

from theory_checks.claim import Claim
from theory_checks.claims.adaptive_norms import (
    accumulation,
    adagrad,
    assumption_1,
    assumption_2,
    corollary_1,
    equivalence,
    lemma_2,
    linear_model,
    roots,
    shares_concentration,
    shares_estimator,
    shares_expected_ols,
    shares_expected_wigner,
    shares_finite_n,
    shares_ols,
    shares_wigner,
    theorem_1,
    theorem_1_bound,
    theorem_1_terminates,
)

__all__ = ["claims"]


def claims() -> tuple[Claim, ...]:
    """Return the claims of the paper that are checked here, in its order."""
    modules = (
        accumulation,
        linear_model,
        corollary_1,
        roots,
        shares_wigner,
        shares_expected_wigner,
        shares_concentration,
        shares_ols,
        shares_finite_n,
        shares_expected_ols,
        shares_estimator,
        equivalence,
        lemma_2,
        adagrad,
        assumption_1,
        assumption_2,
        theorem_1,
        theorem_1_terminates,
        theorem_1_bound,
    )
    return tuple(claim for module in modules for claim in module.claims())
