"""The hunt: edge cases, structured neighbours, bulk screening, directed draws, optimisation.

The engine knows nothing of mathematics. It evaluates margins, remembers the
worst one and where a bound came closest, and shrinks the first violation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import hypothesis
import hypothesis.errors
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Form, Instance
from theory_checks.evidence import Hunt, Violation
from theory_checks.quiet_hypothesis import explore
from theory_checks.refine import climb_margin, climb_tightness
from theory_checks.screening import suspects
from theory_checks.search import Found, Search, closeness
from theory_checks.structured import structured
from theory_checks.timeout import OutOfTime

__all__ = ["Budget", "hunt"]

_TARGET_LABEL = "closeness to a violation"

#: Draws, valid or not, after which a random search ends.
_DRAWS_PER_EXAMPLE = 6


@dataclass(frozen=True)
class Budget:
    """How far one round of a hunt goes.

    Attributes
    ----------
    examples : int
        Instances drawn by Hypothesis, and the most evaluations of each of the
        other stages but the screen.
    screened : int
        Instances judged in bulk, where the form offers a screen.
    seconds : float
        A limit on the whole round, shrinking included.
    """

    examples: int
    screened: int
    seconds: float


def _random_search(search: Search, examples: int, seed: int) -> Instance | None:
    def test(instance: Instance) -> None:
        margin = search.admitted(instance)
        if margin is None:
            hypothesis.reject()
        if margin < 0.0:
            search.simplest_found(instance)
            raise Found
        hypothesis.target(closeness(margin), label=_TARGET_LABEL)

    drawn = 0

    def watched(_: None) -> SearchStrategy[Instance]:
        # Hypothesis counts valid examples alone, and its hill-climbing can try invalid
        # ones for minutes without calling the test. So time is looked at in the drawing.
        nonlocal drawn
        drawn += 1
        if search.out_of_time() or drawn > _DRAWS_PER_EXAMPLE * examples:
            raise OutOfTime
        return strategy

    strategy = search.form.strategy()
    try:
        explore(st.none().flatmap(watched), test, examples=examples, seed=seed)
    except (Found, OutOfTime, hypothesis.errors.Unsatisfiable):
        return search.found
    except hypothesis.errors.Flaky:
        # A margin that depends on the clock or on hidden state; a violation is one all
        # the same, and shrinking confirms it.
        return search.found
    return None


def _screened(search: Search, size: int, seed: int, xp: Any) -> Instance | None:
    if search.form.screen is None:
        return None
    for count, instances in suspects(search.form.screen, np.random.default_rng(seed), size, xp):
        search.screened += count
        found = search.first_violation(instances, search.admitted)
        if found is not None or search.out_of_time():
            return found
    return None


def _optimised(search: Search, evaluations: int) -> Instance | None:
    """Climb from the smallest margin, then from the tightest instance."""
    if search.closest:
        found = climb_margin(search, search.closest[0][1], evaluations)
        if found is not None:
            return found
    if search.tightest is not None:
        return climb_tightness(search, search.tightest.instance, evaluations)
    return None


def _stages(
    search: Search, budget: Budget, seed: int, first_round: bool, xp: Any
) -> Iterator[tuple[str, Instance | None]]:
    """Run one stage after another and yield its name with the violation that it met."""
    form, limit = search.form, budget.examples
    if first_round:
        # Edge cases are the same in every round.
        yield "edge case", search.first_violation(form.edges(), search.admitted)
        yield "structured edge case", search.first_violation(structured(form.edges(), limit))
    yield "screen", _screened(search, budget.screened, seed, xp)
    yield "random search", _random_search(search, limit, seed)
    closest = [instance for _, instance in search.closest]
    yield "structured neighbour", search.first_violation(structured(closest, limit))
    yield "optimisation", _optimised(search, limit)


def hunt(form: Form, budget: Budget, seed: int, *, first_round: bool = True, xp: Any = np) -> Hunt:
    """Hunt for a violation of `form`, for one round.

    Parameters
    ----------
    form : Form
        What to violate.
    budget : Budget
        How long to try.
    seed : int
        The same seed and budget, the same instances, unless time runs out.
    first_round : bool
        Whether to try the edge cases, which are the same in every round.
    xp : array namespace
        Where bulk screening is done: NumPy, or CuPy.

    Returns
    -------
    Hunt
        With the shrunk counterexample, if there is one.
    """
    start = time.process_time()
    search = Search(form, time.monotonic() + budget.seconds)
    violation: Violation | None = None
    with suppress(OutOfTime):
        for found_by, instance in _stages(search, budget, seed, first_round, xp):
            if instance is not None:
                violation = search.simplest(instance, found_by)
                break
    return Hunt(
        search.instances,
        search.screened,
        search.withdrawn,
        search.unfinished,
        search.worst,
        search.tightest,
        violation,
        time.process_time() - start,
    )
