"""Records are frozen: what one solve has handed out, no other can change."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil

import pytest

from tralgos import norms, shares, subproblems

#: The one record that an iteration writes into, and nobody else sees.
WORKING = {"_State"}


def records() -> dict[str, type]:
    found = {}
    for package in (subproblems, norms, shares):
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for kind in vars(module).values():
                if isinstance(kind, type) and kind.__module__ == info.name:
                    found[kind.__name__] = kind
    # An abstract record is frozen with those that inherit it: Python allows no mixture.
    return {
        name: kind
        for name, kind in found.items()
        if dataclasses.is_dataclass(kind) and not inspect.isabstract(kind)
    }


RECORDS = records()


@pytest.mark.parametrize("name", sorted(set(RECORDS) - WORKING))
def test_records_are_frozen(name: str) -> None:
    kind = RECORDS[name]
    blank = object.__new__(kind)
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(blank, field.name, None)


def test_there_are_records_to_look_at() -> None:
    assert {"SubproblemResult", "Certificate", "Tridiagonal", "Weights"} <= set(RECORDS)
    assert set(RECORDS) >= WORKING


@pytest.mark.parametrize(
    "name",
    [
        "AdaptiveState",
        "BatchResult",
        "DiagonalEstimate",
        "DiagonalMoment",
        "FullMoment",
        "GradientWindow",
    ],
)
def test_records_of_arrays_are_compared_by_identity(name: str) -> None:
    """Comparing arrays entry by entry has no truth value, and would end in an error."""
    kind = RECORDS[name]
    one, other = object.__new__(kind), object.__new__(kind)
    assert one == one
    assert one != other
    assert len({one, other}) == 2
