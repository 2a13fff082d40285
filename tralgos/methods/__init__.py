"""Methods of minimisation, and the one driver for all of them."""

from tralgos.methods.adaptive_gradient import Adagrad, Adam, RMSProp
from tralgos.methods.batches import (
    BatchBounds,
    assumption_1_tolerances,
    batch_sizes,
    gradient_batch_size,
    hessian_batch_size,
)
from tralgos.methods.cubic import CubicRegularization
from tralgos.methods.curveball import CurveBall
from tralgos.methods.curveball_rates import (
    CurveBallParameters,
    curveball_converges,
    curveball_optimal_parameters,
    curveball_spectral_radius,
)
from tralgos.methods.ending import Ending
from tralgos.methods.first_order import HeavyBall, ImplicitRegion, Nesterov
from tralgos.methods.gradient_descent import GradientDescent
from tralgos.methods.hessian_free import HessianFree
from tralgos.methods.hybrid import Hybrid
from tralgos.methods.levenberg_marquardt import LevenbergMarquardt
from tralgos.methods.lissa import LiSSA
from tralgos.methods.minimize import minimize
from tralgos.methods.monitor import EquivalenceMonitor
from tralgos.methods.newton import Newton
from tralgos.methods.schedules import PowerDecay
from tralgos.methods.scipy_runs import minimize_with_scipy
from tralgos.methods.stochastic import StochasticTrustRegion
from tralgos.methods.trace import Trace, TraceRow
from tralgos.methods.trust_region import TrustRegion

__all__ = [
    "Adagrad",
    "Adam",
    "BatchBounds",
    "CubicRegularization",
    "CurveBall",
    "CurveBallParameters",
    "Ending",
    "EquivalenceMonitor",
    "GradientDescent",
    "HeavyBall",
    "HessianFree",
    "Hybrid",
    "ImplicitRegion",
    "LevenbergMarquardt",
    "LiSSA",
    "Nesterov",
    "Newton",
    "PowerDecay",
    "RMSProp",
    "StochasticTrustRegion",
    "Trace",
    "TraceRow",
    "TrustRegion",
    "assumption_1_tolerances",
    "batch_sizes",
    "curveball_converges",
    "curveball_optimal_parameters",
    "curveball_spectral_radius",
    "gradient_batch_size",
    "hessian_batch_size",
    "minimize",
    "minimize_with_scipy",
]
