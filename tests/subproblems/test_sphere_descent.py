"""The sphere descent: the faults of the printed form, and that the mended one has none of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tests.oracle import exact_trs, exact_value, rotated
from tralgos.errors import ArgumentError
from tralgos.norms import DiagonalNorm, MatrixNorm
from tralgos.operators import WrappedOperator
from tralgos.subproblems import sphere_safe
from tralgos.subproblems.callbacks import InnerIterate
from tralgos.subproblems.model import Candidate, Model
from tralgos.subproblems.spectrum import spectrum_bounds
from tralgos.subproblems.sphere_descent import SphereDescent, sphere_descent
from tralgos.subproblems.unit_ball import Point, UnitBall
from tralgos.subproblems.validation import validated_model

QUIET = settings(derandomize=True, database=None, deadline=None, max_examples=40)
PRINTED = SphereDescent(variant="printed", N1=300, N2=400)


def descend(
    H: object,
    g: object,
    radius: float,
    options: SphereDescent | None = None,
    *,
    norm: object = None,
    rtol: float = 1e-8,
    max_matvec: int | None = None,
) -> tuple[Candidate, Model, list[InnerIterate]]:
    """The candidate in the units of the caller, the model, and what the callback saw."""
    seen: list[InnerIterate] = []
    rng = np.random.default_rng(7)
    model = validated_model(H, g, norm, max_matvec=max_matvec, rng=rng)
    ratio = model.gradient_scale / model.hessian_scale
    found = sphere_descent(
        model,
        radius / ratio,
        options or SphereDescent(),
        rtol=rtol,
        callback=seen.append,
        rng=rng,
    )
    scaled = replace(
        found, step=found.step * ratio, multiplier=found.multiplier * model.hessian_scale
    )
    return scaled, model, seen


def relative_error(eigenvalues: object, g: object, radius: float, step: object) -> float:
    """How far the value of `step` (in the eigenbasis) lies above the minimum."""
    best = exact_trs(eigenvalues, g, radius).value
    return float((exact_value(eigenvalues, g, step) - best) / abs(best)) if best else 0.0


# ------------------------------------------------------------------ the printed form's faults

#: A first trial step far above 1/(lambda_t + lambda_n); with H in units of 22.5 it is 1.
LONG_STEPS = {"alpha": 0.1, "step": 0.9 / 4.0, "first_trial": 22.5}
FLIP_H, FLIP_G = np.diag([-4.0, 0.0]), np.array([0.05, 3.0])


def test_printed_returns_an_infeasible_point_when_phase_one_ends_outside() -> None:
    options = replace(PRINTED, N1=0, step=0.4, alpha=0.9)
    found, _, _ = descend(np.diag([-1.0, -2.0]), np.array([1.0, 1.0]), 1.0, options)
    assert np.linalg.norm(found.step) > 1.05
    assert not found.optimal
    assert "times the radius" in found.message


def test_printed_search_has_no_end_at_the_first_point_outside() -> None:
    """No step to the sphere satisfies Armijo's condition: q is larger all over it."""
    H, g = np.diag([-4.0, -3.0]), np.array([1.0, 4.0])
    options = replace(PRINTED, step=0.5 / 4.0, alpha=0.5)
    _, _, seen = descend(H, g, 1.0, options)
    first = next(i for i in seen if i.phase == "boundary")
    assert first.relative_norm > 1.2
    xi = H @ first.step + g
    xi = xi - first.step * (first.step @ xi)
    for a in 10.0 * options.step * 0.5 ** np.arange(200.0):
        y = first.step - a * xi
        y = y / np.linalg.norm(y)
        assert 0.5 * y @ H @ y + g @ y > first.value - 1e-4 * a * (xi @ xi)


def test_printed_turns_the_sign_of_a_component_and_ends_at_a_local_minimiser() -> None:
    """Theorem 3's hypotheses hold (g1 != 0, lambda1 < 0, eta < 1/beta); its conclusion does not."""
    found, _, _ = descend(FLIP_H, FLIP_G, 1.0, replace(PRINTED, **LONG_STEPS), rtol=1e-6)
    lam = -found.step @ (FLIP_H @ found.step + FLIP_G)
    assert np.linalg.norm(FLIP_H @ found.step + FLIP_G + lam * found.step) < 1e-6
    assert found.step[0] * FLIP_G[0] > 0
    assert relative_error([-4.0, 0.0], FLIP_G, 1.0, found.step) > 0.02


