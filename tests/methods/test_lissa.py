"""LiSSA: the Neumann series in closed form, where it converges, and the method around it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from tests.methods.support import Hidden, dense_quadratic, rosenbrock, saddle
from tests.namespaces import FetchCounter, Xp
from tralgos import minimize
from tralgos.errors import ArgumentError
from tralgos.methods import Ending
from tralgos.methods.lissa import LiSSA, neumann_step
from tralgos.operators import DenseOperator
from tralgos.problems import FunctionProblem, LogisticRegression, Rosenbrock, digits_problem


def logistic() -> LogisticRegression:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    return LogisticRegression(X, X[:, 0] + rng.standard_normal(200) > 0.0, l2=0.01)


def component(a: float, s: float, depth: int) -> float:
    """-(1 - (1 - a/s)^(R + 1)) / a in 60 digits, or its limit -(R + 1)/s at a = 0."""
    with mpmath.workdps(60):
        if a == 0.0:
            return float(-mpmath.mpf(depth + 1) / mpmath.mpf(s))
        ratio = 1 - mpmath.mpf(a) / mpmath.mpf(s)
        return float(-(1 - ratio ** (depth + 1)) / mpmath.mpf(a))


# ------------------------------------------------------------------ the recursion


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.25, 1.0, 2.5, 3.0, 4.0]), min_size=1, max_size=5),
    st.sampled_from([1.0, 1.5, 2.0]),
    st.integers(0, 30),
)
def test_the_recursion_is_the_series(a: list[float], s: float, depth: int) -> None:
    """Component by component against the closed form in mpmath, eigenvalues of all signs."""
    z = neumann_step(DenseOperator(np.diag(a)), np.ones(len(a)), scale=s, depth=depth)
    expected = np.array([component(v, s, depth) for v in a])
    size = np.maximum(1.0, np.abs(1.0 - np.array(a) / s)) ** depth * (depth + 1) / s
    assert (np.abs(z - expected) <= 1e-13 * size).all()


def test_damping_shifts_the_matrix() -> None:
    """H + lambda I by `lam` and by hand."""
    H, g = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])
    damped = neumann_step(DenseOperator(H), g, scale=4.0, depth=7, lam=0.5)
    shifted = neumann_step(DenseOperator(H + 0.5 * np.eye(2)), g, scale=4.0, depth=7)
    assert damped == pytest.approx(shifted, rel=1e-14)
    z = -g / 4.0
    for _ in range(7):
        z = z - (H @ z + 0.5 * z + g) / 4.0
    assert damped == pytest.approx(z, rel=1e-13)


def test_curveballs_form() -> None:
    """With s = 1: z - Hz - J from -J."""
    H, J = np.diag([0.5, 1.5]), np.array([1.0, 2.0])
    z = -J
    for _ in range(5):
        z = z - H @ z - J
    assert np.array_equal(neumann_step(DenseOperator(H), J, scale=1.0, depth=5), z)


@pytest.mark.parametrize("a", [1e-3, 0.5, 1.0, 1.999])
def test_converges_inside(a: float) -> None:
    """0 < a < 2s: to -J/a, with the factor 1 - a/s a step."""
    z = neumann_step(DenseOperator(np.array([[a]])), np.ones(1), scale=1.0, depth=20_000)
    assert z[0] == pytest.approx(-1.0 / a, rel=1e-8)


def test_at_the_ends_of_the_interval() -> None:
    """a = 2s: -J/s and 0 in turn, never -J/(2s). a = 0: grows as R + 1. a < 0, a > 2s: grows."""
    H, one = DenseOperator(np.diag([2.0, 0.0, -0.5, 2.5])), np.ones(4)
    steps = [neumann_step(H, one, scale=1.0, depth=depth) for depth in range(12)]
    assert [z[0] for z in steps] == [-1.0, 0.0] * 6
    assert [z[1] for z in steps] == [-(depth + 1.0) for depth in range(12)]
    for which, ratio in ((2, 1.5), (3, -1.5)):
        errors = [z[which] + 1.0 / (-0.5, 2.5)[which - 2] for z in steps]
        for before, after in itertools.pairwise(errors):
            assert after == pytest.approx(ratio * before, rel=1e-9)
    assert neumann_step(H, np.zeros(4), scale=1.0, depth=99) == pytest.approx(np.zeros(4))


def test_singular_and_consistent() -> None:
    """J in the range of H: a zero eigenvalue does no harm, and z tends to the least solution."""
    v = np.array([3.0, 4.0]) / 5.0
    z = neumann_step(DenseOperator(np.outer(v, v)), v, scale=0.7, depth=200)
    assert z == pytest.approx(-v)


@given(
    st.lists(st.floats(-3.0, 3.0), min_size=1, max_size=6),
    st.integers(0, 15),
    st.integers(0, 10**6),
)
def test_even_depth_descends(a: list[float], half: int, seed: int) -> None:
    """J'z < 0 whatever the signs of H are; so it is for odd ones if all are below 2s."""
    J = np.random.default_rng(seed).standard_normal(len(a))
    H = DenseOperator(np.diag(a))
    assert J @ neumann_step(H, J, scale=1.0, depth=2 * half) < 0.0
    bound = 0.51 * max(1e-3, *a)
    assert J @ neumann_step(H, J, scale=bound, depth=2 * half + 1) < 0.0


