"""The tridiagonal core against dense linear algebra and the exact oracle."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from tests.oracle import exact_cubic, exact_trs
from tests.subproblems.support import EPS
from tralgos.subproblems import tridiagonal
from tralgos.subproblems.certificate import candidate_radius, quadratic_gap, radau_curvature
from tralgos.subproblems.tridiagonal import (
    CubicTarget,
    RadiusTarget,
    Tridiagonal,
    solve_reduced,
)

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=100)


def dense(T: Tridiagonal) -> np.ndarray:
    return np.diag(T.diagonal) + np.diag(T.off_diagonal, 1) + np.diag(T.off_diagonal, -1)


def drawn(n: int, seed: int, low: float = -2.0) -> Tridiagonal:
    rng = np.random.default_rng(seed)
    return Tridiagonal(rng.uniform(low, 2.0, n), rng.uniform(0.0, 1.0, n - 1))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_matrix(n: int) -> None:
    T = drawn(n, n)
    values, vectors = np.linalg.eigh(dense(T))
    theta, vector = T.leftmost()
    assert theta == pytest.approx(values[0], abs=4 * EPS)
    assert T.leftmost_value() == pytest.approx(values[0], abs=4 * EPS)
    assert abs(vector @ vectors[:, 0]) == pytest.approx(1.0)
    size = T.size()
    assert np.abs(values).max() <= size <= math.sqrt(3.0) * np.abs(values).max() + 1e-12
    assert size == pytest.approx(np.abs(dense(T)).sum(axis=1).max())
    np.testing.assert_array_equal(dense(T.scaled(-2.0)), -2.0 * dense(T))
    assert T.factor(-theta - 1e-6) is None
    factor = T.factor(-theta + 1.0)
    assert factor is not None
    b = np.arange(1.0, n + 1.0)
    np.testing.assert_allclose(
        factor.solve(b), np.linalg.solve(dense(T) + (1.0 - theta) * np.eye(n), b), rtol=1e-12
    )


@pytest.mark.parametrize("n", [1, 2, 6])
def test_slope_of_the_secular_equation(n: int) -> None:
    """The mutation L^-T p for L^-1 p makes the steps of Newton 1.3 to 4 times too long."""
    T, c = drawn(n, 3), np.arange(1.0, n + 1.0)
    c /= np.linalg.norm(c)
    for target in (RadiusTarget(0.5), CubicTarget(2.0)):
        for base in (0.0, 3.0):
            shifted = Tridiagonal(T.diagonal + base, T.off_diagonal)
            secular = tridiagonal._Secular(shifted, base, c, 1.7, target)
            point = secular.at(4.0)
            assert point is not None
            A = dense(shifted) + 4.0 * np.eye(n)
            h = -np.linalg.solve(A, 1.7 * c)
            np.testing.assert_allclose(point.x, h, rtol=1e-13)
            assert point.norm == pytest.approx(np.linalg.norm(h))
            assert point.slope == pytest.approx(h @ np.linalg.solve(A, h) / (h @ h))

            def excess(delta: float, target: Any = target, base: float = base) -> float:
                B = dense(T) + (base + delta) * np.eye(n)
                length = np.linalg.norm(np.linalg.solve(B, 1.7 * c))
                return float(1.0 / length - 1.0 / target.value(base + delta))

            slope = (excess(4.0 + 1e-5) - excess(4.0 - 1e-5)) / 2e-5
            step = target.newton(point.norm, point.slope, base + 4.0)
            assert step == pytest.approx(-excess(4.0) / slope, rel=1e-6)


def test_newton_is_quick_and_never_passes_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    visited: list[float] = []
    original = tridiagonal._Secular.at

    def recorded(self: Any, delta: float) -> Any:
        visited.append(self.base + delta)
        return original(self, delta)

    monkeypatch.setattr(tridiagonal._Secular, "at", recorded)
    for seed in range(40):
        T = drawn(12, seed)
        c = np.random.default_rng(seed).standard_normal(12)
        for target in (RadiusTarget(0.3), RadiusTarget(20.0), CubicTarget(0.1), CubicTarget(9.0)):
            visited.clear()
            solution = solve_reduced(T, c, target)
            unit, _ = target.units(T.size(), float(np.linalg.norm(c)))
            assert len(visited) <= 20
            if not solution.interior:
                last = solution.multiplier / unit
                assert max(visited) <= last * (1 + 8 * EPS) + 8 * EPS


def test_a_hint_for_the_multiplier_is_used_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    original = Tridiagonal.leftmost

    def counted(self: Tridiagonal) -> Any:
        nonlocal calls
        calls += 1
        return original(self)

    T, c = drawn(9, 5), np.ones(9)
    plain = solve_reduced(T, c, RadiusTarget(0.7))
    monkeypatch.setattr(Tridiagonal, "leftmost", counted)
    for start in (0.9, 0.999, 1.0):
        hinted = solve_reduced(T, c, RadiusTarget(0.7), start=start * plain.multiplier)
        assert hinted.multiplier == pytest.approx(plain.multiplier, rel=1e-12)
    # What is too small to be in the domain, or beyond the root, is not believed.
    assert calls == 0 or calls == 1
    for start in (0.0, 1.5 * plain.multiplier, 100.0 * plain.multiplier):
        hinted = solve_reduced(T, c, RadiusTarget(0.7), start=start)
        assert hinted.multiplier == pytest.approx(plain.multiplier, rel=1e-12)
        assert np.linalg.norm(hinted.h) == pytest.approx(0.7, rel=1e-13)


VALUES = st.one_of(st.sampled_from([0.0, -1.0, 1.0, 1e-14, -1e-9]), st.floats(-2, 2))


@QUICK
@given(
    st.integers(1, 10).flatmap(
        lambda n: st.tuples(
            st.lists(VALUES, min_size=n, max_size=n),
            st.lists(VALUES, min_size=n - 1, max_size=n - 1),
            st.lists(VALUES, min_size=n, max_size=n),
        )
    ),
    st.floats(-5, 5),
    st.booleans(),
)
def test_conditions_of_optimality(data: Any, exponent: float, cubic: bool) -> None:
    d, e, c = (np.array(x, dtype=float) for x in data)
    for x in (d, e, c):
        x[np.abs(x) < 1e-18] = 0.0
    T = Tridiagonal(d, e)
    parameter = 10.0**exponent
    target = CubicTarget(parameter) if cubic else RadiusTarget(parameter)
    solution = solve_reduced(T, c, target)
    h, lam = solution.h, solution.multiplier
    A = dense(T) + lam * np.eye(d.size)
    size = T.size() + lam
    length = float(np.linalg.norm(h))
    gamma = float(np.linalg.norm(c))
    assert lam >= 0.0
    assert np.linalg.norm(A @ h + c) <= 64 * EPS * (size * length + gamma)
    assert np.linalg.eigvalsh(A)[0] >= -64 * EPS * size
    if cubic:
        assert abs(lam - parameter * length) <= 64 * EPS * size
    elif solution.interior:
        assert length <= parameter * (1 + 16 * EPS)
        assert lam == 0.0
    else:
        assert length == pytest.approx(parameter, rel=32 * EPS)


@pytest.mark.parametrize("shift", [10.0**-k for k in range(1, 20)])
def test_shift_from_the_leftmost_eigenvalue_is_resolved(shift: float) -> None:
    """A leftmost component that puts lambda at any distance from -theta_1."""
    e = np.linspace(-3.0, 2.0, 8)
    c = np.array([1.0, *np.full(7, 0.1)])
    rest = np.linalg.norm(c[1:] / (e[1:] - e[0]))
    c[0] = shift * math.sqrt(1.0 - rest**2)
    solution = solve_reduced(Tridiagonal(e, np.zeros(7)), c, RadiusTarget(1.0))
    best = exact_trs(e, c, 1.0)
    with mpmath.workdps(50):
        h = [mpf(float(x)) for x in solution.h]
        q = mpmath.fsum(
            mpf(float(b)) * x + mpf(float(a)) * x * x / 2 for a, b, x in zip(e, c, h, strict=True)
        )
        assert abs(q - best.value) <= 16 * EPS
    assert np.linalg.norm(solution.h) == pytest.approx(1.0, rel=8 * EPS)
    assert solution.multiplier == pytest.approx(float(best.multiplier), rel=8 * EPS)
    assert solution.hard == (shift < 64 * EPS * 3.0)


def test_hard_case_flag_of_the_cubic() -> None:
    e, c = np.array([-2.0, 1.0, 3.0]), np.array([0.0, 0.1, 0.1])
    solution = solve_reduced(Tridiagonal(e, np.zeros(2)), c, CubicTarget(1.0))
    best = exact_cubic(e, c, 1.0)
    assert solution.hard
    assert not solution.interior
    assert solution.multiplier == 2.0
    np.testing.assert_allclose(np.abs(solution.h), np.abs(best.floats), rtol=1e-14)


def test_interior_flag() -> None:
    T = Tridiagonal(np.array([1.0, 2.0]), np.array([0.0]))
    inside = solve_reduced(T, np.array([0.1, 0.1]), RadiusTarget(1.0))
    assert (inside.interior, inside.hard, inside.multiplier) == (True, False, 0.0)
    outside = solve_reduced(T, np.array([2.0, 2.0]), RadiusTarget(1.0))
    assert not outside.interior
    assert not outside.hard
    barely = solve_reduced(
        Tridiagonal(np.ones(1), np.empty(0)), np.array([1.0 + 1e-9]), RadiusTarget(1.0)
    )
    assert not barely.interior
    assert barely.multiplier == pytest.approx(1e-9, rel=1e-5)
    nothing = solve_reduced(Tridiagonal(np.zeros(2), np.zeros(1)), np.zeros(2), RadiusTarget(1.0))
    assert nothing.interior
    # An eigenvalue that is zero to rounding is no reason to go to the boundary.
    singular = Tridiagonal(np.array([-1e-17, 1.0]), np.array([0.0]))
    inside = solve_reduced(singular, np.array([0.0, 0.1]), RadiusTarget(1.0))
    assert (inside.interior, inside.hard, inside.multiplier) == (True, False, 0.0)
    exactly = solve_reduced(Tridiagonal(np.ones(1), np.empty(0)), np.ones(1), RadiusTarget(1.0))
    assert exactly.interior
    np.testing.assert_array_equal(exactly.h, [-1.0])


@pytest.mark.parametrize("k", [-1000, -500, 500, 1000])
def test_powers_of_two_are_taken_out(k: int) -> None:
    T, c = drawn(6, 1), np.ones(6)
    one = solve_reduced(T, c, RadiusTarget(0.5))
    other = solve_reduced(T.scaled(2.0**k), np.ldexp(c, k), RadiusTarget(0.5))
    np.testing.assert_array_equal(one.h, other.h)
    assert other.multiplier == math.ldexp(one.multiplier, k)


# ------------------------------------------------------------------ the formulas of the certificate


@given(st.floats(0, 5), st.floats(-3, 3), st.floats(0.01, 10))
@QUICK
def test_quadratic_gap_is_the_maximum(residual: float, mu: float, reach: float) -> None:
    t = np.linspace(0.0, reach, 20001)
    values = residual * t - 0.5 * mu * t * t
    gap = quadratic_gap(residual, mu, reach)
    step = reach / 20000
    assert values.max() - 1e-12 <= gap <= values.max() + (residual + abs(mu) * reach) * step + 1e-12


@given(st.integers(1, 12), st.integers(0, 2**20), st.floats(-3, 0))
@QUICK
def test_radau_curvature_bounds_the_energy(k: int, seed: int, exponent: float) -> None:
    """e'(A)^-1 e <= 1 / mu_eff for the next vector of any continuation of T."""
    rng = np.random.default_rng(seed)
    n = k + int(rng.integers(1, 12))
    full = drawn(n, seed)
    bottom = np.linalg.eigvalsh(dense(full))[0]
    lam = -bottom + 10.0**exponent
    T = Tridiagonal(full.diagonal[:k], full.off_diagonal[: k - 1])
    beta = float(full.off_diagonal[k - 1])
    # The Schur complement of the block that is known: what stands behind the residual.
    A = dense(full) + lam * np.eye(n)
    energy = np.linalg.inv(A)[k, k]
    for part in (1.0 - 1e-9, 0.5, 0.01):
        mu = part * (lam + bottom)
        radau = radau_curvature(T, beta, lam, mu)
        assert radau is not None
        assert radau >= mu
        assert energy <= 1.0 / radau * (1 + 1e-6)
    last = np.linalg.inv(dense(T) + lam * np.eye(k))[-1, -1]
    closed = mu + beta**2 * (np.linalg.inv(dense(T) + (lam - mu) * np.eye(k))[-1, -1] - last)
    assert radau == pytest.approx(closed, rel=1e-5)
    assert radau_curvature(T, beta, lam, -1.0) is None
    assert radau_curvature(T, beta, lam, lam + T.leftmost_value() + 1e-3) is None


@given(
    st.integers(1, 5), st.integers(0, 2**20), st.floats(-9, 1), st.floats(-3, 3), st.floats(0, 3)
)
@QUICK
def test_candidate_radius_holds_every_minimiser(
    n: int, seed: int, size: float, exponent: float, lam: float
) -> None:
    rng = np.random.default_rng(seed)
    e, c, sigma = rng.uniform(-2, 2, n), 10.0**size * rng.standard_normal(n), 10.0**exponent
    if seed % 5 == 0:
        c[:] = 0.0
    best = exact_cubic(e, c, sigma)
    mu = lam + float(e.min())
    radius = candidate_radius(CubicTarget(sigma), float(np.linalg.norm(c)), lam, mu)
    assert float(best.norm) <= radius * (1 + 1e-14)
    assert candidate_radius(RadiusTarget(0.7), 1.0, lam, mu) == 0.7
