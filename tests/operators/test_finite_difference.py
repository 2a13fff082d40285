"""Finite-difference Hessians: their error against exact ones, and the step that makes it small."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import FetchCounter, Xp
from tests.operators.support import PROPERTY, random_matrix, random_symmetric, seeds
from tralgos.errors import (
    ArgumentError,
    ArrayTypeError,
    AsymmetryError,
    NonFiniteError,
    ShapeError,
)
from tralgos.operators import FiniteDifferenceHessian, check_symmetric

SCHEMES = ("forward", "central")


class Rosenbrock:
    """The extended Rosenbrock function's gradient and Hessian, with a count of gradients."""

    def __init__(self) -> None:
        self.calls = 0

    def gradient(self, x):
        self.calls += 1
        g = np.zeros_like(x)
        g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
        g[1:] += 200 * (x[1:] - x[:-1] ** 2)
        return g

    def hessian(self, x):
        H = np.diag(-400 * x[:-1], 1) + np.diag(-400 * x[:-1], -1)
        d = np.zeros_like(x)
        d[:-1] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        d[1:] += 200
        return H + np.diag(d)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [2, 10, 100])
def test_error_on_rosenbrock(scheme: str, dtype: type, n: int) -> None:
    f = Rosenbrock()
    x = random_matrix(n, 1, n)[:, 0].astype(dtype)
    exact = f.hessian(x.astype(np.float64))
    H = FiniteDifferenceHessian(f.gradient, x, scheme=scheme)
    error = np.abs(H @ np.eye(n, dtype=dtype) - exact).max() / np.abs(exact).max()
    assert error < 10 * H.relative_error * math.sqrt(n)


