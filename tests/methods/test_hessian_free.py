"""Conjugate gradients against exact arithmetic; Hessian-free as printed and made safe."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from tests.methods.support import Hidden, dense_quadratic, rosenbrock, saddle
from tests.namespaces import FetchCounter, Xp
from tralgos import minimize
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.methods import Ending
from tralgos.methods.conjugate_gradients import CGStopping, cg_iterates, conjugate_gradients
from tralgos.methods.evaluator import Evaluator
from tralgos.methods.hessian_free import HessianFree
from tralgos.operators import DenseOperator
from tralgos.problems import FunctionProblem, LogisticRegression, Rosenbrock, digits_problem

#: Algorithm 2 of CurveBall to the letter, but for R.
PRINTED: dict[str, Any] = {
    "safeguard": False,
    "start": "gradient",
    "lam": 0.0,
    "lam_rule": "fixed",
    "rtol": 0.0,
    "progress": 0.0,
}
EXACT = CGStopping(rtol=1e-11, maxiter=1000)


def positive_definite(rng: np.random.Generator, n: int, condition: float = 1e3) -> np.ndarray:
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (Q * condition ** rng.uniform(0.0, 1.0, n)) @ Q.T
    return 0.5 * (A + A.T)


def phi(A: np.ndarray, g: np.ndarray, z: np.ndarray) -> float:
    return float(g @ z + 0.5 * z @ (A @ z))


def cases(n: int = 5) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(n)
    A = positive_definite(rng, n)
    return [(A, rng.standard_normal(n), rng.standard_normal(n))]


# ------------------------------------------------------------------ conjugate gradients


@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans(), st.floats(0.0, 10.0))
def test_cg_solves_from_any_start(seed: int, n: int, warm: bool, lam: float) -> None:
    """Against a dense solve: the guarantee does not depend on the starting point."""
    rng = np.random.default_rng(seed)
    A, g = positive_definite(rng, n), rng.standard_normal(n)
    start = 10.0 * rng.standard_normal(n) if warm else None
    last = conjugate_gradients(DenseOperator(A), g, start, lam=lam, stopping=EXACT)
    shifted = A + lam * np.eye(n)
    exact = -np.linalg.solve(shifted, g)
    assert last.ended == "residual"
    assert last.z == pytest.approx(exact, rel=1e-7, abs=1e-7 * np.abs(exact).max())
    # A start with a large phi leaves the rounding of it.
    rounding = 0.0 if start is None else 1e-13 * abs(phi(shifted, g, start))
    assert last.value == pytest.approx(phi(shifted, g, exact), rel=1e-7, abs=rounding)


@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 5]), st.integers(-3, 3), st.integers(-3, 3))).filter(
        lambda rows: 0 < len(rows) < 8
    )
)
def test_cg_ends_after_as_many_steps_as_distinct_eigenvalues(rows: list[Any]) -> None:
    """From any start; only the eigenvalues along the first residual count."""
    a, g, z = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    residual = a * z + g
    distinct = len(set(a[residual != 0.0]))
    stopping = CGStopping(rtol=1e-10, maxiter=20)
    last = conjugate_gradients(DenseOperator(np.diag(a)), g, z, stopping=stopping)
    if np.any(g):
        assert last.iteration <= distinct
        assert last.z == pytest.approx(-g / a, abs=1e-8)


@given(st.integers(0, 10**6), st.integers(1, 10), st.booleans())
def test_cg_lowers_phi_and_knows_it(seed: int, n: int, warm: bool) -> None:
    """phi and the residual of the recurrences are those of the iterates; phi never rises."""
    rng = np.random.default_rng(seed)
    A, g = positive_definite(rng, n), rng.standard_normal(n)
    start = rng.standard_normal(n) if warm else None
    seen = list(cg_iterates(DenseOperator(A), g, start, stopping=EXACT))
    size = max(abs(k.value) for k in seen)
    for k in seen:
        assert k.value == pytest.approx(phi(A, g, k.z), abs=1e-9 * size)
        found = float(np.linalg.norm(A @ k.z + g))
        assert k.residual == pytest.approx(found, abs=1e-9 * np.linalg.norm(A @ seen[0].z + g))
    values = [k.value for k in seen]
    assert all(b <= a + 1e-12 * size for a, b in itertools.pairwise(values))


def test_cg_iterates_are_the_exact_ones() -> None:
    """Every iterate against conjugate gradients in fractions."""
    A = [[4, 1, 0], [1, 3, -1], [0, -1, 7]]
    g, z = [Fraction(v) for v in (1, -2, 5)], [Fraction(v) for v in (2, 0, -1)]

    def times(v: list[Fraction]) -> list[Fraction]:
        return [sum((a * x for a, x in zip(row, v, strict=True)), Fraction(0)) for row in A]

    def dot(u: list[Fraction], v: list[Fraction]) -> Fraction:
        return sum((a * b for a, b in zip(u, v, strict=True)), Fraction(0))

    start = np.array([float(v) for v in z])
    seen = list(
        cg_iterates(
            DenseOperator(np.array(A, dtype=float)),
            np.array([float(v) for v in g]),
            start,
            stopping=EXACT,
        )
    )
    r = [a + b for a, b in zip(times(z), g, strict=True)]
    d = [-v for v in r]
    for k in seen:
        assert k.z == pytest.approx([float(v) for v in z], rel=1e-12)
        energy = dot(r, r)
        if energy == 0:
            break
        alpha = energy / dot(d, times(d))
        z = [a + alpha * b for a, b in zip(z, d, strict=True)]
        r = [a + alpha * b for a, b in zip(r, times(d), strict=True)]
        d = [-a + dot(r, r) / energy * b for a, b in zip(r, d, strict=True)]
    assert seen[-1].iteration == 3


def test_cg_descends_from_zero_and_need_not_from_elsewhere() -> None:
    """H = diag(1, 3), J = (1, 0), z_0 = (1, -1): one step goes to J'z = 5/31, uphill."""
    H, g = DenseOperator(np.diag([1.0, 3.0])), np.array([1.0, 0.0])
    one = CGStopping(maxiter=1, rtol=0.0)
    elsewhere = conjugate_gradients(H, g, np.array([1.0, -1.0]), stopping=one)
    assert g @ elsewhere.z == pytest.approx(5.0 / 31.0, rel=1e-14)
    assert g @ conjugate_gradients(H, g, stopping=one).z < 0.0