def test_printed_finds_the_global_minimiser_there_with_the_steps_capped() -> None:
    """The length of the steps is the cause, and nothing else."""
    capped = replace(PRINTED, **{**LONG_STEPS, "first_trial": 1.0 / 4.0})
    found, _, _ = descend(FLIP_H, FLIP_G, 1.0, capped, rtol=1e-6)
    assert relative_error([-4.0, 0.0], FLIP_G, 1.0, found.step) < 1e-9


def test_printed_flip_happens_for_a_first_trial_of_one() -> None:
    H, g = 22.5 * FLIP_H, 22.5 * FLIP_G
    options = replace(PRINTED, alpha=0.1, step=0.01, first_trial=1.0)
    found, _, _ = descend(H, g, 1.0, options, rtol=1e-6)
    assert found.step[0] > 0.6


def test_printed_stays_on_the_sphere_once_a_long_step_has_met_it() -> None:
    """The minimiser is inside; the mended form turns inwards."""
    eigenvalues, g = [0.1, 2.0], [0.05, 1.5]
    assert exact_trs(eigenvalues, g, 1.0).norm < 1
    H, long = np.diag(eigenvalues), 1.2
    found, _, _ = descend(H, np.array(g), 1.0, replace(PRINTED, alpha=0.01, step=long))
    assert np.linalg.norm(found.step) == pytest.approx(1.0)
    safe, _, _ = descend(H, np.array(g), 1.0, SphereDescent(alpha=0.01, step=long))
    assert relative_error(eigenvalues, g, 1.0, safe.step) < 1e-12


def test_printed_norm_may_fall_in_phase_one() -> None:
    """Theorem 5 needs z0'(Hz0 + g) <= 0, which 0 < alpha < 1 does not give."""
    _, _, seen = descend(np.diag([2.0]), np.array([1.0]), 1.0, replace(PRINTED, alpha=0.9))
    assert seen[1].relative_norm < seen[0].relative_norm


def test_printed_has_no_start_for_a_zero_gradient() -> None:
    found, _, _ = descend(np.diag([1.0, 2.0]), np.zeros(2), 1.0, PRINTED)
    assert not found.optimal
    assert "0/0" in found.message


# ------------------------------------------------------------------ the mended form


def test_safe_is_global_where_the_printed_form_is_not() -> None:
    found, _, _ = descend(FLIP_H, FLIP_G, 1.0, SphereDescent(alpha=0.1))
    assert found.optimal
    assert relative_error([-4.0, 0.0], FLIP_G, 1.0, found.step) < 1e-12


eigenvalue_lists = st.lists(st.integers(-8, 8), min_size=1, max_size=6)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """Spectra with repetitions, gradients whose components are not tiny, any radius."""
    eigenvalues = np.array(draw(eigenvalue_lists), dtype=float)
    n = eigenvalues.size
    component = st.sampled_from([-3.0, -1.0, -0.25, -0.05, 0.05, 0.25, 1.0, 3.0])
    g = np.array(draw(st.lists(component, min_size=n, max_size=n)))
    return eigenvalues, g, draw(st.sampled_from([1e-3, 0.1, 0.5, 1.0, 3.0, 100.0]))


@QUIET
@given(problems(), st.integers(0, 2**31), st.sampled_from([0.1, 0.5, 0.99]))
def test_safe_finds_the_global_minimum(
    problem: tuple[np.ndarray, np.ndarray, float], seed: int, alpha: float
) -> None:
    eigenvalues, g, radius = problem
    H, rotated_g, Q = rotated(eigenvalues, g, np.random.default_rng(seed))
    found, _, _ = descend(H, rotated_g, radius, SphereDescent(alpha=alpha))
    assert found.optimal, found.message
    assert np.linalg.norm(found.step) <= radius * (1 + 1e-14)
    assert relative_error(eigenvalues, g, radius, Q.T @ found.step) < 1e-9
    exact = float(exact_trs(eigenvalues, g, radius).multiplier)
    assert found.multiplier == pytest.approx(exact, rel=1e-6, abs=1e-6)


