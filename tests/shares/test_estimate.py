"""The estimator: exact where it sees all, covering where it does not, at home in all libraries."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse.linalg import LinearOperator

from tests.namespaces import FetchCounter, Xp
from tests.shares.products import Hidden, Transposable, share_of
from tralgos.errors import ArgumentError, ArrayTypeError, NonFiniteError, ShapeError
from tralgos.operators import CountingOperator, Operator
from tralgos.problems import digits_problem
from tralgos.shares import ShareEstimate, ShareStatus, diagonal_share, estimate_diagonal

matrices = st.integers(1, 6).flatmap(
    lambda n: hnp.arrays(np.float64, (n, n), elements=st.integers(-4, 4).map(float))
)


@given(matrices)
def test_exact_where_all_is_seen(A: np.ndarray) -> None:
    if not A.any():
        for given_ in (A, Hidden(A), Transposable(A)):
            with pytest.raises(ArgumentError, match="has no share"):
                diagonal_share(given_)
        return
    found = (
        diagonal_share(A),
        diagonal_share(A.astype(int)),
        diagonal_share(Hidden(A), block=4),
        diagonal_share(Transposable(A), columns=len(A)),
        diagonal_share(scipy.sparse.csr_array(A)),
        diagonal_share(Transposable(A), width=0.01),
    )
    for estimate in found:
        assert estimate.share == pytest.approx(share_of(A), rel=1e-15)
        assert estimate.exact
        assert estimate.status is ShareStatus.EXACT
        assert estimate.low == estimate.high == estimate.share
        assert estimate.standard_error == estimate.bias_bound == 0.0
        assert estimate.columns == estimate.order == estimate.effective_columns == len(A)
        assert estimate.probes == 0
    assert [e.matvecs for e in found] == [0, 0, len(A), len(A), 0, len(A)]


@pytest.mark.parametrize("size", [2.0**-500, 2.0**500])
@pytest.mark.parametrize("columns", [None, 5, 29])
def test_scale_changes_nothing(size: float, columns: int | None) -> None:
    A = np.random.default_rng(0).standard_normal((30, 30))
    for kind in (Hidden, Transposable):
        plain = diagonal_share(kind(A), columns=columns, rng=1)
        scaled = diagonal_share(kind(size * A), columns=columns, rng=1)
        assert vars(scaled) == vars(plain)
    assert diagonal_share(size * A).share == pytest.approx(share_of(A), rel=1e-13)


def test_single_precision_near_its_ends() -> None:
    """No product with a probe overflows where the entries do not; probes may vanish."""
    A = np.random.default_rng(0).uniform(0.1, 0.9, (40, 40)).astype(np.float32)
    largest = A * np.finfo(np.float32).max
    for some in (largest, A * np.float32(1e-37), A * np.float32(1e-44)):
        wanted = share_of(some.astype(np.float64))
        estimate = diagonal_share(Transposable(some), columns=30, rng=0)
        assert estimate.probes == 8
        assert estimate.low < wanted < estimate.high
        assert estimate.standard_error < 0.1 * wanted
        whole = diagonal_share(Transposable(some)).share
        assert whole == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("block", [1, 3, 100])
@pytest.mark.parametrize("kind", [Hidden, Transposable])
def test_products_are_counted_and_blocks_do_not_matter(block: int, kind: Any) -> None:
    A = np.random.default_rng(0).standard_normal((40, 40))
    counted = CountingOperator(kind(A))
    estimate = diagonal_share(counted, columns=11, rng=3, block=block, probes=5)
    assert estimate.columns == 11
    assert estimate.probes == (0 if kind is Hidden else 5)
    assert counted.count == estimate.matvecs == estimate.columns + estimate.probes
    other = diagonal_share(kind(A), columns=11, rng=3, probes=5)
    for name, value in vars(estimate).items():
        assert value == (
            pytest.approx(getattr(other, name), rel=1e-10) if isinstance(value, float)
            else getattr(other, name)
        )  # fmt: skip
    assert not estimate.exact
    assert estimate.low < estimate.share < estimate.high


def test_symmetric_operators_are_probed_by_blocks() -> None:
    """A declared symmetry is a transpose; the same columns as with the transpose itself."""
    A = np.random.default_rng(0).standard_normal((40, 40))
    A = A + A.T
    counted = CountingOperator(Hidden(A, symmetric=True))
    estimate = diagonal_share(counted, columns=11, rng=3, block=3)
    assert counted.count == estimate.matvecs == 11 + 8
    assert estimate.share == pytest.approx(
        diagonal_share(Transposable(A), columns=11, rng=3).share, rel=1e-12
    )


def test_linear_operators_without_rmatvec_are_sampled_uniformly() -> None:
    A = np.random.default_rng(0).standard_normal((40, 40))
    found = diagonal_share(LinearOperator((40, 40), matvec=lambda v: A @ v), columns=9, rng=1)
    assert (found.probes, found.matvecs) == (0, 9)
    both = LinearOperator((40, 40), matvec=lambda v: A @ v, rmatvec=lambda v: A.T @ v)
    assert diagonal_share(both, columns=9, rng=1).probes == 8


def test_every_library(xp_case: Xp) -> None:
    A = np.random.default_rng(0).integers(-3, 4, (12, 12)).astype(float)
    array = xp_case.array(A)
    assert diagonal_share(array).share == pytest.approx(share_of(A), rel=1e-15)
    assert diagonal_share(Hidden(array), block=5).share == pytest.approx(share_of(A), rel=1e-15)
    sampled = diagonal_share(Hidden(array), columns=6, rng=0)
    assert sampled == diagonal_share(Hidden(A), columns=6, rng=0)
    assert all(isinstance(v, float | int | ShareStatus) for v in vars(sampled).values())
    weighted = diagonal_share(Transposable(array), columns=6, rng=0)
    host = diagonal_share(Transposable(A), columns=6, rng=0)
    near = 1e-9 if xp_case.eps < 1e-10 else 1e-3
    for name in ("share", "low", "high", "standard_error", "bias_bound", "effective_columns"):
        assert getattr(weighted, name) == pytest.approx(getattr(host, name), rel=near)


def test_transfers(strict_case: Xp, host_fetches: FetchCounter) -> None:
    array = strict_case.array(np.eye(12) + 0.5)
    for wanted, call in (
        (1, lambda: diagonal_share(array)),
        (3, lambda: diagonal_share(Hidden(array), columns=9, block=4)),
        (1 + 3, lambda: diagonal_share(Transposable(array), columns=9, block=4)),
    ):
        host_fetches.reset()
        call()
        assert host_fetches.count == wanted


def test_where_the_products_are_made(xp_case: Xp) -> None:
    class Doubling(Operator):
        def _matvec(self, x: Any) -> Any:
            assert xp_case.owns(x)
            return 2.0 * x

    like = xp_case.array([0.0] * 7)
    for symmetric in (None, True):
        operator = Doubling((7, 7), symmetric=symmetric)
        assert diagonal_share(operator, columns=3, like=like).share == 1.0
    with pytest.raises(ArrayTypeError, match="like must be"):
        diagonal_share(Doubling((7, 7)), like=[0.0])


@pytest.mark.parametrize("given_", [np.eye(4), scipy.sparse.eye_array(4), Hidden(np.eye(4))])
def test_like_is_a_vector_that_the_matrix_multiplies(given_: Any) -> None:
    """Checked also where the entries are read and it is of no use."""
    for like in (np.ones(3), np.ones(0)):
        with pytest.raises(ShapeError, match=r"like has length \d, but A is of order 4"):
            diagonal_share(given_, like=like)
    for like in ("x", [1.0] * 4, np.ones((4, 4)), np.ones(4, dtype=complex)):
        with pytest.raises(ArrayTypeError, match="like must be"):
            diagonal_share(given_, like=like)
    with pytest.raises(ArrayTypeError, match="float32"):
        diagonal_share(given_, like=np.ones(4, dtype=np.float32))
    assert diagonal_share(given_, like=np.ones(4)).share == 1.0


def test_sparse_tensors_are_multiplied() -> None:
    """Torch's are known by their products alone."""
    torch = pytest.importorskip("torch")
    A = np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 3.0, 1.0]], dtype=np.float32)
    found = diagonal_share(torch.tensor(A).to_sparse())
    assert (found.share, found.matvecs) == (0.5, 3)
    diagonal = estimate_diagonal(torch.tensor(A).to_sparse(), probes=4, kind="hadamard").diagonal
    assert diagonal.tolist() == [2.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"columns": 0}, "columns must"),
        ({"columns": 1}, "between 2 and the order of A, 4"),
        ({"columns": 5}, "between 2 and the order of A, 4"),
        ({"columns": 2.0}, "columns must be an integer"),
        ({"confidence": 1.0}, "confidence must"),
        ({"confidence": 0}, "confidence must"),
        ({"confidence": math.nan}, "confidence must"),
        ({"width": 0.0}, "width must"),
        ({"width": -0.1}, "width must"),
        ({"width": 1.0}, "width must"),
        ({"width": math.nan}, "width must"),
        ({"width": "0.1"}, "width must"),
        ({"probes": 0}, "probes must"),
        ({"probes": 2.5}, "probes must"),
        ({"block": 0}, "block must"),
        ({"rng": -1}, "rng as a seed"),
    ],
)
def test_bad_arguments_before_any_work(options: dict[str, Any], match: str) -> None:
    counted = CountingOperator(Transposable(np.eye(4)))
    with pytest.raises(ArgumentError, match=match):
        diagonal_share(counted, **options)
    assert counted.count == 0


