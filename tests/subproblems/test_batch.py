"""Many subproblems at once: against the oracle, one by one, and independent of their neighbours."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import fields
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

import tralgos
from tests.namespaces import FetchCounter, Xp
from tests.oracle import exact_trs, exact_value, rotated
from tests.subproblems.cases import CASES
from tests.subproblems.support import EPS, exact, level, true_gap
from tralgos import Status
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.subproblems import batch as batch_module
from tralgos.subproblems import batch_reduction
from tralgos.subproblems.batch import solve_trs_batch
from tralgos.subproblems.batch_result import BatchResult

FIGURES = [f.name for f in fields(BatchResult) if f.name != "rtol"]


def same(a: BatchResult, b: BatchResult, order: Any = slice(None)) -> None:
    """All figures agree to the last bit, those of `a` in the given order."""
    for name in FIGURES:
        left, right = getattr(a, name)[order], getattr(b, name)
        assert np.array_equal(left, right, equal_nan=True), name


def mixture(n: int, b: int, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Random problems of all kinds: sizes, radii, near-hard ones, and some with nothing in them."""
    A = rng.standard_normal((b, n, n))
    H, g = A + A.transpose(0, 2, 1), rng.standard_normal((b, n))
    _, vectors = np.linalg.eigh(H)
    first = vectors[:, :, 0]
    along = np.sum(first * g, axis=1)
    keep = np.where(rng.random(b) < 0.5, 1.0, 10.0 ** -rng.integers(1, 20, b).astype(float))
    g -= (along * (1.0 - keep))[:, None] * first
    g *= 10.0 ** rng.integers(-6, 3, (b, 1)).astype(float)
    H[1] = 0.0
    H[2], g[2] = np.eye(n), 0.0
    H[3], g[3] = -np.eye(n), 0.0
    g[4] = 0.0
    scale = 2.0 ** rng.integers(-300, 300, b).astype(float)
    radius = np.exp(3.0 * rng.standard_normal(b))
    return H * scale[:, None, None], g * scale[:, None], radius


# --- the oracle, every library -----------------------------------------------------------------


def _representable(case: Any, single: bool) -> bool:
    data = [*np.abs(case.eigenvalues), *np.abs(case.g), case.radius]
    return not single or all(1e-30 < x < 1e30 for x in data if x > 0.0)


@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_every_case_is_solved_as_one_at_a_time(xp_case: Xp, n: int) -> None:
    single = xp_case.eps > 1e-10
    cases = [c for c in CASES if c.g.size == n and _representable(c, single)]
    H = xp_case.array([np.diag(c.eigenvalues) for c in cases])
    g = xp_case.array([c.g for c in cases])
    batch = solve_trs_batch(H, g, xp_case.array([c.radius for c in cases]))
    assert xp_case.owns(batch.step)
    for i, case in enumerate(cases):
        found, alone = batch[i], tralgos.solve_trs(H[i, :, :], g[i, :], case.radius)
        assert found.status is alone.status, case.name
        assert found.hard_case == alone.hard_case, case.name
        assert found.on_boundary == alone.on_boundary, case.name
        assert found.multiplier == pytest.approx(
            alone.multiplier, rel=64 * xp_case.eps, abs=64 * xp_case.eps * _size(case)
        ), case.name
        e, c = case.eigenvalues, case.g
        if single:
            e, c = e.astype(np.float32), c.astype(np.float32)
        step = [mpf(float(x)) for x in xp_case.numpy(found.step)]
        gap = true_gap(e, c, step, exact(case.name, False, single=single).value)
        allowed = level(e, c, case.radius, xp_case.eps)
        assert gap <= 8 * allowed, case.name
        assert gap <= found.certificate.gap + 2 * allowed, case.name


def _size(case: Any) -> float:
    return float(np.abs(case.eigenvalues).max() + np.linalg.norm(case.g) / case.radius)


