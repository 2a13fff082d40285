"""Newton's method with absolute eigenvalues."""

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
from tralgos.methods.newton import Newton, _whole
from tralgos.methods.reduced_model import KrylovReduction
from tralgos.problems import FunctionProblem, Rosenbrock, StochasticRosenbrock, collection

METHODS = [
    Newton(),
    Newton(solver="operator"),
    Newton(hessian="gauss-newton"),
    Newton(hessian=None, solver="operator"),
    Newton(hessian="finite-difference"),
    Newton(search="none"),
    Newton(search="none", solver="operator"),
    Newton(floor=1e-3),
]

NAMES = [
    "rosenbrock",
    "brown-badly-scaled",
    "beale",
    "jennrich-sampson",
    "helical-valley",
    "powell-singular",
    "wood",
    "osborne-1",
    "brown-dennis",
    "watson",
    "penalty-1",
    "trigonometric",
    "chebyquad",
]


def _symmetric(seed: int, eigenvalues: Any) -> tuple[np.ndarray, np.ndarray]:
    rng, n = np.random.default_rng(seed), len(eigenvalues)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (Q * np.asarray(eigenvalues, dtype=float)) @ Q.T
    return 0.5 * (H + H.T), rng.standard_normal(n)


def _quadratic(H: np.ndarray, g: np.ndarray) -> FunctionProblem:
    return FunctionProblem(
        lambda x: float(g @ x + 0.5 * x @ (H @ x)),
        lambda x: g + H @ x,
        hess=lambda x: H,
        n=g.shape[0],
        name="quadratic",
        start=np.zeros(g.shape[0]),
    )


def _absolute(H: np.ndarray, g: np.ndarray) -> np.ndarray:
    """-|H|^-1 g in forty digits."""
    with mpmath.workdps(40):
        values, Q = mpmath.eigsy(mpmath.matrix(H.tolist()))
        parts = Q.T * mpmath.matrix(g.tolist())
        s = Q * mpmath.matrix([p / abs(v) for p, v in zip(parts, values, strict=True)])
        return -np.array([float(v) for v in s])


def _first(problem: Any, method: Newton, x: Any = None) -> DampedState:
    evaluator, rng = Evaluator(problem), np.random.default_rng(0)
    state = method.init(evaluator, problem.start if x is None else x, rng)
    return method.step(evaluator, state, rng)


# ---------------------------------------------------------------------- the step


@pytest.mark.parametrize(
    "eigenvalues",
    [[2.0], [-2.0], [1.0, -3.0], [-1.0, -2.0, 5.0], [3.0] * 4, [-1.0, 1.0, 1e-6, 4.0, 1e3]],
)
def test_the_step_has_the_absolute_eigenvalues(eigenvalues: Any) -> None:
    H, g = _symmetric(1, eigenvalues)
    state = _first(_quadratic(H, g), Newton(search="none"))
    expected = _absolute(H, g)
    assert state.x == pytest.approx(expected, rel=1e-8, abs=1e-9 * np.abs(expected).max())
    (record,) = state.records
    assert record.detail == {
        "length": 1.0,
        "order": float(len(eigenvalues)),
        "negative": float(sum(v < 0.0 for v in eigenvalues)),
        "raised": 0.0,
    }
    assert record.step_norm == pytest.approx(np.linalg.norm(expected))


@given(st.integers(1, 8), st.integers(0, 10**6))
def test_the_whole_krylov_space_gives_the_direct_step(n: int, seed: int) -> None:
    """The space of g is invariant then."""
    rng = np.random.default_rng(seed)
    H, g = _symmetric(seed, rng.choice([-3.0, -1.0, 0.5, 2.0, 7.0], n))
    operator = Evaluator(dense_quadratic(H, g)).curvature(np.zeros(n))
    model = KrylovReduction(operator, g, 0.0)
    step, found = _whole(model, 1e-14, 1.0)
    values, Q = np.linalg.eigh(H)
    expected = -Q @ (Q.T @ g / abs(values))
    assert step.vector == pytest.approx(expected, rel=1e-7, abs=1e-7 * np.linalg.norm(expected))
    assert model.T.order <= n
    assert found.slope < 0.0


