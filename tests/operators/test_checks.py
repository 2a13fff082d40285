"""check_symmetric finds what is asymmetric, names it, and leaves the rest alone."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from tests.namespaces import FetchCounter, Xp
from tests.operators.support import (
    PROPERTY,
    OnlyMatvec,
    orders,
    random_matrix,
    random_symmetric,
    seeds,
)
from tralgos.errors import ArrayTypeError, AsymmetryError, NonFiniteError, ShapeError
from tralgos.operators import (
    CountingOperator,
    DiagonalOperator,
    WrappedOperator,
    as_operator,
    check_symmetric,
    checks,
)

KINDS = {
    "dense": lambda A: A,
    "csr": sp.csr_array,
    "coo": sp.coo_matrix,
    "linear-operator": aslinearoperator,
    "only-matvec": OnlyMatvec,
}


@PROPERTY
@given(n=orders, seed=seeds, exponent=st.integers(-290, 290), kind=st.sampled_from(sorted(KINDS)))
def test_symmetric_operators_pass_at_every_scale(
    n: int, seed: int, exponent: int, kind: str
) -> None:
    A = random_symmetric(n, seed) * 10.0**exponent
    rng = np.random.default_rng(seed)
    assert check_symmetric(KINDS[kind](A), np.ones(n), rng=rng) < 1e-14


@PROPERTY
@given(n=st.integers(2, 7), seed=seeds, exponent=st.integers(-150, 150))
def test_the_defect_of_a_matrix_is_that_of_its_entries(n: int, seed: int, exponent: int) -> None:
    A = random_matrix(n, n, seed) * 10.0**exponent
    rng = np.random.default_rng(seed)
    want = np.abs(A - A.T).max() / np.abs(A).max()
    for kind in ("dense", "csr", "coo"):
        assert check_symmetric(KINDS[kind](A), A[0], rng=rng, rtol=3.0) == pytest.approx(want)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("asymmetry", [1e-8, 1e-3, 1.0])
def test_asymmetric_operators_are_found_and_the_defect_named(kind: str, asymmetry: float) -> None:
    n = 60
    A = random_symmetric(n, 1) + asymmetry * random_matrix(n, n, 2)
    relative = np.linalg.norm(A - A.T) / np.linalg.norm(A)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        with pytest.raises(AsymmetryError, match="relative asymmetry is"):
            check_symmetric(KINDS[kind](A), np.ones(n), rng=rng)
        defect = check_symmetric(KINDS[kind](A), np.ones(n), rng=rng, rtol=10.0)
        assert 1e-3 * relative < defect < 10 * relative


def test_the_mean_square_of_the_random_defect() -> None:
    # The derivation in the docstring: ||A - A'||_F / (sqrt(2) ||A||_F).
    n = 40
    A = random_symmetric(n, 1) + 0.1 * random_matrix(n, n, 2)
    rng = np.random.default_rng(0)
    defects = [check_symmetric(OnlyMatvec(A), A[0], rng=rng, rtol=9.0) for _ in range(500)]
    want = np.linalg.norm(A - A.T) / np.sqrt(2) / np.linalg.norm(A)
    assert np.sqrt(np.mean(np.square(defects))) == pytest.approx(want, rel=0.1)


@pytest.mark.parametrize("n", [10, 5_000, 200_000])
def test_rounding_passes_at_every_order_and_precision(n: int) -> None:
    for dtype in (np.float64, np.float32):
        d = np.linspace(-1.0, 1.0, n).astype(dtype)
        U = np.sin(np.outer(np.arange(n), np.arange(1, 4))).astype(dtype)
        H = OnlyMatvec(d)
        H.shape, H.matvec = (n, n), lambda x, d=d, U=U: d * x + U @ (U.T @ x)
        check_symmetric(H, d, rng=np.random.default_rng(n))


@pytest.mark.parametrize(("n", "factor"), [(100, 1e4), (40_000, 2e4)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_default_tolerance_grows_with_the_order(n: int, factor: float, dtype: type) -> None:
    H = OnlyMatvec(np.ones(n, dtype=dtype))
    H.shape, H.matvec = (n, n), lambda x: np.cumsum(x, dtype=dtype)
    with pytest.raises(AsymmetryError, match=f"more than {factor * np.finfo(dtype).eps:.3g}"):
        check_symmetric(H, H.matrix, rng=np.random.default_rng(0))


def test_two_products_one_transfer(strict_case: Xp, host_fetches: FetchCounter) -> None:
    A = OnlyMatvec(strict_case.array(random_symmetric(4, 1)))
    check_symmetric(A, strict_case.array(np.ones(4)), rng=np.random.default_rng(0))
    assert A.calls == 2
    assert host_fetches.count == 1


def test_a_matrix_costs_no_product() -> None:
    for A in (random_symmetric(4, 1), sp.csr_array(random_symmetric(4, 1))):
        rng = np.random.default_rng(0)
        state = rng.bit_generator.state
        assert check_symmetric(as_operator(A), np.ones(4), rng=rng) == 0.0
        assert rng.bit_generator.state == state


def test_every_library(xp_case: Xp) -> None:
    A = random_symmetric(5, 1)
    B = A + 0.1 * random_matrix(5, 5, 2)
    g = xp_case.array(np.ones(5))
    for wrap in (as_operator, OnlyMatvec):
        rng = np.random.default_rng(0)
        assert check_symmetric(wrap(xp_case.array(A)), g, rng=rng) < 20 * xp_case.eps
        with pytest.raises(AsymmetryError):
            check_symmetric(wrap(xp_case.array(B)), g, rng=rng)


@pytest.mark.parametrize("rows", [1, 2, 5, 7])
def test_dense_matrices_are_compared_block_by_block(
    monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    n = 7
    monkeypatch.setattr(checks, "_TILE", rows)
    for i in range(n):
        for j in range(n):
            A = np.ones((n, n))
            A[i, j] += 0.5
            defect = check_symmetric(A, A[0], rng=np.random.default_rng(0), rtol=1.0)
            assert defect == (0.0 if i == j else pytest.approx(0.5 / 1.5))


def test_a_declaration_is_believed_and_a_denial_is_checked() -> None:
    A = OnlyMatvec(random_matrix(4, 4, 1))
    rng = np.random.default_rng(0)
    assert check_symmetric(WrappedOperator(A, symmetric=True), np.ones(4), rng=rng) == 0.0
    assert A.calls == 0
    D = CountingOperator(DiagonalOperator(np.ones(4)))
    assert check_symmetric(D, np.ones(4), rng=rng) == 0.0
    assert D.count == 0
    with pytest.raises(AsymmetryError):
        check_symmetric(WrappedOperator(A, symmetric=False), np.ones(4), rng=rng)


def test_tolerances() -> None:
    A = OnlyMatvec(random_symmetric(9, 1) + 1e-6 * random_matrix(9, 9, 2))
    g = np.ones(9)

    def check(H, **options):
        return check_symmetric(H, g, rng=np.random.default_rng(0), **options)

    with pytest.raises(AsymmetryError):
        check(A)
    defect = check(A, rtol=1e-4)
    assert 0 < defect < 1e-4
    assert check(WrappedOperator(A, symmetry_tolerance=1e-4)) == defect
    with pytest.raises(AsymmetryError):
        check(WrappedOperator(A, symmetry_tolerance=1e-4), rtol=1e-12)
    A.symmetry_tolerance = 1e-4
    assert check(A) == defect


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(1, 1), (0, 2)])
def test_what_is_not_finite_is_no_asymmetry(kind: str, value: float, place) -> None:
    A = random_symmetric(3, 1)
    A[place] = value
    with pytest.raises(NonFiniteError, match="NaN or infinity"):
        check_symmetric(KINDS[kind](A), np.ones(3), rng=np.random.default_rng(0))


def test_zero_and_empty_operators_are_symmetric() -> None:
    rng = np.random.default_rng(0)
    for kind in KINDS.values():
        assert check_symmetric(kind(np.zeros((3, 3))), np.ones(3), rng=rng) == 0.0
    assert check_symmetric(np.zeros((0, 0)), np.ones(0), rng=rng) == 0.0


def test_operators_that_do_not_fit_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match="square"):
        check_symmetric(np.ones((2, 3)), np.ones(3), rng=rng)
    with pytest.raises(ShapeError, match="length"):
        check_symmetric(np.eye(2), np.ones(3), rng=rng)
    with pytest.raises(ArrayTypeError, match="like"):
        check_symmetric(np.eye(2), [1.0, 1.0], rng=rng)
