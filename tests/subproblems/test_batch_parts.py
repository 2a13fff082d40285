"""The parts of the batched solver: reductions, leftmost pairs, Newton's method, scales."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tralgos import Status
from tralgos.subproblems import batch_reduction, batch_secular, batch_tridiagonal
from tralgos.subproblems.batch_diagonal import EigenReduction
from tralgos.subproblems.batch_householder import one_by_one, side_by_side
from tralgos.subproblems.batch_measure import Candidates, measured
from tralgos.subproblems.batch_reduction import TridiagonalReduction
from tralgos.subproblems.batch_result import STATUSES
from tralgos.subproblems.batch_scales import host_scales
from tralgos.subproblems.batch_secular import minimum_on_sphere
from tralgos.subproblems.batch_tridiagonal import leftmost, row_sums
from tralgos.subproblems.certificate import quadratic_gap

EPS = 2.0**-52


def symmetric(n: int, b: int, seed: int = 0) -> np.ndarray:
    A = np.random.default_rng(seed).standard_normal((b, n, n))
    A = A + A.transpose(0, 2, 1)
    return A / np.abs(A).max(axis=(1, 2), keepdims=True)


def dense(diagonal: np.ndarray, off: np.ndarray) -> np.ndarray:
    n, b = diagonal.shape
    T = np.zeros((b, n, n))
    i = np.arange(n)
    T[:, i, i] = diagonal.T
    T[:, i[1:], i[:-1]] = T[:, i[:-1], i[1:]] = off.T
    return T


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 20])
@pytest.mark.parametrize("kind", ["side by side", "one by one"])
def test_reflections_carry_h_to_its_tridiagonal_form(n: int, kind: str) -> None:
    """Q'HQ = T for Q as it is applied, forward and backward."""
    H = symmetric(n, 12)
    H[0] = 0.0
    H[1] = np.eye(n)
    H[2, 0, 1:] = H[2, 1:, 0] = 0.0
    H[3] *= 1e-170
    if kind == "side by side":
        lanes = np.ascontiguousarray(H.transpose(1, 2, 0))
        found = side_by_side(lanes, np.empty(n * n * 12))
    else:
        found = one_by_one(H.copy(), 12)
    T = dense(found.diagonal, found.off_diagonal)
    Q = np.empty((12, n, n))
    for j in range(n):
        unit = np.zeros((n, 12))
        unit[j] = 1.0
        found.backward(unit)
        Q[:, :, j] = unit.T
        again = unit.copy()
        found.forward(again)
        assert np.allclose(again[j], 1.0, rtol=0.0, atol=20 * EPS)
    product = Q.transpose(0, 2, 1) @ H @ Q
    assert np.allclose(product, T, rtol=0.0, atol=40 * EPS)
    assert np.allclose(Q @ Q.transpose(0, 2, 1), np.eye(n), rtol=0.0, atol=40 * EPS)