@given(st.integers(0, 10**6), st.integers(2, 10))
def test_cg_iterates_from_zero_and_from_minus_the_gradient_descend(seed: int, n: int) -> None:
    """J'z < 0: all of those from 0, and the first step from -J."""
    rng = np.random.default_rng(seed)
    A, g = 1e-2 * positive_definite(rng, n, 1e4), rng.standard_normal(n)
    for k in itertools.islice(cg_iterates(DenseOperator(A), g), 1, None):
        assert g @ k.z < 0.0
    first = conjugate_gradients(DenseOperator(A), g, -g, stopping=CGStopping(maxiter=1, rtol=0.0))
    assert g @ first.z < 0.0


def test_cg_tells_the_curvature_of_its_directions() -> None:
    """d'Hd / d'd, of the direction from one iterate to the next."""
    (A, g, start), *_ = cases()
    seen = list(cg_iterates(DenseOperator(A), g, start, stopping=EXACT))
    for before, after in itertools.pairwise(seen[:4]):
        d = after.z - before.z
        assert after.curvature == pytest.approx(float(d @ A @ d / (d @ d)), rel=1e-7)


def test_cg_counts_its_products() -> None:
    """One a step, one more for a start that is not zero."""
    (A, g, start), *_ = cases()
    for z0, extra in ((None, 0), (np.zeros(5), 0), (start, 1)):
        hidden = Hidden(dense_quadratic(A, g))
        last = conjugate_gradients(hidden.hessian(g), g, z0, stopping=EXACT)
        assert last.products == len(hidden.products) == last.iteration + extra


