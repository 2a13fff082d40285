"""Cases of the subproblem solvers of tralgos."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.accelerators.case import Case, Table
from tests.accelerators.operators import Plain
from tests.namespaces import Xp
from tests.oracle import rotated
from tralgos import (
    SphereDescent,
    Steihaug,
    Subproblem,
    SubproblemResult,
    cauchy_point,
    curvature_bound,
    eigen_point,
    solve_cubic,
    solve_trs,
    solve_trs_batch,
)
from tralgos.arrays import namespace
from tralgos.norms import DiagonalNorm, EuclideanNorm, LowRankNorm, MatrixNorm, Norm

__all__ = ["SUBPROBLEMS"]

N = 10
SPECTRUM = np.linspace(-2.0, 4.0, N)
H, G, Q = rotated(SPECTRUM, np.ones(N), np.random.default_rng(0))
#: What shows in no other component than the leftmost one: the hard case.
HARD = Q @ np.concatenate([[0.0], np.ones(N - 1)])
D = 2.0 ** (np.arange(N) % 3 - 1)

NORMS: dict[str, Callable[[Xp], Norm]] = {
    "euclidean": lambda w: EuclideanNorm(),
    "diagonal": lambda w: DiagonalNorm(w.array(D)),
    "matrix": lambda w: MatrixNorm(w.array(np.diag(D))),
    "low-rank": lambda w: LowRankNorm(w.array(np.eye(N)), w.array(D - 0.125), 0.125),
}


def shown(result: SubproblemResult, *, unique: bool = True) -> dict[str, Any]:
    """What two solves of one problem have in common, whatever the rounding."""
    certificate = result.certificate
    found = {
        "decrease": result.model_decrease,
        "multiplier": result.multiplier,
        "boundary": result.on_boundary,
        "evidence": certificate.evidence,
        "certified": certificate.evidence == "none" or certificate.gap < result.model_decrease,
        "gap": type(certificate.gap).__name__,
    }
    return found | ({"step": result.step} if unique else {})


def trust_region(norm: str, method: Any, **options: Any) -> Case:
    """Both solvers, on an array and on an operator."""

    def run(where: Xp) -> Any:
        g, M = where.array(G), NORMS[norm](where)
        kinds = (where.array(H), Plain(where.array(H)))
        return [
            shown(solve_trs(A, g, r, norm=M, method=method, rng=0, **options))
            for A in kinds
            for r in (0.5, 3.0)
        ]

    return Case(run, loose=1e4)


def cubic(norm: str, method: Any) -> Case:
    def run(where: Xp) -> Any:
        g, M = where.array(G), NORMS[norm](where)
        kinds = (where.array(H), Plain(where.array(H)))
        return [
            shown(solve_cubic(A, g, s, norm=M, method=method, rng=0))
            for A in kinds
            for s in (0.5, 8.0)
        ]

    return Case(run, loose=1e4)


def hard(where: Xp) -> Any:
    """The step is one of two: its length and its decrease are shown."""
    found = []
    for method in ("direct", "krylov"):
        result = solve_trs(where.array(H), where.array(HARD), 5.0, method=method, rng=0)
        assert where.owns(result.step)
        found.append(shown(result, unique=False))
    return found


def reused(where: Xp) -> Any:
    """One space for several radii and weights; and with room for few vectors."""
    found = []
    for options in ({}, {"memory": 1}, {"certify": "probabilistic"}):
        # In float32 rounding hides what one start in a million shows no more of.
        problem = Subproblem(
            Plain(where.array(H)),
            where.array(G),
            method="krylov",
            failure_probability=0.05,
            rng=0,
            rtol=1e-4,
            **options,  # type: ignore[arg-type]
        )
        for r in (0.25, 2.0, 1.0):
            result = problem.trust_region(r)
            assert where.owns(result.step)
            found.append(_close(result))
        found.append(_close(problem.cubic(1.0)))
    return found


def _close(result: SubproblemResult) -> bool:
    return type(result.model_decrease) is float and result.certificate.gap <= (
        2e-3 * result.model_decrease
    )


def watched(where: Xp) -> Any:
    """The callback sees arrays where they are."""
    seen: list[Any] = []
    for method in ("krylov", "steihaug", "sphere-descent"):
        solve_trs(
            Plain(where.array(H)),
            where.array(G),
            2.0,
            method=method,
            callback=seen.append,
            rng=0,
            certify="none",
        )
    assert all(where.owns(s.step) for s in seen)
    first = seen[0]
    return [first.iteration, first.phase, type(first.value).__name__]


def truncated(where: Xp) -> Any:
    """Conjugate gradients end at the boundary, or after a few iterations."""
    found = []
    for method in (Steihaug(), Steihaug(rtol=1e-2), Steihaug(rtol="forcing", maxiter=4)):
        result = solve_trs(
            where.array(H @ H + np.eye(N)), where.array(G), 0.2, method=method, certify="none"
        )
        found.append([result.step, result.model_decrease, result.on_boundary])
    return found


def descended(where: Xp) -> Any:
    found = []
    for variant in ("safe", "printed"):
        method = SphereDescent(variant=variant, maxiter=200, N1=40, N2=60, step=0.1)
        norm = DiagonalNorm(where.array(D))
        result = solve_trs(
            where.array(H), where.array(G), 2.0, norm=norm, method=method, rng=0, rtol=1e-4
        )
        assert where.owns(result.step)
        found.append([result.model_decrease, result.on_boundary])
    return found


def points(where: Xp) -> Any:
    """The signs of an eigenvector are anybody's: v v' of them."""
    A, g, d = where.array(H), where.array(G), where.array(Q[:, 0])
    M = DiagonalNorm(where.array(D))
    plain = [cauchy_point(A, g, 2.0), cauchy_point(Plain(A), g, 2.0, norm=M)]
    given = [eigen_point(A, g, 2.0, direction=d), eigen_point(A, g, 2.0, direction=d, norm=M)]
    found = eigen_point(Plain(A), g, 2.0, rng=0)
    assert where.owns(found)
    value = where.numpy(found) @ (0.5 * H @ where.numpy(found) + G)
    return plain, given, bool(value < 0.0)


def bound(where: Xp) -> Any:
    found = []
    for A in (where.array(H), Plain(where.array(H))):
        for certify in ("exact", "probabilistic"):
            made = curvature_bound(
                A, certify=certify, like=where.array(G), rng=0, failure_probability=0.05
            )
            assert where.owns(made.vector)
            assert type(made.lower) is type(made.value) is float
            found.append([made.lower <= -2.0 + 1e-4, abs(made.value + 2.0) < 1e-2, made.evidence])
    weighted = curvature_bound(where.array(H), norm=DiagonalNorm(where.array(D)))
    return [*found, weighted.value]


def batch(where: Xp) -> Any:
    """Figures are float64 on the device of H whatever its dtype: rounded to it, to compare."""
    matrices, gradients = np.stack([H, 2.0 * H, H @ H]), np.stack([G, HARD, G])
    result = solve_trs_batch(where.array(matrices), where.array(gradients), 2.0)
    xp = namespace(result.step)
    figures = (result.multiplier, result.model_decrease, result.curvature)
    rounded = [xp.astype(a, result.step.dtype) for a in (*figures, result.on_boundary)]
    first = result[0]
    return [result.step[0, :], rounded, len(result), first.step, first.multiplier]


SUBPROBLEMS: Table = {
    "BatchResult": Case(batch, loose=1e4),
    "Certificate": trust_region("euclidean", "auto"),
    "CurvatureBound": Case(bound, loose=10.0),
    "InnerIterate": Case(watched),
    "SphereDescent": Case(descended, loose=1e9),
    "Status": "an enumeration",
    "Steihaug": Case(truncated, loose=100.0),
    "Subproblem": Case(reused),
    "SubproblemResult": trust_region("euclidean", "auto"),
    "cauchy_point": Case(points, loose=10.0),
    "curvature_bound": Case(bound, loose=10.0),
    "eigen_point": Case(points, loose=10.0),
    "solve_cubic": {
        f"{norm} {method}": cubic(norm, method) for norm in NORMS for method in ("direct", "krylov")
    },
    "solve_trs_batch": Case(batch, loose=1e4),
    "solve_trs": {
        f"{norm} {method}": trust_region(norm, method)
        for norm in NORMS
        for method in ("direct", "krylov")
    }
    | {
        "hard case": Case(hard, loose=1e4),
        "no evidence": trust_region("euclidean", "krylov", certify="none"),
    },
}
