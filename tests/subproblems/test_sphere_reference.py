"""Both sphere descents, iterate by iterate, against a dozen lines of dense linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.oracle import rotated
from tralgos import InnerIterate, SphereDescent, SubproblemResult, solve_trs
from tralgos.norms import EuclideanNorm, MatrixNorm
from tralgos.operators import DiagonalOperator
from tralgos.subproblems.model import Model
from tralgos.subproblems.spectrum import spectrum_bounds
from tralgos.subproblems.sphere_safe import MeasuredPoint, Move

N = 8


def problem(low: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """H, g and a matrix M."""
    rng = np.random.default_rng(seed)
    H, g, _ = rotated(np.linspace(low, 4.0, N), rng.standard_normal(N), rng)
    root = np.eye(N) + 0.2 * rng.standard_normal((N, N))
    return H, g, root @ root.T


def run(
    H: np.ndarray, g: np.ndarray, M: np.ndarray, radius: float, method: SphereDescent
) -> tuple[list[InnerIterate], SubproblemResult]:
    seen: list[InnerIterate] = []
    result = solve_trs(H, g, radius, norm=MatrixNorm(M), method=method, callback=seen.append)
    return seen, result


def whitened(
    H: np.ndarray, g: np.ndarray, M: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A = L^-1 H L^-T, c = L^-1 g and L^-T, so that s = L^-T z."""
    inverse = np.linalg.inv(np.linalg.cholesky(M))
    return inverse @ H @ inverse.T, inverse @ g, inverse.T


def printed(
    A: np.ndarray, c: np.ndarray, r: float, options: SphereDescent
) -> tuple[list[np.ndarray], list[bool]]:
    """Algorithm 2 as the paper has it: the iterates, and which of them phase II has seen."""

    def q(z: np.ndarray) -> float:
        return float(c @ z + 0.5 * z @ A @ z)

    z, points, sphere, t = -options.alpha * r * c / np.linalg.norm(c), [], [], 0
    assert options.step is not None
    while t <= options.N1 and np.linalg.norm(z) < r:
        points.append(z)
        sphere.append(False)
        z, t = z - options.step * (A @ z + c), t + 1
    if np.linalg.norm(z) < r or t > options.N1:
        return [*points, z], sphere
    while t <= options.N2:
        points.append(z)
        sphere.append(True)
        gradient = A @ z + c
        d = gradient - z * (z @ gradient) / r**2
        a = 10.0 * options.step if options.first_trial is None else options.first_trial
        for _ in range(options.max_backtracks):
            moved = r * (z - a * d) / np.linalg.norm(z - a * d)
            if q(z) - q(moved) >= options.armijo * a * (d @ d):
                break
            a *= options.backtrack
        z, t = r * (z - a * d) / np.linalg.norm(z - a * d), t + 1
    return [*points, z], sphere


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "options",
    [
        SphereDescent(variant="printed", step=0.05, N1=30, N2=45),
        SphereDescent(variant="printed", step=0.01, alpha=0.9, N1=12, N2=30, armijo=0.3),
        SphereDescent(variant="printed", step=0.1, N1=30, N2=40, first_trial=3.0, backtrack=0.7),
        SphereDescent(variant="printed", step=0.1, N1=9, N2=20, first_trial=9.0, max_backtracks=2),
        SphereDescent(variant="printed", step=0.02, alpha=0.1, N1=5, N2=9),
        SphereDescent(variant="printed", step=0.2, alpha=0.99, N1=0, N2=6),
    ],
    ids=range(6),
)
@pytest.mark.parametrize(("low", "radius"), [(-2.0, 1.5), (0.5, 0.4), (0.5, 50.0)])
def test_the_printed_form_to_the_letter(
    seed: int, options: SphereDescent, low: float, radius: float
) -> None:
    H, g, M = problem(low, seed)
    A, c, back = whitened(H, g, M)
    expected, sphere = printed(A, c, radius, options)
    seen, result = run(H, g, M, radius, options)
    assert [i.phase == "boundary" for i in seen] == sphere
    steps = [i.step for i in seen] + [result.step]
    for step, z in zip(steps, expected, strict=True):
        np.testing.assert_allclose(step, back @ z, rtol=1e-6, atol=1e-8 * radius)
    z = expected[-1]
    lam = max(-(z @ (A @ z + c)) / radius**2, 0.0) if sphere[-1] else 0.0
    assert result.multiplier == pytest.approx(lam, rel=1e-6, abs=1e-8)
    if "relative residual" in result.message:
        gradient = A @ z + c
        signed = -(z @ gradient) / radius**2 if sphere[-1] else 0.0
        residual = math.hypot(np.linalg.norm(gradient + signed * z), radius * min(signed, 0.0))
        said = float(result.message.rsplit(" ", 1)[1])
        assert said == pytest.approx(residual / np.linalg.norm(c), rel=0.06, abs=1e-6)
    assert result.certificate.feasibility == pytest.approx(
        max(0.0, np.linalg.norm(z) / radius - 1.0), rel=1e-6, abs=1e-12
    )


