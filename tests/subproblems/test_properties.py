"""What holds of every solution, on drawn instances: small, with repeats, zeros and scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.oracle import rotated
from tests.subproblems.support import EPS
from tralgos import Subproblem, SubproblemResult, solve_cubic, solve_trs
from tralgos.norms import DiagonalNorm, LowRankNorm, MatrixNorm

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=60)
METHODS = st.sampled_from(["direct", "krylov"])


@dataclass(frozen=True)
class Instance:
    """A dense model with its spectrum, a radius and a sigma."""

    eigenvalues: np.ndarray
    H: np.ndarray
    g: np.ndarray
    radius: float
    sigma: float
    seed: int

    @property
    def size(self) -> float:
        return float(np.abs(self.eigenvalues).max())

    @property
    def gamma(self) -> float:
        return float(np.linalg.norm(self.g))

    def level(self, length: float, multiplier: float = 0.0) -> float:
        """eps (||H|| + lambda) length^2 + eps ||g|| length."""
        return EPS * ((self.size + multiplier) * length * length + self.gamma * length)

    def q(self, s: np.ndarray, sigma: float = 0.0) -> float:
        cube = float(np.linalg.norm(s)) ** 3
        return float(self.g @ s + 0.5 * s @ (self.H @ s)) + sigma / 3.0 * cube


#: Few enough values that they repeat, some of them next to each other.
EIGENVALUES = st.one_of(
    st.sampled_from([-2.0, -1.0, -1.0 + 1e-9, 0.0, 1e-12, 1e-6, 1.0, 3.0]), st.floats(-3, 3)
)
COMPONENTS = st.one_of(st.sampled_from([0.0, 1e-14, -1e-8, 1e-4]), st.floats(-2, 2))


@st.composite
def instances(draw: st.DrawFn, rotate: bool = True) -> Instance:
    n = draw(st.integers(1, 12))
    e = np.array(draw(st.lists(EIGENVALUES, min_size=n, max_size=n)))
    c = np.array(draw(st.lists(COMPONENTS, min_size=n, max_size=n)))
    # The scale of what hypothesis draws tiny is not what is tested here.
    e[np.abs(e) < 1e-13] = 0.0
    c[np.abs(c) < 1e-17] = 0.0
    seed = draw(st.integers(0, 2**20))
    radius = 10.0 ** draw(st.floats(-3, 3))
    sigma = 10.0 ** draw(st.floats(-3, 3))
    H, g = np.diag(e), c
    if rotate:
        H, g, _ = rotated(e, c, np.random.default_rng(seed))
    return Instance(e, H, g, radius, sigma, seed)


def residual(p: Instance, result: SubproblemResult) -> float:
    shifted = p.H @ result.step + result.multiplier * result.step + p.g
    return float(np.linalg.norm(shifted))


def stationary(p: Instance, result: SubproblemResult) -> None:
    """The residual and the certificate's figure for it agree, and are small."""
    length = float(np.linalg.norm(result.step))
    unit = EPS * ((p.size + result.multiplier) * length + p.gamma)
    rho = residual(p, result)
    compared = p.gamma if p.gamma > 0 else float(np.linalg.norm(p.H @ result.step))
    assert abs(result.certificate.stationarity * compared - rho) <= 16 * unit
    assert result.multiplier >= 0.0


@QUICK
@given(instances(), METHODS)
def test_first_order_conditions(p: Instance, method: str) -> None:
    result = solve_trs(p.H, p.g, p.radius, method=method)
    stationary(p, result)
    length = float(np.linalg.norm(result.step))
    assert length <= p.radius * (1 + 4 * EPS)
    assert result.certificate.feasibility == 0.0
    if result.on_boundary:
        assert length >= p.radius * (1 - 100 * EPS)
    else:
        assert result.multiplier == 0.0
    assert result.certificate.complementarity * p.gamma <= 100 * EPS * result.multiplier * p.radius
    if method == "direct":
        unit = EPS * ((p.size + result.multiplier) * length + p.gamma)
        assert residual(p, result) <= 100 * unit


