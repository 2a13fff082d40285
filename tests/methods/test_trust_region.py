"""The trust-region method and cubic regularisation."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tralgos
from tests.methods.support import Hidden, dense_quadratic, rosenbrock, saddle
from tests.namespaces import FetchCounter, Xp
from tralgos import (
    CubicRegularization,
    Ending,
    SphereDescent,
    Steihaug,
    TraceRow,
    TrustRegion,
    minimize,
)
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.norms import AdagradNorm, AdamNorm, DiagonalNorm, MatrixNorm, RMSPropNorm
from tralgos.problems import DoubleWell, FunctionProblem, Rosenbrock, collection

METHODS = [
    TrustRegion(),
    TrustRegion(subproblem="exact"),
    TrustRegion(subproblem="krylov"),
    TrustRegion(subproblem="direct"),
    TrustRegion(subproblem="steihaug"),
    TrustRegion(subproblem=Steihaug(rtol="forcing")),
    TrustRegion(subproblem="sphere-descent"),
    TrustRegion(subproblem=SphereDescent()),
    TrustRegion(rule="algorithm-1"),
    TrustRegion(rule="efficient-tr"),
    TrustRegion(hessian="finite-difference"),
    TrustRegion(norm=DiagonalNorm(np.array([4.0, 0.25]))),
    TrustRegion(norm=MatrixNorm(np.array([[2.0, 1.0], [1.0, 2.0]]))),
    TrustRegion(norm=AdagradNorm(epsilon=1e-2)),
    TrustRegion(norm=RMSPropNorm(epsilon=1e-2, kind="full"), norm_power=0.5),
    TrustRegion(norm=AdamNorm(epsilon=1e-2, kind="window", window=3)),
    CubicRegularization(),
    CubicRegularization(subproblem="exact"),
    CubicRegularization(subproblem="direct"),
    CubicRegularization(norm=DiagonalNorm(np.array([4.0, 0.25]))),
    CubicRegularization(norm=RMSPropNorm(epsilon=1e-2)),
]


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_every_variant_minimises_rosenbrock(method: Any) -> None:
    run = minimize(rosenbrock(), None, method, gtol=1e-7, maxiter=3000)
    assert run.ending is Ending.SECOND_ORDER, run.ending
    assert run.x == pytest.approx([1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_values_never_rise(method: Any) -> None:
    """But for the rounding of f."""
    values = minimize(rosenbrock(), None, method, maxiter=3000).trace.column("value")
    assert (np.diff(values) <= 1e-12).all()


def test_one_hessian_for_each_point() -> None:
    """None at rejected points: each point once, and only iterates."""
    hidden = Hidden(rosenbrock())
    iterates = [hidden.start]
    run = minimize(
        hidden,
        None,
        TrustRegion(second_order=False),
        callback=lambda r: iterates.append(r.x),
        gtol=1e-8,
    )
    rejected = [row for row in run.trace if not row.accepted]
    assert rejected
    assert len(hidden.points) == run.nit
    for point, iterate in zip(hidden.points, iterates, strict=False):
        assert np.array_equal(point, iterate)


def test_rejections_reuse_the_space() -> None:
    """A first radius that is a thousand times too long: rejections cost no product."""
    problem = collection.problem("freuroth", 40)
    hidden = Hidden(problem)
    run = minimize(hidden, None, TrustRegion(radius=1e3, second_order=False), maxiter=1)
    trials = [row for row in run.trace if row.iteration == 1]
    assert len(trials) > 2
    assert sum(row.matvecs for row in trials[1:]) == 0
    assert run.nhvp <= 40
    assert [row.radius for row in trials] == sorted((row.radius for row in trials), reverse=True)


def test_non_finite_trial_is_a_rejection() -> None:
    """sqrt(x) to the left of zero: the radius shrinks, and the run goes on."""
    problem = FunctionProblem(
        lambda x: float(np.sum(x - 2.0 * np.sqrt(x))),
        lambda x: 1.0 - 1.0 / np.sqrt(x),
        hess=lambda x: np.diag(0.5 * x**-1.5),
        n=2,
    )
    run = minimize(problem, np.array([30.0, 1e-3]), gtol=1e-9)
    assert run.success
    assert run.x == pytest.approx([1.0, 1.0])
    ratios, radii = run.trace.column("ratio"), run.trace.column("radius")
    failed = np.flatnonzero(np.isnan(ratios[1:])) + 1
    assert failed.size
    assert (radii[failed + 1] < radii[failed]).all()


def test_constant_far_above_the_function() -> None:
    """Rosenbrock-10 plus 1e8: the decrease drowns in f, the gradients still show it."""
    inner = Rosenbrock(10)
    shifted = FunctionProblem(
        lambda x: inner.value(x) + 1e8, inner.gradient, hess=inner.hessian, n=10
    )
    x = np.tile([-1.2, 1.0], 5)
    run = minimize(shifted, x, gtol=1e-8)
    plain = minimize(inner, x, gtol=1e-8)
    assert run.success
    assert run.nit <= 1.5 * plain.nit + 5


def test_gradient_tolerance_below_rounding_ends() -> None:
    """Rosenbrock-100 at a tolerance that its rounding can hardly meet."""
    run = minimize(Rosenbrock(100), np.tile([-1.2, 1.0], 50), gtol=1e-30)
    assert run.ending in (Ending.ROUNDING, Ending.FIRST_ORDER)
    assert run.nit < 1000
    assert run.gradient_norm < 1e-10


@pytest.mark.parametrize("method", [TrustRegion(), TrustRegion(eta1=0.0), CubicRegularization()])
def test_wrong_gradient_is_not_called_rounding(method: Any) -> None:
    """Of the wrong sign: f rises along every step, and the run says that it might be wrong."""
    problem = FunctionProblem(
        lambda x: float(x @ x), lambda x: -2.0 * x, hess=lambda x: 2.0 * np.eye(2), n=2
    )
    run = minimize(problem, np.ones(2), method)
    assert run.ending is Ending.NO_DECREASE
    assert "check_derivatives" in run.message
    assert run.fun <= 2.0 * (1.0 + 1e-7)


@pytest.mark.parametrize("method", [TrustRegion(), CubicRegularization()])
def test_wrong_hessian_ends(method: Any) -> None:
    """A convex f falls along its slope: that is no evidence for a negative curvature."""
    problem = FunctionProblem(
        lambda x: float(x @ x), lambda x: 2.0 * x, hess=lambda x: np.diag([2.0, -2.0]), n=2
    )
    run = minimize(problem, np.ones(2), method)
    assert run.ending is Ending.SADDLE
    assert run.nit < 100


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("second_order", [None, True])
def test_a_maximum_whose_neighbour_is_stationary(n: int, second_order: bool | None) -> None:
    """The first step away from 0 lands on a minimum exactly: it is looked at, not stepped from."""
    run = minimize(DoubleWell(n), np.zeros(n), TrustRegion(second_order=second_order))
    assert run.ending is Ending.SECOND_ORDER
    assert np.abs(run.x) == pytest.approx(np.ones(n), abs=1e-4)


@pytest.mark.parametrize("c", [2.0**-20, 1.0, 2.0**20])
def test_multiples_of_the_norm_change_nothing(c: float) -> None:
    run = minimize(Hidden(Rosenbrock(50)), np.full(50, -1.0), gtol=1e-8)
    other = TrustRegion(norm=DiagonalNorm(np.full(50, c * c)))
    scaled = minimize(Hidden(Rosenbrock(50)), np.full(50, -1.0), other, gtol=1e-8)
    assert (run.nit, run.nhvp) == (scaled.nit, scaled.nhvp)
    assert scaled.x == pytest.approx(run.x)


@pytest.mark.parametrize("power", [-300, 300])
@pytest.mark.parametrize("method", [TrustRegion(subproblem="krylov"), CubicRegularization()])
def test_units_of_the_function_change_nothing(power: int, method: Any) -> None:
    """f times a power of two: the same iterates, bit for bit."""
    scale = 2.0**power
    plain = minimize(rosenbrock(), None, method, gtol=1e-7)
    scaled = minimize(rosenbrock(scale), None, method, gtol=1e-7 * scale)
    assert np.array_equal(plain.x, scaled.x)
    assert plain.nit == scaled.nit
    assert plain.nfev == scaled.nfev


@pytest.mark.parametrize("power", [-200, 200])
@pytest.mark.parametrize("method", [TrustRegion(subproblem="krylov"), CubicRegularization()])
def test_units_of_the_variables_change_nothing(power: int, method: Any) -> None:
    length = 2.0**power
    plain = minimize(rosenbrock(), None, method, gtol=1e-7)
    scaled = minimize(rosenbrock(1.0, length), None, method, gtol=1e-7 / length)
    assert np.array_equal(length * plain.x, scaled.x)
    assert plain.nit == scaled.nit


@given(
    st.integers(1, 8),
    st.floats(0.0, 6.0),
    st.integers(0, 2**32 - 1),
    st.sampled_from([TrustRegion(second_order=True), CubicRegularization(second_order=True)]),
)
def test_convex_quadratics(n: int, spread: float, seed: int, method: Any) -> None:
    """Against the solution of the linear system, for condition numbers up to 1e6."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (Q * 10.0 ** np.linspace(-spread, 0.0, n)) @ Q.T
    H = 0.5 * (H + H.T)
    g = rng.standard_normal(n)
    run = minimize(dense_quadratic(H, g), np.zeros(n), method, gtol=1e-9)
    assert run.success
    best = -0.5 * g @ np.linalg.solve(H, g)
    # ||g||^2 / (2 lambda_1) bounds the distance; the solve and H have relative errors eps cond.
    assert run.fun - best <= 1e-18 * 10.0**spread + 1e-15 * 10.0**spread * abs(best)