def test_each_eigenvalue_counts_once_repeated_or_not() -> None:
    H, g = _symmetric(7, [-2.0, -2.0, -2.0, 1.0, 1.0, 5.0, 5.0, 5.0])
    state = _first(dense_quadratic(H, g), Newton(solver="operator"), np.zeros(8))
    assert state.x == pytest.approx(_absolute(H, g))
    assert state.records[0].detail["order"] == 3.0
    assert state.records[0].detail["negative"] == 1.0
    assert state.records[0].matvecs == 3


@given(st.integers(1, 12), st.integers(0, 10**6), st.floats(0.01, 0.5))
def test_a_definite_hessian_gets_the_step_of_conjugate_gradients(
    n: int, seed: int, eta: float
) -> None:
    """Galerkin: it minimises the model over the space, to the residual that was asked for."""
    H, g = _symmetric(seed, np.random.default_rng(seed).uniform(0.1, 10.0, n))
    wanted = eta * float(np.linalg.norm(g))
    operator = Evaluator(dense_quadratic(H, g)).curvature(np.zeros(n))
    model = KrylovReduction(operator, g, wanted)
    step, _ = _whole(model, 1e-14, 1.0)
    left = H @ step.vector + g
    assert np.linalg.norm(left) <= wanted * (1.0 + 1e-9) + 1e-12
    basis = np.linalg.qr(
        np.stack([np.linalg.matrix_power(H, k) @ g for k in range(model.T.order)], axis=1)
    )[0]
    if model.T.order <= 5:  # powers are a basis in exact arithmetic alone
        assert basis.T @ left == pytest.approx(0.0, abs=1e-6 * np.linalg.norm(g))


@given(st.integers(2, 10), st.integers(0, 10**6))
def test_the_operator_step_leads_downhill_with_any_hessian(n: int, seed: int) -> None:
    """Before the space is invariant too; Ritz values are negative no more often than H's."""
    rng = np.random.default_rng(seed)
    H, g = _symmetric(seed, rng.normal(size=n))
    operator = Evaluator(dense_quadratic(H, g)).curvature(np.zeros(n))
    model = KrylovReduction(operator, g, 0.2 * float(np.linalg.norm(g)))
    step, found = _whole(model, 1e-14, 1.0)
    slope = float(g @ step.vector)
    assert slope < 0.0
    assert step.decrease == pytest.approx(-slope)
    assert found.negative <= (np.linalg.eigvalsh(H) < 1e-9).sum()


@given(st.integers(3, 14), st.integers(0, 10**6), st.floats(0.01, 0.9))
def test_the_space_ends_where_residual_and_signs_have_settled(
    n: int, seed: int, eta: float
) -> None:
    """By dense eigendecompositions of T and of the T before it."""
    H, g = _symmetric(seed, np.random.default_rng(seed).normal(size=n))
    wanted = eta * float(np.linalg.norm(g))
    model = KrylovReduction(Evaluator(dense_quadratic(H, g)).curvature(np.zeros(n)), g, wanted)
    step, _ = _whole(model, 1e-14, 1.0)

    def turned(k: int) -> np.ndarray:
        T = np.diag(model.T.diagonal[:k]) + np.diag(model.T.off_diagonal[: k - 1], 1)
        values, Q = np.linalg.eigh(T, UPLO="U")
        padded = np.zeros(model.T.order)
        padded[:k] = Q @ (np.sign(values) * Q[0]) * model.c[0]
        return padded

    k = model.T.order
    if model.finished or k == 1:
        return
    changed = float(np.linalg.norm(turned(k) - turned(k - 1))) * model.gradient_scale
    assert step.residual + changed <= wanted * (1.0 + 1e-9)


