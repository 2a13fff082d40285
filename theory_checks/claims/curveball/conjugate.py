"""What conjugate gradients need: a first direction and a system that stays, not a start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
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
)
from theory_checks.claims.adaptive_norms.common import Matrix, applied, inner_product
from theory_checks.claims.curveball.bulk import (
    apart,
    applied_rows,
    condition_rows,
    hessian_rows,
    inner_rows,
    model_rows,
    row_of,
)
from theory_checks.claims.curveball.common import PAPER
from theory_checks.claims.curveball.models import (
    Vector,
    combined,
    definite,
    fewer_coordinates,
    hessian,
    model_instance,
    models,
    newton_step,
    value,
    vector,
)

__all__ = ["claims"]


# --- Algorithm 2's inner loop ---------------------------------------------------------


@dataclass(frozen=True)
class _Run:
    """Iterates of conjugate gradients; broken where a step could not be made."""

    points: list[Vector]
    broken: bool


#: Of the next direction, from the new and the old residual, the direction and its image.
_Ratio = Callable[[Vector, Vector, Vector, Vector], Fraction]


def _ratio(new: Vector, old: Vector, d: Vector, Hd: Vector) -> Fraction:
    """Of Fletcher and Reeves."""
    return inner_product(new, new) / inner_product(old, old)


def _inverse_ratio(new: Vector, old: Vector, d: Vector, Hd: Vector) -> Fraction:
    square = inner_product(new, new)
    return inner_product(old, old) / square if square else Fraction(0)


def _negative_ratio(new: Vector, old: Vector, d: Vector, Hd: Vector) -> Fraction:
    return -_ratio(new, old, d, Hd)


def _no_ratio(new: Vector, old: Vector, d: Vector, Hd: Vector) -> Fraction:
    """Steepest descent."""
    return Fraction(0)


def _conjugate_gradients(
    instance: Instance,
    H: Matrix,
    J: Vector,
    ratio: _Ratio = _ratio,
) -> _Run:
    """n steps from the instance's start on Hz = -J, and n more after J has changed, if it does."""
    n = len(J)
    z = [-x for x in J] if instance["from"] == "-J" else vector(instance, "start")
    residual = combined(1, applied(H, z), 1, J)
    d = [-x for x in residual] if instance["first"] == "residual" else vector(instance, "start")
    points = [z]
    drift = Fraction(instance["drift"])
    total = n + 1 if drift else n
    for k in range(total):
        if not any(residual):
            break
        Hd = applied(H, d)
        curvature = inner_product(d, Hd)
        if curvature == 0:
            return _Run(points, True)
        z = combined(1, z, -inner_product(residual, d) / curvature, d)
        points.append(z)
        if k == 0 and drift:
            J = [J[0] + drift, *J[1:]]
        old, residual = residual, combined(1, applied(H, z), 1, J)
        d = combined(-1, residual, ratio(residual, old, d, Hd), d)
    return _Run(points, False)


def _target(instance: Instance, H: Matrix, J: Vector) -> Vector | None:
    """The Newton step of the J that is there at the end."""
    return newton_step(H, [J[0] + Fraction(instance["drift"]), *J[1:]])


def _ends(instance: Instance, ratio: _Ratio = _ratio) -> tuple[bool, bool]:
    """Whether the Newton step is reached in time, and whether the model falls in every step."""
    H, J = hessian(instance), vector(instance, "J")
    run, target = _conjugate_gradients(instance, H, J, ratio), _target(instance, H, J)
    values = [value(H, J, z) for z in run.points]
    falls = all(b < a for a, b in pairwise(values))
    return not run.broken and run.points[-1] == target, falls


def _printed_margins(instance: Instance) -> Margins:
    ended, _ = _ends(instance)
    other = {**instance, "from": "start", "start": [0.0] * len(instance["J"])}
    return {
        "from -J it ends in n steps": fact(ended),
        "from 0 it does not": fact(not _ends(other)[0]),
    }


def _steps(instance: Instance) -> tuple[float, float]:
    """Steps until the end, and the dimension."""
    run = _conjugate_gradients(instance, hessian(instance), vector(instance, "J"))
    return float(len(run.points) - 1), float(len(instance["J"]))


def _amended_margins(instance: Instance, ratio: _Ratio = _ratio) -> Margins:
    ended, falls = _ends(instance, ratio)
    return {
        "the Newton step after n steps": fact(ended),
        "the model falls in each": fact(falls),
    }


def _instance(factor: list[float], J: list[float], start: list[float], **more: object) -> Instance:
    first: Instance = {"start": start, "from": "start", "first": "residual", "drift": 0.0}
    return model_instance(factor, J, [0.0] * len(J), **{**first, **more})


def _strategy() -> SearchStrategy[Instance]:
    drawn = st.tuples(models(), st.sampled_from(["start", "-J"]))
    return drawn.map(
        lambda pair: _instance(pair[0]["factor"], pair[0]["J"], pair[0]["z"], **{"from": pair[1]})
    )