@QUIET
@given(problems(), st.sampled_from([0.1, 0.9]))
def test_safe_keeps_the_signs_and_descends(
    problem: tuple[np.ndarray, np.ndarray, float], alpha: float
) -> None:
    eigenvalues, g, radius = problem
    _, _, seen = descend(np.diag(eigenvalues), g, radius, SphereDescent(alpha=alpha))
    values = [i.value for i in seen]
    size = max(1.0, np.abs(eigenvalues).max()) * radius**2 + np.abs(g).sum() * radius
    for iterate in seen:
        assert np.all(iterate.step * g <= 1e-14 * size)
        assert iterate.relative_norm <= 1 + 1e-13
    assert np.all(np.diff(values) <= 1e-13 * size)


@pytest.mark.parametrize("factor", [3.0, 100.0, 1e6])
def test_safe_notices_that_a_given_step_is_too_long(factor: float) -> None:
    eigenvalues, g = [-2.0, 0.5, 4.0], [0.1, 1.0, 1.0]
    found, _, _ = descend(np.diag(eigenvalues), np.array(g), 1.0, SphereDescent(step=factor / 4))
    assert found.optimal
    assert relative_error(eigenvalues, g, 1.0, found.step) < 1e-12


def test_safe_leaves_the_sphere_when_the_minimiser_is_inside() -> None:
    """Forced onto the sphere by a start there, it turns inwards where lambda_t < 0."""
    eigenvalues, g = np.array([1.0, 30.0]), np.array([0.9, 0.9 * 30])
    H, rg, Q = rotated(eigenvalues, 0.7 * g, np.random.default_rng(0))
    found, _, _ = descend(H, rg, 1.0, SphereDescent(alpha=0.999))
    assert found.multiplier == 0.0
    assert relative_error(eigenvalues, 0.7 * g, 1.0, Q.T @ found.step) < 1e-12


def test_move_from_the_sphere_turns_inwards_for_a_negative_multiplier() -> None:
    seen = sphere_safe.MeasuredPoint(
        multiplier=-0.5, value=0.0, residual=0.5, length=1.0, curvature=1.0,
        cross=0.0, descent=0.1, inward=0.5,
    )  # fmt: skip
    move = sphere_safe.Move.of(seen, None, 0.5)
    assert not move.boundary
    assert move.keep == pytest.approx(0.75)


def test_negative_multiplier_on_the_sphere_counts_as_residual() -> None:
    """The tangent gradient vanishes there, and yet the point is not stationary."""
    rng = np.random.default_rng(0)
    model = validated_model(np.diag([2.0, 3.0]), np.array([1.0, 0.0]), None, rng=rng)
    ball = UnitBall(model, 1.0, 1.0, 3.0)
    options = SphereDescent()
    safe = sphere_safe.SafeDescent(ball, spectrum_bounds(model, 2, 1e-6, rng), options, 1e-8, None)
    y = np.array([-1.0, 0.0])
    point = Point(y, y, 2.0 * y)
    seen = safe._measure(point, ball.gradient(point, True), True, None)
    assert seen.descent == 0.0
    assert seen.residual == pytest.approx(ball.share)


def test_hard_case_is_said_not_hidden() -> None:
    found, _, _ = descend(np.diag([-1.0, 2.0]), np.array([0.0, 1.0]), 1.0)
    assert not found.optimal
    assert "hard case" in found.message


@pytest.mark.parametrize("component", [1e-4, 1e-8, 1e-12, 1e-15])
def test_near_hard_case_is_solved(component: float) -> None:
    """The descent waits at the saddle until the component has grown."""
    eigenvalues, g = [-1.0, 0.5, 2.0], [component, 0.3, 0.3]
    found, _, _ = descend(np.diag(eigenvalues), np.array(g), 2.0)
    assert found.optimal
    assert relative_error(eigenvalues, g, 2.0, found.step) < 1e-8