def test_a_convex_quadratic_takes_one_step() -> None:
    H, g = _symmetric(3, [0.1, 1.0, 10.0, 100.0])
    run = minimize(_quadratic(H, g), None, Newton(), gtol=1e-9)
    assert run.nit == 1
    assert run.trace[1].ratio == pytest.approx(0.5)
    assert run.nhvp == run.nhvp_evidence
    run = minimize(dense_quadratic(H, g), np.zeros(4), Newton(second_order=False), maxiter=1)
    assert (run.nhvp, run.nhev) == (4, 1)


def test_armijo_holds_and_shorter_steps_cost_no_product() -> None:
    hidden, seen = Hidden(collection.problem("chained-wood", 40)), []
    value = hidden._value
    hidden._value = lambda x: (seen.append(len(hidden.products)), value(x))[1]
    points = [hidden.start]
    method = Newton(solver="operator", second_order=False)
    run = minimize(hidden, None, method, gtol=1e-6, callback=lambda r: points.append(r.x))
    assert run.success
    steps: dict[int, list[int]] = {}
    for row, products in zip(run.trace, seen, strict=True):
        steps.setdefault(row.iteration, []).append(products)
    assert any(len(trials) > 1 for trials in steps.values())
    assert all(len(set(trials)) == 1 for trials in steps.values())
    assert run.nhvp == len(hidden.products)
    problem = hidden.problem
    for x, following in list(pairwise(points))[:-3]:  # later ones are judged by gradients
        slope = problem.gradient(x) @ (following - x)
        assert problem.value(following) <= problem.value(x) + 0.99e-4 * slope
    shortened = 0
    taken = [row for row in run.trace[1:] if row.accepted]
    for (x, following), row in list(zip(pairwise(points), taken, strict=True))[:-10]:
        slope = problem.gradient(x) @ (following - x)
        ratio = (problem.value(following) - problem.value(x)) / slope
        assert row.ratio == pytest.approx(ratio, rel=1e-3)
        shortened += row.detail["length"] < 1.0
    assert shortened


# ---------------------------------------------------------------------- hard Hessians


def test_the_floor_is_relative_and_told() -> None:
    H = np.diag([4.0, 1e-3, -1e-3, 2.0])
    g = np.array([4.0, 1.0, 2.0, 0.0])
    state = _first(_quadratic(H, g), Newton(floor=0.25, search="none"))
    assert state.x == pytest.approx([-1.0, -1.0, -2.0, 0.0], abs=1e-12)
    assert state.records[0].detail["raised"] == 2.0
    big = _first(_quadratic(2.0**600 * H, 2.0**600 * g), Newton(floor=0.25, search="none"))
    assert big.x == pytest.approx(state.x, abs=1e-12)


