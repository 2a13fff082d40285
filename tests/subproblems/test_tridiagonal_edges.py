"""The tridiagonal core where something is zero, or next to nothing, or rounding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tralgos import solve_trs
from tralgos.subproblems import tridiagonal
from tralgos.subproblems.tridiagonal import (
    CubicTarget,
    RadiusTarget,
    Target,
    Tridiagonal,
    solve_reduced,
)

EPS = 2.0**-52


def diagonal(*values: float) -> Tridiagonal:
    return Tridiagonal(np.array(values), np.zeros(len(values) - 1))


@pytest.mark.parametrize("tiny", [0.0, 5e-324, 1e-310, 1e-200])
def test_a_pivot_of_almost_nothing(tiny: float) -> None:
    """The inverse of a subnormal pivot overflows: the point at that shift is no point."""
    solution = solve_reduced(diagonal(tiny, 1.0), np.array([1.0, 0.0]), RadiusTarget(1.0))
    np.testing.assert_allclose(solution.h, [-1.0, 0.0], atol=4 * EPS)
    assert solution.multiplier == pytest.approx(1.0, rel=8 * EPS)
    assert not solution.interior
    cubic = solve_reduced(diagonal(tiny, 1.0), np.array([1.0, 0.0]), CubicTarget(1.0))
    np.testing.assert_allclose(cubic.h, [-1.0, 0.0], atol=8 * EPS)
    assert cubic.multiplier == pytest.approx(1.0, rel=8 * EPS)


@pytest.mark.parametrize("target", [RadiusTarget(2.0), CubicTarget(2.0)], ids=str)
@pytest.mark.parametrize("start", [None, 0.0, 1.0, 3.0])
def test_no_gradient_and_no_matrix(target: Target, start: float | None) -> None:
    solution = solve_reduced(diagonal(0.0, 0.0), np.zeros(2), target, start=start)
    np.testing.assert_array_equal(solution.h, 0.0)
    assert solution.multiplier == 0.0
    assert solution.interior
    assert not solution.hard


@pytest.mark.parametrize("start", [None, 0.0, 1.0, 3.0])
def test_no_gradient(start: float | None) -> None:
    """The leftmost eigenvector at the boundary, or at lambda / sigma; zero where T >= 0."""
    T = diagonal(-2.0, 1.0)
    ball = solve_reduced(T, np.zeros(2), RadiusTarget(3.0), start=start)
    np.testing.assert_allclose(np.abs(ball.h), [3.0, 0.0], atol=8 * EPS)
    assert ball.multiplier == pytest.approx(2.0, rel=8 * EPS)
    assert ball.hard
    assert not ball.interior
    cubic = solve_reduced(T, np.zeros(2), CubicTarget(0.5), start=start)
    np.testing.assert_allclose(np.abs(cubic.h), [4.0, 0.0], atol=16 * EPS)
    assert cubic.multiplier == pytest.approx(2.0, rel=8 * EPS)
    assert cubic.hard
    for convex in (diagonal(0.0, 1.0), diagonal(0.5, 1.0)):
        for target in (RadiusTarget(3.0), CubicTarget(0.5)):
            solution = solve_reduced(convex, np.zeros(2), target, start=start)
            np.testing.assert_array_equal(solution.h, 0.0)
            assert solution.multiplier == 0.0
            assert not solution.hard
            assert bool(solution.interior) == isinstance(target, RadiusTarget)


@pytest.mark.parametrize("length", [1e-6, 0.3, 0.999, 1.0])
def test_the_hard_case_takes_the_shorter_way_to_the_boundary(length: float) -> None:
    """h = (t, x) with x = -c_2 / (theta_2 - theta_1) and t the rest, residual zero."""
    T, c = diagonal(-1.0, 1.0), np.array([0.0, 2.0 * length])
    solution = solve_reduced(T, c, RadiusTarget(1.0))
    assert abs(solution.h[1]) == pytest.approx(length, rel=8 * EPS)
    assert abs(solution.h[0]) == pytest.approx(math.sqrt(1.0 - length**2), abs=1e-7)
    assert np.linalg.norm(solution.h) == pytest.approx(1.0, rel=8 * EPS)
    residual = (T.diagonal + solution.multiplier) * solution.h + c
    assert np.abs(residual).max() <= 16 * EPS
    assert solution.multiplier == pytest.approx(1.0, rel=1e-12)


def test_a_shift_at_the_rounding_of_the_matrix_is_called_hard() -> None:
    """g = (1e-13, 1): lambda + theta_1 is 1e-14."""
    H = np.diag([-1.0, 1.0])
    for component, hard in ((1e-13, True), (0.1, False)):
        result = solve_trs(H, np.array([component, 1.0]), 10.0, method="direct")
        assert result.hard_case is hard
        assert result.on_boundary is True
        assert result.multiplier == pytest.approx(1.0, rel=0.05 if component == 0.1 else 1e-12)


@pytest.mark.parametrize("certify", ["none", "probabilistic"])
@pytest.mark.parametrize("radius", [20.0, 100.0, 1000.0])
def test_a_space_that_has_found_the_leftmost_direction_says_that_it_is_hard(
    radius: float, certify: str
) -> None:
    """g is all but orthogonal to it, and a hundred products bring it out by rounding alone."""
    e, g = np.concatenate([[-1.0], np.linspace(-0.5, 5.0, 99)]), np.ones(100)
    g[0] = 1e-12
    result = solve_trs(np.diag(e), g, radius, method="krylov", certify=certify, rtol=1e-12)
    assert result.hard_case is True
    assert result.on_boundary is True


@pytest.mark.parametrize("scale", [1.0, 1e-100, 1e100])
def test_order_one_in_closed_form(scale: float) -> None:
    """lambda = max(0, |c|/r - theta), and for the cubic the positive root of a quadratic."""
    for theta in (-2.0, 0.0, 0.5):
        for c in (-3.0, 1e-3, 2.0):
            T, g = diagonal(theta * scale), np.array([c * scale])
            ball = solve_reduced(T, g, RadiusTarget(1.5))
            inside = theta > 0.0 and abs(c) <= 1.5 * theta
            lam = 0.0 if inside else abs(c) / 1.5 - theta
            assert ball.multiplier / scale == pytest.approx(lam, rel=1e-14, abs=1e-300)
            assert ball.h[0] == pytest.approx(-c / (theta + lam), rel=1e-14)
            assert ball.interior == inside
            cubic = solve_reduced(T, g, CubicTarget(2.0 * scale))
            x = (-theta + math.sqrt(theta * theta + 8.0 * abs(c))) / 4.0
            assert cubic.h[0] == pytest.approx(-math.copysign(x, c), rel=1e-13)
            assert cubic.multiplier / scale == pytest.approx(2.0 * x, rel=1e-13)


@pytest.mark.parametrize("target", [RadiusTarget(0.4), CubicTarget(0.7), CubicTarget(9.0)], ids=str)
def test_a_good_hint_spares_the_eigenvalue(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start below the multiplier and right of -theta_1 is all that Newton's method needs."""
    rng = np.random.default_rng(5)
    T = Tridiagonal(rng.uniform(-2.0, 2.0, 12), rng.uniform(0.1, 1.0, 11))
    c = rng.standard_normal(12)
    plain = solve_reduced(T, c, target)

    def refused(self: Tridiagonal) -> None:
        raise AssertionError("the eigenvalue was computed in vain")

    monkeypatch.setattr(Tridiagonal, "leftmost", refused)
    for part in (0.5, 0.9, 1.0 - 1e-6):
        theta = np.linalg.eigvalsh(
            np.diag(T.diagonal) + np.diag(T.off_diagonal, 1) + np.diag(T.off_diagonal, -1)
        )[0]
        start = -theta + part * (plain.multiplier + theta)
        again = solve_reduced(T, c, target, start=start)
        assert again.multiplier == pytest.approx(plain.multiplier, rel=1e-13)
        np.testing.assert_allclose(again.h, plain.h, rtol=1e-11, atol=1e-13)
        assert (again.interior, again.hard) == (plain.interior, plain.hard)


