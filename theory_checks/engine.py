"""The hunt: edge cases, random instances drawn towards a violation, NumPy batches.

The engine knows nothing of mathematics. It evaluates margins, remembers the
worst one and how tight the bound came, and shrinks the first violation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import hypothesis
import hypothesis.errors
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from theory_checks.claim import Form, Instance, Margins
from theory_checks.quiet_hypothesis import explore
from theory_checks.shrink import complexity, shrink

__all__ = [
    "Budget",
    "DroppedOutcome",
    "Extreme",
    "Hunt",
    "Violation",
    "hunt",
    "hypothesis_dropped",
    "merged",
    "worst_margin",
]

#: Margins are handed to Hypothesis on a logarithmic scale: it climbs by comparison,
#: and a margin in roundings spans thirty decades.
_TARGET_LABEL = "closeness to a violation"


#: Draws, valid or not, after which a random search ends.
_DRAWS_PER_EXAMPLE = 6


@dataclass(frozen=True)
class Budget:
    """How far a hunt goes.

    Attributes
    ----------
    examples : int
        Instances drawn by Hypothesis.
    batch : int
        Instances screened in NumPy, where the form offers a sampler.
    seconds : float
        A limit on the whole hunt, shrinking included.
    """

    examples: int
    batch: int
    seconds: float


@dataclass(frozen=True)
class Extreme:
    """The worst margin met, by name, and the instance it was met on."""

    name: str
    margin: float
    instance: Instance


@dataclass(frozen=True)
class Violation:
    """A shrunk counterexample.

    Attributes
    ----------
    instance, margins
        The instance and what it gives.
    found_by : str
        ``"edge case"``, ``"random search"`` or ``"batch"``.
    """

    instance: Instance
    margins: Margins
    found_by: str


@dataclass(frozen=True)
class Hunt:
    """What a hunt found.

    Attributes
    ----------
    instances : int
        Admitted instances whose margins were evaluated.
    screened : int
        Instances screened in NumPy besides.
    worst : Extreme or None
        The smallest margin; None when no instance was admitted.
    tightest : float or None
        The largest ratio of the two sides of the bound, where the form has one.
    violation : Violation or None
        The shrunk counterexample.
    seconds : float
        Time spent.
    """

    instances: int
    screened: int
    worst: Extreme | None
    tightest: float | None
    violation: Violation | None
    seconds: float


class _Found(Exception):
    """Raised inside Hypothesis on a violation, so that it shrinks."""


class _OutOfTime(BaseException):
    """Raised inside Hypothesis past the deadline, or when it draws and draws in vain.

    Not an `Exception`: Hypothesis would take that for a failing test and shrink it.
    What it does not know it lets through at once, as it does an interrupt.
    """


@dataclass
class _Search:
    """The state of one hunt."""

    form: Form
    deadline: float
    instances: int = 0
    screened: int = 0
    worst: Extreme | None = None
    tightest: float | None = None
    found: Instance | None = None

    def out_of_time(self) -> bool:
        return time.monotonic() > self.deadline

    def evaluate(self, instance: Instance) -> float:
        """Return the worst margin of an admitted instance, and remember what matters."""
        name, margin = worst_margin(self.form.margins(instance))
        self.instances += 1
        if self.worst is None or margin < self.worst.margin:
            self.worst = Extreme(name, margin, instance)
        if self.form.ratio is not None and margin >= 0.0:
            ratio = self.form.ratio(instance)
            if ratio is not None and (self.tightest is None or ratio > self.tightest):
                self.tightest = ratio
        return margin

    def simplest_found(self, instance: Instance) -> None:
        """Keep a violating instance if it is simpler than the one before."""
        if self.found is None or complexity(instance) < complexity(self.found):
            self.found = instance

    def violates(self, instance: Instance) -> bool:
        """The shrinker's predicate: admitted and violated; leaves no trace."""
        try:
            admitted = self.form.admits(instance)
            return admitted and worst_margin(self.form.margins(instance))[1] < 0.0
        except (ArithmeticError, ValueError):
            # What is simpler as a record need not be an instance at all: a division by
            # a parameter that was set to zero, a root of a negative number.
            return False

    def simplest(self, instance: Instance, found_by: str) -> Violation:
        remaining = max(1.0, self.deadline - time.monotonic())
        simple = shrink(instance, self.violates, reduce=self.form.reduce, seconds=remaining)
        return Violation(simple, dict(self.form.margins(simple)), found_by)


def worst_margin(margins: Margins) -> tuple[str, float]:
    """Return the name and value of the smallest margin; a NaN counts as -inf.

    Raises
    ------
    ValueError
        When there is no margin at all: a check that checks nothing.
    """
    if not margins:
        raise ValueError("an instance gave no margins: the check checks nothing")
    clean = {k: -math.inf if math.isnan(v) else float(v) for k, v in margins.items()}
    name = min(clean, key=lambda key: clean[key])
    return name, clean[name]


