"""The vector kernels against plain arithmetic, on lengths around those of their pieces."""

from __future__ import annotations

import numpy as np
import pytest

from tralgos.kernels import combine, inner, three_term

LENGTHS = (1, 2, 9983, 9984, 9985, 16384, 16385, 40000)


def vectors(n: int, count: int, dtype: type) -> list[np.ndarray]:
    rng = np.random.default_rng(n)
    # Every other entry: not contiguous, as a caller's vector may be.
    return [rng.standard_normal(2 * n).astype(dtype)[::2] for _ in range(count)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", LENGTHS)
def test_inner(n: int, dtype: type) -> None:
    x, y = vectors(n, 2, dtype)
    value = inner(x, y, np)
    assert value.dtype == dtype
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    expected = float(np.sum(x.astype(np.longdouble) * y))
    assert abs(float(value) - expected) <= 8 * np.finfo(dtype).eps * size


@pytest.mark.parametrize("third", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", LENGTHS)
def test_three_term(n: int, dtype: type, third: bool) -> None:
    p, u, v = vectors(n, 3, dtype)
    before = [x.copy() for x in (p, u, v)]
    out = np.full(n, np.nan, dtype=dtype)
    square = three_term(p, u, v if third else None, (0.3, -1.7, 2.5), out, np, square=True)
    expected = 0.3 * p.astype(np.longdouble) + 1.7 * u - (2.5 * v if third else 0.0)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(out, expected.astype(dtype), atol=16 * eps, rtol=4 * eps)
    assert square is not None
    assert square.dtype == dtype
    assert float(square) == pytest.approx(float(np.sum(expected**2)), rel=64 * float(eps))
    for x, y in zip((p, u, v), before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", LENGTHS)
def test_combine(n: int, dtype: type) -> None:
    rng = np.random.default_rng(n)
    blocks = [rng.standard_normal((k, n)).astype(dtype) for k in (3, 1, 4)]
    weights = [rng.standard_normal(len(block)).astype(dtype) for block in blocks]
    total = combine(weights, blocks, np.zeros(n, dtype=dtype), np)
    assert total.dtype == dtype
    expected = np.concatenate(weights).astype(np.longdouble) @ np.concatenate(blocks)
    np.testing.assert_allclose(total, expected.astype(dtype), atol=64 * np.finfo(dtype).eps)