@pytest.mark.parametrize("along", [0.0, 0.3, -0.3])
@pytest.mark.parametrize("length", [0.5, 1.0, 3.0])
def test_lengthened_by_the_smaller_of_two_ways(along: float, length: float) -> None:
    """x + t v of the length asked for, t the root of least size of a quadratic."""
    x, v = np.array([along, 0.4, 0.0]), np.array([1.0, 0.0, 0.0])
    found = tridiagonal._lengthened(x, v, length)
    assert np.linalg.norm(found) == pytest.approx(length, rel=4 * EPS)
    np.testing.assert_array_equal(found[1:], x[1:])
    ways = [s * math.sqrt(length**2 - 0.16) - along for s in (1.0, -1.0)]
    assert abs(found[0] - along) == pytest.approx(min(map(abs, ways)), rel=1e-12)


def test_nothing_is_added_to_what_has_the_length() -> None:
    x, v = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    np.testing.assert_array_equal(tridiagonal._lengthened(x, v, 1.0), x)
    np.testing.assert_array_equal(tridiagonal._lengthened(x, v, 0.9999), x)


def test_newton_does_not_creep_where_its_steps_are_lost_in_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A leftmost component of c so small that the shift from the pole is near eps ||T||.

    T + delta is then the same for many delta, and with it the norm: a step of Newton's
    method moves nothing, and two hundred of them did not arrive.
    """
    evaluations: list[float] = []
    inner = tridiagonal._Secular.at

    def counted(self: Any, delta: float) -> Any:
        evaluations.append(delta)
        return inner(self, delta)

    monkeypatch.setattr(tridiagonal._Secular, "at", counted)
    rng = np.random.default_rng(0)
    worst = 0
    for trial in range(4000):
        n = int(rng.integers(1, 12))
        d = rng.standard_normal(n) * 10 ** rng.uniform(-3, 3)
        e = rng.standard_normal(n - 1) * 10 ** rng.uniform(-10, 1)
        c = rng.standard_normal(n) * 10.0 ** rng.uniform(-14, 2, n) * (rng.random(n) < 0.8)
        size = float(10 ** rng.uniform(-6, 6))
        target = RadiusTarget(size) if trial % 2 else CubicTarget(size)
        evaluations.clear()
        solve_reduced(Tridiagonal(d, e), c, target)
        worst = max(worst, len(evaluations))
    assert worst <= 30