def test_superlinear_without_waste() -> None:
    """Newton's endgame on an ill-conditioned function: few steps once it is near."""
    run = minimize(Hidden(Rosenbrock(50)), np.full(50, 1.2), gtol=1e-10)
    sizes = np.array([row.gradient_norm for row in run.trace if row.accepted])
    products = np.array([row.nhvp for row in run.trace if row.accepted])
    near = np.flatnonzero(sizes <= 1e-2)[0]
    assert sizes.shape[0] - near <= 5
    # Less than the fifty of one exact solution each.
    assert products[-1] - products[near] <= 50 * (sizes.shape[0] - 1 - near)


def test_look_ahead_costs_no_products() -> None:
    """A tiny first radius on a quadratic: one model, growing radii, values only."""
    H, g = np.diag(np.arange(1.0, 6.0)), np.ones(5)
    run = minimize(
        dense_quadratic(H, g), np.zeros(5), TrustRegion(radius=1e-3, second_order=False), maxiter=1
    )
    assert len(run.trace) > 3
    assert sum(row.matvecs for row in run.trace[2:]) == 0
    assert run.trace[-1].radius > run.trace[1].radius


def test_paper_rules_follow_the_ratio() -> None:
    """The radii of Algorithm 1 of either paper, from the trace alone."""
    efficient = TrustRegion(rule="efficient-tr", radius=1.0)
    rows = minimize(rosenbrock(), None, efficient, gtol=1e-8).trace[1:]
    for row, following in itertools.pairwise(rows):
        factor = 2.0 if row.ratio >= 0.9 else 1.0 if row.ratio >= 0.1 else 0.5
        assert following.radius == pytest.approx(bounded(row, factor))
        assert row.accepted == (row.ratio >= 0.1)
    method = TrustRegion(rule="algorithm-1", radius=1.0, eta1=0.2, grow=1.5, shrink=0.5)
    rows = minimize(rosenbrock(), None, method, gtol=1e-8).trace[1:]
    for row, following in itertools.pairwise(rows):
        factor = 1.5 if row.ratio >= 0.2 else 0.5
        assert following.radius == pytest.approx(bounded(row, factor))


