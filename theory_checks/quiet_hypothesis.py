"""Hypothesis at run time, leaving nothing behind.

Hypothesis writes a `.hypothesis` folder into the working directory even with
``database=None`` (a table of characters, the constants of local modules), and
takes other settings when it sees a CI server. Here every setting is passed, and
its home is a temporary folder for as long as the search runs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, configuration
from hypothesis.strategies import SearchStrategy

__all__ = ["explore", "temporary_home"]


@contextmanager
def temporary_home() -> Iterator[str]:
    """Give Hypothesis a temporary home, and its former one back afterwards.

    Yields
    ------
    str
        The folder, removed on exit.
    """
    # The name is private, but it is the only place where the setter keeps the value,
    # and without it a caller's own home would be lost.
    former = getattr(configuration, "__hypothesis_home_directory", None)
    with tempfile.TemporaryDirectory(prefix="theory-checks-", ignore_cleanup_errors=True) as folder:
        configuration.set_hypothesis_home_dir(folder)
        try:
            yield folder
        finally:
            configuration.set_hypothesis_home_dir(former)


def explore(
    strategy: SearchStrategy[Any], test: Callable[[Any], None], *, examples: int, seed: int
) -> None:
    """Run `test` on drawn values; what it raises on the simplest failing one arrives.

    Parameters
    ----------
    strategy : SearchStrategy
        What to draw from.
    test : callable
        Called with each value; may call ``hypothesis.target`` and
        ``hypothesis.reject``.
    examples : int
        How many values to draw, before shrinking.
    seed : int
        The same seed, the same values.
    """
    runner = hypothesis.given(strategy)(test)
    runner = hypothesis.seed(seed)(runner)
    runner = hypothesis.settings(
        max_examples=examples,
        database=None,
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.target, Phase.shrink),
        report_multiple_bugs=False,
        print_blob=False,
        stateful_step_count=1,
        verbosity=Verbosity.quiet,
        backend="hypothesis",
    )(runner)
    with temporary_home():
        runner()
