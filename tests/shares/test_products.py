"""What the probes tell of the columns, and what they cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.namespaces import FetchCounter, Xp
from tests.shares.products import Hidden, Transposable
from tralgos.errors import NonFiniteError
from tralgos.operators import CountingOperator
from tralgos.shares.products import column_norms
from tralgos.shares.sampling import mixed


def norms_of(A: np.ndarray, probes: int, seed: int = 0, home: Any = None) -> np.ndarray:
    home = A if home is None else home
    return column_norms(Transposable(A), probes, home, 16, np.random.default_rng(seed))


def relative(x: np.ndarray) -> np.ndarray:
    return x / x.sum()


def test_norms_of_columns_not_of_rows() -> None:
    """With many probes the rows are the 2-norms, the diagonal, the rest of the 1-norms."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((40, 40)) * np.exp(rng.standard_normal(40))
    A[:, :5] *= rng.random((40, 5)) < 0.1
    A += np.diag(10 * np.arange(40))
    found = norms_of(A, 4000)
    off = np.abs(A - np.diag(np.diag(A))).sum(axis=0)
    wanted = np.linalg.norm(A, axis=0), np.abs(np.diag(A)), off
    for row, exact in zip(found, wanted, strict=True):
        assert relative(row) == pytest.approx(relative(exact), rel=0.2, abs=2e-3)


def test_two_norms_of_a_diagonal_matrix_are_exact() -> None:
    d = np.array([1.0, -3.0, 0.0, 5.0])
    found = norms_of(np.diag(d), 1)
    assert found.shape == (2, 4)
    assert relative(found[0]) == pytest.approx(relative(np.abs(d)))
    assert relative(found[1]) == pytest.approx(relative(np.abs(d)))


@pytest.mark.parametrize("size", [2.0**-560, 2.0**560])
def test_scale_changes_nothing(size: float) -> None:
    A = np.random.default_rng(0).standard_normal((20, 20))
    assert mixed(norms_of(size * A, 8)) == pytest.approx(mixed(norms_of(A, 8)), rel=1e-12)


def test_zero_columns_and_zero_matrices() -> None:
    A = np.random.default_rng(0).standard_normal((20, 20))
    A[:, 4] = 0.0
    p = mixed(norms_of(A, 8))
    assert p[4] == pytest.approx(0.1 / 20, rel=1e-6)
    assert mixed(norms_of(0.0 * A, 8)) == pytest.approx(1 / 20)


def test_what_is_off_a_large_diagonal_is_seen() -> None:
    """A border of 1% of the mass of the identity: half of it is in one column."""
    n = 400
    A = np.eye(n)
    A[0, 1:] = A[1:, 0] = 0.01
    for seed in range(10):
        q = relative(norms_of(A, 8, seed)[2])
        assert 0.1 < q[0] < 0.9
        assert np.max(q[1:]) < 0.1 * q[0]
    # What is left of a diagonal matrix is rounding, next to which any entry stands out.
    d = 3.0 ** np.arange(8)
    for seed in range(10):
        left = norms_of(np.diag(d), 8, seed)[2] / d
        assert 0.0 < np.max(left) < 1e3 * np.min(left)
        assert relative(norms_of(np.diag(d) + 1e-6 * np.eye(8, k=2), 8, seed)[2])[:2].max() < 1e-6


def test_the_bounds_on_what_eight_probes_miss() -> None:
    """For any matrix E sum_j x_j^2 / p_j < 20 (sum x)^2, and where the diagonal has half of the
    mass E sum_j e_j^2 / p_j < 30 (y (1 - y / x))^2 in sums: Theorem 1, here for three.
    """
    rng = np.random.default_rng(2)
    sparse = np.diag(rng.uniform(1, 2, 60))
    sparse[:, 0] += rng.standard_normal(60)
    border = np.eye(60)
    border[0, 1:] = border[1:, 0] = 1e-3
    for A in (rng.standard_normal((60, 60)), sparse, border):
        y, x = np.abs(np.diag(A)), np.abs(A).sum(axis=0)
        share = y.sum() / x.sum()
        masses, errors = [], []
        for seed in range(300):
            p = mixed(norms_of(A, 8, seed))
            masses.append(np.sum(x**2 / p) / x.sum() ** 2)
            errors.append(np.sum((y - share * x) ** 2 / p) / (y.sum() * (1 - share)) ** 2)
        assert 1.0 <= np.mean(masses) < 20.0
        assert share < 0.5 or np.mean(errors) < 30.0


def test_every_library(xp_case: Xp) -> None:
    A = np.random.default_rng(0).standard_normal((12, 12))
    array = xp_case.array(A)
    found = mixed(norms_of(array, 7))
    assert found == pytest.approx(mixed(norms_of(A, 7)), rel=1e-2 if xp_case.eps > 1e-10 else 1e-9)
    assert found.dtype == np.float64


@pytest.mark.parametrize("probes", [1, 5, 8])
def test_cost(strict_case: Xp, host_fetches: FetchCounter, probes: int) -> None:
    array = strict_case.array(np.eye(6))
    for operator in (Transposable(array), Hidden(array, symmetric=True)):
        counted = CountingOperator(operator)
        host_fetches.reset()
        column_norms(counted, probes, array, 3, np.random.default_rng(0))
        assert host_fetches.count == 1
        assert counted.count == probes


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("probes", [1, 2, 8])
def test_bad_products(bad: float, probes: int) -> None:
    A = np.eye(4)
    A[1, 2] = bad
    with pytest.raises(NonFiniteError, match="random vector"):
        norms_of(A, probes)


def test_a_product_with_a_cauchy_vector_alone_may_be_bad() -> None:
    class Failing(Transposable):
        calls = 0

        def _rmatvec(self, x: Any) -> Any:
            self.calls += 1
            return x * (math.nan if self.calls > 4 else 1.0)

    A = np.eye(5)
    with pytest.raises(NonFiniteError, match="random vector"):
        column_norms(Failing(A), 8, A, 16, np.random.default_rng(0))
