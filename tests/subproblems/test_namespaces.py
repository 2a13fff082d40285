"""Every array library, device and dtype; and how often a value reaches the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.namespaces import FetchCounter, Xp
from tests.oracle import exact_cubic, exact_trs, rotated
from tralgos import Status, Subproblem, curvature_bound, solve_cubic, solve_trs
from tralgos.errors import ArrayTypeError
from tralgos.norms import DiagonalNorm, EuclideanNorm, LowRankNorm, MatrixNorm, Norm
from tralgos.operators import DiagonalOperator, WrappedOperator

E = np.linspace(-2.0, 4.0, 12)
C = np.concatenate([np.zeros(1), np.full(5, 0.3), np.ones(6)])


class Mine:
    """An operator of the caller's own."""

    def __init__(self, A: Any) -> None:
        self.A, self.shape = A, A.shape
        self.seen: list[Any] = []

    def matvec(self, x: Any) -> Any:
        self.seen.append(x)
        return self.A @ x


NORMS: dict[str, Callable[[Xp, np.ndarray], Norm]] = {
    "euclidean": lambda xp, d: EuclideanNorm(),
    "diagonal": lambda xp, d: DiagonalNorm(xp.array(d)),
    "matrix": lambda xp, d: MatrixNorm(xp.array(np.diag(d))),
    "low-rank": lambda xp, d: LowRankNorm(xp.array(np.eye(d.size)), xp.array(d - 0.125), 0.125),
}


@pytest.mark.parametrize("method", ["direct", "krylov", "operator", "probabilistic"])
@pytest.mark.parametrize("kind", NORMS)
def test_both_problems_stay_where_they_are(xp_case: Xp, kind: str, method: str) -> None:
    d = np.ones(12) if kind == "euclidean" else 4.0 ** (np.arange(12) % 3 - 1)
    H, g, _ = rotated(E, C, np.random.default_rng(0))
    root = np.sqrt(d)
    A, b = xp_case.array(root[:, None] * H * root), xp_case.array(root * g)
    operator = Mine(A)
    given: Any = operator if method in ("operator", "probabilistic") else A
    options: Any = {"method": "krylov" if method != "direct" else "direct"}
    if method == "probabilistic":
        options["certify"] = "probabilistic"
    norm = NORMS[kind](xp_case, d)
    tolerance = 1e-3 if xp_case.eps > 1e-8 else 3e-8
    for solve, exact, parameter in (
        (solve_trs, exact_trs, 1.0),
        (solve_cubic, exact_cubic, 2.0),
    ):
        result = solve(given, b, parameter, norm=norm, **options)
        assert xp_case.owns(result.step)
        best = float(exact(E, C, parameter).value)
        assert result.model_decrease == pytest.approx(-best, rel=tolerance)
        assert type(result.multiplier) is float
        assert type(result.model_decrease) is float
        assert type(result.certificate.gap) is float
        if method != "probabilistic":
            assert result.status in (Status.GLOBAL, Status.ROUNDING)
    assert all(xp_case.owns(x) for x in operator.seen)


@pytest.mark.parametrize("method", ["direct", "krylov"])
def test_same_answer_in_every_library(xp_case: Xp, method: str) -> None:
    H, g, _ = rotated(E, C, np.random.default_rng(1))
    result = solve_trs(xp_case.array(H), xp_case.array(g), 3.0, method=method)
    reference = solve_trs(H, g, 3.0, method=method)
    tolerance = 1e-4 if xp_case.eps > 1e-8 else 1e-8
    assert result.model_decrease == pytest.approx(reference.model_decrease, rel=tolerance)
    assert result.multiplier == pytest.approx(reference.multiplier, rel=20 * tolerance)
    assert result.on_boundary == reference.on_boundary


@pytest.mark.parametrize("memory", [None, 1])
def test_second_pass_and_reuse(xp_case: Xp, memory: int | None) -> None:
    H, g, _ = rotated(E + 2.5, C + 0.1, np.random.default_rng(1))
    operator = Mine(xp_case.array(H))
    problem = Subproblem(
        operator, xp_case.array(g), method="krylov", certify="none", memory=memory, rtol=1e-3
    )
    for radius in (0.1, 1.0, 0.5):
        result = problem.trust_region(radius)
        assert xp_case.owns(result.step)
        reference = solve_trs(H, g, radius)
        assert result.model_decrease == pytest.approx(reference.model_decrease, rel=2e-3)


@pytest.mark.parametrize("certify", ["exact", "probabilistic"])
def test_curvature_bound_stays_there(xp_case: Xp, certify: Any) -> None:
    H, _, _ = rotated(E, C, np.random.default_rng(1))
    single = xp_case.eps > 1e-8
    # In float32 rounding hides components that are as small as one in a million starts has.
    chance = 0.05 if single else 1e-6
    bound = curvature_bound(xp_case.array(H), certify=certify, failure_probability=chance)
    assert xp_case.owns(bound.vector)
    slack = 50 * xp_case.eps
    assert bound.lower <= -2.0 + slack
    assert bound.value >= -2.0 - slack
    assert bound.value - bound.lower <= (0.1 if single else 2e-3)


