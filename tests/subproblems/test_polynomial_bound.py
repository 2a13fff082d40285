"""The Lanczos polynomial bound, against polynomials known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tralgos.subproblems.polynomial_bound import lanczos_lower_bound, random_component
from tralgos.subproblems.tridiagonal import Tridiagonal


def test_polynomial_of_degree_one() -> None:
    """|p_1(t)| = |t - a| / beta reaches 1e4 at a - 2e4 for beta = 2."""
    T = Tridiagonal(np.array([3.0]), np.empty(0))
    assert lanczos_lower_bound(T, 2.0, 3.0, 1e-4, 0.0) == pytest.approx(3.0 - 2e4)


def test_chebyshev_polynomial() -> None:
    """p_2(t) = sqrt(2) (2 t^2 - 1) for the Chebyshev recurrence."""
    T = Tridiagonal(np.zeros(2), np.array([0.5**0.5]))
    t = lanczos_lower_bound(T, 0.5, -(0.5**0.5), 1e-5, 0.0)
    assert 2.0**0.5 * (2.0 * t * t - 1.0) == pytest.approx(1e5)


def test_rounding_that_hides_the_component_leaves_what_it_can() -> None:
    """Far out psi is noise / distance: the bound is where that falls to the component."""
    T = Tridiagonal(np.zeros(2), np.array([1.0]))
    bound = lanczos_lower_bound(T, 1.0, -1.0, 1e-9, 1e-3)
    assert bound == pytest.approx(-1e6, rel=0.1)


def test_no_bound_without_a_component() -> None:
    T = Tridiagonal(np.zeros(2), np.array([1.0]))
    assert lanczos_lower_bound(T, 1.0, -1.0, 1e-60, 1e-3) == -math.inf


def test_component_of_a_normal_start_is_as_improbable_as_stated() -> None:
    """P(|v'z| / ||z|| < bound) for 40,000 starts, at a probability of 5 per cent."""
    rng = np.random.default_rng(3)
    z = rng.standard_normal((40_000, 50))
    norms = np.linalg.norm(z, axis=1)
    bounds = np.array([random_component(0.05, 1.0, norm) for norm in norms])
    failed = np.mean(np.abs(z[:, 0]) / norms < bounds)
    assert 0.045 < failed <= 0.0525
