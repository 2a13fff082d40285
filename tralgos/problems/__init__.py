"""Functions to be minimised: with their derivatives, and with what is known of their minima."""

from tralgos.problems.base import Problem, StochasticProblem
from tralgos.problems.classification import LogisticRegression, SoftmaxRegression
from tralgos.problems.derivatives import DerivativeCheck
from tralgos.problems.digits import MissingDataError, digits_problem, load_digits
from tralgos.problems.finite_sum import FiniteSum
from tralgos.problems.functions import FunctionProblem
from tralgos.problems.least_squares import LeastSquares, NonlinearLeastSquares
from tralgos.problems.networks import TwoLayerNetwork, srelu

__all__ = [
    "DerivativeCheck",
    "FiniteSum",
    "FunctionProblem",
    "LeastSquares",
    "LogisticRegression",
    "MissingDataError",
    "NonlinearLeastSquares",
    "Problem",
    "SoftmaxRegression",
    "StochasticProblem",
    "TwoLayerNetwork",
    "digits_problem",
    "load_digits",
    "srelu",
]