def _hard_tridiagonals(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random, Wilkinson's, diagonal, constant, zero, graded, and nearly split ones, as columns."""
    rng = np.random.default_rng(n)
    d, e = rng.standard_normal((n, 10)), rng.standard_normal((n - 1, 10))
    d[:, 1], e[:, 1] = -np.abs(np.arange(n) - (n - 1) / 2), 1.0
    d[:, 2], e[:, 2] = rng.permutation(n), 0.0
    d[:, 3], e[:, 3] = -2.0, 0.0
    d[:, 4], e[:, 4] = 0.0, 0.0
    grades = 10.0 ** -np.arange(n).astype(float)
    d[:, 5], e[:, 5] = grades, 0.1 * grades[1:]
    e[:, 6] *= 1e-9
    d[:, 7], e[:, 7] = 1.0, 1e-17
    d[:, 8], e[:, 8] = d[:, 8] + 1e6, e[:, 8]
    e[::2, 9] = 0.0
    return d, e


@pytest.mark.parametrize("n", [1, 2, 3, 10, 21])
def test_leftmost_pairs_of_difficult_matrices(n: int) -> None:
    d, e = _hard_tridiagonals(n)
    size = row_sums(d, e)
    with np.errstate(all="ignore"):
        theta, vector = leftmost(d, e, size)
    T = dense(d, e)
    expected = np.linalg.eigvalsh(T)[:, 0]
    assert np.all(np.abs(theta - expected) <= 8.0 * EPS * size)
    assert np.allclose(np.linalg.norm(vector, axis=0), 1.0, rtol=1e-14)
    residual = np.einsum("bij,jb->ib", T, vector) - theta * vector
    assert np.all(np.linalg.norm(residual, axis=0) <= 12.0 * EPS * size)


def test_leftmost_eigenvalues_take_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """About seven evaluations of a random matrix, the last ones of few matrices."""
    work = []
    evaluate = batch_tridiagonal._resolvent_sums

    def counted(diagonal: np.ndarray, squares: np.ndarray) -> object:
        work.append(diagonal.shape[1])
        return evaluate(diagonal, squares)

    monkeypatch.setattr(batch_tridiagonal, "_resolvent_sums", counted)
    rng = np.random.default_rng(0)
    d, e = rng.standard_normal((10, 2000)), rng.standard_normal((9, 2000))
    with np.errstate(all="ignore"):
        leftmost(d, e, row_sums(d, e))
    assert len(work) <= 20
    assert sum(work) <= 9 * 2000
    for n in (2, 3, 10, 21):
        work.clear()
        d, e = _hard_tridiagonals(n)
        with np.errstate(all="ignore"):
            leftmost(d, e, row_sums(d, e))
        assert len(work) <= 60
    # An eigenvalue of multiplicity 40, at which Laguerre's iteration alone is slow.
    A = rng.standard_normal((20, 50, 10))
    H = -np.eye(50) + A @ A.transpose(0, 2, 1) / 50
    H /= np.abs(H).max(axis=(1, 2), keepdims=True)
    work.clear()
    with np.errstate(all="ignore"):
        TridiagonalReduction(H, np.zeros((50, 20)), np.ones(20))
    assert len(work) <= 45


@given(st.integers(2, 5), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 3.0]))
def test_the_leftmost_eigenvalue_is_within_its_error(n: int, seed: int, graded: float) -> None:
    """Of the dense matrix, in extended precision, from both reductions."""
    rng = np.random.default_rng(seed)
    H = symmetric(n, 8, seed) * np.exp(graded * rng.standard_normal((8, n, 1)))
    H = H + H.transpose(0, 2, 1)
    H /= np.abs(H).max(axis=(1, 2), keepdims=True)
    zero = np.zeros((n, 8))
    with np.errstate(all="ignore"):
        reductions = [TridiagonalReduction(H, zero, np.ones(8)), EigenReduction(H, zero)]
    with mpmath.workdps(30):
        exact = mpmath.eigsy(mpmath.matrix(H[0].tolist()), eigvals_only=True)
        for reduction in reductions:
            assert abs(float(min(exact) - mpmath.mpf(float(reduction.theta[0])))) <= float(
                reduction.error[0]
            )
            assert float(reduction.size[0]) >= float(max(abs(x) for x in exact)) * (1 - 8 * EPS)


def _errors(H: np.ndarray, exact: list[Fraction]) -> list[float]:
    """What the leftmost eigenvalue of each reduction is off by, over what it may be off by."""
    b, n = H.shape[:2]
    zero = np.zeros((n, b), H.dtype)
    with np.errstate(all="ignore"):
        found = [TridiagonalReduction(H, zero, np.ones(b, H.dtype)), EigenReduction(H, zero)]
    for reduction in found:
        # Where the rounding of one library happens to be smaller, it is granted all the same.
        granted = reduction.error / (np.finfo(H.dtype).eps * reduction.size)
        assert np.all(granted >= (1.0 - 1e-6) * max(16.0, n / 8.0))
    return [
        float(abs(Fraction(float(r.theta[i])) - exact[i]) / Fraction(float(r.error[i])))
        for r in found
        for i in range(b)
    ]