@PROPERTY
@given(seed=seeds, scheme=st.sampled_from(SCHEMES), size=st.integers(-8, 8))
def test_error_is_what_was_promised_on_a_quadratic(seed: int, scheme: str, size: int) -> None:
    # A quadratic changes its Hessian not at all: only the rounding half of the bound is used.
    A, x = random_symmetric(5, seed), random_matrix(5, 1, seed + 1)[:, 0] * 10.0**size
    v = random_matrix(5, 1, seed + 2)[:, 0]
    H = FiniteDifferenceHessian(lambda y: A @ y, x, scheme=scheme)
    error = np.linalg.norm(H @ v - A @ v)
    assert error < 5 * H.relative_error * np.linalg.norm(A) * np.linalg.norm(v)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("level", [1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize("change", [1e-2, 1.0, 1e2])
def test_the_step_is_the_best(scheme: str, level: float, change: float) -> None:
    # The gradient has errors of a known size, the Hessian a known change: no step a
    # factor of ten away does better, and the promised error is kept.
    rng = np.random.default_rng(1)

    def gradient(x):
        curved = change * x**2 / 2 if scheme == "forward" else change * x**3 / 6
        return x + curved + level * rng.choice([-1.0, 1.0], x.shape)

    def worst_error(scale: float) -> float:
        options = {"gradient_error": level, "curvature_change": change, "scheme": scheme}
        errors = []
        for _ in range(200):
            H = FiniteDifferenceHessian(gradient, np.zeros(1), scale=scale, **options)
            errors.append(abs(float((H @ np.ones(1))[0]) - 1.0))
        return max(errors)

    H = FiniteDifferenceHessian(
        gradient, np.zeros(1), scale=1.0, scheme=scheme,
        gradient_error=level, curvature_change=change,
    )  # fmt: skip
    best = worst_error(1.0)
    assert 0.3 * H.relative_error < best <= 1.01 * H.relative_error
    assert best < worst_error(0.1)
    assert best < worst_error(10.0)


def test_step_formulas() -> None:
    options = {"gradient_error": 1e-10, "curvature_change": 4.0, "scale": 3.0}
    forward = FiniteDifferenceHessian(np.sin, np.ones(2), **options)
    assert forward.step == pytest.approx(3.0 * 2.0 * math.sqrt(1e-10 / 4.0))
    assert forward.relative_error == pytest.approx(2.0 * math.sqrt(4e-10))
    central = FiniteDifferenceHessian(np.sin, np.ones(2), scheme="central", **options)
    assert central.step == pytest.approx(3.0 * (3e-10 / 4.0) ** (1 / 3))
    assert central.relative_error == pytest.approx(1.5 * (4 / 3) ** (1 / 3) * 1e-10 ** (2 / 3))


def test_default_step_follows_the_point_and_the_precision() -> None:
    def step(x, **options):
        return FiniteDifferenceHessian(np.sin, x, **options).step

    small = 2 * math.sqrt(np.finfo(np.float64).eps)
    assert step(np.zeros(3)) == small
    assert step(np.array([0.3, 0.4])) == small
    assert step(np.array([30.0, 40.0])) == pytest.approx(50 * small)
    assert step(np.zeros(3, dtype=np.float32)) == 2 * math.sqrt(np.finfo(np.float32).eps)
    assert step(np.zeros(3), gradient_error=1e-30) == small
    assert FiniteDifferenceHessian(lambda x: x, np.array([3e200, 4e200])).step == pytest.approx(
        5e200 * small
    )


@PROPERTY
@given(seed=seeds, scheme=st.sampled_from(SCHEMES), exponent=st.integers(-900, 900))
def test_the_length_of_the_vector_does_not_matter(seed: int, scheme: str, exponent: int) -> None:
    x, v = random_matrix(6, 2, seed).T
    H = FiniteDifferenceHessian(np.sin, x, scheme=scheme)
    np.testing.assert_array_equal(H @ (v * 2.0**exponent), (H @ v) * 2.0**exponent)


@PROPERTY
@given(seed=seeds, scheme=st.sampled_from(SCHEMES), c=st.floats(-1e6, 1e6))
def test_nearly_linear(seed: int, scheme: str, c: float) -> None:
    x, v, w = random_matrix(6, 3, seed).T
    H = FiniteDifferenceHessian(np.sin, x, scheme=scheme)
    size = abs(c) * np.linalg.norm(v) + np.linalg.norm(w)
    assert np.linalg.norm(H @ (c * v + w) - c * (H @ v) - H @ w) <= 20 * H.relative_error * size


@pytest.mark.parametrize("scheme", SCHEMES)
def test_zero_gives_zero(scheme: str) -> None:
    # Also where the given gradient is not the one that the function returns.
    H = FiniteDifferenceHessian(np.cos, np.ones(3), g=np.ones(3), scheme=scheme)
    np.testing.assert_array_equal(H @ np.zeros(3), np.zeros(3))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_library(xp_case: Xp, scheme: str) -> None:
    A, x = random_symmetric(4, 1), random_matrix(4, 3, 2)
    matrix = xp_case.array(A)
    H = FiniteDifferenceHessian(lambda y: matrix @ y, xp_case.array(x[:, 0]), scheme=scheme)
    tolerance = 50 * H.relative_error * np.abs(A).max()
    for got, want in [
        (H @ xp_case.array(x[:, 1]), A @ x[:, 1]),
        (H @ xp_case.array(x), A @ x),
    ]:
        assert xp_case.owns(got)
        np.testing.assert_allclose(xp_case.numpy(got), want, atol=tolerance)
    assert H.dtype == xp_case.dtype


@pytest.mark.parametrize("scheme", SCHEMES)
def test_transfers(strict_case: Xp, host_fetches: FetchCounter, scheme: str) -> None:
    x = strict_case.array([1.0, 2.0])
    H = FiniteDifferenceHessian(lambda y: 2.0 * y, x, scheme=scheme)
    assert host_fetches.count == 1
    host_fetches.reset()
    H @ x
    assert host_fetches.log == []


def test_gradients_are_counted_and_none_is_wasted() -> None:
    f, x = Rosenbrock(), np.ones(4)
    H = FiniteDifferenceHessian(f.gradient, x)
    assert f.calls == H.gradient_evaluations == 1
    H @ x
    H @ x
    assert f.calls == H.gradient_evaluations == 3
    f.calls = 0
    assert FiniteDifferenceHessian(f.gradient, x, g=np.zeros(4)).gradient_evaluations == 0
    H = FiniteDifferenceHessian(f.gradient, x, scheme="central")
    assert f.calls == 0
    H @ x
    assert f.calls == H.gradient_evaluations == 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_point_may_change_and_the_gradient_reuse_its_buffer(scheme: str) -> None:
    buffer = np.empty(3)

    def gradient(x):
        return np.multiply(x, x, out=buffer)

    x = np.array([1.0, 2.0, 3.0])
    H = FiniteDifferenceHessian(gradient, x, scheme=scheme)
    x[:] = 0.0
    np.testing.assert_allclose(H @ np.ones(3), [2.0, 4.0, 6.0], atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_symmetry_check_lets_it_pass(scheme: str, dtype: type) -> None:
    f = Rosenbrock()
    for n in (2, 10, 100):
        for seed in range(20):
            x = random_matrix(n, 1, seed)[:, 0].astype(dtype)
            H = FiniteDifferenceHessian(f.gradient, x, scheme=scheme)
            assert H.symmetric is None
            check_symmetric(H, x, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_symmetry_check_finds_what_is_no_gradient(scheme: str) -> None:
    A = random_matrix(10, 10, 1)
    H = FiniteDifferenceHessian(lambda x: A @ x, np.ones(10), scheme=scheme)
    for seed in range(20):
        with pytest.raises(AsymmetryError):
            check_symmetric(H, np.ones(10), rng=np.random.default_rng(seed))


def test_an_error_of_the_gradient_arrives_unchanged() -> None:
    raised = ZeroDivisionError("from the user")

    def gradient(x):
        raise raised

    with pytest.raises(ZeroDivisionError) as caught:
        FiniteDifferenceHessian(gradient, np.ones(2))
    assert caught.value is raised
    with pytest.raises(ZeroDivisionError):
        FiniteDifferenceHessian(gradient, np.ones(2), scheme="central") @ np.ones(2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"grad": None}, ArrayTypeError, "grad must be callable"),
        ({"grad": lambda x: x[:1]}, ShapeError, "grad"),
        ({"grad": lambda x: x.tolist()}, ArrayTypeError, "grad"),
        ({"grad": lambda x: x.astype(np.float32)}, ArrayTypeError, "grad"),
        ({"x": [1.0, 2.0]}, ArrayTypeError, "x must"),
        ({"x": np.eye(2)}, ArrayTypeError, "x must"),
        ({"x": np.array([1.0, np.nan])}, NonFiniteError, "x has"),
        ({"x": np.array([1.0, np.inf])}, NonFiniteError, "x has"),
        ({"g": np.ones(3)}, ShapeError, "g has"),
        ({"g": np.ones(2, dtype=np.float32)}, ArrayTypeError, "g has"),
        ({"gradient_error": 0.0}, ArgumentError, "gradient_error"),
        ({"gradient_error": -1.0}, ArgumentError, "gradient_error"),
        ({"gradient_error": np.inf}, ArgumentError, "gradient_error"),
        ({"gradient_error": "1"}, ArrayTypeError, "gradient_error"),
        ({"curvature_change": 0.0}, ArgumentError, "curvature_change"),
        ({"curvature_change": np.nan}, ArgumentError, "curvature_change"),
        ({"scale": 0.0}, ArgumentError, "scale"),
        ({"scheme": "backward"}, ArgumentError, "scheme must be 'forward' or 'central'"),
    ],
)
def test_bad_arguments_are_named(options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        FiniteDifferenceHessian(**{"grad": np.sin, "x": np.ones(2), **options})


def test_an_integer_point_is_promoted() -> None:
    H = FiniteDifferenceHessian(lambda x: x * x, np.array([1, 2]))
    np.testing.assert_allclose(H @ np.ones(2), [2.0, 4.0], rtol=1e-6)


def test_an_empty_point() -> None:
    assert FiniteDifferenceHessian(lambda x: x, np.ones(0)).shape == (0, 0)