def test_bad_matrices() -> None:
    with pytest.raises(ShapeError, match="square"):
        diagonal_share(np.ones((2, 3)))
    with pytest.raises(ShapeError, match="square"):
        diagonal_share(Hidden(np.ones((2, 3))), columns=2)
    with pytest.raises(ShapeError, match="order at least 1"):
        diagonal_share(np.ones((0, 0)))
    with pytest.raises(ArrayTypeError):
        diagonal_share(np.ones((2, 2), dtype=complex))
    for bad in (math.nan, math.inf):
        A = np.eye(4)
        A[0, 2] = bad
        with pytest.raises(NonFiniteError, match="NaN or infinity"):
            diagonal_share(A)
        with pytest.raises(NonFiniteError, match="unit vector holds NaN or infinity"):
            diagonal_share(Hidden(A))
        with pytest.raises(NonFiniteError, match="random vector holds NaN or infinity"):
            diagonal_share(Transposable(A), columns=3)
    with pytest.raises(NonFiniteError, match="overflows"):
        diagonal_share(np.full((3, 3), 1e308))
    with pytest.raises(NonFiniteError, match="overflows"):
        diagonal_share(Hidden(np.full((3, 3), 1e308)))
    A = np.zeros((50, 50))
    A[0, 0] = 1.0
    with pytest.raises(ArgumentError, match="zero in all columns that were looked at"):
        diagonal_share(Hidden(A), columns=2, rng=0)
    # The probes see the one column that is not zero.
    assert diagonal_share(Transposable(A), columns=2, rng=0).share == 1.0
    with pytest.raises(ArgumentError, match="zero in all columns that were looked at"):
        diagonal_share(Transposable(0.0 * A), columns=10)


