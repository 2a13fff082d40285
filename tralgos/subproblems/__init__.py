"""Subproblems: a quadratic model in a norm, minimised in a ball or with a cubic term."""

from tralgos.subproblems.callbacks import InnerIterate
from tralgos.subproblems.result import Certificate, Status, SubproblemResult
from tralgos.subproblems.sphere_descent import SphereDescent
from tralgos.subproblems.steihaug import Steihaug
from tralgos.subproblems.subproblem import Subproblem, solve_cubic, solve_trs

__all__ = [
    "Certificate",
    "InnerIterate",
    "SphereDescent",
    "Status",
    "Steihaug",
    "Subproblem",
    "SubproblemResult",
    "solve_cubic",
    "solve_trs",
]
