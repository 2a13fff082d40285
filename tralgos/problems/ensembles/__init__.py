"""Random matrices by position: the same seed is the same matrix, whatever is asked for first."""

from tralgos.problems.ensembles.gram import GramMatrix, indefinite_hessian, ols_hessian
from tralgos.problems.ensembles.laws import Gaussian, Law, Rademacher, StudentT, Uniform
from tralgos.problems.ensembles.random_matrix import RandomMatrix
from tralgos.problems.ensembles.wigner import WignerMatrix

__all__ = [
    "Gaussian",
    "GramMatrix",
    "Law",
    "Rademacher",
    "RandomMatrix",
    "StudentT",
    "Uniform",
    "WignerMatrix",
    "indefinite_hessian",
    "ols_hessian",
]