def _closeness(margin: float) -> float:
    return -math.copysign(math.log1p(min(abs(margin), 1e300)), margin)


def _try_all(search: _Search, instances: Iterable[Instance]) -> Instance | None:
    for instance in instances:
        if search.out_of_time():
            return None
        if search.form.admits(instance) and search.evaluate(instance) < 0.0:
            return instance
    return None


def _random_search(search: _Search, examples: int, seed: int) -> Instance | None:
    def test(instance: Instance) -> None:
        if not search.form.admits(instance):
            hypothesis.reject()
        margin = search.evaluate(instance)
        if margin < 0.0:
            search.simplest_found(instance)
            raise _Found
        hypothesis.target(_closeness(margin), label=_TARGET_LABEL)

    drawn = 0

    def watched(_: None) -> SearchStrategy[Instance]:
        # Hypothesis counts valid examples alone, and its hill-climbing can try invalid
        # ones for minutes without calling the test. So time is looked at in the drawing.
        nonlocal drawn
        drawn += 1
        if search.out_of_time() or drawn > _DRAWS_PER_EXAMPLE * examples:
            raise _OutOfTime
        return strategy

    strategy = search.form.strategy()
    try:
        explore(st.none().flatmap(watched), test, examples=examples, seed=seed)
    except (_Found, _OutOfTime, hypothesis.errors.Unsatisfiable):
        return search.found
    except hypothesis.errors.Flaky:
        # A margin that depends on the clock or on hidden state; a violation is one all
        # the same, and shrinking confirms it.
        return search.found
    return None


def _batches(
    search: _Search, size: int, seed: int, *, chunk: int = 4096, checked: int = 8
) -> Instance | None:
    sampler = search.form.batch
    rng = np.random.default_rng(seed)
    while sampler is not None and search.screened < size and not search.out_of_time():
        drawn = min(chunk, size - search.screened)
        suspects = list(sampler(rng, drawn))[:checked]
        search.screened += drawn
        found = _try_all(search, suspects)
        if found is not None:
            return found
    return None


def hunt(form: Form, budget: Budget, seed: int) -> Hunt:
    """Hunt for a violation of `form`: edge cases first, then batches, then random search.

    Parameters
    ----------
    form : Form
        What to violate.
    budget : Budget
        How long to try.
    seed : int
        The same seed and budget, the same instances, unless time runs out.

    Returns
    -------
    Hunt
        With the shrunk counterexample, if there is one.
    """
    start = time.monotonic()
    search = _Search(form, start + budget.seconds)
    stages: tuple[tuple[str, Callable[[], Instance | None]], ...] = (
        ("edge case", lambda: _try_all(search, form.edges())),
        ("batch", lambda: _batches(search, budget.batch, seed)),
        ("random search", lambda: _random_search(search, budget.examples, seed)),
    )
    violation: Violation | None = None
    for found_by, stage in stages:
        instance = stage()
        if instance is not None:
            violation = search.simplest(instance, found_by)
            break
    return Hunt(
        search.instances,
        search.screened,
        search.worst,
        search.tightest,
        violation,
        time.monotonic() - start,
    )


@dataclass(frozen=True)
class DroppedOutcome:
    """What dropping one hypothesis did.

    Attributes
    ----------
    hypothesis : str
        Its name.
    fails : bool
        Whether the conclusion failed on every instance of the family.
    as_recorded : bool
        Whether that is what the claim records, on instances that violate this
        hypothesis alone.
    margin : float
        The worst margin met.
    """

    hypothesis: str
    fails: bool
    as_recorded: bool
    margin: float


def hypothesis_dropped(form: Form) -> tuple[DroppedOutcome, ...]:
    """Show, for each hypothesis with a recorded family, what happens without it."""
    outcomes = []
    for condition in form.hypotheses:
        family = condition.dropped
        if family is None:
            continue
        broken = [form.broken_hypotheses(instance) for instance in family.instances]
        alone = all(names == (condition.name,) for names in broken)
        margins = [worst_margin(form.margins(i))[1] for i in family.instances]
        violated = [margin < 0.0 for margin in margins]
        # A family of which some fail and some do not is recorded as neither.
        as_recorded = alone and bool(margins) and all(v == family.fails for v in violated)
        outcomes.append(
            DroppedOutcome(condition.name, all(violated), as_recorded, min(margins, default=0.0))
        )
    return tuple(outcomes)


def merged(first: Hunt, second: Hunt) -> Hunt:
    """Add up two hunts of the same form; the first violation found is kept."""
    worsts = [h.worst for h in (first, second) if h.worst is not None]
    ratios = [h.tightest for h in (first, second) if h.tightest is not None]
    return replace(
        first,
        instances=first.instances + second.instances,
        screened=first.screened + second.screened,
        worst=min(worsts, key=lambda extreme: extreme.margin, default=None),
        tightest=max(ratios, default=None),
        violation=first.violation or second.violation,
        seconds=first.seconds + second.seconds,
    )
