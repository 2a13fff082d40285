"""Failures of other solvers, each as a test named after what it protects, and bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

from tests.oracle import exact_trs, rotated
from tests.subproblems.support import EPS, Product
from tralgos import SphereDescent, Status, Steihaug, Subproblem, solve_cubic, solve_trs
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError
from tralgos.norms import DiagonalNorm
from tralgos.operators import WrappedOperator

EXACT = ["direct", "krylov"]
ALL = ["auto", "direct", "krylov", "steihaug", "sphere-descent"]
GOOD = (Status.GLOBAL, Status.ROUNDING)


# ------------------------------------------------------------------ 1: no early exit


def test_does_not_stop_far_from_the_optimum() -> None:
    """The sphere-descent paper's family, where trlib's early exit is 5 per cent short."""
    rng = np.random.default_rng(0)
    B = rng.standard_normal((300, 299))
    H = B @ B.T - 10.0 * np.eye(300)
    H, g = 0.5 * (H + H.T), rng.standard_normal(300)
    values, vectors = np.linalg.eigh(H)
    best = float(exact_trs(values, vectors.T @ g, 1.0).value)
    for options in ({}, {"certify": "none", "rtol": 1e-8}, {"certify": "probabilistic"}):
        result = solve_trs(Product(H), g, 1.0, method="krylov", **options)
        assert result.model_decrease >= -best * (1.0 - 2e-8)
        assert result.on_boundary
    assert result.status is Status.GLOBAL


@pytest.mark.parametrize("method", EXACT)
def test_hard_case_is_on_the_boundary_and_says_so(method: str) -> None:
    result = solve_trs(np.diag([-1.0, 1.0, 2.0]), np.array([0.0, 0.5, 0.5]), 2.0, method=method)
    assert result.on_boundary
    assert result.hard_case
    assert result.multiplier == pytest.approx(1.0)
    assert abs(np.linalg.norm(result.step) - 2.0) <= 4 * EPS * 2.0


@pytest.mark.parametrize("method", EXACT)
def test_interior_is_not_the_boundary(method: str) -> None:
    """Nor is a step that ends just short of it, or just reaches it."""
    for length, on_boundary in ((0.5, False), (1.0 - 1e-9, False), (1.0 + 1e-9, True)):
        result = solve_trs(np.eye(2), length * np.array([0.6, 0.8]), 1.0, method=method)
        assert result.on_boundary is on_boundary
        assert (result.multiplier > 0.0) is on_boundary


# ------------------------------------------------------------------ 2: the space of g is not all


@pytest.mark.parametrize("certify", ["exact", "probabilistic"])
@pytest.mark.parametrize("method", EXACT)
def test_eigenvector_that_g_does_not_see(method: str, certify: Any) -> None:
    H = np.array([[1.0, 0.0, 4.0], [0.0, 2.0, 0.0], [4.0, 0.0, 3.0]])
    result = solve_trs(H, np.array([0.0, 2.0, 0.0]), 1.0, method=method, certify=certify)
    assert result.model_decrease == pytest.approx(1.5466241, abs=1e-7)
    assert result.multiplier == pytest.approx(2.1231056, abs=1e-6)
    assert result.hard_case


def test_without_evidence_nothing_is_claimed() -> None:
    """The space of g gives q = -1 there; that it may not be global is said."""
    H = np.array([[1.0, 0.0, 4.0], [0.0, 2.0, 0.0], [4.0, 0.0, 3.0]])
    g = np.array([0.0, 2.0, 0.0])
    result = solve_trs(H, g, 1.0, method="krylov", certify="none")
    assert result.status is Status.UNCERTIFIED
    assert result.certificate.gap == math.inf
    assert result.certificate.evidence == "none"
    assert result.certificate.failure_probability == 1.0
    assert result.certificate.curvature == -math.inf
    assert result.certificate.matvecs == 0


# ------------------------------------------------------------------ 3: feasible at any tolerance


@pytest.mark.parametrize("rtol", [0.5, 1e-3, 1e-12, 1e-16])
@pytest.mark.parametrize("method", EXACT)
def test_never_outside_the_radius(method: str, rtol: float) -> None:
    rng = np.random.default_rng(1)
    for radius in (1e-6, 0.3, 7.0, 1e5):
        H, g, _ = rotated(rng.uniform(-2, 2, 15), rng.standard_normal(15), rng)
        result = solve_trs(H, g, radius, method=method, rtol=rtol)
        assert np.linalg.norm(result.step) <= radius * (1 + 2 * EPS)
        assert result.certificate.feasibility == 0.0
        assert result.status in GOOD


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_zero_gradient(method: str, n: int, sign: float) -> None:
    """3 and 4: H = -I, 0 and I with g = 0; nothing is undefined, nothing is NaN."""
    result = solve_trs(sign * np.eye(n), np.zeros(n), 2.0, method=method)
    assert np.isfinite(result.step).all()
    assert np.linalg.norm(result.step) <= 2.0
    assert math.isfinite(result.multiplier)
    assert not math.isnan(result.certificate.gap)
    assert not math.isnan(result.certificate.stationarity)
    if method in ("auto", *EXACT):
        assert result.model_decrease == pytest.approx(2.0 if sign < 0 else 0.0)
        assert result.multiplier == pytest.approx(max(-sign, 0.0))
        assert result.status in GOOD
        assert math.isfinite(result.certificate.complementarity)


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("h", [-3.0, 0.0, 2.0])
@pytest.mark.parametrize("slope", [-1.0, 0.0, 5.0])
def test_one_variable(method: str, h: float, slope: float) -> None:
    result = solve_trs(np.array([[h]]), np.array([slope]), 1.0, method=method)
    points = np.linspace(-1, 1, 20001)
    assert result.model_decrease == pytest.approx(-(slope * points + 0.5 * h * points**2).min())
    cubic = solve_cubic(np.array([[h]]), np.array([slope]), 1.0, method=method)
    points = np.linspace(-6, 6, 120001)
    q = slope * points + 0.5 * h * points**2 + np.abs(points) ** 3 / 3
    assert cubic.model_decrease == pytest.approx(-q.min(), abs=1e-8)


# ------------------------------------------------------------------ 5, 15: what H may be


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    "wrap",
    [
        scipy.sparse.csr_array,
        scipy.sparse.coo_array,
        scipy.sparse.csc_matrix,
        scipy.sparse.linalg.aslinearoperator,
        Product,
        WrappedOperator,
    ],
)
def test_any_kind_of_matrix(method: str, wrap: Callable[[Any], Any]) -> None:
    H, g, _ = rotated(np.linspace(-1, 3, 9), np.ones(9), np.random.default_rng(2))
    expected = solve_trs(H, g, 1.0, method=method)
    result = solve_trs(wrap(H), g, 1.0, method=method)
    assert result.model_decrease == pytest.approx(expected.model_decrease, rel=1e-6)


def test_nothing_is_turned_into_numpy() -> None:
    """15: a NumPy-only operator with an array of another library is refused, not converted."""
    strict = pytest.importorskip("array_api_strict")
    g = strict.asarray([1.0, 2.0])
    for H in (scipy.sparse.eye_array(2), scipy.sparse.linalg.aslinearoperator(np.eye(2))):
        with pytest.raises(ArrayTypeError):
            solve_trs(H, g, 1.0)


# ------------------------------------------------------------------ 8, 9: saddles, multipliers


@pytest.mark.parametrize("method", ["auto", *EXACT])
def test_leaves_a_saddle(method: str) -> None:
    """x^2 - y^2 + y^4 at (1, 0): the step has a part along y although g does not show it."""
    result = solve_trs(np.diag([2.0, -2.0]), np.array([2.0, 0.0]), 1.0, method=method)
    assert abs(result.step[1]) > 0.5
    assert result.hard_case
    at_saddle = solve_trs(np.diag([2.0, -2.0]), np.zeros(2), 1.0, method=method)
    assert at_saddle.model_decrease == pytest.approx(1.0)


@pytest.mark.parametrize("method", EXACT)
def test_multiplier_reaches_the_leftmost_eigenvalue(method: str) -> None:
    """trlib 6."""
    H, g = np.diag([0.0, -20.0, 0.0]), np.array([1.0, 0.0, -1.0])
    result = solve_trs(H, g, 1.0, method=method)
    assert result.multiplier >= 20.0 - 1e-12
    assert result.status in GOOD


# ------------------------------------------------------------------ 10, 11: tiny and singular data


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("size", [1e-20, 1e-12, 1e-6])
def test_no_absolute_cut_off(method: str, size: float) -> None:
    """TRS.jl 6: data of tiny norm."""
    H, g, _ = rotated(np.linspace(-1, 1, 8), np.ones(8), np.random.default_rng(4))
    result = solve_trs(size * H, size * g, 1.0, method=method)
    expected = solve_trs(H, g, 1.0, method=method)
    assert result.model_decrease == pytest.approx(size * expected.model_decrease, rel=1e-7)
    assert np.linalg.norm(result.step) <= 1.0 + 2 * EPS
    assert result.status is expected.status


@pytest.mark.parametrize("seed", range(5))
def test_random_data_of_order_fifty(seed: int) -> None:
    """TRS.jl 7."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((50, 50))
    H, g = A + A.T, rng.standard_normal(50)
    for method in EXACT:
        assert solve_trs(H, g, 1.0, method=method).status in GOOD