def test_cg_leaves_its_arguments_alone() -> None:
    """Neither J nor the start is written into, and old iterates stay what they were."""
    (A, g, start), *_ = cases()
    before = g.copy(), start.copy()
    seen = list(cg_iterates(DenseOperator(A), g, start, stopping=EXACT))
    assert np.array_equal(g, before[0])
    assert np.array_equal(start, before[1])
    values = [phi(A, g, k.z) for k in seen]
    assert values == pytest.approx([k.value for k in seen], rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("warm", [False, True])
def test_cg_does_not_know_the_units(warm: bool) -> None:
    """With data times powers of two the iterates are the same, bit for bit."""
    (A, g, start), *_ = cases()
    plain = list(cg_iterates(DenseOperator(A), g, start if warm else None, lam=0.5, stopping=EXACT))
    for h, c in itertools.product((2.0**-490, 1.0, 2.0**490), repeat=2):
        z0 = start * (c / h) if warm else None
        scaled = list(cg_iterates(DenseOperator(h * A), c * g, z0, lam=0.5 * h, stopping=EXACT))
        assert len(scaled) == len(plain)
        for a, b in zip(plain, scaled, strict=True):
            assert np.array_equal(b.z, a.z * (c / h))
            assert b.residual == a.residual * c
            assert b.ended == a.ended


def test_cg_ends_by_progress() -> None:
    """Martens' rule, recomputed from the values of a run without it."""
    n, rate = 300, 5e-4
    A, g = np.diag(np.linspace(1e-2, 1.0, n) ** 2), np.ones(n)
    free = CGStopping(rtol=0.0, maxiter=150)
    values = [k.value for k in cg_iterates(DenseOperator(A), g, stopping=free)]
    expected = next(
        k
        for k in range(len(values))
        if k > (w := max(10, math.ceil(0.1 * k)))
        and (values[k] - values[k - w]) / values[k] < w * rate
    )
    ruled = CGStopping(rtol=0.0, maxiter=150, progress=rate)
    last = conjugate_gradients(DenseOperator(A), g, stopping=ruled)
    assert last.ended == "progress"
    assert last.iteration == expected
    assert expected > 20


@pytest.mark.parametrize(
    ("a", "g", "expected"),
    [
        ([1.0, -1.0], [1.0, 2.0], [-5.0 / 3.0, -10.0 / 3.0]),  # g'Hg = -3: g'g / 3 times
        ([1.0, -1.0], [1.0, 1.0], [-1.0, -1.0]),  # g'Hg = 0: |g| / |Hg| times
        ([0.0, 0.0], [3.0, 4.0], [-3.0, -4.0]),  # Hg = 0: once
        ([-2.0], [1.0], [-0.5]),
    ],
)
def test_cg_at_negative_curvature_at_once(a: list[float], g: Any, expected: list[float]) -> None:
    """A multiple of -J at which phi is negative, with its phi and its residual."""
    g, A = np.array(g), np.diag(a)
    last = conjugate_gradients(DenseOperator(A), g)
    assert (last.ended, last.iteration, last.products) == ("curvature", 0, 1)
    assert last.z == pytest.approx(expected)
    assert last.value == pytest.approx(phi(A, g, last.z))
    assert last.value < 0.0
    assert last.residual == pytest.approx(float(np.linalg.norm(A @ last.z + g)))
    assert last.curvature == pytest.approx(float(g @ A @ g / (g @ g)))


def test_cg_at_negative_curvature_later() -> None:
    """The iterate before it is kept, with its phi."""
    A, g = np.diag([3.0, 1.0, -0.1]), np.array([3.0, 1.0, 0.1])
    seen = list(cg_iterates(DenseOperator(A), g, stopping=EXACT))
    last = seen[-1]
    assert last.ended == "curvature"
    assert last.iteration == seen[-2].iteration > 0
    assert np.array_equal(last.z, seen[-2].z)
    assert last.curvature < 0.0
    assert last.value == pytest.approx(phi(A, g, last.z))


def test_cg_curvature_below_rounding_is_no_curvature() -> None:
    """A tolerance of a hundredth takes curvature of a thousandth of the largest for none."""
    H, g = DenseOperator(np.diag([1.0, 1e-3])), np.array([1.0, 1.0])
    assert conjugate_gradients(H, g, stopping=EXACT).ended == "residual"
    loose = CGStopping(rtol=1e-11, curvature_rtol=1e-2)
    assert conjugate_gradients(H, g, stopping=loose).ended == "curvature"


def test_cg_with_nothing_to_do() -> None:
    """J = 0 from 0, and a start that is the solution: no step."""
    H = DenseOperator(np.diag([1.0, 2.0]))
    none = conjugate_gradients(H, np.zeros(2))
    assert (none.ended, none.products, none.value) == ("residual", 0, 0.0)
    assert np.array_equal(none.z, np.zeros(2))
    there = conjugate_gradients(H, np.array([1.0, 2.0]), np.array([-1.0, -1.0]))
    assert (there.ended, there.products, there.iteration) == ("residual", 1, 0)
    assert there.value == pytest.approx(-1.5)


def test_cg_refuses_what_is_not_finite() -> None:
    """In J, in the start, in a product."""
    H = DenseOperator(np.eye(2))
    with pytest.raises(NonFiniteError):
        conjugate_gradients(H, np.array([1.0, math.nan]))
    with pytest.raises(NonFiniteError):
        conjugate_gradients(H, np.ones(2), np.array([1.0, math.inf]))
    bad = FunctionProblem(
        lambda x: 0.0, lambda x: x, hessp=lambda x, v: np.full(2, math.nan), n=2
    ).hessian(np.ones(2))
    with pytest.raises(NonFiniteError):
        conjugate_gradients(bad, np.ones(2))


@pytest.mark.parametrize(
    "wrong", [{"rtol": -1.0}, {"progress": math.nan}, {"maxiter": 0}, {"curvature_rtol": -1.0}]
)
def test_cg_rules_are_checked(wrong: dict[str, Any]) -> None:
    """By name."""
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        CGStopping(**wrong)


def test_cg_on_every_array_library(xp_case: Xp) -> None:
    """Library, device and dtype stay; the solution is the dense one."""
    (A, g, start), *_ = cases()
    A = A / np.abs(A).max() + np.eye(5)
    stopping = CGStopping(rtol=30.0 * xp_case.eps)
    H = DenseOperator(xp_case.array(A))
    for z0 in (None, xp_case.array(start)):
        last = conjugate_gradients(H, xp_case.array(g), z0, lam=0.1, stopping=stopping)
        assert xp_case.owns(last.z)
        exact = -np.linalg.solve(A + 0.1 * np.eye(5), g)
        assert xp_case.numpy(last.z) == pytest.approx(exact, abs=1e3 * xp_case.eps)
        assert type(last.value) is type(last.residual) is float


def test_cg_host_transfers(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """One a step, beside two or three at the start and one for the size of H."""
    (A, g, start), *_ = cases()
    H, J, z = (strict_case.array(v) for v in (A, g, start))
    for z0, begin in ((None, 2), (z, 3)):
        host_fetches.reset()
        last = conjugate_gradients(
            DenseOperator(H), J, z0, stopping=CGStopping(rtol=0.0, maxiter=3)
        )
        assert last.iteration == 3
        assert host_fetches.count == begin + 1 + 3


# ------------------------------------------------------------------ the method


def logistic() -> LogisticRegression:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6))
    return LogisticRegression(X, X[:, 0] + rng.standard_normal(200) > 0.0, l2=0.01)


