"""The state of one hunt: what was evaluated, what was worst, what came closest.

Every stage of a hunt hands instances to :meth:`Search.evaluate`; a violation is
one only if it survives at a hundred digits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from theory_checks.claim import Form, Instance
from theory_checks.evidence import Extreme, Tightness, Violation
from theory_checks.margins import Margins, worst_margin
from theory_checks.precise import digits
from theory_checks.shrink import complexity, shrink
from theory_checks.timeout import OutOfTime, at_most

__all__ = ["Found", "Search", "closeness", "confirmed"]

#: Digits at which a violation has to survive.
_CONFIRMED_AT = 100

#: Seconds that one evaluation of an instance may take that the claim did not make.
_PATIENCE = 1.0

#: Seconds that shrinking may take: a simple instance comes soon or not at all.
_SHRINKING = 4.0

#: Seconds past the deadline after which an evaluation is broken off.
_GRACE = 2.0

#: Instances that later stages start from.
_KEPT = 4


class Found(Exception):
    """Raised on a violation, out of whatever is calling the margins."""


def closeness(margin: float) -> float:
    """Return a number that climbs as a violation comes nearer, on a logarithmic scale.

    A margin in roundings spans thirty decades, and what climbs goes by comparison.
    """
    return -math.copysign(math.log1p(min(abs(margin), 1e300)), margin)


def confirmed(form: Form, instance: Instance) -> bool:
    """Whether an instance violates a form at a hundred digits too."""
    with digits(_CONFIRMED_AT):
        return worst_margin(form.decisive(instance))[1] < 0.0


@dataclass
class Search:
    """The state of one hunt for a violation of `form`, until `deadline` (monotonic seconds)."""

    form: Form
    deadline: float
    instances: int = 0
    screened: int = 0
    withdrawn: int = 0
    unfinished: int = 0
    worst: Extreme | None = None
    tightest: Tightness | None = None
    found: Instance | None = None
    closest: list[tuple[float, Instance]] = field(default_factory=list)

    def out_of_time(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() > self.deadline

    def evaluate(self, instance: Instance) -> float:
        """Return the worst margin of an admitted instance, and remember what matters.

        A negative margin is a confirmed one: what vanishes at a hundred digits is
        counted as withdrawn and returned as zero.
        """
        name, margin = worst_margin(self.form.margins(instance))
        self.instances += 1
        if margin < 0.0 and not confirmed(self.form, instance):
            self.withdrawn += 1
            margin = 0.0
        if self.worst is None or margin < self.worst.margin:
            self.worst = Extreme(name, margin, instance)
        self._remember(margin, instance)
        if margin >= 0.0:
            self.tightness(instance)
        return margin

    def tightness(self, instance: Instance) -> float | None:
        """Return how close the bound comes on an instance, and remember the closest."""
        pair = None if self.form.bound is None else self.form.bound(instance)
        if pair is None:
            return None
        computed, theoretical = (float(side) for side in pair)
        small, large = sorted((abs(computed), abs(theoretical)))
        if large == 0.0:
            return None  # nothing against nothing says nothing
        ratio = small / large
        if computed * theoretical < 0.0:
            ratio = 0.0  # on two sides of zero: not close, whatever their sizes
        if math.isnan(ratio) or math.isinf(large):
            return None
        if self.tightest is None or ratio > self.tightest.ratio:
            self.tightest = Tightness(ratio, computed, theoretical, instance)
        return ratio

    def _remember(self, margin: float, instance: Instance) -> None:
        if len(self.closest) < _KEPT or margin < self.closest[-1][0]:
            self.closest = sorted([*self.closest, (margin, instance)], key=lambda pair: pair[0])
            del self.closest[_KEPT:]

    def tried(self, instance: Instance) -> float | None:
        """Evaluate what may not be an instance at all; None where it is not.

        What is made out of an instance by moving its numbers may divide by zero, ask
        for the root of a negative number, or run for ever: a claim need not foresee it.
        """
        try:
            with at_most(_PATIENCE):
                return self.evaluate(instance) if self.form.admits(instance) else None
        except OutOfTime:
            self.unfinished += 1
            return None
        except Exception:
            return None

    def admitted(self, instance: Instance) -> float | None:
        """Evaluate an instance of the claim's own making: its errors are errors.

        Raises
        ------
        OutOfTime
            Some time after the deadline.
        """
        try:
            with at_most(max(0.0, self.deadline - time.monotonic()) + _GRACE):
                return self.evaluate(instance) if self.form.admits(instance) else None
        except OutOfTime:
            self.unfinished += 1
            raise
        except Exception as error:
            error.add_note(f"instance {instance}")
            raise

    def first_violation(
        self,
        instances: Iterable[Instance],
        evaluate: Callable[[Instance], float | None] | None = None,
    ) -> Instance | None:
        """Return the first instance that violates; None where none does, or time is up."""
        judge = self.tried if evaluate is None else evaluate
        for instance in instances:
            if self.out_of_time():
                return None
            margin = judge(instance)
            if margin is not None and margin < 0.0:
                return instance
        return None

    def simplest_found(self, instance: Instance) -> None:
        """Keep a violating instance if it is simpler than the one before."""
        if self.found is None or complexity(instance) < complexity(self.found):
            self.found = instance

    def violates(self, instance: Instance) -> bool:
        """The shrinker's predicate: admitted, violated, confirmed; leaves no trace."""
        try:
            with at_most(_PATIENCE):
                if not self.form.admits(instance):
                    return False
                if worst_margin(self.form.margins(instance))[1] >= 0.0:
                    return False
                return confirmed(self.form, instance)
        except (Exception, OutOfTime):
            return False

    def simplest(self, instance: Instance, found_by: str) -> Violation:
        """Shrink a violating instance in what is left of the time, a second at least."""
        remaining = min(_SHRINKING, max(1.0, self.deadline - time.monotonic()))
        simple = shrink(instance, self.violates, reduce=self.form.reduce, seconds=remaining)
        margins: Margins = self.form.decisive(simple)
        if worst_margin(margins)[1] >= 0.0:
            raise ValueError(f"the margins of an instance are not the same twice: {simple}")
        return Violation(simple, {k: float(v) for k, v in margins.items()}, found_by)
