"""Functions with saddles: their stationary points are stationary, of the kind they say, and all."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import Xp
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.operators import CountingOperator, DiagonalOperator
from tralgos.problems import (
    DegenerateMinimum,
    DoubleWell,
    MonkeySaddle,
    QuarticSaddle,
    Saddle,
)

PLANE = [Saddle(), MonkeySaddle(), DoubleWell(2), DegenerateMinimum()]
ALL = [*PLANE, DoubleWell(1), DoubleWell(3)]


def hessian(p, x: np.ndarray) -> np.ndarray:
    return p.hessian(x).matmat(np.eye(p.n))


@pytest.mark.parametrize("p", ALL, ids=repr)
def test_stationary_points_are_stationary(p) -> None:
    for s in p.stationary_points():
        assert np.abs(p.gradient(s.point)).max() <= 1e-14 * max(1.0, np.abs(s.point).max() ** 3)


@pytest.mark.parametrize("p", ALL, ids=repr)
def test_stationary_points_are_of_the_kind_they_say(p) -> None:
    # By the values on small circles around, which degenerate Hessians do not mislead.
    rng = np.random.default_rng(0)
    for s in p.stationary_points():
        u = rng.standard_normal((600, p.n))
        u = 1e-2 * u / np.linalg.norm(u, axis=1, keepdims=True)
        if p.n == 2:
            angle = np.arange(0, 2 * np.pi, np.pi / 300)
            u = 1e-2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        changes = np.array([p.value(s.point + d) for d in u]) - p.value(s.point)
        found = "saddle"
        if changes.min() > 0.0:
            found = "minimum"
        elif changes.max() < 0.0:
            found = "maximum"
        assert s.kind == found, s


@pytest.mark.parametrize("p", PLANE, ids=repr)
def test_there_are_no_other_stationary_points(p) -> None:
    # Newton's method from everywhere ends at known points alone, and at each of them.
    known = np.array([s.point for s in p.stationary_points()])
    starts = [*np.random.default_rng(1).uniform(-4, 4, (60, 2)), *(known + 0.01)]
    found = set()
    for x in starts:
        for _ in range(60):
            x = x - np.linalg.lstsq(hessian(p, x), p.gradient(x))[0]
        if np.abs(p.gradient(x)).max() > 1e-12:
            continue
        distance = np.linalg.norm(known - x, axis=1)
        # Near a degenerate point the error is the third root of that of the gradient.
        assert distance.min() < 1e-3, x
        found.add(int(np.argmin(distance)))
    assert found == set(range(len(known)))


@pytest.mark.parametrize("p", ALL, ids=repr)
def test_minimisers_are_global(p) -> None:
    for x in p.minimisers:
        assert p.value(x) == pytest.approx(p.optimal_value, abs=1e-14)
    assert p.minimisers
    rng = np.random.default_rng(2)
    values = [p.value(x) for x in rng.uniform(-4, 4, (500, p.n))]
    assert min(values) >= p.optimal_value


@pytest.mark.parametrize("p", ALL, ids=repr)
def test_derivatives_in_every_library(p, xp_case: Xp) -> None:
    x = xp_case.array(np.random.default_rng(3).standard_normal(p.n))
    check = p.check_derivatives(x)
    assert check.ok, check.message
    assert xp_case.owns(p.gradient(x))
    assert xp_case.owns(p.hessian(x) @ x)


@pytest.mark.parametrize("p", ALL, ids=repr)
def test_values_by_hand(p) -> None:
    def expected(x: np.ndarray) -> float:
        if isinstance(p, DoubleWell):
            return float(np.sum((x**2 - 1) ** 2) / 4)
        a, b = x
        return {
            Saddle: a**2 - b**2 + b**4,
            MonkeySaddle: a**3 - 3 * a * b**2 + (a**2 + b**2) ** 2 / 4,
            DegenerateMinimum: (a + b**2) ** 2 / 2 + b**4 / 2,
        }[type(p)]

    for x in np.random.default_rng(4).standard_normal((20, p.n)):
        assert p.value(x) == pytest.approx(expected(x), rel=1e-12, abs=1e-13)
    assert p.start.shape == (p.n,)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_double_well_has_three_to_the_n(n: int) -> None:
    points = list(DoubleWell(n).stationary_points())
    assert len({tuple(s.point) for s in points}) == len(points) == 3**n
    kinds = [s.kind for s in points]
    assert kinds.count("minimum") == 2**n
    assert kinds.count("maximum") == 1
    # Nothing degenerate: the Hessian's signs decide.
    for s in points:
        signs = np.linalg.eigvalsh(hessian(DoubleWell(n), s.point)) > 0
        assert (s.kind == "minimum") == signs.all()
        assert (s.kind == "maximum") == (not signs.any())


def test_double_well_lists_its_points_one_at_a_time() -> None:
    first = next(DoubleWell(200).stationary_points())
    assert first.kind == "minimum"
    with pytest.raises(ArgumentError, match="n must be"):
        DoubleWell(0)


def test_degenerate_hessians_are_singular() -> None:
    assert np.array_equal(hessian(DegenerateMinimum(), np.zeros(2)), np.diag([1.0, 0.0]))
    assert not np.any(hessian(MonkeySaddle(), np.zeros(2)))
    # Not convex in any neighbourhood of the minimiser.
    assert np.linalg.eigvalsh(hessian(DegenerateMinimum(), np.array([-1e-6, 0.0])))[0] < 0.0


def symmetric(n: int, seed: int) -> np.ndarray:
    A = np.random.default_rng(seed).standard_normal((n, n))
    return A + A.T


@given(st.integers(1, 6), st.integers(0, 10**6))
def test_the_leftmost_eigenvector_gives_the_minimisers(n: int, seed: int) -> None:
    H = symmetric(n, seed)
    values, vectors = np.linalg.eigh(H)
    p = QuarticSaddle(H, leftmost=(values[0], 3.0 * vectors[:, 0]))
    size = np.abs(values).max()
    for x in p.minimisers:
        assert np.abs(p.gradient(x)).max() <= 1e-13 * size**1.5
        assert p.value(x) == pytest.approx(p.optimal_value, rel=1e-10, abs=1e-13 * size**2)
    assert p.optimal_value == pytest.approx(-(min(values[0], 0.0) ** 2) / 4)
    rng = np.random.default_rng(seed)
    for start in rng.standard_normal((3, n)) * np.sqrt(size):
        found = scipy.optimize.minimize(p.value, start, jac=p.gradient, method="BFGS")
        assert found.fun >= p.optimal_value - 1e-12 * size**2
    # Stationary at every negative eigenvalue, with the value that the docstring says.
    for value, v in zip(values, vectors.T, strict=True):
        if value < 0.0:
            x = np.sqrt(-value) * v
            assert np.abs(p.gradient(x)).max() <= 1e-13 * size**1.5
            assert p.value(x) == pytest.approx(-(value**2) / 4, rel=1e-9, abs=1e-13 * size**2)


def test_a_positive_definite_quartic_has_its_minimum_at_zero() -> None:
    p = QuarticSaddle(np.diag([2.0, 3.0]), leftmost=(2.0, np.array([1.0, 0.0])))
    (x,) = p.minimisers
    assert not np.any(x)
    assert p.optimal_value == 0.0


def test_one_product_each() -> None:
    H = CountingOperator(np.diag([-1.0, 2.0]))
    p = QuarticSaddle(H)
    x = np.ones(2)
    p.value_and_gradient(x)
    assert H.count == 1
    p.hessian(x).matvec(x)
    assert H.count == 2
    assert p.minimisers == ()
    assert p.optimal_value is None


def test_quartic_in_every_library(xp_case: Xp) -> None:
    d, v = xp_case.array([-1.0, 2.0, 0.5]), xp_case.array([2.0, 0.0, 0.0])
    p = QuarticSaddle(DiagonalOperator(d), leftmost=(-1.0, v))
    assert all(xp_case.owns(x) for x in p.minimisers)
    x = xp_case.array([0.5, -1.0, 2.0])
    check = p.check_derivatives(x)
    assert check.ok, check.message
    assert p.hessian(x).symmetric


@pytest.mark.parametrize("power", [-70, 70])
def test_quartic_in_extreme_units(power: int) -> None:
    unit = 10.0**power
    v = np.array([1.0, 1.0]) * 10.0 ** (2 * power)
    H = np.array([[0.0, -1.0], [-1.0, 0.0]]) * unit**2
    p = QuarticSaddle(H, leftmost=(-(unit**2), v))
    assert np.allclose(p.minimisers[0] / unit, np.sqrt([0.5, 0.5]))


def test_what_is_no_leftmost_pair_is_refused() -> None:
    H = np.diag([-1.0, 2.0])
    with pytest.raises(ArgumentError, match="no eigenpair"):
        QuarticSaddle(H, leftmost=(-1.0, np.ones(2)))
    with pytest.raises(ArgumentError, match="no eigenpair"):
        QuarticSaddle(H, leftmost=(-1.1, np.array([1.0, 0.0])))
    with pytest.raises(ArgumentError, match="not zero"):
        QuarticSaddle(H, leftmost=(-1.0, np.zeros(2)))
    with pytest.raises(ArgumentError, match="finite"):
        QuarticSaddle(H, leftmost=(np.nan, np.array([1.0, 0.0])))
    with pytest.raises(ArgumentError, match="pair"):
        QuarticSaddle(H, leftmost=-1.0)
    with pytest.raises(ShapeError, match="length 3"):
        QuarticSaddle(H, leftmost=(-1.0, np.ones(3)))
    with pytest.raises(ArrayTypeError, match=r"leftmost\[1\]"):
        QuarticSaddle(H, leftmost=(-1.0, [1.0, 0.0]))
    with pytest.raises(ShapeError, match="square"):
        QuarticSaddle(np.ones((2, 3)))