@QUICK
@given(instances(), METHODS)
def test_first_order_conditions_of_the_cubic(p: Instance, method: str) -> None:
    result = solve_cubic(p.H, p.g, p.sigma, method=method)
    stationary(p, result)
    length = float(np.linalg.norm(result.step))
    assert not result.on_boundary
    unit = EPS * (p.size + result.multiplier)
    if method == "direct":
        assert residual(p, result) <= 100 * (unit * length + EPS * p.gamma)
    assert abs(result.multiplier - p.sigma * length) <= 100 * unit


@QUICK
@given(instances(), METHODS, st.sampled_from(["auto", "probabilistic"]))
def test_curvature_is_a_lower_bound(p: Instance, method: str, certify: Any) -> None:
    result = solve_trs(p.H, p.g, p.radius, method=method, certify=certify)
    bottom = float(p.eigenvalues.min())
    assert result.certificate.curvature <= bottom + result.multiplier + 4 * EPS * (
        p.size + result.multiplier
    )


@QUICK
@given(instances(), METHODS, st.booleans())
def test_no_sampled_point_is_better(p: Instance, method: str, cubic: bool) -> None:
    if cubic:
        result = solve_cubic(p.H, p.g, p.sigma, method=method)
        sigma, length = p.sigma, float(np.linalg.norm(result.step))
    else:
        result = solve_trs(p.H, p.g, p.radius, method=method)
        sigma, length = 0.0, p.radius
    rng = np.random.default_rng(p.seed)
    directions = rng.standard_normal((300, p.g.size))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    lengths = length * np.concatenate([np.ones(150), rng.random(150)])
    near = result.step + 10.0 ** rng.uniform(-8, 0, (300, 1)) * lengths[:, None] * directions
    norms = np.linalg.norm(near, axis=1)[:, None]
    if not cubic:
        near = near * np.minimum(1.0, length / np.maximum(norms, 1e-300))
    points = np.vstack([lengths[:, None] * directions, near])
    cubes = np.linalg.norm(points, axis=1) ** 3
    values = points @ p.g + 0.5 * np.sum(points @ p.H * points, axis=1) + sigma / 3 * cubes
    reach = max(length, float(norms.max()))
    unit = p.level(reach, sigma * reach)
    assert values.min() >= p.q(result.step, sigma) - result.certificate.gap - 20 * unit
    assert values.min() >= -result.model_decrease - 1e-8 * result.model_decrease - 120 * unit


@QUICK
@given(
    instances(rotate=False),
    METHODS,
    st.sampled_from([-900, -620, -450, -201, -5, 3, 199, 201, 450, 620, 900]),
)
def test_powers_of_two_change_nothing(p: Instance, method: str, k: int) -> None:
    """H and g times 2^k give the same step to the last bit, and lambda times 2^k."""
    assume(np.abs(p.g[p.g != 0]).min(initial=1.0) > 1e-10)
    assume(np.abs(p.eigenvalues[p.eigenvalues != 0]).min(initial=1.0) > 1e-10)
    one = solve_trs(p.H, p.g, p.radius, method=method)
    other = solve_trs(np.ldexp(p.H, k), np.ldexp(p.g, k), p.radius, method=method)
    np.testing.assert_array_equal(other.step, one.step)
    assert other.multiplier == math.ldexp(one.multiplier, k)
    assert other.model_decrease == math.ldexp(one.model_decrease, k)
    assert other.status is one.status
    assert other.matvecs == one.matvecs


@QUICK
@given(
    instances(),
    METHODS,
    st.sampled_from([1e-150, 1e-80, 1.0, 1e80, 1e150]),
    st.sampled_from([1e-60, 1.0, 1e60]),
)
def test_units_do_not_matter(p: Instance, method: str, unit: float, length: float) -> None:
    """q in units of `unit`, s in units of `length`: the same problem, the same figures."""
    one = solve_trs(p.H, p.g, p.radius, method=method)
    g = p.g * (unit / length)
    H = p.H * (unit / length / length)
    assume(np.isfinite(H).all())
    other = solve_trs(H, g, p.radius * length, method=method)
    rounding = 200 * p.level(p.radius, one.multiplier) + 2e-8 * one.model_decrease
    assert abs(other.model_decrease / unit - one.model_decrease) <= rounding
    assert other.certificate.gap / unit <= max(1e-8 * one.model_decrease, 100 * p.level(p.radius))
    assert other.status.name in ("GLOBAL", "ROUNDING")
    assert np.linalg.norm(other.step / length) <= p.radius * (1 + 4 * EPS)


