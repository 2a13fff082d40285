"""A counterexample in one small JSON file.

Floats are written with Python's shortest exact representation, so that reading
a file gives back the bits that were written. JSON has no infinities: a margin
that is not finite is written as the string ``"inf"``, ``"-inf"`` or ``"nan"``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from theory_checks.claim import Claim, Instance
from theory_checks.engine import worst_margin

__all__ = [
    "SCHEMA",
    "Record",
    "ReplayError",
    "Replayed",
    "decode_float",
    "encode_float",
    "kept",
    "read",
    "replay",
    "write",
]

SCHEMA = "theory-checks/counterexample/1"


class ReplayError(ValueError):
    """A file that is not a counterexample, or not one of a known claim."""


@dataclass(frozen=True)
class Record:
    """A counterexample on file: the claim's id, the form, the instance, its margins."""

    claim: str
    form: str
    instance: Instance
    margins: dict[str, float]
    note: str = ""


@dataclass(frozen=True)
class Replayed:
    """What a replay gave.

    Attributes
    ----------
    margins : dict
        Evaluated anew.
    broken : tuple of str
        Hypotheses that the instance does not satisfy.
    violated : bool
        Whether the instance is admitted and its worst margin negative.
    as_recorded : bool
        Whether the file says the same of it.
    """

    margins: dict[str, float]
    broken: tuple[str, ...]
    violated: bool
    as_recorded: bool


def encode_float(value: float) -> float | str:
    """Make a float fit for JSON."""
    return value if math.isfinite(value) else str(value)


def decode_float(value: Any) -> float:
    """Undo :func:`encode_float`; the three words are the only strings accepted."""
    if isinstance(value, str) and value not in ("inf", "-inf", "nan"):
        raise ReplayError(f"not a number: {value!r}")
    return float(value)


def write(record: Record, path: Path) -> None:
    """Write a counterexample to `path`."""
    document = {
        "schema": SCHEMA,
        "claim": record.claim,
        "form": record.form,
        "instance": record.instance,
        "margins": {k: encode_float(v) for k, v in record.margins.items()},
        "note": record.note,
    }
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _parsed(text: str, name: str) -> Record:
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise ReplayError(f"{name}: schema {document['schema']!r} is not {SCHEMA!r}")
        margins = {str(k): decode_float(v) for k, v in document["margins"].items()}
        instance = dict(document["instance"])
        note = str(document.get("note", ""))
        return Record(str(document["claim"]), str(document["form"]), instance, margins, note)
    except ReplayError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ReplayError(f"{name}: not a counterexample file ({error!r})") from error


def read(path: Path) -> Record:
    """Read a counterexample.

    Raises
    ------
    ReplayError
        When the file is not one.
    OSError
        When it cannot be read.
    """
    return _parsed(path.read_text(encoding="utf-8"), path.name)


def kept() -> Iterator[Record]:
    """Yield the counterexamples that come with the package, in the order of their names."""
    folder = resources.files("theory_checks") / "counterexamples"
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            yield _parsed(entry.read_text(encoding="utf-8"), entry.name)


def replay(record: Record, claims: Mapping[str, Claim]) -> Replayed:
    """Evaluate a counterexample anew.

    Raises
    ------
    ReplayError
        When the claim or the form is not known, or the instance does not fit it.
    """
    if record.claim not in claims:
        raise ReplayError(f"unknown claim {record.claim!r}; known: {', '.join(sorted(claims))}")
    forms = claims[record.claim].forms()
    if record.form not in forms:
        raise ReplayError(f"{record.claim} has no form {record.form!r}; it has: {', '.join(forms)}")
    form = forms[record.form]
    try:
        broken = form.broken_hypotheses(record.instance)
        margins = dict(form.margins(record.instance))
    except (KeyError, TypeError, IndexError) as error:
        raise ReplayError(f"the instance does not fit {record.claim}: {error!r}") from error
    violated = not broken and worst_margin(margins)[1] < 0.0
    recorded = worst_margin(record.margins)[1] < 0.0
    return Replayed(margins, broken, violated, violated == recorded)
