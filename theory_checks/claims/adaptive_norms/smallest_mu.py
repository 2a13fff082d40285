"""The smallest constant of Lemma 2, and the epsilon for which it is smallest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Sabotage,
    Screen,
    Verdict,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import EXACT, PAPER, rule_of, streamed
from theory_checks.precise import Real, precise, real
from theory_checks.strategies import fractions_of_one

__all__ = ["Constant", "claims", "of_the_rule", "powered"]

#: The constant for all gradients within L, from the rule, L and the power of A.
Constant = Callable[[Any, float, float], float]


def of_the_rule(rule: Any, bound: float, power: float) -> float:
    """Return the constant that the rule gives itself."""
    return float(rule.uniform_mu(bound, power=power))


def powered(value: Real, power: float) -> Real:
    """Return the eigenvalue of A^power."""
    return value if power == 1.0 else precise().sqrt(value)


#: The two constants of a rule after a number of steps, from rule, L, steps and power.
Constants = Callable[[Any, float, int, float], tuple[float, float]]


def _constantsof_the_rule(rule: Any, bound: float, steps: int, power: float) -> tuple[float, float]:
    lower, upper = rule.uniform_constants(bound, steps, power=power)
    return float(lower), float(upper)


def _margins(
    instance: Instance,
    constants: Constants = _constantsof_the_rule,
    constant: Constant = of_the_rule,
) -> Margins:
    """Constant and zero gradients attain the constants of the rule; the best epsilon."""
    context = precise()
    bound, epsilon = real(instance["bound"]), real(instance["epsilon"])
    steps, beta, power = int(instance["steps"]), real(instance["beta"]), instance["power"]
    n = int(instance["n"])
    low = epsilon * (beta**steps if instance["epsilon rule"] == "seeded" else 1)
    start = epsilon if instance["epsilon rule"] == "added" else epsilon * beta**steps
    high = (1 - beta**steps) * bound * bound + start
    # The first norm has all of a seed and hardly any gradient.
    top = max(high, epsilon)
    rule = rule_of(instance)
    lower, upper = constants(rule, instance["bound"], steps, power)
    still = rule.norm(streamed(rule, [[0.0] * n] * steps), power=power).equivalence()
    moving = rule.norm(
        streamed(rule, [[instance["bound"], *[0.0] * (n - 1)]] * steps), power=power
    ).equivalence()
    wanted = [context.sqrt(powered(x, power)) for x in (low, top, low, high)]
    found = (lower, upper, still[0], moving[1])
    names = ("lower constant", "upper constant", "zero gradients", "constant gradients")
    margins = {
        name: in_roundings(-abs(a - b), b) for name, a, b in zip(names, found, wanted, strict=True)
    }
    return {**margins, **_limit_margins(instance, rule, constant)}


def _limit_margins(instance: Instance, rule: Any, constant: Constant) -> Margins:
    """mu over all t, and the epsilon for which it is smallest."""
    context = precise()
    bound, epsilon, power = real(instance["bound"]), real(instance["epsilon"]), instance["power"]
    mu = context.sqrt(max(powered(bound**2 + epsilon, power), 1 / powered(epsilon, power)))
    square = (bound**2 + context.sqrt(bound**4 + 4)) / 2
    best = context.sqrt(powered(square, power))
    attained = context.sqrt(
        max(powered(bound**2 + 1 / square, power), 1 / powered(1 / square, power))
    )
    given = constant(rule, instance["bound"], power)
    return {
        "mu over all t": in_roundings(-abs(given - mu), mu),
        "no epsilon has a smaller mu": in_roundings(mu - best, best, EXACT),
        "the best epsilon": in_roundings(-abs(attained - best), best, EXACT),
    }


def _bound(instance: Instance) -> tuple[float, float]:
    """The smallest mu of all epsilon, and that of this one."""
    context = precise()
    bound, epsilon = real(instance["bound"]), real(instance["epsilon"])
    mu = context.sqrt(max(bound**2 + epsilon, 1 / epsilon))
    return float(context.sqrt((bound**2 + context.sqrt(bound**4 + 4)) / 2)), float(mu)


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    bound = 10.0 ** rng.uniform(-3.0, 3.0, size)
    best = 2 / (bound**2 + np.sqrt(bound**4 + 4))
    near = best * (1 + rng.choice([1e-2, 1e-8, -1e-8, -1e-2], size))
    return {
        "bound": bound,
        "epsilon": np.where(rng.random(size) < 0.5, near, 10.0 ** rng.uniform(-3, 3, size)),
        "beta": rng.uniform(1e-3, 1 - 1e-3, size),
        "steps": rng.integers(1, 13, size),
        "n": rng.integers(1, 4, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    square, epsilon = arrays["bound"] ** 2, arrays["epsilon"]
    best = (square + xp.sqrt(square**2 + 4)) / 2
    return xp.maximum(square + epsilon, 1 / epsilon) / best - 1 + 1e-14


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    numbers = {name: float(arrays[name][row]) for name in ("bound", "epsilon", "beta")}
    counts = {name: int(arrays[name][row]) for name in ("steps", "n")}
    return {**_instance(), **numbers, **counts}


def _sabotage() -> tuple[Sabotage, ...]:
    def limits(rule: Any, bound: float, steps: int, power: float) -> tuple[float, float]:
        lower, _ = _constantsof_the_rule(rule, bound, steps, power)
        return lower, float((bound**2 + rule.epsilon) ** (power / 2))

    def without_root(rule: Any, bound: float, steps: int, power: float) -> tuple[float, float]:
        return _constantsof_the_rule(rule, bound, steps, 1.0)

    def crossed(rule: Any, bound: float, power: float) -> float:
        return float(min((bound**2 + rule.epsilon) ** (power / 2), rule.epsilon ** (-power / 2)))

    return (
        Sabotage("the limit at every step", lambda i: _margins(i, limits)),
        Sabotage("A for its root", lambda i: _margins(i, without_root)),
        Sabotage("mu by the smaller one", lambda i: _margins(i, constant=crossed)),
    )


def _strategy() -> SearchStrategy[Instance]:
    sizes = st.one_of(
        st.integers(1, 32).map(lambda k: k / 8), st.floats(-3, 3).map(lambda x: 10.0**x)
    )
    return st.fixed_dictionaries(
        {
            "n": st.integers(1, 3),
            "bound": sizes,
            "epsilon": sizes,
            "beta": fractions_of_one(),
            "steps": st.integers(1, 12),
            "kind": st.sampled_from(["diagonal", "full"]),
            "power": st.sampled_from([1.0, 0.5]),
            "epsilon rule": st.just("added"),
        }
    )


def _instance(rule: str = "added", bound: float = 1.0, power: float = 1.0) -> Instance:
    return {
        "n": 1,
        "bound": bound,
        "epsilon": 0.25,
        "beta": 0.5,
        "steps": 3,
        "kind": "diagonal",
        "power": power,
        "epsilon rule": rule,
    }


def _smallest_mu() -> Claim:
    added = Condition(
        "epsilon is added",
        "at all times",
        lambda i: i["epsilon rule"] == "added",
        Dropped(
            (_instance("seeded"),),
            note="Then the constants hold for a finite number of steps only, with beta^t epsilon.",
        ),
    )
    proper = Condition(
        "proper", r"L > 0,\ \epsilon > 0,\ 0 < \beta < 1",
        lambda i: i["bound"] > 0 and i["epsilon"] > 0 and 0 < i["beta"] < 1 and i["steps"] >= 1,
        kept="the rule's own parameters; for L = 0 the matrices are all epsilon I",
    )  # fmt: skip
    printed = Form(
        "the smallest mu for all gradients within L is max((L^2 + epsilon)^{1/2}, "
        "epsilon^{-1/2}); over all epsilon it is smallest where epsilon (L^2 + epsilon) = 1; for "
        "A^{1/2} all constants are the square roots",
        r"\mu^* = \max(\sqrt{L^2 + \epsilon}, 1/\sqrt\epsilon) \ge "
        r"\sqrt{(L^2 + \sqrt{L^4 + 4})/2}",
        (proper, added),
        _strategy,
        _margins,
        edges=lambda: [
            _instance(bound=bound, power=power) for bound in (1.0, 0.5, 2.0) for power in (1.0, 0.5)
        ],
        screen=Screen(_draw, _slack, _row),
        bound=_bound,
        sabotage=_sabotage(),
        effort=100,
    )
    return Claim(
        "adaptive-norms/lemma-2-smallest-mu",
        "which epsilon, and which mu",
        PAPER,
        "Lemma 2, of which it says neither",
        Verdict.HOLDS,
        printed,
        notes="After t constant gradients the largest eigenvalue is (1 - beta^t) L^2 + epsilon, "
        "so that the supremum is approached and not attained; the smallest is attained by zero "
        "gradients. The tightness is mu over all epsilon against mu for the one drawn.",
        ours="The sharp constants, and the epsilon for which mu is smallest.",
        proof="docs/theory-methods.md, Uniform equivalence. Lemma 2, and constant and zero "
        "gradients. The one term grows with epsilon and the other falls, so the least maximum is "
        "where they are equal.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claim of this module."""
    return (_smallest_mu(),)
