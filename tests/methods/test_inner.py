"""The inner solver of the minimisers, against the certified one and the model itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from tests.methods.support import Hidden
from tralgos.methods.acceptance import (
    decrease_ratio,
    gradient_decrease,
    rounding_level,
    shrink_factor,
    unseen,
)
from tralgos.methods.evaluator import Budget, Evaluator
from tralgos.methods.forcing import Forcing
from tralgos.methods.inner import InnerStep, KrylovInner
from tralgos.methods.inner_choice import inner_solver
from tralgos.methods.inner_others import DirectInner, SubproblemInner
from tralgos.norms import DiagonalNorm, EuclideanNorm, Norm
from tralgos.operators import CountingOperator, DenseOperator
from tralgos.problems import FunctionProblem


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


# ---------------------------------------------------------------------- units and norms


@given(
    st.integers(1, 8),
    st.integers(0, 10**6),
    st.sampled_from([-300, -60, 60, 300]),
    st.sampled_from([-100, 100]),
)
def test_units_of_the_model(n: int, seed: int, f: int, length: int) -> None:
    """f and x in other units, powers of two: the same step in these units."""
    H, g = random_model(n, seed)
    h, c, t = 2.0 ** (f - 2 * length), 2.0 ** (f - length), 2.0**length
    plain, scaled = (
        solver(CountingOperator(A), b, EuclideanNorm(), 1e-3) for A, b in ((H, g), (h * H, c * g))
    )
    assert scaled.gradient_norm == pytest.approx(c * plain.gradient_norm)
    curvature = h * plain.curvature_along_gradient()
    assert scaled.curvature_along_gradient() == pytest.approx(curvature, rel=1e-9, abs=1e-12 * h)
    pairs = [
        (plain.trust_region(0.5), scaled.trust_region(0.5 * t)),
        (plain.cubic(2.0), scaled.cubic(2.0 * h / t)),
        (plain.trust_region_again(0.25), scaled.trust_region_again(0.25 * t)),
        (plain.cubic_again(4.0), scaled.cubic_again(4.0 * h / t)),
    ]
    for one, other in pairs:
        assert one is not None
        assert other is not None
        assert other.vector / t == pytest.approx(one.vector, rel=1e-6, abs=1e-9)
        assert other.norm / t == pytest.approx(one.norm)
        assert other.decrease / 2.0**f == pytest.approx(one.decrease)
        assert other.residual / c == pytest.approx(one.residual, abs=1e-9)
        assert other.on_boundary == one.on_boundary


@pytest.mark.parametrize("size", [1e-200, 1e3, 1e200])
def test_residual_carries_the_units_of_the_gradient(size: float) -> None:
    """Of a step that is far from exact; and the residual that is asked for has them too."""
    H, g = size * np.diag(np.linspace(1.0, 1e3, 100)), np.full(100, size)
    options = {"rtol": 0.0, "boundary_rtol": 0.0, "memory": 2**30}
    inner = KrylovInner(CountingOperator(H), g, EuclideanNorm(), residual=2.0 * size, **options)
    step = inner.trust_region(1e9)
    residual = float(np.linalg.norm((H @ step.vector + g) / size))
    assert step.residual / size == pytest.approx(residual)
    assert 0.5 < residual <= 2.0


@given(st.integers(1, 10), st.integers(0, 10**6), st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_steps_of_models_with_two_scales(n: int, seed: int, hs: float, gs: float) -> None:
    """Against the certified solver, H and g of different sizes; the residual is the step's own."""
    H, g = random_model(n, seed)
    H, g = 10.0**hs * H, 10.0**gs * g
    d = np.exp(np.random.default_rng(seed).standard_normal(n))
    norm = DiagonalNorm(d)
    sigma = 10.0 ** (2.0 * hs - gs)
    inner = solver(CountingOperator(H), g, norm, 1e-13)
    assert inner.gradient_norm == pytest.approx(norm.dual_norm(g))
    step = inner.cubic(sigma)
    best = tralgos.solve_cubic(H, g, sigma, norm=norm, rtol=1e-10)
    assert step.decrease == pytest.approx(best.model_decrease, rel=1e-7)
    assert step.norm == pytest.approx(norm.norm(step.vector))
    gradient = H @ step.vector + g + sigma * step.norm * d * step.vector
    assert step.residual == pytest.approx(norm.dual_norm(gradient), abs=1e-9 * norm.dual_norm(g))


def test_gap_is_relative_and_estimates_what_is_missing() -> None:
    H, g = np.diag(np.logspace(-4.0, 0.0, 200)), np.full(200, 3.0)
    best = 0.5 * float(g @ np.linalg.solve(H, g))
    step = solver(CountingOperator(H), g, EuclideanNorm(), 0.1).trust_region(1e9)
    assert step.gap is not None
    assert 0.0 < step.gap <= 0.1
    assert step.gap == pytest.approx(best / step.decrease - 1.0, rel=3.0)