@pytest.mark.parametrize("n", [3, 12, 17, 130, 400])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_error_grows_with_the_order_where_sums_round_to_one_side(n: int, dtype: Any) -> None:
    """-c times ones, and -pp' for whole numbers p: the leftmost are -c n and -p'p."""
    rng = np.random.default_rng(n)
    c = rng.uniform(0.5, 1.0, 8).astype(dtype)
    H = -c[:, None, None] * np.ones((1, n, n), dtype)
    assert max(_errors(H, [-n * Fraction(float(x)) for x in c])) <= 0.6
    p = rng.integers(1, 40, (8, n))
    H = -(p[:, :, None] * p[:, None, :]).astype(dtype) / dtype(2048.0)
    assert max(_errors(H, [-Fraction(int(x @ x), 2048) for x in p])) <= 0.6


@pytest.mark.parametrize("n", [16, 40, 200])
def test_the_error_of_gram_matrices_of_positive_data(n: int) -> None:
    """In float32, against eigenvalues in float64; with either sign, and a few more data than n."""
    X = np.random.default_rng(n).random((8, n + 5, n)).astype(np.float32)
    H = X.transpose(0, 2, 1) @ X
    H = (H + H.transpose(0, 2, 1)) / H.max(axis=(1, 2), keepdims=True)
    for sign in (1.0, -1.0):
        signed = (sign * H).astype(np.float32)
        exact = np.linalg.eigvalsh(signed.astype(np.float64))[:, 0]
        assert max(_errors(signed, [Fraction(float(x)) for x in exact])) <= 0.6


def test_both_reductions_and_both_orders_of_work_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tridiagonal and diagonal systems have the same minima on the sphere."""
    n, b = 9, 40
    H, g = symmetric(n, b), np.random.default_rng(2).standard_normal((n, b))
    g[:, ::3] *= 1e-5
    weight, radius = np.ones(b), np.full(b, 0.7)
    minima = []
    with np.errstate(all="ignore"):
        for limit in (0, 100):
            monkeypatch.setattr(batch_reduction, "_SIDE_BY_SIDE", limit)
            reduction = TridiagonalReduction(H, g, weight)
            minimum = minimum_on_sphere(reduction.system(weight, weight), radius)
            minima.append((reduction.back(minimum.h), minimum))
        other = EigenReduction(H, g)
        minimum = minimum_on_sphere(other.system(weight, weight), radius)
        minima.append((other.back(minimum.h), minimum))
    outside = ~minima[0][1].flat
    for step, minimum in minima:
        assert np.allclose(np.linalg.norm(step, axis=0)[outside], 0.7, rtol=1e-12)
        assert np.allclose(minimum.multiplier, minima[0][1].multiplier, rtol=1e-11, atol=1e-13)
        assert np.allclose(step[:, outside], minima[0][0][:, outside], rtol=0.0, atol=1e-8)


def test_newton_stops_where_rounding_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shift below the rounding of T does not move the length; no creeping to the step limit."""
    calls = []
    step = batch_secular._newton_step

    def counted(*arguments: object) -> object:
        calls.append(1)
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(batch_secular, "_newton_step", counted)
    n, b = 12, 400
    H, g = symmetric(n, b, 3), np.random.default_rng(4).standard_normal((n, b))
    _, vectors = np.linalg.eigh(H)
    first = vectors[:, :, 0].T
    g -= np.sum(first * g, axis=0) * (1.0 - 10.0 ** -np.linspace(0, 18, b)) * first
    with np.errstate(all="ignore"):
        reduction = TridiagonalReduction(H, g, np.ones(b))
        minimum_on_sphere(reduction.system(np.ones(b), np.ones(b)), np.full(b, 0.9))
    assert len(calls) <= 25