@pytest.mark.parametrize("radius", [1e-2, 1.0, 100.0])
def test_the_printed_step_is_below_the_inverse_of_the_norm(radius: float) -> None:
    """eta = 0.99 / beta where none is given, beta between ||H|| and twice that here."""
    for low in (-9.0, 0.5):
        H, g, M = problem(low, 3)
        A, c, back = whitened(H, g, M)
        options = SphereDescent(variant="printed", N1=3, N2=3, alpha=0.1)
        seen, _ = run(H, g, M, radius, options)
        z = np.linalg.solve(back, seen[0].step)
        moved = np.linalg.solve(back, seen[1].step)
        eta = np.linalg.norm(moved - z) / np.linalg.norm(A @ z + c)
        beta = np.abs(np.linalg.eigvalsh(A)).max()
        assert 0.4 / beta < eta < 1.0 / beta


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("low", "radius"), [(-2.0, 1.5), (0.5, 0.4), (0.5, 50.0)])
@pytest.mark.parametrize("alpha", [0.1, 0.9])
def test_the_safe_form_is_projected_gradient_descent(
    seed: int, low: float, radius: float, alpha: float
) -> None:
    """z+ = P(z - 0.99 eta (Az + c)), from -tau c/||c|| with tau at most the line's minimiser."""
    H, g, M = problem(low, seed)
    A, c, back = whitened(H, g, M)
    eta = 0.5 / np.abs(np.linalg.eigvalsh(A)).max()
    options = SphereDescent(step=eta, alpha=alpha, maxiter=40)
    seen, result = run(H, g, M, radius, options)
    u = c / np.linalg.norm(c)
    curvature = u @ A @ u
    tau = np.linalg.norm(c) / curvature if curvature > 0.0 else math.inf
    z = -min(alpha * radius, tau) * u
    for iterate in seen:
        np.testing.assert_allclose(iterate.step, back @ z, rtol=1e-7, atol=1e-9 * radius)
        moved = z - 0.99 * eta * (A @ z + c)
        z = moved * min(1.0, radius / np.linalg.norm(moved))
    np.testing.assert_allclose(result.step, seen[-1].step, rtol=1e-12)
    lam = seen[-1].multiplier
    assert result.multiplier == pytest.approx(lam, rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_a_move_knows_its_own_length(seed: int) -> None:
    """From five scalars: whether it ends outside, its scale, and ||y+ - y||^2."""
    rng = np.random.default_rng(seed)
    y, c = rng.standard_normal((2, 5))
    length = rng.choice([0.3, 0.9, 1.0, 1.01])
    y *= length / np.linalg.norm(y)
    eta, lam = rng.uniform(0.1, 0.9), rng.choice([0.0, -(y @ c)])
    d = c + lam * y
    seen = MeasuredPoint(
        multiplier=lam,
        value=0.0,
        residual=float(np.linalg.norm(d)),
        length=length,
        curvature=0.25,
        cross=0.0,
        descent=float(np.linalg.norm(d)),
        inward=float(y @ c),
    )
    move = Move.of(seen, c, eta)
    # The step along c itself, brought back to the ball.
    expected = y - eta * c
    size = np.linalg.norm(expected)
    assert move.boundary == (size >= 1.0)
    expected = expected / max(size, 1.0)
    np.testing.assert_allclose(move.keep * y - move.length * d, expected, rtol=1e-10, atol=1e-12)
    assert move.square == pytest.approx(float(np.sum((expected - y) ** 2)), rel=1e-9)
    assert move.curvature == 0.25
    assert move.dual is c


@pytest.mark.parametrize("top", [-1.0, 0.0, 2.0])
def test_the_hard_case_is_said_soon(top: float) -> None:
    """A component at rounding would have grown by now: a few hundred iterations, not thousands."""
    e, g = np.array([-3.0, -1.5, top]), np.array([0.0, 0.6, 0.8])
    result = solve_trs(np.diag(e), g, 2.0, method=SphereDescent(maxiter=1000))
    assert "hard case" in result.message
    assert result.step[0] == 0.0


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_a_chance_that_rounding_hides_still_has_an_upper_bound(unit: float) -> None:
    """No polynomial proves anything at 1e-60; twice the size that was seen is kept to then."""
    g = np.ones(50)
    H = DiagonalOperator(unit * np.linspace(-1.0, 5.0, 50))
    model = Model(H, g, EuclideanNorm())
    found = spectrum_bounds(model, 6, 1e-60, np.random.default_rng(0))
    assert 5.0 * unit <= found.upper_bound <= 20.0 * unit
    assert -unit <= found.lower_ritz <= 0.0
    assert 2.0 * unit <= found.size <= 5.0 * unit
