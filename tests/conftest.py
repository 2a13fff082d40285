"""Fixtures and Hypothesis profiles shared by all tests."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Verbosity, settings

from tests.namespaces import CASES, FetchCounter, NamespaceCase, Xp, patch_fetches

# Nothing is kept between runs (database=None) and no example is timed (deadline=None): a test
# that fails on a slow machine, or because of last week's example, tells nobody anything.
_COMMON = {
    "database": None,
    "deadline": None,
    "print_blob": False,
    "verbosity": Verbosity.normal,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("default", derandomize=False, max_examples=50, **_COMMON)
settings.register_profile("ci", derandomize=True, max_examples=50, **_COMMON)

#: Under --hunt every property gets that many times its examples, from a random start.
HUNT_FACTOR = 40


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--hunt",
        action="store_true",
        help="run the property tests at length, from a random start",
    )


def pytest_configure(config: pytest.Config) -> None:
    derandomized = os.environ.get("CI") and not config.getoption("--hunt")
    settings.load_profile("ci" if derandomized else "default")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--hunt"):
        return
    objects = [getattr(item, "obj", None) for item in items]
    functions = {id(f): f for f in (getattr(o, "__func__", o) for o in objects)}
    for function in functions.values():
        # Tests that bring settings of their own keep them here; a profile would not reach them.
        own = getattr(function, "_hypothesis_internal_use_settings", None)
        if own is not None:
            examples = HUNT_FACTOR * own.max_examples
            longer = settings(own, derandomize=False, max_examples=examples)
            function._hypothesis_internal_use_settings = longer


@pytest.fixture(params=CASES, ids=str)
def xp_case(request: pytest.FixtureRequest) -> Xp:
    """Every array library, device and dtype that can be had here, one at a time."""
    case: NamespaceCase = request.param
    return case.load()


@pytest.fixture(params=[c for c in CASES if c.library == "strict"], ids=str)
def strict_case(request: pytest.FixtureRequest) -> Xp:
    """array-api-strict alone, on both of its devices: for tests that count fetches."""
    case: NamespaceCase = request.param
    return case.load()


@pytest.fixture
def host_fetches(monkeypatch: pytest.MonkeyPatch) -> FetchCounter:
    """Counter of the scalars and arrays of array-api-strict that reach the host."""
    return patch_fetches(monkeypatch)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20180430)
