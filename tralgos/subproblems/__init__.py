"""Subproblems: a quadratic model in a norm, minimised in a ball or with a cubic term."""

from tralgos.subproblems.batch import solve_trs_batch
from tralgos.subproblems.batch_result import BatchResult
from tralgos.subproblems.callbacks import InnerIterate
from tralgos.subproblems.curvature import CurvatureBound, curvature_bound
from tralgos.subproblems.points import cauchy_point, eigen_point
from tralgos.subproblems.result import Certificate, Status, SubproblemResult
from tralgos.subproblems.sphere_descent import SphereDescent
from tralgos.subproblems.steihaug import Steihaug
from tralgos.subproblems.subproblem import Subproblem, solve_cubic, solve_trs

__all__ = [
    "BatchResult",
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
    "solve_cubic",
    "solve_trs",
    "solve_trs_batch",
]
