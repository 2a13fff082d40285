"""The reference documents every public name, and no other."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api" / "index.md"


def documented(module: str) -> set[str]:
    """The names listed under a module in the reference."""
    names: set[str] = set()
    current = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            current = found[1]
        elif current == module and (found := re.fullmatch(r"   (\w+)", line)):
            names.add(found[1])
    return names


#: The public modules, each with the public modules among the names that it exports.
MODULES = {
    "tralgos": {"errors", "norms", "operators", "problems", "shares"},
    "tralgos.operators": set(),
    "tralgos.norms": set(),
    "tralgos.problems": {"collection"},
    "tralgos.problems.collection": set(),
    "tralgos.shares": set(),
    "tralgos.errors": set(),
    "theory_checks": set(),
    "theory_checks.rates": set(),
    "theory_checks.replay": set(),
    "theory_checks.sweeps": set(),
}


@pytest.mark.parametrize(("name", "inner"), MODULES.items())
def test_reference_lists_what_is_exported(name: str, inner: set[str]) -> None:
    exported = set(importlib.import_module(name).__all__)
    assert inner <= exported
    assert documented(name) == exported - inner


def test_reference_has_no_other_module() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\.\. currentmodule:: (\S+)$", text, re.MULTILINE)) == set(MODULES)