@QUICK
@given(instances(), METHODS, st.sampled_from([1e-15, 1e-8, 1e8, 1e15]))
def test_units_do_not_matter_in_single_precision(p: Instance, method: str, unit: float) -> None:
    H, g = p.H.astype(np.float32), p.g.astype(np.float32)
    eps = 2.0**-23
    one = solve_trs(p.H, p.g, p.radius)
    unit32 = np.float32(unit)
    other = solve_trs(H * unit32, g * unit32, p.radius, method=method)
    level = eps / EPS * p.level(p.radius, one.multiplier)
    assert other.step.dtype == np.float32
    assert abs(other.model_decrease / unit - one.model_decrease) <= (
        200 * level + 2e3 * eps * one.model_decrease
    )
    assert other.status.name in ("GLOBAL", "ROUNDING")


@QUICK
@given(instances(rotate=False), METHODS, st.integers(0, 2**20))
def test_rotations_do_not_matter(p: Instance, method: str, seed: int) -> None:
    H, g, _ = rotated(p.eigenvalues, p.g, np.random.default_rng(seed))
    plain = solve_trs(p.H, p.g, p.radius, method=method)
    turned = solve_trs(H, g, p.radius, method=method)
    rounding = 200 * p.level(p.radius, plain.multiplier) + 1e-8 * plain.model_decrease
    assert abs(turned.model_decrease - plain.model_decrease) <= rounding
    plain_cubic = solve_cubic(p.H, p.g, p.sigma, method=method)
    turned_cubic = solve_cubic(H, g, p.sigma, method=method)
    length = max(plain_cubic.multiplier, 200 * EPS * p.size) / p.sigma
    rounding = 200 * p.level(length, plain_cubic.multiplier) + 1e-8 * plain_cubic.model_decrease
    assert abs(turned_cubic.model_decrease - plain_cubic.model_decrease) <= rounding


@QUICK
@given(instances(), METHODS, st.sampled_from(["diagonal", "matrix", "low-rank"]), st.booleans())
def test_change_of_variables(p: Instance, method: str, kind: str, cubic: bool) -> None:
    """A norm gives what the Euclidean problem in M^{1/2} s gives."""
    rng = np.random.default_rng(p.seed)
    n = p.g.size
    norm: Any
    if kind == "diagonal":
        norm = DiagonalNorm(np.exp(rng.uniform(-2, 2, n)))
    elif kind == "matrix":
        B = rng.standard_normal((n, n)) / math.sqrt(n)
        norm = MatrixNorm(B @ B.T + 0.5 * np.eye(n))
    else:
        norm = LowRankNorm(rng.standard_normal((n, 2)) / math.sqrt(n), 1.5, 0.5)
    half = norm.sqrt(np.eye(n))
    H, g = half @ p.H @ half, half @ p.g
    H = 0.5 * (H + H.T)
    condition = float(np.linalg.cond(half)) ** 2
    size = float(np.linalg.norm(p.H, 2))
    if cubic:
        plain = solve_cubic(p.H, p.g, p.sigma, method=method)
        other = solve_cubic(H, g, p.sigma, norm=norm, method=method)
        length = max(plain.multiplier, 200 * EPS * size * condition) / p.sigma
    else:
        plain = solve_trs(p.H, p.g, p.radius, method=method)
        other = solve_trs(H, g, p.radius, norm=norm, method=method)
        length = p.radius
        assert norm.norm(other.step) <= p.radius
    rounding = 200 * condition * p.level(length, plain.multiplier)
    assert abs(other.model_decrease - plain.model_decrease) <= (
        rounding + 2e-8 * plain.model_decrease
    )
    assert other.certificate.gap <= 2e-8 * plain.model_decrease + rounding


