"""Equations (2) and (3): the sums of outer products, against the streaming updates."""

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
    PAPER,
    Matrix,
    assorted,
    fewer_gradients,
    is_positive_definite,
    plane_spectrum,
    rule_of,
    streamed,
    streams,
    trace,
    weighted_sum,
)
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]

_KINDS = ("diagonal", "full", "window")
_EPSILONS = (1.0, 0.25, 1e-3)


#: Makes the norm after all gradients of an instance, one update after the other.
Stream = Callable[[Instance], Any]


def _streamed_norm(instance: Instance) -> Any:
    """The norm of the rule that an instance describes."""
    rule = rule_of(instance)
    return rule.norm(streamed(rule, instance["gradients"]))


def _stream_margin(instance: Instance, wanted: Matrix, sizes: Matrix, stream: Stream) -> float:
    """How well the matrix of the stream agrees with `wanted`, entry by entry.

    `sizes` are the sums of absolute values. A window is decomposed: its entries are off by
    roundings of the whole.
    """
    n = len(wanted)
    found = stream(instance).matrix(np.zeros(n)).tolist()
    whole = trace(sizes) if instance["kind"] == "window" else None
    return min(
        in_roundings(-abs(Fraction(found[i][j]) - wanted[i][j]), whole or sizes[i][j] or 1)
        for i in range(n)
        for j in range(n)
    )


def _without_newest(instance: Instance) -> Instance:
    kept, newest = instance["gradients"][:-1], instance["gradients"][-1]
    return {**instance, "gradients": [*kept, [0.0] * len(newest)]}


def _first_twice(instance: Instance) -> Instance:
    return {**instance, "gradients": [instance["gradients"][0], *instance["gradients"]]}


def _epsilon_each_time(instance: Instance) -> Instance:
    return {**instance, "epsilon": instance["epsilon"] * len(instance["gradients"])}


def _unscaled(instance: Instance) -> Instance:
    """The factor 1 - beta is forgotten: the gradients are longer by its root."""
    factor = (1.0 - instance["beta"]) ** -0.5
    return {**instance, "gradients": [[factor * x for x in g] for g in instance["gradients"]]}


def _exchanged(instance: Instance) -> Instance:
    return {**instance, "beta": 1.0 - instance["beta"]}


def _broken(
    margins: Callable[[Instance, Stream], Margins],
    altered: Mapping[str, Callable[[Instance], Instance]],
) -> tuple[Sabotage, ...]:
    """Updates broken on purpose: what they give is the true update's for other data."""

    def judged(other: Callable[[Instance], Instance]) -> Callable[[Instance], Margins]:
        return lambda instance: margins(instance, lambda i: _streamed_norm(other(i)))

    return tuple(Sabotage(name, judged(other)) for name, other in altered.items())


def _all_kept(dropped: Dropped) -> Condition:
    return Condition(
        "all gradients are kept",
        "the window, where there is one, holds all t gradients",
        lambda i: i["kind"] != "window" or i["window"] >= len(i["gradients"]),
        dropped,
    )


def _positive_epsilon(dropped: Dropped | None = None) -> Condition:
    return Condition("epsilon > 0", r"\epsilon > 0", lambda i: i["epsilon"] > 0, dropped)


# --- equation (2) -------------------------------------------------------------------


def _adagrad_margins(instance: Instance, stream: Stream = _streamed_norm) -> Margins:
    gradients = instance["gradients"]
    weights, epsilon = [Fraction(1)] * len(gradients), Fraction(instance["epsilon"])
    diagonal = instance["kind"] == "diagonal"
    wanted = weighted_sum(gradients, weights, epsilon, diagonal=diagonal)
    margins = {"positive definite": fact(is_positive_definite(wanted))}
    if epsilon > 0:
        sizes = weighted_sum(gradients, weights, epsilon, diagonal=diagonal, absolute=True)
        margins["the stream is GG' + epsilon I"] = _stream_margin(instance, wanted, sizes, stream)
    return margins


def _adagrad_instance(
    gradients: list[list[float]], kind: str, epsilon: float = 1.0, window: int = 8
) -> Instance:
    return {
        "gradients": gradients,
        "rule": "adagrad",
        "kind": kind,
        "epsilon": epsilon,
        "window": window,
    }


#: Gradients of an instance of the screens, of order two.
_SCREENED = 4


def _draw(rng: np.random.Generator, size: int) -> Mapping[str, np.ndarray]:
    return {
        "gradients": assorted(rng, (size, _SCREENED, 2), 8.0),
        "epsilon": rng.choice(_EPSILONS, size),
        "beta": rng.uniform(1e-3, 1 - 1e-3, size),
        "kind": rng.integers(0, len(_KINDS), size),
    }


