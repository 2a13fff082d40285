"""What callbacks see, against the definitions: phases, multipliers, lengths, products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle import rotated
from tests.subproblems.support import Product
from tralgos import InnerIterate, SphereDescent, solve_cubic, solve_trs
from tralgos.norms import DiagonalNorm, MatrixNorm

METHODS = ["krylov", "steihaug", "sphere-descent", SphereDescent(variant="printed", N1=20, N2=60)]
NAMES = ["krylov", "steihaug", "sphere-descent", "printed"]


def problem(low: float) -> tuple[np.ndarray, np.ndarray]:
    H, g, _ = rotated(np.linspace(low, 5, 24), np.ones(24), np.random.default_rng(4))
    return H, g


def seen_by(solve: Any, *arguments: Any, **options: Any) -> tuple[list[InnerIterate], Any]:
    seen: list[InnerIterate] = []
    return seen, solve(*arguments, callback=seen.append, **options)


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
@pytest.mark.parametrize("radius", [0.25, 1.0, 40.0])
@pytest.mark.parametrize("low", [-1.0, 0.5])
@pytest.mark.parametrize("by_products", [False, True], ids=["matrix", "products"])
def test_iterates_of_the_trust_region(
    method: Any, radius: float, low: float, by_products: bool
) -> None:
    """In a full norm: each figure is that of the iterate's own step.

    Known by its products, H has been multiplied with M^-1 g by the checks already.
    """
    H, g = problem(low)
    root = np.diag(np.linspace(1.0, 2.0, 24)) + 0.05
    M = root @ root.T
    operator = Product(H) if by_products else H
    seen, result = seen_by(solve_trs, operator, g, radius, norm=MatrixNorm(M), method=method)
    numbers = [i.iteration for i in seen]
    if method == "krylov":
        # The space is extended once more, unseen, where the evidence asks for it.
        assert numbers == sorted(set(numbers))
        assert numbers[:4] == [1, 2, 3, 4][: len(seen)]
    else:
        assert numbers == list(range(len(seen)))
    for iterate in seen:
        s, lam = iterate.step, iterate.multiplier
        length = np.sqrt(s @ M @ s)
        assert iterate.relative_norm == pytest.approx(length / radius, rel=1e-8, abs=1e-12)
        assert iterate.value == pytest.approx(g @ s + 0.5 * s @ H @ s, rel=1e-8, abs=1e-9)
        r = H @ s + lam * (M @ s) + g
        assert iterate.residual == pytest.approx(
            np.sqrt(r @ np.linalg.solve(M, r)), rel=1e-5, abs=1e-7
        )
        assert lam >= 0.0
        assert iterate.phase in ("interior", "boundary")
        if iterate.phase == "interior":
            assert lam == 0.0
        elif not isinstance(method, SphereDescent):
            assert iterate.relative_norm == pytest.approx(1.0, rel=1e-8)
    products = [i.matvecs for i in seen]
    assert products == sorted(products)
    assert products[-1] <= result.matvecs


@pytest.mark.parametrize("low", [-1.0, 0.5])
@pytest.mark.parametrize("sigma", [0.01, 0.5, 2.0])
def test_iterates_of_the_cubic(low: float, sigma: float) -> None:
    """relative_norm is ||s|| sigma / lambda: one, every iterate being a solution in its space."""
    H, g = problem(low)
    seen, result = seen_by(solve_cubic, H, g, sigma, method="krylov")
    assert [i.iteration for i in seen][:6] == [1, 2, 3, 4, 5, 6]
    for iterate in seen:
        s = iterate.step
        length = np.linalg.norm(s)
        assert iterate.multiplier == pytest.approx(sigma * length, rel=1e-8)
        assert iterate.relative_norm == pytest.approx(1.0, rel=1e-8)
        value = g @ s + 0.5 * s @ H @ s + sigma / 3.0 * length**3
        assert iterate.value == pytest.approx(value, rel=1e-9)
        residual = H @ s + iterate.multiplier * s + g
        assert iterate.residual == pytest.approx(np.linalg.norm(residual), rel=1e-5, abs=1e-8)
    assert -seen[-1].value == pytest.approx(result.model_decrease, rel=1e-6)


@pytest.mark.parametrize("method", ["krylov", "steihaug", "sphere-descent"])
@pytest.mark.parametrize(("h", "c"), [(1e150, 1e149), (1e-150, 1e-149), (1e100, 1e90)])
def test_iterates_in_the_callers_units(method: str, h: float, c: float) -> None:
    """Data of extreme size: lengths, values, residuals and multipliers are the caller's."""
    H, g = problem(-1.0)
    radius, norm = c / h, DiagonalNorm(np.linspace(1.0, 2.0, 24))
    seen, _ = seen_by(solve_trs, Product(h * H), c * g, radius, norm=norm, method=method)
    plain, _ = seen_by(solve_trs, Product(H), g, 1.0, norm=norm, method=method)
    assert len(seen) >= 2
    for a, b in zip(seen[:4], plain, strict=False):
        assert (a.iteration, a.phase, a.matvecs) == (b.iteration, b.phase, b.matvecs)
        np.testing.assert_allclose(a.step / radius, b.step, rtol=1e-6, atol=1e-9)
        assert a.value / c / radius == pytest.approx(b.value, rel=1e-6, abs=1e-12)
        assert a.residual / c == pytest.approx(b.residual, rel=1e-5, abs=1e-9)
        assert a.multiplier / h == pytest.approx(b.multiplier, rel=1e-5, abs=1e-9)
        assert a.relative_norm == pytest.approx(b.relative_norm, rel=1e-6, abs=1e-12)
