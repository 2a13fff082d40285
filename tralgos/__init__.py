"""Certified solvers on abstract linear operators, for theorems that run.

The public interface is what this package and its subpackages
:mod:`tralgos.operators` and :mod:`tralgos.norms` export.
"""

from tralgos import errors, norms, operators
from tralgos.subproblems import (
    Certificate,
    InnerIterate,
    SphereDescent,
    Status,
    Steihaug,
    Subproblem,
    SubproblemResult,
    solve_cubic,
    solve_trs,
)

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "InnerIterate",
    "SphereDescent",
    "Status",
    "Steihaug",
    "Subproblem",
    "SubproblemResult",
    "errors",
    "norms",
    "operators",
    "solve_cubic",
    "solve_trs",
]
