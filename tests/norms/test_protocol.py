"""Every norm on every array library, against the dense matrix that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from tests.namespaces import FetchCounter, Xp
from tests.norms.support import HOST_CASES, NORM_CASES, NormCase, spd
from tralgos.errors import ArgumentError, ArrayTypeError, ShapeError
from tralgos.norms import (
    DiagonalNorm,
    EuclideanNorm,
    LowRankNorm,
    MatrixNorm,
    Norm,
    as_norm,
    densify,
)

SIZES = (1, 5)


@pytest.fixture(params=NORM_CASES, ids=str)
def norm_case(request: pytest.FixtureRequest) -> NormCase:
    return request.param


def close(xp: Xp, actual: object, expected: object, factor: float = 200.0) -> None:
    """Equality to `factor` units of rounding, with `actual` where it belongs."""
    assert xp.owns(actual)
    tolerance = factor * xp.eps
    np.testing.assert_allclose(xp.numpy(actual), expected, rtol=tolerance, atol=tolerance)


def vectors(xp: Xp, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """A vector and a matrix of three columns, in the dtype of `xp`."""
    return [xp.numpy(xp.array(rng.standard_normal(shape))) for shape in (n, (n, 3))]


@pytest.mark.parametrize("n", SIZES)
def test_apply_and_solve(xp_case: Xp, norm_case: NormCase, n: int, rng) -> None:
    norm, M = norm_case.build(xp_case, n, rng)
    for s in vectors(xp_case, n, rng):
        before = xp_case.array(s)
        close(xp_case, norm.apply(before), M @ s)
        close(xp_case, norm.solve(before), np.linalg.solve(M, s))
        np.testing.assert_array_equal(xp_case.numpy(before), s)


@pytest.mark.parametrize("n", SIZES)
def test_roots(xp_case: Xp, norm_case: NormCase, n: int, rng) -> None:
    norm, M = norm_case.build(xp_case, n, rng)
    if not norm.has_sqrt:
        pytest.skip("this norm has no roots, which test_missing_roots covers")
    w, V = np.linalg.eigh(M)
    root = (V * np.sqrt(w)) @ V.T
    for s in vectors(xp_case, n, rng):
        close(xp_case, norm.sqrt(xp_case.array(s)), root @ s)
        close(xp_case, norm.inverse_sqrt(xp_case.array(s)), np.linalg.solve(root, s))


@pytest.mark.parametrize("n", SIZES)
def test_half_solves_are_a_factor_of_the_inverse(
    xp_case: Xp, norm_case: NormCase, n: int, rng
) -> None:
    norm, M = norm_case.build(xp_case, n, rng)
    norm = densify(norm, xp_case.array(np.zeros(n)))
    identity = xp_case.array(np.eye(n))
    X = xp_case.numpy(norm.half_solve(identity))
    close(xp_case, norm.half_solve_t(identity), X.T)
    np.testing.assert_allclose(X @ M @ X.T, np.eye(n), atol=200 * xp_case.eps)
    s = xp_case.array(rng.standard_normal(n))
    close(xp_case, norm.half_solve(s), X @ xp_case.numpy(s))
    close(xp_case, norm.half_solve_t(s), X.T @ xp_case.numpy(s))


@pytest.mark.parametrize("n", SIZES)
def test_norms_are_python_floats(xp_case: Xp, norm_case: NormCase, n: int, rng) -> None:
    norm, M = norm_case.build(xp_case, n, rng)
    s, t = (xp_case.numpy(xp_case.array(rng.standard_normal(n))) for _ in range(2))
    values = [
        (norm.norm(xp_case.array(s)), np.sqrt(s @ M @ s)),
        (norm.dual_norm(xp_case.array(s)), np.sqrt(s @ np.linalg.solve(M, s))),
        (norm.inner(xp_case.array(s), xp_case.array(t)), s @ M @ t),
    ]
    for actual, expected in values:
        assert type(actual) is float
        assert actual == pytest.approx(expected, rel=200 * xp_case.eps, abs=200 * xp_case.eps)


@pytest.mark.parametrize("n", SIZES)
def test_matrix_and_eigenvalues(xp_case: Xp, norm_case: NormCase, n: int, rng) -> None:
    norm, M = norm_case.build(xp_case, n, rng)
    like = xp_case.array(np.zeros(n))
    close(xp_case, norm.matrix(like), M)
    w = np.linalg.eigvalsh(M)
    # M itself is known to rounding, so that a bound may fall short by as much.
    slack = 20 * xp_case.eps * w[-1]
    upper, lower = norm.upper_eigenvalue(), norm.lower_eigenvalue()
    if upper is not None:
        assert w[-1] - slack <= upper <= n * w[-1] + 1e3 * slack
    if lower is not None:
        assert 0 < lower <= w[0] + slack
    if norm_case.name == "operator":
        with pytest.raises(ArgumentError, match="bounds"):
            norm.equivalence()
    else:
        assert norm.equivalence() == pytest.approx(
            (np.sqrt(w[0]), np.sqrt(w[-1])), rel=200 * xp_case.eps
        )


@pytest.mark.parametrize("case", HOST_CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_host_norms(case: NormCase, dtype: str, rng) -> None:
    xp = Xp(f"numpy-{dtype}", np, None, getattr(np, dtype))
    for test in (
        test_apply_and_solve,
        test_half_solves_are_a_factor_of_the_inverse,
        test_norms_are_python_floats,
        test_matrix_and_eigenvalues,
    ):
        for n in SIZES:
            test(xp, case, n, rng)


def test_one_transfer_for_each_scalar(
    strict_case: Xp, norm_case: NormCase, host_fetches: FetchCounter, rng
) -> None:
    norm, _ = norm_case.build(strict_case, 5, rng)
    s = strict_case.array(rng.standard_normal(5))
    host_fetches.reset()
    norm.apply(s)
    norm.solve(s)
    if norm.has_sqrt:
        norm.sqrt(s), norm.inverse_sqrt(s), norm.half_solve(s), norm.half_solve_t(s)
    assert host_fetches.count == 0
    for scalar in (lambda: norm.norm(s), lambda: norm.dual_norm(s), lambda: norm.inner(s, s)):
        host_fetches.reset()
        scalar()
        assert host_fetches.count == 1


def test_zero_nan_and_infinity(xp_case: Xp, norm_case: NormCase, rng) -> None:
    norm, _ = norm_case.build(xp_case, 3, rng)
    for values, expected in (([0, 0, 0], 0.0), ([0, np.inf, 0], np.inf), ([1, np.nan, 0], np.nan)):
        s = xp_case.array(values)
        np.testing.assert_equal(norm.norm(s), expected)
        np.testing.assert_equal(norm.dual_norm(s), expected)


def test_extreme_sizes(xp_case: Xp, norm_case: NormCase, rng) -> None:
    norm, M = norm_case.build(xp_case, 4, rng)
    s, t = (xp_case.numpy(xp_case.array(rng.standard_normal(4))) for _ in range(2))
    for size in (1e-150, 1e150) if xp_case.eps < 1e-10 else (1e-30, 1e-15, 1e15, 1e30):
        big, other = xp_case.array(s * size), xp_case.array(t * size)
        tolerance = 300 * xp_case.eps
        assert norm.norm(big) / size == pytest.approx(np.sqrt(s @ M @ s), rel=tolerance)
        dual = np.sqrt(s @ np.linalg.solve(M, s))
        assert norm.dual_norm(big) / size == pytest.approx(dual, rel=tolerance)
        inner = norm.inner(big, other) / size / size
        assert inner == pytest.approx(s @ M @ t, rel=tolerance, abs=tolerance)


def test_bad_arguments_are_named(xp_case: Xp, norm_case: NormCase, rng) -> None:
    norm, _ = norm_case.build(xp_case, 3, rng)
    good = xp_case.array(np.ones(3))
    if norm.n is not None:
        wrong = xp_case.array(np.ones(4))
        for call in (norm.check, norm.apply, norm.solve, norm.norm, norm.dual_norm):
            with pytest.raises(ShapeError, match="length 3"):
                call(wrong)
    with pytest.raises(ShapeError, match="vector"):
        norm.norm(xp_case.array(np.ones((3, 1))))
    with pytest.raises(ShapeError):
        norm.apply(xp_case.array(np.ones((3, 1, 1))))
    with pytest.raises((ShapeError, ArrayTypeError)):
        norm.inner(good, xp_case.array(np.ones(2)))
    with pytest.raises(ArrayTypeError):
        norm.check([1.0, 2.0, 3.0])
    with pytest.raises(ArrayTypeError):
        norm.norm([1.0, 2.0, 3.0])


def test_other_dtypes_libraries_and_devices_are_refused(
    xp_case: Xp, norm_case: NormCase, rng
) -> None:
    strict = pytest.importorskip("array_api_strict")
    norm, _ = norm_case.build(xp_case, 3, rng)
    if isinstance(norm, EuclideanNorm):
        pytest.skip("the Euclidean norm measures vectors of every kind")
    wide = xp_case.eps < 1e-10
    strangers = [
        np.ones(3, dtype=np.float32 if wide else np.float64),
        strict.ones(3, dtype=strict.float32 if wide else strict.float64),
    ]
    if not xp_case.name.startswith("numpy"):
        strangers.append(np.ones(3, dtype=np.float64 if wide else np.float32))
    other = "CPU_DEVICE" if "device1" in xp_case.name else "device1"
    dtype = strict.float64 if wide else strict.float32
    strangers.append(strict.ones(3, dtype=dtype, device=strict.Device(other)))
    for stranger in strangers:
        for call in (norm.check, norm.apply, norm.norm):
            with pytest.raises(ArrayTypeError):
                call(stranger)


def test_inner_refuses_a_mixed_pair() -> None:
    strict = pytest.importorskip("array_api_strict")
    with pytest.raises(ArrayTypeError):
        EuclideanNorm().inner(np.ones(3), strict.ones(3))
    with pytest.raises(ArrayTypeError):
        EuclideanNorm().inner(np.ones(3), np.ones(3, dtype=np.float32))


def test_missing_roots(rng) -> None:
    case = HOST_CASES[0]
    norm, M = case.build(Xp("numpy-float64", np, None, np.float64), 5, rng)
    assert not norm.has_sqrt
    assert not norm.has_half
    for call in (norm.sqrt, norm.inverse_sqrt, norm.half_solve, norm.half_solve_t):
        with pytest.raises(ArgumentError, match="MatrixNorm has no"):
            call(np.ones(5))
    dense = densify(norm, np.ones(5))
    np.testing.assert_allclose(dense.sqrt(np.ones(5)), scipy.linalg.sqrtm(M) @ np.ones(5))


def test_sparse_matrices(rng) -> None:
    like, M = np.ones(5), spd(5, rng)
    xp = Xp("numpy-float64", np, None, np.float64)
    for case in NORM_CASES + HOST_CASES:
        norm, M = case.build(xp, 5, rng)
        found = norm.sparse_matrix(like)
        if case.name in ("euclidean", "diagonal", "sparse"):
            assert found.format == "csc"
            np.testing.assert_array_equal(found.toarray(), M)
        else:
            assert found is None
    strict = pytest.importorskip("array_api_strict")
    assert EuclideanNorm().sparse_matrix(strict.ones(3)) is None
    assert DiagonalNorm(strict.ones(3)).sparse_matrix(strict.ones(3)) is None


def test_as_norm() -> None:
    like = np.ones(2)
    assert isinstance(as_norm(None, like), EuclideanNorm)
    norm = DiagonalNorm(np.array([1.0, 2.0]))
    assert as_norm(norm, like) is norm
    with pytest.raises(ShapeError):
        as_norm(norm, np.ones(3))
    with pytest.raises(ArrayTypeError, match="DiagonalNorm"):
        as_norm(np.array([1.0, 2.0]), like)
    with pytest.raises(ArrayTypeError, match="MatrixNorm"):
        as_norm(np.eye(2), like)


class Doubled(Norm):
    """A user's norm that gives the two required methods only."""

    def _apply(self, s):
        return 2.0 * s

    def _solve(self, s):
        return 0.5 * s


def test_a_norm_of_the_users(xp_case: Xp) -> None:
    norm, s = Doubled(), xp_case.array([3.0, 4.0])
    assert norm.norm(s) == pytest.approx(np.sqrt(50.0), rel=4 * xp_case.eps)
    assert norm.dual_norm(s) == pytest.approx(np.sqrt(12.5), rel=4 * xp_case.eps)
    assert norm.upper_eigenvalue() is None
    assert norm.lower_eigenvalue() is None
    with pytest.raises(ArgumentError, match="Doubled has no square root"):
        norm.sqrt(s)
    with pytest.raises(ArgumentError, match="factor L"):
        norm.half_solve(s)
    close(xp_case, densify(norm, s).inverse_sqrt(s), np.array([3.0, 4.0]) / np.sqrt(2.0))


def test_representations() -> None:
    assert repr(EuclideanNorm()) == "EuclideanNorm()"
    assert "3 entries" in repr(DiagonalNorm(np.ones(3)))
    assert "rank 1" in repr(LowRankNorm(np.ones((3, 1))))
    assert "n = 2" in repr(MatrixNorm(np.eye(2)))