SAFE = [
    HessianFree(),
    HessianFree(hessian="exact"),
    HessianFree(hessian="finite-difference"),
    HessianFree(warm=True, decay=0.95, start="gradient"),
    HessianFree(inner=1, warm=True),
    HessianFree(lam=1.0, lam_rule="authors"),
    HessianFree(lam=0.0),
]


@pytest.mark.parametrize("method", SAFE, ids=repr)
def test_reaches_the_tolerance(method: HessianFree) -> None:
    """Rosenbrock-2 and a logistic regression; f never rises."""
    for problem, x in ((Rosenbrock(2), None), (logistic(), np.zeros(6))):
        run = minimize(problem, x, method, gtol=1e-5, maxiter=5000)
        assert run.success
        assert np.linalg.norm(problem.gradient(run.x)) <= 1e-5
        values = run.trace.column("value")
        accepted = values[run.trace.column("accepted").astype(bool)]
        assert (np.diff(accepted) <= 1e-12 * np.abs(accepted[:-1])).all()


def test_reaches_the_tolerance_on_more() -> None:
    """Rosenbrock-10, and 640 weights of digits at few steps."""
    assert minimize(Rosenbrock(10), None, HessianFree(), gtol=1e-8).success
    digits = digits_problem(l2=1e-3)
    run = minimize(digits, np.zeros(digits.n), HessianFree(), gtol=1e-6)
    assert run.success
    assert run.nit <= 15


