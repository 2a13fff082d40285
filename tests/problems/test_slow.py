"""Worst cases: the prescribed steps are the steps made, and as many as the theory says."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tralgos.errors import ArgumentError
from tralgos.problems import SlowCubic, SlowNewton, SlowSteepestDescent

KINDS = [SlowSteepestDescent, SlowNewton, SlowCubic]


def descend(f, x: np.ndarray) -> np.ndarray:
    return -f.gradient(x)


def newton(f, x: np.ndarray) -> np.ndarray:
    return -f.gradient(x) / f.hessian(x).diagonal


def cubic(f, x: np.ndarray) -> np.ndarray:
    """The minimiser of g s + H s^2/2 + sigma |s|^3/3 for g < 0."""
    g, H = float(f.gradient(x)[0]), float(f.hessian(x).diagonal[0])
    return np.array([(-H + math.sqrt(H * H - 4.0 * f.sigma * g)) / (2.0 * f.sigma)])


STEPS = {SlowSteepestDescent: descend, SlowNewton: newton, SlowCubic: cubic}
ORDERS = {SlowSteepestDescent: 2.0, SlowNewton: 2.0, SlowCubic: 1.5}


def run(f, epsilon: float) -> tuple[int, np.ndarray]:
    """Plain steps of the method until the gradient is at most epsilon: their number."""
    step, x = STEPS[type(f)], f.start.copy()
    for k in range(f.iterations + 3):
        if np.linalg.norm(f.gradient(x)) <= epsilon:
            return k, x
        x = x + step(f, x)
    raise AssertionError("no end")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [0.0, 0.25, 0.5])
def test_the_method_makes_the_prescribed_steps(kind: type, tau: float) -> None:
    f = kind(200, tau=tau)
    x = f.start.copy()
    decay = 1.0 / (ORDERS[kind] - tau)
    for k in range(201):
        assert np.abs(x - f.iterates[k]).max() <= 1e-12 * max(1.0, np.abs(x).max())
        assert f.gradient(x)[0] == pytest.approx(-((k + 1.0) ** -decay), rel=1e-9)
        x = x + STEPS[kind](f, x)
    assert np.abs(x - f.minimisers[0]).max() <= 1e-10 * max(1.0, np.abs(x).max())
    assert f.value(f.minimisers[0]) == 0.0 == f.optimal_value
    assert not np.any(f.gradient(f.minimisers[0]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [0.0, 0.25])
def test_the_decrease_is_the_models_or_a_fifth_more(kind: type, tau: float) -> None:
    f = kind(60, tau=tau)
    for k in range(61):
        x = f.iterates[k]
        s, g, H = f.iterates[k + 1] - x, f.gradient(x), f.hessian(x).diagonal
        model = g @ s + 0.5 * s @ (H * s)
        if kind is SlowCubic:
            model += f.sigma * abs(s[0]) ** 3 / 3
        ratio = 1.2 if kind is not SlowCubic and k < 60 else 1.0
        assert f.value(x + s) - f.value(x) == pytest.approx(ratio * model, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [0.0, 0.25])
def test_the_number_of_iterations_has_the_exponent_of_the_theory(kind: type, tau: float) -> None:
    order = ORDERS[kind] - tau
    epsilons = np.array([0.1, 0.05, 0.025])
    f = kind(math.ceil(0.025**-order) + 10, tau=tau)
    counts = [run(f, e * (1 + 1e-9))[0] for e in epsilons]
    if kind is not SlowNewton:
        assert counts == [f.iterations_to(e) for e in epsilons]
    else:
        # The second slope is part of the gradient's norm, and small beside the first.
        assert all(0 <= c - f.iterations_to(e) <= 1 for c, e in zip(counts, epsilons, strict=True))
    slope = np.polyfit(np.log(1 / epsilons), np.log(np.array(counts) + 1.0), 1)[0]
    assert slope == pytest.approx(order, rel=0.02)


@given(st.sampled_from(KINDS), st.floats(0.0, 0.5), st.floats(0.02, 1.0))
def test_iterations_to_is_the_first(kind: type, tau: float, epsilon: float) -> None:
    f = SMALL[kind, round(2 * tau) / 2]
    decay = 1.0 / (ORDERS[kind] - round(2 * tau) / 2)
    if epsilon < (f.iterations + 1.0) ** -decay:
        with pytest.raises(ArgumentError, match="below the last slope"):
            f.iterations_to(epsilon)
        return
    k = f.iterations_to(epsilon)
    assert (k + 1.0) ** -decay <= epsilon
    assert k == 0 or float(k) ** -decay > epsilon


SMALL = {(kind, tau): kind(120, tau=tau) for kind in KINDS for tau in (0.0, 0.5)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_derivatives_are_consistent(kind: type, tau: float) -> None:
    f = SMALL[kind, tau]
    rng = np.random.default_rng(0)
    for _ in range(8):
        x = rng.uniform(-0.2, 1.05, f.n) * f.minimisers[0]
        check = f.check_derivatives(x)
        assert check.ok, check.message
        assert check.gradient_tolerance < 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_value_slope_and_curvature_have_no_jump(kind: type) -> None:
    f = SMALL[kind, 0.0]
    for node in f.iterates:
        left, right = np.nextafter(node, -np.inf), np.nextafter(node, np.inf)
        gap = np.abs(right - left)
        assert abs(f.value(right) - f.value(left)) <= 1e-13
        assert np.all(np.abs(f.gradient(right) - f.gradient(left)) <= 4 * gap + 1e-13)
        bound = f.hessian_lipschitz * gap + 1e-11
        assert np.all(np.abs(f.hessian(right).diagonal - f.hessian(left).diagonal) <= bound)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [0.0, 0.5])
def test_the_lipschitz_constants_hold_and_are_attained(kind: type, tau: float) -> None:
    f = SMALL[kind, tau]
    second, third = [], []
    for k in (0, 1, 2, f.iterations // 2, f.iterations - 1, f.iterations):
        a, b = f.iterates[k], f.iterates[k + 1]
        grid = [a + t * (b - a) for t in np.linspace(0.0, 1.0, 65)]
        h = np.array([f.hessian(x).diagonal for x in grid])
        second.append(np.abs(h).max())
        third.append((np.abs(np.diff(h, axis=0)) / ((b - a) / 64)).max())
    assert max(second) <= f.gradient_lipschitz * (1 + 1e-12)
    assert max(second) >= 0.99 * f.gradient_lipschitz
    assert max(third) <= f.hessian_lipschitz * (1 + 1e-8)
    assert max(third) >= 0.95 * f.hessian_lipschitz


@pytest.mark.parametrize("tau", [0.0, 0.25, 0.5])
def test_the_constants_that_are_promised_do_not_grow(tau: float) -> None:
    for K in (1, 10, 3000):
        assert SlowSteepestDescent(K, tau=tau).gradient_lipschitz <= 3.3
        plane = SlowNewton(K, tau=tau)
        assert plane.gradient_lipschitz <= 3.3
        assert plane.path_hessian_lipschitz <= 24.4
        assert SlowCubic(K, tau=tau).hessian_lipschitz <= 17.5
        assert SlowCubic(K, tau=tau, sigma=5.0).hessian_lipschitz <= 87.5
    # ... and the one that is not does.
    assert SlowNewton(5000).hessian_lipschitz > 1000.0


def test_the_limits_of_the_constants() -> None:
    # The largest derivatives of the limiting polynomials of the docstring, by exact calculus.
    t = np.polynomial.Polynomial([0, 1])
    bump = t * (1 - t)
    q = 56 * bump**3 + bump * (1 - 2 * t) * (1 + 3 * bump)

    def largest(p) -> float:
        roots = p.deriv().roots()
        inside = roots[(abs(roots.imag) < 1e-9) & (roots.real >= 0) & (roots.real <= 1)].real
        return max(abs(p(np.append(inside, [0.0, 1.0]))))

    assert SlowSteepestDescent(5000).gradient_lipschitz == pytest.approx(
        largest(q.deriv()), rel=1e-2
    )
    assert SlowNewton(5000).path_hessian_lipschitz <= largest(q.deriv(2)) < 24.4
    assert SlowCubic(5000).hessian_lipschitz == pytest.approx(17.5, rel=1e-3)
    assert largest((140 / 3 * bump**3).deriv(2)) == pytest.approx(17.5)


@pytest.mark.parametrize("kind", KINDS)
def test_rounding_does_not_lead_off_the_path(kind: type) -> None:
    # A quintic multiplies an error by more than twenty at each Newton step.
    f = SMALL[kind, 0.0]
    rng = np.random.default_rng(0)
    x = f.start.copy()
    for k in range(f.iterations + 1):
        assert np.abs(x - f.iterates[k]).max() <= 1e-9
        x = x + STEPS[kind](f, x) * (1.0 + 1e-13 * rng.standard_normal(f.n))


def test_the_path_constant_is_that_of_the_segments() -> None:
    f = SlowNewton(10)
    rates = []
    for a, b in zip(f.iterates[:-1], f.iterates[1:], strict=True):
        h = np.array([f.hessian(a + t * (b - a)).diagonal for t in np.linspace(0, 1, 513)])
        rates.append(np.abs(np.diff(h, axis=0)).max() * 512 / np.linalg.norm(b - a))
    assert max(rates) == pytest.approx(f.path_hessian_lipschitz, rel=0.01)
    assert max(rates) <= f.path_hessian_lipschitz * (1 + 1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_falls_all_the_way_to_its_one_minimum(kind: type) -> None:
    f = SMALL[kind, 0.0]
    for t in np.linspace(-1.0, 0.9999, 1000):
        assert np.all(f.gradient(t * f.minimisers[0]) < 0.0)
    for t in (1.0001, 2.0, 100.0):
        assert np.all(f.gradient(t * f.minimisers[0]) > 0.0)


def test_the_range_is_bounded_for_positive_tau() -> None:
    # The sum of (k + 1)^-2p is below zeta(2p), of which 3/5 is the range.
    assert SlowSteepestDescent(5000, tau=0.5).value(np.zeros(1)) < 0.6 * mpmath.zeta(4 / 3)
    assert SlowCubic(5000, tau=0.25).value(np.zeros(1)) < mpmath.zeta(1.2) * 2 / 3
    total = 0.6 * float(mpmath.harmonic(1000)) + 0.5 / 1001
    assert SlowSteepestDescent(1000).value(np.zeros(1)) == pytest.approx(total)


@pytest.mark.parametrize("kind", KINDS)
def test_in_every_library(kind: type, xp_case: Xp) -> None:
    f = kind(20)
    host = 0.37 * f.minimisers[0]
    x = xp_case.array(host)
    assert f.value(x) == pytest.approx(f.value(host), rel=10 * xp_case.eps)
    g, Hx = f.gradient(x), f.hessian(x) @ x
    assert xp_case.owns(g)
    assert xp_case.owns(Hx)
    assert np.allclose(xp_case.numpy(g), f.gradient(host), rtol=1e3 * xp_case.eps)


def test_a_gradient_is_one_transfer(strict_case: Xp, host_fetches: FetchCounter) -> None:
    f, x = SlowNewton(5), strict_case.array([0.5, 0.5])
    host_fetches.reset()
    f.gradient(x)
    assert host_fetches.count == 1


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_out_of_range_are_refused(kind: type) -> None:
    with pytest.raises(ArgumentError, match="iterations must be at least 1"):
        kind(0)
    with pytest.raises(ArgumentError, match="iterations must be an integer"):
        kind(10.0)
    most = ORDERS[kind] - 1.0
    for tau in (-0.1, most + 0.01, math.nan):
        with pytest.raises(ArgumentError, match="tau must lie in"):
            kind(5, tau=tau)
    assert kind(1, tau=most).iterates.shape == (3, kind(1).n)
    with pytest.raises(ArgumentError, match="epsilon must be positive"):
        kind(5).iterations_to(0.0)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf, "1"])
def test_sigma_has_to_be_positive(sigma: object) -> None:
    with pytest.raises(ArgumentError, match="sigma"):
        SlowCubic(5, sigma=sigma)