@pytest.mark.parametrize("solver", ["direct", "operator"])
def test_zero_eigenvalues_without_a_part_of_g_stay_where_they_are(solver: Any) -> None:
    H, g = np.diag([2.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
    state = _first(_quadratic(H, g), Newton(solver=solver))
    assert state.x.tolist() == [-0.5, 0.0, 0.0]


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
    H, g = _symmetric(4, eigenvalues)
    scale = max(1.0, max(eigenvalues))
    run = minimize(_quadratic(H, H @ g), None, Newton(solver=solver), gtol=1e-7 * scale)
    assert run.ending.success, run.ending
    outside = minimize(_quadratic(H, g), None, Newton(solver=solver), maxiter=60)
    assert outside.fun <= 0.0


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize("eigenvalues", [[0.0, 0.0], [-1.0, 2.0], [-1.0]])
def test_a_function_without_a_bottom(solver: Any, eigenvalues: Any) -> None:
    H, g = _symmetric(5, eigenvalues)
    run = minimize(_quadratic(H, g), None, Newton(solver=solver))
    assert run.ending is Ending.UNBOUNDED


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_a_zero_gradient_and_a_saddle(method: Newton) -> None:
    exact = replace(method, hessian="exact")
    H, _ = _symmetric(6, [-1.0, 0.0, 2.0])
    state = _first(_quadratic(H, np.zeros(3)), exact)
    assert (state.x == 0.0).all()
    assert state.ending is Ending.ROUNDING
    for start in ([0.0, 0.0], [1.0, 1e-9], [0.3, -0.2]):
        run = minimize(saddle(), np.array(start), exact)
        assert run.success
        assert run.fun == pytest.approx(-0.25)


def test_a_maximum_is_left_by_the_step_itself() -> None:
    """Newton's own step would go to it."""
    problem = FunctionProblem(
        lambda x: float(np.cos(x).sum()),
        lambda x: -np.sin(x),
        hess=lambda x: np.diag(-np.cos(x)),
        n=2,
    )
    run = minimize(problem, np.array([0.1, -0.2]), Newton(second_order=False), gtol=1e-9)
    assert run.success
    assert run.fun == pytest.approx(-2.0)


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize(
    ("scale", "length"),
    [(2.0**500, 1.0), (2.0**-500, 1.0), (1.0, 2.0**240), (1.0, 2.0**-240), (2.0**300, 2.0**-200)],
)
def test_units_do_not_matter(solver: Any, scale: float, length: float) -> None:
    """Powers of two of f and x: the iterates are the same."""
    method = Newton(solver=solver, second_order=False)
    plain = minimize(rosenbrock(), None, method, gtol=1e-6)
    other = minimize(rosenbrock(scale, length), None, method, gtol=1e-6 * (scale / length))
    assert plain.success
    assert other.success
    assert other.nit == plain.nit
    assert other.x / length == pytest.approx(plain.x, rel=1e-9)


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize("constant", [1e8, -1e12])
def test_rounding_of_f_does_not_stop_a_run(solver: Any, constant: float) -> None:
    run = minimize(rosenbrock(constant=constant), None, Newton(solver=solver), gtol=1e-6)
    assert run.ending in (Ending.SECOND_ORDER, Ending.FIRST_ORDER, Ending.ROUNDING)
    assert run.nit < 200
    if constant == 1e8:
        assert run.success
    # A tolerance that can not be reached ends too.
    run = minimize(rosenbrock(constant=constant), None, Newton(solver=solver), gtol=0.0)
    assert run.nit < 200


# ---------------------------------------------------------------------- whole runs


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_variant_minimises_rosenbrock(method: Newton) -> None:
    run = minimize(Rosenbrock(2), None, method, gtol=1e-7, maxiter=3000)
    assert run.ending is Ending.SECOND_ORDER, run.ending
    assert run.x == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("solver", ["direct", "operator"])
@pytest.mark.parametrize("name", NAMES)
def test_problems_of_the_collection_are_solved(name: str, solver: Any) -> None:
    problem = collection.problem(name)
    run = minimize(problem, None, Newton(solver=solver), gtol=1e-6, maxiter=500)
    assert run.success, run.ending
    assert np.linalg.norm(problem.gradient(run.x)) <= 1e-6


@pytest.mark.parametrize("name", ["powell-badly-scaled", "meyer", "arwhead"])
def test_no_false_success_where_it_is_hard(name: str) -> None:
    problem = collection.problem(name)
    for solver in ("direct", "operator"):
        run = minimize(problem, None, Newton(solver=solver), gtol=1e-6, maxiter=100)
        assert run.success == (np.linalg.norm(problem.gradient(run.x)) <= 1e-6)


def test_every_library(xp_case: Xp) -> None:
    """The same run everywhere, on its own device and in its own dtype."""
    host = minimize(Rosenbrock(4), np.full(4, -0.5), Newton(), maxiter=3)
    x0 = xp_case.array(np.full(4, -0.5))
    for method in (Newton(), Newton(solver="operator"), Newton(search="none")):
        run = minimize(Rosenbrock(4), x0, method)
        assert run.success, (method, run.ending)
        assert xp_case.owns(run.x)
        assert xp_case.owns(run.jac)
        assert all(type(v) is float for row in run.trace for v in row.detail.values())
    run = minimize(Rosenbrock(4), x0, Newton(), maxiter=3)
    assert xp_case.numpy(run.x) == pytest.approx(host.x, rel=1e4 * xp_case.eps)


def test_through_scipy() -> None:
    run = scipy.optimize.minimize(
        scipy.optimize.rosen,
        [-1.2, 1.0, 0.5],
        jac=scipy.optimize.rosen_der,
        hess=scipy.optimize.rosen_hess,
        method=Newton(),
    )
    assert run.success
    assert run.x == pytest.approx(np.ones(3), abs=1e-5)
    with pytest.raises(ArgumentError, match="needs the Hessian"):
        scipy.optimize.minimize(scipy.optimize.rosen, [0.0, 0.0], jac=abs, method=Newton())


def test_samples() -> None:
    problem = StochasticRosenbrock(noise=(0.0, 3.0))
    for method in (
        Newton(batch=1),
        Newton(batch=1, solver="operator"),
        Newton(batch=1, search="none"),
    ):
        assert method.stochastic
        runs = [minimize(problem, None, method, rng=k, gtol=1e-4, maxiter=500) for k in (1, 1, 2)]
        assert all(run.success for run in runs)
        assert runs[0].trace == runs[1].trace
        assert runs[0].trace != runs[2].trace
        assert np.linalg.norm(problem.expectation.gradient(runs[0].x)) <= 1e-4


def test_the_plain_step_is_taken_whatever_f_does() -> None:
    problem, points = rosenbrock(), [rosenbrock().start]
    method = Newton(search="none", second_order=False)
    run = minimize(problem, None, method, callback=lambda r: points.append(r.x), gtol=1e-6)
    assert run.success
    assert max(np.diff([problem.value(x) for x in points])) > 0.0
    assert all(row.accepted for row in run.trace)
    for x, following in pairwise(points):
        H = np.array(problem.hessian(x) @ np.eye(2))
        expected = _absolute(H, problem.gradient(x))
        assert following - x == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_steps_that_leave_the_domain() -> None:
    """Shortened by the search; without one the run ends by name, at the last good point."""
    problem = FunctionProblem(
        lambda x: float(x[0] - math.log(x[0])) if x[0] > 0.0 else math.nan,
        lambda x: 1.0 - 1.0 / x,
        hess=lambda x: np.diag(1.0 / x**2),
        n=1,
    )
    run = minimize(problem, np.array([30.0]), Newton())
    assert run.success
    assert any(math.isnan(row.ratio or 0.0) for row in run.trace)
    plain = minimize(problem, np.array([30.0]), Newton(search="none"))
    assert plain.ending is Ending.NON_FINITE
    assert plain.x == [30.0]
    assert not plain.trace[-1].accepted


def test_the_plain_step_needs_no_promise() -> None:
    """At a minimum with the value 0 nothing is promised, and nothing is divided by that."""
    H, _ = _symmetric(8, [1.0, 2.0])
    run = minimize(_quadratic(H, np.zeros(2)), np.ones(2), Newton(search="none"), gtol=0.0)
    assert run.ending in (Ending.SECOND_ORDER, Ending.ROUNDING)
    assert run.fun == pytest.approx(0.0, abs=1e-300)


def test_budgets_end_a_run_by_name() -> None:
    run = minimize(Hidden(Rosenbrock(20)), None, Newton(solver="direct"), max_matvec=50)
    assert run.ending is Ending.MAX_MATVEC
    assert run.nhvp <= 50
    assert minimize(Rosenbrock(20), None, Newton(), maxiter=2).ending is Ending.MAX_ITERATIONS


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"hessian": "approximate"}, "hessian"),
        ({"solver": "eigh"}, "solver"),
        ({"search": "gain"}, "search"),
        ({"floor": 0.0}, "floor"),
        ({"floor": 1.0}, "floor"),
        ({"batch": 0}, "batch"),
        ({"second_order": "yes"}, "second_order"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        Newton(**options)


def test_what_the_problem_lacks_is_named() -> None:
    bare = FunctionProblem(lambda x: x @ x, lambda x: 2.0 * x, n=2)
    with pytest.raises(ArgumentError, match="exact"):
        minimize(bare, np.ones(2), Newton())
    with pytest.raises(ArgumentError, match="StochasticProblem"):
        minimize(rosenbrock(), None, Newton(batch=2))