def test_one_step_is_newtons() -> None:
    """On a quadratic, exactly solved and without damping: one step, against a dense solve."""
    (A, g, _), *_ = cases()
    run = minimize(
        dense_quadratic(A, g),
        np.ones(5),
        HessianFree(hessian="exact", lam=0.0, rtol=1e-13, progress=0.0),
        gtol=1e-8,
    )
    assert run.nit == 1
    assert run.x == pytest.approx(-np.linalg.solve(A, g), rel=1e-7)


@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans(), st.booleans())
def test_as_printed(seed: int, inner: int, warm: bool, from_gradient: bool) -> None:
    """w + z_R against Algorithm 2 written out, R steps of CG from z_0 = -J, 0 or the last z."""
    rng = np.random.default_rng(seed)
    n = 7
    A, g = positive_definite(rng, n, 10.0), rng.standard_normal(n)
    w, z = rng.standard_normal(n), None
    method = HessianFree(
        **{**PRINTED, "start": "gradient" if from_gradient else "zero"},
        hessian="exact",
        inner=inner,
        warm=warm,
    )
    points: list[Any] = []
    minimize(
        dense_quadratic(A, g), w, method, gtol=0.0, maxiter=3, callback=lambda r: points.append(r.x)
    )
    for point in points:
        J = A @ w + g
        if z is None or not warm:
            z = -J if from_gradient else np.zeros(n)
        r = A @ z + J
        d = -r
        for _ in range(inner):
            alpha = (r @ r) / (d @ A @ d)
            z, rest = z + alpha * d, r + alpha * (A @ d)
            d, r = -rest + (rest @ rest) / (r @ r) * d, rest
        w = w + z
        assert point == pytest.approx(w, rel=1e-6, abs=1e-6)


def test_a_warm_start_may_decay() -> None:
    """The second step from 0.95 of the first one's z, of which -J is the first start."""
    (A, g, _), *_ = cases()
    points: list[Any] = []
    method = HessianFree(
        **{**PRINTED, "start": "zero"}, hessian="exact", inner=1, warm=True, decay=0.95
    )
    minimize(
        dense_quadratic(A, g),
        np.zeros(5),
        method,
        maxiter=2,
        gtol=0.0,
        callback=lambda r: points.append(r.x),
    )
    z = 0.95 * points[0]
    r = A @ z + A @ points[0] + g
    z = z - (r @ r) / (r @ A @ r) * r
    assert points[1] - points[0] == pytest.approx(z, rel=1e-9)


def test_the_interleaved_variant_leaves_rosenbrocks_valley() -> None:
    """R = 1 from the last z as printed: f grows without end; with the safeguard it converges."""
    interleaved = HessianFree(**PRINTED, inner=1, warm=True)
    run = minimize(Rosenbrock(2), None, interleaved, maxiter=1000)
    values = run.trace.column("value")
    assert not run.success
    assert (np.diff(values[10:]) > 0.0).all()
    assert values[-1] > 500.0
    safe = HessianFree(**{**PRINTED, "safeguard": True}, inner=1, warm=True)
    assert minimize(Rosenbrock(2), None, safe).success


