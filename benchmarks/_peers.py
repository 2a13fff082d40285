"""The peers' subproblem solvers behind one signature, with their products counted.

GALAHAD is optional: its runs are None where `galahad-optrove` is not installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from scipy.optimize._trlib import get_trlib_quadratic_subproblem
from scipy.optimize._trustregion_exact import IterativeSubproblem
from scipy.optimize._trustregion_ncg import CGSteihaugSubproblem

__all__ = [
    "PeerRun",
    "galahad",
    "gltr",
    "gltr_sequence",
    "packed",
    "steihaug",
    "trs",
    "trust_exact",
    "trust_krylov",
]


@dataclass(frozen=True)
class PeerRun:
    """What a peer returned: its step, or only its objective where it returns no step.

    Attributes
    ----------
    step : ndarray or None
    value : float or None
        q as the peer reports it.
    matvecs : int
    factorisations : int
    status : str
    """

    step: np.ndarray | None
    value: float | None
    matvecs: int
    factorisations: int
    status: str


class _Counted:
    """A product with H that counts itself, in the form that SciPy's methods call."""

    def __init__(self, H: Any) -> None:
        self._H = H
        self.count = 0

    def __call__(self, x: object, v: np.ndarray) -> np.ndarray:
        self.count += 1
        product: np.ndarray = self._H @ v
        return product


def _quadratic(H: Any, g: np.ndarray) -> tuple[Callable[..., float], Callable[..., np.ndarray]]:
    return (lambda x: 0.0), (lambda x: g)


def trust_krylov(H: Any, g: np.ndarray, radius: float, *, rtol: float) -> PeerRun:
    """SciPy's trust-krylov, one subproblem."""
    product = _Counted(H)
    make = get_trlib_quadratic_subproblem(tol_rel_i=rtol, tol_rel_b=rtol)
    fun, jac = _quadratic(H, g)
    step, _ = make(np.zeros_like(g), fun, jac, None, product).solve(radius)
    return PeerRun(step, None, product.count, 0, "no status")


def steihaug(H: Any, g: np.ndarray, radius: float) -> PeerRun:
    """SciPy's trust-ncg, one subproblem; its tolerance is fixed."""
    product = _Counted(H)
    fun, jac = _quadratic(H, g)
    step, _ = CGSteihaugSubproblem(np.zeros_like(g), fun, jac, None, product).solve(radius)
    return PeerRun(step, None, product.count, 0, "no status")


def trust_exact(H: np.ndarray, g: np.ndarray, radius: float, *, rtol: float) -> PeerRun:
    """SciPy's trust-exact with both tolerances at `rtol`, one subproblem."""
    fun, jac = _quadratic(H, g)
    problem = IterativeSubproblem(
        np.zeros_like(g), fun, jac, lambda x: H, None, k_easy=rtol, k_hard=rtol
    )
    step, _ = problem.solve(radius)
    return PeerRun(step, None, 0, int(problem.niter), "no status")


def galahad(name: str) -> Any | None:
    """A module of GALAHAD, or None where it is not installed."""
    try:
        return importlib.import_module(f"galahad.{name}")
    except ImportError:
        return None


def gltr(H: Any, g: np.ndarray, radius: float, *, rtol: float) -> PeerRun | None:
    """GALAHAD's GLTR; the step of its Python interface is not initialised, so none is kept."""
    return gltr_sequence(H, g, [radius], rtol=rtol)


def gltr_sequence(H: Any, g: np.ndarray, radii: list[float], *, rtol: float) -> PeerRun | None:
    """GLTR for decreasing radii, the space of one reused for the next as it allows."""
    package = galahad("gltr")
    if package is None:
        return None
    options = package.initialize()
    options["stop_relative"] = rtol
    package.load_options(options)
    count = 0
    for i, radius in enumerate(radii):
        status, residual, v = (1 if i == 0 else 4), g.copy(), np.empty_like(g)
        while status > 0:
            status, _, residual, v = package.solve_problem(status, g.shape[0], radius, residual, v)
            if status == 3:
                v = H @ v
                count += 1
            elif status == 5:
                residual = g.copy()
    found = package.information()
    package.terminate()
    return PeerRun(None, float(found["obj"]), count, 0, f"status {found['status']}")


def packed(H: np.ndarray) -> np.ndarray:
    """The lower triangle of a dense H row by row, as GALAHAD takes it."""
    values: np.ndarray = H[np.tril_indices(H.shape[0])]
    return values


def trs(
    H: Any, g: np.ndarray, radius: float, *, rtol: float, triangle: np.ndarray | None = None
) -> PeerRun | None:
    """GALAHAD's TRS, dense or sparse as H is; `triangle` saves packing a dense H."""
    package = galahad("trs")
    if package is None:
        return None
    n = g.shape[0]
    options = package.initialize()
    for name in ("stop_normal", "stop_absolute_normal", "stop_hard"):
        options[name] = rtol
    if scipy.sparse.issparse(H):
        lower = scipy.sparse.tril(H).tocoo()
        values = lower.data
        row, col = (np.asarray(k, dtype=np.int64) for k in (lower.row, lower.col))
        package.load(n, "coordinate", lower.nnz, row, col, None, options)
    else:
        values = packed(H) if triangle is None else triangle
        package.load(n, "dense", values.shape[0], None, None, None, options)
    step = package.solve_problem(n, radius, 0.0, g, values.shape[0], values)
    found = package.information()
    package.terminate()
    count = int(found["factorizations"])
    return PeerRun(step, float(found["obj"]), 0, count, f"status {found['status']}")