@pytest.mark.parametrize("method", EXACT)
def test_singular_semidefinite(method: str) -> None:
    """Optim.jl 1266 and 1277."""
    result = solve_trs(np.ones((2, 2)), np.array([1.0, 0.0]), 1.0, method=method)
    best = float(exact_trs([0.0, 2.0], np.array([1.0, 1.0]) / math.sqrt(2.0), 1.0).value)
    assert result.model_decrease == pytest.approx(-best, rel=1e-9)
    consistent = solve_trs(np.ones((2, 2)), np.array([1.0, 1.0]), 5.0, method=method)
    assert consistent.step.sum() == pytest.approx(-1.0, abs=1e-6)
    assert consistent.model_decrease == pytest.approx(0.5)
    zero = solve_trs(np.zeros((3, 3)), np.array([3.0, 0.0, 4.0]), 2.0, method=method)
    np.testing.assert_allclose(zero.step, [-1.2, 0.0, -1.6])


# ------------------------------------------------------------------ 12: the right norm


@pytest.mark.parametrize("method", ALL)
def test_boundary_is_measured_in_the_norm_of_the_problem(method: str) -> None:
    d = np.array([1e-4, 1.0, 1e4])
    norm = DiagonalNorm(d)
    result = solve_trs(np.diag([-1.0, 1.0, 2.0]), np.ones(3), 0.7, norm=norm, method=method)
    assert norm.norm(result.step) <= 0.7
    assert norm.norm(result.step) == pytest.approx(0.7, rel=1e-10)
    assert result.on_boundary