def test_odd_depth_can_climb() -> None:
    """n = 1, H = 3 and s = 1: z_1 = -J + 3J - J is uphill."""
    assert neumann_step(DenseOperator(np.array([[3.0]])), np.ones(1), scale=1.0, depth=1)[0] == 1.0


def test_a_step_that_climbs_is_turned_round() -> None:
    """That step of an odd depth, safeguarded: f falls."""
    problem = dense_quadratic(np.array([[3.0]]), np.zeros(1))
    run = minimize(problem, np.ones(1), LiSSA(scale=1.0, depth=1), maxiter=1)
    assert run.trace[-1].accepted
    assert run.fun < 0.5 * problem.value(np.ones(1))


def test_samples_have_twice_the_scale() -> None:
    """Of the bound for the whole Hessian."""
    scales = [
        minimize(logistic(), np.zeros(6), LiSSA(batch=batch), maxiter=1, rng=1)
        .trace[-1]
        .detail["scale"]
        for batch in (None, 20)
    ]
    assert scales[1] == pytest.approx(2.0 * scales[0])


def test_recursion_on_every_array_library(xp_case: Xp) -> None:
    """Library, device and dtype stay."""
    H, g = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])
    z = neumann_step(
        DenseOperator(xp_case.array(H)), xp_case.array(g), scale=3.0, depth=60, lam=0.1
    )
    assert xp_case.owns(z)
    exact = -np.linalg.solve(H + 0.1 * np.eye(2), g)
    assert xp_case.numpy(z) == pytest.approx(exact, abs=1e-6 + 30 * xp_case.eps)


def test_recursion_fetches_nothing(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """No host transfer whatever the depth."""
    H, g = DenseOperator(strict_case.array(np.eye(3))), strict_case.array(np.ones(3))
    host_fetches.reset()
    neumann_step(H, g, scale=2.0, depth=9)
    assert host_fetches.count == 0


# ------------------------------------------------------------------ the method


METHODS = [
    LiSSA(),
    LiSSA(hessian="exact"),
    LiSSA(hessian="finite-difference"),
    LiSSA(depth=51),
    LiSSA(lam=None, lam_rule="gain"),
    LiSSA(scale=50.0),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_reaches_the_tolerance(method: LiSSA) -> None:
    """A flatter Rosenbrock-2, which needs few products; f never rises."""
    problem = Rosenbrock(2, weight=2.0)
    run = minimize(problem, None, method, gtol=1e-5)
    assert run.success
    assert np.linalg.norm(problem.gradient(run.x)) <= 1e-5
    values = run.trace.column("value")[run.trace.column("accepted").astype(bool)]
    assert (np.diff(values) <= 1e-12 * np.abs(values[:-1])).all()


@pytest.mark.parametrize("n", [2, 10])
def test_reaches_the_tolerance_on_rosenbrock(n: int) -> None:
    """Where the condition number is 2500 and more, at tens of thousands of products."""
    assert minimize(Rosenbrock(n), None, LiSSA(hessian="exact", depth=400)).success


def test_reaches_the_tolerance_on_data() -> None:
    """A logistic regression, and 640 weights of digits."""
    run = minimize(logistic(), np.zeros(6), LiSSA(), gtol=1e-8)
    assert run.success
    assert run.nit <= 8
    digits = digits_problem(l2=1e-3)
    assert minimize(digits, np.zeros(digits.n), LiSSA(), gtol=1e-3).success


def test_deep_enough_it_is_newtons_step() -> None:
    """One step on a well-conditioned quadratic, against a dense solve."""
    A, g = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -4.0])
    run = minimize(dense_quadratic(A, g), np.ones(2), LiSSA(depth=200), gtol=1e-9)
    assert run.nit == 1
    assert run.x == pytest.approx(-np.linalg.solve(A, g), rel=1e-12)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12), st.integers(0, 100))
