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


@pytest.mark.parametrize(
    "name", ["tralgos", "tralgos.operators", "tralgos.norms", "tralgos.errors"]
)
def test_reference_lists_what_is_exported(name: str) -> None:
    module = importlib.import_module(name)
    subpackages = {"errors", "norms", "operators"} if name == "tralgos" else set()
    assert documented(name) == set(module.__all__) - subpackages
