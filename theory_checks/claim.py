"""What a claim is: a statement, its hypotheses, instances of it, and margins.

A claim is data. It holds no search of its own: the engine hunts for violations
through the functions that the record carries, and everything that the engine
meets on the way (an instance, its margins) can be written to JSON and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from theory_checks.figure import Figure
from theory_checks.margins import ALLOWANCE, DECIDED, EPS, Margins, fact, in_roundings
from theory_checks.verdict import Answer, Level, Verdict

__all__ = [
    "ALLOWANCE",
    "DECIDED",
    "EPS",
    "Answer",
    "Claim",
    "Condition",
    "Dropped",
    "Figure",
    "Form",
    "Instance",
    "Level",
    "Margins",
    "Sabotage",
    "Screen",
    "Verdict",
    "fact",
    "in_roundings",
]

#: A JSON-serialisable record of one instance: numbers, strings, lists of them.
Instance = dict[str, Any]


@dataclass(frozen=True)
class Dropped:
    """What happens when one hypothesis is dropped and the others are kept.

    Attributes
    ----------
    instances : tuple of instances
        Each violates this hypothesis and satisfies all the others.
    fails : bool
        True where the conclusion is violated on every one of them; False where
        the hypothesis is not needed: then it is violated on none of them, and
        the engine hunts for more that break this hypothesis alone.
    note : str
        A sentence for the documentation.
    """

    instances: tuple[Instance, ...]
    fails: bool = True
    note: str = ""


@dataclass(frozen=True)
class Condition:
    """A named hypothesis of a form.

    Attributes
    ----------
    name : str
        A short name, unique within its form.
    text : str
        The hypothesis in words or TeX.
    holds : callable
        Whether an instance satisfies it.
    dropped : Dropped or None
        The evidence of what happens without it.
    kept : str
        Where it is not dropped, the reason: without it the statement has no
        meaning, or it limits what is tried and not what is claimed.
    """

    name: str
    text: str
    holds: Callable[[Instance], bool]
    dropped: Dropped | None = None
    kept: str = ""


@dataclass(frozen=True)
class Screen:
    """Instances by the thousand, judged in bulk; the suspicious ones go to the margins.

    Attributes
    ----------
    draw : callable
        ``draw(rng, size)`` returns NumPy arrays by name, each with `size` rows.
    slack : callable
        ``slack(xp, arrays)`` returns the `size` relative slacks in float64: small
        where the bound is tight, negative where a violation is suspected. `xp` is
        the namespace of the arrays: NumPy's, or CuPy's on a device.
    instance : callable
        ``instance(arrays, row)`` returns one row as an instance of plain numbers.
    """

    draw: Callable[[np.random.Generator, int], Mapping[str, np.ndarray]]
    slack: Callable[[Any, Mapping[str, Any]], Any]
    instance: Callable[[Mapping[str, np.ndarray], int], Instance]


@dataclass(frozen=True)
class Sabotage:
    """An algorithm broken on purpose: a hunt that does not notice proves nothing.

    Attributes
    ----------
    name : str
        What was broken, in a few words.
    margins : callable
        The form's margins with the broken algorithm in the place of the true one.
    """

    name: str
    margins: Callable[[Instance], Margins]


def _no_edges() -> Iterable[Instance]:
    return ()


@dataclass(frozen=True)
class Form:
    """One reading of a claim: as printed, or as amended.

    Attributes
    ----------
    statement, tex : str
        What is claimed, in words and in TeX.
    hypotheses : tuple of Condition
        Named; an instance is admitted when all of them hold.
    strategy : callable
        Returns the Hypothesis strategy for instances. Called anew for each hunt,
        so that nothing is built at import.
    margins : callable
        From an instance to its margins, in exact or extended arithmetic. They are
        evaluated again at 100 digits before a violation counts.
    edges : callable
        Instances by construction, tried before all others.
    screen : Screen or None
        A sampler for throughput.
    reduce : callable or None
        Simpler neighbours of an instance that the generic shrinker cannot know
        of (a dimension less).
    bound : callable or None
        Where the statement is a bound: the pair (computed, theoretical) of an
        instance, or None where the instance says nothing about it. The bound is
        attained where the two are equal.
    confirm : callable or None
        The margins in extended arithmetic, where `margins` itself is in float64.
    sabotage : tuple of Sabotage
        Broken algorithms that the hunt has to notice.
    effort : int
        Random instances of one round.
    """

    statement: str
    tex: str
    hypotheses: tuple[Condition, ...]
    strategy: Callable[[], SearchStrategy[Instance]]
    margins: Callable[[Instance], Margins]
    edges: Callable[[], Iterable[Instance]] = _no_edges
    screen: Screen | None = None
    reduce: Callable[[Instance], Iterable[Instance]] | None = None
    bound: Callable[[Instance], tuple[float, float] | None] | None = None
    confirm: Callable[[Instance], Margins] | None = None
    sabotage: tuple[Sabotage, ...] = ()
    effort: int = 60

    def broken_hypotheses(self, instance: Instance) -> tuple[str, ...]:
        """Names of the hypotheses that `instance` does not satisfy."""
        return tuple(h.name for h in self.hypotheses if not h.holds(instance))

    def decisive(self, instance: Instance) -> Margins:
        """The margins that decide: those in extended arithmetic."""
        return self.margins(instance) if self.confirm is None else self.confirm(instance)

    def admits(self, instance: Instance) -> bool:
        """Whether `instance` satisfies every hypothesis."""
        return all(h.holds(instance) for h in self.hypotheses)


@dataclass(frozen=True)
class Claim:
    """A numbered statement of a paper, as printed and, where that fails, as amended.

    Attributes
    ----------
    id : str
        Stable: the paper's short name, a slash, the statement's.
    title, paper, place : str
        A line for tables; the source; where in it.
    verdict : Verdict
        The recorded verdict, which a run is compared with.
    printed : Form
        As printed.
    amended : Form or None
        With what it takes to make it true.
    measure : callable or None
        ``measure(level, seed)`` returns the figures of a measured claim.
    notes : str
        What was found, in a few sentences.
    proof : str
        Why the true form is true, or the page where the proof stands.
    ours : str
        What of it goes beyond the paper, in a sentence; empty where nothing does.
    untestable : str
        Why no computation can decide it; such a claim is not hunted.
    """

    id: str
    title: str
    paper: str
    place: str
    verdict: Verdict
    printed: Form
    amended: Form | None = None
    measure: Callable[[Level, int], tuple[Figure, ...]] | None = None
    notes: str = field(default="", repr=False)
    proof: str = field(default="", repr=False)
    ours: str = field(default="", repr=False)
    untestable: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse what no ledger can hold.

        Raises
        ------
        ValueError
            For an id that is not of the form ``source/name``, or a verdict that
            only a run can come to.
        """
        source, _, name = self.id.partition("/")
        if not source or not name or not self.id.isprintable():
            raise ValueError(f"id must be of the form 'source/name': {self.id!r}")
        if self.verdict in (Verdict.BROKEN, Verdict.TOOTHLESS):
            raise ValueError(f"{self.id}: {self.verdict.word!r} is found by a run, never recorded")

    def forms(self) -> dict[str, Form]:
        """The forms by name, ``printed`` first."""
        forms = {"printed": self.printed}
        if self.amended is not None:
            forms["amended"] = self.amended
        return forms

    @property
    def proven(self) -> Form:
        """The form that is true: the amended one, where there is one."""
        return self.printed if self.amended is None else self.amended
