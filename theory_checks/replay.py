"""An instance in one small JSON file, sealed, and its evaluation anew.

A file holds a claim's id, the form, the instance and its margins, and a digest
of all that: a file that was changed by hand is refused, since it would pass for
something that was found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from theory_checks.claim import Claim, Instance
from theory_checks.codec import decode_float, restored, to_plain
from theory_checks.margins import worst_margin

__all__ = [
    "KINDS",
    "SCHEMA",
    "Record",
    "ReplayError",
    "Replayed",
    "file_name",
    "kept",
    "read",
    "replay",
    "seal",
    "write",
]

SCHEMA = "theory-checks/instance/2"

#: What an instance on file may be of its claim.
KINDS = ("counterexample", "worst", "tightest")


class ReplayError(ValueError):
    """A file that is not a counterexample, or not one of a known claim."""


@dataclass(frozen=True)
class Record:
    """An instance on file: the claim's id, the form, the instance, its margins.

    `kind` is one of :data:`KINDS`; `file` the name of the file that it was read from.
    """

    claim: str
    form: str
    instance: Instance
    margins: dict[str, float]
    note: str = ""
    kind: str = "counterexample"
    file: str = ""


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
    sides : tuple of two floats, or None
        The two sides of the bound, where the form has one.
    """

    margins: dict[str, float]
    broken: tuple[str, ...]
    violated: bool
    as_recorded: bool
    sides: tuple[float, float] | None


def seal(document: Mapping[str, Any]) -> str:
    """Return the digest of a document: SHA-256 of its JSON with sorted keys and no spaces."""
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_name(claim: str, form: str, kind: str) -> str:
    """Return the name of the file that an instance of a run is written to."""
    return f"{claim.replace('/', '.')}.{form}.{kind}.json"


def write(record: Record, path: Path) -> None:
    """Write an instance to `path`."""
    document = {
        "schema": SCHEMA,
        "claim": record.claim,
        "form": record.form,
        "kind": record.kind,
        "instance": to_plain(record.instance),
        "margins": to_plain(record.margins),
        "note": record.note,
    }
    document["sha256"] = seal(document)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _parsed(text: str, name: str) -> Record:
    try:
        document = json.loads(text)
        schema = document["schema"]
        digest = None if schema != SCHEMA else seal(document)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ReplayError(f"{name}: not an instance file ({error!r})") from error
    if schema != SCHEMA:
        raise ReplayError(f"{name}: schema {schema!r} is not {SCHEMA!r}")
    if "sha256" not in document:
        raise ReplayError(f"{name}: not sealed: it has no digest")
    if document["sha256"] != digest:
        raise ReplayError(f"{name}: changed since it was written: the digest does not fit")
    try:
        record = Record(
            str(document["claim"]),
            str(document["form"]),
            restored(dict(document["instance"])),
            {str(k): decode_float(v) for k, v in document["margins"].items()},
            str(document["note"]),
            str(document["kind"]),
            name,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ReplayError(f"{name}: not an instance file ({error!r})") from error
    if not record.margins:
        raise ReplayError(f"{name}: not an instance file (no margins)")
    if record.kind not in KINDS:
        raise ReplayError(f"{name}: kind {record.kind!r} is none of {', '.join(KINDS)}")
    return record


def read(path: Path) -> Record:
    """Read an instance.

    Raises
    ------
    ReplayError
        When the file is not one, is of another schema, or was changed.
    OSError
        When it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ReplayError(f"{path.name}: not an instance file ({error!r})") from error
    return _parsed(text, path.name)


def kept() -> Iterator[Record]:
    """Yield the counterexamples that come with the package, in the order of their names."""
    folder = resources.files("theory_checks") / "counterexamples"
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".json"):
            yield _parsed(entry.read_text(encoding="utf-8"), entry.name)


def replay(record: Record, claims: Mapping[str, Claim]) -> Replayed:
    """Evaluate an instance anew.

    Raises
    ------
    ReplayError
        When the claim or the form is not known, or the instance does not fit it.
    """
    if record.claim not in claims:
        raise ReplayError(
            f"unknown claim {record.claim!r}; `theory-checks list` has the known ones, and "
            "claims of a module of yours need --module"
        )
    forms = claims[record.claim].forms()
    if record.form not in forms:
        raise ReplayError(f"{record.claim} has no form {record.form!r}; it has: {', '.join(forms)}")
    form = forms[record.form]
    try:
        broken = form.broken_hypotheses(record.instance)
        margins = {k: float(v) for k, v in form.decisive(record.instance).items()}
        sides = None if form.bound is None or broken else form.bound(record.instance)
    except (KeyError, TypeError, IndexError, ValueError, ArithmeticError) as error:
        raise ReplayError(f"the instance does not fit {record.claim}: {error!r}") from error
    violated = not broken and worst_margin(margins)[1] < 0.0
    recorded = worst_margin(record.margins)[1] < 0.0
    return Replayed(margins, broken, violated, violated == recorded, sides)
