"""What each norm says that it can do, and the bounds that it gives away."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from tests.namespaces import Xp
from tests.norms.support import HOST_CASES, NORM_CASES, NormCase
from tralgos.errors import ArgumentError, NotPositiveDefiniteError
from tralgos.norms import AdagradNorm, AdamNorm, MatrixNorm, Norm, RMSPropNorm, densify

#: (symmetric roots, a factor L, M diagonal).
ABLE = {
    "euclidean": (True, True, True),
    "diagonal": (True, True, True),
    "dense": (True, True, False),
    "low-rank": (True, True, False),
    "low-rank-indefinite": (True, True, False),
    "low-rank-wide": (True, True, False),
    "low-rank-no-columns": (True, True, False),
    "operator": (False, False, False),
    "sparse": (False, False, False),
}


@pytest.mark.parametrize("case", NORM_CASES, ids=str)
def test_norms_can_do_what_they_say(xp_case: Xp, case: NormCase, rng: np.random.Generator) -> None:
    """The tests of roots and factors leave out what a norm denies: none may deny in vain."""
    norm, _ = case.build(xp_case, 4, rng)
    s = xp_case.array(np.ones(4))
    roots, half, entrywise = ABLE[case.name]
    assert (norm.has_sqrt, norm.has_half, norm.entrywise) == (roots, half, entrywise)
    for able, calls in (
        (roots, (norm.sqrt, norm.inverse_sqrt)),
        (half, (norm.half_solve, norm.half_solve_t)),
    ):
        for call in calls:
            if able:
                assert xp_case.owns(call(s))
            else:
                with pytest.raises(ArgumentError, match="has no"):
                    call(s)
    dense = densify(norm, s)
    assert dense.has_half
    assert (dense is norm) == half


def test_a_sparse_norm_can_do_what_it_says(rng: np.random.Generator) -> None:
    norm, _ = HOST_CASES[0].build(Xp("numpy-float64", np, None, np.float64), 4, rng)
    assert (norm.has_sqrt, norm.has_half, norm.entrywise) == ABLE["sparse"]


@pytest.mark.parametrize("d", [[1.0, 2.0, 3.0], [0.5, 0.75, 1.5], [0.125, 1.0, 8.0]])
def test_bounds_of_a_diagonal_matrix_lie_outside(xp_case: Xp, d: list[float]) -> None:
    """The eigenvalues are the entries, exactly: the bounds meet them, and rounding must not."""
    norm = MatrixNorm(xp_case.array(np.diag(d)))
    lower, upper = norm.lower_eigenvalue(), norm.upper_eigenvalue()
    assert lower is not None
    assert upper is not None
    allowed = 64.0 * xp_case.eps * d[-1]
    assert d[0] - allowed < lower < d[0]
    assert d[-1] < upper < d[-1] + allowed


def test_row_sums_that_say_nothing_give_no_lower_bound() -> None:
    M = np.array([[2.0, 1.5, 1.5], [1.5, 2.0, 1.5], [1.5, 1.5, 2.0]])
    norm = MatrixNorm(M)
    assert norm.lower_eigenvalue() is None
    assert norm.upper_eigenvalue() == pytest.approx(5.0, rel=1e-14)
    assert norm.equivalence() == pytest.approx((np.sqrt(0.5), np.sqrt(5.0)), rel=1e-14)


class Half(Norm):
    """A norm that overrides the symmetric root alone."""

    has_sqrt = True
    has_half = True

    def _apply(self, s: np.ndarray) -> np.ndarray:
        return 4.0 * s

    def _solve(self, s: np.ndarray) -> np.ndarray:
        return 0.25 * s

    def _inverse_sqrt(self, s: np.ndarray) -> np.ndarray:
        return 0.5 * s


def test_the_symmetric_root_serves_as_the_factor() -> None:
    s = np.array([1.0, -2.0])
    np.testing.assert_array_equal(Half().half_solve(s), 0.5 * s)
    np.testing.assert_array_equal(Half().half_solve_t(s), 0.5 * s)
    with pytest.raises(ArgumentError, match="eigenvalues"):
        Half().equivalence()
    with pytest.raises(ArgumentError, match="no square root"):
        Half().sqrt(s)


def test_a_lower_bound_is_positive_or_none(xp_case: Xp) -> None:
    """Where rounding hides the smallest eigenvalue, zero is no bound to divide by."""
    for part in (5.0, 10.0, 40.0, 200.0, 1e4):
        d = np.ones(48)
        d[7] = part * xp_case.eps
        try:
            norm = MatrixNorm(xp_case.array(np.diag(d)))
        except NotPositiveDefiniteError:
            assert part <= 10.0
            continue
        lower = norm.lower_eigenvalue()
        assert lower is None or 0.0 < lower <= d[7]
        assert (lower is not None) or part <= 200.0


def test_defaults_of_the_rules_are_those_of_their_papers() -> None:
    """epsilon = 1e-8 and, for averages, beta as documented: what is not given is not made up."""
    assert AdagradNorm().epsilon == RMSPropNorm().epsilon == AdamNorm().epsilon == 1e-8
    assert AdagradNorm().kind == RMSPropNorm().kind == AdamNorm().kind == "diagonal"
    assert AdagradNorm().epsilon_rule == "added"
    for rule in (AdagradNorm(), RMSPropNorm(), AdamNorm()):
        norm = rule.norm(rule.init(2))
        np.testing.assert_allclose(norm.apply(np.ones(2)), 1e-8, rtol=1e-15)


def test_sparse_integers_become_float64() -> None:
    M = scipy.sparse.csr_array(np.array([[2, 1, 0], [1, 2, 1], [0, 1, 2]]))
    norm = MatrixNorm(M)
    s = np.array([1.0, -2.0, 0.5])
    for found in (norm.apply(s), norm.solve(s)):
        assert found.dtype == np.float64
    np.testing.assert_allclose(norm.apply(norm.solve(s)), s, rtol=1e-14)
    assert norm.sparse_matrix(s).dtype == np.float64
    assert norm.equivalence()[0] == pytest.approx(np.sqrt(2.0 - np.sqrt(2.0)), rel=1e-14)
