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
from tralgos.methods.ending import Ending
from tralgos.methods.first_order import HeavyBall, ImplicitRegion, Nesterov
from tralgos.methods.gradient_descent import GradientDescent
from tralgos.methods.hybrid import Hybrid
from tralgos.methods.minimize import minimize
from tralgos.methods.monitor import EquivalenceMonitor
from tralgos.methods.schedules import PowerDecay
from tralgos.methods.stochastic import StochasticTrustRegion
from tralgos.methods.trace import Trace, TraceRow
from tralgos.methods.trust_region import TrustRegion

__all__ = [
    "Adagrad",
    "Adam",
    "BatchBounds",
    "CubicRegularization",
    "CurveBall",
    "Ending",
    "EquivalenceMonitor",
    "GradientDescent",
    "HeavyBall",
    "Hybrid",
    "ImplicitRegion",
    "Nesterov",
    "PowerDecay",
    "RMSProp",
    "StochasticTrustRegion",
    "Trace",
    "TraceRow",
    "TrustRegion",
    "assumption_1_tolerances",
    "batch_sizes",
    "gradient_batch_size",
    "hessian_batch_size",
    "minimize",
]
