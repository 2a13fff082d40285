"""The test fixtures themselves: a counter that counts nothing would let everything pass."""

import numpy as np
import pytest

from tests.namespaces import FetchCounter, Xp
from tralgos.arrays import from_host, to_float, to_host


def test_arrays_keep_values_dtype_and_home(xp_case: Xp) -> None:
    for values in ([1.0, 2.5], [[1.0, 2.0], [3.0, 4.0]]):
        x = xp_case.array(values)
        assert xp_case.owns(x)
        np.testing.assert_array_equal(xp_case.numpy(x), values)
        np.testing.assert_array_equal(xp_case.numpy(x + x), 2 * np.asarray(values))


@pytest.mark.parametrize("fetch", [float, bool, int])
def test_scalar_fetches_are_counted(strict_case: Xp, host_fetches: FetchCounter, fetch) -> None:
    x = strict_case.xp.sum(strict_case.array([1.0, 2.0]))
    if fetch is int:
        x = strict_case.xp.astype(x, strict_case.xp.int64)
    assert host_fetches.count == 0
    fetch(x)
    assert host_fetches.count == 1


def test_device_arithmetic_is_no_fetch(strict_case: Xp, host_fetches: FetchCounter) -> None:
    x = strict_case.array([3.0, 4.0])
    strict_case.xp.linalg.vector_norm(x * 2.0 - x)
    strict_case.xp.stack([x, x])
    from_host(np.ones(3), x)
    assert host_fetches.count == 0


def test_to_host_and_to_float_are_one_transfer_each(
    strict_case: Xp, host_fetches: FetchCounter
) -> None:
    x = strict_case.array([3.0, 4.0])
    assert to_host(x).tolist() == [3.0, 4.0]
    assert host_fetches.count == 1
    assert to_float(strict_case.xp.sum(x)) == 7.0
    assert host_fetches.count == 2
    host_fetches.reset()
    assert host_fetches.count == 0
