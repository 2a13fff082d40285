"""The inner solver of the minimisers, against the certified one and the model itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from tralgos.methods.acceptance import (
    decrease_ratio,
    gradient_decrease,
    rounding_level,
    shrink_factor,
    unseen,
)
from tralgos.methods.inner import InnerStep, KrylovInner
from tralgos.norms import DiagonalNorm, EuclideanNorm, Norm
from tralgos.operators import CountingOperator


def random_model(n: int, seed: int, size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    H = rng.standard_normal((n, n))
    return size * (H + H.T), size * rng.standard_normal(n)


def solver(H: object, g: np.ndarray, norm: Norm, rtol: float) -> KrylovInner:
    return KrylovInner(H, g, norm, rtol=rtol, residual=0.0, boundary_rtol=rtol, memory=2**30)


def value(H: np.ndarray, g: np.ndarray, s: np.ndarray) -> float:
    return float(g @ s + 0.5 * s @ H @ s)


@given(
    st.integers(1, 12),
    st.integers(0, 10**6),
    st.floats(-2.0, 2.0),
    st.sampled_from([1.0, 2.0**-400, 2.0**400]),
    st.booleans(),
)
def test_trust_region_step(n: int, seed: int, log_radius: float, size: float, own: bool) -> None:
    """Optimal as the certified solver says; length, decrease and residual are the step's own."""
    H, g = random_model(n, seed, size)
    d = np.exp(np.random.default_rng(seed).standard_normal(n)) if own else np.ones(n)
    norm = DiagonalNorm(d) if own else EuclideanNorm()
    radius = 10.0**log_radius
    step = solver(CountingOperator(H), g, norm, 1e-12).trust_region(radius)
    best = tralgos.solve_trs(H, g, radius, norm=norm, rtol=1e-10)
    scale = size * (1.0 + radius**2)
    assert step.decrease == pytest.approx(best.model_decrease, rel=1e-8, abs=1e-11 * scale)
    assert step.decrease == pytest.approx(-value(H, g, step.vector), rel=1e-9, abs=1e-12 * scale)
    assert step.norm == pytest.approx(norm.norm(step.vector), rel=1e-9)
    assert step.norm <= radius
    assert step.on_boundary == (best.multiplier > 1e-6 * size)


@given(st.integers(1, 12), st.integers(0, 10**6), st.floats(-2.0, 2.0))
def test_cubic_step(n: int, seed: int, log_sigma: float) -> None:
    H, g = random_model(n, seed)
    sigma = 10.0**log_sigma
    step = solver(CountingOperator(H), g, EuclideanNorm(), 1e-12).cubic(sigma)
    best = tralgos.solve_cubic(H, g, sigma, rtol=1e-10)
    assert step.decrease == pytest.approx(best.model_decrease, rel=1e-8)
    assert not step.on_boundary


def test_other_parameters_cost_no_products() -> None:
    """A smaller radius suffices with the space there is; `again` never makes a product."""
    H, g = random_model(60, 1)
    counted = CountingOperator(H)
    inner = solver(counted, g, EuclideanNorm(), 1e-10)
    inner.trust_region(1.0)
    made = counted.count
    inner.trust_region(0.3)
    inner.trust_region_again(30.0)
    inner.cubic_again(0.1)
    assert counted.count == made


def test_accuracy_is_what_was_asked_for() -> None:
    """Fewer products for a looser tolerance, and the promised share of the decrease."""
    H = np.diag(np.linspace(1.0, 1e3, 300))
    g = np.ones(300)
    best = 0.5 * float(g @ np.linalg.solve(H, g))
    made = []
    for rtol in (1e-1, 1e-3, 1e-6):
        counted = CountingOperator(H)
        step = solver(counted, g, EuclideanNorm(), rtol).trust_region(1e3)
        made.append(counted.count)
    assert step.decrease >= (1.0 - 2.0 * rtol) * best
    assert made == sorted(made)
    assert made[0] < 0.5 * made[-1]


def test_looser_on_the_boundary() -> None:
    """Fewer products where the radius binds; the estimate of the gap is one, and no bound."""
    H, g = random_model(200, 5)
    best = tralgos.solve_trs(H, g, 2.0).model_decrease
    made = []
    for boundary_rtol in (0.05, 1e-8):
        counted = CountingOperator(H)
        inner = KrylovInner(
            counted,
            g,
            EuclideanNorm(),
            rtol=1e-8,
            residual=0.0,
            boundary_rtol=boundary_rtol,
            memory=2**30,
        )
        step = inner.trust_region(2.0)
        assert step.on_boundary
        assert step.decrease >= (1.0 - 10.0 * boundary_rtol) * best
        made.append(counted.count)
    assert made[0] < 0.5 * made[1]


def test_residual_ends_the_iteration_too() -> None:
    H, g = np.diag(np.linspace(1.0, 1e3, 300)), np.ones(300)
    inner = KrylovInner(
        CountingOperator(H),
        g,
        EuclideanNorm(),
        rtol=1e-15,
        residual=0.5,
        boundary_rtol=1e-15,
        memory=2**30,
    )
    step = inner.trust_region(1e3)
    assert np.linalg.norm(H @ step.vector + g) <= 0.5 * (1 + 1e-9)
    assert np.linalg.norm(H @ step.vector + g) == pytest.approx(step.residual, rel=1e-6)


def test_curvature_along_the_gradient() -> None:
    H, g = random_model(7, 3)
    counted = CountingOperator(H)
    inner = solver(counted, g, EuclideanNorm(), 0.1)
    assert inner.curvature_along_gradient() == pytest.approx(g @ H @ g / (g @ g))
    assert counted.count == 1
    assert isinstance(inner.trust_region(0.1), InnerStep)


# ---------------------------------------------------------------------- acceptance


def test_ratio_near_rounding() -> None:
    """A decrease that f cannot show counts as one; a visible one is not touched."""
    level = rounding_level(1e8, 2.0**-52)
    assert decrease_ratio(1e8, 1e8, 1e-12, level) == pytest.approx(1.0, abs=1e-4)
    assert decrease_ratio(1.0, 0.4, 1.0, rounding_level(1.0, 2.0**-52)) == pytest.approx(0.6)
    assert np.isnan(decrease_ratio(1.0, np.nan, 1.0, 0.0))
    assert np.isnan(decrease_ratio(1.0, np.inf, 1.0, 0.0))
    assert np.isnan(decrease_ratio(1.0, -np.inf, 1.0, 0.0))
    assert unseen(1e-8, level)
    assert not unseen(1.0, level)


@given(st.floats(-3.0, 3.0), st.floats(0.01, 3.0))
def test_gradient_decrease_is_exact_for_quadratics(slope: float, curvature: float) -> None:
    decrease = gradient_decrease(slope, slope + curvature)
    assert decrease == pytest.approx(-(slope + 0.5 * curvature), abs=1e-12)


@given(st.floats(-5.0, -0.01), st.floats(-1.0, 100.0))
def test_shrink_factor_is_the_minimum_of_the_parabola(slope: float, rise: float) -> None:
    factor = shrink_factor(slope, rise, 0.1, 0.5)
    assert 0.1 <= factor <= 0.5
    curvature = rise - slope
    if curvature > 0.0 and 0.1 < -0.5 * slope / curvature < 0.5:
        t = np.linspace(0.0, 1.0, 2001)
        assert factor == pytest.approx(t[np.argmin(slope * t + curvature * t**2)], abs=1e-3)
    assert shrink_factor(slope, np.nan, 0.1, 0.5) == 0.1