def _agreement(xp: Any, arrays: Mapping[str, Any], keep: Any, add: Any, weights: Any) -> Any:
    """The slack of the recurrence A <- keep A + add g g' against the weighted sum, and of
    the least eigenvalue against epsilon.
    """
    g, epsilon = arrays["gradients"], arrays["epsilon"]
    products = xp.stack([g[..., 0] ** 2, g[..., 0] * g[..., 1], g[..., 1] ** 2])
    recurred = xp.zeros_like(products[..., 0])
    for t in range(_SCREENED):
        recurred = keep * recurred + add * products[..., t]
    summed = xp.sum(weights * products, axis=-1)
    sizes = xp.sum(weights * xp.abs(products), axis=-1)
    off = xp.max(xp.abs(recurred - summed) - 1e-14 * sizes, axis=0)
    mixed = xp.where(arrays["kind"] == 0, 0.0, summed[1])
    low, high = plane_spectrum(xp, summed[0], mixed, summed[2])
    return (xp.minimum(low, -off) + 1e-14 * high) / (high + epsilon)


def _adagrad_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    return _agreement(xp, arrays, 1.0, 1.0, 1.0)


def _rmsprop_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    beta = arrays["beta"]
    ages = xp.arange(_SCREENED - 1, -1, -1)
    weights = (1 - beta[:, None]) * beta[:, None] ** ages
    return _agreement(xp, arrays, beta, 1 - beta, weights)


def _adagrad_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    kind = _KINDS[int(arrays["kind"][row])]
    return _adagrad_instance(arrays["gradients"][row].tolist(), kind, float(arrays["epsilon"][row]))


def _rmsprop_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    kind = _KINDS[int(arrays["kind"][row])]
    values = {name: float(arrays[name][row]) for name in ("epsilon", "beta")}
    return {**_rmsprop_instance(arrays["gradients"][row].tolist(), kind), **values}


def _equation_2() -> Claim:
    printed = Form(
        "A = GG' + epsilon I, or its diagonal, is what adding g g' for one gradient after the "
        "other gives, and it is positive definite",
        r"A_t = A_{t-1} + g_t g_t^\top,\ A_0 = \epsilon I \iff "
        r"A_t = G_t G_t^\top + \epsilon I \succ 0",
        (
            _positive_epsilon(
                Dropped(
                    (_adagrad_instance([[1.0, 0.0]], "full", epsilon=0.0),),
                    note="Fewer gradients than dimensions leave A singular.",
                )
            ),
            _all_kept(
                Dropped(
                    (_adagrad_instance([[1.0], [0.0]], "window", window=1),),
                    note="A window forgets, and gives the sum over what it holds.",
                )
            ),
        ),
        lambda: streams(
            {
                "rule": st.just("adagrad"),
                "kind": st.sampled_from(_KINDS),
                "epsilon": st.sampled_from(_EPSILONS),
                "window": st.just(8),
            }
        ),
        _adagrad_margins,
        edges=lambda: [
            _adagrad_instance([[0.0]], "full"),
            *(_adagrad_instance([[1.0, 2.0], [-1.0, 2.0]], kind) for kind in _KINDS),
        ],
        screen=Screen(_draw, _adagrad_slack, _adagrad_row),
        reduce=fewer_gradients,
        sabotage=_broken(
            _adagrad_margins,
            {
                "the newest gradient is left out": _without_newest,
                "the first gradient counts twice": _first_twice,
                "epsilon is added at every update": _epsilon_each_time,
            },
        ),
        effort=80,
    )
    return Claim(
        "adaptive-norms/eq-2",
        "Adagrad's matrix, streamed, diagonal and windowed",
        PAPER,
        "equation (2)",
        Verdict.HOLDS,
        printed,
        notes="The sums are fractions; the streams run in float64, entry by entry within "
        "roundings of the sum of absolute values.",
        proof="GG' is the sum of the outer products of the columns of G; x'Ax >= epsilon |x|^2.",
    )


# --- equation (3) -------------------------------------------------------------------


def _weights(instance: Instance) -> list[Fraction]:
    """The diagonal of equation (3) as the instance reads it, oldest first."""
    beta, newest = Fraction(instance["beta"]), int(instance["age of the newest"])
    count = len(instance["gradients"]) + int(instance["extra weights"])
    return [(1 - beta) * beta ** (newest + count - 1 - i) for i in range(count)]


def _rmsprop_margins(instance: Instance, stream: Stream = _streamed_norm) -> Margins:
    gradients, weights = instance["gradients"], _weights(instance)
    if len(weights) != len(gradients):
        return {"a weight for each column": fact(False)}
    diagonal, epsilon = instance["kind"] == "diagonal", Fraction(instance["epsilon"])
    wanted = weighted_sum(gradients, weights, epsilon, diagonal=diagonal)
    sizes = weighted_sum(gradients, weights, epsilon, diagonal=diagonal, absolute=True)
    return {
        "a weight for each column": fact(True),
        "the stream is (3)": _stream_margin(instance, wanted, sizes, stream),
    }


