"""The Cauchy point and the eigenpoint, and the decrease that they guarantee."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.namespaces import Xp
from tests.oracle import rotated
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    AsymmetryError,
    NonFiniteError,
    ShapeError,
)
from tralgos.norms import DiagonalNorm, MatrixNorm
from tralgos.operators import CountingOperator
from tralgos.subproblems.points import cauchy_point, eigen_point

QUIET = settings(derandomize=True, database=None, deadline=None, max_examples=60)


def value(H: np.ndarray, g: np.ndarray, s: np.ndarray) -> float:
    return float(g @ s + 0.5 * s @ H @ s)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    n = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    H, g, _ = rotated(rng.uniform(-3, 4, n), rng.standard_normal(n), rng)
    M, _, _ = rotated(np.exp(rng.uniform(-2, 2, n)), g, rng)
    return H, g, M, draw(st.sampled_from([1e-2, 0.3, 1.0, 30.0]))


def pencil(H: np.ndarray, M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and M-unit eigenvectors of (H, M), by the Cholesky factor."""
    L = np.linalg.cholesky(M)
    w, V = np.linalg.eigh(np.linalg.solve(L, np.linalg.solve(L, H).T))
    return w, np.linalg.solve(L.T, V)


@QUIET
@given(problems())
def test_cauchy_point_minimises_along_its_line(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    H, g, M, radius = problem
    s = cauchy_point(H, g, radius, norm=MatrixNorm(M))
    steepest = -np.linalg.solve(M, g)
    steepest *= radius / np.sqrt(steepest @ M @ steepest)
    assert np.sqrt(s @ M @ s) <= radius * (1 + 1e-14)
    best = min(value(H, g, t * steepest) for t in np.linspace(0, 1, 2001))
    assert value(H, g, s) <= best + 1e-12 * (1 + abs(best))
    np.testing.assert_allclose(np.abs(s @ M @ steepest), np.sqrt(s @ M @ s) * radius, rtol=1e-10)
    dual = np.sqrt(g @ np.linalg.solve(M, g))
    size = np.abs(pencil(H, M)[0]).max()
    assert -value(H, g, s) >= 0.5 * dual * min(radius, dual / size) * (1 - 1e-12)


def test_cauchy_decrease_is_sharp() -> None:
    H, g = np.diag([4.0, 1.0]), np.array([2.0, 0.0])
    assert value(H, g, cauchy_point(H, g, 0.5)) == -0.5 * 2.0 * min(0.5, 2.0 / 4.0)


@QUIET
@given(problems(), st.booleans())
def test_eigen_point_minimises_along_the_direction(
    problem: tuple[np.ndarray, np.ndarray, np.ndarray, float], exact: bool
) -> None:
    H, g, M, radius = problem
    w, V = pencil(H, M)
    v = V[:, 0] if exact else V @ np.ones(w.size)
    s = eigen_point(H, g, radius, norm=MatrixNorm(M), direction=-7.0 * v)
    v = v / np.sqrt(v @ M @ v)
    best = min(value(H, g, t * radius * v) for t in np.linspace(-1, 1, 2001))
    assert value(H, g, s) <= best + 1e-12 * (1 + abs(best))
    assert g @ s <= 1e-14 * radius
    assert np.sqrt(s @ M @ s) <= radius * (1 + 1e-14)
    if exact and w[0] < 0:
        assert -value(H, g, s) >= 0.5 * abs(w[0]) * radius**2 * (1 - 1e-10)


def test_eigen_point_by_the_sign_of_the_curvature() -> None:
    g = np.array([0.5, 1.0])
    e1 = np.array([1.0, 0.0])
    np.testing.assert_allclose(eigen_point(np.diag([-1.0, 1.0]), g, 2.0, direction=e1), [-2, 0])
    np.testing.assert_allclose(eigen_point(np.diag([2.0, 1.0]), g, 2.0, direction=e1), [-0.25, 0])
    np.testing.assert_allclose(eigen_point(np.diag([0.0, 1.0]), g, 2.0, direction=e1), [-2, 0])
    g[0] = 0.0
    np.testing.assert_allclose(eigen_point(np.diag([-1.0, 1.0]), g, 2.0, direction=e1), [2, 0])
    np.testing.assert_array_equal(eigen_point(np.diag([0.0, 1.0]), g, 2.0, direction=e1), [0, 0])
    np.testing.assert_array_equal(eigen_point(np.diag([1.0, 1.0]), g, 2.0, direction=e1), [0, 0])


def test_eigen_point_finds_its_own_direction() -> None:
    pytest.importorskip("tralgos.subproblems.curvature")
    rng = np.random.default_rng(0)
    d = np.exp(rng.standard_normal(12))
    H, g, _ = rotated(np.linspace(-2, 3, 12), np.ones(12), rng)
    w, _ = pencil(H, np.diag(d))
    s = eigen_point(H, g, 1.5, norm=DiagonalNorm(d), rng=3)
    assert -value(H, g, s) >= 0.5 * abs(w[0]) * 1.5**2 * (1 - 1e-3)


def test_one_product_each() -> None:
    counted = CountingOperator(np.diag([1.0, -1.0]))
    cauchy_point(counted, np.ones(2), 1.0)
    assert counted.count == 1
    eigen_point(counted, np.ones(2), 1.0, direction=np.array([0.0, 1.0]))
    assert counted.count == 2
    cauchy_point(counted, np.zeros(2), 1.0)
    assert counted.count == 2


@pytest.mark.parametrize("h", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("c", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("r", [1e-60, 1.0, 1e60])
def test_extreme_scales(h: float, c: float, r: float) -> None:
    H, g = np.diag([2.0, -1.0]), np.array([1.0, 0.5])
    s = cauchy_point(h * H, c * g, r)
    reach = min(r, np.float64(np.sqrt(1.25)) / 1.4 * (c / h))
    np.testing.assert_allclose(s, -g / np.sqrt(1.25) * reach, rtol=1e-12)
    s = eigen_point(h * H, c * g, r, direction=np.array([0.0, 1e-200]))
    np.testing.assert_allclose(s, [0.0, -r], rtol=1e-12)
    s = eigen_point(h * H, c * g, r, direction=np.array([1e200, 0.0]))
    np.testing.assert_allclose(s, [-min(r, 0.5 * (c / h)), 0.0], rtol=1e-12)


def test_every_namespace(xp_case: Xp) -> None:
    H, g, d = np.diag([3.0, -1.0]), np.array([1.0, 0.5]), np.array([2.0, 0.5])
    norm = DiagonalNorm(xp_case.array(d))
    s = cauchy_point(xp_case.array(H), xp_case.array(g), 2.0, norm=norm)
    assert xp_case.owns(s)
    expected = cauchy_point(H, g, 2.0, norm=DiagonalNorm(d))
    np.testing.assert_allclose(xp_case.numpy(s), expected, rtol=20 * xp_case.eps)
    v = xp_case.array([0.1, 1.0])
    s = eigen_point(xp_case.array(H), xp_case.array(g), 2.0, norm=norm, direction=v)
    assert xp_case.owns(s)
    expected = eigen_point(H, g, 2.0, norm=DiagonalNorm(d), direction=np.array([0.1, 1.0]))
    np.testing.assert_allclose(xp_case.numpy(s), expected, rtol=50 * xp_case.eps)


def test_bad_input_is_named() -> None:
    H, g = np.eye(2), np.ones(2)
    for radius in (0.0, -1.0, np.inf, np.nan, "1", True):
        with pytest.raises(ArgumentError, match="radius"):
            cauchy_point(H, g, radius)
        with pytest.raises(ArgumentError, match="radius"):
            eigen_point(H, g, radius, direction=g)
    with pytest.raises(AsymmetryError):
        cauchy_point(np.array([[1.0, 2.0], [0.0, 1.0]]), g, 1.0)
    with pytest.raises(NonFiniteError, match="g"):
        cauchy_point(H, np.array([1.0, np.nan]), 1.0)
    with pytest.raises(ShapeError):
        cauchy_point(np.eye(3), g, 1.0)
    with pytest.raises(ShapeError, match="direction"):
        eigen_point(H, g, 1.0, direction=np.ones(3))
    with pytest.raises(ArgumentError, match="direction"):
        eigen_point(H, g, 1.0, direction=np.zeros(2))
    with pytest.raises(ArrayTypeError, match="direction"):
        eigen_point(H, g, 1.0, direction=np.ones(2, dtype=np.float32))
    with pytest.raises(NonFiniteError, match="direction"):
        eigen_point(H, g, 1.0, direction=np.array([np.inf, 0.0]))