@given(st.lists(st.floats(1.0, 30.0), min_size=2, max_size=5), st.integers(0, 10**6))
def test_the_interleaved_variant_converges_on_quadratics(a: list[float], seed: int) -> None:
    """R = 1 from the last z, begun anew each time, is not unstable there."""
    A, rng = np.diag(a), np.random.default_rng(seed)
    x = rng.standard_normal(len(a))
    method = HessianFree(**PRINTED, hessian="exact", inner=1, warm=True, second_order=False)
    run = minimize(dense_quadratic(A, np.zeros(len(a))), x, method, gtol=1e-6, maxiter=2000)
    assert run.success


def test_linearised_products_count_forward_and_reverse() -> None:
    """A product is one of each; one linearisation and so one more value a step."""
    run = minimize(Rosenbrock(4), None, HessianFree(second_order=False), maxiter=5)
    assert run.nhvp == run.njvp == run.nvjp > 5
    assert run.nhev == 0
    trials = len(run.trace) - 1
    assert run.nfev == 1 + trials + run.nit
    assert run.njev == 1 + run.nit


def test_products_of_a_step() -> None:
    """The first step has one for lambda; a start that is not zero has one of its own."""
    (A, g, _), *_ = cases()
    for kwargs, extra in (
        ({}, 0),
        ({"start": "gradient", "safeguard": False}, 1),
        ({"lam": 1.0}, -1),
    ):
        hidden = Hidden(dense_quadratic(A, g))
        method = HessianFree(hessian="exact", inner=2, rtol=0.0, second_order=False, **kwargs)
        run = minimize(hidden, np.zeros(5), method, maxiter=1)
        assert run.nhvp == len(hidden.products) == 3 + extra
        assert run.trace[-1].detail["inner"] == 2.0


def test_a_bad_start_is_dropped() -> None:
    """-J is far too long where the curvature is 1000: the safeguard begins at 0 (see `warm`)."""
    for scale, used in ((1e3, 0.0), (1.0, 1.0)):
        problem = dense_quadratic(scale * np.diag([1.0, 0.5]), np.ones(2))
        method = HessianFree(hessian="exact", start="gradient", inner=5)
        run = minimize(problem, np.zeros(2), method, maxiter=1)
        assert run.trace[-1].detail["warm"] == used


@pytest.mark.parametrize("hessian", [None, "gauss-newton", "exact", "finite-difference"])
def test_where_products_come_from(hessian: Any) -> None:
    """A problem with nothing but a Hessian, and what is said of one with nothing."""
    plain = rosenbrock()
    method = HessianFree(hessian=hessian)
    if hessian == "gauss-newton":
        with pytest.raises(ArgumentError, match="'exact'"):
            minimize(plain, None, method)
        return
    assert minimize(plain, None, method).success
    bare = FunctionProblem(plain.value, plain.gradient, n=2)
    if hessian == "finite-difference":
        assert minimize(bare, plain.start, method).success
    else:
        with pytest.raises(ArgumentError, match="finite-difference"):
            minimize(bare, plain.start, method)


@pytest.mark.parametrize("scale", [1e150, 1e-150])
@pytest.mark.parametrize("length", [1e-60, 1.0, 1e60])
def test_the_units_do_not_matter(scale: float, length: float) -> None:
    """The defaults make as many steps on Rosenbrock's function in any units."""
    plain = minimize(rosenbrock(), None, HessianFree(), gtol=1e-6)
    problem = rosenbrock(scale, length)
    run = minimize(problem, None, HessianFree(), gtol=1e-6 * scale / length)
    assert run.success
    assert abs(run.nit - plain.nit) <= 2


def test_negative_curvature() -> None:
    """From the ridge of a saddle, and down a function without a bottom."""
    run = minimize(saddle(), np.array([1.0, 0.1]), HessianFree())
    assert run.success
    assert run.fun == pytest.approx(-0.25)
    linear = FunctionProblem(
        lambda x: float(x[0]), lambda x: np.eye(2)[0], hess=lambda x: np.zeros((2, 2)), n=2
    )
    assert minimize(linear, np.zeros(2), HessianFree()).ending == Ending.UNBOUNDED
    dome = dense_quadratic(-np.eye(2), np.zeros(2))
    assert minimize(dome, np.ones(2), HessianFree()).ending == Ending.UNBOUNDED


