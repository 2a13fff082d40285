"""Where the scales of the data begin and end, to the last power of two."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tralgos import Status, solve_cubic, solve_trs
from tralgos.errors import ArgumentError
from tralgos.subproblems.validation import power_of_two_scale

DTYPES = [(np.float64, 200, 1022), (np.float32, 20, 126)]


@pytest.mark.parametrize(("dtype", "moderate", "extreme"), DTYPES)
def test_moderate_sizes_are_left_alone_up_to_the_end(
    dtype: type, moderate: int, extreme: int
) -> None:
    for k in (-moderate, 1 - moderate, 0, moderate - 1, moderate):
        assert power_of_two_scale(2.0**k, dtype) == 1.0
    for k in (-extreme, -moderate - 1, moderate + 1, extreme):
        assert power_of_two_scale(2.0**k, dtype) == 2.0**k
    assert power_of_two_scale(math.nextafter(2.0**moderate, math.inf), dtype) == 2.0**moderate
    assert power_of_two_scale(math.nextafter(2.0**-moderate, 0.0), dtype) == 2.0**-moderate
    assert power_of_two_scale(0.0, dtype) == 1.0


@pytest.mark.parametrize(("dtype", "moderate", "extreme"), DTYPES)
def test_scales_end_at_the_normal_numbers(dtype: type, moderate: int, extreme: int) -> None:
    """The scale and its reciprocal are normal numbers of the dtype, and next to the size."""
    assert power_of_two_scale(2.0**extreme * 1.9, dtype) == 2.0**extreme
    assert power_of_two_scale(2.0**-extreme * 0.5, dtype) == 2.0**-extreme
    for size in (3.1e-200, 1.3e200) if dtype is np.float64 else (3.1e-20, 1.3e20):
        assert 0.7 <= power_of_two_scale(size, dtype) / size <= 1.42


@pytest.mark.parametrize("method", ["direct", "krylov"])
@pytest.mark.parametrize(("dtype", "limit"), [(np.float64, 1e100), (np.float32, 1e17)])
def test_radii_and_sigmas_are_taken_up_to_the_limit(method: str, dtype: type, limit: float) -> None:
    """1e100 is not beyond a factor of 1e100; twice that is."""
    H, g = np.diag([1.0, 2.0, 4.0]).astype(dtype), np.ones(3, dtype=dtype)
    for solve in (solve_trs, solve_cubic):
        for value in (limit, 1.0 / limit):
            assert solve(H, g, value, method=method).status in (Status.GLOBAL, Status.ROUNDING)
        for value in (2.0 * limit, 0.5 / limit):
            with pytest.raises(ArgumentError, match="too extreme"):
                solve(H, g, value, method=method)
