"""Lemma 2: the norms of RMSProp are uniformly equivalent; for which epsilon, with which mu."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import (
    Claim,
    Condition,
    Dropped,
    Form,
    Instance,
    Margins,
    Verdict,
    fact,
    in_roundings,
)
from theory_checks.claims.adaptive_norms.common import (
    EXACT,
    PAPER,
    eigenpairs,
    fewer_gradients,
    rule_of,
    streamed,
    streams,
    weighted_sum,
)
from theory_checks.precise import Real, exact, precise, real, sum_of_squares
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

_KINDS = ("diagonal", "full", "window")


def _matrix(instance: Instance) -> list[list[Fraction]]:
    """A_t by equation (3), mended, or with an epsilon that only starts the sum."""
    gradients, beta = instance["gradients"], Fraction(instance["beta"])
    count = len(gradients)
    weights = [(1 - beta) * beta ** (count - 1 - i) for i in range(count)]
    epsilon = Fraction(instance["epsilon"])
    if instance["epsilon rule"] == "seeded":
        epsilon *= beta**count
    return weighted_sum(gradients, weights, epsilon, diagonal=instance["kind"] == "diagonal")


def _powered(value: Real, power: float) -> Real:
    """The eigenvalue of A^power."""
    return value if power == 1.0 else precise().sqrt(value)


def _extremes(instance: Instance) -> tuple[Real, Real]:
    """The extreme eigenvalues of A_t."""
    spectrum = eigenpairs(_matrix(instance))[0]
    return spectrum[0], spectrum[-1]


def _margins(instance: Instance) -> Margins:
    context = precise()
    low, high = _extremes(instance)
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
        given = rule.uniform_mu(instance["bound"] or 1.0, power=power)
        margins["the rule's mu serves"] = in_roundings(given - needed, needed)
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


def _ratio(instance: Instance) -> float:
    """lambda_max over what L and epsilon allow."""
    bound = real(instance["bound"])
    return float(_extremes(instance)[1] / (bound * bound + instance["epsilon"]))


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
        reduce=fewer_gradients,
        ratio=_ratio,
        effort=80,
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


def _sharp_margins(instance: Instance) -> Margins:
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
    lower, upper = rule.uniform_constants(instance["bound"], steps, power=power)
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
    return {**margins, **_limit_margins(instance, rule)}


def _limit_margins(instance: Instance, rule: Any) -> Margins:
    """mu over all t, and the epsilon for which it is smallest."""
    context = precise()
    bound, epsilon, power = real(instance["bound"]), real(instance["epsilon"]), instance["power"]
    mu = context.sqrt(max(_powered(bound**2 + epsilon, power), 1 / _powered(epsilon, power)))
    square = (bound**2 + context.sqrt(bound**4 + 4)) / 2
    best = context.sqrt(_powered(square, power))
    attained = context.sqrt(
        max(_powered(bound**2 + 1 / square, power), 1 / _powered(1 / square, power))
    )
    given = rule.uniform_mu(instance["bound"], power=power)
    return {
        "mu over all t": in_roundings(-abs(given - mu), mu),
        "no epsilon has a smaller mu": in_roundings(mu - best, best, EXACT),
        "the best epsilon": in_roundings(-abs(attained - best), best, EXACT),
    }


def _sharp_ratio(instance: Instance) -> float:
    context = precise()
    bound, epsilon = real(instance["bound"]), real(instance["epsilon"])
    mu = context.sqrt(max(bound**2 + epsilon, 1 / epsilon))
    return float(context.sqrt((bound**2 + context.sqrt(bound**4 + 4)) / 2) / mu)


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
        ratio=_sharp_ratio,
        effort=80,
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
        proof="Lemma 2, and constant and zero gradients. The one term grows with epsilon and the "
        "other falls, so the least maximum is where they are equal.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lemma_2(), _smallest_mu())
