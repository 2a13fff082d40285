"""The 5-point Laplacian minus 0.05 I, indefinite and large: products counted, gaps exact.

Its eigenvectors are products of sines, so the optimum is known in closed form: the secular
equation is solved in extended precision on the coefficients of a sine transform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import scipy.sparse as sparse
from scipy.fft import dstn

import tralgos
from benchmarks import _peers, _report
from benchmarks._timing import ratios
from tralgos.operators import CountingOperator
from tralgos.operators.inertia import sparse_factor
from tralgos.subproblems import sparse_curvature

__all__ = ["Laplacian", "tables"]

SIDE = 316
SHIFT = 0.05
RADIUS = 10.0
RTOL = 1e-8
REPEATS = 7


@dataclass(frozen=True)
class Gap:
    """A value's excess over the optimum, relative to the optimal decrease."""

    of_step: Callable[[np.ndarray], float]
    of_value: Callable[[float], float]


class Laplacian:
    """The problem with its exact solution.

    Attributes
    ----------
    H : sparse array, shape (n, n)
    g : ndarray, shape (n,)
    """

    def __init__(self, side: int = SIDE) -> None:
        ones = np.ones(side)
        second = sparse.diags_array([-ones[1:], 2.0 * ones, -ones[1:]], offsets=[-1, 0, 1])
        eye = sparse.eye_array(side)
        self.n = side * side
        both = sparse.kron(second, eye) + sparse.kron(eye, second)
        self.H = sparse.csr_array(both - SHIFT * sparse.eye_array(self.n))
        self.g = np.random.default_rng(0).standard_normal(self.n) / math.sqrt(self.n)
        self._side = side
        line = 2.0 - 2.0 * np.cos(np.arange(1, side + 1) * (np.pi / (side + 1)))
        values = np.add.outer(line, line).ravel() - SHIFT
        self._values = values.astype(np.longdouble)
        self._c = self._sines(self.g)

    def _sines(self, x: np.ndarray) -> np.ndarray:
        square = x.reshape(self._side, self._side)
        coefficients: np.ndarray = dstn(square, type=1, norm="ortho")
        return coefficients.ravel().astype(np.longdouble)

    def multiplier(self, radius: float) -> np.longdouble:
        """lambda of the optimum: Newton on 1/||s|| - 1/r from the left, where it is monotone."""
        bottom = -self._values.min()
        lam: np.longdouble = bottom + np.abs(self._c[self._values.argmin()]) / radius
        for _ in range(100):
            shifted = self._values + lam
            square = np.sum((self._c / shifted) ** 2)
            slope = np.sum((self._c / shifted) ** 2 / shifted)
            change = square / slope * (np.sqrt(square) / radius - 1.0)
            lam += change
            if abs(change) <= 4.0 * np.finfo(np.longdouble).eps * lam:
                break
        return lam

    def gap(self, radius: float) -> Gap:
        """How to measure gaps at this radius, without cancellation where there is a step."""
        lam = self.multiplier(radius)
        best = -self._c / (self._values + lam)
        optimum = -0.5 * (np.sum(self._c**2 / (self._values + lam)) + lam * radius * radius)

        def of_step(step: np.ndarray) -> float:
            s = self._sines(step)
            excess = 0.5 * np.sum((self._values + lam) * (s - best) ** 2)
            excess += 0.5 * lam * (radius * radius - np.sum(s * s))
            return float(excess / -optimum)

        def of_value(value: float) -> float:
            return float((value - optimum) / -optimum)

        return Gap(of_step, of_value)


def _solve(problem: Laplacian, certify: str) -> Any:
    # The sparse array itself shows its pattern to the evidence; an operator does not.
    H = problem.H if certify == "exact" else CountingOperator(problem.H)
    result = tralgos.solve_trs(H, problem.g, RADIUS, rtol=RTOL, certify=certify)  # type: ignore[arg-type]
    if isinstance(H, CountingOperator):
        assert H.count == result.matvecs
    return result


def _own(problem: Laplacian, certify: str, gap: Gap) -> list[str]:
    with mock.patch.object(sparse_curvature, "sparse_factor", wraps=sparse_factor) as factor:
        result = _solve(problem, certify)
    proved = result.certificate.relative_gap
    return [
        str(result.matvecs),
        str(factor.call_count),
        f"{gap.of_step(result.step):.1e}",
        f"{proved:.1e}" if math.isfinite(proved) else "none",
        result.status.name,
    ]


def _peer(run: _peers.PeerRun | None, gap: Gap) -> list[str]:
    if run is None:
        return ["not installed", *[""] * 4]
    if run.step is not None:
        true = gap.of_step(run.step)
    else:
        true = math.nan if run.value is None else gap.of_value(run.value)
    products = str(run.matvecs) if run.matvecs else "-"
    return [products, str(run.factorisations), f"{true:.1e}", "none", run.status]


