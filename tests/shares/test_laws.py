"""The closed forms against quadrature, enumeration, fractions, and each other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tralgos.errors import ArgumentError
from tralgos.shares import (
    asymptotic_ols_share,
    expected_wigner_share_range,
    gaussian_expected_wigner_share,
    gaussian_ols_share,
    mean_abs_gaussian_product,
    mean_abs_sign_sum,
    rademacher_ols_share,
    wigner_share,
)

EPS = 2.0**-52
LAWS: tuple[Callable[..., float], ...] = (
    asymptotic_ols_share,
    gaussian_ols_share,
    rademacher_ols_share,
)
scales = st.floats(-150.0, 150.0).map(lambda x: 10.0**x)


def close(value: float, wanted: object, roundings: float = 16) -> bool:
    return bool(abs(value - wanted) <= roundings * EPS * abs(wanted))  # type: ignore[operator]


# ------------------------------------------------------------------ inner products


@pytest.mark.parametrize("n", [1, 2, 3, 7, 32])
def test_gaussian_product_by_quadrature(n: int) -> None:
    # x'y has the characteristic function (1 + t^2)^(-n/2), and |s| is the integral of
    # (2 / pi) (1 - cos ts) / t^2: no gamma function is involved.
    with mpmath.workdps(30):
        wanted = mpmath.quad(
            lambda t: 2 / mpmath.pi * (1 - (1 + t * t) ** (-mpmath.mpf(n) / 2)) / t**2,
            [0, 0.1, 1, 10, mpmath.inf],
        )
    assert close(mean_abs_gaussian_product(n), wanted)


@pytest.mark.parametrize("n", [1, 2, 127, 128, 129, 130, 200, 10**6, 10**12, 2**53])
def test_gaussian_product_at_any_length(n: int) -> None:
    """The series takes over from the gamma function without a seam, and lasts."""
    with mpmath.workdps(50):
        wanted = 2 * mpmath.rf(mpmath.mpf(n) / 2, 0.5) / mpmath.sqrt(mpmath.pi)
    assert close(mean_abs_gaussian_product(n), wanted, 4)


@pytest.mark.parametrize("n", range(1, 13))
def test_sign_sum_by_enumeration(n: int) -> None:
    total = sum(abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=n))
    assert close(mean_abs_sign_sum(n), Fraction(total, 2**n), 4)


@pytest.mark.parametrize("n", [40, 255, 256, 999])
def test_sign_sum_by_binomials(n: int) -> None:
    total = sum(abs(n - 2 * k) * math.comb(n, k) for k in range(n + 1))
    assert close(mean_abs_sign_sum(n), Fraction(total, 2**n), 4)


@given(st.integers(1, 2**52))
def test_signs_in_even_numbers_are_as_good_as_gaussian(m: int) -> None:
    assert mean_abs_sign_sum(2 * m) == mean_abs_gaussian_product(2 * m)
    assert mean_abs_sign_sum(2 * m - 1) == mean_abs_sign_sum(2 * m)


# ------------------------------------------------------------------------------ OLS


@pytest.mark.parametrize(("d", "n"), [(2, 1), (2, 2), (3, 2), (2, 4)])
def test_rademacher_share_by_enumeration_of_the_data(d: int, n: int) -> None:
    """All 2^(dn) matrices, in integers."""
    on = off = 0
    for entries in itertools.product((-1, 1), repeat=d * n):
        H = np.array(entries).reshape(d, n) @ np.array(entries).reshape(d, n).T
        on += int(np.trace(H))
        off += int(np.abs(H).sum()) - int(np.trace(H))
    assert close(rademacher_ols_share(d, n), Fraction(on, on + off), 4)


@pytest.mark.parametrize(("d", "n"), [(2, 1), (5, 3), (20, 32)])
def test_gaussian_share_by_simulation(d: int, n: int) -> None:
    draws = np.random.default_rng(0).standard_normal((4000, d, n))
    H = np.abs(draws @ draws.transpose(0, 2, 1))
    on = np.trace(H, axis1=1, axis2=2)
    total = H.sum(axis=(1, 2))
    ratio = on.mean() / total.mean()
    error = np.std(on - ratio * total) / total.mean() / math.sqrt(len(H))
    assert abs(gaussian_ols_share(d, n) - ratio) < 4 * error
    assert error < 0.02 * ratio


@given(st.integers(2, 10**9), st.integers(1, 10**9))
def test_side_of_the_asymptotic_share(d: int, n: int) -> None:
    """Gaussian data are above it, by less than the bound; signs above for even n alone."""
    limit = asymptotic_ols_share(d, n)
    excess = gaussian_ols_share(d, n) - limit
    assert -4 * EPS <= excess <= 1 / (16 * n) + 1 / (32 * n**2) + 4 * EPS
    signs = rademacher_ols_share(d, n) - limit
    assert signs >= -4 * EPS if n % 2 == 0 else signs <= 4 * EPS
    if n < 1000 and d < 1000:
        assert excess > 0.0
        assert (signs > 0.0) == (n % 2 == 0)


def test_bound_of_the_excess_is_tight() -> None:
    for n in (1, 10, 1000):
        largest = max(gaussian_ols_share(d, n) - asymptotic_ols_share(d, n) for d in range(1, 100))
        assert largest > 0.55 / (16 * n)


@pytest.mark.parametrize("law", LAWS)
def test_ols_shares_at_the_ends(law: Callable[..., float]) -> None:
    assert law(1, 1) == law(1, 10**15) == 1.0
    assert law(2**53, 1) == pytest.approx(1 / 2**53, rel=0.6)
    assert law(10**4, 10**4) == pytest.approx(1 / (1 + 100 * math.sqrt(2 / math.pi)), rel=1e-3)
    for bad in (0, -1, 2**53 + 1, 1.0, True, "2"):
        with pytest.raises(ArgumentError, match="d must be"):
            law(bad, 1)
        with pytest.raises(ArgumentError, match="n must be"):
            law(1, bad)


# --------------------------------------------------------------------------- Wigner


@given(st.integers(2, 10**6), scales, scales)
def test_wigner_share_in_fractions(d: int, diagonal: float, off_diagonal: float) -> None:
    on, off = Fraction(diagonal), (d - 1) * Fraction(off_diagonal)
    share = wigner_share(d, diagonal=diagonal, off_diagonal=off_diagonal)
    wanted = on / (on + off)
    assert abs(share - wanted) <= 8 * EPS * wanted + 1e-320


def test_wigner_share_at_the_ends() -> None:
    assert wigner_share(1, diagonal=0.0) == 1.0
    assert wigner_share(3, diagonal=0.0) == 0.0
    assert wigner_share(3, off_diagonal=0.0) == 1.0
    assert wigner_share(3, diagonal=1e308, off_diagonal=1e308) == 1 / 3


@pytest.mark.parametrize("law", [wigner_share, expected_wigner_share_range,
                                 gaussian_expected_wigner_share])  # fmt: skip
def test_wigner_arguments(law: Callable[..., object]) -> None:
    for bad in (-1.0, math.inf, math.nan, "1"):
        with pytest.raises(ArgumentError, match="diagonal must be"):
            law(2, diagonal=bad)
        with pytest.raises(ArgumentError, match="off_diagonal must be"):
            law(2, off_diagonal=bad)
    with pytest.raises(ArgumentError, match="both zero"):
        law(2, diagonal=0.0, off_diagonal=0.0)
    with pytest.raises(ArgumentError, match="d must be"):
        law(0)


def expected_by_quadrature(d: int, diagonal: float, off_diagonal: float) -> mpmath.mpf:
    """The same integral by mpmath's tanh-sinh rule, in t itself."""
    a, b = mpmath.mpf(diagonal), mpmath.mpf(off_diagonal)

    def laplace(t: mpmath.mpf) -> mpmath.mpf:
        return mpmath.exp(t * t / 2) * mpmath.erfc(t / mpmath.sqrt(2))

    def integrand(t: mpmath.mpf) -> mpmath.mpf:
        weighted = mpmath.sqrt(2 / mpmath.pi) - a * t * laplace(a * t)
        pairs = d * (d - 1) // 2
        return d * a * weighted * laplace(a * t) ** (d - 1) * laplace(2 * b * t) ** pairs

    step = 1 / (d * d * max(a, b))
    marks = [0, step, 10 * step, 100 * step, 1000 * step, 1 / a + 1 / b, 10 / a + 10 / b]
    with mpmath.workdps(60):
        return mpmath.quad(integrand, [*marks, 100 / a + 100 / b, 10**4 / a + 10**4 / b])


