"""Functions to be minimised: with their derivatives, and with what is known of their minima."""

from tralgos.problems.base import Problem, StochasticProblem
from tralgos.problems.derivatives import DerivativeCheck
from tralgos.problems.functions import FunctionProblem

__all__ = ["DerivativeCheck", "FunctionProblem", "Problem", "StochasticProblem"]