def test_zero_gradient() -> None:
    convex, _, _ = descend(np.diag([1.0, 2.0]), np.zeros(2), 1.0)
    assert convex.optimal
    assert not np.any(convex.step)
    saddle, _, _ = descend(np.diag([1.0, -2.0]), np.zeros(2), 1.0)
    assert not saddle.optimal
    assert "indefinite" in saddle.message


def test_zero_hessian_and_one_dimension() -> None:
    found, _, _ = descend(np.zeros((2, 2)), np.array([3.0, 4.0]), 2.0)
    np.testing.assert_allclose(found.step, [-1.2, -1.6], rtol=1e-14)
    assert found.optimal
    for h, g in [(1.0, 3.0), (-1.0, 1e-3), (0.0, 1.0), (5.0, 1.0)]:
        found, _, _ = descend(np.array([[h]]), np.array([g]), 1.0)
        assert relative_error([h], [g], 1.0, found.step) < 1e-12


@pytest.mark.parametrize("h", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("c", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("r", [1e-60, 1.0, 1e60])
def test_extreme_scales(h: float, c: float, r: float) -> None:
    if not 1e-300 < r * (h / c) < 1e300:
        pytest.skip("the radius in the scaled units leaves the range of float64")
    H = h * np.array([[1.0, 2.0], [2.0, -1.0]])
    eigenvalues, Q = np.linalg.eigh(H / h)
    g = c * np.array([1.0, 0.5])
    found, _, _ = descend(H, g, r)
    assert relative_error(h * eigenvalues, Q.T @ g, r, Q.T @ found.step) < 1e-10


@pytest.mark.parametrize("h", [1e-15, 1.0, 1e15])
@pytest.mark.parametrize("c", [1e-15, 1.0, 1e15])
@pytest.mark.parametrize("r", [1e-10, 1.0, 1e10])
def test_extreme_scales_in_single_precision(h: float, c: float, r: float) -> None:
    if not 1e-37 < r * h / c < 1e37:
        pytest.skip("the radius in the scaled units leaves the range of float32")
    H = np.array([[1.0, 2.0], [2.0, -1.0]])
    eigenvalues, Q = np.linalg.eigh(H)
    g = np.array([1.0, 0.5])
    found, _, _ = descend((h * H).astype(np.float32), (c * g).astype(np.float32), r, rtol=1e-4)
    assert found.step.dtype == np.float32
    step = Q.T @ found.step.astype(float)
    assert relative_error(h * eigenvalues, c * (Q.T @ g), r, step) < 1e-5


@QUIET
@given(problems(), st.integers(0, 2**31))
def test_norm_path_equals_the_change_of_variable(
    problem: tuple[np.ndarray, np.ndarray, float], seed: int
) -> None:
    eigenvalues, g, radius = problem
    rng = np.random.default_rng(seed)
    n = eigenvalues.size
    root = np.exp(rng.uniform(-1, 1, n))
    K, c, Q = rotated(eigenvalues, g, rng)
    # With s = D^-1 x the pencil (D K D, D^2) has the spectrum of K.
    H, gradient = K * np.outer(root, root), c * root
    found, _, _ = descend(H, gradient, radius, norm=DiagonalNorm(root**2))
    assert found.optimal, found.message
    assert relative_error(eigenvalues, g, radius, Q.T @ (root * found.step)) < 1e-9
    dense, _, _ = descend(H, gradient, radius, norm=MatrixNorm(np.diag(root**2)))
    assert relative_error(eigenvalues, g, radius, Q.T @ (root * dense.step)) < 1e-9


def test_one_product_an_iteration_and_backtracking_is_free() -> None:
    rng = np.random.default_rng(0)
    H, g, _ = rotated(rng.standard_normal(30), rng.standard_normal(30), rng)
    _, model, seen = descend(H, g, 1.0)
    assert model.matvecs == 16 + len(seen)
    _, model, seen = descend(H, g, 1.0, replace(PRINTED, N1=100, N2=20, step=0.1))
    assert model.matvecs == 1 + len(seen)


def test_one_fetch_an_iteration(strict_case: Xp, host_fetches: FetchCounter) -> None:
    rng = np.random.default_rng(0)
    H, g, _ = rotated([-3.0, -1.0, 0.5, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0], rng)
    norm = DiagonalNorm(strict_case.array([1.0, 2.0, 0.5, 1.0, 3.0]))
    for options in (SphereDescent(step=0.2), replace(PRINTED, step=0.2)):
        counts = []
        for limit in (10, 30):
            model = validated_model(
                strict_case.array(H), strict_case.array(g), norm, rng=np.random.default_rng(0)
            )
            host_fetches.reset()
            limited = replace(options, maxiter=limit, N1=limit, N2=limit)
            sphere_descent(model, 1.0, limited, rtol=1e-30, rng=np.random.default_rng(0))
            counts.append((host_fetches.count, model.matvecs))
        (a, k), (b, m) = counts
        assert b - a <= m - k


def test_every_namespace(xp_case: Xp) -> None:
    eigenvalues, g = [-2.0, 0.5, 1.0, 4.0], [0.5, 1.0, -1.0, 2.0]
    H, rg, Q = rotated(eigenvalues, g, np.random.default_rng(3))
    rtol = 1e-8 if xp_case.eps < 1e-10 else 1e-4
    for options in (SphereDescent(), replace(PRINTED, N2=600)):
        found, _, _ = descend(xp_case.array(H), xp_case.array(rg), 1.0, options, rtol=rtol)
        assert xp_case.owns(found.step)
        step = Q.T @ xp_case.numpy(found.step)
        assert relative_error(eigenvalues, g, 1.0, step) < 1e3 * xp_case.eps


@QUIET
@given(st.integers(1, 40), st.integers(0, 2**31), st.integers(1, 20))
def test_upper_bound_holds(n: int, seed: int, products: int) -> None:
    rng = np.random.default_rng(seed)
    H, g, _ = rotated(rng.standard_normal(n) * np.exp(3 * rng.standard_normal(n)), np.ones(n), rng)
    d = np.exp(rng.standard_normal(n))
    pencil = np.linalg.eigvalsh(H / np.sqrt(np.outer(d, d)))
    model = validated_model(H, g, DiagonalNorm(d), rng=rng)
    found = spectrum_bounds(model, products, 1e-6, rng)
    assert found.upper_bound >= pencil[-1] * model.hessian_scale**-1 - 1e-13 * found.size
    assert found.lower_ritz >= pencil[0] - 1e-12 * found.size


def test_upper_bound_is_tight_enough_after_sixteen_products() -> None:
    rng = np.random.default_rng(1)
    values = rng.standard_normal(200)
    model = validated_model(np.diag(values), np.ones(200), None, rng=rng)
    found = spectrum_bounds(model, 16, 1e-6, rng)
    assert found.upper_bound < values.max() + 0.6 * (values.max() - values.min())


def test_budget_gives_the_last_iterate() -> None:
    rng = np.random.default_rng(0)
    H, g, _ = rotated(rng.standard_normal(30), rng.standard_normal(30), rng)
    for options in (SphereDescent(), replace(PRINTED, step=0.1)):
        for budget in (1, 3, 16, 17, 25):
            found, model, _ = descend(H, g, 1.0, options, max_matvec=budget)
            assert model.matvecs <= budget
            assert not found.optimal
            assert "budget" in found.message or "radius" in found.message


def test_maxiter_is_said() -> None:
    H, g = np.diag([-1.0, 0.0, 5.0]), np.ones(3)
    found, _, _ = descend(H, g, 10.0, SphereDescent(maxiter=3))
    assert not found.optimal
    assert "3 iterations" in found.message


def test_error_of_the_matvec_arrives_unchanged() -> None:
    class Broken:
        shape = (2, 2)

        def matvec(self, x: np.ndarray) -> np.ndarray:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        descend(WrappedOperator(Broken(), symmetric=True), np.ones(2), 1.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "best"), ("step", 0.0), ("step", np.inf), ("alpha", 1.0), ("alpha", 0.0),
        ("maxiter", 0), ("products", 1.5), ("armijo", 1.0), ("backtrack", 1.0), ("N1", -1),
        ("N2", True), ("first_trial", -1.0), ("max_backtracks", None), ("failure_probability", 2),
    ],
)  # fmt: skip
def test_bad_options(field: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=field):
        SphereDescent(**{field: value})