def bounded(row: TraceRow, factor: float) -> float:
    """The next radius; one that does not bind stops growing at a million steps."""
    return min(factor * row.radius, max(row.radius, 1e6 * row.step_norm))


def test_gauss_newton() -> None:
    run = minimize(Rosenbrock(4), np.full(4, -1.0), TrustRegion(hessian="gauss-newton"), gtol=1e-9)
    assert run.x == pytest.approx(np.ones(4), abs=1e-6)


def test_finite_differences_count_as_gradients() -> None:
    inner = rosenbrock()
    problem = FunctionProblem(inner.value, inner.gradient, n=2, start=inner.start)
    run = minimize(problem, None, TrustRegion(hessian="finite-difference", second_order=True))
    assert run.success
    assert run.njev >= run.nit + 1 + run.nhvp


def test_adaptive_norm_is_the_one_of_the_papers_matrix() -> None:
    """The recorded length of the first step is that in the norm of A = diag(g^2) + epsilon."""
    problem = rosenbrock()
    rule = AdagradNorm(epsilon=0.5)
    run = minimize(problem, None, TrustRegion(norm=rule, second_order=False), maxiter=1)
    g = problem.gradient(problem.start)
    step = run.x - problem.start
    row = next(row for row in run.trace if row.iteration == 1 and row.accepted)
    assert row.step_norm == pytest.approx(np.sqrt(step @ ((g * g + 0.5) * step)))


