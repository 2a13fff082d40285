"""Worst cases from PEPit, which is optional: ``pip install tralgos[pep]``."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from theory_checks.claims.curveball.adversary import Setting

__all__ = ["Measure", "performance_estimate"]

#: What is compared at the end and at the start: f - f*, ||grad f||^2 or ||w - w*||^2.
Measure = Literal["value", "gradient", "distance"]


def performance_estimate(setting: Setting, measure: Measure = "value") -> float:
    """The worst ratio over all smooth strongly convex functions, by PEPit with Clarabel.

    The tight performance estimation problem of w+ = w + rho z - beta grad f(w + z), z_0 = 0:
    on quadratics this is CurveBall with fixed parameters, on nothing else.

    Parameters
    ----------
    setting : Setting
        The class and the method.
    measure : {"value", "gradient", "distance"}
        What is compared at the end and at the start.

    Returns
    -------
    float
        An upper bound up to the solver's accuracy, about 1e-7.

    Raises
    ------
    ImportError
        If PEPit or Clarabel is not installed.
    """
    try:
        pepit: Any = importlib.import_module("PEPit")
        functions: Any = importlib.import_module("PEPit.functions")
        importlib.import_module("clarabel")
    except ImportError as error:
        raise ImportError("PEPit and Clarabel are needed: pip install 'tralgos[pep]'") from error
    problem = pepit.PEP()
    f = problem.declare_function(functions.SmoothStronglyConvexFunction, mu=setting.mu, L=1.0)
    best = f.stationary_point()

    def measured(w: Any) -> Any:
        if measure == "value":
            return f(w) - f(best)
        return f.gradient(w) ** 2 if measure == "gradient" else (w - best) ** 2

    w = problem.set_initial_point()
    problem.set_initial_condition(measured(w) <= 1)
    z = None
    for _ in range(setting.steps):
        slope = f.gradient(w if z is None else w + z)
        z = -setting.beta * slope if z is None else setting.rho * z - setting.beta * slope
        w = w + z
    problem.set_performance_metric(measured(w))
    return float(problem.solve(wrapper="cvxpy", solver="CLARABEL", verbose=0))
