"""The counting wrapper counts columns, and changes nothing else."""

import numpy as np
import pytest

from tests.namespaces import FetchCounter, Xp
from tests.operators.support import OnlyMatvec, random_symmetric
from tralgos.errors import ArrayTypeError, ShapeError
from tralgos.operators import CountingOperator, DiagonalOperator, WrappedOperator, as_operator


def test_columns_are_counted() -> None:
    inner = OnlyMatvec(random_symmetric(4, 1))
    H = CountingOperator(inner)
    assert H.count == 0
    H @ np.ones(4)
    H @ np.ones((4, 3))
    assert H.count == inner.calls == 4
    H.count = 0
    (2.0 * H + H) @ np.ones(4)
    assert H.count == 2


def test_products_with_the_transpose_are_counted() -> None:
    H = CountingOperator(np.ones((2, 3)))
    H.rmatvec(np.ones(2))
    assert H.count == 1


def test_what_is_refused_is_not_counted_and_what_fails_is() -> None:
    def fail(x):
        raise ZeroDivisionError

    A = OnlyMatvec(np.eye(3))
    H = CountingOperator(A)
    with pytest.raises(ShapeError):
        H @ np.ones(4)
    assert H.count == 0
    A.matvec = fail
    with pytest.raises(ZeroDivisionError):
        H @ np.ones(3)
    assert H.count == 1


def test_all_else_is_that_of_the_operand() -> None:
    D = CountingOperator(DiagonalOperator(np.array([1.0, -3.0])))
    assert (D.symmetric, D.magnitude, D.dtype, D.shape) == (True, 3.0, np.float64, (2, 2))
    assert D.name == "diagonal operator"
    loose = CountingOperator(WrappedOperator(OnlyMatvec(np.eye(2)), symmetry_tolerance=1e-3))
    assert loose.symmetry_tolerance == 1e-3
    assert loose.magnitude is None
    assert not loose.has_transpose
    assert CountingOperator(np.eye(2)).has_transpose


def test_products_in_every_library(xp_case: Xp) -> None:
    A = random_symmetric(3, 1)
    H = CountingOperator(xp_case.array(A))
    y = H @ xp_case.array(np.ones(3))
    assert xp_case.owns(y)
    np.testing.assert_allclose(xp_case.numpy(y), A @ np.ones(3), atol=50 * xp_case.eps)


def test_counting_never_reaches_the_host(strict_case: Xp, host_fetches: FetchCounter) -> None:
    H = CountingOperator(strict_case.array(np.eye(3)))
    H @ strict_case.array(np.ones((3, 2)))
    assert host_fetches.log == []


def test_the_operand_keeps_its_conditions(strict_case: Xp) -> None:
    H = CountingOperator(as_operator(np.eye(3)).to_scipy())
    with pytest.raises(ArrayTypeError, match="SciPy"):
        as_operator(H, like=strict_case.array(np.ones(3)))