def _rmsprop_strategy(extra: int) -> SearchStrategy[Instance]:
    return streams(
        {
            "kind": st.sampled_from(_KINDS),
            "epsilon": st.sampled_from(_EPSILONS),
            "beta": fractions_of_one(),
            "window": st.just(8),
            "extra weights": st.just(extra),
            "age of the newest": st.just(0),
            "epsilon rule": st.just("added"),
        }
    )


def _rmsprop_instance(
    gradients: list[list[float]],
    kind: str = "full",
    extra: int = 0,
    newest: int = 0,
    seeded: bool = False,
    window: int = 8,
) -> Instance:
    return {
        "gradients": gradients,
        "kind": kind,
        "epsilon": 1.0,
        "beta": 0.5,
        "window": window,
        "extra weights": extra,
        "age of the newest": newest,
        "epsilon rule": "seeded" if seeded else "added",
    }


def _rmsprop_edges() -> Iterable[Instance]:
    for kind in _KINDS:
        yield _rmsprop_instance([[1.0, 2.0], [-1.0, 2.0], [0.0, 1.0]], kind)


def _readings() -> tuple[Condition, ...]:
    """What it takes to read equation (3) as the moving average."""
    columns = Condition(
        "a weight for each column",
        "the diagonal has as many entries as G has columns",
        lambda i: i["extra weights"] == 0,
        Dropped(
            (_rmsprop_instance([[1.0]], extra=1),), note="As printed: t columns, t + 1 weights."
        ),
    )
    newest = Condition(
        "the newest weighs 1 - beta",
        r"the last entry is \beta^0",
        lambda i: i["age of the newest"] == 0,
        Dropped(
            (_rmsprop_instance([[1.0]], newest=1),),
            note="With beta^t, ..., beta^1, the other way to t weights, every sum is beta times "
            "that of the stream.",
        ),
    )
    added = Condition(
        "epsilon is added",
        "to the sum, at all times",
        lambda i: i["epsilon rule"] == "added",
        Dropped(
            (_rmsprop_instance([[0.0]], seeded=True),),
            note="An epsilon that only starts the sum, as in the authors' code, is beta^t epsilon.",
        ),
    )
    kept = _all_kept(
        Dropped(
            (_rmsprop_instance([[1.0], [0.0]], "window", window=1),),
            note="What a window of m gradients drops is at most beta^m L^2 in norm.",
        )
    )
    proper = Condition(
        "0 < beta < 1", r"\beta \in (0, 1),\ \epsilon > 0",
        lambda i: 0 < i["beta"] < 1 and i["epsilon"] > 0,
        kept="the rule refuses other parameters; the induction needs none of it",
    )  # fmt: skip
    return columns, newest, added, kept, proper


def _equation_3() -> Claim:
    columns, newest, added, kept, proper = _readings()
    printed = Form(
        "A = (1 - beta) G diag(beta^t, ..., beta^0) G' + epsilon I with G = [g_1, ..., g_t], or "
        "its diagonal, is what the moving average of g g' gives",
        r"A_t = (1-\beta) G_t \,\mathrm{diag}(\beta^t, \ldots, \beta^0)\, G_t^\top + \epsilon I,"
        r"\ G_t = [g_1, \ldots, g_t]",
        (proper,),
        lambda: _rmsprop_strategy(1),
        _rmsprop_margins,
        edges=lambda: (_rmsprop_instance([[1.0]], extra=1),),
        reduce=fewer_gradients,
        effort=10,
    )
    amended = Form(
        "the same with the weights beta^(t-1), ..., beta^0 (or with G = [g_0, ..., g_t])",
        r"A_t - \epsilon I = \beta (A_{t-1} - \epsilon I) + (1-\beta) g_t g_t^\top \iff "
        r"A_t = (1-\beta) G_t \,\mathrm{diag}(\beta^{t-1}, \ldots, \beta^0)\, G_t^\top "
        r"+ \epsilon I",
        (proper, columns, newest, added, kept),
        lambda: _rmsprop_strategy(0),
        _rmsprop_margins,
        edges=_rmsprop_edges,
        screen=Screen(_draw, _rmsprop_slack, _rmsprop_row),
        reduce=fewer_gradients,
        sabotage=_broken(
            _rmsprop_margins,
            {
                "the newest gradient is left out": _without_newest,
                "the factor of the new term is left out": _unscaled,
                "beta and its complement are exchanged": _exchanged,
            },
        ),
        effort=80,
    )
    return Claim(
        "adaptive-norms/eq-3",
        "RMSProp's matrix, streamed, diagonal and windowed",
        PAPER,
        "equation (3)",
        Verdict.NEEDS,
        printed,
        amended,
        notes="As printed the product does not exist: G has t columns and the diagonal t + 1 "
        "entries. Either way of mending it gives the newest gradient the weight 1 - beta, and "
        "the two differ only in the number of the first gradient. The weights sum to 1 - beta^t: "
        "early matrices are too small by that factor (Adam divides by it).",
        proof="Induction over t.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_equation_2(), _equation_3())