@st.composite
def spectra(draw: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """Eigenvalues with repeats, gradients with vanishing components, radii of all sizes."""
    n = draw(st.integers(1, 6))
    value = st.sampled_from([-3.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 2.0])
    component = st.sampled_from([0.0, 0.0, 1e-13, 1e-6, 0.1, -1.0, 30.0])
    e = np.array(draw(st.lists(value, min_size=n, max_size=n)))
    g = np.array(draw(st.lists(component, min_size=n, max_size=n)))
    return e, g, draw(st.sampled_from([1e-3, 0.3, 1.0, 7.0, 1e4]))


@given(st.lists(spectra(), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_rotated_spectra_reach_the_exact_minimum(problems: list[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for n in {e.size for e, _, _ in problems}:
        chosen = [p for p in problems if p[0].size == n]
        data = [(*rotated(e, c, rng), e, c, r) for e, c, r in chosen]
        H, g = np.stack([d[0] for d in data]), np.stack([d[1] for d in data])
        result = solve_trs_batch(H, g, np.array([d[5] for d in data]))
        for found, (H_i, g_i, _, e, c, r) in zip(result, data, strict=True):
            assert np.linalg.norm(found.step) <= r
            best = exact_trs(e, c, r).value
            s = [mpf(float(x)) for x in found.step]
            with mpmath.workdps(40):
                rows = [mpmath.fdot([mpf(float(v)) for v in row], s) for row in H_i]
                value = mpmath.fdot([mpf(float(v)) for v in g_i], s) + mpmath.fdot(rows, s) / 2
                gap = value - best
                # H and g are rounded when they are rotated.
                allowed = n * level(e, c, r)
                assert gap <= 16 * allowed
                assert gap <= found.certificate.gap + 16 * allowed
            assert found.status in (Status.GLOBAL, Status.ROUNDING)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_gap_is_above_the_true_gap_in_extended_precision(n: int) -> None:
    """Eigenpairs of the matrices as they are, by mpmath: no rounding of a rotation to allow for."""
    rng = np.random.default_rng(n)
    A = rng.standard_normal((8, n, n))
    H, g = A + A.transpose(0, 2, 1), rng.standard_normal((8, n))
    g[::2] *= 1e-3
    result = solve_trs_batch(H, g, 1.0)
    for H_i, g_i, found in zip(H, g, result, strict=True):
        with mpmath.workdps(130):
            values, vectors = mpmath.eigsy(mpmath.matrix(H_i.tolist()))
            e = [values[k] for k in range(n)]
            c = list(vectors.T * mpmath.matrix(g_i.tolist()))
            s = list(vectors.T * mpmath.matrix(found.step.tolist()))
            gap = exact_value(e, c, s) - exact_trs(e, c, 1.0).value
        size = float(max(abs(x) for x in e) + np.linalg.norm(g_i))
        assert gap >= 0.0
        assert gap <= found.certificate.gap + 2.0 * EPS * size
        # The curvature bound is below the eigenvalue that it bounds, and near.
        margin = float(min(e) + found.multiplier - found.certificate.curvature)
        assert 0.0 <= margin <= 40.0 * EPS * size


@pytest.mark.parametrize(
    ("n", "c", "dtype"),
    [
        (400, 0.9796074290609638, np.float64),
        (900, 0.8319888336966786, np.float64),
        (600, 0.83811235, np.float32),
    ],
)
def test_the_curvature_is_a_lower_bound_where_sums_round_to_one_side(
    n: int, c: float, dtype: Any
) -> None:
    """-c times the matrix of ones, whose leftmost eigenvalue is -c n."""
    H, g = np.full((1, n, n), -c, dtype), np.ones((1, n), dtype)
    result = solve_trs_batch(H, g, 1.0)
    size = n * Fraction(float(dtype(c)))
    exact_curvature = Fraction(float(result.multiplier[0])) - size
    below = (exact_curvature - Fraction(float(result.curvature[0]))) / size
    assert 0 <= below <= float(np.finfo(dtype).eps) * n / 4


@pytest.mark.parametrize("n", [2, 5, 17])
def test_noise_along_the_leftmost_vector_does_not_stop_newton(n: int) -> None:
    """g is orthogonal to it up to rounding, and the ball cuts the rest of the step short."""
    rng = np.random.default_rng(n)
    b = 1500
    A = rng.standard_normal((b, n, n))
    H, g = A + A.transpose(0, 2, 1), rng.standard_normal((b, n))
    values, vectors = np.linalg.eigh(H)
    c = np.einsum("bij,bi->bj", vectors, g)
    c[:, 0] = 0.0
    g = np.einsum("bij,bj->bi", vectors, c)
    gaps = values - values[:, :1]
    gaps[:, 0] = 1.0
    longest = np.linalg.norm(c / gaps, axis=1)
    radius = longest * (1.0 - 10.0 ** rng.uniform(-6.0, -0.1, b))
    result = solve_trs_batch(H, g, radius)
    assert result.counts() == {Status.GLOBAL: b}
    assert np.all(result.stationarity < 1e-10)


def test_a_shift_that_the_gradient_needs_is_kept_however_small() -> None:
    """Semidefinite H, and a gradient at its rounding level that does not lie in its range."""
    rng = np.random.default_rng(1)
    b = 2000
    u = rng.standard_normal((b, 2))
    H = u[:, :, None] * u[:, None, :]
    size = 10.0 ** rng.uniform(-16.0, -12.0, (b, 1))
    result = solve_trs_batch(H, size * rng.standard_normal((b, 2)), 1.0)
    assert set(result.counts()) <= {Status.GLOBAL, Status.ROUNDING}


# --- independence --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 9, 12, 17, 20])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_neighbours_and_chunks_change_no_bit(
    n: int, dtype: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = 101
    H, g, radius = mixture(n, b, rng)
    if dtype is np.float32:
        size = np.abs(H).max(axis=(1, 2)) + np.abs(g).max(axis=1)
        H, g = H / size[:, None, None], g / size[:, None]
    H, g, radius = H.astype(dtype), g.astype(dtype), radius.astype(dtype)
    whole = solve_trs_batch(H, g, radius)
    assert not np.isnan(whole.step).any()
    order = rng.permutation(b)
    same(whole, solve_trs_batch(H[order], g[order], radius[order]), order)
    for i in range(0, b, 10):
        part = slice(i, i + 1)
        same(whole, solve_trs_batch(H[part], g[part], radius[part]), part)
    monkeypatch.setattr(batch_module, "_LANES", 23)
    monkeypatch.setattr(batch_reduction, "_BLOCK_BYTES", 8 * n * n * 11)
    same(whole, solve_trs_batch(H, g, radius))


@given(st.integers(1, 11), st.integers(0, 2**32 - 1))
def test_a_permutation_permutes_the_results(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    H, g, radius = mixture(n, 12, rng)
    order = rng.permutation(12)
    whole = solve_trs_batch(H, g, radius)
    same(whole, solve_trs_batch(H[order], g[order], radius[order]), order)


def test_powers_of_two_of_each_problem_change_no_bit(rng: np.random.Generator) -> None:
    """Data times 2^k each, and g and the radius times 2^k each: the step times that at most."""
    H, g, radius = mixture(7, 40, rng)
    plain = solve_trs_batch(H, g, radius)
    power = 2.0 ** rng.integers(-600, 600, 40).astype(float)
    scaled = solve_trs_batch(H * power[:, None, None], g * power[:, None], radius)
    assert np.array_equal(scaled.step, plain.step)
    assert np.array_equal(scaled.multiplier, plain.multiplier * power)
    assert np.array_equal(scaled.relative_gap, plain.relative_gap)
    longer = solve_trs_batch(H, g * power[:, None], radius * power)
    assert np.array_equal(longer.step, plain.step * power[:, None])
    assert np.array_equal(longer.multiplier, plain.multiplier)


@pytest.mark.parametrize("data", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("length", [1e-100, 1.0, 1e100])
def test_extreme_sizes_mixed_in_one_batch(data: float, length: float) -> None:
    rng = np.random.default_rng(5)
    H, g, _ = mixture(6, 20, rng)
    size = np.abs(H).max(axis=(1, 2))
    unit = np.where(size > 0.0, size, np.abs(g).max(axis=1))
    H, g = H / unit[:, None, None], g / unit[:, None]
    plain = solve_trs_batch(H, g, 1.0)
    factor = np.where(np.arange(20) % 2 == 0, data, 1.0)
    radius = np.where(np.arange(20) % 3 == 0, length, 1.0)
    # g scales with the radius, so that the problems stay the same ones.
    result = solve_trs_batch(H * factor[:, None, None], g * (factor * radius)[:, None], radius)
    assert np.array_equal(result.status_code, plain.status_code)
    assert np.all(np.linalg.norm(result.step / radius[:, None], axis=1) <= 1.0 + 1e-15)
    assert np.allclose(result.multiplier / factor, plain.multiplier, rtol=1e-9, atol=1e-14)
    # What q is in the units of the caller may be beyond the range of float64.
    if 1e-280 < data * length**2 < 1e280:
        decrease = result.model_decrease / radius / radius / factor
        assert np.allclose(decrease, plain.model_decrease, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("radius", [1e-200, 1e200])
def test_a_radius_beyond_the_squares(radius: float) -> None:
    """Steps inside a huge ball, steps along g in a tiny one, the leftmost vector in a huge one."""
    H = np.stack([np.diag([1.0, 3.0]), np.diag([-1.0, 3.0]), np.zeros((2, 2))])
    g = np.array([[1.0, 3.0], [1e-3, 1.0], [3.0, 4.0]])
    steps, multipliers = [[-1.0, -1.0], [-radius, 0.0], [-0.6 * radius, -0.8 * radius]], [0, 1, 0]
    if radius < 1.0:
        steps[0] = [-radius / math.sqrt(10.0), -3.0 * radius / math.sqrt(10.0)]
        steps[1] = [-1e-3 * radius, -radius]
        multipliers = [math.sqrt(10.0) / radius, 1.0 / radius, 5.0 / radius]
    result = solve_trs_batch(H, g, radius)
    assert result.status_code.tolist() == [0, 0, 0]
    for step, expected in zip(result.step / radius, np.array(steps) / radius, strict=True):
        # Scaled once more: the square of 1e-200 is zero.
        unit = np.abs(expected).max()
        assert np.allclose(step / unit, expected / unit, rtol=0.0, atol=1e-6)
    assert np.allclose(result.multiplier, multipliers, rtol=1e-5, atol=1e-150)
    assert np.all(result.relative_gap < 1e-12)


def test_a_step_inside_does_not_know_the_radius() -> None:
    """The radius is 1e400 times the step: in its units the gradient is nothing."""
    H = np.stack([np.eye(2), np.diag([1.0, 4.0])])
    result = solve_trs_batch(H, np.full((2, 2), 1e-100), 1e300)
    assert np.allclose(result.step * 1e100, [[-1.0, -1.0], [-1.0, -0.25]], rtol=1e-14)
    assert not result.on_boundary.any()
    assert np.all(result.relative_gap < 1e-14)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1.0, 1e200, 1e300])
@pytest.mark.parametrize("radius", [1e-100, 1.0, 1e100])
def test_what_is_zero_has_no_size(size: float, radius: float) -> None:
    """g = 0 with H of any size, H = 0 with g of any size: the hard case, and a step along -g."""
    H = np.stack([np.diag([-1.0, 2.0]) * size, np.zeros((2, 2))])
    g = np.array([[0.0, 0.0], [3.0 * size, 4.0 * size]])
    result = solve_trs_batch(H, g, radius)
    hard, along = result.step / radius
    assert np.allclose(np.abs(hard), [1.0, 0.0], atol=1e-14)
    assert np.allclose(along, [-0.6, -0.8], rtol=1e-14)
    assert result.hard_case.tolist() == [True, False]
    assert result.multiplier[0] / size == pytest.approx(1.0, rel=1e-14)
    assert result.relative_gap.max() < 1e-13
    assert result.status_code.tolist() == [0, 0]


# --- one library and another; transfers ----------------------------------------------------------


def test_libraries_agree(xp_case: Xp) -> None:
    rng = np.random.default_rng(8)
    A = rng.standard_normal((30, 6, 6))
    H, g = A + A.transpose(0, 2, 1), rng.standard_normal((30, 6))
    radius = np.exp(rng.standard_normal(30))
    result = solve_trs_batch(xp_case.array(H), xp_case.array(g), xp_case.array(radius))
    host = solve_trs_batch(H, g, radius)
    tolerance = 1e3 * xp_case.eps
    assert np.allclose(xp_case.numpy(result.step), host.step, rtol=0.0, atol=tolerance * 10)
    decrease = xp_case.numpy(result.model_decrease)
    assert np.allclose(decrease, host.model_decrease, rtol=tolerance)
    assert [r.status for r in result] == [Status.GLOBAL] * 30
    assert result.counts() == {Status.GLOBAL: 30}


def test_chunks_of_a_device_are_joined(strict_case: Xp) -> None:
    rng = np.random.default_rng(9)
    H, g, _ = mixture(4, 13, rng)
    H, g = H / np.abs(H).max(), g / np.abs(g).max()
    one = solve_trs_batch(strict_case.array(H), strict_case.array(g), 0.5)
    many = solve_trs_batch(strict_case.array(H), strict_case.array(g), 0.5, memory=20_000)
    assert np.allclose(strict_case.numpy(one.step), strict_case.numpy(many.step))
    assert one.step.shape == many.step.shape == (13, 4)


def test_chunks_are_as_many_as_fit_the_memory(xp_case: Xp, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    solve = batch_module._solve_chunk

    def counted(batch: Any, lo: int, hi: int, rtol: float) -> Any:
        lengths.append(hi - lo)
        return solve(batch, lo, hi, rtol)

    monkeypatch.setattr(batch_module, "_solve_chunk", counted)
    H, g = xp_case.array(np.stack([np.eye(4)] * 50)), xp_case.array(np.ones((50, 4)))
    solve_trs_batch(H, g, 1.0)
    # 48 n^2 + 320 n + 1000 = 3048 bytes a problem.
    solve_trs_batch(H, g, 1.0, memory=20 * 3048)
    assert lengths == [50, 17, 17, 16]
    lengths.clear()
    solve_trs_batch(H, g, 1.0, memory=1)
    assert lengths == ([8] * 6 + [2] if xp_case.xp is np else [1] * 50)


@pytest.mark.parametrize(("b", "n"), [(20_000, 1), (10_000, 3), (600, 16), (400, 17)])
@pytest.mark.parametrize("kind", ["float64", "float32", "integers", "rounded"])
def test_workspace_is_within_the_memory(b: int, n: int, kind: str) -> None:
    """Checks, scales and joining included: nothing is as long as the batch but the result."""
    memory, rng = 2**18, np.random.default_rng(0)
    A = rng.integers(-9, 9, (b, n, n))
    H, g = A + A.transpose(0, 2, 1), rng.integers(-9, 9, (b, n))
    radius = np.ones(b, int)
    if kind != "integers":
        H, g, radius = (x.astype("float32" if kind == "float32" else float) for x in (H, g, radius))
    if kind == "rounded":
        # Each piece takes the long way through the checks.
        H *= 1.0 + 4.0 * EPS * np.triu(np.ones((n, n)), 1)
    solve_trs_batch(H[:9], g[:9], radius[:9])
    tracemalloc.start()
    try:
        result = solve_trs_batch(H, g, radius, memory=memory)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    peak -= sum(getattr(result, name).nbytes for name in FIGURES)
    assert peak <= memory
    assert peak >= 0.1 * memory


def test_each_chunk_has_its_transfers(strict_case: Xp, host_fetches: FetchCounter) -> None:
    """One for all checks, in however many pieces; and two for a chunk whose steps are inside."""
    H, g = strict_case.array(np.stack([np.eye(4)] * 20)), strict_case.array(0.1 * np.ones((20, 4)))
    radius = strict_case.array(np.ones(20))
    for memory, chunks in ((None, 1), (7 * 3048, 3), (1, 20)):
        for r, more in ((1.0, 0), (radius, 0), (strict_case.array(1.0), 1)):
            host_fetches.reset()
            solve_trs_batch(H, g, r, memory=memory)
            assert host_fetches.count == 1 + more + 2 * chunks


def test_transfers_are_few_and_do_not_grow_with_the_batch(
    strict_case: Xp, host_fetches: FetchCounter
) -> None:
    rng = np.random.default_rng(10)
    counts = []
    for b in (5, 80):
        A = rng.standard_normal((b, 4, 4))
        H, g = strict_case.array(A + A.transpose(0, 2, 1)), rng.standard_normal((b, 4))
        # Near-hard and easy problems together, so that some take several Newton steps.
        g = strict_case.array(g * 10.0 ** -(np.arange(b) % 5)[:, None])
        host_fetches.reset()
        result = solve_trs_batch(H, g, 1.0)
        counts.append(host_fetches.count)
        host_fetches.reset()
        assert result[b - 1].status is Status.GLOBAL
        assert host_fetches.count == 1
        assert len(list(result)) == b
        assert host_fetches.count == 2
        assert sum(result.counts().values()) == b
        assert host_fetches.count == 3
    # One for the checks, one for the scales, and one for every four Newton steps.
    assert all(3 <= count <= 5 for count in counts)


# --- the result -------------------------------------------------------------------------------


def test_one_result_has_the_fields_of_a_subproblem_result() -> None:
    H = np.array([[[1.0, 0.0, 4.0], [0.0, 2.0, 0.0], [4.0, 0.0, 3.0]], np.eye(3)])
    g = np.array([[0.0, 2.0, 0.0], [0.25, 0.0, 0.0]])
    result = solve_trs_batch(H, g, 1.0, rtol=1e-6)
    hard, inside = result
    alone = tralgos.solve_trs(H[0], g[0], 1.0)
    assert isinstance(hard, tralgos.SubproblemResult)
    assert (hard.hard_case, hard.on_boundary) == (True, True)
    assert hard.model_decrease == pytest.approx(alone.model_decrease, rel=1e-14)
    assert hard.certificate.evidence == "exact"
    assert hard.certificate.failure_probability == 0.0
    assert "tolerance 1.0e-06" in hard.message
    assert (inside.hard_case, inside.on_boundary) == (False, False)
    assert inside.multiplier == 0.0
    assert np.allclose(inside.step, [-0.25, 0.0, 0.0])
    assert inside.certificate.curvature == pytest.approx(1.0)
    assert inside.certificate.stationarity < 1e-15
    assert len(result) == 2
    assert np.array_equal(result[-1].step, inside.step)
    for i in (2, -3):
        with pytest.raises(IndexError, match="batch of 2"):
            result[i]


def test_a_slice_of_a_result_is_a_result(xp_case: Xp, host_fetches: FetchCounter) -> None:
    """Every figure of it is that of the problems of the slice; nothing is transferred."""
    rng = np.random.default_rng(3)
    A = rng.standard_normal((9, 3, 3))
    H, g = xp_case.array(A + A.transpose(0, 2, 1)), xp_case.array(rng.standard_normal((9, 3)))
    result = solve_trs_batch(H, g, 1.0, rtol=1e-3)
    for chosen in (slice(0, 1), slice(2, -1), slice(None, None, 3), slice(5, 5), slice(-20, 20)):
        host_fetches.reset()
        part = result[chosen]
        assert host_fetches.count == 0
        assert isinstance(part, BatchResult)
        assert part.rtol == 1e-3
        assert len(part) == len(range(9)[chosen])
        for name in FIGURES:
            whole = xp_case.numpy(getattr(result, name))
            assert np.array_equal(xp_case.numpy(getattr(part, name)), whole[chosen]), name
    assert result[np.int64(2)].multiplier == result[2].multiplier


@pytest.mark.parametrize(
    ("i", "error", "message"),
    [
        (0.5, ArrayTypeError, "the number of a problem must be an integer, got float"),
        ("1", ArrayTypeError, "the number of a problem must be an integer, got str"),
        (None, ArrayTypeError, "the number of a problem must be an integer, got NoneType"),
        ((0, 1), ArrayTypeError, "the number of a problem must be an integer, got tuple"),
        (slice(0.5, 2), ArrayTypeError, "an end of a slice must be an integer, got float"),
        (slice(None, None, -1), ArgumentError, "the step of a slice of problems must be positive"),
        (slice(None, None, 0), ArgumentError, "the step of a slice of problems must be positive"),
    ],
)
def test_what_is_no_problem_of_a_batch_is_named(i: Any, error: Any, message: str) -> None:
    result = solve_trs_batch(np.eye(2)[None], np.ones((1, 2)), 1.0)
    with pytest.raises(error, match=message):
        result[i]


def test_a_tolerance_below_rounding_is_answered_by_rounding() -> None:
    """With a decrease that is nothing beside ||H|| r^2, only the level of rounding can be met."""
    H, g = np.diag([0.0, 1.0])[None], np.zeros((1, 2))
    result = solve_trs_batch(H, g, 1.0)
    assert result[0].status is Status.ROUNDING
    assert result.counts() == {Status.ROUNDING: 1}


def test_nothing_to_solve(xp_case: Xp) -> None:
    H, g = xp_case.array(np.zeros((0, 3, 3))), xp_case.array(np.zeros((0, 3)))
    result = solve_trs_batch(H, g, 1.0)
    assert xp_case.owns(result.step)
    assert tuple(result.step.shape) == (0, 3)
    assert len(result) == 0
    assert list(result) == []
    assert result.counts() == {}


def test_arguments_are_not_written_to(rng: np.random.Generator) -> None:
    H, g, radius = mixture(18, 12, rng)
    for order in (5, 18):
        arguments = (H[:, :order, :order], g[:, :order], radius)
        copies = [x.copy() for x in arguments]
        solve_trs_batch(*arguments)
        assert all(np.array_equal(x, y) for x, y in zip(arguments, copies, strict=True))


def test_steps_are_contiguous_rows(rng: np.random.Generator) -> None:
    H, g, radius = mixture(6, 30, rng)
    assert solve_trs_batch(H, g, radius).step.flags.c_contiguous
    assert solve_trs_batch(H, g, radius, memory=30_000).step.flags.c_contiguous


def test_integers_become_float64() -> None:
    result = solve_trs_batch(np.array([[[2, 0], [0, 2]]]), np.array([[2, 0]]), np.array([3]))
    assert result.step.dtype == np.float64
    assert np.allclose(result.step, [[-1.0, 0.0]])


def test_float32_data_has_float64_figures() -> None:
    H = np.diag(np.array([-1.0, 2.0], np.float32))[None] * np.float32(1e-30)
    result = solve_trs_batch(H, np.ones((1, 2), np.float32) * np.float32(1e-30), 1e-3)
    assert result.step.dtype == np.float32
    assert result.gap.dtype == np.float64
    assert 0.0 < result.gap[0] < 1e-36
    assert math.isclose(float(np.linalg.norm(result.step[0])), 1e-3, rel_tol=1e-5)


def test_a_radius_is_not_rounded_to_float32(xp_case: Xp) -> None:
    """0.1 is above its neighbour in float32 from below; the multiplier knows the difference."""
    H, g = np.zeros((2, 3, 3)), np.ones((2, 3))
    radius = 0.1 - 3e-9
    result = solve_trs_batch(xp_case.array(H), xp_case.array(g), radius)
    expected = math.sqrt(3.0) / radius
    wanted = 1e-12 if xp_case.eps < 1e-10 else 2e-8
    assert result[0].multiplier == pytest.approx(expected, rel=wanted)
    assert float(np.linalg.norm(xp_case.numpy(result.step)[0])) <= radius


def test_figures_of_float32_data_beyond_its_range() -> None:
    """q = -g^2 / (2 h) = -1e90 / 2 of data that float32 holds, and so for the tiny one."""
    H = np.array([[[1e-30]], [[1e30]]], np.float32)
    g = np.array([[1e30], [1e-30]], np.float32)
    result = solve_trs_batch(H, g, np.array([1e38, 1.0], np.float32))
    # The first is bound by its radius: g r, with the multiplier g / r.
    assert np.allclose(result.model_decrease, [1e68, 0.5e-90], rtol=1e-5)
    assert np.allclose(result.multiplier, [1e-8, 0.0], rtol=1e-5)
    assert result.curvature[1] == pytest.approx(1e30, rel=1e-5)
