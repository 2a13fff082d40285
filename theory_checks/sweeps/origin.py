"""What decides the result of a cell besides the cell: the function, the sources, the versions."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from theory_checks.provenance import versions
from theory_checks.sweeps.errors import SweepError
from theory_checks.sweeps.plain import plain
from theory_checks.sweeps.sources import digest_of

__all__ = ["code_of", "origin_of"]


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
        Python, this package and the libraries; ``sources``: see
        :func:`~theory_checks.sweeps.sources.digest_of`.

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
    return {"function": {"name": f"{module}:{name}", **bound}, **code_of(module)}


def code_of(module: str) -> dict[str, Any]:
    """The versions, and the digest of the sources, of a function's module."""
    return {"versions": _versions(), "sources": digest_of(module)}


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
