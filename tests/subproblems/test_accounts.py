"""Products are counted call by call, options reach the solver, and `auto` keeps to its limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.namespaces import Xp
from tests.oracle import rotated
from tests.subproblems.support import Product
from tralgos import SphereDescent, Status, Subproblem, curvature_bound, solve_cubic, solve_trs
from tralgos.norms import DiagonalNorm, MatrixNorm
from tralgos.operators import CountingOperator, DiagonalOperator
from tralgos.subproblems.certificate import candidate_radius
from tralgos.subproblems.tridiagonal import CubicTarget, RadiusTarget

N = 24


def problem(low: float = -1.0) -> tuple[np.ndarray, np.ndarray]:
    H, g, _ = rotated(np.linspace(low, 5, N), np.ones(N), np.random.default_rng(4))
    return H, g


@pytest.mark.parametrize("method", ["auto", "direct", "krylov", "steihaug", "sphere-descent"])
@pytest.mark.parametrize("certify", ["exact", "probabilistic", "none"])
def test_the_products_of_all_calls_are_those_that_were_made(method: Any, certify: Any) -> None:
    H, g = problem()
    counting = CountingOperator(Product(H))
    model = Subproblem(counting, g, method=method, certify=certify)
    # What the checks of the data have cost goes to the first call.
    results = [model.trust_region(radius) for radius in (1.0, 0.1, 1.0, 5.0)]
    assert sum(r.matvecs for r in results) == counting.count
    for result in results:
        assert 0 <= result.certificate.matvecs < result.matvecs
    if method in ("auto", "direct") and certify == "exact":
        # Multiplied out once; each step is measured with a product of its own.
        assert [r.matvecs for r in results[1:]] == [1, 1, 1]


@pytest.mark.parametrize("method", ["auto", "krylov"])
def test_an_operator_is_multiplied_out_up_to_the_order_of_500(method: Any) -> None:
    for n, kind in ((500, "exact"), (501, "probabilistic")):
        e = np.linspace(1.0, 2.0, n)
        operator = Product(np.diag(e))
        assert solve_trs(operator, np.ones(n), 1.0, method=method).certificate.evidence == kind


def test_a_matrix_is_exact_beyond_that_order() -> None:
    H = np.diag(np.linspace(-1.0, 2.0, 501))
    result = solve_trs(H, np.ones(501), 1.0, method="krylov")
    assert result.certificate.evidence == "exact"
    assert result.certificate.failure_probability == 0.0


@pytest.mark.parametrize("solve", [solve_trs, solve_cubic])
def test_the_seed_reaches_the_evidence(solve: Any) -> None:
    H, g = problem()
    options: dict[str, Any] = {"method": "krylov", "certify": "probabilistic"}
    same = [solve(Product(H), g, 1.0, rng=7, **options).certificate for _ in range(2)]
    other = solve(Product(H), g, 1.0, rng=8, **options).certificate
    assert same[0] == same[1]
    assert other.curvature != same[0].curvature


@pytest.mark.parametrize("method", ["direct", "krylov"])
def test_a_step_on_the_boundary_has_the_length_of_the_radius(method: Any) -> None:
    """As the norm computes it: never above, and below by no more than a few roundings."""
    rng = np.random.default_rng(3)
    H, g, _ = rotated(np.linspace(-1.0, 5.0, 200), np.ones(200), rng)
    norm = DiagonalNorm(rng.uniform(0.5, 2.0, 200))
    for radius in (0.01, 0.3, 0.7, 3.0, 7.0, 11.0):
        result = solve_trs(H, g, radius, norm=norm, method=method)
        assert result.on_boundary
        assert radius * (1.0 - 4 * 2.0**-52) <= norm.norm(result.step) <= radius
        assert result.certificate.feasibility == 0.0


@pytest.mark.parametrize("method", ["steihaug", "sphere-descent", "krylov", "direct"])
def test_no_gradient_and_nothing_below_has_no_multiplier(method: Any) -> None:
    H, _ = problem(0.5)
    result = solve_trs(H, np.zeros(N), 2.0, method=method)
    assert result.multiplier == 0.0
    assert result.model_decrease == 0.0
    np.testing.assert_array_equal(result.step, 0.0)


def test_results_are_shown_without_their_vectors() -> None:
    H, g = problem()
    shown = repr(solve_trs(H, g, 1.0))
    assert "model_decrease=" in shown
    assert "step=" not in shown
    assert "array(" not in shown


@pytest.mark.parametrize("n", [7, 2100])
@pytest.mark.parametrize("scale", [0.0, 1.0, -1.0])
def test_a_space_that_ends_at_its_first_vector(n: int, scale: float) -> None:
    """H = c I: the residual of the first vector is zero to the last bit, in any length."""
    g = np.zeros(n)
    g[0] = 4.0
    for norm in (None, MatrixNorm(np.eye(7)) if n == 7 else None):
        result = solve_trs(
            DiagonalOperator(np.full(n, scale)), g, 2.0, norm=norm, method="krylov", certify="none"
        )
        expected = np.zeros(n)
        expected[0] = -2.0
        np.testing.assert_allclose(result.step, expected, rtol=1e-14)
        assert result.multiplier == pytest.approx(2.0 - scale, rel=1e-14)


@pytest.mark.parametrize("certify", ["none", "probabilistic"])
def test_a_budget_of_one_product_proves_nothing_and_says_so(certify: Any) -> None:
    H, g = problem()
    result = solve_trs(H, g, 1.0, method="krylov", certify=certify, max_matvec=1)
    np.testing.assert_array_equal(result.step, 0.0)
    assert result.status is Status.BUDGET
    assert result.certificate.curvature == -np.inf
    assert result.certificate.gap == result.certificate.relative_gap == np.inf
    assert result.certificate.stationarity == pytest.approx(1.0, rel=1e-14)


def test_what_a_method_promises_without_evidence() -> None:
    """The exact ones meant the minimum, and the status says that only the evidence is missing."""
    H, g = problem()
    for method in ("auto", "direct", "krylov"):
        for solve in (solve_trs, solve_cubic):
            result = solve(H, g, 1.0, method=method, certify="none")
            assert result.status is Status.UNCERTIFIED
            assert result.certificate.evidence == "none"
    result = solve_trs(H, g, 1.0, method="steihaug", certify="none")
    assert result.status is Status.APPROXIMATE


@pytest.mark.parametrize("b", [0.0, 0.3, 10.0])
@pytest.mark.parametrize("sigma", [1e-3, 1.0, 50.0])
def test_the_radius_of_the_cubic_is_the_root_of_its_quadratic(b: float, sigma: float) -> None:
    """sigma R^2 / 3 = gamma + b R with b = max(0, lambda - mu) / 2."""
    for gamma in (1e-6, 0.5, 30.0):
        R = candidate_radius(CubicTarget(sigma), gamma, 2.0 * b, 0.0)
        assert sigma * R * R / 3.0 == pytest.approx(gamma + b * R, rel=1e-13)
        assert candidate_radius(CubicTarget(sigma), gamma, 1.0, 1.0 + b) == pytest.approx(
            np.sqrt(3.0 * gamma / sigma), rel=1e-13
        )
    assert candidate_radius(RadiusTarget(7.0), 1.0, b, 0.0) == 7.0


def test_an_operator_that_shows_its_library_needs_no_like(xp_case: Xp) -> None:
    H = DiagonalOperator(xp_case.array([3.0, -2.0, 1.0, 5.0]))
    bound = curvature_bound(H)
    assert xp_case.owns(bound.vector)
    assert bound.value == pytest.approx(-2.0, rel=100 * xp_case.eps)


def test_the_printed_descent_out_of_budget_claims_no_multiplier() -> None:
    H, g = problem()
    method = SphereDescent(variant="printed", step=0.01)
    result = solve_trs(Product(H), g, 1.0, method=method, max_matvec=6, certify="none")
    assert result.multiplier == 0.0
    assert "budget" in result.message
    assert result.matvecs <= 6