def test_scales_are_exact_powers_that_restore() -> None:
    size_H = np.array([3e150, 1e-150, 0.0, 5.0, 0.0, 1e-320])
    size_g = np.array([1.0, 7e-150, 2.0, 0.0, 0.0, 1e300])
    radius = np.array([1e-100, 1e100, 1e100, 3.0, 3.0, 1.0])
    scales = host_scales(size_H, size_g, radius, np.zeros(1))
    shrunk = scales.row("shrink_H")[:2] * size_H[:2]
    assert np.all((shrunk >= 0.5) & (shrunk < 1.0))
    weights = np.maximum(scales.row("weight_H"), scales.row("weight_g"))
    assert np.all(weights[:5] == 1.0)
    assert np.all((scales.row("radius") >= 0.5) & (scales.row("radius") < 1.0))
    on_sphere = np.zeros(6, dtype=bool)
    assert np.array_equal(scales.restored(scales.row("radius"), "step", on_sphere, np), radius)
    assert np.all(np.frexp(scales.table[5:])[0][scales.table[5:] > 0] >= 0.5)


@pytest.mark.parametrize("inside", [False, True])
def test_a_poor_step_is_measured_by_the_formulas_of_the_certificate(inside: bool) -> None:
    """The figures of steps that are far from stationary, from the step that is returned."""
    n, b, r, rng = 6, 30, 0.7, np.random.default_rng(11)
    H, g = symmetric(n, b, 12), rng.standard_normal((b, n))
    if inside:
        H = H @ H + 0.1 * np.eye(n)
    sizes = np.abs(H).max(axis=(1, 2)), np.abs(g).max(axis=1)
    scales = host_scales(*sizes, np.full(b, r), H)
    columns = g.T * scales.row("shrink_g")
    with np.errstate(all="ignore"):
        reduction = TridiagonalReduction(H, np.ascontiguousarray(columns), scales.row("shrink_H"))
    lam = np.zeros(b) if inside else 3.0 * rng.random(b)
    h = rng.standard_normal((n, b))
    h *= scales.row("rho" if inside else "radius") * (0.8 if inside else 1.0) / np.sqrt(sum(h * h))
    flags = np.full(b, inside)
    # In scaled units: lambda is a multiple of the power of two that `restored` puts back.
    with np.errstate(all="ignore"):
        figures = measured(reduction, Candidates(h, lam, flags, ~flags), scales, 1e-8)
    for i in range(b):
        s, multiplier = figures.step[i], float(figures.multiplier[i])
        length = float(np.linalg.norm(s))
        assert length <= r
        residual = H[i] @ s + multiplier * s + g[i]
        size, gamma = float(np.linalg.norm(residual)), float(np.linalg.norm(g[i]))
        bottom = float(np.linalg.eigvalsh(H[i])[0]) + multiplier
        assert figures.curvature[i] == pytest.approx(bottom, abs=1e-13)
        slack = 0.5 * multiplier * (r - length) * (r + length)
        gap = quadratic_gap(size, float(figures.curvature[i]), r + length) + slack
        decrease = -float(g[i] @ s + 0.5 * s @ H[i] @ s)
        assert figures.gap[i] == pytest.approx(gap, rel=1e-12)
        assert figures.model_decrease[i] == pytest.approx(max(decrease, 0.0), rel=1e-12)
        relative = gap / decrease if decrease > 0.0 else np.inf
        assert figures.relative_gap[i] == pytest.approx(relative, rel=1e-11)
        assert figures.stationarity[i] == pytest.approx(size / gamma, rel=1e-12)
        assert figures.complementarity[i] == pytest.approx(
            multiplier * (r - length) / gamma, rel=0.2, abs=1e-15
        )
        assert figures.feasibility[i] == 0.0
        assert STATUSES[figures.status_code[i]] is Status.UNCERTIFIED
        assert bool(figures.on_boundary[i]) is not inside
        assert bool(figures.hard_case[i]) is not inside