def test_estimate_is_a_record() -> None:
    estimate = diagonal_share(np.eye(2), confidence=0.9)
    exact = ShareStatus.EXACT
    assert estimate == ShareEstimate(1.0, 1.0, 1.0, 0.0, 0.9, 2, 2, 0, 0, 0.0, 2.0, exact)
    assert "right up to rounding" in estimate.status.value
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.share = 0.0  # type: ignore[misc]


# ----------------------------------------------------------------------------- orders 1 to 3


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", [Hidden, Transposable])
def test_smallest_orders(n: int, kind: Any) -> None:
    A = np.random.default_rng(n).standard_normal((n, n))
    wanted = share_of(A)
    for columns in range(2 if n > 1 else 1, n + 1):
        for width in (None, 0.2):
            found = diagonal_share(kind(A), columns=columns, width=width, rng=0)
            assert found.exact == (columns == n)
            assert 0.0 <= found.low <= found.share <= found.high <= 1.0
            assert found.columns == columns
            if found.exact:
                assert found.share == pytest.approx(wanted, rel=1e-15)


# ----------------------------------------------------------------------------- stopping


def _spread(n: int, scale: float) -> np.ndarray:
    rng = np.random.default_rng(12)
    return rng.standard_normal((n, n)) * np.exp(scale * rng.standard_normal(n))


