"""Theorem 1: the number of iterations of Algorithm 1, claimed and measured."""

from __future__ import annotations

from theory_checks.claim import Claim, Condition, Form, Instance, Margins, Verdict
from theory_checks.claims.adaptive_norms.common import PAPER
from theory_checks.claims.adaptive_norms.theorem_1_bound import run_sabotage
from theory_checks.claims.adaptive_norms.theorem_1_hypotheses import (
    drawn_runs,
    edges,
    hypotheses,
)
from theory_checks.claims.adaptive_norms.theorem_1_rates import exponents
from theory_checks.claims.adaptive_norms.theorem_1_runs import (
    LONGEST,
    constants_of,
    global_run,
    run_margins,
    whole,
)
from theory_checks.precise import Real, precise, real

__all__ = ["claims"]


def _in_order(i: Instance) -> Real:
    """C max{eps_g^-2 eps_H^-1, eps_H^-3}, eps at most 1, with C from eps_g = eps_H = 1."""
    first, second = min(real(i["eps_g"]), 1), min(real(i["eps_H"]), 1)
    constants, problem = constants_of({**i, "eps_g": 1.0, "eps_H": 1.0})
    radius = real(i["radius"])
    # The radii and decreases fall no faster than the powers of eps in the order, the
    # logarithm no faster than 1/eps.
    unit = constants.count(radius, problem.budget * i["claimed budget"])
    unit += 1 / precise().log(real(i["gamma"]))
    return unit * max(first**-2 / second, second**-3)


def _bound(i: Instance) -> tuple[float, float] | None:
    allowed = _in_order(i)
    if not allowed <= LONGEST:
        return None
    return len(global_run(i, int(allowed) + 1).rows), float(allowed)


def _margins(i: Instance) -> Margins:
    return run_margins(i, _in_order(i))


def _confirmed(i: Instance) -> Margins:
    return run_margins(i, _in_order(i), exactly=True)


def _hypotheses() -> tuple[Condition, ...]:
    small = Condition(
        "small eps",
        r"\epsilon_g, \epsilon_H \le 1",
        lambda i: 0 < i["eps_g"] <= 1 and 0 < i["eps_H"] <= 1,
        kept="an order says nothing of large ones",
    )
    return (small, *hypotheses(_in_order))


def _uphill() -> Instance:
    return whole(start=[-0.25], radius=0.25, side="plus")


def _printed() -> Form:
    return Form(
        "under Assumptions 1 and 2 Algorithm 1 ends after at most "
        "C max{eps_g^-2 eps_H^-1, eps_H^-3} iterations, C from Lipschitz constants, norms, "
        "parameters and L(w_0) - inf L",
        r"N = O(\max\{\epsilon_g^{-2} \epsilon_H^{-1}, \epsilon_H^{-3}\})",
        tuple(condition for condition in _hypotheses() if condition.name != "the lower side"),
        drawn_runs,
        _margins,
        edges=lambda: [_uphill()],
        confirm=_confirmed,
        effort=10,
    )


def _amended() -> Form:
    return Form(
        "the same, where L tells the sides of the eigenpoint apart and the accuracies are "
        "those of Assumption 1 over sqrt(kappa) and kappa",
        r"N \le C \max\{\epsilon_g^{-2} \epsilon_H^{-1}, \epsilon_H^{-3}\}",
        _hypotheses(),
        drawn_runs,
        _margins,
        edges=edges,
        bound=_bound,
        confirm=_confirmed,
        sabotage=run_sabotage(_in_order),
        effort=20,
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    theorem = Claim(
        "adaptive-norms/theorem-1",
        "the number of iterations of Algorithm 1",
        PAPER,
        "Theorem 1",
        Verdict.NEEDS,
        _printed(),
        _amended(),
        measure=exponents,
        notes="As printed the algorithm need not end (theorem-1-terminates). Amended, the order "
        "is right, and all of it is needed. There are functions, with Lipschitz constants that do "
        "not depend on eps, that take eps_g^-2 and eps_H^-3 iterations, as many in the norms of "
        "RMSProp and Adagrad as in the Euclidean one. With exact gradients that is all: the mixed "
        "term is not needed (theorem-1-bound). With gradients as wrong as Assumption 1 allows, and "
        "steps as poor as Assumption 2 allows, it is attained, in three dimensions and the "
        "Euclidean norm. The spread kappa of a fixed norm can enter as kappa^3, which is mu^12; "
        "the norms of Algorithm 1 forget, since line 4 feeds them zeros, and become a multiple of "
        "the Euclidean one where only curvature is left. Quadratics and Rosenbrock's function "
        "show none of it.",
        proof="docs/theory-theorem-1.md",
        ours="The amendment, the slow functions in adaptive norms, the run that attains the mixed "
        "term, and the power of kappa.",
    )
    return (theorem,)
