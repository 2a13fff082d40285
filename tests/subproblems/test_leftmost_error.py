"""The error that a dense reduction grants the leftmost eigenvalue, against thirty digits."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from tralgos import Status, curvature_bound, solve_trs
from tralgos.subproblems.direct import (
    _EigenRotation,
    _HouseholderRotation,
    eigenvalue_multiple,
)

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
    assert error <= 0.75 * eigenvalue_multiple(rotation.least_multiple, len(H)), error


@pytest.mark.parametrize(
    ("n", "c", "dtype"),
    [
        (400, 0.9796074290609638, np.float64),
        (900, 0.8319888336966786, np.float64),
        (600, 0.83811235, np.float32),
    ],
)
def test_sums_of_one_sign(n: int, c: float, dtype: Any) -> None:
    """-c times the matrix of ones, whose least eigenvalue is -cn: its rounding adds up with n."""
    H = np.full((n, n), -c, dtype=dtype)
    exact = Fraction(float(H[0, 0])) * n
    assert Fraction(curvature_bound(H, certify="exact").lower) <= exact
    result = solve_trs(H, np.ones(n, dtype=dtype), 1.0, method="direct", certify="exact")
    assert Fraction(result.certificate.curvature) <= exact + Fraction(result.multiplier)


@pytest.mark.parametrize("n", [50, 300])
def test_gram_matrices_of_positive_data(n: int, rng: np.random.Generator) -> None:
    """Singular, with one large eigenvalue: the least one is zero or next to it."""
    X = rng.random((n, n // 2))
    assert curvature_bound(X @ X.T, certify="exact").lower <= 0.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["interior", "hard"])
def test_what_is_granted_is_rounding(kind: str, dtype: Any, rng: np.random.Generator) -> None:
    """A large singular or hard problem ends by rounding, not without a certificate."""
    n, radius = 600, 1e3
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    values = np.linspace(0.0, 1.0, n) - (1e-6 if kind == "hard" else 0.0)
    H = (Q * values) @ Q.T
    H, g = 0.5 * (H + H.T), H @ rng.standard_normal(n) * 1e-3
    if kind == "hard":
        g -= Q[:, 0] * (Q[:, 0] @ g)
    result = solve_trs(H.astype(dtype), g.astype(dtype), radius, method="direct")
    assert result.status in (Status.GLOBAL, Status.ROUNDING), result.message