def test_stops_where_the_width_is_reached() -> None:
    X = np.random.default_rng(0).standard_normal((400, 40))
    operator = CountingOperator(Transposable(X @ X.T))
    found = diagonal_share(operator, width=0.02, rng=1)
    assert found.status is ShareStatus.REACHED
    assert found.columns in (100, 200)
    assert operator.count == found.matvecs == found.columns + 8
    assert (found.high - found.low) / 2 <= 0.02 * found.share
    # Half the columns were not enough.
    before = diagonal_share(Transposable(X @ X.T), width=0.02, columns=found.columns // 2, rng=1)
    assert before.status is ShareStatus.BUDGET
    assert (before.high - before.low) / 2 > 0.02 * before.share


def test_a_look_is_wider_than_a_single_interval() -> None:
    """The confidence is spent on all looks: 50, 100 and 150 columns here, 0.05 / 3 each."""
    A = _spread(200, 0.5)
    stopped = diagonal_share(Transposable(A), width=1e-9, columns=150, rng=4)
    single = diagonal_share(Transposable(A), columns=150, rng=4, confidence=1 - 0.05 / 3)
    assert stopped.confidence == 0.95
    assert stopped.status is ShareStatus.BUDGET
    assert single.status is ShareStatus.SAMPLED
    for name in ("share", "low", "high", "standard_error", "columns", "matvecs"):
        assert getattr(stopped, name) == pytest.approx(getattr(single, name), rel=1e-12)
    once = diagonal_share(Transposable(A), width=1e-9, columns=50, rng=4)
    plain = diagonal_share(Transposable(A), columns=50, rng=4)
    assert (once.low, once.high) == (plain.low, plain.high)


def test_all_columns_take_no_part_of_the_confidence() -> None:
    """Of order 200: looks at 50 and 100, and then the share itself."""
    A = _spread(200, 0.5)
    found = diagonal_share(Transposable(A), width=1e-9, rng=4)
    assert found.exact
    assert found.share == pytest.approx(share_of(A), rel=1e-14)
    assert (found.columns, found.matvecs, found.probes) == (200, 208, 8)
    reached = diagonal_share(Transposable(A), width=0.9, rng=4)
    single = diagonal_share(Transposable(A), columns=50, rng=4, confidence=1 - 0.05 / 2)
    assert reached.columns == 50
    assert (reached.low, reached.high) == pytest.approx((single.low, single.high), rel=1e-12)


@pytest.mark.parametrize(("n", "probes"), [(66, 0), (67, 8)])
def test_where_looking_pays_not_all_is_looked_at(n: int, probes: int) -> None:
    """The first look of 50 columns is for matrices of which it leaves a quarter."""
    found = diagonal_share(Transposable(_spread(n, 0.5)), width=1e-9)
    assert found.exact
    assert (found.probes, found.matvecs) == (probes, n + probes)


def test_a_share_of_zero_reaches_no_width() -> None:
    A = np.ones((60, 60)) - np.eye(60)
    short = diagonal_share(Transposable(A), width=0.5, columns=40)
    assert (short.share, short.status) == (0.0, ShareStatus.BUDGET)
    assert diagonal_share(Transposable(A), width=0.5).status is ShareStatus.EXACT


def test_zero_columns_at_the_first_look_do_not_end_it() -> None:
    A = np.zeros((300, 300))
    A[7, 7] = 1.0
    found = diagonal_share(Hidden(A), width=0.5, rng=0)
    assert found.share == 1.0
    assert found.columns > 50


# ----------------------------------------------------------------------------- coverage


def _coverage(A: np.ndarray, runs: int, operator: Any = Transposable, **options: Any) -> float:
    """The fraction of intervals that cover the share of A."""
    wanted, rng = share_of(A), np.random.default_rng(7)
    found = (diagonal_share(operator(A), rng=rng, block=64, **options) for _ in range(runs))
    return sum(e.low <= wanted <= e.high for e in found) / runs


def test_coverage_where_few_columns_hold_the_mass() -> None:
    """Scales exp(3N/2): nominal with probes, far from it without; 900 runs, 0.022 is 3 sigma."""
    rng = np.random.default_rng(10)
    X = np.exp(1.5 * rng.standard_normal(200))[:, None] * rng.standard_normal((200, 32))
    A = X @ X.T
    assert _coverage(A, 900, columns=50) > 0.928
    assert _coverage(A, 300, operator=Hidden, columns=50) < 0.92
    assert _coverage(A, 300, columns=50, confidence=0.8) < 0.9
    assert _coverage(A, 400, width=0.2) > 0.93


def _bordered(A: np.ndarray, border: float) -> np.ndarray:
    A[0, 1:] = A[1:, 0] = border
    return A


def _wheel(n: int) -> np.ndarray:
    rim = np.eye(n - 1, k=1) + np.eye(n - 1, k=2 - n)
    return _bordered(8 * np.eye(n) + np.pad(rim + rim.T, ((1, 0), (1, 0))), 1.0)


def _saddle(n: int, constraints: int) -> np.ndarray:
    rng = np.random.default_rng(4)
    B = rng.standard_normal((constraints, n))
    corner = np.zeros((constraints, constraints))
    return np.block([[np.diag(rng.uniform(1, 2, n)), B.T], [B, corner]])


HEAVY = {
    "border of 10%": _bordered(np.eye(400), 0.05),
    "border of 3%": _bordered(np.eye(400), 0.015),
    "border of 1%": _bordered(np.eye(400), 0.005),
    "arrow": _bordered(np.diag(np.arange(1.0, 301.0)), 10.0),
    "wheel": _wheel(400),
    "saddle point": _saddle(295, 5),
}


@pytest.mark.parametrize("name", list(HEAVY))
def test_coverage_of_a_heavy_column_with_little_diagonal(name: str) -> None:
    """Half of what is off the diagonal is in one column or few, and all others are alike."""
    A = HEAVY[name]
    assert _coverage(A, 300, columns=50) > 0.91
    assert _coverage(A, 100, width=0.05) > 0.89


def test_no_interval_without_width_while_columns_are_unseen() -> None:
    """Whatever the columns seen are like; nor is the width reached before it can be."""
    n = 400
    circulant = 2 * np.eye(n) - np.roll(np.eye(n), 1, axis=0) - np.roll(np.eye(n), -1, axis=0)
    for A in (np.eye(n), np.ones((n, n)), np.ones((n, n)) - np.eye(n), circulant, HEAVY["arrow"]):
        for kind in (Hidden, Transposable):
            found = diagonal_share(kind(A), columns=50, rng=1)
            assert 0.0 <= found.low < found.high <= 1.0
            # Without its transpose the heavy column of the arrow is missed.
            assert A is HEAVY["arrow"] or found.low <= share_of(A) <= found.high
            # The rule of three on the odds.
            if 0.0 < found.share < 1.0:
                odds = [p / (1 - p) for p in (found.low, found.share, found.high)]
                assert odds[1] / odds[0] >= math.exp(3 / 70)
                assert odds[2] / odds[1] >= math.exp(3 / 70)
    found = diagonal_share(Transposable(np.ones((n, n))), width=0.01, rng=1)
    assert found.columns >= 200


def test_coverage_where_the_sample_is_skewed() -> None:
    """A Gauss-Newton matrix of a network on digits, whose misses used to lie below the share."""
    rng = np.random.default_rng(3)
    problem = digits_problem("two-layer", hidden=3)
    some = problem.subset(rng.choice(problem.size, 64, replace=False))
    x = np.concatenate([0.17 * rng.standard_normal(195), 0.39 * rng.standard_normal(40)])
    A = some.gauss_newton(x).matmat(np.eye(235))
    assert _coverage(A, 600, columns=50) > 0.92
    assert _coverage(A, 300, columns=50, confidence=0.99) > 0.96
    assert _coverage(A, 300, width=0.2) > 0.93


def test_coverage_of_one_dominating_column() -> None:
    A = np.random.default_rng(11).standard_normal((150, 150))
    A[:, 3] *= 1e4
    assert _coverage(A, 900, columns=50) > 0.92
    # Without the transpose the column is missed in two samples of three, without a sign of it.
    assert _coverage(A, 200, operator=Hidden, columns=50) < 0.75


def test_dense_columns_among_sparse_ones() -> None:
    """Of equal 2-norms, so that only the Cauchy probes see which have the mass."""
    n, rng = 400, np.random.default_rng(3)
    A = np.diag(rng.uniform(1, 2, n))
    A[:, :8] += rng.standard_normal((n, 8)) / math.sqrt(n)
    assert _coverage(A, 400, columns=50) > 0.92
    assert _coverage(A, 200, columns=50, probes=1) < 0.9
    assert _coverage(A, 300, width=0.2) > 0.92
    found = [diagonal_share(Transposable(A), columns=40, rng=s).standard_error for s in range(40)]
    equal = [diagonal_share(Hidden(A), columns=40, rng=s).standard_error for s in range(40)]
    assert np.mean(np.square(found)) < 0.5 * np.mean(np.square(equal))


def test_coverage_without_a_transpose_where_columns_are_alike() -> None:
    G = np.random.default_rng(8).standard_normal((300, 300))
    assert 0.93 < _coverage(G + G.T, 900, operator=Hidden, columns=60) < 0.975


def test_effective_columns_show_a_heavy_one() -> None:
    """Equal masses count in full; where one column outweighs all the interval is no use."""
    even = diagonal_share(Hidden(np.ones((60, 60))), columns=20)
    assert even.effective_columns == pytest.approx(20.0)
    A = np.ones((60, 60))
    A[:, :59] *= 1e-3
    heavy = [diagonal_share(Hidden(A), columns=20, rng=s) for s in range(20)]
    assert min(e.effective_columns for e in heavy) < 1.1
    seen = [e for e in heavy if e.effective_columns < 1.1]
    assert all((e.low, e.high) == (0.0, 1.0) or e.standard_error < 1e-12 for e in seen)
