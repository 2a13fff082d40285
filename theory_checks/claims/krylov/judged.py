"""Margins and pairs of a bound on the gap, with the true minimiser or a broken one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from theory_checks.claim import Instance, Margins, Sabotage
from theory_checks.claims.krylov.common import Known, at_most, gap_of, known
from theory_checks.claims.krylov.space import (
    Minimiser,
    cubic_minimiser,
    descent,
    one_product_only,
    trust_region_minimiser,
    wider_ball,
)
from theory_checks.precise import Real

__all__ = ["BROKEN", "BROKEN_CUBIC", "Bound", "bounded", "broken", "pair"]

#: A bound on the gap from a problem with its solution and the order of the space.
Bound = Callable[[Known, int], Real]

#: Broken trust-region minimisers by name.
BROKEN: dict[str, Minimiser] = {
    "the space is never extended": one_product_only(trust_region_minimiser),
    "gradient descent in its place": descent,
    "a ball a tenth too wide": wider_ball,
}

#: Broken minimisers of the cubic model by name.
BROKEN_CUBIC: dict[str, Minimiser] = {
    "the space is never extended": one_product_only(cubic_minimiser),
    "the step of a ball a tenth too wide": wider_ball,
}

#: Shares of the first gap below which both sides are rounding.
_NOTHING = 1e-25


def _true_minimiser(cubic: bool) -> Minimiser:
    return cubic_minimiser if cubic else trust_region_minimiser


def bounded(
    instance: Instance, minimiser: Minimiser | None = None, *, bound: Bound, cubic: bool = False
) -> Margins:
    """Return the margins of 0 <= gap <= bound."""
    data, t = known(instance), int(instance["t"])
    step = (minimiser or _true_minimiser(cubic))(data.problem, t)
    gap = gap_of(data, step, cubic=cubic)
    return {
        "the gap is at least 0": at_most(data, 0 * gap, gap),
        "the gap is at most the bound": at_most(data, gap, bound(data, t)),
    }


def pair(instance: Instance, *, bound: Bound, cubic: bool = False) -> tuple[float, float] | None:
    """Return (gap, bound); None where the bound is the first gap or more, or rounding."""
    data, t = known(instance), int(instance["t"])
    limit, first = bound(data, t), data.cubic_decrease if cubic else data.decrease
    if not first * _NOTHING < limit < first:
        return None
    gap = gap_of(data, _true_minimiser(cubic)(data.problem, t), cubic=cubic)
    return float(gap), float(limit)


def broken(
    margins: Callable[..., Margins], minimisers: dict[str, Minimiser], *names: str
) -> tuple[Sabotage, ...]:
    """Return the margins with broken minimisers: those named, or all."""
    return tuple(
        Sabotage(name, partial(margins, minimiser=minimiser))
        for name, minimiser in minimisers.items()
        if not names or name in names
    )