def test_ends_where_rounding_hides_progress() -> None:
    """No endless run and no false success at a tolerance that can not be met."""
    run = minimize(Rosenbrock(100), np.tile([-1.2, 1.0], 50), HessianFree(), gtol=1e-30)
    assert run.ending == Ending.ROUNDING
    assert run.nit < 500
    assert run.gradient_norm < 1e-10


def test_constant_far_above_the_function() -> None:
    """Rosenbrock-10 plus 1e8: gradients decide where f shows nothing."""
    inner = Rosenbrock(10)
    shifted = FunctionProblem(
        lambda x: inner.value(x) + 1e8, inner.gradient, hess=inner.hessian, n=10
    )
    assert minimize(shifted, np.tile([-1.2, 1.0], 5), HessianFree(), gtol=1e-8).success


def test_wrong_derivatives_are_no_success() -> None:
    """The gradient of -f."""
    bad = FunctionProblem(
        lambda x: float(x @ x), lambda x: -2.0 * x, hess=lambda x: 2.0 * np.eye(2), n=2
    )
    assert minimize(bad, np.ones(2), HessianFree()).ending == Ending.NO_DECREASE


def test_a_trial_that_is_not_finite_is_a_rejection() -> None:
    """sqrt(x) to the left of zero."""
    problem = FunctionProblem(
        lambda x: float(np.sum(x - 2.0 * np.sqrt(x))),
        lambda x: 1.0 - 1.0 / np.sqrt(x),
        hess=lambda x: np.diag(0.5 * x**-1.5),
        n=2,
    )
    run = minimize(problem, np.array([30.0, 1e-3]), HessianFree(), gtol=1e-8)
    assert run.success
    assert np.isnan(run.trace.column("ratio")[1:]).any()


def test_printed_step_out_of_range_ends_the_run() -> None:
    """The state stays where f was finite."""
    quartic = FunctionProblem(
        lambda x: float(np.sum(np.exp(x * x))),
        lambda x: 2.0 * x * np.exp(x * x),
        hess=lambda x: np.diag((2.0 + 4.0 * x * x) * np.exp(x * x) * 1e-4),
        n=2,
    )
    run = minimize(quartic, np.ones(2), HessianFree(**{**PRINTED, "start": "zero"}, inner=2))
    assert run.ending == Ending.NON_FINITE
    assert np.isfinite(run.fun)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hessian": "none"},
        {"lam": -1.0},
        {"lam_rule": "none"},
        {"safeguard": 1},
        {"second_order": 1},
        {"inner": 0},
        {"rtol": -1.0},
        {"progress": -1.0},
        {"start": "warm"},
        {"warm": 1},
        {"decay": 0.0},
        {"decay": 1.5},
        {"batch": 0},
        {"batch": "same"},
    ],
)
def test_parameters_are_checked(wrong: dict[str, Any]) -> None:
    """By name, before any work."""
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        HessianFree(**wrong)


def test_samples() -> None:
    """Value, gradient and curvature of a step are of one sample; both values are, too."""
    problem = logistic()
    method = HessianFree(batch=100, lam=0.1, lam_rule="fixed")
    assert method.stochastic
    run = minimize(problem, np.zeros(6), method, maxiter=30, gtol=1e-12, rng=1)
    best = minimize(problem, np.zeros(6), HessianFree(), gtol=1e-10)
    assert problem.value(run.x) - best.fun < 0.05 * (problem.value(np.zeros(6)) - best.fun)
    assert run.ending == Ending.MAX_ITERATIONS
    evaluator, rng = Evaluator(problem), np.random.default_rng(3)
    state = method.init(evaluator, np.zeros(6), rng)
    assert state.sample is not None
    assert state.value == state.sample.terms.value(state.x)
    following = method.step(evaluator, state, rng)
    assert following.sample is not state.sample
    sampled = state.sample.terms
    ratio = following.records[-1].ratio
    assert ratio is not None
    assert following.records[-1].accepted
    actual = sampled.value(state.x) - sampled.value(following.x)
    z = following.x - state.x
    H = sampled.gauss_newton(state.x)
    promised = -(state.gradient @ z + 0.5 * z @ (H @ z))
    assert ratio == pytest.approx(actual / promised, rel=1e-6)
    with pytest.raises(ArgumentError, match="batch"):
        minimize(rosenbrock(), None, method)
    with pytest.raises(ArgumentError, match="batch"):
        minimize(problem, np.zeros(6), HessianFree(batch=201))


