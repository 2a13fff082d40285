"""Energies of partial differential equations on a square grid of p by p unknowns, n = p^2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tralgos.problems.collection.jets import exp, sqrt
from tralgos.problems.collection.problem import CollectionProblem, Entry
from tralgos.problems.collection.separable import Separable, elements

__all__ = ["entries"]

#: Reaction of the Bratu problem: below the fold at 6.808, so that a minimiser exists.
_REACTION = 5.0

#: Width of the interfaces of the Allen-Cahn energy.
_WIDTH = 0.05


def bratu(n: int) -> CollectionProblem:
    """Half the Dirichlet energy less 5 exp(u), on the unit square with u = 0 around it.

    Liouville's equation -Laplace u = 5 exp u (Bratu), by five-point differences. The
    minimum is local: the energy has no lower bound. Started at 0.
    """
    p = math.isqrt(n)
    h = 1.0 / (p + 1)
    grid = _framed(p)
    a, b = _edges(grid)
    f = Separable(
        n,
        terms=[
            elements(lambda u, v: 0.5 * (u - v) ** 2, a, b),
            elements(lambda u: (-_REACTION * h * h) * exp(u), np.arange(n)),
        ],
        fixed=np.zeros((p + 2) ** 2 - n),
    )
    return CollectionProblem(f, np.zeros(n), name="bratu")


def allen_cahn(n: int) -> CollectionProblem:
    """Half the Dirichlet energy plus (1 - u^2)^2 / (4 eps^2), with free boundary, eps = 0.05.

    The minimisers are u = 1 and u = -1, and u = 0 is a saddle. The start is a wave of height
    0.01 that is odd in one direction, as are then all the gradients of a descent that keeps
    the symmetry: up to rounding the leftmost eigenvector, which is even, is orthogonal to
    them (the hard case), and a first-order method ends at an interface, a saddle.
    """
    p = math.isqrt(n)
    h = 1.0 / p
    grid = np.arange(n).reshape(p, p)
    a, b = _edges(grid)
    well = 0.25 * (h / _WIDTH) ** 2
    f = Separable(
        n,
        terms=[
            elements(lambda u, v: 0.5 * (u - v) ** 2, a, b),
            elements(lambda u: well * (1.0 - u**2) ** 2, grid.ravel()),
        ],
    )
    wave = 0.01 * np.cos(math.pi * h * (np.arange(p) + 0.5))
    return CollectionProblem(
        f,
        np.repeat(wave, p),
        name="allen-cahn",
        minimisers=[np.ones(n), -np.ones(n)],
        optimal_value=0.0,
    )


def minimal_surface(n: int) -> CollectionProblem:
    """The area of a surface over [-1, 1]^2 by linear triangles, bounded as Scherk's surface.

    Scherk's surface log(cos y / cos x) is minimal, so the minimiser is within O(h^2) of
    it. Started at 0. The area is convex.
    """
    p = math.isqrt(n)
    h = 2.0 / (p + 1)
    grid = _framed(p)
    t = np.log(np.cos(-1.0 + h * np.arange(p + 2)))
    scherk = t[None, :] - t[:, None]
    fixed = np.zeros((p + 2) ** 2 - n)
    outside = grid >= n
    fixed[grid[outside] - n] = scherk[outside]

    def area(corner: Any, u: Any, v: Any) -> Any:
        return (0.5 * h * h) * sqrt(1.0 + ((u - corner) ** 2 + (v - corner) ** 2) * (1.0 / h**2))

    lower = grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:]
    upper = grid[1:, 1:], grid[:-1, 1:], grid[1:, :-1]
    triangles = (np.concatenate([a.ravel(), b.ravel()]) for a, b in zip(lower, upper, strict=True))
    f = Separable(n, terms=[elements(area, *triangles)], fixed=fixed)
    return CollectionProblem(f, np.zeros(n), name="minimal-surface")


def _framed(p: int) -> np.ndarray:
    """Component numbers on p by p unknowns in a frame of fixed values, shape (p + 2, p + 2)."""
    inside = np.zeros((p + 2, p + 2), dtype=bool)
    inside[1:-1, 1:-1] = True
    grid = np.empty((p + 2, p + 2), dtype=np.intp)
    grid[inside] = np.arange(p * p)
    grid[~inside] = np.arange(p * p, (p + 2) ** 2)
    return grid


def _edges(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours in both directions of a grid, as two arrays of component numbers."""
    starts = np.concatenate([grid[:-1].ravel(), grid[:, :-1].ravel()])
    ends = np.concatenate([grid[1:].ravel(), grid[:, 1:].ravel()])
    return starts, ends


def _square(n: int) -> int:
    """The largest square of at least 2 that is at most n, or 4."""
    return max(2, math.isqrt(n)) ** 2


def entries() -> tuple[Entry, ...]:
    """The problems of this module."""
    return (
        Entry("bratu", bratu, 100, _square, large=True),
        Entry("allen-cahn", allen_cahn, 100, _square, large=True),
        Entry("minimal-surface", minimal_surface, 100, _square, large=True),
    )
