"""Quadratics: value and derivatives from one product, spectra and minimisers as asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import Xp
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator, DenseOperator, DiagonalOperator
from tralgos.problems import Quadratic, quadratic_with_spectrum

seeds = st.integers(0, 2**32 - 1)
ROTATIONS = ("none", "random", "dense", "reflections")


def dense(f: Quadratic, like: np.ndarray | None = None) -> np.ndarray:
    n = f.n
    return f.H.matmat(np.eye(n) if like is None else like)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=5), st.integers(0, 99), st.integers(-5, 5))
def test_value_and_gradient_are_exact_on_integers(x: list[int], seed: int, c: int) -> None:
    n = len(x)
    rng = np.random.default_rng(seed)
    H, b = rng.integers(-5, 6, (n, n)), rng.integers(-5, 6, n)
    H = H + H.T
    exact = sum(Fraction(int(H[i, j]) * x[i] * x[j], 2) for i in range(n) for j in range(n)) + sum(
        int(b[i]) * x[i] for i in range(n)
    )
    f = Quadratic(H, b, c)
    value, gradient = f.value_and_gradient(np.array(x, dtype=float))
    assert Fraction(value) == exact + c
    assert f.value(np.array(x, dtype=float)) == value
    assert np.array_equal(gradient, H @ np.array(x) + b)
    assert np.array_equal(f.gradient(np.array(x, dtype=float)), gradient)


def test_each_evaluation_is_one_product() -> None:
    H = CountingOperator(np.diag([1.0, 2.0]))
    f = Quadratic(H, np.ones(2))
    x = np.ones(2)
    for count, method in enumerate([f.value, f.gradient, f.value_and_gradient], start=1):
        method(x)
        assert H.count == count
    f.hessian(x)
    assert H.count == 3


def test_in_every_library(xp_case: Xp) -> None:
    H = xp_case.array([[2.0, 1.0], [1.0, 3.0]])
    f = Quadratic(H, xp_case.array([1.0, -1.0]), c=0.5)
    x = xp_case.array([1.0, 2.0])
    value, gradient = f.value_and_gradient(x)
    assert value == 0.5 * 18.0 - 1.0 + 0.5
    assert xp_case.owns(gradient)
    assert np.array_equal(xp_case.numpy(gradient), [5.0, 6.0])
    assert f.check_derivatives(x).ok


def test_huge_and_tiny_units() -> None:
    for unit in (1e-150, 1e150):
        f = Quadratic(np.diag([2.0, 4.0]) / unit, np.array([1.0, 1.0]))
        assert f.value(np.array([1.0, 1.0]) * unit) == pytest.approx(5.0 * unit)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="H must be square"):
        Quadratic(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="b has length 3"):
        Quadratic(np.eye(2), np.ones(3))
    with pytest.raises(ArrayTypeError, match="b must be a vector"):
        Quadratic(np.eye(2), np.ones((2, 1)))
    with pytest.raises(ArrayTypeError, match="b has dtype float32"):
        Quadratic(np.eye(2), np.ones(2, dtype=np.float32))
    with pytest.raises(ArgumentError, match="c must be finite"):
        Quadratic(np.eye(2), c=np.inf)
    with pytest.raises(ArrayTypeError, match="x has dtype float32"):
        Quadratic(np.eye(2)).gradient(np.ones(2, dtype=np.float32))
    with pytest.raises(ShapeError, match="2 variables"):
        Quadratic(np.eye(2)).gradient(np.ones(3))


@given(
    st.lists(st.sampled_from([-3.0, 0.0, 0.0, 1.0, 1.0, 1e-8, 1e4]), min_size=1, max_size=8),
    st.sampled_from(ROTATIONS),
    seeds,
)
def test_the_spectrum_is_the_one_asked_for(values: list[float], rotation: str, seed: int) -> None:
    f = quadratic_with_spectrum(values, rotation=rotation, rng=seed)
    H = dense(f)
    scale = max(abs(v) for v in values)
    assert np.abs(H - H.T).max() <= 1e-14 * scale
    assert np.allclose(np.linalg.eigvalsh(H), sorted(values), rtol=0.0, atol=1e-13 * scale)


@pytest.mark.parametrize("power", [-150, 150])
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_the_spectrum_in_extreme_units(power: int, rotation: str) -> None:
    unit = 10.0**power
    f = quadratic_with_spectrum(np.array([1.0, 2.0, 7.0]) * unit, rotation=rotation, rng=1)
    assert np.allclose(np.linalg.eigvalsh(dense(f) / unit), [1.0, 2.0, 7.0])


@pytest.mark.parametrize("rotation", ["random", "dense", "reflections"])
def test_rotations_rotate(rotation: str) -> None:
    H = dense(quadratic_with_spectrum([1.0, 2.0, 3.0, 4.0], rotation=rotation, rng=0))
    assert np.abs(H - np.diag(np.diag(H))).max() > 0.1


@pytest.mark.parametrize("rotation", ["none", "random", "reflections"])
def test_many_variables_need_no_matrix(rotation: str) -> None:
    n = 200_000
    f = quadratic_with_spectrum(np.linspace(-1.0, 1.0, n), rotation=rotation, rng=0)
    x = np.ones(n)
    assert abs(f.value(x)) <= 0.5 * n
    assert not isinstance(f.H, DenseOperator)


def test_random_is_dense_for_few_variables_and_reflections_for_many() -> None:
    few = quadratic_with_spectrum(np.ones(256), rotation="random")
    many = quadratic_with_spectrum(np.ones(257), rotation="random")
    assert isinstance(few.H, DenseOperator)
    assert not isinstance(many.H, DenseOperator)
    assert isinstance(quadratic_with_spectrum([1.0, 2.0]).H, DiagonalOperator)


def test_columns_and_vectors_give_the_same_products() -> None:
    f = quadratic_with_spectrum(np.arange(6.0), rotation="reflections", rng=3)
    X = np.random.default_rng(0).standard_normal((6, 3))
    assert np.allclose(f.H.matmat(X), np.stack([f.H.matvec(x) for x in X.T], axis=1), atol=1e-14)


def test_one_seed_gives_one_rotation() -> None:
    for rotation in ("dense", "reflections"):
        a, b, c = (
            dense(quadratic_with_spectrum([1.0, 5.0, 9.0], rotation=rotation, rng=s))
            for s in (1, 1, 2)
        )
        assert np.array_equal(a, b)
        assert not np.allclose(a, c)


@given(seeds, st.sampled_from(ROTATIONS))
def test_the_minimiser_minimises(seed: int, rotation: str) -> None:
    rng = np.random.default_rng(seed)
    m = rng.standard_normal(5)
    values = np.array([0.0, 1e-3, 1.0, 2.0, 50.0])
    f = quadratic_with_spectrum(values, rotation=rotation, rng=rng, minimiser=m)
    assert f.minimisers[0] is m
    assert np.abs(f.gradient(m)).max() <= 1e-13
    assert f.value(m) == pytest.approx(f.optimal_value, rel=1e-12, abs=1e-13)
    others = [f.value(m + rng.standard_normal(5)) for _ in range(5)]
    assert min(others) >= f.optimal_value - 1e-12


def test_without_a_minimiser_it_is_zero_or_none() -> None:
    f = quadratic_with_spectrum([1.0, 0.0])
    assert np.array_equal(f.minimisers[0], [0.0, 0.0])
    assert f.optimal_value == 0.0
    g = quadratic_with_spectrum([1.0, -1.0])
    assert g.minimisers == ()
    assert g.optimal_value is None
    with pytest.raises(ArgumentError, match="the smallest eigenvalue is -1"):
        quadratic_with_spectrum([1.0, -1.0], minimiser=np.zeros(2))


@given(st.floats(-10.0, 10.0))
def test_an_angle_turns_the_axes(angle: float) -> None:
    H = dense(quadratic_with_spectrum([1.0, 20.0], rotation=angle))
    first = np.array([np.cos(angle), np.sin(angle)])
    assert np.allclose(H @ first, first, atol=1e-13)
    second = np.array([-np.sin(angle), np.cos(angle)])
    assert np.allclose(H @ second, 20.0 * second, atol=1e-13)


def test_the_quadratics_of_figure_1() -> None:
    for kappa, angle in ((2.0, 0.0), (20.0, 0.0), (20.0, np.pi / 4)):
        H = dense(quadratic_with_spectrum([1.0, kappa], rotation=angle))
        assert np.linalg.cond(H) == pytest.approx(kappa)
    assert np.allclose(H, [[10.5, -9.5], [-9.5, 10.5]])


def test_wrong_spectra_and_rotations_are_refused() -> None:
    with pytest.raises(ArgumentError, match="unknown rotation 'haar'"):
        quadratic_with_spectrum([1.0, 2.0], rotation="haar")
    with pytest.raises(ArgumentError, match="needs n = 2, got 3"):
        quadratic_with_spectrum([1.0, 2.0, 3.0], rotation=0.1)
    with pytest.raises(ArgumentError, match="rotation must be finite"):
        quadratic_with_spectrum([1.0, 2.0], rotation=np.nan)
    with pytest.raises(NonFiniteError, match="eigenvalues"):
        quadratic_with_spectrum([1.0, np.inf])
    with pytest.raises(ShapeError, match="empty"):
        quadratic_with_spectrum([])
    with pytest.raises(ArrayTypeError, match="eigenvalues must be a vector"):
        quadratic_with_spectrum(np.eye(2))
    with pytest.raises(ShapeError, match="minimiser has length 3, eigenvalues 2"):
        quadratic_with_spectrum([1.0, 2.0], minimiser=np.zeros(3))
    with pytest.raises(ArgumentError, match="rng"):
        quadratic_with_spectrum([1.0, 2.0], rotation="dense", rng="x")


@pytest.mark.parametrize("rotation", [*ROTATIONS, 0.3])
def test_spectra_in_every_library(xp_case: Xp, rotation: str | float) -> None:
    like = xp_case.array([0.0])
    m = xp_case.array([1.0, -2.0])
    for values, where in (([1.0, 3.0], like), (xp_case.array([1.0, 3.0]), None)):
        f = quadratic_with_spectrum(values, rotation=rotation, minimiser=m, like=where, rng=1)
        g = f.gradient(m)
        assert xp_case.owns(g)
        assert np.abs(xp_case.numpy(g)).max() <= 10 * xp_case.eps
        x = xp_case.array([0.7, -0.4])
        assert f.check_derivatives(x).ok
        host = quadratic_with_spectrum([1.0, 3.0], rotation=rotation, rng=1)
        product = xp_case.numpy(f.H.matmat(xp_case.array(np.eye(2))))
        assert np.allclose(product, dense(host), atol=20 * xp_case.eps)


def test_a_minimiser_of_another_library_is_refused(strict_case: Xp) -> None:
    with pytest.raises(ArrayTypeError, match="minimiser"):
        quadratic_with_spectrum([1.0, 3.0], minimiser=strict_case.array([1.0, 2.0]))