def test_budgets_are_kept() -> None:
    """Products end the run in the middle of a step."""
    run = minimize(Rosenbrock(10), None, HessianFree(), max_matvec=17)
    assert run.ending == Ending.MAX_MATVEC
    assert run.nhvp <= 17


def test_lambda_follows_the_gain() -> None:
    """lambda falls by 2/3 on a quadratic, where the model is f, and stays where it is fixed."""
    (A, g, _), *_ = cases()
    for rule, factor in (("gain", 2.0 / 3.0), ("fixed", 1.0)):
        method = HessianFree(hessian="exact", lam=5.0, lam_rule=rule, rtol=1e-12)
        trace = minimize(dense_quadratic(A, g), np.ones(5), method, maxiter=4).trace
        lams = [row.detail["lam"] for row in trace[1:]]
        assert lams == pytest.approx([5.0 * factor**k for k in range(len(lams))])


def test_lambda_rises_with_a_shortened_step() -> None:
    """By 3/2, as after a step over which f rose."""
    problem = FunctionProblem(
        lambda x: float(np.sqrt(1.0 + x[0] * x[0])),
        lambda x: x / np.sqrt(1.0 + x * x),
        hess=lambda x: np.array([[(1.0 + float(x[0]) ** 2) ** -1.5]]),
        n=1,
    )
    trace = minimize(problem, np.array([3.0]), HessianFree(lam=1e-3), maxiter=2).trace
    first = [row for row in trace if row.iteration == 1]
    assert len(first) > 1
    assert first[-1].detail["fraction"] < 1.0
    assert trace[-1].detail["lam"] == pytest.approx(1.5e-3)


def test_lambda_stays_where_rounding_hides_f() -> None:
    """A quadratic 1e14 above zero: f says nothing of its model."""
    problem = FunctionProblem(
        lambda x: float(x @ x) + 1e14, lambda x: 2.0 * x, hess=lambda x: 2.0 * np.eye(2), n=2
    )
    trace = minimize(problem, np.array([0.1, 0.2]), HessianFree(lam=1.0), gtol=1e-6).trace
    assert len(trace) > 3
    assert {row.detail["lam"] for row in trace[1:]} == {1.0}


def test_on_every_array_library(xp_case: Xp) -> None:
    """Rosenbrock-4 and its arrays."""
    x = xp_case.array([-1.2, 1.0, -1.2, 1.0])
    run = minimize(Rosenbrock(4), x, HessianFree(warm=True, start="gradient"))
    assert run.success
    assert xp_case.owns(run.x)
    assert all(type(v) is float for row in run.trace[1:] for v in row.detail.values())


def test_one_variable() -> None:
    """n = 1, with curvature of both signs."""
    double_well = FunctionProblem(
        lambda x: float(x[0] ** 4 - x[0] ** 2),
        lambda x: 4.0 * x**3 - 2.0 * x,
        hess=lambda x: np.array([[12.0 * float(x[0]) ** 2 - 2.0]]),
        n=1,
    )
    for x in (0.1, 3.0, -1e-3):
        run = minimize(double_well, np.array([x]), HessianFree())
        assert run.success
        assert abs(run.x[0]) == pytest.approx(math.sqrt(0.5))


def test_through_scipy() -> None:
    """As `method` of scipy.optimize.minimize."""
    run = scipy.optimize.minimize(
        scipy.optimize.rosen,
        [-1.2, 1.0, 1.0],
        jac=scipy.optimize.rosen_der,
        hess=scipy.optimize.rosen_hess,
        method=HessianFree(),
    )
    assert run.success
    assert run.x == pytest.approx(np.ones(3), abs=1e-4)
