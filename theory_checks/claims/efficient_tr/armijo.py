"""The parameters of Armijo's rule in instances of Algorithm 2."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Condition, Instance
from theory_checks.claims.efficient_tr.iterations import Armijo
from theory_checks.strategies import numbers

__all__ = ["ARMIJO", "rule_of", "rules", "with_rule"]


def rule_of(instance: Instance) -> Armijo:
    """Return the line search of an instance."""
    return Armijo(instance["first step"], instance["shrink"], instance["sigma"])


def with_rule(
    instance: Instance, first: float, sigma: float = 0.5, shrink: float = 0.5
) -> Instance:
    """Return the instance with a line search."""
    return {**instance, "first step": first, "shrink": shrink, "sigma": sigma}


def rules() -> dict[str, SearchStrategy[float]]:
    """Return strategies for the parameters of a line search."""
    return {
        "first step": st.one_of(
            st.just(1.0),
            numbers(8.0).map(abs).filter(lambda x: x > 1e-3),
            st.sampled_from([0.125, 8.0]),
        ),
        "shrink": st.sampled_from([0.5, 0.8, 0.1]),
        "sigma": st.sampled_from([0.5, 0.1, 1e-4, 0.75]),
    }


ARMIJO = Condition(
    "Armijo's rule",
    r"\bar\alpha > 0,\ 0 < \text{shrink} < 1,\ 0 < \sigma < 1",
    lambda i: i["first step"] > 0 and 0 < i["shrink"] < 1 and 0 < i["sigma"] < 1,
    kept="It is the definition of the line search.",
)
