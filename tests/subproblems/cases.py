"""Subproblems with a spectrum known by construction, the hard ones first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """Eigenvalues, the gradient in the eigenbasis, and a radius (or sigma)."""

    name: str
    eigenvalues: np.ndarray
    g: np.ndarray
    radius: float

    def __str__(self) -> str:
        return self.name


def _case(name: str, eigenvalues: object, g: object, radius: float = 1.0) -> Case:
    return Case(name, np.array(eigenvalues, dtype=float), np.array(g, dtype=float), radius)


def _spread(n: int, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, n)


def _log(n: int, low: float, high: float) -> np.ndarray:
    return np.geomspace(low, high, n)


def _gradient(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def _without(g: np.ndarray, count: int, value: float = 0.0) -> np.ndarray:
    g = g.copy()
    g[:count] = value
    return g


_G = _gradient(40)

CASES = [
    _case("convex-interior", _spread(40, 1, 5), 0.1 * _G),
    _case("convex-boundary", _spread(40, 1, 5), 10 * _G),
    _case("indefinite", _spread(40, -3, 5), _G),
    _case("negative-definite", _spread(40, -5, -1), _G),
    _case("hard-simple", _spread(40, -3, 5), _without(0.1 * _G, 1)),
    _case("hard-double", [-3, -3, *_spread(38, -2, 5)], _without(0.1 * _G, 2)),
    _case("repeated-but-seen", [-3, -3, *_spread(38, -2, 5)], _without(0.1 * _G, 1)),
    _case("hard-whole-space", np.full(40, -2.0), np.zeros(40)),
    *(
        _case(f"near-hard-{e}", _spread(40, -3, 5), _without(0.1 * _G, 1, 10.0**e))
        for e in range(-16, -3)
    ),
    _case("near-hard-just-seen", _spread(40, -3, 5), _without(3.0 * _G, 1)),
    _case("zero-gradient-indefinite", _spread(40, -3, 5), np.zeros(40)),
    _case("zero-gradient-definite", _spread(40, 1, 5), np.zeros(40)),
    _case("zero-gradient-semidefinite", _spread(40, 0, 5), np.zeros(40)),
    _case("semidefinite-consistent", _spread(40, 0, 5), _without(0.01 * _G, 1)),
    _case("semidefinite-inconsistent", _spread(40, 0, 5), 0.01 * _G),
    _case("semidefinite-many", [0, 0, 0, *_spread(37, 1, 5)], _without(0.01 * _G, 3)),
    _case("zero-matrix", np.zeros(40), _G),
    _case("zero-matrix-zero-gradient", np.zeros(40), np.zeros(40)),
    _case("condition-1e12-interior", _log(40, 1e-12, 1), 1e-3 * _log(40, 1e-12, 1) * _G),
    _case("condition-1e12-boundary", _log(40, 1e-12, 1), _G),
    _case("condition-1e12-indefinite", -_log(40, 1, 1e-12), _G),
    _case("clusters", np.repeat([-2.0, -2 + 1e-12, 0, 1], 10), _G),
    _case("clusters-hard", np.repeat([-2.0, -2 + 1e-9, 0, 1], 10), _without(0.1 * _G, 10)),
    _case("outlier", [-1.0, *_spread(38, 0, 1), 1e8], _G),
    _case("one-convex-interior", [2.0], [1.0]),
    _case("one-convex-boundary", [2.0], [5.0]),
    _case("one-negative", [-2.0], [1.0]),
    _case("one-negative-no-gradient", [-2.0], [0.0]),
    _case("one-zero", [0.0], [1.0]),
    _case("one-nothing", [0.0], [0.0]),
    _case("two-hard", [-1.0, 1.0], [0.0, 1.0]),
    _case("two-hard-boundary-alone", [-1.0, 1.0], [0.0, 2.0]),
    _case("two-equal", [-1.0, -1.0], [1.0, 1.0]),
    _case("trlib-6", [0.0, -20.0, 0.0], [1.0, 0.0, -1.0]),
    _case("optim-1277", [0.0, 2.0], [np.sqrt(0.5), np.sqrt(0.5)]),
    _case("tiny-data", 1e-12 * _spread(40, -3, 5), 1e-12 * _G),
    _case("tiny-radius", _spread(40, -3, 5), _G, 1e-60),
    _case("huge-radius", _spread(40, -3, 5), _G, 1e60),
    _case("huge-radius-convex", _spread(40, 1, 5), _G, 1e60),
    _case("huge-scale", 1e150 * _spread(40, -3, 5), 1e150 * _G),
    _case("small-scale", 1e-150 * _spread(40, -3, 5), 1e-150 * _G),
    _case("huge-scale-hard", 1e150 * _spread(40, -3, 5), 1e149 * _without(_G, 1)),
    _case("small-scale-hard", 1e-150 * _spread(40, -3, 5), 1e-151 * _without(_G, 1)),
]
