"""Certified solvers on abstract linear operators, for theorems that run.

The public interface is what this package and its subpackages
:mod:`tralgos.operators` and :mod:`tralgos.norms` export.
"""

from tralgos import errors, norms, operators
from tralgos.subproblems import (
    Certificate,
    CurvatureBound,
    InnerIterate,
    SphereDescent,
    Status,
    Steihaug,
    Subproblem,
    SubproblemResult,
    cauchy_point,
    curvature_bound,
    eigen_point,
    solve_cubic,
    solve_trs,
)

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "CurvatureBound",
    "InnerIterate",
    "SphereDescent",
    "Status",
    "Steihaug",
    "Subproblem",
    "SubproblemResult",
    "cauchy_point",
    "curvature_bound",
    "eigen_point",
    "errors",
    "norms",
    "operators",
    "solve_cubic",
    "solve_trs",
]
