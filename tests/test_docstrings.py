"""The examples in the docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import theory_checks
import tralgos

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names() -> list[str]:
    found = ["tralgos", "theory_checks"]
    for package in (tralgos, theory_checks):
        walk = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        found += [m.name for m in walk if not m.name.endswith("__main__")]
    return found


@pytest.mark.parametrize("name", module_names())
def test_examples(name: str) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    report: list[str] = []
    for example in finder.find(importlib.import_module(name)):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
