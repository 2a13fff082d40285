"""Norms at the ends: nothing to measure, empty blocks, the ends of the range, float32."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.sparse

from tests.namespaces import Xp
from tralgos.errors import ArgumentError, NotPositiveDefiniteError
from tralgos.norms import (
    AdagradNorm,
    AdamNorm,
    DiagonalNorm,
    EuclideanNorm,
    LowRankNorm,
    MatrixNorm,
    RMSPropNorm,
)


def test_a_window_without_gradients_lives_where_its_vectors_do(xp_case: Xp) -> None:
    """Before the first gradient M = epsilon I, in the dtype and on the device of `like`."""
    like = xp_case.array(np.ones(4))
    rule = AdagradNorm(epsilon=0.25, kind="window", window=2)
    s = xp_case.array([1.0, -2.0, 3.0, 0.5])
    for power, factor in ((1.0, 0.25), (0.5, 0.5)):
        norm = rule.norm(rule.init(like=like), power=power)
        applied = norm.apply(s)
        assert xp_case.owns(applied)
        np.testing.assert_allclose(xp_case.numpy(applied), factor * xp_case.numpy(s), rtol=1e-6)


def test_blocks_of_no_columns_stay_where_they_are(xp_case: Xp) -> None:
    M = xp_case.array(np.diag([1.0, 2.0, 4.0]))
    inverse = xp_case.array(np.diag([1.0, 0.5, 0.25]))
    norms = [MatrixNorm(M), MatrixNorm(M, solve=lambda b: inverse @ b), DiagonalNorm(M[0, ...] + 1)]
    empty = xp_case.array(np.zeros((3, 0)))
    for norm in norms:
        for block in (norm.apply(empty), norm.solve(empty)):
            assert xp_case.owns(block)
            assert tuple(block.shape) == (3, 0)


@pytest.mark.parametrize("k", [-1000, -900, 900, 1000])
def test_powers_of_four_in_the_matrix_pass_to_the_last_bit(k: int) -> None:
    """||s|| in 2^k M is 2^(k/2) ||s||_M, though s'Ms is beyond the range: nothing is rounded."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        d, s, t = rng.uniform(0.5, 2.0, (3, 5))
        plain, scaled = DiagonalNorm(d), DiagonalNorm(np.ldexp(d, k))
        small = np.ldexp(s, -(k // 4)) if abs(k) > 950 else s
        ratio = scaled.norm(small) / plain.norm(small)
        assert ratio == math.ldexp(1.0, k // 2)
        assert scaled.dual_norm(small) / plain.dual_norm(small) == math.ldexp(1.0, -k // 2)
        tiny = np.ldexp(s, -60 if k > 0 else 60)
        assert scaled.inner(tiny, t) / plain.inner(tiny, t) == math.ldexp(1.0, k)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_low_rank_norm_that_is_singular_in_its_precision_is_refused(dtype: type) -> None:
    """shift + theta = 3 eps is rounding; 400 eps is not."""
    eps = float(np.finfo(dtype).eps)
    U = np.array([[1.0], [0.0]], dtype=dtype)
    with pytest.raises(NotPositiveDefiniteError):
        LowRankNorm(U, -(1.0 - 3.0 * eps), 1.0)
    norm = LowRankNorm(U, -(1.0 - 400.0 * eps), 1.0)
    assert norm.equivalence()[0] == pytest.approx(math.sqrt(400.0 * eps), rel=0.01)


@pytest.mark.parametrize("size", [1e-300, 1e-170, 1e170, 1e300])
def test_arithmetic_that_is_set_to_raise_does_not(size: float) -> None:
    """What is scaled away afterwards may overflow and underflow on the way, whoever watches."""
    with np.errstate(all="raise"):
        s = np.array([1.0, -2.0, 2.0]) * size
        norms = [EuclideanNorm(), DiagonalNorm(np.ones(3)), MatrixNorm(np.eye(3))]
        for norm in norms:
            assert norm.norm(s) / size == pytest.approx(3.0, rel=1e-14)
            assert norm.dual_norm(s) / size == pytest.approx(3.0, rel=1e-14)
            assert norm.inner(s, np.ones(3)) / size == pytest.approx(1.0, rel=1e-13)
    with np.errstate(all="raise"):
        for kind in ("diagonal", "full", "window"):
            rule = AdagradNorm(epsilon=1e-3, kind=kind, window=3 if kind == "window" else None)
            state = rule.init(like=np.ones(3))
            state = rule.update(state, np.array([1e-170, 1.0, 2.0]))
            norm = rule.norm(state)
            assert norm.norm(np.array([1.0, 0.0, 0.0])) > 0.0


@pytest.mark.parametrize("d", [[1.0, 2.0, 3.0], [0.1, 0.7, 1.1], [1e-3, 1.0, 1e3]])
@pytest.mark.parametrize("sparse", [False, True])
def test_cheap_bounds_of_a_diagonal_matrix_lie_outside(d: list[float], sparse: bool) -> None:
    """The eigenvalues are the entries, exactly: the row sums meet them, rounding must not."""
    M = scipy.sparse.diags_array(d).tocsr() if sparse else np.diag(d)
    norm = MatrixNorm(M)
    lower, upper = norm.lower_eigenvalue(), norm.upper_eigenvalue()
    assert lower is not None
    assert upper is not None
    allowed = 1e-14 * max(d)
    assert min(d) - allowed < lower < min(d)
    assert max(d) < upper < max(d) + allowed


@pytest.mark.parametrize(("dtype", "least"), [(np.float64, 2.0**-1022), (np.float32, 2.0**-126)])
def test_the_smallest_shift_is_the_smallest_normal_number(dtype: type, least: float) -> None:
    U = np.zeros((2, 1), dtype=dtype)
    norm = LowRankNorm(U, 1.0, least)
    assert norm.norm(np.array([3.0, 4.0], dtype=dtype)) == pytest.approx(
        5.0 * math.sqrt(least), rel=1e-6
    )
    with pytest.raises(ArgumentError, match="zero in the dtype"):
        LowRankNorm(U, 1.0, 0.75 * least)


@pytest.mark.parametrize("rule", [AdagradNorm, RMSPropNorm, AdamNorm])
def test_parameters_of_a_rule_go_by_their_names(rule: type) -> None:
    """epsilon, beta and a window are all numbers: by position one would pass for another."""
    with pytest.raises(TypeError):
        rule(1e-3)
    assert rule(epsilon=1e-3).epsilon == 1e-3


@pytest.mark.parametrize("kind", ["diagonal", "full", "window"])
@pytest.mark.parametrize(("dtype", "least"), [(np.float64, 2.0**-1022), (np.float32, 2.0**-126)])
def test_a_first_norm_among_the_subnormal_numbers_is_refused(
    kind: str, dtype: type, least: float
) -> None:
    """epsilon I is a norm down to the smallest normal number of the dtype."""
    like = np.ones(3, dtype=dtype)
    window = 2 if kind == "window" else None
    # A full matrix has its rounding to keep clear of.
    smallest = least / float(np.finfo(dtype).eps) if kind == "full" else least
    for epsilon, fits in ((2.0 * smallest, True), (0.25 * least, False)):
        rule = AdagradNorm(epsilon=epsilon, kind=kind, window=window)
        if fits:
            norm = rule.norm(rule.init(like=like))
            expected = math.sqrt(3.0) * math.sqrt(epsilon)
            assert norm.norm(like) == pytest.approx(expected, rel=1e-5)
        else:
            with pytest.raises((NotPositiveDefiniteError, ArgumentError)):
                rule.norm(rule.init(like=like))


@pytest.mark.parametrize("kind", ["diagonal", "full", "window"])
def test_a_norm_of_vanishing_gradients_is_made_whoever_watches(kind: str) -> None:
    """Weights times entries next to the subnormal numbers: what underflows does not count."""
    rule = RMSPropNorm(epsilon=1.0, beta=0.5, kind=kind, window=3 if kind == "window" else None)
    state = rule.init(like=np.ones(2))
    for _ in range(3):
        state = rule.update(state, np.array([3.3e-308, -2.7e-308]))
    with np.errstate(all="raise"):
        norm = rule.norm(state)
    assert norm.norm(np.array([3.0, 4.0])) == pytest.approx(5.0, rel=1e-12)


@pytest.mark.parametrize("power", [1.0, 0.5])
@pytest.mark.parametrize(("dtype", "last"), [(np.float64, 1022), (np.float32, 126)])
@pytest.mark.parametrize("kind", ["diagonal", "full", "window"])
def test_a_seed_is_refused_once_it_is_subnormal(
    kind: str, dtype: type, last: int, power: float
) -> None:
    """2^-t after t steps of beta = 1/2: a norm while the number is normal in its dtype."""
    window = 2 if kind == "window" else None
    rule = RMSPropNorm(epsilon=1.0, beta=0.5, epsilon_rule="seeded", kind=kind, window=window)
    start = rule.init(like=np.ones(2, dtype=dtype))
    fits = dataclasses.replace(start, steps=last - 26)
    assert rule.norm(fits, power).equivalence()[0] == pytest.approx(
        2.0 ** (-0.5 * power * (last - 26)), rel=1e-5
    )
    with pytest.raises(NotPositiveDefiniteError):
        rule.norm(dataclasses.replace(start, steps=last + 4), power)