def _loosest(problem: Laplacian, gap: Gap) -> float | None:
    """GLTR's largest tolerance, of 1, 1/2, 1/4, ..., that reaches the true gap."""
    for k in range(1, 60):
        run = _peers.gltr(problem.H, problem.g, RADIUS, rtol=0.5**k)
        if run is None:
            return None
        if run.value is not None and gap.of_value(run.value) <= RTOL:
            return 0.5**k
    return None


def _tasks(problem: Laplacian, loosest: float | None) -> dict[str, Callable[[], Any]]:
    H, g = problem.H, problem.g
    early = RTOL if loosest is None else loosest
    return {
        "tralgos, `none`": lambda: _solve(problem, "none"),
        "tralgos, `exact` (sparse array)": lambda: _solve(problem, "exact"),
        "tralgos, `probabilistic` (operator)": lambda: _solve(problem, "probabilistic"),
        "GALAHAD GLTR, tolerance 1e-8": lambda: _peers.gltr(H, g, RADIUS, rtol=RTOL),
        f"GALAHAD GLTR, tolerance {early:.1e}": lambda: _peers.gltr(H, g, RADIUS, rtol=early),
        "GALAHAD TRS": lambda: _peers.trs(H, g, RADIUS, rtol=1e-12),
        "SciPy trust-krylov": lambda: _peers.trust_krylov(H, g, RADIUS, rtol=RTOL),
        "SciPy trust-ncg (Steihaug)": lambda: _peers.steihaug(H, g, RADIUS),
    }


def _one_radius(problem: Laplacian) -> _report.Table:
    gap = problem.gap(RADIUS)
    tasks = _tasks(problem, _loosest(problem, gap))
    times = ratios(tasks, "tralgos, `none`", repeats=REPEATS)
    rows = []
    for name, task in tasks.items():
        if name.startswith("tralgos"):
            cells = _own(problem, name.split("`")[1], gap)
        else:
            cells = _peer(task(), gap)
        rows.append([name, *cells, "" if cells[0] == "not installed" else f"{times[name]:.2f}"])
    columns = [
        "solver",
        "products",
        "factorisations",
        "true relative gap",
        "certified",
        "status",
        "time",
    ]
    note = (
        f"n = {problem.n}, radius {RADIUS:g}, tolerance {RTOL:g}. Gaps are relative to the "
        "optimal decrease; the time is relative to the first row. GLTR's second tolerance is "
        "the largest power of 1/2 at which its objective is good to 1e-8; its Python interface "
        "returns no step."
    )
    return _report.Table("Laplacian minus 0.05 I, one radius", note, columns, rows)


def _many_radii(problem: Laplacian, count: int = 50) -> _report.Table:
    radii = [float(r) for r in np.geomspace(0.1, RADIUS, count)]
    rows = []
    for certify in ("none", "exact"):
        alone = max(_alone(problem, r, certify) for r in radii)
        for order, given in (("increasing", radii), ("decreasing", radii[::-1])):
            shared = tralgos.Subproblem(
                problem.H,
                problem.g,
                rtol=RTOL,
                certify=certify,
            )
            with mock.patch.object(
                sparse_curvature, "sparse_factor", wraps=sparse_factor
            ) as factor:
                results = [shared.trust_region(r) for r in given]
            total = sum(r.matvecs for r in results)
            worst = max(
                problem.gap(r).of_step(found.step) for r, found in zip(given, results, strict=True)
            )
            bound = 1.05 * alone + count
            cells = [str(alone), str(total), f"{bound:.0f}", str(factor.call_count)]
            rows.append([f"tralgos, `{certify}`, {order}", *cells, f"{worst:.1e}"])
    run = _peers.gltr_sequence(problem.H, problem.g, radii[::-1], rtol=RTOL)
    if run is None:
        rows.append(["GALAHAD GLTR, decreasing", "not installed", "", "", "", ""])
    else:
        hardest = _peers.gltr(problem.H, problem.g, RADIUS, rtol=RTOL)
        alone = 0 if hardest is None else hardest.matvecs
        rows.append(["GALAHAD GLTR, decreasing", str(alone), str(run.matvecs), "", "0", ""])
    columns = [
        "solver",
        "products, hardest radius alone",
        f"products, {count} radii",
        "1.05 of the hardest and one a radius",
        "factorisations",
        "worst true relative gap",
    ]
    note = (
        f"{count} radii from 0.1 to {RADIUS:g} in geometric progression, one `Subproblem` for all; "
        "GLTR is entered again for each smaller radius, as it allows."
    )
    return _report.Table("Laplacian minus 0.05 I, many radii", note, columns, rows)


def _alone(problem: Laplacian, radius: float, certify: str) -> int:
    result = tralgos.solve_trs(problem.H, problem.g, radius, rtol=RTOL, certify=certify)  # type: ignore[arg-type]
    return result.matvecs


def tables() -> Iterator[_report.Table]:
    """One radius against the peers, then many radii."""
    problem = Laplacian()
    yield _one_radius(problem)
    yield _many_radii(problem)


if __name__ == "__main__":
    _report.main("python -m benchmarks.laplacian", tables)
