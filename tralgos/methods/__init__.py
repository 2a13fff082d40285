"""Methods of minimisation, and the one driver for all of them."""

from tralgos.methods.cubic import CubicRegularization
from tralgos.methods.ending import Ending
from tralgos.methods.minimize import minimize
from tralgos.methods.trace import Trace, TraceRow
from tralgos.methods.trust_region import TrustRegion

__all__ = ["CubicRegularization", "Ending", "Trace", "TraceRow", "TrustRegion", "minimize"]
