"""What decides the result of a cell besides the cell: the function, the sources, the versions."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from theory_checks.provenance import versions
from theory_checks.sweeps.errors import SweepError
from theory_checks.sweeps.plain import plain

__all__ = ["origin_of"]


def origin_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Where a cell's function comes from, as plain data.

    Parameters
    ----------
    function : callable
        Of the top level of a module, or a :func:`functools.partial` of such a one with
        arguments that are plain data.

    Returns
    -------
    dict
        ``function``: its module and name, and the arguments that are bound; ``versions``: of
        Python, this package and the libraries; ``sources``: a digest of the module and of what
        it imports of the package that it stands in. The rest goes by its version.

    Raises
    ------
    SweepError
        For a function that other processes could not import.
    """
    bound: dict[str, Any] = {}
    inner = function
    if isinstance(function, functools.partial):
        inner = function.func
        try:
            bound = {"arguments": plain([*function.args]), "keywords": plain(function.keywords)}
        except ValueError as error:
            raise SweepError(f"the function's arguments are {error}") from None
    module, name = _importable(inner)
    return {
        "function": {"name": f"{module}:{name}", **bound},
        "versions": _versions(),
        "sources": _digest(module),
    }


def _importable(function: Any) -> tuple[str, str]:
    """The module and the name by which a function is found again."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if module is None or name is None or isinstance(function, type):
        raise SweepError(f"{function!r} is no function of a module")
    if module in ("__main__", "__mp_main__"):
        raise SweepError(f"{name} stands in the script itself: put it into a module of its own")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not function:
        raise SweepError(
            f"{module}.{name} cannot be imported by its name: it must be a function of the top "
            "level of a module"
        )
    return module, name


@functools.cache
def _versions() -> dict[str, str]:
    # Hypothesis hunts; no cell is computed with it.
    return {name: version for name, version in versions().items() if name != "hypothesis"}


@functools.cache
def _digest(module: str) -> str:
    """Of the sources of a module, and of what it imports of the package that it stands in."""
    home = module.rpartition(".")[0]
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or not (name == module or (home and name.startswith(f"{home}."))):
            continue
        source = _source(name)
        if source is None:
            continue  # a name in a module, or a module without a source
        text = seen[name] = source.read_bytes()
        waiting += _imported(text, name, package=source.name == "__init__.py")
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(f"{name}\0".encode() + hashlib.sha256(seen[name]).digest())
    return digest.hexdigest()


def _source(name: str) -> Path | None:
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = None if found is None else found.origin
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _imported(text: bytes, name: str, *, package: bool) -> Iterator[str]:
    """Everything that a module may import, also inside its functions."""
    home = name if package else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, home)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
