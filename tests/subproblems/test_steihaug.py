"""Truncated conjugate gradients in the norm of the space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tests.oracle import exact_trs, exact_value, rotated
from tralgos import norms
from tralgos.errors import ArgumentError, NonFiniteError
from tralgos.norms import DiagonalNorm, MatrixNorm
from tralgos.operators import WrappedOperator
from tralgos.subproblems.callbacks import InnerIterate
from tralgos.subproblems.model import Candidate, Model
from tralgos.subproblems.steihaug import Steihaug, boundary_length, steihaug
from tralgos.subproblems.validation import validated_model

QUIET = settings(derandomize=True, database=None, deadline=None, max_examples=60)


def solve(
    H: object,
    g: object,
    radius: float,
    options: Steihaug | None = None,
    *,
    norm: object = None,
    rtol: float = 1e-10,
    max_matvec: int | None = None,
) -> tuple[Candidate, Model, list[InnerIterate]]:
    seen: list[InnerIterate] = []
    model = validated_model(H, g, norm, max_matvec=max_matvec, rng=np.random.default_rng(0))
    ratio = model.gradient_scale / model.hessian_scale
    found = steihaug(model, radius / ratio, options or Steihaug(), rtol=rtol, callback=seen.append)
    multiplier = found.multiplier * model.hessian_scale
    return replace(found, step=found.step * ratio, multiplier=multiplier), model, seen


def textbook(H: np.ndarray, g: np.ndarray, M: np.ndarray, radius: float) -> tuple[np.ndarray, str]:
    """Conn, Gould and Toint, Algorithm 7.5.1, with every norm computed anew."""
    s, r = np.zeros_like(g), g.copy()
    v = np.linalg.solve(M, r)
    p = -v
    for _ in range(2 * g.size):
        if np.sqrt(r @ v) <= 1e-10 * np.sqrt(g @ np.linalg.solve(M, g)):
            return s, "interior"
        kappa = p @ H @ p
        alpha = (r @ v) / kappa if kappa > 0 else np.inf
        trial = s + alpha * p if kappa > 0 else s
        if kappa <= 0 or trial @ M @ trial >= radius**2:
            a, b, c = p @ M @ p, s @ M @ p, s @ M @ s - radius**2
            return s + (-b + np.sqrt(b * b - a * c)) / a * p, "boundary"
        old = r @ v
        s, r = trial, r + alpha * (H @ p)
        v = np.linalg.solve(M, r)
        p = -v + (r @ v) / old * p
    return s, "interior"


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    H, g, _ = rotated(rng.uniform(draw(st.sampled_from([-3.0, -0.3, 0.2])), 4, n), np.ones(n), rng)
    M, _, _ = rotated(np.exp(rng.uniform(-2, 2, n)), g, rng)
    return H, g, M, draw(st.sampled_from([1e-2, 0.3, 1.0, 4.0, 100.0]))


@QUIET
@given(problems())
def test_agrees_with_the_textbook(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    H, g, M, radius = problem
    expected, where = textbook(H, g, M, radius)
    found, _, seen = solve(H, g, radius, norm=MatrixNorm(M))
    scale = np.sqrt(expected @ M @ expected)
    assert np.sqrt((found.step - expected) @ M @ (found.step - expected)) <= 1e-6 * scale
    assert seen[-1].phase == where
    assert not found.optimal


@QUIET
@given(problems())
def test_bounds_and_monotony(problem: tuple[np.ndarray, np.ndarray, np.ndarray, float]) -> None:
    """Grows in the M-norm, falls in value, and does as well as the Cauchy point."""
    H, g, M, radius = problem
    found, _, seen = solve(H, g, radius, norm=MatrixNorm(M))
    lengths = [i.relative_norm for i in seen]
    values = [i.value for i in seen]
    assert np.all(np.diff(lengths) >= -1e-12)
    assert np.all(np.diff(values) <= 1e-12)
    length = np.sqrt(found.step @ M @ found.step)
    assert length <= radius * (1 + 1e-14)
    assert lengths[-1] == pytest.approx(length / radius, rel=1e-9)
    q = g @ found.step + 0.5 * found.step @ H @ found.step
    assert values[-1] == pytest.approx(q, rel=1e-8)
    dual = np.sqrt(g @ np.linalg.solve(M, g))
    size = np.abs(np.linalg.eigvals(np.linalg.solve(M, H))).max()
    assert -q >= 0.5 * dual * min(radius, dual / size) * (1 - 1e-12)
    residual = H @ found.step + g + found.multiplier * M @ found.step
    shown = np.sqrt(residual @ np.linalg.solve(M, residual))
    assert seen[-1].residual == pytest.approx(shown, rel=1e-6, abs=1e-9 * dual)


def test_boundary_step_is_measured_in_the_norm_of_the_region() -> None:
    """Known elsewhere: with a preconditioner, the Euclidean length is brought to the radius."""
    d = np.array([100.0, 0.01])
    found, _, _ = solve(np.diag([1.0, -1.0]), np.array([1.0, 1.0]), 2.0, norm=DiagonalNorm(d))
    assert np.sqrt(found.step @ (d * found.step)) == pytest.approx(2.0, rel=1e-14)
    assert np.linalg.norm(found.step) > 10


def test_convex_interior_is_solved() -> None:
    values, g = [1.0, 2.0, 5.0], [0.1, 0.2, 0.3]
    found, model, _ = solve(np.diag(values), np.array(g), 10.0)
    best = exact_trs(values, g, 10.0)
    np.testing.assert_allclose(found.step, best.floats, rtol=1e-9)
    assert found.multiplier == 0.0
    assert model.matvecs == 3


def test_zero_gradient_gives_the_zero_step() -> None:
    found, model, seen = solve(np.diag([1.0, -1.0]), np.zeros(2), 1.0)
    assert not np.any(found.step)
    assert not found.optimal
    assert "g = 0" in found.message
    assert model.matvecs == 0
    assert not seen


def test_misses_the_hard_case_without_claiming_it() -> None:
    H = np.array([[1.0, 0.0, 4.0], [0.0, 2.0, 0.0], [4.0, 0.0, 3.0]])
    found, _, _ = solve(H, np.array([0.0, 2.0, 0.0]), 1.0)
    assert not found.optimal
    np.testing.assert_allclose(found.step, [0.0, -1.0, 0.0])


@pytest.mark.parametrize("h", [0.0, -1.0, 1e-320])
def test_no_curvature_exits_to_the_boundary(h: float) -> None:
    found, _, _ = solve(np.array([[h]]), np.array([2.0]), 3.0)
    np.testing.assert_allclose(found.step, [-3.0], rtol=1e-15)
    assert found.multiplier == pytest.approx(-h + 2.0 / 3.0)
    assert ("negative curvature" in found.message) == (h <= 0.0)


@given(
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.floats(1e-8, 1e8),
    st.sampled_from([1e-200, 1e-8, 1.0, 1e200]),
)
@example(1.0 - 3e-13, 0.73, 3.0, 1.0)
@example(1.0, 1.0, 2.0, 1e200)
@QUIET
def test_boundary_length(fraction: float, cosine: float, length: float, radius: float) -> None:
    import mpmath

    size = fraction * radius
    inner = cosine * size * length
    tau = boundary_length(size, inner, length * length, radius)
    with mpmath.workdps(60):
        s, i, sq, r = (mpmath.mpf(x) for x in (size, inner, length * length, radius))
        room = (r - s) * (r + s)
        exact = room / (i + mpmath.sqrt(i * i + sq * room)) if room else mpmath.mpf(0)
        assert abs(tau - exact) <= 1e-13 * exact


@pytest.mark.parametrize("h", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("c", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("r", [1e-60, 1.0, 1e60])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_extreme_scales(h: float, c: float, r: float, sign: float) -> None:
    if not 1e-300 < r * (h / c) < 1e300:
        pytest.skip("the radius in the scaled units leaves the range of float64")
    values, g = np.array([1.0, 3.0]), np.array([1.0, 0.5])
    values = values * np.array([sign, 1.0])
    found, _, _ = solve(h * np.diag(values), c * g, r)
    q = exact_value(h * values, c * g, found.step)
    with np.errstate(all="ignore"):
        bound = 0.5 * c * np.linalg.norm(g) * min(r, c * np.linalg.norm(g) / (3 * h))
    assert -q >= bound * (1 - 1e-12)
    if sign > 0:
        best = exact_trs(h * values, c * g, r).value
        assert float((q - best) / abs(best)) < 0.5


@pytest.mark.parametrize("h", [1e-15, 1.0, 1e15])
@pytest.mark.parametrize("c", [1e-15, 1.0, 1e15])
def test_extreme_scales_in_single_precision(h: float, c: float) -> None:
    H, g = np.diag([1.0, 3.0]), np.array([1.0, 0.5])
    r = 0.5 * c / h if 1e-30 < c / h < 1e30 else 1.0
    if not 1e-37 < r * h / c < 1e37:
        pytest.skip("the radius in the scaled units leaves the range of float32")
    found, _, _ = solve((h * H).astype(np.float32), (c * g).astype(np.float32), r, rtol=1e-4)
    assert found.step.dtype == np.float32
    assert np.linalg.norm(found.step.astype(float)) <= r * (1 + 1e-6)
    assert np.all(found.step < 0)


def test_one_product_and_one_fetch_an_iteration(
    strict_case: Xp, host_fetches: FetchCounter
) -> None:
    H, g, _ = rotated(np.linspace(1, 9, 8), np.ones(8), np.random.default_rng(0))
    norm = DiagonalNorm(strict_case.array(np.linspace(1, 2, 8)))
    counts = []
    for limit in (2, 5):
        model = validated_model(
            strict_case.array(H), strict_case.array(g), norm, rng=np.random.default_rng(0)
        )
        host_fetches.reset()
        steihaug(model, 100.0, Steihaug(maxiter=limit), rtol=1e-30)
        assert model.matvecs == limit
        counts.append(host_fetches.count)
    assert counts[1] - counts[0] == 3


def test_every_namespace(xp_case: Xp) -> None:
    H, g, _ = rotated([-2.0, 0.5, 1.0, 4.0], [0.5, 1.0, -1.0, 2.0], np.random.default_rng(3))
    for radius, matrix in [(1.0, H), (100.0, H @ H)]:
        expected, _ = textbook(matrix, g, np.eye(4), radius)
        found, _, _ = solve(xp_case.array(matrix), xp_case.array(g), radius, rtol=10 * xp_case.eps)
        assert xp_case.owns(found.step)
        np.testing.assert_allclose(
            xp_case.numpy(found.step), expected, rtol=0, atol=1e3 * xp_case.eps * 40
        )


def test_forcing_tolerance_follows_the_gradient_as_passed() -> None:
    assert Steihaug(rtol="forcing").tolerance(1e-8, 1e-6) == pytest.approx(1e-3)
    assert Steihaug(rtol="forcing").tolerance(1e-8, 4.0) == 0.1
    assert Steihaug(rtol=0.3).tolerance(1e-8, 4.0) == 0.3
    assert Steihaug().tolerance(1e-8, 4.0) == 1e-8
    H, g = np.diag(np.linspace(1, 9, 20)), np.ones(20)
    loose, few, _ = solve(H, g, 100.0, Steihaug(rtol="forcing"))
    _, many, _ = solve(H, g, 100.0)
    assert few.matvecs < many.matvecs
    assert np.linalg.norm(H @ loose.step + g) <= 0.1 * np.linalg.norm(g)


def test_limits_are_said() -> None:
    H, g = np.diag(np.linspace(1, 9, 20)), np.ones(20)
    found, _, _ = solve(H, g, 100.0, Steihaug(maxiter=3))
    assert "3 iterations" in found.message
    found, model, _ = solve(H, g, 100.0, max_matvec=3)
    assert "budget" in found.message
    assert model.matvecs == 3
    assert np.any(found.step)


def test_nan_from_the_product_names_it() -> None:
    class Broken:
        shape = (2, 2)
        count = 0

        def matvec(self, x: np.ndarray) -> np.ndarray:
            self.count += 1
            return x * np.array([1.0, 2.0]) if self.count < 3 else x * np.nan

    with pytest.raises(NonFiniteError, match="product 3"):
        solve(WrappedOperator(Broken(), symmetric=True), np.array([1.0, 1.0]), 100.0)


@pytest.mark.parametrize(
    ("field", "value"), [("rtol", "best"), ("rtol", 1.0), ("rtol", 0), ("maxiter", 0)]
)
def test_bad_options(field: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=field):
        Steihaug(**{field: value})


def test_norm_that_knows_only_solves() -> None:
    M = np.array([[2.0, 0.5], [0.5, 1.0]])
    H, g = np.diag([1.0, -2.0]), np.array([1.0, 0.3])
    expected, _ = textbook(H, g, M, 1.0)
    user = norms.MatrixNorm(WrappedOperator(_Product(M), symmetric=True), solve=_solver(M))
    found, _, _ = solve(H, g, 1.0, norm=user)
    np.testing.assert_allclose(found.step, expected, rtol=1e-10)


class _Product:
    def __init__(self, M: np.ndarray) -> None:
        self.M, self.shape = M, M.shape

    def matvec(self, x: np.ndarray) -> np.ndarray:
        return self.M @ x


def _solver(M: np.ndarray) -> object:
    return lambda x: np.linalg.solve(M, x)
