"""The words of the ledger: verdicts, answers, levels of effort."""

from __future__ import annotations

from enum import Enum

__all__ = ["Answer", "Level", "Verdict"]


class Verdict(Enum):
    """What the evidence says of a claim; the value is the sentence a reader should see."""

    HOLDS = "no violation was found of the statement as printed"
    NEEDS = "false as printed; holds in the amended form"
    REFUTED = "false as printed, and no small repair is known"
    MEASURED = "a rate or an experiment: figures with their intervals"
    NOT_TESTABLE = "no finite computation can decide it; the reason is given"
    BROKEN = "the amended form, or a recorded figure, is violated"
    TOOTHLESS = "a dropped hypothesis or a broken algorithm did not do what is recorded"

    @property
    def word(self) -> str:
        """The name in lower case, as the ledger and the JSON files have it."""
        return self.name.lower().replace("_", " ")


class Answer(Enum):
    """How a measured figure stands to what is claimed of it."""

    CONSISTENT = "consistent"
    NOT_CONSISTENT = "not consistent"
    CANNOT_TELL = "can't tell"


class Level(Enum):
    """How long to hunt: the value is the number of rounds, each with its own seed."""

    QUICK = 1
    STANDARD = 8
    FULL = 80
