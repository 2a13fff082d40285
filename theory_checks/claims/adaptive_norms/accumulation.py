"""Equations (2) and (3): the sums of outer products, against the streaming updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    Screen,
    Verdict,
    fact,
)
from theory_checks.claims.adaptive_norms.accumulation_streams import (
    EPSILONS,
    KINDS,
    LENGTH,
    Stream,
    agreement,
    broken,
    draw,
    epsilon_each_time,
    exchanged,
    first_twice,
    stream_margin,
    streamed_norm,
    unscaled,
    without_newest,
)
from theory_checks.claims.adaptive_norms.common import (
    PAPER,
    fewer_gradients,
    is_positive_definite,
    streams,
    weighted_sum,
)
from theory_checks.strategies import fractions_of_one

__all__ = ["claims"]


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


def _adagrad_margins(instance: Instance, stream: Stream = streamed_norm) -> Margins:
    gradients = instance["gradients"]
    weights, epsilon = [Fraction(1)] * len(gradients), Fraction(instance["epsilon"])
    diagonal = instance["kind"] == "diagonal"
    wanted = weighted_sum(gradients, weights, epsilon, diagonal=diagonal)
    margins = {"positive definite": fact(is_positive_definite(wanted))}
    if epsilon > 0:
        sizes = weighted_sum(gradients, weights, epsilon, diagonal=diagonal, absolute=True)
        margins["the stream is GG' + epsilon I"] = stream_margin(instance, wanted, sizes, stream)
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


def _adagrad_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    return agreement(xp, arrays, 1.0, 1.0, 1.0)


def _rmsprop_slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    beta = arrays["beta"]
    ages = xp.arange(LENGTH - 1, -1, -1)
    weights = (1 - beta[:, None]) * beta[:, None] ** ages
    return agreement(xp, arrays, beta, 1 - beta, weights)


def _adagrad_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    kind = KINDS[int(arrays["kind"][row])]
    return _adagrad_instance(arrays["gradients"][row].tolist(), kind, float(arrays["epsilon"][row]))


def _rmsprop_row(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    kind = KINDS[int(arrays["kind"][row])]
    values = {name: float(arrays[name][row]) for name in ("epsilon", "beta")}
    return {**_rmsprop_instance(arrays["gradients"][row].tolist(), kind), **values}


def _adagrad_conditions() -> tuple[Condition, ...]:
    return (
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
    )


def _equation_2() -> Claim:
    printed = Form(
        "A = GG' + epsilon I, or its diagonal, is what adding g g' for one gradient after the "
        "other gives, and it is positive definite",
        r"A_t = A_{t-1} + g_t g_t^\top,\ A_0 = \epsilon I \iff "
        r"A_t = G_t G_t^\top + \epsilon I \succ 0",
        _adagrad_conditions(),
        lambda: streams(
            {
                "rule": st.just("adagrad"),
                "kind": st.sampled_from(KINDS),
                "epsilon": st.sampled_from(EPSILONS),
                "window": st.just(8),
            }
        ),
        _adagrad_margins,
        edges=lambda: [
            _adagrad_instance([[0.0]], "full"),
            *(_adagrad_instance([[1.0, 2.0], [-1.0, 2.0]], kind) for kind in KINDS),
        ],
        screen=Screen(draw, _adagrad_slack, _adagrad_row),
        reduce=fewer_gradients,
        sabotage=broken(
            _adagrad_margins,
            {
                "the newest gradient is left out": without_newest,
                "the first gradient counts twice": first_twice,
                "epsilon is added at every update": epsilon_each_time,
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


def _rmsprop_margins(instance: Instance, stream: Stream = streamed_norm) -> Margins:
    gradients, weights = instance["gradients"], _weights(instance)
    if len(weights) != len(gradients):
        return {"a weight for each column": fact(False)}
    diagonal, epsilon = instance["kind"] == "diagonal", Fraction(instance["epsilon"])
    wanted = weighted_sum(gradients, weights, epsilon, diagonal=diagonal)
    sizes = weighted_sum(gradients, weights, epsilon, diagonal=diagonal, absolute=True)
    return {
        "a weight for each column": fact(True),
        "the stream is (3)": stream_margin(instance, wanted, sizes, stream),
    }


def _rmsprop_strategy(extra: int) -> SearchStrategy[Instance]:
    return streams(
        {
            "kind": st.sampled_from(KINDS),
            "epsilon": st.sampled_from(EPSILONS),
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
    for kind in KINDS:
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
        screen=Screen(draw, _rmsprop_slack, _rmsprop_row),
        reduce=fewer_gradients,
        sabotage=broken(
            _rmsprop_margins,
            {
                "the newest gradient is left out": without_newest,
                "the factor of the new term is left out": unscaled,
                "beta and its complement are exchanged": exchanged,
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
