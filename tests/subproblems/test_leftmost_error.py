"""The error that a dense reduction grants the leftmost eigenvalue, against thirty digits."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from tralgos.subproblems.direct import _EigenRotation, _HouseholderRotation

#: Graded matrices on which LAPACK's syevd was found to be off by more than 8 eps ||H||.
HARD = (183, 29366, 42645, 59060)


def graded(seed: int) -> np.ndarray:
    """A small symmetric matrix whose rows differ by up to eight orders of magnitude."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(10, 24))
    A = rng.standard_normal((n, n)) * 10.0 ** rng.uniform(-4, 4, (n, 1))
    return np.asarray(A + A.T)


@pytest.mark.parametrize("rotation", [_HouseholderRotation, _EigenRotation])
@pytest.mark.parametrize("seed", [*HARD, 0, 1, 2, 3])
def test_the_granted_error_is_enough(rotation: Any, seed: int) -> None:
    H = graded(seed)
    computed, _ = rotation(H).T.leftmost()
    with mpmath.workdps(30):
        exact = mpmath.eigsy(mpmath.matrix(H.tolist()), eigvals_only=True)
        size = max(abs(value) for value in exact)
        error = float(abs(mpmath.mpf(computed) - min(exact)) / size) * 2.0**52
    assert error <= 0.75 * rotation.eigenvalue_multiple, error
