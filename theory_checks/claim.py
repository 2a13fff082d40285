"""What a claim is: a statement, its hypotheses, instances of it, and margins.

A claim is data. It holds no search of its own: the engine hunts for violations
through the functions that the record carries, and everything that the engine
meets on the way (an instance, its margins) can be written to JSON and replayed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

__all__ = [
    "ALLOWANCE",
    "DECIDED",
    "EPS",
    "Claim",
    "Condition",
    "Dropped",
    "Figure",
    "Form",
    "Instance",
    "Level",
    "Margins",
    "Verdict",
    "fact",
    "in_roundings",
]

#: A JSON-serialisable record of one instance: numbers, strings, lists of them.
Instance = dict[str, Any]

#: Signed margins by name, in units of rounding; a negative one is a violation.
Margins = Mapping[str, float]

#: The rounding unit that margins are counted in.
EPS = float(np.finfo(np.float64).eps)

#: Roundings that a margin grants a quantity computed in float64.
ALLOWANCE = 64.0

#: The margin of a yes-or-no fact: far beyond any rounding.
DECIDED = 1.0 / EPS


class Verdict(Enum):
    """What the evidence says of a claim; the value is the sentence a reader should see."""

    HOLDS = "no violation was found of the statement as printed"
    NEEDS = "false as printed; holds in the amended form"
    REFUTED = "false as printed, and no small repair is known"
    MEASURED = "a rate or an experiment: figures with their intervals"
    BROKEN = "the amended form, or a recorded figure, is violated"
    TOOTHLESS = "dropping a hypothesis did not do what is recorded: the check proves nothing"

    @property
    def word(self) -> str:
        """The name in lower case, as the ledger and the JSON files have it."""
        return self.name.lower()


class Level(Enum):
    """How long to hunt: the value is the factor on every claim's own effort."""

    QUICK = 1
    STANDARD = 8
    FULL = 80


@dataclass(frozen=True)
class Dropped:
    """What happens when one hypothesis is dropped and the others are kept.

    Attributes
    ----------
    instances : tuple of instances
        Each violates this hypothesis and satisfies all the others.
    fails : bool
        True where the conclusion is violated on every one of them; False where
        the hypothesis is not needed on them (it is then not violated on any).
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
        The evidence that it is needed. None for what makes the statement
        meaningful rather than true (a dimension, a symmetric matrix).
    """

    name: str
    text: str
    holds: Callable[[Instance], bool]
    dropped: Dropped | None = None


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
        From an instance to its margins.
    edges : callable
        Instances by construction, tried before all others.
    batch : callable or None
        ``batch(rng, size)`` screens `size` random instances in NumPy and returns
        the suspicious ones, worst first; the engine decides on them by `margins`.
    reduce : callable or None
        Simpler neighbours of an instance that the generic shrinker cannot know
        of (a dimension less).
    ratio : callable or None
        How close the bound comes: the smaller side over the larger one, 1 where
        the bound is attained; None where an instance says nothing about it.
    effort : int
        Random instances at the quick level; other levels multiply it.
    """

    statement: str
    tex: str
    hypotheses: tuple[Condition, ...]
    strategy: Callable[[], SearchStrategy[Instance]]
    margins: Callable[[Instance], Margins]
    edges: Callable[[], Iterable[Instance]] = _no_edges
    batch: Callable[[np.random.Generator, int], Iterable[Instance]] | None = None
    reduce: Callable[[Instance], Iterable[Instance]] | None = None
    ratio: Callable[[Instance], float | None] | None = None
    effort: int = 60

    def broken_hypotheses(self, instance: Instance) -> tuple[str, ...]:
        """Names of the hypotheses that `instance` does not satisfy."""
        return tuple(h.name for h in self.hypotheses if not h.holds(instance))

    def admits(self, instance: Instance) -> bool:
        """Whether `instance` satisfies every hypothesis."""
        return all(h.holds(instance) for h in self.hypotheses)


@dataclass(frozen=True)
class Figure:
    """A measured figure with its interval, beside the paper's where it gives one.

    Attributes
    ----------
    name : str
        What is measured, with its unit.
    value, low, high : float
        The figure and its 95% confidence interval (equal to it when exact).
    expected : tuple of two floats, or None
        The recorded range; a value outside it changes the verdict.
    paper : str
        What the paper says, in its words or numbers; empty where it is silent.
    """

    name: str
    value: float
    low: float
    high: float
    expected: tuple[float, float] | None = None
    paper: str = ""

    @property
    def as_recorded(self) -> bool:
        """Whether the value lies in the recorded range."""
        if self.expected is None:
            return True
        return self.expected[0] <= self.value <= self.expected[1]


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
        Why the amended form is true, or where the proof stands.
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

    def forms(self) -> dict[str, Form]:
        """The forms by name, ``printed`` first."""
        forms = {"printed": self.printed}
        if self.amended is not None:
            forms["amended"] = self.amended
        return forms


def in_roundings(slack: Any, scale: Any, allowance: float = ALLOWANCE) -> float:
    """Turn a slack into a margin in units of rounding.

    Parameters
    ----------
    slack : number
        The larger side less the smaller one; negative where violated. May be an
        mpmath number or a Fraction.
    scale : number
        The size of the terms that were rounded.
    allowance : float
        Roundings granted. 0 where the slack is exact.

    Returns
    -------
    float
        ``slack / (EPS scale) + allowance``; -inf when either is not a number,
        since an undefined conclusion is no conclusion.
    """
    size, value = float(scale), float(slack)
    if math.isnan(size) or math.isnan(value) or size < 0.0:
        return -math.inf
    if size == 0.0:
        return allowance if value == 0.0 else math.copysign(math.inf, value)
    if math.isinf(size):
        return -math.inf if math.isinf(value) else allowance
    return value / size / EPS + allowance


def fact(is_true: bool) -> float:
    """Return the margin of a yes-or-no fact: far beyond rounding either way."""
    return DECIDED if is_true else -DECIDED