def test_looser_where_the_cubic_term_outweighs_the_curvature() -> None:
    """And there alone: the accuracy of `rtol` where the curvature rules, and if that is looser."""
    rng = np.random.default_rng(4)
    H, g = np.diag(np.linspace(1.0, 1e3, 300)), rng.standard_normal(300)

    def made(H: np.ndarray, sigma: float, rtol: float, boundary_rtol: float) -> int:
        counted = CountingOperator(H)
        inner = KrylovInner(
            counted,
            g,
            EuclideanNorm(),
            rtol=rtol,
            residual=0.0,
            boundary_rtol=boundary_rtol,
            memory=2**30,
        )
        inner.cubic(sigma)
        return counted.count

    indefinite = H - 300.0 * np.eye(300)
    assert made(indefinite, 1.0, 1e-8, 0.05) < 0.7 * made(indefinite, 1.0, 1e-8, 1e-8)
    assert made(H, 1e-6, 1e-8, 0.5) == made(H, 1e-6, 1e-8, 1e-8)
    assert made(indefinite, 1.0, 0.05, 1e-8) == made(indefinite, 1.0, 0.05, 0.05)


@pytest.mark.parametrize("method", ["auto", "krylov"])
def test_subproblems_speak_the_norm_of_the_step(method: str) -> None:
    H, g = random_model(6, 2)
    H, g = 10.0 * H, 1e3 * g
    d = np.exp(np.random.default_rng(3).standard_normal(6))
    norm = DiagonalNorm(d)
    inner = SubproblemInner(H, g, norm, method=method, certify="none")
    w = g / d
    assert inner.gradient_norm == pytest.approx(np.sqrt(g @ w))
    assert inner.curvature_along_gradient() == pytest.approx(w @ H @ w / (w @ (d * w)))
    step = inner.trust_region(2.0)
    assert step.norm == pytest.approx(np.sqrt(step.vector @ (d * step.vector)))
    assert step.decrease == pytest.approx(-value(H, g, step.vector))
    assert step.on_boundary
    assert inner.trust_region_again(1.0) is None
    assert inner.cubic_again(1.0) is None


def test_residual_of_a_truncated_step_has_its_units() -> None:
    """Of conjugate gradients stopped early: ||Hs + g|| itself, not its share of ||g||."""
    H, g = np.diag(np.linspace(1.0, 100.0, 40)), np.full(40, 1e3)
    options = {"method": tralgos.Steihaug(rtol=0.1), "certify": "none"}
    step = SubproblemInner(H, g, EuclideanNorm(), **options).trust_region(1e9)
    assert step.residual == pytest.approx(np.linalg.norm(H @ step.vector + g), rel=1e-9)
    assert step.residual > 1.0


# ---------------------------------------------------------------------- the choice


def chosen(choice: Any, H: Any, eta: float = 0.2, **options: Any) -> Any:
    """The solver of the model of f = g'x + x'Hx/2 at 0, with g of ones."""
    n = H.shape[0]
    problem: Any = FunctionProblem(
        lambda x: 0.0, lambda x: np.ones(n), hess=lambda x: H, n=n, name="chosen"
    )
    evaluator = Evaluator(Hidden(problem) if options.pop("hide", False) else problem, **options)
    counted = evaluator.curvature(np.zeros(n))
    norm = DiagonalNorm(np.full(n, 4.0))
    rng = np.random.default_rng(0)
    made = inner_solver(choice, evaluator, counted, np.ones(n), norm, Forcing(eta), rng)
    return made, evaluator


def test_an_operator_is_multiplied_out_for_the_direct_solver() -> None:
    H, _ = random_model(4, 8)
    made, evaluator = chosen("direct", H, hide=True)
    assert evaluator.counts.nhvp == 4
    known, _ = chosen("direct", H)
    assert np.allclose(made.trust_region(0.5).vector, known.trust_region(0.5).vector)


