"""Certified solvers on abstract linear operators, for theorems that run.

The public interface is what this package and its subpackages
:mod:`tralgos.operators`, :mod:`tralgos.norms` and :mod:`tralgos.problems` export.
"""

from tralgos import errors, norms, operators, problems
from tralgos.methods import (
    CubicRegularization,
    Ending,
    Trace,
    TraceRow,
    TrustRegion,
    minimize,
)
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
    "CubicRegularization",
    "CurvatureBound",
    "Ending",
    "InnerIterate",
    "SphereDescent",
    "Status",
    "Steihaug",
    "Subproblem",
    "SubproblemResult",
    "Trace",
    "TraceRow",
    "TrustRegion",
    "cauchy_point",
    "curvature_bound",
    "eigen_point",
    "errors",
    "minimize",
    "norms",
    "operators",
    "problems",
    "solve_cubic",
    "solve_trs",
]
