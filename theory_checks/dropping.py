"""What the hypotheses and the checks are worth: drop the ones, break what the others judge."""

from __future__ import annotations

from dataclasses import replace

from theory_checks.claim import Condition, Dropped, Form
from theory_checks.engine import Budget, hunt
from theory_checks.evidence import DroppedOutcome, SabotageOutcome
from theory_checks.margins import worst_margin
from theory_checks.search import confirmed

__all__ = ["hypothesis_dropped", "sabotage_noticed"]


def _without(form: Form, condition: Condition, family: Dropped) -> Form:
    """The form with one hypothesis turned into its opposite."""
    opposite = Condition(
        f"not {condition.name}", f"not: {condition.text}", lambda i: not condition.holds(i)
    )
    others = tuple(h for h in form.hypotheses if h is not condition)
    return replace(
        form,
        hypotheses=(opposite, *others),
        edges=lambda: family.instances,
        screen=None,
        bound=None,
        sabotage=(),
    )


def _outcome(
    form: Form, condition: Condition, family: Dropped, budget: Budget, seed: int
) -> DroppedOutcome:
    broken = [form.broken_hypotheses(instance) for instance in family.instances]
    alone = all(names == (condition.name,) for names in broken)
    margins = [worst_margin(form.margins(i))[1] for i in family.instances]
    violated = [
        margin < 0.0 and confirmed(form, instance)
        for margin, instance in zip(margins, family.instances, strict=True)
    ]
    # A family of which some fail and some do not is recorded as neither.
    as_recorded = alone and bool(margins) and all(v == family.fails for v in violated)
    tried, worst = len(margins), min(margins, default=0.0)
    counterexample = next((i for i, v in zip(family.instances, violated, strict=True) if v), None)
    if not family.fails and as_recorded:
        # Said to be unnecessary: that has to survive a hunt of its own.
        found = hunt(_without(form, condition, family), budget, seed)
        tried = found.instances
        if found.worst is not None:
            worst = min(worst, found.worst.margin)
        if found.violation is not None:
            counterexample, as_recorded = found.violation.instance, False
    needed = counterexample is not None
    return DroppedOutcome(condition.name, needed, as_recorded, tried, worst, counterexample)


def hypothesis_dropped(form: Form, budget: Budget, seed: int) -> tuple[DroppedOutcome, ...]:
    """Show, for each hypothesis that is dropped, what happens without it.

    Parameters
    ----------
    form : Form
        Whose hypotheses to drop.
    budget : Budget
        For the hunt that a hypothesis said to be unnecessary has to survive.
    seed : int
        Of that hunt.
    """
    return tuple(
        _outcome(form, condition, condition.dropped, budget, seed)
        for condition in form.hypotheses
        if condition.dropped is not None
    )


def sabotage_noticed(form: Form, budget: Budget, seed: int) -> tuple[SabotageOutcome, ...]:
    """Hunt with each deliberately broken algorithm in place of the true one."""
    outcomes = []
    for broken in form.sabotage:
        worse = replace(
            form, margins=broken.margins, confirm=None, bound=None, screen=None, sabotage=()
        )
        violation = hunt(worse, budget, seed).violation
        if violation is None:
            outcomes.append(SabotageOutcome(broken.name, False, "", None))
        else:
            outcome = SabotageOutcome(broken.name, True, violation.found_by, violation.instance)
            outcomes.append(outcome)
    return tuple(outcomes)