@pytest.mark.parametrize(
    ("d", "diagonal", "off_diagonal"),
    [(2, 1.0, 1.0), (3, 1.0, 1.0), (10, 2**0.5, 1.0), (30, 1.0, 3.0), (2, 1.0, 100.0),
     (2, 100.0, 1.0)],
)  # fmt: skip
def test_expected_share_by_another_quadrature(d: int, diagonal: float, off_diagonal: float) -> None:
    share = gaussian_expected_wigner_share(d, diagonal=diagonal, off_diagonal=off_diagonal)
    wanted = expected_by_quadrature(d, diagonal, off_diagonal)
    # What the oracle cuts off is of the order of its last mark to the power -3.
    assert abs(share / float(wanted) - 1) < 1e-11


def test_expected_share_of_order_two_in_closed_form() -> None:
    # |W_11| + |W_22| = x and 2 |W_12| = y: with u = |W_11| and v = |W_22| the share is the mean
    # over directions of (u + v) / (u + v + 2w), here by a product rule on the octant of a sphere.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    phi = (nodes + 1) * math.pi / 4
    w = (nodes + 1) / 2
    r = np.sqrt(1 - w**2)[:, None]
    on = r * (np.cos(phi) + np.sin(phi))
    share = np.sum(np.outer(weights, weights) / 4 * on / (on + 2 * w[:, None]))
    assert gaussian_expected_wigner_share(2) == pytest.approx(share, rel=1e-5)


