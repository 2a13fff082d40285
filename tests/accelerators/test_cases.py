"""Every public name runs where its arrays live, and nothing is copied to the host unseen."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.accelerators.case import Case, Table, agrees
from tests.accelerators.ensembles import ENSEMBLES
from tests.accelerators.methods import METHODS
from tests.accelerators.norms import NORMS
from tests.accelerators.operators import OPERATORS
from tests.accelerators.problems import COLLECTION, PROBLEMS
from tests.accelerators.shares import SHARES
from tests.accelerators.subproblems import SUBPROBLEMS
from tests.namespaces import FetchCounter, NamespaceCase

ROOT = Path(__file__).resolve().parents[2]

#: The cases of each public module, and the public modules among its names.
TABLES: dict[str, tuple[Table, set[str]]] = {
    "tralgos": (
        {**SUBPROBLEMS, **METHODS},
        {"errors", "norms", "operators", "problems", "shares"},
    ),
    "tralgos.operators": (OPERATORS, set()),
    "tralgos.norms": (NORMS, set()),
    "tralgos.problems": ({**PROBLEMS, **ENSEMBLES}, {"collection"}),
    "tralgos.problems.collection": (COLLECTION, set()),
    "tralgos.shares": (SHARES, set()),
}


def named() -> dict[str, Case]:
    """All cases, by module, name and, where there are several, what they show."""
    found: dict[str, Case] = {}
    for module, (table, _) in TABLES.items():
        for name, cases in table.items():
            if isinstance(cases, Case):
                found[f"{module}.{name}"] = cases
            elif isinstance(cases, Mapping):
                found |= {f"{module}.{name}: {kind}": case for kind, case in cases.items()}
    return found


CASES = named()
DEVICES = [
    NamespaceCase(library, device, dtype)
    for library, device in (("strict", "device1"), ("torch", "cpu"), ("cupy", None))
    for dtype in ("float64", "float32")
]
_REFERENCES: dict[str, Any] = {}


def reference(name: str) -> Any:
    """What NumPy makes of a case in float64, computed once."""
    if name not in _REFERENCES:
        _REFERENCES[name] = CASES[name].run(NamespaceCase("numpy", None, "float64").load())
    return _REFERENCES[name]


@pytest.mark.parametrize("module", TABLES)
def test_every_public_name_has_a_case(module: str) -> None:
    """A new name needs a case, or the reason why no array goes into it."""
    table, inner = TABLES[module]
    exported = set(importlib.import_module(module).__all__) - inner - again(module)
    assert exported - set(table) == set(), "public names without a case in tests/accelerators"
    assert set(table) - exported == set(), "cases of names that are not public"


def again(module: str) -> set[str]:
    """The names that a package shows again, which have their case where they come from."""
    shown = importlib.import_module(module)
    inside = [importlib.import_module(m) for m in TABLES if m.startswith(f"{module}.")]
    return {
        name
        for name in shown.__all__
        if any(getattr(m, name, None) is getattr(shown, name) for m in inside if name in m.__all__)
    }


@pytest.mark.parametrize("where", DEVICES, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_stays_where_its_arrays_are(
    name: str, where: NamespaceCase, request: pytest.FixtureRequest
) -> None:
    """Results of the library, device and dtype of the arrays, and with NumPy's numbers."""
    home = where.load()
    if where.library == "strict":
        counter: FetchCounter = request.getfixturevalue("host_fetches")
        got = CASES[name].run(home)
        assert set(counter.log) <= {"to_device"}, "a value reached the host besides to_host"
    else:
        got = CASES[name].run(home)
    agrees(got, reference(name), home, CASES[name].loose)


@pytest.mark.parametrize("name", CASES)
def test_numpy_in_single_precision(name: str) -> None:
    """float32 stays float32 on NumPy as well."""
    home = NamespaceCase("numpy", None, "float32").load()
    agrees(CASES[name].run(home), reference(name), home, CASES[name].loose)


def test_arrays_leave_a_device_in_one_place() -> None:
    """`tralgos.arrays` alone knows how an array is copied to the host."""
    leaves = re.compile(r"\.to_device\(|\.cpu\(\)|\.get\(\)|cupy\.asnumpy")
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tralgos").rglob("*.py"))
        if leaves.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["tralgos/arrays.py"]