def test_the_scale_bounds_the_spectrum(a: list[float], seed: int) -> None:
    """At least the largest eigenvalue, as the recursion needs; not many times as large."""
    problem = dense_quadratic(np.diag(a), np.ones(len(a)))
    run = minimize(problem, np.ones(len(a)), LiSSA(lam=0.5), maxiter=1, rng=seed, gtol=1e-12)
    scale = run.trace[-1].detail["scale"] if run.nit else math.inf
    assert scale >= (max(a) + 0.5) * (1.0 - 1e-12)
    assert run.nit == 0 or scale <= 4.0 * (max(a) + 0.5)


def test_products_of_a_step() -> None:
    """R, one for the model, and for the scale one and at most eight."""
    for kwargs, scale in (({"scale": 10.0}, 0), ({}, 4)):
        hidden = Hidden(dense_quadratic(np.diag([1.0, 2.0, 3.0]), np.ones(3)))
        run = minimize(hidden, np.zeros(3), LiSSA(second_order=False, **kwargs), maxiter=1)
        assert run.nhvp == len(hidden.products) == 50 + 1 + scale


def test_scale_too_small() -> None:
    """The recursion diverges: the safeguard finds a step all the same, printed it is lost."""
    problem = dense_quadratic(np.diag([1.0, 100.0]), np.ones(2))
    for depth in (2, 50, 2000):
        run = minimize(problem, np.ones(2), LiSSA(scale=1.0, depth=depth), maxiter=3)
        assert run.fun < problem.value(np.ones(2))
        assert run.trace[1].detail["diverged"] == float(depth == 2000)
    lost = minimize(problem, np.ones(2), LiSSA(scale=1.0, depth=2000, safeguard=False))
    assert lost.ending == Ending.NON_FINITE


def test_as_printed() -> None:
    """Without the safeguard: w + z_R, against the recursion written out."""
    H, w = np.diag([1.0, 3.0]), np.array([1.0, -2.0])
    points: list[Any] = []
    method = LiSSA(safeguard=False, scale=2.0, depth=3)
    minimize(
        dense_quadratic(H, np.ones(2)),
        w,
        method,
        maxiter=3,
        gtol=0.0,
        callback=lambda r: points.append(r.x),
    )
    for point in points:
        J = H @ w + 1.0
        z = -J / 2.0
        for _ in range(3):
            z = z - (H @ z + J) / 2.0
        w = w + z
        assert point == pytest.approx(w, rel=1e-12)


def test_samples_of_the_hessian() -> None:
    """Of a new one for each product; value and gradient stay those of the whole function."""
    problem = logistic()
    method = LiSSA(batch=20, repeats=3, depth=10)
    assert not method.stochastic
    run = minimize(problem, np.zeros(6), method, gtol=1e-5)
    assert run.success
    assert np.linalg.norm(problem.gradient(run.x)) <= 1e-5
    one = minimize(problem, np.zeros(6), method, maxiter=1)
    # One whole product and one linearisation for each part: scale, samples, model.
    assert one.trace[1].matvecs == 3 * 10 + 1 + 7
    assert one.nfev == 2 + 1 + 3 * 10
    weight = 20 / 200
    assert one.backpropagations == pytest.approx(2.0 + 2.0 * (3 * 10 * weight + 8))
    again = minimize(problem, np.zeros(6), method, maxiter=1)
    assert np.array_equal(one.x, again.x)