@given(st.integers(1, 9), st.integers(0, 10**6), st.floats(-2.0, 2.0), st.booleans())
def test_direct_solver(n: int, seed: int, log: float, cubic: bool) -> None:
    """To rounding what the certified solver says, in a norm, with its own length and decrease."""
    H, g = random_model(n, seed)
    d = np.exp(np.random.default_rng(seed).standard_normal(n))
    norm, parameter = DiagonalNorm(d), 10.0**log
    made = DirectInner(DenseOperator(H), g, norm)
    assert made.gradient_norm == pytest.approx(norm.dual_norm(g))
    w = g / d
    assert made.curvature_along_gradient() == pytest.approx(w @ H @ w / (w @ (d * w)), abs=1e-9)
    if cubic:
        step, best = made.cubic(parameter), tralgos.solve_cubic(H, g, parameter, norm=norm)
    else:
        step, best = (
            made.trust_region(parameter),
            tralgos.solve_trs(H, g, parameter, norm=norm, rtol=1e-10),
        )
        assert step.norm <= parameter
        assert step.on_boundary == best.on_boundary
    assert step.decrease == pytest.approx(best.model_decrease, rel=1e-8)
    assert step.norm == pytest.approx(norm.norm(step.vector), rel=1e-9)


@pytest.mark.parametrize("solver", ["krylov", "direct"])
def test_parameters_that_allow_no_step_give_none(solver: str) -> None:
    """A radius or sigma whose step cannot be represented: no error, no step."""
    made, _ = chosen(solver, np.eye(3))
    for step in (made.trust_region(1e-300), made.cubic(1e300), made.trust_region_again(1e-300)):
        assert step.norm == step.decrease == 0.0
        assert not step.vector.any()
    assert made.trust_region(1e300).norm == pytest.approx(2.0 * np.sqrt(3.0))
    assert made.cubic(1e-300).norm == pytest.approx(2.0 * np.sqrt(3.0))


@pytest.mark.parametrize(
    ("choice", "products"), [("direct", False), ("exact", False), ("steihaug", True)]
)
def test_products_with_a_matrix_count_unless_it_is_factorised(choice: str, products: bool) -> None:
    made, evaluator = chosen(choice, np.diag([1.0, 2.0, 3.0]))
    made.trust_region(0.5)
    assert (evaluator.counts.nhvp > 0) == products


def test_exact_is_certified() -> None:
    for hide in (False, True):
        step = chosen("exact", np.diag([1.0, 2.0, 3.0]), hide=hide)[0].trust_region(0.5)
        assert step.gap is not None
        assert step.gap <= 1e-8
    assert chosen("direct", np.diag([1.0, 2.0, 3.0]))[0].trust_region(0.5).gap is None


def test_chosen_solvers_keep_within_the_budget() -> None:
    """They end at it with the step they have, rather than the run in the middle of one."""
    H = np.diag(np.linspace(1.0, 1e3, 60))
    made, evaluator = chosen("exact", H, hide=True, budget=Budget(6))
    step = made.trust_region(10.0)
    assert evaluator.counts.nhvp <= 6
    assert step.decrease > 0.0


@pytest.mark.parametrize(
    ("eta", "gtol", "target"),
    [
        (0.1, 0.0, 0.1),  # the forcing
        (1e-6, 1e-3, 0.7e-3 / 3.0),  # seven tenths of the tolerance, of a gradient of size 3
        (0.1, 10.0, 0.7),  # a gradient below the tolerance, for a last step
    ],
)
def test_accuracy_of_the_krylov_solver(
    eta: float, gtol: float, target: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The residual in the dual norm, 1.5 for nine ones in the norm 4I; the gap as its square."""
    asked: dict[str, float] = {}
    monkeypatch.setattr(
        "tralgos.methods.inner_choice.KrylovInner", lambda *_, **options: asked.update(options)
    )
    chosen("krylov", np.eye(9), eta, gtol=gtol)
    assert asked["residual"] == pytest.approx(1.5 * target)
    assert asked["rtol"] == pytest.approx(0.1 * eta**2)
    assert asked["boundary_rtol"] == 0.05


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


@pytest.mark.parametrize("h", [2.0**-100, 1.0, 2.0**100])
@pytest.mark.parametrize("c", [2.0**-80, 1.0, 2.0**80])
def test_units_of_the_direct_solver(h: float, c: float) -> None:
    """H and g in other units, powers of two: the same steps in theirs, bit for bit."""
    H, g = random_model(5, 12)
    made = DirectInner(DenseOperator(H), g, EuclideanNorm())
    other = DirectInner(DenseOperator(h * H), c * g, EuclideanNorm())
    t = c / h
    assert other.gradient_norm == c * made.gradient_norm
    assert other.curvature_along_gradient() == h * made.curvature_along_gradient()
    pairs = [
        (made.trust_region(0.3), other.trust_region(0.3 * t)),
        (made.trust_region(30.0), other.trust_region(30.0 * t)),
        (made.cubic(2.0), other.cubic(2.0 * h / t)),
    ]
    for one, two in pairs:
        assert np.array_equal(t * one.vector, two.vector)
        assert two.norm == t * one.norm
        assert two.decrease == c * t * one.decrease
        assert two.residual == pytest.approx(c * one.residual)
