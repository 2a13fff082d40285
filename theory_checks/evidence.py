"""What was found out about a claim: plain data that goes through JSON and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from theory_checks.figure import Figure

__all__ = [
    "DroppedOutcome",
    "Extreme",
    "FormEvidence",
    "Hunt",
    "Measured",
    "SabotageOutcome",
    "Tightness",
    "Violation",
    "merged",
]

_Instance = dict[str, Any]


@dataclass(frozen=True)
class Extreme:
    """The worst margin met, by name, and the instance it was met on."""

    name: str
    margin: float
    instance: _Instance


@dataclass(frozen=True)
class Tightness:
    """Where a bound came closest to being attained: both sides, and the instance.

    `ratio` is the smaller side over the larger one.
    """

    ratio: float
    computed: float
    theoretical: float
    instance: _Instance


@dataclass(frozen=True)
class Violation:
    """A shrunk counterexample.

    Attributes
    ----------
    instance, margins
        The instance and what it gives.
    found_by : str
        The stage of the hunt, or ``"kept counterexample"``.
    """

    instance: _Instance
    margins: dict[str, float]
    found_by: str


@dataclass(frozen=True)
class Hunt:
    """What a hunt found.

    Attributes
    ----------
    instances : int
        Admitted instances whose margins were evaluated.
    screened : int
        Instances screened in bulk besides.
    withdrawn : int
        Violations that did not survive at 100 digits: rounding, no counterexamples.
    unfinished : int
        Instances whose evaluation was broken off, because it took too long.
    worst : Extreme or None
        The smallest margin; None when no instance was admitted.
    tightest : Tightness or None
        Where the bound came closest to equality, if the form has one.
    violation : Violation or None
        The shrunk counterexample.
    seconds : float
        Time of the processor spent.
    """

    instances: int
    screened: int
    withdrawn: int
    unfinished: int
    worst: Extreme | None
    tightest: Tightness | None
    violation: Violation | None
    seconds: float


@dataclass(frozen=True)
class DroppedOutcome:
    """What dropping one hypothesis did.

    Attributes
    ----------
    hypothesis : str
        Its name.
    needed : bool
        Whether the conclusion fails without it.
    as_recorded : bool
        Whether that is what the claim records.
    tried : int
        Instances that break this hypothesis alone.
    margin : float
        The worst margin met on them.
    counterexample : dict or None
        One that shows the need.
    """

    hypothesis: str
    needed: bool
    as_recorded: bool
    tried: int
    margin: float
    counterexample: _Instance | None


@dataclass(frozen=True)
class SabotageOutcome:
    """Whether the hunt noticed a broken algorithm, and by which instance."""

    name: str
    noticed: bool
    found_by: str
    instance: _Instance | None


@dataclass(frozen=True)
class FormEvidence:
    """What was found out about one form.

    Attributes
    ----------
    hunt : Hunt
        The search of this run, all rounds together.
    dropped : tuple of DroppedOutcome
        What dropping each hypothesis did.
    sabotage : tuple of SabotageOutcome
        Whether each broken algorithm was noticed.
    kept : tuple of Violation
        Counterexamples that came with the package and that still violate it.
    files : tuple of str
        The names of their files.
    lost : int
        Counterexamples that came with the package and no longer do.
    """

    hunt: Hunt
    dropped: tuple[DroppedOutcome, ...] = ()
    sabotage: tuple[SabotageOutcome, ...] = ()
    kept: tuple[Violation, ...] = ()
    files: tuple[str, ...] = ()
    lost: int = 0

    @property
    def violation(self) -> Violation | None:
        """A counterexample: the kept one, being the simplest known, else this run's."""
        return self.kept[0] if self.kept else self.hunt.violation

    @property
    def has_teeth(self) -> bool:
        """Whether all that was recorded of the check itself came true, and it checked anything."""
        return (
            self.lost == 0
            and (self.hunt.instances > 0 or bool(self.kept))
            and all(outcome.as_recorded for outcome in self.dropped)
            and all(outcome.noticed for outcome in self.sabotage)
        )


@dataclass(frozen=True)
class Measured:
    """The figures of a claim, and the seconds of the processor that they took."""

    figures: tuple[Figure, ...] = ()
    seconds: float = field(default=0.0, compare=False)


def merged(hunts: Iterable[Hunt]) -> Hunt:
    """Add up rounds of a hunt in their order; those after a violation do not count."""
    counted: list[Hunt] = []
    for found in hunts:
        counted.append(found)
        if found.violation is not None:
            break
    worsts = [h.worst for h in counted if h.worst is not None]
    ratios = [h.tightest for h in counted if h.tightest is not None]
    return Hunt(
        sum(h.instances for h in counted),
        sum(h.screened for h in counted),
        sum(h.withdrawn for h in counted),
        sum(h.unfinished for h in counted),
        min(worsts, key=lambda extreme: extreme.margin, default=None),
        max(ratios, key=lambda tightness: tightness.ratio, default=None),
        next((h.violation for h in counted if h.violation is not None), None),
        sum(h.seconds for h in counted),
    )