@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_scales_of_single_precision(xp_case: Xp, unit: float) -> None:
    H, g, _ = rotated(E, C, np.random.default_rng(1))
    for method in ("direct", "krylov"):
        result = solve_trs(xp_case.array(H * unit), xp_case.array(g * unit), 1.0, method=method)
        best = float(exact_trs(E, C, 1.0).value)
        assert result.model_decrease / unit == pytest.approx(-best, rel=1e-3)
        assert result.status in (Status.GLOBAL, Status.ROUNDING)


def test_integers_become_float64_where_they_are(xp_case: Xp) -> None:
    xp = xp_case.xp
    g = xp.astype(xp_case.array([1.0, 2.0]), xp.int32) if hasattr(xp, "astype") else None
    if g is None:
        pytest.skip(f"{xp_case.name} has no astype")
    result = (
        solve_trs(Mine(xp_case.array(np.diag([1.0, 3.0]))), g, 0.5)
        if (xp_case.dtype == xp.float64)
        else None
    )
    if result is None:
        pytest.skip("integers become float64, which goes with float64 alone")
    assert result.step.dtype == xp.float64


def test_mixed_namespaces_are_refused(xp_case: Xp) -> None:
    if xp_case.xp is np:
        pytest.skip("NumPy with NumPy is not mixed")
    g = xp_case.array(np.ones(3))
    with pytest.raises(ArrayTypeError):
        solve_trs(np.eye(3), g, 1.0)
    with pytest.raises(ArrayTypeError):
        solve_trs(xp_case.array(np.eye(3)), np.ones(3), 1.0)
    with pytest.raises(ArrayTypeError):
        solve_trs(xp_case.array(np.eye(3)), g, 1.0, norm=DiagonalNorm(np.ones(3)))


def test_mixed_devices_and_dtypes_are_refused() -> None:
    strict = pytest.importorskip("array_api_strict")
    there = strict.asarray(np.eye(3).tolist(), device=strict.Device("device1"))
    with pytest.raises(ArrayTypeError):
        solve_trs(there, strict.asarray([1.0, 1.0, 1.0]), 1.0)
    with pytest.raises(ArrayTypeError):
        solve_trs(np.eye(3), np.ones(3, dtype=np.float32), 1.0)
    with pytest.raises(ArrayTypeError):
        solve_trs(np.eye(3), 1j * np.ones(3), 1.0)
    with pytest.raises(ArrayTypeError):
        solve_trs(1j * np.eye(3), np.ones(3), 1.0)


# ------------------------------------------------------------------ fetches


def _fetches(
    case: Xp, counter: FetchCounter, budget: int, n: int, **options: Any
) -> tuple[int, int]:
    """Fetches and products of one solve with a diagonal operator."""
    d = case.array(np.linspace(-1.0, 300.0, n))
    g = case.array(np.ones(n))
    operator = DiagonalOperator(d)
    counter.reset()
    result = solve_trs(operator, g, 1.0, method="krylov", max_matvec=budget, rtol=1e-14, **options)
    return counter.count, result.matvecs


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("certify", ["none", "probabilistic"])
def test_one_fetch_an_iteration(
    strict_case: Xp, host_fetches: FetchCounter, certify: Any, weighted: bool
) -> None:
    """More products mean at most as many more fetches: the difference of two budgets."""
    n = 2500
    norm = DiagonalNorm(strict_case.array(np.linspace(1.0, 2.0, n))) if weighted else None
    options: Any = {"norm": norm, "certify": certify}
    fetches, products = _fetches(strict_case, host_fetches, 8, n, **options)
    more_fetches, more_products = _fetches(strict_case, host_fetches, 24, n, **options)
    assert more_products - products >= 12
    assert more_fetches - fetches <= more_products - products + 1


def test_one_fetch_an_iteration_of_short_vectors(
    strict_case: Xp, host_fetches: FetchCounter
) -> None:
    """What a projection leaves and what it takes come with the rest, in one fetch."""
    fetches, products = _fetches(strict_case, host_fetches, 8, 200, certify="none")
    more_fetches, more_products = _fetches(strict_case, host_fetches, 24, 200, certify="none")
    assert more_products - products >= 12
    # One more where the projection takes most of a vector.
    assert more_fetches - fetches <= more_products - products + 1


def test_nothing_is_fetched_but_scalars(
    strict_case: Xp, host_fetches: FetchCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No vector of length n comes to the host in the Krylov solver."""
    import tralgos.arrays

    largest = 0
    original = tralgos.arrays.to_host

    def watched(x: Any) -> np.ndarray:
        nonlocal largest
        host = original(x)
        largest = max(largest, host.size)
        return host

    for module in ("arrays", "subproblems.model", "subproblems.direct"):
        monkeypatch.setattr(f"tralgos.{module}.to_host", watched)
    d = strict_case.array(np.linspace(-1.0, 30.0, 100))
    operator = WrappedOperator(DiagonalOperator(d))
    solve_trs(
        operator, strict_case.array(np.ones(100)), 1.0, method="krylov", certify="probabilistic"
    )
    assert 0 < largest <= 8
