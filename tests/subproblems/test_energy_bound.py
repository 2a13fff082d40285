"""The Gauss-Radau bound of a step is a bound, and sharp: it knows where the residual points."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracle import rotated
from tralgos.norms import DiagonalNorm, MatrixNorm
from tralgos.subproblems.certificate import Measured, measure
from tralgos.subproblems.krylov import KrylovSpace
from tralgos.subproblems.krylov_solver import KrylovSolver
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget, Target
from tralgos.subproblems.validation import validated_model

N = 60


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    H, g, _ = rotated(np.linspace(-1.0, 5.0, N), rng.standard_normal(N), rng)
    return H, g, rng.uniform(0.5, 2.0, N)


@pytest.mark.parametrize(
    "target", [RadiusTarget(1.0), RadiusTarget(0.3), CubicTarget(2.0)], ids=str
)
@pytest.mark.parametrize("order", [5, 10, 20])
def test_the_bound_is_between_once_and_twice_the_energy(target: Target, order: int) -> None:
    """rho'(H + lambda M)^-1 rho / 2 is what the residual can hide, by dense linear algebra."""
    H, g, d = data()
    model = validated_model(H, g, DiagonalNorm(d), rng=np.random.default_rng(0))
    space = KrylovSpace(model, memory=1 << 30, limit=400)
    space.extend(order)
    step = space.step(target)
    h, lam = step.solution.h, step.solution.multiplier
    boundary = isinstance(target, RadiusTarget)
    measured = measure(model, space.assemble(h), lam, target, boundary=boundary)
    A = H + lam * np.diag(d)
    root = 1.0 / np.sqrt(d)
    mu = float(np.linalg.eigvalsh(root[:, None] * A * root[None, :])[0])
    energy = 0.5 * measured.residual @ np.linalg.solve(A, measured.residual)
    solver = KrylovSolver(model, space, None, 1e-8)
    gap = solver._radau_gap(measured, h, target, mu)
    assert energy * (1.0 - 1e-9) <= gap <= 2.0 * energy + 1e-12
    # The estimate of the space itself is the same figure.
    assert space.step(target, mu=mu).gap == pytest.approx(gap, rel=0.05, abs=1e-12)
    # A step of another order has another residual, and no such bound.
    assert solver._radau_gap(measured, h[:-1], target, mu) == np.inf


def test_another_multiplier_for_the_same_step() -> None:
    """rho moves by the difference times M s, and nothing else does."""
    H, g, d = data()
    model = validated_model(H, g, DiagonalNorm(d), rng=np.random.default_rng(0))
    s = np.linspace(-0.1, 0.1, N)
    first = measure(model, s, 0.75, RadiusTarget(5.0), boundary=False)
    products = model.matvecs
    moved = first.at_multiplier(model, 2.5)
    assert model.matvecs == products
    expected = H @ s + 2.5 * d * s + g
    np.testing.assert_allclose(moved.residual, expected, atol=1e-13)
    assert moved.residual_norm == pytest.approx(np.sqrt(expected @ (expected / d)), rel=1e-13)
    assert moved.multiplier == 2.5
    for name in ("step_norm", "curvature_norm", "decrease"):
        assert getattr(moved, name) == getattr(first, name)
    assert first.at_multiplier(model, 0.75) is first


@pytest.mark.parametrize("multiplier", [0.0, 0.5, 4.0])
@pytest.mark.parametrize("length", [0.0, 0.7, 2.0])
def test_the_slack_is_what_the_lagrangian_lies_above_the_model(
    multiplier: float, length: float
) -> None:
    """lambda (r^2 - x^2) / 2, and the cubic's term less its parabola, at the step."""
    zero = np.zeros(1)
    s = Measured(zero, zero, multiplier, length, 0.0, 0.0, 0.0)
    ball = 0.5 * multiplier * (2.0**2 - length**2)
    assert s.slack(RadiusTarget(2.0)) == pytest.approx(ball, abs=1e-15)
    sigma = 1.5
    a = multiplier / sigma
    # sigma y^3 / 3 - lambda y^2 / 2 has its minimum over y >= 0 at y = a, -sigma a^3 / 6.
    excess = sigma / 3.0 * length**3 - 0.5 * multiplier * length**2 + sigma / 6.0 * a**3
    assert s.slack(CubicTarget(sigma)) == pytest.approx(excess, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("boundary", [False, True])
def test_rounding_of_an_ill_conditioned_norm_leaves_no_step_outside(boundary: bool) -> None:
    """||s|| is known to a hundredth here, and still its norm as computed is at most r."""
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    M = ((Q * np.geomspace(1.0, 2e-6, 40)) @ Q.T).astype(np.float32)
    M = 0.5 * M + 0.5 * M.T
    g = np.ones(40, dtype=np.float32)
    model = validated_model(np.eye(40, dtype=np.float32), g, MatrixNorm(M), rng=rng)
    for k in range(60):
        s = (Q[:, -1] * (1.0 + 0.01 * k) + 1e-4 * Q[:, k % 40]).astype(np.float32)
        radius = model.norm.norm(s) * (0.5 + 0.01 * k)
        measured = measure(model, s, 0.0, RadiusTarget(radius), boundary=boundary)
        length = model.norm.norm(measured.step)
        assert length <= radius
        assert length >= 0.8 * min(radius, model.norm.norm(s)) or not boundary