def test_the_mean_of_repeats_tends_to_the_whole_step() -> None:
    """With many repeats the sampled step is that of the whole Hessian with the same scale."""
    problem = logistic()

    def step(repeats: int) -> np.ndarray:
        method = LiSSA(batch=10, repeats=repeats, depth=20, scale=1.0, safeguard=False)
        x: np.ndarray = minimize(problem, np.zeros(6), method, maxiter=1, rng=5).x
        return x

    whole = LiSSA(depth=20, scale=1.0, safeguard=False)
    exact = minimize(problem, np.zeros(6), whole, maxiter=1).x
    errors = [np.linalg.norm(step(repeats) - exact) for repeats in (1, 100)]
    assert errors[1] < 0.3 * errors[0]
    assert errors[1] < 0.05 * np.linalg.norm(exact)


@pytest.mark.parametrize("scale", [1e150, 1e-150])
@pytest.mark.parametrize("length", [1e-60, 1e60])
def test_the_units_do_not_matter(scale: float, length: float) -> None:
    """The first twenty steps on Rosenbrock's function are the same in any units."""
    plain = minimize(rosenbrock(), None, LiSSA(), maxiter=20, rng=0)
    run = minimize(rosenbrock(scale, length), None, LiSSA(), maxiter=20, rng=0, gtol=0.0)
    assert run.nit == 20
    values = plain.trace.column("value")
    assert run.trace.column("value") / scale == pytest.approx(values, rel=1e-6)


def test_curvature_of_no_or_the_wrong_sign() -> None:
    """A saddle is left; a linear function and a dome have no bottom; n = 1."""
    run = minimize(saddle(), np.array([1.0, 0.1]), LiSSA())
    assert run.success
    assert run.fun == pytest.approx(-0.25)
    linear = FunctionProblem(
        lambda x: float(x[0]), lambda x: np.eye(2)[0], hess=lambda x: np.zeros((2, 2)), n=2
    )
    assert minimize(linear, np.zeros(2), LiSSA()).ending == Ending.UNBOUNDED
    dome = dense_quadratic(-np.eye(1), np.zeros(1))
    assert minimize(dome, np.ones(1), LiSSA()).ending == Ending.UNBOUNDED


def test_constant_far_above_the_function() -> None:
    """Slow steps that f does not show are no standstill."""
    run = minimize(rosenbrock(constant=1e8), None, LiSSA(depth=400), gtol=1e-6)
    assert run.success


def test_no_false_success() -> None:
    """The gradient of -f; and a tolerance that can not be met ends the run."""
    bad = FunctionProblem(
        lambda x: float(x @ x), lambda x: -2.0 * x, hess=lambda x: 2.0 * np.eye(2), n=2
    )
    assert minimize(bad, np.ones(2), LiSSA()).ending == Ending.NO_DECREASE
    run = minimize(logistic(), np.zeros(6), LiSSA(), gtol=1e-30)
    assert run.ending == Ending.ROUNDING
    assert run.nit < 200
    assert run.gradient_norm < 1e-12


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 0},
        {"depth": 1.5},
        {"scale": 0.0},
        {"repeats": 0},
        {"repeats": 2},
        {"batch": 0},
        {"lam": -1.0},
        {"hessian": "none"},
        {"safeguard": None},
    ],
)
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    """By name, before any work."""
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        LiSSA(**wrong)


def test_a_batch_needs_terms() -> None:
    """Named in the error."""
    with pytest.raises(ArgumentError, match="batch"):
        minimize(rosenbrock(), None, LiSSA(batch=3))
    with pytest.raises(ArgumentError, match="batch"):
        minimize(logistic(), np.zeros(6), LiSSA(batch=201))


def test_on_every_array_library(xp_case: Xp) -> None:
    """A flatter Rosenbrock-2 and its arrays."""
    run = minimize(Rosenbrock(2, weight=1.0), xp_case.array([-1.2, 1.0]), LiSSA(depth=20))
    assert run.success
    assert xp_case.owns(run.x)
    assert all(type(v) is float for row in run.trace[1:] for v in row.detail.values())


def test_through_scipy() -> None:
    """As `method` of scipy.optimize.minimize."""
    run = scipy.optimize.minimize(
        scipy.optimize.rosen,
        [-1.2, 1.0],
        jac=scipy.optimize.rosen_der,
        hess=scipy.optimize.rosen_hess,
        method=LiSSA(depth=200),
    )
    assert run.success
    assert run.x == pytest.approx(np.ones(2), abs=1e-3)