# ------------------------------------------------------------------ 13: hard cases in numbers


@pytest.mark.parametrize("method", EXACT)
def test_a_hundred_hard_cases_at_rounding_level(method: str) -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 25))
        e = np.sort(rng.uniform(-1, 1, n)) - 1.5
        c = rng.standard_normal(n)
        c[0] = 0.0
        if seed % 3 == 0:
            e[1], c[1] = e[0], 0.0
        # Half of them hard, half of them just not.
        length = np.linalg.norm(c[c != 0] / (e - e[0])[c != 0])
        c *= (0.5 if seed % 2 else 1.01) / length if length > 0 else 1.0
        H, g, _ = rotated(e, c, rng)
        best = float(exact_trs(e, c, 1.0).value)
        result = solve_trs(H, g, 1.0, method=method)
        assert result.status in GOOD, seed
        assert result.model_decrease >= -best * (1 - 1e-8) - 100 * EPS
        assert np.linalg.norm(result.step) <= 1.0 + 2 * EPS


@pytest.mark.parametrize("multiplicity", [2, 5, 20])
@pytest.mark.parametrize("method", EXACT)
def test_repeated_leftmost_eigenvalue(method: str, multiplicity: int) -> None:
    e = np.concatenate([np.full(multiplicity, -2.0), np.linspace(-1, 1, 10)])
    c = np.concatenate([np.zeros(multiplicity), 0.1 * np.ones(10)])
    H, g, _ = rotated(e, c, np.random.default_rng(multiplicity))
    result = solve_trs(H, g, 1.0, method=method)
    assert result.status in GOOD
    assert result.multiplier == pytest.approx(2.0, rel=1e-7)


