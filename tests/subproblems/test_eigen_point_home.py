"""An operator known by its products shows no library: the eigenpoint takes that of g."""

from __future__ import annotations

import numpy as np
import pytest

from tests.namespaces import Xp
from tralgos import cauchy_point, eigen_point
from tralgos.norms import DiagonalNorm


class Mine:
    """Products with an array, of which the shape alone is told."""

    shape = (6, 6)

    def __init__(self, A: object) -> None:
        self._A = A

    def matvec(self, x: object) -> object:
        return self._A @ x  # type: ignore[operator]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_direction_is_found_where_the_gradient_lives(xp_case: Xp, weighted: bool) -> None:
    """s = -r sign(g'v) v for the leftmost v, which for a diagonal pencil is a unit vector."""
    e, g = np.array([1.0, -2.0, 3.0, 0.5, 1.0, 2.0]), np.array([1.0, -0.5, 0.0, 2.0, 1.0, 1.0])
    d = np.array([1.0, 4.0, 1.0, 1.0, 1.0, 2.0])
    norm = DiagonalNorm(xp_case.array(d)) if weighted else None
    H = Mine(xp_case.array(np.diag(e)))
    step = eigen_point(H, xp_case.array(g), 3.0, norm=norm)
    assert xp_case.owns(step)
    expected = np.zeros(6)
    expected[1] = 3.0 / (2.0 if weighted else 1.0)
    np.testing.assert_allclose(xp_case.numpy(step), expected, atol=2e3 * xp_case.eps)
    point = cauchy_point(H, xp_case.array(g), 3.0, norm=norm)
    assert xp_case.owns(point)


def test_the_probability_and_the_budget_are_passed_on() -> None:
    """A budget of three products finds no leftmost vector, but one of smaller curvature."""
    rng = np.random.default_rng(0)
    e = np.concatenate([[-1.0], np.linspace(0.0, 5.0, 799)])
    g = rng.standard_normal(800)
    counts: list[int] = []

    class Counted:
        shape = (800, 800)

        def matvec(self, x: np.ndarray) -> np.ndarray:
            counts[-1] += 1
            return e * x

    for options in ({"max_matvec": 6}, {}, {"failure_probability": 1e-12}):
        counts.append(0)
        eigen_point(Counted(), g, 1.0, **options)
    few, usual, many = counts
    assert few <= 8 < usual <= many
    seeds = [eigen_point(Counted(), g, 1.0, max_matvec=6, rng=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(seeds[0], seeds[1])
    assert not np.array_equal(seeds[0], seeds[2])