@QUICK
@given(instances(), METHODS, st.lists(st.floats(-4, 4), min_size=2, max_size=6))
def test_monotone_in_the_radius(p: Instance, method: str, exponents: list[float]) -> None:
    problem = Subproblem(p.H, p.g, method=method)
    radii = sorted({10.0**x for x in exponents})
    results = [problem.trust_region(r) for r in radii]
    for (small, large), r in zip(pairwise(results), radii[1:], strict=True):
        rounding = 100 * p.level(r, small.multiplier) + 1e-8 * large.model_decrease
        assert large.model_decrease >= small.model_decrease - rounding
        # To first order the gap moves the multiplier by its root.
        slack = math.sqrt(small.certificate.gap + large.certificate.gap) / p.radius
        if method == "direct":
            assert large.multiplier <= small.multiplier + 100 * EPS * (p.size + small.multiplier)
        else:
            assert large.multiplier <= small.multiplier * (1 + 1e-3) + slack + 1e-3 * p.size


@QUICK
@given(instances(), st.booleans())
def test_direct_against_krylov(p: Instance, cubic: bool) -> None:
    if cubic:
        direct = solve_cubic(p.H, p.g, p.sigma, method="direct")
        krylov = solve_cubic(p.H, p.g, p.sigma, method="krylov")
        length = max(direct.multiplier, 200 * EPS * p.size) / p.sigma
    else:
        direct = solve_trs(p.H, p.g, p.radius, method="direct")
        krylov = solve_trs(p.H, p.g, p.radius, method="krylov")
        length = p.radius
    difference = direct.model_decrease - krylov.model_decrease
    unit = 8 * p.level(length, direct.multiplier)
    assert -direct.certificate.gap - unit <= difference <= krylov.certificate.gap + unit


@QUICK
@given(instances(), METHODS)
def test_cubic_is_the_trust_region_of_its_length(p: Instance, method: str) -> None:
    """The cubic minimiser solves the trust region of radius ||s|| with lambda = sigma ||s||."""
    cubic = solve_cubic(p.H, p.g, p.sigma, method=method)
    length = float(np.linalg.norm(cubic.step))
    assume(length > 1e-10 * (p.size / p.sigma + math.sqrt(p.gamma / p.sigma)))
    ball = solve_trs(p.H, p.g, length, method=method)
    unit = 100 * p.level(length, cubic.multiplier)
    decrease = -p.q(cubic.step)
    assert abs(ball.model_decrease - decrease) <= unit + 2e-8 * max(
        ball.model_decrease, p.sigma * length**3
    )
    if method == "direct" and ball.on_boundary:
        # Where the length hardly depends on it, lambda is not determined by the length.
        gap = cubic.multiplier + float(p.eigenvalues.min())
        if gap > 1e-3 * p.size:
            assert abs(ball.multiplier - p.sigma * length) <= 1e-8 * (p.size + ball.multiplier)


@QUICK
@given(instances(), METHODS, st.booleans())
def test_reported_figures_are_those_of_the_step(p: Instance, method: str, cubic: bool) -> None:
    if cubic:
        result, sigma = solve_cubic(p.H, p.g, p.sigma, method=method), p.sigma
    else:
        result, sigma = solve_trs(p.H, p.g, p.radius, method=method), 0.0
    length = float(np.linalg.norm(result.step))
    unit = 8 * p.level(length, sigma * length)
    assert abs(result.model_decrease + p.q(result.step, sigma)) <= unit
    assert result.model_decrease >= 0.0
    certificate = result.certificate
    if certificate.gap == 0.0:
        assert certificate.relative_gap == 0.0
    elif result.model_decrease > 0.0:
        quotient = certificate.gap / result.model_decrease
        assert math.isclose(certificate.relative_gap, quotient, rel_tol=1e-12)
    assert certificate.matvecs <= result.matvecs