# ------------------------------------------------------------------ bad input


class Broken:
    """Products that go wrong at a given count."""

    def __init__(self, H: np.ndarray, at: int, how: Callable[[np.ndarray], Any]) -> None:
        self.H, self.shape, self.at, self.how = H, H.shape, at, how
        self.count = 0

    def matvec(self, x: np.ndarray) -> Any:
        self.count += 1
        y = self.H @ x
        return self.how(y) if self.count == self.at else y


def _poison(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def poison(y: np.ndarray) -> np.ndarray:
        y[y.size // 2] = value
        return y

    return poison


def _raise(error: BaseException) -> Callable[[np.ndarray], Any]:
    def fail(y: np.ndarray) -> Any:
        raise error

    return fail


def _large() -> tuple[np.ndarray, np.ndarray]:
    H, g, _ = rotated(np.linspace(-1, 30, 60), np.ones(60), np.random.default_rng(8))
    return H, g


ITERATIVE = ["krylov", "steihaug", "sphere-descent"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [1, 2, 3, 6])
@pytest.mark.parametrize("method", ITERATIVE)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_bad_product_is_named_with_its_iteration(method: str, at: int, value: float) -> None:
    H, g = _large()
    options: Any = {"certify": "none"} if method == "krylov" else {}
    with pytest.raises(NonFiniteError, match=rf"(?i)\b{at}\b"):
        solve_trs(Broken(H, at, _poison(value)), g, 1.0, method=method, **options)


@pytest.mark.parametrize("at", [1, 2, 3, 8])
@pytest.mark.parametrize("method", ITERATIVE)
def test_error_of_a_product_arrives_unchanged(method: str, at: int) -> None:
    H, g = _large()

    class OurError(Exception):
        pass

    error = OurError("mine")
    with pytest.raises(OurError) as caught:
        solve_trs(Broken(H, at, _raise(error)), g, 1.0, method=method)
    assert caught.value is error


@pytest.mark.parametrize("certify", ["none", "probabilistic", "exact"])
@pytest.mark.parametrize("at", [3, 4, 10, 25])
def test_subproblem_survives_an_interrupt(at: int, certify: Any) -> None:
    H, g = _large()
    broken = Broken(H, at, _raise(KeyboardInterrupt()))
    problem = Subproblem(broken, g, method="krylov", certify=certify)
    try:
        problem.trust_region(1.0)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    assert interrupted or broken.count < at
    again = problem.trust_region(1.0)
    fresh = solve_trs(Product(H), g, 1.0, method="krylov", certify=certify)
    assert again.status is fresh.status
    assert again.model_decrease == pytest.approx(fresh.model_decrease, rel=2e-8)


def test_interrupt_at_any_line_leaves_the_subproblem_usable() -> None:
    """Ctrl-C comes between any two lines, not in products alone."""
    import sys

    H, g, _ = rotated(np.linspace(-1, 3, 12), np.ones(12), np.random.default_rng(8))
    expected = solve_trs(Product(H), g, 1.0, method="krylov", certify="none").model_decrease

    def lines_until(limit: int) -> Any:
        seen = 0

        def local(frame: Any, event: str, argument: Any) -> Any:
            nonlocal seen
            if event == "line":
                seen += 1
                if seen == limit:
                    sys.settrace(None)
                    raise KeyboardInterrupt
            return local

        def trace(frame: Any, event: str, argument: Any) -> Any:
            name = frame.f_code.co_filename.replace("\\", "/")
            return local if "/tralgos/subproblems/" in name else None

        return trace

    before = sys.gettrace()
    for limit in range(5, 2000, 37):
        problem = Subproblem(Product(H), g, method="krylov", certify="none")
        try:
            sys.settrace(lines_until(limit))
            problem.trust_region(1.0)
            break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        again = problem.trust_region(1.0)
        assert again.model_decrease == pytest.approx(expected, rel=2e-8), limit
        assert again.certificate.stationarity < 1e-2


def test_unknown_method_lists_the_known() -> None:
    known = "'auto', 'direct', 'krylov', 'steihaug', 'sphere-descent'"
    for solve in (solve_trs, solve_cubic):
        with pytest.raises(ArgumentError, match=f"method 'newton'; known are {known}"):
            solve(np.eye(2), np.ones(2), 1.0, method="newton")
    with pytest.raises(ArgumentError, match="certify 'maybe'; known are"):
        solve_trs(np.eye(2), np.ones(2), 1.0, certify="maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, 10**400])
def test_radius_and_sigma_are_positive_and_finite(bad: float) -> None:
    with pytest.raises(ArgumentError, match="radius"):
        solve_trs(np.eye(2), np.ones(2), bad)
    with pytest.raises(ArgumentError, match="sigma"):
        solve_cubic(np.eye(2), np.ones(2), bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("rtol", 0.0),
        ("rtol", 1.0),
        ("rtol", -1e-3),
        ("failure_probability", 0.0),
        ("failure_probability", 1.0),
        ("max_matvec", 0),
        ("memory", 0),
        ("rng", -1),
        ("callback", 3),
    ],
)
def test_option_out_of_range_is_named(name: str, bad: Any) -> None:
    with pytest.raises(ArgumentError, match=name):
        solve_trs(np.eye(2), np.ones(2), 1.0, **{name: bad})


@pytest.mark.parametrize("method", [Steihaug(), SphereDescent()])
def test_descent_methods_refuse_the_cubic(method: Any) -> None:
    with pytest.raises(ArgumentError, match="trust-region subproblems"):
        solve_cubic(np.eye(2), np.ones(2), 1.0, method=method)


@pytest.mark.parametrize("method", ALL)
def test_integers_are_promoted(method: str) -> None:
    result = solve_trs(np.array([[2, 1], [1, 3]]), np.array([1, 2]), 0.1, method=method)
    assert result.step.dtype == np.float64
    H, g = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
    np.testing.assert_array_equal(result.step, solve_trs(H, g, 0.1, method=method).step)


@pytest.mark.parametrize("method", ALL)
def test_arrays_of_the_caller_are_not_written_to(method: str) -> None:
    H, g, _ = rotated(np.linspace(-1, 3, 10), np.ones(10), np.random.default_rng(6))
    d = np.linspace(1.0, 2.0, 10)
    copies = H.copy(), g.copy(), d.copy()
    for array in (H, g, d):
        array.flags.writeable = False
    result = solve_trs(H, g, 1.0, norm=DiagonalNorm(d), method=method)
    solve_trs(H.T, g, 1.0, method=method)
    for array, copy in zip((H, g, d), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not np.shares_memory(result.step, g)
    if method in ("auto", *EXACT):
        assert not np.shares_memory(solve_trs(H, 0 * g, 1.0, method=method).step, g)


def test_sparse_arrays_of_the_caller_are_not_written_to() -> None:
    H = scipy.sparse.csr_array(np.diag(np.linspace(-1, 3, 10)))
    data, indices = H.data.copy(), H.indices.copy()
    solve_trs(H, np.ones(10), 1.0, method="krylov")
    np.testing.assert_array_equal(H.data, data)
    np.testing.assert_array_equal(H.indices, indices)


@pytest.mark.parametrize("method", ["direct", "krylov", "steihaug", "sphere-descent"])
@pytest.mark.parametrize(
    ("size", "slope", "radius"),
    [(1e150, 1e-150, 1.0), (1e-150, 1e150, 1.0), (1.0, 1.0, 1e200), (1.0, 1.0, 1e-200)],
)
def test_scales_too_far_apart_are_refused_by_name(
    method: str, size: float, slope: float, radius: float
) -> None:
    """Squares of such lengths overflow: no answer, and no endless loop, may come of it."""
    H, g = size * np.diag(np.linspace(-3.0, 5.0, 30)), slope * np.ones(30)
    with pytest.raises(ArgumentError, match=r"radius=.* is too extreme"):
        solve_trs(H, g, radius, method=method)
