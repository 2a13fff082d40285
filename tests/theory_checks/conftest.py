import pytest

from theory_checks.registry import all_claims


@pytest.fixture(scope="session")
def claims():
    return all_claims()