@pytest.mark.parametrize(("d", "diagonal"), [(2, 1.0), (5, 2**0.5), (20, 4.0)])
def test_expected_share_by_simulation(d: int, diagonal: float) -> None:
    rng = np.random.default_rng(1)
    on = diagonal * np.abs(rng.standard_normal((20000, d))).sum(axis=1)
    off = 2 * np.abs(rng.standard_normal((20000, d * (d - 1) // 2))).sum(axis=1)
    shares = on / (on + off)
    error = shares.std() / math.sqrt(len(shares))
    assert abs(shares.mean() - gaussian_expected_wigner_share(d, diagonal=diagonal)) < 4 * error


@given(st.integers(2, 10**7), scales, scales)
@example(2, 1e13, 1.0)
def test_expected_share_is_in_its_range(d: int, diagonal: float, off_diagonal: float) -> None:
    """And on the right side of the share of the expectation."""
    given = {"diagonal": diagonal, "off_diagonal": off_diagonal}
    low, high = expected_wigner_share_range(d, **given)
    share = gaussian_expected_wigner_share(d, **given)
    # The integrand is an exponential of up to some 40, each with its rounding, summed up.
    rounding = 1e-13
    assert low * (1 - rounding) <= share <= high * (1 + rounding)
    above = (share / wigner_share(d, **given) - 1) * (1 if diagonal < 2 * off_diagonal else -1)
    assert above >= -rounding
    # Both shares are rounded near 1 where the diagonal dominates: then 1 - share has few digits
    # left, and the sides can be told apart only while it is far above a rounding.
    if abs(diagonal / off_diagonal - 2) > 1e-3 and d < 1000 and diagonal < 1e10 * off_diagonal:
        assert above > rounding


@pytest.mark.parametrize("ratio", [1e6, 1e10, 1e13, 1e15])
def test_expected_share_where_the_diagonal_dominates(ratio: float) -> None:
    """1 - share, whose leading term for d = 2 is 2 E|Z| E[1 / (|Z_1| + |Z_2|)] / ratio.

    The share is a float near 1, so that it has an error of some 2^-52 and no more.
    """
    with mpmath.workdps(30):
        # In polar coordinates E[1/r] is sqrt(pi / 2), and the mean of 1/(cos + sin) is an integral.
        angles = mpmath.quad(lambda t: 1 / (mpmath.cos(t) + mpmath.sin(t)), [0, mpmath.pi / 2])
        factor = (
            2 * mpmath.sqrt(2 / mpmath.pi) * mpmath.sqrt(mpmath.pi / 2) * angles * 2 / mpmath.pi
        )
        missing = 1 - mpmath.mpf(gaussian_expected_wigner_share(2, diagonal=ratio))
        next_term = 100 * mpmath.log(ratio) / mpmath.mpf(ratio) ** 2
        assert abs(missing - factor / ratio) <= 4 * EPS + next_term
        # More is missing than from the share of the expectation, for which the factor is 1.
        assert (
            abs(1 - mpmath.mpf(wigner_share(2, diagonal=ratio)) - 1 / (1 + mpmath.mpf(ratio)))
            <= EPS
        )
        assert factor > 1.58


@given(st.integers(1, 2**53), scales)
def test_scales_two_to_one_are_balanced(d: int, size: float) -> None:
    """Then all summands have one law, and the diagonal has d of d(d + 1)/2 of them."""
    given = {"diagonal": 2 * size, "off_diagonal": size}
    assert gaussian_expected_wigner_share(d, **given) == pytest.approx(2 / (d + 1), rel=1e-14)
    low, high = expected_wigner_share_range(d, **given)
    assert low == pytest.approx(high, rel=1e-15)


def test_expansion_of_the_expected_share() -> None:
    for d in (100, 1000, 10000):
        excess = gaussian_expected_wigner_share(d) - 1 / d
        assert excess * d**3 / (math.pi / 2 - 1) == pytest.approx(1, abs=5 / d + 1e-5)


@pytest.mark.parametrize("d", [3, 40, 1_831_066])
def test_small_diagonals_scale_the_expected_share(d: int) -> None:
    """E[S / (S + T)] is E[S] E[1/T] to first order: no digit may go where numbers are tiny."""
    slope = gaussian_expected_wigner_share(d, diagonal=1e-30) / 1e-30
    for diagonal in (1e-100, 1e-200, 1e-290, 8e-300):
        share = gaussian_expected_wigner_share(d, diagonal=diagonal)
        assert share / diagonal == pytest.approx(slope, rel=1e-13)


def test_small_diagonals_of_order_two() -> None:
    """There E[1/T] is infinite: the share over the scale s grows like E[S] f_T(0) log(1/s)."""
    shares = [
        gaussian_expected_wigner_share(2, diagonal=10.0**-k) * 10.0**k for k in (100, 200, 307)
    ]
    for steps, (low, high) in zip((100, 107), itertools.pairwise(shares), strict=True):
        assert high - low == pytest.approx(steps * math.log(10) * 2 / math.pi, rel=1e-11)


def test_expected_share_at_the_ends() -> None:
    assert gaussian_expected_wigner_share(1, diagonal=0.0) == 1.0
    assert gaussian_expected_wigner_share(4, diagonal=0.0) == 0.0
    assert gaussian_expected_wigner_share(4, off_diagonal=0.0) == 1.0
    assert gaussian_expected_wigner_share(4, off_diagonal=1e-300) == pytest.approx(1.0, rel=1e-14)
    # For d = 4 a diagonal of a small scale leaves a multiple of it.
    tiny = gaussian_expected_wigner_share(4, diagonal=1e-300)
    near = gaussian_expected_wigner_share(4, diagonal=1e-30)
    assert 1e300 * tiny == pytest.approx(1e30 * near, rel=1e-13)
    assert expected_wigner_share_range(3, diagonal=0.0) == (0.0, 0.5)
