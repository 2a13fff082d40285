"""Lemma 2: the norms of RMSProp are uniformly equivalent; for which epsilon, with which mu."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
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
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import (
    EXACT,
    PAPER,
    assorted,
    eigenpairs,
    fewer_gradients,
    plane_spectrum,
    rule_of,
    streamed,
    streams,
    weighted_sum,
)
from theory_checks.precise import Real, exact, precise, real, sum_of_squares
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

_KINDS = ("diagonal", "full", "window")


#: The weights of a number of gradients, oldest first, by beta.
Weights = Callable[[Fraction, int], list[Fraction]]


def _decayed(beta: Fraction, count: int) -> list[Fraction]:
    return [(1 - beta) * beta ** (count - 1 - i) for i in range(count)]


def _matrix(instance: Instance, weights: Weights) -> list[list[Fraction]]:
    """A_t by equation (3), mended, or with an epsilon that only starts the sum."""
    gradients, beta = instance["gradients"], Fraction(instance["beta"])
    count = len(gradients)
    epsilon = Fraction(instance["epsilon"])
    if instance["epsilon rule"] == "seeded":
        epsilon *= beta**count
    diagonal = instance["kind"] == "diagonal"
    return weighted_sum(gradients, weights(beta, count), epsilon, diagonal=diagonal)


def _powered(value: Real, power: float) -> Real:
    """The eigenvalue of A^power."""
    return value if power == 1.0 else precise().sqrt(value)


def _extremes(instance: Instance, weights: Weights = _decayed) -> tuple[Real, Real]:
    """The extreme eigenvalues of A_t."""
    spectrum = eigenpairs(_matrix(instance, weights))[0]
    return spectrum[0], spectrum[-1]


#: The constant for all gradients within L, from the rule, L and the power of A.
Constant = Callable[[Any, float, float], float]


def _of_the_rule(rule: Any, bound: float, power: float) -> float:
    return float(rule.uniform_mu(bound, power=power))


def _margins(
    instance: Instance, weights: Weights = _decayed, constant: Constant = _of_the_rule
) -> Margins:
    context = precise()
    low, high = _extremes(instance, weights)
    bound, epsilon = real(instance["bound"]), real(instance["epsilon"])
    top = bound * bound + epsilon
    margins = {
        "positive definite": fact(low > 0),
        "lambda_min >= epsilon": in_roundings(low - epsilon, abs(high) + abs(epsilon), EXACT),
        "lambda_max <= L^2 + epsilon": in_roundings(top - high, abs(top), EXACT),
    }
    if low > 0 and 0 < instance["beta"] < 1:
        rule, power = rule_of(instance), instance["power"]
        lower, upper = _powered(low, power), _powered(high, power)
        needed = context.sqrt(max(upper, 1 / lower))
        given = constant(rule, instance["bound"] or 1.0, power)
        margins["the rule's mu serves"] = in_roundings(given - needed, needed)
        if weights is _decayed:
            margins |= _norm_margins(instance, rule, lower, upper)
    return margins


def _norm_margins(instance: Instance, rule: Any, lower: Real, upper: Real) -> Margins:
    """The constants of the norm that tralgos makes, against fifty digits."""
    found = rule.norm(streamed(rule, instance["gradients"]), power=instance["power"])
    small, large = found.equivalence()
    # Eigenvalues of a full matrix are off by roundings of the largest, and so are its root's
    # squares.
    spread = float(upper / lower) ** (2 if instance["power"] == 0.5 else 1)
    return {
        "the norm's lower constant": in_roundings(
            -abs(small * small - lower), float(lower) * spread
        ),
        "the norm's upper constant": in_roundings(-abs(large * large - upper), upper),
    }


def _bound(instance: Instance) -> tuple[float, float]:
    """lambda_max, and what L and epsilon allow."""
    bound = real(instance["bound"])
    return float(_extremes(instance)[1]), float(bound * bound + instance["epsilon"])


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    gradients = assorted(rng, (size, 4, 2))
    # One direction at all times, where the upper constant is approached, in a third of them.
    same = rng.random((size, 1, 1)) < 0.3
    gradients = np.where(same, gradients[:, :1], gradients)
    longest = np.sqrt(np.max(np.sum(gradients**2, axis=2), axis=1))
    return {
        "gradients": gradients,
        "bound": longest * (1 + 2.0**-50),
        "beta": rng.uniform(1e-3, 0.9, size),
        "epsilon": rng.choice([1.0, 0.25, 4.0, 1e-2], size),
        "kind": rng.integers(0, len(_KINDS), size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    g, beta, epsilon = arrays["gradients"], arrays["beta"][:, None], arrays["epsilon"]
    weights = (1 - beta) * beta ** xp.arange(g.shape[1] - 1, -1, -1)
    mixed = xp.sum(weights * g[..., 0] * g[..., 1], axis=1)
    low, high = plane_spectrum(
        xp,
        xp.sum(weights * g[..., 0] ** 2, axis=1),
        xp.where(arrays["kind"] == 0, 0.0, mixed),
        xp.sum(weights * g[..., 1] ** 2, axis=1),
    )
    top = arrays["bound"] ** 2 + epsilon
    return (xp.minimum(low, arrays["bound"] ** 2 - high) + 1e-14 * top) / top


def _row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    numbers = {name: float(arrays[name][row]) for name in ("beta", "epsilon")}
    gradients = arrays["gradients"][row].tolist()
    kind = _KINDS[int(arrays["kind"][row])]
    return _instance(gradients, float(arrays["bound"][row]), kind=kind, **numbers)


def _sabotage() -> tuple[Sabotage, ...]:
    def unscaled(beta: Fraction, count: int) -> list[Fraction]:
        return [beta ** (count - 1 - i) for i in range(count)]

    def undecayed(beta: Fraction, count: int) -> list[Fraction]:
        return [1 - beta] * count

    def without_epsilon(rule: Any, bound: float, power: float) -> float:
        return float(max(bound**power, rule.epsilon ** (-power / 2)))

    def one_sided(rule: Any, bound: float, power: float) -> float:
        return float((bound**2 + rule.epsilon) ** (power / 2))

    return (
        Sabotage("no factor 1 - beta", lambda i: _margins(i, unscaled)),
        Sabotage("nothing is forgotten", lambda i: _margins(i, undecayed)),
        Sabotage("mu without epsilon", lambda i: _margins(i, constant=without_epsilon)),
        Sabotage("mu from above alone", lambda i: _margins(i, constant=one_sided)),
    )


def _strategy() -> SearchStrategy[Instance]:
    drawn = streams(
        {
            "kind": st.sampled_from(_KINDS),
            "power": st.sampled_from([1.0, 0.5]),
            "beta": fractions_of_one(),
            "epsilon": st.sampled_from([1.0, 0.25, 4.0, 1e-2]),
            "window": st.just(8),
            "epsilon rule": st.just("added"),
        },
        size=4.0,
    )
    return drawn.map(lambda i: {**i, "bound": _enough(i["gradients"])})


def _enough(gradients: list[list[float]]) -> float:
    """A float at or just above the length of the longest gradient."""
    longest = max(sum_of_squares(exact(g)) for g in gradients)
    bound = float(precise().sqrt(real(longest)))
    return bound if Fraction(bound) ** 2 >= longest else bound * (1 + 2.0**-52)


def _instance(
    gradients: list[list[float]],
    bound: float,
    *,
    kind: str = "full",
    beta: float = 0.5,
    epsilon: float = 1.0,
    rule: str = "added",
    power: float = 1.0,
) -> Instance:
    return {
        "gradients": gradients,
        "bound": bound,
        "kind": kind,
        "power": power,
        "beta": beta,
        "epsilon": epsilon,
        "window": 8,
        "epsilon rule": rule,
    }


def _edges() -> Iterable[Instance]:
    for kind in _KINDS:
        for power in (1.0, 0.5):
            yield _instance([[0.0, 0.0]], 1.0, kind=kind, power=power)
            yield _instance([[0.0, 2.0]] * 6, 2.0, kind=kind, power=power)
            yield _instance([[3.0, 4.0], [4.0, -3.0]], 5.0, kind=kind, power=power, epsilon=0.25)


def _conditions() -> tuple[Condition, ...]:
    return (
        Condition(
            "bounded gradients",
            r"\|g_t\| \le L",
            lambda i: all(
                sum_of_squares(exact(g)) <= Fraction(i["bound"]) ** 2 for g in i["gradients"]
            ),
            Dropped(
                (
                    _instance([[4.0]], 1.0),
                    _instance([[2.0], [4.0], [8.0]], 1.0, kind="diagonal", epsilon=0.25),
                ),
                note="The newest gradient weighs 1 - beta.",
            ),
        ),
        Condition(
            "epsilon > 0",
            r"\epsilon > 0",
            lambda i: i["epsilon"] > 0,
            Dropped(
                (_instance([[0.0]], 1.0, epsilon=0.0), _instance([[1.0, 0.0]], 1.0, epsilon=0.0)),
                note="Zero gradients, or too few of them, leave A singular.",
            ),
        ),
        Condition(
            "epsilon is added",
            "at all times",
            lambda i: i["epsilon rule"] == "added",
            Dropped(
                (
                    _instance([[0.0]], 1.0, rule="seeded"),
                    _instance([[1.0, 0.0]] * 4, 1.0, rule="seeded", kind="diagonal"),
                ),
                note="An epsilon that only starts the sum, as in the authors' code, is beta^t "
                "epsilon: where gradients stay zero no mu serves all t.",
            ),
        ),
        Condition(
            "0 < beta < 1",
            r"\beta \in (0, 1)",
            lambda i: 0 < i["beta"] < 1,
            Dropped(
                (_instance([[1.0]], 1.0, beta=2.0),), note="1 - beta < 0: A is indefinite."
            ),
        ),
    )  # fmt: skip


def _lemma_2() -> Claim:
    printed = Form(
        "if ||g_t|| <= L for all t there is an epsilon > 0 such that Definition 1 holds for the "
        "matrices of RMSProp and for their diagonals; checked: for every epsilon > 0, for the "
        "square roots too, with the eigenvalues in [epsilon, L^2 + epsilon]",
        r"\epsilon I \preceq A_{\text{rms},t} \preceq (L^2 + \epsilon) I \quad\text{for all } t",
        _conditions(),
        _strategy,
        _margins,
        edges=_edges,
        screen=Screen(_draw, _slack, _row),
        reduce=fewer_gradients,
        bound=_bound,
        sabotage=_sabotage(),
        effort=60,
    )
    return Claim(
        "adaptive-norms/lemma-2",
        "RMSProp's norms are uniformly equivalent",
        PAPER,
        "Lemma 2",
        Verdict.HOLDS,
        printed,
        notes="True, and more than is claimed: for every epsilon, for windows, for the roots. "
        "The paper calls the bound L_H, which in Theorem 1 is the Lipschitz constant of the "
        "Hessian: a gradient's is meant.",
        proof="The weights are positive with the sum 1 - beta^t < 1, and 0 <= (x'g)^2 <= L^2 "
        "for a unit vector x. A diagonal entry is x'Ax for a unit vector.",
    )


# --- the smallest constant ----------------------------------------------------------


#: The two constants of a rule after a number of steps, from rule, L, steps and power.
Constants = Callable[[Any, float, int, float], tuple[float, float]]


def _constants_of_the_rule(
    rule: Any, bound: float, steps: int, power: float
) -> tuple[float, float]:
    lower, upper = rule.uniform_constants(bound, steps, power=power)
    return float(lower), float(upper)


def _sharp_margins(
    instance: Instance,
    constants: Constants = _constants_of_the_rule,
    constant: Constant = _of_the_rule,
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
    wanted = [context.sqrt(_powered(x, power)) for x in (low, top, low, high)]
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
    mu = context.sqrt(max(_powered(bound**2 + epsilon, power), 1 / _powered(epsilon, power)))
    square = (bound**2 + context.sqrt(bound**4 + 4)) / 2
    best = context.sqrt(_powered(square, power))
    attained = context.sqrt(
        max(_powered(bound**2 + 1 / square, power), 1 / _powered(1 / square, power))
    )
    given = constant(rule, instance["bound"], power)
    return {
        "mu over all t": in_roundings(-abs(given - mu), mu),
        "no epsilon has a smaller mu": in_roundings(mu - best, best, EXACT),
        "the best epsilon": in_roundings(-abs(attained - best), best, EXACT),
    }


def _sharp_bound(instance: Instance) -> tuple[float, float]:
    """The smallest mu of all epsilon, and that of this one."""
    context = precise()
    bound, epsilon = real(instance["bound"]), real(instance["epsilon"])
    mu = context.sqrt(max(bound**2 + epsilon, 1 / epsilon))
    return float(context.sqrt((bound**2 + context.sqrt(bound**4 + 4)) / 2)), float(mu)


def _sharp_draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
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


def _sharp_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    square, epsilon = arrays["bound"] ** 2, arrays["epsilon"]
    best = (square + xp.sqrt(square**2 + 4)) / 2
    return xp.maximum(square + epsilon, 1 / epsilon) / best - 1 + 1e-14


def _sharp_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    numbers = {name: float(arrays[name][row]) for name in ("bound", "epsilon", "beta")}
    counts = {name: int(arrays[name][row]) for name in ("steps", "n")}
    return {**_sharp_instance(), **numbers, **counts}


def _sharp_sabotage() -> tuple[Sabotage, ...]:
    def limits(rule: Any, bound: float, steps: int, power: float) -> tuple[float, float]:
        lower, _ = _constants_of_the_rule(rule, bound, steps, power)
        return lower, float((bound**2 + rule.epsilon) ** (power / 2))

    def without_root(rule: Any, bound: float, steps: int, power: float) -> tuple[float, float]:
        return _constants_of_the_rule(rule, bound, steps, 1.0)

    def crossed(rule: Any, bound: float, power: float) -> float:
        return float(min((bound**2 + rule.epsilon) ** (power / 2), rule.epsilon ** (-power / 2)))

    return (
        Sabotage("the limit at every step", lambda i: _sharp_margins(i, limits)),
        Sabotage("A for its root", lambda i: _sharp_margins(i, without_root)),
        Sabotage("mu by the smaller one", lambda i: _sharp_margins(i, constant=crossed)),
    )


def _sharp_strategy() -> SearchStrategy[Instance]:
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


def _sharp_instance(rule: str = "added", bound: float = 1.0, power: float = 1.0) -> Instance:
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
            (_sharp_instance("seeded"),),
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
        _sharp_strategy,
        _sharp_margins,
        edges=lambda: [
            _sharp_instance(bound=bound, power=power)
            for bound in (1.0, 0.5, 2.0)
            for power in (1.0, 0.5)
        ],
        screen=Screen(_sharp_draw, _sharp_slack, _sharp_row),
        bound=_sharp_bound,
        sabotage=_sharp_sabotage(),
        effort=60,
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
        "gradients. The one term grows with epsilon and the "
        "other falls, so the least maximum is where they are equal.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lemma_2(), _smallest_mu())
