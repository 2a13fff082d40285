"""What the tests of the solver core share: operators, exact gaps, rounding levels."""

from __future__ import annotations

from functools import cache
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

from tests import oracle
from tests.oracle import Solution, exact_cubic, exact_trs, exact_value
from tests.subproblems.cases import CASES, Case

__all__ = [
    "BY_NAME",
    "EPS",
    "Product",
    "bottom_of_pencil",
    "drop_in_basis",
    "exact",
    "laplacian",
    "level",
    "sigma_of",
    "true_gap",
    "value",
]

EPS = 2.0**-52

BY_NAME = {case.name: case for case in CASES}


class Product:
    """An operator known by its products alone."""

    def __init__(self, A: Any) -> None:
        self.A, self.shape = A, A.shape

    def matvec(self, x: Any) -> Any:
        return self.A @ x


def sigma_of(case: Case) -> float:
    """A sigma whose solution is about as long as the radius of the case."""
    size = float(np.abs(case.eigenvalues).max())
    return (size if size > 0 else 1.0) / case.radius


@cache
def exact(name: str, cubic: bool, factor: float = 1.0, single: bool = False) -> Solution:
    """The exact solution of a case, its radius or sigma times `factor`."""
    case = BY_NAME[name]
    e, g = case.eigenvalues, case.g
    if single:
        e, g = e.astype(np.float32), g.astype(np.float32)
    if cubic:
        return exact_cubic(e, g, sigma_of(case) * factor)
    return exact_trs(e, g, case.radius * factor)


def level(eigenvalues: np.ndarray, g: np.ndarray, length: Any, eps: float = EPS) -> Any:
    """eps (||H|| length^2 + ||g|| length), in extended precision."""
    with mpmath.workdps(oracle.DIGITS):
        norm = mpmath.sqrt(mpmath.fsum(mpf(float(x)) ** 2 for x in g))
        size = mpf(float(np.abs(eigenvalues).max()))
        return mpf(eps) * (size * length * length + norm * length)


def drop_in_basis(step: np.ndarray, roots: np.ndarray | None = None) -> list[Any]:
    """A step in the coordinates of the Euclidean problem: times the roots of a diagonal M."""
    values = [mpf(float(x)) for x in step]
    if roots is None:
        return values
    return [x * mpf(float(w)) for x, w in zip(values, roots, strict=True)]


def true_gap(
    eigenvalues: np.ndarray, g: np.ndarray, step: list[Any], best: Any, sigma: float = 0.0
) -> Any:
    """q(s) - q*, in extended precision: negative if `step` is outside the region."""
    with mpmath.workdps(oracle.DIGITS):
        return exact_value(eigenvalues, g, step, sigma) - best


def value(H: np.ndarray, g: np.ndarray, s: np.ndarray, sigma: float = 0.0) -> float:
    """q(s) in twice the working precision, about, for a Euclidean cubic term."""
    with mpmath.workdps(40):
        x = [mpf(float(v)) for v in s]
        rows = [mpmath.fdot([mpf(float(v)) for v in row], x) for row in H]
        linear = mpmath.fdot([mpf(float(v)) for v in g], x)
        cube = mpmath.sqrt(mpmath.fdot(x, x)) ** 3
        return float(linear + mpmath.fdot(rows, x) / 2 + mpf(sigma) / 3 * cube)


def bottom_of_pencil(H: np.ndarray, M: np.ndarray) -> float:
    """The leftmost eigenvalue of (H, M), in float64."""
    root = np.linalg.inv(np.linalg.cholesky(M))
    return float(np.linalg.eigvalsh(root @ H @ root.T)[0])


def laplacian(m: int) -> Any:
    """The 5-point Laplacian on an m x m grid, sparse."""
    import scipy.sparse as sp

    one = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(m, m))
    eye = sp.eye_array(m)
    return sp.csr_array(sp.kron(one, eye) + sp.kron(eye, one))
