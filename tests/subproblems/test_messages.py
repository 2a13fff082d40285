"""What a result says of itself: the reason of an early end, flags of the trivial problems."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.oracle import rotated
from tests.subproblems.support import Product
from tralgos import SphereDescent, Status, Steihaug, Subproblem, solve_cubic, solve_trs
from tralgos.norms import MatrixNorm

N = 20


def problem(low: float) -> tuple[np.ndarray, np.ndarray]:
    H, g, _ = rotated(np.linspace(low, 5, N), np.ones(N), np.random.default_rng(4))
    return H, g


@pytest.mark.parametrize(
    ("low", "radius", "method", "words"),
    [
        (-1.0, 100.0, "steihaug", "negative curvature was met"),
        (0.5, 0.1, "steihaug", "the boundary was met"),
        (0.5, 100.0, Steihaug(maxiter=2), "stopped after 2 iterations"),
        (-1.0, 1.0, SphereDescent(maxiter=3), "stopped after 3 iterations"),
        (-1.0, 1.0, SphereDescent(variant="printed", N1=2, N2=4), "the printed form ended with"),
    ],
    ids=str,
)
def test_results_say_why_a_method_ended(
    low: float, radius: float, method: object, words: str
) -> None:
    H, g = problem(low)
    result = solve_trs(H, g, radius, method=method, certify="none")
    assert words in result.message
    assert result.message.startswith(result.status.value)


def test_a_method_with_nothing_to_say_adds_nothing() -> None:
    H, g = problem(0.5)
    printed = SphereDescent(variant="printed", N1=600, N2=900)
    for method in ("direct", "krylov", "sphere-descent", Steihaug(rtol=1e-12), printed):
        for radius in (1.0, 100.0) if method != Steihaug(rtol=1e-12) else (100.0,):
            result = solve_trs(H, g, radius, method=method)
            assert ";" not in result.message.removeprefix(result.status.value)
            assert result.status in (Status.GLOBAL, Status.ROUNDING)


@pytest.mark.parametrize("method", ["direct", "krylov"])
@pytest.mark.parametrize("solve", [solve_trs, solve_cubic])
def test_nothing_to_do(method: str, solve: object) -> None:
    """H = 0 and g = 0: every step is a minimiser, zero is returned, and nothing is hard."""
    result = solve(np.zeros((3, 3)), np.zeros(3), 2.0, method=method)  # type: ignore[operator]
    np.testing.assert_array_equal(result.step, 0.0)
    assert not result.hard_case
    assert not result.on_boundary
    assert result.multiplier == result.model_decrease == 0.0
    assert result.certificate.relative_gap == result.certificate.stationarity == 0.0


def cauchy_decrease(H: np.ndarray, g: np.ndarray, radius: float) -> float:
    u = g / np.linalg.norm(g)
    kappa, slope = u @ H @ u, np.linalg.norm(g)
    t = radius if kappa <= 0 else min(radius, slope / kappa)
    return float(slope * t - 0.5 * kappa * t * t)


@pytest.mark.parametrize("low", [-1.0, 0.5])
@pytest.mark.parametrize("radius", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("method", ["krylov", "steihaug"])
def test_two_products_give_the_cauchy_point(low: float, radius: float, method: str) -> None:
    """One for the direction and one to measure the step: no less than that is promised."""
    H, g = problem(low)
    result = Subproblem(H, g, method=method, certify="none", max_matvec=2).trust_region(radius)
    assert result.matvecs <= 2
    assert result.model_decrease >= cauchy_decrease(H, g, radius) * (1.0 - 1e-12)
    assert np.linalg.norm(result.step) <= radius * (1.0 + 1e-12)


@pytest.mark.parametrize("method", ["krylov", "steihaug", "sphere-descent"])
@pytest.mark.parametrize("certify", ["none", "probabilistic"])
def test_a_spent_budget_is_the_status_and_not_a_certificate(method: str, certify: str) -> None:
    H, g = problem(0.5)
    result = solve_trs(Product(H), g, 100.0, method=method, max_matvec=5, certify=certify)
    assert result.status is Status.BUDGET
    assert result.matvecs == 5
    s = result.step
    q = -(g @ s + 0.5 * s @ H @ s)
    assert result.model_decrease == pytest.approx(max(q, 0.0), rel=1e-10)
    assert result.certificate.evidence == "none"
    assert math.isinf(result.certificate.gap)
    assert result.certificate.failure_probability == 1.0
    assert result.certificate.curvature == -math.inf


def test_conjugate_gradients_stop_after_twice_the_order() -> None:
    """Where rounding keeps the tolerance out of reach, 2n iterations are made and no more."""
    H = np.diag(np.geomspace(1e-12, 1.0, N))
    seen: list[object] = []
    result = solve_trs(
        H, np.ones(N), 1e15, method=Steihaug(rtol=1e-15), certify="none", callback=seen.append
    )
    assert f"stopped after {2 * N} iterations" in result.message
    assert len(seen) == 2 * N + 1


@pytest.mark.parametrize(
    ("dtype", "words"), [(np.float64, "tolerance 1.0e-08"), (np.float32, "tolerance 1.2e-04")]
)
def test_the_tolerance_goes_with_the_precision(dtype: type, words: str) -> None:
    """1e-8 in float64, a thousand roundings in float32, unless one is given."""
    H, g = problem(0.5)
    for method in ("direct", "krylov"):
        result = solve_trs(H.astype(dtype), g.astype(dtype), 1.0, method=method)
        assert words in result.message
        given = solve_trs(H.astype(dtype), g.astype(dtype), 1.0, method=method, rtol=0.25)
        assert "tolerance 2.5e-01" in given.message


def test_every_status_is_a_sentence() -> None:
    for status in Status:
        assert isinstance(status.value, str)
        assert len(status.value.split()) > 5
    assert len({status.value for status in Status}) == 5


@pytest.mark.parametrize("budget", [4, 5, 6, 7, 10, 13, 14])
@pytest.mark.parametrize("certify", ["none", "probabilistic"])
@pytest.mark.parametrize("rtol", [1e-13, 1e-2])
def test_a_space_that_is_not_stored_is_not_extended_beyond_the_budget(
    budget: int, certify: str, rtol: float
) -> None:
    """Vectors that do not fit are made again, a product each: a call has to leave them enough.

    Else it ends with s = 0, as it once did; nor may the evidence take them.
    """
    H, _, _ = rotated(np.geomspace(1e-3, 1.0, 60), np.ones(60), np.random.default_rng(1))
    g = np.random.default_rng(2).standard_normal(60)
    problem = Subproblem(
        Product(H), g, method="krylov", certify=certify, rtol=rtol, memory=1, max_matvec=budget
    )
    for radius in (1e4, 10.0, 1e4, 20.0, 3.0, 1e4, 1e4):
        result = problem.trust_region(radius)
        assert result.matvecs <= budget
        assert result.model_decrease >= cauchy_decrease(H, g, radius) * (1.0 - 1e-10)


def test_a_step_is_on_the_boundary_of_an_ill_conditioned_ball() -> None:
    """Its norm rounds to less than the radius by more than a few units of the last place."""
    norm = MatrixNorm(np.array([[1.0, 1.0], [1.0, 1.001]]))
    gradient = np.array([1.0, 0.5])
    for method in ("direct", "krylov"):
        result = solve_trs(np.diag([-1.0, 1.0]), gradient, 0.7, norm=norm, method=method)
        assert result.multiplier > 40.0
        assert result.on_boundary
