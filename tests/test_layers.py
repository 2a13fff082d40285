"""Imports point one way, and the theory checks use public names only."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: Each layer of tralgos may import itself and what stands before it.
LAYERS = (
    "errors",
    "arrays",
    "memory",
    "arguments",
    "kernels",
    "operators",
    "shares",
    "problems",
    "norms",
    "subproblems",
    "methods",
)

#: What the theory checks may import from.
PUBLIC = (
    "tralgos",
    "tralgos.errors",
    "tralgos.operators",
    "tralgos.norms",
    "tralgos.problems",
    "tralgos.shares",
)


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import in a file, also inside functions; None for whole modules."""
    dotted = path.relative_to(ROOT).with_suffix("").parts
    package = dotted[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, None
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield module, alias.name


def layer_of(module: str, name: str | None = None) -> str | None:
    """The layer of tralgos that a module belongs to; None for the package itself."""
    parts = module.split(".")
    if parts[0] != "tralgos":
        return None
    if len(parts) > 1:
        return parts[1]
    return name if name in LAYERS else None


@pytest.mark.parametrize("path", modules("tralgos"), ids=lambda p: str(p.relative_to(ROOT)))
def test_layers_import_downwards(path: Path) -> None:
    own = layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own == "__init__":
        return
    assert own in LAYERS, f"{path.name} belongs to no layer: name it in LAYERS"
    for module, name in imports(path):
        if module.split(".")[0] != "tralgos":
            continue
        target = layer_of(module, name)
        assert target is not None, f"{path.name} imports from the package itself: {module}.{name}"
        assert LAYERS.index(target) <= LAYERS.index(own), f"{path.name} imports {module} upwards"


@pytest.mark.parametrize("path", modules("tralgos"), ids=lambda p: str(p.relative_to(ROOT)))
def test_tralgos_never_imports_theory_checks(path: Path) -> None:
    assert not any(module.split(".")[0] == "theory_checks" for module, _ in imports(path))


@pytest.mark.parametrize("path", modules("theory_checks"), ids=lambda p: str(p.relative_to(ROOT)))
def test_theory_checks_use_public_names(path: Path) -> None:
    for module, name in imports(path):
        if module.split(".")[0] != "tralgos":
            continue
        assert module in PUBLIC, f"{path.name} imports {module}, which is private"
        if name is not None and f"{module}.{name}" not in PUBLIC:
            exported = importlib.import_module(module).__all__
            assert name in exported, f"{path.name} imports {module}.{name}, which is private"


@pytest.mark.parametrize("path", modules("theory_checks"), ids=lambda p: str(p.relative_to(ROOT)))
def test_theory_checks_reach_no_private_attribute(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id != "tralgos":
                continue
            exported = importlib.import_module("tralgos").__all__
            assert node.attr in (*exported, "__version__"), node.attr


def test_there_is_something_to_check() -> None:
    assert modules("tralgos")
    assert modules("theory_checks")