def test_max_radius_bounds_every_step() -> None:
    run = minimize(rosenbrock(), None, TrustRegion(max_radius=0.1, second_order=False))
    assert run.success
    assert (run.trace.column("step_norm")[1:] <= 0.1 * (1 + 1e-12)).all()


@pytest.mark.parametrize("method", [TrustRegion, CubicRegularization])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"eta1": 0.9, "eta2": 0.1}, "eta2 must lie in"),
        ({"eta1": -0.1}, "eta1 must lie in"),
        ({"eta1": 1.0}, "eta1 must lie in"),
        ({"eta2": 1.5}, "eta2 must lie in"),
        ({"grow": 0.5}, "grow must be at least 1"),
        ({"grow": np.inf}, "grow must be at least 1"),
        ({"shrink": 1.0}, "shrink must lie in"),
        ({"shrink": 0.0}, "shrink must lie in"),
        ({"eta1": "big"}, "eta1 must be a real number"),
        ({"subproblem": "magic"}, "unknown subproblem 'magic'"),
        ({"norm_power": 2.0}, "norm_power must be 1 or 1/2"),
        ({"second_order": "yes"}, "second_order must be"),
    ],
)
def test_bad_parameters_are_named(method: Any, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        method(**parameters)


def test_more_bad_parameters_are_named() -> None:
    with pytest.raises(ArgumentError, match="radius must be positive"):
        TrustRegion(radius=0.0)
    with pytest.raises(ArgumentError, match="max_radius must be positive"):
        TrustRegion(max_radius=-1.0)
    with pytest.raises(ArgumentError, match="unknown rule"):
        TrustRegion(rule="best")
    with pytest.raises(ArgumentError, match="sigma must be positive"):
        CubicRegularization(sigma=-1.0)
    with pytest.raises(ArgumentError, match="not cubic ones"):
        CubicRegularization(subproblem=Steihaug())
    with pytest.raises(ArrayTypeError, match="norm must be None"):
        TrustRegion(norm=np.ones(2))
    with pytest.raises(ArgumentError, match="hessian"):
        minimize(rosenbrock(), None, TrustRegion(hessian="gauss-newton"))
    with pytest.raises(ArgumentError, match="unknown hessian"):
        minimize(rosenbrock(), None, TrustRegion(hessian="guess"))


@pytest.mark.parametrize("method", [TrustRegion(), CubicRegularization()])
def test_one_variable(method: Any) -> None:
    problem = FunctionProblem(
        lambda x: float(x[0] ** 4 - x[0] ** 2),
        lambda x: 4.0 * x**3 - 2.0 * x,
        hessp=lambda x, v: (12.0 * x**2 - 2.0) * v,
        n=1,
    )
    run = minimize(problem, np.zeros(1), method, gtol=1e-9)
    assert run.ending is Ending.SECOND_ORDER
    assert abs(run.x[0]) == pytest.approx(np.sqrt(0.5))


def test_singular_semidefinite_hessian() -> None:
    """H = ones(2, 2), g = (1, 0): unbounded below, and no NaN on the way."""
    H = np.ones((2, 2))
    run = minimize(dense_quadratic(H, np.array([1.0, 0.0])), np.zeros(2), maxiter=200)
    assert not run.success
    assert np.isfinite(run.x).all()
    consistent = minimize(dense_quadratic(H, np.array([1.0, 1.0])), np.zeros(2), gtol=1e-10)
    assert consistent.success
    assert consistent.fun == pytest.approx(-0.5)


@pytest.mark.parametrize(
    "method", [TrustRegion(), CubicRegularization(), TrustRegion(norm=RMSPropNorm())]
)
def test_every_library(method: Any, xp_case: Xp) -> None:
    """Result in the library, device and dtype of x0."""
    problem = Rosenbrock(6)
    x = xp_case.array(np.tile([-1.2, 1.0], 3))
    run = minimize(problem, x, method)
    assert run.success, run.ending
    assert run.x.dtype == x.dtype
    assert type(run.x) is type(x)
    assert run.x.device == x.device
    assert isinstance(run.fun, float)


def test_fetches_an_iteration(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """One a product, and a handful for each trial: none of them grows with n."""
    problem = Rosenbrock(6)
    x = strict_case.array(np.tile([-1.2, 1.0], 3))
    before = host_fetches.count
    run = minimize(problem, x, TrustRegion(second_order=False, subproblem="krylov"))
    trials = len(run.trace)
    assert host_fetches.count - before <= run.nhvp + 9 * run.nit + 5 * trials + 8


def test_a_step_is_a_function_of_its_state() -> None:
    """Twice from the same state: the same state, and the old one is what it was."""
    from tralgos.methods.evaluator import Evaluator

    method, problem = TrustRegion(), Evaluator(rosenbrock())
    rng = np.random.default_rng(0)
    state = method.init(problem, rosenbrock().start, rng)
    for _ in range(3):
        first, second = (method.step(problem, state, rng) for _ in range(2))
        assert np.array_equal(first.x, second.x)
        assert first.records == second.records
        state = first


def test_methods_work_without_arguments() -> None:
    for method in (TrustRegion(), CubicRegularization()):
        assert minimize(saddle(), np.array([2.0, 0.1]), method).success


def test_deterministic_fixed_norm_against_a_change_of_variables() -> None:
    """||s||_D in x is the Euclidean norm in y = D^1/2 x: the same iterates."""
    d = np.array([4.0, 0.0625])
    root = np.sqrt(d)
    plain = rosenbrock()
    changed = FunctionProblem(
        lambda y: plain.value(y / root),
        lambda y: plain.gradient(y / root) / root,
        hess=lambda y: np.asarray(plain.hessian(y / root).array) / np.outer(root, root),
        n=2,
    )
    options = {"second_order": False, "rule": "efficient-tr", "radius": 1.0}
    a = minimize(plain, None, TrustRegion(norm=DiagonalNorm(d), **options), maxiter=10, gtol=0.0)
    b = minimize(changed, root * plain.start, TrustRegion(**options), maxiter=10, gtol=0.0)
    assert root * a.x == pytest.approx(b.x, rel=1e-9)
    assert tralgos.__version__
