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
from theory_checks.claims.adaptive_norms import smallest_mu
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
from theory_checks.claims.adaptive_norms.smallest_mu import Constant, of_the_rule, powered
from theory_checks.precise import Real, exact, precise, real, sum_of_squares
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

_KINDS = ("diagonal", "full", "window")


#: The weights of a number of gradients, oldest first, by beta.
Weights = Callable[[Fraction, int], list[Fraction]]


def _decayed(beta: Fraction, count: int) -> list[Fraction]:
    return [(1 - beta) * beta ** (count - 1 - i) for i in range(count)]


#: The gradients of an instance that its matrix is the sum over.
Kept = Callable[[Instance], list[list[float]]]


def _in_the_window(instance: Instance) -> list[list[float]]:
    """All, or the newest ones."""
    gradients: list[list[float]] = instance["gradients"]
    return gradients[-int(instance["window"]) :] if instance["kind"] == "window" else gradients


def _matrix(instance: Instance, weights: Weights, kept: Kept) -> list[list[Fraction]]:
    """A_t by equation (3), mended, or with an epsilon that only starts the sum."""
    gradients, beta = kept(instance), Fraction(instance["beta"])
    epsilon = Fraction(instance["epsilon"])
    if instance["epsilon rule"] == "seeded":
        epsilon *= beta ** len(instance["gradients"])
    diagonal = instance["kind"] == "diagonal"
    return weighted_sum(gradients, weights(beta, len(gradients)), epsilon, diagonal=diagonal)


def _extremes(
    instance: Instance, weights: Weights = _decayed, kept: Kept = _in_the_window
) -> tuple[Real, Real]:
    """The extreme eigenvalues of A_t."""
    spectrum = eigenpairs(_matrix(instance, weights, kept))[0]
    return spectrum[0], spectrum[-1]


def _margins(
    instance: Instance,
    weights: Weights = _decayed,
    constant: Constant = of_the_rule,
    kept: Kept = _in_the_window,
) -> Margins:
    context = precise()
    low, high = _extremes(instance, weights, kept)
    bound, epsilon = real(instance["bound"]), real(instance["epsilon"])
    top = bound * bound + epsilon
    margins = {
        "positive definite": fact(low > 0),
        "lambda_min >= epsilon": in_roundings(low - epsilon, abs(high) + abs(epsilon), EXACT),
        "lambda_max <= L^2 + epsilon": in_roundings(top - high, abs(top), EXACT),
    }
    if low > 0 and 0 < instance["beta"] < 1:
        rule, power = rule_of(instance), instance["power"]
        lower, upper = powered(low, power), powered(high, power)
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
        "window": rng.integers(1, 6, size),
    }


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    g, beta, epsilon = arrays["gradients"], arrays["beta"][:, None], arrays["epsilon"]
    age = xp.arange(g.shape[1] - 1, -1, -1)
    forgotten = (arrays["kind"] == _KINDS.index("window"))[:, None] & (
        age[None, :] >= arrays["window"][:, None]
    )
    weights = xp.where(forgotten, 0.0, (1 - beta) * beta**age)
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
    numbers: Instance = {name: float(arrays[name][row]) for name in ("beta", "epsilon")}
    numbers["window"] = int(arrays["window"][row])
    gradients, bound = arrays["gradients"][row].tolist(), float(arrays["bound"][row])
    return {**_instance(gradients, bound, kind=_KINDS[int(arrays["kind"][row])]), **numbers}


def _sabotage() -> tuple[Sabotage, ...]:
    def unscaled(beta: Fraction, count: int) -> list[Fraction]:
        return [beta ** (count - 1 - i) for i in range(count)]

    def undecayed(beta: Fraction, count: int) -> list[Fraction]:
        return [1 - beta] * count

    def without_epsilon(rule: Any, bound: float, power: float) -> float:
        return float(max(bound**power, rule.epsilon ** (-power / 2)))

    def one_sided(rule: Any, bound: float, power: float) -> float:
        return float((bound**2 + rule.epsilon) ** (power / 2))

    def all_of_them(instance: Instance) -> list[list[float]]:
        return list(instance["gradients"])

    def one_less(instance: Instance) -> list[list[float]]:
        return _in_the_window({**instance, "window": max(1, int(instance["window"]) - 1)})

    return (
        Sabotage("the window forgets nothing", lambda i: _margins(i, kept=all_of_them)),
        Sabotage("a window of one less", lambda i: _margins(i, kept=one_less)),
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
            # Shorter than the stream, as long, and longer.
            "window": st.sampled_from([1, 2, 3, 8]),
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
    window: int = 8,
) -> Instance:
    return {
        "gradients": gradients,
        "bound": bound,
        "kind": kind,
        "power": power,
        "beta": beta,
        "epsilon": epsilon,
        "window": window,
        "epsilon rule": rule,
    }


def _edges() -> Iterable[Instance]:
    for kind in _KINDS:
        for power in (1.0, 0.5):
            yield _instance([[0.0, 0.0]], 1.0, kind=kind, power=power)
            yield _instance([[0.0, 2.0]] * 6, 2.0, kind=kind, power=power)
            yield _instance([[3.0, 4.0], [4.0, -3.0]], 5.0, kind=kind, power=power, epsilon=0.25)
    for window in (1, 2):
        yield _instance([[4.0, 0.0], [0.0, 3.0], [0.0, 1.0]], 4.0, kind="window", window=window)


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
            "a window",
            r"m \ge 1",
            lambda i: i["window"] >= 1 and int(i["window"]) == i["window"],
            kept="a window holds the newest gradient, and a whole number of them",
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
        "matrices of RMSProp and for their diagonals; checked: for every epsilon > 0, for sums "
        "over a window of the newest gradients, and for the square roots too, with the eigenvalues "
        "in [epsilon, L^2 + epsilon]",
        r"\epsilon I \preceq A_{\text{rms},t} \preceq (L^2 + \epsilon) I \quad\text{for all } t",
        _conditions(),
        _strategy,
        _margins,
        edges=_edges,
        screen=Screen(_draw, _slack, _row),
        reduce=fewer_gradients,
        bound=_bound,
        sabotage=_sabotage(),
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
        proof="The weights are positive with the sum 1 - beta^t < 1, less over a window, and "
        "0 <= (x'g)^2 <= L^2 for a unit vector x. A diagonal entry is x'Ax for a unit vector.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_lemma_2(), *smallest_mu.claims())
