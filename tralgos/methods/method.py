"""The base of all methods: the protocol, and the bridge to SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scipy.optimize import OptimizeResult

from tralgos.methods.protocol import MethodProtocol
from tralgos.methods.scipy_bridge import minimize_for_scipy

__all__ = ["Method"]


class Method(MethodProtocol):
    """A method with its hyper-parameters; also a `method` of :func:`scipy.optimize.minimize`."""

    def __call__(
        self, fun: Callable[..., Any], x0: Any, args: tuple[Any, ...] = (), **options: Any
    ) -> OptimizeResult:
        """What :func:`scipy.optimize.minimize` calls.

        Its arguments, its result and its errors are those of
        :func:`~tralgos.methods.scipy_bridge.minimize_for_scipy`, without the method.
        """
        return minimize_for_scipy(self, fun, x0, args, **options)
