"""One space for many radii and sigmas; budgets, memory, callbacks, seeds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.oracle import rotated
from tests.subproblems.support import EPS, Product, laplacian
from tralgos import (
    InnerIterate,
    Status,
    Subproblem,
    SubproblemResult,
    curvature_bound,
    solve_cubic,
    solve_trs,
)
from tralgos.errors import ArgumentError
from tralgos.norms import DiagonalNorm, EuclideanNorm
from tralgos.operators import CountingOperator

GOOD = (Status.GLOBAL, Status.ROUNDING)


@pytest.fixture(scope="module")
def grid() -> tuple[Any, np.ndarray]:
    """A Laplacian on 100 x 100 points less a shift, and a random gradient."""
    import scipy.sparse

    H = scipy.sparse.csr_array(laplacian(100) - 0.05 * scipy.sparse.eye_array(10_000))
    return H, np.random.default_rng(0).standard_normal(10_000) / 100.0


RADII = [0.1, 3.0, 10.0, 1.0, 5.0, 10.0, 0.3, 8.0, 2.0, 0.01, 7.0]


def _agree(a: SubproblemResult, b: SubproblemResult) -> None:
    assert a.status in GOOD
    assert b.status in GOOD
    assert a.model_decrease == pytest.approx(b.model_decrease, rel=2e-8)
    assert a.on_boundary == b.on_boundary
    assert a.multiplier == pytest.approx(b.multiplier, rel=1e-3)


def test_many_radii_cost_little_more_than_the_hardest(grid: Any) -> None:
    H, g = grid
    counting = CountingOperator(H)
    hardest = max(solve_trs(H, g, r).matvecs for r in (10.0, 8.0))
    problem = Subproblem(H, g)
    total = 0
    for radius in RADII:
        result = problem.trust_region(radius)
        total += result.matvecs
        assert result.certificate.evidence == "exact"
        _agree(result, solve_trs(H, g, radius))
    assert total <= 1.05 * hardest + len(RADII)
    assert counting.count == 0


def test_many_sigmas_beside_radii(grid: Any) -> None:
    H, g = grid
    problem = Subproblem(H, g)
    problem.trust_region(10.0)
    for sigma in (1.0, 0.01, 0.1, 10.0):
        result = problem.cubic(sigma)
        _agree(result, solve_cubic(H, g, sigma))
        # The space of the largest radius suffices but for the hardest of them.
        assert sigma < 0.1 or result.matvecs <= 2


@pytest.mark.parametrize("certify", ["none", "exact", "probabilistic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_reuse_of_an_operator(certify: Any, weighted: bool) -> None:
    H, g, _ = rotated(np.linspace(-1, 20, 120), np.ones(120), np.random.default_rng(1))
    norm = DiagonalNorm(np.linspace(0.5, 2.0, 120)) if weighted else EuclideanNorm()
    options: Any = {"norm": norm, "method": "krylov", "certify": certify}
    counting = CountingOperator(Product(H))
    problem = Subproblem(counting, g, **options)
    total, hardest = 0, 0
    for radius in (0.5, 30.0, 2.0, 0.1, 30.0):
        before = counting.count if total else 0
        result = problem.trust_region(radius)
        assert counting.count - before == result.matvecs
        total += result.matvecs
        fresh = solve_trs(Product(H), g, radius, **options)
        hardest = max(hardest, fresh.matvecs)
        assert result.model_decrease == pytest.approx(fresh.model_decrease, rel=2e-8)
        assert norm.norm(result.step) <= radius
    assert total <= 1.05 * hardest + 5
    assert total == counting.count


def test_repeated_question_costs_one_product() -> None:
    H, g, _ = rotated(np.linspace(-1, 20, 120), np.ones(120), np.random.default_rng(1))
    problem = Subproblem(Product(H), g, method="krylov")
    first = problem.trust_region(3.0)
    second = problem.trust_region(3.0)
    assert second.matvecs == 1
    assert second.certificate.matvecs == 0
    np.testing.assert_array_equal(second.step, first.step)
    direct = Subproblem(H, g)
    assert direct.trust_region(3.0).matvecs == 1


# ------------------------------------------------------------------ memory


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stored", [1, 2, 3, 17])
def test_vectors_that_are_not_stored_are_made_again(stored: int, weighted: bool) -> None:
    """Without projections in either run the second pass gives the same step, at their products."""
    n, radius = 3000, 30.0
    e = np.concatenate([[-1.0], np.linspace(0.5, 4.0, n - 1)])
    g = np.random.default_rng(2).standard_normal(n)
    norm = DiagonalNorm(np.linspace(0.5, 2.0, n)) if weighted else EuclideanNorm()
    H = CountingOperator(Product(_Diagonal(e)))
    options: Any = {"norm": norm, "method": "krylov", "certify": "none", "rtol": 1e-6}
    full = solve_trs(H, g, radius, **options)
    seen = H.count
    short = solve_trs(H, g, radius, memory=8 * n * stored, **options)
    assert H.count - seen == short.matvecs
    # Two for the check of symmetry, one of which is the first of the space, and one to measure.
    order = full.matvecs - 2
    assert short.matvecs - full.matvecs == max(order - max(stored, 2), 0)
    assert norm.norm(short.step - full.step) <= 1e-12 * radius
    assert short.model_decrease == pytest.approx(full.model_decrease, rel=1e-12)


def test_cost_of_exact_evidence_is_counted() -> None:
    H, g, _ = rotated(np.linspace(-1, 20, 30), np.ones(30), np.random.default_rng(1))
    for method in ("krylov", "steihaug"):
        problem = Subproblem(Product(H), g, method=method)
        assert problem.trust_region(1.0).certificate.matvecs == 30
        assert problem.trust_region(1.0).certificate.matvecs == 0


class _Diagonal:
    def __init__(self, e: np.ndarray) -> None:
        self.e, self.shape = e, (e.size, e.size)

    def __matmul__(self, x: np.ndarray) -> np.ndarray:
        return self.e * x


# ------------------------------------------------------------------ budgets

METHODS = ["auto", "krylov", "steihaug", "sphere-descent"]


@pytest.mark.parametrize("certify", ["auto", "none", "probabilistic", "exact"])
@pytest.mark.parametrize("method", METHODS)
def test_budget_is_never_exceeded(method: str, certify: Any) -> None:
    H, g, _ = rotated(np.linspace(-1, 50, 80), np.ones(80), np.random.default_rng(3))
    needed = solve_trs(Product(H), g, 1.0, method=method, certify=certify).matvecs
    for budget in [*range(1, 30), 79, 80, 81, 82, 83, 84, needed - 1, needed]:
        counting = CountingOperator(Product(H))
        try:
            result = solve_trs(counting, g, 1.0, method=method, certify=certify, max_matvec=budget)
        except ArgumentError:
            # Two products check that H is symmetric, and exact evidence multiplies it out.
            # (Of a product the certificate could have done without, one is kept back.)
            assert budget <= (needed if certify == "exact" else 1)
            assert counting.count <= budget
            continue
        assert counting.count == result.matvecs
        assert counting.count <= budget
        assert np.linalg.norm(result.step) <= 1.0 + 4 * EPS
        assert np.isfinite(result.step).all()
        if method in ("auto", "krylov") and budget < min(needed, 20):
            assert result.status is Status.BUDGET
            assert result.certificate.gap > 1e-8 * result.model_decrease


def test_budget_of_each_call_is_its_own() -> None:
    H, g, _ = rotated(np.linspace(-1, 50, 80), np.ones(80), np.random.default_rng(3))
    counting = CountingOperator(Product(H))
    problem = Subproblem(counting, g, method="krylov", certify="none", max_matvec=12)
    statuses = []
    for _ in range(12):
        before = counting.count if statuses else 0
        result = problem.trust_region(1.0)
        assert counting.count - before == result.matvecs <= 12
        statuses.append(result.status)
    assert statuses[0] is Status.BUDGET
    # The space is kept, so that the rest of the work is done in the end.
    assert statuses[-1] is Status.UNCERTIFIED


def test_budget_gives_a_better_step_the_larger_it_is() -> None:
    H, g, _ = rotated(np.linspace(-1, 50, 80), np.ones(80), np.random.default_rng(3))
    decreases = [
        solve_trs(
            Product(H), g, 1.0, method="krylov", certify="none", max_matvec=budget
        ).model_decrease
        for budget in (4, 8, 12, 20)
    ]
    assert decreases == sorted(decreases)
    assert decreases[0] > 0.0


def test_budget_of_a_curvature_bound() -> None:
    H, _, _ = rotated(np.linspace(-1, 50, 80), np.ones(80), np.random.default_rng(3))
    for budget in (4, 10, 40):
        counting = CountingOperator(Product(H))
        bound = curvature_bound(counting, certify="probabilistic", max_matvec=budget)
        assert counting.count == bound.matvecs <= budget
        assert bound.lower <= -1.0 <= bound.value + 1e-12
    for budget in (1, 2, 40):
        counting = CountingOperator(Product(H))
        with pytest.raises(ArgumentError, match="max_matvec"):
            curvature_bound(counting, certify="exact", max_matvec=budget)
        assert counting.count <= budget


@pytest.mark.parametrize("method", ["direct", "krylov"])
def test_budget_too_small_to_multiply_out(method: str) -> None:
    H, g, _ = rotated(np.linspace(-1, 50, 80), np.ones(80), np.random.default_rng(3))
    counting = CountingOperator(Product(H))
    problem = Subproblem(counting, g, method=method, certify="exact", max_matvec=60)
    with pytest.raises(ArgumentError, match="max_matvec"):
        problem.trust_region(1.0)
    assert counting.count <= 60


# ------------------------------------------------------------------ callbacks and seeds


@pytest.mark.parametrize("method", ["krylov", "steihaug", "sphere-descent"])
@pytest.mark.parametrize("unit", [1.0, 1e150])
def test_callback_sees_iterates_in_the_callers_units(method: str, unit: float) -> None:
    H, g, _ = rotated(np.linspace(-1, 5, 30), np.ones(30), np.random.default_rng(4))
    seen: list[InnerIterate] = []
    result = solve_trs(H * unit, g * unit, 1.0, method=method, callback=seen.append)
    plain = solve_trs(H * unit, g * unit, 1.0, method=method)
    assert len(seen) >= 2
    assert [i.iteration for i in seen] == sorted({i.iteration for i in seen})
    for iterate in seen:
        s = iterate.step
        q = g @ s + 0.5 * s @ H @ s
        assert iterate.value / unit == pytest.approx(q, rel=1e-9, abs=1e-12)
        assert iterate.relative_norm == pytest.approx(np.linalg.norm(s), rel=1e-9)
        residual = np.linalg.norm(H @ s + iterate.multiplier / unit * s + g)
        assert iterate.residual / unit == pytest.approx(residual, rel=1e-6, abs=1e-9)
        assert iterate.relative_norm <= 1.0 + 1e-9
        assert iterate.phase in ("interior", "boundary")
        assert iterate.matvecs <= result.matvecs
    values = [i.value for i in seen]
    assert all(b <= a + 1e-9 * abs(a) for a, b in pairwise(values))
    assert result.model_decrease == pytest.approx(plain.model_decrease, rel=1e-7)


def test_callback_of_the_cubic() -> None:
    H, g, _ = rotated(np.linspace(-1, 5, 30), np.ones(30), np.random.default_rng(4))
    seen: list[InnerIterate] = []
    result = solve_cubic(H, g, 2.0, method="krylov", callback=seen.append)
    s = seen[-1].step
    q = g @ s + 0.5 * s @ H @ s + 2.0 / 3.0 * np.linalg.norm(s) ** 3
    assert seen[-1].value == pytest.approx(q, rel=1e-9)
    assert -seen[-1].value == pytest.approx(result.model_decrease, rel=1e-6)


def test_error_of_a_callback_arrives_and_the_subproblem_goes_on() -> None:
    H, g, _ = rotated(np.linspace(-1, 5, 30), np.ones(30), np.random.default_rng(4))
    calls = 0

    def stop(iterate: InnerIterate) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    problem = Subproblem(Product(H), g, method="krylov", callback=stop)
    with pytest.raises(KeyboardInterrupt):
        problem.trust_region(1.0)
    assert problem.trust_region(1.0).status is Status.GLOBAL


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [None, 7])
def test_same_seed_same_figures(method: str, seed: int | None) -> None:
    H, g, _ = rotated(np.linspace(-1, 5, 30), np.ones(30), np.random.default_rng(4))
    options: Any = {"method": method, "certify": "probabilistic", "rng": seed}
    one = solve_trs(Product(H), g, 1.0, **options)
    two = solve_trs(Product(H), g, 1.0, **options)
    np.testing.assert_array_equal(one.step, two.step)
    assert one.certificate == two.certificate
    assert one.matvecs == two.matvecs
    if seed is not None:
        generator: Any = {**options, "rng": np.random.default_rng(seed)}
        three = solve_trs(Product(H), g, 1.0, **generator)
        np.testing.assert_array_equal(one.step, three.step)
        other = curvature_bound(Product(H), certify="probabilistic", rng=8)
        same = curvature_bound(Product(H), certify="probabilistic", rng=7)
        assert other.lower != same.lower


def test_global_generator_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    solve_trs(Product(np.diag([-1.0, 2.0, 3.0])), np.ones(3), 1.0, certify="probabilistic")
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
