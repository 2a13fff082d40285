"""Functions to be minimised: with their derivatives, and with what is known of their minima."""

from tralgos.problems import collection
from tralgos.problems.base import Problem, StochasticProblem
from tralgos.problems.classification import LogisticRegression, SoftmaxRegression
from tralgos.problems.derivatives import CurvatureCheck, DerivativeCheck
from tralgos.problems.digits import digits_problem, load_digits
from tralgos.problems.ensembles import (
    Gaussian,
    GramMatrix,
    Law,
    Rademacher,
    RandomMatrix,
    StudentT,
    Uniform,
    WignerMatrix,
    indefinite_hessian,
    ols_hessian,
)
from tralgos.problems.finite_sum import FiniteSum
from tralgos.problems.functions import FunctionProblem
from tralgos.problems.least_squares import LeastSquares, NonlinearLeastSquares
from tralgos.problems.linearization import Linearization, LinearizationCheck
from tralgos.problems.networks import TwoLayerNetwork, srelu
from tralgos.problems.quadratics import Quadratic, quadratic_with_spectrum
from tralgos.problems.rahimi_recht import TwoLayerLinear, rahimi_recht
from tralgos.problems.rosenbrock import Rosenbrock, StochasticRosenbrock
from tralgos.problems.saddles import (
    DegenerateMinimum,
    DoubleWell,
    MonkeySaddle,
    QuarticSaddle,
    Saddle,
    StationaryPoint,
)
from tralgos.problems.slow import SlowCubic, SlowNewton, SlowSteepestDescent

__all__ = [
    "CurvatureCheck",
    "DegenerateMinimum",
    "DerivativeCheck",
    "DoubleWell",
    "FiniteSum",
    "FunctionProblem",
    "Gaussian",
    "GramMatrix",
    "Law",
    "LeastSquares",
    "Linearization",
    "LinearizationCheck",
    "LogisticRegression",
    "MonkeySaddle",
    "NonlinearLeastSquares",
    "Problem",
    "Quadratic",
    "QuarticSaddle",
    "Rademacher",
    "RandomMatrix",
    "Rosenbrock",
    "Saddle",
    "SlowCubic",
    "SlowNewton",
    "SlowSteepestDescent",
    "SoftmaxRegression",
    "StationaryPoint",
    "StochasticProblem",
    "StochasticRosenbrock",
    "StudentT",
    "TwoLayerLinear",
    "TwoLayerNetwork",
    "Uniform",
    "WignerMatrix",
    "collection",
    "digits_problem",
    "indefinite_hessian",
    "load_digits",
    "ols_hessian",
    "quadratic_with_spectrum",
    "rahimi_recht",
    "srelu",
]
