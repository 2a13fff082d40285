"""The Levenberg-Marquardt method."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from tests.methods.support import Hidden, dense_quadratic, rosenbrock, saddle
from tests.namespaces import Xp
from tralgos import Ending, minimize
from tralgos.errors import ArgumentError
from tralgos.methods.damped import DampedState
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.levenberg_marquardt import LevenbergMarquardt, _shifted
from tralgos.methods.reduced_model import KrylovReduction
from tralgos.problems import FunctionProblem, Rosenbrock, StochasticRosenbrock, collection

METHODS = [
    LevenbergMarquardt(),
    LevenbergMarquardt(hessian="exact"),
    LevenbergMarquardt(solver="operator"),
    LevenbergMarquardt(solver="operator", hessian="exact"),
    LevenbergMarquardt(solver="direct", hessian="finite-difference"),
    LevenbergMarquardt(scaling="marquardt"),
    LevenbergMarquardt(lam=1e-2, lam_rule="fixed"),
    LevenbergMarquardt(lam=1.0, lam_rule="gain"),
    LevenbergMarquardt(lam=1e-2, lam_rule="printed"),
    LevenbergMarquardt(lam=1e-2, lam_rule="authors"),
    LevenbergMarquardt(search="none"),
]

NAMES = [
    "rosenbrock",
    "powell-badly-scaled",
    "brown-badly-scaled",
    "beale",
    "jennrich-sampson",
    "helical-valley",
    "powell-singular",
    "wood",
    "osborne-1",
    "watson",
    "trigonometric",
    "chebyquad",
]


def _symmetric(n: int, seed: int, eigenvalues: Any = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if eigenvalues is None:
        eigenvalues = rng.uniform(0.1, 3.0, n)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (Q * np.asarray(eigenvalues, dtype=float)) @ Q.T
    return 0.5 * (H + H.T), rng.standard_normal(n)


def _solved(H: np.ndarray, D: np.ndarray, lam: float, g: np.ndarray) -> np.ndarray:
    """-(H + lam diag(D))^-1 g in fifty digits."""
    with mpmath.workdps(50):
        A = mpmath.matrix(H.tolist()) + mpmath.mpf(lam) * mpmath.diag(D.tolist())
        s = mpmath.lu_solve(A, -mpmath.matrix(g.tolist()))
        return np.array([float(v) for v in s])


def _quadratic(H: np.ndarray, g: np.ndarray) -> FunctionProblem:
    return FunctionProblem(
        lambda x: float(g @ x + 0.5 * x @ (H @ x)),
        lambda x: g + H @ x,
        hess=lambda x: H,
        n=g.shape[0],
        name="quadratic",
        start=np.zeros(g.shape[0]),
    )


def _first(problem: Any, method: LevenbergMarquardt, x: Any = None) -> DampedState:
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    state = method.init(evaluator, problem.start if x is None else x, rng)
    return method.step(evaluator, state, rng)


# ---------------------------------------------------------------------- the step


@pytest.mark.parametrize("scaling", ["identity", "marquardt"])
@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("lam", [1e-8, 0.3, 1e6])
def test_the_step_solves_the_damped_equations(scaling: Any, n: int, lam: float) -> None:
    H, g = _symmetric(n, n)
    D = np.ones(n) if scaling == "identity" else H.diagonal()
    state = _first(_quadratic(H, g), LevenbergMarquardt(lam=lam, scaling=scaling))
    expected = _solved(H, D, lam, g)
    assert state.x == pytest.approx(expected, rel=1e-12, abs=1e-12 * np.abs(expected).max())
    (record,) = state.records
    assert record.step_norm == pytest.approx(np.linalg.norm(expected))
    assert record.detail == {"lam": lam, "order": float(n)}
    # The promised decrease is that of the undamped model: f is quadratic.
    assert record.ratio == pytest.approx(1.0, rel=1e-6)


@given(st.integers(1, 12), st.integers(0, 10**6), st.floats(1e-6, 1e3))
def test_the_krylov_space_solves_them_too(n: int, seed: int, lam: float) -> None:
    """To a residual that was asked for, and to rounding where none is allowed."""
    H, g = _symmetric(n, seed)
    operator = Evaluator(dense_quadratic(H, g)).curvature(np.zeros(n))
    for wanted in (0.1 * float(np.linalg.norm(g)), 0.0):
        model = KrylovReduction(operator, g, wanted)
        found = _shifted(model, lam / model.hessian_scale)
        assert found is not None
        s = model.vector(found[0])
        left = float(np.linalg.norm(H @ s + lam * s + g))
        size = (np.linalg.norm(H, 2) + lam) * np.linalg.norm(s)
        assert left <= wanted + 1e-12 * size
        assert found[1] * model.gradient_scale == pytest.approx(left, abs=1e-12 * size)


def test_a_raised_lambda_costs_no_product() -> None:
    """All trials from one point see the same number of products."""
    for problem in (Rosenbrock(30), collection.problem("chained-wood", 40)):
        hidden, seen = Hidden(problem), []
        value = hidden._value
        hidden._value = lambda x, v=value, h=hidden, s=seen: (s.append(len(h.products)), v(x))[1]
        method = LevenbergMarquardt(solver="operator", lam=1e-12, second_order=False)
        run = minimize(hidden, None, method, gtol=1e-6)
        assert run.success
        steps: dict[int, list[int]] = {}
        for row, products in zip(run.trace, seen, strict=True):
            steps.setdefault(row.iteration, []).append(products)
        assert any(len(trials) > 1 for trials in steps.values())
        assert all(len(set(trials)) == 1 for trials in steps.values())
        assert run.nhvp == len(hidden.products) == sum(row.matvecs for row in run.trace)


def test_a_matrix_costs_no_product_and_an_operator_n() -> None:
    H, g = _symmetric(7, 1)
    method = LevenbergMarquardt(second_order=False)
    assert minimize(_quadratic(H, g), None, method).nhvp == 0
    run = minimize(dense_quadratic(H, g), np.zeros(7), method, maxiter=1)
    assert run.nhvp == 7
    assert run.nhev == 1


def test_the_solver_is_chosen_by_size() -> None:
    def order(n: int, **options: Any) -> float:
        method = LevenbergMarquardt(second_order=False, **options)
        run = minimize(Hidden(Rosenbrock(n)), None, method, maxiter=1)
        return run.trace[-1].detail["order"]

    assert order(100) == 100
    assert order(101) < 50
    assert order(101, scaling="marquardt") == 101
    assert order(101, solver="direct") == 101


# ---------------------------------------------------------------------- lambda


def test_lambda_follows_nielsen() -> None:
    """A third where the model is right; at rejections in a row 2, 4 and 8 times as much."""
    H, g = _symmetric(4, 2)
    assert _first(_quadratic(H, g), LevenbergMarquardt(lam=0.6)).parameter == pytest.approx(0.2)
    run = minimize(rosenbrock(), None, LevenbergMarquardt(lam=1e-3))
    lams = {}
    for row in run.trace[1:]:
        lams.setdefault(row.iteration, []).append((row.detail["lam"], row.ratio))
    rejected = [step for step in lams.values() if len(step) > 2]
    assert rejected
    for step in rejected:
        factors = [b[0] / a[0] for a, b in pairwise(step)]
        assert factors == pytest.approx([2.0**k for k in range(1, len(step))])
    steps = list(lams.values())
    for this, following in pairwise(steps):
        lam, ratio = this[-1]
        factor = max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
        assert following[0][0] == pytest.approx(factor * lam, rel=1e-12)


@pytest.mark.parametrize("rule", ["fixed", "printed", "gain", "authors"])
def test_lambda_follows_the_rules_of_damping(rule: Any) -> None:
    """On a quadratic gamma is 1, and for "authors" 1 + lam s's / s'(H + lam)s."""
    H, g = np.eye(3), np.ones(3)
    lam = 4.0  # gamma = 1 + 4 / 5 > 3/2
    method = LevenbergMarquardt(lam=lam, lam_rule=rule, second_order=False)
    run = minimize(_quadratic(H, g), None, method, gtol=1e-12, maxiter=12)
    lams = [row.detail["lam"] for row in run.trace[1:]]
    factor = {"fixed": 1.0, "printed": 1.0, "gain": 2.0 / 3.0, "authors": 1.0}[rule]
    assert lams[1] == pytest.approx(factor * lam)
    if rule == "authors":
        assert lams[4] == lam
        assert lams[5] == pytest.approx(0.999**5 * lam)
    if rule in ("fixed", "printed"):
        assert lams == pytest.approx([lam] * len(lams))


def test_rejections_raise_a_lambda_of_the_rules_for_one_point_alone() -> None:
    method = LevenbergMarquardt(lam=1e-6, lam_rule="fixed")
    run = minimize(rosenbrock(), None, method)
    assert run.success
    firsts, trials = [], 0
    for before, row in pairwise(run.trace):
        trials += row.iteration == before.iteration
        if row.iteration != before.iteration:
            firsts.append(row.detail["lam"])
    assert trials > 0
    assert firsts == [1e-6] * len(firsts)


@pytest.mark.parametrize("hessian", ["gauss-newton", "exact"])
def test_the_rules_look_at_the_first_trial(hessian: Any) -> None:
    """That of their own lambda; where H + lambda is not definite there is none: a bad one."""
    problem = Rosenbrock(4) if hessian == "exact" else Rosenbrock(2)
    method = LevenbergMarquardt(lam=1e-3, lam_rule="gain", hessian=hessian)
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    start = np.array([-1.0, 1.0, -1.0, 1.0]) if hessian == "exact" else problem.start
    state, seen = method.init(evaluator, start, rng), set()
    while state.gradient_norm > 1e-5:
        lam = 1e-3 if state.parameter is None else state.parameter
        state = method.step(evaluator, state, rng)
        first = state.records[0]
        raised = first.detail["lam"] != lam
        gamma = -math.inf if raised else first.ratio
        assert gamma is not None
        factor = 2.0 / 3.0 if gamma > 0.75 else 1.5 if gamma < 0.25 else 1.0
        assert state.parameter == pytest.approx(factor * lam)
        seen.add("raised" if raised else "rejected" if len(state.records) > 1 else "taken")
    assert {"raised" if hessian == "exact" else "rejected", "taken"} <= seen


@pytest.mark.parametrize("solver", ["direct", "operator"])
def test_an_indefinite_hessian_raises_lambda_before_any_value(solver: Any) -> None:
    H, g = _symmetric(5, 3, [-2.0, -1.0, 0.0, 1.0, 4.0])
    state = _first(_quadratic(H, g), LevenbergMarquardt(lam=1e-3, solver=solver))
    lams = [record.detail["lam"] for record in state.records]
    assert state.records[-1].accepted
    assert lams[0] > 1e-3
    if solver == "direct":
        assert min(lams) > 2.0


def test_a_lambda_that_had_to_be_raised_is_a_bad_one() -> None:
    """However good the step is that the raised one gives: of a quadratic it is perfect."""
    H, g = _symmetric(3, 9, [-1.0, 1.0, 2.0])
    state = _first(_quadratic(H, g), LevenbergMarquardt(lam=1e-3, lam_rule="gain"))
    assert state.records[0].ratio == pytest.approx(1.0)
    assert state.parameter == pytest.approx(1.5e-3)


def test_a_lambda_that_has_vanished_can_be_raised() -> None:
    H, g = _symmetric(3, 9, [-1.0, 1.0, 2.0])
    problem, method = _quadratic(H, g), LevenbergMarquardt()
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    state = replace(method.init(evaluator, np.zeros(3), rng), parameter=0.0)
    assert method.step(evaluator, state, rng).records[0].accepted


# ---------------------------------------------------------------------- hard Hessians


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize(
    "eigenvalues",
    [
        [0.0],
        [5.0],
        [0.0, 0.0],
        [0.0, 2.0],
        [3.0, 3.0, 3.0],
        [0.0, 0.0, 1e-20, 1.0, 1e20],
        [1e-300, 1e-300],
        [1e200, 1e200, 1.0],
    ],
)
def test_singular_repeated_and_huge_eigenvalues(solver: Any, eigenvalues: Any) -> None:
    """A run in the range of H ends well, or says that rounding stops it; one outside falls."""
    H, g = _symmetric(len(eigenvalues), 4, eigenvalues)
    inside = _quadratic(H, H @ g)
    scale = max(1.0, max(eigenvalues))
    run = minimize(inside, None, LevenbergMarquardt(solver=solver), gtol=1e-7 * scale)
    assert run.ending.success, run.ending
    outside = minimize(_quadratic(H, g), None, LevenbergMarquardt(solver=solver), maxiter=60)
    assert outside.fun <= 0.0


@pytest.mark.parametrize("solver", ["direct", "operator"])
def test_a_linear_function_has_no_bottom(solver: Any) -> None:
    run = minimize(_quadratic(np.zeros((2, 2)), np.ones(2)), None, LevenbergMarquardt())
    assert run.ending is Ending.UNBOUNDED


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_zero_gradient_and_a_saddle(method: LevenbergMarquardt) -> None:
    """A point with a zero gradient stays; a saddle is left by the driver."""
    H, _ = _symmetric(3, 5)
    state = _first(_quadratic(H, np.zeros(3)), replace(method, hessian="exact"))
    assert (state.x == 0.0).all()
    assert state.ending is Ending.ROUNDING
    run = minimize(saddle(), np.zeros(2), method)
    assert run.success
    assert run.fun == pytest.approx(-0.25)
    run = minimize(saddle(), np.array([1.0, 1e-9]), method)
    assert run.success
    assert run.fun == pytest.approx(-0.25)


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize("scaling", ["identity", "marquardt"])
@pytest.mark.parametrize(
    ("scale", "length"),
    [(2.0**500, 1.0), (2.0**-500, 1.0), (1.0, 2.0**240), (1.0, 2.0**-240), (2.0**300, 2.0**-200)],
)
def test_units_do_not_matter(solver: Any, scaling: Any, scale: float, length: float) -> None:
    """Powers of two of f and x: the iterates of the default are the same to the last digit."""
    if scaling == "marquardt" and solver == "operator":
        return
    method = LevenbergMarquardt(solver=solver, scaling=scaling, second_order=False)
    plain = minimize(rosenbrock(), None, method, gtol=1e-6)
    other = minimize(rosenbrock(scale, length), None, method, gtol=1e-6 * (scale / length))
    assert plain.success
    assert other.success
    assert other.nit == plain.nit
    assert other.x / length == pytest.approx(plain.x, rel=1e-9)


@pytest.mark.parametrize("constant", [1e8, -1e12])
@pytest.mark.parametrize("solver", ["direct", "operator"])
def test_rounding_of_f_does_not_stop_a_run(solver: Any, constant: float) -> None:
    method = LevenbergMarquardt(solver=solver)
    run = minimize(rosenbrock(constant=constant), None, method, gtol=1e-6)
    assert run.ending in (Ending.SECOND_ORDER, Ending.FIRST_ORDER, Ending.ROUNDING)
    assert run.nit < 200
    if constant == 1e8:
        assert run.success
    # A tolerance that can not be reached ends too.
    assert minimize(rosenbrock(constant=constant), None, method, gtol=0.0).nit < 200


def test_marquardt_does_not_know_the_units_of_the_variables() -> None:
    units = 2.0 ** np.array([10.0, -10.0])
    plain = rosenbrock()

    def hess(x: Any) -> Any:
        return (plain.hessian(x * units) @ np.eye(2)) * units[:, None] * units[None, :]

    scaled = FunctionProblem(
        lambda x: plain.value(x * units),
        lambda x: plain.gradient(x * units) * units,
        hess=hess,
        n=2,
        start=plain.start / units,
    )
    method = LevenbergMarquardt(scaling="marquardt", second_order=False)
    one = minimize(plain, None, method, gtol=0.0, maxiter=12)
    two = minimize(scaled, None, method, gtol=0.0, maxiter=12)
    assert two.x * units == pytest.approx(one.x, rel=1e-9)
    other = minimize(scaled, None, LevenbergMarquardt(second_order=False), gtol=0.0, maxiter=12)
    assert other.x * units != pytest.approx(one.x, rel=1e-3)


def test_marquardt_with_empty_and_negative_diagonals() -> None:
    """Entries count by their size; where all are zero D is the identity."""
    H, g = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([1.0, 2.0])
    assert float(_first(_quadratic(H, g), LevenbergMarquardt(scaling="marquardt")).x @ g) < 0.0
    problem = FunctionProblem(
        lambda x: x[0] ** 4 - x[0] ** 2 + x[1] ** 2,
        lambda x: np.stack([4.0 * x[0] ** 3 - 2.0 * x[0], 2.0 * x[1]]),
        hess=lambda x: np.diag([12.0 * float(x[0]) ** 2 - 2.0, 2.0]),
        n=2,
    )
    run = minimize(problem, np.array([1e-3, 1.0]), LevenbergMarquardt(scaling="marquardt"))
    assert run.fun == pytest.approx(-0.25)


# ---------------------------------------------------------------------- whole runs


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_variant_minimises_rosenbrock(method: LevenbergMarquardt) -> None:
    run = minimize(Rosenbrock(2), None, method, gtol=1e-7, maxiter=3000)
    assert run.ending is Ending.SECOND_ORDER, run.ending
    assert run.x == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize("name", NAMES)
def test_problems_of_the_collection_are_solved(name: str, solver: Any) -> None:
    problem = collection.problem(name)
    run = minimize(problem, None, LevenbergMarquardt(solver=solver), gtol=1e-6, maxiter=500)
    assert run.success, run.ending
    assert np.linalg.norm(problem.gradient(run.x)) <= 1e-6


@pytest.mark.parametrize("name", ["brown-dennis", "meyer", "bdqrtic", "penalty-1"])
def test_no_false_success_where_it_is_hard(name: str) -> None:
    problem = collection.problem(name)
    for scaling in ("identity", "marquardt"):
        run = minimize(problem, None, LevenbergMarquardt(scaling=scaling), gtol=1e-6, maxiter=100)
        assert run.success == (np.linalg.norm(problem.gradient(run.x)) <= 1e-6)


@pytest.mark.parametrize(
    ("name", "residuals"),
    [
        ("rosenbrock", lambda x: [10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]]),
        (
            "beale",
            lambda x: [y - x[0] * (1.0 - x[1] ** k) for k, y in ((1, 1.5), (2, 2.25), (3, 2.625))],
        ),
        (
            "powell-singular",
            lambda x: [
                x[0] + 10.0 * x[1],
                math.sqrt(5.0) * (x[2] - x[3]),
                (x[1] - 2.0 * x[2]) ** 2,
                math.sqrt(10.0) * (x[0] - x[3]) ** 2,
            ],
        ),
        (
            "jennrich-sampson",
            lambda x: [
                2.0 + 2.0 * i - (math.exp(i * x[0]) + math.exp(i * x[1])) for i in range(1, 11)
            ],
        ),
    ],
)
def test_minpack_finds_the_same_minimum(name: str, residuals: Any) -> None:
    problem = collection.problem(name)
    peer = scipy.optimize.least_squares(residuals, problem.start, method="lm", xtol=1e-12)
    run = minimize(problem, None, LevenbergMarquardt(), gtol=1e-8, maxiter=1000)
    # MINPACK halves the sum of squares.
    assert run.fun == pytest.approx(2.0 * peer.cost, rel=1e-8, abs=1e-8)


def test_every_library(xp_case: Xp) -> None:
    """The same run everywhere, on its own device and in its own dtype."""
    host = minimize(Rosenbrock(4), np.full(4, -0.5), LevenbergMarquardt(), maxiter=3)
    for solver in ("direct", "operator"):
        x0 = xp_case.array(np.full(4, -0.5))
        for scaling in ("identity", "marquardt") if solver == "direct" else ("identity",):
            method = LevenbergMarquardt(solver=solver, scaling=scaling)
            run = minimize(Rosenbrock(4), x0, method)
            assert run.success, (solver, scaling, run.ending)
            assert xp_case.owns(run.x)
            assert xp_case.owns(run.jac)
            assert all(type(v) is float for row in run.trace for v in row.detail.values())
    method = LevenbergMarquardt(solver="direct")
    run = minimize(Rosenbrock(4), x0, method, maxiter=3)
    assert xp_case.numpy(run.x) == pytest.approx(host.x, rel=1e3 * xp_case.eps)


def test_through_scipy() -> None:
    run = scipy.optimize.minimize(
        scipy.optimize.rosen,
        [-1.2, 1.0, 0.5],
        jac=scipy.optimize.rosen_der,
        hess=scipy.optimize.rosen_hess,
        method=LevenbergMarquardt(),
    )
    assert run.success
    assert run.x == pytest.approx(np.ones(3), abs=1e-5)
    with pytest.raises(ArgumentError, match="needs the Hessian"):
        scipy.optimize.minimize(
            scipy.optimize.rosen, [0.0, 0.0], jac=abs, method=LevenbergMarquardt()
        )


# ---------------------------------------------------------------------- samples


def test_samples() -> None:
    """One sample for all of a step: the noisy Rosenbrock is solved, whatever the noise."""
    problem = StochasticRosenbrock(noise=(0.0, 3.0))
    for solver in ("direct", "operator"):
        method = LevenbergMarquardt(batch=1, solver=solver)
        assert method.stochastic
        runs = [minimize(problem, None, method, rng=k, gtol=1e-4, maxiter=300) for k in (1, 1, 2)]
        assert all(run.success for run in runs)
        assert runs[0].trace == runs[1].trace
        assert runs[0].trace != runs[2].trace
        gradient = problem.expectation.gradient(runs[0].x)
        assert np.linalg.norm(gradient) <= 1e-4


def test_a_step_is_of_one_sample_and_the_next_of_another() -> None:
    problem, lam = StochasticRosenbrock(noise=(0.0, 3.0)), 0.5
    method = LevenbergMarquardt(batch=1, lam=lam, hessian="exact", search="none")
    evaluator, rng = Evaluator(problem), np.random.default_rng(1)
    state = method.init(evaluator, np.array([0.5, -0.5]), rng)
    after = method.step(evaluator, state, rng)
    terms = state.sample.terms
    H, g = np.array(terms.hessian(state.x) @ np.eye(2)), terms.gradient(state.x)
    s = _solved(H, np.ones(2), lam, g)
    assert after.x - state.x == pytest.approx(s, rel=1e-9)
    decrease = terms.value(state.x) - terms.value(after.x)
    assert after.records[0].ratio == pytest.approx(decrease / -(g @ s + 0.5 * s @ H @ s))
    assert after.sample is not state.sample
    assert after.value == after.sample.terms.value(after.x) != terms.value(after.x)


def test_a_sample_without_a_step_is_followed_by_another() -> None:
    """With the noise of its sample 0 the second variable has no gradient, and x stays inside."""
    problem = StochasticRosenbrock(noise=(0.0, 1.0))
    method = LevenbergMarquardt(batch=1)
    evaluator, rng = Evaluator(problem), np.random.default_rng(3)
    state = method.init(evaluator, np.array([1.0, 1.0]), rng)
    assert state.gradient_norm == 0.0
    after = method.step(evaluator, state, rng)
    assert after.ending is None
    assert after.sample is not state.sample


# ---------------------------------------------------------------------- ends and errors


def test_steps_that_leave_the_domain_are_rejected() -> None:
    problem = FunctionProblem(
        lambda x: float(x[0] - math.log(x[0])) if x[0] > 0.0 else math.nan,
        lambda x: 1.0 - 1.0 / x,
        hess=lambda x: np.diag(1.0 / x**2),
        n=1,
    )
    run = minimize(problem, np.array([30.0]), LevenbergMarquardt(lam=1e-9))
    assert run.success
    assert any(math.isnan(row.ratio or 0.0) for row in run.trace)
    plain = minimize(problem, np.array([30.0]), LevenbergMarquardt(lam=1e-9, search="none"))
    assert plain.ending is Ending.NON_FINITE
    assert plain.x == [30.0]


def test_the_plain_step_is_taken_whatever_f_does() -> None:
    """Equation (4) as it is printed."""
    problem, lam = rosenbrock(), 1e-3
    method = LevenbergMarquardt(lam=lam, lam_rule="fixed", search="none", second_order=False)
    points = [problem.start]
    run = minimize(problem, None, method, callback=lambda r: points.append(r.x), gtol=1e-6)
    assert run.success
    assert max(np.diff([problem.value(x) for x in points])) > 0.0
    for x, following in pairwise(points):
        H, g = problem.hessian(x) @ np.eye(2), problem.gradient(x)
        assert following - x == pytest.approx(_solved(H, np.ones(2), lam, g), rel=1e-8)


def test_the_plain_step_needs_no_promise() -> None:
    """At a minimum with the value 0 nothing is promised, and nothing is divided by that."""
    for name in ("helical-valley", "dqdrtic"):
        method = LevenbergMarquardt(search="none")
        run = minimize(collection.problem(name), None, method, gtol=0.0, maxiter=150)
        assert run.gradient_norm < 1e-9


def test_budgets_end_a_run_by_name() -> None:
    method = LevenbergMarquardt(solver="direct")
    run = minimize(Hidden(Rosenbrock(20)), None, method, max_matvec=50)
    assert run.ending is Ending.MAX_MATVEC
    assert run.nhvp <= 50
    run = minimize(Rosenbrock(20), None, method, maxiter=2)
    assert run.ending is Ending.MAX_ITERATIONS


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"lam": 0.0}, "lam"),
        ({"lam": math.nan}, "lam"),
        ({"scaling": "unit"}, "scaling"),
        ({"lam_rule": "levenberg"}, "lam_rule"),
        ({"hessian": "approximate"}, "hessian"),
        ({"solver": "cholesky"}, "solver"),
        ({"search": "armijo"}, "search"),
        ({"batch": 0}, "batch"),
        ({"batch": "same"}, "batch"),
        ({"second_order": 1}, "second_order"),
        ({"scaling": "marquardt", "solver": "operator"}, "diagonal"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        LevenbergMarquardt(**options)


def test_what_the_problem_lacks_is_named() -> None:
    bare = FunctionProblem(lambda x: x @ x, lambda x: 2.0 * x, n=2)
    with pytest.raises(ArgumentError, match="hessian"):
        minimize(bare, np.ones(2), LevenbergMarquardt())
    with pytest.raises(ArgumentError, match="gauss-newton"):
        minimize(rosenbrock(), None, LevenbergMarquardt(hessian="gauss-newton"))
    with pytest.raises(ArgumentError, match="StochasticProblem"):
        minimize(rosenbrock(), None, LevenbergMarquardt(batch=2))
