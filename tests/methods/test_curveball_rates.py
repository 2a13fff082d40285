"""CurveBall's spectral radius and its best fixed parameters, against fifty and more digits."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.namespaces import Xp
from tralgos.errors import ArgumentError, ArrayTypeError
from tralgos.methods.curveball_rates import (
    curveball_converges,
    curveball_optimal_parameters,
    curveball_spectral_radius,
)

EPS = 2.0**-52


def digits(count: int = 60) -> Any:
    context = mpmath.MPContext()
    context.dps = count
    return context


def exact_radius(s: Any, rho: Any, mp: Any) -> tuple[Any, Any]:
    """The radius and the discriminant, by the quadratic formula."""
    s, rho = mp.mpf(s), mp.mpf(rho)
    half, determinant = (1 + rho - 2 * s) / 2, rho - s
    square = half * half - determinant
    if square < 0:
        return mp.sqrt(determinant), square
    return abs(half) + mp.sqrt(square), square


def tolerance(s: float, rho: float, square: Any) -> float:
    """A few roundings of s and rho: over the root of the discriminant, or their own root."""
    size = 1.0 + abs(s) + abs(rho)
    change = 4.0 * EPS * size * size
    return min(math.sqrt(change), change / max(math.sqrt(abs(square)), 1e-300)) + 8.0 * EPS * size


# -------------------------------------------------------------------- the radius

NUMBERS = st.one_of(
    st.integers(-12, 20).map(lambda k: k / 4),
    st.floats(-4.0, 4.0),
    st.floats(-300.0, 0.0).map(lambda x: 10.0**x),
    st.floats(-15.0, 0.0).map(lambda x: 1.0 - 10.0**x),
)


@given(s=NUMBERS, rho=NUMBERS)
def test_the_radius_against_sixty_digits(s: float, rho: float) -> None:
    exact, square = exact_radius(s, rho, digits(400))
    found = curveball_spectral_radius(s, rho)
    assert isinstance(found, float)
    assert abs(found - exact) <= tolerance(s, rho, square)


@given(s=NUMBERS, rho=NUMBERS)
def test_the_radius_against_a_companion_matrix(s: float, rho: float) -> None:
    """An oracle that shares no formula."""
    roots = np.roots([1.0, -(1.0 + rho - 2.0 * s), rho - s])
    largest = float(np.max(np.abs(roots), initial=0.0))
    size = 1.0 + abs(s) + abs(rho)
    assert curveball_spectral_radius(s, rho) == pytest.approx(largest, abs=3e-7 * size)


@given(t=st.floats(-12.0, -0.1).map(lambda x: 10.0**x))
def test_small_distances_from_one_do_not_cancel(t: float) -> None:
    """rho = 1 - t, s = t^2/8: the discriminant is t^2/2, far below the roundings of 1."""
    mp = digits(100)
    rho = 1.0 - t
    s = (1.0 - rho) ** 2 / 8.0
    exact, _ = exact_radius(s, rho, mp)
    assert abs(curveball_spectral_radius(s, rho) - exact) <= 2.0 * EPS


@given(x=st.floats(-15.0, -0.5), y=st.floats(-15.0, -0.5))
def test_small_radii_have_all_their_digits(x: float, y: float) -> None:
    """About s = rho = 1 the matrix is nearly nilpotent: opposite signs, no cancellation."""
    s, rho = 1.0 + 10.0**x, 1.0 - 10.0**y
    exact, _ = exact_radius(s, rho, digits(100))
    assert abs(curveball_spectral_radius(s, rho) / exact - 1) <= 4.0 * EPS


@pytest.mark.parametrize("size", [1e150, 1e300])
def test_huge_arguments_do_not_overflow(size: float) -> None:
    for s, rho in ((size, 0.5), (-size, 0.25), (0.5, size), (0.5, -size), (size, size)):
        exact, _ = exact_radius(s, rho, digits())
        assert curveball_spectral_radius(s, rho) == pytest.approx(float(exact), rel=1e-14)


def test_arrays_of_every_library(xp_case: Xp) -> None:
    """Library, dtype and device stay, and an array may meet a number or a column."""
    values = np.array([0.125, 0.25, 0.5, 1.0, 1.25, 2.0])
    s = xp_case.array(values)
    column = xp_case.xp.reshape(s, (-1, 1))
    for rho, on_host in ((s, values), (column, values[:, None]), (0.75, 0.75)):
        radius, inside = curveball_spectral_radius(s, rho), curveball_converges(s, rho)
        assert radius.dtype == s.dtype
        expected = curveball_spectral_radius(values, on_host)
        # There are double roots among them.
        np.testing.assert_allclose(xp_case.numpy(radius), expected, atol=4 * xp_case.eps**0.5)
        assert np.array_equal(xp_case.numpy(inside), curveball_converges(values, on_host))
    assert curveball_spectral_radius(0.75, s).dtype == s.dtype


def test_nan_stays_nan() -> None:
    nan = math.nan
    for s, rho in ((nan, 0.5), (0.5, nan), (nan, nan)):
        assert math.isnan(curveball_spectral_radius(s, rho))
        assert curveball_converges(s, rho) is False


@pytest.mark.parametrize("bad", ["1", None, True, 1j])
def test_what_is_no_number_is_refused(bad: Any) -> None:
    for function in (curveball_spectral_radius, curveball_converges):
        with pytest.raises(ArgumentError, match="s must be"):
            function(bad, 0.5)
        with pytest.raises(ArgumentError, match="rho must be"):
            function(np.ones(2), bad)


def test_two_libraries_are_refused() -> None:
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(ArrayTypeError):
        curveball_spectral_radius(np.ones(2), strict.ones(2))


# -------------------------------------------------------------------- the region


@given(s=NUMBERS, rho=NUMBERS)
def test_the_region_is_where_the_radius_is_below_one(s: float, rho: float) -> None:
    mp = digits(400)
    exact, _ = exact_radius(s, rho, mp)
    size = 1 + abs(mp.mpf(s)) + abs(mp.mpf(rho))
    near = min(abs(mp.mpf(rho) - 1 - s), abs(1.5 * mp.mpf(s) - 1 - mp.mpf(rho)), abs(mp.mpf(s)))
    if near > 4 * EPS * size or (0 < s < 1e-9 and rho < 0.99):
        assert curveball_converges(s, rho) == bool(exact < 1)


@pytest.mark.parametrize(("s", "rho"), [(1.0, 0.5), (1.0, 2.0), (2.0, 2.0), (0.5, 1.5), (0.0, 0.5)])
def test_the_ends_of_the_region_do_not_belong_to_it(s: float, rho: float) -> None:
    assert curveball_spectral_radius(s, rho) == 1.0
    assert curveball_converges(s, rho) is False


@pytest.mark.parametrize("s", [1e-300, 1e-20, 1e-17])
def test_a_tiny_s_counts(s: float) -> None:
    """1 + s rounds to 1, and rho = 1 still converges."""
    assert curveball_converges(s, 1.0) is True
    assert curveball_converges(0.0, 1.0) is False
    assert curveball_converges(0.0, 0.5) is False


# -------------------------------------------------------------------- the best pair


def exact_rate(m: float, L: float, mp: Any) -> Any:
    """By bisection on kappa(r), not by the cosine."""
    kappa = mp.mpf(L) / mp.mpf(m)
    if kappa <= 3:
        return mp.sqrt((kappa - 1) / (3 * kappa - 1))

    def excess(t: Any) -> Any:
        return 2 * (kappa - 1) * t**3 - (3 * kappa - 7) * t**2 - 8 * t + 4

    low, high = mp.mpf(0), mp.mpf(1) / 2 + mp.mpf(10) ** -50
    width = 1 / mp.sqrt(kappa)
    low, high = width / 2, min(4 * width, high)
    assert excess(low) > 0 >= excess(high)
    for _ in range(400):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return 1 - low


RATIOS = st.one_of(
    st.sampled_from(
        [1.0, 1.0 + EPS, 2.0, 3.0 - 4 * EPS, 3.0, 3.0 + 4 * EPS, 4.0, 2e12, 1e15, 5e16, 3e17, 1e300]
    ),
    st.floats(1.0, 8.0),
    st.floats(0.0, 300.0).map(lambda x: 10.0**x),
)


@given(kappa=RATIOS, scale=st.sampled_from([1.0, 0.1, 3.7, 1e5]))
def test_the_rate_to_a_few_roundings(kappa: float, scale: float) -> None:
    m, L = scale / kappa, scale
    mp = digits(700)
    exact = exact_rate(m, L, mp)
    found = curveball_optimal_parameters(m, L)
    # Near kappa = 1 the rate is a root of kappa - 1, which is exact.
    assert abs(found.rate - exact) <= 2 * EPS * min(1, exact + EPS)
    assert abs(found.rate_complement / (1 - exact) - 1) <= 4 * EPS


@given(kappa=RATIOS, scale=st.sampled_from([1.0, 0.1, 3.7, 1e5]))
def test_the_pair_that_is_handed_out_has_the_rate(kappa: float, scale: float) -> None:
    """rho and beta are rounded to the side that does not cost the root of a rounding."""
    m, L = scale / kappa, scale
    mp = digits(700)
    found = curveball_optimal_parameters(m, L)
    own = max(exact_radius(mp.mpf(found.beta) * mp.mpf(h), found.rho, mp)[0] for h in (m, L))
    assert own < 1
    # Near kappa = 1 the matrix is nilpotent, and a rounding costs a rounding over the rate.
    allowed = min(math.sqrt(EPS), 3.0 * EPS / max(found.rate, EPS)) + 2 * EPS
    assert abs(own - found.rate) <= allowed


@given(kappa=st.floats(0.0, 6.0).map(lambda x: 10.0**x), data=st.data())
def test_the_ends_of_the_spectrum_are_the_worst(kappa: float, data: Any) -> None:
    found = curveball_optimal_parameters(1.0, kappa)
    h = data.draw(st.floats(1.0, kappa))
    assert curveball_spectral_radius(found.beta * h, found.rho) <= found.rate + 4e-8


@given(
    kappa=RATIOS.filter(lambda k: k < 1e12), x=st.floats(-1.0, 1.0), y=st.floats(-1.0, 1.0),
    closeness=st.floats(0.0, 12.0),
)  # fmt: skip
def test_no_other_pair_is_better(kappa: float, x: float, y: float, closeness: float) -> None:
    mp = digits()
    best = curveball_optimal_parameters(1.0, kappa)
    size = 10.0**-closeness
    beta = mp.mpf(best.beta) * (1 + size * x)
    rho = mp.mpf(best.rho) + size * y * (1 - best.rho + best.rate_complement)
    own = max(exact_radius(beta * h, rho, mp)[0] for h in (1.0, kappa))
    assert own >= best.rate * (1 - 8 * EPS)


def test_the_ends_of_the_range_of_floats() -> None:
    smallest, largest = 5e-324, 1.7976931348623157e308
    found = curveball_optimal_parameters(smallest, largest)
    assert found.rho == found.rate == 1.0
    ratio = mpmath.mpf(smallest) / mpmath.mpf(largest)
    assert found.rate_complement == pytest.approx(
        float(2 * mpmath.sqrt(ratio / 3)), rel=1e-6, abs=0
    )
    for size in (1e-300, largest):
        same = curveball_optimal_parameters(size, size)
        assert (same.rate, same.rho, same.beta) == (0.0, 1.0, 1.0 / size)


def test_scaling_changes_beta_alone() -> None:
    one = curveball_optimal_parameters(1.0, 100.0)
    for scale in (2.0**-500, 2.0**500):
        other = curveball_optimal_parameters(scale, 100.0 * scale)
        assert (other.rho, other.rate) == (one.rho, one.rate)
        assert other.beta == one.beta / scale


def test_where_gradient_descent_is_better() -> None:
    """Below kappa = 3; at 3 they are equal, 1/2."""
    for kappa in (1.5, 2.0, 2.9):
        assert curveball_optimal_parameters(1.0, kappa).rate > (kappa - 1) / (kappa + 1)
    assert curveball_optimal_parameters(1.0, 3.0).rate == pytest.approx(0.5, abs=EPS)
    for kappa in (3.1, 10.0, 1e9):
        best = curveball_optimal_parameters(1.0, kappa)
        assert best.rate < (kappa - 1) / (kappa + 1)
        assert best.rate_complement < 2.0 / math.sqrt(3.0 * kappa + 1.0)


@pytest.mark.parametrize(
    ("m", "L", "message"),
    [
        (0.0, 1.0, "m must be positive"),
        (-1.0, 1.0, "m must be positive"),
        (math.nan, 1.0, "m must be positive"),
        (1.0, math.inf, "L must be positive and finite"),
        (2.0, 1.0, "m must not exceed L"),
        ("1", 1.0, "m must be a real number"),
        (5e-324, 5e-324, "L is too small"),
    ],
)
def test_bad_spectra_are_named(m: Any, L: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        curveball_optimal_parameters(m, L)