def _edges() -> Iterable[Instance]:
    yield _instance([1.0], [1.0], [0.0], **{"from": "-J"})
    yield _instance([1.0, 0.0, 2.0], [1.0, 1.0], [0.0, 0.0])
    yield _instance([1.0, 0.0, 2.0], [1.0, 1.0], [2.0, -1.0])


def _drawn(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    drawn = model_rows(rng, size)
    start, zero = drawn["z"], np.zeros(size)
    return {**drawn, "z": np.zeros_like(start), "lam": zero, "drift": zero, "start": start}


def _slack(xp: Any, arrays: Mapping[str, Any]) -> Any:
    """The residual after n steps over the first, less what the condition number explains."""
    H, z = hessian_rows(xp, arrays), arrays["start"]
    residual = applied_rows(H, z) + arrays["J"]
    first, d = xp.sqrt(inner_rows(residual, residual)), -residual
    for _ in range(z.shape[1]):
        Hd, square = applied_rows(H, d), inner_rows(residual, residual)
        curved = inner_rows(d, Hd)
        length = xp.where(curved > 0.0, square / xp.where(curved > 0.0, curved, 1.0), 0.0)
        residual = residual + length[:, None] * Hd
        new = inner_rows(residual, residual)
        ratio = xp.where(square > 0.0, new / xp.where(square > 0.0, square, 1.0), 0.0)
        d = ratio[:, None] * d - residual
    last = xp.sqrt(inner_rows(residual, residual))
    return apart(xp, last, 0.0 * last, first * condition_rows(xp, H) ** 2)


def _one(arrays: Mapping[str, np.ndarray], row: int) -> Instance:
    return row_of(arrays, row, **{"from": "start", "first": "residual"})


def _conditions() -> tuple[Condition, ...]:
    """What it takes."""
    two = ([1.0, 0.0, 2.0], [1.0, 1.0])
    return (
        definite(
            _instance(*two, [0.0, 0.0], signs=[1.0, -1.0]),
            _instance([0.0], [1.0], [0.0]),
            note="Indefinite: the end is a saddle of the model; singular: there is no end.",
        ),
        Condition(
            "the first direction is the negative residual",
            r"d_0 = -(\hat Hz_0 + J)",
            lambda i: i["first"] == "residual",
            Dropped(
                (
                    _instance(*two, [1.0, 0.0], first="start"),
                    _instance(*two, [1.0, 2.0], first="start"),
                ),
                note="Started along z_0 instead.",
            ),
        ),
        Condition(
            "H and J stay",
            r"\hat H, J \text{ fixed}",
            lambda i: i["drift"] == 0,
            Dropped(
                (
                    _instance(*two, [0.0, 0.0], drift=1.0),
                    _instance(*two, [1.0, 0.0], drift=0.5),
                ),
                note="J changes once, after the first step, and the direction is kept: n more "
                "steps do not do.",
            ),
        ),
    )


def _hessian_free() -> Claim:
    printed = Form(
        "the guarantees of conjugate gradients depend on the start z_0 = -J",
        r"z_0 = -J(w_t)",
        (definite(), Condition("from -J", r"z_0 = -J", lambda i: i["from"] == "-J")),
        _strategy,
        _printed_margins,
        edges=_edges,
        reduce=fewer_coordinates,
        effort=10,
    )
    amended = Form(
        "from any start they end at the Newton step after n steps at most, each of which lowers "
        "the model, provided that the first direction is the negative residual and that H and J "
        "stay as they are",
        r"d_0 = -(\hat Hz_0 + J)",
        _conditions(),
        _strategy,
        _amended_margins,
        edges=_edges,
        screen=Screen(_drawn, _slack, _one),
        bound=_steps,
        sabotage=(
            Sabotage("directions not kept", lambda i: _amended_margins(i, _no_ratio)),
            Sabotage("ratio upside down", lambda i: _amended_margins(i, _inverse_ratio)),
            Sabotage("ratio with a minus", lambda i: _amended_margins(i, _negative_ratio)),
        ),
        reduce=fewer_coordinates,
        effort=60,
    )
    return Claim(
        "curveball/hessian-free",
        "what the guarantees of conjugate gradients depend on",
        PAPER,
        "Section 3, Algorithm 2",
        Verdict.NEEDS,
        printed,
        amended,
        notes="The condition is on the first direction, not on the start: warm starts lose "
        "nothing. What interleaving loses is the system, which changes while the directions are "
        "kept. Restarting from the residual in each turn is steepest descent with exact steps.",
        proof="z - z_0 solves H y = -(H z_0 + J) from y_0 = 0: docs/theory-curveball.md, what "
        "interleaving loses.",
    )


def claims() -> tuple[Claim, ...]:
    """Return the claims of this module."""
    return (_hessian_free(),)
